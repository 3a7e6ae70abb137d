/* rows_test.c - groups, records, messages, intents, queue: what goes in comes out, in order. */
#include "base/bytes.h"
#include "store/consent_store.h"
#include "store/group_store.h"
#include "store/identity_store.h"
#include "store/intent_store.h"
#include "store/message_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

typedef struct fixture {
    xmtp_database *db;
    xmtp_arena arena;
} fixture;

static int open_memory(void **state)
{
    static fixture f;
    assert_int_equal(xmtp_database_open(&f.db, xmtp_env_system(), NULL, NULL, NULL), XMTP_OK);
    xmtp_arena_init(&f.arena, &xmtp_env_system()->alloc, 1 << 24);
    *state = &f;
    return 0;
}

static int close_memory(void **state)
{
    fixture *f = *state;
    xmtp_database_close(f->db);
    xmtp_arena_reset(&f->arena);
    return 0;
}

static int64_t add_group(fixture *f, const char *id, const char *dm_id)
{
    xmtp_group_row row = {.group_id = xmtp_bytes_of_string(id),
                          .kind = dm_id == NULL ? 1 : 2,
                          .stage = XMTP_GROUP_READY,
                          .created_ns = 5,
                          .name = id,
                          .dm_id = dm_id,
                          .is_active = true};
    assert_int_equal(xmtp_group_row_insert(f->db, &row), XMTP_OK);
    return row.ref;
}

static void add_message(fixture *f, const char *id, int64_t group_ref, uint64_t sent_ns)
{
    bool is_new;
    xmtp_message_row row = {.message_id = xmtp_bytes_of_string(id),
                            .group_ref = group_ref,
                            .kind = 1,
                            .delivery = 2,
                            .sender_inbox = "inbox",
                            .sent_ns = sent_ns,
                            .content = xmtp_bytes_of_string(id)};
    assert_int_equal(xmtp_message_insert(f->db, &row, &is_new), XMTP_OK);
    assert_true(is_new);
    assert_int_equal(xmtp_message_insert(f->db, &row, &is_new), XMTP_OK);
    assert_false(is_new);
}

static void a_group_row_is_read_back(void **state)
{
    fixture *f = *state;
    int64_t ref = add_group(f, "0123456789abcdef", NULL);
    xmtp_group_row row;
    assert_int_equal(
        xmtp_group_row_find(f->db, xmtp_bytes_of_string("0123456789abcdef"), &f->arena, &row),
        XMTP_OK);
    assert_int_equal(row.ref, ref);
    assert_string_equal(row.name, "0123456789abcdef");
    assert_string_equal(row.dm_id, "");
    row.epoch = 3;
    row.name = "new name";
    assert_int_equal(xmtp_group_row_update(f->db, &row), XMTP_OK);
    assert_int_equal(xmtp_group_row_set_cursor(f->db, ref, 99), XMTP_OK);
    assert_int_equal(xmtp_group_row_read(f->db, ref, &f->arena, &row), XMTP_OK);
    assert_int_equal(row.epoch, 3);
    assert_int_equal(row.cursor, 99);
    assert_string_equal(row.name, "new name");
    xmtp_group_row again = row;
    assert_int_equal(xmtp_group_row_insert(f->db, &again), XMTP_E_EXISTS);
}

static void dms_between_the_same_two_are_listed_once(void **state)
{
    fixture *f = *state;
    int64_t one = add_group(f, "one", "dm:a:b");
    int64_t two = add_group(f, "two", "dm:a:b");
    add_group(f, "group", NULL);
    add_message(f, "m1", two, 10);
    xmtp_group_rows rows;
    assert_int_equal(xmtp_group_row_list(f->db, false, &f->arena, &rows), XMTP_OK);
    assert_int_equal(rows.count, 2);
    assert_int_equal(rows.items[0].ref, two);
    assert_int_equal(xmtp_group_row_list(f->db, true, &f->arena, &rows), XMTP_OK);
    assert_int_equal(rows.count, 3);
    add_message(f, "m2", one, 20);
    xmtp_group_row dm;
    assert_int_equal(xmtp_group_row_find_dm(f->db, "dm:a:b", &f->arena, &dm), XMTP_OK);
    assert_int_equal(dm.ref, one);
}

