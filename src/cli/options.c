/* options.c - what all client commands take from the command line and the environment. */
#include "base/bytes.h"
#include "base/status.h"
#include "cli/cli.h"
#include "fetch/fetch.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { KEY_FILE_MAX = 2048, EXEC_TIMEOUT_S = 60 };

typedef enum option_kind {
    IS_TEXT,
    IS_FLAG,
    IS_NUMBER,
    IS_LIST,
    IS_SECONDS,
    IS_KEY_FILE,
    IS_LINE_FILE,
    IS_HELP
} option_kind;

/* Every option, and where in cli_options it goes. */
static const struct option_row {
    const char *name;
    option_kind kind;
    size_t offset;
} rows[] = {
    {"node", IS_TEXT, offsetof(cli_options, node_url)},
    {"ca", IS_TEXT, offsetof(cli_options, node_authorities)},
    {"key-file", IS_KEY_FILE, offsetof(cli_options, key)},
    {"data", IS_TEXT, offsetof(cli_options, data_dir)},
    {"json", IS_FLAG, offsetof(cli_options, json)},
    {"follow", IS_FLAG, offsetof(cli_options, follow)},
    {"echo", IS_FLAG, offsetof(cli_options, echo)},
    {"exec", IS_TEXT, offsetof(cli_options, exec)},
    {"name", IS_TEXT, offsetof(cli_options, name)},
    {"description", IS_TEXT, offsetof(cli_options, description)},
    {"image-url", IS_TEXT, offsetof(cli_options, image_url)},
    {"app-data", IS_TEXT, offsetof(cli_options, app_data)},
    {"permissions", IS_TEXT, offsetof(cli_options, permissions)},
    {"timeout", IS_SECONDS, offsetof(cli_options, timeout_s)},
    {"type", IS_TEXT, offsetof(cli_options, type)},
    {"to", IS_TEXT, offsetof(cli_options, to)},
    {"mime", IS_TEXT, offsetof(cli_options, mime)},
    {"upload", IS_TEXT, offsetof(cli_options, upload)},
    {"account-key-file", IS_KEY_FILE, offsetof(cli_options, account_key)},
    {"archive-key", IS_TEXT, offsetof(cli_options, archive_key)},
    {"move-key", IS_TEXT, offsetof(cli_options, move_key)},
    {"passphrase-file", IS_LINE_FILE, offsetof(cli_options, passphrase)},
    {"elements", IS_TEXT, offsetof(cli_options, elements)},
    {"since", IS_TEXT, offsetof(cli_options, since)},
    {"until", IS_TEXT, offsetof(cli_options, until)},
    {"exclude-disappearing", IS_FLAG, offsetof(cli_options, exclude_disappearing)},
    {"force", IS_FLAG, offsetof(cli_options, force)},
    {"limit", IS_NUMBER, offsetof(cli_options, filters.limit)},
    {"after", IS_NUMBER, offsetof(cli_options, filters.after_ns)},
    {"before", IS_NUMBER, offsetof(cli_options, filters.before_ns)},
    {"arrived-after", IS_NUMBER, offsetof(cli_options, filters.arrived_after_ns)},
    {"arrived-before", IS_NUMBER, offsetof(cli_options, filters.arrived_before_ns)},
    {"newest-first", IS_FLAG, offsetof(cli_options, filters.newest_first)},
    {"by-arrival", IS_FLAG, offsetof(cli_options, filters.by_arrival)},
    {"by-creation", IS_FLAG, offsetof(cli_options, filters.by_creation)},
    {"enriched", IS_FLAG, offsetof(cli_options, filters.enriched)},
    {"kind", IS_TEXT, offsetof(cli_options, filters.kind)},
    {"delivery", IS_TEXT, offsetof(cli_options, filters.delivery)},
    {"content-type", IS_LIST, offsetof(cli_options, filters.content_types)},
    {"without-content-type", IS_LIST, offsetof(cli_options, filters.content_types_left_out)},
    {"sender", IS_LIST, offsetof(cli_options, filters.senders)},
    {"without-sender", IS_LIST, offsetof(cli_options, filters.senders_left_out)},
    {"consent", IS_LIST, offsetof(cli_options, filters.consents)},
    {"device-sync", IS_FLAG, offsetof(cli_options, device_sync.is_on)},
    {"history", IS_TEXT, offsetof(cli_options, device_sync.history_url)},
    {"help", IS_HELP, 0},
};
enum { ROW_COUNT = sizeof rows / sizeof rows[0], OPTION_FIRST = 256 };

