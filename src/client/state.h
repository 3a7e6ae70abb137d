/* state.h - what an open client is, and what its files share.
 *
 *     client.c         open, close, options            sync.c           all conversations
 *     registration.c   this installation's life        round.c          publish and receive, rounds
 *     identity_sync.c  other inboxes' logs             publish.c        intents -> payloads -> node
 *     call.c           one unary call, with retries    receive.c        messages, in their order
 *     group_cache.c    loaded MLS groups               commit_apply.c   commits, own and foreign
 *     stream.c         poll                            post_commit.c    sending welcomes
 *     enter.c          what a public call needs        telemetry.c      log and statistics
 *     release.c        letting go of the database
 *     queue.c          exactly once                    welcome.c        receiving welcomes
 *     device_sync.c    other devices of this inbox     preferences.c    what they tell each other
 *     archive.h        archives, of several files
 *     move.h           an installation moves, of several files
 *
 * One operation is one transaction. Memory never runs ahead of the database: when something fails
 * between changing an MLS group and committing, the group is dropped from the cache.
 */
#ifndef XMTP_CLIENT_STATE_H
#define XMTP_CLIENT_STATE_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/reader.h"
#include "base/status.h"
#include "base/writer.h"
#include "client/commit_rules.h"
#include "identity/key_package.h"
#include "identity/sender_hmac.h"
#include "identity/signer.h"
#include "identity/verify.h"
#include "proto/message.h"
#include "rpc/transport.h"
#include "store/database.h"
#include "store/group_store.h"
#include "store/identity_store.h"
#include "store/intent_store.h"
#include "store/message_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <xmtp/client.h>
#include <xmtp/mls.h>
#include <xmtp/setup.h>

#define XMTP_SECOND_NS UINT64_C(1000000000)
#define XMTP_DAY_NS    (UINT64_C(86400) * XMTP_SECOND_NS)

enum {
    XMTP_PAGE_MAX = 100,        /* messages per query; what the official client asks for */
    XMTP_GROUP_CACHE_MAX = 64,  /* loaded MLS groups */
    XMTP_STATE_CACHE_MAX = 512, /* association states kept between operations */
    XMTP_CLIENT_ARENA_MAX = 512 * 1024 * 1024, /* a page of 100 messages near their limit */
    XMTP_PAST_EPOCHS = 3,
    XMTP_CONTENT_MAX = 24 * 1024 * 1024, /* below the network's 25 MiB per call */
    XMTP_BUILD_ATTEMPTS_MAX = 3,
};

typedef struct cached_group {
    int64_t ref;
    xmtp_mls_group *group;
    uint64_t used_at; /* of the cache's counter */
} cached_group;

typedef struct cached_state {
    char inbox_id[XMTP_INBOX_ID_LEN + 1];
    uint64_t sequence_id;
    xmtp_association *state;
} cached_state;

typedef struct handed_out {
    struct handed_out *next;
    uint8_t message_id[XMTP_MESSAGE_ID_LEN];
    xmtp_arena arena; /* the entry's strings */
} handed_out;

typedef struct stream_state {
    xmtp_stream *welcomes;
    xmtp_stream *groups;
    bool is_stale; /* a conversation came or went: subscribe again */
    bool has_synced;
    uint64_t retry_at_ns; /* not before, after a lost connection */
    uint64_t back_off_ns; /* 0 while connected */
    xmtp_error why;       /* why the streams were closed last */
    bool had_news;        /* since the last chores */
    bool is_resting;      /* gave back memory, and nothing has come since */
    uint64_t next_chores_ns;
} stream_state;

/* The newest message that the node has shown to have, and the database does not say so yet. settle.c */
typedef struct unsettled_send {
    int64_t ref; /* 0: none */
    int64_t intent;
    uint64_t sequence; /* where the node has put it, right behind the cursor */
    uint64_t shown_ns; /* and when it has said so: a message that disappears does so from then on */
    xmtp_writer page;  /* the answer that says so */
} unsettled_send;

/* The conversation that an id stood for, at this count of changes of the database. conversation.c */
typedef struct found_conversation {
    xmtp_conversation_id id;
    int64_t ref; /* 0: none */
    uint64_t changes;
} found_conversation;

/* See device_sync.h. */
typedef struct device_sync_state {
    bool is_on;
    bool is_due;                  /* something for its chore has come since the last one */
    const struct xmtp_http *http; /* NULL: no archives */
    char *history_url;            /* without slashes at its end; "" none. Owned */
} device_sync_state;

