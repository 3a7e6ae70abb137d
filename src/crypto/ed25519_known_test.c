/* ed25519_known_test.c - [s]B - [k]A from multiples of A is what libsodium computes; a key that is known
 * gives libsodium's verdicts, and what must not become known does not.
 */
#include "crypto/ed25519_base.h"
#include "crypto/ed25519_base_lanes.h"
#include "crypto/ed25519_known.h"
#include "crypto/sodium_ready.h"
#include "crypto/test_chain.h"
#include "crypto/test_hex.h"
#include "crypto/test_lanes.h"

#include <pthread.h>
#include <sodium.h>

enum { USES = 16, MESSAGE_LEN = 40 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { RANDOM_COUNT = 300 };
#else
enum { RANDOM_COUNT = 5000 };
#endif

static const xmtp_signature *const ed25519 = &xmtp_signature_ed25519;
static const char ORDER[] = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
static const uint8_t neutral[32] = {1};

/* ---- the difference ---- */

/* A = [a]B, so [s]B - [k]A = [s - k a]B. */
static void assert_difference(const uint8_t a[32], const uint8_t s[32], const uint8_t k[32],
                              const xmtp_ed25519_multiples *of_minus_a)
{
    uint8_t number[32];
    uint8_t expected[32];
    uint8_t point[32];
    xmtp_ed25519_product p;
    crypto_core_ed25519_scalar_mul(number, k, a);
    crypto_core_ed25519_scalar_sub(number, s, number);
    const bool is_good = crypto_scalarmult_ed25519_base_noclamp(expected, number) == 0;
    xmtp_ed25519_difference_lanes(&p, s, k, of_minus_a);
    assert_int_equal(xmtp_ed25519_encode(&p, point), is_good);
    assert_memory_equal(point, is_good ? expected : neutral, 32);
}

static void reduced(uint8_t out[32], uint8_t chain[32])
{
    uint8_t wide[64] = {0};
    next(chain);
    memcpy(wide, chain, 32);
    next(chain);
    memcpy(wide + 32, chain, 32);
    crypto_core_ed25519_scalar_reduce(out, wide);
}

static void differences_agree(void **state)
{
    (void)state;
    need_lanes();
    static xmtp_ed25519_multiples of_minus_a;
    static const uint8_t zero[32] = {0};
    uint8_t order_minus_1[32];
    uint8_t chain[32] = {7};
    uint8_t a[32], s[32], k[32], pk[32];
    memcpy(order_minus_1, hex(ORDER).p, 32);
    order_minus_1[0]--;
    const uint8_t *const ends[] = {zero, neutral, order_minus_1};
    for (int key = 0; key < 10; key++) {
        reduced(a, chain);
        if (key == 0) {
            memcpy(a, neutral, 32); /* A = B: both tables are of the same point, but for the sign */
        }
        assert_int_equal(crypto_scalarmult_ed25519_base_noclamp(pk, a), 0);
        assert_true(xmtp_ed25519_multiples_lanes(&of_minus_a, pk));
        for (size_t i = 0; i < 9; i++) {
            assert_difference(a, ends[i / 3], ends[i % 3], &of_minus_a);
        }
        for (int i = 0; i < RANDOM_COUNT / 10; i++) {
            reduced(s, chain);
            reduced(k, chain);
            assert_difference(a, s, k, &of_minus_a);
        }
        crypto_core_ed25519_scalar_mul(s, k, a); /* the neutral element: the same twice */
        assert_difference(a, s, k, &of_minus_a);
    }
}

static void single_digits_agree(void **state)
{
    (void)state;
    need_lanes();
    static xmtp_ed25519_multiples of_minus_a;
    uint8_t chain[32] = {8};
    uint8_t a[32], pk[32];
    reduced(a, chain);
    assert_int_equal(crypto_scalarmult_ed25519_base_noclamp(pk, a), 0);
    assert_true(xmtp_ed25519_multiples_lanes(&of_minus_a, pk));
    for (size_t place = 0; place < 63; place++) {
        for (unsigned digit = 1; digit < 16; digit++) {
            uint8_t k[32] = {0};
            k[place / 2] = (uint8_t)(digit << (4 * (place % 2)));
            assert_difference(a, neutral, k, &of_minus_a);
        }
    }
}

static void what_encodes_no_point_has_no_multiples(void **state)
{
    (void)state;
    need_lanes();
    static const char *const bad[] = {
        "0200000000000000000000000000000000000000000000000000000000000000", /* no x */
        "0100000000000000000000000000000000000000000000000000000000000000", /* neutral */
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* order 2 */
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", /* order 8 */
        "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* y above p */
    };
    static xmtp_ed25519_multiples multiples;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(xmtp_ed25519_multiples_lanes(&multiples, hex(bad[i]).p));
    }
}

