/* nist_test.c - what the NIST curves must refuse, and ECDSA against RFC 6979 appendix A.2. */
#include "crypto/test_hex.h"

#include <openssl/err.h>

/* ---- ECDSA ---- */

typedef struct ecdsa_case {
    const xmtp_signature *scheme;
    const char *sk;
    const char *pk_x;
    const char *message;
    const char *r;
    const char *s;
} ecdsa_case;

#define P256_SK "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"
#define P256_X  "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
#define P384_SK                                                                                    \
    "6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d8"                             \
    "96d5724e4c70a825f872c9ea60d2edf5"
#define P384_X                                                                                     \
    "ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64"                             \
    "def8f0ea9055866064a254515480bc13"
#define P521_SK                                                                                    \
    "00fad06daa62ba3b25d2fb40133da757205de67f5bb0018fee8c86e1b68c7e75caa8"                         \
    "96eb32f1f47c70855836a6d16fcc1466f6d8fbec67db89ec0c08b0e996b83538"
#define P521_X                                                                                     \
    "01894550d0785932e00eaa23b694f213f8c3121f86dc97a04e5a7167db4e5bcd3711"                         \
    "23d46e45db6b5d5370a7f20fb633155d38ffa16d2bd761dcac474b9a2f5023a4"

static const ecdsa_case ecdsa_cases[] = {
    {&xmtp_signature_ecdsa_p256, P256_SK, P256_X, "sample",
     "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
     "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"},
    {&xmtp_signature_ecdsa_p256, P256_SK, P256_X, "test",
     "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367",
     "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083"},
    {&xmtp_signature_ecdsa_p384, P384_SK, P384_X, "sample",
     "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c"
     "81a648152e44acf96e36dd1e80fabe46",
     "99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94f"
     "a329c145786e679e7b82c71a38628ac8"},
    {&xmtp_signature_ecdsa_p521, P521_SK, P521_X, "sample",
     "00c328fafcbd79dd77850370c46325d987cb525569fb63c5d3bc53950e6d4c5f174e"
     "25a1ee9017b5d450606add152b534931d7d4e8455cc91f9b15bf05ec36e377fa",
     "00617cce7cf5064806c467f678d3b4080d6f1cc50af26ca209417308281b68af2826"
     "23eaa63e5b5c0723d8b8c37ff0777b1a20f8ccb1dccc43997f1ee0e44da4a67a"},
};
enum { ECDSA_CASE_COUNT = sizeof ecdsa_cases / sizeof ecdsa_cases[0] };

/* INTEGER of DER from a big-endian number; returns its length. */
static size_t der_integer(const test_hex *number, uint8_t *out)
{
    size_t start = 0;
    while (start + 1 < number->n && number->p[start] == 0) {
        start++;
    }
    size_t n = number->n - start;
    size_t zero = number->p[start] >> 7;
    out[0] = 0x02;
    out[1] = (uint8_t)(n + zero);
    out[2] = 0;
    memcpy(out + 2 + zero, number->p + start, n);
    return 2 + zero + n;
}

/* Both INTEGERs in a SEQUENCE of up to 255 bytes. */
static xmtp_bytes der_of(const char *r_text, const char *s_text, uint8_t out[160])
{
    test_hex r = hex(r_text);
    test_hex s = hex(s_text);
    uint8_t body[160];
    size_t n = der_integer(&r, body);
    n += der_integer(&s, body + n);
    size_t head = 0;
    out[head++] = 0x30;
    if (n >= 0x80) {
        out[head++] = 0x81;
    }
    out[head++] = (uint8_t)n;
    memcpy(out + head, body, n);
    return xmtp_bytes_of(out, head + n);
}

typedef struct signed_case {
    const xmtp_signature *scheme;
    uint8_t pk[XMTP_SIGNATURE_PK_MAX];
    uint8_t signature[XMTP_SIGNATURE_MAX];
    size_t signature_len;
    xmtp_bytes message;
} signed_case;

