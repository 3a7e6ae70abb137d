/* constant_time_test.c - no branch and no address of MLS depends on a secret, as valgrind sees it.
 *
 * Whole operations run with all that is secret undefined from the start: what the environment gives
 * as randomness, and signature keys. So every private key, path secret, epoch secret and message key
 * is undefined, in memory, in messages and in records.
 *
 * What is public by the protocol is made defined where it leaves a primitive: the functions below
 * stand between the library and suite 3. Verdicts that the library itself draws from secrets (a tag
 * is right or not) are suppressed by the name of the one function that branches on each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/test_secrets.h"
#include "mls/group_world.h"
#include "mls/label.h"
#include "mls/message.h"

#define REAL xmtp_suite_x25519_chacha

/* ---- what is public ---- */

static const char text[] = "a message of thirty-two bytes...";

enum {
    TEXT_LEN = 32,
    SIGNATURE_LEN = 64,
    PADDING = 128,
    /* length, text, length of the signature, signature, zeros: a multiple and 2 bytes of lengths */
    APPLICATION_LEN = PADDING + 2,
    /* length, joiner_secret, presence, length, path_secret, no PSKs */
    GROUP_SECRETS_LEN = 1 + 32 + 1 + 1 + 32 + 1,
    SENDER_DATA_LEN = 12,
    PATH_SECRET_LEN = 32,
};

/* A ciphertext is what everybody sees. */
static xmtp_status public_seal(const uint8_t *key, const uint8_t *nonce, xmtp_bytes aad,
                               xmtp_bytes plaintext, uint8_t *out)
{
    xmtp_status status = REAL.aead->seal(key, nonce, aad, plaintext, out);
    reveal(out, plaintext.n + REAL.aead->tag_len);
    return status;
}

/* Of a plaintext only the framing is public to whoever may open it. */
static void reveal_framing(uint8_t *plaintext, size_t n)
{
    switch (n) {
    case PATH_SECRET_LEN: /* nothing but a secret */
        return;
    case GROUP_SECRETS_LEN: /* lengths and presence, not the two secrets */
        reveal(plaintext, 1);
        reveal(plaintext + 33, 2);
        reveal(plaintext + 67, 1);
        return;
    case APPLICATION_LEN: /* length, signature (an input of verification) and the zeros behind */
        reveal(plaintext, 1);
        reveal(plaintext + 1 + TEXT_LEN, n - 1 - TEXT_LEN);
        return;
    default:
        /* SenderData says which ratchet is to be used: an index by its nature. Contents of
         * handshakes and GroupInfos hold public keys, hashes and ciphertexts: they are judged. */
        reveal(plaintext, n);
        return;
    }
}

static xmtp_status public_open(const uint8_t *key, const uint8_t *nonce, xmtp_bytes aad,
                               xmtp_bytes ciphertext, uint8_t *out)
{
    xmtp_status status = REAL.aead->open(key, nonce, aad, ciphertext, out);
    reveal(&status, sizeof status); /* whether a ciphertext opens */
    if (status == XMTP_OK) {
        reveal_framing(out, ciphertext.n - REAL.aead->tag_len);
    }
    return status;
}

/* Public keys of the tree, of key packages and for external commits. */
static xmtp_status public_derive(xmtp_bytes ikm, uint8_t *sk, uint8_t *pk)
{
    xmtp_status status = REAL.kem->derive_key_pair(ikm, sk, pk);
    reveal(pk, REAL.kem->pk_len);
    return status;
}

static xmtp_status public_kem_public(const uint8_t *sk, uint8_t *pk)
{
    xmtp_status status = REAL.kem->public_key(sk, pk);
    reveal(pk, REAL.kem->pk_len);
    return status;
}

static xmtp_status public_encap(const uint8_t *pk, const uint8_t *seed, uint8_t *enc, uint8_t *ss)
{
    xmtp_status status = REAL.kem->encap(pk, seed, enc, ss);
    reveal(&status, sizeof status); /* whether pk gives an all-zero product */
    reveal(enc, REAL.kem->enc_len); /* is sent */
    return status;
}