/* ---- verdicts ---- */

typedef struct signer {
    uint8_t sk[32];
    uint8_t pk[32];
} signer;

static signer signer_of(unsigned number)
{
    signer s;
    uint8_t chain[32] = {(uint8_t)number, (uint8_t)(number >> 8), 9};
    next(chain);
    memcpy(s.sk, chain, 32);
    assert_int_equal(ed25519->public_key(s.sk, s.pk), XMTP_OK);
    return s;
}

static void sign(const signer *s, const uint8_t message[MESSAGE_LEN], uint8_t signature[64])
{
    size_t len;
    assert_int_equal(
        ed25519->sign(s->sk, s->pk, xmtp_bytes_of(message, MESSAGE_LEN), signature, &len), XMTP_OK);
}

static xmtp_status verify(const uint8_t pk[32], const uint8_t message[MESSAGE_LEN],
                          const uint8_t signature[64])
{
    return ed25519->verify(xmtp_bytes_of(pk, 32), xmtp_bytes_of(message, MESSAGE_LEN),
                           xmtp_bytes_of(signature, 64));
}

static bool libsodium_accepts(const uint8_t pk[32], const uint8_t message[MESSAGE_LEN],
                              const uint8_t signature[64])
{
    return crypto_sign_ed25519_verify_detached(signature, message, MESSAGE_LEN, pk) == 0;
}

/* By verifying one message until it is. */
static signer known_signer(unsigned number)
{
    const uint8_t message[MESSAGE_LEN] = {1};
    signer s = signer_of(number);
    uint8_t signature[64];
    sign(&s, message, signature);
    for (int i = 0; i < USES; i++) {
        assert_false(xmtp_ed25519_is_known(s.pk));
        assert_int_equal(verify(s.pk, message, signature), XMTP_OK);
    }
    assert_int_equal(xmtp_ed25519_is_known(s.pk), xmtp_has_lanes());
    return s;
}

static void a_known_key_verifies(void **state)
{
    (void)state;
    const signer s = known_signer(1);
    uint8_t signature[64];
    for (unsigned i = 0; i < 200; i++) {
        const uint8_t message[MESSAGE_LEN] = {(uint8_t)i, 5};
        sign(&s, message, signature);
        assert_int_equal(verify(s.pk, message, signature), XMTP_OK);
        assert_int_equal(
            xmtp_ed25519_known_verify(s.pk, xmtp_bytes_of(message, MESSAGE_LEN), signature),
            xmtp_has_lanes());
    }
}

static void no_altered_bit_is_accepted(void **state)
{
    (void)state;
    const signer s = known_signer(2);
    uint8_t message[MESSAGE_LEN] = {6};
    uint8_t signature[64];
    sign(&s, message, signature);
    for (size_t bit = 0; bit < 8 * sizeof signature; bit++) {
        signature[bit / 8] ^= (uint8_t)(1 << (bit % 8));
        assert_int_equal(verify(s.pk, message, signature), XMTP_E_SIGNATURE);
        signature[bit / 8] ^= (uint8_t)(1 << (bit % 8));
    }
    for (size_t bit = 0; bit < 8 * sizeof message; bit++) {
        message[bit / 8] ^= (uint8_t)(1 << (bit % 8));
        assert_int_equal(verify(s.pk, message, signature), XMTP_E_SIGNATURE);
        message[bit / 8] ^= (uint8_t)(1 << (bit % 8));
    }
    assert_int_equal(verify(s.pk, message, signature), XMTP_OK);
    const signer other = known_signer(3);
    assert_int_equal(verify(other.pk, message, signature), XMTP_E_SIGNATURE);
}

