/* node_data.h - the verbs of `xmtp node` that look at a data folder instead of running a node. */
#ifndef XMTP_CLI_NODE_DATA_H
#define XMTP_CLI_NODE_DATA_H

#include <stdbool.h>

bool cli_is_node_data(const char *verb);

/* argv[0] is the verb. */
int cmd_node_data(int argc, char **argv);

#endif
