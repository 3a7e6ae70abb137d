/* x25519_pairs.c - the two multiplications of each encapsulation, side by side where that pays.
 *
 * A pair takes two of the eight lanes of x25519_lanes.c, so that four fit into one climb:
 *
 *     lane     0           1            2           3            ...
 *     scalar   e[0]        e[0]         e[1]        e[1]
 *     point    9           pk[0]        9           pk[1]
 *
 * One climb takes about as long as one multiplication by libsodium, so even a single pair gains.
 */
#include "crypto/x25519_pairs.h"

#include "base/bytes.h"
#include "base/status.h"
#include "crypto/sodium_ready.h"
#include "crypto/x25519_base.h"
#include "crypto/x25519_lanes.h"

#include <sodium.h>

enum {
    STEP = XMTP_X25519_PAIRS_STEP,
    KEY_LEN = 32,
    LANES_MIN = 3, /* multiplications for which a climb is shorter than one after the other */
};

static const uint8_t base_point[KEY_LEN] = {9};

void xmtp_x25519_pairs_in_lanes(const xmtp_x25519_pair *pairs, size_t count)
{
    const uint8_t *sk[XMTP_LANES];
    const uint8_t *point[XMTP_LANES];
    uint8_t out[XMTP_LANES][KEY_LEN];
    for (size_t i = 0; i < STEP; i++) {
        const xmtp_x25519_pair *pair = &pairs[i < count ? i : 0]; /* idle lanes repeat the first */
        sk[2 * i] = sk[2 * i + 1] = pair->e;
        point[2 * i] = base_point;
        point[2 * i + 1] = pair->pk;
    }
    xmtp_x25519_lanes(sk, point, out);
    for (size_t i = 0; i < count; i++) {
        memcpy(pairs[i].enc, out[2 * i], KEY_LEN);
        memcpy(pairs[i].dh, out[2 * i + 1], KEY_LEN);
    }
    xmtp_wipe(out, sizeof out);
}

void xmtp_x25519_pairs_one_by_one(const xmtp_x25519_pair *pairs, size_t count)
{
    xmtp_sodium_ready();
    for (size_t i = 0; i < count; i++) {
        if (crypto_scalarmult_curve25519(pairs[i].dh, pairs[i].e, pairs[i].pk) != 0) {
            memset(pairs[i].dh, 0, KEY_LEN); /* also libsodium's verdict on a zero product */
        }
        xmtp_x25519_base(pairs[i].e, pairs[i].enc);
    }
}

/* Whether some dh is zero; looks at every byte. */
static bool has_zero(const xmtp_x25519_pair *pairs, size_t count)
{
    static const uint8_t zero[KEY_LEN];
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        found |= xmtp_ct_equal(pairs[i].dh, zero, KEY_LEN);
    }
    return found;
}

xmtp_status xmtp_x25519_pairs(const xmtp_x25519_pair *pairs, size_t count)
{
    bool use_lanes = xmtp_has_lanes();
    for (size_t done = 0; done < count; done += STEP) {
        size_t n = count - done < STEP ? count - done : STEP;
        if (use_lanes) {
            xmtp_x25519_pairs_in_lanes(pairs + done, n);
        } else {
            xmtp_x25519_pairs_one_by_one(pairs + done, n);
        }
    }
    if (has_zero(pairs, count)) {
        for (size_t i = 0; i < count; i++) {
            xmtp_wipe(pairs[i].dh, KEY_LEN);
        }
        return XMTP_E_KEY;
    }
    return XMTP_OK;
}

/* At most eight. Idle lanes repeat the first key. */
static void base_in_lanes(const uint8_t *const *sk, uint8_t *const *pk, size_t count)
{
    const uint8_t *lanes[XMTP_LANES];
    const uint8_t *point[XMTP_LANES];
    uint8_t out[XMTP_LANES][KEY_LEN];
    for (size_t i = 0; i < XMTP_LANES; i++) {
        lanes[i] = sk[i < count ? i : 0];
        point[i] = base_point;
    }
    xmtp_x25519_lanes(lanes, point, out);
    for (size_t i = 0; i < count; i++) {
        memcpy(pk[i], out[i], KEY_LEN);
    }
}

void xmtp_x25519_base_many(const uint8_t *const *sk, uint8_t *const *pk, size_t count)
{
    size_t done = 0;
    while (count - done >= LANES_MIN && xmtp_has_lanes()) {
        size_t n = count - done < XMTP_LANES ? count - done : XMTP_LANES;
        base_in_lanes(sk + done, pk + done, n);
        done += n;
    }
    for (; done < count; done++) {
        xmtp_x25519_base(sk[done], pk[done]);
    }
}

/* At most eight. Idle lanes repeat the first point. */
static void points_in_lanes(const uint8_t sk[KEY_LEN], const uint8_t *const *point,
                            uint8_t (*out)[KEY_LEN], size_t count)
{
    const uint8_t *sks[XMTP_LANES];
    const uint8_t *points[XMTP_LANES];
    uint8_t products[XMTP_LANES][KEY_LEN];
    for (size_t i = 0; i < XMTP_LANES; i++) {
        sks[i] = sk;
        points[i] = point[i < count ? i : 0];
    }
    xmtp_x25519_lanes(sks, points, products);
    memcpy(out, products, count * KEY_LEN);
    xmtp_wipe(products, sizeof products);
}

void xmtp_x25519_points(const uint8_t sk[KEY_LEN], const uint8_t *const *point,
                        uint8_t (*out)[KEY_LEN], size_t count)
{
    size_t done = 0;
    while (count - done >= LANES_MIN && xmtp_has_lanes()) {
        size_t n = count - done < XMTP_LANES ? count - done : XMTP_LANES;
        points_in_lanes(sk, point + done, out + done, n);
        done += n;
    }
    xmtp_sodium_ready();
    for (; done < count; done++) {
        if (crypto_scalarmult_curve25519(out[done], sk, point[done]) != 0) {
            memset(out[done], 0, KEY_LEN);
        }
    }
}
