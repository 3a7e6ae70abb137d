/* secp256k1_field_test.c - the field of secp256k1 in lanes is what OpenSSL's numbers are. */
#if defined(__x86_64__)

#include "crypto/secp256k1_field_lanes.h"

#include "crypto/test_big.h"

static const char field_order[] =
    "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC2F";

static BIGNUM *prime;

static void need_lanes(void)
{
    if (!xmtp_has_wide_lanes()) {
        print_message("skipped: this machine has no AVX-512 IFMA\n");
        skip();
    }
}

/* A tidy element of one lane, as limbs. */
typedef struct limbs {
    uint64_t v[LIMBS];
} limbs;

#define TOP_FULL (TOP_MASK + (1 << 12)) /* the most that tidy limb 4 holds */

static const limbs corners[] = {
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
enum { CORNERS = sizeof corners / sizeof corners[0] };

static BIGNUM *big_of_limbs(const limbs *a)
{
    BIGNUM *sum = new_big();
    BN_zero(sum);
    for (size_t i = LIMBS; i-- > 0;) {
        assert_int_equal(BN_lshift(sum, sum, LIMB_BITS), 1);
        assert_int_equal(BN_add_word(sum, a->v[i]), 1);
    }
    assert_int_equal(BN_nnmod(sum, sum, prime, context), 1);
    return sum;
}

LANES static void load(field *r, const limbs in[XMTP_LANES])
{
    for (size_t i = 0; i < LIMBS; i++) {
        uint64_t v[XMTP_LANES];
        for (size_t j = 0; j < XMTP_LANES; j++) {
            v[j] = in[j].v[i];
        }
        r->v[i] = _mm512_loadu_si512(v);
    }
}

LANES static void store(limbs out[XMTP_LANES], const field *a)
{
    for (size_t i = 0; i < LIMBS; i++) {
        uint64_t v[XMTP_LANES];
        _mm512_storeu_si512(v, a->v[i]);
        for (size_t j = 0; j < XMTP_LANES; j++) {
            out[j].v[i] = v[j];
        }
    }
}

/* One element of a result: tidy, and the number that is expected modulo p. */
static void assert_limbs(const limbs *a, const BIGNUM *expected)
{
    for (size_t i = 0; i < LIMBS; i++) {
        assert_true(a->v[i] <= (i == 4 ? TOP_FULL : LIMB_MASK));
    }
    BIGNUM *n = big_of_limbs(a);
    assert_same(n, expected);
    BN_free(n);
}

enum operation {
    ADD,
    SUBTRACT,
    MULTIPLY,
    MULTIPLY_TWO,
    SQUARE,
    NEGATE,
    TIMES_21,
    REDUCE,
    OPERATIONS
};

LANES static void operate(enum operation what, limbs out[XMTP_LANES], const limbs in_a[XMTP_LANES],
                          const limbs in_b[XMTP_LANES])
{
    field a, b, r;
    load(&a, in_a);
    load(&b, in_b);
    r = a; /* results may be arguments */
    switch (what) {
    case ADD:
        field_add(&r, &r, &b);
        break;
    case SUBTRACT:
        field_subtract(&r, &r, &b);
        break;
    case MULTIPLY:
        field_multiply(&r, &r, &b);
        break;
    case MULTIPLY_TWO: /* a b + b b */
        field_multiply_two(&r, &r, &b, &b, &b);
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
    case REDUCE:
        field_reduce(&r, &r);
        break;
    case OPERATIONS:
        break;
    }
    store(out, &r);
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
    case MULTIPLY:
        is_good = BN_mod_mul(r, a, b, prime, context);
        break;
    case MULTIPLY_TWO:
        is_good = BN_add(sum, a, b) && BN_mod_mul(r, sum, b, prime, context);
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
    case REDUCE:
        is_good = BN_nnmod(r, a, prime, context);
        break;
    case OPERATIONS:
        break;
    }
    assert_true(is_good);
    BN_free(sum);
}

static void assert_operations(const limbs a[XMTP_LANES], const limbs b[XMTP_LANES])
{
    BIGNUM *expected = new_big();
    for (enum operation what = 0; what < OPERATIONS; what++) {
        limbs out[XMTP_LANES];
        operate(what, out, a, b);
        for (size_t i = 0; i < XMTP_LANES; i++) {
            BIGNUM *x = big_of_limbs(&a[i]);
            BIGNUM *y = big_of_limbs(&b[i]);
            expect(what, expected, x, y);
            assert_limbs(&out[i], expected);
            assert_true(what != REDUCE || out[i].v[4] <= TOP_MASK);
            BN_free(x);
            BN_free(y);
        }
    }
    BN_free(expected);
}

static limbs random_limbs(uint8_t chain[32])
{
    limbs r;
    next(chain);
    for (size_t i = 0; i < LIMBS; i++) {
        memcpy(&r.v[i], chain + 6 * i, sizeof r.v[i]);
        r.v[i] &= i == 4 ? TOP_MASK : LIMB_MASK;
    }
    return r;
}

