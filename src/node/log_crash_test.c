/* log_crash_test.c - the log on a disk that tears, loses, fails and fills up, seed by seed.
 *
 * A round opens the log, compares everything with what was ever shown, appends batches, and ends with
 * a power cut, a killed process or an orderly close. Shown is what an append returned XMTP_OK for or
 * an opening found: from then on it must be there for ever, with the same content. What was not
 * shown may be there or not, but only as whole batches. With every other seed segments also end by
 * their age, before they are full.
 *
 * XMTP_CRASH_SEEDS sets how many seeds are run (100), XMTP_CRASH_FIRST the first one.
 */
#include "node/log.h"

#include "base/bytes.h"
#include "node/test_disk.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ROUNDS = 12, APPENDS_MAX = 40, RECORDS_MAX = 20000, SEGMENT_LEN = 3000, AGE = 3 };

typedef struct shown_record {
    uint64_t stamp; /* of the attempt to store it */
    xmtp_node_position at;
    uint32_t len;
    bool may_be_dropped;
} shown_record;

typedef struct history {
    xmtp_env env; /* its clock: how many batches there were */
    bool has_age;
    test_disk *disk;
    xmtp_node_log *log;
    uint64_t next_stamp;
    size_t count; /* shown, ids 1 to count */
    shown_record shown[RECORDS_MAX];

    /* While an opening visits. */
    size_t found;
    uint8_t left_of_batch;
} history;

/* payload: stamp, how many records of the batch follow, filling. */
static uint64_t stamp_of(const xmtp_node_record *record)
{
    uint64_t stamp = 0;
    for (int i = 0; i < 8; i++) {
        stamp = stamp << 8 | record->payload.p[i];
    }
    return stamp;
}

/* A gap stands for records that were to be dropped, all of them. */
static xmtp_status check_gap(history *h, const xmtp_node_record *gap)
{
    uint64_t last_id[XMTP_NODE_KIND_COUNT];
    uint32_t hole_len;
    assert_int_equal(xmtp_node_gap_decode(gap, &hole_len, last_id), XMTP_OK);
    assert_true(last_id[XMTP_NODE_GROUP_MESSAGE] > h->found);
    while (h->found < last_id[XMTP_NODE_GROUP_MESSAGE]) {
        assert_true(h->found < h->count && h->shown[h->found].may_be_dropped);
        h->found++;
    }
    h->left_of_batch = 0;
    return XMTP_OK;
}

static xmtp_status check_found(void *context, const xmtp_node_record *record, xmtp_node_position at,
                               uint32_t len)
{
    history *h = context;
    if (record->kind == XMTP_NODE_GAP) {
        return check_gap(h, record);
    }
    h->found++;
    assert_int_equal(record->id, h->found);
    uint64_t stamp = stamp_of(record);
    if (h->found <= h->count) { /* it was shown, and must be the same */
        assert_int_equal(stamp, h->shown[h->found - 1].stamp);
    }
    if (h->left_of_batch > 0 && h->found > h->count) { /* batches are whole */
        assert_int_equal(stamp, h->shown[h->found - 2].stamp);
        assert_int_equal(record->payload.p[8], h->left_of_batch - 1);
    }
    h->left_of_batch = record->payload.p[8];
    h->shown[h->found - 1] = (shown_record){
        .stamp = stamp,
        .at = at,
        .len = len,
        .may_be_dropped = h->found <= h->count && h->shown[h->found - 1].may_be_dropped};
    return XMTP_OK;
}

static uint64_t count_batches(void *context)
{
    const history *h = context;
    return h->next_stamp;
}

