/* conversation.h - groups and DMs: making them, who is in them, what they are called, who may do what.
 *
 *     xmtp_conversation_id group;
 *     const char *members[] = {"0x...", "0x..."};
 *     xmtp_client_group_create(client, "roof garden", members, 2, &group, &error);
 *     xmtp_client_group_change_admins(client, &group, XMTP_ADMIN_ADD, "0x...", &error);
 *
 * An id names the same conversation on every device; nothing is opened or closed. Shown by
 * examples/groups.c, permissions.c, disappearing.c.
 */
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

/* See consent.h. */
typedef enum xmtp_consent_state {
    XMTP_CONSENT_UNKNOWN = 0,
    XMTP_CONSENT_ALLOWED = 1,
    XMTP_CONSENT_DENIED = 2,
} xmtp_consent_state;

typedef struct xmtp_conversation {
    xmtp_conversation_id id;
    xmtp_conversation_kind kind;
    const char *name;       /* groups; "" when none */
    const char *peer_inbox; /* DMs; "" for groups */
    uint64_t created_ns;
    uint64_t last_message_ns; /* 0 when there is none */
    uint64_t epoch;
    uint32_t member_count;     /* inboxes; 0: not known, of a restored group */
    bool is_active;            /* false after we were removed */
    bool is_paused;            /* needs a newer library: xmtp_status XMTP_E_PAUSED on use */
    const char *needs_version; /* the version it is paused for; "" when it is not */
    const char *added_by_inbox;
    xmtp_membership_state state;
    xmtp_consent_state consent;
} xmtp_conversation;

/* ---- who may do what (groups only: nobody administers a DM) */

typedef enum xmtp_policy {
    XMTP_POLICY_NONE = 0,  /* reading: no entry; admins may then, but for the minimum version */
    XMTP_POLICY_ALLOW = 1, /* every member */
    XMTP_POLICY_DENY = 2,  /* nobody */
    XMTP_POLICY_ADMIN = 3, /* admins and super admins */
    XMTP_POLICY_SUPER_ADMIN = 4, /* super admins */
    XMTP_POLICY_OTHER = 5,       /* reading: composed of several */
} xmtp_policy;

typedef enum xmtp_policy_preset {
    XMTP_POLICIES_DEFAULT = 0,    /* all members add and rename; admins remove and let messages
                                     disappear; super admins make admins */
    XMTP_POLICIES_ADMIN_ONLY = 1, /* as above, and only admins add and rename */
    XMTP_POLICIES_CUSTOM = 2,
} xmtp_policy_preset;

typedef struct xmtp_policy_set {
    xmtp_policy add_member;
    xmtp_policy remove_member;
    xmtp_policy add_admin; /* ALLOW is carried out as SUPER_ADMIN here and in the next one */
    xmtp_policy remove_admin;
    xmtp_policy name;
    xmtp_policy description;
    xmtp_policy image_url;
    xmtp_policy app_data;
    xmtp_policy disappearing;
    /* only read: always for super admins in what is made here */
    xmtp_policy minimum_version;
    xmtp_policy update_permissions; /* stored, and of no effect: super admins change permissions */
} xmtp_policy_set;

/* ---- making conversations */

/* What a new conversation starts with; all zero: nothing. Lengths are bytes of UTF-8. */
typedef struct xmtp_group_options {
    const char *name;        /* at most 100 */
    const char *description; /* at most 1000 */
    const char *image_url;   /* at most 2048 */
    const char *app_data;    /* at most 8192: whatever the application wants all members to share */
    xmtp_policy_preset preset;
    const xmtp_policy_set *policies; /* with XMTP_POLICIES_CUSTOM */
    /* Messages sent after from_ns are deleted in_ns after they came; both 0: never. */
    uint64_t disappear_from_ns;
    uint64_t disappear_in_ns;
    /* Made here at once, without the network; published, and members invited, by the first sync,
     * message or change. */
    bool is_optimistic;
} xmtp_group_options;

