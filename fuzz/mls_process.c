/* mls_process.c - fuzzes what a member does with messages to its group, behind every seal: the
 * input is signed, tagged and encrypted here with the real keys of a forger in the group.
 *
 * alice judges; bob (leaf 1) forges and keeps the proposals that alice keeps; carol is there too;
 * dave is an external sender; eve is outside. The input is a header and a body:
 *
 *   kind, variant of alice's configuration, epochs back, who signs, sender, content type, flags, body
 *
 *   RAW        body is an MLSMessage
 *   PUBLIC     body is the content of a signed PublicMessage
 *   PRIVATE    body is the content of a signed PrivateMessage
 *   PLAINTEXT  body is the plaintext of a PrivateMessage
 *   COMMIT     body is a list of proposals; path and confirmation tag are made for it
 *   RECORD     body replaces a record of alice's store, which is loaded
 *
 * Whatever alice accepts is merged into a copy of her group: its tree must be valid, its store must
 * say what memory says. Whatever she refuses leaves her as she was.
 */
#include "mls_world.h"

#include "base/status.h"
#include "mls/kept.h"
#include "mls/protect.h"
#include "mls/psk.h"
#include "mls/stage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { RAW, PUBLIC, PRIVATE, PLAINTEXT, COMMIT, RECORD, KINDS };
enum { VARIANTS = 3, EPOCHS = 3, SIGNERS = 4 };
enum { WITH_PATH = 1, AS_PRIVATE = 2, RESIGN = 4, KEPT_GENERATION = 8 };

typedef struct scene {
    world_env world;
    member alice, bob, carol, dave, eve;
    xmtp_mls_group *judges[VARIANTS]; /* alice, configured differently */
    xmtp_mls_config configs[VARIANTS];
    uint8_t digests[VARIANTS][32];
    xmtp_mls_group *forgers[EPOCHS]; /* bob, now and in past epochs */
    xmtp_arena arena;                /* of one input */
} scene;

typedef struct header {
    uint8_t kind, variant, back, signer, sender, content_type, flags;
} header;

/* ---- the scene, built once ---- */

static blob external_senders(const member *m)
{
    xmtp_writer w = writer_new(&m->world->env.alloc);
    size_t mark = xmtp_writer_vec_open(&w);
    xmtp_writer_vec(&w, xmtp_bytes_of(m->pk, 32));
    xmtp_writer_u16(&w, XMTP_MLS_CREDENTIAL_BASIC);
    xmtp_writer_vec(&w, xmtp_bytes_of_string(m->name));
    xmtp_writer_vec_close(&w, mark);
    const blob b = blob_copy(xmtp_writer_bytes(&w));
    xmtp_writer_free(&w);
    return b;
}

static xmtp_mls_group *load(member *m, const xmtp_mls_config *config)
{
    const xmtp_mls_records records = {.context = &m->store, .each = world_store_each};
    xmtp_mls_group *group;
    assert_ok(m, xmtp_mls_group_load(&group, config, &records, &m->error));
    return group;
}

static void next_epoch(scene *s, const xmtp_mls_commit_options *options)
{
    xmtp_mls_pending *pending = member_commit(&s->alice, options);
    assert_ok(&s->bob, member_take(&s->bob, xmtp_mls_pending_message(pending)));
    assert_ok(&s->carol, member_take(&s->carol, xmtp_mls_pending_message(pending)));
    member_confirm(&s->alice, pending);
}

static void carol_proposes(scene *s, const xmtp_mls_proposal *proposal)
{
    blob b;
    xmtp_mls_ref ref;
    xmtp_mls_writes_clear(s->carol.writes);
    assert_ok(&s->carol, xmtp_mls_group_propose(s->carol.group, proposal, (xmtp_bytes){0}, &b.p,
                                                &b.n, &ref, s->carol.writes, &s->carol.error));
    member_store(&s->carol);
    assert_ok(&s->alice, member_take(&s->alice, blob_bytes(b)));
    assert_ok(&s->bob, member_take(&s->bob, blob_bytes(b)));
    free(b.p);
}

