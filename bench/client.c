/* client.c - our side of `./dev bench client`: does what client-table.mjs asks for, a line each.
 *
 *     bench_client --node URL --folder FOLDER
 *     > pair
 *     < {"ms":10.4}
 *     > send 500
 *     < {"ms":151.2}
 *
 * Every client has a database file in FOLDER and a random wallet. official-client.mjs knows the same
 * lines, but for those that only prepare (people, dm, fill, invite): we do that for both sides.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xmtp/client.h>
#include <xmtp/host.h>

enum {
    PATH_LEN = 512,
    KEY_LEN = 65,
    MEMBERS_MAX = 256,
    TEXT_LEN = 32,
    CREATED_MAX = 100,
    FILES_OF_A_CLIENT = 16
};

static const char *node_url;
static const char *folder;
static unsigned files; /* made so far */
static xmtp_error error;

/* The sending client, the receiving one, and their DM. */
static xmtp_client *a;
static xmtp_client *b;
static xmtp_conversation_id dm;

static void must(const char *what, xmtp_status status)
{
    if (status != XMTP_OK) {
        fprintf(stderr, "bench_client: %s: %s (%s)\n", what, error.text, xmtp_status_name(status));
        exit(1);
    }
}

static double now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void tell_ms(double start)
{
    printf("{\"ms\":%.4f}\n", now_ms() - start);
}

static xmtp_client *open_client(void)
{
    char path[PATH_LEN];
    char key[KEY_LEN];
    uint8_t bytes[(KEY_LEN - 1) / 2];
    xmtp_client *client;
    const xmtp_env *env = xmtp_env_system();
    must("random", env->random(env->context, bytes, sizeof(bytes)));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        (void)snprintf(key + 2 * i, 3, "%02x", bytes[i]);
    }
    (void)snprintf(path, sizeof(path), "%s/ours-%d-%u.db", folder, (int)getpid(), files++);
    const xmtp_client_options options = {
        .encryption_key = key, .node_url = node_url, .database_path = path};
    must("open", xmtp_client_open(&client, &options, &error));
    return client;
}

static void send_number(xmtp_client *client, const xmtp_conversation_id *to, size_t number)
{
    char text[TEXT_LEN];
    (void)snprintf(text, sizeof(text), "message %zu", number);
    must("send", xmtp_client_send_text(client, to, text, NULL, &error));
}

/* ---- what is measured */

static void create(size_t count)
{
    xmtp_client *clients[CREATED_MAX];
    count = count < CREATED_MAX ? count : CREATED_MAX;
    double start = now_ms();
    for (size_t i = 0; i < count; i++) {
        clients[i] = open_client();
    }
    tell_ms(start);
    for (size_t i = 0; i < count; i++) {
        xmtp_client_close(clients[i]);
    }
}

static void pair(void)
{
    double start = now_ms();
    xmtp_client_close(a);
    xmtp_client_close(b);
    a = open_client();
    b = open_client();
    must("dm", xmtp_client_dm(a, xmtp_client_inbox_id(b), &dm, &error));
    send_number(a, &dm, 0);
    must("sync", xmtp_client_sync(b, &error));
    tell_ms(start);
}

static void send_one_by_one(size_t count)
{
    double start = now_ms();
    for (size_t i = 0; i < count; i++) {
        send_number(a, &dm, i);
    }
    tell_ms(start);
}

/* All are stored, then all go out together. */
static void publish_together(xmtp_client *client, const xmtp_conversation_id *to, size_t count)
{
    const xmtp_env *env = xmtp_env_system();
    const xmtp_send_options options = {.should_push = true, .is_optimistic = true};
    for (size_t i = 0; i < count; i++) {
        char text[TEXT_LEN];
        uint8_t *encoded;
        size_t n;
        (void)snprintf(text, sizeof(text), "message %zu", i);
        const xmtp_content content = {.type = XMTP_CONTENT_TEXT, .text = text};
        must("encode", xmtp_content_encode(&content, env, &encoded, &n, &error));
        must("queue",
             xmtp_client_send_with(client, to, (xmtp_bytes){encoded, n}, &options, NULL, &error));
        xmtp_content_bytes_free(env, encoded, n);
    }
    must("publish", xmtp_client_publish_messages(client, to, &error));
}

static void send_together(size_t count)
{
    double start = now_ms();
    publish_together(a, &dm, count);
    tell_ms(start);
}

