/* log_test.c - what a log promises about crashes and damage, tried byte by byte. */
#include "node/log.h"

#include "base/bytes.h"
#include "node/crc32c.h"
#include "node/test_folder.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

typedef struct seen {
    size_t count;
    uint64_t last_id;
    int notices;
} seen;

static xmtp_status count_record(void *context, const xmtp_node_record *record,
                                xmtp_node_position at, uint32_t len)
{
    seen *s = context;
    (void)at;
    (void)len;
    assert_true(record->id == s->last_id + 1);
    s->count++;
    s->last_id = record->id;
    return XMTP_OK;
}

static void count_notice(void *context, const char *line)
{
    assert_non_null(strstr(line, "cut"));
    ((seen *)context)->notices++;
}

static xmtp_status open_log(xmtp_node_log **log, const char *dir, uint32_t segment_len, seen *s,
                            xmtp_error *error)
{
    *s = (seen){0};
    xmtp_node_log_options options = {.env = xmtp_env_system(),
                                     .dir = dir,
                                     .segment_len = segment_len,
                                     .notice_context = s,
                                     .notice = count_notice};
    return xmtp_node_log_open(log, &options, (xmtp_node_position){0}, count_record, s, error);
}

/* One batch of count records with ids from first on. */
static xmtp_status append(xmtp_node_log *log, uint64_t first, size_t count, size_t payload_len)
{
    xmtp_error error = {0};
    xmtp_node_position at;
    xmtp_status status = xmtp_node_log_prepare(log, &at, &error);
    if (status != XMTP_OK) {
        return status;
    }
    uint8_t *payload = calloc(1, payload_len + 1);
    xmtp_writer w;
    xmtp_writer_init(&w, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    for (size_t i = 0; i < count; i++) {
        memset(payload, (int)(first + i), payload_len);
        xmtp_node_record record = {.kind = XMTP_NODE_GROUP_MESSAGE,
                                   .flags = i + 1 == count ? XMTP_NODE_LAST_OF_BATCH : 0,
                                   .durable = at.offset,
                                   .id = first + i,
                                   .time_ns = 1000 + first + i,
                                   .topic = xmtp_bytes_of_string("topic"),
                                   .payload = xmtp_bytes_of(payload, payload_len)};
        assert_int_equal(xmtp_node_record_encode(&record, xmtp_node_log_salt(log), &w), XMTP_OK);
    }
    status = xmtp_node_log_append(log, xmtp_writer_bytes(&w), &error);
    xmtp_writer_free(&w);
    free(payload);
    return status;
}

static void segment_path(char out[512], const test_folder *folder, unsigned segment)
{
    (void)snprintf(out, 512, "%s/%08x.seg", folder->path, segment);
}

/* Ten batches, of one, two and three records in turn: 19 records. */
enum { RECORDS = 19 };

static void write_ten_batches(const char *dir, size_t ends[11])
{
    xmtp_node_log *log;
    seen s;
    uint64_t next = 1;
    assert_int_equal(open_log(&log, dir, 0, &s, NULL), XMTP_OK);
    ends[0] = xmtp_node_log_end(log).offset;
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(append(log, next, 1 + i % 3, 20 + i), XMTP_OK);
        next += 1 + i % 3;
        ends[i + 1] = xmtp_node_log_end(log).offset;
    }
    xmtp_node_log_close(log);
}

static size_t records_in_batches(size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        n += 1 + i % 3;
    }
    return n;
}

static void checksum_matches_the_published_value(void **state)
{
    (void)state;
    assert_int_equal(xmtp_node_crc32c(0, xmtp_bytes_of_string("123456789")), 0xe3069283U);
    uint8_t zeros[32] = {0};
    assert_int_equal(xmtp_node_crc32c(0, xmtp_bytes_of(zeros, 32)), 0x8a9136aaU);
}

/* Of every length around the steps, at every alignment. */
static void checksums_of_the_processor_and_of_the_tables_agree(void **state)
{
    (void)state;
    uint8_t bytes[300];
    uint32_t random = 1;
    if (!xmtp_node_crc32c_is_hardware()) {
        skip(); /* there is one way only */
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        random = random * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(random >> 24);
    }
    for (size_t at = 0; at < 9; at++) {
        for (size_t n = 0; n <= sizeof bytes - at; n++) {
            xmtp_bytes in = xmtp_bytes_of(bytes + at, n);
            uint32_t seed = random * (uint32_t)n;
            assert_int_equal(xmtp_node_crc32c(seed, in), xmtp_node_crc32c_by_tables(seed, in));
        }
    }
}

