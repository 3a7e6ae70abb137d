/* inbox_change.c - updates of an inbox that exists: accounts, recovery, revocations (identity.md 5.3).
 *
 *     log fetched --> actions --> a request, whose text is signed now or later
 *         --> log fetched --> judged on a copy of the state --> published
 *         --> log fetched again: it must show the change
 *
 * Each change is a request (signature_request.h); with a signer at hand it is signed and applied at
 * once.
 */
#include "client/device_sync.h"
#include "client/signature_request.h"
#include "identity/association.h"
#include "identity/inbox_id.h"
#include "identity/verify.h"
#include "proto/identity.pb-c.h"

/* ---- publishing */

static xmtp_status newest(xmtp_client *client, const char *inbox_id, const xmtp_association **state,
                          xmtp_error *error)
{
    uint64_t sequence_id;
    if (!xmtp_inbox_id_is_valid(xmtp_bytes_of_string(inbox_id))) {
        return xmtp_fail(error, XMTP_E_INBOX_ID, "an inbox id has 64 lower-case hex digits");
    }
    XMTP_TRY(xmtp_identity_sync(client, &inbox_id, 1, error));
    return xmtp_newest_state(client, inbox_id, state, &sequence_id, error);
}

static bool shows_action(const xmtp_association *state, const xmtp_update_action *a)
{
    xmtp_identifier recovery = xmtp_association_recovery(state);
    bool is_member = xmtp_association_find(state, &a->subject, NULL);
    return a->kind == XMTP_ACTION_ADD      ? is_member
           : a->kind == XMTP_ACTION_REVOKE ? !is_member
                                           : xmtp_identifier_equal(&recovery, &a->subject);
}

/* Whether the log shows what was asked for. An answer that was lost may hide a success. */
static xmtp_status shows_change(const xmtp_signature_request *r, const xmtp_association **state,
                                bool *out, xmtp_error *error)
{
    *out = true;
    XMTP_TRY(newest(r->client, r->inbox_id, state, error));
    for (size_t i = 0; i < r->action_count; i++) {
        *out = *out && shows_action(*state, &r->actions[i]);
    }
    return XMTP_OK;
}

static xmtp_status judge(const xmtp_signature_request *r, const xmtp_association *state,
                         xmtp_bytes update, xmtp_error *error)
{
    xmtp_association *draft;
    xmtp_verifier verifier = xmtp_client_verifier(r->client);
    XMTP_TRY(xmtp_association_copy(state, &draft));
    xmtp_status status =
        xmtp_association_apply(draft, update, &verifier, XMTP_ASSOCIATION_PUBLISH, error);
    xmtp_association_free(draft);
    return status;
}

static xmtp_status send(const xmtp_signature_request *r, xmtp_bytes update, xmtp_error *error)
{
    xmtp_error why = {0};
    const xmtp_association *state;
    bool is_done;
    xmtp_status status = xmtp_publish_identity_update(r->client, update, &why);
    XMTP_TRY(shows_change(r, &state, &is_done, error));
    if (is_done) {
        return XMTP_OK;
    }
    if (status == XMTP_OK) {
        return xmtp_fail(error, XMTP_E_PROTOCOL, "the node took the update and does not show it");
    }
    return xmtp_fail(error, status, "%s", why.text);
}

/* An installation that goes knew the root of our HMAC keys. */
static xmtp_status expect_cycle(const xmtp_signature_request *r, xmtp_error *error)
{
    bool is_due = strcmp(r->inbox_id, r->client->inbox_id) == 0 &&
                  r->actions[0].kind == XMTP_ACTION_REVOKE &&
                  r->actions[0].subject.kind == XMTP_IDENTIFIER_INSTALLATION;
    return is_due ? xmtp_hmac_expect_cycle(r->client, error) : XMTP_OK;
}

