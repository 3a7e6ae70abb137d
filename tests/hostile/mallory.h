/* mallory.h - three people in a group, one of whom does not keep the rules; for tests only.
 *
 *     alice   made the group: super admin        bob   member        mallory   member
 *
 * Mallory is an ordinary client whose group is also used from outside: raw commits, raw plaintexts
 * and bytes made by hand go to the node beside what the client would send.
 */
#ifndef XMTP_TESTS_MALLORY_H
#define XMTP_TESTS_MALLORY_H

#include "../test_network.h"
#include "client/content.h"
#include "client/round.h"
#include "identity/update.h"

static network net;
static xmtp_arena lab; /* what a test makes lies here until it ends */

static int set_up(void **state)
{
    (void)state;
    network_open(&net);
    xmtp_arena_init(&lab, &net.env.alloc, (size_t)1 << 30);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    xmtp_arena_reset(&lab);
    network_close(&net);
    return 0;
}

#define ON_NETWORK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

typedef struct trio {
    person alice;
    person bob;
    person mallory;
    xmtp_conversation_id group;
} trio;

/* ---- small things */

static inline xmtp_bytes kept(xmtp_bytes in)
{
    xmtp_bytes out;
    assert_int_equal(xmtp_arena_copy(&lab, in, &out), XMTP_OK);
    return out;
}

static inline uint8_t *bench(size_t n)
{
    void *p;
    assert_int_equal(xmtp_arena_take(&lab, n, &p), XMTP_OK);
    return p;
}

static inline xmtp_bytes encoded(const ProtobufCMessage *message)
{
    xmtp_writer w;
    xmtp_writer_init(&w, &net.env.alloc, XMTP_WRITER_MAX);
    assert_int_equal(xmtp_proto_encode(message, &w), XMTP_OK);
    xmtp_bytes out = kept(xmtp_writer_bytes(&w));
    xmtp_writer_free(&w);
    return out;
}

static inline xmtp_status call_node(person *p, const char *path, const ProtobufCMessage *request)
{
    xmtp_writer out;
    xmtp_writer_init(&out, &net.env.alloc, XMTP_WRITER_MAX);
    xmtp_status status =
        p->wire.inner.unary(p->wire.inner.context, path, encoded(request), &out, &p->error);
    xmtp_writer_free(&out);
    return status;
}

static inline xmtp_status try_send_raw(person *p, xmtp_bytes message)
{
    Pb__GroupMessageInput__V1 v1 = PB__GROUP_MESSAGE_INPUT__V1__INIT;
    Pb__GroupMessageInput input = PB__GROUP_MESSAGE_INPUT__INIT;
    Pb__GroupMessageInput *inputs[] = {&input};
    Pb__SendGroupMessagesRequest request = PB__SEND_GROUP_MESSAGES_REQUEST__INIT;
    v1.has_data = 1;
    v1.data = xmtp_proto_data(message);
    input.version_case = PB__GROUP_MESSAGE_INPUT__VERSION_V1;
    input.v1 = &v1;
    request.n_messages = 1;
    request.messages = inputs;
    return call_node(p, XMTP_MLS_API("SendGroupMessages"), &request.base);
}

static inline void send_raw(person *p, xmtp_bytes message)
{
    assert_ok(p, try_send_raw(p, message));
}

/* ---- the inside of a client's group */

static inline int64_t ref_of(person *p, const xmtp_conversation_id *id)
{
    int64_t ref;
    assert_ok(p, xmtp_conversation_find(p->client, id, &ref, &p->error));
    return ref;
}

static inline xmtp_mls_group *group_in(person *p, const xmtp_conversation_id *id)
{
    xmtp_mls_group *group;
    assert_ok(p, xmtp_cache_open(p->client, ref_of(p, id), &group, &p->error));
    return group;
}

static inline xmtp_mls_writes *new_writes(void)
{
    xmtp_mls_writes *writes;
    assert_int_equal(xmtp_mls_writes_new(&writes, &net.env), XMTP_OK);
    return writes;
}

static inline void store_writes(person *p, const xmtp_conversation_id *id, xmtp_mls_writes *writes)
{
    assert_ok(p, xmtp_begin(p->client, &p->error));
    assert_ok(p, xmtp_writes_store(p->client, ref_of(p, id), writes, &p->error));
    assert_ok(p, xmtp_commit(p->client, &p->error));
    xmtp_mls_writes_free(writes);
}

/* An application message with any plaintext. */
static inline xmtp_bytes sealed_by(person *p, const xmtp_conversation_id *id, xmtp_bytes plaintext)
{
    xmtp_bytes message;
    xmtp_mls_writes *writes = new_writes();
    assert_ok(p, xmtp_mls_group_protect(group_in(p, id), (xmtp_bytes){0}, plaintext, &message,
                                        writes, &p->error));
    xmtp_bytes out = kept(message); /* storing may put the group itself away */
    store_writes(p, id, writes);
    return out;
}

