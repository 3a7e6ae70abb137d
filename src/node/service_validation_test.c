/* service_validation_test.c - ValidationApi with what the official client published, and on which
 * ports it can be reached.
 */
#include "node/test_h2.h"
#include "node/test_vectors.h"
#include "proto/validation.pb-c.h"

#define VALIDATION "/xmtp.mls_validation.v1.ValidationApi/"

static cJSON *load(const char *name)
{
    char *text = test_vector_text(name);
    cJSON *json = text == NULL ? NULL : cJSON_Parse(text);
    free(text);
    return json;
}

/* ---- group messages */

enum { MESSAGES = 5 };

static void fill_messages(xmtp_writer messages[MESSAGES])
{
    static const uint8_t types[] = {TEST_APPLICATION, TEST_PROPOSAL, TEST_COMMIT};
    for (size_t i = 0; i < MESSAGES; i++) {
        xmtp_writer_init(&messages[i], &test_env()->alloc, XMTP_WRITER_MAX);
    }
    for (size_t i = 0; i < 3; i++) {
        test_message(&messages[i], "group", types[i], i, 20);
    }
    test_message(&messages[3], "", TEST_APPLICATION, 1, 20); /* no group id */
    test_message(&messages[4], "group", TEST_APPLICATION, 1, 20);
    messages[4].n--; /* cut */
}

static void group_messages_are_told_one_by_one_with_group_and_kind(void **state)
{
    (void)state;
    test_node t;
    xmtp_writer messages[MESSAGES];
    Pb__ValidateGroupMessagesRequest request = PB__VALIDATE_GROUP_MESSAGES_REQUEST__INIT;
    Pb__ValidateGroupMessagesRequest__GroupMessage one[MESSAGES];
    Pb__ValidateGroupMessagesRequest__GroupMessage *all[MESSAGES];
    Pb__ValidateGroupMessagesResponse *response;
    test_node_open(&t, NULL);
    fill_messages(messages);
    for (size_t i = 0; i < MESSAGES; i++) {
        pb__validate_group_messages_request__group_message__init(&one[i]);
        one[i].has_group_message_bytes_tls_serialized = true;
        one[i].group_message_bytes_tls_serialized =
            xmtp_proto_data(xmtp_writer_bytes(&messages[i]));
        all[i] = &one[i];
    }
    request.n_group_messages = MESSAGES;
    request.group_messages = all;
    assert_int_equal(test_call(&t, VALIDATION "ValidateGroupMessages", &request.base,
                               &pb__validate_group_messages_response__descriptor, &response),
                     XMTP_OK);
    assert_int_equal(response->n_responses, MESSAGES);
    for (size_t i = 0; i < 3; i++) {
        assert_true(response->responses[i]->is_ok);
        assert_string_equal(response->responses[i]->group_id, "67726f7570");
        assert_int_equal(response->responses[i]->is_commit, i > 0);
        assert_null(response->responses[i]->error_message);
    }
    assert_string_equal(response->responses[3]->error_message, "missing group id");
    assert_string_equal(response->responses[4]->error_message, "message is no valid MLS message");
    assert_false(response->responses[3]->is_ok || response->responses[4]->is_ok);
    for (size_t i = 0; i < MESSAGES; i++) {
        xmtp_writer_free(&messages[i]);
    }
    test_node_close(&t);
}

/* ---- key packages */

static const Pb__ValidateInboxIdKeyPackagesResponse__Response *
verdict_of(test_node *t, const uint8_t *key_package, size_t n)
{
    Pb__ValidateKeyPackagesRequest request = PB__VALIDATE_KEY_PACKAGES_REQUEST__INIT;
    Pb__ValidateKeyPackagesRequest__KeyPackage one =
        PB__VALIDATE_KEY_PACKAGES_REQUEST__KEY_PACKAGE__INIT;
    Pb__ValidateKeyPackagesRequest__KeyPackage *all[] = {&one};
    Pb__ValidateInboxIdKeyPackagesResponse *response;
    one.has_key_package_bytes_tls_serialized = true;
    one.key_package_bytes_tls_serialized = xmtp_proto_data(xmtp_bytes_of(key_package, n));
    request.n_key_packages = 1;
    request.key_packages = all;
    assert_int_equal(test_call(t, VALIDATION "ValidateInboxIdKeyPackages", &request.base,
                               &pb__validate_inbox_id_key_packages_response__descriptor, &response),
                     XMTP_OK);
    assert_int_equal(response->n_responses, 1);
    return response->responses[0];
}

