/* enter.c - how every public call begins: with a clean error, and with what it needs.
 *
 *     opened --> database here --> has an inbox --> registered --> may publish
 *
 * Helpers below read the error they are given to see whether it tells the reason already
 * (xmtp_fail_default). What the caller left in it must not be taken for one.
 */
#include "client/state.h"

xmtp_status xmtp_enter(xmtp_client *client, unsigned needs, xmtp_error *error)
{
    xmtp_error_clear(error);
    if (client->db == NULL) {
        return xmtp_fail(error, XMTP_E_CLOSED,
                         "the database was let go: xmtp_client_take_database takes it again");
    }
    if ((needs & XMTP_NEEDS_INBOX) != 0 && client->inbox_id[0] == '\0') {
        return xmtp_fail(error, XMTP_E_NOT_REGISTERED, "this client was opened without an inbox");
    }
    bool needs_registration = (needs & XMTP_NEEDS_REGISTRATION) == XMTP_NEEDS_REGISTRATION;
    if (needs_registration && !client->is_registered) {
        return xmtp_fail(error, XMTP_E_NOT_REGISTERED,
                         "this installation is not registered yet: xmtp_client_register does it");
    }
    if ((needs & XMTP_NEEDS_PUBLISHING) != 0 && client->is_light) {
        return xmtp_fail(error, XMTP_E_STATE, "this client was opened light: it publishes nothing");
    }
    if ((needs & XMTP_NEEDS_TO_SEND) != XMTP_NEEDS_TO_SEND) {
        xmtp_settle(client);
    }
    return XMTP_OK;
}
