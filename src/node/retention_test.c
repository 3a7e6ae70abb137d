/* retention_test.c - what is dropped when, what never is, and that nobody notices otherwise. */
#include "node/archive.h"

#include "base/bytes.h"
#include "node/retention.h"
#include "node/subscription.h"
#include "node/test_folder.h"
#include "node/wire.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

enum { SEGMENT_LEN = 20000 };

static const uint64_t day_ns = (uint64_t)24 * 3600 * 1000000000;
static uint64_t now_ns;

static uint64_t clock_ns(void *context)
{
    (void)context;
    return now_ns;
}

typedef struct store {
    test_folder folder;
    xmtp_env env;
    xmtp_node_archive *archive;
} store;

static void store_open(store *s)
{
    xmtp_error error = {0};
    s->env = *xmtp_env_system();
    s->env.now_ns = clock_ns;
    xmtp_node_archive_options options = {.env = &s->env,
                                         .dir = s->folder.path,
                                         .segment_len = SEGMENT_LEN,
                                         .segment_age_ns = 5 * day_ns};
    if (xmtp_node_archive_open(&s->archive, &options, &error) != XMTP_OK) {
        fail_msg("%s", error.text);
    }
}

static void store_new(store *s)
{
    now_ns = 1000 * day_ns;
    s->folder = test_folder_make_fast();
    store_open(s);
}

static void store_free(store *s)
{
    xmtp_node_archive_close(s->archive);
    test_folder_remove(s->folder.path);
}

/* With a lost index, too, everything must be as it was. */
static void store_reopen(store *s, bool loses_index)
{
    char path[300];
    xmtp_node_archive_close(s->archive);
    (void)snprintf(path, sizeof path, "%s/index", s->folder.path);
    if (loses_index) {
        test_folder_remove(path);
    }
    store_open(s);
}

static uint64_t put(store *s, xmtp_node_kind kind, const char *topic, uint8_t flags)
{
    static uint64_t number;
    uint8_t hash[XMTP_NODE_HASH_LEN] = {0};
    uint8_t body[700] = {0};
    number++;
    memcpy(hash, &number, sizeof number);
    xmtp_node_entry entry = {.kind = kind,
                             .flags = flags,
                             .topic = xmtp_bytes_of_string(topic),
                             .body = xmtp_bytes_of(body, sizeof body)};
    if (kind == XMTP_NODE_GROUP_MESSAGE || kind == XMTP_NODE_WELCOME) {
        entry.extra = xmtp_bytes_of(hash, sizeof hash);
    }
    xmtp_node_batch batch = {.entries = &entry, .count = 1};
    xmtp_node_batch *batches[] = {&batch};
    assert_int_equal(xmtp_node_archive_append(s->archive, batches, 1, NULL), XMTP_OK);
    return entry.place.id;
}

static size_t count(store *s, xmtp_node_kind kind, const char *topic, xmtp_node_place *places)
{
    size_t n;
    xmtp_node_page page = {.is_ascending = true, .limit = XMTP_NODE_PAGE_COUNT_MAX};
    assert_int_equal(
        xmtp_node_archive_page(s->archive, kind, xmtp_bytes_of_string(topic), &page, places, &n),
        XMTP_OK);
    return n;
}

static xmtp_status read_place(store *s, const xmtp_node_place *place)
{
    xmtp_arena arena;
    xmtp_node_record record;
    xmtp_arena_init(&arena, &s->env.alloc, 1 << 20);
    xmtp_status status = xmtp_node_archive_read(s->archive, place, &arena, &record, NULL);
    assert_true(status != XMTP_OK || record.id == place->id);
    xmtp_arena_reset(&arena);
    return status;
}

static uint64_t expire_all(store *s, const xmtp_node_retention *retention)
{
    xmtp_node_expired expired = {0};
    xmtp_error error = {0};
    xmtp_status status = XMTP_OK;
    for (uint32_t segment = 0; status == XMTP_OK; segment++) {
        status = xmtp_node_archive_expire(s->archive, retention, segment, &expired, &error);
    }
    assert_int_equal(status, XMTP_E_NOT_FOUND); /* behind the last finished one */
    return expired.count;
}

static uint64_t blocks_of(const store *s, unsigned segment)
{
    char path[300];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/log/%08x.seg", s->folder.path, segment);
    assert_int_equal(stat(path, &st), 0);
    return (uint64_t)st.st_blocks * 512;
}

