/* message.h - messages: sending them, and reading those that the database has.
 *
 *     xmtp_client_send_text(client, &dm, "hello", NULL, &error);
 *     xmtp_message_query query = {.conversation = &dm, .limit = 20, .newest_first = true};
 *     xmtp_client_messages(client, &query, print, NULL, &error);
 *
 * Reading asks nobody: sync or poll bring what is new. What a visit is given lives during the visit,
 * and a status other than XMTP_OK that it returns ends the listing and is its result. Shown by
 * examples/messages.c, contents.c, events.c.
 */
#ifndef XMTP_MESSAGE_H
#define XMTP_MESSAGE_H

#include <xmtp/content.h>
#include <xmtp/conversation.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    XMTP_MESSAGE_ID_LEN = 32, /* bytes */
    XMTP_TEXT_MAX = 20 * 1024 * 1024,
};

typedef enum xmtp_message_kind {
    XMTP_MESSAGE_APPLICATION = 1,
    XMTP_MESSAGE_MEMBERSHIP_CHANGE = 2, /* made locally from a commit: xmtp.org/group_updated */
} xmtp_message_kind;

typedef enum xmtp_delivery_status {
    XMTP_DELIVERY_UNPUBLISHED = 1,
    XMTP_DELIVERY_PUBLISHED = 2,
    XMTP_DELIVERY_FAILED = 3,
} xmtp_delivery_status;

typedef struct xmtp_message {
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    xmtp_conversation_id conversation;
    xmtp_conversation_kind conversation_kind;
    xmtp_message_kind kind;
    xmtp_delivery_status delivery;
    const char *sender_inbox;
    const char *sender_address; /* "" when the inbox has no wallet */
    bool is_own;                /* sent by this inbox, from any of its devices */
    uint64_t sent_ns;           /* the node's clock; our own while unpublished */
    uint64_t inserted_ns;       /* when it came into this database */
    uint64_t expires_ns;        /* when it will be deleted here; 0: never */
    uint64_t sequence;          /* position on the network; 0 while unpublished */
    xmtp_content_type content_type;
    const char *authority; /* content type, such as xmtp.org/text:1.0 */
    const char *type;
    uint32_t version_major;
    uint32_t version_minor;
    const char *text; /* text, markdown, and the text of a reply to which a text answers; NULL for
                         other content */
    size_t text_len;
    const char *fallback;  /* what to show when the type is not understood; NULL when none */
    const char *reference; /* replies: hex id of the message answered; NULL otherwise */
    xmtp_bytes content;    /* the EncodedContent as carried */
} xmtp_message;

/* Sends and waits until the network has it. message_id may be NULL. text is UTF-8.
 * XMTP_E_INACTIVE, XMTP_E_PAUSED; XMTP_E_NETWORK: kept, and sent by the next sync. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_send_text(xmtp_client *client,
                                                           const xmtp_conversation_id *id,
                                                           const char *text,
                                                           uint8_t message_id[XMTP_MESSAGE_ID_LEN],
                                                           xmtp_error *error);
/* A reply (xmtp.org/reply:1.0) holding text to the message with id reference. */
XMTP_API XMTP_MUST_CHECK xmtp_status
xmtp_client_send_reply(xmtp_client *client, const xmtp_conversation_id *id,
                       const uint8_t reference[XMTP_MESSAGE_ID_LEN], const char *text,
                       uint8_t message_id[XMTP_MESSAGE_ID_LEN], xmtp_error *error);
/* Any content type of content.h; notifies receivers when its type is meant to. XMTP_E_CONTENT,
 * XMTP_E_LIMIT as xmtp_content_encode. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_send(xmtp_client *client,
                                                      const xmtp_conversation_id *id,
                                                      const xmtp_content *content,
                                                      uint8_t message_id[XMTP_MESSAGE_ID_LEN],
                                                      xmtp_error *error);
/* Puts an encrypted file where others can fetch it, and writes its https URL, ended by a zero, into url,
 * which has XMTP_UPLOAD_URL_MAX + 1 bytes. payload is to be stored as it is; the digest (hex) makes a
 * good name. Another status than XMTP_OK ends the call with it. */
