/* commit_apply.c - one commit becomes true: judged, merged, told in the transcript, one
 * transaction.
 *
 *     staged --rules V1-V17--> facts --> { MLS records, row, transcript, cursor, intent } committed
 *
 * A commit that breaks the rules is stepped over by everybody who judges alike. Our own that lost
 * the race goes back to be built again in the present epoch.
 */
#include "client/commit_log.h"

xmtp_status xmtp_group_attribute(xmtp_arena *arena, const xmtp_mls_group *group, const char *key,
                                 const char **value)
{
    xmtp_bytes data;
    Pb__GroupMutableMetadata *metadata;
    *value = NULL;
    if (!xmtp_mls_group_extension(group, XMTP_EXTENSION_MUTABLE_METADATA, &data)) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_mutable_metadata_decode(arena, data, &metadata));
    *value = xmtp_attribute(metadata, key);
    return XMTP_OK;
}

xmtp_status xmtp_row_refresh(xmtp_arena *arena, const xmtp_mls_group *group, xmtp_group_row *row,
                             xmtp_error *error)
{
    xmtp_bytes data;
    Pb__GroupMembership *membership;
    if (!xmtp_mls_group_extension(group, XMTP_EXTENSION_MEMBERSHIP, &data)) {
        return xmtp_fail(error, XMTP_E_MEMBERSHIP, "group without a membership list");
    }
    XMTP_TRY(xmtp_membership_decode(arena, data, &membership));
    const char *name;
    XMTP_TRY(xmtp_group_attribute(arena, group, XMTP_ATTRIBUTE_NAME, &name));
    row->name = name == NULL || row->kind == XMTP_GROUP_KIND_DM ? "" : name;
    row->member_count = (uint32_t)membership->n_members;
    row->epoch = xmtp_mls_group_epoch(group);
    row->is_active = xmtp_mls_group_is_active(group);
    return XMTP_OK;
}

/* Cursor over a commit that changes nothing, with why and what happens to its intent. */
static xmtp_status skip_commit(group_work *work, uint64_t sequence, xmtp_commit_result why,
                               const xmtp_intent_row *retry, xmtp_error *error)
{
    xmtp_client *client = work->client;
    XMTP_TRY(xmtp_begin(client, error));
    xmtp_status status = xmtp_group_row_set_cursor(client->db, work->row.ref, sequence);
    if (status == XMTP_OK) {
        uint64_t epoch = retry == NULL ? work->row.epoch : retry->epoch;
        status = xmtp_commit_log_note_failure(work, sequence, epoch, why, error);
    }
    if (status == XMTP_OK && retry != NULL) {
        status = xmtp_intent_set_to_publish(client->db, retry->id);
    }
    if (status == XMTP_OK) {
        status = xmtp_database_commit(client->db);
    }
    if (status != XMTP_OK) {
        return xmtp_work_abandon(work, xmtp_stored(client, status, error));
    }
    work->row.cursor = sequence;
    work->committed = work->row;
    return XMTP_OK;
}

/* V17: the group waits for a newer library; the cursor stays, so the commit is read again then. */
static xmtp_status pause(group_work *work, const char *minimum_version, xmtp_error *error)
{
    xmtp_client *client = work->client;
    xmtp_group_row row = work->row;
    row.paused_for = minimum_version == NULL ? "unknown" : minimum_version;
    XMTP_TRY(xmtp_stored(client, xmtp_group_row_update(client->db, &row), error));
    return xmtp_work_reload(work, error);
}

/* What belongs to a merged commit besides the MLS state. */
static xmtp_status store_consequences(group_work *work, const xmtp_commit_facts *facts,
                                      const Pb__GroupMessage__V1 *message,
                                      const xmtp_intent_row *own, xmtp_arena *arena,
                                      xmtp_error *error)
{
    xmtp_client *client = work->client;
    xmtp_group_row row = work->row;
    row.cursor = message->id;
    row.commit_cursor = message->id;
    row.stage = XMTP_GROUP_READY;
    XMTP_TRY(xmtp_row_refresh(arena, work->group, &row, error));
    if (own != NULL) {
        row.rotated_ns = xmtp_now_ns(client);
        XMTP_TRY(
            xmtp_stored(client, xmtp_commit_set_applied(client->db, own->id, message->id), error));
    }
    XMTP_TRY(xmtp_stored(client, xmtp_group_row_update(client->db, &row), error));
    if (facts->makes_transcript) {
        XMTP_TRY(xmtp_transcript_commit(work, facts, message->id, message->created_ns, error));
    }
    XMTP_TRY(xmtp_leave_forget(work, facts, error));
    work->row = row; /* its strings move to the work's arena with the reload below */
    return XMTP_OK;
}

