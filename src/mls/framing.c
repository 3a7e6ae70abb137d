/* framing.c - the cryptography of FramedContent. RFC 9420 section 6.
 *
 *     PrivateMessage
 *     +----------------------------+--------------------------+---------------------------+
 *     | group_id epoch type aad    | encrypted_sender_data    | ciphertext                |
 *     +----------------------------+--------------------------+---------------------------+
 *       in the clear, and           leaf, generation, guard:    content, signature, tag:
 *       associated data of both     key from a sample of ------> key from the sender's ratchet,
 *                                   the ciphertext              nonce xor guard
 */
#include "mls/framing.h"

#include "base/bytes.h"
#include "base/status.h"

void xmtp_framing_scratch_init(xmtp_framing_scratch *scratch, const xmtp_alloc *alloc)
{
    xmtp_writer_init(&scratch->tbs, alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&scratch->label, alloc, XMTP_WRITER_MAX);
}

void xmtp_framing_scratch_free(xmtp_framing_scratch *scratch)
{
    xmtp_writer_free(&scratch->tbs);
    xmtp_writer_free(&scratch->label);
}

void xmtp_framing_scratch_trim(xmtp_framing_scratch *scratch, size_t keep_max)
{
    xmtp_writer_trim(&scratch->tbs, keep_max);
    xmtp_writer_trim(&scratch->label, keep_max);
}

/* ---- signatures and tags ---- */

static void put_content(xmtp_writer *w, const xmtp_framed_content *content)
{
    if (content->raw.n > 0) {
        xmtp_writer_put(w, content->raw);
    } else {
        xmtp_framed_content_encode(w, content);
    }
}

void xmtp_framed_content_tbs_encode(xmtp_writer *w, uint16_t wire_format,
                                    const xmtp_framed_content *content, xmtp_bytes group_context)
{
    size_t n = content->raw.n > 0 ? content->raw.n
                                  : content->content.raw.n + content->authenticated_data.n + 256;
    xmtp_writer_reserve(w, n + group_context.n + 16);
    xmtp_writer_u16(w, XMTP_PROTOCOL_MLS10);
    xmtp_writer_u16(w, wire_format);
    put_content(w, content);
    if (content->sender.type == XMTP_SENDER_MEMBER ||
        content->sender.type == XMTP_SENDER_NEW_MEMBER_COMMIT) {
        xmtp_writer_put(w, group_context);
    }
}

xmtp_status xmtp_framing_sign(const xmtp_suite *suite, const uint8_t *sk, const uint8_t *pk,
                              uint16_t wire_format, const xmtp_framed_content *content,
                              xmtp_bytes group_context, xmtp_framing_scratch *scratch,
                              uint8_t *signature, size_t *signature_len)
{
    xmtp_writer_clear(&scratch->tbs);
    xmtp_framed_content_tbs_encode(&scratch->tbs, wire_format, content, group_context);
    XMTP_TRY(xmtp_writer_status(&scratch->tbs));
    return xmtp_sign_with_label(suite, sk, pk, "FramedContentTBS", xmtp_writer_bytes(&scratch->tbs),
                                &scratch->label, signature, signature_len);
}

xmtp_status xmtp_framing_verify(const xmtp_suite *suite, xmtp_bytes pk,
                                const xmtp_authenticated_content *content, xmtp_bytes group_context,
                                xmtp_framing_scratch *scratch)
{
    xmtp_writer_clear(&scratch->tbs);
    xmtp_framed_content_tbs_encode(&scratch->tbs, content->wire_format, &content->content,
                                   group_context);
    XMTP_TRY(xmtp_writer_status(&scratch->tbs));
    return xmtp_verify_with_label(suite, pk, "FramedContentTBS", xmtp_writer_bytes(&scratch->tbs),
                                  content->auth.signature, &scratch->label);
}