static void what_was_appended_is_found_again(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    size_t ends[11];
    write_ten_batches(folder.path, ends);
    xmtp_node_log *log;
    seen s;
    assert_int_equal(open_log(&log, folder.path, 0, &s, NULL), XMTP_OK);
    assert_int_equal(s.count, RECORDS);
    assert_int_equal(s.notices, 0);
    xmtp_arena arena;
    xmtp_arena_init(&arena, &xmtp_env_system()->alloc, 1 << 20);
    xmtp_node_record record;
    xmtp_node_position first = {.offset = (uint32_t)ends[0]};
    assert_int_equal(
        xmtp_node_log_read(log, first, (uint32_t)(ends[1] - ends[0]), &arena, &record, NULL),
        XMTP_OK);
    assert_int_equal(record.id, 1);
    assert_int_equal(record.payload.n, 20);
    assert_true(xmtp_bytes_equal(record.topic, xmtp_bytes_of_string("topic")));
    assert_int_equal(xmtp_node_log_read(log, first, 41, &arena, &record, NULL), XMTP_E_CORRUPT);
    xmtp_arena_reset(&arena);
    xmtp_node_log_close(log);
    test_folder_remove(folder.path);
}

static void a_tail_cut_anywhere_loses_only_the_batch_that_was_cut(void **state)
{
    (void)state;
    test_folder folder = test_folder_make_fast();
    size_t ends[11];
    char path[512];
    size_t n;
    write_ten_batches(folder.path, ends);
    segment_path(path, &folder, 0);
    unsigned char *bytes = test_file_read(path, &n);
    assert_int_equal(n, ends[10]);
    for (size_t cut = ends[0]; cut <= n; cut++) {
        test_file_write(path, bytes, cut);
        size_t whole = 0;
        while (whole < 10 && ends[whole + 1] <= cut) {
            whole++;
        }
        xmtp_node_log *log;
        seen s;
        assert_int_equal(open_log(&log, folder.path, 65536, &s, NULL), XMTP_OK);
        assert_int_equal(s.count, records_in_batches(whole));
        assert_int_equal(s.notices, cut == ends[whole] ? 0 : 1);
        assert_int_equal(append(log, s.last_id + 1, 2, 9), XMTP_OK);
        xmtp_node_log_close(log);
        assert_int_equal(open_log(&log, folder.path, 65536, &s, NULL), XMTP_OK);
        assert_int_equal(s.count, records_in_batches(whole) + 2);
        assert_int_equal(s.notices, 0);
        xmtp_node_log_close(log);
    }
    free(bytes);
    test_folder_remove(folder.path);
}

static void a_flipped_byte_before_the_last_batch_is_refused_by_name(void **state)
{
    (void)state;
    test_folder folder = test_folder_make_fast();
    size_t ends[11];
    char path[512];
    size_t n;
    write_ten_batches(folder.path, ends);
    segment_path(path, &folder, 0);
    unsigned char *bytes = test_file_read(path, &n);
    for (size_t at = ends[0]; at < ends[9]; at++) {
        bytes[at] ^= 0x40;
        test_file_write(path, bytes, n);
        xmtp_node_log *log;
        seen s;
        xmtp_error error = {0};
        assert_int_equal(open_log(&log, folder.path, 65536, &s, &error), XMTP_E_CORRUPT);
        assert_null(log);
        assert_non_null(strstr(error.text, "00000000.seg is damaged at offset"));
        size_t left;
        free(test_file_read(path, &left));
        assert_int_equal(left, n); /* nothing was cut */
        bytes[at] ^= 0x40;
    }
    free(bytes);
    test_folder_remove(folder.path);
}

static void a_flipped_byte_in_the_last_batch_cuts_that_batch(void **state)
{
    (void)state;
    test_folder folder = test_folder_make_fast();
    size_t ends[11];
    char path[512];
    size_t n;
    write_ten_batches(folder.path, ends);
    segment_path(path, &folder, 0);
    unsigned char *bytes = test_file_read(path, &n);
    for (size_t at = ends[9]; at < n; at++) {
        bytes[at] ^= 0x01;
        test_file_write(path, bytes, n);
        xmtp_node_log *log;
        seen s;
        assert_int_equal(open_log(&log, folder.path, 65536, &s, NULL), XMTP_OK);
        assert_int_equal(s.count, records_in_batches(9));
        assert_int_equal(s.notices, 1);
        xmtp_node_log_close(log);
        bytes[at] ^= 0x01;
    }
    free(bytes);
    test_folder_remove(folder.path);
}

