/* association.c - folding one update into a state: the rules of identity.md 2.4.
 *
 *     decode --> verify every signature over the one text --> apply actions to a draft, in order
 *            --> inbox id right? --> signatures into seen --> draft becomes the state
 *
 * Any failure throws the draft away. The order of the checks is part of the contract: it decides
 * which sentence a peer sees, and nothing may be accepted or refused that other clients would not.
 */
#include "identity/association.h"

#include "base/bytes.h"
#include "base/status.h"
#include "base/writer.h"
#include "identity/association_state.h"
#include "identity/inbox_id.h"
#include "identity/signature_text.h"

#include <inttypes.h>

/* Decoded actions, the text and recovered signers of one update of the largest size. */
enum { WORK_BYTES_MAX = 1 << 30 };

/* One action whose signatures have been verified. new_member: ADD only. */
typedef struct verified_action {
    const xmtp_wire_action *wire;
    xmtp_verified_signature signer;
    xmtp_verified_signature new_member;
} verified_action;

typedef struct fold {
    xmtp_association *draft;
    const xmtp_verifier *verifier;
    unsigned flags;
    xmtp_arena *work;
    xmtp_error *error;
    xmtp_wire_update update;
    verified_action *actions;
} fold;

static xmtp_status refuse(const fold *f, const char *sentence)
{
    return xmtp_fail(f->error, XMTP_E_ASSOCIATION, "%s", sentence);
}

static const char not_created[] = "XID not yet created";
static const char missing_existing[] = "Missing existing member";
static const char legacy_reuse[] =
    "Legacy key is only allowed to be associated using a legacy signature with nonce 0";

/* ---- rules that several actions share */

/* identity.md 2.7 */
static bool is_allowed(xmtp_identifier_kind role, xmtp_signature_kind kind)
{
    switch (role) {
    case XMTP_IDENTIFIER_ETHEREUM:
        return kind == XMTP_SIGNATURE_ERC191 || kind == XMTP_SIGNATURE_CONTRACT ||
               kind == XMTP_SIGNATURE_DELEGATED;
    case XMTP_IDENTIFIER_INSTALLATION:
        return kind == XMTP_SIGNATURE_INSTALLATION;
    case XMTP_IDENTIFIER_PASSKEY:
        return kind == XMTP_SIGNATURE_PASSKEY;
    }
    return false;
}

static xmtp_status not_allowed(const fold *f, xmtp_identifier_kind role, xmtp_signature_kind kind)
{
    return xmtp_fail(f->error, XMTP_E_ASSOCIATION, "Signature not allowed for role \"%s\" \"%s\"",
                     xmtp_identifier_kind_name(role), xmtp_signature_kind_name(kind));
}

static xmtp_status check_allowed(const fold *f, xmtp_identifier_kind role, xmtp_signature_kind kind)
{
    return is_allowed(role, kind) ? XMTP_OK : not_allowed(f, role, kind);
}

static bool is_legacy(const xmtp_verified_signature *s)
{
    return s->kind == XMTP_SIGNATURE_DELEGATED;
}

/* Only signatures of earlier updates count: one may appear many times inside an update (2.5). */
static xmtp_status check_replay(const fold *f, const xmtp_verified_signature *s)
{
    if (xmtp_association_has_seen(f->draft, s->seen)) {
        return xmtp_fail(f->error, XMTP_E_REPLAY, "Replay detected");
    }
    return XMTP_OK;
}

/* A member signs on the chain that it was added on; no chain is a chain too. */
static xmtp_status check_chain(const fold *f, const xmtp_association_member *member,
                               const xmtp_verified_signature *s)
{
    if (member == NULL ||
        (member->has_chain_id == s->has_chain_id && member->chain_id == s->chain_id)) {
        return XMTP_OK;
    }
    return xmtp_fail(f->error, XMTP_E_ASSOCIATION,
                     "Wrong chain id. Initially added with %" PRIu64
                     " but now signing from %" PRIu64,
                     member->chain_id, s->chain_id);
}

/* ---- CreateInbox */

static xmtp_status apply_create(const fold *f, const verified_action *a)
{
    xmtp_association *draft = f->draft;
    const xmtp_identifier *owner = &a->wire->subject;
    if (draft->exists) {
        return refuse(f, "Multiple create operations detected");
    }
    if (!xmtp_identifier_equal(&a->signer.signer, owner)) {
        return refuse(f, missing_existing);
    }
    XMTP_TRY(check_allowed(f, owner->kind, a->signer.kind));
    if (is_legacy(&a->signer) && a->wire->nonce != 0) {
        return refuse(f, legacy_reuse);
    }
    XMTP_TRY(xmtp_inbox_id(owner, a->wire->nonce, draft->inbox_id, f->error));
    XMTP_TRY(xmtp_association_keep(draft, owner, &draft->recovery));
    draft->exists = true;
    xmtp_association_member creator = {.identifier = *owner,
                                       .has_chain_id = a->signer.has_chain_id,
                                       .chain_id = a->signer.chain_id};
    return xmtp_association_put(draft, &creator);
}

