/* node_seeds.c - writes fuzz/corpus/log_recovery and fuzz/corpus/node_http: first inputs of these
 * targets, made by our library.
 *
 *     node_seeds <folder>
 */
#include "base/bytes.h"
#include "base/writer.h"
#include "node/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *folder;

static void put_file(const char *target, const char *name, xmtp_bytes head, xmtp_bytes body)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", folder, target);
    (void)mkdir(path, 0777);
    (void)snprintf(path, sizeof path, "%s/%s/%s", folder, target, name);
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(head.p, 1, head.n, f) != head.n ||
        (body.n > 0 && fwrite(body.p, 1, body.n, f) != body.n) || fclose(f) != 0) {
        abort();
    }
}

/* ---- log_recovery: records of all kinds, a gap, batches of one and of two */

static void put_record(xmtp_writer *w, xmtp_node_kind kind, uint64_t id, bool is_last)
{
    size_t mark = w->n;
    xmtp_node_record record = {.kind = kind,
                               .durable = (uint32_t)(XMTP_NODE_SEGMENT_HEADER_LEN + mark),
                               .id = id,
                               .time_ns = 1000 + mark,
                               .topic = xmtp_bytes_of_string("a topic"),
                               .extra = xmtp_bytes_of_string("extra"),
                               .payload = xmtp_bytes_of_string("what is stored")};
    if (xmtp_node_record_encode(&record, 0, w) != XMTP_OK) {
        abort();
    }
    if (is_last) {
        xmtp_node_record_end_batch(w->p + mark, w->n - mark, 0);
    }
}

static void put_gap(xmtp_writer *w)
{
    static const uint64_t last_id[XMTP_NODE_KIND_COUNT] = {0, 3, 2, 1, 1, 1};
    size_t mark = w->n;
    if (xmtp_node_gap_encode(XMTP_NODE_GAP_LEN + 20, last_id, 1000 + mark, 0, w) != XMTP_OK) {
        abort();
    }
    while (w->n < mark + XMTP_NODE_GAP_LEN + 20) {
        xmtp_writer_u8(w, 0);
    }
}

static void put_log(const char *name, bool is_sealed, xmtp_writer *w, size_t split)
{
    const uint8_t head[3] = {is_sealed ? 1 : 0, (uint8_t)(split >> 8), (uint8_t)split};
    put_file("log_recovery", name, xmtp_bytes_of(head, sizeof head), xmtp_writer_bytes(w));
}

