/* commit_log.c - whether we agree with the others on a group's history (groups.md 3.11).
 *
 *     every commit taken here --> local row { sequence, result, epoch, authenticator }
 *         --(DMs, and groups where we are a super admin)--> signed entry --> the network's log
 *     the network's log --> entries under the group's one key that follow each other --> remote rows
 *         newest commit that both know: authenticators equal, or the group has forked
 *
 * The entries' key is the one of the first valid entry. Its private half is an attribute of the group,
 * so every member can sign; one that we make ourselves stays here.
 */
#include "client/commit_log.h"

#include "crypto/crypto.h"
#include "proto/paging.h"
#include "store/commit_log_store.h"

enum {
    UPLOAD_MAX = 10,
    GROUPS_PER_QUERY = 20,
    ENTRIES_PER_QUERY = 100,
    KEY_LEN = 32,
    SIGNATURE_LEN = 64
};

/* ---- local rows */

xmtp_status xmtp_commit_log_note(xmtp_client *client, int64_t ref, const xmtp_mls_group *group,
                                 uint64_t sequence, xmtp_commit_result result,
                                 xmtp_bytes last_authenticator, const char *kind, xmtp_error *error)
{
    xmtp_bytes authenticator = xmtp_mls_group_epoch_authenticator(group);
    const xmtp_local_commit_row row = {
        .group_ref = ref,
        .commit_sequence = sequence,
        .result = result,
        .epoch = xmtp_mls_group_epoch(group),
        .authenticator = authenticator,
        .last_authenticator = last_authenticator.n > 0 ? last_authenticator : authenticator,
        .kind = kind,
    };
    return xmtp_stored(client, xmtp_local_commit_insert(client->db, &row), error);
}

xmtp_status xmtp_commit_log_note_failure(group_work *work, uint64_t sequence, uint64_t commit_epoch,
                                         xmtp_commit_result result, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_local_commit_row newest;
    xmtp_client *client = work->client;
    xmtp_scratch(client, &arena);
    xmtp_status status = xmtp_local_commit_newest(client->db, work->row.ref, &arena, &newest);
    /* A commit from before our welcome is no failure of ours. */
    bool is_before_us = status == XMTP_OK && strcmp(newest.kind, "welcome") == 0 &&
                        result == XMTP_COMMIT_WRONG_EPOCH &&
                        commit_epoch <= xmtp_mls_group_epoch(work->group);
    xmtp_arena_reset(&arena);
    if (status != XMTP_OK && status != XMTP_E_NOT_FOUND) {
        return xmtp_stored(client, status, error);
    }
    return is_before_us ? XMTP_OK
                        : xmtp_commit_log_note(client, work->row.ref, work->group, sequence, result,
                                               (xmtp_bytes){0}, "commit", error);
}

/* ---- keys */

static bool is_key_of(const uint8_t seed[KEY_LEN], xmtp_bytes public_key)
{
    uint8_t pk[KEY_LEN];
    return xmtp_signature_ed25519.public_key(seed, pk) == XMTP_OK &&
           (public_key.n == 0 || xmtp_bytes_equal(public_key, xmtp_bytes_of(pk, sizeof(pk))));
}

static xmtp_status make_seed(xmtp_client *client, xmtp_commit_log_row *log, xmtp_arena *arena,
                             uint8_t seed[KEY_LEN], xmtp_error *error)
{
    XMTP_TRY(client->env.random(client->env.context, seed, KEY_LEN));
    XMTP_TRY(xmtp_arena_copy(arena, xmtp_bytes_of(seed, KEY_LEN), &log->signing_seed));
    return xmtp_stored(client, xmtp_commit_log_write(client->db, log), error);
}

