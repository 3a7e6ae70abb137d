/* grease.c - see grease.h. */
#include "mls/grease.h"

#include "base/bytes.h"
#include "base/status.h"

enum { GREASE_VALUES = 15, GREASE_DATA_MAX = 15 };

bool xmtp_is_grease(uint16_t value)
{
    return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff) &&
           value >> 12 < GREASE_VALUES;
}

xmtp_status xmtp_grease_value(const xmtp_env *env, uint16_t *out)
{
    uint8_t random;
    XMTP_TRY(env->random(env->context, &random, 1));
    *out = (uint16_t)(0x0a0a + 0x1010 * (random % GREASE_VALUES));
    return XMTP_OK;
}

xmtp_status xmtp_grease_extension_encode(const xmtp_env *env, uint16_t type, xmtp_writer *w)
{
    uint8_t random[1 + GREASE_DATA_MAX];
    XMTP_TRY(env->random(env->context, random, sizeof random));
    xmtp_extension_encode(w, type, xmtp_bytes_of(random + 1, random[0] % (GREASE_DATA_MAX + 1)));
    return xmtp_writer_status(w);
}

/* A list that has it already stays as it is. */
static xmtp_status grease_list(const xmtp_env *env, xmtp_arena *arena, xmtp_u16_list *list)
{
    xmtp_writer w;
    uint16_t value;
    uint8_t place;
    XMTP_TRY(xmtp_grease_value(env, &value));
    XMTP_TRY(env->random(env->context, &place, 1));
    if (xmtp_u16_list_has(*list, value)) {
        return XMTP_OK;
    }
    const size_t before = 2 * (place % (xmtp_u16_list_count(*list) + 1));
    xmtp_writer_init(&w, arena->alloc, XMTP_WRITER_MAX);
    xmtp_writer_put(&w, xmtp_bytes_of(list->raw.p, before));
    xmtp_writer_u16(&w, value);
    if (before < list->raw.n) {
        xmtp_writer_put(&w, xmtp_bytes_of(list->raw.p + before, list->raw.n - before));
    }
    return xmtp_writer_to_arena(&w, XMTP_OK, arena, &list->raw);
}

static bool has_extension(const xmtp_extensions *list, uint16_t type)
{
    xmtp_bytes data;
    return xmtp_extensions_find(list, type, &data);
}

xmtp_status xmtp_grease_extensions(const xmtp_env *env, xmtp_arena *arena, xmtp_u16_list supported,
                                   xmtp_extensions *list)
{
    xmtp_writer w;
    xmtp_bytes raw;
    for (size_t i = 0; i < xmtp_u16_list_count(supported); i++) {
        const uint16_t type = xmtp_u16_list_at(supported, i);
        if (!xmtp_is_grease(type) || has_extension(list, type)) {
            continue;
        }
        xmtp_writer_init(&w, arena->alloc, XMTP_WRITER_MAX);
        xmtp_writer_put(&w, list->raw);
        XMTP_TRY(
            xmtp_writer_to_arena(&w, xmtp_grease_extension_encode(env, type, &w), arena, &raw));
        return xmtp_extensions_of(raw, list);
    }
    return XMTP_OK;
}

xmtp_status xmtp_grease_leaf(const xmtp_env *env, xmtp_arena *arena, xmtp_leaf_node *leaf)
{
    xmtp_capabilities *c = &leaf->capabilities;
    XMTP_TRY(grease_list(env, arena, &c->cipher_suites));
    XMTP_TRY(grease_list(env, arena, &c->extensions));
    XMTP_TRY(grease_list(env, arena, &c->proposals));
    XMTP_TRY(grease_list(env, arena, &c->credentials));
    return xmtp_grease_extensions(env, arena, c->extensions, &leaf->extensions);
}
