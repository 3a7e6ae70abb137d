/* proxy_header_test.c - both versions, each cut at every byte, and what is no such header. */
#include "rpc/proxy_header.h"

#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
// cmocka wants the headers above first
#include <cmocka.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static const struct {
    const char *bytes;
    size_t n;
    const char *address;
} good[] = {
#define GOOD(text, address)                                                                        \
    {                                                                                              \
        text, sizeof(text) - 1, address                                                            \
    }
    GOOD("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n", "192.0.2.1"),
    GOOD("PROXY TCP6 2001:db8::1 ::1 65535 0\r\n", "2001:db8::1"),
    GOOD("PROXY UNKNOWN\r\n", ""),
    GOOD("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", ""),
    GOOD(SIGNATURE "\x21\x11\0\x0c\xc0\0\x02\x01\x7f\0\0\x01\x12\x34\x56\x78", "192.0.2.1"),
    GOOD(SIGNATURE "\x21\x11\0\x0f\xc0\0\x02\x02\x7f\0\0\x01\x12\x34\x56\x78\x04\0\0", "192.0.2.2"),
    GOOD(SIGNATURE "\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
                   "0123456789abcdef\x12\x34\x56\x78",
         "2001:db8::1"),
    GOOD(SIGNATURE "\x20\0\0\0", ""),
    GOOD(SIGNATURE "\x21\x31\0\x01x", ""),
};

static void headers_are_read_once_they_are_complete(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char address[XMTP_PROXY_ADDRESS_MAX];
        char text[300];
        size_t len;
        for (size_t n = 0; n < good[i].n; n++) {
            assert_int_equal(
                xmtp_proxy_header_parse(xmtp_bytes_of(good[i].bytes, n), &len, address),
                XMTP_E_RETRY);
        }
        memcpy(text, good[i].bytes, good[i].n);
        memcpy(text + good[i].n, "PRI * ", 6); /* what follows is not touched */
        assert_int_equal(xmtp_proxy_header_parse(xmtp_bytes_of(text, good[i].n + 6), &len, address),
                         XMTP_OK);
        assert_int_equal(len, good[i].n);
        assert_string_equal(address, good[i].address);
    }
}

static void what_is_no_header_is_refused(void **state)
{
    (void)state;
#define WRONG(text)                                                                                \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
    static const struct {
        const char *bytes;
        size_t n;
    } wrong[] = {
        WRONG("GET / HTTP/1.1\r\n"),
        WRONG("PRI * HTTP/2.0\r\n"),
        WRONG("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\n"),
        WRONG("PROXY TCP4 192.0.2.1 198.51.100.7 56324\r\n"),
        WRONG("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443 1\r\n"),
        WRONG("PROXY TCP4 192.0.2.1  198.51.100.7 56324 443\r\n"),
        WRONG("PROXY TCP4 2001:db8::1 198.51.100.7 56324 443\r\n"),
        WRONG("PROXY TCP4 192.0.2.1 198.51.100.7 65536 443\r\n"),
        WRONG("PROXY TCP5 192.0.2.1 198.51.100.7 1 443\r\n"),
        WRONG("PROXY \r\n"),
        WRONG("PROXY TCP4 "
              "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
              "aaaaaaaaaaaaaaaaaaaaaaaa"),
        WRONG("\r\n\r\n\0\r\nQUIT\r"),
        WRONG(SIGNATURE "\x11\x11\0\x0c"),
        WRONG(SIGNATURE "\x22\x11\0\x0c"),
        WRONG(SIGNATURE "\x21\x11\0\x0b 1234567890"),
        WRONG(SIGNATURE "\x21\x21\0\x0c\xc0\0\x02\x01\x7f\0\0\x01\x12\x34\x56\x78"),
    };
    char address[XMTP_PROXY_ADDRESS_MAX];
    size_t len;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(
            xmtp_proxy_header_parse(xmtp_bytes_of(wrong[i].bytes, wrong[i].n), &len, address),
            XMTP_E_MALFORMED);
        assert_string_equal(address, "");
    }
    static const char long_one[] = SIGNATURE "\x21\x11\xff\xff";
    assert_int_equal(xmtp_proxy_header_parse(xmtp_bytes_of(long_one, 16), &len, address),
                     XMTP_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_read_once_they_are_complete),
        cmocka_unit_test(what_is_no_header_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
