/* mls_seeds.c - writes fuzz/corpus/mls_*: first inputs of the MLS fuzz targets, made by our library.
 *
 *     mls_seeds <folder>
 *
 * The scenes are those of the targets, so that names, keys and references fit where that matters.
 */
#include "../mls_world.h"

#include "mls/kept.h"
#include "mls/welcome.h"

#include <sys/stat.h>

static const char *folder;

/* ---- files ---- */

static void put_file(const char *target, const char *name, xmtp_bytes head, xmtp_bytes body)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", folder, target);
    (void)mkdir(path, 0777);
    (void)snprintf(path, sizeof path, "%s/%s/%s", folder, target, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(head.p, 1, head.n, f), head.n);
    assert_int_equal(body.n == 0 ? 0 : fwrite(body.p, 1, body.n, f), body.n);
    assert_int_equal(fclose(f), 0);
}

/* Numbers are positions in the table of fuzz/mls_decode.c. */
static void put_decode(uint8_t codec, const char *name, xmtp_bytes body)
{
    put_file("mls_decode", name, xmtp_bytes_of(&codec, 1), body);
}

/* ---- mls_decode ---- */

static void decode_leaf(const xmtp_leaf_node *leaf, const xmtp_alloc *alloc)
{
    xmtp_writer w = writer_new(alloc);
    put_decode(2, "leaf_node", leaf->raw);
    xmtp_capabilities_encode(&w, &leaf->capabilities);
    put_decode(4, "capabilities", xmtp_writer_bytes(&w));
    xmtp_writer_clear(&w);
    xmtp_credential_encode(&w, &leaf->credential);
    put_decode(5, "credential", xmtp_writer_bytes(&w));
    xmtp_writer_clear(&w);
    xmtp_u16_list_encode(&w, leaf->capabilities.extensions);
    put_decode(7, "u16_list", xmtp_writer_bytes(&w));
    xmtp_writer_free(&w);
}

static void decode_group(const member *m, const uint8_t *info, size_t info_len)
{
    const xmtp_mls_group *group = m->group;
    xmtp_writer w = writer_new(group->alloc);
    xmtp_parent_node parent;
    put_decode(0, "message_group_info", xmtp_bytes_of(info, info_len));
    put_decode(9, "group_info", xmtp_bytes_of(info + 4, info_len - 4));
    put_decode(8, "group_context", group->context.raw);
    xmtp_extensions_encode(&w, &group->context.extensions);
    put_decode(6, "extensions", xmtp_writer_bytes(&w));
    xmtp_writer_clear(&w);
    xmtp_tree_encode(&group->tree, &w);
    put_decode(3, "tree", xmtp_writer_bytes(&w));
    xmtp_writer_clear(&w);
    for (uint32_t i = 1; i < xmtp_node_count(group->tree.leaf_count); i += 2) {
        if (xmtp_tree_parent(&group->tree, i, &parent) == XMTP_OK) {
            xmtp_writer_clear(&w);
            xmtp_parent_node_encode(&w, &parent);
            put_decode(12, "parent_node", xmtp_writer_bytes(&w));
        }
    }
    xmtp_writer_clear(&w);
    xmtp_tree_private_encode(&group->private_keys, group->suite, &w);
    put_decode(28, "tree_private", xmtp_writer_bytes(&w));
    xmtp_writer_clear(&w);
    xmtp_secret_tree_encode(&group->epochs[0].secret_tree, &w);
    put_decode(29, "secret_tree", xmtp_writer_bytes(&w));
    xmtp_writer_clear(&w);
    xmtp_ratchet_encode(&group->epochs[0].secret_tree.ratchets[0], group->suite, &w);
    put_decode(30, "ratchet", xmtp_writer_bytes(&w));
    xmtp_writer_free(&w);
}