static void damage_in_an_earlier_segment_is_refused(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    xmtp_node_log *log;
    seen s;
    assert_int_equal(open_log(&log, folder.path, 300, &s, NULL), XMTP_OK);
    for (uint64_t id = 1; id <= 20; id++) {
        assert_int_equal(append(log, id, 1, 50), XMTP_OK);
    }
    assert_true(xmtp_node_log_end(log).segment >= 3);
    xmtp_node_log_close(log);
    char path[512];
    size_t n;
    segment_path(path, &folder, 1);
    unsigned char *bytes = test_file_read(path, &n);
    test_file_write(path, bytes, n - 1);
    assert_int_equal(open_log(&log, folder.path, 300, &s, NULL), XMTP_E_CORRUPT);
    bytes[8] ^= 1; /* the salt in the header */
    test_file_write(path, bytes, n);
    assert_int_equal(open_log(&log, folder.path, 300, &s, NULL), XMTP_E_CORRUPT);
    assert_int_equal(unlink(path), 0);
    xmtp_error error = {0};
    assert_int_equal(open_log(&log, folder.path, 300, &s, &error), XMTP_E_CORRUPT);
    assert_non_null(strstr(error.text, "00000001.seg is missing"));
    bytes[8] ^= 1;
    test_file_write(path, bytes, n);
    assert_int_equal(open_log(&log, folder.path, 300, &s, NULL), XMTP_OK);
    assert_int_equal(s.count, 20);
    xmtp_node_log_close(log);
    free(bytes);
    test_folder_remove(folder.path);
}

static void a_segment_whose_header_was_never_written_is_started_again(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    size_t ends[11];
    char path[512];
    write_ten_batches(folder.path, ends);
    segment_path(path, &folder, 1);
    test_file_write(path, (const unsigned char *)"XMTP", 4);
    xmtp_node_log *log;
    seen s;
    assert_int_equal(open_log(&log, folder.path, 64, &s, NULL), XMTP_OK);
    assert_int_equal(append(log, s.last_id + 1, 1, 5), XMTP_OK);
    assert_int_equal(xmtp_node_log_end(log).segment, 1);
    xmtp_node_log_close(log);
    assert_int_equal(open_log(&log, folder.path, 64, &s, NULL), XMTP_OK);
    assert_int_equal(s.count, RECORDS + 1);
    xmtp_node_log_close(log);
    test_folder_remove(folder.path);
}

/* ---- zeros behind the end */

static size_t file_len(const char *path)
{
    size_t n;
    free(test_file_read(path, &n));
    return n;
}

static void small_appends_leave_the_length_of_the_file_as_it_is(void **state)
{
    (void)state;
    test_folder folder = test_folder_make_fast();
    xmtp_node_log *log;
    seen s;
    char path[512];
    size_t lens = 0;
    segment_path(path, &folder, 0);
    assert_int_equal(open_log(&log, folder.path, 0, &s, NULL), XMTP_OK);
    assert_int_equal(append(log, 1, 1, 300), XMTP_OK);
    size_t len = file_len(path);
    if (len == xmtp_node_log_end(log).offset) { /* a file system that reserves nothing */
        xmtp_node_log_close(log);
        test_folder_remove(folder.path);
        skip();
    }
    for (uint64_t id = 2; id <= 2000; id++) {
        assert_int_equal(append(log, id, 1, 300), XMTP_OK);
        size_t next = file_len(path);
        assert_true(next > xmtp_node_log_end(log).offset);
        lens += next != len ? 1 : 0;
        len = next;
    }
    assert_true(lens >= 2 && lens <= 7); /* 700 KB */
    size_t end = xmtp_node_log_end(log).offset;
    assert_int_equal(append(log, 2001, 1, 200000), XMTP_OK); /* a large one goes over all of them */
    assert_true(file_len(path) == xmtp_node_log_end(log).offset);
    assert_true(xmtp_node_log_end(log).offset > end + 200000);
    xmtp_node_log_close(log);
    assert_int_equal(open_log(&log, folder.path, 0, &s, NULL), XMTP_OK);
    assert_int_equal(s.count, 2001);
    xmtp_node_log_close(log);
    test_folder_remove(folder.path);
}

