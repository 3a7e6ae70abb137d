/* group.h - the inside of xmtp_mls_group, for the files that work on it.
 *
 *   group.c       memory, reading               create.c   a group of one
 *   records.c     to and from records           join.c     from a Welcome
 *   protect.c     sending                       process.c  opening a message into a staged object
 *   stage.c       what a commit would make      merge.c    making it so
 *   make_commit.c, pending.c  own commits       proposals.c  checking and applying proposals
 *   kept.c        proposals sent alone          psk.c      pre-shared keys of a commit or welcome
 *   staged_store.c  staged objects as bytes
 *   expire.c      past epochs by their age      grease.c   values that mean nothing
 *   app_data.c    data of components            exporter.c secrets that leave the key schedule
 *
 *     epochs[0]    the current epoch      epochs[1], [2] ...  the ones before, newest first
 *
 * A past epoch can open late application messages. What the leaves of that epoch were is not
 * copied: each epoch keeps only the leaves that the commit which ended it changed, and a leaf of
 * epoch i is found by looking into epochs i, i-1, ... 1 and then into the tree.
 */
#ifndef XMTP_MLS_GROUP_H
#define XMTP_MLS_GROUP_H

#include "mls/framing.h"
#include "mls/group_info.h"
#include "mls/key_schedule.h"
#include "mls/secret_tree.h"
#include "mls/tree.h"
#include "mls/treekem.h"
#include "mls/writes.h"

#include <xmtp/mls.h>

enum {
    /* Memory that one message or one commit may take while it is looked at: the message, its
     * plaintext and a list of its proposals. */
    XMTP_MLS_STAGED_MEMORY_MAX = 256 << 20,
    /* Past epochs that a configuration may ask for: each costs a secret tree. */
    XMTP_MLS_PAST_EPOCHS_MAX = 100,
    /* Leaves of an exporter tree: one for each component id. */
    XMTP_MLS_EXPORTER_LEAVES = 1 << 16,
};

/* Bytes that the holder frees. */
typedef struct xmtp_buffer {
    uint8_t *p;
    size_t n;
} xmtp_buffer;

static inline xmtp_bytes xmtp_buffer_bytes(const xmtp_buffer *b)
{
    return (xmtp_bytes){.p = b->p, .n = b->n};
}
xmtp_status xmtp_buffer_copy(const xmtp_alloc *alloc, xmtp_bytes in,
                             xmtp_buffer *out) XMTP_MUST_CHECK;
void xmtp_buffer_free(const xmtp_alloc *alloc, xmtp_buffer *b); /* wipes */

/* A hash or tag. */
typedef struct xmtp_digest {
    size_t n;
    uint8_t p[XMTP_HASH_MAX];
} xmtp_digest;

static inline xmtp_bytes xmtp_digest_bytes(const xmtp_digest *d)
{
    return (xmtp_bytes){.p = d->p, .n = d->n};
}

/* What is needed to open the messages of one epoch. */
typedef struct xmtp_epoch {
    uint64_t number;
    xmtp_buffer context; /* encoded GroupContext */
    xmtp_secret sender_data_secret;
    xmtp_secret_tree secret_tree;
    uint64_t started_s; /* seconds since 1970, 0 when not known; the epoch before ended then */
    xmtp_buffer leaves_before; /* past epochs: (uint32 leaf, LeafNode<V>, empty when it was blank)
                                  for each leaf that the next commit changed */
} xmtp_epoch;

void xmtp_epoch_free(const xmtp_alloc *alloc, xmtp_epoch *epoch);

/* A proposal that was sent alone (sections 12.1, 5.2), kept until its epoch ends. */
typedef struct xmtp_kept_proposal {
    uint32_t number; /* in the key of its record */
    xmtp_digest ref;
    xmtp_buffer content;   /* encoded AuthenticatedContent */
    xmtp_buffer update_sk; /* of our own Update: private key of the new leaf */
} xmtp_kept_proposal;

/* The resumption secret of a past epoch (section 8.6). */
typedef struct xmtp_resumption {
    uint64_t epoch;
    xmtp_secret secret;
} xmtp_resumption;

/* Memory that stays between messages, so that the next one allocates nothing. No state. */
enum { XMTP_MLS_SPARE_MAX = 64 * 1024 }; /* of each buffer; what a longer message took is freed */

typedef struct xmtp_spare {
    xmtp_mls_staged *staged; /* one staged object; NULL before the first message */
    bool is_lent;            /* it is with the caller */
    xmtp_writer content;     /* of the message that is made */
    xmtp_writer message;     /* the one that protect gave out last */
} xmtp_spare;

