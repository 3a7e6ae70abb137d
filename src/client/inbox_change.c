/* inbox_change.c - updates of an inbox that exists: accounts, recovery, revocations (identity.md 5.3).
 *
 *     log fetched --> actions --> text signed --> judged on a copy of the state --> published
 *         --> log fetched again: it must show the change
 */
#include "client/account.h"
#include "client/device_sync.h"
#include "identity/association.h"
#include "identity/verify.h"
#include "proto/identity.pb-c.h"

typedef struct change {
    xmtp_client *client;
    const char *inbox_id;
    const xmtp_association *state; /* before the change */
    xmtp_update_action actions[XMTP_UPDATE_ACTIONS_MAX];
    size_t action_count;
    xmtp_error *error;
} change;

static xmtp_status begin(change *c, xmtp_client *client, const char *inbox_id, xmtp_error *error)
{
    uint64_t sequence_id;
    *c = (change){.client = client, .inbox_id = inbox_id, .error = error};
    if (!xmtp_inbox_id_is_valid(xmtp_bytes_of_string(inbox_id))) {
        return xmtp_fail(error, XMTP_E_INBOX_ID, "an inbox id has 64 lower-case hex digits");
    }
    xmtp_states_trim(client, XMTP_STATE_CACHE_MAX);
    XMTP_TRY(xmtp_identity_sync(client, &inbox_id, 1, error));
    return xmtp_newest_state(client, inbox_id, &c->state, &sequence_id, error);
}

/* ---- publishing */

static xmtp_status judge(const change *c, xmtp_bytes update)
{
    xmtp_association *draft;
    xmtp_verifier verifier = xmtp_client_verifier(c->client);
    XMTP_TRY(xmtp_association_copy(c->state, &draft));
    xmtp_status status =
        xmtp_association_apply(draft, update, &verifier, XMTP_ASSOCIATION_PUBLISH, c->error);
    xmtp_association_free(draft);
    return status;
}

/* Whether the log shows what was asked for. An answer that was lost may hide a success. */
static xmtp_status shows_change(const change *c, bool *out)
{
    const xmtp_association *state;
    uint64_t sequence_id;
    *out = true;
    XMTP_TRY(xmtp_identity_sync(c->client, &c->inbox_id, 1, c->error));
    XMTP_TRY(xmtp_newest_state(c->client, c->inbox_id, &state, &sequence_id, c->error));
    xmtp_identifier recovery = xmtp_association_recovery(state);
    for (size_t i = 0; i < c->action_count; i++) {
        const xmtp_update_action *a = &c->actions[i];
        bool is_member = xmtp_association_find(state, &a->subject, NULL);
        bool is_done = a->kind == XMTP_ACTION_ADD ? is_member
                       : a->kind == XMTP_ACTION_REVOKE
                           ? !is_member
                           : xmtp_identifier_equal(&recovery, &a->subject);
        *out = *out && is_done;
    }
    return XMTP_OK;
}

static xmtp_status send(const change *c, xmtp_bytes update)
{
    xmtp_error why = {0};
    bool is_done;
    xmtp_status status = xmtp_publish_identity_update(c->client, update, &why);
    XMTP_TRY(shows_change(c, &is_done));
    if (is_done) {
        return XMTP_OK;
    }
    if (status == XMTP_OK) {
        return xmtp_fail(c->error, XMTP_E_PROTOCOL,
                         "the node took the update and does not show it");
    }
    return xmtp_fail(c->error, status, "%s", why.text);
}

static xmtp_status publish(const change *c)
{
    uint8_t *update;
    size_t update_len;
    const xmtp_alloc *alloc = &c->client->env.alloc;
    XMTP_TRY(xmtp_identity_update_build(alloc, c->inbox_id, xmtp_now_ns(c->client), c->actions,
                                        c->action_count, &update, &update_len, c->error));
    xmtp_bytes bytes = xmtp_bytes_of(update, update_len);
    xmtp_status status = judge(c, bytes);
    if (status == XMTP_OK) {
        status = send(c, bytes);
    }
    xmtp_give_back(c->client, update);
    return status;
}

/* ---- accounts */