static inline xmtp_mls_pending *commit_of(person *p, const xmtp_conversation_id *id,
                                          const xmtp_mls_commit_options *options)
{
    xmtp_mls_pending *pending;
    assert_ok(p, xmtp_mls_group_commit(group_in(p, id), options, &pending, &p->error));
    return pending;
}

/* Sends a commit and keeps nothing of it. */
static inline void commit_raw(person *p, const xmtp_conversation_id *id,
                              const xmtp_mls_commit_options *options)
{
    xmtp_mls_pending *pending = commit_of(p, id, options);
    send_raw(p, xmtp_mls_pending_message(pending));
    xmtp_mls_pending_free(pending);
}

/* Sends a commit and takes it for true, as an honest client would for one that passes. */
static inline void commit_and_merge(person *p, const xmtp_conversation_id *id,
                                    const xmtp_mls_commit_options *options)
{
    xmtp_mls_staged *staged;
    xmtp_mls_writes *writes = new_writes();
    xmtp_mls_pending *pending = commit_of(p, id, options);
    xmtp_mls_group *group = group_in(p, id);
    send_raw(p, xmtp_mls_pending_message(pending));
    assert_ok(p, xmtp_mls_group_stage_pending(group, pending, &staged, &p->error));
    assert_ok(p, xmtp_mls_group_merge(group, staged, writes, &p->error));
    store_writes(p, id, writes);
    xmtp_mls_pending_free(pending);
}

/* ---- contexts */

static inline xmtp_bytes extension_of(person *p, const xmtp_conversation_id *id, uint16_t type)
{
    xmtp_bytes data;
    assert_true(xmtp_mls_group_extension(group_in(p, id), type, &data));
    return data;
}

/* A commit that replaces one extension. */
static inline xmtp_mls_commit_options replacing(person *p, const xmtp_conversation_id *id,
                                                uint16_t type, xmtp_bytes data)
{
    xmtp_mls_extension *list;
    size_t count;
    assert_int_equal(
        xmtp_group_extensions_replace(&lab, group_in(p, id), type, data, &list, &count), XMTP_OK);
    return (xmtp_mls_commit_options){.context_extensions = list,
                                     .context_extension_count = count,
                                     .set_context_extensions = true};
}

static inline Pb__GroupMutableMetadata *metadata_of(person *p, const xmtp_conversation_id *id)
{
    Pb__GroupMutableMetadata *metadata;
    xmtp_bytes data = kept(extension_of(p, id, XMTP_EXTENSION_MUTABLE_METADATA));
    assert_int_equal(xmtp_mutable_metadata_decode(&lab, data, &metadata), XMTP_OK);
    return metadata;
}

static inline Pb__GroupMembership *membership_of(person *p, const xmtp_conversation_id *id)
{
    Pb__GroupMembership *membership;
    xmtp_bytes data = kept(extension_of(p, id, XMTP_EXTENSION_MEMBERSHIP));
    assert_int_equal(xmtp_membership_decode(&lab, data, &membership), XMTP_OK);
    return membership;
}

static inline xmtp_mls_commit_options setting(person *p, const xmtp_conversation_id *id,
                                              const char *attribute, const char *value)
{
    Pb__GroupMutableMetadata *metadata = metadata_of(p, id);
    assert_int_equal(xmtp_attribute_set(&lab, metadata, attribute, value), XMTP_OK);
    return replacing(p, id, XMTP_EXTENSION_MUTABLE_METADATA, encoded(&metadata->base));
}

static inline uint32_t leaf_of(person *p, const xmtp_conversation_id *id, const person *of)
{
    uint8_t key[32];
    assert_int_equal(xmtp_hex_decode(key, 32, xmtp_client_installation_id(of->client), 64),
                     XMTP_OK);
    int64_t leaf = xmtp_mls_group_find(group_in(p, id), xmtp_bytes_of(key, sizeof(key)));
    assert_true(leaf >= 0);
    return (uint32_t)leaf;
}

/* ---- plaintexts */

static inline xmtp_bytes envelope(xmtp_bytes content, const char *key)
{
    xmtp_writer w;
    xmtp_writer_init(&w, &net.env.alloc, XMTP_WRITER_MAX);
    assert_int_equal(xmtp_envelope_encode(&w, content, key), XMTP_OK);
    xmtp_bytes out = kept(xmtp_writer_bytes(&w));
    xmtp_writer_free(&w);
    return out;
}

