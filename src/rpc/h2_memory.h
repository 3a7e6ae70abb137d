/* h2_memory.h - our allocator in the shape that nghttp2 wants, and header fields for it. */
#ifndef XMTP_RPC_H2_MEMORY_H
#define XMTP_RPC_H2_MEMORY_H

#include <nghttp2/nghttp2.h>
#include <string.h>
#include <xmtp/base.h>

/* alloc must outlive every session made with the result. */
nghttp2_mem xmtp_h2_memory(const xmtp_alloc *alloc);

/* A header field; nghttp2 copies both strings when it is submitted. */
static inline nghttp2_nv xmtp_h2_field(const char *name, const char *value)
{
    return (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name,
        .value = (uint8_t *)(uintptr_t)value,
        .namelen = strlen(name),
        .valuelen = strlen(value),
    };
}

#endif