struct xmtp_client {
    xmtp_env env;
    xmtp_transport own_transport;
    const xmtp_transport *transport;
    bool owns_transport;
    xmtp_database *db;   /* NULL while it was let go */
    char *database_path; /* NULL: in memory */
    uint8_t database_key[XMTP_DATABASE_KEY_LEN];
    bool is_registered; /* this installation is in the log of the inbox */
    bool is_light;      /* publishes nothing */

    char inbox_id[XMTP_INBOX_ID_LEN + 1];
    char account[2 * XMTP_PASSKEY_MAX +
                 1];                    /* whom the inbox was opened with: address or key in hex */
    char address[XMTP_ADDRESS_LEN + 1]; /* "" when that is a passkey */
    uint64_t nonce;                     /* of an inbox that is still to be made */
    char installation_id[2 * XMTP_INSTALLATION_LEN + 1];
    xmtp_installation installation;
    uint8_t credential[XMTP_CREDENTIAL_LEN];
    uint8_t hmac_root[XMTP_HMAC_ROOT_LEN]; /* read through xmtp_hmac_root */
    bool has_hmac_root;

    uint64_t last_key_ns; /* idempotency keys rise strictly */
    bool is_calling;      /* what runs meanwhile makes no calls */
    bool is_node_away;    /* a call failed after all retries: the next ones try once */
    bool is_queue_enabled;
    bool has_leavers;        /* somebody asked to leave since the last chore */
    uint64_t next_expiry_ns; /* of a message; UINT64_MAX: none that is looked after */
    xmtp_chore_setup chores; /* without zeros */

    cached_group groups[XMTP_GROUP_CACHE_MAX];
    size_t group_count;
    uint64_t group_clock;
    struct xmtp_expanded_key *welcome_key; /* while welcomes of a batch are opened; else NULL */
    struct recent_logs
        *recent_logs; /* during a sync of everything, or a creation. identity_sync.c */
    struct key_packages_ahead *key_packages_ahead; /* while a group is made; else NULL */
    struct pages_ahead *pages_ahead; /* during one sync of everything; may be NULL. pages_ahead.c */
    cached_state *states;
    size_t state_count;
    size_t state_capacity;
    size_t state_next; /* where the next one is looked for first */

    xmtp_client_events events;
    xmtp_log log;
    xmtp_api_statistics statistics;
    device_sync_state device_sync;
    unsettled_send unsettled;
    struct group_work *row_ahead; /* for the next message of a conversation; or NULL. row_ahead.c */
    found_conversation found;
    bool has_rowless; /* a message was sent whose row could not be written. late_row.c */
    stream_state stream;
    struct host_seat *seat; /* in a host; NULL: a client of its own. host.h */
    handed_out *handed;
    xmtp_arena out; /* strings given out by the last call */
    xmtp_writer request;
    xmtp_writer response;
};

/* What is read from the database when it is opened, besides who it is. client.c */
xmtp_status xmtp_settings_load(xmtp_client *client, xmtp_error *error);
/* A client that is nothing but its account, and its database's path and key: neither that nor the node is
 * opened. For move.h; close it. client.c */
xmtp_status xmtp_client_locate(xmtp_client **out, const xmtp_client_options *options,
                               xmtp_error *error);
/* Whether this copy of an installation may live (fence.c): nothing of a database is used before that.
 * One that was moved here claims its place, with the node. XMTP_E_MOVED: another lives. */
xmtp_status xmtp_fence_pass(xmtp_client *client, xmtp_error *error);
/* Closes all that stands on the database, and it. release.c */
void xmtp_database_leave(xmtp_client *client);

/* The node did not get to see the call, or it is not known whether it did: nothing is wrong with what
 * was asked, and it is asked again later. The last two: what answers there is not to be trusted. */
static inline bool xmtp_is_unreached(xmtp_status status)
{
    return status == XMTP_E_NETWORK || status == XMTP_E_UNTRUSTED || status == XMTP_E_TLS;
}

/* The node cannot be reached, or does not speak as it should. client.c */
bool xmtp_is_node_trouble(xmtp_status status);

/* node_url of the options, which may be the name of a network or NULL, as an address. network_name.c */
xmtp_status xmtp_node_url(const char *given, const char **url, xmtp_error *error);

/* ---- small helpers */

static inline uint64_t xmtp_now_ns(const xmtp_client *client)
{
    return client->env.now_ns(client->env.context);
}

/* The present, but after what is replaced: of two decisions the later one counts. */
static inline uint64_t xmtp_later_than(const xmtp_client *client, uint64_t before_ns)
{
    uint64_t now_ns = xmtp_now_ns(client);
    bool is_later = now_ns > before_ns || before_ns >= INT64_MAX;
    return is_later ? now_ns : before_ns + 1;
}

