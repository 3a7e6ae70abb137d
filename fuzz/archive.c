/* archive.c - fuzz target: archives. The input is taken twice: as the bytes of an archive, and as elements
 * (u16 length, bytes) that a client imports, sealed as its owner would have. */
#include "client/archive_stream.h"
#include "rpc/transport.h"
#include "sealed_file.h"

#include <stdlib.h>
#include <xmtp/client.h>
#include <xmtp/node.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RUNS_PER_CLIENT = 500 };

static const uint8_t key[XMTP_ARCHIVE_KEY_LEN];

static void as_archive(xmtp_bytes bytes)
{
    xmtp_archive_opener o;
    xmtp_bytes element;
    bool has_element = true;
    const xmtp_archive_source source = {.context = &bytes, .read = read_view};
    xmtp_status status =
        xmtp_archive_opener_open(&o, &xmtp_env_system()->alloc, &source, key, NULL);
    while (status == XMTP_OK && has_element) {
        status = xmtp_archive_opener_next(&o, &element, &has_element, NULL);
    }
    xmtp_archive_opener_free(&o);
}

static xmtp_status seal(xmtp_bytes bytes)
{
    xmtp_archive_sealer s;
    const xmtp_archive_sink sink = {.write = keep};
    sealed_n = 0;
    xmtp_status status = xmtp_archive_sealer_open(&s, xmtp_env_system(), &sink, key);
    if (status == XMTP_OK) {
        status = xmtp_archive_sealer_put(&s, xmtp_bytes_of("\x0a\x00", 2)); /* metadata */
    }
    while (status == XMTP_OK && bytes.n >= 2) {
        size_t n = (size_t)bytes.p[0] << 8 | bytes.p[1];
        n = n < bytes.n - 2 ? n : bytes.n - 2;
        status = xmtp_archive_sealer_put(&s, xmtp_bytes_of(bytes.p + 2, n));
        bytes = xmtp_bytes_of(bytes.p + 2 + n, bytes.n - 2 - n);
    }
    if (status == XMTP_OK) {
        status = xmtp_archive_sealer_finish(&s);
    }
    xmtp_archive_sealer_free(&s);
    return status;
}

/* A client in memory; a new one now and then, since what is imported stays. */
static xmtp_client *client_of_this_run(void)
{
    static xmtp_node *node;
    static xmtp_transport transport;
    static xmtp_client *client;
    static unsigned runs;
    if (runs++ % RUNS_PER_CLIENT != 0) {
        return client;
    }
    if (client != NULL) {
        xmtp_client_close(client);
        transport.close(transport.context);
        xmtp_node_close(node);
    }
    const xmtp_node_options in_memory = {0};
    const xmtp_client_options options = {.transport = &transport};
    if (xmtp_node_open(&node, &in_memory, NULL) != XMTP_OK ||
        xmtp_node_transport(node, &transport) != XMTP_OK ||
        xmtp_client_open(&client, &options, NULL) != XMTP_OK) {
        abort();
    }
    return client;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    as_archive(xmtp_bytes_of(data, size));
    if (seal(xmtp_bytes_of(data, size)) == XMTP_OK) {
        xmtp_bytes left = xmtp_bytes_of(sealed, sealed_n);
        const xmtp_archive_source source = {.context = &left, .read = read_view};
        xmtp_error error;
        xmtp_status status =
            xmtp_client_archive_import_from(client_of_this_run(), &source, key, NULL, NULL, &error);
        if (status != XMTP_OK && status != XMTP_E_MALFORMED && status != XMTP_E_LIMIT) {
            abort(); /* the container is good: only its elements may be refused */
        }
    }
    return 0;
}
