/* web_call.c - see web_call.h.
 *
 *     RECEIVING --message complete--> HANDED --xmtp_rpc_call_end--> freed, exchange ended
 *         |                              '--peer gone--> handler.cancelled --> freed
 *         '--not acceptable--> answered without the handler
 */
#include "rpc/web_call.h"

#include "base/base64.h"
#include "base/bytes.h"
#include "base/status.h"
#include "rpc/cors.h"
#include "rpc/server_conn.h"

#include <stdio.h>

typedef struct web_call {
    xmtp_rpc_call base; /* first */
    xmtp_http_exchange *x;
    xmtp_rpc_handler handler;
    xmtp_grpc_decoder decoder;
    xmtp_base64_reader text;
    bool is_text;
    bool is_handed;
    bool is_over; /* ended or cancelled: an end from within cancelled does nothing */
    bool has_message;
} web_call;

/* ---- frames */

static const char *content_type(const web_call *call)
{
    return call->is_text ? "application/grpc-web-text+proto" : "application/grpc-web+proto";
}

static void put_frame(const web_call *call, xmtp_writer *out, uint8_t flag, xmtp_bytes payload)
{
    xmtp_writer frame;
    xmtp_writer *w = call->is_text ? &frame : out;
    xmtp_writer_init(&frame, call->x->alloc, XMTP_WRITER_MAX);
    xmtp_writer_u8(w, flag);
    xmtp_writer_u32(w, (uint32_t)payload.n);
    xmtp_writer_put(w, payload);
    if (call->is_text) {
        uint8_t *p = xmtp_writer_extend(out, xmtp_base64_len(frame.n));
        if (p != NULL && xmtp_writer_status(&frame) == XMTP_OK) {
            xmtp_base64_encode((char *)p, xmtp_writer_bytes(&frame));
        } else {
            out->status = out->status == XMTP_OK ? frame.status : out->status;
        }
    }
    xmtp_writer_free(&frame);
}

static void put_line(xmtp_writer *w, const char *name, const char *value)
{
    xmtp_writer_put(w, xmtp_bytes_of_string(name));
    xmtp_writer_put(w, xmtp_bytes_of_string(": "));
    xmtp_writer_put(w, xmtp_bytes_of_string(value));
    xmtp_writer_put(w, xmtp_bytes_of_string("\r\n"));
}

/* ---- answering */

enum { FIELDS_MAX = XMTP_CORS_FIELDS + 4 + XMTP_RPC_TRAILERS_MAX };

typedef struct field_list {
    xmtp_http_field fields[FIELDS_MAX];
    size_t count;
} field_list;

static field_list list_fields(const web_call *call)
{
    field_list list = {
        .fields = {{"content-type", content_type(call)}, xmtp_cors_fields[0], xmtp_cors_fields[1]},
        .count = 1 + XMTP_CORS_FIELDS};
    return list;
}

static void add_field(field_list *list, const char *name, const char *value)
{
    list->fields[list->count++] = (xmtp_http_field){name, value};
}

static web_call *web_call_of(xmtp_rpc_call *base)
{
    return (web_call *)base;
}

static xmtp_status start_stream(xmtp_rpc_call *base)
{
    web_call *call = web_call_of(base);
    field_list list = list_fields(call);
    add_field(&list, "subscribed", "true");
    return xmtp_http_respond(call->x, 200, list.fields, list.count, XMTP_HTTP_LEN_UNKNOWN);
}

static xmtp_status send_message(xmtp_rpc_call *base, xmtp_bytes message)
{
    web_call *call = web_call_of(base);
    xmtp_writer frame;
    XMTP_ENSURE(message.n <= UINT32_MAX, XMTP_E_LIMIT);
    xmtp_writer_init(&frame, call->x->alloc, XMTP_WRITER_MAX);
    put_frame(call, &frame, 0, message);
    xmtp_status status = xmtp_writer_status(&frame);
    if (status == XMTP_OK && !call->x->has_responded) {
        field_list list = list_fields(call);
        status = xmtp_http_respond(call->x, 200, list.fields, list.count, XMTP_HTTP_LEN_UNKNOWN);
    }
    status = status == XMTP_OK ? xmtp_http_write(call->x, xmtp_writer_bytes(&frame)) : status;
    xmtp_writer_free(&frame);
    return status;
}

static size_t queued(const xmtp_rpc_call *base)
{
    return xmtp_http_queued(((const web_call *)base)->x);
}

static void free_call(web_call *call)
{
    const xmtp_alloc *alloc = call->x->alloc;
    xmtp_grpc_decoder_free(&call->decoder);
    (void)alloc->reallocate(alloc->context, call, 0);
}

