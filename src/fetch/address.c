/* address.c - which addresses a stranger may make us connect to. */
#include "fetch/fetch.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

typedef struct ipv4_block {
    uint32_t prefix;
    uint32_t len;
} ipv4_block;

/* RFC 6890 and the registry that keeps it up to date. */
static const ipv4_block ipv4_special[] = {
    {0x00000000, 8},  /* 0.0.0.0/8 this network */
    {0x0a000000, 8},  /* 10.0.0.0/8 private */
    {0x64400000, 10}, /* 100.64.0.0/10 shared */
    {0x7f000000, 8},  /* 127.0.0.0/8 loopback */
    {0xa9fe0000, 16}, /* 169.254.0.0/16 link-local */
    {0xac100000, 12}, /* 172.16.0.0/12 private */
    {0xc0000000, 24}, /* 192.0.0.0/24 protocol assignments */
    {0xc0000200, 24}, /* 192.0.2.0/24 documentation */
    {0xc0586300, 24}, /* 192.88.99.0/24 6to4 relay */
    {0xc0a80000, 16}, /* 192.168.0.0/16 private */
    {0xc6120000, 15}, /* 198.18.0.0/15 benchmarks */
    {0xc6336400, 24}, /* 198.51.100.0/24 documentation */
    {0xcb007100, 24}, /* 203.0.113.0/24 documentation */
    {0xe0000000, 3},  /* 224.0.0.0/4 multicast, 240.0.0.0/4 reserved, broadcast */
};

static bool ipv4_is_public(uint32_t address)
{
    for (size_t i = 0; i < sizeof(ipv4_special) / sizeof(ipv4_special[0]); i++) {
        uint32_t mask = 0xffffffffu << (32 - ipv4_special[i].len);
        if ((address & mask) == ipv4_special[i].prefix) {
            return false;
        }
    }
    return true;
}

/* Only 2000::/3 is given out as public; of it 2001::/23 (tunnels and tests), 2001:db8::/32 and
 * 3fff::/20 (documentation) and 2002::/16 (6to4, which wraps an IPv4 address) are not. */
static bool ipv6_is_public(const uint8_t *p)
{
    bool is_global = (p[0] & 0xe0) == 0x20;
    bool is_assignment = p[0] == 0x20 && p[1] == 0x01 && (p[2] & 0xfe) == 0;
    bool is_documentation = (p[0] == 0x20 && p[1] == 0x01 && p[2] == 0x0d && p[3] == 0xb8) ||
                            (p[0] == 0x3f && p[1] == 0xff && (p[2] & 0xf0) == 0);
    bool is_6to4 = p[0] == 0x20 && p[1] == 0x02;
    return is_global && !is_assignment && !is_documentation && !is_6to4;
}

bool xmtp_address_is_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof(in));
        return ipv4_is_public(ntohl(in.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, address, sizeof(in));
        return ipv6_is_public(in.sin6_addr.s6_addr);
    }
    return false;
}
