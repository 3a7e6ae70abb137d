/* content.h - what a message says: envelope, EncodedContent, texts and replies, message ids. */
#ifndef XMTP_CLIENT_CONTENT_H
#define XMTP_CLIENT_CONTENT_H

#include "base/arena.h"
#include "base/writer.h"
#include "proto/message_contents.pb-c.h"

#include <xmtp/client.h>

/* Encodes EncodedContent of a text (groups.md 5.2). XMTP_E_LIMIT beyond XMTP_TEXT_MAX,
 * XMTP_E_CONTENT when it is not UTF-8. */
xmtp_status xmtp_content_text(xmtp_writer *w, const char *text);
/* A reply holding a text; reference is a message id. */
xmtp_status xmtp_content_reply(xmtp_writer *w, const uint8_t reference[XMTP_MESSAGE_ID_LEN],
                               const char *text);

/* PlaintextEnvelope.V1 around encoded content. */
xmtp_status xmtp_envelope_encode(xmtp_writer *w, xmtp_bytes content, const char *idempotency_key);
/* content and key of an envelope, in the arena. has_v1 false: a legacy V2, to be ignored.
 * XMTP_E_CONTENT: neither. */
xmtp_status xmtp_envelope_decode(xmtp_arena *arena, xmtp_bytes in, bool *has_v1,
                                 xmtp_bytes *content, const char **idempotency_key);

/* SHA-256(group id || 09 || idempotency key || 09 || content), groups.md 5.5. */
void xmtp_message_id(xmtp_bytes group_id, const char *idempotency_key, xmtp_bytes content,
                     uint8_t out[XMTP_MESSAGE_ID_LEN]);

/* Fills authority, type, versions, text, fallback, reference and content of *out from encoded
 * content; strings in the arena. Content that does not parse has an empty authority and type. */
xmtp_status xmtp_content_view(xmtp_arena *arena, xmtp_bytes content, xmtp_message *out);

#endif
