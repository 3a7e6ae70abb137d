/* passive_test.c - the passive clients of the working group: join, follow commits, and compare the
 * epoch authenticator, which depends on everything. All suites that this build has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/group_world.h"
#include "mls/key_package.h"
#include "mls/test_vectors.h"

typedef struct tally {
    size_t cases;
    size_t joined;
    size_t epochs;
    size_t skipped;  /* suites that this build lacks */
    size_t left_out; /* under valgrind */
} tally;

/* The external PSKs of a case. */
static xmtp_status find_psk(void *context, const xmtp_mls_psk *psk, uint8_t *out, size_t *out_len)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, (const cJSON *)context)
    {
        xmtp_bytes value = vectors_bytes(item, "psk");
        if (psk->type == XMTP_MLS_PSK_EXTERNAL &&
            xmtp_bytes_equal(psk->id, vectors_bytes(item, "psk_id"))) {
            memcpy(out, value.p, value.n);
            *out_len = value.n;
            return XMTP_OK;
        }
    }
    return XMTP_E_NOT_FOUND;
}

static xmtp_bytes optional_bytes(const cJSON *one, const char *name)
{
    const cJSON *field = vectors_field(one, name);
    return cJSON_IsNull(field) ? (xmtp_bytes){0} : vectors_bytes_of(field);
}

/* Vectors hold an MLSMessage with the key package; ours takes it bare. */
static xmtp_bytes bare_key_package(const cJSON *one)
{
    xmtp_bytes message = vectors_bytes(one, "key_package");
    assert_true(message.n > 4);
    return xmtp_bytes_of(message.p + 4, message.n - 4);
}

/* A private key in full length: some vectors lack the leading zeros of a P-521 scalar. */
static size_t full_key(uint8_t *out, size_t n, xmtp_bytes key)
{
    assert_true(key.n <= n);
    memset(out, 0, n);
    memcpy(out + n - key.n, key.p, key.n);
    return n;
}

static xmtp_status join(member *m, const cJSON *one)
{
    xmtp_key_package package;
    const xmtp_suite *suite = vectors_suite(one);
    uint8_t signature_sk[XMTP_SIGNATURE_SK_MAX];
    const size_t sk_len = suite->kem->sk_len;
    const size_t signature_len = suite->signature->sk_len;
    xmtp_mls_key_package_private keys = {0};
    keys.init_sk_len = full_key(keys.init_sk, sk_len, vectors_bytes(one, "init_priv"));
    keys.leaf_sk_len = full_key(keys.leaf_sk, sk_len, vectors_bytes(one, "encryption_priv"));
    full_key(signature_sk, signature_len, vectors_bytes(one, "signature_priv"));
    assert_ok(m, xmtp_key_package_of(bare_key_package(one), &package));
    m->config.keep_proposals = true;
    m->config.resumption_psks_max = 300;
    m->config.find_psk = find_psk;
    m->config.psk_context = (void *)(uintptr_t)vectors_field(one, "external_psks");
    const xmtp_mls_join_options options = {
        .welcome = vectors_bytes(one, "welcome"),
        .key_package = bare_key_package(one),
        .private_keys = &keys,
        .signer = {.signature_sk = xmtp_bytes_of(signature_sk, signature_len),
                   .signature_pk = package.leaf_node.signature_key},
        .ratchet_tree = optional_bytes(one, "ratchet_tree")};
    uint32_t signer_leaf;
    xmtp_status status =
        xmtp_mls_group_join(&m->group, &m->config, &options, &signer_leaf, m->writes, &m->error);
    if (status == XMTP_OK) {
        member_store(m);
    }
    return status;
}

static void check_authenticator(const member *m, const cJSON *object, const char *name)
{
    vectors_assert_equal(xmtp_mls_group_epoch_authenticator(m->group), vectors_bytes(object, name),
                         name);
}

static xmtp_status follow(member *m, const cJSON *epoch, tally *t)
{
    const cJSON *proposal;
    cJSON_ArrayForEach(proposal, vectors_field(epoch, "proposals"))
    {
        xmtp_status status = member_take(m, vectors_bytes_of(proposal));
        if (status != XMTP_OK) {
            return status;
        }
    }
    xmtp_status status = member_take(m, vectors_bytes(epoch, "commit"));
    if (status == XMTP_OK) {
        check_authenticator(m, epoch, "epoch_authenticator");
        t->epochs++;
    }
    return status;
}

static xmtp_status run_case(member *m, const cJSON *one, tally *t)
{
    const cJSON *epoch;
    xmtp_status status = join(m, one);
    if (status != XMTP_OK) {
        return status;
    }
    t->joined++;
    check_authenticator(m, one, "initial_epoch_authenticator");
    cJSON_ArrayForEach(epoch, vectors_field(one, "epochs"))
    {
        status = follow(m, epoch, t);
        if (status != XMTP_OK) {
            return status;
        }
    }
    return XMTP_OK;
}

