/* device_sync_test.c - two installations of one inbox keep each other up to date, and take nothing from
 * anybody else. */
#include "client/device_sync.h"
#include "client/group_create.h"
#include "one_network.h"
#include "store/device_sync_store.h"

#include <xmtp/identity.h>

static const xmtp_device_sync_options device_sync = {.is_on = true};

static int set_up_on(void **state)
{
    set_up(state);
    net.device_sync = &device_sync;
    return 0;
}

/* Everything that one told has reached the other, and what that made it say. */
static void settle(person *a, person *b)
{
    for (int i = 0; i < 2; i++) {
        sync_all(a);
        sync_all(b);
    }
}

/* Two installations of one inbox that know each other. */
static void devices_open(person *a, person *b)
{
    person_open(a, &net);
    sync_all(a);
    person_open_device(b, a);
    sync_all(b);
    settle(a, b);
}

static void set_inbox(person *p, const char *inbox_id, xmtp_consent_state state)
{
    const xmtp_consent record = {
        .entity_type = XMTP_CONSENT_INBOX, .entity = inbox_id, .state = state};
    assert_ok(p, xmtp_client_set_consent(p->client, &record, 1, &p->error));
}

static xmtp_consent_state inbox_consent(person *p, const char *inbox_id)
{
    xmtp_consent_state state;
    assert_ok(p, xmtp_client_consent(p->client, XMTP_CONSENT_INBOX, inbox_id, &state, &p->error));
    return state;
}

static const char somebody[] = "00000000000000000000000000000000000000000000000000000000000000aa";

static void assert_same_root(person *a, person *b)
{
    assert_ok(a, xmtp_hmac_root(a->client, &a->error));
    assert_ok(b, xmtp_hmac_root(b->client, &b->error));
    assert_memory_equal(a->client->hmac_root, b->client->hmac_root, XMTP_HMAC_ROOT_LEN);
}

static void copy_root(person *p, uint8_t out[XMTP_HMAC_ROOT_LEN])
{
    assert_ok(p, xmtp_hmac_root(p->client, &p->error));
    memcpy(out, p->client->hmac_root, XMTP_HMAC_ROOT_LEN);
}

/* ---- preferences */

static void consent_decided_on_one_arrives_on_the_other(void **state)
{
    (void)state;
    person a;
    person b;
    devices_open(&a, &b);
    set_inbox(&a, somebody, XMTP_CONSENT_DENIED);
    settle(&a, &b);
    assert_int_equal(inbox_consent(&b, somebody), XMTP_CONSENT_DENIED);
    set_inbox(&b, somebody, XMTP_CONSENT_ALLOWED);
    settle(&b, &a);
    assert_int_equal(inbox_consent(&a, somebody), XMTP_CONSENT_ALLOWED);
    person_close(&b);
    person_close(&a);
}

static xmtp_consent_state consent_of(person *p, const xmtp_conversation_id *id)
{
    return conversation_of(p, id).consent;
}

static void consent_to_a_conversation_arrives_on_the_other(void **state)
{
    (void)state;
    person p[2];
    person device;
    xmtp_conversation_id dm;
    xmtp_conversation_id group;
    people_open(p, 2, &net);
    assert_ok(&p[0],
              xmtp_client_dm(p[0].client, xmtp_client_inbox_id(p[1].client), &dm, &p[0].error));
    group_of(p, 2, &group);
    sync_all(&p[0]);
    person_open_device(&device, &p[0]);
    sync_all(&device);
    settle(&p[0], &device);
    assert_int_equal(consent_of(&device, &dm), XMTP_CONSENT_ALLOWED);
    network_advance(&net, 1);
    assert_ok(&device, xmtp_client_set_conversation_consent(device.client, &dm, XMTP_CONSENT_DENIED,
                                                            &device.error));
    assert_ok(&p[0], xmtp_client_set_conversation_consent(p[0].client, &group, XMTP_CONSENT_DENIED,
                                                          &p[0].error));
    settle(&device, &p[0]);
    assert_int_equal(consent_of(&p[0], &dm), XMTP_CONSENT_DENIED);
    assert_int_equal(consent_of(&device, &group), XMTP_CONSENT_DENIED);
    person_close(&device);
    people_close(p, 2);
}

