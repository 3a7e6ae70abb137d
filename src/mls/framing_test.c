/* framing_test.c - message-protection.json of the working group: each message opens, and what we
 * protect opens too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/framing.h"
#include "mls/test_vectors.h"

/* The sender of all vectors is leaf 1 of a tree of two. */
enum { SENDER = 1, LEAVES = 2 };

typedef struct fixture {
    const xmtp_suite *suite;
    const cJSON *one;
    xmtp_writer context;
    xmtp_framing_scratch scratch;
    xmtp_arena arena;
    xmtp_secret_tree tree;
    xmtp_secret sender_data_secret;
    xmtp_secret membership_key;
    xmtp_bytes group_id;
    xmtp_bytes signature_pub;
    uint64_t epoch;
} fixture;

static void fixture_open(fixture *f, const xmtp_suite *suite, const cJSON *one)
{
    *f = (fixture){.suite = suite, .one = one};
    xmtp_writer_init(&f->context, vectors_alloc(), XMTP_WRITER_MAX);
    xmtp_framing_scratch_init(&f->scratch, vectors_alloc());
    xmtp_arena_init(&f->arena, vectors_alloc(), 1 << 20);
    f->group_id = vectors_bytes(one, "group_id");
    f->epoch = vectors_u64(one, "epoch");
    f->signature_pub = vectors_bytes(one, "signature_pub");
    f->sender_data_secret = vectors_secret(one, "sender_data_secret");
    f->membership_key = vectors_secret(one, "membership_key");
    xmtp_group_context context = {.version = XMTP_PROTOCOL_MLS10,
                                  .cipher_suite = suite->id,
                                  .group_id = f->group_id,
                                  .epoch = f->epoch,
                                  .tree_hash = vectors_bytes(one, "tree_hash"),
                                  .confirmed_transcript_hash =
                                      vectors_bytes(one, "confirmed_transcript_hash")};
    xmtp_group_context_encode(&f->context, &context);
    xmtp_secret secret = vectors_secret(one, "encryption_secret");
    assert_int_equal(xmtp_secret_tree_init(&f->tree, suite, vectors_alloc(), LEAVES, &secret),
                     XMTP_OK);
}

static void fixture_close(fixture *f)
{
    xmtp_writer_free(&f->context);
    xmtp_framing_scratch_free(&f->scratch);
    xmtp_arena_reset(&f->arena);
    xmtp_secret_tree_free(&f->tree);
}

static xmtp_bytes content_bytes(const xmtp_mls_content *content)
{
    return content->type == XMTP_CONTENT_APPLICATION ? content->application_data : content->raw;
}

static xmtp_ratchet_kind kind_of(uint8_t content_type)
{
    return content_type == XMTP_CONTENT_APPLICATION ? XMTP_RATCHET_APPLICATION
                                                    : XMTP_RATCHET_HANDSHAKE;
}

static void check_public(fixture *f, const char *name, xmtp_bytes content)
{
    xmtp_mls_message *message;
    uint8_t tag[XMTP_HASH_MAX];
    assert_int_equal(xmtp_arena_take(&f->arena, sizeof *message, (void **)&message), XMTP_OK);
    assert_int_equal(xmtp_mls_message_decode(vectors_bytes(f->one, name), &f->arena, message),
                     XMTP_OK);
    assert_int_equal(message->wire_format, XMTP_WIRE_PUBLIC_MESSAGE);
    xmtp_public_message *public_message = &message->u.public_message;
    xmtp_authenticated_content *authenticated;
    assert_int_equal(xmtp_arena_take(&f->arena, sizeof *authenticated, (void **)&authenticated),
                     XMTP_OK);
    *authenticated = (xmtp_authenticated_content){.wire_format = message->wire_format,
                                                  .content = public_message->content,
                                                  .auth = public_message->auth};
    assert_int_equal(xmtp_framing_verify(f->suite, f->signature_pub, authenticated,
                                         xmtp_writer_bytes(&f->context), &f->scratch),
                     XMTP_OK);
    assert_int_equal(xmtp_membership_tag(f->suite, &f->membership_key, authenticated,
                                         xmtp_writer_bytes(&f->context), &f->scratch, tag),
                     XMTP_OK);
    vectors_assert_equal(xmtp_bytes_of(tag, f->suite->hash->len), public_message->membership_tag,
                         "membership tag");
    vectors_assert_equal(content_bytes(&public_message->content.content), content, name);
}