static void proposals_wait(scene *s)
{
    xmtp_mls_key_package_private keys;
    blob package = member_key_package(&s->dave, &keys);
    const xmtp_mls_extension extension = {.type = 0xff00, .data = xmtp_bytes_of("x", 1)};
    const xmtp_mls_proposal proposals[] = {
        {.type = XMTP_MLS_PROPOSAL_UPDATE},
        {.type = XMTP_MLS_PROPOSAL_ADD, .key_package = blob_bytes(package)},
        {.type = XMTP_MLS_PROPOSAL_REMOVE, .leaf = 1},
        {.type = XMTP_MLS_PROPOSAL_PSK,
         .psk = {.type = XMTP_MLS_PSK_EXTERNAL, .id = xmtp_bytes_of("psk-1", 5)}},
        {.type = XMTP_MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS,
         .extensions = &extension,
         .extension_count = 1},
        {.type = 0xf001, .data = xmtp_bytes_of("own", 3)},
        {.type = XMTP_MLS_PROPOSAL_REINIT, .group_id = xmtp_bytes_of("next", 4), .suite = 3},
        {.type = XMTP_MLS_PROPOSAL_REMOVE, .leaf = 0},
    };
    for (size_t i = 0; i < sizeof proposals / sizeof *proposals; i++) {
        carol_proposes(s, &proposals[i]);
    }
    free(package.p);
}

static void judges_sit(scene *s)
{
    for (size_t i = 0; i < VARIANTS; i++) {
        s->configs[i] = s->alice.config;
    }
    s->configs[1].openmls_verdicts = true;
    s->configs[2].check_lifetimes = true;
    s->configs[2].refuse_psks = true;
    s->configs[2].keep_proposals = false;
    for (size_t i = 0; i < VARIANTS; i++) {
        s->judges[i] = load(&s->alice, &s->configs[i]);
        group_digest(s->judges[i], s->digests[i]);
    }
}

static void scene_open(scene *s)
{
    world_env_init(&s->world, 23);
    full_member(&s->alice, &s->world, "alice");
    full_member(&s->bob, &s->world, "bob");
    full_member(&s->carol, &s->world, "carol");
    full_member(&s->dave, &s->world, "dave");
    full_member(&s->eve, &s->world, "eve");
    member_create(&s->alice);
    free(member_invite(&s->alice, &s->bob).p);
    blob commit = member_invite(&s->alice, &s->carol);
    assert_ok(&s->bob, member_take(&s->bob, blob_bytes(commit)));
    free(commit.p);
    blob senders = external_senders(&s->dave);
    const xmtp_mls_extension extension = {.type = XMTP_MLS_EXTENSION_EXTERNAL_SENDERS,
                                          .data = blob_bytes(senders)};
    s->forgers[2] = load(&s->bob, &s->bob.config);
    next_epoch(s, &(xmtp_mls_commit_options){.context_extensions = &extension,
                                             .context_extension_count = 1,
                                             .set_context_extensions = true});
    s->forgers[1] = load(&s->bob, &s->bob.config);
    next_epoch(s, NULL);
    proposals_wait(s);
    s->forgers[0] = load(&s->bob, &s->bob.config);
    judges_sit(s);
    free(senders.p);
}

static scene *scene_get(void)
{
    static scene s;
    if (s.judges[0] == NULL) {
        scene_open(&s);
    }
    s.world.state = 99; /* every input sees the same randomness */
    xmtp_arena_init(&s.arena, &s.world.env.alloc, 64 << 20);
    return &s;
}

static const member *signer_of(const scene *s, const header *h)
{
    const member *const signers[SIGNERS] = {&s->bob, &s->carol, &s->dave, &s->eve};
    return signers[h->signer % SIGNERS];
}

/* ---- proposals of the input ---- */

/* The leaf signed for its place by m, whatever it says. */
static xmtp_leaf_node resigned_leaf(scene *s, const member *m, xmtp_leaf_node leaf)
{
    const xmtp_mls_group *group = s->forgers[0];
    const int64_t index = xmtp_mls_group_find(group, xmtp_bytes_of(m->pk, 32));
    xmtp_writer w = writer_new(group->alloc);
    leaf.signature_key = xmtp_bytes_of(m->pk, 32);
    assert_int_equal(xmtp_leaf_node_sign(group->suite, m->sk, &leaf, group->context.group_id,
                                         index < 0 ? 0 : (uint32_t)index, &group->scratch->label,
                                         &w),
                     XMTP_OK);
    leaf.raw = writer_keep(&w, &s->arena);
    return leaf;
}

