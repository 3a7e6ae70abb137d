/* rules_welcome_test.c - Welcomes that no library would send, sealed with the right keys: each is
 * refused by the status of its rule (RFC 9420 section 12.4.3.1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/rules_scene.h"
#include "mls/welcome.h"

/* What alice sends to dave; the forger may change every part before it is sealed. */
typedef struct letter {
    scene s;
    blob package;
    xmtp_key_package decoded;
    xmtp_mls_key_package_private keys;
    xmtp_group_secrets secrets;
    xmtp_group_info info;
    xmtp_writer sealed_secrets;   /* GroupSecrets as they are sent */
    size_t cut_secrets, cut_info; /* bytes missing at the end of the ciphertexts */
    bool keeps_tag, extends_secrets;
} letter;

static const uint8_t zeros[32];

static xmtp_secret secret_of(xmtp_bytes bytes)
{
    xmtp_secret out = {.n = 32};
    xmtp_copy(out.p, bytes.p, bytes.n < 32 ? bytes.n : 32);
    return out;
}

static void letter_open(letter *l)
{
    static xmtp_mls_message m;
    const xmtp_secret no_psk = {.n = 32};
    xmtp_secret welcome_secret;
    *l = (letter){0};
    scene_open(&l->s);
    scene *s = &l->s;
    l->package = member_key_package(&s->dave, &l->keys);
    const xmtp_bytes add = blob_bytes(l->package);
    assert_int_equal(xmtp_key_package_of(add, &l->decoded), XMTP_OK);
    xmtp_mls_pending *pending =
        member_commit(&s->alice, &(xmtp_mls_commit_options){.add = &add, .add_count = 1});
    xmtp_bytes welcome;
    assert_int_equal(xmtp_arena_copy(&s->arena, xmtp_mls_pending_welcome(pending), &welcome),
                     XMTP_OK);
    xmtp_mls_pending_free(pending);
    const xmtp_suite *suite = s->alice.group->suite;
    assert_int_equal(xmtp_mls_message_decode(welcome, &s->arena, &m), XMTP_OK);
    assert_ok(&s->dave, xmtp_welcome_open_secrets(
                            suite, &m.u.welcome, xmtp_bytes_of(l->keys.ref, l->keys.ref_len),
                            l->keys.init_sk, NULL, &s->arena, &l->secrets, &s->dave.error));
    const xmtp_secret joiner = secret_of(l->secrets.joiner_secret);
    assert_int_equal(xmtp_welcome_secret(suite, &joiner, &no_psk, &welcome_secret), XMTP_OK);
    assert_ok(&s->dave, xmtp_welcome_open_group_info(suite, &m.u.welcome, &welcome_secret,
                                                     &s->arena, &l->info, &s->dave.error));
    l->sealed_secrets = writer(s);
}

static void letter_close(letter *l)
{
    free(l->package.p);
    xmtp_writer_free(&l->sealed_secrets);
    scene_close(&l->s);
}

/* ---- sealing ---- */

/* The PSKs of the letter, whatever they are, have the value of find_any. */
static xmtp_secret psk_secret_of(letter *l)
{
    xmtp_psk psks[4];
    xmtp_secret out;
    for (size_t i = 0; i < l->secrets.psk_count; i++) {
        psks[i] = (xmtp_psk){.id = l->secrets.psks[i], .psk = xmtp_bytes_of(zeros, 32)};
    }
    assert_int_equal(xmtp_psk_secret(l->s.alice.group->suite, l->s.alice.group->alloc, psks,
                                     l->secrets.psk_count, &out),
                     XMTP_OK);
    return out;
}

static void put_tag(letter *l, const xmtp_secret *joiner, const xmtp_secret *psk)
{
    uint8_t tag[XMTP_HASH_MAX];
    xmtp_epoch_secrets secrets;
    xmtp_writer w = writer(&l->s);
    const xmtp_suite *suite = l->s.alice.group->suite;
    xmtp_group_context_encode(&w, &l->info.group_context);
    assert_int_equal(xmtp_epoch_secrets_derive(suite, joiner, psk, xmtp_writer_bytes(&w), &secrets),
                     XMTP_OK);
    xmtp_confirmation_tag(suite, &secrets.confirmation_key,
                          l->info.group_context.confirmed_transcript_hash, tag);
    assert_int_equal(
        xmtp_arena_copy(&l->s.arena, xmtp_bytes_of(tag, 32), &l->info.confirmation_tag), XMTP_OK);
    xmtp_writer_free(&w);
}

