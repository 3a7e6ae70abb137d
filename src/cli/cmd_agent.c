/* cmd_agent.c - `xmtp agent --echo` and `xmtp agent --exec COMMAND`. */
#include "cli/cli.h"
#include "cli/exec.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] = "usage: xmtp agent --echo | --exec COMMAND [options]\n\n"
                           "Answers messages until it is stopped. A message is handled exactly "
                           "once, also after a crash.\n\n"
                           "  --echo            answer every text with the same text\n"
                           "  --exec COMMAND    run COMMAND for every message: the message is one "
                           "line of JSON on its input,\n"
                           "                    each line {\"text\": \"...\"} it prints is an "
                           "answer, exit code 0 means handled\n"
                           "  --timeout SECONDS a command that takes longer is ended and counts as "
                           "failed (60)\n" CLI_CLIENT_HELP;

typedef struct agent_program {
    const cli_options *options;
    exec_runner *runner;
} agent_program;

static xmtp_agent *running; /* for the signal handler */

static void stop(int signal_number)
{
    (void)signal_number;
    xmtp_agent_stop(running);
}

static void on_message(xmtp_agent *agent, const xmtp_message *message, const xmtp_user *user,
                       void *context)
{
    agent_program *program = context;
    (void)user;
    cli_print_message(program->options, message);
    if (program->runner != NULL) {
        exec_runner_start(program->runner, agent, message);
    } else if (message->text != NULL &&
               xmtp_agent_reply(agent, message, message->text) != XMTP_OK) {
        xmtp_agent_fail(agent, message, xmtp_agent_error(agent)->text);
    }
}

static void on_set_aside(xmtp_agent *agent, const xmtp_message *message, const char *reason,
                         void *context)
{
    char id[2 * XMTP_MESSAGE_ID_LEN + 1];
    (void)agent;
    (void)context;
    cli_hex(id, message->id, XMTP_MESSAGE_ID_LEN);
    fprintf(stderr, "xmtp agent: message %s set aside after its last attempt: %s\n", id, reason);
}

static void on_connection(xmtp_agent *agent, const xmtp_error *error, void *context)
{
    (void)agent;
    (void)context;
    if (error->status == XMTP_OK) {
        fprintf(stderr, "xmtp agent: connected again\n");
    } else {
        fprintf(stderr, "xmtp agent: %s; trying again\n", error->text);
    }
}

static void print_ready(const cli_options *options, xmtp_client *client)
{
    if (!options->json) {
        printf("agent %s is ready (inbox %s)\n", xmtp_client_address(client),
               xmtp_client_inbox_id(client));
        (void)fflush(stdout);
        return;
    }
    cJSON *ready = cJSON_CreateObject();
    cJSON_AddBoolToObject(ready, "ready", true);
    cJSON_AddStringToObject(ready, "address", xmtp_client_address(client));
    cJSON_AddStringToObject(ready, "inbox", xmtp_client_inbox_id(client));
    cli_print_json(ready);
}

static int run(const cli_options *options)
{
    char path[4096];
    xmtp_error error = {0};
    agent_program program = {.options = options};
    const xmtp_client_options client = cli_client_options(options, path, sizeof path);
    const xmtp_agent_options agent_options = {
        .encryption_key = client.encryption_key,
        .node_url = client.node_url,
        .node_authorities = client.node_authorities,
        .database_path = client.database_path,
        .app_version = client.app_version,
        .device_sync = client.device_sync,
        .on_message = on_message,
        .on_set_aside = on_set_aside,
        .on_connection = on_connection,
        .context = &program,
        .in_flight_max = options->exec == NULL ? 0 : EXEC_AT_A_TIME,
        .error = &error,
    };
    xmtp_agent *agent;
    xmtp_status status = xmtp_agent_open(&agent, &agent_options);
    if (status != XMTP_OK) {
        return cli_fail(options, &error, status);
    }
    program.runner =
        options->exec == NULL ? NULL : exec_runner_new(options->exec, options->timeout_s);
    running = agent;
    (void)signal(SIGINT, stop);
    (void)signal(SIGTERM, stop);
    print_ready(options, xmtp_agent_client(agent));
    status = xmtp_agent_run(agent);
    int code = status == XMTP_OK ? CLI_OK : cli_fail(options, xmtp_agent_error(agent), status);
    exec_runner_free(program.runner);
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    xmtp_agent_close(agent);
    return code;
}

int cmd_agent(int argc, char **argv)
{
    cli_options options;
    int code = cli_parse(&options, argc, argv, help);
    if (code != -1) {
        return code;
    }
    if (options.rest_count != 0) {
        code = cli_usage(&options, "takes no arguments");
    } else if (options.echo == (options.exec != NULL)) {
        code = cli_usage(&options, "needs one of --echo and --exec COMMAND");
    } else {
        code = run(&options);
    }
    cli_options_free(&options);
    return code;
}
