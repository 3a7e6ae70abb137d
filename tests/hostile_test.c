/* hostile_test.c - a node that doubles, replays, reorders, alters and mixes up what it was given.
 * Nothing is stored twice, nothing that was not said is shown, and the conversation goes on. */
#include "one_network.h"
#include "proto/message.h"
#include "proto/mls_api.pb-c.h"

enum { MESSAGES_MAX = 400 };

/* ---- ways to lie: each gets the decoded answer and a list to fill */

typedef size_t (*lie)(Pb__GroupMessage **honest, size_t count, Pb__GroupMessage **out);

static lie present_lie;

static void mangle(xmtp_writer *response)
{
    xmtp_arena arena;
    void *message;
    xmtp_arena_init(&arena, &net.env.alloc, 1 << 26);
    assert_int_equal(xmtp_proto_decode(&pb__query_group_messages_response__descriptor, &arena,
                                       xmtp_writer_bytes(response), &message),
                     XMTP_OK);
    Pb__QueryGroupMessagesResponse *page = message;
    Pb__GroupMessage *changed[MESSAGES_MAX];
    page->n_messages = present_lie(page->messages, page->n_messages, changed);
    page->messages = changed;
    xmtp_writer_clear(response);
    assert_int_equal(xmtp_proto_encode(&page->base, response), XMTP_OK);
    xmtp_arena_reset(&arena);
}

static size_t doubled(Pb__GroupMessage **honest, size_t count, Pb__GroupMessage **out)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        out[n++] = honest[i];
        out[n++] = honest[i];
    }
    return n;
}

static size_t reversed(Pb__GroupMessage **honest, size_t count, Pb__GroupMessage **out)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = honest[count - 1 - i];
    }
    return count;
}

static Pb__GroupMessage copies[MESSAGES_MAX];
static Pb__GroupMessage__V1 bodies[MESSAGES_MAX];

static Pb__GroupMessage *copy_of(const Pb__GroupMessage *message, size_t slot)
{
    copies[slot] = *message;
    bodies[slot] = *message->v1;
    copies[slot].v1 = &bodies[slot];
    return &copies[slot];
}

/* Everything once more under new ids, between the honest ones and the next to come. */
static size_t replayed(Pb__GroupMessage **honest, size_t count, Pb__GroupMessage **out)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        out[n++] = honest[i];
    }
    for (size_t i = 0; i < count; i++) {
        out[n] = copy_of(honest[i], i);
        out[n++]->v1->id = honest[count - 1]->v1->id + 1 + i;
    }
    return n;
}

static size_t flip_at;

static size_t altered(Pb__GroupMessage **honest, size_t count, Pb__GroupMessage **out)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = honest[i];
        ProtobufCBinaryData *data = &honest[i]->v1->data;
        if (!honest[i]->v1->is_commit && data->len > 0) {
            data->data[flip_at % data->len] ^= 1;
        }
    }
    return count;
}

static size_t cut_short(Pb__GroupMessage **honest, size_t count, Pb__GroupMessage **out)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = honest[i];
        if (!honest[i]->v1->is_commit) {
            honest[i]->v1->data.len /= 2;
        }
    }
    return count;
}

static uint8_t other_group[16] = {9};

static size_t of_another_group(Pb__GroupMessage **honest, size_t count, Pb__GroupMessage **out)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        out[n] = copy_of(honest[i], i);
        out[n]->v1->id += 1000000;
        out[n++]->v1->group_id = (ProtobufCBinaryData){.len = 16, .data = other_group};
        out[n++] = honest[i];
    }
    return n;
}

static size_t without_a_body(Pb__GroupMessage **honest, size_t count, Pb__GroupMessage **out)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        out[n] = copy_of(honest[i], i);
        out[n++]->version_case = PB__GROUP_MESSAGE__VERSION__NOT_SET;
        out[n++] = honest[i];
    }
    return n;
}

/* ---- */

typedef struct scene {
    person a;
    person b;
    xmtp_conversation_id group;
} scene;

static void begin(scene *s)
{
    person_open(&s->a, &net);
    person_open(&s->b, &net);
    const char *members[] = {xmtp_client_address(s->b.client)};
    assert_ok(&s->a,
              xmtp_client_group_create(s->a.client, "0", members, 1, &s->group, &s->a.error));
    sync_all(&s->b);
    send_text(&s->b, &s->group, "0");
    sync_all(&s->a);
    for (int i = 1; i <= 5; i++) {
        char text[8];
        (void)snprintf(text, sizeof(text), "%d", i);
        send_text(&s->a, &s->group, text);
        assert_ok(&s->a, xmtp_client_group_rename(s->a.client, &s->group, text, &s->a.error));
    }
}

static void end(scene *s)
{
    person_close(&s->a);
    person_close(&s->b);
}

static void lie_once(scene *s, lie how)
{
    present_lie = how;
    s->b.wire.mangle = mangle;
    sync_all(&s->b);
    s->b.wire.mangle = NULL;
}

static void assert_unharmed(lie how)
{
    scene s;
    begin(&s);
    lie_once(&s, how);
    assert_texts(&s.b, &s.group, "0|1|2|3|4|5|");
    assert_string_equal(conversation_of(&s.b, &s.group).name, "5");
    assert_int_equal(conversation_of(&s.b, &s.group).epoch, conversation_of(&s.a, &s.group).epoch);
    send_text(&s.b, &s.group, "after");
    sync_all(&s.a);
    assert_texts(&s.a, &s.group, "0|1|2|3|4|5|after|");
    end(&s);
}

