/* passkey.c - see passkey.h.
 *
 *     signed = authenticator_data || SHA-256(client_data_json)
 *     client_data_json.challenge = base64url(text)        signer = key, for client_data_json.origin
 */
#include "identity/passkey.h"

#include "base/bytes.h"
#include "base/status.h"
#include "crypto/crypto.h"
#include "identity/client_data.h"

static uint8_t digit(uint32_t value)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    return (uint8_t)digits[value & 63];
}

void xmtp_passkey_challenge(xmtp_bytes text, xmtp_writer *w)
{
    for (size_t i = 0; i < text.n; i += 3) {
        size_t n = text.n - i < 3 ? text.n - i : 3;
        uint32_t group = (uint32_t)text.p[i] << 16;
        group |= n > 1 ? (uint32_t)text.p[i + 1] << 8 : 0;
        group |= n > 2 ? text.p[i + 2] : 0;
        for (size_t k = 0; k <= n; k++) {
            xmtp_writer_u8(w, digit(group >> (18 - 6 * k)));
        }
    }
}

static xmtp_status is_challenge(xmtp_bytes challenge, xmtp_bytes text, const xmtp_alloc *alloc,
                                bool *out)
{
    xmtp_writer w;
    xmtp_writer_init(&w, alloc, XMTP_WRITER_MAX);
    xmtp_passkey_challenge(text, &w);
    xmtp_status status = xmtp_writer_status(&w);
    *out = status == XMTP_OK && xmtp_bytes_equal(xmtp_writer_bytes(&w), challenge);
    xmtp_writer_free(&w);
    return status;
}

static xmtp_status read_client_data(const xmtp_wire_signature *s, xmtp_bytes text,
                                    xmtp_arena *arena, xmtp_client_data *out, xmtp_error *error)
{
    bool is_for_text = false;
    xmtp_status status = xmtp_client_data_read(s->client_data_json, arena, out);
    if (status == XMTP_OK) {
        status = is_challenge(out->challenge, text, arena->alloc, &is_for_text);
    }
    if (status == XMTP_E_MALFORMED || (status == XMTP_OK && !is_for_text)) {
        return xmtp_fail(error, XMTP_E_SIGNATURE, "client_data is invalid");
    }
    return status;
}

static xmtp_status verify_key(const xmtp_wire_signature *s, xmtp_arena *arena, uint8_t *raw,
                              xmtp_error *error)
{
    void *memory;
    size_t n = s->authenticator_data.n;
    XMTP_TRY(xmtp_arena_take(arena, n + 32, &memory));
    uint8_t *message = memory;
    xmtp_copy(message, s->authenticator_data.p, n);
    xmtp_hash_of(&xmtp_hash_sha256, s->client_data_json, message + n);
    switch ((int)xmtp_p256_verify(s->public_key, xmtp_bytes_of(message, n + 32), s->bytes, raw)) {
    case XMTP_OK:
        return XMTP_OK;
    case XMTP_E_KEY:
        return xmtp_fail(error, XMTP_E_SIGNATURE, "Invalid public key");
    case XMTP_E_MALFORMED:
        return xmtp_fail(error, XMTP_E_SIGNATURE, "Signature validation failed");
    case XMTP_E_NOMEM:
        return XMTP_E_NOMEM;
    default:
        return xmtp_fail(error, XMTP_E_SIGNATURE, "ed25519 Signature failed signature error");
    }
}

xmtp_status xmtp_passkey_verify(const xmtp_wire_signature *signature, xmtp_bytes text,
                                xmtp_arena *arena, xmtp_verified_signature *out, xmtp_error *error)
{
    xmtp_client_data data;
    void *raw;
    XMTP_TRY(read_client_data(signature, text, arena, &data, error));
    XMTP_TRY(xmtp_arena_take(arena, XMTP_P256_RAW_LEN, &raw));
    XMTP_TRY(verify_key(signature, arena, raw, error));
    out->signer = (xmtp_identifier){.kind = XMTP_IDENTIFIER_PASSKEY,
                                    .value = signature->public_key,
                                    .has_relying_party = true,
                                    .relying_party = data.origin};
    out->seen = xmtp_bytes_of(raw, XMTP_P256_RAW_LEN);
    return XMTP_OK;
}
