/* xmtp_vectors_test.c - groups recorded from the official client (xmtp/welcomes.json, groups.json,
 * key-packages.json): every inner welcome joins, every epoch is reproduced, every message opens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/group.h"
#include "mls/group_world.h"
#include "mls/test_vectors.h"

typedef struct files {
    cJSON *groups;
    cJSON *welcomes;
    cJSON *key_packages;
    world_env world;
} files;

/* Numbers of these files are JSON numbers when small, decimal strings when they may be large. */
static uint64_t number(const cJSON *object, const char *name)
{
    const cJSON *field = vectors_field(object, name);
    return cJSON_IsString(field) ? strtoull(field->valuestring, NULL, 10)
                                 : (uint64_t)field->valuedouble;
}

static void files_open(files *f)
{
    f->groups = vectors_open("xmtp/groups.json");
    f->welcomes = vectors_open("xmtp/welcomes.json");
    f->key_packages = vectors_open("xmtp/key-packages.json");
    world_env_init(&f->world, 1);
}

static void files_close(files *f)
{
    cJSON_Delete(f->groups);
    cJSON_Delete(f->welcomes);
    cJSON_Delete(f->key_packages);
}

static void check_key_package(const cJSON *one)
{
    const cJSON *fields = vectors_field(one, "fields");
    xmtp_bytes bytes = vectors_bytes(one, "key_package_tls");
    xmtp_mls_key_package_info info;
    xmtp_error error;
    uint64_t now = number(vectors_field(fields, "lifetime"), "not_before") + 10;
    xmtp_bytes data;
    assert_int_equal(xmtp_mls_key_package_verify(xmtp_env_system(), bytes, now, &info, &error),
                     XMTP_OK);
    vectors_assert_equal(xmtp_bytes_of(info.ref, info.ref_len),
                         vectors_bytes(one, "key_package_ref"), "ref");
    vectors_assert_equal(info.init_key, vectors_bytes(fields, "init_key"), "init_key");
    vectors_assert_equal(info.member.signature_key, vectors_bytes(one, "installation_id"),
                         "signature key");
    assert_true(xmtp_mls_extensions_find(info.extensions, XMTP_MLS_EXTENSION_LAST_RESORT, &data));
    assert_int_equal(data.n, 0);
    assert_int_equal(xmtp_mls_key_package_verify(xmtp_env_system(), bytes, now - 11, &info, &error),
                     XMTP_E_LIFETIME);
    for (size_t i = 0; i < bytes.n; i += 7) { /* both signatures cover everything but themselves */
        uint8_t *p = (uint8_t *)(uintptr_t)bytes.p;
        p[i] ^= 4;
        assert_int_not_equal(
            xmtp_mls_key_package_verify(xmtp_env_system(), bytes, now, &info, &error), XMTP_OK);
        p[i] ^= 4;
    }
}

static void official_key_packages_verify(void **state)
{
    (void)state;
    files f;
    files_open(&f);
    size_t count = 0;
    const cJSON *one;
    cJSON_ArrayForEach(one, vectors_field(f.key_packages, "key_packages"))
    {
        check_key_package(one);
        count++;
    }
    assert_int_equal(count, 10);
    files_close(&f);
}

/* ---- joining ---- */

static xmtp_status try_join(member *m, const cJSON *key_package, xmtp_bytes welcome,
                            uint32_t *signer_leaf)
{
    const cJSON *private_part = vectors_field(key_package, "private");
    const cJSON *fields = vectors_field(key_package, "fields");
    xmtp_bytes init_sk = vectors_bytes(private_part, "init_private_key");
    xmtp_bytes leaf_sk = vectors_bytes(private_part, "leaf_encryption_private_key");
    xmtp_mls_key_package_private keys = {.init_sk_len = init_sk.n, .leaf_sk_len = leaf_sk.n};
    memcpy(keys.init_sk, init_sk.p, init_sk.n);
    memcpy(keys.leaf_sk, leaf_sk.p, leaf_sk.n);
    const xmtp_mls_join_options options = {
        .welcome = welcome,
        .key_package = vectors_bytes(key_package, "key_package_tls"),
        .private_keys = &keys,
        .signer = {.signature_sk = vectors_bytes(private_part, "signature_private_seed"),
                   .signature_pk = vectors_bytes(fields, "leaf_signature_key")}};
    xmtp_mls_writes_clear(m->writes);
    xmtp_mls_group *group;
    xmtp_status status =
        xmtp_mls_group_join(&group, &m->config, &options, signer_leaf, m->writes, &m->error);
    if (status == XMTP_OK) {
        m->group = group;
        member_store(m);
    }
    return status;
}

