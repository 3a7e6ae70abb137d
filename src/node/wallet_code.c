/* wallet_code.c - see wallet_code.h; opcodes are those of the Ethereum Yellow Paper, appendix H. */
#include "node/wallet_code.h"

#include "base/bytes.h"
#include "base/status.h"

enum {
    WORD = 32,
    OP_GT = 0x11,
    OP_EQ = 0x14,
    OP_ISZERO = 0x15,
    OP_AND = 0x16,
    OP_CODECOPY = 0x39,
    OP_EXTCODESIZE = 0x3b,
    OP_RETURNDATASIZE = 0x3d,
    OP_POP = 0x50,
    OP_MLOAD = 0x51,
    OP_MSTORE = 0x52,
    OP_JUMP = 0x56,
    OP_JUMPI = 0x57,
    OP_GAS = 0x5a,
    OP_JUMPDEST = 0x5b,
    OP_PUSH1 = 0x60,
    OP_DUP1 = 0x80,
    OP_CALL = 0xf1,
    OP_RETURN = 0xf3,
    OP_STATICCALL = 0xfa,
    CALL_LEN_MAX = 1 << 20, /* of what is called; nodes allow less */
};

/* isValidSignature(bytes32,bytes): selector, and the magic value that means yes. */
static const uint8_t selector[4] = {0x16, 0x26, 0xba, 0x7e};

/* ---- ERC-6492: abi.encode(address, bytes, bytes) and a marker of 32 bytes */

static bool is_marked(xmtp_bytes signature)
{
    if (signature.n < 4 * WORD) {
        return false;
    }
    for (size_t i = 0; i < WORD; i += 2) {
        const uint8_t *p = signature.p + signature.n - WORD + i;
        if (p[0] != 0x64 || p[1] != 0x92) {
            return false;
        }
    }
    return true;
}

/* A number of 32 bytes at a place, when it is below 2^31. */
static bool word_at(xmtp_bytes data, size_t at, size_t *out)
{
    *out = 0;
    if (at > data.n || data.n - at < WORD) {
        return false;
    }
    for (size_t i = 0; i < WORD; i++) {
        if (i < WORD - 4 && data.p[at + i] != 0) {
            return false;
        }
        *out = (*out << 8) | data.p[at + i];
    }
    return *out < ((size_t)1 << 31);
}

static bool bytes_at(xmtp_bytes data, size_t head, xmtp_bytes *out)
{
    size_t offset;
    size_t n;
    if (!word_at(data, head, &offset) || !word_at(data, offset, &n) || data.n - offset - WORD < n) {
        return false;
    }
    *out = xmtp_bytes_of(data.p + offset + WORD, n);
    return true;
}

void xmtp_node_unwrap(xmtp_bytes signature, xmtp_node_wrapped *out)
{
    *out = (xmtp_node_wrapped){.inner = signature};
    if (!is_marked(signature)) {
        return;
    }
    xmtp_node_wrapped found = {.is_wrapped = true};
    xmtp_bytes data = xmtp_bytes_of(signature.p, signature.n - WORD);
    if (bytes_at(data, WORD, &found.factory_call) && bytes_at(data, 2 * WORD, &found.inner)) {
        memcpy(found.factory, data.p + WORD - XMTP_NODE_EVM_ADDRESS_LEN, XMTP_NODE_EVM_ADDRESS_LEN);
        *out = found;
    }
}

/* ---- code */

typedef struct code {
    xmtp_writer *w;
    size_t start;
    const uint8_t *signer;
    const xmtp_node_wrapped *wrapped;
    size_t factory_call_at; /* in memory */
    size_t question_at;
    size_t question_len;
    size_t answer_at;
} code;

typedef struct label {
    size_t uses[4]; /* places in the code that hold its address */
    size_t count;
} label;

static void op(const code *c, uint8_t opcode)
{
    xmtp_writer_u8(c->w, opcode);
}

static void push(const code *c, size_t value)
{
    op(c, OP_PUSH1 + 3);
    xmtp_writer_u32(c->w, (uint32_t)value);
}

static void push_bytes(const code *c, const uint8_t *p, size_t n)
{
    op(c, (uint8_t)(OP_PUSH1 + n - 1));
    xmtp_writer_put(c->w, xmtp_bytes_of(p, n));
}

static void push_label(const code *c, label *l)
{
    op(c, OP_PUSH1 + 3);
    l->uses[l->count++] = c->w->n;
    xmtp_writer_u32(c->w, 0);
}

static void patch(const code *c, const label *l, size_t value)
{
    for (size_t i = 0; xmtp_writer_status(c->w) == XMTP_OK && i < l->count; i++) {
        for (size_t k = 0; k < 4; k++) {
            c->w->p[l->uses[i] + k] = (uint8_t)(value >> (24 - 8 * k));
        }
    }
}

static void place(const code *c, const label *l)
{
    patch(c, l, c->w->n - c->start);
    op(c, OP_JUMPDEST);
}