static void recorded_key_packages_are_told_with_inbox_and_installation(void **state)
{
    (void)state;
    cJSON *json = load("xmtp/key-packages.json");
    if (json == NULL) {
        skip();
    }
    test_node t;
    test_node_open(&t, NULL);
    const cJSON *entry;
    cJSON_ArrayForEach(entry, cJSON_GetObjectItem(json, "key_packages"))
    {
        size_t n;
        size_t id_len;
        uint8_t *key_package = test_json_bytes(entry, "key_package_tls", &n);
        uint8_t *id = test_json_bytes(entry, "installation_id", &id_len);
        const Pb__ValidateInboxIdKeyPackagesResponse__Response *verdict =
            verdict_of(&t, key_package, n);
        assert_true(verdict->is_ok);
        assert_int_equal(strlen(verdict->credential->inbox_id), 64);
        assert_int_equal(verdict->expiration, 0);
        assert_true(xmtp_bytes_equal(xmtp_proto_bytes(verdict->installation_public_key),
                                     xmtp_bytes_of(id, id_len)));
        key_package[n / 2] ^= 4;
        verdict = verdict_of(&t, key_package, n);
        assert_false(verdict->is_ok);
        assert_true(verdict->error_message[0] != '\0');
        assert_null(verdict->credential);
        free(key_package);
        free(id);
    }
    test_node_close(&t);
    cJSON_Delete(json);
}

/* ---- identity updates */

enum { UPDATES_MAX = 16 };

typedef struct recorded {
    cJSON *json;
    const char *inbox_id;
    ProtobufCBinaryData updates[UPDATES_MAX];
    size_t count;
} recorded;

/* Of the first inbox; false when there are no vectors here. */
static bool load_updates(recorded *r)
{
    *r = (recorded){.json = load("xmtp/identity-updates.json")};
    const cJSON *inbox = cJSON_GetArrayItem(cJSON_GetObjectItem(r->json, "inboxes"), 0);
    const cJSON *entry;
    if (r->json == NULL) {
        return false;
    }
    r->inbox_id = test_json_text(inbox, "inbox_id");
    cJSON_ArrayForEach(entry, cJSON_GetObjectItem(inbox, "updates"))
    {
        size_t n;
        uint8_t *p = test_json_bytes(entry, "identity_update_protobuf", &n);
        assert_true(r->count < UPDATES_MAX);
        r->updates[r->count++] = xmtp_proto_data(xmtp_bytes_of(p, n));
    }
    return true;
}

static void free_updates(recorded *r)
{
    for (size_t i = 0; i < r->count; i++) {
        free(r->updates[i].data);
    }
    cJSON_Delete(r->json);
}

/* The first old_count updates as old ones, those up to all_count as new ones. */
static xmtp_status ask_state(test_node *t, recorded *r, size_t old_count, size_t all_count,
                             Pb__GetAssociationStateResponse **out)
{
    Pb__GetAssociationStateRequest request = PB__GET_ASSOCIATION_STATE_REQUEST__INIT;
    request.n_old_updates = old_count;
    request.old_updates = r->updates;
    request.n_new_updates = all_count - old_count;
    request.new_updates = r->updates + old_count;
    return test_call(t, VALIDATION "GetAssociationState", &request.base,
                     &pb__get_association_state_response__descriptor, out);
}

static void an_association_state_is_told_with_what_is_new_in_it(void **state)
{
    (void)state;
    recorded r;
    if (!load_updates(&r)) {
        skip();
    }
    test_node t;
    test_node_open(&t, NULL);
    Pb__GetAssociationStateResponse *first;
    Pb__GetAssociationStateResponse *last;
    assert_int_equal(ask_state(&t, &r, 0, 1, &first), XMTP_OK);
    assert_string_equal(first->association_state->inbox_id, r.inbox_id);
    assert_string_equal(first->association_state->recovery_identifier,
                        "0x95c2666e71fa9c574a02966eef1b8ad393a729ac");
    assert_int_equal(first->association_state->recovery_identifier_kind, 1);
    assert_int_equal(first->association_state->n_members, 2); /* the wallet, its installation */
    assert_true(first->association_state->n_seen_signatures >= 2);
    assert_int_equal(first->state_diff->n_new_members, 2);
    assert_int_equal(first->state_diff->n_removed_members, 0);
    size_t members = first->association_state->n_members;
    for (size_t i = 1; i < r.count; i++) { /* what each update says it changes adds up */
        assert_int_equal(ask_state(&t, &r, i, i + 1, &last), XMTP_OK);
        members += last->state_diff->n_new_members - last->state_diff->n_removed_members;
        assert_int_equal(last->association_state->n_members, members);
    }
    for (size_t i = 0; i < last->association_state->n_members; i++) {
        const Pb__AssociationState__MemberMap *entry = last->association_state->members[i];
        assert_int_equal(entry->key->kind_case, entry->value->identifier->kind_case);
        bool is_installation =
            entry->key->kind_case == PB__MEMBER_IDENTIFIER__KIND_INSTALLATION_PUBLIC_KEY;
        assert_true(!is_installation || entry->value->added_by_entity != NULL);
    }
    test_node_close(&t);
    free_updates(&r);
}