static void decode_small(const xmtp_alloc *alloc)
{
    static const uint8_t sender[] = {1, 0, 0, 0, 2}, outside[] = {3};
    static const uint8_t padded[] = {1, 1, 'x', 2, 0, 0, 0, 0};
    static const uint8_t data[12] = {0, 0, 0, 1, 0, 0, 0, 5, 1, 2, 3, 4};
    static const uint8_t senders[] = {10, 4, 1, 2, 3, 4, 0, 1, 2, 'e', 'x'};
    static const uint8_t hpke[] = {2, 1, 2, 3, 1, 2, 3};
    xmtp_writer w = writer_new(alloc);
    put_decode(15, "sender", xmtp_bytes_of(sender, sizeof sender));
    put_decode(15, "sender_outside", xmtp_bytes_of(outside, sizeof outside));
    put_decode(24, "private_content", xmtp_bytes_of(padded, sizeof padded));
    put_decode(25, "sender_data", xmtp_bytes_of(data, sizeof data));
    put_decode(26, "required_capabilities", xmtp_bytes_of(world_required, sizeof world_required));
    put_decode(27, "external_senders", xmtp_bytes_of(senders, sizeof senders));
    put_decode(10, "hpke_ciphertext", xmtp_bytes_of(hpke, sizeof hpke));
    xmtp_psk_id id = {.type = XMTP_PSK_EXTERNAL,
                      .psk_id = xmtp_bytes_of("psk-1", 5),
                      .psk_nonce = xmtp_bytes_of(data, sizeof data)};
    xmtp_psk_id_encode(&w, &id);
    put_decode(14, "psk_external", xmtp_writer_bytes(&w));
    xmtp_writer_clear(&w);
    id = (xmtp_psk_id){.type = XMTP_PSK_RESUMPTION,
                       .usage = XMTP_PSK_USAGE_BRANCH,
                       .psk_group_id = xmtp_bytes_of("group", 5),
                       .psk_epoch = 7,
                       .psk_nonce = xmtp_bytes_of(data, sizeof data)};
    xmtp_psk_id_encode(&w, &id);
    put_decode(14, "psk_resumption", xmtp_writer_bytes(&w));
    xmtp_writer_clear(&w);
    xmtp_group_secrets_encode(&w, &(xmtp_group_secrets){.joiner_secret = xmtp_bytes_of(data, 12),
                                                        .has_path_secret = true,
                                                        .path_secret = xmtp_bytes_of(data, 12),
                                                        .psks = &id,
                                                        .psk_count = 1});
    put_decode(21, "group_secrets", xmtp_writer_bytes(&w));
    xmtp_writer_free(&w);
}

/* A public commit with a path, and its parts. */
static void decode_commit(xmtp_bytes message, xmtp_bytes welcome)
{
    static xmtp_mls_message m;
    static xmtp_arena arena;
    xmtp_writer w = writer_new(&xmtp_env_system()->alloc);
    xmtp_arena_init(&arena, &xmtp_env_system()->alloc, 1 << 24);
    assert_int_equal(xmtp_mls_message_decode(message, &arena, &m), XMTP_OK);
    const xmtp_public_message *public = &m.u.public_message;
    put_decode(0, "message_public", message);
    put_decode(23, "public_message", xmtp_bytes_of(message.p + 4, message.n - 4));
    put_decode(22, "framed_content", public->content.raw);
    put_decode(20, "commit", public->content.content.raw);
    xmtp_update_path_encode(&w, &public->content.content.commit.path);
    put_decode(16, "update_path", xmtp_writer_bytes(&w));
    xmtp_writer_clear(&w);
    xmtp_authenticated_content_encode(&w, &(xmtp_authenticated_content){.wire_format = 1,
                                                                        .content = public->content,
                                                                        .auth = public->auth});
    put_decode(19, "authenticated_content", xmtp_writer_bytes(&w));
    xmtp_writer_free(&w);
    put_decode(0, "message_welcome", welcome);
    put_decode(17, "welcome", xmtp_bytes_of(welcome.p + 4, welcome.n - 4));
    xmtp_reader r = xmtp_reader_of(xmtp_bytes_of(welcome.p + 6, welcome.n - 6));
    xmtp_bytes secrets;
    assert_int_equal(xmtp_reader_vec(&r, &secrets), XMTP_OK);
    put_decode(11, "encrypted_group_secrets", secrets);
    xmtp_arena_reset(&arena);
}

