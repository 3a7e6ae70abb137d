/* test_vectors.h - reading recorded JSON in node tests. */
#ifndef XMTP_NODE_TEST_VECTORS_H
#define XMTP_NODE_TEST_VECTORS_H

#include "node/test_folder.h"
#include "node/test_node.h"

#include <cjson/cJSON.h>

/* "xmtp/identity-updates.json", or "../traces/1-dm.jsonl". NULL when it is not there. */
static inline char *test_vector_text(const char *name)
{
    char path[1024];
    size_t n;
    const char *base = getenv("XMTP_VECTORS");
    (void)snprintf(path, sizeof path, "%s/%s", base != NULL ? base : XMTP_VECTORS_DEFAULT, name);
    if (access(path, R_OK) != 0) {
        return NULL;
    }
    char *text = (char *)test_file_read(path, &n);
    text[n] = '\0';
    return text;
}

static inline const char *test_json_text(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text == NULL ? "" : text;
}

/* Hex of an object's member as bytes; freed by the caller. */
static inline uint8_t *test_json_bytes(const cJSON *object, const char *name, size_t *n)
{
    const char *text = test_json_text(object, name);
    *n = strlen(text) / 2;
    uint8_t *p = malloc(*n + 1);
    assert_int_equal(xmtp_hex_decode(p, *n, text, 2 * *n), XMTP_OK);
    return p;
}

#endif
