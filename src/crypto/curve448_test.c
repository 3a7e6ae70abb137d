/* curve448_test.c - Ed448 (RFC 8032 section 7.4) and X448 (RFC 7748 section 6.2), and what they
 * must refuse. */
#include "crypto/test_hex.h"

#include <openssl/err.h>

typedef struct ed448_case {
    const char *sk;
    const char *pk;
    const char *message;
    const char *signature;
} ed448_case;

static const ed448_case cases[] = {
    {.sk = "6c82a562cb808d10d632be89c8513ebf6c929f34ddfa8c9f63c9960ef6e348a3"
           "528c8a3fcc2f044e39a3fc5b94492f8f032e7549a20098f95b",
     .pk = "5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d80e96778"
           "edf124769b46c7061bd6783df1e50f6cd1fa1abeafe8256180",
     .message = "",
     .signature = "533a37f6bbe457251f023c0d88f976ae2dfb504a843e34d2074fd823d41a591f"
                  "2b233f034f628281f2fd7a22ddd47d7828c59bd0a21bfd3980ff0d2028d4b18a"
                  "9df63e006c5d1c2d345b925d8dc00b4104852db99ac5c7cdda8530a113a0f4db"
                  "b61149f05a7363268c71d95808ff2e652600"},
    {.sk = "c4eab05d357007c632f3dbb48489924d552b08fe0c353a0d4a1f00acda2c463a"
           "fbea67c5e8d2877c5e3bc397a659949ef8021e954e0a12274e",
     .pk = "43ba28f430cdff456ae531545f7ecd0ac834a55d9358c0372bfa0c6c6798c086"
           "6aea01eb00742802b8438ea4cb82169c235160627b4c3a9480",
     .message = "03",
     .signature = "26b8f91727bd62897af15e41eb43c377efb9c610d48f2335cb0bd0087810f435"
                  "2541b143c4b981b7e18f62de8ccdf633fc1bf037ab7cd779805e0dbcc0aae1cb"
                  "cee1afb2e027df36bc04dcecbf154336c19f0af7e0a6472905e799f1953d2a0f"
                  "f3348ab21aa4adafd1d234441cf807c03a00"},
};
enum { CASE_COUNT = sizeof cases / sizeof cases[0] };

static const xmtp_signature *const ed448 = &xmtp_signature_ed448;

static void published_cases_sign_and_verify(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASE_COUNT; i++) {
        test_hex sk = hex(cases[i].sk);
        test_hex message = hex(cases[i].message);
        uint8_t pk[57];
        uint8_t signature[114];
        size_t signature_len = 0;
        assert_int_equal(ed448->public_key(sk.p, pk), XMTP_OK);
        assert_hex(pk, sizeof pk, cases[i].pk);
        assert_int_equal(ed448->sign(sk.p, pk, view(&message), signature, &signature_len), XMTP_OK);
        assert_hex(signature, signature_len, cases[i].signature);
        assert_int_equal(
            ed448->verify(xmtp_bytes_of(pk, 57), view(&message), xmtp_bytes_of(signature, 114)),
            XMTP_OK);
        assert_int_equal(ed448->verify(xmtp_bytes_of(pk, 57), xmtp_bytes_of_string("x"),
                                       xmtp_bytes_of(signature, 114)),
                         XMTP_E_SIGNATURE);
    }
}

static void every_flipped_byte_is_refused(void **state)
{
    (void)state;
    test_hex pk = hex(cases[1].pk);
    test_hex message = hex(cases[1].message);
    test_hex signature = hex(cases[1].signature);
    for (size_t i = 0; i < 114; i++) {
        signature.p[i] ^= (uint8_t)(1 << (i % 8));
        assert_int_equal(ed448->verify(view(&pk), view(&message), view(&signature)),
                         XMTP_E_SIGNATURE);
        signature.p[i] ^= (uint8_t)(1 << (i % 8));
    }
    for (size_t i = 0; i < 57; i++) {
        pk.p[i] ^= (uint8_t)(1 << (i % 8));
        assert_int_not_equal(ed448->verify(view(&pk), view(&message), view(&signature)), XMTP_OK);
        pk.p[i] ^= (uint8_t)(1 << (i % 8));
    }
    assert_int_equal(ed448->verify(view(&pk), view(&message), view(&signature)), XMTP_OK);
    assert_int_equal(ERR_peek_error(), 0); /* nothing for TLS to stumble over */
}

