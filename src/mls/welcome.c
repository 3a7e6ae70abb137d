/* welcome.c - how members who are added learn the secrets of their first epoch.
 * RFC 9420 section 12.4.3.1.
 *
 *     Welcome
 *     +--------------------------------------+---------------------------------------+
 *     | for each new member:                 | GroupInfo: context, tree, tag, signed |
 *     |   its KeyPackageRef                  | AEAD with key from welcome_secret     |
 *     |   joiner_secret, path_secret, HPKE   |                                       |
 *     |   to its init_key --------------------> welcome_secret                       |
 *     +--------------------------------------+---------------------------------------+
 *
 * The HPKE context binds each entry to the encrypted GroupInfo; it is built once for all entries.
 */
#include "mls/welcome.h"

#include "base/bytes.h"
#include "base/status.h"

/* ---- making ---- */

/* Signs over GroupInfoTBS and writes the whole. */
static xmtp_status sign_group_info(const xmtp_mls_group *group, xmtp_group_info *info,
                                   xmtp_writer *w)
{
    uint8_t signature[XMTP_SIGNATURE_MAX];
    size_t signature_len;
    const size_t start = w->n;
    xmtp_group_info_tbs_encode(w, info);
    XMTP_TRY(xmtp_writer_status(w));
    XMTP_TRY(xmtp_sign_with_label(group->suite, group->signature_sk, group->signature_pk,
                                  "GroupInfoTBS", xmtp_bytes_of(w->p + start, w->n - start),
                                  &group->scratch->label, signature, &signature_len));
    xmtp_writer_vec(w, xmtp_bytes_of(signature, signature_len)); /* TBS, then the signature */
    return xmtp_writer_status(w);
}

xmtp_status xmtp_group_info_make(const xmtp_mls_group *group, const xmtp_new_epoch *epoch,
                                 bool with_tree, xmtp_bytes external_pub, xmtp_writer *w)
{
    xmtp_writer tree, extensions;
    xmtp_writer_init(&tree, group->alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&extensions, group->alloc, XMTP_WRITER_MAX);
    size_t count = 0;
    if (with_tree) {
        xmtp_tree_encode(epoch->tree, &tree);
        xmtp_extension_encode(&extensions, XMTP_EXTENSION_RATCHET_TREE, xmtp_writer_bytes(&tree));
        count++;
    }
    if (external_pub.n > 0) { /* ExternalPub holds one HPKEPublicKey, a vector (section 12.4.3.2) */
        xmtp_writer_clear(&tree);
        xmtp_writer_vec(&tree, external_pub);
        xmtp_extension_encode(&extensions, XMTP_EXTENSION_EXTERNAL_PUB, xmtp_writer_bytes(&tree));
        count++;
    }
    xmtp_status status = xmtp_writer_status(&tree);
    if (status == XMTP_OK) {
        status = xmtp_writer_status(&extensions);
    }
    if (status == XMTP_OK) {
        xmtp_group_info info = {
            .group_context = *epoch->context,
            .extensions = {.raw = xmtp_writer_bytes(&extensions), .count = count},
            .confirmation_tag = epoch->confirmation_tag,
            .signer = group->private_keys.leaf_index};
        status = sign_group_info(group, &info, w);
    }
    xmtp_writer_free(&tree);
    xmtp_writer_free(&extensions);
    return status;
}

/* Encrypts the GroupInfo in place. */
static xmtp_status seal_group_info(const xmtp_suite *suite, const xmtp_new_epoch *epoch,
                                   xmtp_writer *w)
{
    uint8_t key[XMTP_AEAD_KEY_MAX], nonce[XMTP_AEAD_NONCE_MAX];
    xmtp_secret welcome_secret;
    size_t n = xmtp_writer_bytes(w).n;
    xmtp_writer_extend(w, suite->aead->tag_len);
    XMTP_TRY(xmtp_writer_status(w));
    XMTP_TRY(xmtp_welcome_secret(suite, epoch->joiner_secret, epoch->psk_secret, &welcome_secret));
    xmtp_status status = xmtp_welcome_key(suite, &welcome_secret, key, nonce);
    if (status == XMTP_OK) {
        status = suite->aead->seal(key, nonce, (xmtp_bytes){0}, xmtp_bytes_of(w->p, n), w->p);
    }
    xmtp_secret_wipe(&welcome_secret);
    xmtp_wipe(key, sizeof key);
    return status;
}

