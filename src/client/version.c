/* version.c - the order of protocol versions as the official client of 1.10.0 has it
 * (groups.md 3.6, V17). */
#include "base/bytes.h"
#include "client/commit_rules.h"

typedef struct version {
    uint32_t number[3];
    xmtp_bytes suffix;
    bool has_suffix;
} version;

/* One decimal number that fits 32 bits, optionally with a plus in front, up to end. */
static bool parse_number(const char *p, const char *end, uint32_t *out)
{
    uint64_t value = 0;
    if (p < end && *p == '+') {
        p++;
    }
    if (p == end) {
        return false;
    }
    for (; p < end; p++) {
        if (*p < '0' || *p > '9') {
            return false;
        }
        value = value * 10 + (uint64_t)(*p - '0');
        if (value > UINT32_MAX) {
            return false;
        }
    }
    *out = (uint32_t)value;
    return true;
}

static const char *find_or_end(const char *p, char wanted)
{
    const char *found = strchr(p, wanted);
    return found == NULL ? p + strlen(p) : found;
}

/* major.minor.patch[-suffix[-ignored]]; exactly two dots in the whole text. */
static bool parse_version(const char *text, version *out)
{
    *out = (version){0};
    const char *first = strchr(text, '.');
    const char *second = first == NULL ? NULL : strchr(first + 1, '.');
    if (second == NULL || strchr(second + 1, '.') != NULL) {
        return false;
    }
    const char *patch_end = find_or_end(second + 1, '-');
    if (*patch_end == '-') {
        out->has_suffix = true;
        out->suffix.p = (const uint8_t *)patch_end + 1;
        out->suffix.n = (size_t)(find_or_end(patch_end + 1, '-') - (patch_end + 1));
    }
    return parse_number(text, first, &out->number[0]) &&
           parse_number(first + 1, second, &out->number[1]) &&
           parse_number(second + 1, patch_end, &out->number[2]);
}

bool xmtp_version_is_valid(const char *text)
{
    version ignored;
    return parse_version(text, &ignored);
}

/* No suffix sorts below any suffix: 1.10.0 < 1.10.0-dev. */
static int compare_suffixes(const version *a, const version *b)
{
    if (!a->has_suffix || !b->has_suffix) {
        return (int)a->has_suffix - (int)b->has_suffix;
    }
    return xmtp_bytes_compare(a->suffix, b->suffix);
}

int xmtp_version_compare(const char *a, const char *b)
{
    version x;
    version y;
    bool a_is_valid = parse_version(a, &x);
    bool b_is_valid = parse_version(b, &y);
    if (!a_is_valid || !b_is_valid) {
        return (int)a_is_valid - (int)b_is_valid;
    }
    for (int i = 0; i < 3; i++) {
        if (x.number[i] != y.number[i]) {
            return x.number[i] < y.number[i] ? -1 : 1;
        }
    }
    return compare_suffixes(&x, &y);
}
