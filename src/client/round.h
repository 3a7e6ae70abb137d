/* round.h - work on one conversation: publish what is queued, read what came, send welcomes.
 *
 *     intents --build--> payload stored --send--> node --query--> read back: applied, resolved
 *                                                       \-> foreign messages, in the same order
 *
 * A work object lives during one operation. Its row is the database's; after every committed
 * transaction row, group and database agree.
 */
#ifndef XMTP_CLIENT_ROUND_H
#define XMTP_CLIENT_ROUND_H

#include "client/state.h"
#include "proto/mls_api.pb-c.h"

/* Our newest commit of a work, as it was stored. */
typedef struct made_commit {
    xmtp_mls_pending *pending; /* NULL: none */
    xmtp_mls_staged *staged;   /* what it makes of the group, which it was made from; or NULL */
    int64_t intent;
    xmtp_writer welcomes;             /* record of those whom it adds, see post_commit.c */
    bool is_stored;                   /* of an attempt: not before it is under way */
    bool is_unsynced;                 /* a power cut could still take it: no welcome may leave */
    struct sealed_pointers *pointers; /* of its welcomes, when sealing them was begun; or NULL */
} made_commit;

typedef struct group_work {
    xmtp_client *client;
    xmtp_arena arena; /* the row's strings and the list of intents */
    xmtp_group_row row;
    xmtp_group_row committed; /* as the database has it */
    xmtp_mls_group *group;    /* from the cache; NULL after a failure until loaded again */
    xmtp_intent_rows intents; /* as of the last load; resolved ones have state 0 */
    bool is_loaded;           /* row and intents are what the database held ... */
    uint64_t loaded_at;       /* ... at this count of changes */
    bool is_in_transaction;   /* messages were applied that are not committed yet */
    bool has_news;            /* something was applied */
    uint64_t shown_ns;        /* when the node showed what is applied; 0: now */
    bool is_from_stream;      /* items may not be complete: anything odd is left to a query */
    bool needs_query;         /* set then */
    bool may_leave;           /* settle.c: its one message need not be settled ... */
    bool is_left;             /* ... and was not; */
    int64_t settled;          /* the intent before it, which is while that travels, or 0; */
    bool has_gap;             /* that failed, and the page ahead does not begin at the cursor */
    bool
        has_late_row; /* late_row.c: the message's row is still to be written; views of the caller's */
    xmtp_message_row late_row;
    int64_t sent_max;  /* newest intent whose payload the node has taken, that this work knows of */
    xmtp_writer ahead; /* an answer that holds the next page, when it is here already; else empty */
    const ProtobufCMessageDescriptor *ahead_type; /* of a query, or of a send that it came with */
    made_commit made;
    /* the intent that somebody waits for, and why it failed for good */
    int64_t awaited;
    xmtp_status awaited_status;
    xmtp_error awaited_error;
} group_work;

/* Settles what was sent before.
 * XMTP_E_NOT_FOUND: no such conversation. End with xmtp_work_end in any case. */
xmtp_status xmtp_work_start(group_work *work, xmtp_client *client, int64_t ref, xmtp_error *error);
/* The same without settling: for work that does it by itself. */
xmtp_status xmtp_work_start_unsettled(group_work *work, xmtp_client *client, int64_t ref,
                                      xmtp_error *error);
void xmtp_work_end(group_work *work);
/* Reads row and intents again when anything was changed in the database since. */
xmtp_status xmtp_work_reload(group_work *work, xmtp_error *error);
/* Instead of reading them again after a transaction that did nothing to them but queue this intent. */
xmtp_status xmtp_work_queued(group_work *work, const xmtp_intent_row *intent);
/* The MLS group, loaded when it must be. */
xmtp_status xmtp_work_group(group_work *work, xmtp_error *error);
/* Before the group goes. */
void xmtp_work_forget_staged(group_work *work);
void xmtp_work_forget_made(group_work *work);
/* Forgets everything uncommitted: rolls back, drops the group from the cache. Returns status. */
xmtp_status xmtp_work_abandon(group_work *work, xmtp_status status);