/* *is_found false: the entries have a key that we do not hold. */
static xmtp_status find_seed(xmtp_client *client, const xmtp_mls_group *group,
                             xmtp_commit_log_row *log, xmtp_arena *arena, uint8_t seed[KEY_LEN],
                             bool *is_found, xmtp_error *error)
{
    const char *hex = NULL;
    *is_found = true;
    if (log->signing_seed.n == KEY_LEN && is_key_of(log->signing_seed.p, log->public_key)) {
        memcpy(seed, log->signing_seed.p, KEY_LEN);
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_group_attribute(arena, group, XMTP_ATTRIBUTE_COMMIT_LOG_SIGNER, &hex));
    if (hex != NULL && xmtp_hex_decode(seed, KEY_LEN, hex, strlen(hex)) == XMTP_OK &&
        is_key_of(seed, log->public_key)) {
        return XMTP_OK;
    }
    *is_found = log->public_key.n == 0;
    return *is_found ? make_seed(client, log, arena, seed, error) : XMTP_OK;
}

/* ---- upload */

typedef struct upload {
    Pb__PublishCommitLogRequest items[UPLOAD_MAX];
    Pb__PublishCommitLogRequest *pointers[UPLOAD_MAX];
    Pb__RecoverableEd25519Signature signatures[UPLOAD_MAX];
    uint8_t bytes[UPLOAD_MAX][SIGNATURE_LEN];
    uint8_t pk[KEY_LEN];
} upload;

static xmtp_status encode_entry(xmtp_bytes group_id, const xmtp_local_commit_row *row,
                                xmtp_arena *arena, xmtp_bytes *out)
{
    xmtp_writer w;
    Pb__PlaintextCommitLogEntry entry = PB__PLAINTEXT_COMMIT_LOG_ENTRY__INIT;
    entry.has_group_id = 1;
    entry.group_id = xmtp_proto_data(group_id);
    entry.has_commit_sequence_id = 1;
    entry.commit_sequence_id = row->commit_sequence;
    entry.has_last_epoch_authenticator = 1;
    entry.last_epoch_authenticator = xmtp_proto_data(row->last_authenticator);
    entry.has_commit_result = 1;
    entry.commit_result = (int32_t)row->result;
    entry.has_applied_epoch_number = row->epoch != 0;
    entry.applied_epoch_number = row->epoch;
    entry.has_applied_epoch_authenticator = 1;
    entry.applied_epoch_authenticator = xmtp_proto_data(row->authenticator);
    xmtp_writer_init(&w, arena->alloc, XMTP_WRITER_MAX);
    xmtp_status status = xmtp_proto_encode(&entry.base, &w);
    if (status == XMTP_OK) {
        status = xmtp_arena_copy(arena, xmtp_writer_bytes(&w), out);
    }
    xmtp_writer_free(&w);
    return status;
}

static xmtp_status fill_upload(upload *u, size_t i, xmtp_bytes group_id, xmtp_bytes entry,
                               const uint8_t seed[KEY_LEN])
{
    size_t signature_len = 0;
    XMTP_TRY(xmtp_signature_ed25519.sign(seed, u->pk, entry, u->bytes[i], &signature_len));
    pb__recoverable_ed25519_signature__init(&u->signatures[i]);
    u->signatures[i].has_bytes = 1;
    u->signatures[i].bytes = xmtp_proto_data(xmtp_bytes_of(u->bytes[i], signature_len));
    u->signatures[i].has_public_key = 1;
    u->signatures[i].public_key = xmtp_proto_data(xmtp_bytes_of(u->pk, KEY_LEN));
    pb__publish_commit_log_request__init(&u->items[i]);
    u->items[i].has_group_id = 1;
    u->items[i].group_id = xmtp_proto_data(group_id);
    u->items[i].has_serialized_commit_log_entry = 1;
    u->items[i].serialized_commit_log_entry = xmtp_proto_data(entry);
    u->items[i].signature = &u->signatures[i];
    u->pointers[i] = &u->items[i];
    return XMTP_OK;
}