void xmtp_spare_init(xmtp_spare *spare, const xmtp_alloc *alloc);
/* A staged object that the caller still has becomes one of its own. */
void xmtp_spare_free(xmtp_spare *spare);

struct xmtp_mls_group {
    xmtp_mls_config config; /* defaults filled in */
    const xmtp_env *env;
    const xmtp_alloc *alloc;
    const xmtp_suite *suite;
    uint64_t revision; /* counts merges: a staged object fits one revision only */
    bool is_active;
    uint8_t signature_sk[XMTP_SIGNATURE_SK_MAX];
    uint8_t signature_pk[XMTP_SIGNATURE_PK_MAX];

    xmtp_tree tree;
    xmtp_tree_private private_keys;
    xmtp_epoch_secrets secrets; /* without encryption_secret and sender_data_secret */
    xmtp_digest confirmation_tag;
    xmtp_digest interim_transcript_hash;

    xmtp_epoch *epochs; /* config.past_epochs_max + 1 places */
    uint32_t epoch_count;
    xmtp_group_context context; /* decoded view of epochs[0].context */

    xmtp_kept_proposal *kept; /* of the current epoch */
    uint32_t kept_count;
    uint32_t kept_capacity;
    xmtp_resumption *resumption; /* config.resumption_psks_max places, rising epochs */
    uint32_t resumption_count;
    xmtp_record_key *stale; /* records of the store that an earlier configuration left behind */
    uint32_t stale_count;
    uint32_t stale_capacity;
    xmtp_secret_tree exporter_tree; /* of the current epoch; zeroed before its first use */
    xmtp_buffer reinit; /* the ReInit proposal that ended this group; empty: it goes on */

    xmtp_framing_scratch *scratch; /* memory between messages, no state */
    xmtp_spare *spare;
};

/* What a commit changes, before it is made true. Views point into the arena of the staged object
 * or into the overlay. */
typedef struct xmtp_staged_commit {
    xmtp_tree next; /* overlay on the group's tree */
    xmtp_tree_private private_keys;
    xmtp_epoch_secrets secrets;
    xmtp_group_context context;
    xmtp_digest confirmation_tag;
    xmtp_digest interim_transcript_hash;
    bool removes_us;
    bool has_path;
    bool is_external;
    uint32_t committer;
    xmtp_bytes reinit; /* encoded ReInit proposal, empty without one */
    xmtp_mls_proposal_info *proposals;
    size_t proposal_count;
    uint32_t *changed_leaves; /* of the old tree and of the new one */
    size_t changed_count;
} xmtp_staged_commit;

struct xmtp_mls_staged {
    const xmtp_alloc *alloc;
    xmtp_spare *home; /* where its memory returns to; NULL: it is freed */
    const xmtp_mls_group *group;
    uint64_t revision;
    xmtp_arena arena;
    xmtp_mls_content_type content_type;
    xmtp_bytes signature; /* of the message; empty for an own commit that is followed */
    uint64_t message_epoch;
    xmtp_mls_member sender;
    xmtp_bytes authenticated_data;
    xmtp_bytes application_data;
    xmtp_bytes proposal_content; /* of a proposal to be kept: encoded AuthenticatedContent */
    xmtp_digest proposal_ref;
    xmtp_mls_proposal_info proposal;
    bool has_change; /* of the secret tree of message_epoch */
    xmtp_secret_tree_change change;
    xmtp_staged_commit *commit; /* NULL for other contents */
};

struct xmtp_mls_pending {
    const xmtp_alloc *alloc;
    const xmtp_suite *suite;
    uint64_t epoch;
    /* Made by xmtp_mls_group_commit in this process, from the state of the group that this hash
     * names: its signatures and keys are known to be good. Never stored. */
    bool is_fresh;
    xmtp_digest made_from;
    xmtp_buffer authenticated_content;
    xmtp_buffer message;
    xmtp_buffer welcome;
    xmtp_secret commit_secret;
    xmtp_secret psk_secret;
    xmtp_tree_private private_keys;
};

/* ---- group.c ---- */

/* An empty group for this configuration: all memory there, nothing in it. */
xmtp_status xmtp_group_new(xmtp_mls_group **out, const xmtp_mls_config *config,
                           const xmtp_suite *suite, xmtp_error *error) XMTP_MUST_CHECK;

/* The public view of a leaf. */
xmtp_mls_member xmtp_member_of(uint32_t leaf_index, const xmtp_leaf_node *leaf);
bool xmtp_member_at(const xmtp_tree *tree, uint32_t leaf_index, xmtp_mls_member *out);

/* Asks the application about the credential of a leaf; before: the leaf that it replaces, or NULL.
 * XMTP_E_CREDENTIAL. */
