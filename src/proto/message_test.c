/* message_test.c - decoding into an arena: limits, nesting, malformed bytes. */
#include "proto/message.h"

#include "base/bytes.h"
#include "proto/message_contents.pb-c.h"
#include "proto/zero_byte.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// cmocka wants the headers above first
#include <cmocka.h>

static const xmtp_alloc *system_alloc(void)
{
    return &xmtp_env_system()->alloc;
}

static xmtp_status decode(const ProtobufCMessageDescriptor *type, xmtp_bytes in, size_t arena_max)
{
    xmtp_arena arena;
    xmtp_arena_init(&arena, system_alloc(), arena_max);
    void *message;
    xmtp_status status = xmtp_proto_decode(type, &arena, in, &message);
    xmtp_arena_reset(&arena);
    return status;
}

/* any_condition{policies{any_condition{policies{... base_policy}}}}: two messages a level. */
static void nest_policies(xmtp_writer *w, size_t levels)
{
    static const uint8_t base[] = {0x08, 0x01};
    uint8_t content[4096];
    size_t n = sizeof base;
    memcpy(content, base, n);
    for (size_t i = 0; i < 2 * levels; i++) {
        assert_true(n < 0x3fff);
        size_t header = n < 0x80 ? 2 : 3;
        memmove(content + header, content, n);
        content[0] = i % 2 == 0 ? 0x0a : 0x1a;
        content[1] = (uint8_t)(n < 0x80 ? n : (n & 0x7f) | 0x80);
        if (header == 3) {
            content[2] = (uint8_t)(n >> 7);
        }
        n += header;
    }
    xmtp_writer_put(w, xmtp_bytes_of(content, n));
}

static void nesting_beyond_the_limit_is_malformed(void **state)
{
    (void)state;
    for (size_t levels = 0; levels < 200; levels += 5) {
        xmtp_writer w;
        xmtp_writer_init(&w, system_alloc(), 1 << 16);
        nest_policies(&w, levels);
        xmtp_status expected = 2 * levels < XMTP_PROTO_DEPTH_MAX ? XMTP_OK : XMTP_E_MALFORMED;
        assert_int_equal(decode(&pb__membership_policy__descriptor, xmtp_writer_bytes(&w), 1 << 20),
                         expected);
        xmtp_writer_free(&w);
    }
}

static void a_message_larger_than_the_arena_hits_the_limit(void **state)
{
    (void)state;
    uint8_t bytes[2 + 100] = {0x0a, 100};
    xmtp_bytes in = xmtp_bytes_of(bytes, sizeof bytes);
    assert_int_equal(decode(&pb__leave_request__descriptor, in, 1 << 12), XMTP_OK);
    assert_int_equal(decode(&pb__leave_request__descriptor, in, 128), XMTP_E_LIMIT);
}

static void cut_messages_are_malformed(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0x0a, 3, 1, 2, 3};
    for (size_t n = 1; n < sizeof bytes; n++) {
        assert_int_equal(decode(&pb__leave_request__descriptor, xmtp_bytes_of(bytes, n), 1 << 12),
                         XMTP_E_MALFORMED);
    }
    assert_int_equal(decode(&pb__leave_request__descriptor, xmtp_bytes_of(bytes, 5), 1 << 12),
                     XMTP_OK);
    assert_int_equal(decode(&pb__leave_request__descriptor, (xmtp_bytes){0}, 1 << 12), XMTP_OK);
}