static void positions_say_where_each_group_stands(void **state)
{
    fixture *f = *state;
    int64_t one = add_group(f, "one", "dm:a:b");
    int64_t two = add_group(f, "two", NULL);
    xmtp_group_row row = {
        .group_id = xmtp_bytes_of_string("unfinished"), .kind = 1, .stage = XMTP_GROUP_CREATING};
    assert_int_equal(xmtp_group_row_insert(f->db, &row), XMTP_OK);
    assert_int_equal(xmtp_group_row_read(f->db, two, &f->arena, &row), XMTP_OK);
    row.paused_for = "9.0.0";
    row.is_active = false;
    row.welcome_id = 4;
    row.state = 2;
    assert_int_equal(xmtp_group_row_update(f->db, &row), XMTP_OK);
    assert_int_equal(xmtp_group_row_set_cursor(f->db, two, 77), XMTP_OK);
    assert_int_equal(xmtp_group_row_set_checked(f->db, two, 88), XMTP_OK);
    assert_int_equal(xmtp_group_row_set_last_message(f->db, two, 99), XMTP_OK);
    xmtp_consent_row consent = {.entity_type = 1, .entity = "74776f", .state = 2};
    assert_int_equal(xmtp_consent_write(f->db, &consent), XMTP_OK);
    xmtp_group_positions all;
    assert_int_equal(xmtp_group_position_list(f->db, &f->arena, &all), XMTP_OK);
    assert_int_equal(all.count, 2);
    const xmtp_group_position *a = &all.items[0], *b = &all.items[1];
    assert_true(a->ref == one && a->kind == 2 && a->is_active && !a->is_paused && a->cursor == 0);
    assert_true(a->newest_ns == 5 && a->consent == 0 && a->welcome_id == 0);
    assert_memory_equal(a->group_id.p, "one", 3);
    assert_true(b->ref == two && b->kind == 1 && !b->is_active && b->is_paused);
    assert_true(b->cursor == 77 && b->checked_ns == 88 && b->newest_ns == 99);
    assert_true(b->welcome_id == 4 && b->state == 2 && b->consent == 2);
}

static int64_t ref_of(fixture *f, const char *id)
{
    int64_t ref;
    xmtp_status status = xmtp_group_ref_find(f->db, xmtp_bytes_of_string(id), &ref);
    assert_int_equal(status, ref == 0 ? XMTP_E_NOT_FOUND : XMTP_OK);
    return ref;
}

static void a_conversation_is_found_by_each_of_its_groups(void **state)
{
    fixture *f = *state;
    int64_t one = add_group(f, "one", "dm:a:b");
    add_group(f, "two", "dm:a:b");
    int64_t group = add_group(f, "group", NULL);
    add_group(f, "other", "dm:a:c");
    add_message(f, "m1", one, 20);
    assert_int_equal(ref_of(f, "one"), one);
    assert_int_equal(ref_of(f, "two"), one); /* the one written in last */
    assert_int_equal(ref_of(f, "group"), group);
    assert_int_equal(ref_of(f, "none"), 0);
    xmtp_group_row row = {.group_id = xmtp_bytes_of_string("unready"),
                          .kind = 2,
                          .stage = XMTP_GROUP_CREATING,
                          .name = "",
                          .added_by = "",
                          .dm_id = "dm:a:b"};
    assert_int_equal(xmtp_group_row_insert(f->db, &row), XMTP_OK);
    assert_int_equal(ref_of(f, "unready"), row.ref);
    xmtp_group_row sync = {
        .group_id = xmtp_bytes_of_string("sync"), .kind = 3, .stage = XMTP_GROUP_READY};
    assert_int_equal(xmtp_group_row_insert(f->db, &sync), XMTP_OK);
    assert_int_equal(ref_of(f, "sync"), 0);
}

static xmtp_status append_key(void *visitor, xmtp_bytes key, xmtp_bytes value)
{
    char *text = visitor;
    strncat(text, (const char *)key.p, key.n);
    strncat(text, (const char *)value.p, value.n);
    return XMTP_OK;
}

static void records_are_found_by_prefix(void **state)
{
    fixture *f = *state;
    int64_t ref = add_group(f, "g", NULL);
    static const char *const keys[] = {"a1", "b1", "b2", "c"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(
            xmtp_record_put(f->db, ref, xmtp_bytes_of_string(keys[i]), xmtp_bytes_of_string("=")),
            XMTP_OK);
    }
    assert_int_equal(
        xmtp_record_put(f->db, ref, xmtp_bytes_of_string("b2"), xmtp_bytes_of_string("!")),
        XMTP_OK);
    assert_int_equal(xmtp_record_delete(f->db, ref, xmtp_bytes_of_string("a1")), XMTP_OK);
    char seen[64] = "";
    assert_int_equal(xmtp_record_each(f->db, ref, xmtp_bytes_of_string("b"), seen, append_key),
                     XMTP_OK);
    assert_string_equal(seen, "b1=b2!");
    seen[0] = '\0';
    assert_int_equal(xmtp_record_each(f->db, ref, (xmtp_bytes){0}, seen, append_key), XMTP_OK);
    assert_string_equal(seen, "b1=b2!c=");
}

