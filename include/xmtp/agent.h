/* agent.h - a program that answers messages: open, run, and a handler that sees every message exactly once.
 *
 *     static void on_message(xmtp_agent *agent, const xmtp_message *message, const xmtp_user *user, void *context)
 *     {
 *         printf("%s from %s\n", message->text, user->address);
 *         xmtp_agent_reply(agent, message, "hello");
 *     }
 *
 *     xmtp_agent_options options = {.encryption_key = getenv("WALLET_PRIVATE_KEY"), .on_message = on_message};
 *     xmtp_agent *agent;
 *     if (xmtp_agent_open(&agent, &options) == XMTP_OK) {
 *         xmtp_agent_run(agent);
 *     }
 *
 * What is promised
 *  - A message is acknowledged when its handler returns without xmtp_agent_fail. Acknowledgement and the answers that
 *    the handler gave are one write to the database: after a crash at any instruction the message is offered again
 *    with none of its answers sent, or it is done and each of them is sent once.
 *  - Messages of one conversation come in order, one at a time; conversations do not wait for each other.
 *  - A message whose handler fails is offered again after 1 s, 2 s, 4 s ... at most 5 minutes, and set aside after 8
 *    attempts: on_set_aside tells, and later messages of that conversation go on.
 *
 * Everything happens on the thread that calls xmtp_agent_run. Only xmtp_agent_stop and xmtp_agent_post may be called
 * from others. Shown by examples/agent.c.
 */
#ifndef XMTP_AGENT_H
#define XMTP_AGENT_H

#include <xmtp/client.h>
#include <xmtp/host.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct xmtp_agent xmtp_agent;

/* Who sent a message. address is "" when the inbox has no wallet. */
typedef struct xmtp_user {
    const char *address;
    const char *inbox_id;
} xmtp_user;

typedef struct xmtp_agent_options {
    /* As in xmtp_client_options. */
    const char *encryption_key;
    const char *node_url;
    const char *node_authorities;
    const char *database_path;
    const uint8_t *database_key;
    const struct xmtp_transport *transport;
    const xmtp_env *env;
    const char *app_version;
    const xmtp_device_sync_options *device_sync;
    /* Without registration put off and without light: an agent is registered and publishes. */
    const struct xmtp_setup *setup;
    /* Instead of node_url, node_authorities, database_path, transport, env and app_version: the agent is one of many
     * in this host, and is run by xmtp_agent_run_all. It is closed before the host. */
    xmtp_host *host;

    /* Called for every message of others, once. message and user live until the handling ends. */
    void (*on_message)(xmtp_agent *agent, const xmtp_message *message, const xmtp_user *user,
                       void *context);
    /* A message was given up after its last attempt; reason is what xmtp_agent_fail was told. May
     * be NULL. */
    void (*on_set_aside)(xmtp_agent *agent, const xmtp_message *message, const char *reason,
                         void *context);
    /* The connection to the node was lost (error->status is a failure) or is there again (XMTP_OK).
     * Told again when what answers there is not to be trusted (XMTP_E_UNTRUSTED, XMTP_E_TLS): the agent
     * goes on trying, since certificates are renewed. May be NULL. */
    void (*on_connection)(xmtp_agent *agent, const xmtp_error *error, void *context);
    void *context;

    uint32_t attempts_max;   /* 0: 8 */
    uint64_t retry_first_ns; /* 0: 1 s */
    uint64_t retry_max_ns;   /* 0: 5 min */
    uint32_t in_flight_max;  /* deferred messages at a time; 0: 64 */

    xmtp_error *error; /* where xmtp_agent_open writes why it failed; may be NULL */
} xmtp_agent_options;

/* Opens the inbox and registers it if that is new. Statuses of xmtp_client_open. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_agent_open(xmtp_agent **out,
                                                     const xmtp_agent_options *options);

/* Handles messages until xmtp_agent_stop. XMTP_OK: stopped. Others: the database failed, or this
 * installation was revoked; xmtp_agent_error tells. An unreachable node is no reason to return. */
