/* fetch_test.c - requests to a server in this process, and addresses that must not be reached. */
#include "fetch/fetch.h"

#include "base/bytes.h"
#include "fetch/test_server.h"

static const uint64_t ms = 1000000;

typedef struct outcome {
    xmtp_status status;
    uint32_t http_status;
    xmtp_error error;
    char body[256];
} outcome;

/* One request to path on the server, as changed by the test. */
static outcome ask(const char *url, xmtp_http_request request)
{
    outcome out = {.body = ""};
    xmtp_http http;
    xmtp_writer body;
    xmtp_writer_init(&body, &xmtp_env_system()->alloc, sizeof(out.body) - 1);
    assert_int_equal(xmtp_fetch_open(&http, &(xmtp_fetch_options){.env = xmtp_env_system()}),
                     XMTP_OK);
    request.url = url;
    request.method = request.method == NULL ? "GET" : request.method;
    request.sink = xmtp_http_to_writer;
    request.sink_context = &body;
    request.answer_len_max = request.answer_len_max == 0 ? 200 : request.answer_len_max;
    request.timeout_ns = request.timeout_ns == 0 ? 10000 * ms : request.timeout_ns;
    out.status = http.request(http.context, &request, &out.http_status, &out.error);
    xmtp_copy(out.body, body.p, body.n);
    xmtp_writer_free(&body);
    http.close(http.context);
    return out;
}

static outcome ask_server(const server *s, xmtp_http_request request)
{
    char url[64];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/path", s->port);
    return ask(url, request);
}