static void resign(scene *s, const member *m, xmtp_proposal *proposal)
{
    if (proposal->type == XMTP_PROPOSAL_UPDATE) {
        proposal->u.update = resigned_leaf(s, m, proposal->u.update);
    } else if (proposal->type == XMTP_PROPOSAL_ADD) {
        xmtp_key_package *package = &proposal->u.add;
        xmtp_writer w = writer_new(&s->world.env.alloc);
        package->leaf_node = resigned_leaf(s, m, package->leaf_node);
        assert_int_equal(xmtp_key_package_sign(s->bob.group->suite, m->sk, package,
                                               &s->bob.group->scratch->label, &w),
                         XMTP_OK);
        package->raw = writer_keep(&w, &s->arena);
    }
}

/* The content that is sent: a proposal with its inner signatures made good, or the body itself. */
static xmtp_bytes content_of(scene *s, const header *h, xmtp_bytes body)
{
    xmtp_proposal proposal;
    xmtp_reader r = xmtp_reader_of(body);
    if (h->content_type != XMTP_CONTENT_PROPOSAL || (h->flags & RESIGN) == 0 ||
        xmtp_proposal_decode(&r, &proposal) != XMTP_OK) {
        return body;
    }
    xmtp_writer w = writer_new(&s->world.env.alloc);
    resign(s, signer_of(s, h), &proposal);
    xmtp_proposal_encode(&w, &proposal);
    xmtp_writer_put(&w, take_rest(&r));
    return writer_keep(&w, &s->arena);
}

/* A list for a commit: 0 and a number stand for a kept proposal, 1 and a proposal for that, 2 for an
 * Add or Update with its inner signatures made good (by eve); anything else is taken as it is. */
static xmtp_bytes list_of(scene *s, xmtp_bytes body, xmtp_bytes external_init)
{
    const xmtp_mls_group *group = s->forgers[0];
    xmtp_reader r = xmtp_reader_of(body);
    xmtp_writer w = writer_new(group->alloc);
    if (external_init.n > 0) {
        xmtp_writer_u8(&w, XMTP_BY_VALUE);
        xmtp_proposal_encode(&w, &(xmtp_proposal){.type = XMTP_PROPOSAL_EXTERNAL_INIT,
                                                  .u.external_init = external_init});
    }
    while (r.n > 0) {
        xmtp_proposal proposal;
        xmtp_reader at = r;
        uint8_t what = take_u8(&at);
        if (what == 0) {
            uint32_t i = take_u8(&at) % group->kept_count;
            xmtp_writer_u8(&w, XMTP_BY_REFERENCE);
            xmtp_writer_vec(&w, xmtp_digest_bytes(&group->kept[i].ref));
        } else if (what <= 2 && xmtp_proposal_decode(&at, &proposal) == XMTP_OK) {
            if (what == 2) {
                resign(s, &s->eve, &proposal);
            }
            xmtp_writer_u8(&w, XMTP_BY_VALUE);
            xmtp_proposal_encode(&w, &proposal);
        } else {
            xmtp_writer_put(&w, take_rest(&at));
        }
        r = at;
    }
    return writer_keep(&w, &s->arena);
}

/* ---- sealing ---- */

/* Signs as h->signer and sends as that member or sender, in a PublicMessage. */
static xmtp_bytes seal_public(scene *s, const header *h, xmtp_authenticated_content *c)
{
    uint8_t signature[XMTP_SIGNATURE_MAX], tag[XMTP_HASH_MAX];
    const member *m = signer_of(s, h);
    const xmtp_mls_group *group = s->forgers[h->back];
    xmtp_writer w = writer_new(group->alloc);
    c->wire_format = XMTP_WIRE_PUBLIC_MESSAGE;
    c->auth.signature.p = signature;
    assert_int_equal(xmtp_framing_sign(group->suite, m->sk, m->pk, c->wire_format, &c->content,
                                       group->context.raw, group->scratch, signature,
                                       &c->auth.signature.n),
                     XMTP_OK);
    assert_int_equal(xmtp_membership_tag(group->suite, &group->secrets.membership_key, c,
                                         group->context.raw, group->scratch, tag),
                     XMTP_OK);
    const xmtp_public_message message = {
        .content = c->content, .auth = c->auth, .membership_tag = xmtp_bytes_of(tag, 32)};
    xmtp_mls_message_header_encode(&w, XMTP_WIRE_PUBLIC_MESSAGE);
    xmtp_public_message_encode(&w, &message);
    return writer_keep(&w, &s->arena);
}

