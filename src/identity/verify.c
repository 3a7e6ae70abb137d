/* verify.c - one function per kind of signature (identity.md 3.3 to 3.7).
 *
 * Refusals carry the network's sentences of 8.3. Passkeys are in passkey.c.
 */
#include "identity/verify.h"

#include "base/bytes.h"
#include "base/status.h"
#include "crypto/crypto.h"
#include "identity/passkey.h"
#include "identity/signer.h"
#include "proto/field.h"

static const char invalid_text[] = "Signature validation failed";

xmtp_signed_text xmtp_signed_text_of(xmtp_bytes text)
{
    xmtp_signed_text signed_text = {.text = text};
    xmtp_wallet_digest(text, signed_text.digest);
    return signed_text;
}

const char *xmtp_signature_kind_name(xmtp_signature_kind kind)
{
    switch (kind) {
    case XMTP_SIGNATURE_NONE:
        break;
    case XMTP_SIGNATURE_ERC191:
        return "erc-191";
    case XMTP_SIGNATURE_CONTRACT:
        return "erc-1271";
    case XMTP_SIGNATURE_INSTALLATION:
        return "installation-key";
    case XMTP_SIGNATURE_DELEGATED:
        return "legacy-delegated";
    case XMTP_SIGNATURE_PASSKEY:
        return "p256";
    }
    return "none";
}

/* ---- ERC-191 (3.3) */

static bool is_recovery_value(uint8_t v)
{
    return v <= 1 || v == 27 || v == 28 || v >= 35;
}

static xmtp_status check_ecdsa_form(xmtp_bytes signature, xmtp_error *error)
{
    if (signature.n != 64 && signature.n != 65) {
        return xmtp_fail(error, XMTP_E_SIGNATURE, invalid_text);
    }
    if (signature.n == 64) {
        return xmtp_fail(error, XMTP_E_SIGNATURE, "expected exactly 65 bytes");
    }
    if (!is_recovery_value(signature.p[64])) {
        return xmtp_fail(error, XMTP_E_SIGNATURE, "invalid parity: %u", (unsigned)signature.p[64]);
    }
    return XMTP_OK;
}

/* What recovering gives; known when it was done before. */
static xmtp_status recover_or_know(const xmtp_wallet_check *known, xmtp_bytes signature,
                                   const uint8_t digest[32], char *address, uint8_t *normalized)
{
    if (known == NULL) {
        return xmtp_secp256k1_recover(digest, signature.p, address, normalized);
    }
    memcpy(address, known->address, sizeof known->address);
    memcpy(normalized, known->normalized, sizeof known->normalized);
    return known->verdict;
}

/* address and seen live in the arena. known may be NULL. */
static xmtp_status recover(xmtp_bytes signature, const uint8_t digest[32],
                           const xmtp_wallet_check *known, xmtp_arena *arena, xmtp_bytes *address,
                           xmtp_bytes *seen, xmtp_error *error)
{
    XMTP_TRY(check_ecdsa_form(signature, error));
    void *text;
    void *normalized;
    XMTP_TRY(xmtp_arena_take(arena, XMTP_ADDRESS_LEN + 1, &text));
    XMTP_TRY(xmtp_arena_take(arena, XMTP_WALLET_SIGNATURE_LEN, &normalized));
    if (recover_or_know(known, signature, digest, text, normalized) != XMTP_OK) {
        return xmtp_fail(error, XMTP_E_SIGNATURE, "ed25519 Signature failed: no key recovered");
    }
    *address = xmtp_bytes_of(text, XMTP_ADDRESS_LEN);
    *seen = xmtp_bytes_of(normalized, XMTP_WALLET_SIGNATURE_LEN);
    return XMTP_OK;
}

static xmtp_status verify_erc191(const xmtp_wire_signature *s, const xmtp_signed_text *text,
                                 const xmtp_verifier *verifier, xmtp_arena *arena,
                                 xmtp_verified_signature *out, xmtp_error *error)
{
    const xmtp_update_batch *batch = verifier == NULL ? NULL : verifier->batch;
    out->signer.kind = XMTP_IDENTIFIER_ETHEREUM;
    return recover(s->bytes, text->digest, xmtp_update_batch_wallet(batch, text->text, s->bytes),
                   arena, &out->signer.value, &out->seen, error);
}

