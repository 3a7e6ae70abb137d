/* json_test.c - the proto3 JSON mapping in both directions, and what is refused with which words. */
#include "node/json.h"

#include "base/bytes.h"
#include "proto/identity.pb-c.h"
#include "proto/mls_api.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// cmocka wants the headers above first
#include <cmocka.h>

#define QUERY   (&pb__query_group_messages_request__descriptor)
#define WELCOME (&pb__send_welcome_messages_request__descriptor)
#define UPDATE  (&pb__publish_identity_update_request__descriptor)
#define NEWEST  (&pb__get_newest_group_message_request__descriptor)
#define INBOXES (&pb__get_inbox_ids_request__descriptor)

static xmtp_writer make_writer(void)
{
    xmtp_writer w;
    xmtp_writer_init(&w, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    return w;
}

static void print_json(const ProtobufCMessageDescriptor *type, xmtp_bytes encoded, xmtp_writer *out)
{
    xmtp_arena arena;
    xmtp_arena_init(&arena, &xmtp_env_system()->alloc, 1 << 24);
    assert_int_equal(xmtp_json_write(type, encoded, &arena, out), XMTP_OK);
    xmtp_arena_reset(&arena);
}

/* What text means, printed again in our form. */
static void assert_means(const ProtobufCMessageDescriptor *type, const char *text,
                         const char *expected)
{
    xmtp_writer encoded = make_writer();
    xmtp_writer json = make_writer();
    xmtp_error error = {0};
    if (xmtp_json_read(type, xmtp_bytes_of_string(text), &encoded, &error) != XMTP_OK) {
        fail_msg("%s: %s", text, error.text);
    }
    print_json(type, xmtp_writer_bytes(&encoded), &json);
    xmtp_writer_u8(&json, 0);
    assert_string_equal((const char *)json.p, expected);
    xmtp_writer_free(&encoded);
    xmtp_writer_free(&json);
}

static void names_numbers_and_bytes_are_read_in_every_allowed_form(void **state)
{
    (void)state;
    static const char expected[] =
        "{\"groupId\":\"+/8=\",\"pagingInfo\":{\"direction\":\"SORT_DIRECTION_ASCENDING\","
        "\"limit\":100,\"idCursor\":\"18446744073709551615\"}}";
    static const char *const forms[] = {
        "{\"groupId\":\"+/8=\",\"pagingInfo\":{\"direction\":\"SORT_DIRECTION_ASCENDING\","
        "\"limit\":100,\"idCursor\":\"18446744073709551615\"}}",
        " { \"group_id\" : \"-_8\" , \"paging_info\" : { \"direction\" : 1 , \"limit\" : \"100\" , "
        "\"id_cursor\" : \"18446744073709551615\" } } \r\n",
        "{\"unknown\":[{\"a\":null}],\"groupId\":\"+/8\",\"pagingInfo\":{\"limit\":1e2,"
        "\"direction\":\"1\",\"idCursor\":\"18446744073709551615\",\"x\":{}}}",
    };
    for (size_t i = 0; i < 3; i++) {
        assert_means(QUERY, forms[i], expected);
    }
    assert_means(QUERY, "{}", "{}");
    assert_means(QUERY, "{\"groupId\":null,\"pagingInfo\":{}}", "{\"pagingInfo\":{}}");
    assert_means(QUERY, "{\"pagingInfo\":{\"idCursor\":9007199254740992}}",
                 "{\"pagingInfo\":{\"idCursor\":\"9007199254740992\"}}");
    assert_means(QUERY, "{\"pagingInfo\":{\"direction\":-7}}",
                 "{\"pagingInfo\":{\"direction\":-7}}");
}

static void lists_bools_and_oneofs_are_carried(void **state)
{
    (void)state;
    assert_means(NEWEST, "{\"groupIds\":[\"AA==\",\"\",\"AQ==\"],\"includeContent\":true}",
                 "{\"groupIds\":[\"AA==\",\"\",\"AQ==\"],\"includeContent\":true}");
    assert_means(WELCOME,
                 "{\"messages\":[{\"v1\":{\"installationKey\":\"AA==\",\"wrapperAlgorithm\":"
                 "\"WELCOME_WRAPPER_ALGORITHM_SYMMETRIC_KEY\"}},{\"welcomePointer\":{}}]}",
                 "{\"messages\":[{\"v1\":{\"installationKey\":\"AA==\",\"wrapperAlgorithm\":"
                 "\"WELCOME_WRAPPER_ALGORITHM_SYMMETRIC_KEY\"}},{\"welcomePointer\":{}}]}");
    assert_means(INBOXES,
                 "{\"requests\":[{\"identifier\":\"0xab\\u00e9\\n\\\"\",\"identifierKind\":1}]}",
                 "{\"requests\":[{\"identifier\":\"0xab\xc3\xa9\\u000a\\\"\","
                 "\"identifierKind\":\"IDENTIFIER_KIND_ETHEREUM\"}]}");
}

/* Kept as bytes with us, a message with everybody else. */
static void an_identity_update_is_an_object(void **state)
{
    (void)state;
    assert_means(UPDATE,
                 "{\"identityUpdate\":{\"inboxId\":\"ab\",\"actions\":[{\"add\":{"
                 "\"newMemberSignature\":{\"erc191\":{\"bytes\":\"AAE=\"}},\"newMemberIdentifier\":"
                 "{\"ethereumAddress\":\"0x1\"}}}]}}",
                 "{\"identityUpdate\":{\"actions\":[{\"add\":{\"newMemberIdentifier\":{"
                 "\"ethereumAddress\":\"0x1\"},\"newMemberSignature\":{\"erc191\":{\"bytes\":"
                 "\"AAE=\"}}}}],\"inboxId\":\"ab\"}}");
    assert_means(UPDATE, "{\"identityUpdate\":\"GgJhYg==\"}",
                 "{\"identityUpdate\":{\"inboxId\":\"ab\"}}");
}

static void assert_refused(const ProtobufCMessageDescriptor *type, xmtp_bytes text,
                           xmtp_status status)
{
    xmtp_writer encoded = make_writer();
    xmtp_error error = {0};
    if (xmtp_json_read(type, text, &encoded, &error) != status) {
        fail_msg("%.*s: %s", (int)(text.n < 200 ? text.n : 200), text.p, error.text);
    }
    assert_true(strlen(error.text) > 0);
    xmtp_writer_free(&encoded);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "null",
                                        "[]",
                                        "1",
                                        "{",
                                        "{}x",
                                        "{\"groupId\"}",
                                        "{\"groupId\":\"AA==\",}",
                                        "{\"groupId\":7}",
                                        "{\"groupId\":\"A\"}",
                                        "{\"groupId\":\"AA=A\"}",
                                        "{\"groupId\":\"?\"}",
                                        "{\"groupId\":[\"AA==\"]}",
                                        "{\"pagingInfo\":[]}",
                                        "{\"pagingInfo\":7}",
                                        "{\"pagingInfo\":{\"limit\":-1}}",
                                        "{\"pagingInfo\":{\"limit\":4294967296}}",
                                        "{\"pagingInfo\":{\"limit\":1.5}}",
                                        "{\"pagingInfo\":{\"limit\":\"\"}}",
                                        "{\"pagingInfo\":{\"limit\":\" 1\"}}",
                                        "{\"pagingInfo\":{\"limit\":true}}",
                                        "{\"pagingInfo\":{\"idCursor\":18446744073709551615}}",
                                        "{\"pagingInfo\":{\"idCursor\":\"18446744073709551616\"}}",
                                        "{\"pagingInfo\":{\"idCursor\":\"0x1\"}}",
                                        "{\"pagingInfo\":{\"direction\":\"SIDEWAYS\"}}",
                                        "{\"pagingInfo\":{\"direction\":2147483648}}",
                                        "{\"groupId\":\"AA==\",\"group_id\":\"AA==\"}",
                                        "{\"groupId\":\"\\u0000\"}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_refused(QUERY, xmtp_bytes_of_string(wrong[i]), XMTP_E_ARGUMENT);
    }
    assert_refused(QUERY, xmtp_bytes_of("{\"groupId\":\"\0\"}", 14), XMTP_E_ARGUMENT);
    assert_refused(NEWEST, xmtp_bytes_of_string("{\"includeContent\":\"true\"}"), XMTP_E_ARGUMENT);
    assert_refused(NEWEST, xmtp_bytes_of_string("{\"groupIds\":\"AA==\"}"), XMTP_E_ARGUMENT);
    assert_refused(WELCOME,
                   xmtp_bytes_of_string("{\"messages\":[{\"v1\":{},\"welcomePointer\":{}}]}"),
                   XMTP_E_ARGUMENT);
    assert_refused(INBOXES, xmtp_bytes_of_string("{\"requests\":[{\"identifier\":\"\xff\"}]}"),
                   XMTP_E_ARGUMENT);
}