static xmtp_status apply_change(xmtp_signature_request *r, xmtp_error *error)
{
    const xmtp_association *state;
    uint8_t *update;
    size_t update_len;
    bool is_done;
    XMTP_TRY(xmtp_request_build(r, &update, &update_len, error));
    xmtp_bytes bytes = xmtp_bytes_of(update, update_len);
    xmtp_states_trim(r->client, XMTP_STATE_CACHE_MAX);
    xmtp_status status = shows_change(r, &state, &is_done, error);
    if (status == XMTP_OK && !is_done) {
        status = judge(r, state, bytes, error);
        if (status == XMTP_OK) {
            status = expect_cycle(r, error);
        }
        if (status == XMTP_OK) {
            status = send(r, bytes, error);
        }
    }
    xmtp_give_back(r->client, update);
    return status;
}

/* ---- adding an account */

static xmtp_status check_free(xmtp_client *client, xmtp_account_kind kind,
                              const xmtp_account_name *name, const char *text, bool reassign,
                              xmtp_error *error)
{
    const xmtp_association *state;
    const char *holder;
    xmtp_states_trim(client, XMTP_STATE_CACHE_MAX);
    XMTP_TRY(newest(client, client->inbox_id, &state, error));
    if (xmtp_association_find(state, &name->identifier, NULL)) {
        return xmtp_fail(error, XMTP_E_EXISTS, "%.130s is an account of this inbox already", text);
    }
    xmtp_error none = {0};
    xmtp_status status = xmtp_client_find_inbox(client, kind, text, &holder, &none);
    if (status == XMTP_E_NO_INBOX || (status == XMTP_OK && reassign)) {
        return XMTP_OK;
    }
    if (status == XMTP_OK) {
        return xmtp_fail(error, XMTP_E_EXISTS, "%.130s belongs to inbox %.64s", text, holder);
    }
    return xmtp_fail(error, status, "%s", none.text);
}

xmtp_status xmtp_client_request_add_account(xmtp_client *client, xmtp_account_kind kind,
                                            const char *identifier, bool reassign,
                                            xmtp_signature_request **out, xmtp_error *error)
{
    xmtp_account_name name;
    xmtp_signature_request *r;
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    *out = NULL;
    XMTP_TRY(xmtp_account_name_parse(kind, identifier, &name, error));
    XMTP_TRY(check_free(client, kind, &name, identifier, reassign, error));
    XMTP_TRY(xmtp_request_new(&r, client, client->inbox_id, &name.identifier, apply_change, error));
    xmtp_status status = xmtp_request_act(r,
                                          (xmtp_update_action){.kind = XMTP_ACTION_ADD,
                                                               .subject = name.identifier,
                                                               .signer = &r->self,
                                                               .new_member = &r->account},
                                          error);
    return xmtp_request_finish(out, r, status, error);
}

xmtp_status xmtp_client_add_account(xmtp_client *client, const xmtp_account_signer *account,
                                    bool reassign, xmtp_error *error)
{
    xmtp_account_hand hand;
    xmtp_signature_request *r;
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    xmtp_status status = xmtp_account_hand_take(&hand, client, account, error);
    if (status == XMTP_OK) {
        const char *name = hand.has_wallet ? hand.wallet.address : account->identifier;
        status = xmtp_client_request_add_account(client, account->kind, name, reassign, &r, error);
    }
    if (status == XMTP_OK) {
        status = xmtp_request_carry_out(r, &hand.signer, error);
    }
    xmtp_account_hand_wipe(&hand);
    return status;
}

/* ---- what the recovery identifier signs */

static xmtp_status sign_as_recovery(xmtp_client *client, xmtp_signature_request *request,
                                    const xmtp_account_signer *recovery, xmtp_error *error)
{
    xmtp_account_hand hand;
    xmtp_status status = xmtp_account_hand_take(&hand, client, recovery, error);
    if (status == XMTP_OK) {
        status = xmtp_request_carry_out(request, &hand.signer, error);
    } else {
        xmtp_signature_request_free(request);
    }
    xmtp_account_hand_wipe(&hand);
    return status;
}

static xmtp_status request_of_recovery(xmtp_signature_request **out, xmtp_client *client,
                                       const char *inbox_id, const xmtp_association **state,
                                       xmtp_error *error)
{
    xmtp_states_trim(client, XMTP_STATE_CACHE_MAX);
    XMTP_TRY(newest(client, inbox_id, state, error));
    xmtp_identifier recovery = xmtp_association_recovery(*state);
    return xmtp_request_new(out, client, inbox_id, &recovery, apply_change, error);
}