/* bob's next key, or that of the generation in the header. */
static xmtp_message_key sending_key(const scene *s, const header *h)
{
    const xmtp_mls_group *group = s->forgers[h->back];
    const xmtp_ratchet_limits limits = {.tolerance = 5, .forward = 1000};
    const xmtp_ratchet_kind kind = h->content_type == XMTP_CONTENT_APPLICATION
                                       ? XMTP_RATCHET_APPLICATION
                                       : XMTP_RATCHET_HANDSHAKE;
    const uint32_t generation = (h->flags & KEPT_GENERATION) == 0 ? 0 : h->sender;
    xmtp_message_key key = {0};
    xmtp_secret_tree_change change = {0};
    (void)!xmtp_secret_tree_key(&group->epochs[0].secret_tree, 1, kind, generation, &limits, &key,
                                &change);
    xmtp_secret_tree_change_free(&change);
    key.generation = generation;
    return key;
}

static xmtp_bytes seal_private(scene *s, const header *h, xmtp_authenticated_content *c)
{
    uint8_t signature[XMTP_SIGNATURE_MAX];
    const xmtp_mls_group *group = s->forgers[h->back];
    const xmtp_message_key key = sending_key(s, h);
    xmtp_writer w = writer_new(group->alloc);
    c->wire_format = XMTP_WIRE_PRIVATE_MESSAGE;
    c->content.sender = (xmtp_sender){.type = XMTP_SENDER_MEMBER, .index = 1};
    c->auth.signature.p = signature;
    assert_int_equal(
        xmtp_group_sign_as(group, c->wire_format, &c->content, signature, &c->auth.signature.n),
        XMTP_OK);
    assert_int_equal(xmtp_group_seal(group, &c->content, &c->auth, &key, &w), XMTP_OK);
    return writer_keep(&w, &s->arena);
}

static xmtp_authenticated_content framed(const scene *s, const header *h, xmtp_bytes raw)
{
    static const uint8_t zeros[XMTP_HASH_MAX];
    const xmtp_mls_group *group = s->forgers[h->back];
    xmtp_authenticated_content c = {.content = xmtp_group_frame(group, (xmtp_bytes){0}),
                                    .auth.confirmation_tag = xmtp_bytes_of(zeros, 32)};
    c.content.sender =
        (xmtp_sender){.type = (uint8_t)(1 + h->sender % 4), .index = (uint32_t)h->sender >> 2};
    c.content.authenticated_data = xmtp_bytes_of(zeros, h->flags >> 4);
    c.content.content = (xmtp_mls_content){.type = h->content_type, .raw = raw};
    return c;
}

/* ---- a PrivateMessage around any plaintext ---- */

static xmtp_bytes seal_plaintext(scene *s, const header *h, xmtp_bytes plaintext)
{
    const xmtp_mls_group *group = s->forgers[h->back];
    const xmtp_suite *suite = group->suite;
    const xmtp_message_key key = sending_key(s, h);
    uint8_t data_key[XMTP_AEAD_KEY_MAX], data_nonce[XMTP_AEAD_NONCE_MAX], sealed[12 + 16];
    uint8_t *ciphertext;
    xmtp_private_message m = {.group_id = group->context.group_id,
                              .epoch = group->context.epoch,
                              .content_type = h->content_type};
    xmtp_writer w = writer_new(group->alloc), aad = writer_new(group->alloc),
                sender = writer_new(group->alloc);
    assert_int_equal(xmtp_arena_take(&s->arena, plaintext.n + 16, (void **)&ciphertext), XMTP_OK);
    xmtp_private_content_aad_encode(&aad, &m);
    assert_int_equal(
        suite->aead->seal(key.key, key.nonce, xmtp_writer_bytes(&aad), plaintext, ciphertext),
        XMTP_OK);
    m.ciphertext = xmtp_bytes_of(ciphertext, plaintext.n + 16);
    assert_int_equal(xmtp_sender_data_key(suite, &group->epochs[0].sender_data_secret, m.ciphertext,
                                          data_key, data_nonce),
                     XMTP_OK);
    const xmtp_sender_data data = {.leaf_index = h->signer, .generation = key.generation};
    xmtp_sender_data_encode(&sender, &data);
    xmtp_writer_clear(&aad);
    xmtp_sender_data_aad_encode(&aad, &m);
    assert_int_equal(suite->aead->seal(data_key, data_nonce, xmtp_writer_bytes(&aad),
                                       xmtp_writer_bytes(&sender), sealed),
                     XMTP_OK);
    m.encrypted_sender_data = xmtp_bytes_of(sealed, sizeof sealed);
    xmtp_mls_message_header_encode(&w, XMTP_WIRE_PRIVATE_MESSAGE);
    xmtp_private_message_encode(&w, &m);
    xmtp_writer_free(&aad);
    xmtp_writer_free(&sender);
    return writer_keep(&w, &s->arena);
}

