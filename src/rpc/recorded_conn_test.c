/* recorded_conn_test.c - the recorded connections of the official client, frame by frame, against
 * server_conn. */
#include "rpc/test_server_conn.h"

#include <cjson/cJSON.h>

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
        cmocka_unit_test(recorded_connections_of_the_official_client_are_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