/* The file as a killed node leaves it; *end is where its records end. */
static unsigned char *left_by_a_killed_node(const test_folder *folder, size_t *end, size_t *n)
{
    xmtp_node_log *log;
    seen s;
    char path[512];
    segment_path(path, folder, 0);
    assert_int_equal(open_log(&log, folder->path, 0, &s, NULL), XMTP_OK);
    for (uint64_t id = 1; id <= 10; id++) {
        assert_int_equal(append(log, id, 1, 30), XMTP_OK);
    }
    *end = xmtp_node_log_end(log).offset;
    unsigned char *bytes = test_file_read(path, n);
    xmtp_node_log_close(log);
    assert_int_equal(file_len(path), *end); /* in order: no zeros are left */
    return bytes;
}

static void zeros_behind_the_end_are_cut_without_a_word_and_what_is_torn_with_one(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    xmtp_node_log *log;
    seen s;
    char path[512];
    size_t end;
    size_t n;
    unsigned char *bytes = left_by_a_killed_node(&folder, &end, &n);
    bytes = realloc(bytes, end + 100000); /* also where nothing is written ahead */
    memset(bytes + end, 0, 100000);
    segment_path(path, &folder, 0);
    for (size_t torn = 0; torn <= 20; torn += 20) {
        memcpy(bytes + end, bytes + XMTP_NODE_SEGMENT_HEADER_LEN, torn); /* half of a head */
        assert_int_equal(xmtp_node_log_torn_len(xmtp_bytes_of(bytes + end, 100000)) > 0, torn > 0);
        for (size_t len = torn; len <= 100000; len += 9995) {
            test_file_write(path, bytes, end + len);
            assert_int_equal(open_log(&log, folder.path, 0, &s, NULL), XMTP_OK);
            assert_int_equal(s.count, 10);
            assert_int_equal(s.notices, torn > 0 ? 1 : 0);
            assert_int_equal(file_len(path), end);
            assert_int_equal(append(log, 11, 1, 30), XMTP_OK);
            xmtp_node_log_close(log);
            assert_int_equal(open_log(&log, folder.path, 0, &s, NULL), XMTP_OK);
            assert_int_equal(s.count, 11);
            assert_int_equal(s.notices, 0);
            xmtp_node_log_close(log);
        }
    }
    free(bytes);
    test_folder_remove(folder.path);
}

static void zeros_where_records_were_stored_are_damage(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    xmtp_node_log *log;
    xmtp_error error = {0};
    seen s;
    char path[512];
    size_t end;
    size_t n;
    unsigned char *bytes = left_by_a_killed_node(&folder, &end, &n);
    segment_path(path, &folder, 0);
    memset(bytes + XMTP_NODE_SEGMENT_HEADER_LEN, 0, 60);
    test_file_write(path, bytes, n);
    assert_int_equal(open_log(&log, folder.path, 0, &s, &error), XMTP_E_CORRUPT);
    free(bytes);
    test_folder_remove(folder.path);
}

static uint64_t clock_ns;

static uint64_t set_clock(void *context)
{
    (void)context;
    return clock_ns;
}

/* Its first record has the time 1001. */
static void a_segment_that_ends_by_its_age_ends_with_its_last_record(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    xmtp_env env = *xmtp_env_system();
    env.now_ns = set_clock;
    xmtp_node_log *log;
    seen s = {0};
    char path[512];
    xmtp_node_log_options options = {
        .env = &env, .dir = folder.path, .segment_age_ns = 500, .notice = count_notice};
    options.notice_context = &s;
    clock_ns = 1000;
    assert_int_equal(
        xmtp_node_log_open(&log, &options, (xmtp_node_position){0}, count_record, &s, NULL),
        XMTP_OK);
    assert_int_equal(append(log, 1, 1, 30), XMTP_OK);
    assert_int_equal(append(log, 2, 1, 30), XMTP_OK);
    size_t end = xmtp_node_log_end(log).offset;
    clock_ns = 2000;
    assert_int_equal(append(log, 3, 1, 30), XMTP_OK);
    assert_int_equal(xmtp_node_log_end(log).segment, 1);
    segment_path(path, &folder, 0);
    assert_int_equal(file_len(path), end);
    xmtp_node_log_close(log);
    assert_int_equal(open_log(&log, folder.path, 0, &s, NULL), XMTP_OK);
    assert_int_equal(s.count, 3);
    assert_int_equal(s.notices, 0);
    xmtp_node_log_close(log);
    test_folder_remove(folder.path);
}