/* ---- commits ---- */

typedef struct forgery {
    scene *s;
    const xmtp_mls_group *group; /* bob's */
    bool is_external;            /* eve comes in; otherwise bob commits */
    const member *who;
    xmtp_bytes list;
    xmtp_commit commit;
    xmtp_tree next;
    xmtp_applied applied;
    xmtp_treekem_path path;
    xmtp_secret init_secret, psk_secret;
    uint8_t kem_output[XMTP_KEM_ENC_MAX];
    xmtp_group_context provisional;
    uint8_t tag[XMTP_HASH_MAX];
} forgery;

/* Section 8.3, as external.c has it. */
static xmtp_bytes external_init(forgery *f)
{
    const uint8_t seed[XMTP_KEM_SEED_MAX] = {3};
    uint8_t pk[XMTP_KEM_PK_MAX];
    xmtp_hpke hpke;
    const xmtp_suite *suite = f->group->suite;
    assert_int_equal(xmtp_external_key(suite, &f->group->secrets.external_secret, NULL, pk),
                     XMTP_OK);
    assert_int_equal(xmtp_hpke_setup_sender(&hpke, suite, pk, (xmtp_bytes){0}, seed, f->kem_output),
                     XMTP_OK);
    f->init_secret.n = suite->hash->len;
    assert_int_equal(xmtp_hpke_export(&hpke, suite,
                                      xmtp_bytes_of_string("MLS 1.0 external init secret"),
                                      f->init_secret.p, f->init_secret.n),
                     XMTP_OK);
    return xmtp_bytes_of(f->kem_output, suite->kem->enc_len);
}

static xmtp_bytes commit_bytes(forgery *f, const xmtp_writer *path)
{
    xmtp_writer w = writer_new(f->group->alloc);
    xmtp_writer_vec(&w, f->list);
    xmtp_writer_u8(&w, path != NULL);
    if (path != NULL) {
        xmtp_writer_put(&w, xmtp_writer_bytes(path));
    }
    return writer_keep(&w, &f->s->arena);
}

/* The committer's leaf as it was; eve's is made from bob's. */
static xmtp_status path_leaf(forgery *f, uint32_t *index, xmtp_leaf_node *leaf)
{
    static uint8_t key[32] = {9};
    *index = 1;
    XMTP_TRY(xmtp_tree_leaf(&f->group->tree, 1, leaf));
    if (f->is_external) {
        leaf->credential.content = xmtp_bytes_of_string(f->who->name);
        leaf->encryption_key = xmtp_bytes_of(key, sizeof key);
        *leaf = resigned_leaf(f->s, f->who, *leaf);
        return xmtp_tree_add_leaf(&f->next, leaf->raw, index);
    }
    return XMTP_OK;
}

