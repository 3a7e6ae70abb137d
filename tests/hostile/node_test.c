/* node_test.c - a node that gives wrong answers: errors, torn and altered bytes, too much, too
 * little, the wrong order, other people's data, forged logs. The client ends with a clean status,
 * its database stays whole, and with an honest node everything goes on. */
#include "client/state.h"
#include "liar.h"

enum { STEPS = 48, SEEDS = 6 };

static network net;

/* Waiting takes no time: the node's clock must not fall an hour behind. */
static void no_sleep(void *context, uint64_t ns)
{
    (void)context;
    (void)ns;
}

static int set_up(void **state)
{
    (void)state;
    network_open(&net);
    net.env.sleep_ns = no_sleep;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    network_close(&net);
    return 0;
}

#define ON_NETWORK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

typedef struct scene {
    person alice; /* whose node is honest */
    person bob;   /* who is lied to */
    xmtp_conversation_id group;
} scene;

static void begin(scene *s)
{
    person_open(&s->alice, &net);
    person_open(&s->bob, &net);
    lie_to(&s->bob);
    const char *members[] = {xmtp_client_address(s->bob.client)};
    assert_ok(&s->alice, xmtp_client_group_create(s->alice.client, "g", members, 1, &s->group,
                                                  &s->alice.error));
    sync_all(&s->bob);
    send_text(&s->bob, &s->group, "0");
    sync_all(&s->alice);
}

static void end(scene *s)
{
    person_close(&s->alice);
    person_close(&s->bob);
}

/* A status that may be any: what counts is that there is one. */
static void any(xmtp_status status)
{
    assert_string_not_equal(xmtp_status_name(status), "E_UNKNOWN");
}

static xmtp_status sync_bob(scene *s)
{
    return xmtp_client_sync(s->bob.client, &s->bob.error);
}

/* The node is honest again; bob starts anew. */
static void recover(scene *s)
{
    be_honest();
    network_advance(&net, 60);
    person_reopen(&s->bob);
    sync_all(&s->bob);
    sync_all(&s->alice);
    sync_all(&s->bob);
}

static void assert_both(scene *s, const char *texts)
{
    assert_texts(&s->alice, &s->group, texts);
    assert_texts(&s->bob, &s->group, texts);
    assert_int_equal(conversation_of(&s->alice, &s->group).epoch,
                     conversation_of(&s->bob, &s->group).epoch);
}

static void assert_goes_on(scene *s, const char *texts)
{
    char expected[4096];
    recover(s);
    send_text(&s->alice, &s->group, "x");
    sync_all(&s->bob);
    send_text(&s->bob, &s->group, "y");
    sync_all(&s->alice);
    (void)snprintf(expected, sizeof(expected), "%sx|y|", texts);
    assert_both(s, expected);
}

/* ---- errors and bytes */

static const xmtp_status statuses[] = {
    XMTP_E_NETWORK,     XMTP_E_TIMEOUT,           XMTP_E_RPC_UNAVAILABLE,
    XMTP_E_RPC,         XMTP_E_RPC_UNIMPLEMENTED, XMTP_E_RPC_EXHAUSTED,
    XMTP_E_RPC_INVALID, XMTP_E_PROTOCOL,          XMTP_E_LIMIT,
};

enum { STATUS_COUNT = sizeof(statuses) / sizeof(statuses[0]) };

static xmtp_status answer_errors(liar *l, xmtp_writer *response)
{
    (void)response;
    return roll(l, 2) == 0 ? XMTP_OK : statuses[roll(l, STATUS_COUNT)];
}

static xmtp_status tear_bytes(liar *l, xmtp_writer *response)
{
    if (response->n > 0 && roll(l, 2) == 0) {
        response->n = roll(l, (uint32_t)response->n);
    }
    return XMTP_OK;
}

static xmtp_status answer_nonsense(liar *l, xmtp_writer *response)
{
    xmtp_writer_clear(response);
    for (uint32_t n = roll(l, 200); n > 0; n--) {
        xmtp_writer_u8(response, (uint8_t)roll(l, 256));
    }
    return XMTP_OK;
}