static xmtp_status send_rows(xmtp_client *client, xmtp_bytes group_id, xmtp_commit_log_row *log,
                             const xmtp_local_commit_row *rows, size_t count,
                             const uint8_t seed[KEY_LEN], xmtp_arena *arena, xmtp_error *error)
{
    upload u;
    Pb__BatchPublishCommitLogRequest request = PB__BATCH_PUBLISH_COMMIT_LOG_REQUEST__INIT;
    XMTP_TRY(xmtp_signature_ed25519.public_key(seed, u.pk));
    for (size_t i = 0; i < count; i++) {
        xmtp_bytes entry;
        XMTP_TRY(encode_entry(group_id, &rows[i], arena, &entry));
        XMTP_TRY(fill_upload(&u, i, group_id, entry, seed));
    }
    request.n_requests = count;
    request.requests = u.pointers;
    XMTP_TRY(xmtp_call(client, XMTP_MLS_API("BatchPublishCommitLog"), &request.base, NULL, NULL,
                       NULL, error));
    log->uploaded = rows[count - 1].id;
    return xmtp_stored(client, xmtp_commit_log_write(client->db, log), error);
}

static xmtp_status upload_group(xmtp_client *client, const xmtp_group_row *row,
                                const xmtp_mls_group *group, xmtp_commit_log_row *log,
                                xmtp_arena *arena, xmtp_error *error)
{
    uint8_t seed[KEY_LEN];
    bool is_found = false;
    size_t count = UPLOAD_MAX;
    xmtp_local_commit_row *rows;
    xmtp_status status = XMTP_OK;
    while (status == XMTP_OK && count == UPLOAD_MAX) {
        status = xmtp_stored(client,
                             xmtp_local_commit_list(client->db, row->ref, log->uploaded, UPLOAD_MAX,
                                                    arena, &rows, &count),
                             error);
        if (status == XMTP_OK && count > 0 && !is_found) {
            status = find_seed(client, group, log, arena, seed, &is_found, error);
            count = is_found ? count : 0;
        }
        if (status == XMTP_OK && count > 0) {
            status = send_rows(client, row->group_id, log, rows, count, seed, arena, error);
        }
    }
    xmtp_wipe(seed, sizeof(seed));
    return status;
}

/* Everybody may write a DM's log, super admins a group's. */
static xmtp_status may_upload(xmtp_client *client, const xmtp_group_row *row,
                              const xmtp_mls_group *group, xmtp_arena *arena, bool *out)
{
    xmtp_bytes data;
    Pb__GroupMutableMetadata *metadata;
    *out = row->is_active && row->consent == XMTP_CONSENT_ALLOWED;
    if (!*out || row->kind == XMTP_GROUP_KIND_DM) {
        return XMTP_OK;
    }
    XMTP_ENSURE(xmtp_mls_group_extension(group, XMTP_EXTENSION_MUTABLE_METADATA, &data),
                XMTP_E_EXTENSION);
    XMTP_TRY(xmtp_mutable_metadata_decode(arena, data, &metadata));
    *out = xmtp_inbox_listed(metadata->super_admin_list, client->inbox_id);
    return XMTP_OK;
}

/* ---- download */

static bool is_signed(const Pb__QueryCommitLogResponse__Entry *entry, xmtp_bytes *public_key)
{
    if (entry->signature == NULL) {
        return false;
    }
    *public_key = xmtp_proto_bytes(entry->signature->public_key);
    xmtp_bytes signature = xmtp_proto_bytes(entry->signature->bytes);
    return public_key->n == KEY_LEN && signature.n == SIGNATURE_LEN &&
           xmtp_signature_ed25519.verify(*public_key,
                                         xmtp_proto_bytes(entry->serialized_commit_log_entry),
                                         signature) == XMTP_OK;
}

/* last NULL: the first entry that is kept. */
static bool follows(const Pb__PlaintextCommitLogEntry *e, const xmtp_remote_commit_row *last)
{
    xmtp_bytes authenticator = xmtp_proto_bytes(e->applied_epoch_authenticator);
    if (last == NULL) {
        return true;
    }
    if (e->commit_sequence_id <= last->commit_sequence) {
        return false;
    }
    if (e->commit_result == XMTP_COMMIT_APPLIED) {
        return e->applied_epoch_number == last->epoch + 1 &&
               xmtp_bytes_equal(xmtp_proto_bytes(e->last_epoch_authenticator), last->authenticator);
    }
    return e->applied_epoch_number == last->epoch &&
           xmtp_bytes_equal(authenticator, last->authenticator);
}