static void corners_and_random_elements_agree(void **state)
{
    (void)state;
    need_lanes();
    limbs a[XMTP_LANES], b[XMTP_LANES];
    uint8_t chain[32] = {3};
    for (size_t i = 0; i < CORNERS; i++) {
        for (size_t j = 0; j < CORNERS; j++) {
            for (size_t lane = 0; lane < XMTP_LANES; lane++) {
                a[lane] = lane % 2 == 0 ? corners[i] : random_limbs(chain);
                b[lane] = corners[(j + lane) % CORNERS];
            }
            assert_operations(a, b);
        }
    }
    for (size_t i = 0; i < 300; i++) {
        for (size_t lane = 0; lane < XMTP_LANES; lane++) {
            a[lane] = random_limbs(chain);
            b[lane] = random_limbs(chain);
        }
        assert_operations(a, b);
    }
}

/* The one representative: p and 2^256 and what is above them too. */
static void reduced_elements_are_below_the_prime(void **state)
{
    (void)state;
    need_lanes();
    for (size_t i = 0; i < CORNERS; i++) {
        limbs in[XMTP_LANES], out[XMTP_LANES];
        for (size_t lane = 0; lane < XMTP_LANES; lane++) {
            in[lane] = corners[(i + lane) % CORNERS];
        }
        operate(REDUCE, out, in, in);
        for (size_t lane = 0; lane < XMTP_LANES; lane++) {
            BIGNUM *expected = big_of_limbs(&in[lane]); /* modulo p */
            for (size_t limb = LIMBS; limb-- > 0;) {
                BIGNUM *high = new_big();
                assert_int_equal(BN_rshift(high, expected, (int)limb * LIMB_BITS), 1);
                assert_int_equal(BN_mask_bits(high, LIMB_BITS) | 1, 1);
                assert_int_equal(BN_get_word(high), out[lane].v[limb]);
                BN_free(high);
            }
            BN_free(expected);
        }
    }
}

/* ---- powers and predicates */

LANES static unsigned invert_and_root(limbs inverse[XMTP_LANES], limbs root[XMTP_LANES],
                                      const limbs in[XMTP_LANES], unsigned *odd, unsigned *zero)
{
    field a, r, square;
    load(&a, in);
    field_invert(&r, &a);
    store(inverse, &r);
    field_root(&r, &a);
    store(root, &r);
    field_square(&square, &r);
    *odd = field_is_odd(&a);
    *zero = field_is_zero(&a);
    return field_is_equal(&square, &a);
}

static void assert_powers(const limbs in[XMTP_LANES])
{
    limbs inverse[XMTP_LANES], root[XMTP_LANES];
    unsigned odd, zero;
    const unsigned has_root = invert_and_root(inverse, root, in, &odd, &zero);
    BIGNUM *expected = new_big();
    for (size_t i = 0; i < XMTP_LANES; i++) {
        BIGNUM *a = big_of_limbs(&in[i]);
        BN_zero(expected);
        if (!BN_is_zero(a)) {
            assert_non_null(BN_mod_inverse(expected, a, prime, context));
        }
        assert_limbs(&inverse[i], expected);
        assert_int_equal((odd >> i) & 1, BN_is_odd(a));
        assert_int_equal((zero >> i) & 1, BN_is_zero(a));
        assert_int_equal((has_root >> i) & 1, BN_kronecker(a, prime, context) >= 0);
        if ((has_root >> i) & 1) {
            BIGNUM *r = big_of_limbs(&root[i]);
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
        limbs in[XMTP_LANES];
        for (size_t lane = 0; lane < XMTP_LANES; lane++) {
            in[lane] = i < CORNERS ? corners[(i + lane) % CORNERS] : random_limbs(chain);
        }
        assert_powers(in);
    }
}

/* ---- words */

LANES static void there_and_back(uint64_t out[XMTP_LANES][XMTP_LANES],
                                 const uint64_t in[XMTP_LANES][XMTP_LANES])
{
    __m512i words[XMTP_LANES];
    field a, b;
    for (size_t i = 0; i < XMTP_LANES; i++) {
        words[i] = _mm512_loadu_si512(in[i]);
    }
    transpose(words);
    field_of_words(&a, words);
    field_of_words(&b, words + WORDS);
    field_to_words(words, &a);
    field_to_words(words + WORDS, &b);
    transpose(words);
    for (size_t i = 0; i < XMTP_LANES; i++) {
        _mm512_storeu_si512(out[i], words[i]);
    }
}

static void words_become_limbs_and_words_again(void **state)
{
    (void)state;
    need_lanes();
    uint8_t chain[32] = {5};
    for (size_t round = 0; round < 100; round++) {
        uint64_t in[XMTP_LANES][XMTP_LANES], out[XMTP_LANES][XMTP_LANES];
        for (size_t i = 0; i < XMTP_LANES; i++) {
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
