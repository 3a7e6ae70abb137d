/* sequencer_test.c - whose turn it is: callers that store their own job, the thread that takes the
 * rest; order, failures and the end stay what they are with the thread alone.
 */
#include "node/archive_internal.h"
#include "node/sequencer.h"
#include "node/test_folder.h"
#include "node/test_node.h"

#include <signal.h>
#include <sys/resource.h>
#include <time.h>

enum { BODY_LEN = 32, SENDERS = 4, JOBS_OF_EACH = 400 };

typedef struct scene scene;

typedef struct sent {
    xmtp_node_job job; /* first */
    scene *scene;
    xmtp_node_entry entry;
    uint8_t body[BODY_LEN];
    xmtp_status status;
    pthread_t done_by;
    atomic_uint done_count;
} sent;

struct scene {
    xmtp_env env;
    xmtp_node_archive *archive;
    xmtp_node_sequencer *sequencer;
    xmtp_node_metrics metrics;
    uint64_t published; /* the last id; of who has the turn */
    size_t published_count;
    atomic_uint failures; /* how often storing began to fail */
    atomic_uint recoveries;
    xmtp_status last_failure;
    /* Asked for the time by an append, who has the turn does this, once. */
    void (*meanwhile)(scene *s);
    sent *other;
    pthread_t caller;
    pthread_t closer;
    bool is_closing;
};

static uint64_t scene_clock(void *context)
{
    scene *s = context;
    void (*meanwhile)(scene *) = s->meanwhile;
    if (meanwhile != NULL) {
        s->meanwhile = NULL;
        meanwhile(s);
    }
    return test_now_ns;
}

static void publish(void *context, const xmtp_node_entry *entry)
{
    scene *s = context;
    assert_int_equal(entry->place.id, s->published + 1);
    s->published = entry->place.id;
    s->published_count++;
}

static void changed(void *context, xmtp_status status, const xmtp_error *error)
{
    scene *s = context;
    if (status == XMTP_OK) {
        atomic_fetch_add(&s->recoveries, 1);
        return;
    }
    s->last_failure = error->status;
    atomic_fetch_add(&s->failures, 1);
}

static void open_scene(scene *s, const char *dir, size_t index_len)
{
    xmtp_error error = {0};
    *s = (scene){.env = *xmtp_env_system()};
    s->env.context = s;
    s->env.now_ns = scene_clock;
    xmtp_node_archive_options archive_options = {
        .env = &s->env, .dir = dir, .index_len_max = index_len};
    if (xmtp_node_archive_open(&s->archive, &archive_options, &error) != XMTP_OK) {
        fail_msg("archive: %s", error.text);
    }
    xmtp_node_sequencer_options options = {.env = &s->env,
                                           .archive = s->archive,
                                           .context = s,
                                           .publish = publish,
                                           .changed = changed,
                                           .metrics = &s->metrics};
    assert_int_equal(xmtp_node_sequencer_new(&s->sequencer, &options), XMTP_OK);
}

static void close_scene(scene *s)
{
    xmtp_node_sequencer_free(s->sequencer);
    xmtp_node_archive_close(s->archive);
}

/* It was stored and published before. */
static void done(xmtp_node_job *job, xmtp_status status, const xmtp_error *error)
{
    sent *m = (sent *)job;
    assert_int_equal(status == XMTP_OK, error == NULL);
    if (status == XMTP_OK) {
        assert_true(m->scene->published >= m->entry.place.id);
    }
    m->status = status;
    m->done_by = pthread_self();
    atomic_fetch_add(&m->done_count, 1);
}

static void make(sent *m, scene *s, uint64_t number)
{
    *m = (sent){.scene = s, .job = {.len = 100, .done = done}};
    memcpy(m->body, &number, sizeof number);
    m->entry = (xmtp_node_entry){.kind = XMTP_NODE_KEY_PACKAGE,
                                 .topic = xmtp_bytes_of_string("topic"),
                                 .body = xmtp_bytes_of(m->body, sizeof m->body)};
    m->job.batch = (xmtp_node_batch){.entries = &m->entry, .count = 1};
}

static void wait_for(sent *m)
{
    const struct timespec a_little = {.tv_nsec = 100000};
    while (atomic_load(&m->done_count) == 0) {
        (void)nanosleep(&a_little, NULL);
    }
    assert_int_equal(atomic_load(&m->done_count), 1);
}

static bool was_done_here(const sent *m)
{
    return pthread_equal(m->done_by, pthread_self()) != 0;
}

