/* message.c - the framing and welcome structs of RFC 9420 sections 6 and 12.4.3, to bytes and back.
 *
 * Each decoder is a list of reads in the order of the RFC's struct; its encoder stands below it.
 */
#include "mls/message.h"
#include "base/bytes.h"
#include "base/status.h"

/* ---- Sender ---- */

static bool sender_has_index(uint8_t type)
{
    return type == XMTP_SENDER_MEMBER || type == XMTP_SENDER_EXTERNAL;
}

xmtp_status xmtp_sender_decode(xmtp_reader *r, xmtp_sender *out)
{
    *out = (xmtp_sender){0};
    XMTP_TRY(xmtp_reader_u8(r, &out->type));
    XMTP_ENSURE(out->type >= XMTP_SENDER_MEMBER && out->type <= XMTP_SENDER_NEW_MEMBER_COMMIT,
                XMTP_E_SENDER_TYPE);
    return sender_has_index(out->type) ? xmtp_reader_u32(r, &out->index) : XMTP_OK;
}

void xmtp_sender_encode(xmtp_writer *w, const xmtp_sender *sender)
{
    xmtp_writer_u8(w, sender->type);
    if (sender_has_index(sender->type)) {
        xmtp_writer_u32(w, sender->index);
    }
}

/* ---- content ---- */

xmtp_status xmtp_mls_content_decode(xmtp_reader *r, uint8_t type, xmtp_arena *arena,
                                    xmtp_mls_content *out)
{
    const xmtp_reader start = *r;
    out->type = type;
    switch (type) {
    case XMTP_CONTENT_APPLICATION:
        XMTP_TRY(xmtp_reader_vec(r, &out->application_data));
        break;
    case XMTP_CONTENT_PROPOSAL:
        XMTP_TRY(xmtp_proposal_decode(r, &out->proposal));
        break;
    case XMTP_CONTENT_COMMIT:
        XMTP_TRY(xmtp_commit_decode(r, arena, &out->commit));
        break;
    default:
        return XMTP_E_MALFORMED;
    }
    out->raw = xmtp_reader_since(r, &start);
    return XMTP_OK;
}

void xmtp_mls_content_encode(xmtp_writer *w, const xmtp_mls_content *content)
{
    xmtp_writer_put(w, content->raw);
}

/* ---- FramedContent ---- */

xmtp_status xmtp_framed_content_decode(xmtp_reader *r, xmtp_arena *arena, xmtp_framed_content *out)
{
    const xmtp_reader start = *r;
    uint8_t type;
    XMTP_TRY(xmtp_reader_vec(r, &out->group_id));
    XMTP_TRY(xmtp_reader_u64(r, &out->epoch));
    XMTP_TRY(xmtp_sender_decode(r, &out->sender));
    XMTP_TRY(xmtp_reader_vec(r, &out->authenticated_data));
    XMTP_TRY(xmtp_reader_u8(r, &type));
    XMTP_TRY(xmtp_mls_content_decode(r, type, arena, &out->content));
    out->raw = xmtp_reader_since(r, &start);
    return XMTP_OK;
}

void xmtp_framed_content_encode(xmtp_writer *w, const xmtp_framed_content *content)
{
    xmtp_writer_vec(w, content->group_id);
    xmtp_writer_u64(w, content->epoch);
    xmtp_sender_encode(w, &content->sender);
    xmtp_writer_vec(w, content->authenticated_data);
    xmtp_writer_u8(w, content->content.type);
    xmtp_mls_content_encode(w, &content->content);
}

/* ---- FramedContentAuthData ---- */

xmtp_status xmtp_content_auth_decode(xmtp_reader *r, uint8_t content_type, xmtp_content_auth *out)
{
    *out = (xmtp_content_auth){0};
    XMTP_TRY(xmtp_reader_vec(r, &out->signature));
    return content_type == XMTP_CONTENT_COMMIT ? xmtp_reader_vec(r, &out->confirmation_tag)
                                               : XMTP_OK;
}

void xmtp_content_auth_encode(xmtp_writer *w, uint8_t content_type, const xmtp_content_auth *auth)
{
    xmtp_writer_vec(w, auth->signature);
    if (content_type == XMTP_CONTENT_COMMIT) {
        xmtp_writer_vec(w, auth->confirmation_tag);
    }
}

