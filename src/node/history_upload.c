/* history_upload.c - one file on its way to the disk.
 *
 *     loop:    body --> pending -----.                              .--> 200, the id
 *                                     '--> errand --> ... --> errand
 *     worker:                     open, write <id>.part      the rest, sync, rename to <id>
 *
 * While more than PENDING_LEN_HIGH waits, the connection is not read. An upload that fails or is
 * given up sends one more errand, which removes what is there. The answer leaves after the file and
 * its name are durable.
 */
#include "node/history_internal.h"

#include "base/bytes.h"
#include "base/status.h"
#include "rpc/cors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { PENDING_LEN_HIGH = XMTP_HISTORY_PIECE_LEN };

typedef struct upload {
    xmtp_node_errand errand; /* first */
    xmtp_node_history *history;
    xmtp_node_connection *connection;
    xmtp_http_exchange *x; /* NULL: answered, or given up by the peer */
    uint64_t len;          /* that came; counted in the history's */
    xmtp_writer pending;   /* of it, for the next errand */
    int refusal;           /* 0: none */
    const char *refusal_text;
    bool is_complete;
    bool is_away;
    bool is_paused;

    /* Of whoever has it. */
    xmtp_writer working;
    bool is_last;     /* of the errands of a good upload */
    bool is_dropping; /* what is there goes */
    bool has_failed;
    int file;
    char name[XMTP_HISTORY_ID_LEN + sizeof XMTP_HISTORY_PART_SUFFIX];
} upload;

/* ---- in a worker */

