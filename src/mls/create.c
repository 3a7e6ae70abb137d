/* create.c - a group of one at epoch 0. RFC 9420 section 11.
 *
 * The tree is our leaf alone. epoch_secret is derived from a fresh random joiner_secret that nobody
 * else will ever need, which is as good as drawing epoch_secret itself; the confirmed transcript
 * hash is empty, and the confirmation tag over it gives the first interim transcript hash.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "mls/api_convert.h"
#include "mls/grease.h"
#include "mls/proposals.h"
#include "mls/transcript.h"

enum {
    /* The first leaf is replaced by the first commit; until then it says what a key package would:
     * from an hour ago, for 84 days. */
    LIFETIME_BEFORE_S = 3600,
    LIFETIME_AFTER_S = 84 * 24 * 3600,
    CREATE_MEMORY_MAX = 16 << 20,
};

static xmtp_status check_options(const xmtp_suite *suite, const xmtp_mls_create_options *options,
                                 xmtp_error *error)
{
    if (suite == NULL) {
        return xmtp_fail(error, XMTP_E_SUITE, "cipher suite 0x%04x is not supported",
                         options->suite);
    }
    if (options->signer.signature_sk.n != suite->signature->sk_len ||
        options->signer.signature_pk.n != suite->signature->pk_len) {
        return xmtp_fail(error, XMTP_E_KEY, "signature keys have a wrong length");
    }
    return XMTP_OK;
}

xmtp_status xmtp_first_leaf_fields(const xmtp_env *env, const xmtp_mls_create_options *options,
                                   xmtp_arena *arena, xmtp_bytes encryption_key,
                                   xmtp_leaf_node *out)
{
    uint64_t now_s = env->now_ns(env->context) / 1000000000u;
    *out = (xmtp_leaf_node){.encryption_key = encryption_key,
                            .signature_key = options->signer.signature_pk,
                            .credential = xmtp_signer_credential(&options->signer),
                            .source = XMTP_LEAF_NODE_KEY_PACKAGE,
                            .not_before = now_s < LIFETIME_BEFORE_S ? 0 : now_s - LIFETIME_BEFORE_S,
                            .not_after = now_s + LIFETIME_AFTER_S};
    XMTP_TRY(xmtp_convert_capabilities(arena, &options->capabilities, &out->capabilities));
    XMTP_TRY(xmtp_convert_extensions(arena, options->leaf_extensions, options->leaf_extension_count,
                                     &out->extensions));
    return options->capabilities.grease ? xmtp_grease_leaf(env, arena, out) : XMTP_OK;
}

/* A fresh leaf key pair and the signed leaf, into the tree. */
static xmtp_status first_leaf(xmtp_mls_group *group, const xmtp_mls_create_options *options,
                              const xmtp_extensions *extensions, xmtp_arena *arena,
                              xmtp_error *error)
{
    const xmtp_suite *suite = group->suite;
    uint8_t ikm[XMTP_KEM_SEED_MAX], sk[XMTP_KEM_SK_MAX], pk[XMTP_KEM_PK_MAX];
    xmtp_leaf_node fields, leaf;
    uint32_t leaf_index;
    XMTP_TRY(group->env->random(group->env->context, ikm, suite->hash->len));
    xmtp_status status = suite->kem->derive_key_pair(xmtp_bytes_of(ikm, suite->hash->len), sk, pk);
    if (status == XMTP_OK) {
        xmtp_tree_private_init(&group->private_keys, suite, 0, sk);
    }
    xmtp_wipe(ikm, sizeof ikm);
    xmtp_wipe(sk, sizeof sk);
    XMTP_TRY(status);

    XMTP_TRY(xmtp_first_leaf_fields(group->env, options, arena,
                                    xmtp_bytes_of(pk, suite->kem->pk_len), &fields));
    xmtp_writer *signed_leaf = &group->scratch->tbs;
    xmtp_writer_clear(signed_leaf);
    XMTP_TRY(xmtp_leaf_node_sign(suite, group->signature_sk, &fields, options->group_id, 0,
                                 &group->scratch->label, signed_leaf));
    XMTP_TRY(xmtp_leaf_node_of(xmtp_writer_bytes(signed_leaf), &leaf));
    xmtp_leaf_node_rules rules = {.suite = suite, .group_extensions = extensions};
    XMTP_TRY(xmtp_leaf_node_validate(&leaf, &rules, error));
    return xmtp_tree_add_leaf(&group->tree, leaf.raw, &leaf_index);
}

