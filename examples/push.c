/* push.c - notifications: what a phone tells its push server, and how that server leaves out what the
 * phone's owner wrote, without being able to read anything.
 *
 *     phone --topics, HMAC keys--> push server <--every message of those topics-- node
 *                                      '-- not tagged with the owner's key? --> notification --> phone
 *
 * Each message bears an HMAC of its ciphertext under a key that all installations of its sender share,
 * and nobody else has but who was given it.
 */
#include "people.h"

#include <sodium.h>

/* ---- the push server: knows topics and keys, no content */

enum { TOPICS_MAX = 8, KEYS_MAX = 16 };

typedef struct push_server {
    char topics[TOPICS_MAX][XMTP_TOPIC_MAX];
    size_t topic_count;
    struct {
        int64_t epoch; /* a key is for 30 days */
        uint8_t key[XMTP_PUSH_KEY_LEN];
    } keys[KEYS_MAX];
    size_t key_count;
    int seen;
    int notified;
    uint8_t pushed[4096]; /* what travels in the notification */
    size_t pushed_len;
} push_server;

static xmtp_status add_topic(void *context, const char *topic)
{
    push_server *s = context;
    expect(s->topic_count < TOPICS_MAX, "there is room for the topic");
    (void)snprintf(s->topics[s->topic_count++], XMTP_TOPIC_MAX, "%s", topic);
    return XMTP_OK;
}

static xmtp_status add_key(void *context, const xmtp_hmac_key_entry *entry)
{
    push_server *s = context;
    expect(s->key_count < KEYS_MAX, "there is room for the key");
    s->keys[s->key_count].epoch = entry->epoch;
    memcpy(s->keys[s->key_count++].key, entry->key, XMTP_PUSH_KEY_LEN);
    return XMTP_OK;
}

static bool is_of_owner(const push_server *s, const xmtp_network_envelope *envelope)
{
    const uint64_t period_ns = UINT64_C(30) * 86400 * XMTP_NETWORK_SECOND_NS;
    int64_t epoch = (int64_t)(envelope->sent_ns / period_ns);
    for (size_t i = 0; i < s->key_count; i++) {
        uint8_t hmac[crypto_auth_hmacsha256_BYTES];
        crypto_auth_hmacsha256_state state;
        (void)crypto_auth_hmacsha256_init(&state, s->keys[i].key, XMTP_PUSH_KEY_LEN);
        (void)crypto_auth_hmacsha256_update(&state, envelope->data.p, envelope->data.n);
        (void)crypto_auth_hmacsha256_final(&state, hmac);
        bool is_near = s->keys[i].epoch >= epoch - 1 && s->keys[i].epoch <= epoch + 1;
        if (is_near && envelope->sender_hmac.n == sizeof hmac &&
            sodium_memcmp(envelope->sender_hmac.p, hmac, sizeof hmac) == 0) {
            return true;
        }
    }
    return false;
}

/* A real one is subscribed at the node, and sees each as it comes. */
static xmtp_status on_envelope(void *context, const xmtp_network_envelope *envelope)
{
    push_server *s = context;
    s->seen++;
    if (envelope->should_push && !is_of_owner(s, envelope)) {
        s->notified++;
        expect(envelope->group_message.n <= sizeof s->pushed, "it fits");
        memcpy(s->pushed, envelope->group_message.p, envelope->group_message.n);
        s->pushed_len = envelope->group_message.n;
    }
    return XMTP_OK;
}

int main(void)
{
    people p = ann_and_bob();
    static push_server server;
    xmtp_conversation_id dm;
    char topic[XMTP_TOPIC_MAX];
    check(xmtp_client_dm(p.ann, xmtp_client_address(p.bob), &dm, &error), "dm");

    /* Ann's phone, once, and again when conversations come, and on the event hmac_keys. */
    check(xmtp_client_push_topics(p.ann, add_topic, &server, &error), "topics");
    check(xmtp_client_hmac_keys(p.ann, NULL, add_key, &server, &error), "keys");
    xmtp_conversation_topic(&dm, topic);
    printf("welcomes at %.32s...\nmessages at %.32s...\n", server.topics[0], server.topics[1]);
    expect(server.topic_count == 2 && strcmp(server.topics[1], topic) == 0, "two topics");
    expect(server.key_count == 3, "keys of last month, this one and the next");

    check(xmtp_client_send_text(p.ann, &dm, "dinner?", NULL, &error), "send");
    check(xmtp_client_sync(p.bob, &error), "sync");
    check(xmtp_client_send_text(p.bob, &dm, "with pleasure", NULL, &error), "send");

    check(xmtp_network_envelopes(p.net, &dm, on_envelope, &server, &error), "subscribe");
    printf("of %d messages on the network %d is worth a notification to Ann\n", server.seen,
           server.notified);
    expect(server.seen >= 2 && server.notified == 1, "Ann is told of Bob's and not of her own");

    /* Ann's phone wakes, takes it in as if a stream had brought it, and shows it. */
    const xmtp_bytes pushed = {server.pushed, server.pushed_len};
    check(xmtp_client_process_message(p.ann, pushed, &error), "take in");
    expect(times_read(p.ann, &dm, "with pleasure") == 1, "the notification can be shown");
    xmtp_network_close(p.net);
    return 0;
}
