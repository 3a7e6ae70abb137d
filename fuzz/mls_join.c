/* mls_join.c - fuzzes joining a group: by a Welcome and by an external commit, behind every seal.
 *
 * alice and bob are in a group, carol has a key package, eve has nothing. The input is a kind, flags
 * and a body:
 *
 *   WELCOME   body is an MLSMessage
 *   INSIDE    body is a GroupSecrets as a vector, then a GroupInfo; both are sealed for carol
 *   EXTERNAL  body is a GroupInfo, from which eve joins
 *
 * The flags say what is made good first: leaf signatures, the tree hash, the confirmation tag and the
 * signature of the GroupInfo, with the keys of those who could. Who gets in must have a group whose
 * store says what its memory says, and which can be used; who does not, writes nothing.
 */
#include "mls_world.h"

#include "base/status.h"
#include "mls/psk.h"
#include "mls/welcome.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { WELCOME, INSIDE, EXTERNAL, KINDS };
enum {
    FIX_LEAVES = 1,
    FIX_HASH = 2,
    FIX_TAG = 4,
    FIX_SIGNATURE = 8,
    TREE_ASIDE = 16,
    STRICT = 32,
    RETURN_TO_LEAF = 64,
};

typedef struct scene {
    world_env world;
    member alice, bob, carol, eve;
    blob key_package; /* carol's */
    xmtp_key_package package;
    xmtp_mls_key_package_private keys;
    xmtp_arena arena; /* of one input */
    xmtp_writer scratch;
} scene;

static void scene_open(scene *s)
{
    world_env_init(&s->world, 31);
    full_member(&s->alice, &s->world, "alice");
    full_member(&s->bob, &s->world, "bob");
    full_member(&s->carol, &s->world, "carol");
    full_member(&s->eve, &s->world, "eve");
    member_create(&s->alice);
    free(member_invite(&s->alice, &s->bob).p);
    s->key_package = member_key_package(&s->carol, &s->keys);
    assert_int_equal(xmtp_key_package_of(blob_bytes(s->key_package), &s->package), XMTP_OK);
    s->scratch = writer_new(&s->world.env.alloc);
}

static scene *scene_get(void)
{
    static scene s;
    if (s.key_package.p == NULL) {
        scene_open(&s);
    }
    s.world.state = 98; /* every input sees the same randomness */
    xmtp_arena_init(&s.arena, &s.world.env.alloc, 64 << 20);
    return &s;
}

/* ---- making good ---- */

typedef struct letter {
    uint8_t flags;
    xmtp_group_secrets secrets;
    xmtp_secret joiner_secret, psk_secret;
    xmtp_group_info info;
    xmtp_bytes tree; /* of the extension, empty without one */
} letter;

static const member *owner_of(const scene *s, xmtp_bytes key)
{
    const member *const all[] = {&s->alice, &s->bob, &s->carol};
    for (size_t i = 0; i < 3; i++) {
        if (xmtp_bytes_equal(key, xmtp_bytes_of(all[i]->pk, 32))) {
            return all[i];
        }
    }
    return NULL;
}

static void fix_leaf(scene *s, const letter *l, xmtp_tree *tree, uint32_t index)
{
    const xmtp_suite *suite = &xmtp_suite_x25519_chacha;
    xmtp_leaf_node leaf;
    xmtp_writer w = writer_new(&s->world.env.alloc);
    const member *owner = NULL;
    if (xmtp_tree_leaf(tree, index, &leaf) == XMTP_OK) {
        owner = owner_of(s, leaf.signature_key);
    }
    if (owner != NULL) {
        assert_int_equal(xmtp_leaf_node_sign(suite, owner->sk, &leaf,
                                             l->info.group_context.group_id, index, &s->scratch,
                                             &w),
                         XMTP_OK);
        (void)!xmtp_tree_set_node(tree, xmtp_leaf_to_node(index), XMTP_NODE_LEAF,
                                  xmtp_writer_bytes(&w));
    }
    xmtp_writer_free(&w);
}