static xmtp_status public_decap(const uint8_t *sk, const uint8_t *pk, const uint8_t *enc,
                                uint8_t *ss)
{
    xmtp_status status = REAL.kem->decap(sk, pk, enc, ss);
    reveal(&status, sizeof status); /* whether enc gives an all-zero product */
    return status;
}

static xmtp_status public_encap_many(const xmtp_kem_encap *jobs, size_t count)
{
    xmtp_status status = xmtp_kem_encap_many(REAL.kem, jobs, count);
    reveal(&status, sizeof status); /* whether one pk gives an all-zero product */
    for (size_t i = 0; i < count; i++) {
        reveal(jobs[i].enc, REAL.kem->enc_len); /* is sent */
    }
    return status;
}

static xmtp_status public_derive_many(const xmtp_kem_derive *jobs, size_t count)
{
    xmtp_status status = xmtp_kem_derive_many(REAL.kem, jobs, count);
    for (size_t i = 0; i < count; i++) {
        reveal(jobs[i].pk, REAL.kem->pk_len); /* goes into the tree */
    }
    return status;
}

static xmtp_status public_sign(const uint8_t *sk, const uint8_t *pk, xmtp_bytes message,
                               uint8_t *signature, size_t *signature_len)
{
    xmtp_status status = REAL.signature->sign(sk, pk, message, signature, signature_len);
    reveal(signature, SIGNATURE_LEN); /* a signature is what everybody sees */
    return status;
}

/* Verification takes public inputs: what is signed may hold a plaintext here, so a defined copy is
 * verified. */
static xmtp_status public_verify(xmtp_bytes pk, xmtp_bytes message, xmtp_bytes signature)
{
    uint8_t *copy = malloc(message.n + 1);
    assert_non_null(copy);
    memcpy(copy, message.p, message.n);
    reveal(copy, message.n);
    xmtp_status status = REAL.signature->verify(pk, xmtp_bytes_of(copy, message.n), signature);
    free(copy);
    return status;
}

static const xmtp_suite *watched_suite(void)
{
    static xmtp_aead aead;
    static xmtp_kem kem;
    static xmtp_signature signature;
    static xmtp_suite suite;
    aead = *REAL.aead;
    aead.seal = public_seal;
    aead.open = public_open;
    kem = *REAL.kem;
    kem.derive_key_pair = public_derive;
    kem.public_key = public_kem_public;
    kem.encap = public_encap;
    kem.decap = public_decap;
    kem.encap_many = public_encap_many;
    kem.derive_many = public_derive_many;
    signature = *REAL.signature;
    signature.sign = public_sign;
    signature.verify = public_verify;
    suite = REAL;
    suite.aead = &aead;
    suite.kem = &kem;
    suite.signature = &signature;
    return &suite;
}

/* The linker puts these in the place of the library's (see CMakeLists.txt). */
const xmtp_suite *__wrap_xmtp_suite_by_id(uint16_t id);
xmtp_status __real_xmtp_interim_transcript_hash(const xmtp_suite *suite, xmtp_bytes confirmed,
                                                xmtp_bytes confirmation_tag, uint8_t *out);
xmtp_status __wrap_xmtp_interim_transcript_hash(const xmtp_suite *suite, xmtp_bytes confirmed,
                                                xmtp_bytes confirmation_tag, uint8_t *out);

const xmtp_suite *__wrap_xmtp_suite_by_id(uint16_t id)
{
    (void)id;
    return watched_suite();
}

/* A hash over what is sent: the commit and its confirmation tag. */
xmtp_status __wrap_xmtp_interim_transcript_hash(const xmtp_suite *suite, xmtp_bytes confirmed,
                                                xmtp_bytes confirmation_tag, uint8_t *out)
{
    xmtp_status status =
        __real_xmtp_interim_transcript_hash(suite, confirmed, confirmation_tag, out);
    reveal(out, suite->hash->len);
    return status;
}

/* ---- members whose secrets are undefined ---- */

static xmtp_status secret_random(void *context, uint8_t *out, size_t n)
{
    xmtp_status status = world_random(context, out, n);
    hide(out, n);
    return status;
}

