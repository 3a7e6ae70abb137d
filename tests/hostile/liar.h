/* liar.h - a node that lies to one client: its answers are altered on their way; for tests only.
 *
 *     client --> liar --> wire --> honest node
 */
#ifndef XMTP_TESTS_LIAR_H
#define XMTP_TESTS_LIAR_H

#include "../test_network.h"
#include "proto/identity.pb-c.h"
#include "proto/message.h"
#include "proto/mls_api.pb-c.h"

enum { ITEMS_MAX = 512 };

typedef struct liar {
    wire *wire;
    const char *method; /* whose answers are altered; NULL: all */
    /* Alters the answer or gives another status. NULL: honest. */
    xmtp_status (*lie)(struct liar *liar, xmtp_writer *response);
    uint64_t state; /* of its dice */
    size_t lies;
    xmtp_arena arena; /* of one lie */
} liar;

static liar the_liar;

static inline uint32_t roll(liar *l, uint32_t sides)
{
    uint64_t z = (l->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ (z >> 31)) % sides);
}

static inline xmtp_status liar_unary(void *context, const char *path, xmtp_bytes request,
                                     xmtp_writer *response, xmtp_error *error)
{
    liar *l = &the_liar;
    xmtp_status status = wire_unary(context, path, request, response, error);
    bool is_meant = l->method == NULL || strstr(path, l->method) != NULL;
    if (status != XMTP_OK || l->lie == NULL || !is_meant) {
        return status;
    }
    l->lies++;
    xmtp_arena_init(&l->arena, &xmtp_env_system()->alloc, (size_t)1 << 28);
    status = l->lie(l, response);
    xmtp_arena_reset(&l->arena);
    if (status != XMTP_OK) {
        xmtp_writer_clear(response);
        return status;
    }
    return XMTP_OK;
}

static inline void lie_to(person *p)
{
    the_liar = (liar){.wire = &p->wire, .state = 1};
    p->wire.outer.unary = liar_unary;
}

static inline void start_lying(const char *method, xmtp_status (*lie)(liar *, xmtp_writer *))
{
    the_liar.method = method;
    the_liar.lie = lie;
    the_liar.lies = 0;
}

static inline void be_honest(void)
{
    the_liar.lie = NULL;
}

/* ---- decoding an answer and putting another in its place */

static inline void *decoded(liar *l, const ProtobufCMessageDescriptor *type,
                            const xmtp_writer *response)
{
    void *message;
    assert_int_equal(xmtp_proto_decode(type, &l->arena, xmtp_writer_bytes(response), &message),
                     XMTP_OK);
    return message;
}

static inline xmtp_status answer_with(xmtp_writer *response, const ProtobufCMessage *message)
{
    xmtp_writer_clear(response);
    return xmtp_proto_encode(message, response);
}

static inline void *taken(liar *l, size_t n)
{
    void *p;
    assert_int_equal(xmtp_arena_take(&l->arena, n, &p), XMTP_OK);
    return p;
}

/* Lists that answers consist of, whatever their items are. */
typedef struct item_list {
    size_t *count;
    void ***items;
} item_list;

static inline void reverse_items(item_list list)
{
    for (size_t i = 0; i < *list.count / 2; i++) {
        void *first = (*list.items)[i];
        (*list.items)[i] = (*list.items)[*list.count - 1 - i];
        (*list.items)[*list.count - 1 - i] = first;
    }
}

static inline void double_items(liar *l, item_list list)
{
    void **twice = taken(l, 2 * (*list.count + 1) * sizeof(void *));
    for (size_t i = 0; i < *list.count; i++) {
        twice[2 * i] = (*list.items)[i];
        twice[2 * i + 1] = (*list.items)[i];
    }
    *list.items = twice;
    *list.count *= 2;
}

static inline void drop_item(item_list list, size_t at)
{
    for (size_t i = at; i + 1 < *list.count; i++) {
        (*list.items)[i] = (*list.items)[i + 1];
    }
    *list.count -= *list.count > 0;
}

#endif
