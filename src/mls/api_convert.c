/* api_convert.c - see api_convert.h. */
#include "mls/api_convert.h"

#include "base/status.h"
#include "mls/limits.h"

xmtp_status xmtp_convert_extensions(xmtp_arena *arena, const xmtp_mls_extension *items,
                                    size_t count, xmtp_extensions *out)
{
    xmtp_writer w;
    xmtp_bytes raw;
    xmtp_writer_init(&w, arena->alloc, XMTP_WRITER_MAX);
    for (size_t i = 0; i < count; i++) {
        xmtp_extension_encode(&w, items[i].type, items[i].data);
    }
    XMTP_TRY(xmtp_writer_to_arena(&w, XMTP_OK, arena, &raw));
    return xmtp_extensions_of(raw, out);
}

static xmtp_status convert_list(xmtp_arena *arena, xmtp_mls_u16_list in, xmtp_u16_list *out)
{
    XMTP_ENSURE(in.count <= XMTP_MLS_CAPABILITIES_MAX, XMTP_E_LIMIT);
    xmtp_writer w;
    xmtp_writer_init(&w, arena->alloc, XMTP_WRITER_MAX);
    for (size_t i = 0; i < in.count; i++) {
        xmtp_writer_u16(&w, in.items[i]);
    }
    return xmtp_writer_to_arena(&w, XMTP_OK, arena, &out->raw);
}

xmtp_status xmtp_convert_capabilities(xmtp_arena *arena, const xmtp_mls_capabilities *in,
                                      xmtp_capabilities *out)
{
    XMTP_TRY(convert_list(arena, in->versions, &out->versions));
    XMTP_TRY(convert_list(arena, in->suites, &out->cipher_suites));
    XMTP_TRY(convert_list(arena, in->extensions, &out->extensions));
    XMTP_TRY(convert_list(arena, in->proposals, &out->proposals));
    return convert_list(arena, in->credentials, &out->credentials);
}

xmtp_credential xmtp_signer_credential(const xmtp_mls_signer *signer)
{
    return (xmtp_credential){.type = signer->credential_type == 0 ? XMTP_CREDENTIAL_BASIC
                                                                  : signer->credential_type,
                             .content = signer->identity};
}
