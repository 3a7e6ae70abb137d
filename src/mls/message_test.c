/* message_test.c - every struct of the wire: messages.json and deserialization.json forth and back,
 * then the same bytes cut, flipped and extended. */
#include "base/bytes.h"
#include "mls/message.h"

#include <setjmp.h>
#include <stdarg.h>
// cmocka wants the headers above first
#include <cmocka.h>

#include "mls/test_vectors.h"

/* ---- one function per field of messages.json: decode all of in, encode it into w ---- */

typedef xmtp_status round_trip(xmtp_reader *r, xmtp_arena *arena, xmtp_writer *w);

static xmtp_status trip_message(xmtp_reader *r, xmtp_arena *arena, xmtp_writer *w)
{
    static xmtp_mls_message message;
    xmtp_status status = xmtp_mls_message_decode(xmtp_bytes_of(r->p, r->n), arena, &message);
    if (status == XMTP_OK) {
        r->n = 0;
        xmtp_mls_message_encode(w, &message);
    }
    return status;
}

static xmtp_status trip_group_secrets(xmtp_reader *r, xmtp_arena *arena, xmtp_writer *w)
{
    xmtp_group_secrets secrets;
    xmtp_status status = xmtp_group_secrets_decode(r, arena, &secrets);
    if (status == XMTP_OK) {
        xmtp_group_secrets_encode(w, &secrets);
    }
    return status;
}

static xmtp_status trip_body(xmtp_reader *r, xmtp_writer *w, uint16_t type)
{
    xmtp_proposal proposal;
    xmtp_status status = xmtp_proposal_body_decode(r, type, &proposal);
    if (status == XMTP_OK) {
        xmtp_proposal_body_encode(w, &proposal);
    }
    return status;
}

static xmtp_status trip_add(xmtp_reader *r, xmtp_arena *arena, xmtp_writer *w)
{
    (void)arena;
    xmtp_key_package key_package;
    xmtp_status status = xmtp_key_package_decode(r, &key_package);
    if (status == XMTP_OK) {
        xmtp_writer tmp;
        xmtp_writer_init(&tmp, vectors_alloc(), XMTP_WRITER_MAX);
        xmtp_leaf_node_encode(&tmp, &key_package.leaf_node); /* from fields, not from raw */
        assert_true(xmtp_bytes_equal(xmtp_writer_bytes(&tmp), key_package.leaf_node.raw));
        xmtp_writer_free(&tmp);
        xmtp_key_package_encode(w, &key_package);
    }
    return status;
}

static xmtp_status trip_update(xmtp_reader *r, xmtp_arena *arena, xmtp_writer *w)
{
    (void)arena;
    xmtp_leaf_node leaf;
    xmtp_status status = xmtp_leaf_node_decode(r, &leaf);
    if (status == XMTP_OK) {
        xmtp_leaf_node_encode(w, &leaf);
    }
    return status;
}

static xmtp_status trip_remove(xmtp_reader *r, xmtp_arena *arena, xmtp_writer *w)
{
    (void)arena;
    return trip_body(r, w, XMTP_PROPOSAL_REMOVE);
}

static xmtp_status trip_psk(xmtp_reader *r, xmtp_arena *arena, xmtp_writer *w)
{
    (void)arena;
    return trip_body(r, w, XMTP_PROPOSAL_PSK);
}

static xmtp_status trip_reinit(xmtp_reader *r, xmtp_arena *arena, xmtp_writer *w)
{
    (void)arena;
    return trip_body(r, w, XMTP_PROPOSAL_REINIT);
}

static xmtp_status trip_external_init(xmtp_reader *r, xmtp_arena *arena, xmtp_writer *w)
{
    (void)arena;
    return trip_body(r, w, XMTP_PROPOSAL_EXTERNAL_INIT);
}

static xmtp_status trip_extensions(xmtp_reader *r, xmtp_arena *arena, xmtp_writer *w)
{
    (void)arena;
    return trip_body(r, w, XMTP_PROPOSAL_GROUP_CONTEXT_EXTENSIONS);
}

static xmtp_status trip_commit(xmtp_reader *r, xmtp_arena *arena, xmtp_writer *w)
{
    static xmtp_commit commit;
    xmtp_status status = xmtp_commit_decode(r, arena, &commit);
    if (status == XMTP_OK) {
        xmtp_commit_encode(w, &commit);
    }
    return status;
}

