/* rules_scene.h - for tests: a forger in a group, and the message that must be refused by the status
 * of its rule and leave the records of the group as they were. Include after <cmocka.h>.
 *
 * Bob (leaf 1) is the forger: he signs and tags what no library would send. Alice (leaf 0) judges,
 * carol (leaf 2) is there too, dave is outside.
 */
#ifndef XMTP_MLS_RULES_SCENE_H
#define XMTP_MLS_RULES_SCENE_H

#include "mls/group_dump.h"
#include "mls/kept.h"
#include "mls/protect.h"

typedef struct scene {
    world_env world;
    member alice, bob, carol, dave;
    xmtp_arena arena;
    xmtp_authenticated_content content; /* what bob sends */
    xmtp_writer list;                   /* ProposalOrRef, one after the other */
    xmtp_update_path path;
    bool has_path;
    xmtp_bytes tag;
    xmtp_mls_pending *pending; /* an honest commit of bob's, for its path */
    xmtp_authenticated_content *honest;
    const member *signs_as; /* NULL: bob */
    bool breaks_signature, breaks_membership_tag;
} scene;

static size_t cases;

static inline xmtp_status find_psk(void *context, const xmtp_mls_psk *psk, uint8_t *out,
                                   size_t *out_len)
{
    (void)context;
    if (psk->id.n != 5) {
        return XMTP_E_NOT_FOUND;
    }
    memset(out, 1, 32);
    *out_len = 32;
    return XMTP_OK;
}

static inline void scene_member(scene *s, member *m, const char *name)
{
    member_init(m, &s->world, name);
    m->config.keep_proposals = true;
    m->config.check_lifetimes = true;
    m->config.find_psk = find_psk;
    m->config.resumption_psks_max = 2;
}

static inline void honest_commit(scene *s)
{
    s->pending = member_commit(&s->bob, NULL);
    xmtp_bytes bytes = xmtp_buffer_bytes(&s->pending->authenticated_content);
    assert_int_equal(xmtp_arena_take(&s->arena, sizeof *s->honest, (void **)&s->honest), XMTP_OK);
    xmtp_reader r = xmtp_reader_of(bytes);
    assert_int_equal(xmtp_authenticated_content_decode(&r, &s->arena, s->honest), XMTP_OK);
    s->path = s->honest->content.content.commit.path;
}

static inline void scene_open(scene *s)
{
    static const uint8_t zeros[XMTP_HASH_MAX];
    *s = (scene){0};
    world_env_init(&s->world, 23);
    scene_member(s, &s->alice, "alice");
    scene_member(s, &s->bob, "bob");
    scene_member(s, &s->carol, "carol");
    scene_member(s, &s->dave, "dave");
    member_create(&s->alice);
    free(member_invite(&s->alice, &s->bob).p);
    blob commit = member_invite(&s->alice, &s->carol);
    assert_ok(&s->bob, member_take(&s->bob, blob_bytes(commit)));
    free(commit.p);
    s->alice.reloads = s->bob.reloads = false;
    const xmtp_alloc *alloc = s->alice.group->alloc;
    xmtp_arena_init(&s->arena, alloc, 16 << 20);
    xmtp_writer_init(&s->list, alloc, XMTP_WRITER_MAX);
    s->content.wire_format = XMTP_WIRE_PUBLIC_MESSAGE;
    s->content.content = xmtp_group_frame(s->bob.group, (xmtp_bytes){0});
    s->content.content.content.type = XMTP_CONTENT_COMMIT;
    s->tag = xmtp_bytes_of(zeros, 32);
    honest_commit(s);
}

static inline void scene_close(scene *s)
{
    xmtp_mls_pending_free(s->pending);
    xmtp_writer_free(&s->list);
    xmtp_arena_reset(&s->arena);
    member_free(&s->alice);
    member_free(&s->bob);
    member_free(&s->carol);
    member_free(&s->dave);
}

static inline xmtp_bytes keep(scene *s, xmtp_writer *w)
{
    xmtp_bytes out;
    assert_int_equal(xmtp_writer_status(w), XMTP_OK);
    assert_int_equal(xmtp_arena_copy(&s->arena, xmtp_writer_bytes(w), &out), XMTP_OK);
    xmtp_writer_free(w);
    return out;
}

static inline xmtp_writer writer(scene *s)
{
    xmtp_writer w;
    xmtp_writer_init(&w, s->alice.group->alloc, XMTP_WRITER_MAX);
    return w;
}

