/* config_table.c - the table of settings; config.h tells how they are set. */
#include "node/config.h"
#include "node/index.h"
#include "node/limits.h"
#include "rpc/call.h"

#define AT(field)    offsetof(xmtp_node_config, field)
#define LIMIT(field) offsetof(xmtp_node_config, limits.field)

#define SECTION(title)                                                                             \
    {                                                                                              \
        .name = title                                                                              \
    }
#define TEXT(name_, field, default_, argument_, help_)                                             \
    {                                                                                              \
        .name = name_, .type = XMTP_NODE_SETTING_TEXT, .offset = AT(field), .text = default_,      \
        .argument = argument_, .help = help_                                                       \
    }
#define LIST(name_, field, argument_, help_)                                                       \
    {                                                                                              \
        .name = name_, .type = XMTP_NODE_SETTING_LIST, .offset = AT(field), .argument = argument_, \
        .help = help_                                                                              \
    }
#define SWITCH(name_, field, help_)                                                                \
    {                                                                                              \
        .name = name_, .type = XMTP_NODE_SETTING_SWITCH, .offset = AT(field),                      \
        .argument = "on|off", .help = help_                                                        \
    }
#define COUNT(name_, offset_, default_, min_, max_, help_)                                         \
    {                                                                                              \
        .name = name_, .type = XMTP_NODE_SETTING_COUNT, .offset = offset_, .value = default_,      \
        .min = min_, .max = max_, .argument = "NUMBER", .help = help_                              \
    }
#define DAYS(name_, field, min_, help_)                                                            \
    {                                                                                              \
        .name = name_, .type = XMTP_NODE_SETTING_COUNT, .offset = AT(field), .min = min_,          \
        .max = 36500, .may_be_zero = true, .argument = "NUMBER", .help = help_                     \
    }
#define BYTES(name_, offset_, default_, min_, max_, help_)                                         \
    {                                                                                              \
        .name = name_, .type = XMTP_NODE_SETTING_BYTES, .offset = offset_, .value = default_,      \
        .min = min_, .max = max_, .argument = "SIZE", .help = help_                                \
    }

enum { KIB = 1024, MIB = 1024 * 1024 };
#define GIB ((uint64_t)1 << 30)

