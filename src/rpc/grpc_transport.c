/* grpc_transport.c - the transport contract over gRPC: blocking calls driven with poll(2).
 *
 *     transport --+-- link (newest: new calls go here) -- client_conn -- calls
 *                 +-- link (told to go away: its calls run on) ...
 *                 +-- streams, each with its call
 *                 '-- wake_fd
 *
 * There is no thread: bytes move while the caller is in one of our functions (turn). A call belongs
 * to its stream or to the running unary, not to the link, so a lost connection only ends it; what
 * it had received can still be read.
 */
#include "rpc/grpc_transport.h"

#include "base/bytes.h"
#include "base/status.h"
#include "rpc/client_conn.h"
#include "rpc/credential.h"
#include "rpc/link.h"
#include "rpc/list.h"
#include "rpc/tcp.h"
#include "rpc/url.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* As the official client. */
static const uint64_t CONNECT_NS = UINT64_C(10) * 1000000000;
static const uint64_t CALL_NS = UINT64_C(120) * 1000000000;

/* One that takes calls and those that a node told to go away and that have streams left. */
enum { LINKS_MAX = 16 };

enum { APP_VERSION_MAX = 128 };

/* A node takes at least 100 streams of a connection at a time (RFC 9113 section 6.5.2). */
enum { UNARY_AT_ONCE = 64 };

typedef struct grpc_transport {
    const xmtp_alloc *alloc;
    xmtp_list links; /* newest last */
    xmtp_list streams;
    int wake_fd;
    xmtp_url url;
    xmtp_tls_client *tls; /* NULL: clear text, or not connected yet */
    char app_version[APP_VERSION_MAX];
    xmtp_kept_credential *credential; /* NULL: none */
} grpc_transport;

struct xmtp_stream {
    xmtp_list list;
    xmtp_rpc_client_call *call;
};

/* --- moving bytes --- */

static void drop_link(xmtp_link *link, xmtp_status status, const char *why)
{
    /* An orderly end of the connection is no orderly end of its calls. */
    bool is_peer_wrong = status == XMTP_E_PROTOCOL || status == XMTP_E_NOMEM ||
                         status == XMTP_E_UNTRUSTED || status == XMTP_E_TLS;
    xmtp_rpc_client_conn_fail(link->conn, is_peer_wrong ? status : XMTP_E_NETWORK, why);
    xmtp_link_free(link);
}

