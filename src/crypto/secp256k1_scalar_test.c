/* secp256k1_scalar_test.c - scalars of secp256k1 are what OpenSSL's numbers are. */
#include "crypto/secp256k1_scalar.h"

#include "crypto/test_big.h"

static const char group_order[] =
    "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141";
static const char lambda[] = "5363AD4CC05C30E0A5261C028812645A122E22EA20816678DF02967C1B23BD72";

static BIGNUM *order;

static void read_big(xmtp_scalar *r, const BIGNUM *n)
{
    uint8_t bytes[32];
    assert_int_equal(BN_bn2binpad(n, bytes, 32), 32);
    (void)xmtp_scalar_read(r, bytes);
}

static BIGNUM *big_of(const xmtp_scalar *a)
{
    uint8_t bytes[32];
    xmtp_scalar_write(a, bytes);
    BIGNUM *n = BN_bin2bn(bytes, 32, NULL);
    assert_non_null(n);
    return n;
}

static void assert_scalar(const xmtp_scalar *a, const BIGNUM *expected)
{
    BIGNUM *n = big_of(a);
    assert_same(n, expected);
    BN_free(n);
}

/* Scalars where something may go wrong: around 0, the order and its half, powers of 2 and of lambda, and
 * the ends of what halves can be; with multiples of them. */
enum { EDGES = 200 };

static void make_edges(xmtp_scalar edges[EDGES])
{
    static const char *const around[] = {
        "8",
        "7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0",
        "5363AD4CC05C30E0A5261C028812645A122E22EA20816678DF02967C1B23BD72",
        "AC9C52B33FA3CF1F5AD9E3FD77ED9BA4A880B9FC8EC739C2E0CFC810B51283CE",
        "3086D221A7D46BCDE86C90E49284EB15",
        "E4437ED6010E88286F547FA90ABFE4C3",
        "114CA50F7A8E2F3F657C1108D9D44CFD8",
        "100000000000000000000000000000000",
        "80000000000000000000000000000000",
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364138",
    };
    for (size_t i = 0; i < EDGES; i++) {
        BIGNUM *n = big(around[i / 20]);
        assert_int_equal(BN_add_word(n, i % 20), 1);
        assert_int_equal(BN_sub_word(n, 8), 1);
        assert_int_equal(BN_nnmod(n, n, order, context), 1);
        read_big(&edges[i], n);
        BN_free(n);
    }
}

static void scalars_are_read_modulo_the_order(void **state)
{
    (void)state;
    for (BN_ULONG i = 0; i < 20; i++) {
        uint8_t bytes[32];
        xmtp_scalar s;
        BIGNUM *n = copy_of_big(order);
        assert_int_equal(BN_add_word(n, i), 1);
        assert_int_equal(BN_sub_word(n, 10), 1);
        assert_int_equal(BN_bn2binpad(n, bytes, 32), 32);
        assert_int_equal(xmtp_scalar_read(&s, bytes), i < 10);
        assert_int_equal(BN_nnmod(n, n, order, context), 1);
        assert_scalar(&s, n);
        assert_int_equal(xmtp_scalar_is_zero(&s), i == 10);
        BN_free(n);
    }
}

static void high_is_above_half_of_the_order(void **state)
{
    (void)state;
    BIGNUM *n = new_big();
    xmtp_scalar s, negative;
    assert_int_equal(BN_rshift1(n, order), 1);
    for (BN_ULONG i = 0; i < 20; i++) {
        BIGNUM *other = copy_of_big(n);
        assert_int_equal(BN_add_word(other, i), 1);
        assert_int_equal(BN_sub_word(other, 10), 1);
        read_big(&s, other);
        assert_int_equal(xmtp_scalar_is_high(&s), i > 10);
        xmtp_scalar_negate(&negative, &s);
        assert_int_equal(xmtp_scalar_is_high(&negative), i <= 10);
        assert_int_equal(BN_sub(other, order, other), 1);
        assert_scalar(&negative, other);
        BN_free(other);
    }
    BN_free(n);
    s = (xmtp_scalar){{0}};
    xmtp_scalar_negate(&negative, &s);
    assert_true(xmtp_scalar_is_zero(&negative));
}