/* Not the recovery identifier itself, and nobody who is no account of the inbox. */
static xmtp_status check_removable(const xmtp_signature_request *r, const xmtp_association *state,
                                   const xmtp_identifier *account, xmtp_error *error)
{
    if (xmtp_identifier_equal(&r->account.identifier, account)) {
        return xmtp_fail(error, XMTP_E_ARGUMENT,
                         "the recovery identifier cannot be removed: change it first");
    }
    return xmtp_association_find(state, account, NULL)
               ? XMTP_OK
               : xmtp_fail(error, XMTP_E_NOT_FOUND, "this account is not one of the inbox");
}

/* An update of one action upon one account. */
static xmtp_status request_upon_account(xmtp_client *client, xmtp_action_kind what,
                                        xmtp_account_kind kind, const char *identifier,
                                        xmtp_signature_request **out, xmtp_error *error)
{
    xmtp_account_name name;
    xmtp_signature_request *r;
    const xmtp_association *state;
    XMTP_TRY(xmtp_account_name_parse(kind, identifier, &name, error));
    XMTP_TRY(request_of_recovery(&r, client, client->inbox_id, &state, error));
    xmtp_status status =
        what == XMTP_ACTION_REVOKE ? check_removable(r, state, &name.identifier, error) : XMTP_OK;
    if (status == XMTP_OK) {
        status = xmtp_request_act(
            r,
            (xmtp_update_action){.kind = what, .subject = name.identifier, .signer = &r->account},
            error);
    }
    return xmtp_request_finish(out, r, status, error);
}

xmtp_status xmtp_client_request_remove_account(xmtp_client *client, xmtp_account_kind kind,
                                               const char *identifier, xmtp_signature_request **out,
                                               xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_INBOX | XMTP_NEEDS_PUBLISHING, error));
    *out = NULL;
    return request_upon_account(client, XMTP_ACTION_REVOKE, kind, identifier, out, error);
}

xmtp_status xmtp_client_remove_account(xmtp_client *client, const xmtp_account_signer *recovery,
                                       xmtp_account_kind kind, const char *identifier,
                                       xmtp_error *error)
{
    xmtp_signature_request *r;
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_INBOX | XMTP_NEEDS_PUBLISHING, error));
    XMTP_TRY(xmtp_client_request_remove_account(client, kind, identifier, &r, error));
    return sign_as_recovery(client, r, recovery, error);
}

xmtp_status xmtp_client_request_change_recovery(xmtp_client *client, xmtp_account_kind kind,
                                                const char *identifier,
                                                xmtp_signature_request **out, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_INBOX | XMTP_NEEDS_PUBLISHING, error));
    *out = NULL;
    return request_upon_account(client, XMTP_ACTION_CHANGE_RECOVERY, kind, identifier, out, error);
}

xmtp_status xmtp_client_change_recovery(xmtp_client *client, const xmtp_account_signer *recovery,
                                        xmtp_account_kind kind, const char *identifier,
                                        xmtp_error *error)
{
    xmtp_signature_request *r;
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_INBOX | XMTP_NEEDS_PUBLISHING, error));
    XMTP_TRY(xmtp_client_request_change_recovery(client, kind, identifier, &r, error));
    return sign_as_recovery(client, r, recovery, error);
}

/* ---- installations */

static xmtp_status add_revocation(xmtp_signature_request *r, xmtp_bytes key, xmtp_error *error)
{
    xmtp_update_action action = {.kind = XMTP_ACTION_REVOKE,
                                 .subject = {.kind = XMTP_IDENTIFIER_INSTALLATION, .value = key},
                                 .signer = &r->account};
    return xmtp_request_act(r, action, error);
}

