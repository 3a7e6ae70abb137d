/* message_state_test.c - messages sent later, sent once, answered, read; keys and topics for push. */
#include "client/state.h"
#include "one_network.h"
#include "proto/message_contents.pb-c.h"
#include "proto/mls_api.pb-c.h"

/* Ann and Bob, and a DM of theirs that both know. */
typedef struct scene {
    person p[2];
    xmtp_conversation_id dm;
    xmtp_writer content;
} scene;

static void scene_open(scene *s)
{
    people_open(s->p, 2, &net);
    assert_ok(&s->p[0], xmtp_client_dm(s->p[0].client, xmtp_client_inbox_id(s->p[1].client), &s->dm,
                                       &s->p[0].error));
    sync_all(&s->p[1]);
    xmtp_writer_init(&s->content, &net.env.alloc, XMTP_WRITER_MAX);
}

static void scene_close(scene *s)
{
    xmtp_writer_free(&s->content);
    people_close(s->p, 2);
}

/* Encoded content of a type with these bytes; valid until the next. */
static xmtp_bytes content_of(scene *s, const char *type_id, xmtp_bytes bytes)
{
    Pb__ContentTypeId type = PB__CONTENT_TYPE_ID__INIT;
    Pb__EncodedContent content = PB__ENCODED_CONTENT__INIT;
    type.authority_id = (char[]){"xmtp.org"};
    type.type_id = (char *)(uintptr_t)type_id;
    type.has_version_major = 1;
    type.version_major = strcmp(type_id, "reaction") == 0 ? 2 : 1;
    content.type = &type;
    content.has_content = 1;
    content.content = xmtp_proto_data(bytes);
    xmtp_writer_clear(&s->content);
    assert_int_equal(xmtp_proto_encode(&content.base, &s->content), XMTP_OK);
    return xmtp_writer_bytes(&s->content);
}

static xmtp_bytes text_of(scene *s, const char *text)
{
    return content_of(s, "text", xmtp_bytes_of_string(text));
}

static xmtp_delivery_status delivery_of(person *p, const uint8_t id[XMTP_MESSAGE_ID_LEN])
{
    xmtp_message message;
    assert_ok(p, xmtp_client_message(p->client, id, &message, &p->error));
    return message.delivery;
}

static void optimistic_messages_wait_and_are_published_in_their_order(void **state)
{
    (void)state;
    scene s;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    scene_open(&s);
    person *a = &s.p[0];
    const xmtp_send_options later = {.is_optimistic = true};
    uint64_t sends = a->wire.sends;
    assert_ok(a,
              xmtp_client_send_with(a->client, &s.dm, text_of(&s, "one"), &later, id, &a->error));
    assert_ok(a,
              xmtp_client_send_with(a->client, &s.dm, text_of(&s, "two"), &later, NULL, &a->error));
    assert_int_equal(a->wire.sends, sends);
    assert_int_equal(delivery_of(a, id), XMTP_DELIVERY_UNPUBLISHED);
    assert_texts(a, &s.dm, "one|two|");
    person_reopen(a);
    assert_ok(a, xmtp_client_publish_messages(a->client, &s.dm, &a->error));
    assert_int_equal(delivery_of(a, id), XMTP_DELIVERY_PUBLISHED);
    sync_all(&s.p[1]);
    assert_texts(&s.p[1], &s.dm, "one|two|");
    scene_close(&s);
}

/* A round takes a hundred messages; eight rounds without an end were once too many. */
static void a_queue_of_any_length_goes_out_with_one_call(void **state)
{
    (void)state;
    enum { QUEUED = 850 };
    scene s;
    uint64_t count = 0;
    scene_open(&s);
    person *a = &s.p[0];
    const xmtp_send_options later = {.is_optimistic = true};
    const xmtp_message_query query = {.delivery = XMTP_DELIVERY_UNPUBLISHED};
    for (int i = 0; i < QUEUED; i++) {
        assert_ok(a, xmtp_client_send_with(a->client, &s.dm, text_of(&s, "text"), &later, NULL,
                                           &a->error));
    }
    assert_ok(a, xmtp_client_message_count(a->client, &query, &count, &a->error));
    assert_int_equal(count, QUEUED);
    assert_ok(a, xmtp_client_publish_messages(a->client, &s.dm, &a->error));
    assert_ok(a, xmtp_client_message_count(a->client, &query, &count, &a->error));
    assert_int_equal(count, 0);
    scene_close(&s);
}