/* The DM with this person, made if there is none. peer: 0x address (any case) or inbox id.
 * XMTP_E_NO_INBOX: nobody has registered this address here. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_dm(xmtp_client *client, const char *peer,
                                                    xmtp_conversation_id *out, xmtp_error *error);
/* The same; when the DM has to be made its messages disappear as options say. Of the options the
 * other ones are refused with XMTP_E_ARGUMENT: a DM has no name and no admins. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_dm_with(xmtp_client *client, const char *peer,
                                                         const xmtp_group_options *options,
                                                         xmtp_conversation_id *out,
                                                         xmtp_error *error);
/* The DM with this person if there is one here; the network is asked only for the inbox of an
 * address that was never seen. XMTP_E_NOT_FOUND. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_dm_find(xmtp_client *client, const char *peer,
                                                         xmtp_conversation_id *out,
                                                         xmtp_error *error);

/* A new group with these members (addresses or inbox ids; may be none). All or nothing is created:
 * after a failure out->n is 0, unless the group is there and only the invitations still have to go
 * out, which the next sync does. The same holds for a new DM.
 * XMTP_E_LIMIT: more than XMTP_GROUP_MEMBERS_MAX members with ourselves, or a text is too long. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_group_create(xmtp_client *client, const char *name,
                                                              const char *const *members,
                                                              size_t member_count,
                                                              xmtp_conversation_id *out,
                                                              xmtp_error *error);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_group_create_with(
    xmtp_client *client, const xmtp_group_options *options, const char *const *members,
    size_t member_count, xmtp_conversation_id *out, xmtp_error *error);

/* ---- changing groups
 *
 * Each of these is one commit (two for disappearing messages), judged by the group's policies before
 * it is sent: XMTP_E_PERMISSION, and nothing has happened. Lost races are run again. XMTP_E_NETWORK:
 * kept, and carried out by the next sync; but who is added, or given by address, is looked up first,
 * and when the node is away then, nothing is kept. */

XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_group_add(xmtp_client *client,
                                                           const xmtp_conversation_id *group,
                                                           const char *const *members,
                                                           size_t member_count, xmtp_error *error);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_group_remove(xmtp_client *client,
                                                              const xmtp_conversation_id *group,
                                                              const char *const *members,
                                                              size_t member_count,
                                                              xmtp_error *error);

typedef enum xmtp_group_field {
    XMTP_FIELD_NAME = 0,
    XMTP_FIELD_DESCRIPTION = 1,
    XMTP_FIELD_IMAGE_URL = 2,
    XMTP_FIELD_APP_DATA = 3,
    XMTP_FIELD_MINIMUM_VERSION = 4, /* "major.minor.patch": older clients stop using the group */
    XMTP_FIELD_DISAPPEAR_FROM = 5,  /* for permissions only, see xmtp_client_set_disappearing */
    XMTP_FIELD_DISAPPEAR_IN = 6,
} xmtp_group_field;

/* value NULL: "". XMTP_E_LIMIT: too long. XMTP_E_ARGUMENT: not UTF-8, no version, or one above that
 * of this library, which would lock ourselves out. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_group_set(xmtp_client *client,
                                                           const xmtp_conversation_id *group,
                                                           xmtp_group_field field,
                                                           const char *value, xmtp_error *error);
/* The group's name, as xmtp_client_group_set. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_group_rename(xmtp_client *client,
                                                              const xmtp_conversation_id *group,
                                                              const char *name, xmtp_error *error);
/* Sets the application's data if they still are what is expected when the commit is made, also after
 * a lost race. XMTP_E_STATE: they are not. */
XMTP_API XMTP_MUST_CHECK xmtp_status
xmtp_client_group_swap_app_data(xmtp_client *client, const xmtp_conversation_id *group,
                                const char *expected, const char *value, xmtp_error *error);

/* Groups and DMs. Messages sent after from_ns are deleted in_ns after they came, by every client for
 * itself. Both 0: no longer; what is stamped already still disappears. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_set_disappearing(xmtp_client *client,
                                                                  const xmtp_conversation_id *id,
                                                                  uint64_t from_ns, uint64_t in_ns,
                                                                  xmtp_error *error);

typedef enum xmtp_admin_change {
    XMTP_ADMIN_ADD = 1,
    XMTP_ADMIN_REMOVE = 2,
    XMTP_SUPER_ADMIN_ADD = 3,
    XMTP_SUPER_ADMIN_REMOVE = 4,
} xmtp_admin_change;

/* member: address or inbox id. Adding who is on the list, and removing who is not, changes nothing
 * and is no error. The last super admin cannot be removed. */
XMTP_API XMTP_MUST_CHECK xmtp_status
xmtp_client_group_change_admins(xmtp_client *client, const xmtp_conversation_id *group,
                                xmtp_admin_change change, const char *member, xmtp_error *error);

typedef enum xmtp_permission {
    XMTP_PERMISSION_ADD_MEMBER = 1,
    XMTP_PERMISSION_REMOVE_MEMBER = 2,
    XMTP_PERMISSION_ADD_ADMIN = 3,
    XMTP_PERMISSION_REMOVE_ADMIN = 4,
    XMTP_PERMISSION_UPDATE_METADATA = 5, /* of one field */
} xmtp_permission;

/* field: for XMTP_PERMISSION_UPDATE_METADATA. Super admins only. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_group_set_permission(
    xmtp_client *client, const xmtp_conversation_id *group, xmtp_permission what,
    xmtp_group_field field, xmtp_policy policy, xmtp_error *error);

/* Asks to leave a group: a super admin's client removes us by itself when it hears of it; until then
 * state is XMTP_MEMBERSHIP_PENDING_REMOVE. XMTP_E_PERMISSION: a DM, the only member, or a super admin,
 * who must hand that over first. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_leave(xmtp_client *client,
                                                       const xmtp_conversation_id *id,
                                                       xmtp_error *error);

/* ---- looking at conversations */

