/* staged.c - the memory of staged objects, and what one says. See xmtp/mls.h.
 *
 * A group keeps the memory of one staged object for the next message:
 *
 *     spare->staged --new--> with the caller (is_lent) --free, merge--> spare->staged
 *
 * Whoever stages a second one meanwhile gets an object of its own, as does one that outlives its
 * group. Nothing of a message stays behind: all is wiped when it returns.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "mls/stage.h"

/* ---- memory ---- */

void xmtp_spare_init(xmtp_spare *spare, const xmtp_alloc *alloc)
{
    *spare = (xmtp_spare){0};
    xmtp_writer_init(&spare->content, alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&spare->message, alloc, XMTP_WRITER_MAX);
}

static void staged_destroy(xmtp_mls_staged *staged)
{
    const xmtp_alloc *alloc = staged->alloc;
    xmtp_arena_reset(&staged->arena);
    xmtp_wipe(staged, sizeof *staged);
    alloc->reallocate(alloc->context, staged, 0);
}

void xmtp_spare_free(xmtp_spare *spare)
{
    if (spare->is_lent) {
        spare->staged->home = NULL;
    } else if (spare->staged != NULL) {
        staged_destroy(spare->staged);
    }
    xmtp_writer_free(&spare->content);
    xmtp_writer_free(&spare->message);
    *spare = (xmtp_spare){0};
}

static xmtp_status staged_allocate(xmtp_mls_staged **out, const xmtp_alloc *alloc)
{
    xmtp_mls_staged *staged = alloc->reallocate(alloc->context, NULL, sizeof *staged);
    XMTP_ENSURE(staged != NULL, XMTP_E_NOMEM);
    *staged = (xmtp_mls_staged){.alloc = alloc};
    xmtp_arena_init(&staged->arena, alloc, XMTP_MLS_STAGED_MEMORY_MAX);
    *out = staged;
    return XMTP_OK;
}

xmtp_status xmtp_staged_new(xmtp_mls_staged **out, const xmtp_mls_group *group)
{
    xmtp_spare *spare = group->spare;
    if (spare->is_lent) {
        XMTP_TRY(staged_allocate(out, group->alloc));
    } else {
        if (spare->staged == NULL) {
            XMTP_TRY(staged_allocate(&spare->staged, group->alloc));
        }
        spare->is_lent = true;
        *out = spare->staged;
        (*out)->home = spare;
    }
    (*out)->group = group;
    (*out)->revision = group->revision;
    return XMTP_OK;
}

bool xmtp_mls_staged_is_current(const xmtp_mls_staged *staged, const xmtp_mls_group *group)
{
    return staged->group == group && staged->revision == group->revision;
}

static void staged_go_home(xmtp_mls_staged *staged)
{
    const xmtp_alloc *alloc = staged->alloc;
    xmtp_arena arena = staged->arena;
    xmtp_arena_rewind(&arena, XMTP_MLS_SPARE_MAX);
    staged->home->is_lent = false;
    xmtp_wipe(staged, sizeof *staged);
    staged->alloc = alloc;
    staged->arena = arena;
}

void xmtp_mls_staged_free(xmtp_mls_staged *staged)
{
    if (staged == NULL) {
        return;
    }
    const xmtp_alloc *alloc = staged->alloc;
    if (staged->commit != NULL) {
        xmtp_tree_free(&staged->commit->next);
        xmtp_wipe(staged->commit, sizeof *staged->commit);
        alloc->reallocate(alloc->context, staged->commit, 0);
    }
    if (staged->has_change) {
        xmtp_secret_tree_change_free(&staged->change);
    }
    if (staged->home != NULL) {
        staged_go_home(staged);
    } else {
        staged_destroy(staged);
    }
}

/* ---- what it says ---- */

xmtp_mls_content_type xmtp_mls_staged_content_type(const xmtp_mls_staged *staged)
{
    return staged->content_type;
}

xmtp_mls_member xmtp_mls_staged_sender(const xmtp_mls_staged *staged)
{
    return staged->sender;
}

uint64_t xmtp_mls_staged_message_epoch(const xmtp_mls_staged *staged)
{
    return staged->message_epoch;
}

xmtp_bytes xmtp_mls_staged_authenticated_data(const xmtp_mls_staged *staged)
{
    return staged->authenticated_data;
}

xmtp_bytes xmtp_mls_staged_application_data(const xmtp_mls_staged *staged)
{
    return staged->application_data;
}

size_t xmtp_mls_staged_proposal_count(const xmtp_mls_staged *staged)
{
    if (staged->commit == NULL) {
        return staged->proposal_content.n > 0 ? 1 : 0;
    }
    return staged->commit->proposal_count;
}

xmtp_mls_proposal_info xmtp_mls_staged_proposal_at(const xmtp_mls_staged *staged, size_t index)
{
    return staged->commit == NULL ? staged->proposal : staged->commit->proposals[index];
}

xmtp_bytes xmtp_mls_staged_proposal_ref(const xmtp_mls_staged *staged)
{
    return xmtp_digest_bytes(&staged->proposal_ref);
}

bool xmtp_mls_staged_path_leaf(const xmtp_mls_staged *staged, xmtp_mls_member *out)
{
    const xmtp_staged_commit *commit = staged->commit;
    return commit != NULL && commit->has_path &&
           xmtp_member_at(&commit->next, commit->committer, out);
}

xmtp_bytes xmtp_mls_staged_extensions(const xmtp_mls_staged *staged)
{
    const xmtp_group_context *context =
        staged->commit == NULL ? &staged->group->context : &staged->commit->context;
    return context->extensions.raw;
}

uint64_t xmtp_mls_staged_epoch(const xmtp_mls_staged *staged)
{
    return staged->commit == NULL ? xmtp_mls_group_epoch(staged->group)
                                  : staged->commit->context.epoch;
}

xmtp_bytes xmtp_mls_staged_epoch_authenticator(const xmtp_mls_staged *staged)
{
    return staged->commit == NULL ? xmtp_mls_group_epoch_authenticator(staged->group)
                                  : xmtp_secret_bytes(&staged->commit->secrets.epoch_authenticator);
}

bool xmtp_mls_staged_removes_us(const xmtp_mls_staged *staged)
{
    return staged->commit != NULL && staged->commit->removes_us;
}

static const xmtp_tree *tree_after(const xmtp_mls_staged *staged)
{
    return staged->commit == NULL ? &staged->group->tree : &staged->commit->next;
}

uint32_t xmtp_mls_staged_leaf_count(const xmtp_mls_staged *staged)
{
    return tree_after(staged)->leaf_count;
}

bool xmtp_mls_staged_member(const xmtp_mls_staged *staged, uint32_t leaf, xmtp_mls_member *out)
{
    return xmtp_member_at(tree_after(staged), leaf, out);
}
