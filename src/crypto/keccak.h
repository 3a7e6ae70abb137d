/* keccak.h - the sponge of FIPS 202 and what is made of it; private to this room.
 *
 *     function       rate  suffix      used by
 *     SHA3-256        136   0x06        X-Wing's combiner, ML-KEM's H
 *     SHA3-512         72   0x06        ML-KEM's G
 *     SHAKE-128       168   0x1f        ML-KEM's matrix
 *     SHAKE-256       136   0x1f        ML-KEM's PRF and J, X-Wing's seed
 *     Keccak-256      136   0x01        Ethereum (the padding before FIPS 202)
 *
 * Time depends on lengths only.
 */
#ifndef XMTP_CRYPTO_KECCAK_H
#define XMTP_CRYPTO_KECCAK_H

#include <xmtp/base.h>

typedef struct xmtp_keccak {
    uint64_t lanes[25];
    size_t rate; /* bytes per permutation */
    size_t at;   /* next byte of the rate to absorb or squeeze */
    uint8_t suffix;
    bool is_squeezing;
} xmtp_keccak;

void xmtp_shake128_init(xmtp_keccak *k);
void xmtp_shake256_init(xmtp_keccak *k);
void xmtp_sha3_256_init(xmtp_keccak *k);
void xmtp_sha3_512_init(xmtp_keccak *k);

/* Takes in bytes; not after the first squeeze. */
void xmtp_keccak_absorb(xmtp_keccak *k, xmtp_bytes in);

/* Gives the next n bytes of output; the first call pads the input. */
void xmtp_keccak_squeeze(xmtp_keccak *k, uint8_t *out, size_t n);

void xmtp_keccak_wipe(xmtp_keccak *k);

/* The permutation Keccak-f[1600]. */
void xmtp_keccak_permute(uint64_t lanes[25]);

/* One-shot forms; they wipe their state. */
void xmtp_sha3_256(xmtp_bytes in, uint8_t out[32]);
void xmtp_sha3_512(xmtp_bytes in, uint8_t out[64]);
void xmtp_shake256(xmtp_bytes in, uint8_t *out, size_t out_len);

#endif
