/* history.c - archives asked for, made, told of and taken (groups.md 7.2).
 *
 *     us: Request(pin, server, which part) --> every other installation: task
 *         --> archive made, brought to the server, Reply(pin, url, key) --> us: task --> imported
 *
 * A task lies in the database from the transaction that stored the message until the one that did the
 * work: the reply is queued, or the archive has been imported. Each try is counted before it begins, so
 * that a crash in it counts, too; after three the task is given up and the listener is told.
 */
#include "client/history.h"

#include "base/bytes.h"
#include "store/device_sync_store.h"

enum { ATTEMPTS_MAX = 3, TASKS_PER_CHORE = 4, LISTED_MAX = 1000, DAYS_MAX = 3650 };

static const uint64_t RETRY_NS = 60 * XMTP_SECOND_NS;

/* ---- words on the wire */

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

static void write_options(const xmtp_archive_options *options, int32_t elements[2],
                          Pb__SyncArchiveOptions *out)
{
    uint32_t bits =
        options->elements == 0 ? XMTP_ARCHIVE_MESSAGES | XMTP_ARCHIVE_CONSENT : options->elements;
    *out = (Pb__SyncArchiveOptions)PB__SYNC_ARCHIVE_OPTIONS__INIT;
    out->elements = elements;
    if ((bits & XMTP_ARCHIVE_MESSAGES) != 0) {
        elements[out->n_elements++] = 1;
    }
    if ((bits & XMTP_ARCHIVE_CONSENT) != 0) {
        elements[out->n_elements++] = 2;
    }
    out->has_start_ns = options->start_ns != 0;
    out->start_ns = (int64_t)options->start_ns;
    out->has_end_ns = options->end_ns != 0;
    out->end_ns = (int64_t)options->end_ns;
    out->has_exclude_disappearing_messages = options->exclude_disappearing;
    out->exclude_disappearing_messages = options->exclude_disappearing;
}

static uint32_t element_bits(const int32_t *elements, size_t count)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < count; i++) {
        bits |= elements[i] == 1 ? XMTP_ARCHIVE_MESSAGES : 0;
        bits |= elements[i] == 2 ? XMTP_ARCHIVE_CONSENT : 0;
    }
    return bits;
}

static uint64_t time_of(int64_t ns)
{
    return ns < 0 ? 0 : (uint64_t)ns;
}

static xmtp_archive_options read_options(const Pb__SyncArchiveOptions *options)
{
    return (xmtp_archive_options){
        .elements = element_bits(options->elements, options->n_elements),
        .start_ns = time_of(options->start_ns),
        .end_ns = time_of(options->end_ns),
        .exclude_disappearing = options->exclude_disappearing_messages != 0,
    };
}

bool xmtp_history_pin_is_valid(const char *pin)
{
    size_t n = pin == NULL ? 0 : strlen(pin);
    for (size_t i = 0; i < n; i++) {
        if (pin[i] <= ' ' || pin[i] > '~') {
            return false;
        }
    }
    return n > 0 && n <= XMTP_SYNC_PIN_MAX;
}

/* ---- asking */

static xmtp_status make_pin(xmtp_client *client, char pin[XMTP_SYNC_PIN_LEN + 1])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    enum { COUNT = sizeof(alphabet) - 1, FAIR = 256 - 256 % COUNT };
    size_t n = 0;
    while (n < XMTP_SYNC_PIN_LEN) {
        uint8_t byte;
        XMTP_TRY(client->env.random(client->env.context, &byte, 1));
        if (byte < FAIR) {
            pin[n++] = alphabet[byte % COUNT];
        }
    }
    pin[n] = '\0';
    return XMTP_OK;
}

static xmtp_status check_usable(const xmtp_client *client, const char **history_url,
                                xmtp_error *error)
{
    XMTP_TRY(xmtp_sync_check_on(client, error));
    *history_url = *history_url == NULL ? client->device_sync.history_url : *history_url;
    size_t n = strlen(*history_url);
    if (n == 0) {
        return xmtp_fail(error, XMTP_E_ARGUMENT,
                         "no history server: neither the call nor the client names one");
    }
    if (n > XMTP_HISTORY_URL_MAX) {
        return xmtp_fail(error, XMTP_E_ARGUMENT,
                         "address of a history server of %zu bytes, at most %d", n,
                         XMTP_HISTORY_URL_MAX);
    }
    return client->device_sync.http != NULL
               ? XMTP_OK
               : xmtp_fail(error, XMTP_E_ARGUMENT,
                           "this client was opened without a way to reach a history server");
}

