/* mls_records_test.c - groups that an earlier version stored are loaded and go on.
 *
 * data/mls/<suite>.bin holds what a client had on its disk: the records of groups in several states,
 * a pending and a staged commit, a key package with its private keys, and messages that are still to
 * come. The files were written once and stay; a new format gets new files beside them.
 *
 *     file = (holder<V>, key<V>, value<V>)*     holder: whose records; "files" for all else
 *
 * Written by: test_tests_mls_records --write */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/reader.h"
#include "mls/group_world.h"

enum { FILE_LEN_MAX = 1 << 20, COMPONENT = 0x8001 };

static const uint16_t file_suites[] = {0x0001, 0x0003, 0xf004};

static void file_name(uint16_t suite, char out[256])
{
    snprintf(out, 256, "%s/mls/suite_%04x.bin", XMTP_TEST_DATA, suite);
}

/* ---- members of any suite with Ed25519 ---- */

static void configure(member *m)
{
    m->config.past_epochs_max = 2;
    m->config.resumption_psks_max = 2;
    m->config.keep_proposals = true;
}

static void member_new(member *m, world_env *world, const char *name)
{
    member_init(m, world, name);
    configure(m);
}

static xmtp_mls_capabilities capabilities(const uint16_t *suite)
{
    xmtp_mls_capabilities c = world_capabilities();
    c.suites = (xmtp_mls_u16_list){suite, 1};
    return c;
}

static void create(member *m, const uint16_t *suite, const char *id)
{
    const xmtp_mls_create_options options = {.suite = *suite,
                                             .group_id = xmtp_bytes_of_string(id),
                                             .signer = member_signer(m),
                                             .capabilities = capabilities(suite)};
    xmtp_mls_writes_clear(m->writes);
    assert_ok(m, xmtp_mls_group_create(&m->group, &m->config, &options, m->writes, &m->error));
    member_store(m);
}

static blob package_of(member *m, const uint16_t *suite, xmtp_mls_key_package_private *keys)
{
    blob b;
    const xmtp_mls_key_package_options options = {.suite = *suite,
                                                  .signer = member_signer(m),
                                                  .capabilities = capabilities(suite),
                                                  .not_before = 1,
                                                  .not_after = UINT64_MAX / 2};
    assert_ok(m,
              xmtp_mls_key_package_create(&m->world->env, &options, &b.p, &b.n, keys, &m->error));
    return b;
}

static xmtp_bytes authenticator(const member *m)
{
    return xmtp_mls_group_epoch_authenticator(m->group);
}

/* ---- writing ---- */

static void put(xmtp_writer *w, const char *holder, xmtp_bytes key, xmtp_bytes value)
{
    xmtp_writer_vec(w, xmtp_bytes_of_string(holder));
    xmtp_writer_vec(w, key);
    xmtp_writer_vec(w, value);
}

static void put_file(xmtp_writer *w, const char *name, xmtp_bytes value)
{
    put(w, "files", xmtp_bytes_of_string(name), value);
}

static void put_blob(xmtp_writer *w, const char *name, blob b)
{
    put_file(w, name, blob_bytes(b));
    free(b.p);
}

static void put_store(xmtp_writer *w, const char *holder, const world_store *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const world_record *r = &s->records[i];
        put(w, holder, xmtp_bytes_of(r->key, r->key_len), xmtp_bytes_of(r->value, r->value_len));
    }
}

static void put_private_keys(xmtp_writer *w, const xmtp_mls_key_package_private *keys)
{
    put_file(w, "private ref", xmtp_bytes_of(keys->ref, keys->ref_len));
    put_file(w, "private init", xmtp_bytes_of(keys->init_sk, keys->init_sk_len));
    put_file(w, "private leaf", xmtp_bytes_of(keys->leaf_sk, keys->leaf_sk_len));
    put_file(w, "private check", xmtp_bytes_of(keys->check, sizeof keys->check));
}

typedef struct party {
    world_env world;
    member alice, bob, carol, eve, dave, rena;
} party;

