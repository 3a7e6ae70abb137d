/* registration_test.c - an installation that registers later, an inbox with another nonce, and errors that
 * callers left something in. */
#include "one_network.h"
#include "signers.h"

#include <xmtp/setup.h>

static const uint8_t database_key[32] = {3};

/* A client of an account, in a file, not registered. */
static void open_unregistered(person *p, xmtp_account_signer *account, uint64_t nonce)
{
    const xmtp_setup setup = {.without_registration = true, .nonce = nonce};
    xmtp_client_options options = {.account = account,
                                   .database_path = p->path,
                                   .database_key = database_key,
                                   .transport = &p->wire.outer,
                                   .env = &net.env,
                                   .setup = &setup};
    assert_ok(p, xmtp_client_open(&p->client, &options, &p->error));
}

static void stranger(person *p, char address[XMTP_ADDRESS_LEN + 1], xmtp_account_signer *only_name)
{
    memset(p, 0, sizeof(*p));
    p->net = &net;
    p->has_file = true;
    (void)snprintf(p->path, sizeof(p->path), "%s/stranger.db", net.folder);
    wallet_new(p, address);
    wire_open(&p->wire, &net);
    *only_name = (xmtp_account_signer){.kind = XMTP_ACCOUNT_WALLET, .identifier = address};
}

/* ---- registering later */

static void a_client_may_open_first_and_register_later(void **state)
{
    (void)state;
    person p;
    person bob;
    char address[XMTP_ADDRESS_LEN + 1];
    char installation[65];
    xmtp_account_signer name;
    xmtp_conversation_id dm;
    person_open(&bob, &net);
    stranger(&p, address, &name);
    open_unregistered(&p, &name, 0);
    assert_false(xmtp_client_is_registered(p.client));
    (void)snprintf(installation, sizeof(installation), "%s", xmtp_client_installation_id(p.client));
    assert_int_equal(strlen(installation), 64);
    xmtp_account_signer wallet = wallet_of(&p);
    assert_ok(&p, xmtp_client_register(p.client, &wallet, &p.error));
    assert_true(xmtp_client_is_registered(p.client));
    assert_string_equal(xmtp_client_installation_id(p.client), installation);
    assert_ok(&p, xmtp_client_dm(p.client, xmtp_client_address(bob.client), &dm, &p.error));
    send_text(&p, &dm, "registered");
    sync_all(&bob);
    assert_ok(&bob,
              xmtp_client_dm_find(bob.client, xmtp_client_inbox_id(p.client), &dm, &bob.error));
    person_close(&p);
    person_close(&bob);
}

static void registering_twice_does_nothing_more(void **state)
{
    (void)state;
    person p;
    char address[XMTP_ADDRESS_LEN + 1];
    xmtp_account_signer name;
    stranger(&p, address, &name);
    open_unregistered(&p, &name, 0);
    xmtp_account_signer wallet = wallet_of(&p);
    assert_ok(&p, xmtp_client_register(p.client, &wallet, &p.error));
    uint64_t calls = p.wire.calls;
    assert_ok(&p, xmtp_client_register(p.client, NULL, &p.error));
    assert_int_equal(p.wire.calls, calls);
    /* and the database opens by name alone, without the network */
    xmtp_client_close(p.client);
    p.wire.cut_from = 1;
    p.wire.cut_count = UINT64_MAX / 2;
    open_unregistered(&p, &name, 0);
    assert_true(xmtp_client_is_registered(p.client));
    person_close(&p);
}

static void before_it_is_registered_a_client_reads_and_asks(void **state)
{
    (void)state;
    person p;
    person bob;
    char address[XMTP_ADDRESS_LEN + 1];
    xmtp_account_signer name;
    xmtp_inbox_state s;
    bool can;
    person_open(&bob, &net);
    stranger(&p, address, &name);
    open_unregistered(&p, &name, 0);
    const char *bobs = xmtp_client_address(bob.client);
    assert_ok(&p, xmtp_client_can_message(p.client, &bobs, 1, &can, &p.error));
    assert_true(can);
    assert_ok(&p, xmtp_client_inbox_state(p.client, xmtp_client_inbox_id(bob.client), true, &s,
                                          &p.error));
    assert_int_equal(s.installation_count, 1);
    assert_refused(&p, xmtp_client_inbox_state(p.client, NULL, true, &s, &p.error), XMTP_E_NO_INBOX,
                   "");
    person_close(&p);
    person_close(&bob);
}

