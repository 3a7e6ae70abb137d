/* signature_request_test.c - updates whose signature comes later: made, signed, refused, applied. */
#include "base/arena.h"
#include "one_network.h"
#include "proto/identity.pb-c.h"
#include "proto/message.h"
#include "signers.h"

#include <xmtp/setup.h>
#include <xmtp/signature_request.h>

/* What a wallet far away makes of the text. */
static void sign_far_away(const char *key, const char *text, uint8_t signature[65],
                          xmtp_account_signature *made)
{
    xmtp_wallet wallet;
    assert_int_equal(xmtp_wallet_parse(key, &wallet, NULL), XMTP_OK);
    assert_int_equal(xmtp_wallet_sign(&wallet, xmtp_bytes_of_string(text), signature), XMTP_OK);
    *made = (xmtp_account_signature){.signature = xmtp_bytes_of(signature, 65)};
}

static void add_far_away(person *p, xmtp_signature_request *request, const char *key)
{
    uint8_t signature[65];
    xmtp_account_signature made;
    xmtp_signature_request_info info = xmtp_signature_request_info_of(request);
    xmtp_account_signer who = {.kind = info.account.kind, .identifier = info.account.identifier};
    assert_false(info.is_signed);
    sign_far_away(key, info.text, signature, &made);
    assert_ok(p, xmtp_signature_request_add(request, &who, &made, &p->error));
    assert_true(xmtp_signature_request_info_of(request).is_signed);
}

static xmtp_inbox_state state_of(person *p)
{
    xmtp_inbox_state out;
    assert_ok(p, xmtp_client_inbox_state(p->client, NULL, true, &out, &p->error));
    return out;
}

static void an_inbox_is_made_by_a_signature_that_comes_later(void **state)
{
    (void)state;
    person p = {.net = &net};
    char address[XMTP_ADDRESS_LEN + 1];
    xmtp_signature_request *request;
    const xmtp_setup setup = {.without_registration = true};
    wallet_new(&p, address);
    wire_open(&p.wire, &net);
    const xmtp_account_signer name = {.kind = XMTP_ACCOUNT_WALLET, .identifier = address};
    xmtp_client_options options = {
        .account = &name, .transport = &p.wire.outer, .env = &net.env, .setup = &setup};
    assert_ok(&p, xmtp_client_open(&p.client, &options, &p.error));
    assert_ok(&p, xmtp_client_request_registration(p.client, &request, &p.error));
    xmtp_signature_request_info info = xmtp_signature_request_info_of(request);
    assert_memory_equal(info.text, "XMTP : Authenticate to inbox\n", 29);
    assert_non_null(strstr(info.text, "- Create inbox\n  (Owner: 0x"));
    assert_non_null(strstr(info.text, "- Grant messaging access to app"));
    assert_string_equal(info.account.identifier, address);
    char first_text[1024];
    (void)snprintf(first_text, sizeof(first_text), "%s", info.text);
    network_advance(&net, 3600);
    assert_string_equal(xmtp_signature_request_info_of(request).text, first_text);
    net.clock_ns -= UINT64_C(3600) * 1000000000; /* the node's clock did not move */
    assert_refused(&p, xmtp_signature_request_apply(request, &p.error), XMTP_E_ARGUMENT,
                   "signature of 0x");
    add_far_away(&p, request, p.key);
    assert_ok(&p, xmtp_signature_request_apply(request, &p.error));
    assert_true(xmtp_client_is_registered(p.client));
    assert_int_equal(state_of(&p).installation_count, 1);
    assert_refused(&p, xmtp_signature_request_apply(request, &p.error), XMTP_E_STATE,
                   "applied already");
    xmtp_signature_request_free(request);
    assert_ok(&p, xmtp_client_request_registration(p.client, &request, &p.error));
    assert_null(request);
    person_close(&p);
}