/* Open intents of a group that we are no longer in can never be done. */
static xmtp_status fail_intents(group_work *work, xmtp_error *error)
{
    xmtp_error why = {0};
    (void)xmtp_fail(&why, XMTP_E_INACTIVE, "no longer a member of this conversation");
    for (size_t i = 0; i < work->intents.count; i++) {
        const xmtp_intent_row *intent = &work->intents.items[i];
        if (intent->state == XMTP_INTENT_TO_PUBLISH || intent->state == XMTP_INTENT_PUBLISHED) {
            XMTP_TRY(xmtp_intent_fail(work, intent, XMTP_E_INACTIVE, &why, error));
        }
    }
    return XMTP_OK;
}

static xmtp_status merge_and_store(group_work *work, xmtp_mls_staged *staged,
                                   const xmtp_commit_facts *facts,
                                   const Pb__GroupMessage__V1 *message, const xmtp_intent_row *own,
                                   xmtp_arena *arena, xmtp_mls_writes *writes, xmtp_error *error)
{
    xmtp_client *client = work->client;
    bool is_removed = xmtp_mls_staged_removes_us(staged);
    xmtp_bytes before;
    XMTP_TRY(xmtp_arena_copy(arena, xmtp_mls_group_epoch_authenticator(work->group), &before));
    XMTP_TRY(xmtp_mls_group_merge(work->group, staged, writes, error));
    XMTP_TRY(xmtp_writes_store(client, work->row.ref, writes, error));
    XMTP_TRY(store_consequences(work, facts, message, own, arena, error));
    if (is_removed) {
        return fail_intents(work, error);
    }
    return xmtp_commit_log_note(client, work->row.ref, work->group, message->id,
                                XMTP_COMMIT_APPLIED, before, "commit", error);
}

/* Consumes staged. */
static xmtp_status merge_commit(group_work *work, xmtp_mls_staged *staged,
                                const xmtp_commit_facts *facts, const Pb__GroupMessage__V1 *message,
                                const xmtp_intent_row *own, xmtp_arena *arena, xmtp_error *error)
{
    xmtp_client *client = work->client;
    xmtp_mls_writes *writes = NULL;
    xmtp_status status = xmtp_mls_writes_new(&writes, &client->env);
    if (status == XMTP_OK) {
        status = xmtp_begin(client, error);
    }
    if (status != XMTP_OK) {
        xmtp_mls_writes_free(writes);
        xmtp_mls_staged_free(staged);
        return status;
    }
    status = merge_and_store(work, staged, facts, message, own, arena, writes, error);
    xmtp_mls_writes_free(writes);
    if (status == XMTP_OK) {
        status = xmtp_stored(client, xmtp_database_commit(client->db), error);
    }
    if (status != XMTP_OK) {
        return xmtp_work_abandon(work, status);
    }
    work->has_news = true;
    client->stream.is_stale = client->stream.is_stale || !work->row.is_active;
    return XMTP_OK;
}

/* Consumes staged. The rules' verdict, then the commit, or the cursor over it. */
static xmtp_status judge_and_merge(group_work *work, xmtp_mls_staged *staged,
                                   const Pb__GroupMessage__V1 *message, const xmtp_intent_row *own,
                                   xmtp_arena *arena, xmtp_error *error)
{
    xmtp_client *client = work->client;
    xmtp_commit_facts facts = {0};
    xmtp_error why = {0};
    xmtp_state_lookup lookup = xmtp_client_states(client);
    xmtp_status status = xmtp_commit_validate(work->group, staged, &lookup, arena, &facts, &why);
    if (status == XMTP_OK) {
        return merge_commit(work, staged, &facts, message, own, arena, error);
    }
    xmtp_mls_staged_free(staged);
    if (status == XMTP_E_PAUSED) {
        return pause(work, facts.minimum_version, error);
    }
    if (xmtp_is_our_trouble(status)) {
        return xmtp_fail(error, status, "%s", why.text);
    }
    if (own != NULL) {
        XMTP_TRY(xmtp_intent_fail(work, own, status, &why, error));
    }
    return skip_commit(work, message->id, XMTP_COMMIT_INVALID, NULL, error);
}

