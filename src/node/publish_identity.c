/* publish_identity.c - an identity update: enter the inbox, apply, store, leave
 * (node.md 2.12, 3.4).
 *
 *     decode --> enter inbox --> apply to a copy of its state --> sequencer --> leave with the copy
 *                   |                  |
 *                 waits             refused: unless this very update is in the log already,
 *                                   which is what a retry after a lost answer looks like
 *
 * One publisher per inbox at a time, so sequence ids of an inbox ascend in the order in which its
 * updates were verified. A log that is full still takes updates that only revoke or change the
 * recovery address, up to a second limit: else a full log could never be repaired.
 */
#include "node/publish_identity.h"

#include "base/bytes.h"
#include "base/status.h"
#include "node/address_change.h"
#include "node/inboxes.h"
#include "node/validate.h"
#include "node/wire.h"
#include "proto/field.h"
#include "proto/identity.pb-c.h"
#include "proto/message.h"

enum { FIELD_UPDATE = 3 };

typedef struct publication {
    xmtp_node_inbox_visit visit; /* first: a visit is its publication */
    xmtp_node_work work;
    xmtp_node_call *call;
    xmtp_bytes update;
    xmtp_association *next; /* the state after the update */
} publication;

xmtp_status xmtp_node_inbox_id_read(xmtp_node_call *call, const char *text,
                                    uint8_t out[XMTP_NODE_INBOX_ID_LEN])
{
    size_t n = text == NULL ? 0 : strlen(text);
    if (n != 2 * XMTP_NODE_INBOX_ID_LEN ||
        xmtp_hex_decode(out, XMTP_NODE_INBOX_ID_LEN, text, n) != XMTP_OK) {
        return xmtp_fail(&call->error, XMTP_E_ARGUMENT, "inbox id is not 64 hex digits");
    }
    return XMTP_OK;
}

/* ---- which addresses come and go */

typedef struct changes {
    xmtp_writer *out;
    bool is_removed;
} changes;

static xmtp_status write_change(void *context, const xmtp_association_member *member)
{
    const changes *c = context;
    const xmtp_identifier *identifier = &member->identifier;
    if (identifier->kind == XMTP_IDENTIFIER_INSTALLATION ||
        identifier->value.n > XMTP_NODE_IDENTIFIER_LEN_MAX) {
        return XMTP_OK; /* nobody looks up inboxes by these */
    }
    xmtp_node_address_change change = {.is_removed = c->is_removed,
                                       .identifier_kind = (uint8_t)identifier->kind,
                                       .identifier = identifier->value};
    xmtp_node_address_change_encode(c->out, &change);
    return XMTP_OK;
}

static xmtp_status write_changes(const xmtp_association *before, const xmtp_association *after,
                                 xmtp_writer *out)
{
    changes added = {.out = out, .is_removed = false};
    changes removed = {.out = out, .is_removed = true};
    XMTP_TRY(xmtp_association_minus(after, before, &added, write_change));
    XMTP_TRY(xmtp_association_minus(before, after, &removed, write_change));
    return xmtp_writer_status(out);
}

/* ---- limits and repetitions */

static bool only_takes_away(const publication *p)
{
    xmtp_wire_update update;
    if (xmtp_wire_update_decode(p->update, XMTP_PUBLISH_ACTIONS_MAX, &p->call->arena, &update,
                                NULL) != XMTP_OK) {
        return false;
    }
    for (size_t i = 0; i < update.action_count; i++) {
        if (update.actions[i].kind != XMTP_ACTION_REVOKE &&
            update.actions[i].kind != XMTP_ACTION_CHANGE_RECOVERY) {
            return false;
        }
    }
    return update.action_count > 0;
}

static xmtp_status check_room(const publication *p, size_t update_count)
{
    const xmtp_node_limits *limits = &p->call->services->limits;
    uint64_t limit = only_takes_away(p) ? limits->inbox_log_revoke : limits->inbox_log;
    if (update_count >= limit) {
        return xmtp_fail(&p->call->error, XMTP_E_LIMIT, "inbox log is full");
    }
    return XMTP_OK;
}

static xmtp_status compare_update(void *context, xmtp_bytes update)
{
    return xmtp_bytes_equal(update, *(const xmtp_bytes *)context) ? XMTP_E_EXISTS : XMTP_OK;
}

static bool is_stored_already(publication *p)
{
    return xmtp_node_inboxes_each_update(p->call->services->inboxes, p->visit.inbox_id, &p->update,
                                         compare_update, NULL) == XMTP_E_EXISTS;
}

/* ---- publishing */

static xmtp_status apply(publication *p, const xmtp_association *state)
{
    const xmtp_verifier verifier = xmtp_node_chain_verifier(p->call->services->chains);
    XMTP_TRY(xmtp_association_copy(state, &p->next));
    xmtp_status status = xmtp_association_apply(p->next, p->update, &verifier,
                                                XMTP_ASSOCIATION_PUBLISH, &p->call->error);
    if (status == XMTP_OK || xmtp_node_is_our_trouble(status)) {
        return status;
    }
    return is_stored_already(p) ? XMTP_E_EXISTS : xmtp_node_refusal(&p->call->error, status);
}

