/* mlkem_test.c - ML-KEM-768: 100 cases against an independent implementation, implicit rejection,
 * the modulus check, many at once, and the arithmetic against plain division. All of it is run in
 * each kind of lanes that the machine has, and without.
 *
 * The inputs of case i are SHA-256 of the two bytes (kind, i), with kinds 0 = d, 1 = z, 2 = m. The
 * expected digest over all outputs was computed with @noble/post-quantum 0.7.1 (JavaScript).
 */
#include "crypto/keccak.h"
#include "crypto/mlkem.h"
#include "crypto/test_hex.h"
#include "crypto/test_lanes.h"

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

/* Algorithm 7 word for word. Says how many blocks of the sponge it took. */
static size_t sample_plainly(const xmtp_poly_sample *sample, xmtp_poly *out)
{
    xmtp_keccak xof;
    size_t bytes = 0;
    xmtp_shake128_init(&xof);
    xmtp_keccak_absorb(&xof, xmtp_bytes_of(sample->seed, 32));
    xmtp_keccak_absorb(&xof, xmtp_bytes_of(sample->index, 2));
    for (size_t j = 0; j < MLKEM_N; bytes += 3) {
        uint8_t c[3];
        xmtp_keccak_squeeze(&xof, c, 3);
        const uint16_t d1 = (uint16_t)(c[0] + 256 * (c[1] % 16));
        const uint16_t d2 = (uint16_t)(c[1] / 16 + 16 * c[2]);
        if (d1 < MLKEM_Q) {
            out->c[j++] = d1;
        }
        if (d2 < MLKEM_Q && j < MLKEM_N) {
            out->c[j++] = d2;
        }
    }
    return (bytes + 167) / 168;
}

/* Among them some that need a fourth block, beside others that do not. */
static void uniform_polynomials_are_those_of_the_standard(void **state)
{
    (void)state;
    enum { COUNT = 13 };
    size_t long_count = 0;
    for (size_t round = 0; round < 100; round++) {
        uint8_t rho[COUNT][32];
        xmtp_poly out[COUNT];
        xmtp_poly_sample samples[COUNT];
        for (size_t i = 0; i < COUNT; i++) {
            number((uint8_t)(10 + i), round, rho[i]);
            samples[i] = (xmtp_poly_sample){&out[i], rho[i], {(uint8_t)i, (uint8_t)round}};
        }
        xmtp_poly_sample_ntt(samples, COUNT);
        for (size_t i = 0; i < COUNT; i++) {
            xmtp_poly expected;
            long_count += sample_plainly(&samples[i], &expected) > 3;
            assert_memory_equal(&out[i], &expected, sizeof expected);
        }
    }
    assert_in_range(long_count, 1, 100);
}

/* Algorithm 8 word for word. */
static void small_polynomials_are_those_of_the_standard(void **state)
{
    (void)state;
    enum { COUNT = 9 };
    uint8_t seed[32];
    xmtp_poly out[COUNT];
    xmtp_poly_sample samples[COUNT];
    number(7, 0, seed);
    for (uint8_t i = 0; i < COUNT; i++) {
        samples[i] = (xmtp_poly_sample){&out[i], seed, {i}};
    }
    xmtp_poly_sample_cbd(samples, COUNT);
    for (uint8_t i = 0; i < COUNT; i++) {
        uint8_t in[33];
        uint8_t b[128];
        memcpy(in, seed, 32);
        in[32] = i;
        xmtp_shake256(xmtp_bytes_of(in, sizeof in), b, sizeof b);
        for (size_t j = 0; j < MLKEM_N; j++) {
            const unsigned four = (unsigned)b[j / 2] >> (4 * (j % 2));
            unsigned x = (four & 1) + ((four >> 1) & 1);
            unsigned y = ((four >> 2) & 1) + ((four >> 3) & 1);
            assert_int_equal(out[i].c[j], (x + MLKEM_Q - y) % MLKEM_Q);
        }
    }
}

