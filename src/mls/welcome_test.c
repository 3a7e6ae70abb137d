/* welcome_test.c - welcome.json of the working group: the secrets and the group info of a Welcome
 * open, the signature and the confirmation tag fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/test_vectors.h"
#include "mls/welcome.h"

typedef struct opened {
    xmtp_arena arena;
    xmtp_mls_message *message;
    xmtp_mls_message *key_package;
    xmtp_group_secrets secrets;
    xmtp_group_info info;
    xmtp_secret joiner;
} opened;

static xmtp_mls_message *decode(opened *o, xmtp_bytes bytes)
{
    xmtp_mls_message *message;
    assert_int_equal(xmtp_arena_take(&o->arena, sizeof *message, (void **)&message), XMTP_OK);
    assert_int_equal(xmtp_mls_message_decode(bytes, &o->arena, message), XMTP_OK);
    return message;
}

static void open_welcome(opened *o, const xmtp_suite *suite, const cJSON *one)
{
    uint8_t ref[XMTP_HASH_MAX];
    xmtp_secret welcome_secret;
    xmtp_error error;
    const xmtp_secret no_psk = {.n = suite->hash->len};
    xmtp_arena_init(&o->arena, vectors_alloc(), 1 << 22);
    o->message = decode(o, vectors_bytes(one, "welcome"));
    o->key_package = decode(o, vectors_bytes(one, "key_package"));
    const xmtp_welcome *welcome = &o->message->u.welcome;
    xmtp_key_package_ref(suite, o->key_package->u.key_package.raw, ref);
    assert_int_equal(xmtp_welcome_open_secrets(suite, welcome, xmtp_bytes_of(ref, suite->hash->len),
                                               vectors_bytes(one, "init_priv").p,
                                               o->key_package->u.key_package.init_key.p, &o->arena,
                                               &o->secrets, &error),
                     XMTP_OK);
    o->joiner.n = o->secrets.joiner_secret.n;
    memcpy(o->joiner.p, o->secrets.joiner_secret.p, o->joiner.n);
    assert_int_equal(xmtp_welcome_secret(suite, &o->joiner, &no_psk, &welcome_secret), XMTP_OK);
    assert_int_equal(
        xmtp_welcome_open_group_info(suite, welcome, &welcome_secret, &o->arena, &o->info, &error),
        XMTP_OK);
}

static void check_case(const xmtp_suite *suite, const cJSON *one)
{
    opened o = {0};
    xmtp_writer scratch;
    xmtp_epoch_secrets secrets;
    uint8_t tag[XMTP_HASH_MAX];
    const xmtp_secret no_psk = {.n = suite->hash->len};
    xmtp_writer_init(&scratch, vectors_alloc(), XMTP_WRITER_MAX);
    open_welcome(&o, suite, one);
    assert_int_equal(xmtp_verify_with_label(suite, vectors_bytes(one, "signer_pub"), "GroupInfoTBS",
                                            o.info.tbs, o.info.signature, &scratch),
                     XMTP_OK);
    assert_int_equal(
        xmtp_epoch_secrets_derive(suite, &o.joiner, &no_psk, o.info.group_context.raw, &secrets),
        XMTP_OK);
    xmtp_confirmation_tag(suite, &secrets.confirmation_key,
                          o.info.group_context.confirmed_transcript_hash, tag);
    vectors_assert_equal(xmtp_bytes_of(tag, suite->hash->len), o.info.confirmation_tag,
                         "confirmation tag");
    xmtp_writer_free(&scratch);
    xmtp_arena_reset(&o.arena);
}

static void welcome_vectors_open(void **state)
{
    (void)state;
    cJSON *json = vectors_open("mls/welcome.json");
    size_t cases = 0;
    const cJSON *one;
    cJSON_ArrayForEach(one, json)
    {
        const xmtp_suite *suite = vectors_suite(one);
        if (suite != NULL) {
            check_case(suite, one);
            cases++;
        }
    }
    cJSON_Delete(json);
    print_message("welcome: %zu passed\n", cases);
    assert_int_equal(cases, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(welcome_vectors_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