/* alice with bob, carol and eve, all added at once */
static void meet(party *p, const uint16_t *suite)
{
    member *others[] = {&p->bob, &p->carol, &p->eve};
    blob packages[3];
    xmtp_bytes add[3];
    xmtp_mls_key_package_private keys[3];
    create(&p->alice, suite, "stored group");
    for (size_t i = 0; i < 3; i++) {
        packages[i] = package_of(others[i], suite, &keys[i]);
        add[i] = blob_bytes(packages[i]);
    }
    xmtp_mls_pending *pending =
        member_commit(&p->alice, &(xmtp_mls_commit_options){.add = add, .add_count = 3});
    for (size_t i = 0; i < 3; i++) {
        assert_ok(others[i],
                  member_join(others[i], xmtp_mls_pending_welcome(pending), packages[i], &keys[i]));
        free(packages[i].p);
    }
    member_confirm(&p->alice, pending);
}

static void commit_to(member *m, const xmtp_mls_commit_options *options, member *const *others,
                      size_t count)
{
    xmtp_mls_pending *pending = member_commit(m, options);
    for (size_t i = 0; i < count; i++) {
        assert_ok(others[i], member_take(others[i], xmtp_mls_pending_message(pending)));
    }
    member_confirm(m, pending);
}

/* bob: two past epochs, skipped keys, a kept proposal, an exporter tree */
static void live(party *p, xmtp_writer *w, xmtp_mls_ref *ref)
{
    const uint32_t eve = 3;
    blob b;
    put_blob(w, "late", member_send(&p->alice, "late"));
    commit_to(&p->bob, NULL, (member *const[]){&p->alice, &p->carol, &p->eve}, 3);
    commit_to(&p->alice, &(xmtp_mls_commit_options){.remove = &eve, .remove_count = 1},
              (member *const[]){&p->bob, &p->carol, &p->eve}, 3);
    put_blob(w, "skipped", member_send(&p->alice, "skipped"));
    free(member_send(&p->alice, "lost").p);
    b = member_send(&p->alice, "third");
    member_expect(&p->bob, b, "third");
    free(b.p);
    const xmtp_mls_proposal update = {.type = XMTP_MLS_PROPOSAL_UPDATE};
    xmtp_mls_writes_clear(p->carol.writes);
    assert_ok(&p->carol, xmtp_mls_group_propose(p->carol.group, &update, (xmtp_bytes){0}, &b.p,
                                                &b.n, ref, p->carol.writes, &p->carol.error));
    member_store(&p->carol);
    assert_ok(&p->alice, member_take(&p->alice, blob_bytes(b)));
    assert_ok(&p->bob, member_take(&p->bob, blob_bytes(b)));
    free(b.p);
    uint8_t secret[XMTP_HASH_MAX];
    xmtp_mls_writes_clear(p->bob.writes);
    assert_ok(&p->bob, xmtp_mls_group_export_once(p->bob.group, COMPONENT, secret, 32,
                                                  p->bob.writes, &p->bob.error));
    member_store(&p->bob);
    put_store(w, "bob", &p->bob.store);
    put_store(w, "eve", &p->eve.store);
    put_file(w, "authenticator", authenticator(&p->bob));
    put_blob(w, "next", member_send(&p->alice, "next"));
}

/* A commit of bob's that is on its way. */
static void write_pending(party *p, xmtp_writer *w)
{
    blob b;
    xmtp_mls_staged *staged;
    xmtp_mls_pending *pending = member_commit(&p->bob, NULL);
    assert_int_equal(xmtp_mls_pending_encode(pending, &b.p, &b.n), XMTP_OK);
    put_blob(w, "pending", b);
    assert_ok(&p->bob, xmtp_mls_group_stage_pending(p->bob.group, pending, &staged, &p->bob.error));
    put_file(w, "after pending", xmtp_mls_staged_epoch_authenticator(staged));
    xmtp_mls_staged_free(staged);
    xmtp_mls_pending_free(pending);
}

