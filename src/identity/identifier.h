/* identifier.h - who can be a member of an inbox: an Ethereum address, an installation, a passkey.
 *
 *     kind           value                                     text
 *     ETHEREUM       the address as text, "0x" + 40 digits     the value
 *     INSTALLATION   32-byte Ed25519 public key                its hex
 *     PASSKEY        SEC1 bytes of a P-256 public key          its hex
 *
 * Equality is kind and value, byte for byte: addresses are lower-cased before anything is built and
 * never repaired when read (identity.md 2.2, 2.6). The relying party of a passkey is no part of it.
 */
#ifndef XMTP_IDENTITY_IDENTIFIER_H
#define XMTP_IDENTITY_IDENTIFIER_H

#include <xmtp/base.h>
#include <xmtp/names.h>

enum {
    XMTP_PASSKEY_MAX = 65, /* uncompressed SEC1 point: more is not accepted when building */
};

typedef enum xmtp_identifier_kind {
    XMTP_IDENTIFIER_ETHEREUM = 1, /* 1 and 2 are the numbers of the network's IdentifierKind */
    XMTP_IDENTIFIER_PASSKEY = 2,
    XMTP_IDENTIFIER_INSTALLATION = 3, /* ours only: never written as a kind */
} xmtp_identifier_kind;

/* A view; value and relying_party belong to somebody else. */
typedef struct xmtp_identifier {
    xmtp_identifier_kind kind;
    xmtp_bytes value;
    bool has_relying_party;
    xmtp_bytes relying_party;
} xmtp_identifier;

bool xmtp_identifier_equal(const xmtp_identifier *a, const xmtp_identifier *b);

/* "ethereum", "passkey" or "installation", as in the sentences of the network. */
const char *xmtp_identifier_kind_name(xmtp_identifier_kind kind);

/* Views with the kind set. address is a string; the others point at key material as above. */
xmtp_identifier xmtp_identifier_ethereum(const char *address);
xmtp_identifier xmtp_identifier_installation(const uint8_t public_key[XMTP_INSTALLATION_LEN]);

/* 42 characters, "0x", then hex digits of either case. */
bool xmtp_address_is_valid(xmtp_bytes address);

/* Lower-cases an address given by a person: 40 hex digits, with or without "0x" (not "0X").
 * XMTP_E_IDENTIFIER: anything else; out is empty then and the sentence tells what is wrong. */
XMTP_MUST_CHECK xmtp_status xmtp_address_normalize(const char *text, char out[XMTP_ADDRESS_LEN + 1],
                                                   xmtp_error *error);

/* 64 lower-case hex digits. */
bool xmtp_inbox_id_is_valid(xmtp_bytes inbox_id);

#endif
