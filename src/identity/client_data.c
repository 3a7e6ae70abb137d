/* client_data.c - see client_data.h. */
#include "identity/client_data.h"

#include "base/bytes.h"
#include "base/reader.h"
#include "base/status.h"
#include "proto/field.h"

/* ---- tokens */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static void skip_space(xmtp_reader *r)
{
    while (r->n > 0 && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r')) {
        r->p++;
        r->n--;
    }
}

/* The next byte without taking it; 0 at the end, which is no token. */
static uint8_t peek(const xmtp_reader *r)
{
    return r->n > 0 ? *r->p : 0;
}

static bool take(xmtp_reader *r, uint8_t c)
{
    if (r->n == 0 || *r->p != c) {
        return false;
    }
    r->p++;
    r->n--;
    return true;
}

static bool take_digits(xmtp_reader *r)
{
    if (!is_digit(peek(r))) {
        return false;
    }
    while (is_digit(peek(r))) {
        (void)take(r, *r->p);
    }
    return true;
}

/* -? (0 | 1-9 digits) (. digits)? ((e|E) (+|-)? digits)? */
static bool take_number(xmtp_reader *r)
{
    (void)take(r, '-');
    if (!take(r, '0') && !take_digits(r)) {
        return false;
    }
    if (take(r, '.') && !take_digits(r)) {
        return false;
    }
    if (take(r, 'e') || take(r, 'E')) {
        if (!take(r, '+')) {
            (void)take(r, '-');
        }
        return take_digits(r);
    }
    return !is_digit(peek(r)); /* no digits after a leading zero */
}

static bool take_word(xmtp_reader *r, const char *word)
{
    for (; *word != 0; word++) {
        if (!take(r, (uint8_t)*word)) {
            return false;
        }
    }
    return true;
}

static bool hex4(xmtp_reader *r, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = peek(r);
        uint32_t digit = is_digit(c)              ? (uint32_t)(c - '0')
                         : (c >= 'a' && c <= 'f') ? (uint32_t)(c - 'a' + 10)
                         : (c >= 'A' && c <= 'F') ? (uint32_t)(c - 'A' + 10)
                                                  : 16;
        if (digit == 16) {
            return false;
        }
        *out = *out * 16 + digit;
        (void)take(r, c);
    }
    return true;
}

/* ---- strings */

static size_t put_utf8(uint8_t *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--) {
        out[i] = (uint8_t)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    out[0] = (uint8_t)((0xf0u << (4 - n)) | c);
    return n;
}

