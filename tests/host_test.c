/* host_test.c - many inboxes in one process: one pair of streams, parked clients, closing in any
 * order. */
#include "house.h"
#include "no_replay.h"

enum { MANY = 200 };

/* ---- many */

static void each_of_many_clients_gets_its_message_once_parked_or_not(void **state)
{
    (void)state;
    static xmtp_client *clients[MANY];
    static xmtp_conversation_id dms[MANY];
    static size_t named[MANY];
    house h;
    person sender;
    house_open(&h);
    person_open(&sender, &net);
    for (size_t i = 0; i < MANY; i++) {
        char key[KEY_LEN + 1];
        new_key(key);
        clients[i] = resident(&h, key);
    }
    poll_quietly(&h);
    for (size_t i = 0; i < MANY; i++) {
        assert_ok(&sender, xmtp_client_dm(sender.client, xmtp_client_address(clients[i]), &dms[i],
                                          &sender.error));
        send_text(&sender, &dms[i], "1");
    }
    memset(named, 0, sizeof(named));
    (void)poll_house(&h, clients, MANY, named);
    for (size_t i = 0; i < MANY; i++) {
        assert_in_range(named[i], 1, 2); /* the welcome, and the message */
        assert_client_texts(clients[i], "1|");
    }
    let_rest(&h);
    uint64_t received = counts_of(&h).received;
    for (size_t i = 0; i < MANY; i++) {
        send_text(&sender, &dms[i], "2");
    }
    memset(named, 0, sizeof(named));
    assert_int_equal(poll_house(&h, clients, MANY, named), MANY);
    assert_int_equal(counts_of(&h).received - received, MANY);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(named[i], 1);
        assert_client_texts(clients[i], "1|2|");
    }
    assert_in_range(counts_of(&h).databases, 1, 4);
    assert_int_equal(counts_of(&h).topics, 2 * MANY);
    assert_in_range(counts_of(&h).streams, 2, 20);
    person_close(&sender);
    house_end(&h);
}

/* ---- a few */

static void a_client_is_not_opened_twice_parked_or_not(void **state)
{
    (void)state;
    house h;
    char key[KEY_LEN + 1];
    xmtp_client *second;
    house_open(&h);
    new_key(key);
    const xmtp_client_options options = {.encryption_key = key};
    xmtp_client *first = resident(&h, key);
    assert_int_equal(xmtp_host_client_open(h.host, &second, &options, &h.error), XMTP_E_LOCKED);
    xmtp_host_park_all(h.host);
    assert_int_equal(counts_of(&h).databases, 0);
    assert_int_equal(xmtp_host_client_open(h.host, &second, &options, &h.error), XMTP_E_LOCKED);
    assert_null(second);
    xmtp_client_close(first);
    (void)resident(&h, key);
    assert_int_equal(counts_of(&h).clients, 1);
    house_end(&h);
}

static void what_the_host_decides_is_not_given_to_a_client(void **state)
{
    (void)state;
    house h;
    char key[KEY_LEN + 1];
    house_open(&h);
    new_key(key);
    const xmtp_client_options wrong[] = {
        {.encryption_key = key, .database_path = "/tmp/x.db"},
        {.encryption_key = key, .node_url = "http://localhost:1"},
        {.encryption_key = key, .transport = &h.wire.outer},
        {.encryption_key = key, .env = &net.env},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        xmtp_client *client;
        assert_int_equal(xmtp_host_client_open(h.host, &client, &wrong[i], &h.error),
                         XMTP_E_ARGUMENT);
        assert_null(client);
    }
    xmtp_client *client = resident(&h, key);
    assert_int_equal(xmtp_client_poll(client, 0, &h.error), XMTP_E_STATE);
    house_end(&h);
}

