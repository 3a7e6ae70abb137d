/* rules_letter_test.c - what RFC 9420 sections 12.4.3.1, 11.2 and 11.3 ask of a Welcome: each rule broken
 * by alice, who adds dave and writes into his letter what she likes, refused by dave's library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/rules_scene.h"
#include "mls/welcome.h"

typedef struct letter {
    scene s;
    xmtp_mls_key_package_private keys;
    xmtp_bytes package, init_key;
    xmtp_bytes joiner_secret; /* with which the GroupInfo is sealed */
    xmtp_group_secrets secrets;
    xmtp_group_info info;
    const member *signer;
    uint8_t ref[32];
    bool breaks_signature, seals_to_another, adds_a_byte_to_secrets, adds_a_byte_to_info;
} letter;

static xmtp_bytes copy(letter *f, xmtp_bytes in)
{
    xmtp_bytes out;
    assert_int_equal(xmtp_arena_copy(&f->s.arena, in, &out), XMTP_OK);
    return out;
}

static xmtp_bytes flipped(letter *f, xmtp_bytes in)
{
    xmtp_bytes out = copy(f, in);
    ((uint8_t *)(uintptr_t)out.p)[0] ^= 1;
    return out;
}

/* ---- what is broken ---- */

static void nothing(letter *f)
{
    (void)f;
}

static void is_for_another(letter *f)
{
    f->ref[0] ^= 1;
}

static void is_sealed_to_another(letter *f)
{
    f->seals_to_another = true;
}

static void has_more_secrets(letter *f)
{
    f->adds_a_byte_to_secrets = true;
}

static void has_more_info(letter *f)
{
    f->adds_a_byte_to_info = true;
}

static void has_a_short_joiner_secret(letter *f)
{
    f->secrets.joiner_secret.n = 31;
}

static void has_another_joiner_secret(letter *f)
{
    f->secrets.joiner_secret = flipped(f, f->secrets.joiner_secret);
}

static void has_a_short_path_secret(letter *f)
{
    f->secrets.path_secret.n = 31;
}

static void has_another_path_secret(letter *f)
{
    f->secrets.path_secret = flipped(f, f->secrets.path_secret);
}

static void with_psks(letter *f, uint8_t type, uint8_t usage, size_t nonce, size_t count)
{
    xmtp_psk_id *ids;
    assert_int_equal(xmtp_arena_take_array(&f->s.arena, count, sizeof *ids, (void **)&ids),
                     XMTP_OK);
    for (size_t i = 0; i < count; i++) {
        ids[i] = (xmtp_psk_id){.type = type,
                               .usage = usage,
                               .psk_id = xmtp_bytes_of("?", 1),
                               .psk_group_id = xmtp_bytes_of("parent", 5), /* find_psk: 5 bytes */
                               .psk_nonce = xmtp_bytes_of(f->s.tag.p, nonce)};
    }
    f->secrets.psks = ids;
    f->secrets.psk_count = count;
}

static void names_an_unknown_psk(letter *f)
{
    with_psks(f, XMTP_PSK_EXTERNAL, 0, 32, 1);
}

static void names_a_psk_with_a_short_nonce(letter *f)
{
    with_psks(f, XMTP_PSK_EXTERNAL, 0, 31, 1);
}

static void names_two_parents(letter *f)
{
    with_psks(f, XMTP_PSK_RESUMPTION, XMTP_PSK_USAGE_BRANCH, 32, 2);
}

static void names_an_unknown_parent(letter *f)
{
    with_psks(f, XMTP_PSK_RESUMPTION, XMTP_PSK_USAGE_REINIT, 32, 1);
}

static void has_a_broken_signature(letter *f)
{
    f->breaks_signature = true;
}

static void is_signed_by_a_stranger(letter *f)
{
    f->signer = &f->s.dave;
}

static void has_a_blank_signer(letter *f)
{
    f->info.signer = 7;
}

static void names_another_signer(letter *f)
{
    f->info.signer = 1;
}

static void has_another_version(letter *f)
{
    f->info.group_context.version = 2;
}

static void has_another_suite(letter *f)
{
    f->info.group_context.cipher_suite = 1;
}

static void has_another_group_id(letter *f)
{
    f->info.group_context.group_id = xmtp_bytes_of("other", 5);
}

