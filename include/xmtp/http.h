/* http.h - one HTTP request and its answer: how the library reaches another server than a node, such as
 * the history server of device_sync.h.
 *
 * An interface only, so that libxmtp.so asks for no HTTP library: an application hands in the one that it
 * has. The xmtp program has one over libcurl, a test a function that answers.
 */
#ifndef XMTP_HTTP_H
#define XMTP_HTTP_H

#include <xmtp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct xmtp_http_request {
    const char *method; /* "GET", "POST" */
    const char *url;
    const char *content_type; /* of the body; NULL: none is named */
    xmtp_bytes body;
    /* Where the answer's body goes, piece by piece; another status than XMTP_OK ends the call with
     * it. Nothing is handed over when the status is not 2xx. */
    xmtp_status (*sink)(void *context, xmtp_bytes piece);
    void *sink_context;
    uint64_t answer_len_max; /* bytes of the answer's body: beyond them XMTP_E_LIMIT */
    uint64_t timeout_ns;     /* for everything from name look-up to the last byte */
    uint32_t redirect_count_max;
    /* For an address that a stranger chose: https only, and no host of a private network, also not
     * after a redirect or through a name that points there. */
    bool public_only;
} xmtp_http_request;

/* Belongs to one thread at a time. */
typedef struct xmtp_http {
    void *context;
    /* *http_status: 200 and so on; 0 when none came.
     * XMTP_OK            an answer came and is complete, whatever its status
     * XMTP_E_ARGUMENT    not a URL, or a scheme that is not allowed
     * XMTP_E_ADDRESS     the host is not public
     * XMTP_E_NETWORK     not reached, cut off, or its certificate does not hold
     * XMTP_E_TIMEOUT, XMTP_E_LIMIT, XMTP_E_NOMEM, and what sink returned */
    xmtp_status (*request)(void *context, const xmtp_http_request *request, uint32_t *http_status,
                           xmtp_error *error);
    /* Called by whoever made it; the library does not. May be NULL then. */
    void (*close)(void *context);
} xmtp_http;

#ifdef __cplusplus
}
#endif
#endif
