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
 * The HPKE context binds each entry to the encrypted GroupInfo; it is built and hashed once for all entries.
 */
#include "mls/welcome.h"

#include "base/bytes.h"
#include "base/status.h"
#include "mls/grease.h"

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

static xmtp_status grease(const xmtp_env *env, xmtp_writer *extensions, size_t *count)
{
    uint16_t type;
    XMTP_TRY(xmtp_grease_value(env, &type));
    (*count)++;
    return xmtp_grease_extension_encode(env, type, extensions);
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
    xmtp_status status = xmtp_writer_status(&tree); /* clearing forgets it */
    if (external_pub.n > 0) { /* ExternalPub holds one HPKEPublicKey, a vector (section 12.4.3.2) */
        xmtp_writer_clear(&tree);
        xmtp_writer_vec(&tree, external_pub);
        xmtp_extension_encode(&extensions, XMTP_EXTENSION_EXTERNAL_PUB, xmtp_writer_bytes(&tree));
        count++;
    }
    if (status == XMTP_OK) {
        status = xmtp_writer_status(&tree);
    }
    if (status == XMTP_OK && group->config.grease) {
        status = grease(group->env, &extensions, &count);
    }
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

/* GroupSecrets of one new member, to its init_key. */
static xmtp_status put_letter(const xmtp_mls_group *group, const xmtp_new_epoch *epoch,
                              const xmtp_key_package *key_package, uint32_t leaf,
                              xmtp_letters *letters)
{
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
    XMTP_TRY(xmtp_writer_status(plaintext));
    xmtp_status status =
        xmtp_letters_put(letters, group->env, key_package->init_key, xmtp_writer_bytes(plaintext));
    xmtp_writer_clear(plaintext);
    return status;
}

/* The next key package that a list of proposals adds, from *i on; NULL behind the last. */
static const xmtp_key_package *next_added(const xmtp_applied *applied, size_t *i)
{
    while (*i < applied->count) {
        const xmtp_proposal *proposal = &applied->proposals[(*i)++].proposal;
        if (proposal->type == XMTP_PROPOSAL_ADD) {
            return &proposal->u.add;
        }
    }
    return NULL;
}

static xmtp_status seal_secrets(const xmtp_mls_group *group, const xmtp_new_epoch *epoch,
                                const xmtp_applied *applied, xmtp_bytes group_info,
                                xmtp_letters *letters)
{
    const xmtp_key_package *key_package;
    for (size_t i = 0; (key_package = next_added(applied, &i)) != NULL;) {
        XMTP_TRY(put_letter(group, epoch, key_package, applied->added[letters->count], letters));
    }
    return xmtp_letters_seal(letters, "Welcome", group_info);
}

static void write_entries(const xmtp_suite *suite, const xmtp_applied *applied,
                          const xmtp_letters *letters, xmtp_writer *w)
{
    const xmtp_key_package *key_package;
    size_t k = 0;
    for (size_t i = 0; (key_package = next_added(applied, &i)) != NULL; k++) {
        uint8_t ref[XMTP_HASH_MAX];
        xmtp_key_package_ref(suite, key_package->raw, ref);
        const xmtp_encrypted_group_secrets entry = {
            .new_member = xmtp_bytes_of(ref, suite->hash->len),
            .encrypted_group_secrets = {.kem_output = xmtp_letters_kem_output(letters, k),
                                        .ciphertext = xmtp_letters_ciphertext(letters, k)}};
        xmtp_encrypted_group_secrets_encode(w, &entry);
    }
}

static xmtp_status make(const xmtp_mls_group *group, const xmtp_new_epoch *epoch,
                        const xmtp_applied *applied, xmtp_writer *group_info, xmtp_arena *arena,
                        xmtp_writer *entries, xmtp_writer *out)
{
    xmtp_letters letters;
    XMTP_TRY(xmtp_group_info_make(group, epoch, !epoch->without_tree, (xmtp_bytes){0}, group_info));
    XMTP_TRY(seal_group_info(group->suite, epoch, group_info));
    XMTP_TRY(xmtp_letters_init(&letters, group->suite, applied->added_count, arena));
    XMTP_TRY(seal_secrets(group, epoch, applied, xmtp_writer_bytes(group_info), &letters));
    write_entries(group->suite, applied, &letters, entries);
    XMTP_TRY(xmtp_writer_status(entries));
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
    xmtp_writer group_info, entries;
    xmtp_arena arena;
    xmtp_writer_init(&group_info, group->alloc, XMTP_WRITER_MAX);
    xmtp_arena_init(&arena, group->alloc, XMTP_MLS_STAGED_MEMORY_MAX);
    xmtp_writer_init(&entries, group->alloc, XMTP_WRITER_MAX);
    xmtp_status status = make(group, epoch, applied, &group_info, &arena, &entries, out);
    xmtp_writer_free(&group_info);
    xmtp_arena_reset(&arena);
    xmtp_writer_free(&entries);
    return status;
}

/* ---- opening ---- */

static xmtp_status open_entry(const xmtp_suite *suite, const xmtp_welcome *welcome,
                              const xmtp_hpke_ciphertext *entry, const uint8_t *init_sk,
                              const uint8_t *init_pk, xmtp_arena *arena, xmtp_bytes *plaintext)
{
    uint8_t *out;
    xmtp_writer scratch;
    XMTP_ENSURE(entry->ciphertext.n >= suite->aead->tag_len, XMTP_E_LENGTH);
    size_t n = entry->ciphertext.n - suite->aead->tag_len;
    XMTP_TRY(xmtp_arena_take(arena, n, (void **)&out));
    xmtp_writer_init(&scratch, arena->alloc, XMTP_WRITER_MAX);
    xmtp_status status =
        xmtp_decrypt_with_label(suite, init_sk, init_pk, "Welcome", welcome->encrypted_group_info,
                                entry->kem_output, entry->ciphertext, &scratch, out);
    xmtp_writer_free(&scratch);
    *plaintext = xmtp_bytes_of(out, n);
    return status;
}

xmtp_status xmtp_welcome_open_secrets(const xmtp_suite *suite, const xmtp_welcome *welcome,
                                      xmtp_bytes key_package_ref, const uint8_t *init_sk,
                                      const uint8_t *init_pk, xmtp_arena *arena,
                                      xmtp_group_secrets *secrets, xmtp_error *error)
{
    xmtp_encrypted_group_secrets entry;
    xmtp_bytes plaintext;
    xmtp_status status = xmtp_welcome_find(welcome, key_package_ref, &entry);
    if (status != XMTP_OK) {
        return xmtp_fail(error, status, "welcome holds no secrets for this key package");
    }
    status = open_entry(suite, welcome, &entry.encrypted_group_secrets, init_sk, init_pk, arena,
                        &plaintext);
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
