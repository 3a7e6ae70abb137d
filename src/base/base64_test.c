/* base64_test.c - the vectors of RFC 4648 section 10, both alphabets, pieces, and what is none. */
#include "base/base64.h"
#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
// cmocka wants the headers above first
#include <cmocka.h>

static xmtp_status decode(const char *text, size_t step, xmtp_writer *out)
{
    xmtp_base64_reader r = {0};
    size_t n = strlen(text);
    xmtp_status status = XMTP_OK;
    xmtp_writer_clear(out);
    for (size_t i = 0; i < n && status == XMTP_OK; i += step) {
        size_t part = n - i < step ? n - i : step;
        status = xmtp_base64_read(&r, xmtp_bytes_of(text + i, part), out);
    }
    return status == XMTP_OK ? xmtp_base64_finish(&r, out) : status;
}

static const struct {
    const char *plain;
    const char *text;
} vectors[] = {{"", ""},
               {"f", "Zg=="},
               {"fo", "Zm8="},
               {"foo", "Zm9v"},
               {"foob", "Zm9vYg=="},
               {"fooba", "Zm9vYmE="},
               {"foobar", "Zm9vYmFy"},
               {"\xfb\xff\xbf", "+/+/"}};

static void the_vectors_hold_in_both_directions_and_in_pieces(void **state)
{
    (void)state;
    xmtp_writer out;
    xmtp_writer_init(&out, &xmtp_env_system()->alloc, 100);
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        char text[16] = "";
        xmtp_bytes plain = xmtp_bytes_of_string(vectors[i].plain);
        xmtp_base64_encode(text, plain);
        assert_string_equal(text, vectors[i].text);
        assert_int_equal(xmtp_base64_len(plain.n), strlen(vectors[i].text));
        for (size_t step = 1; step <= 8; step++) {
            assert_int_equal(decode(vectors[i].text, step, &out), XMTP_OK);
            assert_true(xmtp_bytes_equal(xmtp_writer_bytes(&out), plain));
        }
    }
    xmtp_writer_free(&out);
}

static void other_alphabet_missing_padding_and_several_in_a_row_are_read(void **state)
{
    (void)state;
    static const char *const texts[] = {"-_-_", "Zm9vYg", "Zm8", "Zg==Zg==", "Zm8=Zm9v"};
    static const char *const plain[] = {"\xfb\xff\xbf", "foob", "fo", "ff", "fofoo"};
    xmtp_writer out;
    xmtp_writer_init(&out, &xmtp_env_system()->alloc, 100);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(decode(texts[i], 100, &out), XMTP_OK);
        assert_true(xmtp_bytes_equal(xmtp_writer_bytes(&out), xmtp_bytes_of_string(plain[i])));
    }
    xmtp_writer_free(&out);
}

static void what_is_no_base64_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "Z", "Zg=", "=", "Z=", "Zg===", "Zm9v=", "Zg=a", "Zm 9", "Zm9v\n", "Zm9vY", "\x80"};
    xmtp_writer out;
    xmtp_writer_init(&out, &xmtp_env_system()->alloc, 100);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(decode(wrong[i], 100, &out), XMTP_E_MALFORMED);
    }
    xmtp_writer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_hold_in_both_directions_and_in_pieces),
        cmocka_unit_test(other_alphabet_missing_padding_and_several_in_a_row_are_read),
        cmocka_unit_test(what_is_no_base64_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