static const struct {
    const char *field;
    round_trip *trip;
} FIELDS[] = {
    {"mls_welcome", trip_message},
    {"mls_group_info", trip_message},
    {"mls_key_package", trip_message},
    {"group_secrets", trip_group_secrets},
    {"add_proposal", trip_add},
    {"update_proposal", trip_update},
    {"remove_proposal", trip_remove},
    {"pre_shared_key_proposal", trip_psk},
    {"re_init_proposal", trip_reinit},
    {"external_init_proposal", trip_external_init},
    {"group_context_extensions_proposal", trip_extensions},
    {"commit", trip_commit},
    {"public_message_application", trip_message},
    {"public_message_proposal", trip_message},
    {"public_message_commit", trip_message},
    {"private_message", trip_message},
};
enum { FIELD_COUNT = sizeof FIELDS / sizeof FIELDS[0] };

typedef struct bench {
    xmtp_arena arena;
    xmtp_writer w;
} bench;

static void bench_open(bench *b)
{
    xmtp_arena_init(&b->arena, vectors_alloc(), 1 << 24);
    xmtp_writer_init(&b->w, vectors_alloc(), XMTP_WRITER_MAX);
}

static void bench_close(bench *b)
{
    xmtp_arena_reset(&b->arena);
    xmtp_writer_free(&b->w);
}

/* Decodes exactly in; when that works the encoding must be in again. */
static xmtp_status trip_exactly(bench *b, round_trip *trip, xmtp_bytes in)
{
    xmtp_writer_clear(&b->w);
    xmtp_reader r = xmtp_reader_of(in);
    xmtp_status status = trip(&r, &b->arena, &b->w);
    if (status == XMTP_OK) {
        status = xmtp_reader_end(&r);
    }
    if (status == XMTP_OK) {
        vectors_assert_equal(xmtp_writer_bytes(&b->w), in, "re-encoding");
    }
    xmtp_arena_reset(&b->arena);
    return status;
}

static void all_messages_survive_decoding_and_encoding(void **state)
{
    (void)state;
    cJSON *file = vectors_open("mls/messages.json");
    const cJSON *v;
    bench b;
    bench_open(&b);
    cJSON_ArrayForEach(v, file)
    {
        for (size_t i = 0; i < FIELD_COUNT; i++) {
            xmtp_status status =
                trip_exactly(&b, FIELDS[i].trip, vectors_bytes(v, FIELDS[i].field));
            if (status != XMTP_OK) {
                fail_msg("%s: %s", FIELDS[i].field, xmtp_status_name(status));
            }
        }
    }
    print_message("messages: %d cases of %d objects passed\n", cJSON_GetArraySize(file),
                  FIELD_COUNT);
    bench_close(&b);
    cJSON_Delete(file);
}

/* Every struct ends with a whole field, so each shorter or longer form is an error. */
static void cut_or_extended(bench *b, round_trip *trip, xmtp_bytes in)
{
    uint8_t *copy = malloc(in.n + 1);
    assert_non_null(copy);
    memcpy(copy, in.p, in.n);
    copy[in.n] = 0;
    assert_int_not_equal(trip_exactly(b, trip, xmtp_bytes_of(copy, in.n + 1)), XMTP_OK);
    free(copy);
    for (size_t n = 0; n < in.n; n += n < 200 ? 1 : 37) {
        copy = malloc(n + 1); /* its own block, so that reading past the cut is seen */
        assert_non_null(copy);
        memcpy(copy, in.p, n);
        assert_int_not_equal(trip_exactly(b, trip, xmtp_bytes_of(copy, n)), XMTP_OK);
        free(copy);
    }
}

/* A flipped bit either gives an error or another valid struct, which encodes to what came. */
static void flipped(bench *b, round_trip *trip, xmtp_bytes in)
{
    uint8_t *copy = malloc(in.n + 1);
    assert_non_null(copy);
    memcpy(copy, in.p, in.n);
    for (size_t i = 0; i < in.n; i += i < 200 ? 1 : 29) {
        for (int bit = 0; bit < 8; bit++) {
            copy[i] ^= (uint8_t)(1 << bit);
            (void)trip_exactly(b, trip, xmtp_bytes_of(copy, in.n));
            copy[i] ^= (uint8_t)(1 << bit);
        }
    }
    free(copy);
}

