/* label.c - the labelled functions of RFC 9420.
 *
 *     KDFLabel        = uint16 length, label<V>, context<V>        section 8
 *     SignContent     = label<V>, content<V>                       section 5.1.2
 *     EncryptContext  = label<V>, context<V>                       section 5.1.3
 *     RefHashInput    = label<V>, value<V>                         section 5.2
 *
 * Hash inputs are streamed piece by piece, so that a GroupContext of any size is never copied;
 * only what a signature or HPKE needs in one piece is built in the caller's scratch writer.
 */
#include "mls/label.h"
#include "base/bytes.h"
#include "base/status.h"

static const char PREFIX[] = "MLS 1.0 ";
enum { PREFIX_LEN = sizeof PREFIX - 1, VARINT_MAX = 4 };

/* The length prefix of section 2.1.2 for a length below 2^30; returns its own length. */
static size_t varint_put(uint8_t *out, size_t n)
{
    if (n < 0x40) {
        out[0] = (uint8_t)n;
        return 1;
    }
    if (n < 0x4000) {
        out[0] = (uint8_t)(0x40 | (n >> 8));
        out[1] = (uint8_t)n;
        return 2;
    }
    out[0] = (uint8_t)(0x80 | (n >> 24));
    out[1] = (uint8_t)(n >> 16);
    out[2] = (uint8_t)(n >> 8);
    out[3] = (uint8_t)n;
    return 4;
}

/* ---- RefHash ---- */

static void hash_vec(const xmtp_hash *hash, xmtp_hash_context *c, xmtp_bytes bytes)
{
    uint8_t prefix[VARINT_MAX];
    hash->update(c, prefix, varint_put(prefix, bytes.n));
    hash->update(c, bytes.p, bytes.n);
}

void xmtp_ref_hash(const xmtp_suite *suite, const char *label, xmtp_bytes value, uint8_t *out)
{
    xmtp_hash_context c;
    suite->hash->init(&c);
    hash_vec(suite->hash, &c, xmtp_bytes_of_string(label));
    hash_vec(suite->hash, &c, value);
    suite->hash->final(&c, out);
}

void xmtp_key_package_ref(const xmtp_suite *suite, xmtp_bytes key_package, uint8_t *out)
{
    xmtp_ref_hash(suite, "MLS 1.0 KeyPackage Reference", key_package, out);
}

void xmtp_proposal_ref(const xmtp_suite *suite, xmtp_bytes authenticated_content, uint8_t *out)
{
    xmtp_ref_hash(suite, "MLS 1.0 Proposal Reference", authenticated_content, out);
}

/* ---- ExpandWithLabel ---- */

/* Feeds KDFLabel, the info of HKDF-Expand. */
static void feed_kdf_label(xmtp_hmac *m, size_t out_len, const char *label, xmtp_bytes context)
{
    uint8_t head[2 + VARINT_MAX];
    head[0] = (uint8_t)(out_len >> 8);
    head[1] = (uint8_t)out_len;
    size_t head_len = 2 + varint_put(head + 2, PREFIX_LEN + strlen(label));
    uint8_t prefix[VARINT_MAX];
    xmtp_hmac_update(m, xmtp_bytes_of(head, head_len));
    xmtp_hmac_update(m, xmtp_bytes_of(PREFIX, PREFIX_LEN));
    xmtp_hmac_update(m, xmtp_bytes_of_string(label));
    xmtp_hmac_update(m, xmtp_bytes_of(prefix, varint_put(prefix, context.n)));
    xmtp_hmac_update(m, context);
}

