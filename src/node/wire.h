/* wire.h - the protobuf that readers receive, put together from what a service encoded and what the
 * sequencer assigned.
 *
 *     GROUP_MESSAGE    GroupMessage       { 1: { 1: id, 2: created_ns, body } }
 *     WELCOME          WelcomeMessage     { 1 or 2 (pointer): { 1: id, 2: created_ns, body } }
 *     IDENTITY_UPDATE  IdentityUpdateLog  { 1: id, 2: server_timestamp_ns, body }
 *     COMMIT_LOG       Entry              { 1: id, body }
 *     KEY_PACKAGE      KeyPackage         { body }
 *
 * So what is in the log can be sent as it is: an answer with a hundred messages is a hundred copies
 * behind a tag and a length.
 */
#ifndef XMTP_NODE_WIRE_H
#define XMTP_NODE_WIRE_H

#include "node/record.h"

/* Appends the payload of a record. */
void xmtp_node_wire_payload(xmtp_writer *w, xmtp_node_kind kind, uint8_t flags, uint64_t id,
                            uint64_t time_ns, xmtp_bytes body);

/* The IdentityUpdate in the payload of an IDENTITY_UPDATE record, as it was received. A view.
 * XMTP_E_CORRUPT: there is none. */
xmtp_status xmtp_node_wire_update(xmtp_bytes payload, xmtp_bytes *update);

#endif
