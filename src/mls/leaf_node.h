/* leaf_node.h - LeafNode: decoding, encoding, signing and the rules of RFC 9420 sections 7.2, 7.3.
 *
 * A decoded leaf is a view into its encoding, which is kept: hashes and signatures are made over
 * the bytes that came, never over a re-encoding. Needs no memory of its own.
 */
#ifndef XMTP_MLS_LEAF_NODE_H
#define XMTP_MLS_LEAF_NODE_H

#include "crypto/crypto.h"
#include "mls/extension.h"
#include "mls/limits.h"

typedef enum xmtp_leaf_node_source {
    XMTP_LEAF_NODE_KEY_PACKAGE = 1,
    XMTP_LEAF_NODE_UPDATE = 2,
    XMTP_LEAF_NODE_COMMIT = 3,
} xmtp_leaf_node_source;

typedef struct xmtp_leaf_node {
    xmtp_bytes raw; /* the whole encoding */
    xmtp_bytes tbs; /* the encoding up to the signature: the start of LeafNodeTBS */
    xmtp_bytes encryption_key;
    xmtp_bytes signature_key;
    xmtp_credential credential;
    xmtp_capabilities capabilities;
    uint8_t source;         /* xmtp_leaf_node_source */
    uint64_t not_before;    /* seconds since 1970; KEY_PACKAGE only */
    uint64_t not_after;     /* the same */
    xmtp_bytes parent_hash; /* COMMIT only */
    xmtp_extensions extensions;
    xmtp_bytes signature;
} xmtp_leaf_node;

/* Reads one LeafNode. XMTP_E_LEAF_NODE for an unknown source, XMTP_E_LIMIT, reader's errors. */
xmtp_status xmtp_leaf_node_decode(xmtp_reader *r, xmtp_leaf_node *out) XMTP_MUST_CHECK;

/* The same over exactly one encoded LeafNode. */
xmtp_status xmtp_leaf_node_of(xmtp_bytes raw, xmtp_leaf_node *out) XMTP_MUST_CHECK;

/* Writes the fields of leaf (raw and tbs are not looked at). */
void xmtp_leaf_node_encode(xmtp_writer *w, const xmtp_leaf_node *leaf);

/* Signs the fields of leaf (all but raw, tbs, signature) and appends the signed LeafNode to w.
 * leaf->signature_key must belong to signature_sk.
 *
 * group_id, leaf_index  where the leaf is; part of what is signed for sources UPDATE and COMMIT,
 *                       ignored for KEY_PACKAGE
 * scratch               cleared and used; not w
 */
xmtp_status xmtp_leaf_node_sign(const xmtp_suite *suite, const uint8_t *signature_sk,
                                const xmtp_leaf_node *leaf, xmtp_bytes group_id,
                                uint32_t leaf_index, xmtp_writer *scratch,
                                xmtp_writer *w) XMTP_MUST_CHECK;

/* Verifies the signature of a decoded leaf (section 7.3 point 2), and nothing else.
 * XMTP_E_LEAF_SIGNATURE, XMTP_E_KEY. */
xmtp_status xmtp_leaf_node_verify(const xmtp_suite *suite, const xmtp_leaf_node *leaf,
                                  xmtp_bytes group_id, uint32_t leaf_index,
                                  xmtp_writer *scratch) XMTP_MUST_CHECK;

/* The parts of it, for many at once: appends what is signed, SignContent over LeafNodeTBS, and turns
 * the verdict on the signature into that on the leaf. */
void xmtp_leaf_node_sign_content(xmtp_writer *w, const xmtp_leaf_node *leaf, xmtp_bytes group_id,
                                 uint32_t leaf_index);
static inline xmtp_status xmtp_leaf_node_verdict(xmtp_status verdict)
{
    return verdict == XMTP_E_SIGNATURE ? XMTP_E_LEAF_SIGNATURE : verdict;
}

/* What a leaf is checked against. Zeroed fields are not checked. */
typedef struct xmtp_leaf_node_rules {
    const xmtp_suite *suite;                 /* lengths of keys; must be set */
    uint8_t source;                          /* required source, 0: any */
    const xmtp_extensions *group_extensions; /* NULL: no group */
    bool suite_unlisted_ok; /* the group's suite may be absent from capabilities: no rule of
                               RFC 9420 asks for it, and groups of peers have such leaves */
    bool check_lifetime;    /* only where a fetched key package is judged */
    uint64_t now_s;
} xmtp_leaf_node_rules;

/* The rules of section 7.3 that one leaf can break by itself; signature and uniqueness of keys
 * excepted.
 *
 * XMTP_E_LEAF_SOURCE   wrong source for the place where it came
 * XMTP_E_KEY           a public key has the wrong length
 * XMTP_E_LIFETIME      now is outside of the lifetime
 * XMTP_E_CREDENTIAL_UNLISTED  its own credential type is not in its capabilities
 * XMTP_E_CERTIFICATE, XMTP_E_CERTIFICATE_KEY   its X.509 credential does not hold
 * XMTP_E_EXTENSION_UNLISTED, XMTP_E_EXTENSION_PLACE   of its own extensions
 * XMTP_E_VERSION_UNSUPPORTED, XMTP_E_EXTENSION_UNSUPPORTED, XMTP_E_CAPABILITIES   of the group's
 */
xmtp_status xmtp_leaf_node_validate(const xmtp_leaf_node *leaf, const xmtp_leaf_node_rules *rules,
                                    xmtp_error *error) XMTP_MUST_CHECK;

#endif