static void before_it_is_registered_all_else_is_refused(void **state)
{
    (void)state;
    person p;
    char address[XMTP_ADDRESS_LEN + 1];
    xmtp_account_signer name;
    xmtp_conversation_id id = {0};
    static const char part[] = "not registered yet: xmtp_client_register";
    stranger(&p, address, &name);
    open_unregistered(&p, &name, 0);
    xmtp_account_signer wallet = wallet_of(&p);
    uint64_t calls = p.wire.calls;
    assert_refused(&p, xmtp_client_dm(p.client, address, &id, &p.error), XMTP_E_NOT_REGISTERED,
                   part);
    assert_refused(&p, xmtp_client_group_create(p.client, "g", NULL, 0, &id, &p.error),
                   XMTP_E_NOT_REGISTERED, part);
    assert_refused(&p, xmtp_client_sync(p.client, &p.error), XMTP_E_NOT_REGISTERED, part);
    assert_refused(&p, xmtp_client_poll(p.client, 0, &p.error), XMTP_E_NOT_REGISTERED, part);
    assert_refused(&p, xmtp_client_send_text(p.client, &id, "x", NULL, &p.error),
                   XMTP_E_NOT_REGISTERED, part);
    assert_refused(&p, xmtp_client_add_account(p.client, &wallet, false, &p.error),
                   XMTP_E_NOT_REGISTERED, part);
    assert_refused(&p, xmtp_client_rotate_key_package(p.client, &p.error), XMTP_E_NOT_REGISTERED,
                   part);
    assert_int_equal(p.wire.calls, calls);
    person_close(&p);
}

static void only_the_account_that_it_was_opened_for_registers(void **state)
{
    (void)state;
    person p;
    person other = {0};
    char address[XMTP_ADDRESS_LEN + 1];
    char another[XMTP_ADDRESS_LEN + 1];
    xmtp_account_signer name;
    stranger(&p, address, &name);
    wallet_new(&other, another);
    open_unregistered(&p, &name, 0);
    xmtp_account_signer wrong = wallet_of(&other);
    assert_refused(&p, xmtp_client_register(p.client, &wrong, &p.error), XMTP_E_ASSOCIATION,
                   address);
    assert_refused(&p, xmtp_client_register(p.client, NULL, &p.error), XMTP_E_ARGUMENT, "missing");
    assert_refused(&p, xmtp_client_register(p.client, &name, &p.error), XMTP_E_ARGUMENT,
                   "neither private_key nor sign");
    assert_false(xmtp_client_is_registered(p.client));
    xmtp_account_signer right = wallet_of(&p);
    assert_ok(&p, xmtp_client_register(p.client, &right, &p.error));
    person_close(&p);
}

static void a_registration_that_the_network_broke_goes_on_without_another_signature(void **state)
{
    (void)state;
    person p;
    char address[XMTP_ADDRESS_LEN + 1];
    xmtp_account_signer name;
    stranger(&p, address, &name);
    open_unregistered(&p, &name, 0);
    elsewhere e = {.key = p.key};
    xmtp_account_signer wallet = {
        .kind = XMTP_ACCOUNT_WALLET, .identifier = address, .context = &e, .sign = sign_by_wallet};
    p.wire.cut_from = p.wire.calls + 2; /* the inbox is looked up, and then nothing answers */
    p.wire.cut_count = UINT64_MAX / 2;
    p.wire.how = CUT_BEFORE;
    assert_refused(&p, xmtp_client_register(p.client, &wallet, &p.error), XMTP_E_NETWORK, "");
    assert_int_equal(e.asked, 1);
    p.wire.cut_from = 0;
    assert_ok(&p, xmtp_client_register(p.client, NULL, &p.error));
    assert_int_equal(e.asked, 1);
    assert_true(xmtp_client_is_registered(p.client));
    person_close(&p);
}

static void a_full_inbox_is_freed_by_the_client_that_finds_no_seat(void **state)
{
    (void)state;
    person devices[10];
    person p;
    char address[XMTP_ADDRESS_LEN + 1];
    xmtp_account_signer name;
    size_t revoked;
    person_open(&devices[0], &net);
    for (size_t i = 1; i < 10; i++) {
        person_open_device(&devices[i], &devices[0]);
    }
    stranger(&p, address, &name);
    memcpy(p.key, devices[0].key, sizeof(p.key));
    name.identifier = xmtp_client_address(devices[0].client);
    open_unregistered(&p, &name, 0);
    assert_string_equal(xmtp_client_inbox_id(p.client), xmtp_client_inbox_id(devices[0].client));
    xmtp_account_signer wallet = wallet_of(&p);
    assert_refused(&p, xmtp_client_register(p.client, &wallet, &p.error), XMTP_E_INSTALLATIONS,
                   "10 installations");
    assert_ok(&p, xmtp_client_revoke_other_installations(p.client, &wallet, &revoked, &p.error));
    assert_int_equal(revoked, 10);
    assert_ok(&p, xmtp_client_register(p.client, &wallet, &p.error));
    person_close(&p);
    people_close(devices, 10);
}

/* ---- another nonce */

