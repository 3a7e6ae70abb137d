/* ed25519_sign.c - signing by the text of RFC 8032 section 5.1, over libsodium's constant-time scalars.
 *
 *     s, prefix = halves of SHA-512(sk), s clamped      A = sB
 *     r = SHA-512(dom || prefix || message)             R = rB
 *     k = SHA-512(dom || R || A || message)             S = r + ks      signature = R || S
 *
 * Secrets go through SHA-512, crypto_core_ed25519_scalar_* and the base-point multiplication, all
 * without secret branches or addresses.
 *
 * r comes from sk and the message alone. Of two signatures of one message, one by a processor that
 * computed wrongly, s can be computed. That is not defended against, here or in libsodium.
 */
#include "crypto/ed25519_sign.h"

#include "base/bytes.h"
#include "base/status.h"
#include "crypto/crypto.h"
#include "crypto/ed25519_base.h"
#include "crypto/sodium_ready.h"

#include <sodium.h>

enum { SCALAR_LEN = 32, POINT_LEN = 32, PREFIX_LEN = 32 };

void xmtp_ed25519_scalar(xmtp_bytes dom, xmtp_bytes a, xmtp_bytes b, xmtp_bytes message,
                         uint8_t scalar[SCALAR_LEN])
{
    const xmtp_hash *sha512 = &xmtp_hash_sha512;
    xmtp_hash_context c;
    uint8_t wide[64];
    sha512->init(&c);
    sha512->update(&c, dom.p, dom.n);
    sha512->update(&c, a.p, a.n);
    sha512->update(&c, b.p, b.n);
    sha512->update(&c, message.p, message.n);
    sha512->final(&c, wide);
    crypto_core_ed25519_scalar_reduce(scalar, wide);
    xmtp_wipe(wide, sizeof wide);
}

/* s is reduced, which changes no product with a point of prime order. */
static void expand(const uint8_t sk[32], uint8_t s[SCALAR_LEN], uint8_t prefix[PREFIX_LEN])
{
    uint8_t h[64];
    xmtp_hash_of(&xmtp_hash_sha512, xmtp_bytes_of(sk, 32), h);
    memcpy(prefix, h + SCALAR_LEN, PREFIX_LEN);
    h[0] &= 248;
    h[31] &= 127;
    h[31] |= 64;
    memset(h + SCALAR_LEN, 0, sizeof h - SCALAR_LEN);
    crypto_core_ed25519_scalar_reduce(s, h);
    xmtp_wipe(h, sizeof h);
}

void xmtp_ed25519_public_key(const uint8_t sk[32], uint8_t pk[POINT_LEN])
{
    uint8_t s[SCALAR_LEN];
    uint8_t prefix[PREFIX_LEN];
    xmtp_sodium_ready();
    expand(sk, s, prefix);
    (void)xmtp_ed25519_base(s, pk); /* a clamped s is 8 times a number below the order, not 0 */
    xmtp_wipe(s, sizeof s);
    xmtp_wipe(prefix, sizeof prefix);
}

xmtp_status xmtp_ed25519_sign(xmtp_bytes dom, const uint8_t sk[32], const uint8_t pk[POINT_LEN],
                              xmtp_bytes message, uint8_t signature[POINT_LEN + SCALAR_LEN])
{
    uint8_t s[SCALAR_LEN];
    uint8_t prefix[PREFIX_LEN];
    uint8_t r[SCALAR_LEN];
    uint8_t k[SCALAR_LEN];
    xmtp_sodium_ready();
    expand(sk, s, prefix);
    xmtp_ed25519_scalar(dom, xmtp_bytes_of(prefix, PREFIX_LEN), xmtp_bytes_of(NULL, 0), message, r);

    xmtp_status status = XMTP_E_CRYPTO;
    if (xmtp_ed25519_base(r, signature)) {
        xmtp_ed25519_scalar(dom, xmtp_bytes_of(signature, POINT_LEN), xmtp_bytes_of(pk, POINT_LEN),
                            message, k);
        crypto_core_ed25519_scalar_mul(k, k, s);
        crypto_core_ed25519_scalar_add(signature + POINT_LEN, k, r);
        status = XMTP_OK;
    }
    xmtp_wipe(s, sizeof s);
    xmtp_wipe(prefix, sizeof prefix);
    xmtp_wipe(r, sizeof r);
    xmtp_wipe(k, sizeof k);
    return status;
}
