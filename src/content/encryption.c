/* encryption.c - files for upload: AES-256-GCM under a key of their own (groups.md 5.3).
 *
 *     key = HKDF-SHA256(ikm = secret, salt, info = "")        digest = SHA-256(ciphertext)
 *     ciphertext = AES-256-GCM(key, nonce, no aad, EncodedContent of the attachment)
 */
#include "content/codec.h"

#include "base/bytes.h"
#include "base/status.h"
#include "crypto/crypto.h"

static const xmtp_env *or_system(const xmtp_env *env)
{
    return env == NULL ? xmtp_env_system() : env;
}

static xmtp_status derive_key(xmtp_bytes secret, xmtp_bytes salt, uint8_t key[XMTP_AEAD_KEY_MAX])
{
    xmtp_secret prk;
    xmtp_hkdf_extract(&xmtp_hash_sha256, salt, secret, &prk);
    xmtp_status status = xmtp_hkdf_expand(&xmtp_hash_sha256, xmtp_secret_bytes(&prk),
                                          (xmtp_bytes){0}, key, XMTP_AEAD_KEY_MAX);
    xmtp_secret_wipe(&prk);
    return status;
}

static void digest_hex(xmtp_bytes payload, char out[XMTP_ATTACHMENT_DIGEST_HEX + 1])
{
    uint8_t digest[32];
    xmtp_hash_of(&xmtp_hash_sha256, payload, digest);
    xmtp_hex_encode(out, xmtp_bytes_of(digest, sizeof(digest)));
}

/* ---- encrypting */

/* Encrypts in place what the writer holds, and hands it over. */
static xmtp_status seal(xmtp_writer *w, xmtp_encrypted_attachment *out)
{
    const xmtp_aead *aead = &xmtp_aead_aes256gcm;
    uint8_t key[XMTP_AEAD_KEY_MAX];
    size_t n = w->n;
    XMTP_ENSURE(xmtp_writer_extend(w, aead->tag_len) != NULL, xmtp_writer_status(w));
    XMTP_TRY(derive_key(xmtp_bytes_of(out->secret, sizeof(out->secret)),
                        xmtp_bytes_of(out->salt, sizeof(out->salt)), key));
    xmtp_status status = aead->seal(key, out->nonce, (xmtp_bytes){0}, xmtp_bytes_of(w->p, n), w->p);
    xmtp_wipe(key, sizeof(key));
    XMTP_TRY(status);
    digest_hex(xmtp_writer_bytes(w), out->content_digest);
    return xmtp_writer_detach(w, &out->payload, &out->payload_len);
}

xmtp_status xmtp_attachment_encrypt(const xmtp_attachment *attachment, const xmtp_env *env,
                                    xmtp_encrypted_attachment *out, xmtp_error *error)
{
    const xmtp_env *e = or_system(env);
    xmtp_content content = {.type = XMTP_CONTENT_ATTACHMENT, .attachment = *attachment};
    *out = (xmtp_encrypted_attachment){.payload = NULL};
    if (e->random(e->context, out->secret, sizeof(out->secret)) != XMTP_OK ||
        e->random(e->context, out->salt, sizeof(out->salt)) != XMTP_OK ||
        e->random(e->context, out->nonce, sizeof(out->nonce)) != XMTP_OK) {
        xmtp_encrypted_attachment_wipe(env, out);
        return xmtp_fail(error, XMTP_E_RANDOM, "no randomness for the key of an attachment");
    }
    xmtp_writer w;
    xmtp_writer_init(&w, &e->alloc, (size_t)2 * XMTP_CONTENT_LEN_MAX);
    xmtp_status status = xmtp_content_write(&w, &content, error);
    if (status == XMTP_OK) {
        status = seal(&w, out);
    }
    xmtp_writer_free(&w);
    if (status != XMTP_OK) {
        xmtp_encrypted_attachment_wipe(env, out);
        return xmtp_fail_default(error, status, "the attachment could not be encrypted");
    }
    return XMTP_OK;
}

