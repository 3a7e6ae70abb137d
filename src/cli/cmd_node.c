/* cmd_node.c - xmtp node: runs a node until SIGINT or SIGTERM. */
#include "cli/cli.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <xmtp/node.h>

static const char usage[] =
    "usage: xmtp node [option]...\n"
    "\n"
    "Runs a node: stores what clients send and delivers it to those who ask. Official clients\n"
    "reach it with env \"local\": native ones over gRPC, browsers over gRPC-web or the gateway.\n"
    "\n"
    "  --data DIR            where everything is stored (default ./xmtp-node)\n"
    "  --gateway ADDR:PORT   HTTP with protobuf or JSON bodies (default 127.0.0.1:5555, "
    "[::1]:5555)\n"
    "  --grpc ADDR:PORT      gRPC (default 127.0.0.1:5556, [::1]:5556)\n"
    "  --web ADDR:PORT       gRPC-web (default 127.0.0.1:5557, [::1]:5557)\n"
    "  --history ADDR:PORT   files of device sync (default 127.0.0.1:5558, [::1]:5558)\n"
    "                        each of these may be \"off\"; port 0 takes a free one\n"
    "  --listen ADDR:PORT    all of them on one port, and nothing by default; may be given "
    "several\n"
    "                        times, and name what it serves: grpc+web=0.0.0.0:443\n"
    "  --tls-cert FILE       PEM certificate chain: everything speaks TLS. Read again when it\n"
    "  --tls-key FILE        changes, and on SIGHUP\n"
    "  --tls-optional        clear text too, on the same ports\n"
    "  --proxy-header        connections come from a proxy that sends PROXY headers (1 or 2)\n"
    "  --help                this text\n"
    "\n"
    "Prints one line when it is ready. SIGINT and SIGTERM end it in order; what was acknowledged\n"
    "is on the disk in any case.\n";

enum { SERVICE_COUNT = 4, ADDRESS_LEN_MAX = 128 };

/* What has a port of its own unless told otherwise. */
static const struct {
    const char *name; /* the option, and the word of xmtp_node_options.listen */
    unsigned port;
} services[SERVICE_COUNT] = {{"gateway", 5555}, {"grpc", 5556}, {"web", 5557}, {"history", 5558}};

typedef struct arguments {
    xmtp_node_options options;
    const char *service[SERVICE_COUNT]; /* as given; NULL: not */
    const char *listen[XMTP_NODE_LISTEN_MAX];
    size_t listen_given;
    size_t listen_count;
    char addresses[XMTP_NODE_LISTEN_MAX][ADDRESS_LEN_MAX]; /* what options.listen points to */
    bool is_tls_optional;
    bool has_proxy_header;
    bool is_help;
} arguments;

/* words: "" or what the address serves. */
static bool add_address(arguments *a, const char *words, const char *address)
{
    if (a->listen_count == XMTP_NODE_LISTEN_MAX) {
        (void)fprintf(stderr, "xmtp node: at most %d addresses\n", XMTP_NODE_LISTEN_MAX);
        return false;
    }
    const char *equals = strchr(address, '=');
    int words_len = equals == NULL ? 0 : (int)(equals - address);
    char all[ADDRESS_LEN_MAX];
    (void)snprintf(all, sizeof all, "%s%s%s%.*s", a->has_proxy_header ? "proxy+" : "",
                   a->is_tls_optional ? "clear+" : "", words, words_len, address);
    size_t n = strlen(all);
    if (n > 0 && all[n - 1] == '+') {
        all[n - 1] = '\0';
    }
    char *out = a->addresses[a->listen_count];
    int written = snprintf(out, ADDRESS_LEN_MAX, "%s%s%s", all, n > 0 ? "=" : "",
                           equals == NULL ? address : equals + 1);
    if (written < 0 || written >= ADDRESS_LEN_MAX) {
        (void)fprintf(stderr, "xmtp node: %.40s... is too long for an address\n", address);
        return false;
    }
    a->options.listen[a->listen_count++] = out;
    return true;
}

static bool add_service(arguments *a, size_t i)
{
    char address[32];
    if (a->service[i] != NULL) {
        return strcmp(a->service[i], "off") == 0 || add_address(a, services[i].name, a->service[i]);
    }
    if (a->listen_given > 0) {
        return true;
    }
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", services[i].port);
    bool is_added = add_address(a, services[i].name, address);
    (void)snprintf(address, sizeof address, "[::1]:%u", services[i].port);
    return is_added && add_address(a, services[i].name, address);
}

