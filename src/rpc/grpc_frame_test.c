/* grpc_frame_test.c - message framing, status codes, error texts. */
#include "base/bytes.h"
#include "rpc/grpc_frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// cmocka wants the headers above first
#include <cmocka.h>

static const xmtp_alloc *system_alloc(void)
{
    return &xmtp_env_system()->alloc;
}

static void assert_feeds_hello(const uint8_t *frame, size_t n, size_t step)
{
    xmtp_grpc_decoder d;
    xmtp_grpc_decoder_init(&d, system_alloc(), 100, NULL);
    xmtp_status status = XMTP_E_RETRY;
    for (size_t at = 0; at < n; at += step) {
        assert_int_equal(status, XMTP_E_RETRY);
        xmtp_bytes in = xmtp_bytes_of(frame + at, n - at < step ? n - at : step);
        status = xmtp_grpc_decoder_feed(&d, &in);
        assert_int_equal(in.n, 0);
    }
    assert_int_equal(status, XMTP_OK);
    assert_true(xmtp_bytes_equal(xmtp_grpc_decoder_message(&d), xmtp_bytes_of_string("hello")));
    xmtp_grpc_decoder_free(&d);
    assert_true(xmtp_grpc_decoder_is_empty(&d));
}

static void messages_come_out_whole_however_they_are_cut(void **state)
{
    (void)state;
    static const uint8_t frame[] = {0, 0, 0, 0, 5, 'h', 'e', 'l', 'l', 'o'};
    for (size_t step = 1; step <= sizeof frame; step++) {
        assert_feeds_hello(frame, sizeof frame, step);
    }
}

static void two_messages_in_one_piece_come_out_one_by_one(void **state)
{
    (void)state;
    static const uint8_t frames[] = {0, 0, 0, 0, 1, 'a', 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 'b'};
    xmtp_bytes in = xmtp_bytes_of(frames, sizeof frames);
    xmtp_grpc_decoder d;
    xmtp_grpc_decoder_init(&d, system_alloc(), 100, NULL);
    static const char *const expected[] = {"a", "", "b"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(xmtp_grpc_decoder_feed(&d, &in), XMTP_OK);
        assert_true(
            xmtp_bytes_equal(xmtp_grpc_decoder_message(&d), xmtp_bytes_of_string(expected[i])));
        uint8_t *p;
        size_t n;
        xmtp_grpc_decoder_take(&d, &p, &n);
        assert_int_equal(n, strlen(expected[i]));
        free(p);
    }
    assert_int_equal(in.n, 0);
    assert_int_equal(xmtp_grpc_decoder_feed(&d, &in), XMTP_E_RETRY);
}

