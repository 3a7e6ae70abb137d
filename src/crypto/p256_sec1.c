/* p256_sec1.c - ECDSA over P-256 as passkeys use it: keys in every SEC 1 form, signatures in DER.
 *
 *     02 x, 03 x   compressed, by the parity of y        04 x y   uncompressed
 *     05 x         compact: the smaller of the two y
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/bytes.h"
#include "base/status.h"
#include "crypto/crypto.h"
#include "crypto/nist_curve.h"

#include <openssl/ecdsa.h>
#include <openssl/err.h>

enum {
    COORDINATE_LEN = 32,
    POINT_LEN = 65,
    TAG_EVEN = 2,
    TAG_ODD = 3,
    TAG_FULL = 4,
    TAG_COMPACT = 5
};

/* The point in the uncompressed form. */
static bool expand(const uint8_t *compressed, uint8_t out[POINT_LEN])
{
    const EC_GROUP *group = xmtp_nist_group(&xmtp_nist_p256);
    EC_POINT *point = group == NULL ? NULL : EC_POINT_new(group);
    (void)ERR_set_mark();
    bool ok = point != NULL &&
              EC_POINT_oct2point(group, point, compressed, 1 + COORDINATE_LEN, NULL) == 1 &&
              EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, out, POINT_LEN,
                                 NULL) == POINT_LEN;
    (void)ERR_pop_to_mark();
    EC_POINT_free(point);
    return ok;
}

/* Of the points with this x the one with the smaller y. */
static bool expand_compact(const uint8_t *x, uint8_t out[POINT_LEN])
{
    uint8_t compressed[1 + COORDINATE_LEN];
    uint8_t odd[POINT_LEN];
    memcpy(compressed + 1, x, COORDINATE_LEN);
    compressed[0] = TAG_EVEN;
    bool ok = expand(compressed, out);
    compressed[0] = TAG_ODD;
    ok = ok && expand(compressed, odd);
    if (ok && memcmp(odd + 1 + COORDINATE_LEN, out + 1 + COORDINATE_LEN, COORDINATE_LEN) < 0) {
        memcpy(out, odd, POINT_LEN);
    }
    return ok;
}

static bool uncompressed(xmtp_bytes key, uint8_t out[POINT_LEN])
{
    if (key.n == POINT_LEN && key.p[0] == TAG_FULL) {
        memcpy(out, key.p, POINT_LEN);
        return true;
    }
    if (key.n != 1 + COORDINATE_LEN) {
        return false;
    }
    if (key.p[0] == TAG_COMPACT) {
        return expand_compact(key.p + 1, out);
    }
    return (key.p[0] == TAG_EVEN || key.p[0] == TAG_ODD) && expand(key.p, out);
}

/* r || s of a signature in the one DER form that it has. */
static bool split(xmtp_bytes der, uint8_t raw[XMTP_P256_RAW_LEN])
{
    const uint8_t *p = der.p;
    uint8_t again[XMTP_SIGNATURE_MAX];
    uint8_t *end = again;
    if (der.n == 0 || der.n > XMTP_SIGNATURE_MAX) {
        return false;
    }
    (void)ERR_set_mark();
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &p, (long)der.n);
    bool ok = signature != NULL && i2d_ECDSA_SIG(signature, NULL) == (int)der.n &&
              i2d_ECDSA_SIG(signature, &end) == (int)der.n && memcmp(again, der.p, der.n) == 0 &&
              BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, COORDINATE_LEN) == COORDINATE_LEN &&
              BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + COORDINATE_LEN, COORDINATE_LEN) ==
                  COORDINATE_LEN;
    (void)ERR_pop_to_mark();
    ECDSA_SIG_free(signature);
    return ok;
}

xmtp_status xmtp_p256_verify(xmtp_bytes key, xmtp_bytes message, xmtp_bytes der,
                             uint8_t raw[XMTP_P256_RAW_LEN])
{
    uint8_t point[POINT_LEN];
    XMTP_ENSURE(uncompressed(key, point), XMTP_E_KEY);
    XMTP_ENSURE(split(der, raw), XMTP_E_MALFORMED);
    return xmtp_signature_ecdsa_p256.verify(xmtp_bytes_of(point, sizeof(point)), message, der);
}
