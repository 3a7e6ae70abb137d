/* group_info.h - GroupContext (RFC 9420 section 8.1) and GroupInfo (section 12.4.3). */
#ifndef XMTP_MLS_GROUP_INFO_H
#define XMTP_MLS_GROUP_INFO_H

#include "mls/extension.h"

typedef struct xmtp_group_context {
    xmtp_bytes raw;
    uint16_t version;
    uint16_t cipher_suite;
    xmtp_bytes group_id;
    uint64_t epoch;
    xmtp_bytes tree_hash;
    xmtp_bytes confirmed_transcript_hash;
    xmtp_extensions extensions;
} xmtp_group_context;

xmtp_status xmtp_group_context_decode(xmtp_reader *r, xmtp_group_context *out) XMTP_MUST_CHECK;
/* Over exactly one encoded GroupContext. */
xmtp_status xmtp_group_context_of(xmtp_bytes raw, xmtp_group_context *out) XMTP_MUST_CHECK;
/* Writes the fields (raw is not looked at). */
void xmtp_group_context_encode(xmtp_writer *w, const xmtp_group_context *context);

typedef struct xmtp_group_info {
    xmtp_bytes raw;
    xmtp_bytes tbs; /* the encoding up to the signature: GroupInfoTBS */
    xmtp_group_context group_context;
    xmtp_extensions extensions;
    xmtp_bytes confirmation_tag;
    uint32_t signer; /* leaf index */
    xmtp_bytes signature;
} xmtp_group_info;

xmtp_status xmtp_group_info_decode(xmtp_reader *r, xmtp_group_info *out) XMTP_MUST_CHECK;
/* tbs only, for signing; then the whole. group_context is written from its fields. */
void xmtp_group_info_tbs_encode(xmtp_writer *w, const xmtp_group_info *info);
void xmtp_group_info_encode(xmtp_writer *w, const xmtp_group_info *info);

#endif