static void a_prepared_message_goes_out_only_when_asked_for(void **state)
{
    (void)state;
    scene s;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    scene_open(&s);
    person *a = &s.p[0];
    const xmtp_send_options plain = {0};
    assert_ok(a,
              xmtp_client_prepare(a->client, &s.dm, text_of(&s, "later"), &plain, id, &a->error));
    sync_all(a);
    assert_ok(a, xmtp_client_publish_messages(a->client, &s.dm, &a->error));
    send_text(a, &s.dm, "before it");
    sync_all(&s.p[1]);
    assert_texts(&s.p[1], &s.dm, "before it|");
    person_reopen(a);
    assert_ok(a, xmtp_client_publish_message(a->client, id, &a->error));
    assert_ok(a, xmtp_client_publish_message(a->client, id, &a->error)); /* is: nothing */
    sync_all(&s.p[1]);
    assert_texts(&s.p[1], &s.dm, "before it|later|");
    scene_close(&s);
}

static void one_key_makes_one_message(void **state)
{
    (void)state;
    scene s;
    uint8_t first[XMTP_MESSAGE_ID_LEN];
    uint8_t again[XMTP_MESSAGE_ID_LEN];
    scene_open(&s);
    person *a = &s.p[0];
    const xmtp_send_options keyed = {.idempotency_key = "order 17"};
    const xmtp_send_options other = {.idempotency_key = "order 18"};
    assert_ok(
        a, xmtp_client_send_with(a->client, &s.dm, text_of(&s, "paid"), &keyed, first, &a->error));
    assert_ok(
        a, xmtp_client_send_with(a->client, &s.dm, text_of(&s, "paid"), &keyed, again, &a->error));
    assert_memory_equal(first, again, sizeof(first));
    assert_ok(
        a, xmtp_client_send_with(a->client, &s.dm, text_of(&s, "paid"), &other, again, &a->error));
    assert_memory_not_equal(first, again, sizeof(first));
    sync_all(&s.p[1]);
    assert_texts(&s.p[1], &s.dm, "paid|paid|");
    scene_close(&s);
}

static void what_failed_is_tried_again_when_asked_for(void **state)
{
    (void)state;
    scene s;
    person *a;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    xmtp_conversation_id group;
    scene_open(&s);
    a = &s.p[1];
    group_of(s.p, 2, &group);
    const xmtp_send_options later = {.is_optimistic = true};
    /* Bob is removed before his message is published, and brought back. */
    assert_ok(a,
              xmtp_client_send_with(a->client, &group, text_of(&s, "late"), &later, id, &a->error));
    const char *bob[] = {xmtp_client_inbox_id(a->client)};
    assert_ok(&s.p[0], xmtp_client_group_remove(s.p[0].client, &group, bob, 1, &s.p[0].error));
    sync_all(a);
    assert_int_equal(delivery_of(a, id), XMTP_DELIVERY_FAILED);
    assert_int_equal(xmtp_client_publish_messages(a->client, &group, &a->error), XMTP_E_INACTIVE);
    assert_ok(&s.p[0], xmtp_client_group_add(s.p[0].client, &group, bob, 1, &s.p[0].error));
    sync_all(a);
    assert_int_equal(delivery_of(a, id), XMTP_DELIVERY_FAILED);
    assert_ok(a, xmtp_client_publish_messages(a->client, &group, &a->error));
    assert_int_equal(delivery_of(a, id), XMTP_DELIVERY_PUBLISHED);
    sync_all(&s.p[0]);
    assert_texts(&s.p[0], &group, "late|");
    scene_close(&s);
}

