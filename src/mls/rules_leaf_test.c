/* rules_leaf_test.c - what RFC 9420 sections 7.2, 7.3 and 10 ask of leaves, in each of the three places
 * where one can come (path, Update, Add), and of key packages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/rules_scene.h"

/* ---- leaves, sections 7.2 and 7.3 ---- */

static void version_unlisted(scene *s, xmtp_leaf_node *leaf)
{
    (void)s;
    leaf->capabilities.versions.raw = xmtp_bytes_of(other_bytes, 2);
}

static void required_extension_missing(scene *s, xmtp_leaf_node *leaf)
{
    static const uint8_t those_of_the_group[] = {0xff, 0x00, 0xff, 0x01};
    (void)s;
    leaf->capabilities.extensions.raw = xmtp_bytes_of(those_of_the_group, 4);
}

static void group_extension_missing(scene *s, xmtp_leaf_node *leaf)
{
    (void)s;
    leaf->capabilities.extensions.raw = (xmtp_bytes){0};
}

static void own_credential_unlisted(scene *s, xmtp_leaf_node *leaf)
{
    (void)s;
    leaf->capabilities.credentials.raw = xmtp_bytes_of(other_bytes, 2);
}

static void foreign_credential(scene *s, xmtp_leaf_node *leaf)
{
    static const uint8_t both[] = {0, 1, 0, 3};
    (void)s;
    leaf->credential.type = 3;
    leaf->capabilities.credentials.raw = xmtp_bytes_of(both, 4);
}

static void credential_of_others_unlisted(scene *s, xmtp_leaf_node *leaf)
{
    static const uint8_t three[] = {0, 3};
    (void)s;
    leaf->credential.type = 3;
    leaf->capabilities.credentials.raw = xmtp_bytes_of(three, 2);
}

static void odd_capabilities(scene *s, xmtp_leaf_node *leaf)
{
    (void)s;
    leaf->capabilities.proposals.raw = xmtp_bytes_of(other_bytes, 3);
}

static void extension_unlisted(scene *s, xmtp_leaf_node *leaf)
{
    with_extension(s, leaf, 0xabcd, 1);
}

static void extension_twice(scene *s, xmtp_leaf_node *leaf)
{
    with_extension(s, leaf, 0xff00, 2);
}

static void extension_ratchet_tree(scene *s, xmtp_leaf_node *leaf)
{
    with_extension(s, leaf, XMTP_EXTENSION_RATCHET_TREE, 1);
}

static void extension_required(scene *s, xmtp_leaf_node *leaf)
{
    with_extension(s, leaf, XMTP_EXTENSION_REQUIRED_CAPABILITIES, 1);
}

static void extension_external_pub(scene *s, xmtp_leaf_node *leaf)
{
    with_extension(s, leaf, XMTP_EXTENSION_EXTERNAL_PUB, 1);
}

static void extension_external_senders(scene *s, xmtp_leaf_node *leaf)
{
    with_extension(s, leaf, XMTP_EXTENSION_EXTERNAL_SENDERS, 1);
}

static void extension_last_resort(scene *s, xmtp_leaf_node *leaf)
{
    with_extension(s, leaf, XMTP_EXTENSION_LAST_RESORT, 1);
}

static void short_key(scene *s, xmtp_leaf_node *leaf)
{
    (void)s;
    leaf->encryption_key.n = 31;
}

static void no_key(scene *s, xmtp_leaf_node *leaf)
{
    (void)s;
    leaf->encryption_key.n = 0;
}

static void key_of_carol(scene *s, xmtp_leaf_node *leaf)
{
    leaf->encryption_key = xmtp_tree_encryption_key(&s->bob.group->tree, 4);
}

static void key_of_a_parent(scene *s, xmtp_leaf_node *leaf)
{
    leaf->encryption_key = xmtp_tree_encryption_key(&s->bob.group->tree, 3);
}

static void source_unknown(scene *s, xmtp_leaf_node *leaf)
{
    (void)s;
    leaf->source = 4;
}

static void source_none(scene *s, xmtp_leaf_node *leaf)
{
    (void)s;
    leaf->source = 0;
}

static void nothing(scene *s, xmtp_leaf_node *leaf)
{
    (void)s;
    (void)leaf;
}

