/* signature_ed25519ph.c - Ed25519ph of RFC 8032 section 5.1 with a context, which libsodium's has not.
 *
 *     dom2 = "SigEd25519 no Ed25519 collisions" || 1 || length of context || context
 *     PH   = SHA-512(message)
 *
 * Signing is ed25519_sign.h's. Verifying is public and cofactorless: R must be the encoding of
 * SB - kA with k = SHA-512(dom2 || R || A || PH).
 */
#include "base/bytes.h"
#include "base/status.h"
#include "crypto/crypto.h"
#include "crypto/ed25519_base.h"
#include "crypto/ed25519_many.h"
#include "crypto/ed25519_sign.h"
#include "crypto/sodium_ready.h"

#include <sodium.h>

enum { SCALAR_LEN = 32, POINT_LEN = 32, PH_LEN = 64, CONTEXT_MAX = 255 };

static const char dom2_start[] = "SigEd25519 no Ed25519 collisions";

typedef struct dom2 {
    uint8_t p[sizeof dom2_start - 1 + 2 + CONTEXT_MAX];
    size_t n;
} dom2;

static dom2 dom2_of(xmtp_bytes context)
{
    dom2 dom;
    uint8_t *end = dom.p + sizeof dom2_start - 1;
    memcpy(dom.p, dom2_start, sizeof dom2_start - 1);
    *end++ = 1;
    *end++ = (uint8_t)context.n;
    if (context.n > 0) {
        memcpy(end, context.p, context.n);
    }
    dom.n = (size_t)(end - dom.p) + context.n;
    return dom;
}

xmtp_status xmtp_ed25519ph_sign(const uint8_t sk[32], const uint8_t pk[32], xmtp_bytes context,
                                xmtp_bytes message, uint8_t signature[64])
{
    XMTP_ENSURE(context.n <= CONTEXT_MAX, XMTP_E_LENGTH);
    const dom2 dom = dom2_of(context);
    uint8_t ph[PH_LEN];
    xmtp_hash_of(&xmtp_hash_sha512, message, ph);
    return xmtp_ed25519_sign(xmtp_bytes_of(dom.p, dom.n), sk, pk, xmtp_bytes_of(ph, PH_LEN),
                             signature);
}

/* ---- verifying: public values only from here */

static const uint8_t neutral[POINT_LEN] = {1};

/* A point of the curve, small orders included: adding nothing to it succeeds. */
static bool is_point(const uint8_t p[POINT_LEN])
{
    uint8_t sum[POINT_LEN];
    return crypto_core_ed25519_add(sum, p, neutral) == 0;
}

/* Multiplication in the prime-order group. libsodium reports the neutral product as failure; for
 * the points given here that happens only when k or the point is neutral. */
static void multiply_prime(uint8_t out[POINT_LEN], const uint8_t k[SCALAR_LEN],
                           const uint8_t p[POINT_LEN])
{
    if (crypto_scalarmult_ed25519_noclamp(out, k, p) != 0) {
        memcpy(out, neutral, POINT_LEN);
    }
}

/* kA for the keys that libsodium's multiplication refuses: not in the prime-order group, or not in
 * their shortest encoding. No honest signer has one; the verdict must be that of the network all
 * the same. A = P + T with P of prime order and T of an order that divides 8:
 *
 *     P = (1/8)(8A)      T = A - P      kA = kP + (k mod 8)T
 */
static xmtp_status multiply_any(uint8_t out[POINT_LEN], const uint8_t k[SCALAR_LEN],
                                const uint8_t a[POINT_LEN])
{
    static const uint8_t inverse_of_8[SCALAR_LEN] = {
        0x79, 0x2f, 0xdc, 0xe2, 0x29, 0xe5, 0x06, 0x61, 0xd0, 0xda, 0x1c,
        0x7d, 0xb3, 0x9d, 0xd3, 0x07, 0,    0,    0,    0,    0,    0,
        0,    0,    0,    0,    0,    0,    0,    0,    0,    0x06};
    uint8_t eightfold[POINT_LEN];
    uint8_t prime[POINT_LEN];
    uint8_t torsion[POINT_LEN];
    memcpy(eightfold, a, POINT_LEN);
    for (size_t i = 0; i < 3; i++) {
        XMTP_ENSURE(crypto_core_ed25519_add(eightfold, eightfold, eightfold) == 0, XMTP_E_KEY);
    }
    multiply_prime(prime, inverse_of_8, eightfold);
    XMTP_ENSURE(crypto_core_ed25519_sub(torsion, a, prime) == 0, XMTP_E_KEY);
    multiply_prime(out, k, prime);
    for (size_t i = 0; i < (size_t)(k[0] & 7); i++) {
        XMTP_ENSURE(crypto_core_ed25519_add(out, out, torsion) == 0, XMTP_E_KEY);
    }
    return XMTP_OK;
}