/* Submits here; true: it was done on this stack. */
static bool store(scene *s, sent *m, uint64_t number)
{
    make(m, s, number);
    assert_int_equal(xmtp_node_sequencer_submit_here(s->sequencer, &m->job), XMTP_OK);
    bool is_done = atomic_load(&m->done_count) == 1;
    wait_for(m);
    assert_true(is_done || !was_done_here(m));
    return was_done_here(m);
}

/* Until an append was so quick that the next one is done by who submits it. */
static void store_until_here(scene *s)
{
    sent m;
    for (uint64_t i = 0; i < 10000; i++) {
        if (store(s, &m, 1000000 + i)) {
            return;
        }
    }
    fail_msg("never on the stack of the caller");
}

static void the_first_is_done_by_the_thread_and_the_next_ones_where_they_come_from(void **state)
{
    (void)state;
    scene s;
    sent m;
    size_t here = 0;
    open_scene(&s, NULL, 0);
    assert_false(store(&s, &m, 0)); /* how quick the disk is, is not known yet */
    for (uint64_t i = 1; i <= 200; i++) {
        here += store(&s, &m, i) ? 1 : 0;
        assert_int_equal(m.status, XMTP_OK);
    }
    assert_true(here >= 100); /* but for appends that the machine has interrupted */
    assert_int_equal(s.published_count, 201);
    assert_int_equal(s.metrics.append_jobs, 201);
    close_scene(&s);
}

static void what_is_only_submitted_is_always_done_by_the_thread(void **state)
{
    (void)state;
    scene s;
    sent m;
    open_scene(&s, NULL, 0);
    for (uint64_t i = 0; i < 100; i++) {
        make(&m, &s, i);
        assert_int_equal(xmtp_node_sequencer_submit(s.sequencer, &m.job), XMTP_OK);
        wait_for(&m);
        assert_false(was_done_here(&m));
    }
    close_scene(&s);
}

static void be_slow(scene *s)
{
    const struct timespec slow = {.tv_nsec = 2 * XMTP_NODE_HERE_NS_MAX};
    (void)s;
    (void)nanosleep(&slow, NULL);
}

static void
behind_a_slow_append_a_long_job_or_while_old_ones_are_dropped_the_thread_does_it(void **state)
{
    (void)state;
    scene s;
    sent m;
    open_scene(&s, NULL, 0);
    store_until_here(&s);
    s.meanwhile = be_slow;
    (void)store(&s, &m, 1);
    assert_null(s.meanwhile);
    assert_false(store(&s, &m, 2));

    store_until_here(&s);
    make(&m, &s, 3);
    m.job.len = XMTP_NODE_HERE_LEN_MAX + 1;
    assert_int_equal(xmtp_node_sequencer_submit_here(s.sequencer, &m.job), XMTP_OK);
    wait_for(&m);
    assert_false(was_done_here(&m));

    store_until_here(&s);
    atomic_store(&s.archive->is_expiring, true);
    assert_false(store(&s, &m, 4));
    assert_false(store(&s, &m, 5));
    atomic_store(&s.archive->is_expiring, false);
    store_until_here(&s);
    close_scene(&s);
}

/* Called within the append of another job. */
static void submit_other(scene *s)
{
    assert_int_equal(xmtp_node_sequencer_submit_here(s->sequencer, &s->other->job), XMTP_OK);
    assert_int_equal(atomic_load(&s->other->done_count), 0);
}

static void what_comes_during_a_turn_of_a_caller_is_done_by_the_thread_after_it(void **state)
{
    (void)state;
    scene s;
    sent mine;
    sent other;
    open_scene(&s, NULL, 0);
    for (uint64_t i = 0; i < 20; i++) {
        store_until_here(&s);
        make(&other, &s, 2 * i);
        s.other = &other;
        s.meanwhile = submit_other;
        bool is_here = store(&s, &mine, 2 * i + 1);
        assert_null(s.meanwhile);
        wait_for(&other);
        assert_true(!is_here || !was_done_here(&other));
        assert_int_equal(other.entry.place.id, mine.entry.place.id + 1);
    }
    close_scene(&s);
}

typedef struct sender {
    scene *scene;
    uint64_t first_number;
    pthread_t thread;
    size_t here;
} sender;

static void *send_all(void *context)
{
    sender *own = context;
    uint64_t last_id = 0;
    for (uint64_t i = 0; i < JOBS_OF_EACH; i++) {
        sent m;
        own->here += store(own->scene, &m, own->first_number + i) ? 1 : 0;
        assert_int_equal(m.status, XMTP_OK);
        assert_true(m.entry.place.id > last_id);
        last_id = m.entry.place.id;
    }
    return NULL;
}

