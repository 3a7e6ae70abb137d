/* leave_test.c - leaving a group: asked by a message, carried out by a super admin's client. */
#include "client/content.h"
#include "one_network.h"
#include "proto/message.h"

/* The newest change that a person was told of. */
typedef struct told {
    size_t left;
    size_t removed;
    size_t added;
} told;

static xmtp_status read_change(void *context, const xmtp_message *message)
{
    told *t = context;
    xmtp_arena arena;
    void *content;
    void *update;
    xmtp_arena_init(&arena, &net.env.alloc, 1 << 20);
    assert_int_equal(
        xmtp_proto_decode(&pb__encoded_content__descriptor, &arena, message->content, &content),
        XMTP_OK);
    assert_int_equal(xmtp_proto_decode(&pb__group_updated__descriptor, &arena,
                                       xmtp_proto_bytes(((Pb__EncodedContent *)content)->content),
                                       &update),
                     XMTP_OK);
    const Pb__GroupUpdated *u = update;
    *t = (told){u->n_left_inboxes, u->n_removed_inboxes, u->n_added_inboxes};
    xmtp_arena_reset(&arena);
    return XMTP_OK;
}

static told newest_change(person *p, const xmtp_conversation_id *id)
{
    told t = {0};
    const xmtp_message_query query = {.conversation = id,
                                      .kind = XMTP_MESSAGE_MEMBERSHIP_CHANGE,
                                      .newest_first = true,
                                      .limit = 1};
    assert_ok(p, xmtp_client_messages(p->client, &query, read_change, &t, &p->error));
    return t;
}

static void a_member_leaves_when_a_super_admin_hears_of_it(void **state)
{
    (void)state;
    person p[3];
    xmtp_conversation_id group;
    people_open(p, 3, &net);
    group_of(p, 3, &group);
    assert_ok(&p[1], xmtp_client_leave(p[1].client, &group, &p[1].error));
    assert_int_equal(conversation_of(&p[1], &group).state, XMTP_MEMBERSHIP_PENDING_REMOVE);
    assert_true(conversation_of(&p[1], &group).is_active);
    sync_all(&p[2]); /* no admin: hears of it and does nothing */
    assert_int_equal(conversation_of(&p[2], &group).member_count, 3);
    sync_all(&p[0]);
    assert_int_equal(conversation_of(&p[0], &group).member_count, 2);
    sync_all(&p[1]);
    sync_all(&p[2]);
    assert_false(conversation_of(&p[1], &group).is_active);
    for (size_t i = 0; i < 3; i++) {
        told t = newest_change(&p[i], &group);
        assert_int_equal(t.left, 1);
        assert_int_equal(t.removed, 0);
    }
    people_close(p, 3);
}

static void who_is_removed_without_asking_has_not_left(void **state)
{
    (void)state;
    person p[3];
    xmtp_conversation_id group;
    people_open(p, 3, &net);
    group_of(p, 3, &group);
    const char *cid[] = {xmtp_client_inbox_id(p[2].client)};
    assert_ok(&p[0], xmtp_client_group_remove(p[0].client, &group, cid, 1, &p[0].error));
    sync_all(&p[1]);
    told t = newest_change(&p[1], &group);
    assert_int_equal(t.left, 0);
    assert_int_equal(t.removed, 1);
    people_close(p, 3);
}

static void a_stream_carries_it_out_without_a_sync(void **state)
{
    (void)state;
    person p[2];
    xmtp_conversation_id group;
    people_open(p, 2, &net);
    group_of(p, 2, &group);
    assert_ok(&p[0], xmtp_client_poll(p[0].client, 0, &p[0].error));
    assert_ok(&p[1], xmtp_client_leave(p[1].client, &group, &p[1].error));
    for (int i = 0; i < 3 && conversation_of(&p[0], &group).member_count == 2; i++) {
        xmtp_status status = xmtp_client_poll(p[0].client, 1000000000, &p[0].error);
        assert_true(status == XMTP_OK || status == XMTP_E_TIMEOUT);
    }
    assert_int_equal(conversation_of(&p[0], &group).member_count, 1);
    people_close(p, 2);
}

