/* inbox_id.h - the name of an inbox: hex( SHA-256( identifier text || decimal nonce ) ).
 *
 * No separator stands between the two parts (identity.md 1). For Ethereum the text is the address
 * as written, for a passkey the hex of the key. An inbox id is a string everywhere.
 */
#ifndef XMTP_IDENTITY_INBOX_ID_H
#define XMTP_IDENTITY_INBOX_ID_H

#include "identity/identifier.h"

enum { XMTP_NONCE_DEFAULT = 1 };

/* out receives 64 lower-case digits and a zero byte. The address is not lower-cased here, exactly
 * as on the network: use xmtp_address_normalize first.
 *
 * XMTP_E_IDENTIFIER  an Ethereum text that is not 0x and 40 hex digits, an empty passkey, or an
 *                    installation, which cannot own an inbox; out is empty then */
XMTP_MUST_CHECK xmtp_status xmtp_inbox_id(const xmtp_identifier *owner, uint64_t nonce,
                                          char out[XMTP_INBOX_ID_LEN + 1], xmtp_error *error);

/* The same for a person's address (normalised first). */
XMTP_MUST_CHECK xmtp_status xmtp_inbox_id_of_address(const char *address, uint64_t nonce,
                                                     char out[XMTP_INBOX_ID_LEN + 1],
                                                     xmtp_error *error);

#endif
