/* key_package_test.c - key packages of the official client, and one broken rule at a time. */
#include "base/bytes.h"
#include "mls/key_package.h"
#include "mls/label.h"

#include <setjmp.h>
#include <stdarg.h>
// cmocka wants the headers above first
#include <cmocka.h>

#include "mls/test_vectors.h"

static const xmtp_suite *const SUITE = &xmtp_suite_x25519_chacha;

/* ---- the official client's ---- */

static void check_official(const cJSON *v)
{
    xmtp_key_package kp;
    xmtp_writer w;
    xmtp_error error = {0};
    uint8_t ref[XMTP_HASH_MAX];
    xmtp_writer_init(&w, vectors_alloc(), XMTP_WRITER_MAX);
    const xmtp_bytes raw = vectors_bytes(v, "key_package_tls");
    assert_int_equal(xmtp_key_package_of(raw, &kp), XMTP_OK);
    xmtp_key_package_encode(&w, &kp);
    vectors_assert_equal(xmtp_writer_bytes(&w), raw, "re-encoding");
    xmtp_key_package_ref(SUITE, raw, ref);
    vectors_assert_equal(xmtp_bytes_of(ref, SUITE->hash->len), vectors_bytes(v, "key_package_ref"),
                         "KeyPackageRef, section 5.2");
    assert_int_equal(xmtp_key_package_verify(SUITE, &kp, &w), XMTP_OK);
    xmtp_leaf_node_rules rules = {.suite = SUITE, .check_lifetime = true};
    rules.now_s = kp.leaf_node.not_before;
    if (xmtp_key_package_validate(&kp, &rules, &error) != XMTP_OK) {
        fail_msg("%s", error.text);
    }
    rules.now_s = kp.leaf_node.not_after;
    assert_int_equal(xmtp_key_package_validate(&kp, &rules, NULL), XMTP_OK);
    rules.now_s++;
    assert_int_equal(xmtp_key_package_validate(&kp, &rules, NULL), XMTP_E_LIFETIME);
    rules.now_s = kp.leaf_node.not_before - 1;
    assert_int_equal(xmtp_key_package_validate(&kp, &rules, NULL), XMTP_E_LIFETIME);
    rules.check_lifetime = false;
    assert_int_equal(xmtp_key_package_validate(&kp, &rules, NULL), XMTP_OK);
    xmtp_writer_free(&w);
}

static void official_key_packages_are_valid(void **state)
{
    (void)state;
    cJSON *file = vectors_open("xmtp/key-packages.json");
    const cJSON *v;
    const cJSON *list = vectors_field(file, "key_packages");
    cJSON_ArrayForEach(v, list)
    {
        check_official(v);
    }
    print_message("official key packages: %d passed\n", cJSON_GetArraySize(list));
    cJSON_Delete(file);
}

/* ---- one made here, so that single fields can be wrong and still be signed ---- */

static const uint8_t SIGNATURE_SK[32] = {1, 2, 3};
static const uint8_t VERSIONS[] = {0, 1};
static const uint8_t SUITES[] = {0, 3};
static const uint8_t EXTENSION_TYPES[] = {0xff, 0x01, 0x00, 0x0a};
static const uint8_t CREDENTIALS[] = {0, 1};

typedef struct maker {
    uint8_t signature_pk[32];
    uint8_t init_pk[32];
    uint8_t encryption_pk[32];
    xmtp_leaf_node leaf;
    xmtp_key_package kp;
    xmtp_writer scratch;
    xmtp_writer leaf_raw;
    xmtp_writer raw;
    xmtp_writer list;
} maker;