static xmtp_status flip_bytes(liar *l, xmtp_writer *response)
{
    for (uint32_t n = roll(l, 4); n > 0 && response->n > 0; n--) {
        response->p[roll(l, (uint32_t)response->n)] ^= (uint8_t)(1u << roll(l, 8));
    }
    return XMTP_OK;
}

static void under_errors_everything_arrives_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        scene s;
        begin(&s);
        the_liar.state = seed;
        start_lying(NULL, answer_errors);
        for (int i = 0; i < 10; i++) {
            send_text(&s.alice, &s.group, "a");
            (void)sync_bob(&s);
            network_advance(&net, 5);
        }
        assert_goes_on(&s, "0|a|a|a|a|a|a|a|a|a|a|");
        end(&s);
    }
}

static void torn_answers_lose_nothing(void **state)
{
    (void)state;
    scene s;
    begin(&s);
    send_text(&s.alice, &s.group, "a");
    assert_ok(&s.alice, xmtp_client_group_rename(s.alice.client, &s.group, "new", &s.alice.error));
    send_text(&s.alice, &s.group, "b");
    start_lying("Query", answer_nonsense);
    for (int i = 0; i < 20; i++) {
        (void)sync_bob(&s);
    }
    assert_true(the_liar.lies > 0);
    assert_goes_on(&s, "0|a|b|");
    assert_string_equal(conversation_of(&s.bob, &s.group).name, "new");
    end(&s);
}

/* What bob does while anything may be altered; results do not count, only that there are some. */
static void do_something(scene *s, int step)
{
    xmtp_conversation_id id;
    const char *members[] = {xmtp_client_address(s->alice.client)};
    char text[16];
    xmtp_client *c = s->bob.client;
    (void)snprintf(text, sizeof(text), "b%d", step);
    switch (step % 6) {
    case 0:
        any(xmtp_client_sync(c, &s->bob.error));
        break;
    case 1:
        any(xmtp_client_send_text(c, &s->group, text, NULL, &s->bob.error));
        break;
    case 2:
        any(xmtp_client_group_rename(c, &s->group, text, &s->bob.error));
        break;
    case 3:
        any(xmtp_client_group_create(c, text, members, 1, &id, &s->bob.error));
        break;
    case 4:
        any(xmtp_client_dm(c, members[0], &id, &s->bob.error));
        break;
    default:
        any(xmtp_client_poll(c, 0, &s->bob.error));
        break;
    }
}

static xmtp_status note_text(void *context, const xmtp_message *message)
{
    char *all = context;
    if (message->kind == XMTP_MESSAGE_APPLICATION) {
        assert_non_null(message->text);
        assert_true(strlen(all) + message->text_len + 2 < 4096);
        strcat(all, "|");
        strcat(all, message->text);
    }
    return XMTP_OK;
}

/* Nothing is shown twice, and nothing that was not said. */
static void assert_plausible(scene *s, person *p)
{
    char all[4096] = "";
    xmtp_message_query query = {.conversation = &s->group};
    assert_ok(p, xmtp_client_messages(p->client, &query, note_text, all, &p->error));
    strcat(all, "|");
    for (int i = 0; i < STEPS; i++) {
        const char *const names = "ab";
        for (int k = 0; k < 2; k++) {
            char wanted[16];
            (void)snprintf(wanted, sizeof(wanted), "|%c%d|", names[k], i);
            const char *first = strstr(all, wanted);
            assert_true(first == NULL || strstr(first + 1, wanted) == NULL);
        }
    }
}

