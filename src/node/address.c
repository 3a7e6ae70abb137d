/* address.c - see address.h. */
#include "node/address.h"

#include "base/status.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { HOST_LEN_MAX = 63 };

static const struct {
    const char *name;
    unsigned bit;
} words[] = {
    {"grpc", XMTP_NODE_GRPC},       {"web", XMTP_NODE_WEB},
    {"gateway", XMTP_NODE_GATEWAY}, {"history", XMTP_NODE_HISTORY},
    {"admin", XMTP_NODE_ADMIN},     {"proxy", XMTP_NODE_PROXY},
    {"clear", XMTP_NODE_CLEAR},     {"validation", XMTP_NODE_VALIDATION},
};

static unsigned bit_of(const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strlen(words[i].name) == n && memcmp(words[i].name, name, n) == 0) {
            return words[i].bit;
        }
    }
    return 0;
}

/* *text moves behind the "=". */
static xmtp_status parse_protocols(const char **text, unsigned *out, xmtp_error *error)
{
    const char *equals = strchr(*text, '=');
    *out = 0;
    while (equals != NULL && *text <= equals) {
        size_t n = strcspn(*text, "+=");
        unsigned bit = bit_of(*text, n);
        if (bit == 0) {
            return xmtp_fail(error, XMTP_E_ARGUMENT,
                             "%.80s: before the = there may be grpc, web, gateway, history, admin, "
                             "validation, proxy, clear",
                             *text);
        }
        *out |= bit;
        *text += n + 1;
    }
    unsigned services = XMTP_NODE_ALL | XMTP_NODE_ADMIN | XMTP_NODE_VALIDATION;
    *out |= (*out & services) == 0 ? XMTP_NODE_ALL : 0;
    return XMTP_OK;
}

/* "127.0.0.1:5556" or "[::1]:5556". */
static bool parse_socket(const char *text, struct sockaddr_storage *out)
{
    char host[HOST_LEN_MAX + 1];
    const char *colon = strrchr(text, ':');
    size_t n = colon == NULL ? 0 : (size_t)(colon - text);
    char *end = NULL;
    unsigned long port = colon == NULL ? 0 : strtoul(colon + 1, &end, 10);
    bool is_v6 = n > 2 && text[0] == '[' && text[n - 1] == ']';
    size_t skip = is_v6 ? 1 : 0;
    if (n == 0 || n > HOST_LEN_MAX || end == colon + 1 || *end != '\0' || port > UINT16_MAX) {
        return false;
    }
    memcpy(host, text + skip, n - 2 * skip);
    host[n - 2 * skip] = '\0';
    int code = is_v6 ? uv_ip6_addr(host, (int)port, (struct sockaddr_in6 *)out)
                     : uv_ip4_addr(host, (int)port, (struct sockaddr_in *)out);
    return code == 0;
}

bool xmtp_node_address_is_loopback(const xmtp_node_address *address)
{
    if (address->socket.ss_family == AF_INET6) {
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&address->socket)->sin6_addr);
    }
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->socket;
    return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
}

xmtp_status xmtp_node_address_parse(xmtp_node_address *out, const char *text, xmtp_error *error)
{
    const char *whole = text;
    *out = (xmtp_node_address){.protocols = 0};
    XMTP_TRY(parse_protocols(&text, &out->protocols, error));
    if (!parse_socket(text, &out->socket)) {
        return xmtp_fail(error, XMTP_E_ARGUMENT,
                         "%.80s is not an address like 127.0.0.1:5556 or web=[::1]:5557", whole);
    }
    return XMTP_OK;
}