static void maker_open(maker *m)
{
    uint8_t sk[32];
    *m = (maker){0};
    xmtp_writer_init(&m->scratch, vectors_alloc(), XMTP_WRITER_MAX);
    xmtp_writer_init(&m->leaf_raw, vectors_alloc(), XMTP_WRITER_MAX);
    xmtp_writer_init(&m->raw, vectors_alloc(), XMTP_WRITER_MAX);
    xmtp_writer_init(&m->list, vectors_alloc(), XMTP_WRITER_MAX);
    const xmtp_bytes ikm = xmtp_bytes_of(SIGNATURE_SK, 32);
    assert_int_equal(SUITE->signature->public_key(SIGNATURE_SK, m->signature_pk), XMTP_OK);
    assert_int_equal(SUITE->kem->derive_key_pair(ikm, sk, m->init_pk), XMTP_OK);
    assert_int_equal(
        SUITE->kem->derive_key_pair(xmtp_bytes_of(m->init_pk, 32), sk, m->encryption_pk), XMTP_OK);
    m->leaf = (xmtp_leaf_node){
        .encryption_key = xmtp_bytes_of(m->encryption_pk, 32),
        .signature_key = xmtp_bytes_of(m->signature_pk, 32),
        .credential = {.type = XMTP_CREDENTIAL_BASIC, .content = xmtp_bytes_of("me", 2)},
        .capabilities = {.versions.raw = xmtp_bytes_of(VERSIONS, 2),
                         .cipher_suites.raw = xmtp_bytes_of(SUITES, 2),
                         .extensions.raw = xmtp_bytes_of(EXTENSION_TYPES, 4),
                         .credentials.raw = xmtp_bytes_of(CREDENTIALS, 2)},
        .source = XMTP_LEAF_NODE_KEY_PACKAGE,
        .not_before = 100,
        .not_after = 200,
    };
    m->kp = (xmtp_key_package){.version = XMTP_PROTOCOL_MLS10,
                               .cipher_suite = 3,
                               .init_key = xmtp_bytes_of(m->init_pk, 32)};
}

static void maker_close(maker *m)
{
    xmtp_writer_free(&m->scratch);
    xmtp_writer_free(&m->leaf_raw);
    xmtp_writer_free(&m->raw);
    xmtp_writer_free(&m->list);
}

/* Signs, decodes, verifies, validates. */
static xmtp_status make(maker *m, const xmtp_extensions *group_extensions)
{
    xmtp_key_package got;
    xmtp_error error = {0};
    xmtp_writer_clear(&m->leaf_raw);
    xmtp_writer_clear(&m->raw);
    assert_int_equal(xmtp_leaf_node_sign(SUITE, SIGNATURE_SK, &m->leaf, (xmtp_bytes){0}, 0,
                                         &m->scratch, &m->leaf_raw),
                     XMTP_OK);
    assert_int_equal(xmtp_leaf_node_of(xmtp_writer_bytes(&m->leaf_raw), &m->kp.leaf_node), XMTP_OK);
    assert_int_equal(xmtp_key_package_sign(SUITE, SIGNATURE_SK, &m->kp, &m->scratch, &m->raw),
                     XMTP_OK);
    assert_int_equal(xmtp_key_package_of(xmtp_writer_bytes(&m->raw), &got), XMTP_OK);
    assert_int_equal(xmtp_key_package_verify(SUITE, &got, &m->scratch), XMTP_OK);
    const xmtp_leaf_node_rules rules = {
        .suite = SUITE, .group_extensions = group_extensions, .check_lifetime = true, .now_s = 150};
    xmtp_status status = xmtp_key_package_validate(&got, &rules, &error);
    assert_int_equal(error.status, status);
    assert_true(status == XMTP_OK || error.text[0] != 0);
    return status;
}

