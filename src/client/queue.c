/* queue.c - messages for a consumer, each handled exactly once (client.h).
 *
 *     stored with the message  -->  handed out  -->  acknowledged, with its answers, one
 * transaction
 *                                       \-> failed: offered again later, or set aside
 *
 * What is handed out is known in memory only: after a crash it is offered again, since it was not
 * acknowledged.
 */
#include "client/content.h"
#include "client/round.h"
#include "client/stream.h"

xmtp_status xmtp_client_queue_enable(xmtp_client *client, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    XMTP_TRY(xmtp_stored(client, xmtp_setting_raise(client->db, "queue_enabled", 1), error));
    client->is_queue_enabled = true;
    return XMTP_OK;
}

/* ---- handed out */

static handed_out **find_handed(xmtp_client *client, const uint8_t message_id[XMTP_MESSAGE_ID_LEN])
{
    handed_out **p = &client->handed;
    while (*p != NULL && memcmp((*p)->message_id, message_id, XMTP_MESSAGE_ID_LEN) != 0) {
        p = &(*p)->next;
    }
    return p;
}

static void release(xmtp_client *client, handed_out **p)
{
    handed_out *item = *p;
    if (item != NULL) {
        *p = item->next;
        xmtp_arena_reset(&item->arena);
        xmtp_give_back(client, item);
    }
}

void xmtp_queue_release_all(xmtp_client *client)
{
    while (client->handed != NULL) {
        release(client, &client->handed);
    }
}

static xmtp_status hand_out(xmtp_client *client, const xmtp_queue_row *row, xmtp_queue_entry *out,
                            xmtp_error *error)
{
    handed_out *item = client->env.alloc.reallocate(client->env.alloc.context, NULL, sizeof(*item));
    XMTP_ENSURE(item != NULL, xmtp_fail(error, XMTP_E_NOMEM, "no memory for a queue entry"));
    *item = (handed_out){.next = client->handed};
    memcpy(item->message_id, row->message_id, sizeof(item->message_id));
    xmtp_scratch(client, &item->arena);
    client->handed = item;
    xmtp_message_row message;
    xmtp_status status = xmtp_stored(
        client,
        xmtp_message_find(client->db, xmtp_bytes_of(item->message_id, sizeof(item->message_id)),
                          &item->arena, &message),
        error);
    if (status == XMTP_OK) {
        status = xmtp_message_view(client, &message, &item->arena, &out->message);
    }
    if (status != XMTP_OK) {
        release(client, &client->handed);
        return status == XMTP_E_NOT_FOUND
                   ? xmtp_fail(error, XMTP_E_CORRUPT, "queue entry without its message")
                   : status;
    }
    out->attempts = row->attempts;
    return XMTP_OK;
}

xmtp_status xmtp_client_queue_next(xmtp_client *client, xmtp_queue_entry *out, uint64_t *next_ns,
                                   xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    uint64_t now_ns = xmtp_now_ns(client);
    uint64_t soonest_ns = UINT64_MAX;
    xmtp_queue_row row = {0};
    *out = (xmtp_queue_entry){0};
    for (;;) {
        xmtp_status status = xmtp_queue_head(client->db, row.id, &row);
        if (status != XMTP_OK) {
            if (next_ns != NULL) {
                *next_ns = soonest_ns;
            }
            return xmtp_stored(client, status, error);
        }
        if (*find_handed(client, row.message_id) != NULL) {
            continue;
        }
        if (row.next_ns <= now_ns) {
            return hand_out(client, &row, out, error);
        }
        soonest_ns = row.next_ns < soonest_ns ? row.next_ns : soonest_ns;
    }
}

/* ---- acknowledging */

static xmtp_status encode_answer(xmtp_writer *w, const xmtp_answer *answer)
{
    return answer->reference == NULL ? xmtp_content_text(w, answer->text)
                                     : xmtp_content_reply(w, answer->reference, answer->text);
}

