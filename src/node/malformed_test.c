/* malformed_test.c - every method with bytes that are no request: a clear refusal, and nothing
 * changed.
 */
#include "node/test_vectors.h"

#define VALIDATION "/xmtp.mls_validation.v1.ValidationApi/"

static const char *const unary[] = {
    MLS "SendGroupMessages",
    MLS "SendWelcomeMessages",
    MLS "RegisterInstallation",
    MLS "UploadKeyPackage",
    MLS "FetchKeyPackages",
    MLS "QueryGroupMessages",
    MLS "QueryWelcomeMessages",
    MLS "BatchPublishCommitLog",
    MLS "BatchQueryCommitLog",
    MLS "GetNewestGroupMessage",
    IDENTITY "PublishIdentityUpdate",
    IDENTITY "GetIdentityUpdates",
    IDENTITY "GetInboxIds",
    IDENTITY "VerifySmartContractWalletSignatures",
    VALIDATION "ValidateGroupMessages",
    VALIDATION "ValidateInboxIdKeyPackages",
    VALIDATION "GetAssociationState",
    "/grpc.health.v1.Health/Check",
};

enum { UNARY_COUNT = sizeof unary / sizeof unary[0] };

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* Wrong on the outside already: no protobuf message begins like this. */
static void bytes_that_are_no_protobuf_are_refused_by_every_method(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "\x07",                                         /* wire type 7 */
        "\x0a\x05xx",                                   /* field cut short */
        "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", /* length beyond 64 bits */
        "\x0a",                                         /* no length */
        "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", /* endless tag */
    };
    test_node t;
    test_node_open(&t, NULL);
    for (size_t i = 0; i < UNARY_COUNT; i++) {
        for (size_t k = 0; k < sizeof broken / sizeof broken[0]; k++) {
            assert_int_equal(test_call_bytes(&t, unary[i], xmtp_bytes_of_string(broken[k])),
                             XMTP_E_RPC_INVALID);
            assert_true(t.error.text[0] != '\0');
            assert_int_equal(t.answer.n, 0);
        }
    }
    test_node_close(&t);
}

static void random_bytes_never_break_a_method(void **state)
{
    (void)state;
    test_node t;
    uint32_t seed = 7;
    test_node_open(&t, NULL);
    for (size_t i = 0; i < UNARY_COUNT; i++) {
        for (int round = 0; round < 300; round++) {
            uint8_t bytes[200];
            size_t n = next_random(&seed) % sizeof bytes;
            for (size_t k = 0; k < n; k++) {
                /* Mostly small numbers: tags, lengths and ends that fit. */
                bytes[k] = (uint8_t)(next_random(&seed) % (round % 2 == 0 ? 256 : 36));
            }
            xmtp_status status = test_call_bytes(&t, unary[i], xmtp_bytes_of(bytes, n));
            assert_true(status == XMTP_OK || status == XMTP_E_RPC_INVALID ||
                        status == XMTP_E_RPC /* health: unknown service */);
        }
    }
    test_node_close(&t);
}

/* Recorded requests, cut at each place and changed: what is accepted after that is a message of its
 * own, what is not has changed nothing. */
static void recorded_requests_cut_short_or_changed_are_judged_without_harm(void **state)
{
    (void)state;
    char *text = test_vector_text("../traces/3-second-installation.jsonl");
    if (text == NULL) {
        skip();
    }
    test_node t;
    uint32_t seed = 11;
    size_t refused = 0;
    test_node_open(&t, NULL);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        cJSON *event = cJSON_Parse(line);
        char path[128];
        size_t n;
        uint8_t *request = test_json_bytes(event, "req_hex", &n);
        (void)snprintf(path, sizeof path, "/xmtp.%s", test_json_text(event, "method"));
        bool is_call = strcmp(test_json_text(event, "ev"), "call") == 0;
        for (int round = 0; is_call && round < 12; round++) {
            size_t cut = round % 2 == 0 ? next_random(&seed) % (n + 1) : n;
            size_t at = next_random(&seed) % (n + 1);
            unsigned flip = round % 2 == 0 ? 0 : 1U << round % 8;
            request[at] = (uint8_t)(request[at] ^ flip);
            xmtp_status status = test_call_bytes(&t, path, xmtp_bytes_of(request, cut));
            request[at] = (uint8_t)(request[at] ^ flip);
            assert_true(status == XMTP_OK || status == XMTP_E_RPC_INVALID);
            refused += status == XMTP_E_RPC_INVALID ? 1 : 0;
        }
        free(request);
        cJSON_Delete(event);
    }
    assert_true(refused > 200);
    test_node_close(&t);
    free(text);
}

static void required_ids_that_are_empty_or_too_long_are_refused(void **state)
{
    (void)state;
    test_node t;
    test_node_open(&t, NULL);
    uint8_t long_id[69] = {0x0a}; /* field 1 */
    static const char *const methods[] = {MLS "QueryGroupMessages", MLS "QueryWelcomeMessages",
                                          MLS "GetNewestGroupMessage"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(test_call_bytes(&t, methods[i], (xmtp_bytes){0}), XMTP_E_RPC_INVALID);
        assert_int_equal(test_call_bytes(&t, methods[i], xmtp_bytes_of("\x0a\x00", 2)),
                         XMTP_E_RPC_INVALID);
        long_id[1] = 65;
        assert_int_equal(test_call_bytes(&t, methods[i], xmtp_bytes_of(long_id, 67)),
                         XMTP_E_RPC_INVALID);
        long_id[1] = 64;
        assert_int_equal(test_call_bytes(&t, methods[i], xmtp_bytes_of(long_id, 66)), XMTP_OK);
    }
    assert_int_equal(
        test_call_bytes(&t, IDENTITY "GetIdentityUpdates", xmtp_bytes_of("\x0a\x04\x0a\x02no", 6)),
        XMTP_E_RPC_INVALID);
    test_node_close(&t);
}

/* Two bytes of request for one struct each: the arena must say no before the memory is gone. */
static void a_flood_of_empty_messages_is_refused(void **state)
{
    (void)state;
    test_node t;
    test_node_open(&t, NULL);
    size_t n = (size_t)4 << 20;
    uint8_t *bytes = calloc(1, n);
    for (size_t i = 0; i < n; i += 2) {
        bytes[i] = 0x0a;
    }
    for (size_t i = 0; i < UNARY_COUNT - 1; i++) {
        assert_int_equal(test_call_bytes(&t, unary[i], xmtp_bytes_of(bytes, n)),
                         XMTP_E_RPC_INVALID);
    }
    free(bytes);
    test_node_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_that_are_no_protobuf_are_refused_by_every_method),
        cmocka_unit_test(random_bytes_never_break_a_method),
        cmocka_unit_test(recorded_requests_cut_short_or_changed_are_judged_without_harm),
        cmocka_unit_test(required_ids_that_are_empty_or_too_long_are_refused),
        cmocka_unit_test(a_flood_of_empty_messages_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
