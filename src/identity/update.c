/* update.c - from a list of actions and signers to a signed IdentityUpdate.
 *
 *     actions --> check subjects and signers --> text --> each signer signs once --> bytes
 */
#include "identity/update.h"

#include "base/bytes.h"
#include "base/status.h"
#include "identity/inbox_id.h"
#include "identity/signature_text.h"
#include "identity/verify.h"

/* One signer and what it signed; the signature is public once it is sent. */
typedef struct signed_by {
    const xmtp_signer *signer;
    xmtp_wire_signature signature;
} signed_by;

typedef struct build {
    const xmtp_update_action *actions;
    size_t count;
    xmtp_error *error;
    xmtp_wire_action wire[XMTP_UPDATE_ACTIONS_MAX];
    signed_by signers[2 * XMTP_UPDATE_ACTIONS_MAX];
    size_t signer_count;
    xmtp_arena arena; /* the signatures */
} build;

enum { SIGNATURES_MAX = 16 << 20 };

/* ---- checks */

static bool has_upper_case(xmtp_bytes text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] >= 'A' && text.p[i] <= 'Z') {
            return true;
        }
    }
    return false;
}

static xmtp_status check_subject(const build *b, const xmtp_identifier *id)
{
    bool is_good = false;
    switch (id->kind) {
    case XMTP_IDENTIFIER_ETHEREUM:
        is_good = xmtp_address_is_valid(id->value) && !has_upper_case(id->value);
        break;
    case XMTP_IDENTIFIER_INSTALLATION:
        is_good = id->value.n == XMTP_INSTALLATION_LEN;
        break;
    case XMTP_IDENTIFIER_PASSKEY:
        is_good = id->value.n == 33 || id->value.n == XMTP_PASSKEY_MAX;
        break;
    }
    if (is_good) {
        return XMTP_OK;
    }
    return xmtp_fail(b->error, XMTP_E_IDENTIFIER,
                     "not a well-formed %s identifier (addresses must be lower-case)",
                     xmtp_identifier_kind_name(id->kind));
}

static xmtp_status check_signer(const build *b, const xmtp_signer *signer)
{
    if (signer == NULL || signer->sign == NULL) {
        return xmtp_fail(b->error, XMTP_E_ARGUMENT, "Required signature was not provided");
    }
    return check_subject(b, &signer->identifier);
}

static xmtp_status check_action(const build *b, const xmtp_update_action *a)
{
    XMTP_TRY(check_subject(b, &a->subject));
    XMTP_TRY(check_signer(b, a->signer));
    bool is_owner = xmtp_identifier_equal(&a->signer->identifier, &a->subject);
    bool is_installation = a->subject.kind == XMTP_IDENTIFIER_INSTALLATION;
    switch (a->kind) {
    case XMTP_ACTION_NONE:
        break;
    case XMTP_ACTION_CREATE_INBOX:
        return is_owner ? XMTP_OK
                        : xmtp_fail(b->error, XMTP_E_ARGUMENT,
                                    "an inbox is created by its initial identifier");
    case XMTP_ACTION_ADD:
        XMTP_TRY(check_signer(b, a->new_member));
        if (is_owner || !xmtp_identifier_equal(&a->new_member->identifier, &a->subject)) {
            return xmtp_fail(b->error, XMTP_E_ARGUMENT,
                             "a new member signs for itself and is added by another");
        }
        return XMTP_OK;
    case XMTP_ACTION_REVOKE:
        return XMTP_OK;
    case XMTP_ACTION_CHANGE_RECOVERY:
        return !is_installation ? XMTP_OK
                                : xmtp_fail(b->error, XMTP_E_IDENTIFIER,
                                            "installation keys are not a public identifier");
    }
    return xmtp_fail(b->error, XMTP_E_ARGUMENT, "no such action");
}

/* ---- signing */

