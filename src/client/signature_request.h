/* signature_request.h - a request as registration.c and inbox_change.c make and apply it. */
#ifndef XMTP_CLIENT_SIGNATURE_REQUEST_H
#define XMTP_CLIENT_SIGNATURE_REQUEST_H

#include "client/account.h"

#include <xmtp/signature_request.h>

struct xmtp_signature_request {
    xmtp_client *client;
    xmtp_arena arena; /* everything below that is a view */
    char inbox_id[XMTP_INBOX_ID_LEN + 1];
    uint64_t made_at_ns;
    xmtp_update_action actions[XMTP_UPDATE_ACTIONS_MAX];
    size_t action_count;
    xmtp_signer self;    /* our installation; signs while the update is built */
    xmtp_signer account; /* hands out what was collected */
    xmtp_wire_signature signature;
    bool is_signed;
    bool is_applied;
    xmtp_signature_request_info info;
    xmtp_status (*apply)(xmtp_signature_request *request, xmtp_error *error);
};

/* An empty request of this inbox, to be signed by account, which is copied. */
xmtp_status xmtp_request_new(xmtp_signature_request **out, xmtp_client *client,
                             const char *inbox_id, const xmtp_identifier *account,
                             xmtp_status (*apply)(xmtp_signature_request *, xmtp_error *),
                             xmtp_error *error);
/* subject is copied. XMTP_E_LIMIT. */
xmtp_status xmtp_request_act(xmtp_signature_request *request, xmtp_update_action action,
                             xmtp_error *error);
/* After the last action: makes the text. */
xmtp_status xmtp_request_seal(xmtp_signature_request *request, xmtp_error *error);
/* Hands request over once it is sealed, or frees it. */
xmtp_status xmtp_request_finish(xmtp_signature_request **out, xmtp_signature_request *request,
                                xmtp_status status, xmtp_error *error);
xmtp_status xmtp_request_sign_by(xmtp_signature_request *request, const xmtp_signer *signer,
                                 xmtp_error *error);
/* *update is given back with xmtp_give_back. */
xmtp_status xmtp_request_build(const xmtp_signature_request *request, uint8_t **update,
                               size_t *update_len, xmtp_error *error);
/* Signs with an application's signer, applies, and frees. */
xmtp_status xmtp_request_carry_out(xmtp_signature_request *request, const xmtp_signer *signer,
                                   xmtp_error *error);

#endif
