/* device_sync.c - the groups in which the installations of one inbox talk (groups.md 7.2).
 *
 *     chore:  own sync group made --> newcomers taken into conversations, new HMAC root
 *                 --> preferences told --> archives made and fetched
 *
 * Every installation makes one group, once: its welcome is how the others learn that there is a new
 * installation. One that is added to ours before may make none, and is noticed by that. All groups are
 * read, the newest is spoken in. What is still to be done lies in the database,
 * so whatever is cut short is done by the next chore.
 */
#include "client/history.h"

#include "store/device_sync_store.h"

static const uint64_t ACTIVE_NS = 90 * XMTP_DAY_NS;

static char authority[] = "xmtp.org";
static char type_id[] = "application/x-protobuf";

/* ---- speaking */

static xmtp_status encode(const Pb__DeviceSyncContent *content, xmtp_writer *inner, xmtp_writer *w)
{
    XMTP_TRY(xmtp_proto_encode(&content->base, inner));
    Pb__ContentTypeId type = PB__CONTENT_TYPE_ID__INIT;
    type.authority_id = authority;
    type.type_id = type_id;
    type.has_version_major = 1;
    type.version_major = 1;
    Pb__EncodedContent encoded = PB__ENCODED_CONTENT__INIT;
    encoded.type = &type;
    encoded.has_content = 1;
    encoded.content = xmtp_proto_data(xmtp_writer_bytes(inner));
    return xmtp_proto_encode(&encoded.base, w);
}

static xmtp_status newest_group(xmtp_client *client, int64_t *ref, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_group_row row;
    xmtp_scratch(client, &arena);
    xmtp_status status = xmtp_sync_group_newest(client->db, &arena, &row);
    *ref = status == XMTP_OK ? row.ref : 0;
    xmtp_arena_reset(&arena);
    return status == XMTP_E_NOT_FOUND
               ? xmtp_fail(error, status, "there is no sync group with only this inbox in it")
               : xmtp_stored(client, status, error);
}

static xmtp_status say(xmtp_client *client, xmtp_bytes content, const xmtp_with_message *with,
                       xmtp_error *error)
{
    int64_t ref;
    group_work work;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    const xmtp_send_options quietly = {.should_push = false};
    XMTP_TRY(newest_group(client, &ref, error));
    xmtp_status status = xmtp_work_start(&work, client, ref, error);
    if (status == XMTP_OK) {
        status = xmtp_installations_refresh(&work, error);
    }
    if (status == XMTP_OK) {
        status = xmtp_work_reload(&work, error);
    }
    if (status == XMTP_OK) {
        status = xmtp_send(&work, content, &quietly, with, id, error);
    }
    xmtp_work_end(&work);
    xmtp_states_trim(client, XMTP_STATE_CACHE_MAX);
    return status;
}

xmtp_status xmtp_sync_say(xmtp_client *client, const Pb__DeviceSyncContent *content,
                          const xmtp_with_message *with, xmtp_error *error)
{
    xmtp_writer inner;
    xmtp_writer w;
    xmtp_writer_init(&inner, &client->env.alloc, XMTP_CONTENT_MAX);
    xmtp_writer_init(&w, &client->env.alloc, XMTP_CONTENT_MAX);
    xmtp_status status = encode(content, &inner, &w);
    if (status == XMTP_OK) {
        status = say(client, xmtp_writer_bytes(&w), with, error);
    }
    xmtp_writer_free(&inner);
    xmtp_writer_free(&w);
    return status;
}

/* ---- hearing */

xmtp_status xmtp_sync_decode(xmtp_arena *arena, xmtp_bytes in, const Pb__DeviceSyncContent **out)
{
    void *message;
    XMTP_TRY(xmtp_proto_decode(&pb__encoded_content__descriptor, arena, in, &message));
    const Pb__EncodedContent *encoded = message;
    const char *type = encoded->type == NULL ? NULL : encoded->type->type_id;
    XMTP_ENSURE(type != NULL && strcmp(type, type_id) == 0, XMTP_E_CONTENT);
    XMTP_TRY(xmtp_proto_decode(&pb__device_sync_content__descriptor, arena,
                               xmtp_proto_bytes(encoded->content), &message));
    *out = message;
    return XMTP_OK;
}

