/* rules_join_test.c - what RFC 9420 section 12.4.3 asks of a GroupInfo and the tree that comes with it:
 * each rule broken by a member who signs what it likes, refused by the joiner's library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/rules_scene.h"

typedef struct forgery {
    scene s;
    xmtp_group_info info; /* alice's, changed */
    xmtp_bytes tree;      /* given beside it */
    bool breaks;          /* the signature */
    const member *signer;
} forgery;

/* The extensions of the GroupInfo, without one type and with another one. */
static void replace(forgery *f, uint16_t without, uint16_t type, xmtp_bytes data)
{
    xmtp_writer w = writer(&f->s);
    xmtp_extension extension;
    xmtp_reader r = xmtp_reader_of(f->info.extensions.raw);
    while (xmtp_extensions_next(&r, &extension)) {
        if (extension.type != without) {
            xmtp_extension_encode(&w, extension.type, extension.data);
        }
    }
    if (data.n > 0) {
        xmtp_extension_encode(&w, type, data);
    }
    f->info.extensions.raw = keep(&f->s, &w);
}

static void lacks_external_pub(forgery *f)
{
    replace(f, XMTP_EXTENSION_EXTERNAL_PUB, 0, (xmtp_bytes){0});
}

static void has_a_bare_external_pub(forgery *f)
{
    replace(f, XMTP_EXTENSION_EXTERNAL_PUB, XMTP_EXTENSION_EXTERNAL_PUB,
            xmtp_bytes_of(f->s.tag.p, 32)); /* 32 zeros without a length */
}

static void has_a_short_external_pub(forgery *f)
{
    static uint8_t key[32] = {31};
    replace(f, XMTP_EXTENSION_EXTERNAL_PUB, XMTP_EXTENSION_EXTERNAL_PUB, xmtp_bytes_of(key, 32));
}

static void has_a_null_external_pub(forgery *f)
{
    static uint8_t key[33] = {32};
    replace(f, XMTP_EXTENSION_EXTERNAL_PUB, XMTP_EXTENSION_EXTERNAL_PUB, xmtp_bytes_of(key, 33));
}

static void has_external_pub_twice(forgery *f)
{
    static uint8_t key[33] = {32};
    replace(f, 0, XMTP_EXTENSION_EXTERNAL_PUB, xmtp_bytes_of(key, 33));
}

static void lacks_a_tree(forgery *f)
{
    replace(f, XMTP_EXTENSION_RATCHET_TREE, 0, (xmtp_bytes){0});
}

static void has_an_empty_tree(forgery *f)
{
    static const uint8_t empty[] = {0};
    replace(f, XMTP_EXTENSION_RATCHET_TREE, XMTP_EXTENSION_RATCHET_TREE, xmtp_bytes_of(empty, 1));
}

static void has_another_tree_hash(forgery *f)
{
    f->info.group_context.tree_hash = f->s.tag;
}

static void has_a_short_tree_hash(forgery *f)
{
    f->info.group_context.tree_hash.n = 31;
}

static void has_another_version(forgery *f)
{
    f->info.group_context.version = 2;
}

static void has_an_unknown_suite(forgery *f)
{
    f->info.group_context.cipher_suite = 0x7a7a;
}

static void has_another_suite(forgery *f)
{
    f->info.group_context.cipher_suite = 2;
}

static void has_another_group_id(forgery *f)
{
    f->info.group_context.group_id = xmtp_bytes_of("other", 5);
}

static void has_a_blank_signer(forgery *f)
{
    f->info.signer = 3;
}

static void has_a_far_signer(forgery *f)
{
    f->info.signer = UINT32_MAX;
}

static void names_another_signer(forgery *f)
{
    f->info.signer = 1;
}

static void is_signed_by_a_stranger(forgery *f)
{
    f->signer = &f->s.dave;
}

static void has_a_broken_signature(forgery *f)
{
    f->breaks = true;
}

