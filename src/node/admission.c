/* admission.c - asking access.h about a call that came over the network, and refusing it. */
#include "node/access.h"
#include "node/listener_internal.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* Who is at the other end: the client that a PROXY header names, else the peer of the socket. What
 * cannot be told counts as one address. */
static void learn_ip(xmtp_node_connection *c)
{
    struct sockaddr_storage address = {0};
    char text[INET6_ADDRSTRLEN] = "";
    int n = sizeof address;
    const char *client = xmtp_endpoint_client(c->endpoint);
    c->has_ip = true;
    if (client[0] == '\0' && uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&address, &n) == 0) {
        (void)uv_ip_name((const struct sockaddr *)&address, text, sizeof text);
        client = text;
    }
    if (!xmtp_node_ip_parse(client, &c->ip)) {
        c->ip = (xmtp_node_ip){.p = {0}};
    }
}

static void refuse_rate(xmtp_rpc_call *rpc, const xmtp_node_verdict *verdict)
{
    char text[160];
    (void)snprintf(text, sizeof text,
                   "rate limit of %" PRIu64 " is used up, %" PRIu64
                   " are left; try again in %" PRIu64 " ms",
                   verdict->limit, verdict->remaining, verdict->retry_after_ms);
    xmtp_rpc_call_trailer(rpc, "retry-after-ms", verdict->retry_after_ms);
    xmtp_rpc_call_end(rpc, XMTP_GRPC_RESOURCE_EXHAUSTED, text, "RATE_LIMIT");
}

void xmtp_node_admit_connection(xmtp_node_connection *c)
{
    xmtp_node_access *access = c->listener->node->access;
    if (!c->has_ip) {
        learn_ip(c);
        c->is_one_too_many = !xmtp_node_access_connect(access, &c->ip, &c->seat);
        xmtp_node_count(&c->listener->node->metrics.connections_refused,
                        c->is_one_too_many ? 1 : 0);
    }
}

static void refuse_open(xmtp_rpc_call *rpc, const char *what, uint64_t max)
{
    char text[120];
    (void)snprintf(text, sizeof text,
                   "%" PRIu64 " %s of this address are open, more are not allowed", max, what);
    xmtp_rpc_call_end(rpc, XMTP_GRPC_RESOURCE_EXHAUSTED, text, "RATE_LIMIT");
}

bool xmtp_node_admit(xmtp_node_connection *c, xmtp_rpc_call *rpc, const char *path,
                     xmtp_bytes request, xmtp_node_seat *seat)
{
    xmtp_node_access *access = c->listener->node->access;
    *seat = (xmtp_node_seat){.tally = NULL};
    xmtp_node_admit_connection(c);
    if (c->is_one_too_many) {
        refuse_open(rpc, "connections", xmtp_node_access_connections_max(access));
        return false;
    }
    xmtp_node_request_origin origin = {.ip = c->ip,
                                       .forwarded = xmtp_rpc_call_forwarded(rpc),
                                       .api_key = xmtp_rpc_call_api_key(rpc)};
    xmtp_node_admission admission =
        xmtp_node_access_admit(access, &origin, path, request, uv_hrtime());
    xmtp_node_metrics *metrics = &c->listener->node->metrics;
    xmtp_node_count(&metrics->calls[admission.rate], 1);
    xmtp_node_count(&metrics->denied, admission.is_denied ? 1 : 0);
    if (admission.is_denied) {
        xmtp_rpc_call_end(rpc, XMTP_GRPC_PERMISSION_DENIED, "request blocked", "BLOCKED");
        return false;
    }
    *seat = admission.seat;
    if (admission.is_full) {
        xmtp_node_count(&metrics->rate_refused, 1);
        refuse_open(rpc, "streams", xmtp_node_access_streams_max(access));
        return false;
    }
    if (admission.verdict.limit > 0) {
        xmtp_rpc_call_trailer(rpc, "x-ratelimit-limit", admission.verdict.limit);
        xmtp_rpc_call_trailer(rpc, "x-ratelimit-remaining", admission.verdict.remaining);
    }
    if (!admission.verdict.is_allowed) {
        xmtp_node_count(&metrics->rate_refused, 1);
        refuse_rate(rpc, &admission.verdict);
    }
    return admission.verdict.is_allowed;
}
