/* history_internal.h - what the files of the history server share: history.c has the folder and the
 * requests, history_upload.c and history_download.c one transfer each.
 *
 * A transfer belongs to the loop of its connection, or while its errand is away, to a worker. Only
 * workers touch the disk.
 */
#ifndef XMTP_NODE_HISTORY_INTERNAL_H
#define XMTP_NODE_HISTORY_INTERNAL_H

#include "node/history.h"
#include "node/listener_internal.h"

#include <stdatomic.h>

enum { XMTP_HISTORY_ID_LEN = 36, XMTP_HISTORY_PIECE_LEN = 256 * 1024 };

#define XMTP_HISTORY_PART_SUFFIX ".part"

struct xmtp_node_history {
    const xmtp_env *env;
    xmtp_node_history_options options;
    int dir; /* descriptor of the folder; -1: nothing is stored */
    atomic_uint_fast64_t len;
    atomic_size_t transfers;
    xmtp_node_work sweep;
    atomic_bool is_sweeping;
};

/* ---- history.c */

/* False: there are as many as may be. Every true is followed by an end. */
bool xmtp_history_begin_transfer(xmtp_node_history *history);
void xmtp_history_end_transfer(xmtp_node_history *history);

/* Counts n more bytes; false where they are too many. */
bool xmtp_history_take_room(xmtp_node_history *history, uint64_t n);
void xmtp_history_give_room(xmtp_node_history *history, uint64_t n);

/* A random UUID, version 4: 8-4-4-4-12 hexadecimal digits. XMTP_E_RANDOM. */
xmtp_status xmtp_history_make_id(const xmtp_env *env, char out[XMTP_HISTORY_ID_LEN + 1]);
bool xmtp_history_is_id(const char *text);

struct stat;
bool xmtp_history_is_too_old(const xmtp_node_history *history, const struct stat *st);

/* ---- take the exchange over, from within the server's begin */

void xmtp_history_begin_upload(xmtp_node_history *history, xmtp_http_exchange *x);
void xmtp_history_begin_download(xmtp_node_history *history, xmtp_http_exchange *x, const char *id);

#endif