static void open_or_fail(history *h, xmtp_status *status)
{
    xmtp_error error = {0};
    h->env = *xmtp_env_system();
    h->env.context = h;
    h->env.now_ns = count_batches;
    xmtp_node_log_options options = {.env = &h->env,
                                     .dir = "log",
                                     .disk = &h->disk->disk,
                                     .segment_len = SEGMENT_LEN,
                                     .segment_age_ns = h->has_age ? AGE : 0};
    h->found = 0;
    h->left_of_batch = 0;
    *status =
        xmtp_node_log_open(&h->log, &options, (xmtp_node_position){0}, check_found, h, &error);
    if (*status == XMTP_E_CORRUPT) {
        fail_msg("what was stored counts as damaged: %s", error.text);
    }
}

/* Opens and compares; a disk that fails meanwhile may make it necessary to try again. */
static void open_log(history *h)
{
    xmtp_status status;
    open_or_fail(h, &status);
    if (status != XMTP_OK) {
        assert_true(h->disk->faults > 0 || h->disk->capacity > 0 || h->disk->crash_at > 0);
        if (test_disk_random(h->disk, 2) == 0) {
            test_disk_crash(h->disk);
        } else {
            test_disk_kill(h->disk);
        }
        h->disk->fail_sync = 0;
        h->disk->fail_write = 0;
        h->disk->capacity = 0;
        open_or_fail(h, &status);
    }
    assert_int_equal(status, XMTP_OK);
    assert_int_equal(h->left_of_batch, 0);
    assert_true(h->found >= h->count); /* nothing that was shown is gone */
    h->count = h->found;
}

static void encode_batch(history *h, xmtp_writer *w, xmtp_node_position at, size_t count,
                         shown_record *records)
{
    static uint8_t payload[8000];
    uint64_t stamp = h->next_stamp++;
    for (size_t i = 0; i < count; i++) {
        size_t n = 9 + test_disk_random(h->disk, test_disk_random(h->disk, 8) == 0 ? 6000 : 300);
        memset(payload, (int)stamp, n);
        for (int k = 0; k < 8; k++) {
            payload[k] = (uint8_t)(stamp >> (56 - 8 * k));
        }
        payload[8] = (uint8_t)(count - 1 - i);
        xmtp_node_record record = {.kind = XMTP_NODE_GROUP_MESSAGE,
                                   .flags = i + 1 == count ? XMTP_NODE_LAST_OF_BATCH : 0,
                                   .durable = at.offset,
                                   .id = h->count + 1 + i,
                                   .time_ns = stamp + 1,
                                   .topic = xmtp_bytes_of_string("topic"),
                                   .payload = xmtp_bytes_of(payload, n)};
        size_t start = w->n;
        assert_int_equal(xmtp_node_record_encode(&record, xmtp_node_log_salt(h->log), w), XMTP_OK);
        records[i] =
            (shown_record){.stamp = stamp,
                           .at = {.segment = at.segment, .offset = at.offset + (uint32_t)start},
                           .len = (uint32_t)(w->n - start)};
    }
}