static inline void xmtp_scratch(const xmtp_client *client, xmtp_arena *arena)
{
    xmtp_arena_init(arena, &client->env.alloc, XMTP_CLIENT_ARENA_MAX);
}

static inline void xmtp_give_back(const xmtp_client *client, void *p)
{
    (void)client->env.alloc.reallocate(client->env.alloc.context, p, 0);
}

/* Passes a status of the store on, with its sentence. */
xmtp_status xmtp_stored(const xmtp_client *client, xmtp_status status, xmtp_error *error);
xmtp_status xmtp_begin(xmtp_client *client, xmtp_error *error);
xmtp_status xmtp_commit(xmtp_client *client, xmtp_error *error);

xmtp_mls_signer xmtp_client_signer(const xmtp_client *client);
xmtp_mls_config xmtp_client_mls_config(const xmtp_client *client);

/* True for failures that say nothing about the input: trying again later may succeed. */
bool xmtp_is_our_trouble(xmtp_status status);

/* ---- enter.c: how every public call begins */

/* A caller's error may hold anything; what a call finds in it must be its own. */
static inline void xmtp_error_clear(xmtp_error *error)
{
    if (error != NULL) {
        error->status = XMTP_OK;
        error->text[0] = '\0';
    }
}

typedef enum xmtp_needs {
    XMTP_NEEDS_DATABASE = 0,     /* all calls do */
    XMTP_NEEDS_INBOX = 1,        /* not an observer */
    XMTP_NEEDS_REGISTRATION = 3, /* this installation is one of the inbox */
    XMTP_NEEDS_PUBLISHING = 4,   /* not a light client */
    /* both, and what was sent before is settled meanwhile (settle.c) */
    XMTP_NEEDS_TO_SEND = XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING | 8,
} xmtp_needs;

/* Clears error, settles what was sent (settle.c), and refuses what this client cannot do as it is:
 *   XMTP_E_CLOSED          the database was let go
 *   XMTP_E_NOT_REGISTERED  an observer, or not registered yet
 *   XMTP_E_STATE           a light client is to publish */
xmtp_status xmtp_enter(xmtp_client *client, unsigned needs, xmtp_error *error);

/* ---- settle.c */

/* Writes down that the node has the newest message, if that is still to be done. When it cannot be
 * written, the message is found on the network by the next sync. Nothing inside a transaction. */
void xmtp_settle(xmtp_client *client);

/* ---- telemetry.c */

void xmtp_log_line(const xmtp_client *client, xmtp_log_level level, const char *format, ...)
    XMTP_PRINTF(3, 4);
/* XMTP_E_STATE: a light client, and the method publishes. */
xmtp_status xmtp_may_call(const xmtp_client *client, const char *path, xmtp_error *error);
/* One try of one call, for statistics and log; lengths in bytes. */
typedef struct xmtp_call_note {
    const char *path;
    xmtp_status status;
    uint64_t began_ns;
    size_t request_len;
    size_t response_len;
} xmtp_call_note;
void xmtp_note_call(xmtp_client *client, const xmtp_call_note *note);

/* ---- call.c */

/* One unary call. service and method of the path; answer_type NULL: the answer is not looked at.
 * The answer lives in the arena. Retried with back-off when the node cannot be reached: all calls
 * of this protocol may be repeated. XMTP_E_NETWORK covers timeouts and UNAVAILABLE. */
xmtp_status xmtp_call(xmtp_client *client, const char *path, const ProtobufCMessage *request,
                      const ProtobufCMessageDescriptor *answer_type, xmtp_arena *arena,
                      void **answer, xmtp_error *error);

/* The same, the answer in client->response. While it is under way meanwhile runs, once at most; it makes no
 * calls, and a failure to begin may come without it. NULL: nothing to do. */
xmtp_status xmtp_call_while(xmtp_client *client, const char *path, const ProtobufCMessage *request,
                            const xmtp_meanwhile *meanwhile, xmtp_error *error);

/* As many calls of one method, under way together, answers in the order of the requests; at most
 * XMTP_CALLS_TOGETHER_MAX. One that fails is repeated alone, as xmtp_call does. After a failure some
 * may have taken effect. */
enum { XMTP_CALLS_TOGETHER_MAX = 8 };
xmtp_status xmtp_call_many(xmtp_client *client, const char *path,
                           const ProtobufCMessage *const *requests, size_t count,
                           const ProtobufCMessageDescriptor *answer_type, xmtp_arena *arena,
                           void **answers, xmtp_error *error);
/* The same for encoded requests, each tried once; their statuses say what came of them. */
void xmtp_call_together(xmtp_client *client, xmtp_unary *calls, size_t count);

