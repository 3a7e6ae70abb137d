/* secp256k1_scalar.c - see secp256k1_scalar.h.
 *
 * Products are Montgomery's: a b / 2^256 modulo n. There is one inverse for up to eight
 * numbers, from which the single ones follow by products (Montgomery's trick).
 *
 * The halves: with v1 = (A, -M) and v2 = (A + M, A), the shortest vectors (x, y) with x + y lambda = 0
 * modulo n, as the Euclidean algorithm on n and lambda gives them (Gallant, Lambert, Vanstone 2001, section
 * 4), k = c1 v1 + c2 v2 + (rest) with c1 = k A / n and c2 = k M / n, rounded. The quotients are products
 * with A 2^384 / n and M 2^384 / n, rounded; the rest is below 2^128 on both sides.
 */
#include "crypto/secp256k1_scalar.h"

#include "base/bytes.h"
#include "crypto/modular_inverse.h"
#include "crypto/words_256.h"

#include <assert.h>

#define UNROLL _Pragma("GCC unroll 4")

static const xmtp_scalar HALF_ORDER = {
    {0xdfe92f46681b20a0, 0x5d576e7357a4501d, 0xffffffffffffffff, 0x7fffffffffffffff}};
static const xmtp_modulus MODULUS = {
    .v = {0xbfd25e8cd0364141, 0xbaaedce6af48a03b, 0xfffffffffffffffe, 0xffffffffffffffff},
    .minus_inverse = 0x4b0dff665588b13f};
static const xmtp_scalar_factor SQUARE = {
    {{0x896cf21467d7d140, 0x741496c20e7cf878, 0xe697f5e45bcd07c6, 0x9d671cd581c69bc5}}}; /* 2^512 */

static const uint64_t A[WORDS] = {0xe86c90e49284eb15, 0x3086d221a7d46bcd};
static const uint64_t M[WORDS] = {0x6f547fa90abfe4c3, 0xe4437ed6010e8828};
static const uint64_t A_BY_N[WORDS] = {0xe893209a45dbb031, 0x3daa8a1471e8ca7f, 0xe86c90e49284eb15,
                                       0x3086d221a7d46bcd};
static const uint64_t M_BY_N[WORDS] = {0x1571b4ae8ac47f71, 0x221208ac9df506c6, 0x6f547fa90abfe4c4,
                                       0xe4437ed6010e8828};

/* ---- four words */

static void multiply_whole(uint64_t r[2 * WORDS], const uint64_t a[WORDS], const uint64_t b[WORDS])
{
    memset(r, 0, 2 * WORDS * sizeof *r);
    UNROLL
    for (size_t i = 0; i < WORDS; i++) {
        wide t = 0;
        UNROLL
        for (size_t j = 0; j < WORDS; j++) {
            t = (wide)a[i] * b[j] + r[i + j] + (uint64_t)(t >> 64);
            r[i + j] = (uint64_t)t;
        }
        r[i + WORDS] = (uint64_t)(t >> 64);
    }
}

/* r -= a b modulo 2^256 */
static void subtract_product(uint64_t r[WORDS], const uint64_t a[WORDS], const uint64_t b[WORDS])
{
    uint64_t product[2 * WORDS];
    multiply_whole(product, a, b);
    (void)words_subtract(r, r, product);
}

/* ---- modulo n */

/* r = a - n when that is not negative; over is what a has above its words. */
static void subtract_order(xmtp_scalar *r, const uint64_t a[WORDS], uint64_t over)
{
    uint64_t less[WORDS];
    const uint64_t borrow = words_subtract(less, a, MODULUS.v);
    memcpy(r->v, over >= borrow ? less : a, sizeof r->v);
}

bool xmtp_scalar_read(xmtp_scalar *r, const uint8_t in[32])
{
    uint64_t a[WORDS], less[WORDS];
    for (size_t i = 0; i < WORDS; i++) {
        const uint8_t *p = in + 8 * (WORDS - 1 - i);
        a[i] = 0;
        for (size_t j = 0; j < 8; j++) {
            a[i] = a[i] << 8 | p[j];
        }
    }
    const bool is_below = words_subtract(less, a, MODULUS.v) == 1;
    memcpy(r->v, is_below ? a : less, sizeof r->v);
    return is_below;
}

void xmtp_scalar_write(const xmtp_scalar *a, uint8_t out[32])
{
    for (size_t i = 0; i < 32; i++) {
        out[31 - i] = (uint8_t)(a->v[i / 8] >> (8 * (i % 8)));
    }
}

bool xmtp_scalar_is_zero(const xmtp_scalar *a)
{
    return (a->v[0] | a->v[1] | a->v[2] | a->v[3]) == 0;
}

