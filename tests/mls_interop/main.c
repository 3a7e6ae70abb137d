/* main.c - mls_interop_client [PORT]: the client for the MLS working group's interop runner.
 *
 * Says where it listens in one line, and serves until SIGTERM or SIGINT. For tests on one machine:
 * it hands out secrets to whoever asks. */
#include "server.h"

#include <stdio.h>
#include <stdlib.h>

static int serve(interop_client *client, uint16_t port)
{
    interop_server *server;
    xmtp_error error = {0};
    if (interop_server_open(&server, client, port, &error) != XMTP_OK) {
        fprintf(stderr, "mls_interop_client: %s\n", error.text);
        return 1;
    }
    printf("listening on 127.0.0.1:%u\n", (unsigned)interop_server_port(server));
    fflush(stdout);
    interop_server_run(server);
    interop_server_close(server);
    return 0;
}

int main(int argc, char **argv)
{
    char *end = NULL;
    interop_client *client;
    unsigned long port = argc == 2 ? strtoul(argv[1], &end, 10) : 0;
    if (argc > 2 || (argc == 2 && (end == argv[1] || *end != '\0' || port > UINT16_MAX))) {
        fprintf(stderr, "usage: mls_interop_client [PORT]\n");
        return 2;
    }
    if (interop_client_new(&client, xmtp_env_system()) != XMTP_OK) {
        fprintf(stderr, "mls_interop_client: no memory\n");
        return 1;
    }
    int code = serve(client, (uint16_t)port);
    interop_client_free(client);
    return code;
}
