/* proposal.c - Proposal and PreSharedKeyID of RFC 9420 sections 12.1 and 8.4. */
#include "mls/proposal.h"
#include "base/bytes.h"
#include "base/status.h"

/* ---- PreSharedKeyID ---- */

static xmtp_status resumption_decode(xmtp_reader *r, xmtp_psk_id *out)
{
    XMTP_TRY(xmtp_reader_u8(r, &out->usage));
    XMTP_ENSURE(out->usage >= XMTP_PSK_USAGE_APPLICATION && out->usage <= XMTP_PSK_USAGE_BRANCH,
                XMTP_E_PSK_USAGE);
    XMTP_TRY(xmtp_reader_vec(r, &out->psk_group_id));
    return xmtp_reader_u64(r, &out->psk_epoch);
}

xmtp_status xmtp_psk_id_decode(xmtp_reader *r, xmtp_psk_id *out)
{
    const xmtp_reader start = *r;
    *out = (xmtp_psk_id){0};
    XMTP_TRY(xmtp_reader_u8(r, &out->type));
    XMTP_ENSURE(out->type == XMTP_PSK_EXTERNAL || out->type == XMTP_PSK_RESUMPTION,
                XMTP_E_PSK_USAGE);
    if (out->type == XMTP_PSK_EXTERNAL) {
        XMTP_TRY(xmtp_reader_vec(r, &out->psk_id));
    } else {
        XMTP_TRY(resumption_decode(r, out));
    }
    XMTP_TRY(xmtp_reader_vec(r, &out->psk_nonce));
    out->raw = xmtp_reader_since(r, &start);
    return XMTP_OK;
}

void xmtp_psk_id_encode(xmtp_writer *w, const xmtp_psk_id *id)
{
    xmtp_writer_u8(w, id->type);
    if (id->type == XMTP_PSK_EXTERNAL) {
        xmtp_writer_vec(w, id->psk_id);
    } else {
        xmtp_writer_u8(w, id->usage);
        xmtp_writer_vec(w, id->psk_group_id);
        xmtp_writer_u64(w, id->psk_epoch);
    }
    xmtp_writer_vec(w, id->psk_nonce);
}

/* ---- Proposal ---- */

bool xmtp_proposal_type_is_known(uint16_t type)
{
    return (type >= XMTP_PROPOSAL_ADD && type <= XMTP_PROPOSAL_APP_DATA_UPDATE) ||
           type == XMTP_PROPOSAL_SELF_REMOVE;
}

static xmtp_status reinit_decode(xmtp_reader *r, xmtp_proposal *out)
{
    XMTP_TRY(xmtp_reader_vec(r, &out->u.reinit.group_id));
    XMTP_TRY(xmtp_reader_u16(r, &out->u.reinit.version));
    XMTP_TRY(xmtp_reader_u16(r, &out->u.reinit.cipher_suite));
    return xmtp_extensions_decode(r, &out->u.reinit.extensions);
}

static void reinit_encode(xmtp_writer *w, const xmtp_proposal *proposal)
{
    xmtp_writer_vec(w, proposal->u.reinit.group_id);
    xmtp_writer_u16(w, proposal->u.reinit.version);
    xmtp_writer_u16(w, proposal->u.reinit.cipher_suite);
    xmtp_extensions_encode(w, &proposal->u.reinit.extensions);
}

static xmtp_status app_data_update_decode(xmtp_reader *r, xmtp_proposal *out)
{
    XMTP_TRY(xmtp_reader_u16(r, &out->u.app_data_update.component_id));
    XMTP_TRY(xmtp_reader_u8(r, &out->u.app_data_update.operation));
    out->u.app_data_update.update = (xmtp_bytes){0};
    switch (out->u.app_data_update.operation) {
    case XMTP_APP_DATA_UPDATE:
        return xmtp_reader_vec(r, &out->u.app_data_update.update);
    case XMTP_APP_DATA_REMOVE:
        return XMTP_OK;
    }
    return XMTP_E_MALFORMED;
}