static void run_file(const char *name, tally *t)
{
    cJSON *json = vectors_open(name);
    const cJSON *one;
    cJSON_ArrayForEach(one, json)
    {
        if (xmtp_suite_by_id((uint16_t)vectors_u32(one, "cipher_suite")) == NULL) {
            t->skipped++;
            continue;
        }
        if (vectors_leave_out(t->cases++)) {
            t->left_out++;
            continue;
        }
        world_env world;
        member m;
        world_env_init(&world, 3);
        member_init(&m, &world, "passive");
        xmtp_status status = run_case(&m, one, t);
        if (status != XMTP_OK) {
            fail_msg("%s case %zu: %s: %s", name, t->cases, xmtp_status_name(status), m.error.text);
        }
        member_free(&m);
    }
    cJSON_Delete(json);
    print_message("%s: %zu cases pass, %zu epochs followed; %zu cases of suites not here\n", name,
                  t->joined, t->epochs, t->skipped);
    assert_int_equal(t->joined + t->left_out, t->cases);
}

static void passive_welcomes_join(void **state)
{
    (void)state;
    tally t = {0};
    run_file("mls/passive-client-welcome.json", &t);
    assert_int_equal(t.cases, 56);
}

static void passive_clients_follow_commits(void **state)
{
    (void)state;
    tally t = {0};
    run_file("mls/passive-client-handling-commit.json", &t);
    assert_int_equal(t.cases, 91);
    assert_int_equal(t.epochs, 2 * t.joined);
}

static void a_passive_client_follows_two_hundred_epochs(void **state)
{
    (void)state;
    tally t = {0};
    run_file("mls/passive-client-random.json", &t);
    assert_int_equal(t.cases, 1);
    assert_int_equal(t.epochs, 200);
}

static void further_passive_cases_hold(void **state)
{
    (void)state;
    static const char *const names[] = {"mls-passive/welcome_join.json",
                                        "mls-passive/application.json",
                                        "mls-passive/commit.json",
                                        "mls-passive/external_join.json",
                                        "mls-passive/external_proposals.json",
                                        "mls-passive/branch.json",
                                        "mls-passive/reinit.json"};
    size_t sum = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        tally t = {0};
        run_file(names[i], &t);
        assert_int_equal(t.skipped, 0);
        sum += t.cases;
    }
    assert_int_equal(sum, 1204);
}

/* ---- public messages ---- */

/* A case of commit.json that is followed by a PublicMessage with a commit by value. */
static void with_public_commit(void (*check)(member *m, xmtp_bytes commit))
{
    cJSON *json = vectors_open("mls-passive/commit.json");
    const cJSON *one, *epoch;
    size_t count = 0;
    cJSON_ArrayForEach(one, json)
    {
        epoch = cJSON_GetArrayItem(vectors_field(one, "epochs"), 0);
        if (vectors_u32(one, "cipher_suite") != 3 || epoch == NULL ||
            cJSON_GetArraySize(vectors_field(epoch, "proposals")) > 0) {
            continue;
        }
        xmtp_bytes commit = vectors_bytes(epoch, "commit");
        if (commit.p[3] != XMTP_MLS_PUBLIC_MESSAGE) {
            continue;
        }
        world_env world;
        member m;
        world_env_init(&world, 3);
        member_init(&m, &world, "passive");
        assert_ok(&m, join(&m, one));
        check(&m, commit);
        member_free(&m);
        count++;
    }
    cJSON_Delete(json);
    assert_true(count > 0);
}

static void refuse_public(member *m, xmtp_bytes commit)
{
    m->config.private_messages_only = true;
    assert_ok(m, member_load(m));
    assert_int_equal(member_take(m, commit), XMTP_E_WIRE_FORMAT);
    m->config.private_messages_only = false;
    assert_ok(m, member_load(m));
    assert_int_equal(member_take(m, commit), XMTP_OK);
}

static void public_messages_are_refused_where_only_private_ones_are_wanted(void **state)
{
    (void)state;
    with_public_commit(refuse_public);
}

static void refuse_flipped(member *m, xmtp_bytes commit)
{
    blob copy = blob_copy(commit);
    size_t tags = 0;
    for (size_t i = 0; i < copy.n; i++) {
        copy.p[i] ^= (uint8_t)(1u << i % 8);
        xmtp_status status = member_take(m, blob_bytes(copy));
        assert_int_not_equal(status, XMTP_OK);
        tags += status == XMTP_E_MEMBERSHIP_TAG;
        copy.p[i] ^= (uint8_t)(1u << i % 8);
    }
    assert_true(tags > copy.n / 2);
    free(copy.p);
}

static void flipped_public_messages_are_refused(void **state)
{
    (void)state;
    with_public_commit(refuse_flipped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passive_welcomes_join),
        cmocka_unit_test(passive_clients_follow_commits),
        cmocka_unit_test(a_passive_client_follows_two_hundred_epochs),
        cmocka_unit_test(further_passive_cases_hold),
        cmocka_unit_test(public_messages_are_refused_where_only_private_ones_are_wanted),
        cmocka_unit_test(flipped_public_messages_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
