/* verified_key_package_test.c - a key package is verified once by who adds it: by
 * xmtp_mls_verified_key_package_new, and in a commit only when it comes as bytes.
 *
 * Verifications of signatures are counted: the linker gives the library our xmtp_suite_by_id (see
 * CMakeLists.txt).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/group_world.h"
#include "mls/key_package.h"

/* ---- counting */

static size_t verify_count;

static xmtp_status counting_verify(xmtp_bytes pk, xmtp_bytes message, xmtp_bytes signature)
{
    verify_count++;
    return xmtp_signature_ed25519.verify(pk, message, signature);
}

static void counting_verify_many(xmtp_signature_check *checks, size_t count)
{
    verify_count += count;
    xmtp_signature_verify_many(&xmtp_signature_ed25519, checks, count);
}

const xmtp_suite *__real_xmtp_suite_by_id(uint16_t id);
const xmtp_suite *__wrap_xmtp_suite_by_id(uint16_t id);

const xmtp_suite *__wrap_xmtp_suite_by_id(uint16_t id)
{
    static xmtp_suite suite;
    static xmtp_signature signature;
    const xmtp_suite *real = __real_xmtp_suite_by_id(id);
    if (id != 3) {
        return real;
    }
    suite = *real;
    signature = xmtp_signature_ed25519;
    signature.verify = counting_verify;
    signature.verify_many = counting_verify_many;
    suite.signature = &signature;
    return &suite;
}

static size_t verified_since_last(void)
{
    size_t n = verify_count;
    verify_count = 0;
    return n;
}

/* ---- alice and bob in a group, carol to be added */

typedef struct scene {
    world_env world;
    member alice;
    member bob;
    member carol;
    blob package; /* carol's */
    xmtp_mls_key_package_private keys;
} scene;

static void scene_open(scene *s)
{
    world_env_init(&s->world, 11);
    member_init(&s->alice, &s->world, "alice");
    member_init(&s->bob, &s->world, "bob");
    member_init(&s->carol, &s->world, "carol");
    member_create(&s->alice);
    free(member_invite(&s->alice, &s->bob).p);
    s->package = member_key_package(&s->carol, &s->keys);
    (void)verified_since_last();
}

static void scene_close(scene *s)
{
    free(s->package.p);
    member_free(&s->alice);
    member_free(&s->bob);
    member_free(&s->carol);
}

static xmtp_status verify_package(scene *s, xmtp_mls_verified_key_package **out)
{
    xmtp_mls_key_package_info info;
    return xmtp_mls_verified_key_package_new(out, &s->world.env, blob_bytes(s->package), 0, &info,
                                             &s->alice.error);
}

static xmtp_mls_verified_key_package *verified_package(scene *s)
{
    xmtp_mls_verified_key_package *verified;
    assert_ok(&s->alice, verify_package(s, &verified));
    return verified;
}

static xmtp_mls_pending *commit_verified(scene *s, const xmtp_mls_verified_key_package *verified)
{
    return member_commit(
        &s->alice, &(xmtp_mls_commit_options){.add_verified = &verified, .add_verified_count = 1});
}

static xmtp_status try_commit(scene *s, const xmtp_mls_commit_options *options)
{
    xmtp_mls_pending *pending;
    xmtp_status status = xmtp_mls_group_commit(s->alice.group, options, &pending, &s->alice.error);
    assert_int_equal(pending == NULL, status != XMTP_OK);
    xmtp_mls_pending_free(pending);
    return status;
}

static void what_is_verified_is_not_verified_again_by_who_adds_it(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    xmtp_mls_verified_key_package *verified = verified_package(&s);
    assert_int_equal(verified_since_last(), 2);
    s.alice.reloads = false; /* the group that made the commit */
    xmtp_mls_pending *pending = commit_verified(&s, verified);
    xmtp_mls_verified_key_package_free(verified); /* the commit needs it no longer */
    blob message = blob_copy(xmtp_mls_pending_message(pending));
    blob welcome = blob_copy(xmtp_mls_pending_welcome(pending));
    member_confirm(&s.alice, pending);
    assert_int_equal(verified_since_last(), 0);
    assert_ok(&s.bob, member_take(&s.bob, blob_bytes(message)));
    assert_ok(&s.carol, member_join(&s.carol, blob_bytes(welcome), s.package, &s.keys));
    members_agree(&s.alice, &s.bob);
    members_agree(&s.alice, &s.carol);
    free(message.p);
    free(welcome.p);
    scene_close(&s);
}

static void receivers_verify_it_whoever_added_it(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    xmtp_mls_verified_key_package *verified = verified_package(&s);
    xmtp_mls_pending *pending = commit_verified(&s, verified);
    xmtp_mls_verified_key_package_free(verified);
    (void)verified_since_last();
    assert_ok(&s.bob, member_take(&s.bob, xmtp_mls_pending_message(pending)));
    assert_int_equal(verified_since_last(), 4); /* commit, path leaf; added leaf, key package */
    xmtp_mls_pending_free(pending);
    scene_close(&s);
}

