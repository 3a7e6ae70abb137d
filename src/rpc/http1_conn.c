/* http1_conn.c - see http1_conn.h.
 *
 *     HEAD --complete--> BODY | CHUNK_SIZE <-> CHUNK_DATA, CHUNK_END --> TRAILERS --> ANSWERING
 *      ^                  (no body: at once) ----------------------------------------^   |
 *      '------------------------- answered, connection stays --------------------------'
 *     any --refused, answered early, "close"--> CLOSING
 *
 * What this file promises: whatever bytes come, at most a head (16 KiB), what was sent ahead
 * (64 KiB) and the sink's own buffers are held; an exchange that was begun is ended by its sink or
 * cancelled, exactly once.
 */
#include "rpc/http1_conn.h"

#include "base/bytes.h"
#include "base/status.h"
#include "rpc/http1_parse.h"
#include "rpc/send_queue.h"

#include <assert.h>
#include <stdio.h>

typedef enum conn_state {
    STATE_HEAD,
    STATE_BODY,
    STATE_CHUNK_SIZE,
    STATE_CHUNK_DATA,
    STATE_CHUNK_END,
    STATE_TRAILERS,
    STATE_ANSWERING,
    STATE_CLOSING,
} conn_state;

struct xmtp_http1_conn {
    const xmtp_alloc *alloc;
    xmtp_http_server server;
    void *peer;
    conn_state state;
    xmtp_writer line;  /* a head, a chunk's line, trailers: while they arrive */
    size_t line_start; /* of the present line in it */
    xmtp_writer ahead; /* sent before the answer to the request before */
    bool is_ahead_too_long;
    bool has_spoken;

    bool has_exchange; /* begun, not ended */
    xmtp_http_exchange x;
    xmtp_http1_request request;
    uint64_t left;          /* bytes of the body, or of the chunk */
    uint64_t answer_left;   /* of a counted answer */
    bool is_answer_counted; /* else chunked, or until the end of the connection */
    bool is_close;          /* after this answer */
    xmtp_send_queue output;
    bool was_full;
    size_t linger_left;
    size_t budget; /* of x */

    uint64_t heard_len; /* bytes received since the phase began */
    uint64_t phase;     /* counts changes of what the clock watches */
    uint64_t phase_seen;
    uint64_t phase_since_ns;
};

/* ---- state */

static void enter(xmtp_http1_conn *conn, conn_state state)
{
    conn->state = state;
    conn->phase++;
    conn->heard_len = 0;
    xmtp_writer_free(&conn->line); /* idle connections and streams hold none */
    conn->line_start = 0;
}

static bool is_request_complete(const xmtp_http1_conn *conn)
{
    return conn->state == STATE_ANSWERING || conn->state == STATE_HEAD;
}

static void close_after_output(xmtp_http1_conn *conn)
{
    conn->linger_left = is_request_complete(conn) ? 0 : XMTP_HTTP1_LINGER_LEN_MAX;
    enter(conn, STATE_CLOSING);
}

static void forget_exchange(xmtp_http1_conn *conn)
{
    conn->has_exchange = false;
    conn->was_full = false;
    xmtp_http_head_free(&conn->x.head);
}

static void cancel_exchange(xmtp_http1_conn *conn)
{
    if (!conn->has_exchange) {
        return;
    }
    conn->has_exchange = false; /* so that an end from within does nothing */
    if (conn->x.sink != NULL && conn->x.sink->cancelled != NULL) {
        conn->x.sink->cancelled(&conn->x);
    }
    forget_exchange(conn);
}

/* ---- output */

static xmtp_status put(xmtp_http1_conn *conn, xmtp_bytes bytes)
{
    uint8_t *p = xmtp_send_queue_extend(&conn->output, conn->alloc, bytes.n);
    XMTP_ENSURE(p != NULL, XMTP_E_NOMEM);
    xmtp_copy(p, bytes.p, bytes.n);
    return XMTP_OK;
}

static xmtp_status put_text(xmtp_http1_conn *conn, const char *text)
{
    return put(conn, xmtp_bytes_of_string(text));
}

/* Refuses what cannot be a request, in place of any exchange. */
static void refuse(xmtp_http1_conn *conn, int status)
{
    char text[160];
    bool may_answer = !conn->has_exchange || !conn->x.has_responded;
    cancel_exchange(conn);
    (void)snprintf(text, sizeof text,
                   "HTTP/1.1 %d %s\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", status,
                   xmtp_http_reason(status));
    if (may_answer) {
        (void)put_text(conn, text);
    }
    enter(conn, STATE_CLOSING);
}