static xmtp_bytes signed_info(letter *l)
{
    uint8_t signature[XMTP_SIGNATURE_MAX];
    size_t n;
    const member *alice = &l->s.alice;
    xmtp_writer w = writer(&l->s), scratch = writer(&l->s);
    xmtp_group_info_tbs_encode(&w, &l->info);
    assert_int_equal(xmtp_sign_with_label(alice->group->suite, alice->sk, alice->pk, "GroupInfoTBS",
                                          xmtp_writer_bytes(&w), &scratch, signature, &n),
                     XMTP_OK);
    xmtp_writer_vec(&w, xmtp_bytes_of(signature, n));
    xmtp_writer_free(&scratch);
    return keep(&l->s, &w);
}

static xmtp_bytes sealed_info(letter *l, const xmtp_secret *joiner, const xmtp_secret *psk)
{
    uint8_t key[XMTP_AEAD_KEY_MAX], nonce[XMTP_AEAD_NONCE_MAX];
    uint8_t *out;
    xmtp_secret welcome_secret;
    const xmtp_suite *suite = l->s.alice.group->suite;
    const xmtp_bytes info = signed_info(l);
    assert_int_equal(xmtp_arena_take(&l->s.arena, info.n + 16, (void **)&out), XMTP_OK);
    assert_int_equal(xmtp_welcome_secret(suite, joiner, psk, &welcome_secret), XMTP_OK);
    assert_int_equal(xmtp_welcome_key(suite, &welcome_secret, key, nonce), XMTP_OK);
    assert_int_equal(suite->aead->seal(key, nonce, (xmtp_bytes){0}, info, out), XMTP_OK);
    const size_t n = info.n + 16;
    return xmtp_bytes_of(out, l->cut_info < n ? n - l->cut_info : 0);
}

static xmtp_bytes sealed_welcome(letter *l)
{
    static const uint8_t seed[32] = {9};
    uint8_t enc[32];
    uint8_t *ciphertext;
    const xmtp_suite *suite = l->s.alice.group->suite;
    const xmtp_secret joiner = secret_of(l->secrets.joiner_secret), psk = psk_secret_of(l);
    xmtp_writer *secrets = &l->sealed_secrets;
    xmtp_writer scratch = writer(&l->s), entry = writer(&l->s), w = writer(&l->s);
    if (!l->keeps_tag) {
        put_tag(l, &joiner, &psk);
    }
    xmtp_writer_clear(secrets);
    xmtp_group_secrets_encode(secrets, &l->secrets);
    if (l->extends_secrets) {
        xmtp_writer_u8(secrets, 0);
    }
    const size_t n = xmtp_writer_bytes(secrets).n + 16;
    const xmtp_bytes info = sealed_info(l, &joiner, &psk);
    assert_int_equal(xmtp_arena_take(&l->s.arena, n, (void **)&ciphertext), XMTP_OK);
    assert_int_equal(xmtp_encrypt_with_label(suite, l->decoded.init_key.p, "Welcome", info,
                                             xmtp_writer_bytes(secrets), seed, &scratch, enc,
                                             ciphertext),
                     XMTP_OK);
    xmtp_encrypted_group_secrets_encode(
        &entry, &(xmtp_encrypted_group_secrets){
                    .new_member = xmtp_bytes_of(l->keys.ref, l->keys.ref_len),
                    .encrypted_group_secrets = {
                        .kem_output = xmtp_bytes_of(enc, 32),
                        .ciphertext = xmtp_bytes_of(ciphertext,
                                                    l->cut_secrets < n ? n - l->cut_secrets : 0)}});
    xmtp_mls_message_header_encode(&w, XMTP_WIRE_WELCOME);
    xmtp_welcome_encode(&w, &(xmtp_welcome){.cipher_suite = suite->id,
                                            .secrets = xmtp_writer_bytes(&entry),
                                            .secret_count = 1,
                                            .encrypted_group_info = info});
    xmtp_writer_free(&scratch);
    xmtp_writer_free(&entry);
    return keep(&l->s, &w);
}

static xmtp_status find_any(void *context, const xmtp_mls_psk *psk, uint8_t *out, size_t *out_len)
{
    (void)context;
    (void)psk;
    memset(out, 0, 32);
    *out_len = 32;
    return XMTP_OK;
}

static xmtp_status arrive(letter *l, const xmtp_mls_group *parent)
{
    member *dave = &l->s.dave;
    const xmtp_mls_join_options options = {.welcome = sealed_welcome(l),
                                           .key_package = blob_bytes(l->package),
                                           .private_keys = &l->keys,
                                           .signer = member_signer(dave),
                                           .parent = parent};
    xmtp_mls_group *group = NULL;
    dave->config.find_psk = find_any;
    xmtp_status status =
        xmtp_mls_group_join(&group, &dave->config, &options, NULL, dave->writes, &dave->error);
    assert_true((group != NULL) == (status == XMTP_OK));
    assert_true(xmtp_mls_writes_count(dave->writes) == 0 || status == XMTP_OK);
    xmtp_mls_group_free(group);
    return status;
}

