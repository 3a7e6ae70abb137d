/* row_ahead.c - row and queue of a conversation, read while a message of it travels, for the next message.
 *
 *     send 1:  transaction --> node ....................> shown
 *                                '-- meanwhile: settled, row and queue read
 *     send 2:  taken, if the database has not changed since --> transaction --> node ...
 *
 * Any call but a send lets them go.
 */
#include "client/round.h"

struct row_ahead {
    xmtp_arena arena;
    xmtp_group_row row;
    xmtp_intent_rows intents;
    uint64_t loaded_at;
};

void xmtp_row_ahead_end(xmtp_client *client)
{
    if (client->row_ahead != NULL) {
        xmtp_arena_reset(&client->row_ahead->arena);
        xmtp_give_back(client, client->row_ahead);
        client->row_ahead = NULL;
    }
}

void xmtp_row_ahead_read(const group_work *work)
{
    group_work next;
    xmtp_client *client = work->client;
    xmtp_error ignored = {0};
    xmtp_row_ahead_end(client);
    xmtp_status status = xmtp_work_start_unsettled(&next, client, work->row.ref, &ignored);
    struct row_ahead *ahead =
        client->env.alloc.reallocate(client->env.alloc.context, NULL, sizeof(*ahead));
    if (status == XMTP_OK && next.is_loaded && ahead != NULL) {
        *ahead = (struct row_ahead){.arena = next.arena,
                                    .row = next.row,
                                    .intents = next.intents,
                                    .loaded_at = next.loaded_at};
        client->row_ahead = ahead;
        xmtp_scratch(client, &next.arena);
    } else {
        xmtp_give_back(client, ahead);
    }
    xmtp_work_end(&next);
}

void xmtp_row_ahead_take(group_work *work)
{
    struct row_ahead *ahead = work->client->row_ahead;
    if (ahead != NULL && ahead->row.ref == work->row.ref) {
        work->arena = ahead->arena;
        work->row = ahead->row;
        work->committed = ahead->row;
        work->intents = ahead->intents;
        work->loaded_at = ahead->loaded_at;
        work->is_loaded = true;
        xmtp_scratch(work->client, &ahead->arena);
    }
    xmtp_row_ahead_end(work->client);
}