/* ---- answering */

static xmtp_http1_conn *conn_of(const xmtp_http_exchange *x)
{
    return (xmtp_http1_conn *)((uint8_t *)(uintptr_t)x - offsetof(xmtp_http1_conn, x));
}

static void list_field(xmtp_writer *w, const char *name, const char *value)
{
    xmtp_writer_put(w, xmtp_bytes_of_string(name));
    xmtp_writer_put(w, xmtp_bytes_of_string(": "));
    xmtp_writer_put(w, xmtp_bytes_of_string(value));
    xmtp_writer_put(w, xmtp_bytes_of_string("\r\n"));
}

static void list_framing(xmtp_http1_conn *conn, xmtp_writer *w, uint64_t body_len)
{
    char text[24];
    if (conn->is_answer_counted) {
        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)body_len);
        list_field(w, "content-length", text);
    } else if (!conn->request.is_version_0) {
        list_field(w, "transfer-encoding", "chunked");
    }
    if (conn->is_close) {
        list_field(w, "connection", "close");
    }
}

static xmtp_status respond(xmtp_http_exchange *x, int status, const xmtp_http_field *fields,
                           size_t count, uint64_t body_len)
{
    xmtp_http1_conn *conn = conn_of(x);
    char line[64];
    xmtp_writer w;
    conn->is_close |= !is_request_complete(conn) || conn->is_ahead_too_long;
    conn->is_answer_counted = body_len != XMTP_HTTP_LEN_UNKNOWN;
    conn->answer_left = body_len;
    xmtp_writer_init(&w, conn->alloc, XMTP_HTTP_HEAD_LEN_MAX);
    (void)snprintf(line, sizeof line, "HTTP/1.1 %d %s\r\n", status, xmtp_http_reason(status));
    xmtp_writer_put(&w, xmtp_bytes_of_string(line));
    for (size_t i = 0; i < count; i++) {
        list_field(&w, fields[i].name, fields[i].value);
    }
    list_framing(conn, &w, body_len);
    xmtp_writer_put(&w, xmtp_bytes_of_string("\r\n"));
    xmtp_status done = xmtp_writer_status(&w);
    done = done == XMTP_OK ? put(conn, xmtp_writer_bytes(&w)) : done;
    xmtp_writer_free(&w);
    return done;
}

static bool is_chunked_answer(const xmtp_http1_conn *conn)
{
    return !conn->is_answer_counted && !conn->request.is_version_0;
}

static xmtp_status write_body(xmtp_http_exchange *x, xmtp_bytes in)
{
    xmtp_http1_conn *conn = conn_of(x);
    char prefix[24] = "";
    XMTP_ENSURE(x->has_responded, XMTP_E_STATE);
    XMTP_ENSURE(!conn->is_answer_counted || in.n <= conn->answer_left, XMTP_E_STATE);
    conn->answer_left -= conn->is_answer_counted ? in.n : 0;
    if (conn->request.is_head) {
        return XMTP_OK;
    }
    if (is_chunked_answer(conn)) {
        (void)snprintf(prefix, sizeof prefix, "%zx\r\n", in.n);
    }
    size_t prefix_n = strlen(prefix);
    size_t suffix_n = prefix_n > 0 ? 2 : 0;
    uint8_t *p = xmtp_send_queue_extend(&conn->output, conn->alloc, prefix_n + in.n + suffix_n);
    XMTP_ENSURE(p != NULL, XMTP_E_NOMEM);
    xmtp_copy(p, prefix, prefix_n);
    xmtp_copy(p + prefix_n, in.p, in.n);
    xmtp_copy(p + prefix_n + in.n, "\r\n", suffix_n);
    conn->was_full |= xmtp_send_queue_len(&conn->output) > XMTP_HTTP_QUEUE_LOW_WATER;
    return XMTP_OK;
}

static void abort_answer(xmtp_http_exchange *x)
{
    xmtp_http1_conn *conn = conn_of(x);
    if (!conn->has_exchange) {
        return;
    }
    forget_exchange(conn);
    enter(conn, STATE_CLOSING);
}