static void decode_seeds(void)
{
    world_env world;
    member a, b, c;
    xmtp_mls_key_package_private keys;
    xmtp_key_package package;
    blob info;
    world_env_init(&world, 5);
    full_member(&a, &world, "alice");
    full_member(&b, &world, "bob");
    full_member(&c, &world, "carol");
    a.config.public_handshakes = true;
    member_create(&a);
    free(member_invite(&a, &b).p);
    blob bytes = member_key_package(&c, &keys);
    const xmtp_bytes add = blob_bytes(bytes);
    assert_int_equal(xmtp_key_package_of(add, &package), XMTP_OK);
    put_decode(1, "key_package", add);
    decode_leaf(&package.leaf_node, a.group->alloc);
    xmtp_mls_pending *pending =
        member_commit(&a, &(xmtp_mls_commit_options){.add = &add, .add_count = 1});
    decode_commit(xmtp_mls_pending_message(pending), xmtp_mls_pending_welcome(pending));
    assert_ok(&b, member_take(&b, xmtp_mls_pending_message(pending)));
    member_confirm(&a, pending);
    blob message = member_send(&b, "hello");
    put_decode(0, "message_private", blob_bytes(message));
    put_decode(18, "private_message", xmtp_bytes_of(message.p + 4, message.n - 4));
    member_expect(&a, message, "hello");
    assert_ok(&a, xmtp_mls_group_info(a.group, true, &info.p, &info.n, &a.error));
    decode_group(&a, info.p, info.n);
    decode_small(a.group->alloc);
    free(info.p);
    free(message.p);
    free(bytes.p);
    member_free(&a);
    member_free(&b);
    member_free(&c);
}

/* ---- mls_process ---- */

enum { RAW, PUBLIC, PRIVATE, PLAINTEXT, COMMIT, RECORD };
enum { WITH_PATH = 1, AS_PRIVATE = 2, RESIGN = 4 };

static void put_process(const char *name, const uint8_t head[7], xmtp_bytes body)
{
    put_file("mls_process", name, xmtp_bytes_of(head, 7), body);
}

/* Each proposal alone in public and private, and by value in commits with and without a path. */
static void process_proposal(const char *name, const xmtp_proposal *proposal,
                             const xmtp_alloc *alloc)
{
    char file[64];
    xmtp_writer w = writer_new(alloc);
    xmtp_proposal_encode(&w, proposal);
    put_decode(13, name, xmtp_writer_bytes(&w));
    (void)snprintf(file, sizeof file, "public_%s", name);
    put_process(file, (const uint8_t[7]){PUBLIC, 0, 0, 0, 4, 2, RESIGN}, xmtp_writer_bytes(&w));
    (void)snprintf(file, sizeof file, "private_%s", name);
    put_process(file, (const uint8_t[7]){PRIVATE, 0, 0, 0, 0, 2, RESIGN}, xmtp_writer_bytes(&w));
    (void)snprintf(file, sizeof file, "external_%s", name);
    put_process(file, (const uint8_t[7]){PUBLIC, 0, 0, 2, 1, 2, RESIGN}, xmtp_writer_bytes(&w));
    xmtp_writer_clear(&w);
    xmtp_writer_u8(&w, proposal->type == XMTP_PROPOSAL_ADD ? 2 : 1);
    xmtp_proposal_encode(&w, proposal);
    (void)snprintf(file, sizeof file, "commit_%s", name);
    put_process(file, (const uint8_t[7]){COMMIT, 0, 0, 0, 0, 0, WITH_PATH}, xmtp_writer_bytes(&w));
    (void)snprintf(file, sizeof file, "commit_pathless_%s", name);
    put_process(file, (const uint8_t[7]){COMMIT, 1, 0, 0, 0, 0, AS_PRIVATE}, xmtp_writer_bytes(&w));
    (void)snprintf(file, sizeof file, "enter_%s", name);
    put_process(file, (const uint8_t[7]){COMMIT, 0, 0, 1, 0, 0, WITH_PATH}, xmtp_writer_bytes(&w));
    xmtp_writer_free(&w);
}

