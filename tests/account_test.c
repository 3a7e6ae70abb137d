/* account_test.c - accounts, recovery and installations of an inbox: read, changed, refused. */
#include "base/status.h"
#include "signers.h"
#include "test_network.h"

#include <xmtp/identity.h>

static network net;
static person alice;

static int set_up(void **state)
{
    (void)state;
    network_open(&net);
    person_open(&alice, &net);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    person_close(&alice);
    network_close(&net);
    return 0;
}

static xmtp_inbox_state state_of(person *p)
{
    xmtp_inbox_state out;
    assert_ok(p, xmtp_client_inbox_state(p->client, NULL, true, &out, &p->error));
    return out;
}

static void refused(xmtp_status got, xmtp_status expected, const char *part)
{
    assert_int_equal(got, expected);
    if (strstr(alice.error.text, part) == NULL) {
        fail_msg("'%s' does not tell '%s'", alice.error.text, part);
    }
}

/* ---- reading */

static void a_new_inbox_has_its_wallet_and_one_installation(void **state)
{
    (void)state;
    xmtp_inbox_state s = state_of(&alice);
    assert_string_equal(s.inbox_id, xmtp_client_inbox_id(alice.client));
    assert_int_equal(s.account_count, 1);
    assert_string_equal(s.accounts[0].identifier, xmtp_client_address(alice.client));
    assert_string_equal(s.recovery.identifier, xmtp_client_address(alice.client));
    assert_int_equal(s.installation_count, 1);
    assert_string_equal(s.installations[0].id, xmtp_client_installation_id(alice.client));
    assert_int_equal(s.update_count, 1);
}

static void people_are_found_by_any_form_of_their_address(void **state)
{
    (void)state;
    person nobody = {0};
    char unknown[XMTP_ADDRESS_LEN + 1];
    char upper[XMTP_ADDRESS_LEN + 1];
    bool can[2];
    const char *found;
    wallet_new(&nobody, unknown);
    memcpy(upper, xmtp_client_address(alice.client), sizeof(upper));
    for (size_t i = 2; i < XMTP_ADDRESS_LEN; i++) {
        upper[i] = (char)(upper[i] >= 'a' ? upper[i] - 32 : upper[i]);
    }
    const char *const addresses[] = {unknown, upper};
    assert_ok(&alice, xmtp_client_can_message(alice.client, addresses, 2, can, &alice.error));
    assert_false(can[0]);
    assert_true(can[1]);
    assert_ok(&alice, xmtp_client_find_inbox(alice.client, XMTP_ACCOUNT_WALLET, upper, &found,
                                             &alice.error));
    assert_string_equal(found, xmtp_client_inbox_id(alice.client));
    refused(
        xmtp_client_find_inbox(alice.client, XMTP_ACCOUNT_WALLET, unknown, &found, &alice.error),
        XMTP_E_NO_INBOX, unknown);
}

static void the_id_of_an_inbox_can_be_computed(void **state)
{
    (void)state;
    char id[65];
    assert_ok(&alice, xmtp_inbox_id_of(XMTP_ACCOUNT_WALLET, xmtp_client_address(alice.client), 1,
                                       id, &alice.error));
    assert_string_equal(id, xmtp_client_inbox_id(alice.client));
}

static void key_packages_tell_who_can_be_invited(void **state)
{
    (void)state;
    static const char unknown[] =
        "0000000000000000000000000000000000000000000000000000000000000001";
    const char *const ids[] = {xmtp_client_installation_id(alice.client), unknown};
    xmtp_key_package_status status[2];
    assert_ok(&alice, xmtp_client_key_packages(alice.client, ids, 2, status, &alice.error));
    assert_int_equal(status[0].status, XMTP_OK);
    assert_int_equal(status[0].not_after - status[0].not_before, 7257600 + 3600);
    assert_int_equal(status[1].status, XMTP_E_NOT_FOUND);
    network_advance(&net, 85 * 86400);
    assert_ok(&alice, xmtp_client_key_packages(alice.client, ids, 1, status, &alice.error));
    assert_int_equal(status[0].status, XMTP_E_LIFETIME);
    net.clock_ns -= UINT64_C(85) * 86400 * 1000000000; /* the node's clock did not move */
    assert_ok(&alice, xmtp_client_rotate_key_package(alice.client, &alice.error));
    assert_ok(&alice, xmtp_client_key_packages(alice.client, ids, 1, status, &alice.error));
    assert_int_equal(status[0].status, XMTP_OK);
}