static void jump(const code *c, label *l)
{
    push_label(c, l);
    op(c, OP_JUMP);
}

static void jump_if(const code *c, label *l)
{
    push_label(c, l);
    op(c, OP_JUMPI);
}

/* Calls the factory; leaves 1 for success. */
static void call_factory(const code *c)
{
    push(c, 0); /* no answer is kept */
    push(c, 0);
    push(c, c->wrapped->factory_call.n);
    push(c, c->factory_call_at);
    push(c, 0); /* no value */
    push_bytes(c, c->wrapped->factory, XMTP_NODE_EVM_ADDRESS_LEN);
    op(c, OP_GAS);
    op(c, OP_CALL);
}

/* Asks the wallet; leaves 1 when it answered with 32 bytes that are the magic value and zeros. */
static void ask(const code *c)
{
    uint8_t magic[WORD] = {0};
    memcpy(magic, selector, sizeof(selector));
    push(c, WORD);
    push(c, c->answer_at);
    push(c, c->question_len);
    push(c, c->question_at);
    push_bytes(c, c->signer, XMTP_NODE_EVM_ADDRESS_LEN);
    op(c, OP_GAS);
    op(c, OP_STATICCALL);
    push(c, WORD - 1);
    op(c, OP_RETURNDATASIZE);
    op(c, OP_GT);
    op(c, OP_AND);
    push(c, c->answer_at);
    op(c, OP_MLOAD);
    push_bytes(c, magic, WORD);
    op(c, OP_EQ);
    op(c, OP_AND);
}

static void put_program(const code *c, size_t data_len)
{
    label data = {.count = 0};
    label deploy = {.count = 0};
    label end = {.count = 0};
    label fail = {.count = 0};
    push(c, data_len);
    push_label(c, &data);
    push(c, 0);
    op(c, OP_CODECOPY);
    push_bytes(c, c->signer, XMTP_NODE_EVM_ADDRESS_LEN);
    op(c, OP_EXTCODESIZE);
    op(c, OP_ISZERO);
    jump_if(c, &deploy);
    ask(c);
    if (c->wrapped->is_wrapped) {
        op(c, OP_DUP1);
        jump_if(c, &end);
        op(c, OP_POP);
        place(c, &deploy);
        call_factory(c);
        op(c, OP_ISZERO);
        jump_if(c, &fail);
        ask(c);
        jump(c, &end);
    } else {
        jump(c, &end);
        place(c, &deploy);
        push(c, XMTP_NODE_WALLET_NO_CONTRACT);
        jump(c, &end);
    }
    place(c, &fail);
    push(c, XMTP_NODE_WALLET_NO);
    place(c, &end);
    push(c, 0);
    op(c, OP_MSTORE);
    push(c, 1);
    push(c, WORD - 1);
    op(c, OP_RETURN);
    patch(c, &data, c->w->n - c->start);
}

static void put_word(xmtp_writer *w, size_t value)
{
    static const uint8_t zeros[WORD - 4];
    xmtp_writer_put(w, xmtp_bytes_of(zeros, sizeof(zeros)));
    xmtp_writer_u32(w, (uint32_t)value);
}

static size_t padded(size_t n)
{
    return (n + WORD - 1) / WORD * WORD;
}

/* What follows the program: the factory's call, then isValidSignature(hash, inner). */
static void put_data(xmtp_writer *w, const xmtp_node_wrapped *wrapped, const uint8_t hash[32])
{
    static const uint8_t zeros[WORD];
    xmtp_writer_put(w, wrapped->factory_call);
    xmtp_writer_put(w, xmtp_bytes_of(selector, sizeof(selector)));
    xmtp_writer_put(w, xmtp_bytes_of(hash, 32));
    put_word(w, 2 * WORD);
    put_word(w, wrapped->inner.n);
    xmtp_writer_put(w, wrapped->inner);
    xmtp_writer_put(w, xmtp_bytes_of(zeros, padded(wrapped->inner.n) - wrapped->inner.n));
}

xmtp_status xmtp_node_wallet_code(const uint8_t signer[XMTP_NODE_EVM_ADDRESS_LEN],
                                  const uint8_t hash[32], xmtp_bytes signature, xmtp_writer *w)
{
    xmtp_node_wrapped wrapped;
    XMTP_ENSURE(signature.n <= CALL_LEN_MAX, XMTP_E_LIMIT);
    xmtp_node_unwrap(signature, &wrapped);
    size_t question_len = sizeof(selector) + 3 * WORD + padded(wrapped.inner.n);
    code c = {
        .w = w,
        .start = w->n,
        .signer = signer,
        .wrapped = &wrapped,
        .question_at = wrapped.factory_call.n,
        .question_len = question_len,
        .answer_at = padded(wrapped.factory_call.n + question_len),
    };
    put_program(&c, wrapped.factory_call.n + question_len);
    put_data(w, &wrapped, hash);
    return xmtp_writer_status(w);
}
