/* page_crypto.c - see page_crypto.h.
 *
 * A codec of SQLCipher copies the provider when it is made, which is in sqlite3_key. So ours stands in
 * its place only during that call, and the provider that it stands in for does whatever is asked for in
 * another form than pages of ours have.
 */
#include "store/page_crypto.h"

#include "base/bytes.h"
#include "crypto/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_LEN = 32,
    ALGORITHM_HMAC_SHA256 = 1, /* SQLCIPHER_HMAC_SHA256 */
    RANDOM_LEN = 960,          /* 20 pages, at 48 bytes each */
    DECRYPT = 0,
    ENCRYPT = 1,
};

typedef int (*random_function)(void *context, void *out, int n);
typedef int (*hmac_function)(void *context, int algorithm, unsigned char *key, int key_len,
                             unsigned char *a, int a_len, unsigned char *b, int b_len,
                             unsigned char *out);
typedef int (*cipher_function)(void *context, int mode, unsigned char *key, int key_len,
                               unsigned char *iv, unsigned char *in, int n, unsigned char *out);
typedef void (*other_function)(void);

/* sqlcipher_provider as versions 4.5 and 4.6 have it (sqlcipher.h, which is not installed). */
typedef struct provider {
    other_function activate, deactivate;
    const char *(*name)(void *context);
    other_function add_random;
    random_function random;
    hmac_function hmac;
    other_function kdf;
    cipher_function cipher;
    other_function cipher_name, key_size, iv_size, block_size, hmac_size;
    int (*context_new)(void **context);
    int (*context_free)(void **context);
    other_function fips, version;
} provider;

/* Not there in a SQLCipher that does not show them. */
extern provider *sqlcipher_get_provider(void) __attribute__((weak));
extern char *sqlcipher_version(void) __attribute__((weak));

/* Held while a key is set, which is when providers change places. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static provider own; /* SQLCipher's */

/* What a codec keeps. */
typedef struct page_crypto {
    provider own;
    void *own_context;
    EVP_CIPHER_CTX *cipher[2]; /* by mode */
    uint8_t cipher_key[2][KEY_LEN];
    bool has_cipher_key[2];
    xmtp_hmac mac; /* has taken mac_key */
    uint8_t mac_key[KEY_LEN];
    bool has_mac_key;
    uint8_t random[RANDOM_LEN]; /* the first random_left of them are unused */
    size_t random_left;
} page_crypto;

static const char *page_provider_name(void *context)
{
    (void)context;
    return XMTP_PAGE_CRYPTO_NAME;
}

static int page_random(void *context, void *out, int n)
{
    page_crypto *c = context;
    if (n < 0 || n > RANDOM_LEN) {
        return c->own.random(c->own_context, out, n);
    }
    if (c->random_left < (size_t)n) {
        if (RAND_bytes(c->random, RANDOM_LEN) != 1) {
            return SQLITE_ERROR;
        }
        c->random_left = RANDOM_LEN;
    }
    c->random_left -= (size_t)n;
    memcpy(out, c->random + c->random_left, (size_t)n);
    xmtp_wipe(c->random + c->random_left, (size_t)n);
    return SQLITE_OK;
}

static bool is_key(const uint8_t kept[KEY_LEN], bool has_kept, const unsigned char *key)
{
    return has_kept && CRYPTO_memcmp(kept, key, KEY_LEN) == 0;
}

/* The state of the MAC once it has taken the key. */
static xmtp_hmac keyed_mac(page_crypto *c, const unsigned char *key)
{
    if (!is_key(c->mac_key, c->has_mac_key, key)) {
        xmtp_hmac_init(&c->mac, &xmtp_hash_sha256, xmtp_bytes_of(key, KEY_LEN));
        memcpy(c->mac_key, key, KEY_LEN);
        c->has_mac_key = true;
    }
    return c->mac;
}

static int page_hmac(void *context, int algorithm, unsigned char *key, int key_len,
                     unsigned char *a, int a_len, unsigned char *b, int b_len, unsigned char *out)
{
    page_crypto *c = context;
    if (algorithm != ALGORITHM_HMAC_SHA256 || key_len != KEY_LEN || a == NULL || a_len < 0 ||
        b_len < 0) {
        return c->own.hmac(c->own_context, algorithm, key, key_len, a, a_len, b, b_len, out);
    }
    xmtp_hmac mac = keyed_mac(c, key);
    xmtp_hmac_update(&mac, xmtp_bytes_of(a, (size_t)a_len));
    if (b != NULL) {
        xmtp_hmac_update(&mac, xmtp_bytes_of(b, (size_t)b_len));
    }
    xmtp_hmac_final(&mac, out);
    return SQLITE_OK;
}