static void what_was_decided_last_counts_although_a_clock_is_behind(void **state)
{
    (void)state;
    person a;
    person b;
    devices_open(&a, &b);
    set_inbox(&a, somebody, XMTP_CONSENT_DENIED);
    settle(&a, &b);
    net.clock_ns -= 600 * XMTP_SECOND_NS; /* b thinks that it is earlier */
    set_inbox(&b, somebody, XMTP_CONSENT_ALLOWED);
    settle(&b, &a);
    assert_int_equal(inbox_consent(&a, somebody), XMTP_CONSENT_ALLOWED);
    assert_int_equal(inbox_consent(&b, somebody), XMTP_CONSENT_ALLOWED);
    person_close(&b);
    person_close(&a);
}

static void many_decisions_go_out_together(void **state)
{
    (void)state;
    person a;
    person b;
    enum { COUNT = 250 };
    char ids[COUNT][XMTP_INBOX_ID_LEN + 1];
    xmtp_consent records[COUNT];
    devices_open(&a, &b);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(ids[i], sizeof(ids[i]), "%064x", 0x1000 + i);
        records[i] = (xmtp_consent){
            .entity_type = XMTP_CONSENT_INBOX, .entity = ids[i], .state = XMTP_CONSENT_ALLOWED};
    }
    assert_ok(&a, xmtp_client_set_consent(a.client, records, COUNT, &a.error));
    uint64_t before = a.wire.sends;
    settle(&a, &b);
    assert_true(a.wire.sends - before <= 3); /* a hundred in a message */
    assert_int_equal(inbox_consent(&b, ids[0]), XMTP_CONSENT_ALLOWED);
    assert_int_equal(inbox_consent(&b, ids[COUNT - 1]), XMTP_CONSENT_ALLOWED);
    person_close(&b);
    person_close(&a);
}

typedef struct heard {
    size_t consents;
    size_t keys;
} heard;

static void hear_consent(void *context, const xmtp_consent *record)
{
    (void)record;
    ((heard *)context)->consents++;
}

static void hear_keys(void *context)
{
    ((heard *)context)->keys++;
}

static void listeners_are_told_of_what_other_devices_decided(void **state)
{
    (void)state;
    person a;
    person b;
    heard h = {0};
    devices_open(&a, &b);
    const xmtp_client_events events = {
        .context = &h, .consent = hear_consent, .hmac_keys = hear_keys};
    xmtp_client_listen(b.client, &events);
    set_inbox(&a, somebody, XMTP_CONSENT_DENIED);
    settle(&a, &b);
    assert_int_equal(h.consents, 1);
    assert_int_equal(h.keys, 0);
    assert_ok(&a, xmtp_hmac_expect_cycle(a.client, &a.error));
    settle(&a, &b);
    assert_int_equal(h.keys, 1);
    person_close(&b);
    person_close(&a);
}

static void a_lost_connection_delays_what_is_told_and_loses_nothing(void **state)
{
    (void)state;
    person a;
    person b;
    devices_open(&a, &b);
    for (uint64_t cut_at = 1; cut_at <= 6; cut_at++) {
        xmtp_consent_state wanted = cut_at % 2 == 0 ? XMTP_CONSENT_ALLOWED : XMTP_CONSENT_DENIED;
        set_inbox(&a, somebody, wanted);
        a.wire.how = cut_at % 3 == 0 ? CUT_BEFORE : CUT_AFTER;
        a.wire.cut_from = a.wire.calls + cut_at;
        a.wire.cut_count = 6;
        xmtp_status status = xmtp_client_sync(a.client, &a.error);
        assert_true(status == XMTP_OK || status == XMTP_E_NETWORK || status == XMTP_E_RETRY);
        a.wire.cut_from = 0;
        person_reopen(&a);
        settle(&a, &b);
        assert_int_equal(inbox_consent(&b, somebody), wanted);
    }
    person_close(&b);
    person_close(&a);
}

/* ---- sync groups */