static void a_folder_belongs_to_one_host_at_a_time(void **state)
{
    (void)state;
    house h;
    house second = {0};
    house_open(&h);
    const xmtp_host_options options = {.folder = h.folder};
    second.wire = h.wire;
    assert_int_equal(house_try(&second, &options), XMTP_E_LOCKED);
    assert_null(second.host);
    house_shut(&h);
    house_reopen(&h);
    house_end(&h);
}

static void clients_close_in_any_order_and_with_their_host(void **state)
{
    (void)state;
    house h;
    xmtp_client *clients[4];
    house_open(&h);
    for (size_t i = 0; i < 4; i++) {
        clients[i] = resident(&h, NULL);
    }
    poll_quietly(&h);
    xmtp_client_close(clients[2]);
    xmtp_host_park_all(h.host);
    xmtp_client_close(clients[0]);
    poll_quietly(&h);
    assert_int_equal(counts_of(&h).clients, 2);
    assert_int_equal(counts_of(&h).topics, 2);
    house_end(&h); /* the other two, one of them parked, one just used */
}

static void members_of_one_group_share_its_topic_and_each_gets_all(void **state)
{
    (void)state;
    house h;
    person sender;
    xmtp_client *clients[3];
    const char *members[3];
    size_t named[3] = {0};
    xmtp_conversation_id group;
    house_open(&h);
    person_open(&sender, &net);
    for (size_t i = 0; i < 3; i++) {
        clients[i] = resident(&h, NULL);
        members[i] = xmtp_client_inbox_id(clients[i]);
    }
    poll_quietly(&h);
    assert_ok(&sender,
              xmtp_client_group_create(sender.client, "g", members, 2, &group, &sender.error));
    send_text(&sender, &group, "1");
    poll_quietly(&h);
    assert_int_equal(counts_of(&h).topics, 3 + 1);
    /* the third comes to a topic whose stream is past what is new for it */
    assert_ok(&sender, xmtp_client_group_add(sender.client, &group, &members[2], 1, &sender.error));
    send_text(&sender, &group, "2");
    poll_quietly(&h);
    xmtp_host_park_all(h.host);
    send_text(&sender, &group, "3");
    (void)poll_house(&h, clients, 3, named);
    assert_int_equal(counts_of(&h).topics, 3 + 1);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(named[i], 1);
        assert_client_texts(clients[i], i == 2 ? "2|3|" : "1|2|3|");
    }
    /* who left follows it no longer */
    assert_ok(&sender, xmtp_client_group_remove(sender.client, &group, members, 3, &sender.error));
    poll_quietly(&h);
    poll_quietly(&h);
    assert_int_equal(counts_of(&h).topics, 3);
    person_close(&sender);
    house_end(&h);
}

static void a_cut_wire_is_mended_and_nothing_is_lost(void **state)
{
    (void)state;
    house h;
    person sender;
    xmtp_client *named;
    xmtp_conversation_id dm;
    house_open(&h);
    person_open(&sender, &net);
    xmtp_client *client = resident(&h, NULL);
    poll_quietly(&h);
    dm_with(&sender, client, &dm);
    send_text(&sender, &dm, "1");
    poll_quietly(&h);
    h.wire.is_streaming_cut = true;
    send_text(&sender, &dm, "2");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(xmtp_host_poll(h.host, UINT64_C(1000000), &named, &h.error),
                         XMTP_E_NETWORK);
        assert_null(named);
        network_advance(&net, i == 1 ? 60 : 0);
    }
    assert_int_equal(counts_of(&h).streams, 0);
    h.wire.is_streaming_cut = false;
    network_advance(&net, 60);
    send_text(&sender, &dm, "3");
    poll_quietly(&h);
    assert_client_texts(client, "1|2|3|");
    person_close(&sender);
    house_end(&h);
}