/* Finishes the segment before the clock jumps: one is as old as the start of the next. */
static void finish_segment(store *s)
{
    now_ns += 6 * day_ns;
    put(s, XMTP_NODE_COMMIT_LOG, "finished", 0);
}

/* A day's mail: messages, a commit, a welcome, a key package, a commit log entry, an update. */
static void put_day(store *s)
{
    for (int i = 0; i < 6; i++) {
        put(s, XMTP_NODE_GROUP_MESSAGE, "group", 0);
    }
    put(s, XMTP_NODE_GROUP_MESSAGE, "group", XMTP_NODE_IS_COMMIT);
    put(s, XMTP_NODE_WELCOME, "installation", 0);
    put(s, XMTP_NODE_KEY_PACKAGE, "installation", 0);
    put(s, XMTP_NODE_COMMIT_LOG, "group", 0);
    put(s, XMTP_NODE_IDENTITY_UPDATE, "0123456789abcdef0123456789abcdef", 0);
    now_ns += day_ns;
}

static void each_class_goes_by_its_age_and_the_rest_never(void **state)
{
    (void)state;
    store s;
    xmtp_node_place places[XMTP_NODE_PAGE_COUNT_MAX];
    store_new(&s);
    for (int day = 0; day < 20; day++) {
        put_day(&s);
    }
    finish_segment(&s);
    now_ns += 35 * day_ns;
    put_day(&s);
    assert_int_equal(expire_all(&s, &(xmtp_node_retention){0}), 0);
    assert_int_equal(expire_all(&s, &(xmtp_node_retention){.message_ns = 100 * day_ns}), 0);
    assert_int_equal(expire_all(&s, &(xmtp_node_retention){.message_ns = 30 * day_ns}), 120);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(count(&s, XMTP_NODE_GROUP_MESSAGE, "group", places), 20 + 7);
        for (size_t k = 0; k < 20; k++) {
            assert_true((places[k].flags & XMTP_NODE_IS_COMMIT) != 0);
            assert_int_equal(read_place(&s, &places[k]), XMTP_OK);
        }
        assert_int_equal(count(&s, XMTP_NODE_WELCOME, "installation", places), 21);
        assert_int_equal(count(&s, XMTP_NODE_KEY_PACKAGE, "installation", places), 21);
        assert_int_equal(count(&s, XMTP_NODE_COMMIT_LOG, "group", places), 21);
        assert_int_equal(
            count(&s, XMTP_NODE_IDENTITY_UPDATE, "0123456789abcdef0123456789abcdef", places), 21);
        store_reopen(&s, i > 0);
    }
    xmtp_node_retention all = {
        .message_ns = 30 * day_ns, .welcome_ns = 30 * day_ns, .key_package_ns = 30 * day_ns};
    assert_int_equal(expire_all(&s, &all), 40); /* the others, of segments rewritten before */
    assert_int_equal(expire_all(&s, &all), 0);  /* each once */
    assert_int_equal(count(&s, XMTP_NODE_WELCOME, "installation", places), 1);
    assert_int_equal(count(&s, XMTP_NODE_KEY_PACKAGE, "installation", places), 1);
    store_free(&s);
}

static void ids_of_what_was_dropped_are_not_given_again(void **state)
{
    (void)state;
    store s;
    store_new(&s);
    put(&s, XMTP_NODE_GROUP_MESSAGE, "group", 0);
    uint64_t last = 0;
    for (int i = 0; i < 100; i++) {
        last = put(&s, XMTP_NODE_WELCOME, "a", 0);
    }
    put(&s, XMTP_NODE_WELCOME, "a", 0);
    finish_segment(&s);
    now_ns += 100 * day_ns;
    assert_int_equal(expire_all(&s, &(xmtp_node_retention){.welcome_ns = 90 * day_ns}), 100);
    assert_true(blocks_of(&s, 1) < SEGMENT_LEN / 2); /* the space is free */
    store_reopen(&s, true);
    assert_int_equal(xmtp_node_archive_last_id(s.archive, XMTP_NODE_WELCOME), last + 1);
    assert_int_equal(put(&s, XMTP_NODE_WELCOME, "a", 0), last + 2);
    store_free(&s);
}

