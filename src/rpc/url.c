/* url.c - see url.h. Only what getaddrinfo(3) can take gets through: letters, digits and "-._" in
 * names, hexadecimal digits and ":." in bracketed IPv6 addresses. */
#include "rpc/url.h"

#include "base/bytes.h"
#include "base/status.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* Copies n characters of text that must all be out of allowed. */
static bool copy_allowed(char *out, size_t capacity, const char *text, size_t n,
                         const char *allowed)
{
    if (n == 0 || n >= capacity || strspn(text, allowed) < n) {
        return false;
    }
    memcpy(out, text, n);
    out[n] = '\0';
    return true;
}

static bool parse_port(xmtp_url *out, const char *text, size_t n)
{
    if (!copy_allowed(out->port, sizeof out->port, text, n, "0123456789")) {
        return false;
    }
    long port = strtol(out->port, NULL, 10);
    return port >= 1 && port <= 65535;
}

/* text is what stands between "//" and the path, n characters. */
static bool parse_authority(xmtp_url *out, const char *text, size_t n)
{
    static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    static const char address[] = "0123456789abcdefABCDEF:.";
    bool is_bracketed = n > 0 && text[0] == '[';
    const char *host = is_bracketed ? text + 1 : text;
    size_t host_len = strcspn(host, is_bracketed ? "]/" : ":/");
    const char *rest = host + host_len;
    if (is_bracketed) {
        if (*rest != ']') {
            return false;
        }
        rest++;
    }
    size_t rest_len = (size_t)(text + n - rest);
    if (!copy_allowed(out->host, sizeof out->host, host, host_len, is_bracketed ? address : name)) {
        return false;
    }
    if (rest_len == 0) {
        const char *port = out->is_tls ? XMTP_URL_TLS_PORT_DEFAULT : XMTP_URL_PORT_DEFAULT;
        return parse_port(out, port, strlen(port));
    }
    return rest[0] == ':' && parse_port(out, rest + 1, rest_len - 1);
}

xmtp_status xmtp_url_parse(xmtp_url *out, const char *text, xmtp_error *error)
{
    *out = (xmtp_url){.is_tls = starts_with(text, "https://")};
    if (!out->is_tls && !starts_with(text, "http://")) {
        return xmtp_fail(error, XMTP_E_ARGUMENT,
                         "a node's address begins with https:// or http://");
    }
    const char *authority = strchr(text, '/') + 2;
    size_t n = strcspn(authority, "/");
    bool has_path = authority[n] != '\0' && authority[n + 1] != '\0';
    if (has_path || !parse_authority(out, authority, n)) {
        *out = (xmtp_url){0};
        return xmtp_fail(error, XMTP_E_ARGUMENT,
                         "a node's address is https://host:port, or http://host:port");
    }
    bool is_v6 = strchr(out->host, ':') != NULL;
    (void)snprintf(out->authority, sizeof out->authority, is_v6 ? "[%s]:%s" : "%s:%s", out->host,
                   out->port);
    return XMTP_OK;
}

bool xmtp_url_is_loopback(const xmtp_url *url)
{
    enum { LOOPBACK_NET = 127 };
    struct in6_addr v6;
    struct in_addr v4;
    if (inet_pton(AF_INET6, url->host, &v6) == 1) {
        return IN6_IS_ADDR_LOOPBACK(&v6);
    }
    if (inet_pton(AF_INET, url->host, &v4) == 1) {
        return ntohl(v4.s_addr) >> 24 == LOOPBACK_NET;
    }
    return strcasecmp(url->host, "localhost") == 0;
}
