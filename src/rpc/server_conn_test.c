/* server_conn_test.c - server_conn fed with frames made by hand: what the official client sends,
 * and what nobody should. */
#include "base/bytes.h"
#include "base/writer.h"
#include "rpc/test_echo.h"

#include <cjson/cJSON.h>
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

static const xmtp_alloc *system_alloc(void)
{
    return &xmtp_env_system()->alloc;
}

/* --- writing frames --- */

static void put_frame(xmtp_writer *w, uint8_t type, uint8_t flags, uint32_t stream_id,
                      xmtp_bytes payload)
{
    xmtp_writer_u8(w, (uint8_t)(payload.n >> 16));
    xmtp_writer_u16(w, (uint16_t)payload.n);
    xmtp_writer_u8(w, type);
    xmtp_writer_u8(w, flags);
    xmtp_writer_u32(w, stream_id);
    xmtp_writer_put(w, payload);
}

static void put_u32_frame(xmtp_writer *w, uint8_t type, uint32_t stream_id, uint32_t value)
{
    const uint8_t payload[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
                               (uint8_t)(value >> 8), (uint8_t)value};
    put_frame(w, type, 0, stream_id, xmtp_bytes_of(payload, sizeof payload));
}

/* The official client's greeting, as recorded. */
static void put_greeting(xmtp_writer *w)
{
    static const uint8_t settings[] = {0, 2, 0, 0, 0,    0, 0, 4, 0, 0x20, 0,    0,
                                       0, 5, 0, 0, 0x40, 0, 0, 6, 0, 0,    0x40, 0};
    xmtp_writer_put(w, xmtp_bytes_of_string(preface));
    put_frame(w, SETTINGS, 0, 0, xmtp_bytes_of(settings, sizeof settings));
    put_frame(w, SETTINGS, ACK, 0, (xmtp_bytes){0});
    put_u32_frame(w, WINDOW_UPDATE, 0, 2147418112);
}

/* HPACK: a literal without indexing, no Huffman coding; lengths below 127 or by two more bytes. */
static void put_hpack_string(xmtp_writer *w, const char *text)
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
static size_t head_fields(head h, field out[FIELDS_MAX])
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

static void put_head(xmtp_writer *w, uint32_t stream_id, head h, uint8_t flags)
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

static void put_data(xmtp_writer *w, uint32_t stream_id, const char *bytes, size_t n, uint8_t flags)
{
    put_frame(w, DATA, flags, stream_id, xmtp_bytes_of(bytes, n));
}

#define MESSAGE_HI "\0\0\0\0\2hi"
enum { MESSAGE_HI_LEN = 7 };

/* HEADERS, DATA, and END_STREAM on an empty DATA: as the official client does. */
static void put_request(xmtp_writer *w, uint32_t stream_id, head h)
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

static void open_handler(fixture *f, const xmtp_rpc_handler *handler)
{
    assert_int_equal(xmtp_rpc_server_conn_new(&f->server, system_alloc(), handler, NULL), XMTP_OK);
    assert_int_equal(nghttp2_hd_inflate_new(&f->inflater), 0);
    xmtp_writer_init(&f->in, system_alloc(), XMTP_WRITER_MAX);
    xmtp_writer_init(&f->out, system_alloc(), XMTP_WRITER_MAX);
}

static void open_echo(fixture *f)
{
    *f = (fixture){0};
    const xmtp_rpc_handler handler = echo_functions(&f->echo);
    open_handler(f, &handler);
    put_greeting(&f->in);
}

static void close_echo(fixture *f)
{
    xmtp_rpc_server_conn_free(f->server);
    nghttp2_hd_inflate_del(f->inflater);
    xmtp_writer_free(&f->in);
    xmtp_writer_free(&f->out);
}

static void read_fields(fixture *f, xmtp_bytes block)
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

