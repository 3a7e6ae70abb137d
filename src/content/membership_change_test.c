/* membership_change_test.c - the membership change of before 2025: read, refused when written or damaged. */
#include "content/codec.h"

#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* members_added: account "0xaa" by "0xbb" with installations 01 and 0203; installations_removed: "0xcc". */
static const uint8_t change[] = {0x0a, 0x13, 0x0a, 0x01, 0x01, 0x0a, 0x02, 0x02, 0x03, 0x12,
                                 0x04, '0',  'x',  'a',  'a',  0x1a, 0x04, '0',  'x',  'b',
                                 'b',  0x22, 0x06, 0x12, 0x04, '0',  'x',  'c',  'c'};

static xmtp_status decode(size_t n, xmtp_content **out)
{
    xmtp_error error = {0};
    uint8_t *p;
    size_t encoded_n;
    xmtp_content custom = {.type = XMTP_CONTENT_UNKNOWN,
                           .custom = {.authority = "xmtp.org",
                                      .type = "group_membership_change",
                                      .version_major = 1,
                                      .content = xmtp_bytes_of(change, n)}};
    assert_int_equal(xmtp_content_encode(&custom, NULL, &p, &encoded_n, &error), XMTP_OK);
    xmtp_status status = xmtp_content_decode(xmtp_bytes_of(p, encoded_n), NULL, out, &error);
    xmtp_content_bytes_free(NULL, p, encoded_n);
    return status;
}

static void a_membership_change_of_an_old_client_is_read(void **state)
{
    (void)state;
    xmtp_content *out;
    assert_int_equal(decode(sizeof(change), &out), XMTP_OK);
    assert_int_equal(out->type, XMTP_CONTENT_MEMBERSHIP_CHANGE);
    const xmtp_membership_change *m = &out->membership_change;
    assert_int_equal(m->members_added.count, 1);
    assert_string_equal(m->members_added.p[0].account, "0xaa");
    assert_string_equal(m->members_added.p[0].initiated_by, "0xbb");
    assert_int_equal(m->members_added.p[0].installation_count, 2);
    assert_int_equal(m->members_added.p[0].installations[1].n, 2);
    assert_int_equal(m->members_removed.count + m->installations_added.count, 0);
    assert_int_equal(m->installations_removed.count, 1);
    assert_string_equal(m->installations_removed.p[0].account, "0xcc");
    assert_string_equal(m->installations_removed.p[0].initiated_by, "");
    xmtp_content_free(out);
}

static void one_that_is_cut_is_refused(void **state)
{
    (void)state;
    for (size_t n = 1; n < sizeof(change); n++) {
        xmtp_content *out;
        if (n != 21) { /* between its two fields it is whole */
            assert_int_equal(decode(n, &out), XMTP_E_CONTENT);
            assert_null(out);
        }
    }
}

static void none_is_written(void **state)
{
    (void)state;
    xmtp_error error = {0};
    uint8_t *p;
    size_t n;
    const xmtp_content content = {.type = XMTP_CONTENT_MEMBERSHIP_CHANGE};
    assert_int_equal(xmtp_content_encode(&content, NULL, &p, &n, &error), XMTP_E_CONTENT);
    assert_string_equal(error.text,
                        "group_membership_change is only read: group_updated took its place");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_membership_change_of_an_old_client_is_read),
        cmocka_unit_test(one_that_is_cut_is_refused),
        cmocka_unit_test(none_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
