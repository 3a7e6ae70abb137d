/* deletion_test.c - messages taken back for everyone, and messages changed by their sender. */
#include "client/state.h"
#include "one_network.h"

/* Ann, who made the group and is its super admin, Bob and Cid. */
typedef struct scene {
    person p[3];
    xmtp_conversation_id group;
    uint8_t id[XMTP_MESSAGE_ID_LEN]; /* of Bob's message */
} scene;

static void sync_everybody(scene *s)
{
    for (size_t i = 0; i < 3; i++) {
        sync_all(&s->p[i]);
    }
}

static void scene_open(scene *s)
{
    people_open(s->p, 3, &net);
    group_of(s->p, 3, &s->group);
    assert_ok(&s->p[1],
              xmtp_client_send_text(s->p[1].client, &s->group, "oops", s->id, &s->p[1].error));
    sync_everybody(s);
}

static void scene_close(scene *s)
{
    people_close(s->p, 3);
}

/* What the only application message looks like to somebody. */
typedef struct seen {
    size_t entries;
    char deleted_by[65];
    char type[32];
    char text[32];
    char edited[32];
    bool has_content;
    size_t attached;
} seen;

static xmtp_status note(void *context, const xmtp_enriched_message *m)
{
    seen *s = context;
    if (m->message.kind != XMTP_MESSAGE_APPLICATION) {
        return XMTP_OK;
    }
    s->entries++;
    s->attached = m->reaction_count + m->reply_count;
    s->has_content = m->message.content.n > 0;
    (void)snprintf(s->deleted_by, sizeof(s->deleted_by), "%s",
                   m->deleted_by == NULL ? "" : m->deleted_by);
    (void)snprintf(s->type, sizeof(s->type), "%s", m->message.type);
    (void)snprintf(s->text, sizeof(s->text), "%s", m->message.text == NULL ? "" : m->message.text);
    (void)snprintf(s->edited, sizeof(s->edited), "%s", m->edited == NULL ? "" : m->edited->text);
    return XMTP_OK;
}

static seen look(person *p, const xmtp_conversation_id *id)
{
    seen s = {0};
    const xmtp_message_query query = {.conversation = id};
    assert_ok(p, xmtp_client_messages_enriched(p->client, &query, note, &s, &p->error));
    return s;
}

static xmtp_status take_back(person *p, const uint8_t *id)
{
    p->error = (xmtp_error){0};
    return xmtp_client_delete_message(p->client, id, &p->error);
}

/* A deletion that asks nobody whether it may be. */
static void force_deletion(person *p, const xmtp_conversation_id *id, const uint8_t *message_id)
{
    char hex[2 * XMTP_MESSAGE_ID_LEN + 1];
    xmtp_hex_encode(hex, xmtp_bytes_of(message_id, XMTP_MESSAGE_ID_LEN));
    const xmtp_content content = {.type = XMTP_CONTENT_DELETE_MESSAGE, .delete_message = {hex}};
    assert_ok(p, xmtp_client_send(p->client, id, &content, NULL, &p->error));
}

static xmtp_status edit(person *p, const uint8_t *id, xmtp_content_type type, const char *text)
{
    const xmtp_content content = {.type = type, .text = text};
    p->error = (xmtp_error){0};
    return xmtp_client_edit_message(p->client, id, &content, &p->error);
}

static void a_sender_takes_a_message_back_for_everyone(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    assert_ok(&s.p[1], take_back(&s.p[1], s.id));
    sync_everybody(&s);
    for (size_t i = 0; i < 3; i++) {
        seen v = look(&s.p[i], &s.group);
        assert_int_equal(v.entries, 1);
        assert_string_equal(v.deleted_by, xmtp_client_inbox_id(s.p[1].client));
        assert_string_equal(v.type, "deletedMessage");
        assert_string_equal(v.text, "");
        assert_false(v.has_content);
    }
    assert_int_equal(take_back(&s.p[1], s.id), XMTP_E_STATE);
    assert_string_equal(s.p[1].error.text, "the message was taken back already");
    scene_close(&s);
}

static void a_super_admin_takes_back_what_others_said_and_a_member_does_not(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    assert_int_equal(take_back(&s.p[2], s.id), XMTP_E_PERMISSION);
    assert_string_equal(s.p[2].error.text, "somebody else has sent this message");
    assert_ok(&s.p[0], take_back(&s.p[0], s.id));
    sync_everybody(&s);
    assert_string_equal(look(&s.p[2], &s.group).deleted_by, xmtp_client_inbox_id(s.p[0].client));
    scene_close(&s);
}

static void a_deletion_by_somebody_who_may_not_is_ignored(void **state)
{
    (void)state;
    scene s;
    xmtp_conversation_id other;
    scene_open(&s);
    force_deletion(&s.p[2], &s.group, s.id);
    /* The sender, but in another group. */
    group_of(&s.p[1], 2, &other);
    force_deletion(&s.p[1], &other, s.id);
    sync_everybody(&s);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(look(&s.p[i], &s.group).text, "oops");
    }
    scene_close(&s);
}