const xmtp_node_setting xmtp_node_settings[] = {
    SECTION("What is stored, and where to listen"),
    TEXT("data", data, "./xmtp-node", "DIR", "where everything is stored"),
    TEXT("gateway", gateway, NULL, "ADDR:PORT",
         "HTTP with protobuf or JSON bodies (127.0.0.1:5555, [::1]:5555)"),
    TEXT("grpc", grpc, NULL, "ADDR:PORT", "gRPC (127.0.0.1:5556, [::1]:5556)"),
    TEXT("web", web, NULL, "ADDR:PORT", "gRPC-web (127.0.0.1:5557, [::1]:5557)"),
    TEXT("history", history, NULL, "ADDR:PORT",
         "files of device sync (127.0.0.1:5558, [::1]:5558); each of these four may be \"off\", "
         "port 0 takes a free one"),
    TEXT("admin", admin, NULL, "ADDR:PORT",
         "pages /status and /metrics, for operators only: keep it away from clients (off)"),
    TEXT("validation", validation, NULL, "ADDR:PORT",
         "gRPC of xmtp.mls_validation.v1.ValidationApi, for another node to ask; it makes this "
         "node compute, so only that node should get there (off)"),
    LIST("listen", listen, "ADDR:PORT",
         "all of them on one port, and nothing by default; may be given several times, and name "
         "what it serves: grpc+web=0.0.0.0:443"),
    TEXT("tls-cert", tls_cert, NULL, "FILE",
         "PEM certificate chain: everything speaks TLS; read again when it changes, and on SIGHUP"),
    TEXT("tls-key", tls_key, NULL, "FILE", "its key"),
    SWITCH("tls-optional", tls_optional, "clear text too, on the same ports"),
    SWITCH("proxy-header", proxy_header,
           "connections come from a proxy that sends PROXY headers (1 or 2)"),
    SWITCH("no-bidi", no_bidi,
           "the bidirectional Subscribe (XIP-83) is not served; clients fall back"),
    TEXT("reflection", reflection, "local", "local|on|off",
         "gRPC server reflection, with which tools ask what is served: on loopback addresses, on "
         "all, on none"),
    LIST("chain-rpc", chain_rpc, "CHAIN=URL",
         "JSON-RPC of an Ethereum chain, asked about contract wallets: 8453=https://...; several "
         "times for more chains, or for a chain's second node"),
    COUNT("loops", AT(loops), 0, 0, XMTP_NODE_LOOPS_MAX,
          "threads that serve connections; 0: one per core"),

    BYTES("index-bytes-max", LIMIT(index_len), 256 * GIB, 16 * MIB, 16384 * GIB,
          "up to where index/data.mdb may grow until the next start; address space, not memory"),

    SECTION("What is logged, to standard error"),
    TEXT("log-format", log_format, "text", "text|json", "lines for people, or an object a line"),
    TEXT("log-level", log_level, "info", "info|warning|error", "the least that is written"),

    SECTION("How much one client address may ask for; 0: no limit"),
    COUNT("rate-reads", AT(rates.reads), 0, 0, 1000000000,
          "calls that read, in 5 minutes; 30000 is much for a client"),
    COUNT("rate-writes", AT(rates.writes), 0, 0, 1000000000,
          "messages and other things to store, in 5 minutes; 6000 is much for a client"),
    COUNT("rate-streams", AT(rates.streams), 0, 0, 1000000000,
          "streams opened in a minute; 300 is much for a client"),
    COUNT("open-connections", AT(rates.connections_open), 0, 0, 1000000000,
          "connections at once; 1000 is much for a client"),
    COUNT("open-streams", AT(rates.streams_open), 0, 0, 1000000000,
          "streams at once; 10000 is much for a client"),
    COUNT("rate-addresses-max", AT(rates.addresses_max), 100000, 1000, 100000000,
          "addresses that are remembered, about 200 bytes each"),
    LIST("trusted-proxies", trusted_proxies, "NETWORK",
         "proxies whose x-forwarded-for header is believed, such as 10.0.0.0/8"),
    TEXT("allow-file", rates.allow_file, NULL, "FILE",
         "networks without limits, one a line; this and the next two are read again when they "
         "change"),
    TEXT("deny-file", rates.deny_file, NULL, "FILE", "networks that get nothing, one a line"),
    TEXT("api-key-file", rates.api_key_file, NULL, "FILE",
         "keys, one a line; no limits for calls with one of them in the header x-api-key"),

    SECTION("For how long things are kept; 0: for ever"),
    DAYS("keep-welcomes-days", keep_welcomes_days, 90, "welcomes"),
    DAYS("keep-messages-days", keep_messages_days, 30,
         "group messages that are no commits; commits are kept for ever"),
    DAYS("keep-key-packages-days", keep_key_packages_days, 90,
         "key packages that newer ones have replaced"),

    SECTION("Sizes of single things"),
    BYTES("group-message-bytes-max", LIMIT(group_message_len), XMTP_NODE_GROUP_MESSAGE_LEN_MAX,
          1 * KIB, 48 * MIB, "one group message; a commit of 250 members has about 4 MiB"),
    BYTES("welcome-bytes-max", LIMIT(welcome_len), XMTP_NODE_WELCOME_LEN_MAX, 1 * KIB, 48 * MIB,
          "one welcome"),
    BYTES("key-package-bytes-max", LIMIT(key_package_len), XMTP_NODE_KEY_PACKAGE_LEN_MAX, 4 * KIB,
          1 * MIB, "one key package"),
    BYTES("identity-update-bytes-max", LIMIT(identity_update_len),
          XMTP_NODE_IDENTITY_UPDATE_LEN_MAX, 4 * KIB, XMTP_NODE_IDENTITY_UPDATE_LEN_MAX,
          "one identity update"),
    BYTES("commit-log-entry-bytes-max", LIMIT(commit_log_entry_len),
          XMTP_NODE_COMMIT_LOG_ENTRY_LEN_MAX, 1 * KIB, 1 * MIB, "one entry of a commit log"),
    BYTES("request-bytes-max", LIMIT(request_len), XMTP_RPC_REQUEST_LEN_MAX, 1 * MIB,
          XMTP_RPC_REQUEST_LEN_MAX, "one request; clients send up to 25 MiB"),
    BYTES("reply-bytes-max", LIMIT(reply_len), XMTP_NODE_REPLY_LEN_MAX, 64 * KIB, 24 * MIB,
          "one answer; clients read at most 25 MiB"),

    SECTION("How many in one request"),
    COUNT("messages-max", LIMIT(messages), XMTP_NODE_MESSAGES_MAX, 1, 100000,
          "group messages or welcomes to store"),
    COUNT("page-rows-max", LIMIT(rows), XMTP_NODE_ROWS_MAX, 1, XMTP_NODE_ROWS_MAX,
          "messages or welcomes of one page"),
    COUNT("key-packages-max", LIMIT(keys), XMTP_NODE_KEYS_MAX, 1, 100000,
          "installations whose key packages are fetched"),
    COUNT("groups-max", LIMIT(groups), XMTP_NODE_GROUPS_MAX, 1, 100000,
          "groups whose newest message is asked for"),
    COUNT("inboxes-max", LIMIT(inboxes), XMTP_NODE_INBOXES_MAX, 1, 100000,
          "inboxes or identifiers that are looked up"),
    COUNT("wallet-checks-max", LIMIT(wallet_checks), XMTP_NODE_WALLET_CHECKS_MAX, 1, 10000,
          "contract wallet signatures to verify"),
    COUNT("commit-log-publish-max", LIMIT(commit_log_publish), XMTP_NODE_COMMIT_LOG_PUBLISH_MAX, 10,
          10000, "commit log entries to store; clients send up to 10"),
    COUNT("commit-log-query-max", LIMIT(commit_log_query), XMTP_NODE_COMMIT_LOG_QUERY_MAX, 20,
          10000, "commit logs to read; clients ask for up to 20"),
    COUNT("stream-topics-max", LIMIT(filters), XMTP_NODE_FILTERS_MAX, 1, 10000000,
          "groups or installations of one stream"),
    COUNT("session-topics-max", LIMIT(session_topics), XMTP_NODE_SESSION_TOPICS_MAX, 1, 10000000,
          "groups and installations of one bidirectional Subscribe"),

    SECTION("Connections"),
    COUNT("connection-streams-max", LIMIT(connection_streams), XMTP_RPC_STREAMS_MAX, 1, 1000000,
          "calls and streams at once on one connection"),
    COUNT("silent-connections-max", LIMIT(silent_connections), XMTP_NODE_SILENT_MAX, 1, 1000000,
          "connections that have not asked anything yet, for each loop; the oldest has to go"),
    COUNT("call-seconds-max", LIMIT(call_seconds), XMTP_NODE_CALL_SECONDS_MAX, 1, 3600,
          "until a call that is no stream is given up"),
    COUNT("drain-seconds", LIMIT(drain_seconds), XMTP_NODE_DRAIN_SECONDS, 1, 600,
          "for which calls and files that are under way may go on when the node is stopped"),
    COUNT(
        "ping-seconds", LIMIT(ping_seconds), XMTP_NODE_PING_SECONDS, 5, 3600,
        "of silence until the other end of a connection is asked whether it is there; it then has "
        "20 s"),

    SECTION("Identity logs"),
    COUNT("inbox-log-max", LIMIT(inbox_log), XMTP_NODE_INBOX_LOG_MAX, 1, XMTP_NODE_INBOX_LOG_MAX,
          "updates of one inbox; clients know 256 as the end"),
    COUNT("inbox-log-revoke-max", LIMIT(inbox_log_revoke), XMTP_NODE_INBOX_LOG_REVOKE_MAX, 1,
          XMTP_NODE_PAGE_COUNT_MAX, "and up to here those that only take something away"),
    COUNT("inbox-states", LIMIT(inbox_states), XMTP_NODE_INBOX_STATES_MAX, 16, 10000000,
          "states of inboxes that are kept in memory"),

    SECTION("Files of device sync"),
    BYTES("history-file-bytes-max", LIMIT(history_file_len), XMTP_NODE_HISTORY_FILE_LEN_MAX,
          1 * KIB, XMTP_NODE_HISTORY_LEN_TOP, "one file"),
    BYTES("history-bytes-max", LIMIT(history_len), XMTP_NODE_HISTORY_LEN_MAX, 1 * KIB,
          XMTP_NODE_HISTORY_LEN_TOP, "all files together"),
    COUNT("history-hours-max", LIMIT(history_hours), XMTP_NODE_HISTORY_HOURS_MAX, 1, 87600,
          "how old a file becomes before it is deleted"),
    COUNT("history-transfers-max", LIMIT(history_transfers), XMTP_NODE_HISTORY_TRANSFERS_MAX, 1,
          10000, "uploads and downloads at once"),
    {.name = NULL},
};
