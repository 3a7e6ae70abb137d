/* join_test.c - from wrapped welcome to group: recorded ones join the official groups, and an
 * installation added by ours joins ours.
 */
#include "crypto/crypto.h"
#include "identity/test_support.h"
#include "identity/welcome.h"

static const char inbox[] = "f2dc4b90b67487658e6fc1d4759c148fac797ea24fadee18c9d511787e04ea1a";

static xmtp_mls_config config(void)
{
    return (xmtp_mls_config){.env = xmtp_env_system(),
                             .past_epochs_max = 3,
                             .private_messages_only = true,
                             .refuse_psks = true,
                             .openmls_verdicts = true};
}

static xmtp_mls_signer signer_with(const char *inbox_id, const xmtp_installation *installation)
{
    uint8_t *credential = room(XMTP_CREDENTIAL_LEN);
    xmtp_inbox_credential_encode(inbox_id, credential);
    return (xmtp_mls_signer){.identity = xmtp_bytes_of(credential, XMTP_CREDENTIAL_LEN),
                             .signature_sk = xmtp_bytes_of(installation->sk, 32),
                             .signature_pk = xmtp_bytes_of(installation->pk, 32)};
}

static xmtp_mls_group *joined(const xmtp_mls_join_options *options, uint32_t *adder)
{
    const xmtp_mls_config c = config();
    xmtp_mls_writes *writes;
    xmtp_mls_group *group;
    xmtp_error error = {0};
    ok(xmtp_mls_writes_new(&writes, xmtp_env_system()));
    if (xmtp_mls_group_join(&group, &c, options, adder, writes, &error) != XMTP_OK) {
        fail_msg("%s", error.text);
    }
    xmtp_mls_writes_free(writes);
    return group;
}

/* ---- recorded */

/* The recorded key package with this wrapper key; NULL when its private keys were not kept. */
static const cJSON *key_package_for(const cJSON *packages, const char *hpke_public_key)
{
    const cJSON *v;
    cJSON_ArrayForEach(v, item(packages, "key_packages"))
    {
        const cJSON *wrapper = item(item(v, "fields"), "ext_ff03_welcome_wrapper_encryption");
        if (item(v, "private") != NULL &&
            strcmp(text_of(wrapper, "pub_key"), hpke_public_key) == 0) {
            return v;
        }
    }
    return NULL;
}

static xmtp_bytes recorded_welcome(const cJSON *v)
{
    xmtp_bytes seed = hex_item(item(v, "private"), "xwing_private_seed");
    const cJSON *pointee = item(v, "pointee");
    const xmtp_unwrap_key key = {.algorithm = XMTP_WRAPPER_XWING, .sk = seed.p};
    xmtp_welcome_opened opened;
    if (pointee == NULL) {
        ok(xmtp_welcome_open(heap(), &key, hex_item(v, "data"), hex_item(v, "welcome_metadata"),
                             &opened, NULL));
    } else {
        xmtp_welcome_pointer pointer;
        ok(xmtp_welcome_pointer_open(heap(), &key, hex_item(v, "data"), &pointer, NULL));
        ok(xmtp_welcome_pointee_open(heap(), &pointer, hex_item(pointee, "data"),
                                     hex_item(pointee, "welcome_metadata"), &opened, NULL));
    }
    xmtp_bytes out = copy_of(xmtp_bytes_of(opened.welcome, opened.welcome_len));
    xmtp_welcome_opened_free(&opened);
    return out;
}

static void join_recorded(const cJSON *v, const cJSON *package)
{
    const cJSON *secret = item(package, "private");
    xmtp_mls_key_package_private keys = {.ref_len = 32, .init_sk_len = 32, .leaf_sk_len = 32};
    memcpy(keys.ref, hex_item(package, "key_package_ref").p, 32);
    memcpy(keys.init_sk, hex_item(secret, "init_private_key").p, 32);
    memcpy(keys.leaf_sk, hex_item(secret, "leaf_encryption_private_key").p, 32);
    xmtp_installation installation;
    ok(xmtp_installation_from_seed(hex_item(secret, "signature_private_seed").p, &installation));
    const cJSON *credential = item(item(package, "fields"), "credential");
    const xmtp_mls_join_options options = {
        .welcome = recorded_welcome(v),
        .key_package = hex_item(package, "key_package_tls"),
        .private_keys = &keys,
        .signer = signer_with(text_of(item(credential, "decoded"), "inbox_id"), &installation)};
    uint32_t adder;
    xmtp_mls_group *group = joined(&options, &adder);
    const cJSON *result = item(v, "joined");
    assert_bytes(xmtp_mls_group_id(group), hex_item(result, "group_id"));
    assert_bytes(xmtp_mls_group_context(group), hex_item(result, "group_context_tls"));
    xmtp_mls_group_free(group);
}

