/* keccak_test.c - the sponge functions: published digests, and 300 lengths against accumulated
 * digests that Python's hashlib (OpenSSL) gave; with the instructions of machines that have lanes,
 * and without.
 */
#include "crypto/keccak.h"
#include "crypto/test_hex.h"
#include "crypto/test_lanes.h"

static void published_digests_are_given(void **state)
{
    (void)state;
    uint8_t out[64];
    xmtp_sha3_256(xmtp_bytes_of_string("abc"), out);
    assert_hex(out, 32, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");
    xmtp_sha3_512(xmtp_bytes_of_string("abc"), out);
    assert_hex(out, 64,
               "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
               "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0");
    xmtp_shake256(xmtp_bytes_of(NULL, 0), out, 32);
    assert_hex(out, 32, "46b9dd2b0ba88d13233b3feb743eeb243fcd52ea62b81b82b50c27646ed5762f");
}

static void keccak256_uses_the_padding_of_ethereum(void **state)
{
    (void)state;
    uint8_t out[32];
    xmtp_keccak256(xmtp_bytes_of(NULL, 0), out);
    assert_hex(out, 32, "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
    xmtp_keccak256(xmtp_bytes_of_string("abc"), out);
    assert_hex(out, 32, "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
}

/* SHA-256 over the outputs for the messages 00, 00 01, 00 01 02 ... of 0 to 299 bytes. */
static void assert_accumulated(void (*start)(xmtp_keccak *), size_t len, const char *expected)
{
    uint8_t message[300];
    for (size_t i = 0; i < sizeof message; i++) {
        message[i] = (uint8_t)i;
    }
    xmtp_hash_context all;
    xmtp_hash_sha256.init(&all);
    for (size_t n = 0; n < sizeof message; n++) {
        size_t out_len = len == 0 ? n + 200 : len;
        uint8_t out[500];
        xmtp_keccak k;
        start(&k);
        xmtp_keccak_absorb(&k, xmtp_bytes_of(message, n / 3)); /* and in pieces */
        xmtp_keccak_absorb(&k, xmtp_bytes_of(message + n / 3, n - n / 3));
        xmtp_keccak_squeeze(&k, out, out_len / 2);
        xmtp_keccak_squeeze(&k, out + out_len / 2, out_len - out_len / 2);
        xmtp_hash_sha256.update(&all, out, out_len);
    }
    uint8_t digest[32];
    xmtp_hash_sha256.final(&all, digest);
    assert_hex(digest, sizeof digest, expected);
}

static void every_length_around_the_rate_agrees_with_an_independent_implementation(void **state)
{
    (void)state;
    assert_accumulated(xmtp_sha3_256_init, 32,
                       "1efe713a570f9b8c9c444bb6d3e5be64ae10ba8e1db761eff60612b5c08350e8");
    assert_accumulated(xmtp_sha3_512_init, 64,
                       "a2bf2e4ab874546d2ebcd781fdd64babcfd1a21cd15b78f8b15231fc85c239dd");
    assert_accumulated(xmtp_shake128_init, 0,
                       "b80ad39aca41589f58940f1259aebcc77cb34a6e56458890acb34d6ff4fe3b04");
    assert_accumulated(xmtp_shake256_init, 0,
                       "7753000417b448f5be894b9f7436159197c02dc7a32aee6e988c0ef29aa2083f");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_digests_are_given),
        cmocka_unit_test(keccak256_uses_the_padding_of_ethereum),
        cmocka_unit_test(every_length_around_the_rate_agrees_with_an_independent_implementation),
    };
    return cmocka_run_group_tests_name("as this machine can", tests, NULL, NULL) +
           cmocka_run_group_tests_name("without lanes", tests, forbid_lanes, allow_lanes);
}