static void strings_must_be_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        xmtp_status expected;
    } cases[] = {
        {"\x0a\x02\xc3\xa9", XMTP_OK},
        {"\x0a\x03\xe2\x82\xac", XMTP_OK},
        {"\x0a\x04\xf0\x9f\x91\x8d", XMTP_OK},
        {"\x0a\x01\x80", XMTP_E_MALFORMED},
        {"\x0a\x02\xc0\xaf", XMTP_E_MALFORMED},
        {"\x0a\x03\xe0\x80\xaf", XMTP_E_MALFORMED},
        {"\x0a\x03\xed\xa0\x80", XMTP_E_MALFORMED},
        {"\x0a\x04\xf4\x90\x80\x80", XMTP_E_MALFORMED},
        {"\x0a\x02\xe2\x82", XMTP_E_MALFORMED},
        {"\x0a\x01\xff", XMTP_E_MALFORMED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(
            decode(&pb__inbox_ref__descriptor, xmtp_bytes_of_string(cases[i].text), 1 << 12),
            cases[i].expected);
    }
}

/* Two lists of admins that differ behind a zero byte; nested, with other fields around. */
static void zero_bytes_in_strings_come_through_and_keep_texts_apart(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0x0a, 6, 0x0a, 1, 'k',  0x12, 1,    'v',  0x12, 5,
                                    0x0a, 3, 'a',  0, 'b',  0x12, 7,    0x0a, 5,    'a',
                                    0,    0, 'c',  0, 0x1a, 0,    0x98, 0x06, 0x01};
    xmtp_arena arena;
    xmtp_writer w;
    void *message;
    xmtp_bytes in = xmtp_bytes_of(bytes, sizeof bytes);
    xmtp_arena_init(&arena, system_alloc(), 1 << 16);
    assert_int_equal(
        xmtp_proto_decode(&pb__group_mutable_metadata__descriptor, &arena, in, &message), XMTP_OK);
    const Pb__GroupMutableMetadata *metadata = message;
    assert_int_equal(metadata->admin_list->n_inbox_ids, 2);
    assert_string_equal(metadata->admin_list->inbox_ids[0], "a\xc0\x80"
                                                            "b");
    assert_string_equal(metadata->admin_list->inbox_ids[1], "a\xc0\x80\xc0\x80"
                                                            "c\xc0\x80");
    assert_int_equal(xmtp_text_wire_len(metadata->admin_list->inbox_ids[0]), 3);
    assert_int_equal(xmtp_text_wire_len(metadata->admin_list->inbox_ids[1]), 5);
    xmtp_writer_init(&w, system_alloc(), 1 << 16);
    assert_int_equal(xmtp_proto_encode(message, &w), XMTP_OK);
    void *again;
    assert_int_equal(xmtp_proto_decode(&pb__group_mutable_metadata__descriptor, &arena,
                                       xmtp_writer_bytes(&w), &again),
                     XMTP_OK);
    assert_string_equal(((Pb__GroupMutableMetadata *)again)->admin_list->inbox_ids[1],
                        metadata->admin_list->inbox_ids[1]);
    assert_non_null(memmem(w.p, w.n, "a\0\0c\0", 5));
    assert_null(memmem(w.p, w.n, "\xc0\x80", 2));
    xmtp_writer_free(&w);
    xmtp_arena_reset(&arena);
}

static void zero_values_are_left_out(void **state)
{
    (void)state;
    Pb__WelcomeMetadata metadata = PB__WELCOME_METADATA__INIT;
    xmtp_writer w;
    xmtp_writer_init(&w, system_alloc(), 64);
    assert_int_equal(xmtp_proto_encode(&metadata.base, &w), XMTP_OK);
    assert_int_equal(w.n, 0);
    metadata.has_message_cursor = 1;
    metadata.message_cursor = 1;
    assert_int_equal(xmtp_proto_encode(&metadata.base, &w), XMTP_OK);
    assert_memory_equal(w.p, "\x08\x01", 2);
    xmtp_writer_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nesting_beyond_the_limit_is_malformed),
        cmocka_unit_test(a_message_larger_than_the_arena_hits_the_limit),
        cmocka_unit_test(cut_messages_are_malformed),
        cmocka_unit_test(strings_must_be_utf8),
        cmocka_unit_test(zero_bytes_in_strings_come_through_and_keep_texts_apart),
        cmocka_unit_test(zero_values_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