static void live_under(xmtp_status (*lie)(liar *, xmtp_writer *), uint64_t seed)
{
    scene s;
    xmtp_conversation_id fresh;
    begin(&s);
    the_liar.state = seed;
    start_lying(NULL, lie);
    for (int step = 0; step < STEPS; step++) {
        char text[16];
        (void)snprintf(text, sizeof(text), "a%d", step);
        any(xmtp_client_send_text(s.alice.client, &s.group, text, NULL, &s.alice.error));
        do_something(&s, step);
        network_advance(&net, 6);
    }
    be_honest();
    person_reopen(&s.bob); /* its database is whole */
    (void)sync_bob(&s);
    any(xmtp_client_sync(s.alice.client, &s.alice.error));
    assert_plausible(&s, &s.bob);
    assert_plausible(&s, &s.alice);
    /* a group made now works, whatever became of the old one */
    const char *members[] = {xmtp_client_address(s.bob.client)};
    assert_ok(&s.alice, xmtp_client_group_create(s.alice.client, "fresh", members, 1, &fresh,
                                                 &s.alice.error));
    send_text(&s.alice, &fresh, "hello");
    for (int i = 0; i < 10; i++) {
        network_advance(&net, 10);
        (void)sync_bob(&s);
    }
    assert_texts(&s.bob, &fresh, "hello|");
    send_text(&s.bob, &fresh, "hi");
    sync_all(&s.alice);
    assert_texts(&s.alice, &fresh, "hello|hi|");
    end(&s);
}

static void a_client_lives_through_errors(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        live_under(answer_errors, seed);
    }
}

static void a_client_lives_through_torn_answers(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        live_under(tear_bytes, seed);
    }
}

static void a_client_lives_through_nonsense(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        live_under(answer_nonsense, seed);
    }
}

/* ---- lists of the wrong length and order */

static item_list list_in(const char *method, void *message)
{
    if (strcmp(method, "QueryGroupMessages") == 0) {
        Pb__QueryGroupMessagesResponse *m = message;
        return (item_list){&m->n_messages, (void ***)(void *)&m->messages};
    }
    if (strcmp(method, "QueryWelcomeMessages") == 0) {
        Pb__QueryWelcomeMessagesResponse *m = message;
        return (item_list){&m->n_messages, (void ***)(void *)&m->messages};
    }
    if (strcmp(method, "FetchKeyPackages") == 0) {
        Pb__FetchKeyPackagesResponse *m = message;
        return (item_list){&m->n_key_packages, (void ***)(void *)&m->key_packages};
    }
    if (strcmp(method, "GetNewestGroupMessage") == 0) {
        Pb__GetNewestGroupMessageResponse *m = message;
        return (item_list){&m->n_responses, (void ***)(void *)&m->responses};
    }
    Pb__GetIdentityUpdatesResponse *m = message;
    return (item_list){&m->n_responses, (void ***)(void *)&m->responses};
}

static const struct {
    const char *method;
    const ProtobufCMessageDescriptor *type;
} methods[] = {
    {"QueryGroupMessages", &pb__query_group_messages_response__descriptor},
    {"QueryWelcomeMessages", &pb__query_welcome_messages_response__descriptor},
    {"FetchKeyPackages", &pb__fetch_key_packages_response__descriptor},
    {"GetNewestGroupMessage", &pb__get_newest_group_message_response__descriptor},
    {"GetIdentityUpdates", &pb__get_identity_updates_response__descriptor},
};

enum { METHOD_COUNT = sizeof(methods) / sizeof(methods[0]) };

typedef enum list_lie { LIST_DOUBLED, LIST_REVERSED, LIST_EMPTY, LIST_SHORT, LIST_LIES } list_lie;

static list_lie present_list_lie;

static xmtp_status alter_list(liar *l, xmtp_writer *response)
{
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        if (strcmp(methods[i].method, l->method) != 0) {
            continue;
        }
        void *message = decoded(l, methods[i].type, response);
        item_list list = list_in(l->method, message);
        switch (present_list_lie) {
        case LIST_DOUBLED:
            double_items(l, list);
            break;
        case LIST_REVERSED:
            reverse_items(list);
            break;
        case LIST_EMPTY:
            *list.count = 0;
            break;
        case LIST_SHORT: /* its end is missing: comes with the next page */
            drop_item(list, *list.count == 0 ? 0 : *list.count - 1);
            break;
        case LIST_LIES:
            break;
        }
        return answer_with(response, message);
    }
    return XMTP_OK;
}

