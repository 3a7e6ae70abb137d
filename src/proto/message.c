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
#include "proto/field.h"
#include "proto/zero_byte.h"

typedef struct frame {
    const ProtobufCMessageDescriptor *type;
    xmtp_reader rest;
} frame;

/* What is looked for in the strings of a message. */
typedef xmtp_status text_check(const xmtp_field *field, bool *found);

/* Reads one field. A nested message becomes *inner with *inner_type set. */
static xmtp_status read_field(frame *f, text_check *check, bool *found,
                              const ProtobufCMessageDescriptor **inner_type, xmtp_reader *inner)
{
    xmtp_field field;
    *inner_type = NULL;
    XMTP_TRY(xmtp_field_next(&f->rest, &field));
    const ProtobufCFieldDescriptor *expected =
        protobuf_c_message_descriptor_get_field(f->type, field.number);
    if (expected == NULL || field.type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED) {
        return XMTP_OK;
    }
    if (expected->type == PROTOBUF_C_TYPE_MESSAGE) {
        *inner_type = expected->descriptor;
        return xmtp_field_message(&field, inner);
    }
    return expected->type == PROTOBUF_C_TYPE_STRING ? check(&field, found) : XMTP_OK;
}

static xmtp_status walk(const ProtobufCMessageDescriptor *type, xmtp_bytes in, text_check *check,
                        bool *found)
{
    *found = false;
    frame stack[XMTP_PROTO_DEPTH_MAX] = {{.type = type, .rest = xmtp_reader_of(in)}};
    size_t depth = 1;
    while (depth > 0) {
        frame *top = &stack[depth - 1];
        if (top->rest.n == 0) {
            depth--;
            continue;
        }
        const ProtobufCMessageDescriptor *inner_type;
        xmtp_reader inner;
        XMTP_TRY(read_field(top, check, found, &inner_type, &inner));
        if (inner_type != NULL) {
            XMTP_ENSURE(depth < XMTP_PROTO_DEPTH_MAX, XMTP_E_MALFORMED);
            stack[depth++] = (frame){.type = inner_type, .rest = inner};
        }
    }
    return XMTP_OK;
}

/* Of foreign bytes: a string must be UTF-8. */
static xmtp_status check_shown(const xmtp_field *field, bool *has_zero)
{
    xmtp_bytes text;
    XMTP_TRY(xmtp_field_string(field, &text));
    *has_zero |= xmtp_has_zero_byte(text);
    return XMTP_OK;
}

static xmtp_status check_hidden(const xmtp_field *field, bool *has_hidden)
{
    *has_hidden |= xmtp_has_hidden_zero_byte(field->bytes);
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

static xmtp_status unpack(const ProtobufCMessageDescriptor *type, xmtp_arena *arena, xmtp_bytes in,
                          void **out)
{
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

xmtp_status xmtp_proto_decode(const ProtobufCMessageDescriptor *type, xmtp_arena *arena,
                              xmtp_bytes in, void **out)
{
    bool has_zero;
    xmtp_writer w;
    *out = NULL;
    XMTP_TRY(walk(type, in, check_shown, &has_zero));
    if (!has_zero) {
        return unpack(type, arena, in, out);
    }
    xmtp_writer_init(&w, arena->alloc, XMTP_WRITER_MAX);
    xmtp_status status = xmtp_zero_bytes_hide(type, in, &w);
    if (status == XMTP_OK) {
        status = unpack(type, arena, xmtp_writer_bytes(&w), out); /* copies */
    }
    xmtp_writer_free(&w);
    return status;
}

static void show_zero_bytes(const ProtobufCMessageDescriptor *type, xmtp_writer *w, size_t start)
{
    xmtp_writer shown;
    xmtp_bytes packed = xmtp_bytes_of(w->p + start, w->n - start);
    xmtp_writer_init(&shown, w->alloc, XMTP_WRITER_MAX);
    xmtp_status status = xmtp_zero_bytes_show(type, packed, &shown);
    w->n = start;
    w->status = status;
    xmtp_writer_put(w, xmtp_writer_bytes(&shown));
    xmtp_writer_free(&shown);
}

xmtp_status xmtp_proto_encode(const ProtobufCMessage *message, xmtp_writer *w)
{
    size_t n = protobuf_c_message_get_packed_size(message);
    if (n == 0) {
        return w->status;
    }
    size_t start = w->n;
    bool has_hidden;
    uint8_t *p = xmtp_writer_extend(w, n);
    XMTP_ENSURE(p != NULL, w->status);
    (void)protobuf_c_message_pack(message, p);
    w->status = walk(message->descriptor, xmtp_bytes_of(p, n), check_hidden, &has_hidden);
    if (w->status == XMTP_OK && has_hidden) {
        show_zero_bytes(message->descriptor, w, start);
    }
    return w->status;
}