xmtp_status xmtp_expand_keyed(const xmtp_hmac *keyed, const char *label, xmtp_bytes context,
                              uint8_t *out, size_t out_len)
{
    const size_t block_len = keyed->hash->len;
    XMTP_ENSURE(out_len <= 255 * block_len && out_len <= UINT16_MAX, XMTP_E_LENGTH);
    XMTP_ENSURE(context.n < XMTP_WRITER_MAX, XMTP_E_LENGTH);
    uint8_t block[XMTP_HASH_MAX];
    size_t done = 0;
    for (uint8_t counter = 1; done < out_len; counter++) { /* RFC 5869 section 2.3 */
        xmtp_hmac m = *keyed;
        if (counter > 1) {
            xmtp_hmac_update(&m, xmtp_bytes_of(block, block_len));
        }
        feed_kdf_label(&m, out_len, label, context);
        xmtp_hmac_update(&m, xmtp_bytes_of(&counter, 1));
        xmtp_hmac_final(&m, block);
        size_t n = out_len - done < block_len ? out_len - done : block_len;
        memcpy(out + done, block, n);
        done += n;
    }
    xmtp_wipe(block, sizeof block);
    return XMTP_OK;
}

xmtp_status xmtp_expand_with_label(const xmtp_suite *suite, xmtp_bytes secret, const char *label,
                                   xmtp_bytes context, uint8_t *out, size_t out_len)
{
    xmtp_hmac keyed;
    xmtp_hmac_init(&keyed, suite->hash, secret);
    xmtp_status status = xmtp_expand_keyed(&keyed, label, context, out, out_len);
    xmtp_wipe(&keyed, sizeof keyed);
    return status;
}

xmtp_status xmtp_derive_secret(const xmtp_suite *suite, const xmtp_secret *secret,
                               const char *label, xmtp_secret *out)
{
    xmtp_hmac keyed;
    xmtp_hmac_init(&keyed, suite->hash, xmtp_secret_bytes(secret));
    out->n = suite->hash->len;
    xmtp_status status = xmtp_expand_keyed(&keyed, label, (xmtp_bytes){0}, out->p, out->n);
    xmtp_wipe(&keyed, sizeof keyed);
    return status;
}

xmtp_status xmtp_derive_tree_secret(const xmtp_suite *suite, xmtp_bytes secret, const char *label,
                                    uint32_t generation, uint8_t *out, size_t out_len)
{
    const uint8_t context[4] = {(uint8_t)(generation >> 24), (uint8_t)(generation >> 16),
                                (uint8_t)(generation >> 8), (uint8_t)generation};
    return xmtp_expand_with_label(suite, secret, label, xmtp_bytes_of(context, sizeof context), out,
                                  out_len);
}

/* ---- signatures and public-key encryption ---- */

void xmtp_labelled_content(xmtp_writer *w, const char *label, xmtp_bytes content)
{
    size_t mark = xmtp_writer_vec_open(w);
    xmtp_writer_put(w, xmtp_bytes_of(PREFIX, PREFIX_LEN));
    xmtp_writer_put(w, xmtp_bytes_of_string(label));
    xmtp_writer_vec_close(w, mark);
    xmtp_writer_vec(w, content);
}

static xmtp_status build(xmtp_writer *scratch, const char *label, xmtp_bytes content,
                         xmtp_bytes *out)
{
    xmtp_writer_clear(scratch);
    xmtp_writer_reserve(scratch, content.n + 64);
    xmtp_labelled_content(scratch, label, content);
    *out = xmtp_writer_bytes(scratch);
    return xmtp_writer_status(scratch);
}

xmtp_status xmtp_sign_with_label(const xmtp_suite *suite, const uint8_t *sk, const uint8_t *pk,
                                 const char *label, xmtp_bytes content, xmtp_writer *scratch,
                                 uint8_t *signature, size_t *signature_len)
{
    xmtp_bytes message;
    XMTP_TRY(build(scratch, label, content, &message));
    return suite->signature->sign(sk, pk, message, signature, signature_len);
}

xmtp_status xmtp_verify_with_label(const xmtp_suite *suite, xmtp_bytes pk, const char *label,
                                   xmtp_bytes content, xmtp_bytes signature, xmtp_writer *scratch)
{
    xmtp_bytes message;
    XMTP_TRY(build(scratch, label, content, &message));
    return suite->signature->verify(pk, message, signature);
}