static xmtp_status queue_answer(xmtp_client *client, const xmtp_answer *answer, int64_t *ref,
                                xmtp_error *error)
{
    group_work work;
    xmtp_writer w;
    uint8_t message_id[XMTP_MESSAGE_ID_LEN];
    xmtp_intent_row intent;
    bool can_build = false;
    XMTP_TRY(xmtp_conversation_find(client, answer->conversation, ref, error));
    xmtp_writer_init(&w, &client->env.alloc, XMTP_WRITER_MAX);
    xmtp_status status = encode_answer(&w, answer);
    if (status != XMTP_OK) {
        status = xmtp_fail(error, status, "answer: %s", xmtp_status_text(status));
    }
    xmtp_status started = xmtp_work_start(&work, client, *ref, status == XMTP_OK ? error : NULL);
    status = status == XMTP_OK ? started : status;
    if (status == XMTP_OK) {
        status = xmtp_check_usable(&work, error);
    }
    if (status == XMTP_OK) {
        static const xmtp_send_options pushed = {.should_push = true};
        status = xmtp_queue_message(&work, xmtp_writer_bytes(&w), &pushed, message_id, &intent,
                                    &can_build, error);
    }
    xmtp_work_end(&work);
    xmtp_writer_free(&w);
    return status;
}

static xmtp_status acknowledge(xmtp_client *client, xmtp_bytes message_id,
                               const xmtp_answer *answers, size_t count, int64_t *refs,
                               xmtp_error *error)
{
    xmtp_status status = xmtp_queue_remove(client->db, message_id);
    if (status == XMTP_E_NOT_FOUND) {
        return xmtp_fail(error, status, "message is not in the queue");
    }
    XMTP_TRY(xmtp_stored(client, status, error));
    for (size_t i = 0; i < count; i++) {
        XMTP_TRY(queue_answer(client, &answers[i], &refs[i], error));
    }
    return XMTP_OK;
}

/* Tries to publish; what does not go out now goes with the next sync or poll. */
static void publish_answers(xmtp_client *client, const int64_t *refs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool is_repeated = false;
        for (size_t j = 0; j < i; j++) {
            is_repeated = is_repeated || refs[j] == refs[i];
        }
        group_work work;
        xmtp_error ignored;
        if (!is_repeated && xmtp_work_start(&work, client, refs[i], &ignored) == XMTP_OK) {
            if (xmtp_refresh_before_send(&work, &ignored) == XMTP_OK) {
                (void)xmtp_work_rounds(&work, !xmtp_work_has_published(&work), &ignored);
            }
            xmtp_work_end(&work);
        }
    }
}

xmtp_status xmtp_client_queue_acknowledge(xmtp_client *client,
                                          const uint8_t message_id[XMTP_MESSAGE_ID_LEN],
                                          const xmtp_answer *answers, size_t answer_count,
                                          xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    xmtp_arena arena;
    void *refs;
    xmtp_scratch(client, &arena);
    xmtp_status status = xmtp_arena_take_array(&arena, answer_count, sizeof(int64_t), &refs);
    if (status == XMTP_OK) {
        status = xmtp_begin(client, error);
    }
    if (status == XMTP_OK) {
        status = acknowledge(client, xmtp_bytes_of(message_id, XMTP_MESSAGE_ID_LEN), answers,
                             answer_count, refs, error);
        if (status == XMTP_OK) {
            status = xmtp_commit(client, error);
        } else {
            xmtp_database_rollback(client->db);
        }
    }
    if (status == XMTP_OK) {
        release(client, find_handed(client, message_id));
        publish_answers(client, refs, answer_count);
    }
    xmtp_arena_reset(&arena);
    return status;
}

xmtp_status xmtp_client_queue_fail(xmtp_client *client,
                                   const uint8_t message_id[XMTP_MESSAGE_ID_LEN],
                                   uint64_t retry_at_ns, bool set_aside, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    XMTP_TRY(xmtp_begin(client, error));
    xmtp_status status = xmtp_queue_set_failed(
        client->db, xmtp_bytes_of(message_id, XMTP_MESSAGE_ID_LEN), retry_at_ns, set_aside);
    if (status != XMTP_OK) {
        xmtp_database_rollback(client->db);
        return status == XMTP_E_NOT_FOUND ? xmtp_fail(error, status, "message is not in the queue")
                                          : xmtp_stored(client, status, error);
    }
    XMTP_TRY(xmtp_commit(client, error));
    release(client, find_handed(client, message_id));
    return XMTP_OK;
}