/* Opens a PrivateMessage with a fresh look at the tree; the tree is left as it was. */
static void check_private(fixture *f, xmtp_bytes bytes, xmtp_bytes want, const char *what)
{
    xmtp_mls_message *message;
    xmtp_authenticated_content *authenticated;
    assert_int_equal(xmtp_arena_take(&f->arena, sizeof *message, (void **)&message), XMTP_OK);
    assert_int_equal(xmtp_arena_take(&f->arena, sizeof *authenticated, (void **)&authenticated),
                     XMTP_OK);
    assert_int_equal(xmtp_mls_message_decode(bytes, &f->arena, message), XMTP_OK);
    assert_int_equal(message->wire_format, XMTP_WIRE_PRIVATE_MESSAGE);
    const xmtp_private_message *private_message = &message->u.private_message;

    xmtp_sender_data data;
    assert_int_equal(xmtp_sender_data_open(f->suite, &f->sender_data_secret, private_message,
                                           &f->scratch, &data),
                     XMTP_OK);
    assert_int_equal(data.leaf_index, SENDER);
    xmtp_message_key key;
    xmtp_secret_tree_change change;
    static const xmtp_ratchet_limits limits = {.tolerance = 5, .forward = 1000};
    assert_int_equal(xmtp_secret_tree_key(&f->tree, data.leaf_index,
                                          kind_of(private_message->content_type), data.generation,
                                          &limits, &key, &change),
                     XMTP_OK);
    xmtp_secret_tree_change_free(&change);
    uint8_t *plaintext;
    size_t n = private_message->ciphertext.n - f->suite->aead->tag_len;
    assert_int_equal(xmtp_arena_take(&f->arena, n, (void **)&plaintext), XMTP_OK);
    assert_int_equal(xmtp_private_message_open(f->suite, private_message, &key, data.reuse_guard,
                                               &f->scratch, plaintext),
                     XMTP_OK);
    *authenticated = (xmtp_authenticated_content){
        .wire_format = message->wire_format,
        .content = {.group_id = private_message->group_id,
                    .epoch = private_message->epoch,
                    .sender = {.type = XMTP_SENDER_MEMBER, .index = data.leaf_index},
                    .authenticated_data = private_message->authenticated_data}};
    assert_int_equal(xmtp_private_content_decode(
                         xmtp_bytes_of(plaintext, n), private_message->content_type, &f->arena,
                         &authenticated->content.content, &authenticated->auth),
                     XMTP_OK);
    assert_int_equal(xmtp_framing_verify(f->suite, f->signature_pub, authenticated,
                                         xmtp_writer_bytes(&f->context), &f->scratch),
                     XMTP_OK);
    vectors_assert_equal(content_bytes(&authenticated->content.content), want, what);
}

/* Protects content ourselves, then opens it. */
static void check_round_trip(fixture *f, uint8_t type, xmtp_bytes content, size_t padding_len)
{
    static const uint8_t guard[4] = {0xde, 0xad, 0xbe, 0xef};
    uint8_t signature[XMTP_SIGNATURE_MAX];
    xmtp_framed_content *framed;
    xmtp_writer raw, out;
    xmtp_writer_init(&raw, vectors_alloc(), XMTP_WRITER_MAX);
    xmtp_writer_init(&out, vectors_alloc(), XMTP_WRITER_MAX);
    if (type == XMTP_CONTENT_APPLICATION) {
        xmtp_writer_vec(&raw, content);
    } else {
        xmtp_writer_put(&raw, content);
    }
    assert_int_equal(xmtp_arena_take(&f->arena, sizeof *framed, (void **)&framed), XMTP_OK);
    *framed = (xmtp_framed_content){.group_id = f->group_id,
                                    .epoch = f->epoch,
                                    .sender = {.type = XMTP_SENDER_MEMBER, .index = SENDER},
                                    .content = {.type = type, .raw = xmtp_writer_bytes(&raw)}};
    xmtp_content_auth auth = {
        .signature = {.p = signature},
        .confirmation_tag = {.p = signature, .n = type == XMTP_CONTENT_COMMIT ? 32 : 0}};
    uint8_t signature_sk[XMTP_SIGNATURE_SK_MAX];
    vectors_private_key(f->one, "signature_priv", f->suite->signature->sk_len, signature_sk);
    assert_int_equal(xmtp_framing_sign(f->suite, signature_sk, f->signature_pub.p,
                                       XMTP_WIRE_PRIVATE_MESSAGE, framed,
                                       xmtp_writer_bytes(&f->context), &f->scratch, signature,
                                       &auth.signature.n),
                     XMTP_OK);
    xmtp_message_key key;
    xmtp_secret_tree_change change;
    assert_int_equal(xmtp_secret_tree_next_key(&f->tree, SENDER, kind_of(type), &key, &change),
                     XMTP_OK);
    xmtp_secret_tree_change_free(&change);
    assert_int_equal(xmtp_private_message_seal(f->suite, framed, &auth, padding_len, &key, guard,
                                               &f->sender_data_secret, &f->scratch, &out),
                     XMTP_OK);
    check_private(f, xmtp_writer_bytes(&out), content, "round trip");
    xmtp_writer_free(&raw);
    xmtp_writer_free(&out);
}

static void check_case(const xmtp_suite *suite, const cJSON *one)
{
    static const struct {
        const char *content;
        const char *public_name;
        const char *private_name;
        uint8_t type;
    } table[] = {
        {"proposal", "proposal_pub", "proposal_priv", XMTP_CONTENT_PROPOSAL},
        {"commit", "commit_pub", "commit_priv", XMTP_CONTENT_COMMIT},
        {"application", NULL, "application_priv", XMTP_CONTENT_APPLICATION},
    };
    fixture f;
    fixture_open(&f, suite, one);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        xmtp_bytes content = vectors_bytes(one, table[i].content);
        if (table[i].public_name != NULL) {
            check_public(&f, table[i].public_name, content);
        }
        check_private(&f, vectors_bytes(one, table[i].private_name), content,
                      table[i].private_name);
        check_round_trip(&f, table[i].type, content, 0);
        check_round_trip(&f, table[i].type, content, 100);
    }
    fixture_close(&f);
}

static void message_protection_vectors_pass(void **state)
{
    (void)state;
    cJSON *json = vectors_open("mls/message-protection.json");
    size_t cases = 0;
    const cJSON *one;
    cJSON_ArrayForEach(one, json)
    {
        const xmtp_suite *suite = vectors_suite(one);
        if (suite != NULL) {
            check_case(suite, one);
            cases++;
        }
    }
    cJSON_Delete(json);
    print_message("message-protection: %zu passed\n", cases);
    assert_int_equal(cases, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message_protection_vectors_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
