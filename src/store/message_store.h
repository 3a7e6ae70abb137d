/* message_store.h - decrypted messages, and the queue of those that a consumer has not handled. */
#ifndef XMTP_STORE_MESSAGE_STORE_H
#define XMTP_STORE_MESSAGE_STORE_H

#include "base/arena.h"
#include "store/database.h"

typedef struct xmtp_message_row {
    int64_t row; /* order of arrival */
    xmtp_bytes message_id;
    int64_t group_ref;
    uint32_t kind;     /* xmtp_message_kind */
    uint32_t delivery; /* xmtp_delivery_status */
    const char *sender_inbox;
    xmtp_bytes sender_installation;
    uint64_t sent_ns;
    uint64_t sequence; /* 0: not seen on the network */
    xmtp_bytes content;
    uint64_t inserted_ns;
    uint64_t expire_ns;    /* 0: never */
    uint32_t content_type; /* xmtp_content_type */
    xmtp_bytes reference;  /* id of the message that this one is about; empty when none */
    bool should_push;
    /* of the conversation, when read */
    xmtp_bytes group_id;
    uint32_t group_kind;
    const char *sender_address; /* "" when unknown */
} xmtp_message_row;

/* Does nothing when there is one with this id: *is_new tells. Also moves the group's
 * last_message_ns. */
xmtp_status xmtp_message_insert(xmtp_database *db, const xmtp_message_row *row, bool *is_new);
XMTP_MUST_CHECK xmtp_status xmtp_message_is_there(xmtp_database *db, xmtp_bytes message_id,
                                                  bool *out);
/* Our own message came back. *content_type receives what it holds. */
xmtp_status xmtp_message_set_published(xmtp_database *db, xmtp_bytes message_id, uint64_t sent_ns,
                                       uint64_t sequence, uint64_t expire_ns,
                                       uint32_t *content_type);
xmtp_status xmtp_message_set_unpublished(xmtp_database *db, xmtp_bytes message_id);
xmtp_status xmtp_message_set_failed(xmtp_database *db, xmtp_bytes message_id);
xmtp_status xmtp_message_find(xmtp_database *db, xmtp_bytes message_id, xmtp_arena *arena,
                              xmtp_message_row *out);

xmtp_status xmtp_message_delete(xmtp_database *db, xmtp_bytes message_id); /* or nothing */

/* Which message, of which conversation; bytes in the arena. */
typedef struct xmtp_message_name {
    xmtp_bytes message_id;
    xmtp_bytes group_id;
} xmtp_message_name;

/* Everything whose time to expire is now or earlier. */
xmtp_status xmtp_message_expired(xmtp_database *db, uint64_t now_ns, xmtp_arena *arena,
                                 xmtp_message_name **names, size_t *count);
/* When the next one expires; UINT64_MAX: none will. */
xmtp_status xmtp_message_next_expiry(xmtp_database *db, uint64_t *expire_ns);

/* Is there a membership change with this content in any group of a DM? */
xmtp_status xmtp_message_dm_has_change(xmtp_database *db, const char *dm_id, xmtp_bytes content,
                                       bool *out);

/* ---- messages written before content types were kept (schema.c, migration 2) */
/* The next one; XMTP_E_NOT_FOUND when there is none. */
xmtp_status xmtp_message_unclassified(xmtp_database *db, xmtp_arena *arena, int64_t *row,
                                      xmtp_bytes *content);
xmtp_status xmtp_message_set_type(xmtp_database *db, int64_t row, uint32_t content_type,
                                  xmtp_bytes reference);

/* ---- what messages say about each other, within one conversation (all groups of a DM) */

/* Messages of a content type that refer to one, oldest first; at most limit. */
xmtp_status xmtp_message_references(xmtp_database *db, xmtp_bytes message_id, uint32_t content_type,
                                    size_t limit, xmtp_arena *arena, xmtp_message_row **rows,
                                    size_t *count);
xmtp_status xmtp_message_reference_count(xmtp_database *db, xmtp_bytes message_id,
                                         uint32_t content_type, size_t *count);
/* The message that this one refers to. XMTP_E_NOT_FOUND. */
xmtp_status xmtp_message_original(xmtp_database *db, xmtp_bytes message_id, xmtp_arena *arena,
                                  xmtp_message_row *out);

