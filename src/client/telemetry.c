/* telemetry.c - the log, and the one table of the node's methods: counted, and who may not call them. */
#include "client/state.h"

#include <stdarg.h>

enum { LINE_MAX_LEN = 400 };

void xmtp_log_line(const xmtp_client *client, xmtp_log_level level, const char *format, ...)
{
    if (client->log.write == NULL || level > client->log.level) {
        return;
    }
    char line[LINE_MAX_LEN];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    client->log.write(client->log.context, level, line);
}

/* ---- methods */

typedef struct method {
    const char *path;
    size_t offset; /* of its counter in xmtp_api_statistics */
    bool publishes;
} method;

#define COUNTED(api, name, member, publishes)                                                      \
    {                                                                                              \
        api(name), offsetof(xmtp_api_statistics, member), publishes                                \
    }

static const method methods[] = {
    COUNTED(XMTP_MLS_API, "UploadKeyPackage", upload_key_package, true),
    COUNTED(XMTP_MLS_API, "FetchKeyPackages", fetch_key_packages, false),
    COUNTED(XMTP_MLS_API, "SendGroupMessages", send_group_messages, true),
    COUNTED(XMTP_MLS_API, "SendWelcomeMessages", send_welcome_messages, true),
    COUNTED(XMTP_MLS_API, "QueryGroupMessages", query_group_messages, false),
    COUNTED(XMTP_MLS_API, "GetNewestGroupMessage", newest_group_message, false),
    COUNTED(XMTP_MLS_API, "QueryWelcomeMessages", query_welcome_messages, false),
    COUNTED(XMTP_MLS_API, "SubscribeGroupMessages", subscribe_group_messages, false),
    COUNTED(XMTP_MLS_API, "SubscribeWelcomeMessages", subscribe_welcome_messages, false),
    COUNTED(XMTP_MLS_API, "BatchPublishCommitLog", publish_commit_log, true),
    COUNTED(XMTP_MLS_API, "BatchQueryCommitLog", query_commit_log, false),
    COUNTED(XMTP_IDENTITY_API, "PublishIdentityUpdate", publish_identity_update, true),
    COUNTED(XMTP_IDENTITY_API, "GetIdentityUpdates", get_identity_updates, false),
    COUNTED(XMTP_IDENTITY_API, "GetInboxIds", get_inbox_ids, false),
    COUNTED(XMTP_IDENTITY_API, "VerifySmartContractWalletSignatures", verify_contract_signatures,
            false),
};

enum { METHOD_COUNT = sizeof(methods) / sizeof(methods[0]) };

static_assert(sizeof(xmtp_api_statistics) == (METHOD_COUNT + 1) * sizeof(uint64_t),
              "every counter has its method, and one counts failures");

static const method *method_of(const char *path)
{
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        if (strcmp(methods[i].path, path) == 0) {
            return &methods[i];
        }
    }
    return NULL;
}

static const char *name_of(const method *m)
{
    return strrchr(m->path, '/') + 1;
}

static uint64_t count_of(const xmtp_client *client, const method *m)
{
    return *(const uint64_t *)(const void *)((const char *)&client->statistics + m->offset);
}

xmtp_status xmtp_may_call(const xmtp_client *client, const char *path, xmtp_error *error)
{
    const method *m = method_of(path);
    if (client->is_light && (m == NULL || m->publishes)) {
        return xmtp_fail(error, XMTP_E_STATE,
                         "%s: this client was opened light: it publishes nothing", path);
    }
    if (client->is_calling) {
        return xmtp_fail(error, XMTP_E_STATE, "%s: another call is under way", path);
    }
    return XMTP_OK;
}

void xmtp_note_call(xmtp_client *client, const xmtp_call_note *note)
{
    const method *m = method_of(note->path);
    if (m != NULL) {
        uint64_t *count = (uint64_t *)(void *)((char *)&client->statistics + m->offset);
        (*count)++;
    }
    client->statistics.failed += note->status != XMTP_OK;
    uint64_t now_ns = xmtp_now_ns(client);
    xmtp_log_line(client, XMTP_LOG_DEBUG, "%s: %s, %zu bytes sent, %zu received, %" PRIu64 " ms",
                  note->path, xmtp_status_name(note->status), note->request_len, note->response_len,
                  now_ns > note->began_ns ? (now_ns - note->began_ns) / UINT64_C(1000000) : 0);
}

/* ---- reading */

void xmtp_client_api_statistics(const xmtp_client *client, xmtp_api_statistics *out)
{
    *out = client->statistics;
}

void xmtp_client_api_statistics_clear(xmtp_client *client)
{
    client->statistics = (xmtp_api_statistics){0};
}

static void add_line(char *out, size_t capacity, size_t *n, const char *name, uint64_t count)
{
    size_t left = *n < capacity ? capacity - *n : 0;
    int len = snprintf(left > 0 ? out + *n : NULL, left, "%s %" PRIu64 "\n", name, count);
    *n += len > 0 ? (size_t)len : 0;
}

size_t xmtp_client_api_statistics_text(const xmtp_client *client, char *out, size_t capacity)
{
    size_t n = 0;
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        if (count_of(client, &methods[i]) > 0) {
            add_line(out, capacity, &n, name_of(&methods[i]), count_of(client, &methods[i]));
        }
    }
    add_line(out, capacity, &n, "failed", client->statistics.failed);
    return n;
}
