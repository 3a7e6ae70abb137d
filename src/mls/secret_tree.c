/* secret_tree.c - sparse secret tree and its ratchets, RFC 9420 section 9.
 *
 * Of the tree only those secrets exist that nobody has used: at the start the root; once leaf 2 was
 * heard, the siblings on the way down to it, and the two ratchets of the leaf.
 *
 *             .                 . deleted: whoever holds it could derive keys that were used
 *        [1]       .            [n] kept
 *      .    .   2=R  [6]        R ratchets: handshake and application
 *
 * So the tree costs O(log N) per sender heard and nothing for the others, and the deletion schedule
 * of section 9.2 is a property of the data: a used secret is simply not there any more.
 *
 * Invariants: nodes are sorted, no node is above another, and none is above a leaf with ratchets.
 * Reading keys allocates only for skipped generations and makes at most forward + 1 derivations.
 */
#include "mls/secret_tree.h"

#include "base/bytes.h"
#include "base/status.h"
#include "mls/label.h"
#include "mls/tree_math.h"

/* ---- small helpers ---- */

static void *take(const xmtp_alloc *alloc, size_t count, size_t size)
{
    return alloc->reallocate(alloc->context, NULL, count * size);
}

static void give(const xmtp_alloc *alloc, void *p, size_t count, size_t size)
{
    if (p != NULL) {
        xmtp_wipe(p, count * size);
        alloc->reallocate(alloc->context, p, 0);
    }
}

/* Room for count more elements. Moves by copy and wipes the old place: realloc would leave secrets
 * behind. */
static xmtp_status reserve(const xmtp_alloc *alloc, void **items, uint32_t used, uint32_t *capacity,
                           uint32_t count, size_t size)
{
    if (*capacity - used >= count) {
        return XMTP_OK;
    }
    uint32_t wanted = used + count + used / 2;
    void *p = take(alloc, wanted, size);
    XMTP_ENSURE(p != NULL, XMTP_E_NOMEM);
    xmtp_copy(p, *items, used * size);
    give(alloc, *items, used, size);
    *items = p;
    *capacity = wanted;
    return XMTP_OK;
}

static void ratchet_wipe(const xmtp_alloc *alloc, xmtp_ratchet *ratchet)
{
    give(alloc, ratchet->skipped, ratchet->skipped_count, sizeof *ratchet->skipped);
    xmtp_wipe(ratchet, sizeof *ratchet);
}

