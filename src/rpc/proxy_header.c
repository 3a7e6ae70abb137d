/* proxy_header.c - see proxy_header.h. */
#include "rpc/proxy_header.h"

#include "base/bytes.h"
#include "base/status.h"

#include <arpa/inet.h>

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                      0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

/* ---- version 1 */

/* The word at *text, which moves behind the space that must follow. */
static bool take_word(xmtp_bytes *text, char *out, size_t capacity)
{
    size_t n = 0;
    while (n < text->n && text->p[n] != ' ') {
        n++;
    }
    if (n == 0 || n >= capacity) {
        return false;
    }
    memcpy(out, text->p, n);
    out[n] = '\0';
    size_t skip = n < text->n ? n + 1 : n;
    *text = xmtp_bytes_of(text->p + skip, text->n - skip);
    return true;
}

static bool is_port(const char *text)
{
    unsigned long value = 0;
    for (size_t i = 0; text[i] != '\0'; i++) {
        if (text[i] < '0' || text[i] > '9' || i == 5) {
            return false;
        }
        value = 10 * value + (unsigned long)(text[i] - '0');
    }
    return value <= UINT16_MAX;
}

static xmtp_status parse_line(xmtp_bytes line, char address[XMTP_PROXY_ADDRESS_MAX])
{
    char family[8];
    char other[XMTP_PROXY_ADDRESS_MAX];
    char ports[2][8];
    uint8_t ignored[16];
    XMTP_ENSURE(take_word(&line, family, sizeof family), XMTP_E_MALFORMED);
    if (strcmp(family, "UNKNOWN") == 0) {
        return XMTP_OK;
    }
    int af = strcmp(family, "TCP4") == 0 ? AF_INET : AF_INET6;
    XMTP_ENSURE(af == AF_INET || strcmp(family, "TCP6") == 0, XMTP_E_MALFORMED);
    bool is_whole = take_word(&line, address, XMTP_PROXY_ADDRESS_MAX) &&
                    take_word(&line, other, sizeof other) &&
                    take_word(&line, ports[0], sizeof ports[0]) &&
                    take_word(&line, ports[1], sizeof ports[1]) && line.n == 0;
    if (is_whole && inet_pton(af, address, ignored) == 1 && inet_pton(af, other, ignored) == 1 &&
        is_port(ports[0]) && is_port(ports[1])) {
        return XMTP_OK;
    }
    address[0] = '\0';
    return XMTP_E_MALFORMED;
}

static xmtp_status parse_v1(xmtp_bytes in, size_t *len, char address[XMTP_PROXY_ADDRESS_MAX])
{
    static const char start[] = "PROXY ";
    const size_t start_n = sizeof start - 1;
    size_t n = in.n < start_n ? in.n : start_n;
    XMTP_ENSURE(memcmp(in.p, start, n) == 0, XMTP_E_MALFORMED);
    XMTP_ENSURE(in.n >= start_n, XMTP_E_RETRY);
    size_t limit = in.n < XMTP_PROXY_V1_LEN_MAX ? in.n : XMTP_PROXY_V1_LEN_MAX;
    const uint8_t *lf = memchr(in.p, '\n', limit);
    if (lf == NULL) {
        return in.n < XMTP_PROXY_V1_LEN_MAX ? XMTP_E_RETRY : XMTP_E_MALFORMED;
    }
    *len = (size_t)(lf - in.p) + 1;
    XMTP_ENSURE(*len > start_n + 1 && lf[-1] == '\r', XMTP_E_MALFORMED);
    return parse_line(xmtp_bytes_of(in.p + start_n, *len - start_n - 2), address);
}

/* ---- version 2 */

static xmtp_status parse_v2(xmtp_bytes in, size_t *len, char address[XMTP_PROXY_ADDRESS_MAX])
{
    enum { HEAD_LEN = 16, COMMAND_LOCAL = 0x20, COMMAND_PROXY = 0x21, TCP4 = 0x11, TCP6 = 0x21 };
    size_t n = in.n < sizeof signature ? in.n : sizeof signature;
    XMTP_ENSURE(memcmp(in.p, signature, n) == 0, XMTP_E_MALFORMED);
    XMTP_ENSURE(in.n >= HEAD_LEN, XMTP_E_RETRY);
    uint8_t command = in.p[12];
    uint8_t family = in.p[13];
    size_t rest = (size_t)in.p[14] << 8 | in.p[15];
    XMTP_ENSURE(command == COMMAND_LOCAL || command == COMMAND_PROXY, XMTP_E_MALFORMED);
    XMTP_ENSURE(HEAD_LEN + rest <= XMTP_PROXY_LEN_MAX, XMTP_E_LIMIT);
    XMTP_ENSURE(in.n >= HEAD_LEN + rest, XMTP_E_RETRY);
    *len = HEAD_LEN + rest;
    if (command == COMMAND_LOCAL || (family != TCP4 && family != TCP6)) {
        return XMTP_OK;
    }
    XMTP_ENSURE(rest >= (family == TCP4 ? 12U : 36U), XMTP_E_MALFORMED);
    (void)inet_ntop(family == TCP4 ? AF_INET : AF_INET6, in.p + HEAD_LEN, address,
                    XMTP_PROXY_ADDRESS_MAX);
    return XMTP_OK;
}

xmtp_status xmtp_proxy_header_parse(xmtp_bytes in, size_t *len,
                                    char address[XMTP_PROXY_ADDRESS_MAX])
{
    *len = 0;
    address[0] = '\0';
    XMTP_ENSURE(in.n > 0, XMTP_E_RETRY);
    return in.p[0] == signature[0] ? parse_v2(in, len, address) : parse_v1(in, len, address);
}
