/* zero_byte.c - a walk over the fields of a message that copies all of them and rewrites its strings. The open messages are
 * on a stack whose depth message.c has checked. */
#include "proto/zero_byte.h"

#include "base/bytes.h"
#include "base/status.h"
#include "proto/field.h"
#include "proto/message.h"

static const uint8_t hidden[2] = {0xc0, 0x80};

typedef struct frame {
    const ProtobufCMessageDescriptor *type;
    xmtp_reader rest;
    size_t mark; /* where its content begins in the output */
} frame;

bool xmtp_has_zero_byte(xmtp_bytes text)
{
    return text.n > 0 && memchr(text.p, 0, text.n) != NULL;
}

bool xmtp_has_hidden_zero_byte(xmtp_bytes text)
{
    return text.n > 0 && memmem(text.p, text.n, hidden, sizeof hidden) != NULL;
}

size_t xmtp_text_wire_len(const char *text)
{
    size_t n = strlen(text);
    for (const char *p = text; (p = strstr(p, "\xc0\x80")) != NULL; p += sizeof hidden) {
        n--;
    }
    return n;
}

static void put_hidden(xmtp_writer *w, xmtp_bytes text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == 0) {
            xmtp_writer_put(w, xmtp_bytes_of(hidden, sizeof hidden));
        } else {
            xmtp_writer_u8(w, text.p[i]);
        }
    }
}

static void put_shown(xmtp_writer *w, xmtp_bytes text)
{
    for (size_t i = 0; i < text.n; i++) {
        bool is_hidden = i + 1 < text.n && text.p[i] == hidden[0] && text.p[i + 1] == hidden[1];
        xmtp_writer_u8(w, is_hidden ? 0 : text.p[i]);
        i += is_hidden;
    }
}

/* Copies one field; a nested message is opened as *inner instead. */
static xmtp_status copy_field(frame *f, void (*put)(xmtp_writer *, xmtp_bytes), xmtp_writer *w,
                              frame *inner)
{
    xmtp_reader start = f->rest;
    xmtp_field field;
    XMTP_TRY(xmtp_field_next(&f->rest, &field));
    const ProtobufCFieldDescriptor *expected =
        protobuf_c_message_descriptor_get_field(f->type, field.number);
    bool has_content = expected != NULL && field.type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
    inner->type = NULL;
    if (has_content && expected->type == PROTOBUF_C_TYPE_MESSAGE) {
        *inner = (frame){.type = expected->descriptor, .rest = xmtp_reader_of(field.bytes)};
        inner->mark = xmtp_field_open(w, field.number);
    } else if (has_content && expected->type == PROTOBUF_C_TYPE_STRING) {
        size_t mark = xmtp_field_open(w, field.number);
        put(w, field.bytes);
        xmtp_field_close(w, mark);
    } else {
        xmtp_writer_put(w, xmtp_reader_since(&f->rest, &start));
    }
    return XMTP_OK;
}

static xmtp_status rewrite(const ProtobufCMessageDescriptor *type, xmtp_bytes in,
                           void (*put)(xmtp_writer *, xmtp_bytes), xmtp_writer *w)
{
    frame stack[XMTP_PROTO_DEPTH_MAX] = {{.type = type, .rest = xmtp_reader_of(in)}};
    size_t depth = 1;
    while (depth > 0) {
        frame *top = &stack[depth - 1];
        if (top->rest.n == 0) {
            if (depth > 1) {
                xmtp_field_close(w, top->mark);
            }
            depth--;
            continue;
        }
        frame inner;
        XMTP_TRY(copy_field(top, put, w, &inner));
        if (inner.type != NULL) {
            XMTP_ENSURE(depth < XMTP_PROTO_DEPTH_MAX, XMTP_E_MALFORMED);
            stack[depth++] = inner;
        }
    }
    return xmtp_writer_status(w);
}

xmtp_status xmtp_zero_bytes_hide(const ProtobufCMessageDescriptor *type, xmtp_bytes in,
                                 xmtp_writer *w)
{
    return rewrite(type, in, put_hidden, w);
}

xmtp_status xmtp_zero_bytes_show(const ProtobufCMessageDescriptor *type, xmtp_bytes in,
                                 xmtp_writer *w)
{
    return rewrite(type, in, put_shown, w);
}
