/* nist_curve.c - points and scalars of P-256, P-384 and P-521 by OpenSSL.
 *
 * The functions on groups and points are used directly: a key of EVP's would be checked, copied and
 * have its public part computed again for each use. Every point from outside goes through
 * EC_POINT_oct2point, which checks the curve equation; the cofactor is 1, so a point on the curve is
 * in the group, and infinity has no uncompressed form.
 *
 * What OpenSSL says about refused input stays off the thread's error queue, where TLS would find it.
 */
#include "crypto/nist_curve.h"

#include "base/bytes.h"
#include "base/status.h"

#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <pthread.h>

const xmtp_nist_curve xmtp_nist_p256 = {
    .slot = 0, .nid = NID_X9_62_prime256v1, .n = 32, .bits = 256};
const xmtp_nist_curve xmtp_nist_p384 = {.slot = 1, .nid = NID_secp384r1, .n = 48, .bits = 384};
const xmtp_nist_curve xmtp_nist_p521 = {.slot = 2, .nid = NID_secp521r1, .n = 66, .bits = 521};

static EC_GROUP *groups[3];

static void make_groups(void)
{
    const xmtp_nist_curve *const curves[] = {&xmtp_nist_p256, &xmtp_nist_p384, &xmtp_nist_p521};
    for (size_t i = 0; i < 3; i++) {
        groups[curves[i]->slot] = EC_GROUP_new_by_curve_name(curves[i]->nid);
    }
}

const EC_GROUP *xmtp_nist_group(const xmtp_nist_curve *curve)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make_groups);
    return groups[curve->slot];
}

bool xmtp_nist_is_scalar(const xmtp_nist_curve *curve, const uint8_t *sk)
{
    const EC_GROUP *group = xmtp_nist_group(curve);
    uint8_t order[XMTP_NIST_SCALAR_MAX];
    if (group == NULL ||
        BN_bn2binpad(EC_GROUP_get0_order(group), order, (int)curve->n) != (int)curve->n) {
        return false;
    }
    unsigned any = 0;
    unsigned borrow = 0; /* of sk - order: 1 at the end when sk is the smaller */
    for (size_t i = curve->n; i > 0; i--) {
        any |= sk[i - 1];
        borrow = (((unsigned)sk[i - 1] - order[i - 1] - borrow) >> 8) & 1;
    }
    return (any != 0) & (borrow == 1);
}

BIGNUM *xmtp_nist_scalar(const xmtp_nist_curve *curve, const uint8_t *sk)
{
    if (!xmtp_nist_is_scalar(curve, sk)) {
        return NULL;
    }
    BIGNUM *scalar = BN_bin2bn(sk, (int)curve->n, NULL);
    if (scalar != NULL) {
        BN_set_flags(scalar, BN_FLG_CONSTTIME);
    }
    return scalar;
}

EC_POINT *xmtp_nist_point(const xmtp_nist_curve *curve, xmtp_bytes pk)
{
    const EC_GROUP *group = xmtp_nist_group(curve);
    if (group == NULL || pk.n != xmtp_nist_point_len(curve) ||
        pk.p[0] != POINT_CONVERSION_UNCOMPRESSED) {
        return NULL;
    }
    EC_POINT *point = EC_POINT_new(group);
    (void)ERR_set_mark();
    bool ok = point != NULL && EC_POINT_oct2point(group, point, pk.p, pk.n, NULL) == 1;
    (void)ERR_pop_to_mark();
    if (!ok) {
        EC_POINT_free(point);
        return NULL;
    }
    return point;
}

static bool base_times(const xmtp_nist_curve *curve, const BIGNUM *scalar, uint8_t *pk)
{
    const EC_GROUP *group = xmtp_nist_group(curve);
    size_t n = xmtp_nist_point_len(curve);
    EC_POINT *point = EC_POINT_new(group);
    bool ok = point != NULL && EC_POINT_mul(group, point, scalar, NULL, NULL, NULL) == 1 &&
              EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, pk, n, NULL) == n;
    EC_POINT_clear_free(point);
    return ok;
}

xmtp_status xmtp_nist_public_key(const xmtp_nist_curve *curve, const uint8_t *sk, uint8_t *pk)
{
    BIGNUM *scalar = xmtp_nist_scalar(curve, sk);
    XMTP_ENSURE(scalar != NULL, XMTP_E_KEY);
    bool ok = base_times(curve, scalar, pk);
    BN_clear_free(scalar);
    return ok ? XMTP_OK : XMTP_E_CRYPTO;
}

/* The product replaces the point. */
static bool point_times(const xmtp_nist_curve *curve, EC_POINT *point, const BIGNUM *scalar,
                        uint8_t *x_bytes)
{
    const EC_GROUP *group = xmtp_nist_group(curve);
    BIGNUM *x = BN_new();
    bool ok = x != NULL && EC_POINT_mul(group, point, NULL, point, scalar, NULL) == 1 &&
              EC_POINT_get_affine_coordinates(group, point, x, NULL, NULL) == 1 &&
              BN_bn2binpad(x, x_bytes, (int)curve->n) == (int)curve->n;
    BN_clear_free(x);
    return ok;
}

xmtp_status xmtp_nist_dh(const xmtp_nist_curve *curve, const uint8_t *sk, const uint8_t *pk,
                         uint8_t *dh)
{
    EC_POINT *point = xmtp_nist_point(curve, xmtp_bytes_of(pk, xmtp_nist_point_len(curve)));
    BIGNUM *scalar = xmtp_nist_scalar(curve, sk);
    xmtp_status status = XMTP_E_KEY;
    if (point != NULL && scalar != NULL) {
        status = point_times(curve, point, scalar, dh) ? XMTP_OK : XMTP_E_CRYPTO;
    }
    EC_POINT_clear_free(point);
    BN_clear_free(scalar);
    return status;
}
