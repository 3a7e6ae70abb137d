/* registration.c - from an account to an installation that others can reach (identity.md 5.2).
 *
 *     row with seed and the update's exact bytes  -->  key package uploaded  -->  update published
 *        -->  read back, verified to contain us   -->  registered
 *
 * The seed and the bytes are stored before anything is sent: after a crash at any step the same
 * installation goes on, and no second one is spent. The key package goes first, so that nobody ever
 * sees an installation that cannot be invited.
 */
#include "client/signature_request.h"
#include "identity/association.h"
#include "identity/inbox_id.h"
#include "proto/identity.pb-c.h"
#include "proto/mls_api.pb-c.h"

#include <xmtp/setup.h>

/* ---- publishing */

xmtp_status xmtp_publish_identity_update(xmtp_client *client, xmtp_bytes update, xmtp_error *error)
{
    Pb__PublishIdentityUpdateRequest request = PB__PUBLISH_IDENTITY_UPDATE_REQUEST__INIT;
    request.has_identity_update = 1;
    request.identity_update = xmtp_proto_data(update);
    return xmtp_call(client, XMTP_IDENTITY_API("PublishIdentityUpdate"), &request.base, NULL, NULL,
                     NULL, error);
}

/* Does the log on the node hold our installation? */
static xmtp_status read_back(xmtp_client *client, bool *is_there, xmtp_error *error)
{
    const char *inbox_id = client->inbox_id;
    const xmtp_association *state;
    uint64_t sequence_id;
    *is_there = false;
    XMTP_TRY(xmtp_identity_sync(client, &inbox_id, 1, error));
    xmtp_status status = xmtp_newest_state(client, inbox_id, &state, &sequence_id, error);
    if (status == XMTP_E_NO_INBOX) {
        return XMTP_OK;
    }
    XMTP_TRY(status);
    *is_there = xmtp_association_has_installation(state, client->installation.pk);
    return XMTP_OK;
}

/* A publication that failed may have been stored: then the answer to a repetition is a refusal, and
 * only the log tells. */
static xmtp_status publish_until_seen(xmtp_client *client, xmtp_bytes update, xmtp_error *error)
{
    bool is_there;
    xmtp_error refused = {0};
    XMTP_TRY(read_back(client, &is_there, error));
    if (is_there) {
        return XMTP_OK;
    }
    xmtp_status status = xmtp_publish_identity_update(client, update, &refused);
    XMTP_TRY(read_back(client, &is_there, error));
    if (is_there) {
        return XMTP_OK;
    }
    if (status == XMTP_OK) {
        return xmtp_fail(error, XMTP_E_NOT_REGISTERED, "the node does not show our registration");
    }
    return xmtp_fail(error, status, "%s", refused.text);
}

/* An update that can never be accepted (made for an inbox that has changed since) must not stop
 * this database for ever: the next open starts over. Nothing was registered with it. */
static void give_up_registration(xmtp_client *client)
{
    (void)xmtp_identity_forget(client->db);
}

static xmtp_status finish_registration(xmtp_client *client, xmtp_bytes update, xmtp_error *error)
{
    XMTP_TRY(xmtp_rotate_key_package(client, error));
    xmtp_status status = publish_until_seen(client, update, error);
    if (status == XMTP_E_RPC_INVALID) {
        give_up_registration(client);
    }
    XMTP_TRY(status);
    XMTP_TRY(xmtp_stored(client, xmtp_identity_set_registered(client->db), error));
    client->is_registered = true;
    xmtp_log_line(client, XMTP_LOG_INFO, "registered: inbox %s", client->inbox_id);
    return XMTP_OK;
}

/* ---- who we are */

static void take_inbox(xmtp_client *client, const char *inbox_id)
{
    memcpy(client->inbox_id, inbox_id, sizeof(client->inbox_id));
    xmtp_inbox_credential_encode(client->inbox_id, client->credential);
}