static void the_newest_of_a_topic_stays_whatever_its_age(void **state)
{
    (void)state;
    store s;
    char topic[16];
    xmtp_node_place places[XMTP_NODE_PAGE_COUNT_MAX];
    store_new(&s);
    for (int i = 0; i < 90; i++) {
        (void)snprintf(topic, sizeof topic, "group %d", i % 45);
        put(&s, XMTP_NODE_GROUP_MESSAGE, topic, 0);
    }
    finish_segment(&s);
    now_ns += 40 * day_ns;
    put(&s, XMTP_NODE_GROUP_MESSAGE, "other", 0);
    assert_int_equal(expire_all(&s, &(xmtp_node_retention){.message_ns = 30 * day_ns}), 45);
    for (int i = 0; i < 45; i++) {
        (void)snprintf(topic, sizeof topic, "group %d", i);
        assert_int_equal(count(&s, XMTP_NODE_GROUP_MESSAGE, topic, places), 1);
        assert_int_equal(read_place(&s, &places[0]), XMTP_OK);
        assert_int_equal(places[0].id, 46 + i);
    }
    store_free(&s);
}

static void a_place_in_hand_is_not_found_after_its_record_was_dropped(void **state)
{
    (void)state;
    store s;
    xmtp_node_place places[XMTP_NODE_PAGE_COUNT_MAX];
    store_new(&s);
    for (int i = 0; i < 60; i++) {
        put(&s, XMTP_NODE_GROUP_MESSAGE, "group", i % 7 == 0 ? XMTP_NODE_IS_COMMIT : 0);
    }
    size_t n = count(&s, XMTP_NODE_GROUP_MESSAGE, "group", places);
    finish_segment(&s);
    now_ns += 40 * day_ns;
    put(&s, XMTP_NODE_GROUP_MESSAGE, "group", 0);
    assert_true(expire_all(&s, &(xmtp_node_retention){.message_ns = 30 * day_ns}) > 40);
    for (size_t i = 0; i < n; i++) {
        bool is_commit = (places[i].flags & XMTP_NODE_IS_COMMIT) != 0;
        assert_int_equal(read_place(&s, &places[i]), is_commit ? XMTP_OK : XMTP_E_NOT_FOUND);
    }
    store_free(&s);
}

