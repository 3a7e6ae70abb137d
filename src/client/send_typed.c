/* send_typed.c - any content type as a message, and files that are uploaded first. */
#include "client/state.h"
#include "content/codec.h"
#include "proto/field.h"

xmtp_status xmtp_client_send(xmtp_client *client, const xmtp_conversation_id *id,
                             const xmtp_content *content, uint8_t message_id[XMTP_MESSAGE_ID_LEN],
                             xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_TO_SEND, error));
    xmtp_writer w;
    const xmtp_send_options options = {.should_push = xmtp_content_should_push(content->type)};
    xmtp_writer_init(&w, &client->env.alloc, XMTP_WRITER_MAX);
    xmtp_status status = xmtp_content_write(&w, content, error);
    if (status == XMTP_OK) {
        status =
            xmtp_client_send_with(client, id, xmtp_writer_bytes(&w), &options, message_id, error);
    }
    xmtp_writer_free(&w);
    return status;
}

/* ---- a file that does not travel in the message */

static xmtp_status check_url(const char *url, xmtp_error *error)
{
    static const char scheme[] = "https://";
    if (strncmp(url, scheme, sizeof(scheme) - 1) != 0 || strlen(url) < sizeof(scheme) ||
        !xmtp_utf8_is_valid(xmtp_bytes_of_string(url))) {
        return xmtp_fail(error, XMTP_E_CONTENT, "the upload gave no https URL");
    }
    return XMTP_OK;
}

xmtp_status xmtp_client_send_attachment(xmtp_client *client, const xmtp_conversation_id *id,
                                        const xmtp_attachment *attachment, xmtp_upload upload,
                                        void *context, uint8_t message_id[XMTP_MESSAGE_ID_LEN],
                                        xmtp_error *error)
{
    char url[XMTP_UPLOAD_URL_MAX + 1] = {0};
    xmtp_encrypted_attachment file;
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    XMTP_TRY(xmtp_attachment_encrypt(attachment, &client->env, &file, error));
    xmtp_status status = upload(context, xmtp_bytes_of(file.payload, file.payload_len),
                                file.content_digest, url, error);
    url[XMTP_UPLOAD_URL_MAX] = '\0';
    if (status == XMTP_OK) {
        status = check_url(url, error);
    }
    if (status == XMTP_OK) {
        const xmtp_content content =
            xmtp_encrypted_attachment_content(&file, url, attachment->filename);
        status = xmtp_client_send(client, id, &content, message_id, error);
    }
    xmtp_encrypted_attachment_wipe(&client->env, &file);
    return status == XMTP_OK ? XMTP_OK
                             : xmtp_fail_default(error, status, "the attachment was not sent");
}
