/* credential.h - the credential that a transport sends along, and when it needs another. */
#ifndef XMTP_RPC_CREDENTIAL_H
#define XMTP_RPC_CREDENTIAL_H

#include <xmtp/credential.h>

typedef struct xmtp_kept_credential {
    const xmtp_env *env;
    xmtp_credential_source source; /* get NULL: none is sent */
    bool is_there;
    uint64_t expires_at_ns;                      /* UINT64_MAX: never */
    char header[XMTP_CREDENTIAL_HEADER_MAX + 1]; /* lower case, as HTTP/2 has them */
    char value[XMTP_CREDENTIAL_VALUE_MAX + 1];
} xmtp_kept_credential;

/* Asks for another when the one here will not do. */
XMTP_MUST_CHECK xmtp_status xmtp_credential_refresh(xmtp_kept_credential *kept, xmtp_error *error);

#endif