/* ---- forgeries ---- */

static void is_honest(letter *l)
{
    (void)l;
}

static void has_another_version(letter *l)
{
    l->info.group_context.version = 2;
}

static void has_another_suite(letter *l)
{
    l->info.group_context.cipher_suite = 1;
}

static void has_a_wrong_tag(letter *l)
{
    l->info.confirmation_tag = xmtp_bytes_of(zeros, 32);
    l->keeps_tag = true;
}

static void has_a_short_tag(letter *l)
{
    l->info.confirmation_tag = xmtp_bytes_of(zeros, 31);
    l->keeps_tag = true;
}

static void has_a_short_joiner_secret(letter *l)
{
    l->secrets.joiner_secret.n = 31;
}

static void has_a_short_path_secret(letter *l)
{
    l->secrets.path_secret.n = 31;
}

static void has_another_path_secret(letter *l)
{
    l->secrets.path_secret = xmtp_bytes_of(zeros, 32);
}

static void has_longer_secrets(letter *l)
{
    l->extends_secrets = true;
}

static void has_no_room_for_a_tag_of_secrets(letter *l)
{
    l->cut_secrets = 1000;
}

static void has_no_room_for_a_tag_of_its_group_info(letter *l)
{
    l->cut_info = 100000;
}

static void is_signed_by_a_blank_leaf(letter *l)
{
    l->info.signer = 77;
}

static void lacks_our_leaf(letter *l)
{
    xmtp_tree tree;
    uint8_t hash[XMTP_HASH_MAX];
    xmtp_bytes data;
    const xmtp_suite *suite = l->s.alice.group->suite;
    xmtp_writer w = writer(&l->s), list = writer(&l->s);
    assert_true(xmtp_extensions_find(&l->info.extensions, XMTP_EXTENSION_RATCHET_TREE, &data));
    xmtp_tree_init(&tree, suite, l->s.alice.group->alloc);
    assert_int_equal(xmtp_tree_decode(&tree, data), XMTP_OK);
    assert_int_equal(xmtp_tree_remove_leaf(&tree, 3), XMTP_OK);
    for (uint32_t i = 1; i < 5; i += 2) { /* parents would not be linked any more */
        assert_int_equal(xmtp_tree_set_node(&tree, i, XMTP_NODE_BLANK, (xmtp_bytes){0}), XMTP_OK);
    }
    xmtp_tree_encode(&tree, &w);
    assert_int_equal(xmtp_tree_hash(&tree, hash), XMTP_OK);
    assert_int_equal(
        xmtp_arena_copy(&l->s.arena, xmtp_bytes_of(hash, 32), &l->info.group_context.tree_hash),
        XMTP_OK);
    xmtp_extension_encode(&list, XMTP_EXTENSION_RATCHET_TREE, xmtp_writer_bytes(&w));
    l->info.extensions = (xmtp_extensions){.raw = keep(&l->s, &list), .count = 1};
    xmtp_writer_free(&w);
    xmtp_tree_free(&tree);
}

static xmtp_psk_id lineage(xmtp_psk_usage usage, const char *group_id, uint64_t epoch)
{
    return (xmtp_psk_id){.type = XMTP_PSK_RESUMPTION,
                         .usage = (uint8_t)usage,
                         .psk_group_id = xmtp_bytes_of_string(group_id),
                         .psk_epoch = epoch,
                         .psk_nonce = xmtp_bytes_of(zeros, 32)};
}

static xmtp_psk_id psks[2];

static void continues_two_groups(letter *l)
{
    psks[0] = lineage(XMTP_PSK_USAGE_BRANCH, "one", 1);
    psks[1] = lineage(XMTP_PSK_USAGE_REINIT, "two", 1);
    l->secrets.psks = psks;
    l->secrets.psk_count = 2;
}

static void continues_a_group_at_a_later_epoch(letter *l)
{
    psks[0] = lineage(XMTP_PSK_USAGE_BRANCH, "one", 1);
    l->secrets.psks = psks;
    l->secrets.psk_count = 1;
}

static void continues_a_group_that_we_do_not_have(letter *l)
{
    continues_a_group_at_a_later_epoch(l);
    l->info.group_context.epoch = 1;
}

static void has_an_application_psk(letter *l)
{
    psks[0] = lineage(XMTP_PSK_USAGE_APPLICATION, "one", 1);
    l->secrets.psks = psks;
    l->secrets.psk_count = 1;
}

static void has_a_psk_with_a_short_nonce(letter *l)
{
    has_an_application_psk(l);
    psks[0].psk_nonce.n = 31;
}

typedef struct welcome_rule {
    const char *rule;
    xmtp_status status;
    void (*change)(letter *l);
} welcome_rule;