/* A commit of alice's, which adds dave and refers to carol's update; staged by bob. */
static void write_commit(party *p, const uint16_t *suite, const xmtp_mls_ref *ref, xmtp_writer *w)
{
    blob staged_bytes;
    xmtp_mls_staged *staged;
    xmtp_mls_key_package_private keys;
    blob package = package_of(&p->dave, suite, &keys);
    const xmtp_bytes add = blob_bytes(package);
    xmtp_mls_pending *pending = member_commit(
        &p->alice, &(xmtp_mls_commit_options){
                       .add = &add, .add_count = 1, .references = ref, .reference_count = 1});
    const xmtp_bytes message = xmtp_mls_pending_message(pending);
    assert_ok(&p->bob, xmtp_mls_group_process(p->bob.group, message, &staged, &p->bob.error));
    assert_int_equal(xmtp_mls_staged_encode(staged, message, &staged_bytes.p, &staged_bytes.n),
                     XMTP_OK);
    put_blob(w, "staged", staged_bytes);
    put_file(w, "after commit", xmtp_mls_staged_epoch_authenticator(staged));
    xmtp_mls_staged_free(staged);
    put_file(w, "commit", message);
    put_file(w, "welcome", xmtp_mls_pending_welcome(pending));
    put_blob(w, "package", package);
    put_private_keys(w, &keys);
    put_file(w, "dave sk", xmtp_bytes_of(p->dave.sk, 32));
    put_file(w, "dave pk", xmtp_bytes_of(p->dave.pk, 32));
    member_confirm(&p->alice, pending);
    put_blob(w, "hello", member_send(&p->alice, "hello"));
}

static void write_reinitialised(party *p, const uint16_t *suite, xmtp_writer *w)
{
    const xmtp_mls_proposal reinit = {.type = XMTP_MLS_PROPOSAL_REINIT,
                                      .group_id = xmtp_bytes_of_string("next group"),
                                      .suite = *suite};
    create(&p->rena, suite, "ended group");
    member_confirm(&p->rena,
                   member_commit(&p->rena, &(xmtp_mls_commit_options){.proposals = &reinit,
                                                                      .proposal_count = 1}));
    put_store(w, "rena", &p->rena.store);
}

static void write_suite(const uint16_t *suite)
{
    char name[256];
    xmtp_writer w;
    xmtp_mls_ref ref;
    party p;
    world_env_init(&p.world, *suite);
    member_new(&p.alice, &p.world, "alice");
    member_new(&p.bob, &p.world, "bob");
    member_new(&p.carol, &p.world, "carol");
    member_new(&p.eve, &p.world, "eve");
    member_new(&p.dave, &p.world, "dave");
    member_new(&p.rena, &p.world, "rena");
    xmtp_writer_init(&w, &p.world.env.alloc, FILE_LEN_MAX);
    meet(&p, suite);
    live(&p, &w, &ref);
    write_pending(&p, &w);
    write_commit(&p, suite, &ref, &w);
    write_reinitialised(&p, suite, &w);
    assert_int_equal(xmtp_writer_status(&w), XMTP_OK);
    file_name(*suite, name);
    FILE *f = fopen(name, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(w.p, 1, w.n, f), w.n);
    assert_int_equal(fclose(f), 0);
    printf("%s: %zu bytes\n", name, w.n);
    xmtp_writer_free(&w);
    member *all[] = {&p.alice, &p.bob, &p.carol, &p.eve, &p.dave, &p.rena};
    for (size_t i = 0; i < 6; i++) {
        member_free(all[i]);
    }
}

/* ---- reading ---- */

typedef struct stored {
    uint16_t suite;
    uint8_t *p;
    size_t n;
    world_env world;
} stored;

static void stored_open(stored *s, uint16_t suite)
{
    char name[256];
    *s = (stored){.suite = suite, .p = malloc(FILE_LEN_MAX)};
    assert_non_null(s->p);
    file_name(suite, name);
    FILE *f = fopen(name, "rb");
    assert_non_null(f);
    s->n = fread(s->p, 1, FILE_LEN_MAX, f);
    fclose(f);
    assert_true(s->n > 0 && s->n < FILE_LEN_MAX);
    world_env_init(&s->world, 71);
}

