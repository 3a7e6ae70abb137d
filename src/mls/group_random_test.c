/* group_random_test.c - random operations among members from a seed: all agree at every epoch, the
 * store of each equals its memory, and the writes stay as small as promised. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/group_dump.h"
#include "mls/test_vectors.h"

enum { MEMBERS = 12, STEPS = 120 };

typedef struct party {
    world_env world;
    member members[MEMBERS];
    bool is_in[MEMBERS];
    size_t count;
} party;

static member *pick(party *p)
{
    for (;;) {
        uint32_t i = world_below(&p->world, MEMBERS);
        if (p->is_in[i]) {
            return &p->members[i];
        }
    }
}

/* ---- how much one step writes ---- */

typedef struct sizes {
    size_t puts;
    size_t bytes;
    size_t nodes; /* puts of tree nodes */
} sizes;

static sizes writes_sizes(const xmtp_mls_writes *writes)
{
    sizes s = {0};
    for (size_t i = 0; i < xmtp_mls_writes_count(writes); i++) {
        xmtp_mls_write w = xmtp_mls_writes_at(writes, i);
        if (!w.is_delete) {
            s.puts++;
            s.bytes += w.value.n;
            s.nodes += w.key.p[0] == XMTP_RECORD_NODE;
        }
    }
    return s;
}

/* ---- steps ---- */

static void everybody_agrees(party *p)
{
    const member *first = NULL;
    for (size_t i = 0; i < MEMBERS; i++) {
        if (!p->is_in[i]) {
            continue;
        }
        member_check_store(&p->members[i]);
        if (first != NULL) {
            members_agree(first, &p->members[i]);
        } else {
            first = &p->members[i];
        }
    }
    assert_int_equal(xmtp_mls_group_member_count(first->group), p->count);
}

static void step_message(party *p)
{
    member *from = pick(p);
    blob message = member_send(from, "something");
    sizes s = writes_sizes(from->writes);
    assert_int_equal(s.puts, 1);
    assert_true(s.bytes <= 36);
    for (size_t i = 0; i < MEMBERS; i++) {
        if (p->is_in[i] && &p->members[i] != from) {
            member_expect(&p->members[i], message, "something");
            s = writes_sizes(p->members[i].writes);
            assert_true(s.puts == 1 || s.puts == 3); /* 3: the first from this sender */
        }
    }
    free(message.p);
}

/* All but the committer take the commit; who is removed notices. */
static void deliver(party *p, const member *from, xmtp_bytes message)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        member *m = &p->members[i];
        if (!p->is_in[i] || m == from) {
            continue;
        }
        assert_ok(m, member_take(m, message));
        if (!xmtp_mls_group_is_active(m->group)) {
            p->is_in[i] = false;
            p->count--;
        }
    }
}

static void step_commit(party *p, member *from, const xmtp_mls_commit_options *options)
{
    xmtp_mls_pending *pending = member_commit(from, options);
    deliver(p, from, xmtp_mls_pending_message(pending));
    member_confirm(from, pending);
    uint32_t width = xmtp_mls_group_leaf_count(from->group);
    size_t depth = 0;
    while (1u << depth < width) {
        depth++;
    }
    assert_true(writes_sizes(from->writes).nodes <=
                (depth + 1) * (1 + options->add_count + options->remove_count));
}

static uint32_t leaf_of(const member *seen_by, const member *whom)
{
    int64_t leaf = xmtp_mls_group_find(seen_by->group, xmtp_bytes_of(whom->pk, 32));
    assert_true(leaf >= 0);
    return (uint32_t)leaf;
}

static void step_remove(party *p)
{
    member *from = pick(p);
    member *whom = pick(p);
    if (from == whom) {
        return;
    }
    uint32_t leaf = leaf_of(from, whom);
    step_commit(p, from, &(xmtp_mls_commit_options){.remove = &leaf, .remove_count = 1});
}

/* Adds up to three, and removes one in the same commit now and then. */
static void step_add(party *p)
{
    xmtp_mls_key_package_private keys[3];
    blob packages[3];
    xmtp_bytes add[3];
    size_t who[3], count = 0;
    uint32_t leaf;
    member *from = pick(p);
    member *whom = pick(p);
    for (size_t i = 0; i < MEMBERS && count < 3; i++) {
        if (!p->is_in[i]) {
            packages[count] = member_key_package(&p->members[i], &keys[count]);
            add[count] = blob_bytes(packages[count]);
            who[count++] = i;
        }
    }
    xmtp_mls_commit_options options = {.add = add, .add_count = count};
    if (whom != from && world_below(&p->world, 3) == 0) {
        leaf = leaf_of(from, whom);
        options.remove = &leaf;
        options.remove_count = 1;
    }
    xmtp_mls_pending *pending = member_commit(from, &options);
    deliver(p, from, xmtp_mls_pending_message(pending));
    blob welcome = blob_copy(xmtp_mls_pending_welcome(pending));
    member_confirm(from, pending);
    for (size_t i = 0; i < count; i++) {
        member *m = &p->members[who[i]];
        assert_ok(m, member_join(m, blob_bytes(welcome), packages[i], &keys[i]));
        p->is_in[who[i]] = true;
        p->count++;
        free(packages[i].p);
    }
    free(welcome.p);
}