/* S + order says the same to the curve; RFC 8032 section 5.2.7 refuses it. */
static void a_scalar_beyond_the_order_is_refused(void **state)
{
    (void)state;
    test_hex order = hex("f34458ab92c27823558fc58d72c26c219036d6ae49db4ec4e923ca7cffffffff"
                         "ffffffffffffffffffffffffffffffffffffffffffffff3f00");
    test_hex pk = hex(cases[1].pk);
    test_hex message = hex(cases[1].message);
    test_hex signature = hex(cases[1].signature);
    unsigned carry = 0;
    for (size_t i = 0; i < 57; i++) {
        carry += (unsigned)signature.p[57 + i] + order.p[i];
        signature.p[57 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_int_equal(carry, 0);
    assert_int_equal(ed448->verify(view(&pk), view(&message), view(&signature)), XMTP_E_SIGNATURE);
}

static void wrong_lengths_are_refused(void **state)
{
    (void)state;
    test_hex pk = hex(cases[0].pk);
    test_hex signature = hex(cases[0].signature);
    xmtp_bytes none = {.p = NULL, .n = 0};
    for (size_t n = 0; n <= 58; n++) {
        assert_int_equal(ed448->verify(xmtp_bytes_of(pk.p, n), none, view(&signature)),
                         n == 57 ? XMTP_OK : XMTP_E_KEY);
    }
    for (size_t n = 0; n <= 115; n++) {
        assert_int_equal(ed448->verify(view(&pk), none, xmtp_bytes_of(signature.p, n)),
                         n == 114 ? XMTP_OK : XMTP_E_SIGNATURE);
    }
}

/* ---- X448 ---- */

#define ALICE_SK                                                                                   \
    "9a8f4925d1519f5775cf46b04b5800d4ee9ee8bae8bc5565d498c28dd9c9baf5"                             \
    "74a9419744897391006382a6f127ab1d9ac2d8c0a598726b"
#define ALICE_PK                                                                                   \
    "9b08f7cc31b7e3e67d22d5aea121074a273bd2b83de09c63faa73d2c22c5d9bb"                             \
    "c836647241d953d40c5b12da88120d53177f80e532c41fa0"
#define BOB_SK                                                                                     \
    "1c306a7ac2a0e2e0990b294470cba339e6453772b075811d8fad0d1d6927c120"                             \
    "bb5ee8972b0d3e21374c9c921b09d1b0366f10b65173992d"
#define BOB_PK                                                                                     \
    "3eb7a829b0cd20f5bcfc0b599b6feccf6da4627107bdb0d4f345b43027d8b972"                             \
    "fc3e34fb4232a13ca706dcb57aec3dae07bdc1c67bf33609"

/* The published shared point shows through the labels of RFC 9180: they are applied here again. */
#define SHARED_POINT                                                                               \
    "07fff4181ac6cc95ec1c16a94a0f74d12da232ce40a77552281d282bb60c0b56"                             \
    "fd2464c335543936521c24403085d59a449a5037514a879d"

static void expected_shared_secret(uint8_t ss[64])
{
    test_hex ikm = hex("48504b45"
                       "2d7631"
                       "4b454d0021"
                       "6561655f70726b" SHARED_POINT);
    test_hex info = hex("0040"
                        "48504b45"
                        "2d7631"
                        "4b454d0021"
                        "7368617265645f736563726574" ALICE_PK BOB_PK);
    xmtp_secret prk;
    xmtp_hkdf_extract(&xmtp_hash_sha512, (xmtp_bytes){0}, view(&ikm), &prk);
    assert_int_equal(
        xmtp_hkdf_expand(&xmtp_hash_sha512, xmtp_secret_bytes(&prk), view(&info), ss, 64), XMTP_OK);
}

static void both_sides_find_the_published_point(void **state)
{
    (void)state;
    test_hex alice_sk = hex(ALICE_SK);
    test_hex alice_pk = hex(ALICE_PK);
    test_hex bob_sk = hex(BOB_SK);
    test_hex bob_pk = hex(BOB_PK);
    uint8_t pk[56];
    uint8_t enc[56];
    uint8_t expected[64];
    uint8_t ss[64];
    expected_shared_secret(expected);
    assert_int_equal(xmtp_kem_x448.public_key(bob_sk.p, pk), XMTP_OK);
    assert_hex(pk, sizeof pk, BOB_PK);
    assert_int_equal(xmtp_kem_x448.encap(bob_pk.p, alice_sk.p, enc, ss), XMTP_OK);
    assert_hex(enc, sizeof enc, ALICE_PK);
    assert_memory_equal(ss, expected, 64);
    memset(ss, 0, sizeof ss);
    assert_int_equal(xmtp_kem_x448.decap(bob_sk.p, bob_pk.p, alice_pk.p, ss), XMTP_OK);
    assert_memory_equal(ss, expected, 64);
    memset(ss, 0, sizeof ss);
    assert_int_equal(xmtp_kem_x448.decap(bob_sk.p, NULL, alice_pk.p, ss), XMTP_OK);
    assert_memory_equal(ss, expected, 64);
}

#define FF27 "ffffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define ZERO55                                                                                     \
    "0000000000000000000000000000000000000000000000000000000000000000"                             \
    "0000000000000000000000000000000000000000000000"

static void points_of_small_order_are_refused(void **state)
{
    (void)state;
    static const char *const points[] = {
        "00" ZERO55, /* 0 */
        "01" ZERO55, /* 1 */
        "fe" FF27 "feffffff"
        "ffffffffffffffffffffffffffffffffffffffffffffffff", /* p - 1 */
        "ff" FF27 "feffffff"
        "ffffffffffffffffffffffffffffffffffffffffffffffff", /* p */
        "00"
        "000000000000000000000000000000000000000000000000000000"
        "ffffffff"
        "ffffffffffffffffffffffffffffffffffffffffffffffff", /* p + 1 */
    };
    test_hex sk = hex(BOB_SK);
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        test_hex point = hex(points[i]);
        assert_int_equal(point.n, 56);
        uint8_t enc[56] = {0};
        uint8_t ss[64] = {0};
        assert_int_equal(xmtp_kem_x448.encap(point.p, sk.p, enc, ss), XMTP_E_KEY);
        assert_int_equal(xmtp_kem_x448.decap(sk.p, NULL, point.p, ss), XMTP_E_KEY);
        assert_true(is_zero(ss, sizeof ss) && is_zero(enc, sizeof enc));
    }
    assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_cases_sign_and_verify),
        cmocka_unit_test(every_flipped_byte_is_refused),
        cmocka_unit_test(a_scalar_beyond_the_order_is_refused),
        cmocka_unit_test(wrong_lengths_are_refused),
        cmocka_unit_test(both_sides_find_the_published_point),
        cmocka_unit_test(points_of_small_order_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
