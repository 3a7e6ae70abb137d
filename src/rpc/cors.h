/* cors.h - what a browser must be told before a page of another origin may talk to us (the Fetch
 * standard; node.md 1.7).
 *
 * Any origin may: nothing here rests on cookies. The headers go onto errors too, or the page would
 * see a CORS failure in place of the error.
 */
#ifndef XMTP_RPC_CORS_H
#define XMTP_RPC_CORS_H

#include "rpc/http_exchange.h"

enum { XMTP_CORS_FIELDS = 2 };

/* The fields that every answer carries. */
extern const xmtp_http_field xmtp_cors_fields[XMTP_CORS_FIELDS];

/* Answers an OPTIONS request and ends it: the header fields that any official client or proxy list
 * names, any x- field that the preflight names, and the private network if it asks. */
void xmtp_cors_preflight(xmtp_http_exchange *x);

/* xmtp_http_answer with these fields. */
void xmtp_cors_answer(xmtp_http_exchange *x, int status, const char *text);

#endif