static void a_first_welcome_is_not_missed_while_the_wire_is_cut(void **state)
{
    (void)state;
    house h;
    person sender;
    xmtp_client *named;
    xmtp_conversation_id dm;
    house_open(&h);
    h.wire.outer.subscribe = subscribe_without_replay;
    person_open(&sender, &net);
    xmtp_client *client = resident(&h, NULL);
    poll_quietly(&h);
    h.wire.is_streaming_cut = true;
    assert_int_equal(xmtp_host_poll(h.host, 0, &named, &h.error), XMTP_E_NETWORK);
    dm_with(&sender, client, &dm);
    send_text(&sender, &dm, "1");
    h.wire.is_streaming_cut = false;
    network_advance(&net, 60);
    poll_quietly(&h);
    assert_client_texts(client, "1|");
    person_close(&sender);
    house_end(&h);
}

static size_t waits;

static xmtp_status count_wait(void *context, uint64_t timeout_ns)
{
    waits++;
    return wire_wait(context, timeout_ns);
}

static void a_host_that_never_parks_waits_all_the_same(void **state)
{
    (void)state;
    house h = {0};
    xmtp_client *named;
    name_folder(&h);
    wire_open(&h.wire, &net);
    const xmtp_host_options options = {.folder = h.folder, .park_after_ns = UINT64_MAX};
    assert_ok(&h, house_try(&h, &options));
    (void)resident(&h, NULL);
    assert_int_equal(xmtp_host_poll(h.host, 0, &named, &h.error), XMTP_E_TIMEOUT);
    network_advance(&net, 100);
    assert_int_equal(xmtp_host_poll(h.host, 0, &named, &h.error), XMTP_E_TIMEOUT);
    waits = 0;
    h.wire.outer.wait = count_wait;
    assert_int_equal(xmtp_host_poll(h.host, 1000, &named, &h.error), XMTP_E_TIMEOUT);
    assert_int_equal(waits, 1);
    assert_int_equal(counts_of(&h).awake, 1);
    house_end(&h);
}

static void what_could_not_be_sent_goes_out_with_a_later_poll(void **state)
{
    (void)state;
    house h;
    person receiver;
    xmtp_conversation_id dm;
    house_open(&h);
    person_open(&receiver, &net);
    xmtp_client *client = resident(&h, NULL);
    assert_ok(&h, xmtp_client_dm(client, xmtp_client_address(receiver.client), &dm, &h.error));
    poll_quietly(&h);
    h.wire.how = CUT_BEFORE;
    h.wire.cut_from = h.wire.calls + 1;
    h.wire.cut_count = UINT64_MAX / 2;
    assert_int_equal(xmtp_client_send_text(client, &dm, "late", NULL, &h.error), XMTP_E_NETWORK);
    xmtp_host_park_all(h.host);
    h.wire.cut_from = 0;
    network_advance(&net, 10);
    poll_quietly(&h);
    network_advance(&net, 10);
    poll_quietly(&h);
    sync_all(&receiver);
    assert_texts(&receiver, &dm, "late|");
    person_close(&receiver);
    house_end(&h);
}

static uint64_t rotation_of(xmtp_client *client)
{
    xmtp_arena arena;
    xmtp_identity_row row;
    xmtp_scratch(client, &arena);
    assert_int_equal(xmtp_identity_read(client->db, &arena, &row), XMTP_OK);
    xmtp_arena_reset(&arena);
    return row.next_rotation_ns;
}

/* Its chores are done when they are due, and not before. */
static void a_parked_client_renews_its_key_package_after_a_welcome(void **state)
{
    (void)state;
    house h;
    person sender;
    xmtp_conversation_id dm;
    house_open(&h);
    person_open(&sender, &net);
    xmtp_client *client = resident(&h, NULL);
    let_rest(&h);
    uint64_t wakes = counts_of(&h).wakes;
    network_advance(&net, 900);
    poll_quietly(&h);
    assert_int_equal(counts_of(&h).wakes, wakes); /* nothing was due */
    dm_with(&sender, client, &dm);
    poll_quietly(&h);
    uint64_t soon_ns = rotation_of(client);
    assert_true(soon_ns <= net.clock_ns + 5 * UINT64_C(1000000000));
    xmtp_host_park_all(h.host);
    assert_int_equal(counts_of(&h).awake, 0);
    network_advance(&net, 10);
    poll_quietly(&h);
    assert_true(rotation_of(client) > soon_ns);
    person_close(&sender);
    house_end(&h);
}

