/* cmd_node_data.c - xmtp node check, stats, backup, restore: what lies on the disk. */
#include "base/status.h"
#include "cli/cli.h"
#include "cli/node_data.h"
#include "node/folder.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "usage: xmtp node check [DATA]            verifies every record, the index, identity logs\n"
    "       xmtp node stats [DATA]            counts and bytes by class\n"
    "       xmtp node backup DIR [DATA]       copies to DIR what it does not have yet\n"
    "       xmtp node restore DIR [DATA]      makes DATA, which must be empty, from a backup\n"
    "\n"
    "DATA is the node's folder (default ./xmtp-node). All but restore work beside a running node.\n"
    "check exits with 1 when something is wrong.\n";

typedef struct data_arguments {
    const char *verb;
    const char *dir; /* of the backup; NULL: none is needed */
    const char *data;
} data_arguments;

/* ---- progress, only for somebody who watches */

static void print_progress(void *context, uint64_t done_len, uint64_t all_len)
{
    time_t *last = context;
    time_t now = time(NULL);
    if (isatty(STDERR_FILENO) == 0 || now - *last < 1) {
        return;
    }
    *last = now;
    (void)fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " MiB", done_len >> 20, all_len >> 20);
    (void)fprintf(stderr, done_len == all_len ? "\n" : "");
}

static int fail(const data_arguments *a, xmtp_status status, const xmtp_error *error)
{
    (void)fprintf(stderr, "xmtp node %s: %s\n", a->verb,
                  error->text[0] == '\0' ? xmtp_status_text(status) : error->text);
    return status == XMTP_E_ARGUMENT ? CLI_USAGE : CLI_FAILED;
}

/* ---- check */

static void print_problem(void *context, const char *line)
{
    (void)context;
    (void)printf("%s\n", line);
}

static xmtp_status check(xmtp_node_folder *folder, const data_arguments *a,
                         const xmtp_node_progress *progress, xmtp_error *error)
{
    xmtp_node_check_report report;
    (void)a;
    xmtp_status status =
        xmtp_node_folder_check(folder, NULL, print_problem, progress, &report, error);
    if (status != XMTP_OK && status != XMTP_E_CORRUPT) {
        return status;
    }
    (void)printf("%" PRIu64 " records, %" PRIu64 " identity logs, %" PRIu64 " problems\n",
                 report.records, report.inboxes, report.problems);
    if (!report.has_index) {
        (void)printf("the index was not compared: it will be made again at the next start\n");
    }
    if (folder->torn_len > 0) {
        (void)printf("%" PRIu64 " bytes of an unfinished write will be cut at the next start\n",
                     folder->torn_len);
    }
    return status;
}

/* ---- stats */

static void print_time(const char *name, uint64_t time_ns)
{
    char text[32] = "never";
    struct tm tm;
    time_t seconds = (time_t)(time_ns / 1000000000);
    if (time_ns > 0 && gmtime_r(&seconds, &tm) != NULL) {
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    }
    (void)printf("%-18s %s\n", name, text);
}

static xmtp_status stats(xmtp_node_folder *folder, const data_arguments *a,
                         const xmtp_node_progress *progress, xmtp_error *error)
{
    static const struct {
        const char *name;
        xmtp_node_kind kind;
    } rows[] = {{"group messages", XMTP_NODE_GROUP_MESSAGE},
                {"welcomes", XMTP_NODE_WELCOME},
                {"key packages", XMTP_NODE_KEY_PACKAGE},
                {"identity updates", XMTP_NODE_IDENTITY_UPDATE},
                {"commit log", XMTP_NODE_COMMIT_LOG}};
    xmtp_node_stats s;
    (void)a;
    XMTP_TRY(xmtp_node_folder_stats(folder, progress, &s, error));
    (void)printf("%-18s %14s %18s %14s\n", "", "count", "bytes", "last id");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        xmtp_node_kind kind = rows[i].kind;
        (void)printf("%-18s %14" PRIu64 " %18" PRIu64 " %14" PRIu64 "\n", rows[i].name,
                     s.count[kind], s.len[kind], s.last_id[kind]);
    }
    (void)printf("%-18s %14" PRIu64 "\n", "  of them commits", s.commits);
    (void)printf("%-18s %14" PRIu32 " %18" PRIu64 " bytes, %" PRIu64 " on the disk\n", "segments",
                 s.segments, s.file_len, s.disk_len);
    print_time("oldest", s.oldest_ns);
    print_time("newest", s.newest_ns);
    return XMTP_OK;
}

