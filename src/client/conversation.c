/* conversation.c - what is known about conversations and their members, from the database. */
#include "client/round.h"

#include <stdlib.h>

xmtp_status xmtp_conversation_find(xmtp_client *client, const xmtp_conversation_id *id,
                                   int64_t *ref, xmtp_error *error)
{
    if (id == NULL || id->n > sizeof(id->p)) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "no conversation id");
    }
    const found_conversation *found = &client->found;
    if (found->ref != 0 && found->changes == xmtp_database_change_count(client->db) &&
        xmtp_bytes_equal(xmtp_bytes_of(id->p, id->n), xmtp_bytes_of(found->id.p, found->id.n))) {
        *ref = found->ref;
        return XMTP_OK;
    }
    xmtp_status status = xmtp_group_ref_find(client->db, xmtp_bytes_of(id->p, id->n), ref);
    if (status == XMTP_E_NOT_FOUND) {
        return xmtp_fail(error, status, "no such conversation");
    }
    return xmtp_stored(client, status, error);
}

void xmtp_conversation_found(xmtp_client *client, const xmtp_conversation_id *id, int64_t ref)
{
    client->found = (found_conversation){
        .id = *id, .ref = ref, .changes = xmtp_database_change_count(client->db)};
}

static xmtp_status view(const xmtp_group_row *row, xmtp_conversation *out)
{
    *out = (xmtp_conversation){
        .kind = (xmtp_conversation_kind)row->kind,
        .name = row->name,
        .peer_inbox = row->peer_inbox,
        .created_ns = row->created_ns,
        .last_message_ns = row->last_message_ns,
        .epoch = row->epoch,
        .member_count = row->member_count,
        .is_active = row->is_active,
        .is_paused = row->paused_for[0] != '\0',
        .needs_version = row->paused_for,
        .added_by_inbox = row->added_by,
        .state = (xmtp_membership_state)row->state,
        .consent = (xmtp_consent_state)row->consent,
    };
    XMTP_ENSURE(row->group_id.n <= sizeof(out->id.p), XMTP_E_CORRUPT);
    xmtp_copy(out->id.p, row->group_id.p, row->group_id.n);
    out->id.n = row->group_id.n;
    return XMTP_OK;
}

static xmtp_status visit_row(const xmtp_group_row *row, xmtp_conversation_visit visit,
                             void *context)
{
    xmtp_conversation conversation;
    XMTP_TRY(view(row, &conversation));
    return visit(context, &conversation);
}

static bool is_wanted(const xmtp_conversation_query *query, const xmtp_group_row *row)
{
    bool is_shown = row->kind == XMTP_GROUP_KIND_GROUP || row->kind == XMTP_GROUP_KIND_DM;
    return is_shown && (XMTP_CONSENT_BIT(row->consent) & query->consent_states) != 0 &&
           (query->kind == 0 || row->kind == query->kind) &&
           row->created_ns > query->created_after_ns &&
           (query->created_before_ns == 0 || row->created_ns < query->created_before_ns);
}

static int newest_made_first(const void *a, const void *b)
{
    const xmtp_group_row *x = a;
    const xmtp_group_row *y = b;
    if (x->created_ns != y->created_ns) {
        return x->created_ns > y->created_ns ? -1 : 1;
    }
    return xmtp_bytes_compare(y->group_id, x->group_id);
}

static xmtp_status list(xmtp_client *client, const xmtp_conversation_query *query,
                        xmtp_conversation_visit visit, void *context, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_group_rows rows = {0};
    xmtp_scratch(client, &arena);
    xmtp_status status = xmtp_stored(
        client, xmtp_group_row_list(client->db, query->with_duplicates, &arena, &rows), error);
    if (status == XMTP_OK && query->newest_made_first) {
        qsort(rows.items, rows.count, sizeof(*rows.items), newest_made_first);
    }
    size_t left = query->limit == 0 ? SIZE_MAX : query->limit;
    for (size_t i = 0; status == XMTP_OK && i < rows.count && left > 0; i++) {
        if (is_wanted(query, &rows.items[i])) {
            status = visit_row(&rows.items[i], visit, context);
            left--;
        }
    }
    xmtp_arena_reset(&arena);
    return status;
}

enum {
    ALLOWED_AND_UNKNOWN =
        XMTP_CONSENT_BIT(XMTP_CONSENT_ALLOWED) | XMTP_CONSENT_BIT(XMTP_CONSENT_UNKNOWN),
    EVERY_CONSENT = ALLOWED_AND_UNKNOWN | XMTP_CONSENT_BIT(XMTP_CONSENT_DENIED),
};

xmtp_status xmtp_client_conversations(xmtp_client *client, xmtp_conversation_visit visit,
                                      void *context, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    const xmtp_conversation_query all = {.consent_states = EVERY_CONSENT};
    return list(client, &all, visit, context, error);
}