/* ---- AuthenticatedContent ---- */

xmtp_status xmtp_authenticated_content_decode(xmtp_reader *r, xmtp_arena *arena,
                                              xmtp_authenticated_content *out)
{
    XMTP_TRY(xmtp_reader_u16(r, &out->wire_format));
    XMTP_TRY(xmtp_framed_content_decode(r, arena, &out->content));
    return xmtp_content_auth_decode(r, out->content.content.type, &out->auth);
}

void xmtp_authenticated_content_encode(xmtp_writer *w, const xmtp_authenticated_content *content)
{
    xmtp_writer_u16(w, content->wire_format);
    xmtp_framed_content_encode(w, &content->content);
    xmtp_content_auth_encode(w, content->content.content.type, &content->auth);
}

/* ---- PublicMessage ---- */

xmtp_status xmtp_public_message_decode(xmtp_reader *r, xmtp_arena *arena, xmtp_public_message *out)
{
    XMTP_TRY(xmtp_framed_content_decode(r, arena, &out->content));
    XMTP_TRY(xmtp_content_auth_decode(r, out->content.content.type, &out->auth));
    out->membership_tag = (xmtp_bytes){0};
    return out->content.sender.type == XMTP_SENDER_MEMBER ? xmtp_reader_vec(r, &out->membership_tag)
                                                          : XMTP_OK;
}

void xmtp_public_message_encode(xmtp_writer *w, const xmtp_public_message *message)
{
    xmtp_framed_content_encode(w, &message->content);
    xmtp_content_auth_encode(w, message->content.content.type, &message->auth);
    if (message->content.sender.type == XMTP_SENDER_MEMBER) {
        xmtp_writer_vec(w, message->membership_tag);
    }
}

/* ---- PrivateMessage ---- */

static bool content_type_is_known(uint8_t type)
{
    return type >= XMTP_CONTENT_APPLICATION && type <= XMTP_CONTENT_COMMIT;
}

xmtp_status xmtp_private_message_decode(xmtp_reader *r, xmtp_private_message *out)
{
    XMTP_TRY(xmtp_reader_vec(r, &out->group_id));
    XMTP_TRY(xmtp_reader_u64(r, &out->epoch));
    XMTP_TRY(xmtp_reader_u8(r, &out->content_type));
    XMTP_ENSURE(content_type_is_known(out->content_type), XMTP_E_MALFORMED);
    XMTP_TRY(xmtp_reader_vec(r, &out->authenticated_data));
    XMTP_TRY(xmtp_reader_vec(r, &out->encrypted_sender_data));
    return xmtp_reader_vec(r, &out->ciphertext);
}

void xmtp_private_message_encode(xmtp_writer *w, const xmtp_private_message *message)
{
    xmtp_private_content_aad_encode(w, message); /* has the same fields in the same order */
    xmtp_writer_vec(w, message->encrypted_sender_data);
    xmtp_writer_vec(w, message->ciphertext);
}

void xmtp_sender_data_aad_encode(xmtp_writer *w, const xmtp_private_message *message)
{
    xmtp_writer_vec(w, message->group_id);
    xmtp_writer_u64(w, message->epoch);
    xmtp_writer_u8(w, message->content_type);
}

void xmtp_private_content_aad_encode(xmtp_writer *w, const xmtp_private_message *message)
{
    xmtp_sender_data_aad_encode(w, message);
    xmtp_writer_vec(w, message->authenticated_data);
}

/* ---- SenderData ---- */

xmtp_status xmtp_sender_data_decode(xmtp_bytes in, xmtp_sender_data *out)
{
    xmtp_reader r = xmtp_reader_of(in);
    xmtp_bytes reuse_guard;
    XMTP_TRY(xmtp_reader_u32(&r, &out->leaf_index));
    XMTP_TRY(xmtp_reader_u32(&r, &out->generation));
    XMTP_TRY(xmtp_reader_take(&r, sizeof out->reuse_guard, &reuse_guard));
    memcpy(out->reuse_guard, reuse_guard.p, sizeof out->reuse_guard);
    return xmtp_reader_end(&r);
}

void xmtp_sender_data_encode(xmtp_writer *w, const xmtp_sender_data *data)
{
    xmtp_writer_u32(w, data->leaf_index);
    xmtp_writer_u32(w, data->generation);
    xmtp_writer_put(w, xmtp_bytes_of(data->reuse_guard, sizeof data->reuse_guard));
}

