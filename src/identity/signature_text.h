/* signature_text.h - the text that every signer of an identity update signs (identity.md 3.1).
 *
 *     XMTP : Authenticate to inbox
 *
 *     Inbox ID: <inbox id>
 *     Current time: 2023-11-14T22:13:20Z
 *
 *     - Create inbox
 *       (Owner: 0x...)
 *     - ...
 *
 *     For more info: https://xmtp.org/signatures
 *
 * Lines are joined by LF; there is none at the end. The text is rebuilt from decoded values, so the
 * byte form of an update never matters for its signatures.
 */
#ifndef XMTP_IDENTITY_SIGNATURE_TEXT_H
#define XMTP_IDENTITY_SIGNATURE_TEXT_H

#include "identity/update_wire.h"

enum { XMTP_TIME_TEXT_LEN = 20 };

/* Appends the text. Only kind and subject of each action are looked at. */
XMTP_MUST_CHECK xmtp_status xmtp_signature_text(const xmtp_wire_update *update, xmtp_writer *w);

/* YYYY-MM-DDTHH:MM:SSZ: the number is read as signed and rounded down to seconds. */
void xmtp_signature_time(uint64_t timestamp_ns, char out[XMTP_TIME_TEXT_LEN + 1]);

#endif
