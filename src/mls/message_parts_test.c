/* message_parts_test.c - structs that messages.json does not have by themselves, forth and back. */
#include "base/bytes.h"
#include "mls/message.h"

#include <setjmp.h>
#include <stdarg.h>
// cmocka wants the headers above first
#include <cmocka.h>

#include "mls/test_vectors.h"

typedef struct bench {
    xmtp_arena arena;
    xmtp_writer w;
    xmtp_writer w2;
} bench;

static void bench_open(bench *b)
{
    xmtp_arena_init(&b->arena, vectors_alloc(), 1 << 20);
    xmtp_writer_init(&b->w, vectors_alloc(), XMTP_WRITER_MAX);
    xmtp_writer_init(&b->w2, vectors_alloc(), XMTP_WRITER_MAX);
}

static void bench_close(bench *b)
{
    xmtp_arena_reset(&b->arena);
    xmtp_writer_free(&b->w);
    xmtp_writer_free(&b->w2);
}

static void assert_same(const bench *b)
{
    assert_int_equal(b->w.status, XMTP_OK);
    vectors_assert_equal(xmtp_writer_bytes(&b->w2), xmtp_writer_bytes(&b->w), "forth and back");
}

static void sender_data_is_twelve_bytes(void **state)
{
    (void)state;
    bench b;
    bench_open(&b);
    const xmtp_sender_data data = {
        .leaf_index = 0x01020304, .generation = 5, .reuse_guard = {6, 7, 8, 9}};
    xmtp_sender_data got;
    xmtp_sender_data_encode(&b.w, &data);
    const xmtp_bytes in = xmtp_writer_bytes(&b.w);
    assert_int_equal(in.n, XMTP_SENDER_DATA_LEN);
    assert_int_equal(xmtp_sender_data_decode(in, &got), XMTP_OK);
    assert_memory_equal(&got, &data, sizeof got);
    assert_int_equal(xmtp_sender_data_decode(xmtp_bytes_of(in.p, 11), &got), XMTP_E_TRUNCATED);
    xmtp_writer_u8(&b.w, 0);
    assert_int_equal(xmtp_sender_data_decode(xmtp_writer_bytes(&b.w), &got), XMTP_E_TRAILING);
    bench_close(&b);
}

static void resumption_psks_and_their_proposals_come_back(void **state)
{
    (void)state;
    bench b;
    bench_open(&b);
    const xmtp_proposal proposal = {.type = XMTP_PROPOSAL_PSK,
                                    .u.psk = {.type = XMTP_PSK_RESUMPTION,
                                              .usage = XMTP_PSK_USAGE_BRANCH,
                                              .psk_group_id = xmtp_bytes_of("group", 5),
                                              .psk_epoch = 7,
                                              .psk_nonce = xmtp_bytes_of("nonce", 5)}};
    xmtp_proposal got;
    xmtp_proposal_encode(&b.w, &proposal);
    xmtp_reader r = xmtp_reader_of(xmtp_writer_bytes(&b.w));
    assert_int_equal(xmtp_proposal_decode(&r, &got), XMTP_OK);
    assert_int_equal(got.u.psk.psk_epoch, 7);
    assert_int_equal(got.u.psk.raw.n, got.raw.n - 2);
    xmtp_proposal_encode(&b.w2, &got);
    assert_same(&b);
    bench_close(&b);
}

static void write_leaf(xmtp_writer *w)
{
    const xmtp_leaf_node leaf = {.encryption_key = xmtp_bytes_of("key", 3),
                                 .source = XMTP_LEAF_NODE_UPDATE,
                                 .signature = xmtp_bytes_of("sig", 3)};
    xmtp_leaf_node_encode(w, &leaf);
}

