/* external.c - joining without a Welcome: GroupInfo out, external commit in.
 * RFC 9420 sections 8.3 and 12.4.3.2.
 *
 *     member                                   joiner
 *     GroupInfo: context, tree, external_pub --> tree and signature checked
 *                                                kem_output, init_secret = HPKE to external_pub
 *                                                proposals ExternalInit, Remove (our former leaf),
 *                                                PSKs; our leaf on the first free place; path
 *     stage.c  <------------------------------ commit, signed by the key of the new leaf
 *
 * The joiner's group stands at the old epoch while the commit is made, as a member's would, but
 * without a leaf and without secrets; then it starts at the new epoch.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "mls/kept.h"
#include "mls/propose.h"
#include "mls/protect.h"
#include "mls/psk.h"
#include "mls/stage.h"
#include "mls/transcript.h"
#include "mls/welcome.h"

#include <inttypes.h>

enum { EXTERNAL_MEMORY_MAX = 256 << 20 };

/* ---- the member's side ---- */

static xmtp_status put_group_info(const xmtp_mls_group *group, bool with_tree, xmtp_writer *w)
{
    uint8_t pk[XMTP_KEM_PK_MAX];
    const xmtp_new_epoch epoch = {.tree = &group->tree,
                                  .context = &group->context,
                                  .confirmation_tag = xmtp_digest_bytes(&group->confirmation_tag)};
    XMTP_TRY(xmtp_external_key(group->suite, &group->secrets.external_secret, NULL, pk));
    xmtp_mls_message_header_encode(w, XMTP_WIRE_GROUP_INFO);
    return xmtp_group_info_make(group, &epoch, with_tree,
                                xmtp_bytes_of(pk, group->suite->kem->pk_len), w);
}

xmtp_status xmtp_mls_group_info(const xmtp_mls_group *group, bool with_tree, uint8_t **message,
                                size_t *message_len, xmtp_error *error)
{
    xmtp_writer w;
    *message = NULL;
    *message_len = 0;
    XMTP_TRY(xmtp_group_check_active(group, error));
    xmtp_writer_init(&w, group->alloc, XMTP_WRITER_MAX);
    xmtp_status status = put_group_info(group, with_tree, &w);
    if (status == XMTP_OK) {
        status = xmtp_writer_detach(&w, message, message_len);
    }
    xmtp_writer_free(&w);
    return status == XMTP_OK ? XMTP_OK : xmtp_fail_default(error, status, "making a group info");
}

/* ---- the joiner's side ---- */

typedef struct entering {
    const xmtp_mls_config *config;
    const xmtp_mls_external_options *options;
    xmtp_error *error;
    const xmtp_suite *suite;
    xmtp_arena arena;
    xmtp_group_info info;
    xmtp_bytes external_pub;
    xmtp_mls_group *group;
    xmtp_tree next;
    xmtp_commit commit;
    xmtp_applied applied;
    uint32_t leaf_index;
    uint8_t kem_output[XMTP_KEM_ENC_MAX];
    xmtp_secret init_secret;
    xmtp_secret psk_secret;
    xmtp_treekem_path path;
    xmtp_group_context provisional;
    xmtp_group_context context;
    xmtp_epoch_secrets secrets;
    xmtp_authenticated_content content;
    uint8_t signature[XMTP_SIGNATURE_MAX];
    xmtp_writer out;
} entering;

static xmtp_status read_external_pub(entering *e)
{
    xmtp_bytes data;
    if (!xmtp_extensions_find(&e->info.extensions, XMTP_EXTENSION_EXTERNAL_PUB, &data)) {
        return xmtp_fail(e->error, XMTP_E_EXTERNAL_PUB, "group info lacks external_pub");
    }
    xmtp_reader r = xmtp_reader_of(data);
    if (xmtp_reader_vec(&r, &e->external_pub) != XMTP_OK || xmtp_reader_end(&r) != XMTP_OK ||
        e->external_pub.n != e->suite->kem->pk_len) {
        return xmtp_fail(e->error, XMTP_E_EXTERNAL_PUB, "external_pub is not a key of the suite");
    }
    return XMTP_OK;
}