xmtp_status xmtp_inbox_choose(xmtp_client *client, const xmtp_identifier *account, bool *is_new,
                              xmtp_error *error)
{
    char found[XMTP_INBOX_ID_LEN + 1];
    XMTP_TRY(xmtp_lookup_account(client, account->kind, client->account, found, error));
    if (is_new != NULL) {
        *is_new = found[0] == '\0';
    }
    if (found[0] == '\0') {
        XMTP_TRY(xmtp_inbox_id(account, client->nonce, found, error));
    }
    take_inbox(client, found);
    return XMTP_OK;
}

static xmtp_status take_identity(xmtp_client *client, const xmtp_identity_row *row,
                                 xmtp_error *error)
{
    if (strcmp(row->address, client->account) != 0) {
        return xmtp_fail(error, XMTP_E_DATABASE_KEY, "database belongs to %.66s, not to %.66s",
                         row->address, client->account);
    }
    if (row->installation_seed.n != 32 || strlen(row->inbox_id) != XMTP_INBOX_ID_LEN) {
        return xmtp_fail(error, XMTP_E_CORRUPT, "stored identity is not one");
    }
    take_inbox(client, row->inbox_id);
    client->is_registered = row->pending_update.n == 0;
    return xmtp_installation_from_seed(row->installation_seed.p, &client->installation);
}

xmtp_status xmtp_identity_load(xmtp_client *client, bool *is_there, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_identity_row row;
    xmtp_scratch(client, &arena);
    xmtp_status status = xmtp_identity_read(client->db, &arena, &row);
    *is_there = status == XMTP_OK;
    if (status == XMTP_OK) {
        status = take_identity(client, &row, error);
    } else if (status == XMTP_E_NOT_FOUND) {
        status = XMTP_OK;
    }
    xmtp_arena_reset(&arena);
    return xmtp_stored(client, status, error);
}

/* ---- registering */

/* An identity update that is stored and not seen in the log yet; n 0: none. */
static xmtp_status stored_update(xmtp_client *client, xmtp_arena *arena, xmtp_bytes *out,
                                 xmtp_error *error)
{
    xmtp_identity_row row;
    *out = (xmtp_bytes){0};
    xmtp_status status = xmtp_identity_read(client->db, arena, &row);
    if (status == XMTP_OK) {
        *out = row.pending_update;
    }
    return xmtp_stored(client, status == XMTP_E_NOT_FOUND ? XMTP_OK : status, error);
}

static xmtp_status finish_stored(xmtp_client *client, bool *is_there, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_bytes update;
    xmtp_scratch(client, &arena);
    xmtp_status status = stored_update(client, &arena, &update, error);
    *is_there = update.n > 0;
    if (status == XMTP_OK && *is_there) {
        status = finish_registration(client, update, error);
    }
    xmtp_arena_reset(&arena);
    return status;
}

static xmtp_status store_update(xmtp_client *client, xmtp_bytes update, xmtp_error *error)
{
    xmtp_identity_row row = {
        .inbox_id = client->inbox_id,
        .address = client->account,
        .installation_seed =
            xmtp_bytes_of(client->installation.sk, sizeof(client->installation.sk)),
        .pending_update = update,
    };
    return xmtp_stored(client, xmtp_identity_write(client->db, &row), error);
}

static xmtp_status apply_registration(xmtp_signature_request *request, xmtp_error *error)
{
    xmtp_client *client = request->client;
    uint8_t *update;
    size_t update_len;
    bool is_stored;
    if (client->is_registered) {
        return xmtp_fail(error, XMTP_E_STATE, "this installation is registered already");
    }
    XMTP_TRY(finish_stored(client, &is_stored, error));
    if (is_stored) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_request_build(request, &update, &update_len, error));
    take_inbox(client, request->inbox_id);
    xmtp_status status = store_update(client, xmtp_bytes_of(update, update_len), error);
    xmtp_give_back(client, update);
    XMTP_TRY(status);
    return finish_stored(client, &is_stored, error);
}