xmtp_status xmtp_encrypt_with_label(const xmtp_suite *suite, const uint8_t *pk, const char *label,
                                    xmtp_bytes context, xmtp_bytes plaintext, const uint8_t *seed,
                                    xmtp_writer *scratch, uint8_t *kem_output, uint8_t *ciphertext)
{
    xmtp_bytes info;
    const xmtp_hpke_letter letter = {.pk = pk,
                                     .seed = seed,
                                     .plaintext = plaintext,
                                     .enc = kem_output,
                                     .ciphertext = ciphertext};
    XMTP_TRY(build(scratch, label, context, &info));
    return xmtp_hpke_seal_many(suite, info, &letter, 1);
}

xmtp_status xmtp_decrypt_with_label(const xmtp_suite *suite, const uint8_t *sk, const uint8_t *pk,
                                    const char *label, xmtp_bytes context, xmtp_bytes kem_output,
                                    xmtp_bytes ciphertext, xmtp_writer *scratch, uint8_t *out)
{
    xmtp_bytes info;
    XMTP_TRY(build(scratch, label, context, &info));
    xmtp_hpke c;
    XMTP_TRY(xmtp_hpke_setup_receiver(&c, suite, sk, pk, kem_output, info));
    xmtp_status status = xmtp_hpke_open(&c, (xmtp_bytes){0}, ciphertext, out);
    xmtp_hpke_wipe(&c);
    return status;
}

/* ---- letters to many receivers ---- */

xmtp_status xmtp_letters_init(xmtp_letters *out, const xmtp_suite *suite, size_t capacity,
                              xmtp_arena *arena)
{
    *out = (xmtp_letters){.suite = suite, .arena = arena, .capacity = capacity};
    return xmtp_arena_take_array(arena, capacity, sizeof *out->items, (void **)&out->items);
}

/* seed, enc and ciphertext of one letter lie in one piece of the arena; the plaintext waits where
 * its ciphertext will be. */
xmtp_status xmtp_letters_put(xmtp_letters *letters, const xmtp_env *env, xmtp_bytes pk,
                             xmtp_bytes plaintext)
{
    const xmtp_suite *suite = letters->suite;
    const size_t head_len = suite->kem->seed_len + suite->kem->enc_len;
    uint8_t *seed;
    XMTP_ENSURE(pk.n == suite->kem->pk_len, XMTP_E_KEY);
    XMTP_ENSURE(letters->count < letters->capacity, XMTP_E_LIMIT);
    XMTP_TRY(xmtp_arena_take(letters->arena, head_len + plaintext.n + suite->aead->tag_len,
                             (void **)&seed));
    XMTP_TRY(env->random(env->context, seed, suite->kem->seed_len));
    memcpy(seed + head_len, plaintext.p, plaintext.n);
    letters->items[letters->count++] =
        (xmtp_hpke_letter){.pk = pk.p,
                           .seed = seed,
                           .plaintext = xmtp_bytes_of(seed + head_len, plaintext.n),
                           .enc = seed + suite->kem->seed_len,
                           .ciphertext = seed + head_len};
    return XMTP_OK;
}

xmtp_status xmtp_letters_seal(xmtp_letters *letters, const char *label, xmtp_bytes context)
{
    xmtp_bytes info;
    xmtp_writer scratch;
    xmtp_writer_init(&scratch, letters->arena->alloc, XMTP_WRITER_MAX);
    xmtp_status status = build(&scratch, label, context, &info);
    if (status == XMTP_OK) {
        status = xmtp_hpke_seal_many(letters->suite, info, letters->items, letters->count);
    }
    xmtp_writer_free(&scratch);
    return status;
}

xmtp_bytes xmtp_letters_kem_output(const xmtp_letters *letters, size_t i)
{
    return xmtp_bytes_of(letters->items[i].enc, letters->suite->kem->enc_len);
}

xmtp_bytes xmtp_letters_ciphertext(const xmtp_letters *letters, size_t i)
{
    return xmtp_bytes_of(letters->items[i].ciphertext,
                         letters->items[i].plaintext.n + letters->suite->aead->tag_len);
}
