/* cmd_node.c - xmtp node: runs a node until SIGINT or SIGTERM. */
#include "cli/cli.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <xmtp/node.h>

static const char usage[] =
    "usage: xmtp node [--data DIR] [--listen ADDR:PORT]...\n"
    "\n"
    "Runs a node: stores what clients send and delivers it to those who ask. Clients reach it\n"
    "over gRPC without TLS, official ones with env \"local\".\n"
    "\n"
    "  --data DIR          where everything is stored (default ./xmtp-node)\n"
    "  --listen ADDR:PORT  where to listen, such as 0.0.0.0:5556 or [::1]:5556; may be given up "
    "to\n"
    "                      8 times; port 0 takes a free one (default 127.0.0.1:5556 and "
    "[::1]:5556)\n"
    "  --help              this text\n"
    "\n"
    "Prints one line when it is ready. SIGINT and SIGTERM end it in order; what was acknowledged "
    "is\n"
    "on the disk in any case.\n";

typedef struct arguments {
    xmtp_node_options options;
    size_t listen_count;
    bool is_help;
} arguments;

static bool add_address(arguments *a, const char *address)
{
    if (a->listen_count == XMTP_NODE_LISTEN_MAX) {
        (void)fprintf(stderr, "xmtp node: at most %d addresses\n", XMTP_NODE_LISTEN_MAX);
        return false;
    }
    a->options.listen[a->listen_count++] = address;
    return true;
}

static bool read_arguments(arguments *a, int argc, char **argv)
{
    static const struct option long_options[] = {{"data", required_argument, NULL, 'd'},
                                                 {"listen", required_argument, NULL, 'l'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {NULL, 0, NULL, 0}};
    bool is_valid = true;
    for (int c = 0; is_valid && (c = getopt_long(argc, argv, "h", long_options, NULL)) != -1;) {
        switch (c) {
        case 'd':
            a->options.data_dir = optarg;
            break;
        case 'l':
            is_valid = add_address(a, optarg);
            break;
        case 'h':
            a->is_help = true;
            break;
        default:
            is_valid = false;
        }
    }
    if (is_valid && optind < argc) {
        (void)fprintf(stderr, "xmtp node: unexpected argument %s\n", argv[optind]);
        is_valid = false;
    }
    return is_valid;
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
    if (a.listen_count == 0) {
        (void)add_address(&a, "127.0.0.1:5556");
        (void)add_address(&a, "[::1]:5556");
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
    int signal_number;
    (void)sigwait(&signals, &signal_number);
    xmtp_node_close(node);
    return CLI_OK;
}