void xmtp_encrypted_attachment_wipe(const xmtp_env *env, xmtp_encrypted_attachment *e)
{
    xmtp_content_bytes_free(env, e->payload, e->payload_len);
    xmtp_wipe(e, sizeof(*e));
}

xmtp_content xmtp_encrypted_attachment_content(const xmtp_encrypted_attachment *e, const char *url,
                                               const char *filename)
{
    return (xmtp_content){
        .type = XMTP_CONTENT_REMOTE_ATTACHMENT,
        .remote_attachment = {.url = url,
                              .scheme = "https://",
                              .content_digest = e->content_digest,
                              .secret = xmtp_bytes_of(e->secret, sizeof(e->secret)),
                              .salt = xmtp_bytes_of(e->salt, sizeof(e->salt)),
                              .nonce = xmtp_bytes_of(e->nonce, sizeof(e->nonce)),
                              .content_length = e->payload_len,
                              .filename = filename}};
}

/* ---- decrypting */

static xmtp_status check(const xmtp_remote_attachment *remote, xmtp_bytes payload,
                         xmtp_error *error)
{
    char digest[XMTP_ATTACHMENT_DIGEST_HEX + 1];
    if (remote->secret.n != XMTP_ATTACHMENT_SECRET_LEN ||
        remote->salt.n != XMTP_ATTACHMENT_SALT_LEN ||
        remote->nonce.n != XMTP_ATTACHMENT_NONCE_LEN) {
        return xmtp_fail(error, XMTP_E_LENGTH,
                         "secret, salt and nonce of an attachment have %zu, %zu, %zu bytes",
                         remote->secret.n, remote->salt.n, remote->nonce.n);
    }
    if (remote->content_length != 0 && remote->content_length != payload.n) {
        return xmtp_fail(error, XMTP_E_AUTH, "the file has %zu bytes, %llu were announced",
                         payload.n, (unsigned long long)remote->content_length);
    }
    digest_hex(payload, digest);
    if (remote->content_digest == NULL || strcmp(digest, remote->content_digest) != 0) {
        return xmtp_fail(error, XMTP_E_AUTH, "the file's digest is not the announced one");
    }
    return XMTP_OK;
}

static xmtp_status open_payload(const xmtp_remote_attachment *remote, xmtp_bytes payload,
                                xmtp_writer *w)
{
    const xmtp_aead *aead = &xmtp_aead_aes256gcm;
    uint8_t key[XMTP_AEAD_KEY_MAX];
    XMTP_ENSURE(payload.n >= aead->tag_len, XMTP_E_AUTH);
    uint8_t *plain = xmtp_writer_extend(w, payload.n - aead->tag_len);
    XMTP_ENSURE(plain != NULL || payload.n == aead->tag_len, xmtp_writer_status(w));
    XMTP_TRY(derive_key(remote->secret, remote->salt, key));
    xmtp_status status = aead->open(key, remote->nonce.p, (xmtp_bytes){0}, payload, plain);
    xmtp_wipe(key, sizeof(key));
    return status;
}

xmtp_status xmtp_attachment_decrypt(const xmtp_remote_attachment *remote, xmtp_bytes payload,
                                    const xmtp_env *env, xmtp_content **out, xmtp_error *error)
{
    xmtp_writer w;
    *out = NULL;
    XMTP_TRY(check(remote, payload, error));
    xmtp_writer_init(&w, &or_system(env)->alloc, (size_t)2 * XMTP_CONTENT_LEN_MAX);
    xmtp_status status = open_payload(remote, payload, &w);
    if (status == XMTP_OK) {
        status = xmtp_content_decode(xmtp_writer_bytes(&w), env, out, error);
    }
    xmtp_writer_free(&w);
    if (status == XMTP_OK && (*out)->type != XMTP_CONTENT_ATTACHMENT) {
        xmtp_content_free(*out);
        *out = NULL;
        return xmtp_fail(error, XMTP_E_CONTENT, "the file does not hold an attachment");
    }
    return status == XMTP_OK ? XMTP_OK
                             : xmtp_fail_default(error, status, "the file cannot be opened");
}
