/* limits.h - how large foreign MLS objects may be. Past a limit: XMTP_E_LIMIT, never our heap. */
#ifndef XMTP_MLS_LIMITS_H
#define XMTP_MLS_LIMITS_H

enum {
    /* Leaves of a tree, blank ones included: a power of two, so the array has 2^18 - 1 nodes. The
     * network allows 250 inboxes of 10 installations; this leaves room for fifty times more. */
    XMTP_MLS_TREE_DEPTH_MAX = 17,
    XMTP_MLS_LEAVES_MAX = 1 << XMTP_MLS_TREE_DEPTH_MAX,
    XMTP_MLS_MEMBERS_MAX = 100000,

    /* Nodes of a direct path, and so of an UpdatePath: the parents above one leaf. */
    XMTP_MLS_PATH_MAX = XMTP_MLS_TREE_DEPTH_MAX,

    /* Extensions in one list (each list is searched linearly) and values in one list of
     * Capabilities. */
    XMTP_MLS_EXTENSIONS_MAX = 256,
    XMTP_MLS_CAPABILITIES_MAX = 1024,

    /* Proposals of one commit: a group may be filled by one commit. */
    XMTP_MLS_PROPOSALS_MAX = XMTP_MLS_MEMBERS_MAX,

    /* PSKs named in one GroupSecrets; psk_secret costs two Extracts each (section 8.4). */
    XMTP_MLS_PSKS_MAX = 256,

    /* Proposals sent alone that a group keeps during one epoch, and their bytes together. */
    XMTP_MLS_KEPT_PROPOSALS_MAX = 4096,
    XMTP_MLS_KEPT_BYTES_MAX = 16 << 20,

    /* Resumption secrets of past epochs that a configuration may ask for. */
    XMTP_MLS_RESUMPTION_MAX = 1000,

    /* One serialised LeafNode. Leaves are kept whole in memory and in the store. */
    XMTP_MLS_LEAF_NODE_LEN_MAX = 1 << 16,
};

#endif
