/* base_test.c - reader, writer, arena, hexadecimal. */
#include "base/arena.h"
#include "base/bytes.h"
#include "base/reader.h"
#include "base/status.h"
#include "base/writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// cmocka wants the headers above first
#include <cmocka.h>

static const xmtp_alloc *system_alloc(void)
{
    return &xmtp_env_system()->alloc;
}

static void varint_lengths_round_trip_in_their_shortest_form(void **state)
{
    (void)state;
    static const size_t values[] = {0, 1, 0x3f, 0x40, 0x3fff, 0x4000, 0x3fffffff};
    static const size_t lengths[] = {1, 1, 1, 2, 2, 4, 4};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        xmtp_writer w;
        xmtp_writer_init(&w, system_alloc(), 16);
        xmtp_writer_varint(&w, values[i]);
        assert_int_equal(w.status, XMTP_OK);
        assert_int_equal(w.n, lengths[i]);
        xmtp_reader r = xmtp_reader_of(xmtp_writer_bytes(&w));
        uint32_t got;
        assert_int_equal(xmtp_reader_varint(&r, &got), XMTP_OK);
        assert_int_equal(got, values[i]);
        assert_int_equal(xmtp_reader_end(&r), XMTP_OK);
        xmtp_writer_free(&w);
    }
}

static void varint_refuses_long_forms_and_prefix_three(void **state)
{
    (void)state;
    static const uint8_t bad[][4] = {
        {0x40, 0x3f}, {0x80, 0x00, 0x3f, 0xff}, {0xc0, 0, 0, 0}, {0x80, 0, 0, 1}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        xmtp_reader r = xmtp_reader_of(xmtp_bytes_of(bad[i], 4));
        uint32_t got;
        assert_int_equal(xmtp_reader_varint(&r, &got), XMTP_E_MALFORMED);
        assert_int_equal(r.n, 4);
    }
}

static void reads_past_the_end_fail_and_move_nothing(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {5, 1, 2};
    xmtp_reader r = xmtp_reader_of(xmtp_bytes_of(bytes, sizeof bytes));
    xmtp_bytes view;
    uint32_t four;
    assert_int_equal(xmtp_reader_vec(&r, &view), XMTP_E_TRUNCATED);
    assert_int_equal(xmtp_reader_u32(&r, &four), XMTP_E_TRUNCATED);
    assert_int_equal(r.n, 3);
    uint8_t exact[2];
    assert_int_equal(xmtp_reader_vec_exact(&r, exact, 2), XMTP_E_TRUNCATED);
}

static void nested_vectors_get_their_lengths(void **state)
{
    (void)state;
    xmtp_writer w;
    xmtp_writer_init(&w, system_alloc(), XMTP_WRITER_MAX);
    size_t outer = xmtp_writer_vec_open(&w);
    for (int i = 0; i < 100; i++) {
        size_t inner = xmtp_writer_vec_open(&w);
        xmtp_writer_u16(&w, (uint16_t)i);
        xmtp_writer_vec_close(&w, inner);
    }
    xmtp_writer_vec_close(&w, outer);
    assert_int_equal(w.n, 2 + 300);
    xmtp_reader r = xmtp_reader_of(xmtp_writer_bytes(&w));
    xmtp_reader list;
    assert_int_equal(xmtp_reader_vec_open(&r, &list), XMTP_OK);
    for (int i = 0; i < 100; i++) {
        xmtp_reader item;
        uint16_t value;
        assert_int_equal(xmtp_reader_vec_open(&list, &item), XMTP_OK);
        assert_int_equal(xmtp_reader_u16(&item, &value), XMTP_OK);
        assert_int_equal(value, i);
    }
    assert_int_equal(xmtp_reader_end(&list), XMTP_OK);
    xmtp_writer_free(&w);
}

static void writer_stops_at_its_ceiling_and_stays_failed(void **state)
{
    (void)state;
    xmtp_writer w;
    xmtp_writer_init(&w, system_alloc(), 4);
    xmtp_writer_u32(&w, 1);
    assert_int_equal(w.status, XMTP_OK);
    xmtp_writer_u8(&w, 1);
    assert_int_equal(w.status, XMTP_E_LIMIT);
    xmtp_writer_put(&w, (xmtp_bytes){0});
    assert_int_equal(w.status, XMTP_E_LIMIT);
    xmtp_writer_free(&w);
}

static void a_rewound_arena_keeps_one_block_that_is_not_too_large(void **state)
{
    (void)state;
    xmtp_arena arena;
    xmtp_arena_init(&arena, system_alloc(), 1 << 20);
    void *kept, *large, *again;
    assert_int_equal(xmtp_arena_take(&arena, 10000, &kept), XMTP_OK);
    memset(kept, 'x', 10000);
    assert_int_equal(xmtp_arena_take(&arena, 100000, &large), XMTP_OK);
    xmtp_arena_rewind(&arena, 50000);
    assert_int_equal(arena.used, 0);
    assert_int_equal(xmtp_arena_reserve(&arena, 10000), XMTP_OK);
    assert_int_equal(xmtp_arena_take(&arena, 10000, &again), XMTP_OK);
    assert_ptr_equal(kept, again);
    for (size_t i = 0; i < 10000; i++) {
        assert_int_equal(((uint8_t *)again)[i], 0);
    }
    assert_int_equal(xmtp_arena_reserve(&arena, (1 << 20) - 10000), XMTP_OK);
    assert_int_equal(xmtp_arena_reserve(&arena, (1 << 20) - 9999), XMTP_E_LIMIT);
    xmtp_arena_reset(&arena);
    assert_null(arena.blocks);
}