/* ---- AddAssociation: the numbers are those of the table in 2.4 */

/* 5: a legacy key belongs to its wallet's inbox with nonce 0 and to no other. */
static xmtp_status check_legacy_inbox(const fold *f, const verified_action *a)
{
    if (a->signer.signer.kind == XMTP_IDENTIFIER_INSTALLATION ||
        (!is_legacy(&a->signer) && !is_legacy(&a->new_member))) {
        return XMTP_OK;
    }
    char inbox_id[XMTP_INBOX_ID_LEN + 1];
    XMTP_TRY(xmtp_inbox_id(&a->signer.signer, 0, inbox_id, f->error));
    return strcmp(inbox_id, f->draft->inbox_id) == 0 ? XMTP_OK : refuse(f, legacy_reuse);
}

/* 7 and 8 */
static xmtp_status check_existing_signer(const fold *f, const verified_action *a)
{
    const xmtp_association_member *member = xmtp_association_member_of(f->draft, &a->signer.signer);
    if (member != NULL) {
        return check_chain(f, member, &a->signer);
    }
    if (!xmtp_identifier_equal(&a->signer.signer, &f->draft->recovery)) {
        return refuse(f, missing_existing);
    }
    return is_legacy(&a->signer) ? refuse(f, legacy_reuse) : XMTP_OK;
}

static xmtp_status check_add(const fold *f, const verified_action *a)
{
    const xmtp_identifier *existing = &a->signer.signer;
    const xmtp_identifier *added = &a->wire->subject;
    if (!f->draft->exists) {
        return refuse(f, not_created); /* 1 */
    }
    XMTP_TRY(check_replay(f, &a->signer)); /* 2 */
    XMTP_TRY(check_replay(f, &a->new_member));
    if (!xmtp_identifier_equal(&a->new_member.signer, added)) { /* 3 */
        return refuse(f, "The new member identifier does not match the signer");
    }
    if (xmtp_identifier_equal(added, existing)) { /* 4 */
        return refuse(f, "Error creating association tried to add self");
    }
    XMTP_TRY(check_legacy_inbox(f, a));
    XMTP_TRY(check_allowed(f, added->kind, a->new_member.kind)); /* 6 */
    XMTP_TRY(check_existing_signer(f, a));
    XMTP_TRY(check_allowed(f, existing->kind, a->signer.kind)); /* 9 */
    if (existing->kind == XMTP_IDENTIFIER_INSTALLATION &&
        added->kind == XMTP_IDENTIFIER_INSTALLATION) { /* 10 */
        return refuse(f, "Member of kind installation not allowed to add installation");
    }
    return XMTP_OK;
}

static xmtp_status apply_add(const fold *f, const verified_action *a)
{
    XMTP_TRY(check_add(f, a));
    xmtp_association_member member = {.identifier = a->new_member.signer,
                                      .has_added_by = true,
                                      .added_by = a->signer.signer,
                                      .has_timestamp = true,
                                      .client_timestamp_ns = f->update.client_timestamp_ns,
                                      .has_chain_id = a->new_member.has_chain_id,
                                      .chain_id = a->new_member.chain_id};
    return xmtp_association_put(f->draft, &member);
}

/* ---- RevokeAssociation and ChangeRecoveryAddress */

static xmtp_status check_recovery_signer(const fold *f, const verified_action *a)
{
    if (!f->draft->exists) {
        return refuse(f, not_created);
    }
    XMTP_TRY(check_replay(f, &a->signer));
    XMTP_TRY(check_chain(f, xmtp_association_member_of(f->draft, &a->signer.signer), &a->signer));
    if (is_legacy(&a->signer)) {
        return not_allowed(f, XMTP_IDENTIFIER_ETHEREUM, XMTP_SIGNATURE_DELEGATED);
    }
    if (!xmtp_identifier_equal(&a->signer.signer, &f->draft->recovery)) {
        return refuse(f, missing_existing);
    }
    return XMTP_OK;
}

static bool goes_with(const xmtp_association_member *member, const xmtp_identifier *revoked)
{
    bool is_child = member->identifier.kind == XMTP_IDENTIFIER_INSTALLATION &&
                    member->has_added_by && xmtp_identifier_equal(&member->added_by, revoked);
    return is_child || xmtp_identifier_equal(&member->identifier, revoked);
}

