/* update_batch.c - see update_batch.h. */
#include "identity/update_batch.h"

#include "base/bytes.h"
#include "base/status.h"
#include "base/together.h"
#include "crypto/lanes.h"
#include "identity/signature_text.h"
#include "identity/signer.h"

/* Decoded actions and texts of as many updates as fill a batch, of the usual size many times over. */
enum { ARENA_MAX = 1 << 20 };

enum { EIGHT = 8, PIECE_US = 50 }; /* of one wallet; eights in lanes take longer */

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
    batch->wallet_count = 0;
    batch->wallets_verified = 0;
}

static bool is_installation(const xmtp_wire_signature *s)
{
    return s->kind == XMTP_SIGNATURE_INSTALLATION && s->bytes.n == XMTP_INSTALLATION_SIGNATURE_LEN;
}

static bool is_wallet(const xmtp_wire_signature *s)
{
    return s->kind == XMTP_SIGNATURE_ERC191 && s->bytes.n == XMTP_WALLET_SIGNATURE_LEN;
}

static size_t signature_count(const xmtp_wire_update *update,
                              bool (*is_counted)(const xmtp_wire_signature *s))
{
    size_t count = 0;
    for (size_t i = 0; i < update->action_count; i++) {
        const xmtp_wire_action *a = &update->actions[i];
        count += is_counted(&a->signature);
        count += a->kind == XMTP_ACTION_ADD && is_counted(&a->new_member_signature);
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

static const xmtp_wallet_check *find_wallet(const xmtp_update_batch *batch, size_t count,
                                            xmtp_bytes text, xmtp_bytes signature)
{
    for (size_t i = 0; i < count; i++) {
        const xmtp_wallet_check *w = &batch->wallets[i];
        if (xmtp_bytes_equal(w->signature, signature) && xmtp_bytes_equal(w->text, text)) {
            return w;
        }
    }
    return NULL;
}

static void add(xmtp_update_batch *batch, const xmtp_wire_signature *s, xmtp_bytes text)
{
    const xmtp_signature_check check = {
        .pk = s->public_key, .message = text, .signature = s->bytes};
    if (is_installation(s) && find(batch, batch->count, &check) == NULL) {
        batch->checks[batch->count++] = check;
    }
    if (is_wallet(s) && find_wallet(batch, batch->wallet_count, text, s->bytes) == NULL) {
        batch->wallets[batch->wallet_count++] =
            (xmtp_wallet_check){.text = text, .signature = s->bytes};
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

/* Whether this machine gains by verifying together. */
static bool is_worthwhile(void)
{
    return xmtp_has_lanes() || xmtp_together_processors() > 1;
}

bool xmtp_update_batch_put(xmtp_update_batch *batch, xmtp_bytes update)
{
    xmtp_wire_update wire;
    xmtp_bytes text;
    if (!is_worthwhile() || update.n > XMTP_UPDATE_BATCH_BYTES_MAX ||
        xmtp_wire_update_decode(update, XMTP_UPDATE_BATCH_ACTIONS_MAX, &batch->arena, &wire,
                                NULL) != XMTP_OK) {
        return true;
    }
    const size_t count = signature_count(&wire, is_installation);
    const size_t wallet_count = signature_count(&wire, is_wallet);
    if (count > XMTP_UPDATE_BATCH_MAX - batch->count ||
        wallet_count > XMTP_UPDATE_BATCH_MAX - batch->wallet_count) {
        return false;
    }
    if (count + wallet_count == 0 || text_of(batch, &wire, &text) != XMTP_OK) {
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

/* At most eight. */
static void recover(xmtp_wallet_check *wallets, size_t count)
{
    uint8_t digests[EIGHT][32];
    xmtp_wallet_recovery jobs[EIGHT];
    for (size_t i = 0; i < count; i++) {
        xmtp_wallet_check *w = &wallets[i];
        xmtp_wallet_digest(w->text, digests[i]);
        jobs[i] = (xmtp_wallet_recovery){.digest = digests[i],
                                         .signature = w->signature.p,
                                         .address = w->address,
                                         .normalized = w->normalized};
    }
    xmtp_secp256k1_recover_many(jobs, count);
    for (size_t i = 0; i < count; i++) {
        wallets[i].verdict = jobs[i].status;
        wallets[i].is_from_lanes = jobs[i].is_from_lanes;
    }
}

/* What has no verdicts yet: signatures of installations in eights, then wallets, which are in eights too where
 * the machine has lanes. */
typedef struct unverified {
    xmtp_signature_check *checks;
    size_t count;
    size_t eights;
    xmtp_wallet_check *wallets;
    size_t wallet_count;
    size_t wallets_together;
} unverified;

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* One eight, or one wallet. */
static void verify_piece(void *context, size_t first, size_t count)
{
    const unverified *u = context;
    (void)count;
    if (first >= u->eights) {
        const size_t start = u->wallets_together * (first - u->eights);
        recover(u->wallets + start, smaller(u->wallet_count - start, u->wallets_together));
        return;
    }
    const size_t start = EIGHT * first;
    xmtp_installation_verify_updates(u->checks + start, smaller(u->count - start, EIGHT));
}

/* Texts begin with the inbox they are about (signature_text.h). */
static bool is_same_inbox(xmtp_bytes a, xmtp_bytes b)
{
    static const char head[] = "XMTP : Authenticate to inbox\n\nInbox ID: ";
    const size_t n = sizeof head - 1 + XMTP_INBOX_ID_LEN;
    return a.n >= n && b.n >= n && memcmp(a.p, b.p, n) == 0;
}

/* Whether the wallet's address stands in its text, or in another text about its inbox: the update that makes
 * an inbox names its wallet. */
static bool is_named(const xmtp_update_batch *batch, const xmtp_wallet_check *wallet)
{
    bool is = memmem(wallet->text.p, wallet->text.n, wallet->address, XMTP_ADDRESS_LEN) != NULL;
    for (size_t i = 0; i < batch->wallet_count && !is; i++) {
        const xmtp_bytes text = batch->wallets[i].text;
        is = is_same_inbox(text, wallet->text) &&
             memmem(text.p, text.n, wallet->address, XMTP_ADDRESS_LEN) != NULL;
    }
    return is;
}

/* An address that its inbox does not speak of comes of a forgery, or belongs to a member from before. The fold
 * may refuse it, and no refusal is left to the lanes. */
static void recover_unnamed_alone(xmtp_update_batch *batch, size_t first)
{
    for (size_t i = first; i < batch->wallet_count; i++) {
        xmtp_wallet_check *w = &batch->wallets[i];
        if (w->is_from_lanes && !is_named(batch, w)) {
            recover(w, 1);
        }
    }
}

void xmtp_update_batch_verify(xmtp_update_batch *batch)
{
    unverified u = {.checks = batch->checks + batch->verified,
                    .count = batch->count - batch->verified,
                    .wallets = batch->wallets + batch->wallets_verified,
                    .wallet_count = batch->wallet_count - batch->wallets_verified,
                    .wallets_together = xmtp_has_lanes() ? EIGHT : 1};
    u.eights = (u.count + EIGHT - 1) / EIGHT;
    const size_t pieces = (u.wallet_count + u.wallets_together - 1) / u.wallets_together;
    xmtp_together(&(xmtp_together_work){.count = u.eights + pieces,
                                        .piece = 1,
                                        .piece_us = PIECE_US,
                                        .step = verify_piece,
                                        .context = &u});
    recover_unnamed_alone(batch, batch->wallets_verified);
    batch->verified = batch->count;
    batch->wallets_verified = batch->wallet_count;
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

const xmtp_wallet_check *xmtp_update_batch_wallet(const xmtp_update_batch *batch, xmtp_bytes text,
                                                  xmtp_bytes signature)
{
    return batch == NULL ? NULL : find_wallet(batch, batch->wallets_verified, text, signature);
}
