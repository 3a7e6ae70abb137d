/* kept.c - the proposals of an epoch that a commit may refer to. RFC 9420 sections 5.2 and 12.1.
 *
 *     kept[0] .. kept[n-1]   in the order in which they came, each with its own number
 *     record 'p' number      AuthenticatedContent<V>, update_sk<V>
 *
 * An array that is searched from one end: an epoch has few proposals and their number is bounded.
 * Of our own Update the private key of the new leaf is kept beside it and goes with it.
 */
#include "mls/kept.h"

#include "base/bytes.h"
#include "base/status.h"

const xmtp_kept_proposal *xmtp_kept_find(const xmtp_mls_group *group, xmtp_bytes ref)
{
    for (uint32_t i = 0; i < group->kept_count; i++) {
        if (xmtp_bytes_equal(xmtp_digest_bytes(&group->kept[i].ref), ref)) {
            return &group->kept[i];
        }
    }
    return NULL;
}

xmtp_status xmtp_kept_check(const xmtp_mls_group *group, size_t content_len, xmtp_error *error)
{
    size_t sum = content_len;
    for (uint32_t i = 0; i < group->kept_count; i++) {
        sum += group->kept[i].content.n;
    }
    if (group->kept_count >= XMTP_MLS_KEPT_PROPOSALS_MAX || sum > XMTP_MLS_KEPT_BYTES_MAX) {
        return xmtp_fail(error, XMTP_E_LIMIT, "this epoch has too many proposals already");
    }
    return XMTP_OK;
}

xmtp_digest xmtp_kept_ref(const xmtp_suite *suite, xmtp_bytes content)
{
    xmtp_digest ref = {.n = suite->hash->len};
    xmtp_proposal_ref(suite, content, ref.p);
    return ref;
}

/* ---- adding and dropping ---- */

static void free_one(const xmtp_alloc *alloc, xmtp_kept_proposal *kept)
{
    xmtp_buffer_free(alloc, &kept->content);
    xmtp_buffer_free(alloc, &kept->update_sk);
}

static xmtp_status grow(xmtp_mls_group *group)
{
    if (group->kept_count < group->kept_capacity) {
        return XMTP_OK;
    }
    uint32_t capacity = group->kept_capacity == 0 ? 8 : 2 * group->kept_capacity;
    xmtp_kept_proposal *kept =
        group->alloc->reallocate(group->alloc->context, group->kept, capacity * sizeof *kept);
    XMTP_ENSURE(kept != NULL, XMTP_E_NOMEM);
    group->kept = kept;
    group->kept_capacity = capacity;
    return XMTP_OK;
}

xmtp_status xmtp_kept_load(xmtp_mls_group *group, uint32_t number, xmtp_bytes content,
                           xmtp_bytes update_sk)
{
    XMTP_ENSURE(group->kept_count < XMTP_MLS_KEPT_PROPOSALS_MAX, XMTP_E_LIMIT);
    XMTP_TRY(grow(group));
    xmtp_kept_proposal kept = {.number = number, .ref = xmtp_kept_ref(group->suite, content)};
    xmtp_status status = xmtp_buffer_copy(group->alloc, content, &kept.content);
    if (status == XMTP_OK) {
        status = xmtp_buffer_copy(group->alloc, update_sk, &kept.update_sk);
    }
    if (status != XMTP_OK) {
        free_one(group->alloc, &kept);
        return status;
    }
    group->kept[group->kept_count++] = kept;
    return XMTP_OK;
}

static uint32_t next_number(const xmtp_mls_group *group)
{
    uint32_t number = 0;
    for (uint32_t i = 0; i < group->kept_count; i++) {
        number = group->kept[i].number >= number ? group->kept[i].number + 1 : number;
    }
    return number;
}

xmtp_status xmtp_kept_add(xmtp_mls_group *group, xmtp_bytes content, xmtp_bytes update_sk,
                          xmtp_mls_writes *writes)
{
    const xmtp_digest ref = xmtp_kept_ref(group->suite, content);
    if (xmtp_kept_find(group, xmtp_digest_bytes(&ref)) != NULL) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_kept_load(group, next_number(group), content, update_sk));
    xmtp_records_put_proposal(&group->kept[group->kept_count - 1], writes);
    return XMTP_OK;
}