/* Position of the first node at or after index. */
static uint32_t node_position(const xmtp_secret_tree *tree, uint32_t node)
{
    uint32_t low = 0;
    uint32_t high = tree->node_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (tree->nodes[middle].node < node) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static uint32_t ratchet_position(const xmtp_secret_tree *tree, uint32_t leaf_index, uint32_t kind)
{
    uint64_t wanted = (uint64_t)leaf_index * 2 + kind;
    uint32_t low = 0;
    uint32_t high = tree->ratchet_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const xmtp_ratchet *r = &tree->ratchets[middle];
        if ((uint64_t)r->leaf_index * 2 + r->kind < wanted) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* ---- making and freeing ---- */

xmtp_status xmtp_secret_tree_init(xmtp_secret_tree *tree, const xmtp_suite *suite,
                                  const xmtp_alloc *alloc, uint32_t leaf_count,
                                  xmtp_secret *encryption_secret)
{
    *tree = (xmtp_secret_tree){.suite = suite, .alloc = alloc, .leaf_count = leaf_count};
    XMTP_TRY(reserve(alloc, (void **)&tree->nodes, 0, &tree->node_capacity,
                     XMTP_MLS_TREE_DEPTH_MAX + 1, sizeof *tree->nodes));
    tree->nodes[0] =
        (xmtp_secret_node){.node = xmtp_tree_root(leaf_count), .secret = *encryption_secret};
    tree->node_count = 1;
    xmtp_secret_wipe(encryption_secret);
    return XMTP_OK;
}

void xmtp_secret_tree_free(xmtp_secret_tree *tree)
{
    for (uint32_t i = 0; i < tree->ratchet_count; i++) {
        ratchet_wipe(tree->alloc, &tree->ratchets[i]);
    }
    if (tree->alloc != NULL) {
        give(tree->alloc, tree->ratchets, tree->ratchet_count, sizeof *tree->ratchets);
        give(tree->alloc, tree->nodes, tree->node_count, sizeof *tree->nodes);
    }
    *tree = (xmtp_secret_tree){0};
}

void xmtp_secret_tree_change_free(xmtp_secret_tree_change *change)
{
    for (uint32_t i = 0; i < change->ratchet_count; i++) {
        ratchet_wipe(change->alloc, &change->ratchets[i]);
    }
    xmtp_wipe(change, sizeof *change);
}

const xmtp_ratchet *xmtp_secret_tree_ratchet(const xmtp_secret_tree *tree, uint32_t leaf_index,
                                             xmtp_ratchet_kind kind)
{
    uint32_t at = ratchet_position(tree, leaf_index, kind);
    if (at < tree->ratchet_count && tree->ratchets[at].leaf_index == leaf_index &&
        tree->ratchets[at].kind == kind) {
        return &tree->ratchets[at];
    }
    return NULL;
}

/* ---- from the tree to a leaf's ratchets ---- */

/* The only node of the tree above (or at) a leaf; NULL when its ratchets exist already. */
static const xmtp_secret_node *node_above(const xmtp_secret_tree *tree, uint32_t leaf_index)
{
    uint32_t node = xmtp_leaf_to_node(leaf_index);
    uint32_t root = xmtp_tree_root(tree->leaf_count);
    for (;;) {
        uint32_t at = node_position(tree, node);
        if (at < tree->node_count && tree->nodes[at].node == node) {
            return &tree->nodes[at];
        }
        if (node == root) {
            return NULL;
        }
        node = xmtp_node_parent(node);
    }
}

static xmtp_status expand(const xmtp_suite *suite, const xmtp_hmac *keyed, const char *label,
                          const char *context, xmtp_secret *out)
{
    out->n = suite->hash->len;
    return xmtp_expand_keyed(keyed, label, xmtp_bytes_of_string(context), out->p, out->n);
}

/* Both children of a secret (section 9): a is left or handshake, b is right or application. */
static xmtp_status expand_two(const xmtp_suite *suite, const xmtp_secret *secret,
                              const char *const labels[2], const char *const contexts[2],
                              xmtp_secret *a, xmtp_secret *b)
{
    xmtp_hmac keyed;
    xmtp_hmac_init(&keyed, suite->hash, xmtp_secret_bytes(secret));
    xmtp_status status = expand(suite, &keyed, labels[0], contexts[0], a);
    if (status == XMTP_OK) {
        status = expand(suite, &keyed, labels[1], contexts[1], b);
    }
    xmtp_wipe(&keyed, sizeof keyed);
    return status;
}

static xmtp_status leaf_ratchets(const xmtp_suite *suite, uint32_t leaf_index,
                                 const xmtp_secret *leaf_secret, xmtp_secret_tree_change *change)
{
    for (uint8_t kind = 0; kind < 2; kind++) {
        change->ratchets[kind] = (xmtp_ratchet){.leaf_index = leaf_index, .kind = kind};
    }
    change->ratchet_count = 2;
    return expand_two(suite, leaf_secret, (const char *const[2]){"handshake", "application"},
                      (const char *const[2]){"", ""}, &change->ratchets[0].secret,
                      &change->ratchets[1].secret);
}

/* Walks down from the node above the leaf to the leaf's secret; the siblings passed go into the
 * change. */
static xmtp_status descend(const xmtp_secret_tree *tree, const xmtp_secret_node *from,
                           uint32_t leaf_index, xmtp_secret_tree_change *change,
                           xmtp_secret_node *at)
{
    uint32_t leaf = xmtp_leaf_to_node(leaf_index);
    xmtp_status status = XMTP_OK;

    *at = *from;
    change->has_split = true;
    change->split_node = from->node;
    while (at->node != leaf && status == XMTP_OK) {
        xmtp_secret_node left = {.node = xmtp_node_left(at->node)};
        xmtp_secret_node right = {.node = xmtp_node_right(at->node)};
        status = expand_two(tree->suite, &at->secret, (const char *const[2]){"tree", "tree"},
                            (const char *const[2]){"left", "right"}, &left.secret, &right.secret);
        bool goes_left = xmtp_node_contains(left.node, leaf);
        *at = goes_left ? left : right;
        change->nodes[change->node_count++] = goes_left ? right : left;
        xmtp_wipe(&left, sizeof left);
        xmtp_wipe(&right, sizeof right);
    }
    return status;
}

static xmtp_status split(const xmtp_secret_tree *tree, const xmtp_secret_node *from,
                         uint32_t leaf_index, xmtp_secret_tree_change *change)
{
    xmtp_secret_node at;
    xmtp_status status = descend(tree, from, leaf_index, change, &at);
    if (status == XMTP_OK) {
        status = leaf_ratchets(tree->suite, leaf_index, &at.secret, change);
    }
    xmtp_wipe(&at, sizeof at);
    return status;
}

/* ---- the ratchet ---- */

/* Key and nonce of the current generation (where wanted), and one step on. */
static xmtp_status step(const xmtp_suite *suite, xmtp_ratchet *ratchet, xmtp_message_key *key)
{
    uint32_t g = ratchet->generation;
    const uint8_t generation[4] = {(uint8_t)(g >> 24), (uint8_t)(g >> 16), (uint8_t)(g >> 8),
                                   (uint8_t)g};
    xmtp_bytes context = xmtp_bytes_of(generation, sizeof generation);
    xmtp_status status = XMTP_OK;
    xmtp_hmac keyed;
    xmtp_hmac_init(&keyed, suite->hash, xmtp_secret_bytes(&ratchet->secret));
    if (key != NULL) {
        key->generation = g;
        status = xmtp_expand_keyed(&keyed, "key", context, key->key, suite->aead->key_len);
        if (status == XMTP_OK) {
            status =
                xmtp_expand_keyed(&keyed, "nonce", context, key->nonce, suite->aead->nonce_len);
        }
    }
    if (status == XMTP_OK) {
        status = xmtp_expand_keyed(&keyed, "secret", context, ratchet->secret.p, ratchet->secret.n);
        ratchet->generation = g + 1;
    }
    xmtp_wipe(&keyed, sizeof keyed);
    return status;
}

/* Replaces the skipped list by one with room for count keys, keeping those from generation oldest
 * on, without the one of generation used. */
static xmtp_status rebuild_skipped(const xmtp_alloc *alloc, xmtp_ratchet *ratchet, uint32_t oldest,
                                   uint32_t used, uint32_t room)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < ratchet->skipped_count; i++) {
        uint32_t g = ratchet->skipped[i].generation;
        kept += g >= oldest && g != used;
    }
    xmtp_message_key *skipped = NULL;
    if (kept + room > 0) {
        skipped = take(alloc, kept + room, sizeof *skipped);
        XMTP_ENSURE(skipped != NULL, XMTP_E_NOMEM);
    }
    kept = 0;
    for (uint32_t i = 0; i < ratchet->skipped_count; i++) {
        uint32_t g = ratchet->skipped[i].generation;
        if (g >= oldest && g != used) {
            skipped[kept++] = ratchet->skipped[i];
        }
    }
    give(alloc, ratchet->skipped, ratchet->skipped_count, sizeof *ratchet->skipped);
    ratchet->skipped = skipped;
    ratchet->skipped_count = kept;
    return XMTP_OK;
}

