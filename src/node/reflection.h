/* reflection.h - gRPC server reflection, v1 and v1alpha: which services there are, and the proto
 * files that describe them, for tools such as grpcurl.
 *
 *     src/node/api/(name).proto, src/proto/(name).proto --> protoc-c --> a FileDescriptorSet in the program
 *
 * Both versions are the same on the wire. A stream answers each request by one response; files come
 * one at a time, and the client asks for what they import.
 */
#ifndef XMTP_NODE_REFLECTION_H
#define XMTP_NODE_REFLECTION_H

#include "node/feed.h"

#define XMTP_NODE_REFLECTION_PREFIX "/grpc.reflection.v1"

/* path is that of ServerReflectionInfo, in one of the two versions. */
bool xmtp_node_is_reflection(const char *path);

/* protocols: xmtp_node_protocol of the port, or-ed; services that it does not serve are not listed.
 * XMTP_E_NOMEM. */
xmtp_status xmtp_node_reflection_open(xmtp_node_feed **out, const xmtp_env *env,
                                      unsigned protocols);

#endif
