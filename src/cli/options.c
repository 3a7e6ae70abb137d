/* options.c - what all client commands take from the command line and the environment. */
#include "base/bytes.h"
#include "base/status.h"
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { KEY_FILE_MAX = 256, EXEC_TIMEOUT_S = 60 };

enum {
    OPTION_NODE = 256,
    OPTION_KEY_FILE,
    OPTION_DATA,
    OPTION_JSON,
    OPTION_FOLLOW,
    OPTION_ECHO,
    OPTION_EXEC,
    OPTION_NAME,
    OPTION_DESCRIPTION,
    OPTION_IMAGE_URL,
    OPTION_APP_DATA,
    OPTION_PERMISSIONS,
    OPTION_TIMEOUT,
    OPTION_TYPE,
    OPTION_TO,
    OPTION_MIME,
    OPTION_ARCHIVE_KEY,
    OPTION_ELEMENTS,
    OPTION_SINCE,
    OPTION_UNTIL,
    OPTION_EXCLUDE_DISAPPEARING,
    OPTION_FORCE,
    OPTION_HELP
};

static const struct option long_options[] = {
    {"node", required_argument, NULL, OPTION_NODE},
    {"key-file", required_argument, NULL, OPTION_KEY_FILE},
    {"data", required_argument, NULL, OPTION_DATA},
    {"json", no_argument, NULL, OPTION_JSON},
    {"follow", no_argument, NULL, OPTION_FOLLOW},
    {"echo", no_argument, NULL, OPTION_ECHO},
    {"exec", required_argument, NULL, OPTION_EXEC},
    {"name", required_argument, NULL, OPTION_NAME},
    {"description", required_argument, NULL, OPTION_DESCRIPTION},
    {"image-url", required_argument, NULL, OPTION_IMAGE_URL},
    {"app-data", required_argument, NULL, OPTION_APP_DATA},
    {"permissions", required_argument, NULL, OPTION_PERMISSIONS},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"type", required_argument, NULL, OPTION_TYPE},
    {"to", required_argument, NULL, OPTION_TO},
    {"mime", required_argument, NULL, OPTION_MIME},
    {"archive-key", required_argument, NULL, OPTION_ARCHIVE_KEY},
    {"elements", required_argument, NULL, OPTION_ELEMENTS},
    {"since", required_argument, NULL, OPTION_SINCE},
    {"until", required_argument, NULL, OPTION_UNTIL},
    {"exclude-disappearing", no_argument, NULL, OPTION_EXCLUDE_DISAPPEARING},
    {"force", no_argument, NULL, OPTION_FORCE},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

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

/* The first line of the file without blanks at its ends. Its content never appears in a message. */
static int read_key_file(cli_options *options, const char *path)
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
    char *start = text + strspn(text, " \t\r\n");
    start[strcspn(start, " \t\r\n")] = '\0';
    free(options->key);
    options->key = strdup(start);
    xmtp_wipe(text, sizeof text);
    return options->key == NULL ? CLI_FAILED : -1;
}

static int parse_timeout(cli_options *options, const char *text)
{
    char *end;
    errno = 0;
    options->timeout_s = strtol(text, &end, 10);
    if (errno != 0 || *end != '\0' || end == text || options->timeout_s < 1 ||
        options->timeout_s > 86400) {
        return cli_usage(options, "--timeout takes a number of seconds from 1 to 86400");
    }
    return -1;
}

static int take_option(cli_options *options, int option)
{
    switch (option) {
    case OPTION_NODE:
        options->node_url = optarg;
        return -1;
    case OPTION_KEY_FILE:
        return read_key_file(options, optarg);
    case OPTION_DATA:
        options->data_dir = optarg;
        return -1;
    case OPTION_JSON:
        options->json = true;
        return -1;
    case OPTION_FOLLOW:
        options->follow = true;
        return -1;
    case OPTION_ECHO:
        options->echo = true;
        return -1;
    case OPTION_EXEC:
        options->exec = optarg;
        return -1;
    case OPTION_NAME:
        options->name = optarg;
        return -1;
    case OPTION_DESCRIPTION:
        options->description = optarg;
        return -1;
    case OPTION_IMAGE_URL:
        options->image_url = optarg;
        return -1;
    case OPTION_APP_DATA:
        options->app_data = optarg;
        return -1;
    case OPTION_PERMISSIONS:
        options->permissions = optarg;
        return -1;
    case OPTION_TYPE:
        options->type = optarg;
        return -1;
    case OPTION_TO:
        options->to = optarg;
        return -1;
    case OPTION_MIME:
        options->mime = optarg;
        return -1;
    case OPTION_TIMEOUT:
        return parse_timeout(options, optarg);
    case OPTION_ARCHIVE_KEY:
        options->archive_key = optarg;
        return -1;
    case OPTION_ELEMENTS:
        options->elements = optarg;
        return -1;
    case OPTION_SINCE:
        options->since = optarg;
        return -1;
    case OPTION_UNTIL:
        options->until = optarg;
        return -1;
    case OPTION_EXCLUDE_DISAPPEARING:
        options->exclude_disappearing = true;
        return -1;
    case OPTION_FORCE:
        options->force = true;
        return -1;
    case OPTION_HELP:
        printf("%s", options->help);
        return CLI_OK;
    default:
        fprintf(stderr, "\n%s", options->help); /* getopt has said what is wrong */
        return CLI_USAGE;
    }
}

int cli_parse(cli_options *options, int argc, char **argv, const char *help)
{
    *options = (cli_options){.command = argv[0], .help = help, .timeout_s = EXEC_TIMEOUT_S};
    optind = 1;
    for (;;) {
        int option = getopt_long(argc, argv, "", long_options, NULL);
        if (option == -1) {
            break;
        }
        int end = take_option(options, option);
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
    return -1;
}

void cli_options_free(cli_options *options)
{
    if (options->key != NULL) {
        xmtp_wipe(options->key, strlen(options->key));
        free(options->key);
        options->key = NULL;
    }
}

xmtp_client_options cli_client_options(const cli_options *options, char *path_buffer,
                                       size_t path_buffer_len)
{
    xmtp_client_options client = {
        .encryption_key = options->key,
        .node_url = options->node_url,
        .app_version = "xmtp-cli/" XMTP_VERSION,
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
