/* message.c - protobuf-c with an arena behind its allocator, and a depth check before its recursive
 * decoder.
 *
 * protobuf-c recurses once per nested message. Only types that contain themselves (the policies of
 * a group) can nest without end, but the check is by bytes and knows no types: a length-delimited
 * field could be a message whenever its content parses as fields. Counting that exactly is not
 * possible without the descriptor, so the walk follows the descriptor and descends into fields that
 * are messages, with a bounded stack.
 */
#include "proto/message.h"

#include "base/bytes.h"
#include "base/status.h"

typedef struct frame {
    const ProtobufCMessageDescriptor *type;
    xmtp_bytes rest;
} frame;

static xmtp_status take_varint(xmtp_bytes *in, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        XMTP_ENSURE(in->n > 0, XMTP_E_MALFORMED);
        uint8_t byte = *in->p++;
        in->n--;
        value |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
        if (byte < 0x80) {
            *out = value;
            return XMTP_OK;
        }
    }
    return XMTP_E_MALFORMED;
}

static xmtp_status skip(xmtp_bytes *in, uint64_t n)
{
    XMTP_ENSURE(n <= in->n, XMTP_E_MALFORMED);
    in->p += n;
    in->n -= (size_t)n;
    return XMTP_OK;
}

/* Well-formed UTF-8: shortest forms, no surrogates, nothing above U+10FFFF. Strings of proto3 must
 * be, and other readers of the network refuse a message whose strings are not. */
static bool is_utf8(xmtp_bytes in)
{
    for (size_t i = 0; i < in.n;) {
        uint8_t lead = in.p[i];
        size_t n = lead < 0x80                   ? 1
                   : lead >= 0xc2 && lead < 0xe0 ? 2
                   : lead >= 0xe0 && lead < 0xf0 ? 3
                                                 : 4;
        if (n == 1) {
            i++;
            continue;
        }
        if (lead < 0xc2 || lead > 0xf4 || in.n - i < n) {
            return false;
        }
        uint8_t second = in.p[i + 1];
        uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
        uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
        if (second < low || second > high) {
            return false;
        }
        for (size_t k = 2; k < n; k++) {
            if ((in.p[i + k] & 0xc0) != 0x80) {
                return false;
            }
        }
        i += n;
    }
    return true;
}

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *type,
                                                  uint64_t number)
{
    return number > UINT32_MAX ? NULL
                               : protobuf_c_message_descriptor_get_field(type, (unsigned)number);
}

/* What a length-delimited field of this kind holds: a message to descend into, a string, or bytes.
 */
static xmtp_status check_content(const ProtobufCFieldDescriptor *field, xmtp_bytes content,
                                 const ProtobufCMessageDescriptor **inner_type)
{
    if (field != NULL && field->type == PROTOBUF_C_TYPE_MESSAGE) {
        *inner_type = field->descriptor;
    }
    XMTP_ENSURE(field == NULL || field->type != PROTOBUF_C_TYPE_STRING || is_utf8(content),
                XMTP_E_MALFORMED);
    return XMTP_OK;
}

/* Reads one field; a nested message becomes *inner with *inner_type set. */
static xmtp_status read_field(frame *f, const ProtobufCMessageDescriptor **inner_type,
                              xmtp_bytes *inner)
{
    uint64_t key;
    uint64_t n;
    *inner_type = NULL;
    XMTP_TRY(take_varint(&f->rest, &key));
    XMTP_ENSURE(key >> 3 != 0 && key <= UINT32_MAX,
                XMTP_E_MALFORMED); /* field numbers have 29 bits */
    switch (key & 7) {
    case 0:
        return take_varint(&f->rest, &n);
    case 1:
        return skip(&f->rest, 8);
    case 2:
        XMTP_TRY(take_varint(&f->rest, &n));
        *inner = xmtp_bytes_of(f->rest.p, (size_t)n);
        XMTP_TRY(skip(&f->rest, n));
        return check_content(find_field(f->type, key >> 3), *inner, inner_type);
    case 5:
        return skip(&f->rest, 4);
    default:
        return XMTP_E_MALFORMED;
    }
}

static xmtp_status check_shape(const ProtobufCMessageDescriptor *type, xmtp_bytes in)
{
    frame stack[XMTP_PROTO_DEPTH_MAX] = {{.type = type, .rest = in}};
    size_t depth = 1;
    while (depth > 0) {
        frame *top = &stack[depth - 1];
        if (top->rest.n == 0) {
            depth--;
            continue;
        }
        const ProtobufCMessageDescriptor *inner_type;
        xmtp_bytes inner;
        XMTP_TRY(read_field(top, &inner_type, &inner));
        if (inner_type != NULL) {
            XMTP_ENSURE(depth < XMTP_PROTO_DEPTH_MAX, XMTP_E_MALFORMED);
            stack[depth++] = (frame){.type = inner_type, .rest = inner};
        }
    }
    return XMTP_OK;
}

/* protobuf-c does not say why it failed: the allocator remembers whether memory was the reason. */
typedef struct arena_allocator {
    xmtp_arena *arena;
    xmtp_status status;
} arena_allocator;

static void *arena_allocate(void *context, size_t n)
{
    arena_allocator *a = context;
    void *p;
    xmtp_status status = xmtp_arena_take(a->arena, n, &p);
    a->status = a->status == XMTP_OK ? status : a->status;
    return p;
}

static void arena_ignore_free(void *context, void *p)
{
    (void)context;
    (void)p;
}

xmtp_status xmtp_proto_decode(const ProtobufCMessageDescriptor *type, xmtp_arena *arena,
                              xmtp_bytes in, void **out)
{
    *out = NULL;
    XMTP_TRY(check_shape(type, in));
    arena_allocator a = {.arena = arena};
    ProtobufCAllocator allocator = {
        .alloc = arena_allocate, .free = arena_ignore_free, .allocator_data = &a};
    static const uint8_t nothing[1];
    const uint8_t *p = in.n == 0 ? nothing : in.p;
    *out = protobuf_c_message_unpack(type, &allocator, in.n, p);
    if (*out != NULL) {
        return XMTP_OK;
    }
    /* Input that asks for more than the ceiling and input that is malformed are verdicts on the
     * input; no memory is not, and must never be taken for one. */
    return a.status == XMTP_OK ? XMTP_E_MALFORMED : a.status;
}

xmtp_status xmtp_proto_encode(const ProtobufCMessage *message, xmtp_writer *w)
{
    size_t n = protobuf_c_message_get_packed_size(message);
    if (n == 0) {
        return w->status;
    }
    uint8_t *p = xmtp_writer_extend(w, n);
    XMTP_ENSURE(p != NULL, w->status);
    (void)protobuf_c_message_pack(message, p);
    return XMTP_OK;
}
