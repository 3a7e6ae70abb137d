/* test_echo.h - a handler for tests and fuzzing: it echoes, fails, streams, or keeps calls open.
 *
 *     /test/Echo    answers with the request            /test/Fail   INVALID_ARGUMENT and words
 *     /test/Twice   answers with it twice               /test/None   status 0 without an answer
 *     /test/Count   the request is a decimal number n: a stream of n numbered messages
 *     /test/Open    a stream that stays open            /test/Hang   no answer at all
 */
#ifndef XMTP_RPC_TEST_ECHO_H
#define XMTP_RPC_TEST_ECHO_H

#include "base/bytes.h"
#include "rpc/server_conn.h"

#include <stdio.h>
#include <stdlib.h>

enum { ECHO_CALLS_MAX = 64, ECHO_MESSAGE_LEN = 1000 };

typedef struct echo_counter {
    uint32_t next;
    uint32_t end;
} echo_counter;

typedef struct echo_handler {
    size_t request_count;
    size_t cancelled_count;
    size_t writable_count;
    size_t request_len; /* of the last request */
    size_t queued_max;
    xmtp_rpc_call *open[ECHO_CALLS_MAX];
    size_t open_count;
} echo_handler;

static inline void echo_forget(echo_handler *h, const xmtp_rpc_call *call)
{
    for (size_t i = 0; i < h->open_count; i++) {
        if (h->open[i] == call) {
            h->open[i] = h->open[--h->open_count];
        }
    }
}

static inline void echo_message(xmtp_rpc_call *call, xmtp_bytes message)
{
    xmtp_status status = xmtp_rpc_call_message(call, message);
    if (status != XMTP_OK) {
        xmtp_rpc_call_end_status(call, status, NULL);
    }
}

/* Sends numbered messages until 256 KiB are queued or all were sent. */
static inline void echo_count(echo_handler *h, xmtp_rpc_call *call)
{
    echo_counter *counter = *xmtp_rpc_call_data(call);
    uint8_t message[ECHO_MESSAGE_LEN] = {0};
    while (counter->next < counter->end && xmtp_rpc_call_queued(call) < 256 * 1024) {
        memcpy(message, &counter->next, sizeof counter->next);
        if (xmtp_rpc_call_message(call, xmtp_bytes_of(message, sizeof message)) != XMTP_OK) {
            counter->next = counter->end;
            break;
        }
        counter->next++;
    }
    h->queued_max =
        xmtp_rpc_call_queued(call) > h->queued_max ? xmtp_rpc_call_queued(call) : h->queued_max;
    if (counter->next == counter->end) {
        free(counter);
        *xmtp_rpc_call_data(call) = NULL;
        xmtp_rpc_call_end(call, XMTP_GRPC_OK, NULL, NULL);
    }
}

static inline void echo_start_count(echo_handler *h, xmtp_rpc_call *call, xmtp_bytes request)
{
    char text[12] = {0};
    echo_counter *counter = calloc(1, sizeof *counter);
    memcpy(text, request.p, request.n < sizeof text ? request.n : sizeof text - 1);
    counter->end = (uint32_t)(strtoul(text, NULL, 10) % 20000);
    *xmtp_rpc_call_data(call) = counter;
    if (xmtp_rpc_call_start_stream(call) != XMTP_OK) {
        counter->next = counter->end;
    }
    echo_count(h, call);
}

static inline void echo_keep(echo_handler *h, xmtp_rpc_call *call)
{
    if (h->open_count == ECHO_CALLS_MAX) {
        xmtp_rpc_call_end(call, XMTP_GRPC_RESOURCE_EXHAUSTED, "too many open calls", NULL);
        return;
    }
    h->open[h->open_count++] = call;
}

static inline bool echo_is(const char *path, const char *name)
{
    return strcmp(path, name) == 0;
}

static inline void echo_request(void *context, xmtp_rpc_call *call, const char *path,
                                xmtp_bytes request)
{
    echo_handler *h = context;
    h->request_count++;
    h->request_len = request.n;
    if (echo_is(path, "/test/Count")) {
        echo_start_count(h, call, request);
    } else if (echo_is(path, "/test/Hang")) {
        echo_keep(h, call);
    } else if (echo_is(path, "/test/Open")) {
        echo_keep(h, call);
        if (xmtp_rpc_call_start_stream(call) != XMTP_OK) {
            echo_forget(h, call);
            xmtp_rpc_call_end(call, XMTP_GRPC_INTERNAL, NULL, NULL);
        }
    } else if (echo_is(path, "/test/Fail")) {
        xmtp_rpc_call_end(call, XMTP_GRPC_INVALID_ARGUMENT, "100% w\xc3\xb6rong ", "E_TEST");
    } else if (echo_is(path, "/test/None")) {
        xmtp_rpc_call_end(call, XMTP_GRPC_OK, NULL, NULL);
    } else if (echo_is(path, "/test/Echo") || echo_is(path, "/test/Twice")) {
        xmtp_status status = xmtp_rpc_call_message(call, request);
        if (status == XMTP_OK && echo_is(path, "/test/Twice")) {
            status = xmtp_rpc_call_message(call, request);
        }
        xmtp_rpc_call_end_status(call, status, NULL);
    } else {
        xmtp_rpc_call_end(call, XMTP_GRPC_UNIMPLEMENTED, "unknown method", NULL);
    }
}

static inline void echo_cancelled(void *context, xmtp_rpc_call *call)
{
    echo_handler *h = context;
    h->cancelled_count++;
    echo_forget(h, call);
    free(*xmtp_rpc_call_data(call));
    *xmtp_rpc_call_data(call) = NULL;
}

static inline void echo_writable(void *context, xmtp_rpc_call *call)
{
    echo_handler *h = context;
    h->writable_count++;
    if (*xmtp_rpc_call_data(call) != NULL) {
        echo_count(h, call);
    }
}

static inline xmtp_rpc_handler echo_functions(echo_handler *h)
{
    return (xmtp_rpc_handler){
        .context = h,
        .request = echo_request,
        .cancelled = echo_cancelled,
        .writable = echo_writable,
    };
}

#endif
