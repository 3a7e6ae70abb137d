/* service.h - from the bytes of a unary request to the bytes of its answer.
 *
 *     run --> decode --> validate --> read --> done                      (at once)
 *              |                 \--> sequencer ... stored --> done      (by who has its turn)
 *              '--> would wait for the disk or compute for long: put off, run again in a worker
 *
 * No socket and no HTTP/2 here: the listener and the in-process transport are two drivers of it.
 * The methods are in the files service_*.c; the semantics are those of node.md sections 2 and 3.
 */
#ifndef XMTP_NODE_SERVICE_H
#define XMTP_NODE_SERVICE_H

#include "node/chains.h"
#include "node/limits.h"
#include "node/sequencer.h"
#include "node/workers.h"

#include <protobuf-c/protobuf-c.h>
#include <xmtp/node.h>

typedef struct xmtp_node_inboxes xmtp_node_inboxes;
typedef struct xmtp_node_inbox_visit xmtp_node_inbox_visit;

typedef struct xmtp_node_services {
    const xmtp_env *env;
    xmtp_node_limits limits; /* no zeroes */
    xmtp_node_archive *archive;
    xmtp_node_sequencer *sequencer;
    xmtp_node_inboxes *inboxes;
    xmtp_node_workers *workers;
    xmtp_node_chains *chains;
} xmtp_node_services;

/* A page of one topic, as several methods read it. */
typedef struct xmtp_node_query {
    xmtp_node_kind kind;
    xmtp_bytes topic;
    bool is_ascending;
    size_t limit; /* as it will be used */
    uint64_t cursor;
} xmtp_node_query;

/* One unary call. Whoever made it sets done and context, and reads the answer in done. */
typedef struct xmtp_node_call {
    void *context;
    void (*done)(struct xmtp_node_call *call); /* any thread; may free the call */

    bool may_block; /* set by whoever made it, when run is called where waiting is allowed */
    /* Set by whoever made it, or NULL. The call has something to store: it is kept until
     * xmtp_node_call_store_now, instead of being given to the sequencer at once. */
    void (*keep)(struct xmtp_node_call *call);

    int grpc_status;  /* 0: reply holds the answer */
    xmtp_error error; /* of a failed call: our code, and the sentence for the caller */
    xmtp_writer reply;

    /* Of the services. */
    xmtp_node_services *services;
    xmtp_arena arena; /* the decoded request, and what is made from it */
    xmtp_writer scratch;
    xmtp_node_job job;
    xmtp_node_inbox_visit *visit;
    bool replies_with_topic; /* RegisterInstallation: the installation key */
    bool *is_put_off;        /* of the present run */
    bool has_read_back;      /* SendGroupMessages: the page to be read after storing */
    xmtp_node_query read_back;
} xmtp_node_call;

/* env must outlive the call. */
void xmtp_node_call_init(xmtp_node_call *call, xmtp_node_services *services);
void xmtp_node_call_free(xmtp_node_call *call);

/* Does what path and request say; both are used during this call only. True: done is called exactly
 * once, before or after returning. False: put off, done is not called and nothing has happened; to
 * be run again with may_block. */
bool xmtp_node_call_run(xmtp_node_call *call, const char *path, xmtp_bytes request);

/* Gives a call that was kept to the sequencer. may_wait: for one sync, when nobody else stores at the
 * moment; then done is called before it returns. */
void xmtp_node_call_store_now(xmtp_node_call *call, bool may_wait);

/* What is left of a call that ended: reading back what it stored. Between done and the use of reply,
 * not where done is called, which others wait for; where waiting is allowed when it will read. */
void xmtp_node_call_complete(xmtp_node_call *call);
/* False: complete has nothing to do, or all that it needs. */
bool xmtp_node_call_will_read(const xmtp_node_call *call);

/* ---- for the methods */

/* A method answers at once (its status, with the sentence in call->error), or later: then it
 * returns XMTP_E_RETRY and xmtp_node_call_end is called by and by. */
typedef xmtp_status (*xmtp_node_method)(xmtp_node_call *call, xmtp_bytes request);

typedef struct xmtp_node_method_entry {
    const char *path;
    xmtp_node_method run;
} xmtp_node_method_entry;

/* Tables ended by an entry without path. */
extern const xmtp_node_method_entry xmtp_node_mls_methods[];
extern const xmtp_node_method_entry xmtp_node_welcome_methods[];
extern const xmtp_node_method_entry xmtp_node_commit_log_methods[];
extern const xmtp_node_method_entry xmtp_node_key_package_methods[];
extern const xmtp_node_method_entry xmtp_node_identity_methods[];
extern const xmtp_node_method_entry xmtp_node_health_methods[];
extern const xmtp_node_method_entry xmtp_node_message_api_methods[];
extern const xmtp_node_method_entry xmtp_node_validation_methods[];

/* How the paths of the last begin. Listeners serve them only where they were told to. */
#define XMTP_NODE_VALIDATION_PREFIX "/xmtp.mls_validation.v1.ValidationApi/"

/* A method of both IdentityApi and ValidationApi. */
xmtp_status xmtp_node_verify_contract_wallets(xmtp_node_call *call, xmtp_bytes request);

/* Before a method waits for the disk or computes for long. Anything but XMTP_OK is to be returned at
 * once. */
xmtp_status xmtp_node_call_block(xmtp_node_call *call);

/* Requests beyond this take long only to be hashed. */
enum { XMTP_NODE_REQUEST_LEN_QUICK = 64 * 1024 };

/* Decodes into call->arena. XMTP_E_ARGUMENT, with the sentence, when the bytes are not that. */
xmtp_status xmtp_node_call_decode(xmtp_node_call *call, const ProtobufCMessageDescriptor *type,
                                  xmtp_bytes request, void **out);

/* XMTP_E_ARGUMENT unless n is from min to max; what names the things. */
xmtp_status xmtp_node_call_count(xmtp_node_call *call, size_t n, size_t min, size_t max,
                                 const char *what);

/* A topic of 1 to XMTP_NODE_TOPIC_LEN_MAX bytes; what names it. */
xmtp_status xmtp_node_call_topic(xmtp_node_call *call, xmtp_bytes topic, const char *what);

/* Room for count entries, zeroed, in call->job.batch. */
xmtp_status xmtp_node_call_entries(xmtp_node_call *call, size_t count);

/* What was written to call->scratch becomes the entry's body. */
xmtp_status xmtp_node_call_body(xmtp_node_call *call, xmtp_node_entry *entry);

/* Gives the entries to the sequencer; the call ends with an empty answer when they are stored.
 * Returns XMTP_E_RETRY, or why it is not possible. */
xmtp_status xmtp_node_call_store(xmtp_node_call *call);

/* Ends a call that was answered later. */
void xmtp_node_call_end(xmtp_node_call *call, xmtp_status status);

/* ---- pages, shared by several methods */

struct Pb__PagingInfo;

/* The rules of node.md 2.6 for direction, limit and cursor; paging may be NULL. */
void xmtp_node_query_paging(xmtp_node_query *query, const struct Pb__PagingInfo *paging);

/* Appends the rows as field row_field and the used paging as field paging_field. */
xmtp_status xmtp_node_query_run(xmtp_node_call *call, const xmtp_node_query *query,
                                uint32_t row_field, uint32_t paging_field, xmtp_writer *out);

#endif
