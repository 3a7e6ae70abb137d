/* people.h - what the examples about clients share: two people on a network in this process, and checks
 * that end the program with a sentence. In an application, xmtp_client_open takes the place of
 * ann_and_bob; everything else stays as it is.
 */
#ifndef XMTP_EXAMPLES_PEOPLE_H
#define XMTP_EXAMPLES_PEOPLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xmtp/network.h>

typedef struct people {
    xmtp_network *net;
    xmtp_network_device *ann_device;
    xmtp_network_device *bob_device;
    xmtp_client *ann;
    xmtp_client *bob;
} people;

static xmtp_error error;

/* The call went well. */
static inline void check(xmtp_status status, const char *what)
{
    if (status != XMTP_OK) {
        fprintf(stderr, "%s: %s (%s)\n", what, error.text, xmtp_status_name(status));
        exit(1);
    }
}

/* The example shows what it says. */
static inline void expect(bool is_so, const char *what)
{
    if (!is_so) {
        fprintf(stderr, "it is not so that %s\n", what);
        exit(1);
    }
}

/* The call was refused, with this status and a sentence. */
static inline void expect_refusal(xmtp_status got, xmtp_status wanted, const char *what)
{
    if (got != wanted) {
        fprintf(stderr, "%s: %s, not %s\n", what, xmtp_status_name(got), xmtp_status_name(wanted));
        exit(1);
    }
    printf("%s: refused: %s\n", what, error.text);
}

static inline people ann_and_bob(void)
{
    people p;
    const xmtp_network_options options = {.seed = 1};
    check(xmtp_network_open(&p.net, &options, &error), "network");
    check(xmtp_network_client(p.net, NULL, &p.ann_device, &error), "ann");
    check(xmtp_network_client(p.net, NULL, &p.bob_device, &error), "bob");
    p.ann = xmtp_network_client_of(p.ann_device);
    p.bob = xmtp_network_client_of(p.bob_device);
    return p;
}

/* ---- what somebody has read */

typedef struct wanted_text {
    const char *text;
    int count;
} wanted_text;

static inline xmtp_status compare_text(void *context, const xmtp_message *message)
{
    wanted_text *wanted = context;
    wanted->count += message->text != NULL && strcmp(message->text, wanted->text) == 0;
    return XMTP_OK;
}

/* How many messages of this text a client has, in one conversation or (NULL) in all. */
static inline int times_read(xmtp_client *client, const xmtp_conversation_id *id, const char *text)
{
    wanted_text wanted = {.text = text};
    const xmtp_message_query query = {.conversation = id};
    check(xmtp_client_messages(client, &query, compare_text, &wanted, &error), "read");
    return wanted.count;
}

/* Ids of messages are bytes in calls and hex in contents that refer to them. */
typedef struct message_hex {
    char text[2 * XMTP_MESSAGE_ID_LEN + 1];
} message_hex;

static inline message_hex hex_of(const uint8_t id[XMTP_MESSAGE_ID_LEN])
{
    message_hex hex;
    for (size_t i = 0; i < XMTP_MESSAGE_ID_LEN; i++) {
        (void)snprintf(hex.text + 2 * i, 3, "%02x", id[i]);
    }
    return hex;
}

#endif
