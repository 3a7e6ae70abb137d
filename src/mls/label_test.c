/* label_test.c - the labelled functions against crypto-basics.json, and their refusals. */
#include "base/bytes.h"
#include "mls/label.h"

#include <setjmp.h>
#include <stdarg.h>
// cmocka wants the headers above first
#include <cmocka.h>

#include "mls/test_vectors.h"

static void check_ref_hash(const xmtp_suite *suite, const cJSON *v)
{
    uint8_t out[XMTP_HASH_MAX];
    const char *label = vectors_field(v, "label")->valuestring;
    xmtp_ref_hash(suite, label, vectors_bytes(v, "value"), out);
    vectors_assert_equal(xmtp_bytes_of(out, suite->hash->len), vectors_bytes(v, "out"),
                         "RefHash, section 5.2");
}

static void check_expand(const xmtp_suite *suite, const cJSON *v)
{
    uint8_t out[XMTP_HASH_MAX];
    size_t n = vectors_u32(v, "length");
    assert_true(n <= sizeof out);
    assert_int_equal(xmtp_expand_with_label(suite, vectors_bytes(v, "secret"),
                                            vectors_field(v, "label")->valuestring,
                                            vectors_bytes(v, "context"), out, n),
                     XMTP_OK);
    vectors_assert_equal(xmtp_bytes_of(out, n), vectors_bytes(v, "out"),
                         "ExpandWithLabel, section 8");
}

static void check_derive(const xmtp_suite *suite, const cJSON *v)
{
    xmtp_secret secret = vectors_secret(v, "secret");
    assert_int_equal(
        xmtp_derive_secret(suite, &secret, vectors_field(v, "label")->valuestring, &secret),
        XMTP_OK);
    vectors_assert_equal(xmtp_secret_bytes(&secret), vectors_bytes(v, "out"),
                         "DeriveSecret, section 8");
}

static void check_derive_tree(const xmtp_suite *suite, const cJSON *v)
{
    uint8_t out[XMTP_HASH_MAX];
    size_t n = vectors_u32(v, "length");
    assert_true(n <= sizeof out);
    assert_int_equal(xmtp_derive_tree_secret(suite, vectors_bytes(v, "secret"),
                                             vectors_field(v, "label")->valuestring,
                                             vectors_u32(v, "generation"), out, n),
                     XMTP_OK);
    vectors_assert_equal(xmtp_bytes_of(out, n), vectors_bytes(v, "out"),
                         "DeriveTreeSecret, section 9");
}

static void check_sign(const xmtp_suite *suite, const cJSON *v)
{
    xmtp_writer scratch;
    xmtp_writer_init(&scratch, vectors_alloc(), XMTP_WRITER_MAX);
    const char *label = vectors_field(v, "label")->valuestring;
    xmtp_bytes pk = vectors_bytes(v, "pub");
    xmtp_bytes content = vectors_bytes(v, "content");
    uint8_t sk[XMTP_SIGNATURE_SK_MAX];
    vectors_private_key(v, "priv", suite->signature->sk_len, sk);
    assert_int_equal(
        xmtp_verify_with_label(suite, pk, label, content, vectors_bytes(v, "signature"), &scratch),
        XMTP_OK);

    uint8_t signature[XMTP_SIGNATURE_MAX];
    size_t n = 0;
    assert_int_equal(xmtp_sign_with_label(suite, sk, pk.p, label, content, &scratch, signature, &n),
                     XMTP_OK);
    xmtp_bytes made = xmtp_bytes_of(signature, n);
    assert_int_equal(xmtp_verify_with_label(suite, pk, label, content, made, &scratch), XMTP_OK);
    assert_int_equal(xmtp_verify_with_label(suite, pk, "Other", content, made, &scratch),
                     XMTP_E_SIGNATURE);
    signature[3] ^= 1;
    assert_int_equal(xmtp_verify_with_label(suite, pk, label, content, made, &scratch),
                     XMTP_E_SIGNATURE);
    xmtp_writer_free(&scratch);
}

static void check_encrypt(const xmtp_suite *suite, const cJSON *v)
{
    xmtp_writer scratch;
    xmtp_writer_init(&scratch, vectors_alloc(), XMTP_WRITER_MAX);
    const char *label = vectors_field(v, "label")->valuestring;
    uint8_t sk[XMTP_KEM_SK_MAX];
    vectors_private_key(v, "priv", suite->kem->sk_len, sk);
    xmtp_bytes pk = vectors_bytes(v, "pub");
    xmtp_bytes context = vectors_bytes(v, "context");
    xmtp_bytes plaintext = vectors_bytes(v, "plaintext");
    xmtp_bytes ciphertext = vectors_bytes(v, "ciphertext");
    uint8_t out[512];
    uint8_t sealed[512 + XMTP_AEAD_TAG_MAX];
    uint8_t enc[XMTP_KEM_ENC_MAX];
    assert_true(ciphertext.n <= sizeof out);
    assert_int_equal(xmtp_decrypt_with_label(suite, sk, pk.p, label, context,
                                             vectors_bytes(v, "kem_output"), ciphertext, &scratch,
                                             out),
                     XMTP_OK);
    vectors_assert_equal(xmtp_bytes_of(out, ciphertext.n - suite->aead->tag_len), plaintext,
                         "DecryptWithLabel, section 5.1.3");

    static const uint8_t seed[XMTP_KEM_SEED_MAX] = {1, 2, 3};
    assert_int_equal(xmtp_encrypt_with_label(suite, pk.p, label, context, plaintext, seed, &scratch,
                                             enc, sealed),
                     XMTP_OK);
    xmtp_bytes enc_bytes = xmtp_bytes_of(enc, suite->kem->enc_len);
    xmtp_bytes sealed_bytes = xmtp_bytes_of(sealed, plaintext.n + suite->aead->tag_len);
    assert_int_equal(xmtp_decrypt_with_label(suite, sk, NULL, label, context, enc_bytes,
                                             sealed_bytes, &scratch, out),
                     XMTP_OK);
    assert_memory_equal(out, plaintext.p, plaintext.n);
    assert_int_equal(xmtp_decrypt_with_label(suite, sk, pk.p, "Other", context, enc_bytes,
                                             sealed_bytes, &scratch, out),
                     XMTP_E_AUTH);
    xmtp_writer_free(&scratch);
}

