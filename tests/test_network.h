/* test_network.h - a node and clients in one process, with a clock that only moves when told and a wire
 * that can be cut at any call.
 *
 *     person (wallet) --has--> client --wire--> in-process transport --> node in memory
 */
#ifndef XMTP_TESTS_TEST_NETWORK_H
#define XMTP_TESTS_TEST_NETWORK_H

#include "base/bytes.h"
#include "identity/signer.h"
#include "rpc/transport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xmtp/client.h>
#include <xmtp/node.h>

#include <cmocka.h>

enum { PATH_LEN = 96 };

typedef enum cut {
    CUT_NONE,
    CUT_BEFORE, /* the node never sees the call */
    CUT_AFTER,  /* the node acts, the answer is lost */
} cut;

typedef struct network {
    xmtp_env env;
    xmtp_env node_env;
    uint64_t clock_ns; /* of the clients */
    xmtp_node *node;
    char folder[PATH_LEN];
    unsigned people;
    /* of clients that are opened from now on; NULL: off */
    const xmtp_device_sync_options *device_sync;
} network;

/* A transport that fails on purpose. */
typedef struct wire {
    xmtp_transport inner;
    xmtp_transport outer;
    uint64_t calls;
    uint64_t sends;    /* of SendGroupMessages */
    uint64_t cut_from; /* number of the first call that fails; 0: none */
    uint64_t cut_count;
    cut how;
    bool is_streaming_cut;
    /* changes answers to queries of messages */
    void (*mangle)(xmtp_writer *response);
    bool is_deaf; /* queries for welcomes find nothing */
} wire;

typedef struct person {
    network *net;
    char key[65];
    char path[PATH_LEN + 32];
    bool has_file;
    wire wire;
    xmtp_client *client;
    const xmtp_env *env; /* NULL: the network's */
    const struct xmtp_setup *setup;
    xmtp_error error;
} person;

static uint64_t test_now_ns(void *context)
{
    return ((network *)context)->clock_ns;
}

static xmtp_status test_random(void *context, uint8_t *out, size_t n)
{
    (void)context;
    return xmtp_env_system()->random(xmtp_env_system()->context, out, n);
}

static void test_sleep_ns(void *context, uint64_t ns)
{
    ((network *)context)->clock_ns += ns;
}

static inline void network_open(network *net)
{
    memset(net, 0, sizeof(*net));
    net->clock_ns = xmtp_env_system()->now_ns(xmtp_env_system()->context);
    net->env = (xmtp_env){.context = net,
                          .now_ns = test_now_ns,
                          .random = test_random,
                          .sleep_ns = test_sleep_ns,
                          .alloc = xmtp_env_system()->alloc};
    xmtp_node_options options = {0};
    xmtp_error error = {0};
    if (xmtp_node_open(&net->node, &options, &error) != XMTP_OK) {
        fail_msg("node: %s", error.text);
    }
    (void)snprintf(net->folder, sizeof(net->folder), "/tmp/xmtp-network-XXXXXX");
    assert_non_null(mkdtemp(net->folder));
}

static inline void network_close(network *net)
{
    xmtp_node_close(net->node);
    (void)rmdir(net->folder);
}

static inline void network_advance(network *net, uint64_t seconds)
{
    net->clock_ns += seconds * UINT64_C(1000000000);
}

/* ---- wire */

static xmtp_status wire_unary(void *context, const char *path, xmtp_bytes request,
                              xmtp_writer *response, xmtp_error *error)
{
    wire *w = context;
    w->calls++;
    w->sends += strstr(path, "SendGroupMessages") != NULL;
    bool is_cut =
        w->cut_from != 0 && w->calls >= w->cut_from && w->calls < w->cut_from + w->cut_count;
    if (w->is_deaf && strstr(path, "QueryWelcomeMessages") != NULL) {
        xmtp_writer_clear(response);
        return XMTP_OK;
    }
    if (is_cut && w->how == CUT_BEFORE) {
        xmtp_writer_clear(response);
        return XMTP_E_NETWORK;
    }
    xmtp_status status = w->inner.unary(w->inner.context, path, request, response, error);
    if (is_cut) {
        xmtp_writer_clear(response);
        return XMTP_E_NETWORK;
    }
    if (w->mangle != NULL && strstr(path, "QueryGroupMessages") != NULL) {
        w->mangle(response);
    }
    return status;
}

