/* archive_test.c - archives of whole clients: what comes back, what is left alone, and what becomes of a
 * restored conversation. */
#include "archive_craft.h"
#include "client/content.h"
#include "client/group_create.h"
#include "one_network.h"

#include <dirent.h>
#include <sys/stat.h>

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
    people_talk(s->p, &s->dm, &s->group);
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

static xmtp_status count_deleted(void *context, const xmtp_enriched_message *message)
{
    *(size_t *)context += message->deleted_by != NULL && message->message.text == NULL;
    return XMTP_OK;
}

static void what_was_taken_back_stays_so_after_a_restore(void **state)
{
    (void)state;
    scene s;
    uint8_t by_sender[XMTP_MESSAGE_ID_LEN];
    uint8_t by_admin[XMTP_MESSAGE_ID_LEN];
    size_t deleted = 0;
    scene_open(&s);
    person *a = &s.p[0];
    person *b = &s.p[1];
    assert_ok(a, xmtp_client_send_text(a->client, &s.dm, "oops", by_sender, &a->error));
    assert_ok(b, xmtp_client_send_text(b->client, &s.group, "no!", by_admin, &b->error));
    sync_all(a);
    assert_ok(a, xmtp_client_delete_message(a->client, by_sender, &a->error));
    assert_ok(a, xmtp_client_delete_message(a->client, by_admin, &a->error));
    restore_on_new_device(&s);
    const xmtp_message_query query = {.kind = XMTP_MESSAGE_APPLICATION};
    assert_ok(&s.device, xmtp_client_messages_enriched(s.device.client, &query, count_deleted,
                                                       &deleted, &s.device.error));
    assert_int_equal(deleted, 2);
    person_close(&s.device);
    scene_close(&s);
}

/* An archive may be newer than what this device has read of a conversation that it is in. */
static void what_an_archive_had_first_takes_effect_when_it_comes(void **state)
{
    (void)state;
    scene s;
    uint8_t by_admin[XMTP_MESSAGE_ID_LEN];
    size_t deleted = 0;
    xmtp_queue_entry entry;
    scene_open(&s);
    person *a = &s.p[0];
    person *b = &s.p[1];
    person_open_device(&s.device, a);
    network_advance(&net, 60);
    send_text(a, &s.group, "a device is new");
    sync_all(&s.device);
    assert_ok(&s.device, xmtp_client_queue_enable(s.device.client, &s.device.error));
    sync_all(b);
    assert_ok(b, xmtp_client_send_text(b->client, &s.group, "no!", by_admin, &b->error));
    sync_all(a);
    assert_ok(a, xmtp_client_delete_message(a->client, by_admin, &a->error));
    export_all(&s);
    import_all(&s, &s.device);
    sync_all(&s.device);
    const xmtp_message_query query = {.kind = XMTP_MESSAGE_APPLICATION};
    assert_ok(&s.device, xmtp_client_messages_enriched(s.device.client, &query, count_deleted,
                                                       &deleted, &s.device.error));
    assert_int_equal(deleted, 1);
    assert_ok(&s.device, xmtp_client_queue_next(s.device.client, &entry, NULL, &s.device.error));
    assert_memory_equal(entry.message.id, by_admin, sizeof(by_admin));
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

/* ---- options */

static xmtp_status stop(void *context, const xmtp_archive_counts *so_far)
{
    (void)so_far;
    return --*(int *)context < 0 ? XMTP_E_CANCELLED : XMTP_OK;
}

static void only_what_is_asked_for_is_exported(void **state)
{
    (void)state;
    scene s;
    xmtp_archive_metadata metadata;
    scene_open(&s);
    person *p = &s.p[0];
    uint64_t now_ns = net.clock_ns;
    const struct {
        xmtp_archive_options options;
        uint64_t consents;
        uint64_t conversations;
        uint64_t messages;
    } cases[] = {
        {{.elements = XMTP_ARCHIVE_CONSENT}, 2, 0, 0},
        {{.elements = XMTP_ARCHIVE_MESSAGES}, 0, 2, 3},
        {{.start_ns = now_ns + 3600 * UINT64_C(1000000000)}, 2, 2, 0},
        {{.end_ns = 1}, 2, 0, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_ok(p, xmtp_client_archive_export(p->client, s.path, key, &cases[i].options, NULL,
                                                &s.counts, &p->error));
        assert_int_equal(s.counts.consents, cases[i].consents);
        assert_int_equal(s.counts.conversations, cases[i].conversations);
        assert_int_equal(s.counts.messages, cases[i].messages);
        assert_ok(p, xmtp_archive_metadata_read(s.path, key, &metadata, &p->error));
        uint32_t elements = cases[i].options.elements;
        assert_int_equal(metadata.elements, elements == 0 ? 3 : elements);
        assert_int_equal(metadata.start_ns, cases[i].options.start_ns);
        assert_int_equal(metadata.end_ns, cases[i].options.end_ns);
        assert_int_equal(metadata.exported_ns, net.clock_ns);
        struct stat file;
        assert_int_equal(stat(s.path, &file), 0);
        assert_int_equal(file.st_mode & 0777, 0600);
        assert_int_equal(file.st_size, s.counts.bytes);
    }
    const xmtp_archive_options wrong[] = {{.elements = 4}, {.start_ns = 2, .end_ns = 2}};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(
            xmtp_client_archive_export(p->client, s.path, key, &wrong[i], NULL, NULL, &p->error),
            XMTP_E_ARGUMENT);
    }
    scene_close(&s);
}

static void assert_no_part_is_left(void)
{
    DIR *folder = opendir(net.folder);
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        assert_null(strstr(entry->d_name, ".part"));
    }
    (void)closedir(folder);
}

