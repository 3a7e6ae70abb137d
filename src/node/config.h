/* config.h - what an operator can set, in one table: name, type, default, range, help.
 *
 *     --group-message-bytes-max 8MiB             a flag
 *     XMTP_NODE_GROUP_MESSAGE_BYTES_MAX=8MiB     the environment
 *     group-message-bytes-max = 8MiB             a line of the file that --config names
 *
 * The same names everywhere. A flag is stronger than the environment, that than the file, that than
 * the default. To add a setting: a field here, a line in config_table.c. Names that Kubernetes makes
 * for a service called xmtp-node (XMTP_NODE_PORT..., XMTP_NODE_SERVICE_...) are not to be used.
 */
#ifndef XMTP_NODE_CONFIG_H
#define XMTP_NODE_CONFIG_H

#include "base/arena.h"
#include "base/writer.h"

#include <xmtp/node.h>

enum {
    XMTP_NODE_CONFIG_LIST_MAX = 16,
    XMTP_NODE_CONFIG_VALUE_LEN_MAX = 1024,
    XMTP_NODE_CONFIG_SETTINGS_MAX = 96,
};

/* The same setting several times, or several values with commas between them. */
typedef struct xmtp_node_config_list {
    const char *items[XMTP_NODE_CONFIG_LIST_MAX];
    size_t count;
} xmtp_node_config_list;

typedef enum xmtp_node_config_source {
    XMTP_NODE_FROM_DEFAULT, /* the weakest */
    XMTP_NODE_FROM_FILE,
    XMTP_NODE_FROM_ENVIRONMENT,
    XMTP_NODE_FROM_FLAG,
} xmtp_node_config_source;

typedef struct xmtp_node_config {
    xmtp_arena texts; /* what the pointers below point to */
    xmtp_node_config_source sources[XMTP_NODE_CONFIG_SETTINGS_MAX]; /* by index in the table */

    const char *data; /* texts are NULL when they are not set and have no default */
    const char *gateway;
    const char *grpc;
    const char *web;
    const char *history;
    const char *admin;
    const char *validation;
    const char *log_format;
    const char *log_level;
    xmtp_node_config_list listen;
    const char *tls_cert;
    const char *tls_key;
    bool tls_optional;
    bool proxy_header;
    bool no_bidi;
    const char *reflection;
    xmtp_node_config_list chain_rpc;
    uint64_t loops;
    xmtp_node_rates rates; /* without its trusted_proxies, which are */
    xmtp_node_config_list trusted_proxies;
    uint64_t keep_welcomes_days;
    uint64_t keep_messages_days;
    uint64_t keep_key_packages_days;
    xmtp_node_limits limits;
} xmtp_node_config;

typedef enum xmtp_node_setting_type {
    XMTP_NODE_SETTING_TEXT,   /* const char * */
    XMTP_NODE_SETTING_LIST,   /* xmtp_node_config_list */
    XMTP_NODE_SETTING_SWITCH, /* bool; "on" or "off", a flag alone is "on" */
    XMTP_NODE_SETTING_COUNT,  /* uint64_t */
    XMTP_NODE_SETTING_BYTES,  /* uint64_t; KiB, MiB and GiB may follow the number */
} xmtp_node_setting_type;

typedef struct xmtp_node_setting {
    const char *name;
    xmtp_node_setting_type type;
    size_t offset;    /* in xmtp_node_config */
    const char *text; /* default of a text; what a choice may be: "text|json" */
    uint64_t value;   /* default of a number or a switch */
    uint64_t min;     /* of a number */
    uint64_t max;
    bool may_be_zero;     /* 0 is allowed too, below min */
    const char *argument; /* how help calls its value */
    const char *help;     /* one line; NULL in the line that opens a section, named by name */
} xmtp_node_setting;

/* Ended by a line without name. */
extern const xmtp_node_setting xmtp_node_settings[];

/* Everything at its default. alloc must outlive the config. */
void xmtp_node_config_init(xmtp_node_config *config, const xmtp_alloc *alloc);
void xmtp_node_config_free(xmtp_node_config *config);

/* NULL: there is none of this name (up to n bytes). */
const xmtp_node_setting *xmtp_node_config_find(const char *name, size_t n);

/* XMTP_E_ARGUMENT with a sentence that tells where (NULL for none), what was found and what is
 * allowed; XMTP_E_NOMEM. A weaker source never replaces what a stronger one has set. */
xmtp_status xmtp_node_config_set(xmtp_node_config *config, const xmtp_node_setting *setting,
                                 const char *value, xmtp_node_config_source source,
                                 const char *where, xmtp_error *error);

/* "name = value" lines; "#" begins a comment. name: of the file, for sentences. */
xmtp_status xmtp_node_config_text(xmtp_node_config *config, const char *name, xmtp_bytes text,
                                  xmtp_error *error);
/* The same of a file. XMTP_E_IO. */
xmtp_status xmtp_node_config_file(xmtp_node_config *config, const char *path, xmtp_error *error);

/* XMTP_NODE_...; get: getenv. */
xmtp_status xmtp_node_config_environment(xmtp_node_config *config, char *(*get)(const char *name),
                                         xmtp_error *error);

/* --name VALUE, --name=VALUE; *rest: the first argument that is none of these ("--help" and others
 * may be looked for there). argv[0] is skipped. */
xmtp_status xmtp_node_config_flags(xmtp_node_config *config, int argc, char **argv, int *rest,
                                   xmtp_error *error);

/* All settings as a file that gives the same configuration, each with source and range. */
void xmtp_node_config_print(const xmtp_node_config *config, xmtp_writer *out);
/* The settings with their help, defaults and ranges. */
void xmtp_node_config_help(xmtp_writer *out);

/* Zeroes become the table's defaults. */
void xmtp_node_limits_fill(xmtp_node_limits *limits);

#endif
