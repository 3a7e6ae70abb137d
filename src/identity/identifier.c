/* identifier.c - equality, names and the written form of identifiers. */
#include "identity/identifier.h"

#include "base/bytes.h"
#include "base/status.h"

bool xmtp_identifier_equal(const xmtp_identifier *a, const xmtp_identifier *b)
{
    return a->kind == b->kind && xmtp_bytes_equal(a->value, b->value);
}

const char *xmtp_identifier_kind_name(xmtp_identifier_kind kind)
{
    switch (kind) {
    case XMTP_IDENTIFIER_ETHEREUM:
        return "ethereum";
    case XMTP_IDENTIFIER_PASSKEY:
        return "passkey";
    case XMTP_IDENTIFIER_INSTALLATION:
        return "installation";
    }
    return "unknown";
}

xmtp_identifier xmtp_identifier_ethereum(const char *address)
{
    return (xmtp_identifier){.kind = XMTP_IDENTIFIER_ETHEREUM,
                             .value = xmtp_bytes_of_string(address)};
}

xmtp_identifier xmtp_identifier_installation(const uint8_t public_key[XMTP_INSTALLATION_LEN])
{
    return (xmtp_identifier){.kind = XMTP_IDENTIFIER_INSTALLATION,
                             .value = xmtp_bytes_of(public_key, XMTP_INSTALLATION_LEN)};
}

static bool is_lower_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool is_hex(uint8_t c)
{
    return is_lower_hex(c) || (c >= 'A' && c <= 'F');
}

bool xmtp_address_is_valid(xmtp_bytes address)
{
    if (address.n != XMTP_ADDRESS_LEN || address.p[0] != '0' || address.p[1] != 'x') {
        return false;
    }
    for (size_t i = 2; i < address.n; i++) {
        if (!is_hex(address.p[i])) {
            return false;
        }
    }
    return true;
}

xmtp_status xmtp_address_normalize(const char *text, char out[XMTP_ADDRESS_LEN + 1],
                                   xmtp_error *error)
{
    out[0] = '\0';
    xmtp_bytes digits = xmtp_bytes_of_string(text);
    if (digits.n >= 2 && digits.p[0] == '0' && digits.p[1] == 'x') {
        digits.p += 2;
        digits.n -= 2;
    }
    if (digits.n != XMTP_ADDRESS_LEN - 2) {
        return xmtp_fail(error, XMTP_E_IDENTIFIER,
                         "an address has 40 hex digits after 0x, this has %zu characters",
                         digits.n);
    }
    for (size_t i = 0; i < digits.n; i++) {
        if (!is_hex(digits.p[i])) {
            return xmtp_fail(error, XMTP_E_IDENTIFIER, "character %zu after 0x is not a hex digit",
                             i + 1);
        }
    }
    memcpy(out, "0x", 2);
    for (size_t i = 0; i < digits.n; i++) {
        uint8_t c = digits.p[i];
        out[2 + i] = (char)(c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
    }
    out[XMTP_ADDRESS_LEN] = '\0';
    return XMTP_OK;
}

bool xmtp_inbox_id_is_valid(xmtp_bytes inbox_id)
{
    if (inbox_id.n != XMTP_INBOX_ID_LEN) {
        return false;
    }
    for (size_t i = 0; i < inbox_id.n; i++) {
        if (!is_lower_hex(inbox_id.p[i])) {
            return false;
        }
    }
    return true;
}