/* Publish itself checks that ids come one after the other. */
static void ids_are_published_in_order_whoever_stores(void **state)
{
    (void)state;
    scene s;
    sender senders[SENDERS];
    open_scene(&s, NULL, 0);
    store_until_here(&s);
    size_t before = s.published_count;
    for (size_t i = 0; i < SENDERS; i++) {
        senders[i] = (sender){.scene = &s, .first_number = i * JOBS_OF_EACH};
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    for (size_t i = 0; i < SENDERS; i++) {
        (void)pthread_join(senders[i].thread, NULL);
    }
    xmtp_node_sequencer_free(s.sequencer);
    s.sequencer = NULL;
    assert_int_equal(s.published_count, before + (size_t)SENDERS * JOBS_OF_EACH);
    close_scene(&s);
}

static void *free_sequencer(void *context)
{
    xmtp_node_sequencer_free(context);
    return NULL;
}

/* Within an append of the caller: another job waits, and the sequencer begins to close. (When the
 * thread appends, who submitted may still be there, and must be gone first.) */
static void begin_to_close(scene *s)
{
    sent late;
    const struct timespec a_little = {.tv_nsec = 1000000};
    if (!pthread_equal(pthread_self(), s->caller)) {
        return;
    }
    s->is_closing = true;
    submit_other(s);
    assert_int_equal(pthread_create(&s->closer, NULL, free_sequencer, s->sequencer), 0);
    xmtp_status status = XMTP_OK;
    while (status != XMTP_E_CLOSED) {
        make(&late, s, 0);
        late.job.len = XMTP_NODE_QUEUE_LEN_MAX; /* more than may wait, until it is closed */
        status = xmtp_node_sequencer_submit_here(s->sequencer, &late.job);
        assert_true(status == XMTP_E_LIMIT || status == XMTP_E_CLOSED);
        (void)nanosleep(&a_little, NULL);
    }
}

static void who_closes_it_waits_for_the_turn_of_a_caller_and_for_what_came_meanwhile(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 10; i++) {
        scene s;
        sent mine;
        sent other;
        open_scene(&s, NULL, 0);
        s.caller = pthread_self();
        make(&other, &s, 2 * i);
        s.other = &other;
        while (!s.is_closing) {
            store_until_here(&s);
            s.meanwhile = begin_to_close;
            (void)store(&s, &mine, 2 * i + 1);
        }
        (void)pthread_join(s.closer, NULL);
        assert_int_equal(mine.status, XMTP_OK);
        assert_int_equal(atomic_load(&other.done_count), 1);
        assert_int_equal(other.status, XMTP_OK);
        assert_int_equal(s.published, other.entry.place.id);
        xmtp_node_archive_close(s.archive);
    }
}

static void limit_files(rlim_t len)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = len;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A limit on the size of files is a full disk. */
static void a_full_disk_is_told_once_by_who_meets_it_and_its_end_too(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    scene s;
    sent m;
    (void)signal(SIGXFSZ, SIG_IGN);
    open_scene(&s, folder.path, 0);
    (void)store(&s, &m, 0);
    for (int round = 1; round <= 3; round++) {
        uint64_t id = m.entry.place.id;
        limit_files(64);
        for (uint64_t i = 1; i <= 20; i++) {
            (void)store(&s, &m, i);
            assert_int_equal(m.status, XMTP_E_DISK_FULL);
            assert_int_equal(atomic_load(&s.failures), round);
        }
        assert_int_equal(s.published, id);
        limit_files(RLIM_INFINITY);
        for (uint64_t i = 1; i <= 20; i++) {
            (void)store(&s, &m, i);
            assert_int_equal(m.status, XMTP_OK);
            assert_int_equal(m.entry.place.id, id + i); /* what was refused took no ids */
            assert_int_equal(atomic_load(&s.recoveries), round);
        }
    }
    assert_int_equal(s.last_failure, XMTP_E_DISK_FULL);
    close_scene(&s);
    test_folder_remove(folder.path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_done_by_the_thread_and_the_next_ones_where_they_come_from),
        cmocka_unit_test(what_is_only_submitted_is_always_done_by_the_thread),
        cmocka_unit_test(
            behind_a_slow_append_a_long_job_or_while_old_ones_are_dropped_the_thread_does_it),
        cmocka_unit_test(what_comes_during_a_turn_of_a_caller_is_done_by_the_thread_after_it),
        cmocka_unit_test(ids_are_published_in_order_whoever_stores),
        cmocka_unit_test(who_closes_it_waits_for_the_turn_of_a_caller_and_for_what_came_meanwhile),
        cmocka_unit_test(a_full_disk_is_told_once_by_who_meets_it_and_its_end_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
