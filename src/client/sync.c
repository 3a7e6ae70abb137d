/* sync.c - welcomes, then everything that is new in every conversation, then what is still unsent.
 */
#include "client/commit_log.h"
#include "client/device_sync.h"
#include "proto/paging.h"

#include <stdlib.h>

enum { NEWEST_PER_CALL = 1000 };

static const uint64_t REFRESH_ON_SYNC_NS = UINT64_C(1800) * XMTP_SECOND_NS;

/* ---- welcomes */

static xmtp_status query_welcomes(xmtp_client *client, uint64_t cursor, xmtp_arena *arena,
                                  const Pb__QueryWelcomeMessagesResponse **out, xmtp_error *error)
{
    Pb__PagingInfo paging;
    xmtp_paging_after(&paging, cursor, XMTP_PAGE_MAX);
    Pb__QueryWelcomeMessagesRequest request = PB__QUERY_WELCOME_MESSAGES_REQUEST__INIT;
    request.has_installation_key = 1;
    request.installation_key =
        xmtp_proto_data(xmtp_bytes_of(client->installation.pk, sizeof(client->installation.pk)));
    request.paging_info = &paging;
    void *answer;
    XMTP_TRY(xmtp_call(client, XMTP_MLS_API("QueryWelcomeMessages"), &request.base,
                       &pb__query_welcome_messages_response__descriptor, arena, &answer, error));
    *out = answer;
    return XMTP_OK;
}

/* An honest page is in order. One that is not is put in order: the cursor only rises, so whatever
 * came late would be lost. */
static void sort_welcomes(Pb__WelcomeMessage **messages, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        Pb__WelcomeMessage *message = messages[i];
        size_t j = i;
        while (j > 0 && xmtp_welcome_sequence(messages[j - 1]) > xmtp_welcome_sequence(message)) {
            messages[j] = messages[j - 1];
            j--;
        }
        messages[j] = message;
    }
}

static xmtp_status welcome_page(xmtp_client *client, uint64_t cursor, size_t *count,
                                xmtp_error *error)
{
    xmtp_arena arena;
    const Pb__QueryWelcomeMessagesResponse *page;
    *count = 0;
    xmtp_scratch(client, &arena);
    xmtp_status status = query_welcomes(client, cursor, &arena, &page, error);
    if (status == XMTP_OK) {
        sort_welcomes(page->messages, page->n_messages);
        xmtp_welcomes_begin(client, page->messages, page->n_messages);
    }
    for (size_t i = 0; status == XMTP_OK && i < page->n_messages; i++) {
        status = xmtp_welcome_process(client, page->messages[i], error);
        (*count)++;
    }
    xmtp_welcomes_end(client);
    xmtp_arena_reset(&arena);
    return status;
}

xmtp_status xmtp_sync_welcomes(xmtp_client *client, xmtp_error *error)
{
    size_t count = XMTP_PAGE_MAX;
    uint64_t before = UINT64_MAX;
    while (count >= XMTP_PAGE_MAX) {
        uint64_t cursor;
        XMTP_TRY(
            xmtp_stored(client, xmtp_setting_number(client->db, "welcome_cursor", &cursor), error));
        if (cursor == before) {
            break; /* a page that moved nothing */
        }
        before = cursor;
        XMTP_TRY(welcome_page(client, cursor, &count, error));
    }
    return XMTP_OK;
}

/* ---- one conversation */

/* A group that waited for a newer library goes on when this one is new enough. */
static xmtp_status unpause(group_work *work, xmtp_error *error)
{
    if (work->row.paused_for[0] == '\0' ||
        xmtp_version_compare(work->row.paused_for, XMTP_EQUIVALENT_VERSION) > 0) {
        return XMTP_OK;
    }
    work->row.paused_for = "";
    return xmtp_stored(work->client, xmtp_group_row_update(work->client->db, &work->row), error);
}

static xmtp_status refresh_when_due(group_work *work, xmtp_error *error)
{
    uint64_t now_ns = xmtp_now_ns(work->client);
    bool is_usable = work->row.is_active && work->row.paused_for[0] == '\0';
    if (!is_usable || work->row.checked_ns + REFRESH_ON_SYNC_NS > now_ns) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_installations_refresh(work, error));
    return work->intents.count == 0 ? XMTP_OK : xmtp_work_rounds(work, true, error);
}