/* *kept: the entry became the newest of last. */
static xmtp_status take_entry(xmtp_client *client, const xmtp_group_row *row,
                              const Pb__QueryCommitLogResponse__Entry *entry,
                              xmtp_commit_log_row *log, xmtp_remote_commit_row *last,
                              bool *has_last, xmtp_arena *arena, xmtp_error *error)
{
    void *message;
    xmtp_bytes public_key;
    xmtp_bytes bytes = xmtp_proto_bytes(entry->serialized_commit_log_entry);
    log->downloaded = entry->sequence_id > log->downloaded ? entry->sequence_id : log->downloaded;
    if (entry->sequence_id > INT64_MAX || !is_signed(entry, &public_key) ||
        (log->public_key.n > 0 && !xmtp_bytes_equal(public_key, log->public_key)) ||
        xmtp_proto_decode(&pb__plaintext_commit_log_entry__descriptor, arena, bytes, &message) !=
            XMTP_OK) {
        return XMTP_OK;
    }
    const Pb__PlaintextCommitLogEntry *e = message;
    bool is_ours = xmtp_bytes_equal(xmtp_proto_bytes(e->group_id), row->group_id);
    if (!is_ours || e->commit_sequence_id == 0 || e->commit_sequence_id > INT64_MAX ||
        e->applied_epoch_number > INT64_MAX) {
        return XMTP_OK;
    }
    log->public_key = public_key; /* of the first valid one, from then on the same */
    if (!follows(e, *has_last ? last : NULL)) {
        return XMTP_OK;
    }
    *last = (xmtp_remote_commit_row){
        .group_ref = row->ref,
        .log_sequence = entry->sequence_id,
        .commit_sequence = e->commit_sequence_id,
        .result = (uint32_t)e->commit_result,
        .epoch = e->applied_epoch_number,
        .authenticator = xmtp_proto_bytes(e->applied_epoch_authenticator),
    };
    *has_last = true;
    return xmtp_stored(client, xmtp_remote_commit_insert(client->db, last), error);
}

static xmtp_status take_page(xmtp_client *client, const xmtp_group_row *row,
                             const Pb__QueryCommitLogResponse *page, xmtp_arena *arena,
                             xmtp_error *error)
{
    xmtp_commit_log_row log;
    xmtp_remote_commit_row *newest;
    xmtp_remote_commit_row last = {0};
    size_t count;
    XMTP_TRY(xmtp_stored(client, xmtp_commit_log_read(client->db, row->ref, arena, &log), error));
    XMTP_TRY(xmtp_stored(
        client, xmtp_remote_commit_list(client->db, row->ref, 1, arena, &newest, &count), error));
    bool has_last = count == 1;
    if (has_last) {
        last = newest[0];
    }
    for (size_t i = 0; i < page->n_commit_log_entries; i++) {
        XMTP_TRY(take_entry(client, row, page->commit_log_entries[i], &log, &last, &has_last, arena,
                            error));
    }
    return xmtp_stored(client, xmtp_commit_log_write(client->db, &log), error);
}

typedef struct question {
    Pb__QueryCommitLogRequest items[GROUPS_PER_QUERY];
    Pb__QueryCommitLogRequest *pointers[GROUPS_PER_QUERY];
    Pb__PagingInfo paging[GROUPS_PER_QUERY];
} question;

static xmtp_status ask(xmtp_client *client, const xmtp_group_row *rows, size_t count,
                       xmtp_arena *arena, const Pb__BatchQueryCommitLogResponse **out,
                       xmtp_error *error)
{
    question q;
    void *answer;
    Pb__BatchQueryCommitLogRequest request = PB__BATCH_QUERY_COMMIT_LOG_REQUEST__INIT;
    for (size_t i = 0; i < count; i++) {
        xmtp_commit_log_row log;
        XMTP_TRY(
            xmtp_stored(client, xmtp_commit_log_read(client->db, rows[i].ref, arena, &log), error));
        xmtp_paging_after(&q.paging[i], log.downloaded, ENTRIES_PER_QUERY);
        pb__query_commit_log_request__init(&q.items[i]);
        q.items[i].has_group_id = 1;
        q.items[i].group_id = xmtp_proto_data(rows[i].group_id);
        q.items[i].paging_info = &q.paging[i];
        q.pointers[i] = &q.items[i];
    }
    request.n_requests = count;
    request.requests = q.pointers;
    XMTP_TRY(xmtp_call(client, XMTP_MLS_API("BatchQueryCommitLog"), &request.base,
                       &pb__batch_query_commit_log_response__descriptor, arena, &answer, error));
    *out = answer;
    return XMTP_OK;
}