static signed_case sign_case(const ecdsa_case *c)
{
    signed_case s = {.scheme = c->scheme, .message = xmtp_bytes_of_string(c->message)};
    test_hex sk = hex(c->sk);
    assert_int_equal(sk.n, c->scheme->sk_len);
    assert_int_equal(c->scheme->public_key(sk.p, s.pk), XMTP_OK);
    assert_int_equal(c->scheme->sign(sk.p, s.pk, s.message, s.signature, &s.signature_len),
                     XMTP_OK);
    assert_true(s.signature_len <= c->scheme->signature_max);
    return s;
}

static xmtp_status verdict(const signed_case *s, xmtp_bytes signature)
{
    return s->scheme->verify(xmtp_bytes_of(s->pk, s->scheme->pk_len), s->message, signature);
}

static void signatures_are_those_of_rfc_6979(void **state)
{
    (void)state;
    for (size_t i = 0; i < ECDSA_CASE_COUNT; i++) {
        signed_case s = sign_case(&ecdsa_cases[i]);
        uint8_t der[160];
        xmtp_bytes expected = der_of(ecdsa_cases[i].r, ecdsa_cases[i].s, der);
        assert_int_equal(s.pk[0], 0x04);
        assert_hex(s.pk + 1, (s.scheme->pk_len - 1) / 2, ecdsa_cases[i].pk_x);
        assert_int_equal(s.signature_len, expected.n);
        assert_memory_equal(s.signature, expected.p, expected.n);
        assert_int_equal(verdict(&s, expected), XMTP_OK);
    }
}

static void every_flipped_bit_of_a_signature_key_or_message_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ECDSA_CASE_COUNT; i++) {
        signed_case s = sign_case(&ecdsa_cases[i]);
        xmtp_bytes signature = xmtp_bytes_of(s.signature, s.signature_len);
        for (size_t at = 0; at < s.signature_len; at++) {
            s.signature[at] ^= (uint8_t)(1 << (at % 8));
            assert_int_equal(verdict(&s, signature), XMTP_E_SIGNATURE);
            s.signature[at] ^= (uint8_t)(1 << (at % 8));
        }
        for (size_t at = 0; at < s.scheme->pk_len; at++) {
            s.pk[at] ^= (uint8_t)(1 << (at % 8));
            assert_int_equal(verdict(&s, signature), XMTP_E_KEY); /* not on the curve */
            s.pk[at] ^= (uint8_t)(1 << (at % 8));
        }
        s.message.n--;
        assert_int_equal(verdict(&s, signature), XMTP_E_SIGNATURE);
        s.message.n++;
        assert_int_equal(verdict(&s, signature), XMTP_OK);
        assert_int_equal(ERR_peek_error(), 0); /* nothing for TLS to stumble over */
    }
}

static void cut_and_extended_signatures_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ECDSA_CASE_COUNT; i++) {
        signed_case s = sign_case(&ecdsa_cases[i]);
        for (size_t n = 0; n < s.signature_len; n++) {
            assert_int_equal(verdict(&s, xmtp_bytes_of(s.signature, n)), XMTP_E_SIGNATURE);
        }
        uint8_t longer[XMTP_SIGNATURE_MAX + 2] = {0};
        memcpy(longer, s.signature, s.signature_len);
        for (size_t n = s.signature_len + 1; n <= sizeof longer; n++) {
            assert_int_equal(verdict(&s, xmtp_bytes_of(longer, n)), XMTP_E_SIGNATURE);
        }
        assert_int_equal(ERR_peek_error(), 0);
    }
}

#define P256_N "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"

/* Every encoding but one is refused, and numbers out of range; over the first case of P-256, whose r
 * and s both have their top bit set. */
