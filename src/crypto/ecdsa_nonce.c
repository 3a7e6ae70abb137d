/* ecdsa_nonce.c - RFC 6979 section 3.2: k from HMAC-DRBG over the private key and the digest.
 *
 *     K, V   = 00.., 01..
 *     K      = HMAC(K, V || 00 || sk || h)    V = HMAC(K, V)       h = bits2octets(digest)
 *     K      = HMAC(K, V || 01 || sk || h)    V = HMAC(K, V)
 *     T      = V = HMAC(K, V), as often as it takes to fill n bytes
 *     k      = bits2int(T), if below the order; else K = HMAC(K, V || 00), V = HMAC(K, V), again
 *
 * A number that repeats or has a bias gives the private key away; this one needs no randomness at the
 * time of signing.
 */
#include "crypto/ecdsa_nonce.h"

#include "base/bytes.h"
#include "base/status.h"

typedef struct drbg {
    const xmtp_hash *hash;
    uint8_t key[XMTP_HASH_MAX];
    uint8_t value[XMTP_HASH_MAX];
} drbg;

static void drbg_next_value(drbg *d)
{
    size_t n = d->hash->len;
    xmtp_hmac_of(d->hash, xmtp_bytes_of(d->key, n), xmtp_bytes_of(d->value, n), d->value);
}

static void drbg_mix(drbg *d, uint8_t separator, xmtp_bytes sk, xmtp_bytes h)
{
    size_t n = d->hash->len;
    xmtp_hmac m;
    xmtp_hmac_init(&m, d->hash, xmtp_bytes_of(d->key, n));
    xmtp_hmac_update(&m, xmtp_bytes_of(d->value, n));
    xmtp_hmac_update(&m, xmtp_bytes_of(&separator, 1));
    xmtp_hmac_update(&m, sk);
    xmtp_hmac_update(&m, h);
    xmtp_hmac_final(&m, d->key);
    drbg_next_value(d);
}

/* bits2octets: the leftmost bits of the digest, less the order if it is not below. All our hashes
 * have at most as many bits as the order, so nothing is cut off and one subtraction is enough. The
 * digest is public. */
static xmtp_status bits2octets(const xmtp_nist_curve *curve, const xmtp_hash *hash,
                               const uint8_t *digest, uint8_t *out)
{
    XMTP_ENSURE((int)hash->len * 8 <= curve->bits, XMTP_E_ARGUMENT);
    BIGNUM *h = BN_bin2bn(digest, (int)hash->len, NULL);
    const BIGNUM *order = EC_GROUP_get0_order(xmtp_nist_group(curve));
    bool ok = h != NULL && (BN_cmp(h, order) < 0 || BN_sub(h, h, order) == 1) &&
              BN_bn2binpad(h, out, (int)curve->n) == (int)curve->n;
    BN_free(h);
    return ok ? XMTP_OK : XMTP_E_CRYPTO;
}

/* Shifts n bytes to the right by fewer than 8 bits. */
static void shift_right(uint8_t *p, size_t n, int by)
{
    unsigned carry = 0;
    for (size_t i = 0; by > 0 && i < n; i++) {
        unsigned byte = p[i];
        p[i] = (uint8_t)((carry << (8 - by)) | (byte >> by));
        carry = byte;
    }
}

static void drbg_candidate(drbg *d, const xmtp_nist_curve *curve, uint8_t *k)
{
    for (size_t done = 0; done < curve->n;) {
        drbg_next_value(d);
        size_t n = curve->n - done < d->hash->len ? curve->n - done : d->hash->len;
        memcpy(k + done, d->value, n);
        done += n;
    }
    shift_right(k, curve->n, 8 * (int)curve->n - curve->bits);
}

xmtp_status xmtp_ecdsa_nonce(const xmtp_nist_curve *curve, const xmtp_hash *hash, const uint8_t *sk,
                             const uint8_t *digest, uint8_t *k)
{
    const xmtp_bytes none = {.p = NULL, .n = 0};
    uint8_t octets[XMTP_NIST_SCALAR_MAX];
    XMTP_ENSURE(xmtp_nist_group(curve) != NULL, XMTP_E_CRYPTO);
    XMTP_TRY(bits2octets(curve, hash, digest, octets));
    drbg d = {.hash = hash};
    memset(d.value, 0x01, hash->len);
    drbg_mix(&d, 0x00, xmtp_bytes_of(sk, curve->n), xmtp_bytes_of(octets, curve->n));
    drbg_mix(&d, 0x01, xmtp_bytes_of(sk, curve->n), xmtp_bytes_of(octets, curve->n));
    xmtp_status status = XMTP_E_CRYPTO;
    for (int i = 0; i < 256 && status != XMTP_OK; i++) {
        drbg_candidate(&d, curve, k);
        if (xmtp_nist_is_scalar(curve, k)) {
            status = XMTP_OK;
        } else {
            drbg_mix(&d, 0x00, none, none);
        }
    }
    xmtp_wipe(&d, sizeof d);
    return status;
}