static xmtp_status download(xmtp_client *client, const xmtp_group_row *rows, size_t count,
                            xmtp_error *error)
{
    xmtp_arena arena;
    const Pb__BatchQueryCommitLogResponse *answer = NULL;
    xmtp_scratch(client, &arena);
    xmtp_status status = ask(client, rows, count, &arena, &answer, error);
    for (size_t i = 0; status == XMTP_OK && i < answer->n_responses; i++) {
        xmtp_bytes group_id = xmtp_proto_bytes(answer->responses[i]->group_id);
        for (size_t k = 0; status == XMTP_OK && k < count; k++) {
            if (xmtp_bytes_equal(group_id, rows[k].group_id)) {
                status = take_page(client, &rows[k], answer->responses[i], &arena, error);
            }
        }
    }
    xmtp_arena_reset(&arena);
    return status;
}

/* ---- comparing */

static xmtp_status compare(xmtp_client *client, int64_t ref, xmtp_commit_log_row *log,
                           xmtp_error *error)
{
    bool is_equal = false;
    bool is_newest = false;
    xmtp_status status = xmtp_commit_compare(client->db, ref, &is_equal, &is_newest);
    if (status != XMTP_OK && status != XMTP_E_NOT_FOUND) {
        return xmtp_stored(client, status, error);
    }
    log->fork_state = status == XMTP_E_NOT_FOUND ? XMTP_FORK_UNKNOWN
                      : !is_equal                ? XMTP_FORK_YES
                      : is_newest                ? XMTP_FORK_NO
                                                 : XMTP_FORK_UNKNOWN;
    return xmtp_stored(client, xmtp_commit_log_write(client->db, log), error);
}

static xmtp_status check_and_upload(xmtp_client *client, const xmtp_group_row *row,
                                    xmtp_arena *arena, xmtp_error *error)
{
    xmtp_commit_log_row log;
    xmtp_mls_group *group;
    bool may = false;
    XMTP_TRY(xmtp_stored(client, xmtp_commit_log_read(client->db, row->ref, arena, &log), error));
    XMTP_TRY(compare(client, row->ref, &log, error));
    XMTP_TRY(xmtp_cache_open(client, row->ref, &group, error));
    XMTP_TRY(may_upload(client, row, group, arena, &may));
    return may ? upload_group(client, row, group, &log, arena, error) : XMTP_OK;
}

/* ---- ticks */

static size_t keep_shown(xmtp_group_rows *rows)
{
    size_t n = 0;
    for (size_t i = 0; i < rows->count; i++) {
        uint32_t kind = rows->items[i].kind;
        if (kind == XMTP_GROUP_KIND_GROUP || kind == XMTP_GROUP_KIND_DM) {
            rows->items[n++] = rows->items[i];
        }
    }
    rows->count = n;
    return n;
}

static xmtp_status tick(xmtp_client *client, xmtp_arena *arena, xmtp_error *error)
{
    xmtp_group_rows rows;
    XMTP_TRY(xmtp_stored(client, xmtp_group_row_list(client->db, true, arena, &rows), error));
    size_t count = keep_shown(&rows);
    for (size_t i = 0; i < count; i += GROUPS_PER_QUERY) {
        size_t n = count - i < GROUPS_PER_QUERY ? count - i : GROUPS_PER_QUERY;
        XMTP_TRY(download(client, rows.items + i, n, error));
    }
    xmtp_status first = XMTP_OK;
    for (size_t i = 0; i < count; i++) {
        xmtp_status status =
            check_and_upload(client, &rows.items[i], arena, first == XMTP_OK ? error : NULL);
        first = first == XMTP_OK ? status : first;
    }
    return first;
}

