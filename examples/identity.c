/* identity.c - one inbox with two wallets and two installations, and what to do about a lost phone.
 *
 *     first wallet  --+                +-- laptop
 *     (recovery)      +-- Ann's inbox -+
 *     second wallet --+                +-- phone, which gets lost and is revoked
 *
 * People write to the inbox, by any of its wallets; each installation has keys and a database of its
 * own. Every change is an update that the whole network checks. Who has to sign for it stands behind it.
 */
#include "people.h"

#include <xmtp/identity.h>

static xmtp_inbox_state state_of(xmtp_client *client)
{
    xmtp_inbox_state state;
    check(xmtp_client_inbox_state(client, NULL, true, &state, &error), "state");
    for (size_t i = 0; i < state.account_count; i++) {
        printf("  account      %s\n", state.accounts[i].identifier);
    }
    for (size_t i = 0; i < state.installation_count; i++) {
        printf("  installation %s\n", state.installations[i].id);
    }
    printf("  recovery     %s, %u of %d updates used\n", state.recovery.identifier,
           (unsigned)state.update_count, XMTP_INBOX_UPDATES_MAX);
    return state;
}

/* Signed by the wallet that comes. People may write to either address from now on. */
static void add_wallet(const people *p, const xmtp_account_signer *second, char address[64])
{
    const char *inbox_id;
    check(xmtp_client_add_account(p->ann, second, false, &error), "add");
    xmtp_inbox_state state = state_of(p->ann);
    expect(state.account_count == 2, "the inbox has two accounts");
    (void)snprintf(address, 64, "%s", xmtp_inbox_shown_account(&state)->identifier);
    check(xmtp_client_find_inbox(p->bob, XMTP_ACCOUNT_WALLET, address, &inbox_id, &error), "find");
    expect(strcmp(inbox_id, xmtp_client_inbox_id(p->ann)) == 0, "it leads to Ann's inbox");
}

/* Signed by the recovery identifier. No group lets the phone read on once its members have seen it. */
static void revoke(const people *p, const xmtp_account_signer *recovery, xmtp_client *phone)
{
    const char *id = xmtp_client_installation_id(phone);
    bool is_there;
    check(xmtp_client_revoke_installations(p->ann, recovery, &id, 1, &error), "revoke");
    check(xmtp_client_has_installation(p->bob, xmtp_client_inbox_id(p->ann), id, &is_there, &error),
          "ask");
    expect(!is_there, "the phone is no installation of the inbox any more");
    xmtp_network_advance(p->net, 60 * XMTP_NETWORK_SECOND_NS); /* Bob's client looks again */
}

int main(void)
{
    people p = ann_and_bob();
    const xmtp_account_signer first = {.kind = XMTP_ACCOUNT_WALLET,
                                       .private_key = xmtp_network_key(p.ann_device)};
    const xmtp_account_signer second = {
        .kind = XMTP_ACCOUNT_WALLET,
        .private_key = "0202020202020202020202020202020202020202020202020202020202020202"};
    const xmtp_network_device_options of_ann = {.person_of = p.ann_device};
    xmtp_network_device *phone_device;
    xmtp_conversation_id dm;
    char address[64];

    printf("a new inbox:\n");
    (void)state_of(p.ann);
    printf("with a second wallet:\n");
    add_wallet(&p, &second, address);

    check(xmtp_network_client(p.net, &of_ann, &phone_device, &error), "phone");
    xmtp_client *phone = xmtp_network_client_of(phone_device);
    check(xmtp_client_dm(p.bob, address, &dm, &error), "dm");
    check(xmtp_client_send_text(p.bob, &dm, "to all that you have", NULL, &error), "send");
    check(xmtp_client_sync(p.ann, &error), "sync");
    check(xmtp_client_sync(phone, &error), "sync");
    expect(times_read(phone, &dm, "to all that you have") == 1, "the phone reads too");

    revoke(&p, &first, phone);
    check(xmtp_client_send_text(p.bob, &dm, "without the phone", NULL, &error), "send");
    check(xmtp_client_sync(p.ann, &error), "sync");
    check(xmtp_client_sync(phone, &error), "sync");
    expect(times_read(p.ann, &dm, "without the phone") == 1, "the laptop reads on");
    expect(times_read(phone, &dm, "without the phone") == 0, "the phone does not");

    /* Signed by the recovery identifier, which itself cannot be removed. */
    expect_refusal(xmtp_client_remove_account(p.ann, &first, XMTP_ACCOUNT_WALLET,
                                              xmtp_client_address(p.ann), &error),
                   XMTP_E_ARGUMENT, "removing the recovery wallet");
    check(xmtp_client_remove_account(p.ann, &first, XMTP_ACCOUNT_WALLET, address, &error),
          "remove");
    printf("without the second wallet and the phone:\n");
    xmtp_inbox_state state = state_of(p.ann);
    expect(state.account_count == 1 && state.installation_count == 1, "both are gone");
    xmtp_network_close(p.net);
    return 0;
}