static void updates_that_break_a_rule_fail_the_call_and_are_invalid_arguments(void **state)
{
    (void)state;
    recorded r;
    Pb__GetAssociationStateResponse *response;
    if (!load_updates(&r)) {
        skip();
    }
    test_node t;
    test_node_open(&t, NULL);
    assert_int_equal(ask_state(&t, &r, 0, 0, &response), XMTP_E_RPC_INVALID);
    assert_non_null(strstr(t.error.text, "0 updates"));
    ProtobufCBinaryData again[] = {r.updates[0], r.updates[0]};
    recorded replay = {.updates = {again[0], again[1]}, .count = 2};
    assert_int_equal(ask_state(&t, &replay, 1, 2, &response), XMTP_E_RPC_INVALID);
    r.updates[0].data[r.updates[0].len - 1] ^= 1; /* the inbox id */
    assert_int_equal(ask_state(&t, &r, 0, 1, &response), XMTP_E_RPC_INVALID);
    r.updates[0].len -= 70;
    assert_int_equal(ask_state(&t, &r, 0, 1, &response), XMTP_E_RPC_INVALID);
    test_node_close(&t);
    free_updates(&r);
}

static void contract_wallets_are_answered_as_by_the_identity_api(void **state)
{
    (void)state;
    test_node t;
    test_node_open(&t, NULL);
    static const uint8_t request[] = {0x0a, 0x04, 0x0a, 0x02, 'n', 'o'};
    xmtp_bytes bytes = xmtp_bytes_of(request, sizeof request);
    uint8_t answer[256];
    assert_int_equal(test_call_bytes(&t, VALIDATION "VerifySmartContractWalletSignatures", bytes),
                     XMTP_OK);
    assert_in_range(t.answer.n, 1, sizeof answer);
    size_t n = t.answer.n;
    memcpy(answer, t.answer.p, n);
    assert_int_equal(test_call_bytes(&t, IDENTITY "VerifySmartContractWalletSignatures", bytes),
                     XMTP_OK);
    assert_int_equal(t.answer.n, n);
    assert_memory_equal(t.answer.p, answer, n);
    test_node_close(&t);
}

/* ---- ports */

static int status_at(xmtp_node *node, size_t listen_index, const char *path)
{
    h2 h;
    h2_open(&h, xmtp_node_port(node, listen_index));
    int status = h2_unary(&h, path, (xmtp_bytes){0})->grpc_status;
    h2_close(&h);
    return status;
}

static void only_a_port_that_names_it_serves_it_and_serves_nothing_else(void **state)
{
    (void)state;
    xmtp_node *node;
    xmtp_error error = {0};
    static const char validate[] = VALIDATION "ValidateGroupMessages";
    static const char identity[] = IDENTITY "GetInboxIds";
    static const char health[] = "/grpc.health.v1.Health/Check";
    xmtp_node_options options = {
        .env = test_env(),
        .listen = {"127.0.0.1:0", "validation=127.0.0.1:0", "grpc+validation=127.0.0.1:0"},
        .loops = 1};
    assert_int_equal(xmtp_node_open(&node, &options, &error), XMTP_OK);
    enum { UNIMPLEMENTED = 12 };
    assert_int_equal(status_at(node, 0, validate), UNIMPLEMENTED);
    assert_int_equal(status_at(node, 0, identity), 0);
    assert_int_equal(status_at(node, 1, validate), 0);
    assert_int_equal(status_at(node, 1, identity), UNIMPLEMENTED);
    assert_int_equal(status_at(node, 1, MLS "Subscribe"), UNIMPLEMENTED);
    assert_int_equal(status_at(node, 1, health), 0);
    assert_int_equal(status_at(node, 2, validate), 0);
    assert_int_equal(status_at(node, 2, identity), 0);
    xmtp_node_close(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(group_messages_are_told_one_by_one_with_group_and_kind),
        cmocka_unit_test(recorded_key_packages_are_told_with_inbox_and_installation),
        cmocka_unit_test(an_association_state_is_told_with_what_is_new_in_it),
        cmocka_unit_test(updates_that_break_a_rule_fail_the_call_and_are_invalid_arguments),
        cmocka_unit_test(contract_wallets_are_answered_as_by_the_identity_api),
        cmocka_unit_test(only_a_port_that_names_it_serves_it_and_serves_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
