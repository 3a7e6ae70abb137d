/* forgotten_test.c - secrets that must be gone are gone: RFC 9420 sections 9.2, 12.4.3.1 and 16.6.
 *
 *     remember a secret (masked) --> do what must destroy it --> search all memory of this process and
 *     the stores of all members for it
 *
 * The library's memory is never used twice here, so a copy that was freed without being wiped is found
 * too; so is one that a returned function left on the stack. Each test first finds the secret where it
 * must still be: a search that cannot find proves nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "mls/group.h"
#include "mls/group_world.h"
#include "mls/welcome.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- memory that is never used twice */

enum { HEAP_LEN = 16 << 20, PIECE_LEN = 1 << 20, MAP_LEN_MAX = 256 << 20 };

static _Alignas(16) uint8_t heap[HEAP_LEN];
static size_t heap_used;

static void *heap_reallocate(void *context, void *p, size_t n)
{
    (void)context;
    size_t old = 0;
    if (n == 0) {
        return NULL;
    }
    if (p != NULL) {
        memcpy(&old, (uint8_t *)p - 16, sizeof(old));
    }
    size_t room = (n + 31) & ~(size_t)15;
    assert_true(room <= sizeof(heap) - heap_used);
    uint8_t *out = heap + heap_used + 16;
    heap_used += room;
    memcpy(out - 16, &n, sizeof(n));
    xmtp_copy(out, p, old < n ? old : n);
    return out;
}

/* ---- remembering without keeping */

enum { MASK = 0xa5 };

typedef struct remembered {
    uint8_t masked[32];
} remembered;

static remembered remember(const uint8_t *secret)
{
    remembered r;
    for (size_t i = 0; i < sizeof(r.masked); i++) {
        r.masked[i] = secret[i] ^ MASK;
    }
    return r;
}

static bool is_at(const uint8_t *p, const remembered *r)
{
    for (size_t i = 0; i < sizeof(r->masked); i++) {
        if ((p[i] ^ MASK) != r->masked[i]) {
            return false;
        }
    }
    return true;
}

/* ---- searching */

static size_t count_in(const uint8_t *p, size_t n, const remembered *r)
{
    size_t count = 0;
    const uint8_t *end = p + n;
    while (n >= sizeof(r->masked)) {
        const uint8_t *found = memchr(p, r->masked[0] ^ MASK, n - sizeof(r->masked) + 1);
        if (found == NULL) {
            break;
        }
        count += is_at(found, r) ? 1 : 0;
        p = found + 1;
        n = (size_t)(end - p);
    }
    return count;
}

/* One writable part of the address space, read through the kernel in pieces that overlap. */
static size_t count_in_map(int memory, uint8_t *piece, uint64_t start, uint64_t end,
                           const remembered *r)
{
    size_t count = 0;
    const uint64_t step = PIECE_LEN - sizeof(r->masked) + 1;
    for (uint64_t at = start; at < end; at += step) {
        uint64_t left = end - at;
        size_t want = left < PIECE_LEN ? (size_t)left : PIECE_LEN;
        ssize_t n = pread(memory, piece, want, (off_t)at);
        count += n <= 0 ? 0 : count_in(piece, (size_t)n, r);
    }
    return count;
}

/* How often the secret is in this process. The sanitizer's shadow is left out for its size. */
static size_t count_in_process(const remembered *r)
{
    char line[512];
    size_t count = 0;
    uint8_t *piece =
        mmap(NULL, PIECE_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(piece != MAP_FAILED);
    int memory = open("/proc/self/mem", O_RDONLY);
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_true(memory >= 0);
    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps) != NULL) {
        unsigned long start;
        unsigned long end;
        char mode[5];
        assert_int_equal(sscanf(line, "%lx-%lx %4s", &start, &end, mode), 3);
        bool is_piece = start <= (uintptr_t)piece && (uintptr_t)piece < end;
        if (mode[0] != 'r' || mode[1] != 'w' || end - start > MAP_LEN_MAX) {
            continue;
        }
        if (is_piece) {
            count += count_in_map(memory, piece, start, (uintptr_t)piece, r);
            count += count_in_map(memory, piece, (uintptr_t)piece + PIECE_LEN, end, r);
        } else {
            count += count_in_map(memory, piece, start, end, r);
        }
    }
    (void)fclose(maps);
    close(memory);
    munmap(piece, PIECE_LEN);
    return count;
}

