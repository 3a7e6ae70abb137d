/* mlkem_test.c - ML-KEM-768: 100 cases against an independent implementation, implicit rejection,
 * the modulus check, and the arithmetic against plain division.
 *
 * The inputs of case i are SHA-256 of the two bytes (kind, i), with kinds 0 = d, 1 = z, 2 = m. The
 * expected digest over all outputs was computed with @noble/post-quantum 0.7.1 (JavaScript).
 */
#include "crypto/mlkem.h"
#include "crypto/test_hex.h"

enum { CASE_COUNT = 100 };

static void number(uint8_t kind, size_t i, uint8_t out[32])
{
    const uint8_t name[2] = {kind, (uint8_t)i};
    xmtp_hash_of(&xmtp_hash_sha256, xmtp_bytes_of(name, sizeof name), out);
}

static void keygen_case(size_t i, xmtp_mlkem768_key *key)
{
    uint8_t d[32];
    uint8_t z[32];
    number(0, i, d);
    number(1, i, z);
    xmtp_mlkem768_keygen(key, d, z);
}

static void a_hundred_cases_agree_with_an_independent_implementation(void **state)
{
    (void)state;
    xmtp_hash_context all;
    xmtp_hash_sha256.init(&all);
    for (size_t i = 0; i < CASE_COUNT; i++) {
        xmtp_mlkem768_key key;
        uint8_t m[32];
        uint8_t ct[MLKEM768_CT_LEN];
        uint8_t ss[32];
        uint8_t opened[32];
        keygen_case(i, &key);
        number(2, i, m);
        assert_int_equal(xmtp_mlkem768_encaps(key.ek, m, ct, ss), XMTP_OK);
        xmtp_mlkem768_decaps(&key, ct, opened);
        assert_memory_equal(ss, opened, 32);
        xmtp_hash_sha256.update(&all, key.ek, sizeof key.ek);
        xmtp_hash_sha256.update(&all, ct, sizeof ct);
        xmtp_hash_sha256.update(&all, ss, sizeof ss);
        ct[(i * 37) % sizeof ct] ^= 1;
        xmtp_mlkem768_decaps(&key, ct, opened);
        assert_memory_not_equal(ss, opened, 32);
        xmtp_hash_sha256.update(&all, opened, sizeof opened);
    }
    uint8_t digest[32];
    xmtp_hash_sha256.final(&all, digest);
    assert_hex(digest, 32, "19c64d69774a47acb1173219a34be613790f903201d07c820b2372d6ae747813");
}

static void a_rejected_ciphertext_gives_the_secret_of_z(void **state)
{
    (void)state;
    xmtp_mlkem768_key key;
    uint8_t ct[MLKEM768_CT_LEN] = {0};
    uint8_t first[32];
    uint8_t second[32];
    keygen_case(0, &key);
    xmtp_mlkem768_decaps(&key, ct, first);
    xmtp_mlkem768_decaps(&key, ct, second);
    assert_memory_equal(first, second, 32);
    key.z[0] ^= 1;
    xmtp_mlkem768_decaps(&key, ct, second);
    assert_memory_not_equal(first, second, 32);
}

/* Section 7.2: the first coefficient of each polynomial set to q, which decodes to zero. */
static void keys_with_a_coefficient_of_q_or_more_are_refused(void **state)
{
    (void)state;
    xmtp_mlkem768_key key;
    keygen_case(0, &key);
    for (size_t i = 0; i < MLKEM768_K; i++) {
        uint8_t ek[MLKEM768_EK_LEN];
        uint8_t ct[MLKEM768_CT_LEN] = {0};
        uint8_t ss[32] = {0};
        const uint8_t m[32] = {1};
        memcpy(ek, key.ek, sizeof ek);
        ek[384 * i] = MLKEM_Q & 0xff;
        ek[384 * i + 1] = (uint8_t)((ek[384 * i + 1] & 0xf0) | MLKEM_Q >> 8);
        assert_int_equal(xmtp_mlkem768_encaps(ek, m, ct, ss), XMTP_E_KEY);
        assert_true(is_zero(ct, sizeof ct) && is_zero(ss, sizeof ss));
        ek[384 * i]--; /* q - 1 is the largest */
        assert_int_equal(xmtp_mlkem768_encaps(ek, m, ct, ss), XMTP_OK);
    }
}

/* Compress against the definition, for every coefficient; and back within the allowed distance. */
static void compression_rounds_as_defined(void **state)
{
    (void)state;
    static const unsigned depths[] = {1, 4, 10};
    for (size_t i = 0; i < 3; i++) {
        unsigned d = depths[i];
        for (uint32_t first = 0; first < MLKEM_Q; first += MLKEM_N) {
            xmtp_poly a;
            xmtp_poly b;
            uint8_t packed[320];
            for (uint32_t j = 0; j < MLKEM_N; j++) {
                a.c[j] = (uint16_t)((first + j) % MLKEM_Q);
            }
            xmtp_poly_compress(&a, d, packed);
            xmtp_poly_decompress(&b, d, packed);
            for (uint32_t j = 0; j < MLKEM_N; j++) {
                uint32_t y = ((2U * a.c[j] << d) + MLKEM_Q) / (2 * MLKEM_Q) % (1U << d);
                assert_int_equal(b.c[j], (2 * MLKEM_Q * y + (1U << d)) >> (d + 1));
            }
        }
    }
}

/* X times X^255 is X^256 = -1; and a product by the definition. */
static void ntt_multiplies_modulo_x_256_plus_1(void **state)
{
    (void)state;
    xmtp_poly a;
    xmtp_poly b;
    xmtp_poly product = {0};
    int32_t expected[MLKEM_N] = {0};
    for (int i = 0; i < MLKEM_N; i++) {
        a.c[i] = (uint16_t)(i * i * 7 % MLKEM_Q);
        b.c[i] = (uint16_t)((3328 - i * 13) % MLKEM_Q);
    }
    for (int i = 0; i < MLKEM_N; i++) {
        for (int j = 0; j < MLKEM_N; j++) {
            int32_t term = a.c[i] * b.c[j] % MLKEM_Q;
            int at = (i + j) % MLKEM_N;
            expected[at] = (expected[at] + (i + j < MLKEM_N ? term : MLKEM_Q - term)) % MLKEM_Q;
        }
    }
    xmtp_poly_ntt(&a);
    xmtp_poly_ntt(&b);
    xmtp_poly_multiply_add(&product, &a, &b);
    xmtp_poly_ntt_inverse(&product);
    for (int i = 0; i < MLKEM_N; i++) {
        assert_int_equal(product.c[i], expected[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hundred_cases_agree_with_an_independent_implementation),
        cmocka_unit_test(a_rejected_ciphertext_gives_the_secret_of_z),
        cmocka_unit_test(keys_with_a_coefficient_of_q_or_more_are_refused),
        cmocka_unit_test(compression_rounds_as_defined),
        cmocka_unit_test(ntt_multiplies_modulo_x_256_plus_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
