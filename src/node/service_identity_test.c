/* service_identity_test.c - identity logs, addresses and key packages with what the official client
 * published, and what a node must refuse of it.
 */
#include "node/test_vectors.h"

static xmtp_status publish(test_node *t, const uint8_t *update, size_t n)
{
    Pb__PublishIdentityUpdateRequest request = PB__PUBLISH_IDENTITY_UPDATE_REQUEST__INIT;
    request.has_identity_update = true;
    request.identity_update = xmtp_proto_data(xmtp_bytes_of(update, n));
    return test_call(t, IDENTITY "PublishIdentityUpdate", &request.base, NULL, NULL);
}

static const Pb__GetIdentityUpdatesResponse__Response *log_of(test_node *t, const char *inbox_id,
                                                              uint64_t after)
{
    Pb__GetIdentityUpdatesRequest request = PB__GET_IDENTITY_UPDATES_REQUEST__INIT;
    Pb__GetIdentityUpdatesRequest__Request one = PB__GET_IDENTITY_UPDATES_REQUEST__REQUEST__INIT;
    Pb__GetIdentityUpdatesRequest__Request *all[] = {&one};
    Pb__GetIdentityUpdatesResponse *response;
    one.inbox_id = (char *)(uintptr_t)inbox_id;
    one.has_sequence_id = true;
    one.sequence_id = after;
    request.n_requests = 1;
    request.requests = all;
    assert_int_equal(test_call(t, IDENTITY "GetIdentityUpdates", &request.base,
                               &pb__get_identity_updates_response__descriptor, &response),
                     XMTP_OK);
    assert_int_equal(response->n_responses, 1);
    assert_string_equal(response->responses[0]->inbox_id, inbox_id);
    return response->responses[0];
}

/* The inbox of an address, or NULL. */
static const char *inbox_of(test_node *t, const char *address, int32_t kind)
{
    Pb__GetInboxIdsRequest request = PB__GET_INBOX_IDS_REQUEST__INIT;
    Pb__GetInboxIdsRequest__Request one = PB__GET_INBOX_IDS_REQUEST__REQUEST__INIT;
    Pb__GetInboxIdsRequest__Request *all[] = {&one};
    Pb__GetInboxIdsResponse *response;
    one.identifier = (char *)(uintptr_t)address;
    one.has_identifier_kind = true;
    one.identifier_kind = kind;
    request.n_requests = 1;
    request.requests = all;
    assert_int_equal(test_call(t, IDENTITY "GetInboxIds", &request.base,
                               &pb__get_inbox_ids_response__descriptor, &response),
                     XMTP_OK);
    assert_int_equal(response->n_responses, 1);
    assert_string_equal(response->responses[0]->identifier, address);
    assert_int_equal(response->responses[0]->identifier_kind, kind);
    return response->responses[0]->inbox_id;
}

static cJSON *load(const char *name)
{
    char *text = test_vector_text(name);
    if (text == NULL) {
        return NULL;
    }
    cJSON *json = cJSON_Parse(text);
    free(text);
    assert_non_null(json);
    return json;
}

/* Publishes every update of the file, inbox by inbox; returns how many. */
static size_t publish_all(test_node *t, const cJSON *json, xmtp_status expected)
{
    size_t count = 0;
    const cJSON *inbox;
    const cJSON *entry;
    cJSON_ArrayForEach(inbox, cJSON_GetObjectItem(json, "inboxes"))
    {
        cJSON_ArrayForEach(entry, cJSON_GetObjectItem(inbox, "updates"))
        {
            size_t n;
            uint8_t *update = test_json_bytes(entry, "identity_update_protobuf", &n);
            assert_int_equal(publish(t, update, n), expected);
            free(update);
            count++;
        }
    }
    return count;
}