static void one_client_without_its_file_does_not_stop_the_others(void **state)
{
    (void)state;
    house h;
    person sender;
    xmtp_client *named = NULL;
    xmtp_conversation_id dms[2];
    house_open(&h);
    person_open(&sender, &net);
    xmtp_client *broken = resident(&h, NULL);
    xmtp_client *whole = resident(&h, NULL);
    poll_quietly(&h);
    dm_with(&sender, broken, &dms[0]);
    dm_with(&sender, whole, &dms[1]);
    poll_quietly(&h);
    xmtp_host_park_all(h.host);
    char file[PATH_LEN + 64];
    (void)snprintf(file, sizeof(file), "%s/ephemeral-1.db", h.folder);
    assert_int_equal(unlink(file), 0);
    send_text(&sender, &dms[0], "lost");
    send_text(&sender, &dms[1], "1");
    bool has_failed = false;
    bool has_come = false;
    for (int i = 0; i < 10 && !(has_failed && has_come); i++) {
        xmtp_status status = xmtp_host_poll(h.host, UINT64_C(30000000), &named, &h.error);
        has_failed = has_failed || (status == XMTP_E_IO && named == broken);
        has_come = has_come || (status == XMTP_OK && named == whole);
    }
    assert_true(has_failed);
    assert_true(has_come);
    assert_client_texts(whole, "1|");
    person_close(&sender);
    house_end(&h);
}

/* More than a stream may have: others are opened, and topics that go give their places back. */
static void topics_above_the_limit_of_a_stream_get_another(void **state)
{
    (void)state;
    enum { SOME = 7 };
    house h = {0};
    person sender;
    xmtp_client *clients[SOME];
    xmtp_conversation_id dm;
    name_folder(&h);
    wire_open(&h.wire, &net);
    const xmtp_host_options options = {.folder = h.folder, .topics_max = 3};
    assert_ok(&h, house_try(&h, &options));
    person_open(&sender, &net);
    for (size_t i = 0; i < SOME; i++) {
        clients[i] = resident(&h, NULL);
    }
    poll_quietly(&h);
    assert_int_equal(counts_of(&h).topics, SOME);
    assert_int_equal(counts_of(&h).streams, 3);
    for (size_t i = 0; i < SOME; i++) {
        dm_with(&sender, clients[i], &dm);
        send_text(&sender, &dm, "1");
    }
    poll_quietly(&h);
    for (size_t i = 0; i < SOME; i++) {
        assert_client_texts(clients[i], "1|");
        xmtp_client_close(clients[i]);
    }
    poll_quietly(&h);
    assert_int_equal(counts_of(&h).topics, 0);
    assert_int_equal(counts_of(&h).streams, 0);
    person_close(&sender);
    house_end(&h);
}

static void a_node_that_takes_fewer_topics_is_asked_for_fewer(void **state)
{
    (void)state;
    enum { SOME = 20 };
    house h = {0};
    xmtp_node *node;
    xmtp_transport transport;
    const xmtp_node_options node_options = {.limits = {.filters = 8}};
    const xmtp_host_options options = {.transport = &transport};
    assert_ok(&h, xmtp_node_open(&node, &node_options, &h.error));
    assert_int_equal(xmtp_node_transport(node, &transport), XMTP_OK);
    assert_ok(&h, xmtp_host_open(&h.host, &options, &h.error));
    for (size_t i = 0; i < SOME; i++) {
        (void)resident(&h, NULL);
    }
    poll_quietly(&h);
    assert_int_equal(counts_of(&h).topics, SOME);
    assert_int_equal(counts_of(&h).streams, 4); /* of five: 20 and 10 were refused */
    xmtp_host_close(h.host);
    transport.close(transport.context);
    xmtp_node_close(node);
}

