/* hpke_nist_test.c - HPKE base mode over P-256 and P-521: RFC 9180 appendices A.3.1 and A.6.1. */
#include "crypto/test_hex.h"

#define INFO      "4f6465206f6e2061204772656369616e2055726e"
#define PLAINTEXT "4265617574792069732074727574682c20747275746820626561757479"

typedef struct sealed_case {
    uint64_t sequence;
    const char *aad;
    const char *ciphertext;
} sealed_case;

typedef struct exported_case {
    const char *context;
    const char *value;
} exported_case;

enum { SEALED_COUNT = 6, EXPORTED_COUNT = 3 };

typedef struct hpke_case {
    const char *title;
    uint16_t suite_id;
    const char *ikm_e;
    const char *sk_e;
    const char *pk_e;
    const char *ikm_r;
    const char *sk_r;
    const char *pk_r;
    const char *shared_secret;
    const char *key;
    const char *base_nonce;
    const char *exporter_secret;
    sealed_case sealed[SEALED_COUNT];
    exported_case exported[EXPORTED_COUNT];
} hpke_case;

static const hpke_case cases[] = {
    {.title = "RFC 9180 A.3.1",
     .suite_id = 0x0002,
     .ikm_e = "4270e54ffd08d79d5928020af4686d8f6b7d35dbe470265f1f5aa22816ce860e",
     .sk_e = "4995788ef4b9d6132b249ce59a77281493eb39af373d236a1fe415cb0c2d7beb",
     .pk_e = "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325a"
             "c98536d7b61a1af4b78e5b7f951c0900be863c403ce65c9bfcb9382657222d18"
             "c4",
     .ikm_r = "668b37171f1072f3cf12ea8a236a45df23fc13b82af3609ad1e354f6ef817550",
     .sk_r = "f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2",
     .pk_r = "04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a"
             "826a779b4cf969b8a0e539c7f62fb3d30ad6aa8f80e30f1d128aafd68a2ce72e"
             "a0",
     .shared_secret = "c0d26aeab536609a572b07695d933b589dcf363ff9d93c93adea537aeabb8cb8",
     .key = "868c066ef58aae6dc589b6cfdd18f97e",
     .base_nonce = "4e0bc5018beba4bf004cca59",
     .exporter_secret = "14ad94af484a7ad3ef40e9f3be99ecc6fa9036df9d4920548424df127ee0d99f",
     .sealed = {{0, "436f756e742d30",
                 "5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f"
                 "9076ac232e3ab2523f39513434"},
                {1, "436f756e742d31",
                 "fa6f037b47fc21826b610172ca9637e82d6e5801eb31cbd3748271affd4ecb06"
                 "646e0329cbdf3c3cd655b28e82"},
                {2, "436f756e742d32",
                 "895cabfac50ce6c6eb02ffe6c048bf53b7f7be9a91fc559402cbc5b8dcaeb52b"
                 "2ccc93e466c28fb55fed7a7fec"},
                {4, "436f756e742d34",
                 "8787491ee8df99bc99a246c4b3216d3d57ab5076e18fa27133f520703bc70ec9"
                 "99dd36ce042e44f0c3169a6a8f"},
                {255, "436f756e742d323535",
                 "2ad71c85bf3f45c6eca301426289854b31448bcf8a8ccb1deef3ebd87f60848a"
                 "a53c538c30a4dac71d619ee2cd"},
                {256, "436f756e742d323536",
                 "10f179686aa2caec1758c8e554513f16472bd0a11e2a907dde0b212cbe87d74f"
                 "367f8ffe5e41cd3e9962a6afb2"}},
     .exported = {{"", "5e9bc3d236e1911d95e65b576a8a86d478fb827e8bdfe77b741b289890490d4d"},
                  {"00", "6cff87658931bda83dc857e6353efe4987a201b849658d9b047aab4cf216e796"},
                  {"54657374436f6e74657874",
                   "d8f1ea7942adbba7412c6d431c62d01371ea476b823eb697e1f6e6cae1dab85a"}}},
    {.title = "RFC 9180 A.6.1",
     .suite_id = 0x0005,
     .ikm_e = "7f06ab8215105fc46aceeb2e3dc5028b44364f960426eb0d8e4026c2f8b5d7e7"
              "a986688f1591abf5ab753c357a5d6f0440414b4ed4ede71317772ac98d9239f7"
              "0904",
     .sk_e = "014784c692da35df6ecde98ee43ac425dbdd0969c0c72b42f2e708ab9d535415"
             "a8569bdacfcc0a114c85b8e3f26acf4d68115f8c91a66178cdbd03b7bcc5291e"
             "374b",
     .pk_e = "040138b385ca16bb0d5fa0c0665fbbd7e69e3ee29f63991d3e9b5fa740aab890"
             "0aaeed46ed73a49055758425a0ce36507c54b29cc5b85a5cee6bae0cf1c21f27"
             "31ece2013dc3fb7c8d21654bb161b463962ca19e8c654ff24c94dd2898de1205"
             "1f1ed0692237fb02b2f8d1dc1c73e9b366b529eb436e98a996ee522aef863dd5"
             "739d2f29b0",
     .ikm_r = "2ad954bbe39b7122529f7dde780bff626cd97f850d0784a432784e69d86eccaa"
              "de43b6c10a8ffdb94bf943c6da479db137914ec835a7e715e36e45e29b587bab"
              "3bf1",
     .sk_r = "01462680369ae375e4b3791070a7458ed527842f6a98a79ff5e0d4cbde83c271"
             "96a3916956655523a6a2556a7af62c5cadabe2ef9da3760bb21e005202f7b246"
             "2847",
     .pk_r = "0401b45498c1714e2dce167d3caf162e45e0642afc7ed435df7902ccae0e84ba"
             "0f7d373f646b7738bbbdca11ed91bdeae3cdcba3301f2457be452f271fa68375"
             "80e661012af49583a62e48d44bed350c7118c0d8dc861c238c72a2bda17f6470"
             "4f464b57338e7f40b60959480c0e58e6559b190d81663ed816e523b6b6a418f6"
             "6d2451ec64",
     .shared_secret = "776ab421302f6eff7d7cb5cb1adaea0cd50872c71c2d63c30c4f1d5e43653336"
                      "fef33b103c67e7a98add2d3b66e2fda95b5b2a667aa9dac7e59cc1d46d30e818",
     .key = "751e346ce8f0ddb2305c8a2a85c70d5cf559c53093656be636b9406d4d7d1b70",
     .base_nonce = "55ff7a7d739c69f44b25447b",
     .exporter_secret = "e4ff9dfbc732a2b9c75823763c5ccc954a2c0648fc6de80a58581252d0ee3215"
                        "388a4455e69086b50b87eb28c169a52f42e71de4ca61c920e7bd24c95cc3f992",
     .sealed = {{0, "436f756e742d30",
                 "170f8beddfe949b75ef9c387e201baf4132fa7374593dfafa90768788b7b2b20"
                 "0aafcc6d80ea4c795a7c5b841a"},
                {1, "436f756e742d31",
                 "d9ee248e220ca24ac00bbbe7e221a832e4f7fa64c4fbab3945b6f3af0c5ecd5e"
                 "16815b328be4954a05fd352256"},
                {2, "436f756e742d32",
                 "142cf1e02d1f58d9285f2af7dcfa44f7c3f2d15c73d460c48c6e0e506a3144ba"
                 "e35284e7e221105b61d24e1c7a"},
                {4, "436f756e742d34",
                 "3bb3a5a07100e5a12805327bf3b152df728b1c1be75a9fd2cb2bf5eac0cca1fb"
                 "80addb37eb2a32938c7268e3e5"},
                {255, "436f756e742d323535",
                 "4f268d0930f8d50b8fd9d0f26657ba25b5cb08b308c92e33382f369c768b558e"
                 "113ac95a4c70dd60909ad1adc7"},
                {256, "436f756e742d323536",
                 "dbbfc44ae037864e75f136e8b4b4123351d480e6619ae0e0ae437f036f2f8f1e"
                 "f677686323977a1ccbb4b4f16a"}},
     .exported = {{"", "05e2e5bd9f0c30832b80a279ff211cc65eceb0d97001524085d609ead60d0412"},
                  {"00", "fca69744bb537f5b7a1596dbf34eaa8d84bf2e3ee7f1a155d41bd3624aa92b63"},
                  {"54657374436f6e74657874",
                   "f389beaac6fcf6c0d9376e20f97e364f0609a88f1bc76d7328e9104df8477013"}}}};
