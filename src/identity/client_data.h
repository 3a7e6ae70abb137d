/* client_data.h - the two members of a passkey's client data that an update's verdict depends on
 * (identity.md 3.6).
 *
 *     {"type":"webauthn.get","challenge":"...","origin":"https://example.com", ...}
 *
 * A scanner of its own rather than a JSON library: every client must come to the same verdict, so
 * what counts as JSON, which member wins and what is looked at is fixed here to be what the official
 * client's parser accepts: RFC 8259 to the letter, any depth, members once, others skipped.
 */
#ifndef XMTP_IDENTITY_CLIENT_DATA_H
#define XMTP_IDENTITY_CLIENT_DATA_H

#include "base/arena.h"

typedef struct xmtp_client_data {
    xmtp_bytes challenge; /* unescaped */
    xmtp_bytes origin;
} xmtp_client_data;

/* XMTP_E_MALFORMED: not JSON, a member is missing, comes twice or is no string. Views point into in
 * or the arena. */
XMTP_MUST_CHECK xmtp_status xmtp_client_data_read(xmtp_bytes in, xmtp_arena *arena,
                                                  xmtp_client_data *out);

#endif
