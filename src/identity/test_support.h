/* test_support.h - what the tests of this room share: memory, hexadecimal, vector files, updates
 * with any signature in any place; for tests only.
 */
#ifndef XMTP_IDENTITY_TEST_SUPPORT_H
#define XMTP_IDENTITY_TEST_SUPPORT_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"
#include "identity/association.h"
#include "identity/inbox_id.h"
#include "identity/signature_text.h"
#include "identity/signer.h"

#include <secp256k1.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// cmocka wants the headers above first
#include <cjson/cJSON.h>
#include <cmocka.h>

/* Everything a test allocates lies here until the test ends. */
static xmtp_arena arena;

static inline const xmtp_alloc *heap(void)
{
    return &xmtp_env_system()->alloc;
}

static inline int set_up(void **state)
{
    (void)state;
    xmtp_arena_init(&arena, heap(), 256 << 20);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    xmtp_arena_reset(&arena);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static inline void ok(xmtp_status status)
{
    if (status != XMTP_OK) {
        fail_msg("%s", xmtp_status_name(status));
    }
}

/* ---- bytes */

static inline void *room(size_t n)
{
    void *p = NULL;
    ok(xmtp_arena_take(&arena, n, &p));
    return p;
}

static inline xmtp_bytes hex(const char *text)
{
    size_t n = strlen(text);
    uint8_t *p = room(n / 2);
    ok(xmtp_hex_decode(p, n / 2, text, n));
    return xmtp_bytes_of(p, n / 2);
}

static inline const char *hex_of(xmtp_bytes in)
{
    char *text = room(2 * in.n + 1);
    xmtp_hex_encode(text, in);
    return text;
}

static inline xmtp_bytes copy_of(xmtp_bytes in)
{
    xmtp_bytes out;
    ok(xmtp_arena_copy(&arena, in, &out));
    return out;
}

static inline void assert_bytes(xmtp_bytes actual, xmtp_bytes expected)
{
    assert_string_equal(hex_of(actual), hex_of(expected));
}

/* A written buffer becomes the test's, and is freed with it. */
static inline xmtp_bytes finish(xmtp_writer *w)
{
    ok(xmtp_writer_status(w));
    xmtp_bytes out = copy_of(xmtp_writer_bytes(w));
    xmtp_writer_free(w);
    return out;
}

/* The same for a buffer that came from the heap. */
static inline xmtp_bytes adopt(uint8_t *p, size_t n)
{
    xmtp_bytes out = copy_of(xmtp_bytes_of(p, n));
    (void)heap()->reallocate(heap()->context, p, 0);
    return out;
}

/* ---- vector files */

static inline cJSON *vectors(const char *name)
{
    const char *folder = getenv("XMTP_VECTORS");
    char path[1024];
    int n = snprintf(path, sizeof path, "%s/xmtp/%s", folder ? folder : XMTP_VECTORS_DEFAULT, name);
    assert_true(n > 0 && (size_t)n < sizeof path);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        skip();
    }
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size_t len = (size_t)ftell(file);
    rewind(file);
    char *text = room(len + 1);
    assert_int_equal(fread(text, 1, len, file), len);
    (void)fclose(file);
    cJSON *json = cJSON_Parse(text);
    assert_non_null(json);
    return json;
}

