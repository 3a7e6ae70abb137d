/* x509_credential.c - see x509_credential.h. Certificate = opaque cert_data<V>; the credential's content
 * is one after the other, the end entity's first. */
#include "mls/x509_credential.h"

#include "base/reader.h"
#include "base/status.h"

static xmtp_status read_chain(xmtp_bytes content, xmtp_bytes *chain, size_t *count)
{
    xmtp_reader r = xmtp_reader_of(content);
    for (*count = 0; r.n > 0; (*count)++) {
        XMTP_ENSURE(*count < XMTP_X509_CHAIN_MAX, XMTP_E_LIMIT);
        XMTP_ENSURE(xmtp_reader_vec(&r, &chain[*count]) == XMTP_OK, XMTP_E_CERTIFICATE);
    }
    return XMTP_OK;
}

xmtp_status xmtp_credential_check(const xmtp_suite *suite, const xmtp_credential *credential,
                                  xmtp_bytes signature_key, xmtp_error *error)
{
    xmtp_bytes chain[XMTP_X509_CHAIN_MAX];
    size_t count;
    if (credential->type != XMTP_CREDENTIAL_X509) {
        return XMTP_OK;
    }
    xmtp_status status = read_chain(credential->content, chain, &count);
    if (status == XMTP_OK) {
        status = xmtp_x509_check_chain(chain, count, suite->signature, signature_key);
    }
    if (status != XMTP_OK) {
        return xmtp_fail(error, status, "certificates of %zu bytes are not accepted",
                         credential->content.n);
    }
    return XMTP_OK;
}
