/* stream.h - what client.c has to end when a client closes. */
#ifndef XMTP_CLIENT_STREAM_H
#define XMTP_CLIENT_STREAM_H

#include "client/state.h"

/* Ends the subscriptions; the next poll opens them again. */
void xmtp_stream_close(xmtp_client *client);
/* Forgets what was handed out of the queue: it will be offered again. */
void xmtp_queue_release_all(xmtp_client *client);

#endif
