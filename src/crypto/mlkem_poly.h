/* mlkem_poly.h - polynomials of ML-KEM: the ring, the NTT, sampling and packing; private to
 * mlkem.c and its tests. Sampling is in mlkem_sample.c.
 *
 * Everything runs in time that does not depend on coefficients, except xmtp_poly_sample_ntt and
 * xmtp_poly_accept, whose input and output are public.
 */
#ifndef XMTP_CRYPTO_MLKEM_POLY_H
#define XMTP_CRYPTO_MLKEM_POLY_H

#include <xmtp/base.h>

enum { MLKEM_N = 256, MLKEM_Q = 3329 };

/* Invariant between all calls: every coefficient is below MLKEM_Q. */
typedef struct xmtp_poly {
    uint16_t c[MLKEM_N];
} xmtp_poly;

/* a += b, a -= b */
void xmtp_poly_add(xmtp_poly *a, const xmtp_poly *b);
void xmtp_poly_sub(xmtp_poly *a, const xmtp_poly *b);

/* NTT and its inverse in place (FIPS 203 algorithms 9 and 10). */
void xmtp_poly_ntt(xmtp_poly *a);
void xmtp_poly_ntt_inverse(xmtp_poly *a);

/* sum += a * b, all three in the NTT domain (algorithms 11 and 12). */
void xmtp_poly_multiply_add(xmtp_poly *sum, const xmtp_poly *a, const xmtp_poly *b);

/* A polynomial that is wanted, and what it is made from. */
typedef struct xmtp_poly_sample {
    xmtp_poly *out;
    const uint8_t *seed; /* 32 bytes */
    uint8_t index[2];    /* column and row; or a counter */
} xmtp_poly_sample;

/* Uniform elements of the NTT domain from rho, column and row (algorithm 7), and small ones from the
 * secret seed and a counter: PRF with eta = 2, then algorithm 8. Eight cost little more than one
 * where the machine has lanes. */
void xmtp_poly_sample_ntt(const xmtp_poly_sample *samples, size_t count);
void xmtp_poly_sample_cbd(const xmtp_poly_sample *samples, size_t count);

/* The part of algorithm 7 behind the sponge: appends what n bytes (a multiple of 24) give to the
 * *filled coefficients of a, at most up to MLKEM_N. */
void xmtp_poly_accept(xmtp_poly *a, size_t *filled, const uint8_t *in, size_t n);

/* The part of algorithm 8 behind PRF. */
void xmtp_poly_binomial(xmtp_poly *a, const uint8_t b[128]);

/* ByteEncode_12 and ByteDecode_12 (algorithms 5 and 6), 384 bytes. decode says whether every
 * coefficient was below q, which only public keys are asked. */
void xmtp_poly_encode(const xmtp_poly *a, uint8_t out[384]);
bool xmtp_poly_decode(xmtp_poly *a, const uint8_t in[384]);

/* ByteEncode_d of Compress_d and back (section 4.2.1), 32 * d bytes; d is 1, 4 or 10. */
void xmtp_poly_compress(const xmtp_poly *a, unsigned d, uint8_t *out);
void xmtp_poly_decompress(xmtp_poly *a, unsigned d, const uint8_t *in);

#endif