static void end_answer(xmtp_http_exchange *x)
{
    xmtp_http1_conn *conn = conn_of(x);
    if (!conn->has_exchange) {
        return; /* from within cancelled */
    }
    bool is_short = conn->is_answer_counted && conn->answer_left > 0;
    if (!x->has_responded || is_short ||
        (is_chunked_answer(conn) && !conn->request.is_head &&
         put_text(conn, "0\r\n\r\n") != XMTP_OK)) {
        abort_answer(x);
        return;
    }
    forget_exchange(conn);
    if (conn->is_close || !is_request_complete(conn)) {
        close_after_output(conn);
        return;
    }
    enter(conn, STATE_HEAD);
}

static size_t queued(const xmtp_http_exchange *x)
{
    return xmtp_send_queue_len(&conn_of(x)->output);
}

static const xmtp_http_exchange_ops exchange_ops = {
    .respond = respond,
    .write = write_body,
    .end = end_answer,
    .abort = abort_answer,
    .queued = queued,
};

/* ---- the request */

static void complete_request(xmtp_http1_conn *conn)
{
    if (conn->state != STATE_ANSWERING) {
        enter(conn, STATE_ANSWERING);
    }
    if (conn->x.sink == NULL) {
        abort_answer(&conn->x); /* a server that neither answered nor chose a sink */
    } else if (conn->x.sink->complete != NULL) {
        conn->x.sink->complete(&conn->x);
    }
}

static void begin_exchange(xmtp_http1_conn *conn)
{
    const xmtp_http1_request *request = &conn->request;
    bool has_body = request->is_chunked || request->body_len > 0;
    conn->has_spoken = true;
    conn->is_close |= request->is_close;
    conn->left = request->is_chunked ? 0 : request->body_len;
    enter(conn, !has_body ? STATE_ANSWERING : request->is_chunked ? STATE_CHUNK_SIZE : STATE_BODY);
    conn->has_exchange = true;
    conn->server.begin(conn->server.context, &conn->x);
    if (!conn->has_exchange) {
        return; /* answered already */
    }
    if (!has_body) {
        complete_request(conn);
    } else if (request->has_expect && !conn->x.has_responded) {
        (void)put_text(conn, "HTTP/1.1 100 Continue\r\n\r\n");
    }
}

static void take_head(xmtp_http1_conn *conn)
{
    conn->x = (xmtp_http_exchange){
        .ops = &exchange_ops, .alloc = conn->alloc, .peer = conn->peer, .budget = &conn->budget};
    xmtp_http_head_init(&conn->x.head, conn->alloc);
    int refusal =
        xmtp_http1_parse_head(xmtp_writer_bytes(&conn->line), &conn->x.head, &conn->request);
    if (refusal != 0) {
        xmtp_http_head_free(&conn->x.head);
        refuse(conn, refusal);
        return;
    }
    conn->x.body_len = conn->request.body_len;
    begin_exchange(conn);
}

/* Moves bytes to conn->line up to the end of a line. False: more is needed, or it was refused with
 * too_long. */
static bool take_line(xmtp_http1_conn *conn, xmtp_bytes *in, size_t len_max, int too_long)
{
    const uint8_t *lf = memchr(in->p, '\n', in->n);
    size_t n = lf == NULL ? in->n : (size_t)(lf - in->p) + 1;
    if (conn->line.n + n > len_max) {
        refuse(conn, too_long);
        return false;
    }
    xmtp_writer_put(&conn->line, xmtp_bytes_of(in->p, n));
    in->p += n;
    in->n -= n;
    if (xmtp_writer_status(&conn->line) != XMTP_OK) {
        refuse(conn, 503);
        return false;
    }
    if (lf == NULL) {
        return false;
    }
    if (conn->line.n - conn->line_start < 2 || conn->line.p[conn->line.n - 2] != '\r') {
        refuse(conn, 400);
        return false;
    }
    return true;
}

/* True when the line that was just taken is empty; else the next one begins. */
static bool is_last_line(xmtp_http1_conn *conn)
{
    bool is_empty = conn->line.n - conn->line_start == 2;
    conn->line_start = conn->line.n;
    return is_empty;
}

static void recv_head(xmtp_http1_conn *conn, xmtp_bytes *in)
{
    if (conn->line.n == 0 && (in->p[0] < 'A' || in->p[0] > 'Z')) {
        refuse(conn, 400); /* TLS, binary noise: no line end may ever come */
        return;
    }
    if (take_line(conn, in, XMTP_HTTP_HEAD_LEN_MAX, 431) && is_last_line(conn)) {
        take_head(conn);
    }
}