static void app_data_update_encode(xmtp_writer *w, const xmtp_proposal *proposal)
{
    xmtp_writer_u16(w, proposal->u.app_data_update.component_id);
    xmtp_writer_u8(w, proposal->u.app_data_update.operation);
    if (proposal->u.app_data_update.operation == XMTP_APP_DATA_UPDATE) {
        xmtp_writer_vec(w, proposal->u.app_data_update.update);
    }
}

static xmtp_status choice_decode(xmtp_reader *r, xmtp_proposal *out)
{
    switch (out->type) {
    case XMTP_PROPOSAL_ADD:
        return xmtp_key_package_decode(r, &out->u.add);
    case XMTP_PROPOSAL_UPDATE:
        return xmtp_leaf_node_decode(r, &out->u.update);
    case XMTP_PROPOSAL_REMOVE:
        return xmtp_reader_u32(r, &out->u.remove);
    case XMTP_PROPOSAL_PSK:
        return xmtp_psk_id_decode(r, &out->u.psk);
    case XMTP_PROPOSAL_REINIT:
        return reinit_decode(r, out);
    case XMTP_PROPOSAL_EXTERNAL_INIT:
        return xmtp_reader_vec(r, &out->u.external_init);
    case XMTP_PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
        return xmtp_extensions_decode(r, &out->u.group_context_extensions);
    case XMTP_PROPOSAL_APP_DATA_UPDATE:
        return app_data_update_decode(r, out);
    case XMTP_PROPOSAL_SELF_REMOVE: /* an empty struct */
        return XMTP_OK;
    }
    return xmtp_reader_vec(r, &out->u.unknown);
}

xmtp_status xmtp_proposal_body_decode(xmtp_reader *r, uint16_t type, xmtp_proposal *out)
{
    const xmtp_reader start = *r;
    out->type = type;
    XMTP_TRY(choice_decode(r, out));
    out->raw = xmtp_reader_since(r, &start);
    return XMTP_OK;
}

xmtp_status xmtp_proposal_decode(xmtp_reader *r, xmtp_proposal *out)
{
    const xmtp_reader start = *r;
    XMTP_TRY(xmtp_reader_u16(r, &out->type));
    XMTP_TRY(choice_decode(r, out));
    out->raw = xmtp_reader_since(r, &start);
    return XMTP_OK;
}

void xmtp_proposal_body_encode(xmtp_writer *w, const xmtp_proposal *proposal)
{
    switch (proposal->type) {
    case XMTP_PROPOSAL_ADD:
        xmtp_writer_put(w, proposal->u.add.raw);
        return;
    case XMTP_PROPOSAL_UPDATE:
        xmtp_writer_put(w, proposal->u.update.raw);
        return;
    case XMTP_PROPOSAL_REMOVE:
        xmtp_writer_u32(w, proposal->u.remove);
        return;
    case XMTP_PROPOSAL_PSK:
        xmtp_psk_id_encode(w, &proposal->u.psk);
        return;
    case XMTP_PROPOSAL_REINIT:
        reinit_encode(w, proposal);
        return;
    case XMTP_PROPOSAL_EXTERNAL_INIT:
        xmtp_writer_vec(w, proposal->u.external_init);
        return;
    case XMTP_PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
        xmtp_extensions_encode(w, &proposal->u.group_context_extensions);
        return;
    case XMTP_PROPOSAL_APP_DATA_UPDATE:
        app_data_update_encode(w, proposal);
        return;
    case XMTP_PROPOSAL_SELF_REMOVE:
        return;
    }
    xmtp_writer_vec(w, proposal->u.unknown);
}

void xmtp_proposal_encode(xmtp_writer *w, const xmtp_proposal *proposal)
{
    xmtp_writer_u16(w, proposal->type);
    xmtp_proposal_body_encode(w, proposal);
}
