/* cut_test.c - every struct of RFC 9420, cut short after each byte: no decoder takes less than all,
 * and none reads beyond, for each input lies in a block of exactly its length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/status.h"
#include "mls/app_data.h"
#include "mls/group_dump.h"
#include "mls/message.h"

typedef xmtp_status (*decoder)(xmtp_reader *r, xmtp_arena *arena);

#define DECODER(name, type)                                                                        \
    static xmtp_status name(xmtp_reader *r, xmtp_arena *arena)                                     \
    {                                                                                              \
        static type x;                                                                             \
        (void)arena;                                                                               \
        return xmtp_##name##_decode(r, &x);                                                        \
    }
#define ARENA_DECODER(name, type)                                                                  \
    static xmtp_status name(xmtp_reader *r, xmtp_arena *arena)                                     \
    {                                                                                              \
        static type x;                                                                             \
        return xmtp_##name##_decode(r, arena, &x);                                                 \
    }

DECODER(encrypted_group_secrets, xmtp_encrypted_group_secrets)
DECODER(group_info, xmtp_group_info)
DECODER(key_package, xmtp_key_package)
DECODER(private_message, xmtp_private_message)
DECODER(proposal, xmtp_proposal)
DECODER(psk_id, xmtp_psk_id)
DECODER(update_path, xmtp_update_path)
DECODER(welcome, xmtp_welcome)
ARENA_DECODER(authenticated_content, xmtp_authenticated_content)
ARENA_DECODER(commit, xmtp_commit)
ARENA_DECODER(group_secrets, xmtp_group_secrets)
ARENA_DECODER(public_message, xmtp_public_message)

static xmtp_status sender_data(xmtp_reader *r, xmtp_arena *arena)
{
    xmtp_sender_data x;
    (void)arena;
    return xmtp_sender_data_decode(xmtp_bytes_of(r->p, r->n), &x);
}

static xmtp_status private_content(xmtp_reader *r, xmtp_arena *arena)
{
    static xmtp_mls_content content;
    xmtp_content_auth auth;
    return xmtp_private_content_decode(xmtp_bytes_of(r->p, r->n), XMTP_CONTENT_APPLICATION, arena,
                                       &content, &auth);
}

static xmtp_status external_senders(xmtp_reader *r, xmtp_arena *arena)
{
    xmtp_external_sender sender;
    (void)arena;
    return xmtp_external_sender_at(xmtp_bytes_of(r->p, r->n), 1, &sender);
}

static xmtp_status tree(xmtp_reader *r, xmtp_arena *arena)
{
    xmtp_tree x;
    xmtp_tree_init(&x, &xmtp_suite_x25519_chacha, arena->alloc);
    xmtp_status status = xmtp_tree_decode(&x, xmtp_bytes_of(r->p, r->n));
    xmtp_tree_free(&x);
    return status;
}

static xmtp_status see(void *context, const xmtp_mls_member *m)
{
    (void)context;
    (void)m;
    return XMTP_OK;
}

/* As those see it who are no members. */
static xmtp_status tree_of_strangers(xmtp_reader *r, xmtp_arena *arena)
{
    xmtp_error error = {0};
    (void)arena;
    return xmtp_mls_ratchet_tree_each(xmtp_bytes_of(r->p, r->n), NULL, see, &error);
}

static size_t cuts;

/* In a block of exactly n bytes. */
static xmtp_status decode(decoder decode_, const uint8_t *p, size_t n)
{
    xmtp_arena arena;
    uint8_t *copy = malloc(n == 0 ? 1 : n);
    assert_non_null(copy);
    xmtp_copy(copy, p, n);
    xmtp_arena_init(&arena, &xmtp_env_system()->alloc, 1 << 24);
    xmtp_reader r = xmtp_reader_of(xmtp_bytes_of(copy, n));
    xmtp_status status = decode_(&r, &arena);
    xmtp_arena_reset(&arena);
    free(copy);
    cuts++;
    return status;
}

static void cut(decoder decode_, xmtp_bytes bytes)
{
    assert_int_equal(decode(decode_, bytes.p, bytes.n), XMTP_OK);
    for (size_t n = 0; n < bytes.n; n++) {
        assert_int_not_equal(decode(decode_, bytes.p, n), XMTP_OK);
    }
}

/* One list item more or less long: vectors inside of vectors are cut too, with their lengths made
 * right, so that the outer decoder comes to the inner one. */