static void wake_ends_a_poll(void **state)
{
    (void)state;
    house h;
    xmtp_client *named;
    house_open(&h);
    poll_quietly(&h);
    xmtp_host_wake(h.host);
    assert_ok(&h, xmtp_host_poll(h.host, UINT64_MAX, &named, &h.error));
    assert_null(named);
    house_end(&h);
}

/* ---- files */

static void copy_file(const char *from, const char *to)
{
    char buffer[65536];
    size_t n;
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    assert_non_null(in);
    assert_non_null(out);
    while ((n = fread(buffer, 1, sizeof(buffer), in)) > 0) {
        assert_int_equal(fwrite(buffer, 1, n, out), n);
    }
    (void)fclose(in);
    assert_int_equal(fclose(out), 0);
}

/* What a process that dies now leaves behind. */
static void copy_folder(const char *from, const char *to)
{
    DIR *folder = opendir(from);
    struct dirent *entry;
    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL) {
        char source[PATH_LEN + 400];
        char target[PATH_LEN + 400];
        (void)snprintf(source, sizeof(source), "%s/%s", from, entry->d_name);
        (void)snprintf(target, sizeof(target), "%s/%s", to, entry->d_name);
        if (entry->d_name[0] != '.') {
            copy_file(source, target);
        }
    }
    (void)closedir(folder);
}

static void after_a_crash_everything_comes_once(void **state)
{
    (void)state;
    enum { SOME = 6 };
    house h;
    house crashed = {0};
    person sender;
    xmtp_client *clients[SOME];
    char keys[SOME][KEY_LEN + 1];
    xmtp_conversation_id dms[SOME];
    size_t named[SOME] = {0};
    house_open(&h);
    name_folder(&crashed);
    person_open(&sender, &net);
    for (size_t i = 0; i < SOME; i++) {
        new_key(keys[i]);
        clients[i] = resident(&h, keys[i]);
    }
    poll_quietly(&h);
    for (size_t i = 0; i < SOME; i++) {
        dm_with(&sender, clients[i], &dms[i]);
        send_text(&sender, &dms[i], "1");
    }
    poll_quietly(&h); /* four databases are open, two are parked */
    copy_folder(h.folder, crashed.folder);
    house_end(&h);
    for (size_t i = 0; i < SOME; i++) {
        send_text(&sender, &dms[i], "2");
    }
    house_reopen(&crashed);
    for (size_t i = 0; i < SOME; i++) {
        clients[i] = resident(&crashed, keys[i]);
    }
    assert_int_equal(poll_house(&crashed, clients, SOME, named), SOME);
    for (size_t i = 0; i < SOME; i++) {
        assert_int_equal(named[i], 1);
        assert_client_texts(clients[i], "1|2|");
    }
    person_close(&sender);
    house_end(&crashed);
}

static size_t count_files(const char *path, const char *start)
{
    size_t count = 0;
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        count += strncmp(entry->d_name, start, strlen(start)) == 0;
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    return count;
}

static bool file_holds(const char *path, const char *text)
{
    char *bytes = malloc(1 << 20);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(bytes, 1, 1 << 20, f);
    (void)fclose(f);
    bool holds = memmem(bytes, n, text, strlen(text)) != NULL;
    free(bytes);
    return holds;
}

static void an_identity_without_a_key_leaves_nothing_behind(void **state)
{
    (void)state;
    house h;
    person sender;
    xmtp_conversation_id dm;
    house_open(&h);
    person_open(&sender, &net);
    xmtp_client *client = resident(&h, NULL);
    poll_quietly(&h);
    dm_with(&sender, client, &dm);
    send_text(&sender, &dm, "only in memory");
    poll_quietly(&h);
    xmtp_host_park_all(h.host);
    char file[PATH_LEN + 64];
    (void)snprintf(file, sizeof(file), "%s/ephemeral-1.db", h.folder);
    assert_false(file_holds(file, "SQLite format"));
    assert_false(file_holds(file, "only in memory"));
    assert_client_texts(client, "only in memory|");
    xmtp_client_close(client);
    assert_int_equal(count_files(h.folder, "ephemeral-"), 0);
    /* one that a crash left */
    copy_file("/proc/self/cmdline", file);
    house_shut(&h);
    house_reopen(&h);
    assert_int_equal(count_files(h.folder, "ephemeral-"), 0);
    person_close(&sender);
    house_end(&h);
}

