/* cmd_archive.c - `xmtp archive export|import|show FILE`: everything an inbox knows, in one encrypted
 * file. */
#include "base/bytes.h"
#include "cli/cli.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { KEY_DIGITS = 2 * XMTP_ARCHIVE_KEY_LEN, TELL_EACH = 1000 };
static_assert((int)XMTP_ARCHIVE_KEY_LEN == (int)CLI_KEY_LEN, "a key is a key");

static const char help[] =
    "usage: xmtp archive export FILE [options]   messages, conversations and consent into FILE\n"
    "       xmtp archive import FILE [options]   adds what FILE holds to this device\n"
    "       xmtp archive show FILE [options]     what FILE says about itself\n\n"
    "Without an archive key export makes one and prints it: it is not kept anywhere else. What is\n"
    "imported can be read at once; a conversation can be written to again when another member's\n"
    "client has added this device. FILE and its key open everything in it.\n\n"
    "  --archive-key FILE      64 hex digits; else XMTP_ARCHIVE_KEY\n"
    "  --elements WHAT         messages or consent (default: both)\n"
    "  --since, --until TIME   only messages sent between: 2026-11-28 (UTC) or seconds since 1970\n"
    "  --exclude-disappearing  leave out messages that will be deleted some time\n"
    "  --force                 let the export replace a file\n" CLI_CLIENT_HELP;

typedef struct archive_command {
    const cli_options *options;
    const char *path;
    uint8_t key[XMTP_ARCHIVE_KEY_LEN];
    bool is_key_new;
    uint64_t told; /* messages, in the last line of progress */
} archive_command;

/* -1 to go on. */
static int find_key(archive_command *c, bool may_make)
{
    const cli_key_source source = {.option = "--archive-key",
                                   .file = c->options->archive_key,
                                   .variable = "XMTP_ARCHIVE_KEY",
                                   .may_make = may_make};
    return cli_find_key(c->options, &source, c->key, &c->is_key_new);
}

/* ---- options */

static bool parse_time(const char *text, uint64_t *ns)
{
    struct tm day = {0};
    char *end;
    if (text == NULL) {
        return true;
    }
    errno = 0;
    unsigned long long seconds = strtoull(text, &end, 10);
    if (*end == '-') {
        end = strptime(text, "%Y-%m-%d", &day);
        time_t start = timegm(&day);
        seconds = start > 0 ? (unsigned long long)start : 0;
    }
    bool is_time = end != NULL && *end == '\0' && end != text && errno == 0 && seconds > 0 &&
                   seconds < INT64_MAX / 1000000000 && text[0] != '-';
    *ns = is_time ? (uint64_t)seconds * UINT64_C(1000000000) : 0;
    return is_time;
}

static int parse_options(const archive_command *c, xmtp_archive_options *out)
{
    const char *elements = c->options->elements;
    *out = (xmtp_archive_options){.exclude_disappearing = c->options->exclude_disappearing};
    if (elements != NULL && strcmp(elements, "messages") == 0) {
        out->elements = XMTP_ARCHIVE_MESSAGES;
    } else if (elements != NULL && strcmp(elements, "consent") == 0) {
        out->elements = XMTP_ARCHIVE_CONSENT;
    } else if (elements != NULL) {
        return cli_usage(c->options, "--elements takes messages or consent");
    }
    return parse_time(c->options->since, &out->start_ns) &&
                   parse_time(c->options->until, &out->end_ns)
               ? -1
               : cli_usage(c->options, "--since and --until take a day or seconds since 1970");
}

/* ---- output */

static xmtp_status tell(void *context, const xmtp_archive_counts *so_far)
{
    archive_command *c = context;
    if (isatty(STDERR_FILENO) && so_far->messages >= c->told + TELL_EACH) {
        c->told = so_far->messages;
        fprintf(stderr, "\r%" PRIu64 " messages", so_far->messages);
    }
    return XMTP_OK;
}

static void print_counts(const archive_command *c, const char *done,
                         const xmtp_archive_counts *counts)
{
    char hex[KEY_DIGITS + 1] = "";
    if (c->told > 0) {
        fprintf(stderr, "\r");
    }
    if (c->is_key_new) {
        cli_hex(hex, c->key, sizeof c->key);
    }
    if (c->options->json) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "file", c->path);
        cli_add_u64(object, "conversations", counts->conversations);
        cli_add_u64(object, "messages", counts->messages);
        cli_add_u64(object, "consents", counts->consents);
        cli_add_u64(object, "known", counts->known);
        cli_add_u64(object, "skipped", counts->skipped);
        cli_add_u64(object, "bytes", counts->bytes);
        if (c->is_key_new) {
            cJSON_AddStringToObject(object, "key", hex);
        }
        cli_print_json(object);
    } else {
        printf("%s %" PRIu64 " conversations, %" PRIu64 " messages and %" PRIu64
               " decisions of consent (%" PRIu64 " bytes)\n",
               done, counts->conversations, counts->messages, counts->consents, counts->bytes);
        if (counts->known + counts->skipped > 0) {
            printf("%" PRIu64 " were here already, %" PRIu64 " are of no use here\n", counts->known,
                   counts->skipped);
        }
        if (c->is_key_new) {
            printf("key (keep it, it is shown once): %s\n", hex);
        }
    }
    xmtp_wipe(hex, sizeof hex);
}