static const signed_by *signature_of(const build *b, const xmtp_signer *signer)
{
    for (size_t i = 0; i < b->signer_count; i++) {
        if (xmtp_identifier_equal(&b->signers[i].signer->identifier, &signer->identifier)) {
            return &b->signers[i];
        }
    }
    return NULL;
}

/* The kinds of signature that an identifier may use (identity.md 2.7). */
static bool may_use(const xmtp_identifier *id, const xmtp_wire_signature *s)
{
    switch (id->kind) {
    case XMTP_IDENTIFIER_ETHEREUM:
        return s->kind == XMTP_SIGNATURE_ERC191 || s->kind == XMTP_SIGNATURE_CONTRACT;
    case XMTP_IDENTIFIER_INSTALLATION:
        return s->kind == XMTP_SIGNATURE_INSTALLATION;
    case XMTP_IDENTIFIER_PASSKEY:
        return s->kind == XMTP_SIGNATURE_PASSKEY && xmtp_bytes_equal(s->public_key, id->value);
    }
    return false;
}

static xmtp_status sign_once(build *b, const xmtp_signer *signer, xmtp_bytes text,
                             xmtp_wire_signature *out)
{
    const signed_by *by = signature_of(b, signer);
    if (by == NULL) {
        signed_by *next = &b->signers[b->signer_count];
        *next = (signed_by){.signer = signer};
        xmtp_status status = signer->sign(signer->context, text, &b->arena, &next->signature);
        if (status != XMTP_OK) {
            return xmtp_fail(b->error, status, "signing an identity update: %s",
                             xmtp_status_text(status));
        }
        if (!may_use(&signer->identifier, &next->signature)) {
            return xmtp_fail(b->error, XMTP_E_ARGUMENT,
                             "a signature of kind %s by a signer of kind %s",
                             xmtp_signature_kind_name(next->signature.kind),
                             xmtp_identifier_kind_name(signer->identifier.kind));
        }
        b->signer_count++;
        by = next;
    }
    *out = by->signature;
    return XMTP_OK;
}

static xmtp_status sign_all(build *b, xmtp_bytes text)
{
    for (size_t i = 0; i < b->count; i++) {
        const xmtp_update_action *a = &b->actions[i];
        XMTP_TRY(sign_once(b, a->signer, text, &b->wire[i].signature));
        if (a->kind == XMTP_ACTION_ADD) {
            XMTP_TRY(sign_once(b, a->new_member, text, &b->wire[i].new_member_signature));
        }
    }
    return XMTP_OK;
}

/* ---- building */

static xmtp_status build_into(build *b, const xmtp_wire_update *update, xmtp_writer *text,
                              xmtp_writer *bytes)
{
    for (size_t i = 0; i < b->count; i++) {
        XMTP_TRY(check_action(b, &b->actions[i]));
        b->wire[i] = (xmtp_wire_action){.kind = b->actions[i].kind,
                                        .subject = b->actions[i].subject,
                                        .nonce = b->actions[i].nonce};
    }
    XMTP_TRY(xmtp_signature_text(update, text));
    XMTP_TRY(sign_all(b, xmtp_writer_bytes(text)));
    return xmtp_wire_update_encode(update, bytes);
}