/* ---- reactions, replies, reads */

static void react(scene *s, person *p, const uint8_t id[XMTP_MESSAGE_ID_LEN])
{
    uint8_t body[2 + 2 * XMTP_MESSAGE_ID_LEN + 1] = {0x0a, 2 * XMTP_MESSAGE_ID_LEN};
    char hex[2 * XMTP_MESSAGE_ID_LEN + 1];
    xmtp_hex_encode(hex, xmtp_bytes_of(id, XMTP_MESSAGE_ID_LEN));
    memcpy(body + 2, hex, 2 * XMTP_MESSAGE_ID_LEN);
    assert_ok(p, xmtp_client_send_content(
                     p->client, &s->dm,
                     content_of(s, "reaction", xmtp_bytes_of(body, sizeof(body) - 1)), false, NULL,
                     &p->error));
}

typedef struct enriched_facts {
    size_t entries;
    size_t reactions;
    size_t replies;
    size_t originals;
    char original[16];
} enriched_facts;

static xmtp_status note_enriched(void *context, const xmtp_enriched_message *message)
{
    enriched_facts *f = context;
    if (message->message.kind != XMTP_MESSAGE_APPLICATION) {
        return XMTP_OK;
    }
    f->entries++;
    f->reactions += message->reaction_count;
    f->replies += message->reply_count;
    if (message->in_reply_to != NULL) {
        f->originals++;
        (void)snprintf(f->original, sizeof(f->original), "%.15s", message->in_reply_to->text);
    }
    return XMTP_OK;
}

static void reactions_and_answers_are_attached_to_what_they_are_about(void **state)
{
    (void)state;
    scene s;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    enriched_facts facts = {0};
    scene_open(&s);
    person *a = &s.p[0];
    assert_ok(a, xmtp_client_send_text(a->client, &s.dm, "question", id, &a->error));
    sync_all(&s.p[1]);
    react(&s, &s.p[1], id);
    react(&s, a, id);
    assert_ok(&s.p[1],
              xmtp_client_send_reply(s.p[1].client, &s.dm, id, "answer", NULL, &s.p[1].error));
    sync_all(a);
    const xmtp_message_query query = {.conversation = &s.dm};
    assert_ok(a,
              xmtp_client_messages_enriched(a->client, &query, note_enriched, &facts, &a->error));
    assert_int_equal(facts.entries, 2);
    assert_int_equal(facts.reactions, 2);
    assert_int_equal(facts.replies, 1);
    assert_int_equal(facts.originals, 1);
    assert_string_equal(facts.original, "question");
    scene_close(&s);
}

static void what_is_said_elsewhere_does_not_count(void **state)
{
    (void)state;
    scene s;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    enriched_facts facts = {0};
    xmtp_conversation_id group;
    scene_open(&s);
    person *a = &s.p[0];
    group_of(s.p, 2, &group);
    assert_ok(a, xmtp_client_send_text(a->client, &s.dm, "question", id, &a->error));
    assert_ok(a, xmtp_client_send_reply(a->client, &group, id, "answer", NULL, &a->error));
    const xmtp_message_query query = {0};
    assert_ok(a,
              xmtp_client_messages_enriched(a->client, &query, note_enriched, &facts, &a->error));
    assert_int_equal(facts.entries, 2);
    assert_int_equal(facts.replies, 0);
    assert_int_equal(facts.originals, 0);
    scene_close(&s);
}

static xmtp_status note_read(void *context, const char *inbox_id, uint64_t read_ns)
{
    assert_int_equal(strlen(inbox_id), 64);
    *(uint64_t *)context += read_ns > 0;
    return XMTP_OK;
}