static void accounts_and_recovery_change_by_signatures_that_come_later(void **state)
{
    (void)state;
    person alice;
    person second = {0};
    char address[XMTP_ADDRESS_LEN + 1];
    xmtp_signature_request *request;
    person_open(&alice, &net);
    wallet_new(&second, address);
    assert_ok(&alice, xmtp_client_request_add_account(alice.client, XMTP_ACCOUNT_WALLET, address,
                                                      false, &request, &alice.error));
    assert_string_equal(xmtp_signature_request_info_of(request).account.identifier, address);
    add_far_away(&alice, request, second.key);
    assert_int_equal(state_of(&alice).account_count, 1);
    assert_ok(&alice, xmtp_signature_request_apply(request, &alice.error));
    xmtp_signature_request_free(request);
    assert_int_equal(state_of(&alice).account_count, 2);

    assert_ok(&alice, xmtp_client_request_change_recovery(alice.client, XMTP_ACCOUNT_WALLET,
                                                          address, &request, &alice.error));
    add_far_away(&alice, request, alice.key);
    assert_ok(&alice, xmtp_signature_request_apply(request, &alice.error));
    xmtp_signature_request_free(request);
    assert_string_equal(state_of(&alice).recovery.identifier, address);

    assert_ok(&alice, xmtp_client_request_remove_account(alice.client, XMTP_ACCOUNT_WALLET,
                                                         xmtp_client_address(alice.client),
                                                         &request, &alice.error));
    assert_string_equal(xmtp_signature_request_info_of(request).account.identifier, address);
    add_far_away(&alice, request, second.key);
    assert_ok(&alice, xmtp_signature_request_apply(request, &alice.error));
    xmtp_signature_request_free(request);
    assert_int_equal(state_of(&alice).account_count, 1);
    assert_int_equal(state_of(&alice).update_count, 4);
    person_close(&alice);
}

static void installations_are_revoked_by_a_signature_that_comes_later(void **state)
{
    (void)state;
    person alice;
    person device;
    xmtp_signature_request *request;
    person_open(&alice, &net);
    assert_ok(&alice,
              xmtp_client_request_revocation(alice.client, NULL, NULL, 0, &request, &alice.error));
    assert_null(request); /* there are no others */
    person_open_device(&device, &alice);
    assert_ok(&alice,
              xmtp_client_request_revocation(alice.client, NULL, NULL, 0, &request, &alice.error));
    assert_non_null(strstr(xmtp_signature_request_info_of(request).text,
                           xmtp_client_installation_id(device.client)));
    add_far_away(&alice, request, alice.key);
    assert_ok(&alice, xmtp_signature_request_apply(request, &alice.error));
    xmtp_signature_request_free(request);
    assert_int_equal(state_of(&alice).installation_count, 1);
    person_close(&device);
    person_close(&alice);
}

static void a_passkey_answers_the_challenge_of_a_request(void **state)
{
    (void)state;
    person alice;
    elsewhere e = {.asked = 0};
    char hex[2 * 33 + 1];
    xmtp_signature_request *request;
    xmtp_account_signature made;
    person_open(&alice, &net);
    passkey_new(&e, hex);
    assert_ok(&alice, xmtp_client_request_add_account(alice.client, XMTP_ACCOUNT_PASSKEY, hex,
                                                      false, &request, &alice.error));
    xmtp_signature_request_info info = xmtp_signature_request_info_of(request);
    assert_int_equal(sign_by_passkey(&e, info.text, info.challenge, &made), XMTP_OK);
    const xmtp_account_signer who = {.kind = XMTP_ACCOUNT_PASSKEY, .identifier = hex};
    assert_ok(&alice, xmtp_signature_request_add(request, &who, &made, &alice.error));
    assert_ok(&alice, xmtp_signature_request_apply(request, &alice.error));
    xmtp_signature_request_free(request);
    assert_int_equal(state_of(&alice).account_count, 2);
    person_close(&alice);
}

