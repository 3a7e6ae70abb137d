/* x25519_pairs.c - the two multiplications of each encapsulation, side by side where that pays.
 *
 * With AVX-512, up to four pairs take two of the eight lanes of x25519_lanes.c each, in one climb:
 *
 *     lane     0           1            2           3            ...
 *     scalar   e[0]        e[0]         e[1]        e[1]
 *     point    9           pk[0]        9           pk[1]
 *
 * Of up to eight pairs, and with AVX2 of any, the climb has the second multiplication only; the first goes by x25519_base.c,
 * which is faster by far than a lane is. A single pair is left to that and to libsodium. In us on a Zen
 * 4: a climb 65, libsodium's multiplication 30, a public key 5.6, eight of them 25.
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
    ONE_CLIMB_MAX = STEP / 2,
    KEY_LEN = 32,
    LANES_MIN = 3, /* multiplications with one scalar for which a climb is shorter */
};

static const uint8_t base_point[KEY_LEN] = {9};

void xmtp_x25519_pairs_in_one_climb(const xmtp_x25519_pair *pairs, size_t count)
{
    const uint8_t *sk[XMTP_LANES];
    const uint8_t *point[XMTP_LANES];
    uint8_t out[XMTP_LANES][KEY_LEN];
    for (size_t i = 0; i < ONE_CLIMB_MAX; i++) {
        const xmtp_x25519_pair *pair = &pairs[i < count ? i : 0]; /* idle lanes repeat the first */
        sk[2 * i] = sk[2 * i + 1] = pair->e;
        point[2 * i] = base_point;
        point[2 * i + 1] = pair->pk;
    }
    xmtp_x25519_lanes(sk, point, out, 2 * count);
    for (size_t i = 0; i < count; i++) {
        memcpy(pairs[i].enc, out[2 * i], KEY_LEN);
        memcpy(pairs[i].dh, out[2 * i + 1], KEY_LEN);
    }
    xmtp_wipe(out, sizeof out);
}

void xmtp_x25519_pairs_in_lanes(const xmtp_x25519_pair *pairs, size_t count)
{
    const uint8_t *sk[XMTP_LANES];
    const uint8_t *point[XMTP_LANES];
    uint8_t *enc[XMTP_LANES];
    uint8_t out[XMTP_LANES][KEY_LEN];
    for (size_t i = 0; i < XMTP_LANES; i++) {
        const xmtp_x25519_pair *pair = &pairs[i < count ? i : 0];
        sk[i] = pair->e;
        point[i] = pair->pk;
        enc[i] = pair->enc;
    }
    xmtp_x25519_lanes(sk, point, out, count);
    for (size_t i = 0; i < count; i++) {
        memcpy(pairs[i].dh, out[i], KEY_LEN);
    }
    xmtp_x25519_base_many(sk, enc, count);
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

static void pairs_step(const xmtp_x25519_pair *pairs, size_t count)
{
    if (count == 1 || !xmtp_has_lanes()) {
        xmtp_x25519_pairs_one_by_one(pairs, count);
    } else if (count <= ONE_CLIMB_MAX && xmtp_lanes_here() == XMTP_LANES_AVX512) {
        xmtp_x25519_pairs_in_one_climb(pairs, count);
    } else {
        xmtp_x25519_pairs_in_lanes(pairs, count);
    }
}

xmtp_status xmtp_x25519_pairs(const xmtp_x25519_pair *pairs, size_t count)
{
    for (size_t done = 0; done < count; done += STEP) {
        pairs_step(pairs + done, count - done < STEP ? count - done : STEP);
    }
    if (has_zero(pairs, count)) {
        for (size_t i = 0; i < count; i++) {
            xmtp_wipe(pairs[i].dh, KEY_LEN);
        }
        return XMTP_E_KEY;
    }
    return XMTP_OK;
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
    xmtp_x25519_lanes(sks, points, products, count);
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
