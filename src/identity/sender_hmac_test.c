/* sender_hmac_test.c - keys and tags that the official client made. */
#include "identity/sender_hmac.h"

#include "crypto/crypto.h"
#include "identity/test_support.h"

static void keys_of_three_epochs_are_derived_as_recorded(void **state)
{
    (void)state;
    cJSON *json = vectors("misc.json");
    const cJSON *v = item(json, "sender_hmac");
    xmtp_bytes root = hex_item(v, "root_key");
    xmtp_bytes group_id = hex_item(v, "group_id");
    assert_int_equal(root.n, XMTP_HMAC_ROOT_LEN);
    size_t count = 0;
    const cJSON *k;
    cJSON_ArrayForEach(k, item(v, "keys"))
    {
        uint8_t key[XMTP_HMAC_KEY_LEN];
        const cJSON *epoch = item(k, "epoch");
        int64_t number = cJSON_IsNumber(epoch) ? (int64_t)epoch->valuedouble
                                               : strtoll(epoch->valuestring, NULL, 10);
        ok(xmtp_hmac_key(root.p, group_id, number, key));
        assert_bytes(xmtp_bytes_of(key, sizeof key), hex_item(k, "key"));
        count++;
    }
    assert_int_equal(count, 3);
    cJSON_Delete(json);
}

static void an_epoch_has_thirty_days(void **state)
{
    (void)state;
    const uint64_t second = 1000000000;
    assert_int_equal(xmtp_hmac_epoch(0), 0);
    assert_int_equal(xmtp_hmac_epoch(2592000 * second - 1), 0);
    assert_int_equal(xmtp_hmac_epoch(2592000 * second), 1);
    assert_int_equal(xmtp_hmac_epoch(1795373304u * second), 692);
}

static void the_tag_of_a_message_is_hmac_under_the_key_of_now(void **state)
{
    (void)state;
    uint8_t root[XMTP_HMAC_ROOT_LEN];
    uint8_t key[XMTP_HMAC_KEY_LEN];
    uint8_t expected[XMTP_SENDER_HMAC_LEN];
    uint8_t tag[XMTP_SENDER_HMAC_LEN];
    memset(root, 7, sizeof root);
    const uint64_t now_ns = 1795373304456823888u;
    xmtp_bytes message = hex("0001000200");
    ok(xmtp_hmac_key(root, hex("a8af"), 692, key));
    xmtp_hmac_of(&xmtp_hash_sha256, xmtp_bytes_of(key, sizeof key), message, expected);
    ok(xmtp_sender_hmac(root, hex("a8af"), now_ns, message, tag));
    assert_memory_equal(tag, expected, sizeof tag);
}

static void a_group_id_beyond_the_limit_is_refused(void **state)
{
    (void)state;
    uint8_t root[XMTP_HMAC_ROOT_LEN] = {0};
    uint8_t key[XMTP_HMAC_KEY_LEN];
    ok(xmtp_hmac_key(root, xmtp_bytes_of(room(255), 255), 0, key));
    assert_int_equal(xmtp_hmac_key(root, xmtp_bytes_of(room(256), 256), 0, key), XMTP_E_LENGTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_of_three_epochs_are_derived_as_recorded),
        TEST(an_epoch_has_thirty_days),
        TEST(the_tag_of_a_message_is_hmac_under_the_key_of_now),
        TEST(a_group_id_beyond_the_limit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
