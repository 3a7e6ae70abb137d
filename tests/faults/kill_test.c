/* kill_test.c - node and agent are killed (SIGKILL) in turn at random moments while messages flow.
 *
 *     this process               xmtp node (killed)          xmtp agent --echo (killed)
 *     sends "0", "1", "2" ... -> log, fsync, answer -------> handler: the same text back
 *     counts what comes back <---------------------------------+
 *
 * At the end the sender's conversation must hold every text it sent once, and every echo once, in the order of
 * sending, and both must still understand each other (no fork). XMTP_KILLS and XMTP_MESSAGES set the size (200 and
 * 2000), XMTP_SEED the seed.
 */
#include "base/bytes.h"
#include "crypto/crypto.h"
#include "node/test_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// cmocka wants the headers above first
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <xmtp/client.h>

extern char **environ;

enum { PATH_LEN = 512, WAIT_S = 120 };

typedef struct world {
    char folder[PATH_LEN];
    char node_url[64];
    char listen[64];
    char node_data[PATH_LEN + 16];
    char agent_data[PATH_LEN + 16];
    char key_file[PATH_LEN + 16];
    char log_file[PATH_LEN + 16];
    pid_t node;
    pid_t agent;
    uint64_t random;
    int messages;
    int kills;
} world;

/* ---- processes */

static uint64_t next_random(world *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random;
}

