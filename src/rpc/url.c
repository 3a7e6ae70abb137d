/* url.c - see url.h. Only what getaddrinfo(3) can take gets through: letters, digits and "-._" in
 * names, hexadecimal digits and ":." in bracketed IPv6 addresses. */
#include "rpc/url.h"

#include "base/bytes.h"
#include "base/status.h"

#include <stdio.h>
#include <stdlib.h>

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
        return parse_port(out, XMTP_URL_PORT_DEFAULT, strlen(XMTP_URL_PORT_DEFAULT));
    }
    return rest[0] == ':' && parse_port(out, rest + 1, rest_len - 1);
}

xmtp_status xmtp_url_parse(xmtp_url *out, const char *text, xmtp_error *error)
{
    static const char scheme[] = "http://";
    *out = (xmtp_url){0};
    if (starts_with(text, "https://")) {
        return xmtp_fail(error, XMTP_E_UNSUPPORTED,
                         "https is not supported yet: give the node's http:// address");
    }
    const char *authority = text + strlen(scheme);
    if (!starts_with(text, scheme)) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "a node's address begins with http://");
    }
    size_t n = strcspn(authority, "/");
    bool has_path = authority[n] != '\0' && authority[n + 1] != '\0';
    if (has_path || !parse_authority(out, authority, n)) {
        *out = (xmtp_url){0};
        return xmtp_fail(error, XMTP_E_ARGUMENT, "a node's address is http://host:port");
    }
    bool is_v6 = strchr(out->host, ':') != NULL;
    (void)snprintf(out->authority, sizeof out->authority, is_v6 ? "[%s]:%s" : "%s:%s", out->host,
                   out->port);
    return XMTP_OK;
}