/* Everything that asks the node for lists: messages, a new member, a new group. */
static void busy_day(scene *s)
{
    xmtp_conversation_id id;
    person carol;
    person_open(&carol, &net);
    const char *bob[] = {xmtp_client_address(s->bob.client)};
    const char *others[] = {xmtp_client_address(carol.client),
                            xmtp_client_address(s->alice.client)};
    for (int i = 0; i < 3; i++) {
        send_text(&s->alice, &s->group, "a");
        assert_ok(&s->alice,
                  xmtp_client_group_create(s->alice.client, "more", bob, 1, &id, &s->alice.error));
    }
    (void)sync_bob(s);
    any(xmtp_client_group_create(s->bob.client, "own", others, 2, &id, &s->bob.error));
    any(xmtp_client_send_text(s->bob.client, &s->group, "b", NULL, &s->bob.error));
    (void)sync_bob(s);
    person_close(&carol);
}

static xmtp_status count_named(void *context, const xmtp_conversation *conversation)
{
    *(size_t *)context += strcmp(conversation->name, "more") == 0;
    return XMTP_OK;
}

static void lists_of_the_wrong_length_and_order_lose_nothing(void **state)
{
    (void)state;
    for (size_t m = 0; m < METHOD_COUNT; m++) {
        for (present_list_lie = 0; present_list_lie < LIST_LIES; present_list_lie++) {
            scene s;
            size_t count = 0;
            begin(&s);
            start_lying(methods[m].method, alter_list);
            busy_day(&s);
            if (the_liar.lies == 0) {
                fail_msg("%s was not asked", methods[m].method);
            }
            assert_goes_on(&s, "0|a|a|a|b|");
            assert_ok(&s.bob,
                      xmtp_client_conversations(s.bob.client, count_named, &count, &s.bob.error));
            if (count != 3) {
                fail_msg("%s %d: %zu invitations of 3", methods[m].method, (int)present_list_lie,
                         count);
            }
            end(&s);
        }
    }
}

/* ---- wrong contents */

static uint64_t shift_id;

static xmtp_status shift_ids(liar *l, xmtp_writer *response)
{
    Pb__QueryGroupMessagesResponse *page =
        decoded(l, &pb__query_group_messages_response__descriptor, response);
    for (size_t i = 0; i < page->n_messages; i++) {
        if (page->messages[i]->version_case == PB__GROUP_MESSAGE__VERSION_V1) {
            page->messages[i]->v1->id = shift_id;
        }
    }
    return answer_with(response, &page->base);
}

static void messages_below_the_cursor_or_beyond_all_numbers_are_ignored(void **state)
{
    (void)state;
    static const uint64_t ids[] = {0, 1, UINT64_MAX, (uint64_t)INT64_MAX + 1};
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        scene s;
        begin(&s);
        send_text(&s.alice, &s.group, "a");
        shift_id = ids[i];
        start_lying("QueryGroupMessages", shift_ids);
        (void)sync_bob(&s);
        assert_true(the_liar.lies > 0);
        assert_goes_on(&s, "0|a|");
        end(&s);
    }
}

static Pb__WelcomeMessage *stolen;

static xmtp_status give_stolen_welcome(liar *l, xmtp_writer *response)
{
    Pb__QueryWelcomeMessagesResponse *page =
        decoded(l, &pb__query_welcome_messages_response__descriptor, response);
    Pb__WelcomeMessage **one = taken(l, sizeof(*one));
    one[0] = stolen;
    page->messages = one;
    page->n_messages = 1;
    return answer_with(response, &page->base);
}