static void assert_known(const remembered *r)
{
    assert_true(count_in_process(r) > 0);
}

static void assert_forgotten(const remembered *r)
{
    assert_int_equal(count_in_process(r), 0);
}

/* ---- a world */

static world_env world;
static member alice;
static member bob;

typedef struct setting {
    uint32_t past_epochs;
    bool reloads;
} setting;

static void meet(const setting *s)
{
    memset(heap, 0, heap_used);
    heap_used = 0;
    world_env_init(&world, 7);
    world.env.alloc = (xmtp_alloc){.reallocate = heap_reallocate};
    member_init(&alice, &world, "alice");
    member_init(&bob, &world, "bob");
    alice.config.past_epochs_max = bob.config.past_epochs_max = s->past_epochs;
    alice.reloads = bob.reloads = s->reloads;
    member_create(&alice);
    free(member_invite(&alice, &bob).p);
}

/* The list of the last step is the caller's to clear, as a store does when it has written. */
static void settle(void)
{
    xmtp_mls_writes_clear(alice.writes);
    xmtp_mls_writes_clear(bob.writes);
}

static void part(void)
{
    member_free(&alice);
    member_free(&bob);
}

/* A commit with a path by one, taken by the other. */
static void update(member *from, member *to)
{
    xmtp_mls_pending *pending = member_commit(from, NULL);
    blob message = blob_copy(xmtp_mls_pending_message(pending));
    member_confirm(from, pending);
    assert_ok(to, member_take(to, blob_bytes(message)));
    members_agree(from, to);
    free(message.p);
    settle();
}

static void each_setting(void (*fact)(void), uint32_t past_epochs)
{
    for (int reloads = 0; reloads < 2; reloads++) {
        meet(&(setting){.past_epochs = past_epochs, .reloads = reloads == 1});
        settle();
        fact();
        part();
    }
}

/* ---- message keys */

/* The key with which the member sends next, and the ratchet that gives it. */
static remembered next_key(const member *m)
{
    xmtp_message_key key;
    xmtp_secret_tree_change change;
    const xmtp_secret_tree *tree = &m->group->epochs[0].secret_tree;
    assert_int_equal(xmtp_secret_tree_next_key(tree, xmtp_mls_group_own_leaf(m->group),
                                               XMTP_RATCHET_APPLICATION, &key, &change),
                     XMTP_OK);
    remembered r = remember(key.key);
    xmtp_wipe(&key, sizeof(key));
    xmtp_secret_tree_change_free(&change);
    xmtp_wipe(&change, sizeof(change));
    return r;
}

static remembered next_ratchet(const member *m, const member *sender)
{
    const xmtp_ratchet *ratchet =
        xmtp_secret_tree_ratchet(&m->group->epochs[0].secret_tree,
                                 xmtp_mls_group_own_leaf(sender->group), XMTP_RATCHET_APPLICATION);
    assert_non_null(ratchet);
    return remember(ratchet->secret.p);
}

static void send_and_take(void)
{
    blob message = member_send(&alice, "x");
    member_expect(&bob, message, "x");
    free(message.p);
    settle();
}

static void used_keys(void)
{
    send_and_take(); /* from here on both have alice's ratchet */
    remembered key = next_key(&alice);
    remembered ratchet = next_ratchet(&alice, &alice);
    assert_forgotten(&key);
    assert_known(&ratchet);
    send_and_take();
    assert_forgotten(&key);
    assert_forgotten(&ratchet);
}