/* A generation that was passed over. */
static xmtp_status take_skipped(const xmtp_alloc *alloc, xmtp_ratchet *ratchet, uint32_t generation,
                                const xmtp_ratchet_limits *limits, xmtp_message_key *out)
{
    XMTP_ENSURE(ratchet->generation - generation <= limits->tolerance, XMTP_E_KEY_CONSUMED);
    for (uint32_t i = 0; i < ratchet->skipped_count; i++) {
        if (ratchet->skipped[i].generation == generation) {
            *out = ratchet->skipped[i];
            return rebuild_skipped(alloc, ratchet, 0, generation, 0);
        }
    }
    return XMTP_E_KEY_CONSUMED;
}

/* The current generation or a later one: passes over those between, keeping the newest ones. */
static xmtp_status advance(const xmtp_suite *suite, const xmtp_alloc *alloc, xmtp_ratchet *ratchet,
                           uint32_t generation, const xmtp_ratchet_limits *limits,
                           xmtp_message_key *out)
{
    XMTP_ENSURE(generation != UINT32_MAX, XMTP_E_GENERATION);
    XMTP_ENSURE(generation - ratchet->generation <= limits->forward, XMTP_E_GENERATION);

    uint32_t next = generation + 1;
    uint32_t oldest = next > limits->tolerance ? next - limits->tolerance : 0;
    uint32_t first = oldest > ratchet->generation ? oldest : ratchet->generation;
    uint32_t room = first < generation ? generation - first : 0;
    if (ratchet->skipped_count > 0 || room > 0) {
        XMTP_TRY(rebuild_skipped(alloc, ratchet, oldest, generation, room));
    }
    while (ratchet->generation < generation) {
        bool is_kept = ratchet->generation >= oldest;
        xmtp_message_key *key = is_kept ? &ratchet->skipped[ratchet->skipped_count] : NULL;
        XMTP_TRY(step(suite, ratchet, key));
        ratchet->skipped_count += is_kept;
    }
    return step(suite, ratchet, out);
}

