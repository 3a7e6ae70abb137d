// group-scenarios.mjs - settings, admins and permissions of groups, changed from either side.
import { MetadataField, PermissionPolicy, PermissionUpdateType } from "@xmtp/node-sdk";
import { same, scenario, until } from "./check.mjs";
import { officials, ours, sameViews, viewsOf } from "./people.mjs";

const policyNames = Object.fromEntries(
    Object.entries({ Allow: "allow", Deny: "deny", Admin: "admin", SuperAdmin: "super-admin", DoesNotExist: "none", Other: "other" })
        .map(([name, ours]) => [PermissionPolicy[name], ours]));

// The official client's view of a group's settings, in our words.
async function settingsAtOfficial(group) {
    await group.sync();
    const { policyType, policySet } = await group.permissions();
    const disappearing = await group.messageDisappearingSettings();
    return {
        name: group.name,
        description: group.description,
        image_url: group.imageUrl,
        app_data: group.appData,
        admins: [...(await group.listAdmins())].sort(),
        super_admins: [...(await group.listSuperAdmins())].sort(),
        preset: ["all-members", "admin-only", "custom"][policyType],
        disappear: [String(disappearing?.fromNs ?? 0), String(disappearing?.inNs ?? 0)],
        policies: Object.fromEntries([
            ["add_member", "addMemberPolicy"], ["remove_member", "removeMemberPolicy"],
            ["add_admin", "addAdminPolicy"], ["remove_admin", "removeAdminPolicy"],
            ["name", "updateGroupNamePolicy"], ["description", "updateGroupDescriptionPolicy"],
            ["image_url", "updateGroupImageUrlSquarePolicy"], ["app_data", "updateAppDataPolicy"],
            ["disappearing", "updateMessageDisappearingPolicy"],
        ].map(([ours, theirs]) => [ours, policyNames[policySet[theirs]]])),
    };
}

async function settingsAtOurs(us, id) {
    const [shown] = await us.group("show", id);
    const { minimum_version, update_permissions, ...policies } = shown.policies;
    return {
        name: shown.name,
        description: shown.description,
        image_url: shown.image_url,
        app_data: shown.app_data,
        admins: shown.admins.sort(),
        super_admins: shown.super_admins.sort(),
        preset: shown.preset,
        disappear: [shown.disappear_from_ns, shown.disappear_in_ns],
        policies,
    };
}

async function sameSettings(what, us, id, group) {
    const here = await settingsAtOurs(us, id);
    same(`${what}: settings at the official client`, await settingsAtOfficial(group), here);
    return here;
}

scenario("group settings, admins and permissions changed by ours are seen by the official client", async (context) => {
    const [ann, bob] = await officials(context.after, "ann", "bob");
    const us = await ours(context, "settings-owner");
    const [{ id }] = await us.group("create", "--name", "n", "--description", "d", "--image-url", "https://example.com/1",
        "--app-data", "{}", "--permissions", "admin-only", ann.address, bob.address);
    const atAnn = await ann.conversation(id);
    same("preset", (await sameSettings("as created", us, id, atAnn)).preset, "admin-only");
    for (const [field, value] of [["name", "n2"], ["description", "d2"], ["image-url", "https://example.com/2"], ["app-data", "[1]"]]) {
        await us.group("set", id, field, value);
    }
    await us.group("disappear", id, "1000", "86400000000000");
    await us.group("admin", id, "add", ann.address);
    await us.group("admin", id, "add-super", bob.address);
    await sameSettings("changed", us, id, atAnn);
    for (const [what, policy] of [["add-member", "deny"], ["remove-member", "super-admin"], ["add-admin", "admin"],
        ["remove-admin", "admin"], ["name", "allow"], ["description", "deny"], ["image-url", "super-admin"],
        ["app-data", "allow"], ["disappearing", "allow"]]) {
        await us.group("permission", id, what, policy);
    }
    await sameSettings("permissions", us, id, atAnn);
    await us.group("admin", id, "remove", ann.address);
    await us.group("admin", id, "remove-super", bob.address);
    await us.group("disappear", id, "off");
    const last = await sameSettings("taken back", us, id, atAnn);
    same("admins", [last.admins, last.super_admins], [[], [us.inboxId]]);
    await atAnn.updateName("by a member");
    same("name", (await sameSettings("by ann", us, id, atAnn)).name, "by a member");
    sameViews(await viewsOf(id, [us, ann, bob]));
});

scenario("group settings, admins and permissions changed by the official client are seen by ours", async (context) => {
    const [ann] = await officials(context.after, "ann");
    const us = await ours(context, "settings-guest");
    const group = await ann.group([us.address], "official");
    const id = group.id;
    await sameSettings("as created", us, id, group);
    await group.updateName("n2");
    await group.updateDescription("d2");
    await group.updateImageUrl("https://example.com/2");
    await group.updateAppData("[1]");
    await group.updateMessageDisappearingSettings(1000n, 86400000000000n);
    await group.addAdmin(us.inboxId);
    await sameSettings("changed", us, id, group);
    await group.updatePermission(PermissionUpdateType.AddMember, PermissionPolicy.Admin);
    await group.updatePermission(PermissionUpdateType.RemoveMember, PermissionPolicy.Deny);
    await group.updatePermission(PermissionUpdateType.AddAdmin, PermissionPolicy.Admin);
    await group.updatePermission(PermissionUpdateType.UpdateMetadata, PermissionPolicy.SuperAdmin, MetadataField.Description);
    await sameSettings("permissions", us, id, group);
    // We are an admin now, which the official client has to accept.
    await us.group("set", id, "name", "by an admin");
    same("name", (await sameSettings("by ours", us, id, group)).name, "by an admin");
    const refused = await us.group("set", id, "description", "no").catch((error) => error.message);
    same("what only super admins may", /may not change the group's metadata/.test(refused), true);
    await group.addSuperAdmin(us.inboxId);
    await us.group("set", id, "description", "by a super admin");
    await group.removeAdmin(us.inboxId);
    same("description", (await sameSettings("at the end", us, id, group)).description, "by a super admin");
    sameViews(await viewsOf(id, [us, ann]));
});

scenario("a DM made with disappearing settings by either side has them on both", async (context) => {
    const [ann, bob] = await officials(context.after, "ann", "bob");
    const us = await ours(context, "dm-settings");
    const dm = await ann.client.conversations.createDm(us.inboxId, { messageDisappearingSettings: { fromNs: 5n, inNs: 3600000000000n } });
    const shown = await until("ours has the DM", async () => (await us.group("show", dm.id))[0]);
    same("as made by ann", [shown.disappear_from_ns, shown.disappear_in_ns], ["5", "3600000000000"]);
    const { conversation } = await us.send(bob.address, "hello");
    await us.group("disappear", conversation, "7", "7200000000000");
    const atBob = await bob.conversation(conversation);
    const settings = await atBob.messageDisappearingSettings();
    same("as set by ours", [String(settings.fromNs), String(settings.inNs)], ["7", "7200000000000"]);
});
