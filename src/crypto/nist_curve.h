/* nist_curve.h - P-256, P-384 and P-521 of FIPS 186 by OpenSSL; private to this room.
 *
 * A scalar is n bytes big-endian, a point 0x04 || x || y (SEC 1 section 2.3.3), a coordinate n bytes.
 * The groups are made once per process and only read afterwards. Multiplications by a secret run in
 * OpenSSL's constant-time ladders.
 */
#ifndef XMTP_CRYPTO_NIST_CURVE_H
#define XMTP_CRYPTO_NIST_CURVE_H

#include "crypto/crypto.h"

#include <openssl/ec.h>

enum {
    XMTP_NIST_SCALAR_MAX = 66,
    XMTP_NIST_POINT_MAX = 1 + 2 * XMTP_NIST_SCALAR_MAX,
};

typedef struct xmtp_nist_curve {
    unsigned slot; /* where its group is kept */
    int nid;       /* OpenSSL's number of it */
    size_t n;      /* bytes of a scalar and of a coordinate */
    int bits;      /* of the group order */
} xmtp_nist_curve;

extern const xmtp_nist_curve xmtp_nist_p256;
extern const xmtp_nist_curve xmtp_nist_p384;
extern const xmtp_nist_curve xmtp_nist_p521;

static inline size_t xmtp_nist_point_len(const xmtp_nist_curve *curve)
{
    return 1 + 2 * curve->n;
}

/* NULL when there was no memory for it. Not to be freed or changed. */
const EC_GROUP *xmtp_nist_group(const xmtp_nist_curve *curve);

/* The number in n bytes, or NULL: no memory, or not in 1 .. order - 1. Free with BN_clear_free. */
BIGNUM *xmtp_nist_scalar(const xmtp_nist_curve *curve, const uint8_t *sk);

/* The point in bytes, or NULL: wrong length, not uncompressed, not on the curve. Free with
 * EC_POINT_free. */
EC_POINT *xmtp_nist_point(const xmtp_nist_curve *curve, xmtp_bytes pk);

/* Whether sk is in 1 .. order - 1; in time that depends on the verdict only. */
bool xmtp_nist_is_scalar(const xmtp_nist_curve *curve, const uint8_t *sk);

/* pk receives sk * G. XMTP_E_KEY: sk out of range. */
xmtp_status xmtp_nist_public_key(const xmtp_nist_curve *curve, const uint8_t *sk,
                                 uint8_t *pk) XMTP_MUST_CHECK;

/* dh receives the x coordinate of sk * pk. XMTP_E_KEY: sk out of range, pk not a point. */
xmtp_status xmtp_nist_dh(const xmtp_nist_curve *curve, const uint8_t *sk, const uint8_t *pk,
                         uint8_t *dh) XMTP_MUST_CHECK;

#endif