static bool start_cipher(page_crypto *c, int mode, const unsigned char *key,
                         const unsigned char *iv)
{
    EVP_CIPHER_CTX *cipher = c->cipher[mode];
    if (is_key(c->cipher_key[mode], c->has_cipher_key[mode], key)) {
        return EVP_CipherInit_ex(cipher, NULL, NULL, NULL, iv, mode) == 1;
    }
    c->has_cipher_key[mode] =
        EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key, iv, mode) == 1 &&
        EVP_CIPHER_CTX_set_padding(cipher, 0) == 1;
    memcpy(c->cipher_key[mode], key, KEY_LEN);
    return c->has_cipher_key[mode];
}

static int page_cipher(void *context, int mode, unsigned char *key, int key_len, unsigned char *iv,
                       unsigned char *in, int n, unsigned char *out)
{
    page_crypto *c = context;
    if ((mode != ENCRYPT && mode != DECRYPT) || key_len != KEY_LEN) {
        return c->own.cipher(c->own_context, mode, key, key_len, iv, in, n, out);
    }
    int done = 0;
    int rest = 0;
    bool is_made = start_cipher(c, mode, key, iv) &&
                   EVP_CipherUpdate(c->cipher[mode], out, &done, in, n) == 1 &&
                   EVP_CipherFinal_ex(c->cipher[mode], out + done, &rest) == 1;
    return is_made && done + rest == n ? SQLITE_OK : SQLITE_ERROR;
}

static void page_crypto_free(page_crypto *c)
{
    EVP_CIPHER_CTX_free(c->cipher[DECRYPT]);
    EVP_CIPHER_CTX_free(c->cipher[ENCRYPT]);
    xmtp_wipe(c, sizeof(*c));
    free(c);
}

static bool make_contexts(page_crypto *c)
{
    c->cipher[DECRYPT] = EVP_CIPHER_CTX_new();
    c->cipher[ENCRYPT] = EVP_CIPHER_CTX_new();
    return c->cipher[DECRYPT] != NULL && c->cipher[ENCRYPT] != NULL;
}

/* Called by sqlite3_key, under the lock. */
static int page_context_new(void **context)
{
    page_crypto *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return SQLITE_NOMEM;
    }
    c->own = own;
    int code = make_contexts(c) ? c->own.context_new(&c->own_context) : SQLITE_NOMEM;
    if (code != SQLITE_OK) {
        page_crypto_free(c);
        return code;
    }
    *context = c;
    return SQLITE_OK;
}

static int page_context_free(void **context)
{
    page_crypto *c = *context;
    *context = NULL;
    if (c == NULL) {
        return SQLITE_OK;
    }
    int code = c->own.context_free(&c->own_context);
    page_crypto_free(c);
    return code;
}

static bool is_known_version(void)
{
    char *version = sqlcipher_version == NULL ? NULL : sqlcipher_version();
    bool is_known =
        version != NULL && (strncmp(version, "4.5.", 4) == 0 || strncmp(version, "4.6.", 4) == 0);
    sqlite3_free(version);
    return is_known;
}

/* NULL: pages stay with SQLCipher. */
static provider *find_provider(void)
{
    bool is_known = sqlcipher_get_provider != NULL && is_known_version();
    provider *p = is_known ? sqlcipher_get_provider() : NULL;
    return p != NULL && strcmp(p->name(NULL), "openssl") == 0 ? p : NULL;
}

/* The first key starts SQLCipher when nobody has, and holds it while its provider is ours; the second
 * one, nothing being read yet, replaces the first. */
static int key_twice(sqlite3 *handle, const void *key, int key_len)
{
    int code = sqlite3_key(handle, key, key_len);
    provider *p = code == SQLITE_OK ? find_provider() : NULL;
    if (p == NULL) {
        return code;
    }
    own = *p;
    p->name = page_provider_name;
    p->random = page_random;
    p->hmac = page_hmac;
    p->cipher = page_cipher;
    p->context_new = page_context_new;
    p->context_free = page_context_free;
    code = sqlite3_key(handle, key, key_len);
    *p = own;
    return code;
}

int xmtp_page_crypto_key(sqlite3 *handle, const void *key, int key_len)
{
    (void)pthread_mutex_lock(&lock);
    int code = key_twice(handle, key, key_len);
    (void)pthread_mutex_unlock(&lock);
    return code;
}