static void receipts_tell_who_has_read_and_are_not_the_last_message(void **state)
{
    (void)state;
    scene s;
    xmtp_message last;
    uint64_t readers = 0;
    scene_open(&s);
    person *a = &s.p[0];
    assert_int_equal(xmtp_client_last_message(a->client, &s.dm, &last, &a->error),
                     XMTP_E_NOT_FOUND);
    send_text(a, &s.dm, "read me");
    sync_all(&s.p[1]);
    for (int i = 0; i < 2; i++) {
        assert_ok(&s.p[1], xmtp_client_send_content(s.p[1].client, &s.dm,
                                                    content_of(&s, "readReceipt", (xmtp_bytes){0}),
                                                    false, NULL, &s.p[1].error));
    }
    sync_all(a);
    assert_ok(a, xmtp_client_last_reads(a->client, &s.dm, note_read, &readers, &a->error));
    assert_int_equal(readers, 1);
    assert_ok(a, xmtp_client_last_message(a->client, &s.dm, &last, &a->error));
    assert_string_equal(last.text, "read me");
    scene_close(&s);
}

/* ---- files */

typedef struct upload {
    const char *url;
    xmtp_status status;
    uint8_t payload[256];
    size_t payload_len;
} upload;

static xmtp_status put(void *context, xmtp_bytes payload, const char *digest, char *url,
                       xmtp_error *error)
{
    upload *u = context;
    (void)error;
    assert_int_equal(strlen(digest), XMTP_ATTACHMENT_DIGEST_HEX);
    assert_true(payload.n <= sizeof(u->payload));
    memcpy(u->payload, payload.p, payload.n);
    u->payload_len = payload.n;
    (void)strcpy(url, u->url);
    return u->status;
}

static xmtp_status send_file(scene *s, upload *u, uint8_t id[XMTP_MESSAGE_ID_LEN])
{
    const xmtp_attachment file = {.filename = "a.txt",
                                  .mime_type = "text/plain",
                                  .content = xmtp_bytes_of_string("what it says")};
    return xmtp_client_send_attachment(s->p[0].client, &s->dm, &file, put, u, id, &s->p[0].error);
}

static void a_file_is_uploaded_encrypted_and_named_in_the_message(void **state)
{
    (void)state;
    scene s;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    upload u = {.url = "https://example.org/f"};
    xmtp_message message;
    xmtp_content *content;
    xmtp_content *file;
    scene_open(&s);
    person *b = &s.p[1];
    assert_ok(&s.p[0], send_file(&s, &u, id));
    sync_all(b);
    assert_ok(b, xmtp_client_message(b->client, id, &message, &b->error));
    assert_ok(b, xmtp_content_decode(message.content, NULL, &content, &b->error));
    assert_int_equal(content->type, XMTP_CONTENT_REMOTE_ATTACHMENT);
    assert_string_equal(content->remote_attachment.url, "https://example.org/f");
    assert_null(memmem(u.payload, u.payload_len, "what it says", 12));
    assert_ok(b, xmtp_attachment_decrypt(&content->remote_attachment,
                                         xmtp_bytes_of(u.payload, u.payload_len), NULL, &file,
                                         &b->error));
    assert_memory_equal(file->attachment.content.p, "what it says", 12);
    xmtp_content_free(file);
    xmtp_content_free(content);
    scene_close(&s);
}

static void an_upload_that_fails_or_gives_no_https_address_sends_nothing(void **state)
{
    (void)state;
    scene s;
    upload plain = {.url = "http://example.org/f"};
    upload broken = {.url = "https://example.org/f", .status = XMTP_E_NETWORK};
    scene_open(&s);
    uint64_t sends = s.p[0].wire.sends;
    assert_int_equal(send_file(&s, &plain, NULL), XMTP_E_CONTENT);
    assert_string_equal(s.p[0].error.text, "the upload gave no https URL");
    assert_int_equal(send_file(&s, &broken, NULL), XMTP_E_NETWORK);
    assert_int_equal(s.p[0].wire.sends, sends);
    assert_texts(&s.p[0], &s.dm, "");
    scene_close(&s);
}

