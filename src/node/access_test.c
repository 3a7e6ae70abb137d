/* access_test.c - buckets on a clock that is set, networks, keys, files that change. */
#include "node/access.h"

#include "node/test_folder.h"
#include "node/test_node.h"

static const uint64_t second_ns = 1000000000;

/* ---- buckets */

static xmtp_node_limiter *limiter(uint64_t reads, uint64_t writes, size_t addresses_max)
{
    xmtp_node_limiter *l;
    xmtp_node_limiter_options options = {
        .env = test_env(),
        .limit = {reads, writes, 0},
        .period_ns = {300 * second_ns, 300 * second_ns, 60 * second_ns},
        .addresses_max = addresses_max};
    assert_int_equal(xmtp_node_limiter_new(&l, &options), XMTP_OK);
    return l;
}

static xmtp_node_ip ip(const char *text)
{
    xmtp_node_ip out;
    assert_true(xmtp_node_ip_parse(text, &out));
    return out;
}

static xmtp_node_verdict read_once(xmtp_node_limiter *l, const char *from, uint64_t now_ns)
{
    xmtp_node_ip address = ip(from);
    return xmtp_node_limiter_take(l, &address, XMTP_NODE_RATE_READ, 1, now_ns);
}

static void a_bucket_gives_its_limit_at_once_and_refills_all_the_time(void **state)
{
    (void)state;
    xmtp_node_limiter *l = limiter(300, 0, 10); /* one a second */
    uint64_t now = 1000 * second_ns;
    for (uint64_t i = 0; i < 300; i++) {
        xmtp_node_verdict v = read_once(l, "192.0.2.1", now);
        assert_true(v.is_allowed);
        assert_int_equal(v.limit, 300);
        assert_int_equal(v.remaining, 299 - i);
    }
    xmtp_node_verdict v = read_once(l, "192.0.2.1", now);
    assert_false(v.is_allowed);
    assert_int_equal(v.retry_after_ms, 1000);
    assert_int_equal(v.remaining, 0);
    assert_false(read_once(l, "192.0.2.1", now + second_ns - 1).is_allowed);
    assert_true(read_once(l, "192.0.2.1", now + second_ns).is_allowed);
    assert_false(read_once(l, "192.0.2.1", now + second_ns).is_allowed);
    v = read_once(l, "192.0.2.1", now + 101 * second_ns);
    assert_true(v.is_allowed);
    assert_int_equal(v.remaining, 99);
    assert_true(read_once(l, "192.0.2.2", now).is_allowed); /* another's */
    xmtp_node_limiter_free(l);
}

static void reads_and_writes_do_not_take_from_each_other(void **state)
{
    (void)state;
    xmtp_node_limiter *l = limiter(2, 3, 10);
    xmtp_node_ip a = ip("192.0.2.1");
    assert_true(xmtp_node_limiter_take(l, &a, XMTP_NODE_RATE_READ, 2, second_ns).is_allowed);
    assert_false(xmtp_node_limiter_take(l, &a, XMTP_NODE_RATE_READ, 1, second_ns).is_allowed);
    assert_true(xmtp_node_limiter_take(l, &a, XMTP_NODE_RATE_WRITE, 3, second_ns).is_allowed);
    assert_false(xmtp_node_limiter_take(l, &a, XMTP_NODE_RATE_WRITE, 1, second_ns).is_allowed);
    assert_true(xmtp_node_limiter_take(l, &a, XMTP_NODE_RATE_STREAM, 99, second_ns).is_allowed);
    xmtp_node_limiter_free(l);
}

