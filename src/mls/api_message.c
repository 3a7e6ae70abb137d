/* api_message.c - what anybody can see of a message. RFC 9420 section 6. */
#include "base/status.h"
#include "mls/message.h"

#include <xmtp/mls.h>

enum { INSPECT_MEMORY_MAX = 64 << 20 };

static void visible(const xmtp_mls_message *message, xmtp_mls_message_info *info)
{
    info->wire_format = (xmtp_mls_wire_format)message->wire_format;
    if (message->wire_format == XMTP_WIRE_PRIVATE_MESSAGE) {
        const xmtp_private_message *m = &message->u.private_message;
        info->content_type = (xmtp_mls_content_type)m->content_type;
        info->epoch = m->epoch;
        info->group_id = m->group_id;
    } else if (message->wire_format == XMTP_WIRE_PUBLIC_MESSAGE) {
        const xmtp_framed_content *m = &message->u.public_message.content;
        info->content_type = (xmtp_mls_content_type)m->content.type;
        info->epoch = m->epoch;
        info->group_id = m->group_id;
    }
}

xmtp_status xmtp_mls_message_inspect(xmtp_bytes message, xmtp_mls_message_info *info)
{
    xmtp_arena arena;
    xmtp_mls_message *decoded;
    *info = (xmtp_mls_message_info){0};
    xmtp_arena_init(&arena, &xmtp_env_system()->alloc, INSPECT_MEMORY_MAX);
    xmtp_status status = xmtp_arena_take(&arena, sizeof *decoded, (void **)&decoded);
    if (status == XMTP_OK) {
        status = xmtp_mls_message_decode(message, &arena, decoded);
    }
    if (status == XMTP_OK) {
        visible(decoded, info);
    }
    xmtp_arena_reset(&arena);
    return status;
}
