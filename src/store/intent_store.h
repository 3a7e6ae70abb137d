/* intent_store.h - what we still want the network to have, in order (groups.md 3.3).
 *
 *     TO_PUBLISH --payload stored--> PUBLISHED --read back, applied--> COMMITTED --welcomes sent-->
 * gone ^                             |                    (messages and commits without an Add:
 * gone)
 *         +-------lost the race---------+
 *
 * The exact bytes that are sent are stored before they are sent, so that after a crash the same
 * ones go out again and the outcome is recognised by their hash. Those of a commit, which can be long, are in
 * rows of their own, its parts; so is what else of it is long and no secret.
 */
#ifndef XMTP_STORE_INTENT_STORE_H
#define XMTP_STORE_INTENT_STORE_H

#include "base/arena.h"
#include "store/database.h"

typedef enum xmtp_intent_kind {
    XMTP_INTENT_SEND_MESSAGE = 1, /* data: PlaintextEnvelope */
    XMTP_INTENT_KEY_UPDATE = 2,
    XMTP_INTENT_METADATA = 3,   /* data of this and of 5, 6: see client/group_change.c */
    XMTP_INTENT_MEMBERSHIP = 4, /* data: see client/membership.c */
    XMTP_INTENT_ADMINS = 5,
    XMTP_INTENT_PERMISSION = 6,
} xmtp_intent_kind;

typedef enum xmtp_intent_state {
    XMTP_INTENT_HELD = 0, /* a message prepared for later, or one that failed: nobody's turn */
    XMTP_INTENT_TO_PUBLISH = 1,
    XMTP_INTENT_PUBLISHED = 2, /* payload stored; it may or may not have reached the network */
    XMTP_INTENT_COMMITTED = 3, /* applied; welcomes still to be sent */
} xmtp_intent_state;

typedef struct xmtp_intent_row {
    int64_t id;
    int64_t group_ref;
    xmtp_intent_kind kind;
    xmtp_intent_state state;
    xmtp_bytes data;
    xmtp_bytes message_id; /* of the message row; empty for commits */
    bool should_push;
    xmtp_bytes payload; /* MLSMessage as sent; of a commit empty */
    xmtp_bytes payload_hash;
    xmtp_bytes staged; /* encoded pending commit in its short form: holds private keys */
    uint64_t epoch;    /* in which the payload was made */
    uint32_t attempts; /* failed ones to build it */
    uint64_t sequence; /* of the payload on the network; 0: not seen */
} xmtp_intent_row;

typedef enum xmtp_commit_part {
    XMTP_COMMIT_MESSAGE = 1,  /* MLSMessage as sent; until the commit is applied */
    XMTP_COMMIT_CONTENT = 2,  /* of the pending commit; absent: it is in staged, as it once was */
    XMTP_COMMIT_WELCOMES = 3, /* to be sent, see client/post_commit.c; absent: none */
} xmtp_commit_part;

/* The parts of one commit; an empty one is absent. */
typedef struct xmtp_commit_parts {
    xmtp_bytes message;
    xmtp_bytes content;
    xmtp_bytes welcomes;
} xmtp_commit_parts;

typedef struct xmtp_intent_rows {
    xmtp_intent_row *items;
    size_t count;
} xmtp_intent_rows;

/* kind, data, message_id, should_push of the row count. Sets row->id. */
xmtp_status xmtp_intent_insert(xmtp_database *db, xmtp_intent_row *row);
xmtp_status xmtp_intent_read(xmtp_database *db, int64_t id, xmtp_arena *arena,
                             xmtp_intent_row *out);
/* All of a group in order but those that are held; at most limit. Without payloads and staged commits. */
xmtp_status xmtp_intent_list(xmtp_database *db, int64_t group_ref, size_t limit, xmtp_arena *arena,
                             xmtp_intent_rows *out);
xmtp_status xmtp_intent_set_published(xmtp_database *db, const xmtp_intent_row *row);
/* The same of a commit, whose payload is empty, with its parts. In the caller's transaction. */
xmtp_status xmtp_commit_set_published(xmtp_database *db, const xmtp_intent_row *row,
                                      const xmtp_commit_parts *parts);
/* A view of the arena. XMTP_E_NOT_FOUND: absent. */
xmtp_status xmtp_commit_part_read(xmtp_database *db, int64_t id, xmtp_commit_part part,
                                  xmtp_arena *arena, xmtp_bytes *out);
/* Payload and parts are forgotten. */
xmtp_status xmtp_intent_set_to_publish(xmtp_database *db, int64_t id);
/* The commit is applied. With welcomes to be sent it stays, as COMMITTED; else it is deleted. In the caller's
 * transaction. */
xmtp_status xmtp_commit_set_applied(xmtp_database *db, int64_t id, uint64_t sequence);
/* The welcomes of a commit are sent. In the caller's transaction. */
xmtp_status xmtp_commit_delete(xmtp_database *db, int64_t id);
xmtp_status xmtp_intent_set_attempts(xmtp_database *db, int64_t id, uint32_t attempts);
xmtp_status xmtp_intent_set_held(xmtp_database *db, int64_t id);
/* The oldest whose message went to the network before its row was written. XMTP_E_NOT_FOUND. */
xmtp_status xmtp_intent_find_rowless(xmtp_database *db, xmtp_arena *arena, xmtp_intent_row *out);
/* The held intent of a message. XMTP_E_NOT_FOUND. */
xmtp_status xmtp_intent_find_held(xmtp_database *db, xmtp_bytes message_id, xmtp_arena *arena,
                                  xmtp_intent_row *out);
/* The oldest held intent of a group whose message has failed. XMTP_E_NOT_FOUND. */
xmtp_status xmtp_intent_find_failed(xmtp_database *db, int64_t group_ref, xmtp_arena *arena,
                                    xmtp_intent_row *out);
xmtp_status xmtp_intent_delete(xmtp_database *db, int64_t id);
/* Everything published in a group goes back to be built again: its MLS state was replaced. */
xmtp_status xmtp_intent_reset_group(xmtp_database *db, int64_t group_ref);
/* Groups that have intents which are not held, in the order of their oldest. */
xmtp_status xmtp_intent_groups(xmtp_database *db, xmtp_arena *arena, int64_t **refs, size_t *count);

#endif
