/* x509_group_test.c - members whose credentials are certificate chains: RFC 9420 section 5.3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/test_certificates.h"
#include "mls/group_dump.h"

/* An authority, and members with certificates by it. */
typedef struct house {
    world_env world;
    EVP_PKEY *root;
    test_certificate root_certificate;
    member alice, bob;
    blob chains[2]; /* certificates<V>, content */
    const uint8_t *trusted;
} house;

static blob chain_of(const house *h, member *m, bool with_root)
{
    EVP_PKEY *key = certificate_raw_key(EVP_PKEY_ED25519, m->sk, 32);
    const certificate_options options = {.subject = m->name, .issuer = "root"};
    test_certificate own = certificate_make(key, h->root, &options);
    xmtp_writer w;
    xmtp_writer_init(&w, &h->world.env.alloc, 1 << 20);
    xmtp_writer_vec(&w, xmtp_bytes_of(own.der, own.n));
    if (with_root) {
        xmtp_writer_vec(&w, xmtp_bytes_of(h->root_certificate.der, h->root_certificate.n));
    }
    blob b = blob_copy(xmtp_writer_bytes(&w));
    xmtp_writer_free(&w);
    OPENSSL_free(own.der);
    EVP_PKEY_free(key);
    return b;
}

/* What an application does: the chain holds together, so it ends with the root or it does not. */
static xmtp_status trust(void *context, const xmtp_mls_member *who, const xmtp_mls_member *before)
{
    const house *h = context;
    const size_t n = h->root_certificate.n;
    (void)before;
    bool is_ours = who->credential_type == XMTP_MLS_CREDENTIAL_X509 && who->identity.n > n &&
                   h->trusted != NULL &&
                   memcmp(who->identity.p + who->identity.n - n, h->trusted, n) == 0;
    return is_ours ? XMTP_OK : XMTP_E_CREDENTIAL;
}

static void house_open(house *h)
{
    const certificate_options options = {
        .subject = "root", .issuer = "root", .constraints = "critical,CA:TRUE"};
    *h = (house){0};
    world_env_init(&h->world, 61);
    h->root = certificate_new_key(0, "ED25519");
    h->root_certificate = certificate_make(h->root, h->root, &options);
    h->trusted = h->root_certificate.der;
    member *both[] = {&h->alice, &h->bob};
    for (size_t i = 0; i < 2; i++) {
        member_init(both[i], &h->world, i == 0 ? "alice" : "bob");
        both[i]->config.authenticate = trust;
        both[i]->config.authenticate_context = h;
        h->chains[i] = chain_of(h, both[i], true);
    }
}

static void house_close(house *h)
{
    member_free(&h->alice);
    member_free(&h->bob);
    free(h->chains[0].p);
    free(h->chains[1].p);
    OPENSSL_free(h->root_certificate.der);
    EVP_PKEY_free(h->root);
}

static xmtp_mls_signer signer_of(const member *m, blob chain)
{
    xmtp_mls_signer signer = member_signer(m);
    signer.credential_type = XMTP_MLS_CREDENTIAL_X509;
    signer.identity = blob_bytes(chain);
    return signer;
}

static xmtp_mls_capabilities capabilities(void)
{
    static const uint16_t types[] = {1, 2};
    xmtp_mls_capabilities c = world_capabilities();
    c.credentials = (xmtp_mls_u16_list){types, 2};
    return c;
}

static xmtp_status create(house *h, blob chain)
{
    member *m = &h->alice;
    const xmtp_mls_create_options options = {.suite = 3,
                                             .group_id = xmtp_bytes_of("x509", 4),
                                             .signer = signer_of(m, chain),
                                             .capabilities = capabilities()};
    xmtp_mls_writes_clear(m->writes);
    xmtp_status status =
        xmtp_mls_group_create(&m->group, &m->config, &options, m->writes, &m->error);
    if (status == XMTP_OK) {
        member_store(m);
    }
    return status;
}

static xmtp_status package(house *h, blob chain, blob *out, xmtp_mls_key_package_private *keys)
{
    const xmtp_mls_key_package_options options = {.suite = 3,
                                                  .signer = signer_of(&h->bob, chain),
                                                  .capabilities = capabilities(),
                                                  .not_before = 1,
                                                  .not_after = UINT64_MAX / 2};
    return xmtp_mls_key_package_create(&h->world.env, &options, &out->p, &out->n, keys,
                                       &h->bob.error);
}

static xmtp_status invite(house *h, blob key_package, xmtp_mls_pending **pending)
{
    const xmtp_bytes add = blob_bytes(key_package);
    return xmtp_mls_group_commit(h->alice.group,
                                 &(xmtp_mls_commit_options){.add = &add, .add_count = 1}, pending,
                                 &h->alice.error);
}

