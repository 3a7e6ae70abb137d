/* hash_test.c - SHA-2, HMAC (RFC 4231) and HKDF (RFC 5869). */
#include "crypto/test_hex.h"

static const xmtp_hash *const hashes[] = {&xmtp_hash_sha256, &xmtp_hash_sha384, &xmtp_hash_sha512};
enum { HASH_COUNT = sizeof hashes / sizeof hashes[0] };

static void hashes_give_the_digests_of_fips_180(void **state)
{
    (void)state;
    static const char *const digests[] = {
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
        "8086072ba1e7cc2358baeca134c825a7",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    };
    for (size_t i = 0; i < HASH_COUNT; i++) {
        uint8_t out[XMTP_HASH_MAX];
        xmtp_hash_of(hashes[i], xmtp_bytes_of_string("abc"), out);
        assert_hex(out, hashes[i]->len, digests[i]);
    }
}

static void hashing_in_pieces_equals_hashing_at_once(void **state)
{
    (void)state;
    uint8_t message[300];
    for (size_t i = 0; i < sizeof message; i++) {
        message[i] = (uint8_t)i;
    }
    for (size_t h = 0; h < HASH_COUNT; h++) {
        uint8_t whole[XMTP_HASH_MAX];
        uint8_t pieces[XMTP_HASH_MAX];
        xmtp_hash_of(hashes[h], xmtp_bytes_of(message, sizeof message), whole);
        for (size_t cut = 0; cut <= sizeof message; cut += 17) {
            xmtp_hash_context c;
            hashes[h]->init(&c);
            hashes[h]->update(&c, message, cut);
            hashes[h]->update(&c, message + cut, sizeof message - cut);
            hashes[h]->final(&c, pieces);
            assert_memory_equal(whole, pieces, hashes[h]->len);
            assert_true(is_zero(c.opaque, sizeof c.opaque));
        }
    }
}

static void hmac_gives_the_macs_of_rfc_4231(void **state)
{
    (void)state;
    uint8_t long_key[131];
    memset(long_key, 0xaa, sizeof long_key);
    static const char *const short_macs[] = {
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
        "8e2240ca5e69e2c78b3239ecfab21649",
        "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
        "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
    };
    static const char *const long_macs[] = {
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c6"
        "0c2ef6ab4030fe8296248df163f44952",
        "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
        "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
    };
    for (size_t i = 0; i < HASH_COUNT; i++) {
        uint8_t out[XMTP_HASH_MAX];
        xmtp_hmac_of(hashes[i], xmtp_bytes_of_string("Jefe"),
                     xmtp_bytes_of_string("what do ya want for nothing?"), out);
        assert_hex(out, hashes[i]->len, short_macs[i]);
        xmtp_hmac_of(hashes[i], xmtp_bytes_of(long_key, sizeof long_key),
                     xmtp_bytes_of_string("Test Using Larger Than Block-Size Key - Hash Key First"),
                     out);
        assert_hex(out, hashes[i]->len, long_macs[i]);
    }
}

static void a_copied_hmac_state_gives_the_same_mac(void **state)
{
    (void)state;
    xmtp_hmac keyed;
    xmtp_hmac_init(&keyed, &xmtp_hash_sha256, xmtp_bytes_of_string("Jefe"));
    for (size_t i = 0; i < 2; i++) {
        xmtp_hmac copy = keyed;
        uint8_t out[32];
        xmtp_hmac_update(&copy, xmtp_bytes_of_string("what do ya want "));
        xmtp_hmac_update(&copy, xmtp_bytes_of_string("for nothing?"));
        xmtp_hmac_final(&copy, out);
        assert_hex(out, sizeof out,
                   "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}

static void hkdf_gives_the_keys_of_rfc_5869_case_1(void **state)
{
    (void)state;
    test_hex ikm = hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
    test_hex salt = hex("000102030405060708090a0b0c");
    test_hex info = hex("f0f1f2f3f4f5f6f7f8f9");
    xmtp_secret prk;
    xmtp_hkdf_extract(&xmtp_hash_sha256, view(&salt), view(&ikm), &prk);
    assert_hex(prk.p, prk.n, "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
    uint8_t okm[42];
    assert_int_equal(
        xmtp_hkdf_expand(&xmtp_hash_sha256, xmtp_secret_bytes(&prk), view(&info), okm, sizeof okm),
        XMTP_OK);
    assert_hex(okm, sizeof okm,
               "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
               "34007208d5b887185865");
}

static void fill_rising(uint8_t *p, size_t n, uint8_t first)
{
    for (size_t i = 0; i < n; i++) {
        p[i] = (uint8_t)(first + i);
    }
}

static void hkdf_gives_the_keys_of_rfc_5869_case_2(void **state)
{
    (void)state;
    uint8_t ikm[80];
    uint8_t salt[80];
    uint8_t info[80];
    fill_rising(ikm, sizeof ikm, 0x00);
    fill_rising(salt, sizeof salt, 0x60);
    fill_rising(info, sizeof info, 0xb0);
    xmtp_secret prk;
    xmtp_hkdf_extract(&xmtp_hash_sha256, xmtp_bytes_of(salt, 80), xmtp_bytes_of(ikm, 80), &prk);
    uint8_t okm[82];
    assert_int_equal(xmtp_hkdf_expand(&xmtp_hash_sha256, xmtp_secret_bytes(&prk),
                                      xmtp_bytes_of(info, 80), okm, sizeof okm),
                     XMTP_OK);
    assert_hex(okm, sizeof okm,
               "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
               "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
               "cc30c58179ec3e87c14c01d5c1f3434f1d87");
}

static void hkdf_expands_to_255_blocks_and_no_further(void **state)
{
    (void)state;
    static uint8_t okm[255 * 32 + 1];
    xmtp_bytes prk = xmtp_bytes_of_string("a pseudorandom key of 32 bytes !");
    xmtp_bytes none = {.p = NULL, .n = 0};
    assert_int_equal(xmtp_hkdf_expand(&xmtp_hash_sha256, prk, none, okm, 255 * 32), XMTP_OK);
    assert_int_equal(xmtp_hkdf_expand(&xmtp_hash_sha256, prk, none, okm, 255 * 32 + 1),
                     XMTP_E_LENGTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_give_the_digests_of_fips_180),
        cmocka_unit_test(hashing_in_pieces_equals_hashing_at_once),
        cmocka_unit_test(hmac_gives_the_macs_of_rfc_4231),
        cmocka_unit_test(a_copied_hmac_state_gives_the_same_mac),
        cmocka_unit_test(hkdf_gives_the_keys_of_rfc_5869_case_1),
        cmocka_unit_test(hkdf_gives_the_keys_of_rfc_5869_case_2),
        cmocka_unit_test(hkdf_expands_to_255_blocks_and_no_further),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
