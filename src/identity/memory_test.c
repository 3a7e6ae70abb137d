/* memory_test.c - every allocation of every building function fails once: the answer is
 * XMTP_E_NOMEM, outputs stay empty, and nothing is lost (the sanitizer counts).
 */
#include "crypto/crypto.h"
#include "identity/test_support.h"
#include "identity/update.h"
#include "identity/welcome.h"

static const char inbox[] = "f2dc4b90b67487658e6fc1d4759c148fac797ea24fadee18c9d511787e04ea1a";

/* ---- memory that fails at the n-th allocation */

typedef struct meagre {
    size_t allocations;
    size_t fail_at;
} meagre;

static void *meagre_reallocate(void *context, void *p, size_t n)
{
    meagre *m = context;
    if (n > 0 && m->allocations++ == m->fail_at) {
        return NULL;
    }
    return heap()->reallocate(heap()->context, p, n);
}

static meagre memory;

static const xmtp_env *meagre_env(void)
{
    static xmtp_env env;
    env = *xmtp_env_system();
    env.alloc = (xmtp_alloc){.context = &memory, .reallocate = meagre_reallocate};
    return &env;
}

static void free_bytes(uint8_t *p)
{
    (void)heap()->reallocate(heap()->context, p, 0);
}

/* Runs attempt with the first, second, ... allocation failing until it succeeds. */
static void every_allocation_fails(xmtp_status (*attempt)(const xmtp_env *env))
{
    const xmtp_env *env = meagre_env();
    for (size_t n = 0; n < 1000; n++) {
        memory = (meagre){.fail_at = n};
        xmtp_status status = attempt(env);
        if (status == XMTP_OK) {
            assert_true(n > 0);
            return;
        }
        assert_string_equal(xmtp_status_name(status), "E_NOMEM");
    }
    fail_msg("never succeeded");
}

/* ---- what is attempted */

static xmtp_status attempt_registration(const xmtp_env *env)
{
    char id[XMTP_INBOX_ID_LEN + 1];
    uint8_t *p;
    size_t n;
    xmtp_status status =
        xmtp_identity_update_register(&env->alloc, by_wallet(wallet_of(wallet_0_key)), 1,
                                      installation_of(1), 1, id, &p, &n, NULL);
    assert_int_equal(p == NULL, status != XMTP_OK);
    free_bytes(p);
    return status;
}

static void building_an_update(void **state)
{
    (void)state;
    every_allocation_fails(attempt_registration);
}

static xmtp_status attempt_key_package(const xmtp_env *env)
{
    xmtp_inbox_key_package_keys keys;
    uint8_t *p;
    size_t n;
    xmtp_status status =
        xmtp_inbox_key_package_create(env, inbox, installation_of(1), &p, &n, &keys, NULL);
    assert_int_equal(p == NULL, status != XMTP_OK);
    if (status == XMTP_OK) {
        xmtp_inbox_key_package_candidate one = {.key_package = xmtp_bytes_of(p, n)};
        status = xmtp_inbox_key_packages_admit(env, &one, 1, 0);
        status = status == XMTP_OK ? one.status : status;
        assert_int_equal(one.verified == NULL, status != XMTP_OK);
        xmtp_mls_verified_key_package_free(one.verified);
    }
    free_bytes(p);
    return status;
}

static void making_and_judging_a_key_package(void **state)
{
    (void)state;
    every_allocation_fails(attempt_key_package);
}

static xmtp_status attempt_welcome(const xmtp_env *env)
{
    uint8_t sk[32] = {5};
    uint8_t pk[32];
    ok(xmtp_kem_x25519.public_key(sk, pk));
    xmtp_welcome_sealed sealed;
    xmtp_welcome_opened opened = {0};
    const xmtp_unwrap_key key = {.algorithm = XMTP_WRAPPER_CURVE25519, .sk = sk};
    xmtp_status status = xmtp_welcome_seal(env, XMTP_WRAPPER_CURVE25519, xmtp_bytes_of(pk, 32),
                                           hex("0001"), 7, &sealed, NULL);
    assert_int_equal(sealed.data == NULL, status != XMTP_OK);
    if (status == XMTP_OK) {
        status =
            xmtp_welcome_open(&env->alloc, &key, xmtp_bytes_of(sealed.data, sealed.data_len),
                              xmtp_bytes_of(sealed.metadata, sealed.metadata_len), &opened, NULL);
    }
    assert_int_equal(opened.welcome == NULL, status != XMTP_OK);
    xmtp_welcome_opened_free(&opened);
    xmtp_welcome_sealed_free(&sealed);
    return status;
}