/* A candidate of q is refused and one of q - 1 taken, at every place of a block and of a polynomial. */
static void candidates_are_judged_at_every_place(void **state)
{
    (void)state;
    for (size_t place = 0; place < 112; place++) {
        for (size_t before = 0; before <= MLKEM_N; before += 16 - place % 16) {
            uint8_t block[168] = {0};
            uint16_t values[112];
            xmtp_poly a;
            size_t filled = before;
            for (size_t i = 0; i < 112; i++) {
                values[i] = (uint16_t)(i == place ? MLKEM_Q : MLKEM_Q - 1 - i);
                block[i / 2 * 3 + i % 2] |= (uint8_t)(values[i] << (4 * (i % 2)));
                block[i / 2 * 3 + i % 2 + 1] |= (uint8_t)(values[i] >> (8 - 4 * (i % 2)));
            }
            memset(&a, 0xee, sizeof a);
            xmtp_poly_accept(&a, &filled, block, sizeof block);
            assert_int_equal(filled, before + 111 < MLKEM_N ? before + 111 : MLKEM_N);
            for (size_t i = 0, at = before; i < 112 && at < MLKEM_N; i++) {
                if (i != place) {
                    assert_int_equal(a.c[at++], values[i]);
                }
            }
            for (size_t i = 0; i < before; i++) {
                assert_int_equal(a.c[i], 0xeeee);
            }
        }
    }
}

/* One polynomial of this round: extremes in the first, then any. */
static void any_poly(uint8_t kind, size_t round, xmtp_poly *a)
{
    uint8_t bytes[2 * MLKEM_N];
    uint8_t seed[32];
    number(kind, round, seed);
    xmtp_shake256(xmtp_bytes_of(seed, 32), bytes, sizeof bytes);
    for (size_t i = 0; i < MLKEM_N; i++) {
        const uint32_t value = bytes[2 * i] | (uint32_t)bytes[2 * i + 1] << 8;
        a->c[i] = (uint16_t)(round == 0 ? (value & 1) * (MLKEM_Q - 1) : value % MLKEM_Q);
    }
}

typedef struct ring_results {
    xmtp_poly sum, difference, ntt, inverse, product, decoded;
    uint8_t packed[3][320];
    xmtp_poly unpacked[3];
    xmtp_poly any_unpacked[3];
    xmtp_poly small;
    bool is_reduced;
} ring_results;

static void use_ring(size_t round, ring_results *r)
{
    static const unsigned depths[] = {1, 4, 10};
    xmtp_poly a;
    xmtp_poly b;
    uint8_t bytes[384];
    any_poly(20, round, &a);
    any_poly(21, round, &b);
    memset(r, 0, sizeof *r);
    r->sum = r->difference = r->ntt = r->inverse = r->product = a;
    xmtp_poly_add(&r->sum, &b);
    xmtp_poly_sub(&r->difference, &b);
    xmtp_poly_ntt(&r->ntt);
    xmtp_poly_ntt_inverse(&r->inverse);
    xmtp_poly_multiply_add(&r->product, &a, &b);
    for (size_t i = 0; i < 3; i++) {
        xmtp_poly_compress(&a, depths[i], r->packed[i]);
        xmtp_poly_decompress(&r->unpacked[i], depths[i], r->packed[i]);
    }
    number(22, round, bytes);
    xmtp_shake256(xmtp_bytes_of(bytes, 32), bytes, sizeof bytes);
    xmtp_poly_binomial(&r->small, bytes);
    for (size_t i = 0; i < 3; i++) {
        xmtp_poly_decompress(&r->any_unpacked[i], depths[i], bytes);
    }
    xmtp_poly_encode(&a, bytes);
    if (round % 2 == 0) { /* out of range somewhere, or everywhere */
        memset(bytes + round % 100, 0xff, round == 0 ? 284 : 3);
    }
    r->is_reduced = xmtp_poly_decode(&r->decoded, bytes);
    assert_int_equal(r->is_reduced, round % 2 != 0);
}

/* Every kind of lanes that is here. */
static void arithmetic_in_lanes_gives_what_the_plain_one_gives(void **state)
{
    (void)state;
    static const char *const names[] = {NULL, "AVX2", "AVX-512 with BW and IFMA"};
    const xmtp_lanes_kind fastest = xmtp_lanes_here();
    for (xmtp_lanes_kind kind = XMTP_LANES_AVX2; kind <= XMTP_LANES_AVX512; kind++) {
        if (kind > fastest) {
            print_message("not compared: this machine has no %s\n", names[kind]);
            continue;
        }
        for (size_t round = 0; round < 250; round++) {
            ring_results in_lanes;
            ring_results plain;
            xmtp_lanes_allow(kind);
            use_ring(round, &in_lanes);
            xmtp_lanes_allow(XMTP_LANES_NONE);
            use_ring(round, &plain);
            assert_memory_equal(&in_lanes, &plain, sizeof plain);
        }
    }
    if (fastest == XMTP_LANES_NONE) {
        skip();
    }
}

/* ---- many at once ---- */

enum { MANY = 19 };