xmtp_status xmtp_membership_tag(const xmtp_suite *suite, const xmtp_secret *membership_key,
                                const xmtp_authenticated_content *content, xmtp_bytes group_context,
                                xmtp_framing_scratch *scratch, uint8_t *out)
{
    xmtp_writer *tbm = &scratch->tbs;
    xmtp_writer_clear(tbm);
    xmtp_framed_content_tbs_encode(tbm, content->wire_format, &content->content, group_context);
    xmtp_content_auth_encode(tbm, content->content.content.type, &content->auth);
    XMTP_TRY(xmtp_writer_status(tbm));
    xmtp_hmac_of(suite->hash, xmtp_secret_bytes(membership_key), xmtp_writer_bytes(tbm), out);
    return XMTP_OK;
}

/* ---- private messages ---- */

xmtp_status xmtp_sender_data_key(const xmtp_suite *suite, const xmtp_secret *sender_data_secret,
                                 xmtp_bytes ciphertext, uint8_t *key, uint8_t *nonce)
{
    size_t n = ciphertext.n < suite->hash->len ? ciphertext.n : suite->hash->len;
    xmtp_bytes sample = xmtp_bytes_of(ciphertext.p, n);
    xmtp_hmac keyed;
    xmtp_hmac_init(&keyed, suite->hash, xmtp_secret_bytes(sender_data_secret));
    xmtp_status status = xmtp_expand_keyed(&keyed, "key", sample, key, suite->aead->key_len);
    if (status == XMTP_OK) {
        status = xmtp_expand_keyed(&keyed, "nonce", sample, nonce, suite->aead->nonce_len);
    }
    xmtp_wipe(&keyed, sizeof keyed);
    return status;
}

static void guarded_nonce(const xmtp_suite *suite, const xmtp_message_key *key,
                          const uint8_t reuse_guard[4], uint8_t *out)
{
    memcpy(out, key->nonce, suite->aead->nonce_len);
    for (size_t i = 0; i < 4; i++) {
        out[i] ^= reuse_guard[i];
    }
}

/* Leaves the ciphertext in scratch->tbs, encrypted in place. */
static xmtp_status seal_content(const xmtp_suite *suite, const xmtp_private_message *header,
                                const xmtp_mls_content *content, const xmtp_content_auth *auth,
                                size_t padding_len, const xmtp_message_key *key,
                                const uint8_t reuse_guard[4], xmtp_framing_scratch *scratch)
{
    uint8_t nonce[XMTP_AEAD_NONCE_MAX];
    xmtp_writer *w = &scratch->tbs;
    xmtp_writer_clear(w);
    xmtp_private_content_encode(w, content, auth, padding_len);
    size_t n = xmtp_writer_bytes(w).n;
    xmtp_writer_extend(w, suite->aead->tag_len);
    XMTP_TRY(xmtp_writer_status(w));

    xmtp_writer_clear(&scratch->label);
    xmtp_private_content_aad_encode(&scratch->label, header);
    XMTP_TRY(xmtp_writer_status(&scratch->label));
    guarded_nonce(suite, key, reuse_guard, nonce);
    return suite->aead->seal(key->key, nonce, xmtp_writer_bytes(&scratch->label),
                             xmtp_bytes_of(w->p, n), w->p);
}

/* out: XMTP_SENDER_DATA_LEN + tag_len bytes. */
static xmtp_status seal_sender_data(const xmtp_suite *suite, const xmtp_private_message *header,
                                    const xmtp_sender_data *data,
                                    const xmtp_secret *sender_data_secret,
                                    xmtp_framing_scratch *scratch, uint8_t *out)
{
    uint8_t key[XMTP_AEAD_KEY_MAX];
    uint8_t nonce[XMTP_AEAD_NONCE_MAX];
    xmtp_writer *w = &scratch->label;
    xmtp_writer_clear(w);
    xmtp_sender_data_encode(w, data);
    xmtp_sender_data_aad_encode(w, header);
    XMTP_TRY(xmtp_writer_status(w));
    xmtp_bytes both = xmtp_writer_bytes(w);

    xmtp_status status =
        xmtp_sender_data_key(suite, sender_data_secret, header->ciphertext, key, nonce);
    if (status == XMTP_OK) {
        status = suite->aead->seal(
            key, nonce, xmtp_bytes_of(both.p + XMTP_SENDER_DATA_LEN, both.n - XMTP_SENDER_DATA_LEN),
            xmtp_bytes_of(both.p, XMTP_SENDER_DATA_LEN), out);
    }
    xmtp_wipe(key, sizeof key);
    xmtp_wipe(nonce, sizeof nonce);
    return status;
}

