/* publish_identity.h - the method PublishIdentityUpdate. */
#ifndef XMTP_NODE_PUBLISH_IDENTITY_H
#define XMTP_NODE_PUBLISH_IDENTITY_H

#include "node/service.h"

xmtp_status xmtp_node_publish_identity_update(xmtp_node_call *call, xmtp_bytes bytes);

/* The 32 bytes of an inbox id as text. XMTP_E_ARGUMENT, with the sentence, when it is none. */
xmtp_status xmtp_node_inbox_id_read(xmtp_node_call *call, const char *text,
                                    uint8_t out[XMTP_NODE_INBOX_ID_LEN]);

#endif