typedef struct pair {
    world_env world;
    member alice, bob;
} pair;

static void secret_member(member *m, world_env *world, const char *name)
{
    member_init(m, world, name); /* its signature key pair is made of defined bytes */
    hide(m->sk, sizeof m->sk);
    m->config.padding = PADDING;
}

/* The members are not reloaded: a store is not the matter here. */
static void pair_init(pair *p)
{
    world_env_init(&p->world, 9);
    p->world.env.random = secret_random;
    secret_member(&p->alice, &p->world, "alice");
    secret_member(&p->bob, &p->world, "bob");
    p->alice.reloads = p->bob.reloads = false;
}

static void pair_open(pair *p)
{
    pair_init(p);
    member_create(&p->alice);
    free(member_invite(&p->alice, &p->bob).p);
}

static void pair_close(pair *p)
{
    member_free(&p->alice);
    member_free(&p->bob);
}

/* ---- tests ---- */

/* Stops at the first difference, as memcmp does. */
static bool leaky_equal(const uint8_t *a, const uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (a[i] != b[i]) {
            return false;
        }
    }
    return true;
}

static void a_leak_would_be_seen(void **state)
{
    (void)state;
    pair p;
    uint8_t secret[32];
    static const uint8_t guess[32] = {1};
    pair_open(&p);
    assert_int_equal(xmtp_mls_group_export(p.alice.group, "label", (xmtp_bytes){0}, secret, 32),
                     XMTP_OK);
    unsigned before = errors();
    volatile bool is_equal = leaky_equal(secret, guess, 32);
    (void)is_equal;
    assert_true(errors() > before);
    before = errors();
    static const uint8_t table[256] = {7};
    volatile uint8_t looked_up = table[secret[0]];
    (void)looked_up;
    assert_true(errors() > before);
    pair_close(&p);
}

/* Nothing of the above is defined by accident. */
static void what_is_secret_is_watched(void **state)
{
    (void)state;
    pair p;
    uint8_t secret[32];
    pair_open(&p);
    assert_int_equal(xmtp_mls_group_export(p.bob.group, "label", (xmtp_bytes){0}, secret, 32),
                     XMTP_OK);
    const xmtp_mls_group *group = p.bob.group;
    const xmtp_bytes authenticator = xmtp_mls_group_epoch_authenticator(group);
    for (size_t i = 0; i < 32; i++) {
        assert_true(VALGRIND_CHECK_MEM_IS_DEFINED(secret + i, 1) != 0);
        assert_true(VALGRIND_CHECK_MEM_IS_DEFINED(authenticator.p + i, 1) != 0);
    }
    pair_close(&p);
}

static void key_packages_are_made_in_constant_time(void **state)
{
    (void)state;
    pair p;
    xmtp_mls_key_package_private keys;
    pair_init(&p);
    unsigned before = errors();
    free(member_key_package(&p.alice, &keys).p);
    assert_int_equal(errors(), before);
    pair_close(&p);
}

static void groups_are_created_and_joined_in_constant_time(void **state)
{
    (void)state;
    pair p;
    unsigned before = errors();
    pair_open(&p);
    assert_int_equal(errors(), before);
    pair_close(&p);
}

static void messages_are_sealed_and_opened_in_constant_time(void **state)
{
    (void)state;
    pair p;
    char secret_text[TEXT_LEN + 1];
    xmtp_mls_staged *staged;
    pair_open(&p);
    memcpy(secret_text, text, sizeof secret_text);
    hide(secret_text, TEXT_LEN);
    unsigned before = errors();
    xmtp_bytes message;
    assert_ok(&p.alice, xmtp_mls_group_protect(p.alice.group, (xmtp_bytes){0},
                                               xmtp_bytes_of(secret_text, TEXT_LEN), &message,
                                               p.alice.writes, &p.alice.error));
    assert_ok(&p.bob, xmtp_mls_group_process(p.bob.group, message, &staged, &p.bob.error));
    const xmtp_bytes opened = xmtp_mls_staged_application_data(staged);
    assert_int_equal(errors(), before);
    assert_true(VALGRIND_CHECK_MEM_IS_DEFINED(opened.p, opened.n) != 0);
    before = errors();
    reveal(opened.p, opened.n); /* the test looks at it */
    assert_int_equal(opened.n, TEXT_LEN);
    assert_memory_equal(opened.p, text, TEXT_LEN);
    assert_ok(&p.bob, member_merge(&p.bob, staged));
    assert_int_equal(errors(), before);
    pair_close(&p);
}