/* Joins with the one key package of the receiver that the welcome is for. */
static void join_by(files *f, member *m, const cJSON *welcome)
{
    const char *owner = cJSON_GetStringValue(vectors_field(welcome, "to"));
    const cJSON *key_package;
    size_t joined = 0;
    uint32_t signer_leaf = UINT32_MAX;
    member_init(m, &f->world, owner);
    m->config.private_messages_only = true;
    m->config.refuse_psks = true;
    m->config.openmls_verdicts = true;
    cJSON_ArrayForEach(key_package, vectors_field(f->key_packages, "key_packages"))
    {
        if (strcmp(cJSON_GetStringValue(vectors_field(key_package, "owner")), owner) != 0) {
            continue;
        }
        xmtp_status status =
            try_join(m, key_package, vectors_bytes(welcome, "mls_message_welcome"), &signer_leaf);
        if (status != XMTP_OK) {
            assert_int_equal(status, XMTP_E_NOT_FOR_US);
            continue;
        }
        joined++;
    }
    assert_int_equal(joined, 1);
    assert_int_equal(signer_leaf, 0);
}

static bool has_inner_welcome(const cJSON *welcome)
{
    return cJSON_HasObjectItem(welcome, "mls_message_welcome");
}

static void every_inner_welcome_joins(void **state)
{
    (void)state;
    files f;
    files_open(&f);
    size_t count = 0;
    const cJSON *welcome;
    cJSON_ArrayForEach(welcome, vectors_field(f.welcomes, "welcomes"))
    {
        if (!has_inner_welcome(welcome)) {
            continue;
        }
        member m;
        const cJSON *joined = vectors_field(welcome, "joined");
        join_by(&f, &m, welcome);
        vectors_assert_equal(xmtp_mls_group_id(m.group), vectors_bytes(joined, "group_id"), "id");
        vectors_assert_equal(xmtp_mls_group_context(m.group),
                             vectors_bytes(joined, "group_context_tls"), "context");
        assert_int_equal(xmtp_mls_group_own_leaf(m.group), number(joined, "leaf_index"));
        member_free(&m);
        count++;
    }
    assert_int_equal(count, 8);
    files_close(&f);
}

/* ---- walking ---- */

static const cJSON *epoch_of(const cJSON *group, uint64_t wanted)
{
    const cJSON *epoch;
    cJSON_ArrayForEach(epoch, vectors_field(group, "epochs"))
    {
        if (number(epoch, "epoch") == wanted) {
            return epoch;
        }
    }
    fail_msg("no epoch %llu", (unsigned long long)wanted);
    return NULL;
}

static void check_secrets(const xmtp_mls_group *group, const cJSON *secrets)
{
    const struct {
        const char *name;
        const xmtp_secret *secret;
    } table[] = {
        {"initSecret", &group->secrets.init_secret},
        {"senderDataSecret", &group->epochs[0].sender_data_secret},
        {"exporterSecret", &group->secrets.exporter_secret},
        {"externalSecret", &group->secrets.external_secret},
        {"confirmationKey", &group->secrets.confirmation_key},
        {"membershipKey", &group->secrets.membership_key},
        {"resumptionPsk", &group->secrets.resumption_psk},
        {"epochAuthenticator", &group->secrets.epoch_authenticator},
    };
    assert_int_equal(cJSON_GetArraySize(secrets), sizeof table / sizeof table[0]);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        vectors_assert_equal(xmtp_secret_bytes(table[i].secret),
                             vectors_bytes(secrets, table[i].name), table[i].name);
    }
}

static void check_members(const xmtp_mls_group *group, const cJSON *members)
{
    const cJSON *one;
    cJSON_ArrayForEach(one, members)
    {
        xmtp_mls_member m;
        assert_true(xmtp_mls_group_member(group, (uint32_t)number(one, "leaf"), &m));
        vectors_assert_equal(m.signature_key, vectors_bytes(one, "signature_key"), "signature key");
        vectors_assert_equal(m.encryption_key, vectors_bytes(one, "encryption_key"),
                             "encryption key");
        assert_int_equal(xmtp_mls_group_find(group, m.signature_key), m.leaf);
    }
    assert_int_equal(cJSON_GetArraySize(members), xmtp_mls_group_member_count(group));
}

