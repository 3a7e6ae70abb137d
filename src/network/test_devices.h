/* test_devices.h - what tests ask of devices on a test network. */
#ifndef XMTP_NETWORK_TEST_DEVICES_H
#define XMTP_NETWORK_TEST_DEVICES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xmtp/network.h>

#include <cmocka.h>

enum { TEXT_LEN = 1 << 16 };

static xmtp_network *net;
static xmtp_error error;

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        xmtp_status status_ = (call);                                                              \
        if (status_ != XMTP_OK) {                                                                  \
            fail_msg("%s:%d: %s: %s", __FILE__, __LINE__, xmtp_status_name(status_), error.text);  \
        }                                                                                          \
    } while (0)

static inline xmtp_client *of(const xmtp_network_device *device)
{
    return xmtp_network_client_of(device);
}

static inline void add_line(char *text, const char *line)
{
    size_t n = strlen(text);
    assert_true(n + strlen(line) < TEXT_LEN);
    strcpy(text + n, line);
}

static inline xmtp_status note_text(void *context, const xmtp_message *message)
{
    if (message->kind == XMTP_MESSAGE_APPLICATION) {
        add_line(context, message->text);
        add_line(context, "|");
    }
    return XMTP_OK;
}

/* All texts of a conversation, each followed by "|". To be freed. */
static inline char *texts_of(const xmtp_network_device *device, const xmtp_conversation_id *id)
{
    char *text = calloc(1, TEXT_LEN);
    xmtp_message_query query = {.conversation = id};
    assert_ok(xmtp_client_messages(of(device), &query, note_text, text, &error));
    return text;
}

static inline void assert_texts(const xmtp_network_device *device, const xmtp_conversation_id *id,
                                const char *expected)
{
    char *text = texts_of(device, id);
    assert_string_equal(text, expected);
    free(text);
}

static inline xmtp_conversation conversation_of(const xmtp_network_device *device,
                                                const xmtp_conversation_id *id)
{
    xmtp_conversation c;
    assert_ok(xmtp_client_conversation(of(device), id, &c, &error));
    return c;
}

static inline void send_text(const xmtp_network_device *device, const xmtp_conversation_id *id,
                             const char *text)
{
    assert_ok(xmtp_client_send_text(of(device), id, text, NULL, &error));
}

static inline void sync_all(const xmtp_network_device *device)
{
    assert_ok(xmtp_client_sync(of(device), &error));
}

#endif
