/* forge.c - proposals on their own and public messages, with true signatures. */
#include "forge.h"

#include "base/bytes.h"
#include "mls/protect.h"

#include <stdio.h>
#include <stdlib.h>

static void must(xmtp_status status)
{
    if (status != XMTP_OK) {
        (void)fprintf(stderr, "forging: %s\n", xmtp_status_name(status));
        abort();
    }
}

static xmtp_bytes finish(xmtp_writer *w, xmtp_arena *arena)
{
    xmtp_bytes out;
    must(xmtp_writer_status(w));
    must(xmtp_arena_copy(arena, xmtp_writer_bytes(w), &out));
    xmtp_writer_free(w);
    return out;
}

static void seal_handshake(const xmtp_mls_group *group, const xmtp_framed_content *content,
                           xmtp_writer *w)
{
    uint8_t signature[XMTP_SIGNATURE_MAX];
    xmtp_content_auth auth = {.signature = {.p = signature}};
    xmtp_message_key key;
    xmtp_secret_tree_change change;
    must(xmtp_group_sign(group, content, signature, &auth.signature.n));
    must(xmtp_secret_tree_next_key(&group->epochs[0].secret_tree, group->private_keys.leaf_index,
                                   XMTP_RATCHET_HANDSHAKE, &key, &change));
    must(xmtp_group_seal(group, content, &auth, &key, w));
    xmtp_secret_tree_change_free(&change);
}

xmtp_bytes forge_removal(const xmtp_mls_group *group, uint32_t leaf, xmtp_arena *arena)
{
    xmtp_writer raw;
    xmtp_writer w;
    xmtp_writer_init(&raw, group->alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&w, group->alloc, XMTP_WRITER_MAX);
    xmtp_writer_u16(&raw, XMTP_PROPOSAL_REMOVE);
    xmtp_writer_u32(&raw, leaf);
    xmtp_framed_content content = xmtp_group_frame(group, (xmtp_bytes){0});
    content.content =
        (xmtp_mls_content){.type = XMTP_CONTENT_PROPOSAL, .raw = xmtp_writer_bytes(&raw)};
    seal_handshake(group, &content, &w);
    xmtp_writer_free(&raw);
    return finish(&w, arena);
}

static void authenticate(const xmtp_mls_group *group, xmtp_authenticated_content *content,
                         uint8_t *signature, uint8_t *tag)
{
    content->auth.signature.p = signature;
    must(xmtp_framing_sign(group->suite, group->signature_sk, group->signature_pk,
                           XMTP_WIRE_PUBLIC_MESSAGE, &content->content, group->context.raw,
                           group->scratch, signature, &content->auth.signature.n));
    must(xmtp_membership_tag(group->suite, &group->secrets.membership_key, content,
                             group->context.raw, group->scratch, tag));
}

xmtp_bytes forge_public_message(const xmtp_mls_group *group, xmtp_bytes plaintext,
                                xmtp_arena *arena)
{
    uint8_t signature[XMTP_SIGNATURE_MAX];
    uint8_t tag[XMTP_HASH_MAX];
    xmtp_writer raw;
    xmtp_writer w;
    xmtp_writer_init(&raw, group->alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&w, group->alloc, XMTP_WRITER_MAX);
    xmtp_writer_vec(&raw, plaintext);
    xmtp_authenticated_content content = {.wire_format = XMTP_WIRE_PUBLIC_MESSAGE,
                                          .content = xmtp_group_frame(group, (xmtp_bytes){0})};
    content.content.content = (xmtp_mls_content){.type = XMTP_CONTENT_APPLICATION,
                                                 .raw = xmtp_writer_bytes(&raw),
                                                 .application_data = plaintext};
    authenticate(group, &content, signature, tag);
    xmtp_mls_message message = {.version = 1, .wire_format = XMTP_WIRE_PUBLIC_MESSAGE};
    message.u.public_message =
        (xmtp_public_message){.content = content.content,
                              .auth = content.auth,
                              .membership_tag = xmtp_bytes_of(tag, group->suite->hash->len)};
    xmtp_mls_message_encode(&w, &message);
    xmtp_writer_free(&raw);
    return finish(&w, arena);
}
