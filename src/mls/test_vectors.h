/* test_vectors.h - for tests: open a file of test vectors, take hexadecimal fields out of it.
 * Include after <cmocka.h>. */
#ifndef XMTP_MLS_TEST_VECTORS_H
#define XMTP_MLS_TEST_VECTORS_H

#include "base/bytes.h"
#include "crypto/crypto.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline const xmtp_alloc *vectors_alloc(void)
{
    return &xmtp_env_system()->alloc;
}

/* The text of $XMTP_VECTORS/<name>, or NULL where the file is absent. free() it. */
static inline char *vectors_read(const char *name)
{
    const char *root = getenv("XMTP_VECTORS");
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", root != NULL ? root : XMTP_VECTORS_DEFAULT, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return NULL;
    }
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    assert_true(size > 0);
    rewind(file);
    char *text = malloc((size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)size, file), size);
    fclose(file);
    text[size] = 0;
    return text;
}

/* The parsed file such as "mls/treekem.json"; the test is skipped where it is absent. Free with
 * cJSON_Delete. */
static inline cJSON *vectors_open(const char *name)
{
    char *text = vectors_read(name);
    if (text == NULL) {
        print_message("skipped: no %s (set XMTP_VECTORS)\n", name);
        skip();
    }
    cJSON *json = cJSON_Parse(text);
    free(text);
    assert_non_null(json);
    return json;
}

/* Whether a case or a seed is left out: all but every $XMTP_VECTORS_EVERY-th, none without. For valgrind,
 * under which all of them take many minutes; the sanitizers see all. */
static inline bool vectors_leave_out(size_t number)
{
    const char *every = getenv("XMTP_VECTORS_EVERY");
    size_t n = every == NULL ? 1 : strtoul(every, NULL, 10);
    return n > 1 && number % n != 0;
}

static inline const cJSON *vectors_field(const cJSON *object, const char *name)
{
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(object, name);
    if (field == NULL) {
        fail_msg("no field %s", name);
    }
    return field;
}

/* Numbers up to 2^53. */
static inline uint64_t vectors_u64(const cJSON *object, const char *name)
{
    const cJSON *field = vectors_field(object, name);
    assert_true(cJSON_IsNumber(field));
    return (uint64_t)field->valuedouble;
}

static inline uint32_t vectors_u32(const cJSON *object, const char *name)
{
    return (uint32_t)vectors_u64(object, name);
}

/* Decodes in place over the JSON string itself, so the view lives as long as the file and can be
 * taken once only through vectors_bytes_of; the second call returns the same bytes. */
static inline xmtp_bytes vectors_bytes_of(const cJSON *item)
{
    cJSON *string = (cJSON *)(uintptr_t)item;
    if (string->valueint < 0) { /* decoded before: its length was kept */
        return xmtp_bytes_of(string->valuestring, (size_t)(-(string->valueint + 1)));
    }
    assert_true(cJSON_IsString(string));
    size_t digits = strlen(string->valuestring);
    uint8_t *bytes = malloc(digits / 2 + 1);
    assert_non_null(bytes);
    assert_int_equal(xmtp_hex_decode(bytes, digits / 2, string->valuestring, digits), XMTP_OK);
    memcpy(string->valuestring, bytes, digits / 2);
    free(bytes);
    string->valueint = -(int)(digits / 2) - 1;
    return xmtp_bytes_of(string->valuestring, digits / 2);
}

static inline xmtp_bytes vectors_bytes(const cJSON *object, const char *name)
{
    return vectors_bytes_of(vectors_field(object, name));
}

/* A secret field of at most XMTP_HASH_MAX bytes. */
static inline xmtp_secret vectors_secret(const cJSON *object, const char *name)
{
    xmtp_bytes bytes = vectors_bytes(object, name);
    xmtp_secret secret = {.n = bytes.n};
    assert_true(bytes.n <= XMTP_HASH_MAX);
    xmtp_copy(secret.p, bytes.p, bytes.n);
    return secret;
}

/* A private key of n bytes. The files leave away leading zeros of some scalars of P-521. */
static inline void vectors_private_key(const cJSON *object, const char *name, size_t n,
                                       uint8_t *out)
{
    xmtp_bytes bytes = vectors_bytes(object, name);
    assert_true(bytes.n <= n);
    memset(out, 0, n);
    xmtp_copy(out + n - bytes.n, bytes.p, bytes.n);
}

/* The suite of a case, or NULL when this build lacks it. */
static inline const xmtp_suite *vectors_suite(const cJSON *object)
{
    return xmtp_suite_by_id((uint16_t)vectors_u32(object, "cipher_suite"));
}

/* Fails with both values printed. */
static inline void vectors_assert_equal(xmtp_bytes got, xmtp_bytes want, const char *what)
{
    if (xmtp_bytes_equal(got, want)) {
        return;
    }
    char *text = malloc(2 * (got.n + want.n) + 2);
    assert_non_null(text);
    xmtp_hex_encode(text, got);
    xmtp_hex_encode(text + 2 * got.n + 1, want);
    print_error("%s\n  got  %s\n  want %s\n", what, text, text + 2 * got.n + 1);
    free(text);
    fail();
}

#endif