/* a / b of each pair, with the inverses of as many together as there can be. */
static void assert_quotients(const xmtp_scalar *a, const xmtp_scalar *b, size_t count)
{
    xmtp_scalar_factor inverses[8];
    xmtp_scalar_invert(inverses, b, count);
    BIGNUM *expected = new_big();
    for (size_t i = 0; i < count; i++) {
        xmtp_scalar quotient;
        BIGNUM *over = big_of(&a[i]);
        BIGNUM *under = big_of(&b[i]);
        xmtp_scalar_multiply(&quotient, &a[i], &inverses[i]);
        assert_non_null(BN_mod_inverse(expected, under, order, context));
        assert_int_equal(BN_mod_mul(expected, over, expected, order, context), 1);
        assert_scalar(&quotient, expected);
        BN_free(over);
        BN_free(under);
    }
    BN_free(expected);
}

static void quotients_are_those_of_openssl(void **state)
{
    (void)state;
    xmtp_scalar edges[EDGES], a[8], b[8];
    uint8_t chain[32] = {1};
    make_edges(edges);
    for (size_t i = 0; i + 8 <= EDGES; i++) {
        for (size_t j = 0; j < 8; j++) {
            b[j] = xmtp_scalar_is_zero(&edges[i + j]) ? edges[9] : edges[i + j];
            a[j] = edges[(7 * i + 11 * j) % EDGES];
        }
        assert_quotients(a, b, 1 + i % 8);
    }
    for (size_t i = 0; i < 1000; i++) {
        for (size_t j = 0; j < 8; j++) {
            next(chain);
            (void)xmtp_scalar_read(&a[j], chain);
            next(chain);
            (void)xmtp_scalar_read(&b[j], chain);
        }
        assert_quotients(a, b, 1 + i % 8);
    }
}

static BIGNUM *big_of_half(const xmtp_scalar_half *half)
{
    const xmtp_scalar size = {{half->v[0], half->v[1]}};
    BIGNUM *n = big_of(&size);
    BN_set_negative(n, half->is_negative);
    return n;
}

static void assert_split(const xmtp_scalar *k, const BIGNUM *factor)
{
    xmtp_scalar_half halves[2];
    xmtp_scalar_split(halves, k);
    BIGNUM *first = big_of_half(&halves[0]);
    BIGNUM *second = big_of_half(&halves[1]);
    assert_int_equal(BN_mod_mul(second, second, factor, order, context), 1);
    assert_int_equal(BN_mod_add(first, first, second, order, context), 1);
    assert_scalar(k, first);
    BN_free(first);
    BN_free(second);
}

static void halves_make_up_the_scalar(void **state)
{
    (void)state;
    xmtp_scalar edges[EDGES];
    uint8_t chain[32] = {2};
    BIGNUM *factor = big(lambda);
    make_edges(edges);
    for (size_t i = 0; i < EDGES; i++) {
        assert_split(&edges[i], factor);
    }
    for (size_t i = 0; i < 20000; i++) {
        xmtp_scalar k;
        next(chain);
        (void)xmtp_scalar_read(&k, chain);
        assert_split(&k, factor);
    }
    BN_free(factor);
}

static int set_up(void **state)
{
    (void)state;
    context = BN_CTX_new();
    order = big(group_order);
    return context == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    BN_free(order);
    BN_CTX_free(context);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_are_read_modulo_the_order),
        cmocka_unit_test(high_is_above_half_of_the_order),
        cmocka_unit_test(quotients_are_those_of_openssl),
        cmocka_unit_test(halves_make_up_the_scalar),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
