/* damage_test.c - stored bytes that are not what was stored: every record and every pending commit
 * cut short, made longer, changed byte by byte, under a changed key, missing. Loading refuses or
 * gives a group; it never reads beyond.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/group_dump.h"

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

typedef struct pair {
    world_env world;
    member alice, bob;
    size_t refused, loaded;
} pair;

static xmtp_status find_psk(void *context, const xmtp_mls_psk *psk, uint8_t *out, size_t *out_len)
{
    (void)context;
    (void)psk;
    memset(out, 1, 32);
    *out_len = 32;
    return XMTP_OK;
}

static void propose(member *m, member *other, const xmtp_mls_proposal *proposal)
{
    blob b;
    xmtp_mls_ref ref;
    xmtp_mls_writes_clear(m->writes);
    assert_ok(m, xmtp_mls_group_propose(m->group, proposal, (xmtp_bytes){0}, &b.p, &b.n, &ref,
                                        m->writes, &m->error));
    member_store(m);
    assert_ok(other, member_take(other, blob_bytes(b)));
    free(b.p);
}

static void next_epoch(pair *p)
{
    xmtp_mls_pending *pending = member_commit(&p->alice, NULL);
    assert_ok(&p->bob, member_take(&p->bob, xmtp_mls_pending_message(pending)));
    member_confirm(&p->alice, pending);
}

/* Bob's store has one of every record: past epochs with ratchets and skipped keys, kept proposals
 * with a private key, resumption secrets. */
static void pair_open(pair *p)
{
    *p = (pair){0};
    world_env_init(&p->world, 3);
    member_init(&p->alice, &p->world, "alice");
    member_init(&p->bob, &p->world, "bob");
    for (size_t i = 0; i < 2; i++) {
        member *m = i == 0 ? &p->alice : &p->bob;
        m->config.keep_proposals = true;
        m->config.resumption_psks_max = 2;
        m->config.past_epochs_max = 2;
        m->config.find_psk = find_psk;
    }
    member_create(&p->alice);
    free(member_invite(&p->alice, &p->bob).p);
    next_epoch(p);
    blob one = member_send(&p->alice, "one");
    blob two = member_send(&p->alice, "two");
    member_expect(&p->bob, two, "two");
    next_epoch(p);
    propose(&p->bob, &p->alice, &(xmtp_mls_proposal){.type = XMTP_MLS_PROPOSAL_UPDATE});
    propose(&p->alice, &p->bob,
            &(xmtp_mls_proposal){
                .type = XMTP_MLS_PROPOSAL_PSK,
                .psk = {.type = XMTP_MLS_PSK_EXTERNAL, .id = xmtp_bytes_of("psk", 3)}});
    uint8_t once[32];
    xmtp_mls_writes_clear(p->bob.writes);
    assert_ok(&p->bob, xmtp_mls_group_export_once(p->bob.group, 0x8001, once, 32, p->bob.writes,
                                                  &p->bob.error));
    member_store(&p->bob);
    free(one.p);
    free(two.p);
}

static void pair_close(pair *p)
{
    member_free(&p->alice);
    member_free(&p->bob);
}

/* ---- records ---- */

static xmtp_status load(pair *p)
{
    const xmtp_mls_records records = {.context = &p->bob.store, .each = world_store_each};
    xmtp_mls_group *group = NULL;
    xmtp_status status = xmtp_mls_group_load(&group, &p->bob.config, &records, &p->bob.error);
    if (status == XMTP_OK) {
        p->loaded++;
    } else {
        assert_null(group);
        assert_true(p->bob.error.text[0] != 0);
        p->refused++;
    }
    xmtp_mls_group_free(group);
    return status;
}