static const leaf_rule leaf_rules[] = {
    {"7.2 a leaf lists the group's version", XMTP_E_VERSION_UNSUPPORTED, version_unlisted, false},
    {"11.1 a leaf lists what is required", XMTP_E_CAPABILITIES, required_extension_missing, false},
    {"7.2 a leaf lists the group's extensions", XMTP_E_EXTENSION_UNSUPPORTED,
     group_extension_missing, false},
    {"7.3 a leaf lists its own credential", XMTP_E_CREDENTIAL_UNLISTED, own_credential_unlisted,
     false},
    {"7.3 others understand the credential", XMTP_E_CREDENTIAL_UNSUPPORTED, foreign_credential,
     false},
    {"7.3 the leaf understands others' credentials", XMTP_E_CREDENTIAL_UNSUPPORTED,
     credential_of_others_unlisted, false},
    {"7.2 capabilities are whole", XMTP_E_MALFORMED, odd_capabilities, false},
    {"7.2 a leaf's extensions are listed", XMTP_E_EXTENSION_UNLISTED, extension_unlisted, false},
    {"13.4 an extension stands once", XMTP_E_EXTENSION_TWICE, extension_twice, false},
    {"17.3 ratchet_tree is not for leaves", XMTP_E_EXTENSION_PLACE, extension_ratchet_tree, false},
    {"17.3 required_capabilities is not for leaves", XMTP_E_EXTENSION_PLACE, extension_required,
     false},
    {"17.3 external_pub is not for leaves", XMTP_E_EXTENSION_PLACE, extension_external_pub, false},
    {"17.3 external_senders is not for leaves", XMTP_E_EXTENSION_PLACE, extension_external_senders,
     false},
    {"last_resort is not for leaves", XMTP_E_EXTENSION_PLACE, extension_last_resort, false},
    {"5.1.1 a key is as long as the suite says", XMTP_E_KEY, short_key, false},
    {"5.1.1 a key is not empty", XMTP_E_KEY, no_key, false},
    {"7.3 encryption keys differ: leaf", XMTP_E_DUPLICATE_KEY, key_of_carol, false},
    {"7.2 the source is known", XMTP_E_LEAF_NODE, source_unknown, false},
    {"7.2 the source is not reserved", XMTP_E_LEAF_NODE, source_none, false},
    {"7.3 the leaf is signed", XMTP_E_LEAF_SIGNATURE, nothing, true},
};

static void path_leaf_case(const leaf_rule *rule)
{
    scene s;
    scene_open(&s);
    xmtp_leaf_node leaf = s.path.leaf_node;
    rule->change(&s, &leaf);
    s.path.leaf_node = sign_leaf(&s, &s.bob, leaf, 1, rule->breaks_signature);
    s.has_path = true;
    expect_commit(&s, rule->rule, rule->status);
    scene_close(&s);
}

static void leaves_of_paths_keep_the_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof leaf_rules / sizeof leaf_rules[0]; i++) {
        path_leaf_case(&leaf_rules[i]);
    }
}

/* A leaf that cannot be decoded is refused when the proposal comes, others when it is committed. */
static void update_case(const leaf_rule *rule, bool decodes)
{
    scene s;
    scene_open(&s);
    xmtp_proposal update = {.type = XMTP_PROPOSAL_UPDATE};
    xmtp_leaf_node leaf = fresh_update(&s);
    rule->change(&s, &leaf);
    update.u.update = sign_leaf(&s, &s.carol, leaf, 2, rule->breaks_signature);
    if (decodes) {
        by_reference_of_carol(&s, &update);
    } else {
        by_value(&s, &update);
    }
    expect_commit(&s, rule->rule, rule->status);
    scene_close(&s);
}

static void is_of_a_key_package(scene *s, xmtp_leaf_node *leaf)
{
    (void)s;
    leaf->source = XMTP_LEAF_NODE_KEY_PACKAGE;
}

static void is_of_a_commit(scene *s, xmtp_leaf_node *leaf)
{
    (void)s;
    leaf->source = XMTP_LEAF_NODE_COMMIT;
}

static void is_of_an_update(scene *s, xmtp_leaf_node *leaf)
{
    (void)s;
    leaf->source = XMTP_LEAF_NODE_UPDATE;
}

static bool leaf_decodes(const leaf_rule *rule)
{
    return rule->change != odd_capabilities && rule->change != extension_twice &&
           rule->change != source_unknown && rule->change != source_none;
}

static void leaves_of_updates_keep_the_rules(void **state)
{
    (void)state;
    static const leaf_rule own[] = {
        {"12.1.2 an Update has source update", XMTP_E_LEAF_SOURCE, is_of_a_key_package, false},
        {"12.1.2 an Update is no path leaf", XMTP_E_LEAF_SOURCE, is_of_a_commit, false},
        {"12.1.2 an Update changes the key", XMTP_E_KEY_KEPT, key_of_carol, false},
        {"7.3 encryption keys differ: parent", XMTP_E_DUPLICATE_KEY, key_of_a_parent, false},
    };
    for (size_t i = 0; i < sizeof leaf_rules / sizeof leaf_rules[0]; i++) {
        if (leaf_rules[i].change != key_of_carol) { /* her own: see below */
            update_case(&leaf_rules[i], leaf_decodes(&leaf_rules[i]));
        }
    }
    for (size_t i = 0; i < 3; i++) {
        update_case(&own[i], true);
    }
}

