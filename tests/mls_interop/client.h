/* client.h - a member of MLS groups that is played over RPC: the client that the MLS working group's
 * interop runner asks for, over the public header <xmtp/mls.h> alone.
 *
 *     runner --- request of mls_client.proto ---> interop_client_call --> one function a method
 *                                                        |
 *                        participants by number: a key package, then the group joined with it
 *
 * A client plays any number of participants, each with keys of its own, also several in one group.
 * Nothing is kept on disk and secrets are handed out on demand: for tests only. Threads: one.
 */
#ifndef XMTP_MLS_INTEROP_CLIENT_H
#define XMTP_MLS_INTEROP_CLIENT_H

#include "base/writer.h"

#include <xmtp/mls.h>

#define INTEROP_PATH_PREFIX "/mls_client.MLSClient/"

typedef struct interop_client interop_client;

/* env must outlive the client. */
xmtp_status interop_client_new(interop_client **out, const xmtp_env *env) XMTP_MUST_CHECK;
void interop_client_free(interop_client *client); /* wipes; takes NULL */

/* One call: path is INTEROP_PATH_PREFIX and the method's name, request its encoded message; the
 * encoded answer is appended. XMTP_E_UNSUPPORTED no such method, XMTP_E_MALFORMED a request that
 * cannot be read, XMTP_E_NOT_FOUND no participant of this number; others as in xmtp/mls.h. */
xmtp_status interop_client_call(interop_client *client, const char *path, xmtp_bytes request,
                                xmtp_writer *response, xmtp_error *error) XMTP_MUST_CHECK;

/* Participants that have not been freed. */
size_t interop_client_count(const interop_client *client);

#endif