/* In the transaction that queues the request. */
static xmtp_status note_request(xmtp_client *client, void *context, xmtp_error *error)
{
    return xmtp_stored(client, xmtp_sync_request_insert(client->db, context, xmtp_now_ns(client)),
                       error);
}

xmtp_status xmtp_client_sync_request(xmtp_client *client, const xmtp_archive_options *options,
                                     const char *history_url, char pin[XMTP_SYNC_PIN_LEN + 1],
                                     xmtp_error *error)
{
    static const xmtp_archive_options everything;
    int32_t elements[2];
    Pb__SyncArchiveOptions part;
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    pin[0] = '\0';
    XMTP_TRY(check_usable(client, &history_url, error));
    XMTP_TRY(xmtp_sync_ready(client, error));
    XMTP_TRY(make_pin(client, pin));
    write_options(options == NULL ? &everything : options, elements, &part);
    Pb__SyncRequest request = PB__SYNC_REQUEST__INIT;
    request.pin = pin;
    request.server_url = (char *)(uintptr_t)history_url;
    request.options = &part;
    Pb__DeviceSyncContent content = PB__DEVICE_SYNC_CONTENT__INIT;
    content.content_case = PB__DEVICE_SYNC_CONTENT__CONTENT_REQUEST;
    content.request = &request;
    const xmtp_with_message with = {.run = note_request, .context = pin};
    return xmtp_sync_say(client, &content, &with, error);
}

/* ---- making one and telling of it */

typedef struct archive_told {
    const xmtp_archive_options *options;
    const char *pin;
    const char *url;
    uint8_t *key;
    const xmtp_with_message *with;
} archive_told;

static xmtp_status tell(xmtp_client *client, const archive_told *what, xmtp_error *error)
{
    int32_t elements[2];
    Pb__SyncArchiveOptions part;
    write_options(what->options, elements, &part);
    Pb__SyncArchiveMetadata metadata = PB__SYNC_ARCHIVE_METADATA__INIT;
    metadata.n_elements = part.n_elements;
    metadata.elements = part.elements;
    metadata.has_exported_at_ns = 1;
    metadata.exported_at_ns = (int64_t)xmtp_now_ns(client);
    metadata.has_start_ns = part.has_start_ns;
    metadata.start_ns = part.start_ns;
    metadata.has_end_ns = part.has_end_ns;
    metadata.end_ns = part.end_ns;
    Pb__SyncKey key = PB__SYNC_KEY__INIT;
    key.key_case = PB__SYNC_KEY__KEY_AES_256_GCM;
    key.aes_256_gcm = (ProtobufCBinaryData){.len = XMTP_ARCHIVE_KEY_LEN, .data = what->key};
    Pb__SyncReply reply = PB__SYNC_REPLY__INIT;
    reply.request_id = (char *)(uintptr_t)what->pin;
    reply.url = (char *)(uintptr_t)what->url;
    reply.encryption_key = &key;
    reply.metadata = &metadata;
    Pb__DeviceSyncContent content = PB__DEVICE_SYNC_CONTENT__INIT;
    content.content_case = PB__DEVICE_SYNC_CONTENT__CONTENT_REPLY;
    content.reply = &reply;
    return xmtp_sync_say(client, &content, what->with, error);
}

static xmtp_status make_and_tell(xmtp_client *client, const xmtp_archive_options *options,
                                 const char *history_url, const char *pin,
                                 const xmtp_with_message *with, xmtp_error *error)
{
    uint8_t key[XMTP_ARCHIVE_KEY_LEN];
    char url[XMTP_HISTORY_FILE_URL_LEN];
    XMTP_TRY(client->env.random(client->env.context, key, sizeof(key)));
    xmtp_status status = xmtp_history_upload(client, options, history_url, key, url, error);
    if (status == XMTP_OK) {
        const archive_told what = {
            .options = options, .pin = pin, .url = url, .key = key, .with = with};
        status = tell(client, &what, error);
    }
    xmtp_wipe(key, sizeof(key));
    return status;
}

xmtp_status xmtp_client_sync_archive_send(xmtp_client *client, const xmtp_archive_options *options,
                                          const char *history_url, const char *pin,
                                          xmtp_error *error)
{
    static const xmtp_archive_options everything;
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    XMTP_TRY(check_usable(client, &history_url, error));
    if (!xmtp_history_pin_is_valid(pin)) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "a PIN has 1 to %d printable ASCII characters",
                         XMTP_SYNC_PIN_MAX);
    }
    XMTP_TRY(xmtp_sync_ready(client, error));
    return make_and_tell(client, options == NULL ? &everything : options, history_url, pin, NULL,
                         error);
}

