/* registration.c - from an account to an installation that others can reach (identity.md 5.2).
 *
 *     row with seed and the update's exact bytes  -->  key package uploaded  -->  update published
 *        -->  read back, verified to contain us   -->  registered
 *
 * The seed and the bytes are stored before anything is sent: after a crash at any step the same
 * installation goes on, and no second one is spent. The key package goes first, so that nobody ever
 * sees an installation that cannot be invited.
 */
#include "client/state.h"
#include "identity/association.h"
#include "identity/inbox_id.h"
#include "identity/update.h"
#include "proto/identity.pb-c.h"
#include "proto/mls_api.pb-c.h"

static xmtp_status build_update(xmtp_client *client, const xmtp_signer *account, uint8_t **update,
                                size_t *update_len, xmtp_error *error)
{
    uint64_t now_ns = xmtp_now_ns(client);
    XMTP_TRY(xmtp_lookup_account(client, account->identifier.kind, client->account,
                                 client->inbox_id, error));
    if (client->inbox_id[0] == '\0') {
        return xmtp_identity_update_register(&client->env.alloc, account, XMTP_NONCE_DEFAULT,
                                             &client->installation, now_ns, client->inbox_id,
                                             update, update_len, error);
    }
    const char *inbox_id = client->inbox_id;
    const xmtp_association *state;
    uint64_t sequence_id;
    XMTP_TRY(xmtp_identity_sync(client, &inbox_id, 1, error));
    XMTP_TRY(xmtp_newest_state(client, inbox_id, &state, &sequence_id, error));
    size_t count = xmtp_association_installation_count(state);
    if (count >= XMTP_INSTALLATIONS_MAX) {
        return xmtp_fail(error, XMTP_E_INSTALLATIONS,
                         "inbox has %zu installations; revoke one first", count);
    }
    return xmtp_identity_update_add_installation(&client->env.alloc, inbox_id, account,
                                                 &client->installation, now_ns, update, update_len,
                                                 error);
}

static xmtp_status start_registration(xmtp_client *client, const xmtp_signer *account,
                                      xmtp_error *error)
{
    uint8_t *update = NULL;
    size_t update_len = 0;
    XMTP_TRY(xmtp_installation_generate(&client->env, &client->installation));
    XMTP_TRY(build_update(client, account, &update, &update_len, error));
    xmtp_identity_row row = {
        .inbox_id = client->inbox_id,
        .address = client->account,
        .installation_seed =
            xmtp_bytes_of(client->installation.sk, sizeof(client->installation.sk)),
        .pending_update = xmtp_bytes_of(update, update_len),
    };
    xmtp_status status = xmtp_stored(client, xmtp_identity_write(client->db, &row), error);
    xmtp_give_back(client, update);
    return status;
}

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
    return xmtp_stored(client, xmtp_identity_set_registered(client->db), error);
}

static xmtp_status check_identity(xmtp_client *client, const xmtp_identity_row *row,
                                  xmtp_error *error)
{
    if (strcmp(row->address, client->account) != 0) {
        return xmtp_fail(error, XMTP_E_DATABASE_KEY, "database belongs to %.66s, not to %.66s",
                         row->address, client->account);
    }
    if (row->installation_seed.n != 32 || strlen(row->inbox_id) != XMTP_INBOX_ID_LEN) {
        return xmtp_fail(error, XMTP_E_CORRUPT, "stored identity is not one");
    }
    memcpy(client->inbox_id, row->inbox_id, XMTP_INBOX_ID_LEN + 1);
    return xmtp_installation_from_seed(row->installation_seed.p, &client->installation);
}

static xmtp_status register_with(xmtp_client *client, const xmtp_signer *account, xmtp_arena *arena,
                                 xmtp_error *error)
{
    xmtp_identity_row row;
    xmtp_status status = xmtp_identity_read(client->db, arena, &row);
    if (status == XMTP_E_NOT_FOUND) {
        XMTP_TRY(start_registration(client, account, error));
        status = xmtp_identity_read(client->db, arena, &row);
    }
    XMTP_TRY(xmtp_stored(client, status, error));
    XMTP_TRY(check_identity(client, &row, error));
    xmtp_inbox_credential_encode(client->inbox_id, client->credential);
    return row.pending_update.n == 0 ? XMTP_OK
                                     : finish_registration(client, row.pending_update, error);
}

xmtp_status xmtp_register(xmtp_client *client, const xmtp_signer *account, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_scratch(client, &arena);
    xmtp_status status = register_with(client, account, &arena, error);
    xmtp_arena_reset(&arena);
    return status;
}