/* Rounds until no intent is open, progress ends, or an error; at most a few. fresh: everything
 * queued was queued just now, so nothing can be on the network yet. */
xmtp_status xmtp_work_rounds(group_work *work, bool fresh, xmtp_error *error);
/* A group that nobody has heard of ends with its process (group_create.c): its commit is not sent again by another
 * one, and until welcomes leave the disk has time. */
bool xmtp_work_is_attempt(const group_work *work);
/* Something may be on the network already: published, and not read back. */
bool xmtp_work_has_published(const group_work *work);
/* Whether members keep what opens a message of that epoch. */
bool xmtp_is_readable_by_others(uint64_t message_epoch, uint64_t group_epoch);
/* What the awaited intent came to: OK when it is gone without a failure. */
xmtp_status xmtp_work_result(group_work *work, xmtp_status round_status, xmtp_error *error);

/* ---- publish.c */
/* Builds payloads and sends everything that is unsent. *sent counts messages. */
xmtp_status xmtp_publish(group_work *work, size_t *sent, xmtp_error *error);
/* The row of an intent whose payload was built; the payload is there until the group is used again. */
typedef struct built_message {
    xmtp_intent_row row;
    uint8_t hash[32]; /* of the payload */
} built_message;
/* Builds the payload of a queued message inside the caller's transaction. */
xmtp_status xmtp_publish_build_message(group_work *work, const xmtp_intent_row *intent,
                                       built_message *out, xmtp_error *error);
/* Resolves an intent as failed: gone, its message marked. Inside the caller's transaction. */
xmtp_status xmtp_intent_fail(group_work *work, const xmtp_intent_row *intent, xmtp_status why,
                             const xmtp_error *why_error, xmtp_error *error);

/* ---- send.c */
/* Nothing but a message would have to be sent now, or decided: the queue is empty, no key update is due, and
 * what other devices there are was looked up. */
bool xmtp_is_send_plain(const group_work *work);

/* ---- late_row.c */
/* The row that is late, if one is, at the beginning of a transaction of this work; or as all of one. */
xmtp_status xmtp_late_row_begin(group_work *work, xmtp_error *error);
xmtp_status xmtp_late_row_write(group_work *work, xmtp_error *error);
/* The row of a message that is to be sent, if it might not be there. Inside the caller's transaction. */
xmtp_status xmtp_row_of_intent(group_work *work, const xmtp_intent_row *intent, xmtp_error *error);
/* It is late no longer: written now, or to be restored by the next call. */
void xmtp_late_row_end(group_work *work);
/* Writes the rows of messages that were sent without. */
xmtp_status xmtp_rows_restore(xmtp_client *client, xmtp_error *error);

/* ---- row_ahead.c: row and queue of a conversation, read while a message of it travels */
void xmtp_row_ahead_read(const group_work *work);
/* As a work that has been started, and reads them again if anything was changed since; false: not here. */
bool xmtp_row_ahead_take(group_work *work, xmtp_client *client, int64_t ref);
void xmtp_row_ahead_end(xmtp_client *client);

/* ---- settle.c */
/* After a start that does not settle, before a message is queued: settles what is unsettled, unless that can
 * be done while the message travels. */
xmtp_status xmtp_work_follow(group_work *work, xmtp_error *error);
/* The number behind which the node's newest page is still to be asked for. */
uint64_t xmtp_work_cursor(const group_work *work);
/* Settles while a call is under way: a meanwhile of this work. */
xmtp_meanwhile xmtp_settle_meanwhile(group_work *work);
/* When all that this work was for is one message, and the page ahead shows that and nothing else: leaves
 * the rest to xmtp_settle, and is_left is true. */
void xmtp_work_leave(group_work *work);

/* ---- receive.c */
/* Opens this work's transaction unless it is open. */
xmtp_status xmtp_work_begin(group_work *work, xmtp_error *error);
/* Commits what was applied so far, with the cursor. */
xmtp_status xmtp_work_flush(group_work *work, xmtp_error *error);
/* The question for the next page behind the cursor, in parts that the caller holds. */
typedef struct group_query {
    Pb__PagingInfo paging;
    Pb__QueryGroupMessagesRequest request;
} group_query;
Pb__QueryGroupMessagesRequest *xmtp_group_query(xmtp_bytes group_id, uint64_t cursor,
                                                group_query *out);