int cli_usage(const cli_options *options, const char *what)
{
    fprintf(stderr, "xmtp %s: %s\n\n%s", options->command, what, options->help);
    return CLI_USAGE;
}

int cli_fail(const cli_options *options, const xmtp_error *error, xmtp_status status)
{
    const char *text =
        error != NULL && error->text[0] != '\0' ? error->text : xmtp_status_text(status);
    fprintf(stderr, "xmtp %s: %s\n", options->command, text);
    return CLI_FAILED;
}

/* The first word of the file, or its first line as it is. Its content never appears in a message. */
static int read_key_file(const cli_options *options, const char *path, bool is_line, char **out)
{
    char text[KEY_FILE_MAX] = {0};
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fprintf(stderr, "xmtp %s: key file %s: %s\n", options->command, path, strerror(errno));
        return CLI_FAILED;
    }
    size_t n = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[n] = '\0';
    char *start = is_line ? text : text + strspn(text, " \t\r\n");
    start[strcspn(start, is_line ? "\r\n" : " \t\r\n")] = '\0';
    free(*out);
    *out = strdup(start);
    xmtp_wipe(text, sizeof text);
    return *out == NULL ? CLI_FAILED : -1;
}

static bool is_number(const char *text, uint64_t max, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' && text[0] >= '0' && text[0] <= '9' && *out <= max;
}

static int take_seconds(const cli_options *options, const char *text, long *out)
{
    uint64_t seconds;
    if (!is_number(text, 86400, &seconds) || seconds < 1) {
        return cli_usage(options, "--timeout takes a number of seconds from 1 to 86400");
    }
    *out = (long)seconds;
    return -1;
}

static int take_number(const cli_options *options, const char *name, const char *text,
                       uint64_t *out)
{
    char what[80];
    if (is_number(text, INT64_MAX, out) && *out > 0) {
        return -1;
    }
    (void)snprintf(what, sizeof what, "--%s takes a whole number above 0", name);
    return cli_usage(options, what);
}

static int take_item(const cli_options *options, const char *name, const char *text, cli_list *list)
{
    char what[80];
    if (list->count < CLI_LIST_MAX) {
        list->items[list->count++] = text;
        return -1;
    }
    (void)snprintf(what, sizeof what, "--%s is taken %d times at most", name, CLI_LIST_MAX);
    return cli_usage(options, what);
}

static int take_option(cli_options *options, const struct option_row *row)
{
    void *where = (char *)options + row->offset;
    switch (row->kind) {
    case IS_TEXT:
        *(const char **)where = optarg;
        return -1;
    case IS_FLAG:
        *(bool *)where = true;
        return -1;
    case IS_NUMBER:
        return take_number(options, row->name, optarg, where);
    case IS_LIST:
        return take_item(options, row->name, optarg, where);
    case IS_SECONDS:
        return take_seconds(options, optarg, where);
    case IS_KEY_FILE:
        return read_key_file(options, optarg, false, where);
    case IS_LINE_FILE:
        return read_key_file(options, optarg, true, where);
    case IS_HELP:
        break;
    }
    printf("%s", options->help);
    return CLI_OK;
}

