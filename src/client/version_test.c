/* version_test.c - the order of versions of groups.md 3.6, V17. */
#include "client/commit_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// cmocka wants the headers above first
#include <cmocka.h>

static void versions_rise(void **state)
{
    (void)state;
    static const char *const rising[] = {"0.9.9",      "1.9.0",       "1.10.0", "1.10.0-alpha",
                                         "1.10.0-dev", "1.10.0-dev2", "1.10.1", "1.11.0-dev",
                                         "2.0.0",      "99.0.0"};
    size_t count = sizeof rising / sizeof rising[0];
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < count; k++) {
            int order = xmtp_version_compare(rising[i], rising[k]);
            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
        }
    }
    assert_int_equal(xmtp_version_compare("1.10.0-dev-x", "1.10.0-dev-y"), 0);
}

static void texts_that_are_no_versions_are_told(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "1", "1.10", "1.10.0.0", "1.x.0", "1..0", "-1.0.0", "1.10.4294967296", "1.10.-dev"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(xmtp_version_is_valid(bad[i]));
    }
    assert_true(xmtp_version_is_valid("+1.10.0"));
    assert_true(xmtp_version_is_valid("1.10.4294967295-"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_rise),
        cmocka_unit_test(texts_that_are_no_versions_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