/* An object with one member that means nothing: lists in lists, levels deep with the object. */
static void put_nested(xmtp_writer *w, size_t levels)
{
    xmtp_writer_clear(w);
    xmtp_writer_put(w, xmtp_bytes_of_string("{\"x\":"));
    for (size_t i = 1; i < levels; i++) {
        xmtp_writer_u8(w, '[');
    }
    for (size_t i = 1; i < levels; i++) {
        xmtp_writer_u8(w, ']');
    }
    xmtp_writer_u8(w, '}');
}

/* The same with one list. A comma counts for the value behind it; three more are the object, the list
 * and its first value. */
static void put_values(xmtp_writer *w, size_t values)
{
    xmtp_writer_clear(w);
    xmtp_writer_put(w, xmtp_bytes_of_string("{\"x\":[0"));
    for (size_t i = 3; i < values; i++) {
        xmtp_writer_put(w, xmtp_bytes_of_string(",0"));
    }
    xmtp_writer_put(w, xmtp_bytes_of_string("]}"));
}

static void assert_taken(const xmtp_writer *text)
{
    xmtp_writer encoded = make_writer();
    assert_int_equal(xmtp_json_read(QUERY, xmtp_writer_bytes(text), &encoded, NULL), XMTP_OK);
    assert_int_equal(encoded.n, 0);
    xmtp_writer_free(&encoded);
}