/* A commit with an Add, an Update, a Remove by value and one proposal by reference. */
static void write_commit(xmtp_writer *w)
{
    xmtp_writer leaf;
    xmtp_writer_init(&leaf, vectors_alloc(), XMTP_WRITER_MAX);
    write_leaf(&leaf);
    const xmtp_key_package package = {.version = 1,
                                      .cipher_suite = 3,
                                      .init_key = xmtp_bytes_of("init", 4),
                                      .leaf_node.raw = xmtp_writer_bytes(&leaf)};
    size_t mark = xmtp_writer_vec_open(w);
    xmtp_writer_u8(w, XMTP_BY_VALUE);
    xmtp_writer_u16(w, XMTP_PROPOSAL_ADD);
    xmtp_key_package_encode(w, &package);
    xmtp_writer_u8(w, XMTP_BY_VALUE);
    xmtp_writer_u16(w, XMTP_PROPOSAL_UPDATE);
    write_leaf(w);
    xmtp_writer_u8(w, XMTP_BY_VALUE);
    xmtp_writer_u16(w, XMTP_PROPOSAL_REMOVE);
    xmtp_writer_u32(w, 9);
    xmtp_writer_u8(w, XMTP_BY_REFERENCE);
    xmtp_writer_vec(w, xmtp_bytes_of("reference", 9));
    xmtp_writer_vec_close(w, mark);
    xmtp_writer_u8(w, 0);
    xmtp_writer_free(&leaf);
}

static void authenticated_content_comes_back(void **state)
{
    (void)state;
    bench b;
    bench_open(&b);
    xmtp_writer commit;
    xmtp_writer_init(&commit, vectors_alloc(), XMTP_WRITER_MAX);
    write_commit(&commit);
    static xmtp_authenticated_content content;
    static xmtp_authenticated_content got;
    content = (xmtp_authenticated_content){
        .wire_format = XMTP_WIRE_PRIVATE_MESSAGE,
        .content = {.group_id = xmtp_bytes_of("group", 5),
                    .epoch = 3,
                    .sender = {.type = XMTP_SENDER_MEMBER, .index = 2},
                    .content = {.type = XMTP_CONTENT_COMMIT, .raw = xmtp_writer_bytes(&commit)}},
        .auth = {.signature = xmtp_bytes_of("sig", 3), .confirmation_tag = xmtp_bytes_of("tag", 3)},
    };
    xmtp_authenticated_content_encode(&b.w, &content);
    xmtp_reader r = xmtp_reader_of(xmtp_writer_bytes(&b.w));
    assert_int_equal(xmtp_authenticated_content_decode(&r, &b.arena, &got), XMTP_OK);
    assert_int_equal(xmtp_reader_end(&r), XMTP_OK);
    const xmtp_commit *parsed = &got.content.content.commit;
    assert_int_equal(parsed->proposal_count, 4);
    assert_int_equal(parsed->proposals[2].proposal.u.remove, 9);
    assert_int_equal(parsed->proposals[3].kind, XMTP_BY_REFERENCE);
    xmtp_authenticated_content_encode(&b.w2, &got);
    assert_same(&b);

    xmtp_writer_clear(&b.w2); /* from fields, not from raw */
    xmtp_commit_encode(&b.w2, parsed);
    vectors_assert_equal(xmtp_writer_bytes(&b.w2), xmtp_writer_bytes(&commit), "commit");
    xmtp_writer_free(&commit);
    bench_close(&b);
}

static void private_content_is_padded_with_zeros(void **state)
{
    (void)state;
    bench b;
    bench_open(&b);
    static xmtp_mls_content content;
    static xmtp_mls_content got;
    xmtp_content_auth got_auth;
    const xmtp_content_auth auth = {.signature = xmtp_bytes_of("sig", 3)};
    content = (xmtp_mls_content){.type = XMTP_CONTENT_APPLICATION, .raw = xmtp_bytes_of("\2hi", 3)};
    xmtp_private_content_encode(&b.w, &content, &auth, 5);
    assert_int_equal(b.w.n, 3 + 4 + 5);
    assert_int_equal(xmtp_private_content_decode(xmtp_writer_bytes(&b.w), XMTP_CONTENT_APPLICATION,
                                                 &b.arena, &got, &got_auth),
                     XMTP_OK);
    assert_true(xmtp_bytes_equal(got.application_data, xmtp_bytes_of("hi", 2)));
    assert_true(xmtp_bytes_equal(got_auth.signature, auth.signature));
    bench_close(&b);
}

