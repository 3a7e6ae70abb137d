/* visible.c - waiting until the network shows this installation.
 *
 * What this database knows of its inbox does not count: an observer with an empty memory looks, over the
 * same connection.
 */
#include "client/state.h"

static const uint64_t MILLISECOND_NS = UINT64_C(1000000);
static const uint64_t TIMEOUT_NS = 30 * XMTP_SECOND_NS;
static const uint64_t PAUSE_NS = 500 * UINT64_C(1000000);

/* XMTP_E_RETRY with what is missing. */
static xmtp_status look(const xmtp_client *client, xmtp_client *observer, xmtp_error *error)
{
    bool is_there;
    const char *id = client->installation_id;
    xmtp_key_package_status key_package;
    xmtp_status status =
        xmtp_client_has_installation(observer, client->inbox_id, id, &is_there, error);
    if (status == XMTP_E_NO_INBOX || (status == XMTP_OK && !is_there)) {
        return xmtp_fail(error, XMTP_E_RETRY, "the installation in its inbox");
    }
    XMTP_TRY(status);
    XMTP_TRY(xmtp_client_key_packages(observer, &id, 1, &key_package, error));
    return key_package.status == XMTP_OK ? XMTP_OK
                                         : xmtp_fail(error, XMTP_E_RETRY, "its key package (%s)",
                                                     xmtp_status_text(key_package.status));
}

static xmtp_status look_until(const xmtp_client *client, xmtp_client *observer, uint64_t timeout_ns,
                              uint64_t pause_ns, xmtp_error *error)
{
    uint64_t began_ns = xmtp_now_ns(client);
    for (;;) {
        xmtp_error missing = {0};
        xmtp_status status = look(client, observer, &missing);
        if (status != XMTP_E_RETRY && status != XMTP_E_NETWORK) {
            return status == XMTP_OK ? XMTP_OK : xmtp_fail(error, status, "%s", missing.text);
        }
        uint64_t waited_ns = xmtp_now_ns(client) - began_ns;
        if (waited_ns >= timeout_ns) {
            return xmtp_fail(
                error, XMTP_E_TIMEOUT, "after %" PRIu64 " ms the node does not show %s",
                waited_ns / MILLISECOND_NS, status == XMTP_E_RETRY ? missing.text : "itself");
        }
        uint64_t left_ns = timeout_ns - waited_ns;
        client->env.sleep_ns(client->env.context, pause_ns < left_ns ? pause_ns : left_ns);
    }
}

xmtp_status xmtp_client_wait_visible(xmtp_client *client, const xmtp_visibility *wanted,
                                     xmtp_error *error)
{
    static const xmtp_visibility usual = {0};
    const xmtp_visibility *w = wanted == NULL ? &usual : wanted;
    uint64_t timeout_ns = w->timeout_ns == 0 ? TIMEOUT_NS : w->timeout_ns;
    uint64_t pause_ns = w->pause_ns == 0 ? PAUSE_NS : w->pause_ns;
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    if (w->quorum_nodes > 1) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "%u nodes are to show it, of 1 that is known",
                         (unsigned)w->quorum_nodes);
    }
    xmtp_client *observer;
    const xmtp_client_options options = {.transport = client->transport, .env = &client->env};
    XMTP_TRY(xmtp_client_open_observer(&observer, &options, error));
    xmtp_status status = look_until(client, observer, timeout_ns, pause_ns, error);
    xmtp_client_close(observer);
    return status;
}