static void levels_and_values_are_taken_up_to_their_limits_and_not_one_more(void **state)
{
    (void)state;
    xmtp_writer text = make_writer();
    put_nested(&text, XMTP_JSON_DEPTH_MAX);
    assert_taken(&text);
    put_nested(&text, XMTP_JSON_DEPTH_MAX + 1);
    assert_refused(QUERY, xmtp_writer_bytes(&text), XMTP_E_LIMIT);
    put_values(&text, XMTP_JSON_VALUES_MAX);
    assert_taken(&text);
    put_values(&text, XMTP_JSON_VALUES_MAX + 1);
    assert_refused(QUERY, xmtp_writer_bytes(&text), XMTP_E_LIMIT);
    xmtp_writer_free(&text);
}

static void depth_and_number_of_values_are_bounded_before_anything_is_built(void **state)
{
    (void)state;
    size_t n = 4 * XMTP_JSON_VALUES_MAX;
    char *text = malloc(n);
    memset(text, '[', n);
    memcpy(text, "{\"x\":", 5);
    assert_refused(QUERY, xmtp_bytes_of(text, n), XMTP_E_LIMIT);
    memset(text + 6, ',', n - 6);
    assert_refused(QUERY, xmtp_bytes_of(text, n), XMTP_E_LIMIT);
    memset(text + 5, '"', n - 5); /* one long row of strings, not closed */
    assert_refused(QUERY, xmtp_bytes_of(text, n - 1), XMTP_E_ARGUMENT);
    free(text);
    assert_means(QUERY, "{\"x\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[,,,\\\"[\"}", "{}");
}

static void a_query_is_read_like_an_object(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        const char *expected;
    } good[] = {
        {"group_ids=AA%3D%3D&groupIds=-_8&include_content=true",
         "{\"groupIds\":[\"AA==\",\"+/8=\"],\"includeContent\":true}"},
        {"include_content=false&other=1&&x", "{}"},
        {"", "{}"},
    };
    for (size_t i = 0; i < 3; i++) {
        xmtp_writer encoded = make_writer();
        xmtp_writer json = make_writer();
        assert_int_equal(xmtp_json_read_query(NEWEST, good[i].query, &encoded, NULL), XMTP_OK);
        print_json(NEWEST, xmtp_writer_bytes(&encoded), &json);
        xmtp_writer_u8(&json, 0);
        assert_string_equal((const char *)json.p, good[i].expected);
        xmtp_writer_free(&encoded);
        xmtp_writer_free(&json);
    }
    static const char *const wrong[] = {"group_ids=%", "group_ids=?", "include_content=yes",
                                        "include_content"};
    for (size_t i = 0; i < 4; i++) {
        xmtp_writer encoded = make_writer();
        assert_int_equal(xmtp_json_read_query(NEWEST, wrong[i], &encoded, NULL), XMTP_E_ARGUMENT);
        xmtp_writer_free(&encoded);
    }
}

static void texts_that_are_no_utf_8_can_still_be_shown(void **state)
{
    (void)state;
    xmtp_writer w = make_writer();
    xmtp_json_write_string(&w, xmtp_bytes_of_string("a\xff\x01\\"));
    xmtp_writer_u8(&w, 0);
    assert_string_equal((const char *)w.p, "\"a\xef\xbf\xbd\\u0001\\\\\"");
    xmtp_writer_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_numbers_and_bytes_are_read_in_every_allowed_form),
        cmocka_unit_test(lists_bools_and_oneofs_are_carried),
        cmocka_unit_test(an_identity_update_is_an_object),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(levels_and_values_are_taken_up_to_their_limits_and_not_one_more),
        cmocka_unit_test(depth_and_number_of_values_are_bounded_before_anything_is_built),
        cmocka_unit_test(a_query_is_read_like_an_object),
        cmocka_unit_test(texts_that_are_no_utf_8_can_still_be_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