static xmtp_status count_it(void *context, const xmtp_conversation *conversation)
{
    (void)conversation;
    (*(size_t *)context)++;
    return XMTP_OK;
}

static xmtp_status count_message(void *context, const xmtp_message *message)
{
    (void)message;
    (*(size_t *)context)++;
    return XMTP_OK;
}

static void sync_groups_are_in_no_list_and_no_queue(void **state)
{
    (void)state;
    person a;
    person b;
    size_t count = 0;
    uint64_t next_ns;
    xmtp_queue_entry entry;
    xmtp_arena arena;
    xmtp_group_row row;
    xmtp_conversation_id id;
    xmtp_conversation conversation;
    devices_open(&a, &b);
    assert_ok(&b, xmtp_client_queue_enable(b.client, &b.error));
    set_inbox(&a, somebody, XMTP_CONSENT_DENIED);
    settle(&a, &b);
    assert_ok(&b, xmtp_client_conversations(b.client, count_it, &count, &b.error));
    const xmtp_message_query every = {0};
    assert_ok(&b, xmtp_client_messages(b.client, &every, count_message, &count, &b.error));
    assert_int_equal(count, 0);
    assert_int_equal(xmtp_client_queue_next(b.client, &entry, &next_ns, &b.error),
                     XMTP_E_NOT_FOUND);
    xmtp_scratch(b.client, &arena);
    assert_int_equal(xmtp_sync_group_newest(b.client->db, &arena, &row), XMTP_OK);
    id = (xmtp_conversation_id){.n = row.group_id.n};
    memcpy(id.p, row.group_id.p, row.group_id.n);
    assert_int_equal(xmtp_client_conversation(b.client, &id, &conversation, &b.error),
                     XMTP_E_NOT_FOUND);
    assert_int_equal(xmtp_client_send_text(b.client, &id, "no", NULL, &b.error), XMTP_E_NOT_FOUND);
    xmtp_message_row *rows;
    size_t row_count;
    xmtp_message message;
    assert_int_equal(xmtp_sync_messages(b.client->db, 0, 10, &arena, &rows, &row_count), XMTP_OK);
    assert_true(row_count > 0);
    assert_int_equal(xmtp_client_message(b.client, rows[0].message_id.p, &message, &b.error),
                     XMTP_E_NOT_FOUND);
    xmtp_arena_reset(&arena);
    person_close(&b);
    person_close(&a);
}

static void each_installation_makes_one_group_and_keeps_it(void **state)
{
    (void)state;
    person a;
    person b;
    devices_open(&a, &b);
    uint64_t sends = a.wire.sends;
    person_reopen(&a);
    settle(&a, &b);
    assert_int_equal(a.wire.sends, sends);
    person_close(&b);
    person_close(&a);
}

static void without_the_option_no_group_is_made_or_taken(void **state)
{
    (void)state;
    person a;
    person b;
    net.device_sync = NULL;
    person_open(&a, &net);
    sync_all(&a);
    assert_int_equal(a.wire.sends, 0);
    net.device_sync = &device_sync;
    person_open_device(&b, &a);
    sync_all(&b);
    sync_all(&a);
    xmtp_arena arena;
    xmtp_group_row row;
    xmtp_scratch(a.client, &arena);
    assert_int_equal(xmtp_sync_group_newest(a.client->db, &arena, &row), XMTP_E_NOT_FOUND);
    xmtp_arena_reset(&arena);
    assert_int_equal(xmtp_client_sync_devices(a.client, &a.error), XMTP_E_ARGUMENT);
    set_inbox(&a, somebody, XMTP_CONSENT_DENIED);
    settle(&a, &b);
    assert_int_equal(inbox_consent(&b, somebody), XMTP_CONSENT_UNKNOWN);
    person_close(&b);
    person_close(&a);
}

static void devices_can_be_synced_without_the_conversations(void **state)
{
    (void)state;
    person a;
    person b;
    devices_open(&a, &b);
    set_inbox(&a, somebody, XMTP_CONSENT_DENIED);
    assert_ok(&a, xmtp_client_sync_devices(a.client, &a.error));
    assert_ok(&b, xmtp_client_sync_devices(b.client, &b.error));
    assert_int_equal(inbox_consent(&b, somebody), XMTP_CONSENT_DENIED);
    person_close(&b);
    person_close(&a);
}

