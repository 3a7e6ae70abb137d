/* url.h - the address of a node: "https://host[:port][/]", or "http://" for clear text. */
#ifndef XMTP_RPC_URL_H
#define XMTP_RPC_URL_H

#include <xmtp/base.h>

#define XMTP_URL_PORT_DEFAULT     "5556"
#define XMTP_URL_TLS_PORT_DEFAULT "443"

enum { XMTP_URL_HOST_MAX = 254, XMTP_URL_PORT_MAX = 6 };

typedef struct xmtp_url {
    bool is_tls;                                               /* https */
    char host[XMTP_URL_HOST_MAX];                              /* IPv6 without brackets */
    char port[XMTP_URL_PORT_MAX];                              /* decimal */
    char authority[XMTP_URL_HOST_MAX + XMTP_URL_PORT_MAX + 3]; /* "host:port", "[::1]:port" */
} xmtp_url;

/* XMTP_E_ARGUMENT: anything that is not such a url, with a sentence; *out is zeroed then. */
xmtp_status xmtp_url_parse(xmtp_url *out, const char *text, xmtp_error *error);

/* What is sent there stays on this machine, whatever a name server says: "localhost", 127.x.x.x, ::1. */
bool xmtp_url_is_loopback(const xmtp_url *url);

#endif