static uint32_t u32_at(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void read_settings(fixture *f, xmtp_bytes payload)
{
    for (size_t i = 0; i + 6 <= payload.n; i += 6) {
        assert_in_range(payload.p[i + 1], 1, 6);
        f->settings[payload.p[i + 1]] = u32_at(payload.p + i + 2);
    }
}

static void read_frame(fixture *f, uint8_t type, uint8_t flags, uint32_t stream_id,
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

static void read_output(fixture *f)
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
static xmtp_status feed(fixture *f)
{
    xmtp_status status = xmtp_rpc_server_conn_recv(f->server, xmtp_writer_bytes(&f->in));
    xmtp_writer_clear(&f->in);
    read_output(f);
    return status;
}

static void forget_output(fixture *f)
{
    f->fields[0] = '\0';
    f->data_len = 0;
    f->resets = 0;
}

/* The connection is still good. */
static void assert_still_answers(fixture *f, uint32_t stream_id)
{
    forget_output(f);
    put_request(&f->in, stream_id, echo_head);
    assert_int_equal(feed(f), XMTP_OK);
    assert_non_null(strstr(f->fields, "grpc-status: 0\n"));
    assert_int_equal(f->data_len, MESSAGE_HI_LEN);
    assert_int_equal(f->goaways, 0);
}

/* --- what the official client does --- */

static void the_greeting_offers_large_windows_and_many_streams(void **state)
{
    (void)state;
    fixture f;
    open_echo(&f);
    assert_int_equal(feed(&f), XMTP_OK);
    assert_int_equal(f.settings[3], 10000);
    assert_int_equal(f.settings[4], 1 << 20);
    assert_int_equal(f.window, (16 << 20) - 65535);
    close_echo(&f);
}

static void a_request_as_the_official_client_sends_it_is_answered(void **state)
{
    (void)state;
    fixture f;
    open_echo(&f);
    put_request(&f.in, 1, echo_head);
    assert_int_equal(feed(&f), XMTP_OK);
    assert_string_equal(f.fields, ":status: 200\ncontent-type: application/grpc\ngrpc-status: 0\n");
    assert_int_equal(f.data_len, MESSAGE_HI_LEN);
    assert_int_equal(f.resets, 0);
    assert_still_answers(&f, 3);
    close_echo(&f);
}

static void stream_headers_say_subscribed(void **state)
{
    (void)state;
    fixture f;
    open_echo(&f);
    head h = echo_head;
    h.path = "/test/Open";
    put_request(&f.in, 1, h);
    assert_int_equal(feed(&f), XMTP_OK);
    assert_string_equal(f.fields,
                        ":status: 200\ncontent-type: application/grpc\nsubscribed: true\n");
    close_echo(&f);
}

static void a_thousand_pings_in_a_row_are_answered_and_never_punished(void **state)
{
    (void)state;
    fixture f;
    open_echo(&f);
    for (int i = 0; i < 1000; i++) {
        put_frame(&f.in, PING, 0, 0, xmtp_bytes_of("\x3b\x7c\xdb\x7a\x0b\x87\x16\xb4", 8));
        assert_int_equal(feed(&f), XMTP_OK);
    }
    assert_int_equal(f.ping_acks, 1000);
    assert_still_answers(&f, 1);
    close_echo(&f);
}

/* --- requests that are refused --- */

static void assert_head_gives(head h, const char *expected)
{
    fixture f;
    open_echo(&f);
    put_request(&f.in, 1, h);
    assert_int_equal(feed(&f), XMTP_OK);
    assert_string_equal(f.fields, expected);
    assert_int_equal(f.echo.request_count, 0);
    assert_still_answers(&f, 3);
    close_echo(&f);
}

static void wrong_methods_and_content_types_get_http_errors(void **state)
{
    (void)state;
    static const char *const types[] = {NULL,
                                        "",
                                        "text/plain",
                                        "application/grpc-web",
                                        "application/grpc+json",
                                        "application/grpcx"};
    head h = echo_head;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        h.content_type = types[i];
        assert_head_gives(h, ":status: 415\n");
    }
    h = echo_head;
    h.method = "GET";
    assert_head_gives(h, ":status: 405\n");
}

static void content_types_with_proto_or_parameters_are_accepted(void **state)
{
    (void)state;
    static const char *const types[] = {"application/grpc+proto", "application/grpc;charset=x"};
    for (size_t i = 0; i < 2; i++) {
        fixture f;
        open_echo(&f);
        head h = echo_head;
        h.content_type = types[i];
        put_request(&f.in, 1, h);
        assert_int_equal(feed(&f), XMTP_OK);
        assert_int_equal(f.echo.request_count, 1);
        close_echo(&f);
    }
}

static void a_request_without_path_or_method_is_reset_alone(void **state)
{
    (void)state;
    fixture f;
    open_echo(&f);
    head h = echo_head;
    h.path = NULL;
    put_request(&f.in, 1, h);
    h = echo_head;
    h.method = NULL;
    put_request(&f.in, 3, h);
    assert_int_equal(feed(&f), XMTP_OK);
    assert_int_equal(f.resets, 2);
    assert_int_equal(f.echo.request_count, 0);
    assert_still_answers(&f, 5);
    close_echo(&f);
}

/* As RFC 9113 section 6.5.2 counts. */
static size_t head_len(head h)
{
    size_t n = 0;
    field fields[FIELDS_MAX];
    size_t count = head_fields(h, fields);
    for (size_t i = 0; i < count; i++) {
        n += strlen(fields[i].name) + strlen(fields[i].value) + 32;
    }
    return n;
}

static void a_head_may_have_16_kib_and_not_a_byte_more(void **state)
{
    (void)state;
    fixture f;
    open_echo(&f);
    head h = echo_head;
    h.version = "";
    size_t n = XMTP_RPC_HEADERS_LEN_MAX - head_len(h);
    char *version = calloc(1, n + 2);
    memset(version, 'a', n);
    h.version = version;
    put_request(&f.in, 1, h);
    assert_int_equal(feed(&f), XMTP_OK);
    assert_int_equal(f.echo.request_count, 1);
    assert_int_equal(f.resets, 0);
    version[n] = 'a';
    put_request(&f.in, 3, h);
    assert_int_equal(feed(&f), XMTP_OK);
    assert_int_equal(f.echo.request_count, 1);
    assert_int_equal(f.resets, 1);
    assert_still_answers(&f, 5);
    free(version);
    close_echo(&f);
}

/* A request body in one DATA frame with END_STREAM, and the answer's trailers. */
static void assert_body_gives(const char *body, size_t n, const char *status)
{
    fixture f;
    open_echo(&f);
    put_head(&f.in, 1, echo_head, 0);
    put_data(&f.in, 1, body, n, END_STREAM);
    assert_int_equal(feed(&f), XMTP_OK);
    assert_int_equal(f.echo.request_count, 0);
    assert_non_null(strstr(f.fields, status));
    assert_still_answers(&f, 3);
    close_echo(&f);
}

static void a_request_must_hold_exactly_one_plain_message(void **state)
{
    (void)state;
    assert_body_gives("", 0, "grpc-status: 3\ngrpc-message: request has no message\n");
    assert_body_gives("\0\0\0", 3, "grpc-status: 3\ngrpc-message: request message is cut short\n");
    assert_body_gives("\0\0\0\0\2h", 6, "grpc-status: 3\n");
    assert_body_gives(MESSAGE_HI "\0\0\0\0\0", 12,
                      "grpc-status: 12\ngrpc-message: more than one request message\n");
    assert_body_gives(MESSAGE_HI "\0", 8, "grpc-status: 12\n");
    assert_body_gives("\1\0\0\0\2hi", 7,
                      "grpc-status: 12\ngrpc-message: compressed messages are not supported\n");
    assert_body_gives("\7\0\0\0\2hi", 7, "grpc-status: 3\ngrpc-message: malformed message frame\n");
    assert_body_gives("\0\xff\xff\xff\xff", 5,
                      "grpc-status: 8\ngrpc-message: request is too large\n");
}

static void a_request_without_body_is_invalid(void **state)
{
    (void)state;
    fixture f;
    open_echo(&f);
    put_head(&f.in, 1, echo_head, END_STREAM);
    assert_int_equal(feed(&f), XMTP_OK);
    assert_non_null(strstr(f.fields, "grpc-status: 3\n"));
    assert_still_answers(&f, 3);
    close_echo(&f);
}

static void an_oversized_request_is_refused_at_its_prefix_and_the_rest_dropped(void **state)
{
    (void)state;
    static const char zeros[16384];
    fixture f;
    open_echo(&f);
    put_head(&f.in, 1, echo_head, 0);
    put_data(&f.in, 1, "\0\x03\x20\x00\x01", 5, 0); /* 50 MiB and one byte */
    put_data(&f.in, 1, zeros, sizeof zeros, 0);
    assert_int_equal(feed(&f), XMTP_OK);
    assert_non_null(strstr(f.fields, "grpc-status: 8\n"));
    assert_int_equal(f.resets, 1);
    assert_int_equal(f.reset_code, NGHTTP2_NO_ERROR);
    put_data(&f.in, 1, zeros, sizeof zeros, 0); /* was on its way */
    assert_int_equal(feed(&f), XMTP_OK);
    assert_still_answers(&f, 3);
    close_echo(&f);
}

/* --- what the handler can ask --- */

static uint64_t seen_timeout_ns;
static char seen_version[64];

static void note_head(void *context, xmtp_rpc_call *call, const char *path, xmtp_bytes request)
{
    (void)context;
    (void)path;
    (void)request;
    seen_timeout_ns = xmtp_rpc_call_timeout_ns(call);
    (void)snprintf(seen_version, sizeof seen_version, "%s", xmtp_rpc_call_libxmtp_version(call));
    xmtp_rpc_call_end(call, XMTP_GRPC_OK, NULL, NULL);
}

static void ignore_cancel(void *context, xmtp_rpc_call *call)
{
    (void)context;
    (void)call;
}

static void timeouts_and_versions_reach_the_handler(void **state)
{
    (void)state;
    static const char *const texts[] = {"1S", "250m", "3H", "7u",  "99999999n",  "99999999H", NULL,
                                        "",   "S",    "1",  "-1S", "123456789S", "1x"};
    static const uint64_t expected[] = {
        1000000000, 250000000,  10800000000000, 7000,       99999999,   UINT64_MAX, UINT64_MAX,
        UINT64_MAX, UINT64_MAX, UINT64_MAX,     UINT64_MAX, UINT64_MAX, UINT64_MAX};
    const xmtp_rpc_handler handler = {.request = note_head, .cancelled = ignore_cancel};
    fixture f = {0};
    open_handler(&f, &handler);
    put_greeting(&f.in);
    for (uint32_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        head h = echo_head;
        h.timeout = texts[i];
        put_request(&f.in, 2 * i + 1, h);
        assert_int_equal(feed(&f), XMTP_OK);
        assert_int_equal(seen_timeout_ns, expected[i]);
        assert_string_equal(seen_version, "1.10.0");
    }
    close_echo(&f);
}

/* --- hostile bytes --- */

static void http_1_is_refused(void **state)
{
    (void)state;
    fixture f;
    open_echo(&f);
    xmtp_writer_clear(&f.in);
    xmtp_writer_put(&f.in, xmtp_bytes_of_string("POST /test/Echo HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_int_equal(feed(&f), XMTP_E_PROTOCOL);
    assert_true(xmtp_rpc_server_conn_is_done(f.server));
    assert_int_equal(feed(&f), XMTP_E_PROTOCOL);
    close_echo(&f);
}

static void a_broken_connection_says_goaway_and_is_done(void **state)
{
    (void)state;
    fixture f;
    open_echo(&f);
    put_data(&f.in, 0, "x", 1, 0); /* DATA on stream 0 */
    assert_int_equal(feed(&f), XMTP_OK);
    assert_int_equal(f.goaways, 1);
    assert_true(xmtp_rpc_server_conn_is_done(f.server));
    close_echo(&f);
}

static void a_flood_of_resets_ends_the_connection_not_the_memory(void **state)
{
    (void)state;
    fixture f;
    open_echo(&f);
    head h = echo_head;
    h.path = "/test/Hang";
    for (uint32_t i = 0; i < 200000 && f.goaways == 0; i++) {
        put_request(&f.in, 2 * i + 1, h);
        put_u32_frame(&f.in, RST_STREAM, 2 * i + 1, NGHTTP2_CANCEL);
        (void)feed(&f);
        forget_output(&f);
    }
    assert_int_equal(f.goaways, 1);
    assert_true(f.echo.request_count >= 10000);
    assert_int_equal(f.echo.cancelled_count, f.echo.request_count);
    assert_true(xmtp_rpc_server_conn_is_done(f.server));
    close_echo(&f);
}

/* A session with all kinds of frames, as bytes. */
static void put_session(xmtp_writer *w)
{
    head h = echo_head;
    put_greeting(w);
    put_request(w, 1, echo_head);
    h.path = "/test/Open";
    put_request(w, 3, h);
    put_frame(w, PING, 0, 0, xmtp_bytes_of("\x3b\x7c\xdb\x7a\x0b\x87\x16\xb4", 8));
    h.path = "/test/Count";
    put_head(w, 5, h, 0);
    put_data(w, 5,
             "\0\0\0\0\3"
             "100",
             8, END_STREAM);
    put_u32_frame(w, RST_STREAM, 3, NGHTTP2_CANCEL);
    put_u32_frame(w, WINDOW_UPDATE, 5, 1000);
    put_frame(w, GOAWAY, 0, 0, xmtp_bytes_of("\0\0\0\0\0\0\0\0", 8));
}

/* Feeds bytes in two pieces and drains the output; anything goes but crashes and leaks. */
static size_t feed_blindly(xmtp_bytes bytes, size_t cut)
{
    static uint8_t out[1 << 16];
    echo_handler echo = {0};
    const xmtp_rpc_handler handler = echo_functions(&echo);
    xmtp_rpc_server_conn *server;
    assert_int_equal(xmtp_rpc_server_conn_new(&server, system_alloc(), &handler, NULL), XMTP_OK);
    xmtp_status status = xmtp_rpc_server_conn_recv(server, xmtp_bytes_of(bytes.p, cut));
    (void)xmtp_rpc_server_conn_send(server, out, sizeof out);
    if (status == XMTP_OK) {
        status = xmtp_rpc_server_conn_recv(server, xmtp_bytes_of(bytes.p + cut, bytes.n - cut));
    }
    for (int i = 0; i < 100 && xmtp_rpc_server_conn_send(server, out, sizeof out) > 0; i++) {
    }
    assert_false(xmtp_rpc_server_conn_has_output(server));
    assert_true(status == XMTP_OK || xmtp_rpc_server_conn_is_done(server));
    xmtp_rpc_server_conn_free(server);
    assert_int_equal(echo.open_count, 0);
    return echo.request_count;
}

static void sessions_cut_anywhere_are_harmless(void **state)
{
    (void)state;
    xmtp_writer w;
    xmtp_writer_init(&w, system_alloc(), 1 << 16);
    put_session(&w);
    xmtp_bytes session = xmtp_writer_bytes(&w);
    for (size_t n = 0; n <= session.n; n++) {
        (void)feed_blindly(xmtp_bytes_of(session.p, n), n / 2);
        assert_int_equal(feed_blindly(session, n), 3);
    }
    xmtp_writer_free(&w);
}

static void sessions_with_any_byte_changed_are_harmless(void **state)
{
    (void)state;
    static const uint8_t changes[] = {0x01, 0x80, 0xff};
    xmtp_writer w;
    xmtp_writer_init(&w, system_alloc(), 1 << 16);
    put_session(&w);
    for (size_t i = 0; i < w.n; i++) {
        for (size_t k = 0; k < sizeof changes; k++) {
            w.p[i] ^= changes[k];
            (void)feed_blindly(xmtp_writer_bytes(&w), i);
            w.p[i] ^= changes[k];
        }
    }
    xmtp_writer_free(&w);
}

/* --- the recorded connections of the official client, frame by frame --- */

typedef struct replay {
    fixture f;
    size_t requests; /* ended by the client and not reset */
    size_t pings;
    uint32_t conn;
} replay;

static uint32_t number_of(const cJSON *frame, const char *name)
{
    const cJSON *item = cJSON_GetObjectItem(frame, name);
    return item == NULL ? 0 : (uint32_t)item->valuedouble;
}

static bool is_type(const cJSON *frame, const char *type)
{
    const char *t = cJSON_GetStringValue(cJSON_GetObjectItem(frame, "type"));
    return t != NULL && strcmp(t, type) == 0;
}

static void put_recorded_settings(xmtp_writer *w, const cJSON *frame)
{
    static const char *const names[] = {"",
                                        "HEADER_TABLE_SIZE",
                                        "ENABLE_PUSH",
                                        "MAX_CONCURRENT_STREAMS",
                                        "INITIAL_WINDOW_SIZE",
                                        "MAX_FRAME_SIZE",
                                        "MAX_HEADER_LIST_SIZE"};
    uint8_t payload[36];
    size_t n = 0;
    const cJSON *settings = cJSON_GetObjectItem(frame, "settings");
    for (uint8_t id = 1; id <= 6; id++) {
        if (cJSON_GetObjectItem(settings, names[id]) != NULL) {
            uint32_t v = number_of(settings, names[id]);
            const uint8_t entry[] = {
                0, id, (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
            memcpy(payload + n, entry, sizeof entry);
            n += sizeof entry;
        }
    }
    put_frame(w, SETTINGS, (uint8_t)number_of(frame, "flags"), 0, xmtp_bytes_of(payload, n));
}

/* Contents were not recorded: every DATA frame becomes one message of its length. */
static void put_recorded_data(replay *r, const cJSON *frame)
{
    static char payload[16384];
    size_t n = number_of(frame, "len");
    uint8_t flags = (uint8_t)number_of(frame, "flags");
    assert_true(n == 0 || (n >= 5 && n <= sizeof payload));
    if (n > 0) {
        payload[3] = (char)((n - 5) >> 8);
        payload[4] = (char)(n - 5);
    }
    put_data(&r->f.in, number_of(frame, "stream"), payload, n, flags);
    r->requests += (flags & END_STREAM) != 0;
}

static void replay_frame(replay *r, const cJSON *frame)
{
    xmtp_writer *w = &r->f.in;
    uint32_t stream_id = number_of(frame, "stream");
    if (cJSON_GetObjectItem(frame, "preface") != NULL) {
        xmtp_writer_put(w, xmtp_bytes_of_string(preface));
    } else if (is_type(frame, "SETTINGS")) {
        put_recorded_settings(w, frame);
    } else if (is_type(frame, "WINDOW_UPDATE")) {
        put_u32_frame(w, WINDOW_UPDATE, stream_id, number_of(frame, "inc"));
    } else if (is_type(frame, "HEADERS")) {
        put_head(w, stream_id, echo_head, (uint8_t)(number_of(frame, "flags") & END_STREAM));
    } else if (is_type(frame, "DATA")) {
        put_recorded_data(r, frame);
    } else if (is_type(frame, "PING") && (number_of(frame, "flags") & ACK) == 0) {
        put_frame(w, PING, 0, 0, xmtp_bytes_of("\x3b\x7c\xdb\x7a\x0b\x87\x16\xb4", 8));
        r->pings++;
    } else if (is_type(frame, "RST_STREAM")) {
        put_u32_frame(w, RST_STREAM, stream_id, NGHTTP2_CANCEL);
    }
    assert_int_equal(feed(&r->f), XMTP_OK);
    r->f.fields[0] = '\0';
}

static size_t replay_connection(const char *trace, uint32_t conn)
{
    char line[1024];
    replay r = {.conn = conn};
    const xmtp_rpc_handler handler = echo_functions(&r.f.echo);
    open_handler(&r.f, &handler);
    FILE *file = fopen(trace, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        cJSON *frame = cJSON_Parse(line);
        const char *dir = cJSON_GetStringValue(cJSON_GetObjectItem(frame, "dir"));
        if (dir != NULL && strcmp(dir, "c>s") == 0 && number_of(frame, "conn") == conn) {
            replay_frame(&r, frame);
        }
        cJSON_Delete(frame);
    }
    (void)fclose(file);
    assert_int_equal(r.f.goaways, 0);
    assert_int_equal(r.f.echo.request_count, r.requests);
    assert_int_equal(r.f.ping_acks, r.pings);
    close_echo(&r.f);
    return r.requests;
}

static void recorded_connections_of_the_official_client_are_served(void **state)
{
    (void)state;
    const char *vectors = getenv("XMTP_VECTORS");
    char trace[1024];
    (void)snprintf(trace, sizeof trace, "%s/../traces/5-http2-frames.jsonl",
                   vectors == NULL ? XMTP_VECTORS_DEFAULT : vectors);
    FILE *file = fopen(trace, "r");
    if (file == NULL) {
        skip();
    }
    (void)fclose(file);
    size_t requests = 0;
    for (uint32_t conn = 1; conn <= 4; conn++) {
        requests += replay_connection(trace, conn);
    }
    assert_true(requests > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_greeting_offers_large_windows_and_many_streams),
        cmocka_unit_test(a_request_as_the_official_client_sends_it_is_answered),
        cmocka_unit_test(stream_headers_say_subscribed),
        cmocka_unit_test(a_thousand_pings_in_a_row_are_answered_and_never_punished),
        cmocka_unit_test(wrong_methods_and_content_types_get_http_errors),
        cmocka_unit_test(content_types_with_proto_or_parameters_are_accepted),
        cmocka_unit_test(a_request_without_path_or_method_is_reset_alone),
        cmocka_unit_test(a_head_may_have_16_kib_and_not_a_byte_more),
        cmocka_unit_test(a_request_must_hold_exactly_one_plain_message),
        cmocka_unit_test(a_request_without_body_is_invalid),
        cmocka_unit_test(an_oversized_request_is_refused_at_its_prefix_and_the_rest_dropped),
        cmocka_unit_test(timeouts_and_versions_reach_the_handler),
        cmocka_unit_test(http_1_is_refused),
        cmocka_unit_test(a_broken_connection_says_goaway_and_is_done),
        cmocka_unit_test(a_flood_of_resets_ends_the_connection_not_the_memory),
        cmocka_unit_test(sessions_cut_anywhere_are_harmless),
        cmocka_unit_test(sessions_with_any_byte_changed_are_harmless),
        cmocka_unit_test(recorded_connections_of_the_official_client_are_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