static void print_time(const char *name, uint64_t ns)
{
    char text[32];
    struct tm parts;
    time_t seconds = (time_t)(ns / UINT64_C(1000000000));
    if (ns != 0 && gmtime_r(&seconds, &parts) != NULL) {
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
        printf("%-9s %s\n", name, text);
    }
}

static void print_metadata(const archive_command *c, const xmtp_archive_metadata *m)
{
    bool has_messages = (m->elements & XMTP_ARCHIVE_MESSAGES) != 0;
    bool has_consent = (m->elements & XMTP_ARCHIVE_CONSENT) != 0;
    if (c->options->json) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddNumberToObject(object, "version", m->version);
        cJSON_AddBoolToObject(object, "messages", has_messages);
        cJSON_AddBoolToObject(object, "consent", has_consent);
        cli_add_u64(object, "exported_ns", m->exported_ns);
        cli_add_u64(object, "start_ns", m->start_ns);
        cli_add_u64(object, "end_ns", m->end_ns);
        cli_print_json(object);
        return;
    }
    printf("version   %d\nholds    %s%s\n", m->version, has_messages ? " messages" : "",
           has_consent ? " consent" : "");
    print_time("made", m->exported_ns);
    print_time("since", m->start_ns);
    print_time("until", m->end_ns);
}

/* ---- the three */

static int run_show(archive_command *c)
{
    xmtp_error error = {0};
    xmtp_archive_metadata metadata;
    int code = find_key(c, false);
    if (code != -1) {
        return code;
    }
    xmtp_status status = xmtp_archive_metadata_read(c->path, c->key, &metadata, &error);
    if (status != XMTP_OK) {
        return cli_fail(c->options, &error, status);
    }
    print_metadata(c, &metadata);
    return CLI_OK;
}

static int needs_wallet(const archive_command *c)
{
    return c->options->key != NULL
               ? -1
               : cli_usage(c->options, "needs the inbox's key: --key-file or WALLET_PRIVATE_KEY");
}

static int run_export(archive_command *c)
{
    xmtp_error error = {0};
    xmtp_archive_options what;
    xmtp_archive_counts counts;
    const xmtp_archive_progress progress = {.context = c, .tell = tell};
    int code = needs_wallet(c);
    code = code == -1 ? parse_options(c, &what) : code;
    code = code == -1 ? find_key(c, true) : code;
    if (code != -1) {
        return code;
    }
    if (!c->options->force && access(c->path, F_OK) == 0) {
        return cli_usage(c->options, "the file is there already; --force replaces it");
    }
    xmtp_client *client = cli_open(c->options);
    if (client == NULL) {
        return CLI_FAILED;
    }
    xmtp_status status =
        xmtp_client_archive_export(client, c->path, c->key, &what, &progress, &counts, &error);
    xmtp_client_close(client);
    if (status != XMTP_OK) {
        return cli_fail(c->options, &error, status);
    }
    print_counts(c, "exported", &counts);
    return CLI_OK;
}

static int run_import(archive_command *c)
{
    xmtp_error error = {0};
    xmtp_archive_counts counts;
    const xmtp_archive_progress progress = {.context = c, .tell = tell};
    int code = needs_wallet(c);
    code = code == -1 ? find_key(c, false) : code;
    if (code != -1) {
        return code;
    }
    xmtp_client *client = cli_open(c->options);
    if (client == NULL) {
        return CLI_FAILED;
    }
    xmtp_status status =
        xmtp_client_archive_import(client, c->path, c->key, &progress, &counts, &error);
    xmtp_client_close(client);
    if (status != XMTP_OK) {
        return cli_fail(c->options, &error, status);
    }
    print_counts(c, "imported", &counts);
    return CLI_OK;
}

int cmd_archive(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(archive_command *c);
    } verbs[] = {{"export", run_export}, {"import", run_import}, {"show", run_show}};
    cli_options options;
    int code = cli_parse(&options, argc, argv, help);
    if (code != -1) {
        return code;
    }
    archive_command c = {.options = &options};
    for (size_t i = 0; options.rest_count == 2 && i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(options.rest[0], verbs[i].name) == 0) {
            c.path = options.rest[1];
            code = verbs[i].run(&c);
        }
    }
    if (c.path == NULL) {
        code = cli_usage(&options, "takes export, import or show, and a file");
    }
    xmtp_wipe(c.key, sizeof c.key);
    cli_options_free(&options);
    return code;
}
