/* cmd_download.c - `xmtp download MESSAGE FILE`: the file that a message names, or carries. */
#include "base/bytes.h"
#include "base/status.h"
#include "cli/cli.h"

#include <xmtp/attachment.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static const char help[] =
    "usage: xmtp download MESSAGE FILE [options]\n\n"
    "Writes the attachment of a message (64 hex digits) into FILE, which must not be there yet. "
    "What\n"
    "lies elsewhere is fetched over https from public hosts only, and its digest is checked. The "
    "name\n"
    "that the sender gave the file is not used.\n\n"
    "  --timeout SECONDS    for fetching (default: 60)\n" CLI_CLIENT_HELP;

static xmtp_status write_file(const char *path, xmtp_bytes content, xmtp_error *error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return xmtp_fail(error, XMTP_E_IO, "%.150s: %s", path, strerror(errno));
    }
    size_t done = 0;
    ssize_t n = 1;
    while (done < content.n && n > 0) {
        n = write(fd, content.p + done, content.n - done);
        done += n > 0 ? (size_t)n : 0;
    }
    int closed = close(fd);
    if (done < content.n || closed != 0) {
        (void)unlink(path);
        return xmtp_fail(error, XMTP_E_IO, "%.150s could not be written", path);
    }
    return XMTP_OK;
}

/* *content becomes the attachment, wherever it was. */
static xmtp_status find_file(const cli_options *options, xmtp_content **content, xmtp_error *error)
{
    const xmtp_download_options download = {.timeout_ns = (uint64_t)options->timeout_s *
                                                          UINT64_C(1000000000)};
    xmtp_content *file;
    if ((*content)->type == XMTP_CONTENT_ATTACHMENT) {
        return XMTP_OK;
    }
    if ((*content)->type != XMTP_CONTENT_REMOTE_ATTACHMENT) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "the message holds no attachment");
    }
    XMTP_TRY(
        xmtp_remote_attachment_download(&(*content)->remote_attachment, &download, &file, error));
    xmtp_content_free(*content);
    *content = file;
    return XMTP_OK;
}

static xmtp_status download(xmtp_client *client, const cli_options *options, xmtp_error *error)
{
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    xmtp_message message;
    xmtp_content *content;
    if (xmtp_hex_decode(id, sizeof id, options->rest[0], strlen(options->rest[0])) != XMTP_OK) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "MESSAGE is an id of 64 hex digits");
    }
    XMTP_TRY(xmtp_client_sync(client, error));
    XMTP_TRY(xmtp_client_message(client, id, &message, error));
    XMTP_TRY(xmtp_content_decode(message.content, NULL, &content, error));
    xmtp_status status = find_file(options, &content, error);
    if (status == XMTP_OK) {
        status = write_file(options->rest[1], content->attachment.content, error);
    }
    if (status == XMTP_OK && !options->json) {
        printf("%zu bytes of type %s\n", content->attachment.content.n,
               content->attachment.mime_type);
    } else if (status == XMTP_OK) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "mime", content->attachment.mime_type);
        cli_add_u64(object, "bytes", content->attachment.content.n);
        cli_print_json(object);
    }
    xmtp_content_free(content);
    return status;
}

int cmd_download(int argc, char **argv)
{
    cli_options options;
    xmtp_error error = {0};
    int code = cli_parse(&options, argc, argv, help);
    if (code != -1) {
        return code;
    }
    if (options.rest_count != 2) {
        code = cli_usage(&options, "takes a message and a file");
        cli_options_free(&options);
        return code;
    }
    xmtp_client *client = cli_open(&options);
    code = CLI_FAILED;
    if (client != NULL) {
        xmtp_status status = download(client, &options, &error);
        code = status == XMTP_OK ? CLI_OK : cli_fail(&options, &error, status);
    }
    xmtp_client_close(client);
    cli_options_free(&options);
    return code;
}
