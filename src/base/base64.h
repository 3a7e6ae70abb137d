/* base64.h - base64 (RFC 4648): written with the standard alphabet and padding; read in either
 * alphabet, with or without padding, in pieces. */
#ifndef XMTP_BASE_BASE64_H
#define XMTP_BASE_BASE64_H

#include "base/writer.h"

/* Characters of the encoding of n bytes. */
static inline size_t xmtp_base64_len(size_t n)
{
    return (n + 2) / 3 * 4;
}

/* Writes xmtp_base64_len(in.n) characters, no zero byte. */
void xmtp_base64_encode(char *out, xmtp_bytes in);

/* Reads text that comes in pieces, several encodings one after the other if each but the last ends
 * in padding or on a multiple of four (as gRPC-web's text form has them). */
typedef struct xmtp_base64_reader {
    uint32_t bits;
    unsigned count;   /* characters in bits, 0 to 3 */
    unsigned padding; /* '=' that must follow */
} xmtp_base64_reader;

/* Appends what text decodes to. XMTP_E_MALFORMED: not base64; XMTP_E_LIMIT, XMTP_E_NOMEM of out. */
xmtp_status xmtp_base64_read(xmtp_base64_reader *r, xmtp_bytes text, xmtp_writer *out);

/* The end of the text: appends what is left. XMTP_E_MALFORMED: cut short. */
xmtp_status xmtp_base64_finish(xmtp_base64_reader *r, xmtp_writer *out);

#endif