/* Queries from the cursor until a page is not full, applying everything in order. */
xmtp_status xmtp_receive(group_work *work, xmtp_error *error);
/* Applies messages in the order given; those at or before the cursor are ignored. */
xmtp_status xmtp_receive_batch(group_work *work, const Pb__GroupMessage__V1 *const *messages,
                               size_t count, xmtp_error *error);

/* ---- pages_ahead.c: the first pages of many conversations, asked for together (client->pages_ahead) */
/* A conversation that is to be synced, and the sequence of the newest message that the node has of it. */
typedef struct group_due {
    xmtp_group_position at;
    uint64_t newest;
} group_due;

/* Asks for those of due[first] and the next ones that have news. Returns the index of the first that it did
 * not look at. What fails is asked for again by who needs it. */
size_t xmtp_pages_ahead_ask(xmtp_client *client, const group_due *due, size_t count, size_t first);
/* Hands the page of this conversation over, if there is one behind its cursor. */
void xmtp_pages_ahead_take(group_work *work);
void xmtp_pages_ahead_end(xmtp_client *client);

/* ---- commit_apply.c: one commit, in a transaction of its own, cursor included */
xmtp_status xmtp_apply_foreign_commit(group_work *work, const Pb__GroupMessage__V1 *message,
                                      xmtp_mls_staged *staged, xmtp_error *error);
xmtp_status xmtp_apply_own_commit(group_work *work, const Pb__GroupMessage__V1 *message,
                                  uint64_t epoch, xmtp_intent_row *intent, xmtp_error *error);
/* Fills name, epoch, member count and activity of row from the group; strings in the arena. */
xmtp_status xmtp_row_refresh(xmtp_arena *arena, const xmtp_mls_group *group, xmtp_group_row *row,
                             xmtp_error *error);
/* Value of a mutable metadata attribute of the group, NULL when absent. */
xmtp_status xmtp_group_attribute(xmtp_arena *arena, const xmtp_mls_group *group, const char *key,
                                 const char **value);

/* ---- transcript.c: local messages of kind 2, inside the caller's transaction */
xmtp_status xmtp_transcript_commit(group_work *work, const xmtp_commit_facts *facts,
                                   uint64_t sequence, uint64_t created_ns, xmtp_error *error);
xmtp_status xmtp_transcript_welcome(xmtp_client *client, const xmtp_group_row *row,
                                    xmtp_bytes adder_installation, uint64_t cursor,
                                    uint64_t welcome_ns, xmtp_error *error);

/* ---- post_commit.c */
xmtp_status xmtp_post_commit(group_work *work, xmtp_error *error);

/* ---- commit building: *pending NULL when there is nothing to do */
typedef struct commit_plan {
    xmtp_mls_pending *pending;
    xmtp_writer post_commit; /* empty without an Add */
} commit_plan;

/* membership.c */
xmtp_status xmtp_membership_build(group_work *work, const xmtp_intent_row *intent,
                                  commit_plan *plan, xmtp_error *error);
/* ---- key_packages_ahead.c */
/* Asks for the key packages of everybody's installations as their logs are known; while the call is under way
 * meanwhile runs, once at most. A call that fails is made again when it is needed. XMTP_E_NO_INBOX: somebody has
 * no log here. */
xmtp_status xmtp_key_packages_ahead(xmtp_client *client, const xmtp_string_list *inboxes,
                                    const xmtp_meanwhile *meanwhile, xmtp_error *error);
/* The answer to just this request, once. False: it is to be asked for. */
bool xmtp_key_packages_take(xmtp_client *client, const Pb__FetchKeyPackagesRequest *request,
                            xmtp_arena *arena, void **answer);
void xmtp_key_packages_forget(xmtp_client *client);
/* The request for these, in the arena. */
xmtp_status xmtp_key_packages_request(xmtp_arena *arena, const xmtp_bytes *installations,
                                      size_t count, Pb__FetchKeyPackagesRequest *out);

