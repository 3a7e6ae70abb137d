/* process.c - from the bytes of one message to a staged object. RFC 9420 sections 6 and 12.4.2.
 *
 *     MLSMessage --> PrivateMessage: sender data, ratchet key, plaintext --+-->
 * AuthenticatedContent
 *                \-> PublicMessage: membership tag ------------------------/          |
 *                                              signature by the leaf of that epoch ---+
 *                                                                                     v
 *                               application: done     proposal: done     commit: stage.c
 *
 * The group is only read. What a message changes of its ratchet waits in staged->change.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "mls/kept.h"
#include "mls/stage.h"
#include "mls/x509_credential.h"

#include <inttypes.h>

/* ---- is it for us, and for now ---- */

static xmtp_status check_address(const xmtp_mls_group *group, xmtp_bytes group_id, uint64_t epoch,
                                 bool is_application, const xmtp_epoch **out, xmtp_error *error)
{
    uint64_t current = group->context.epoch;
    if (!xmtp_bytes_equal(group_id, group->context.group_id)) {
        return xmtp_fail(error, XMTP_E_GROUP_ID, "message is for another group");
    }
    if (!group->is_active) {
        return xmtp_fail(error, XMTP_E_REMOVED, "this member was removed at epoch %" PRIu64,
                         current);
    }
    if (group->reinit.n > 0 && !is_application) { /* section 12.1.5 */
        return xmtp_fail(error, XMTP_E_STATE, "the group was re-initialised at epoch %" PRIu64,
                         current);
    }
    if (epoch > current) {
        return xmtp_fail(error, XMTP_E_EPOCH_FUTURE,
                         "message for epoch %" PRIu64 ", group is at %" PRIu64, epoch, current);
    }
    *out = xmtp_group_epoch_find(group, epoch);
    if (*out == NULL || (epoch < current && !is_application) ||
        (epoch < current && xmtp_epoch_is_expired(group, *out))) {
        return xmtp_fail(error, XMTP_E_EPOCH_OLD,
                         "message for epoch %" PRIu64 ", group is at %" PRIu64, epoch, current);
    }
    return XMTP_OK;
}

static xmtp_status sender_leaf(const xmtp_mls_group *group, const xmtp_epoch *epoch,
                               uint32_t leaf_index, xmtp_leaf_node *out, xmtp_error *error)
{
    if (leaf_index == group->private_keys.leaf_index) {
        return xmtp_fail(error, XMTP_E_OWN_MESSAGE, "message was sent by this member");
    }
    xmtp_status status = xmtp_group_leaf_at_epoch(group, epoch, leaf_index, out);
    if (status == XMTP_E_SENDER) {
        return xmtp_fail(error, status, "leaf %" PRIu32 " held no member in epoch %" PRIu64,
                         leaf_index, epoch->number);
    }
    return status;
}

/* ---- private messages ---- */

static xmtp_status message_key(xmtp_mls_staged *staged, const xmtp_epoch *epoch,
                               const xmtp_sender_data *sender, uint8_t content_type,
                               xmtp_message_key *out, xmtp_error *error)
{
    const xmtp_mls_config *config = &staged->group->config;
    const xmtp_ratchet_limits limits = {.tolerance = config->out_of_order_tolerance,
                                        .forward = config->forward_distance_max};
    xmtp_ratchet_kind kind = content_type == XMTP_CONTENT_APPLICATION ? XMTP_RATCHET_APPLICATION
                                                                      : XMTP_RATCHET_HANDSHAKE;
    xmtp_status status = xmtp_secret_tree_key(&epoch->secret_tree, sender->leaf_index, kind,
                                              sender->generation, &limits, out, &staged->change);
    if (status == XMTP_OK) {
        staged->has_change = true;
        return XMTP_OK;
    }
    const xmtp_ratchet *ratchet =
        xmtp_secret_tree_ratchet(&epoch->secret_tree, sender->leaf_index, kind);
    return xmtp_fail(
        error, status, "leaf %" PRIu32 " generation %" PRIu32 ", the next expected is %" PRIu32,
        sender->leaf_index, sender->generation, ratchet == NULL ? 0 : ratchet->generation);
}

