/* http.h - an HTTP request as applications make it possible (<xmtp/http.h>), for those who need another
 * server than a node: the history server, a file that somebody attached, the JSON-RPC of a chain.
 *
 * No room below the program depends on an HTTP library: src/fetch has one over libcurl, a test a function
 * that answers.
 */
#ifndef XMTP_RPC_HTTP_H
#define XMTP_RPC_HTTP_H

#include "base/writer.h"

#include <xmtp/http.h>

/* A sink that appends to the xmtp_writer that is its context. */
xmtp_status xmtp_http_to_writer(void *context, xmtp_bytes piece);

#endif