static xmtp_status wire_subscribe(void *context, const char *path, xmtp_bytes request,
                                  xmtp_stream **out, xmtp_error *error)
{
    wire *w = context;
    if (w->is_streaming_cut) {
        *out = NULL;
        return XMTP_E_NETWORK;
    }
    return w->inner.subscribe(w->inner.context, path, request, out, error);
}

static xmtp_status wire_next(void *context, xmtp_stream *stream, xmtp_bytes *message,
                             xmtp_error *error)
{
    wire *w = context;
    if (w->is_streaming_cut) {
        return XMTP_E_NETWORK;
    }
    return w->inner.next(w->inner.context, stream, message, error);
}

static void wire_unsubscribe(void *context, xmtp_stream *stream)
{
    wire *w = context;
    w->inner.unsubscribe(w->inner.context, stream);
}

static xmtp_status wire_wait(void *context, uint64_t timeout_ns)
{
    wire *w = context;
    return w->inner.wait(w->inner.context, timeout_ns);
}

static void wire_wake(void *context)
{
    wire *w = context;
    w->inner.wake(w->inner.context);
}

static void wire_close(void *context)
{
    wire *w = context;
    w->inner.close(w->inner.context);
}

static void wire_open(wire *w, network *net)
{
    memset(w, 0, sizeof(*w));
    assert_int_equal(xmtp_node_transport(net->node, &w->inner), XMTP_OK);
    w->outer = (xmtp_transport){
        .context = w,
        .unary = wire_unary,
        .subscribe = wire_subscribe,
        .next = wire_next,
        .unsubscribe = wire_unsubscribe,
        .wait = wire_wait,
        .wake = wire_wake,
        .close = wire_close,
    };
}

/* ---- people */

static xmtp_status person_try_open(person *p)
{
    xmtp_client_options options = {
        .encryption_key = p->key,
        .database_path = p->has_file ? p->path : NULL,
        .transport = &p->wire.outer,
        .env = p->env != NULL ? p->env : &p->net->env,
        .setup = p->setup,
        .device_sync = p->net->device_sync,
    };
    if (!p->has_file) {
        options.encryption_key = NULL;
    }
    return xmtp_client_open(&p->client, &options, &p->error);
}

#define assert_ok(p, call)                                                                         \
    do {                                                                                           \
        xmtp_status status_ = (call);                                                              \
        if (status_ != XMTP_OK) {                                                                  \
            fail_msg("%s:%d: %s: %s", __FILE__, __LINE__, xmtp_status_name(status_),               \
                     (p)->error.text);                                                             \
        }                                                                                          \
    } while (0)

/* The call fails with this status, and its sentence has this part. */
#define assert_refused(p, call, expected, part)                                                    \
    do {                                                                                           \
        assert_int_equal((call), (expected));                                                      \
        assert_int_equal((p)->error.status, (expected));                                           \
        if (strstr((p)->error.text, (part)) == NULL) {                                             \
            fail_msg("'%s' does not tell '%s'", (p)->error.text, (part));                          \
        }                                                                                          \
    } while (0)

static void person_new_key(person *p)
{
    uint8_t sk[32];
    assert_int_equal(test_random(NULL, sk, sizeof(sk)), XMTP_OK);
    sk[0] = 0x11; /* below the group order */
    xmtp_hex_encode(p->key, xmtp_bytes_of(sk, sizeof(sk)));
}

/* A new person with a database file. */
static void person_open(person *p, network *net)
{
    memset(p, 0, sizeof(*p));
    p->net = net;
    p->has_file = true;
    person_new_key(p);
    (void)snprintf(p->path, sizeof(p->path), "%s/%u.db", net->folder, ++net->people);
    wire_open(&p->wire, net);
    assert_ok(p, person_try_open(p));
}

