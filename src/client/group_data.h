/* group_data.h - what XMTP keeps in the extensions of a GroupContext (groups.md section 2).
 *
 *   0xF000 immutable metadata   0xFF00 mutable metadata   0xFF01 membership   0xFF02 permissions
 *
 * Decoded into an arena; strings are views there. Encoders write the bytes of an extension's data.
 */
#ifndef XMTP_CLIENT_GROUP_DATA_H
#define XMTP_CLIENT_GROUP_DATA_H

#include "base/arena.h"
#include "base/writer.h"
#include "identity/key_package.h" /* the numbers of the other extensions */
#include "proto/message_contents.pb-c.h"

#include <xmtp/conversation.h>
#include <xmtp/mls.h>

enum {
    XMTP_EXTENSION_MEMBERSHIP = 0xff01,
    XMTP_EXTENSION_PERMISSIONS = 0xff02,
    XMTP_GROUP_NAME_MAX = 100, /* bytes; groups.md 2.2 */
    XMTP_GROUP_DESCRIPTION_MAX = 1000,
    XMTP_GROUP_IMAGE_URL_MAX = 2048,
    XMTP_GROUP_APP_DATA_MAX = 8192,
};

typedef enum xmtp_group_kind {
    XMTP_GROUP_KIND_GROUP = 1,
    XMTP_GROUP_KIND_DM = 2,
    XMTP_GROUP_KIND_SYNC = 3,
    XMTP_GROUP_KIND_ONESHOT = 4,
} xmtp_group_kind;

#define XMTP_ATTRIBUTE_NAME              "group_name"
#define XMTP_ATTRIBUTE_DESCRIPTION       "description"
#define XMTP_ATTRIBUTE_IMAGE_URL         "group_image_url_square"
#define XMTP_ATTRIBUTE_APP_DATA          "app_data"
#define XMTP_ATTRIBUTE_DISAPPEAR_FROM    "message_disappear_from_ns"
#define XMTP_ATTRIBUTE_DISAPPEAR_IN      "message_disappear_in_ns"
#define XMTP_ATTRIBUTE_MINIMUM_VERSION   "minimum_supported_protocol_version"
#define XMTP_ATTRIBUTE_COMMIT_LOG_SIGNER "_commit_log_signer"

/* ---- 0xF000: the data is a vector<V> around the message ---- */
xmtp_status xmtp_group_metadata_decode(xmtp_arena *arena, xmtp_bytes data, Pb__GroupMetadata **out);
/* dm_peer: inbox id of the other member for a DM, NULL for other kinds. */
xmtp_status xmtp_group_metadata_encode(xmtp_writer *w, xmtp_group_kind kind,
                                       const char *creator_inbox, const char *dm_peer);

/* ---- 0xFF00: both lists must be present (XMTP_E_MALFORMED) ---- */
xmtp_status xmtp_mutable_metadata_decode(xmtp_arena *arena, xmtp_bytes data,
                                         Pb__GroupMutableMetadata **out);
xmtp_status xmtp_mutable_metadata_encode(xmtp_writer *w, const Pb__GroupMutableMetadata *metadata);
/* Value of an attribute, NULL when absent. The last entry of a repeated key counts, as in a map. */
const char *xmtp_attribute(const Pb__GroupMutableMetadata *metadata, const char *key);
/* Sets one attribute, keeping the others; the strings must live as long as the arena. */
xmtp_status xmtp_attribute_set(xmtp_arena *arena, Pb__GroupMutableMetadata *metadata,
                               const char *key, const char *value);
/* Adds at the end unless it is there; takes every entry away. */
xmtp_status xmtp_inboxes_add(xmtp_arena *arena, Pb__Inboxes *list, const char *inbox_id);
void xmtp_inboxes_remove(Pb__Inboxes *list, const char *inbox_id);
bool xmtp_inbox_listed(const Pb__Inboxes *list, const char *inbox_id);
/* A new conversation. */
typedef struct xmtp_group_initial {
    xmtp_group_kind kind;
    const char *creator_inbox;
    const char *dm_peer;               /* inbox id of the other one in a DM; NULL: no DM */
    const xmtp_group_options *options; /* NULL: nothing set */
    const char *commit_log_signer;     /* 64 hex digits of fresh randomness */
} xmtp_group_initial;

/* Its attributes and lists (groups.md 2.2). */
xmtp_status xmtp_mutable_metadata_initial(xmtp_arena *arena, const xmtp_group_initial *what,
                                          Pb__GroupMutableMetadata **out);

/* Settings of disappearing messages; true when they are on: both are numbers above 0
 * (groups.md 2.2). */
bool xmtp_disappearing_of(const Pb__GroupMutableMetadata *metadata, uint64_t *from_ns,
                          uint64_t *in_ns);

/* ---- 0xFF01 ---- */
xmtp_status xmtp_membership_decode(xmtp_arena *arena, xmtp_bytes data, Pb__GroupMembership **out);
xmtp_status xmtp_membership_encode(xmtp_writer *w, const Pb__GroupMembership *membership);
/* Sequence id recorded for an inbox; false when it is not a member. */
bool xmtp_membership_find(const Pb__GroupMembership *membership, const char *inbox_id,
                          uint64_t *sequence_id);
/* Sets or adds one entry; removes one (no error when absent); adds a failed installation once. */
xmtp_status xmtp_membership_set(xmtp_arena *arena, Pb__GroupMembership *membership,
                                const char *inbox_id, uint64_t sequence_id);
void xmtp_membership_remove(Pb__GroupMembership *membership, const char *inbox_id);
xmtp_status xmtp_membership_add_failed(xmtp_arena *arena, Pb__GroupMembership *membership,
                                       xmtp_bytes installation);
bool xmtp_membership_has_failed(const Pb__GroupMembership *membership, xmtp_bytes installation);

/* ---- 0xFF02 ---- */
/* Decodes and checks the shape (groups.md 2.4): all five policies there, kinds and values known,
 * lists not empty. */
xmtp_status xmtp_permissions_decode(xmtp_arena *arena, xmtp_bytes data, Pb__PolicySet **out);

/* ---- the whole context ---- */
/* A new conversation's context extensions in the order of groups.md 1.5, in the arena.
 * XMTP_E_ARGUMENT: policies that cannot be set. */
xmtp_status xmtp_group_extensions_initial(xmtp_arena *arena, const xmtp_group_initial *what,
                                          xmtp_mls_extension **out, size_t *count,
                                          xmtp_error *error);
/* The group's present list with one extension replaced: removed and appended at the end
 * (groups.md 1.5). */
xmtp_status xmtp_group_extensions_replace(xmtp_arena *arena, const xmtp_mls_group *group,
                                          uint16_t type, xmtp_bytes data, xmtp_mls_extension **out,
                                          size_t *count);
#endif
