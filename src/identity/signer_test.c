/* signer_test.c - reading wallet keys, the digest of personal messages, both Ed25519ph contexts. */
#include "identity/test_support.h"

static void a_wallet_key_is_read_with_or_without_prefix(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
        "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
        "0XAC0974BEC39A17E36BA4A6B4D238FF944BACB478CBED5EFCAE784D7BF4F2FF80",
        "  0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80\r\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        xmtp_wallet wallet;
        ok(xmtp_wallet_parse(texts[i], &wallet, NULL));
        assert_string_equal(wallet.address, "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266");
    }
}

static bool holds_a_part_of(const char *sentence, const char *key)
{
    for (size_t i = 0; strlen(key) >= 4 && i + 4 <= strlen(key); i++) {
        char part[5];
        memcpy(part, key + i, 4);
        part[4] = '\0';
        if (strstr(sentence, part) != NULL) {
            return true;
        }
    }
    return false;
}

static void a_malformed_wallet_key_is_refused_without_repeating_it(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "0x",
        "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff8",
        "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff8000",
        "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ffzz",
        "ac0974bec39a17e36ba4a6b4d238ff94 bacb478cbed5efcae784d7bf4f2ff80",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        xmtp_wallet wallet;
        memset(&wallet, 0xaa, sizeof wallet);
        xmtp_error error = {0};
        assert_int_equal(xmtp_wallet_parse(texts[i], &wallet, &error), XMTP_E_KEY);
        assert_int_equal(error.status, XMTP_E_KEY);
        assert_true(strlen(error.text) > 0);
        assert_false(holds_a_part_of(error.text, texts[i]));
        const xmtp_wallet empty = {0};
        assert_memory_equal(&wallet, &empty, sizeof wallet);
    }
}

static void no_text_is_no_wallet_key(void **state)
{
    (void)state;
    xmtp_wallet wallet;
    assert_int_equal(xmtp_wallet_parse(NULL, &wallet, NULL), XMTP_E_KEY);
}

static void generated_keys_differ_and_sign(void **state)
{
    (void)state;
    xmtp_wallet a;
    xmtp_wallet b;
    ok(xmtp_wallet_generate(xmtp_env_system(), &a));
    ok(xmtp_wallet_generate(xmtp_env_system(), &b));
    assert_string_not_equal(a.address, b.address);
    xmtp_installation app;
    ok(xmtp_installation_generate(xmtp_env_system(), &app));
    uint8_t signature[XMTP_INSTALLATION_SIGNATURE_LEN];
    ok(xmtp_installation_sign_update(&app, hex("01"), signature));
    ok(xmtp_installation_verify_update(app.pk, hex("01"), signature));
}

static xmtp_status no_random(void *context, uint8_t *out, size_t n)
{
    (void)context;
    (void)out;
    (void)n;
    return XMTP_E_RANDOM;
}

static xmtp_status zero_random(void *context, uint8_t *out, size_t n)
{
    (void)context;
    memset(out, 0, n);
    return XMTP_OK;
}

static void without_randomness_there_is_no_key(void **state)
{
    (void)state;
    xmtp_env env = *xmtp_env_system();
    xmtp_wallet wallet;
    xmtp_installation app;
    env.random = no_random;
    assert_int_equal(xmtp_wallet_generate(&env, &wallet), XMTP_E_RANDOM);
    assert_int_equal(xmtp_installation_generate(&env, &app), XMTP_E_RANDOM);
    env.random = zero_random; /* never a valid key: must end */
    assert_int_equal(xmtp_wallet_generate(&env, &wallet), XMTP_E_KEY);
}

/* Example L of identity.md 4.5. */
static void the_legacy_wallet_text_is_signed_as_in_example_l(void **state)
{
    (void)state;
    const hand legacy = {.kind = XMTP_SIGNATURE_DELEGATED,
                         .wallet = wallet_of(wallet_0_key),
                         .legacy_key = wallet_of(
                             "4242424242424242424242424242424242424242424242424242424242424242")};
    xmtp_wire_signature s = sign_legacy(&legacy, hex("00"));
    assert_bytes(
        s.key_bytes,
        hex("08808094bba0c8fef2161a430a410424653eac434488002cc06bbfb7f10fe18991e35f9fe4302d"
            "bea6d2353dc0ab1c119fc5009a032aa9fe47f5e149bb8442f71f884ccb516590686d8ff6ab91c6"
            "13"));
    assert_bytes(s.wallet_signature,
                 hex("56ed46cc2d22dd685c9744ee74cdc733ab28e1c93567c308d0182a41645ae9ab"
                     "7b932e1ec35c6d5dae0a8f911d6435199490af75f96c10a8afd18a1312c5d131"));
    assert_int_equal(s.wallet_recovery, 0x1c);
}

static void the_public_context_verifies_the_official_signature(void **state)
{
    (void)state;
    cJSON *json = vectors("identity-updates.json");
    const cJSON *v = item(json, "installation_key_public_signature");
    xmtp_bytes key = hex_item(v, "public_key");
    xmtp_bytes signature = hex_item(v, "signature");
    xmtp_bytes text = xmtp_bytes_of_string(text_of(v, "text"));
    ok(xmtp_installation_verify_public(key.p, text, signature.p));
    assert_int_equal(xmtp_installation_verify_update(key.p, text, signature.p), XMTP_E_SIGNATURE);
    text.n--;
    assert_int_equal(xmtp_installation_verify_public(key.p, text, signature.p), XMTP_E_SIGNATURE);
    cJSON_Delete(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_wallet_key_is_read_with_or_without_prefix),
        TEST(a_malformed_wallet_key_is_refused_without_repeating_it),
        TEST(no_text_is_no_wallet_key),
        TEST(generated_keys_differ_and_sign),
        TEST(without_randomness_there_is_no_key),
        TEST(the_legacy_wallet_text_is_signed_as_in_example_l),
        TEST(the_public_context_verifies_the_official_signature),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