static void cut_flipped_and_extended_messages_are_clean_errors(void **state)
{
    (void)state;
    cJSON *file = vectors_open("mls/messages.json");
    bench b;
    bench_open(&b);
    for (int c = 0; c < 3; c++) {
        const cJSON *v = cJSON_GetArrayItem(file, c * 50);
        for (size_t i = 0; i < FIELD_COUNT; i++) {
            cut_or_extended(&b, FIELDS[i].trip, vectors_bytes(v, FIELDS[i].field));
            flipped(&b, FIELDS[i].trip, vectors_bytes(v, FIELDS[i].field));
        }
    }
    bench_close(&b);
    cJSON_Delete(file);
}

static void vector_lengths_agree(void **state)
{
    (void)state;
    cJSON *file = vectors_open("mls/deserialization.json");
    const cJSON *v;
    cJSON_ArrayForEach(v, file)
    {
        xmtp_bytes header = vectors_bytes(v, "vlbytes_header");
        xmtp_reader r = xmtp_reader_of(header);
        uint32_t n;
        assert_int_equal(xmtp_reader_varint(&r, &n), XMTP_OK);
        assert_int_equal(n, vectors_u32(v, "length"));
        assert_int_equal(r.n, 0);
        xmtp_writer w;
        xmtp_writer_init(&w, vectors_alloc(), 16);
        xmtp_writer_varint(&w, n);
        assert_true(xmtp_bytes_equal(xmtp_writer_bytes(&w), header));
        xmtp_writer_free(&w);
    }
    print_message("deserialization: %d passed\n", cJSON_GetArraySize(file));
    cJSON_Delete(file);
}

static xmtp_status decode_extensions(const uint8_t *p, size_t n, xmtp_extensions *out)
{
    xmtp_reader r = xmtp_reader_of(xmtp_bytes_of(p, n));
    return xmtp_extensions_decode(&r, out);
}

static void an_extension_type_appears_once(void **state)
{
    (void)state;
    xmtp_extensions list;
    static const uint8_t twice[] = {6, 0, 10, 0, 0, 10, 0};
    static const uint8_t both[] = {7, 0, 10, 0, 0, 11, 1, 9};
    xmtp_bytes data;
    assert_int_equal(decode_extensions(twice, sizeof twice, &list), XMTP_E_EXTENSION_TWICE);
    assert_int_equal(decode_extensions(both, sizeof both, &list), XMTP_OK);
    assert_int_equal(list.count, 2);
    assert_true(xmtp_extensions_find(&list, 11, &data));
    assert_int_equal(data.n, 1);
    assert_false(xmtp_extensions_find(&list, 12, &data));
}

static void extensions_of_one_list_are_limited(void **state)
{
    (void)state;
    xmtp_writer w;
    xmtp_writer_init(&w, vectors_alloc(), XMTP_WRITER_MAX);
    for (uint16_t i = 0; i < XMTP_MLS_EXTENSIONS_MAX; i++) {
        xmtp_extension_encode(&w, i, (xmtp_bytes){0});
    }
    xmtp_extensions list;
    assert_int_equal(xmtp_extensions_of(xmtp_writer_bytes(&w), &list), XMTP_OK);
    xmtp_extension_encode(&w, 0xf000, (xmtp_bytes){0});
    assert_int_equal(xmtp_extensions_of(xmtp_writer_bytes(&w), &list), XMTP_E_LIMIT);
    xmtp_writer_free(&w);
}

static void lists_of_numbers_have_whole_numbers(void **state)
{
    (void)state;
    static const uint8_t odd[] = {3, 0, 1, 0};
    static const uint8_t even[] = {4, 0, 1, 0xf0, 0};
    xmtp_u16_list list;
    xmtp_reader r = xmtp_reader_of(xmtp_bytes_of(odd, sizeof odd));
    assert_int_equal(xmtp_u16_list_decode(&r, &list), XMTP_E_MALFORMED);
    r = xmtp_reader_of(xmtp_bytes_of(even, sizeof even));
    assert_int_equal(xmtp_u16_list_decode(&r, &list), XMTP_OK);
    assert_true(xmtp_u16_list_has(list, 0xf000));
    assert_false(xmtp_u16_list_has(list, 0x01f0));
}

