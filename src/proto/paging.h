/* paging.h - what all queries of the network ask: the page behind a cursor, the oldest first. */
#ifndef XMTP_PROTO_PAGING_H
#define XMTP_PROTO_PAGING_H

#include "proto/mls_api.pb-c.h"

/* cursor: the id of the newest that is known, 0: none. limit: rows, at most 100 are given. */
static inline void xmtp_paging_after(Pb__PagingInfo *out, uint64_t cursor, uint32_t limit)
{
    *out = (Pb__PagingInfo)PB__PAGING_INFO__INIT;
    out->has_direction = 1;
    out->direction = PB__SORT_DIRECTION__SORT_DIRECTION_ASCENDING;
    out->has_limit = 1;
    out->limit = limit;
    out->has_id_cursor = cursor != 0;
    out->id_cursor = cursor;
}

#endif