/* members: inbox ids with commas between */
static void create_group(char *members)
{
    const char *ids[MEMBERS_MAX];
    size_t count = 0;
    xmtp_conversation_id group;
    char *rest = NULL;
    for (char *id = strtok_r(members, ",", &rest); id != NULL && count < MEMBERS_MAX;
         id = strtok_r(NULL, ",", &rest)) {
        ids[count++] = id;
    }
    double start = now_ms();
    must("group", xmtp_client_group_create(a, "group", ids, count, &group, &error));
    tell_ms(start);
}

/* ---- latency: the receiver has a thread of its own and takes each message from its queue */

typedef struct listener {
    size_t expected;
    double arrived_ms;
    sem_t arrived;
} listener;

/* Takes what is there; how many it was. */
static size_t take_all(listener *l, xmtp_error *why)
{
    size_t taken = 0;
    xmtp_queue_entry entry;
    uint64_t next_ns;
    while (xmtp_client_queue_next(b, &entry, &next_ns, why) == XMTP_OK) {
        l->arrived_ms = now_ms();
        taken++;
        must("acknowledge", xmtp_client_queue_acknowledge(b, entry.message.id, NULL, 0, why));
        (void)sem_post(&l->arrived);
    }
    return taken;
}

static void *listen_to_all(void *context)
{
    listener *l = context;
    xmtp_error why = {0};
    for (size_t taken = 0; taken < l->expected;) {
        xmtp_status status = xmtp_client_poll(b, UINT64_C(60000000000), &why);
        if (status != XMTP_OK) {
            fprintf(stderr, "bench_client: poll: %s\n", why.text);
            exit(1);
        }
        taken += take_all(l, &why);
    }
    return NULL;
}

static int by_size(const void *x, const void *y)
{
    double difference = *(const double *)x - *(const double *)y;
    return (difference > 0) - (difference < 0);
}

/* From the call that sends to the arrival at the handler; the median of count messages. */
static void latency(size_t count)
{
    pthread_t thread;
    listener l = {.expected = count + 1};
    double *each = calloc(count, sizeof(*each));
    if (each == NULL) {
        must("memory", XMTP_E_NOMEM);
    }
    must("sync", xmtp_client_sync(b, &error)); /* what was sent before is not waited for */
    must("enable", xmtp_client_queue_enable(b, &error));
    (void)sem_init(&l.arrived, 0, 0);
    (void)pthread_create(&thread, NULL, listen_to_all, &l);
    send_number(a, &dm, 0); /* the streams are open when this one has arrived */
    (void)sem_wait(&l.arrived);
    for (size_t i = 0; i < count; i++) {
        double start = now_ms();
        send_number(a, &dm, i);
        (void)sem_wait(&l.arrived);
        each[i] = l.arrived_ms - start;
    }
    (void)pthread_join(thread, NULL);
    (void)sem_destroy(&l.arrived);
    qsort(each, count, sizeof(*each), by_size);
    printf("{\"ms\":%.4f,\"p99\":%.4f}\n", each[count / 2], each[count * 99 / 100]);
    free(each);
}

/* ---- a receiver: somebody else writes, we sync */

static void receiver(void)
{
    xmtp_client_close(b);
    b = open_client();
    printf("{\"inbox\":\"%s\"}\n", xmtp_client_inbox_id(b));
}

static xmtp_status count_conversation(void *context, const xmtp_conversation *conversation)
{
    dm = conversation->id;
    ++*(size_t *)context;
    return XMTP_OK;
}

static xmtp_status count_text(void *context, const xmtp_message *message)
{
    *(size_t *)context += message->text != NULL;
    return XMTP_OK;
}

static void sync_receiver(bool is_one)
{
    size_t conversations = 0;
    size_t texts = 0;
    double start = now_ms();
    must("sync",
         is_one ? xmtp_client_sync_conversation(b, &dm, &error) : xmtp_client_sync(b, &error));
    double ms = now_ms() - start;
    const xmtp_message_query all = {0};
    must("list", xmtp_client_conversations(b, count_conversation, &conversations, &error));
    must("read", xmtp_client_messages(b, &all, count_text, &texts, &error));
    printf("{\"ms\":%.4f,\"conversations\":%zu,\"texts\":%zu}\n", ms, conversations, texts);
}

/* ---- memory */

static unsigned long resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*u %lu", &pages) != 1) {
        fprintf(stderr, "bench_client: /proc/self/statm cannot be read\n");
        exit(1);
    }
    (void)fclose(file);
    return pages * (unsigned long)sysconf(_SC_PAGESIZE);
}