/* The newest message of a content type with which the sender of a message refers to it, in the very
 * same group. XMTP_E_NOT_FOUND. */
xmtp_status xmtp_message_newest_of_sender(xmtp_database *db, xmtp_bytes message_id,
                                          uint32_t content_type, xmtp_arena *arena,
                                          xmtp_message_row *out);

/* ---- messages that were taken back (reference_store.c) */

/* inbox_id takes message_id back; whether that counts is told when asked. */
xmtp_status xmtp_deletion_insert(xmtp_database *db, int64_t group_ref, xmtp_bytes message_id,
                                 const char *inbox_id, bool is_super_admin);
/* Who took it back and may: its sender, else a super admin of that moment. content_types: bit n tells
 * whether type n can be taken back. XMTP_E_NOT_FOUND: nobody. */
xmtp_status xmtp_deletion_find(xmtp_database *db, xmtp_bytes message_id, uint64_t content_types,
                               xmtp_arena *arena, const char **inbox_id);

/* When each inbox sent its newest message of a content type (read receipts). */
typedef struct xmtp_message_read {
    const char *inbox_id;
    uint64_t read_ns;
} xmtp_message_read;

xmtp_status xmtp_message_last_reads(xmtp_database *db, int64_t group_ref, uint32_t content_type,
                                    xmtp_arena *arena, xmtp_message_read **reads, size_t *count);

/* ---- listings */

/* What is looked for. Bounds are exclusive; a wanted list that is empty means everybody. */
typedef struct xmtp_message_filter {
    int64_t group_ref; /* 0: all conversations that applications see */
    const char *dm_id; /* instead of group_ref: all groups of one DM; NULL: none */
    uint64_t sent_after_ns;
    uint64_t sent_before_ns;
    uint64_t inserted_after_ns;
    uint64_t inserted_before_ns;
    uint32_t kind;                /* 0: all */
    uint32_t delivery;            /* 0: all */
    uint64_t content_types;       /* bit n: content type n */
    const char *senders;          /* inbox ids one after the other */
    const char *senders_left_out; /* the same */
    uint64_t now_ns;              /* what has expired then is left out */
} xmtp_message_filter;

/* Lets everything through but what has expired. */
xmtp_message_filter xmtp_message_filter_all(uint64_t now_ns);

xmtp_status xmtp_message_count(xmtp_database *db, const xmtp_message_filter *filter,
                               uint64_t *count);

/* One page of a listing: by (sent_ns, sequence, row), the same order for everybody, also for messages
 * that the node took in one moment; or by order of arrival here. */
typedef struct xmtp_message_page {
    xmtp_message_filter filter;
    bool newest_first;
    bool by_arrival;
    uint64_t sent_ns; /* start behind this position */
    uint64_t sequence;
    int64_t row;
    size_t limit; /* at most XMTP_MESSAGE_PAGE_MAX */
} xmtp_message_page;

enum { XMTP_MESSAGE_PAGE_MAX = 100 };

/* The position before the first page. */
void xmtp_message_page_start(xmtp_message_page *page);
/* Rows in the arena; the position moves behind the last. *count 0: the end. */
xmtp_status xmtp_message_page_next(xmtp_database *db, xmtp_message_page *page, xmtp_arena *arena,
                                   xmtp_message_row *rows, size_t *count);

/* ---- the queue */
typedef struct xmtp_queue_row {
    int64_t id;
    uint8_t message_id[32];
    uint32_t attempts;
    uint64_t next_ns; /* not before */
} xmtp_queue_row;

xmtp_status xmtp_queue_push(xmtp_database *db, xmtp_bytes message_id, int64_t group_ref);
/* The first entry of each conversation, oldest first, from behind after_id. XMTP_E_NOT_FOUND. */
xmtp_status xmtp_queue_head(xmtp_database *db, int64_t after_id, xmtp_queue_row *out);
/* Removes it; the next one of its conversation becomes first. XMTP_E_NOT_FOUND. */
xmtp_status xmtp_queue_remove(xmtp_database *db, xmtp_bytes message_id);
/* One more failed attempt. set_aside: never offered again, and no longer in the way. */
xmtp_status xmtp_queue_set_failed(xmtp_database *db, xmtp_bytes message_id, uint64_t next_ns,
                                  bool set_aside);

#endif
