/* conversation.h - groups and DMs: making them, who is in them, what they are called. */
#ifndef XMTP_CONVERSATION_H
#define XMTP_CONVERSATION_H

#include <xmtp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct xmtp_client xmtp_client; /* client.h */

enum {
    XMTP_GROUP_ID_MAX = 32, /* bytes; 16 on this network */
    XMTP_GROUP_MEMBERS_MAX = 250,
};

typedef struct xmtp_conversation_id {
    uint8_t p[XMTP_GROUP_ID_MAX];
    size_t n;
} xmtp_conversation_id;

typedef enum xmtp_conversation_kind {
    XMTP_CONVERSATION_GROUP = 1,
    XMTP_CONVERSATION_DM = 2,
} xmtp_conversation_kind;

/* Where we stand in a conversation. */
typedef enum xmtp_membership_state {
    XMTP_MEMBERSHIP_ALLOWED = 1,
    XMTP_MEMBERSHIP_REJECTED = 2,
    XMTP_MEMBERSHIP_PENDING = 3,        /* others brought us in */
    XMTP_MEMBERSHIP_RESTORED = 4,       /* from an archive: to be read, not used */
    XMTP_MEMBERSHIP_PENDING_REMOVE = 5, /* we asked to leave */
} xmtp_membership_state;

typedef struct xmtp_conversation {
    xmtp_conversation_id id;
    xmtp_conversation_kind kind;
    const char *name;       /* groups; "" when none */
    const char *peer_inbox; /* DMs; "" for groups */
    uint64_t created_ns;
    uint64_t last_message_ns; /* 0 when there is none */
    uint64_t epoch;
    uint32_t member_count; /* inboxes */
    bool is_active;        /* false after we were removed */
    bool is_paused;        /* needs a newer library: xmtp_status XMTP_E_PAUSED on use */
} xmtp_conversation;

/* The DM with this person, made if there is none. peer: 0x address (any case) or inbox id.
 * XMTP_E_NO_INBOX: nobody has registered this address here. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_dm(xmtp_client *client, const char *peer,
                                                    xmtp_conversation_id *out, xmtp_error *error);

/* A new group with these members (addresses or inbox ids; may be none). All or nothing is created:
 * after a failure out->n is 0, unless the group is there and only the invitations still have to go
 * out, which the next sync does. The same holds for a new DM. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_group_create(xmtp_client *client, const char *name,
                                                              const char *const *members,
                                                              size_t member_count,
                                                              xmtp_conversation_id *out,
                                                              xmtp_error *error);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_group_add(xmtp_client *client,
                                                           const xmtp_conversation_id *group,
                                                           const char *const *members,
                                                           size_t member_count, xmtp_error *error);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_group_remove(xmtp_client *client,
                                                              const xmtp_conversation_id *group,
                                                              const char *const *members,
                                                              size_t member_count,
                                                              xmtp_error *error);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_group_rename(xmtp_client *client,
                                                              const xmtp_conversation_id *group,
                                                              const char *name, xmtp_error *error);

/* Conversations of the local database, newest message first; DMs between the same two people appear
 * once. */
typedef xmtp_status (*xmtp_conversation_visit)(void *context,
                                               const xmtp_conversation *conversation);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_conversations(xmtp_client *client,
                                                               xmtp_conversation_visit visit,
                                                               void *context, xmtp_error *error);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_conversation(xmtp_client *client,
                                                              const xmtp_conversation_id *id,
                                                              xmtp_conversation *out,
                                                              xmtp_error *error);

typedef struct xmtp_member {
    const char *inbox_id;
    const char *address; /* first wallet of the inbox; "" when it has none */
    uint32_t installation_count;
    bool is_admin;
    bool is_super_admin;
} xmtp_member;

typedef xmtp_status (*xmtp_member_visit)(void *context, const xmtp_member *member);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_members(xmtp_client *client,
                                                         const xmtp_conversation_id *id,
                                                         xmtp_member_visit visit, void *context,
                                                         xmtp_error *error);

#ifdef __cplusplus
}
#endif
#endif
