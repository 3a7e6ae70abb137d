/* permissions.c - who may do what in a group: a preset, rules of one's own, admins and super admins.
 *
 *     super admin   whoever made it; makes admins, sets permissions; the last one cannot be removed
 *     admin         what policies leave to admins
 *     member        what policies leave to everybody
 *
 * A policy is judged by every member's client: a change that it forbids is refused here before it is
 * sent, and by all others if somebody sends it nevertheless.
 */
#include "people.h"

static xmtp_conversation_details details(xmtp_client *client, const xmtp_conversation_id *group)
{
    xmtp_conversation_details d;
    check(xmtp_client_sync(client, &error), "sync");
    check(xmtp_client_conversation_details(client, group, &d, &error), "details");
    return d;
}

int main(void)
{
    people p = ann_and_bob();
    xmtp_network_device *carl_device;
    xmtp_conversation_id group;
    check(xmtp_network_client(p.net, NULL, &carl_device, &error), "carl");
    const char *bob = xmtp_client_address(p.bob);
    const char *carl = xmtp_client_address(xmtp_network_client_of(carl_device));

    /* Rules of its own; XMTP_POLICIES_ADMIN_ONLY and the default need no set. Every field but the last
     * two has to be given. */
    const xmtp_policy_set rules = {
        .add_member = XMTP_POLICY_ALLOW,
        .remove_member = XMTP_POLICY_ADMIN,
        .add_admin = XMTP_POLICY_SUPER_ADMIN,
        .remove_admin = XMTP_POLICY_SUPER_ADMIN,
        .name = XMTP_POLICY_ADMIN,
        .description = XMTP_POLICY_ALLOW,
        .image_url = XMTP_POLICY_DENY,
        .app_data = XMTP_POLICY_ALLOW,
        .disappearing = XMTP_POLICY_ADMIN,
    };
    const xmtp_group_options options = {
        .name = "chess club", .preset = XMTP_POLICIES_CUSTOM, .policies = &rules};
    check(xmtp_client_group_create_with(p.ann, &options, &bob, 1, &group, &error), "create");
    expect(details(p.ann, &group).is_super_admin, "who makes a group is its super admin");
    expect(!details(p.bob, &group).is_admin, "who is invited is a member");

    /* Bob, a member */
    check(xmtp_client_group_add(p.bob, &group, &carl, 1, &error), "members may add");
    expect_refusal(xmtp_client_group_rename(p.bob, &group, "bob's club", &error), XMTP_E_PERMISSION,
                   "a member renames");
    expect_refusal(xmtp_client_group_remove(p.bob, &group, &carl, 1, &error), XMTP_E_PERMISSION,
                   "a member removes another");

    /* Bob, an admin */
    check(xmtp_client_group_change_admins(p.ann, &group, XMTP_ADMIN_ADD, bob, &error), "promote");
    expect(details(p.bob, &group).is_admin, "Bob is an admin");
    check(xmtp_client_group_rename(p.bob, &group, "chess and tea", &error), "admins may rename");
    check(xmtp_client_group_remove(p.bob, &group, &carl, 1, &error), "admins may remove");
    expect_refusal(xmtp_client_group_change_admins(p.bob, &group, XMTP_ADMIN_ADD, carl, &error),
                   XMTP_E_PERMISSION, "an admin makes admins");
    expect_refusal(xmtp_client_group_set(p.bob, &group, XMTP_FIELD_IMAGE_URL, "https://x", &error),
                   XMTP_E_PERMISSION, "an admin changes what nobody may");

    /* Ann, the super admin, changes a rule and takes Bob's office. */
    expect(strcmp(details(p.ann, &group).name, "chess and tea") == 0, "Ann sees the new name");
    check(xmtp_client_group_set_permission(p.ann, &group, XMTP_PERMISSION_UPDATE_METADATA,
                                           XMTP_FIELD_NAME, XMTP_POLICY_SUPER_ADMIN, &error),
          "a new rule");
    expect(details(p.bob, &group).policies.name == XMTP_POLICY_SUPER_ADMIN, "Bob knows of it");
    expect_refusal(xmtp_client_group_rename(p.bob, &group, "tea", &error), XMTP_E_PERMISSION,
                   "an admin renames now");
    check(xmtp_client_group_change_admins(p.ann, &group, XMTP_ADMIN_REMOVE, bob, &error), "demote");
    expect(!details(p.bob, &group).is_admin, "Bob is a member again");
    expect_refusal(xmtp_client_group_change_admins(p.ann, &group, XMTP_SUPER_ADMIN_REMOVE,
                                                   xmtp_client_address(p.ann), &error),
                   XMTP_E_PERMISSION, "the last super admin resigns");
    xmtp_network_close(p.net);
    return 0;
}
