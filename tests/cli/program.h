/* program.h - the program run by tests, each with a new node in their process and folders of its own. */
#ifndef XMTP_TESTS_CLI_PROGRAM_H
#define XMTP_TESTS_CLI_PROGRAM_H

#include "base/bytes.h"
#include "node/test_folder.h"
#include "rpc/transport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// cmocka wants the headers above first
#include <cmocka.h>

#include <cjson/cJSON.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xmtp/node.h>

static const char wallet[] = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
static const char other[] = "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a";
static const char other_address[] = "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc";

static xmtp_node *node;
static char folder[64];
static char said[8192]; /* both outputs of the last run */

static inline int set_up(void **state)
{
    (void)state;
    xmtp_error error = {0};
    const xmtp_node_options options = {.listen = {"127.0.0.1:0"}};
    if (xmtp_node_open(&node, &options, &error) != XMTP_OK) {
        fail_msg("node: %s", error.text);
    }
    (void)strcpy(folder, "/tmp/xmtp-program-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    xmtp_node_close(node);
    test_folder_remove(folder);
    return 0;
}

/* Runs the program for a wallet on a database of its own; gives the exit code. */
static inline int run(const char *key, const char *device, const char *command_line)
{
    char command[1024];
    (void)snprintf(command, sizeof command,
                   "mkdir -p %s/%s && cd %s && WALLET_PRIVATE_KEY=%s %s %s --node "
                   "http://127.0.0.1:%u --data %s/%s 2>&1",
                   folder, device, folder, key, XMTP_PROGRAM, command_line, xmtp_node_port(node, 0),
                   folder, device);
    FILE *out = popen(command, "re"); // NOLINT: all of the command is ours
    assert_non_null(out);
    said[fread(said, 1, sizeof said - 1, out)] = '\0';
    int status = pclose(out);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static inline void says(const char *part)
{
    if (strstr(said, part) == NULL) {
        fail_msg("'%s' does not tell '%s'", said, part);
    }
}

/* The key that the last run has made, 64 digits, out of what it said. */
static inline void take_key(char key[65])
{
    static const char before[] = "shown once): ";
    const char *found = strstr(said, before);
    assert_non_null(found);
    (void)snprintf(key, 65, "%.64s", found + strlen(before));
}

#endif