static void check_logs(test_node *t, const cJSON *json)
{
    const cJSON *inbox;
    const cJSON *entry;
    cJSON_ArrayForEach(inbox, cJSON_GetObjectItem(json, "inboxes"))
    {
        const char *inbox_id = test_json_text(inbox, "inbox_id");
        const Pb__GetIdentityUpdatesResponse__Response *log = log_of(t, inbox_id, 0);
        size_t i = 0;
        cJSON_ArrayForEach(entry, cJSON_GetObjectItem(inbox, "updates"))
        {
            size_t n;
            uint8_t *update = test_json_bytes(entry, "identity_update_protobuf", &n);
            assert_true(i < log->n_updates);
            assert_true(i == 0 || log->updates[i]->sequence_id > log->updates[i - 1]->sequence_id);
            assert_in_range(log->updates[i]->server_timestamp_ns, test_now_ns, test_now_ns + 100);
            assert_true(xmtp_bytes_equal(xmtp_proto_bytes(log->updates[i]->update),
                                         xmtp_bytes_of(update, n)));
            free(update);
            i++;
        }
        assert_int_equal(log->n_updates, i);
        uint64_t last = log->updates[i - 1]->sequence_id;
        assert_int_equal(log_of(t, inbox_id, last)->n_updates, 0);
        assert_int_equal(log_of(t, inbox_id, last - 1)->n_updates, 1);
    }
}

static void recorded_updates_are_accepted_in_order_and_kept_byte_for_byte(void **state)
{
    (void)state;
    cJSON *json = load("xmtp/identity-updates.json");
    if (json == NULL) {
        skip();
    }
    test_folder folder = test_folder_make();
    test_node t;
    test_node_open(&t, folder.path);
    size_t count = publish_all(&t, json, XMTP_OK);
    assert_true(count >= 5);
    check_logs(&t, json);
    assert_int_equal(publish_all(&t, json, XMTP_OK), count); /* retries: fine, nothing is added */
    check_logs(&t, json);
    test_node_close(&t);
    test_node_open(&t, folder.path); /* also from the disk, and states are made again */
    check_logs(&t, json);
    assert_int_equal(publish_all(&t, json, XMTP_OK), count);
    check_logs(&t, json);
    test_node_close(&t);
    test_folder_remove(folder.path);
    cJSON_Delete(json);
}

/* Changes each byte of the first wallet signature and of the inbox id at the end. Other bytes may
 * mean the same when they are changed, such as the number of a field that has its default. */
static void refuse_changes(test_node *t, uint8_t *update, size_t n)
{
    static const uint8_t mark[] = {0x0a, 0x41}; /* 65 bytes follow */
    const uint8_t *found = memmem(update, n, mark, sizeof mark);
    assert_non_null(found);
    size_t signature = (size_t)(found - update) + sizeof mark;
    for (size_t i = 0; i < 65 + 64; i++) {
        size_t at = i < 65 ? signature + i : n - 64 + (i - 65);
        update[at] ^= 0x10;
        assert_int_equal(publish(t, update, n), XMTP_E_RPC_INVALID);
        update[at] ^= 0x10;
    }
}

static void changed_updates_are_refused_and_change_nothing(void **state)
{
    (void)state;
    cJSON *json = load("xmtp/identity-updates.json");
    if (json == NULL) {
        skip();
    }
    test_node t;
    test_node_open(&t, NULL);
    const cJSON *inbox = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "inboxes"), 0);
    const cJSON *updates = cJSON_GetObjectItem(inbox, "updates");
    const char *inbox_id = test_json_text(inbox, "inbox_id");
    size_t n;
    uint8_t *first =
        test_json_bytes(cJSON_GetArrayItem(updates, 0), "identity_update_protobuf", &n);
    refuse_changes(&t, first, n);
    for (size_t cut = 0; cut < n; cut += 7) {
        assert_int_equal(publish(&t, first, cut), XMTP_E_RPC_INVALID);
    }
    assert_int_equal(log_of(&t, inbox_id, 0)->n_updates, 0);
    size_t second_len;
    uint8_t *second =
        test_json_bytes(cJSON_GetArrayItem(updates, 1), "identity_update_protobuf", &second_len);
    assert_int_equal(publish(&t, second, second_len), XMTP_E_RPC_INVALID); /* before the first */
    assert_int_equal(publish(&t, first, n), XMTP_OK);
    refuse_changes(&t, second, second_len);
    assert_int_equal(log_of(&t, inbox_id, 0)->n_updates, 1);
    assert_int_equal(publish(&t, second, second_len), XMTP_OK);
    assert_int_equal(log_of(&t, inbox_id, 0)->n_updates, 2);
    free(first);
    free(second);
    test_node_close(&t);
    cJSON_Delete(json);
}

