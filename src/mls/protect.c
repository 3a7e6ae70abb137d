/* protect.c - encrypting an application message. RFC 9420 sections 6.3 and 9.
 *
 * The key is taken out of the ratchet together with the write that says so; the message leaves only
 * with both. Sealing is shared with commits, which leave the ratchet as it is (make_commit.c).
 */
#include "mls/protect.h"

#include "base/bytes.h"
#include "base/status.h"

xmtp_status xmtp_group_seal(const xmtp_mls_group *group, const xmtp_framed_content *content,
                            const xmtp_content_auth *auth, const xmtp_message_key *key,
                            xmtp_writer *out)
{
    uint8_t reuse_guard[4];
    XMTP_TRY(group->env->random(group->env->context, reuse_guard, sizeof reuse_guard));
    return xmtp_private_message_seal(group->suite, content, auth, 0, key, reuse_guard,
                                     &group->epochs[0].sender_data_secret, group->scratch, out);
}

xmtp_status xmtp_group_sign(const xmtp_mls_group *group, const xmtp_framed_content *content,
                            uint8_t *signature, size_t *signature_len)
{
    return xmtp_framing_sign(group->suite, group->signature_sk, group->signature_pk,
                             XMTP_WIRE_PRIVATE_MESSAGE, content, group->context.raw, group->scratch,
                             signature, signature_len);
}

xmtp_framed_content xmtp_group_frame(const xmtp_mls_group *group, xmtp_bytes authenticated_data)
{
    return (xmtp_framed_content){
        .group_id = group->context.group_id,
        .epoch = group->context.epoch,
        .sender = {.type = XMTP_SENDER_MEMBER, .index = group->private_keys.leaf_index},
        .authenticated_data = authenticated_data};
}

/* application_data<V>, as it stands in FramedContent. */
static xmtp_status application_raw(const xmtp_mls_group *group, xmtp_bytes plaintext,
                                   xmtp_writer *w)
{
    xmtp_writer_init(w, group->alloc, XMTP_WRITER_MAX);
    xmtp_writer_vec(w, plaintext);
    return xmtp_writer_status(w);
}

static xmtp_status seal_application(const xmtp_mls_group *group, xmtp_bytes authenticated_data,
                                    xmtp_bytes plaintext, const xmtp_message_key *key,
                                    xmtp_writer *out)
{
    uint8_t signature[XMTP_SIGNATURE_MAX];
    xmtp_framed_content content = xmtp_group_frame(group, authenticated_data);
    xmtp_content_auth auth = {.signature = {.p = signature}};
    xmtp_writer raw;
    xmtp_status status = application_raw(group, plaintext, &raw);
    if (status == XMTP_OK) {
        content.content = (xmtp_content){.type = XMTP_CONTENT_APPLICATION,
                                         .raw = xmtp_writer_bytes(&raw),
                                         .application_data = plaintext};
        status = xmtp_group_sign(group, &content, signature, &auth.signature.n);
    }
    if (status == XMTP_OK) {
        status = xmtp_group_seal(group, &content, &auth, key, out);
    }
    xmtp_writer_free(&raw);
    return status;
}

/* Moves the ratchet on, in the store's list and then in memory. */
static xmtp_status burn(xmtp_mls_group *group, xmtp_secret_tree_change *change,
                        xmtp_mls_writes *writes)
{
    size_t mark = xmtp_writes_mark(writes);
    xmtp_epoch *epoch = &group->epochs[0];
    xmtp_records_put_ratchet(group->suite, epoch->number, &change->ratchets[0], writes);
    xmtp_status status = xmtp_writes_status(writes);
    if (status == XMTP_OK) {
        status = xmtp_secret_tree_apply(&epoch->secret_tree, change);
    }
    if (status != XMTP_OK) {
        xmtp_writes_rollback(writes, mark);
    }
    return status;
}

static xmtp_status protect(xmtp_mls_group *group, xmtp_bytes authenticated_data,
                           xmtp_bytes plaintext, xmtp_writer *out, xmtp_mls_writes *writes)
{
    xmtp_message_key key;
    xmtp_secret_tree_change change;
    XMTP_TRY(xmtp_secret_tree_next_key(&group->epochs[0].secret_tree,
                                       group->private_keys.leaf_index, XMTP_RATCHET_APPLICATION,
                                       &key, &change));
    xmtp_status status = seal_application(group, authenticated_data, plaintext, &key, out);
    xmtp_wipe(&key, sizeof key);
    if (status == XMTP_OK) {
        status = burn(group, &change, writes);
    }
    xmtp_secret_tree_change_free(&change);
    return status;
}

xmtp_status xmtp_mls_group_protect(xmtp_mls_group *group, xmtp_bytes authenticated_data,
                                   xmtp_bytes plaintext, uint8_t **message, size_t *message_len,
                                   xmtp_mls_writes *writes, xmtp_error *error)
{
    *message = NULL;
    *message_len = 0;
    if (!group->is_active) {
        return xmtp_fail(error, XMTP_E_REMOVED, "this member was removed from the group");
    }
    xmtp_writer out;
    xmtp_writer_init(&out, group->alloc, XMTP_WRITER_MAX);
    xmtp_status status = protect(group, authenticated_data, plaintext, &out, writes);
    if (status == XMTP_OK) {
        status = xmtp_writer_detach(&out, message, message_len);
    }
    xmtp_writer_free(&out);
    return status == XMTP_OK ? XMTP_OK : xmtp_fail_default(error, status, "encrypting a message");
}