static void poll_both(person *a, person *b)
{
    for (int i = 0; i < 3; i++) {
        xmtp_status of_a = xmtp_client_poll(a->client, 0, &a->error);
        xmtp_status of_b = xmtp_client_poll(b->client, 0, &b->error);
        assert_true(of_a == XMTP_OK || of_a == XMTP_E_TIMEOUT);
        assert_true(of_b == XMTP_OK || of_b == XMTP_E_TIMEOUT);
    }
}

static void poll_tells_and_hears(void **state)
{
    (void)state;
    person a;
    person b;
    devices_open(&a, &b);
    poll_both(&a, &b);
    set_inbox(&a, somebody, XMTP_CONSENT_DENIED);
    poll_both(&a, &b);
    assert_int_equal(inbox_consent(&b, somebody), XMTP_CONSENT_DENIED);
    person_close(&b);
    person_close(&a);
}

/* ---- installations that come and go */

static void people_with_dm(person p[2], xmtp_conversation_id *dm)
{
    people_open(p, 2, &net);
    assert_ok(&p[0],
              xmtp_client_dm(p[0].client, xmtp_client_inbox_id(p[1].client), dm, &p[0].error));
    sync_all(&p[0]);
}

static void assert_is_in(person *newcomer, person *other, const xmtp_conversation_id *dm)
{
    sync_all(newcomer);
    send_text(other, dm, "after");
    sync_all(newcomer);
    assert_texts(newcomer, dm, "after|");
}

static void a_newcomer_is_in_the_conversations_after_one_sync_of_another_device(void **state)
{
    (void)state;
    person p[2];
    person b;
    xmtp_conversation_id dm;
    people_with_dm(p, &dm);
    send_text(&p[0], &dm, "before");
    person_open_device(&b, &p[0]);
    sync_all(&b);
    sync_all(&p[0]); /* hears of the newcomer and takes it in */
    assert_is_in(&b, &p[0], &dm);
    person_close(&b);
    people_close(p, 2);
}

/* The other device adds it to the sync group that there is, so it never makes one of its own. */
static void a_newcomer_that_makes_no_sync_group_is_taken_in_as_well(void **state)
{
    (void)state;
    person p[2];
    person b;
    xmtp_conversation_id dm;
    people_with_dm(p, &dm);
    person_open_device(&b, &p[0]);
    set_inbox(&p[0], somebody, XMTP_CONSENT_DENIED);
    sync_all(&p[0]); /* tells of the decision, and finds the newcomer on the way */
    sync_all(&p[0]);
    assert_is_in(&b, &p[0], &dm);
    settle(&p[0], &b);
    assert_same_root(&p[0], &b);
    person_close(&b);
    people_close(p, 2);
}

static xmtp_status unary_without_key_packages(void *context, const char *path, xmtp_bytes request,
                                              xmtp_writer *response, xmtp_error *error)
{
    if (strstr(path, "FetchKeyPackages") != NULL) {
        xmtp_writer_clear(response);
        return XMTP_E_RPC_EXHAUSTED;
    }
    return wire_unary(context, path, request, response, error);
}

static void a_newcomer_is_not_forgotten_when_the_node_has_had_enough(void **state)
{
    (void)state;
    person p[2];
    person b;
    xmtp_conversation_id dm;
    people_with_dm(p, &dm);
    person_open_device(&b, &p[0]);
    sync_all(&b);
    p[0].wire.outer.unary = unary_without_key_packages;
    assert_int_equal(xmtp_client_sync(p[0].client, &p[0].error), XMTP_E_RPC_EXHAUSTED);
    p[0].wire.outer.unary = wire_unary;
    sync_all(&p[0]);
    assert_is_in(&b, &p[0], &dm);
    person_close(&b);
    people_close(p, 2);
}