xmtp_status xmtp_sync_group(xmtp_client *client, int64_t ref, bool *has_news, xmtp_error *error)
{
    group_work work;
    xmtp_status status = xmtp_work_start(&work, client, ref, error);
    if (status == XMTP_OK && work.row.state == XMTP_MEMBERSHIP_RESTORED) {
        xmtp_work_end(&work);
        return XMTP_OK; /* nothing that comes could be opened: a welcome makes it a conversation */
    }
    if (status == XMTP_OK) {
        status = unpause(&work, error);
    }
    if (status == XMTP_OK) {
        xmtp_pages_ahead_take(&work);
        status = xmtp_work_rounds(&work, false, error);
    }
    if (status == XMTP_OK) {
        status = refresh_when_due(&work, error);
    }
    *has_news = *has_news || work.has_news;
    xmtp_work_end(&work);
    xmtp_states_trim(client, XMTP_STATE_CACHE_MAX);
    return status;
}

static xmtp_status sync_dm_duplicates(xmtp_client *client, const xmtp_group_row *row,
                                      xmtp_arena *arena, xmtp_error *error)
{
    xmtp_group_rows rows;
    bool has_news = false;
    xmtp_status first = XMTP_OK;
    XMTP_TRY(
        xmtp_stored(client, xmtp_group_row_list_dm(client->db, row->dm_id, arena, &rows), error));
    for (size_t i = 0; i < rows.count; i++) {
        xmtp_status status =
            xmtp_sync_group(client, rows.items[i].ref, &has_news, first == XMTP_OK ? error : NULL);
        first = first == XMTP_OK ? status : first;
    }
    return first;
}

xmtp_status xmtp_client_sync_conversation(xmtp_client *client, const xmtp_conversation_id *id,
                                          xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    int64_t ref = 0;
    xmtp_arena arena;
    xmtp_group_row row;
    bool has_news = false;
    XMTP_TRY(xmtp_conversation_find(client, id, &ref, error));
    xmtp_scratch(client, &arena);
    xmtp_status status =
        xmtp_stored(client, xmtp_group_row_read(client->db, ref, &arena, &row), error);
    if (status == XMTP_OK) {
        status = row.dm_id[0] != '\0' ? sync_dm_duplicates(client, &row, &arena, error)
                                      : xmtp_sync_group(client, ref, &has_news, error);
    }
    xmtp_arena_reset(&arena);
    return status;
}

/* ---- all of them */

static xmtp_status newest_of_some(xmtp_client *client, group_due *due, size_t count,
                                  xmtp_arena *arena, xmtp_error *error)
{
    void *ids;
    XMTP_TRY(xmtp_arena_take_array(arena, count, sizeof(ProtobufCBinaryData), &ids));
    for (size_t i = 0; i < count; i++) {
        ((ProtobufCBinaryData *)ids)[i] = xmtp_proto_data(due[i].at.group_id);
    }
    Pb__GetNewestGroupMessageRequest request = PB__GET_NEWEST_GROUP_MESSAGE_REQUEST__INIT;
    request.n_group_ids = count;
    request.group_ids = ids;
    void *answer;
    XMTP_TRY(xmtp_call(client, XMTP_MLS_API("GetNewestGroupMessage"), &request.base,
                       &pb__get_newest_group_message_response__descriptor, arena, &answer, error));
    const Pb__GetNewestGroupMessageResponse *found = answer;
    for (size_t i = 0; i < count; i++) {
        const Pb__GroupMessage *message =
            i < found->n_responses ? found->responses[i]->group_message : NULL;
        bool is_there = message != NULL && message->version_case == PB__GROUP_MESSAGE__VERSION_V1;
        due[i].newest = is_there ? message->v1->id : 0;
    }
    return XMTP_OK;
}