/* ---- PrivateMessageContent ---- */

static xmtp_status padding_check(const xmtp_reader *r)
{
    uint8_t any = 0;
    for (size_t i = 0; i < r->n; i++) {
        any |= r->p[i];
    }
    return any == 0 ? XMTP_OK : XMTP_E_MALFORMED;
}

xmtp_status xmtp_private_content_decode(xmtp_bytes plaintext, uint8_t content_type,
                                        xmtp_arena *arena, xmtp_mls_content *content,
                                        xmtp_content_auth *auth)
{
    xmtp_reader r = xmtp_reader_of(plaintext);
    XMTP_TRY(xmtp_mls_content_decode(&r, content_type, arena, content));
    XMTP_TRY(xmtp_content_auth_decode(&r, content_type, auth));
    return padding_check(&r);
}

void xmtp_private_content_encode(xmtp_writer *w, const xmtp_mls_content *content,
                                 const xmtp_content_auth *auth, size_t padding_len)
{
    xmtp_mls_content_encode(w, content);
    xmtp_content_auth_encode(w, content->type, auth);
    uint8_t *padding = xmtp_writer_extend(w, padding_len);
    if (padding != NULL) {
        memset(padding, 0, padding_len);
    }
}

/* ---- Welcome ---- */

xmtp_status xmtp_encrypted_group_secrets_decode(xmtp_reader *r, xmtp_encrypted_group_secrets *out)
{
    XMTP_TRY(xmtp_reader_vec(r, &out->new_member));
    return xmtp_hpke_ciphertext_decode(r, &out->encrypted_group_secrets);
}

void xmtp_encrypted_group_secrets_encode(xmtp_writer *w,
                                         const xmtp_encrypted_group_secrets *secrets)
{
    xmtp_writer_vec(w, secrets->new_member);
    xmtp_hpke_ciphertext_encode(w, &secrets->encrypted_group_secrets);
}

xmtp_status xmtp_welcome_decode(xmtp_reader *r, xmtp_welcome *out)
{
    XMTP_TRY(xmtp_reader_u16(r, &out->cipher_suite));
    XMTP_TRY(xmtp_reader_vec(r, &out->secrets));
    out->secret_count = 0;
    xmtp_reader list = xmtp_reader_of(out->secrets);
    while (list.n > 0) {
        xmtp_encrypted_group_secrets ignored;
        XMTP_TRY(xmtp_encrypted_group_secrets_decode(&list, &ignored));
        out->secret_count++;
    }
    return xmtp_reader_vec(r, &out->encrypted_group_info);
}

void xmtp_welcome_encode(xmtp_writer *w, const xmtp_welcome *welcome)
{
    xmtp_writer_u16(w, welcome->cipher_suite);
    xmtp_writer_vec(w, welcome->secrets);
    xmtp_writer_vec(w, welcome->encrypted_group_info);
}

xmtp_status xmtp_welcome_find(const xmtp_welcome *welcome, xmtp_bytes key_package_ref,
                              xmtp_encrypted_group_secrets *out)
{
    xmtp_reader list = xmtp_reader_of(welcome->secrets);
    while (list.n > 0) {
        xmtp_encrypted_group_secrets secrets;
        XMTP_TRY(xmtp_encrypted_group_secrets_decode(&list, &secrets));
        if (xmtp_bytes_equal(secrets.new_member, key_package_ref)) {
            *out = secrets;
            return XMTP_OK;
        }
    }
    return XMTP_E_NOT_FOR_US;
}

/* ---- GroupSecrets ---- */

static xmtp_status psks_decode(xmtp_reader *r, xmtp_arena *arena, xmtp_group_secrets *out)
{
    xmtp_reader list;
    XMTP_TRY(xmtp_reader_vec_open(r, &list));
    xmtp_psk_id psk;
    xmtp_reader counting = list;
    for (out->psk_count = 0; counting.n > 0; out->psk_count++) {
        XMTP_ENSURE(out->psk_count < XMTP_MLS_PSKS_MAX, XMTP_E_LIMIT);
        XMTP_TRY(xmtp_psk_id_decode(&counting, &psk));
    }
    void *items;
    XMTP_TRY(xmtp_arena_take_array(arena, out->psk_count, sizeof(xmtp_psk_id), &items));
    out->psks = items;
    for (size_t i = 0; i < out->psk_count; i++) {
        XMTP_TRY(xmtp_psk_id_decode(&list, &out->psks[i]));
    }
    return XMTP_OK;
}

