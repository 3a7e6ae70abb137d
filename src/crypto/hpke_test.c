/* hpke_test.c - HPKE base mode and DHKEM(X25519) against RFC 9180 appendix A.2. */
#include "crypto/test_hex.h"

#define IKM_E      "909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b"
#define SK_E       "f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600"
#define PK_E       "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a"
#define IKM_R      "1ac01f181fdf9f352797655161c58b75c656a6cc2716dcb66372da835542e1df"
#define SK_R       "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb"
#define PK_R       "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a"
#define INFO       "4f6465206f6e2061204772656369616e2055726e"
#define PLAINTEXT  "4265617574792069732074727574682c20747275746820626561757479"
#define SHARED     "0bbe78490412b4bbea4812666f7916932b828bba79942424abb65244930d69a7"
#define KEY        "ad2744de8e17f4ebba575b3f5f5a8fa1f69c2a07f6e7500bc60ca6e3e3ec1c91"
#define BASE_NONCE "5c4d98150661b848853b547f"
#define EXPORTER   "a3b010d4994890e2c6968a36f64470d3c824c8f5029942feb11e7a74b2921922"

typedef struct sealed_case {
    uint64_t sequence;
    const char *aad;
    const char *ciphertext;
} sealed_case;

static const sealed_case sealed[] = {
    {0, "436f756e742d30",
     "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28"},
    {1, "436f756e742d31",
     "6b53c051e4199c518de79594e1c4ab18b96f081549d45ce015be002090bb119e85285337cc95ba5f59992dc98c"},
    {2, "436f756e742d32",
     "71146bd6795ccc9c49ce25dda112a48f202ad220559502cef1f34271e0cb4b02b4f10ecac6f48c32f878fae86b"},
    {4, "436f756e742d34",
     "63357a2aa291f5a4e5f27db6baa2af8cf77427c7c1a909e0b37214dd47db122bb153495ff0b02e9e54a50dbe16"},
    {255, "436f756e742d323535",
     "18ab939d63ddec9f6ac2b60d61d36a7375d2070c9b683861110757062c52b8880a5f6b3936da9cd6c23ef2a95c"},
    {256, "436f756e742d323536",
     "7a4a13e9ef23978e2c520fd4d2e757514ae160cd0cd05e556ef692370ca53076214c0c40d4c728d6ed9e727a5b"},
};
enum { SEALED_COUNT = sizeof sealed / sizeof sealed[0] };

static void key_pairs_are_derived_as_published(void **state)
{
    (void)state;
    uint8_t sk[32];
    uint8_t pk[32];
    test_hex ikm_e = hex(IKM_E);
    assert_int_equal(xmtp_kem_x25519.derive_key_pair(view(&ikm_e), sk, pk), XMTP_OK);
    assert_hex(sk, 32, SK_E);
    assert_hex(pk, 32, PK_E);
    test_hex ikm_r = hex(IKM_R);
    assert_int_equal(xmtp_kem_x25519.derive_key_pair(view(&ikm_r), sk, pk), XMTP_OK);
    assert_hex(sk, 32, SK_R);
    assert_hex(pk, 32, PK_R);
}

static void kem_gives_the_published_shared_secret_on_both_sides(void **state)
{
    (void)state;
    test_hex sk_e = hex(SK_E);
    test_hex sk_r = hex(SK_R);
    test_hex pk_r = hex(PK_R);
    uint8_t enc[32];
    uint8_t ss[32];
    assert_int_equal(xmtp_kem_x25519.encap(pk_r.p, sk_e.p, enc, ss), XMTP_OK);
    assert_hex(enc, 32, PK_E);
    assert_hex(ss, 32, SHARED);
    memset(ss, 0, sizeof ss);
    assert_int_equal(xmtp_kem_x25519.decap(sk_r.p, pk_r.p, enc, ss), XMTP_OK);
    assert_hex(ss, 32, SHARED);
    memset(ss, 0, sizeof ss);
    assert_int_equal(xmtp_kem_x25519.decap(sk_r.p, NULL, enc, ss), XMTP_OK);
    assert_hex(ss, 32, SHARED);
}

static void points_of_small_order_are_refused(void **state)
{
    (void)state;
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    test_hex sk = hex(SK_R);
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        test_hex point = hex(points[i]);
        uint8_t enc[32] = {0};
        uint8_t ss[32] = {0};
        assert_int_equal(xmtp_kem_x25519.encap(point.p, sk.p, enc, ss), XMTP_E_KEY);
        assert_int_equal(xmtp_kem_x25519.decap(sk.p, NULL, point.p, ss), XMTP_E_KEY);
        assert_true(is_zero(ss, 32) && is_zero(enc, 32));
    }
}

static xmtp_hpke receiver(void)
{
    test_hex sk = hex(SK_R);
    test_hex enc = hex(PK_E);
    test_hex info = hex(INFO);
    xmtp_hpke c;
    assert_int_equal(xmtp_hpke_setup_receiver(&c, &xmtp_suite_x25519_chacha, sk.p, NULL, view(&enc),
                                              view(&info)),
                     XMTP_OK);
    return c;
}

static xmtp_hpke sender(void)
{
    test_hex pk = hex(PK_R);
    test_hex seed = hex(SK_E);
    test_hex info = hex(INFO);
    uint8_t enc[32];
    xmtp_hpke c;
    assert_int_equal(
        xmtp_hpke_setup_sender(&c, &xmtp_suite_x25519_chacha, pk.p, view(&info), seed.p, enc),
        XMTP_OK);
    assert_hex(enc, 32, PK_E);
    return c;
}

