/* secp256k1_field_test.c - the field of secp256k1 in lanes is what OpenSSL's numbers are;
 * secp256k1_field_avx2_test.c is the same for the other kind (vectors.h). */
#if defined(__x86_64__)

#include "crypto/secp256k1_field_lanes.h"

#include "crypto/test_big.h"

static const char field_order[] =
    "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC2F";

static BIGNUM *prime;

static void need_lanes(void)
{
#if defined(XMTP_AVX2)
    const xmtp_lanes_kind needed = XMTP_LANES_AVX2;
    const char *name = "AVX2";
#else
    const xmtp_lanes_kind needed = XMTP_LANES_AVX512;
    const char *name = "AVX-512 IFMA";
#endif
    if (xmtp_lanes_here() < needed) {
        print_message("skipped: this machine has no %s\n", name);
        skip();
    }
}

/* An element of one lane: limbs, or their halves. */
typedef struct parts {
    uint64_t v[PARTS];
} parts;

/* Tidy limbs of 52 bits. */
typedef struct limbs {
    uint64_t v[LIMBS];
} limbs;

#define TOP_FULL (TOP_MASK + (1 << 12)) /* the most that tidy limb 4 holds */

static const limbs corner_limbs[] = {
    {{0}},
    {{1}},
    {{7}},
    {{LIMB_MASK, LIMB_MASK, LIMB_MASK, LIMB_MASK, TOP_FULL}},
    {{LIMB_MASK, LIMB_MASK, LIMB_MASK, LIMB_MASK, TOP_MASK}},                    /* 2^256 - 1 */
    {{LIMB_MASK - FOLD_256, LIMB_MASK, LIMB_MASK, LIMB_MASK, TOP_MASK}},         /* p - 1 */
    {{LIMB_MASK - FOLD_256 + 1, LIMB_MASK, LIMB_MASK, LIMB_MASK, TOP_MASK}},     /* p */
    {{LIMB_MASK - FOLD_256 + 2, LIMB_MASK, LIMB_MASK, LIMB_MASK, TOP_MASK}},     /* p + 1 */
    {{0, 0, 0, 0, TOP_MASK + 1}},                                                /* 2^256 */
    {{LIMB_MASK - 2 * FOLD_256 + 2, LIMB_MASK, LIMB_MASK, LIMB_MASK, TOP_MASK}}, /* 2 p - 2^256 */
    {{LIMB_MASK}},
    {{0, LIMB_MASK}},
    {{0, 0, LIMB_MASK}},
    {{0, 0, 0, LIMB_MASK}},
    {{0, 0, 0, 0, TOP_FULL}},
    {{0, LIMB_MASK, LIMB_MASK, LIMB_MASK, TOP_MASK}},
    {{LIMB_MASK, 0, LIMB_MASK, 0, TOP_MASK}},
    {{FOLD_256}},
    {{FOLD_256 - 1, 0, 0, 0, TOP_MASK + 1}},
};
enum { FULL = sizeof corner_limbs / sizeof corner_limbs[0], CORNERS };

static parts parts_of(const limbs *a)
{
    parts r;
    for (size_t i = 0; i < PARTS; i++) {
        const uint64_t limb = a->v[i / PARTS_OF_LIMB] >> (PART_BITS * (i % PARTS_OF_LIMB));
        r.v[i] =
            i % PARTS_OF_LIMB == PARTS_OF_LIMB - 1 ? limb : limb & ((UINT64_C(1) << PART_BITS) - 1);
    }
    return r;
}

static uint64_t most_of_part(size_t i)
{
    return i == PARTS - 1 ? TIDY_TOP_MAX : TIDY_PART_MAX;
}

/* Corner FULL has as much in each part as is tidy. */
static parts corner(size_t i)
{
    parts r;
    if (i < FULL) {
        return parts_of(&corner_limbs[i]);
    }
    for (size_t j = 0; j < PARTS; j++) {
        r.v[j] = most_of_part(j);
    }
    return r;
}

static BIGNUM *big_of_parts(const parts *a)
{
    BIGNUM *sum = new_big();
    BN_zero(sum);
    for (size_t i = PARTS; i-- > 0;) {
        assert_int_equal(BN_lshift(sum, sum, PART_BITS), 1);
        assert_int_equal(BN_add_word(sum, a->v[i]), 1);
    }
    assert_int_equal(BN_nnmod(sum, sum, prime, context), 1);
    return sum;
}