static void other_encodings_and_ranges_are_refused(void **state)
{
    (void)state;
    signed_case s = sign_case(&ecdsa_cases[0]);
    const char *r = ecdsa_cases[0].r;
    const char *si = ecdsa_cases[0].s;
    char text[200];
    const char *const formats[] = {
        "308146022100%s022100%s", /* long form of a short length */
        "30820046022100%s022100%s",
        "3080022100%s022100%s0000", /* indefinite length */
        "304402"
        "20%s0220%s",             /* without the zero: negative */
        "304702220000%s022100%s", /* a zero too many */
        "304702"
        "2100%s02220000%s",
        "3046022100%s022101%s", /* r or s plus 2^256 */
        "3046022101%s022100%s",
        "3146022100%s022100%s",     /* SET */
        "3046042100%s022100%s",     /* OCTET STRING */
        "3048022100%s022100%s0500", /* a third element */
        "3045022100%s022100%s",     /* length one less */
        "3047022100%s022100%s",     /* length one more */
    };
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        (void)snprintf(text, sizeof text, formats[i], r, si);
        test_hex signature = hex(text);
        assert_int_equal(verdict(&s, view(&signature)), XMTP_E_SIGNATURE);
    }
    const char *const pairs[][2] = {
        {"00", "00"}, {"00", si}, {r, "00"}, {"00", "01"}, {"01", "01"}, {P256_N, si}, {r, P256_N},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        uint8_t der[160];
        assert_int_equal(verdict(&s, der_of(pairs[i][0], pairs[i][1], der)), XMTP_E_SIGNATURE);
    }
    assert_int_equal(ERR_peek_error(), 0);
}

/* order - s is the other valid s: RFC 9420 asks for no low s, and others accept it too. */
static void the_other_s_is_accepted(void **state)
{
    (void)state;
    signed_case s = sign_case(&ecdsa_cases[0]);
    uint8_t der[160];
    xmtp_bytes other = der_of(
        ecdsa_cases[0].r, "0834e36ad29a83bf2bc9385e491d6099c8fdf9d1ed67aa7ea5f51f93782857a9", der);
    assert_int_equal(verdict(&s, other), XMTP_OK);
}

/* ---- keys ---- */

static const xmtp_kem *const kems[] = {&xmtp_kem_p256, &xmtp_kem_p384, &xmtp_kem_p521};
static const xmtp_signature *const schemes[] = {
    &xmtp_signature_ecdsa_p256, &xmtp_signature_ecdsa_p384, &xmtp_signature_ecdsa_p521};

static const char *const orders[] = {
    P256_N,
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf"
    "581a0db248b0a77aecec196accc52973",
    "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa"
    "51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
};

static void private_keys_outside_1_to_order_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        test_hex order = hex(orders[i]);
        uint8_t pk[XMTP_KEM_PK_MAX];
        uint8_t enc[XMTP_KEM_PK_MAX];
        uint8_t ss[XMTP_KEM_SS_MAX];
        uint8_t signature[XMTP_SIGNATURE_MAX];
        size_t signature_len = 0;
        uint8_t bad[3][66] = {{0}};
        memcpy(bad[1], order.p, order.n);
        memset(bad[2], 0xff, order.n);
        order.p[order.n - 1]--; /* the greatest private key: the generator upside down */
        assert_int_equal(kems[i]->public_key(order.p, enc), XMTP_OK);
        for (size_t j = 0; j < 3; j++) {
            assert_int_equal(kems[i]->public_key(bad[j], pk), XMTP_E_KEY);
            assert_int_equal(kems[i]->decap(bad[j], NULL, enc, ss), XMTP_E_KEY);
            assert_int_equal(kems[i]->decap(bad[j], enc, enc, ss), XMTP_E_KEY);
            assert_int_equal(schemes[i]->public_key(bad[j], pk), XMTP_E_KEY);
            assert_int_equal(
                schemes[i]->sign(bad[j], pk, xmtp_bytes_of_string("m"), signature, &signature_len),
                XMTP_E_KEY);
        }
        assert_int_equal(signature_len, 0);
    }
}

/* The points of sk = 1 and sk = order - 1 differ in y only, and y + y' = p. */
static void the_smallest_and_the_greatest_key_have_opposite_points(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        test_hex order = hex(orders[i]);
        uint8_t one[66] = {0};
        uint8_t a[133];
        uint8_t b[133];
        one[order.n - 1] = 1;
        order.p[order.n - 1]--;
        assert_int_equal(kems[i]->public_key(one, a), XMTP_OK);
        assert_int_equal(kems[i]->public_key(order.p, b), XMTP_OK);
        assert_memory_equal(a, b, 1 + order.n);
        assert_memory_not_equal(a + 1 + order.n, b + 1 + order.n, order.n);
    }
}