static size_t count_rest(xmtp_node_subscription *subscription)
{
    xmtp_writer out;
    size_t n = 0;
    xmtp_status status = XMTP_OK;
    xmtp_writer_init(&out, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    while (status == XMTP_OK) {
        xmtp_writer_clear(&out);
        status = xmtp_node_subscription_next(subscription, &out, NULL);
        n += status == XMTP_OK ? 1 : 0;
    }
    assert_int_equal(status, XMTP_E_RETRY);
    xmtp_writer_free(&out);
    return n;
}

static void not_told(void *context)
{
    (void)context;
}

static void a_subscription_steps_over_what_was_dropped_while_it_replays(void **state)
{
    (void)state;
    store s;
    xmtp_node_dispatcher *dispatcher;
    xmtp_node_subscription *subscription;
    xmtp_writer out;
    store_new(&s);
    for (int i = 0; i < 60; i++) {
        put(&s, XMTP_NODE_GROUP_MESSAGE, "group", i % 10 == 9 ? XMTP_NODE_IS_COMMIT : 0);
    }
    finish_segment(&s);
    now_ns += 40 * day_ns;
    put(&s, XMTP_NODE_GROUP_MESSAGE, "group", 0);
    assert_int_equal(xmtp_node_dispatcher_new(&dispatcher, &s.env, s.archive), XMTP_OK);
    xmtp_node_filter filter = {.topic = xmtp_bytes_of_string("group")};
    xmtp_node_subscription_options options = {
        .kind = XMTP_NODE_GROUP_MESSAGE, .filters = &filter, .filter_count = 1, .ready = not_told};
    assert_int_equal(xmtp_node_subscribe(dispatcher, &options, &subscription), XMTP_OK);
    xmtp_writer_init(&out, &s.env.alloc, XMTP_WRITER_MAX);
    assert_int_equal(xmtp_node_subscription_next(subscription, &out, NULL), XMTP_OK);
    xmtp_writer_free(&out); /* the places of a page are in its hands now */
    assert_true(expire_all(&s, &(xmtp_node_retention){.message_ns = 30 * day_ns}) > 50);
    assert_int_equal(count_rest(subscription), 6 + 1); /* the commits and the newest */
    xmtp_node_subscription_free(subscription);
    xmtp_node_dispatcher_free(dispatcher);
    store_free(&s);
}

/* ---- beside readers and a writer */

typedef struct reader {
    store *s;
    bool must_end; /* atomic */
    uint64_t reads;
} reader;

static void *read_for_ever(void *context)
{
    reader *r = context;
    xmtp_node_place places[XMTP_NODE_PAGE_COUNT_MAX];
    while (!__atomic_load_n(&r->must_end, __ATOMIC_RELAXED)) {
        size_t n = count(r->s, XMTP_NODE_GROUP_MESSAGE, "group", places);
        for (size_t i = 0; i < n; i++) {
            xmtp_status status = read_place(r->s, &places[i]);
            assert_true(status == XMTP_OK || status == XMTP_E_NOT_FOUND);
        }
        r->reads += n;
    }
    return NULL;
}

static void *write_a_lot(void *context)
{
    store *s = context;
    for (int i = 0; i < 300; i++) {
        put(s, XMTP_NODE_GROUP_MESSAGE, "group", i % 9 == 0 ? XMTP_NODE_IS_COMMIT : 0);
    }
    return NULL;
}

static void readers_and_a_writer_go_on_while_segments_are_rewritten(void **state)
{
    (void)state;
    store s;
    pthread_t threads[2];
    store_new(&s);
    for (int i = 0; i < 250; i++) {
        put(&s, XMTP_NODE_GROUP_MESSAGE, "group", i % 9 == 0 ? XMTP_NODE_IS_COMMIT : 0);
    }
    finish_segment(&s);
    now_ns += 40 * day_ns;
    put(&s, XMTP_NODE_GROUP_MESSAGE, "group", 0);
    reader r = {.s = &s};
    assert_int_equal(pthread_create(&threads[0], NULL, read_for_ever, &r), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, write_a_lot, &s), 0);
    assert_true(expire_all(&s, &(xmtp_node_retention){.message_ns = 30 * day_ns}) > 200);
    assert_int_equal(pthread_join(threads[1], NULL), 0);
    __atomic_store_n(&r.must_end, true, __ATOMIC_RELAXED);
    assert_int_equal(pthread_join(threads[0], NULL), 0);
    assert_true(r.reads > 0);
    store_free(&s);
}

static void count_notice(void *context, const char *line)
{
    if (strstr(line, "dropped 59 old records") != NULL) {
        __atomic_store_n((bool *)context, true, __ATOMIC_RELEASE);
    }
}

static void the_thread_passes_at_once_and_ends_when_told(void **state)
{
    (void)state;
    store s;
    bool is_told = false;
    store_new(&s);
    for (int i = 0; i < 60; i++) {
        put(&s, XMTP_NODE_WELCOME, "a", 0);
    }
    put(&s, XMTP_NODE_WELCOME, "b", 0);
    finish_segment(&s);
    now_ns += 100 * day_ns;
    put(&s, XMTP_NODE_GROUP_MESSAGE, "group", 0);
    xmtp_node_retainer *retainer;
    xmtp_node_retainer_options options = {.env = &s.env,
                                          .archive = s.archive,
                                          .retention = {.welcome_ns = 90 * day_ns},
                                          .notice_context = &is_told,
                                          .notice = count_notice};
    assert_int_equal(xmtp_node_retainer_new(&retainer, &options), XMTP_OK);
    while (!__atomic_load_n(&is_told, __ATOMIC_ACQUIRE)) {
        (void)usleep(1000);
    }
    xmtp_node_retainer_free(retainer);
    assert_int_equal(xmtp_node_retention_segment_age_ns(&options.retention), 90 * day_ns / 16);
    store_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_class_goes_by_its_age_and_the_rest_never),
        cmocka_unit_test(ids_of_what_was_dropped_are_not_given_again),
        cmocka_unit_test(the_newest_of_a_topic_stays_whatever_its_age),
        cmocka_unit_test(a_place_in_hand_is_not_found_after_its_record_was_dropped),
        cmocka_unit_test(a_subscription_steps_over_what_was_dropped_while_it_replays),
        cmocka_unit_test(readers_and_a_writer_go_on_while_segments_are_rewritten),
        cmocka_unit_test(the_thread_passes_at_once_and_ends_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