enum { XMTP_UPLOAD_URL_MAX = 2048 };
typedef xmtp_status (*xmtp_upload)(void *context, xmtp_bytes payload, const char *digest, char *url,
                                   xmtp_error *error);
/* Encrypts a file under keys of its own, has it uploaded, and sends the remote attachment that names
 * it. XMTP_E_CONTENT: what upload wrote is no https URL; nothing is sent then, as after any failure. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_send_attachment(
    xmtp_client *client, const xmtp_conversation_id *id, const xmtp_attachment *attachment,
    xmtp_upload upload, void *context, uint8_t message_id[XMTP_MESSAGE_ID_LEN], xmtp_error *error);
/* Any encoded EncodedContent. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_send_content(
    xmtp_client *client, const xmtp_conversation_id *id, xmtp_bytes encoded_content,
    bool should_push, uint8_t message_id[XMTP_MESSAGE_ID_LEN], xmtp_error *error);

typedef struct xmtp_send_options {
    bool should_push; /* a hint to push servers that the message deserves a notification */
    /* Stored and shown as unpublished at once; goes out with the next sync, message or
     * xmtp_client_publish_messages of the conversation. */
    bool is_optimistic;
    /* The same content under the same key is one message, however often it is sent. NULL: a number
     * that was never used. */
    const char *idempotency_key;
} xmtp_send_options;

enum { XMTP_IDEMPOTENCY_KEY_MAX = 1024 }; /* bytes */

XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_send_with(
    xmtp_client *client, const xmtp_conversation_id *id, xmtp_bytes encoded_content,
    const xmtp_send_options *options, uint8_t message_id[XMTP_MESSAGE_ID_LEN], xmtp_error *error);
/* Stores a message that goes out only when xmtp_client_publish_message is called for it. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_prepare(
    xmtp_client *client, const xmtp_conversation_id *id, xmtp_bytes encoded_content,
    const xmtp_send_options *options, uint8_t message_id[XMTP_MESSAGE_ID_LEN], xmtp_error *error);
/* Publishes one that was prepared, or has failed; does nothing when it is published. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_publish_message(
    xmtp_client *client, const uint8_t message_id[XMTP_MESSAGE_ID_LEN], xmtp_error *error);
/* Publishes what is unsent in a conversation, and tries what has failed once more; not what is
 * prepared for later. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_publish_messages(xmtp_client *client,
                                                                  const xmtp_conversation_id *id,
                                                                  xmtp_error *error);

/* Which messages, and in which order. All zero: all of them, oldest first. Bounds are exclusive.
 * Messages that have expired are never among them. */
typedef struct xmtp_message_query {
    const xmtp_conversation_id *conversation; /* NULL: all. A DM: all its duplicates, merged */
    uint64_t after_ns;                        /* sent later than this; 0: all */
    uint64_t before_ns;                       /* sent earlier than this; 0: all */
    uint64_t inserted_after_ns;               /* the same for the time of arrival here */
    uint64_t inserted_before_ns;
    size_t limit; /* 0: all */
    bool newest_first;
    bool by_arrival;               /* in the order of arrival here instead of by time of sending:
                                      the one for paging, since what comes late does not slip in */
    xmtp_message_kind kind;        /* 0: all */
    xmtp_delivery_status delivery; /* 0: all */
    const xmtp_content_type *content_types; /* only these; none: all */
    size_t content_type_count;
    const xmtp_content_type *content_types_left_out;
    size_t content_type_left_out_count;
    const char *const *senders; /* inbox ids; only these; none: all */
    size_t sender_count;
    const char *const *senders_left_out;
    size_t sender_left_out_count;
} xmtp_message_query;

typedef xmtp_status (*xmtp_message_visit)(void *context, const xmtp_message *message);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_messages(xmtp_client *client,
                                                          const xmtp_message_query *query,
                                                          xmtp_message_visit visit, void *context,
                                                          xmtp_error *error);