static void tell_memory(void)
{
    printf("{\"bytes\":%lu}\n", resident_bytes());
}

/* Opens clients with a connection and streams of their own, and keeps them. */
static void idle(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        xmtp_client *client = open_client();
        xmtp_status status = xmtp_client_poll(client, 0, &error);
        if (status != XMTP_E_TIMEOUT) {
            must("poll", status);
        }
    }
    tell_memory();
}

/* Opens clients of one host, which follows them all, and lets them rest. */
static void idle_in_host(size_t count)
{
    static xmtp_host *host;
    const xmtp_client_options random_key = {0};
    xmtp_client *client;
    if (host == NULL) {
        const xmtp_host_options options = {.node_url = node_url, .open_max = 16};
        must("host", xmtp_host_open(&host, &options, &error));
    }
    for (size_t i = 0; i < count; i++) {
        must("open", xmtp_host_client_open(host, &client, &random_key, &error));
    }
    xmtp_status status = XMTP_OK;
    while (status == XMTP_OK) {
        status = xmtp_host_poll(host, 0, &client, &error);
    }
    if (status != XMTP_E_TIMEOUT) {
        must("poll", status);
    }
    xmtp_host_park_all(host);
    tell_memory();
}

/* ---- what only prepares */

static void people(size_t count)
{
    printf("{\"inboxes\":[");
    for (size_t i = 0; i < count; i++) {
        xmtp_client *client = open_client();
        printf("%s\"%s\"", i == 0 ? "" : ",", xmtp_client_inbox_id(client));
        xmtp_client_close(client);
    }
    printf("]}\n");
}

static void dm_to(const char *inbox)
{
    double start = now_ms();
    if (a == NULL) {
        a = open_client();
    }
    must("dm", xmtp_client_dm(a, inbox, &dm, &error));
    send_number(a, &dm, 0);
    tell_ms(start);
}

/* Groups with one text each. */
static void invite(const char *inbox, size_t count)
{
    double start = now_ms();
    for (size_t i = 0; i < count; i++) {
        xmtp_conversation_id group;
        must("group", xmtp_client_group_create(a, "invited", &inbox, 1, &group, &error));
        send_number(a, &group, i);
    }
    tell_ms(start);
}

/* ---- the lines */

static void obey(const char *verb, char *first, const char *second)
{
    size_t count = (size_t)strtoul(second != NULL ? second : first, NULL, 10);
    if (strcmp(verb, "create") == 0) {
        create(count);
    } else if (strcmp(verb, "pair") == 0) {
        pair();
    } else if (strcmp(verb, "send") == 0) {
        send_one_by_one(count);
    } else if (strcmp(verb, "pipeline") == 0) {
        send_together(count);
    } else if (strcmp(verb, "latency") == 0) {
        latency(count);
    } else if (strcmp(verb, "group") == 0) {
        create_group(first);
    } else if (strcmp(verb, "receiver") == 0) {
        receiver();
    } else if (strcmp(verb, "sync") == 0) {
        sync_receiver(strcmp(first, "one") == 0);
    } else if (strcmp(verb, "idle") == 0) {
        idle(count);
    } else if (strcmp(verb, "host") == 0) {
        idle_in_host(count);
    } else if (strcmp(verb, "people") == 0) {
        people(count);
    } else if (strcmp(verb, "dm") == 0) {
        dm_to(first);
    } else if (strcmp(verb, "invite") == 0) {
        invite(first, count);
    } else {
        fprintf(stderr, "bench_client: what is '%s'?\n", verb);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    char *line = NULL;
    size_t capacity = 0;
    if (argc != 5 || strcmp(argv[1], "--node") != 0 || strcmp(argv[3], "--folder") != 0) {
        fprintf(stderr, "usage: bench_client --node URL --folder FOLDER < LINES\n");
        return 2;
    }
    node_url = argv[2];
    folder = argv[4];
    while (getline(&line, &capacity, stdin) > 0) {
        char *rest = NULL;
        char *verb = strtok_r(line, " \n", &rest);
        char *first = strtok_r(NULL, " \n", &rest);
        if (verb != NULL) {
            obey(verb, first != NULL ? first : (char[]){""}, strtok_r(NULL, " \n", &rest));
            (void)fflush(stdout);
        }
    }
    free(line);
    xmtp_client_close(a);
    xmtp_client_close(b);
    return 0;
}