LANES static void read_parts(field *r, const parts in[WIDTH])
{
    for (size_t i = 0; i < PARTS; i++) {
        uint64_t v[WIDTH];
        for (size_t j = 0; j < WIDTH; j++) {
            v[j] = in[j].v[i];
        }
        r->v[i] = load(v);
    }
}

LANES static void write_parts(parts out[WIDTH], const field *a)
{
    for (size_t i = 0; i < PARTS; i++) {
        uint64_t v[WIDTH];
        store(v, a->v[i]);
        for (size_t j = 0; j < WIDTH; j++) {
            out[j].v[i] = v[j];
        }
    }
}

/* One element of a result: tidy, and the number that is expected modulo p. */
static void assert_parts(const parts *a, const BIGNUM *expected)
{
    for (size_t i = 0; i < PARTS; i++) {
        assert_true(a->v[i] <= most_of_part(i));
    }
    BIGNUM *n = big_of_parts(a);
    assert_same(n, expected);
    BN_free(n);
}

enum operation {
    ADD,
    SUBTRACT,
    SUBTRACT_SUM,
    MULTIPLY,
    MULTIPLY_TWO,
    MULTIPLY_SUMS,
    MULTIPLY_NEGATIVE,
    MULTIPLY_ADD,
    SQUARE,
    NEGATE,
    TIMES_21,
    OPERATIONS
};

/* With factors that are sums, and the largest that there are. */
LANES static void multiply_sums(field *r, const field *a, const field *b)
{
    field twice, thrice;
    factor_add(&twice, b, b);
    loose_add(&thrice, a, a);
    factor_add(&thrice, &thrice, a);
    field_multiply_two(r, &thrice, b, a, &twice);
}

LANES static void multiply_negative(field *r, const field *a, const field *b)
{
    field minus;
    factor_negate(&minus, a);
    field_multiply_two(r, &minus, b, b, b);
}

LANES static void multiply_add(field *r, const field *a, const field *b)
{
    field sum, factor, loose;
    factor_add(&factor, a, b);
    loose_add(&sum, b, b);
    loose_negate(&loose, &sum);
    field_multiply_add(r, &factor, &factor, &loose);
    loose_times_21(&loose, a);
    field_multiply_add(r, r, b, &loose);
}

LANES static void operate(enum operation what, parts out[WIDTH], const parts in_a[WIDTH],
                          const parts in_b[WIDTH])
{
    field a, b, r;
    read_parts(&a, in_a);
    read_parts(&b, in_b);
    r = a; /* results may be arguments */
    switch (what) {
    case ADD:
        field_add(&r, &r, &b);
        break;
    case SUBTRACT:
        field_subtract(&r, &r, &b);
        break;
    case SUBTRACT_SUM: /* a - 3 b */
        loose_add(&b, &b, &b);
        read_parts(&a, in_b);
        loose_add(&b, &b, &a);
        field_subtract(&r, &r, &b);
        break;
    case MULTIPLY:
        field_multiply(&r, &r, &b);
        break;
    case MULTIPLY_TWO: /* a b + b b */
        field_multiply_two(&r, &r, &b, &b, &b);
        break;
    case MULTIPLY_SUMS: /* (3 a) b + a (2 b) */
        multiply_sums(&r, &r, &b);
        break;
    case MULTIPLY_NEGATIVE: /* (-a) b + b b */
        multiply_negative(&r, &r, &b);
        break;
    case MULTIPLY_ADD: /* ((a + b)(a + b) - 2 b) b + 21 a */
        multiply_add(&r, &a, &b);
        break;
    case SQUARE:
        field_square(&r, &r);
        break;
    case NEGATE:
        field_negate(&r, &r);
        break;
    case TIMES_21:
        field_times_21(&r, &r);
        break;
    case OPERATIONS:
        break;
    }
    write_parts(out, &r);
}

