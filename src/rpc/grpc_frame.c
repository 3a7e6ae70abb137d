/* grpc_frame.c - gRPC's message framing, status codes and error texts.
 *
 *      0        1                 5                     5 + length
 *      | flag   | length (BE)     | protobuf            | next flag ...
 *
 * A decoder is in one of two places: inside the prefix (prefix_n < 5) or inside the message. Its
 * buffer doubles as bytes arrive, so a peer must send what it wants us to hold; what all decoders
 * of a connection hold together is bounded by a shared budget.
 */
#include "rpc/grpc_frame.h"

#include "base/bytes.h"
#include "base/status.h"

/* A message shorter than this is allocated whole at once. */
enum { FIRST_CAPACITY = 4096 };

/* --- status codes --- */

const char *xmtp_grpc_status_name(int grpc_status)
{
    static const char *const names[] = {
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    };
    bool is_known = grpc_status >= 0 && (size_t)grpc_status < sizeof names / sizeof names[0];
    return is_known ? names[grpc_status] : "UNKNOWN";
}

xmtp_status xmtp_grpc_status_in(int grpc_status)
{
    switch (grpc_status) {
    case XMTP_GRPC_OK:
        return XMTP_OK;
    case XMTP_GRPC_INVALID_ARGUMENT:
        return XMTP_E_RPC_INVALID;
    case XMTP_GRPC_UNAVAILABLE:
        return XMTP_E_RPC_UNAVAILABLE;
    case XMTP_GRPC_UNIMPLEMENTED:
        return XMTP_E_RPC_UNIMPLEMENTED;
    case XMTP_GRPC_RESOURCE_EXHAUSTED:
        return XMTP_E_RPC_EXHAUSTED;
    default:
        return XMTP_E_RPC;
    }
}

/* Codes of the rooms crypto, mls and identity (-100 to -399) are verdicts about what was sent;
 * codes of stores (-500 to -599) are our own trouble. */
static int status_out_by_room(xmtp_status status)
{
    int code = -(int)status;
    return code >= 100 && code < 400 ? XMTP_GRPC_INVALID_ARGUMENT : XMTP_GRPC_INTERNAL;
}

int xmtp_grpc_status_out(xmtp_status status)
{
    switch ((int)status) {
    case XMTP_OK:
        return XMTP_GRPC_OK;
    case XMTP_E_ARGUMENT:
    case XMTP_E_TRUNCATED:
    case XMTP_E_MALFORMED:
    case XMTP_E_TRAILING:
    case XMTP_E_LENGTH:
    case XMTP_E_RPC_INVALID:
        return XMTP_GRPC_INVALID_ARGUMENT;
    case XMTP_E_NOMEM:
    case XMTP_E_LIMIT:
    case XMTP_E_DISK_FULL:
    case XMTP_E_RPC_EXHAUSTED:
        return XMTP_GRPC_RESOURCE_EXHAUSTED;
    case XMTP_E_NOT_FOUND:
        return XMTP_GRPC_NOT_FOUND;
    case XMTP_E_EXISTS:
        return XMTP_GRPC_ALREADY_EXISTS;
    case XMTP_E_STATE:
        return XMTP_GRPC_FAILED_PRECONDITION;
    case XMTP_E_PERMISSION:
        return XMTP_GRPC_PERMISSION_DENIED;
    case XMTP_E_UNSUPPORTED:
    case XMTP_E_RPC_UNIMPLEMENTED:
        return XMTP_GRPC_UNIMPLEMENTED;
    case XMTP_E_CANCELLED:
        return XMTP_GRPC_CANCELLED;
    case XMTP_E_ABORTED:
        return XMTP_GRPC_ABORTED;
    case XMTP_E_TIMEOUT:
        return XMTP_GRPC_DEADLINE_EXCEEDED;
    case XMTP_E_CLOSED:
    case XMTP_E_RETRY:
    case XMTP_E_NETWORK:
    case XMTP_E_RPC_UNAVAILABLE:
        return XMTP_GRPC_UNAVAILABLE;
    case XMTP_E_CRYPTO:
        return XMTP_GRPC_INTERNAL;
    default:
        return status_out_by_room(status);
    }
}

int xmtp_grpc_status_parse(xmtp_bytes text)
{
    int value = 0;
    if (text.n == 0 || text.n > 3) {
        return XMTP_GRPC_UNKNOWN;
    }
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') {
            return XMTP_GRPC_UNKNOWN;
        }
        value = 10 * value + (text.p[i] - '0');
    }
    return value;
}

/* --- error texts --- */

/* Spaces at the ends would be refused as header values (RFC 9113 section 8.2.1). */
static bool is_literal(xmtp_bytes text, size_t i)
{
    bool is_outer = i == 0 || i + 1 == text.n;
    return text.p[i] >= 0x20 && text.p[i] <= 0x7e && text.p[i] != '%' &&
           !(is_outer && text.p[i] == ' ');
}