/* The next entry of a holder. */
static bool next_entry(xmtp_reader *r, const char *holder, xmtp_bytes *key, xmtp_bytes *value)
{
    while (r->n > 0) {
        xmtp_bytes who;
        assert_int_equal(xmtp_reader_vec(r, &who), XMTP_OK);
        assert_int_equal(xmtp_reader_vec(r, key), XMTP_OK);
        assert_int_equal(xmtp_reader_vec(r, value), XMTP_OK);
        if (xmtp_bytes_equal(who, xmtp_bytes_of_string(holder))) {
            return true;
        }
    }
    return false;
}

static xmtp_bytes file_of(const stored *s, const char *name)
{
    xmtp_reader r = xmtp_reader_of(xmtp_bytes_of(s->p, s->n));
    xmtp_bytes key, value;
    while (next_entry(&r, "files", &key, &value)) {
        if (xmtp_bytes_equal(key, xmtp_bytes_of_string(name))) {
            return value;
        }
    }
    fail_msg("no file %s", name);
    return (xmtp_bytes){0};
}

static void load_member(stored *s, member *m, const char *holder)
{
    xmtp_reader r = xmtp_reader_of(xmtp_bytes_of(s->p, s->n));
    xmtp_bytes key, value;
    member_new(m, &s->world, holder);
    while (next_entry(&r, holder, &key, &value)) {
        world_store_put(&m->store, key, value);
    }
    assert_ok(m, member_load(m));
}

static void is_at(const stored *s, xmtp_bytes got, const char *name)
{
    assert_true(got.n > 0 && xmtp_bytes_equal(got, file_of(s, name)));
}

static void expect_text(member *m, xmtp_bytes message, const char *text)
{
    const blob b = {.p = (uint8_t *)(uintptr_t)message.p, .n = message.n};
    member_expect(m, b, text);
}

static void merge_to(stored *s, member *m, xmtp_mls_staged *staged, const char *after)
{
    is_at(s, xmtp_mls_staged_epoch_authenticator(staged), after);
    assert_ok(m, member_merge(m, staged));
    is_at(s, authenticator(m), after);
    free(member_send(m, "on").p);
}

static void every_kind_of_record_is_there(stored *s)
{
    char kinds[32] = "";
    member bob, rena;
    load_member(s, &bob, "bob");
    load_member(s, &rena, "rena");
    const member *both[] = {&bob, &rena};
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < both[k]->store.count; i++) {
            const char kind = (char)both[k]->store.records[i].key[0];
            if (strchr(kinds, kind) == NULL) {
                kinds[strlen(kinds)] = kind;
            }
        }
    }
    assert_int_equal(strlen(kinds), 10);
    assert_int_equal(strspn(kinds, "hnetrdpsix"), 10);
    member_free(&bob);
    member_free(&rena);
}

static void messages_go_on(stored *s)
{
    member bob;
    load_member(s, &bob, "bob");
    is_at(s, authenticator(&bob), "authenticator");
    expect_text(&bob, file_of(s, "late"), "late");
    expect_text(&bob, file_of(s, "skipped"), "skipped");
    expect_text(&bob, file_of(s, "next"), "next");
    uint8_t secret[32];
    assert_int_equal(
        xmtp_mls_group_export_once(bob.group, COMPONENT, secret, 32, bob.writes, &bob.error),
        XMTP_E_KEY_CONSUMED);
    assert_int_equal(xmtp_mls_group_kept_count(bob.group), 1);
    member_free(&bob);
}

static void the_pending_commit_goes_on(stored *s)
{
    member bob;
    xmtp_mls_pending *pending;
    xmtp_mls_staged *staged;
    load_member(s, &bob, "bob");
    assert_ok(&bob,
              xmtp_mls_pending_decode(&pending, bob.group, file_of(s, "pending"), &bob.error));
    assert_ok(&bob, xmtp_mls_group_stage_pending(bob.group, pending, &staged, &bob.error));
    merge_to(s, &bob, staged, "after pending");
    xmtp_mls_pending_free(pending);
    member_free(&bob);
}

