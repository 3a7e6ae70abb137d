/* validate.c - see validate.h. */
#include "node/validate.h"

#include "base/status.h"

xmtp_status xmtp_node_validate_message(xmtp_bytes message, xmtp_mls_message_info *info,
                                       bool *is_commit, xmtp_error *error)
{
    if (xmtp_mls_message_inspect(message, info) != XMTP_OK) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "message is no valid MLS message");
    }
    if (info->wire_format != XMTP_MLS_PRIVATE_MESSAGE &&
        info->wire_format != XMTP_MLS_PUBLIC_MESSAGE) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "message is not one of a group");
    }
    if (info->group_id.n == 0) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "missing group id");
    }
    *is_commit = info->content_type == XMTP_MLS_CONTENT_COMMIT ||
                 info->content_type == XMTP_MLS_CONTENT_PROPOSAL;
    return XMTP_OK;
}

static xmtp_status ask_chain(void *context, xmtp_bytes account_id, uint64_t block_number,
                             const uint8_t hash[32], xmtp_bytes signature, bool *is_valid,
                             xmtp_error *error)
{
    uint64_t block_used;
    return xmtp_node_chains_verify(context, account_id, block_number, hash, signature, is_valid,
                                   &block_used, error);
}

xmtp_verifier xmtp_node_chain_verifier(xmtp_node_chains *chains)
{
    return (xmtp_verifier){.context = chains, .contract_wallet = ask_chain};
}

bool xmtp_node_is_our_trouble(xmtp_status status)
{
    return status == XMTP_E_NOMEM || status == XMTP_E_INTERNAL || status == XMTP_E_CORRUPT ||
           status == XMTP_E_RPC_UNAVAILABLE;
}

xmtp_status xmtp_node_refusal(xmtp_error *error, xmtp_status status)
{
    xmtp_error why = *error;
    return xmtp_fail(error, XMTP_E_ARGUMENT, "%s",
                     why.text[0] == '\0' ? xmtp_status_text(status) : why.text);
}
