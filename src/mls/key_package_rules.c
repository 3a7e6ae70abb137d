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
            return xmtp_fail(error, XMTP_E_EXTENSION,
                             "extension 0x%04x of the key package is not in its capabilities",
                             (unsigned)extension.type);
        }
    }
    return XMTP_OK;
}

static xmtp_bytes init_key_of(const xmtp_commit *commit, size_t i)
{
    return commit->proposals[i].proposal.u.add.init_key;
}

/* Whether an Add before the i-th proposal has its init_key; i is entered for those behind it. */
static bool was_seen(const xmtp_commit *commit, size_t i, xmtp_key_index *seen)
{
    const uint32_t tag = xmtp_key_tag(init_key_of(commit, i));
    uint32_t cursor = 0;
    uint32_t other;
    while (xmtp_key_index_next(seen, tag, &cursor, &other)) {
        if (xmtp_bytes_equal(init_key_of(commit, other), init_key_of(commit, i))) {
            return true;
        }
    }
    xmtp_key_index_insert(seen, tag, (uint32_t)i);
    return false;
}

xmtp_status xmtp_commit_check_init_keys(const xmtp_commit *commit, size_t add_count,
                                        const xmtp_tree *next, xmtp_error *error)
{
    xmtp_key_index seen = {0};
    uint32_t node;
    if (add_count == 0) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_key_index_reserve(&seen, next->alloc, (uint32_t)add_count));
    bool is_unique = true;
    for (size_t i = 0; i < commit->proposal_count && is_unique; i++) {
        if (commit->proposals[i].proposal.type == XMTP_PROPOSAL_ADD) {
            is_unique = !was_seen(commit, i, &seen) &&
                        !xmtp_tree_find_encryption_key(next, init_key_of(commit, i), &node);
        }
    }
    xmtp_key_index_free(&seen, next->alloc);
    if (!is_unique) {
        return xmtp_fail(error, XMTP_E_DUPLICATE_KEY, "init key of an added key package is in use");
    }
    return XMTP_OK;
}