xmtp_status xmtp_private_message_seal(const xmtp_suite *suite, const xmtp_framed_content *content,
                                      const xmtp_content_auth *auth, size_t padding_len,
                                      const xmtp_message_key *key, const uint8_t reuse_guard[4],
                                      const xmtp_secret *sender_data_secret,
                                      xmtp_framing_scratch *scratch, xmtp_writer *out)
{
    XMTP_ENSURE(content->sender.type == XMTP_SENDER_MEMBER, XMTP_E_SENDER);
    uint8_t sealed[XMTP_SENDER_DATA_LEN + XMTP_AEAD_TAG_MAX];
    xmtp_private_message message = {.group_id = content->group_id,
                                    .epoch = content->epoch,
                                    .content_type = content->content.type,
                                    .authenticated_data = content->authenticated_data};
    xmtp_sender_data data = {.leaf_index = content->sender.index, .generation = key->generation};
    memcpy(data.reuse_guard, reuse_guard, sizeof data.reuse_guard);

    XMTP_TRY(seal_content(suite, &message, &content->content, auth, padding_len, key, reuse_guard,
                          scratch));
    message.ciphertext = xmtp_writer_bytes(&scratch->tbs);
    XMTP_TRY(seal_sender_data(suite, &message, &data, sender_data_secret, scratch, sealed));
    message.encrypted_sender_data =
        xmtp_bytes_of(sealed, XMTP_SENDER_DATA_LEN + suite->aead->tag_len);

    xmtp_mls_message_header_encode(out, XMTP_WIRE_PRIVATE_MESSAGE);
    xmtp_private_message_encode(out, &message);
    return xmtp_writer_status(out);
}

xmtp_status xmtp_sender_data_open(const xmtp_suite *suite, const xmtp_secret *sender_data_secret,
                                  const xmtp_private_message *message,
                                  xmtp_framing_scratch *scratch, xmtp_sender_data *out)
{
    uint8_t key[XMTP_AEAD_KEY_MAX];
    uint8_t nonce[XMTP_AEAD_NONCE_MAX];
    uint8_t plaintext[XMTP_SENDER_DATA_LEN];
    XMTP_ENSURE(message->encrypted_sender_data.n == XMTP_SENDER_DATA_LEN + suite->aead->tag_len,
                XMTP_E_LENGTH);
    xmtp_writer_clear(&scratch->label);
    xmtp_sender_data_aad_encode(&scratch->label, message);
    XMTP_TRY(xmtp_writer_status(&scratch->label));

    xmtp_status status =
        xmtp_sender_data_key(suite, sender_data_secret, message->ciphertext, key, nonce);
    if (status == XMTP_OK) {
        status = suite->aead->open(key, nonce, xmtp_writer_bytes(&scratch->label),
                                   message->encrypted_sender_data, plaintext);
    }
    if (status == XMTP_OK) {
        status = xmtp_sender_data_decode(xmtp_bytes_of(plaintext, sizeof plaintext), out);
    }
    xmtp_wipe(key, sizeof key);
    xmtp_wipe(nonce, sizeof nonce);
    return status;
}

xmtp_status xmtp_private_message_open(const xmtp_suite *suite, const xmtp_private_message *message,
                                      const xmtp_message_key *key, const uint8_t reuse_guard[4],
                                      xmtp_framing_scratch *scratch, uint8_t *plaintext)
{
    uint8_t nonce[XMTP_AEAD_NONCE_MAX];
    XMTP_ENSURE(message->ciphertext.n >= suite->aead->tag_len, XMTP_E_LENGTH);
    xmtp_writer_clear(&scratch->label);
    xmtp_private_content_aad_encode(&scratch->label, message);
    XMTP_TRY(xmtp_writer_status(&scratch->label));
    guarded_nonce(suite, key, reuse_guard, nonce);
    return suite->aead->open(key->key, nonce, xmtp_writer_bytes(&scratch->label),
                             message->ciphertext, plaintext);
}