static xmtp_status check_free(change *c, const xmtp_account_hand *hand, bool reassign)
{
    const char *holder;
    const xmtp_account_signer *account = hand->account;
    const char *name = hand->has_wallet ? hand->wallet.address : account->identifier;
    if (xmtp_association_find(c->state, &hand->signer.identifier, NULL)) {
        return xmtp_fail(c->error, XMTP_E_EXISTS, "%.130s is an account of this inbox already",
                         name);
    }
    xmtp_error none = {0};
    xmtp_status status = xmtp_client_find_inbox(c->client, account->kind, name, &holder, &none);
    if (status == XMTP_E_NO_INBOX || (status == XMTP_OK && reassign)) {
        return XMTP_OK;
    }
    if (status == XMTP_OK) {
        return xmtp_fail(c->error, XMTP_E_EXISTS, "%.130s belongs to inbox %.64s", name, holder);
    }
    return xmtp_fail(c->error, status, "%s", none.text);
}

static xmtp_status add_account(change *c, const xmtp_account_hand *hand, bool reassign)
{
    xmtp_signer self = xmtp_signer_of_installation(&c->client->installation);
    XMTP_TRY(check_free(c, hand, reassign));
    c->actions[0] = (xmtp_update_action){.kind = XMTP_ACTION_ADD,
                                         .subject = hand->signer.identifier,
                                         .signer = &self,
                                         .new_member = &hand->signer};
    c->action_count = 1;
    return publish(c);
}

xmtp_status xmtp_client_add_account(xmtp_client *client, const xmtp_account_signer *account,
                                    bool reassign, xmtp_error *error)
{
    change c;
    xmtp_account_hand hand;
    XMTP_TRY(xmtp_needs_inbox(client, error));
    XMTP_TRY(begin(&c, client, client->inbox_id, error));
    xmtp_status status = xmtp_account_hand_take(&hand, client, account, error);
    if (status == XMTP_OK) {
        status = add_account(&c, &hand, reassign);
    }
    xmtp_account_hand_wipe(&hand);
    return status;
}

/* One action on a subject, signed by the recovery identifier. */
static xmtp_status recovery_action(xmtp_client *client, xmtp_action_kind kind,
                                   const xmtp_account_signer *recovery,
                                   const xmtp_identifier *subject, xmtp_error *error)
{
    change c;
    xmtp_account_hand hand;
    XMTP_TRY(begin(&c, client, client->inbox_id, error));
    xmtp_identifier present = xmtp_association_recovery(c.state);
    if (kind == XMTP_ACTION_REVOKE && xmtp_identifier_equal(&present, subject)) {
        return xmtp_fail(error, XMTP_E_ARGUMENT,
                         "the recovery identifier cannot be removed: change it first");
    }
    if (kind == XMTP_ACTION_REVOKE && !xmtp_association_find(c.state, subject, NULL)) {
        return xmtp_fail(error, XMTP_E_NOT_FOUND, "this account is not one of the inbox");
    }
    xmtp_status status = xmtp_account_hand_take(&hand, client, recovery, error);
    if (status == XMTP_OK) {
        c.actions[0] =
            (xmtp_update_action){.kind = kind, .subject = *subject, .signer = &hand.signer};
        c.action_count = 1;
        status = publish(&c);
    }
    xmtp_account_hand_wipe(&hand);
    return status;
}

xmtp_status xmtp_client_remove_account(xmtp_client *client, const xmtp_account_signer *recovery,
                                       xmtp_account_kind kind, const char *identifier,
                                       xmtp_error *error)
{
    xmtp_account_name name;
    XMTP_TRY(xmtp_needs_inbox(client, error));
    XMTP_TRY(xmtp_account_name_parse(kind, identifier, &name, error));
    return recovery_action(client, XMTP_ACTION_REVOKE, recovery, &name.identifier, error);
}

xmtp_status xmtp_client_change_recovery(xmtp_client *client, const xmtp_account_signer *recovery,
                                        xmtp_account_kind kind, const char *identifier,
                                        xmtp_error *error)
{
    xmtp_account_name name;
    XMTP_TRY(xmtp_needs_inbox(client, error));
    XMTP_TRY(xmtp_account_name_parse(kind, identifier, &name, error));
    return recovery_action(client, XMTP_ACTION_CHANGE_RECOVERY, recovery, &name.identifier, error);
}

/* ---- installations */

static xmtp_status add_revocation(change *c, xmtp_bytes key, const xmtp_signer *signer)
{
    if (c->action_count == XMTP_UPDATE_ACTIONS_MAX) {
        return xmtp_fail(c->error, XMTP_E_LIMIT, "at most %d installations in one update",
                         XMTP_UPDATE_ACTIONS_MAX);
    }
    c->actions[c->action_count++] =
        (xmtp_update_action){.kind = XMTP_ACTION_REVOKE,
                             .subject = {.kind = XMTP_IDENTIFIER_INSTALLATION, .value = key},
                             .signer = signer};
    return XMTP_OK;
}