static void an_export_that_ends_early_leaves_the_file_that_was_there(void **state)
{
    (void)state;
    scene s;
    xmtp_archive_metadata metadata;
    scene_open(&s);
    person *p = &s.p[0];
    export_all(&s);
    for (int good = 0; good < 3; good++) {
        int left = good;
        const xmtp_archive_progress progress = {.context = &left, .tell = stop};
        assert_int_equal(
            xmtp_client_archive_export(p->client, s.path, key, NULL, &progress, NULL, &p->error),
            XMTP_E_CANCELLED);
        assert_ok(p, xmtp_archive_metadata_read(s.path, key, &metadata, &p->error));
    }
    assert_no_part_is_left();
    scene_close(&s);
}

static void an_export_to_the_name_of_a_folder_leaves_nothing_behind(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    person *p = &s.p[0];
    assert_int_equal(mkdir(s.path, 0700), 0);
    assert_int_equal(
        xmtp_client_archive_export(p->client, s.path, key, NULL, NULL, NULL, &p->error), XMTP_E_IO);
    assert_no_part_is_left();
    assert_int_equal(rmdir(s.path), 0);
    scene_close(&s);
}

static void messages_that_disappear_are_left_out_or_get_their_time_again(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    person *p = &s.p[0];
    assert_ok(p, xmtp_client_set_disappearing(p->client, &s.group, 1, 30 * UINT64_C(1000000000),
                                              &p->error));
    send_text(p, &s.group, "soon gone");
    const xmtp_archive_options lasting = {.exclude_disappearing = true};
    assert_ok(p, xmtp_client_archive_export(p->client, s.path, key, &lasting, NULL, &s.counts,
                                            &p->error));
    assert_int_equal(s.counts.messages, 3);
    export_all(&s);
    assert_int_equal(s.counts.messages, 4);
    person_open_device(&s.device, p);
    import_all(&s, &s.device);
    /* What was said before it was switched on is taken to disappear, too: from_ns is 1. */
    assert_texts(&s.device, &s.group, "three|soon gone|");
    network_advance(&net, 600);
    sync_all(&s.device);
    assert_texts(&s.device, &s.group, "");
    person_close(&s.device);
    /* Imported after its time it does not even appear. */
    person_open_device(&s.device, p);
    import_all(&s, &s.device);
    assert_int_equal(s.counts.skipped, 2);
    assert_texts(&s.device, &s.group, "");
    assert_texts(&s.device, &s.dm, "one|two|");
    person_close(&s.device);
    scene_close(&s);
}

