/* modular_inverse.c - the fast Euclidean algorithm of Bernstein and Yang (ePrint 2019/266).
 *
 *     f, g = n, a     d, e = 0, 1          d a = f and e a = g modulo n, always
 *
 * Division steps are made 60 at a time on the lowest words of f and g, and then as one matrix on f and g, and
 * modulo n on d and e. With numbers of 256 bits g is zero after 741 steps (section 11), and f is 1 or -1.
 */
#include "crypto/modular_inverse.h"

#include "base/bytes.h"
#include "crypto/words_256.h"

#define UNROLL _Pragma("GCC unroll 4")

enum { STEPS = 60, STEPS_MAX = 741, SIGNED_WORDS = WORDS + 1 };

typedef __int128 signed_wide;

/* With a sign: two's complement. */
typedef struct signed_number {
    uint64_t v[SIGNED_WORDS];
} signed_number;

/* 2^60 times the new f is uu f + uv g, and times the new g vu f + vv g. */
typedef struct matrix {
    int64_t uu, uv, vu, vv;
} matrix;

static void turn(int64_t *a, int64_t *b)
{
    const int64_t old = *a;
    *a = *b;
    *b = -old;
}

/* Returns delta after the steps. Zeros at the end of g are steps of which nothing is seen. */
static int64_t divide_steps(matrix *m, int64_t delta, uint64_t f, uint64_t g)
{
    *m = (matrix){.uu = 1, .vv = 1};
    for (int left = STEPS;;) {
        const int zeros = __builtin_ctzll(g | UINT64_C(1) << left);
        g >>= zeros;
        m->uu *= INT64_C(1) << zeros;
        m->uv *= INT64_C(1) << zeros;
        delta += zeros;
        left -= zeros;
        if (left == 0) {
            return delta;
        }
        if (delta > 0) {
            const uint64_t old = f;
            f = g;
            g = -old;
            delta = -delta;
            turn(&m->uu, &m->vu);
            turn(&m->uv, &m->vv);
        }
        g += f;
        m->vu += m->uu;
        m->vv += m->uv;
    }
}

/* r = (u a + v b + w n) / 2^60, which must be whole. The sizes of u, v and w are 2^60 at most. */
static void combine(signed_number *r, int64_t u, const signed_number *a, int64_t v,
                    const signed_number *b, int64_t w, const xmtp_modulus *n)
{
    uint64_t whole[SIGNED_WORDS + 1];
    signed_wide sum = 0;
    UNROLL
    for (size_t i = 0; i < WORDS; i++) {
        sum += (signed_wide)u * a->v[i] + (signed_wide)v * b->v[i] + (signed_wide)w * n->v[i];
        whole[i] = (uint64_t)sum;
        sum >>= 64;
    }
    sum += (signed_wide)u * (int64_t)a->v[WORDS] + (signed_wide)v * (int64_t)b->v[WORDS];
    whole[WORDS] = (uint64_t)sum;
    whole[SIGNED_WORDS] = (uint64_t)(sum >> 64);
    for (size_t i = 0; i < SIGNED_WORDS; i++) {
        r->v[i] = whole[i] >> STEPS | whole[i + 1] << (64 - STEPS);
    }
}

/* r = (u d + v e) / 2^60 modulo n, with as many n as make it whole. */
static void combine_modulo(signed_number *r, int64_t u, const signed_number *d, int64_t v,
                           const signed_number *e, const xmtp_modulus *n)
{
    const uint64_t low = (uint64_t)u * d->v[0] + (uint64_t)v * e->v[0];
    const uint64_t w = low * n->minus_inverse & ((UINT64_C(1) << STEPS) - 1);
    combine(r, u, d, v, e, (int64_t)w, n);
}

static void apply(const matrix *m, signed_number *f, signed_number *g, signed_number *d,
                  signed_number *e, const xmtp_modulus *n)
{
    const signed_number old_f = *f, old_d = *d;
    combine(f, m->uu, &old_f, m->uv, g, 0, n);
    combine(g, m->vu, &old_f, m->vv, g, 0, n);
    combine_modulo(d, m->uu, &old_d, m->uv, e, n);
    combine_modulo(e, m->vu, &old_d, m->vv, e, n);
}

static bool is_negative(const signed_number *a)
{
    return a->v[WORDS] >> 63 == 1;
}

static bool is_zero(const signed_number *a)
{
    return (a->v[0] | a->v[1] | a->v[2] | a->v[3] | a->v[4]) == 0;
}

/* r = a modulo n: a is a few times n. */
static void reduce(uint64_t r[WORDS], const signed_number *a, const xmtp_modulus *n)
{
    signed_number t = *a;
    while (is_negative(&t)) {
        t.v[WORDS] += words_add(t.v, t.v, n->v);
    }
    while (!is_negative(&t)) {
        memcpy(r, t.v, WORDS * sizeof *r);
        t.v[WORDS] -= words_subtract(t.v, t.v, n->v);
    }
}

void xmtp_modular_inverse(uint64_t r[WORDS], const uint64_t a[WORDS], const xmtp_modulus *n)
{
    signed_number f = {{0}}, g = {{0}}, d = {{0}}, e = {{1}};
    int64_t delta = 1;
    memcpy(f.v, n->v, sizeof n->v);
    memcpy(g.v, a, sizeof n->v);
    for (int steps = 0; steps < STEPS_MAX && !is_zero(&g); steps += STEPS) {
        matrix m;
        delta = divide_steps(&m, delta, f.v[0], g.v[0]);
        apply(&m, &f, &g, &d, &e, n);
    }
    if (is_negative(&f)) { /* -1, so the inverse is -d */
        combine(&d, -(INT64_C(1) << STEPS), &d, 0, &d, 0, n);
    }
    reduce(r, &d, n);
}