static void expect(enum operation what, BIGNUM *r, const BIGNUM *a, const BIGNUM *b)
{
    BIGNUM *sum = new_big();
    int is_good = 0;
    switch (what) {
    case ADD:
        is_good = BN_mod_add(r, a, b, prime, context);
        break;
    case SUBTRACT:
        is_good = BN_mod_sub(r, a, b, prime, context);
        break;
    case SUBTRACT_SUM:
        is_good = BN_copy(sum, b) && BN_mul_word(sum, 3) && BN_mod_sub(r, a, sum, prime, context);
        break;
    case MULTIPLY:
        is_good = BN_mod_mul(r, a, b, prime, context);
        break;
    case MULTIPLY_TWO:
        is_good = BN_add(sum, a, b) && BN_mod_mul(r, sum, b, prime, context);
        break;
    case MULTIPLY_SUMS:
        is_good = BN_copy(sum, a) && BN_mul_word(sum, 5) && BN_mod_mul(r, sum, b, prime, context);
        break;
    case MULTIPLY_NEGATIVE:
        is_good = BN_sub(sum, b, a) && BN_mod_mul(r, sum, b, prime, context);
        break;
    case MULTIPLY_ADD:
        is_good = BN_add(sum, a, b) && BN_sqr(sum, sum, context) && BN_sub(sum, sum, b) &&
                  BN_sub(sum, sum, b) && BN_mul(r, sum, b, context) && BN_copy(sum, a) &&
                  BN_mul_word(sum, 21) && BN_mod_add(r, r, sum, prime, context);
        break;
    case SQUARE:
        is_good = BN_mod_sqr(r, a, prime, context);
        break;
    case NEGATE:
        BN_zero(sum);
        is_good = BN_mod_sub(r, sum, a, prime, context);
        break;
    case TIMES_21:
        is_good = BN_set_word(sum, 21) && BN_mod_mul(r, a, sum, prime, context);
        break;
    case OPERATIONS:
        break;
    }
    assert_true(is_good);
    BN_free(sum);
}

static void assert_operations(const parts a[WIDTH], const parts b[WIDTH])
{
    BIGNUM *expected = new_big();
    for (enum operation what = 0; what < OPERATIONS; what++) {
        parts out[WIDTH];
        operate(what, out, a, b);
        for (size_t i = 0; i < WIDTH; i++) {
            BIGNUM *x = big_of_parts(&a[i]);
            BIGNUM *y = big_of_parts(&b[i]);
            expect(what, expected, x, y);
            assert_parts(&out[i], expected);
            BN_free(x);
            BN_free(y);
        }
    }
    BN_free(expected);
}

static parts random_parts(uint8_t chain[32])
{
    limbs r;
    next(chain);
    for (size_t i = 0; i < LIMBS; i++) {
        memcpy(&r.v[i], chain + 6 * i, sizeof r.v[i]);
        r.v[i] &= i == 4 ? TOP_MASK : LIMB_MASK;
    }
    return parts_of(&r);
}

static void corners_and_random_elements_agree(void **state)
{
    (void)state;
    need_lanes();
    parts a[WIDTH], b[WIDTH];
    uint8_t chain[32] = {3};
    for (size_t i = 0; i < CORNERS; i++) {
        for (size_t j = 0; j < CORNERS; j++) {
            for (size_t lane = 0; lane < WIDTH; lane++) {
                a[lane] = lane % 2 == 0 ? corner(i) : random_parts(chain);
                b[lane] = corner((j + lane) % CORNERS);
            }
            assert_operations(a, b);
        }
    }
    for (size_t i = 0; i < 300; i++) {
        for (size_t lane = 0; lane < WIDTH; lane++) {
            a[lane] = random_parts(chain);
            b[lane] = random_parts(chain);
        }
        assert_operations(a, b);
    }
}

LANES static void reduce(uint64_t out[LIMBS][WIDTH], const parts in[WIDTH])
{
    field a;
    whole r;
    read_parts(&a, in);
    field_reduce(&r, &a);
    for (size_t i = 0; i < LIMBS; i++) {
        store(out[i], r.v[i]);
    }
}

/* The one representative: p and 2^256 and what is above them too. */
static void reduced_elements_are_below_the_prime(void **state)
{
    (void)state;
    need_lanes();
    for (size_t i = 0; i < CORNERS; i++) {
        parts in[WIDTH];
        uint64_t out[LIMBS][WIDTH];
        for (size_t lane = 0; lane < WIDTH; lane++) {
            in[lane] = corner((i + lane) % CORNERS);
        }
        reduce(out, in);
        for (size_t lane = 0; lane < WIDTH; lane++) {
            BIGNUM *expected = big_of_parts(&in[lane]); /* modulo p */
            for (size_t limb = LIMBS; limb-- > 0;) {
                BIGNUM *high = new_big();
                assert_int_equal(BN_rshift(high, expected, (int)limb * LIMB_BITS), 1);
                assert_int_equal(BN_mask_bits(high, LIMB_BITS) | 1, 1);
                assert_int_equal(BN_get_word(high), out[limb][lane]);
                BN_free(high);
            }
            BN_free(expected);
        }
    }
}