static inline xmtp_bytes content_of_type(const char *type, xmtp_bytes content)
{
    Pb__ContentTypeId id = PB__CONTENT_TYPE_ID__INIT;
    Pb__EncodedContent encoded_content = PB__ENCODED_CONTENT__INIT;
    id.authority_id = (char *)(uintptr_t) "xmtp.org";
    id.type_id = (char *)(uintptr_t)type;
    id.has_version_major = 1;
    id.version_major = 1;
    encoded_content.type = &id;
    encoded_content.has_content = 1;
    encoded_content.content = xmtp_proto_data(content);
    return encoded(&encoded_content.base);
}

/* ---- the story */

static inline void begin(trio *t)
{
    person_open(&t->alice, &net);
    person_open(&t->bob, &net);
    person_open(&t->mallory, &net);
    const char *members[] = {xmtp_client_address(t->bob.client),
                             xmtp_client_address(t->mallory.client)};
    assert_ok(&t->alice, xmtp_client_group_create(t->alice.client, "calm", members, 2, &t->group,
                                                  &t->alice.error));
    sync_all(&t->bob);
    sync_all(&t->mallory);
    send_text(&t->bob, &t->group, "b"); /* with a key update before */
    send_text(&t->mallory, &t->group, "m");
    send_text(&t->alice, &t->group, "a");
    sync_all(&t->bob);
    sync_all(&t->mallory);
}

static inline void end(trio *t)
{
    person_close(&t->alice);
    person_close(&t->bob);
    person_close(&t->mallory);
}

static inline void assert_same_group(person *a, person *b, const xmtp_conversation_id *id)
{
    xmtp_bytes one = xmtp_mls_group_epoch_authenticator(group_in(a, id));
    xmtp_bytes two = xmtp_mls_group_epoch_authenticator(group_in(b, id));
    assert_int_equal(xmtp_mls_group_epoch(group_in(a, id)), xmtp_mls_group_epoch(group_in(b, id)));
    assert_true(one.n == 32 && xmtp_bytes_equal(one, two));
}

typedef struct id_list {
    uint8_t ids[256][XMTP_MESSAGE_ID_LEN];
    size_t count;
    size_t changes;
} id_list;

static inline xmtp_status note_id(void *context, const xmtp_message *message)
{
    id_list *list = context;
    assert_true(list->count < 256);
    if (message->kind == XMTP_MESSAGE_MEMBERSHIP_CHANGE) {
        list->changes++;
        return XMTP_OK; /* a joiner's begins differently, by its welcome */
    }
    memcpy(list->ids[list->count++], message->id, XMTP_MESSAGE_ID_LEN);
    return XMTP_OK;
}

static inline void list_ids(person *p, const xmtp_conversation_id *id, id_list *out)
{
    xmtp_message_query query = {.conversation = id};
    memset(out, 0, sizeof(*out));
    assert_ok(p, xmtp_client_messages(p->client, &query, note_id, out, &p->error));
}

/* The same messages with the same ids in the same order, and as many told changes. */
static inline void assert_same_story(person *a, person *b, const xmtp_conversation_id *id)
{
    static id_list one;
    static id_list two;
    list_ids(a, id, &one);
    list_ids(b, id, &two);
    assert_int_equal(one.count, two.count);
    assert_memory_equal(one.ids, two.ids, one.count * XMTP_MESSAGE_ID_LEN);
    assert_int_equal(one.changes, two.changes);
}

/* Everything new has arrived; no conversation fails. */
static inline void catch_up(trio *t)
{
    sync_all(&t->alice);
    sync_all(&t->bob);
}

/* The honest two talk, before and after a restart, and so may mallory. */
static inline void assert_calm(trio *t)
{
    catch_up(t);
    xmtp_conversation seen = conversation_of(&t->bob, &t->group);
    assert_string_equal(seen.name, "calm");
    assert_int_equal(seen.member_count, 3);
    assert_true(seen.is_active);
    assert_false(seen.is_paused);
    send_text(&t->alice, &t->group, "still");
    catch_up(t);
    send_text(&t->bob, &t->group, "here");
    person_reopen(&t->alice);
    person_reopen(&t->bob);
    sync_all(&t->mallory);
    send_text(&t->mallory, &t->group, "mine");
    catch_up(t);
    send_text(&t->bob, &t->group, "end");
    catch_up(t);
    sync_all(&t->mallory);
    assert_same_group(&t->alice, &t->bob, &t->group);
    assert_same_group(&t->alice, &t->mallory, &t->group);
    assert_same_story(&t->alice, &t->bob, &t->group);
}

/* assert_calm, with the texts that are to be seen in all. */
static inline void assert_calm_after(trio *t, const char *texts)
{
    char expected[4096];
    assert_calm(t);
    (void)snprintf(expected, sizeof(expected), "b|m|a|%sstill|here|mine|end|", texts);
    assert_texts(&t->alice, &t->group, expected);
    assert_texts(&t->bob, &t->group, expected);
}

#endif
