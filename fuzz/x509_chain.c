/* x509_chain.c - fuzzes the certificates of a credential: an MLS vector of them, any key. */
#include "mls/x509_credential.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const uint8_t key[32];
    const xmtp_credential credential = {.type = XMTP_CREDENTIAL_X509,
                                        .content = {.p = data, .n = n}};
    (void)xmtp_credential_check(xmtp_suite_by_id(3), &credential,
                                (xmtp_bytes){.p = key, .n = sizeof key}, NULL);
    return 0;
}
