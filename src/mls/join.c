/* join.c - a group from a Welcome. RFC 9420 section 12.4.3.1, step by step in its order.
 *
 * A Welcome comes from somebody we may not know: nothing is believed. The tree must hash to what
 * the signed GroupContext says, every leaf must be signed by its member, every parent must be
 * linked by hash, our own leaf must be the one of our key package, and the confirmation tag must
 * fit the secrets that we derive.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "mls/propose.h"
#include "mls/psk.h"
#include "mls/transcript.h"
#include "mls/welcome.h"

#include <inttypes.h>

enum { JOIN_MEMORY_MAX = 256 << 20 };

typedef struct joining {
    const xmtp_mls_config *config;
    const xmtp_mls_join_options *options;
    const xmtp_suite *suite;
    xmtp_error *error;
    xmtp_arena arena;
    xmtp_mls_message *message;
    xmtp_key_package key_package;
    xmtp_group_secrets group_secrets;
    xmtp_secret joiner_secret;
    xmtp_secret psk_secret;
    const xmtp_psk_id *lineage; /* of a branch or re-initialisation, or NULL */
    xmtp_group_info info;
    xmtp_mls_group *group;
} joining;

/* ---- our own side ---- */

/* The keys are as they were made. Without the check that was made with them, the public key of the
 * leaf is derived later on. */
static bool has_check(const joining *j)
{
    static const uint8_t none[XMTP_MLS_KEY_CHECK_LEN];
    return !xmtp_ct_equal(j->options->private_keys->check, none, sizeof none);
}

static xmtp_status verify_check(const joining *j)
{
    const xmtp_mls_key_package_private *own = j->options->private_keys;
    uint8_t check[XMTP_MLS_KEY_CHECK_LEN];
    uint8_t ref[XMTP_HASH_MAX];
    XMTP_ENSURE(own->ref_len <= sizeof own->ref, XMTP_E_KEY);
    xmtp_key_package_private_check(j->suite, own, check);
    xmtp_key_package_ref(j->suite, j->key_package.raw, ref);
    if (!xmtp_ct_equal(check, own->check, sizeof check) ||
        !xmtp_bytes_equal(xmtp_bytes_of(own->ref, own->ref_len),
                          xmtp_bytes_of(ref, j->suite->hash->len))) {
        return xmtp_fail(j->error, XMTP_E_KEY, "private keys are not those of the key package");
    }
    return XMTP_OK;
}

static xmtp_status check_private_keys(joining *j)
{
    const xmtp_suite *suite = j->suite;
    const xmtp_mls_key_package_private *own = j->options->private_keys;
    if (own->init_sk_len != suite->kem->sk_len || own->leaf_sk_len != suite->kem->sk_len ||
        j->options->signer.signature_sk.n != suite->signature->sk_len) {
        return xmtp_fail(j->error, XMTP_E_KEY, "private keys have a wrong length");
    }
    XMTP_ENSURE(j->key_package.init_key.n == suite->kem->pk_len, XMTP_E_KEY);
    if (!xmtp_bytes_equal(j->options->signer.signature_pk,
                          j->key_package.leaf_node.signature_key)) {
        return xmtp_fail(j->error, XMTP_E_KEY, "signature key is not that of the key package");
    }
    return has_check(j) ? verify_check(j) : XMTP_OK;
}

static xmtp_status read_inputs(joining *j)
{
    XMTP_TRY(xmtp_arena_take(&j->arena, sizeof *j->message, (void **)&j->message));
    XMTP_TRY(xmtp_mls_message_decode(j->options->welcome, &j->arena, j->message));
    if (j->message->wire_format != XMTP_WIRE_WELCOME) {
        return xmtp_fail(j->error, XMTP_E_WIRE_FORMAT, "wire format %u is not a welcome",
                         (unsigned)j->message->wire_format);
    }
    XMTP_TRY(xmtp_key_package_of(j->options->key_package, &j->key_package));
    uint16_t suite_id = j->message->u.welcome.cipher_suite;
    j->suite = xmtp_suite_by_id(suite_id);
    if (j->suite == NULL || j->key_package.cipher_suite != suite_id) {
        return xmtp_fail(j->error, XMTP_E_SUITE,
                         "welcome has cipher suite 0x%04x, our key package 0x%04x",
                         (unsigned)suite_id, (unsigned)j->key_package.cipher_suite);
    }
    return check_private_keys(j);
}

