/* rules_frame_test.c - what RFC 9420 sections 6, 7.5, 7.9, 8.1, 12.1.8, 12.4 and 14 ask of paths, tags
 * and senders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/rules_scene.h"

/* ---- paths and tags, sections 7.5, 7.9, 8.1 and 12.4.2 ---- */

static void drops_a_node(scene *s)
{
    s->path.count--;
}

static void adds_a_node(scene *s)
{
    s->path.nodes[s->path.count] = s->path.nodes[0];
    s->path.count++;
}

static void has_no_nodes(scene *s)
{
    s->path.count = 0;
}

static void shortens_a_node_key(scene *s)
{
    s->path.nodes[0].encryption_key.n = 31;
}

static void swaps_a_node_key(scene *s)
{
    s->path.nodes[0].encryption_key = s->tag;
}

static void drops_ciphertexts(scene *s)
{
    s->path.nodes[0].ciphertexts = (xmtp_bytes){0};
}

static void resign(scene *s, xmtp_leaf_node leaf)
{
    s->path.leaf_node = sign_leaf(s, &s->bob, leaf, 1, false);
}

static void changes_parent_hash(scene *s)
{
    xmtp_leaf_node leaf = s->path.leaf_node;
    leaf.parent_hash = s->tag;
    resign(s, leaf);
}

static void empties_parent_hash(scene *s)
{
    xmtp_leaf_node leaf = s->path.leaf_node;
    leaf.parent_hash = (xmtp_bytes){0};
    resign(s, leaf);
}

static void keeps_its_key(scene *s)
{
    xmtp_leaf_node leaf = s->path.leaf_node;
    leaf.encryption_key = xmtp_tree_encryption_key(&s->bob.group->tree, 2);
    resign(s, leaf);
}

static void takes_a_node_key(scene *s)
{
    xmtp_leaf_node leaf = s->path.leaf_node;
    leaf.encryption_key = s->path.nodes[0].encryption_key;
    resign(s, leaf);
}

static void takes_a_signature_key(scene *s)
{
    xmtp_leaf_node leaf = s->path.leaf_node;
    leaf.signature_key = xmtp_bytes_of(s->carol.pk, 32);
    s->path.leaf_node = sign_leaf(s, &s->carol, leaf, 1, false);
}

static void is_signed_for_another_place(scene *s)
{
    s->path.leaf_node = sign_leaf(s, &s->bob, s->path.leaf_node, 0, false);
}

static void has_the_source_of_an_update(scene *s)
{
    xmtp_leaf_node leaf = s->path.leaf_node;
    leaf.source = XMTP_LEAF_NODE_UPDATE;
    resign(s, leaf);
}

static void has_the_source_of_a_package(scene *s)
{
    xmtp_leaf_node leaf = s->path.leaf_node;
    leaf.source = XMTP_LEAF_NODE_KEY_PACKAGE;
    resign(s, leaf);
}

static void has_a_wrong_tag(scene *s)
{
    (void)s; /* zeros */
}

static void has_a_short_tag(scene *s)
{
    s->tag.n = 31;
}

static void has_no_tag(scene *s)
{
    s->tag.n = 0;
}

static void paths_keep_the_rules(void **state)
{
    (void)state;
    static const list_rule rules[] = {
        {"7.5 a path has all nodes", XMTP_E_PATH_LENGTH, drops_a_node},
        {"7.5 a path has no more nodes", XMTP_E_PATH_LENGTH, adds_a_node},
        {"7.5 a path has nodes", XMTP_E_PATH_LENGTH, has_no_nodes},
        {"5.1.1 a node's key has its length", XMTP_E_KEY, shortens_a_node_key},
        {"7.9 a path's keys are hashed", XMTP_E_PARENT_HASH, swaps_a_node_key},
        {"7.6 a path has a ciphertext for all", XMTP_E_PATH_SECRET, drops_ciphertexts},
        {"7.9 the parent hash is right", XMTP_E_PARENT_HASH, changes_parent_hash},
        {"7.9 the parent hash is there", XMTP_E_PARENT_HASH, empties_parent_hash},
        {"12.4.2 the leaf's key is new", XMTP_E_KEY_KEPT, keeps_its_key},
        {"12.4.2 the leaf's key is not a node's", XMTP_E_DUPLICATE_KEY, takes_a_node_key},
        {"7.3 signature keys differ", XMTP_E_DUPLICATE_SIGNATURE_KEY, takes_a_signature_key},
        {"7.2 a leaf is signed for its place", XMTP_E_LEAF_SIGNATURE, is_signed_for_another_place},
        {"7.5 a path's leaf is no update", XMTP_E_LEAF_SOURCE, has_the_source_of_an_update},
        {"7.5 a path's leaf is no package", XMTP_E_LEAF_SOURCE, has_the_source_of_a_package},
        {"8.1 the confirmation tag is right", XMTP_E_CONFIRMATION_TAG, has_a_wrong_tag},
        {"8.1 the confirmation tag has its length", XMTP_E_CONFIRMATION_TAG, has_a_short_tag},
        {"6.1 a commit has a confirmation tag", XMTP_E_CONFIRMATION_TAG, has_no_tag},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        scene s;
        scene_open(&s);
        s.has_path = true;
        rules[i].fill(&s);
        expect_commit(&s, rules[i].rule, rules[i].status);
        scene_close(&s);
    }
}