static void recv_body(xmtp_http1_conn *conn, xmtp_bytes *in)
{
    size_t n = in->n < conn->left ? in->n : (size_t)conn->left;
    xmtp_bytes part = xmtp_bytes_of(in->p, n);
    in->p += n;
    in->n -= n;
    conn->left -= n;
    if (conn->x.sink != NULL && conn->x.sink->body != NULL) {
        conn->x.sink->body(&conn->x, part);
    }
    if (!conn->has_exchange || conn->left > 0) {
        return;
    }
    if (conn->state == STATE_CHUNK_DATA) {
        conn->state = STATE_CHUNK_END; /* not a new phase for the clock */
    } else {
        complete_request(conn);
    }
}

static void recv_chunk_size(xmtp_http1_conn *conn, xmtp_bytes *in)
{
    if (!take_line(conn, in, XMTP_HTTP1_CHUNK_LINE_LEN_MAX, 400)) {
        return;
    }
    if (!xmtp_http1_parse_chunk_size(xmtp_bytes_of(conn->line.p, conn->line.n - 2), &conn->left)) {
        refuse(conn, 400);
        return;
    }
    xmtp_writer_clear(&conn->line);
    conn->state = conn->left > 0 ? STATE_CHUNK_DATA : STATE_TRAILERS;
}

static void recv_chunk_end(xmtp_http1_conn *conn, xmtp_bytes *in)
{
    if (take_line(conn, in, 2, 400)) {
        xmtp_writer_clear(&conn->line);
        conn->state = STATE_CHUNK_SIZE;
    }
}

/* Trailers of a request mean nothing here. */
static void recv_trailers(xmtp_http1_conn *conn, xmtp_bytes *in)
{
    if (take_line(conn, in, XMTP_HTTP1_TRAILERS_LEN_MAX, 431) && is_last_line(conn)) {
        complete_request(conn);
    }
}

static void recv_ahead(xmtp_http1_conn *conn, xmtp_bytes *in)
{
    if (conn->ahead.n + in->n > XMTP_HTTP1_AHEAD_LEN_MAX) {
        conn->is_ahead_too_long = true;
        conn->is_close = true;
        xmtp_writer_clear(&conn->ahead);
    }
    if (!conn->is_ahead_too_long) {
        xmtp_writer_put(&conn->ahead, *in);
    }
    in->n = 0;
}

static void recv_some(xmtp_http1_conn *conn, xmtp_bytes *in)
{
    switch (conn->state) {
    case STATE_HEAD:
        recv_head(conn, in);
        return;
    case STATE_BODY:
    case STATE_CHUNK_DATA:
        recv_body(conn, in);
        return;
    case STATE_CHUNK_SIZE:
        recv_chunk_size(conn, in);
        return;
    case STATE_CHUNK_END:
        recv_chunk_end(conn, in);
        return;
    case STATE_TRAILERS:
        recv_trailers(conn, in);
        return;
    case STATE_ANSWERING:
        recv_ahead(conn, in);
        return;
    case STATE_CLOSING:
        conn->linger_left -= in->n < conn->linger_left ? in->n : conn->linger_left;
        in->n = 0;
        return;
    }
}

void xmtp_http1_conn_recv(xmtp_http1_conn *conn, xmtp_bytes in)
{
    conn->heard_len += in.n;
    while (in.n > 0) {
        recv_some(conn, &in);
    }
}

/* What was sent ahead is looked at when its turn has come. */
static bool can_go_on(const xmtp_http1_conn *conn)
{
    return conn->state == STATE_HEAD && conn->ahead.n > 0;
}

static void go_on(xmtp_http1_conn *conn)
{
    uint8_t *p;
    size_t n;
    if (can_go_on(conn) && xmtp_writer_detach(&conn->ahead, &p, &n) == XMTP_OK) {
        xmtp_http1_conn_recv(conn, xmtp_bytes_of(p, n));
        (void)conn->alloc->reallocate(conn->alloc->context, p, 0);
    }
}

/* ---- the driver's side */

size_t xmtp_http1_conn_send(xmtp_http1_conn *conn, uint8_t *out, size_t capacity)
{
    go_on(conn);
    size_t n = xmtp_send_queue_take(&conn->output, conn->alloc, out, capacity);
    if (conn->was_full && xmtp_send_queue_len(&conn->output) <= XMTP_HTTP_QUEUE_LOW_WATER) {
        conn->was_full = false;
        if (conn->has_exchange && conn->x.sink != NULL && conn->x.sink->writable != NULL) {
            conn->x.sink->writable(&conn->x);
        }
    }
    return n;
}

