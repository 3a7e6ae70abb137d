/* content_kind.h - which of the known types a content is, and which message it is about. */
#ifndef XMTP_CLIENT_CONTENT_KIND_H
#define XMTP_CLIENT_CONTENT_KIND_H

#include "base/arena.h"

#include <xmtp/message.h>

typedef struct xmtp_content_kind {
    xmtp_content_type type;
    bool has_reference;
    uint8_t reference[XMTP_MESSAGE_ID_LEN]; /* of a reply, a reaction, a deletion */
} xmtp_content_kind;

/* Told by the type id alone (groups.md 5.4); what does not parse is XMTP_CONTENT_UNKNOWN. Fails for
 * want of memory only. */
xmtp_status xmtp_content_classify(const xmtp_alloc *alloc, xmtp_bytes content,
                                  xmtp_content_kind *out);

#endif