static void members_with_certificates_talk(void **state)
{
    (void)state;
    house h;
    blob b;
    xmtp_mls_pending *pending;
    xmtp_mls_key_package_private keys;
    house_open(&h);
    assert_ok(&h.alice, create(&h, h.chains[0]));
    assert_ok(&h.bob, package(&h, h.chains[1], &b, &keys));
    assert_ok(&h.alice, invite(&h, b, &pending));
    assert_ok(&h.bob, member_join(&h.bob, xmtp_mls_pending_welcome(pending), b, &keys));
    member_confirm(&h.alice, pending);
    pending = member_commit(&h.bob, NULL);
    assert_ok(&h.alice, member_take(&h.alice, xmtp_mls_pending_message(pending)));
    member_confirm(&h.bob, pending);
    members_agree(&h.alice, &h.bob);
    xmtp_mls_member m;
    assert_true(xmtp_mls_group_member(h.alice.group, 1, &m));
    assert_int_equal(m.credential_type, XMTP_MLS_CREDENTIAL_X509);
    assert_true(xmtp_bytes_equal(m.identity, blob_bytes(h.chains[1])));
    free(b.p);
    house_close(&h);
}

static void trust_is_the_applications_decision(void **state)
{
    (void)state;
    house h;
    blob b;
    xmtp_mls_pending *pending;
    xmtp_mls_key_package_private keys;
    house_open(&h);
    assert_ok(&h.alice, create(&h, h.chains[0]));
    assert_ok(&h.bob, package(&h, h.chains[1], &b, &keys));
    h.trusted = NULL;
    assert_int_equal(invite(&h, b, &pending), XMTP_E_CREDENTIAL);
    free(b.p);
    house_close(&h);
}

static void chains_that_do_not_hold_make_no_leaf(void **state)
{
    (void)state;
    house h;
    blob b;
    xmtp_mls_key_package_private keys;
    house_open(&h);
    /* bob's certificate for alice's key */
    assert_int_equal(create(&h, h.chains[1]), XMTP_E_CERTIFICATE_KEY);
    assert_int_equal(package(&h, h.chains[0], &b, &keys), XMTP_E_CERTIFICATE_KEY);
    blob broken = blob_copy(blob_bytes(h.chains[1]));
    broken.p[broken.n - h.root_certificate.n - 6] ^= 1; /* in the signature by the root */
    assert_int_equal(package(&h, broken, &b, &keys), XMTP_E_CERTIFICATE);
    assert_int_equal(package(&h, (blob){.p = broken.p, .n = 0}, &b, &keys), XMTP_E_CERTIFICATE);
    assert_int_equal(package(&h, (blob){.p = broken.p, .n = 9}, &b, &keys), XMTP_E_CERTIFICATE);
    free(broken.p);
    house_close(&h);
}

/* Nobody who can sign leaves can bring in a certificate of another. */
static void a_forged_leaf_with_the_certificate_of_another_is_refused(void **state)
{
    (void)state;
    house h;
    blob b;
    xmtp_mls_pending *pending;
    xmtp_mls_key_package_private keys;
    xmtp_key_package forged;
    house_open(&h);
    assert_ok(&h.alice, create(&h, h.chains[0]));
    assert_ok(&h.bob, package(&h, h.chains[1], &b, &keys));
    assert_int_equal(xmtp_key_package_of(blob_bytes(b), &forged), XMTP_OK);
    const xmtp_suite *suite = h.alice.group->suite;
    xmtp_writer leaf, out, scratch;
    xmtp_writer_init(&leaf, &h.world.env.alloc, 1 << 20);
    xmtp_writer_init(&out, &h.world.env.alloc, 1 << 20);
    xmtp_writer_init(&scratch, &h.world.env.alloc, 1 << 20);
    forged.leaf_node.credential.content = blob_bytes(h.chains[0]);
    assert_int_equal(xmtp_leaf_node_sign(suite, h.bob.sk, &forged.leaf_node, (xmtp_bytes){0}, 0,
                                         &scratch, &leaf),
                     XMTP_OK);
    forged.leaf_node.raw = xmtp_writer_bytes(&leaf);
    assert_int_equal(xmtp_key_package_sign(suite, h.bob.sk, &forged, &scratch, &out), XMTP_OK);
    xmtp_mls_key_package_info info;
    assert_int_equal(xmtp_mls_key_package_verify(&h.world.env, xmtp_writer_bytes(&out), 2, &info,
                                                 &h.alice.error),
                     XMTP_E_CERTIFICATE_KEY);
    assert_int_equal(invite(&h, (blob){.p = out.p, .n = out.n}, &pending), XMTP_E_CERTIFICATE_KEY);
    xmtp_writer_free(&leaf);
    xmtp_writer_free(&out);
    xmtp_writer_free(&scratch);
    free(b.p);
    house_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_with_certificates_talk),
        cmocka_unit_test(trust_is_the_applications_decision),
        cmocka_unit_test(chains_that_do_not_hold_make_no_leaf),
        cmocka_unit_test(a_forged_leaf_with_the_certificate_of_another_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
