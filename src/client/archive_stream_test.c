/* archive_stream_test.c - the container of archives: what goes in comes out, and what was cut, altered,
 * prolonged or swollen is refused with the place where it breaks. */
#include "client/archive_stream.h"

#include "base/bytes.h"
#include "base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { HEADER = 14, ROOM = 1 << 20 };

static const uint8_t key[XMTP_ARCHIVE_KEY_LEN] = {1, 2, 3};

typedef struct memory {
    uint8_t p[ROOM];
    size_t n;
    size_t at;
    size_t step; /* bytes per read */
} memory;

static memory archive; /* one at a time */
static xmtp_error error;

static xmtp_status remember(void *context, xmtp_bytes bytes)
{
    memory *m = context;
    assert_true(bytes.n <= sizeof(m->p) - m->n);
    memcpy(m->p + m->n, bytes.p, bytes.n);
    m->n += bytes.n;
    return XMTP_OK;
}

static xmtp_status recall(void *context, uint8_t *out, size_t capacity, size_t *n)
{
    memory *m = context;
    size_t most = m->step != 0 && m->step < capacity ? m->step : capacity;
    *n = m->n - m->at < most ? m->n - m->at : most;
    memcpy(out, m->p + m->at, *n);
    m->at += *n;
    return XMTP_OK;
}

static const xmtp_archive_sink sink = {.context = &archive, .write = remember};
static const xmtp_archive_source source = {.context = &archive, .read = recall};

static void seal(const xmtp_bytes *elements, size_t count)
{
    xmtp_archive_sealer s;
    archive.n = archive.at = archive.step = 0;
    assert_int_equal(xmtp_archive_sealer_open(&s, xmtp_env_system(), &sink, key), XMTP_OK);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(xmtp_archive_sealer_put(&s, elements[i]), XMTP_OK);
    }
    assert_int_equal(xmtp_archive_sealer_finish(&s), XMTP_OK);
    assert_int_equal(s.bytes, archive.n);
    xmtp_archive_sealer_free(&s);
}

/* Reads to the end or the first failure; *count: elements that came. */
static xmtp_status open_with(const uint8_t *with, const xmtp_bytes *expected, uint64_t *count)
{
    xmtp_archive_opener o;
    xmtp_bytes element;
    bool has_element = true;
    archive.at = 0;
    memset(&error, 0, sizeof(error));
    xmtp_status status =
        xmtp_archive_opener_open(&o, &xmtp_env_system()->alloc, &source, with, &error);
    while (status == XMTP_OK && has_element) {
        status = xmtp_archive_opener_next(&o, &element, &has_element, &error);
        if (status == XMTP_OK && has_element && expected != NULL) {
            assert_true(xmtp_bytes_equal(element, expected[o.count - 1]));
        }
    }
    *count = o.count;
    xmtp_archive_opener_free(&o);
    return status;
}

static xmtp_status open_all(uint64_t *count)
{
    return open_with(key, NULL, count);
}

/* Puts any bytes behind the head as one zstd stream. */
static void compress_raw(const void *p, size_t n)
{
    size_t done = ZSTD_compress(archive.p + HEADER, sizeof(archive.p) - HEADER, p, n, 3);
    assert_false(ZSTD_isError(done));
    archive.n = HEADER + done;
}

/* The stream behind the head, uncompressed. */
static size_t decompress_raw(uint8_t *out, size_t capacity)
{
    size_t n = ZSTD_decompress(out, capacity, archive.p + HEADER, archive.n - HEADER);
    assert_false(ZSTD_isError(n));
    return n;
}

#define TEXT(s)                                                                                    \
    {                                                                                              \
        .p = (const uint8_t *)(s), .n = sizeof(s) - 1                                              \
    }
static const xmtp_bytes three[] = {TEXT("metadata"), TEXT(""), TEXT("third")};

static void elements_come_back_in_order_however_the_bytes_come(void **state)
{
    (void)state;
    uint64_t count;
    seal(three, 3);
    for (size_t step = 0; step < 40; step++) {
        archive.step = step;
        assert_int_equal(open_with(key, three, &count), XMTP_OK);
        assert_int_equal(count, 3);
    }
}

