/* aead_openssl.c - AES-GCM (NIST SP 800-38D) by OpenSSL, with the CPU's instructions.
 *
 * The two ciphers are fetched once per process; a context is made per call. OpenSSL counts in int,
 * so long inputs go through it in pieces.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "crypto/crypto.h"

#include <openssl/evp.h>
#include <pthread.h>

enum { TAG_LEN = 16, NONCE_LEN = 12, PIECE_LEN = 1 << 30 };

/* SP 800-38D section 5.2.1.1: at most 2^39 - 256 bits under one nonce. */
#define AES_GCM_LEN_MAX ((UINT64_C(1) << 36) - 32)

static EVP_CIPHER *cipher_aes128;
static EVP_CIPHER *cipher_aes256;

static void fetch_ciphers(void)
{
    cipher_aes128 = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
    cipher_aes256 = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
}

static const EVP_CIPHER *cipher_for(size_t key_len)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, fetch_ciphers);
    return key_len == 16 ? cipher_aes128 : cipher_aes256;
}

/* Feeds in to the cipher; out NULL means in is associated data. */
static bool feed(EVP_CIPHER_CTX *context, uint8_t *out, xmtp_bytes in)
{
    for (size_t done = 0; done < in.n;) {
        size_t n = in.n - done < PIECE_LEN ? in.n - done : PIECE_LEN;
        int written = 0;
        uint8_t *to = out == NULL ? NULL : out + done;
        if (EVP_CipherUpdate(context, to, &written, in.p + done, (int)n) != 1) {
            return false;
        }
        done += n;
    }
    return true;
}

static xmtp_status gcm_seal(size_t key_len, const uint8_t *key, const uint8_t *nonce,
                            xmtp_bytes aad, xmtp_bytes plaintext, uint8_t *out)
{
    XMTP_ENSURE(plaintext.n <= AES_GCM_LEN_MAX, XMTP_E_LENGTH);
    const EVP_CIPHER *cipher = cipher_for(key_len);
    XMTP_ENSURE(cipher != NULL, XMTP_E_UNSUPPORTED);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    XMTP_ENSURE(context != NULL, XMTP_E_NOMEM);

    int written = 0;
    bool ok = EVP_EncryptInit_ex2(context, cipher, key, nonce, NULL) == 1 &&
              feed(context, NULL, aad) && feed(context, out, plaintext) &&
              EVP_EncryptFinal_ex(context, out + plaintext.n, &written) == 1 &&
              EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, out + plaintext.n) == 1;
    EVP_CIPHER_CTX_free(context);
    if (!ok) {
        xmtp_wipe(out, plaintext.n + TAG_LEN);
        return XMTP_E_CRYPTO;
    }
    return XMTP_OK;
}

static xmtp_status gcm_open(size_t key_len, const uint8_t *key, const uint8_t *nonce,
                            xmtp_bytes aad, xmtp_bytes ciphertext, uint8_t *out)
{
    XMTP_ENSURE(ciphertext.n >= TAG_LEN, XMTP_E_LENGTH);
    const EVP_CIPHER *cipher = cipher_for(key_len);
    XMTP_ENSURE(cipher != NULL, XMTP_E_UNSUPPORTED);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    XMTP_ENSURE(context != NULL, XMTP_E_NOMEM);

    xmtp_bytes body = xmtp_bytes_of(ciphertext.p, ciphertext.n - TAG_LEN);
    uint8_t tag[TAG_LEN]; /* copied first: out may be ciphertext.p */
    memcpy(tag, ciphertext.p + body.n, TAG_LEN);
    bool ready = EVP_DecryptInit_ex2(context, cipher, key, nonce, NULL) == 1 &&
                 EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) == 1 &&
                 feed(context, NULL, aad) && feed(context, out, body);
    uint8_t none[TAG_LEN]; /* GCM has no last block */
    int written = 0;
    bool is_genuine = ready && EVP_DecryptFinal_ex(context, none, &written) == 1;
    EVP_CIPHER_CTX_free(context);
    if (!is_genuine) {
        xmtp_wipe(out, body.n);
        return ready ? XMTP_E_AUTH : XMTP_E_CRYPTO;
    }
    return XMTP_OK;
}

static xmtp_status aes128_seal(const uint8_t *key, const uint8_t *nonce, xmtp_bytes aad,
                               xmtp_bytes plaintext, uint8_t *out)
{
    return gcm_seal(16, key, nonce, aad, plaintext, out);
}

static xmtp_status aes128_open(const uint8_t *key, const uint8_t *nonce, xmtp_bytes aad,
                               xmtp_bytes ciphertext, uint8_t *out)
{
    return gcm_open(16, key, nonce, aad, ciphertext, out);
}

static xmtp_status aes256_seal(const uint8_t *key, const uint8_t *nonce, xmtp_bytes aad,
                               xmtp_bytes plaintext, uint8_t *out)
{
    return gcm_seal(32, key, nonce, aad, plaintext, out);
}

static xmtp_status aes256_open(const uint8_t *key, const uint8_t *nonce, xmtp_bytes aad,
                               xmtp_bytes ciphertext, uint8_t *out)
{
    return gcm_open(32, key, nonce, aad, ciphertext, out);
}

const xmtp_aead xmtp_aead_aes128gcm = {
    .name = "AES-128-GCM",
    .id = 0x0001,
    .key_len = 16,
    .nonce_len = NONCE_LEN,
    .tag_len = TAG_LEN,
    .seal = aes128_seal,
    .open = aes128_open,
};

const xmtp_aead xmtp_aead_aes256gcm = {
    .name = "AES-256-GCM",
    .id = 0x0002,
    .key_len = 32,
    .nonce_len = NONCE_LEN,
    .tag_len = TAG_LEN,
    .seal = aes256_seal,
    .open = aes256_open,
};