/* ---- sending ---- */

static inline void encode_commit(scene *s)
{
    xmtp_writer w = writer(s);
    xmtp_writer_vec(&w, xmtp_writer_bytes(&s->list));
    xmtp_writer_u8(&w, s->has_path);
    if (s->has_path) {
        xmtp_update_path_encode(&w, &s->path);
    }
    s->content.content.content.raw = keep(s, &w);
}

/* The bytes of what bob forged. */
static inline xmtp_bytes seal(scene *s)
{
    uint8_t signature[XMTP_SIGNATURE_MAX], tag[XMTP_HASH_MAX];
    const member *m = s->signs_as == NULL ? &s->bob : s->signs_as;
    const xmtp_mls_group *group = s->bob.group;
    xmtp_authenticated_content *c = &s->content;
    xmtp_writer w = writer(s);
    c->auth.signature.p = signature;
    assert_int_equal(xmtp_framing_sign(group->suite, m->sk, m->pk, c->wire_format, &c->content,
                                       group->context.raw, group->scratch, signature,
                                       &c->auth.signature.n),
                     XMTP_OK);
    signature[3] ^= s->breaks_signature;
    c->auth.confirmation_tag =
        c->content.content.type == XMTP_CONTENT_COMMIT ? s->tag : (xmtp_bytes){0};
    assert_int_equal(xmtp_membership_tag(group->suite, &group->secrets.membership_key, c,
                                         group->context.raw, group->scratch, tag),
                     XMTP_OK);
    tag[0] ^= s->breaks_membership_tag;
    const xmtp_public_message message = {
        .content = c->content, .auth = c->auth, .membership_tag = xmtp_bytes_of(tag, 32)};
    xmtp_mls_message_header_encode(&w, XMTP_WIRE_PUBLIC_MESSAGE);
    xmtp_public_message_encode(&w, &message);
    return keep(s, &w);
}

static inline void expect(scene *s, const char *rule, xmtp_bytes message, xmtp_status status)
{
    uint8_t before[32], after[32];
    xmtp_mls_staged *staged = NULL;
    s->alice.error = (xmtp_error){0};
    group_digest(s->alice.group, before);
    xmtp_status got = xmtp_mls_group_process(s->alice.group, message, &staged, &s->alice.error);
    group_digest(s->alice.group, after);
    if (got != status) {
        fail_msg("%s: %s instead of %s: %s", rule, xmtp_status_name(got), xmtp_status_name(status),
                 s->alice.error.text);
    }
    assert_null(staged);
    assert_memory_equal(before, after, 32);
    cases++;
}

static inline void expect_commit(scene *s, const char *rule, xmtp_status status)
{
    encode_commit(s);
    expect(s, rule, seal(s), status);
}

/* ---- parts of forgeries ---- */

typedef struct leaf_rule {
    const char *rule;
    xmtp_status status;
    void (*change)(scene *s, xmtp_leaf_node *leaf);
    bool breaks_signature; /* after signing */
} leaf_rule;

static const uint8_t other_bytes[] = {0x00, 0x02, 0xff, 0x00, 0x00, 0x0a};

static inline void with_extension(scene *s, xmtp_leaf_node *leaf, uint16_t type, size_t count)
{
    xmtp_writer w = writer(s);
    for (size_t i = 0; i < count; i++) {
        xmtp_extension_encode(&w, type, xmtp_bytes_of(other_bytes, 1));
    }
    leaf->extensions = (xmtp_extensions){.raw = keep(s, &w), .count = count};
}

/* The changed leaf, signed by m for this place. */
static inline xmtp_leaf_node sign_leaf(scene *s, const member *m, xmtp_leaf_node fields,
                                       uint32_t index, bool breaks_signature)
{
    xmtp_writer scratch = writer(s);
    xmtp_writer w = writer(s);
    assert_int_equal(xmtp_leaf_node_sign(s->bob.group->suite, m->sk, &fields,
                                         s->bob.group->context.group_id, index, &scratch, &w),
                     XMTP_OK);
    w.p[w.n - 2] ^= breaks_signature;
    xmtp_writer_free(&scratch);
    fields.raw = keep(s, &w);
    return fields;
}

/* A proposal into bob's commit, by value. Fields are encoded; of leaves and packages raw. */
static inline void by_value(scene *s, const xmtp_proposal *proposal)
{
    xmtp_writer_u8(&s->list, XMTP_BY_VALUE);
    xmtp_proposal_encode(&s->list, proposal);
}

