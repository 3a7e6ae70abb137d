/* archive_internal.h - the archive's struct, shared by opening, appending and reading. */
#ifndef XMTP_NODE_ARCHIVE_INTERNAL_H
#define XMTP_NODE_ARCHIVE_INTERNAL_H

#include "node/archive.h"
#include "node/table.h"

#include <pthread.h>
#include <stdatomic.h>

/* The end of a topic. */
typedef struct xmtp_node_newest {
    xmtp_node_place place;
    uint64_t before_id; /* of the record before it, 0: none; place.id: not known */
} xmtp_node_newest;

struct xmtp_node_archive {
    const xmtp_env *env;
    int lock_fd; /* holds the lock on the folder; -1 in memory */
    xmtp_node_log *log;
    xmtp_node_index *index;
    bool is_broken; /* the tables miss something that is stored */

    pthread_mutex_t turn; /* see xmtp_node_archive_begin */

    /* Of who appends: buffers kept from one append to the next. */
    xmtp_writer records;
    xmtp_writer payload;

    atomic_uint_fast64_t index_reads;
    atomic_bool is_expiring; /* see xmtp_node_archive_is_expiring */

    pthread_rwlock_t lock; /* for all below */
    xmtp_node_index_state state;
    xmtp_node_table newest;    /* kind and topic -> xmtp_node_newest */
    xmtp_node_table addresses; /* identifier kind and identifier -> xmtp_node_associations */
};

/* An identifier is rarely in more than one inbox, so a short list does. */
typedef struct xmtp_node_association {
    uint8_t inbox_id[XMTP_NODE_INBOX_ID_LEN];
    uint64_t associated_at;
    uint64_t revoked_at; /* 0: it still is */
} xmtp_node_association;

typedef struct xmtp_node_associations {
    xmtp_node_association *items;
    size_t count;
} xmtp_node_associations;

/* Begins a transaction of the index. The index lets in whoever asks at the right moment, and a busy
 * sequencer asks again at once; here it waits behind whoever waits already. */
xmtp_status xmtp_node_archive_begin(xmtp_node_archive *archive, xmtp_node_index_txn **out);

/* Makes one stored entry visible in the tables, and notes what it follows. The caller holds the lock. */
xmtp_status xmtp_node_archive_show(xmtp_node_archive *archive, xmtp_node_entry *entry);

/* The parts of it, for filling the tables at start. *newest is the entry as it was, to be changed. */
xmtp_status xmtp_node_archive_newest_entry(xmtp_node_archive *archive, xmtp_node_kind kind,
                                           xmtp_bytes topic, xmtp_node_newest **newest);
xmtp_status xmtp_node_archive_show_address(xmtp_node_archive *archive, uint8_t identifier_kind,
                                           xmtp_bytes identifier,
                                           const xmtp_node_association *association);
void xmtp_node_archive_free_addresses(xmtp_node_archive *archive);

#endif
