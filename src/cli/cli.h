/* cli.h - what the subcommands of `xmtp` share. One short file a subcommand: cmd_<name>.c. */
#ifndef XMTP_CLI_CLI_H
#define XMTP_CLI_CLI_H

#include "rpc/http.h"

#include <cjson/cJSON.h>
#include <xmtp/client.h>

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* Each gets argv with its own name first ("send", ...) and gives the exit code. */
int cmd_node(int argc, char **argv);
int cmd_agent(int argc, char **argv);
int cmd_send(int argc, char **argv);
int cmd_inbox(int argc, char **argv);
int cmd_group(int argc, char **argv);
int cmd_whoami(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_devices(int argc, char **argv);
int cmd_revoke(int argc, char **argv);
int cmd_archive(int argc, char **argv);
int cmd_move(int argc, char **argv);
int cmd_client(int argc, char **argv);
int cmd_download(int argc, char **argv);
int cmd_preferences(int argc, char **argv);

/* ---- options that all client commands take ---- */

#define CLI_CLIENT_HELP                                                                            \
    "  --node URL        the node, https://... elsewhere (default http://localhost:5556), or "     \
    "dev,\n"                                                                                       \
    "                    production\n"                                                             \
    "  --ca FILE         PEM certificates that vouch for an https node (default: the system's)\n"  \
    "  --key-file FILE   wallet's private key in hex; else WALLET_PRIVATE_KEY; else a fresh "      \
    "identity\n"                                                                                   \
    "                    that lives only as long as the command\n"                                 \
    "  --data DIR        where the encrypted database lies (default: the user's data folder)\n"    \
    "  --device-sync     tell the inbox's other installations consent and keys, and hear them\n"   \
    "  --history URL     the same, and a history server for archives of what was said\n"           \
    "  --json            one JSON object a line\n"                                                 \
    "  --help            this text\n"

enum { CLI_LIST_MAX = 16 };

/* Values of an option that may be repeated. */
typedef struct cli_list {
    const char *items[CLI_LIST_MAX];
    size_t count;
} cli_list;

/* Which messages, which conversations: as they were written, see filters.h. Times are nanoseconds. */
typedef struct cli_filters {
    uint64_t limit, after_ns, before_ns, arrived_after_ns, arrived_before_ns; /* 0: not said */
    bool newest_first, by_arrival, by_creation, enriched;
    const char *kind;
    const char *delivery;
    cli_list content_types, content_types_left_out;
    cli_list senders, senders_left_out;
    cli_list consents;
} cli_filters;

typedef struct cli_options {
    const char *command; /* for messages */
    const char *help;
    const char *node_url;
    const char *node_authorities; /* of --ca */
    const char *data_dir;
    char *key; /* hex; NULL: ephemeral */
    bool json;
    xmtp_device_sync_options device_sync;
    xmtp_http http; /* open when device sync is on */
    /* of single commands */
    bool follow;
    bool echo;
    const char *exec;
    const char *name;
    const char *description;
    const char *image_url;
    const char *app_data;
    const char *permissions;
    const char *type;
    const char *to;
    const char *mime;
    const char *upload;
    const char *archive_key; /* file */
    const char *move_key;    /* file */
    char *passphrase;        /* of --passphrase-file: its first line */
    const char *elements;
    const char *since;
    const char *until;
    bool exclude_disappearing;
    bool force;
    char *account_key; /* hex, of --account-key-file */
    cli_filters filters;
    long timeout_s;
    /* what is no option */
    char **rest;
    int rest_count;
} cli_options;

/* Parses argv. Gives -1 to go on, else the exit code with which the command ends (after --help or a
 * mistake). */
int cli_parse(cli_options *options, int argc, char **argv, const char *help);
void cli_options_free(cli_options *options); /* wipes the key */

/* Prints "xmtp <command>: <sentence>" and gives CLI_FAILED or CLI_USAGE. */
int cli_fail(const cli_options *options, const xmtp_error *error, xmtp_status status);
int cli_usage(const cli_options *options, const char *what);

/* ---- key.c */

enum { CLI_KEY_LEN = 32 };

typedef struct cli_key_source {
    const char *option;   /* for messages */
    const char *file;     /* its value, or NULL */
    const char *variable; /* of the environment */
    bool may_make;        /* a new one when there is neither: *is_new */
} cli_key_source;

/* 64 hex digits. -1 to go on, else the exit code. */
int cli_find_key(const cli_options *options, const cli_key_source *source, uint8_t key[CLI_KEY_LEN],
                 bool *is_new);

/* Opens the client of the options; NULL after printing why not. */
xmtp_client *cli_open(const cli_options *options);
/* The client options; path_buffer holds the database path if one is made. */
xmtp_client_options cli_client_options(const cli_options *options, char *path_buffer,
                                       size_t path_buffer_len);

/* 2 digits a byte; CLI_USAGE-worthy texts give false. */
bool cli_conversation_id(const char *hex, xmtp_conversation_id *out);

/* ---- output ---- */

void cli_hex(char *out, const uint8_t *p, size_t n);
/* The object that --json prints for a message, also what --exec reads. Free with cJSON_Delete. */
cJSON *cli_message_json(const xmtp_message *message);
void cli_add_u64(cJSON *object, const char *name, uint64_t value); /* 64 bits are texts in JSON */
void cli_print_json(cJSON *object); /* one line, flushed; deletes the object */
/* The value alone on a line, or as an object with this one name. */
void cli_print_field(const cli_options *options, const char *name, const char *value);
struct xmtp_inbox_state;
void cli_print_inbox(const cli_options *options, const struct xmtp_inbox_state *state);
void cli_print_message(const cli_options *options, const xmtp_message *message);

#endif
