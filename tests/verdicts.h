/* verdicts.h - Ed25519 signatures that were good once are not computed again: for simulations, in which
 * dozens of devices of one process check the same signature of the same bytes by the same key.
 *
 *     xmtp_signature_ed25519 --> libsodium     with xmtp_wrap: --> this --> libsodium
 *
 * A verdict depends on nothing but its input, so what the devices do and see stays the same to the byte.
 * Remembered by BLAKE2b of all of it; what was refused is computed each time.
 */
#ifndef XMTP_TESTS_VERDICTS_H
#define XMTP_TESTS_VERDICTS_H

#include <pthread.h>
#include <sodium.h>
#include <string.h>

enum { VERDICTS = 1 << 17, VERDICT_LEN = 32 };

static struct {
    pthread_mutex_t lock; /* the node has a thread */
    unsigned char good[VERDICTS][VERDICT_LEN];
} verdicts = {.lock = PTHREAD_MUTEX_INITIALIZER};

int __real_crypto_sign_ed25519_verify_detached(const unsigned char *signature,
                                               const unsigned char *message,
                                               unsigned long long message_len,
                                               const unsigned char *pk);
int __wrap_crypto_sign_ed25519_verify_detached(const unsigned char *signature,
                                               const unsigned char *message,
                                               unsigned long long message_len,
                                               const unsigned char *pk);

static void verdict_name(unsigned char out[VERDICT_LEN], const unsigned char *signature,
                         const unsigned char *message, unsigned long long message_len,
                         const unsigned char *pk)
{
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, NULL, 0, VERDICT_LEN);
    (void)crypto_generichash_update(&state, signature, crypto_sign_ed25519_BYTES);
    (void)crypto_generichash_update(&state, pk, crypto_sign_ed25519_PUBLICKEYBYTES);
    (void)crypto_generichash_update(&state, message, message_len);
    (void)crypto_generichash_final(&state, out, VERDICT_LEN);
}

int __wrap_crypto_sign_ed25519_verify_detached(const unsigned char *signature,
                                               const unsigned char *message,
                                               unsigned long long message_len,
                                               const unsigned char *pk)
{
    unsigned char name[VERDICT_LEN];
    verdict_name(name, signature, message, message_len, pk);
    unsigned char *slot = verdicts.good[(name[0] | name[1] << 8 | name[2] << 16) % VERDICTS];
    (void)pthread_mutex_lock(&verdicts.lock);
    int failed = 0;
    if (memcmp(slot, name, VERDICT_LEN) != 0) {
        failed = __real_crypto_sign_ed25519_verify_detached(signature, message, message_len, pk);
        if (failed == 0) {
            memcpy(slot, name, VERDICT_LEN);
        }
    }
    (void)pthread_mutex_unlock(&verdicts.lock);
    return failed;
}

#endif