static void check_epoch(const xmtp_mls_group *group, const cJSON *epoch)
{
    xmtp_writer tree;
    xmtp_writer_init(&tree, vectors_alloc(), XMTP_WRITER_MAX);
    vectors_assert_equal(xmtp_mls_group_context(group), vectors_bytes(epoch, "group_context_tls"),
                         "group context");
    vectors_assert_equal(xmtp_digest_bytes(&group->confirmation_tag),
                         vectors_bytes(epoch, "confirmation_tag"), "confirmation tag");
    xmtp_tree_encode(&group->tree, &tree);
    vectors_assert_equal(xmtp_writer_bytes(&tree), vectors_bytes(epoch, "ratchet_tree_tls"),
                         "ratchet tree");
    check_secrets(group, vectors_field(epoch, "secrets"));
    check_members(group, vectors_field(epoch, "members"));
    xmtp_writer_free(&tree);
}

static size_t messages_opened, epochs_checked, commits_own;

/* false: the member's own, which ends its walk when it is a commit */
static bool check_message(member *m, const cJSON *message)
{
    xmtp_mls_staged *staged;
    bool is_commit = cJSON_IsTrue(vectors_field(message, "is_commit"));
    xmtp_status status =
        xmtp_mls_group_process(m->group, vectors_bytes(message, "data"), &staged, &m->error);
    if (status == XMTP_E_OWN_MESSAGE) {
        commits_own += is_commit;
        return !is_commit;
    }
    assert_ok(m, status);
    assert_int_equal(xmtp_mls_staged_content_type(staged),
                     is_commit ? XMTP_MLS_CONTENT_COMMIT : XMTP_MLS_CONTENT_APPLICATION);
    if (!is_commit) {
        vectors_assert_equal(xmtp_mls_staged_application_data(staged),
                             vectors_bytes(message, "plaintext"), "plaintext");
        messages_opened++;
    }
    assert_ok(m, member_merge(m, staged));
    return true;
}

static const cJSON *group_of(const files *f, const cJSON *joined)
{
    const cJSON *group;
    cJSON_ArrayForEach(group, vectors_field(f->groups, "groups"))
    {
        if (xmtp_bytes_equal(vectors_bytes(group, "group_id"), vectors_bytes(joined, "group_id"))) {
            return group;
        }
    }
    fail();
    return NULL;
}

/* From the welcome's epoch on, all that the group said; reloaded from records at every step. */
static void walk(files *f, const cJSON *welcome)
{
    member m;
    const cJSON *group = group_of(f, vectors_field(welcome, "joined"));
    const cJSON *message;
    join_by(f, &m, welcome);
    uint64_t start = xmtp_mls_group_epoch(m.group);
    check_epoch(m.group, epoch_of(group, start));
    epochs_checked++;
    cJSON_ArrayForEach(message, vectors_field(group, "messages"))
    {
        xmtp_mls_message_info info;
        assert_int_equal(xmtp_mls_message_inspect(vectors_bytes(message, "data"), &info), XMTP_OK);
        if (info.epoch < start) {
            continue;
        }
        if (!check_message(&m, message)) {
            break;
        }
        if (info.content_type == XMTP_MLS_CONTENT_COMMIT && xmtp_mls_group_is_active(m.group)) {
            check_epoch(m.group, epoch_of(group, xmtp_mls_group_epoch(m.group)));
            epochs_checked++;
        }
        if (!xmtp_mls_group_is_active(m.group)) {
            break;
        }
    }
    member_free(&m);
}

static void every_epoch_is_reproduced_and_every_message_opens(void **state)
{
    (void)state;
    files f;
    files_open(&f);
    const cJSON *welcome;
    cJSON_ArrayForEach(welcome, vectors_field(f.welcomes, "welcomes"))
    {
        if (has_inner_welcome(welcome)) {
            walk(&f, welcome);
        }
    }
    print_message("%zu epochs, %zu application messages, %zu walks ended by an own commit\n",
                  epochs_checked, messages_opened, commits_own);
    assert_true(epochs_checked >= 16 && messages_opened >= 13);
    files_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(official_key_packages_verify),
        cmocka_unit_test(every_inner_welcome_joins),
        cmocka_unit_test(every_epoch_is_reproduced_and_every_message_opens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
