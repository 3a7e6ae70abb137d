/* telemetry.h - what a client tells about itself: a log, and how often it asked the node for what.
 *
 * Nothing is written or counted elsewhere: the library itself prints nothing, keeps no log and sends
 * no traces. A service that collects them is fed from the log's callback.
 */
#ifndef XMTP_TELEMETRY_H
#define XMTP_TELEMETRY_H

#include <xmtp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct xmtp_client xmtp_client;

typedef enum xmtp_log_level {
    XMTP_LOG_OFF = 0,
    XMTP_LOG_ERROR = 1, /* the database failed */
    XMTP_LOG_WARN = 2,  /* a call failed through all its tries, a stream was lost */
    XMTP_LOG_INFO = 3, /* opened, registered, streams opened, the database let go and taken again */
    XMTP_LOG_DEBUG = 4, /* each try of each call: its path, answer, bytes and time */
} xmtp_log_level;

/* In xmtp_setup. write gets one line without its end, valid during the call, on the thread that uses
 * the client; it must not call the client. Lines hold paths, statuses, sizes, times, and public ids
 * of inboxes and installations: no keys, no text of messages, no credentials. */
typedef struct xmtp_log {
    void *context;
    xmtp_log_level level; /* nothing finer is written */
    void (*write)(void *context, xmtp_log_level level, const char *line);
} xmtp_log;

/* Requests to the node since the client was opened or they were cleared; every try counts. */
typedef struct xmtp_api_statistics {
    uint64_t upload_key_package;
    uint64_t fetch_key_packages;
    uint64_t send_group_messages;
    uint64_t send_welcome_messages;
    uint64_t query_group_messages;
    uint64_t newest_group_message;
    uint64_t query_welcome_messages;
    uint64_t subscribe_group_messages;
    uint64_t subscribe_welcome_messages;
    uint64_t publish_commit_log;
    uint64_t query_commit_log;
    uint64_t publish_identity_update;
    uint64_t get_identity_updates;
    uint64_t get_inbox_ids;
    uint64_t verify_contract_signatures;
    uint64_t failed; /* of all these */
} xmtp_api_statistics;
XMTP_API void xmtp_client_api_statistics(const xmtp_client *client, xmtp_api_statistics *out);
XMTP_API void xmtp_client_api_statistics_clear(xmtp_client *client);
/* One line "name count" for each method that was used, and "failed". Returns the length of the whole
 * text; what does not fit in capacity, with the final zero, is cut off. */
XMTP_API size_t xmtp_client_api_statistics_text(const xmtp_client *client, char *out,
                                                size_t capacity);

#ifdef __cplusplus
}
#endif
#endif