static void recorded_welcomes_join_the_official_groups(void **state)
{
    (void)state;
    size_t count = 0;
    cJSON *welcomes = vectors("welcomes.json");
    cJSON *packages = vectors("key-packages.json");
    const cJSON *v;
    cJSON_ArrayForEach(v, item(welcomes, "welcomes"))
    {
        if (item(v, "private") == NULL || item(v, "joined") == NULL) {
            continue; /* what pointers point at: joined through them */
        }
        const cJSON *package = key_package_for(packages, text_of(v, "hpke_public_key"));
        if (package != NULL) {
            join_recorded(v, package);
            count++;
        }
    }
    assert_true(count >= 4);
    cJSON_Delete(packages);
    cJSON_Delete(welcomes);
}

/* ---- ours */

/* Section 1.4 of groups.md: what every group of the network requires. */
static xmtp_mls_extension required_capabilities(void)
{
    return (xmtp_mls_extension){.type = XMTP_MLS_EXTENSION_REQUIRED_CAPABILITIES,
                                .data = hex("0cff01ff00ff02f000000a0001"
                                            "020007"
                                            "020001")};
}

static xmtp_mls_group *created(const xmtp_installation *installation, xmtp_mls_writes *writes)
{
    const xmtp_mls_config c = config();
    const xmtp_mls_extension required = required_capabilities();
    const xmtp_mls_create_options options = {.suite = XMTP_MLS_SUITE_X25519_CHACHA,
                                             .group_id = hex("a8af295851e269764e6ebfbd098aa2e6"),
                                             .signer = signer_with(inbox, installation),
                                             .capabilities = *xmtp_inbox_creator_capabilities(),
                                             .context_extensions = &required,
                                             .context_extension_count = 1};
    xmtp_mls_group *group;
    xmtp_error error = {0};
    if (xmtp_mls_group_create(&group, &c, &options, writes, &error) != XMTP_OK) {
        fail_msg("%s", error.text);
    }
    return group;
}

/* Adds the key package, merges, and returns the welcome sealed to its wrapper key. */
static xmtp_welcome_sealed add(xmtp_mls_group *group, xmtp_mls_writes *writes, xmtp_bytes package)
{
    xmtp_inbox_key_package judged;
    ok(xmtp_inbox_key_package_verify(xmtp_env_system(), package, 0, XMTP_KEY_PACKAGE_ADDER, NULL,
                                     &judged, NULL));
    const xmtp_mls_commit_options options = {.add = &package, .add_count = 1};
    xmtp_mls_pending *pending;
    xmtp_mls_staged *staged;
    xmtp_welcome_sealed sealed;
    ok(xmtp_mls_group_commit(group, &options, &pending, NULL));
    ok(xmtp_welcome_seal(xmtp_env_system(), judged.wrapper_algorithm, judged.wrapper_key,
                         xmtp_mls_pending_welcome(pending), 12, &sealed, NULL));
    ok(xmtp_mls_group_stage_pending(group, pending, &staged, NULL));
    ok(xmtp_mls_group_merge(group, staged, writes, NULL));
    xmtp_mls_pending_free(pending);
    return sealed;
}

static void an_installation_that_ours_added_joins_by_its_wrapped_welcome(void **state)
{
    (void)state;
    xmtp_inbox_key_package_keys keys;
    uint8_t *p;
    size_t n;
    xmtp_mls_writes *writes;
    ok(xmtp_mls_writes_new(&writes, xmtp_env_system()));
    ok(xmtp_inbox_key_package_create(xmtp_env_system(), inbox, installation_of(2), &p, &n, &keys,
                                     NULL));
    xmtp_bytes package = adopt(p, n);
    xmtp_mls_group *ours = created(installation_of(1), writes);
    xmtp_welcome_sealed sealed = add(ours, writes, package);
    const xmtp_unwrap_key key = {.algorithm = XMTP_WRAPPER_XWING, .sk = keys.xwing_seed};
    xmtp_welcome_opened opened;
    ok(xmtp_welcome_open(heap(), &key, xmtp_bytes_of(sealed.data, sealed.data_len),
                         xmtp_bytes_of(sealed.metadata, sealed.metadata_len), &opened, NULL));
    assert_int_equal(opened.message_cursor, 12);
    const xmtp_mls_join_options options = {.welcome =
                                               xmtp_bytes_of(opened.welcome, opened.welcome_len),
                                           .key_package = package,
                                           .private_keys = &keys.mls,
                                           .signer = signer_with(inbox, installation_of(2))};
    uint32_t adder;
    xmtp_mls_group *theirs = joined(&options, &adder);
    assert_int_equal(adder, xmtp_mls_group_own_leaf(ours));
    assert_bytes(xmtp_mls_group_context(theirs), xmtp_mls_group_context(ours));
    assert_bytes(xmtp_mls_group_epoch_authenticator(theirs),
                 xmtp_mls_group_epoch_authenticator(ours));
    xmtp_mls_group_free(theirs);
    xmtp_mls_group_free(ours);
    xmtp_mls_writes_free(writes);
    xmtp_welcome_opened_free(&opened);
    xmtp_welcome_sealed_free(&sealed);
    xmtp_inbox_key_package_keys_wipe(&keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(recorded_welcomes_join_the_official_groups),
        TEST(an_installation_that_ours_added_joins_by_its_wrapped_welcome),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