/* The equation holds for S + L, too. */
static void a_number_of_the_order_or_more_is_refused(void **state)
{
    (void)state;
    const signer s = known_signer(4);
    const uint8_t message[MESSAGE_LEN] = {7};
    uint8_t signature[64];
    sign(&s, message, signature);
    assert_int_equal(verify(s.pk, message, signature), XMTP_OK);
    sodium_add(signature + 32, hex(ORDER).p, 32);
    assert_int_equal(verify(s.pk, message, signature), XMTP_E_SIGNATURE);
    assert_false(libsodium_accepts(s.pk, message, signature));
}

/* Whoever has the secret key can make one with a neutral R, for which the equation holds. */
static void a_neutral_r_is_refused(void **state)
{
    (void)state;
    const signer s = known_signer(5);
    const uint8_t message[MESSAGE_LEN] = {8};
    uint8_t wide[64];
    uint8_t a[32] = {0};
    uint8_t k[32];
    uint8_t signature[64] = {1};
    xmtp_hash_context c;
    xmtp_hash_of(&xmtp_hash_sha512, xmtp_bytes_of(s.sk, 32), wide);
    memcpy(a, wide, 32);
    a[0] &= 248;
    a[31] = (uint8_t)((a[31] & 127) | 64);
    xmtp_hash_sha512.init(&c);
    xmtp_hash_sha512.update(&c, signature, 32);
    xmtp_hash_sha512.update(&c, s.pk, 32);
    xmtp_hash_sha512.update(&c, message, MESSAGE_LEN);
    xmtp_hash_sha512.final(&c, wide);
    crypto_core_ed25519_scalar_reduce(k, wide);
    crypto_core_ed25519_scalar_mul(signature + 32, k, a); /* S = k a: [S]B - [k]A is neutral */
    assert_int_equal(verify(s.pk, message, signature), XMTP_E_SIGNATURE);
    assert_false(libsodium_accepts(s.pk, message, signature));
}

/* A + T, T of order 8: libsodium's verdict depends on k, and the key does not become known. */
static void a_key_with_a_part_of_small_order_stays_unknown(void **state)
{
    (void)state;
    signer s = signer_of(6);
    const test_hex t = hex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a");
    size_t accepted = 0;
    assert_int_equal(crypto_core_ed25519_add(s.pk, s.pk, t.p), 0);
    for (unsigned i = 0; i < 100; i++) {
        const uint8_t message[MESSAGE_LEN] = {(uint8_t)i, 9};
        uint8_t signature[64];
        sign(&s, message, signature);
        const bool is_good = libsodium_accepts(s.pk, message, signature);
        assert_int_equal(verify(s.pk, message, signature), is_good ? XMTP_OK : XMTP_E_SIGNATURE);
        accepted += is_good;
    }
    assert_in_range(accepted, 1, 99);
    assert_false(xmtp_ed25519_is_known(s.pk));
}

static void a_key_that_is_no_point_stays_unknown(void **state)
{
    (void)state;
    const uint8_t message[MESSAGE_LEN] = {1};
    const uint8_t pk[32] = {2};
    const uint8_t signature[64] = {3};
    for (int i = 0; i < 2 * USES; i++) {
        assert_int_equal(verify(pk, message, signature), XMTP_E_SIGNATURE);
    }
    assert_false(xmtp_ed25519_is_known(pk));
}

/* ---- which keys stay ---- */