static void a_host_without_a_folder_keeps_nothing(void **state)
{
    (void)state;
    house h = {0};
    char key[KEY_LEN + 1];
    xmtp_client *client;
    new_key(key);
    const xmtp_host_options options = {0};
    const xmtp_client_options with_key = {.encryption_key = key};
    wire_open(&h.wire, &net);
    assert_ok(&h, house_try(&h, &options));
    assert_int_equal(xmtp_host_client_open(h.host, &client, &with_key, &h.error), XMTP_E_ARGUMENT);
    (void)resident(&h, NULL);
    (void)snprintf(h.folder, sizeof(h.folder), "%s", h.host->folder);
    assert_true(count_files(h.folder, "ephemeral-1.db") > 0);
    house_shut(&h);
    assert_int_not_equal(access(h.folder, F_OK), 0);
}

static void the_key_of_a_host_opens_its_databases(void **state)
{
    (void)state;
    static const uint8_t host_key[32] = {7};
    house h = {0};
    char key[KEY_LEN + 1];
    xmtp_client *client;
    new_key(key);
    name_folder(&h);
    wire_open(&h.wire, &net);
    xmtp_host_options options = {.folder = h.folder, .key = host_key};
    const xmtp_client_options with_key = {.encryption_key = key};
    assert_ok(&h, house_try(&h, &options));
    (void)resident(&h, key);
    xmtp_host_close(h.host);
    options.key = NULL;
    assert_ok(&h, house_try(&h, &options));
    assert_int_equal(xmtp_host_client_open(h.host, &client, &with_key, &h.error),
                     XMTP_E_DATABASE_KEY);
    xmtp_host_close(h.host);
    options.key = host_key;
    assert_ok(&h, house_try(&h, &options));
    (void)resident(&h, key);
    house_end(&h);
}

int main(void)
{
#define WITH_NETWORK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_NETWORK(a_client_is_not_opened_twice_parked_or_not),
        WITH_NETWORK(what_the_host_decides_is_not_given_to_a_client),
        WITH_NETWORK(a_folder_belongs_to_one_host_at_a_time),
        WITH_NETWORK(clients_close_in_any_order_and_with_their_host),
        WITH_NETWORK(members_of_one_group_share_its_topic_and_each_gets_all),
        WITH_NETWORK(a_cut_wire_is_mended_and_nothing_is_lost),
        WITH_NETWORK(a_first_welcome_is_not_missed_while_the_wire_is_cut),
        WITH_NETWORK(a_host_that_never_parks_waits_all_the_same),
        WITH_NETWORK(what_could_not_be_sent_goes_out_with_a_later_poll),
        WITH_NETWORK(a_parked_client_renews_its_key_package_after_a_welcome),
        WITH_NETWORK(one_client_without_its_file_does_not_stop_the_others),
        WITH_NETWORK(topics_above_the_limit_of_a_stream_get_another),
        cmocka_unit_test(a_node_that_takes_fewer_topics_is_asked_for_fewer),
        WITH_NETWORK(wake_ends_a_poll),
        WITH_NETWORK(after_a_crash_everything_comes_once),
        WITH_NETWORK(an_identity_without_a_key_leaves_nothing_behind),
        WITH_NETWORK(a_host_without_a_folder_keeps_nothing),
        WITH_NETWORK(the_key_of_a_host_opens_its_databases),
        WITH_NETWORK(each_of_many_clients_gets_its_message_once_parked_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
