/* mlkem_ring.h - the three ways in which mlkem_poly.h does its arithmetic; private to them. The same
 * results, bit for bit.
 */
#ifndef XMTP_CRYPTO_MLKEM_RING_H
#define XMTP_CRYPTO_MLKEM_RING_H

#include "crypto/mlkem_poly.h"

typedef struct xmtp_mlkem_ring {
    void (*add)(xmtp_poly *a, const xmtp_poly *b);
    void (*sub)(xmtp_poly *a, const xmtp_poly *b);
    void (*ntt)(xmtp_poly *a);
    void (*ntt_inverse)(xmtp_poly *a);
    void (*multiply_add)(xmtp_poly *sum, const xmtp_poly *a, const xmtp_poly *b);
    bool (*decode)(xmtp_poly *a, const uint8_t in[384]);
    void (*compress)(const xmtp_poly *a, unsigned d, uint8_t *out);
    void (*decompress)(xmtp_poly *a, unsigned d, const uint8_t *in);
    void (*binomial)(xmtp_poly *a, const uint8_t b[128]);
    /* Candidates of 12 bits that are below q, appended to the *filled coefficients of a until there
     * are at least 241, or n bytes (a multiple of 24) are read. Says how many bytes were. */
    size_t (*accept)(xmtp_poly *a, size_t *filled, const uint8_t *in, size_t n);
} xmtp_mlkem_ring;

/* Each way has its functions by these names. */
#define MLKEM_RING_OF_FILE                                                                         \
    {                                                                                              \
        .add = add_poly, .sub = subtract_poly, .ntt = ntt, .ntt_inverse = ntt_inverse,             \
        .multiply_add = multiply_add, .decode = decode, .compress = compress,                      \
        .decompress = decompress, .binomial = binomial, .accept = accept                           \
    }

/* Of the files of these names; only where xmtp_lanes_here says so. */
extern const xmtp_mlkem_ring xmtp_mlkem_avx2;
extern const xmtp_mlkem_ring xmtp_mlkem_avx512;

extern const uint16_t xmtp_mlkem_zetas[128]; /* 17^BitRev7(i) mod q, FIPS 203 appendix A */

#endif
