/* password_test.c - Argon2id. The expected key was computed by another implementation, that of OpenSSL:
 * iter 3, memcost 65536, lanes 1. */
#include "crypto/test_hex.h"

static void a_passphrase_gives_the_key_of_argon2id(void **state)
{
    (void)state;
    uint8_t out[32];
    uint8_t salt[XMTP_PASSWORD_SALT_LEN];
    for (size_t i = 0; i < sizeof salt; i++) {
        salt[i] = (uint8_t)i;
    }
    assert_int_equal(
        xmtp_password_key(xmtp_bytes_of_string("correct horse"), salt, out, sizeof out), XMTP_OK);
    assert_hex(out, sizeof out, "e3c889ca40ed01e6b6771fc8a5bf16e35ad60b41c9bd5d7e6d63adf51e50b0fd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_passphrase_gives_the_key_of_argon2id)};
    return cmocka_run_group_tests_name("password", tests, NULL, NULL);
}