/* The trailers, and for an answer without a message its head, which tells them too. */
static xmtp_status put_end(web_call *call, int grpc_status, const char *text, const char *code)
{
    char status_text[12];
    xmtp_writer lines;
    xmtp_writer frame;
    field_list list = list_fields(call);
    (void)snprintf(status_text, sizeof status_text, "%d", grpc_status);
    xmtp_writer_init(&lines, call->x->alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&frame, call->x->alloc, XMTP_WRITER_MAX);
    put_line(&lines, "grpc-status", status_text);
    add_field(&list, "grpc-status", status_text);
    if (text[0] != '\0') {
        put_line(&lines, "grpc-message", text);
        add_field(&list, "grpc-message", text);
    }
    if (code[0] != '\0') {
        put_line(&lines, "error-code", code);
        add_field(&list, "error-code", code);
    }
    for (size_t i = 0; i < call->base.trailer_count; i++) {
        put_line(&lines, call->base.trailers[i].name, call->base.trailers[i].value);
        add_field(&list, call->base.trailers[i].name, call->base.trailers[i].value);
    }
    put_frame(call, &frame, 0x80, xmtp_writer_bytes(&lines));
    xmtp_status status = xmtp_writer_status(&lines);
    status = status == XMTP_OK ? xmtp_writer_status(&frame) : status;
    if (status == XMTP_OK && !call->x->has_responded) {
        status = xmtp_http_respond(call->x, 200, list.fields, list.count, frame.n);
    }
    status = status == XMTP_OK ? call->x->ops->write(call->x, xmtp_writer_bytes(&frame)) : status;
    xmtp_writer_free(&lines);
    xmtp_writer_free(&frame);
    return status;
}

static void finish(web_call *call, int grpc_status, const char *message, const char *error_code)
{
    char text[XMTP_GRPC_TEXT_MAX];
    char code[XMTP_GRPC_TEXT_MAX];
    xmtp_http_exchange *x = call->x;
    (void)xmtp_grpc_text_encode(text, sizeof text, xmtp_bytes_of_string(message));
    (void)xmtp_grpc_text_encode(code, sizeof code, xmtp_bytes_of_string(error_code));
    call->is_over = true;
    xmtp_status status = put_end(call, grpc_status, text, code);
    x->sink = NULL;
    free_call(call);
    if (status == XMTP_OK) {
        xmtp_http_end(x);
    } else {
        xmtp_http_abort(x);
    }
}

static void end_call(xmtp_rpc_call *base, int grpc_status, const char *message,
                     const char *error_code)
{
    web_call *call = web_call_of(base);
    if (!call->is_over) {
        finish(call, grpc_status, message, error_code);
    }
}

static const xmtp_rpc_call_ops web_call_ops = {
    .start_stream = start_stream,
    .message = send_message,
    .queued = queued,
    .end = end_call,
};

/* ---- the request */

static void refuse_message(web_call *call, xmtp_status status)
{
    switch ((int)status) {
    case XMTP_E_UNSUPPORTED:
        finish(call, XMTP_GRPC_UNIMPLEMENTED, "compressed messages are not supported", NULL);
        return;
    case XMTP_E_LIMIT:
    case XMTP_E_NOMEM:
        finish(call, XMTP_GRPC_RESOURCE_EXHAUSTED, "request is too large", NULL);
        return;
    default:
        finish(call, XMTP_GRPC_INVALID_ARGUMENT, "malformed message frame", NULL);
    }
}

/* False: the call is gone. */
static bool take_data(web_call *call, xmtp_bytes in)
{
    while (in.n > 0) {
        if (call->has_message) {
            finish(call, XMTP_GRPC_UNIMPLEMENTED, "more than one request message", NULL);
            return false;
        }
        xmtp_status status = xmtp_grpc_decoder_feed(&call->decoder, &in);
        call->has_message = status == XMTP_OK;
        if (status != XMTP_OK && status != XMTP_E_RETRY) {
            refuse_message(call, status);
            return false;
        }
    }
    return true;
}

static void on_body(xmtp_http_exchange *x, xmtp_bytes in)
{
    web_call *call = x->data;
    if (!call->is_text) {
        (void)take_data(call, in);
        return;
    }
    xmtp_writer plain;
    xmtp_writer_init(&plain, x->alloc, XMTP_WRITER_MAX);
    xmtp_status status = xmtp_base64_read(&call->text, in, &plain);
    if (status == XMTP_OK) {
        (void)take_data(call, xmtp_writer_bytes(&plain));
    } else {
        refuse_message(call, status);
    }
    xmtp_writer_free(&plain);
}

