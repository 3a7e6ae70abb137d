/* x25519_lanes.c - the Montgomery ladder of RFC 7748 section 5 for as many independent pairs as there are
 * lanes; x25519_avx2.c is the same for the other kind (vectors.h).
 *
 * No branch and no address depends on a scalar or a point; each lane gives what a ladder alone gives.
 */
#include "crypto/x25519_lanes.h"

#include "base/bytes.h"

#if defined(__x86_64__)

#include "crypto/field_lanes.h"

enum { A24 = 121665 };

typedef struct ladder {
    words scalar[4]; /* 64 bits each, least significant first */
    field x1, x2, z2, x3, z3;
} ladder;

LANES static void load_scalars(ladder *l, const uint8_t *const sk[WIDTH])
{
    uint64_t parts[4][WIDTH];
    for (size_t i = 0; i < WIDTH; i++) {
        for (size_t w = 0; w < 4; w++) {
            parts[w][i] = load_64(sk[i] + 8 * w);
        }
        parts[0][i] &= ~UINT64_C(7); /* clamped */
        parts[3][i] = (parts[3][i] & (UINT64_MAX >> 1)) | UINT64_C(1) << 62;
    }
    for (size_t w = 0; w < 4; w++) {
        l->scalar[w] = load(parts[w]);
    }
    xmtp_wipe(parts, sizeof parts);
}

/* Exchanges a and b in the lanes where it is all ones. */
LANES static inline void swap(field *a, field *b, words where)
{
    UNROLL
    for (int i = 0; i < PARTS; i++) {
        const words t = (a->v[i] ^ b->v[i]) & where;
        a->v[i] ^= t;
        b->v[i] ^= t;
    }
}

/* The body of the loop in RFC 7748 section 5, in its names. */
LANES static void step(ladder *l)
{
    field a, b, c, d, aa, bb, e, da, cb;
    loose_add(&a, &l->x2, &l->z2);
    loose_subtract(&b, &l->x2, &l->z2);
    loose_add(&c, &l->x3, &l->z3);
    loose_subtract(&d, &l->x3, &l->z3);
    field_square(&aa, &a);
    field_square(&bb, &b);
    field_multiply(&da, &d, &a);
    field_multiply(&cb, &c, &b);
    loose_subtract(&e, &aa, &bb);
    loose_add(&l->x3, &da, &cb);
    field_square(&l->x3, &l->x3);
    loose_subtract(&l->z3, &da, &cb);
    field_square(&l->z3, &l->z3);
    field_multiply(&l->z3, &l->z3, &l->x1);
    field_multiply(&l->x2, &aa, &bb);
    field_times_small(&l->z2, &e, A24);
    field_add(&l->z2, &l->z2, &aa);
    field_multiply(&l->z2, &l->z2, &e);
}

LANES static void climb(ladder *l)
{
    words swapped = all(0);
    for (unsigned t = 255; t > 0; t--) {
        const words bit = (l->scalar[(t - 1) / 64] >> ((t - 1) % 64)) & all(1);
        const words where = all(0) - (bit ^ swapped);
        swap(&l->x2, &l->x3, where);
        swap(&l->z2, &l->z3, where);
        swapped = bit;
        step(l);
    }
    /* The last bits are zero after clamping: nothing is left swapped. */
}

LANES static void multiply(const uint8_t *const sk[WIDTH], const uint8_t *const point[WIDTH],
                           uint8_t out[WIDTH][32])
{
    ladder l;
    field inverse;
    memset(&l, 0, sizeof l);
    load_scalars(&l, sk);
    field_decode(&l.x1, point);
    l.x2.v[0] = all(1);
    l.z3.v[0] = all(1);
    l.x3 = l.x1;
    climb(&l);
    field_invert(&inverse, &l.z2);
    field_multiply(&l.x2, &l.x2, &inverse);
    field_encode(&l.x2, out);
    xmtp_wipe(&l, sizeof l);
    xmtp_wipe(&inverse, sizeof inverse);
}

void LANES_NAME(xmtp_x25519)(const uint8_t *const sk[XMTP_LANES],
                             const uint8_t *const point[XMTP_LANES], uint8_t out[XMTP_LANES][32],
                             size_t count)
{
    for (size_t done = 0; done < count; done += WIDTH) {
        multiply(sk + done, point + done, out + done);
    }
}

#endif