/* Newest sequence of each conversation; UINT64_MAX where the node does not tell. */
static xmtp_status newest_of_all(xmtp_client *client, group_due *due, size_t count,
                                 xmtp_arena *arena, xmtp_error *error)
{
    for (size_t i = 0; i < count; i += NEWEST_PER_CALL) {
        size_t n = count - i < NEWEST_PER_CALL ? count - i : NEWEST_PER_CALL;
        xmtp_error why = {0};
        xmtp_status status = newest_of_some(client, due + i, n, arena, &why);
        if (status == XMTP_E_RPC_UNIMPLEMENTED) {
            for (size_t j = 0; j < n; j++) {
                due[i + j].newest = UINT64_MAX;
            }
        } else if (status != XMTP_OK) {
            return xmtp_fail(error, status, "%s", why.text);
        }
    }
    return XMTP_OK;
}

/* Virtual groups are always looked at: nobody consents to them. Restored ones never. */
static bool is_wanted(const xmtp_group_position *at, uint32_t consent_states)
{
    bool is_virtual = at->kind != XMTP_GROUP_KIND_GROUP && at->kind != XMTP_GROUP_KIND_DM;
    bool has_consent = (XMTP_CONSENT_BIT(at->consent) & consent_states) != 0;
    return (is_virtual || has_consent) && at->state != XMTP_MEMBERSHIP_RESTORED;
}

static xmtp_status list_wanted(xmtp_client *client, uint32_t consent_states, xmtp_arena *arena,
                               group_due **due, size_t *count, xmtp_error *error)
{
    xmtp_group_positions all;
    void *wanted;
    *count = 0;
    XMTP_TRY(xmtp_stored(client, xmtp_group_position_list(client->db, arena, &all), error));
    XMTP_TRY(xmtp_arena_take_array(arena, all.count, sizeof(group_due), &wanted));
    *due = wanted;
    for (size_t i = 0; i < all.count; i++) {
        if (is_wanted(&all.items[i], consent_states)) {
            (*due)[(*count)++] = (group_due){.at = all.items[i]};
        }
    }
    return XMTP_OK;
}

/* Conversations that still have something to send; few, if any. */
typedef struct unsent {
    int64_t *refs;
    size_t count;
} unsent;

static bool has_unsent(const unsent *u, int64_t ref)
{
    for (size_t i = 0; i < u->count; i++) {
        if (u->refs[i] == ref) {
            return true;
        }
    }
    return false;
}

static bool is_due(xmtp_client *client, const group_due *due, const unsent *u)
{
    const xmtp_group_position *at = &due->at;
    bool is_old = at->is_active && at->checked_ns + REFRESH_ON_SYNC_NS <= xmtp_now_ns(client);
    return due->newest > at->cursor || is_old || at->is_paused || has_unsent(u, at->ref);
}

static int newest_first(const void *left, const void *right)
{
    const xmtp_group_position *a = &((const group_due *)left)->at;
    const xmtp_group_position *b = &((const group_due *)right)->at;
    if (a->newest_ns != b->newest_ns) {
        return a->newest_ns > b->newest_ns ? -1 : 1;
    }
    return a->ref > b->ref ? -1 : a->ref < b->ref;
}

/* Leaves those that have something to do, the one with the newest message first. */
static xmtp_status keep_due(xmtp_client *client, group_due *due, size_t *count, xmtp_arena *arena,
                            xmtp_error *error)
{
    unsent u;
    size_t n = 0;
    XMTP_TRY(xmtp_stored(client, xmtp_intent_groups(client->db, arena, &u.refs, &u.count), error));
    for (size_t i = 0; i < *count; i++) {
        if (is_due(client, &due[i], &u)) {
            due[n++] = due[i];
        }
    }
    *count = n;
    if (n > 1) {
        qsort(due, n, sizeof(*due), newest_first);
    }
    return XMTP_OK;
}

