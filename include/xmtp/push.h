/* push.h - what a push server needs: topics to subscribe to, keys that tell a user's own messages, and
 * how to take in what it delivered.
 *
 * The network does not push. An application's server subscribes to topics and notifies the phone. With
 * the HMAC keys it can leave out what the user has sent without learning who sent what. Shown by
 * examples/push.c, both sides.
 */
#ifndef XMTP_PUSH_H
#define XMTP_PUSH_H

#include <xmtp/conversation.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    XMTP_TOPIC_MAX = 96,   /* characters with the final zero */
    XMTP_PUSH_KEY_LEN = 42 /* bytes */
};

/* "/xmtp/mls/1/g-<id>/proto" */
XMTP_API void xmtp_conversation_topic(const xmtp_conversation_id *id, char out[XMTP_TOPIC_MAX]);
/* "/xmtp/mls/1/w-<installation id>/proto": new conversations */
XMTP_API void xmtp_client_welcome_topic(const xmtp_client *client, char out[XMTP_TOPIC_MAX]);
/* Every topic to subscribe to: the one of welcomes, and those of all conversations that are not denied
 * and of which we are a member, every group of a DM. */
typedef xmtp_status (*xmtp_topic_visit)(void *context, const char *topic);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_push_topics(xmtp_client *client,
                                                             xmtp_topic_visit visit, void *context,
                                                             xmtp_error *error);

/* The key under which this inbox tags its messages of one conversation in one period of 30 days: the
 * sender_hmac of a GroupMessage is HMAC-SHA256 of its data under it, 32 bytes. The sender's clock tells
 * the period, so a server that goes by the node's time also tries the one before and the next. */
typedef struct xmtp_hmac_key_entry {
    xmtp_conversation_id conversation;
    int64_t epoch;      /* the period's number: days since 1970, divided by 30 */
    const uint8_t *key; /* XMTP_PUSH_KEY_LEN bytes, valid during the visit */
} xmtp_hmac_key_entry;

/* Three a conversation: the period before, this one, the next. id NULL: all conversations. Every group
 * of a DM has its own. */
typedef xmtp_status (*xmtp_hmac_key_visit)(void *context, const xmtp_hmac_key_entry *entry);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_hmac_keys(xmtp_client *client,
                                                           const xmtp_conversation_id *id,
                                                           xmtp_hmac_key_visit visit, void *context,
                                                           xmtp_error *error);

/* A GroupMessage or WelcomeMessage of the network as a push delivered it: taken in as if a stream had
 * brought it. What does not fit (something before it is missing) makes us query the conversation.
 * XMTP_E_MALFORMED; XMTP_E_NOT_FOUND: of a conversation that is not here. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_process_message(xmtp_client *client,
                                                                 xmtp_bytes group_message,
                                                                 xmtp_error *error);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_process_welcome(xmtp_client *client,
                                                                 xmtp_bytes welcome_message,
                                                                 xmtp_error *error);

#ifdef __cplusplus
}
#endif
#endif
