/* aead_test.c - each AEAD: a published case, in-place use, and every flipped byte refused. */
#include "crypto/test_hex.h"

typedef struct aead_case {
    const xmtp_aead *aead;
    const char *key;
    const char *nonce;
    const char *aad;
    const char *plaintext;
    const char *ciphertext;
} aead_case;

#define GCM_PLAINTEXT                                                                              \
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"                             \
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"

static const aead_case cases[] = {
    /* RFC 8439 section 2.8.2 */
    {.aead = &xmtp_aead_chacha20poly1305,
     .key = "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
     .nonce = "070000004041424344454647",
     .aad = "50515253c0c1c2c3c4c5c6c7",
     .plaintext = "4c616469657320616e642047656e746c656d656e206f662074686520636c6173"
                  "73206f66202739393a204966204920636f756c64206f6666657220796f75206f"
                  "6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73"
                  "637265656e20776f756c642062652069742e",
     .ciphertext = "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
                   "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
                   "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
                   "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd060"
                   "0691"},
    /* test cases 4 and 16 of the GCM submission to NIST (the second with the key doubled) */
    {.aead = &xmtp_aead_aes128gcm,
     .key = "feffe9928665731c6d6a8f9467308308",
     .nonce = "cafebabefacedbaddecaf888",
     .aad = "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     .plaintext = GCM_PLAINTEXT,
     .ciphertext = "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
                   "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e0915bc94fbc"
                   "3221a5db94fae95ae7121a47"},
    {.aead = &xmtp_aead_aes256gcm,
     .key = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
     .nonce = "cafebabefacedbaddecaf888",
     .aad = "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     .plaintext = GCM_PLAINTEXT,
     .ciphertext = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                   "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece"
                   "0f4e1768cddf8853bb2d551b"},
};
enum { CASE_COUNT = sizeof cases / sizeof cases[0] };

static xmtp_status seal_case(const aead_case *c, xmtp_bytes plaintext, uint8_t *out)
{
    test_hex key = hex(c->key);
    test_hex nonce = hex(c->nonce);
    test_hex aad = hex(c->aad);
    return c->aead->seal(key.p, nonce.p, view(&aad), plaintext, out);
}

static xmtp_status open_case(const aead_case *c, xmtp_bytes ciphertext, uint8_t *out)
{
    test_hex key = hex(c->key);
    test_hex nonce = hex(c->nonce);
    test_hex aad = hex(c->aad);
    return c->aead->open(key.p, nonce.p, view(&aad), ciphertext, out);
}

static void published_cases_seal_and_open(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASE_COUNT; i++) {
        test_hex plaintext = hex(cases[i].plaintext);
        uint8_t out[256];
        assert_int_equal(seal_case(&cases[i], view(&plaintext), out), XMTP_OK);
        assert_hex(out, plaintext.n + cases[i].aead->tag_len, cases[i].ciphertext);
        test_hex ciphertext = hex(cases[i].ciphertext);
        assert_int_equal(open_case(&cases[i], view(&ciphertext), out), XMTP_OK);
        assert_hex(out, plaintext.n, cases[i].plaintext);
    }
}

static void sealing_and_opening_work_in_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASE_COUNT; i++) {
        test_hex buffer = hex(cases[i].plaintext);
        size_t n = buffer.n;
        assert_int_equal(seal_case(&cases[i], xmtp_bytes_of(buffer.p, n), buffer.p), XMTP_OK);
        assert_hex(buffer.p, n + 16, cases[i].ciphertext);
        assert_int_equal(open_case(&cases[i], xmtp_bytes_of(buffer.p, n + 16), buffer.p), XMTP_OK);
        assert_hex(buffer.p, n, cases[i].plaintext);
    }
}

static void every_flipped_byte_is_refused_and_nothing_comes_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASE_COUNT; i++) {
        test_hex ciphertext = hex(cases[i].ciphertext);
        size_t n = ciphertext.n - 16;
        for (size_t at = 0; at < ciphertext.n; at++) {
            uint8_t out[256];
            memset(out, 0xee, sizeof out);
            ciphertext.p[at] ^= 0x40;
            assert_int_equal(open_case(&cases[i], view(&ciphertext), out), XMTP_E_AUTH);
            assert_true(is_zero(out, n));
            assert_int_equal(out[n], 0xee);
            ciphertext.p[at] ^= 0x40;
        }
    }
}

static void every_shortened_ciphertext_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASE_COUNT; i++) {
        test_hex ciphertext = hex(cases[i].ciphertext);
        uint8_t out[256];
        for (size_t n = 0; n < ciphertext.n; n++) {
            assert_int_equal(open_case(&cases[i], xmtp_bytes_of(ciphertext.p, n), out),
                             n < 16 ? XMTP_E_LENGTH : XMTP_E_AUTH);
        }
    }
}

static void other_associated_data_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASE_COUNT; i++) {
        aead_case other = cases[i];
        other.aad = "";
        test_hex ciphertext = hex(cases[i].ciphertext);
        uint8_t out[256];
        assert_int_equal(open_case(&other, view(&ciphertext), out), XMTP_E_AUTH);
    }
}

static void empty_plaintext_is_only_a_tag(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASE_COUNT; i++) {
        uint8_t tag[16];
        uint8_t out[1] = {0xee};
        assert_int_equal(seal_case(&cases[i], xmtp_bytes_of(NULL, 0), tag), XMTP_OK);
        assert_int_equal(open_case(&cases[i], xmtp_bytes_of(tag, 16), out), XMTP_OK);
        assert_int_equal(open_case(&cases[i], xmtp_bytes_of(tag, 16), NULL), XMTP_OK);
        tag[3] ^= 1;
        assert_int_equal(open_case(&cases[i], xmtp_bytes_of(tag, 16), out), XMTP_E_AUTH);
        assert_int_equal(open_case(&cases[i], xmtp_bytes_of(tag, 16), NULL), XMTP_E_AUTH);
        assert_int_equal(out[0], 0xee);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_cases_seal_and_open),
        cmocka_unit_test(sealing_and_opening_work_in_place),
        cmocka_unit_test(every_flipped_byte_is_refused_and_nothing_comes_out),
        cmocka_unit_test(every_shortened_ciphertext_is_refused),
        cmocka_unit_test(other_associated_data_is_refused),
        cmocka_unit_test(empty_plaintext_is_only_a_tag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
