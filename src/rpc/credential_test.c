/* credential_test.c - which credentials can be sent, and how long one is kept. */
#include "rpc/credential.h"

#include "base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
// cmocka wants the headers above first
#include <cmocka.h>

static const uint64_t NOW_NS = UINT64_C(1700000000) * 1000000000;

static uint64_t now_ns(void *context)
{
    (void)context;
    return NOW_NS;
}

static xmtp_status give(void *context, xmtp_credential *out)
{
    *out = *(const xmtp_credential *)context;
    return XMTP_OK;
}

static xmtp_status refresh(xmtp_kept_credential *kept, xmtp_credential given, xmtp_error *error)
{
    static xmtp_env env;
    env = *xmtp_env_system();
    env.now_ns = now_ns;
    *kept = (xmtp_kept_credential){.env = &env, .source = {.context = &given, .get = give}};
    *error = (xmtp_error){0};
    return xmtp_credential_refresh(kept, error);
}

static void the_header_is_authorization_unless_it_is_named(void **state)
{
    (void)state;
    xmtp_kept_credential kept;
    xmtp_error error;
    assert_int_equal(refresh(&kept, (xmtp_credential){.value = "Bearer a.b"}, &error), XMTP_OK);
    assert_string_equal(kept.header, "authorization");
    assert_string_equal(kept.value, "Bearer a.b");
    assert_true(kept.expires_at_ns == UINT64_MAX);
    assert_int_equal(
        refresh(&kept, (xmtp_credential){.header = "X-Pass_1.b", .value = "a"}, &error), XMTP_OK);
    assert_string_equal(kept.header, "x-pass_1.b");
}

static void what_cannot_be_a_header_is_refused(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "",
        ":path",
        "a b",
        "a\r\nb",
        "te",
        "TE",
        "Grpc-Timeout",
        "content-type",
        "\xc3",
        "host",
        "Connection",
        "keep-alive",
        "proxy-connection",
        "transfer-encoding",
        "Upgrade",
        "a234567890123456789012345678901234567890123456789012345678901234"};
    xmtp_kept_credential kept;
    xmtp_error error;
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        assert_int_equal(
            refresh(&kept, (xmtp_credential){.header = headers[i], .value = "secret"}, &error),
            XMTP_E_ARGUMENT);
        assert_false(kept.is_there);
        assert_null(strstr(error.text, "secret"));
    }
}

static void what_cannot_be_a_value_is_refused(void **state)
{
    (void)state;
    static char longest[XMTP_CREDENTIAL_VALUE_MAX + 2];
    static const char *const values[] = {NULL, "", " a", "a ", "a\nb", "a\rb", "a\tb", "\xff"};
    xmtp_kept_credential kept;
    xmtp_error error;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        assert_int_equal(refresh(&kept, (xmtp_credential){.value = values[i]}, &error),
                         XMTP_E_ARGUMENT);
    }
    memset(longest, 'a', sizeof(longest) - 1);
    assert_int_equal(refresh(&kept, (xmtp_credential){.value = longest}, &error), XMTP_E_ARGUMENT);
    longest[XMTP_CREDENTIAL_VALUE_MAX] = '\0';
    assert_int_equal(refresh(&kept, (xmtp_credential){.value = longest}, &error), XMTP_OK);
}

static void one_that_has_expired_is_refused_with_the_seconds(void **state)
{
    (void)state;
    xmtp_kept_credential kept;
    xmtp_error error;
    assert_int_equal(
        refresh(&kept, (xmtp_credential){.value = "a", .expires_at_s = 1699999993}, &error),
        XMTP_E_ARGUMENT);
    assert_string_equal(error.text, "a credential that expired 7 s ago");
    assert_int_equal(
        refresh(&kept, (xmtp_credential){.value = "a", .expires_at_s = UINT64_MAX}, &error),
        XMTP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_header_is_authorization_unless_it_is_named),
        cmocka_unit_test(what_cannot_be_a_header_is_refused),
        cmocka_unit_test(what_cannot_be_a_value_is_refused),
        cmocka_unit_test(one_that_has_expired_is_refused_with_the_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