/* A segment without records has no time, whatever is behind its header. */
static void zeros_are_no_time(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    xmtp_node_log *log;
    seen s;
    char path[512];
    uint64_t time_ns;
    unsigned char bytes[200] = {0};
    segment_path(path, &folder, 0);
    assert_int_equal(open_log(&log, folder.path, 0, &s, NULL), XMTP_OK);
    size_t n;
    unsigned char *header = test_file_read(path, &n);
    assert_int_equal(n, XMTP_NODE_SEGMENT_HEADER_LEN);
    memcpy(bytes, header, n);
    test_file_write(path, bytes, sizeof bytes);
    assert_int_equal(xmtp_node_log_first_time(log, 0, &time_ns), XMTP_E_NOT_FOUND);
    free(header);
    xmtp_node_log_close(log);
    test_folder_remove(folder.path);
}

static void an_append_can_be_taken_back(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    xmtp_node_log *log;
    seen s;
    xmtp_node_position at;
    assert_int_equal(open_log(&log, folder.path, 0, &s, NULL), XMTP_OK);
    assert_int_equal(append(log, 1, 1, 5), XMTP_OK);
    assert_int_equal(xmtp_node_log_prepare(log, &at, NULL), XMTP_OK);
    assert_int_equal(append(log, 2, 3, 5), XMTP_OK);
    assert_int_equal(xmtp_node_log_undo(log, at, NULL), XMTP_OK);
    assert_int_equal(append(log, 2, 1, 7), XMTP_OK);
    xmtp_node_log_close(log);
    assert_int_equal(open_log(&log, folder.path, 0, &s, NULL), XMTP_OK);
    assert_int_equal(s.count, 2);
    xmtp_node_log_close(log);
    test_folder_remove(folder.path);
}

/* The child tells through a pipe what append acknowledged; the parent kills it in the middle. */
static void child_appends_for_ever(const char *dir, int fd)
{
    xmtp_node_log *log;
    seen s;
    if (open_log(&log, dir, 4096, &s, NULL) != XMTP_OK) {
        _exit(1);
    }
    for (uint64_t id = s.last_id + 1;; id += 3) {
        uint64_t acknowledged = id + 2;
        if (append(log, id, 3, id % 200) != XMTP_OK ||
            write(fd, &acknowledged, sizeof acknowledged) != (ssize_t)sizeof acknowledged) {
            _exit(1);
        }
    }
}

static void a_killed_writer_loses_nothing_that_was_acknowledged(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    uint64_t before = 0;
    for (int round = 0; round < 10; round++) {
        int pipes[2];
        assert_int_equal(pipe(pipes), 0);
        pid_t pid = fork();
        if (pid == 0) {
            child_appends_for_ever(folder.path, pipes[1]);
        }
        (void)close(pipes[1]);
        uint64_t acknowledged = before;
        uint64_t id;
        for (int i = 0; i < 5 + 7 * round && read(pipes[0], &id, sizeof id) == sizeof id; i++) {
            acknowledged = id;
        }
        (void)kill(pid, SIGKILL);
        while (read(pipes[0], &id, sizeof id) == sizeof id) {
            acknowledged = id;
        }
        (void)close(pipes[0]);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        xmtp_node_log *log;
        seen s;
        assert_int_equal(open_log(&log, folder.path, 4096, &s, NULL), XMTP_OK);
        assert_true(s.last_id >= acknowledged && acknowledged > before);
        assert_int_equal(s.last_id % 3, 0); /* batches of three are whole */
        before = s.last_id;
        xmtp_node_log_close(log);
    }
    test_folder_remove(folder.path);
}

