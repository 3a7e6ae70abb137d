/* agent.h - what the loop of many agents needs of one. */
#ifndef XMTP_AGENT_AGENT_H
#define XMTP_AGENT_AGENT_H

#include <xmtp/agent.h>

xmtp_host *xmtp_agent_host(const xmtp_agent *agent); /* NULL: none */
const xmtp_env *xmtp_agent_env_of(const xmtp_host *host);
/* None of its streams is lost or could not be opened. */
bool xmtp_agent_host_has_streams(const xmtp_host *host);
bool xmtp_agent_is_stopped(const xmtp_agent *agent);
/* Something was posted that no step has called yet, or a message of it was ended outside of its steps,
 * by a handler of another agent: there is room for the next one, or another time to try it again. */
bool xmtp_agent_is_due(const xmtp_agent *agent);
void xmtp_agent_run_posts(xmtp_agent *agent); /* calls what was posted */
/* Calls on_connection when status says that the connection was lost, is not to be trusted, or is there
 * again. */
void xmtp_agent_tell_connection(xmtp_agent *agent, xmtp_status status, const xmtp_error *why);
void xmtp_agent_set_error(xmtp_agent *agent, const xmtp_error *why);
/* Trouble that passes by itself: the loop goes on. */
bool xmtp_agent_is_passing(xmtp_status status);

#endif