bool xmtp_http1_conn_has_output(const xmtp_http1_conn *conn)
{
    return xmtp_send_queue_len(&conn->output) > 0 || can_go_on(conn);
}

bool xmtp_http1_conn_is_done(const xmtp_http1_conn *conn)
{
    return conn->state == STATE_CLOSING && conn->linger_left == 0 &&
           xmtp_send_queue_len(&conn->output) == 0;
}

bool xmtp_http1_conn_has_spoken(const xmtp_http1_conn *conn)
{
    return conn->has_spoken;
}

void xmtp_http1_conn_drain(xmtp_http1_conn *conn)
{
    conn->is_close = true;
    if (!conn->has_exchange && conn->state != STATE_CLOSING) {
        enter(conn, STATE_CLOSING);
    }
}

void xmtp_http1_conn_shutdown(xmtp_http1_conn *conn)
{
    conn->is_close = true;
    if (conn->has_exchange && conn->x.sink != NULL && conn->x.sink->stop != NULL) {
        conn->x.sink->stop(&conn->x);
    }
    cancel_exchange(conn);
    if (conn->state != STATE_CLOSING) {
        enter(conn, STATE_CLOSING);
    }
    conn->linger_left = 0;
}

/* Seconds that the present phase may take; 0: no limit here. */
static uint64_t phase_seconds(const xmtp_http1_conn *conn)
{
    switch (conn->state) {
    case STATE_HEAD:
        return conn->line.n > 0 ? XMTP_HTTP1_HEAD_SECONDS : XMTP_HTTP1_IDLE_SECONDS;
    case STATE_BODY:
    case STATE_CHUNK_SIZE:
    case STATE_CHUNK_DATA:
    case STATE_CHUNK_END:
    case STATE_TRAILERS:
        return XMTP_HTTP1_BODY_SECONDS;
    case STATE_ANSWERING:
        return 0;
    case STATE_CLOSING:
        return XMTP_HTTP1_LINGER_SECONDS;
    }
    return 0;
}

static bool has_body_progress(const xmtp_http1_conn *conn)
{
    return conn->state != STATE_HEAD && conn->state != STATE_CLOSING &&
           conn->heard_len >= XMTP_HTTP1_BODY_LEN_MIN;
}

xmtp_status xmtp_http1_conn_tick(xmtp_http1_conn *conn, uint64_t now_ns)
{
    /* A head's first byte starts a phase of its own. */
    uint64_t phase = 2 * conn->phase + (conn->state == STATE_HEAD && conn->line.n > 0 ? 1 : 0);
    if (phase != conn->phase_seen) {
        conn->phase_seen = phase;
        conn->phase_since_ns = now_ns;
    }
    uint64_t limit = phase_seconds(conn);
    if (limit == 0 || now_ns - conn->phase_since_ns < limit * 1000000000) {
        return XMTP_OK;
    }
    if (!has_body_progress(conn)) {
        return XMTP_E_TIMEOUT;
    }
    conn->heard_len = 0;
    conn->phase_since_ns = now_ns;
    return XMTP_OK;
}

/* ---- making and freeing */

xmtp_status xmtp_http1_conn_new(xmtp_http1_conn **out, const xmtp_alloc *alloc,
                                const xmtp_http_server *server, void *peer)
{
    *out = NULL;
    xmtp_http1_conn *conn = alloc->reallocate(alloc->context, NULL, sizeof *conn);
    XMTP_ENSURE(conn != NULL, XMTP_E_NOMEM);
    *conn = (xmtp_http1_conn){.alloc = alloc,
                              .server = *server,
                              .peer = peer,
                              .phase_seen = UINT64_MAX,
                              .budget = XMTP_HTTP1_REQUEST_LEN_MAX};
    xmtp_writer_init(&conn->line, alloc, XMTP_HTTP_HEAD_LEN_MAX);
    xmtp_writer_init(&conn->ahead, alloc, XMTP_HTTP1_AHEAD_LEN_MAX);
    *out = conn;
    return XMTP_OK;
}

void xmtp_http1_conn_free(xmtp_http1_conn *conn)
{
    if (conn == NULL) {
        return;
    }
    cancel_exchange(conn);
    xmtp_writer_free(&conn->line);
    xmtp_writer_free(&conn->ahead);
    xmtp_send_queue_free(&conn->output, conn->alloc);
    (void)conn->alloc->reallocate(conn->alloc->context, conn, 0);
}