/* The record with another value, in a block of exactly its length. */
static xmtp_status load_with(pair *p, size_t i, const uint8_t *value, size_t n)
{
    world_record *r = &p->bob.store.records[i];
    const world_record before = *r;
    uint8_t *copy = malloc(n == 0 ? 1 : n);
    assert_non_null(copy);
    xmtp_copy(copy, value, n);
    r->value = n == 0 ? NULL : copy;
    r->value_len = n;
    xmtp_status status = load(p);
    free(copy);
    *r = before;
    return status;
}

static size_t step_of(size_t n)
{
    return RUNNING_ON_VALGRIND ? 41 : n > 300 ? 3 : 1;
}

/* Lists (skipped keys, nodes of secret trees) may be cut between two items, and the leaves of a
 * past epoch are read only when they are asked for. Records of an epoch were without their time once.
 * All else must be whole. */
static bool may_be_cut(const world_record *r, size_t n)
{
    return strchr("rtdx", r->key[0]) != NULL || (r->key[0] == 'e' && n + 8 == r->value_len);
}

static void cut_value(pair *p, size_t i)
{
    const world_record *r = &p->bob.store.records[i];
    uint8_t longer[8192] = {0};
    assert_true(r->value_len < sizeof longer);
    for (size_t n = 0; n < r->value_len; n += step_of(r->value_len)) {
        if (load_with(p, i, r->value, n) == XMTP_OK && !may_be_cut(r, n)) {
            fail_msg("a record of type %c loads when cut to %zu of %zu bytes", r->key[0], n,
                     r->value_len);
        }
    }
    memcpy(longer, r->value, r->value_len);
    assert_true(load_with(p, i, longer, r->value_len + 1) != XMTP_OK ||
                may_be_cut(r, r->value_len + 1));
}

/* Any outcome but a crash: a changed secret is not seen. */
static void change_value(pair *p, size_t i)
{
    static const uint8_t changes[] = {0x01, 0x40, 0x80, 0xff};
    const world_record *r = &p->bob.store.records[i];
    uint8_t changed[8192];
    assert_true(r->value_len <= sizeof changed);
    for (size_t at = 0; at < r->value_len; at += step_of(r->value_len)) {
        for (size_t k = 0; k < sizeof changes; k++) {
            xmtp_copy(changed, r->value, r->value_len);
            changed[at] ^= changes[k];
            (void)!load_with(p, i, changed, r->value_len);
        }
        changed[at] = 0;
        (void)!load_with(p, i, changed, r->value_len);
    }
}

static void change_key(pair *p, size_t i)
{
    world_record *r = &p->bob.store.records[i];
    const world_record before = *r;
    for (r->key_len = 1; r->key_len < before.key_len; r->key_len++) {
        (void)!load(p);
    }
    r->key_len = before.key_len + 1;
    assert_int_not_equal(load(p), XMTP_OK);
    *r = before;
    for (size_t at = 1; at < before.key_len; at++) {
        static const uint8_t changes[] = {0x01, 0x02, 0x04, 0xff};
        for (size_t k = 0; k < sizeof changes; k++) {
            r->key[at] ^= changes[k];
            (void)!load(p);
            *r = before;
        }
    }
}

/* As if the record had been stored under a second key too. */
static void double_record(pair *p, size_t i)
{
    world_store *store = &p->bob.store;
    store->records = realloc(store->records, (store->count + 1) * sizeof *store->records);
    assert_non_null(store->records);
    store->records[store->count++] = store->records[i];
    (void)!load(p);
    store->count--;
}

static void miss_record(pair *p, size_t i)
{
    world_store *store = &p->bob.store;
    const world_record before = store->records[i];
    store->records[i] = store->records[--store->count];
    (void)!load(p);
    store->records[store->count++] = store->records[i];
    store->records[i] = before;
}

static void every_record(pair *p, void (*damage)(pair *p, size_t i))
{
    for (size_t i = 0; i < p->bob.store.count; i++) {
        damage(p, i);
    }
    assert_int_equal(load(p), XMTP_OK); /* everything is as it was */
    print_message("%zu refused, %zu loaded\n", p->refused, p->loaded);
}

