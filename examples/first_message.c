/* first_message.c - two inboxes, one message and its answer, over the installed library.
 *
 *     cc first_message.c $(pkg-config --cflags --libs xmtp) -o first_message
 *     xmtp node &
 *     ./first_message http://localhost:5556
 *
 * Without keys the identities are random and live in memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <xmtp/client.h>

static xmtp_error error;

static void check(const char *what, xmtp_status status)
{
    if (status != XMTP_OK) {
        fprintf(stderr, "%s: %s (%s)\n", what, error.text, xmtp_status_name(status));
        exit(1);
    }
}

static xmtp_status print(void *context, const xmtp_message *message)
{
    if (message->text != NULL) {
        printf("%s: %s\n", (const char *)context, message->text);
    }
    return XMTP_OK;
}

static void read_all(xmtp_client *client, char *name)
{
    const xmtp_message_query all = {0};
    check("sync", xmtp_client_sync(client, &error));
    check("read", xmtp_client_messages(client, &all, print, name, &error));
}

int main(int argc, char **argv)
{
    const xmtp_client_options options = {.node_url = argc > 1 ? argv[1] : NULL};
    xmtp_client *alice;
    xmtp_client *bob;
    xmtp_conversation_id dm;
    check("open", xmtp_client_open(&alice, &options, &error));
    check("open", xmtp_client_open(&bob, &options, &error));
    check("dm", xmtp_client_dm(alice, xmtp_client_address(bob), &dm, &error));
    check("send", xmtp_client_send_text(alice, &dm, "hello", NULL, &error));
    read_all(bob, "bob reads");
    check("answer", xmtp_client_send_text(bob, &dm, "hello yourself", NULL, &error));
    read_all(alice, "alice reads");
    xmtp_client_close(alice);
    xmtp_client_close(bob);
    return 0;
}
