/* threads_test.c - every engine used for the first time by many threads at once.
 *
 * The engines prepare themselves on first use. Under the thread sanitizer this shows that they do
 * it safely; without it, at least that all threads get the same answers.
 */
#include "crypto/test_hex.h"

#include <pthread.h>

enum { THREAD_COUNT = 8, OUT_LEN = 43 + 65 + 64 + 64 + 48 + 48 + 1120 + 32 };
enum { SUITE_COUNT = 7 };

typedef struct worker {
    pthread_t thread;
    uint8_t out[OUT_LEN];
    xmtp_status statuses[7];
    xmtp_status suites[SUITE_COUNT];
    uint8_t enc[SUITE_COUNT][133];
    uint8_t ss[SUITE_COUNT][64];
    uint8_t signatures[SUITE_COUNT][XMTP_SIGNATURE_MAX];
} worker;

static pthread_barrier_t start;

/* Key pair, encapsulation, signature and its verification. */
static xmtp_status use_suite(const xmtp_suite *suite, uint8_t *enc, uint8_t *ss, uint8_t *signature)
{
    const xmtp_bytes message = xmtp_bytes_of_string("message");
    const uint8_t seed[XMTP_KEM_SEED_MAX] = {3};
    const uint8_t signature_sk[XMTP_SIGNATURE_SK_MAX] = {0, 4};
    uint8_t sk[XMTP_KEM_SK_MAX];
    uint8_t pk[XMTP_KEM_PK_MAX];
    size_t n = 0;
    XMTP_TRY(suite->kem->derive_key_pair(message, sk, pk));
    XMTP_TRY(suite->kem->encap(pk, seed, enc, ss));
    XMTP_TRY(suite->signature->public_key(signature_sk, pk));
    XMTP_TRY(suite->signature->sign(signature_sk, pk, message, signature, &n));
    return suite->signature->verify(xmtp_bytes_of(pk, suite->signature->pk_len), message,
                                    xmtp_bytes_of(signature, n));
}

static void *use_everything(void *argument)
{
    worker *w = argument;
    const uint8_t sk[32] = {1};
    const uint8_t seed[64] = {2};
    const xmtp_bytes message = xmtp_bytes_of_string("the same 32 bytes for every one.");
    const xmtp_bytes none = {.p = NULL, .n = 0};
    uint8_t *out = w->out;
    uint8_t pk[XMTP_KEM_PK_MAX];
    size_t n = 0;
    (void)pthread_barrier_wait(&start);
    for (uint16_t i = 0; i < SUITE_COUNT; i++) {
        const xmtp_suite *suite = xmtp_suite_by_id((uint16_t)(i + 1));
        w->suites[i] = use_suite(suite, w->enc[i], w->ss[i], w->signatures[i]);
    }
    w->statuses[0] = xmtp_secp256k1_address(sk, (char *)out);
    w->statuses[1] = xmtp_secp256k1_sign(sk, message.p, out + 43);
    w->statuses[2] = xmtp_signature_ed25519.public_key(sk, pk);
    w->statuses[3] = xmtp_signature_ed25519.sign(sk, pk, message, out + 43 + 65, &n);
    w->statuses[4] = xmtp_ed25519ph_sign(sk, pk, none, message, out + 43 + 65 + 64);
    out += 43 + 65 + 64 + 64;
    w->statuses[5] = xmtp_aead_aes256gcm.seal(sk, seed, none, message, out);
    w->statuses[6] = xmtp_aead_chacha20poly1305.seal(sk, seed, none, message, out + 48);
    out += 96;
    if (xmtp_kem_xwing_004d.public_key(sk, pk) == XMTP_OK) {
        w->statuses[6] |= xmtp_kem_xwing_004d.encap(pk, seed, out, out + 1120);
    }
    return NULL;
}

static void all_threads_get_the_same_answers_at_first_use(void **state)
{
    (void)state;
    static worker workers[THREAD_COUNT];
    assert_int_equal(pthread_barrier_init(&start, NULL, THREAD_COUNT), 0);
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        assert_int_equal(pthread_create(&workers[i].thread, NULL, use_everything, &workers[i]), 0);
    }
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
    }
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        assert_memory_equal(workers[i].out, workers[0].out, OUT_LEN);
        for (size_t j = 0; j < 7; j++) {
            assert_int_equal(workers[i].statuses[j], XMTP_OK);
        }
        for (size_t j = 0; j < SUITE_COUNT; j++) {
            assert_int_equal(workers[i].suites[j], XMTP_OK);
        }
        assert_memory_equal(workers[i].enc, workers[0].enc, sizeof workers[0].enc);
        assert_memory_equal(workers[i].ss, workers[0].ss, sizeof workers[0].ss);
        assert_memory_equal(workers[i].signatures, workers[0].signatures,
                            sizeof workers[0].signatures);
    }
    (void)pthread_barrier_destroy(&start);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_threads_get_the_same_answers_at_first_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