/* What the file's updates say about each address, by their decoded form. */
static void addresses_lead_to_the_inbox_that_they_belong_to(void **state)
{
    (void)state;
    cJSON *json = load("xmtp/identity-updates.json");
    if (json == NULL) {
        skip();
    }
    test_folder folder = test_folder_make();
    test_node t;
    test_node_open(&t, folder.path);
    const cJSON *client;
    cJSON_ArrayForEach(client, cJSON_GetObjectItem(json, "clients"))
    {
        assert_null(inbox_of(&t, test_json_text(client, "address"), 1));
    }
    (void)publish_all(&t, json, XMTP_OK);
    for (int round = 0; round < 2; round++) {
        cJSON_ArrayForEach(client, cJSON_GetObjectItem(json, "clients"))
        {
            const char *address = test_json_text(client, "address"); /* mixed case */
            const char *expected = test_json_text(client, "inbox_id");
            assert_string_equal(inbox_of(&t, address, 1), expected);
            assert_string_equal(inbox_of(&t, address, 0), expected);
            assert_null(inbox_of(&t, address, 2));
        }
        const char *second = test_json_text(cJSON_GetObjectItem(json, "second_wallet"), "address");
        const char *found = inbox_of(&t, second, 1);
        if (round == 0) {
            print_message("the second wallet, added and revoked or not: %s\n",
                          found == NULL ? "no inbox" : found);
        }
        assert_null(inbox_of(&t, "0x0000000000000000000000000000000000000000", 1));
        assert_null(inbox_of(&t, "nonsense", 1));
        test_node_close(&t);
        test_node_open(&t, folder.path);
    }
    test_node_close(&t);
    test_folder_remove(folder.path);
    cJSON_Delete(json);
}

/* ---- key packages */

static xmtp_status upload(test_node *t, const char *method, const uint8_t *p, size_t n)
{
    Pb__UploadKeyPackageRequest request = PB__UPLOAD_KEY_PACKAGE_REQUEST__INIT;
    Pb__KeyPackageUpload key_package = PB__KEY_PACKAGE_UPLOAD__INIT;
    key_package.has_key_package_tls_serialized = true;
    key_package.key_package_tls_serialized = xmtp_proto_data(xmtp_bytes_of(p, n));
    request.key_package = &key_package;
    return test_call(t, method, &request.base, NULL, NULL);
}

static const Pb__FetchKeyPackagesResponse *fetch(test_node *t, ProtobufCBinaryData *keys,
                                                 size_t count)
{
    Pb__FetchKeyPackagesRequest request = PB__FETCH_KEY_PACKAGES_REQUEST__INIT;
    Pb__FetchKeyPackagesResponse *response;
    request.n_installation_keys = count;
    request.installation_keys = keys;
    assert_int_equal(test_call(t, MLS "FetchKeyPackages", &request.base,
                               &pb__fetch_key_packages_response__descriptor, &response),
                     XMTP_OK);
    assert_int_equal(response->n_key_packages, count);
    return response;
}

static void key_packages_are_verified_replaced_and_fetched_in_the_order_asked(void **state)
{
    (void)state;
    cJSON *json = load("xmtp/key-packages.json");
    if (json == NULL) {
        skip();
    }
    test_node t;
    test_node_open(&t, NULL);
    const cJSON *entry;
    uint8_t unknown[32] = {1};
    cJSON_ArrayForEach(entry, cJSON_GetObjectItem(json, "key_packages"))
    {
        size_t n;
        size_t id_len;
        uint8_t *key_package = test_json_bytes(entry, "key_package_tls", &n);
        uint8_t *id = test_json_bytes(entry, "installation_id", &id_len);
        assert_int_equal(upload(&t, MLS "UploadKeyPackage", key_package, n), XMTP_OK);
        ProtobufCBinaryData keys[] = {
            xmtp_proto_data(xmtp_bytes_of(unknown, 32)), xmtp_proto_data(xmtp_bytes_of(id, id_len)),
            xmtp_proto_data((xmtp_bytes){0}), xmtp_proto_data(xmtp_bytes_of(id, id_len))};
        const Pb__FetchKeyPackagesResponse *response = fetch(&t, keys, 4);
        for (size_t i = 0; i < 4; i++) {
            xmtp_bytes got =
                xmtp_proto_bytes(response->key_packages[i]->key_package_tls_serialized);
            assert_true(i % 2 == 0 ? got.n == 0
                                   : xmtp_bytes_equal(got, xmtp_bytes_of(key_package, n)));
        }
        for (size_t at = 0; at < n; at += 101) { /* changed and cut ones are refused */
            key_package[at] ^= 0x04;
            assert_int_equal(upload(&t, MLS "UploadKeyPackage", key_package, n),
                             XMTP_E_RPC_INVALID);
            key_package[at] ^= 0x04;
            assert_int_equal(upload(&t, MLS "UploadKeyPackage", key_package, at),
                             XMTP_E_RPC_INVALID);
        }
        assert_int_equal(upload(&t, MLS "RegisterInstallation", key_package, n), XMTP_OK);
        Pb__RegisterInstallationResponse *registered;
        assert_int_equal(xmtp_proto_decode(&pb__register_installation_response__descriptor,
                                           &t.arena, xmtp_writer_bytes(&t.answer),
                                           (void **)&registered),
                         XMTP_OK);
        assert_true(xmtp_bytes_equal(xmtp_proto_bytes(registered->installation_key),
                                     xmtp_bytes_of(id, id_len)));
        free(key_package);
        free(id);
    }
    Pb__UploadKeyPackageRequest empty = PB__UPLOAD_KEY_PACKAGE_REQUEST__INIT;
    assert_int_equal(test_call(&t, MLS "UploadKeyPackage", &empty.base, NULL, NULL),
                     XMTP_E_RPC_INVALID);
    test_node_close(&t);
    cJSON_Delete(json);
}

