/* consent.h - whom one wants to hear from: kept by the receiver, never told to the others.
 *
 * Conversations and inboxes are unknown, allowed or denied. Nothing recorded is unknown. What is
 * denied still arrives and can be read; lists leave it out, and it never reaches the queue. Consent
 * of a conversation decides that; consent of an inbox is kept for the application to use.
 *
 * Decided by itself: a conversation that this inbox made, or sent something to, is allowed; one that
 * we come back to after leaving is unknown again. A DM has one consent for all its duplicates. Shown by
 * examples/consent.c.
 */
#ifndef XMTP_CONSENT_H
#define XMTP_CONSENT_H

#include <xmtp/conversation.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum xmtp_consent_entity {
    XMTP_CONSENT_CONVERSATION = 1,
    XMTP_CONSENT_INBOX = 2,
} xmtp_consent_entity;

typedef struct xmtp_consent {
    xmtp_consent_entity entity_type;
    const char *entity; /* conversation id in hex, or inbox id; lower case */
    xmtp_consent_state state;
    uint64_t consented_ns; /* when it was decided; setting: 0 is now */
} xmtp_consent;

/* All or nothing. XMTP_E_ARGUMENT: an entity that is no id, a state that is none. A conversation that
 * is not here (yet) may be named. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_set_consent(xmtp_client *client,
                                                             const xmtp_consent *records,
                                                             size_t count, xmtp_error *error);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_consent(xmtp_client *client,
                                                         xmtp_consent_entity entity_type,
                                                         const char *entity,
                                                         xmtp_consent_state *out,
                                                         xmtp_error *error);
XMTP_API XMTP_MUST_CHECK xmtp_status
xmtp_client_set_conversation_consent(xmtp_client *client, const xmtp_conversation_id *id,
                                     xmtp_consent_state state, xmtp_error *error);

/* Every record there is. */
typedef xmtp_status (*xmtp_consent_visit)(void *context, const xmtp_consent *record);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_consents(xmtp_client *client,
                                                          xmtp_consent_visit visit, void *context,
                                                          xmtp_error *error);

#ifdef __cplusplus
}
#endif
#endif
