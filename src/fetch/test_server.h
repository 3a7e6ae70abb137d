/* test_server.h - a server in this process for tests of what fetches. */
#ifndef XMTP_FETCH_TEST_SERVER_H
#define XMTP_FETCH_TEST_SERVER_H

#include "base/bytes.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* A server that answers one connection after the other with what the test says. */
typedef struct server {
    int listener;
    uint16_t port;
    const char *answer; /* NULL: none, the connection stays open until the server ends */
    xmtp_bytes body;    /* behind it */
    char seen[4096];
    size_t seen_len;
    pthread_t thread;
} server;

static inline size_t content_length(const char *head)
{
    const char *line = strstr(head, "Content-Length: ");
    return line == NULL ? 0 : strtoul(line + 16, NULL, 10);
}

static inline bool is_complete(const server *s)
{
    const char *end = strstr(s->seen, "\r\n\r\n");
    return end != NULL && strlen(end + 4) >= content_length(s->seen);
}

/* A client that has seen enough closes the connection: then the rest cannot be written. */
static inline void answer(const server *s, int connection)
{
    if (send(connection, s->answer, strlen(s->answer), MSG_NOSIGNAL) > 0 && s->body.n > 0) {
        (void)!send(connection, s->body.p, s->body.n, MSG_NOSIGNAL);
    }
}

static inline void *serve(void *context)
{
    server *s = context;
    for (;;) {
        int connection = accept(s->listener, NULL, NULL);
        if (connection < 0) {
            return NULL;
        }
        s->seen_len = 0;
        memset(s->seen, 0, sizeof(s->seen));
        while (!is_complete(s)) {
            ssize_t n = read(connection, s->seen + s->seen_len, sizeof(s->seen) - 1 - s->seen_len);
            if (n <= 0) {
                break;
            }
            s->seen_len += (size_t)n;
        }
        if (s->answer != NULL) {
            answer(s, connection);
        } else {
            char rest;
            (void)!read(connection, &rest, 1); /* until the client gives up */
        }
        close(connection);
    }
}

static inline void server_start_bytes(server *s, const char *head, xmtp_bytes body)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t n = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *s = (server){.answer = head, .body = body, .listener = socket(AF_INET, SOCK_STREAM, 0)};
    assert_int_equal(bind(s->listener, (struct sockaddr *)&address, n), 0);
    assert_int_equal(listen(s->listener, 8), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &n), 0);
    s->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static inline void server_start(server *s, const char *head)
{
    server_start_bytes(s, head, (xmtp_bytes){0});
}

static inline void server_stop(server *s)
{
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
}

#endif
