/* outside.c - a group as those see it who are no members: its GroupInfo, its ratchet tree and what
 * its ReInit announced. RFC 9420 sections 12.4.3, 12.4.3.3 and 12.1.5. Reading only; what is read
 * here has not been verified, which is the business of join.c and external.c.
 */
#include "base/status.h"
#include "mls/group.h"
#include "mls/limits.h"
#include "mls/message.h"
#include "mls/tree_math.h"

enum { INSPECT_MEMORY_MAX = 64 << 20 };

/* ---- GroupInfo ---- */

static xmtp_status read_group_info(xmtp_bytes message, xmtp_arena *arena, xmtp_group_info *out,
                                   xmtp_error *error)
{
    xmtp_mls_message *decoded;
    XMTP_TRY(xmtp_arena_take(arena, sizeof *decoded, (void **)&decoded));
    XMTP_TRY(xmtp_mls_message_decode(message, arena, decoded));
    if (decoded->wire_format != XMTP_WIRE_GROUP_INFO) {
        return xmtp_fail(error, XMTP_E_WIRE_FORMAT, "wire format %u is not a group info",
                         (unsigned)decoded->wire_format);
    }
    *out = decoded->u.group_info;
    return XMTP_OK;
}

xmtp_status xmtp_mls_group_info_inspect(xmtp_bytes message, xmtp_mls_group_info_view *out,
                                        xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_group_info info;
    *out = (xmtp_mls_group_info_view){0};
    xmtp_arena_init(&arena, &xmtp_env_system()->alloc, INSPECT_MEMORY_MAX);
    xmtp_status status = read_group_info(message, &arena, &info, error);
    xmtp_arena_reset(&arena); /* the views are into message */
    if (status != XMTP_OK) {
        return xmtp_fail_default(error, status, "reading a group info");
    }
    *out = (xmtp_mls_group_info_view){.suite = info.group_context.cipher_suite,
                                      .group_id = info.group_context.group_id,
                                      .epoch = info.group_context.epoch,
                                      .extensions = info.group_context.extensions.raw,
                                      .signer_leaf = info.signer};
    (void)xmtp_extensions_find(&info.extensions, XMTP_EXTENSION_RATCHET_TREE, &out->ratchet_tree);
    return XMTP_OK;
}

/* ---- ratchet tree ---- */

typedef struct member_visit {
    void *context;
    xmtp_status (*visit)(void *context, const xmtp_mls_member *member);
} member_visit;

static xmtp_status visit_node(void *context, uint32_t index, xmtp_bytes leaf_raw)
{
    const member_visit *v = context;
    xmtp_leaf_node leaf;
    XMTP_TRY(xmtp_leaf_node_of(leaf_raw, &leaf));
    const xmtp_mls_member member = xmtp_member_of(index / 2, &leaf);
    return v->visit(v->context, &member);
}

xmtp_status xmtp_mls_ratchet_tree_each(xmtp_bytes ratchet_tree, void *context,
                                       xmtp_status (*visit)(void *context,
                                                            const xmtp_mls_member *member),
                                       xmtp_error *error)
{
    member_visit v = {.context = context, .visit = visit};
    xmtp_status status = xmtp_tree_leaves_each(ratchet_tree, &v, visit_node);
    return status == XMTP_OK ? XMTP_OK : xmtp_fail_default(error, status, "reading a ratchet tree");
}

static xmtp_status export_tree(const xmtp_alloc *alloc, const xmtp_tree *tree, uint8_t **out,
                               size_t *out_len, xmtp_error *error)
{
    xmtp_writer w;
    *out = NULL;
    *out_len = 0;
    xmtp_writer_init(&w, alloc, XMTP_WRITER_MAX);
    xmtp_tree_encode(tree, &w);
    xmtp_status status = xmtp_writer_status(&w);
    if (status == XMTP_OK) {
        status = xmtp_writer_detach(&w, out, out_len);
    }
    xmtp_writer_free(&w);
    return status == XMTP_OK ? XMTP_OK : xmtp_fail_default(error, status, "writing a ratchet tree");
}

xmtp_status xmtp_mls_group_ratchet_tree(const xmtp_mls_group *group, uint8_t **tree,
                                        size_t *tree_len, xmtp_error *error)
{
    return export_tree(group->alloc, &group->tree, tree, tree_len, error);
}

xmtp_status xmtp_mls_staged_ratchet_tree(const xmtp_mls_staged *staged, uint8_t **tree,
                                         size_t *tree_len, xmtp_error *error)
{
    const xmtp_tree *after = staged->commit == NULL ? &staged->group->tree : &staged->commit->next;
    return export_tree(staged->alloc, after, tree, tree_len, error);
}

/* ---- ReInit ---- */

bool xmtp_mls_group_reinit(const xmtp_mls_group *group, xmtp_mls_reinit *out)
{
    xmtp_proposal reinit;
    xmtp_reader r = xmtp_reader_of(xmtp_buffer_bytes(&group->reinit));
    *out = (xmtp_mls_reinit){0};
    if (group->reinit.n == 0 || xmtp_proposal_decode(&r, &reinit) != XMTP_OK) {
        return false;
    }
    *out = (xmtp_mls_reinit){.suite = reinit.u.reinit.cipher_suite,
                             .group_id = reinit.u.reinit.group_id,
                             .extensions = reinit.u.reinit.extensions.raw};
    return true;
}