static void an_answer_comes_with_status_and_body(void **state)
{
    (void)state;
    server s;
    server_start(&s, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    outcome out = ask_server(&s, (xmtp_http_request){0});
    server_stop(&s);
    assert_int_equal(out.status, XMTP_OK);
    assert_int_equal(out.http_status, 200);
    assert_string_equal(out.body, "hello");
    assert_memory_equal(s.seen, "GET /path HTTP/1.1\r\n", 20);
}

static void a_body_is_posted_with_its_type(void **state)
{
    (void)state;
    server s;
    server_start(&s, "HTTP/1.1 204 No Content\r\n\r\n");
    outcome out = ask_server(&s, (xmtp_http_request){.method = "POST",
                                                     .content_type = "application/json",
                                                     .body = xmtp_bytes_of("{\"a\":1}", 7)});
    server_stop(&s);
    assert_int_equal(out.status, XMTP_OK);
    assert_int_equal(out.http_status, 204);
    assert_non_null(strstr(s.seen, "POST /path HTTP/1.1\r\n"));
    assert_non_null(strstr(s.seen, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(s.seen, "\r\n\r\n{\"a\":1}"));
}

static void the_body_of_an_error_is_not_handed_over(void **state)
{
    (void)state;
    server s;
    server_start(&s, "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nsorry");
    outcome out = ask_server(&s, (xmtp_http_request){0});
    server_stop(&s);
    assert_int_equal(out.status, XMTP_OK);
    assert_int_equal(out.http_status, 404);
    assert_string_equal(out.body, "");
}

static void an_answer_may_have_just_the_length_allowed(void **state)
{
    (void)state;
    server s;
    server_start(&s, "HTTP/1.1 200 OK\r\n\r\nhello");
    outcome out = ask_server(&s, (xmtp_http_request){.answer_len_max = 5});
    assert_int_equal(out.status, XMTP_OK);
    out = ask_server(&s, (xmtp_http_request){.answer_len_max = 4});
    server_stop(&s);
    assert_int_equal(out.status, XMTP_E_LIMIT);
    assert_string_equal(out.error.text, "the answer is longer than 4 bytes");
}

static void a_silent_server_is_given_up(void **state)
{
    (void)state;
    server s;
    server_start(&s, NULL);
    outcome out = ask_server(&s, (xmtp_http_request){.timeout_ns = 50 * ms});
    server_stop(&s);
    assert_int_equal(out.status, XMTP_E_TIMEOUT);
    assert_string_equal(out.error.text, "no complete answer within 50 ms");
}

static void a_cut_answer_is_an_error(void **state)
{
    (void)state;
    server s;
    server_start(&s, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello");
    outcome out = ask_server(&s, (xmtp_http_request){0});
    server_stop(&s);
    assert_int_equal(out.status, XMTP_E_NETWORK);
}

static void redirects_are_followed_only_when_asked(void **state)
{
    (void)state;
    server s;
    server target;
    char answer[128];
    server_start(&target, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere");
    (void)snprintf(answer, sizeof(answer),
                   "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%u/\r\n"
                   "Content-Length: 0\r\n\r\n",
                   target.port);
    server_start(&s, answer);
    outcome out = ask_server(&s, (xmtp_http_request){0});
    assert_int_equal(out.http_status, 302);
    out = ask_server(&s, (xmtp_http_request){.redirect_count_max = 1});
    assert_int_equal(out.http_status, 200);
    assert_string_equal(out.body, "here");
    server_stop(&s);
    server_stop(&target);
}

static void a_stranger_leads_nobody_into_a_private_network(void **state)
{
    (void)state;
    static const char *const urls[] = {"https://127.0.0.1:1/", "https://localhost:1/",
                                       "https://10.1.2.3/", "https://[::1]:1/",
                                       "https://169.254.169.254/latest"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        outcome out = ask(urls[i], (xmtp_http_request){.public_only = true});
        assert_int_equal(out.status, XMTP_E_ADDRESS);
    }
}

static void a_stranger_may_name_https_only(void **state)
{
    (void)state;
    static const char *const urls[] = {"http://127.0.0.1:1/", "file:///etc/passwd",
                                       "ftp://127.0.0.1:1/", "gopher://127.0.0.1:1/"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        outcome out = ask(urls[i], (xmtp_http_request){.public_only = true});
        assert_int_equal(out.status, XMTP_E_ARGUMENT);
    }
}

static void other_schemes_than_http_are_never_spoken(void **state)
{
    (void)state;
    assert_int_equal(ask("file:///etc/passwd", (xmtp_http_request){0}).status, XMTP_E_ARGUMENT);
}

static bool is_public(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        return xmtp_address_is_public((const struct sockaddr *)&v4);
    }
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return xmtp_address_is_public((const struct sockaddr *)&v6);
}

static void special_blocks_end_where_the_registry_says(void **state)
{
    (void)state;
    static const char *const closed[] = {
        "0.0.0.0",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.7",
        "192.168.255.255",
        "198.18.0.1",
        "198.19.255.1",
        "198.51.100.1",
        "203.0.113.9",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:8.8.8.8",
        "fc00::1",
        "fe80::1",
        "ff02::1",
        "64:ff9b::808:808",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "3fff:fff::1",
    };
    static const char *const open[] = {
        "1.1.1.1",    "9.255.255.255", "11.0.0.0",    "100.63.255.255",  "100.128.0.0",
        "172.15.0.1", "172.32.0.1",    "192.0.1.1",   "192.167.0.1",     "198.17.0.1",
        "198.20.0.1", "223.255.255.1", "2001:200::1", "2606:4700::1111", "3fff:1000::1",
    };
    for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
        assert_false(is_public(closed[i]));
    }
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
        assert_true(is_public(open[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_with_status_and_body),
        cmocka_unit_test(a_body_is_posted_with_its_type),
        cmocka_unit_test(the_body_of_an_error_is_not_handed_over),
        cmocka_unit_test(an_answer_may_have_just_the_length_allowed),
        cmocka_unit_test(a_silent_server_is_given_up),
        cmocka_unit_test(a_cut_answer_is_an_error),
        cmocka_unit_test(redirects_are_followed_only_when_asked),
        cmocka_unit_test(a_stranger_leads_nobody_into_a_private_network),
        cmocka_unit_test(a_stranger_may_name_https_only),
        cmocka_unit_test(other_schemes_than_http_are_never_spoken),
        cmocka_unit_test(special_blocks_end_where_the_registry_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
