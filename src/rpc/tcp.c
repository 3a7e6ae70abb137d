/* tcp.c - see tcp.h. */
#include "rpc/tcp.h"

#include "base/status.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint64_t xmtp_tcp_now_ns(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

int xmtp_tcp_poll_ms(uint64_t deadline_ns)
{
    if (deadline_ns == UINT64_MAX) {
        return -1;
    }
    uint64_t now_ns = xmtp_tcp_now_ns();
    uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    uint64_t left_ms = left_ns / 1000000 + (left_ns % 1000000 != 0);
    return left_ms > 3600000 ? 3600000 : (int)left_ms; /* callers loop */
}

/* --- connecting --- */

/* Failures leave the socket slower, not wrong. */
static void tune(int fd)
{
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

/* Waits for a connection attempt; errno value, 0 when connected. */
static int await_connect(int fd, uint64_t deadline_ns)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int ready;
    do {
        ready = poll(&p, 1, xmtp_tcp_poll_ms(deadline_ns));
    } while (ready < 0 && errno == EINTR);
    if (ready == 0) {
        return ETIMEDOUT;
    }
    int code = 0;
    socklen_t code_len = sizeof code;
    return ready < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &code_len) != 0 ? errno : code;
}

/* errno value; *fd is set when it is 0. */
static int connect_address(int *fd, const struct addrinfo *a, uint64_t deadline_ns)
{
    int s = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);
    if (s < 0) {
        return errno;
    }
    tune(s);
    int code = connect(s, a->ai_addr, a->ai_addrlen) == 0 ? 0 : errno;
    if (code == EINPROGRESS || code == EINTR) {
        code = await_connect(s, deadline_ns);
    }
    if (code != 0) {
        (void)close(s);
    } else {
        *fd = s;
    }
    return code;
}

static uint64_t fair_deadline_ns(const struct addrinfo *rest, uint64_t deadline_ns)
{
    uint64_t now_ns = xmtp_tcp_now_ns();
    uint64_t count = 0;
    for (; rest != NULL; rest = rest->ai_next) {
        count++;
    }
    return deadline_ns > now_ns ? now_ns + (deadline_ns - now_ns) / count : now_ns;
}

xmtp_status xmtp_tcp_connect(int *fd, const char *host, const char *port, uint64_t timeout_ns,
                             xmtp_error *error)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    uint64_t deadline_ns = xmtp_tcp_now_ns() + timeout_ns;
    struct addrinfo *found = NULL;
    *fd = -1;
    int result = getaddrinfo(host, port, &hints, &found);
    if (result != 0) {
        return xmtp_fail(error, XMTP_E_NETWORK, "cannot resolve %s: %s", host,
                         gai_strerror(result));
    }
    int code = EADDRNOTAVAIL;
    for (const struct addrinfo *a = found; a != NULL && code != 0; a = a->ai_next) {
        code = connect_address(fd, a, fair_deadline_ns(a, deadline_ns));
    }
    freeaddrinfo(found);
    if (code != 0) {
        return xmtp_fail(error, XMTP_E_NETWORK, "cannot connect to %s port %s: %s", host, port,
                         strerror(code));
    }
    return XMTP_OK;
}

/* --- bytes --- */

static xmtp_status moved(ssize_t result, size_t *n)
{
    *n = result > 0 ? (size_t)result : 0;
    if (result > 0) {
        return XMTP_OK;
    }
    if (result == 0) {
        return XMTP_E_CLOSED;
    }
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? XMTP_E_RETRY
                                                                     : XMTP_E_NETWORK;
}

xmtp_status xmtp_tcp_read(int fd, uint8_t *out, size_t capacity, size_t *n)
{
    return moved(recv(fd, out, capacity, 0), n);
}

xmtp_status xmtp_tcp_write(int fd, xmtp_bytes in, size_t *n)
{
    return moved(send(fd, in.p, in.n, MSG_NOSIGNAL), n);
}