/* ---- installation keys (3.5) */

static xmtp_status verdict_on(const xmtp_wire_signature *s, xmtp_bytes text,
                              const xmtp_verifier *verifier)
{
    xmtp_status verdict;
    const xmtp_update_batch *batch = verifier == NULL ? NULL : verifier->batch;
    return xmtp_update_batch_find(batch, s->public_key, text, s->bytes, &verdict)
               ? verdict
               : xmtp_installation_verify_update(s->public_key.p, text, s->bytes.p);
}

static xmtp_status verify_installation(const xmtp_wire_signature *s, const xmtp_signed_text *text,
                                       const xmtp_verifier *verifier, bool is_accepted,
                                       xmtp_verified_signature *out, xmtp_error *error)
{
    if (s->bytes.n != XMTP_INSTALLATION_SIGNATURE_LEN) {
        return xmtp_fail(error, XMTP_E_SIGNATURE, "could not convert slice to array");
    }
    if (!is_accepted && verdict_on(s, text->text, verifier) != XMTP_OK) {
        return xmtp_fail(error, XMTP_E_SIGNATURE,
                         "ed25519 Signature failed Verification equation was not satisfied");
    }
    out->signer.kind = XMTP_IDENTIFIER_INSTALLATION;
    out->signer.value = s->public_key;
    out->seen = s->bytes;
    return XMTP_OK;
}

/* ---- legacy keys: a wallet signed a key, the key signed the update (3.7) */

/* XMTP : Create Identity LF hex(key_bytes) LF LF and a footer that, unlike ours, ends in a slash.
 */
static xmtp_status legacy_text(xmtp_bytes key_bytes, xmtp_arena *arena, xmtp_bytes *out)
{
    static const char head[] = "XMTP : Create Identity\n";
    static const char foot[] = "\n\nFor more info: https://xmtp.org/signatures/";
    const size_t head_len = sizeof head - 1;
    const size_t foot_len = sizeof foot - 1;
    size_t n = head_len + 2 * key_bytes.n + foot_len; /* key_bytes.n is below 2^25 */
    void *buffer;
    XMTP_TRY(xmtp_arena_take(arena, n + 1, &buffer));
    char *text = buffer;
    memcpy(text, head, head_len);
    xmtp_hex_encode(text + head_len, key_bytes);
    memcpy(text + head_len + 2 * key_bytes.n, foot, foot_len);
    *out = xmtp_bytes_of(text, n);
    return XMTP_OK;
}

/* UnsignedPublicKey { created_ns 1, secp256k1_uncompressed 3 { bytes 1 } } */
static xmtp_status legacy_point(xmtp_bytes key_bytes, xmtp_bytes *point)
{
    xmtp_reader r = xmtp_reader_of(key_bytes);
    *point = (xmtp_bytes){0};
    while (r.n > 0) {
        xmtp_field f;
        xmtp_reader inner;
        uint64_t created_ns;
        XMTP_TRY(xmtp_field_next(&r, &f));
        if (f.number == 1) {
            XMTP_TRY(xmtp_field_u64(&f, &created_ns));
        }
        if (f.number != 3) {
            continue;
        }
        XMTP_TRY(xmtp_field_message(&f, &inner));
        while (inner.n > 0) {
            XMTP_TRY(xmtp_field_next(&inner, &f));
            if (f.number == 1) {
                XMTP_TRY(xmtp_field_bytes(&f, point));
            }
        }
    }
    /* Other encodings of a point were never written by anybody. */
    return point->n == 65 && point->p[0] == 0x04 ? XMTP_OK : XMTP_E_KEY;
}

static bool is_address_of(xmtp_bytes point, xmtp_bytes address)
{
    uint8_t hash[32];
    char text[XMTP_ADDRESS_LEN + 1] = "0x";
    xmtp_keccak256(xmtp_bytes_of(point.p + 1, 64), hash);
    xmtp_hex_encode(text + 2, xmtp_bytes_of(hash + 12, 20));
    return xmtp_bytes_equal(xmtp_bytes_of_string(text), address);
}