static bool add_addresses(arguments *a)
{
    for (size_t i = 0; i < a->listen_given; i++) {
        if (!add_address(a, "", a->listen[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < SERVICE_COUNT; i++) {
        if (!add_service(a, i)) {
            return false;
        }
    }
    if (a->listen_count == 0) {
        (void)fprintf(stderr, "xmtp node: everything is off\n");
        return false;
    }
    return true;
}

static bool take_option(arguments *a, int c)
{
    switch (c) {
    case 0:
    case 1:
    case 2:
    case 3:
        a->service[c] = optarg;
        return true;
    case 'd':
        a->options.data_dir = optarg;
        return true;
    case 'l':
        if (a->listen_given < XMTP_NODE_LISTEN_MAX) {
            a->listen[a->listen_given++] = optarg;
            return true;
        }
        (void)fprintf(stderr, "xmtp node: at most %d addresses\n", XMTP_NODE_LISTEN_MAX);
        return false;
    case 'c':
        a->options.tls_certificate = optarg;
        return true;
    case 'k':
        a->options.tls_key = optarg;
        return true;
    case 'o':
        a->is_tls_optional = true;
        return true;
    case 'p':
        a->has_proxy_header = true;
        return true;
    case 'h':
        a->is_help = true;
        return true;
    default:
        return false;
    }
}

static bool read_arguments(arguments *a, int argc, char **argv)
{
    static const struct option long_options[] = {
        {"gateway", required_argument, NULL, 0},    {"grpc", required_argument, NULL, 1},
        {"web", required_argument, NULL, 2},        {"history", required_argument, NULL, 3},
        {"data", required_argument, NULL, 'd'},     {"listen", required_argument, NULL, 'l'},
        {"tls-cert", required_argument, NULL, 'c'}, {"tls-key", required_argument, NULL, 'k'},
        {"tls-optional", no_argument, NULL, 'o'},   {"proxy-header", no_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0}};
    bool is_valid = true;
    for (int c = 0; is_valid && (c = getopt_long(argc, argv, "h", long_options, NULL)) != -1;) {
        is_valid = take_option(a, c);
    }
    if (is_valid && optind < argc) {
        (void)fprintf(stderr, "xmtp node: unexpected argument %s\n", argv[optind]);
        is_valid = false;
    }
    return is_valid && (a->is_help || add_addresses(a));
}

static void print_notice(void *context, const char *line)
{
    (void)context;
    (void)fprintf(stderr, "xmtp node: %s\n", line);
}

/* The address with the port that it really got. */
static void print_ready(const xmtp_node *node, const arguments *a)
{
    (void)printf("xmtp node listening on ");
    const char *separator = "";
    for (size_t i = 0; i < a->listen_count; i++) {
        const char *address = a->options.listen[i];
        int host_len = (int)(strrchr(address, ':') - address);
        if (xmtp_node_port(node, i) != 0) {
            (void)printf("%s%.*s:%u", separator, host_len, address,
                         (unsigned)xmtp_node_port(node, i));
            separator = " and ";
        }
    }
    (void)printf(", data in %s\n", a->options.data_dir);
    (void)fflush(stdout);
}

/* Signals are taken in this thread only; the node's threads inherit the mask. */
static void block_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a limit on file size is a full disk */
}

/* Each connection is a file descriptor, and the usual limit of 1024 is for programs that use
 * select(2), which we do not. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* SIGHUP reads the certificate again. */
static void wait_for_end(xmtp_node *node, const sigset_t *signals)
{
    int signal_number = SIGHUP;
    while (sigwait(signals, &signal_number) == 0 && signal_number == SIGHUP) {
        xmtp_error error = {0};
        bool is_read = xmtp_node_reload(node, &error) == XMTP_OK;
        print_notice(NULL, is_read ? "read the certificate again" : error.text);
    }
}

int cmd_node(int argc, char **argv)
{
    arguments a = {.options = {.data_dir = "./xmtp-node", .notice = print_notice}};
    if (!read_arguments(&a, argc, argv)) {
        (void)fputs(usage, stderr);
        return CLI_USAGE;
    }
    if (a.is_help) {
        (void)fputs(usage, stdout);
        return CLI_OK;
    }
    sigset_t signals;
    xmtp_node *node;
    xmtp_error error = {0};
    block_signals(&signals);
    raise_file_limit();
    xmtp_status status = xmtp_node_open(&node, &a.options, &error);
    if (status != XMTP_OK) {
        cli_options options = {.command = "node"};
        int code = cli_fail(&options, &error, status);
        return status == XMTP_E_ARGUMENT ? CLI_USAGE : code;
    }
    print_ready(node, &a);
    wait_for_end(node, &signals);
    xmtp_node_close(node);
    return CLI_OK;
}