/* What the list makes of the tree, and a path on it: XMTP_OK when a tag can be made. */
static xmtp_status make_tree(forgery *f, bool with_path)
{
    const xmtp_psk_source source = {
        .config = &f->group->config, .suite = f->group->suite, .group = f->group};
    uint32_t index;
    uint8_t hash[XMTP_HASH_MAX];
    xmtp_leaf_node leaf;
    xmtp_error error;
    xmtp_arena *arena = &f->s->arena;
    xmtp_reader r = xmtp_reader_of(commit_bytes(f, NULL));
    XMTP_TRY(xmtp_commit_decode(&r, arena, &f->commit));
    XMTP_TRY(xmtp_proposals_apply(f->group, f->is_external ? XMTP_EXTERNAL_COMMITTER : 1,
                                  &f->commit, arena, &f->next, &f->applied, &error));
    XMTP_TRY(xmtp_psk_secret_of_list(&source, &f->applied, arena, &f->psk_secret, &error));
    f->path.commit_secret = (xmtp_secret){.n = 32};
    if (with_path) {
        XMTP_TRY(path_leaf(f, &index, &leaf));
        XMTP_TRY(xmtp_treekem_begin(&f->next, index, &leaf, f->who->sk, f->group->context.group_id,
                                    f->group->env, &f->path));
    }
    XMTP_TRY(xmtp_tree_hash(&f->next, hash));
    return xmtp_next_context(f->group, &f->applied.extensions, xmtp_bytes_of(hash, 32),
                             f->group->context.confirmed_transcript_hash, arena, &f->provisional);
}

/* The confirmation tag over what is signed; f->tag. */
static void make_tag(forgery *f, xmtp_authenticated_content *c)
{
    uint8_t signature[XMTP_SIGNATURE_MAX];
    const xmtp_mls_group *group = f->group;
    const xmtp_schedule_inputs inputs = {.init_secret = &f->init_secret,
                                         .commit_secret = &f->path.commit_secret,
                                         .psk_secret = &f->psk_secret};
    xmtp_group_context context;
    xmtp_epoch_secrets secrets;
    xmtp_writer w = writer_new(group->alloc);
    xmtp_framed_content_encode(&w, &c->content);
    c->content.raw = writer_keep(&w, &f->s->arena);
    c->auth.signature.p = signature;
    assert_int_equal(xmtp_framing_sign(group->suite, f->who->sk, f->who->pk, c->wire_format,
                                       &c->content, group->context.raw, group->scratch, signature,
                                       &c->auth.signature.n),
                     XMTP_OK);
    assert_int_equal(xmtp_next_secrets(group, c, &f->provisional, &inputs, &f->s->arena, &context,
                                       &secrets, NULL),
                     XMTP_OK);
    xmtp_confirmation_tag(group->suite, &secrets.confirmation_key,
                          context.confirmed_transcript_hash, f->tag);
}

static xmtp_bytes seal_commit(forgery *f, header *h)
{
    xmtp_writer path = writer_new(f->group->alloc);
    const bool with_path = (h->flags & WITH_PATH) != 0;
    xmtp_bytes message, raw;
    h->content_type = XMTP_CONTENT_COMMIT;
    h->sender = f->is_external ? 3 : 1 << 2; /* NEW_MEMBER_COMMIT, or the member at leaf 1 */
    const xmtp_status status = make_tree(f, with_path);
    if (status == XMTP_OK && with_path) {
        assert_int_equal(xmtp_treekem_encrypt(&f->next, &f->path, f->provisional.raw,
                                              f->applied.added, f->applied.added_count,
                                              f->group->env, &f->s->arena, &path),
                         XMTP_OK);
    }
    raw = commit_bytes(f, path.n > 0 ? &path : NULL);
    xmtp_authenticated_content c = framed(f->s, h, raw);
    const bool is_private = !f->is_external && (h->flags & AS_PRIVATE) != 0;
    c.wire_format = is_private ? XMTP_WIRE_PRIVATE_MESSAGE : XMTP_WIRE_PUBLIC_MESSAGE;
    if (status == XMTP_OK) {
        make_tag(f, &c);
        c.auth.confirmation_tag = xmtp_bytes_of(f->tag, 32);
    }
    h->flags &= (uint8_t)~KEPT_GENERATION;
    message = is_private ? seal_private(f->s, h, &c) : seal_public(f->s, h, &c);
    xmtp_writer_free(&path);
    return message;
}

static xmtp_bytes forge_commit(scene *s, header *h, xmtp_bytes body)
{
    static forgery f;
    h->back = 0;
    f = (forgery){.s = s, .group = s->forgers[0], .is_external = h->signer % 2 == 1};
    f.who = f.is_external ? &s->eve : &s->bob;
    h->signer = f.is_external ? 3 : 0;
    f.init_secret = f.group->secrets.init_secret;
    xmtp_tree_overlay(&f.next, &f.group->tree);
    const xmtp_bytes init = f.is_external ? external_init(&f) : (xmtp_bytes){0};
    f.list = list_of(s, body, init);
    const xmtp_bytes message = seal_commit(&f, h);
    xmtp_tree_free(&f.next);
    return message;
}