static void a_newcomer_gets_a_new_root_that_all_have(void **state)
{
    (void)state;
    person a;
    person b;
    uint8_t before[XMTP_HMAC_ROOT_LEN];
    uint8_t after[XMTP_HMAC_ROOT_LEN];
    person_open(&a, &net);
    sync_all(&a);
    copy_root(&a, before);
    person_open_device(&b, &a);
    sync_all(&b);
    settle(&a, &b);
    copy_root(&a, after);
    assert_memory_not_equal(before, after, sizeof(before));
    assert_same_root(&a, &b);
    person_reopen(&b);
    assert_same_root(&a, &b);
    person_close(&b);
    person_close(&a);
}

static void three_devices_agree_on_the_root(void **state)
{
    (void)state;
    person a;
    person b;
    person c;
    devices_open(&a, &b);
    person_open_device(&c, &a);
    sync_all(&c);
    for (int i = 0; i < 3; i++) {
        settle(&a, &b);
        sync_all(&c);
    }
    assert_same_root(&a, &b);
    assert_same_root(&a, &c);
    person_close(&c);
    person_close(&b);
    person_close(&a);
}

static void who_is_revoked_does_not_get_the_next_root(void **state)
{
    (void)state;
    person a;
    person b;
    uint8_t before[XMTP_HMAC_ROOT_LEN];
    uint8_t after[XMTP_HMAC_ROOT_LEN];
    uint8_t of_b[XMTP_HMAC_ROOT_LEN];
    size_t revoked;
    devices_open(&a, &b);
    copy_root(&a, before);
    const xmtp_account_signer account = {.kind = XMTP_ACCOUNT_WALLET, .private_key = a.key};
    assert_ok(&a, xmtp_client_revoke_other_installations(a.client, &account, &revoked, &a.error));
    assert_int_equal(revoked, 1);
    sync_all(&a);
    copy_root(&a, after);
    assert_memory_not_equal(before, after, sizeof(before));
    sync_all(&b);
    copy_root(&b, of_b);
    assert_memory_equal(of_b, before, sizeof(before));
    person_close(&b);
    person_close(&a);
}

/* ---- what must have no effect */

static void say_root(person *p, const uint8_t *key, size_t n, int64_t cycled_ns)
{
    Pb__SyncHmacKey root = PB__SYNC_HMAC_KEY__INIT;
    Pb__SyncPreference update = PB__SYNC_PREFERENCE__INIT;
    Pb__SyncPreference *updates[] = {&update};
    Pb__SyncPreferences preferences = PB__SYNC_PREFERENCES__INIT;
    Pb__DeviceSyncContent content = PB__DEVICE_SYNC_CONTENT__INIT;
    root.has_key = 1;
    root.key = xmtp_proto_data(xmtp_bytes_of(key, n));
    root.has_cycled_at_ns = 1;
    root.cycled_at_ns = cycled_ns;
    update.update_case = PB__SYNC_PREFERENCE__UPDATE_HMAC;
    update.hmac = &root;
    preferences.n_updates = 1;
    preferences.updates = updates;
    content.content_case = PB__DEVICE_SYNC_CONTENT__CONTENT_PREFERENCE_UPDATES;
    content.preference_updates = &preferences;
    assert_ok(p, xmtp_sync_say(p->client, &content, NULL, &p->error));
}

static void a_root_of_another_length_or_an_older_one_is_ignored(void **state)
{
    (void)state;
    person a;
    person b;
    uint8_t before[XMTP_HMAC_ROOT_LEN];
    uint8_t after[XMTP_HMAC_ROOT_LEN];
    const uint8_t other[XMTP_HMAC_ROOT_LEN + 1] = {7};
    devices_open(&a, &b);
    copy_root(&b, before);
    say_root(&a, other, XMTP_HMAC_ROOT_LEN - 1, (int64_t)net.clock_ns);
    say_root(&a, other, XMTP_HMAC_ROOT_LEN + 1, (int64_t)net.clock_ns);
    say_root(&a, other, XMTP_HMAC_ROOT_LEN, 1);
    say_root(&a, other, XMTP_HMAC_ROOT_LEN, -1);
    settle(&a, &b);
    copy_root(&b, after);
    assert_memory_equal(before, after, sizeof(before));
    say_root(&a, other, XMTP_HMAC_ROOT_LEN, (int64_t)net.clock_ns + 1000000);
    settle(&a, &b);
    copy_root(&b, after);
    assert_memory_equal(after, other, sizeof(after));
    person_close(&b);
    person_close(&a);
}