static void welcomes_keep_the_rules(void **state)
{
    (void)state;
    static const welcome_rule rules[] = {
        {"an honest welcome", XMTP_OK, is_honest},
        {"protocol version", XMTP_E_VERSION, has_another_version},
        {"suite of the context", XMTP_E_SUITE, has_another_suite},
        {"confirmation tag", XMTP_E_CONFIRMATION_TAG, has_a_wrong_tag},
        {"length of the tag", XMTP_E_CONFIRMATION_TAG, has_a_short_tag},
        {"length of joiner_secret", XMTP_E_WELCOME, has_a_short_joiner_secret},
        {"length of path_secret", XMTP_E_WELCOME, has_a_short_path_secret},
        {"path_secret fits the tree", XMTP_E_WELCOME, has_another_path_secret},
        {"nothing behind the secrets", XMTP_E_TRAILING, has_longer_secrets},
        {"ciphertext of the secrets", XMTP_E_LENGTH, has_no_room_for_a_tag_of_secrets},
        {"ciphertext of the group info", XMTP_E_LENGTH, has_no_room_for_a_tag_of_its_group_info},
        {"signer is a member", XMTP_E_SENDER, is_signed_by_a_blank_leaf},
        {"our leaf is in the tree", XMTP_E_OWN_LEAF, lacks_our_leaf},
        {"one lineage", XMTP_E_LINEAGE, continues_two_groups},
        {"continued groups begin at epoch 1", XMTP_E_LINEAGE, continues_a_group_at_a_later_epoch},
        {"a lineage that the caller answers for", XMTP_OK, continues_a_group_that_we_do_not_have},
        {"an application PSK", XMTP_OK, has_an_application_psk},
        {"length of a PSK's nonce", XMTP_E_PSK_NONCE, has_a_psk_with_a_short_nonce},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        letter l;
        letter_open(&l);
        rules[i].change(&l);
        xmtp_status status = arrive(&l, NULL);
        if (status != rules[i].status) {
            fail_msg("%s: %s instead of %s: %s", rules[i].rule, xmtp_status_name(status),
                     xmtp_status_name(rules[i].status), l.s.dave.error.text);
        }
        cases++;
        letter_close(&l);
    }
}

/* The parent is there: what it is, its child has to be. */
static void continued_groups_are_like_their_parents(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        xmtp_status status;
        xmtp_psk_usage usage;
        bool has_secret; /* the parent knows the epoch */
    } rules[] = {
        {"a branch", XMTP_OK, XMTP_PSK_USAGE_BRANCH, true},
        {"a re-initialisation that was not announced", XMTP_E_LINEAGE, XMTP_PSK_USAGE_REINIT, true},
        {"a re-initialisation of another epoch", XMTP_E_LINEAGE, XMTP_PSK_USAGE_REINIT, false},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        letter l;
        letter_open(&l);
        const xmtp_mls_group *parent = l.s.carol.group;
        l.info.group_context.epoch = 1;
        psks[0] = lineage(rules[i].usage, "group id of 16b.",
                          rules[i].has_secret ? parent->context.epoch : 99);
        l.secrets.psks = psks;
        l.secrets.psk_count = 1;
        /* the secret that the parent gives is not that of the forger: make it so */
        memset(((xmtp_mls_group *)(uintptr_t)parent)->secrets.resumption_psk.p, 0, 32);
        xmtp_status status = arrive(&l, parent);
        if (status != rules[i].status) {
            fail_msg("%s: %s instead of %s: %s", rules[i].rule, xmtp_status_name(status),
                     xmtp_status_name(rules[i].status), l.s.dave.error.text);
        }
        cases++;
        letter_close(&l);
    }
}

static void lifetimes_are_looked_at_when_asked(void **state)
{
    (void)state;
    letter l;
    letter_open(&l);
    l.s.world.now_ns = 0; /* before any key package begins */
    assert_int_equal(arrive(&l, NULL), XMTP_E_LIFETIME);
    l.s.world.now_ns = UINT64_MAX;
    l.s.dave.config.check_lifetimes = false;
    assert_int_equal(arrive(&l, NULL), XMTP_OK);
    letter_close(&l);
}

static void welcomes_with_psks_are_refused_when_asked(void **state)
{
    (void)state;
    letter l;
    letter_open(&l);
    has_an_application_psk(&l);
    l.s.dave.config.refuse_psks = true;
    assert_int_equal(arrive(&l, NULL), XMTP_E_PSK);
    letter_close(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(welcomes_keep_the_rules),
        cmocka_unit_test(continued_groups_are_like_their_parents),
        cmocka_unit_test(welcomes_with_psks_are_refused_when_asked),
        cmocka_unit_test(lifetimes_are_looked_at_when_asked),
    };
    return cmocka_run_group_tests(tests, NULL, print_count);
}