static inline const cJSON *item(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static inline const char *text_of(const cJSON *object, const char *name)
{
    const cJSON *value = item(object, name);
    assert_true(cJSON_IsString(value));
    return value->valuestring;
}

static inline xmtp_bytes hex_item(const cJSON *object, const char *name)
{
    return hex(text_of(object, name));
}

/* ---- keys */

/* The two first wallets of every Ethereum test network, and installations of a repeated byte. */
static const char wallet_0_key[] =
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
static const char wallet_1_key[] =
    "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";

static inline const xmtp_wallet *wallet_of(const char *key)
{
    xmtp_wallet *wallet = room(sizeof *wallet);
    ok(xmtp_wallet_parse(key, wallet, NULL));
    return wallet;
}

static inline const xmtp_installation *installation_of(uint8_t byte)
{
    uint8_t seed[32];
    memset(seed, byte, sizeof seed);
    xmtp_installation *installation = room(sizeof *installation);
    ok(xmtp_installation_from_seed(seed, installation));
    return installation;
}

static inline xmtp_signer *signer_of(xmtp_signer signer)
{
    xmtp_signer *kept = room(sizeof *kept);
    *kept = signer;
    return kept;
}

static inline xmtp_signer *by_wallet(const xmtp_wallet *wallet)
{
    return signer_of(xmtp_signer_of_wallet(wallet));
}

static inline xmtp_signer *by_installation(const xmtp_installation *installation)
{
    return signer_of(xmtp_signer_of_installation(installation));
}

/* 04 || X || Y of a secp256k1 key, by the library itself: the house has no such function. */
static inline void public_point(const uint8_t sk[32], uint8_t out[65])
{
    secp256k1_context *c = secp256k1_context_create(SECP256K1_CONTEXT_SIGN);
    secp256k1_pubkey key;
    size_t n = 65;
    assert_int_equal(secp256k1_ec_pubkey_create(c, &key, sk), 1);
    (void)secp256k1_ec_pubkey_serialize(c, out, &n, &key, SECP256K1_EC_UNCOMPRESSED);
    secp256k1_context_destroy(c);
}

/* ---- updates with any signature in any place */

typedef struct hand {
    xmtp_signature_kind kind;
    const xmtp_wallet *wallet;             /* ERC191; DELEGATED: the wallet behind the key */
    const xmtp_installation *installation; /* INSTALLATION */
    const xmtp_wallet *legacy_key;         /* DELEGATED */
    const char *account_id;                /* CONTRACT */
    const char *bytes;                     /* CONTRACT: the signature, as hex */
    int v_offset;                          /* ERC191: added to v */
} hand;

typedef struct deed {
    xmtp_action_kind kind;
    xmtp_identifier subject;
    uint64_t nonce;
    hand by;
    hand self; /* ADD */
} deed;

static inline hand wallet_hand(const xmtp_wallet *wallet)
{
    return (hand){.kind = XMTP_SIGNATURE_ERC191, .wallet = wallet};
}

static inline hand installation_hand(const xmtp_installation *installation)
{
    return (hand){.kind = XMTP_SIGNATURE_INSTALLATION, .installation = installation};
}

static inline xmtp_identifier id_of(const xmtp_wallet *wallet)
{
    return xmtp_identifier_ethereum(wallet->address);
}

static inline xmtp_identifier id_of_installation(const xmtp_installation *installation)
{
    return xmtp_identifier_installation(installation->pk);
}

static inline xmtp_wire_signature sign_wallet(const xmtp_wallet *wallet, int v_offset,
                                              xmtp_bytes text)
{
    uint8_t *p = room(XMTP_WALLET_SIGNATURE_LEN);
    ok(xmtp_wallet_sign(wallet, text, p));
    p[64] = (uint8_t)(p[64] + v_offset);
    return (xmtp_wire_signature){.kind = XMTP_SIGNATURE_ERC191,
                                 .bytes = xmtp_bytes_of(p, XMTP_WALLET_SIGNATURE_LEN)};
}

/* The encoded UnsignedPublicKey of a legacy key and the wallet's signature of it (identity.md 3.7).
 */
static inline xmtp_wire_signature sign_legacy(const hand *h, xmtp_bytes text)
{
    const xmtp_bytes head = hex("08808094bba0c8fef2161a430a41");
    uint8_t *key_bytes = room(head.n + 65);
    memcpy(key_bytes, head.p, head.n);
    public_point(h->legacy_key->sk, key_bytes + head.n);
    xmtp_bytes key = xmtp_bytes_of(key_bytes, head.n + 65);
    size_t n = 256 + 2 * key.n;
    char *wallet_text = room(n);
    (void)snprintf(wallet_text, n,
                   "XMTP : Create Identity\n%s\n\nFor more info: https://xmtp.org/signatures/",
                   hex_of(key));
    xmtp_bytes wallet = sign_wallet(h->wallet, 0, xmtp_bytes_of_string(wallet_text)).bytes;
    return (xmtp_wire_signature){.kind = XMTP_SIGNATURE_DELEGATED,
                                 .bytes = sign_wallet(h->legacy_key, 0, text).bytes,
                                 .has_delegated_key = true,
                                 .has_delegated_signature = true,
                                 .key_bytes = key,
                                 .wallet_form = 2,
                                 .wallet_signature = xmtp_bytes_of(wallet.p, 64),
                                 .wallet_recovery = wallet.p[64]};
}

static inline xmtp_wire_signature sign_with(const hand *h, xmtp_bytes text)
{
    uint8_t *p;
    switch (h->kind) {
    case XMTP_SIGNATURE_ERC191:
        return sign_wallet(h->wallet, h->v_offset, text);
    case XMTP_SIGNATURE_INSTALLATION:
        p = room(XMTP_INSTALLATION_SIGNATURE_LEN);
        ok(xmtp_installation_sign_update(h->installation, text, p));
        return (xmtp_wire_signature){.kind = h->kind,
                                     .bytes = xmtp_bytes_of(p, XMTP_INSTALLATION_SIGNATURE_LEN),
                                     .public_key =
                                         xmtp_bytes_of(h->installation->pk, XMTP_INSTALLATION_LEN)};
    case XMTP_SIGNATURE_CONTRACT:
        return (xmtp_wire_signature){.kind = h->kind,
                                     .account_id = xmtp_bytes_of_string(h->account_id),
                                     .block_number = 7,
                                     .bytes = hex(h->bytes)};
    case XMTP_SIGNATURE_DELEGATED:
        return sign_legacy(h, text);
    case XMTP_SIGNATURE_NONE:
    case XMTP_SIGNATURE_PASSKEY:
        break;
    }
    fail_msg("no such hand");
    return (xmtp_wire_signature){0};
}

static inline xmtp_bytes update_text(const xmtp_wire_update *update)
{
    xmtp_writer w;
    xmtp_writer_init(&w, heap(), XMTP_WRITER_MAX);
    ok(xmtp_signature_text(update, &w));
    return finish(&w);
}

static inline xmtp_bytes encoded(const xmtp_wire_update *update)
{
    xmtp_writer w;
    xmtp_writer_init(&w, heap(), XMTP_WRITER_MAX);
    ok(xmtp_wire_update_encode(update, &w));
    return finish(&w);
}

/* Signs the deeds over their text without asking whether they are allowed. */
static inline xmtp_bytes update_of(const char *inbox_id, uint64_t timestamp_ns, const deed *deeds,
                                   size_t count)
{
    xmtp_wire_action *actions = room((count + 1) * sizeof *actions);
    xmtp_wire_update update = {.actions = actions,
                               .action_count = count,
                               .client_timestamp_ns = timestamp_ns,
                               .inbox_id = xmtp_bytes_of_string(inbox_id)};
    for (size_t i = 0; i < count; i++) {
        actions[i] = (xmtp_wire_action){
            .kind = deeds[i].kind, .subject = deeds[i].subject, .nonce = deeds[i].nonce};
    }
    xmtp_bytes text = update_text(&update);
    for (size_t i = 0; i < count; i++) {
        actions[i].signature = sign_with(&deeds[i].by, text);
        if (deeds[i].kind == XMTP_ACTION_ADD) {
            actions[i].new_member_signature = sign_with(&deeds[i].self, text);
        }
    }
    return encoded(&update);
}

/* ---- states */

static inline xmtp_bytes record_of(const xmtp_association *state)
{
    uint8_t *p;
    size_t n;
    ok(xmtp_association_encode(state, &p, &n));
    return adopt(p, n);
}

/* Must succeed. */
static inline void fold(xmtp_association *state, xmtp_bytes update)
{
    xmtp_error error = {0};
    if (xmtp_association_apply(state, update, NULL, 0, &error) != XMTP_OK) {
        fail_msg("%s: %s", xmtp_status_name(error.status), error.text);
    }
}

/* Must fail, with this code and sentence, and change nothing. */
static inline void refuses_with(xmtp_association *state, xmtp_bytes update,
                                const xmtp_verifier *verifier, unsigned flags, xmtp_status status,
                                const char *sentence)
{
    xmtp_bytes before = record_of(state);
    xmtp_error error = {0};
    assert_string_equal(
        xmtp_status_name(xmtp_association_apply(state, update, verifier, flags, &error)),
        xmtp_status_name(status));
    assert_int_equal(error.status, status);
    assert_string_equal(error.text, sentence);
    assert_bytes(record_of(state), before);
}

static inline void refuses(xmtp_association *state, xmtp_bytes update, xmtp_status status,
                           const char *sentence)
{
    refuses_with(state, update, NULL, 0, status, sentence);
}

static inline xmtp_association *new_state(void)
{
    xmtp_association *state;
    ok(xmtp_association_new(&state, heap()));
    return state;
}

#endif