static void sealing_and_opening_a_welcome(void **state)
{
    (void)state;
    every_allocation_fails(attempt_welcome);
}

static xmtp_status attempt_pointer(const xmtp_env *env)
{
    uint8_t seed[32] = {5};
    uint8_t pk[XMTP_XWING_PK_LEN];
    ok(xmtp_kem_xwing_004d.public_key(seed, pk));
    xmtp_welcome_pointer made;
    xmtp_welcome_pointer read;
    uint8_t wrapped[1][XMTP_WELCOME_POINTER_LEN];
    const xmtp_bytes public_key = xmtp_bytes_of(pk, sizeof pk);
    ok(xmtp_welcome_pointer_generate(env, &made));
    xmtp_pointers_sealing *sealing;
    xmtp_status status = xmtp_welcome_pointers_begin(env, &made, &public_key, 1, &sealing);
    if (status == XMTP_OK) {
        ok(xmtp_welcome_pointers_finish(sealing, NULL));
        memcpy(wrapped[0], xmtp_welcome_pointer_at(sealing, 0).p, sizeof wrapped[0]);
        xmtp_welcome_pointers_free(sealing);
    }
    xmtp_expanded_key *expanded = NULL;
    if (status == XMTP_OK) {
        status = xmtp_expanded_key_new(&expanded, &env->alloc, seed);
    }
    const xmtp_bytes sealed = xmtp_bytes_of(wrapped[0], sizeof wrapped[0]);
    if (status == XMTP_OK) {
        status = xmtp_expanded_key_go_ahead(expanded, &sealed, 1);
    }
    if (status == XMTP_OK) {
        const xmtp_unwrap_key key = {
            .algorithm = XMTP_WRAPPER_XWING, .sk = seed, .expanded = expanded};
        status = xmtp_welcome_pointer_open(&env->alloc, &key, sealed, &read, NULL);
    }
    xmtp_expanded_key_free(expanded);
    return status;
}

static xmtp_status attempt_pointee(const xmtp_env *env)
{
    const xmtp_welcome_pointer pointer = {.key = {1}, .metadata_nonce = {2}};
    xmtp_welcome_sealed sealed;
    xmtp_welcome_opened opened = {0};
    xmtp_status status = xmtp_welcome_pointee_seal(env, &pointer, hex("0001"), 7, &sealed);
    if (status == XMTP_OK) {
        status = xmtp_welcome_pointee_open(
            &env->alloc, &pointer, xmtp_bytes_of(sealed.data, sealed.data_len),
            xmtp_bytes_of(sealed.metadata, sealed.metadata_len), &opened, NULL);
    }
    xmtp_welcome_opened_free(&opened);
    xmtp_welcome_sealed_free(&sealed);
    return status;
}

static void sealing_and_opening_a_pointer_and_its_pointee(void **state)
{
    (void)state;
    every_allocation_fails(attempt_pointer);
    every_allocation_fails(attempt_pointee);
}

static xmtp_status attempt_copies(const xmtp_env *env)
{
    const xmtp_wallet *wallet = wallet_of(wallet_0_key);
    char id[XMTP_INBOX_ID_LEN + 1];
    ok(xmtp_inbox_id_of_address(wallet->address, 1, id, NULL));
    const deed create = {.kind = XMTP_ACTION_CREATE_INBOX,
                         .subject = id_of(wallet),
                         .nonce = 1,
                         .by = wallet_hand(wallet)};
    xmtp_bytes update = update_of(id, 1, &create, 1);
    xmtp_association *s = NULL;
    xmtp_association *copy = NULL;
    xmtp_association *decoded = NULL;
    uint8_t *p = NULL;
    size_t n = 0;
    xmtp_status status = xmtp_association_new(&s, &env->alloc);
    if (status == XMTP_OK) {
        status = xmtp_association_apply(s, update, NULL, 0, NULL);
    }
    if (status == XMTP_OK) {
        status = xmtp_association_copy(s, &copy);
    }
    if (status == XMTP_OK) {
        status = xmtp_association_encode(copy, &p, &n);
    }
    if (status == XMTP_OK) {
        status = xmtp_association_decode(&decoded, &env->alloc, xmtp_bytes_of(p, n));
    }
    free_bytes(p);
    xmtp_association_free(decoded);
    xmtp_association_free(copy);
    xmtp_association_free(s);
    return status;
}

static void folding_copying_and_storing_a_state(void **state)
{
    (void)state;
    every_allocation_fails(attempt_copies);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(building_an_update),
        TEST(making_and_judging_a_key_package),
        TEST(sealing_and_opening_a_welcome),
        TEST(sealing_and_opening_a_pointer_and_its_pointee),
        TEST(folding_copying_and_storing_a_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