bool xmtp_scalar_is_high(const xmtp_scalar *a)
{
    uint64_t rest[WORDS];
    return words_subtract(rest, HALF_ORDER.v, a->v) == 1;
}

void xmtp_scalar_negate(xmtp_scalar *r, const xmtp_scalar *a)
{
    if (xmtp_scalar_is_zero(a)) {
        *r = *a;
    } else {
        (void)words_subtract(r->v, MODULUS.v, a->v);
    }
}

/* One word of a at a time: t = (t + a[i] b + m n) / 2^64 with the m that makes it divide. */
void xmtp_scalar_multiply(xmtp_scalar *r, const xmtp_scalar *a, const xmtp_scalar_factor *b)
{
    uint64_t t[WORDS + 1] = {0};
    UNROLL
    for (size_t i = 0; i < WORDS; i++) {
        wide s = 0;
        UNROLL
        for (size_t j = 0; j < WORDS; j++) {
            s = (wide)a->v[i] * b->s.v[j] + t[j] + (uint64_t)(s >> 64);
            t[j] = (uint64_t)s;
        }
        const wide top = (s >> 64) + t[WORDS];
        const uint64_t m = t[0] * MODULUS.minus_inverse;
        s = (wide)m * MODULUS.v[0] + t[0];
        UNROLL
        for (size_t j = 1; j < WORDS; j++) {
            s = (wide)m * MODULUS.v[j] + t[j] + (uint64_t)(s >> 64);
            t[j - 1] = (uint64_t)s;
        }
        s = top + (uint64_t)(s >> 64);
        t[WORDS - 1] = (uint64_t)s;
        t[WORDS] = (uint64_t)(s >> 64);
    }
    subtract_order(r, t, t[WORDS]);
}

static void multiply_factors(xmtp_scalar_factor *r, const xmtp_scalar_factor *a,
                             const xmtp_scalar_factor *b)
{
    xmtp_scalar_multiply(&r->s, &a->s, b);
}

/* ---- inverses */

void xmtp_scalar_invert(xmtp_scalar_factor *inverses, const xmtp_scalar *scalars, size_t count)
{
    xmtp_scalar_factor own[8], before[8], inverse;
    assert(count >= 1 && count <= 8);
    xmtp_scalar_multiply(&own[0].s, &scalars[0], &SQUARE);
    before[0] = own[0];
    for (size_t i = 1; i < count; i++) { /* products of the first i + 1 */
        xmtp_scalar_multiply(&own[i].s, &scalars[i], &SQUARE);
        multiply_factors(&before[i], &before[i - 1], &own[i]);
    }
    xmtp_modular_inverse(inverse.s.v, before[count - 1].s.v, &MODULUS); /* 2^512 too small */
    multiply_factors(&inverse, &inverse, &SQUARE);
    multiply_factors(&inverse, &inverse, &SQUARE);
    for (size_t i = count - 1; i > 0; i--) {
        multiply_factors(&inverses[i], &inverse, &before[i - 1]);
        multiply_factors(&inverse, &inverse, &own[i]);
    }
    inverses[0] = inverse;
}

/* ---- halves */

/* k b / 2^384, rounded. */
static void quotient(uint64_t r[WORDS], const xmtp_scalar *k, const uint64_t b[WORDS])
{
    uint64_t product[2 * WORDS];
    multiply_whole(product, k->v, b);
    const uint64_t up[WORDS] = {product[5] >> 63};
    memcpy(r, (const uint64_t[WORDS]){product[6], product[7]}, WORDS * sizeof *r);
    (void)words_add(r, r, up);
}

static void half_of(xmtp_scalar_half *half, const uint64_t a[WORDS])
{
    uint64_t size[WORDS];
    memcpy(size, a, sizeof size);
    half->is_negative = a[WORDS - 1] >> 63 == 1;
    if (half->is_negative) {
        (void)words_subtract(size, (const uint64_t[WORDS]){0}, a);
    }
    assert(size[2] == 0 && size[3] == 0);
    half->v[0] = size[0];
    half->v[1] = size[1];
}

void xmtp_scalar_split(xmtp_scalar_half halves[2], const xmtp_scalar *k)
{
    uint64_t c1[WORDS], c2[WORDS], both[WORDS], first[WORDS], second[WORDS] = {0};
    quotient(c1, k, A_BY_N);
    quotient(c2, k, M_BY_N);
    (void)words_add(both, c1, c2);
    memcpy(first, k->v, sizeof first); /* k - c1 A - c2 (A + M) */
    subtract_product(first, both, A);
    subtract_product(first, c2, M);
    subtract_product(second, c2, A); /* c1 M - c2 A */
    uint64_t product[2 * WORDS];
    multiply_whole(product, c1, M);
    (void)words_add(second, second, product);
    half_of(&halves[0], first);
    half_of(&halves[1], second);
}