static xmtp_status recover_wallet(const xmtp_wire_signature *s, xmtp_arena *arena,
                                  xmtp_verified_signature *out, xmtp_error *error)
{
    if (s->wallet_signature.n != 64) {
        return xmtp_fail(error, XMTP_E_SIGNATURE, invalid_text);
    }
    uint8_t signature[XMTP_WALLET_SIGNATURE_LEN];
    memcpy(signature, s->wallet_signature.p, 64);
    signature[64] = (uint8_t)s->wallet_recovery;
    xmtp_bytes text;
    uint8_t digest[32];
    XMTP_TRY(legacy_text(s->key_bytes, arena, &text));
    xmtp_wallet_digest(text, digest);
    out->signer.kind = XMTP_IDENTIFIER_ETHEREUM;
    return recover(xmtp_bytes_of(signature, sizeof signature), digest, NULL, arena,
                   &out->signer.value, &out->seen, error);
}

static xmtp_status verify_delegated(const xmtp_wire_signature *s, const xmtp_signed_text *text,
                                    xmtp_arena *arena, xmtp_verified_signature *out,
                                    xmtp_error *error)
{
    xmtp_bytes key_address;
    xmtp_bytes key_seen;
    xmtp_bytes point;
    XMTP_TRY(recover(s->bytes, text->digest, NULL, arena, &key_address, &key_seen, error));
    XMTP_TRY(recover_wallet(s, arena, out, error));
    if (legacy_point(s->key_bytes, &point) != XMTP_OK || !is_address_of(point, key_address)) {
        return xmtp_fail(error, XMTP_E_SIGNATURE, invalid_text);
    }
    return XMTP_OK;
}

/* ---- contract wallets (3.4) */

typedef struct account {
    xmtp_bytes namespace;
    xmtp_bytes reference;
    xmtp_bytes address;
} account;