static void consent_with_a_state_or_an_entity_that_is_none_is_ignored(void **state)
{
    (void)state;
    person a;
    person b;
    devices_open(&a, &b);
    static const struct {
        int32_t entity_type;
        int32_t state;
        const char *entity;
        int64_t at_ns;
    } bad[] = {
        {2, 0, somebody, INT64_MAX},        {2, 4, somebody, INT64_MAX},
        {3, 3, somebody, INT64_MAX},        {2, 3, "not an inbox", INT64_MAX},
        {1, 3, "not a group", INT64_MAX},   {1, 3, "", INT64_MAX},
        {2, -2147483647 - 1, somebody, -1},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        Pb__SyncConsent consent = PB__SYNC_CONSENT__INIT;
        Pb__SyncPreference update = PB__SYNC_PREFERENCE__INIT;
        Pb__SyncPreference *updates[] = {&update};
        Pb__SyncPreferences preferences = PB__SYNC_PREFERENCES__INIT;
        Pb__DeviceSyncContent content = PB__DEVICE_SYNC_CONTENT__INIT;
        consent.has_entity_type = 1;
        consent.entity_type = bad[i].entity_type;
        consent.has_state = 1;
        consent.state = bad[i].state;
        consent.entity = (char *)(uintptr_t)bad[i].entity;
        consent.has_consented_at_ns = 1;
        consent.consented_at_ns = bad[i].at_ns;
        update.update_case = PB__SYNC_PREFERENCE__UPDATE_CONSENT;
        update.consent = &consent;
        preferences.n_updates = 1;
        preferences.updates = updates;
        content.content_case = PB__DEVICE_SYNC_CONTENT__CONTENT_PREFERENCE_UPDATES;
        content.preference_updates = &preferences;
        assert_ok(&a, xmtp_sync_say(a.client, &content, NULL, &a.error));
    }
    settle(&a, &b);
    assert_int_equal(inbox_consent(&b, somebody), XMTP_CONSENT_UNKNOWN);
    person_close(&b);
    person_close(&a);
}

static void newest_ref(person *p, int64_t *ref)
{
    xmtp_arena arena;
    xmtp_group_row row;
    xmtp_scratch(p->client, &arena);
    assert_int_equal(xmtp_sync_group_newest(p->client->db, &arena, &row), XMTP_OK);
    *ref = row.ref;
    xmtp_arena_reset(&arena);
}

/* Adds an inbox to the newest sync group, as only a client that breaks the rules does. */
static void add_stranger(person *p, person *stranger)
{
    group_work work;
    int64_t ref;
    const char *ids[] = {xmtp_client_inbox_id(stranger->client)};
    const xmtp_string_list add = {.items = ids, .count = 1};
    const xmtp_string_list nobody = {0};
    newest_ref(p, &ref);
    assert_ok(p, xmtp_work_start(&work, p->client, ref, &p->error));
    assert_ok(p, xmtp_queue_members(p->client, ref, &add, &nobody, &work.awaited, &p->error));
    assert_ok(p, xmtp_work_reload(&work, &p->error));
    assert_ok(p, xmtp_work_rounds(&work, true, &p->error));
    xmtp_work_end(&work);
}

static void a_sync_group_of_somebody_else_is_not_taken(void **state)
{
    (void)state;
    person a;
    person mallory;
    int64_t own;
    int64_t newest;
    person_open(&a, &net);
    person_open(&mallory, &net);
    sync_all(&a);
    sync_all(&mallory);
    newest_ref(&a, &own);
    network_advance(&net, 1);
    add_stranger(&mallory, &a);
    sync_all(&a);
    newest_ref(&a, &newest);
    assert_int_equal(own, newest);
    person_close(&mallory);
    person_close(&a);
}