static void records_that_are_cut_are_refused(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    every_record(&p, cut_value);
    pair_close(&p);
}

static void records_that_are_changed_do_no_harm(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    every_record(&p, change_value);
    every_record(&p, change_key);
    every_record(&p, double_record);
    every_record(&p, miss_record);
    assert_true(p.refused > 100);
    pair_close(&p);
}

/* The group has ended: one more record. */
static void records_of_an_ended_group_do_no_harm(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    const xmtp_mls_proposal reinit = {
        .type = XMTP_MLS_PROPOSAL_REINIT, .group_id = xmtp_bytes_of("next", 4), .suite = 3};
    xmtp_mls_pending *pending = member_commit(
        &p.alice, &(xmtp_mls_commit_options){.proposals = &reinit, .proposal_count = 1});
    assert_ok(&p.bob, member_take(&p.bob, xmtp_mls_pending_message(pending)));
    xmtp_mls_pending_free(pending);
    every_record(&p, change_key);
    every_record(&p, double_record);
    every_record(&p, miss_record);
    pair_close(&p);
}

static void records_of_a_removed_member_do_no_harm(void **state)
{
    (void)state;
    pair p;
    const uint32_t leaf = 1;
    pair_open(&p);
    xmtp_mls_pending *pending =
        member_commit(&p.alice, &(xmtp_mls_commit_options){.remove = &leaf, .remove_count = 1});
    assert_ok(&p.bob, member_take(&p.bob, xmtp_mls_pending_message(pending)));
    xmtp_mls_pending_free(pending);
    every_record(&p, change_value);
    every_record(&p, change_key);
    pair_close(&p);
}

/* ---- pending commits ---- */

static xmtp_status decode_pending(pair *p, const uint8_t *bytes, size_t n)
{
    uint8_t *copy = malloc(n == 0 ? 1 : n);
    xmtp_mls_pending *pending = NULL;
    xmtp_mls_staged *staged;
    assert_non_null(copy);
    xmtp_copy(copy, bytes, n);
    xmtp_status status =
        xmtp_mls_pending_decode(&pending, p->alice.group, xmtp_bytes_of(copy, n), &p->alice.error);
    assert_true((pending != NULL) == (status == XMTP_OK));
    if (status == XMTP_OK && xmtp_mls_group_stage_pending(p->alice.group, pending, &staged,
                                                          &p->alice.error) == XMTP_OK) {
        xmtp_mls_staged_free(staged);
    }
    xmtp_mls_pending_free(pending);
    free(copy);
    return status;
}

static void pending_commits_that_are_damaged_do_no_harm(void **state)
{
    (void)state;
    static const uint8_t changes[] = {0x01, 0x02, 0x80, 0xff};
    pair p;
    blob b;
    pair_open(&p);
    xmtp_mls_pending *pending = member_commit(&p.alice, NULL);
    assert_int_equal(xmtp_mls_pending_encode(pending, &b.p, &b.n), XMTP_OK);
    for (size_t n = 0; n < b.n; n += step_of(b.n)) {
        assert_int_not_equal(decode_pending(&p, b.p, n), XMTP_OK);
    }
    for (size_t at = 0; at < b.n; at += step_of(0)) {
        const uint8_t before = b.p[at];
        for (size_t k = 0; k < sizeof changes; k++) {
            b.p[at] = before ^ changes[k];
            (void)!decode_pending(&p, b.p, b.n);
        }
        b.p[at] = before;
    }
    assert_int_equal(decode_pending(&p, b.p, b.n), XMTP_OK);
    xmtp_mls_pending_free(pending);
    free(b.p);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_that_are_cut_are_refused),
        cmocka_unit_test(records_that_are_changed_do_no_harm),
        cmocka_unit_test(records_of_an_ended_group_do_no_harm),
        cmocka_unit_test(records_of_a_removed_member_do_no_harm),
        cmocka_unit_test(pending_commits_that_are_damaged_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
