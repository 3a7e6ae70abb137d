/* protect.c - encrypting an application message. RFC 9420 sections 6.3 and 9.
 *
 * The key is taken out of the ratchet together with the write that says so; the message leaves only
 * with both. Sealing is shared with commits, which leave the ratchet as it is (make_commit.c).
 */
#include "mls/protect.h"

#include "base/bytes.h"
#include "base/status.h"

/* Zeros up to the next multiple of config.padding (section 15.1); an estimate that leaves out the
 * few bytes of length prefixes, which do not vary between messages of one suite. */
static size_t padding_for(const xmtp_mls_group *group, const xmtp_framed_content *content,
                          const xmtp_content_auth *auth)
{
    size_t step = group->config.padding;
    if (step <= 1) {
        return 0;
    }
    size_t n = content->content.raw.n + auth->signature.n + auth->confirmation_tag.n;
    return (step - n % step) % step;
}

xmtp_status xmtp_group_seal(const xmtp_mls_group *group, const xmtp_framed_content *content,
                            const xmtp_content_auth *auth, const xmtp_message_key *key,
                            xmtp_writer *out)
{
    uint8_t reuse_guard[4];
    XMTP_TRY(group->env->random(group->env->context, reuse_guard, sizeof reuse_guard));
    return xmtp_private_message_seal(group->suite, content, auth, padding_for(group, content, auth),
                                     key, reuse_guard, &group->epochs[0].sender_data_secret,
                                     group->scratch, out);
}

xmtp_status xmtp_group_check_active(const xmtp_mls_group *group, xmtp_error *error)
{
    if (!group->is_active) {
        return xmtp_fail(error, XMTP_E_REMOVED, "this member was removed from the group");
    }
    if (group->reinit.n > 0) { /* section 12.1.5 */
        return xmtp_fail(error, XMTP_E_STATE, "the group was re-initialised");
    }
    return XMTP_OK;
}

uint16_t xmtp_group_handshake_format(const xmtp_mls_group *group)
{
    return group->config.public_handshakes ? XMTP_WIRE_PUBLIC_MESSAGE : XMTP_WIRE_PRIVATE_MESSAGE;
}

static xmtp_status put_public(const xmtp_mls_group *group,
                              const xmtp_authenticated_content *content, xmtp_writer *out)
{
    uint8_t tag[XMTP_HASH_MAX];
    XMTP_TRY(xmtp_membership_tag(group->suite, &group->secrets.membership_key, content,
                                 group->context.raw, group->scratch, tag));
    const xmtp_public_message message = {.content = content->content,
                                         .auth = content->auth,
                                         .membership_tag =
                                             xmtp_bytes_of(tag, group->suite->hash->len)};
    xmtp_mls_message_header_encode(out, XMTP_WIRE_PUBLIC_MESSAGE);
    xmtp_public_message_encode(out, &message);
    return xmtp_writer_status(out);
}

xmtp_status xmtp_group_seal_handshake(const xmtp_mls_group *group,
                                      const xmtp_authenticated_content *content,
                                      xmtp_secret_tree_change *change, xmtp_writer *out)
{
    xmtp_message_key key;
    *change = (xmtp_secret_tree_change){0};
    if (content->wire_format == XMTP_WIRE_PUBLIC_MESSAGE) {
        return put_public(group, content, out);
    }
    XMTP_TRY(xmtp_secret_tree_next_key(&group->epochs[0].secret_tree,
                                       group->private_keys.leaf_index, XMTP_RATCHET_HANDSHAKE, &key,
                                       change));
    xmtp_status status = xmtp_group_seal(group, &content->content, &content->auth, &key, out);
    xmtp_wipe(&key, sizeof key);
    return status;
}

xmtp_status xmtp_group_sign_as(const xmtp_mls_group *group, uint16_t wire_format,
                               const xmtp_framed_content *content, uint8_t *signature,
                               size_t *signature_len)
{
    return xmtp_framing_sign(group->suite, group->signature_sk, group->signature_pk, wire_format,
                             content, group->context.raw, group->scratch, signature, signature_len);
}

xmtp_status xmtp_group_sign(const xmtp_mls_group *group, const xmtp_framed_content *content,
                            uint8_t *signature, size_t *signature_len)
{
    return xmtp_group_sign_as(group, XMTP_WIRE_PRIVATE_MESSAGE, content, signature, signature_len);
}

xmtp_framed_content xmtp_group_frame(const xmtp_mls_group *group, xmtp_bytes authenticated_data)
{
    return (xmtp_framed_content){
        .group_id = group->context.group_id,
        .epoch = group->context.epoch,
        .sender = {.type = XMTP_SENDER_MEMBER, .index = group->private_keys.leaf_index},
        .authenticated_data = authenticated_data};
}

static xmtp_status seal_application(const xmtp_mls_group *group, xmtp_bytes authenticated_data,
                                    xmtp_bytes plaintext, const xmtp_message_key *key,
                                    xmtp_writer *out)
{
    uint8_t signature[XMTP_SIGNATURE_MAX];
    xmtp_framed_content content = xmtp_group_frame(group, authenticated_data);
    xmtp_content_auth auth = {.signature = {.p = signature}};
    xmtp_writer *raw = &group->spare->content; /* application_data<V>, as in FramedContent */
    xmtp_writer_vec(raw, plaintext);
    XMTP_TRY(xmtp_writer_status(raw));
    content.content = (xmtp_mls_content){.type = XMTP_CONTENT_APPLICATION,
                                         .raw = xmtp_writer_bytes(raw),
                                         .application_data = plaintext};
    XMTP_TRY(xmtp_group_sign(group, &content, signature, &auth.signature.n));
    return xmtp_group_seal(group, &content, &auth, key, out);
}

xmtp_status xmtp_group_burn(xmtp_mls_group *group, xmtp_secret_tree_change *change,
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
    xmtp_writer_trim(&group->spare->content, XMTP_MLS_SPARE_MAX);
    xmtp_wipe(&key, sizeof key);
    if (status == XMTP_OK) {
        status = xmtp_group_burn(group, &change, writes);
    }
    xmtp_secret_tree_change_free(&change);
    return status;
}

xmtp_status xmtp_mls_group_protect(xmtp_mls_group *group, xmtp_bytes authenticated_data,
                                   xmtp_bytes plaintext, xmtp_bytes *message,
                                   xmtp_mls_writes *writes, xmtp_error *error)
{
    xmtp_writer *out = &group->spare->message;
    *message = (xmtp_bytes){0};
    XMTP_TRY(xmtp_group_check_active(group, error));
    xmtp_writer_trim(out, XMTP_MLS_SPARE_MAX);
    xmtp_status status = protect(group, authenticated_data, plaintext, out, writes);
    if (status != XMTP_OK) {
        xmtp_writer_trim(out, XMTP_MLS_SPARE_MAX);
        return xmtp_fail_default(error, status, "encrypting a message");
    }
    *message = xmtp_writer_bytes(out);
    return XMTP_OK;
}