static void process_proposals(const xmtp_alloc *alloc, const xmtp_key_package *package)
{
    xmtp_leaf_node leaf = package->leaf_node;
    xmtp_writer list = writer_new(alloc), w = writer_new(alloc);
    leaf.source = XMTP_LEAF_NODE_UPDATE;
    xmtp_leaf_node_encode(&w, &leaf);
    leaf.raw = xmtp_writer_bytes(&w);
    xmtp_extension_encode(&list, 0xff00, xmtp_bytes_of("abc", 3));
    const xmtp_extensions extensions = {.raw = xmtp_writer_bytes(&list), .count = 1};
    static const uint8_t nonce[32] = {1};
    const struct {
        const char *name;
        xmtp_proposal proposal;
    } all[] = {
        {"add", {.type = 1, .u.add = *package}},
        {"update", {.type = 2, .u.update = leaf}},
        {"remove_carol", {.type = 3, .u.remove = 2}},
        {"remove_alice", {.type = 3, .u.remove = 0}},
        {"psk",
         {.type = 4,
          .u.psk = {.type = XMTP_PSK_EXTERNAL,
                    .psk_id = xmtp_bytes_of("psk-1", 5),
                    .psk_nonce = xmtp_bytes_of(nonce, 32)}}},
        {"psk_resumption",
         {.type = 4,
          .u.psk = {.type = XMTP_PSK_RESUMPTION,
                    .usage = XMTP_PSK_USAGE_APPLICATION,
                    .psk_group_id = xmtp_bytes_of("group id of 16b.", 16),
                    .psk_epoch = 3,
                    .psk_nonce = xmtp_bytes_of(nonce, 32)}}},
        {"reinit",
         {.type = 5,
          .u.reinit = {.group_id = xmtp_bytes_of("n", 1), .version = 1, .cipher_suite = 3}}},
        {"external_init", {.type = 6, .u.external_init = xmtp_bytes_of(nonce, 32)}},
        {"extensions", {.type = 7, .u.group_context_extensions = extensions}},
        {"custom", {.type = 0xf001, .u.unknown = xmtp_bytes_of("own", 3)}},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        process_proposal(all[i].name, &all[i].proposal, alloc);
    }
    xmtp_writer_free(&list);
    xmtp_writer_free(&w);
}

static void process_seeds(void)
{
    static const uint8_t text[] = {5, 'h', 'e', 'l', 'l', 'o'};
    static const uint8_t references[] = {0, 0, 0, 3, 0, 5}, everything[] = {0, 0, 0, 1, 0, 3, 0, 4};
    world_env world;
    member m;
    xmtp_mls_key_package_private keys;
    xmtp_key_package package;
    world_env_init(&world, 6);
    full_member(&m, &world, "eve");
    blob bytes = member_key_package(&m, &keys);
    assert_int_equal(xmtp_key_package_of(blob_bytes(bytes), &package), XMTP_OK);
    process_proposals(&world.env.alloc, &package);
    put_process("text", (const uint8_t[7]){PRIVATE, 0, 0, 0, 0, 1, 0},
                xmtp_bytes_of(text, sizeof text));
    put_process("late_text", (const uint8_t[7]){PRIVATE, 0, 2, 0, 3, 1, 8},
                xmtp_bytes_of(text, sizeof text));
    put_process("plaintext", (const uint8_t[7]){PLAINTEXT, 0, 0, 1, 0, 1, 0},
                xmtp_bytes_of(text, sizeof text));
    put_process("update_only", (const uint8_t[7]){COMMIT, 0, 0, 0, 0, 0, WITH_PATH},
                (xmtp_bytes){0});
    put_process("enter", (const uint8_t[7]){COMMIT, 0, 0, 1, 0, 0, WITH_PATH}, (xmtp_bytes){0});
    put_process("references", (const uint8_t[7]){COMMIT, 0, 0, 0, 0, 0, WITH_PATH},
                xmtp_bytes_of(references, sizeof references));
    put_process("everything", (const uint8_t[7]){COMMIT, 0, 0, 0, 0, 0, WITH_PATH | AS_PRIVATE},
                xmtp_bytes_of(everything, sizeof everything));
    free(bytes.p);
    member_free(&m);
}

/* ---- mls_join ---- */

static void put_join(const char *name, uint8_t kind, uint8_t flags, xmtp_bytes body)
{
    const uint8_t head[2] = {kind, flags};
    put_file("mls_join", name, xmtp_bytes_of(head, 2), body);
}