/* The message is the staged object's own copy, and is decrypted where it lies. */
static xmtp_status decrypt(xmtp_mls_staged *staged, const xmtp_epoch *epoch,
                           const xmtp_private_message *message, const xmtp_sender_data *sender,
                           xmtp_bytes *plaintext, xmtp_error *error)
{
    const xmtp_mls_group *group = staged->group;
    xmtp_message_key key;
    XMTP_ENSURE(message->ciphertext.n >= group->suite->aead->tag_len, XMTP_E_LENGTH);
    size_t n = message->ciphertext.n - group->suite->aead->tag_len;
    uint8_t *out = (uint8_t *)(uintptr_t)message->ciphertext.p;
    XMTP_TRY(message_key(staged, epoch, sender, message->content_type, &key, error));
    xmtp_status status = xmtp_private_message_open(group->suite, message, &key, sender->reuse_guard,
                                                   group->scratch, out);
    xmtp_wipe(&key, sizeof key);
    if (status != XMTP_OK) {
        return xmtp_fail(error, status, "the content of the message does not open");
    }
    *plaintext = xmtp_bytes_of(out, n);
    return XMTP_OK;
}

/* FramedContent as bytes: the transcript of a commit is made over them. */
static xmtp_status frame_raw(xmtp_mls_staged *staged, xmtp_framed_content *content)
{
    xmtp_writer w;
    xmtp_writer_init(&w, staged->alloc, XMTP_WRITER_MAX);
    xmtp_writer_reserve(&w, content->content.raw.n + content->group_id.n +
                                content->authenticated_data.n + 64);
    xmtp_framed_content_encode(&w, content);
    return xmtp_writer_to_arena(&w, XMTP_OK, &staged->arena, &content->raw);
}

static xmtp_status open_private(xmtp_mls_staged *staged, const xmtp_private_message *message,
                                xmtp_authenticated_content *out, const xmtp_epoch **epoch,
                                xmtp_leaf_node *leaf, xmtp_error *error)
{
    const xmtp_mls_group *group = staged->group;
    xmtp_sender_data sender;
    xmtp_bytes plaintext;
    bool is_application = message->content_type == XMTP_CONTENT_APPLICATION;
    XMTP_TRY(check_address(group, message->group_id, message->epoch, is_application, epoch, error));
    xmtp_status status = xmtp_sender_data_open(group->suite, &(*epoch)->sender_data_secret, message,
                                               group->scratch, &sender);
    if (status != XMTP_OK) {
        return xmtp_fail(error, status, "the sender data of the message does not open");
    }
    XMTP_TRY(sender_leaf(group, *epoch, sender.leaf_index, leaf, error));
    XMTP_TRY(decrypt(staged, *epoch, message, &sender, &plaintext, error));

    out->wire_format = XMTP_WIRE_PRIVATE_MESSAGE;
    out->content =
        (xmtp_framed_content){.group_id = message->group_id,
                              .epoch = message->epoch,
                              .sender = {.type = XMTP_SENDER_MEMBER, .index = sender.leaf_index},
                              .authenticated_data = message->authenticated_data};
    XMTP_TRY(xmtp_private_content_decode(plaintext, message->content_type, &staged->arena,
                                         &out->content.content, &out->auth));
    return is_application ? XMTP_OK : frame_raw(staged, &out->content);
}

/* ---- public messages ---- */

static xmtp_status check_membership_tag(const xmtp_mls_group *group,
                                        const xmtp_authenticated_content *content, xmtp_bytes tag,
                                        xmtp_error *error)
{
    uint8_t wanted[XMTP_HASH_MAX];
    size_t n = group->suite->hash->len;
    XMTP_TRY(xmtp_membership_tag(group->suite, &group->secrets.membership_key, content,
                                 group->context.raw, group->scratch, wanted));
    if (tag.n != n || !xmtp_ct_equal(tag.p, wanted, n)) {
        return xmtp_fail(error, XMTP_E_MEMBERSHIP_TAG, "membership tag does not match");
    }
    return XMTP_OK;
}

/* Senders outside of the group (sections 12.1.8 and 12.4.3.2): their key is in the group's
 * extensions, in the key package that they propose, or in the path that brings them in. leaf
 * receives what is known of them. */
