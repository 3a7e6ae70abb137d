/* no_replay.h - a wire to a node that replays nothing to a subscription without a cursor, as the nodes of
 * the network do: for tests of what comes before a stream is open.
 */
#ifndef XMTP_TESTS_NO_REPLAY_H
#define XMTP_TESTS_NO_REPLAY_H

#include "changed_request.h"
#include "proto/mls_api.pb-c.h"

static void look_from_the_end(void *decoded)
{
    Pb__SubscribeWelcomeMessagesRequest *request = decoded;
    for (size_t i = 0; i < request->n_filters; i++) {
        if (request->filters[i]->id_cursor == 0) {
            request->filters[i]->has_id_cursor = 1;
            request->filters[i]->id_cursor = INT64_MAX;
        }
    }
}

/* For wire.outer.subscribe. What comes later is not brought to such a filter either. */
static xmtp_status subscribe_without_replay(void *context, const char *path, xmtp_bytes request,
                                            xmtp_stream **out, xmtp_error *error)
{
    if (strstr(path, "SubscribeWelcomeMessages") == NULL) {
        return wire_subscribe(context, path, request, out, error);
    }
    xmtp_writer changed = changed_request(&pb__subscribe_welcome_messages_request__descriptor,
                                          request, look_from_the_end);
    xmtp_status status = wire_subscribe(context, path, xmtp_writer_bytes(&changed), out, error);
    xmtp_writer_free(&changed);
    return status;
}

#endif
