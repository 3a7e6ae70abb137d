/* history_download.c - one file on its way to a peer.
 *
 *     worker: open, read a piece --> loop: send it --> the peer takes it --> worker: the next ...
 */
#include "node/history_internal.h"

#include "base/bytes.h"
#include "base/status.h"
#include "rpc/cors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { QUEUE_LEN_HIGH = 4 * XMTP_HTTP_QUEUE_LOW_WATER };

typedef struct download {
    xmtp_node_errand errand; /* first */
    xmtp_node_history *history;
    xmtp_node_connection *connection;
    xmtp_http_exchange *x; /* NULL: ended, or given up by the peer */
    bool is_away;
    bool has_begun; /* the head is sent */

    /* Of whoever has it. */
    int file;
    uint64_t file_len;
    uint64_t len;      /* read */
    ssize_t piece_len; /* negative: there is no such file, or it cannot be read */
    char id[XMTP_HISTORY_ID_LEN + 1];
    uint8_t piece[XMTP_HISTORY_PIECE_LEN];
} download;

/* ---- in a worker */

static bool open_file(download *d)
{
    struct stat st;
    if (d->file >= 0) {
        return true;
    }
    d->file = openat(d->history->dir, d->id, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (d->file < 0 || fstat(d->file, &st) != 0 || xmtp_history_is_too_old(d->history, &st)) {
        return false;
    }
    d->file_len = (uint64_t)st.st_size;
    return true;
}

static void run(xmtp_node_errand *errand)
{
    download *d = (download *)errand;
    d->piece_len = -1;
    if (open_file(d)) {
        d->piece_len = pread(d->file, d->piece, sizeof d->piece, (off_t)d->len);
        d->len += d->piece_len > 0 ? (uint64_t)d->piece_len : 0;
    }
}

/* ---- in the loop */

static void free_download(download *d)
{
    const xmtp_alloc *alloc = &d->history->env->alloc;
    if (d->file >= 0) {
        (void)close(d->file);
    }
    xmtp_history_end_transfer(d->history);
    (void)alloc->reallocate(alloc->context, d, 0);
}

static void send_errand(download *d)
{
    d->is_away = true;
    xmtp_node_errand_send(d->errand.listener, &d->errand);
}

/* The download is over, and its exchange the caller's. */
static xmtp_http_exchange *leave(download *d)
{
    xmtp_http_exchange *x = d->x;
    x->sink = NULL;
    free_download(d);
    return x;
}

static xmtp_status send_head(download *d)
{
    const xmtp_http_field fields[] = {
        {"content-type", "application/octet-stream"}, xmtp_cors_fields[0], xmtp_cors_fields[1]};
    d->has_begun = true;
    return xmtp_http_respond(d->x, 200, fields, 1 + XMTP_CORS_FIELDS, d->file_len);
}

/* A cut file would be taken for whole by nobody: its length was announced. */
static void send_piece(download *d)
{
    size_t n = (size_t)d->piece_len;
    bool is_cut = n == 0 && d->len < d->file_len;
    xmtp_status status = d->has_begun ? XMTP_OK : send_head(d);
    if (status == XMTP_OK && n > 0) {
        status = xmtp_http_write(d->x, xmtp_bytes_of(d->piece, n));
    }
    if (status != XMTP_OK || is_cut) {
        xmtp_http_abort(leave(d));
    } else if (d->len >= d->file_len) {
        xmtp_http_end(leave(d));
    } else if (xmtp_http_queued(d->x) < QUEUE_LEN_HIGH) {
        send_errand(d);
    }
}

static void done(xmtp_node_errand *errand)
{
    download *d = (download *)errand;
    d->is_away = false;
    if (d->x == NULL) {
        free_download(d);
        return;
    }
    xmtp_node_connection_touch(d->connection);
    if (d->piece_len >= 0) {
        send_piece(d);
    } else if (d->has_begun) {
        xmtp_http_abort(leave(d));
    } else {
        xmtp_cors_answer(leave(d), 404, "no such file\n");
    }
}

static void on_writable(xmtp_http_exchange *x)
{
    download *d = x->data;
    if (!d->is_away) {
        send_errand(d);
    }
}

static void on_cancelled(xmtp_http_exchange *x)
{
    download *d = x->data;
    d->x = NULL;
    if (!d->is_away) {
        free_download(d);
    }
}

static void on_complete(xmtp_http_exchange *x)
{
    send_errand(x->data);
}

static const xmtp_http_sink sink = {
    .complete = on_complete, .writable = on_writable, .cancelled = on_cancelled};

void xmtp_history_begin_download(xmtp_node_history *history, xmtp_http_exchange *x, const char *id)
{
    const xmtp_alloc *alloc = &history->env->alloc;
    xmtp_node_connection *connection = x->peer;
    if (!xmtp_history_is_id(id)) {
        xmtp_cors_answer(x, 404, "no such file\n");
        return;
    }
    if (!xmtp_history_begin_transfer(history)) {
        xmtp_cors_answer(x, 503, "too many files at once\n");
        return;
    }
    download *d = alloc->reallocate(alloc->context, NULL, sizeof *d);
    if (d == NULL) {
        xmtp_history_end_transfer(history);
        xmtp_cors_answer(x, 503, "the node is out of memory\n");
        return;
    }
    d->errand = (xmtp_node_errand){.run = run, .done = done, .listener = connection->listener};
    d->history = history;
    d->connection = connection;
    d->x = x;
    d->is_away = false;
    d->has_begun = false;
    d->file = -1;
    d->file_len = 0;
    d->len = 0;
    memcpy(d->id, id, sizeof d->id);
    x->data = d;
    x->sink = &sink;
}
