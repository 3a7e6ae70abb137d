/* group_updated.c - what a commit changed, as a message (groups.md 3.8 and 5.3). */
#include "content/codec.h"

#include "base/bytes.h"
#include "base/status.h"
#include "proto/message.h"

/* ---- encoding */

static xmtp_status put_inboxes(xmtp_codec_call *call, const xmtp_strings *in, size_t *count,
                               Pb__InboxRef ***out)
{
    void *memory;
    XMTP_TRY(xmtp_arena_take_array(call->arena, in->count, sizeof(Pb__InboxRef *), &memory));
    *out = memory;
    XMTP_TRY(xmtp_arena_take_array(call->arena, in->count, sizeof(Pb__InboxRef), &memory));
    Pb__InboxRef *refs = memory;
    for (size_t i = 0; i < in->count; i++) {
        XMTP_TRY(xmtp_codec_required(call, in->p[i], "an inbox id"));
        refs[i] = (Pb__InboxRef)PB__INBOX_REF__INIT;
        refs[i].inbox_id = (char *)(uintptr_t)in->p[i];
        (*out)[i] = &refs[i];
    }
    *count = in->count;
    return XMTP_OK;
}

static xmtp_status put_changes(xmtp_codec_call *call, const xmtp_group_updated *in,
                               Pb__GroupUpdated *out)
{
    void *memory;
    size_t count = in->change_count;
    XMTP_TRY(xmtp_arena_take_array(call->arena, count, sizeof(void *), &memory));
    out->metadata_field_changes = memory;
    XMTP_TRY(xmtp_arena_take_array(call->arena, count,
                                   sizeof(Pb__GroupUpdated__MetadataFieldChange), &memory));
    Pb__GroupUpdated__MetadataFieldChange *changes = memory;
    for (size_t i = 0; i < count; i++) {
        XMTP_TRY(xmtp_codec_required(call, in->changes[i].field, "a change's field"));
        XMTP_TRY(xmtp_codec_optional(call, in->changes[i].old_value, "an old value"));
        XMTP_TRY(xmtp_codec_optional(call, in->changes[i].new_value, "a new value"));
        changes[i] =
            (Pb__GroupUpdated__MetadataFieldChange)PB__GROUP_UPDATED__METADATA_FIELD_CHANGE__INIT;
        changes[i].field_name = (char *)(uintptr_t)in->changes[i].field;
        changes[i].old_value = (char *)(uintptr_t)in->changes[i].old_value;
        changes[i].new_value = (char *)(uintptr_t)in->changes[i].new_value;
        out->metadata_field_changes[i] = &changes[i];
    }
    out->n_metadata_field_changes = count;
    return XMTP_OK;
}

static xmtp_status encode(xmtp_codec_call *call, const xmtp_content *content,
                          xmtp_content_body *out)
{
    const xmtp_group_updated *in = &content->group_updated;
    Pb__GroupUpdated m = PB__GROUP_UPDATED__INIT;
    XMTP_TRY(xmtp_codec_required(call, in->initiated_by, "initiated_by"));
    m.initiated_by_inbox_id = (char *)(uintptr_t)in->initiated_by;
    XMTP_TRY(put_inboxes(call, &in->added, &m.n_added_inboxes, &m.added_inboxes));
    XMTP_TRY(put_inboxes(call, &in->removed, &m.n_removed_inboxes, &m.removed_inboxes));
    XMTP_TRY(put_inboxes(call, &in->left, &m.n_left_inboxes, &m.left_inboxes));
    XMTP_TRY(
        put_inboxes(call, &in->admins_added, &m.n_added_admin_inboxes, &m.added_admin_inboxes));
    XMTP_TRY(put_inboxes(call, &in->admins_removed, &m.n_removed_admin_inboxes,
                         &m.removed_admin_inboxes));
    XMTP_TRY(put_inboxes(call, &in->super_admins_added, &m.n_added_super_admin_inboxes,
                         &m.added_super_admin_inboxes));
    XMTP_TRY(put_inboxes(call, &in->super_admins_removed, &m.n_removed_super_admin_inboxes,
                         &m.removed_super_admin_inboxes));
    XMTP_TRY(put_changes(call, in, &m));
    return xmtp_codec_encode_proto(call, &m.base, &out->content);
}

/* ---- decoding */

static xmtp_status get_inboxes(xmtp_codec_call *call, size_t count, Pb__InboxRef *const *in,
                               xmtp_strings *out)
{
    void *memory;
    XMTP_TRY(xmtp_arena_take_array(call->arena, count, sizeof(const char *), &memory));
    const char **names = memory;
    for (size_t i = 0; i < count; i++) {
        names[i] = xmtp_or_empty(in[i]->inbox_id);
    }
    *out = (xmtp_strings){.p = names, .count = count};
    return XMTP_OK;
}

static xmtp_status get_changes(xmtp_codec_call *call, const Pb__GroupUpdated *in,
                               xmtp_group_updated *out)
{
    void *memory;
    size_t count = in->n_metadata_field_changes;
    XMTP_TRY(xmtp_arena_take_array(call->arena, count, sizeof(xmtp_metadata_change), &memory));
    xmtp_metadata_change *changes = memory;
    for (size_t i = 0; i < count; i++) {
        const Pb__GroupUpdated__MetadataFieldChange *change = in->metadata_field_changes[i];
        changes[i] = (xmtp_metadata_change){.field = xmtp_or_empty(change->field_name),
                                            .old_value = change->old_value,
                                            .new_value = change->new_value};
    }
    out->changes = changes;
    out->change_count = count;
    return XMTP_OK;
}

static xmtp_status decode(xmtp_codec_call *call, const Pb__EncodedContent *in,
                          xmtp_content *content)
{
    xmtp_group_updated *out = &content->group_updated;
    const void *decoded;
    XMTP_TRY(xmtp_codec_decode_proto(call, &pb__group_updated__descriptor,
                                     xmtp_proto_bytes(in->content), &decoded));
    const Pb__GroupUpdated *m = decoded;
    out->initiated_by = xmtp_or_empty(m->initiated_by_inbox_id);
    XMTP_TRY(get_inboxes(call, m->n_added_inboxes, m->added_inboxes, &out->added));
    XMTP_TRY(get_inboxes(call, m->n_removed_inboxes, m->removed_inboxes, &out->removed));
    XMTP_TRY(get_inboxes(call, m->n_left_inboxes, m->left_inboxes, &out->left));
    XMTP_TRY(
        get_inboxes(call, m->n_added_admin_inboxes, m->added_admin_inboxes, &out->admins_added));
    XMTP_TRY(get_inboxes(call, m->n_removed_admin_inboxes, m->removed_admin_inboxes,
                         &out->admins_removed));
    XMTP_TRY(get_inboxes(call, m->n_added_super_admin_inboxes, m->added_super_admin_inboxes,
                         &out->super_admins_added));
    XMTP_TRY(get_inboxes(call, m->n_removed_super_admin_inboxes, m->removed_super_admin_inboxes,
                         &out->super_admins_removed));
    return get_changes(call, m, out);
}

const xmtp_codec xmtp_codec_group_updated = {
    XMTP_CONTENT_GROUP_UPDATED, "xmtp.org", "group_updated", 1, false, encode, decode,
};
