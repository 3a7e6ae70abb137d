/* reflection_test.c - what a tool learns by gRPC server reflection, and where it may ask. */
#include "node/test_h2.h"
#include "proto/field.h"

#define REFLECTION       "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
#define REFLECTION_ALPHA "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"

/* Fields of a request, and those of its response. */
enum {
    BY_NAME = 3,
    BY_SYMBOL = 4,
    EXTENSIONS_OF = 6,
    LIST = 7,
    GOT_FILE = 4,
    GOT_EXTENSIONS = 5,
    GOT_LIST = 6,
    GOT_ERROR = 7,
};

static xmtp_node *open_node(xmtp_node_reflection reflection, const char *address)
{
    xmtp_node *node;
    xmtp_error error = {0};
    xmtp_node_options options = {
        .env = test_env(), .listen = {address}, .loops = 1, .reflection = reflection};
    if (xmtp_node_open(&node, &options, &error) != XMTP_OK) {
        fail_msg("node: %s", error.text);
    }
    return node;
}

/* ---- a client */

typedef struct tool {
    xmtp_node *node;
    h2 h2;
    h2_call *call;
} tool;

static void open_tool(tool *t, xmtp_node *node, const char *path)
{
    t->node = node;
    h2_open(&t->h2, xmtp_node_port(node, 0));
    t->call = h2_start(&t->h2, path, NULL, NULL);
}

static void close_tool(tool *t)
{
    h2_close(&t->h2);
    xmtp_node_close(t->node);
}

static xmtp_bytes field_of(xmtp_bytes message, uint32_t number)
{
    xmtp_field f;
    xmtp_reader r = xmtp_reader_of(message);
    while (r.n > 0) {
        assert_int_equal(xmtp_field_next(&r, &f), XMTP_OK);
        if (f.number == number) {
            return f.bytes;
        }
    }
    return (xmtp_bytes){0};
}

/* The response's field with the answer. */
static xmtp_bytes ask(tool *t, uint32_t question, const char *text, uint32_t expected)
{
    xmtp_writer w;
    xmtp_bytes response;
    xmtp_writer_init(&w, &test_env()->alloc, XMTP_WRITER_MAX);
    xmtp_field_put_message(&w, 1, xmtp_bytes_of_string("here"));
    xmtp_field_put_message(&w, question, xmtp_bytes_of_string(text));
    h2_say(&t->h2, t->call, 0, xmtp_writer_bytes(&w));
    assert_true(h2_next(&t->h2, t->call, &response));
    assert_true(xmtp_bytes_equal(field_of(response, 1), xmtp_bytes_of_string("here")));
    assert_true(xmtp_bytes_equal(field_of(response, 2), xmtp_writer_bytes(&w)));
    xmtp_writer_free(&w);
    for (uint32_t i = GOT_FILE; i <= GOT_ERROR; i++) {
        assert_true(i == expected || field_of(response, i).n == 0);
    }
    return field_of(response, expected);
}

static bool lists(xmtp_bytes list, const char *service)
{
    xmtp_field f;
    xmtp_reader r = xmtp_reader_of(list);
    while (r.n > 0) {
        assert_int_equal(xmtp_field_next(&r, &f), XMTP_OK);
        if (xmtp_bytes_equal(field_of(f.bytes, 1), xmtp_bytes_of_string(service))) {
            return true;
        }
    }
    return false;
}

static void expect_file(tool *t, uint32_t question, const char *text, const char *name)
{
    xmtp_bytes file = field_of(ask(t, question, text, GOT_FILE), 1);
    assert_true(xmtp_bytes_equal(field_of(file, 1), xmtp_bytes_of_string(name)));
}

/* Asks for everything that a file imports, and for what that imports. */
static void fetch_imports(tool *t, const char *name)
{
    char import[128];
    xmtp_field f;
    xmtp_bytes view = field_of(ask(t, BY_NAME, name, GOT_FILE), 1);
    uint8_t *copy = malloc(view.n);
    memcpy(copy, view.p, view.n);
    xmtp_reader r = xmtp_reader_of(xmtp_bytes_of(copy, view.n));
    while (r.n > 0) {
        assert_int_equal(xmtp_field_next(&r, &f), XMTP_OK);
        if (f.number == 3) {
            (void)snprintf(import, sizeof import, "%.*s", (int)f.bytes.n, (const char *)f.bytes.p);
            fetch_imports(t, import);
        }
    }
    free(copy);
}

