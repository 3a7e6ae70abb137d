/* filters.h - which messages and conversations a command is about, from its options. */
#ifndef XMTP_CLI_FILTERS_H
#define XMTP_CLI_FILTERS_H

#include "cli/cli.h"

#define CLI_MESSAGE_FILTER_HELP                                                                    \
    "Which messages (times are nanoseconds since 1970, bounds exclusive):\n"                       \
    "  --after NS, --before NS                    sent later, earlier\n"                           \
    "  --arrived-after NS, --arrived-before NS    came into this database later, earlier\n"        \
    "  --kind application|membership-change       what people say, or what happened to the "       \
    "group\n"                                                                                      \
    "  --delivery unpublished|published|failed\n"                                                  \
    "  --content-type TYPE, --without-content-type TYPE    repeatable: text, markdown, reply,\n"   \
    "                    reaction, read-receipt, attachment, remote-attachment,\n"                 \
    "                    multi-remote-attachment, transaction-reference, wallet-send-calls,\n"     \
    "                    actions, intent, group-updated, membership-change, leave-request,\n"      \
    "                    delete, edit, custom\n"                                                   \
    "  --sender INBOX, --without-sender INBOX     repeatable\n"                                    \
    "  --limit N, --newest-first, --by-arrival    how many, in which order\n"

#define CLI_CONVERSATION_FILTER_HELP                                                               \
    "Which conversations:\n"                                                                       \
    "  --kind group|dm, --consent allowed|denied|unknown (repeatable), --limit N\n"                \
    "  --after NS, --before NS    made later, earlier\n"                                           \
    "  --by-creation              newest made first, instead of newest message first\n"

/* A query, and the lists that it points into. */
typedef struct cli_message_query {
    xmtp_message_query query;
    xmtp_content_type types[CLI_LIST_MAX];
    xmtp_content_type types_left_out[CLI_LIST_MAX];
} cli_message_query;

/* conversation NULL: all. XMTP_E_ARGUMENT: a word that is none. */
xmtp_status cli_message_query_of(const cli_filters *filters,
                                 const xmtp_conversation_id *conversation, cli_message_query *out,
                                 xmtp_error *error);
xmtp_status cli_conversation_query_of(const cli_filters *filters, xmtp_conversation_query *out,
                                      xmtp_error *error);

/* "allowed", "denied", "unknown". XMTP_E_ARGUMENT: another word. */
xmtp_status cli_take_consent(const char *word, xmtp_consent_state *out, xmtp_error *error);
const char *cli_consent_word(xmtp_consent_state consent);

#endif
