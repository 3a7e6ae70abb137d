/* test_server_conn.h - a server_conn without sockets, frames made by hand for it, and what it said.
 *
 *     put_request(&f.in, ...)  -->  feed(&f)  -->  f.fields, f.resets, f.echo.request_count, ...
 */
#ifndef XMTP_RPC_TEST_SERVER_CONN_H
#define XMTP_RPC_TEST_SERVER_CONN_H

#include "base/bytes.h"
#include "base/writer.h"
#include "rpc/test_echo.h"

#include <nghttp2/nghttp2.h>
#include <setjmp.h>
#include <stdarg.h>
// cmocka wants the headers above first
#include <cmocka.h>

enum {
    DATA = 0,
    HEADERS = 1,
    RST_STREAM = 3,
    SETTINGS = 4,
    PING = 6,
    GOAWAY = 7,
    WINDOW_UPDATE = 8
};
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static inline const xmtp_alloc *system_alloc(void)
{
    return &xmtp_env_system()->alloc;
}

/* --- writing frames --- */

static inline void put_frame(xmtp_writer *w, uint8_t type, uint8_t flags, uint32_t stream_id,
                             xmtp_bytes payload)
{
    xmtp_writer_u8(w, (uint8_t)(payload.n >> 16));
    xmtp_writer_u16(w, (uint16_t)payload.n);
    xmtp_writer_u8(w, type);
    xmtp_writer_u8(w, flags);
    xmtp_writer_u32(w, stream_id);
    xmtp_writer_put(w, payload);
}

static inline void put_u32_frame(xmtp_writer *w, uint8_t type, uint32_t stream_id, uint32_t value)
{
    const uint8_t payload[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
                               (uint8_t)(value >> 8), (uint8_t)value};
    put_frame(w, type, 0, stream_id, xmtp_bytes_of(payload, sizeof payload));
}

/* The official client's greeting, as recorded. */
static inline void put_greeting(xmtp_writer *w)
{
    static const uint8_t settings[] = {0, 2, 0, 0, 0,    0, 0, 4, 0, 0x20, 0,    0,
                                       0, 5, 0, 0, 0x40, 0, 0, 6, 0, 0,    0x40, 0};
    xmtp_writer_put(w, xmtp_bytes_of_string(preface));
    put_frame(w, SETTINGS, 0, 0, xmtp_bytes_of(settings, sizeof settings));
    put_frame(w, SETTINGS, ACK, 0, (xmtp_bytes){0});
    put_u32_frame(w, WINDOW_UPDATE, 0, 2147418112);
}

/* HPACK: a literal without indexing, no Huffman coding; lengths below 127 or by two more bytes. */
static inline void put_hpack_string(xmtp_writer *w, const char *text)
{
    size_t n = strlen(text);
    if (n < 127) {
        xmtp_writer_u8(w, (uint8_t)n);
    } else {
        size_t rest = n - 127;
        xmtp_writer_u8(w, 127);
        xmtp_writer_u8(w, (uint8_t)(0x80 | (rest & 127)));
        xmtp_writer_u8(w, (uint8_t)(0x80 | ((rest >> 7) & 127)));
        xmtp_writer_u8(w, (uint8_t)(rest >> 14));
    }
    xmtp_writer_put(w, xmtp_bytes_of_string(text));
}

typedef struct head {
    const char *method;
    const char *path;
    const char *content_type;
    const char *timeout;
    const char *version;
} head;

static const head echo_head = {.method = "POST",
                               .path = "/test/Echo",
                               .content_type = "application/grpc",
                               .version = "1.10.0"};

typedef struct field {
    const char *name;
    const char *value;
} field;

enum { FIELDS_MAX = 10 };

/* Those that have a value; how many. */
static inline size_t head_fields(head h, field out[FIELDS_MAX])
{
    const field all[FIELDS_MAX] = {{":method", h.method},
                                   {":scheme", "http"},
                                   {":authority", "localhost:5556"},
                                   {":path", h.path},
                                   {"x-app-version", ""},
                                   {"x-libxmtp-version", h.version},
                                   {"te", "trailers"},
                                   {"content-type", h.content_type},
                                   {"grpc-timeout", h.timeout},
                                   {"user-agent", "tonic/0.14.2"}};
    size_t count = 0;
    for (size_t i = 0; i < FIELDS_MAX; i++) {
        if (all[i].value != NULL) {
            out[count++] = all[i];
        }
    }
    return count;
}

static inline void put_head(xmtp_writer *w, uint32_t stream_id, head h, uint8_t flags)
{
    xmtp_writer block;
    field fields[FIELDS_MAX];
    size_t count = head_fields(h, fields);
    xmtp_writer_init(&block, system_alloc(), 1 << 16);
    for (size_t i = 0; i < count; i++) {
        xmtp_writer_u8(&block, 0);
        put_hpack_string(&block, fields[i].name);
        put_hpack_string(&block, fields[i].value);
    }
    put_frame(w, HEADERS, (uint8_t)(END_HEADERS | flags), stream_id, xmtp_writer_bytes(&block));
    xmtp_writer_free(&block);
}

static inline void put_data(xmtp_writer *w, uint32_t stream_id, const char *bytes, size_t n,
                            uint8_t flags)
{
    put_frame(w, DATA, flags, stream_id, xmtp_bytes_of(bytes, n));
}