/* GroupSecrets of one new member, encrypted to its init_key. */
static xmtp_status put_entry(const xmtp_mls_group *group, const xmtp_new_epoch *epoch,
                             const xmtp_key_package *key_package, uint32_t leaf, xmtp_bytes info,
                             xmtp_writer *w)
{
    const xmtp_suite *suite = group->suite;
    uint8_t ref[XMTP_HASH_MAX], seed[XMTP_KEM_SEED_MAX], kem_output[XMTP_KEM_ENC_MAX];
    const xmtp_secret *path_secret = xmtp_treekem_path_secret_for(epoch->path, leaf);
    xmtp_group_secrets secrets = {.joiner_secret = xmtp_secret_bytes(epoch->joiner_secret),
                                  .has_path_secret = path_secret != NULL,
                                  .psks = epoch->psks,
                                  .psk_count = epoch->psk_count};
    if (path_secret != NULL) {
        secrets.path_secret = xmtp_secret_bytes(path_secret);
    }
    xmtp_writer *plaintext = &group->scratch->tbs;
    xmtp_writer_clear(plaintext);
    xmtp_group_secrets_encode(plaintext, &secrets);
    size_t n = xmtp_writer_bytes(plaintext).n;
    uint8_t *ciphertext = xmtp_writer_extend(plaintext, n + suite->aead->tag_len);
    XMTP_TRY(xmtp_writer_status(plaintext));

    xmtp_key_package_ref(suite, key_package->raw, ref);
    XMTP_TRY(group->env->random(group->env->context, seed, suite->kem->seed_len));
    xmtp_status status =
        xmtp_encrypt_with_info(suite, key_package->init_key.p, info, xmtp_bytes_of(plaintext->p, n),
                               seed, kem_output, ciphertext);
    xmtp_wipe(seed, sizeof seed);
    XMTP_TRY(status);
    xmtp_encrypted_group_secrets entry = {
        .new_member = xmtp_bytes_of(ref, suite->hash->len),
        .encrypted_group_secrets = {.kem_output = xmtp_bytes_of(kem_output, suite->kem->enc_len),
                                    .ciphertext =
                                        xmtp_bytes_of(ciphertext, n + suite->aead->tag_len)}};
    xmtp_encrypted_group_secrets_encode(w, &entry);
    xmtp_writer_clear(plaintext);
    return xmtp_writer_status(w);
}

static xmtp_status put_entries(const xmtp_mls_group *group, const xmtp_new_epoch *epoch,
                               const xmtp_applied *applied, xmtp_bytes info, xmtp_writer *w)
{
    size_t added = 0;
    for (size_t i = 0; i < applied->count; i++) {
        const xmtp_proposal *proposal = &applied->proposals[i].proposal;
        if (proposal->type == XMTP_PROPOSAL_ADD) {
            XMTP_TRY(put_entry(group, epoch, &proposal->u.add, applied->added[added++], info, w));
        }
    }
    return XMTP_OK;
}

static xmtp_status make(const xmtp_mls_group *group, const xmtp_new_epoch *epoch,
                        const xmtp_applied *applied, xmtp_writer *group_info, xmtp_writer *info,
                        xmtp_writer *entries, xmtp_writer *out)
{
    XMTP_TRY(xmtp_group_info_make(group, epoch, true, (xmtp_bytes){0}, group_info));
    XMTP_TRY(seal_group_info(group->suite, epoch, group_info));
    xmtp_labelled_content(info, "Welcome", xmtp_writer_bytes(group_info));
    XMTP_TRY(xmtp_writer_status(info));
    XMTP_TRY(put_entries(group, epoch, applied, xmtp_writer_bytes(info), entries));
    xmtp_welcome welcome = {.cipher_suite = group->suite->id,
                            .secrets = xmtp_writer_bytes(entries),
                            .secret_count = applied->added_count,
                            .encrypted_group_info = xmtp_writer_bytes(group_info)};
    xmtp_mls_message_header_encode(out, XMTP_WIRE_WELCOME);
    xmtp_welcome_encode(out, &welcome);
    return xmtp_writer_status(out);
}

xmtp_status xmtp_welcome_make(const xmtp_mls_group *group, const xmtp_new_epoch *epoch,
                              const xmtp_applied *applied, xmtp_writer *out)
{
    xmtp_writer group_info, info, entries;
    xmtp_writer_init(&group_info, group->alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&info, group->alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&entries, group->alloc, XMTP_WRITER_MAX);
    xmtp_status status = make(group, epoch, applied, &group_info, &info, &entries, out);
    xmtp_writer_free(&group_info);
    xmtp_writer_free(&info);
    xmtp_writer_free(&entries);
    return status;
}

