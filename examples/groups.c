/* groups.c - a group: who is in it, who may do what, and messages with reactions.
 *
 *     Ann makes "roof garden", lets nobody but admins rename it, writes, and reads what Bob thinks
 */
#include "people.h"

static xmtp_status print_member(void *context, const xmtp_member *member)
{
    const char *own_inbox = context;
    printf("member %.8s%s%s\n", member->inbox_id, member->is_super_admin ? ", super admin" : "",
           strcmp(member->inbox_id, own_inbox) == 0 ? ", that is us" : "");
    return XMTP_OK;
}

static xmtp_status print_message(void *context, const xmtp_enriched_message *m)
{
    size_t *reactions = context;
    if (m->message.text != NULL) {
        printf("\"%s\" has %zu reaction(s)\n", m->message.text, m->reaction_count);
        *reactions += m->reaction_count;
    }
    return XMTP_OK;
}

/* Bob may not rename the group: the call fails, and nothing has happened. */
static void bob_tries_to_rename(xmtp_client *bob, const xmtp_conversation_id *group)
{
    expect_refusal(xmtp_client_group_rename(bob, group, "my garden", &error), XMTP_E_PERMISSION,
                   "bob renames");
}

static void bob_reacts(xmtp_client *bob, const xmtp_conversation_id *group,
                       const uint8_t message_id[XMTP_MESSAGE_ID_LEN])
{
    const message_hex hex = hex_of(message_id);
    const xmtp_content thumb = {.type = XMTP_CONTENT_REACTION,
                                .reaction = {.reference = hex.text,
                                             .action = XMTP_REACTION_ADDED,
                                             .schema = XMTP_REACTION_UNICODE,
                                             .content = "\xf0\x9f\x91\x8d"}};
    check(xmtp_client_send(bob, group, &thumb, NULL, &error), "react");
}

int main(void)
{
    people p = ann_and_bob();
    xmtp_conversation_id group;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    size_t reactions = 0;
    const char *members[] = {xmtp_client_address(p.bob)};
    check(xmtp_client_group_create(p.ann, "roof garden", members, 1, &group, &error), "create");
    check(xmtp_client_group_set_permission(p.ann, &group, XMTP_PERMISSION_UPDATE_METADATA,
                                           XMTP_FIELD_NAME, XMTP_POLICY_ADMIN, &error),
          "permission");
    check(xmtp_client_send_text(p.ann, &group, "tomatoes or beans?", id, &error), "send");
    check(xmtp_client_sync(p.bob, &error), "sync");
    bob_tries_to_rename(p.bob, &group);
    bob_reacts(p.bob, &group, id);
    check(xmtp_client_sync(p.ann, &error), "sync");
    char own_inbox[65];
    (void)snprintf(own_inbox, sizeof own_inbox, "%s", xmtp_client_inbox_id(p.ann));
    check(xmtp_client_members(p.ann, &group, print_member, own_inbox, &error), "members");
    const xmtp_message_query all = {.conversation = &group};
    check(xmtp_client_messages_enriched(p.ann, &all, print_message, &reactions, &error), "read");
    expect(reactions == 1, "Ann sees what Bob thinks");
    xmtp_network_close(p.net);
    return 0;
}
