/* group_test.c - conversations: two members, races, removals, late messages, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/group_world.h"

typedef struct pair {
    world_env world;
    member alice;
    member bob;
} pair;

static void pair_open(pair *p)
{
    world_env_init(&p->world, 7);
    member_init(&p->alice, &p->world, "alice");
    member_init(&p->bob, &p->world, "bob");
    member_create(&p->alice);
    blob commit = member_invite(&p->alice, &p->bob);
    free(commit.p);
    members_agree(&p->alice, &p->bob);
}

static void pair_close(pair *p)
{
    member_free(&p->alice);
    member_free(&p->bob);
}

static void two_members_talk(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    assert_int_equal(xmtp_mls_group_epoch(p.alice.group), 1);
    assert_int_equal(xmtp_mls_group_member_count(p.bob.group), 2);
    for (int i = 0; i < 20; i++) {
        blob a = member_send(&p.alice, "hello from alice");
        blob b = member_send(&p.bob, "hello from bob");
        member_expect(&p.bob, a, "hello from alice");
        member_expect(&p.alice, b, "hello from bob");
        free(a.p);
        free(b.p);
    }
    pair_close(&p);
}

static void commits_move_both_to_the_next_epoch(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    for (int i = 0; i < 6; i++) {
        member *from = i % 2 == 0 ? &p.alice : &p.bob;
        member *to = i % 2 == 0 ? &p.bob : &p.alice;
        xmtp_mls_pending *pending = member_commit(from, NULL);
        assert_int_equal(xmtp_mls_pending_welcome(pending).n, 0);
        assert_ok(to, member_take(to, xmtp_mls_pending_message(pending)));
        member_confirm(from, pending);
        members_agree(&p.alice, &p.bob);
        blob text = member_send(from, "after");
        member_expect(to, text, "after");
        free(text.p);
    }
    assert_int_equal(xmtp_mls_group_epoch(p.alice.group), 7);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_members_talk),
        cmocka_unit_test(commits_move_both_to_the_next_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