static void two_super_admins_remove_once(void **state)
{
    (void)state;
    person p[3];
    xmtp_conversation_id group;
    people_open(p, 3, &net);
    group_of(p, 3, &group);
    assert_ok(&p[0],
              xmtp_client_group_change_admins(p[0].client, &group, XMTP_SUPER_ADMIN_ADD,
                                              xmtp_client_inbox_id(p[1].client), &p[0].error));
    sync_all(&p[1]);
    assert_ok(&p[2], xmtp_client_leave(p[2].client, &group, &p[2].error));
    sync_all(&p[0]);
    sync_all(&p[1]);
    sync_all(&p[0]);
    assert_int_equal(conversation_of(&p[0], &group).member_count, 2);
    assert_int_equal(conversation_of(&p[0], &group).epoch, conversation_of(&p[1], &group).epoch);
    send_text(&p[1], &group, "two are left");
    sync_all(&p[0]);
    assert_texts(&p[0], &group, "?|two are left|"); /* the request is a message of its own */
    people_close(p, 3);
}

static void who_comes_back_is_a_member_again_and_unknown(void **state)
{
    (void)state;
    person p[2];
    xmtp_conversation_id group;
    people_open(p, 2, &net);
    group_of(p, 2, &group);
    assert_ok(&p[1], xmtp_client_leave(p[1].client, &group, &p[1].error));
    sync_all(&p[0]);
    sync_all(&p[1]);
    assert_int_equal(conversation_of(&p[1], &group).state, XMTP_MEMBERSHIP_PENDING_REMOVE);
    const char *bob[] = {xmtp_client_inbox_id(p[1].client)};
    assert_ok(&p[0], xmtp_client_group_add(p[0].client, &group, bob, 1, &p[0].error));
    sync_all(&p[1]);
    assert_true(conversation_of(&p[1], &group).is_active);
    assert_int_equal(conversation_of(&p[1], &group).state, XMTP_MEMBERSHIP_ALLOWED);
    assert_int_equal(conversation_of(&p[1], &group).consent, XMTP_CONSENT_UNKNOWN);
    send_text(&p[1], &group, "back");
    sync_all(&p[0]); /* and is not removed again for the old request */
    assert_int_equal(conversation_of(&p[0], &group).member_count, 2);
    people_close(p, 2);
}

static void assert_may_not(person *p, const xmtp_conversation_id *id, const char *why)
{
    assert_int_equal(xmtp_client_leave(p->client, id, &p->error), XMTP_E_PERMISSION);
    assert_non_null(strstr(p->error.text, why));
}

static void dms_sole_members_and_super_admins_are_refused(void **state)
{
    (void)state;
    person p[2];
    xmtp_conversation_id dm;
    xmtp_conversation_id alone;
    xmtp_conversation_id group;
    people_open(p, 2, &net);
    assert_ok(&p[0],
              xmtp_client_dm(p[0].client, xmtp_client_inbox_id(p[1].client), &dm, &p[0].error));
    group_of(p, 1, &alone);
    group_of(p, 2, &group);
    uint64_t sends = p[0].wire.sends;
    assert_may_not(&p[0], &dm, "a DM cannot be left");
    assert_may_not(&p[0], &alone, "the only member");
    assert_may_not(&p[0], &group, "a super admin cannot leave");
    assert_int_equal(p[0].wire.sends, sends);
    people_close(p, 2);
}

static void a_request_of_a_super_admin_hinders_nobody_elses(void **state)
{
    (void)state;
    person p[3];
    xmtp_conversation_id group;
    people_open(p, 3, &net);
    group_of(p, 3, &group);
    /* Bob asks while he is a member, and is made a super admin before Ann's client removes him. */
    assert_ok(&p[1], xmtp_client_leave(p[1].client, &group, &p[1].error));
    assert_ok(&p[0],
              xmtp_client_group_change_admins(p[0].client, &group, XMTP_SUPER_ADMIN_ADD,
                                              xmtp_client_inbox_id(p[1].client), &p[0].error));
    network_advance(&net, 1); /* the same content in the same nanosecond is the same message */
    assert_ok(&p[2], xmtp_client_leave(p[2].client, &group, &p[2].error));
    sync_all(&p[0]);
    sync_all(&p[0]);
    assert_int_equal(conversation_of(&p[0], &group).member_count, 2); /* Ann and Bob */
    people_close(p, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_leaves_when_a_super_admin_hears_of_it),
        cmocka_unit_test(who_is_removed_without_asking_has_not_left),
        cmocka_unit_test(a_stream_carries_it_out_without_a_sync),
        cmocka_unit_test(two_super_admins_remove_once),
        cmocka_unit_test(who_comes_back_is_a_member_again_and_unknown),
        cmocka_unit_test(dms_sole_members_and_super_admins_are_refused),
        cmocka_unit_test(a_request_of_a_super_admin_hinders_nobody_elses),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