static void fill_long_options(struct option out[ROW_COUNT + 1])
{
    for (int i = 0; i < ROW_COUNT; i++) {
        bool takes_none = rows[i].kind == IS_FLAG || rows[i].kind == IS_HELP;
        out[i] = (struct option){rows[i].name, takes_none ? no_argument : required_argument, NULL,
                                 OPTION_FIRST + i};
    }
    out[ROW_COUNT] = (struct option){0};
}

/* What device sync fetches archives with. */
static int open_http(cli_options *options)
{
    const xmtp_fetch_options fetch = {.env = xmtp_env_system()};
    options->device_sync.is_on |= options->device_sync.history_url != NULL;
    if (!options->device_sync.is_on) {
        return -1;
    }
    if (xmtp_fetch_open(&options->http, &fetch) != XMTP_OK) {
        int end = cli_fail(options, NULL, XMTP_E_NOMEM);
        cli_options_free(options);
        return end;
    }
    options->device_sync.http = &options->http;
    return -1;
}

int cli_parse(cli_options *options, int argc, char **argv, const char *help)
{
    *options = (cli_options){.command = argv[0], .help = help, .timeout_s = EXEC_TIMEOUT_S};
    struct option long_options[ROW_COUNT + 1];
    fill_long_options(long_options);
    optind = 1;
    for (;;) {
        int option = getopt_long(argc, argv, "", long_options, NULL);
        if (option == -1) {
            break;
        }
        int end = CLI_USAGE;
        if (option >= OPTION_FIRST) {
            end = take_option(options, &rows[option - OPTION_FIRST]);
        } else {
            fprintf(stderr, "\n%s", help); /* getopt has said what is wrong */
        }
        if (end != -1) {
            cli_options_free(options);
            return end;
        }
    }
    const char *key = getenv("WALLET_PRIVATE_KEY");
    if (options->key == NULL && key != NULL) {
        options->key = strdup(key);
    }
    options->rest = argv + optind;
    options->rest_count = argc - optind;
    return open_http(options);
}

static void free_key(char **key)
{
    if (*key != NULL) {
        xmtp_wipe(*key, strlen(*key));
        free(*key);
        *key = NULL;
    }
}

void cli_options_free(cli_options *options)
{
    free_key(&options->key);
    free_key(&options->account_key);
    free_key(&options->passphrase);
    if (options->device_sync.http != NULL) {
        options->http.close(options->http.context);
        options->device_sync.http = NULL;
    }
}

xmtp_client_options cli_client_options(const cli_options *options, char *path_buffer,
                                       size_t path_buffer_len)
{
    xmtp_client_options client = {
        .encryption_key = options->key,
        .node_url = options->node_url,
        .node_authorities = options->node_authorities,
        .app_version = "xmtp-cli/" XMTP_VERSION,
        .device_sync = &options->device_sync,
    };
    if (options->data_dir != NULL && options->key != NULL) {
        (void)mkdir(options->data_dir, 0700); /* opening the file tells when this did not work */
        (void)snprintf(path_buffer, path_buffer_len, "%s/inbox.db", options->data_dir);
        client.database_path = path_buffer;
    }
    return client;
}

xmtp_client *cli_open(const cli_options *options)
{
    char path[4096];
    xmtp_error error = {0};
    xmtp_client *client;
    const xmtp_client_options client_options = cli_client_options(options, path, sizeof path);
    xmtp_status status = xmtp_client_open(&client, &client_options, &error);
    if (status != XMTP_OK) {
        (void)cli_fail(options, &error, status);
        return NULL;
    }
    return client;
}

bool cli_conversation_id(const char *hex, xmtp_conversation_id *out)
{
    size_t digits = strlen(hex);
    *out = (xmtp_conversation_id){.n = digits / 2};
    return digits >= 2 && digits / 2 <= XMTP_GROUP_ID_MAX &&
           xmtp_hex_decode(out->p, out->n, hex, digits) == XMTP_OK;
}
