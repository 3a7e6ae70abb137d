/* row_ahead.c - row and queue of a conversation, read while a message of it travels, for the next message.
 *
 *     send 1:  transaction --> node ....................> shown
 *                                '-- meanwhile: settled, a work begun for send 2
 *     send 2:  taken, if the database has not changed since --> transaction --> node ...
 *
 * Any call but a send lets it go.
 */
#include "client/round.h"

static void let_go(xmtp_client *client)
{
    xmtp_give_back(client, client->row_ahead);
    client->row_ahead = NULL;
}

void xmtp_row_ahead_end(xmtp_client *client)
{
    if (client->row_ahead != NULL) {
        xmtp_work_end(client->row_ahead);
        let_go(client);
    }
}

void xmtp_row_ahead_read(const group_work *work)
{
    xmtp_client *client = work->client;
    const xmtp_alloc *alloc = &client->env.alloc;
    xmtp_error ignored = {0};
    xmtp_row_ahead_end(client);
    group_work *next = alloc->reallocate(alloc->context, NULL, sizeof(*next));
    if (next != NULL) {
        (void)xmtp_work_start_unsettled(next, client, work->row.ref, &ignored);
        client->row_ahead = next; /* who takes it reads what could not be read */
    }
}

bool xmtp_row_ahead_take(group_work *work, xmtp_client *client, int64_t ref)
{
    if (client->row_ahead == NULL || client->row_ahead->row.ref != ref) {
        xmtp_row_ahead_end(client);
        return false;
    }
    *work = *client->row_ahead;
    let_go(client);
    return true;
}
