/* reflection.c - see reflection.h.
 *
 *     request --> symbol or file name --> a walk over the descriptor set --> waiting answers --> next
 *
 * The set is read where it lies: it has a few dozen kilobytes, and nobody asks often. Field numbers
 * are those of google/protobuf/descriptor.proto and grpc/reflection/v1/reflection.proto.
 */
#include "node/reflection.h"

#include "base/bytes.h"
#include "base/status.h"
#include "node/address.h"
#include "proto/field.h"
#include "rpc/grpc_frame.h"

#include <string.h>

extern const uint8_t xmtp_node_api[];
extern const size_t xmtp_node_api_len;

/* Answers of one stream that the peer has not taken yet. */
enum { ANSWERS_LEN_MAX = 4 * 1024 * 1024, LEN_SIZE = 4 };

bool xmtp_node_is_reflection(const char *path)
{
    return strcmp(path, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo") == 0 ||
           strcmp(path, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo") == 0;
}

/* ---- descriptors */

typedef enum level { LEVEL_FILE, LEVEL_MESSAGE, LEVEL_SERVICE, LEVEL_LEAF } level;

/* What the things are that a descriptor of this level holds in this field. */
static bool child_level(level parent, uint32_t field, level *out)
{
    static const struct {
        level parent;
        uint32_t field;
        level child;
    } children[] = {
        {LEVEL_FILE, 4, LEVEL_MESSAGE},    /* message_type */
        {LEVEL_FILE, 5, LEVEL_LEAF},       /* enum_type */
        {LEVEL_FILE, 6, LEVEL_SERVICE},    /* service */
        {LEVEL_MESSAGE, 2, LEVEL_LEAF},    /* field */
        {LEVEL_MESSAGE, 3, LEVEL_MESSAGE}, /* nested_type */
        {LEVEL_MESSAGE, 4, LEVEL_LEAF},    /* enum_type */
        {LEVEL_MESSAGE, 8, LEVEL_LEAF},    /* oneof_decl */
        {LEVEL_SERVICE, 2, LEVEL_LEAF},    /* method */
    };
    for (size_t i = 0; i < sizeof children / sizeof children[0]; i++) {
        if (children[i].parent == parent && children[i].field == field) {
            *out = children[i].child;
            return true;
        }
    }
    return false;
}

/* The first field of this number; empty when there is none. */
static xmtp_bytes get(xmtp_bytes message, uint32_t number)
{
    xmtp_field f;
    xmtp_reader r = xmtp_reader_of(message);
    while (r.n > 0 && xmtp_field_next(&r, &f) == XMTP_OK) {
        if (f.number == number) {
            return f.bytes;
        }
    }
    return (xmtp_bytes){0};
}

static bool begins_with(xmtp_bytes text, xmtp_bytes with)
{
    return text.n >= with.n && memcmp(text.p, with.p, with.n) == 0;
}

/* symbol without "name."; false when it does not begin so. */
static bool step_into(xmtp_bytes *symbol, xmtp_bytes name)
{
    if (symbol->n <= name.n || !begins_with(*symbol, name) || symbol->p[name.n] != '.') {
        return false;
    }
    *symbol = xmtp_bytes_of(symbol->p + name.n + 1, symbol->n - name.n - 1);
    return true;
}

/* Whether a thing of this name, relative to the descriptor, is in it. As deep as types nest. */
static bool has_symbol(xmtp_bytes descriptor, level at, xmtp_bytes symbol)
{
    xmtp_field f;
    level child;
    xmtp_reader r = xmtp_reader_of(descriptor);
    while (r.n > 0 && xmtp_field_next(&r, &f) == XMTP_OK) {
        if (!child_level(at, f.number, &child)) {
            continue;
        }
        xmtp_bytes inner = symbol;
        xmtp_bytes name = get(f.bytes, 1);
        if (xmtp_bytes_equal(name, symbol) ||
            (step_into(&inner, name) && has_symbol(f.bytes, child, inner))) {
            return true;
        }
    }
    return false;
}

static bool file_is(xmtp_bytes file, xmtp_bytes name)
{
    return xmtp_bytes_equal(get(file, 1), name);
}

static bool file_has(xmtp_bytes file, xmtp_bytes symbol)
{
    return step_into(&symbol, get(file, 2)) && has_symbol(file, LEVEL_FILE, symbol);
}

/* The first file of the set that is asked for; empty when there is none. */
static xmtp_bytes find_file(bool (*is_it)(xmtp_bytes file, xmtp_bytes what), xmtp_bytes what)
{
    xmtp_field f;
    xmtp_reader r = xmtp_reader_of(xmtp_bytes_of(xmtp_node_api, xmtp_node_api_len));
    while (r.n > 0 && xmtp_field_next(&r, &f) == XMTP_OK) {
        if (is_it(f.bytes, what)) {
            return f.bytes;
        }
    }
    return (xmtp_bytes){0};
}

/* ---- answers */

static void put_error(xmtp_writer *out, int code, const char *text)
{
    size_t mark = xmtp_field_open(out, 7);
    xmtp_field_put_u64(out, 1, (uint64_t)code);
    xmtp_field_put_bytes(out, 2, xmtp_bytes_of_string(text));
    xmtp_field_close(out, mark);
}

static void put_file(xmtp_writer *out, xmtp_bytes file)
{
    if (file.n == 0) {
        put_error(out, XMTP_GRPC_NOT_FOUND, "no such file or symbol");
        return;
    }
    size_t mark = xmtp_field_open(out, 4);
    xmtp_field_put_bytes(out, 1, file);
    xmtp_field_close(out, mark);
}

/* No message here is extended. */
static void put_extension_numbers(xmtp_writer *out, xmtp_bytes type)
{
    if (find_file(file_has, type).n == 0) {
        put_error(out, XMTP_GRPC_NOT_FOUND, "no such type");
        return;
    }
    size_t mark = xmtp_field_open(out, 5);
    xmtp_field_put_bytes(out, 1, type);
    xmtp_field_close(out, mark);
}

static void put_service(xmtp_writer *out, const char *name)
{
    size_t mark = xmtp_field_open(out, 1);
    xmtp_field_put_bytes(out, 1, xmtp_bytes_of_string(name));
    xmtp_field_close(out, mark);
}

static void put_services(xmtp_writer *out, unsigned protocols)
{
    static const struct {
        const char *name;
        unsigned protocols; /* one of these */
    } services[] = {
        {"grpc.health.v1.Health", UINT32_MAX},
        {"grpc.reflection.v1.ServerReflection", UINT32_MAX},
        {"grpc.reflection.v1alpha.ServerReflection", UINT32_MAX},
        {"xmtp.identity.api.v1.IdentityApi", XMTP_NODE_ALL},
        {"xmtp.message_api.v1.MessageApi", XMTP_NODE_ALL},
        {"xmtp.mls.api.v1.MlsApi", XMTP_NODE_ALL},
        {"xmtp.mls_validation.v1.ValidationApi", XMTP_NODE_VALIDATION},
    };
    size_t mark = xmtp_field_open(out, 6);
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
        if ((services[i].protocols & protocols) != 0) {
            put_service(out, services[i].name);
        }
    }
    xmtp_field_close(out, mark);
}

static void put_answer(xmtp_writer *out, const xmtp_field *asked, unsigned protocols)
{
    switch (asked->number) {
    case 3:
        put_file(out, find_file(file_is, asked->bytes));
        break;
    case 4:
        put_file(out, find_file(file_has, asked->bytes));
        break;
    case 5:
        put_error(out, XMTP_GRPC_NOT_FOUND, "no message here has extensions");
        break;
    case 6:
        put_extension_numbers(out, asked->bytes);
        break;
    case 7:
        put_services(out, protocols);
        break;
    default:
        put_error(out, XMTP_GRPC_INVALID_ARGUMENT, "the request asks for nothing known here");
    }
}

/* ---- the feed */

typedef struct reflection {
    xmtp_node_feed base;
    const xmtp_env *env;
    unsigned protocols;
    xmtp_writer answers; /* length and response, again and again */
    size_t at;           /* of what was not given yet */
    bool is_half_closed;
} reflection;

/* The last field of the oneof counts. */
static xmtp_status read_request(xmtp_bytes bytes, xmtp_bytes *host, xmtp_field *asked,
                                xmtp_error *error)
{
    xmtp_reader r = xmtp_reader_of(bytes);
    *host = (xmtp_bytes){0};
    *asked = (xmtp_field){0};
    while (r.n > 0) {
        xmtp_field f;
        if (xmtp_field_next(&r, &f) != XMTP_OK || (f.number <= 7 && f.type != 2)) {
            return xmtp_fail(error, XMTP_E_ARGUMENT,
                             "the request is no valid ServerReflectionRequest");
        }
        if (f.number == 1) {
            *host = f.bytes;
        } else if (f.number >= 3 && f.number <= 7) {
            *asked = f;
        }
    }
    return XMTP_OK;
}

static xmtp_status feed_request(xmtp_node_feed *base, xmtp_bytes bytes, xmtp_error *error)
{
    reflection *r = (reflection *)base;
    xmtp_writer *out = &r->answers;
    xmtp_bytes host;
    xmtp_field asked;
    XMTP_TRY(read_request(bytes, &host, &asked, error));
    if (out->n + bytes.n > ANSWERS_LEN_MAX) {
        return xmtp_fail(error, XMTP_E_LIMIT, "%zu bytes of answers are waiting, at most %d may",
                         out->n, ANSWERS_LEN_MAX);
    }
    size_t mark = out->n;
    xmtp_writer_u32(out, 0);
    xmtp_field_put_bytes(out, 1, host);
    xmtp_field_put_message(out, 2, bytes);
    put_answer(out, &asked, r->protocols);
    XMTP_TRY(xmtp_writer_status(out));
    uint32_t len = (uint32_t)(out->n - mark - LEN_SIZE);
    memcpy(out->p + mark, &len, LEN_SIZE);
    return XMTP_OK;
}

static xmtp_status feed_next(xmtp_node_feed *base, xmtp_writer *out, xmtp_error *error)
{
    reflection *r = (reflection *)base;
    uint32_t len;
    (void)error;
    if (r->at == r->answers.n) {
        xmtp_writer_free(&r->answers);
        r->at = 0;
        return r->is_half_closed ? XMTP_E_CLOSED : XMTP_E_RETRY;
    }
    memcpy(&len, r->answers.p + r->at, LEN_SIZE);
    xmtp_writer_put(out, xmtp_bytes_of(r->answers.p + r->at + LEN_SIZE, len));
    r->at += LEN_SIZE + len;
    return xmtp_writer_status(out);
}

static bool feed_is_quick(xmtp_node_feed *base)
{
    (void)base;
    return true;
}

static xmtp_status feed_tick(xmtp_node_feed *base, uint64_t now_ns, xmtp_error *error)
{
    (void)base;
    (void)now_ns;
    (void)error;
    return XMTP_E_RETRY;
}

static void feed_half_close(xmtp_node_feed *base)
{
    ((reflection *)base)->is_half_closed = true;
}

static void feed_free(xmtp_node_feed *base)
{
    reflection *r = (reflection *)base;
    xmtp_writer_free(&r->answers);
    (void)r->env->alloc.reallocate(r->env->alloc.context, r, 0);
}

xmtp_status xmtp_node_reflection_open(xmtp_node_feed **out, const xmtp_env *env, unsigned protocols)
{
    static const xmtp_node_feed_ops ops = {.next = feed_next,
                                           .is_quick = feed_is_quick,
                                           .tick = feed_tick,
                                           .request = feed_request,
                                           .half_close = feed_half_close,
                                           .free = feed_free};
    reflection *r = env->alloc.reallocate(env->alloc.context, NULL, sizeof *r);
    *out = NULL;
    XMTP_ENSURE(r != NULL, XMTP_E_NOMEM);
    *r = (reflection){.base.ops = &ops, .env = env, .protocols = protocols};
    xmtp_writer_init(&r->answers, &env->alloc, XMTP_WRITER_MAX);
    *out = &r->base;
    return XMTP_OK;
}
