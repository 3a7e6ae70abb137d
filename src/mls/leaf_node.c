/* leaf_node.c - LeafNode of RFC 9420 section 7.2 and its rules (section 7.3).
 *
 *     LeafNode    = encryption_key, signature_key, credential, capabilities, source,
 *                   lifetime | (nothing) | parent_hash, extensions, signature
 *     LeafNodeTBS = all but the signature, then for update and commit: group_id<V>, leaf_index
 */
#include "mls/leaf_node.h"
#include "base/bytes.h"
#include "base/status.h"
#include "mls/label.h"
#include "mls/x509_credential.h"

#include <inttypes.h>

/* ---- decode and encode ---- */

static xmtp_status source_decode(xmtp_reader *r, xmtp_leaf_node *leaf)
{
    XMTP_TRY(xmtp_reader_u8(r, &leaf->source));
    switch (leaf->source) {
    case XMTP_LEAF_NODE_KEY_PACKAGE:
        XMTP_TRY(xmtp_reader_u64(r, &leaf->not_before));
        return xmtp_reader_u64(r, &leaf->not_after);
    case XMTP_LEAF_NODE_UPDATE:
        return XMTP_OK;
    case XMTP_LEAF_NODE_COMMIT:
        return xmtp_reader_vec(r, &leaf->parent_hash);
    }
    return XMTP_E_LEAF_NODE;
}

static void source_encode(xmtp_writer *w, const xmtp_leaf_node *leaf)
{
    xmtp_writer_u8(w, leaf->source);
    if (leaf->source == XMTP_LEAF_NODE_KEY_PACKAGE) {
        xmtp_writer_u64(w, leaf->not_before);
        xmtp_writer_u64(w, leaf->not_after);
    } else if (leaf->source == XMTP_LEAF_NODE_COMMIT) {
        xmtp_writer_vec(w, leaf->parent_hash);
    }
}

xmtp_status xmtp_leaf_node_decode(xmtp_reader *r, xmtp_leaf_node *out)
{
    const xmtp_reader start = *r;
    *out = (xmtp_leaf_node){0};
    XMTP_TRY(xmtp_reader_vec(r, &out->encryption_key));
    XMTP_TRY(xmtp_reader_vec(r, &out->signature_key));
    XMTP_TRY(xmtp_credential_decode(r, &out->credential));
    XMTP_TRY(xmtp_capabilities_decode(r, &out->capabilities));
    XMTP_TRY(source_decode(r, out));
    XMTP_TRY(xmtp_extensions_decode(r, &out->extensions));
    out->tbs = xmtp_reader_since(r, &start);
    XMTP_TRY(xmtp_reader_vec(r, &out->signature));
    out->raw = xmtp_reader_since(r, &start);
    XMTP_ENSURE(out->raw.n <= XMTP_MLS_LEAF_NODE_LEN_MAX, XMTP_E_LIMIT);
    return XMTP_OK;
}

xmtp_status xmtp_leaf_node_of(xmtp_bytes raw, xmtp_leaf_node *out)
{
    xmtp_reader r = xmtp_reader_of(raw);
    XMTP_TRY(xmtp_leaf_node_decode(&r, out));
    return xmtp_reader_end(&r);
}

static void tbs_encode(xmtp_writer *w, const xmtp_leaf_node *leaf)
{
    xmtp_writer_vec(w, leaf->encryption_key);
    xmtp_writer_vec(w, leaf->signature_key);
    xmtp_credential_encode(w, &leaf->credential);
    xmtp_capabilities_encode(w, &leaf->capabilities);
    source_encode(w, leaf);
    xmtp_extensions_encode(w, &leaf->extensions);
}

void xmtp_leaf_node_encode(xmtp_writer *w, const xmtp_leaf_node *leaf)
{
    tbs_encode(w, leaf);
    xmtp_writer_vec(w, leaf->signature);
}

/* ---- signature ---- */

/* Where the leaf is belongs to what is signed, unless the leaf was made for no group yet. */
static void place_encode(xmtp_writer *w, uint8_t source, xmtp_bytes group_id, uint32_t leaf_index)
{
    if (source != XMTP_LEAF_NODE_KEY_PACKAGE) {
        xmtp_writer_vec(w, group_id);
        xmtp_writer_u32(w, leaf_index);
    }
}

xmtp_status xmtp_leaf_node_sign(const xmtp_suite *suite, const uint8_t *signature_sk,
                                const xmtp_leaf_node *leaf, xmtp_bytes group_id,
                                uint32_t leaf_index, xmtp_writer *scratch, xmtp_writer *w)
{
    XMTP_ENSURE(leaf->signature_key.n == suite->signature->pk_len, XMTP_E_KEY);
    uint8_t signature[XMTP_SIGNATURE_MAX];
    size_t signature_len = 0;
    const size_t start = w->n;
    tbs_encode(w, leaf);
    const size_t tbs_len = w->n - start;
    place_encode(w, leaf->source, group_id, leaf_index);
    XMTP_TRY(xmtp_writer_status(w));
    XMTP_TRY(xmtp_sign_with_label(suite, signature_sk, leaf->signature_key.p, "LeafNodeTBS",
                                  xmtp_bytes_of(w->p + start, w->n - start), scratch, signature,
                                  &signature_len));
    w->n = start + tbs_len; /* the place is signed but not sent */
    xmtp_writer_vec(w, xmtp_bytes_of(signature, signature_len));
    return xmtp_writer_status(w);
}

