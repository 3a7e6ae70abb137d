/* mls_tree.c - fuzzes the ratchet_tree extension: decoding, validation, and changes on what
 * decodes.
 */
#include "base/bytes.h"
#include "mls/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const xmtp_bytes in = xmtp_bytes_of(data, n);
    xmtp_tree tree;
    xmtp_tree overlay;
    xmtp_error error;
    uint8_t hash[XMTP_HASH_MAX];
    xmtp_tree_init(&tree, &xmtp_suite_x25519_chacha, &xmtp_env_system()->alloc);
    if (xmtp_tree_decode(&tree, in) == XMTP_OK) {
        (void)!xmtp_tree_check_parent_hashes(&tree, &error);
        (void)!xmtp_tree_validate(&tree, in, NULL, &error);
        xmtp_tree_overlay(&overlay, &tree);
        (void)!xmtp_tree_remove_leaf(&overlay, data[n - 1]);
        (void)!xmtp_tree_hash(&overlay, hash);
        xmtp_tree_free(&overlay);
    }
    xmtp_tree_free(&tree);
    return 0;
}