/* The newest invitation of somebody, asked for by anybody: the node tells all. */
static Pb__WelcomeMessage *welcome_of(person *p, xmtp_arena *arena)
{
    uint8_t key[32];
    void *answer;
    xmtp_writer in;
    xmtp_writer out;
    Pb__QueryWelcomeMessagesRequest request = PB__QUERY_WELCOME_MESSAGES_REQUEST__INIT;
    assert_int_equal(xmtp_hex_decode(key, 32, xmtp_client_installation_id(p->client), 64), XMTP_OK);
    request.has_installation_key = 1;
    request.installation_key = xmtp_proto_data(xmtp_bytes_of(key, sizeof(key)));
    xmtp_writer_init(&in, &net.env.alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&out, &net.env.alloc, XMTP_WRITER_MAX);
    assert_int_equal(xmtp_proto_encode(&request.base, &in), XMTP_OK);
    assert_ok(p, p->wire.inner.unary(p->wire.inner.context,
                                     "/xmtp.mls.api.v1.MlsApi/QueryWelcomeMessages",
                                     xmtp_writer_bytes(&in), &out, &p->error));
    assert_int_equal(xmtp_proto_decode(&pb__query_welcome_messages_response__descriptor, arena,
                                       xmtp_writer_bytes(&out), &answer),
                     XMTP_OK);
    xmtp_writer_free(&in);
    xmtp_writer_free(&out);
    const Pb__QueryWelcomeMessagesResponse *page = answer;
    assert_true(page->n_messages > 0);
    return page->messages[0];
}

static void invitations_of_other_people_are_stepped_over(void **state)
{
    (void)state;
    scene s;
    person carol;
    xmtp_arena arena;
    xmtp_conversation_id id;
    size_t count = 0;
    begin(&s);
    xmtp_arena_init(&arena, &net.env.alloc, 1 << 24);
    person_open(&carol, &net);
    const char *members[] = {xmtp_client_address(carol.client)};
    assert_ok(&s.alice,
              xmtp_client_group_create(s.alice.client, "carol's", members, 1, &id, &s.alice.error));
    stolen = welcome_of(&carol, &arena);
    start_lying("QueryWelcomeMessages", give_stolen_welcome);
    (void)sync_bob(&s);
    assert_true(the_liar.lies > 0);
    be_honest();
    members[0] = xmtp_client_address(s.bob.client);
    assert_ok(&s.alice,
              xmtp_client_group_create(s.alice.client, "more", members, 1, &id, &s.alice.error));
    assert_goes_on(&s, "0|");
    assert_ok(&s.bob, xmtp_client_conversations(s.bob.client, count_named, &count, &s.bob.error));
    assert_int_equal(count, 1);
    person_close(&carol);
    xmtp_arena_reset(&arena);
    end(&s);
}

/* ---- key packages */

static xmtp_status alter_key_packages(liar *l, xmtp_writer *response)
{
    Pb__FetchKeyPackagesResponse *page =
        decoded(l, &pb__fetch_key_packages_response__descriptor, response);
    for (size_t i = 0; i < page->n_key_packages; i++) {
        ProtobufCBinaryData *data = &page->key_packages[i]->key_package_tls_serialized;
        if (data->len > 0) {
            data->data[roll(l, (uint32_t)data->len)] ^= 0x10;
        }
    }
    return answer_with(response, &page->base);
}

static void altered_key_packages_are_never_used(void **state)
{
    (void)state;
    scene s;
    person carol;
    xmtp_conversation_id id;
    begin(&s);
    person_open(&carol, &net);
    const char *members[] = {xmtp_client_address(carol.client)};
    start_lying("FetchKeyPackages", alter_key_packages);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(
            xmtp_client_group_create(s.bob.client, "no", members, 1, &id, &s.bob.error),
            XMTP_E_KEY_PACKAGE);
        assert_int_equal(id.n, 0);
    }
    be_honest();
    assert_ok(&s.bob, xmtp_client_group_create(s.bob.client, "yes", members, 1, &id, &s.bob.error));
    sync_all(&carol);
    assert_string_equal(conversation_of(&carol, &id).name, "yes");
    person_close(&carol);
    end(&s);
}

static ProtobufCBinaryData someone_elses_package;

static xmtp_status give_someone_elses_key_package(liar *l, xmtp_writer *response)
{
    Pb__FetchKeyPackagesResponse *page =
        decoded(l, &pb__fetch_key_packages_response__descriptor, response);
    if (page->n_key_packages == 1) {
        if (someone_elses_package.data == NULL) {
            ProtobufCBinaryData *data = &page->key_packages[0]->key_package_tls_serialized;
            someone_elses_package =
                (ProtobufCBinaryData){.len = data->len, .data = malloc(data->len)};
            memcpy(someone_elses_package.data, data->data, data->len);
        }
        page->key_packages[0]->key_package_tls_serialized = someone_elses_package;
    }
    return answer_with(response, &page->base);
}

