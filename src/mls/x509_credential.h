/* x509_credential.h - credentials that are certificate chains. RFC 9420 section 5.3. */
#ifndef XMTP_MLS_X509_CREDENTIAL_H
#define XMTP_MLS_X509_CREDENTIAL_H

#include "crypto/crypto.h"
#include "mls/extension.h"

/* For credentials of type x509: the certificates hold together and the first is for signature_key.
 * Others pass. XMTP_E_CERTIFICATE, XMTP_E_CERTIFICATE_KEY, XMTP_E_LIMIT. Whom to trust is asked of
 * the application elsewhere. */
xmtp_status xmtp_credential_check(const xmtp_suite *suite, const xmtp_credential *credential,
                                  xmtp_bytes signature_key, xmtp_error *error) XMTP_MUST_CHECK;

#endif