static xmtp_status external_sender(const xmtp_mls_group *group, uint32_t index,
                                   xmtp_leaf_node *leaf, xmtp_error *error)
{
    xmtp_external_sender sender;
    xmtp_bytes senders;
    if (!xmtp_extensions_find(&group->context.extensions, XMTP_EXTENSION_EXTERNAL_SENDERS,
                              &senders) ||
        xmtp_external_sender_at(senders, index, &sender) != XMTP_OK) {
        return xmtp_fail(error, XMTP_E_EXTERNAL_SENDER, "the group has no external sender %" PRIu32,
                         index);
    }
    leaf->signature_key = sender.signature_key;
    leaf->credential = sender.credential;
    return xmtp_credential_check(group->suite, &sender.credential, sender.signature_key, error);
}

static xmtp_status outside_sender(const xmtp_mls_group *group, const xmtp_framed_content *content,
                                  xmtp_leaf_node *leaf, xmtp_error *error)
{
    const xmtp_proposal *proposal = &content->content.proposal;
    bool is_commit = content->content.type == XMTP_CONTENT_COMMIT;
    *leaf = (xmtp_leaf_node){0};
    if (is_commit != (content->sender.type == XMTP_SENDER_NEW_MEMBER_COMMIT)) {
        return xmtp_fail(error, XMTP_E_SENDER_TYPE, "a sender of type %u may not send this",
                         (unsigned)content->sender.type);
    }
    if (is_commit) {
        if (!content->content.commit.has_path) {
            return xmtp_fail(error, XMTP_E_PATH_REQUIRED, "external commit lacks a path");
        }
        *leaf = content->content.commit.path.leaf_node;
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_proposal_check_sender(&content->sender, proposal, error));
    if (content->sender.type == XMTP_SENDER_EXTERNAL) {
        return external_sender(group, content->sender.index, leaf, error);
    }
    *leaf = proposal->u.add.leaf_node;
    return XMTP_OK;
}

static xmtp_status open_public(xmtp_mls_staged *staged, const xmtp_public_message *message,
                               xmtp_authenticated_content *out, const xmtp_epoch **epoch,
                               xmtp_leaf_node *leaf, xmtp_error *error)
{
    const xmtp_mls_group *group = staged->group;
    const xmtp_framed_content *content = &message->content;
    if (group->config.private_messages_only) {
        return xmtp_fail(error, XMTP_E_WIRE_FORMAT, "public messages are not accepted");
    }
    if (content->content.type == XMTP_CONTENT_APPLICATION) { /* section 6.2 */
        return xmtp_fail(error, XMTP_E_PUBLIC_APPLICATION, "application data in a public message");
    }
    XMTP_TRY(check_address(group, content->group_id, content->epoch, false, epoch, error));
    out->wire_format = XMTP_WIRE_PUBLIC_MESSAGE;
    out->content = message->content;
    out->auth = message->auth;
    if (content->sender.type != XMTP_SENDER_MEMBER) {
        return outside_sender(group, content, leaf, error);
    }
    XMTP_TRY(sender_leaf(group, *epoch, content->sender.index, leaf, error));
    return check_membership_tag(group, out, message->membership_tag, error);
}

/* ---- the content ---- */

/* Without keep_proposals it ends here: a commit that refers to it is refused. */
static xmtp_status take_proposal(xmtp_mls_staged *staged, const xmtp_authenticated_content *content,
                                 xmtp_error *error)
{
    const xmtp_mls_group *group = staged->group;
    xmtp_writer w;
    if (content->content.content.proposal.type == XMTP_PROPOSAL_SELF_REMOVE &&
        content->wire_format != XMTP_WIRE_PUBLIC_MESSAGE) {
        return xmtp_fail(error, XMTP_E_SELF_REMOVE, "SelfRemove came in a private message");
    }
    if (!group->config.keep_proposals) {
        return XMTP_OK;
    }
    xmtp_writer_init(&w, staged->alloc, XMTP_WRITER_MAX);
    xmtp_authenticated_content_encode(&w, content);
    XMTP_TRY(xmtp_writer_to_arena(&w, XMTP_OK, &staged->arena, &staged->proposal_content));
    staged->proposal_ref = xmtp_kept_ref(group->suite, staged->proposal_content);
    staged->proposal =
        xmtp_proposal_info_of(group, &content->content.sender, &content->content.content.proposal);
    return xmtp_kept_check(group, staged->proposal_content.n, error);
}