/* ---- using keys ---- */

static xmtp_status ratchet_copy(const xmtp_alloc *alloc, const xmtp_ratchet *from, xmtp_ratchet *to)
{
    *to = *from;
    to->skipped = NULL;
    if (from->skipped_count > 0) {
        to->skipped = take(alloc, from->skipped_count, sizeof *to->skipped);
        if (to->skipped == NULL) {
            xmtp_wipe(to, sizeof *to);
            return XMTP_E_NOMEM;
        }
        memcpy(to->skipped, from->skipped, from->skipped_count * sizeof *to->skipped);
    }
    return XMTP_OK;
}

/* Puts into the change what must exist before a key of the leaf can be taken; *ratchet is the one
 * of this kind, inside the change. */
static xmtp_status begin(const xmtp_secret_tree *tree, uint32_t leaf_index, xmtp_ratchet_kind kind,
                         xmtp_secret_tree_change *change, xmtp_ratchet **ratchet)
{
    XMTP_ENSURE(leaf_index < tree->leaf_count, XMTP_E_SENDER);
    const xmtp_ratchet *existing = xmtp_secret_tree_ratchet(tree, leaf_index, kind);
    if (existing != NULL) {
        XMTP_TRY(ratchet_copy(tree->alloc, existing, &change->ratchets[0]));
        change->ratchet_count = 1;
        *ratchet = &change->ratchets[0];
        return XMTP_OK;
    }
    const xmtp_secret_node *above = node_above(tree, leaf_index);
    XMTP_ENSURE(above != NULL, XMTP_E_KEY_CONSUMED);
    XMTP_TRY(split(tree, above, leaf_index, change));
    *ratchet = &change->ratchets[kind];
    return XMTP_OK;
}

static xmtp_status take_key(const xmtp_secret_tree *tree, xmtp_ratchet *ratchet,
                            uint32_t generation, const xmtp_ratchet_limits *limits,
                            xmtp_message_key *out)
{
    if (generation < ratchet->generation) {
        return take_skipped(tree->alloc, ratchet, generation, limits, out);
    }
    return advance(tree->suite, tree->alloc, ratchet, generation, limits, out);
}

xmtp_status xmtp_secret_tree_key(const xmtp_secret_tree *tree, uint32_t leaf_index,
                                 xmtp_ratchet_kind kind, uint32_t generation,
                                 const xmtp_ratchet_limits *limits, xmtp_message_key *out,
                                 xmtp_secret_tree_change *change)
{
    xmtp_ratchet *ratchet = NULL;
    *change = (xmtp_secret_tree_change){.alloc = tree->alloc};
    xmtp_status status = begin(tree, leaf_index, kind, change, &ratchet);
    if (status == XMTP_OK) {
        status = take_key(tree, ratchet, generation, limits, out);
    }
    if (status != XMTP_OK) {
        xmtp_secret_tree_change_free(change);
        xmtp_wipe(out, sizeof *out);
    }
    return status;
}

xmtp_status xmtp_secret_tree_next_key(const xmtp_secret_tree *tree, uint32_t leaf_index,
                                      xmtp_ratchet_kind kind, xmtp_message_key *out,
                                      xmtp_secret_tree_change *change)
{
    static const xmtp_ratchet_limits none = {0};
    const xmtp_ratchet *ratchet = xmtp_secret_tree_ratchet(tree, leaf_index, kind);
    uint32_t generation = ratchet == NULL ? 0 : ratchet->generation;
    return xmtp_secret_tree_key(tree, leaf_index, kind, generation, &none, out, change);
}

