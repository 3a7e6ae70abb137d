/* wire.c - protobuf fields written by hand where that saves decoding and encoding again. */
#include "node/wire.h"

enum { WIRE_VARINT = 0, WIRE_LEN = 2 };

static size_t varint_len(uint64_t value)
{
    size_t n = 1;
    for (; value >= 0x80; value >>= 7) {
        n++;
    }
    return n;
}

static void varint(xmtp_writer *w, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        xmtp_writer_u8(w, (uint8_t)(value | 0x80));
    }
    xmtp_writer_u8(w, (uint8_t)value);
}

void xmtp_node_wire_uint(xmtp_writer *w, uint32_t field, uint64_t value)
{
    if (value != 0) {
        varint(w, (uint64_t)field << 3 | WIRE_VARINT);
        varint(w, value);
    }
}

static size_t uint_len(uint32_t field, uint64_t value)
{
    return value == 0 ? 0 : varint_len((uint64_t)field << 3) + varint_len(value);
}

static void open_field(xmtp_writer *w, uint32_t field, size_t content_len)
{
    varint(w, (uint64_t)field << 3 | WIRE_LEN);
    varint(w, content_len);
}

size_t xmtp_node_wire_field_len(uint32_t field, size_t content_len)
{
    return varint_len((uint64_t)field << 3) + varint_len(content_len) + content_len;
}

void xmtp_node_wire_field(xmtp_writer *w, uint32_t field, xmtp_bytes content)
{
    open_field(w, field, content.n);
    xmtp_writer_put(w, content);
}

void xmtp_node_wire_payload(xmtp_writer *w, xmtp_node_kind kind, uint8_t flags, uint64_t id,
                            uint64_t time_ns, xmtp_bytes body)
{
    uint64_t shown_id = kind == XMTP_NODE_KEY_PACKAGE ? 0 : id;
    uint64_t shown_time =
        kind == XMTP_NODE_KEY_PACKAGE || kind == XMTP_NODE_COMMIT_LOG ? 0 : time_ns;
    if (kind == XMTP_NODE_GROUP_MESSAGE || kind == XMTP_NODE_WELCOME) {
        uint32_t version = (flags & XMTP_NODE_IS_POINTER) != 0 ? 2 : 1;
        open_field(w, version, uint_len(1, shown_id) + uint_len(2, shown_time) + body.n);
    }
    xmtp_node_wire_uint(w, 1, shown_id);
    xmtp_node_wire_uint(w, 2, shown_time);
    xmtp_writer_put(w, body);
}