static xmtp_status feed_prefix(uint8_t flag, uint32_t len, size_t len_max)
{
    const uint8_t prefix[] = {flag, (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
                              (uint8_t)len};
    xmtp_bytes in = xmtp_bytes_of(prefix, sizeof prefix);
    xmtp_grpc_decoder d;
    xmtp_grpc_decoder_init(&d, system_alloc(), len_max, NULL);
    xmtp_status status = xmtp_grpc_decoder_feed(&d, &in);
    assert_int_equal(d.capacity, 0);
    xmtp_grpc_decoder_free(&d);
    return status;
}

static void a_prefix_alone_is_judged_and_allocates_nothing(void **state)
{
    (void)state;
    assert_int_equal(feed_prefix(0, 100, 100), XMTP_E_RETRY);
    assert_int_equal(feed_prefix(0, 101, 100), XMTP_E_LIMIT);
    assert_int_equal(feed_prefix(0, UINT32_MAX, 100), XMTP_E_LIMIT);
    assert_int_equal(feed_prefix(0, 0, 100), XMTP_OK);
    assert_int_equal(feed_prefix(1, 5, 100), XMTP_E_UNSUPPORTED);
    assert_int_equal(feed_prefix(2, 5, 100), XMTP_E_PROTOCOL);
    assert_int_equal(feed_prefix(0x80, 5, 100), XMTP_E_PROTOCOL);
}

static void a_shared_budget_stops_the_decoder_that_exceeds_it(void **state)
{
    (void)state;
    static const uint8_t prefix[] = {0, 0, 0, 0x20, 0}; /* 8192 bytes */
    static const uint8_t part[8192];
    size_t budget = 10000;
    xmtp_grpc_decoder a;
    xmtp_grpc_decoder b;
    xmtp_grpc_decoder_init(&a, system_alloc(), 1 << 20, &budget);
    xmtp_grpc_decoder_init(&b, system_alloc(), 1 << 20, &budget);
    xmtp_bytes in = xmtp_bytes_of(prefix, sizeof prefix);
    assert_int_equal(xmtp_grpc_decoder_feed(&a, &in), XMTP_E_RETRY);
    in = xmtp_bytes_of(part, sizeof part);
    assert_int_equal(xmtp_grpc_decoder_feed(&a, &in), XMTP_OK);
    assert_int_equal(budget, 10000 - 8192);
    in = xmtp_bytes_of(prefix, sizeof prefix);
    assert_int_equal(xmtp_grpc_decoder_feed(&b, &in), XMTP_E_RETRY);
    in = xmtp_bytes_of(part, 1);
    assert_int_equal(xmtp_grpc_decoder_feed(&b, &in), XMTP_E_LIMIT);
    xmtp_grpc_decoder_free(&b);
    xmtp_grpc_decoder_free(&a);
    assert_int_equal(budget, 10000);
}

static void assert_text(const char *text, const char *encoded)
{
    char out[64];
    char back[64];
    size_t n = xmtp_grpc_text_encode(out, sizeof out, xmtp_bytes_of_string(text));
    assert_string_equal(out, encoded);
    assert_int_equal(n, strlen(encoded));
    (void)xmtp_grpc_text_decode(back, sizeof back, xmtp_bytes_of_string(out));
    assert_string_equal(back, text);
}

static void error_texts_round_trip_percent_encoded(void **state)
{
    (void)state;
    assert_text("", "");
    assert_text("plain text", "plain text");
    assert_text("100%", "100%25");
    assert_text(" outer ", "%20outer%20");
    assert_text("\xc3\xa4", "%C3%A4");
}

static void error_texts_are_cut_between_escapes(void **state)
{
    (void)state;
    char out[6];
    assert_int_equal(xmtp_grpc_text_encode(out, sizeof out, xmtp_bytes_of_string("abc%%")), 3);
    assert_string_equal(out, "abc");
    assert_int_equal(xmtp_grpc_text_encode(out, sizeof out, xmtp_bytes_of_string("abcd efg")), 4);
    assert_string_equal(out, "abcd");
}

static void broken_escapes_and_control_characters_are_harmless(void **state)
{
    (void)state;
    char out[64];
    (void)xmtp_grpc_text_decode(out, sizeof out, xmtp_bytes_of_string("%zz%4%"));
    assert_string_equal(out, "%zz%4%");
    (void)xmtp_grpc_text_decode(out, sizeof out, xmtp_bytes_of_string("a%00b%0a%1b[0m"));
    assert_string_equal(out, "a?b??[0m");
    char small[4];
    (void)xmtp_grpc_text_decode(small, sizeof small, xmtp_bytes_of_string("abcdefgh"));
    assert_string_equal(small, "abc");
}

static void status_codes_map_both_ways(void **state)
{
    (void)state;
    assert_int_equal(xmtp_grpc_status_in(0), XMTP_OK);
    assert_int_equal(xmtp_grpc_status_in(3), XMTP_E_RPC_INVALID);
    assert_int_equal(xmtp_grpc_status_in(8), XMTP_E_RPC_EXHAUSTED);
    assert_int_equal(xmtp_grpc_status_in(12), XMTP_E_RPC_UNIMPLEMENTED);
    assert_int_equal(xmtp_grpc_status_in(14), XMTP_E_RPC_UNAVAILABLE);
    assert_int_equal(xmtp_grpc_status_in(10), XMTP_E_RPC);
    assert_int_equal(xmtp_grpc_status_in(999), XMTP_E_RPC);
    assert_int_equal(xmtp_grpc_status_out(XMTP_OK), 0);
    assert_int_equal(xmtp_grpc_status_out(XMTP_E_MALFORMED), 3);
    assert_int_equal(xmtp_grpc_status_out(XMTP_E_KEY_PACKAGE), 3);
    assert_int_equal(xmtp_grpc_status_out(XMTP_E_ASSOCIATION), 3);
    assert_int_equal(xmtp_grpc_status_out(XMTP_E_LIMIT), 8);
    assert_int_equal(xmtp_grpc_status_out(XMTP_E_UNSUPPORTED), 12);
    assert_int_equal(xmtp_grpc_status_out(XMTP_E_DATABASE), 13);
    assert_int_equal(xmtp_grpc_status_out(XMTP_E_RANDOM), 13);
}

static void every_failure_of_ours_is_a_failure_to_the_client(void **state)
{
    (void)state;
#define CHECK_STATUS(name, value, text)                                                            \
    assert_int_equal(xmtp_grpc_status_out(XMTP_##name) == XMTP_GRPC_OK, (value) == 0);
    XMTP_STATUS_LIST(CHECK_STATUS)
#undef CHECK_STATUS
}

static void status_headers_are_small_decimal_numbers(void **state)
{
    (void)state;
    static const char *const texts[] = {"0", "16", "", "-1", "1e1", "9999", "99999999999"};
    static const int expected[] = {0, 16, 2, 2, 2, 2, 2};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(xmtp_grpc_status_parse(xmtp_bytes_of_string(texts[i])), expected[i]);
    }
    assert_string_equal(xmtp_grpc_status_name(14), "UNAVAILABLE");
    assert_string_equal(xmtp_grpc_status_name(17), "UNKNOWN");
    assert_string_equal(xmtp_grpc_status_name(-1), "UNKNOWN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_out_whole_however_they_are_cut),
        cmocka_unit_test(two_messages_in_one_piece_come_out_one_by_one),
        cmocka_unit_test(a_prefix_alone_is_judged_and_allocates_nothing),
        cmocka_unit_test(a_shared_budget_stops_the_decoder_that_exceeds_it),
        cmocka_unit_test(error_texts_round_trip_percent_encoded),
        cmocka_unit_test(error_texts_are_cut_between_escapes),
        cmocka_unit_test(broken_escapes_and_control_characters_are_harmless),
        cmocka_unit_test(status_codes_map_both_ways),
        cmocka_unit_test(every_failure_of_ours_is_a_failure_to_the_client),
        cmocka_unit_test(status_headers_are_small_decimal_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
