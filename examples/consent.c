/* consent.c - whom Ann wants to hear from, and what her program gets to see because of it.
 *
 *     Bob     --"lunch?"----> allowed, since she answers      lists: yes   queue: yes
 *     Mallory --"you won!"--> denied                          lists: no    queue: no    (still arrives)
 *     Carl    --"hi"--------> unknown: to be asked about      lists: yes   queue: yes
 *
 * Consent is the receiver's own affair and is never told to the others.
 */
#include "people.h"

/* Somebody new writes to Ann. */
static xmtp_conversation_id write_to_ann(const people *p, xmtp_client *who, const char *text)
{
    xmtp_conversation_id dm;
    check(xmtp_client_dm(who, xmtp_client_address(p->ann), &dm, &error), "dm");
    check(xmtp_client_send_text(who, &dm, text, NULL, &error), "send");
    return dm;
}

static xmtp_status count_conversation(void *context, const xmtp_conversation *conversation)
{
    (void)conversation;
    (*(size_t *)context)++;
    return XMTP_OK;
}

/* states: XMTP_CONSENT_BIT of each that is wanted; 0 is what a list shows: allowed and unknown. */
static size_t listed(xmtp_client *client, uint32_t states)
{
    size_t count = 0;
    const xmtp_conversation_query query = {.consent_states = states};
    check(xmtp_client_conversations_where(client, &query, count_conversation, &count, &error),
          "list");
    return count;
}

static void print_decision(void *context, const xmtp_consent *record)
{
    static const char *const names[] = {"unknown", "allowed", "denied"};
    printf("%s %.16s... is %s\n",
           record->entity_type == XMTP_CONSENT_INBOX ? "inbox" : "conversation", record->entity,
           names[record->state]);
    (*(size_t *)context)++;
}

/* Everything new, as a program that acts on messages takes it. */
static size_t handle_all(xmtp_client *ann)
{
    xmtp_queue_entry entry;
    size_t count = 0;
    while (xmtp_client_queue_next(ann, &entry, NULL, &error) == XMTP_OK) {
        printf("queue: %s\n", entry.message.text);
        check(xmtp_client_queue_acknowledge(ann, entry.message.id, NULL, 0, &error), "done");
        count++;
    }
    return count;
}

int main(void)
{
    people p = ann_and_bob();
    xmtp_network_device *mallory;
    xmtp_network_device *carl;
    size_t decisions = 0;
    const xmtp_client_events events = {.context = &decisions, .consent = print_decision};
    check(xmtp_network_client(p.net, NULL, &mallory, &error), "mallory");
    check(xmtp_network_client(p.net, NULL, &carl, &error), "carl");
    check(xmtp_client_queue_enable(p.ann, &error), "queue");
    xmtp_client_listen(p.ann, &events);

    xmtp_conversation_id lunch = write_to_ann(&p, p.bob, "lunch?");
    xmtp_conversation_id spam = write_to_ann(&p, xmtp_network_client_of(mallory), "you won!");
    check(xmtp_client_poll(p.ann, 0, &error), "poll");
    expect(listed(p.ann, XMTP_CONSENT_BIT(XMTP_CONSENT_UNKNOWN)) == 2, "both are strangers");
    expect(handle_all(p.ann) == 2, "what is unknown comes like the rest");

    /* Answering allows; denying is a decision. The inbox too: for whatever it may start later, which
     * the application then looks up. */
    check(xmtp_client_send_text(p.ann, &lunch, "yes!", NULL, &error), "answer");
    check(xmtp_client_set_conversation_consent(p.ann, &spam, XMTP_CONSENT_DENIED, &error), "deny");
    const xmtp_consent of_mallory = {.entity_type = XMTP_CONSENT_INBOX,
                                     .entity =
                                         xmtp_client_inbox_id(xmtp_network_client_of(mallory)),
                                     .state = XMTP_CONSENT_DENIED};
    check(xmtp_client_set_consent(p.ann, &of_mallory, 1, &error), "deny the inbox");
    expect(decisions == 3, "the listener was told of three decisions");

    (void)write_to_ann(&p, xmtp_network_client_of(mallory), "you won again!");
    (void)write_to_ann(&p, xmtp_network_client_of(carl), "hi");
    check(xmtp_client_poll(p.ann, 0, &error), "poll");
    expect(handle_all(p.ann) == 1, "the queue leaves out what is denied");
    expect(listed(p.ann, 0) == 2, "so do lists");
    expect(listed(p.ann, XMTP_CONSENT_BIT(XMTP_CONSENT_ALLOWED)) == 1, "only Bob is allowed");
    expect(listed(p.ann, XMTP_CONSENT_BIT(XMTP_CONSENT_DENIED)) == 1, "one is denied");
    expect(times_read(p.ann, &spam, "you won again!") == 1, "it has arrived, for who looks");

    /* Not even fetched: for programs that sync now and then. */
    xmtp_sync_counts counts;
    check(xmtp_client_sync_where(p.ann, XMTP_CONSENT_BIT(XMTP_CONSENT_ALLOWED), &counts, &error),
          "sync");
    expect(counts.eligible == 1, "one conversation was asked about");
    xmtp_network_close(p.net);
    return 0;
}
