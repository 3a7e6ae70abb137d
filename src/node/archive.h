/* archive.h - everything that the node has stored: the log, its index, and the tables in memory
 * that answer the most frequent questions without reading.
 *
 *     append --> log (synced) --> index --> newest ids, addresses --> visible to readers
 *
 * One interface, so that another replicated log can take the place of the segment files: append
 * batches, read after a cursor, newest ids.
 *
 * Threads: one thread at a time appends (who has the sequencer's turn); any thread reads.
 */
#ifndef XMTP_NODE_ARCHIVE_H
#define XMTP_NODE_ARCHIVE_H

#include "node/index.h"

typedef struct xmtp_node_archive xmtp_node_archive;

typedef struct xmtp_node_archive_options {
    const xmtp_env *env;
    const char *dir;         /* made when it is not there; NULL: in memory */
    uint32_t segment_len;    /* 0: default */
    size_t index_len_max;    /* 0: default */
    uint64_t segment_age_ns; /* as in xmtp_node_log_options */
    void *notice_context;
    void (*notice)(void *context, const char *line);
} xmtp_node_archive_options;

/* Locks the folder, recovers the log, brings the index up to date, fills the tables.
 * XMTP_E_LOCKED another node uses the folder; XMTP_E_CORRUPT, XMTP_E_IO, XMTP_E_DATABASE. */
xmtp_status xmtp_node_archive_open(xmtp_node_archive **out,
                                   const xmtp_node_archive_options *options, xmtp_error *error);
void xmtp_node_archive_close(xmtp_node_archive *archive); /* takes NULL */

/* ---- appending */

/* One record to be. body: the wire fields behind id and time, see wire.h. */
typedef struct xmtp_node_entry {
    xmtp_node_kind kind;
    uint8_t flags;
    xmtp_bytes topic;
    xmtp_bytes extra; /* messages: hash of their content; identity updates: address changes */
    xmtp_bytes body;
    /* Set by append. */
    bool is_duplicate; /* the content is stored already, under place.id */
    xmtp_node_place place;
    uint64_t before_id; /* the newest of the topic before it, 0: none; not of duplicates */
} xmtp_node_entry;

/* Entries that are stored together or not at all, with consecutive ids. */
typedef struct xmtp_node_batch {
    xmtp_node_entry *entries;
    size_t count;
} xmtp_node_batch;

/* Stores batches, durably, with one sync. On failure nothing is stored.
 * XMTP_E_DISK_FULL, XMTP_E_IO, XMTP_E_DATABASE, XMTP_E_NOMEM. */
xmtp_status xmtp_node_archive_append(xmtp_node_archive *archive, xmtp_node_batch *const *batches,
                                     size_t count, xmtp_error *error);

/* ---- reading */

/* The newest id of a topic, 0 when it has none. Reads nothing. newest may be NULL. */
uint64_t xmtp_node_archive_newest(xmtp_node_archive *archive, xmtp_node_kind kind, xmtp_bytes topic,
                                  xmtp_node_place *newest);

/* Visits every topic of a kind whose newest id is above cursor, under the archive's lock: visit may
 * not use the archive. Cost: a look at every topic of the node. */
void xmtp_node_archive_each_newer(xmtp_node_archive *archive, xmtp_node_kind kind, uint64_t cursor,
                                  void *context, void (*visit)(void *context, xmtp_bytes topic));

/* False: the page is known to be empty, or to be no more than a record that was stored just now, so
 * that reading it does not wait for the disk. Reads nothing. */
bool xmtp_node_archive_waits(xmtp_node_archive *archive, xmtp_node_kind kind, xmtp_bytes topic,
                             const xmtp_node_page *page);

/* As xmtp_node_index_page; an empty page, and one of the newest record alone, are known without reading. */
xmtp_status xmtp_node_archive_page(xmtp_node_archive *archive, xmtp_node_kind kind,
                                   xmtp_bytes topic, const xmtp_node_page *page,
                                   xmtp_node_place *places, size_t *count);

/* How many pages were read from the index since the archive was opened. */
uint64_t xmtp_node_archive_index_reads(const xmtp_node_archive *archive);

/* The record at a place; its views live in the arena. XMTP_E_NOT_FOUND: it has been dropped since the
 * place was learnt; go on as if it had not been there. */
xmtp_status xmtp_node_archive_read(xmtp_node_archive *archive, const xmtp_node_place *place,
                                   xmtp_arena *arena, xmtp_node_record *record, xmtp_error *error);

/* Appends the payload of the record at a place. */
xmtp_status xmtp_node_archive_payload(xmtp_node_archive *archive, const xmtp_node_place *place,
                                      xmtp_writer *out, xmtp_error *error);

/* The inbox with which an identifier was associated last and still is; false when there is none. */
bool xmtp_node_archive_inbox_of(xmtp_node_archive *archive, uint8_t identifier_kind,
                                xmtp_bytes identifier, uint8_t inbox_id[XMTP_NODE_INBOX_ID_LEN]);

/* The newest id of a kind, 0 when there is none. */
uint64_t xmtp_node_archive_last_id(xmtp_node_archive *archive, xmtp_node_kind kind);

/* ---- how much there is */

typedef struct xmtp_node_archive_figures {
    uint32_t segments;
    uint64_t log_len;
    size_t topics;
    size_t identifiers;
} xmtp_node_archive_figures;

void xmtp_node_archive_measure(xmtp_node_archive *archive, xmtp_node_archive_figures *figures);

/* ---- dropping what is old */

/* For how long records are kept, by class; 0: for ever. Commits, identity updates and commit logs are
 * never dropped, nor is the newest record of a topic. */
typedef struct xmtp_node_retention {
    uint64_t welcome_ns;
    uint64_t message_ns; /* group messages that are no commits or proposals */
    uint64_t key_package_ns;
} xmtp_node_retention;

typedef struct xmtp_node_expired {
    uint64_t count;
    uint64_t len; /* bytes, their heads included */
} xmtp_node_expired;

/* Drops from a segment what is too old, if the whole segment is that old for one of the classes and
 * another segment has followed it; so each is rewritten at most once for each class. Adds to expired.
 * One thread at a time, besides the appending one and any readers.
 * XMTP_E_NOT_FOUND there is no such finished segment; others: nothing was dropped from the log. */
xmtp_status xmtp_node_archive_expire(xmtp_node_archive *archive,
                                     const xmtp_node_retention *retention, uint32_t segment,
                                     xmtp_node_expired *expired, xmtp_error *error);

/* True while that goes on: an append may have to wait for its transactions. Any thread. */
bool xmtp_node_archive_is_expiring(const xmtp_node_archive *archive);

#endif
