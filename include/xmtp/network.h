/* network.h - a whole network in one process, for tests of programs that use xmtp: a node, clients and
 * agents without ports, on a clock that moves only when told, with chance from one seed, and with
 * every fault that a network, a disk and a process have.
 *
 *     xmtp_network *net;
 *     xmtp_network_device *ann, *bot;
 *     xmtp_network_options options = {.seed = 1};
 *     xmtp_network_open(&net, &options, &error);
 *     xmtp_network_client(net, NULL, &ann, &error);
 *     xmtp_network_agent(net, NULL, &(xmtp_agent_options){.on_message = on_message}, &bot, &error);
 *     xmtp_network_fault(net, NULL, &(xmtp_network_faults){.lost = 30, .answer_lost = 30});
 *     ... xmtp_client_send_text(xmtp_network_client_of(ann), ...)
 *     xmtp_network_run(net, 60 * XMTP_NETWORK_SECOND_NS, &error);
 *     xmtp_network_crash(bot);
 *     xmtp_network_reopen(bot, &error);
 *     xmtp_network_close(net);
 *
 * The same seed and the same calls give the same run: ids, times, faults and what everybody sees.
 * Keys come from the seed too, so anybody can compute them: nothing of this is for real messages.
 *
 * A device is one installation of one person: its database file, its wire to the node and, while it
 * is open, its client or agent. It belongs to the network and goes with it.
 *
 * The node and the clients are the real ones; only clock, randomness, wire and disk are in the middle.
 * Everything is called from one thread. A network is a library of its own (xmtp_network), which
 * brings the node along; programs that only talk to a node do not need it. Shown by
 * examples/network_test.c (by chance) and faults.c (one fault at a time).
 */
#ifndef XMTP_NETWORK_H
#define XMTP_NETWORK_H

#include <xmtp/agent.h>
#include <xmtp/client.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XMTP_NETWORK_SECOND_NS UINT64_C(1000000000)

typedef struct xmtp_network xmtp_network;
typedef struct xmtp_network_device xmtp_network_device;

typedef struct xmtp_network_options {
    uint64_t seed;
    uint64_t start_ns; /* what the clock shows first; 0: 2025-01-01 00:00 UTC */
    /* Where databases and the node's data are: an existing folder, kept at the end. NULL: a new one,
     * in memory where the system has such a place, removed at the end. */
    const char *folder;
} xmtp_network_options;

/* Starts the node. options may be NULL. XMTP_E_IO, XMTP_E_NOMEM, those of xmtp_node_open. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_network_open(xmtp_network **out,
                                                       const xmtp_network_options *options,
                                                       xmtp_error *error);
/* Closes devices and node, frees everything. Takes NULL. */
XMTP_API void xmtp_network_close(xmtp_network *net);

/* ---- time and chance */

XMTP_API uint64_t xmtp_network_now_ns(const xmtp_network *net);
/* The clock goes on; calls that are on their way until then arrive. Nobody reads or answers by
 * itself: see xmtp_network_run. */
XMTP_API void xmtp_network_advance(xmtp_network *net, uint64_t ns);
/* The clock of all shows this, also when that is earlier than now. */
XMTP_API void xmtp_network_set_clock(xmtp_network *net, uint64_t now_ns);
/* Lets ns pass while all open agents do their work: what has come is handled at once, retries and
 * chores when they are due, to the second. The first failure of an agent ends it. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_network_run(xmtp_network *net, uint64_t ns,
                                                      xmtp_error *error);
/* A number below n (at least 1), from the seed: for the choices of a test. */
XMTP_API uint64_t xmtp_network_choose(xmtp_network *net, uint64_t n);
/* Clock, randomness and memory of the clients. Valid until close. */
XMTP_API const xmtp_env *xmtp_network_env(const xmtp_network *net);

/* ---- devices */

typedef struct xmtp_network_device_options {
    /* Whose: a wallet's key in hex, the person of another device, or (both NULL) somebody new. */
    const char *encryption_key;
    const xmtp_network_device *person_of;
    /* Instead of the network's; must outlive the device. */
    const xmtp_env *env;
    /* As in xmtp_client_options; must outlive the device. */
    const xmtp_device_sync_options *device_sync;
    bool is_closed; /* not opened yet: xmtp_network_reopen does that */
} xmtp_network_device_options;

/* A new device with an empty database, registered with the node. options may be NULL. After a failure
 * *out is NULL and there is no device. Statuses of xmtp_client_open. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_network_client(xmtp_network *net,
                                                         const xmtp_network_device_options *options,
                                                         xmtp_network_device **out,
                                                         xmtp_error *error);
/* The same with an agent, of whose options the handlers, the context and the limits count. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_network_agent(xmtp_network *net,
                                                        const xmtp_network_device_options *options,
                                                        const xmtp_agent_options *agent_options,
                                                        xmtp_network_device **out,
                                                        xmtp_error *error);

/* The client, of an agent too; NULL while the device is closed. Another one after each reopening. */
XMTP_API xmtp_client *xmtp_network_client_of(const xmtp_network_device *device);
XMTP_API xmtp_agent *xmtp_network_agent_of(const xmtp_network_device *device); /* NULL: none */
XMTP_API const char *xmtp_network_key(const xmtp_network_device *device); /* hex, of the wallet */
XMTP_API const char *xmtp_network_database(const xmtp_network_device *device); /* path */

/* The program ends as it should. */
XMTP_API void xmtp_network_shut(xmtp_network_device *device);
/* The program starts (again, if it runs) on the database that is there. After a failure the device is
 * closed. Statuses of xmtp_client_open. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_network_reopen(xmtp_network_device *device,
                                                         xmtp_error *error);

/* ---- what goes wrong between devices and the node */