static void messages_are_listed_in_both_directions_page_by_page(void **state)
{
    fixture *f = *state;
    int64_t one = add_group(f, "one", "dm:a:b");
    int64_t two = add_group(f, "two", "dm:a:b");
    for (unsigned i = 0; i < 9; i++) {
        char id[8];
        (void)snprintf(id, sizeof(id), "m%u", i);
        add_message(f, id, i % 3 == 0 ? one : two, 10 + i / 2);
    }
    for (int newest_first = 0; newest_first < 2; newest_first++) {
        xmtp_message_page page = {
            .filter = xmtp_message_filter_all(0), .limit = 2, .newest_first = newest_first != 0};
        page.filter.dm_id = "dm:a:b";
        xmtp_message_page_start(&page);
        char seen[64] = "";
        size_t count = 1;
        while (count > 0) {
            xmtp_message_row rows[2];
            assert_int_equal(xmtp_message_page_next(f->db, &page, &f->arena, rows, &count),
                             XMTP_OK);
            for (size_t i = 0; i < count; i++) {
                strncat(seen, (const char *)rows[i].message_id.p + 1, 1);
            }
        }
        assert_string_equal(seen, newest_first ? "876543210" : "012345678");
    }
    xmtp_message_page page = {.filter = xmtp_message_filter_all(0), .limit = 100};
    page.filter.group_ref = one;
    page.filter.sent_after_ns = 10;
    xmtp_message_page_start(&page);
    xmtp_message_row rows[100];
    size_t count;
    assert_int_equal(xmtp_message_page_next(f->db, &page, &f->arena, rows, &count), XMTP_OK);
    assert_int_equal(count, 2); /* m3 and m6; m0 was sent at 10 */
    page = (xmtp_message_page){.filter = xmtp_message_filter_all(0), .limit = 100};
    xmtp_message_page_start(&page);
    assert_int_equal(xmtp_message_page_next(f->db, &page, &f->arena, rows, &count), XMTP_OK);
    assert_int_equal(count, 9);
}

static void intents_keep_their_order_and_their_payload(void **state)
{
    fixture *f = *state;
    int64_t ref = add_group(f, "g", NULL);
    xmtp_intent_row first = {.group_ref = ref, .kind = XMTP_INTENT_KEY_UPDATE};
    xmtp_intent_row second = {.group_ref = ref,
                              .kind = XMTP_INTENT_SEND_MESSAGE,
                              .data = xmtp_bytes_of_string("envelope"),
                              .message_id = xmtp_bytes_of_string("id"),
                              .should_push = true};
    assert_int_equal(xmtp_intent_insert(f->db, &first), XMTP_OK);
    assert_int_equal(xmtp_intent_insert(f->db, &second), XMTP_OK);
    second.payload = xmtp_bytes_of_string("payload");
    second.payload_hash = xmtp_bytes_of_string("hash");
    second.epoch = 4;
    assert_int_equal(xmtp_intent_set_published(f->db, &second), XMTP_OK);
    xmtp_intent_rows rows;
    assert_int_equal(xmtp_intent_list(f->db, ref, 10, &f->arena, &rows), XMTP_OK);
    assert_int_equal(rows.count, 2);
    assert_int_equal(rows.items[0].id, first.id);
    assert_int_equal(rows.items[1].state, XMTP_INTENT_PUBLISHED);
    assert_int_equal(rows.items[1].epoch, 4);
    assert_true(rows.items[1].should_push);
    xmtp_intent_row full;
    assert_int_equal(xmtp_intent_read(f->db, second.id, &f->arena, &full), XMTP_OK);
    assert_true(xmtp_bytes_equal(full.payload, xmtp_bytes_of_string("payload")));
    assert_int_equal(xmtp_intent_reset_group(f->db, ref), XMTP_OK);
    assert_int_equal(xmtp_intent_read(f->db, second.id, &f->arena, &full), XMTP_OK);
    assert_int_equal(full.state, XMTP_INTENT_TO_PUBLISH);
    assert_int_equal(full.payload.n, 0);
    int64_t *refs;
    size_t count;
    assert_int_equal(xmtp_intent_groups(f->db, &f->arena, &refs, &count), XMTP_OK);
    assert_int_equal(count, 1);
    assert_int_equal(refs[0], ref);
}