/* ---- push */

typedef struct keys {
    size_t count;
    int64_t first;
    uint8_t key[3][XMTP_PUSH_KEY_LEN];
} keys;

static xmtp_status note_key(void *context, const xmtp_hmac_key_entry *entry)
{
    keys *k = context;
    if (k->count == 0) {
        k->first = entry->epoch;
    }
    if (k->count < 3) {
        assert_int_equal(entry->epoch, k->first + (int64_t)k->count);
        memcpy(k->key[k->count], entry->key, XMTP_PUSH_KEY_LEN);
    }
    k->count++;
    return XMTP_OK;
}

static void three_keys_a_conversation_follow_the_periods(void **state)
{
    (void)state;
    scene s;
    keys now = {0};
    keys later = {0};
    keys all = {0};
    xmtp_conversation_id group;
    scene_open(&s);
    person *a = &s.p[0];
    assert_ok(a, xmtp_client_hmac_keys(a->client, &s.dm, note_key, &now, &a->error));
    assert_int_equal(now.count, 3);
    assert_int_equal(now.first, (int64_t)(net.clock_ns / 1000000000 / 2592000) - 1);
    network_advance(&net, 2592000);
    assert_ok(a, xmtp_client_hmac_keys(a->client, &s.dm, note_key, &later, &a->error));
    assert_memory_equal(later.key[0], now.key[1], XMTP_PUSH_KEY_LEN);
    assert_memory_equal(later.key[1], now.key[2], XMTP_PUSH_KEY_LEN);
    assert_memory_not_equal(later.key[2], now.key[2], XMTP_PUSH_KEY_LEN);
    net.clock_ns -= UINT64_C(2592000) * 1000000000;
    group_of(s.p, 1, &group);
    assert_ok(a, xmtp_client_hmac_keys(a->client, NULL, note_key, &all, &a->error));
    assert_int_equal(all.count, 6);
    scene_close(&s);
}

static xmtp_status note_topic(void *context, const char *topic)
{
    strcat(context, topic);
    strcat(context, "\n");
    return XMTP_OK;
}

static void topics_are_those_of_welcomes_and_of_what_is_not_denied(void **state)
{
    (void)state;
    scene s;
    char topics[2 * XMTP_TOPIC_MAX] = "";
    char expected[2 * XMTP_TOPIC_MAX];
    char hex[2 * XMTP_GROUP_ID_MAX + 1];
    xmtp_conversation_id group;
    scene_open(&s);
    person *a = &s.p[0];
    group_of(s.p, 1, &group);
    assert_ok(
        a, xmtp_client_set_conversation_consent(a->client, &group, XMTP_CONSENT_DENIED, &a->error));
    assert_ok(a, xmtp_client_push_topics(a->client, note_topic, topics, &a->error));
    xmtp_hex_encode(hex, xmtp_bytes_of(s.dm.p, s.dm.n));
    (void)snprintf(expected, sizeof(expected), "/xmtp/mls/1/w-%s/proto\n/xmtp/mls/1/g-%s/proto\n",
                   xmtp_client_installation_id(a->client), hex);
    assert_string_equal(topics, expected);
    scene_close(&s);
}