/* ---- backup and restore */

static void print_copied(const char *what, const xmtp_node_backup_report *report)
{
    (void)printf("%s: %" PRIu32 " segments, %" PRIu64 " bytes copied\n", what, report->segments,
                 report->copied_len);
}

static xmtp_status backup(xmtp_node_folder *folder, const data_arguments *a,
                          const xmtp_node_progress *progress, xmtp_error *error)
{
    xmtp_node_backup_report report;
    XMTP_TRY(xmtp_node_backup(folder, a->dir, progress, &report, error));
    print_copied(a->dir, &report);
    return XMTP_OK;
}

static int restore(const data_arguments *a)
{
    xmtp_error error = {0};
    xmtp_node_backup_report report;
    time_t last = 0;
    xmtp_node_progress progress = {.context = &last, .tell = print_progress};
    xmtp_status status =
        xmtp_node_restore(xmtp_env_system(), a->dir, a->data, &progress, &report, &error);
    if (status != XMTP_OK) {
        return fail(a, status, &error);
    }
    print_copied(a->data, &report);
    return CLI_OK;
}

static int with_folder(const data_arguments *a,
                       xmtp_status (*work)(xmtp_node_folder *folder, const data_arguments *a,
                                           const xmtp_node_progress *progress, xmtp_error *error))
{
    xmtp_error error = {0};
    xmtp_node_folder folder;
    time_t last = 0;
    xmtp_node_progress progress = {.context = &last, .tell = print_progress};
    xmtp_status status = xmtp_node_folder_open(&folder, xmtp_env_system(), a->data, &error);
    if (status == XMTP_OK) {
        status = work(&folder, a, &progress, &error);
    }
    xmtp_node_folder_close(&folder);
    return status == XMTP_OK ? CLI_OK : fail(a, status, &error);
}

static int run(const data_arguments *a)
{
    if (strcmp(a->verb, "check") == 0) {
        return with_folder(a, check);
    }
    if (strcmp(a->verb, "stats") == 0) {
        return with_folder(a, stats);
    }
    return strcmp(a->verb, "backup") == 0 ? with_folder(a, backup) : restore(a);
}

bool cli_is_node_data(const char *verb)
{
    return strcmp(verb, "check") == 0 || strcmp(verb, "stats") == 0 ||
           strcmp(verb, "backup") == 0 || strcmp(verb, "restore") == 0;
}

int cmd_node_data(int argc, char **argv)
{
    data_arguments a = {.verb = argv[0], .data = "./xmtp-node"};
    bool needs_dir = strcmp(a.verb, "backup") == 0 || strcmp(a.verb, "restore") == 0;
    int at = 1;
    bool is_help = argc > 1 && strcmp(argv[1], "--help") == 0;
    if (needs_dir && at < argc) {
        a.dir = argv[at++];
    }
    if (at < argc) {
        a.data = argv[at++];
    }
    bool is_valid = at == argc && (!needs_dir || a.dir != NULL);
    for (int i = 1; i < argc; i++) {
        is_valid = is_valid && argv[i][0] != '-';
    }
    if (is_help || !is_valid) {
        (void)fputs(usage, is_help ? stdout : stderr);
        return is_help ? CLI_OK : CLI_USAGE;
    }
    return run(&a);
}
