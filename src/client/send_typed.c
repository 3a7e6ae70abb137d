/* send_typed.c - any content type as a message. */
#include "client/state.h"
#include "content/codec.h"

xmtp_status xmtp_client_send(xmtp_client *client, const xmtp_conversation_id *id,
                             const xmtp_content *content, uint8_t message_id[XMTP_MESSAGE_ID_LEN],
                             xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
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
