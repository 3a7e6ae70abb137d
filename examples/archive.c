/* archive.c - an inbox in an encrypted file, and back: for a backup, or a new device.
 *
 *     Ann's device --archive--> file --> a second device of Ann: reads what was said before it came
 */
#include "people.h"

static xmtp_status count_text(void *context, const xmtp_message *message)
{
    if (message->text != NULL) {
        printf("the new device reads: %s\n", message->text);
        (*(int *)context)++;
    }
    return XMTP_OK;
}

int main(void)
{
    people p = ann_and_bob();
    xmtp_network_device *second;
    xmtp_conversation_id dm;
    xmtp_archive_counts counts;
    uint8_t key[XMTP_ARCHIVE_KEY_LEN];
    char path[512];
    int texts = 0;
    (void)snprintf(path, sizeof path, "%s.archive", xmtp_network_database(p.ann_device));
    const xmtp_env *env = xmtp_env_system();
    check(env->random(env->context, key, sizeof key), "key");

    check(xmtp_client_dm(p.ann, xmtp_client_address(p.bob), &dm, &error), "dm");
    check(xmtp_client_send_text(p.ann, &dm, "said long ago", NULL, &error), "send");
    check(xmtp_client_archive_export(p.ann, path, key, NULL, NULL, &counts, &error), "export");
    printf("%llu message(s) in %llu bytes\n", (unsigned long long)counts.messages,
           (unsigned long long)counts.bytes);

    const xmtp_network_device_options of_ann = {.person_of = p.ann_device};
    check(xmtp_network_client(p.net, &of_ann, &second, &error), "second device");
    xmtp_client *fresh = xmtp_network_client_of(second);
    check(xmtp_client_archive_import(fresh, path, key, NULL, &counts, &error), "import");
    const xmtp_message_query all = {.conversation = &dm};
    check(xmtp_client_messages(fresh, &all, count_text, &texts, &error), "read");
    expect(texts == 1, "it has read what was said before it came");
    xmtp_network_close(p.net);
    return 0;
}
