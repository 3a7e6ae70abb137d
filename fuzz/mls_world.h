/* mls_world.h - the members and stores of src/mls/group_world.h for fuzz targets: what a test would
 * fail by aborts here. Include before anything of src/mls.
 */
#ifndef XMTP_FUZZ_MLS_WORLD_H
#define XMTP_FUZZ_MLS_WORLD_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define fail_msg(...)                                                                              \
    do {                                                                                           \
        (void)fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                      \
        (void)fprintf(stderr, __VA_ARGS__);                                                        \
        (void)fprintf(stderr, "\n");                                                               \
        abort();                                                                                   \
    } while (0)
#define assert_true(condition)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fail_msg("%s", #condition);                                                            \
        }                                                                                          \
    } while (0)
#define assert_false(condition)      assert_true(!(condition))
#define assert_null(p)               assert_true((p) == NULL)
#define assert_non_null(p)           assert_true((p) != NULL)
#define assert_int_equal(a, b)       assert_true((long long)(a) == (long long)(b))
#define assert_memory_equal(a, b, n) assert_true(memcmp((a), (b), (n)) == 0)

#include "mls/group_dump.h"

/* ---- reading the input: zeros behind its end ---- */

static inline uint8_t take_u8(xmtp_reader *r)
{
    uint8_t value = 0;
    (void)!xmtp_reader_u8(r, &value);
    return value;
}

static inline xmtp_bytes take_rest(xmtp_reader *r)
{
    const xmtp_bytes rest = xmtp_bytes_of(r->p, r->n);
    *r = (xmtp_reader){0};
    return rest;
}

/* ---- bytes that live as long as an arena ---- */

static inline xmtp_writer writer_new(const xmtp_alloc *alloc)
{
    xmtp_writer w;
    xmtp_writer_init(&w, alloc, XMTP_WRITER_MAX);
    return w;
}

static inline xmtp_bytes writer_keep(xmtp_writer *w, xmtp_arena *arena)
{
    xmtp_bytes out;
    assert_int_equal(xmtp_writer_status(w), XMTP_OK);
    assert_int_equal(xmtp_arena_copy(arena, xmtp_writer_bytes(w), &out), XMTP_OK);
    xmtp_writer_free(w);
    return out;
}

/* ---- members ---- */

/* External PSKs with names of five bytes are known to everybody. */
static inline xmtp_status find_psk(void *context, const xmtp_mls_psk *psk, uint8_t *out,
                                   size_t *out_len)
{
    (void)context;
    if (psk->type != XMTP_MLS_PSK_EXTERNAL || psk->id.n != 5) {
        return XMTP_E_NOT_FOUND;
    }
    memset(out, psk->id.p[4], 32);
    *out_len = 32;
    return XMTP_OK;
}

static const uint16_t custom_types[] = {0xf001};

static inline void full_member(member *m, world_env *world, const char *name)
{
    member_init(m, world, name);
    m->config.keep_proposals = true;
    m->config.resumption_psks_max = 3;
    m->config.find_psk = find_psk;
    m->config.custom_proposals = (xmtp_mls_u16_list){custom_types, 1};
}

#endif
