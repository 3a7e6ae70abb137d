/* keccak_many.h - up to eight sponges of keccak.h side by side, fed with equal lengths; private to this
 * room.
 *
 * Eight cost what one costs where the machine has AVX-512, twice that with AVX2, and eight times as much
 * elsewhere. Each gives what it gives alone. Time depends on lengths only.
 */
#ifndef XMTP_CRYPTO_KECCAK_MANY_H
#define XMTP_CRYPTO_KECCAK_MANY_H

#include "crypto/lanes.h"

typedef struct xmtp_keccak_many {
    uint64_t words[25][XMTP_LANES]; /* what keccak.h calls a lane, of each sponge */
    size_t count;
    size_t rate; /* bytes per permutation */
    size_t at;   /* next byte of the rate to absorb or squeeze */
    uint8_t suffix;
    bool is_squeezing;
} xmtp_keccak_many;

/* count is 1 to 8. */
void xmtp_shake128_many_init(xmtp_keccak_many *k, size_t count);
void xmtp_shake256_many_init(xmtp_keccak_many *k, size_t count);
void xmtp_sha3_256_many_init(xmtp_keccak_many *k, size_t count);
void xmtp_keccak256_many_init(xmtp_keccak_many *k, size_t count);
void xmtp_sha3_512_many_init(xmtp_keccak_many *k, size_t count);

/* Takes n bytes into each; not after the first squeeze. in holds count pointers. */
void xmtp_keccak_many_absorb(xmtp_keccak_many *k, const uint8_t *const *in, size_t n);

/* Gives the next n bytes of output of each; the first call pads the input. */
void xmtp_keccak_many_squeeze(xmtp_keccak_many *k, uint8_t *const *out, size_t n);

void xmtp_keccak_many_wipe(xmtp_keccak_many *k);

#endif