xmtp_status xmtp_group_authenticate(const xmtp_mls_group *group, uint32_t leaf_index,
                                    const xmtp_leaf_node *leaf, const xmtp_leaf_node *before,
                                    xmtp_error *error) XMTP_MUST_CHECK;

/* The kept epoch with this number, or NULL. */
xmtp_epoch *xmtp_group_epoch_find(const xmtp_mls_group *group, uint64_t number);

/* ---- expire.c ---- */

uint64_t xmtp_group_now_s(const xmtp_mls_group *group);
/* Past epochs only. */
bool xmtp_epoch_is_expired(const xmtp_mls_group *group, const xmtp_epoch *epoch);
/* What xmtp_mls_group_expire does; all writes first, so that a failure changes nothing. */
xmtp_status xmtp_group_expire(xmtp_mls_group *group, xmtp_mls_writes *writes) XMTP_MUST_CHECK;
/* Notes a record that is not loaded, for deletion. */
xmtp_status xmtp_group_note_stale(xmtp_mls_group *group, xmtp_bytes key) XMTP_MUST_CHECK;

/* The leaf as it was in a kept epoch. XMTP_E_SENDER when it was blank. */
xmtp_status xmtp_group_leaf_at_epoch(const xmtp_mls_group *group, const xmtp_epoch *epoch,
                                     uint32_t leaf_index, xmtp_leaf_node *out) XMTP_MUST_CHECK;

/* Sets the decoded view of the current context. */
xmtp_status xmtp_group_set_context(xmtp_mls_group *group) XMTP_MUST_CHECK;

/* Starts the message keys of an epoch: takes encryption_secret and sender_data_secret out of
 * secrets, and our own ratchets out of the tree. out must be zeroed; freed on failure. */
xmtp_status xmtp_epoch_start(xmtp_epoch *out, const xmtp_suite *suite, const xmtp_alloc *alloc,
                             xmtp_bytes context, uint64_t number, uint32_t leaf_count,
                             uint32_t own_leaf, xmtp_epoch_secrets *secrets) XMTP_MUST_CHECK;

/* Keeps the resumption secret of an epoch that has passed; places must be above 0. *dropped: the
 * epoch of the one that had to go for it. */
xmtp_status xmtp_resumption_add(xmtp_mls_group *group, uint64_t epoch, const xmtp_secret *secret,
                                uint64_t *dropped, bool *has_dropped) XMTP_MUST_CHECK;
void xmtp_resumption_free(xmtp_mls_group *group); /* wipes */

/* The exporter tree goes with its epoch, from memory (wiped) and store. writes may be NULL. */
void xmtp_exporter_drop(xmtp_mls_group *group, xmtp_mls_writes *writes);

/* Takes over a staged, joined or created state as the first epoch of a group. */
xmtp_status xmtp_group_first_epoch(xmtp_mls_group *group, xmtp_bytes context, uint64_t number,
                                   xmtp_mls_writes *writes) XMTP_MUST_CHECK;

/* ---- create.c ---- */

/* The unsigned leaf of a member that comes without a key package. */
xmtp_status xmtp_first_leaf_fields(const xmtp_env *env, const xmtp_mls_create_options *options,
                                   xmtp_arena *arena, xmtp_bytes encryption_key,
                                   xmtp_leaf_node *out) XMTP_MUST_CHECK;

/* ---- records.c ---- */

void xmtp_records_put_header(const xmtp_mls_group *group, xmtp_mls_writes *writes);
void xmtp_records_put_epoch(const xmtp_epoch *epoch, xmtp_mls_writes *writes);
void xmtp_records_put_secret_tree(const xmtp_epoch *epoch, xmtp_mls_writes *writes);
void xmtp_records_put_ratchet(const xmtp_suite *suite, uint64_t epoch, const xmtp_ratchet *ratchet,
                              xmtp_mls_writes *writes);
void xmtp_records_put_node(const xmtp_suite *suite, uint32_t index, const xmtp_node *node,
                           xmtp_mls_writes *writes);
void xmtp_records_put_proposal(const xmtp_kept_proposal *kept, xmtp_mls_writes *writes);
void xmtp_records_put_resumption(const xmtp_resumption *resumption, xmtp_mls_writes *writes);
void xmtp_records_put_exporter_tree(const xmtp_secret_tree *tree, xmtp_mls_writes *writes);
void xmtp_records_put_reinit(const xmtp_mls_group *group, xmtp_mls_writes *writes);
/* Everything: for a group that was just made. */
void xmtp_records_put_all(const xmtp_mls_group *group, xmtp_mls_writes *writes);
/* All records of an epoch go. */
void xmtp_records_delete_epoch(const xmtp_epoch *epoch, xmtp_mls_writes *writes);

#endif