static xmtp_status read_group_info(entering *e)
{
    xmtp_mls_message *message;
    XMTP_TRY(xmtp_arena_take(&e->arena, sizeof *message, (void **)&message));
    XMTP_TRY(xmtp_mls_message_decode(e->options->group_info, &e->arena, message));
    if (message->wire_format != XMTP_WIRE_GROUP_INFO) {
        return xmtp_fail(e->error, XMTP_E_WIRE_FORMAT, "wire format %u is not a group info",
                         (unsigned)message->wire_format);
    }
    e->info = message->u.group_info;
    const xmtp_group_context *context = &e->info.group_context;
    e->suite = xmtp_suite_by_id(context->cipher_suite);
    if (context->version != XMTP_PROTOCOL_MLS10) {
        return xmtp_fail(e->error, XMTP_E_VERSION, "group has protocol version %u",
                         (unsigned)context->version);
    }
    if (e->suite == NULL) {
        return xmtp_fail(e->error, XMTP_E_SUITE, "cipher suite 0x%04x is not supported",
                         (unsigned)context->cipher_suite);
    }
    if (e->options->signer.signature_sk.n != e->suite->signature->sk_len ||
        e->options->signer.signature_pk.n != e->suite->signature->pk_len) {
        return xmtp_fail(e->error, XMTP_E_KEY, "signature keys have a wrong length");
    }
    return read_external_pub(e);
}

/* The group at the epoch of the GroupInfo. */
static xmtp_status take_group(entering *e)
{
    XMTP_TRY(xmtp_group_new(&e->group, e->config, e->suite, e->error));
    xmtp_mls_group *group = e->group;
    const xmtp_mls_signer *signer = &e->options->signer;
    xmtp_status verdict = XMTP_E_INTERNAL; /* on the group info's signature */
    XMTP_TRY(xmtp_group_take_tree(group, &e->info, e->options->ratchet_tree, &verdict, e->error));
    XMTP_TRY(xmtp_group_check_signer(&e->info, verdict, e->error));
    memcpy(group->signature_sk, signer->signature_sk.p, signer->signature_sk.n);
    memcpy(group->signature_pk, signer->signature_pk.p, signer->signature_pk.n);
    group->context = e->info.group_context;
    group->private_keys.leaf_index = XMTP_EXTERNAL_COMMITTER;
    group->interim_transcript_hash.n = e->suite->hash->len;
    return xmtp_interim_transcript_hash(e->suite, group->context.confirmed_transcript_hash,
                                        e->info.confirmation_tag, group->interim_transcript_hash.p);
}

/* Section 8.3: init_secret and its encapsulation. */
static xmtp_status make_init_secret(entering *e)
{
    const xmtp_env *env = e->config->env;
    uint8_t seed[XMTP_KEM_SEED_MAX];
    xmtp_hpke hpke;
    XMTP_TRY(env->random(env->context, seed, e->suite->kem->seed_len));
    xmtp_status status = xmtp_hpke_setup_sender(&hpke, e->suite, e->external_pub.p, (xmtp_bytes){0},
                                                seed, e->kem_output);
    xmtp_wipe(seed, sizeof seed);
    XMTP_TRY(status);
    e->init_secret.n = e->suite->hash->len;
    status = xmtp_hpke_export(&hpke, e->suite, xmtp_bytes_of_string("MLS 1.0 external init secret"),
                              e->init_secret.p, e->init_secret.n);
    xmtp_hpke_wipe(&hpke);
    return status;
}

static xmtp_proposal *next_proposal(entering *e)
{
    xmtp_proposal_or_ref *item = &e->commit.proposals[e->commit.proposal_count++];
    item->kind = XMTP_BY_VALUE;
    return &item->proposal;
}

/* Section 6.3 of the extensions draft: what a joiner can check of a SelfRemove, which is all but the
 * membership tag. Kept as a member would keep it, so that references find it. */
