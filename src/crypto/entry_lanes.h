/* entry_lanes.h - points of edwards25519 with Z = 1, in tables; private to this room, and only for x86-64
 * (vectors.h). No branch and no address depends on a point.
 */
#ifndef XMTP_CRYPTO_ENTRY_LANES_H
#define XMTP_CRYPTO_ENTRY_LANES_H

#include "crypto/point_lanes.h"

enum { WORDS = 4, ENTRY_WORDS = 3 * WORDS, ENTRIES = 8 /* made at once */ };

/* A reduced element of each lane in four words: a fifth less to read than five limbs. */
typedef struct packed {
    words v[WORDS];
} packed;

/* In each lane a point, as an addition takes it. */
typedef struct entry {
    packed y_minus_x, y_plus_x, t_2d;
} entry;

LANES static inline void pack(packed *r, const field *a)
{
    whole t;
    field_reduce(&t, a);
    r->v[0] = t.v[0] | t.v[1] << 51;
    r->v[1] = t.v[1] >> 13 | t.v[2] << 38;
    r->v[2] = t.v[2] >> 26 | t.v[3] << 25;
    r->v[3] = t.v[3] >> 39 | t.v[4] << 12;
}

LANES static inline void unpack(field *r, const packed *a)
{
    const words *v = a->v;
    whole t = {{v[0], v[0] >> 51 | v[1] << 13, v[1] >> 38 | v[2] << 26, v[2] >> 25 | v[3] << 39,
                v[3] >> 12}};
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        t.v[i] &= all(LIMB_MASK);
    }
    field_split(r, &t);
}

LANES static inline void packed_choose(packed *r, mask chosen, const packed *a)
{
    UNROLL
    for (int i = 0; i < WORDS; i++) {
        r->v[i] = choose(chosen, a->v[i], r->v[i]);
    }
}

LANES static void make_entry(entry *r, const point *p, const field *inverse_of_z)
{
    const field twice_d = field_of(TWICE_D);
    field x, y, t;
    field_multiply(&x, &p->x, inverse_of_z);
    field_multiply(&y, &p->y, inverse_of_z);
    field_subtract(&t, &y, &x);
    pack(&r->y_minus_x, &t);
    field_add(&t, &y, &x);
    pack(&r->y_plus_x, &t);
    field_multiply(&t, &x, &y);
    field_multiply(&t, &t, &twice_d);
    pack(&r->t_2d, &t);
}

/* entries[i] = p + [i]step, with one inversion for all; p becomes what would be the next. */
LANES static void make_entries(entry entries[ENTRIES], point *p, const addend *step)
{
    point points[ENTRIES];
    field products[ENTRIES]; /* of Z, up to this one */
    field inverse, inverse_of_z;
    for (size_t i = 0; i < ENTRIES; i++) {
        points[i] = *p;
        products[i] = p->z;
        if (i > 0) {
            field_multiply(&products[i], &products[i - 1], &p->z);
        }
        add_point(p, p, step, true);
    }
    field_invert(&inverse, &products[ENTRIES - 1]);
    for (size_t i = ENTRIES; i-- > 1;) {
        field_multiply(&inverse_of_z, &inverse, &products[i - 1]);
        field_multiply(&inverse, &inverse, &points[i].z);
        make_entry(&entries[i], &points[i], &inverse_of_z);
    }
    make_entry(&entries[0], &points[0], &inverse);
}

/* r = the entry, or minus it in the lanes that are negative; its Z is 1. */
LANES static inline void addend_of_entry(addend *r, const entry *a, mask negative)
{
    entry chosen = *a;
    field minus_t_2d;
    packed_choose(&chosen.y_minus_x, negative, &a->y_plus_x);
    packed_choose(&chosen.y_plus_x, negative, &a->y_minus_x);
    unpack(&r->y_minus_x, &chosen.y_minus_x);
    unpack(&r->y_plus_x, &chosen.y_plus_x);
    unpack(&r->t_2d, &chosen.t_2d);
    negate(&minus_t_2d, &r->t_2d);
    field_choose(&r->t_2d, negative, &minus_t_2d);
}

/* r += the point of q, whose Z is 1. */
LANES __attribute__((noinline)) static void add_entry(point *r, const addend *q, bool wants_t)
{
    field d;
    field_add(&d, &r->z, &r->z);
    add_with(r, r, q, &d, wants_t);
}

LANES static inline void point_choose(point *r, mask chosen, const point *a)
{
    field_choose(&r->x, chosen, &a->x);
    field_choose(&r->y, chosen, &a->y);
    field_choose(&r->z, chosen, &a->z);
    field_choose(&r->t, chosen, &a->t);
}

/* r = [2^times]p */
LANES static void double_times(point *r, const point *p, size_t times)
{
    *r = *p;
    for (size_t i = 0; i < times; i++) {
        double_point(r, r, true);
    }
}

LANES static void set_base(point *r)
{
    r->x = field_of(BASE_X);
    r->y = field_of(BASE_Y);
    r->z = field_of(ONE);
    field_multiply(&r->t, &r->x, &r->y);
}

#endif
