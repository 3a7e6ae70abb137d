/* wallet_test.c - addresses, signatures and recovery, with the rules of identity.md 3.3.
 *
 * Wallets, digests and signatures are the worked examples of identity.md section 4.
 */
#include "crypto/test_hex.h"

#define WALLET_0  "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
#define WALLET_1  "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
#define ADDRESS_0 "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
#define ADDRESS_1 "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"

typedef struct wallet_case {
    const char *sk;
    const char *address;
    const char *digest;
    const char *signature;
} wallet_case;

static const wallet_case cases[] = {
    {WALLET_0, ADDRESS_0, "2dec8e8de9f240be509412effc1ad8ee65724c5f6747fc635d97ec91fba48a6a",
     "29f91f56db309b4240f02ca418568ebfe7edebd19bf93e43e3fd079ffa483c18"
     "426b289cbc459108994522bf23cdf8b9d6cceadaa872195f63826fed93f3a3a91c"},
    {WALLET_0, ADDRESS_0, "7a28c26fc8077798e86e8464998577034c21772783b071a7af69aacc68ce286e",
     "467c34a09a6fe6c72c755ccee108af5c70a28b78e2dc2ac00fce51907a0c01de"
     "0fdaaaeff712e3cb4baf8320d96bf1727d6e7dd4614e29b0be66f8c64af1e8921c"},
    {WALLET_1, ADDRESS_1, "7a28c26fc8077798e86e8464998577034c21772783b071a7af69aacc68ce286e",
     "46b48451508ed9c77f680d99cf19ab95d96434393169a877116c3155f8f22597"
     "4a43603fc87db9b2f65623eae600a7f036752a42cd975dac1e2c12da121397c01c"},
    {WALLET_1, ADDRESS_1, "e185dfa396e10662cfc878a85510c79a2998c726eca90b85f9360dffdc241366",
     "a35a3ccf9935b07977f4039991fd4cf16aab9ae362480461e6b9bccbdbb443b0"
     "7b107f841ae9d5b1beccb9a24aa3f1947733913b0a39f4bc92ca5b27e30bbf661c"},
    {WALLET_0, ADDRESS_0, "68cd8a9b2196306e501626935ae9924e3518b37e9ce05bf66c19bd15b58cfd89",
     "56ed46cc2d22dd685c9744ee74cdc733ab28e1c93567c308d0182a41645ae9ab"
     "7b932e1ec35c6d5dae0a8f911d6435199490af75f96c10a8afd18a1312c5d1311c"},
};
enum { CASE_COUNT = sizeof cases / sizeof cases[0] };

static const char group_order[] =
    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

/* s becomes n - s. */
static void mirror_s(uint8_t signature[65])
{
    test_hex n = hex(group_order);
    int borrow = 0;
    for (size_t i = 32; i-- > 0;) {
        int difference = n.p[i] - signature[32 + i] - borrow;
        borrow = difference < 0;
        signature[32 + i] = (uint8_t)difference;
    }
}

static void worked_examples_sign_and_recover(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASE_COUNT; i++) {
        test_hex sk = hex(cases[i].sk);
        test_hex digest = hex(cases[i].digest);
        char address[43];
        uint8_t signature[65];
        uint8_t normalized[65];
        assert_int_equal(xmtp_secp256k1_address(sk.p, address), XMTP_OK);
        assert_string_equal(address, cases[i].address);
        assert_int_equal(xmtp_secp256k1_sign(sk.p, digest.p, signature), XMTP_OK);
        assert_hex(signature, 65, cases[i].signature);
        assert_int_equal(xmtp_secp256k1_recover(digest.p, signature, address, normalized), XMTP_OK);
        assert_string_equal(address, cases[i].address);
        assert_memory_equal(signature, normalized, 65);
    }
}

static void private_keys_out_of_range_are_refused(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        group_order,
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    };
    const uint8_t digest[32] = {1};
    char address[43];
    uint8_t signature[65];
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        test_hex sk = hex(keys[i]);
        assert_int_equal(xmtp_secp256k1_address(sk.p, address), XMTP_E_KEY);
        assert_int_equal(xmtp_secp256k1_sign(sk.p, digest, signature), XMTP_E_KEY);
    }
}