static void an_account_that_left_its_inbox_makes_another_with_a_nonce(void **state)
{
    (void)state;
    person first;
    person second = {0};
    person p;
    char address[XMTP_ADDRESS_LEN + 1];
    char expected[65];
    xmtp_account_signer name;
    person_open(&first, &net);
    wallet_new(&second, address);
    xmtp_account_signer old = wallet_of(&first);
    xmtp_account_signer heir = wallet_of(&second);
    const char *leaving = xmtp_client_address(first.client);
    assert_ok(&first, xmtp_client_add_account(first.client, &heir, false, &first.error));
    assert_ok(&first, xmtp_client_change_recovery(first.client, &old, XMTP_ACCOUNT_WALLET, address,
                                                  &first.error));
    assert_ok(&first, xmtp_client_remove_account(first.client, &heir, XMTP_ACCOUNT_WALLET, leaving,
                                                 &first.error));
    stranger(&p, address, &name);
    memcpy(p.key, first.key, sizeof(p.key));
    xmtp_account_signer wallet = wallet_of(&p);
    name.identifier = xmtp_client_address(first.client);
    open_unregistered(&p, &name, 0);
    assert_string_equal(xmtp_client_inbox_id(p.client), xmtp_client_inbox_id(first.client));
    assert_refused(&p, xmtp_client_register(p.client, &wallet, &p.error), XMTP_E_RPC_INVALID, "");
    xmtp_client_close(p.client);
    open_unregistered(&p, &name, 2);
    assert_ok(&p, xmtp_inbox_id_of(XMTP_ACCOUNT_WALLET, name.identifier, 2, expected, &p.error));
    assert_string_equal(xmtp_client_inbox_id(p.client), expected);
    assert_ok(&p, xmtp_client_register(p.client, &wallet, &p.error));
    person_close(&p);
    person_close(&first);
}

static void an_inbox_that_exists_is_joined_whatever_the_nonce(void **state)
{
    (void)state;
    person first;
    person p;
    char address[XMTP_ADDRESS_LEN + 1];
    xmtp_account_signer name;
    person_open(&first, &net);
    stranger(&p, address, &name);
    memcpy(p.key, first.key, sizeof(p.key));
    name.identifier = xmtp_client_address(first.client);
    open_unregistered(&p, &name, 7);
    assert_string_equal(xmtp_client_inbox_id(p.client), xmtp_client_inbox_id(first.client));
    xmtp_account_signer wallet = wallet_of(&p);
    assert_ok(&p, xmtp_client_register(p.client, &wallet, &p.error));
    person_close(&p);
    person_close(&first);
}

/* ---- what a caller left in an error */

static void fill_with_garbage(xmtp_error *error, xmtp_status status)
{
    memset(error, 'Q', sizeof(*error)); /* no end of the text either */
    error->status = status;
}

static void assert_own_reason(const xmtp_error *error, xmtp_status status, xmtp_status expected)
{
    assert_int_equal(status, expected);
    assert_int_equal(error->status, expected);
    assert_non_null(memchr(error->text, '\0', sizeof(error->text)));
    assert_null(strstr(error->text, "QQ"));
    assert_true(error->text[0] != '\0');
}

static void a_failure_is_told_by_its_own_reason_whatever_was_in_the_error(void **state)
{
    (void)state;
    person p;
    const xmtp_conversation_id nothing = {0};
    xmtp_conversation conversation;
    xmtp_queue_entry entry;
    uint64_t next_ns;
    xmtp_client *client;
    const xmtp_client_options malformed = {.encryption_key = "12"};
    person_open(&p, &net);
    /* The reason of an empty queue is the default sentence, which once gave way to what was there. */
    fill_with_garbage(&p.error, XMTP_E_NOT_FOUND);
    assert_own_reason(&p.error, xmtp_client_queue_next(p.client, &entry, &next_ns, &p.error),
                      XMTP_E_NOT_FOUND);
    fill_with_garbage(&p.error, XMTP_E_NOT_FOUND);
    assert_own_reason(&p.error,
                      xmtp_client_conversation(p.client, &nothing, &conversation, &p.error),
                      XMTP_E_NOT_FOUND);
    fill_with_garbage(&p.error, XMTP_E_KEY);
    assert_own_reason(&p.error, xmtp_client_open(&client, &malformed, &p.error), XMTP_E_KEY);
    p.wire.cut_from = 1;
    p.wire.cut_count = UINT64_MAX / 2;
    fill_with_garbage(&p.error, XMTP_E_NETWORK);
    assert_own_reason(&p.error, xmtp_client_sync(p.client, &p.error), XMTP_E_NETWORK);
    person_close(&p);
}

static void a_success_leaves_a_clean_error(void **state)
{
    (void)state;
    person p;
    person_open(&p, &net);
    fill_with_garbage(&p.error, XMTP_E_CORRUPT);
    assert_int_equal(xmtp_client_sync(p.client, &p.error), XMTP_OK);
    assert_int_equal(p.error.status, XMTP_OK);
    assert_string_equal(p.error.text, "");
    person_close(&p);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(a_client_may_open_first_and_register_later),
        FACT(registering_twice_does_nothing_more),
        FACT(before_it_is_registered_a_client_reads_and_asks),
        FACT(before_it_is_registered_all_else_is_refused),
        FACT(only_the_account_that_it_was_opened_for_registers),
        FACT(a_registration_that_the_network_broke_goes_on_without_another_signature),
        FACT(a_full_inbox_is_freed_by_the_client_that_finds_no_seat),
        FACT(an_account_that_left_its_inbox_makes_another_with_a_nonce),
        FACT(an_inbox_that_exists_is_joined_whatever_the_nonce),
        FACT(a_failure_is_told_by_its_own_reason_whatever_was_in_the_error),
        FACT(a_success_leaves_a_clean_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
