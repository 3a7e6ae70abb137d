/* house.h - a host in a folder of its own on the network of the test, and what its residents see. */
#ifndef XMTP_TESTS_HOUSE_H
#define XMTP_TESTS_HOUSE_H

#include "client/host.h"
#include "node/test_folder.h"
#include "one_network.h"

enum { KEY_LEN = 64 };

typedef struct house {
    wire wire;
    char folder[PATH_LEN + 32];
    xmtp_host *host;
    xmtp_error error;
} house;

/* In memory where that is possible: hundreds of files are made, each with its syncs. */
static inline void name_folder(house *h)
{
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    (void)snprintf(h->folder, sizeof(h->folder), "%s/xmtp-host-test-XXXXXX", base);
    assert_non_null(mkdtemp(h->folder));
}

static inline xmtp_status house_try(house *h, const xmtp_host_options *more)
{
    xmtp_host_options options = *more;
    options.transport = &h->wire.outer;
    options.env = &net.env;
    return xmtp_host_open(&h->host, &options, &h->error);
}

static inline void house_reopen(house *h)
{
    const xmtp_host_options options = {.folder = h->folder, .open_max = 4};
    wire_open(&h->wire, &net);
    assert_ok(h, house_try(h, &options));
}

static inline void house_open(house *h)
{
    memset(h, 0, sizeof(*h));
    name_folder(h);
    house_reopen(h);
}

static inline void house_shut(house *h)
{
    xmtp_host_close(h->host);
    h->wire.inner.close(h->wire.inner.context);
}

static inline void house_end(house *h)
{
    house_shut(h);
    test_folder_remove(h->folder);
}

static inline xmtp_client *resident(house *h, const char *key)
{
    xmtp_client *client;
    const xmtp_client_options options = {.encryption_key = key};
    assert_ok(h, xmtp_host_client_open(h->host, &client, &options, &h->error));
    return client;
}

static inline void new_key(char key[KEY_LEN + 1])
{
    person p;
    person_new_key(&p);
    memcpy(key, p.key, KEY_LEN + 1);
}

static inline xmtp_host_counts counts_of(const house *h)
{
    xmtp_host_counts counts;
    xmtp_host_count(h->host, &counts);
    return counts;
}

/* Polls until nothing comes; how often each of these was named. */
static inline size_t poll_house(house *h, xmtp_client *const *clients, size_t count, size_t *named)
{
    size_t total = 0;
    for (;;) {
        xmtp_client *client;
        xmtp_status status = xmtp_host_poll(h->host, UINT64_C(30000000), &client, &h->error);
        if (status == XMTP_E_TIMEOUT) {
            return total;
        }
        assert_ok(h, status);
        total += client != NULL;
        for (size_t i = 0; i < count; i++) {
            named[i] += clients[i] == client;
        }
    }
}

static inline void poll_quietly(house *h)
{
    (void)poll_house(h, NULL, 0, NULL);
}

/* Time passes until all are parked, their chores done. */
static inline void let_rest(house *h)
{
    for (int i = 0; i < 3; i++) {
        poll_quietly(h);
        network_advance(&net, 400);
    }
    poll_quietly(h);
    assert_int_equal(counts_of(h).awake, 0);
    assert_int_equal(counts_of(h).databases, 0);
}

static inline void assert_client_texts(xmtp_client *client, const char *expected)
{
    transcript *t = calloc(1, sizeof(*t));
    const xmtp_message_query query = {0};
    xmtp_error error = {0};
    assert_int_equal(xmtp_client_messages(client, &query, note_message, t, &error), XMTP_OK);
    assert_string_equal(t->text, expected);
    free(t);
}

static inline void dm_with(person *sender, xmtp_client *client, xmtp_conversation_id *dm)
{
    assert_ok(sender,
              xmtp_client_dm(sender->client, xmtp_client_address(client), dm, &sender->error));
}

#endif
