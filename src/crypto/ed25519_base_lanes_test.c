/* ed25519_base_lanes_test.c - the base point times one number in eight lanes is what libsodium has. */
#include "crypto/ed25519_base.h"
#include "crypto/ed25519_base_lanes.h"
#include "crypto/sodium_ready.h"
#include "crypto/test_chain.h"
#include "crypto/test_hex.h"
#include "crypto/test_lanes.h"

#include <pthread.h>
#include <sodium.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { RANDOM_COUNT = 10000 };
#else
enum { RANDOM_COUNT = 100000 };
#endif

static const char ORDER[] = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

/* Also that libsodium calls neutral the same products, and what is neutral is encoded so. */
static void assert_product(const uint8_t k[32])
{
    static const uint8_t neutral[32] = {1};
    uint8_t expected[32];
    uint8_t point[32];
    const bool is_good = crypto_scalarmult_ed25519_base_noclamp(expected, k) == 0;
    assert_int_equal(xmtp_ed25519_base(k, point), is_good);
    assert_memory_equal(point, is_good ? expected : neutral, 32);
}

/* One digit of base 16 at each place: every entry of the table, added and, from 8 on or with the carry
 * of the place below, subtracted. */
static void single_digits_agree(void **state)
{
    (void)state;
    for (size_t place = 0; place < 64; place++) {
        for (unsigned digit = 0; digit < (place == 63 ? 8 : 16); digit++) {
            uint8_t k[32] = {0};
            k[place / 2] = (uint8_t)(digit << (4 * (place % 2)));
            assert_product(k);
            if (place > 0) {
                k[(place - 1) / 2] |= (uint8_t)(8 << (4 * ((place - 1) % 2)));
                assert_product(k);
            }
        }
    }
}

static void digits_all_alike_agree(void **state)
{
    (void)state;
    for (unsigned digit = 0; digit < 16; digit++) {
        for (unsigned top = 0; top < 8; top++) {
            uint8_t k[32];
            memset(k, (int)(digit * 17), sizeof k);
            k[31] = (uint8_t)(top << 4 | digit);
            assert_product(k);
        }
    }
}

/* 2^n - 1, 2^n and 2^n + 1. */
static void neighbours_of_powers_agree(void **state)
{
    (void)state;
    for (size_t n = 3; n < 255; n++) {
        uint8_t k[32] = {0};
        k[n / 8] = (uint8_t)(1 << (n % 8));
        assert_product(k);
        k[0] |= 1;
        assert_product(k);
        memset(k, 0xff, n / 8);
        memset(k + n / 8, 0, sizeof k - n / 8);
        k[n / 8] = (uint8_t)((1 << (n % 8)) - 1);
        assert_product(k);
    }
    static const uint8_t small[] = {1, 2, 3, 7, 8, 9};
    for (size_t i = 0; i < sizeof small; i++) {
        const uint8_t k[32] = {small[i]};
        assert_product(k);
    }
}

/* 0 to 7 times the group order, and numbers next to them: below, at and above the neutral element.
 * The last addition across the lanes is of a point and its negative. */
static void numbers_around_multiples_of_the_order_agree(void **state)
{
    (void)state;
    test_hex order = hex(ORDER);
    uint8_t multiple[32] = {0};
    for (int times = 0; times < 8; times++) {
        for (int distance = -40; distance <= 40; distance++) {
            uint8_t k[32];
            int carry = distance;
            for (size_t i = 0; i < 32; i++) {
                carry += multiple[i];
                k[i] = (uint8_t)(carry & 0xff);
                carry >>= 8;
            }
            if (carry == 0) { /* not below 0 */
                assert_product(k);
            }
        }
        uint8_t point[32];
        assert_false(xmtp_ed25519_base(multiple, point));
        sodium_add(multiple, order.p, 32);
    }
}

static void numbers_by_chance_agree(void **state)
{
    (void)state;
    uint8_t chain[32] = {5};
    for (int i = 0; i < RANDOM_COUNT; i++) {
        next(chain);
        uint8_t k[32];
        memcpy(k, chain, 32);
        k[31] &= 127;
        assert_product(k);
    }
}

static void the_output_may_be_the_number(void **state)
{
    (void)state;
    uint8_t k[32] = {1, 2, 3};
    uint8_t point[32];
    assert_true(xmtp_ed25519_base(k, point));
    assert_true(xmtp_ed25519_base(k, k));
    assert_memory_equal(k, point, 32);
}

/* The coordinates before the division: the point is on the curve,
 * -X^2 Z^2 + Y^2 Z^2 = Z^4 + d X^2 Y^2, and Z is not 0. */
static void coordinates_are_of_a_point_of_the_curve(void **state)
{
    (void)state;
    need_lanes();
    const element d = {
        {0x34dca135978a3, 0x1a8283b156ebd, 0x5e7a26001c029, 0x739c663a03cbb, 0x52036cee2b6ff}};
    uint8_t k[32] = {9};
    for (int i = 0; i < 1000; i++) {
        xmtp_ed25519_product p;
        uint8_t left[32];
        uint8_t right[32];
        next(k);
        k[31] &= 127;
        xmtp_ed25519_base_lanes(&p, k);
        element xx = element_square(&p.x, 1);
        element yy = element_square(&p.y, 1);
        element zz = element_square(&p.z, 1);
        element t = element_subtract(&yy, &xx);
        t = element_multiply(&t, &zz);
        element_encode(&t, left);
        xx = element_multiply(&xx, &yy);
        xx = element_multiply(&xx, &d);
        zz = element_square(&zz, 1);
        t = element_add(&zz, &xx);
        element_encode(&t, right);
        assert_memory_equal(left, right, 32);
        assert_false(is_zero(left, 32));
    }
}

enum { THREADS = 8 };

static void *product_of_a_thread(void *k)
{
    (void)xmtp_ed25519_base(k, k);
    return NULL;
}

/* The first test of the program, so that the table is not there yet. */
static void threads_may_all_be_the_first(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    uint8_t k[THREADS][32] = {{0}};
    for (size_t i = 0; i < THREADS; i++) {
        k[i][0] = (uint8_t)(i + 1);
        assert_int_equal(pthread_create(&threads[i], NULL, product_of_a_thread, k[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        const uint8_t number[32] = {(uint8_t)(i + 1)};
        uint8_t expected[32];
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(crypto_scalarmult_ed25519_base_noclamp(expected, number), 0);
        assert_memory_equal(k[i], expected, 32);
    }
}

int main(void)
{
    xmtp_sodium_ready();
    const struct CMUnitTest in_lanes[] = {
        cmocka_unit_test(threads_may_all_be_the_first),
        cmocka_unit_test(single_digits_agree),
        cmocka_unit_test(digits_all_alike_agree),
        cmocka_unit_test(neighbours_of_powers_agree),
        cmocka_unit_test(numbers_around_multiples_of_the_order_agree),
        cmocka_unit_test(numbers_by_chance_agree),
        cmocka_unit_test(the_output_may_be_the_number),
        cmocka_unit_test(coordinates_are_of_a_point_of_the_curve),
    };
    const struct CMUnitTest without[] = {
        cmocka_unit_test(digits_all_alike_agree),
        cmocka_unit_test(numbers_around_multiples_of_the_order_agree),
        cmocka_unit_test(the_output_may_be_the_number),
    };
    int failed = cmocka_run_group_tests(in_lanes, NULL, NULL);
    failed += RUN_IN_SLOWER_LANES(in_lanes);
    failed += cmocka_run_group_tests(without, forbid_lanes, allow_lanes);
    return failed;
}
