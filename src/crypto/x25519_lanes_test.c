/* x25519_lanes_test.c - eight lanes, pairs and many letters give what one at a time gives. */
#include "crypto/test_chain.h"
#include "crypto/test_hex.h"
#include "crypto/test_lanes.h"
#include "crypto/x25519_lanes.h"
#include "crypto/x25519_pairs.h"

#include <sodium.h>

static void assert_lanes(uint8_t sk[8][32], uint8_t point[8][32])
{
    const uint8_t *sks[8];
    const uint8_t *points[8];
    uint8_t out[8][32];
    for (size_t i = 0; i < 8; i++) {
        sks[i] = sk[i];
        points[i] = point[i];
    }
    xmtp_x25519_lanes(sks, points, out, 8);
    for (size_t i = 0; i < 8; i++) {
        uint8_t expected[32];
        if (crypto_scalarmult_curve25519(expected, sk[i], point[i]) != 0) {
            memset(expected, 0, sizeof expected);
        }
        assert_memory_equal(out[i], expected, 32);
    }
}

static void lanes_agree_with_the_single_ladder(void **state)
{
    (void)state;
    need_lanes();
    uint8_t chain[32] = {0};
    for (int round = 0; round < 500; round++) { /* 4,000 products */
        uint8_t sk[8][32];
        uint8_t point[8][32];
        for (size_t i = 0; i < 8; i++) {
            next(chain);
            memcpy(sk[i], chain, 32);
            next(chain);
            memcpy(point[i], chain, 32);
        }
        assert_lanes(sk, point);
    }
}

/* Coordinates at the ends of the range, at and above p, with the ignored bit set, and of small order;
 * under scalars of all zeros, all ones and single bits. */
static void edge_points_and_scalars_agree(void **state)
{
    (void)state;
    need_lanes();
    static const char *const points[8] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "ebffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    uint8_t point[8][32];
    uint8_t sk[8][32];
    for (size_t i = 0; i < 8; i++) {
        memcpy(point[i], hex(points[i]).p, 32);
    }
    for (int byte = 0; byte < 256; byte += 15) {
        memset(sk, byte, sizeof sk);
        assert_lanes(sk, point);
    }
    for (size_t bit = 0; bit < 256; bit++) {
        memset(sk, 0, sizeof sk);
        for (size_t i = 0; i < 8; i++) {
            sk[i][bit / 8] = (uint8_t)(1 << (bit % 8));
        }
        assert_lanes(sk, point);
    }
}

