/* content_test.c - texts, replies, envelopes and message ids as on the network (groups.md A.1). */
#include "client/content.h"

#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static xmtp_writer writer;
static xmtp_arena arena;

static int set_up(void **state)
{
    (void)state;
    xmtp_writer_init(&writer, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    xmtp_arena_init(&arena, &xmtp_env_system()->alloc, 1 << 24);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    xmtp_writer_free(&writer);
    xmtp_arena_reset(&arena);
    return 0;
}

static void assert_hex(xmtp_bytes bytes, const char *hex)
{
    char text[1024];
    assert_true(bytes.n < 500);
    xmtp_hex_encode(text, bytes);
    assert_string_equal(text, hex);
}

#define HELLO_HEX                                                                                  \
    "0a120a08786d74702e6f7267120474657874180112110a08656e636f64696e6712055554462d38220568656c6c6f"

static void a_text_is_encoded_as_the_official_client_does(void **state)
{
    (void)state;
    assert_int_equal(xmtp_content_text(&writer, "hello"), XMTP_OK);
    assert_hex(xmtp_writer_bytes(&writer), HELLO_HEX);
}

static void the_envelope_is_encoded_as_the_official_client_does(void **state)
{
    (void)state;
    uint8_t content[46];
    assert_int_equal(xmtp_hex_decode(content, 46, HELLO_HEX, 92), XMTP_OK);
    assert_int_equal(
        xmtp_envelope_encode(&writer, xmtp_bytes_of(content, 46), "1795373760790573443"), XMTP_OK);
    assert_hex(xmtp_writer_bytes(&writer),
               "0a450a2e" HELLO_HEX "121331373935333733373630373930353733343433");
    bool has_v1;
    xmtp_bytes back;
    const char *key;
    assert_int_equal(xmtp_envelope_decode(&arena, xmtp_writer_bytes(&writer), &has_v1, &back, &key),
                     XMTP_OK);
    assert_true(has_v1);
    assert_string_equal(key, "1795373760790573443");
    assert_hex(back, HELLO_HEX);
}

static void the_message_id_is_that_of_the_network(void **state)
{
    (void)state;
    uint8_t group_id[16];
    uint8_t content[46];
    uint8_t id[32];
    assert_int_equal(xmtp_hex_decode(group_id, 16, "dc724c49f580192bb088344da7713bd6", 32),
                     XMTP_OK);
    assert_int_equal(xmtp_hex_decode(content, 46, HELLO_HEX, 92), XMTP_OK);
    xmtp_message_id(xmtp_bytes_of(group_id, 16), "1795373760790573443", xmtp_bytes_of(content, 46),
                    id);
    assert_hex(xmtp_bytes_of(id, 32),
               "18698348aa71530829b6d8dac3bb8398599718d172e0f1fa9d7fe1d8f1483188");
}

static void a_text_is_read_back(void **state)
{
    (void)state;
    assert_int_equal(xmtp_content_text(&writer, "gr\xc3\xbc\xc3\x9f dich"), XMTP_OK);
    xmtp_message message = {0};
    assert_int_equal(xmtp_content_view(&arena, xmtp_writer_bytes(&writer), &message), XMTP_OK);
    assert_string_equal(message.text, "gr\xc3\xbc\xc3\x9f dich");
    assert_int_equal(message.text_len, 11);
    assert_string_equal(message.authority, "xmtp.org");
    assert_string_equal(message.type, "text");
    assert_int_equal(message.version_major, 1);
    assert_null(message.fallback);
    assert_null(message.reference);
}

static void a_reply_tells_its_reference_text_and_fallback(void **state)
{
    (void)state;
    uint8_t reference[32];
    memset(reference, 0xaa, sizeof(reference));
    assert_int_equal(xmtp_content_reply(&writer, reference, "yes"), XMTP_OK);
    xmtp_message message = {0};
    assert_int_equal(xmtp_content_view(&arena, xmtp_writer_bytes(&writer), &message), XMTP_OK);
    assert_string_equal(message.type, "reply");
    assert_string_equal(message.text, "yes");
    assert_string_equal(message.fallback, "Replied with \"yes\" to an earlier message");
    assert_string_equal(message.reference,
                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
}

static void what_is_not_utf8_is_not_sent_and_not_shown(void **state)
{
    (void)state;
    static const char *const wrong[] = {"\xff",     "\xc3",         "\xc0\x80", "\xed\xa0\x80",
                                        "\xf5\x80", "\xe0\x80\x80", "a\x80"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(xmtp_content_text(&writer, wrong[i]), XMTP_E_CONTENT);
    }
    assert_int_equal(xmtp_content_text(&writer, "ok"), XMTP_OK);
    writer.p[writer.n - 1] = 0xff;
    xmtp_message message = {0};
    assert_int_equal(xmtp_content_view(&arena, xmtp_writer_bytes(&writer), &message), XMTP_OK);
    assert_null(message.text);
    assert_string_equal(message.type, "text");
}

static void content_that_does_not_parse_is_of_unknown_type(void **state)
{
    (void)state;
    xmtp_message message = {0};
    assert_int_equal(xmtp_content_view(&arena, xmtp_bytes_of("\xff\xff\xff", 3), &message),
                     XMTP_OK);
    assert_string_equal(message.authority, "");
    assert_string_equal(message.type, "");
    assert_null(message.text);
    assert_int_equal(message.content.n, 3);
}

static void every_cut_of_a_reply_is_survived(void **state)
{
    (void)state;
    uint8_t reference[32] = {1};
    assert_int_equal(xmtp_content_reply(&writer, reference, "text"), XMTP_OK);
    for (size_t n = 0; n < writer.n; n++) {
        xmtp_message message = {0};
        assert_int_equal(xmtp_content_view(&arena, xmtp_bytes_of(writer.p, n), &message), XMTP_OK);
        xmtp_arena_reset(&arena);
    }
}

static void an_envelope_without_a_version_is_refused(void **state)
{
    (void)state;
    bool has_v1;
    xmtp_bytes content;
    const char *key;
    assert_int_equal(xmtp_envelope_decode(&arena, (xmtp_bytes){0}, &has_v1, &content, &key),
                     XMTP_E_CONTENT);
    assert_int_equal(
        xmtp_envelope_decode(&arena, xmtp_bytes_of("\x0a\xff", 2), &has_v1, &content, &key),
        XMTP_E_CONTENT);
    assert_int_equal(
        xmtp_envelope_decode(&arena, xmtp_bytes_of("\x12\x01x", 3), &has_v1, &content, &key),
        XMTP_OK);
    assert_false(has_v1);
}

int main(void)
{
#define FRESH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        FRESH(a_text_is_encoded_as_the_official_client_does),
        FRESH(the_envelope_is_encoded_as_the_official_client_does),
        FRESH(the_message_id_is_that_of_the_network),
        FRESH(a_text_is_read_back),
        FRESH(a_reply_tells_its_reference_text_and_fallback),
        FRESH(what_is_not_utf8_is_not_sent_and_not_shown),
        FRESH(content_that_does_not_parse_is_of_unknown_type),
        FRESH(every_cut_of_a_reply_is_survived),
        FRESH(an_envelope_without_a_version_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
