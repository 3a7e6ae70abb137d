/* membership_change.c - what clients before 2025 told about the members of a group: read, not written.
 *
 * Installations are named by their keys, people by their account, since there were no inboxes then.
 */
#include "content/codec.h"

#include "base/status.h"
#include "proto/content_types.pb-c.h"
#include "proto/message.h"

static xmtp_status encode(xmtp_codec_call *call, const xmtp_content *content,
                          xmtp_content_body *out)
{
    (void)content;
    (void)out;
    return xmtp_fail(call->error, XMTP_E_CONTENT,
                     "group_membership_change is only read: group_updated took its place");
}

static xmtp_status get_change(xmtp_codec_call *call, const Pb__GroupMembershipChanges__Change *in,
                              xmtp_account_change *out)
{
    void *memory;
    XMTP_TRY(
        xmtp_arena_take_array(call->arena, in->n_installation_ids, sizeof(xmtp_bytes), &memory));
    xmtp_bytes *installations = memory;
    for (size_t i = 0; i < in->n_installation_ids; i++) {
        installations[i] = xmtp_proto_bytes(in->installation_ids[i]);
    }
    *out = (xmtp_account_change){
        .account = xmtp_or_empty(in->account_address),
        .initiated_by = xmtp_or_empty(in->initiated_by_account_address),
        .installations = installations,
        .installation_count = in->n_installation_ids,
    };
    return XMTP_OK;
}

static xmtp_status get_changes(xmtp_codec_call *call, size_t count,
                               Pb__GroupMembershipChanges__Change *const *in,
                               xmtp_account_changes *out)
{
    void *memory;
    XMTP_TRY(xmtp_arena_take_array(call->arena, count, sizeof(xmtp_account_change), &memory));
    for (size_t i = 0; i < count; i++) {
        XMTP_TRY(get_change(call, in[i], (xmtp_account_change *)memory + i));
    }
    *out = (xmtp_account_changes){.p = memory, .count = count};
    return XMTP_OK;
}

static xmtp_status decode(xmtp_codec_call *call, const Pb__EncodedContent *in,
                          xmtp_content *content)
{
    xmtp_membership_change *out = &content->membership_change;
    const void *decoded;
    XMTP_TRY(xmtp_codec_decode_proto(call, &pb__group_membership_changes__descriptor,
                                     xmtp_proto_bytes(in->content), &decoded));
    const Pb__GroupMembershipChanges *m = decoded;
    XMTP_TRY(get_changes(call, m->n_members_added, m->members_added, &out->members_added));
    XMTP_TRY(get_changes(call, m->n_members_removed, m->members_removed, &out->members_removed));
    XMTP_TRY(get_changes(call, m->n_installations_added, m->installations_added,
                         &out->installations_added));
    return get_changes(call, m->n_installations_removed, m->installations_removed,
                       &out->installations_removed);
}

const xmtp_codec xmtp_codec_membership_change = {
    XMTP_CONTENT_MEMBERSHIP_CHANGE, "xmtp.org", "group_membership_change", 1, false, encode, decode,
};
