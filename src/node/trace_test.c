/* trace_test.c - whole sessions of the official client, recorded at another node, played to ours:
 * each request gets the same answer, each stream the same messages.
 *
 * Ids must be equal, since both nodes number from one. Times differ, the other node writes zeros
 * out that we leave away, and it does not repeat the kind of an identifier: answers are compared
 * decoded, without these.
 */
#include "node/test_vectors.h"

enum { STREAMS_MAX = 16 };

typedef struct method {
    const char *name;
    const ProtobufCMessageDescriptor *answer;
} method;

static const method methods[] = {
    {"GetInboxIds", &pb__get_inbox_ids_response__descriptor},
    {"GetIdentityUpdates", &pb__get_identity_updates_response__descriptor},
    {"QueryGroupMessages", &pb__query_group_messages_response__descriptor},
    {"QueryWelcomeMessages", &pb__query_welcome_messages_response__descriptor},
    {"FetchKeyPackages", &pb__fetch_key_packages_response__descriptor},
    {"GetNewestGroupMessage", &pb__get_newest_group_message_response__descriptor},
    {"BatchQueryCommitLog", &pb__batch_query_commit_log_response__descriptor},
    {"SubscribeGroupMessages", &pb__group_message__descriptor},
    {"SubscribeWelcomeMessages", &pb__welcome_message__descriptor},
};

typedef struct player {
    test_node t;
    struct {
        int conn;
        int id;
        xmtp_stream *stream;
    } streams[STREAMS_MAX];
    size_t stream_count;
    size_t calls;
    size_t messages;
} player;

static void normalize(ProtobufCMessage *message);

static void normalize_field(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    uint8_t *member = (uint8_t *)message + field->offset;
    uint8_t *quantifier = (uint8_t *)message + field->quantifier_offset;
    bool is_left_out = strcmp(field->name, "created_ns") == 0 ||
                       strcmp(field->name, "server_timestamp_ns") == 0 ||
                       strcmp(field->name, "identifier_kind") == 0;
    bool is_oneof = (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
    if (is_oneof && *(uint32_t *)(void *)quantifier != field->id) {
        return;
    }
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        for (size_t i = 0; i < *(size_t *)(void *)quantifier; i++) {
            if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
                normalize((*(ProtobufCMessage ***)(void *)member)[i]);
            }
        }
    } else if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        ProtobufCMessage *inner = *(ProtobufCMessage **)(void *)member;
        if (inner != NULL) {
            normalize(inner);
        }
    } else if (field->type == PROTOBUF_C_TYPE_STRING) {
        char **text = (char **)(void *)member;
        *text = *text != NULL && **text == '\0' ? NULL : *text;
    } else {
        static const uint8_t zeros[8];
        bool is_bytes = field->type == PROTOBUF_C_TYPE_BYTES;
        bool is_64 = field->type == PROTOBUF_C_TYPE_UINT64;
        size_t n = is_bytes || is_64 ? 8 : 4; /* of bytes, the length */
        *(protobuf_c_boolean *)(void *)quantifier = !is_left_out && memcmp(member, zeros, n) != 0
                                                        ? *(protobuf_c_boolean *)(void *)quantifier
                                                        : 0;
    }
}

static void normalize(ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        normalize_field(message, &message->descriptor->fields[i]);
    }
}

static const char *name_of(const char *path)
{
    return strrchr(path, '/') + 1;
}

static void compare(player *p, const char *path, xmtp_bytes ours, const cJSON *event)
{
    size_t n;
    uint8_t *theirs = test_json_bytes(event, "res_hex", &n);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(methods[i].name, name_of(path)) != 0) {
            continue;
        }
        void *decoded[2];
        xmtp_writer w[2];
        for (int k = 0; k < 2; k++) {
            assert_int_equal(xmtp_proto_decode(methods[i].answer, &p->t.arena,
                                               k == 0 ? ours : xmtp_bytes_of(theirs, n),
                                               &decoded[k]),
                             XMTP_OK);
            normalize(decoded[k]);
            xmtp_writer_init(&w[k], &test_env()->alloc, XMTP_WRITER_MAX);
            assert_int_equal(xmtp_proto_encode(decoded[k], &w[k]), XMTP_OK);
        }
        if (!xmtp_bytes_equal(xmtp_writer_bytes(&w[0]), xmtp_writer_bytes(&w[1]))) {
            fail_msg("event %d, %s: our answer differs",
                     cJSON_GetObjectItem(event, "seq")->valueint, path);
        }
        xmtp_writer_free(&w[0]);
        xmtp_writer_free(&w[1]);
    }
    free(theirs);
}

