/* events.c - what an application wants to be told of besides messages: decisions about consent, messages
 * that are gone, and keys that a push server has to learn.
 *
 *     xmtp_client_listen(client, &events)    one struct of callbacks; each is called at once, by the call
 *                                            that found it out (sync, poll, or one of your own)
 *
 * Here a small window keeps itself up to date without ever asking for a list again.
 */
#include "people.h"

typedef struct window {
    int decisions;
    int deletions;
    message_hex last_deleted;
} window;

static void on_consent(void *context, const xmtp_consent *record)
{
    window *w = context;
    w->decisions++;
    printf("%.8s... is now %s\n", record->entity,
           record->state == XMTP_CONSENT_ALLOWED ? "allowed" : "denied");
}

/* Must not call the client: note it, and act when the call has returned. */
static void on_deleted(void *context, const xmtp_conversation_id *conversation,
                       const uint8_t message_id[XMTP_MESSAGE_ID_LEN])
{
    window *w = context;
    (void)conversation;
    w->deletions++;
    w->last_deleted = hex_of(message_id);
    printf("take %.8s... off the screen\n", w->last_deleted.text);
}

static xmtp_status find_deleted(void *context, const xmtp_enriched_message *m)
{
    if (m->deleted_by != NULL) {
        printf("a message was here; %.8s... took it back\n", m->deleted_by);
        (*(int *)context)++;
    }
    return XMTP_OK;
}

int main(void)
{
    people p = ann_and_bob();
    window w = {.decisions = 0};
    const xmtp_client_events events = {.context = &w, .consent = on_consent, .deleted = on_deleted};
    xmtp_conversation_id dm;
    uint8_t regretted[XMTP_MESSAGE_ID_LEN];
    int marks = 0;
    xmtp_client_listen(p.ann, &events);

    check(xmtp_client_dm(p.bob, xmtp_client_address(p.ann), &dm, &error), "dm");
    check(xmtp_client_send_text(p.bob, &dm, "you fool", regretted, &error), "send");
    check(xmtp_client_sync(p.ann, &error), "sync");
    check(xmtp_client_send_text(p.ann, &dm, "pardon?", NULL, &error), "answer");
    expect(w.decisions == 1, "answering allows, which is a decision");

    /* Taken back for everyone: a message of its own, which Ann's client acts on. */
    check(xmtp_client_delete_message(p.bob, regretted, &error), "take back");
    check(xmtp_client_sync(p.ann, &error), "sync");
    expect(w.deletions == 1, "Ann was told");
    expect(strcmp(w.last_deleted.text, hex_of(regretted).text) == 0, "which one");
    const xmtp_message_query all = {.conversation = &dm};
    check(xmtp_client_messages_enriched(p.ann, &all, find_deleted, &marks, &error), "read");
    expect(marks == 1, "lists show a mark in its place");

    /* What changes nothing is not told, and who does not listen any more is told nothing. */
    check(xmtp_client_set_conversation_consent(p.ann, &dm, XMTP_CONSENT_ALLOWED, &error), "allow");
    expect(w.decisions == 1, "it was allowed already");
    xmtp_client_listen(p.ann, NULL);
    check(xmtp_client_set_conversation_consent(p.ann, &dm, XMTP_CONSENT_DENIED, &error), "deny");
    expect(w.decisions == 1, "nobody listens");
    xmtp_network_close(p.net);
    return 0;
}