static void an_installation_proves_itself(void **state)
{
    (void)state;
    uint8_t signature[XMTP_SIGNATURE_BYTES];
    uint8_t key[XMTP_PUBLIC_KEY_BYTES];
    const char *id = xmtp_client_installation_id(alice.client);
    assert_int_equal(xmtp_hex_decode(key, sizeof(key), id, 64), XMTP_OK);
    assert_ok(&alice, xmtp_client_sign(alice.client, "hello", signature, &alice.error));
    assert_int_equal(xmtp_verify_signed(key, "hello", signature), XMTP_OK);
    assert_int_equal(xmtp_verify_signed(key, "hellp", signature), XMTP_E_SIGNATURE);
}

/* ---- accounts */

static void a_second_wallet_is_added_and_removed(void **state)
{
    (void)state;
    person second = {0};
    char address[XMTP_ADDRESS_LEN + 1];
    bool is_there;
    const char *holder;
    wallet_new(&second, address);
    xmtp_account_signer signer = wallet_of(&second);
    xmtp_account_signer recovery = wallet_of(&alice);
    assert_ok(&alice, xmtp_client_add_account(alice.client, &signer, false, &alice.error));
    assert_int_equal(state_of(&alice).account_count, 2);
    assert_ok(&alice, xmtp_client_find_inbox(alice.client, XMTP_ACCOUNT_WALLET, address, &holder,
                                             &alice.error));
    assert_string_equal(holder, xmtp_client_inbox_id(alice.client));
    refused(xmtp_client_add_account(alice.client, &signer, true, &alice.error), XMTP_E_EXISTS,
            "already");
    /* Only the recovery identifier removes. */
    refused(xmtp_client_remove_account(alice.client, &signer, XMTP_ACCOUNT_WALLET, address,
                                       &alice.error),
            XMTP_E_ASSOCIATION, "");
    assert_ok(&alice, xmtp_client_remove_account(alice.client, &recovery, XMTP_ACCOUNT_WALLET,
                                                 address, &alice.error));
    assert_ok(&alice,
              xmtp_client_has_account(alice.client, xmtp_client_inbox_id(alice.client),
                                      XMTP_ACCOUNT_WALLET, address, &is_there, &alice.error));
    assert_false(is_there);
    refused(xmtp_client_remove_account(alice.client, &recovery, XMTP_ACCOUNT_WALLET, address,
                                       &alice.error),
            XMTP_E_NOT_FOUND, "not one of the inbox");
    assert_int_equal(state_of(&alice).update_count, 3);
}

static void somebody_elses_wallet_is_taken_only_on_purpose(void **state)
{
    (void)state;
    person bob;
    person_open(&bob, &net);
    xmtp_account_signer signer = wallet_of(&bob);
    refused(xmtp_client_add_account(alice.client, &signer, false, &alice.error), XMTP_E_EXISTS,
            xmtp_client_inbox_id(bob.client));
    assert_int_equal(state_of(&alice).account_count, 1);
    assert_ok(&alice, xmtp_client_add_account(alice.client, &signer, true, &alice.error));
    assert_int_equal(state_of(&alice).account_count, 2);
    person_close(&bob);
}

static void the_recovery_identifier_moves_and_cannot_be_removed(void **state)
{
    (void)state;
    person second = {0};
    char address[XMTP_ADDRESS_LEN + 1];
    wallet_new(&second, address);
    xmtp_account_signer old = wallet_of(&alice);
    xmtp_account_signer fresh = wallet_of(&second);
    refused(xmtp_client_remove_account(alice.client, &old, XMTP_ACCOUNT_WALLET,
                                       xmtp_client_address(alice.client), &alice.error),
            XMTP_E_ARGUMENT, "change it first");
    assert_ok(&alice, xmtp_client_change_recovery(alice.client, &old, XMTP_ACCOUNT_WALLET, address,
                                                  &alice.error));
    assert_string_equal(state_of(&alice).recovery.identifier, address);
    /* Now the first wallet is an account like another. */
    refused(xmtp_client_remove_account(alice.client, &old, XMTP_ACCOUNT_WALLET,
                                       xmtp_client_address(alice.client), &alice.error),
            XMTP_E_ASSOCIATION, "");
    assert_ok(&alice, xmtp_client_remove_account(alice.client, &fresh, XMTP_ACCOUNT_WALLET,
                                                 xmtp_client_address(alice.client), &alice.error));
    assert_int_equal(state_of(&alice).account_count, 0);
}