static pid_t start(const world *w, char *const arguments[])
{
    pid_t child;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, w->log_file,
                                     O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    assert_int_equal(posix_spawn(&child, XMTP_PROGRAM, &actions, NULL, arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return child;
}

static char *text_argument(const char *text)
{
    return (char *)(uintptr_t)text;
}

static void start_node(world *w)
{
    char *arguments[] = {text_argument("xmtp"),
                         text_argument("node"),
                         text_argument("--data"),
                         w->node_data,
                         text_argument("--listen"),
                         w->listen,
                         NULL};
    w->node = start(w, arguments);
}

static void start_agent(world *w)
{
    char *arguments[] = {text_argument("xmtp"),
                         text_argument("agent"),
                         text_argument("--echo"),
                         text_argument("--node"),
                         w->node_url,
                         text_argument("--key-file"),
                         w->key_file,
                         text_argument("--data"),
                         w->agent_data,
                         text_argument("--json"),
                         NULL};
    w->agent = start(w, arguments);
}

static void end(pid_t *child, int signal_number)
{
    int status;
    if (*child != 0) {
        (void)kill(*child, signal_number);
        (void)waitpid(*child, &status, 0);
        *child = 0;
    }
}

/* Restarts what has ended by itself too: an agent that starts while the node is down gives up. */
static bool has_ended(pid_t child)
{
    int status;
    return child != 0 && waitpid(child, &status, WNOHANG) == child;
}

static void keep_running(world *w)
{
    if (has_ended(w->node)) {
        start_node(w);
    }
    if (has_ended(w->agent)) {
        start_agent(w);
    }
}

static void wait_us(long us)
{
    const struct timespec time = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    (void)nanosleep(&time, NULL);
}

static void wait_ms(long ms)
{
    wait_us(ms * 1000);
}

/* A port that is free now. */
static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static int environment_number(const char *name, int otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : atoi(text);
}

static void set_up(world *w)
{
    int port = free_port();
    const char *base = getenv("TMPDIR");
    *w = (world){.messages = environment_number("XMTP_MESSAGES", 2000),
                 .kills = environment_number("XMTP_KILLS", 200),
                 .random = (uint64_t)environment_number("XMTP_SEED", 20261122) * 2654435761U + 1};
    (void)snprintf(w->folder, sizeof w->folder, "%s/xmtp-kill-XXXXXX",
                   base == NULL ? "/tmp" : base);
    assert_non_null(mkdtemp(w->folder));
    (void)snprintf(w->node_url, sizeof w->node_url, "http://127.0.0.1:%d", port);
    (void)snprintf(w->listen, sizeof w->listen, "127.0.0.1:%d", port);
    (void)snprintf(w->node_data, sizeof w->node_data, "%s/node", w->folder);
    (void)snprintf(w->agent_data, sizeof w->agent_data, "%s/agent", w->folder);
    (void)snprintf(w->key_file, sizeof w->key_file, "%s/key", w->folder);
    (void)snprintf(w->log_file, sizeof w->log_file, "%s/log", w->folder);
    FILE *key = fopen(w->key_file, "w");
    assert_non_null(key);
    for (int i = 0; i < 32; i++) {
        fprintf(key, "%02x", 1 + (int)(next_random(w) % 250));
    }
    assert_int_equal(fclose(key), 0);
    unsetenv("WALLET_PRIVATE_KEY");
}

static void tear_down(world *w)
{
    end(&w->agent, SIGTERM);
    end(&w->node, SIGTERM);
    test_folder_remove(w->folder);
}

/* ---- the sender */

typedef struct count {
    int *sent; /* by number */
    int *echoed;
    int messages;
    int last_echo;
    int out_of_order;
    int others;
} count;

static xmtp_status count_message(void *context, const xmtp_message *message)
{
    count *c = context;
    char *rest;
    if (message->kind != XMTP_MESSAGE_APPLICATION || message->text == NULL) {
        return XMTP_OK;
    }
    long number = strtol(message->text, &rest, 10);
    if (*rest != '\0' || number < 0 || number >= c->messages) {
        c->others++;
    } else if (message->is_own) {
        c->sent[number]++;
    } else {
        c->echoed[number]++;
        c->out_of_order += number < c->last_echo;
        c->last_echo = (int)number;
    }
    return XMTP_OK;
}

static count count_all(xmtp_client *client, const xmtp_conversation_id *dm, int messages)
{
    xmtp_error error = {0};
    const xmtp_message_query query = {.conversation = dm};
    count c = {.messages = messages, .last_echo = -1};
    c.sent = calloc((size_t)messages, sizeof *c.sent);
    c.echoed = calloc((size_t)messages, sizeof *c.echoed);
    assert_int_equal(xmtp_client_messages(client, &query, count_message, &c, &error), XMTP_OK);
    return c;
}

static int total(const int *numbers, int n)
{
    int sum = 0;
    for (int i = 0; i < n; i++) {
        sum += numbers[i];
    }
    return sum;
}

static void free_count(count *c)
{
    free(c->sent);
    free(c->echoed);
}

/* Tries until the world is well enough for it. */
static xmtp_client *open_sender(world *w, xmtp_conversation_id *dm, const char *agent_address)
{
    xmtp_error error = {0};
    xmtp_client *client = NULL;
    const xmtp_client_options options = {.node_url = w->node_url};
    for (int i = 0; i < WAIT_S * 10 && client == NULL; i++, wait_ms(100)) {
        keep_running(w);
        (void)!xmtp_client_open(&client, &options, &error);
    }
    assert_non_null(client);
    xmtp_status status = XMTP_E_RETRY;
    for (int i = 0; i < WAIT_S * 10 && status != XMTP_OK; i++) {
        keep_running(w);
        status = xmtp_client_dm(client, agent_address, dm, &error);
        if (status != XMTP_OK) {
            wait_ms(100);
        }
    }
    if (status != XMTP_OK) {
        fail_msg("no conversation with the agent: %s", error.text);
    }
    return client;
}

static void agent_address(const world *w, char out[XMTP_ADDRESS_LEN + 1])
{
    char hex[65] = {0};
    uint8_t key[32];
    FILE *file = fopen(w->key_file, "r");
    assert_non_null(file);
    assert_true(fread(hex, 1, 64, file) == 64);
    (void)fclose(file);
    assert_int_equal(xmtp_hex_decode(key, sizeof key, hex, 64), XMTP_OK);
    assert_int_equal(xmtp_secp256k1_address(key, out), XMTP_OK);
}

static void send_one(xmtp_client *client, const xmtp_conversation_id *dm, int number)
{
    xmtp_error error = {0};
    char text[16];
    (void)snprintf(text, sizeof text, "%d", number);
    xmtp_status status = xmtp_client_send_text(client, dm, text, NULL, &error);
    /* A node that is away is no error of the sender: the message is kept and goes out with a later
     * sync. */
    if (status != XMTP_OK && status != XMTP_E_NETWORK && status != XMTP_E_TIMEOUT &&
        status != XMTP_E_RPC_UNAVAILABLE && status != XMTP_E_RETRY) {
        fail_msg("message %d: %s (%s)", number, error.text, xmtp_status_name(status));
    }
}

static void kill_one(world *w, int kill_number)
{
    pid_t *victim = kill_number % 2 == 0 ? &w->node : &w->agent;
    end(victim, SIGKILL);
    if (kill_number % 2 == 0) {
        start_node(w);
    } else {
        start_agent(w);
    }
}

/* Sends all messages; the kills are spread over them, each after a random pause of up to 3 ms. */
static void send_and_kill(world *w, xmtp_client *client, const xmtp_conversation_id *dm)
{
    int kills = 0;
    for (int i = 0; i < w->messages; i++) {
        send_one(client, dm, i);
        if (kills < w->kills && (int)(next_random(w) % (uint64_t)w->messages) < w->kills) {
            wait_us((long)(next_random(w) %
                           3000)); /* about as long as a message takes there and back */
            kill_one(w, kills++);
        }
        keep_running(w);
    }
    for (; kills < w->kills; kills++) {
        wait_ms((long)(next_random(w) % 200));
        kill_one(w, kills);
    }
}

static void wait_for_echoes(world *w, xmtp_client *client, const xmtp_conversation_id *dm)
{
    for (int i = 0; i < WAIT_S * 4; i++) {
        xmtp_error error = {0};
        keep_running(w);
        (void)!xmtp_client_sync(client, &error);
        count c = count_all(client, dm, w->messages);
        bool is_complete = total(c.sent, w->messages) >= w->messages &&
                           total(c.echoed, w->messages) >= w->messages;
        free_count(&c);
        if (is_complete) {
            return;
        }
        wait_ms(250);
    }
}

static void nothing_is_lost_or_doubled_when_node_and_agent_are_killed(void **state)
{
    (void)state;
    world w;
    char address[XMTP_ADDRESS_LEN + 1];
    xmtp_conversation_id dm;
    set_up(&w);
    start_node(&w);
    agent_address(&w, address);
    start_agent(&w);
    xmtp_client *client = open_sender(&w, &dm, address);
    send_and_kill(&w, client, &dm);
    wait_for_echoes(&w, client, &dm);
    wait_ms(500); /* an echo too many would come now */
    xmtp_error error = {0};
    assert_int_equal(xmtp_client_sync(client, &error), XMTP_OK);
    count c = count_all(client, &dm, w.messages);
    for (int i = 0; i < w.messages; i++) {
        if (c.sent[i] != 1 || c.echoed[i] != 1) {
            fail_msg("message %d: sent %d times, echoed %d times; processes' log in %s", i,
                     c.sent[i], c.echoed[i], w.log_file);
        }
    }
    print_message("%d kills, %d messages, %d echoes, %d out of order, %d others\n", w.kills,
                  w.messages, total(c.echoed, w.messages), c.out_of_order, c.others);
    assert_int_equal(c.out_of_order, 0);
    assert_int_equal(c.others, 0);
    free_count(&c);
    xmtp_client_close(client);
    tear_down(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_or_doubled_when_node_and_agent_are_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