static bool has_part(fixture *f, int64_t intent, xmtp_commit_part part)
{
    xmtp_bytes bytes;
    xmtp_status status = xmtp_commit_part_read(f->db, intent, part, &f->arena, &bytes);
    assert_true(status == XMTP_OK || status == XMTP_E_NOT_FOUND);
    return status == XMTP_OK;
}

static void publish_commit(fixture *f, xmtp_intent_row *row, const char *welcomes)
{
    const xmtp_commit_parts parts = {.message = xmtp_bytes_of_string("message"),
                                     .content = xmtp_bytes_of_string("content"),
                                     .welcomes = xmtp_bytes_of_string(welcomes)};
    row->payload_hash = xmtp_bytes_of_string("hash");
    row->staged = xmtp_bytes_of_string("keys");
    assert_int_equal(xmtp_commit_set_published(f->db, row, &parts), XMTP_OK);
}

static void parts_of_a_commit_last_as_long_as_they_are_needed(void **state)
{
    fixture *f = *state;
    int64_t ref = add_group(f, "g", NULL);
    xmtp_intent_row row = {.group_ref = ref, .kind = XMTP_INTENT_MEMBERSHIP};
    xmtp_intent_row full;
    assert_int_equal(xmtp_intent_insert(f->db, &row), XMTP_OK);
    publish_commit(f, &row, "welcomes");
    assert_true(has_part(f, row.id, XMTP_COMMIT_MESSAGE));
    assert_true(has_part(f, row.id, XMTP_COMMIT_CONTENT));
    assert_true(has_part(f, row.id, XMTP_COMMIT_WELCOMES));
    /* it lost its race, and is built again without anybody to welcome */
    assert_int_equal(xmtp_intent_set_to_publish(f->db, row.id), XMTP_OK);
    assert_false(has_part(f, row.id, XMTP_COMMIT_MESSAGE));
    assert_false(has_part(f, row.id, XMTP_COMMIT_WELCOMES));
    publish_commit(f, &row, "welcomes");
    publish_commit(f, &row, "");
    assert_true(has_part(f, row.id, XMTP_COMMIT_MESSAGE));
    assert_false(has_part(f, row.id, XMTP_COMMIT_WELCOMES));
    assert_int_equal(xmtp_commit_set_applied(f->db, row.id, 9), XMTP_OK);
    assert_int_equal(xmtp_intent_read(f->db, row.id, &f->arena, &full), XMTP_E_NOT_FOUND);
    /* and with somebody */
    assert_int_equal(xmtp_intent_insert(f->db, &row), XMTP_OK);
    publish_commit(f, &row, "welcomes");
    assert_int_equal(xmtp_commit_set_applied(f->db, row.id, 9), XMTP_OK);
    assert_int_equal(xmtp_intent_read(f->db, row.id, &f->arena, &full), XMTP_OK);
    assert_true(full.state == XMTP_INTENT_COMMITTED && full.sequence == 9 && full.staged.n == 0);
    assert_false(has_part(f, row.id, XMTP_COMMIT_MESSAGE));
    assert_true(has_part(f, row.id, XMTP_COMMIT_CONTENT));
    assert_true(has_part(f, row.id, XMTP_COMMIT_WELCOMES));
    assert_int_equal(xmtp_commit_delete(f->db, row.id), XMTP_OK);
    assert_false(has_part(f, row.id, XMTP_COMMIT_WELCOMES));
    /* and in a group that is deleted, or joined again */
    assert_int_equal(xmtp_intent_insert(f->db, &row), XMTP_OK);
    publish_commit(f, &row, "welcomes");
    assert_int_equal(xmtp_group_row_delete(f->db, ref), XMTP_OK);
    assert_false(has_part(f, row.id, XMTP_COMMIT_MESSAGE));
}

static void push(fixture *f, char name, int64_t ref)
{
    char id[32];
    memset(id, name, sizeof(id));
    assert_int_equal(xmtp_queue_push(f->db, xmtp_bytes_of(id, 32), ref), XMTP_OK);
}

static xmtp_bytes id_of(char name, char id[32])
{
    memset(id, name, 32);
    return xmtp_bytes_of(id, 32);
}

static void heads(fixture *f, char *out)
{
    xmtp_queue_row row = {0};
    while (xmtp_queue_head(f->db, row.id, &row) == XMTP_OK) {
        *out++ = (char)row.message_id[0];
    }
    *out = '\0';
}