static void a_refused_call_takes_nothing(void **state)
{
    (void)state;
    xmtp_node_limiter *l = limiter(0, 10, 10);
    xmtp_node_ip a = ip("192.0.2.1");
    assert_true(xmtp_node_limiter_take(l, &a, XMTP_NODE_RATE_WRITE, 8, second_ns).is_allowed);
    xmtp_node_verdict v = xmtp_node_limiter_take(l, &a, XMTP_NODE_RATE_WRITE, 3, second_ns);
    assert_false(v.is_allowed);
    assert_int_equal(v.remaining, 2);
    assert_int_equal(v.retry_after_ms, 30000); /* one comes every 30 s */
    assert_true(xmtp_node_limiter_take(l, &a, XMTP_NODE_RATE_WRITE, 2, second_ns).is_allowed);
    xmtp_node_limiter_free(l);
}

static void a_batch_above_the_limit_passes_when_the_bucket_is_full(void **state)
{
    (void)state;
    xmtp_node_limiter *l = limiter(0, 10, 10);
    xmtp_node_ip a = ip("192.0.2.1");
    uint64_t now = 1000 * second_ns;
    assert_true(xmtp_node_limiter_take(l, &a, XMTP_NODE_RATE_WRITE, 20, now).is_allowed);
    xmtp_node_verdict v = xmtp_node_limiter_take(l, &a, XMTP_NODE_RATE_WRITE, 1, now);
    assert_false(v.is_allowed);
    assert_int_equal(v.retry_after_ms, 330000);
    xmtp_node_limiter_free(l);
}

static void addresses_of_ipv6_count_by_their_first_half(void **state)
{
    (void)state;
    xmtp_node_limiter *l = limiter(1, 0, 10);
    assert_true(read_once(l, "2001:db8:1:2::1", second_ns).is_allowed);
    assert_false(read_once(l, "2001:db8:1:2:ffff::9", second_ns).is_allowed);
    assert_true(read_once(l, "2001:db8:1:3::1", second_ns).is_allowed);
    assert_true(read_once(l, "192.0.2.1", second_ns).is_allowed);
    assert_true(read_once(l, "192.0.2.2", second_ns).is_allowed);
    assert_false(read_once(l, "::ffff:192.0.2.2", second_ns).is_allowed); /* the same one */
    xmtp_node_limiter_free(l);
}

static void only_so_many_addresses_are_remembered_the_quiet_ones_go(void **state)
{
    (void)state;
    char text[32];
    xmtp_node_limiter *l = limiter(1, 0, 100);
    assert_true(read_once(l, "192.0.2.1", second_ns).is_allowed);
    for (int i = 0; i < 5000; i++) {
        (void)snprintf(text, sizeof text, "10.0.%d.%d", i / 250, i % 250);
        assert_true(read_once(l, text, second_ns).is_allowed);
        assert_false(read_once(l, "192.0.2.1", second_ns).is_allowed); /* not quiet */
        assert_true(xmtp_node_limiter_count(l) <= 100);
    }
    assert_int_equal(xmtp_node_limiter_count(l), 100);
    xmtp_node_limiter_free(l);
}

/* ---- lists */

#define SEND "/xmtp.mls.api.v1.MlsApi/SendGroupMessages"
#define READ "/xmtp.mls.api.v1.MlsApi/QueryGroupMessages"

static xmtp_node_access *access_new(const xmtp_node_rates *rates)
{
    xmtp_node_access *access;
    xmtp_error error = {0};
    xmtp_node_access_options options = {.env = test_env(), .rates = *rates};
    if (xmtp_node_access_new(&access, &options, &error) != XMTP_OK) {
        fail_msg("%s", error.text);
    }
    return access;
}

static xmtp_node_admission ask(xmtp_node_access *access, const char *from, const char *forwarded,
                               const char *key)
{
    xmtp_node_request_origin origin = {.ip = ip(from), .forwarded = forwarded, .api_key = key};
    return xmtp_node_access_admit(access, &origin, READ, (xmtp_bytes){0}, second_ns);
}

static void put_file(char path[300], const test_folder *folder, const char *name, const char *text)
{
    (void)snprintf(path, 300, "%s/%s", folder->path, name);
    test_file_write(path, (const unsigned char *)text, strlen(text));
}