static xmtp_status add_named(xmtp_signature_request *r, const xmtp_association *state,
                             const char *const *ids, size_t count, xmtp_error *error)
{
    uint8_t key[XMTP_INSTALLATION_LEN];
    for (size_t i = 0; i < count; i++) {
        if (xmtp_hex_decode(key, sizeof(key), ids[i], strlen(ids[i])) != XMTP_OK) {
            return xmtp_fail(error, XMTP_E_IDENTIFIER, "an installation id has 64 hex digits");
        }
        if (!xmtp_association_has_installation(state, key)) {
            return xmtp_fail(error, XMTP_E_NOT_FOUND, "%.64s is no installation of inbox %.64s",
                             ids[i], r->inbox_id);
        }
        XMTP_TRY(add_revocation(r, xmtp_bytes_of(key, sizeof(key)), error));
    }
    return XMTP_OK;
}

static xmtp_status add_others(xmtp_signature_request *r, const xmtp_association *state,
                              xmtp_error *error)
{
    for (size_t i = 0; i < xmtp_association_member_count(state); i++) {
        xmtp_association_member member = xmtp_association_member_at(state, i);
        bool is_other = member.identifier.kind == XMTP_IDENTIFIER_INSTALLATION &&
                        !xmtp_identifier_equal(&member.identifier, &r->self.identifier);
        if (is_other) {
            XMTP_TRY(add_revocation(r, member.identifier.value, error));
        }
    }
    return XMTP_OK;
}

xmtp_status xmtp_client_request_revocation(xmtp_client *client, const char *inbox_id,
                                           const char *const *installation_ids, size_t count,
                                           xmtp_signature_request **out, xmtp_error *error)
{
    xmtp_signature_request *r;
    const xmtp_association *state;
    unsigned needs = inbox_id == NULL ? XMTP_NEEDS_INBOX : XMTP_NEEDS_DATABASE;
    XMTP_TRY(xmtp_enter(client, needs | XMTP_NEEDS_PUBLISHING, error));
    *out = NULL;
    XMTP_TRY(request_of_recovery(&r, client, inbox_id == NULL ? client->inbox_id : inbox_id, &state,
                                 error));
    xmtp_status status = installation_ids == NULL
                             ? add_others(r, state, error)
                             : add_named(r, state, installation_ids, count, error);
    if (status == XMTP_OK && r->action_count == 0) {
        xmtp_signature_request_free(r);
        return XMTP_OK;
    }
    return xmtp_request_finish(out, r, status, error);
}

/* ids NULL: all but our own. */
static xmtp_status revoke(xmtp_client *client, const char *inbox_id,
                          const xmtp_account_signer *recovery, const char *const *ids, size_t count,
                          size_t *revoked, xmtp_error *error)
{
    xmtp_signature_request *r;
    *revoked = 0;
    XMTP_TRY(xmtp_client_request_revocation(client, inbox_id, ids, count, &r, error));
    if (r == NULL) {
        return XMTP_OK;
    }
    size_t n = r->action_count;
    XMTP_TRY(sign_as_recovery(client, r, recovery, error));
    *revoked = n;
    return XMTP_OK;
}

xmtp_status xmtp_client_revoke_of_inbox(xmtp_client *client, const char *inbox_id,
                                        const xmtp_account_signer *recovery,
                                        const char *const *installation_ids, size_t count,
                                        xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_PUBLISHING, error));
    size_t revoked;
    if (count == 0) {
        return XMTP_OK;
    }
    if (installation_ids == NULL) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "%zu installations without their ids", count);
    }
    return revoke(client, inbox_id, recovery, installation_ids, count, &revoked, error);
}

xmtp_status xmtp_client_revoke_installations(xmtp_client *client,
                                             const xmtp_account_signer *recovery,
                                             const char *const *installation_ids, size_t count,
                                             xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_INBOX | XMTP_NEEDS_PUBLISHING, error));
    return xmtp_client_revoke_of_inbox(client, client->inbox_id, recovery, installation_ids, count,
                                       error);
}

xmtp_status xmtp_client_revoke_other_installations(xmtp_client *client,
                                                   const xmtp_account_signer *recovery,
                                                   size_t *revoked, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_INBOX | XMTP_NEEDS_PUBLISHING, error));
    size_t count;
    return revoke(client, client->inbox_id, recovery, NULL, 0, revoked == NULL ? &count : revoked,
                  error);
}
