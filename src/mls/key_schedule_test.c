/* key_schedule_test.c - key-schedule.json and psk_secret.json of the working group. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/key_schedule.h"
#include "mls/test_vectors.h"

static void check_secret(const xmtp_secret *got, const cJSON *epoch, const char *name)
{
    vectors_assert_equal(xmtp_secret_bytes(got), vectors_bytes(epoch, name), name);
}

static void check_exporter(const xmtp_suite *suite, const xmtp_epoch_secrets *secrets,
                           const cJSON *exporter)
{
    uint8_t out[255];
    size_t length = vectors_u32(exporter, "length");
    const char *label = cJSON_GetStringValue(vectors_field(exporter, "label"));
    assert_true(length <= sizeof out);
    assert_int_equal(xmtp_exporter(suite, &secrets->exporter_secret, label,
                                   vectors_bytes(exporter, "context"), out, length),
                     XMTP_OK);
    vectors_assert_equal(xmtp_bytes_of(out, length), vectors_bytes(exporter, "secret"), "exporter");
}

static void check_epoch(const xmtp_suite *suite, const cJSON *epoch, xmtp_secret *init_secret)
{
    xmtp_secret joiner, welcome;
    xmtp_epoch_secrets secrets;
    uint8_t external_pub[XMTP_KEM_PK_MAX];
    xmtp_secret commit_secret = vectors_secret(epoch, "commit_secret");
    xmtp_secret psk_secret = vectors_secret(epoch, "psk_secret");
    xmtp_bytes context = vectors_bytes(epoch, "group_context");

    assert_int_equal(xmtp_joiner_secret(suite, init_secret, &commit_secret, context, &joiner),
                     XMTP_OK);
    check_secret(&joiner, epoch, "joiner_secret");
    assert_int_equal(xmtp_welcome_secret(suite, &joiner, &psk_secret, &welcome), XMTP_OK);
    check_secret(&welcome, epoch, "welcome_secret");
    assert_int_equal(xmtp_epoch_secrets_derive(suite, &joiner, &psk_secret, context, &secrets),
                     XMTP_OK);
    check_secret(&secrets.init_secret, epoch, "init_secret");
    check_secret(&secrets.sender_data_secret, epoch, "sender_data_secret");
    check_secret(&secrets.encryption_secret, epoch, "encryption_secret");
    check_secret(&secrets.exporter_secret, epoch, "exporter_secret");
    check_secret(&secrets.epoch_authenticator, epoch, "epoch_authenticator");
    check_secret(&secrets.external_secret, epoch, "external_secret");
    check_secret(&secrets.confirmation_key, epoch, "confirmation_key");
    check_secret(&secrets.membership_key, epoch, "membership_key");
    check_secret(&secrets.resumption_psk, epoch, "resumption_psk");
    assert_int_equal(xmtp_external_key(suite, &secrets.external_secret, NULL, external_pub),
                     XMTP_OK);
    vectors_assert_equal(xmtp_bytes_of(external_pub, suite->kem->pk_len),
                         vectors_bytes(epoch, "external_pub"), "external_pub");
    check_exporter(suite, &secrets, vectors_field(epoch, "exporter"));
    *init_secret = secrets.init_secret;
}

static void key_schedule_vectors_pass(void **state)
{
    (void)state;
    cJSON *json = vectors_open("mls/key-schedule.json");
    size_t epochs = 0;
    const cJSON *one, *epoch;
    cJSON_ArrayForEach(one, json)
    {
        const xmtp_suite *suite = vectors_suite(one);
        if (suite == NULL) {
            continue;
        }
        xmtp_secret init_secret = vectors_secret(one, "initial_init_secret");
        cJSON_ArrayForEach(epoch, vectors_field(one, "epochs"))
        {
            check_epoch(suite, epoch, &init_secret);
            epochs++;
        }
    }
    cJSON_Delete(json);
    print_message("key-schedule: %zu epochs passed\n", epochs);
    assert_int_equal(epochs, 35);
}

static void check_psks(const xmtp_suite *suite, const cJSON *one)
{
    xmtp_psk psks[16];
    size_t count = 0;
    const cJSON *psk;
    cJSON_ArrayForEach(psk, vectors_field(one, "psks"))
    {
        assert_true(count < 16);
        psks[count++] = (xmtp_psk){.id = {.type = XMTP_PSK_EXTERNAL,
                                          .psk_id = vectors_bytes(psk, "psk_id"),
                                          .psk_nonce = vectors_bytes(psk, "psk_nonce")},
                                   .psk = vectors_bytes(psk, "psk")};
    }
    xmtp_secret out;
    assert_int_equal(xmtp_psk_secret(suite, vectors_alloc(), psks, count, &out), XMTP_OK);
    check_secret(&out, one, "psk_secret");
}

static void psk_secret_vectors_pass(void **state)
{
    (void)state;
    cJSON *json = vectors_open("mls/psk_secret.json");
    size_t cases = 0;
    const cJSON *one;
    cJSON_ArrayForEach(one, json)
    {
        const xmtp_suite *suite = vectors_suite(one);
        if (suite != NULL) {
            check_psks(suite, one);
            cases++;
        }
    }
    cJSON_Delete(json);
    print_message("psk_secret: %zu passed\n", cases);
    assert_int_equal(cases, 77);
}

static void psk_lists_beyond_the_limit_are_refused(void **state)
{
    (void)state;
    xmtp_psk psk = {0};
    xmtp_secret out;
    assert_int_equal(xmtp_psk_secret(&xmtp_suite_x25519_chacha, vectors_alloc(), &psk,
                                     XMTP_MLS_PSKS_MAX + 1, &out),
                     XMTP_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_schedule_vectors_pass),
        cmocka_unit_test(psk_secret_vectors_pass),
        cmocka_unit_test(psk_lists_beyond_the_limit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