static void the_key_of_a_message_is_forgotten_when_it_was_sent_and_read(void **state)
{
    (void)state;
    each_setting(used_keys, 3);
}

static void skipped_keys(void)
{
    remembered keys[2];
    blob messages[2];
    for (size_t i = 0; i < 2; i++) {
        keys[i] = next_key(&alice);
        messages[i] = member_send(&alice, "late");
    }
    settle();
    assert_forgotten(&keys[0]);
    send_and_take(); /* bob passes two keys over */
    assert_known(&keys[0]);
    assert_known(&keys[1]);
    member_expect(&bob, messages[1], "late");
    settle();
    assert_forgotten(&keys[1]);
    assert_known(&keys[0]);
    for (size_t i = 0; i < XMTP_MLS_TOLERANCE_DEFAULT; i++) {
        send_and_take();
    }
    assert_forgotten(&keys[0]);
    assert_int_equal(member_take(&bob, blob_bytes(messages[0])), XMTP_E_KEY_CONSUMED);
    free(messages[0].p);
    free(messages[1].p);
}

static void a_skipped_key_is_forgotten_when_it_was_used_or_is_too_old(void **state)
{
    (void)state;
    each_setting(skipped_keys, 3);
}

/* ---- epochs */

enum { EPOCH_SECRETS = 10 };

static void remember_epoch(const xmtp_mls_group *group, remembered out[EPOCH_SECRETS])
{
    const xmtp_epoch_secrets *s = &group->secrets;
    const xmtp_secret *secrets[EPOCH_SECRETS] = {
        &s->exporter_secret,
        &s->external_secret,
        &s->confirmation_key,
        &s->membership_key,
        &s->resumption_psk,
        &s->init_secret,
        &s->epoch_authenticator,
        &group->epochs[0].sender_data_secret,
        &group->epochs[0].secret_tree.nodes[0].secret,
        &s->application_export,
    };
    for (size_t i = 0; i < EPOCH_SECRETS; i++) {
        assert_int_equal(secrets[i]->n, 32);
        out[i] = remember(secrets[i]->p);
    }
}

static void ended_epoch(void)
{
    remembered secrets[EPOCH_SECRETS];
    remember_epoch(alice.group, secrets);
    for (size_t i = 0; i < EPOCH_SECRETS; i++) {
        assert_known(&secrets[i]);
    }
    update(&bob, &alice);
    for (size_t i = 0; i < EPOCH_SECRETS; i++) {
        bool is_resumption = i == 4; /* kept for later proofs up to a number of its own */
        size_t count = count_in_process(&secrets[i]);
        if (!is_resumption && count != 0) {
            fail_msg("secret %zu of the ended epoch is there %zu times", i, count);
        }
    }
}

static void an_ended_epoch_is_forgotten_when_none_is_kept(void **state)
{
    (void)state;
    each_setting(ended_epoch, 0);
}

static void past_epoch(void)
{
    send_and_take();
    remembered sender_data = remember(alice.group->epochs[0].sender_data_secret.p);
    remembered ratchet = next_ratchet(&bob, &alice);
    update(&bob, &alice);
    assert_known(&sender_data);
    assert_known(&ratchet); /* bob may still get a late message of alice's */
    update(&alice, &bob);
    assert_forgotten(&sender_data);
    assert_forgotten(&ratchet);
}

static void a_past_epoch_is_forgotten_when_there_are_too_many(void **state)
{
    (void)state;
    each_setting(past_epoch, 1);
}

static void resumption_secrets(void)
{
    remembered secret = remember(alice.group->secrets.resumption_psk.p);
    uint32_t kept = alice.group->config.resumption_psks_max;
    update(&bob, &alice);
    for (uint32_t i = 1; i < kept; i++) {
        update(&alice, &bob);
    }
    if (kept > 0) {
        assert_known(&secret);
        update(&alice, &bob);
    }
    assert_forgotten(&secret);
}

