/* signer.h - keys that sign: wallets (secp256k1), installations (Ed25519), and what builders see of
 * both.
 *
 * A wallet signs texts as Ethereum personal messages (ERC-191). An installation signs texts with
 * Ed25519ph under a context string and, through mls.h, MLS structures with plain Ed25519. Both
 * structs hold secrets: wipe them.
 */
#ifndef XMTP_IDENTITY_SIGNER_H
#define XMTP_IDENTITY_SIGNER_H

#include "crypto/crypto.h"
#include "identity/update_wire.h"

enum { XMTP_WALLET_SIGNATURE_LEN = 65, XMTP_INSTALLATION_SIGNATURE_LEN = 64 };

/* ---- wallets */

typedef struct xmtp_wallet {
    uint8_t sk[32];
    char address[XMTP_ADDRESS_LEN + 1]; /* lower-case */
} xmtp_wallet;

/* Reads a private key: 64 hex digits, with or without 0x, white space around it ignored.
 * XMTP_E_KEY: not that, or zero, or not below the group order; *out is wiped. The sentence tells
 * what is wrong and never holds a part of the key. */
XMTP_MUST_CHECK xmtp_status xmtp_wallet_parse(const char *text, xmtp_wallet *out,
                                              xmtp_error *error);
XMTP_MUST_CHECK xmtp_status xmtp_wallet_generate(const xmtp_env *env, xmtp_wallet *out);
void xmtp_wallet_wipe(xmtp_wallet *wallet);

/* Keccak-256 of 0x19 "Ethereum Signed Message:" LF dec(length) text. */
void xmtp_wallet_digest(xmtp_bytes text, uint8_t digest[32]);

/* Deterministic (RFC 6979), low s, v = 27 or 28. */
XMTP_MUST_CHECK xmtp_status xmtp_wallet_sign(const xmtp_wallet *wallet, xmtp_bytes text,
                                             uint8_t signature[XMTP_WALLET_SIGNATURE_LEN]);

/* ---- installations */

typedef struct xmtp_installation {
    uint8_t sk[32]; /* Ed25519 seed */
    uint8_t pk[XMTP_INSTALLATION_LEN];
} xmtp_installation;

XMTP_MUST_CHECK xmtp_status xmtp_installation_generate(const xmtp_env *env, xmtp_installation *out);
XMTP_MUST_CHECK xmtp_status xmtp_installation_from_seed(const uint8_t seed[32],
                                                        xmtp_installation *out);
void xmtp_installation_wipe(xmtp_installation *installation);

/* For identity updates: Ed25519ph, context "IDENTITY UPDATE SIGNATURE". */
XMTP_MUST_CHECK xmtp_status
xmtp_installation_sign_update(const xmtp_installation *installation, xmtp_bytes text,
                              uint8_t signature[XMTP_INSTALLATION_SIGNATURE_LEN]);

XMTP_MUST_CHECK xmtp_status
xmtp_installation_verify_update(const uint8_t public_key[XMTP_INSTALLATION_LEN], xmtp_bytes text,
                                const uint8_t signature[XMTP_INSTALLATION_SIGNATURE_LEN]);

/* The same for each, several at once where the machine can; messages are the texts. */
void xmtp_installation_verify_updates(xmtp_signature_check *checks, size_t count);

/* For anything an application wants signed: context "PUBLIC SIGNATURE CONTEXT" (identity.md 3.5).
 * verify: XMTP_E_KEY not a public key, XMTP_E_SIGNATURE does not verify. */
XMTP_MUST_CHECK xmtp_status
xmtp_installation_sign_public(const xmtp_installation *installation, xmtp_bytes text,
                              uint8_t signature[XMTP_INSTALLATION_SIGNATURE_LEN]);
xmtp_status
xmtp_installation_verify_public(const uint8_t public_key[XMTP_INSTALLATION_LEN], xmtp_bytes text,
                                const uint8_t signature[XMTP_INSTALLATION_SIGNATURE_LEN]);

/* ---- what signs an identity update
 *
 * sign fills out; what it points at lives in the arena. The kind has to be one that the identifier
 * may use (identity.md 2.7): ERC191 or CONTRACT for an Ethereum address, INSTALLATION, PASSKEY with
 * the identifier's key. A wallet that lives elsewhere fills this struct itself. context and
 * identifier must outlive the signer. */
typedef struct xmtp_signer {
    xmtp_identifier identifier;
    const void *context;
    xmtp_status (*sign)(const void *context, xmtp_bytes text, xmtp_arena *arena,
                        xmtp_wire_signature *out);
} xmtp_signer;

xmtp_signer xmtp_signer_of_wallet(const xmtp_wallet *wallet);
xmtp_signer xmtp_signer_of_installation(const xmtp_installation *installation);

#endif
