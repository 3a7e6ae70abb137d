/* test_http.h - an HTTP server for tests and fuzzing.
 *
 *     POST /echo    the body, in pieces as it came     GET /hello   "hello", counted
 *     GET /open     a body that is not ended           GET /big     a body of BIG_LEN bytes
 *     POST /refuse  413 before the body came           others       404
 */
#ifndef XMTP_RPC_TEST_HTTP_H
#define XMTP_RPC_TEST_HTTP_H

#include "base/bytes.h"
#include "rpc/http_exchange.h"

#include <string.h>

enum { TEST_HTTP_BIG_LEN = 1024 * 1024 };

typedef struct test_http {
    size_t begun;
    size_t completed;
    size_t cancelled;
    size_t stopped;
    size_t body_len;
    size_t queued_max;
    size_t big_left;
    xmtp_http_exchange *open; /* of /open */
} test_http;

static inline void test_http_echo_body(xmtp_http_exchange *x, xmtp_bytes in)
{
    test_http *t = x->data;
    t->body_len += in.n;
    if (xmtp_http_write(x, in) != XMTP_OK) {
        xmtp_http_abort(x);
    }
}

static inline void test_http_echo_complete(xmtp_http_exchange *x)
{
    test_http *t = x->data;
    t->completed++;
    xmtp_http_end(x);
}

static inline void test_http_count_complete(xmtp_http_exchange *x)
{
    test_http *t = x->data;
    t->completed++;
}

static inline void test_http_cancelled(xmtp_http_exchange *x)
{
    test_http *t = x->data;
    t->cancelled++;
    t->open = NULL;
    xmtp_http_end(x); /* does nothing from here */
}

static inline void test_http_stop(xmtp_http_exchange *x)
{
    test_http *t = x->data;
    t->stopped++;
    t->open = NULL;
    xmtp_http_end(x);
}

static inline void test_http_big(xmtp_http_exchange *x)
{
    static const uint8_t piece[16384];
    test_http *t = x->data;
    while (t->big_left > 0 && xmtp_http_queued(x) < 4 * XMTP_HTTP_QUEUE_LOW_WATER) {
        if (xmtp_http_write(x, xmtp_bytes_of(piece, sizeof piece)) != XMTP_OK) {
            xmtp_http_abort(x);
            return;
        }
        t->big_left -= sizeof piece;
        t->queued_max = xmtp_http_queued(x) > t->queued_max ? xmtp_http_queued(x) : t->queued_max;
    }
    if (t->big_left == 0) {
        xmtp_http_end(x);
    }
}

static inline void test_http_begin(void *context, xmtp_http_exchange *x)
{
    static const xmtp_http_sink echo = {.body = test_http_echo_body,
                                        .complete = test_http_echo_complete,
                                        .cancelled = test_http_cancelled,
                                        .stop = test_http_stop};
    static const xmtp_http_sink open_sink = {.complete = test_http_count_complete,
                                             .cancelled = test_http_cancelled,
                                             .stop = test_http_stop};
    static const xmtp_http_sink big = {
        .complete = test_http_big, .writable = test_http_big, .cancelled = test_http_cancelled};
    test_http *t = context;
    const char *target = xmtp_http_head_target(&x->head);
    t->begun++;
    x->data = t;
    if (strcmp(target, "/hello") == 0) {
        xmtp_http_answer(x, 200, NULL, 0, "hello");
    } else if (strcmp(target, "/refuse") == 0) {
        xmtp_http_answer(x, 413, NULL, 0, "too long");
    } else if (strcmp(target, "/echo") == 0 || strcmp(target, "/open") == 0 ||
               strcmp(target, "/big") == 0) {
        x->sink = target[1] == 'e' ? &echo : target[1] == 'o' ? &open_sink : &big;
        t->open = target[1] == 'o' ? x : t->open;
        t->big_left = target[1] == 'b' ? TEST_HTTP_BIG_LEN : t->big_left;
        if (xmtp_http_respond(x, 200, NULL, 0, XMTP_HTTP_LEN_UNKNOWN) != XMTP_OK) {
            xmtp_http_abort(x);
        }
    } else {
        xmtp_http_answer(x, 404, NULL, 0, "no such thing");
    }
}

static inline xmtp_http_server test_http_server(test_http *t)
{
    return (xmtp_http_server){.context = t, .begin = test_http_begin};
}

#endif
