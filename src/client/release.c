/* release.c - letting go of the database for a while, and taking it again.
 *
 *     open --release--> ids, setup, path and key in memory --take--> open
 *
 * Others may change the database meanwhile: whatever was read from it is forgotten, and read again.
 */
#include "client/stream.h"

void xmtp_database_leave(xmtp_client *client)
{
    if (client->db != NULL) {
        xmtp_settle(client);
    }
    xmtp_stream_close(client);
    xmtp_queue_release_all(client);
    xmtp_cache_forget_all(client);
    xmtp_states_trim(client, 0);
    client->has_hmac_root = false;
    xmtp_wipe(client->hmac_root, sizeof(client->hmac_root));
    xmtp_database_close(client->db);
    client->db = NULL;
    client->found = (found_conversation){0};
}

xmtp_status xmtp_client_release_database(xmtp_client *client, xmtp_error *error)
{
    xmtp_error_clear(error);
    if (client->db == NULL) {
        return XMTP_OK;
    }
    if (client->seat != NULL) {
        return xmtp_fail(error, XMTP_E_STATE,
                         "a client of a host is parked by its host, whose folder nobody else has");
    }
    if (client->database_path == NULL) {
        return xmtp_fail(error, XMTP_E_UNSUPPORTED,
                         "the database is in memory: let go, it would be gone");
    }
    xmtp_database_leave(client);
    xmtp_log_line(client, XMTP_LOG_INFO, "database let go");
    return XMTP_OK;
}

/* Still ours: the same installation, or nobody where we were nobody. */
static xmtp_status check_owner(xmtp_client *client, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_identity_row row;
    xmtp_scratch(client, &arena);
    xmtp_status status = xmtp_identity_read(client->db, &arena, &row);
    bool is_ours = !client->is_registered;
    if (status == XMTP_OK) {
        is_ours = row.installation_seed.n == sizeof(client->installation.sk) &&
                  xmtp_ct_equal(row.installation_seed.p, client->installation.sk,
                                row.installation_seed.n);
        client->is_registered = is_ours ? row.pending_update.n == 0 : client->is_registered;
    }
    xmtp_arena_reset(&arena);
    if (status != XMTP_OK && status != XMTP_E_NOT_FOUND) {
        return xmtp_stored(client, status, error);
    }
    return is_ours ? XMTP_OK
                   : xmtp_fail(error, XMTP_E_DATABASE_KEY,
                               "the database is not that of installation %s any more",
                               client->installation_id);
}

xmtp_status xmtp_client_take_database(xmtp_client *client, xmtp_error *error)
{
    xmtp_error_clear(error);
    if (client->db != NULL) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_database_open(&client->db, &client->env, client->database_path,
                                client->database_key, error));
    xmtp_status status = check_owner(client, error);
    if (status == XMTP_OK) {
        status = xmtp_fence_pass(client, error);
    }
    if (status == XMTP_OK) {
        status = xmtp_settings_load(client, error);
    }
    if (status == XMTP_OK) {
        status = xmtp_rows_restore(client, error);
    }
    if (status != XMTP_OK) {
        xmtp_database_leave(client);
        return status;
    }
    xmtp_log_line(client, XMTP_LOG_INFO, "database taken again");
    return XMTP_OK;
}