static void a_full_disk_refuses_appends_and_leaves_reading(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    xmtp_node_log *log;
    seen s;
    struct rlimit old;
    assert_int_equal(open_log(&log, folder.path, 0, &s, NULL), XMTP_OK);
    assert_int_equal(append(log, 1, 1, 100), XMTP_OK);
    size_t end = xmtp_node_log_end(log).offset;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    struct rlimit tight = {.rlim_cur = end + 50, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    xmtp_status refused = append(log, 2, 2, 100);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(refused, XMTP_E_DISK_FULL);
    assert_int_equal(xmtp_node_log_end(log).offset, end);
    assert_int_equal(append(log, 2, 1, 100), XMTP_OK); /* there is room again */
    xmtp_node_log_close(log);
    assert_int_equal(open_log(&log, folder.path, 0, &s, NULL), XMTP_OK);
    assert_int_equal(s.count, 2);
    assert_int_equal(s.notices, 0);
    xmtp_node_log_close(log);
    test_folder_remove(folder.path);
}

static void bytes_of_a_sender_cannot_pass_for_a_record(void **state)
{
    (void)state;
    /* A torn tail whose payload holds a whole record, made with another salt, that claims to have
     * been synced long ago: it must not turn the cut into a refusal. */
    test_folder folder = test_folder_make();
    xmtp_node_log *log;
    seen s;
    assert_int_equal(open_log(&log, folder.path, 0, &s, NULL), XMTP_OK);
    xmtp_writer w;
    xmtp_writer_init(&w, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    xmtp_node_record forged = {.kind = XMTP_NODE_WELCOME, .durable = UINT32_MAX, .id = 9};
    uint32_t salt = xmtp_node_log_salt(log);
    assert_int_equal(xmtp_node_record_encode(&forged, salt + 1, &w), XMTP_OK);
    size_t forged_len = w.n;
    xmtp_node_record outer = {.kind = XMTP_NODE_GROUP_MESSAGE,
                              .flags = XMTP_NODE_LAST_OF_BATCH,
                              .durable = XMTP_NODE_SEGMENT_HEADER_LEN,
                              .id = 1,
                              .payload = xmtp_writer_bytes(&w)};
    xmtp_writer whole;
    xmtp_writer_init(&whole, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    assert_int_equal(xmtp_node_record_encode(&outer, salt, &whole), XMTP_OK);
    whole.p[20] ^= 1; /* torn */
    assert_int_equal(xmtp_node_log_append(log, xmtp_writer_bytes(&whole), NULL), XMTP_OK);
    xmtp_node_log_close(log);
    assert_int_equal(open_log(&log, folder.path, 0, &s, NULL), XMTP_OK);
    assert_int_equal(s.notices, 1);
    assert_true(forged_len > 0);
    xmtp_node_log_close(log);
    xmtp_writer_free(&w);
    xmtp_writer_free(&whole);
    test_folder_remove(folder.path);
}

static void a_log_in_memory_needs_no_folder(void **state)
{
    (void)state;
    xmtp_node_log *log;
    seen s;
    assert_int_equal(open_log(&log, NULL, 200, &s, NULL), XMTP_OK);
    for (uint64_t id = 1; id <= 10; id++) {
        assert_int_equal(append(log, id, 1, 50), XMTP_OK);
    }
    assert_true(xmtp_node_log_end(log).segment > 1);
    xmtp_node_log_close(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksum_matches_the_published_value),
        cmocka_unit_test(checksums_of_the_processor_and_of_the_tables_agree),
        cmocka_unit_test(what_was_appended_is_found_again),
        cmocka_unit_test(a_tail_cut_anywhere_loses_only_the_batch_that_was_cut),
        cmocka_unit_test(a_flipped_byte_before_the_last_batch_is_refused_by_name),
        cmocka_unit_test(a_flipped_byte_in_the_last_batch_cuts_that_batch),
        cmocka_unit_test(damage_in_an_earlier_segment_is_refused),
        cmocka_unit_test(a_segment_whose_header_was_never_written_is_started_again),
        cmocka_unit_test(small_appends_leave_the_length_of_the_file_as_it_is),
        cmocka_unit_test(zeros_behind_the_end_are_cut_without_a_word_and_what_is_torn_with_one),
        cmocka_unit_test(zeros_where_records_were_stored_are_damage),
        cmocka_unit_test(a_segment_that_ends_by_its_age_ends_with_its_last_record),
        cmocka_unit_test(zeros_are_no_time),
        cmocka_unit_test(an_append_can_be_taken_back),
        cmocka_unit_test(a_killed_writer_loses_nothing_that_was_acknowledged),
        cmocka_unit_test(a_full_disk_refuses_appends_and_leaves_reading),
        cmocka_unit_test(bytes_of_a_sender_cannot_pass_for_a_record),
        cmocka_unit_test(a_log_in_memory_needs_no_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
