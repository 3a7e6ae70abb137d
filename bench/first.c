/* first.c - our side of `./dev bench first`: the same steps as official-first.mjs.
 *
 * 500 texts one after the other in a DM between two fresh identities in memory, then the other side
 * fetches and decrypts them; five rounds. Prints one JSON line: {"send_per_s": [...], "sync_per_s":
 * [...]}.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xmtp/client.h>

enum { TEXTS = 500, ROUNDS = 5 };

static void die(const char *what, const xmtp_error *error, xmtp_status status)
{
    fprintf(stderr, "bench_first: %s: %s (%s)\n", what, error->text, xmtp_status_name(status));
    exit(1);
}

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static xmtp_client *open_client(const char *node_url)
{
    xmtp_error error = {0};
    xmtp_client *client;
    const xmtp_client_options options = {.node_url = node_url};
    xmtp_status status = xmtp_client_open(&client, &options, &error);
    if (status != XMTP_OK) {
        die("open", &error, status);
    }
    return client;
}

static void send_text(xmtp_client *client, const xmtp_conversation_id *dm, int number)
{
    xmtp_error error = {0};
    char text[32];
    (void)snprintf(text, sizeof text, "message %d", number);
    xmtp_status status = xmtp_client_send_text(client, dm, text, NULL, &error);
    if (status != XMTP_OK) {
        die("send", &error, status);
    }
}

static void sync_client(xmtp_client *client, const xmtp_conversation_id *dm)
{
    xmtp_error error = {0};
    xmtp_status status = dm == NULL ? xmtp_client_sync(client, &error)
                                    : xmtp_client_sync_conversation(client, dm, &error);
    if (status != XMTP_OK) {
        die("sync", &error, status);
    }
}

static xmtp_status count_text(void *context, const xmtp_message *message)
{
    *(int *)context += message->text != NULL;
    return XMTP_OK;
}

static void check_all_arrived(xmtp_client *client)
{
    xmtp_error error = {0};
    int texts = 0;
    const xmtp_message_query query = {0};
    xmtp_status status = xmtp_client_messages(client, &query, count_text, &texts, &error);
    if (status != XMTP_OK || texts != TEXTS + 1) {
        fprintf(stderr, "bench_first: %d messages arrived, %d expected\n", texts, TEXTS + 1);
        exit(1);
    }
}

static void run_round(const char *node_url, double *send_per_s, double *sync_per_s)
{
    xmtp_error error = {0};
    xmtp_conversation_id dm;
    xmtp_client *sender = open_client(node_url);
    xmtp_client *receiver = open_client(node_url);
    xmtp_status status = xmtp_client_dm(sender, xmtp_client_address(receiver), &dm, &error);
    if (status != XMTP_OK) {
        die("dm", &error, status);
    }
    send_text(sender, &dm, -1);
    sync_client(receiver,
                NULL); /* welcome and first message are behind us; what follows is messages only */
    double start = now_s();
    for (int i = 0; i < TEXTS; i++) {
        send_text(sender, &dm, i);
    }
    *send_per_s = TEXTS / (now_s() - start);
    start = now_s();
    sync_client(receiver, &dm);
    *sync_per_s = TEXTS / (now_s() - start);
    check_all_arrived(receiver);
    xmtp_client_close(sender);
    xmtp_client_close(receiver);
}

static void print_list(const char *name, const double *values)
{
    printf("\"%s\": [", name);
    for (int i = 0; i < ROUNDS; i++) {
        printf("%s%.1f", i == 0 ? "" : ", ", values[i]);
    }
    printf("]");
}

int main(int argc, char **argv)
{
    const char *node_url = argc == 3 && strcmp(argv[1], "--node") == 0 ? argv[2] : NULL;
    double send_per_s[ROUNDS];
    double sync_per_s[ROUNDS];
    if (argc != 1 && node_url == NULL) {
        fprintf(stderr, "usage: bench_first [--node URL]\n");
        return 2;
    }
    for (int i = 0; i < ROUNDS; i++) {
        run_round(node_url, &send_per_s[i], &sync_per_s[i]);
    }
    printf("{");
    print_list("send_per_s", send_per_s);
    printf(", ");
    print_list("sync_per_s", sync_per_s);
    printf("}\n");
    return 0;
}
