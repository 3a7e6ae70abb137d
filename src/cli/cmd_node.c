/* cmd_node.c - xmtp node: runs a node until SIGINT or SIGTERM. */
#include "base/bytes.h"
#include "cli/cli.h"
#include "cli/node_data.h"
#include "cli/node_log.h"
#include "node/config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <xmtp/node.h>

static const char usage[] =
    "usage: xmtp node [--config FILE] [--SETTING VALUE]...\n"
    "       xmtp node check|stats|backup|restore ...      (--help tells more)\n"
    "\n"
    "Runs a node: stores what clients send and delivers it to those who ask. Official clients\n"
    "reach it with env \"local\": native ones over gRPC, browsers over gRPC-web or the gateway.\n"
    "Prints one line when it is ready. SIGINT and SIGTERM end it in order; what was acknowledged\n"
    "is on the disk in any case.\n"
    "\n"
    "Every setting can be given as --name VALUE, as XMTP_NODE_NAME=VALUE in the environment, or "
    "as\n"
    "a line \"name = VALUE\" of the file; the first found of these counts.\n"
    "\n"
    "  --config FILE                   settings, a line each; XMTP_NODE_CONFIG names one too\n"
    "  --print-config                  all settings and where they come from, as such a file\n"
    "  --help                          this text\n";

enum { SERVICE_COUNT = 6, ADDRESS_LEN_MAX = 128 };

/* What has a port of its own unless told otherwise; port 0: off. */
static const struct {
    const char *name; /* the setting, and the word of xmtp_node_options.listen */
    unsigned port;
} services[SERVICE_COUNT] = {{"gateway", 5555}, {"grpc", 5556}, {"web", 5557},
                             {"history", 5558}, {"admin", 0},   {"validation", 0}};

typedef struct arguments {
    xmtp_node_options options;
    xmtp_node_config config;
    size_t listen_count;
    char addresses[XMTP_NODE_LISTEN_MAX][ADDRESS_LEN_MAX]; /* what options.listen points to */
    bool is_help;
    bool is_print;
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
    (void)snprintf(all, sizeof all, "%s%s%s%.*s", a->config.proxy_header ? "proxy+" : "",
                   a->config.tls_optional ? "clear+" : "", words, words_len, address);
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
    const char *const given[SERVICE_COUNT] = {a->config.gateway, a->config.grpc,
                                              a->config.web,     a->config.history,
                                              a->config.admin,   a->config.validation};
    char address[32];
    if (given[i] != NULL) {
        return strcmp(given[i], "off") == 0 || add_address(a, services[i].name, given[i]);
    }
    if (a->config.listen.count > 0 || services[i].port == 0) {
        return true;
    }
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", services[i].port);
    bool is_added = add_address(a, services[i].name, address);
    (void)snprintf(address, sizeof address, "[::1]:%u", services[i].port);
    return is_added && add_address(a, services[i].name, address);
}