/* Data of a membership intent: inboxes to add and to remove; both empty brings the installations
 * of members up to date. */
xmtp_status xmtp_membership_data(xmtp_writer *w, const char *const *add, size_t add_count,
                                 const char *const *remove, size_t remove_count);
/* Fetches members' logs, and queues a membership intent when one is ahead of the group. */
xmtp_status xmtp_installations_refresh(group_work *work, xmtp_error *error);
/* Inbox ids of the members, in the arena. */
xmtp_status xmtp_member_inboxes(xmtp_arena *arena, const xmtp_mls_group *group,
                                const char ***inboxes, size_t *count);
/* context_commit.c: attributes, admins, permissions */
xmtp_status xmtp_context_build(group_work *work, const xmtp_intent_row *intent, commit_plan *plan,
                               xmtp_error *error);

/* ---- send.c */
/* What is done in the transaction that stores a message, too. */
typedef struct xmtp_with_message {
    xmtp_status (*run)(xmtp_client *client, void *context, xmtp_error *error);
    void *context;
} xmtp_with_message;

/* Sends to just this group, be it one of several of a DM, and waits until the network has it. with may
 * be NULL. */
xmtp_status xmtp_send(group_work *work, xmtp_bytes content, const xmtp_send_options *options,
                      const xmtp_with_message *with, uint8_t message_id[XMTP_MESSAGE_ID_LEN],
                      xmtp_error *error);
/* Queues a message inside the caller's transaction (key update first when due). *can_build: it is
 * the only intent, so its payload may be built at once. Nothing is queued, and intent->id is 0, when
 * the same content was sent under the same key of the caller's before. */
xmtp_status xmtp_queue_message(group_work *work, xmtp_bytes content,
                               const xmtp_send_options *options,
                               uint8_t message_id[XMTP_MESSAGE_ID_LEN], xmtp_intent_row *intent,
                               bool *can_build, xmtp_error *error);
/* Looks for new and revoked installations of members when that was not done in the last 5 s. A node
 * that cannot be reached is no failure here. */
xmtp_status xmtp_refresh_before_send(group_work *work, xmtp_error *error);
/* XMTP_E_INACTIVE with why: removed, or restored from an archive. */
xmtp_status xmtp_fail_inactive(const xmtp_group_row *row, xmtp_error *error);
/* XMTP_E_INACTIVE, XMTP_E_PAUSED. */
xmtp_status xmtp_check_usable(const group_work *work, xmtp_error *error);

/* ---- sync.c */
xmtp_status xmtp_sync_welcomes(xmtp_client *client, xmtp_error *error);
/* Rounds of one conversation; failures of one do not stop the others. */
xmtp_status xmtp_sync_group(xmtp_client *client, int64_t ref, bool *has_news, xmtp_error *error);
/* What is to be done without anybody asking: leavers removed, expired messages deleted, key packages
 * renewed. */
xmtp_status xmtp_chores(xmtp_client *client, xmtp_error *error);
/* Sends what is queued in any conversation. */
xmtp_status xmtp_flush_intents(xmtp_client *client, xmtp_error *error);

/* ---- welcome.c */
xmtp_status xmtp_welcome_process(xmtp_client *client, const Pb__WelcomeMessage *message,
                                 xmtp_error *error);
uint64_t xmtp_welcome_sequence(const Pb__WelcomeMessage *message);
/* Before the first of those that came together: what most of them need first is computed side by side. */
void xmtp_welcomes_begin(xmtp_client *client, Pb__WelcomeMessage *const *messages, size_t count);
/* After the last of them: the expanded private key that they shared is wiped. */
void xmtp_welcomes_end(xmtp_client *client);

/* ---- expire.c */
/* When a message that is stored or read back now will expire; 0: never. */
xmtp_status xmtp_expiry_of_now(group_work *work, uint64_t *expire_ns, xmtp_error *error);
xmtp_status xmtp_expiry_load(xmtp_client *client, xmtp_error *error);
void xmtp_tell_deleted(xmtp_client *client, xmtp_bytes group_id, const uint8_t *message_id);