static void doubled_messages_are_taken_once(void **state)
{
    (void)state;
    assert_unharmed(doubled);
}

static void a_page_out_of_order_is_put_in_order(void **state)
{
    (void)state;
    assert_unharmed(reversed);
}

static void messages_of_another_group_and_without_a_body_are_ignored(void **state)
{
    (void)state;
    assert_unharmed(of_another_group);
    assert_unharmed(without_a_body);
}

/* The replay moves the cursor, which is the node's to say; what it replays is not stored again. */
static void replayed_messages_are_not_stored_again(void **state)
{
    (void)state;
    scene s;
    begin(&s);
    lie_once(&s, replayed);
    assert_texts(&s.b, &s.group, "0|1|2|3|4|5|");
    assert_int_equal(conversation_of(&s.b, &s.group).epoch, conversation_of(&s.a, &s.group).epoch);
    person_reopen(&s.b);
    assert_texts(&s.b, &s.group, "0|1|2|3|4|5|");
    end(&s);
}

static void altered_messages_are_never_shown_and_harm_no_others(void **state)
{
    (void)state;
    for (flip_at = 0; flip_at < 60; flip_at += 7) {
        scene s;
        begin(&s);
        lie_once(&s, altered);
        assert_texts(&s.b, &s.group, "0|");
        assert_string_equal(conversation_of(&s.b, &s.group).name, "5");
        send_text(&s.a, &s.group, "after");
        sync_all(&s.b);
        assert_texts(&s.b, &s.group, "0|after|");
        end(&s);
    }
}

static void messages_cut_short_harm_no_others(void **state)
{
    (void)state;
    scene s;
    begin(&s);
    lie_once(&s, cut_short);
    assert_texts(&s.b, &s.group, "0|");
    send_text(&s.a, &s.group, "after");
    sync_all(&s.b);
    assert_texts(&s.b, &s.group, "0|after|");
    end(&s);
}

static unsigned hidden_queries;

/* A node that shows what it took only after a while. */
static size_t late(Pb__GroupMessage **honest, size_t count, Pb__GroupMessage **out)
{
    if (hidden_queries > 0) {
        hidden_queries--;
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        out[i] = honest[i];
    }
    return count;
}

static void a_slow_node_is_waited_for_and_not_sent_everything_again(void **state)
{
    (void)state;
    scene s;
    begin(&s);
    uint64_t sends = s.a.wire.sends;
    hidden_queries = 3;
    present_lie = late;
    s.a.wire.mangle = mangle;
    send_text(&s.a, &s.group, "after");
    s.a.wire.mangle = NULL;
    assert_int_equal(s.a.wire.sends, sends + 1);
    sync_all(&s.b);
    assert_texts(&s.b, &s.group, "0|1|2|3|4|5|after|");
    assert_texts(&s.a, &s.group, "0|1|2|3|4|5|after|");
    end(&s);
}

/* Randomness that makes the next group get a chosen id. */
static xmtp_conversation_id stolen;

static xmtp_status chosen_random(void *context, uint8_t *out, size_t n)
{
    if (n == stolen.n) {
        memcpy(out, stolen.p, n);
        return XMTP_OK;
    }
    return net.env.random(context, out, n);
}

static void a_stranger_cannot_put_another_group_in_place_of_ours(void **state)
{
    (void)state;
    scene s;
    person thief;
    xmtp_conversation_id same;
    begin(&s);
    sync_all(&s.b);
    person_open(&thief, &net);
    stolen = s.group;
    xmtp_env env = net.env;
    env.random = chosen_random;
    thief.env = &env;
    person_reopen(&thief);
    assert_ok(&thief, xmtp_client_group_create(thief.client, "mine", NULL, 0, &same, &thief.error));
    assert_memory_equal(&same, &s.group, sizeof(same));
    for (int i = 0; i < 12; i++) { /* a higher epoch than that of the real group */
        assert_ok(&thief,
                  xmtp_client_group_rename(thief.client, &same, i % 2 ? "x" : "y", &thief.error));
    }
    const char *victim[] = {xmtp_client_address(s.b.client)};
    assert_ok(&thief, xmtp_client_group_add(thief.client, &same, victim, 1, &thief.error));
    sync_all(&s.b);
    assert_string_equal(conversation_of(&s.b, &s.group).name, "5");
    assert_int_equal(conversation_of(&s.b, &s.group).member_count, 2);
    send_text(&s.a, &s.group, "still us");
    sync_all(&s.b);
    assert_texts(&s.b, &s.group, "0|1|2|3|4|5|still us|");
    person_close(&thief);
    end(&s);
}

int main(void)
{
#define ON_NETWORK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ON_NETWORK(doubled_messages_are_taken_once),
        ON_NETWORK(a_page_out_of_order_is_put_in_order),
        ON_NETWORK(messages_of_another_group_and_without_a_body_are_ignored),
        ON_NETWORK(replayed_messages_are_not_stored_again),
        ON_NETWORK(altered_messages_are_never_shown_and_harm_no_others),
        ON_NETWORK(messages_cut_short_harm_no_others),
        ON_NETWORK(a_stranger_cannot_put_another_group_in_place_of_ours),
        ON_NETWORK(a_slow_node_is_waited_for_and_not_sent_everything_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