static void an_admin_made_later_does_not_change_what_was_ignored(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    force_deletion(&s.p[2], &s.group, s.id);
    sync_everybody(&s);
    assert_ok(&s.p[0],
              xmtp_client_group_change_admins(s.p[0].client, &s.group, XMTP_SUPER_ADMIN_ADD,
                                              xmtp_client_inbox_id(s.p[2].client), &s.p[0].error));
    sync_everybody(&s);
    assert_string_equal(look(&s.p[1], &s.group).text, "oops");
    assert_ok(&s.p[2], take_back(&s.p[2], s.id));
    sync_everybody(&s);
    assert_string_equal(look(&s.p[1], &s.group).deleted_by, xmtp_client_inbox_id(s.p[2].client));
    scene_close(&s);
}

static void what_is_no_message_of_somebody_cannot_be_taken_back(void **state)
{
    (void)state;
    scene s;
    uint8_t reaction[XMTP_MESSAGE_ID_LEN];
    char hex[2 * XMTP_MESSAGE_ID_LEN + 1];
    scene_open(&s);
    person *b = &s.p[1];
    xmtp_hex_encode(hex, xmtp_bytes_of(s.id, sizeof(s.id)));
    const xmtp_content content = {.type = XMTP_CONTENT_REACTION,
                                  .reaction = {.reference = hex,
                                               .action = XMTP_REACTION_ADDED,
                                               .schema = XMTP_REACTION_UNICODE,
                                               .content = "+"}};
    assert_ok(b, xmtp_client_send(b->client, &s.group, &content, reaction, &b->error));
    assert_int_equal(take_back(b, reaction), XMTP_E_ARGUMENT);
    assert_string_equal(b->error.text, "content of type 4 cannot be taken back");
    memset(reaction, 7, sizeof(reaction));
    assert_int_equal(take_back(b, reaction), XMTP_E_NOT_FOUND);
    assert_ok(b, take_back(b, s.id));
    assert_int_equal(look(b, &s.group).attached, 0); /* nor are its reactions shown */
    scene_close(&s);
}

static xmtp_status note_original(void *context, const xmtp_enriched_message *m)
{
    if (m->in_reply_to != NULL) {
        *(bool *)context = true;
        assert_string_equal(m->in_reply_to->type, "deletedMessage");
        assert_null(m->in_reply_to->text);
    }
    return XMTP_OK;
}

static void an_answer_does_not_show_what_was_taken_back(void **state)
{
    (void)state;
    scene s;
    bool is_answered = false;
    const xmtp_message_query query = {.conversation = &s.group};
    scene_open(&s);
    person *a = &s.p[0];
    assert_ok(a, xmtp_client_send_reply(a->client, &s.group, s.id, "what?", NULL, &a->error));
    assert_ok(&s.p[1], take_back(&s.p[1], s.id));
    sync_all(a);
    assert_ok(a, xmtp_client_messages_enriched(a->client, &query, note_original, &is_answered,
                                               &a->error));
    assert_true(is_answered);
    scene_close(&s);
}

static void count_deleted(void *context, const xmtp_conversation_id *conversation,
                          const uint8_t message_id[XMTP_MESSAGE_ID_LEN])
{
    (void)conversation;
    (void)message_id;
    (*(size_t *)context)++;
}

static void listeners_are_told_once_and_only_of_what_counts(void **state)
{
    (void)state;
    scene s;
    size_t told = 0;
    scene_open(&s);
    const xmtp_client_events events = {.context = &told, .deleted = count_deleted};
    xmtp_client_listen(s.p[2].client, &events);
    force_deletion(&s.p[2], &s.group, s.id);
    sync_everybody(&s);
    assert_int_equal(told, 0);
    assert_ok(&s.p[1], take_back(&s.p[1], s.id));
    force_deletion(&s.p[0], &s.group, s.id);
    sync_everybody(&s);
    assert_int_equal(told, 1);
    scene_close(&s);
}

static void in_a_dm_everybody_takes_back_only_their_own_also_in_its_duplicate(void **state)
{
    (void)state;
    person p[2];
    xmtp_conversation_id first;
    xmtp_conversation_id second;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    people_open(p, 2, &net);
    /* Each makes the DM before they hear of the other's. */
    assert_ok(&p[0],
              xmtp_client_dm(p[0].client, xmtp_client_inbox_id(p[1].client), &first, &p[0].error));
    assert_ok(&p[0], xmtp_client_send_text(p[0].client, &first, "oops", id, &p[0].error));
    p[1].wire.is_deaf = true;
    assert_ok(&p[1],
              xmtp_client_dm(p[1].client, xmtp_client_inbox_id(p[0].client), &second, &p[1].error));
    send_text(&p[1], &second, "later");
    p[1].wire.is_deaf = false;
    sync_all(&p[0]);
    sync_all(&p[1]);
    assert_memory_not_equal(first.p, second.p, first.n);
    assert_int_equal(take_back(&p[1], id), XMTP_E_PERMISSION);
    assert_ok(&p[0], take_back(&p[0], id));
    sync_all(&p[1]);
    for (size_t i = 0; i < 2; i++) {
        seen oldest = {0};
        const xmtp_message_query query = {
            .conversation = &first, .kind = XMTP_MESSAGE_APPLICATION, .limit = 1};
        assert_ok(&p[i],
                  xmtp_client_messages_enriched(p[i].client, &query, note, &oldest, &p[i].error));
        assert_string_equal(oldest.deleted_by, xmtp_client_inbox_id(p[0].client));
    }
    people_close(p, 2);
}

