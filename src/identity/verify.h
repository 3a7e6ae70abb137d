/* verify.h - from a signature in an update to the identifier that made it.
 *
 *     text, signature --> { kind, signer, the bytes that replay protection remembers, chain }
 *
 * There is no expected signer here: a wallet signature over another text simply yields another
 * address, and the association rules then refuse it (identity.md 3.3).
 */
#ifndef XMTP_IDENTITY_VERIFY_H
#define XMTP_IDENTITY_VERIFY_H

#include "identity/update_batch.h"
#include "identity/update_wire.h"

/* What helps to verify. NULL members: not available.
 *
 * batch has verdicts on signatures that were verified before, or none.
 *
 * contract_wallet asks a chain whether the contract at account_id ("eip155:1:0x...") accepts this
 * signature over hash at block_number. It sets *is_valid and returns XMTP_OK, or fails when it
 * cannot tell. Without it such signatures get XMTP_E_UNSUPPORTED. */
typedef struct xmtp_verifier {
    void *context;
    xmtp_status (*contract_wallet)(void *context, xmtp_bytes account_id, uint64_t block_number,
                                   const uint8_t hash[32], xmtp_bytes signature, bool *is_valid,
                                   xmtp_error *error);
    const xmtp_update_batch *batch;
} xmtp_verifier;

typedef struct xmtp_verified_signature {
    xmtp_signature_kind kind;
    xmtp_identifier signer;
    xmtp_bytes seen; /* what replay protection remembers */
    bool has_chain_id;
    uint64_t chain_id;
} xmtp_verified_signature;

/* The text of one update with its ERC-191 digest, made once for all signatures. */
typedef struct xmtp_signed_text {
    xmtp_bytes text;
    uint8_t digest[32];
} xmtp_signed_text;

xmtp_signed_text xmtp_signed_text_of(xmtp_bytes text);

/* "erc-191", "erc-1271", "installation-key", "legacy-delegated", "p256". */
const char *xmtp_signature_kind_name(xmtp_signature_kind kind);

/* Verifies one signature over text. Views of *out point into the signature and the arena.
 * verifier may be NULL. is_accepted: it was verified when its update was accepted, so only the
 * signer is found again, and nobody outside is asked.
 *
 * XMTP_E_SIGNATURE    does not verify, or no signer can be recovered
 * XMTP_E_UNSUPPORTED  a contract wallet without a verifier
 * others              as the verifier fails; the sentence is that of identity.md 8.3 */
XMTP_MUST_CHECK xmtp_status xmtp_signature_verify(const xmtp_wire_signature *signature,
                                                  const xmtp_signed_text *text,
                                                  const xmtp_verifier *verifier, bool is_accepted,
                                                  xmtp_arena *arena, xmtp_verified_signature *out,
                                                  xmtp_error *error);

#endif