/* How many there are; limit and order do not count. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_message_count(xmtp_client *client,
                                                               const xmtp_message_query *query,
                                                               uint64_t *count, xmtp_error *error);
/* One message. XMTP_E_NOT_FOUND. */
XMTP_API XMTP_MUST_CHECK xmtp_status
xmtp_client_message(xmtp_client *client, const uint8_t message_id[XMTP_MESSAGE_ID_LEN],
                    xmtp_message *out, xmtp_error *error);

/* A message with what others said about it. Its own strings and those of the messages in it live during
 * the visit. */
typedef struct xmtp_enriched_message {
    xmtp_message message;
    const xmtp_message *reactions; /* additions and removals, oldest first; the first thousand */
    size_t reaction_count;
    size_t reply_count;
    const xmtp_message *in_reply_to; /* of a reply whose original is here; else NULL */
    /* Who took it back, an inbox id: its sender or a super admin; NULL: nobody. Then message holds
     * neither text nor content, its type is xmtp.org/deletedMessage:1.0, as of an original that was
     * taken back, and nothing is attached to it. */
    const char *deleted_by;
    const xmtp_content *edited; /* what its sender made of it since; NULL: unchanged */
    uint64_t edited_ns;
} xmtp_enriched_message;

/* As xmtp_client_messages; reactions, read receipts, deletions and edits are no entries of their own. */
typedef xmtp_status (*xmtp_enriched_visit)(void *context, const xmtp_enriched_message *message);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_messages_enriched(xmtp_client *client,
                                                                   const xmtp_message_query *query,
                                                                   xmtp_enriched_visit visit,
                                                                   void *context,
                                                                   xmtp_error *error);
/* The newest one that a list of conversations would show: no transcript, no read receipt.
 * XMTP_E_NOT_FOUND: none yet. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_last_message(xmtp_client *client,
                                                              const xmtp_conversation_id *id,
                                                              xmtp_message *out, xmtp_error *error);
/* When each inbox sent its last read receipt. */
typedef xmtp_status (*xmtp_read_visit)(void *context, const char *inbox_id, uint64_t read_ns);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_last_reads(xmtp_client *client,
                                                            const xmtp_conversation_id *id,
                                                            xmtp_read_visit visit, void *context,
                                                            xmtp_error *error);

/* Takes a message back for everyone: clients that understand it no longer show it in enriched
 * listings. Its row stays, and nobody can make others forget. Only text, markdown, replies,
 * attachments of any kind and transactions can be taken back, by their sender or by a super admin of
 * the group.
 * XMTP_E_NOT_FOUND; XMTP_E_ARGUMENT: not of such a type; XMTP_E_STATE: not sent yet, or taken back
 * already; XMTP_E_PERMISSION: neither sender nor super admin; else as xmtp_client_send. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_delete_message(
    xmtp_client *client, const uint8_t message_id[XMTP_MESSAGE_ID_LEN], xmtp_error *error);
/* Replaces what a message of ours says by a content of the same type (text, markdown or reply).
 * Version 1.10 of the official library does not understand it: people there go on seeing the first
 * version. Statuses as of xmtp_client_delete_message, XMTP_E_ARGUMENT also for another type. */
XMTP_API XMTP_MUST_CHECK xmtp_status
xmtp_client_edit_message(xmtp_client *client, const uint8_t message_id[XMTP_MESSAGE_ID_LEN],
                         const xmtp_content *content, xmtp_error *error);

/* Deletes what has expired by the client's clock; sync and poll do it too. *count (may be NULL): how
 * many. Listeners are told of each (xmtp_client_listen). */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_delete_expired(xmtp_client *client, size_t *count,
                                                                xmtp_error *error);
/* Deletes one message from this database only. XMTP_E_NOT_FOUND; XMTP_E_STATE: it is not sent yet, or
 * a handler has it. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_forget_message(
    xmtp_client *client, const uint8_t message_id[XMTP_MESSAGE_ID_LEN], xmtp_error *error);

#ifdef __cplusplus
}
#endif
#endif