static xmtp_status check_seat(xmtp_client *client, xmtp_error *error)
{
    const char *inbox_id = client->inbox_id;
    const xmtp_association *state;
    uint64_t sequence_id;
    XMTP_TRY(xmtp_identity_sync(client, &inbox_id, 1, error));
    XMTP_TRY(xmtp_newest_state(client, inbox_id, &state, &sequence_id, error));
    size_t count = xmtp_association_installation_count(state);
    return count < XMTP_INSTALLATIONS_MAX
               ? XMTP_OK
               : xmtp_fail(error, XMTP_E_INSTALLATIONS,
                           "inbox has %zu installations; revoke one first", count);
}

static xmtp_status fill_request(xmtp_signature_request *r, bool is_new, xmtp_error *error)
{
    if (is_new) {
        XMTP_TRY(xmtp_request_act(r,
                                  (xmtp_update_action){.kind = XMTP_ACTION_CREATE_INBOX,
                                                       .subject = r->account.identifier,
                                                       .nonce = r->client->nonce,
                                                       .signer = &r->account},
                                  error));
    } else {
        XMTP_TRY(check_seat(r->client, error));
    }
    return xmtp_request_act(r,
                            (xmtp_update_action){.kind = XMTP_ACTION_ADD,
                                                 .subject = r->self.identifier,
                                                 .signer = &r->account,
                                                 .new_member = &r->self},
                            error);
}

/* Whom this client was opened for signs. */
static xmtp_status request_registration(xmtp_signature_request **out, xmtp_client *client,
                                        xmtp_error *error)
{
    xmtp_account_name name;
    xmtp_signature_request *r;
    bool is_new;
    bool is_address = client->address[0] != '\0';
    *out = NULL;
    XMTP_TRY(xmtp_account_name_parse(is_address ? XMTP_ACCOUNT_WALLET : XMTP_ACCOUNT_PASSKEY,
                                     client->account, &name, error));
    XMTP_TRY(xmtp_inbox_choose(client, &name.identifier, &is_new, error));
    XMTP_TRY(xmtp_request_new(&r, client, client->inbox_id, &name.identifier, apply_registration,
                              error));
    return xmtp_request_finish(out, r, fill_request(r, is_new, error), error);
}

xmtp_status xmtp_register(xmtp_client *client, const xmtp_signer *account, xmtp_error *error)
{
    xmtp_signature_request *r;
    bool is_stored;
    XMTP_TRY(finish_stored(client, &is_stored, error));
    if (is_stored) {
        return XMTP_OK;
    }
    XMTP_TRY(request_registration(&r, client, error));
    return xmtp_request_carry_out(r, account, error);
}

/* ---- when it suits the application */

bool xmtp_client_is_registered(const xmtp_client *client)
{
    return client->is_registered;
}

xmtp_status xmtp_client_request_registration(xmtp_client *client, xmtp_signature_request **out,
                                             xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_bytes update;
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_INBOX | XMTP_NEEDS_PUBLISHING, error));
    *out = NULL;
    xmtp_scratch(client, &arena);
    xmtp_status status = stored_update(client, &arena, &update, error);
    xmtp_arena_reset(&arena);
    XMTP_TRY(status);
    if (client->is_registered || update.n > 0) {
        return XMTP_OK;
    }
    return request_registration(out, client, error);
}

xmtp_status xmtp_client_register(xmtp_client *client, const xmtp_account_signer *account,
                                 xmtp_error *error)
{
    xmtp_account_hand hand;
    bool is_stored = client->is_registered;
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_INBOX | XMTP_NEEDS_PUBLISHING, error));
    if (!is_stored) {
        XMTP_TRY(finish_stored(client, &is_stored, error));
    }
    if (is_stored) {
        return XMTP_OK;
    }
    xmtp_status status = xmtp_account_hand_take(&hand, client, account, error);
    if (status == XMTP_OK) {
        status = xmtp_register(client, &hand.signer, error);
    }
    xmtp_account_hand_wipe(&hand);
    return status;
}