/* The tree with its leaves signed, and its hash in the context. */
static void fix_tree(scene *s, letter *l)
{
    xmtp_tree tree;
    uint8_t hash[XMTP_HASH_MAX];
    xmtp_tree_init(&tree, &xmtp_suite_x25519_chacha, &s->world.env.alloc);
    if (xmtp_tree_decode(&tree, l->tree) == XMTP_OK) {
        for (uint32_t i = 0; (l->flags & FIX_LEAVES) != 0 && i < tree.leaf_count; i++) {
            fix_leaf(s, l, &tree, i);
        }
        xmtp_writer w = writer_new(&s->world.env.alloc);
        xmtp_tree_encode(&tree, &w);
        l->tree = writer_keep(&w, &s->arena);
        if ((l->flags & FIX_HASH) != 0 && xmtp_tree_hash(&tree, hash) == XMTP_OK) {
            assert_int_equal(xmtp_arena_copy(&s->arena, xmtp_bytes_of(hash, 32),
                                             &l->info.group_context.tree_hash),
                             XMTP_OK);
        }
    }
    xmtp_tree_free(&tree);
}

/* The extensions of the GroupInfo with the tree as it is now, or without it. */
static void put_extensions(scene *s, letter *l)
{
    xmtp_extension e;
    xmtp_writer w = writer_new(&s->world.env.alloc);
    xmtp_reader r = xmtp_reader_of(l->info.extensions.raw);
    size_t count = 0;
    while (xmtp_extensions_next(&r, &e)) {
        const bool is_tree = e.type == XMTP_EXTENSION_RATCHET_TREE;
        if (!is_tree || (l->flags & TREE_ASIDE) == 0) {
            xmtp_extension_encode(&w, e.type, is_tree ? l->tree : e.data);
            count++;
        }
    }
    l->info.extensions = (xmtp_extensions){.raw = writer_keep(&w, &s->arena), .count = count};
}

static void fix_tag(scene *s, letter *l)
{
    const xmtp_suite *suite = &xmtp_suite_x25519_chacha;
    xmtp_writer w = writer_new(&s->world.env.alloc);
    xmtp_epoch_secrets secrets;
    uint8_t tag[XMTP_HASH_MAX];
    xmtp_group_context_encode(&w, &l->info.group_context);
    const xmtp_bytes context = writer_keep(&w, &s->arena);
    assert_int_equal(
        xmtp_epoch_secrets_derive(suite, &l->joiner_secret, &l->psk_secret, context, &secrets),
        XMTP_OK);
    xmtp_confirmation_tag(suite, &secrets.confirmation_key,
                          l->info.group_context.confirmed_transcript_hash, tag);
    assert_int_equal(xmtp_arena_copy(&s->arena, xmtp_bytes_of(tag, 32), &l->info.confirmation_tag),
                     XMTP_OK);
}

/* By alice or bob, as the signer field says. */
static void fix_signature(scene *s, letter *l)
{
    const member *m = l->info.signer == 1 ? &s->bob : &s->alice;
    xmtp_writer w = writer_new(&s->world.env.alloc);
    uint8_t signature[XMTP_SIGNATURE_MAX];
    size_t n;
    xmtp_group_info_tbs_encode(&w, &l->info);
    assert_int_equal(xmtp_sign_with_label(&xmtp_suite_x25519_chacha, m->sk, m->pk, "GroupInfoTBS",
                                          xmtp_writer_bytes(&w), &s->scratch, signature, &n),
                     XMTP_OK);
    xmtp_writer_free(&w);
    assert_int_equal(xmtp_arena_copy(&s->arena, xmtp_bytes_of(signature, n), &l->info.signature),
                     XMTP_OK);
}