static void contract_wallets_on_unknown_chains_are_answered_with_a_sentence(void **state)
{
    (void)state;
    test_node t;
    test_node_open(&t, NULL);
    Pb__VerifySmartContractWalletSignaturesRequest request =
        PB__VERIFY_SMART_CONTRACT_WALLET_SIGNATURES_REQUEST__INIT;
    Pb__VerifySmartContractWalletSignaturesRequest__Request one =
        PB__VERIFY_SMART_CONTRACT_WALLET_SIGNATURES_REQUEST__REQUEST__INIT;
    Pb__VerifySmartContractWalletSignaturesRequest__Request *all[] = {&one, &one};
    Pb__VerifySmartContractWalletSignaturesResponse *response;
    uint8_t hash[32] = {1};
    one.account_id = "eip155:5:0x0000000000000000000000000000000000000001";
    one.has_hash = 1;
    one.hash = xmtp_proto_data(xmtp_bytes_of(hash, sizeof(hash)));
    request.n_signatures = 2;
    request.signatures = all;
    assert_int_equal(test_call(&t, IDENTITY "VerifySmartContractWalletSignatures", &request.base,
                               &pb__verify_smart_contract_wallet_signatures_response__descriptor,
                               &response),
                     XMTP_OK);
    assert_int_equal(response->n_responses, 2);
    assert_false(response->responses[1]->is_valid);
    assert_string_equal(response->responses[1]->error, "no RPC node is set for chain 5");
    test_node_close(&t);
}

static void health_is_serving_for_known_services(void **state)
{
    (void)state;
    test_node t;
    test_node_open(&t, NULL);
    static const char check[] = "/grpc.health.v1.Health/Check";
    assert_int_equal(test_call_bytes(&t, check, (xmtp_bytes){0}), XMTP_OK);
    assert_int_equal(t.answer.n, 2);
    assert_memory_equal(t.answer.p, "\x08\x01", 2);
    assert_int_equal(test_call_bytes(&t, check, xmtp_bytes_of("\x0a\x04none", 6)), XMTP_E_RPC);
    assert_int_equal(test_call_bytes(&t, MLS "RevokeInstallation", (xmtp_bytes){0}),
                     XMTP_E_RPC_UNIMPLEMENTED);
    assert_int_equal(test_call_bytes(&t, "", (xmtp_bytes){0}), XMTP_E_RPC_UNIMPLEMENTED);
    test_node_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_updates_are_accepted_in_order_and_kept_byte_for_byte),
        cmocka_unit_test(changed_updates_are_refused_and_change_nothing),
        cmocka_unit_test(addresses_lead_to_the_inbox_that_they_belong_to),
        cmocka_unit_test(key_packages_are_verified_replaced_and_fetched_in_the_order_asked),
        cmocka_unit_test(contract_wallets_on_unknown_chains_are_answered_with_a_sentence),
        cmocka_unit_test(health_is_serving_for_known_services),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