static xmtp_status multiply(uint8_t out[POINT_LEN], const uint8_t k[SCALAR_LEN],
                            const uint8_t a[POINT_LEN])
{
    if (crypto_scalarmult_ed25519_noclamp(out, k, a) == 0) {
        return XMTP_OK;
    }
    return multiply_any(out, k, a);
}

/* k of section 5.1.7. */
static void challenge(xmtp_bytes context, xmtp_bytes message, const uint8_t r[POINT_LEN],
                      const uint8_t pk[POINT_LEN], uint8_t k[SCALAR_LEN])
{
    const dom2 dom = dom2_of(context);
    uint8_t ph[PH_LEN];
    xmtp_hash_of(&xmtp_hash_sha512, message, ph);
    xmtp_ed25519_scalar(xmtp_bytes_of(dom.p, dom.n), xmtp_bytes_of(r, POINT_LEN),
                        xmtp_bytes_of(pk, POINT_LEN), xmtp_bytes_of(ph, PH_LEN), k);
}

/* XMTP: keys of small order are not refused (identity.md 3.5), and R is compared as bytes. */
xmtp_status xmtp_ed25519ph_verify(const uint8_t pk[32], xmtp_bytes context, xmtp_bytes message,
                                  const uint8_t signature[64])
{
    XMTP_ENSURE(context.n <= CONTEXT_MAX, XMTP_E_LENGTH);
    xmtp_sodium_ready();
    const uint8_t *s = signature + POINT_LEN;
    if (!xmtp_ed25519_is_scalar(s)) { /* otherwise multiply says whether pk is a point */
        return is_point(pk) ? XMTP_E_SIGNATURE : XMTP_E_KEY;
    }

    uint8_t k[SCALAR_LEN];
    uint8_t sb[POINT_LEN];
    uint8_t ka[POINT_LEN];
    uint8_t r[POINT_LEN];
    challenge(context, message, signature, pk, k);
    (void)xmtp_ed25519_base(s, sb); /* S may be 0 */
    XMTP_TRY(multiply(ka, k, pk));
    XMTP_ENSURE(crypto_core_ed25519_sub(r, sb, ka) == 0, XMTP_E_SIGNATURE);
    return memcmp(r, signature, POINT_LEN) == 0 ? XMTP_OK : XMTP_E_SIGNATURE;
}

static bool ph_scalar(xmtp_bytes context, const xmtp_signature_check *check, uint8_t k[SCALAR_LEN])
{
    if (context.n > CONTEXT_MAX) {
        return false;
    }
    challenge(context, check->message, check->signature.p, check->pk.p, k);
    return true;
}

static xmtp_status ph_verify(xmtp_bytes context, const xmtp_signature_check *check)
{
    XMTP_ENSURE(check->pk.n == POINT_LEN, XMTP_E_KEY);
    XMTP_ENSURE(check->signature.n == POINT_LEN + SCALAR_LEN, XMTP_E_SIGNATURE);
    return xmtp_ed25519ph_verify(check->pk.p, context, check->message, check->signature.p);
}

void xmtp_ed25519ph_verify_many(xmtp_bytes context, xmtp_signature_check *checks, size_t count)
{
    const xmtp_ed25519_kind kind = {.context = context, .scalar = ph_scalar, .verify = ph_verify};
    xmtp_sodium_ready();
    xmtp_ed25519_many(&kind, checks, count);
}