static void networks_are_denied_and_allowed_by_their_prefix(void **state)
{
    (void)state;
    test_folder folder = test_folder_make_fast();
    char allow[300];
    char deny[300];
    put_file(allow, &folder, "allow", "10.0.0.0/8\n# mine\n2001:db8::/32 # and these\n");
    put_file(deny, &folder, "deny", "192.0.2.0/24\n198.51.100.7\n  2001:db8:6::/48\n10.9.9.9/32");
    xmtp_node_access *a =
        access_new(&(xmtp_node_rates){.reads = 1, .allow_file = allow, .deny_file = deny});
    static const struct {
        const char *ip;
        bool is_denied;
        bool is_free;
    } cases[] = {
        {"192.0.2.0", true, false},     {"192.0.2.255", true, false},
        {"192.0.3.0", false, false},    {"192.0.1.255", false, false},
        {"198.51.100.7", true, false},  {"198.51.100.6", false, false},
        {"2001:db8:6::1", true, false}, {"2001:db8:7::1", false, true},
        {"2001:db9::1", false, false},  {"10.1.2.3", false, true},
        {"10.9.9.9", true, false},      {"11.0.0.0", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        xmtp_node_admission first = ask(a, cases[i].ip, "", "");
        xmtp_node_admission second = ask(a, cases[i].ip, "", "");
        assert_int_equal(first.is_denied, cases[i].is_denied);
        assert_int_equal(first.verdict.is_allowed, !cases[i].is_denied);
        assert_int_equal(second.verdict.is_allowed, cases[i].is_free);
    }
    xmtp_node_access_free(a);
    test_folder_remove(folder.path);
}

static void a_key_lifts_the_limits_and_only_a_whole_one(void **state)
{
    (void)state;
    test_folder folder = test_folder_make_fast();
    char keys[300];
    put_file(keys, &folder, "keys", "0123456789abcdef\nfedcba9876543210fedcba\n");
    xmtp_node_access *a = access_new(&(xmtp_node_rates){.reads = 1, .api_key_file = keys});
    for (int i = 0; i < 3; i++) {
        assert_true(ask(a, "192.0.2.1", "", "0123456789abcdef").verdict.is_allowed);
        assert_true(ask(a, "192.0.2.1", "", "fedcba9876543210fedcba").verdict.is_allowed);
    }
    assert_true(ask(a, "192.0.2.1", "", "").verdict.is_allowed);
    assert_false(ask(a, "192.0.2.1", "", "0123456789abcde").verdict.is_allowed);
    assert_false(ask(a, "192.0.2.1", "", "0123456789abcdeff").verdict.is_allowed);
    xmtp_node_access_free(a);
    test_folder_remove(folder.path);
}

static void forwarded_addresses_count_only_from_proxies_that_are_trusted(void **state)
{
    (void)state;
    xmtp_node_access *a =
        access_new(&(xmtp_node_rates){.reads = 1, .trusted_proxies = {"10.0.0.0/8"}});
    assert_true(ask(a, "10.0.0.1", "192.0.2.1", "").verdict.is_allowed);
    assert_true(ask(a, "10.0.0.1", "192.0.2.2", "").verdict.is_allowed);
    assert_false(ask(a, "10.0.0.2", "192.0.2.2", "").verdict.is_allowed);
    assert_true(ask(a, "198.51.100.1", "192.0.2.3", "").verdict.is_allowed);
    assert_false(ask(a, "198.51.100.1", "192.0.2.4", "").verdict.is_allowed); /* nobody's proxy */
    assert_true(ask(a, "10.0.0.1", "nonsense", "").verdict.is_allowed);
    assert_false(ask(a, "10.0.0.1", "nonsense", "").verdict.is_allowed); /* the proxy's own */
    xmtp_node_access_free(a);
}

static void changed_lists_are_read_again_and_bad_ones_leave_the_old(void **state)
{
    (void)state;
    test_folder folder = test_folder_make_fast();
    char deny[300];
    xmtp_error error = {0};
    put_file(deny, &folder, "deny", "192.0.2.1\n");
    xmtp_node_access *a = access_new(&(xmtp_node_rates){.deny_file = deny});
    assert_true(ask(a, "192.0.2.1", "", "").is_denied);
    assert_int_equal(unlink(deny), 0);
    put_file(deny, &folder, "deny", "192.0.2.2\nrubbish\n");
    assert_int_equal(xmtp_node_access_reload(a, &error), XMTP_E_ARGUMENT);
    assert_non_null(strstr(error.text, "deny:2: this is no address or network"));
    assert_true(ask(a, "192.0.2.1", "", "").is_denied);
    assert_int_equal(unlink(deny), 0);
    put_file(deny, &folder, "deny", "192.0.2.2\n\n\n");
    assert_int_equal(xmtp_node_access_reload(a, &error), XMTP_OK);
    assert_false(ask(a, "192.0.2.1", "", "").is_denied);
    assert_true(ask(a, "192.0.2.2", "", "").is_denied);
    assert_int_equal(unlink(deny), 0);
    assert_int_equal(xmtp_node_access_reload(a, &error), XMTP_E_IO);
    assert_true(ask(a, "192.0.2.2", "", "").is_denied);
    xmtp_node_access_free(a);
    test_folder_remove(folder.path);
}

static void what_cannot_be_read_is_told_by_file_and_line_and_keys_never(void **state)
{
    (void)state;
    static const char *const bad[] = {"192.0.2.1/33", "192.0.2/24", "::1/129", "1.2.3.4/",
                                      "1.2.3.4/-1",   "1.2.3.4/8x", "/8",      "localhost"};
    test_folder folder = test_folder_make_fast();
    char path[300];
    xmtp_node_access *a;
    xmtp_error error = {0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put_file(path, &folder, "list", bad[i]);
        xmtp_node_access_options options = {.env = test_env(), .rates = {.allow_file = path}};
        assert_int_equal(xmtp_node_access_new(&a, &options, &error), XMTP_E_ARGUMENT);
        assert_non_null(strstr(error.text, "list:1:"));
    }
    put_file(path, &folder, "keys", "\nshortsecret\n");
    xmtp_node_access_options options = {.env = test_env(), .rates = {.api_key_file = path}};
    assert_int_equal(xmtp_node_access_new(&a, &options, &error), XMTP_E_ARGUMENT);
    assert_non_null(strstr(error.text, "keys:2: a key has 16 to 63 characters"));
    assert_null(strstr(error.text, "shortsecret"));
    test_folder_remove(folder.path);
}

static void a_batch_costs_as_much_as_it_has_messages(void **state)
{
    (void)state;
    static const uint8_t two[] = {0x0a, 0x01, 0x00, 0x0a, 0x00};
    static const uint8_t odd[] = {0x0a, 0x7f};
    xmtp_node_access *a = access_new(&(xmtp_node_rates){.writes = 5});
    xmtp_node_request_origin origin = {.ip = ip("192.0.2.1"), .forwarded = "", .api_key = ""};
    xmtp_node_admission first =
        xmtp_node_access_admit(a, &origin, SEND, xmtp_bytes_of(two, sizeof two), second_ns);
    assert_int_equal(first.verdict.remaining, 3);
    first = xmtp_node_access_admit(a, &origin, SEND, xmtp_bytes_of(odd, sizeof odd), second_ns);
    assert_int_equal(first.verdict.remaining, 2); /* what cannot be read costs one */
    xmtp_node_access_free(a);
}

static void an_address_may_have_so_many_open_and_no_more(void **state)
{
    (void)state;
    xmtp_node_tally *t;
    xmtp_node_seat seats[4];
    xmtp_node_ip here = ip("2001:db8::1");
    xmtp_node_ip there = ip("2001:db8::ffff"); /* of the same customer */
    xmtp_node_ip other = ip("2001:db8:0:1::1");
    assert_int_equal(xmtp_node_tally_new(&t, test_env(), 2), XMTP_OK);
    assert_true(xmtp_node_seat_take(&seats[0], t, &here));
    assert_true(xmtp_node_seat_take(&seats[1], t, &there));
    assert_false(xmtp_node_seat_take(&seats[2], t, &here));
    assert_true(xmtp_node_seat_take(&seats[3], t, &other));
    xmtp_node_seat_leave(&seats[2]); /* it never had one */
    assert_false(xmtp_node_seat_take(&seats[2], t, &here));
    xmtp_node_seat_leave(&seats[0]);
    xmtp_node_seat_leave(&seats[0]); /* once only */
    assert_true(xmtp_node_seat_take(&seats[2], t, &here));
    assert_false(xmtp_node_seat_take(&seats[0], t, &here));
    for (size_t i = 1; i < 4; i++) {
        xmtp_node_seat_leave(&seats[i]);
    }
    xmtp_node_tally_free(t);
}

static void who_is_allowed_or_a_trusted_proxy_is_not_counted(void **state)
{
    (void)state;
    test_folder folder = test_folder_make_fast();
    char allow[300];
    xmtp_node_access *a;
    xmtp_node_seat seats[2];
    (void)snprintf(allow, sizeof allow, "%s/allow", folder.path);
    test_file_write(allow, (const unsigned char *)"192.0.2.0/24\n", 13);
    xmtp_node_access_options options = {.env = test_env(),
                                        .rates = {.connections_open = 1,
                                                  .streams_open = 1,
                                                  .allow_file = allow,
                                                  .trusted_proxies = {"10.0.0.0/8"}}};
    assert_int_equal(xmtp_node_access_new(&a, &options, NULL), XMTP_OK);
    static const char *const free_ones[] = {"192.0.2.7", "10.1.2.3"};
    for (size_t i = 0; i < 2; i++) {
        xmtp_node_ip from = ip(free_ones[i]);
        assert_true(xmtp_node_access_connect(a, &from, &seats[0]));
        assert_true(xmtp_node_access_connect(a, &from, &seats[1]));
        assert_null(seats[1].tally);
    }
    xmtp_node_ip counted = ip("198.51.100.1");
    assert_true(xmtp_node_access_connect(a, &counted, &seats[0]));
    assert_false(xmtp_node_access_connect(a, &counted, &seats[1]));
    xmtp_node_seat_leave(&seats[0]);
    xmtp_node_access_free(a);
    test_folder_remove(folder.path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_gives_its_limit_at_once_and_refills_all_the_time),
        cmocka_unit_test(reads_and_writes_do_not_take_from_each_other),
        cmocka_unit_test(a_refused_call_takes_nothing),
        cmocka_unit_test(a_batch_above_the_limit_passes_when_the_bucket_is_full),
        cmocka_unit_test(addresses_of_ipv6_count_by_their_first_half),
        cmocka_unit_test(only_so_many_addresses_are_remembered_the_quiet_ones_go),
        cmocka_unit_test(networks_are_denied_and_allowed_by_their_prefix),
        cmocka_unit_test(a_key_lifts_the_limits_and_only_a_whole_one),
        cmocka_unit_test(forwarded_addresses_count_only_from_proxies_that_are_trusted),
        cmocka_unit_test(changed_lists_are_read_again_and_bad_ones_leave_the_old),
        cmocka_unit_test(what_cannot_be_read_is_told_by_file_and_line_and_keys_never),
        cmocka_unit_test(a_batch_costs_as_much_as_it_has_messages),
        cmocka_unit_test(an_address_may_have_so_many_open_and_no_more),
        cmocka_unit_test(who_is_allowed_or_a_trusted_proxy_is_not_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