static void what_was_restored_can_be_archived_again(void **state)
{
    (void)state;
    scene s;
    xmtp_conversation_details details;
    scene_open(&s);
    assert_ok(&s.p[0], xmtp_client_group_set(s.p[0].client, &s.group, XMTP_FIELD_DESCRIPTION,
                                             "described", &s.p[0].error));
    restore_on_new_device(&s);
    person second = s.device;
    assert_ok(&second, xmtp_client_archive_export(second.client, s.path, key, NULL, NULL, &s.counts,
                                                  &second.error));
    assert_int_equal(s.counts.messages, 3);
    person third;
    person_open_device(&third, &s.p[0]);
    import_all(&s, &third);
    assert_int_equal(s.counts.messages, 3);
    assert_texts(&third, &s.dm, "one|two|");
    assert_ok(&third,
              xmtp_client_conversation_details(third.client, &s.group, &details, &third.error));
    assert_string_equal(details.name, "group");
    assert_string_equal(details.description, "described");
    assert_string_equal(details.creator_inbox, xmtp_client_inbox_id(s.p[0].client));
    assert_true(details.is_super_admin);
    person_close(&third);
    person_close(&second);
    scene_close(&s);
}

static void what_was_unsent_is_marked_so_and_sent_when_it_comes(void **state)
{
    (void)state;
    scene s;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    xmtp_message message;
    scene_open(&s);
    person *p = &s.p[0];
    const xmtp_send_options later = {.is_optimistic = true};
    xmtp_writer w;
    xmtp_writer_init(&w, &net.env.alloc, XMTP_WRITER_MAX);
    assert_int_equal(xmtp_content_text(&w, "unsent"), XMTP_OK);
    assert_ok(p, xmtp_client_send_with(p->client, &s.group, xmtp_writer_bytes(&w), &later, id,
                                       &p->error));
    xmtp_writer_free(&w);
    restore_on_new_device(&s);
    person *d = &s.device;
    assert_ok(d, xmtp_client_message(d->client, id, &message, &d->error));
    assert_int_equal(message.delivery, XMTP_DELIVERY_FAILED);
    network_advance(&net, 60);
    send_text(&s.p[1], &s.group, "welcome");
    sync_all(d);
    sync_all(p);
    sync_all(d);
    assert_ok(d, xmtp_client_message(d->client, id, &message, &d->error));
    assert_int_equal(message.delivery, XMTP_DELIVERY_PUBLISHED);
    person_close(d);
    scene_close(&s);
}

/* ---- archives made by hand */

/* One person and the path of an archive. */
typedef struct reader {
    person p;
    char path[PATH_LEN + 16];
    xmtp_archive_counts counts;
} reader;

static void reader_open(reader *r)
{
    memset(r, 0, sizeof(*r));
    person_open(&r->p, &net);
    (void)snprintf(r->path, sizeof(r->path), "%s/archive", net.folder);
}

static void reader_close(reader *r)
{
    (void)unlink(r->path);
    person_close(&r->p);
}

static xmtp_status read_archive(reader *r)
{
    return xmtp_client_archive_import(r->p.client, r->path, key, NULL, &r->counts, &r->p.error);
}

static const char group_id[] = "0123456789abcdef";
static const char message_id[] = "0123456789abcdef0123456789abcdef";

static void
a_welcome_puts_no_other_kind_of_conversation_in_the_place_of_a_restored_one(void **state)
{
    (void)state;
    scene s;
    crafted c;
    scene_open(&s);
    person_open_device(&s.device, &s.p[0]);
    char dm_id[XMTP_DM_ID_LEN + 1];
    xmtp_dm_id(xmtp_client_inbox_id(s.p[0].client), xmtp_client_inbox_id(s.p[1].client), dm_id);
    Pb__GroupSave group = group_save((const char *)s.group.p, XMTP_CONVERSATION_DM);
    group.dm_id = dm_id;
    craft(&c, s.path, true);
    put(&c, PB__BACKUP_ELEMENT__ELEMENT_GROUP, &group);
    craft_end(&c);
    import_all(&s, &s.device);
    network_advance(&net, 60);
    send_text(&s.p[1], &s.group, "to the group");
    sync_all(&s.device);
    xmtp_conversation kept = conversation_of(&s.device, &s.group);
    assert_int_equal(kept.kind, XMTP_CONVERSATION_DM);
    assert_int_equal(kept.state, XMTP_MEMBERSHIP_RESTORED);
    assert_texts(&s.device, &s.group, "");
    person_close(&s.device);
    scene_close(&s);
}

