/* commit.h - Commit, UpdatePath and HPKECiphertext, RFC 9420 sections 12.4 and 7.6. */
#ifndef XMTP_MLS_COMMIT_H
#define XMTP_MLS_COMMIT_H

#include "mls/proposal.h"

typedef struct xmtp_hpke_ciphertext {
    xmtp_bytes kem_output;
    xmtp_bytes ciphertext;
} xmtp_hpke_ciphertext;

xmtp_status xmtp_hpke_ciphertext_decode(xmtp_reader *r, xmtp_hpke_ciphertext *out) XMTP_MUST_CHECK;
void xmtp_hpke_ciphertext_encode(xmtp_writer *w, const xmtp_hpke_ciphertext *ciphertext);

/* UpdatePathNode. ciphertexts is the checked content of encrypted_path_secret<V>; walk it with
 * xmtp_hpke_ciphertext_decode. */
typedef struct xmtp_update_path_node {
    xmtp_bytes encryption_key;
    xmtp_bytes ciphertexts;
    size_t ciphertext_count;
} xmtp_update_path_node;

typedef struct xmtp_update_path {
    xmtp_leaf_node leaf_node;
    size_t count;
    xmtp_update_path_node nodes[XMTP_MLS_PATH_MAX];
} xmtp_update_path;

xmtp_status xmtp_update_path_decode(xmtp_reader *r, xmtp_update_path *out) XMTP_MUST_CHECK;
void xmtp_update_path_encode(xmtp_writer *w, const xmtp_update_path *path);

typedef enum xmtp_proposal_or_ref_kind {
    XMTP_BY_VALUE = 1,
    XMTP_BY_REFERENCE = 2,
} xmtp_proposal_or_ref_kind;

typedef struct xmtp_proposal_or_ref {
    uint8_t kind;           /* xmtp_proposal_or_ref_kind */
    xmtp_bytes reference;   /* BY_REFERENCE: ProposalRef */
    xmtp_proposal proposal; /* BY_VALUE */
} xmtp_proposal_or_ref;

/* A proposal's fields, or its reference. */
void xmtp_proposal_or_ref_encode(xmtp_writer *w, const xmtp_proposal_or_ref *item);

typedef struct xmtp_commit {
    xmtp_bytes raw;
    xmtp_proposal_or_ref *proposals; /* in the arena */
    size_t proposal_count;
    bool has_path;
    xmtp_update_path path;
} xmtp_commit;

xmtp_status xmtp_commit_decode(xmtp_reader *r, xmtp_arena *arena, xmtp_commit *out) XMTP_MUST_CHECK;
void xmtp_commit_encode(xmtp_writer *w, const xmtp_commit *commit);

#endif
