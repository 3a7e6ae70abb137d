/* cmd_whoami.c - `xmtp whoami`. */
#include "cli/cli.h"

#include <stdio.h>

static const char help[] = "usage: xmtp whoami [options]\n\n"
                           "Shows address, inbox and installation of the key; registers it if it "
                           "is new here.\n\n" CLI_CLIENT_HELP;

int cmd_whoami(int argc, char **argv)
{
    cli_options options;
    int end = cli_parse(&options, argc, argv, help);
    if (end != -1) {
        return end;
    }
    xmtp_client *client = cli_open(&options);
    if (client != NULL && options.json) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "address", xmtp_client_address(client));
        cJSON_AddStringToObject(object, "inbox", xmtp_client_inbox_id(client));
        cJSON_AddStringToObject(object, "installation", xmtp_client_installation_id(client));
        cli_print_json(object);
    } else if (client != NULL) {
        printf("address       %s\ninbox         %s\ninstallation  %s\n",
               xmtp_client_address(client), xmtp_client_inbox_id(client),
               xmtp_client_installation_id(client));
    }
    int code = client == NULL ? CLI_FAILED : CLI_OK;
    xmtp_client_close(client);
    cli_options_free(&options);
    return code;
}