static void lists_of_numbers_are_limited(void **state)
{
    (void)state;
    static uint8_t numbers[2 * (XMTP_MLS_CAPABILITIES_MAX + 1)];
    for (size_t extra = 0; extra < 2; extra++) {
        xmtp_writer w;
        xmtp_u16_list list;
        xmtp_writer_init(&w, vectors_alloc(), XMTP_WRITER_MAX);
        xmtp_writer_vec(&w, xmtp_bytes_of(numbers, sizeof numbers - 2 + 2 * extra));
        xmtp_reader r = xmtp_reader_of(xmtp_writer_bytes(&w));
        assert_int_equal(xmtp_u16_list_decode(&r, &list), extra == 0 ? XMTP_OK : XMTP_E_LIMIT);
        xmtp_writer_free(&w);
    }
}

static void update_paths_are_no_longer_than_the_deepest_tree(void **state)
{
    (void)state;
    const xmtp_leaf_node leaf = {.source = XMTP_LEAF_NODE_UPDATE};
    for (size_t extra = 0; extra < 2; extra++) {
        static xmtp_update_path got;
        xmtp_writer w;
        xmtp_writer_init(&w, vectors_alloc(), XMTP_WRITER_MAX);
        xmtp_leaf_node_encode(&w, &leaf);
        size_t mark = xmtp_writer_vec_open(&w);
        for (size_t i = 0; i < XMTP_MLS_PATH_MAX + extra; i++) {
            xmtp_writer_u16(&w, 0); /* no key, no ciphertexts */
        }
        xmtp_writer_vec_close(&w, mark);
        xmtp_reader r = xmtp_reader_of(xmtp_writer_bytes(&w));
        assert_int_equal(xmtp_update_path_decode(&r, &got), extra == 0 ? XMTP_OK : XMTP_E_LIMIT);
        xmtp_writer_free(&w);
    }
}

static void a_leaf_node_is_no_longer_than_its_limit(void **state)
{
    (void)state;
    static uint8_t long_key[XMTP_MLS_LEAF_NODE_LEN_MAX];
    const xmtp_leaf_node leaf = {.encryption_key = xmtp_bytes_of(long_key, sizeof long_key),
                                 .source = XMTP_LEAF_NODE_UPDATE};
    xmtp_leaf_node got;
    xmtp_writer w;
    xmtp_writer_init(&w, vectors_alloc(), XMTP_WRITER_MAX);
    xmtp_leaf_node_encode(&w, &leaf);
    assert_int_equal(xmtp_leaf_node_of(xmtp_writer_bytes(&w), &got), XMTP_E_LIMIT);
    xmtp_writer_free(&w);
}

