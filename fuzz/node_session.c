/* node_session.c - fuzz target: requests of a bidirectional Subscribe, each behind a byte that is its
 * length, with a message published and a frame taken in between; the same bytes as gzip.
 */
#include "node/inflate.h"
#include "node/stream.h"

#include <stdlib.h>

enum { INFLATED_MAX = 1 << 20, RUNS_PER_NODE = 20000 };

static xmtp_node *node;

static void nothing(void *context)
{
    (void)context;
}

static void need_node(void)
{
    static unsigned runs;
    if (node != NULL && ++runs % RUNS_PER_NODE == 0) {
        xmtp_node_close(node);
        node = NULL;
    }
    xmtp_node_options options = {.data_dir = NULL};
    if (node == NULL && xmtp_node_open(&node, &options, NULL) != XMTP_OK) {
        abort();
    }
}

static void run(const char *path, const uint8_t *data, size_t n)
{
    xmtp_node_feed *feed;
    xmtp_error error = {0};
    xmtp_writer out;
    xmtp_status status = XMTP_OK;
    xmtp_node_stream_request asked = {.path = path, .start_after = "", .ready = nothing};
    if (xmtp_node_stream_open(node, &asked, &feed, &error) != XMTP_OK) {
        abort();
    }
    xmtp_writer_init(&out, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    while (n > 0 && (status == XMTP_OK || status == XMTP_E_RETRY)) {
        size_t len = data[0] < n - 1 ? data[0] : n - 1;
        status = feed->ops->request(feed, (xmtp_bytes){.p = data + 1, .n = len}, &error);
        data += 1 + len;
        n -= 1 + len;
        if (status == XMTP_OK && len % 2 == 0) {
            xmtp_writer_clear(&out);
            status = xmtp_node_feed_next(feed, &out, &error);
        }
    }
    xmtp_writer_free(&out);
    xmtp_node_feed_free(feed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    xmtp_writer out;
    need_node();
    run("/xmtp.mls.api.v1.MlsApi/Subscribe", data, n);
    run("/xmtp.message_api.v1.MessageApi/Subscribe2", data, n);
    xmtp_writer_init(&out, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    (void)xmtp_node_inflate((xmtp_bytes){.p = data, .n = n}, INFLATED_MAX, &out);
    if (out.n > INFLATED_MAX) {
        abort();
    }
    xmtp_writer_free(&out);
    return 0;
}