static xmtp_status finish(group_work *work, xmtp_status status, xmtp_arena *arena,
                          xmtp_error *error)
{
    /* The row's new strings live in the arena that ends here: read it again. */
    xmtp_status reloaded = XMTP_OK;
    if (status == XMTP_OK) {
        reloaded = xmtp_work_reload(work, error);
    }
    xmtp_arena_reset(arena);
    xmtp_states_trim(work->client, XMTP_STATE_CACHE_MAX);
    return status == XMTP_OK ? reloaded : status;
}

xmtp_status xmtp_apply_foreign_commit(group_work *work, const Pb__GroupMessage__V1 *message,
                                      xmtp_mls_staged *staged, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_scratch(work->client, &arena);
    xmtp_status status = judge_and_merge(work, staged, message, NULL, &arena, error);
    return finish(work, status, &arena, error);
}

/* What is stored of an own commit. */
typedef struct own_commit {
    bool is_made; /* during this work, and still here: nothing was read */
    xmtp_bytes staged;
    xmtp_bytes content;
} own_commit;

static xmtp_status read_own(group_work *work, const Pb__GroupMessage__V1 *message,
                            const xmtp_intent_row *intent, xmtp_arena *arena, own_commit *out)
{
    xmtp_database *db = work->client->db;
    xmtp_intent_row full;
    *out = (own_commit){
        .is_made = work->made.pending != NULL &&
                   xmtp_mls_pending_is(work->made.pending, xmtp_proto_bytes(message->data))};
    if (out->is_made) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_intent_read(db, intent->id, arena, &full));
    out->staged = full.staged;
    xmtp_status status =
        xmtp_commit_part_read(db, intent->id, XMTP_COMMIT_CONTENT, arena, &out->content);
    return status == XMTP_E_NOT_FOUND ? XMTP_OK : status; /* in staged, from an earlier version */
}

/* MLS sees whether the group has changed since it was made. The signatures of one that was read are verified
 * again. */
static xmtp_status stage_own(group_work *work, const own_commit *own, xmtp_mls_staged **out,
                             xmtp_error *error)
{
    xmtp_mls_pending *pending;
    if (own->is_made && work->made.staged != NULL &&
        xmtp_mls_staged_is_current(work->made.staged, work->group)) {
        *out = work->made.staged;
        work->made.staged = NULL;
        return XMTP_OK;
    }
    if (own->is_made) {
        return xmtp_mls_group_stage_pending(work->group, work->made.pending, out, error);
    }
    XMTP_TRY(
        xmtp_mls_pending_decode_short(&pending, work->group, own->staged, own->content, error));
    xmtp_status status = xmtp_mls_group_stage_pending(work->group, pending, out, error);
    xmtp_mls_pending_free(pending);
    return status;
}

static xmtp_status apply_own(group_work *work, const Pb__GroupMessage__V1 *message, uint64_t epoch,
                             xmtp_intent_row *intent, xmtp_arena *arena, xmtp_error *error)
{
    own_commit own;
    xmtp_mls_staged *staged = NULL;
    if (epoch != xmtp_mls_group_epoch(work->group)) {
        return skip_commit(work, message->id, XMTP_COMMIT_WRONG_EPOCH, intent, error);
    }
    XMTP_TRY(xmtp_stored(work->client, read_own(work, message, intent, arena, &own), error));
    xmtp_status status = stage_own(work, &own, &staged, error);
    if (status != XMTP_OK && !xmtp_is_our_trouble(status)) {
        return skip_commit(work, message->id, XMTP_COMMIT_INVALID, intent, error);
    }
    XMTP_TRY(status);
    return judge_and_merge(work, staged, message, intent, arena, error);
}

xmtp_status xmtp_apply_own_commit(group_work *work, const Pb__GroupMessage__V1 *message,
                                  uint64_t epoch, xmtp_intent_row *intent, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_scratch(work->client, &arena);
    xmtp_status status = apply_own(work, message, epoch, intent, &arena, error);
    return finish(work, status, &arena, error);
}