static void each_rule_of_a_key_package_has_its_refusal(void **state)
{
    (void)state;
    maker m;
    maker_open(&m);
    assert_int_equal(make(&m, NULL), XMTP_OK);
    m.kp.version = 2;
    assert_int_equal(make(&m, NULL), XMTP_E_VERSION);
    m.kp.version = XMTP_PROTOCOL_MLS10;
    m.kp.cipher_suite = 1;
    assert_int_equal(make(&m, NULL), XMTP_E_SUITE);
    m.kp.cipher_suite = 3;
    m.kp.init_key = m.leaf.encryption_key;
    assert_int_equal(make(&m, NULL), XMTP_E_KEY_PACKAGE);
    m.kp.init_key = xmtp_bytes_of(m.init_pk, 31);
    assert_int_equal(make(&m, NULL), XMTP_E_KEY);
    m.kp.init_key = xmtp_bytes_of(m.init_pk, 32);
    m.leaf.encryption_key.n = 31;
    assert_int_equal(make(&m, NULL), XMTP_E_KEY);
    m.leaf.encryption_key.n = 32;
    m.leaf.not_after = 149;
    assert_int_equal(make(&m, NULL), XMTP_E_LIFETIME);
    m.leaf.not_after = 200;
    m.leaf.credential.type = XMTP_CREDENTIAL_X509;
    assert_int_equal(make(&m, NULL), XMTP_E_CREDENTIAL_UNLISTED);
    m.leaf.credential.type = XMTP_CREDENTIAL_BASIC;
    m.leaf.source = XMTP_LEAF_NODE_UPDATE; /* signed for leaf 0 of a group without a name */
    assert_int_equal(make(&m, NULL), XMTP_E_LEAF_SOURCE);
    m.leaf.source = XMTP_LEAF_NODE_KEY_PACKAGE;
    assert_int_equal(make(&m, NULL), XMTP_OK);
    maker_close(&m);
}

static xmtp_status with_leaf_extension(maker *m, uint16_t type)
{
    xmtp_writer_clear(&m->list);
    xmtp_extension_encode(&m->list, type, xmtp_bytes_of("x", 1));
    assert_int_equal(xmtp_extensions_of(xmtp_writer_bytes(&m->list), &m->leaf.extensions), XMTP_OK);
    return make(m, NULL);
}

static void leaf_extensions_must_be_listed_and_be_for_leaves(void **state)
{
    (void)state;
    maker m;
    maker_open(&m);
    assert_int_equal(with_leaf_extension(&m, XMTP_EXTENSION_APPLICATION_ID), XMTP_OK);
    assert_int_equal(with_leaf_extension(&m, 0xff01), XMTP_OK);
    assert_int_equal(with_leaf_extension(&m, 0xff02), XMTP_E_EXTENSION_UNLISTED);
    assert_int_equal(with_leaf_extension(&m, XMTP_EXTENSION_RATCHET_TREE), XMTP_E_EXTENSION_PLACE);
    assert_int_equal(with_leaf_extension(&m, XMTP_EXTENSION_REQUIRED_CAPABILITIES),
                     XMTP_E_EXTENSION_PLACE);
    assert_int_equal(with_leaf_extension(&m, XMTP_EXTENSION_LAST_RESORT), XMTP_E_EXTENSION_PLACE);
    maker_close(&m);
}

/* A group with one extension: type and data. */
static xmtp_status in_group(maker *m, uint16_t type, xmtp_bytes data)
{
    xmtp_extensions group;
    xmtp_writer_clear(&m->list);
    xmtp_extension_encode(&m->list, type, data);
    assert_int_equal(xmtp_extensions_of(xmtp_writer_bytes(&m->list), &group), XMTP_OK);
    return make(m, &group);
}