static xmtp_status encode_context(xmtp_mls_group *group, xmtp_bytes group_id,
                                  const xmtp_extensions *extensions, xmtp_writer *w)
{
    uint8_t tree_hash[XMTP_HASH_MAX];
    XMTP_TRY(xmtp_tree_hash(&group->tree, tree_hash));
    xmtp_group_context context = {.version = XMTP_PROTOCOL_MLS10,
                                  .cipher_suite = group->suite->id,
                                  .group_id = group_id,
                                  .tree_hash = xmtp_bytes_of(tree_hash, group->suite->hash->len),
                                  .extensions = *extensions};
    xmtp_group_context_encode(w, &context);
    return xmtp_writer_status(w);
}

static xmtp_status first_secrets(xmtp_mls_group *group, xmtp_bytes context)
{
    const xmtp_suite *suite = group->suite;
    const xmtp_secret no_psk = {.n = suite->hash->len};
    xmtp_secret joiner = {.n = suite->hash->len};
    XMTP_TRY(group->env->random(group->env->context, joiner.p, joiner.n));
    xmtp_status status =
        xmtp_epoch_secrets_derive(suite, &joiner, &no_psk, context, &group->secrets);
    xmtp_secret_wipe(&joiner);
    XMTP_TRY(status);
    group->confirmation_tag.n = suite->hash->len;
    group->interim_transcript_hash.n = suite->hash->len;
    xmtp_confirmation_tag(suite, &group->secrets.confirmation_key, (xmtp_bytes){0},
                          group->confirmation_tag.p);
    return xmtp_interim_transcript_hash(suite, (xmtp_bytes){0},
                                        xmtp_digest_bytes(&group->confirmation_tag),
                                        group->interim_transcript_hash.p);
}

static xmtp_status fill(xmtp_mls_group *group, const xmtp_mls_create_options *options,
                        xmtp_arena *arena, xmtp_writer *context, xmtp_mls_writes *writes,
                        xmtp_error *error)
{
    xmtp_extensions extensions;
    XMTP_TRY(xmtp_convert_extensions(arena, options->context_extensions,
                                     options->context_extension_count, &extensions));
    XMTP_TRY(xmtp_context_extensions_check(&group->config, &extensions, error));
    memcpy(group->signature_sk, options->signer.signature_sk.p, options->signer.signature_sk.n);
    memcpy(group->signature_pk, options->signer.signature_pk.p, options->signer.signature_pk.n);
    XMTP_TRY(first_leaf(group, options, &extensions, arena, error));
    XMTP_TRY(encode_context(group, options->group_id, &extensions, context));
    XMTP_TRY(first_secrets(group, xmtp_writer_bytes(context)));
    return xmtp_group_first_epoch(group, xmtp_writer_bytes(context), 0, writes);
}

xmtp_status xmtp_mls_group_create(xmtp_mls_group **out, const xmtp_mls_config *config,
                                  const xmtp_mls_create_options *options, xmtp_mls_writes *writes,
                                  xmtp_error *error)
{
    const xmtp_suite *suite = xmtp_suite_by_id(options->suite);
    xmtp_mls_group *group;
    xmtp_arena arena;
    xmtp_writer context;
    *out = NULL;
    XMTP_TRY(check_options(suite, options, error));
    XMTP_TRY(xmtp_group_new(&group, config, suite, error));
    xmtp_arena_init(&arena, group->alloc, CREATE_MEMORY_MAX);
    xmtp_writer_init(&context, group->alloc, XMTP_WRITER_MAX);
    xmtp_status status = fill(group, options, &arena, &context, writes, error);
    xmtp_writer_free(&context);
    xmtp_arena_reset(&arena);
    if (status != XMTP_OK) {
        xmtp_mls_group_free(group);
        return xmtp_fail_default(error, status, "creating a group");
    }
    *out = group;
    return XMTP_OK;
}