static void has_another_tree_hash(letter *f)
{
    f->info.group_context.tree_hash = f->s.tag;
}

static void has_another_tag(letter *f)
{
    f->info.confirmation_tag = flipped(f, f->info.confirmation_tag);
}

static void has_a_short_tag(letter *f)
{
    f->info.confirmation_tag.n = 31;
}

static void has_another_epoch(letter *f)
{
    f->info.group_context.epoch++;
}

static void set_context_extension(letter *f, uint16_t type, const uint8_t *p, size_t n)
{
    xmtp_writer w = writer(&f->s);
    xmtp_extension_encode(&w, type, xmtp_bytes_of(p, n));
    f->info.group_context.extensions = (xmtp_extensions){.raw = keep(&f->s, &w), .count = 1};
}

static void demands_what_members_lack(letter *f)
{
    static const uint8_t demanding[] = {2, 0xab, 0xcd, 0, 0};
    set_context_extension(f, XMTP_EXTENSION_REQUIRED_CAPABILITIES, demanding, sizeof demanding);
}

static void has_an_extension_that_members_lack(letter *f)
{
    set_context_extension(f, 0xabcd, other_bytes, 1);
}

static void lacks_the_tree(letter *f)
{
    f->info.extensions = (xmtp_extensions){0};
}

static void set_tree(letter *f, xmtp_bytes tree)
{
    xmtp_writer w = writer(&f->s);
    xmtp_extension_encode(&w, XMTP_EXTENSION_RATCHET_TREE, tree);
    f->info.extensions = (xmtp_extensions){.raw = keep(&f->s, &w), .count = 1};
}

static void has_an_empty_tree(letter *f)
{
    static const uint8_t empty[] = {0};
    set_tree(f, xmtp_bytes_of(empty, 1));
}

/* The tree of the group as it was before dave was added, with its hash. */
static void has_a_tree_without_us(letter *f)
{
    uint8_t hash[XMTP_HASH_MAX];
    xmtp_writer w = writer(&f->s);
    xmtp_tree_encode(&f->s.alice.group->tree, &w);
    set_tree(f, keep(&f->s, &w));
    assert_int_equal(xmtp_tree_hash(&f->s.alice.group->tree, hash), XMTP_OK);
    f->info.group_context.tree_hash = copy(f, xmtp_bytes_of(hash, 32));
}

/* ---- the letter ---- */

static void open_honest(letter *f, xmtp_bytes welcome)
{
    xmtp_mls_message *message;
    xmtp_secret joiner = {.n = 32}, no_psk = {.n = 32}, welcome_secret;
    const xmtp_suite *suite = f->s.alice.group->suite;
    xmtp_bytes bytes = copy(f, welcome);
    assert_int_equal(xmtp_arena_take(&f->s.arena, sizeof *message, (void **)&message), XMTP_OK);
    assert_int_equal(xmtp_mls_message_decode(bytes, &f->s.arena, message), XMTP_OK);
    const xmtp_welcome *w = &message->u.welcome;
    assert_int_equal(
        xmtp_welcome_open_secrets(suite, w, xmtp_bytes_of(f->keys.ref, f->keys.ref_len),
                                  f->keys.init_sk, f->init_key.p, &f->s.arena, &f->secrets, NULL),
        XMTP_OK);
    assert_true(f->secrets.has_path_secret);
    f->joiner_secret = f->secrets.joiner_secret;
    memcpy(joiner.p, f->joiner_secret.p, 32);
    assert_int_equal(xmtp_welcome_secret(suite, &joiner, &no_psk, &welcome_secret), XMTP_OK);
    assert_int_equal(
        xmtp_welcome_open_group_info(suite, w, &welcome_secret, &f->s.arena, &f->info, NULL),
        XMTP_OK);
}