static void an_archive_begins_with_its_metadata(void **state)
{
    (void)state;
    reader r;
    crafted c;
    reader_open(&r);
    craft(&c, r.path, false);
    craft_end(&c);
    assert_int_equal(read_archive(&r), XMTP_E_MALFORMED);
    Pb__GroupSave group = group_save(group_id, 1);
    craft(&c, r.path, false);
    put(&c, PB__BACKUP_ELEMENT__ELEMENT_GROUP, &group);
    craft_end(&c);
    assert_int_equal(read_archive(&r), XMTP_E_MALFORMED);
    assert_non_null(strstr(r.p.error.text, "no metadata"));
    assert_int_equal(r.counts.conversations, 0);
    reader_close(&r);
}

static void the_newer_decision_counts(void **state)
{
    (void)state;
    reader r;
    crafted c;
    xmtp_consent_state now;
    char inbox[65];
    memset(inbox, 'a', 64);
    inbox[64] = '\0';
    reader_open(&r);
    const struct {
        int32_t state; /* on the wire: one more */
        int64_t at_ns;
        xmtp_consent_state then;
    } steps[] = {{2, 10, XMTP_CONSENT_ALLOWED},
                 {3, 9, XMTP_CONSENT_ALLOWED},
                 {3, 10, XMTP_CONSENT_ALLOWED},
                 {3, 11, XMTP_CONSENT_DENIED},
                 {1, 12, XMTP_CONSENT_UNKNOWN}};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        Pb__SyncConsent save = consent_save(inbox, steps[i].state, steps[i].at_ns);
        craft(&c, r.path, true);
        put(&c, PB__BACKUP_ELEMENT__ELEMENT_CONSENT, &save);
        craft_end(&c);
        assert_ok(&r.p, read_archive(&r));
        assert_ok(&r.p,
                  xmtp_client_consent(r.p.client, XMTP_CONSENT_INBOX, inbox, &now, &r.p.error));
        assert_int_equal(now, steps[i].then);
    }
    reader_close(&r);
}

/* Kinds, lengths and numbers that no honest archive has. */
static void elements_of_no_use_are_stepped_over_and_counted(void **state)
{
    (void)state;
    reader r;
    crafted c;
    reader_open(&r);
    const char *self = xmtp_client_inbox_id(r.p.client);
    size_t expected = 0;
    craft(&c, r.path, true);
    Pb__SyncConsent consents[] = {consent_save("short", 2, 1), consent_save(self, 0, 1),
                                  consent_save(self, 5, 1), consent_save(NULL, 2, 1),
                                  consent_save(self, INT32_MIN, 1)};
    consents[3].entity = NULL;
    for (size_t i = 0; i < 5; i++, expected++) {
        put(&c, PB__BACKUP_ELEMENT__ELEMENT_CONSENT, &consents[i]);
    }
    Pb__GroupSave groups[] = {group_save(group_id, 0), group_save(group_id, 3),
                              group_save(group_id, 2), group_save(group_id, 2),
                              group_save(group_id, 1), group_save(group_id, 1)};
    char others[] = "dm:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:"
                    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    groups[3].dm_id = others;
    groups[4].id.len = 0;
    static uint8_t long_id[33];
    groups[5].id = xmtp_proto_data(xmtp_bytes_of(long_id, sizeof(long_id)));
    for (size_t i = 0; i < 6; i++, expected++) {
        put(&c, PB__BACKUP_ELEMENT__ELEMENT_GROUP, &groups[i]);
    }
    Pb__GroupMessageSave stray = message_save(message_id, group_id, self);
    put(&c, PB__BACKUP_ELEMENT__ELEMENT_GROUP_MESSAGE, &stray); /* of no conversation */
    expected++;
    Pb__GroupSave good = group_save(group_id, 1);
    put(&c, PB__BACKUP_ELEMENT__ELEMENT_GROUP, &good);
    for (size_t i = 0; i < 8; i++, expected++) {
        Pb__GroupMessageSave bad = message_save(message_id, group_id, self);
        bad.id.len -= i == 0;
        bad.sent_at_ns = i == 1 ? -1 : 5;
        bad.kind = i == 2 ? 3 : 1;
        bad.kind = i == 3 ? -1 : bad.kind;
        bad.delivery_status = i == 4 ? 4 : 2;
        bad.sender_inbox_id = i == 5 ? NULL : i == 6 ? others : bad.sender_inbox_id;
        bad.sender_installation_id = xmtp_proto_data(xmtp_bytes_of(long_id, i == 7 ? 33 : 32));
        bad.has_sender_installation_id = 1;
        put(&c, PB__BACKUP_ELEMENT__ELEMENT_GROUP_MESSAGE, &bad);
    }
    put_raw(&c, (xmtp_bytes){0});                      /* an element of nothing */
    put_raw(&c, xmtp_bytes_of("\x2a\x02\x08\x01", 4)); /* field 5: of a later version */
    expected += 2;
    Pb__GroupMessageSave message = message_save(message_id, group_id, self);
    put(&c, PB__BACKUP_ELEMENT__ELEMENT_GROUP_MESSAGE, &message);
    craft_end(&c);
    assert_ok(&r.p, read_archive(&r));
    assert_int_equal(r.counts.skipped, expected);
    assert_int_equal(r.counts.consents, 0);
    assert_int_equal(r.counts.conversations, 1);
    assert_int_equal(r.counts.messages, 1);
    reader_close(&r);
}