enum { CASE_COUNT = sizeof cases / sizeof cases[0] };

static void check_key_pair(const xmtp_kem *kem, const char *ikm_text, const char *sk_text,
                           const char *pk_text)
{
    uint8_t sk[XMTP_KEM_SK_MAX];
    uint8_t pk[XMTP_KEM_PK_MAX];
    test_hex ikm = hex(ikm_text);
    assert_int_equal(kem->derive_key_pair(view(&ikm), sk, pk), XMTP_OK);
    assert_hex(sk, kem->sk_len, sk_text);
    assert_hex(pk, kem->pk_len, pk_text);
    memset(pk, 0, sizeof pk);
    assert_int_equal(kem->public_key(sk, pk), XMTP_OK);
    assert_hex(pk, kem->pk_len, pk_text);
}

static void key_pairs_are_derived_as_published(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASE_COUNT; i++) {
        const xmtp_kem *kem = xmtp_suite_by_id(cases[i].suite_id)->kem;
        check_key_pair(kem, cases[i].ikm_e, cases[i].sk_e, cases[i].pk_e);
        check_key_pair(kem, cases[i].ikm_r, cases[i].sk_r, cases[i].pk_r);
    }
}

/* The seed of our encap is ikmE of the RFC. */
static void kem_gives_the_published_shared_secret_on_both_sides(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASE_COUNT; i++) {
        const hpke_case *c = &cases[i];
        const xmtp_kem *kem = xmtp_suite_by_id(c->suite_id)->kem;
        test_hex ikm_e = hex(c->ikm_e);
        test_hex sk_r = hex(c->sk_r);
        test_hex pk_r = hex(c->pk_r);
        uint8_t enc[XMTP_KEM_ENC_MAX];
        uint8_t ss[XMTP_KEM_SS_MAX];
        assert_int_equal(ikm_e.n, kem->seed_len);
        assert_int_equal(kem->encap(pk_r.p, ikm_e.p, enc, ss), XMTP_OK);
        assert_hex(enc, kem->enc_len, c->pk_e);
        assert_hex(ss, kem->ss_len, c->shared_secret);
        memset(ss, 0, sizeof ss);
        assert_int_equal(kem->decap(sk_r.p, pk_r.p, enc, ss), XMTP_OK);
        assert_hex(ss, kem->ss_len, c->shared_secret);
        memset(ss, 0, sizeof ss);
        assert_int_equal(kem->decap(sk_r.p, NULL, enc, ss), XMTP_OK);
        assert_hex(ss, kem->ss_len, c->shared_secret);
    }
}