/* RFC 7748 section 5.2: k and u start as 9, each product becomes the next k, the old k the next u. */
static void the_iterated_vector_of_rfc_7748_agrees(void **state)
{
    (void)state;
    need_lanes();
    uint8_t k[32] = {9};
    uint8_t u[32] = {9};
    for (int i = 0; i < 1000; i++) {
        const uint8_t *ks[8] = {k, k, k, k, k, k, k, k};
        const uint8_t *us[8] = {u, u, u, u, u, u, u, u};
        uint8_t out[8][32];
        xmtp_x25519_lanes(ks, us, out, 8);
        memcpy(u, k, 32);
        memcpy(k, out[i % 8], 32);
    }
    assert_hex(k, 32, "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}

enum { PAIR_COUNT = 11 };

static void pairs_of_all_kinds_agree(void **state)
{
    (void)state;
    enum { MAX = XMTP_X25519_PAIRS_STEP, KINDS = 3 };
    need_lanes();
    uint8_t e[MAX][32], pk[MAX][32], enc[KINDS][MAX][32], dh[KINDS][MAX][32];
    uint8_t chain[32] = {1};
    for (size_t count = 1; count <= MAX; count++) {
        xmtp_x25519_pair pairs[KINDS][MAX];
        memset(enc, 0xaa, sizeof enc);
        memset(dh, 0xaa, sizeof dh);
        for (size_t i = 0; i < count; i++) {
            next(chain);
            memcpy(e[i], chain, 32);
            next(chain);
            memcpy(pk[i], chain, 32);
            for (size_t j = 0; j < KINDS; j++) {
                pairs[j][i] = (xmtp_x25519_pair){e[i], pk[i], enc[j][i], dh[j][i]};
            }
        }
        xmtp_x25519_pairs_one_by_one(pairs[0], count);
        xmtp_x25519_pairs_in_lanes(pairs[1], count);
        assert_memory_equal(enc[0], enc[1], sizeof enc[0]);
        assert_memory_equal(dh[0], dh[1], sizeof dh[0]);
        if (count <= MAX / 2) {
            xmtp_x25519_pairs_in_one_climb(pairs[2], count);
            assert_memory_equal(enc[0], enc[2], sizeof enc[0]);
            assert_memory_equal(dh[0], dh[2], sizeof dh[0]);
        }
    }
}

static void one_bad_point_among_many_is_found(void **state)
{
    (void)state;
    uint8_t e[PAIR_COUNT][32], pk[PAIR_COUNT][32], enc[PAIR_COUNT][32], dh[PAIR_COUNT][32];
    xmtp_x25519_pair pairs[PAIR_COUNT];
    for (size_t i = 0; i < PAIR_COUNT; i++) {
        memset(e[i], (int)i + 1, 32);
        memset(pk[i], 9, 32);
        pairs[i] = (xmtp_x25519_pair){e[i], pk[i], enc[i], dh[i]};
    }
    for (size_t count = 0; count <= PAIR_COUNT; count++) {
        memset(enc, 0, sizeof enc);
        assert_int_equal(xmtp_x25519_pairs(pairs, count), XMTP_OK);
        for (size_t i = 0; i < PAIR_COUNT; i++) {
            uint8_t expected[32] = {0};
            assert_int_equal(i < count ? crypto_scalarmult_base(expected, e[i]) : 0, 0);
            assert_memory_equal(enc[i], expected, 32);
        }
    }
    for (size_t i = 0; i < PAIR_COUNT; i++) {
        memset(pk[i], 0, 32);
        assert_int_equal(xmtp_x25519_pairs(pairs, PAIR_COUNT), XMTP_E_KEY);
        assert_true(is_zero(dh[0], sizeof dh));
        memset(pk[i], 9, 32);
    }
}

/* Points of small order among them, and encodings that are not the shortest. */
static void many_points_are_multiplied_as_one_by_one(void **state)
{
    (void)state;
    enum { COUNT = 19 };
    uint8_t sk[32] = {5}, point[COUNT][32], out[COUNT][32];
    uint8_t chain[32] = {3};
    const uint8_t *points[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        next(chain);
        memcpy(point[i], chain, 32);
        points[i] = point[i];
    }
    memset(point[2], 0, 32);
    memset(point[4], 0xff, 32);
    point[11][0] = 1;
    memset(point[11] + 1, 0, 31);
    for (size_t count = 0; count <= COUNT; count++) {
        memset(out, 0xaa, sizeof out);
        xmtp_x25519_points(sk, points, out, count);
        for (size_t i = 0; i < COUNT; i++) {
            uint8_t expected[32];
            memset(expected, 0xaa, sizeof expected);
            if (i < count) {
                xmtp_x25519_points(sk, &points[i], &expected, 1);
            }
            assert_memory_equal(out[i], expected, 32);
            assert_int_equal(is_zero(out[i], 32), i < count && (i == 2 || i == 11));
        }
    }
}

/* ---- many letters ---- */

enum { LETTER_COUNT = 37, PLAINTEXT_LEN = 32 };

typedef struct letters {
    uint8_t sk[LETTER_COUNT][XMTP_KEM_SK_MAX];
    uint8_t pk[LETTER_COUNT][XMTP_KEM_PK_MAX];
    uint8_t seed[LETTER_COUNT][XMTP_KEM_SEED_MAX];
    uint8_t enc[LETTER_COUNT][XMTP_KEM_ENC_MAX];
    uint8_t ciphertext[LETTER_COUNT][PLAINTEXT_LEN + XMTP_AEAD_TAG_MAX];
    xmtp_hpke_letter letter[LETTER_COUNT];
} letters;

static void write_letters(const xmtp_kem *kem, letters *l)
{
    uint8_t chain[32] = {2};
    for (size_t i = 0; i < LETTER_COUNT; i++) {
        next(chain);
        assert_int_equal(kem->derive_key_pair(xmtp_bytes_of(chain, 32), l->sk[i], l->pk[i]),
                         XMTP_OK);
        memset(l->seed[i], (int)i + 1, XMTP_KEM_SEED_MAX);
        l->letter[i] = (xmtp_hpke_letter){.pk = l->pk[i],
                                          .seed = l->seed[i],
                                          .plaintext = xmtp_bytes_of(l->seed[i], PLAINTEXT_LEN),
                                          .enc = l->enc[i],
                                          .ciphertext = l->ciphertext[i]};
    }
}

static void assert_sealed_alone(const xmtp_suite *suite, const letters *l, size_t i)
{
    const xmtp_bytes info = xmtp_bytes_of_string("info");
    uint8_t enc[XMTP_KEM_ENC_MAX];
    uint8_t out[PLAINTEXT_LEN + XMTP_AEAD_TAG_MAX];
    xmtp_hpke c;
    assert_int_equal(xmtp_hpke_setup_sender(&c, suite, l->pk[i], info, l->seed[i], enc), XMTP_OK);
    assert_int_equal(xmtp_hpke_seal(&c, (xmtp_bytes){0}, l->letter[i].plaintext, out), XMTP_OK);
    assert_memory_equal(l->enc[i], enc, suite->kem->enc_len);
    assert_memory_equal(l->ciphertext[i], out, sizeof out);
}

static void many_letters_are_the_same_as_one_by_one(void **state)
{
    (void)state;
    static letters l;
    const uint16_t ids[] = {0x0001, 0x0002, 0x0003, 0xf004};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        const xmtp_suite *suite = xmtp_suite_by_id(ids[i]);
        write_letters(suite->kem, &l);
        for (size_t count = 0; count <= LETTER_COUNT; count += count < 6 ? 1 : 31) {
            memset(l.enc, 0, sizeof l.enc);
            memset(l.ciphertext, 0, sizeof l.ciphertext);
            assert_int_equal(
                xmtp_hpke_seal_many(suite, xmtp_bytes_of_string("info"), l.letter, count), XMTP_OK);
            for (size_t j = 0; j < count; j++) {
                assert_sealed_alone(suite, &l, j);
            }
            assert_true(count == LETTER_COUNT || is_zero(l.enc[count], XMTP_KEM_ENC_MAX));
        }
    }
}

static void one_bad_receiver_fails_all_letters(void **state)
{
    (void)state;
    static letters l;
    const xmtp_suite *suite = &xmtp_suite_x25519_chacha;
    write_letters(suite->kem, &l);
    memset(l.pk[LETTER_COUNT - 1], 0, 32);
    assert_int_equal(
        xmtp_hpke_seal_many(suite, xmtp_bytes_of_string("info"), l.letter, LETTER_COUNT),
        XMTP_E_KEY);
}

static void many_key_pairs_are_the_same_as_one_by_one(void **state)
{
    (void)state;
    enum { COUNT = 19 };
    uint8_t ikm[COUNT][32], sk[COUNT][32], pk[COUNT][65];
    xmtp_kem_derive jobs[COUNT];
    const xmtp_kem *const kems[] = {&xmtp_kem_x25519, &xmtp_kem_p256};
    for (size_t k = 0; k < 2; k++) {
        size_t pk_len = kems[k]->pk_len;
        for (size_t count = 0; count <= COUNT; count++) {
            memset(pk, 0, sizeof pk);
            for (size_t i = 0; i < COUNT; i++) {
                memset(ikm[i], (int)i + 1, 32);
                jobs[i] = (xmtp_kem_derive){xmtp_bytes_of(ikm[i], 32), sk[i], pk[i]};
            }
            assert_int_equal(xmtp_kem_derive_many(kems[k], jobs, count), XMTP_OK);
            for (size_t i = 0; i < count; i++) {
                uint8_t one_sk[32];
                uint8_t one_pk[65];
                assert_int_equal(
                    kems[k]->derive_key_pair(xmtp_bytes_of(ikm[i], 32), one_sk, one_pk), XMTP_OK);
                assert_memory_equal(sk[i], one_sk, 32);
                assert_memory_equal(pk[i], one_pk, pk_len);
            }
            assert_true(count == COUNT || is_zero(pk[count], 65));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanes_agree_with_the_single_ladder),
        cmocka_unit_test(edge_points_and_scalars_agree),
        cmocka_unit_test(the_iterated_vector_of_rfc_7748_agrees),
        cmocka_unit_test(pairs_of_all_kinds_agree),
        cmocka_unit_test(one_bad_point_among_many_is_found),
        cmocka_unit_test(many_points_are_multiplied_as_one_by_one),
        cmocka_unit_test(many_letters_are_the_same_as_one_by_one),
        cmocka_unit_test(one_bad_receiver_fails_all_letters),
        cmocka_unit_test(many_key_pairs_are_the_same_as_one_by_one),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed + RUN_IN_SLOWER_LANES(tests);
}
