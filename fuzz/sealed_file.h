/* sealed_file.h - for targets whose input is sealed into a file first: the file in memory. */
#ifndef XMTP_FUZZ_SEALED_FILE_H
#define XMTP_FUZZ_SEALED_FILE_H

#include "base/bytes.h"
#include "base/status.h"

enum { SEALED_MAX = 1 << 20 };

static uint8_t sealed[SEALED_MAX];
static size_t sealed_n;

/* Takes from the xmtp_bytes that context is. */
static xmtp_status read_view(void *context, uint8_t *out, size_t capacity, size_t *n)
{
    xmtp_bytes *left = context;
    *n = left->n < capacity ? left->n : capacity;
    xmtp_copy(out, left->p, *n);
    *left = xmtp_bytes_of(left->p + *n, left->n - *n);
    return XMTP_OK;
}

/* Appends to what is sealed. */
static xmtp_status keep(void *context, xmtp_bytes bytes)
{
    (void)context;
    XMTP_ENSURE(bytes.n <= sizeof(sealed) - sealed_n, XMTP_E_LIMIT);
    xmtp_copy(sealed + sealed_n, bytes.p, bytes.n);
    sealed_n += bytes.n;
    return XMTP_OK;
}

#endif