static void a_resumption_secret_is_forgotten_when_there_are_too_many(void **state)
{
    (void)state;
    each_setting(resumption_secrets, 0);
}

/* ---- keys of the tree */

static void path_keys(void)
{
    update(&alice, &bob); /* so that both know the key of the root */
    remembered leaf = remember(alice.group->private_keys.keys[0].sk);
    remembered root = remember(alice.group->private_keys.keys[1].sk);
    assert_int_equal(alice.group->private_keys.count, 2);
    assert_known(&leaf);
    assert_known(&root);
    update(&alice, &bob);
    assert_forgotten(&leaf);
    assert_forgotten(&root);
}

static void replaced_keys_of_the_tree_are_forgotten(void **state)
{
    (void)state;
    each_setting(path_keys, 3);
}

static void dropped_commit(void)
{
    xmtp_mls_pending *pending = member_commit(&alice, NULL);
    remembered secret = remember(pending->commit_secret.p);
    remembered leaf = remember(pending->private_keys.keys[0].sk);
    assert_known(&secret);
    assert_known(&leaf);
    xmtp_mls_pending_free(pending);
    assert_forgotten(&secret);
    assert_forgotten(&leaf);
}

static void a_commit_that_lost_is_forgotten(void **state)
{
    (void)state;
    each_setting(dropped_commit, 3);
}

static void merged_commit(void)
{
    xmtp_mls_pending *pending = member_commit(&alice, NULL);
    remembered secret = remember(pending->commit_secret.p);
    blob message = blob_copy(xmtp_mls_pending_message(pending));
    member_confirm(&alice, pending);
    assert_ok(&bob, member_take(&bob, blob_bytes(message)));
    free(message.p);
    settle();
    assert_forgotten(&secret);
}

static void the_secret_of_a_commit_is_forgotten_when_it_was_merged(void **state)
{
    (void)state;
    each_setting(merged_commit, 3);
}

/* ---- joining */

static void init_key(void)
{
    member carol;
    member_init(&carol, &world, "carol");
    carol.reloads = alice.reloads;
    xmtp_mls_key_package_private private_keys;
    blob key_package = member_key_package(&carol, &private_keys);
    remembered init = remember(private_keys.init_sk);
    const xmtp_bytes add = blob_bytes(key_package);
    xmtp_mls_pending *pending =
        member_commit(&alice, &(xmtp_mls_commit_options){.add = &add, .add_count = 1});
    blob welcome = blob_copy(xmtp_mls_pending_welcome(pending));
    member_confirm(&alice, pending);
    assert_ok(&carol, member_join(&carol, blob_bytes(welcome), key_package, &private_keys));
    assert_known(&init); /* in the caller's struct */
    xmtp_wipe(&private_keys, sizeof(private_keys));
    assert_forgotten(&init);
    members_agree(&alice, &carol);
    free(welcome.p);
    free(key_package.p);
    member_free(&carol);
}

static void an_init_key_is_forgotten_when_its_holder_joined_and_wiped_it(void **state)
{
    (void)state;
    each_setting(init_key, 3);
}