typedef struct bad_point {
    size_t kem;
    const char *point;
} bad_point;

#define P256_GX "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
#define P256_GY "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
#define P256_P  "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"
#define ZERO32  "0000000000000000000000000000000000000000000000000000000000000000"
#define ZERO48  ZERO32 "00000000000000000000000000000000"

static const bad_point bad_points[] = {
    {0, "04" ZERO32 ZERO32}, /* how some write infinity */
    {0, "00" ZERO32 ZERO32},
    {0, "06" P256_GX P256_GY}, /* hybrid forms */
    {0, "07" P256_GX P256_GY},
    {0, "02" P256_GX P256_GY}, /* compressed, with something behind */
    {0, "03" P256_GX P256_GY},
    {0, "05" P256_GX P256_GY},
    {0, "04" P256_GY P256_GX}, /* not on the curve */
    {0, "04" P256_P P256_GY},  /* a coordinate not below p */
    {0, "04" P256_GX P256_P},
    /* x = 0 is on the curve with this y, but x = p stands for it no better */
    {0, "04" P256_P "66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4"},
    {1, "04" ZERO48 ZERO48},
};

static void what_is_no_uncompressed_point_of_the_curve_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_points / sizeof bad_points[0]; i++) {
        const xmtp_kem *kem = kems[bad_points[i].kem];
        test_hex point = hex(bad_points[i].point);
        assert_int_equal(point.n, kem->pk_len);
        uint8_t sk[66] = {0};
        uint8_t seed[66] = {3};
        uint8_t enc[133] = {0};
        uint8_t ss[64] = {0};
        sk[kem->sk_len - 1] = 9;
        assert_int_equal(kem->encap(point.p, seed, enc, ss), XMTP_E_KEY);
        assert_int_equal(kem->decap(sk, NULL, point.p, ss), XMTP_E_KEY);
        assert_true(is_zero(enc, sizeof enc) && is_zero(ss, sizeof ss));
        assert_int_equal(schemes[bad_points[i].kem]->verify(view(&point), view(&point),
                                                            xmtp_bytes_of_string("0")),
                         XMTP_E_KEY);
    }
    assert_int_equal(ERR_peek_error(), 0);
    /* the same x with the right y is welcome */
    test_hex good =
        hex("04" ZERO32 "66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4");
    uint8_t seed[32] = {3};
    uint8_t enc[65];
    uint8_t ss[32];
    assert_int_equal(xmtp_kem_p256.encap(good.p, seed, enc, ss), XMTP_OK);
}

static void public_keys_of_other_lengths_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        uint8_t sk[66] = {0};
        uint8_t pk[140] = {0};
        sk[kems[i]->sk_len - 1] = 5;
        assert_int_equal(schemes[i]->public_key(sk, pk), XMTP_OK);
        for (size_t n = 0; n < sizeof pk; n++) {
            xmtp_status expected = n == schemes[i]->pk_len ? XMTP_E_SIGNATURE : XMTP_E_KEY;
            assert_int_equal(
                schemes[i]->verify(xmtp_bytes_of(pk, n), (xmtp_bytes){0}, (xmtp_bytes){0}),
                expected);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_are_those_of_rfc_6979),
        cmocka_unit_test(every_flipped_bit_of_a_signature_key_or_message_is_refused),
        cmocka_unit_test(cut_and_extended_signatures_are_refused),
        cmocka_unit_test(other_encodings_and_ranges_are_refused),
        cmocka_unit_test(the_other_s_is_accepted),
        cmocka_unit_test(private_keys_outside_1_to_order_are_refused),
        cmocka_unit_test(the_smallest_and_the_greatest_key_have_opposite_points),
        cmocka_unit_test(what_is_no_uncompressed_point_of_the_curve_is_refused),
        cmocka_unit_test(public_keys_of_other_lengths_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
