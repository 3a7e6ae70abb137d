/* half_scalars_test.c - halves of a scalar are odd, short, and have it as their quotient. */
#include "crypto/half_scalars.h"

#include <openssl/bn.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>
// cmocka wants the headers above first
#include <cmocka.h>

static BN_CTX *context;
static BIGNUM *eightfold_order, *limit;

static BIGNUM *number_of(const uint8_t in[32])
{
    return BN_lebin2bn(in, 32, NULL);
}

/* Whether there are halves; those there are must be right. */
static bool has_halves(const uint8_t k[32])
{
    xmtp_half_scalars half;
    if (!xmtp_half_scalars_of(k, &half)) {
        return false;
    }
    BIGNUM *e = number_of(half.e), *f = number_of(half.f), *of_k = number_of(k), *ek = BN_new();
    assert_true(BN_is_odd(e));
    assert_true(BN_cmp(e, limit) < 0 && BN_cmp(f, limit) < 0);
    assert_int_equal(BN_mod_mul(ek, e, of_k, eightfold_order, context), 1);
    if (half.f_is_negative) {
        assert_int_equal(BN_mod_sub(ek, eightfold_order, ek, eightfold_order, context), 1);
    }
    assert_int_equal(BN_cmp(ek, f), 0);
    BN_free(e);
    BN_free(f);
    BN_free(of_k);
    BN_free(ek);
    return true;
}

static void nearly_all_scalars_have_halves(void **state)
{
    (void)state;
    enum { SCALARS = 20000 };
    static uint8_t bytes[SCALARS][64];
    static const uint8_t seed[randombytes_SEEDBYTES] = {1};
    size_t without = 0;
    randombytes_buf_deterministic(bytes, sizeof bytes, seed);
    for (size_t i = 0; i < SCALARS; i++) {
        uint8_t k[32];
        crypto_core_ed25519_scalar_reduce(k, bytes[i]);
        without += !has_halves(k);
    }
    assert_in_range(without, 1, SCALARS / 100);
}

/* Quotients as long as there are: multiples of two, from both ends, and next to fractions of 8L. */
static void scalars_at_the_edges_end(void **state)
{
    (void)state;
    static const uint8_t zero[32];
    for (unsigned bit = 0; bit < 252; bit++) {
        uint8_t power[32] = {0}, one[32] = {1}, k[32];
        power[bit / 8] = (uint8_t)(1 << bit % 8);
        (void)has_halves(power);
        crypto_core_ed25519_scalar_negate(k, power);
        (void)has_halves(k);
        crypto_core_ed25519_scalar_add(k, power, one);
        (void)has_halves(k);
        crypto_core_ed25519_scalar_sub(k, power, one);
        (void)has_halves(k);
    }
    for (unsigned long divisor = 8; divisor < 2000; divisor++) {
        uint8_t k[32];
        BIGNUM *part = BN_dup(eightfold_order);
        (void)BN_div_word(part, divisor);
        assert_int_equal(BN_bn2lebinpad(part, k, sizeof k), sizeof k);
        (void)has_halves(k);
        BN_free(part);
    }
    assert_true(has_halves(zero));
}

static int set_up(void **state)
{
    (void)state;
    context = BN_CTX_new();
    return sodium_init() >= 0 && context != NULL &&
                   BN_hex2bn(&eightfold_order, "80000000000000000000000000000000"
                                               "A6F7CEF517BCE6B2C09318D2E7AE9F68") == 64 &&
                   BN_hex2bn(&limit, "700000000000000000000000000000000") == 33
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    BN_free(eightfold_order);
    BN_free(limit);
    BN_CTX_free(context);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearly_all_scalars_have_halves),
        cmocka_unit_test(scalars_at_the_edges_end),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
