/* staged.c - what a staged object says. See xmtp/mls.h. */
#include "base/bytes.h"
#include "mls/group.h"

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