static void it_is_verified_again_when_the_commit_comes_from_a_store(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    uint8_t *encoded;
    size_t n;
    xmtp_mls_verified_key_package *verified = verified_package(&s);
    xmtp_mls_pending *pending = commit_verified(&s, verified);
    xmtp_mls_verified_key_package_free(verified);
    assert_int_equal(xmtp_mls_pending_encode(pending, &encoded, &n), XMTP_OK);
    xmtp_mls_pending_free(pending);
    assert_ok(&s.alice, xmtp_mls_pending_decode(&pending, s.alice.group, xmtp_bytes_of(encoded, n),
                                                &s.alice.error));
    (void)verified_since_last();
    member_confirm(&s.alice, pending);
    assert_int_equal(verified_since_last(), 4);
    free(encoded);
    scene_close(&s);
}

static void one_altered_byte_is_refused_in_either_way(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    for (size_t i = 0; i < s.package.n; i++) {
        xmtp_mls_verified_key_package *verified;
        s.package.p[i] ^= 1;
        const xmtp_bytes add = blob_bytes(s.package);
        assert_int_not_equal(verify_package(&s, &verified), XMTP_OK);
        assert_null(verified);
        assert_int_not_equal(
            try_commit(&s, &(xmtp_mls_commit_options){.add = &add, .add_count = 1}), XMTP_OK);
        s.package.p[i] ^= 1;
    }
    scene_close(&s);
}

static void bytes_beside_a_verified_one_are_verified(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    member dave;
    xmtp_mls_key_package_private keys;
    member_init(&dave, &s.world, "dave");
    blob other = member_key_package(&dave, &keys);
    other.p[other.n - 1] ^= 1;
    const xmtp_bytes add = blob_bytes(other);
    xmtp_mls_verified_key_package *verified = verified_package(&s);
    const xmtp_mls_verified_key_package *const list[] = {verified};
    const xmtp_mls_commit_options both = {
        .add = &add, .add_count = 1, .add_verified = list, .add_verified_count = 1};
    assert_int_equal(try_commit(&s, &both), XMTP_E_KEY_PACKAGE_SIGNATURE);
    other.p[other.n - 1] ^= 1;
    (void)verified_since_last();
    assert_int_equal(try_commit(&s, &both), XMTP_OK);
    assert_int_equal(verified_since_last(), 2); /* dave's */
    xmtp_mls_verified_key_package_free(verified);
    free(other.p);
    member_free(&dave);
    scene_close(&s);
}

static void what_becomes_of_the_bytes_afterwards_does_not_matter(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    xmtp_mls_key_package_info info;
    blob lent = blob_copy(blob_bytes(s.package));
    xmtp_mls_verified_key_package *verified;
    assert_ok(&s.alice, xmtp_mls_verified_key_package_new(&verified, &s.world.env, blob_bytes(lent),
                                                          0, &info, &s.alice.error));
    memset(lent.p, 0xff, lent.n);
    free(lent.p);
    assert_memory_equal(info.member.signature_key.p, s.carol.pk, 32);
    xmtp_mls_pending *pending = commit_verified(&s, verified);
    xmtp_mls_verified_key_package_free(verified);
    assert_ok(&s.carol,
              member_join(&s.carol, xmtp_mls_pending_welcome(pending), s.package, &s.keys));
    xmtp_mls_pending_free(pending);
    scene_close(&s);
}

/* Lifetimes depend on the moment, the rest on the group: judged in the commit as for bytes. */
static void all_other_rules_are_judged_in_the_commit(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    const uint64_t now = s.world.now_ns / 1000000000u;
    const xmtp_mls_key_package_options expired = {.suite = 3,
                                                  .signer = member_signer(&s.carol),
                                                  .capabilities = world_capabilities(),
                                                  .not_before = now - 10,
                                                  .not_after = now - 1};
    free(s.package.p);
    assert_ok(&s.carol, xmtp_mls_key_package_create(&s.world.env, &expired, &s.package.p,
                                                    &s.package.n, &s.keys, &s.carol.error));
    xmtp_mls_verified_key_package *verified = verified_package(&s);
    const xmtp_mls_verified_key_package *const twice[] = {verified, verified};
    xmtp_mls_commit_options options = {.add_verified = twice, .add_verified_count = 2};
    assert_int_equal(try_commit(&s, &options), XMTP_E_DUPLICATE_KEY);
    options.add_verified_count = 1;
    assert_int_equal(try_commit(&s, &options), XMTP_OK);
    s.alice.config.check_lifetimes = true;
    assert_ok(&s.alice, member_load(&s.alice));
    assert_int_equal(try_commit(&s, &options), XMTP_E_LIFETIME);
    options.add_verified_count = SIZE_MAX;
    options.add_count = 1;
    assert_int_equal(try_commit(&s, &options), XMTP_E_LIMIT);
    xmtp_mls_verified_key_package_free(verified);
    xmtp_mls_verified_key_package_free(NULL);
    scene_close(&s);
}