static inline void by_reference(scene *s, xmtp_bytes reference)
{
    xmtp_writer_u8(&s->list, XMTP_BY_REFERENCE);
    xmtp_writer_vec(&s->list, reference);
}

/* Carol proposes it, alice keeps it, bob refers to it. */
static inline void by_reference_of_carol(scene *s, const xmtp_proposal *proposal)
{
    scene other = *s;
    xmtp_writer w = writer(s);
    xmtp_proposal_encode(&w, proposal);
    other.content.content.sender.index = 2;
    other.content.content.content =
        (xmtp_mls_content){.type = XMTP_CONTENT_PROPOSAL, .raw = keep(&other, &w)};
    other.signs_as = &s->carol;
    xmtp_bytes message = seal(&other);
    s->arena = other.arena;
    assert_ok(&s->alice, member_take(&s->alice, message));
    const uint32_t last = s->alice.group->kept_count - 1;
    by_reference(s, xmtp_digest_bytes(&s->alice.group->kept[last].ref));
}

static inline xmtp_leaf_node fresh_update(scene *s)
{
    static uint8_t key[32];
    xmtp_leaf_node leaf;
    assert_int_equal(xmtp_tree_leaf(&s->bob.group->tree, 2, &leaf), XMTP_OK);
    world_random(&s->world, key, sizeof key);
    leaf.source = XMTP_LEAF_NODE_UPDATE;
    leaf.encryption_key = xmtp_bytes_of(key, sizeof key);
    return leaf;
}

typedef struct package_rule {
    const char *rule;
    xmtp_status status;
    void (*change)(scene *s, xmtp_key_package *package);
    bool breaks_signature;
} package_rule;

/* Dave's key package, changed and signed by him or by who. */
static inline xmtp_proposal add_of(scene *s, const member *who, const leaf_rule *leaf_rule_,
                                   const package_rule *rule)
{
    xmtp_mls_key_package_private keys;
    xmtp_proposal add = {.type = XMTP_PROPOSAL_ADD};
    blob b = member_key_package(&s->dave, &keys);
    xmtp_bytes bytes;
    assert_int_equal(xmtp_arena_copy(&s->arena, blob_bytes(b), &bytes), XMTP_OK);
    free(b.p);
    xmtp_key_package *package = &add.u.add;
    assert_int_equal(xmtp_key_package_of(bytes, package), XMTP_OK);
    package->leaf_node.signature_key = xmtp_bytes_of(who->pk, 32);
    if (leaf_rule_ != NULL) {
        leaf_rule_->change(s, &package->leaf_node);
    }
    package->leaf_node = sign_leaf(s, who, package->leaf_node, 0,
                                   leaf_rule_ != NULL && leaf_rule_->breaks_signature);
    if (rule != NULL) {
        rule->change(s, package);
    }
    xmtp_writer scratch = writer(s);
    xmtp_writer w = writer(s);
    assert_int_equal(xmtp_key_package_sign(s->bob.group->suite, who->sk, package, &scratch, &w),
                     XMTP_OK);
    w.p[w.n - 2] ^= rule != NULL && rule->breaks_signature;
    xmtp_writer_free(&scratch);
    package->raw = keep(s, &w);
    return add;
}

typedef struct list_rule {
    const char *rule;
    xmtp_status status;
    void (*fill)(scene *s);
} list_rule;

static inline void add_remove(scene *s, uint32_t leaf)
{
    by_value(s, &(xmtp_proposal){.type = XMTP_PROPOSAL_REMOVE, .u.remove = leaf});
}

static inline void extensions_raw(scene *s, uint16_t type, const uint8_t *p, size_t n)
{
    xmtp_writer w = writer(s);
    xmtp_extension_encode(&w, type, xmtp_bytes_of(p, n));
    by_value(s, &(xmtp_proposal){.type = XMTP_PROPOSAL_GROUP_CONTEXT_EXTENSIONS,
                                 .u.group_context_extensions = {.raw = keep(s, &w), .count = 1}});
}

static inline void external_init_by_a_member(scene *s)
{
    by_value(s, &(xmtp_proposal){.type = XMTP_PROPOSAL_EXTERNAL_INIT, .u.external_init = s->tag});
}

static inline int print_count(void **state)
{
    (void)state;
    print_message("%zu forged messages refused, each by its rule\n", cases);
    return 0;
}

#endif