#define MESSAGE_HI "\0\0\0\0\2hi"
enum { MESSAGE_HI_LEN = 7 };

/* HEADERS, DATA, and END_STREAM on an empty DATA: as the official client does. */
static inline void put_request(xmtp_writer *w, uint32_t stream_id, head h)
{
    put_head(w, stream_id, h, 0);
    put_data(w, stream_id, MESSAGE_HI, MESSAGE_HI_LEN, 0);
    put_data(w, stream_id, "", 0, END_STREAM);
}

/* --- a server and what it said --- */

typedef struct fixture {
    echo_handler echo;
    xmtp_rpc_server_conn *server;
    nghttp2_hd_inflater *inflater;
    xmtp_writer in;
    xmtp_writer out;   /* not parsed yet */
    char fields[4096]; /* header fields of all answers, "name: value\n" */
    size_t data_len;
    size_t ping_acks;
    size_t resets;
    size_t goaways;
    uint32_t reset_code;
    uint32_t window;      /* WINDOW_UPDATE on the connection */
    uint32_t settings[7]; /* by id */
} fixture;

static inline void open_handler(fixture *f, const xmtp_rpc_handler *handler)
{
    assert_int_equal(xmtp_rpc_server_conn_new(&f->server, system_alloc(), handler, NULL), XMTP_OK);
    assert_int_equal(nghttp2_hd_inflate_new(&f->inflater), 0);
    xmtp_writer_init(&f->in, system_alloc(), XMTP_WRITER_MAX);
    xmtp_writer_init(&f->out, system_alloc(), XMTP_WRITER_MAX);
}

static inline void open_echo(fixture *f)
{
    *f = (fixture){0};
    const xmtp_rpc_handler handler = echo_functions(&f->echo);
    open_handler(f, &handler);
    put_greeting(&f->in);
}

static inline void close_echo(fixture *f)
{
    xmtp_rpc_server_conn_free(f->server);
    nghttp2_hd_inflate_del(f->inflater);
    xmtp_writer_free(&f->in);
    xmtp_writer_free(&f->out);
}

static inline void read_fields(fixture *f, xmtp_bytes block)
{
    for (;;) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t n = nghttp2_hd_inflate_hd2(f->inflater, &nv, &flags, block.p, block.n, 1);
        assert_true(n >= 0);
        block.p += n;
        block.n -= (size_t)n;
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
            size_t at = strlen(f->fields);
            (void)snprintf(f->fields + at, sizeof f->fields - at, "%s: %s\n", nv.name, nv.value);
        }
        if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
            (void)nghttp2_hd_inflate_end_headers(f->inflater);
            return;
        }
    }
}

static inline uint32_t u32_at(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void read_settings(fixture *f, xmtp_bytes payload)
{
    for (size_t i = 0; i + 6 <= payload.n; i += 6) {
        assert_in_range(payload.p[i + 1], 1, 6);
        f->settings[payload.p[i + 1]] = u32_at(payload.p + i + 2);
    }
}

static inline void read_frame(fixture *f, uint8_t type, uint8_t flags, uint32_t stream_id,
                              xmtp_bytes payload)
{
    if (type == HEADERS) {
        read_fields(f, payload);
    } else if (type == DATA) {
        f->data_len += payload.n;
    } else if (type == PING && (flags & ACK) != 0) {
        f->ping_acks++;
    } else if (type == RST_STREAM) {
        f->resets++;
        f->reset_code = u32_at(payload.p);
    } else if (type == GOAWAY) {
        f->goaways++;
    } else if (type == SETTINGS) {
        read_settings(f, payload);
    } else if (type == WINDOW_UPDATE && stream_id == 0) {
        f->window += u32_at(payload.p);
    }
}

static inline void read_output(fixture *f)
{
    static uint8_t piece[1 << 16];
    size_t n;
    while ((n = xmtp_rpc_server_conn_send(f->server, piece, sizeof piece)) > 0) {
        xmtp_writer_put(&f->out, xmtp_bytes_of(piece, n));
    }
    xmtp_bytes rest = xmtp_writer_bytes(&f->out);
    while (rest.n > 0) {
        assert_true(rest.n >= 9);
        size_t len = u32_at(rest.p) >> 8;
        assert_true(rest.n >= 9 + len);
        read_frame(f, rest.p[3], rest.p[4], u32_at(rest.p + 5), xmtp_bytes_of(rest.p + 9, len));
        rest = xmtp_bytes_of(rest.p + 9 + len, rest.n - 9 - len);
    }
    xmtp_writer_clear(&f->out);
}

/* Feeds what was written to f->in. */
static inline xmtp_status feed(fixture *f)
{
    xmtp_status status = xmtp_rpc_server_conn_recv(f->server, xmtp_writer_bytes(&f->in));
    xmtp_writer_clear(&f->in);
    read_output(f);
    return status;
}

static inline void forget_output(fixture *f)
{
    f->fields[0] = '\0';
    f->data_len = 0;
    f->resets = 0;
}

/* The connection is still good. */
static inline void assert_still_answers(fixture *f, uint32_t stream_id)
{
    forget_output(f);
    put_request(&f->in, stream_id, echo_head);
    assert_int_equal(feed(f), XMTP_OK);
    assert_non_null(strstr(f->fields, "grpc-status: 0\n"));
    assert_int_equal(f->data_len, MESSAGE_HI_LEN);
    assert_int_equal(f->goaways, 0);
}

#endif
