/* x25519_base_test.c - the short way to the public key of X25519 agrees with the ladder, in lanes and
 * without. */
#include "crypto/test_hex.h"
#include "crypto/test_lanes.h"
#include "crypto/x25519_base.h"

#include <sodium.h>

static void assert_agrees(const uint8_t sk[32])
{
    static const uint8_t base_point[32] = {9};
    uint8_t expected[32];
    uint8_t pk[32];
    assert_int_equal(crypto_scalarmult_curve25519(expected, sk, base_point), 0);
    xmtp_x25519_base(sk, pk);
    assert_memory_equal(pk, expected, 32);
}

/* RFC 7748 section 6.1. */
static void published_keys_agree(void **state)
{
    (void)state;
    test_hex alice = hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    test_hex bob = hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    uint8_t pk[32];
    xmtp_x25519_base(alice.p, pk);
    assert_hex(pk, 32, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    xmtp_x25519_base(bob.p, pk);
    assert_hex(pk, 32, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
}

/* Chosen by SHA-256 of a counter, so that a failure can be repeated. */
static void ten_thousand_keys_agree(void **state)
{
    (void)state;
    uint8_t sk[32] = {0};
    for (int i = 0; i < 10000; i++) {
        xmtp_hash_of(&xmtp_hash_sha256, xmtp_bytes_of(sk, 32), sk);
        assert_agrees(sk);
    }
}

/* All bytes alike, single bits set and single bits cleared: clamping, both ends of the range, long
 * runs of digits that are zero. */
static void edge_scalars_agree(void **state)
{
    (void)state;
    uint8_t sk[32];
    for (int byte = 0; byte < 256; byte++) {
        memset(sk, byte, sizeof sk);
        assert_agrees(sk);
    }
    for (size_t bit = 0; bit < 256; bit++) {
        memset(sk, 0, sizeof sk);
        sk[bit / 8] = (uint8_t)(1 << (bit % 8));
        assert_agrees(sk);
        for (size_t i = 0; i < 32; i++) {
            sk[i] = (uint8_t)~sk[i];
        }
        assert_agrees(sk);
    }
}

/* The order of the base point, its neighbours and multiples of it that fit; clamping moves them, so
 * scalars around them are tried as well. */
static void scalars_around_the_order_agree(void **state)
{
    (void)state;
    test_hex order = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    for (unsigned times = 1; times <= 7; times++) {
        uint8_t sk[32];
        unsigned carry = 0;
        for (size_t i = 0; i < 32; i++) {
            carry += times * order.p[i];
            sk[i] = (uint8_t)carry;
            carry >>= 8;
        }
        for (unsigned low = 0; low < 256; low += 8) {
            sk[0] = (uint8_t)low;
            assert_agrees(sk);
        }
    }
}

static void the_output_may_be_the_input(void **state)
{
    (void)state;
    uint8_t sk[32] = {1, 2, 3};
    uint8_t pk[32];
    xmtp_x25519_base(sk, pk);
    xmtp_x25519_base(sk, sk);
    assert_memory_equal(sk, pk, 32);
}

/* Batches, and what is left of them; nothing is written beyond. */
static void many_are_the_same_as_one_by_one(void **state)
{
    (void)state;
    enum { COUNT = 27 };
    uint8_t sk[COUNT][32];
    const uint8_t *sks[COUNT];
    uint8_t *pks[COUNT];
    uint8_t pk[COUNT][32];
    uint8_t expected[COUNT][32];
    for (size_t i = 0; i < COUNT; i++) {
        memset(sk[i], (int)(3 * i), 32);
        sks[i] = sk[i];
        pks[i] = pk[i];
    }
    for (size_t count = 0; count <= COUNT; count++) {
        memset(expected, 0, sizeof expected);
        memset(pk, 0, sizeof pk);
        for (size_t i = 0; i < count; i++) {
            xmtp_x25519_base(sk[i], expected[i]);
        }
        xmtp_x25519_base_many(sks, pks, count);
        assert_memory_equal(pk, expected, sizeof pk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_keys_agree),
        cmocka_unit_test(ten_thousand_keys_agree),
        cmocka_unit_test(edge_scalars_agree),
        cmocka_unit_test(scalars_around_the_order_agree),
        cmocka_unit_test(the_output_may_be_the_input),
        cmocka_unit_test(many_are_the_same_as_one_by_one),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed += RUN_IN_SLOWER_LANES(tests);
    return failed + cmocka_run_group_tests(tests, forbid_lanes, allow_lanes);
}
