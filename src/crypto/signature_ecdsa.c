/* signature_ecdsa.c - ECDSA of FIPS 186 over P-256, P-384 and P-521 by OpenSSL.
 *
 *     digest = hash(message)                      k = RFC 6979
 *     r      = x(k * G) mod order                 s = (digest + r * sk) / k mod order
 *
 * The signature is the DER SEQUENCE of r and s (RFC 8446 section 4.2.3, as RFC 9420 section 5.1.2
 * has it), the public key an uncompressed point, the private key the scalar in n bytes. s is not
 * lowered and a high s is accepted: neither RFC asks for more. DER is checked strictly.
 *
 * Signing is deterministic: the secret number k comes from ecdsa_nonce.c, its product and inverse
 * from OpenSSL's constant-time functions, and OpenSSL's ECDSA does the rest.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/bytes.h"
#include "base/status.h"
#include "crypto/crypto.h"
#include "crypto/ecdsa_nonce.h"

#include <openssl/ecdsa.h>
#include <openssl/err.h>

typedef struct ecdsa {
    const xmtp_nist_curve *curve;
    const xmtp_hash *hash;
} ecdsa;

static const ecdsa p256 = {.curve = &xmtp_nist_p256, .hash = &xmtp_hash_sha256};
static const ecdsa p384 = {.curve = &xmtp_nist_p384, .hash = &xmtp_hash_sha384};
static const ecdsa p521 = {.curve = &xmtp_nist_p521, .hash = &xmtp_hash_sha512};

/* ---- signing ---- */

/* What one signature works with; freed as a whole. */
typedef struct signing {
    EC_KEY *key;
    BIGNUM *sk;
    BIGNUM *k;
    BIGNUM *k_inverse;
    BIGNUM *r;
    BIGNUM *exponent;
    EC_POINT *point;
    BN_CTX *scratch;
    ECDSA_SIG *made;
} signing;

static void signing_free(signing *s)
{
    EC_KEY_free(s->key);
    BN_clear_free(s->sk);
    BN_clear_free(s->k);
    BN_clear_free(s->k_inverse);
    BN_free(s->r);
    BN_free(s->exponent);
    EC_POINT_clear_free(s->point);
    BN_CTX_free(s->scratch);
    ECDSA_SIG_free(s->made);
}

static bool signing_new(signing *s, const xmtp_nist_curve *curve)
{
    const EC_GROUP *group = xmtp_nist_group(curve);
    s->key = EC_KEY_new();
    s->k_inverse = BN_new();
    s->r = BN_new();
    s->exponent = BN_new();
    s->point = EC_POINT_new(group);
    s->scratch = BN_CTX_secure_new();
    return s->key != NULL && s->k_inverse != NULL && s->r != NULL && s->exponent != NULL &&
           s->point != NULL && s->scratch != NULL && EC_KEY_set_group(s->key, group) == 1 &&
           EC_KEY_set_private_key(s->key, s->sk) == 1;
}

/* r = x(k * G) mod order. */
static bool make_r(signing *s, const EC_GROUP *group)
{
    return EC_POINT_mul(group, s->point, s->k, NULL, NULL, s->scratch) == 1 &&
           EC_POINT_get_affine_coordinates(group, s->point, s->r, NULL, s->scratch) == 1 &&
           BN_nnmod(s->r, s->r, EC_GROUP_get0_order(group), s->scratch) == 1 && !BN_is_zero(s->r);
}

/* k^-1 = k^(order - 2) mod order, in constant time. */
static bool invert_k(signing *s, const EC_GROUP *group)
{
    const BIGNUM *order = EC_GROUP_get0_order(group);
    return BN_copy(s->exponent, order) != NULL && BN_sub_word(s->exponent, 2) == 1 &&
           BN_mod_exp_mont_consttime(s->k_inverse, s->k, s->exponent, order, s->scratch,
                                     EC_GROUP_get_mont_data(group)) == 1;
}

static xmtp_status sign_with(const ecdsa *e, signing *s, const uint8_t *digest, uint8_t *signature,
                             size_t *signature_len)
{
    const EC_GROUP *group = xmtp_nist_group(e->curve);
    XMTP_ENSURE(signing_new(s, e->curve), XMTP_E_NOMEM);
    XMTP_ENSURE(make_r(s, group) && invert_k(s, group), XMTP_E_CRYPTO);
    s->made = ECDSA_do_sign_ex(digest, (int)e->hash->len, s->k_inverse, s->r, s->key);
    XMTP_ENSURE(s->made != NULL, XMTP_E_CRYPTO);
    uint8_t *end = signature;
    int n = i2d_ECDSA_SIG(s->made, &end);
    XMTP_ENSURE(n > 0, XMTP_E_CRYPTO);
    *signature_len = (size_t)n;
    return XMTP_OK;
}

