/* late_row.c - the row of a message is written while the message travels.
 *
 *     transaction { intent, payload, ratchet } --> node ....................................> shown
 *                                 meanwhile: transaction { its row, what is left of the one before }
 *
 * What leaves must be stored first, and what it was made with; both are in the intent and the ratchet: two pages
 * of the file. The row and its indexes are six more, and the row of the message before lies in them too.
 *
 * No call sees that the row is late: it is there when sending ends. A process that dies in between leaves an
 * intent without a row, and what could not be written leaves one too: the row is then made of the intent, when
 * the database is opened next or the next call begins.
 */
#include "client/content.h"
#include "client/round.h"

#include <stdlib.h>

static xmtp_status keep_row(xmtp_client *client, const xmtp_intent_row *intent, xmtp_arena *arena,
                            xmtp_error *error)
{
    bool has_v1 = false;
    bool is_new;
    const char *key = "";
    xmtp_message_row row = {
        .message_id = intent->message_id,
        .group_ref = intent->group_ref,
        .kind = XMTP_MESSAGE_APPLICATION,
        .delivery = XMTP_DELIVERY_UNPUBLISHED,
        .sender_inbox = client->inbox_id,
        .sender_installation = xmtp_bytes_of(client->installation.pk, XMTP_INSTALLATION_LEN),
        .should_push = intent->should_push,
    };
    xmtp_status status = xmtp_envelope_decode(arena, intent->data, &has_v1, &row.content, &key);
    if (status != XMTP_OK || !has_v1) {
        return xmtp_fail(error, XMTP_E_CORRUPT, "stored message that is to be sent");
    }
    row.sent_ns = strtoull(key, NULL, 10); /* see send.c */
    return xmtp_message_keep(client, &row, &is_new, error);
}

/* ---- of the message that is being sent */

xmtp_status xmtp_late_row_begin(group_work *work, xmtp_error *error)
{
    bool is_new;
    if (!work->has_late_row) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_work_begin(work, error));
    xmtp_status status = xmtp_message_keep(work->client, &work->late_row, &is_new, error);
    return status == XMTP_OK ? XMTP_OK : xmtp_work_abandon(work, status);
}

xmtp_status xmtp_late_row_write(group_work *work, xmtp_error *error)
{
    XMTP_TRY(xmtp_late_row_begin(work, error));
    XMTP_TRY(xmtp_work_flush(work, error));
    work->has_late_row = false;
    return XMTP_OK;
}

void xmtp_late_row_end(group_work *work)
{
    xmtp_error why = {0};
    xmtp_status status = work->has_late_row ? xmtp_late_row_write(work, &why) : XMTP_OK;
    if (status != XMTP_OK) {
        work->client->has_rowless = true;
        xmtp_log_line(work->client, XMTP_LOG_WARN,
                      "a message that was sent could not be written down, the next call will: "
                      "%s: %s",
                      xmtp_status_name(status), why.text);
    }
    work->has_late_row = false;
}

/* ---- of others */

xmtp_status xmtp_row_of_intent(group_work *work, const xmtp_intent_row *intent, xmtp_error *error)
{
    xmtp_client *client = work->client;
    bool is_new;
    if (work->has_late_row && intent->id == work->awaited) {
        return xmtp_message_keep(client, &work->late_row, &is_new, error);
    }
    if (!client->has_rowless) {
        return XMTP_OK;
    }
    xmtp_arena arena;
    xmtp_scratch(client, &arena);
    xmtp_status status = keep_row(client, intent, &arena, error);
    xmtp_arena_reset(&arena);
    return status;
}

static xmtp_status restore(xmtp_client *client, const xmtp_intent_row *intent, xmtp_arena *arena,
                           xmtp_error *error)
{
    XMTP_TRY(xmtp_begin(client, error));
    xmtp_status status = keep_row(client, intent, arena, error);
    status = status == XMTP_OK ? xmtp_commit(client, error) : status;
    xmtp_database_rollback(client->db); /* if it is not committed */
    return status;
}

/* XMTP_E_NOT_FOUND: there is none. */
static xmtp_status restore_one(xmtp_client *client, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_intent_row intent;
    xmtp_scratch(client, &arena);
    xmtp_status status = xmtp_intent_find_rowless(client->db, &arena, &intent);
    if (status == XMTP_OK) {
        status = restore(client, &intent, &arena, error);
    } else if (status != XMTP_E_NOT_FOUND) {
        status = xmtp_stored(client, status, error);
    }
    xmtp_arena_reset(&arena);
    return status;
}

xmtp_status xmtp_rows_restore(xmtp_client *client, xmtp_error *error)
{
    xmtp_status status = XMTP_OK;
    while (status == XMTP_OK) {
        status = restore_one(client, error);
    }
    XMTP_ENSURE(status == XMTP_E_NOT_FOUND, status);
    client->has_rowless = false;
    return XMTP_OK;
}
