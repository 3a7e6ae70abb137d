/* disappearing.c - messages that are deleted an hour after they came, on every device by itself.
 *
 *     set at noon: { from: noon, in: 1 hour }
 *     11:00 "old"  ------------------------------------------------> stays
 *     12:30 "short-lived" -----> 13:30 deleted, and whoever listens is told
 *
 * A promise among honest clients: nobody can make others forget what they have read.
 */
#include "people.h"

static const uint64_t MINUTE_NS = 60 * XMTP_NETWORK_SECOND_NS;

static void told_of_deletion(void *context, const xmtp_conversation_id *conversation,
                             const uint8_t message_id[XMTP_MESSAGE_ID_LEN])
{
    (void)conversation;
    printf("message %.8s... is gone\n", hex_of(message_id).text);
    (*(int *)context)++;
}

int main(void)
{
    people p = ann_and_bob();
    xmtp_conversation_id dm;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    xmtp_message message;
    int gone = 0;
    const xmtp_client_events events = {.context = &gone, .deleted = told_of_deletion};
    xmtp_client_listen(p.bob, &events);

    check(xmtp_client_dm(p.ann, xmtp_client_address(p.bob), &dm, &error), "dm");
    check(xmtp_client_send_text(p.ann, &dm, "old", NULL, &error), "send");
    xmtp_network_advance(p.net, 60 * MINUTE_NS);

    /* In a group it takes the right to (see permissions.c); when making one, xmtp_group_options. */
    check(xmtp_client_set_disappearing(p.ann, &dm, xmtp_network_now_ns(p.net), 60 * MINUTE_NS,
                                       &error),
          "set");
    xmtp_network_advance(p.net, 30 * MINUTE_NS);
    check(xmtp_client_send_text(p.ann, &dm, "short-lived", id, &error), "send");
    check(xmtp_client_sync(p.bob, &error), "sync");
    check(xmtp_client_message(p.bob, id, &message, &error), "look");
    expect(message.expires_ns == xmtp_network_now_ns(p.net) + 60 * MINUTE_NS, "it has an end");

    xmtp_network_advance(p.net, 59 * MINUTE_NS);
    check(xmtp_client_sync(p.bob, &error), "sync");
    expect(times_read(p.bob, &dm, "short-lived") == 1, "it is there for 59 minutes");

    xmtp_network_advance(p.net, 2 * MINUTE_NS);
    expect(times_read(p.bob, &dm, "short-lived") == 0, "after its time it is shown to nobody");
    expect(gone == 0, "though it is deleted by the next");
    check(xmtp_client_sync(p.bob, &error), "sync"); /* or poll, or xmtp_client_delete_expired */
    expect(gone == 1, "sync, which tells");
    expect_refusal(xmtp_client_message(p.bob, id, &message, &error), XMTP_E_NOT_FOUND, "Bob looks");
    expect(times_read(p.bob, &dm, "old") == 1, "what was sent before the setting stays");

    check(xmtp_client_set_disappearing(p.ann, &dm, 0, 0, &error), "off again");
    check(xmtp_client_send_text(p.ann, &dm, "stays", id, &error), "send");
    check(xmtp_client_message(p.ann, id, &message, &error), "look");
    expect(message.expires_ns == 0, "new messages have no end");
    xmtp_network_close(p.net);
    return 0;
}