static void path_of(const cJSON *event, char out[128])
{
    (void)snprintf(out, 128, "/xmtp.%s", test_json_text(event, "method"));
}

static void play_call(player *p, const cJSON *event)
{
    char path[128];
    size_t n;
    path_of(event, path);
    uint8_t *request = test_json_bytes(event, "req_hex", &n);
    xmtp_status status = test_call_bytes(&p->t, path, xmtp_bytes_of(request, n));
    if (status != XMTP_OK) {
        fail_msg("event %d, %s: %s", cJSON_GetObjectItem(event, "seq")->valueint, path,
                 p->t.error.text);
    }
    compare(p, path, xmtp_writer_bytes(&p->t.answer), event);
    free(request);
    p->calls++;
}

static void play_stream_open(player *p, const cJSON *event)
{
    char path[128];
    size_t n;
    path_of(event, path);
    assert_true(p->stream_count < STREAMS_MAX);
    uint8_t *request = test_json_bytes(event, "req_hex", &n);
    p->streams[p->stream_count].conn = cJSON_GetObjectItem(event, "conn")->valueint;
    p->streams[p->stream_count].id = cJSON_GetObjectItem(event, "stream")->valueint;
    assert_int_equal(p->t.transport.subscribe(p->t.transport.context, path,
                                              xmtp_bytes_of(request, n),
                                              &p->streams[p->stream_count].stream, &p->t.error),
                     XMTP_OK);
    p->stream_count++;
    free(request);
}

static xmtp_stream *stream_of(player *p, const cJSON *event)
{
    for (size_t i = 0; i < p->stream_count; i++) {
        if (p->streams[i].conn == cJSON_GetObjectItem(event, "conn")->valueint &&
            p->streams[i].id == cJSON_GetObjectItem(event, "stream")->valueint) {
            return p->streams[i].stream;
        }
    }
    fail_msg("a stream that was not opened");
    return NULL;
}

static void play_stream_message(player *p, const cJSON *event)
{
    char path[128];
    xmtp_bytes message;
    path_of(event, path);
    assert_int_equal(
        p->t.transport.next(p->t.transport.context, stream_of(p, event), &message, &p->t.error),
        XMTP_OK);
    compare(p, path, message, event);
    p->messages++;
}

static void play_stream_close(player *p, const cJSON *event)
{
    xmtp_bytes message;
    assert_int_equal(
        p->t.transport.next(p->t.transport.context, stream_of(p, event), &message, &p->t.error),
        XMTP_E_RETRY); /* nothing more than was recorded */
}

/* A recorded message comes after the call that caused it began and often before that call's own
 * line, which is written when it ends: so messages of streams are compared when their stream
 * closes. */
static void play(const char *name)
{
    char *text = test_vector_text(name);
    if (text == NULL) {
        skip();
    }
    player p = {.calls = 0};
    cJSON *events = cJSON_CreateArray();
    test_node_open(&p.t, NULL);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        cJSON *event = cJSON_Parse(line);
        assert_non_null(event);
        cJSON_AddItemToArray(events, event);
        const char *kind = test_json_text(event, "ev");
        if (strcmp(kind, "call") == 0) {
            play_call(&p, event);
        } else if (strcmp(kind, "stream_open") == 0) {
            play_stream_open(&p, event);
        } else if (strcmp(kind, "stream_close") == 0) {
            const cJSON *earlier;
            cJSON_ArrayForEach(earlier, events)
            {
                if (strcmp(test_json_text(earlier, "ev"), "stream_msg") == 0 &&
                    stream_of(&p, earlier) == stream_of(&p, event)) {
                    play_stream_message(&p, earlier);
                }
            }
            play_stream_close(&p, event);
        }
        xmtp_arena_reset(&p.t.arena);
    }
    print_message("%s: %zu calls, %zu messages on %zu streams\n", name, p.calls, p.messages,
                  p.stream_count);
    test_node_close(&p.t);
    cJSON_Delete(events);
    free(text);
}

static void hello(void **state)
{
    (void)state;
    play("../traces/0-hello.jsonl");
}

static void direct_messages(void **state)
{
    (void)state;
    play("../traces/1-dm.jsonl");
}

static void a_group(void **state)
{
    (void)state;
    play("../traces/2-group.jsonl");
}

static void a_second_installation(void **state)
{
    (void)state;
    play("../traces/3-second-installation.jsonl");
}

static void an_agent(void **state)
{
    (void)state;
    play("../traces/4-agent.jsonl");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello), cmocka_unit_test(direct_messages), cmocka_unit_test(a_group),
        cmocka_unit_test(a_second_installation), cmocka_unit_test(an_agent)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