static void the_staged_commit_goes_on(stored *s)
{
    member bob;
    xmtp_mls_staged *staged;
    load_member(s, &bob, "bob");
    assert_ok(&bob, xmtp_mls_staged_decode(&staged, bob.group, file_of(s, "staged"), &bob.error));
    merge_to(s, &bob, staged, "after commit");
    expect_text(&bob, file_of(s, "hello"), "hello");
    member_free(&bob);
}

static void the_commit_that_comes_next_goes_on(stored *s)
{
    member bob;
    xmtp_mls_staged *staged;
    load_member(s, &bob, "bob");
    assert_ok(&bob, xmtp_mls_group_process(bob.group, file_of(s, "commit"), &staged, &bob.error));
    merge_to(s, &bob, staged, "after commit");
    expect_text(&bob, file_of(s, "hello"), "hello");
    member_free(&bob);
}

static size_t take_key(const stored *s, const char *name, uint8_t *out)
{
    const xmtp_bytes b = file_of(s, name);
    memcpy(out, b.p, b.n);
    return b.n;
}

static void the_stored_key_package_joins(stored *s)
{
    member dave;
    xmtp_mls_key_package_private keys = {0};
    member_new(&dave, &s->world, "dave");
    take_key(s, "dave sk", dave.sk);
    take_key(s, "dave pk", dave.pk);
    keys.ref_len = take_key(s, "private ref", keys.ref);
    keys.init_sk_len = take_key(s, "private init", keys.init_sk);
    keys.leaf_sk_len = take_key(s, "private leaf", keys.leaf_sk);
    take_key(s, "private check", keys.check);
    const xmtp_bytes package = file_of(s, "package");
    const blob b = {.p = (uint8_t *)(uintptr_t)package.p, .n = package.n};
    assert_ok(&dave, member_join(&dave, file_of(s, "welcome"), b, &keys));
    is_at(s, authenticator(&dave), "after commit");
    expect_text(&dave, file_of(s, "hello"), "hello");
    member_free(&dave);
}

static void ended_groups_are_still_ended(stored *s)
{
    member eve, rena;
    load_member(s, &eve, "eve");
    load_member(s, &rena, "rena");
    assert_false(xmtp_mls_group_is_active(eve.group));
    assert_true(xmtp_mls_group_is_reinitialised(rena.group));
    member_free(&eve);
    member_free(&rena);
}

static void each_file(void (*fact)(stored *s))
{
    for (size_t i = 0; i < sizeof file_suites / sizeof file_suites[0]; i++) {
        stored s;
        stored_open(&s, file_suites[i]);
        fact(&s);
        free(s.p);
    }
}

#define OF_EACH_FILE(fact)                                                                         \
    static void test_##fact(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        each_file(fact);                                                                           \
    }
OF_EACH_FILE(every_kind_of_record_is_there)
OF_EACH_FILE(messages_go_on)
OF_EACH_FILE(the_pending_commit_goes_on)
OF_EACH_FILE(the_staged_commit_goes_on)
OF_EACH_FILE(the_commit_that_comes_next_goes_on)
OF_EACH_FILE(the_stored_key_package_joins)
OF_EACH_FILE(ended_groups_are_still_ended)

static void write_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof file_suites / sizeof file_suites[0]; i++) {
        write_suite(&file_suites[i]);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest writing[] = {cmocka_unit_test(write_all)};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_of_record_is_there),
        cmocka_unit_test(test_messages_go_on),
        cmocka_unit_test(test_the_pending_commit_goes_on),
        cmocka_unit_test(test_the_staged_commit_goes_on),
        cmocka_unit_test(test_the_commit_that_comes_next_goes_on),
        cmocka_unit_test(test_the_stored_key_package_joins),
        cmocka_unit_test(test_ended_groups_are_still_ended),
    };
    bool writes = argc == 2 && strcmp(argv[1], "--write") == 0;
    return writes ? cmocka_run_group_tests(writing, NULL, NULL)
                  : cmocka_run_group_tests(tests, NULL, NULL);
}