static xmtp_bytes signed_info(letter *f)
{
    uint8_t signature[XMTP_SIGNATURE_MAX];
    size_t signature_len;
    const xmtp_mls_group *group = f->s.alice.group;
    xmtp_writer w = writer(&f->s);
    xmtp_group_info_tbs_encode(&w, &f->info);
    xmtp_bytes tbs = keep(&f->s, &w);
    assert_int_equal(xmtp_sign_with_label(group->suite, f->signer->sk, f->signer->pk,
                                          "GroupInfoTBS", tbs, &group->scratch->label, signature,
                                          &signature_len),
                     XMTP_OK);
    signature[5] ^= f->breaks_signature;
    w = writer(&f->s);
    xmtp_writer_put(&w, tbs);
    xmtp_writer_vec(&w, xmtp_bytes_of(signature, signature_len));
    if (f->adds_a_byte_to_info) {
        xmtp_writer_u8(&w, 0);
    }
    return keep(&f->s, &w);
}

static xmtp_bytes sealed_info(letter *f)
{
    uint8_t key[XMTP_AEAD_KEY_MAX], nonce[XMTP_AEAD_NONCE_MAX];
    xmtp_secret joiner = {.n = 32}, no_psk = {.n = 32}, welcome_secret;
    const xmtp_suite *suite = f->s.alice.group->suite;
    void *out;
    xmtp_bytes info = signed_info(f);
    memcpy(joiner.p, f->joiner_secret.p, 32);
    assert_int_equal(xmtp_welcome_secret(suite, &joiner, &no_psk, &welcome_secret), XMTP_OK);
    assert_int_equal(xmtp_welcome_key(suite, &welcome_secret, key, nonce), XMTP_OK);
    assert_int_equal(xmtp_arena_take(&f->s.arena, info.n + 16, &out), XMTP_OK);
    assert_int_equal(suite->aead->seal(key, nonce, (xmtp_bytes){0}, info, out), XMTP_OK);
    return xmtp_bytes_of(out, info.n + 16);
}

static xmtp_bytes sealed(letter *f)
{
    uint8_t seed[XMTP_KEM_SEED_MAX], kem_output[XMTP_KEM_ENC_MAX], ciphertext[4096];
    const xmtp_mls_group *group = f->s.alice.group;
    xmtp_bytes info = sealed_info(f);
    xmtp_writer w = writer(&f->s);
    xmtp_group_secrets_encode(&w, &f->secrets);
    if (f->adds_a_byte_to_secrets) {
        xmtp_writer_u8(&w, 0);
    }
    xmtp_bytes plaintext = keep(&f->s, &w);
    const uint8_t *to =
        f->seals_to_another ? xmtp_tree_encryption_key(&group->tree, 0).p : f->init_key.p;
    world_random(&f->s.world, seed, sizeof seed);
    assert_int_equal(xmtp_encrypt_with_label(group->suite, to, "Welcome", info, plaintext, seed,
                                             &group->scratch->label, kem_output, ciphertext),
                     XMTP_OK);
    const xmtp_encrypted_group_secrets entry = {
        .new_member = xmtp_bytes_of(f->ref, 32),
        .encrypted_group_secrets = {.kem_output = xmtp_bytes_of(kem_output, 32),
                                    .ciphertext = xmtp_bytes_of(ciphertext, plaintext.n + 16)}};
    w = writer(&f->s);
    xmtp_encrypted_group_secrets_encode(&w, &entry);
    const xmtp_welcome welcome = {.cipher_suite = 3,
                                  .secrets = keep(&f->s, &w),
                                  .secret_count = 1,
                                  .encrypted_group_info = info};
    w = writer(&f->s);
    xmtp_mls_message_header_encode(&w, XMTP_WIRE_WELCOME);
    xmtp_welcome_encode(&w, &welcome);
    return keep(&f->s, &w);
}

static void letter_open(letter *f)
{
    *f = (letter){0};
    scene_open(&f->s);
    f->signer = &f->s.alice;
    blob package = member_key_package(&f->s.dave, &f->keys);
    f->package = copy(f, blob_bytes(package));
    free(package.p);
    xmtp_key_package decoded;
    assert_int_equal(xmtp_key_package_of(f->package, &decoded), XMTP_OK);
    f->init_key = decoded.init_key;
    memcpy(f->ref, f->keys.ref, 32);
    xmtp_mls_pending *pending =
        member_commit(&f->s.alice, &(xmtp_mls_commit_options){.add = &f->package, .add_count = 1});
    open_honest(f, xmtp_mls_pending_welcome(pending));
    xmtp_mls_pending_free(pending);
}

