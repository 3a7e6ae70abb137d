/* json.h - JSON bodies, read and written through cJSON; private to this room.
 *
 * Reading: errors are sticky, as in the writer: after the first, every further read does nothing, and close tells it.
 * Strings are copied to the arena, so the tree ends with close.
 */
#ifndef XMTP_CONTENT_JSON_H
#define XMTP_CONTENT_JSON_H

#include "content/codec.h"

#include <cJSON.h>

typedef struct xmtp_json {
    xmtp_codec_call *call;
    cJSON *root;
    xmtp_status status;
} xmtp_json;

/* XMTP_E_CONTENT: not one JSON object in UTF-8. On failure there is nothing to close. */
xmtp_status xmtp_json_open(xmtp_json *json, xmtp_codec_call *call, xmtp_bytes in);
/* Frees the tree; the first error. */
xmtp_status xmtp_json_close(xmtp_json *json);

/* A member under its name or its other name (may be NULL). null counts as absent. A required one
 * that is absent, and one of another type, is an error. Absent: *out is NULL. */
const cJSON *xmtp_json_member(xmtp_json *json, const cJSON *object, const char *name,
                              const char *other_name, bool is_required);
void xmtp_json_string(xmtp_json *json, const cJSON *object, const char *name,
                      const char *other_name, bool is_required, const char **out);
/* The index of a string in a list ended by NULL; *out stays as it is when absent. */
void xmtp_json_choice(xmtp_json *json, const cJSON *object, const char *name,
                      const char *const *choices, bool is_required, int *out);
/* A time of RFC 3339; 0 when absent. */
void xmtp_json_time(xmtp_json *json, const cJSON *object, const char *name, const char *other_name,
                    uint64_t *out);
/* All members of an object but those named in but (ended by NULL); each must be a string. */
void xmtp_json_pairs(xmtp_json *json, const cJSON *object, const char *const *but,
                     const xmtp_pair **out, size_t *count);
void xmtp_json_fail(xmtp_json *json, const char *name, const char *what);

/* Writing: the text of a tree, without spaces, in the arena; frees the tree. built is false when
 * there was no memory for some of it. */
xmtp_status xmtp_json_print(xmtp_codec_call *call, cJSON *root, bool built, xmtp_bytes *out);
/* Adds a string unless it is NULL; false: no memory. */
bool xmtp_json_put(cJSON *object, const char *name, const char *value);

/* "2026-11-28T16:00:00.123Z"; 24 characters and a zero byte. */
enum { XMTP_JSON_TIME_LEN = 25 };
void xmtp_json_time_print(uint64_t ns, char out[XMTP_JSON_TIME_LEN]);
/* RFC 3339 with any offset and fraction. False: not one, or before 1970. */
bool xmtp_json_time_parse(const char *text, uint64_t *out_ns);

#endif
