/* old_database_test.c - databases written by earlier layouts open, and know what the present one keeps.
 *
 * data/database_v1.db and v2 hold a DM ("hello", "again", a reply, "last") and a group made by the
 * other one ("from b"). Their wallets are used nowhere else.
 */
#include "test_network.h"

static network net;

static void copy_file(const char *from, const char *to)
{
    char buffer[4096];
    size_t n;
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    assert_non_null(in);
    assert_non_null(out);
    while ((n = fread(buffer, 1, sizeof(buffer), in)) > 0) {
        assert_int_equal(fwrite(buffer, 1, n, out), n);
    }
    assert_int_equal(fclose(in), 0);
    assert_int_equal(fclose(out), 0);
}

typedef struct old_file {
    const char *path;
    const char *key;
} old_file;

static void open_old(person *p, const old_file *old)
{
    memset(p, 0, sizeof(*p));
    p->net = &net;
    p->has_file = true;
    (void)snprintf(p->key, sizeof(p->key), "%s", old->key);
    (void)snprintf(p->path, sizeof(p->path), "%s/%u.db", net.folder, ++net.people);
    copy_file(old->path, p->path);
    wire_open(&p->wire, &net);
    assert_ok(p, person_try_open(p));
}

static xmtp_status note_kind(void *context, const xmtp_conversation *conversation)
{
    xmtp_conversation_id *ids = context;
    ids[conversation->kind == XMTP_CONVERSATION_DM] = conversation->id;
    return XMTP_OK;
}

static int set_up(void **state, const old_file *old)
{
    static person p;
    network_open(&net);
    open_old(&p, old);
    *state = &p;
    return 0;
}

static int first_layout(void **state)
{
    return set_up(state,
                  &(old_file){XMTP_TEST_DATA "/database_v1.db",
                              "1101010101010101010101010101010101010101010101010101010101010101"});
}

static int second_layout(void **state)
{
    return set_up(state,
                  &(old_file){XMTP_TEST_DATA "/database_v2.db",
                              "2202020202020202020202020202020202020202020202020202020202020202"});
}

static int tear_down(void **state)
{
    person_close(*state);
    network_close(&net);
    return 0;
}

static void conversations_and_messages_are_there(void **state)
{
    person *p = *state;
    xmtp_conversation_id ids[2] = {0};
    assert_ok(p, xmtp_client_conversations(p->client, note_kind, ids, &p->error));
    assert_texts(p, &ids[1], "hello|again|a reply|last|");
    assert_texts(p, &ids[0], "from b|");
    assert_string_equal(conversation_of(p, &ids[0]).name, "old group");
    assert_true(conversation_of(p, &ids[0]).is_active);
}

static void content_types_and_times_of_arrival_are_known(void **state)
{
    person *p = *state;
    const xmtp_content_type replies[] = {XMTP_CONTENT_REPLY};
    const xmtp_content_type texts[] = {XMTP_CONTENT_TEXT};
    xmtp_message_query query = {.content_types = replies, .content_type_count = 1};
    uint64_t count = 0;
    assert_ok(p, xmtp_client_message_count(p->client, &query, &count, &p->error));
    assert_int_equal(count, 1);
    query = (xmtp_message_query){
        .content_types = texts, .content_type_count = 1, .inserted_after_ns = 1};
    assert_ok(p, xmtp_client_message_count(p->client, &query, &count, &p->error));
    assert_int_equal(count, 4);
}

static void what_was_made_or_answered_before_consent_was_kept_is_allowed(void **state)
{
    person *p = *state;
    xmtp_conversation_id ids[2] = {0};
    assert_ok(p, xmtp_client_conversations(p->client, note_kind, ids, &p->error));
    assert_int_equal(conversation_of(p, &ids[1]).consent, XMTP_CONSENT_ALLOWED);
    assert_int_equal(conversation_of(p, &ids[0]).consent, XMTP_CONSENT_UNKNOWN);
}

static xmtp_status has_address(void *context, const xmtp_member *member)
{
    *(size_t *)context += strlen(member->address) == XMTP_ADDRESS_LEN;
    return XMTP_OK;
}

static void members_are_shown_by_their_wallets(void **state)
{
    person *p = *state;
    xmtp_conversation_id ids[2] = {0};
    size_t count = 0;
    assert_ok(p, xmtp_client_conversations(p->client, note_kind, ids, &p->error));
    assert_ok(p, xmtp_client_members(p->client, &ids[1], has_address, &count, &p->error));
    assert_int_equal(count, 2);
}

static void it_opens_again_after_that(void **state)
{
    person *p = *state;
    person_reopen(p);
    conversations_and_messages_are_there(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversations_and_messages_are_there),
        cmocka_unit_test(content_types_and_times_of_arrival_are_known),
        cmocka_unit_test(what_was_made_or_answered_before_consent_was_kept_is_allowed),
        cmocka_unit_test(members_are_shown_by_their_wallets),
        cmocka_unit_test(it_opens_again_after_that),
    };
    int failed = cmocka_run_group_tests_name("first layout", tests, first_layout, tear_down);
    return failed + cmocka_run_group_tests_name("second layout", tests, second_layout, tear_down);
}
