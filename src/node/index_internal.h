/* index_internal.h - keys and values of the index, shared by its writing and its reading half. */
#ifndef XMTP_NODE_INDEX_INTERNAL_H
#define XMTP_NODE_INDEX_INTERNAL_H

#include "base/bytes.h"
#include "node/address_change.h"
#include "node/index.h"

#include <assert.h>
#include <lmdb.h>

enum {
    XMTP_NODE_INDEX_DIR_MAX = 4000,
    XMTP_NODE_INDEX_PATH_MAX = 4096,
    XMTP_NODE_INDEX_KEY_MAX = 320, /* LMDB allows 511 */
    XMTP_NODE_PLACE_LEN = 21,      /* time, segment, offset, len, flags */
};

struct xmtp_node_index {
    const xmtp_env *env;
    MDB_env *mdb;
    MDB_dbi dbi;
    size_t len_max; /* 0: the default */
    bool is_in_memory;
    char dir[XMTP_NODE_INDEX_DIR_MAX];
};

typedef struct xmtp_node_index_key {
    uint8_t p[XMTP_NODE_INDEX_KEY_MAX];
    size_t n;
} xmtp_node_index_key;

static inline void xmtp_node_index_key_add(xmtp_node_index_key *key, const void *p, size_t n)
{
    assert(n <= sizeof key->p - key->n);
    xmtp_copy(key->p + key->n, p, n);
    key->n += n;
}

static inline void xmtp_node_index_topic_key(xmtp_node_index_key *key, xmtp_node_kind kind,
                                             xmtp_bytes topic, uint64_t id)
{
    uint8_t head[3] = {'M', (uint8_t)kind, (uint8_t)topic.n};
    uint8_t tail[8];
    for (int i = 0; i < 8; i++) {
        tail[i] = (uint8_t)(id >> (56 - 8 * i));
    }
    key->n = 0;
    xmtp_node_index_key_add(key, head, sizeof head);
    xmtp_node_index_key_add(key, topic.p, topic.n);
    xmtp_node_index_key_add(key, tail, sizeof tail);
}

xmtp_status xmtp_node_index_status(int code);
xmtp_status xmtp_node_index_fail(xmtp_error *error, int code, const char *doing);

#endif