/* Chances of a call in a thousand, together at most 1000 for the first four, of which a call has at
 * most one. The caller of a call that was lost in any way gets XMTP_E_NETWORK. */
typedef struct xmtp_network_faults {
    uint32_t lost;        /* the node never sees the call */
    uint32_t answer_lost; /* the node acts, its answer is lost */
    uint32_t doubled;     /* the node sees the call twice */
    uint32_t late;        /* the caller gives up; the node sees the call later, after others */
    uint32_t delayed;     /* time passes before the node sees the call */
    uint32_t stream_refused;
    uint32_t stream_cut;   /* of one look at a stream */
    uint64_t late_max_ns;  /* 0: 60 s */
    uint64_t delay_max_ns; /* 0: 5 s */
} xmtp_network_faults;

/* From now on, for one device or (NULL) for all that are there and come later. NULL faults: none.
 * XMTP_E_ARGUMENT: the first four are more than 1000, or another one is; nothing changes. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_network_fault(xmtp_network *net,
                                                        xmtp_network_device *device,
                                                        const xmtp_network_faults *faults);

/* All calls are lost and streams end, until healed. NULL: of all devices. */
XMTP_API void xmtp_network_partition(xmtp_network *net, xmtp_network_device *device);
XMTP_API void xmtp_network_heal(xmtp_network *net, xmtp_network_device *device);

typedef enum xmtp_network_loss {
    XMTP_NETWORK_CALL_LOST,
    XMTP_NETWORK_ANSWER_LOST,
} xmtp_network_loss;

/* Exactly these calls of a device fail: `count` of them after the next `skip`. count 0: none. */
XMTP_API void xmtp_network_lose_calls(xmtp_network_device *device, uint64_t skip, uint64_t count,
                                      xmtp_network_loss how);

/* Calls that are on their way arrive now. */
XMTP_API void xmtp_network_deliver(xmtp_network *net);

/* The node ends and starts on the data that is there; streams end. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_network_restart_node(xmtp_network *net,
                                                               xmtp_error *error);

/* ---- processes that die
 *
 * A write is one change of the database's files (write, truncate, delete, sync); it has a piece for each
 * 512 bytes that are written, else one. A commit is the write with which a transaction becomes visible.
 * A device that is dead writes nothing, reads nothing and reaches nobody; its calls fail.
 * xmtp_network_reopen brings it back. */

typedef enum xmtp_network_death {
    XMTP_NETWORK_AT_WRITE,      /* that write and everything after it never happen */
    XMTP_NETWORK_AT_TORN_WRITE, /* at that piece: half of it happens, and what is before it */
    XMTP_NETWORK_AT_COMMIT,
    /* at that write; what was written since this was asked for and is not synced is gone as well */
    XMTP_NETWORK_POWER_CUT,
} xmtp_network_death;

/* Now: as kill -9 does it. */
XMTP_API void xmtp_network_crash(xmtp_network_device *device);
/* At the n-th from now. n 0: not at all. */
XMTP_API void xmtp_network_crash_at(xmtp_network_device *device, xmtp_network_death how,
                                    uint64_t n);
XMTP_API bool xmtp_network_has_crashed(const xmtp_network_device *device);

/* ---- what has happened */

typedef struct xmtp_network_counts {
    uint64_t calls; /* asked for, lost ones too */
    uint64_t lost;  /* also by partitions and xmtp_network_lose_calls */
    uint64_t answers_lost;
    uint64_t doubled;
    uint64_t late;
    uint64_t delayed;
    uint64_t streams_refused;
    uint64_t streams_cut; /* by restarts of the node too */
    uint64_t crashes;
    uint64_t writes;
    uint64_t commits;
    uint64_t node_restarts; /* of the network only */
    uint64_t pieces;
} xmtp_network_counts;

/* Of one device, or (NULL) of all together. */
XMTP_API xmtp_network_counts xmtp_network_count(const xmtp_network *net,
                                                const xmtp_network_device *device);

/* ---- what the node sees */

/* A message as the node sends it to everybody who follows its conversation: members, and push servers. */
typedef struct xmtp_network_envelope {
    xmtp_bytes group_message; /* all of it, as xmtp_client_process_message takes it */
    uint64_t sent_ns;
    xmtp_bytes data;        /* encrypted */
    xmtp_bytes sender_hmac; /* HMAC-SHA256 of data under one of the sender's keys of push.h */
    bool should_push;       /* the sender's hint */
} xmtp_network_envelope;

/* Those of one group (a DM may have several, see xmtp_client_dm_duplicates), oldest first; faults
 * do not touch this. Views are valid during the visit, which may call clients. A status of the visit
 * other than XMTP_OK ends it. */
typedef xmtp_status (*xmtp_network_envelope_visit)(void *context,
                                                   const xmtp_network_envelope *envelope);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_network_envelopes(xmtp_network *net,
                                                            const xmtp_conversation_id *id,
                                                            xmtp_network_envelope_visit visit,
                                                            void *context, xmtp_error *error);

/* How a device reaches the node, with its faults: for a host (host.h), or a client that is opened with
 * other options than a device has; give it xmtp_network_env too, and close it before the network. A
 * device made for nothing else is best left closed (is_closed). What is behind it is nobody's business
 * outside of this source tree. */
struct xmtp_transport;
XMTP_API const struct xmtp_transport *xmtp_network_transport(const xmtp_network_device *device);

#ifdef __cplusplus
}
#endif
#endif