size_t xmtp_grpc_text_encode(char *out, size_t capacity, xmtp_bytes text)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        size_t width = is_literal(text, i) ? 1 : 3;
        if (n + width >= capacity) {
            break;
        }
        if (width == 1) {
            out[n] = (char)text.p[i];
        } else {
            out[n] = '%';
            out[n + 1] = digits[text.p[i] >> 4];
            out[n + 2] = digits[text.p[i] & 15];
        }
        n += width;
    }
    /* A cut may leave a space at the end. */
    while (n > 0 && out[n - 1] == ' ') {
        n--;
    }
    out[n] = '\0';
    return n;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte at text[*i], which is moved behind it. */
static uint8_t decode_byte(xmtp_bytes text, size_t *i)
{
    size_t at = (*i)++;
    if (text.p[at] != '%' || text.n - at < 3) {
        return text.p[at];
    }
    int high = hex_digit(text.p[at + 1]);
    int low = hex_digit(text.p[at + 2]);
    if (high < 0 || low < 0) {
        return '%';
    }
    *i = at + 3;
    return (uint8_t)(high * 16 + low);
}

size_t xmtp_grpc_text_decode(char *out, size_t capacity, xmtp_bytes text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n && n + 1 < capacity;) {
        uint8_t c = decode_byte(text, &i);
        out[n++] = (char)(c < 0x20 || c == 0x7f ? '?' : c);
    }
    out[n] = '\0';
    return n;
}

/* --- messages --- */

void xmtp_grpc_prefix(uint8_t out[XMTP_GRPC_PREFIX_LEN], size_t n)
{
    out[0] = 0;
    for (size_t i = 0; i < 4; i++) {
        out[1 + i] = (uint8_t)(n >> (8 * (3 - i)));
    }
}

void xmtp_grpc_decoder_init(xmtp_grpc_decoder *d, const xmtp_alloc *alloc, size_t len_max,
                            size_t *budget)
{
    *d = (xmtp_grpc_decoder){.alloc = alloc, .len_max = len_max, .budget = budget};
}

void xmtp_grpc_decoder_free(xmtp_grpc_decoder *d)
{
    if (d->p != NULL) {
        (void)d->alloc->reallocate(d->alloc->context, d->p, 0);
    }
    if (d->budget != NULL) {
        *d->budget += d->capacity;
    }
    bool accepts_compressed = d->accepts_compressed;
    xmtp_grpc_decoder_init(d, d->alloc, d->len_max, d->budget);
    d->accepts_compressed = accepts_compressed;
}

void xmtp_grpc_decoder_take(xmtp_grpc_decoder *d, uint8_t **p, size_t *n)
{
    *p = d->p;
    *n = d->n;
    xmtp_grpc_decoder_init(d, d->alloc, d->len_max, d->budget);
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Takes the rest of the prefix from in; XMTP_OK when it is complete and acceptable. */
static xmtp_status feed_prefix(xmtp_grpc_decoder *d, xmtp_bytes *in)
{
    size_t n = min_size(XMTP_GRPC_PREFIX_LEN - d->prefix_n, in->n);
    xmtp_copy(d->prefix + d->prefix_n, in->p, n);
    d->prefix_n += n;
    in->p += n;
    in->n -= n;
    XMTP_ENSURE(d->prefix_n == XMTP_GRPC_PREFIX_LEN, XMTP_E_RETRY);
    XMTP_ENSURE(d->prefix[0] <= 1, XMTP_E_PROTOCOL);
    XMTP_ENSURE(d->prefix[0] == 0 || d->accepts_compressed, XMTP_E_UNSUPPORTED);
    d->len = (size_t)d->prefix[1] << 24 | (size_t)d->prefix[2] << 16 | (size_t)d->prefix[3] << 8 |
             d->prefix[4];
    XMTP_ENSURE(d->len <= d->len_max, XMTP_E_LIMIT);
    return XMTP_OK;
}

static xmtp_status reserve(xmtp_grpc_decoder *d, size_t needed)
{
    if (needed <= d->capacity) {
        return XMTP_OK;
    }
    size_t capacity = d->capacity == 0 ? FIRST_CAPACITY : 2 * d->capacity;
    capacity = min_size(capacity < needed ? needed : capacity, d->len);
    size_t more = capacity - d->capacity;
    XMTP_ENSURE(d->budget == NULL || more <= *d->budget, XMTP_E_LIMIT);
    uint8_t *p = d->alloc->reallocate(d->alloc->context, d->p, capacity);
    XMTP_ENSURE(p != NULL, XMTP_E_NOMEM);
    if (d->budget != NULL) {
        *d->budget -= more;
    }
    d->p = p;
    d->capacity = capacity;
    return XMTP_OK;
}

xmtp_status xmtp_grpc_decoder_feed(xmtp_grpc_decoder *d, xmtp_bytes *in)
{
    if (in->n == 0) {
        return XMTP_E_RETRY;
    }
    if (d->prefix_n < XMTP_GRPC_PREFIX_LEN) {
        XMTP_TRY(feed_prefix(d, in));
    }
    size_t n = min_size(d->len - d->n, in->n);
    XMTP_TRY(reserve(d, d->n + n));
    if (n > 0) {
        xmtp_copy(d->p + d->n, in->p, n);
        d->n += n;
        in->p += n;
        in->n -= n;
    }
    return d->n == d->len ? XMTP_OK : XMTP_E_RETRY;
}