xmtp_status xmtp_client_sync_commit_logs(xmtp_client *client, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    xmtp_arena arena;
    xmtp_error why = {0};
    xmtp_scratch(client, &arena);
    xmtp_status status = tick(client, &arena, &why);
    xmtp_arena_reset(&arena);
    if (status != XMTP_OK && status != XMTP_E_RPC_UNIMPLEMENTED) {
        return xmtp_fail(error, status, "%s", why.text);
    }
    return XMTP_OK; /* a node without a log of commits has nothing to compare with */
}

xmtp_status xmtp_commit_log_chore(xmtp_client *client, xmtp_error *error)
{
    uint64_t due_ns;
    uint64_t now_ns = xmtp_now_ns(client);
    XMTP_TRY(
        xmtp_stored(client, xmtp_setting_number(client->db, "commit_log_due", &due_ns), error));
    if (due_ns != 0 && due_ns > now_ns) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_stored(client,
                         xmtp_setting_set(client->db, "commit_log_due",
                                          now_ns + client->chores.commit_log_interval_ns),
                         error));
    return due_ns == 0 ? XMTP_OK : xmtp_client_sync_commit_logs(client, error);
}

/* ---- what is known */

static xmtp_status copy_entries(xmtp_client *client, int64_t ref, xmtp_arena *arena,
                                xmtp_debug_info *out, xmtp_error *error)
{
    xmtp_local_commit_row *local;
    xmtp_remote_commit_row *remote;
    void *items;
    int64_t after = 0;
    XMTP_TRY(xmtp_stored(
        client, xmtp_local_commit_before_newest(client->db, ref, XMTP_DEBUG_COMMITS_MAX, &after),
        error));
    XMTP_TRY(xmtp_stored(client,
                         xmtp_local_commit_list(client->db, ref, after, XMTP_DEBUG_COMMITS_MAX,
                                                arena, &local, &out->local_count),
                         error));
    XMTP_TRY(xmtp_arena_take_array(arena, out->local_count, sizeof(xmtp_commit_entry), &items));
    out->local = items;
    for (size_t i = 0; i < out->local_count; i++) {
        ((xmtp_commit_entry *)items)[i] =
            (xmtp_commit_entry){local[i].commit_sequence, (xmtp_commit_result)local[i].result,
                                local[i].epoch, local[i].authenticator};
    }
    XMTP_TRY(xmtp_stored(client,
                         xmtp_remote_commit_list(client->db, ref, XMTP_DEBUG_COMMITS_MAX, arena,
                                                 &remote, &out->remote_count),
                         error));
    XMTP_TRY(xmtp_arena_take_array(arena, out->remote_count, sizeof(xmtp_commit_entry), &items));
    out->remote = items;
    for (size_t i = 0; i < out->remote_count; i++) {
        ((xmtp_commit_entry *)items)[i] =
            (xmtp_commit_entry){remote[i].commit_sequence, (xmtp_commit_result)remote[i].result,
                                remote[i].epoch, remote[i].authenticator};
    }
    return XMTP_OK;
}

xmtp_status xmtp_client_debug_info(xmtp_client *client, const xmtp_conversation_id *id,
                                   xmtp_debug_info *out, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    int64_t ref;
    xmtp_group_row row;
    xmtp_commit_log_row log;
    *out = (xmtp_debug_info){0};
    XMTP_TRY(xmtp_conversation_find(client, id, &ref, error));
    xmtp_arena_reset(&client->out);
    XMTP_TRY(xmtp_stored(client, xmtp_group_row_read(client->db, ref, &client->out, &row), error));
    XMTP_TRY(xmtp_stored(client, xmtp_commit_log_read(client->db, ref, &client->out, &log), error));
    out->epoch = row.epoch;
    out->is_maybe_forked = row.is_forked;
    out->fork_details = row.fork_details;
    out->commit_log_fork = (xmtp_fork_state)log.fork_state;
    out->commit_cursor = row.commit_cursor;
    out->cursor = row.cursor;
    return copy_entries(client, ref, &client->out, out, error);
}