xmtp_status xmtp_client_conversations_where(xmtp_client *client,
                                            const xmtp_conversation_query *query,
                                            xmtp_conversation_visit visit, void *context,
                                            xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    xmtp_conversation_query q = *query;
    q.consent_states = q.consent_states == 0 ? ALLOWED_AND_UNKNOWN : q.consent_states;
    return list(client, &q, visit, context, error);
}

xmtp_status xmtp_client_dm_duplicates(xmtp_client *client, const xmtp_conversation_id *dm,
                                      xmtp_conversation_visit visit, void *context,
                                      xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    int64_t ref;
    xmtp_arena arena;
    xmtp_group_row row;
    xmtp_group_rows rows = {0};
    XMTP_TRY(xmtp_conversation_find(client, dm, &ref, error));
    xmtp_scratch(client, &arena);
    xmtp_status status =
        xmtp_stored(client, xmtp_group_row_read(client->db, ref, &arena, &row), error);
    if (status == XMTP_OK && row.dm_id[0] != '\0') {
        status = xmtp_stored(client, xmtp_group_row_list_dm(client->db, row.dm_id, &arena, &rows),
                             error);
    }
    for (size_t i = 1; status == XMTP_OK && i < rows.count; i++) { /* the first stands for them */
        status = visit_row(&rows.items[i], visit, context);
    }
    xmtp_arena_reset(&arena);
    return status;
}

xmtp_status xmtp_client_conversation(xmtp_client *client, const xmtp_conversation_id *id,
                                     xmtp_conversation *out, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    int64_t ref = 0;
    xmtp_group_row row;
    XMTP_TRY(xmtp_conversation_find(client, id, &ref, error));
    xmtp_arena_reset(&client->out);
    XMTP_TRY(xmtp_stored(client, xmtp_group_row_read(client->db, ref, &client->out, &row), error));
    return view(&row, out);
}

/* ---- members */

typedef struct member_list {
    xmtp_client *client;
    xmtp_mls_group *group;
    xmtp_arena arena;
    const char **inboxes;
    uint32_t *installations; /* beside inboxes */
    size_t count;
    Pb__GroupMutableMetadata *metadata;
} member_list;

static xmtp_status count_installations(member_list *list)
{
    void *counts;
    XMTP_TRY(xmtp_arena_take_array(&list->arena, list->count, sizeof(uint32_t), &counts));
    list->installations = counts;
    for (uint32_t leaf = 0; leaf < xmtp_mls_group_leaf_count(list->group); leaf++) {
        xmtp_mls_member member;
        xmtp_bytes inbox_id;
        if (!xmtp_mls_group_member(list->group, leaf, &member) ||
            xmtp_inbox_credential_decode(member.identity, &inbox_id) != XMTP_OK) {
            continue;
        }
        for (size_t i = 0; i < list->count; i++) {
            list->installations[i] +=
                xmtp_bytes_equal(inbox_id, xmtp_bytes_of_string(list->inboxes[i]));
        }
    }
    return XMTP_OK;
}

static xmtp_status load_members(member_list *list)
{
    xmtp_bytes data;
    XMTP_TRY(xmtp_member_inboxes(&list->arena, list->group, &list->inboxes, &list->count));
    XMTP_TRY(count_installations(list));
    XMTP_ENSURE(xmtp_mls_group_extension(list->group, XMTP_EXTENSION_MUTABLE_METADATA, &data),
                XMTP_E_EXTENSION);
    return xmtp_mutable_metadata_decode(&list->arena, data, &list->metadata);
}

static xmtp_status visit_members(member_list *list, xmtp_member_visit visit, void *context,
                                 xmtp_error *error)
{
    for (size_t i = 0; i < list->count; i++) {
        char address[XMTP_ADDRESS_LEN + 1];
        xmtp_status status =
            xmtp_inbox_address_read(list->client->db, list->inboxes[i], address, sizeof(address));
        XMTP_TRY(xmtp_stored(list->client, status, error));
        xmtp_member member = {
            .inbox_id = list->inboxes[i],
            .address = address,
            .installation_count = list->installations[i],
            .is_admin = xmtp_inbox_listed(list->metadata->admin_list, list->inboxes[i]),
            .is_super_admin = xmtp_inbox_listed(list->metadata->super_admin_list, list->inboxes[i]),
        };
        XMTP_TRY(visit(context, &member));
    }
    return XMTP_OK;
}

xmtp_status xmtp_client_members(xmtp_client *client, const xmtp_conversation_id *id,
                                xmtp_member_visit visit, void *context, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    int64_t ref = 0;
    member_list list = {.client = client};
    XMTP_TRY(xmtp_conversation_find(client, id, &ref, error));
    XMTP_TRY(xmtp_cache_open(client, ref, &list.group, error));
    xmtp_scratch(client, &list.arena);
    xmtp_status status = load_members(&list);
    if (status == XMTP_OK) {
        status = visit_members(&list, visit, context, error);
    }
    xmtp_arena_reset(&list.arena);
    return status;
}