/* ---- framing and senders, sections 6, 12.1.8 and 14 ---- */

static void other_group(scene *s)
{
    s->content.content.group_id = xmtp_bytes_of("other", 5);
}

static void old_epoch(scene *s)
{
    s->content.content.epoch--;
}

static void next_epoch(scene *s)
{
    s->content.content.epoch++;
}

static void far_epoch(scene *s)
{
    s->content.content.epoch = UINT64_MAX;
}

static void blank_sender(scene *s)
{
    s->content.content.sender.index = 3;
}

static void far_sender(scene *s)
{
    s->content.content.sender.index = UINT32_MAX;
}

static void own_sender(scene *s)
{
    s->content.content.sender.index = 0;
}

static void sender_of_another(scene *s)
{
    s->content.content.sender.index = 2;
}

static void unknown_sender_type(scene *s)
{
    s->content.content.sender.type = 5;
}

static void reserved_sender_type(scene *s)
{
    s->content.content.sender.type = 0;
}

static void broken_signature(scene *s)
{
    s->breaks_signature = true;
}

static void broken_membership_tag(scene *s)
{
    s->breaks_membership_tag = true;
}

static void is_from(scene *s, uint8_t type)
{
    s->content.content.sender = (xmtp_sender){.type = type};
}

static void commit_of_an_external_sender(scene *s)
{
    is_from(s, XMTP_SENDER_EXTERNAL);
}

static void commit_of_a_proposer(scene *s)
{
    is_from(s, XMTP_SENDER_NEW_MEMBER_PROPOSAL);
}

static void external_commit_without_path(scene *s)
{
    is_from(s, XMTP_SENDER_NEW_MEMBER_COMMIT);
}

static void external_commit_without_init(scene *s)
{
    is_from(s, XMTP_SENDER_NEW_MEMBER_COMMIT);
    s->has_path = true;
}

static void external_commit_with_two_inits(scene *s)
{
    external_commit_without_init(s);
    external_init_by_a_member(s);
    external_init_by_a_member(s);
}

static void external_commit_with_add(scene *s)
{
    external_commit_without_init(s);
    external_init_by_a_member(s);
    const xmtp_proposal add = add_of(s, &s->dave, NULL, NULL);
    by_value(s, &add);
}

static void external_commit_with_two_removes(scene *s)
{
    external_commit_without_init(s);
    external_init_by_a_member(s);
    add_remove(s, 1);
    add_remove(s, 2);
}

static void external_commit_with_extensions(scene *s)
{
    external_commit_without_init(s);
    external_init_by_a_member(s);
    extensions_raw(s, 0xff00, other_bytes, 1);
}

static void external_commit_by_reference(scene *s)
{
    by_reference_of_carol(s, &(xmtp_proposal){.type = XMTP_PROPOSAL_REMOVE, .u.remove = 1});
    external_commit_without_init(s);
}

static void external_commit_of_a_member(scene *s)
{
    external_commit_without_init(s);
    external_init_by_a_member(s);
}

static void proposal_from(scene *s, uint8_t type, const xmtp_proposal *proposal)
{
    xmtp_writer w = writer(s);
    xmtp_proposal_encode(&w, proposal);
    is_from(s, type);
    s->content.content.content =
        (xmtp_mls_content){.type = XMTP_CONTENT_PROPOSAL, .raw = keep(s, &w)};
}

static const xmtp_proposal some_remove = {.type = XMTP_PROPOSAL_REMOVE, .u.remove = 2};

static void proposal_of_no_external_sender(scene *s)
{
    proposal_from(s, XMTP_SENDER_EXTERNAL, &some_remove);
}

static void update_of_an_external_sender(scene *s)
{
    xmtp_proposal update = {.type = XMTP_PROPOSAL_UPDATE};
    update.u.update = sign_leaf(s, &s->carol, fresh_update(s), 2, false);
    proposal_from(s, XMTP_SENDER_EXTERNAL, &update);
}

static void external_init_of_an_external_sender(scene *s)
{
    proposal_from(s, XMTP_SENDER_EXTERNAL,
                  &(xmtp_proposal){.type = XMTP_PROPOSAL_EXTERNAL_INIT, .u.external_init = s->tag});
}