/* ---- taking one */

static xmtp_status take(xmtp_client *client, const Pb__SyncReply *reply,
                        xmtp_archive_counts *counts, xmtp_error *error)
{
    const Pb__SyncKey *key = reply->encryption_key;
    bool has_key = key != NULL && key->key_case == PB__SYNC_KEY__KEY_AES_256_GCM;
    if (!has_key || key->aes_256_gcm.len != XMTP_ARCHIVE_KEY_LEN) {
        return xmtp_fail(error, XMTP_E_CONTENT, "archive told of with a key of %zu bytes, not %d",
                         has_key ? key->aes_256_gcm.len : 0, XMTP_ARCHIVE_KEY_LEN);
    }
    return xmtp_history_download(client, or_empty(reply->url), key->aes_256_gcm.data, counts,
                                 error);
}

/* ---- tasks */

static xmtp_status finish(xmtp_client *client, void *context, xmtp_error *error)
{
    const xmtp_sync_task_row *task = context;
    return xmtp_stored(client, xmtp_sync_task_delete(client->db, task->id), error);
}

static xmtp_status answer(xmtp_client *client, const Pb__SyncRequest *request,
                          xmtp_sync_task_row *task, xmtp_error *error)
{
    const xmtp_with_message with = {.run = finish, .context = task};
    const xmtp_archive_options options =
        request->options == NULL ? (xmtp_archive_options){0} : read_options(request->options);
    return make_and_tell(client, &options, or_empty(request->server_url), request->pin, &with,
                         error);
}

static void tell_listener(xmtp_client *client, const char *pin, bool is_taken, xmtp_status status)
{
    if (client->events.history != NULL) {
        client->events.history(client->events.context, pin, is_taken, status);
    }
}

/* *pin in the arena. XMTP_E_CONTENT for what can never be done. */
static xmtp_status work_on(xmtp_client *client, xmtp_sync_task_row *task, xmtp_arena *arena,
                           const char **pin, bool *is_taking, xmtp_error *error)
{
    const Pb__DeviceSyncContent *content;
    XMTP_TRY(xmtp_sync_decode(arena, task->message.content, &content));
    *is_taking = content->content_case == PB__DEVICE_SYNC_CONTENT__CONTENT_REPLY;
    *pin = *is_taking ? content->reply->request_id : content->request->pin;
    XMTP_TRY(*is_taking ? take(client, content->reply, NULL, error)
                        : answer(client, content->request, task, error));
    return *is_taking ? finish(client, task, error) : XMTP_OK;
}

static bool can_succeed_later(xmtp_status status)
{
    return xmtp_is_our_trouble(status) || status == XMTP_E_TRUNCATED;
}

static xmtp_status try_task(xmtp_client *client, xmtp_sync_task_row *task, xmtp_arena *arena,
                            xmtp_error *error)
{
    const char *pin = "";
    bool is_taking = false;
    xmtp_error why = {0};
    XMTP_TRY(xmtp_stored(client,
                         xmtp_sync_task_set_attempts(client->db, task->id, task->attempts + 1,
                                                     xmtp_now_ns(client) + RETRY_NS),
                         error));
    xmtp_status status = work_on(client, task, arena, &pin, &is_taking, &why);
    bool is_over =
        status == XMTP_OK || !can_succeed_later(status) || task->attempts + 1 >= ATTEMPTS_MAX;
    if (is_over) {
        tell_listener(client, pin, is_taking, status);
    }
    if (status == XMTP_OK || !is_over) {
        return XMTP_OK;
    }
    return finish(client, task, error);
}

xmtp_status xmtp_history_chore(xmtp_client *client, xmtp_error *error)
{
    xmtp_status status = XMTP_OK;
    /* A try that ends where nobody can be told of it would be one of the three. */
    bool can_transfer = client->device_sync.http != NULL && !client->is_node_away;
    for (int i = 0; i < TASKS_PER_CHORE && status == XMTP_OK && can_transfer; i++) {
        xmtp_arena arena;
        xmtp_sync_task_row task;
        xmtp_scratch(client, &arena);
        status = xmtp_sync_task_next(client->db, xmtp_now_ns(client), &arena, &task);
        bool is_done = status == XMTP_E_NOT_FOUND;
        if (status == XMTP_OK) {
            status = try_task(client, &task, &arena, error);
        } else if (!is_done) {
            status = xmtp_stored(client, status, error);
        }
        xmtp_arena_reset(&arena);
        if (is_done || client->is_node_away) {
            return is_done ? XMTP_OK : status;
        }
    }
    return status;
}

