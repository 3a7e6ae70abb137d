/* vectors_test.c - the pure cryptography in the recordings of the official client: welcomes, key
 * packages, wallet and installation signatures, sender HMACs, a remote attachment, commit log.
 *
 * The files lie under XMTP_VECTORS (environment) or its built-in default, in xmtp/; where they are
 * absent the tests are skipped.
 */
#include "base/arena.h"
#include "crypto/test_hex.h"

#include <cjson/cJSON.h>

static xmtp_arena arena;

static int set_up(void **state)
{
    (void)state;
    xmtp_arena_init(&arena, &xmtp_env_system()->alloc, 64 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    xmtp_arena_reset(&arena);
    return 0;
}

static char *read_all(FILE *file)
{
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size_t n = (size_t)ftell(file);
    rewind(file);
    void *text = NULL;
    assert_int_equal(xmtp_arena_take(&arena, n + 1, &text), XMTP_OK);
    assert_int_equal(fread(text, 1, n, file), n);
    return text;
}

/* The parsed file; skips the test where it is absent. The caller deletes it. */
static cJSON *vectors(const char *name)
{
    const char *folder = getenv("XMTP_VECTORS");
    char path[1024];
    int n = snprintf(path, sizeof path, "%s/xmtp/%s", folder ? folder : XMTP_VECTORS_DEFAULT, name);
    assert_true(n > 0 && (size_t)n < sizeof path);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        skip();
    }
    cJSON *json = cJSON_Parse(read_all(file));
    (void)fclose(file);
    assert_non_null(json);
    return json;
}