static void a_welcome_is_searched_by_reference(void **state)
{
    (void)state;
    bench b;
    bench_open(&b);
    xmtp_encrypted_group_secrets found;
    for (uint8_t i = 0; i < 3; i++) {
        const xmtp_encrypted_group_secrets secrets = {
            .new_member = xmtp_bytes_of(&"abc"[i], 1),
            .encrypted_group_secrets = {.kem_output = xmtp_bytes_of("enc", 3),
                                        .ciphertext = xmtp_bytes_of(&"xyz"[i], 1)}};
        xmtp_encrypted_group_secrets_encode(&b.w, &secrets);
    }
    const xmtp_welcome welcome = {.cipher_suite = 3, .secrets = xmtp_writer_bytes(&b.w)};
    assert_int_equal(xmtp_welcome_find(&welcome, xmtp_bytes_of("b", 1), &found), XMTP_OK);
    assert_int_equal(found.encrypted_group_secrets.ciphertext.p[0], 'y');
    assert_int_equal(xmtp_welcome_find(&welcome, xmtp_bytes_of("d", 1), &found), XMTP_E_NOT_FOR_US);
    bench_close(&b);
}

static void external_senders_are_found_by_position(void **state)
{
    (void)state;
    bench b;
    bench_open(&b);
    xmtp_external_sender sender;
    size_t mark = xmtp_writer_vec_open(&b.w);
    for (uint8_t i = 0; i < 2; i++) {
        const xmtp_credential credential = {.type = 1, .content = xmtp_bytes_of(&"xy"[i], 1)};
        xmtp_writer_vec(&b.w, xmtp_bytes_of(&"kl"[i], 1));
        xmtp_credential_encode(&b.w, &credential);
    }
    xmtp_writer_vec_close(&b.w, mark);
    const xmtp_bytes data = xmtp_writer_bytes(&b.w);
    assert_int_equal(xmtp_external_sender_at(data, 1, &sender), XMTP_OK);
    assert_int_equal(sender.signature_key.p[0], 'l');
    assert_int_equal(sender.credential.content.p[0], 'y');
    assert_int_equal(xmtp_external_sender_at(data, 2, &sender), XMTP_E_NOT_FOUND);
    assert_int_equal(xmtp_external_sender_at(xmtp_bytes_of(data.p, data.n - 1), 1, &sender),
                     XMTP_E_TRUNCATED);
    bench_close(&b);
}

static void required_capabilities_come_back(void **state)
{
    (void)state;
    bench b;
    bench_open(&b);
    static const uint8_t types[] = {0xff, 1, 0, 7};
    const xmtp_required_capabilities required = {.extensions.raw = xmtp_bytes_of(types, 4),
                                                 .proposals.raw = xmtp_bytes_of(types + 2, 2)};
    xmtp_required_capabilities got;
    xmtp_required_capabilities_encode(&b.w, &required);
    assert_int_equal(xmtp_required_capabilities_decode(xmtp_writer_bytes(&b.w), &got), XMTP_OK);
    assert_int_equal(xmtp_u16_list_at(got.extensions, 0), 0xff01);
    assert_int_equal(xmtp_u16_list_count(got.credentials), 0);
    xmtp_required_capabilities_encode(&b.w2, &got);
    assert_same(&b);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sender_data_is_twelve_bytes),
        cmocka_unit_test(resumption_psks_and_their_proposals_come_back),
        cmocka_unit_test(authenticated_content_comes_back),
        cmocka_unit_test(private_content_is_padded_with_zeros),
        cmocka_unit_test(a_welcome_is_searched_by_reference),
        cmocka_unit_test(external_senders_are_found_by_position),
        cmocka_unit_test(required_capabilities_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