/* The GroupInfo to be sent: in when it cannot be read. */
static xmtp_bytes fixed(scene *s, letter *l, xmtp_bytes in)
{
    xmtp_reader r = xmtp_reader_of(in);
    if (xmtp_group_info_decode(&r, &l->info) != XMTP_OK || r.n > 0) {
        l->info = (xmtp_group_info){0};
        return in;
    }
    (void)!xmtp_extensions_find(&l->info.extensions, XMTP_EXTENSION_RATCHET_TREE, &l->tree);
    fix_tree(s, l);
    put_extensions(s, l);
    if ((l->flags & FIX_TAG) != 0) {
        fix_tag(s, l);
    }
    if ((l->flags & FIX_SIGNATURE) != 0) {
        fix_signature(s, l);
    }
    xmtp_writer w = writer_new(&s->world.env.alloc);
    xmtp_group_info_encode(&w, &l->info);
    return writer_keep(&w, &s->arena);
}

/* ---- sealing for carol ---- */

static void read_secrets(scene *s, letter *l, xmtp_bytes in)
{
    const xmtp_psk_source source = {.config = &s->carol.config, .suite = &xmtp_suite_x25519_chacha};
    xmtp_reader r = xmtp_reader_of(in);
    xmtp_error error;
    l->joiner_secret.n = l->psk_secret.n = 32;
    if (xmtp_group_secrets_decode(&r, &s->arena, &l->secrets) != XMTP_OK) {
        return;
    }
    const xmtp_bytes joiner = l->secrets.joiner_secret;
    xmtp_copy(l->joiner_secret.p, joiner.p, joiner.n > 32 ? 32 : joiner.n);
    if (xmtp_psk_secret_of(&source, l->secrets.psks, l->secrets.psk_count, &l->psk_secret,
                           &error) != XMTP_OK) {
        l->psk_secret = (xmtp_secret){.n = 32};
    }
}

static xmtp_bytes seal(scene *s, const letter *l, xmtp_bytes secrets, xmtp_bytes group_info)
{
    const xmtp_suite *suite = &xmtp_suite_x25519_chacha;
    const uint8_t seed[32] = {9};
    uint8_t key[XMTP_AEAD_KEY_MAX], nonce[XMTP_AEAD_NONCE_MAX], enc[32];
    uint8_t *sealed_info, *sealed_secrets;
    xmtp_secret welcome_secret;
    xmtp_writer entries = writer_new(&s->world.env.alloc), out = writer_new(&s->world.env.alloc);
    assert_int_equal(xmtp_arena_take(&s->arena, group_info.n + 16, (void **)&sealed_info), XMTP_OK);
    assert_int_equal(xmtp_arena_take(&s->arena, secrets.n + 16, (void **)&sealed_secrets), XMTP_OK);
    assert_int_equal(xmtp_welcome_secret(suite, &l->joiner_secret, &l->psk_secret, &welcome_secret),
                     XMTP_OK);
    assert_int_equal(xmtp_welcome_key(suite, &welcome_secret, key, nonce), XMTP_OK);
    assert_int_equal(suite->aead->seal(key, nonce, (xmtp_bytes){0}, group_info, sealed_info),
                     XMTP_OK);
    const xmtp_bytes info = xmtp_bytes_of(sealed_info, group_info.n + 16);
    assert_int_equal(xmtp_encrypt_with_label(suite, s->package.init_key.p, "Welcome", info, secrets,
                                             seed, &s->scratch, enc, sealed_secrets),
                     XMTP_OK);
    xmtp_encrypted_group_secrets_encode(
        &entries, &(xmtp_encrypted_group_secrets){
                      .new_member = xmtp_bytes_of(s->keys.ref, s->keys.ref_len),
                      .encrypted_group_secrets = {
                          .kem_output = xmtp_bytes_of(enc, 32),
                          .ciphertext = xmtp_bytes_of(sealed_secrets, secrets.n + 16)}});
    xmtp_mls_message_header_encode(&out, XMTP_WIRE_WELCOME);
    xmtp_welcome_encode(&out, &(xmtp_welcome){.cipher_suite = suite->id,
                                              .secrets = xmtp_writer_bytes(&entries),
                                              .secret_count = 1,
                                              .encrypted_group_info = info});
    xmtp_writer_free(&entries);
    return writer_keep(&out, &s->arena);
}