/* ---- what the welcome holds ---- */

/* Section 8.6: at most one PSK says that the group continues another one. */
static xmtp_status check_psks(joining *j)
{
    for (size_t i = 0; i < j->group_secrets.psk_count; i++) {
        const xmtp_psk_id *id = &j->group_secrets.psks[i];
        if (id->type != XMTP_PSK_RESUMPTION || id->usage == XMTP_PSK_USAGE_APPLICATION) {
            continue;
        }
        if (j->lineage != NULL) {
            return xmtp_fail(j->error, XMTP_E_LINEAGE, "welcome continues more than one group");
        }
        j->lineage = id;
    }
    return XMTP_OK;
}

/* Sections 11.2 and 11.3: the new group is what the old one announced. */
static xmtp_status check_lineage(joining *j)
{
    const xmtp_mls_group *parent = j->options->parent;
    const xmtp_group_context *context = &j->info.group_context;
    if (j->lineage == NULL) {
        return XMTP_OK;
    }
    if (context->epoch != 1) {
        return xmtp_fail(j->error, XMTP_E_LINEAGE, "continued group is at epoch %" PRIu64,
                         context->epoch);
    }
    if (parent == NULL || !xmtp_bytes_equal(parent->context.group_id, j->lineage->psk_group_id)) {
        return XMTP_OK; /* the caller answered for the secret in find_psk */
    }
    if (j->lineage->usage == XMTP_PSK_USAGE_BRANCH) {
        bool is_same = context->version == parent->context.version &&
                       context->cipher_suite == parent->context.cipher_suite;
        return is_same ? XMTP_OK
                       : xmtp_fail(j->error, XMTP_E_SUITE, "branch has another version or suite");
    }
    if (j->lineage->psk_epoch != parent->context.epoch) {
        return xmtp_fail(j->error, XMTP_E_LINEAGE, "group continues epoch %" PRIu64,
                         j->lineage->psk_epoch);
    }
    return xmtp_reinit_check(parent, context, j->error);
}

/* Opening proves that the private init key is that of the key package. Only where it failed the
 * public key is derived, to tell a wrong key from a wrong welcome. */
static xmtp_status open_secrets(joining *j)
{
    const xmtp_kem *kem = j->suite->kem;
    const uint8_t *init_sk = j->options->private_keys->init_sk;
    uint8_t ref[XMTP_HASH_MAX];
    uint8_t pk[XMTP_KEM_PK_MAX];
    xmtp_key_package_ref(j->suite, j->key_package.raw, ref);
    xmtp_status status = xmtp_welcome_open_secrets(
        j->suite, &j->message->u.welcome, xmtp_bytes_of(ref, j->suite->hash->len), init_sk,
        j->key_package.init_key.p, &j->arena, &j->group_secrets, j->error);
    if (status == XMTP_OK) {
        return XMTP_OK;
    }
    XMTP_TRY(kem->public_key(init_sk, pk));
    if (!xmtp_bytes_equal(xmtp_bytes_of(pk, kem->pk_len), j->key_package.init_key)) {
        return xmtp_fail(j->error, XMTP_E_KEY, "private keys are not those of the key package");
    }
    return status;
}

static xmtp_status open_welcome(joining *j)
{
    const xmtp_welcome *welcome = &j->message->u.welcome;
    const xmtp_psk_source source = {
        .config = j->config, .suite = j->suite, .parent = j->options->parent};
    xmtp_secret welcome_secret;
    XMTP_TRY(open_secrets(j));
    XMTP_TRY(check_psks(j));
    XMTP_TRY(xmtp_psk_secret_of(&source, j->group_secrets.psks, j->group_secrets.psk_count,
                                &j->psk_secret, j->error));
    j->joiner_secret.n = j->suite->hash->len;
    memcpy(j->joiner_secret.p, j->group_secrets.joiner_secret.p, j->joiner_secret.n);
    XMTP_TRY(xmtp_welcome_secret(j->suite, &j->joiner_secret, &j->psk_secret, &welcome_secret));
    xmtp_status status = xmtp_welcome_open_group_info(j->suite, welcome, &welcome_secret, &j->arena,
                                                      &j->info, j->error);
    xmtp_secret_wipe(&welcome_secret);
    return status;
}