static xmtp_status add_task(xmtp_client *client, const xmtp_message_row *row, xmtp_error *error)
{
    client->device_sync.is_due = true;
    return xmtp_stored(client, xmtp_sync_task_insert(client->db, row->message_id), error);
}

/* An archive that nobody here asked for waits until somebody takes it by its PIN. */
static xmtp_status hear_reply(xmtp_client *client, const xmtp_message_row *row,
                              const Pb__SyncReply *reply, xmtp_error *error)
{
    bool is_ours = false;
    if (!xmtp_history_pin_is_valid(reply->request_id)) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_stored(client, xmtp_sync_request_is_ours(client->db, reply->request_id, &is_ours),
                         error));
    return is_ours ? add_task(client, row, error) : XMTP_OK;
}

/* Our own requests and replies are for the others. Own preferences are applied all the same: the order
 * of the group decides between two that were decided at the same time. */
static xmtp_status hear(xmtp_client *client, const xmtp_message_row *row, bool is_own,
                        const Pb__DeviceSyncContent *content, xmtp_error *error)
{
    switch (content->content_case) {
    case PB__DEVICE_SYNC_CONTENT__CONTENT_PREFERENCE_UPDATES:
        return xmtp_preferences_apply(client, content->preference_updates, error);
    case PB__DEVICE_SYNC_CONTENT__CONTENT_REQUEST:
        return !is_own && xmtp_history_pin_is_valid(content->request->pin)
                   ? add_task(client, row, error)
                   : XMTP_OK;
    case PB__DEVICE_SYNC_CONTENT__CONTENT_REPLY:
        return is_own ? XMTP_OK : hear_reply(client, row, content->reply, error);
    default:
        return XMTP_OK; /* an acknowledgement, or something newer than this library */
    }
}

xmtp_status xmtp_sync_message(xmtp_client *client, const xmtp_message_row *row, bool is_own,
                              xmtp_error *error)
{
    xmtp_arena arena;
    const Pb__DeviceSyncContent *content;
    xmtp_scratch(client, &arena);
    xmtp_status status = xmtp_sync_decode(&arena, row->content, &content);
    if (status == XMTP_OK) {
        status = hear(client, row, is_own, content, error);
    }
    xmtp_arena_reset(&arena);
    return xmtp_is_our_trouble(status) ? status : XMTP_OK;
}

xmtp_status xmtp_sync_own_message(xmtp_client *client, xmtp_bytes message_id, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_message_row row;
    xmtp_scratch(client, &arena);
    xmtp_status status =
        xmtp_stored(client, xmtp_message_find(client->db, message_id, &arena, &row), error);
    if (status == XMTP_OK) {
        status = xmtp_sync_message(client, &row, true, error);
    }
    xmtp_arena_reset(&arena);
    return status;
}

/* ---- newcomers */

xmtp_status xmtp_sync_newcomer(xmtp_client *client, xmtp_error *error)
{
    client->device_sync.is_due = true;
    return xmtp_stored(client, xmtp_setting_set(client->db, "sync_newcomers", 1), error);
}

static bool is_lively(const xmtp_client *client, const xmtp_group_row *row)
{
    bool is_shown = row->kind == XMTP_GROUP_KIND_GROUP || row->kind == XMTP_GROUP_KIND_DM;
    uint64_t last_ns =
        row->last_message_ns > row->created_ns ? row->last_message_ns : row->created_ns;
    return is_shown && row->is_active && row->paused_for[0] == '\0' &&
           row->consent != XMTP_CONSENT_DENIED && last_ns + ACTIVE_NS >= xmtp_now_ns(client);
}

