/* group_cache.c - MLS groups loaded from the database, the most recently used ones.
 *
 * A loaded group equals its records. Whoever changes one stores its writes in the transaction that
 * is open, and calls xmtp_cache_forget when that transaction does not commit.
 */
#include "client/round.h"

typedef struct record_source {
    xmtp_client *client;
    int64_t ref;
} record_source;

static xmtp_status each_record(void *context, xmtp_bytes prefix, void *visitor,
                               xmtp_status (*visit)(void *visitor, xmtp_bytes key,
                                                    xmtp_bytes value))
{
    const record_source *source = context;
    return xmtp_record_each(source->client->db, source->ref, prefix, visitor, visit);
}

static xmtp_status without_records(xmtp_client *client, int64_t ref, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_group_row row;
    xmtp_scratch(client, &arena);
    xmtp_status status =
        xmtp_stored(client, xmtp_group_row_read(client->db, ref, &arena, &row), error);
    if (status == XMTP_OK) {
        status = row.state == XMTP_MEMBERSHIP_RESTORED
                     ? xmtp_fail_inactive(&row, error)
                     : xmtp_fail(error, XMTP_E_CORRUPT, "conversation without its MLS records");
    }
    xmtp_arena_reset(&arena);
    return status;
}

static xmtp_status load(xmtp_client *client, int64_t ref, xmtp_mls_group **out, xmtp_error *error)
{
    record_source source = {.client = client, .ref = ref};
    xmtp_mls_records records = {.context = &source, .each = each_record};
    xmtp_mls_config config = xmtp_client_mls_config(client);
    xmtp_status status = xmtp_mls_group_load(out, &config, &records, error);
    return status == XMTP_E_NOT_FOUND ? without_records(client, ref, error) : status;
}

static void remove_at(xmtp_client *client, size_t index)
{
    xmtp_mls_group_free(client->groups[index].group);
    client->groups[index] = client->groups[--client->group_count];
}

static void make_room(xmtp_client *client)
{
    if (client->group_count < XMTP_GROUP_CACHE_MAX) {
        return;
    }
    size_t oldest = 0;
    for (size_t i = 1; i < client->group_count; i++) {
        if (client->groups[i].used_at < client->groups[oldest].used_at) {
            oldest = i;
        }
    }
    remove_at(client, oldest);
}

void xmtp_cache_keep(xmtp_client *client, int64_t ref, xmtp_mls_group *group)
{
    xmtp_cache_forget(client, ref);
    make_room(client);
    client->groups[client->group_count++] =
        (cached_group){.ref = ref, .group = group, .used_at = ++client->group_clock};
}

xmtp_status xmtp_cache_open(xmtp_client *client, int64_t ref, xmtp_mls_group **out,
                            xmtp_error *error)
{
    for (size_t i = 0; i < client->group_count; i++) {
        if (client->groups[i].ref == ref) {
            client->groups[i].used_at = ++client->group_clock;
            *out = client->groups[i].group;
            return XMTP_OK;
        }
    }
    *out = NULL;
    XMTP_TRY(load(client, ref, out, error));
    xmtp_cache_keep(client, ref, *out);
    return XMTP_OK;
}

void xmtp_cache_forget(xmtp_client *client, int64_t ref)
{
    for (size_t i = 0; i < client->group_count; i++) {
        if (client->groups[i].ref == ref) {
            remove_at(client, i);
            return;
        }
    }
}

void xmtp_cache_forget_all(xmtp_client *client)
{
    while (client->group_count > 0) {
        remove_at(client, client->group_count - 1);
    }
}

xmtp_status xmtp_writes_store(xmtp_client *client, int64_t ref, const xmtp_mls_writes *writes,
                              xmtp_error *error)
{
    for (size_t i = 0; i < xmtp_mls_writes_count(writes); i++) {
        xmtp_mls_write write = xmtp_mls_writes_at(writes, i);
        xmtp_status status = write.is_delete
                                 ? xmtp_record_delete(client->db, ref, write.key)
                                 : xmtp_record_put(client->db, ref, write.key, write.value);
        XMTP_TRY(xmtp_stored(client, status, error));
    }
    return XMTP_OK;
}
