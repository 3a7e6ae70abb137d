/* passkey_test.c - an inbox of a passkey made by the official client (identity.md 4.4), and client
 * data of every shape. */
#include "identity/passkey.h"

#include "identity/client_data.h"
#include "identity/inbox_id.h"
#include "identity/test_scene.h"

#include "crypto/crypto.h"

static const char key_hex[] = "02591ab771ebbcfd6d9cb9094d106528add1a69d44c2c1f627f089ec58b9c61adf";
static const char inbox[] = "ff73c755affcd360b12bc187e958b8e10d66d5b9cf5f35512c342b2e76e476b8";
static const char authenticator_hex[] =
    "a379a6f6eeafb9a55e378c118034e2751e682fab9f2d30ab13d2125586ce19470500000001";
static const char signature_hex[] =
    "3044022065b0be7b5cac41231b96b821e4efd0a8bcf6fbaa9bdf420a3c08ced6f63f5008"
    "022055db9cf3ac4803582346b671787c4e770dd0158eed57d941ecc98d3211b11aaa";

/* {"type":"webauthn.get","challenge":"...","origin":"https://example.com"} for a text */
static xmtp_bytes client_data_for(xmtp_bytes text, const char *before, const char *after)
{
    xmtp_writer w;
    xmtp_writer_init(&w, heap(), 1 << 20);
    xmtp_writer_put(&w, xmtp_bytes_of_string(before));
    xmtp_passkey_challenge(text, &w);
    xmtp_writer_put(&w, xmtp_bytes_of_string(after));
    uint8_t *p;
    size_t n;
    ok(xmtp_writer_detach(&w, &p, &n));
    return adopt(p, n);
}

static const char before_challenge[] = "{\"type\":\"webauthn.get\",\"challenge\":\"";
static const char after_challenge[] = "\",\"origin\":\"https://example.com\"}";

static xmtp_wire_update update_with(xmtp_wire_action *action)
{
    *action =
        (xmtp_wire_action){.kind = XMTP_ACTION_CREATE_INBOX,
                           .subject = {.kind = XMTP_IDENTIFIER_PASSKEY, .value = hex(key_hex)},
                           .nonce = 1};
    return (xmtp_wire_update){.actions = action,
                              .action_count = 1,
                              .client_timestamp_ns = 1700000300000000000u,
                              .inbox_id = xmtp_bytes_of_string(inbox)};
}

static xmtp_bytes text_of_update(const xmtp_wire_update *update)
{
    xmtp_writer w;
    uint8_t *p;
    size_t n;
    xmtp_writer_init(&w, heap(), 1 << 20);
    ok(xmtp_signature_text(update, &w));
    ok(xmtp_writer_detach(&w, &p, &n));
    return adopt(p, n);
}

/* Example P with these client data, key and signature. */
static xmtp_bytes example_with(const char *before, const char *after, const char *key,
                               const char *signature)
{
    xmtp_wire_action action;
    xmtp_wire_update update = update_with(&action);
    xmtp_bytes text = text_of_update(&update);
    action.signature =
        (xmtp_wire_signature){.kind = XMTP_SIGNATURE_PASSKEY,
                              .public_key = hex(key),
                              .bytes = hex(signature),
                              .authenticator_data = hex(authenticator_hex),
                              .client_data_json = client_data_for(text, before, after)};
    return encoded(&update);
}

static void the_official_passkey_inbox_is_accepted(void **state)
{
    (void)state;
    xmtp_association *s = new_state();
    fold(s, example_with(before_challenge, after_challenge, key_hex, signature_hex));
    assert_int_equal(xmtp_association_member_count(s), 1);
    xmtp_identifier member = xmtp_association_member_at(s, 0).identifier;
    assert_int_equal(member.kind, XMTP_IDENTIFIER_PASSKEY);
    assert_bytes(member.value, hex(key_hex));
    xmtp_association_free(s);
}

static void the_clients_data_are_those_of_the_example(void **state)
{
    (void)state;
    xmtp_wire_action action;
    xmtp_wire_update update = update_with(&action);
    uint8_t digest[32];
    xmtp_hash_of(&xmtp_hash_sha256,
                 client_data_for(text_of_update(&update), before_challenge, after_challenge),
                 digest);
    assert_bytes(xmtp_bytes_of(digest, 32),
                 hex("7b84bfdbe4e1eef0de7ed3fcbd9e550d41c9e3cc9ed4bf52c65f64fc68e60fd6"));
}

