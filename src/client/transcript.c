/* transcript.c - what happened to a conversation, as messages made here (groups.md 3.8, 4.6).
 *
 * Every member makes them from the commits it applied; they are never sent. Lists are sorted, so
 * that the id of one with several entries does not depend on chance.
 */
#include "client/content.h"
#include "client/round.h"
#include "content/codec.h"

#include <stdlib.h>
#include <time.h>

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static xmtp_status sorted(xmtp_arena *arena, xmtp_string_list list, xmtp_strings *out)
{
    void *items;
    XMTP_TRY(xmtp_arena_take_array(arena, list.count, sizeof(char *), &items));
    xmtp_copy(items, list.items, list.count * sizeof(char *));
    qsort(items, list.count, sizeof(char *), compare_text);
    *out = (xmtp_strings){.p = items, .count = list.count};
    return XMTP_OK;
}

static xmtp_status field_changes(xmtp_arena *arena, const xmtp_commit_facts *facts,
                                 xmtp_group_updated *out)
{
    void *items;
    out->change_count = facts->attribute_change_count;
    XMTP_TRY(xmtp_arena_take_array(arena, out->change_count, sizeof(xmtp_metadata_change), &items));
    for (size_t i = 0; i < out->change_count; i++) {
        const xmtp_attribute_change *from = &facts->attribute_changes[i];
        ((xmtp_metadata_change *)items)[i] =
            (xmtp_metadata_change){from->name, from->old_value, from->new_value};
    }
    out->changes = items;
    return XMTP_OK;
}

static xmtp_status fill_update(group_work *work, xmtp_arena *arena, const xmtp_commit_facts *facts,
                               xmtp_group_updated *u, xmtp_error *error)
{
    xmtp_string_list left;
    xmtp_string_list removed;
    XMTP_TRY(xmtp_leave_split(work, arena, facts, &left, &removed, error));
    u->initiated_by = facts->author_inbox;
    XMTP_TRY(sorted(arena, facts->added_inboxes, &u->added));
    XMTP_TRY(sorted(arena, removed, &u->removed));
    XMTP_TRY(sorted(arena, left, &u->left));
    XMTP_TRY(sorted(arena, facts->admins_added, &u->admins_added));
    XMTP_TRY(sorted(arena, facts->admins_removed, &u->admins_removed));
    XMTP_TRY(sorted(arena, facts->super_admins_added, &u->super_admins_added));
    XMTP_TRY(sorted(arena, facts->super_admins_removed, &u->super_admins_removed));
    return field_changes(arena, facts, u);
}

static xmtp_status store(xmtp_client *client, const xmtp_group_row *group,
                         const xmtp_group_updated *update, const char *key, xmtp_message_row *row,
                         xmtp_error *error)
{
    const xmtp_content content = {.type = XMTP_CONTENT_GROUP_UPDATED, .group_updated = *update};
    xmtp_writer w;
    xmtp_writer_init(&w, &client->env.alloc, XMTP_WRITER_MAX);
    xmtp_status status = xmtp_content_write(&w, &content, error);
    bool is_told = false;
    bool is_dm = group->dm_id != NULL && group->dm_id[0] != '\0';
    if (status == XMTP_OK && is_dm && update->added.count > 0) {
        /* Of two DMs between the same two only one tells who was added (groups.md 2.8). */
        status = xmtp_stored(
            client,
            xmtp_message_dm_has_change(client->db, group->dm_id, xmtp_writer_bytes(&w), &is_told),
            error);
    }
    if (status == XMTP_OK && !is_told) {
        uint8_t id[XMTP_MESSAGE_ID_LEN];
        bool is_new;
        row->content = xmtp_writer_bytes(&w);
        xmtp_message_id(group->group_id, key, row->content, id);
        row->message_id = xmtp_bytes_of(id, sizeof(id));
        row->group_ref = group->ref;
        row->kind = XMTP_MESSAGE_MEMBERSHIP_CHANGE;
        row->delivery = XMTP_DELIVERY_PUBLISHED;
        status = xmtp_message_keep(client, row, &is_new, error);
    }
    xmtp_writer_free(&w);
    return status;
}

xmtp_status xmtp_transcript_commit(group_work *work, const xmtp_commit_facts *facts,
                                   uint64_t sequence, uint64_t created_ns, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_scratch(work->client, &arena);
    xmtp_group_updated update = {0};
    xmtp_status status = fill_update(work, &arena, facts, &update, error);
    if (status == XMTP_OK) {
        char key[24];
        (void)snprintf(key, sizeof(key), "%" PRIu64, created_ns);
        xmtp_message_row row = {
            .sender_inbox = facts->author_inbox,
            .sender_installation = facts->author_installation,
            .sent_ns = created_ns,
            .sequence = sequence,
        };
        status = store(work->client, &work->row, &update, key, &row, error);
    }
    xmtp_arena_reset(&arena);
    return status;
}

/* "2023-11-14 22:13:20.123456789 UTC_welcome_added": the fraction has 0, 3, 6 or 9 digits. */
static void welcome_key(uint64_t welcome_ns, char *out, size_t capacity)
{
    time_t seconds = (time_t)(welcome_ns / XMTP_SECOND_NS);
    unsigned rest = (unsigned)(welcome_ns % XMTP_SECOND_NS);
    struct tm utc = {0};
    (void)gmtime_r(&seconds, &utc);
    char day[32];
    char fraction[12] = "";
    (void)strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", &utc);
    if (rest % 1000000 == 0 && rest != 0) {
        (void)snprintf(fraction, sizeof(fraction), ".%03u", rest / 1000000);
    } else if (rest % 1000 == 0 && rest != 0) {
        (void)snprintf(fraction, sizeof(fraction), ".%06u", rest / 1000);
    } else if (rest != 0) {
        (void)snprintf(fraction, sizeof(fraction), ".%09u", rest);
    }
    (void)snprintf(out, capacity, "%s%s UTC_welcome_added", day, fraction);
}

xmtp_status xmtp_transcript_welcome(xmtp_client *client, const xmtp_group_row *group,
                                    xmtp_bytes adder_installation, uint64_t cursor,
                                    uint64_t welcome_ns, xmtp_error *error)
{
    const char *self = client->inbox_id;
    const xmtp_group_updated update = {.initiated_by = group->added_by, .added = {&self, 1}};
    char key[80];
    welcome_key(welcome_ns, key, sizeof(key));
    xmtp_message_row row = {
        .sender_inbox = group->added_by,
        .sender_installation = adder_installation,
        .sent_ns = welcome_ns,
        .sequence = cursor,
    };
    return store(client, group, &update, key, &row, error);
}
