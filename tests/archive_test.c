/* archive_test.c - archives of whole clients: what comes back, what is left alone, and what becomes of a
 * restored conversation. */
#include "one_network.h"

#include <sys/stat.h>
#include <xmtp/archive.h>

static const uint8_t key[XMTP_ARCHIVE_KEY_LEN] = {7, 7, 7};

typedef struct scene {
    person p[2];   /* p[0] writes the archive */
    person device; /* of p[0], made after everything was said */
    xmtp_conversation_id dm;
    xmtp_conversation_id group;
    char path[PATH_LEN + 16];
    xmtp_archive_counts counts;
} scene;

static void scene_open(scene *s)
{
    memset(s, 0, sizeof(*s));
    people_open(s->p, 2, &net);
    assert_ok(&s->p[0], xmtp_client_dm(s->p[0].client, xmtp_client_inbox_id(s->p[1].client), &s->dm,
                                       &s->p[0].error));
    send_text(&s->p[0], &s->dm, "one");
    sync_all(&s->p[1]);
    send_text(&s->p[1], &s->dm, "two");
    sync_all(&s->p[0]);
    group_of(s->p, 2, &s->group);
    send_text(&s->p[0], &s->group, "three");
    (void)snprintf(s->path, sizeof(s->path), "%s/archive", net.folder);
}

static void scene_close(scene *s)
{
    (void)unlink(s->path);
    people_close(s->p, 2);
}

static void export_all(scene *s)
{
    person *p = &s->p[0];
    assert_ok(
        p, xmtp_client_archive_export(p->client, s->path, key, NULL, NULL, &s->counts, &p->error));
}

static void import_all(scene *s, person *into)
{
    assert_ok(into, xmtp_client_archive_import(into->client, s->path, key, NULL, &s->counts,
                                               &into->error));
}

/* A device that is not in any conversation: the others have not heard of it. */
static void restore_on_new_device(scene *s)
{
    export_all(s);
    person_open_device(&s->device, &s->p[0]);
    import_all(s, &s->device);
}

static void everything_comes_back_on_another_device(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    export_all(&s);
    assert_int_equal(s.counts.conversations, 2);
    assert_int_equal(s.counts.messages, 3);
    assert_int_equal(s.counts.consents, 2);
    person_open_device(&s.device, &s.p[0]);
    import_all(&s, &s.device);
    assert_int_equal(s.counts.conversations, 2);
    assert_int_equal(s.counts.messages, 3);
    assert_int_equal(s.counts.consents, 2);
    assert_int_equal(s.counts.skipped, 0);
    assert_texts(&s.device, &s.dm, "one|two|");
    assert_texts(&s.device, &s.group, "three|");
    xmtp_conversation group = conversation_of(&s.device, &s.group);
    assert_string_equal(group.name, "group");
    assert_int_equal(group.state, XMTP_MEMBERSHIP_RESTORED);
    assert_int_equal(group.consent, XMTP_CONSENT_ALLOWED);
    assert_false(group.is_active);
    assert_int_equal(group.last_message_ns, conversation_of(&s.p[0], &s.group).last_message_ns);
    assert_string_equal(conversation_of(&s.device, &s.dm).peer_inbox,
                        xmtp_client_inbox_id(s.p[1].client));
    person_close(&s.device);
    scene_close(&s);
}

static void importing_twice_changes_nothing(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    restore_on_new_device(&s);
    import_all(&s, &s.device);
    assert_int_equal(s.counts.conversations + s.counts.messages + s.counts.consents, 0);
    assert_int_equal(s.counts.known, 7);
    assert_texts(&s.device, &s.dm, "one|two|");
    person_close(&s.device);
    scene_close(&s);
}

static void nothing_can_be_sent_to_a_restored_conversation_and_the_error_says_why(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    restore_on_new_device(&s);
    person *d = &s.device;
    assert_int_equal(xmtp_client_send_text(d->client, &s.group, "no", NULL, &d->error),
                     XMTP_E_INACTIVE);
    assert_non_null(strstr(d->error.text, "restored from an archive"));
    assert_int_equal(xmtp_client_group_rename(d->client, &s.group, "no", &d->error),
                     XMTP_E_INACTIVE);
    assert_non_null(strstr(d->error.text, "restored from an archive"));
    assert_int_equal(xmtp_client_leave(d->client, &s.group, &d->error), XMTP_E_INACTIVE);
    assert_int_equal(xmtp_client_group_add(d->client, &s.group, (const char *[]){d->key}, 1,
                                           &d->error) == XMTP_OK,
                     0);
    assert_int_equal(xmtp_client_send_text(d->client, &s.dm, "no", NULL, &d->error),
                     XMTP_E_INACTIVE);
    assert_non_null(strstr(d->error.text, "make the DM anew"));
    sync_all(d);
    assert_ok(d, xmtp_client_sync_conversation(d->client, &s.group, &d->error));
    assert_ok(d, xmtp_client_sync_conversation(d->client, &s.dm, &d->error));
    assert_texts(d, &s.group, "three|");
    person_close(d);
    scene_close(&s);
}

static void a_welcome_makes_a_restored_group_an_ordinary_one_that_keeps_its_messages(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    restore_on_new_device(&s);
    network_advance(&net, 60);
    send_text(&s.p[1], &s.group, "four"); /* adds the new device first */
    sync_all(&s.device);
    xmtp_conversation group = conversation_of(&s.device, &s.group);
    assert_true(group.is_active);
    assert_int_equal(group.state, XMTP_MEMBERSHIP_ALLOWED);
    assert_int_equal(group.consent, XMTP_CONSENT_ALLOWED);
    assert_int_equal(group.member_count, 2);
    assert_texts(&s.device, &s.group, "three|four|");
    send_text(&s.device, &s.group, "five");
    sync_all(&s.p[1]);
    assert_texts(&s.p[1], &s.group, "three|four|five|");
    person_close(&s.device);
    scene_close(&s);
}

static void a_restored_dm_is_made_anew_and_shown_as_one(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    restore_on_new_device(&s);
    person *d = &s.device;
    xmtp_conversation_id fresh;
    assert_ok(d, xmtp_client_dm(d->client, xmtp_client_inbox_id(s.p[1].client), &fresh, &d->error));
    assert_memory_not_equal(fresh.p, s.dm.p, fresh.n);
    send_text(d, &s.dm, "three"); /* the id of the old one stands for both */
    assert_texts(d, &fresh, "one|two|three|");
    sync_all(&s.p[1]);
    assert_texts(&s.p[1], &s.dm, "one|two|three|");
    person_close(d);
    scene_close(&s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(everything_comes_back_on_another_device),
        TEST(importing_twice_changes_nothing),
        TEST(nothing_can_be_sent_to_a_restored_conversation_and_the_error_says_why),
        TEST(a_welcome_makes_a_restored_group_an_ordinary_one_that_keeps_its_messages),
        TEST(a_restored_dm_is_made_anew_and_shown_as_one),
    };
    return cmocka_run_group_tests_name("archive", tests, NULL, NULL);
}