static xmtp_status make_entry(publication *p, const xmtp_association *state)
{
    xmtp_node_call *call = p->call;
    XMTP_TRY(xmtp_node_call_entries(call, 1));
    xmtp_node_entry *entry = &call->job.batch.entries[0];
    entry->kind = XMTP_NODE_IDENTITY_UPDATE;
    entry->topic = xmtp_bytes_of(p->visit.inbox_id, sizeof p->visit.inbox_id);
    XMTP_TRY(write_changes(state, p->next, &call->scratch));
    XMTP_TRY(xmtp_arena_copy(&call->arena, xmtp_writer_bytes(&call->scratch), &entry->extra));
    xmtp_writer_clear(&call->scratch);
    xmtp_field_put_message(&call->scratch, FIELD_UPDATE, p->update);
    return xmtp_node_call_body(call, entry);
}

/* Leaves the inbox and ends the call; the last thing that touches either. Returns who is next. */
static xmtp_node_inbox_visit *finish(publication *p, xmtp_status status)
{
    xmtp_node_call *call = p->call;
    xmtp_association *changed = status == XMTP_OK ? p->next : NULL;
    if (changed == NULL) {
        xmtp_association_free(p->next);
    }
    xmtp_node_inbox_visit *next =
        xmtp_node_inboxes_leave(call->services->inboxes, &p->visit, changed);
    xmtp_node_call_end(call, status == XMTP_E_EXISTS ? XMTP_OK : status);
    return next;
}

static void run(xmtp_node_inbox_visit *visit);

static void run_work(xmtp_node_work *work)
{
    publication *p = (publication *)((uint8_t *)work - offsetof(publication, work));
    run(&p->visit);
}

/* By who has the sequencer's turn, and must not wait until the next one's signatures are verified. */
static void stored(xmtp_node_job *job, xmtp_status status, const xmtp_error *error)
{
    xmtp_node_call *call = (xmtp_node_call *)((uint8_t *)job - offsetof(xmtp_node_call, job));
    if (error != NULL) {
        call->error = *error;
    }
    xmtp_node_workers *workers = call->services->workers;
    publication *next = (publication *)finish((publication *)call->visit, status);
    if (next != NULL) {
        next->work.run = run_work;
        xmtp_node_workers_submit(workers, &next->work);
    }
}

/* Inside the visit. XMTP_E_RETRY: the sequencer has it. */
static xmtp_status publish(publication *p)
{
    xmtp_node_call *call = p->call;
    const xmtp_association *state;
    size_t update_count;
    XMTP_TRY(xmtp_node_inboxes_state(call->services->inboxes, &p->visit, &state, &update_count,
                                     &call->error));
    XMTP_TRY(apply(p, state));
    XMTP_TRY(check_room(p, update_count));
    XMTP_TRY(make_entry(p, state));
    call->job.done = stored;
    XMTP_TRY(xmtp_node_sequencer_submit_here(call->services->sequencer, &call->job));
    return XMTP_E_RETRY;
}

/* Visits one after the other until one is with the sequencer, or none is left. */
static void run(xmtp_node_inbox_visit *visit)
{
    while (visit != NULL) {
        publication *p = (publication *)visit;
        xmtp_status status = publish(p);
        visit = status == XMTP_E_RETRY ? NULL : finish(p, status);
    }
}

static xmtp_status read_inbox_id(publication *p)
{
    xmtp_node_call *call = p->call;
    xmtp_bytes text;
    char *inbox_id;
    if (xmtp_wire_update_inbox_id(p->update, &text) != XMTP_OK) {
        return xmtp_fail(&call->error, XMTP_E_ARGUMENT, "the identity update cannot be decoded");
    }
    XMTP_TRY(xmtp_arena_string(&call->arena, text, &inbox_id));
    return xmtp_node_inbox_id_read(call, inbox_id, p->visit.inbox_id);
}

xmtp_status xmtp_node_publish_identity_update(xmtp_node_call *call, xmtp_bytes bytes)
{
    void *message;
    void *memory;
    XMTP_TRY(xmtp_node_call_block(call)); /* signatures are verified */
    XMTP_TRY(xmtp_node_call_decode(call, &pb__publish_identity_update_request__descriptor, bytes,
                                   &message));
    const Pb__PublishIdentityUpdateRequest *request = message;
    XMTP_TRY(xmtp_node_call_count(call, request->identity_update.len, 1,
                                  call->services->limits.identity_update_len,
                                  "bytes of identity update"));
    XMTP_TRY(xmtp_arena_take(&call->arena, sizeof(publication), &memory));
    publication *p = memory;
    *p = (publication){.call = call, .update = xmtp_proto_bytes(request->identity_update)};
    XMTP_TRY(read_inbox_id(p));
    call->visit = &p->visit;
    xmtp_status status = xmtp_node_inboxes_enter(call->services->inboxes, &p->visit);
    if (status == XMTP_OK) {
        run(&p->visit);
        return XMTP_E_RETRY;
    }
    return status;
}