static void the_queue_offers_the_first_of_each_conversation(void **state)
{
    fixture *f = *state;
    int64_t one = add_group(f, "one", NULL);
    int64_t two = add_group(f, "two", NULL);
    push(f, 'a', one);
    push(f, 'b', one);
    push(f, 'c', two);
    push(f, 'd', one);
    char seen[8];
    char id[32];
    heads(f, seen);
    assert_string_equal(seen, "ac");
    assert_int_equal(xmtp_queue_remove(f->db, id_of('a', id)), XMTP_OK);
    heads(f, seen);
    assert_string_equal(seen, "bc");
    assert_int_equal(xmtp_queue_set_failed(f->db, id_of('b', id), 50, false), XMTP_OK);
    heads(f, seen);
    assert_string_equal(seen, "bc");
    assert_int_equal(xmtp_queue_set_failed(f->db, id_of('b', id), 60, true), XMTP_OK);
    heads(f, seen);
    assert_string_equal(seen, "cd");
    assert_int_equal(xmtp_queue_remove(f->db, id_of('d', id)), XMTP_OK);
    push(f, 'e', one);
    heads(f, seen);
    assert_string_equal(seen, "ce");
    assert_int_equal(xmtp_queue_remove(f->db, id_of('x', id)), XMTP_E_NOT_FOUND);
}

static void deleting_a_group_takes_everything_of_it(void **state)
{
    fixture *f = *state;
    int64_t ref = add_group(f, "g", NULL);
    add_message(f, "m", ref, 1);
    push(f, 'm', ref);
    assert_int_equal(xmtp_group_row_delete(f->db, ref), XMTP_OK);
    xmtp_message_row row;
    assert_int_equal(xmtp_message_find(f->db, xmtp_bytes_of_string("m"), &f->arena, &row),
                     XMTP_E_NOT_FOUND);
    char seen[8];
    heads(f, seen);
    assert_string_equal(seen, "");
}

static void key_packages_are_found_by_either_key_and_retired(void **state)
{
    fixture *f = *state;
    xmtp_own_key_package_row one = {.init_key = xmtp_bytes_of_string("i1"),
                                    .wrapper_key = xmtp_bytes_of_string("w1"),
                                    .key_package = xmtp_bytes_of_string("kp1"),
                                    .private_keys = xmtp_bytes_of_string("s1")};
    xmtp_own_key_package_row two = {.init_key = xmtp_bytes_of_string("i2"),
                                    .wrapper_key = xmtp_bytes_of_string("w2"),
                                    .key_package = xmtp_bytes_of_string("kp2"),
                                    .private_keys = xmtp_bytes_of_string("s2")};
    assert_int_equal(xmtp_own_key_package_insert(f->db, &one), XMTP_OK);
    assert_int_equal(xmtp_own_key_package_insert(f->db, &two), XMTP_OK);
    xmtp_own_key_package_row row;
    assert_int_equal(xmtp_own_key_package_find(f->db, xmtp_bytes_of_string("w1"), &f->arena, &row),
                     XMTP_OK);
    assert_true(xmtp_bytes_equal(row.key_package, one.key_package));
    assert_int_equal(xmtp_own_key_package_retire(f->db, 100), XMTP_OK);
    assert_int_equal(xmtp_own_key_package_delete_expired(f->db, 99), XMTP_OK);
    assert_int_equal(xmtp_own_key_package_find(f->db, xmtp_bytes_of_string("i1"), &f->arena, &row),
                     XMTP_OK);
    assert_int_equal(xmtp_own_key_package_delete_expired(f->db, 100), XMTP_OK);
    assert_int_equal(xmtp_own_key_package_find(f->db, xmtp_bytes_of_string("i1"), &f->arena, &row),
                     XMTP_E_NOT_FOUND);
    assert_int_equal(xmtp_own_key_package_newest(f->db, &f->arena, &row), XMTP_OK);
    assert_true(xmtp_bytes_equal(row.key_package, two.key_package));
}

int main(void)
{
#define IN_MEMORY(test) cmocka_unit_test_setup_teardown(test, open_memory, close_memory)
    const struct CMUnitTest tests[] = {
        IN_MEMORY(a_group_row_is_read_back),
        IN_MEMORY(positions_say_where_each_group_stands),
        IN_MEMORY(dms_between_the_same_two_are_listed_once),
        IN_MEMORY(a_conversation_is_found_by_each_of_its_groups),
        IN_MEMORY(records_are_found_by_prefix),
        IN_MEMORY(messages_are_listed_in_both_directions_page_by_page),
        IN_MEMORY(intents_keep_their_order_and_their_payload),
        IN_MEMORY(parts_of_a_commit_last_as_long_as_they_are_needed),
        IN_MEMORY(the_queue_offers_the_first_of_each_conversation),
        IN_MEMORY(deleting_a_group_takes_everything_of_it),
        IN_MEMORY(key_packages_are_found_by_either_key_and_retired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
