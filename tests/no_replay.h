/* no_replay.h - a wire to a node that replays nothing to a subscription without a cursor, as the nodes of
 * the network do: for tests of what comes before a stream is open.
 */
#ifndef XMTP_TESTS_NO_REPLAY_H
#define XMTP_TESTS_NO_REPLAY_H

#include "base/arena.h"
#include "proto/message.h"
#include "proto/mls_api.pb-c.h"
#include "test_network.h"

/* For wire.outer.subscribe. What comes later is not brought to such a filter either. */
static xmtp_status subscribe_without_replay(void *context, const char *path, xmtp_bytes request,
                                            xmtp_stream **out, xmtp_error *error)
{
    wire *w = context;
    xmtp_arena arena;
    xmtp_writer changed;
    void *p;
    if (strstr(path, "SubscribeWelcomeMessages") == NULL) {
        return wire_subscribe(w, path, request, out, error);
    }
    xmtp_arena_init(&arena, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&changed, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    assert_int_equal(
        xmtp_proto_decode(&pb__subscribe_welcome_messages_request__descriptor, &arena, request, &p),
        XMTP_OK);
    Pb__SubscribeWelcomeMessagesRequest *decoded = p;
    for (size_t i = 0; i < decoded->n_filters; i++) {
        if (decoded->filters[i]->id_cursor == 0) {
            decoded->filters[i]->has_id_cursor = 1;
            decoded->filters[i]->id_cursor = INT64_MAX;
        }
    }
    assert_int_equal(xmtp_proto_encode(&decoded->base, &changed), XMTP_OK);
    xmtp_status status = wire_subscribe(w, path, xmtp_writer_bytes(&changed), out, error);
    xmtp_writer_free(&changed);
    xmtp_arena_reset(&arena);
    return status;
}

#endif
