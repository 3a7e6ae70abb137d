/* api_convert.h - lists as callers of xmtp/mls.h give them, to lists as they are on the wire. */
#ifndef XMTP_MLS_API_CONVERT_H
#define XMTP_MLS_API_CONVERT_H

#include "base/arena.h"
#include "mls/extension.h"

#include <xmtp/mls.h>

/* The content of an extensions vector, in the arena. XMTP_E_EXTENSION_TWICE when a type appears twice. */
xmtp_status xmtp_convert_extensions(xmtp_arena *arena, const xmtp_mls_extension *items,
                                    size_t count, xmtp_extensions *out) XMTP_MUST_CHECK;

xmtp_status xmtp_convert_capabilities(xmtp_arena *arena, const xmtp_mls_capabilities *in,
                                      xmtp_capabilities *out) XMTP_MUST_CHECK;

xmtp_credential xmtp_signer_credential(const xmtp_mls_signer *signer);

#endif