/* ---- powers and predicates */

LANES static unsigned invert_and_root(parts inverse[WIDTH], parts root[WIDTH],
                                      const parts in[WIDTH], unsigned *odd, unsigned *zero)
{
    field a, r, square;
    read_parts(&a, in);
    field_invert(&r, &a);
    write_parts(inverse, &r);
    field_root(&r, &a);
    write_parts(root, &r);
    field_square(&square, &r);
    *odd = field_is_odd(&a);
    *zero = field_is_zero(&a);
    return field_is_equal(&square, &a);
}

static void assert_powers(const parts in[WIDTH])
{
    parts inverse[WIDTH], root[WIDTH];
    unsigned odd, zero;
    const unsigned has_root = invert_and_root(inverse, root, in, &odd, &zero);
    BIGNUM *expected = new_big();
    for (size_t i = 0; i < WIDTH; i++) {
        BIGNUM *a = big_of_parts(&in[i]);
        BN_zero(expected);
        if (!BN_is_zero(a)) {
            assert_non_null(BN_mod_inverse(expected, a, prime, context));
        }
        assert_parts(&inverse[i], expected);
        assert_int_equal((odd >> i) & 1, BN_is_odd(a));
        assert_int_equal((zero >> i) & 1, BN_is_zero(a));
        assert_int_equal((has_root >> i) & 1, BN_kronecker(a, prime, context) >= 0);
        if ((has_root >> i) & 1) {
            BIGNUM *r = big_of_parts(&root[i]);
            assert_int_equal(BN_mod_sqr(expected, r, prime, context), 1);
            assert_same(expected, a);
            BN_free(r);
        }
        BN_free(a);
    }
    BN_free(expected);
}

static void inverses_and_roots_are_right(void **state)
{
    (void)state;
    need_lanes();
    uint8_t chain[32] = {4};
    for (size_t i = 0; i < CORNERS + 100; i++) {
        parts in[WIDTH];
        for (size_t lane = 0; lane < WIDTH; lane++) {
            in[lane] = i < CORNERS ? corner((i + lane) % CORNERS) : random_parts(chain);
        }
        assert_powers(in);
    }
}

/* ---- words */

/* Two numbers of each lane, by way of limbs. */
LANES static void there_and_back(uint64_t out[WIDTH][2 * WORDS],
                                 const uint64_t in[WIDTH][2 * WORDS])
{
    words w[2 * WORDS];
    field a, b;
    for (size_t i = 0; i < 2 * WORDS; i += WIDTH) {
        for (size_t j = 0; j < WIDTH; j++) {
            w[i + j] = load(in[j] + i);
        }
        transpose(w + i);
    }
    field_of_words(&a, w);
    field_of_words(&b, w + WORDS);
    field_to_words(w, &a);
    field_to_words(w + WORDS, &b);
    for (size_t i = 0; i < 2 * WORDS; i += WIDTH) {
        transpose(w + i);
        for (size_t j = 0; j < WIDTH; j++) {
            store(out[j] + i, w[i + j]);
        }
    }
}

static void words_become_limbs_and_words_again(void **state)
{
    (void)state;
    need_lanes();
    uint8_t chain[32] = {5};
    for (size_t round = 0; round < 100; round++) {
        uint64_t in[WIDTH][2 * WORDS], out[WIDTH][2 * WORDS];
        for (size_t i = 0; i < WIDTH; i++) {
            next(chain);
            memcpy(in[i], chain, 32);
            next(chain);
            memcpy(in[i] + WORDS, chain, 32);
        }
        there_and_back(out, in);
        assert_memory_equal(out, in, sizeof in);
    }
}

static int set_up(void **state)
{
    (void)state;
    context = BN_CTX_new();
    prime = big(field_order);
    return context == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    BN_free(prime);
    BN_CTX_free(context);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corners_and_random_elements_agree),
        cmocka_unit_test(reduced_elements_are_below_the_prime),
        cmocka_unit_test(inverses_and_roots_are_right),
        cmocka_unit_test(words_become_limbs_and_words_again),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

#else /* another kind of machine: nothing to test */

int main(void)
{
    return 0;
}

#endif