static void a_key_package_of_somebody_else_is_never_used(void **state)
{
    (void)state;
    scene s;
    person carol;
    xmtp_conversation_id id;
    begin(&s);
    person_open(&carol, &net);
    const char *alice[] = {xmtp_client_address(s.alice.client)};
    const char *members[] = {xmtp_client_address(carol.client)};
    start_lying("FetchKeyPackages", give_someone_elses_key_package);
    assert_ok(&s.bob, xmtp_client_group_create(s.bob.client, "a", alice, 1, &id, &s.bob.error));
    assert_int_equal(xmtp_client_group_create(s.bob.client, "no", members, 1, &id, &s.bob.error),
                     XMTP_E_KEY_PACKAGE);
    free(someone_elses_package.data);
    someone_elses_package = (ProtobufCBinaryData){0};
    person_close(&carol);
    end(&s);
}

/* ---- logs of identities */

typedef enum log_lie {
    LOG_ALTERED,
    LOG_REVERSED,
    LOG_WITHOUT_ITS_BEGINNING,
    LOG_OF_SOMEBODY_ELSE,
    LOG_EMPTY,
    LOG_LIES,
} log_lie;

static log_lie present_log_lie;

static void alter_log(liar *l, Pb__GetIdentityUpdatesResponse__Response *log)
{
    item_list list = {&log->n_updates, (void ***)(void *)&log->updates};
    switch (present_log_lie) {
    case LOG_ALTERED:
        for (size_t i = 0; i < log->n_updates; i++) {
            ProtobufCBinaryData *update = &log->updates[i]->update;
            update->data[update->len - 1 - roll(l, 20)] ^= 1;
        }
        break;
    case LOG_REVERSED:
        for (size_t i = 0; i < log->n_updates / 2; i++) {
            uint64_t id = log->updates[i]->sequence_id;
            log->updates[i]->sequence_id = log->updates[log->n_updates - 1 - i]->sequence_id;
            log->updates[log->n_updates - 1 - i]->sequence_id = id;
        }
        break;
    case LOG_WITHOUT_ITS_BEGINNING:
        drop_item(list, 0);
        break;
    case LOG_EMPTY:
        log->n_updates = 0;
        break;
    case LOG_OF_SOMEBODY_ELSE:
    case LOG_LIES:
        break;
    }
}

static xmtp_status alter_logs(liar *l, xmtp_writer *response)
{
    Pb__GetIdentityUpdatesResponse *page =
        decoded(l, &pb__get_identity_updates_response__descriptor, response);
    for (size_t i = 0; i < page->n_responses; i++) {
        alter_log(l, page->responses[i]);
    }
    for (size_t i = 0; present_log_lie == LOG_OF_SOMEBODY_ELSE && i + 1 < page->n_responses; i++) {
        char *name = page->responses[i]->inbox_id;
        page->responses[i]->inbox_id = page->responses[i + 1]->inbox_id;
        page->responses[i + 1]->inbox_id = name;
    }
    return answer_with(response, &page->base);
}

/* A second installation makes carol's log two updates long. */
static void open_carol(person *carol, person *device)
{
    person_open(carol, &net);
    person_open_device(device, carol);
}

