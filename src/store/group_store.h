/* group_store.h - conversations: one row each, and the records of their MLS groups. */
#ifndef XMTP_STORE_GROUP_STORE_H
#define XMTP_STORE_GROUP_STORE_H

#include "base/arena.h"
#include "store/database.h"

/* As rotated_ns: others have seen message keys of this epoch that our ratchet would give again. */
enum { XMTP_KEYS_USED = 1 };

typedef enum xmtp_group_stage {
    XMTP_GROUP_CREATING = 1, /* ours, and its first commit is not confirmed: nobody else knows it */
    XMTP_GROUP_READY = 2,
} xmtp_group_stage;

/* kind has the numbers of the network (1 group, 2 DM, 3 sync, 4 oneshot). Strings are never NULL in
 * rows that were read, except dm_id. */
typedef struct xmtp_group_row {
    int64_t ref; /* names the row in all other tables */
    xmtp_bytes group_id;
    uint32_t kind;
    xmtp_group_stage stage;
    uint64_t created_ns;
    uint64_t last_message_ns;
    const char *name;
    const char *peer_inbox;
    const char *dm_id; /* "" when none */
    const char *added_by;
    uint64_t welcome_id;
    uint64_t epoch;
    uint32_t member_count;
    bool is_active;
    const char *paused_for; /* minimum version that pauses us, "" when none */
    uint64_t checked_ns;    /* when members' installations were last looked at */
    uint64_t
        rotated_ns;  /* when our leaf's keys were last changed; 0 for a joiner, or XMTP_KEYS_USED */
    uint64_t cursor; /* sequence of the last message processed */
    bool is_forked;
    uint32_t state;           /* xmtp_membership_state */
    const char *fork_details; /* why is_forked, "" when it is not */
    uint64_t commit_cursor;   /* sequence of the last commit processed */
    uint32_t consent;         /* only read: 0 unknown, 1 allowed, 2 denied */
} xmtp_group_row;

/* Sets row->ref. XMTP_E_EXISTS: there is one with this group_id. */
xmtp_status xmtp_group_row_insert(xmtp_database *db, xmtp_group_row *row);
xmtp_status xmtp_group_row_find(xmtp_database *db, xmtp_bytes group_id, xmtp_arena *arena,
                                xmtp_group_row *out);
xmtp_status xmtp_group_row_read(xmtp_database *db, int64_t ref, xmtp_arena *arena,
                                xmtp_group_row *out);
/* Writes everything of the row but group_id, created_ns and last_message_ns. */
xmtp_status xmtp_group_row_update(xmtp_database *db, const xmtp_group_row *row);
xmtp_status xmtp_group_row_set_cursor(xmtp_database *db, int64_t ref, uint64_t cursor);
xmtp_status xmtp_group_row_set_checked(xmtp_database *db, int64_t ref, uint64_t checked_ns);
xmtp_status xmtp_group_row_set_last_message(xmtp_database *db, int64_t ref, uint64_t sent_ns);
xmtp_status xmtp_group_row_delete(xmtp_database *db, int64_t ref);
/* Removes groups whose creation was cut short by a crash. */
xmtp_status xmtp_group_row_delete_unfinished(xmtp_database *db);

/* Rows of all conversations, virtual ones too, newest message first (without messages: by creation);
 * with_duplicates false shows one group per DM. */
typedef struct xmtp_group_rows {
    xmtp_group_row *items;
    size_t count;
} xmtp_group_rows;

xmtp_status xmtp_group_row_list(xmtp_database *db, bool with_duplicates, xmtp_arena *arena,
                                xmtp_group_rows *out);
/* Where a conversation stands, for who goes through all of them: a third of the time that whole rows take. */
typedef struct xmtp_group_position {
    int64_t ref;
    xmtp_bytes group_id;
    uint32_t kind;
    uint32_t state;
    uint32_t consent;
    bool is_active;
    bool is_paused;      /* by a minimum version */
    uint64_t cursor;     /* sequence of the last message processed */
    uint64_t welcome_id; /* 0: not welcomed, but made here */
    uint64_t checked_ns;
    uint64_t newest_ns; /* of its last message, without one of its creation */
} xmtp_group_position;

/* Whether what comes is read as it comes. */
static inline bool xmtp_group_is_read(const xmtp_group_position *at)
{
    return at->is_active && !at->is_paused;
}

typedef struct xmtp_group_positions {
    xmtp_group_position *items;
    size_t count;
} xmtp_group_positions;

/* All conversations that are ready, virtual ones too, by ref. */
xmtp_status xmtp_group_position_list(xmtp_database *db, xmtp_arena *arena,
                                     xmtp_group_positions *out);

/* Groups and DMs behind a ref, in its order, virtual ones left out; fewer than limit at the end. */
xmtp_status xmtp_group_row_page(xmtp_database *db, int64_t after_ref, size_t limit,
                                xmtp_arena *arena, xmtp_group_rows *out);
/* All groups of a DM, the one that stands for it first. */
xmtp_status xmtp_group_row_list_dm(xmtp_database *db, const char *dm_id, xmtp_arena *arena,
                                   xmtp_group_rows *out);
/* The group that stands for a DM (groups.md 2.8); one that can be used before restored ones. */
xmtp_status xmtp_group_row_find_dm(xmtp_database *db, const char *dm_id, xmtp_arena *arena,
                                   xmtp_group_row *out);

/* The group with this id and no other, of whatever kind. XMTP_E_NOT_FOUND. */
xmtp_status xmtp_group_ref_exact(xmtp_database *db, xmtp_bytes group_id, int64_t *ref);
/* The group that stands for the conversation with this id: itself, or of a ready DM the one above. Sync groups
 * are no conversations. XMTP_E_NOT_FOUND. */
xmtp_status xmtp_group_ref_find(xmtp_database *db, xmtp_bytes group_id, int64_t *ref);

/* ---- records of MLS groups */
xmtp_status xmtp_record_put(xmtp_database *db, int64_t ref, xmtp_bytes key, xmtp_bytes value);
xmtp_status xmtp_record_delete(xmtp_database *db, int64_t ref, xmtp_bytes key);
xmtp_status xmtp_record_delete_all(xmtp_database *db, int64_t ref);
xmtp_status xmtp_record_each(xmtp_database *db, int64_t ref, xmtp_bytes prefix, void *visitor,
                             xmtp_status (*visit)(void *visitor, xmtp_bytes key, xmtp_bytes value));

#endif