static void signers_that_cannot_sign_are_told_why(void **state)
{
    (void)state;
    const xmtp_account_signer nothing = {.kind = XMTP_ACCOUNT_WALLET};
    const xmtp_account_signer malformed = {.kind = XMTP_ACCOUNT_WALLET, .private_key = "12"};
    const xmtp_account_signer other = {.kind = XMTP_ACCOUNT_WALLET,
                                       .private_key = alice.key,
                                       .identifier = "0x0000000000000000000000000000000000000001"};
    refused(xmtp_client_add_account(alice.client, &nothing, false, &alice.error), XMTP_E_ARGUMENT,
            "neither private_key nor sign");
    refused(xmtp_client_add_account(alice.client, &malformed, false, &alice.error), XMTP_E_KEY, "");
    refused(xmtp_client_add_account(alice.client, &other, false, &alice.error), XMTP_E_KEY,
            "not of 0x0000000000000000000000000000000000000001");
    refused(xmtp_client_add_account(alice.client, NULL, false, &alice.error), XMTP_E_ARGUMENT,
            "missing");
    assert_int_equal(state_of(&alice).update_count, 1);
}

/* ---- accounts that sign elsewhere */

static void a_passkey_is_an_account_like_a_wallet(void **state)
{
    (void)state;
    elsewhere e = {.asked = 0};
    char hex[2 * 33 + 1];
    const char *holder;
    passkey_new(&e, hex);
    xmtp_account_signer signer = {
        .kind = XMTP_ACCOUNT_PASSKEY, .identifier = hex, .context = &e, .sign = sign_by_passkey};
    xmtp_account_signer recovery = wallet_of(&alice);
    assert_ok(&alice, xmtp_client_add_account(alice.client, &signer, false, &alice.error));
    xmtp_inbox_state s = state_of(&alice);
    assert_int_equal(s.account_count, 2);
    assert_int_equal(s.accounts[0].kind, XMTP_ACCOUNT_PASSKEY);
    assert_string_equal(s.accounts[0].identifier, hex);
    assert_ok(&alice, xmtp_client_find_inbox(alice.client, XMTP_ACCOUNT_PASSKEY, hex, &holder,
                                             &alice.error));
    assert_string_equal(holder, xmtp_client_inbox_id(alice.client));
    assert_ok(&alice, xmtp_client_remove_account(alice.client, &recovery, XMTP_ACCOUNT_PASSKEY, hex,
                                                 &alice.error));
    assert_int_equal(state_of(&alice).account_count, 1);
    assert_int_equal(e.asked, 1);
}

static void an_inbox_can_be_made_by_a_passkey(void **state)
{
    (void)state;
    elsewhere e = {.asked = 0};
    char hex[2 * 33 + 1];
    person p = {.net = &net};
    passkey_new(&e, hex);
    xmtp_account_signer signer = {
        .kind = XMTP_ACCOUNT_PASSKEY, .identifier = hex, .context = &e, .sign = sign_by_passkey};
    xmtp_conversation_id dm;
    wire_open(&p.wire, &net);
    xmtp_client_options options = {.account = &signer, .transport = &p.wire.outer, .env = &net.env};
    assert_ok(&p, xmtp_client_open(&p.client, &options, &p.error));
    assert_string_equal(xmtp_client_address(p.client), "");
    assert_ok(&p, xmtp_client_dm(p.client, xmtp_client_address(alice.client), &dm, &p.error));
    assert_ok(&p, xmtp_client_send_text(p.client, &dm, "hello", NULL, &p.error));
    assert_ok(&alice, xmtp_client_sync(alice.client, &alice.error));
    assert_ok(&alice,
              xmtp_client_dm_find(alice.client, xmtp_client_inbox_id(p.client), &dm, &alice.error));
    person_close(&p);
}

static void a_wallet_elsewhere_signs_once_and_its_inbox_opens_again_without_it(void **state)
{
    (void)state;
    person p = {.net = &net, .has_file = true};
    char address[XMTP_ADDRESS_LEN + 1];
    static const uint8_t database_key[32] = {1};
    wallet_new(&p, address);
    elsewhere e = {.key = p.key};
    xmtp_account_signer signer = {
        .kind = XMTP_ACCOUNT_WALLET, .identifier = address, .context = &e, .sign = sign_by_wallet};
    (void)snprintf(p.path, sizeof(p.path), "%s/elsewhere.db", net.folder);
    wire_open(&p.wire, &net);
    xmtp_client_options options = {
        .account = &signer, .database_path = p.path, .transport = &p.wire.outer, .env = &net.env};
    assert_int_equal(xmtp_client_open(&p.client, &options, &p.error), XMTP_E_ARGUMENT);
    options.database_key = database_key;
    for (int i = 0; i < 2; i++) {
        assert_ok(&p, xmtp_client_open(&p.client, &options, &p.error));
        assert_string_equal(xmtp_client_address(p.client), address);
        assert_int_equal(e.asked, 1);
        if (i == 0) {
            xmtp_client_close(p.client);
        }
    }
    person_close(&p);
}