static bool add_addresses(arguments *a)
{
    for (size_t i = 0; i < a->config.listen.count; i++) {
        if (!add_address(a, "", a->config.listen.items[i])) {
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

/* What is no setting: --help, --print-config, --config FILE. *file: the last one's. */
static bool take_other(arguments *a, int argc, char **argv, int *at, const char **file)
{
    const char *argument = argv[*at];
    if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
        a->is_help = true;
    } else if (strcmp(argument, "--print-config") == 0) {
        a->is_print = true;
    } else if (strcmp(argument, "--config") == 0 && *at + 1 < argc) {
        *file = argv[++*at];
    } else if (strncmp(argument, "--config=", 9) == 0) {
        *file = argument + 9;
    } else {
        (void)fprintf(stderr, "xmtp node: unexpected argument %s; --help lists all\n", argument);
        return false;
    }
    return true;
}

/* Flags first, since they may name the file; what they set stays. */
static bool read_config(arguments *a, int argc, char **argv)
{
    xmtp_error error = {0};
    const char *file = getenv("XMTP_NODE_CONFIG");
    xmtp_status status = XMTP_OK;
    for (int at = 0; at < argc;) {
        int rest;
        status = xmtp_node_config_flags(&a->config, argc - at, argv + at, &rest, &error);
        at += rest;
        if (status != XMTP_OK) {
            break;
        }
        if (at < argc && !take_other(a, argc, argv, &at, &file)) {
            return false;
        }
    }
    if (status == XMTP_OK) {
        status = xmtp_node_config_environment(&a->config, getenv, &error);
    }
    if (status == XMTP_OK && file != NULL) {
        status = xmtp_node_config_file(&a->config, file, &error);
    }
    if (status != XMTP_OK) {
        (void)fprintf(stderr, "xmtp node: %s\n",
                      error.text[0] == '\0' ? xmtp_status_text(status) : error.text);
    }
    return status == XMTP_OK;
}

static xmtp_node_reflection reflection_of(const char *word)
{
    return strcmp(word, "on") == 0    ? XMTP_NODE_REFLECT_EVERYWHERE
           : strcmp(word, "off") == 0 ? XMTP_NODE_REFLECT_NOWHERE
                                      : XMTP_NODE_REFLECT_LOCALLY;
}

static bool read_arguments(arguments *a, int argc, char **argv)
{
    if (!read_config(a, argc, argv)) {
        return false;
    }
    a->options.data_dir = a->config.data;
    a->options.tls_certificate = a->config.tls_cert;
    a->options.tls_key = a->config.tls_key;
    a->options.no_bidi = a->config.no_bidi;
    a->options.reflection = reflection_of(a->config.reflection);
    for (size_t i = 0; i < a->config.chain_rpc.count; i++) {
        a->options.chain_rpc[i] = a->config.chain_rpc.items[i];
    }
    a->options.loops = (size_t)a->config.loops;
    a->options.limits = a->config.limits;
    a->options.rates = a->config.rates;
    for (size_t i = 0; i < a->config.trusted_proxies.count; i++) {
        a->options.rates.trusted_proxies[i] = a->config.trusted_proxies.items[i];
    }
    a->options.keep_welcomes_days = a->config.keep_welcomes_days;
    a->options.keep_messages_days = a->config.keep_messages_days;
    a->options.keep_key_packages_days = a->config.keep_key_packages_days;
    return a->is_help || a->is_print || add_addresses(a);
}

/* Prints what was written, and frees it. */
static int print_text(void (*write)(const arguments *a, xmtp_writer *out), const arguments *a)
{
    xmtp_writer text;
    xmtp_writer_init(&text, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    write(a, &text);
    int code = xmtp_writer_status(&text) == XMTP_OK ? CLI_OK : CLI_FAILED;
    (void)fwrite(text.p, 1, text.n, stdout);
    xmtp_writer_free(&text);
    return code;
}

static void write_help(const arguments *a, xmtp_writer *out)
{
    (void)a;
    xmtp_writer_put(out, xmtp_bytes_of_string(usage));
    xmtp_node_config_help(out);
}

static void write_config(const arguments *a, xmtp_writer *out)
{
    xmtp_node_config_print(&a->config, out);
}

static void log_notice(void *context, const char *line)
{
    const arguments *a = context;
    cli_node_log(a->config.log_format, a->config.log_level, CLI_NODE_WARNING, line);
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
static void wait_for_end(const arguments *a, xmtp_node *node, const sigset_t *signals)
{
    int signal_number = SIGHUP;
    while (sigwait(signals, &signal_number) == 0 && signal_number == SIGHUP) {
        xmtp_error error = {0};
        bool is_read = xmtp_node_reload(node, &error) == XMTP_OK;
        cli_node_log(a->config.log_format, a->config.log_level,
                     is_read ? CLI_NODE_INFO : CLI_NODE_ERROR,
                     is_read ? "read certificate and lists again" : error.text);
    }
}

static int run_node(arguments *a)
{
    sigset_t signals;
    xmtp_node *node;
    xmtp_error error = {0};
    block_signals(&signals);
    raise_file_limit();
    xmtp_status status = xmtp_node_open(&node, &a->options, &error);
    if (status != XMTP_OK) {
        cli_options options = {.command = "node"};
        int code = cli_fail(&options, &error, status);
        return status == XMTP_E_ARGUMENT ? CLI_USAGE : code;
    }
    print_ready(node, a);
    wait_for_end(a, node, &signals);
    cli_node_log(a->config.log_format, a->config.log_level, CLI_NODE_INFO, "stopping");
    xmtp_node_close(node);
    return CLI_OK;
}

int cmd_node(int argc, char **argv)
{
    if (argc > 1 && cli_is_node_data(argv[1])) {
        return cmd_node_data(argc - 1, argv + 1);
    }
    arguments a = {.options = {.notice = log_notice}};
    a.options.notice_context = &a;
    xmtp_node_config_init(&a.config, &xmtp_env_system()->alloc);
    int code = CLI_USAGE;
    if (read_arguments(&a, argc, argv)) {
        code = a.is_help    ? print_text(write_help, &a)
               : a.is_print ? print_text(write_config, &a)
                            : run_node(&a);
    }
    xmtp_node_config_free(&a.config);
    return code;
}