static void high_s_with_its_original_v_recovers_the_signer(void **state)
{
    (void)state;
    test_hex digest = hex(cases[0].digest);
    test_hex original = hex(cases[0].signature);
    test_hex signature = original;
    mirror_s(signature.p);
    char address[43];
    uint8_t normalized[65];
    assert_int_equal(xmtp_secp256k1_recover(digest.p, signature.p, address, normalized), XMTP_OK);
    assert_string_equal(address, ADDRESS_0);
    assert_memory_equal(normalized, original.p, 65);
}

static void correctly_malleated_signature_recovers_somebody_else(void **state)
{
    (void)state;
    test_hex digest = hex(cases[0].digest);
    test_hex signature = hex(cases[0].signature);
    mirror_s(signature.p);
    signature.p[64] = 27; /* was 28 */
    char address[43];
    uint8_t normalized[65];
    assert_int_equal(xmtp_secp256k1_recover(digest.p, signature.p, address, normalized), XMTP_OK);
    assert_string_not_equal(address, ADDRESS_0);
}

static void v_is_read_in_its_three_forms(void **state)
{
    (void)state;
    test_hex digest = hex(cases[0].digest);
    test_hex signature = hex(cases[0].signature); /* odd parity: v = 28 */
    for (unsigned v = 0; v < 256; v++) {
        bool is_valid = v < 2 || v == 27 || v == 28 || v >= 35;
        bool is_odd = v == 1 || v == 28 || (v >= 35 && (v - 35) % 2 == 1);
        char address[43] = "";
        uint8_t normalized[65];
        memset(normalized, 0xee, sizeof normalized);
        signature.p[64] = (uint8_t)v;
        xmtp_status status = xmtp_secp256k1_recover(digest.p, signature.p, address, normalized);
        assert_int_equal(status, is_valid ? XMTP_OK : XMTP_E_SIGNATURE);
        assert_int_equal(strcmp(address, ADDRESS_0) == 0, is_odd);
        assert_int_equal(is_zero(normalized, 65), !is_valid);
        assert_true(!is_valid || normalized[64] == v);
    }
}

static void r_and_s_out_of_range_are_refused(void **state)
{
    (void)state;
    static const char zero[] = "0000000000000000000000000000000000000000000000000000000000000000";
    test_hex digest = hex(cases[0].digest);
    const char *const bad[] = {zero, group_order,
                               "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"};
    for (size_t i = 0; i < 3; i++) {
        test_hex value = hex(bad[i]);
        for (size_t half = 0; half < 64; half += 32) {
            test_hex signature = hex(cases[0].signature);
            char address[43];
            uint8_t normalized[65];
            memcpy(signature.p + half, value.p, 32);
            assert_int_equal(xmtp_secp256k1_recover(digest.p, signature.p, address, normalized),
                             XMTP_E_SIGNATURE);
        }
    }
}

static void a_flipped_byte_never_recovers_the_signer(void **state)
{
    (void)state;
    test_hex digest = hex(cases[0].digest);
    test_hex signature = hex(cases[0].signature);
    for (size_t i = 0; i < 64; i++) {
        char address[43] = "";
        uint8_t normalized[65];
        signature.p[i] ^= 1;
        (void)!xmtp_secp256k1_recover(digest.p, signature.p, address, normalized);
        assert_string_not_equal(address, ADDRESS_0);
        signature.p[i] ^= 1;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(worked_examples_sign_and_recover),
        cmocka_unit_test(private_keys_out_of_range_are_refused),
        cmocka_unit_test(high_s_with_its_original_v_recovers_the_signer),
        cmocka_unit_test(correctly_malleated_signature_recovers_somebody_else),
        cmocka_unit_test(v_is_read_in_its_three_forms),
        cmocka_unit_test(r_and_s_out_of_range_are_refused),
        cmocka_unit_test(a_flipped_byte_never_recovers_the_signer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