/* ---- what there is */

/* The reply in a message of another installation; NULL when it is something else. */
static const Pb__SyncReply *reply_of(const xmtp_client *client, const xmtp_message_row *row,
                                     xmtp_arena *arena)
{
    const Pb__DeviceSyncContent *content;
    xmtp_bytes own = xmtp_bytes_of(client->installation.pk, XMTP_INSTALLATION_LEN);
    bool is_reply = !xmtp_bytes_equal(row->sender_installation, own) &&
                    xmtp_sync_decode(arena, row->content, &content) == XMTP_OK &&
                    content->content_case == PB__DEVICE_SYNC_CONTENT__CONTENT_REPLY &&
                    xmtp_history_pin_is_valid(content->reply->request_id);
    return is_reply ? content->reply : NULL;
}

static xmtp_sync_archive view(const xmtp_message_row *row, const Pb__SyncReply *reply)
{
    xmtp_sync_archive out = {.pin = reply->request_id, .sent_ns = row->sent_ns};
    if (row->sender_installation.n == sizeof(out.installation)) {
        memcpy(out.installation, row->sender_installation.p, sizeof(out.installation));
    }
    const Pb__SyncArchiveMetadata *metadata = reply->metadata;
    if (metadata != NULL) {
        out.metadata = (xmtp_archive_metadata){
            .elements = element_bits(metadata->elements, metadata->n_elements),
            .exported_ns = time_of(metadata->exported_at_ns),
            .start_ns = time_of(metadata->start_ns),
            .end_ns = time_of(metadata->end_ns),
        };
    }
    return out;
}

static xmtp_status list_messages(xmtp_client *client, uint32_t days, xmtp_arena *arena,
                                 xmtp_message_row **rows, size_t *count, xmtp_error *error)
{
    uint64_t now_ns = xmtp_now_ns(client);
    uint64_t span_ns = days * XMTP_DAY_NS;
    uint64_t after_ns = now_ns > span_ns ? now_ns - span_ns : 0;
    return xmtp_stored(
        client, xmtp_sync_messages(client->db, after_ns, LISTED_MAX, arena, rows, count), error);
}

xmtp_status xmtp_client_sync_archives(xmtp_client *client, uint32_t days,
                                      xmtp_sync_archive_visit visit, void *context,
                                      xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_message_row *rows = NULL;
    size_t count = 0;
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    XMTP_TRY(xmtp_sync_check_on(client, error));
    if (days > DAYS_MAX) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "%u days, at most %d", (unsigned)days, DAYS_MAX);
    }
    xmtp_scratch(client, &arena);
    xmtp_status status = list_messages(client, days, &arena, &rows, &count, error);
    for (size_t i = 0; status == XMTP_OK && i < count; i++) {
        const Pb__SyncReply *reply = reply_of(client, &rows[i], &arena);
        if (reply != NULL) {
            const xmtp_sync_archive archive = view(&rows[i], reply);
            status = visit(context, &archive);
        }
    }
    xmtp_arena_reset(&arena);
    return status;
}

xmtp_status xmtp_client_sync_archive_take(xmtp_client *client, const char *pin,
                                          xmtp_archive_counts *counts, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_message_row *rows = NULL;
    size_t count = 0;
    const Pb__SyncReply *found = NULL;
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    XMTP_TRY(xmtp_sync_check_on(client, error));
    xmtp_scratch(client, &arena);
    xmtp_status status = list_messages(client, DAYS_MAX, &arena, &rows, &count, error);
    for (size_t i = 0; status == XMTP_OK && i < count && found == NULL; i++) {
        const Pb__SyncReply *reply = reply_of(client, &rows[i], &arena);
        bool is_wanted = reply != NULL && (pin == NULL || strcmp(pin, reply->request_id) == 0);
        found = is_wanted ? reply : NULL;
    }
    if (status == XMTP_OK) {
        status = found == NULL ? xmtp_fail(error, XMTP_E_NOT_FOUND,
                                           "no installation has told of such an archive")
                               : take(client, found, counts, error);
    }
    xmtp_arena_reset(&arena);
    return status;
}