static void forged_messages_are_refused_in_constant_time(void **state)
{
    (void)state;
    pair p;
    xmtp_mls_staged *staged;
    pair_open(&p);
    blob b = member_send(&p.alice, text);
    unsigned before = errors();
    b.p[b.n - 1] ^= 1; /* the tag of the content */
    assert_int_equal(xmtp_mls_group_process(p.bob.group, blob_bytes(b), &staged, &p.bob.error),
                     XMTP_E_AUTH);
    assert_int_equal(errors(), before);
    free(b.p);
    pair_close(&p);
}

static void commit_and_follow(bool is_public, bool is_forged)
{
    pair p;
    pair_open(&p);
    p.alice.config.public_handshakes = p.bob.config.public_handshakes = is_public;
    assert_ok(&p.alice, member_load(&p.alice));
    assert_ok(&p.bob, member_load(&p.bob));
    unsigned before = errors();
    xmtp_mls_pending *pending = member_commit(&p.alice, NULL);
    blob message = blob_copy(xmtp_mls_pending_message(pending));
    reveal(message.p, message.n); /* tags in the clear are sent */
    if (is_forged) {
        message.p[message.n - 1] ^= 1; /* the membership tag */
        assert_int_equal(member_take(&p.bob, blob_bytes(message)), XMTP_E_MEMBERSHIP_TAG);
        xmtp_mls_pending_free(pending);
    } else {
        assert_ok(&p.bob, member_take(&p.bob, blob_bytes(message)));
        member_confirm(&p.alice, pending);
    }
    assert_int_equal(errors(), before);
    free(message.p);
    pair_close(&p);
}

static void commits_are_made_and_followed_in_constant_time(void **state)
{
    (void)state;
    commit_and_follow(false, false);
}

static void public_commits_are_made_and_followed_in_constant_time(void **state)
{
    (void)state;
    commit_and_follow(true, false);
}

static void forged_membership_tags_are_refused_in_constant_time(void **state)
{
    (void)state;
    commit_and_follow(true, true);
}

static void a_group_is_stored_and_loaded_in_constant_time(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    blob b = member_send(&p.alice, text);
    assert_ok(&p.bob, member_take(&p.bob, blob_bytes(b)));
    unsigned before = errors();
    assert_ok(&p.bob, member_load(&p.bob));
    assert_int_equal(errors(), before);
    free(b.p);
    pair_close(&p);
}

static xmtp_status public_xwing_decap(const uint8_t *sk, const uint8_t *pk, const uint8_t *enc,
                                      uint8_t *ss)
{
    xmtp_status status = xmtp_kem_xwing_004d.decap(sk, pk, enc, ss);
    reveal(&status, sizeof status); /* whether enc gives an all-zero product */
    return status;
}

