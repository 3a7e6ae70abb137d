/* message_row.h - how a row of messages is selected and read; for the files of this room. */
#ifndef XMTP_STORE_MESSAGE_ROW_H
#define XMTP_STORE_MESSAGE_ROW_H

#include "store/message_store.h"
#include "store/query.h"

/* The sender's address is that in the newest state of the inbox, as xmtp_inbox_address_read says. */
#define MESSAGE_SELECT                                                                             \
    "SELECT m.id, m.message_id, m.group_ref, m.kind, m.delivery, m.sender_inbox,"                  \
    " m.sender_installation, m.sent_ns, m.sequence, m.content, g.group_id, g.kind,"                \
    " (SELECT u.address FROM identity_updates AS u WHERE u.inbox_id = m.sender_inbox"              \
    " AND u.address IS NOT NULL ORDER BY u.sequence_id DESC LIMIT 1),"                             \
    " m.inserted_ns, m.expire_ns, m.content_type, m.reference, m.should_push"                      \
    " FROM messages AS m JOIN groups AS g ON g.id = m.group_ref"

xmtp_status xmtp_message_read_row(const xmtp_query *q, xmtp_arena *arena, xmtp_message_row *out);
/* All rows, but no more than limit; ends the query. */
xmtp_status xmtp_message_read_rows(xmtp_query *q, xmtp_arena *arena, size_t limit,
                                   xmtp_message_row *rows, size_t *count);

#endif