static xmtp_status take_content(xmtp_mls_staged *staged, const xmtp_authenticated_content *content,
                                const xmtp_leaf_node *leaf, xmtp_error *error)
{
    const xmtp_framed_content *framed = &content->content;
    staged->content_type = (xmtp_mls_content_type)framed->content.type;
    staged->message_epoch = framed->epoch;
    staged->authenticated_data = framed->authenticated_data;
    bool is_member = framed->sender.type == XMTP_SENDER_MEMBER;
    staged->sender = xmtp_member_of(is_member ? framed->sender.index : UINT32_MAX, leaf);
    switch (framed->content.type) {
    case XMTP_CONTENT_APPLICATION:
        staged->application_data = framed->content.application_data;
        return XMTP_OK;
    case XMTP_CONTENT_PROPOSAL:
        return take_proposal(staged, content, error);
    default:
        return xmtp_stage_commit(staged, content, NULL, error);
    }
}

static xmtp_status open_message(xmtp_mls_staged *staged, const xmtp_mls_message *message,
                                xmtp_authenticated_content *content, const xmtp_epoch **epoch,
                                xmtp_leaf_node *leaf, xmtp_error *error)
{
    switch (message->wire_format) {
    case XMTP_WIRE_PRIVATE_MESSAGE:
        return open_private(staged, &message->u.private_message, content, epoch, leaf, error);
    case XMTP_WIRE_PUBLIC_MESSAGE:
        return open_public(staged, &message->u.public_message, content, epoch, leaf, error);
    default:
        return xmtp_fail(error, XMTP_E_WIRE_FORMAT, "wire format %u is not a message to a group",
                         (unsigned)message->wire_format);
    }
}

/* One block for the message with what is decoded of it, which an application message needs no more
 * than. */
static xmtp_status reserve(xmtp_mls_staged *staged, size_t message_len)
{
    enum { BESIDE_THE_BYTES = sizeof(xmtp_mls_message) + sizeof(xmtp_authenticated_content) + 256 };
    size_t n;
    XMTP_ENSURE(xmtp_size_add(&n, message_len, BESIDE_THE_BYTES), XMTP_E_LIMIT);
    return xmtp_arena_reserve(&staged->arena, n);
}

static xmtp_status process(xmtp_mls_staged *staged, xmtp_bytes bytes, xmtp_error *error)
{
    const xmtp_mls_group *group = staged->group;
    xmtp_mls_message *message;
    xmtp_authenticated_content *content;
    const xmtp_epoch *epoch = NULL;
    xmtp_leaf_node leaf;
    XMTP_TRY(reserve(staged, bytes.n));
    XMTP_TRY(xmtp_arena_copy(&staged->arena, bytes, &bytes));
    XMTP_TRY(xmtp_arena_take(&staged->arena, sizeof *message, (void **)&message));
    XMTP_TRY(xmtp_arena_take(&staged->arena, sizeof *content, (void **)&content));
    XMTP_TRY(xmtp_mls_message_decode(bytes, &staged->arena, message));
    XMTP_TRY(open_message(staged, message, content, &epoch, &leaf, error));
    staged->signature = content->auth.signature;
    xmtp_status status = xmtp_framing_verify(group->suite, leaf.signature_key, content,
                                             xmtp_buffer_bytes(&epoch->context), group->scratch);
    if (status != XMTP_OK) {
        return xmtp_fail(error, status, "the signature of leaf %" PRIu32 " is wrong",
                         content->content.sender.index);
    }
    return take_content(staged, content, &leaf, error);
}

xmtp_status xmtp_mls_group_process(const xmtp_mls_group *group, xmtp_bytes message,
                                   xmtp_mls_staged **out, xmtp_error *error)
{
    xmtp_mls_staged *staged;
    *out = NULL;
    XMTP_TRY(xmtp_staged_new(&staged, group));
    xmtp_status status = process(staged, message, error);
    if (status != XMTP_OK) {
        xmtp_mls_staged_free(staged);
        return xmtp_fail_default(error, status, "processing a message");
    }
    *out = staged;
    return XMTP_OK;
}
