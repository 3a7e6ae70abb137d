/* passkey.h - signatures of WebAuthn keys under identity updates (identity.md 3.6). */
#ifndef XMTP_IDENTITY_PASSKEY_H
#define XMTP_IDENTITY_PASSKEY_H

#include "identity/verify.h"

/* Fills signer, seen of *out. XMTP_E_SIGNATURE with the sentence of identity.md 8.3. */
XMTP_MUST_CHECK xmtp_status xmtp_passkey_verify(const xmtp_wire_signature *signature,
                                                xmtp_bytes text, xmtp_arena *arena,
                                                xmtp_verified_signature *out, xmtp_error *error);

/* Appends the challenge that a passkey has to be asked for: base64url of text, without padding. */
void xmtp_passkey_challenge(xmtp_bytes text, xmtp_writer *w);

#endif