xmtp_status xmtp_secret_tree_touch(const xmtp_secret_tree *tree, uint32_t leaf_index,
                                   xmtp_secret_tree_change *change)
{
    *change = (xmtp_secret_tree_change){.alloc = tree->alloc};
    XMTP_ENSURE(leaf_index < tree->leaf_count, XMTP_E_SENDER);
    const xmtp_secret_node *above = node_above(tree, leaf_index);
    XMTP_ENSURE(above != NULL, XMTP_E_STATE);
    xmtp_status status = split(tree, above, leaf_index, change);
    if (status != XMTP_OK) {
        xmtp_secret_tree_change_free(change);
    }
    return status;
}

/* ---- applying ---- */

static void insert_node(xmtp_secret_tree *tree, const xmtp_secret_node *node)
{
    uint32_t at = node_position(tree, node->node);
    memmove(&tree->nodes[at + 1], &tree->nodes[at], (tree->node_count - at) * sizeof *tree->nodes);
    tree->nodes[at] = *node;
    tree->node_count++;
}

static void remove_node(xmtp_secret_tree *tree, uint32_t node)
{
    uint32_t at = node_position(tree, node);
    tree->node_count--;
    memmove(&tree->nodes[at], &tree->nodes[at + 1], (tree->node_count - at) * sizeof *tree->nodes);
    xmtp_wipe(&tree->nodes[tree->node_count], sizeof *tree->nodes);
}

static void put_ratchet(xmtp_secret_tree *tree, xmtp_ratchet *ratchet)
{
    uint32_t at = ratchet_position(tree, ratchet->leaf_index, ratchet->kind);
    xmtp_ratchet *place = &tree->ratchets[at];
    if (at < tree->ratchet_count && place->leaf_index == ratchet->leaf_index &&
        place->kind == ratchet->kind) {
        ratchet_wipe(tree->alloc, place);
    } else {
        memmove(place + 1, place, (tree->ratchet_count - at) * sizeof *place);
        tree->ratchet_count++;
    }
    *place = *ratchet;
    xmtp_wipe(ratchet, sizeof *ratchet);
}

xmtp_status xmtp_secret_tree_apply(xmtp_secret_tree *tree, xmtp_secret_tree_change *change)
{
    XMTP_TRY(reserve(tree->alloc, (void **)&tree->nodes, tree->node_count, &tree->node_capacity,
                     change->node_count, sizeof *tree->nodes));
    XMTP_TRY(reserve(tree->alloc, (void **)&tree->ratchets, tree->ratchet_count,
                     &tree->ratchet_capacity, change->ratchet_count, sizeof *tree->ratchets));
    if (change->has_split) {
        remove_node(tree, change->split_node);
    }
    for (uint32_t i = 0; i < change->node_count; i++) {
        insert_node(tree, &change->nodes[i]);
    }
    for (uint32_t i = 0; i < change->ratchet_count; i++) {
        put_ratchet(tree, &change->ratchets[i]);
    }
    xmtp_wipe(change, sizeof *change);
    return XMTP_OK;
}

xmtp_status xmtp_secret_tree_take_leaf(xmtp_secret_tree *tree, uint32_t leaf_index,
                                       xmtp_secret *out)
{
    xmtp_secret_tree_change change = {.alloc = tree->alloc};
    xmtp_secret_node at;
    XMTP_ENSURE(leaf_index < tree->leaf_count, XMTP_E_ARGUMENT);
    const xmtp_secret_node *above = node_above(tree, leaf_index);
    XMTP_ENSURE(above != NULL, XMTP_E_KEY_CONSUMED);
    xmtp_status status = descend(tree, above, leaf_index, &change, &at);
    if (status == XMTP_OK) {
        status = xmtp_secret_tree_apply(tree, &change);
    }
    if (status == XMTP_OK) {
        *out = at.secret;
    }
    xmtp_secret_tree_change_free(&change);
    xmtp_wipe(&at, sizeof at);
    return status;
}

void xmtp_secret_tree_drop(xmtp_secret_tree *tree, uint32_t leaf_index)
{
    uint32_t at = ratchet_position(tree, leaf_index, 0);
    while (at < tree->ratchet_count && tree->ratchets[at].leaf_index == leaf_index) {
        ratchet_wipe(tree->alloc, &tree->ratchets[at]);
        tree->ratchet_count--;
        memmove(&tree->ratchets[at], &tree->ratchets[at + 1],
                (tree->ratchet_count - at) * sizeof *tree->ratchets);
        xmtp_wipe(&tree->ratchets[tree->ratchet_count], sizeof *tree->ratchets);
    }
}
