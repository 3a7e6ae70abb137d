/* half_scalars.c - see half_scalars.h.
 *
 * Pairs with t k = r modulo 8L, of which Euclid's algorithm makes the next by subtracting multiples of one from
 * the other: r shrinks, and t grows, until r1 is below 2^128 and t1 not much above:
 *
 *     (8L, 0), (k, 1)  -->  ...  -->  (r0, t0), (r1, t1)
 *
 * Of two neighbours one t at least is odd, since one times one t less another times the other is 1. When t1 is
 * even, t0 stays odd whatever multiple of the last pair is subtracted: of those, one in which both are short.
 *
 * Lehmer's way: the quotients of some twenty steps come of the highest bits, and the numbers follow once. A
 * quotient that is not quite Euclid's only makes numbers a little longer, or negative.
 */
#include "crypto/half_scalars.h"

enum { WORDS = 4, MIDDLE = 128, TOP_BITS = 62, HALF_TOP_BITS = 31 };

/* Modulo 2^256; negative ones are below 0 by less than half of that. */
typedef struct number {
    uint64_t v[WORDS];
} number;

typedef struct pair {
    number r; /* not negative */
    number t;
} pair;

static int bit_count(const number *a)
{
    for (int i = WORDS; i-- > 0;) {
        if (a->v[i] != 0) {
            return 64 * i + 64 - __builtin_clzll(a->v[i]);
        }
    }
    return 0;
}

static bool is_negative(const number *a)
{
    return a->v[WORDS - 1] >> 63 != 0;
}

/* a x + b y; a and b below 2^32 in size */
static number sum_of(int64_t a, const number *x, int64_t b, const number *y)
{
    number r;
    __int128 carry = 0;
    for (int i = 0; i < WORDS; i++) {
        carry += (__int128)a * x->v[i] + (__int128)b * y->v[i];
        r.v[i] = (uint64_t)carry;
        carry >>= 64;
    }
    return r;
}

static number minus(const number *a)
{
    static const number zero;
    return sum_of(0, &zero, -1, a);
}

static pair pair_of(int64_t a, const pair *x, int64_t b, const pair *y)
{
    pair p = {.r = sum_of(a, &x->r, b, &y->r), .t = sum_of(a, &x->t, b, &y->t)};
    if (is_negative(&p.r)) {
        p.r = minus(&p.r);
        p.t = minus(&p.t);
    }
    return p;
}

/* Of the bits from shift on, which are at most 64. */
static uint64_t top_of(const number *a, int shift)
{
    const int word = shift / 64;
    const int rest = shift % 64;
    const uint64_t low = a->v[word] >> rest;
    return rest == 0 || word + 1 == WORDS ? low : low | a->v[word + 1] << (64 - rest);
}

/* Many steps, while r1 is above 2^MIDDLE. */
static void reduce(pair *p0, pair *p1)
{
    const int shift = bit_count(&p0->r) - TOP_BITS;
    const int end = MIDDLE - shift > HALF_TOP_BITS ? MIDDLE - shift : HALF_TOP_BITS;
    uint64_t x = top_of(&p0->r, shift);
    uint64_t y = top_of(&p1->r, shift);
    int64_t a = 1, b = 0, c = 0, d = 1; /* x = a r0 + b r1, y = c r0 + d r1, about */
    while (y >> end != 0) {
        const uint64_t q = x / y;
        const uint64_t rest = x - q * y;
        const int64_t e = a - (int64_t)q * c;
        const int64_t f = b - (int64_t)q * d;
        x = y, y = rest;
        a = c, c = e;
        b = d, d = f;
    }
    const pair next = pair_of(a, p0, b, p1);
    *p1 = pair_of(c, p0, d, p1);
    *p0 = next;
}

static number shifted(const number *a, int bits)
{
    number r = {{0}};
    const int word = bits / 64;
    const int rest = bits % 64;
    for (int i = word; i < WORDS; i++) {
        r.v[i] = a->v[i - word] << rest;
        if (rest > 0 && i > word) {
            r.v[i] |= a->v[i - word - 1] >> (64 - rest);
        }
    }
    return r;
}

/* Takes [2^n]b off, the largest that leaves r shorter. */
static void take(pair *a, const pair *b)
{
    const int n = bit_count(&a->r) - bit_count(&b->r);
    const pair multiple = {.r = shifted(&b->r, n), .t = shifted(&b->t, n)};
    *a = pair_of(1, a, -1, &multiple);
}

/* Its digits of base 16 are 33, of which the highest has room for what is carried. */
static bool is_short(const number *a)
{
    return a->v[3] == 0 && a->v[2] < 7;
}

static void put(uint8_t out[32], const number *a)
{
    for (size_t i = 0; i < 32; i++) {
        out[i] = (uint8_t)(a->v[i / 8] >> (8 * (i % 8)));
    }
}

static number number_of(const uint8_t in[32])
{
    number r = {{0}};
    for (size_t i = 0; i < 32; i++) {
        r.v[i / 8] |= (uint64_t)in[i] << (8 * (i % 8));
    }
    return r;
}

bool xmtp_half_scalars_of(const uint8_t k[32], xmtp_half_scalars *out)
{
    static const number eightfold_order = {
        {0xc09318d2e7ae9f68, 0xa6f7cef517bce6b2, 0, 0x8000000000000000}};
    pair p0 = {.r = eightfold_order};
    pair p1 = {.r = number_of(k), .t = {{1}}};
    while (bit_count(&p1.r) > MIDDLE) {
        if (bit_count(&p0.r) - bit_count(&p1.r) < HALF_TOP_BITS - 1) {
            reduce(&p0, &p1);
        } else {
            take(&p0, &p1);
        }
        if (bit_count(&p0.r) < bit_count(&p1.r)) {
            const pair other = p0;
            p0 = p1;
            p1 = other;
        }
    }
    pair *odd = &p1;
    if ((p1.t.v[0] & 1) == 0) {
        odd = &p0;
        while (!is_short(&p0.r) && bit_count(&p1.r) > 0) {
            take(&p0, &p1);
        }
    }
    const bool is_minus = is_negative(&odd->t);
    const number e = is_minus ? minus(&odd->t) : odd->t;
    put(out->e, &e);
    put(out->f, &odd->r);
    out->f_is_negative = is_minus;
    return is_short(&e) && is_short(&odd->r);
}