static void the_group_decides_what_a_leaf_must_support(void **state)
{
    (void)state;
    static const uint8_t fine[] = {2, 0xff, 1, 2, 0, 7, 2, 0, 1};
    static const uint8_t extension[] = {2, 0xff, 2, 0, 0};
    static const uint8_t proposal[] = {0, 2, 0, 8, 0};
    static const uint8_t credential[] = {0, 0, 2, 0, 2};
    static const uint8_t defaults[] = {6, 0, 1, 0, 3, 0, 5, 4, 0, 1, 0, 7, 0};
    static const uint8_t trailing[] = {0, 0, 0, 0};
    const uint16_t required = XMTP_EXTENSION_REQUIRED_CAPABILITIES;
    maker m;
    maker_open(&m);
    assert_int_equal(in_group(&m, 0xff01, (xmtp_bytes){0}), XMTP_OK);
    assert_int_equal(in_group(&m, 0xff02, (xmtp_bytes){0}), XMTP_E_EXTENSION_UNSUPPORTED);
    assert_int_equal(in_group(&m, required, xmtp_bytes_of(fine, sizeof fine)), XMTP_OK);
    assert_int_equal(in_group(&m, required, xmtp_bytes_of(defaults, sizeof defaults)), XMTP_OK);
    assert_int_equal(in_group(&m, required, xmtp_bytes_of(extension, sizeof extension)),
                     XMTP_E_CAPABILITIES);
    assert_int_equal(in_group(&m, required, xmtp_bytes_of(proposal, sizeof proposal)),
                     XMTP_E_CAPABILITIES);
    assert_int_equal(in_group(&m, required, xmtp_bytes_of(credential, sizeof credential)),
                     XMTP_E_CAPABILITIES);
    m.leaf.capabilities.cipher_suites.raw = xmtp_bytes_of(VERSIONS, 2); /* suite 1 */
    assert_int_equal(in_group(&m, 0xff01, (xmtp_bytes){0}), XMTP_E_VERSION_UNSUPPORTED);
    m.leaf.capabilities.cipher_suites.raw = xmtp_bytes_of(SUITES, 2);
    xmtp_required_capabilities ignored;
    assert_int_equal(
        xmtp_required_capabilities_decode(xmtp_bytes_of(trailing, sizeof trailing), &ignored),
        XMTP_E_TRAILING);
    maker_close(&m);
}

static void every_flipped_byte_breaks_decoding_or_a_signature(void **state)
{
    (void)state;
    maker m;
    maker_open(&m);
    assert_int_equal(make(&m, NULL), XMTP_OK);
    for (size_t i = 0; i < m.raw.n; i++) {
        xmtp_key_package got;
        m.raw.p[i] ^= 0x04;
        if (xmtp_key_package_of(xmtp_writer_bytes(&m.raw), &got) == XMTP_OK) {
            assert_int_not_equal(xmtp_key_package_verify(SUITE, &got, &m.scratch), XMTP_OK);
        }
        m.raw.p[i] ^= 0x04;
    }
    maker_close(&m);
}

static void a_leaf_is_signed_for_its_place(void **state)
{
    (void)state;
    maker m;
    xmtp_leaf_node leaf;
    maker_open(&m);
    const xmtp_bytes group_id = xmtp_bytes_of("group", 5);
    m.leaf.source = XMTP_LEAF_NODE_COMMIT;
    m.leaf.parent_hash = xmtp_bytes_of(m.init_pk, 32);
    assert_int_equal(
        xmtp_leaf_node_sign(SUITE, SIGNATURE_SK, &m.leaf, group_id, 7, &m.scratch, &m.leaf_raw),
        XMTP_OK);
    assert_int_equal(xmtp_leaf_node_of(xmtp_writer_bytes(&m.leaf_raw), &leaf), XMTP_OK);
    assert_int_equal(xmtp_leaf_node_verify(SUITE, &leaf, group_id, 7, &m.scratch), XMTP_OK);
    assert_int_equal(xmtp_leaf_node_verify(SUITE, &leaf, group_id, 8, &m.scratch),
                     XMTP_E_LEAF_SIGNATURE);
    assert_int_equal(xmtp_leaf_node_verify(SUITE, &leaf, xmtp_bytes_of("other", 5), 7, &m.scratch),
                     XMTP_E_LEAF_SIGNATURE);
    maker_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(official_key_packages_are_valid),
        cmocka_unit_test(each_rule_of_a_key_package_has_its_refusal),
        cmocka_unit_test(leaf_extensions_must_be_listed_and_be_for_leaves),
        cmocka_unit_test(the_group_decides_what_a_leaf_must_support),
        cmocka_unit_test(every_flipped_byte_breaks_decoding_or_a_signature),
        cmocka_unit_test(a_leaf_is_signed_for_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