/* ---- the verdict ---- */

/* What was accepted, made true in a copy. */
static void follow(scene *s, const header *h, xmtp_bytes message)
{
    member copy = {.world = &s->world, .config = s->configs[h->variant], .name = "copy"};
    xmtp_mls_staged *staged;
    xmtp_error error;
    for (size_t i = 0; i < s->alice.store.count; i++) {
        const world_record *r = &s->alice.store.records[i];
        world_store_put(&copy.store, xmtp_bytes_of(r->key, r->key_len),
                        xmtp_bytes_of(r->value, r->value_len));
    }
    assert_int_equal(xmtp_mls_writes_new(&copy.writes, &s->world.env), XMTP_OK);
    copy.group = load(&copy, &copy.config);
    assert_ok(&copy, xmtp_mls_group_process(copy.group, message, &staged, &copy.error));
    assert_ok(&copy, member_merge(&copy, staged));
    if (xmtp_mls_group_is_active(copy.group)) {
        member_check_store(&copy);
        assert_ok(&copy, member_load(&copy));
        member_check_store(&copy);
        if (!copy.config.openmls_verdicts &&
            xmtp_tree_validate(&copy.group->tree, copy.group->context.group_id,
                               &copy.group->context.extensions, &error) != XMTP_OK) {
            fail_msg("an accepted message leaves a bad tree: %s", error.text);
        }
    }
    member_free(&copy);
}

static void judge(scene *s, const header *h, xmtp_bytes message)
{
    uint8_t after[32];
    xmtp_mls_staged *staged = NULL;
    xmtp_mls_group *alice = s->judges[h->variant];
    xmtp_status status = xmtp_mls_group_process(alice, message, &staged, &s->alice.error);
    assert_true((staged != NULL) == (status == XMTP_OK));
    xmtp_mls_staged_free(staged);
    group_digest(alice, after);
    assert_memory_equal(after, s->digests[h->variant], 32);
    if (status == XMTP_OK) {
        follow(s, h, message);
    }
}

/* One record of the store is what the input says: it loads or it does not. */
static void load_record(scene *s, const header *h, xmtp_bytes body)
{
    world_store *store = &s->alice.store;
    world_record *r = &store->records[h->sender % store->count];
    const xmtp_mls_records records = {.context = store, .each = world_store_each};
    const world_record before = *r;
    xmtp_mls_group *group;
    r->value = blob_copy(body).p;
    r->value_len = body.n;
    if (xmtp_mls_group_load(&group, &s->configs[h->variant], &records, &s->alice.error) ==
        XMTP_OK) {
        xmtp_mls_group_free(group);
    }
    free(r->value);
    *r = before;
}

static xmtp_bytes message_of(scene *s, header *h, xmtp_bytes body)
{
    xmtp_authenticated_content c;
    switch (h->kind) {
    case PUBLIC:
        c = framed(s, h, content_of(s, h, body));
        return seal_public(s, h, &c);
    case PRIVATE:
        c = framed(s, h, content_of(s, h, body));
        return seal_private(s, h, &c);
    case PLAINTEXT:
        return seal_plaintext(s, h, body);
    case COMMIT:
        return forge_commit(s, h, body);
    default:
        return body;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    scene *s = scene_get();
    xmtp_reader r = xmtp_reader_of(xmtp_bytes_of(data, n));
    header h = {.kind = take_u8(&r) % KINDS,
                .variant = take_u8(&r) % VARIANTS,
                .back = take_u8(&r) % EPOCHS,
                .signer = take_u8(&r),
                .sender = take_u8(&r),
                .content_type = take_u8(&r),
                .flags = take_u8(&r)};
    const xmtp_bytes body = take_rest(&r);
    if (h.kind == RECORD) {
        load_record(s, &h, body);
    } else {
        judge(s, &h, message_of(s, &h, body));
    }
    xmtp_arena_reset(&s->arena);
    return 0;
}
