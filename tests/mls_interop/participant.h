/* participant.h - what the files of the interop client share.
 *
 *   client.c       which function a method is, requests and answers
 *   participant.c  participants, their keys and PSKs, what all methods need
 *   joining.c      ways into a group            member.c    what a member does
 *   proposing.c    proposals from descriptions, and those from outside
 *
 *     numbered participant:   keys --> + key package --> + group
 *                             (signer)  (transaction)     (state)
 */
#ifndef XMTP_MLS_INTEROP_PARTICIPANT_H
#define XMTP_MLS_INTEROP_PARTICIPANT_H

#include "base/bytes.h"
#include "base/status.h"
#include "client.h"
#include "mls_client.pb-c.h"
#include "proto/message.h"

typedef struct interop_psk {
    struct interop_psk *next;
    size_t id_len;
    size_t secret_len;
    uint8_t id[XMTP_MLS_PSK_MAX];
    uint8_t secret[XMTP_MLS_PSK_MAX];
} interop_psk;

typedef struct participant {
    struct participant *next;
    const xmtp_alloc *alloc;
    uint32_t number;
    uint32_t parent; /* number of the group that a ReInit ended; 0: none */
    uint16_t suite;
    bool is_encrypted; /* handshakes go as PrivateMessage */
    uint8_t *identity;
    size_t identity_len;
    xmtp_mls_signature_keys keys;
    uint8_t *key_package; /* NULL: none, or used up */
    size_t key_package_len;
    xmtp_mls_key_package_private private_keys;
    interop_psk *psks;
    xmtp_mls_group *group; /* NULL: not in a group yet */
    xmtp_mls_pending *pending;
} participant;

struct interop_client {
    const xmtp_env *env;
    participant *participants;
    uint32_t last_number;
    xmtp_mls_writes *writes; /* of the step under way: nothing is stored here */
};

/* One method being answered. Requests and answers live in its arena. */
typedef struct interop_call {
    interop_client *client;
    xmtp_arena arena;
    xmtp_error *error;
} interop_call;

typedef xmtp_status interop_method(interop_call *call, const void *request, void *response);

/* ---- participant.c ---- */

/* XMTP_E_NOT_FOUND. find_state: one that is in a group; find_joiner: one with a key package. */
xmtp_status find_participant(interop_call *call, uint32_t number, participant **out);
xmtp_status find_state(interop_call *call, uint32_t number, participant **out);
xmtp_status find_joiner(interop_call *call, uint32_t number, participant **out);

/* A new one with fresh signature keys, known to the client. */
xmtp_status add_participant(interop_call *call, uint32_t suite, ProtobufCBinaryData identity,
                            participant **out);
void drop_participant(interop_client *client, participant *p);
void participant_free(participant *p);

/* Gives it a key package, and the answer's MLSMessage of it. */
xmtp_status make_key_package(interop_call *call, participant *p, ProtobufCBinaryData *message);
/* The secrets of a key package, for a runner that records them. */
xmtp_status put_private_keys(interop_call *call, const participant *p, ProtobufCBinaryData *init,
                             ProtobufCBinaryData *encryption, ProtobufCBinaryData *signature);
xmtp_status add_psk(interop_call *call, participant *p, ProtobufCBinaryData id,
                    ProtobufCBinaryData secret);

xmtp_mls_signer signer_of(const participant *p);
xmtp_mls_capabilities capabilities(void);
xmtp_mls_config config_of(const interop_call *call, participant *p);
/* The one credential that our members have in a group. */
xmtp_status own_identity(interop_call *call, const participant *p, ProtobufCBinaryData *out);

/* The client's writes, empty. */
xmtp_mls_writes *fresh_writes(const interop_call *call);

/* A copy in the arena for the answer. take_bytes: of what env's allocator gave, which is freed. */
xmtp_status put_bytes(interop_call *call, xmtp_bytes bytes, ProtobufCBinaryData *out);
xmtp_status take_bytes(interop_call *call, uint8_t *p, size_t n, ProtobufCBinaryData *out);
xmtp_status put_authenticator(interop_call *call, const participant *p, ProtobufCBinaryData *out);

/* The bare KeyPackage in an MLSMessage. */
xmtp_status key_package_in(interop_call *call, ProtobufCBinaryData message, xmtp_bytes *out);
xmtp_status extensions_in(interop_call *call, MlsClient__Extension *const *in, size_t count,
                          const xmtp_mls_extension **out);
/* The same from the content of an extensions vector. */
xmtp_status extensions_of(interop_call *call, xmtp_bytes content, const xmtp_mls_extension **out,
                          size_t *count);

/* ---- proposing.c ---- */

/* What a description is of: one of our groups, or what came from one. */
typedef struct group_view {
    const xmtp_mls_group *group; /* NULL: ratchet_tree says who is there */
    xmtp_bytes group_id;
    xmtp_bytes ratchet_tree;
} group_view;

group_view view_of(const participant *p);
xmtp_status find_leaf(interop_call *call, xmtp_bytes ratchet_tree, ProtobufCBinaryData identity,
                      uint32_t *leaf);
xmtp_status proposal_in(interop_call *call, const MlsClient__ProposalDescription *in,
                        const group_view *view, xmtp_mls_proposal *out);

interop_method add_proposal, update_proposal, remove_proposal, external_psk_proposal,
    resumption_psk_proposal, context_extensions_proposal, reinit_proposal, new_member_add_proposal,
    create_external_signer, add_external_signer, external_signer_proposal;

/* ---- joining.c ---- */

interop_method create_group, create_key_package, join_group, external_join, create_branch,
    handle_branch, reinit_welcome, handle_reinit_welcome;

/* ---- member.c ---- */

interop_method group_info, state_auth, export_secret, protect, unprotect, store_psk, commit,
    handle_commit, handle_pending_commit, handle_reinit_commit, handle_pending_reinit_commit;

/* Commits, and keeps the commit as p->pending; tree: NULL when it goes into the welcome. */
xmtp_status make_commit(interop_call *call, participant *p, xmtp_mls_commit_options *options,
                        bool force_path, ProtobufCBinaryData *tree);
xmtp_status merge_pending(interop_call *call, participant *p);

#endif