xmtp_status xmtp_identity_update_build(const xmtp_alloc *alloc, const char *inbox_id,
                                       uint64_t client_timestamp_ns,
                                       const xmtp_update_action *actions, size_t action_count,
                                       uint8_t **update, size_t *update_len, xmtp_error *error)
{
    *update = NULL;
    *update_len = 0;
    xmtp_bytes id = xmtp_bytes_of_string(inbox_id);
    if (!xmtp_inbox_id_is_valid(id)) {
        return xmtp_fail(error, XMTP_E_IDENTIFIER, "an inbox id has 64 lower-case hex digits");
    }
    if (action_count == 0 || action_count > XMTP_UPDATE_ACTIONS_MAX) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "%zu actions in one update, must be 1 to %d",
                         action_count, XMTP_UPDATE_ACTIONS_MAX);
    }
    build *b = alloc->reallocate(alloc->context, NULL, sizeof *b); /* 50 KB: not for a stack */
    XMTP_ENSURE(b != NULL, XMTP_E_NOMEM);
    *b = (build){.actions = actions, .count = action_count, .error = error};
    xmtp_wire_update wire = {.actions = b->wire,
                             .action_count = action_count,
                             .client_timestamp_ns = client_timestamp_ns,
                             .inbox_id = id};
    xmtp_writer text;
    xmtp_writer bytes;
    xmtp_arena_init(&b->arena, alloc, SIGNATURES_MAX);
    xmtp_writer_init(&text, alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&bytes, alloc, XMTP_WRITER_MAX);
    xmtp_status status = build_into(b, &wire, &text, &bytes);
    if (status == XMTP_OK) {
        status = xmtp_writer_detach(&bytes, update, update_len);
    }
    xmtp_writer_free(&bytes);
    xmtp_writer_free(&text);
    xmtp_arena_reset(&b->arena);
    (void)alloc->reallocate(alloc->context, b, 0);
    return status;
}

xmtp_status xmtp_identity_update_register(const xmtp_alloc *alloc, const xmtp_signer *wallet,
                                          uint64_t nonce, const xmtp_installation *installation,
                                          uint64_t client_timestamp_ns,
                                          char inbox_id[XMTP_INBOX_ID_LEN + 1], uint8_t **update,
                                          size_t *update_len, xmtp_error *error)
{
    xmtp_signer self = xmtp_signer_of_installation(installation);
    const xmtp_update_action actions[] = {
        {.kind = XMTP_ACTION_CREATE_INBOX,
         .subject = wallet->identifier,
         .nonce = nonce,
         .signer = wallet},
        {.kind = XMTP_ACTION_ADD,
         .subject = self.identifier,
         .signer = wallet,
         .new_member = &self},
    };
    *update = NULL;
    *update_len = 0;
    XMTP_TRY(xmtp_inbox_id(&wallet->identifier, nonce, inbox_id, error));
    return xmtp_identity_update_build(alloc, inbox_id, client_timestamp_ns, actions, 2, update,
                                      update_len, error);
}

xmtp_status xmtp_identity_update_add_installation(const xmtp_alloc *alloc, const char *inbox_id,
                                                  const xmtp_signer *wallet,
                                                  const xmtp_installation *installation,
                                                  uint64_t client_timestamp_ns, uint8_t **update,
                                                  size_t *update_len, xmtp_error *error)
{
    xmtp_signer self = xmtp_signer_of_installation(installation);
    const xmtp_update_action action = {
        .kind = XMTP_ACTION_ADD, .subject = self.identifier, .signer = wallet, .new_member = &self};
    return xmtp_identity_update_build(alloc, inbox_id, client_timestamp_ns, &action, 1, update,
                                      update_len, error);
}

xmtp_status xmtp_identity_update_revoke_installations(
    const xmtp_alloc *alloc, const char *inbox_id, const xmtp_signer *wallet,
    const uint8_t (*installations)[XMTP_INSTALLATION_LEN], size_t count,
    uint64_t client_timestamp_ns, uint8_t **update, size_t *update_len, xmtp_error *error)
{
    xmtp_update_action actions[XMTP_UPDATE_ACTIONS_MAX];
    *update = NULL;
    *update_len = 0;
    if (count > XMTP_UPDATE_ACTIONS_MAX) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "%zu revocations in one update, at most %d", count,
                         XMTP_UPDATE_ACTIONS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        actions[i] = (xmtp_update_action){.kind = XMTP_ACTION_REVOKE,
                                          .subject = xmtp_identifier_installation(installations[i]),
                                          .signer = wallet};
    }
    return xmtp_identity_update_build(alloc, inbox_id, client_timestamp_ns, actions, count, update,
                                      update_len, error);
}
