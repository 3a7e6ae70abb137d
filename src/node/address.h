/* address.h - the text that says where to listen and for what:
 *
 *     [PROTOCOL[+PROTOCOL]...=]ADDR:PORT         127.0.0.1:5556   grpc+web=[::1]:443
 */
#ifndef XMTP_NODE_ADDRESS_H
#define XMTP_NODE_ADDRESS_H

#include <sys/socket.h>
#include <xmtp/base.h>

/* What a listening socket serves. */
typedef enum xmtp_node_protocol {
    XMTP_NODE_GRPC = 1,    /* "grpc" */
    XMTP_NODE_WEB = 2,     /* "web": gRPC-web */
    XMTP_NODE_GATEWAY = 4, /* "gateway": protobuf and JSON bodies over HTTP */
    XMTP_NODE_HISTORY = 8, /* "history": files of device sync */
    XMTP_NODE_ALL = 15,    /* none named */

    XMTP_NODE_PROXY = 16, /* "proxy": connections begin with a PROXY header */
    XMTP_NODE_CLEAR = 32, /* "clear": clear text too, though there is a certificate */

    /* Never without being named. */
    XMTP_NODE_ADMIN = 64,       /* "admin": status and metrics */
    XMTP_NODE_VALIDATION = 128, /* "validation": gRPC of ValidationApi */

    XMTP_NODE_REFLECTION = 256, /* no word: gRPC reflection, see xmtp_node_options */
} xmtp_node_protocol;

typedef struct xmtp_node_address {
    struct sockaddr_storage socket;
    unsigned protocols; /* xmtp_node_protocol, or-ed */
} xmtp_node_address;

/* Only this machine can reach it. */
bool xmtp_node_address_is_loopback(const xmtp_node_address *address);

/* XMTP_E_ARGUMENT with the sentence. */
xmtp_status xmtp_node_address_parse(xmtp_node_address *out, const char *text, xmtp_error *error);

#endif
