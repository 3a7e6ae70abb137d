/* messages.c - sending without waiting, sending once for sure, changing one's mind, and finding again what
 * was said.
 *
 *     xmtp_client_send_text   waits until the network has it
 *     .is_optimistic          shown at once, goes out with the next sync
 *     .idempotency_key        the same under the same key is one message, however often it is sent
 *     xmtp_client_prepare     a draft, that goes out when asked for
 */
#include "people.h"

typedef struct texts {
    int count;
    char newest[64];
    int edited;
} texts;

static xmtp_status note(void *context, const xmtp_message *message)
{
    texts *t = context;
    if (t->count++ == 0 && message->text != NULL) {
        (void)snprintf(t->newest, sizeof t->newest, "%s", message->text);
    }
    return XMTP_OK;
}

static texts find(xmtp_client *client, const xmtp_message_query *query)
{
    texts t = {.count = 0};
    check(xmtp_client_messages(client, query, note, &t, &error), "find");
    return t;
}

static xmtp_status note_edited(void *context, const xmtp_enriched_message *m)
{
    texts *t = context;
    if (m->edited != NULL) {
        t->edited++;
        printf("\"%s\" says now: \"%s\"\n", m->message.text, m->edited->text);
    }
    return XMTP_OK;
}

static xmtp_status note_read(void *context, const char *inbox_id, uint64_t read_ns)
{
    (void)inbox_id;
    *(uint64_t *)context = read_ns;
    return XMTP_OK;
}

int main(void)
{
    people p = ann_and_bob();
    xmtp_conversation_id dm;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    uint8_t again[XMTP_MESSAGE_ID_LEN];
    xmtp_message message;
    uint8_t *encoded;
    size_t n;
    check(xmtp_client_dm(p.ann, xmtp_client_address(p.bob), &dm, &error), "dm");

    /* Sent twice, say by a program that was not sure: one message. */
    const xmtp_content order = {.type = XMTP_CONTENT_TEXT, .text = "two rolls, please"};
    check(xmtp_content_encode(&order, NULL, &encoded, &n, &error), "encode");
    const xmtp_send_options once = {.should_push = true, .idempotency_key = "order 4711"};
    check(xmtp_client_send_with(p.ann, &dm, (xmtp_bytes){encoded, n}, &once, id, &error), "send");
    check(xmtp_client_send_with(p.ann, &dm, (xmtp_bytes){encoded, n}, &once, again, &error),
          "again");
    expect(memcmp(id, again, sizeof id) == 0, "it is the same message");

    /* Shown at once, without waiting for the network. */
    const xmtp_send_options later = {.is_optimistic = true};
    check(xmtp_client_send_with(p.ann, &dm, (xmtp_bytes){encoded, n}, &later, id, &error), "later");
    check(xmtp_client_message(p.ann, id, &message, &error), "look");
    expect(message.delivery == XMTP_DELIVERY_UNPUBLISHED, "Ann sees it, marked as not sent");
    check(xmtp_client_sync(p.ann, &error), "sync");
    check(xmtp_client_message(p.ann, id, &message, &error), "look");
    expect(message.delivery == XMTP_DELIVERY_PUBLISHED, "sync has sent it, under the same id");

    /* A draft stays here until it is published. */
    const xmtp_send_options draft = {.should_push = true};
    check(xmtp_client_prepare(p.ann, &dm, (xmtp_bytes){encoded, n}, &draft, id, &error), "prepare");
    check(xmtp_client_sync(p.ann, &error), "sync");
    check(xmtp_client_sync(p.bob, &error), "sync");
    expect(times_read(p.bob, &dm, order.text) == 2, "Bob has the first two");
    check(xmtp_client_publish_message(p.ann, id, &error), "publish");
    xmtp_content_bytes_free(NULL, encoded, n);

    /* Changed afterwards, for those who understand it. */
    const xmtp_content instead = {.type = XMTP_CONTENT_TEXT, .text = "four rolls, please"};
    texts changed = {.count = 0};
    check(xmtp_client_edit_message(p.ann, id, &instead, &error), "edit");
    check(xmtp_client_sync(p.bob, &error), "sync");
    const xmtp_message_query all = {.conversation = &dm};
    check(xmtp_client_messages_enriched(p.bob, &all, note_edited, &changed, &error), "read");
    expect(changed.edited == 1, "one message was edited");

    /* Bob has read them, and says so. */
    const xmtp_content receipt = {.type = XMTP_CONTENT_READ_RECEIPT};
    uint64_t read_ns = 0;
    check(xmtp_client_send(p.bob, &dm, &receipt, NULL, &error), "receipt");
    check(xmtp_client_send_text(p.bob, &dm, "in a minute", NULL, &error), "answer");
    check(xmtp_client_sync(p.ann, &error), "sync");
    check(xmtp_client_last_reads(p.ann, &dm, note_read, &read_ns, &error), "reads");
    expect(read_ns > 0, "Ann knows when");

    /* Found again: by type, by sender, the newest first. Filters go together. */
    const xmtp_content_type text_type = XMTP_CONTENT_TEXT;
    char bob[XMTP_INBOX_ID_LEN + 1];
    (void)snprintf(bob, sizeof bob, "%s", xmtp_client_inbox_id(p.bob));
    const char *const from_bob[] = {bob};
    const xmtp_message_query newest = {.conversation = &dm,
                                       .content_types = &text_type,
                                       .content_type_count = 1,
                                       .newest_first = true,
                                       .limit = 1};
    const xmtp_message_query bobs = {.conversation = &dm,
                                     .content_types = &text_type,
                                     .content_type_count = 1,
                                     .senders = from_bob,
                                     .sender_count = 1};
    expect(strcmp(find(p.ann, &newest).newest, "in a minute") == 0, "the newest text is Bob's");
    expect(find(p.ann, &bobs).count == 1, "he has written one");
    expect(times_read(p.ann, &dm, order.text) == 3, "and Ann three");
    xmtp_network_close(p.net);
    return 0;
}