static void remove_of_a_new_member(scene *s)
{
    proposal_from(s, XMTP_SENDER_NEW_MEMBER_PROPOSAL, &some_remove);
}

static void proposal_of_an_external_committer(scene *s)
{
    proposal_from(s, XMTP_SENDER_NEW_MEMBER_COMMIT, &some_remove);
}

static void add_signed_by_another(scene *s)
{
    const xmtp_proposal add = add_of(s, &s->dave, NULL, NULL);
    proposal_from(s, XMTP_SENDER_NEW_MEMBER_PROPOSAL, &add);
}

static void application_in_the_clear(scene *s)
{
    static const uint8_t vector[] = {1, 'x'};
    s->content.content.content =
        (xmtp_mls_content){.type = XMTP_CONTENT_APPLICATION, .raw = xmtp_bytes_of(vector, 2)};
}

static void unknown_content(scene *s)
{
    s->content.content.content.type = 4;
}

static void senders_keep_the_rules(void **state)
{
    (void)state;
    static const list_rule rules[] = {
        {"6 a message is for its group", XMTP_E_GROUP_ID, other_group},
        {"14 a commit is not old", XMTP_E_EPOCH_OLD, old_epoch},
        {"14 a commit is not early", XMTP_E_EPOCH_FUTURE, next_epoch},
        {"14 an epoch may be any number", XMTP_E_EPOCH_FUTURE, far_epoch},
        {"6 a sender is a member", XMTP_E_SENDER, blank_sender},
        {"6 a sender is in the tree", XMTP_E_SENDER, far_sender},
        {"6 we do not hear ourselves", XMTP_E_OWN_MESSAGE, own_sender},
        {"6.1 a member speaks for itself", XMTP_E_SIGNATURE, sender_of_another},
        {"6 the type of a sender is known", XMTP_E_SENDER_TYPE, unknown_sender_type},
        {"6 type 0 is reserved", XMTP_E_SENDER_TYPE, reserved_sender_type},
        {"6.1 a message is signed", XMTP_E_SIGNATURE, broken_signature},
        {"6.2 a public message is tagged", XMTP_E_MEMBERSHIP_TAG, broken_membership_tag},
        {"6 an external sender does not commit", XMTP_E_SENDER_TYPE, commit_of_an_external_sender},
        {"6 a proposer does not commit", XMTP_E_SENDER_TYPE, commit_of_a_proposer},
        {"12.4.3.2 an external commit has a path", XMTP_E_PATH_REQUIRED,
         external_commit_without_path},
        {"12.2 an external commit has ExternalInit", XMTP_E_EXTERNAL_INIT,
         external_commit_without_init},
        {"12.2 and one only", XMTP_E_EXTERNAL_INIT, external_commit_with_two_inits},
        {"12.2 and no Add", XMTP_E_EXTERNAL_PROPOSAL, external_commit_with_add},
        {"12.2 and one Remove at most", XMTP_E_EXTERNAL_REMOVE, external_commit_with_two_removes},
        {"12.2 and sets no extensions", XMTP_E_EXTERNAL_PROPOSAL, external_commit_with_extensions},
        {"12.4.3.2 and nothing by reference", XMTP_E_EXTERNAL_REFERENCE,
         external_commit_by_reference},
        {"12.4.3.2 a member does not join", XMTP_E_LEAF_SIGNATURE, external_commit_of_a_member},
        {"12.1.8 an external sender is listed", XMTP_E_EXTERNAL_SENDER,
         proposal_of_no_external_sender},
        {"12.1.8 an external sender does not update", XMTP_E_SENDER_TYPE,
         update_of_an_external_sender},
        {"12.1.8 nor sends ExternalInit", XMTP_E_SENDER_TYPE, external_init_of_an_external_sender},
        {"12.1.8 a new member proposes its Add only", XMTP_E_SENDER_TYPE, remove_of_a_new_member},
        {"6 an external committer does not propose", XMTP_E_SENDER_TYPE,
         proposal_of_an_external_committer},
        {"12.1.8 a new member signs its Add", XMTP_E_SIGNATURE, add_signed_by_another},
        {"6.2 application data is encrypted", XMTP_E_PUBLIC_APPLICATION, application_in_the_clear},
        {"6 the type of content is known", XMTP_E_MALFORMED, unknown_content},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        scene s;
        scene_open(&s);
        rules[i].fill(&s);
        if (s.content.content.content.raw.n == 0) {
            encode_commit(&s);
        }
        expect(&s, rules[i].rule, seal(&s), rules[i].status);
        scene_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_keep_the_rules),
        cmocka_unit_test(senders_keep_the_rules),
    };
    return cmocka_run_group_tests(tests, NULL, print_count);
}
