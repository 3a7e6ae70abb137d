/* mls_key_package.c - fuzzes KeyPackage: decoding, its rules and its signatures. */
#include "base/bytes.h"
#include "mls/key_package.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const xmtp_suite *suite = &xmtp_suite_x25519_chacha;
    const xmtp_leaf_node_rules rules = {.suite = suite, .check_lifetime = true};
    xmtp_key_package key_package;
    xmtp_error error;
    xmtp_writer w;
    xmtp_writer_init(&w, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    if (xmtp_key_package_of(xmtp_bytes_of(data, n), &key_package) == XMTP_OK) {
        (void)!xmtp_key_package_validate(&key_package, &rules, &error);
        (void)!xmtp_key_package_verify(suite, &key_package, &w);
    }
    xmtp_writer_free(&w);
    return 0;
}
