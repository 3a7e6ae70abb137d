/* fetch.h - HTTP and HTTPS over libcurl, behind the interface of rpc/http.h. */
#ifndef XMTP_FETCH_FETCH_H
#define XMTP_FETCH_FETCH_H

#include "rpc/http.h"

#include <sys/socket.h>

typedef struct xmtp_fetch_options {
    const xmtp_env *env;
    /* PEM file of the roots to trust. NULL: those of the system. */
    const char *ca_file;
} xmtp_fetch_options;

/* A client that keeps connections for the next request. options are copied, except env.
 * XMTP_E_NOMEM. */
xmtp_status xmtp_fetch_open(xmtp_http *out, const xmtp_fetch_options *options);

/* An address of the public internet: not loopback, private, link-local, shared (RFC 6598), for
 * documentation, multicast or reserved (IANA special-purpose registries, RFC 6890), also when it
 * wraps such an IPv4 address. False for other families. */
bool xmtp_address_is_public(const struct sockaddr *address);

#endif