/* What unpadded text still owes; false: the call is gone. */
static bool finish_text(web_call *call)
{
    xmtp_writer plain;
    xmtp_writer_init(&plain, call->x->alloc, XMTP_WRITER_MAX);
    xmtp_status status = xmtp_base64_finish(&call->text, &plain);
    bool is_here = status == XMTP_OK && take_data(call, xmtp_writer_bytes(&plain));
    if (status != XMTP_OK) {
        refuse_message(call, status);
    }
    xmtp_writer_free(&plain);
    return is_here;
}

/* The target without its query. */
static bool copy_path(char out[XMTP_RPC_PATH_LEN_MAX + 1], const char *target)
{
    size_t n = strcspn(target, "?");
    if (n > XMTP_RPC_PATH_LEN_MAX) {
        return false;
    }
    memcpy(out, target, n);
    out[n] = '\0';
    return true;
}

static void on_complete(xmtp_http_exchange *x)
{
    web_call *call = x->data;
    char path[XMTP_RPC_PATH_LEN_MAX + 1];
    if (call->is_text && !finish_text(call)) {
        return;
    }
    if (!call->has_message) {
        finish(call, XMTP_GRPC_INVALID_ARGUMENT,
               xmtp_grpc_decoder_is_empty(&call->decoder) ? "request has no message"
                                                          : "request message is cut short",
               NULL);
        return;
    }
    if (!copy_path(path, xmtp_http_head_target(&x->head))) {
        finish(call, XMTP_GRPC_UNIMPLEMENTED, "unknown method", NULL);
        return;
    }
    /* The handler may end the call, and so free it, before it returns. */
    uint8_t *p;
    size_t n;
    xmtp_grpc_decoder decoder = call->decoder;
    xmtp_grpc_decoder_init(&call->decoder, decoder.alloc, decoder.len_max, decoder.budget);
    p = decoder.p;
    n = decoder.n;
    call->is_handed = true;
    call->handler.request(call->handler.context, &call->base, path, xmtp_bytes_of(p, n));
    xmtp_grpc_decoder_free(&decoder);
}

static void on_cancelled(xmtp_http_exchange *x)
{
    web_call *call = x->data;
    call->is_over = true;
    if (call->is_handed) {
        call->handler.cancelled(call->handler.context, &call->base);
    }
    free_call(call);
}

static void on_stop(xmtp_http_exchange *x)
{
    web_call *call = x->data;
    if (call->is_handed) {
        call->is_over = true;
        call->handler.cancelled(call->handler.context, &call->base);
    }
    finish(call, XMTP_GRPC_UNAVAILABLE, "node is shutting down", NULL);
}

static void on_writable(xmtp_http_exchange *x)
{
    web_call *call = x->data;
    if (call->is_handed && call->handler.writable != NULL) {
        call->handler.writable(call->handler.context, &call->base);
    }
}

static const xmtp_http_sink sink = {
    .body = on_body,
    .complete = on_complete,
    .cancelled = on_cancelled,
    .stop = on_stop,
    .writable = on_writable,
};

/* ---- the beginning */

bool xmtp_web_call_is_for(const xmtp_http_exchange *x)
{
    static const char *const types[] = {"application/grpc-web", "application/grpc-web+proto",
                                        "application/grpc-web-text",
                                        "application/grpc-web-text+proto"};
    const char *type = xmtp_http_head_get(&x->head, "content-type");
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (xmtp_http_type_is(type, types[i])) {
            return true;
        }
    }
    return false;
}

void xmtp_web_call_begin(const xmtp_rpc_handler *handler, xmtp_http_exchange *x)
{
    static const char *const kept[] = {"x-libxmtp-version", "grpc-timeout", "x-api-key",
                                       "x-forwarded-for"};
    const char *type = xmtp_http_head_get(&x->head, "content-type");
    web_call *call = x->alloc->reallocate(x->alloc->context, NULL, sizeof *call);
    if (call == NULL) {
        xmtp_http_abort(x);
        return;
    }
    *call = (web_call){.x = x, .handler = *handler};
    call->is_text = xmtp_http_type_is(type, "application/grpc-web-text") ||
                    xmtp_http_type_is(type, "application/grpc-web-text+proto");
    xmtp_rpc_call_init(&call->base, &web_call_ops, x->peer);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        const char *value = xmtp_http_head_get(&x->head, kept[i]);
        if (value != NULL) {
            xmtp_rpc_call_field(&call->base, xmtp_bytes_of_string(kept[i]),
                                xmtp_bytes_of_string(value));
        }
    }
    xmtp_grpc_decoder_init(&call->decoder, x->alloc, xmtp_rpc_request_len_max(handler), x->budget);
    x->data = call;
    x->sink = &sink;
}