/* ---- installations */

static void other_installations_are_revoked_in_one_update(void **state)
{
    (void)state;
    person devices[3];
    size_t revoked;
    xmtp_account_signer recovery = wallet_of(&alice);
    for (size_t i = 0; i < 3; i++) {
        person_open_device(&devices[i], &alice);
    }
    assert_int_equal(state_of(&alice).installation_count, 4);
    assert_ok(&alice, xmtp_client_revoke_other_installations(alice.client, &recovery, &revoked,
                                                             &alice.error));
    assert_int_equal(revoked, 3);
    xmtp_inbox_state s = state_of(&alice);
    assert_int_equal(s.installation_count, 1);
    assert_string_equal(s.installations[0].id, xmtp_client_installation_id(alice.client));
    assert_int_equal(s.update_count, 5);
    assert_ok(&alice, xmtp_client_revoke_other_installations(alice.client, &recovery, &revoked,
                                                             &alice.error));
    assert_int_equal(revoked, 0);
    assert_int_equal(state_of(&alice).update_count, 5);
    for (size_t i = 0; i < 3; i++) {
        person_close(&devices[i]);
    }
}

static void a_full_inbox_is_freed_by_somebody_without_one(void **state)
{
    (void)state;
    person devices[9];
    person eleventh = {.net = &net};
    xmtp_client *observer;
    xmtp_conversation_id group;
    bool is_there;
    for (size_t i = 0; i < 9; i++) {
        person_open_device(&devices[i], &alice);
    }
    eleventh = devices[0];
    eleventh.client = NULL;
    (void)snprintf(eleventh.path, sizeof(eleventh.path), "%s/11.db", net.folder);
    wire_open(&eleventh.wire, &net);
    assert_int_equal(person_try_open(&eleventh), XMTP_E_INSTALLATIONS);

    wire outside;
    wire_open(&outside, &net);
    xmtp_client_options options = {.transport = &outside.outer, .env = &net.env};
    assert_ok(&alice, xmtp_client_open_observer(&observer, &options, &alice.error));
    const char *id = xmtp_client_installation_id(devices[4].client);
    const char *inbox = xmtp_client_inbox_id(alice.client);
    xmtp_account_signer recovery = wallet_of(&alice);
    assert_ok(&alice,
              xmtp_client_revoke_of_inbox(observer, inbox, &recovery, &id, 1, &alice.error));
    assert_ok(&alice, xmtp_client_has_installation(observer, inbox, id, &is_there, &alice.error));
    assert_false(is_there);
    refused(xmtp_client_revoke_of_inbox(observer, inbox, &recovery, &id, 1, &alice.error),
            XMTP_E_NOT_FOUND, "no installation of inbox");
    refused(xmtp_client_group_create(observer, "g", NULL, 0, &group, &alice.error),
            XMTP_E_NOT_REGISTERED, "without an inbox");
    refused(xmtp_client_sync(observer, &alice.error), XMTP_E_NOT_REGISTERED, "");
    refused(xmtp_client_poll(observer, 0, &alice.error), XMTP_E_NOT_REGISTERED, "");
    xmtp_client_close(observer);
    outside.inner.close(outside.inner.context);
    assert_ok(&eleventh, person_try_open(&eleventh));
    person_close(&eleventh);
    for (size_t i = 0; i < 9; i++) {
        person_close(&devices[i]);
    }
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(a_new_inbox_has_its_wallet_and_one_installation),
        FACT(people_are_found_by_any_form_of_their_address),
        FACT(the_id_of_an_inbox_can_be_computed),
        FACT(key_packages_tell_who_can_be_invited),
        FACT(an_installation_proves_itself),
        FACT(a_second_wallet_is_added_and_removed),
        FACT(somebody_elses_wallet_is_taken_only_on_purpose),
        FACT(the_recovery_identifier_moves_and_cannot_be_removed),
        FACT(signers_that_cannot_sign_are_told_why),
        FACT(a_passkey_is_an_account_like_a_wallet),
        FACT(an_inbox_can_be_made_by_a_passkey),
        FACT(a_wallet_elsewhere_signs_once_and_its_inbox_opens_again_without_it),
        FACT(other_installations_are_revoked_in_one_update),
        FACT(a_full_inbox_is_freed_by_somebody_without_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
