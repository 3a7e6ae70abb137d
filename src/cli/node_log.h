/* node_log.h - what `xmtp node` writes to standard error. */
#ifndef XMTP_CLI_NODE_LOG_H
#define XMTP_CLI_NODE_LOG_H

typedef enum cli_node_level {
    CLI_NODE_INFO,    /* asked for and done */
    CLI_NODE_WARNING, /* an operator should look at it */
    CLI_NODE_ERROR,   /* asked for and not done */
} cli_node_level;

/* format: "text" or "json"; least: "info", "warning" or "error". Any thread. */
void cli_node_log(const char *format, const char *least, cli_node_level level, const char *line);

#endif