/* ---- opening ---- */

static xmtp_status open_entry(const xmtp_suite *suite, const xmtp_welcome *welcome,
                              const xmtp_hpke_ciphertext *entry, const uint8_t *init_sk,
                              xmtp_arena *arena, xmtp_bytes *plaintext)
{
    uint8_t *out;
    xmtp_writer scratch;
    XMTP_ENSURE(entry->ciphertext.n >= suite->aead->tag_len, XMTP_E_LENGTH);
    size_t n = entry->ciphertext.n - suite->aead->tag_len;
    XMTP_TRY(xmtp_arena_take(arena, n, (void **)&out));
    xmtp_writer_init(&scratch, arena->alloc, XMTP_WRITER_MAX);
    xmtp_status status =
        xmtp_decrypt_with_label(suite, init_sk, NULL, "Welcome", welcome->encrypted_group_info,
                                entry->kem_output, entry->ciphertext, &scratch, out);
    xmtp_writer_free(&scratch);
    *plaintext = xmtp_bytes_of(out, n);
    return status;
}

xmtp_status xmtp_welcome_open_secrets(const xmtp_suite *suite, const xmtp_welcome *welcome,
                                      xmtp_bytes key_package_ref, const uint8_t *init_sk,
                                      xmtp_arena *arena, xmtp_group_secrets *secrets,
                                      xmtp_error *error)
{
    xmtp_encrypted_group_secrets entry;
    xmtp_bytes plaintext;
    xmtp_status status = xmtp_welcome_find(welcome, key_package_ref, &entry);
    if (status != XMTP_OK) {
        return xmtp_fail(error, status, "welcome holds no secrets for this key package");
    }
    status = open_entry(suite, welcome, &entry.encrypted_group_secrets, init_sk, arena, &plaintext);
    if (status != XMTP_OK) {
        return xmtp_fail(error, status, "the secrets of the welcome do not open");
    }
    xmtp_reader r = xmtp_reader_of(plaintext);
    XMTP_TRY(xmtp_group_secrets_decode(&r, arena, secrets));
    XMTP_TRY(xmtp_reader_end(&r));
    if (secrets->joiner_secret.n != suite->hash->len ||
        (secrets->has_path_secret && secrets->path_secret.n != suite->hash->len)) {
        return xmtp_fail(error, XMTP_E_WELCOME, "a secret of the welcome has a wrong length");
    }
    return XMTP_OK;
}

xmtp_status xmtp_welcome_open_group_info(const xmtp_suite *suite, const xmtp_welcome *welcome,
                                         const xmtp_secret *welcome_secret, xmtp_arena *arena,
                                         xmtp_group_info *info, xmtp_error *error)
{
    uint8_t key[XMTP_AEAD_KEY_MAX], nonce[XMTP_AEAD_NONCE_MAX];
    xmtp_bytes ciphertext = welcome->encrypted_group_info;
    uint8_t *plaintext;
    XMTP_ENSURE(ciphertext.n >= suite->aead->tag_len, XMTP_E_LENGTH);
    size_t n = ciphertext.n - suite->aead->tag_len;
    XMTP_TRY(xmtp_arena_take(arena, n, (void **)&plaintext));
    xmtp_status status = xmtp_welcome_key(suite, welcome_secret, key, nonce);
    if (status == XMTP_OK) {
        status = suite->aead->open(key, nonce, (xmtp_bytes){0}, ciphertext, plaintext);
    }
    xmtp_wipe(key, sizeof key);
    if (status != XMTP_OK) {
        return xmtp_fail(error, status, "the group info of the welcome does not open");
    }
    xmtp_reader r = xmtp_reader_of(xmtp_bytes_of(plaintext, n));
    XMTP_TRY(xmtp_group_info_decode(&r, info));
    return xmtp_reader_end(&r);
}

xmtp_status xmtp_group_info_verify(const xmtp_suite *suite, const xmtp_group_info *info,
                                   xmtp_bytes signature_key, xmtp_writer *scratch)
{
    return xmtp_verify_with_label(suite, signature_key, "GroupInfoTBS", info->tbs, info->signature,
                                  scratch);
}
