/* http1_parse.c - see http1_parse.h. Whatever two readers could understand in two ways is refused.
 */
#include "rpc/http1_parse.h"

#include "base/bytes.h"
#include "base/status.h"

#include <strings.h>

/* ---- characters (RFC 9110 section 5.6.2) */

static bool is_token_char(uint8_t c)
{
    bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    bool is_digit = c >= '0' && c <= '9';
    return is_letter || is_digit || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(xmtp_bytes text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (!is_token_char(text.p[i])) {
            return false;
        }
    }
    return text.n > 0;
}

static bool is_value(xmtp_bytes text)
{
    for (size_t i = 0; i < text.n; i++) {
        if ((text.p[i] < 0x20 && text.p[i] != '\t') || text.p[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool is_target(xmtp_bytes text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] <= 0x20 || text.p[i] >= 0x7f) {
            return false;
        }
    }
    return text.n > 0 && (text.p[0] == '/' || (text.n == 1 && text.p[0] == '*'));
}

static bool is_text(xmtp_bytes text, const char *other)
{
    return text.n == strlen(other) && strncasecmp((const char *)text.p, other, text.n) == 0;
}

static xmtp_bytes trim(xmtp_bytes text)
{
    while (text.n > 0 && (text.p[0] == ' ' || text.p[0] == '\t')) {
        text.p++;
        text.n--;
    }
    while (text.n > 0 && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\t')) {
        text.n--;
    }
    return text;
}

/* Splits text at the first c; false when it has none. */
static bool split(xmtp_bytes *text, char c, xmtp_bytes *first)
{
    const uint8_t *at = text->n == 0 ? NULL : memchr(text->p, c, text->n);
    if (at == NULL) {
        return false;
    }
    *first = xmtp_bytes_of(text->p, (size_t)(at - text->p));
    *text = xmtp_bytes_of(at + 1, text->n - first->n - 1);
    return true;
}

/* The next line of a head without its CRLF; every line has one. */
static xmtp_bytes next_line(xmtp_bytes *text)
{
    xmtp_bytes line;
    if (!split(text, '\n', &line)) {
        line = *text;
        *text = (xmtp_bytes){0};
    }
    if (line.n > 0 && line.p[line.n - 1] == '\r') {
        line.n--;
    }
    return line;
}

/* ---- the request line */

static int parse_request_line(xmtp_bytes line, xmtp_http_head *head, xmtp_http1_request *out)
{
    xmtp_bytes method;
    xmtp_bytes target;
    if (!split(&line, ' ', &method) || !split(&line, ' ', &target) || !is_token(method) ||
        !is_target(target)) {
        return 400;
    }
    out->is_version_0 = xmtp_bytes_equal(line, xmtp_bytes_of_string("HTTP/1.0"));
    if (!out->is_version_0 && !xmtp_bytes_equal(line, xmtp_bytes_of_string("HTTP/1.1"))) {
        return line.n == 8 && memcmp(line.p, "HTTP/", 5) == 0 ? 505 : 400;
    }
    out->is_close = out->is_version_0;
    out->is_head = xmtp_bytes_equal(method, xmtp_bytes_of_string("HEAD"));
    if (target.n > XMTP_HTTP_TARGET_LEN_MAX) {
        return 414;
    }
    return xmtp_http_head_start(head, method, target) == XMTP_OK ? 0 : 400;
}

/* ---- the fields that say where the body ends, and what becomes of the connection */

static bool parse_length(xmtp_bytes text, uint64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') {
            return false;
        }
        value = 10 * value + (uint64_t)(text.p[i] - '0');
    }
    *out = value;
    return text.n > 0 && text.n <= 18; /* does not overflow */
}

static bool has_word(xmtp_bytes list, const char *word)
{
    xmtp_bytes item;
    while (split(&list, ',', &item)) {
        if (is_text(trim(item), word)) {
            return true;
        }
    }
    return is_text(trim(list), word);
}

typedef struct seen {
    bool has_host;
    bool has_length;
} seen;

static int take_field(xmtp_bytes name, xmtp_bytes value, seen *s, xmtp_http1_request *out)
{
    if (is_text(name, "content-length")) {
        if (s->has_length || !parse_length(value, &out->body_len)) {
            return 400;
        }
        s->has_length = true;
    } else if (is_text(name, "transfer-encoding")) {
        if (out->is_chunked || out->is_version_0) {
            return 400;
        }
        out->is_chunked = true;
        return is_text(value, "chunked") ? 0 : 501;
    } else if (is_text(name, "host")) {
        if (s->has_host) {
            return 400;
        }
        s->has_host = true;
    } else if (is_text(name, "connection")) {
        out->is_close = out->is_close || has_word(value, "close");
    } else if (is_text(name, "expect") && !out->is_version_0) {
        out->has_expect = true;
        return is_text(value, "100-continue") ? 0 : 417;
    }
    return 0;
}

static int parse_field(xmtp_bytes line, xmtp_http_head *head, seen *s, xmtp_http1_request *out)
{
    xmtp_bytes name;
    if (!split(&line, ':', &name) || !is_token(name)) {
        return 400; /* also a folded line, and a space before the colon */
    }
    xmtp_bytes value = trim(line);
    if (!is_value(value)) {
        return 400;
    }
    if (xmtp_http_head_field(head, name, value) != XMTP_OK) {
        return 431;
    }
    return take_field(name, value, s, out);
}

int xmtp_http1_parse_head(xmtp_bytes text, xmtp_http_head *head, xmtp_http1_request *out)
{
    seen s = {.has_host = false};
    *out = (xmtp_http1_request){.body_len = 0};
    int refusal = parse_request_line(next_line(&text), head, out);
    while (refusal == 0 && text.n > 2) {
        refusal = parse_field(next_line(&text), head, &s, out);
    }
    if (refusal == 0 &&
        ((out->is_chunked && s.has_length) || (!s.has_host && !out->is_version_0))) {
        refusal = 400;
    }
    if (out->is_chunked) {
        out->body_len = XMTP_HTTP_LEN_UNKNOWN;
    }
    return refusal;
}

/* ---- chunks */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    uint8_t low = c | 0x20;
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

bool xmtp_http1_parse_chunk_size(xmtp_bytes line, uint64_t *size)
{
    size_t n = 0;
    *size = 0;
    while (n < line.n && n < 8 && hex_digit(line.p[n]) >= 0) {
        *size = 16 * *size + (uint64_t)hex_digit(line.p[n]);
        n++;
    }
    return n > 0 && (n == line.n || line.p[n] == ';') && is_value(line);
}