static void nothing_is_said_where_somebody_else_listens(void **state)
{
    (void)state;
    person a;
    person b;
    person mallory;
    int64_t open_ref;
    int64_t newest;
    devices_open(&a, &b);
    person_open(&mallory, &net);
    newest_ref(&b, &open_ref);
    add_stranger(&a, &mallory);
    settle(&a, &b);
    newest_ref(&b, &newest); /* a new one, of ours alone */
    assert_int_not_equal(newest, open_ref);
    set_inbox(&b, somebody, XMTP_CONSENT_DENIED);
    settle(&b, &a);
    assert_int_equal(inbox_consent(&a, somebody), XMTP_CONSENT_DENIED);
    person_close(&mallory);
    person_close(&b);
    person_close(&a);
}

/* The row is made to say that it is a sync group, which no welcome and no commit could do. */
static void what_another_inbox_says_in_a_sync_group_is_ignored(void **state)
{
    (void)state;
    person p[2];
    xmtp_conversation_id group;
    people_open(p, 2, &net);
    group_of(p, 2, &group);
    for (int i = 0; i < 2; i++) {
        xmtp_arena arena;
        xmtp_group_row row;
        xmtp_scratch(p[i].client, &arena);
        assert_int_equal(
            xmtp_group_row_find(p[i].client->db, xmtp_bytes_of(group.p, group.n), &arena, &row),
            XMTP_OK);
        row.kind = XMTP_GROUP_KIND_SYNC;
        row.member_count = 1;
        assert_int_equal(xmtp_group_row_update(p[i].client->db, &row), XMTP_OK);
        xmtp_arena_reset(&arena);
    }
    uint8_t before[XMTP_HMAC_ROOT_LEN];
    uint8_t after[XMTP_HMAC_ROOT_LEN];
    const uint8_t other[XMTP_HMAC_ROOT_LEN] = {7};
    copy_root(&p[0], before);
    network_advance(&net, 1);
    say_root(&p[1], other, sizeof(other), INT64_MAX);
    sync_all(&p[0]);
    copy_root(&p[0], after);
    assert_memory_equal(before, after, sizeof(before));
    people_close(p, 2);
}

#define NETWORK_TEST(f) cmocka_unit_test_setup_teardown(f, set_up_on, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NETWORK_TEST(consent_decided_on_one_arrives_on_the_other),
        NETWORK_TEST(consent_to_a_conversation_arrives_on_the_other),
        NETWORK_TEST(what_was_decided_last_counts_although_a_clock_is_behind),
        NETWORK_TEST(many_decisions_go_out_together),
        NETWORK_TEST(listeners_are_told_of_what_other_devices_decided),
        NETWORK_TEST(a_lost_connection_delays_what_is_told_and_loses_nothing),
        NETWORK_TEST(sync_groups_are_in_no_list_and_no_queue),
        NETWORK_TEST(each_installation_makes_one_group_and_keeps_it),
        NETWORK_TEST(without_the_option_no_group_is_made_or_taken),
        NETWORK_TEST(devices_can_be_synced_without_the_conversations),
        NETWORK_TEST(poll_tells_and_hears),
        NETWORK_TEST(a_newcomer_is_in_the_conversations_after_one_sync_of_another_device),
        NETWORK_TEST(a_newcomer_that_makes_no_sync_group_is_taken_in_as_well),
        NETWORK_TEST(a_newcomer_is_not_forgotten_when_the_node_has_had_enough),
        NETWORK_TEST(a_newcomer_gets_a_new_root_that_all_have),
        NETWORK_TEST(three_devices_agree_on_the_root),
        NETWORK_TEST(who_is_revoked_does_not_get_the_next_root),
        NETWORK_TEST(a_root_of_another_length_or_an_older_one_is_ignored),
        NETWORK_TEST(consent_with_a_state_or_an_entity_that_is_none_is_ignored),
        NETWORK_TEST(a_sync_group_of_somebody_else_is_not_taken),
        NETWORK_TEST(nothing_is_said_where_somebody_else_listens),
        NETWORK_TEST(what_another_inbox_says_in_a_sync_group_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