static void a_deletion_without_a_node_goes_out_with_the_next_sync(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    person *b = &s.p[1];
    b->wire.cut_from = b->wire.calls + 1;
    b->wire.cut_count = 1000;
    b->wire.how = CUT_BEFORE;
    assert_int_equal(take_back(b, s.id), XMTP_E_NETWORK);
    assert_string_equal(look(b, &s.group).text, "oops");
    b->wire.cut_from = 0;
    sync_everybody(&s);
    assert_string_equal(look(b, &s.group).deleted_by, xmtp_client_inbox_id(b->client));
    assert_string_equal(look(&s.p[2], &s.group).deleted_by, xmtp_client_inbox_id(b->client));
    scene_close(&s);
}

static void the_newest_change_of_a_message_counts(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    assert_ok(&s.p[1], edit(&s.p[1], s.id, XMTP_CONTENT_TEXT, "ops"));
    assert_ok(&s.p[1], edit(&s.p[1], s.id, XMTP_CONTENT_TEXT, "hello"));
    sync_everybody(&s);
    for (size_t i = 0; i < 3; i++) {
        seen v = look(&s.p[i], &s.group);
        assert_int_equal(v.entries, 1);
        assert_string_equal(v.text, "oops");
        assert_string_equal(v.edited, "hello");
    }
    assert_ok(&s.p[1], take_back(&s.p[1], s.id));
    assert_string_equal(look(&s.p[1], &s.group).edited, "");
    scene_close(&s);
}

static void only_the_sender_changes_a_message_and_not_its_type(void **state)
{
    (void)state;
    scene s;
    char hex[2 * XMTP_MESSAGE_ID_LEN + 1];
    scene_open(&s);
    xmtp_hex_encode(hex, xmtp_bytes_of(s.id, sizeof(s.id)));
    assert_int_equal(edit(&s.p[0], s.id, XMTP_CONTENT_TEXT, "mine"), XMTP_E_PERMISSION);
    assert_int_equal(edit(&s.p[1], s.id, XMTP_CONTENT_MARKDOWN, "# oops"), XMTP_E_ARGUMENT);
    assert_string_equal(s.p[1].error.text, "the message has content of type 1, the new one 12");
    /* Those who do not ask are ignored. */
    const xmtp_content text = {.type = XMTP_CONTENT_TEXT, .text = "mine"};
    const xmtp_content markdown = {.type = XMTP_CONTENT_MARKDOWN, .text = "# oops"};
    const xmtp_content by_another = {.type = XMTP_CONTENT_EDIT_MESSAGE,
                                     .edit_message = {hex, &text}};
    const xmtp_content of_another_type = {.type = XMTP_CONTENT_EDIT_MESSAGE,
                                          .edit_message = {hex, &markdown}};
    assert_ok(&s.p[0], xmtp_client_send(s.p[0].client, &s.group, &by_another, NULL, &s.p[0].error));
    assert_ok(&s.p[1],
              xmtp_client_send(s.p[1].client, &s.group, &of_another_type, NULL, &s.p[1].error));
    sync_everybody(&s);
    assert_string_equal(look(&s.p[2], &s.group).edited, "");
    scene_close(&s);
}

static void welcomes_alone_bring_conversations_and_no_messages(void **state)
{
    (void)state;
    person p[2];
    xmtp_conversation_id group;
    const char *bob;
    people_open(p, 2, &net);
    bob = xmtp_client_inbox_id(p[1].client);
    assert_ok(&p[0], xmtp_client_group_create(p[0].client, "g", &bob, 1, &group, &p[0].error));
    send_text(&p[0], &group, "hello");
    assert_ok(&p[1], xmtp_client_sync_welcomes(p[1].client, &p[1].error));
    assert_true(conversation_of(&p[1], &group).is_active);
    assert_texts(&p[1], &group, "");
    sync_all(&p[1]);
    assert_texts(&p[1], &group, "hello|");
    people_close(p, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_sender_takes_a_message_back_for_everyone),
        TEST(a_super_admin_takes_back_what_others_said_and_a_member_does_not),
        TEST(a_deletion_by_somebody_who_may_not_is_ignored),
        TEST(an_admin_made_later_does_not_change_what_was_ignored),
        TEST(what_is_no_message_of_somebody_cannot_be_taken_back),
        TEST(an_answer_does_not_show_what_was_taken_back),
        TEST(listeners_are_told_once_and_only_of_what_counts),
        TEST(in_a_dm_everybody_takes_back_only_their_own_also_in_its_duplicate),
        TEST(a_deletion_without_a_node_goes_out_with_the_next_sync),
        TEST(the_newest_change_of_a_message_counts),
        TEST(only_the_sender_changes_a_message_and_not_its_type),
        TEST(welcomes_alone_bring_conversations_and_no_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