static bool write_all(int file, xmtp_bytes in)
{
    while (in.n > 0) {
        ssize_t n = write(file, in.p, in.n);
        if (n <= 0 && errno != EINTR) {
            return false;
        }
        in.p += n > 0 ? n : 0;
        in.n -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool open_part(upload *u)
{
    if (u->file < 0) {
        u->file = openat(u->history->dir, u->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    }
    return u->file >= 0;
}

/* The file and its name are durable after this. */
static bool finish_file(upload *u)
{
    char id[XMTP_HISTORY_ID_LEN + 1];
    memcpy(id, u->name, XMTP_HISTORY_ID_LEN);
    id[XMTP_HISTORY_ID_LEN] = '\0';
    if (fdatasync(u->file) != 0 || renameat(u->history->dir, u->name, u->history->dir, id) != 0) {
        return false;
    }
    memcpy(u->name, id, sizeof id); /* what has to go if it cannot be kept */
    return fsync(u->history->dir) == 0;
}

static void close_file(upload *u)
{
    if (u->file >= 0) {
        (void)close(u->file);
        u->file = -1;
    }
}

static void run(xmtp_node_errand *errand)
{
    upload *u = (upload *)errand;
    if (u->is_dropping) {
        close_file(u);
        (void)unlinkat(u->history->dir, u->name, 0);
        return;
    }
    u->has_failed = !open_part(u) || !write_all(u->file, xmtp_writer_bytes(&u->working)) ||
                    (u->is_last && !finish_file(u));
    if (u->is_last) {
        close_file(u);
    }
}

/* ---- in the loop */

static void pause_reading(upload *u, bool is_paused)
{
    if (is_paused && !u->is_paused) {
        xmtp_node_connection_pause(u->connection);
    } else if (!is_paused && u->is_paused) {
        xmtp_node_connection_resume(u->connection);
    }
    u->is_paused = is_paused;
}

static void send_errand(upload *u)
{
    xmtp_writer_free(&u->working);
    u->working = u->pending;
    xmtp_writer_init(&u->pending, &u->history->env->alloc, XMTP_WRITER_MAX);
    u->is_last = u->is_complete;
    u->is_away = true;
    xmtp_node_errand_send(u->errand.listener, &u->errand);
}

static void free_upload(upload *u)
{
    const xmtp_alloc *alloc = &u->history->env->alloc;
    xmtp_writer_free(&u->pending);
    xmtp_writer_free(&u->working);
    xmtp_history_end_transfer(u->history);
    (void)alloc->reallocate(alloc->context, u, 0);
}

static void drop(upload *u)
{
    pause_reading(u, false);
    if (!u->is_away) {
        u->is_dropping = true;
        send_errand(u);
    }
}

/* The answer leaves when nothing of the file is left. */
static void refuse(upload *u, int status, const char *text)
{
    u->refusal = status;
    u->refusal_text = text;
    drop(u);
}

static void end_exchange(upload *u, xmtp_http_exchange *x, int status, const char *text)
{
    xmtp_node_connection_touch(u->connection);
    x->sink = NULL;
    xmtp_cors_answer(x, status, text);
}

static void dropped(upload *u)
{
    xmtp_history_give_room(u->history, u->len);
    if (u->x != NULL) {
        end_exchange(u, u->x, u->refusal, u->refusal_text);
    }
    free_upload(u);
}

static void answer(upload *u)
{
    pause_reading(u, false);
    end_exchange(u, u->x, 200, u->name); /* finish_file made it the whole name */
    free_upload(u);
}

static void go_on(upload *u)
{
    if (u->pending.n > 0 || u->is_complete) {
        send_errand(u);
    }
    pause_reading(u, u->pending.n > PENDING_LEN_HIGH);
}

static void done(xmtp_node_errand *errand)
{
    upload *u = (upload *)errand;
    u->is_away = false;
    if (u->is_dropping) {
        dropped(u);
    } else if (u->x == NULL || u->refusal != 0) {
        drop(u);
    } else if (u->has_failed) {
        refuse(u, 507, "the file cannot be stored\n");
    } else if (u->is_last) {
        answer(u);
    } else {
        go_on(u);
    }
}

static void keep(upload *u, xmtp_bytes in)
{
    u->len += in.n;
    xmtp_writer_put(&u->pending, in);
    if (xmtp_writer_status(&u->pending) != XMTP_OK) {
        refuse(u, 507, "the file cannot be stored\n");
    } else if (!u->is_away) {
        send_errand(u);
    } else if (u->pending.n > PENDING_LEN_HIGH) {
        pause_reading(u, true);
    }
}

static void on_body(xmtp_http_exchange *x, xmtp_bytes in)
{
    upload *u = x->data;
    if (u->refusal != 0) {
        return;
    }
    if (in.n > u->history->options.file_len_max - u->len) {
        refuse(u, 413, "the file is too large\n");
    } else if (!xmtp_history_take_room(u->history, in.n)) {
        refuse(u, 507, "no room for more files\n");
    } else {
        keep(u, in);
    }
}

static void on_complete(xmtp_http_exchange *x)
{
    upload *u = x->data;
    u->is_complete = true;
    if (!u->is_away && u->refusal == 0) {
        send_errand(u);
    }
}

static void on_cancelled(xmtp_http_exchange *x)
{
    upload *u = x->data;
    u->x = NULL;
    drop(u);
}

static void on_stop(xmtp_http_exchange *x)
{
    upload *u = x->data;
    u->x = NULL;
    end_exchange(u, x, 503, "node is shutting down\n");
    drop(u);
}

static const xmtp_http_sink sink = {
    .body = on_body, .complete = on_complete, .cancelled = on_cancelled, .stop = on_stop};

static upload *make_upload(xmtp_node_history *history, xmtp_http_exchange *x)
{
    const xmtp_alloc *alloc = &history->env->alloc;
    xmtp_node_connection *connection = x->peer;
    char id[XMTP_HISTORY_ID_LEN + 1];
    upload *u = alloc->reallocate(alloc->context, NULL, sizeof *u);
    if (u == NULL || xmtp_history_make_id(history->env, id) != XMTP_OK) {
        (void)alloc->reallocate(alloc->context, u, 0);
        return NULL;
    }
    *u = (upload){.errand = {.run = run, .done = done, .listener = connection->listener},
                  .history = history,
                  .connection = connection,
                  .x = x,
                  .file = -1};
    (void)snprintf(u->name, sizeof u->name, "%s%s", id, XMTP_HISTORY_PART_SUFFIX);
    xmtp_writer_init(&u->pending, alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&u->working, alloc, XMTP_WRITER_MAX);
    return u;
}

void xmtp_history_begin_upload(xmtp_node_history *history, xmtp_http_exchange *x)
{
    if (x->body_len != XMTP_HTTP_LEN_UNKNOWN && x->body_len > history->options.file_len_max) {
        xmtp_cors_answer(x, 413, "the file is too large\n");
        return;
    }
    if (!xmtp_history_begin_transfer(history)) {
        xmtp_cors_answer(x, 503, "too many files at once\n");
        return;
    }
    upload *u = make_upload(history, x);
    if (u == NULL) {
        xmtp_history_end_transfer(history);
        xmtp_cors_answer(x, 503, "the node is out of memory\n");
        return;
    }
    x->data = u;
    x->sink = &sink;
}