static void a_writer_with_reserved_room_does_not_move(void **state)
{
    (void)state;
    xmtp_writer w;
    xmtp_writer_init(&w, system_alloc(), 5000);
    xmtp_writer_reserve(&w, 5000);
    const uint8_t *before = w.p;
    for (uint32_t i = 0; i < 1250; i++) {
        xmtp_writer_u32(&w, i);
    }
    assert_int_equal(xmtp_writer_status(&w), XMTP_OK);
    assert_ptr_equal(w.p, before);
    xmtp_writer_reserve(&w, 1);
    assert_int_equal(xmtp_writer_status(&w), XMTP_E_LIMIT);
    xmtp_writer_free(&w);
}

static void a_trimmed_writer_gives_back_what_is_much(void **state)
{
    (void)state;
    xmtp_writer w;
    xmtp_writer_init(&w, system_alloc(), 5000);
    xmtp_writer_reserve(&w, 1000);
    xmtp_writer_u8(&w, 1);
    xmtp_writer_trim(&w, 1024);
    assert_int_equal(xmtp_writer_bytes(&w).n, 0);
    assert_int_equal(w.capacity, 1024);
    xmtp_writer_trim(&w, 1023);
    assert_null(w.p);
    xmtp_writer_u8(&w, 1);
    assert_int_equal(xmtp_writer_status(&w), XMTP_OK);
    xmtp_writer_free(&w);
}

static void arena_refuses_more_than_its_ceiling(void **state)
{
    (void)state;
    xmtp_arena arena;
    xmtp_arena_init(&arena, system_alloc(), 10000);
    void *p;
    assert_int_equal(xmtp_arena_take(&arena, 9000, &p), XMTP_OK);
    assert_int_equal(xmtp_arena_take(&arena, 1001, &p), XMTP_E_LIMIT);
    assert_null(p);
    assert_int_equal(xmtp_arena_take_array(&arena, SIZE_MAX / 2, 4, &p), XMTP_E_LIMIT);
    assert_int_equal(xmtp_arena_take(&arena, SIZE_MAX, &p), XMTP_E_LIMIT);
    assert_int_equal(xmtp_arena_take(&arena, 900, &p), XMTP_OK);
    xmtp_arena_reset(&arena);
    assert_int_equal(arena.used, 0);
}

static void hex_refuses_wrong_digits_and_lengths(void **state)
{
    (void)state;
    uint8_t out[2];
    assert_int_equal(xmtp_hex_decode(out, 2, "aBcD", 4), XMTP_OK);
    assert_int_equal(out[0], 0xab);
    assert_int_equal(out[1], 0xcd);
    assert_int_equal(xmtp_hex_decode(out, 2, "abc", 3), XMTP_E_LENGTH);
    assert_int_equal(xmtp_hex_decode(out, 2, "abcg", 4), XMTP_E_MALFORMED);
    assert_int_equal(out[0], 0);
    char text[5];
    xmtp_hex_encode(text, xmtp_bytes_of("\x01\xfe", 2));
    assert_string_equal(text, "01fe");
}

static void every_status_has_a_text_and_a_name(void **state)
{
    (void)state;
    assert_string_equal(xmtp_status_text(XMTP_E_AUTH),
                        "authentication failed: wrong key, nonce or data");
    assert_string_equal(xmtp_status_name(XMTP_E_AUTH), "E_AUTH");
    assert_string_equal(xmtp_status_name((xmtp_status)-9999), "E_UNKNOWN");
    xmtp_error error = {0};
    assert_int_equal(xmtp_fail(&error, XMTP_E_LIMIT, "%d of %d", 5, 4), XMTP_E_LIMIT);
    assert_string_equal(error.text, "5 of 4");
    assert_int_equal(xmtp_fail_default(&error, XMTP_E_LIMIT, "x"), XMTP_E_LIMIT);
    assert_string_equal(error.text, "5 of 4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(varint_lengths_round_trip_in_their_shortest_form),
        cmocka_unit_test(varint_refuses_long_forms_and_prefix_three),
        cmocka_unit_test(reads_past_the_end_fail_and_move_nothing),
        cmocka_unit_test(nested_vectors_get_their_lengths),
        cmocka_unit_test(writer_stops_at_its_ceiling_and_stays_failed),
        cmocka_unit_test(arena_refuses_more_than_its_ceiling),
        cmocka_unit_test(a_rewound_arena_keeps_one_block_that_is_not_too_large),
        cmocka_unit_test(a_writer_with_reserved_room_does_not_move),
        cmocka_unit_test(a_trimmed_writer_gives_back_what_is_much),
        cmocka_unit_test(hex_refuses_wrong_digits_and_lengths),
        cmocka_unit_test(every_status_has_a_text_and_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