static void bad_tags_of_leaves_and_psks_are_refused(void **state)
{
    (void)state;
    xmtp_writer w;
    xmtp_leaf_node got;
    xmtp_psk_id psk;
    static const uint8_t psk_type[] = {3, 0, 0};
    static const uint8_t psk_usage[] = {2, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    xmtp_writer_init(&w, vectors_alloc(), XMTP_WRITER_MAX);
    for (uint8_t source = 0; source < 6; source++) {
        const xmtp_leaf_node leaf = {.source = source};
        xmtp_writer_clear(&w);
        xmtp_leaf_node_encode(&w, &leaf);
        assert_int_equal(xmtp_leaf_node_of(xmtp_writer_bytes(&w), &got),
                         source >= 1 && source <= 3 ? XMTP_OK : XMTP_E_LEAF_NODE);
    }
    xmtp_reader r = xmtp_reader_of(xmtp_bytes_of(psk_type, sizeof psk_type));
    assert_int_equal(xmtp_psk_id_decode(&r, &psk), XMTP_E_PSK_USAGE);
    r = xmtp_reader_of(xmtp_bytes_of(psk_usage, sizeof psk_usage));
    assert_int_equal(xmtp_psk_id_decode(&r, &psk), XMTP_E_PSK_USAGE);
    xmtp_writer_free(&w);
}

static void unknown_proposals_are_carried_as_they_came(void **state)
{
    (void)state;
    static const uint8_t custom[] = {0xfa, 0xce, 3, 1, 2, 3};
    xmtp_proposal proposal;
    xmtp_reader r = xmtp_reader_of(xmtp_bytes_of(custom, sizeof custom));
    assert_int_equal(xmtp_proposal_decode(&r, &proposal), XMTP_OK);
    assert_int_equal(proposal.type, 0xface);
    assert_false(xmtp_proposal_type_is_known(proposal.type));
    xmtp_writer w;
    xmtp_writer_init(&w, vectors_alloc(), 64);
    xmtp_proposal_encode(&w, &proposal);
    assert_true(xmtp_bytes_equal(xmtp_writer_bytes(&w), xmtp_bytes_of(custom, sizeof custom)));
    xmtp_writer_free(&w);
}

static xmtp_status decode_message(const uint8_t *p, size_t n)
{
    static xmtp_mls_message message;
    xmtp_arena arena;
    xmtp_arena_init(&arena, vectors_alloc(), 1 << 20);
    xmtp_status status = xmtp_mls_message_decode(xmtp_bytes_of(p, n), &arena, &message);
    xmtp_arena_reset(&arena);
    return status;
}

static void each_bad_tag_has_its_own_refusal(void **state)
{
    (void)state;
    static const uint8_t version[] = {0, 2, 0, 2};
    static const uint8_t wire_format[] = {0, 1, 0, 6};
    static const uint8_t sender[] = {0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5};
    static const uint8_t content_type[] = {0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0};
    assert_int_equal(decode_message(version, sizeof version), XMTP_E_VERSION);
    assert_int_equal(decode_message(wire_format, sizeof wire_format), XMTP_E_WIRE_FORMAT);
    assert_int_equal(decode_message(sender, sizeof sender), XMTP_E_SENDER_TYPE);
    assert_int_equal(decode_message(content_type, sizeof content_type), XMTP_E_MALFORMED);
}

static void padding_must_be_zero(void **state)
{
    (void)state;
    uint8_t plaintext[] = {2, 'h', 'i', 1, 0x55, 0, 0, 0};
    xmtp_mls_content content;
    xmtp_content_auth auth;
    xmtp_arena arena;
    xmtp_arena_init(&arena, vectors_alloc(), 1 << 16);
    xmtp_bytes in = xmtp_bytes_of(plaintext, sizeof plaintext);
    assert_int_equal(
        xmtp_private_content_decode(in, XMTP_CONTENT_APPLICATION, &arena, &content, &auth),
        XMTP_OK);
    assert_int_equal(content.application_data.n, 2);
    plaintext[6] = 1;
    assert_int_equal(
        xmtp_private_content_decode(in, XMTP_CONTENT_APPLICATION, &arena, &content, &auth),
        XMTP_E_MALFORMED);
    xmtp_arena_reset(&arena);
}

static void a_commit_that_wants_more_than_the_arena_is_over_the_limit(void **state)
{
    (void)state;
    xmtp_writer w;
    xmtp_writer_init(&w, vectors_alloc(), XMTP_WRITER_MAX);
    size_t mark = xmtp_writer_vec_open(&w);
    for (int i = 0; i < 1000; i++) {
        xmtp_writer_u8(&w, XMTP_BY_REFERENCE);
        xmtp_writer_vec(&w, (xmtp_bytes){0});
    }
    xmtp_writer_vec_close(&w, mark);
    xmtp_writer_u8(&w, 0);
    static xmtp_commit commit;
    xmtp_arena arena;
    xmtp_arena_init(&arena, vectors_alloc(), 4096);
    xmtp_reader r = xmtp_reader_of(xmtp_writer_bytes(&w));
    assert_int_equal(xmtp_commit_decode(&r, &arena, &commit), XMTP_E_LIMIT);
    xmtp_arena_reset(&arena);
    xmtp_writer_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_messages_survive_decoding_and_encoding),
        cmocka_unit_test(cut_flipped_and_extended_messages_are_clean_errors),
        cmocka_unit_test(vector_lengths_agree),
        cmocka_unit_test(an_extension_type_appears_once),
        cmocka_unit_test(extensions_of_one_list_are_limited),
        cmocka_unit_test(lists_of_numbers_have_whole_numbers),
        cmocka_unit_test(lists_of_numbers_are_limited),
        cmocka_unit_test(update_paths_are_no_longer_than_the_deepest_tree),
        cmocka_unit_test(a_leaf_node_is_no_longer_than_its_limit),
        cmocka_unit_test(bad_tags_of_leaves_and_psks_are_refused),
        cmocka_unit_test(unknown_proposals_are_carried_as_they_came),
        cmocka_unit_test(each_bad_tag_has_its_own_refusal),
        cmocka_unit_test(padding_must_be_zero),
        cmocka_unit_test(a_commit_that_wants_more_than_the_arena_is_over_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
