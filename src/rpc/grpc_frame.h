/* grpc_frame.h - what gRPC puts on top of HTTP/2: length-prefixed messages, status codes, and the
 * percent-encoding of error texts (gRPC over HTTP/2, "PROTOCOL-HTTP2").
 */
#ifndef XMTP_RPC_GRPC_FRAME_H
#define XMTP_RPC_GRPC_FRAME_H

#include <xmtp/base.h>

/* flag (1 byte: 0 plain, 1 compressed), length (4 bytes), message */
enum { XMTP_GRPC_PREFIX_LEN = 5 };

/* An encoded grpc-message with its zero byte fits in this; longer texts are cut. */
enum { XMTP_GRPC_TEXT_MAX = 1024 };

enum {
    XMTP_GRPC_OK = 0,
    XMTP_GRPC_CANCELLED = 1,
    XMTP_GRPC_UNKNOWN = 2,
    XMTP_GRPC_INVALID_ARGUMENT = 3,
    XMTP_GRPC_DEADLINE_EXCEEDED = 4,
    XMTP_GRPC_NOT_FOUND = 5,
    XMTP_GRPC_ALREADY_EXISTS = 6,
    XMTP_GRPC_PERMISSION_DENIED = 7,
    XMTP_GRPC_RESOURCE_EXHAUSTED = 8,
    XMTP_GRPC_FAILED_PRECONDITION = 9,
    XMTP_GRPC_ABORTED = 10,
    XMTP_GRPC_OUT_OF_RANGE = 11,
    XMTP_GRPC_UNIMPLEMENTED = 12,
    XMTP_GRPC_INTERNAL = 13,
    XMTP_GRPC_UNAVAILABLE = 14,
    XMTP_GRPC_DATA_LOSS = 15,
    XMTP_GRPC_UNAUTHENTICATED = 16,
};

/* "INVALID_ARGUMENT" and so on; "UNKNOWN" for numbers beyond the list. */
const char *xmtp_grpc_status_name(int grpc_status);

/* What a client returns for a status it received: XMTP_OK for 0, else XMTP_E_RPC_* or XMTP_E_RPC.
 */
xmtp_status xmtp_grpc_status_in(int grpc_status);

/* What a server answers when it failed with this code: bad input is INVALID_ARGUMENT, our own
 * trouble INTERNAL, and so on. */
int xmtp_grpc_status_out(xmtp_status status);

/* Decimal text of a grpc-status header; XMTP_GRPC_UNKNOWN when it is no small number. */
int xmtp_grpc_status_parse(xmtp_bytes text);

/* Writes text percent-encoded and zero-terminated; cuts what does not fit, between characters of
 * the encoding. Returns the length without the zero. capacity > 0. */
size_t xmtp_grpc_text_encode(char *out, size_t capacity, xmtp_bytes text);

/* The reverse. Broken escapes are kept as they are, zero bytes and control characters become '?'.
 */
size_t xmtp_grpc_text_decode(char *out, size_t capacity, xmtp_bytes text);

/* The prefix of a plain message of n bytes. n fits in 32 bits. */
void xmtp_grpc_prefix(uint8_t out[XMTP_GRPC_PREFIX_LEN], size_t n);

/* Incremental decoder: bytes go in as they come, complete messages come out one at a time. Memory
 * grows with what has arrived, not with what a prefix promises. */
typedef struct xmtp_grpc_decoder {
    const xmtp_alloc *alloc;
    size_t *budget; /* bytes that all decoders sharing it may still allocate; may be NULL */
    size_t len_max;
    bool accepts_compressed; /* as set by the owner */
    uint8_t prefix[XMTP_GRPC_PREFIX_LEN];
    size_t prefix_n;
    size_t len; /* of the message that is being read */
    uint8_t *p;
    size_t n;
    size_t capacity;
} xmtp_grpc_decoder;

void xmtp_grpc_decoder_init(xmtp_grpc_decoder *d, const xmtp_alloc *alloc, size_t len_max,
                            size_t *budget);

/* A complete message that is compressed still. */
static inline bool xmtp_grpc_decoder_is_compressed(const xmtp_grpc_decoder *d)
{
    return d->prefix[0] == 1;
}

/* Frees what is held; the decoder then expects a new message. */
void xmtp_grpc_decoder_free(xmtp_grpc_decoder *d);

/* Takes from *in what belongs to the present message and advances *in.
 *   XMTP_OK            the message is complete: see _message. It must be freed or taken before more
 *                      is fed
 *   XMTP_E_RETRY       all of *in was taken, the message is not complete
 *   XMTP_E_UNSUPPORTED the message is compressed, and accepts_compressed is not set
 *   XMTP_E_PROTOCOL    a flag other than 0 and 1
 *   XMTP_E_LIMIT       longer than len_max, or the budget is used up
 *   XMTP_E_NOMEM
 * After a failure only _free is allowed. */
xmtp_status xmtp_grpc_decoder_feed(xmtp_grpc_decoder *d, xmtp_bytes *in);

/* The complete message. */
static inline xmtp_bytes xmtp_grpc_decoder_message(const xmtp_grpc_decoder *d)
{
    return (xmtp_bytes){.p = d->p, .n = d->n};
}

/* Hands the complete message to the caller, who frees *p (NULL when empty) with alloc; only for
 * decoders without a budget. */
void xmtp_grpc_decoder_take(xmtp_grpc_decoder *d, uint8_t **p, size_t *n);

/* No byte of a next message has come. */
static inline bool xmtp_grpc_decoder_is_empty(const xmtp_grpc_decoder *d)
{
    return d->prefix_n == 0;
}

#endif