static void signatures_that_do_not_fit_are_refused_at_once(void **state)
{
    (void)state;
    person alice;
    person second = {0};
    char address[XMTP_ADDRESS_LEN + 1];
    uint8_t signature[65];
    xmtp_signature_request *request;
    xmtp_account_signature made;
    person_open(&alice, &net);
    wallet_new(&second, address);
    assert_ok(&alice, xmtp_client_request_change_recovery(alice.client, XMTP_ACCOUNT_WALLET,
                                                          address, &request, &alice.error));
    xmtp_signature_request_info info = xmtp_signature_request_info_of(request);
    xmtp_account_signer right = {.kind = XMTP_ACCOUNT_WALLET,
                                 .identifier = xmtp_client_address(alice.client)};
    xmtp_account_signer wrong = {.kind = XMTP_ACCOUNT_WALLET, .identifier = address};
    sign_far_away(second.key, info.text, signature, &made);
    assert_refused(&alice, xmtp_signature_request_add(request, &wrong, &made, &alice.error),
                   XMTP_E_ASSOCIATION, right.identifier);
    assert_refused(&alice, xmtp_signature_request_add(request, &right, &made, &alice.error),
                   XMTP_E_SIGNATURE, right.identifier);
    sign_far_away(alice.key, "another text", signature, &made);
    assert_refused(&alice, xmtp_signature_request_add(request, &right, &made, &alice.error),
                   XMTP_E_SIGNATURE, "");
    made.signature.n = 64;
    assert_int_not_equal(xmtp_signature_request_add(request, &right, &made, &alice.error), XMTP_OK);
    assert_refused(&alice, xmtp_signature_request_add(request, &right, NULL, &alice.error),
                   XMTP_E_ARGUMENT, "no signature");
    assert_false(xmtp_signature_request_info_of(request).is_signed);
    add_far_away(&alice, request, alice.key);
    assert_ok(&alice, xmtp_signature_request_apply(request, &alice.error));
    xmtp_signature_request_free(request);
    person_close(&alice);
}

/* A node that can ask a chain: the contract accepts what begins with 1, at block 7. */
static xmtp_status unary_with_chain(void *context, const char *path, xmtp_bytes request,
                                    xmtp_writer *response, xmtp_error *error)
{
    typedef Pb__VerifySmartContractWalletSignaturesRequest question;
    wire *w = context;
    void *decoded;
    xmtp_arena arena;
    if (strstr(path, "VerifySmartContractWalletSignatures") == NULL) {
        return w->inner.unary(w->inner.context, path, request, response, error);
    }
    xmtp_arena_init(&arena, &xmtp_env_system()->alloc, 1 << 20);
    assert_int_equal(
        xmtp_proto_decode(&pb__verify_smart_contract_wallet_signatures_request__descriptor, &arena,
                          request, &decoded),
        XMTP_OK);
    const question *q = decoded;
    assert_memory_equal(q->signatures[0]->account_id, "eip155:8453:0x", 14);
    Pb__VerifySmartContractWalletSignaturesResponse__Response one =
        PB__VERIFY_SMART_CONTRACT_WALLET_SIGNATURES_RESPONSE__RESPONSE__INIT;
    Pb__VerifySmartContractWalletSignaturesResponse__Response *all[] = {&one};
    Pb__VerifySmartContractWalletSignaturesResponse answer =
        PB__VERIFY_SMART_CONTRACT_WALLET_SIGNATURES_RESPONSE__INIT;
    one.has_is_valid = 1;
    one.is_valid = q->signatures[0]->signature.data[0] == 1;
    one.has_block_number = 1;
    one.block_number = 7;
    answer.n_responses = 1;
    answer.responses = all;
    xmtp_writer_clear(response);
    assert_int_equal(xmtp_proto_encode(&answer.base, response), XMTP_OK);
    xmtp_arena_reset(&arena);
    return XMTP_OK;
}

static void a_node_that_cannot_ask_a_chain_is_no_contract_that_says_no(void **state)
{
    (void)state;
    person alice;
    static const char address[] = "0x00000000000000000000000000000000000c0de1";
    xmtp_signature_request *request;
    const xmtp_account_signer who = {
        .kind = XMTP_ACCOUNT_CONTRACT, .identifier = address, .chain_id = 8453};
    const xmtp_account_signature made = {.signature = xmtp_bytes_of("x", 1)};
    person_open(&alice, &net);
    assert_ok(&alice, xmtp_client_request_add_account(alice.client, XMTP_ACCOUNT_CONTRACT, address,
                                                      false, &request, &alice.error));
    assert_refused(&alice, xmtp_signature_request_add(request, &who, &made, &alice.error),
                   XMTP_E_UNSUPPORTED, "no RPC node is set for chain 8453");
    xmtp_signature_request_free(request);
    person_close(&alice);
}