static void what_is_decoded_is_not_verified(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    xmtp_key_package decoded = {.is_verified = true};
    assert_int_equal(xmtp_key_package_of(blob_bytes(s.package), &decoded), XMTP_OK);
    assert_false(decoded.is_verified);
    scene_close(&s);
}

/* ---- several at once */

enum { SEVERAL = 40 }; /* more than are verified at a time */

static void assert_as_alone(scene *s, const xmtp_mls_key_package_candidate *c)
{
    xmtp_mls_verified_key_package *verified;
    xmtp_mls_key_package_info info;
    xmtp_status status = xmtp_mls_verified_key_package_new(&verified, &s->world.env, c->key_package,
                                                           0, &info, &s->alice.error);
    assert_int_equal(c->status, status);
    assert_int_equal(c->verified == NULL, status != XMTP_OK);
    assert_int_equal(c->info.suite, info.suite);
    assert_memory_equal(c->info.ref, info.ref, sizeof info.ref);
    assert_true(xmtp_bytes_equal(c->info.init_key, info.init_key));
    xmtp_mls_verified_key_package_free(verified);
}

/* Every third has a wrong signature of its own, others are cut short, empty or of another suite; the
 * leaf's signature of one is wrong, and one stands there twice. */
static blob candidate_of(scene *s, size_t i, const blob *before)
{
    const uint16_t suite = i % 8 == 5 ? 1 : 3; /* counted is 3 alone */
    const xmtp_mls_key_package_options options = {.suite = suite,
                                                  .signer = member_signer(&s->carol),
                                                  .capabilities = world_capabilities(),
                                                  .not_before = 1,
                                                  .not_after = UINT64_MAX / 2};
    xmtp_mls_key_package_private keys;
    blob b;
    if (i == 9) {
        return blob_copy(blob_bytes(*before));
    }
    assert_ok(&s->carol, xmtp_mls_key_package_create(&s->world.env, &options, &b.p, &b.n, &keys,
                                                     &s->carol.error));
    if (i % 3 == 1) {
        b.p[b.n - 5] ^= 1;
    } else if (i == 12) {
        xmtp_key_package decoded;
        assert_int_equal(xmtp_key_package_of(blob_bytes(b), &decoded), XMTP_OK);
        b.p[decoded.leaf_node.signature.p - b.p] ^= 1;
    }
    b.n -= i == 14 ? 1 : i == 17 ? b.n : 0;
    return b;
}

static void of_several_each_gets_the_verdict_that_it_gets_alone(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    blob packages[SEVERAL];
    xmtp_mls_key_package_candidate candidates[SEVERAL];
    size_t good = 0;
    size_t whole = 0;
    for (size_t i = 0; i < SEVERAL; i++) {
        packages[i] = candidate_of(&s, i, &packages[i == 0 ? 0 : i - 1]);
        candidates[i] = (xmtp_mls_key_package_candidate){.key_package = blob_bytes(packages[i])};
        whole += i % 8 != 5 && i != 14 && i != 17;
    }
    (void)verified_since_last();
    xmtp_mls_key_packages_admit(&s.world.env, candidates, SEVERAL, 0);
    assert_int_equal(verified_since_last(), 2 * whole);
    for (size_t i = 0; i < SEVERAL; i++) {
        assert_as_alone(&s, &candidates[i]);
        good += candidates[i].status == XMTP_OK;
        xmtp_mls_verified_key_package_free(candidates[i].verified);
        free(packages[i].p);
    }
    assert_true(good > 20 && good < whole + SEVERAL / 8);
    xmtp_mls_key_packages_admit(&s.world.env, NULL, 0, 0);
    scene_close(&s);
}

static void several_that_were_admitted_are_added_without_verifying(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    xmtp_mls_key_package_candidate carol = {.key_package = blob_bytes(s.package)};
    xmtp_mls_key_packages_admit(&s.world.env, &carol, 1, 0);
    assert_int_equal(carol.status, XMTP_OK);
    (void)verified_since_last();
    xmtp_mls_pending *pending = commit_verified(&s, carol.verified);
    assert_int_equal(verified_since_last(), 0);
    xmtp_mls_verified_key_package_free(carol.verified);
    assert_ok(&s.carol,
              member_join(&s.carol, xmtp_mls_pending_welcome(pending), s.package, &s.keys));
    xmtp_mls_pending_free(pending);
    scene_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_verified_is_not_verified_again_by_who_adds_it),
        cmocka_unit_test(receivers_verify_it_whoever_added_it),
        cmocka_unit_test(it_is_verified_again_when_the_commit_comes_from_a_store),
        cmocka_unit_test(one_altered_byte_is_refused_in_either_way),
        cmocka_unit_test(bytes_beside_a_verified_one_are_verified),
        cmocka_unit_test(what_becomes_of_the_bytes_afterwards_does_not_matter),
        cmocka_unit_test(all_other_rules_are_judged_in_the_commit),
        cmocka_unit_test(what_is_decoded_is_not_verified),
        cmocka_unit_test(of_several_each_gets_the_verdict_that_it_gets_alone),
        cmocka_unit_test(several_that_were_admitted_are_added_without_verifying),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
