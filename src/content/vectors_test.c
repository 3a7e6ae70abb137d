/* vectors_test.c - contents recorded from the official client: read, written again, files opened. */
#include "content/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "mls/test_vectors.h"

/* The same content whatever the order of parameters: decoded twice, once from the wire and once
 * from what we wrote, it is written the same. */
static void assert_rewritten(xmtp_bytes wire, bool *is_known)
{
    xmtp_error error;
    xmtp_content *first;
    xmtp_content *second;
    uint8_t *p;
    uint8_t *again;
    size_t n;
    size_t again_n;
    assert_int_equal(xmtp_content_decode(wire, NULL, &first, &error), XMTP_OK);
    *is_known = first->type != XMTP_CONTENT_UNKNOWN;
    const char *fallback = first->fallback;
    first->fallback = *is_known ? NULL : fallback;
    assert_int_equal(xmtp_content_encode(first, NULL, &p, &n, &error), XMTP_OK);
    assert_int_equal(n, wire.n);
    assert_int_equal(xmtp_content_decode(xmtp_bytes_of(p, n), NULL, &second, &error), XMTP_OK);
    assert_int_equal(second->type, first->type);
    if (fallback != NULL) {
        assert_string_equal(second->fallback, fallback);
    } else {
        assert_null(second->fallback);
    }
    assert_int_equal(xmtp_content_encode(second, NULL, &again, &again_n, &error), XMTP_OK);
    assert_true(xmtp_bytes_equal(xmtp_bytes_of(p, n), xmtp_bytes_of(again, again_n)));
    xmtp_content_bytes_free(NULL, p, n);
    xmtp_content_bytes_free(NULL, again, again_n);
    xmtp_content_free(first);
    xmtp_content_free(second);
}

static void recorded_contents_are_written_again_with_the_same_length_and_sentence(void **state)
{
    (void)state;
    cJSON *file = vectors_open("xmtp/groups.json");
    size_t seen = 0;
    size_t known = 0;
    const cJSON *group;
    cJSON_ArrayForEach(group, vectors_field(file, "groups"))
    {
        const cJSON *message;
        cJSON_ArrayForEach(message, vectors_field(group, "messages"))
        {
            const cJSON *envelope = cJSON_GetObjectItemCaseSensitive(message, "plaintext_envelope");
            const cJSON *v1 = cJSON_GetObjectItemCaseSensitive(envelope, "v1");
            if (v1 == NULL) {
                continue;
            }
            bool is_known;
            assert_rewritten(vectors_bytes_of(vectors_field(v1, "content")), &is_known);
            seen++;
            known += is_known ? 1 : 0;
        }
    }
    print_message("%zu contents, %zu of known types\n", seen, known);
    assert_true(known >= 8);
    cJSON_Delete(file);
}

static void a_recorded_file_is_opened_and_nothing_else_is(void **state)
{
    (void)state;
    cJSON *file = vectors_open("xmtp/misc.json");
    const cJSON *v = vectors_field(file, "remote_attachment");
    const cJSON *plain = vectors_field(v, "plain");
    xmtp_bytes payload = vectors_bytes_of(vectors_field(v, "payload"));
    xmtp_remote_attachment remote = {
        .content_digest = vectors_field(v, "contentDigest")->valuestring,
        .secret = vectors_bytes_of(vectors_field(v, "secret")),
        .salt = vectors_bytes_of(vectors_field(v, "salt")),
        .nonce = vectors_bytes_of(vectors_field(v, "nonce")),
        .content_length = vectors_u64(v, "contentLength"),
    };
    xmtp_error error;
    xmtp_content *out;
    assert_int_equal(xmtp_attachment_decrypt(&remote, payload, NULL, &out, &error), XMTP_OK);
    assert_string_equal(out->attachment.filename, vectors_field(plain, "filename")->valuestring);
    assert_string_equal(out->attachment.mime_type, vectors_field(plain, "mimeType")->valuestring);
    assert_true(xmtp_bytes_equal(out->attachment.content,
                                 vectors_bytes_of(vectors_field(plain, "content"))));
    xmtp_content_free(out);

    xmtp_bytes cut = xmtp_bytes_of(payload.p, payload.n - 1);
    assert_int_equal(xmtp_attachment_decrypt(&remote, cut, NULL, &out, &error), XMTP_E_AUTH);
    uint8_t *flipped = (uint8_t *)(uintptr_t)payload.p;
    flipped[0] ^= 1;
    assert_int_equal(xmtp_attachment_decrypt(&remote, payload, NULL, &out, &error), XMTP_E_AUTH);
    flipped[0] ^= 1;
    remote.nonce = remote.salt;
    assert_int_equal(xmtp_attachment_decrypt(&remote, payload, NULL, &out, &error), XMTP_E_LENGTH);
    assert_null(out);
    cJSON_Delete(file);
}

static void a_file_encrypted_here_is_opened_here(void **state)
{
    (void)state;
    xmtp_error error;
    xmtp_content *out;
    xmtp_encrypted_attachment e;
    xmtp_attachment in = {
        .filename = "x", .mime_type = "a/b", .content = {(const uint8_t *)"q", 1}};
    assert_int_equal(xmtp_attachment_encrypt(&in, NULL, &e, &error), XMTP_OK);
    xmtp_content remote = xmtp_encrypted_attachment_content(&e, "https://a", "x");
    xmtp_bytes payload = xmtp_bytes_of(e.payload, e.payload_len);
    assert_int_equal(
        xmtp_attachment_decrypt(&remote.remote_attachment, payload, NULL, &out, &error), XMTP_OK);
    assert_string_equal(out->attachment.mime_type, "a/b");
    xmtp_content_free(out);
    /* Another key with the right digest: the tag tells. */
    e.secret[0] ^= 1;
    assert_int_equal(
        xmtp_attachment_decrypt(&remote.remote_attachment, payload, NULL, &out, &error),
        XMTP_E_AUTH);
    xmtp_encrypted_attachment_wipe(NULL, &e);
    in.mime_type = NULL;
    assert_int_equal(xmtp_attachment_encrypt(&in, NULL, &e, &error), XMTP_E_CONTENT);
    assert_null(e.payload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_contents_are_written_again_with_the_same_length_and_sentence),
        cmocka_unit_test(a_recorded_file_is_opened_and_nothing_else_is),
        cmocka_unit_test(a_file_encrypted_here_is_opened_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