static void step_extensions(party *p)
{
    uint8_t data[40];
    world_random(&p->world, data, sizeof data);
    const xmtp_mls_extension extensions[] = {
        {.type = XMTP_MLS_EXTENSION_REQUIRED_CAPABILITIES,
         .data = {world_required, sizeof world_required}},
        {.type = 0xff01, .data = {data, world_below(&p->world, sizeof data)}}};
    step_commit(p, pick(p),
                &(xmtp_mls_commit_options){.context_extensions = extensions,
                                           .context_extension_count = 2,
                                           .set_context_extensions = true});
}

static void step(party *p)
{
    switch (world_below(&p->world, 8)) {
    case 0:
        step_add(p);
        return;
    case 1:
        if (p->count > 2) {
            step_remove(p);
        }
        return;
    case 2:
        step_extensions(p);
        return;
    case 3:
        step_commit(p, pick(p), &(xmtp_mls_commit_options){0});
        return;
    default:
        step_message(p);
        return;
    }
}

static void run_seed(uint64_t seed, bool reloads)
{
    party p = {.count = 1};
    world_env_init(&p.world, seed);
    for (size_t i = 0; i < MEMBERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "member %zu", i);
        member_init(&p.members[i], &p.world, name);
        p.members[i].reloads = reloads;
    }
    member_create(&p.members[0]);
    p.is_in[0] = true;
    for (int i = 0; i < STEPS; i++) {
        step(&p);
        everybody_agrees(&p);
    }
    for (size_t i = 0; i < MEMBERS; i++) {
        member_free(&p.members[i]);
    }
}

static void members_agree_whatever_they_do(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        if (!vectors_leave_out(seed)) {
            print_message("seed %llu\n", (unsigned long long)seed);
            run_seed(seed, true);
        }
    }
}

static void memory_alone_does_the_same(void **state)
{
    (void)state;
    for (uint64_t seed = 101; seed <= 104; seed++) {
        if (!vectors_leave_out(seed)) {
            print_message("seed %llu\n", (unsigned long long)seed);
            run_seed(seed, false);
        }
    }
}

/* ---- what large groups cost ---- */

enum { LARGE_MAX = 128 };

/* Alice and bob, who really are there, in a group filled up by key packages of others. */
static void fill_up(world_env *world, member *alice, member *bob, size_t total)
{
    static member others[LARGE_MAX];
    static xmtp_bytes add[LARGE_MAX];
    xmtp_mls_key_package_private keys;
    member_init(alice, world, "alice");
    member_init(bob, world, "bob");
    alice->reloads = bob->reloads = false;
    member_create(alice);
    for (size_t i = 0; i < total - 2; i++) {
        member_init(&others[i], world, "other");
        blob package = member_key_package(&others[i], &keys);
        add[i] = blob_bytes(package);
    }
    member_confirm(alice, member_commit(alice, &(xmtp_mls_commit_options){.add = add,
                                                                          .add_count = total - 2}));
    for (size_t i = 0; i < total - 2; i++) {
        free((void *)(uintptr_t)add[i].p);
        member_free(&others[i]);
    }
    blob commit = member_invite(alice, bob);
    free(commit.p);
}

static sizes commit_sizes(member *alice, member *bob)
{
    xmtp_mls_pending *pending = member_commit(alice, NULL);
    assert_ok(bob, member_take(bob, xmtp_mls_pending_message(pending)));
    member_confirm(alice, pending);
    members_agree(alice, bob);
    member_check_store(alice);
    member_check_store(bob);
    return writes_sizes(alice->writes);
}

static void writes_grow_with_the_depth_only(void **state)
{
    (void)state;
    static const size_t totals[] = {8, 32, LARGE_MAX};
    for (size_t i = 0; i < 3; i++) {
        world_env world;
        member alice, bob;
        world_env_init(&world, i);
        fill_up(&world, &alice, &bob, totals[i]);
        assert_int_equal(xmtp_mls_group_member_count(bob.group), totals[i]);
        size_t depth = (size_t)__builtin_ctzll(totals[i]);
        sizes s = commit_sizes(&alice, &bob);
        print_message("%zu members: a commit puts %zu records, %zu nodes, %zu bytes; ", totals[i],
                      s.puts, s.nodes, s.bytes);
        assert_true(s.nodes <= depth + 1);
        assert_true(s.puts <= depth + 1 + 6); /* header, epoch, leaves, secret tree, 2 ratchets */

        blob text = member_send(&bob, "text");
        s = writes_sizes(bob.writes);
        print_message("a sent message %zu bytes\n", s.bytes);
        assert_true(s.puts == 1 && s.bytes == 36);
        member_expect(&alice, text, "text"); /* bob is heard for the first time */
        s = writes_sizes(alice.writes);
        assert_true(s.puts == 3 && s.bytes <= 4 + 2 * depth * 36 + 2 * 36);
        free(text.p);
        text = member_send(&bob, "text");
        member_expect(&alice, text, "text");
        s = writes_sizes(alice.writes);
        assert_true(s.puts == 1 && s.bytes == 36);
        free(text.p);
        member_free(&alice);
        member_free(&bob);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_agree_whatever_they_do),
        cmocka_unit_test(memory_alone_does_the_same),
        cmocka_unit_test(writes_grow_with_the_depth_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
