/* cmd_send.c - `xmtp send RECEIVER TEXT`. */
#include "cli/content.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
    "usage: xmtp send RECEIVER TEXT [options]\n\n"
    "RECEIVER is an address (0x...), an inbox id (64 hex digits) or the id of a conversation\n"
    "(32 hex digits). Returns when the network has the message.\n\n" CLI_CONTENT_HELP
        CLI_CLIENT_HELP;

/* Addresses have 42 characters, inbox ids 64, ids of conversations 32. */
static xmtp_status find_conversation(xmtp_client *client, const char *receiver,
                                     xmtp_conversation_id *out, xmtp_error *error)
{
    if (strlen(receiver) == 32 && cli_conversation_id(receiver, out)) {
        xmtp_status status = xmtp_client_sync(client, error);
        return status;
    }
    return xmtp_client_dm(client, receiver, out, error);
}

static const char *kind_of(const cli_options *options)
{
    return options->type == NULL ? "text" : options->type;
}

static xmtp_status send_content(xmtp_client *client, const cli_options *options, xmtp_error *error)
{
    xmtp_conversation_id conversation;
    cli_content content;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    char hex[2 * XMTP_MESSAGE_ID_LEN + 1];
    xmtp_status status = cli_content_make(&content, kind_of(options),
                                          options->rest_count > 1 ? options->rest[1] : NULL,
                                          options->to, options->mime, error);
    if (status == XMTP_OK) {
        status = find_conversation(client, options->rest[0], &conversation, error);
    }
    if (status == XMTP_OK) {
        status = xmtp_client_send(client, &conversation, &content.content, id, error);
    }
    cli_content_free(&content);
    if (status != XMTP_OK) {
        return status;
    }
    cli_hex(hex, id, sizeof id);
    if (options->json) {
        char conversation_hex[2 * XMTP_GROUP_ID_MAX + 1];
        cli_hex(conversation_hex, conversation.p, conversation.n);
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "id", hex);
        cJSON_AddStringToObject(object, "conversation", conversation_hex);
        cli_print_json(object);
    } else {
        printf("sent %s\n", hex);
    }
    return XMTP_OK;
}

int cmd_send(int argc, char **argv)
{
    cli_options options;
    xmtp_error error = {0};
    int code = cli_parse(&options, argc, argv, help);
    if (code != -1) {
        return code;
    }
    bool takes_text = cli_content_takes_text(kind_of(&options));
    if (options.rest_count != (takes_text ? 2 : 1)) {
        code = cli_usage(&options, takes_text ? "takes a receiver and a text" : "takes a receiver");
        cli_options_free(&options);
        return code;
    }
    xmtp_client *client = cli_open(&options);
    code = CLI_FAILED;
    if (client != NULL) {
        xmtp_status status = send_content(client, &options, &error);
        code = status == XMTP_OK ? CLI_OK : cli_fail(&options, &error, status);
    }
    xmtp_client_close(client);
    cli_options_free(&options);
    return code;
}
