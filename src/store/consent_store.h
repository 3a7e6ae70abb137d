/* consent_store.h - what was decided about conversations and inboxes (groups.md 7.1). */
#ifndef XMTP_STORE_CONSENT_STORE_H
#define XMTP_STORE_CONSENT_STORE_H

#include "base/arena.h"
#include "store/database.h"

enum { XMTP_CONSENT_OF_CONVERSATION = 1, XMTP_CONSENT_OF_INBOX = 2 };

typedef struct xmtp_consent_row {
    uint32_t entity_type; /* as above */
    const char *entity;   /* group id in lower-case hex, or inbox id */
    uint32_t state;       /* 0 unknown, 1 allowed, 2 denied */
    uint64_t consented_ns;
} xmtp_consent_row;

/* XMTP_E_NOT_FOUND: nothing was decided. */
xmtp_status xmtp_consent_read(xmtp_database *db, uint32_t entity_type, const char *entity,
                              xmtp_arena *arena, xmtp_consent_row *out);
xmtp_status xmtp_consent_write(xmtp_database *db, const xmtp_consent_row *row);
/* The next records behind one (NULL: from the first), in the order of type and entity; fewer than limit
 * at the end. */
xmtp_status xmtp_consent_page(xmtp_database *db, const xmtp_consent_row *after, size_t limit,
                              xmtp_arena *arena, xmtp_consent_row **rows, size_t *count);
/* All records, in the order of their entities; rows in the arena. */
xmtp_status xmtp_consent_list(xmtp_database *db, xmtp_arena *arena, xmtp_consent_row **rows,
                              size_t *count);

/* ---- decisions that our other installations are still to be told. A record that is written anew is
 * none of them. */
xmtp_status xmtp_consent_set_unsent(xmtp_database *db, uint32_t entity_type, const char *entity,
                                    bool is_unsent);
/* At most limit; rows in the arena. */
xmtp_status xmtp_consent_list_unsent(xmtp_database *db, size_t limit, xmtp_arena *arena,
                                     xmtp_consent_row **rows, size_t *count);

#endif