static void an_archive_has_the_form_of_the_specification(void **state)
{
    (void)state;
    uint8_t raw[256];
    uint8_t plain[16];
    seal(three, 3);
    assert_int_equal(archive.p[0] | archive.p[1], 0); /* version */
    size_t n = decompress_raw(raw, sizeof(raw));
    assert_int_equal(n, (4 + 8 + 16) + (4 + 16) + (4 + 5 + 16));
    assert_memory_equal(raw, "\x18\0\0\0", 4);
    assert_memory_equal(raw + 28, "\x10\0\0\0", 4);
    uint8_t nonce[XMTP_ARCHIVE_NONCE_LEN];
    memcpy(nonce, archive.p + 2, sizeof(nonce));
    assert_int_equal(
        xmtp_aead_aes256gcm.open(key, nonce, (xmtp_bytes){0}, xmtp_bytes_of(raw + 4, 24), plain),
        XMTP_OK);
    assert_memory_equal(plain, "metadata", 8);
    /* the third one: base nonce + 2, little-endian */
    unsigned carry = 2;
    for (size_t i = 0; i < sizeof(nonce); i++) {
        carry += nonce[i];
        nonce[i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_int_equal(
        xmtp_aead_aes256gcm.open(key, nonce, (xmtp_bytes){0}, xmtp_bytes_of(raw + 52, 21), plain),
        XMTP_OK);
    assert_memory_equal(plain, "third", 5);
}

static void nonces_wrap_around(void **state)
{
    (void)state;
    uint64_t count;
    uint8_t raw[256];
    uint8_t nonce[XMTP_ARCHIVE_NONCE_LEN];
    memset(nonce, 0xff, sizeof(nonce));
    seal(three, 1); /* only for its head */
    memcpy(archive.p + 2, nonce, sizeof(nonce));
    for (size_t i = 0; i < 2; i++) {
        memcpy(raw + 24 * i, "\x14\0\0\0", 4);
        assert_int_equal(xmtp_aead_aes256gcm.seal(key, nonce, (xmtp_bytes){0},
                                                  xmtp_bytes_of("four", 4), raw + 24 * i + 4),
                         XMTP_OK);
        memset(nonce, 0, sizeof(nonce));
    }
    compress_raw(raw, 48);
    assert_int_equal(open_all(&count), XMTP_OK);
    assert_int_equal(count, 2);
}

static void the_older_form_with_the_base_nonce_twice_is_read(void **state)
{
    (void)state;
    uint64_t count;
    uint8_t raw[256];
    seal(three, 1);
    uint8_t *nonce = archive.p + 2;
    for (size_t i = 0; i < 4; i++) {
        uint8_t used[XMTP_ARCHIVE_NONCE_LEN];
        memcpy(used, nonce, sizeof(used));
        used[0] = (uint8_t)(0x10 + (i < 2 ? 0 : i - 1));
        if (i == 0) {
            nonce[0] = 0x10;
        }
        memcpy(raw + 24 * i, "\x14\0\0\0", 4);
        assert_int_equal(xmtp_aead_aes256gcm.seal(key, used, (xmtp_bytes){0},
                                                  xmtp_bytes_of("four", 4), raw + 24 * i + 4),
                         XMTP_OK);
    }
    compress_raw(raw, 96);
    assert_int_equal(open_all(&count), XMTP_OK);
    assert_int_equal(count, 4);
}

/* As whoever keeps the file could do it, who does not know the key. */
static void an_element_that_is_there_twice_does_not_open(void **state)
{
    (void)state;
    uint64_t count;
    uint8_t raw[256];
    seal(three, 3);
    size_t n = decompress_raw(raw, sizeof(raw));
    size_t last = n - 4 - 16 - three[2].n;
    memcpy(raw + n, raw + last, n - last);
    compress_raw(raw, 2 * n - last);
    assert_int_equal(open_all(&count), XMTP_E_CORRUPT);
    assert_int_equal(count, 3);
    assert_non_null(strstr(error.text, "element 3 does not open"));
}

static void a_wrong_key_is_told_from_a_damaged_archive(void **state)
{
    (void)state;
    uint64_t count;
    uint8_t raw[256];
    static const uint8_t other[XMTP_ARCHIVE_KEY_LEN] = {9};
    seal(three, 3);
    assert_int_equal(open_with(other, NULL, &count), XMTP_E_AUTH);
    assert_non_null(strstr(error.text, "wrong key"));
    size_t n = decompress_raw(raw, sizeof(raw));
    raw[n - 1] ^= 1;
    compress_raw(raw, n);
    assert_int_equal(open_all(&count), XMTP_E_CORRUPT);
    assert_int_equal(count, 2);
    assert_non_null(strstr(error.text, "element 2 does not open"));
}

static void elements_that_were_swapped_or_left_out_do_not_open(void **state)
{
    (void)state;
    uint64_t count;
    uint8_t raw[256];
    static const xmtp_bytes four[] = {TEXT("1234"), TEXT("2345"), TEXT("3456"), TEXT("4567")};
    uint8_t first_last[48];
    seal(four, 4);
    size_t n = decompress_raw(raw, sizeof(raw));
    assert_int_equal(n, 96);
    memcpy(first_last, raw, 24);
    memcpy(first_last + 24, raw + 72, 24);
    compress_raw(first_last, sizeof(first_last));
    assert_int_equal(open_all(&count), XMTP_E_CORRUPT);
    assert_int_equal(count, 1);
}

static void a_later_version_is_refused_by_its_number(void **state)
{
    (void)state;
    uint64_t count;
    seal(three, 3);
    archive.p[1] = 1;
    assert_int_equal(open_all(&count), XMTP_E_VERSION);
    assert_non_null(strstr(error.text, "version 256"));
}

static void every_cut_is_refused(void **state)
{
    (void)state;
    uint64_t count;
    seal(three, 3);
    size_t whole = archive.n;
    for (archive.n = 0; archive.n < whole; archive.n++) {
        assert_int_equal(open_all(&count), XMTP_E_TRUNCATED);
        assert_true(error.text[0] != '\0');
    }
}

static void a_stream_that_ends_within_an_element_is_refused(void **state)
{
    (void)state;
    uint64_t count;
    uint8_t raw[256];
    seal(three, 3);
    size_t n = decompress_raw(raw, sizeof(raw));
    for (size_t cut = 1; cut < n; cut++) {
        compress_raw(raw, cut);
        bool is_between = cut == 28 || cut == 48; /* a whole archive of fewer elements */
        assert_int_equal(open_all(&count), is_between ? XMTP_OK : XMTP_E_TRUNCATED);
    }
}

static void bytes_behind_the_end_are_refused(void **state)
{
    (void)state;
    uint64_t count;
    seal(three, 3);
    archive.p[archive.n++] = 0;
    assert_int_equal(open_all(&count), XMTP_E_TRAILING);
    assert_int_equal(count, 3);
}

/* A bit of the compression's head may mean nothing (its window, say): then everything comes. */
static void no_flipped_bit_changes_what_comes_out(void **state)
{
    (void)state;
    uint64_t count;
    seal(three, 3);
    for (size_t i = 0; i < 8 * archive.n; i++) {
        archive.p[i / 8] ^= (uint8_t)(1u << i % 8);
        if (open_with(key, three, &count) == XMTP_OK) {
            assert_int_equal(count, 3);
        } else {
            assert_true(error.text[0] != '\0');
        }
        archive.p[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    assert_int_equal(open_all(&count), XMTP_OK);
}

static void lengths_below_a_tag_and_beyond_the_limit_are_refused_before_reading_on(void **state)
{
    (void)state;
    uint64_t count;
    static const struct {
        uint32_t length;
        xmtp_status status;
    } cases[] = {
        {0, XMTP_E_LENGTH},
        {15, XMTP_E_LENGTH},
        {16, XMTP_E_TRUNCATED},
        {XMTP_ARCHIVE_ELEMENT_MAX, XMTP_E_TRUNCATED},
        {XMTP_ARCHIVE_ELEMENT_MAX + 1, XMTP_E_LIMIT},
        {UINT32_MAX, XMTP_E_LIMIT},
    };
    seal(three, 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t raw[4] = {(uint8_t)cases[i].length, (uint8_t)(cases[i].length >> 8),
                          (uint8_t)(cases[i].length >> 16), (uint8_t)(cases[i].length >> 24)};
        compress_raw(raw, sizeof(raw));
        assert_int_equal(open_all(&count), cases[i].status);
    }
}

/* 64 MiB of zeros in a few KB: elements of length 0. And the same as one element. */
static void a_bomb_is_refused_at_its_first_element(void **state)
{
    (void)state;
    uint64_t count;
    enum { BLOCK = 1 << 20, BLOCKS = 64 };
    uint8_t *zeros = calloc(1, BLOCK);
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    assert_non_null(zeros);
    assert_non_null(zstd);
    for (int first = 0; first < 2; first++) {
        seal(three, 1);
        zeros[3] = first == 0 ? 0 : 1; /* 0, or 16 MiB */
        ZSTD_outBuffer out = {.dst = archive.p + HEADER, .size = sizeof(archive.p) - HEADER};
        for (int i = 0; i < BLOCKS; i++) {
            ZSTD_inBuffer in = {.src = zeros, .size = BLOCK};
            size_t left = ZSTD_compressStream2(zstd, &out, &in,
                                               i + 1 == BLOCKS ? ZSTD_e_end : ZSTD_e_continue);
            assert_false(ZSTD_isError(left));
            zeros[3] = 0;
        }
        archive.n = HEADER + out.pos;
        archive.step = 16;
        assert_true(archive.n < 20000);
        assert_int_equal(open_all(&count), first == 0 ? XMTP_E_LENGTH : XMTP_E_AUTH);
        assert_int_equal(count, 0);
        assert_true(archive.at < archive.n); /* the rest was not even read */
    }
    (void)ZSTD_freeCCtx(zstd);
    free(zeros);
}

static void a_decoder_that_wants_too_much_memory_is_refused(void **state)
{
    (void)state;
    uint64_t count;
    seal(three, 1);
    /* magic; no checksum, no single segment; window 2^25 */
    memcpy(archive.p + HEADER, "\x28\xb5\x2f\xfd\x00\x78\x01\x00\x00", 9);
    archive.n = HEADER + 9;
    assert_int_equal(open_all(&count), XMTP_E_CORRUPT);
    assert_non_null(strstr(error.text, "memory"));
}

static xmtp_status refuse(void *context, xmtp_bytes bytes)
{
    (void)bytes;
    return --*(int *)context < 0 ? XMTP_E_DISK_FULL : XMTP_OK;
}

static void a_sink_that_fails_ends_the_work(void **state)
{
    (void)state;
    static uint8_t noise[1 << 18];
    for (int good = 0; good < 3; good++) {
        int left = good;
        const xmtp_archive_sink full = {.context = &left, .write = refuse};
        xmtp_archive_sealer s;
        xmtp_status status = xmtp_archive_sealer_open(&s, xmtp_env_system(), &full, key);
        if (status == XMTP_OK) {
            status = xmtp_archive_sealer_put(&s, xmtp_bytes_of(noise, sizeof(noise)));
        }
        if (status == XMTP_OK) {
            status = xmtp_archive_sealer_finish(&s);
        }
        assert_int_equal(status, XMTP_E_DISK_FULL);
        xmtp_archive_sealer_free(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_come_back_in_order_however_the_bytes_come),
        cmocka_unit_test(an_archive_has_the_form_of_the_specification),
        cmocka_unit_test(nonces_wrap_around),
        cmocka_unit_test(an_element_that_is_there_twice_does_not_open),
        cmocka_unit_test(the_older_form_with_the_base_nonce_twice_is_read),
        cmocka_unit_test(a_wrong_key_is_told_from_a_damaged_archive),
        cmocka_unit_test(elements_that_were_swapped_or_left_out_do_not_open),
        cmocka_unit_test(a_later_version_is_refused_by_its_number),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(a_stream_that_ends_within_an_element_is_refused),
        cmocka_unit_test(bytes_behind_the_end_are_refused),
        cmocka_unit_test(no_flipped_bit_changes_what_comes_out),
        cmocka_unit_test(lengths_below_a_tag_and_beyond_the_limit_are_refused_before_reading_on),
        cmocka_unit_test(a_bomb_is_refused_at_its_first_element),
        cmocka_unit_test(a_decoder_that_wants_too_much_memory_is_refused),
        cmocka_unit_test(a_sink_that_fails_ends_the_work),
    };
    return cmocka_run_group_tests_name("archive stream", tests, NULL, NULL);
}