static xmtp_status sync_groups(xmtp_client *client, uint32_t consent_states,
                               xmtp_sync_counts *counts, xmtp_arena *arena, xmtp_error *error)
{
    group_due *due;
    size_t count;
    xmtp_status first = XMTP_OK;
    XMTP_TRY(list_wanted(client, consent_states, arena, &due, &count, error));
    counts->eligible = count;
    XMTP_TRY(newest_of_all(client, due, count, arena, error));
    XMTP_TRY(keep_due(client, due, &count, arena, error));
    size_t asked = 0; /* of so many the pages are here */
    for (size_t i = 0; i < count; i++) {
        bool has_news = false;
        if (i == asked) {
            asked = xmtp_pages_ahead_ask(client, due, count, i);
        }
        xmtp_status status =
            xmtp_sync_group(client, due[i].at.ref, &has_news, first == XMTP_OK ? error : NULL);
        counts->synced += status == XMTP_OK;
        first = first == XMTP_OK ? status : first;
    }
    xmtp_pages_ahead_end(client);
    return first;
}

static xmtp_status sync_all(xmtp_client *client, uint32_t consent_states, xmtp_sync_counts *counts,
                            xmtp_error *error)
{
    client->is_node_away = false;
    xmtp_arena arena;
    xmtp_scratch(client, &arena);
    xmtp_recent_logs_begin(client);
    xmtp_status first = xmtp_sync_welcomes(client, error);
    xmtp_status status =
        sync_groups(client, consent_states, counts, &arena, first == XMTP_OK ? error : NULL);
    xmtp_recent_logs_end(client);
    first = first == XMTP_OK ? status : first;
    xmtp_arena_reset(&arena);
    status = xmtp_chores(client, first == XMTP_OK ? error : NULL);
    return first == XMTP_OK ? status : first;
}

xmtp_status xmtp_chores(xmtp_client *client, xmtp_error *error)
{
    xmtp_status first = xmtp_leave_chore(client, error);
    xmtp_status status = XMTP_OK;
    if ((client->chores.disabled & XMTP_CHORE_DISAPPEARING) == 0) {
        status = xmtp_client_delete_expired(client, NULL, first == XMTP_OK ? error : NULL);
        first = first == XMTP_OK ? status : first;
    }
    if ((client->chores.disabled & XMTP_CHORE_COMMIT_LOG) == 0) {
        status = xmtp_commit_log_chore(client, first == XMTP_OK ? error : NULL);
        first = first == XMTP_OK ? status : first;
    }
    if ((client->chores.disabled & XMTP_CHORE_KEY_PACKAGES) == 0) {
        status = xmtp_key_package_chores(client, first == XMTP_OK ? error : NULL);
        first = first == XMTP_OK ? status : first;
    }
    status = xmtp_device_sync_chore(client, first == XMTP_OK ? error : NULL);
    return first == XMTP_OK ? status : first;
}

xmtp_status xmtp_client_sync_welcomes(xmtp_client *client, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    client->is_node_away = false;
    return xmtp_sync_welcomes(client, error);
}

xmtp_status xmtp_client_sync(xmtp_client *client, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    xmtp_sync_counts ignored = {0};
    return sync_all(client, UINT32_MAX, &ignored, error);
}

xmtp_status xmtp_client_sync_where(xmtp_client *client, uint32_t consent_states,
                                   xmtp_sync_counts *counts, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    xmtp_sync_counts own = {0};
    uint32_t default_states =
        XMTP_CONSENT_BIT(XMTP_CONSENT_ALLOWED) | XMTP_CONSENT_BIT(XMTP_CONSENT_UNKNOWN);
    xmtp_status status =
        sync_all(client, consent_states == 0 ? default_states : consent_states, &own, error);
    if (counts != NULL) {
        *counts = own;
    }
    return status;
}

xmtp_status xmtp_flush_intents(xmtp_client *client, xmtp_error *error)
{
    xmtp_arena arena;
    int64_t *refs = NULL;
    size_t count = 0;
    bool has_news = false;
    xmtp_scratch(client, &arena);
    xmtp_status first =
        xmtp_stored(client, xmtp_intent_groups(client->db, &arena, &refs, &count), error);
    for (size_t i = 0; i < count; i++) {
        xmtp_status status =
            xmtp_sync_group(client, refs[i], &has_news, first == XMTP_OK ? error : NULL);
        first = first == XMTP_OK ? status : first;
    }
    xmtp_arena_reset(&arena);
    return first;
}
