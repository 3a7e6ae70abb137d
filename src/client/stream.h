/* stream.h - what client.c has to end when a client closes, and what a host shares with a stream. */
#ifndef XMTP_CLIENT_STREAM_H
#define XMTP_CLIENT_STREAM_H

#include "client/round.h"

/* Ends the subscriptions; the next poll opens them again. */
void xmtp_stream_close(xmtp_client *client);
/* Forgets what was handed out of the queue: it will be offered again. */
void xmtp_queue_release_all(xmtp_client *client);
/* Applies items of one conversation that a stream brought, all at once and in their order; queries
 * when they do not fit. */
xmtp_status xmtp_stream_apply(xmtp_client *client, int64_t ref,
                              const Pb__GroupMessage__V1 *const *items, size_t count,
                              bool *has_news, xmtp_error *error);

#endif
