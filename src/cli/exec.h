/* exec.h - `xmtp agent --exec COMMAND`: a process per message.
 *
 * The command gets the message as one line of JSON on its standard input. Each line of JSON on its
 * standard output is an answer: {"text": "..."} into the same conversation, with "to": "0x..." as a
 * DM to somebody, with "reply": true as an answer to this very message. Exit code 0: handled, the
 * answers are sent. Anything else: none is sent, the message comes again later.
 */
#ifndef XMTP_CLI_EXEC_H
#define XMTP_CLI_EXEC_H

#include <xmtp/agent.h>

enum { EXEC_OUTPUT_MAX = 1 << 20, EXEC_AT_A_TIME = 8 };

typedef struct exec_runner exec_runner;

/* command is given to /bin/sh. A run that takes longer than timeout_s is ended and counts as
 * failed. */
exec_runner *exec_runner_new(const char *command, long timeout_s);

/* Starts the command for this message and defers it; its end comes by xmtp_agent_post. On the
 * agent's thread. */
void exec_runner_start(exec_runner *runner, xmtp_agent *agent, const xmtp_message *message);

/* Ends running commands and waits for them. After xmtp_agent_run has returned. */
void exec_runner_free(exec_runner *runner);

#endif