/* The HPKE of XMTP's welcomes. */
static void xwing_letters_are_opened_in_constant_time(void **state)
{
    (void)state;
    xmtp_kem kem = xmtp_kem_xwing_004d;
    xmtp_suite watched = xmtp_suite_xwing_chacha;
    const xmtp_suite *suite = &watched;
    kem.decap = public_xwing_decap;
    watched.kem = &kem;
    watched.aead = watched_suite()->aead;
    static uint8_t sk[32], pk[XMTP_KEM_PK_MAX], enc[XMTP_KEM_ENC_MAX], seed[64] = {2};
    uint8_t secret[32] = {5}, sealed[32 + 16], opened[32];
    const xmtp_bytes context = xmtp_bytes_of("context", 7);
    xmtp_writer scratch;
    xmtp_writer_init(&scratch, &xmtp_env_system()->alloc, 1000);
    sk[0] = 3;
    assert_int_equal(suite->kem->public_key(sk, pk), XMTP_OK);
    hide(sk, sizeof sk);
    hide(seed, sizeof seed);
    hide(secret, sizeof secret);
    unsigned before = errors();
    xmtp_status status = xmtp_encrypt_with_label(
        suite, pk, "label", context, xmtp_bytes_of(secret, 32), seed, &scratch, enc, sealed);
    reveal(&status, sizeof status); /* whether pk is a key */
    assert_int_equal(status, XMTP_OK);
    reveal(enc, suite->kem->enc_len); /* is sent */
    status = xmtp_decrypt_with_label(suite, sk, pk, "label", context,
                                     xmtp_bytes_of(enc, suite->kem->enc_len),
                                     xmtp_bytes_of(sealed, sizeof sealed), &scratch, opened);
    assert_int_equal(status, XMTP_OK);
    assert_int_equal(errors(), before);
    assert_true(VALGRIND_CHECK_MEM_IS_DEFINED(opened, 32) != 0);
    xmtp_writer_free(&scratch);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_leak_would_be_seen),
    cmocka_unit_test(what_is_secret_is_watched),
    cmocka_unit_test(key_packages_are_made_in_constant_time),
    cmocka_unit_test(groups_are_created_and_joined_in_constant_time),
    cmocka_unit_test(messages_are_sealed_and_opened_in_constant_time),
    cmocka_unit_test(forged_messages_are_refused_in_constant_time),
    cmocka_unit_test(commits_are_made_and_followed_in_constant_time),
    cmocka_unit_test(public_commits_are_made_and_followed_in_constant_time),
    cmocka_unit_test(forged_membership_tags_are_refused_in_constant_time),
    cmocka_unit_test(a_group_is_stored_and_loaded_in_constant_time),
    cmocka_unit_test(xwing_letters_are_opened_in_constant_time),
};

/* Verdicts that are public, each in the one function that branches on it. Comparing itself
 * (xmtp_ct_equal) is watched. */
#define VERDICT(function) "{\n " function "\n Memcheck:Cond\n fun:" function "\n}\n"

/* The same where a table is read at a place that is public. */
#define LOOK_UP(function) "{\n " function "\n Memcheck:Value8\n fun:" function "\n}\n"

static const char verdicts[] =
    /* the product is the neutral element, once in 2^252; first in libsodium */
    "{\n neutral\n Memcheck:Cond\n obj:*libsodium*\n fun:multiply_by_libsodium\n}\n" VERDICT(
        "xmtp_ed25519_sign")
    /* a foreign public key gives an all-zero product (RFC 9180 section 7.1.4) */
    VERDICT("xmtp_x25519_pairs") VERDICT("xmtp_x25519_pairs_one_by_one") VERDICT("x25519_decap")
        VERDICT("xmtp_x25519_points") VERDICT("judge")
    /* a ciphertext opens */
    VERDICT("crypto_aead_chacha20poly1305_ietf_decrypt_detached") VERDICT("chacha_open")
    /* a membership tag or confirmation tag is right */
    VERDICT("check_membership_tag") VERDICT("check_tag") VERDICT("take_secrets")
    /* our own stored keys are those of our own key package */
    VERDICT("has_check") VERDICT("check_private_keys") VERDICT("verify_check")
        VERDICT("take_private_keys")
    /* the matrix of ML-KEM: rho is the public half of what a seed expands to */
    VERDICT("sample_ntt_step") VERDICT("xmtp_poly_accept") LOOK_UP("xmtp_poly_accept")
        VERDICT("accept") LOOK_UP("accept");

static void secrets_decide_no_branch_and_no_address(void **state)
{
    (void)state;
    run_watched(verdicts);
}

int main(void)
{
    const struct CMUnitTest outer[] = {
        cmocka_unit_test(secrets_decide_no_branch_and_no_address),
    };
    return secrets_are_watched() ? cmocka_run_group_tests(tests, NULL, NULL)
                                 : cmocka_run_group_tests(outer, NULL, NULL);
}
