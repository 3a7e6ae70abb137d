/* cmd_send.c - `xmtp send RECEIVER TEXT`. */
#include "base/bytes.h"
#include "base/status.h"
#include "cli/content.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* The command of --upload, with the encrypted file in a temporary one. */
static xmtp_status run_upload(const cli_options *options, const char *path, char *url,
                              xmtp_error *error)
{
    char command[4096];
    int n = snprintf(command, sizeof command, "%s %s", options->upload, path);
    FILE *out = n > 0 && (size_t)n < sizeof command ? popen(command, "re") : NULL; // NOLINT
    if (out == NULL) {
        return xmtp_fail(error, XMTP_E_IO, "the command of --upload cannot be run");
    }
    bool has_line = fgets(url, XMTP_UPLOAD_URL_MAX + 1, out) != NULL;
    url[strcspn(url, " \t\r\n")] = '\0';
    return pclose(out) == 0 && has_line
               ? XMTP_OK
               : xmtp_fail(error, XMTP_E_IO, "the command of --upload failed");
}

static xmtp_status upload(void *context, xmtp_bytes payload, const char *digest, char *url,
                          xmtp_error *error)
{
    char path[] = "/tmp/xmtp-upload-XXXXXX";
    int fd = mkstemp(path);
    (void)digest;
    if (fd < 0) {
        return xmtp_fail(error, XMTP_E_IO, "no temporary file: %s", strerror(errno));
    }
    bool is_written = write(fd, payload.p, payload.n) == (ssize_t)payload.n;
    is_written = close(fd) == 0 && is_written;
    xmtp_status status = is_written ? run_upload(context, path, url, error)
                                    : xmtp_fail(error, XMTP_E_IO, "no room for a temporary file");
    (void)unlink(path);
    return status;
}

/* Deleting and changing are calls of their own, which check first whether they may. */
static xmtp_status send_as(xmtp_client *client, const cli_options *options, const char *kind,
                           const xmtp_conversation_id *conversation, const cli_content *content,
                           uint8_t id[XMTP_MESSAGE_ID_LEN], xmtp_error *error)
{
    bool is_change = strcmp(kind, "delete") == 0 || strcmp(kind, "edit") == 0;
    if (is_change) {
        XMTP_TRY(xmtp_hex_decode(id, XMTP_MESSAGE_ID_LEN, options->to, strlen(options->to)));
        return strcmp(kind, "delete") == 0
                   ? xmtp_client_delete_message(client, id, error)
                   : xmtp_client_edit_message(client, id, &content->content, error);
    }
    if (strcmp(kind, "remote-attachment") == 0) {
        return xmtp_client_send_attachment(client, conversation, &content->content.attachment,
                                           upload, (void *)(uintptr_t)options, id, error);
    }
    return xmtp_client_send(client, conversation, &content->content, id, error);
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
        status = send_as(client, options, kind_of(options), &conversation, &content, id, error);
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
    if (strcmp(kind_of(&options), "remote-attachment") == 0 && options.upload == NULL) {
        code = cli_usage(&options, "a remote attachment needs --upload");
        cli_options_free(&options);
        return code;
    }
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
