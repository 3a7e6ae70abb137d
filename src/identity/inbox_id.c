/* inbox_id.c - SHA-256 over the identifier's text and the nonce in decimal (identity.md 1). */
#include "identity/inbox_id.h"

#include "base/bytes.h"
#include "base/status.h"
#include "crypto/crypto.h"

#include <inttypes.h>
#include <stdio.h>

static xmtp_status check_owner(const xmtp_identifier *owner, xmtp_error *error)
{
    switch (owner->kind) {
    case XMTP_IDENTIFIER_ETHEREUM:
        if (xmtp_address_is_valid(owner->value)) {
            return XMTP_OK;
        }
        return xmtp_fail(error, XMTP_E_IDENTIFIER,
                         "Invalid account address: Must be 42 hex characters, starting with '0x'.");
    case XMTP_IDENTIFIER_PASSKEY:
        if (owner->value.n > 0) {
            return XMTP_OK;
        }
        return xmtp_fail(error, XMTP_E_IDENTIFIER, "a passkey must not be empty");
    case XMTP_IDENTIFIER_INSTALLATION:
        break;
    }
    return xmtp_fail(error, XMTP_E_IDENTIFIER, "installation keys are not a public identifier");
}

static void hash_hex(xmtp_hash_context *c, xmtp_bytes in)
{
    for (size_t i = 0; i < in.n; i++) {
        char digits[3];
        xmtp_hex_encode(digits, xmtp_bytes_of(in.p + i, 1));
        xmtp_hash_sha256.update(c, digits, 2);
    }
}

xmtp_status xmtp_inbox_id(const xmtp_identifier *owner, uint64_t nonce,
                          char out[XMTP_INBOX_ID_LEN + 1], xmtp_error *error)
{
    out[0] = '\0';
    XMTP_TRY(check_owner(owner, error));
    xmtp_hash_context c;
    xmtp_hash_sha256.init(&c);
    if (owner->kind == XMTP_IDENTIFIER_ETHEREUM) {
        xmtp_hash_sha256.update(&c, owner->value.p, owner->value.n);
    } else {
        hash_hex(&c, owner->value);
    }
    char decimal[24];
    int n = snprintf(decimal, sizeof decimal, "%" PRIu64, nonce);
    xmtp_hash_sha256.update(&c, decimal, (size_t)n);
    uint8_t digest[32];
    xmtp_hash_sha256.final(&c, digest);
    xmtp_hex_encode(out, xmtp_bytes_of(digest, sizeof digest));
    return XMTP_OK;
}

xmtp_status xmtp_inbox_id_of_address(const char *address, uint64_t nonce,
                                     char out[XMTP_INBOX_ID_LEN + 1], xmtp_error *error)
{
    out[0] = '\0';
    char normal[XMTP_ADDRESS_LEN + 1];
    XMTP_TRY(xmtp_address_normalize(address, normal, error));
    xmtp_identifier owner = xmtp_identifier_ethereum(normal);
    return xmtp_inbox_id(&owner, nonce, out, error);
}
