/* threads_test.c - every engine used for the first time by many threads at once.
 *
 * The engines prepare themselves on first use. Under the thread sanitizer this shows that they do
 * it safely; without it, at least that all threads get the same answers.
 */
#include "crypto/test_hex.h"

#include <pthread.h>

enum { THREAD_COUNT = 8, OUT_LEN = 43 + 65 + 64 + 64 + 48 + 48 + 1120 + 32 };

typedef struct worker {
    pthread_t thread;
    uint8_t out[OUT_LEN];
    xmtp_status statuses[7];
} worker;

static pthread_barrier_t start;

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