/* What the members have agreed on. Strings and lists live until the next call on this client. */
typedef struct xmtp_conversation_details {
    const char *creator_inbox;
    const char *name; /* "" when unset, as the next ones */
    const char *description;
    const char *image_url;
    const char *app_data;
    const char *minimum_version;
    bool is_disappearing;
    uint64_t disappear_from_ns; /* as set, also when only one is; 0: unset or no number */
    uint64_t disappear_in_ns;
    const char *const *admins; /* inbox ids */
    size_t admin_count;
    const char *const *super_admins;
    size_t super_admin_count;
    bool is_admin; /* we */
    bool is_super_admin;
    xmtp_policy_preset preset;
    xmtp_policy_set policies;
} xmtp_conversation_details;

XMTP_API XMTP_MUST_CHECK xmtp_status
xmtp_client_conversation_details(xmtp_client *client, const xmtp_conversation_id *id,
                                 xmtp_conversation_details *out, xmtp_error *error);

/* Conversations of the local database, newest message first; DMs between the same two people appear
 * once, under the id of the one with the newest message. Any of their ids names them all: messages are
 * merged, what is sent goes to that one, consent and sync are for all. */
typedef xmtp_status (*xmtp_conversation_visit)(void *context,
                                               const xmtp_conversation *conversation);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_conversations(xmtp_client *client,
                                                               xmtp_conversation_visit visit,
                                                               void *context, xmtp_error *error);
/* Which of them. All zero: those that are allowed or unknown, as above. */
typedef struct xmtp_conversation_query {
    uint32_t consent_states; /* XMTP_CONSENT_BIT of each that is wanted; 0: allowed and unknown */
    xmtp_conversation_kind kind; /* 0: both */
    uint64_t created_after_ns;   /* bounds are exclusive; 0: none */
    uint64_t created_before_ns;
    size_t limit;           /* 0: all */
    bool with_duplicates;   /* every group of a DM */
    bool newest_made_first; /* instead of newest message first */
} xmtp_conversation_query;

#define XMTP_CONSENT_BIT(state) (1u << (state))

XMTP_API XMTP_MUST_CHECK xmtp_status
xmtp_client_conversations_where(xmtp_client *client, const xmtp_conversation_query *query,
                                xmtp_conversation_visit visit, void *context, xmtp_error *error);
/* The other groups of a DM: two people may have made one each. Not for lists, but for subscriptions
 * of a push server. None for groups. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_dm_duplicates(xmtp_client *client,
                                                               const xmtp_conversation_id *dm,
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

/* ---- whether we agree with the others */

typedef enum xmtp_commit_result {
    XMTP_COMMIT_APPLIED = 1,
    XMTP_COMMIT_WRONG_EPOCH = 2,
    XMTP_COMMIT_UNDECRYPTABLE = 3,
    XMTP_COMMIT_INVALID = 4,
} xmtp_commit_result;

typedef enum xmtp_fork_state {
    XMTP_FORK_UNKNOWN = 0, /* the log does not reach as far as we do */
    XMTP_FORK_NO = 1,
    XMTP_FORK_YES = 2,
} xmtp_fork_state;

/* What became of one commit; epoch and authenticator are those afterwards. */
typedef struct xmtp_commit_entry {
    uint64_t sequence;
    xmtp_commit_result result;
    uint64_t epoch;
    xmtp_bytes authenticator;
} xmtp_commit_entry;

enum { XMTP_DEBUG_COMMITS_MAX = 100 };

typedef struct xmtp_debug_info {
    uint64_t epoch;
    bool is_maybe_forked;     /* a message of a later epoch came before its commit */
    const char *fork_details; /* "" when not */
    xmtp_fork_state commit_log_fork;
    uint64_t commit_cursor;         /* sequence of the last commit processed */
    uint64_t cursor;                /* and of the last message of any kind */
    const xmtp_commit_entry *local; /* the newest of those that we took, oldest first */
    size_t local_count;
    const xmtp_commit_entry *remote; /* as the network's log has them, newest first */
    size_t remote_count;
} xmtp_debug_info;

/* From the database; lists live until the next call on this client. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_debug_info(xmtp_client *client,
                                                            const xmtp_conversation_id *id,
                                                            xmtp_debug_info *out,
                                                            xmtp_error *error);
/* Fetches the log of commits of all conversations, compares it with our own, and adds what we know to
 * those that we may write: DMs, and groups where we are a super admin, if they are allowed. Sync and
 * poll do it every five minutes. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_sync_commit_logs(xmtp_client *client,
                                                                  xmtp_error *error);

#ifdef __cplusplus
}
#endif
#endif
