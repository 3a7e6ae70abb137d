/* tcp.h - connecting and non-blocking reading and writing of a TCP socket. */
#ifndef XMTP_RPC_TCP_H
#define XMTP_RPC_TCP_H

#include <xmtp/base.h>

/* The system's monotonic clock. */
uint64_t xmtp_tcp_now_ns(void);

/* Milliseconds for poll(2) until deadline_ns, rounded up; -1 for UINT64_MAX. */
int xmtp_tcp_poll_ms(uint64_t deadline_ns);

/* Connects to host (a name or an address, IPv6 without brackets) within timeout_ns. A name's
 * addresses are tried in turn, each with a fair part of the time that is left. *fd is then
 * non-blocking, with TCP_NODELAY and TCP keep-alive. XMTP_E_NETWORK with a sentence. */
xmtp_status xmtp_tcp_connect(int *fd, const char *host, const char *port, uint64_t timeout_ns,
                             xmtp_error *error);

/* XMTP_OK: *n > 0 bytes were moved. XMTP_E_RETRY: not now. XMTP_E_CLOSED: the peer closed.
 * XMTP_E_NETWORK. Never raises SIGPIPE. */
xmtp_status xmtp_tcp_read(int fd, uint8_t *out, size_t capacity, size_t *n);
xmtp_status xmtp_tcp_write(int fd, xmtp_bytes in, size_t *n);

#endif