/* One append; what it returns XMTP_OK for counts as shown, unless the index "fails" after it. */
static xmtp_status append(history *h)
{
    xmtp_node_position at;
    xmtp_writer w;
    shown_record records[6];
    size_t count = 1 + test_disk_random(h->disk, 6);
    xmtp_status status = xmtp_node_log_prepare(h->log, &at, NULL);
    if (status != XMTP_OK) {
        return status;
    }
    xmtp_writer_init(&w, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    encode_batch(h, &w, at, count, records);
    status = xmtp_node_log_append(h->log, xmtp_writer_bytes(&w), NULL);
    xmtp_writer_free(&w);
    if (status != XMTP_OK) {
        return status;
    }
    if (test_disk_random(h->disk, 12) == 0) {
        return xmtp_node_log_undo(h->log, at, NULL);
    }
    assert_true(h->count + count <= RECORDS_MAX);
    memcpy(h->shown + h->count, records, count * sizeof *records);
    h->count += count;
    return XMTP_OK;
}

static void read_any(history *h)
{
    xmtp_arena arena;
    xmtp_node_record record;
    if (h->count == 0) {
        return;
    }
    size_t i = test_disk_random(h->disk, h->count);
    xmtp_arena_init(&arena, &xmtp_env_system()->alloc, 1 << 20);
    xmtp_status status =
        xmtp_node_log_read(h->log, h->shown[i].at, h->shown[i].len, &arena, &record, NULL);
    if (status == XMTP_OK) {
        assert_int_equal(record.id, i + 1);
        assert_int_equal(stamp_of(&record), h->shown[i].stamp);
    } else {
        assert_int_equal(status, XMTP_E_NOT_FOUND);
        assert_true(h->shown[i].may_be_dropped);
    }
    xmtp_arena_reset(&arena);
}

static bool keep_some(void *context, const xmtp_node_record *record, xmtp_node_position at)
{
    history *h = context;
    (void)at;
    bool is_kept = test_disk_random(h->disk, 3) == 0;
    if (!is_kept) {
        h->shown[record->id - 1].may_be_dropped = true;
    }
    return is_kept;
}

/* Drops some records of a segment; a disk that fails in between leaves the old one or the new one. */
static void rewrite_any(history *h)
{
    uint32_t segments = xmtp_node_log_end(h->log).segment;
    if (segments == 0) {
        return;
    }
    xmtp_node_log_rewrite_options options = {
        .mask = (uint8_t)(1U << test_disk_random(h->disk, 3)), .context = h, .keep = keep_some};
    xmtp_status status = xmtp_node_log_rewrite(
        h->log, (uint32_t)test_disk_random(h->disk, segments), &options, NULL);
    assert_true(status == XMTP_OK || status == XMTP_E_IO || status == XMTP_E_DISK_FULL);
}

/* Some seeds have good disks, so that each fault is also met alone. */
static void choose_faults(test_disk *d)
{
    d->fail_sync = test_disk_random(d, 2) == 0 ? 25 : 0;
    d->fail_write = test_disk_random(d, 2) == 0 ? 20 : 0;
    d->short_write = test_disk_random(d, 2) == 0 ? 4 : 0;
    d->capacity = test_disk_random(d, 4) == 0 ? test_disk_used(d) + test_disk_random(d, 9000) : 0;
    d->crash_at =
        test_disk_random(d, 3) == 0 ? 0 : d->operations + 1 + test_disk_random(d, 4 * APPENDS_MAX);
}

static void run_round(history *h)
{
    test_disk *d = h->disk;
    choose_faults(d);
    open_log(h);
    size_t appends = test_disk_random(d, APPENDS_MAX);
    bool has_failed = false;
    for (size_t i = 0; i < appends; i++) {
        xmtp_status status = append(h);
        has_failed = has_failed || status == XMTP_E_IO;
        assert_true(status == XMTP_OK || status == XMTP_E_IO || status == XMTP_E_DISK_FULL);
        read_any(h); /* reading goes on, whatever happened */
        if (test_disk_random(d, 10) == 0) {
            rewrite_any(h);
        }
    }
    bool is_dead = d->crash_at > 0 && d->operations >= d->crash_at;
    uint64_t end = test_disk_random(d, 3);
    xmtp_node_log_close(h->log);
    if (end == 0 && !is_dead && !has_failed) {
        return; /* in order */
    }
    if (end == 1) {
        test_disk_kill(d);
    } else {
        test_disk_crash(d);
    }
}

static void run_seed(uint64_t seed)
{
    history *h = calloc(1, sizeof *h);
    h->disk = test_disk_new(seed);
    h->has_age = seed % 2 == 0;
    for (int round = 0; round < ROUNDS; round++) {
        run_round(h);
        h->disk->crash_at = 0;
    }
    h->disk->fail_sync = h->disk->fail_write = h->disk->short_write = 0;
    h->disk->capacity = 0;
    open_log(h);
    xmtp_node_log_close(h->log);
    test_disk_free(h->disk);
    free(h);
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

/* cmocka leaves a failed test by longjmp, so the seed is told here. */
static uint64_t running_seed;

static int tell_seed(void **state)
{
    (void)state;
    if (running_seed != 0) {
        print_message("seed %" PRIu64 ": ./dev crashes 1 %" PRIu64 "\n", running_seed,
                      running_seed);
    }
    return 0;
}

static void nothing_shown_is_lost_torn_or_changed_by_any_crash(void **state)
{
    (void)state;
    uint64_t first = from_environment("XMTP_CRASH_FIRST", 1);
    uint64_t count = from_environment("XMTP_CRASH_SEEDS", 100);
    for (uint64_t seed = first; seed < first + count; seed++) {
        running_seed = seed;
        run_seed(seed);
        if (seed % 1000 == 0) {
            print_message("%" PRIu64 " seeds\n", seed);
        }
    }
    running_seed = 0;
}

/* ---- the same, one fault at a time, by hand */

static history *history_new(void)
{
    history *h = calloc(1, sizeof *h);
    h->disk = test_disk_new(7);
    open_log(h);
    return h;
}

static void history_free(history *h)
{
    xmtp_node_log_close(h->log);
    test_disk_free(h->disk);
    free(h);
}

/* At least so many, and room for the next in the same segment. */
static void append_count(history *h, size_t count)
{
    while (h->count < count || xmtp_node_log_end(h->log).offset >= SEGMENT_LEN) {
        assert_int_equal(append(h), XMTP_OK);
    }
}

static void after_a_failed_sync_nothing_is_appended_and_reading_goes_on(void **state)
{
    (void)state;
    history *h = history_new();
    append_count(h, 10);
    size_t count = h->count;
    h->disk->fail_sync = 1;
    assert_int_equal(append(h), XMTP_E_IO);
    h->disk->fail_sync = 0;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(append(h),
                         XMTP_E_IO); /* the disk works again, but who knows what it has */
        read_any(h);
    }
    assert_int_equal(h->count, count);
    history_free(h);
}

static void what_only_the_page_cache_has_is_written_again_before_it_is_shown(void **state)
{
    (void)state;
    history *h = history_new();
    append_count(h, 10);
    size_t count = h->count;
    h->disk->fail_sync = 1;
    assert_int_equal(append(h), XMTP_E_IO);
    h->disk->fail_sync = 0;
    xmtp_node_log_close(h->log);
    test_disk_kill(h->disk); /* the node is restarted; the cache still has the batch */
    open_log(h);
    assert_true(h->count > count); /* shown now, so a power cut must not take it away */
    count = h->count;
    xmtp_node_log_close(h->log);
    test_disk_crash(h->disk);
    open_log(h);
    assert_int_equal(h->count, count);
    history_free(h);
}

static void every_write_may_be_the_one_that_finds_the_disk_full(void **state)
{
    (void)state;
    history *h = history_new();
    for (uint64_t room = 0; room < 4000; room += 97) {
        size_t count = h->count;
        h->disk->capacity = test_disk_used(h->disk) + room;
        xmtp_status status = XMTP_OK;
        while (status == XMTP_OK) {
            status = append(h);
        }
        assert_int_equal(status, XMTP_E_DISK_FULL);
        assert_true(h->count >= count);
        read_any(h);
        h->disk->capacity = 0;
        append_count(h, h->count + 1); /* room again: no restart is needed */
    }
    size_t count = h->count;
    xmtp_node_log_close(h->log);
    test_disk_crash(h->disk);
    open_log(h);
    assert_int_equal(h->count, count);
    history_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_a_failed_sync_nothing_is_appended_and_reading_goes_on),
        cmocka_unit_test(what_only_the_page_cache_has_is_written_again_before_it_is_shown),
        cmocka_unit_test(every_write_may_be_the_one_that_finds_the_disk_full),
        cmocka_unit_test_teardown(nothing_shown_is_lost_torn_or_changed_by_any_crash, tell_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