static const cJSON *item(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const char *text_of(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(item(object, name));
    assert_non_null(text);
    return text;
}

static xmtp_bytes decode(const char *text)
{
    text += strncmp(text, "0x", 2) == 0 ? 2 : 0;
    size_t n = strlen(text) / 2;
    void *p = NULL;
    assert_int_equal(xmtp_arena_take(&arena, n, &p), XMTP_OK);
    assert_int_equal(xmtp_hex_decode(p, n, text, 2 * n), XMTP_OK);
    return xmtp_bytes_of(p, n);
}

static xmtp_bytes bytes_of(const cJSON *object, const char *name)
{
    return decode(text_of(object, name));
}

static uint8_t *room(size_t n)
{
    void *p = NULL;
    assert_int_equal(xmtp_arena_take(&arena, n, &p), XMTP_OK);
    return p;
}

static void assert_same(xmtp_bytes actual, xmtp_bytes expected)
{
    assert_int_equal(actual.n, expected.n);
    assert_memory_equal(actual.p, expected.p, expected.n);
}

static bool has(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(item(object, name)) != NULL;
}

/* ---- welcomes */

static const xmtp_bytes no_aad = {.p = NULL, .n = 0};

/* kem_output<V> || ciphertext<V>: the second, given the length of the first. */
static xmtp_bytes ciphertext_of(xmtp_bytes data, size_t enc_len)
{
    size_t at = (enc_len < 64 ? 1 : 2) + enc_len;
    static const size_t prefix_lengths[] = {1, 2, 4, 0};
    size_t prefix = prefix_lengths[data.p[at] >> 6];
    return xmtp_bytes_of(data.p + at + prefix, data.n - at - prefix);
}

static xmtp_bytes open_next(xmtp_hpke *c, xmtp_bytes ciphertext)
{
    uint8_t *out = room(ciphertext.n);
    assert_int_equal(xmtp_hpke_open(c, no_aad, ciphertext, out), XMTP_OK);
    return xmtp_bytes_of(out, ciphertext.n - 16);
}

static xmtp_bytes open_symmetric(xmtp_bytes key, xmtp_bytes nonce, xmtp_bytes ciphertext)
{
    uint8_t *out = room(ciphertext.n);
    assert_int_equal(xmtp_aead_chacha20poly1305.open(key.p, nonce.p, no_aad, ciphertext, out),
                     XMTP_OK);
    return xmtp_bytes_of(out, ciphertext.n - 16);
}

/* A pointer's pointee: one key, two nonces, no associated data (identity.md 7.4). */
static void check_pointee(const cJSON *welcome)
{
    const cJSON *pointer = item(item(welcome, "pointer"), "welcome_v1_pointer");
    const cJSON *pointee = item(welcome, "pointee");
    xmtp_bytes key = bytes_of(pointer, "encryption_key");
    assert_same(open_symmetric(key, bytes_of(pointer, "data_nonce"), bytes_of(pointee, "data")),
                bytes_of(welcome, "mls_message_welcome"));
    assert_same(open_symmetric(key, bytes_of(pointer, "welcome_metadata_nonce"),
                               bytes_of(pointee, "welcome_metadata")),
                bytes_of(welcome, "metadata_plaintext"));
}

static void check_welcome(const cJSON *welcome)
{
    bool is_xwing = item(welcome, "wrapper_algorithm")->valueint == 2;
    const xmtp_suite *suite = is_xwing ? &xmtp_suite_xwing_chacha : &xmtp_suite_x25519_chacha;
    const cJSON *private = item(welcome, "private");
    const cJSON *hpke = item(welcome, "hpke");
    xmtp_bytes sk = bytes_of(private, is_xwing ? "xwing_private_seed" : "init_private_key");
    xmtp_bytes enc = bytes_of(hpke, "kem_output");

    uint8_t pk[XMTP_KEM_PK_MAX];
    uint8_t ss[32];
    assert_int_equal(suite->kem->public_key(sk.p, pk), XMTP_OK);
    assert_same(xmtp_bytes_of(pk, suite->kem->pk_len), bytes_of(welcome, "hpke_public_key"));
    assert_int_equal(suite->kem->decap(sk.p, pk, enc.p, ss), XMTP_OK);
    assert_same(xmtp_bytes_of(ss, 32), bytes_of(hpke, "shared_secret"));

    xmtp_hpke c;
    assert_int_equal(xmtp_hpke_setup_receiver(&c, suite, sk.p, NULL, enc, bytes_of(hpke, "info")),
                     XMTP_OK);
    assert_same(xmtp_bytes_of(c.key, 32), bytes_of(hpke, "key"));
    assert_same(xmtp_bytes_of(c.base_nonce, 12), bytes_of(hpke, "base_nonce"));
    xmtp_bytes plaintext = open_next(&c, ciphertext_of(bytes_of(welcome, "data"), enc.n));
    if (has(welcome, "pointer_plaintext")) {
        assert_same(plaintext, bytes_of(welcome, "pointer_plaintext"));
        check_pointee(welcome);
        return;
    }
    assert_same(plaintext, bytes_of(welcome, "mls_message_welcome"));
    assert_same(open_next(&c, bytes_of(welcome, "welcome_metadata")),
                bytes_of(welcome, "metadata_plaintext"));
}

static void every_recorded_welcome_opens(void **state)
{
    (void)state;
    cJSON *json = vectors("welcomes.json");
    const cJSON *welcome = NULL;
    size_t opened = 0;
    cJSON_ArrayForEach(welcome, item(json, "welcomes"))
    {
        if (item(welcome, "hpke") != NULL) { /* all but the pointee itself */
            check_welcome(welcome);
            opened++;
        }
    }
    assert_int_equal(opened, 8);
    cJSON_Delete(json);
}

/* ---- key packages */

static void check_pair(xmtp_status (*public_key)(const uint8_t *, uint8_t *), xmtp_bytes sk,
                       xmtp_bytes expected)
{
    uint8_t pk[XMTP_KEM_PK_MAX];
    assert_int_equal(public_key(sk.p, pk), XMTP_OK);
    assert_same(xmtp_bytes_of(pk, expected.n), expected);
}

static void public_keys_of_recorded_key_packages_follow_from_their_private_keys(void **state)
{
    (void)state;
    cJSON *json = vectors("key-packages.json");
    const cJSON *package = NULL;
    cJSON_ArrayForEach(package, item(json, "key_packages"))
    {
        const cJSON *fields = item(package, "fields");
        const cJSON *private = item(package, "private");
        check_pair(xmtp_signature_ed25519.public_key, bytes_of(private, "signature_private_seed"),
                   bytes_of(fields, "leaf_signature_key"));
        check_pair(xmtp_kem_x25519.public_key, bytes_of(private, "init_private_key"),
                   bytes_of(fields, "init_key"));
        check_pair(xmtp_kem_x25519.public_key, bytes_of(private, "leaf_encryption_private_key"),
                   bytes_of(fields, "leaf_encryption_key"));
        check_pair(xmtp_kem_xwing_004d.public_key, bytes_of(private, "xwing_private_seed"),
                   bytes_of(item(fields, "ext_ff03_welcome_wrapper_encryption"), "pub_key"));
    }
    cJSON_Delete(json);
}

/* ---- wallets and installations */

static void eip191_digest(const char *text, uint8_t digest[32])
{
    size_t n = strlen(text);
    char *message = (char *)room(n + 64);
    int prefix = snprintf(message, 64,
                          "\x19"
                          "Ethereum Signed Message:\n%zu",
                          n);
    memcpy(message + prefix, text, n);
    xmtp_keccak256(xmtp_bytes_of(message, (size_t)prefix + n), digest);
}

static void assert_address(const char *actual, const char *recorded)
{
    assert_int_equal(strlen(recorded), 42);
    for (size_t i = 0; i < 42; i++) {
        char lower =
            recorded[i] >= 'A' && recorded[i] <= 'F' ? (char)(recorded[i] + 32) : recorded[i];
        assert_int_equal(actual[i], lower);
    }
}

static void recorded_wallet_signatures_recover_their_address(void **state)
{
    (void)state;
    cJSON *json = vectors("identity-updates.json");
    const cJSON *recorded = NULL;
    cJSON_ArrayForEach(recorded, item(json, "wallet_signatures"))
    {
        uint8_t digest[32];
        char address[43];
        uint8_t normalized[65];
        eip191_digest(text_of(recorded, "signature_text"), digest);
        assert_same(xmtp_bytes_of(digest, 32), bytes_of(recorded, "eip191_hash"));
        xmtp_bytes signature = bytes_of(recorded, "signature");
        assert_int_equal(signature.n, 65);
        assert_int_equal(xmtp_secp256k1_recover(digest, signature.p, address, normalized), XMTP_OK);
        assert_address(address, text_of(recorded, "address"));
        assert_memory_equal(normalized, signature.p, 65);
    }
    const cJSON *client = NULL;
    cJSON_ArrayForEach(client, item(json, "clients"))
    {
        char address[43];
        xmtp_bytes sk = bytes_of(client, "wallet_private_key");
        assert_int_equal(xmtp_secp256k1_address(sk.p, address), XMTP_OK);
        assert_address(address, text_of(client, "address"));
    }
    cJSON_Delete(json);
}

/* The text that the wallet signed in the same update, or NULL. */
static const char *text_signed_in(const cJSON *updates, const char *update_text)
{
    const cJSON *recorded = NULL;
    cJSON_ArrayForEach(recorded, item(updates, "wallet_signatures"))
    {
        if (strstr(update_text, text_of(recorded, "signature")) != NULL) {
            return text_of(recorded, "signature_text");
        }
    }
    return NULL;
}

/* The seed of an installation from key-packages.json; NULL when not recorded. */
static const uint8_t *seed_of(const cJSON *packages, const char *installation_id)
{
    const cJSON *package = NULL;
    cJSON_ArrayForEach(package, item(packages, "key_packages"))
    {
        if (strcmp(text_of(package, "installation_id"), installation_id) == 0) {
            return bytes_of(item(package, "private"), "signature_private_seed").p;
        }
    }
    return NULL;
}

static void check_installation_signature(const cJSON *packages, const cJSON *recorded,
                                         const char *context, const char *text)
{
    xmtp_bytes signature = bytes_of(recorded, has(recorded, "bytes") ? "bytes" : "signature");
    xmtp_bytes pk = bytes_of(recorded, "public_key");
    xmtp_bytes context_bytes = xmtp_bytes_of_string(context);
    xmtp_bytes message = xmtp_bytes_of_string(text);
    assert_int_equal(signature.n, 64);
    assert_int_equal(xmtp_ed25519ph_verify(pk.p, context_bytes, message, signature.p), XMTP_OK);

    const uint8_t *sk = seed_of(packages, text_of(recorded, "public_key"));
    assert_non_null(sk);
    uint8_t again[64];
    assert_int_equal(xmtp_ed25519ph_sign(sk, pk.p, context_bytes, message, again), XMTP_OK);
    assert_memory_equal(again, signature.p, 64);
    message.n--;
    assert_int_equal(xmtp_ed25519ph_verify(pk.p, context_bytes, message, signature.p),
                     XMTP_E_SIGNATURE);
}

/* Checks the installation signatures of one update whose text is known; returns how many. */
static size_t check_update(const cJSON *packages, const cJSON *update, const char *text)
{
    static const char *const slots[] = {"new_member_signature", "existing_member_signature"};
    size_t checked = 0;
    const cJSON *action = NULL;
    cJSON_ArrayForEach(action, item(item(update, "decoded"), "actions"))
    {
        for (size_t i = 0; i < 2; i++) {
            const cJSON *slot = item(item(item(action, "add"), slots[i]), "installation_key");
            if (slot != NULL) {
                check_installation_signature(packages, slot, "IDENTITY UPDATE SIGNATURE", text);
                checked++;
            }
        }
    }
    return checked;
}

static void recorded_installation_signatures_verify_and_are_made_again(void **state)
{
    (void)state;
    cJSON *json = vectors("identity-updates.json");
    cJSON *packages = vectors("key-packages.json");
    size_t checked = 0;
    const cJSON *inbox = NULL;
    cJSON_ArrayForEach(inbox, item(json, "inboxes"))
    {
        const cJSON *update = NULL;
        cJSON_ArrayForEach(update, item(inbox, "updates"))
        {
            const char *text = text_signed_in(json, text_of(update, "identity_update_protobuf"));
            checked += text == NULL ? 0 : check_update(packages, update, text);
        }
    }
    assert_int_equal(checked, 7);
    const cJSON *public = item(json, "installation_key_public_signature");
    check_installation_signature(packages, public, "PUBLIC SIGNATURE CONTEXT",
                                 text_of(public, "text"));
    cJSON_Delete(packages);
    cJSON_Delete(json);
}

/* ---- sender HMAC */

/* HKDF(salt, root || group_id, info = group_id || epoch as 64 bits little-endian), 42 bytes. */
static void sender_key(const cJSON *vector, uint64_t epoch, uint8_t key[42])
{
    xmtp_bytes root = bytes_of(vector, "root_key");
    xmtp_bytes group_id = bytes_of(vector, "group_id");
    uint8_t *ikm = room(root.n + group_id.n);
    uint8_t *info = room(group_id.n + 8);
    memcpy(ikm, root.p, root.n);
    memcpy(ikm + root.n, group_id.p, group_id.n);
    memcpy(info, group_id.p, group_id.n);
    for (size_t i = 0; i < 8; i++) {
        info[group_id.n + i] = (uint8_t)(epoch >> (8 * i));
    }
    xmtp_secret prk;
    xmtp_hkdf_extract(&xmtp_hash_sha256, xmtp_bytes_of_string("libXMTP HKDF salt!"),
                      xmtp_bytes_of(ikm, root.n + group_id.n), &prk);
    assert_int_equal(xmtp_hkdf_expand(&xmtp_hash_sha256, xmtp_secret_bytes(&prk),
                                      xmtp_bytes_of(info, group_id.n + 8), key, 42),
                     XMTP_OK);
}

static const cJSON *message_with_id(const cJSON *groups, int id)
{
    const cJSON *group = NULL;
    cJSON_ArrayForEach(group, item(groups, "groups"))
    {
        const cJSON *message = NULL;
        cJSON_ArrayForEach(message, item(group, "messages"))
        {
            const cJSON *number = item(message, "id");
            int value = cJSON_IsString(number) ? atoi(number->valuestring) : number->valueint;
            if (value == id) {
                return message;
            }
        }
    }
    return NULL;
}

static void recorded_sender_hmacs_are_reproduced(void **state)
{
    (void)state;
    cJSON *misc = vectors("misc.json");
    cJSON *groups = vectors("groups.json");
    const cJSON *vector = item(misc, "sender_hmac");
    const cJSON *entry = NULL;
    cJSON_ArrayForEach(entry, item(vector, "keys"))
    {
        uint8_t key[42];
        sender_key(vector, strtoull(text_of(entry, "epoch"), NULL, 10), key);
        assert_same(xmtp_bytes_of(key, 42), bytes_of(entry, "key"));
    }
    size_t by_client = 0;
    cJSON_ArrayForEach(entry, item(vector, "checks"))
    {
        if (item(entry, "message") == NULL) {
            continue;
        }
        const cJSON *message = message_with_id(groups, item(entry, "message")->valueint);
        assert_non_null(message);
        uint8_t key[42];
        uint8_t mac[32];
        sender_key(vector, 692, key);
        xmtp_hmac_of(&xmtp_hash_sha256, xmtp_bytes_of(key, 42), bytes_of(message, "data"), mac);
        bool is_same = memcmp(mac, bytes_of(message, "sender_hmac").p, 32) == 0;
        assert_int_equal(is_same, cJSON_IsTrue(item(entry, "by_client_C")));
        by_client += is_same;
    }
    assert_int_equal(by_client, 14);
    cJSON_Delete(groups);
    cJSON_Delete(misc);
}

/* ---- remote attachment */

static void recorded_remote_attachment_opens(void **state)
{
    (void)state;
    cJSON *json = vectors("misc.json");
    const cJSON *vector = item(json, "remote_attachment");
    xmtp_bytes payload = bytes_of(vector, "payload");
    uint8_t digest[32];
    xmtp_hash_of(&xmtp_hash_sha256, payload, digest);
    assert_same(xmtp_bytes_of(digest, 32), bytes_of(vector, "contentDigest"));

    xmtp_secret prk;
    uint8_t key[32];
    xmtp_hkdf_extract(&xmtp_hash_sha256, bytes_of(vector, "salt"), bytes_of(vector, "secret"),
                      &prk);
    assert_int_equal(
        xmtp_hkdf_expand(&xmtp_hash_sha256, xmtp_secret_bytes(&prk), no_aad, key, sizeof key),
        XMTP_OK);
    uint8_t *out = room(payload.n);
    xmtp_bytes nonce = bytes_of(vector, "nonce");
    assert_int_equal(xmtp_aead_aes256gcm.open(key, nonce.p, no_aad, payload, out), XMTP_OK);
    assert_same(xmtp_bytes_of(out, payload.n - 16), bytes_of(vector, "decrypted_encoded_content"));
    cJSON_Delete(json);
}

/* ---- commit log */

static void recorded_commit_log_entries_verify_and_are_signed_again(void **state)
{
    (void)state;
    cJSON *json = vectors("commit-log.json");
    const xmtp_signature *ed25519 = &xmtp_signature_ed25519;
    xmtp_bytes sk = bytes_of(json, "signer_seed");
    xmtp_bytes pk = bytes_of(json, "signer_public_key");
    const cJSON *entry = NULL;
    cJSON_ArrayForEach(entry, item(json, "entries"))
    {
        xmtp_bytes message = bytes_of(entry, "serialized_commit_log_entry");
        xmtp_bytes signature = bytes_of(item(entry, "signature"), "bytes");
        uint8_t again[64];
        size_t again_len = 0;
        assert_int_equal(ed25519->verify(pk, message, signature), XMTP_OK);
        assert_int_equal(ed25519->sign(sk.p, pk.p, message, again, &again_len), XMTP_OK);
        assert_same(xmtp_bytes_of(again, again_len), signature);
    }
    cJSON_Delete(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_recorded_welcome_opens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            public_keys_of_recorded_key_packages_follow_from_their_private_keys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(recorded_wallet_signatures_recover_their_address, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(recorded_installation_signatures_verify_and_are_made_again,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(recorded_sender_hmacs_are_reproduced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(recorded_remote_attachment_opens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(recorded_commit_log_entries_verify_and_are_signed_again,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
