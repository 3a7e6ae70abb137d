/* server_conn_test.c - server_conn fed with frames made by hand: what the official client sends,
 * and what nobody should. */
#include "rpc/test_server_conn.h"

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
