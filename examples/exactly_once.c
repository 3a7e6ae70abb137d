/* exactly_once.c - messages that are handled exactly once, also by a program that dies while it works.
 *
 *     Ann --1, 2, 3--> Bob: takes from the queue, dies behind "2", starts again, goes on
 *
 * An entry leaves the queue when it is acknowledged, in one transaction with the answers to it. Killed
 * before that, it is offered again; killed after it, the answers go out and it is not.
 */
#include "people.h"

/* Handles one message; false: there is none. */
static bool handle_next(xmtp_client *bob)
{
    xmtp_queue_entry entry;
    char text[64];
    xmtp_status status = xmtp_client_queue_next(bob, &entry, NULL, &error);
    if (status == XMTP_E_NOT_FOUND) {
        return false;
    }
    check(status, "next");
    (void)snprintf(text, sizeof text, "done: %s", entry.message.text);
    printf("bob handles %s\n", entry.message.text);
    const xmtp_answer answer = {.conversation = &entry.message.conversation, .text = text};
    check(xmtp_client_queue_acknowledge(bob, entry.message.id, &answer, 1, &error), "acknowledge");
    return true;
}

static xmtp_status count_answer(void *context, const xmtp_message *message)
{
    int *answers = context;
    if (message->text != NULL && strncmp(message->text, "done: ", 6) == 0) {
        printf("ann reads %s\n", message->text);
        answers[0]++;
    }
    return XMTP_OK;
}

int main(void)
{
    people p = ann_and_bob();
    xmtp_conversation_id dm;
    int answers = 0;
    check(xmtp_client_queue_enable(p.bob, &error), "queue");
    check(xmtp_client_dm(p.ann, xmtp_client_address(p.bob), &dm, &error), "dm");
    for (int i = 1; i <= 3; i++) {
        char text[8];
        (void)snprintf(text, sizeof text, "%d", i);
        check(xmtp_client_send_text(p.ann, &dm, text, NULL, &error), "send");
    }
    check(xmtp_client_sync(p.bob, &error), "sync");
    if (!handle_next(p.bob) || !handle_next(p.bob)) {
        return 1;
    }
    printf("kill -9 bob\n");
    xmtp_network_crash(p.bob_device);
    check(xmtp_network_reopen(p.bob_device, &error), "start again");
    p.bob = xmtp_network_client_of(p.bob_device);
    while (handle_next(p.bob)) {
    }
    check(xmtp_client_sync(p.bob, &error), "sync");
    check(xmtp_client_sync(p.ann, &error), "sync");
    const xmtp_message_query all = {.conversation = &dm};
    check(xmtp_client_messages(p.ann, &all, count_answer, &answers, &error), "read");
    expect(answers == 3, "each was answered once");
    xmtp_network_close(p.net);
    return 0;
}