/* Another device of the same person. */
static inline void person_open_device(person *p, const person *of)
{
    memset(p, 0, sizeof(*p));
    p->net = of->net;
    p->has_file = true;
    memcpy(p->key, of->key, sizeof(p->key));
    (void)snprintf(p->path, sizeof(p->path), "%s/%u.db", p->net->folder, ++p->net->people);
    wire_open(&p->wire, p->net);
    assert_ok(p, person_try_open(p));
}

static inline void person_reopen(person *p)
{
    xmtp_client_close(p->client);
    p->client = NULL;
    assert_ok(p, person_try_open(p));
}

static void person_close(person *p)
{
    xmtp_client_close(p->client);
    p->wire.inner.close(p->wire.inner.context);
    if (p->has_file) {
        char name[PATH_LEN + 48];
        (void)unlink(p->path);
        (void)snprintf(name, sizeof(name), "%.*s-wal", (int)sizeof(p->path), p->path);
        (void)unlink(name);
    }
}

/* ---- what a person sees */

typedef struct transcript {
    char text[65536];
    size_t count;
} transcript;

static xmtp_status note_message(void *context, const xmtp_message *message)
{
    transcript *t = context;
    if (message->kind == XMTP_MESSAGE_APPLICATION) {
        strncat(t->text, message->text == NULL ? "?" : message->text,
                sizeof(t->text) - strlen(t->text) - 2);
        strcat(t->text, "|");
        t->count++;
    }
    return XMTP_OK;
}

static inline void read_all(person *p, const xmtp_conversation_id *id, transcript *t)
{
    xmtp_message_query query = {.conversation = id};
    t->text[0] = '\0';
    t->count = 0;
    assert_ok(p, xmtp_client_messages(p->client, &query, note_message, t, &p->error));
}

static inline void assert_texts(person *p, const xmtp_conversation_id *id, const char *expected)
{
    transcript *t = malloc(sizeof(*t));
    read_all(p, id, t);
    assert_string_equal(t->text, expected);
    free(t);
}

static inline xmtp_conversation conversation_of(person *p, const xmtp_conversation_id *id)
{
    xmtp_conversation c;
    assert_ok(p, xmtp_client_conversation(p->client, id, &c, &p->error));
    return c;
}

static inline void send_text(person *p, const xmtp_conversation_id *id, const char *text)
{
    assert_ok(p, xmtp_client_send_text(p->client, id, text, NULL, &p->error));
}

static inline void sync_all(person *p)
{
    assert_ok(p, xmtp_client_sync(p->client, &p->error));
}

/* A group made by people[0] with the next count - 1 of them, who all know it. */
static inline void group_of(person *people, size_t count, xmtp_conversation_id *out)
{
    const char *members[8] = {0};
    for (size_t i = 1; i < count; i++) {
        members[i - 1] = xmtp_client_inbox_id(people[i].client);
    }
    assert_ok(&people[0], xmtp_client_group_create(people[0].client, "group", members, count - 1,
                                                   out, &people[0].error));
    for (size_t i = 1; i < count; i++) {
        sync_all(&people[i]);
    }
}

/* "one" and "two" in a DM of the first two people, "three" in a group of theirs. */
static inline void people_talk(person *people, xmtp_conversation_id *dm,
                               xmtp_conversation_id *group)
{
    assert_ok(&people[0], xmtp_client_dm(people[0].client, xmtp_client_inbox_id(people[1].client),
                                         dm, &people[0].error));
    send_text(&people[0], dm, "one");
    sync_all(&people[1]);
    send_text(&people[1], dm, "two");
    sync_all(&people[0]);
    group_of(people, 2, group);
    send_text(&people[0], group, "three");
}

static inline void people_open(person *people, size_t count, network *net)
{
    for (size_t i = 0; i < count; i++) {
        person_open(&people[i], net);
    }
}

static inline void people_close(person *people, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        person_close(&people[i]);
    }
}

#endif