void xmtp_kept_undo(xmtp_mls_group *group)
{
    free_one(group->alloc, &group->kept[--group->kept_count]);
}

void xmtp_kept_drop(xmtp_mls_group *group, xmtp_mls_writes *writes)
{
    for (uint32_t i = 0; i < group->kept_count; i++) {
        if (writes != NULL) {
            xmtp_writes_delete(writes, xmtp_record_key_proposal(group->kept[i].number));
        }
        free_one(group->alloc, &group->kept[i]);
    }
    group->alloc->reallocate(group->alloc->context, group->kept, 0);
    group->kept = NULL;
    group->kept_count = 0;
    group->kept_capacity = 0;
}

/* ---- reading ---- */

xmtp_status xmtp_kept_open(const xmtp_kept_proposal *kept, xmtp_arena *arena,
                           xmtp_authenticated_content **out)
{
    xmtp_bytes bytes;
    XMTP_TRY(xmtp_arena_copy(arena, xmtp_buffer_bytes(&kept->content), &bytes));
    XMTP_TRY(xmtp_arena_take(arena, sizeof **out, (void **)out));
    xmtp_reader r = xmtp_reader_of(bytes);
    XMTP_TRY(xmtp_authenticated_content_decode(&r, arena, *out));
    XMTP_ENSURE((*out)->content.content.type == XMTP_CONTENT_PROPOSAL, XMTP_E_CORRUPT);
    return xmtp_reader_end(&r);
}

xmtp_status xmtp_proposal_check_sender(const xmtp_sender *sender, const xmtp_proposal *proposal,
                                       xmtp_error *error)
{
    const uint16_t type = proposal->type;
    bool is_allowed = true;
    switch (sender->type) {
    case XMTP_SENDER_EXTERNAL:
        is_allowed = type != XMTP_PROPOSAL_UPDATE && type != XMTP_PROPOSAL_EXTERNAL_INIT &&
                     type != XMTP_PROPOSAL_SELF_REMOVE;
        break;
    case XMTP_SENDER_NEW_MEMBER_PROPOSAL:
        is_allowed = type == XMTP_PROPOSAL_ADD;
        break;
    case XMTP_SENDER_NEW_MEMBER_COMMIT:
        is_allowed = false;
        break;
    default:
        break;
    }
    if (!is_allowed) {
        return xmtp_fail(error, XMTP_E_SENDER_TYPE,
                         "a sender of type %u may not propose a proposal of type %u",
                         (unsigned)sender->type, (unsigned)type);
    }
    return XMTP_OK;
}

xmtp_mls_proposal_info xmtp_proposal_info_of(const xmtp_mls_group *group, const xmtp_sender *sender,
                                             const xmtp_proposal *proposal)
{
    xmtp_mls_proposal_info info = {.type = proposal->type, .sender_type = sender->type};
    info.sender_leaf = sender->type == XMTP_SENDER_MEMBER ? sender->index : UINT32_MAX;
    switch (proposal->type) {
    case XMTP_PROPOSAL_ADD:
        info.member = xmtp_member_of(UINT32_MAX, &proposal->u.add.leaf_node);
        break;
    case XMTP_PROPOSAL_UPDATE:
        info.member = xmtp_member_of(info.sender_leaf, &proposal->u.update);
        break;
    case XMTP_PROPOSAL_REMOVE:
        info.member.leaf = proposal->u.remove;
        (void)xmtp_member_at(&group->tree, proposal->u.remove, &info.member); /* may be blank */
        break;
    case XMTP_PROPOSAL_SELF_REMOVE:
        info.member.leaf = info.sender_leaf;
        (void)xmtp_member_at(&group->tree, info.sender_leaf, &info.member);
        break;
    case XMTP_PROPOSAL_APP_DATA_UPDATE:
        info.component_id = proposal->u.app_data_update.component_id;
        info.removes_data = proposal->u.app_data_update.operation == XMTP_APP_DATA_REMOVE;
        info.data = proposal->u.app_data_update.update;
        break;
    case XMTP_PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
        info.extensions = proposal->u.group_context_extensions.raw;
        break;
    default:
        if (!xmtp_proposal_type_is_known(proposal->type)) {
            info.data = proposal->u.unknown;
        }
        break;
    }
    return info;
}