static xmtp_status keep_self_remove(entering *e, xmtp_bytes bytes, xmtp_mls_writes *unused)
{
    xmtp_mls_group *group = e->group;
    xmtp_mls_message *message;
    XMTP_TRY(xmtp_arena_take(&e->arena, sizeof *message, (void **)&message));
    XMTP_TRY(xmtp_mls_message_decode(bytes, &e->arena, message));
    const xmtp_public_message *m = &message->u.public_message;
    if (message->wire_format != XMTP_WIRE_PUBLIC_MESSAGE ||
        m->content.content.type != XMTP_CONTENT_PROPOSAL ||
        m->content.content.proposal.type != XMTP_PROPOSAL_SELF_REMOVE ||
        m->content.sender.type != XMTP_SENDER_MEMBER) {
        return xmtp_fail(e->error, XMTP_E_SELF_REMOVE, "message is no SelfRemove of a member");
    }
    if (!xmtp_bytes_equal(m->content.group_id, group->context.group_id) ||
        m->content.epoch != group->context.epoch) {
        return xmtp_fail(e->error, XMTP_E_SELF_REMOVE, "SelfRemove is for another group or epoch");
    }
    const xmtp_authenticated_content content = {
        .wire_format = XMTP_WIRE_PUBLIC_MESSAGE, .content = m->content, .auth = m->auth};
    xmtp_bytes key = xmtp_tree_signature_key(&group->tree, m->content.sender.index);
    if (key.n == 0) {
        return xmtp_fail(e->error, XMTP_E_SENDER, "SelfRemove is by leaf %" PRIu32 ", no member",
                         m->content.sender.index);
    }
    xmtp_status status =
        xmtp_framing_verify(e->suite, key, &content, group->context.raw, group->scratch);
    if (status != XMTP_OK) {
        return xmtp_fail(e->error, status, "the signature of a SelfRemove is wrong");
    }
    xmtp_writer *w = &group->scratch->tbs;
    xmtp_writer_clear(w);
    xmtp_authenticated_content_encode(w, &content);
    XMTP_TRY(xmtp_writer_status(w));
    return xmtp_kept_add(group, xmtp_writer_bytes(w), (xmtp_bytes){0}, unused);
}

static xmtp_status keep_self_removes(entering *e)
{
    const xmtp_mls_external_options *o = e->options;
    xmtp_mls_writes *unused;
    XMTP_ENSURE(o->self_remove_count <= XMTP_MLS_KEPT_PROPOSALS_MAX, XMTP_E_LIMIT);
    XMTP_TRY(xmtp_mls_writes_new(&unused, e->config->env));
    xmtp_status status = XMTP_OK;
    for (size_t i = 0; i < o->self_remove_count && status == XMTP_OK; i++) {
        status = keep_self_remove(e, o->self_removes[i], unused);
    }
    xmtp_mls_writes_free(unused);
    return status;
}

static void list_self_removes(entering *e)
{
    for (uint32_t i = 0; i < e->group->kept_count; i++) {
        e->commit.proposals[e->commit.proposal_count++] = (xmtp_proposal_or_ref){
            .kind = XMTP_BY_REFERENCE, .reference = xmtp_digest_bytes(&e->group->kept[i].ref)};
    }
}

static xmtp_status list_proposals(entering *e)
{
    const xmtp_mls_external_options *o = e->options;
    const xmtp_proposal init = {.type = XMTP_PROPOSAL_EXTERNAL_INIT,
                                .u.external_init =
                                    xmtp_bytes_of(e->kem_output, e->suite->kem->enc_len)};
    XMTP_ENSURE(o->psk_count <= XMTP_MLS_PSKS_MAX, XMTP_E_LIMIT);
    const size_t count = o->psk_count + e->group->kept_count + 2;
    XMTP_TRY(xmtp_arena_take_array(&e->arena, count, sizeof *e->commit.proposals,
                                   (void **)&e->commit.proposals));
    XMTP_TRY(xmtp_proposal_settle(&init, &e->arena, next_proposal(e)));
    if (o->remove != XMTP_MLS_NO_LEAF) {
        const xmtp_proposal removal = {.type = XMTP_PROPOSAL_REMOVE,
                                       .u.remove = (uint32_t)o->remove};
        XMTP_ENSURE(o->remove >= 0 && o->remove < XMTP_MLS_LEAVES_MAX, XMTP_E_ARGUMENT);
        XMTP_TRY(xmtp_proposal_settle(&removal, &e->arena, next_proposal(e)));
    }
    for (size_t i = 0; i < o->psk_count; i++) {
        const xmtp_mls_proposal psk = {.type = XMTP_MLS_PROPOSAL_PSK, .psk = o->psks[i]};
        XMTP_TRY(
            xmtp_proposal_make(e->config, e->suite, &psk, &e->arena, next_proposal(e), e->error));
    }
    list_self_removes(e);
    return XMTP_OK;
}

