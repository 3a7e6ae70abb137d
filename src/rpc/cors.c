/* cors.c - see cors.h. */
#include "rpc/cors.h"

#include "base/bytes.h"

#include <stdio.h>
#include <strings.h>

enum { ALLOW_LEN_MAX = 2048 };

const xmtp_http_field xmtp_cors_fields[XMTP_CORS_FIELDS] = {
    {"access-control-allow-origin", "*"},
    {"access-control-expose-headers",
     "grpc-status, grpc-message, grpc-status-details-bin, error-code, subscribed, retry-after-ms, "
     "x-ratelimit-limit, x-ratelimit-remaining"},
};

/* The lists of the official gateway, of the proxy before the official web node, and of xmtpd. */
static const char allowed[] =
    "accept, authorization, baggage, cache-control, connect-protocol-version, connect-timeout-ms, "
    "content-transfer-encoding, content-type, dnt, grpc-timeout, keep-alive, sec-ch-ua, "
    "sec-ch-ua-mobile, sec-ch-ua-platform, sentry-trace, traceparent, tracestate, user-agent, "
    "x-accept-content-transfer-encoding, x-accept-response-streaming, x-app-version, "
    "x-client-version, x-grpc-web, x-libxmtp-version, x-user-agent";

static bool is_name_char(char c)
{
    bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return is_letter || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Appends ", name" for each x- name in the preflight's list, as long as they fit. */
static void allow_asked(char *out, size_t n, const char *asked)
{
    for (const char *p = asked; *p != '\0';) {
        size_t len = 0;
        while (is_name_char(p[len])) {
            len++;
        }
        if (len > 2 && strncasecmp(p, "x-", 2) == 0 && n + len + 3 < ALLOW_LEN_MAX) {
            n += (size_t)snprintf(out + n, ALLOW_LEN_MAX - n, ", %.*s", (int)len, p);
        }
        p += len;
        while (*p != '\0' && !is_name_char(*p)) {
            p++;
        }
    }
}

void xmtp_cors_preflight(xmtp_http_exchange *x)
{
    char allow[ALLOW_LEN_MAX];
    const char *asked = xmtp_http_head_get(&x->head, "access-control-request-headers");
    const char *network = xmtp_http_head_get(&x->head, "access-control-request-private-network");
    size_t n = (size_t)snprintf(allow, sizeof allow, "%s", allowed);
    if (asked != NULL) {
        allow_asked(allow, n, asked);
    }
    xmtp_http_field fields[XMTP_CORS_FIELDS + 4] = {
        xmtp_cors_fields[0],
        xmtp_cors_fields[1],
        {"access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"},
        {"access-control-allow-headers", allow},
        {"access-control-max-age", "86400"},
        {"access-control-allow-private-network", "true"},
    };
    size_t count = network != NULL && strcmp(network, "true") == 0 ? 6 : 5;
    if (xmtp_http_respond(x, 200, fields, count, 0) == XMTP_OK) {
        xmtp_http_end(x);
    } else {
        xmtp_http_abort(x);
    }
}

void xmtp_cors_answer(xmtp_http_exchange *x, int status, const char *text)
{
    xmtp_http_answer(x, status, xmtp_cors_fields, XMTP_CORS_FIELDS, text);
}