static void what_was_used_last_stays(void **state)
{
    (void)state;
    need_lanes();
    const signer first = known_signer(100);
    const uint8_t message[MESSAGE_LEN] = {1};
    uint8_t signature[64];
    sign(&first, message, signature);
    for (unsigned i = 1; i < 20; i++) {
        (void)known_signer(100 + i);
        assert_int_equal(verify(first.pk, message, signature), XMTP_OK);
        assert_true(xmtp_ed25519_is_known(first.pk));
    }
    for (unsigned i = 0; i < 8; i++) {
        (void)known_signer(200 + i);
    }
    assert_false(xmtp_ed25519_is_known(first.pk));
    (void)known_signer(100); /* anew, after as many uses as the first time */
}

/* Keys that come once each, as in a large group, take nothing from those that are known. */
static void keys_that_come_once_change_nothing(void **state)
{
    (void)state;
    need_lanes();
    const signer s = known_signer(300);
    const uint8_t message[MESSAGE_LEN] = {1};
    for (unsigned i = 0; i < 100; i++) {
        const signer once = signer_of(400 + i);
        uint8_t signature[64];
        sign(&once, message, signature);
        assert_int_equal(verify(once.pk, message, signature), XMTP_OK);
        assert_false(xmtp_ed25519_is_known(once.pk));
    }
    assert_true(xmtp_ed25519_is_known(s.pk));
}

/* ---- threads ---- */

enum { THREADS = 4, SIGNERS = 12, ROUNDS = 60 };

typedef struct signed_once {
    signer s;
    uint8_t signature[64];
} signed_once;

static const uint8_t said[MESSAGE_LEN] = {42};

/* More signers than can be known, good and forged in turns; NULL: all verdicts were right. */
static void *verify_all(void *context)
{
    const signed_once *all = context;
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < SIGNERS; i++) {
            uint8_t signature[64];
            memcpy(signature, all[i].signature, sizeof signature);
            signature[round % 2 == 0 ? 3 : 40] ^= (uint8_t)(round % 4 > 1);
            const xmtp_status expected = round % 4 > 1 ? XMTP_E_SIGNATURE : XMTP_OK;
            if (verify(all[i].s.pk, said, signature) != expected) {
                return context;
            }
        }
    }
    return NULL;
}

static void threads_that_share_keys_get_right_verdicts(void **state)
{
    (void)state;
    static signed_once all[SIGNERS];
    pthread_t threads[THREADS];
    for (size_t i = 0; i < SIGNERS; i++) {
        all[i].s = signer_of(500 + (unsigned)i);
        sign(&all[i].s, said, all[i].signature);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, verify_all, all), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

int main(void)
{
    xmtp_sodium_ready();
    const struct CMUnitTest in_lanes[] = {
        cmocka_unit_test(differences_agree),
        cmocka_unit_test(single_digits_agree),
        cmocka_unit_test(what_encodes_no_point_has_no_multiples),
        cmocka_unit_test(a_known_key_verifies),
        cmocka_unit_test(no_altered_bit_is_accepted),
        cmocka_unit_test(a_number_of_the_order_or_more_is_refused),
        cmocka_unit_test(a_neutral_r_is_refused),
        cmocka_unit_test(a_key_with_a_part_of_small_order_stays_unknown),
        cmocka_unit_test(a_key_that_is_no_point_stays_unknown),
        cmocka_unit_test(what_was_used_last_stays),
        cmocka_unit_test(keys_that_come_once_change_nothing),
        cmocka_unit_test(threads_that_share_keys_get_right_verdicts),
    };
    const struct CMUnitTest without[] = {
        cmocka_unit_test(a_known_key_verifies),
        cmocka_unit_test(no_altered_bit_is_accepted),
        cmocka_unit_test(threads_that_share_keys_get_right_verdicts),
    };
    int failed = cmocka_run_group_tests(in_lanes, NULL, NULL);
    failed += RUN_IN_SLOWER_LANES(in_lanes);
    failed += cmocka_run_group_tests(without, forbid_lanes, allow_lanes);
    return failed;
}