/* Our leaf goes onto the first free place; the path replaces its key at once. */
static xmtp_status put_leaf(entering *e, xmtp_leaf_node *fields)
{
    const xmtp_env *env = e->config->env;
    const xmtp_mls_create_options options = {.signer = e->options->signer,
                                             .capabilities = e->options->capabilities,
                                             .leaf_extensions = e->options->leaf_extensions,
                                             .leaf_extension_count =
                                                 e->options->leaf_extension_count};
    uint8_t placeholder[XMTP_KEM_PK_MAX];
    xmtp_writer *w = &e->group->scratch->tbs;
    XMTP_TRY(env->random(env->context, placeholder, e->suite->kem->pk_len));
    XMTP_TRY(xmtp_first_leaf_fields(env, &options, &e->arena,
                                    xmtp_bytes_of(placeholder, e->suite->kem->pk_len), fields));
    xmtp_writer_clear(w);
    XMTP_TRY(xmtp_leaf_node_sign(e->suite, e->group->signature_sk, fields, (xmtp_bytes){0}, 0,
                                 &e->group->scratch->label, w));
    return xmtp_tree_add_leaf(&e->next, xmtp_writer_bytes(w), &e->leaf_index);
}

static xmtp_status make_path(entering *e)
{
    const xmtp_mls_group *group = e->group;
    uint8_t tree_hash[XMTP_HASH_MAX];
    xmtp_leaf_node leaf;
    XMTP_TRY(put_leaf(e, &leaf));
    XMTP_TRY(xmtp_treekem_begin(&e->next, e->leaf_index, &leaf, group->signature_sk,
                                group->context.group_id, group->env, &e->path));
    XMTP_TRY(xmtp_tree_leaf(&e->next, e->leaf_index, &leaf));
    XMTP_TRY(
        xmtp_path_leaf_check(group, &leaf, e->leaf_index, &group->context.extensions, e->error));
    XMTP_TRY(xmtp_tree_check_keys(&e->next, e->error));
    XMTP_TRY(xmtp_tree_check_credentials(&e->next, e->error));
    XMTP_TRY(xmtp_tree_hash(&e->next, tree_hash));
    return xmtp_next_context(group, &e->applied.extensions,
                             xmtp_bytes_of(tree_hash, e->suite->hash->len),
                             group->context.confirmed_transcript_hash, &e->arena, &e->provisional);
}

static xmtp_status encode_commit(entering *e, xmtp_writer *w, xmtp_bytes *out)
{
    size_t mark = xmtp_writer_vec_open(w);
    for (size_t i = 0; i < e->commit.proposal_count; i++) {
        xmtp_proposal_or_ref_encode(w, &e->commit.proposals[i]);
    }
    xmtp_writer_vec_close(w, mark);
    xmtp_writer_u8(w, 1); /* optional path: present */
    XMTP_TRY(xmtp_treekem_encrypt(&e->next, &e->path, e->provisional.raw, NULL, 0, e->group->env,
                                  &e->arena, w));
    XMTP_TRY(xmtp_writer_status(w));
    return xmtp_arena_copy(&e->arena, xmtp_writer_bytes(w), out);
}

static xmtp_status frame(entering *e)
{
    xmtp_framed_content *content = &e->content.content;
    xmtp_writer w;
    xmtp_bytes raw;
    xmtp_writer_init(&w, e->group->alloc, XMTP_WRITER_MAX);
    xmtp_status status = encode_commit(e, &w, &raw);
    xmtp_writer_free(&w);
    XMTP_TRY(status);
    e->content.wire_format = XMTP_WIRE_PUBLIC_MESSAGE;
    *content = xmtp_group_frame(e->group, e->options->authenticated_data);
    content->sender = (xmtp_sender){.type = XMTP_SENDER_NEW_MEMBER_COMMIT};
    content->content.type = XMTP_CONTENT_COMMIT;
    content->content.raw = raw;
    xmtp_writer *framed = &e->group->scratch->tbs;
    xmtp_writer_clear(framed);
    xmtp_framed_content_encode(framed, content);
    XMTP_TRY(xmtp_writer_status(framed));
    XMTP_TRY(xmtp_arena_copy(&e->arena, xmtp_writer_bytes(framed), &content->raw));
    e->content.auth.signature.p = e->signature;
    return xmtp_group_sign_as(e->group, XMTP_WIRE_PUBLIC_MESSAGE, content, e->signature,
                              &e->content.auth.signature.n);
}