static xmtp_mlkem768_key keys[MANY];
static uint8_t messages[MANY][32];
static uint8_t cts[MANY][MLKEM768_CT_LEN];
static uint8_t secrets[MANY][32];

static void start_many(xmtp_mlkem768_encap jobs[MANY])
{
    memset(cts, 0, sizeof cts);
    memset(secrets, 0, sizeof secrets);
    for (size_t i = 0; i < MANY; i++) {
        keygen_case(i, &keys[i]);
        number(2, i, messages[i]);
        jobs[i] = (xmtp_mlkem768_encap){keys[i].ek, messages[i], cts[i], secrets[i]};
    }
}

static void many_encapsulations_are_those_of_one_by_one(void **state)
{
    (void)state;
    for (size_t count = 0; count <= MANY; count++) {
        xmtp_mlkem768_encap jobs[MANY];
        start_many(jobs);
        assert_int_equal(xmtp_mlkem768_encaps_many(jobs, count), XMTP_OK);
        for (size_t i = 0; i < MANY; i++) {
            uint8_t ct[MLKEM768_CT_LEN] = {0};
            uint8_t ss[32] = {0};
            if (i < count) {
                assert_int_equal(xmtp_mlkem768_encaps(keys[i].ek, messages[i], ct, ss), XMTP_OK);
            }
            assert_memory_equal(cts[i], ct, sizeof ct);
            assert_memory_equal(secrets[i], ss, sizeof ss);
        }
    }
}

static void one_bad_key_among_many_leaves_all_outputs_alone(void **state)
{
    (void)state;
    for (size_t bad = 0; bad < MANY; bad++) {
        xmtp_mlkem768_encap jobs[MANY];
        start_many(jobs);
        memset(keys[bad].ek + 3 * bad, 0xff, 3);
        assert_int_equal(xmtp_mlkem768_encaps_many(jobs, MANY), XMTP_E_KEY);
        assert_true(is_zero((const uint8_t *)cts, sizeof cts));
        assert_true(is_zero((const uint8_t *)secrets, sizeof secrets));
    }
}

/* Some of them forged, so that accepted and rejected ones are neighbours. */
static void many_decapsulations_are_those_of_one_by_one(void **state)
{
    (void)state;
    xmtp_mlkem768_encap jobs[MANY];
    start_many(jobs);
    for (size_t i = 0; i < MANY; i++) {
        jobs[i].ek = keys[0].ek;
    }
    assert_int_equal(xmtp_mlkem768_encaps_many(jobs, MANY), XMTP_OK);
    for (size_t i = 0; i < MANY; i += 3) {
        cts[i][(i * 37) % sizeof cts[i]] ^= 1;
    }
    for (size_t count = 0; count <= MANY; count++) {
        xmtp_mlkem768_decap decaps[MANY];
        uint8_t opened[MANY][32] = {0};
        for (size_t i = 0; i < MANY; i++) {
            decaps[i] = (xmtp_mlkem768_decap){cts[i], opened[i]};
        }
        xmtp_mlkem768_decaps_many(&keys[0], decaps, count);
        for (size_t i = 0; i < MANY; i++) {
            uint8_t expected[32] = {0};
            if (i < count) {
                xmtp_mlkem768_decaps(&keys[0], cts[i], expected);
                assert_int_equal(memcmp(expected, secrets[i], 32) != 0, i % 3 == 0);
            }
            assert_memory_equal(opened[i], expected, 32);
        }
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
        cmocka_unit_test(uniform_polynomials_are_those_of_the_standard),
        cmocka_unit_test(small_polynomials_are_those_of_the_standard),
        cmocka_unit_test(candidates_are_judged_at_every_place),
        cmocka_unit_test(many_encapsulations_are_those_of_one_by_one),
        cmocka_unit_test(one_bad_key_among_many_leaves_all_outputs_alone),
        cmocka_unit_test(many_decapsulations_are_those_of_one_by_one),
    };
    const struct CMUnitTest all_kinds[] = {
        cmocka_unit_test_setup_teardown(arithmetic_in_lanes_gives_what_the_plain_one_gives,
                                        allow_lanes, allow_lanes),
    };
    const int failed =
        cmocka_run_group_tests_name("all kinds", all_kinds, NULL, NULL) +
        cmocka_run_group_tests_name("in lanes", tests, NULL, NULL) +
        cmocka_run_group_tests_name("without lanes", tests, forbid_lanes, allow_lanes);
    return failed + RUN_IN_SLOWER_LANES(tests);
}