static xmtp_status add_named(change *c, const char *const *ids, size_t count,
                             const xmtp_signer *signer, xmtp_arena *arena)
{
    for (size_t i = 0; i < count; i++) {
        void *key;
        XMTP_TRY(xmtp_arena_take(arena, XMTP_INSTALLATION_LEN, &key));
        if (xmtp_hex_decode(key, XMTP_INSTALLATION_LEN, ids[i], strlen(ids[i])) != XMTP_OK) {
            return xmtp_fail(c->error, XMTP_E_IDENTIFIER, "an installation id has 64 hex digits");
        }
        if (!xmtp_association_has_installation(c->state, key)) {
            return xmtp_fail(c->error, XMTP_E_NOT_FOUND, "%.64s is no installation of inbox %.64s",
                             ids[i], c->inbox_id);
        }
        XMTP_TRY(add_revocation(c, xmtp_bytes_of(key, XMTP_INSTALLATION_LEN), signer));
    }
    return XMTP_OK;
}

/* The keys are copied: fetching the log again ends the state's views. */
static xmtp_status add_others(change *c, const xmtp_signer *signer, xmtp_arena *arena)
{
    xmtp_bytes own = xmtp_bytes_of(c->client->installation.pk, XMTP_INSTALLATION_LEN);
    for (size_t i = 0; i < xmtp_association_member_count(c->state); i++) {
        xmtp_association_member member = xmtp_association_member_at(c->state, i);
        bool is_other = member.identifier.kind == XMTP_IDENTIFIER_INSTALLATION &&
                        !xmtp_bytes_equal(member.identifier.value, own);
        if (is_other) {
            xmtp_bytes key;
            XMTP_TRY(xmtp_arena_copy(arena, member.identifier.value, &key));
            XMTP_TRY(add_revocation(c, key, signer));
        }
    }
    return XMTP_OK;
}

/* ids NULL: all but our own. */
static xmtp_status revoke(xmtp_client *client, const char *inbox_id,
                          const xmtp_account_signer *recovery, const char *const *ids, size_t count,
                          size_t *revoked, xmtp_error *error)
{
    change c;
    xmtp_account_hand hand;
    xmtp_arena arena;
    *revoked = 0;
    XMTP_TRY(begin(&c, client, inbox_id, error));
    xmtp_scratch(client, &arena);
    xmtp_status status = xmtp_account_hand_take(&hand, client, recovery, error);
    if (status == XMTP_OK) {
        status = ids == NULL ? add_others(&c, &hand.signer, &arena)
                             : add_named(&c, ids, count, &hand.signer, &arena);
    }
    if (status == XMTP_OK && c.action_count > 0 && strcmp(inbox_id, client->inbox_id) == 0) {
        status = xmtp_hmac_expect_cycle(client, error);
    }
    if (status == XMTP_OK && c.action_count > 0) {
        status = publish(&c);
    }
    *revoked = status == XMTP_OK ? c.action_count : 0;
    xmtp_account_hand_wipe(&hand);
    xmtp_arena_reset(&arena);
    return status;
}

xmtp_status xmtp_client_revoke_of_inbox(xmtp_client *client, const char *inbox_id,
                                        const xmtp_account_signer *recovery,
                                        const char *const *installation_ids, size_t count,
                                        xmtp_error *error)
{
    size_t revoked;
    if (count == 0) {
        return XMTP_OK;
    }
    return revoke(client, inbox_id, recovery, installation_ids, count, &revoked, error);
}

xmtp_status xmtp_client_revoke_installations(xmtp_client *client,
                                             const xmtp_account_signer *recovery,
                                             const char *const *installation_ids, size_t count,
                                             xmtp_error *error)
{
    XMTP_TRY(xmtp_needs_inbox(client, error));
    return xmtp_client_revoke_of_inbox(client, client->inbox_id, recovery, installation_ids, count,
                                       error);
}

xmtp_status xmtp_client_revoke_other_installations(xmtp_client *client,
                                                   const xmtp_account_signer *recovery,
                                                   size_t *revoked, xmtp_error *error)
{
    size_t count;
    XMTP_TRY(xmtp_needs_inbox(client, error));
    return revoke(client, client->inbox_id, recovery, NULL, 0, revoked == NULL ? &count : revoked,
                  error);
}
