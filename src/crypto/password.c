/* password.c - a passphrase becomes a key: Argon2id (RFC 9106) by libsodium. */
#include "crypto/crypto.h"
#include "crypto/sodium_ready.h"

#include <assert.h>
#include <sodium.h>

enum { PASSES = 3, MEMORY = 64 * 1024 * 1024 };

static_assert((int)XMTP_PASSWORD_SALT_LEN == (int)crypto_pwhash_argon2id_SALTBYTES, "salt");

xmtp_status xmtp_password_key(xmtp_bytes passphrase, const uint8_t salt[XMTP_PASSWORD_SALT_LEN],
                              uint8_t *out, size_t out_len)
{
    xmtp_sodium_ready();
    int code = crypto_pwhash_argon2id(out, out_len, (const char *)passphrase.p, passphrase.n, salt,
                                      PASSES, MEMORY, crypto_pwhash_argon2id_ALG_ARGON2ID13);
    return code == 0 ? XMTP_OK : XMTP_E_NOMEM;
}
