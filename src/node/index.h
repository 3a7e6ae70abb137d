/* index.h - where each record is: an LMDB environment beside the log, never the truth itself.
 *
 *     'M' kind topic_len topic id   ->  place      the messages of a topic, ascending by id
 *     'D' kind hash                 ->  id         content that is stored already
 *     'A' kind identifier inbox     ->  sequence id of the association, and of its end or 0
 *     'S'                           ->  state      up to where the log is in here, and next ids
 *
 * All puts of an append and the new state are one LMDB transaction, committed without sync. A
 * killed process loses nothing of it; a crashed machine may, so the index remembers the boot it was
 * written in and is thrown away and made again from the log when that was another one.
 *
 * Threads: one thread writes; any thread reads.
 */
#ifndef XMTP_NODE_INDEX_H
#define XMTP_NODE_INDEX_H

#include "node/log.h"

enum {
    XMTP_NODE_IDENTIFIER_LEN_MAX = 255,
    XMTP_NODE_INBOX_ID_LEN = 32,
    XMTP_NODE_PAGE_COUNT_MAX = 320, /* rows of one page; the longest identity log is read at once */
};

typedef struct xmtp_node_index xmtp_node_index;
typedef struct xmtp_node_index_txn xmtp_node_index_txn;

/* Up to where the log is in the index, and what follows from it. */
typedef struct xmtp_node_index_state {
    xmtp_node_position position;
    uint64_t last_id[XMTP_NODE_KIND_COUNT];
    uint64_t last_time_ns;
    bool is_whole; /* nothing that was acknowledged is missing; false while it is made again */
} xmtp_node_index_state;

/* Where one record is. */
typedef struct xmtp_node_place {
    uint64_t id;
    uint64_t time_ns;
    xmtp_node_position position;
    uint32_t len;
    uint8_t flags;
} xmtp_node_place;

/* dir: existing folder, or NULL for an index in memory. An index of another boot is emptied.
 * len_max: bytes up to which it may grow until it is opened again, XMTP_E_DISK_FULL beyond; address
 * space only. 0: 256 GiB, or as much as there is. XMTP_E_DATABASE, XMTP_E_IO. */
xmtp_status xmtp_node_index_open(xmtp_node_index **out, const xmtp_env *env, const char *dir,
                                 size_t len_max, xmtp_error *error);

/* Of a node that runs in another process, or of none; for reading only. XMTP_E_NOT_FOUND: there is
 * none that can be trusted, it will be made again at the next start. */
xmtp_status xmtp_node_index_open_to_read(xmtp_node_index **out, const xmtp_env *env,
                                         const char *dir, xmtp_error *error);

/* Syncs, so that the next boot can use it. Takes NULL. */
void xmtp_node_index_close(xmtp_node_index *index);

/* All zero when the index is empty. */
xmtp_status xmtp_node_index_state_get(xmtp_node_index *index, xmtp_node_index_state *out);

/* ---- writing */

xmtp_status xmtp_node_index_begin(xmtp_node_index *index, xmtp_node_index_txn **out);

/* Puts all that a record says. */
xmtp_status xmtp_node_index_put(xmtp_node_index_txn *txn, const xmtp_node_record *record,
                                xmtp_node_position at, uint32_t len);

/* The id under which this content is stored, also within this transaction. XMTP_E_NOT_FOUND. */
xmtp_status xmtp_node_index_find_hash(xmtp_node_index_txn *txn, xmtp_node_kind kind,
                                      const uint8_t hash[XMTP_NODE_HASH_LEN], uint64_t *id);

/* Takes out what put has put for a message, a welcome or a key package; what is not there or belongs
 * to another record stays. */
xmtp_status xmtp_node_index_remove(xmtp_node_index_txn *txn, const xmtp_node_record *record);

/* As commit, without a new state. */
xmtp_status xmtp_node_index_commit_removed(xmtp_node_index_txn *txn, xmtp_error *error);

/* Ends the transaction in any case. XMTP_E_DISK_FULL, XMTP_E_DATABASE: nothing of it is in. */
xmtp_status xmtp_node_index_commit(xmtp_node_index_txn *txn, const xmtp_node_index_state *state,
                                   xmtp_error *error);
void xmtp_node_index_abort(xmtp_node_index_txn *txn); /* takes NULL */

/* ---- reading */

typedef struct xmtp_node_page {
    bool is_ascending;
    uint64_t cursor;   /* exclusive; 0: from the beginning, or from the end when descending */
    uint64_t id_limit; /* ascending: no id above it; 0: none */
    size_t limit;      /* at most XMTP_NODE_PAGE_COUNT_MAX */
} xmtp_node_page;

/* Places of a topic in the order asked for; places has room for page->limit. */
xmtp_status xmtp_node_index_page(xmtp_node_index *index, xmtp_node_kind kind, xmtp_bytes topic,
                                 const xmtp_node_page *page, xmtp_node_place *places,
                                 size_t *count);

/* Visits every topic once with its newest place. Cost: two steps a topic. */
typedef xmtp_status (*xmtp_node_topic_visit)(void *context, xmtp_node_kind kind, xmtp_bytes topic,
                                             const xmtp_node_place *newest);
xmtp_status xmtp_node_index_each_topic(xmtp_node_index *index, xmtp_node_topic_visit visit,
                                       void *context);

/* Visits every address that is or was associated with an inbox. */
typedef xmtp_status (*xmtp_node_address_visit)(void *context, uint8_t identifier_kind,
                                               xmtp_bytes identifier, xmtp_bytes inbox_id,
                                               uint64_t associated_at, uint64_t revoked_at);
xmtp_status xmtp_node_index_each_address(xmtp_node_index *index, xmtp_node_address_visit visit,
                                         void *context);

/* How many places of records before a position are in the index. */
xmtp_status xmtp_node_index_count(xmtp_node_index *index, xmtp_node_position before,
                                  uint64_t *count);

/* Whether the index says of a record what it should: its place, and of its hash its id.
 * XMTP_E_NOT_FOUND it knows nothing of it, XMTP_E_DATABASE it says something else. */
xmtp_status xmtp_node_index_check(xmtp_node_index *index, const xmtp_node_record *record,
                                  xmtp_node_position at, uint32_t len);

#endif
