/* node_access.c - fuzzes what is read of a request before it is admitted: its cost, its addresses,
 * its key; and settings and lists as text.
 */
#include "base/bytes.h"
#include "node/access.h"
#include "node/config.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static xmtp_node_access *access;
    static xmtp_node_config config;
    char text[48] = {0};
    if (access == NULL) {
        xmtp_node_access_options options = {
            .env = xmtp_env_system(),
            .rates = {.reads = 10, .writes = 10, .trusted_proxies = {"0.0.0.0/0", "::/0"}}};
        if (xmtp_node_access_new(&access, &options, NULL) != XMTP_OK) {
            abort();
        }
    }
    xmtp_copy(text, data, n < sizeof text - 1 ? n : sizeof text - 1);
    xmtp_node_request_origin origin = {.forwarded = text, .api_key = text};
    (void)xmtp_node_access_admit(access, &origin, "/xmtp.mls.api.v1.MlsApi/SendGroupMessages",
                                 xmtp_bytes_of(data, n), 1);
    xmtp_node_config_init(&config, &xmtp_env_system()->alloc);
    (void)xmtp_node_config_text(&config, "fuzz", xmtp_bytes_of(data, n), NULL);
    xmtp_node_config_free(&config);
    return 0;
}