/* The scene of fuzz/mls_join.c, where alice adds carol. */
static void join_seeds(void)
{
    world_env world;
    member alice, bob, carol, eve;
    xmtp_mls_key_package_private keys;
    xmtp_arena arena;
    xmtp_mls_message *message;
    xmtp_group_secrets secrets;
    xmtp_group_info info;
    xmtp_secret welcome_secret, joiner = {.n = 32};
    const xmtp_secret no_psk = {.n = 32};
    world_env_init(&world, 31);
    full_member(&alice, &world, "alice");
    full_member(&bob, &world, "bob");
    full_member(&carol, &world, "carol");
    full_member(&eve, &world, "eve");
    member_create(&alice);
    free(member_invite(&alice, &bob).p);
    blob package = member_key_package(&carol, &keys);
    const xmtp_bytes add = blob_bytes(package);
    blob external;
    assert_ok(&alice,
              xmtp_mls_group_info(alice.group, true, &external.p, &external.n, &alice.error));
    put_join("external", 2, 0, xmtp_bytes_of(external.p + 4, external.n - 4));
    put_join("external_fixed", 2, 1 | 2 | 8, xmtp_bytes_of(external.p + 4, external.n - 4));
    put_join("external_return", 2, 64 | 16, xmtp_bytes_of(external.p + 4, external.n - 4));
    xmtp_mls_pending *pending =
        member_commit(&alice, &(xmtp_mls_commit_options){.add = &add, .add_count = 1});
    const xmtp_bytes welcome = xmtp_mls_pending_welcome(pending);
    put_join("welcome", 0, 0, welcome);
    xmtp_arena_init(&arena, &world.env.alloc, 1 << 24);
    assert_int_equal(xmtp_arena_take(&arena, sizeof *message, (void **)&message), XMTP_OK);
    assert_int_equal(xmtp_mls_message_decode(welcome, &arena, message), XMTP_OK);
    const xmtp_suite *suite = alice.group->suite;
    assert_ok(&alice, xmtp_welcome_open_secrets(suite, &message->u.welcome,
                                                xmtp_bytes_of(keys.ref, keys.ref_len), keys.init_sk,
                                                NULL, &arena, &secrets, &alice.error));
    memcpy(joiner.p, secrets.joiner_secret.p, 32);
    assert_int_equal(xmtp_welcome_secret(suite, &joiner, &no_psk, &welcome_secret), XMTP_OK);
    assert_ok(&alice, xmtp_welcome_open_group_info(suite, &message->u.welcome, &welcome_secret,
                                                   &arena, &info, &alice.error));
    xmtp_writer w = writer_new(&world.env.alloc);
    size_t mark = xmtp_writer_vec_open(&w);
    xmtp_group_secrets_encode(&w, &secrets);
    xmtp_writer_vec_close(&w, mark);
    xmtp_writer_put(&w, info.raw);
    put_join("inside", 1, 0, xmtp_writer_bytes(&w));
    put_join("inside_fixed", 1, 1 | 2 | 4 | 8, xmtp_writer_bytes(&w));
    put_join("inside_aside", 1, 2 | 4 | 8 | 16 | 32, xmtp_writer_bytes(&w));
    xmtp_writer_free(&w);
    xmtp_arena_reset(&arena);
    xmtp_mls_pending_free(pending);
    free(external.p);
    free(package.p);
    member_free(&alice);
    member_free(&bob);
    member_free(&carol);
    member_free(&eve);
}

/* ---- mls_story ---- */

static void put_story(const char *name, const char *program)
{
    put_file("mls_story", name, xmtp_bytes_of_string(program), (xmtp_bytes){0});
}

/* Each begins by adding three: operation 1, from whom, with or without a path, how to confirm. */
#define FOUR "\1\1\1\1\1\1\31\2\1\1\62\1\1\1"

static void story_seeds(void)
{
    put_story("updates", "\37" FOUR "\016\1\1\016\2\1\016\3\2");
    put_story("removes", "\1" FOUR "\2\5\1\2\12\1\1\1\1\1");
    put_story("letters", "\1" FOUR "\3\1\3\2\4\3\5\2\23\1\41\2\5\3\5\1\5\2");
    put_story("proposals", "\5" FOUR "\7\1\7\2\25\3\43\1\61\2\10\1\377\1\1");
    put_story("entering", "\1" FOUR "\11\5\1\27\1\1\11\12\1");
    put_story("race", "\1" FOUR "\12\5\1\12\6\2");
    put_story("scarce", "\1" FOUR "\13\40\016\1\1\31\5\016\1\1\13\100\3\1");
    put_story("branch", "\1" FOUR "\33\5\15\5");
}

int main(int argc, char **argv)
{
    assert_true(argc == 2);
    folder = argv[1];
    decode_seeds();
    process_seeds();
    join_seeds();
    story_seeds();
    return 0;
}
