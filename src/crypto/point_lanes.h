/* point_lanes.h - points of edwards25519 (RFC 8032 section 5.1), one in each lane; private to this room, and
 * only for x86-64 (vectors.h).
 *
 * The addition of section 5.1.4 is complete: it is right for every two points, of whatever order. No
 * branch and no address depends on a point. Results may be the same objects as arguments.
 */
#ifndef XMTP_CRYPTO_POINT_LANES_H
#define XMTP_CRYPTO_POINT_LANES_H

#include "crypto/field_lanes.h"

/* x = X / Z, y = Y / Z, x y = T / Z */
typedef struct point {
    field x, y, z, t;
} point;

/* What an addition takes of its second point. */
typedef struct addend {
    field y_minus_x, y_plus_x, t_2d, z_2;
} addend;

static const constant ZERO = {0};
static const constant ONE = {1};
static const constant TWICE_D = {0x69b9426b2f159, 0x35050762add7a, 0x3cf44c0038052, 0x6738cc7407977,
                                 0x2406d9dc56dff};
static const constant BASE_X = {0x62d608f25d51a, 0x412a4b4f6592a, 0x75b7171a4b31d, 0x1ff60527118fe,
                                0x216936d3cd6e5};
static const constant BASE_Y = {0x6666666666658, 0x4cccccccccccc, 0x1999999999999, 0x3333333333333,
                                0x6666666666666};

/* ---- more of the field ---- */

LANES static inline void negate(field *r, const field *a)
{
    const field zero = field_of(ZERO);
    field_subtract(r, &zero, a);
}

/* ---- points ---- */

/* Section 5.1.4, in its names. T is made where an addition follows. r may be p. */
LANES __attribute__((noinline)) static void double_point(point *r, const point *p, bool wants_t)
{
    field a, b, c, e, f, g, h;
    field_square(&a, &p->x);
    field_square(&b, &p->y);
    field_square(&c, &p->z);
    loose_add(&c, &c, &c);
    loose_add(&h, &a, &b);
    loose_add(&e, &p->x, &p->y);
    field_square(&e, &e);
    field_subtract(&e, &h, &e);
    loose_subtract(&g, &a, &b);
    field_add(&f, &c, &g);
    field_multiply(&r->x, &e, &f);
    field_multiply(&r->y, &g, &h);
    field_multiply(&r->z, &f, &g);
    if (wants_t) {
        field_multiply(&r->t, &e, &h);
    }
}

/* The same, but for D = 2 Z1 Z2, which is given. */
LANES static inline void add_with(point *r, const point *p, const addend *q, const field *d,
                                  bool wants_t)
{
    field a, b, c, e, f, g, h;
    loose_subtract(&a, &p->y, &p->x);
    field_multiply(&a, &a, &q->y_minus_x);
    loose_add(&b, &p->y, &p->x);
    field_multiply(&b, &b, &q->y_plus_x);
    field_multiply(&c, &p->t, &q->t_2d);
    loose_subtract(&e, &b, &a);
    loose_subtract(&f, d, &c);
    loose_add(&g, d, &c);
    loose_add(&h, &b, &a);
    field_multiply(&r->x, &e, &f);
    field_multiply(&r->y, &g, &h);
    field_multiply(&r->z, &f, &g);
    if (wants_t) {
        field_multiply(&r->t, &e, &h);
    }
}

LANES __attribute__((noinline)) static void add_point(point *r, const point *p, const addend *q,
                                                      bool wants_t)
{
    field d;
    field_multiply(&d, &p->z, &q->z_2);
    add_with(r, p, q, &d, wants_t);
}

LANES static inline void addend_of(addend *r, const point *p)
{
    const field twice_d = field_of(TWICE_D);
    field_subtract(&r->y_minus_x, &p->y, &p->x);
    field_add(&r->y_plus_x, &p->y, &p->x);
    field_multiply(&r->t_2d, &p->t, &twice_d);
    field_add(&r->z_2, &p->z, &p->z);
}

LANES static inline void set_neutral(point *r)
{
    r->x = r->t = field_of(ZERO);
    r->y = r->z = field_of(ONE);
}

#endif
