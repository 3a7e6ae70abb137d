/* keccak_many_test.c - sponges side by side give what each gives alone, in each kind of lanes and
 * without.
 */
#include "crypto/keccak_many.h"

#include "crypto/keccak.h"
#include "crypto/test_hex.h"
#include "crypto/test_lanes.h"

enum { INPUT_MAX = 500, OUTPUT_MAX = 700 };

typedef struct function {
    void (*many)(xmtp_keccak_many *k, size_t count);
    void (*one)(xmtp_keccak *k);
} function;

/* Ethereum's, which is there for whole inputs only: SHA3-256 with another suffix. */
static void keccak256_init(xmtp_keccak *k)
{
    xmtp_sha3_256_init(k);
    k->suffix = 0x01;
}

static const function functions[] = {
    {xmtp_shake128_many_init, xmtp_shake128_init}, {xmtp_shake256_many_init, xmtp_shake256_init},
    {xmtp_sha3_256_many_init, xmtp_sha3_256_init}, {xmtp_keccak256_many_init, keccak256_init},
    {xmtp_sha3_512_many_init, xmtp_sha3_512_init},
};

static uint8_t input[XMTP_LANES][INPUT_MAX];
static uint8_t output[XMTP_LANES][OUTPUT_MAX];

static void fill_input(void)
{
    for (size_t s = 0; s < XMTP_LANES; s++) {
        const uint8_t name = (uint8_t)s;
        xmtp_shake256(xmtp_bytes_of(&name, 1), input[s], INPUT_MAX);
    }
}

/* In two pieces each, as the single sponge takes and gives them in one. */
static void run_many(const function *f, size_t count, size_t in_len, size_t out_len)
{
    const size_t in_first = in_len / 3;
    const size_t out_first = out_len / 2;
    const uint8_t *in[2][XMTP_LANES];
    uint8_t *out[2][XMTP_LANES];
    for (size_t s = 0; s < count; s++) {
        in[0][s] = input[s];
        in[1][s] = input[s] + in_first;
        out[0][s] = output[s];
        out[1][s] = output[s] + out_first;
    }
    xmtp_keccak_many k;
    f->many(&k, count);
    xmtp_keccak_many_absorb(&k, in[0], in_first);
    xmtp_keccak_many_absorb(&k, in[1], in_len - in_first);
    xmtp_keccak_many_squeeze(&k, out[0], out_first);
    xmtp_keccak_many_squeeze(&k, out[1], out_len - out_first);
    xmtp_keccak_many_wipe(&k);
    assert_true(is_zero((const uint8_t *)&k, sizeof k));
}

static void assert_each_as_alone(const function *f, size_t count, size_t in_len, size_t out_len)
{
    memset(output, 0xaa, sizeof output);
    run_many(f, count, in_len, out_len);
    for (size_t s = 0; s < XMTP_LANES; s++) {
        uint8_t expected[OUTPUT_MAX];
        memset(expected, 0xaa, sizeof expected);
        if (s < count) {
            xmtp_keccak k;
            f->one(&k);
            xmtp_keccak_absorb(&k, xmtp_bytes_of(input[s], in_len));
            xmtp_keccak_squeeze(&k, expected, out_len);
        }
        assert_memory_equal(output[s], expected, OUTPUT_MAX);
    }
}

/* Around the block limits of all rates, in and out, and every count. */
static void assert_all_lengths(void)
{
    fill_input();
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
        for (size_t n = 0; n <= 350; n++) {
            assert_each_as_alone(&functions[f], 1 + n % XMTP_LANES, n, 32 + n % 7);
            assert_each_as_alone(&functions[f], 1 + (n + 3) % XMTP_LANES, 34, n);
        }
        assert_each_as_alone(&functions[f], XMTP_LANES, INPUT_MAX, OUTPUT_MAX);
    }
}

static void need(bool is_here, const char *what)
{
    if (!is_here) {
        print_message("skipped: this machine has no %s\n", what);
        skip();
    }
}

static void eight_at_once_give_what_each_gives_alone(void **state)
{
    (void)state;
    need(xmtp_lanes_here() == XMTP_LANES_AVX512, "AVX-512 with BW and IFMA");
    assert_all_lengths();
}

static void twice_four_give_what_each_gives_alone(void **state)
{
    (void)state;
    need(xmtp_lanes_here() == XMTP_LANES_AVX2, "AVX2");
    assert_all_lengths();
}

static void sponges_without_lanes_give_what_each_gives_alone(void **state)
{
    (void)state;
    assert_false(xmtp_has_lanes());
    assert_all_lengths();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eight_at_once_give_what_each_gives_alone),
        cmocka_unit_test_setup_teardown(twice_four_give_what_each_gives_alone, allow_avx2,
                                        allow_lanes),
        cmocka_unit_test_setup_teardown(sponges_without_lanes_give_what_each_gives_alone,
                                        forbid_lanes, allow_lanes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
