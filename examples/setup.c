/* setup.c - less common ways to open a client: look before registering, a log, and a database that an
 * application and the extension that a push notification wakes take turns with.
 *
 *     application: open ... let go of the file (put to sleep)            take it again
 *     extension:                  open light, take in what was pushed, show it, close
 */
#include "people.h"

#include <xmtp/setup.h>

static void count_line(void *context, xmtp_log_level level, const char *line)
{
    (void)level;
    (void)line; /* no keys, no texts of messages: fit for a file */
    (*(int *)context)++;
}

/* What a notification brings, see push.c. */
static xmtp_status take_in(void *context, const xmtp_network_envelope *envelope)
{
    return xmtp_client_process_message(context, envelope->group_message, &error);
}

int main(void)
{
    people p = ann_and_bob();
    const xmtp_network_device_options closed = {.is_closed = true};
    xmtp_network_device *place; /* a path and a wire for the clients that are opened here by hand */
    xmtp_client *carl;
    xmtp_client *light;
    xmtp_conversation_id dm;
    bool can;
    int lines = 0;
    check(xmtp_network_client(p.net, &closed, &place, &error), "place");
    xmtp_client_options options = {
        .encryption_key = "0303030303030303030303030303030303030303030303030303030303030303",
        .database_path = xmtp_network_database(place),
        .transport = xmtp_network_transport(place),
        .env = xmtp_network_env(p.net)};

    /* Carl looks around before he joins: nothing of him is on the network. */
    const xmtp_setup looking = {
        .without_registration = true,
        .log = {.context = &lines, .level = XMTP_LOG_DEBUG, .write = count_line}};
    options.setup = &looking;
    check(xmtp_client_open(&carl, &options, &error), "open");
    const char *address = xmtp_client_address(p.ann);
    check(xmtp_client_can_message(carl, &address, 1, &can, &error), "ask");
    expect(can && !xmtp_client_is_registered(carl), "Ann can be written to, Carl is nobody yet");
    expect_refusal(xmtp_client_dm(carl, address, &dm, &error), XMTP_E_NOT_REGISTERED, "a DM");
    const xmtp_account_signer wallet = {.kind = XMTP_ACCOUNT_WALLET,
                                        .private_key = options.encryption_key};
    check(xmtp_client_register(carl, &wallet, &error), "register");
    check(xmtp_client_dm(carl, address, &dm, &error), "dm");
    check(xmtp_client_send_text(carl, &dm, "here I am", NULL, &error), "send");
    printf("%d lines of log\n", lines);
    expect(lines > 5, "the log tells each call");

    /* The application is put to sleep and lets go of its file. */
    check(xmtp_client_sync(p.ann, &error), "sync");
    check(xmtp_client_send_text(p.ann, &dm, "while Carl slept", NULL, &error), "send");
    check(xmtp_client_release_database(carl, &error), "let go");
    expect_refusal(xmtp_client_sync(carl, &error), XMTP_E_CLOSED, "a sync meanwhile");

    /* The extension takes in what was pushed, and shows it; it publishes nothing ever. */
    const xmtp_setup woken = {.is_light = true};
    options.setup = &woken;
    check(xmtp_client_open(&light, &options, &error), "open light");
    check(xmtp_network_envelopes(p.net, &dm, take_in, light, &error), "push");
    expect(times_read(light, &dm, "while Carl slept") == 1, "the notification can be shown");
    expect_refusal(xmtp_client_send_text(light, &dm, "me too", NULL, &error), XMTP_E_STATE, "send");
    xmtp_client_close(light);

    /* The application wakes up, and finds in its database what the extension put there. */
    check(xmtp_client_take_database(carl, &error), "take");
    expect(times_read(carl, &dm, "while Carl slept") == 1, "nothing has to be fetched again");
    xmtp_client_close(carl);
    xmtp_network_close(p.net);
    return 0;
}