/* ---- tests */

static void both_versions_list_what_the_port_serves(void **state)
{
    (void)state;
    static const char *const paths[] = {REFLECTION, REFLECTION_ALPHA};
    for (size_t i = 0; i < 2; i++) {
        tool t;
        open_tool(&t, open_node(XMTP_NODE_REFLECT_LOCALLY, "127.0.0.1:0"), paths[i]);
        xmtp_bytes list = ask(&t, LIST, "", GOT_LIST);
        assert_true(lists(list, "xmtp.mls.api.v1.MlsApi"));
        assert_true(lists(list, "xmtp.identity.api.v1.IdentityApi"));
        assert_true(lists(list, "xmtp.message_api.v1.MessageApi"));
        assert_true(lists(list, "grpc.health.v1.Health"));
        assert_true(lists(list, "grpc.reflection.v1.ServerReflection"));
        assert_true(lists(list, "grpc.reflection.v1alpha.ServerReflection"));
        assert_false(lists(list, "xmtp.mls_validation.v1.ValidationApi"));
        h2_half_close(&t.h2, t.call);
        h2_wait_end(&t.h2, t.call);
        assert_int_equal(t.call->grpc_status, 0);
        close_tool(&t);
    }
}

static void a_validation_port_lists_validation_only(void **state)
{
    (void)state;
    tool t;
    open_tool(&t, open_node(XMTP_NODE_REFLECT_LOCALLY, "validation=127.0.0.1:0"), REFLECTION);
    xmtp_bytes list = ask(&t, LIST, "", GOT_LIST);
    assert_true(lists(list, "xmtp.mls_validation.v1.ValidationApi"));
    assert_false(lists(list, "xmtp.mls.api.v1.MlsApi"));
    close_tool(&t);
}

static void files_are_found_by_their_name_and_by_symbols_of_any_depth(void **state)
{
    (void)state;
    tool t;
    open_tool(&t, open_node(XMTP_NODE_REFLECT_LOCALLY, "127.0.0.1:0"), REFLECTION);
    expect_file(&t, BY_NAME, "node/api/mls.proto", "node/api/mls.proto");
    expect_file(&t, BY_SYMBOL, "xmtp.mls.api.v1.MlsApi", "node/api/mls.proto");
    expect_file(&t, BY_SYMBOL, "xmtp.mls.api.v1.MlsApi.SendGroupMessages", "node/api/mls.proto");
    expect_file(&t, BY_SYMBOL, "pb.GroupMessage.V1", "proto/mls_api.proto");
    expect_file(&t, BY_SYMBOL, "pb.GroupMessage.V1.created_ns", "proto/mls_api.proto");
    expect_file(&t, BY_SYMBOL, "pb.IdentifierKind", "proto/identity.proto");
    expect_file(&t, BY_SYMBOL, "pb.SubscribeRequest.V1.Mutate.Add", "proto/subscribe.proto");
    expect_file(&t, BY_SYMBOL, "grpc.reflection.v1alpha.ServerReflection",
                "node/api/reflection_alpha.proto");
    close_tool(&t);
}

static void every_import_of_every_service_can_be_fetched(void **state)
{
    (void)state;
    static const char *const files[] = {"node/api/mls.proto", "node/api/identity.proto",
                                        "node/api/message_api.proto", "node/api/health.proto",
                                        "node/api/reflection_alpha.proto"};
    tool t;
    open_tool(&t, open_node(XMTP_NODE_REFLECT_LOCALLY, "127.0.0.1:0"), REFLECTION);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        fetch_imports(&t, files[i]);
    }
    close_tool(&t);
}