static bool is_alphanumeric(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_namespace(uint8_t c)
{
    return c == '-' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
}

static bool is_reference(uint8_t c)
{
    return c == '-' || c == '_' || is_alphanumeric(c);
}

static bool is_account_address(uint8_t c)
{
    return c == '-' || c == '.' || c == '%' || is_alphanumeric(c);
}

static bool matches(xmtp_bytes part, size_t min, size_t max, bool (*is_allowed)(uint8_t c))
{
    for (size_t i = 0; i < part.n; i++) {
        if (!is_allowed(part.p[i])) {
            return false;
        }
    }
    return part.n >= min && part.n <= max;
}

/* Splits at every colon; counts all parts, stores the first three. One without text is an empty part. */
static size_t split(xmtp_bytes text, xmtp_bytes parts[3])
{
    size_t count = 1;
    size_t start = 0;
    if (text.n == 0) {
        return count;
    }
    for (size_t i = 0; i <= text.n; i++) {
        if (i < text.n && text.p[i] != ':') {
            continue;
        }
        if (count <= 3) {
            parts[count - 1] = xmtp_bytes_of(text.p + start, i - start);
        }
        count += i < text.n ? 1 : 0;
        start = i + 1;
    }
    return count;
}

static xmtp_status parse_account(xmtp_bytes account_id, account *out, xmtp_error *error)
{
    xmtp_bytes parts[3] = {{0}};
    size_t count = split(account_id, parts);
    if (count != 3) {
        return xmtp_fail(error, XMTP_E_MALFORMED,
                         "type account_id has invalid length. expected 3 got %zu", count);
    }
    if (!matches(parts[0], 3, 8, is_namespace) || !matches(parts[1], 1, 32, is_reference) ||
        !matches(parts[2], 1, 128, is_account_address)) {
        return xmtp_fail(error, XMTP_E_MALFORMED, "account_id is not well formed");
    }
    *out = (account){.namespace = parts[0], .reference = parts[1], .address = parts[2]};
    return XMTP_OK;
}

static xmtp_status chain_of(const account *a, uint64_t *chain_id, xmtp_error *error)
{
    if (!xmtp_bytes_equal(a->namespace, xmtp_bytes_of_string("eip155"))) {
        return xmtp_fail(error, XMTP_E_SIGNATURE, "Chain ID is not prefixed with eip155:");
    }
    *chain_id = 0;
    for (size_t i = 0; i < a->reference.n; i++) {
        uint8_t c = a->reference.p[i];
        if (c < '0' || c > '9' || __builtin_mul_overflow(*chain_id, 10, chain_id) ||
            __builtin_add_overflow(*chain_id, (uint64_t)(c - '0'), chain_id)) {
            return xmtp_fail(error, XMTP_E_SIGNATURE, "Chain ID is not a valid u64");
        }
    }
    return XMTP_OK;
}

static xmtp_status account_address(const account *a, xmtp_arena *arena, xmtp_bytes *out,
                                   xmtp_error *error)
{
    char *given;
    void *normal;
    XMTP_TRY(xmtp_arena_string(arena, a->address, &given));
    XMTP_TRY(xmtp_arena_take(arena, XMTP_ADDRESS_LEN + 1, &normal));
    XMTP_TRY(xmtp_address_normalize(given, normal, error));
    *out = xmtp_bytes_of(normal, XMTP_ADDRESS_LEN);
    return XMTP_OK;
}

static xmtp_status ask_chain(const xmtp_wire_signature *s, const xmtp_signed_text *text,
                             const xmtp_verifier *verifier, xmtp_error *error)
{
    if (verifier == NULL || verifier->contract_wallet == NULL) {
        return xmtp_fail(error, XMTP_E_UNSUPPORTED,
                         "signatures of smart contract wallets cannot be verified here");
    }
    bool is_valid = false;
    XMTP_TRY(verifier->contract_wallet(verifier->context, s->account_id, s->block_number,
                                       text->digest, s->bytes, &is_valid, error));
    return is_valid ? XMTP_OK : xmtp_fail(error, XMTP_E_SIGNATURE, invalid_text);
}

static xmtp_status verify_contract(const xmtp_wire_signature *s, const xmtp_signed_text *text,
                                   const xmtp_verifier *verifier, bool is_accepted,
                                   xmtp_arena *arena, xmtp_verified_signature *out,
                                   xmtp_error *error)
{
    account a = {0};
    XMTP_TRY(parse_account(s->account_id, &a, error));
    if (!is_accepted) {
        XMTP_TRY(ask_chain(s, text, verifier, error));
    }
    out->signer.kind = XMTP_IDENTIFIER_ETHEREUM;
    XMTP_TRY(account_address(&a, arena, &out->signer.value, error));
    XMTP_TRY(chain_of(&a, &out->chain_id, error));
    out->has_chain_id = true;
    out->seen = s->bytes;
    return XMTP_OK;
}

/* ---- all of them */

static xmtp_status verify_kind(const xmtp_wire_signature *s, const xmtp_signed_text *text,
                               const xmtp_verifier *verifier, bool is_accepted, xmtp_arena *arena,
                               xmtp_verified_signature *out, xmtp_error *error)
{
    switch (s->kind) {
    case XMTP_SIGNATURE_NONE:
        break;
    case XMTP_SIGNATURE_ERC191:
        return verify_erc191(s, text, verifier, arena, out, error);
    case XMTP_SIGNATURE_CONTRACT:
        return verify_contract(s, text, verifier, is_accepted, arena, out, error);
    case XMTP_SIGNATURE_INSTALLATION:
        return verify_installation(s, text, verifier, is_accepted, out, error);
    case XMTP_SIGNATURE_DELEGATED:
        return verify_delegated(s, text, arena, out, error);
    case XMTP_SIGNATURE_PASSKEY:
        return xmtp_passkey_verify(s, text->text, arena, out, error);
    }
    return xmtp_fail(error, XMTP_E_MALFORMED, "missing field signature");
}

xmtp_status xmtp_signature_verify(const xmtp_wire_signature *signature,
                                  const xmtp_signed_text *text, const xmtp_verifier *verifier,
                                  bool is_accepted, xmtp_arena *arena, xmtp_verified_signature *out,
                                  xmtp_error *error)
{
    *out = (xmtp_verified_signature){0};
    xmtp_verified_signature result = {.kind = signature->kind};
    XMTP_TRY(verify_kind(signature, text, verifier, is_accepted, arena, &result, error));
    *out = result;
    return XMTP_OK;
}
