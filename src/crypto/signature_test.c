/* signature_test.c - Ed25519: the cases of RFC 8032 section 7.1, and what must be refused. */
#include "crypto/sodium_ready.h"
#include "crypto/test_hex.h"
#include "crypto/test_lanes.h"

#include <sodium.h>

typedef struct ed25519_case {
    const char *sk;
    const char *pk;
    const char *message;
    const char *signature;
} ed25519_case;

static const ed25519_case cases[] = {
    {.sk = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     .pk = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
     .message = "",
     .signature = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
                  "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
    {.sk = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     .pk = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
     .message = "72",
     .signature = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                  "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {.sk = "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     .pk = "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
     .message = "af82",
     .signature = "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
                  "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
};
enum { CASE_COUNT = sizeof cases / sizeof cases[0] };

static void published_cases_sign_and_verify(void **state)
{
    (void)state;
    const xmtp_signature *s = &xmtp_signature_ed25519;
    for (size_t i = 0; i < CASE_COUNT; i++) {
        test_hex sk = hex(cases[i].sk);
        test_hex message = hex(cases[i].message);
        uint8_t pk[32];
        uint8_t signature[64];
        size_t signature_len = 0;
        assert_int_equal(s->public_key(sk.p, pk), XMTP_OK);
        assert_hex(pk, sizeof pk, cases[i].pk);
        assert_int_equal(s->sign(sk.p, pk, view(&message), signature, &signature_len), XMTP_OK);
        assert_hex(signature, signature_len, cases[i].signature);
        assert_int_equal(
            s->verify(xmtp_bytes_of(pk, 32), view(&message), xmtp_bytes_of(signature, 64)),
            XMTP_OK);
    }
}

/* Keys, lengths and texts chosen by a chain of hashes; block ends of SHA-512 are among the lengths. */
static void keys_and_signatures_are_those_of_libsodium(void **state)
{
    (void)state;
    const xmtp_signature *s = &xmtp_signature_ed25519;
    uint8_t message[600] = {0};
    uint8_t seed[32] = {1};
    for (size_t i = 0; i < 3000; i++) {
        const xmtp_bytes text = xmtp_bytes_of(message, i % (sizeof message + 1));
        uint8_t pair[64];
        uint8_t pk[32];
        uint8_t expected[64];
        uint8_t signature[64];
        size_t signature_len = 0;
        xmtp_hash_of(&xmtp_hash_sha256, xmtp_bytes_of(seed, 32), seed);
        memcpy(message + i % 568, seed, 32);
        assert_int_equal(crypto_sign_ed25519_seed_keypair(expected, pair, seed), 0);
        assert_int_equal(s->public_key(seed, pk), XMTP_OK);
        assert_memory_equal(pk, expected, 32);
        assert_int_equal(crypto_sign_ed25519_detached(expected, NULL, text.p, text.n, pair), 0);
        assert_int_equal(s->sign(seed, pk, text, signature, &signature_len), XMTP_OK);
        assert_int_equal(signature_len, 64);
        assert_memory_equal(signature, expected, 64);
    }
}

static void every_flipped_byte_is_refused(void **state)
{
    (void)state;
    const ed25519_case *c = &cases[2];
    test_hex pk = hex(c->pk);
    test_hex message = hex(c->message);
    test_hex signature = hex(c->signature);
    for (size_t i = 0; i < 64; i++) {
        signature.p[i] ^= 1;
        assert_int_equal(xmtp_signature_ed25519.verify(view(&pk), view(&message), view(&signature)),
                         XMTP_E_SIGNATURE);
        signature.p[i] ^= 1;
    }
    for (size_t i = 0; i < 32; i++) {
        pk.p[i] ^= 1;
        assert_int_not_equal(
            xmtp_signature_ed25519.verify(view(&pk), view(&message), view(&signature)), XMTP_OK);
        pk.p[i] ^= 1;
    }
    message.p[0] ^= 1;
    assert_int_equal(xmtp_signature_ed25519.verify(view(&pk), view(&message), view(&signature)),
                     XMTP_E_SIGNATURE);
}

static void wrong_lengths_are_refused(void **state)
{
    (void)state;
    test_hex pk = hex(cases[0].pk);
    test_hex signature = hex(cases[0].signature);
    xmtp_bytes none = {.p = NULL, .n = 0};
    const xmtp_signature *s = &xmtp_signature_ed25519;
    assert_int_equal(s->verify(view(&pk), none, view(&signature)), XMTP_OK);
    assert_int_equal(s->verify(xmtp_bytes_of(pk.p, 31), none, view(&signature)), XMTP_E_KEY);
    assert_int_equal(s->verify(xmtp_bytes_of(pk.p, 33), none, view(&signature)), XMTP_E_KEY);
    assert_int_equal(s->verify(view(&pk), none, xmtp_bytes_of(signature.p, 63)), XMTP_E_SIGNATURE);
    assert_int_equal(s->verify(view(&pk), none, xmtp_bytes_of(signature.p, 65)), XMTP_E_SIGNATURE);
}

int main(void)
{
    xmtp_sodium_ready();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_cases_sign_and_verify),
        cmocka_unit_test(keys_and_signatures_are_those_of_libsodium),
        cmocka_unit_test(every_flipped_byte_is_refused),
        cmocka_unit_test(wrong_lengths_are_refused),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed += RUN_IN_SLOWER_LANES(tests);
    return failed + cmocka_run_group_tests(tests, forbid_lanes, allow_lanes);
}