XMTP_API xmtp_status xmtp_agent_run(xmtp_agent *agent);

/* One round of what run does, without waiting: calls what was posted, handles what is there, looks
 * once at the network and handles what that brought. For programs with a loop, or a clock, of their own.
 * XMTP_E_TIMEOUT: there was nothing to do; call it again when something may have come, at the latest
 * at *next_ns (may be NULL; UINT64_MAX: no retry is due). One of a host does not look at the
 * network: its host's poll does. XMTP_E_NETWORK: the node is not reached.
 * Others as run. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_agent_step(xmtp_agent *agent, uint64_t *next_ns);

/* ---- many agents in one process
 *
 * Runs all of these, which are agents of host, on this thread: one poll for all of them, and only
 * those are touched that something came for, a retry is due for, or that were posted to; so
 * thousands may sleep. Returns when each of them was stopped. Agents are added between two runs.
 * Others: *failed (may be NULL) is one whose database failed or who was revoked, xmtp_agent_error
 * tells why; nothing of the others is lost: run them again without it. XMTP_E_ARGUMENT: *failed is
 * no agent of this host. An agent of a host may also be run by hand: xmtp_host_poll, then
 * xmtp_agent_step of whom it names. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_agent_run_all(xmtp_host *host, xmtp_agent *const *agents,
                                                        size_t count, xmtp_agent **failed);

/* Makes run return after the handler that is running now. Any thread, also from a signal handler.
 */
XMTP_API void xmtp_agent_stop(xmtp_agent *agent);

/* Calls function(agent, argument) on the thread of run, in the order of posting. XMTP_E_CLOSED:
 * stopped already; the function is not called then. Any thread. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_agent_post(xmtp_agent *agent,
                                                     void (*function)(xmtp_agent *, void *),
                                                     void *argument);

/* Not while run runs. Messages that were deferred and not ended are offered again at the next open.
 * Takes NULL. */
XMTP_API void xmtp_agent_close(xmtp_agent *agent);

XMTP_API xmtp_client *xmtp_agent_client(xmtp_agent *agent);
XMTP_API const xmtp_error *xmtp_agent_error(const xmtp_agent *agent);

/* ---- answering
 * For a message that is being handled these note the answer, which is sent when the handling ends
 * well. For others they send at once. */

/* Text into the conversation of the message. */
XMTP_API xmtp_status xmtp_agent_reply(xmtp_agent *agent, const xmtp_message *message,
                                      const char *text);
/* The same, shown as an answer to this very message (xmtp.org/reply). */
XMTP_API xmtp_status xmtp_agent_reply_to(xmtp_agent *agent, const xmtp_message *message,
                                         const char *text);
/* Text to an address or inbox id, as a DM. Inside a handler it is noted as one of its answers. */
XMTP_API xmtp_status xmtp_agent_send(xmtp_agent *agent, const char *receiver, const char *text);
/* The same as one of the answers to a message that was deferred. */
XMTP_API xmtp_status xmtp_agent_send_for(xmtp_agent *agent, const xmtp_message *message,
                                         const char *receiver, const char *text);

/* ---- how a handling ends */

/* Inside a handler: it did not work, try again later. reason is kept for on_set_aside; it must hold
 * no secret. */
XMTP_API void xmtp_agent_fail(xmtp_agent *agent, const xmtp_message *message, const char *reason);

/* Inside a handler: the handling goes on after it returns, and ends by xmtp_agent_done or
 * xmtp_agent_fail on the thread of run (use xmtp_agent_post). The message stays valid until then.
 */
XMTP_API void xmtp_agent_defer(xmtp_agent *agent, const xmtp_message *message);
XMTP_API xmtp_status xmtp_agent_done(xmtp_agent *agent, const xmtp_message *message);

#ifdef __cplusplus
}
#endif
#endif
