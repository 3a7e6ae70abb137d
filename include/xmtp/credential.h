/* credential.h - what a gateway in front of a node wants to see with each call.
 *
 *     static xmtp_status token(void *context, xmtp_credential *out)
 *     {
 *         *out = (xmtp_credential){.value = fetch_token(context), .expires_at_s = ...};
 *         return XMTP_OK;
 *     }
 *     xmtp_setup setup = {.credentials = {.get = token}};
 *
 * A credential goes to an https:// address, or to this machine (localhost, 127.x.x.x, ::1). Elsewhere
 * over http:// it could be read on the way and is refused with XMTP_E_ARGUMENT, unless the source says
 * that it may travel in clear text, for a gateway behind a tunnel that encrypts.
 */
#ifndef XMTP_CREDENTIAL_H
#define XMTP_CREDENTIAL_H

#include <xmtp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    XMTP_CREDENTIAL_HEADER_MAX = 63,  /* characters */
    XMTP_CREDENTIAL_VALUE_MAX = 8191, /* characters */
};

typedef struct xmtp_credential {
    const char *header;    /* letters, digits and "-_."; NULL: authorization */
    const char *value;     /* visible ASCII and spaces; copied, and wiped when it is replaced */
    uint64_t expires_at_s; /* seconds since 1970; 0: never */
} xmtp_credential;

/* Where credentials come from: asked before the first call, and again before a call for which the
 * last one would be used within 10 s of its end, by env's clock. Must not call the client; may block. A
 * status other than XMTP_OK, a credential that has expired or cannot be sent (XMTP_E_ARGUMENT) fails
 * the call, of which the node then sees nothing. Streams that are open stay as they are. */
typedef struct xmtp_credential_source {
    void *context;
    xmtp_status (*get)(void *context, xmtp_credential *out);
    bool may_travel_in_clear; /* over http:// to another machine too */
} xmtp_credential_source;

#ifdef __cplusplus
}
#endif
#endif