static void has_demanding_extensions(forgery *f)
{
    static const uint8_t demanding[] = {2, 0xab, 0xcd, 0, 0};
    xmtp_writer w = writer(&f->s);
    xmtp_extension_encode(&w, XMTP_EXTENSION_REQUIRED_CAPABILITIES,
                          xmtp_bytes_of(demanding, sizeof demanding));
    f->info.group_context.extensions = (xmtp_extensions){.raw = keep(&f->s, &w), .count = 1};
}

static void has_unsupported_extensions(forgery *f)
{
    xmtp_writer w = writer(&f->s);
    xmtp_extension_encode(&w, 0xabcd, f->s.tag);
    f->info.group_context.extensions = (xmtp_extensions){.raw = keep(&f->s, &w), .count = 1};
}

/* The tree with one byte of the last committer's leaf changed (no parent hash is over that one), and
 * the hash that belongs to it. */
static void has_an_unsigned_leaf(forgery *f)
{
    uint8_t hash[XMTP_HASH_MAX];
    xmtp_tree tree;
    xmtp_writer w = writer(&f->s);
    xmtp_tree_init(&tree, f->s.alice.group->suite, f->s.alice.group->alloc);
    xmtp_tree_encode(&f->s.alice.group->tree, &w);
    xmtp_bytes data = keep(&f->s, &w);
    assert_int_equal(xmtp_tree_decode(&tree, data), XMTP_OK);
    xmtp_bytes raw;
    assert_int_equal(xmtp_arena_copy(&f->s.arena, xmtp_tree_leaf_raw(&tree, 0), &raw), XMTP_OK);
    ((uint8_t *)(uintptr_t)raw.p)[raw.n - 2] ^= 1;
    assert_int_equal(xmtp_tree_set_node(&tree, 0, XMTP_NODE_LEAF, raw), XMTP_OK);
    assert_int_equal(xmtp_tree_hash(&tree, hash), XMTP_OK);
    xmtp_writer encoded = writer(&f->s);
    xmtp_tree_encode(&tree, &encoded);
    replace(f, XMTP_EXTENSION_RATCHET_TREE, XMTP_EXTENSION_RATCHET_TREE, keep(&f->s, &encoded));
    assert_int_equal(
        xmtp_arena_copy(&f->s.arena, xmtp_bytes_of(hash, 32), &f->info.group_context.tree_hash),
        XMTP_OK);
    xmtp_tree_free(&tree);
}

static xmtp_bytes sealed(forgery *f)
{
    uint8_t signature[XMTP_SIGNATURE_MAX];
    size_t signature_len;
    const xmtp_mls_group *group = f->s.alice.group;
    xmtp_writer w = writer(&f->s);
    xmtp_group_info_tbs_encode(&w, &f->info);
    xmtp_bytes tbs = keep(&f->s, &w);
    assert_int_equal(xmtp_sign_with_label(group->suite, f->signer->sk, f->signer->pk,
                                          "GroupInfoTBS", tbs, &group->scratch->label, signature,
                                          &signature_len),
                     XMTP_OK);
    signature[5] ^= f->breaks;
    w = writer(&f->s);
    xmtp_mls_message_header_encode(&w, XMTP_WIRE_GROUP_INFO);
    xmtp_writer_put(&w, tbs);
    xmtp_writer_vec(&w, xmtp_bytes_of(signature, signature_len));
    return keep(&f->s, &w);
}

static xmtp_status enter(forgery *f, xmtp_bytes info)
{
    member *m = &f->s.dave;
    blob commit;
    const xmtp_mls_external_options options = {.group_info = info,
                                               .signer = member_signer(m),
                                               .capabilities = world_capabilities(),
                                               .remove = XMTP_MLS_NO_LEAF};
    xmtp_mls_writes_clear(m->writes);
    xmtp_status status = xmtp_mls_group_join_external(&m->group, &m->config, &options, &commit.p,
                                                      &commit.n, m->writes, &m->error);
    if (status != XMTP_OK) {
        assert_int_equal(xmtp_mls_writes_count(m->writes), 0);
        assert_null(m->group);
    }
    free(commit.p);
    return status;
}