/* The member and the installations that it added; what those added stays (one level only). */
static xmtp_status apply_revoke(const fold *f, const verified_action *a)
{
    XMTP_TRY(check_recovery_signer(f, a));
    xmtp_association *draft = f->draft;
    for (size_t i = draft->member_count; i > 0; i--) {
        if (goes_with(&draft->members[i - 1], &a->wire->subject)) {
            xmtp_association_remove(draft, i - 1);
        }
    }
    return XMTP_OK;
}

/* XMTP: the new identifier is taken as it is, so nonsense locks the inbox (identity.md 2.4). */
static xmtp_status apply_change_recovery(const fold *f, const verified_action *a)
{
    XMTP_TRY(check_recovery_signer(f, a));
    return xmtp_association_keep(f->draft, &a->wire->subject, &f->draft->recovery);
}

/* ---- rules for publishing only (XMTP_ASSOCIATION_PUBLISH) */

static xmtp_status check_publish_wallet(const fold *f, const xmtp_wire_signature *wire,
                                        const xmtp_verified_signature *verified)
{
    if (wire->kind != XMTP_SIGNATURE_ERC191) {
        return XMTP_OK;
    }
    uint8_t v = wire->bytes.p[64];
    if (v != 27 && v != 28) {
        return xmtp_fail(f->error, XMTP_E_SIGNATURE, "invalid parity: %u, must be 27 or 28",
                         (unsigned)v);
    }
    if (xmtp_association_has_seen_prefix(f->draft, xmtp_bytes_of(verified->seen.p, 64))) {
        return xmtp_fail(f->error, XMTP_E_REPLAY, "Replay detected");
    }
    return XMTP_OK;
}

static bool is_usable_recovery(const xmtp_identifier *id)
{
    if (id->kind == XMTP_IDENTIFIER_PASSKEY) {
        return id->value.n == 33 || id->value.n == XMTP_PASSKEY_MAX;
    }
    if (!xmtp_address_is_valid(id->value)) {
        return false;
    }
    for (size_t i = 2; i < id->value.n; i++) {
        if (id->value.p[i] >= 'A' && id->value.p[i] <= 'F') {
            return false; /* a recovered address is lower-case: nobody could sign for this one */
        }
    }
    return true;
}

static xmtp_status check_publish(const fold *f, const verified_action *a)
{
    XMTP_TRY(check_publish_wallet(f, &a->wire->signature, &a->signer));
    if (a->wire->kind == XMTP_ACTION_ADD) {
        XMTP_TRY(check_publish_wallet(f, &a->wire->new_member_signature, &a->new_member));
    }
    if (a->wire->kind == XMTP_ACTION_CHANGE_RECOVERY && !is_usable_recovery(&a->wire->subject)) {
        return xmtp_fail(f->error, XMTP_E_IDENTIFIER,
                         "the new recovery identifier is none that could ever sign");
    }
    return XMTP_OK;
}

/* ---- the fold */

static xmtp_status apply_action(const fold *f, const verified_action *a)
{
    if ((f->flags & XMTP_ASSOCIATION_PUBLISH) != 0) {
        XMTP_TRY(check_publish(f, a));
    }
    switch (a->wire->kind) {
    case XMTP_ACTION_NONE:
        break;
    case XMTP_ACTION_CREATE_INBOX:
        return apply_create(f, a);
    case XMTP_ACTION_ADD:
        return apply_add(f, a);
    case XMTP_ACTION_REVOKE:
        return apply_revoke(f, a);
    case XMTP_ACTION_CHANGE_RECOVERY:
        return apply_change_recovery(f, a);
    }
    return XMTP_E_INTERNAL;
}

static xmtp_status decode(fold *f, xmtp_bytes update)
{
    bool is_publish = (f->flags & XMTP_ASSOCIATION_PUBLISH) != 0;
    size_t bytes_max = is_publish ? XMTP_PUBLISH_UPDATE_MAX : XMTP_IDENTITY_UPDATE_MAX;
    size_t action_max = is_publish ? XMTP_PUBLISH_ACTIONS_MAX : XMTP_IDENTITY_ACTIONS_MAX;
    if (update.n > bytes_max) {
        return xmtp_fail(f->error, XMTP_E_LIMIT, "identity update of %zu bytes, at most %zu",
                         update.n, bytes_max);
    }
    XMTP_TRY(xmtp_wire_update_decode(update, action_max, f->work, &f->update, f->error));
    if (is_publish && f->update.action_count == 0) {
        return refuse(f, "identity update without an action");
    }
    return XMTP_OK;
}

