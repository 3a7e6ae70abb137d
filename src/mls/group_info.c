/* group_info.c - GroupContext and GroupInfo of RFC 9420 sections 8.1 and 12.4.3. */
#include "mls/group_info.h"
#include "base/bytes.h"
#include "base/status.h"

xmtp_status xmtp_group_context_decode(xmtp_reader *r, xmtp_group_context *out)
{
    const xmtp_reader start = *r;
    XMTP_TRY(xmtp_reader_u16(r, &out->version));
    XMTP_TRY(xmtp_reader_u16(r, &out->cipher_suite));
    XMTP_TRY(xmtp_reader_vec(r, &out->group_id));
    XMTP_TRY(xmtp_reader_u64(r, &out->epoch));
    XMTP_TRY(xmtp_reader_vec(r, &out->tree_hash));
    XMTP_TRY(xmtp_reader_vec(r, &out->confirmed_transcript_hash));
    XMTP_TRY(xmtp_extensions_decode(r, &out->extensions));
    out->raw = xmtp_reader_since(r, &start);
    return XMTP_OK;
}

xmtp_status xmtp_group_context_of(xmtp_bytes raw, xmtp_group_context *out)
{
    xmtp_reader r = xmtp_reader_of(raw);
    XMTP_TRY(xmtp_group_context_decode(&r, out));
    return xmtp_reader_end(&r);
}

void xmtp_group_context_encode(xmtp_writer *w, const xmtp_group_context *context)
{
    xmtp_writer_u16(w, context->version);
    xmtp_writer_u16(w, context->cipher_suite);
    xmtp_writer_vec(w, context->group_id);
    xmtp_writer_u64(w, context->epoch);
    xmtp_writer_vec(w, context->tree_hash);
    xmtp_writer_vec(w, context->confirmed_transcript_hash);
    xmtp_extensions_encode(w, &context->extensions);
}

xmtp_status xmtp_group_info_decode(xmtp_reader *r, xmtp_group_info *out)
{
    const xmtp_reader start = *r;
    XMTP_TRY(xmtp_group_context_decode(r, &out->group_context));
    XMTP_TRY(xmtp_extensions_decode(r, &out->extensions));
    XMTP_TRY(xmtp_reader_vec(r, &out->confirmation_tag));
    XMTP_TRY(xmtp_reader_u32(r, &out->signer));
    out->tbs = xmtp_reader_since(r, &start);
    XMTP_TRY(xmtp_reader_vec(r, &out->signature));
    out->raw = xmtp_reader_since(r, &start);
    return XMTP_OK;
}

void xmtp_group_info_tbs_encode(xmtp_writer *w, const xmtp_group_info *info)
{
    xmtp_group_context_encode(w, &info->group_context);
    xmtp_extensions_encode(w, &info->extensions);
    xmtp_writer_vec(w, info->confirmation_tag);
    xmtp_writer_u32(w, info->signer);
}

void xmtp_group_info_encode(xmtp_writer *w, const xmtp_group_info *info)
{
    xmtp_group_info_tbs_encode(w, info);
    xmtp_writer_vec(w, info->signature);
}