/* ---- key packages, section 10 ---- */

static void package_version(scene *s, xmtp_key_package *package)
{
    (void)s;
    package->version = 2;
}

static void package_suite(scene *s, xmtp_key_package *package)
{
    (void)s;
    package->cipher_suite = 1;
}

static void package_init_is_leaf(scene *s, xmtp_key_package *package)
{
    (void)s;
    package->init_key = package->leaf_node.encryption_key;
}

static void package_init_in_tree(scene *s, xmtp_key_package *package)
{
    package->init_key = xmtp_tree_encryption_key(&s->bob.group->tree, 0);
}

static void package_init_short(scene *s, xmtp_key_package *package)
{
    (void)s;
    package->init_key.n = 31;
}

static void package_fine(scene *s, xmtp_key_package *package)
{
    (void)s;
    (void)package;
}

static void package_expired(scene *s, xmtp_key_package *package)
{
    package->leaf_node.not_after = 2;
    package->leaf_node = sign_leaf(s, &s->dave, package->leaf_node, 0, false);
}

static void package_early(scene *s, xmtp_key_package *package)
{
    package->leaf_node.not_before = UINT64_MAX / 4;
    package->leaf_node = sign_leaf(s, &s->dave, package->leaf_node, 0, false);
}

static void package_extension_twice(scene *s, xmtp_key_package *package)
{
    xmtp_leaf_node other = package->leaf_node;
    with_extension(s, &other, 0xff00, 2);
    package->extensions = other.extensions;
}

static void key_packages_keep_the_rules(void **state)
{
    (void)state;
    static const package_rule rules[] = {
        {"10.1 the version is the group's", XMTP_E_VERSION, package_version, false},
        {"10.1 the suite is the group's", XMTP_E_SUITE, package_suite, false},
        {"10.1 init_key is not encryption_key", XMTP_E_KEY_PACKAGE, package_init_is_leaf, false},
        {"10.1 the package is signed", XMTP_E_KEY_PACKAGE_SIGNATURE, package_fine, true},
        {"7.2 the lifetime is not over", XMTP_E_LIFETIME, package_expired, false},
        {"7.2 the lifetime has begun", XMTP_E_LIFETIME, package_early, false},
        {"13.4 an extension stands once", XMTP_E_EXTENSION_TWICE, package_extension_twice, false},
        {"5.1.1 init_key is as long as the suite says", XMTP_E_KEY, package_init_short, false},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        scene s;
        scene_open(&s);
        const xmtp_proposal add = add_of(&s, &s.dave, NULL, &rules[i]);
        by_value(&s, &add);
        expect_commit(&s, rules[i].rule, rules[i].status);
        scene_close(&s);
    }
    scene s;
    scene_open(&s);
    const package_rule used = {"", XMTP_OK, package_init_in_tree, false};
    const xmtp_proposal add = add_of(&s, &s.dave, NULL, &used);
    by_value(&s, &add);
    expect_commit(&s, "an init key is not one of the tree", XMTP_E_DUPLICATE_INIT_KEY);
    scene_close(&s);
}

static void leaves_of_adds_keep_the_rules(void **state)
{
    (void)state;
    static const leaf_rule own[] = {
        {"10.1 a package's leaf has source key_package", XMTP_E_LEAF_SOURCE, is_of_an_update,
         false},
        {"10.1 a package's leaf is no path leaf", XMTP_E_LEAF_SOURCE, is_of_a_commit, false},
    };
    const size_t count = sizeof leaf_rules / sizeof leaf_rules[0];
    for (size_t i = 0; i < count + 2; i++) {
        const leaf_rule *rule = i < count ? &leaf_rules[i] : &own[i - count];
        scene s;
        scene_open(&s);
        const xmtp_proposal add = add_of(&s, &s.dave, rule, NULL);
        by_value(&s, &add);
        expect_commit(&s, rule->rule, rule->status);
        scene_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_of_paths_keep_the_rules),
        cmocka_unit_test(leaves_of_updates_keep_the_rules),
        cmocka_unit_test(leaves_of_adds_keep_the_rules),
        cmocka_unit_test(key_packages_keep_the_rules),
    };
    return cmocka_run_group_tests(tests, NULL, print_count);
}
