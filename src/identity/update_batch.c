/* update_batch.c - see update_batch.h. */
#include "identity/update_batch.h"

#include "base/bytes.h"
#include "base/status.h"
#include "crypto/lanes.h"
#include "identity/signature_text.h"
#include "identity/signer.h"

/* Decoded actions and texts of as many updates as fill a batch, of the usual size many times over. */
enum { ARENA_MAX = 1 << 20 };

void xmtp_update_batch_init(xmtp_update_batch *batch, const xmtp_alloc *alloc)
{
    *batch = (xmtp_update_batch){.count = 0};
    xmtp_arena_init(&batch->arena, alloc, ARENA_MAX);
}

void xmtp_update_batch_clear(xmtp_update_batch *batch)
{
    xmtp_arena_reset(&batch->arena);
    batch->count = 0;
    batch->verified = 0;
}

static bool is_collected(const xmtp_wire_signature *s)
{
    return s->kind == XMTP_SIGNATURE_INSTALLATION && s->bytes.n == XMTP_INSTALLATION_SIGNATURE_LEN;
}

static size_t signature_count(const xmtp_wire_update *update)
{
    size_t count = 0;
    for (size_t i = 0; i < update->action_count; i++) {
        const xmtp_wire_action *a = &update->actions[i];
        count += is_collected(&a->signature);
        count += a->kind == XMTP_ACTION_ADD && is_collected(&a->new_member_signature);
    }
    return count;
}

/* NULL: not among the first so many. */
static const xmtp_signature_check *find(const xmtp_update_batch *batch, size_t count,
                                        const xmtp_signature_check *check)
{
    for (size_t i = 0; i < count; i++) {
        const xmtp_signature_check *c = &batch->checks[i];
        if (xmtp_bytes_equal(c->signature, check->signature) &&
            xmtp_bytes_equal(c->pk, check->pk) && xmtp_bytes_equal(c->message, check->message)) {
            return c;
        }
    }
    return NULL;
}

static void add(xmtp_update_batch *batch, const xmtp_wire_signature *s, xmtp_bytes text)
{
    const xmtp_signature_check check = {
        .pk = s->public_key, .message = text, .signature = s->bytes};
    if (is_collected(s) && find(batch, batch->count, &check) == NULL) {
        batch->checks[batch->count++] = check;
    }
}

static xmtp_status text_of(xmtp_update_batch *batch, const xmtp_wire_update *update,
                           xmtp_bytes *text)
{
    xmtp_writer w;
    xmtp_writer_init(&w, batch->arena.alloc, ARENA_MAX);
    const xmtp_status status = xmtp_signature_text(update, &w);
    return xmtp_writer_to_arena(&w, status, &batch->arena, text);
}

bool xmtp_update_batch_put(xmtp_update_batch *batch, xmtp_bytes update)
{
    xmtp_wire_update wire;
    xmtp_bytes text;
    if (!xmtp_has_lanes() || update.n > XMTP_UPDATE_BATCH_BYTES_MAX ||
        xmtp_wire_update_decode(update, XMTP_UPDATE_BATCH_ACTIONS_MAX, &batch->arena, &wire,
                                NULL) != XMTP_OK) {
        return true;
    }
    const size_t count = signature_count(&wire);
    if (count > XMTP_UPDATE_BATCH_MAX - batch->count) {
        return false;
    }
    if (count == 0 || text_of(batch, &wire, &text) != XMTP_OK) {
        return true;
    }
    for (size_t i = 0; i < wire.action_count; i++) {
        const xmtp_wire_action *a = &wire.actions[i];
        add(batch, &a->signature, text);
        if (a->kind == XMTP_ACTION_ADD) {
            add(batch, &a->new_member_signature, text);
        }
    }
    return true;
}

void xmtp_update_batch_verify(xmtp_update_batch *batch)
{
    xmtp_installation_verify_updates(batch->checks + batch->verified,
                                     batch->count - batch->verified);
    batch->verified = batch->count;
}

bool xmtp_update_batch_find(const xmtp_update_batch *batch, xmtp_bytes public_key, xmtp_bytes text,
                            xmtp_bytes signature, xmtp_status *verdict)
{
    const xmtp_signature_check wanted = {.pk = public_key, .message = text, .signature = signature};
    const xmtp_signature_check *known =
        batch == NULL ? NULL : find(batch, batch->verified, &wanted);
    if (known != NULL) {
        *verdict = known->verdict;
    }
    return known != NULL;
}