static xmtp_status check_group_info(joining *j)
{
    const xmtp_group_context *context = &j->info.group_context;
    if (context->version != XMTP_PROTOCOL_MLS10) {
        return xmtp_fail(j->error, XMTP_E_VERSION, "group has protocol version %u",
                         (unsigned)context->version);
    }
    if (context->cipher_suite != j->suite->id) {
        return xmtp_fail(j->error, XMTP_E_SUITE,
                         "group has cipher suite 0x%04x, its welcome 0x%04x",
                         (unsigned)context->cipher_suite, (unsigned)j->suite->id);
    }
    return XMTP_OK;
}

/* ---- the tree ---- */

static xmtp_status authenticate_members(const xmtp_mls_group *group, xmtp_error *error)
{
    for (uint32_t i = 0;
         group->config.authenticate != NULL && xmtp_tree_next_member(&group->tree, &i); i++) {
        xmtp_leaf_node leaf;
        XMTP_TRY(xmtp_tree_leaf(&group->tree, i, &leaf));
        XMTP_TRY(xmtp_group_authenticate(group, i, &leaf, NULL, error));
    }
    return XMTP_OK;
}

xmtp_status xmtp_group_take_tree(xmtp_mls_group *group, const xmtp_group_info *info,
                                 xmtp_bytes ratchet_tree, xmtp_status *verdict, xmtp_error *error)
{
    xmtp_tree *tree = &group->tree;
    xmtp_bytes data = ratchet_tree;
    uint8_t hash[XMTP_HASH_MAX];
    if (!xmtp_extensions_find(&info->extensions, XMTP_EXTENSION_RATCHET_TREE, &data) &&
        data.n == 0) {
        return xmtp_fail(error, XMTP_E_NO_TREE, "group info comes without its ratchet tree");
    }
    XMTP_TRY(xmtp_tree_decode(tree, data));
    XMTP_TRY(xmtp_tree_hash(tree, hash));
    if (!xmtp_bytes_equal(xmtp_bytes_of(hash, group->suite->hash->len),
                          info->group_context.tree_hash)) {
        return xmtp_fail(error, XMTP_E_TREE_HASH, "tree is not that of the group context");
    }
    xmtp_signed_beside signed_info = {.leaf = info->signer,
                                      .label = "GroupInfoTBS",
                                      .content = info->tbs,
                                      .signature = info->signature};
    XMTP_TRY(xmtp_tree_validate_with(tree, info->group_context.group_id,
                                     &info->group_context.extensions, &signed_info, error));
    *verdict = signed_info.verdict;
    return authenticate_members(group, error);
}

xmtp_status xmtp_group_check_signer(const xmtp_group_info *info, xmtp_status verdict,
                                    xmtp_error *error)
{
    if (verdict == XMTP_E_SENDER) {
        return xmtp_fail(error, XMTP_E_SENDER,
                         "group info is signed by leaf %" PRIu32 " which holds no member",
                         info->signer);
    }
    if (verdict != XMTP_OK) {
        return xmtp_fail(error, verdict == XMTP_E_SIGNATURE ? XMTP_E_GROUP_INFO_SIGNATURE : verdict,
                         "the signature of the group info is wrong");
    }
    return XMTP_OK;
}

static xmtp_status check_lifetimes(joining *j)
{
    const xmtp_env *env = j->config->env;
    uint64_t now_s = env->now_ns(env->context) / 1000000000u;
    for (uint32_t i = 0; xmtp_tree_next_member(&j->group->tree, &i); i++) {
        xmtp_leaf_node leaf;
        XMTP_TRY(xmtp_tree_leaf(&j->group->tree, i, &leaf));
        if (leaf.source == XMTP_LEAF_NODE_KEY_PACKAGE &&
            (now_s < leaf.not_before || now_s > leaf.not_after)) {
            return xmtp_fail(j->error, XMTP_E_LIFETIME,
                             "lifetime of leaf %" PRIu32 " does not contain the present", i);
        }
    }
    return XMTP_OK;
}

/* ---- our place in it ---- */

static xmtp_status find_own_leaf(joining *j, uint32_t *leaf_index)
{
    const xmtp_leaf_node *own = &j->key_package.leaf_node;
    if (!xmtp_tree_find_signature_key(&j->group->tree, own->signature_key, leaf_index) ||
        !xmtp_bytes_equal(xmtp_tree_leaf_raw(&j->group->tree, *leaf_index), own->raw)) {
        return xmtp_fail(j->error, XMTP_E_OWN_LEAF, "our leaf is not in the tree");
    }
    return XMTP_OK;
}