static void a_false_log_of_an_identity_does_no_lasting_harm(void **state)
{
    (void)state;
    for (present_log_lie = 0; present_log_lie < LOG_LIES; present_log_lie++) {
        scene s;
        person carol;
        person device;
        person dora;
        xmtp_conversation_id id;
        begin(&s);
        open_carol(&carol, &device);
        person_open(&dora, &net);
        const char *members[] = {xmtp_client_address(carol.client),
                                 xmtp_client_address(dora.client)};
        start_lying("GetIdentityUpdates", alter_logs);
        xmtp_status status =
            xmtp_client_group_create(s.bob.client, "no", members, 2, &id, &s.bob.error);
        assert_true(the_liar.lies > 0);
        if (status == XMTP_OK) {
            fail_msg("a group was made of a false log, lie %d", (int)present_log_lie);
        }
        recover(&s);
        status = xmtp_client_group_create(s.bob.client, "yes", members, 2, &id, &s.bob.error);
        if (status != XMTP_OK) {
            fail_msg("after lie %d: %s: %s", (int)present_log_lie, xmtp_status_name(status),
                     s.bob.error.text);
        }
        sync_all(&carol);
        sync_all(&device);
        assert_string_equal(conversation_of(&carol, &id).name, "yes");
        assert_string_equal(conversation_of(&device, &id).name, "yes");
        assert_goes_on(&s, "0|");
        person_close(&carol);
        person_close(&device);
        person_close(&dora);
        end(&s);
    }
}

static const char *impersonated;
static const char *impostor;

/* The log of the impostor under the name of another. */
static xmtp_status rename_logs(liar *l, xmtp_writer *response)
{
    Pb__GetIdentityUpdatesResponse *page =
        decoded(l, &pb__get_identity_updates_response__descriptor, response);
    for (size_t i = 0; i < page->n_responses; i++) {
        if (strcmp(page->responses[i]->inbox_id, impostor) == 0) {
            page->responses[i]->inbox_id = (char *)(uintptr_t)impersonated;
        }
    }
    return answer_with(response, &page->base);
}

static void the_log_of_one_inbox_is_not_taken_for_that_of_another(void **state)
{
    (void)state;
    scene s;
    person carol;
    person mallory;
    const xmtp_association *found;
    uint64_t sequence_id;
    begin(&s);
    person_open(&carol, &net);
    person_open(&mallory, &net);
    impersonated = xmtp_client_inbox_id(carol.client);
    impostor = xmtp_client_inbox_id(mallory.client);
    start_lying("GetIdentityUpdates", rename_logs);
    assert_ok(&s.bob, xmtp_identity_sync(s.bob.client, &impostor, 1, &s.bob.error));
    assert_int_equal(
        xmtp_newest_state(s.bob.client, impersonated, &found, &sequence_id, &s.bob.error),
        XMTP_E_NO_INBOX);
    be_honest();
    assert_ok(&s.bob, xmtp_identity_sync(s.bob.client, &impersonated, 1, &s.bob.error));
    assert_ok(&s.bob,
              xmtp_newest_state(s.bob.client, impersonated, &found, &sequence_id, &s.bob.error));
    assert_true(xmtp_association_has_installation(found, carol.client->installation.pk));
    assert_false(xmtp_association_has_installation(found, mallory.client->installation.pk));
    person_close(&carol);
    person_close(&mallory);
    end(&s);
}

/* ---- random lies of every kind */

static xmtp_status lie_anyhow(liar *l, xmtp_writer *response)
{
    switch (roll(l, 8)) {
    case 0:
        return answer_errors(l, response);
    case 1:
        return tear_bytes(l, response);
    case 2:
        return flip_bytes(l, response);
    default:
        return XMTP_OK;
    }
}

static void a_client_lives_through_lies_of_every_kind(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        live_under(lie_anyhow, seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_NETWORK(under_errors_everything_arrives_once),
        ON_NETWORK(torn_answers_lose_nothing),
        ON_NETWORK(a_client_lives_through_errors),
        ON_NETWORK(a_client_lives_through_torn_answers),
        ON_NETWORK(a_client_lives_through_nonsense),
        ON_NETWORK(lists_of_the_wrong_length_and_order_lose_nothing),
        ON_NETWORK(messages_below_the_cursor_or_beyond_all_numbers_are_ignored),
        ON_NETWORK(invitations_of_other_people_are_stepped_over),
        ON_NETWORK(altered_key_packages_are_never_used),
        ON_NETWORK(a_key_package_of_somebody_else_is_never_used),
        ON_NETWORK(a_false_log_of_an_identity_does_no_lasting_harm),
        ON_NETWORK(the_log_of_one_inbox_is_not_taken_for_that_of_another),
        ON_NETWORK(a_client_lives_through_lies_of_every_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