static void log_seeds(void)
{
    xmtp_writer w;
    xmtp_writer_init(&w, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    for (int kind = XMTP_NODE_GROUP_MESSAGE; kind <= XMTP_NODE_KEY_PACKAGE; kind++) {
        put_record(&w, (xmtp_node_kind)kind, 1, true);
    }
    put_log("each_kind", false, &w, w.n);
    put_record(&w, XMTP_NODE_GROUP_MESSAGE, 2, false);
    put_log("half_a_batch", true, &w, w.n);
    put_record(&w, XMTP_NODE_GROUP_MESSAGE, 3, true);
    put_log("batches", true, &w, w.n);
    put_log("cut", true, &w, w.n - 1);
    w.n--;
    put_log("torn", true, &w, w.n);
    xmtp_writer_clear(&w);
    put_gap(&w);
    put_record(&w, XMTP_NODE_WELCOME, 3, true);
    size_t first = w.n;
    put_record(&w, XMTP_NODE_WELCOME, 4, true);
    put_log("gap_and_two_segments", true, &w, first);
    xmtp_writer_free(&w);
}

/* ---- node_http: bodies for the gateway, and whole conversations */

static void put_body(uint8_t choice, const char *name, const char *json)
{
    put_file("node_http", name, xmtp_bytes_of(&choice, 1), xmtp_bytes_of_string(json));
}

static void put_words(const char *name, xmtp_bytes words)
{
    static const uint8_t choice = 0x80;
    put_file("node_http", name, xmtp_bytes_of(&choice, 1), words);
}

static void http_seeds(void)
{
    static const char web[] = "POST /xmtp.mls.api.v1.MlsApi/QueryGroupMessages HTTP/1.1\r\n"
                              "Host: x\r\nContent-Type: application/grpc-web+proto\r\n"
                              "Content-Length: 8\r\n\r\n\0\0\0\0\3\x0a\1g";
    static const char text[] = "POST /xmtp.mls.api.v1.MlsApi/QueryGroupMessages HTTP/1.1\r\n"
                               "Host: x\r\nContent-Type: application/grpc-web-text\r\n"
                               "Content-Length: 12\r\n\r\nAAAAAAMKAWc=";
    static const char chunks[] = "POST /mls/v1/query-group-messages HTTP/1.1\r\nHost: x\r\n"
                                 "Transfer-Encoding: chunked\r\n\r\n"
                                 "8\r\n{\"groupI\r\n9\r\nd\":\"Zw==\"\r\n1\r\n}\r\n0\r\n\r\n"
                                 "GET /mls/v1/get-newest-group-message?groupIds=Zw%3D%3D "
                                 "HTTP/1.1\r\nHost: x\r\n\r\n";
    static const char preflight[] = "OPTIONS /mls/v1/query-group-messages HTTP/1.1\r\nHost: x\r\n"
                                    "Origin: http://page\r\nAccess-Control-Request-Headers: "
                                    "x-app-version, x-other\r\n\r\n";
    static const char h2[] =
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
        "\0\0\x38\1\4\0\0\0\1\x83\x86\x04\x1c/grpc.health.v1.Health/Check\x01\x01x"
        "\x0f\x10\x10"
        "application/grpc\0\0\5\0\1\0\0\0\1\0\0\0\0\0";
    put_body(0, "send_group_messages",
             "{\"messages\":[{\"v1\":{\"data\":\"AAEAAgFnAAAAAAAAAAEBAAFzAWM=\","
             "\"senderHmac\":\"aG1hYw==\",\"shouldPush\":true}}]}");
    put_body(1, "send_welcome_messages",
             "{\"messages\":[{\"v1\":{\"installationKey\":\"a2V5\",\"data\":\"ZGF0YQ==\","
             "\"hpkePublicKey\":\"cGs=\",\"wrapperAlgorithm\":1}}]}");
    put_body(4, "fetch_key_packages", "{\"installationKeys\":[\"a2V5\",\"\"]}");
    put_body(5, "query_group_messages",
             "{\"groupId\":\"Zw==\",\"pagingInfo\":{\"direction\":\"SORT_DIRECTION_ASCENDING\","
             "\"limit\":2,\"idCursor\":\"1\"}}");
    put_body(7, "subscribe", "{\"filters\":[{\"groupId\":\"Zw==\",\"idCursor\":\"0\"}]}");
    put_body(9, "publish_commit_log",
             "{\"requests\":[{\"groupId\":\"Zw==\",\"serializedCommitLogEntry\":\"ZQ==\","
             "\"signature\":{\"bytes\":\"cw==\",\"publicKey\":\"cA==\"}}]}");
    put_body(10, "query_commit_log", "{\"requests\":[{\"groupId\":\"Zw==\"}]}");
    put_body(12, "identity_update",
             "{\"identityUpdate\":{\"inboxId\":\"00\",\"clientTimestampNs\":\"1\",\"actions\":["
             "{\"createInbox\":{\"initialIdentifier\":\"0x00\",\"nonce\":\"1\"}}]}}");
    put_body(14, "inbox_ids",
             "{\"requests\":[{\"identifier\":\"0xAB\",\"identifierKind\":"
             "\"IDENTIFIER_KIND_ETHEREUM\"}]}");
    put_body(0x45, "query_group_messages_protobuf", "\x0a\1g");
    put_words("grpc_web", xmtp_bytes_of(web, sizeof web - 1));
    put_words("grpc_web_text", xmtp_bytes_of_string(text));
    put_words("chunks_and_get", xmtp_bytes_of_string(chunks));
    put_words("preflight", xmtp_bytes_of_string(preflight));
    put_words("http2", xmtp_bytes_of(h2, sizeof h2 - 1));
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        return 2;
    }
    folder = argv[1];
    log_seeds();
    http_seeds();
    return 0;
}