static void a_contract_is_asked_when_its_signature_is_added(void **state)
{
    (void)state;
    person alice;
    static const char address[] = "0x00000000000000000000000000000000000c0de1";
    static const uint8_t accepted[] = {1, 2, 3};
    static const uint8_t denied[] = {2, 2, 3};
    xmtp_signature_request *request;
    person_open(&alice, &net);
    alice.wire.outer.unary = unary_with_chain;
    xmtp_account_signer who = {.kind = XMTP_ACCOUNT_CONTRACT, .identifier = address};
    xmtp_account_signature made = {.signature = xmtp_bytes_of(accepted, sizeof(accepted))};
    assert_ok(&alice, xmtp_client_request_add_account(alice.client, XMTP_ACCOUNT_CONTRACT, address,
                                                      false, &request, &alice.error));
    assert_refused(&alice, xmtp_signature_request_add(request, &who, &made, &alice.error),
                   XMTP_E_ARGUMENT, "chain id");
    who.chain_id = 8453;
    made.signature = xmtp_bytes_of(denied, sizeof(denied));
    assert_refused(&alice, xmtp_signature_request_add(request, &who, &made, &alice.error),
                   XMTP_E_SIGNATURE, "eip155:8453:");
    who.block_number = 5; /* given: then asked at that block only */
    assert_refused(&alice, xmtp_signature_request_add(request, &who, &made, &alice.error),
                   XMTP_E_SIGNATURE, "");
    assert_false(xmtp_signature_request_info_of(request).is_signed);
    who.block_number = 0;
    made.signature = xmtp_bytes_of(accepted, sizeof(accepted));
    assert_ok(&alice, xmtp_signature_request_add(request, &who, &made, &alice.error));
    assert_true(xmtp_signature_request_info_of(request).is_signed);
    xmtp_signature_request_free(request);
    person_close(&alice);
}

static void a_request_that_the_network_broke_is_applied_again(void **state)
{
    (void)state;
    person alice;
    person second = {0};
    char address[XMTP_ADDRESS_LEN + 1];
    xmtp_signature_request *request;
    person_open(&alice, &net);
    wallet_new(&second, address);
    assert_ok(&alice, xmtp_client_request_add_account(alice.client, XMTP_ACCOUNT_WALLET, address,
                                                      false, &request, &alice.error));
    add_far_away(&alice, request, second.key);
    /* The update is stored, and no answer comes any more. */
    alice.wire.cut_from = alice.wire.calls + 2;
    alice.wire.cut_count = UINT64_MAX / 2;
    alice.wire.how = CUT_AFTER;
    assert_refused(&alice, xmtp_signature_request_apply(request, &alice.error), XMTP_E_NETWORK, "");
    alice.wire.cut_from = 0;
    assert_ok(&alice, xmtp_signature_request_apply(request, &alice.error));
    xmtp_signature_request_free(request);
    assert_int_equal(state_of(&alice).account_count, 2);
    assert_int_equal(state_of(&alice).update_count, 2);
    person_close(&alice);
}

static void a_request_that_has_become_impossible_is_refused(void **state)
{
    (void)state;
    person alice;
    person second = {0};
    char address[XMTP_ADDRESS_LEN + 1];
    xmtp_signature_request *late;
    person_open(&alice, &net);
    wallet_new(&second, address);
    person device;
    person_open_device(&device, &alice);
    xmtp_account_signer recovery = wallet_of(&alice);
    assert_ok(&alice,
              xmtp_client_request_revocation(alice.client, NULL, NULL, 0, &late, &alice.error));
    add_far_away(&alice, late, alice.key);
    assert_ok(&alice, xmtp_client_change_recovery(alice.client, &recovery, XMTP_ACCOUNT_WALLET,
                                                  address, &alice.error));
    assert_refused(&alice, xmtp_signature_request_apply(late, &alice.error), XMTP_E_ASSOCIATION,
                   "");
    assert_int_equal(state_of(&alice).installation_count, 2);
    xmtp_signature_request_free(late);
    person_close(&device);
    person_close(&alice);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(an_inbox_is_made_by_a_signature_that_comes_later),
        FACT(accounts_and_recovery_change_by_signatures_that_come_later),
        FACT(installations_are_revoked_by_a_signature_that_comes_later),
        FACT(a_passkey_answers_the_challenge_of_a_request),
        FACT(signatures_that_do_not_fit_are_refused_at_once),
        FACT(a_contract_is_asked_when_its_signature_is_added),
        FACT(a_node_that_cannot_ask_a_chain_is_no_contract_that_says_no),
        FACT(a_request_that_the_network_broke_is_applied_again),
        FACT(a_request_that_has_become_impossible_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
