/* device_sync.c - fuzz target: what an installation of ours that is broken into can say in a sync
 * group, taken in by a client with a database. */
#include "client/device_sync.h"

#include <stdlib.h>
#include <xmtp/identity.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static xmtp_client *open_client(void)
{
    static const xmtp_transport nowhere; /* never asked for anything */
    const xmtp_client_options options = {.transport = &nowhere};
    xmtp_client *client;
    if (xmtp_client_open_observer(&client, &options, NULL) != XMTP_OK) {
        abort();
    }
    return client;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static xmtp_client *client;
    static const uint8_t id[XMTP_MESSAGE_ID_LEN];
    client = client == NULL ? open_client() : client;
    char type_id[] = "application/x-protobuf";
    Pb__ContentTypeId type = PB__CONTENT_TYPE_ID__INIT;
    Pb__EncodedContent content = PB__ENCODED_CONTENT__INIT;
    xmtp_writer w;
    type.type_id = type_id;
    content.type = &type;
    content.has_content = 1;
    content.content = xmtp_proto_data(xmtp_bytes_of(data, size));
    xmtp_writer_init(&w, &client->env.alloc, XMTP_WRITER_MAX);
    if (xmtp_proto_encode(&content.base, &w) != XMTP_OK || xmtp_begin(client, NULL) != XMTP_OK) {
        abort();
    }
    const xmtp_message_row row = {.message_id = xmtp_bytes_of(id, sizeof(id)),
                                  .content = xmtp_writer_bytes(&w)};
    if (xmtp_sync_message(client, &row, false, NULL) != XMTP_OK) {
        abort(); /* whatever it was, the messages behind it must be read */
    }
    xmtp_database_rollback(client->db);
    xmtp_writer_free(&w);
    return 0;
}