/* ---- leave.c */
/* This inbox asked to leave; inside the caller's transaction. */
xmtp_status xmtp_leave_note(group_work *work, const char *inbox_id, xmtp_bytes message_id,
                            xmtp_error *error);
/* Of those whom a commit removed: who had asked for it, and who had not. */
xmtp_status xmtp_leave_split(group_work *work, xmtp_arena *arena, const xmtp_commit_facts *facts,
                             xmtp_string_list *left, xmtp_string_list *removed, xmtp_error *error);
/* Those whom a commit removed are no longer waiting for it. */
xmtp_status xmtp_leave_forget(group_work *work, const xmtp_commit_facts *facts, xmtp_error *error);
/* Removes those who asked for it from all groups where we are a super admin. */
xmtp_status xmtp_leave_chore(xmtp_client *client, xmtp_error *error);

/* Who may do everything in this group now; in the arena. Nobody in a DM. */
xmtp_status xmtp_super_admins(group_work *work, xmtp_arena *arena, const Pb__Inboxes **out,
                              xmtp_error *error);

/* ---- deletion.c: inside the caller's transaction */
/* Somebody's deletion arrived, or ours is on the network: kept, with whether they are super admin now,
 * and listeners are told when it counts. */
xmtp_status xmtp_deletion_note(group_work *work, const char *inbox_id, xmtp_bytes content,
                               xmtp_error *error);
/* The same of an archive, without telling anybody. */
xmtp_status xmtp_deletion_restore(xmtp_client *client, int64_t group_ref, const char *inbox_id,
                                  xmtp_bytes content, bool is_super_admin, xmtp_error *error);
/* Who took a message back, an inbox id in the arena; NULL: nobody who may. */
xmtp_status xmtp_deletion_of(xmtp_client *client, const uint8_t message_id[XMTP_MESSAGE_ID_LEN],
                             xmtp_arena *arena, const char **inbox_id, xmtp_error *error);

/* ---- consent.c: inside the caller's transaction */
/* Somebody decided here about a conversation, with all duplicates of a DM. The listener is told when
 * that changed something, other installations by their sync group. */
xmtp_status xmtp_consent_decide(xmtp_client *client, const xmtp_group_row *row,
                                xmtp_consent_state state, xmtp_error *error);
/* A decision taken elsewhere, or one that follows by itself: recorded when it is later than what is
 * known, for all duplicates of a DM; told to the listener only. */
xmtp_status xmtp_consent_merge(xmtp_client *client, const xmtp_consent *record, bool *is_taken,
                               xmtp_error *error);
/* Whether it names an entity and a state that there can be. */
bool xmtp_consent_is_valid(const xmtp_consent *record);

/* ---- preferences.c */
/* Brings client->hmac_root up to date: the root from which keys of groups are derived, so that a push
 * server can tell our own messages. */
xmtp_status xmtp_hmac_root(xmtp_client *client, xmtp_error *error);

/* ---- conversation.c */
/* Any group of a DM stands for the one that represents it (groups.md 2.8). */
xmtp_status xmtp_conversation_find(xmtp_client *client, const xmtp_conversation_id *id,
                                   int64_t *ref, xmtp_error *error);
/* It stands for it now, too: known until something in the database changes. After a message in a group of a DM
 * that group represents it. */
void xmtp_conversation_found(xmtp_client *client, const xmtp_conversation_id *id, int64_t ref);
/* ---- message_keep.c */
/* Inserts a row inside the caller's transaction, with its content type, what it is about and the time
 * of its arrival. *is_new false: it is there already. */
xmtp_status xmtp_message_keep(xmtp_client *client, xmtp_message_row *row, bool *is_new,
                              xmtp_error *error);
/* Messages of a database from before content types were kept. */
xmtp_status xmtp_messages_classify_old(xmtp_client *client, xmtp_error *error);
/* ---- message_view.c */
xmtp_status xmtp_message_view(xmtp_client *client, const xmtp_message_row *row, xmtp_arena *arena,
                              xmtp_message *out);

#endif
