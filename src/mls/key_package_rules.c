/* key_package_rules.c - see key_package_rules.h.
 *
 * XMTP: both rules are checked as the official network's MLS library does; a commit that breaks
 * them is refused there, so it must be here.
 */
#include "mls/key_package_rules.h"

#include "base/bytes.h"
#include "base/status.h"

xmtp_status xmtp_key_package_check_extensions(const xmtp_key_package *key_package,
                                              xmtp_error *error)
{
    xmtp_reader r = xmtp_reader_of(key_package->extensions.raw);
    xmtp_extension extension;
    while (xmtp_extensions_next(&r, &extension)) {
        if (!xmtp_capabilities_has_extension(&key_package->leaf_node.capabilities,
                                             extension.type)) {
            return xmtp_fail(error, XMTP_E_EXTENSION_UNLISTED,
                             "extension 0x%04x of the key package is not in its capabilities",
                             (unsigned)extension.type);
        }
    }
    return XMTP_OK;
}

static xmtp_bytes init_key_of(const xmtp_proposal_or_ref *item)
{
    return item->proposal.u.add.init_key;
}

/* Whether an Add before the i-th proposal has its init_key; i is entered for those behind it. */
static bool was_seen(const xmtp_proposal_or_ref *proposals, size_t i, xmtp_key_index *seen)
{
    const xmtp_bytes key = init_key_of(&proposals[i]);
    uint32_t cursor = 0;
    uint32_t other;
    while (xmtp_key_index_next(seen, xmtp_key_tag(key), &cursor, &other)) {
        if (xmtp_bytes_equal(init_key_of(&proposals[other]), key)) {
            return true;
        }
    }
    xmtp_key_index_insert(seen, xmtp_key_tag(key), (uint32_t)i);
    return false;
}

xmtp_status xmtp_check_init_keys(const xmtp_proposal_or_ref *proposals, size_t count,
                                 const xmtp_tree *next, xmtp_error *error)
{
    xmtp_key_index seen = {0};
    uint32_t node;
    bool is_unique = true;
    if (count == 0) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_key_index_reserve(&seen, next->alloc, (uint32_t)count));
    for (size_t i = 0; i < count && is_unique; i++) {
        if (proposals[i].proposal.type == XMTP_PROPOSAL_ADD) {
            is_unique = !was_seen(proposals, i, &seen) &&
                        !xmtp_tree_find_encryption_key(next, init_key_of(&proposals[i]), &node);
        }
    }
    xmtp_key_index_free(&seen, next->alloc);
    if (!is_unique) {
        return xmtp_fail(error, XMTP_E_DUPLICATE_INIT_KEY,
                         "init key of an added key package is in use");
    }
    return XMTP_OK;
}