static void refused_with(xmtp_bytes update, const char *sentence)
{
    xmtp_association *s = new_state();
    refuses(s, update, XMTP_E_SIGNATURE, sentence);
    xmtp_association_free(s);
}

static void what_is_wrong_with_a_passkeys_signature_is_told(void **state)
{
    (void)state;
    static const char other_key[] =
        "037cf27b188d034f7e8a52380304b51ac3c08969e277f21b35a60b48fc47669978";
    static const char raw[] = "65b0be7b5cac41231b96b821e4efd0a8bcf6fbaa9bdf420a3c08ced6f63f5008"
                              "55db9cf3ac4803582346b671787c4e770dd0158eed57d941ecc98d3211b11aaa";
    refused_with(example_with(before_challenge, after_challenge, other_key, signature_hex),
                 "ed25519 Signature failed signature error");
    refused_with(example_with(before_challenge, after_challenge, key_hex, raw),
                 "Signature validation failed");
    refused_with(example_with(before_challenge, after_challenge, "02", signature_hex),
                 "Invalid public key");
    refused_with(example_with("{\"challenge\":\"A", after_challenge, key_hex, signature_hex),
                 "client_data is invalid");
    refused_with(example_with(before_challenge, "=\",\"origin\":\"o\"}", key_hex, signature_hex),
                 "client_data is invalid");
    refused_with(example_with("", "", key_hex, signature_hex), "client_data is invalid");
    /* Other data with the same challenge: JSON, but not what was signed. */
    refused_with(example_with("{\"challenge\":\"", after_challenge, key_hex, signature_hex),
                 "ed25519 Signature failed signature error");
}

/* ---- keys in every form */

static void a_key_verifies_in_every_form_of_its_point(void **state)
{
    (void)state;
    uint8_t sk[32];
    uint8_t pk[65];
    uint8_t signature[XMTP_SIGNATURE_MAX];
    uint8_t raw[XMTP_P256_RAW_LEN];
    size_t n;
    size_t compact = 0;
    xmtp_bytes message = xmtp_bytes_of_string("message");
    for (uint8_t i = 1; i < 9; i++) {
        memset(sk, i, sizeof(sk));
        ok(xmtp_signature_ecdsa_p256.public_key(sk, pk));
        ok(xmtp_signature_ecdsa_p256.sign(sk, pk, message, signature, &n));
        xmtp_bytes der = xmtp_bytes_of(signature, n);
        ok(xmtp_p256_verify(xmtp_bytes_of(pk, 65), message, der, raw));
        uint8_t tag = (uint8_t)(2 + (pk[64] & 1));
        pk[0] = tag;
        ok(xmtp_p256_verify(xmtp_bytes_of(pk, 33), message, der, raw));
        pk[0] = 5;
        compact += xmtp_p256_verify(xmtp_bytes_of(pk, 33), message, der, raw) == XMTP_OK;
        pk[0] = (uint8_t)(tag ^ 1);
        assert_int_equal(xmtp_p256_verify(xmtp_bytes_of(pk, 33), message, der, raw),
                         XMTP_E_SIGNATURE);
        pk[0] = 6; /* hybrid */
        assert_int_equal(xmtp_p256_verify(xmtp_bytes_of(pk, 65), message, der, raw), XMTP_E_KEY);
    }
    assert_true(compact > 0 && compact < 8); /* half of all keys have the smaller y */
    const uint8_t infinity = 0;
    assert_int_equal(
        xmtp_p256_verify(xmtp_bytes_of(&infinity, 1), message, xmtp_bytes_of(signature, n), raw),
        XMTP_E_KEY);
}

/* ---- client data */

static xmtp_status read_data(const char *json, xmtp_client_data *out)
{
    return xmtp_client_data_read(xmtp_bytes_of_string(json), &arena, out);
}