static void forge(const char *rule, xmtp_status status, void (*change)(forgery *f))
{
    forgery f = {0};
    blob info;
    scene_open(&f.s);
    f.signer = &f.s.alice;
    assert_ok(&f.s.alice,
              xmtp_mls_group_info(f.s.alice.group, true, &info.p, &info.n, &f.s.alice.error));
    xmtp_reader r = xmtp_reader_of(xmtp_bytes_of(info.p + 4, info.n - 4));
    assert_int_equal(xmtp_group_info_decode(&r, &f.info), XMTP_OK);
    if (change != NULL) {
        change(&f);
    }
    xmtp_status got = enter(&f, sealed(&f));
    if (got != status) {
        fail_msg("%s: %s instead of %s: %s", rule, xmtp_status_name(got), xmtp_status_name(status),
                 f.s.dave.error.text);
    }
    cases += status != XMTP_OK;
    free(info.p);
    scene_close(&f.s);
}

static void group_infos_keep_the_rules(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        xmtp_status status;
        void (*change)(forgery *f);
    } rules[] = {
        {"as alice made it", XMTP_OK, NULL},
        {"12.4.3.2 external_pub is there", XMTP_E_EXTERNAL_PUB, lacks_external_pub},
        {"12.4.3.2 external_pub is a vector", XMTP_E_EXTERNAL_PUB, has_a_bare_external_pub},
        {"12.4.3.2 external_pub has its length", XMTP_E_EXTERNAL_PUB, has_a_short_external_pub},
        {"7.1 external_pub is a point", XMTP_E_KEY, has_a_null_external_pub},
        {"13.4 external_pub stands once", XMTP_E_EXTENSION_TWICE, has_external_pub_twice},
        {"12.4.3.3 a tree is there", XMTP_E_NO_TREE, lacks_a_tree},
        {"12.4.3.3 a tree is not empty", XMTP_E_TREE, has_an_empty_tree},
        {"12.4.3.1 the tree is that of the context", XMTP_E_TREE_HASH, has_another_tree_hash},
        {"7.8 a tree hash has Nh bytes", XMTP_E_TREE_HASH, has_a_short_tree_hash},
        {"12.4.3 the version is known", XMTP_E_VERSION, has_another_version},
        {"12.4.3 the suite is known", XMTP_E_SUITE, has_an_unknown_suite},
        {"12.4.3 the suite is that of the keys", XMTP_E_KEY, has_another_suite},
        {"7.3 leaves are signed for their group", XMTP_E_LEAF_SIGNATURE, has_another_group_id},
        {"12.4.3.1 the signer is a member", XMTP_E_SENDER, has_a_blank_signer},
        {"12.4.3.1 the signer is in the tree", XMTP_E_SENDER, has_a_far_signer},
        {"12.4.3.1 the signer is who signed", XMTP_E_GROUP_INFO_SIGNATURE, names_another_signer},
        {"12.4.3.1 a stranger does not sign", XMTP_E_GROUP_INFO_SIGNATURE, is_signed_by_a_stranger},
        {"12.4.3.1 the signature is right", XMTP_E_GROUP_INFO_SIGNATURE, has_a_broken_signature},
        {"11.1 members have what is required", XMTP_E_CAPABILITIES, has_demanding_extensions},
        {"7.2 members support the extensions", XMTP_E_EXTENSION_UNSUPPORTED,
         has_unsupported_extensions},
        {"7.3 every leaf is signed", XMTP_E_LEAF_SIGNATURE, has_an_unsigned_leaf},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        forge(rules[i].rule, rules[i].status, rules[i].change);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(group_infos_keep_the_rules),
    };
    return cmocka_run_group_tests(tests, NULL, print_count);
}
