/* http.c - see http.h. */
#include "rpc/http.h"

xmtp_status xmtp_http_to_writer(void *context, xmtp_bytes piece)
{
    xmtp_writer *w = context;
    xmtp_writer_put(w, piece);
    return xmtp_writer_status(w);
}