static void client_data_of_any_shape_are_read(void **state)
{
    (void)state;
    static const char *const good[] = {
        "{\"challenge\":\"c\",\"origin\":\"o\"}",
        " \t\r\n{ \"origin\" : \"o\" , \"challenge\" : \"c\" } \n",
        "{\"a\":{},\"b\":[],\"c\":[[{}],{\"d\":[1,2]}],\"challenge\":\"c\",\"origin\":\"o\"}",
        "{\"n\":-0.5e+10,\"m\":0,\"t\":true,\"f\":false,\"z\":null,\"origin\":\"o\","
        "\"challenge\":\"c\"}",
        "{\"s\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud800\",\"origin\":\"o\",\"challenge\":\"c\"}",
        "{\"orig\\u0069n\":\"\\u006f\",\"challenge\":\"\\u0063\"}",
    };
    xmtp_client_data data;
    for (size_t i = 0; i < COUNT(good); i++) {
        ok(read_data(good[i], &data));
        assert_bytes(data.challenge, xmtp_bytes_of_string("c"));
        assert_bytes(data.origin, xmtp_bytes_of_string("o"));
    }
    ok(read_data("{\"challenge\":\"\\u00e9\\ud83d\\ude00\",\"origin\":\"\"}", &data));
    assert_bytes(data.challenge, xmtp_bytes_of_string("\xc3\xa9\xf0\x9f\x98\x80"));
    assert_int_equal(data.origin.n, 0);
}

static void client_data_that_are_no_json_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "{",
        "{}",
        "[]",
        "null",
        "\"challenge\"",
        "{\"challenge\":\"c\"}",
        "{\"origin\":\"o\"}",
        "{\"challenge\":\"c\",\"origin\":1}",
        "{\"challenge\":null,\"origin\":\"o\"}",
        "{\"challenge\":\"c\",\"challenge\":\"c\",\"origin\":\"o\"}",
        "{\"challenge\":\"c\",\"origin\":\"o\",}",
        "{\"challenge\":\"c\" \"origin\":\"o\"}",
        "{\"challenge\":\"c\",\"origin\":\"o\"} x",
        "{\"challenge\":\"c\",\"origin\":\"o\"",
        "{\"challenge\":\"c,\"origin\":\"o\"}",
        "{'challenge':\"c\",\"origin\":\"o\"}",
        "{\"n\":01,\"challenge\":\"c\",\"origin\":\"o\"}",
        "{\"n\":1.,\"challenge\":\"c\",\"origin\":\"o\"}",
        "{\"n\":-,\"challenge\":\"c\",\"origin\":\"o\"}",
        "{\"n\":1e,\"challenge\":\"c\",\"origin\":\"o\"}",
        "{\"n\":tru,\"challenge\":\"c\",\"origin\":\"o\"}",
        "{\"n\":[1,],\"challenge\":\"c\",\"origin\":\"o\"}",
        "{\"n\":[1},\"challenge\":\"c\",\"origin\":\"o\"}",
        "{\"n\":{\"a\"},\"challenge\":\"c\",\"origin\":\"o\"}",
        "{\"n\":\"\\x\",\"challenge\":\"c\",\"origin\":\"o\"}",
        "{\"n\":\"\n\",\"challenge\":\"c\",\"origin\":\"o\"}",
        "{\"challenge\":\"\\ud800\",\"origin\":\"o\"}",
        "{\"challenge\":\"\\udc00\",\"origin\":\"o\"}",
        "{\"challenge\":\"\\ud800\\u0041\",\"origin\":\"o\"}",
        "{\"challenge\":\"\\u12g4\",\"origin\":\"o\"}",
        "{\"challenge\":\"\xff\",\"origin\":\"o\"}",
    };
    xmtp_client_data data;
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(read_data(bad[i], &data), XMTP_E_MALFORMED);
    }
}

static void values_may_nest_as_deep_as_they_like(void **state)
{
    (void)state;
    enum { DEPTH = 100000 };
    static char json[2 * DEPTH + 64] = "{\"a\":";
    char *p = json + 5;
    memset(p, '[', DEPTH);
    memset(p + DEPTH, ']', DEPTH);
    strcpy(p + 2 * (size_t)DEPTH, ",\"challenge\":\"c\",\"origin\":\"o\"}");
    xmtp_client_data data;
    ok(read_data(json, &data));
    p[2 * DEPTH - 1] = '}';
    assert_int_equal(read_data(json, &data), XMTP_E_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_official_passkey_inbox_is_accepted),
        TEST(the_clients_data_are_those_of_the_example),
        TEST(what_is_wrong_with_a_passkeys_signature_is_told),
        TEST(a_key_verifies_in_every_form_of_its_point),
        TEST(client_data_of_any_shape_are_read),
        TEST(client_data_that_are_no_json_are_refused),
        TEST(values_may_nest_as_deep_as_they_like),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