xmtp_status xmtp_group_secrets_decode(xmtp_reader *r, xmtp_arena *arena, xmtp_group_secrets *out)
{
    uint8_t present;
    *out = (xmtp_group_secrets){0};
    XMTP_TRY(xmtp_reader_vec(r, &out->joiner_secret));
    XMTP_TRY(xmtp_reader_u8(r, &present));
    XMTP_ENSURE(present <= 1, XMTP_E_MALFORMED);
    out->has_path_secret = present == 1;
    if (out->has_path_secret) {
        XMTP_TRY(xmtp_reader_vec(r, &out->path_secret));
    }
    return psks_decode(r, arena, out);
}

void xmtp_group_secrets_encode(xmtp_writer *w, const xmtp_group_secrets *secrets)
{
    xmtp_writer_vec(w, secrets->joiner_secret);
    xmtp_writer_u8(w, secrets->has_path_secret ? 1 : 0);
    if (secrets->has_path_secret) {
        xmtp_writer_vec(w, secrets->path_secret);
    }
    size_t mark = xmtp_writer_vec_open(w);
    for (size_t i = 0; i < secrets->psk_count; i++) {
        xmtp_psk_id_encode(w, &secrets->psks[i]);
    }
    xmtp_writer_vec_close(w, mark);
}

/* ---- MLSMessage ---- */

static xmtp_status body_decode(xmtp_reader *r, xmtp_arena *arena, xmtp_mls_message *out)
{
    switch (out->wire_format) {
    case XMTP_WIRE_PUBLIC_MESSAGE:
        return xmtp_public_message_decode(r, arena, &out->u.public_message);
    case XMTP_WIRE_PRIVATE_MESSAGE:
        return xmtp_private_message_decode(r, &out->u.private_message);
    case XMTP_WIRE_WELCOME:
        return xmtp_welcome_decode(r, &out->u.welcome);
    case XMTP_WIRE_GROUP_INFO:
        return xmtp_group_info_decode(r, &out->u.group_info);
    case XMTP_WIRE_KEY_PACKAGE:
        return xmtp_key_package_decode(r, &out->u.key_package);
    }
    return XMTP_E_WIRE_FORMAT;
}

xmtp_status xmtp_mls_message_decode(xmtp_bytes in, xmtp_arena *arena, xmtp_mls_message *out)
{
    xmtp_reader r = xmtp_reader_of(in);
    XMTP_TRY(xmtp_reader_u16(&r, &out->version));
    XMTP_ENSURE(out->version == XMTP_PROTOCOL_MLS10, XMTP_E_VERSION);
    XMTP_TRY(xmtp_reader_u16(&r, &out->wire_format));
    XMTP_TRY(body_decode(&r, arena, out));
    return xmtp_reader_end(&r);
}

void xmtp_mls_message_header_encode(xmtp_writer *w, xmtp_wire_format wire_format)
{
    xmtp_writer_u16(w, XMTP_PROTOCOL_MLS10);
    xmtp_writer_u16(w, (uint16_t)wire_format);
}

void xmtp_mls_message_encode(xmtp_writer *w, const xmtp_mls_message *message)
{
    xmtp_mls_message_header_encode(w, (xmtp_wire_format)message->wire_format);
    switch (message->wire_format) {
    case XMTP_WIRE_PUBLIC_MESSAGE:
        xmtp_public_message_encode(w, &message->u.public_message);
        return;
    case XMTP_WIRE_PRIVATE_MESSAGE:
        xmtp_private_message_encode(w, &message->u.private_message);
        return;
    case XMTP_WIRE_WELCOME:
        xmtp_welcome_encode(w, &message->u.welcome);
        return;
    case XMTP_WIRE_GROUP_INFO:
        xmtp_group_info_encode(w, &message->u.group_info);
        return;
    case XMTP_WIRE_KEY_PACKAGE:
        xmtp_key_package_encode(w, &message->u.key_package);
        return;
    }
}