static xmtp_hpke sender(const hpke_case *c)
{
    const xmtp_suite *suite = xmtp_suite_by_id(c->suite_id);
    test_hex ikm_e = hex(c->ikm_e);
    test_hex pk_r = hex(c->pk_r);
    test_hex info = hex(INFO);
    uint8_t enc[XMTP_KEM_ENC_MAX];
    xmtp_hpke context;
    assert_int_equal(xmtp_hpke_setup_sender(&context, suite, pk_r.p, view(&info), ikm_e.p, enc),
                     XMTP_OK);
    return context;
}

static xmtp_hpke receiver(const hpke_case *c)
{
    const xmtp_suite *suite = xmtp_suite_by_id(c->suite_id);
    test_hex sk_r = hex(c->sk_r);
    test_hex enc = hex(c->pk_e);
    test_hex info = hex(INFO);
    xmtp_hpke context;
    assert_int_equal(
        xmtp_hpke_setup_receiver(&context, suite, sk_r.p, NULL, view(&enc), view(&info)), XMTP_OK);
    return context;
}

static void both_sides_derive_the_published_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASE_COUNT; i++) {
        xmtp_hpke sides[2] = {sender(&cases[i]), receiver(&cases[i])};
        for (size_t side = 0; side < 2; side++) {
            const xmtp_hpke *c = &sides[side];
            assert_hex(c->key, c->aead->key_len, cases[i].key);
            assert_hex(c->base_nonce, c->aead->nonce_len, cases[i].base_nonce);
            assert_hex(c->exporter_secret.p, c->exporter_secret.n, cases[i].exporter_secret);
        }
    }
}

static void published_messages_seal_and_open_at_their_sequence(void **state)
{
    (void)state;
    test_hex plaintext = hex(PLAINTEXT);
    for (size_t i = 0; i < CASE_COUNT; i++) {
        xmtp_hpke s = sender(&cases[i]);
        xmtp_hpke r = receiver(&cases[i]);
        for (size_t j = 0; j < SEALED_COUNT; j++) {
            const sealed_case *message = &cases[i].sealed[j];
            test_hex aad = hex(message->aad);
            uint8_t out[64];
            s.sequence = message->sequence;
            r.sequence = message->sequence;
            assert_int_equal(xmtp_hpke_seal(&s, view(&aad), view(&plaintext), out), XMTP_OK);
            assert_hex(out, plaintext.n + 16, message->ciphertext);
            test_hex ciphertext = hex(message->ciphertext);
            assert_int_equal(xmtp_hpke_open(&r, view(&aad), view(&ciphertext), out), XMTP_OK);
            assert_memory_equal(out, plaintext.p, plaintext.n);
        }
    }
}

static void exported_values_are_the_published_ones(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASE_COUNT; i++) {
        xmtp_hpke r = receiver(&cases[i]);
        for (size_t j = 0; j < EXPORTED_COUNT; j++) {
            test_hex context = hex(cases[i].exported[j].context);
            uint8_t out[32];
            assert_int_equal(xmtp_hpke_export(&r, xmtp_suite_by_id(cases[i].suite_id),
                                              view(&context), out, sizeof out),
                             XMTP_OK);
            assert_hex(out, sizeof out, cases[i].exported[j].value);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_pairs_are_derived_as_published),
        cmocka_unit_test(kem_gives_the_published_shared_secret_on_both_sides),
        cmocka_unit_test(both_sides_derive_the_published_keys),
        cmocka_unit_test(published_messages_seal_and_open_at_their_sequence),
        cmocka_unit_test(exported_values_are_the_published_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