static xmtp_status take_private_keys(joining *j)
{
    xmtp_mls_group *group = j->group;
    uint32_t leaf_index;
    XMTP_TRY(find_own_leaf(j, &leaf_index));
    memcpy(group->signature_sk, j->options->signer.signature_sk.p, j->suite->signature->sk_len);
    memcpy(group->signature_pk, j->options->signer.signature_pk.p, j->suite->signature->pk_len);
    xmtp_tree_private_init(&group->private_keys, j->suite, leaf_index,
                           j->options->private_keys->leaf_sk);
    if (!has_check(j)) {
        XMTP_TRY(xmtp_tree_private_check(&group->private_keys, &group->tree)); /* the leaf's */
    }
    if (j->group_secrets.has_path_secret) {
        xmtp_status status = xmtp_treekem_join(&group->tree, &group->private_keys, j->info.signer,
                                               j->group_secrets.path_secret, NULL);
        if (status != XMTP_OK) {
            return xmtp_fail(j->error, status, "path secret of the welcome does not fit the tree");
        }
    }
    return XMTP_OK;
}

/* ---- the epoch ---- */

static xmtp_status take_secrets(joining *j)
{
    const xmtp_suite *suite = j->suite;
    const xmtp_group_context *context = &j->info.group_context;
    xmtp_mls_group *group = j->group;
    xmtp_bytes tag = j->info.confirmation_tag;
    XMTP_TRY(xmtp_epoch_secrets_derive(suite, &j->joiner_secret, &j->psk_secret, context->raw,
                                       &group->secrets));
    group->confirmation_tag.n = suite->hash->len;
    xmtp_confirmation_tag(suite, &group->secrets.confirmation_key,
                          context->confirmed_transcript_hash, group->confirmation_tag.p);
    if (tag.n != suite->hash->len || !xmtp_ct_equal(tag.p, group->confirmation_tag.p, tag.n)) {
        return xmtp_fail(j->error, XMTP_E_CONFIRMATION_TAG,
                         "confirmation tag of the welcome does not match");
    }
    group->interim_transcript_hash.n = suite->hash->len;
    return xmtp_interim_transcript_hash(suite, context->confirmed_transcript_hash, tag,
                                        group->interim_transcript_hash.p);
}

static xmtp_status join(joining *j, xmtp_mls_writes *writes)
{
    xmtp_status verdict = XMTP_E_INTERNAL; /* on the group info's signature */
    XMTP_TRY(read_inputs(j));
    XMTP_TRY(open_welcome(j));
    XMTP_TRY(check_group_info(j));
    XMTP_TRY(check_lineage(j));
    XMTP_TRY(xmtp_group_new(&j->group, j->config, j->suite, j->error));
    XMTP_TRY(
        xmtp_group_take_tree(j->group, &j->info, j->options->ratchet_tree, &verdict, j->error));
    if (j->config->check_lifetimes) {
        XMTP_TRY(check_lifetimes(j));
    }
    XMTP_TRY(xmtp_group_check_signer(&j->info, verdict, j->error));
    XMTP_TRY(take_private_keys(j));
    XMTP_TRY(take_secrets(j));
    return xmtp_group_first_epoch(j->group, j->info.group_context.raw, j->info.group_context.epoch,
                                  writes);
}

xmtp_status xmtp_mls_group_join(xmtp_mls_group **out, const xmtp_mls_config *config,
                                const xmtp_mls_join_options *options, uint32_t *signer_leaf,
                                xmtp_mls_writes *writes, xmtp_error *error)
{
    joining j = {.config = config, .options = options, .error = error};
    *out = NULL;
    xmtp_arena_init(&j.arena, &config->env->alloc, JOIN_MEMORY_MAX);
    xmtp_status status = join(&j, writes);
    if (status == XMTP_OK) {
        *out = j.group;
        if (signer_leaf != NULL) {
            *signer_leaf = j.info.signer;
        }
    } else {
        xmtp_mls_group_free(j.group);
        status = xmtp_fail_default(error, status, "joining by a welcome");
    }
    xmtp_arena_reset(&j.arena);
    xmtp_secret_wipe(&j.joiner_secret);
    xmtp_secret_wipe(&j.psk_secret);
    return status;
}