/* What the welcome holds beside the init key's use: opened here once more, to know what to search. */
static void welcome_secrets(void)
{
    member carol;
    xmtp_mls_key_package_private keys;
    xmtp_mls_message *message;
    xmtp_group_secrets opened;
    xmtp_key_package package;
    xmtp_arena arena;
    member_init(&carol, &world, "carol");
    blob b = member_key_package(&carol, &keys);
    const xmtp_bytes add = blob_bytes(b);
    xmtp_mls_pending *pending =
        member_commit(&alice, &(xmtp_mls_commit_options){.add = &add, .add_count = 1});
    xmtp_arena_init(&arena, &world.env.alloc, 1 << 20);
    assert_int_equal(xmtp_arena_take(&arena, sizeof(*message), (void **)&message), XMTP_OK);
    assert_int_equal(xmtp_mls_message_decode(xmtp_mls_pending_welcome(pending), &arena, message),
                     XMTP_OK);
    assert_int_equal(xmtp_key_package_of(add, &package), XMTP_OK);
    assert_int_equal(xmtp_welcome_open_secrets(alice.group->suite, &message->u.welcome,
                                               xmtp_bytes_of(keys.ref, keys.ref_len), keys.init_sk,
                                               package.init_key.p, &arena, &opened, NULL),
                     XMTP_OK);
    assert_true(opened.has_path_secret);
    remembered joiner = remember(opened.joiner_secret.p), path = remember(opened.path_secret.p);
    assert_known(&joiner);
    assert_known(&path);
    xmtp_arena_reset(&arena);
    assert_ok(&carol, member_join(&carol, xmtp_mls_pending_welcome(pending), b, &keys));
    xmtp_mls_key_package_private_wipe(&keys);
    member_confirm(&alice, pending);
    settle();
    xmtp_mls_writes_clear(carol.writes);
    assert_forgotten(&joiner);
    assert_forgotten(&path);
    free(b.p);
    member_free(&carol);
}

static void joiner_and_path_secrets_are_forgotten_when_everybody_is_in(void **state)
{
    (void)state;
    each_setting(welcome_secrets, 3);
}

/* ---- by time, by number, by use */

static void reconfigure(member *m, uint64_t age_max_s, uint32_t resumption_psks)
{
    m->config.past_epoch_age_max_s = age_max_s;
    m->config.resumption_psks_max = resumption_psks;
    m->config.keep_proposals = true;
    assert_ok(m, member_load(m));
}

static void expire(member *m)
{
    xmtp_mls_writes_clear(m->writes);
    assert_ok(m, xmtp_mls_group_expire(m->group, m->writes, &m->error));
    member_store(m);
}

static void old_epoch(void)
{
    reconfigure(&alice, 60, 0);
    reconfigure(&bob, 60, 0);
    send_and_take();
    remembered sender_data = remember(alice.group->epochs[0].sender_data_secret.p);
    remembered ratchet = next_ratchet(&bob, &alice);
    update(&bob, &alice);
    world.now_ns += 61 * 1000000000ull;
    assert_known(&sender_data);
    assert_known(&ratchet);
    expire(&alice);
    expire(&bob);
    settle();
    assert_forgotten(&sender_data);
    assert_forgotten(&ratchet);
}

static void a_past_epoch_is_forgotten_when_it_is_old(void **state)
{
    (void)state;
    each_setting(old_epoch, 3);
}

static void limited_resumption(void)
{
    reconfigure(&alice, 0, 2);
    reconfigure(&bob, 0, 2);
    remembered secret = remember(alice.group->secrets.resumption_psk.p);
    update(&bob, &alice);
    update(&alice, &bob);
    assert_known(&secret);
    update(&bob, &alice);
    assert_forgotten(&secret);
}

static void a_resumption_secret_is_forgotten_past_the_limit(void **state)
{
    (void)state;
    each_setting(limited_resumption, 0);
}

static void exported(void)
{
    member *both[] = {&alice, &bob};
    uint8_t out[32];
    remembered root = remember(alice.group->secrets.application_export.p);
    assert_known(&root);
    for (size_t i = 0; i < 2; i++) {
        xmtp_mls_writes_clear(both[i]->writes);
        assert_ok(both[i], xmtp_mls_group_export_once(both[i]->group, 0x8001, out, 32,
                                                      both[i]->writes, &both[i]->error));
        member_store(both[i]);
    }
    remembered leaf = remember(out);
    xmtp_wipe(out, sizeof(out));
    settle();
    assert_forgotten(&root);
    assert_forgotten(&leaf);
}

static void an_exported_secret_is_forgotten_with_what_it_came_from(void **state)
{
    (void)state;
    each_setting(exported, 0);
}