static xmtp_bytes welcome_of(scene *s, letter *l, xmtp_bytes body)
{
    xmtp_bytes secrets;
    xmtp_reader r = xmtp_reader_of(body);
    if (xmtp_reader_vec(&r, &secrets) != XMTP_OK) {
        return body;
    }
    read_secrets(s, l, secrets);
    return seal(s, l, secrets, fixed(s, l, take_rest(&r)));
}

/* ---- joining ---- */

/* A member that got in: its group is whole, and its own. */
static void use(member *m)
{
    member_check_store(m);
    assert_ok(m, member_load(m));
    member_check_store(m);
    m->reloads = true;
    free(member_send(m, "here I am").p);
    member_check_store(m);
    xmtp_mls_group_free(m->group);
    m->group = NULL;
    world_store_free(&m->store);
}

static void taken(member *m, xmtp_status status)
{
    assert_true((m->group != NULL) == (status == XMTP_OK));
    if (status == XMTP_OK) {
        world_store_apply(&m->store, m->writes);
        use(m);
    } else {
        assert_int_equal(xmtp_mls_writes_count(m->writes), 0);
    }
    xmtp_mls_writes_clear(m->writes);
}

static void join(scene *s, const letter *l, xmtp_bytes welcome)
{
    member *carol = &s->carol;
    const bool aside = (l->flags & TREE_ASIDE) != 0;
    const xmtp_mls_join_options options = {.welcome = welcome,
                                           .key_package = blob_bytes(s->key_package),
                                           .private_keys = &s->keys,
                                           .signer = member_signer(carol),
                                           .ratchet_tree = aside ? l->tree : (xmtp_bytes){0}};
    uint32_t signer;
    carol->config.check_lifetimes = (l->flags & STRICT) != 0;
    taken(carol, xmtp_mls_group_join(&carol->group, &carol->config, &options, &signer,
                                     carol->writes, &carol->error));
}

static void join_external(scene *s, letter *l, xmtp_bytes body)
{
    member *eve = &s->eve;
    uint8_t *commit = NULL;
    size_t commit_len;
    const xmtp_mls_psk psk = {.type = XMTP_MLS_PSK_EXTERNAL, .id = xmtp_bytes_of("psk-1", 5)};
    xmtp_writer w = writer_new(&s->world.env.alloc);
    l->flags &= (uint8_t)~FIX_TAG; /* nobody outside can check it */
    xmtp_mls_message_header_encode(&w, XMTP_WIRE_GROUP_INFO);
    xmtp_writer_put(&w, fixed(s, l, body));
    const bool aside = (l->flags & TREE_ASIDE) != 0;
    const xmtp_mls_external_options options = {
        .group_info = writer_keep(&w, &s->arena),
        .ratchet_tree = aside ? l->tree : (xmtp_bytes){0},
        .signer = member_signer(eve),
        .capabilities = world_capabilities(),
        .remove = (l->flags & RETURN_TO_LEAF) != 0 ? 1 : XMTP_MLS_NO_LEAF,
        .psks = &psk,
        .psk_count = (l->flags & STRICT) != 0 ? 1 : 0};
    xmtp_status status = xmtp_mls_group_join_external(&eve->group, &eve->config, &options, &commit,
                                                      &commit_len, eve->writes, &eve->error);
    assert_true((commit != NULL) == (status == XMTP_OK));
    free(commit);
    taken(eve, status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    scene *s = scene_get();
    xmtp_reader r = xmtp_reader_of(xmtp_bytes_of(data, n));
    const uint8_t kind = take_u8(&r) % KINDS;
    letter l = {.flags = take_u8(&r)};
    const xmtp_bytes body = take_rest(&r);
    if (kind == WELCOME) {
        l.flags &= STRICT;
        join(s, &l, body);
    } else if (kind == INSIDE) {
        join(s, &l, welcome_of(s, &l, body));
    } else {
        join_external(s, &l, body);
    }
    xmtp_arena_reset(&s->arena);
    return 0;
}