static xmtp_status refresh_group(xmtp_client *client, int64_t ref, xmtp_error *error)
{
    group_work work;
    xmtp_status status = xmtp_work_start(&work, client, ref, error);
    if (status == XMTP_OK) {
        status = xmtp_installations_refresh(&work, error);
    }
    if (status == XMTP_OK) {
        status = xmtp_work_reload(&work, error);
    }
    if (status == XMTP_OK && work.intents.count > 0) {
        status = xmtp_work_rounds(&work, false, error);
    }
    xmtp_work_end(&work);
    xmtp_states_trim(client, XMTP_STATE_CACHE_MAX);
    return status;
}

/* What the next conversation would meet as well. */
static bool concerns_all(xmtp_status status)
{
    if (xmtp_is_unreached(status)) {
        return true;
    }
    switch ((int)status) {
    case XMTP_E_NOMEM:
    case XMTP_E_IO:
    case XMTP_E_CLOSED:
    case XMTP_E_CANCELLED:
    case XMTP_E_RPC_EXHAUSTED:
    case XMTP_E_DATABASE:
    case XMTP_E_DISK_FULL:
    case XMTP_E_LOCKED:
        return true;
    default:
        return false;
    }
}

/* A conversation that fails by itself does not stop the others: it is looked at again by the next sync
 * that is due or the next message. */
static xmtp_status refresh_groups(xmtp_client *client, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_group_rows rows = {0};
    xmtp_scratch(client, &arena);
    xmtp_status status =
        xmtp_stored(client, xmtp_group_row_list(client->db, true, &arena, &rows), error);
    for (size_t i = 0; status == XMTP_OK && i < rows.count; i++) {
        if (is_lively(client, &rows.items[i])) {
            xmtp_error why = {0};
            status = refresh_group(client, rows.items[i].ref, &why);
            status = concerns_all(status) ? xmtp_fail(error, status, "%s", why.text) : XMTP_OK;
        }
    }
    xmtp_arena_reset(&arena);
    return status;
}

static xmtp_status cycle_in_transaction(xmtp_client *client, xmtp_error *error)
{
    XMTP_TRY(xmtp_hmac_cycle(client, error));
    xmtp_status status = xmtp_setting_set(client->db, "sync_newcomers", 0);
    if (status == XMTP_OK) {
        status = xmtp_setting_set(client->db, "hmac_cycle_due", 0);
    }
    return xmtp_stored(client, status, error);
}

/* Newcomers are taken into the conversations, and then get a root that who went does not have. Both
 * marks stay until that is done. */
static xmtp_status welcome_newcomers(xmtp_client *client, xmtp_error *error)
{
    uint64_t has_newcomers;
    uint64_t is_cycle_due;
    xmtp_status status = xmtp_setting_number(client->db, "sync_newcomers", &has_newcomers);
    if (status == XMTP_OK) {
        status = xmtp_setting_number(client->db, "hmac_cycle_due", &is_cycle_due);
    }
    XMTP_TRY(xmtp_stored(client, status, error));
    if (has_newcomers == 0 && is_cycle_due == 0) {
        return XMTP_OK;
    }
    if (has_newcomers != 0) {
        XMTP_TRY(refresh_groups(client, error));
    }
    XMTP_TRY(xmtp_begin(client, error));
    status = cycle_in_transaction(client, error);
    if (status != XMTP_OK) {
        xmtp_database_rollback(client->db);
        return status;
    }
    return xmtp_commit(client, error);
}

/* ---- the chore */

/* One, and another when an installation of ours that breaks the rules has let somebody into every other.
 * An installation that was taken out of all of them was revoked, and has nothing to say. */
