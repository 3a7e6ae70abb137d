/* main.c - `xmtp COMMAND ...`: a table of subcommands. */
#include "cli/cli.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"node", cmd_node, "run a node"},
    {"agent", cmd_agent, "answer messages: --echo, or --exec COMMAND"},
    {"send", cmd_send, "send a text to an address, an inbox or a conversation"},
    {"inbox", cmd_inbox, "show messages, --follow waits for more"},
    {"download", cmd_download, "write the attachment of a message into a file"},
    {"group", cmd_group, "create, add, remove, rename, members, list"},
    {"whoami", cmd_whoami, "show the address and inbox of the key, registering it if it is new"},
    {"client", cmd_client, "accounts, installations and signatures of the inbox"},
    {"preferences", cmd_preferences, "whom the inbox wants to hear from"},
    {"devices", cmd_devices, "what the inbox's installations tell each other: history, consent"},
    {"revoke", cmd_revoke, "end installations of an inbox, also of one that is full"},
    {"archive", cmd_archive, "export all messages to an encrypted file, import or show one"},
    {"move", cmd_move, "take this installation to another machine, as it is"},
    {"doctor", cmd_doctor, "check node, database, identity and conversations of the key"},
};

enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static void print_help(FILE *to)
{
    fprintf(to, "usage: xmtp COMMAND [argument ...]\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        fprintf(to, "  %-11s %s\n", commands[i].name, commands[i].summary);
    }
    fprintf(to, "\n`xmtp COMMAND --help` tells more. `xmtp --version` prints the version.\n");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return CLI_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("xmtp %s\n", XMTP_VERSION);
        return CLI_OK;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    fprintf(stderr, "xmtp: unknown command '%s'\n\n", argv[1]);
    print_help(stderr);
    return CLI_USAGE;
}