/* After \u: one character, perhaps of two surrogates. */
static bool unescape_unicode(xmtp_reader *r, uint32_t *c)
{
    uint32_t low;
    if (!hex4(r, c) || (*c >= 0xdc00 && *c <= 0xdfff)) {
        return false;
    }
    if (*c < 0xd800 || *c > 0xdbff) {
        return true;
    }
    if (!take_word(r, "\\u") || !hex4(r, &low) || low < 0xdc00 || low > 0xdfff) {
        return false;
    }
    *c = 0x10000 + ((*c - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

static bool unescape(xmtp_reader *r, uint32_t *c)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    for (size_t i = 0; from[i] != 0; i++) {
        if (take(r, (uint8_t)from[i])) {
            *c = (uint8_t)to[i];
            return true;
        }
    }
    return take(r, 'u') && unescape_unicode(r, c);
}

/* A string after its opening quote, to out, which has room for all that is left. NULL: skipped, and
 * then pairs of surrogates are not looked at. */
static bool take_string(xmtp_reader *r, uint8_t *out, size_t *n)
{
    *n = 0;
    while (!take(r, '"')) {
        uint32_t c;
        if (r->n == 0 || *r->p < 0x20) {
            return false;
        }
        if (!take(r, '\\')) {
            if (out != NULL) {
                out[(*n)++] = *r->p;
            }
            (void)take(r, *r->p);
        } else if (out == NULL && take(r, 'u')) {
            if (!hex4(r, &c)) {
                return false;
            }
        } else if (!unescape(r, &c)) {
            return false;
        } else if (out != NULL) {
            *n += put_utf8(out + *n, c);
        }
    }
    return true;
}

static xmtp_status read_string(xmtp_reader *r, xmtp_arena *arena, xmtp_bytes *out)
{
    void *memory;
    size_t n;
    XMTP_ENSURE(take(r, '"'), XMTP_E_MALFORMED);
    XMTP_TRY(xmtp_arena_take(arena, r->n, &memory));
    XMTP_ENSURE(take_string(r, memory, &n), XMTP_E_MALFORMED);
    *out = xmtp_bytes_of(memory, n);
    return xmtp_utf8_is_valid(*out) ? XMTP_OK : XMTP_E_MALFORMED;
}

/* ---- values that are skipped
 *
 * Without recursion: what is open is a stack of brackets, a byte each. */

static bool skip_scalar(xmtp_reader *r)
{
    size_t n;
    switch (peek(r)) {
    case '"':
        (void)take(r, '"');
        return take_string(r, NULL, &n);
    case 't':
        return take_word(r, "true");
    case 'f':
        return take_word(r, "false");
    case 'n':
        return take_word(r, "null");
    default:
        return take_number(r);
    }
}

/* "key": */
static bool skip_key(xmtp_reader *r)
{
    size_t n;
    skip_space(r);
    if (!take(r, '"') || !take_string(r, NULL, &n)) {
        return false;
    }
    skip_space(r);
    return take(r, ':');
}

/* Behind a value: closes what ends here; true when the outermost value has ended. *ok false: no
 * JSON. */
static bool close_brackets(xmtp_reader *r, uint8_t *open, size_t *depth, bool *ok)
{
    while (*depth > 0) {
        bool is_object = open[*depth - 1] == '{';
        skip_space(r);
        if (take(r, ',')) {
            *ok = !is_object || skip_key(r);
            return false;
        }
        if (!take(r, is_object ? '}' : ']')) {
            *ok = false;
            return false;
        }
        (*depth)--;
    }
    return true;
}

/* An opening bracket that is not closed at once; *is_value: it was, and is a whole value. */
static bool open_bracket(xmtp_reader *r, uint8_t *open, size_t *depth, bool *is_value)
{
    uint8_t c = peek(r);
    (void)take(r, c);
    skip_space(r);
    *is_value = take(r, c == '{' ? '}' : ']');
    if (*is_value) {
        return true;
    }
    open[(*depth)++] = c;
    return c != '{' || skip_key(r);
}

static xmtp_status skip_value(xmtp_reader *r, xmtp_arena *arena)
{
    void *memory;
    size_t depth = 0;
    bool ok = true;
    XMTP_TRY(xmtp_arena_take(arena, r->n + 1, &memory));
    for (;;) {
        bool is_value = true;
        skip_space(r);
        if (peek(r) == '{' || peek(r) == '[') {
            ok = open_bracket(r, memory, &depth, &is_value);
        } else {
            ok = skip_scalar(r);
        }
        if (ok && is_value && close_brackets(r, memory, &depth, &ok)) {
            return XMTP_OK;
        }
        XMTP_ENSURE(ok, XMTP_E_MALFORMED);
    }
}

/* ---- the object */

static xmtp_status read_member(xmtp_reader *r, xmtp_arena *arena, xmtp_client_data *out)
{
    xmtp_bytes key;
    skip_space(r);
    XMTP_TRY(read_string(r, arena, &key));
    skip_space(r);
    XMTP_ENSURE(take(r, ':'), XMTP_E_MALFORMED);
    bool is_challenge = xmtp_bytes_equal(key, xmtp_bytes_of_string("challenge"));
    bool is_origin = xmtp_bytes_equal(key, xmtp_bytes_of_string("origin"));
    if (!is_challenge && !is_origin) {
        return skip_value(r, arena);
    }
    xmtp_bytes *value = is_challenge ? &out->challenge : &out->origin;
    XMTP_ENSURE(value->p == NULL, XMTP_E_MALFORMED);
    skip_space(r);
    return read_string(r, arena, value);
}

xmtp_status xmtp_client_data_read(xmtp_bytes in, xmtp_arena *arena, xmtp_client_data *out)
{
    xmtp_reader r = xmtp_reader_of(in);
    *out = (xmtp_client_data){0};
    skip_space(&r);
    XMTP_ENSURE(take(&r, '{'), XMTP_E_MALFORMED);
    do {
        XMTP_TRY(read_member(&r, arena, out));
        skip_space(&r);
    } while (take(&r, ','));
    XMTP_ENSURE(take(&r, '}'), XMTP_E_MALFORMED);
    skip_space(&r);
    XMTP_ENSURE(r.n == 0 && out->challenge.p != NULL && out->origin.p != NULL, XMTP_E_MALFORMED);
    return XMTP_OK;
}
