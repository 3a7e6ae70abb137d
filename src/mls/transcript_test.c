/* transcript_test.c - transcript-hashes.json of the working group, and signatures of any length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/key_schedule.h"
#include "mls/test_vectors.h"
#include "mls/transcript.h"

static void check_case(const xmtp_suite *suite, const cJSON *one)
{
    uint8_t confirmed[XMTP_HASH_MAX], interim[XMTP_HASH_MAX], tag[XMTP_HASH_MAX];
    xmtp_authenticated_content commit;
    xmtp_arena arena;
    xmtp_arena_init(&arena, vectors_alloc(), 1 << 20);
    xmtp_reader r = xmtp_reader_of(vectors_bytes(one, "authenticated_content"));
    assert_int_equal(xmtp_authenticated_content_decode(&r, &arena, &commit), XMTP_OK);
    assert_int_equal(xmtp_reader_end(&r), XMTP_OK);

    assert_int_equal(
        xmtp_confirmed_transcript_hash(suite, vectors_bytes(one, "interim_transcript_hash_before"),
                                       &commit, confirmed),
        XMTP_OK);
    vectors_assert_equal(xmtp_bytes_of(confirmed, suite->hash->len),
                         vectors_bytes(one, "confirmed_transcript_hash_after"), "confirmed");

    xmtp_secret confirmation_key = vectors_secret(one, "confirmation_key");
    xmtp_confirmation_tag(suite, &confirmation_key, xmtp_bytes_of(confirmed, suite->hash->len),
                          tag);
    vectors_assert_equal(xmtp_bytes_of(tag, suite->hash->len), commit.auth.confirmation_tag,
                         "confirmation tag");

    assert_int_equal(xmtp_interim_transcript_hash(suite, xmtp_bytes_of(confirmed, suite->hash->len),
                                                  commit.auth.confirmation_tag, interim),
                     XMTP_OK);
    vectors_assert_equal(xmtp_bytes_of(interim, suite->hash->len),
                         vectors_bytes(one, "interim_transcript_hash_after"), "interim");
    xmtp_arena_reset(&arena);
}

static void transcript_vectors_pass(void **state)
{
    (void)state;
    cJSON *json = vectors_open("mls/transcript-hashes.json");
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
    print_message("transcript-hashes: %zu passed\n", cases);
    assert_int_equal(cases, 7);
}

static void long_signatures_enter_the_transcript(void **state)
{
    (void)state;
    static uint8_t bytes[20000];
    uint8_t one[32], two[32];
    const xmtp_suite *suite = &xmtp_suite_x25519_chacha;
    xmtp_authenticated_content c = {.content.raw = xmtp_bytes_of("x", 1),
                                    .auth.signature = xmtp_bytes_of(bytes, 100)};
    assert_int_equal(xmtp_confirmed_transcript_hash(suite, (xmtp_bytes){0}, &c, one), XMTP_OK);
    c.auth.signature.n = sizeof bytes;
    assert_int_equal(xmtp_confirmed_transcript_hash(suite, (xmtp_bytes){0}, &c, two), XMTP_OK);
    assert_memory_not_equal(one, two, 32);
    c.auth.signature.n = 1u << 30; /* never read */
    assert_int_equal(xmtp_confirmed_transcript_hash(suite, (xmtp_bytes){0}, &c, two), XMTP_E_LIMIT);
    assert_int_equal(
        xmtp_interim_transcript_hash(suite, xmtp_bytes_of(one, 32), c.auth.signature, two),
        XMTP_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transcript_vectors_pass),
        cmocka_unit_test(long_signatures_enter_the_transcript),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
