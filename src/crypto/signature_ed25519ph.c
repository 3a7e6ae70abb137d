/* signature_ed25519ph.c - Ed25519ph of RFC 8032 section 5.1 with a context.
 *
 * libsodium's Ed25519ph has no context argument, so this is the RFC's text over libsodium's
 * constant-time scalars and points:
 *
 *     dom2 = "SigEd25519 no Ed25519 collisions" || 1 || length of context || context
 *     PH   = SHA-512(message)
 *     a, prefix = halves of SHA-512(seed), a clamped
 *     r = SHA-512(dom2 || prefix || PH)       R = rB
 *     k = SHA-512(dom2 || R || A || PH)       S = r + ka      signature = R || S
 *
 * Signing touches secrets only through SHA-512, crypto_core_ed25519_scalar_* and the base-point
 * multiplication, all without secret branches or indices. Verifying is public and cofactorless:
 * R must be the encoding of SB - kA.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "crypto/crypto.h"
#include "crypto/ed25519_many.h"
#include "crypto/sodium_ready.h"

#include <sodium.h>

enum { SCALAR_LEN = 32, POINT_LEN = 32, CONTEXT_MAX = 255 };

/* SHA-512(dom2 || a || b || PH) as a scalar below the group order. */
static void hash_to_scalar(xmtp_bytes context, xmtp_bytes a, xmtp_bytes b, const uint8_t ph[64],
                           uint8_t scalar[SCALAR_LEN])
{
    static const char dom2_start[] = "SigEd25519 no Ed25519 collisions";
    const uint8_t flag_and_length[2] = {1, (uint8_t)context.n};
    const xmtp_hash *sha512 = &xmtp_hash_sha512;
    xmtp_hash_context c;
    sha512->init(&c);
    sha512->update(&c, dom2_start, sizeof dom2_start - 1);
    sha512->update(&c, flag_and_length, sizeof flag_and_length);
    sha512->update(&c, context.p, context.n);
    sha512->update(&c, a.p, a.n);
    sha512->update(&c, b.p, b.n);
    sha512->update(&c, ph, 64);
    uint8_t wide[64];
    sha512->final(&c, wide);
    crypto_core_ed25519_scalar_reduce(scalar, wide);
    xmtp_wipe(wide, sizeof wide);
}

/* Section 5.1.5: the secret scalar, reduced (which changes no product with a point of prime order),
 * and the prefix. */
static void expand_seed(const uint8_t seed[32], uint8_t a[SCALAR_LEN], uint8_t prefix[32])
{
    uint8_t h[64];
    xmtp_hash_of(&xmtp_hash_sha512, xmtp_bytes_of(seed, 32), h);
    memcpy(prefix, h + 32, 32);
    h[0] &= 248;
    h[31] &= 127;
    h[31] |= 64;
    memset(h + 32, 0, 32);
    crypto_core_ed25519_scalar_reduce(a, h);
    xmtp_wipe(h, sizeof h);
}

/* pk must belong to sk: signing one message under two public keys would reveal sk. */
xmtp_status xmtp_ed25519ph_sign(const uint8_t sk[32], const uint8_t pk[32], xmtp_bytes context,
                                xmtp_bytes message, uint8_t signature[64])
{
    XMTP_ENSURE(context.n <= CONTEXT_MAX, XMTP_E_LENGTH);
    xmtp_sodium_ready();
    uint8_t ph[64];
    uint8_t a[SCALAR_LEN];
    uint8_t prefix[32];
    uint8_t r[SCALAR_LEN];
    uint8_t k[SCALAR_LEN];
    xmtp_hash_of(&xmtp_hash_sha512, message, ph);
    expand_seed(sk, a, prefix);
    hash_to_scalar(context, xmtp_bytes_of(prefix, 32), xmtp_bytes_of(NULL, 0), ph, r);

    xmtp_status status = XMTP_E_CRYPTO; /* r = 0: once in 2^252 */
    if (crypto_scalarmult_ed25519_base_noclamp(signature, r) == 0) {
        hash_to_scalar(context, xmtp_bytes_of(signature, POINT_LEN), xmtp_bytes_of(pk, 32), ph, k);
        crypto_core_ed25519_scalar_mul(k, k, a);
        crypto_core_ed25519_scalar_add(signature + POINT_LEN, k, r);
        status = XMTP_OK;
    }
    xmtp_wipe(a, sizeof a);
    xmtp_wipe(prefix, sizeof prefix);
    xmtp_wipe(r, sizeof r);
    xmtp_wipe(k, sizeof k);
    return status;
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

static void multiply_base(uint8_t out[POINT_LEN], const uint8_t s[SCALAR_LEN])
{
    if (crypto_scalarmult_ed25519_base_noclamp(out, s) != 0) {
        memcpy(out, neutral, POINT_LEN);
    }
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

    uint8_t ph[64];
    uint8_t k[SCALAR_LEN];
    xmtp_hash_of(&xmtp_hash_sha512, message, ph);
    hash_to_scalar(context, xmtp_bytes_of(signature, POINT_LEN), xmtp_bytes_of(pk, 32), ph, k);

    uint8_t sb[POINT_LEN];
    uint8_t ka[POINT_LEN];
    uint8_t r[POINT_LEN];
    multiply_base(sb, s);
    XMTP_TRY(multiply(ka, k, pk));
    XMTP_ENSURE(crypto_core_ed25519_sub(r, sb, ka) == 0, XMTP_E_SIGNATURE);
    return memcmp(r, signature, POINT_LEN) == 0 ? XMTP_OK : XMTP_E_SIGNATURE;
}

static bool ph_scalar(xmtp_bytes context, const xmtp_signature_check *check, uint8_t k[SCALAR_LEN])
{
    if (context.n > CONTEXT_MAX) {
        return false;
    }
    uint8_t ph[64];
    xmtp_hash_of(&xmtp_hash_sha512, check->message, ph);
    hash_to_scalar(context, xmtp_bytes_of(check->signature.p, POINT_LEN), check->pk, ph, k);
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