/* A wallet that signs in several places signs once: do not recover the same signer again. */
static bool is_same_ecdsa(const xmtp_wire_signature *a, const xmtp_wire_signature *b)
{
    return a->kind == XMTP_SIGNATURE_ERC191 && b->kind == XMTP_SIGNATURE_ERC191 &&
           xmtp_bytes_equal(a->bytes, b->bytes);
}

typedef struct last_verified {
    const xmtp_wire_signature *wire;
    const xmtp_verified_signature *verified;
} last_verified;

static xmtp_status verify_one(const fold *f, const xmtp_signed_text *text,
                              const xmtp_wire_signature *wire, last_verified *last,
                              xmtp_verified_signature *out)
{
    if (last->wire != NULL && is_same_ecdsa(last->wire, wire)) {
        *out = *last->verified;
        return XMTP_OK;
    }
    bool is_accepted = (f->flags & XMTP_ASSOCIATION_ACCEPTED) != 0;
    XMTP_TRY(xmtp_signature_verify(wire, text, f->verifier, is_accepted, f->work, out, f->error));
    if (wire->kind == XMTP_SIGNATURE_ERC191) {
        *last = (last_verified){.wire = wire, .verified = out};
    }
    return XMTP_OK;
}

static xmtp_status verify_all(fold *f, const xmtp_signed_text *text)
{
    last_verified last = {0};
    for (size_t i = 0; i < f->update.action_count; i++) {
        verified_action *a = &f->actions[i];
        a->wire = &f->update.actions[i];
        XMTP_TRY(verify_one(f, text, &a->wire->signature, &last, &a->signer));
        if (a->wire->kind == XMTP_ACTION_ADD) {
            XMTP_TRY(verify_one(f, text, &a->wire->new_member_signature, &last, &a->new_member));
        }
    }
    return XMTP_OK;
}

static xmtp_status verify(fold *f)
{
    void *actions;
    XMTP_TRY(xmtp_arena_take_array(f->work, f->update.action_count, sizeof *f->actions, &actions));
    f->actions = actions;
    xmtp_writer w;
    xmtp_writer_init(&w, f->draft->alloc, XMTP_WRITER_MAX);
    xmtp_status status = xmtp_signature_text(&f->update, &w);
    if (status == XMTP_OK) {
        xmtp_signed_text text = xmtp_signed_text_of(xmtp_writer_bytes(&w));
        status = verify_all(f, &text);
    }
    xmtp_writer_free(&w);
    return status;
}

static xmtp_status apply_actions(const fold *f)
{
    for (size_t i = 0; i < f->update.action_count; i++) {
        XMTP_TRY(apply_action(f, &f->actions[i]));
    }
    if (!f->draft->exists) {
        return refuse(f, not_created);
    }
    if (!xmtp_bytes_equal(xmtp_bytes_of_string(f->draft->inbox_id), f->update.inbox_id)) {
        return xmtp_fail(f->error, XMTP_E_INBOX_ID, "Wrong inbox_id specified on association");
    }
    for (size_t i = 0; i < f->update.action_count; i++) {
        XMTP_TRY(xmtp_association_add_seen(f->draft, f->actions[i].signer.seen));
        if (f->actions[i].wire->kind == XMTP_ACTION_ADD) {
            XMTP_TRY(xmtp_association_add_seen(f->draft, f->actions[i].new_member.seen));
        }
    }
    xmtp_association_sort(f->draft);
    return XMTP_OK;
}

static xmtp_status run(fold *f, const xmtp_association *state, xmtp_bytes update)
{
    XMTP_TRY(decode(f, update));
    XMTP_TRY(verify(f));
    XMTP_TRY(xmtp_association_draft(f->draft, state, f->update.action_count,
                                    2 * f->update.action_count));
    return apply_actions(f);
}

xmtp_status xmtp_association_apply(xmtp_association *state, xmtp_bytes update,
                                   const xmtp_verifier *verifier, unsigned flags, xmtp_error *error)
{
    xmtp_arena work;
    xmtp_association draft;
    xmtp_arena_init(&work, state->alloc, WORK_BYTES_MAX);
    xmtp_association_init(&draft, state->alloc);
    fold f = {.draft = &draft, .verifier = verifier, .flags = flags, .work = &work, .error = error};
    xmtp_status status = run(&f, state, update);
    if (status == XMTP_OK) {
        xmtp_association old = *state;
        *state = draft;
        draft = old;
    } else if (error != NULL && error->status != status) {
        status = xmtp_fail(error, status, "identity update: %s", xmtp_status_text(status));
    }
    xmtp_association_clear(&draft);
    xmtp_arena_reset(&work);
    return status;
}
