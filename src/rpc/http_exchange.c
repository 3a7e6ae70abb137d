/* http_exchange.c - request heads, and the part of an exchange that both versions of HTTP share. */
#include "rpc/http_exchange.h"

#include "base/bytes.h"
#include "base/status.h"

#include <strings.h>

/* ---- heads */

void xmtp_http_head_init(xmtp_http_head *head, const xmtp_alloc *alloc)
{
    *head = (xmtp_http_head){.target_at = 0};
    xmtp_writer_init(&head->text, alloc, XMTP_HTTP_HEAD_LEN_MAX);
}

void xmtp_http_head_free(xmtp_http_head *head)
{
    xmtp_writer_free(&head->text);
}

static xmtp_status put_string(xmtp_writer *w, xmtp_bytes text)
{
    XMTP_ENSURE(text.n == 0 || memchr(text.p, 0, text.n) == NULL, XMTP_E_MALFORMED);
    xmtp_writer_put(w, text);
    xmtp_writer_u8(w, 0);
    return xmtp_writer_status(w);
}

xmtp_status xmtp_http_head_start(xmtp_http_head *head, xmtp_bytes method, xmtp_bytes target)
{
    XMTP_ENSURE(method.n <= XMTP_HTTP_METHOD_LEN_MAX && target.n <= XMTP_HTTP_TARGET_LEN_MAX,
                XMTP_E_LIMIT);
    XMTP_TRY(put_string(&head->text, method));
    head->target_at = head->text.n;
    XMTP_TRY(put_string(&head->text, target));
    head->fields_at = head->text.n;
    return XMTP_OK;
}

static void lower_case(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        p[i] = p[i] >= 'A' && p[i] <= 'Z' ? (uint8_t)(p[i] + ('a' - 'A')) : p[i];
    }
}

xmtp_status xmtp_http_head_field(xmtp_http_head *head, xmtp_bytes name, xmtp_bytes value)
{
    XMTP_ENSURE(head->field_count < XMTP_HTTP_FIELDS_MAX, XMTP_E_LIMIT);
    size_t at = head->text.n;
    XMTP_TRY(put_string(&head->text, name));
    lower_case(head->text.p + at, name.n);
    XMTP_TRY(put_string(&head->text, value));
    head->field_count++;
    return XMTP_OK;
}

const char *xmtp_http_head_method(const xmtp_http_head *head)
{
    return (const char *)head->text.p;
}

const char *xmtp_http_head_target(const xmtp_http_head *head)
{
    return (const char *)head->text.p + head->target_at;
}

const char *xmtp_http_head_get(const xmtp_http_head *head, const char *name)
{
    const char *p = (const char *)head->text.p + head->fields_at;
    for (size_t i = 0; i < head->field_count; i++) {
        const char *value = p + strlen(p) + 1;
        if (strcmp(p, name) == 0) {
            return value;
        }
        p = value + strlen(value) + 1;
    }
    return NULL;
}

bool xmtp_http_type_is(const char *value, const char *type)
{
    size_t n = strlen(type);
    if (value == NULL || strncasecmp(value, type, n) != 0) {
        return false;
    }
    char next = value[n];
    return next == '\0' || next == ';' || next == ' ' || next == '\t';
}

/* ---- exchanges */

xmtp_status xmtp_http_respond(xmtp_http_exchange *x, int status, const xmtp_http_field *fields,
                              size_t count, uint64_t body_len)
{
    XMTP_ENSURE(!x->has_responded, XMTP_E_STATE);
    XMTP_TRY(x->ops->respond(x, status, fields, count, body_len));
    x->has_responded = true;
    return XMTP_OK;
}

xmtp_status xmtp_http_write(xmtp_http_exchange *x, xmtp_bytes in)
{
    size_t queued = x->ops->queued(x);
    XMTP_ENSURE(queued == 0 || in.n <= XMTP_HTTP_QUEUE_LEN_MAX - queued, XMTP_E_LIMIT);
    return in.n == 0 ? XMTP_OK : x->ops->write(x, in);
}

void xmtp_http_end(xmtp_http_exchange *x)
{
    x->ops->end(x);
}

void xmtp_http_abort(xmtp_http_exchange *x)
{
    x->ops->abort(x);
}

size_t xmtp_http_queued(const xmtp_http_exchange *x)
{
    return x->ops->queued(x);
}

void xmtp_http_answer(xmtp_http_exchange *x, int status, const xmtp_http_field *fields,
                      size_t count, const char *text)
{
    xmtp_http_field all[XMTP_HTTP_RESPONSE_FIELDS_MAX] = {{"content-type", "text/plain"}};
    xmtp_bytes body = xmtp_bytes_of_string(text);
    for (size_t i = 0; i < count; i++) {
        all[i + 1] = fields[i];
    }
    if (xmtp_http_respond(x, status, all, count + 1, body.n) != XMTP_OK ||
        xmtp_http_write(x, body) != XMTP_OK) {
        xmtp_http_abort(x);
        return;
    }
    xmtp_http_end(x);
}

const char *xmtp_http_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {100, "Continue"},
        {200, "OK"},
        {204, "No Content"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {499, "Client Closed Request"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "";
}
