/* signature_request.c - one update of an inbox between being written and being published.
 *
 *     actions --> text --> signature, whenever it comes --> bytes --> published by .apply
 *
 * The bytes are built twice from the same values: now as the text that is shown, later with the
 * signature that was collected, which a signer of our own hands to the builder (identity/update.h).
 */
#include "client/signature_request.h"

#include "identity/passkey.h"
#include "identity/signature_text.h"

/* ---- making */

static xmtp_status hand_out(const void *context, xmtp_bytes text, xmtp_arena *arena,
                            xmtp_wire_signature *out)
{
    const xmtp_signature_request *request = context;
    (void)text;
    (void)arena;
    XMTP_ENSURE(request->is_signed, XMTP_E_ARGUMENT);
    *out = request->signature;
    return XMTP_OK;
}

static xmtp_status set_account(xmtp_signature_request *request, const xmtp_identifier *account)
{
    request->account =
        (xmtp_signer){.identifier = {.kind = account->kind}, .context = request, .sign = hand_out};
    XMTP_TRY(xmtp_arena_copy(&request->arena, account->value, &request->account.identifier.value));
    return xmtp_account_of(&request->arena, account, &request->info.account);
}

xmtp_status xmtp_request_new(xmtp_signature_request **out, xmtp_client *client,
                             const char *inbox_id, const xmtp_identifier *account,
                             xmtp_status (*apply)(xmtp_signature_request *, xmtp_error *),
                             xmtp_error *error)
{
    const xmtp_alloc *alloc = &client->env.alloc;
    xmtp_signature_request *request = alloc->reallocate(alloc->context, NULL, sizeof(*request));
    *out = NULL;
    XMTP_ENSURE(request != NULL, xmtp_fail(error, XMTP_E_NOMEM, "no memory for a request"));
    *request = (xmtp_signature_request){
        .client = client,
        .made_at_ns = xmtp_now_ns(client),
        .self = xmtp_signer_of_installation(&client->installation),
        .apply = apply,
    };
    memcpy(request->inbox_id, inbox_id, sizeof(request->inbox_id));
    xmtp_scratch(client, &request->arena);
    xmtp_status status = set_account(request, account);
    if (status != XMTP_OK) {
        xmtp_signature_request_free(request);
        return xmtp_fail_default(error, status, "a request");
    }
    *out = request;
    return XMTP_OK;
}

xmtp_status xmtp_request_act(xmtp_signature_request *request, xmtp_update_action action,
                             xmtp_error *error)
{
    if (request->action_count == XMTP_UPDATE_ACTIONS_MAX) {
        return xmtp_fail(error, XMTP_E_LIMIT, "at most %d changes in one update",
                         XMTP_UPDATE_ACTIONS_MAX);
    }
    XMTP_TRY(xmtp_arena_copy(&request->arena, action.subject.value, &action.subject.value));
    request->actions[request->action_count++] = action;
    return XMTP_OK;
}

static xmtp_status write_text(xmtp_signature_request *request, xmtp_writer *w)
{
    char *text;
    char *challenge;
    void *memory;
    XMTP_TRY(xmtp_arena_take_array(&request->arena, request->action_count, sizeof(xmtp_wire_action),
                                   &memory));
    xmtp_wire_action *actions = memory;
    for (size_t i = 0; i < request->action_count; i++) {
        actions[i] = (xmtp_wire_action){.kind = request->actions[i].kind,
                                        .subject = request->actions[i].subject};
    }
    const xmtp_wire_update update = {.actions = actions,
                                     .action_count = request->action_count,
                                     .client_timestamp_ns = request->made_at_ns,
                                     .inbox_id = xmtp_bytes_of_string(request->inbox_id)};
    XMTP_TRY(xmtp_signature_text(&update, w));
    XMTP_TRY(xmtp_arena_string(&request->arena, xmtp_writer_bytes(w), &text));
    xmtp_writer_clear(w);
    xmtp_passkey_challenge(xmtp_bytes_of_string(text), w);
    XMTP_TRY(xmtp_writer_status(w));
    XMTP_TRY(xmtp_arena_string(&request->arena, xmtp_writer_bytes(w), &challenge));
    request->info.text = text;
    request->info.challenge = challenge;
    return XMTP_OK;
}

xmtp_status xmtp_request_seal(xmtp_signature_request *request, xmtp_error *error)
{
    xmtp_writer w;
    xmtp_writer_init(&w, &request->client->env.alloc, XMTP_WRITER_MAX);
    xmtp_status status = write_text(request, &w);
    xmtp_writer_free(&w);
    return status == XMTP_OK ? XMTP_OK : xmtp_fail_default(error, status, "the text to be signed");
}

xmtp_status xmtp_request_finish(xmtp_signature_request **out, xmtp_signature_request *request,
                                xmtp_status status, xmtp_error *error)
{
    if (status == XMTP_OK) {
        status = xmtp_request_seal(request, error);
    }
    if (status != XMTP_OK) {
        xmtp_signature_request_free(request);
        return xmtp_fail_default(error, status, "a request");
    }
    *out = request;
    return XMTP_OK;
}