static void cut_inside(decoder decode_, xmtp_bytes item)
{
    for (size_t n = 1; n < item.n; n++) {
        xmtp_writer w;
        xmtp_writer_init(&w, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
        xmtp_writer_vec(&w, xmtp_bytes_of(item.p, n));
        assert_int_not_equal(decode(decode_, w.p, w.n), XMTP_OK);
        xmtp_writer_free(&w);
    }
}

/* ---- samples ---- */

typedef struct samples {
    world_env world;
    member alice, bob, carol;
    blob package, message, welcome, info, text;
} samples;

static void samples_open(samples *s)
{
    xmtp_mls_key_package_private keys;
    world_env_init(&s->world, 5);
    member_init(&s->alice, &s->world, "alice");
    member_init(&s->bob, &s->world, "bob");
    member_init(&s->carol, &s->world, "carol");
    s->alice.config.public_handshakes = true;
    member_create(&s->alice);
    free(member_invite(&s->alice, &s->bob).p);
    s->package = member_key_package(&s->carol, &keys);
    const xmtp_bytes add = blob_bytes(s->package);
    xmtp_mls_pending *pending =
        member_commit(&s->alice, &(xmtp_mls_commit_options){.add = &add, .add_count = 1});
    s->message = blob_copy(xmtp_mls_pending_message(pending));
    s->welcome = blob_copy(xmtp_mls_pending_welcome(pending));
    xmtp_mls_pending_free(pending);
    s->text = member_send(&s->bob, "text");
    assert_ok(&s->alice,
              xmtp_mls_group_info(s->alice.group, true, &s->info.p, &s->info.n, &s->alice.error));
}

static void samples_close(samples *s)
{
    free(s->package.p);
    free(s->message.p);
    free(s->welcome.p);
    free(s->info.p);
    free(s->text.p);
    member_free(&s->alice);
    member_free(&s->bob);
    member_free(&s->carol);
}

static xmtp_bytes body(blob message)
{
    return xmtp_bytes_of(message.p + 4, message.n - 4);
}

static void messages_that_are_cut_are_refused(void **state)
{
    (void)state;
    samples s;
    samples_open(&s);
    cut(public_message, body(s.message));
    cut(private_message, body(s.text));
    cut(welcome, body(s.welcome));
    cut(group_info, body(s.info));
    cut(key_package, blob_bytes(s.package));
    samples_close(&s);
}

static void contents_that_are_cut_are_refused(void **state)
{
    (void)state;
    static const uint8_t padded[] = {2, 'h', 'i', 2, 0xaa, 0xbb};
    static const uint8_t data[12] = {0, 0, 0, 1};
    samples s;
    xmtp_arena arena;
    static xmtp_public_message m;
    xmtp_writer w;
    samples_open(&s);
    xmtp_arena_init(&arena, &s.world.env.alloc, 1 << 20);
    xmtp_writer_init(&w, &s.world.env.alloc, XMTP_WRITER_MAX);
    xmtp_reader r = xmtp_reader_of(body(s.message));
    assert_int_equal(xmtp_public_message_decode(&r, &arena, &m), XMTP_OK);
    cut(commit, m.content.content.raw);
    xmtp_update_path_encode(&w, &m.content.content.commit.path);
    cut(update_path, xmtp_writer_bytes(&w));
    xmtp_writer_clear(&w);
    xmtp_authenticated_content_encode(
        &w, &(xmtp_authenticated_content){.wire_format = 1, .content = m.content, .auth = m.auth});
    cut(authenticated_content, xmtp_writer_bytes(&w));
    cut(private_content, xmtp_bytes_of(padded, sizeof padded));
    cut(sender_data, xmtp_bytes_of(data, sizeof data));
    xmtp_writer_free(&w);
    xmtp_arena_reset(&arena);
    samples_close(&s);
}

static void proposals_that_are_cut_are_refused(void **state)
{
    (void)state;
    static const uint8_t nonce[32] = {1};
    static const uint8_t resumption[] = {0, 4, 2, 1, 2, 'g', 'g', 0, 0, 0, 0, 0, 0, 0, 1, 1, 9};
    static const uint8_t update_data[] = {0, 8, 0x80, 0x01, 1, 3, 'a', 'b', 'c'};
    static const uint8_t remove_data[] = {0, 8, 0x80, 0x01, 2};
    static const uint8_t reinit[] = {0, 5, 1, 'g', 0, 1, 0, 3, 0};
    static const uint8_t extensions[] = {0, 7, 4, 0xff, 0, 1, 'x'};
    static const uint8_t custom[] = {0xf0, 1, 3, 'o', 'w', 'n'};
    xmtp_writer w;
    xmtp_writer_init(&w, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    cut(proposal, xmtp_bytes_of(resumption, sizeof resumption));
    cut(proposal, xmtp_bytes_of(update_data, sizeof update_data));
    cut(proposal, xmtp_bytes_of(remove_data, sizeof remove_data));
    cut(proposal, xmtp_bytes_of(reinit, sizeof reinit));
    cut(proposal, xmtp_bytes_of(extensions, sizeof extensions));
    cut(proposal, xmtp_bytes_of(custom, sizeof custom));
    xmtp_psk_id id = {.type = XMTP_PSK_EXTERNAL,
                      .psk_id = xmtp_bytes_of("psk-1", 5),
                      .psk_nonce = xmtp_bytes_of(nonce, 32)};
    xmtp_psk_id_encode(&w, &id);
    cut(psk_id, xmtp_writer_bytes(&w));
    xmtp_writer_clear(&w);
    xmtp_group_secrets_encode(&w, &(xmtp_group_secrets){.joiner_secret = xmtp_bytes_of(nonce, 32),
                                                        .has_path_secret = true,
                                                        .path_secret = xmtp_bytes_of(nonce, 32),
                                                        .psks = &id,
                                                        .psk_count = 1});
    cut(group_secrets, xmtp_writer_bytes(&w));
    xmtp_writer_free(&w);
}

static void bad_kinds_are_refused(void **state)
{
    (void)state;
    static const uint8_t usage[] = {0, 4, 2, 4, 1, 'g', 0, 0, 0, 0, 0, 0, 0, 1, 1, 9};
    static const uint8_t no_usage[] = {0, 4, 2, 0, 1, 'g', 0, 0, 0, 0, 0, 0, 0, 1, 1, 9};
    static const uint8_t operation[] = {0, 8, 0x80, 0x01, 3};
    assert_int_equal(decode(proposal, usage, sizeof usage), XMTP_E_PSK_USAGE);
    assert_int_equal(decode(proposal, no_usage, sizeof no_usage), XMTP_E_PSK_USAGE);
    assert_int_not_equal(decode(proposal, operation, sizeof operation), XMTP_OK);
}

static void lists_that_are_cut_are_refused(void **state)
{
    (void)state;
    static const uint8_t senders[] = {2, 1, 2, 0, 1, 1, 'a', 2, 3, 4, 0, 1, 2, 'e', 'x'};
    static const uint8_t with_tail[] = {1, 0, 9};
    samples s;
    xmtp_writer w;
    samples_open(&s);
    xmtp_writer_init(&w, &s.world.env.alloc, XMTP_WRITER_MAX);
    cut_inside(external_senders, xmtp_bytes_of(senders, sizeof senders));
    assert_int_equal(decode(external_senders, with_tail, 3), XMTP_E_TRAILING);
    xmtp_tree_encode(&s.alice.group->tree, &w);
    cut(tree, xmtp_writer_bytes(&w));
    xmtp_reader r = xmtp_reader_of(xmtp_writer_bytes(&w));
    xmtp_bytes nodes;
    assert_int_equal(xmtp_reader_vec(&r, &nodes), XMTP_OK);
    for (size_t n = 1; n < nodes.n; n++) { /* whole nodes alone may be a tree */
        xmtp_writer v;
        xmtp_writer_init(&v, &s.world.env.alloc, XMTP_WRITER_MAX);
        xmtp_writer_vec(&v, xmtp_bytes_of(nodes.p, n));
        (void)!decode(tree, v.p, v.n);
        (void)!decode(tree_of_strangers, v.p, v.n);
        xmtp_writer_free(&v);
    }
    xmtp_writer_u8(&w, 0);
    assert_int_equal(decode(tree, w.p, w.n), XMTP_E_TRAILING);
    assert_int_equal(decode(tree_of_strangers, w.p, w.n), XMTP_E_TRAILING);
    xmtp_reader wr = xmtp_reader_of(xmtp_bytes_of(s.welcome.p + 6, s.welcome.n - 6));
    xmtp_bytes entry;
    assert_int_equal(xmtp_reader_vec(&wr, &entry), XMTP_OK);
    cut(encrypted_group_secrets, entry);
    xmtp_writer_free(&w);
    samples_close(&s);
}

static void strangers_see_trees_within_limits(void **state)
{
    (void)state;
    enum { TOO_MANY = 2 * XMTP_MLS_LEAVES_MAX };
    static const uint8_t parent_first[] = {5, 1, 2, 0, 0, 0};
    xmtp_writer w;
    xmtp_writer_init(&w, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    size_t mark = xmtp_writer_vec_open(&w);
    uint8_t *nodes = xmtp_writer_extend(&w, TOO_MANY);
    assert_non_null(nodes);
    memset(nodes, 0, TOO_MANY); /* blanks */
    xmtp_writer_vec_close(&w, mark);
    assert_int_equal(decode(tree_of_strangers, w.p, w.n), XMTP_E_LIMIT);
    assert_int_equal(decode(tree_of_strangers, parent_first, sizeof parent_first), XMTP_E_TREE);
    xmtp_writer_free(&w);
}

static int print_cuts(void **state)
{
    (void)state;
    print_message("%zu inputs\n", cuts);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_that_are_cut_are_refused),
        cmocka_unit_test(contents_that_are_cut_are_refused),
        cmocka_unit_test(proposals_that_are_cut_are_refused),
        cmocka_unit_test(bad_kinds_are_refused),
        cmocka_unit_test(lists_that_are_cut_are_refused),
        cmocka_unit_test(strangers_see_trees_within_limits),
    };
    return cmocka_run_group_tests(tests, NULL, print_cuts);
}