static void thousands_of_the_wrong_kind_cost_no_memory_and_do_nothing(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    reader r;
    crafted c;
    Pb__SyncArchiveMetadata metadata = PB__SYNC_ARCHIVE_METADATA__INIT;
    reader_open(&r);
    craft(&c, r.path, true);
    for (int i = 0; i < MANY; i++) {
        put(&c, PB__BACKUP_ELEMENT__ELEMENT_METADATA, &metadata);
    }
    craft_end(&c);
    assert_ok(&r.p, read_archive(&r));
    assert_int_equal(r.counts.skipped, MANY);
    reader_close(&r);
}

/* The element behind 150 good ones cannot be read: those are kept, and the error tells both. */
static void what_comes_before_a_fault_is_kept_and_counted(void **state)
{
    (void)state;
    enum { GOOD = 150 };
    static const struct {
        const char *bytes;
        size_t n;
    } faults[] = {{"\x0a\x7f", 2}, {"\x12\x04\x4a\x02\xff\xfe", 6}, {"\xff", 1}};
    for (size_t f = 0; f < sizeof(faults) / sizeof(faults[0]); f++) {
        reader r;
        crafted c;
        reader_open(&r);
        craft(&c, r.path, true);
        for (int i = 0; i < GOOD; i++) {
            char inbox[65];
            (void)snprintf(inbox, sizeof(inbox), "%064d", i);
            Pb__SyncConsent save = consent_save(inbox, 2, 1);
            put(&c, PB__BACKUP_ELEMENT__ELEMENT_CONSENT, &save);
        }
        put_raw(&c, xmtp_bytes_of(faults[f].bytes, faults[f].n));
        craft_end(&c);
        assert_int_equal(read_archive(&r), XMTP_E_MALFORMED);
        assert_int_equal(r.counts.consents, GOOD);
        assert_non_null(strstr(r.p.error.text, "element 151"));
        assert_non_null(strstr(r.p.error.text, "150 decisions"));
        assert_int_equal(read_archive(&r), XMTP_E_MALFORMED);
        assert_int_equal(r.counts.known, GOOD);
        reader_close(&r);
    }
}

static void a_conversation_that_is_too_long_is_refused(void **state)
{
    (void)state;
    reader r;
    crafted c;
    reader_open(&r);
    char *name = malloc(XMTP_GROUP_SAVE_MAX + 1);
    assert_non_null(name);
    memset(name, 'n', XMTP_GROUP_SAVE_MAX);
    name[XMTP_GROUP_SAVE_MAX] = '\0';
    Pb__GroupSave group = group_save(group_id, 1);
    group.added_by_inbox_id = name;
    craft(&c, r.path, true);
    put(&c, PB__BACKUP_ELEMENT__ELEMENT_GROUP, &group);
    craft_end(&c);
    assert_int_equal(read_archive(&r), XMTP_E_LIMIT);
    assert_non_null(strstr(r.p.error.text, "at most 262144"));
    assert_int_equal(r.counts.conversations, 0);
    free(name);
    reader_close(&r);
}