void xmtp_signature_request_free(xmtp_signature_request *request)
{
    if (request == NULL) {
        return;
    }
    xmtp_client *client = request->client;
    xmtp_arena_reset(&request->arena);
    xmtp_give_back(client, request);
}

xmtp_signature_request_info xmtp_signature_request_info_of(const xmtp_signature_request *request)
{
    xmtp_signature_request_info info = request->info;
    info.is_signed = request->is_signed;
    return info;
}

/* ---- signing */

/* Whether it is the signature that the update needs, as every reader of the log will see it. */
static xmtp_status verify(xmtp_signature_request *request, const xmtp_wire_signature *signature,
                          xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_verified_signature by;
    xmtp_verifier verifier = xmtp_client_verifier(request->client);
    xmtp_signed_text text = xmtp_signed_text_of(xmtp_bytes_of_string(request->info.text));
    xmtp_scratch(request->client, &arena);
    xmtp_status status =
        xmtp_signature_verify(signature, &text, &verifier, false, &arena, &by, error);
    if (status == XMTP_OK && !xmtp_identifier_equal(&by.signer, &request->account.identifier)) {
        status = xmtp_fail(error, XMTP_E_SIGNATURE, "it is not the signature of %.130s",
                           request->info.account.identifier);
    }
    xmtp_arena_reset(&arena);
    return status;
}

static xmtp_status is_asked(const xmtp_signature_request *request, const xmtp_signer *signer,
                            xmtp_error *error)
{
    if (xmtp_identifier_equal(&signer->identifier, &request->account.identifier)) {
        return XMTP_OK;
    }
    return xmtp_fail(error, XMTP_E_ASSOCIATION, "this has to be signed by %.130s",
                     request->info.account.identifier);
}

xmtp_status xmtp_request_sign_by(xmtp_signature_request *request, const xmtp_signer *signer,
                                 xmtp_error *error)
{
    xmtp_wire_signature made = {0};
    XMTP_TRY(is_asked(request, signer, error));
    xmtp_status status = signer->sign(signer->context, xmtp_bytes_of_string(request->info.text),
                                      &request->arena, &made);
    if (status != XMTP_OK) {
        return xmtp_fail_default(error, status, "signing an identity update");
    }
    /* A passkey's key is a view of the signer, which ends before we do. */
    XMTP_TRY(xmtp_arena_copy(&request->arena, made.public_key, &made.public_key));
    XMTP_TRY(verify(request, &made, error));
    request->signature = made;
    request->is_signed = true;
    return XMTP_OK;
}

xmtp_status xmtp_signature_request_sign(xmtp_signature_request *request,
                                        const xmtp_account_signer *signer, xmtp_error *error)
{
    xmtp_account_hand hand;
    XMTP_TRY(xmtp_enter(request->client, XMTP_NEEDS_DATABASE, error));
    xmtp_status status = xmtp_account_hand_take(&hand, request->client, signer, error);
    if (status == XMTP_OK) {
        status = xmtp_request_sign_by(request, &hand.signer, error);
    }
    xmtp_account_hand_wipe(&hand);
    return status;
}

static xmtp_status give_made(void *context, const char *text, const char *challenge,
                             xmtp_account_signature *out)
{
    (void)text;
    (void)challenge;
    *out = *(const xmtp_account_signature *)context;
    return XMTP_OK;
}

xmtp_status xmtp_signature_request_add(xmtp_signature_request *request,
                                       const xmtp_account_signer *who,
                                       const xmtp_account_signature *made, xmtp_error *error)
{
    xmtp_error_clear(error);
    if (who == NULL || made == NULL) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "no signature, or nobody who made it");
    }
    xmtp_account_signature copy = *made;
    xmtp_account_signer signer = *who;
    signer.private_key = NULL;
    signer.context = &copy;
    signer.sign = give_made;
    return xmtp_signature_request_sign(request, &signer, error);
}

/* ---- applying */

xmtp_status xmtp_request_build(const xmtp_signature_request *request, uint8_t **update,
                               size_t *update_len, xmtp_error *error)
{
    if (!request->is_signed) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "the signature of %.130s is missing",
                         request->info.account.identifier);
    }
    return xmtp_identity_update_build(&request->client->env.alloc, request->inbox_id,
                                      request->made_at_ns, request->actions, request->action_count,
                                      update, update_len, error);
}

static xmtp_status apply_once(xmtp_signature_request *request, xmtp_error *error)
{
    if (request->is_applied) {
        return xmtp_fail(error, XMTP_E_STATE, "this request was applied already");
    }
    XMTP_TRY(request->apply(request, error));
    request->is_applied = true;
    return XMTP_OK;
}

xmtp_status xmtp_signature_request_apply(xmtp_signature_request *request, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(request->client, XMTP_NEEDS_PUBLISHING, error));
    return apply_once(request, error);
}

xmtp_status xmtp_request_carry_out(xmtp_signature_request *request, const xmtp_signer *signer,
                                   xmtp_error *error)
{
    xmtp_status status = xmtp_request_sign_by(request, signer, error);
    if (status == XMTP_OK) {
        status = apply_once(request, error);
    }
    xmtp_signature_request_free(request);
    return status;
}