static void work_links(grpc_transport *t)
{
    for (xmtp_list *l = t->links.next, *next; l != &t->links; l = next) {
        next = l->next;
        xmtp_link *link = XMTP_LIST_OF(l, xmtp_link, list);
        const char *why = NULL;
        xmtp_status status = xmtp_link_work(link, &why);
        if (status != XMTP_OK) {
            drop_link(link, status, why);
        }
    }
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Waits until some socket can do something, wake is called (if is_wakeable), or the deadline. */
static void wait_sockets(grpc_transport *t, uint64_t deadline_ns, bool is_wakeable)
{
    struct pollfd fds[1 + LINKS_MAX] = {{.fd = is_wakeable ? t->wake_fd : -1, .events = POLLIN}};
    nfds_t n = 1;
    for (xmtp_list *l = t->links.next; l != &t->links && n <= LINKS_MAX; l = l->next) {
        const xmtp_link *link = XMTP_LIST_OF(l, xmtp_link, list);
        fds[n++] = (struct pollfd){.fd = link->fd, .events = xmtp_link_events(link)};
        deadline_ns = min_u64(deadline_ns, link->tick_at_ns);
    }
    (void)poll(fds, n, xmtp_tcp_poll_ms(deadline_ns)); /* callers look again, whatever it says */
}

/* One turn of the crank: wait, then move bytes. */
static void turn(grpc_transport *t, uint64_t deadline_ns, bool is_wakeable)
{
    wait_sockets(t, deadline_ns, is_wakeable);
    work_links(t);
}

/* --- connecting --- */

static size_t count_links(const grpc_transport *t)
{
    size_t n = 0;
    for (const xmtp_list *l = t->links.next; l != &t->links; l = l->next) {
        n++;
    }
    return n;
}

/* Whom the system trusts, unless the caller has said already whom. */
static xmtp_status prepare_tls(grpc_transport *t, xmtp_error *error)
{
    bool is_prepared = !t->url.is_tls || t->tls != NULL;
    return is_prepared ? XMTP_OK
                       : xmtp_tls_client_open(&t->tls, t->alloc, NULL, t->url.host, error);
}

static xmtp_status connect_node(grpc_transport *t, xmtp_link **out, xmtp_error *error)
{
    const xmtp_rpc_client_options options = {
        .authority = t->url.authority,
        .app_version = t->app_version,
        .is_tls = t->url.is_tls,
    };
    uint64_t deadline_ns = xmtp_tcp_now_ns() + CONNECT_NS;
    int fd;
    if (count_links(t) >= LINKS_MAX) {
        return xmtp_fail(error, XMTP_E_LIMIT, "%d connections are waiting for their streams to end",
                         LINKS_MAX);
    }
    XMTP_TRY(prepare_tls(t, error));
    XMTP_TRY(xmtp_tcp_connect(&fd, t->url.host, t->url.port, CONNECT_NS, error));
    xmtp_status status = xmtp_link_new(out, t->alloc, fd, t->tls, deadline_ns, &options);
    if (status != XMTP_OK) {
        return xmtp_fail_default(error, status, "connecting");
    }
    xmtp_list_append(&t->links, &(*out)->list);
    return XMTP_OK;
}

/* A link for a new call: the newest if it is alive and willing (sockets are looked at first, so
 * that a connection lost while we were away is noticed now), else a new one. */
static xmtp_status find_link(grpc_transport *t, xmtp_link **out, xmtp_error *error)
{
    work_links(t);
    if (!xmtp_list_is_empty(&t->links)) {
        *out = XMTP_LIST_OF(t->links.prev, xmtp_link, list);
        if (xmtp_rpc_client_conn_is_accepting((*out)->conn)) {
            return XMTP_OK;
        }
    }
    return connect_node(t, out, error);
}

/* Turns until the call has something to tell, or headers if they are enough. */
static xmtp_status await_call(grpc_transport *t, const xmtp_rpc_client_call *call,
                              bool headers_are_enough, uint64_t deadline_ns, xmtp_error *error)
{
    while (!xmtp_rpc_client_call_has_news(call) &&
           !(headers_are_enough && xmtp_rpc_client_call_has_headers(call))) {
        if (xmtp_tcp_now_ns() >= deadline_ns) {
            return xmtp_fail(error, XMTP_E_TIMEOUT, "node did not answer within %d s",
                             (int)(CALL_NS / 1000000000));
        }
        turn(t, deadline_ns, false);
    }
    return XMTP_OK;
}

/* What new calls need: a link, and a credential that is valid. */
static xmtp_status get_ready(grpc_transport *t, xmtp_link **link, xmtp_error *error)
{
    if (t->credential != NULL) {
        XMTP_TRY(xmtp_credential_refresh(t->credential, error));
    }
    return find_link(t, link, error);
}

/* Nothing of it is written yet. */
static xmtp_status queue_call(const grpc_transport *t, const xmtp_link *link, const char *path,
                              xmtp_bytes request, xmtp_rpc_client_call **out)
{
    const xmtp_kept_credential *c = t->credential;
    *out = NULL;
    return xmtp_rpc_client_call_start_with(
        out, link->conn, path, request, c == NULL ? NULL : c->header, c == NULL ? NULL : c->value);
}

static xmtp_status start_once(grpc_transport *t, const char *path, xmtp_bytes request,
                              xmtp_rpc_client_call **out, xmtp_error *error)
{
    xmtp_link *link;
    *out = NULL;
    XMTP_TRY(get_ready(t, &link, error));
    xmtp_status status = queue_call(t, link, path, request, out);
    if (status != XMTP_OK) {
        return xmtp_fail_default(error, status, path);
    }
    work_links(t); /* may end the call at once, which it then tells */
    return XMTP_OK;
}

/* Waits for what await_call waits for; starts the call once more when the node refused it without having
 * looked, as it does when our call and its GOAWAY cross. *call is NULL after a failure. */
static xmtp_status await_started(grpc_transport *t, const char *path, xmtp_bytes request,
                                 bool headers_are_enough, uint64_t deadline_ns,
                                 xmtp_rpc_client_call **call, xmtp_error *error)
{
    for (int try = 0;; try++) {
        xmtp_status status = await_call(t, *call, headers_are_enough, deadline_ns, error);
        if (status == XMTP_OK && (try > 0 || !xmtp_rpc_client_call_was_refused(*call))) {
            return XMTP_OK;
        }
        xmtp_rpc_client_call_free(*call);
        *call = NULL;
        XMTP_TRY(status);
        XMTP_TRY(start_once(t, path, request, call, error));
    }
}

static xmtp_status start_call(grpc_transport *t, const char *path, xmtp_bytes request,
                              bool headers_are_enough, uint64_t deadline_ns,
                              xmtp_rpc_client_call **out, xmtp_error *error)
{
    XMTP_TRY(start_once(t, path, request, out, error));
    return await_started(t, path, request, headers_are_enough, deadline_ns, out, error);
}

/* --- unary --- */

static xmtp_status keep_answer(xmtp_writer *response, xmtp_bytes message, xmtp_error *error)
{
    xmtp_writer_put(response, message);
    if (xmtp_writer_status(response) != XMTP_OK) {
        return xmtp_fail(error, xmtp_writer_status(response), "node's answer of %zu bytes",
                         message.n);
    }
    return XMTP_OK;
}

/* Exactly one message, then status 0; an error may come without a message. */
static xmtp_status read_answer(grpc_transport *t, xmtp_rpc_client_call *call, uint64_t deadline_ns,
                               xmtp_writer *response, xmtp_error *error)
{
    size_t count = 0;
    for (;;) {
        xmtp_bytes message;
        XMTP_TRY(await_call(t, call, false, deadline_ns, error));
        xmtp_status status = xmtp_rpc_client_call_next(call, &message, error);
        if (status == XMTP_E_CLOSED && count == 1) {
            return XMTP_OK;
        }
        if (status == XMTP_E_CLOSED || (status == XMTP_OK && count == 1)) {
            return xmtp_fail(error, XMTP_E_PROTOCOL, "node answered with %s than one message",
                             count == 0 ? "less" : "more");
        }
        XMTP_TRY(status);
        XMTP_TRY(keep_answer(response, message, error));
        count++;
    }
}

/* The answer, or an empty response. Frees the call. */
static xmtp_status finish_call(grpc_transport *t, xmtp_rpc_client_call *call, uint64_t deadline_ns,
                               xmtp_writer *response, xmtp_error *error)
{
    xmtp_status status = read_answer(t, call, deadline_ns, response, error);
    if (status != XMTP_OK) {
        xmtp_writer_clear(response);
    }
    xmtp_rpc_client_call_free(call);
    return status;
}

static xmtp_status grpc_unary_while(void *context, const char *path, xmtp_bytes request,
                                    xmtp_writer *response, const xmtp_meanwhile *meanwhile,
                                    xmtp_error *error)
{
    grpc_transport *t = context;
    xmtp_rpc_client_call *call;
    xmtp_error ignored;
    error = error == NULL ? &ignored : error;
    xmtp_writer_clear(response);
    uint64_t deadline_ns = xmtp_tcp_now_ns() + CALL_NS;
    xmtp_status status = start_once(t, path, request, &call, error);
    if (meanwhile != NULL) {
        meanwhile->run(meanwhile->context);
    }
    XMTP_TRY(status);
    XMTP_TRY(await_started(t, path, request, false, deadline_ns, &call, error));
    return finish_call(t, call, deadline_ns, response, error);
}

static xmtp_status grpc_unary(void *context, const char *path, xmtp_bytes request,
                              xmtp_writer *response, xmtp_error *error)
{
    return grpc_unary_while(context, path, request, response, NULL, error);
}

/* At most UNARY_AT_ONCE of them. */
static void unary_some(grpc_transport *t, xmtp_unary *calls, size_t count)
{
    xmtp_rpc_client_call *running[UNARY_AT_ONCE] = {NULL};
    xmtp_error error = {.status = XMTP_OK}; /* the callers have no use for the sentence */
    xmtp_link *link = NULL;
    uint64_t deadline_ns = xmtp_tcp_now_ns() + CALL_NS;
    xmtp_status ready = get_ready(t, &link, &error);
    for (size_t i = 0; i < count; i++) {
        xmtp_writer_clear(calls[i].response);
        calls[i].status = ready == XMTP_OK
                              ? queue_call(t, link, calls[i].path, calls[i].request, &running[i])
                              : ready;
    }
    work_links(t);
    for (size_t i = 0; i < count; i++) {
        if (calls[i].status == XMTP_OK) {
            calls[i].status = finish_call(t, running[i], deadline_ns, calls[i].response, &error);
        }
    }
}

static void grpc_unary_all(void *context, xmtp_unary *calls, size_t count)
{
    for (size_t i = 0; i < count; i += UNARY_AT_ONCE) {
        unary_some(context, calls + i, count - i < UNARY_AT_ONCE ? count - i : UNARY_AT_ONCE);
    }
}

/* --- streams --- */

/* A stream refused in place of being opened; an end without error is told by next. */
static xmtp_status check_open(xmtp_rpc_client_call *call, xmtp_error *error)
{
    xmtp_bytes message;
    if (!xmtp_rpc_client_call_is_over(call)) {
        return XMTP_OK;
    }
    xmtp_status status = xmtp_rpc_client_call_next(call, &message, error);
    return status == XMTP_E_CLOSED ? XMTP_OK : status;
}

static xmtp_status grpc_subscribe(void *context, const char *path, xmtp_bytes request,
                                  xmtp_stream **out, xmtp_error *error)
{
    grpc_transport *t = context;
    xmtp_error ignored;
    error = error == NULL ? &ignored : error;
    *out = NULL;
    xmtp_stream *stream = t->alloc->reallocate(t->alloc->context, NULL, sizeof *stream);
    if (stream == NULL) {
        return xmtp_fail_default(error, XMTP_E_NOMEM, path);
    }
    uint64_t deadline_ns = xmtp_tcp_now_ns() + CALL_NS;
    xmtp_status status = start_call(t, path, request, true, deadline_ns, &stream->call, error);
    if (status == XMTP_OK) {
        status = check_open(stream->call, error);
    }
    if (status != XMTP_OK) {
        xmtp_rpc_client_call_free(stream->call);
        (void)t->alloc->reallocate(t->alloc->context, stream, 0);
        return status;
    }
    xmtp_list_append(&t->streams, &stream->list);
    *out = stream;
    return XMTP_OK;
}

static xmtp_status grpc_next(void *context, xmtp_stream *stream, xmtp_bytes *message,
                             xmtp_error *error)
{
    grpc_transport *t = context;
    if (!xmtp_rpc_client_call_has_news(stream->call)) {
        work_links(t);
    }
    return xmtp_rpc_client_call_next(stream->call, message, error);
}

static void grpc_unsubscribe(void *context, xmtp_stream *stream)
{
    grpc_transport *t = context;
    if (stream == NULL) {
        return;
    }
    xmtp_list_remove(&stream->list);
    xmtp_rpc_client_call_free(stream->call);
    (void)t->alloc->reallocate(t->alloc->context, stream, 0);
    work_links(t);
}

/* --- waiting --- */

static bool has_news(const grpc_transport *t)
{
    for (const xmtp_list *l = t->streams.next; l != &t->streams; l = l->next) {
        const xmtp_stream *stream =
            (const xmtp_stream *)(const void *)((const char *)l - offsetof(xmtp_stream, list));
        if (xmtp_rpc_client_call_has_news(stream->call)) {
            return true;
        }
    }
    return false;
}

static bool take_wake(grpc_transport *t)
{
    uint64_t count;
    return read(t->wake_fd, &count, sizeof count) == (ssize_t)sizeof count;
}

static xmtp_status grpc_wait(void *context, uint64_t timeout_ns)
{
    grpc_transport *t = context;
    uint64_t now_ns = xmtp_tcp_now_ns();
    uint64_t deadline_ns = timeout_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + timeout_ns;
    work_links(t); /* windows reopened by next, and what came meanwhile */
    while (!has_news(t)) {
        if (take_wake(t)) {
            return XMTP_OK;
        }
        if (xmtp_tcp_now_ns() >= deadline_ns) {
            return XMTP_E_TIMEOUT;
        }
        turn(t, deadline_ns, true);
    }
    return XMTP_OK;
}

static void grpc_wake(void *context)
{
    const grpc_transport *t = context;
    const uint64_t one = 1;
    int saved = errno; /* we may be in a signal handler */
    ssize_t n = write(t->wake_fd, &one, sizeof one);
    (void)n; /* a full counter is a wake already */
    errno = saved;
}

/* --- opening and closing --- */

static void forget_credential(grpc_transport *t)
{
    if (t->credential != NULL) {
        xmtp_wipe(t->credential, sizeof *t->credential);
        (void)t->alloc->reallocate(t->alloc->context, t->credential, 0);
        t->credential = NULL;
    }
}

xmtp_status xmtp_grpc_transport_authorize(xmtp_transport *transport, const xmtp_env *env,
                                          const xmtp_credential_source *source, xmtp_error *error)
{
    grpc_transport *t = transport->context;
    if (!t->url.is_tls && !xmtp_url_is_loopback(&t->url) && !source->may_travel_in_clear) {
        return xmtp_fail(error, XMTP_E_ARGUMENT,
                         "a credential would travel in clear text to %.80s: give its https:// "
                         "address, or say that it may",
                         t->url.authority);
    }
    forget_credential(t);
    t->credential = t->alloc->reallocate(t->alloc->context, NULL, sizeof *t->credential);
    if (t->credential == NULL) {
        return xmtp_fail_default(error, XMTP_E_NOMEM, "a credential");
    }
    *t->credential = (xmtp_kept_credential){.env = env, .source = *source};
    return XMTP_OK;
}

xmtp_status xmtp_grpc_transport_trust(xmtp_transport *transport, const char *authorities_file,
                                      xmtp_error *error)
{
    grpc_transport *t = transport->context;
    if (!t->url.is_tls) {
        return xmtp_fail(
            error, XMTP_E_ARGUMENT,
            "certificate authorities are given, but nothing is encrypted to %.80s: give "
            "its https:// address",
            t->url.authority);
    }
    if (t->tls != NULL) {
        return xmtp_fail(error, XMTP_E_STATE,
                         "certificate authorities are named once, before the first call");
    }
    return xmtp_tls_client_open(&t->tls, t->alloc, authorities_file, t->url.host, error);
}

static void grpc_close(void *context)
{
    grpc_transport *t = context;
    const xmtp_alloc *alloc = t->alloc;
    forget_credential(t);
    while (!xmtp_list_is_empty(&t->streams)) {
        grpc_unsubscribe(t, XMTP_LIST_OF(t->streams.next, xmtp_stream, list));
    }
    while (!xmtp_list_is_empty(&t->links)) {
        xmtp_link_free(XMTP_LIST_OF(t->links.next, xmtp_link, list));
    }
    xmtp_tls_client_close(t->tls);
    (void)close(t->wake_fd);
    (void)alloc->reallocate(alloc->context, t, 0);
}

static bool is_header_text(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < 0x21 || *text > 0x7e) {
            return false;
        }
    }
    return true;
}