static xmtp_status join(letter *f, xmtp_bytes welcome)
{
    member *m = &f->s.dave;
    const blob package = {.p = (uint8_t *)(uintptr_t)f->package.p, .n = f->package.n};
    xmtp_status status = member_join(m, welcome, package, &f->keys);
    if (status != XMTP_OK) {
        assert_int_equal(xmtp_mls_writes_count(m->writes), 0);
        assert_null(m->group);
        assert_int_equal(m->store.count, 0);
    }
    return status;
}

static void welcomes_keep_the_rules(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        xmtp_status status;
        void (*change)(letter *f);
    } rules[] = {
        {"as alice made it", XMTP_OK, nothing},
        {"12.4.3.1 there is an entry for us", XMTP_E_NOT_FOR_US, is_for_another},
        {"12.4.3.1 the secrets are for our init key", XMTP_E_AUTH, is_sealed_to_another},
        {"12.4.3.1 nothing follows the secrets", XMTP_E_TRAILING, has_more_secrets},
        {"12.4.3.1 nothing follows the group info", XMTP_E_TRAILING, has_more_info},
        {"12.4.3.1 joiner_secret has Nh bytes", XMTP_E_WELCOME, has_a_short_joiner_secret},
        {"12.4.3.1 joiner_secret opens the info", XMTP_E_AUTH, has_another_joiner_secret},
        {"12.4.3.1 path_secret has Nh bytes", XMTP_E_WELCOME, has_a_short_path_secret},
        {"12.4.3.1 path_secret fits the tree", XMTP_E_WELCOME, has_another_path_secret},
        {"8.4 a PSK is known", XMTP_E_PSK, names_an_unknown_psk},
        {"8.4 a nonce has Nh bytes", XMTP_E_PSK_NONCE, names_a_psk_with_a_short_nonce},
        {"8.6 a group continues one", XMTP_E_LINEAGE, names_two_parents},
        {"11.2 a continued group is known", XMTP_E_PSK, names_an_unknown_parent},
        {"12.4.3.1 the group info is signed", XMTP_E_GROUP_INFO_SIGNATURE, has_a_broken_signature},
        {"12.4.3.1 by its signer", XMTP_E_GROUP_INFO_SIGNATURE, names_another_signer},
        {"12.4.3.1 not by a stranger", XMTP_E_GROUP_INFO_SIGNATURE, is_signed_by_a_stranger},
        {"12.4.3.1 the signer is a member", XMTP_E_SENDER, has_a_blank_signer},
        {"12.4.3.1 the version is known", XMTP_E_VERSION, has_another_version},
        {"12.4.3.1 the suite is the welcome's", XMTP_E_SUITE, has_another_suite},
        {"7.3 leaves are signed for their group", XMTP_E_LEAF_SIGNATURE, has_another_group_id},
        {"12.4.3.1 the tree is that of the context", XMTP_E_TREE_HASH, has_another_tree_hash},
        {"12.4.3.1 the confirmation tag is right", XMTP_E_CONFIRMATION_TAG, has_another_tag},
        {"8.1 the confirmation tag has Nh bytes", XMTP_E_CONFIRMATION_TAG, has_a_short_tag},
        {"8.1 the tag is over the context", XMTP_E_CONFIRMATION_TAG, has_another_epoch},
        {"11.1 members have what is required", XMTP_E_CAPABILITIES, demands_what_members_lack},
        {"7.2 members support the extensions", XMTP_E_EXTENSION_UNSUPPORTED,
         has_an_extension_that_members_lack},
        {"12.4.3.3 a tree is there", XMTP_E_NO_TREE, lacks_the_tree},
        {"12.4.3.3 a tree is not empty", XMTP_E_TREE, has_an_empty_tree},
        {"12.4.3.1 our leaf is in the tree", XMTP_E_OWN_LEAF, has_a_tree_without_us},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        letter f;
        letter_open(&f);
        rules[i].change(&f);
        xmtp_status got = join(&f, sealed(&f));
        if (got != rules[i].status) {
            fail_msg("%s: %s instead of %s: %s", rules[i].rule, xmtp_status_name(got),
                     xmtp_status_name(rules[i].status), f.s.dave.error.text);
        }
        cases += rules[i].status != XMTP_OK;
        scene_close(&f.s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(welcomes_keep_the_rules),
    };
    return cmocka_run_group_tests(tests, NULL, print_count);
}