/* Read it fits; written anew a number of five bytes has ten. */
static void a_conversation_that_gets_too_long_leaves_nothing_behind(void **state)
{
    (void)state;
    static const uint8_t head[] = "\x0a\x10"
                                  "0123456789abcdef"
                                  "\x18\xff\xff\xff\xff\x0f"
                                  "\x40\x01\x2a";
    static uint8_t element[XMTP_GROUP_SAVE_MAX];
    enum { BODY = sizeof(element) - 4, NAME = BODY - (sizeof(head) - 1) - 3 };
    const uint8_t lengths[] = {0x12, (BODY & 0x7f) | 0x80, ((BODY >> 7) & 0x7f) | 0x80, BODY >> 14};
    const uint8_t name_length[] = {(NAME & 0x7f) | 0x80, ((NAME >> 7) & 0x7f) | 0x80, NAME >> 14};
    reader r;
    crafted c;
    xmtp_conversation found;
    xmtp_conversation_id id = {.n = 16};
    memcpy(id.p, group_id, 16);
    memset(element, 'n', sizeof(element));
    memcpy(element, lengths, 4);
    memcpy(element + 4, head, sizeof(head) - 1);
    memcpy(element + 4 + sizeof(head) - 1, name_length, 3);
    reader_open(&r);
    craft(&c, r.path, true);
    put_raw(&c, xmtp_bytes_of(element, sizeof(element)));
    craft_end(&c);
    assert_int_equal(read_archive(&r), XMTP_E_LIMIT);
    assert_int_equal(xmtp_client_conversation(r.p.client, &id, &found, &r.p.error),
                     XMTP_E_NOT_FOUND);
    reader_close(&r);
}

static void every_cut_of_an_archive_is_told_and_a_whole_copy_completes_it(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    export_all(&s);
    uint64_t whole = s.counts.bytes;
    char part[sizeof(s.path) + 8];
    char command[3 * PATH_LEN];
    (void)snprintf(part, sizeof(part), "%s-cut", s.path);
    person_open_device(&s.device, &s.p[0]);
    for (uint64_t n = 0; n < whole; n += 1 + whole / 16) {
        (void)snprintf(command, sizeof(command), "head -c %d %s > %s", (int)n, s.path, part);
        assert_int_equal(system(command), 0);
        assert_int_equal(
            xmtp_client_archive_import(s.device.client, part, key, NULL, NULL, &s.device.error),
            XMTP_E_TRUNCATED);
    }
    (void)unlink(part);
    import_all(&s, &s.device);
    assert_texts(&s.device, &s.dm, "one|two|");
    static const uint8_t wrong[XMTP_ARCHIVE_KEY_LEN];
    assert_int_equal(xmtp_client_archive_import(s.device.client, s.path, wrong, NULL, &s.counts,
                                                &s.device.error),
                     XMTP_E_AUTH);
    assert_int_equal(
        xmtp_client_archive_import(s.device.client, part, key, NULL, &s.counts, &s.device.error),
        XMTP_E_IO);
    assert_non_null(strstr(s.device.error.text, "No such file"));
    person_close(&s.device);
    scene_close(&s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(everything_comes_back_on_another_device),
        TEST(what_was_taken_back_stays_so_after_a_restore),
        TEST(what_an_archive_had_first_takes_effect_when_it_comes),
        TEST(importing_twice_changes_nothing),
        TEST(nothing_can_be_sent_to_a_restored_conversation_and_the_error_says_why),
        TEST(a_welcome_makes_a_restored_group_an_ordinary_one_that_keeps_its_messages),
        TEST(a_restored_dm_is_made_anew_and_shown_as_one),
        TEST(only_what_is_asked_for_is_exported),
        TEST(an_export_to_the_name_of_a_folder_leaves_nothing_behind),
        TEST(an_export_that_ends_early_leaves_the_file_that_was_there),
        TEST(messages_that_disappear_are_left_out_or_get_their_time_again),
        TEST(what_was_restored_can_be_archived_again),
        TEST(what_was_unsent_is_marked_so_and_sent_when_it_comes),
        TEST(a_welcome_puts_no_other_kind_of_conversation_in_the_place_of_a_restored_one),
        TEST(an_archive_begins_with_its_metadata),
        TEST(the_newer_decision_counts),
        TEST(elements_of_no_use_are_stepped_over_and_counted),
        TEST(thousands_of_the_wrong_kind_cost_no_memory_and_do_nothing),
        TEST(what_comes_before_a_fault_is_kept_and_counted),
        TEST(a_conversation_that_is_too_long_is_refused),
        TEST(a_conversation_that_gets_too_long_leaves_nothing_behind),
        TEST(every_cut_of_an_archive_is_told_and_a_whole_copy_completes_it),
    };
    return cmocka_run_group_tests_name("archive", tests, NULL, NULL);
}