static void a_pushed_message_is_taken_in_with_those_before_it(void **state)
{
    (void)state;
    scene s;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    xmtp_message sent;
    scene_open(&s);
    person *a = &s.p[0];
    send_text(a, &s.dm, "one");
    assert_ok(a, xmtp_client_send_text(a->client, &s.dm, "two", id, &a->error));
    assert_ok(a, xmtp_client_message(a->client, id, &sent, &a->error));
    /* what the push server passes on: position and conversation are what counts */
    Pb__GroupMessage__V1 v1 = PB__GROUP_MESSAGE__V1__INIT;
    Pb__GroupMessage message = PB__GROUP_MESSAGE__INIT;
    v1.has_id = 1;
    v1.id = sent.sequence;
    v1.has_group_id = 1;
    v1.group_id = xmtp_proto_data(xmtp_bytes_of(s.dm.p, s.dm.n));
    message.version_case = PB__GROUP_MESSAGE__VERSION_V1;
    message.v1 = &v1;
    xmtp_writer_clear(&s.content);
    assert_int_equal(xmtp_proto_encode(&message.base, &s.content), XMTP_OK);
    assert_ok(&s.p[1], xmtp_client_process_message(s.p[1].client, xmtp_writer_bytes(&s.content),
                                                   &s.p[1].error));
    assert_texts(&s.p[1], &s.dm, "one|two|");
    assert_int_equal(
        xmtp_client_process_message(s.p[1].client, xmtp_bytes_of("\xff", 1), &s.p[1].error),
        XMTP_E_MALFORMED);
    assert_int_equal(
        xmtp_client_process_welcome(s.p[1].client, xmtp_bytes_of("\xff", 1), &s.p[1].error),
        XMTP_E_MALFORMED);
    v1.group_id.len = 3;
    xmtp_writer_clear(&s.content);
    assert_int_equal(xmtp_proto_encode(&message.base, &s.content), XMTP_OK);
    assert_int_equal(
        xmtp_client_process_message(s.p[1].client, xmtp_writer_bytes(&s.content), &s.p[1].error),
        XMTP_E_NOT_FOUND);
    scene_close(&s);
}

static void two_megabytes_arrive_and_more_than_24_are_refused_with_the_numbers(void **state)
{
    (void)state;
    scene s;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    xmtp_message message;
    enum { LONG = 2 << 20, TOO_LONG = 24 << 20 };
    uint8_t *bytes = calloc(1, TOO_LONG + 1);
    assert_non_null(bytes);
    memset(bytes, 'x', LONG);
    scene_open(&s);
    xmtp_bytes content = content_of(&s, "text", xmtp_bytes_of(bytes, LONG));
    assert_ok(&s.p[0],
              xmtp_client_send_content(s.p[0].client, &s.dm, content, true, id, &s.p[0].error));
    sync_all(&s.p[1]);
    assert_ok(&s.p[1], xmtp_client_message(s.p[1].client, id, &message, &s.p[1].error));
    assert_int_equal(message.text_len, LONG);
    assert_int_equal(xmtp_client_send_content(s.p[0].client, &s.dm,
                                              xmtp_bytes_of(bytes, TOO_LONG + 1), true, id,
                                              &s.p[0].error),
                     XMTP_E_LIMIT);
    assert_non_null(strstr(s.p[0].error.text, "25165825 bytes, at most 25165824"));
    scene_close(&s);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(optimistic_messages_wait_and_are_published_in_their_order),
        cmocka_unit_test(a_queue_of_any_length_goes_out_with_one_call),
        cmocka_unit_test(a_prepared_message_goes_out_only_when_asked_for),
        cmocka_unit_test(one_key_makes_one_message),
        cmocka_unit_test(what_failed_is_tried_again_when_asked_for),
        cmocka_unit_test(reactions_and_answers_are_attached_to_what_they_are_about),
        cmocka_unit_test(what_is_said_elsewhere_does_not_count),
        cmocka_unit_test(receipts_tell_who_has_read_and_are_not_the_last_message),
        cmocka_unit_test(a_file_is_uploaded_encrypted_and_named_in_the_message),
        cmocka_unit_test(an_upload_that_fails_or_gives_no_https_address_sends_nothing),
        cmocka_unit_test(three_keys_a_conversation_follow_the_periods),
        cmocka_unit_test(topics_are_those_of_welcomes_and_of_what_is_not_denied),
        cmocka_unit_test(a_pushed_message_is_taken_in_with_those_before_it),
        cmocka_unit_test(two_megabytes_arrive_and_more_than_24_are_refused_with_the_numbers),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
