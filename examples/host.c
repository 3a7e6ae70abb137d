/* host.c - thousands of inboxes in one process: one connection, one pair of streams, and next to no
 * memory for those that have nothing to do.
 *
 *     ./example_host 5000        so many inboxes; 60 unless told
 *
 * Each client of a host is an ordinary client, but for being opened and polled by the host.
 */
#include "people.h"

#include <xmtp/host.h>

enum { WRITTEN_TO = 10, TURNS_MAX = 1000 };

static void open_all(xmtp_host *host, xmtp_client **clients, size_t count)
{
    /* Random identities that live as long as their client. With a key it is an inbox that stays. */
    const xmtp_client_options options = {.encryption_key = NULL};
    for (size_t i = 0; i < count; i++) {
        check(xmtp_host_client_open(host, &clients[i], &options, &error), "open");
    }
}

/* What a program of many inboxes does all day: asks whom something came for, and lets that one answer. */
static size_t answer_whoever_got_mail(xmtp_host *host)
{
    size_t answered = 0;
    for (int turn = 0; turn < TURNS_MAX; turn++) {
        xmtp_client *client;
        xmtp_queue_entry entry;
        xmtp_status status = xmtp_host_poll(host, XMTP_NETWORK_SECOND_NS, &client, &error);
        if (status == XMTP_E_TIMEOUT) {
            return answered; /* nobody has news; a server goes on polling here */
        }
        check(status, "poll");
        while (client != NULL && xmtp_client_queue_next(client, &entry, NULL, &error) == XMTP_OK) {
            const xmtp_answer answer = {.conversation = &entry.message.conversation,
                                        .text = "at your service"};
            check(xmtp_client_queue_acknowledge(client, entry.message.id, &answer, 1, &error),
                  "answer");
            answered++;
        }
    }
    return answered;
}

int main(int argc, char **argv)
{
    size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 60;
    people p = ann_and_bob();
    xmtp_host *host;
    xmtp_host_counts counts;
    xmtp_conversation_id dm;
    char folder[512];
    expect(count >= WRITTEN_TO, "there are at least 10 inboxes");
    xmtp_client **clients = calloc(count, sizeof *clients);
    expect(clients != NULL, "there is memory");

    /* With a node: .node_url. Here the wire of a device stands for the connection, and the folder with
     * one file an inbox is beside that device's own file. */
    (void)snprintf(folder, sizeof folder, "%s.host", xmtp_network_database(p.ann_device));
    const xmtp_host_options options = {.folder = folder,
                                       .transport = xmtp_network_transport(p.ann_device),
                                       .env = xmtp_network_env(p.net)};
    check(xmtp_host_open(&host, &options, &error), "host");
    open_all(host, clients, count);
    for (size_t i = 0; i < count; i++) {
        check(xmtp_client_queue_enable(clients[i], &error), "queue");
    }
    expect(answer_whoever_got_mail(host) == 0, "nobody has written yet");
    xmtp_host_park_all(host);

    for (size_t i = 0; i < WRITTEN_TO; i++) {
        const char *address = xmtp_client_address(clients[i * (count / WRITTEN_TO)]);
        check(xmtp_client_dm(p.bob, address, &dm, &error), "dm");
        check(xmtp_client_send_text(p.bob, &dm, "are you there?", NULL, &error), "send");
    }
    expect(answer_whoever_got_mail(host) == WRITTEN_TO, "each message was answered once");
    xmtp_host_count(host, &counts);
    printf("%zu inboxes, of which %zu awake with %zu databases open; %zu streams, %llu messages\n",
           counts.clients, counts.awake, counts.databases, counts.streams,
           (unsigned long long)counts.received);
    expect(counts.clients == count && counts.awake <= WRITTEN_TO, "the others sleep");

    check(xmtp_client_sync(p.bob, &error), "sync");
    expect(times_read(p.bob, NULL, "at your service") == WRITTEN_TO, "and the answers are there");
    xmtp_host_close(host); /* and with it its clients */
    free(clients);
    xmtp_network_close(p.net);
    return 0;
}
