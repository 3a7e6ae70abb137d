/* test_peer.h - a plain TCP peer for tests: says bytes, waits for words, notices the end. Every wait
 * ends after PEER_WAIT_MS. */
#ifndef XMTP_NODE_TEST_PEER_H
#define XMTP_NODE_TEST_PEER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PEER_WAIT_MS = 10000, PEER_LEN_MAX = 1 << 20 };

typedef struct peer {
    int fd;
    size_t n; /* heard so far */
    char *heard;
} peer;

static inline peer peer_open(uint16_t port)
{
    peer p = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
              .heard = calloc(1, PEER_LEN_MAX + 1)};
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    if (p.heard == NULL || connect(p.fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        abort();
    }
    return p;
}

static inline void peer_close(peer *p)
{
    (void)close(p->fd);
    free(p->heard);
}

/* False when the node does not take it any more. */
static inline bool peer_say_bytes(peer *p, const void *bytes, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t sent = send(p->fd, (const char *)bytes + at, n - at, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        at += (size_t)sent;
    }
    return true;
}

static inline bool peer_say(peer *p, const char *text)
{
    return peer_say_bytes(p, text, strlen(text));
}

/* Reads what is there within timeout_ms; false at the end of the connection or when nothing came.
 */
static inline bool peer_hear(peer *p, int timeout_ms)
{
    struct pollfd fd = {.fd = p->fd, .events = POLLIN};
    if (poll(&fd, 1, timeout_ms) <= 0 || p->n == PEER_LEN_MAX) {
        return false;
    }
    ssize_t n = recv(p->fd, p->heard + p->n, PEER_LEN_MAX - p->n, 0);
    if (n <= 0) {
        return false;
    }
    p->n += (size_t)n;
    p->heard[p->n] = '\0';
    return true;
}

/* Where words stand in what was heard, also behind zero bytes; NULL. */
static inline const char *peer_find(const peer *p, const char *words)
{
    return memmem(p->heard, p->n, words, strlen(words));
}

/* Waits until words were heard. */
static inline bool peer_wait(peer *p, const char *words)
{
    while (peer_find(p, words) == NULL) {
        if (!peer_hear(p, PEER_WAIT_MS)) {
            return false;
        }
    }
    return true;
}

/* Waits for the end of the connection. */
static inline bool peer_wait_end(peer *p)
{
    struct pollfd fd = {.fd = p->fd, .events = POLLIN};
    char buffer[4096];
    while (poll(&fd, 1, PEER_WAIT_MS) > 0) {
        if (recv(p->fd, buffer, sizeof buffer, 0) <= 0) {
            return true;
        }
    }
    return false;
}

/* Forgets what was heard. */
static inline void peer_forget(peer *p)
{
    p->n = 0;
    p->heard[0] = '\0';
}

#endif