static xmtp_status make_secrets(entering *e)
{
    const xmtp_psk_source source = {.config = e->config, .suite = e->suite};
    const xmtp_schedule_inputs inputs = {.init_secret = &e->init_secret,
                                         .commit_secret = &e->path.commit_secret,
                                         .psk_secret = &e->psk_secret};
    xmtp_mls_group *group = e->group;
    XMTP_TRY(xmtp_psk_secret_of_list(&source, &e->applied, &e->arena, &e->psk_secret, e->error));
    XMTP_TRY(xmtp_next_secrets(group, &e->content, &e->provisional, &inputs, &e->arena, &e->context,
                               &e->secrets, NULL));
    group->confirmation_tag.n = e->suite->hash->len;
    xmtp_confirmation_tag(e->suite, &e->secrets.confirmation_key,
                          e->context.confirmed_transcript_hash, group->confirmation_tag.p);
    e->content.auth.confirmation_tag = xmtp_digest_bytes(&group->confirmation_tag);
    const xmtp_public_message message = {.content = e->content.content, .auth = e->content.auth};
    xmtp_mls_message_header_encode(&e->out, XMTP_WIRE_PUBLIC_MESSAGE);
    xmtp_public_message_encode(&e->out, &message);
    return xmtp_writer_status(&e->out);
}

/* The group at the epoch that the commit starts. */
static xmtp_status enter(entering *e, xmtp_mls_writes *writes)
{
    xmtp_mls_group *group = e->group;
    XMTP_TRY(xmtp_tree_merge(&group->tree, &e->next));
    xmtp_kept_drop(group, NULL);
    xmtp_treekem_adopt(&e->path, e->suite, &group->private_keys);
    group->secrets = e->secrets;
    XMTP_TRY(xmtp_interim_transcript_hash(e->suite, e->context.confirmed_transcript_hash,
                                          xmtp_digest_bytes(&group->confirmation_tag),
                                          group->interim_transcript_hash.p));
    return xmtp_group_first_epoch(group, e->context.raw, e->context.epoch, writes);
}

static xmtp_status join_external(entering *e, xmtp_mls_writes *writes)
{
    XMTP_TRY(read_group_info(e));
    XMTP_TRY(take_group(e));
    xmtp_tree_overlay(&e->next, &e->group->tree);
    XMTP_TRY(make_init_secret(e));
    XMTP_TRY(keep_self_removes(e));
    XMTP_TRY(list_proposals(e));
    XMTP_TRY(xmtp_proposals_apply(e->group, XMTP_EXTERNAL_COMMITTER, &e->commit, &e->arena,
                                  &e->next, &e->applied, e->error));
    XMTP_TRY(make_path(e));
    XMTP_TRY(frame(e));
    XMTP_TRY(make_secrets(e));
    return enter(e, writes);
}

static void entering_wipe(entering *e)
{
    xmtp_tree_free(&e->next);
    xmtp_writer_free(&e->out);
    xmtp_arena_reset(&e->arena);
    xmtp_wipe(e, sizeof *e);
}

xmtp_status xmtp_mls_group_join_external(xmtp_mls_group **out, const xmtp_mls_config *config,
                                         const xmtp_mls_external_options *options,
                                         uint8_t **message, size_t *message_len,
                                         xmtp_mls_writes *writes, xmtp_error *error)
{
    entering e = {.config = config, .options = options, .error = error};
    *out = NULL;
    *message = NULL;
    *message_len = 0;
    xmtp_arena_init(&e.arena, &config->env->alloc, EXTERNAL_MEMORY_MAX);
    xmtp_writer_init(&e.out, &config->env->alloc, XMTP_WRITER_MAX);
    xmtp_status status = join_external(&e, writes);
    if (status == XMTP_OK) {
        status = xmtp_writer_detach(&e.out, message, message_len);
    }
    xmtp_mls_group *group = e.group;
    entering_wipe(&e);
    if (status != XMTP_OK) {
        xmtp_mls_group_free(group);
        return xmtp_fail_default(error, status, "joining by an external commit");
    }
    *out = group;
    return XMTP_OK;
}