/* Everything but memory and descriptors. */
static xmtp_status configure(grpc_transport *t, const char *url, const char *app_version,
                             xmtp_error *error)
{
    const char *version = app_version == NULL ? "" : app_version;
    XMTP_TRY(xmtp_url_parse(&t->url, url, error));
    if (strlen(version) >= sizeof t->app_version || !is_header_text(version)) {
        return xmtp_fail(error, XMTP_E_ARGUMENT,
                         "an app version is at most %zu visible ASCII characters",
                         sizeof t->app_version - 1);
    }
    (void)snprintf(t->app_version, sizeof t->app_version, "%s", version);
    return XMTP_OK;
}

static xmtp_transport functions_of(grpc_transport *t)
{
    return (xmtp_transport){
        .context = t,
        .unary = grpc_unary,
        .unary_while = grpc_unary_while,
        .unary_all = grpc_unary_all,
        .subscribe = grpc_subscribe,
        .next = grpc_next,
        .unsubscribe = grpc_unsubscribe,
        .wait = grpc_wait,
        .wake = grpc_wake,
        .close = grpc_close,
    };
}

xmtp_status xmtp_grpc_transport_open(xmtp_transport *out, const char *url, const xmtp_env *env,
                                     const char *app_version, xmtp_error *error)
{
    grpc_transport made = {.alloc = &env->alloc};
    *out = (xmtp_transport){0};
    XMTP_TRY(configure(&made, url, app_version, error));
    grpc_transport *t = env->alloc.reallocate(env->alloc.context, NULL, sizeof *t);
    if (t == NULL) {
        return xmtp_fail_default(error, XMTP_E_NOMEM, "opening a transport");
    }
    *t = made;
    xmtp_list_init(&t->links);
    xmtp_list_init(&t->streams);
    t->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (t->wake_fd < 0) {
        (void)env->alloc.reallocate(env->alloc.context, t, 0);
        return xmtp_fail(error, XMTP_E_IO, "eventfd: %s", strerror(errno));
    }
    *out = functions_of(t);
    return XMTP_OK;
}