static void crypto_basics_vectors_agree(void **state)
{
    (void)state;
    cJSON *file = vectors_open("mls/crypto-basics.json");
    const cJSON *v;
    int passed = 0;
    cJSON_ArrayForEach(v, file)
    {
        const xmtp_suite *suite = vectors_suite(v);
        assert_non_null(suite);
        check_ref_hash(suite, vectors_field(v, "ref_hash"));
        check_expand(suite, vectors_field(v, "expand_with_label"));
        check_derive(suite, vectors_field(v, "derive_secret"));
        check_derive_tree(suite, vectors_field(v, "derive_tree_secret"));
        check_sign(suite, vectors_field(v, "sign_with_label"));
        check_encrypt(suite, vectors_field(v, "encrypt_with_label"));
        passed++;
    }
    print_message("crypto-basics: %d suites passed\n", passed);
    assert_int_equal(passed, 7);
    cJSON_Delete(file);
}

static void expand_reaches_its_limit_and_not_beyond(void **state)
{
    (void)state;
    static uint8_t out[255 * 32 + 1];
    const xmtp_suite *suite = &xmtp_suite_x25519_chacha;
    xmtp_bytes secret = xmtp_bytes_of("0123456789abcdef0123456789abcdef", 32);
    assert_int_equal(xmtp_expand_with_label(suite, secret, "x", secret, out, 255 * 32), XMTP_OK);
    assert_int_equal(xmtp_expand_with_label(suite, secret, "x", secret, out, 255 * 32 + 1),
                     XMTP_E_LENGTH);
    assert_int_equal(xmtp_expand_with_label(suite, secret, "x", secret, out, 0), XMTP_OK);
}

static void expand_streams_what_hkdf_takes_whole(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 63, 64, 300, 0x3fff, 0x4000, 70000};
    const xmtp_suite *suite = &xmtp_suite_x25519_chacha;
    static uint8_t context[70000];
    uint8_t secret[32] = {7};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        uint8_t got[100];
        uint8_t want[100];
        xmtp_writer info;
        xmtp_writer_init(&info, vectors_alloc(), XMTP_WRITER_MAX);
        xmtp_writer_u16(&info, sizeof want);
        xmtp_labelled_content(&info, "label", xmtp_bytes_of(context, lengths[i]));
        assert_int_equal(xmtp_hkdf_expand(suite->hash, xmtp_bytes_of(secret, 32),
                                          xmtp_writer_bytes(&info), want, sizeof want),
                         XMTP_OK);
        assert_int_equal(xmtp_expand_with_label(suite, xmtp_bytes_of(secret, 32), "label",
                                                xmtp_bytes_of(context, lengths[i]), got,
                                                sizeof got),
                         XMTP_OK);
        assert_memory_equal(got, want, sizeof want);
        xmtp_writer_free(&info);
    }
}

static void letters_are_counted_and_measured(void **state)
{
    (void)state;
    const xmtp_env *env = xmtp_env_system();
    xmtp_arena arena;
    xmtp_letters letters;
    uint8_t pk[32] = {9};
    const xmtp_bytes secret = xmtp_bytes_of("secret", 6);
    xmtp_arena_init(&arena, &env->alloc, 1 << 20);
    assert_int_equal(xmtp_letters_init(&letters, &xmtp_suite_x25519_chacha, 1, &arena), XMTP_OK);
    assert_int_equal(xmtp_letters_put(&letters, env, xmtp_bytes_of(pk, 31), secret), XMTP_E_KEY);
    assert_int_equal(xmtp_letters_put(&letters, env, xmtp_bytes_of(pk, 32), secret), XMTP_OK);
    assert_int_equal(xmtp_letters_put(&letters, env, xmtp_bytes_of(pk, 32), secret), XMTP_E_LIMIT);
    xmtp_arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crypto_basics_vectors_agree),
        cmocka_unit_test(expand_reaches_its_limit_and_not_beyond),
        cmocka_unit_test(expand_streams_what_hkdf_takes_whole),
        cmocka_unit_test(letters_are_counted_and_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