static xmtp_status sign(const ecdsa *e, const uint8_t *sk, xmtp_bytes message, uint8_t *signature,
                        size_t *signature_len)
{
    uint8_t digest[XMTP_HASH_MAX];
    uint8_t k[XMTP_NIST_SCALAR_MAX];
    signing s = {.sk = xmtp_nist_scalar(e->curve, sk)};
    XMTP_ENSURE(s.sk != NULL, XMTP_E_KEY);
    xmtp_hash_of(e->hash, message, digest);
    xmtp_status status = xmtp_ecdsa_nonce(e->curve, e->hash, sk, digest, k);
    if (status == XMTP_OK) {
        s.k = xmtp_nist_scalar(e->curve, k);
        status = s.k == NULL ? XMTP_E_NOMEM : sign_with(e, &s, digest, signature, signature_len);
    }
    xmtp_wipe(k, sizeof k);
    signing_free(&s);
    return status;
}

/* ---- verifying ---- */

static xmtp_status verify_with(const ecdsa *e, const EC_POINT *point, xmtp_bytes message,
                               xmtp_bytes signature)
{
    EC_KEY *key = EC_KEY_new();
    bool is_ready = key != NULL && EC_KEY_set_group(key, xmtp_nist_group(e->curve)) == 1 &&
                    EC_KEY_set_public_key(key, point) == 1;
    int verdict = 0;
    if (is_ready) {
        uint8_t digest[XMTP_HASH_MAX];
        xmtp_hash_of(e->hash, message, digest);
        (void)ERR_set_mark(); /* TLS must not find our refusals */
        verdict = ECDSA_verify(0, digest, (int)e->hash->len, signature.p, (int)signature.n, key);
        (void)ERR_pop_to_mark();
    }
    EC_KEY_free(key);
    XMTP_ENSURE(is_ready, XMTP_E_NOMEM);
    return verdict == 1 ? XMTP_OK : XMTP_E_SIGNATURE;
}

static xmtp_status verify(const ecdsa *e, xmtp_bytes pk, xmtp_bytes message, xmtp_bytes signature)
{
    EC_POINT *point = xmtp_nist_point(e->curve, pk);
    XMTP_ENSURE(point != NULL, XMTP_E_KEY);
    xmtp_status status = XMTP_E_SIGNATURE;
    if (signature.n > 0 && signature.n <= XMTP_SIGNATURE_MAX) {
        status = verify_with(e, point, message, signature);
    }
    EC_POINT_free(point);
    return status;
}

/* ---- one set of functions for each curve ---- */

static xmtp_status p256_public_key(const uint8_t *sk, uint8_t *pk)
{
    return xmtp_nist_public_key(&xmtp_nist_p256, sk, pk);
}

static xmtp_status p256_sign(const uint8_t *sk, const uint8_t *pk, xmtp_bytes message,
                             uint8_t *signature, size_t *signature_len)
{
    (void)pk;
    return sign(&p256, sk, message, signature, signature_len);
}

static xmtp_status p256_verify(xmtp_bytes pk, xmtp_bytes message, xmtp_bytes signature)
{
    return verify(&p256, pk, message, signature);
}

static xmtp_status p384_public_key(const uint8_t *sk, uint8_t *pk)
{
    return xmtp_nist_public_key(&xmtp_nist_p384, sk, pk);
}

static xmtp_status p384_sign(const uint8_t *sk, const uint8_t *pk, xmtp_bytes message,
                             uint8_t *signature, size_t *signature_len)
{
    (void)pk;
    return sign(&p384, sk, message, signature, signature_len);
}

static xmtp_status p384_verify(xmtp_bytes pk, xmtp_bytes message, xmtp_bytes signature)
{
    return verify(&p384, pk, message, signature);
}

static xmtp_status p521_public_key(const uint8_t *sk, uint8_t *pk)
{
    return xmtp_nist_public_key(&xmtp_nist_p521, sk, pk);
}

static xmtp_status p521_sign(const uint8_t *sk, const uint8_t *pk, xmtp_bytes message,
                             uint8_t *signature, size_t *signature_len)
{
    (void)pk;
    return sign(&p521, sk, message, signature, signature_len);
}

static xmtp_status p521_verify(xmtp_bytes pk, xmtp_bytes message, xmtp_bytes signature)
{
    return verify(&p521, pk, message, signature);
}

/* signature_max: two INTEGERs of n bytes, each with a zero in front where the order fills its bytes,
 * their heads of 2 bytes, and that of the SEQUENCE of 2 or 3. */
const xmtp_signature xmtp_signature_ecdsa_p256 = {
    .name = "ECDSA P-256 SHA-256",
    .scheme = 0x0403,
    .sk_len = 32,
    .pk_len = 65,
    .signature_max = 2 + 2 * (2 + 33),
    .public_key = p256_public_key,
    .sign = p256_sign,
    .verify = p256_verify,
};

const xmtp_signature xmtp_signature_ecdsa_p384 = {
    .name = "ECDSA P-384 SHA-384",
    .scheme = 0x0503,
    .sk_len = 48,
    .pk_len = 97,
    .signature_max = 2 + 2 * (2 + 49),
    .public_key = p384_public_key,
    .sign = p384_sign,
    .verify = p384_verify,
};

const xmtp_signature xmtp_signature_ecdsa_p521 = {
    .name = "ECDSA P-521 SHA-512",
    .scheme = 0x0603,
    .sk_len = 66,
    .pk_len = 133,
    .signature_max = 3 + 2 * (2 + 66),
    .public_key = p521_public_key,
    .sign = p521_sign,
    .verify = p521_verify,
};