#define XMTP_MLS_API(method)      "/xmtp.mls.api.v1.MlsApi/" method
#define XMTP_IDENTITY_API(method) "/xmtp.identity.api.v1.IdentityApi/" method

/* ---- identity_sync.c */

/* Fetches what is new in the logs of these inboxes. */
xmtp_status xmtp_identity_sync(xmtp_client *client, const char *const *inbox_ids, size_t count,
                               xmtp_error *error);
/* Between begin and end a log is fetched once in 5 s for all conversations that its inbox is in: the
 * same, but for logs that were fetched that recently. *asked_ns: when the first of them was. */
void xmtp_recent_logs_begin(xmtp_client *client);
void xmtp_recent_logs_end(xmtp_client *client);
xmtp_status xmtp_identity_sync_recent(xmtp_client *client, const char *const *inbox_ids,
                                      size_t count, uint64_t *asked_ns, xmtp_error *error);
xmtp_state_lookup xmtp_client_states(xmtp_client *client);
/* The sequence id of the last update of an inbox's log as it is stored; 0: none is. Of logs that came during a sync of
 * everything, or a creation, the database is not asked again. */
xmtp_status xmtp_newest_update(xmtp_client *client, const char *inbox_id, uint64_t *newest,
                               xmtp_error *error);
/* The state after the newest update known. XMTP_E_NO_INBOX without any. Valid until
 * xmtp_states_trim. */
xmtp_status xmtp_newest_state(xmtp_client *client, const char *inbox_id,
                              const xmtp_association **out, uint64_t *sequence_id,
                              xmtp_error *error);
/* Between operations: keeps the cache within its bound. */
void xmtp_states_trim(xmtp_client *client, size_t keep);
/* Address (any case) or inbox id to inbox id. XMTP_E_NO_INBOX. */
xmtp_status xmtp_resolve(xmtp_client *client, const char *peer,
                         char inbox_id[XMTP_INBOX_ID_LEN + 1], xmtp_error *error);
/* GetInboxIds for one account, named as the network does; "" when nobody has it. */
xmtp_status xmtp_lookup_account(xmtp_client *client, xmtp_identifier_kind kind, const char *name,
                                char inbox_id[XMTP_INBOX_ID_LEN + 1], xmtp_error *error);
/* Contracts are asked through our node. */
xmtp_verifier xmtp_client_verifier(xmtp_client *client);

/* ---- registration.c, key_rotation.c */

/* Who this database is: takes inbox and installation over, and whether it is registered. *is_there
 * false: it is nobody yet. XMTP_E_DATABASE_KEY: another account's. */
xmtp_status xmtp_identity_load(xmtp_client *client, bool *is_there, xmtp_error *error);
/* The account's inbox on the network, else the one that it would make with our nonce: *is_new, which
 * may be NULL. */
xmtp_status xmtp_inbox_choose(xmtp_client *client, const xmtp_identifier *account, bool *is_new,
                              xmtp_error *error);
/* Puts this installation into the log of the inbox of client->account, which signs unless it did
 * in an earlier try. */
xmtp_status xmtp_register(xmtp_client *client, const xmtp_signer *account, xmtp_error *error);
xmtp_status xmtp_publish_identity_update(xmtp_client *client, xmtp_bytes update, xmtp_error *error);
/* Generates, stores and uploads a new key package; older ones live another day. */
xmtp_status xmtp_rotate_key_package(xmtp_client *client, xmtp_error *error);
/* Rotates when due, deletes expired key packages. */
xmtp_status xmtp_key_package_chores(xmtp_client *client, xmtp_error *error);
/* At most 5 s from now (groups.md 4.7). Inside the caller's transaction. */
xmtp_status xmtp_queue_rotation(xmtp_client *client, xmtp_error *error);
xmtp_status xmtp_read_key_package(xmtp_client *client, xmtp_bytes public_key, xmtp_arena *arena,
                                  xmtp_bytes *key_package, xmtp_inbox_key_package_keys *keys,
                                  xmtp_error *error);

/* ---- group_cache.c */

xmtp_status xmtp_cache_open(xmtp_client *client, int64_t ref, xmtp_mls_group **out,
                            xmtp_error *error);
/* Takes ownership of a group that was just created or joined. */
void xmtp_cache_keep(xmtp_client *client, int64_t ref, xmtp_mls_group *group);
void xmtp_cache_forget(xmtp_client *client, int64_t ref);
void xmtp_cache_forget_all(xmtp_client *client);
/* Applies the list inside the caller's transaction. */
xmtp_status xmtp_writes_store(xmtp_client *client, int64_t ref, const xmtp_mls_writes *writes,
                              xmtp_error *error);

#endif