static xmtp_status make_own_group(xmtp_client *client, bool *can_speak, xmtp_error *error)
{
    bool is_made;
    bool has_strangers = false;
    int64_t newest;
    xmtp_error none = {0};
    xmtp_status status = xmtp_sync_group_is_made(client->db, &is_made);
    if (status == XMTP_OK && is_made) {
        status = xmtp_sync_group_has_strangers(client->db, &has_strangers);
    }
    XMTP_TRY(xmtp_stored(client, status, error));
    status = newest_group(client, &newest, &none);
    *can_speak = status == XMTP_OK;
    if (status != XMTP_OK && status != XMTP_E_NOT_FOUND) {
        return xmtp_fail(error, status, "%s", none.text);
    }
    if (!is_made || (has_strangers && !*can_speak)) {
        XMTP_TRY(xmtp_sync_group_create(client, error));
        *can_speak = true;
    }
    return XMTP_OK;
}

xmtp_status xmtp_device_sync_chore(xmtp_client *client, xmtp_error *error)
{
    bool can_speak;
    if (!client->device_sync.is_on) {
        return XMTP_OK;
    }
    client->device_sync.is_due = false;
    XMTP_TRY(make_own_group(client, &can_speak, error));
    if (!can_speak) {
        return XMTP_OK;
    }
    XMTP_TRY(welcome_newcomers(client, error));
    XMTP_TRY(xmtp_preferences_send(client, error));
    return xmtp_history_chore(client, error);
}

xmtp_status xmtp_sync_check_on(const xmtp_client *client, xmtp_error *error)
{
    return client->device_sync.is_on
               ? XMTP_OK
               : xmtp_fail(error, XMTP_E_ARGUMENT, "this client was opened without device sync");
}

xmtp_status xmtp_sync_ready(xmtp_client *client, xmtp_error *error)
{
    bool can_speak;
    XMTP_TRY(make_own_group(client, &can_speak, error));
    return can_speak ? XMTP_OK
                     : xmtp_fail(error, XMTP_E_INACTIVE,
                                 "this installation was taken out of its inbox's sync groups");
}

/* ---- public */

xmtp_status xmtp_device_sync_configure(xmtp_client *client, const xmtp_device_sync_options *options,
                                       xmtp_error *error)
{
    const char *url = options == NULL || options->history_url == NULL ? "" : options->history_url;
    size_t n = strlen(url);
    if (n > XMTP_HISTORY_URL_MAX) {
        return xmtp_fail(error, XMTP_E_ARGUMENT,
                         "address of a history server of %zu bytes, at most %d", n,
                         XMTP_HISTORY_URL_MAX);
    }
    while (n > 0 && url[n - 1] == '/') {
        n--;
    }
    char *copy = client->env.alloc.reallocate(client->env.alloc.context, NULL, n + 1);
    XMTP_ENSURE(copy != NULL, xmtp_fail(error, XMTP_E_NOMEM, "no memory for a client"));
    memcpy(copy, url, n);
    copy[n] = '\0';
    client->device_sync = (device_sync_state){
        .is_on = options != NULL && options->is_on,
        .is_due = options != NULL && options->is_on,
        .http = options == NULL ? NULL : options->http,
        .history_url = copy,
    };
    return XMTP_OK;
}

static xmtp_status sync_groups(xmtp_client *client, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_group_positions all = {0};
    bool has_news = false;
    xmtp_scratch(client, &arena);
    xmtp_status status =
        xmtp_stored(client, xmtp_group_position_list(client->db, &arena, &all), error);
    for (size_t i = 0; status == XMTP_OK && i < all.count; i++) {
        if (all.items[i].kind == XMTP_GROUP_KIND_SYNC && all.items[i].is_active) {
            status = xmtp_sync_group(client, all.items[i].ref, &has_news, error);
        }
    }
    xmtp_arena_reset(&arena);
    return status;
}

xmtp_status xmtp_client_sync_devices(xmtp_client *client, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    XMTP_TRY(xmtp_sync_check_on(client, error));
    XMTP_TRY(xmtp_sync_welcomes(client, error));
    XMTP_TRY(sync_groups(client, error));
    return xmtp_device_sync_chore(client, error);
}
