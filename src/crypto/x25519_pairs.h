/* x25519_pairs.h - what a sender computes with X25519, for one or many receivers, and
 * what one receiver computes for many senders; private to this room. */
#ifndef XMTP_CRYPTO_X25519_PAIRS_H
#define XMTP_CRYPTO_X25519_PAIRS_H

#include <xmtp/base.h>

/* All 32 bytes: enc = X25519(e, 9), dh = X25519(e, pk). */
typedef struct xmtp_x25519_pair {
    const uint8_t *e;
    const uint8_t *pk;
    uint8_t *enc;
    uint8_t *dh;
} xmtp_x25519_pair;

/* Fills enc and dh of all pairs. XMTP_E_KEY when a dh is zero, which a point of small order gives
 * (RFC 9180 section 7.1.4); no output is to be used then, and every dh is zeroed. Constant
 * time. */
xmtp_status xmtp_x25519_pairs(const xmtp_x25519_pair *pairs, size_t count) XMTP_MUST_CHECK;

/* out[i] = X25519(sk, point[i]) for each, eight at once where that pays; zero for a point of small
 * order. Constant time. */
void xmtp_x25519_points(const uint8_t sk[32], const uint8_t *const *point, uint8_t (*out)[32],
                        size_t count);

/* The three ways pairs are done, for tests; from 1 to XMTP_X25519_PAIRS_STEP pairs, in one climb half as
 * many. The first two need xmtp_has_lanes. */
enum { XMTP_X25519_PAIRS_STEP = 8 };
void xmtp_x25519_pairs_in_lanes(const xmtp_x25519_pair *pairs, size_t count);
void xmtp_x25519_pairs_in_one_climb(const xmtp_x25519_pair *pairs, size_t count);
void xmtp_x25519_pairs_one_by_one(const xmtp_x25519_pair *pairs, size_t count);

#endif