static void updated_leaf(void)
{
    blob b;
    xmtp_mls_ref ref;
    const xmtp_mls_proposal proposal = {.type = XMTP_MLS_PROPOSAL_UPDATE};
    reconfigure(&alice, 0, 0);
    reconfigure(&bob, 0, 0);
    remembered leaf = remember(bob.group->private_keys.keys[0].sk);
    xmtp_mls_writes_clear(bob.writes);
    assert_ok(&bob, xmtp_mls_group_propose(bob.group, &proposal, (xmtp_bytes){0}, &b.p, &b.n, &ref,
                                           bob.writes, &bob.error));
    member_store(&bob);
    assert_ok(&alice, member_take(&alice, blob_bytes(b)));
    assert_known(&leaf);
    xmtp_mls_pending *pending =
        member_commit(&alice, &(xmtp_mls_commit_options){.references = &ref, .reference_count = 1});
    assert_ok(&bob, member_take(&bob, xmtp_mls_pending_message(pending)));
    member_confirm(&alice, pending);
    members_agree(&alice, &bob);
    settle();
    assert_forgotten(&leaf);
}

static void the_old_leaf_key_is_forgotten_when_an_update_was_committed(void **state)
{
    (void)state;
    each_setting(updated_leaf, 0);
}

static void removed(void)
{
    remembered secrets[EPOCH_SECRETS];
    const uint32_t leaf = 1;
    remember_epoch(bob.group, secrets);
    remembered key = remember(bob.group->private_keys.keys[0].sk);
    xmtp_mls_pending *pending =
        member_commit(&alice, &(xmtp_mls_commit_options){.remove = &leaf, .remove_count = 1});
    assert_ok(&bob, member_take(&bob, xmtp_mls_pending_message(pending)));
    assert_false(xmtp_mls_group_is_active(bob.group));
    xmtp_mls_pending_free(pending);
    settle();
    member_free(&alice); /* who knows the same secrets */
    for (size_t i = 0; i < EPOCH_SECRETS; i++) {
        assert_forgotten(&secrets[i]);
    }
    assert_forgotten(&key);
}

static void a_removed_member_keeps_no_secret(void **state)
{
    (void)state;
    each_setting(removed, 3);
}

static void a_freed_group_leaves_nothing(void **state)
{
    (void)state;
    remembered secrets[EPOCH_SECRETS];
    meet(&(setting){.past_epochs = 3});
    settle();
    remember_epoch(alice.group, secrets);
    remembered leaf = remember(alice.group->private_keys.keys[0].sk);
    part();
    for (size_t i = 0; i < EPOCH_SECRETS; i++) {
        assert_forgotten(&secrets[i]);
    }
    assert_forgotten(&leaf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_of_a_message_is_forgotten_when_it_was_sent_and_read),
        cmocka_unit_test(a_skipped_key_is_forgotten_when_it_was_used_or_is_too_old),
        cmocka_unit_test(an_ended_epoch_is_forgotten_when_none_is_kept),
        cmocka_unit_test(a_past_epoch_is_forgotten_when_there_are_too_many),
        cmocka_unit_test(a_resumption_secret_is_forgotten_when_there_are_too_many),
        cmocka_unit_test(replaced_keys_of_the_tree_are_forgotten),
        cmocka_unit_test(a_commit_that_lost_is_forgotten),
        cmocka_unit_test(the_secret_of_a_commit_is_forgotten_when_it_was_merged),
        cmocka_unit_test(an_init_key_is_forgotten_when_its_holder_joined_and_wiped_it),
        cmocka_unit_test(joiner_and_path_secrets_are_forgotten_when_everybody_is_in),
        cmocka_unit_test(a_past_epoch_is_forgotten_when_it_is_old),
        cmocka_unit_test(a_resumption_secret_is_forgotten_past_the_limit),
        cmocka_unit_test(an_exported_secret_is_forgotten_with_what_it_came_from),
        cmocka_unit_test(the_old_leaf_key_is_forgotten_when_an_update_was_committed),
        cmocka_unit_test(a_removed_member_keeps_no_secret),
        cmocka_unit_test(a_freed_group_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