/* Without a second copy: the length of the vector is known. */
void xmtp_leaf_node_sign_content(xmtp_writer *w, const xmtp_leaf_node *leaf, xmtp_bytes group_id,
                                 uint32_t leaf_index)
{
    xmtp_writer_vec(w, xmtp_bytes_of_string("MLS 1.0 LeafNodeTBS"));
    size_t mark = xmtp_writer_vec_open(w);
    xmtp_writer_put(w, leaf->tbs);
    place_encode(w, leaf->source, group_id, leaf_index);
    xmtp_writer_vec_close(w, mark);
}

xmtp_status xmtp_leaf_node_verify(const xmtp_suite *suite, const xmtp_leaf_node *leaf,
                                  xmtp_bytes group_id, uint32_t leaf_index, xmtp_writer *scratch)
{
    xmtp_writer_clear(scratch);
    xmtp_leaf_node_sign_content(scratch, leaf, group_id, leaf_index);
    XMTP_TRY(xmtp_writer_status(scratch));
    xmtp_status status =
        suite->signature->verify(leaf->signature_key, xmtp_writer_bytes(scratch), leaf->signature);
    return xmtp_leaf_node_verdict(status);
}

/* ---- rules ---- */

static xmtp_status check_lifetime(const xmtp_leaf_node *leaf, uint64_t now_s, xmtp_error *error)
{
    if (leaf->not_before <= now_s && now_s <= leaf->not_after) {
        return XMTP_OK;
    }
    return xmtp_fail(error, XMTP_E_LIFETIME,
                     "leaf is valid from %" PRIu64 " to %" PRIu64 ", now is %" PRIu64,
                     leaf->not_before, leaf->not_after, now_s);
}

/* Extensions that belong into a GroupContext, GroupInfo or KeyPackage (section 17.3). */
static bool is_foreign_to_leaves(uint16_t type)
{
    return type == XMTP_EXTENSION_LAST_RESORT ||
           (xmtp_extension_is_default(type) && type != XMTP_EXTENSION_APPLICATION_ID);
}

static xmtp_status check_own_extensions(const xmtp_leaf_node *leaf, xmtp_error *error)
{
    xmtp_reader r = xmtp_reader_of(leaf->extensions.raw);
    xmtp_extension extension;
    while (xmtp_extensions_next(&r, &extension)) {
        if (is_foreign_to_leaves(extension.type)) {
            return xmtp_fail(error, XMTP_E_EXTENSION_PLACE,
                             "extension 0x%04x is not one for leaves", extension.type);
        }
        if (!xmtp_capabilities_has_extension(&leaf->capabilities, extension.type)) {
            return xmtp_fail(error, XMTP_E_EXTENSION_UNLISTED,
                             "leaf has extension 0x%04x, which its capabilities do not list",
                             extension.type);
        }
    }
    return XMTP_OK;
}

/* Section 7.2: a member supports version and suite of the group and every extension in its
 * GroupContext; section 11.1: and whatever required_capabilities lists. */
static xmtp_status check_group(const xmtp_leaf_node *leaf, const xmtp_leaf_node_rules *rules,
                               xmtp_error *error)
{
    const xmtp_suite *suite = rules->suite;
    const xmtp_extensions *group = rules->group_extensions;
    xmtp_required_capabilities required;
    if (!xmtp_u16_list_has(leaf->capabilities.versions, XMTP_PROTOCOL_MLS10) ||
        (!rules->suite_unlisted_ok &&
         !xmtp_u16_list_has(leaf->capabilities.cipher_suites, suite->id))) {
        return xmtp_fail(error, XMTP_E_VERSION_UNSUPPORTED,
                         "leaf does not support MLS 1.0 with suite 0x%04x", suite->id);
    }
    xmtp_reader r = xmtp_reader_of(group->raw);
    xmtp_extension extension;
    while (xmtp_extensions_next(&r, &extension)) {
        if (!xmtp_capabilities_has_extension(&leaf->capabilities, extension.type)) {
            return xmtp_fail(error, XMTP_E_EXTENSION_UNSUPPORTED,
                             "leaf does not support extension 0x%04x of the group", extension.type);
        }
    }
    XMTP_TRY(xmtp_required_capabilities_of(group, &required));
    if (xmtp_capabilities_meet(&leaf->capabilities, &required) != XMTP_OK) {
        return xmtp_fail(error, XMTP_E_CAPABILITIES, "leaf lacks a capability the group requires");
    }
    return XMTP_OK;
}

xmtp_status xmtp_leaf_node_validate(const xmtp_leaf_node *leaf, const xmtp_leaf_node_rules *rules,
                                    xmtp_error *error)
{
    if (rules->source != 0 && leaf->source != rules->source) {
        return xmtp_fail(error, XMTP_E_LEAF_SOURCE, "leaf source is %u, must be %u here",
                         leaf->source, rules->source);
    }
    if (leaf->encryption_key.n != rules->suite->kem->pk_len ||
        leaf->signature_key.n != rules->suite->signature->pk_len) {
        return xmtp_fail(error, XMTP_E_KEY, "leaf keys have %zu and %zu bytes",
                         leaf->encryption_key.n, leaf->signature_key.n);
    }
    if (rules->check_lifetime && leaf->source == XMTP_LEAF_NODE_KEY_PACKAGE) {
        XMTP_TRY(check_lifetime(leaf, rules->now_s, error));
    }
    if (!xmtp_capabilities_has_credential(&leaf->capabilities, leaf->credential.type)) {
        return xmtp_fail(error, XMTP_E_CREDENTIAL_UNLISTED,
                         "leaf has a credential of type %u, which its capabilities do not list",
                         leaf->credential.type);
    }
    XMTP_TRY(xmtp_credential_check(rules->suite, &leaf->credential, leaf->signature_key, error));
    XMTP_TRY(check_own_extensions(leaf, error));
    return rules->group_extensions == NULL ? XMTP_OK : check_group(leaf, rules, error);
}
