/* signature_request.h - changes of an inbox whose signature comes later, or from afar.
 *
 *     xmtp_signature_request *request;
 *     xmtp_client_request_registration(client, &request, &error);
 *     show(xmtp_signature_request_info_of(request).text);          ... hours later ...
 *     xmtp_signature_request_add(request, &who, &signature, &error);
 *     xmtp_signature_request_apply(request, &error);
 *     xmtp_signature_request_free(request);
 *
 * A request is one update of an inbox, fixed when it is made: its text, with the time in it, does not
 * change any more, and nothing is published before apply. The functions of identity.h do all steps
 * at once. Our own installation, where it has to sign, does so by itself; one account is left.
 *
 * A request belongs to its client, is freed before the client is closed, and is used by the client's
 * thread. It is forgotten with the process. Shown by examples/signers.c.
 */
#ifndef XMTP_SIGNATURE_REQUEST_H
#define XMTP_SIGNATURE_REQUEST_H

#include <xmtp/identity.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct xmtp_signature_request xmtp_signature_request;

/* Makes this installation one of the inbox; see xmtp_client_register in setup.h. *out is NULL when
 * no signature is wanted: it is registered, or an earlier try has the signature already and
 * xmtp_client_register needs no signer. XMTP_E_INSTALLATIONS, XMTP_E_NETWORK. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_request_registration(xmtp_client *client,
                                                                      xmtp_signature_request **out,
                                                                      xmtp_error *error);
/* The others refuse what the functions of the same name in identity.h refuse. The new account signs
 * for being added, the recovery identifier for all else. */
XMTP_API XMTP_MUST_CHECK xmtp_status
xmtp_client_request_add_account(xmtp_client *client, xmtp_account_kind kind, const char *identifier,
                                bool reassign, xmtp_signature_request **out, xmtp_error *error);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_request_remove_account(
    xmtp_client *client, xmtp_account_kind kind, const char *identifier,
    xmtp_signature_request **out, xmtp_error *error);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_request_change_recovery(
    xmtp_client *client, xmtp_account_kind kind, const char *identifier,
    xmtp_signature_request **out, xmtp_error *error);
/* inbox_id NULL: our own. installation_ids NULL: all but this client's own; *out is NULL when there
 * are none. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_request_revocation(
    xmtp_client *client, const char *inbox_id, const char *const *installation_ids, size_t count,
    xmtp_signature_request **out, xmtp_error *error);

typedef struct xmtp_signature_request_info {
    const char *text;      /* what the account's holder is shown and signs */
    const char *challenge; /* of a PASSKEY: base64url of text */
    xmtp_account account;  /* who has to sign */
    bool is_signed;
} xmtp_signature_request_info;
/* Views, valid until the request is freed. */
XMTP_API xmtp_signature_request_info
xmtp_signature_request_info_of(const xmtp_signature_request *request);

/* Adds a signature that was made elsewhere: who says kind, identifier, and of a CONTRACT the chain
 * and block; its other fields are not looked at. It is verified now, a contract through our node. A
 * second one replaces the first.
 *   XMTP_E_ASSOCIATION  somebody else has to sign
 *   XMTP_E_SIGNATURE    it is not that account's signature of this text
 *   XMTP_E_ARGUMENT, XMTP_E_IDENTIFIER, XMTP_E_UNSUPPORTED */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_signature_request_add(xmtp_signature_request *request,
                                                                const xmtp_account_signer *who,
                                                                const xmtp_account_signature *made,
                                                                xmtp_error *error);
/* The same by asking the signer now. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_signature_request_sign(xmtp_signature_request *request,
                                                                 const xmtp_account_signer *signer,
                                                                 xmtp_error *error);

/* Publishes the update and reads back that the inbox shows it. May be repeated after a failure; done
 * once, XMTP_E_STATE. Judged against the inbox as it is now: what has become impossible meanwhile is
 * XMTP_E_ASSOCIATION. XMTP_E_ARGUMENT: the signature is missing. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_signature_request_apply(xmtp_signature_request *request,
                                                                  xmtp_error *error);
XMTP_API void xmtp_signature_request_free(xmtp_signature_request *request); /* takes NULL */

#ifdef __cplusplus
}
#endif
#endif
