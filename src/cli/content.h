/* content.h - content types at a terminal: made from what was typed, and shown as JSON. */
#ifndef XMTP_CLI_CONTENT_H
#define XMTP_CLI_CONTENT_H

#include "cli/cli.h"

/* A content and the memory behind it. */
typedef struct cli_content {
    xmtp_content content;
    xmtp_content inner;   /* of a reply */
    uint8_t *file;        /* of an attachment */
    xmtp_content *parsed; /* of what was written as JSON */
} cli_content;

/* kind: of cli_content_kinds; text: what the kind takes, or NULL; message: hex id of the message
 * that it is about, or NULL; mime: of a file, or NULL. XMTP_E_ARGUMENT, XMTP_E_IO, XMTP_E_LIMIT. */
xmtp_status cli_content_make(cli_content *out, const char *kind, const char *text,
                             const char *message, const char *mime, xmtp_error *error);
void cli_content_free(cli_content *content);

/* Lines for --help. */
#define CLI_CONTENT_HELP                                                                           \
    "  --type KIND       what TEXT is (default: text)\n"                                           \
    "                      text, markdown\n"                                                       \
    "                      reply       to the message --to names\n"                                \
    "                      reaction, reaction-removed   TEXT is the emoji, --to the message\n"     \
    "                      read-receipt                 without TEXT\n"                            \
    "                      delete                       without TEXT, takes the message --to "     \
    "back\n"                                                                                       \
    "                      edit                         changes the text of the message --to\n"    \
    "                      attachment                   TEXT is a file, --mime its type\n"         \
    "                      remote-attachment            the same, and --upload puts it "           \
    "somewhere\n"                                                                                  \
    "                      transaction-reference, wallet-send-calls, actions, intent\n"            \
    "                                                   TEXT is the JSON of that type\n"           \
    "  --upload COMMAND  gets the name of the encrypted file as its argument, puts the file "      \
    "where\n"                                                                                      \
    "                    others can fetch it, and prints its https URL\n"                          \
    "  --to MESSAGE      id of a message\n"                                                        \
    "  --mime TYPE       such as image/png (default: application/octet-stream)\n"

/* Whether messages of this kind have a text or a file. */
bool cli_content_takes_text(const char *kind);

/* Adds "content" to object when the message holds more than a text. */
void cli_content_json(cJSON *object, const xmtp_message *message);

#endif