static void what_there_is_not_is_not_found_and_the_stream_goes_on(void **state)
{
    (void)state;
    static const char *const symbols[] = {"",
                                          ".",
                                          "pb",
                                          "pb.",
                                          "xmtp",
                                          "xmtp.mls.api.v1.MlsApi.",
                                          "pb.GroupMessage.V2",
                                          "xmtp.mls.api.v1.MlsApi.Nothing"};
    tool t;
    open_tool(&t, open_node(XMTP_NODE_REFLECT_LOCALLY, "127.0.0.1:0"), REFLECTION);
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
        xmtp_bytes error = ask(&t, BY_SYMBOL, symbols[i], GOT_ERROR);
        assert_memory_equal(error.p, "\x08\x05", 2); /* NOT_FOUND */
    }
    (void)ask(&t, BY_NAME, "../../etc/passwd", GOT_ERROR);
    (void)ask(&t, EXTENSIONS_OF, "pb.Nothing", GOT_ERROR);
    (void)ask(&t, EXTENSIONS_OF, "pb.GroupMessage", GOT_EXTENSIONS);
    assert_true(lists(ask(&t, LIST, "", GOT_LIST), "xmtp.mls.api.v1.MlsApi"));
    close_tool(&t);
}

static void a_request_that_is_none_ends_the_stream(void **state)
{
    (void)state;
    enum { INVALID_ARGUMENT = 3 };
    tool t;
    open_tool(&t, open_node(XMTP_NODE_REFLECT_LOCALLY, "127.0.0.1:0"), REFLECTION);
    h2_say(&t.h2, t.call, 0, xmtp_bytes_of("\x22\x7f", 2));
    h2_wait_end(&t.h2, t.call);
    assert_int_equal(t.call->grpc_status, INVALID_ARGUMENT);
    close_tool(&t);
}

static void a_flood_of_requests_ends_the_stream_before_its_answers_fill_the_memory(void **state)
{
    (void)state;
    enum { RESOURCE_EXHAUSTED = 8, REQUESTS = 10000 };
    tool t;
    xmtp_writer w;
    xmtp_writer_init(&w, &test_env()->alloc, XMTP_WRITER_MAX);
    xmtp_field_put_message(&w, BY_NAME, xmtp_bytes_of_string("proto/mls_api.proto"));
    open_tool(&t, open_node(XMTP_NODE_REFLECT_LOCALLY, "127.0.0.1:0"), REFLECTION);
    for (size_t i = 0; i < REQUESTS; i++) {
        xmtp_writer_u8(&t.call->out, 0);
        xmtp_writer_u32(&t.call->out, (uint32_t)w.n);
        xmtp_writer_put(&t.call->out, xmtp_writer_bytes(&w));
    }
    h2_say(&t.h2, t.call, 0, xmtp_writer_bytes(&w));
    h2_wait_end(&t.h2, t.call);
    assert_int_equal(t.call->grpc_status, RESOURCE_EXHAUSTED);
    xmtp_writer_free(&w);
    close_tool(&t);
}

static int status_of(xmtp_node_reflection reflection, const char *address)
{
    tool t;
    open_tool(&t, open_node(reflection, address), REFLECTION);
    h2_half_close(&t.h2, t.call);
    h2_wait_end(&t.h2, t.call);
    int status = t.call->grpc_status;
    close_tool(&t);
    return status;
}

static void it_is_served_on_loopback_only_unless_told_otherwise(void **state)
{
    (void)state;
    enum { UNIMPLEMENTED = 12 };
    assert_int_equal(status_of(XMTP_NODE_REFLECT_LOCALLY, "127.0.0.1:0"), 0);
    assert_int_equal(status_of(XMTP_NODE_REFLECT_LOCALLY, "0.0.0.0:0"), UNIMPLEMENTED);
    assert_int_equal(status_of(XMTP_NODE_REFLECT_EVERYWHERE, "0.0.0.0:0"), 0);
    assert_int_equal(status_of(XMTP_NODE_REFLECT_NOWHERE, "127.0.0.1:0"), UNIMPLEMENTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_versions_list_what_the_port_serves),
        cmocka_unit_test(a_validation_port_lists_validation_only),
        cmocka_unit_test(files_are_found_by_their_name_and_by_symbols_of_any_depth),
        cmocka_unit_test(every_import_of_every_service_can_be_fetched),
        cmocka_unit_test(what_there_is_not_is_not_found_and_the_stream_goes_on),
        cmocka_unit_test(a_request_that_is_none_ends_the_stream),
        cmocka_unit_test(a_flood_of_requests_ends_the_stream_before_its_answers_fill_the_memory),
        cmocka_unit_test(it_is_served_on_loopback_only_unless_told_otherwise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