static void both_sides_derive_the_published_keys(void **state)
{
    (void)state;
    xmtp_hpke contexts[] = {sender(), receiver()};
    for (size_t i = 0; i < 2; i++) {
        assert_hex(contexts[i].key, 32, KEY);
        assert_hex(contexts[i].base_nonce, 12, BASE_NONCE);
        assert_hex(contexts[i].exporter_secret.p, contexts[i].exporter_secret.n, EXPORTER);
        assert_int_equal(contexts[i].sequence, 0);
    }
}

static void published_messages_seal_and_open_at_their_sequence(void **state)
{
    (void)state;
    xmtp_hpke s = sender();
    xmtp_hpke r = receiver();
    test_hex plaintext = hex(PLAINTEXT);
    for (size_t i = 0; i < SEALED_COUNT; i++) {
        test_hex aad = hex(sealed[i].aad);
        uint8_t out[64];
        s.sequence = sealed[i].sequence;
        r.sequence = sealed[i].sequence;
        assert_int_equal(xmtp_hpke_seal(&s, view(&aad), view(&plaintext), out), XMTP_OK);
        assert_hex(out, plaintext.n + 16, sealed[i].ciphertext);
        test_hex ciphertext = hex(sealed[i].ciphertext);
        assert_int_equal(xmtp_hpke_open(&r, view(&aad), view(&ciphertext), out), XMTP_OK);
        assert_hex(out, plaintext.n, PLAINTEXT);
        assert_int_equal(s.sequence, sealed[i].sequence + 1);
        assert_int_equal(r.sequence, sealed[i].sequence + 1);
    }
}

static void a_forged_message_does_not_move_the_sequence(void **state)
{
    (void)state;
    xmtp_hpke r = receiver();
    test_hex aad = hex(sealed[0].aad);
    test_hex ciphertext = hex(sealed[0].ciphertext);
    uint8_t out[64];
    for (size_t i = 0; i < ciphertext.n; i++) {
        memset(out, 0xee, sizeof out);
        ciphertext.p[i] ^= 0x80;
        assert_int_equal(xmtp_hpke_open(&r, view(&aad), view(&ciphertext), out), XMTP_E_AUTH);
        assert_true(is_zero(out, ciphertext.n - 16));
        ciphertext.p[i] ^= 0x80;
    }
    assert_int_equal(r.sequence, 0);
    assert_int_equal(xmtp_hpke_open(&r, view(&aad), view(&ciphertext), out), XMTP_OK);
}

static void exported_values_are_the_published_ones(void **state)
{
    (void)state;
    static const struct {
        const char *context;
        const char *value;
    } exports[] = {
        {"", "4bbd6243b8bb54cec311fac9df81841b6fd61f56538a775e7c80a9f40160606e"},
        {"00", "8c1df14732580e5501b00f82b10a1647b40713191b7c1240ac80e2b68808ba69"},
        {"54657374436f6e74657874",
         "5acb09211139c43b3090489a9da433e8a30ee7188ba8b0a9a1ccf0c229283e53"},
    };
    xmtp_hpke r = receiver();
    for (size_t i = 0; i < sizeof exports / sizeof exports[0]; i++) {
        test_hex context = hex(exports[i].context);
        uint8_t out[32];
        assert_int_equal(xmtp_hpke_export(&r, &xmtp_suite_x25519_chacha, view(&context), out, 32),
                         XMTP_OK);
        assert_hex(out, 32, exports[i].value);
    }
}

static void enc_of_another_length_is_refused(void **state)
{
    (void)state;
    test_hex sk = hex(SK_R);
    test_hex enc = hex(PK_E "00");
    xmtp_bytes none = {.p = NULL, .n = 0};
    xmtp_hpke c;
    for (size_t n = 0; n <= 33; n++) {
        xmtp_status expected = n == 32 ? XMTP_OK : XMTP_E_LENGTH;
        assert_int_equal(xmtp_hpke_setup_receiver(&c, &xmtp_suite_x25519_chacha, sk.p, NULL,
                                                  xmtp_bytes_of(enc.p, n), none),
                         expected);
    }
}

static void a_context_without_keys_or_without_numbers_left_refuses(void **state)
{
    (void)state;
    xmtp_bytes none = {.p = NULL, .n = 0};
    uint8_t out[16];
    xmtp_hpke c = sender();
    c.sequence = UINT64_MAX;
    assert_int_equal(xmtp_hpke_seal(&c, none, none, out), XMTP_E_LIMIT);
    xmtp_hpke_wipe(&c);
    assert_true(is_zero(c.key, sizeof c.key));
    assert_int_equal(xmtp_hpke_seal(&c, none, none, out), XMTP_E_STATE);
}

static void suites_are_found_by_their_number(void **state)
{
    (void)state;
    assert_ptr_equal(xmtp_suite_by_id(0x0003), &xmtp_suite_x25519_chacha);
    assert_null(xmtp_suite_by_id(0x0000));
    assert_null(xmtp_suite_by_id(0x004d)); /* wraps welcomes only */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_pairs_are_derived_as_published),
        cmocka_unit_test(kem_gives_the_published_shared_secret_on_both_sides),
        cmocka_unit_test(points_of_small_order_are_refused),
        cmocka_unit_test(both_sides_derive_the_published_keys),
        cmocka_unit_test(published_messages_seal_and_open_at_their_sequence),
        cmocka_unit_test(a_forged_message_does_not_move_the_sequence),
        cmocka_unit_test(exported_values_are_the_published_ones),
        cmocka_unit_test(enc_of_another_length_is_refused),
        cmocka_unit_test(a_context_without_keys_or_without_numbers_left_refuses),
        cmocka_unit_test(suites_are_found_by_their_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
