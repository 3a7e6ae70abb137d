// group-scenarios.mjs - settings, admins and permissions of groups, changed from either side.
import { mkdtempSync } from "node:fs";
import path from "node:path";
import { ConsentState, MetadataField, PermissionPolicy, PermissionUpdateType } from "@xmtp/node-sdk";
import { holds, same, scenario, until } from "./check.mjs";
import { Official } from "./official.mjs";
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

// What the newest change of the members says, at the official client: [left, removed].
async function newestChange(peer, id) {
    const changes = (await peer.view(id)).changes.map((m) => m.change);
    const last = changes.filter((c) => c.leftInboxes?.length || c.removedInboxes?.length).at(-1);
    return last && [last.leftInboxes.map((i) => i.inboxId), last.removedInboxes.map((i) => i.inboxId)];
}

scenario("a member of either kind leaves, and the super admin of the other kind carries it out", async (context) => {
    const [ann, bob] = await officials(context.after, "ann", "bob");
    const us = await ours(context, "leaves");
    // Ours leaves a group of the official client.
    const group = await ann.group([us.address, bob.address], "official");
    await us.group("leave", group.id);
    const us1 = (await us.group("members", group.id))[0];
    same("our state until then", us1.state, "pending-remove");
    await until("ann's client removed ours", async () => (await ann.view(group.id)).members.length === 2);
    same("what bob is told", await newestChange(bob, group.id), [[us.inboxId], []]);
    same("ours is out", (await us.view(group.id)).active, false);
    // The official client leaves a group of ours.
    const [{ id }] = await us.group("create", "--name", "ours", ann.address, bob.address);
    const atAnn = await ann.conversation(id);
    await bob.conversation(id);
    await atAnn.requestRemoval();
    same("ann is waiting", await atAnn.isPendingRemoval(), true);
    await until("ours removed ann", async () => (await us.view(id)).members.length === 2);
    same("ann is out", (await ann.view(id)).active, false);
    same("what bob is told", await newestChange(bob, id), [[ann.inboxId], []]);
});

scenario("messages disappear on both sides after the time that either side set", async (context) => {
    const [ann] = await officials(context.after, "ann");
    const us = await ours(context, "disappears");
    const dm = await ann.client.conversations.createDm(us.inboxId, { messageDisappearingSettings: { fromNs: 1n, inNs: 2000000000n } });
    await dm.sendText("short-lived");
    await us.send(dm.id, "short-lived too");
    const atUs = async () => (await us.view(dm.id)).messages.map((m) => m.text);
    const atAnn = async () => (await ann.view(dm.id)).messages.map((m) => m.text);
    same("at first", await atAnn(), ["short-lived", "short-lived too"]);
    await until("gone from ours", async () => (await atUs()).length === 0);
    await until("gone from ann's", async () => (await atAnn()).length === 0);
    await us.group("disappear", dm.id, "off");
    await us.send(dm.id, "stays");
    same("afterwards", await atAnn(), ["stays"]);
});

scenario("two DMs made at once by both kinds are one conversation on both sides", async (context) => {
    const [ann] = await officials(context.after, "ann");
    const us = await ours(context, "twice");
    const { conversation: first } = await us.send(ann.address, "from ours");
    const dm = await ann.dmTo(us.address); // ann has not heard of ours yet
    holds("there are two", dm.id !== first);
    await dm.sendText("from ann");
    const textsOfOurs = async () => (await us.inbox()).filter((m) => m.kind === "application").map((m) => m.text);
    await until("ours has both", async () => (await textsOfOurs()).length === 2);
    same("conversations of ours", (await us.group("list")).map((c) => [c.kind, c.id]), [["dm", dm.id]]);
    const sent = await us.send(ann.address, "again");
    same("what ours sends goes to the one with the newest message", sent.conversation, dm.id);
    const atAnn = await ann.conversation(first);
    same("conversations of ann", (await ann.client.conversations.listDms()).length, 1);
    const texts = (await atAnn.messages()).filter((m) => m.contentType.typeId === "text").map((m) => m.content);
    same("messages of ann", texts.sort(), ["again", "from ann", "from ours"]);
    same("messages of ours", (await textsOfOurs()).sort(), ["again", "from ann", "from ours"]);
});

scenario("the official client reads the log of commits that ours wrote, and agrees", async (context) => {
    const [bob] = await officials(context.after, "bob");
    const us = await ours(context, "log-writer");
    const folder = mkdtempSync(path.join(context.folder, "ann-"));
    const ann = await Official.create("ann", { client: { dbPath: path.join(folder, "ann.db3") } });
    context.after(() => ann.close());
    const [{ id }] = await us.group("create", "--name", "logged", ann.address, bob.address);
    await us.group("rename", id, "renamed");
    await (await ann.conversation(id)).updateConsentState(ConsentState.Allowed);
    const [written] = await us.group("debug", id);
    const [read] = await us.group("debug", id);
    same("ours finds no fork", [written.commit_log_forked, read.commit_log_forked], ["unknown", "no"]);
    same("entries in the log", read.remote_commit_log.length, 2);
    // Its worker looks at the log when a client starts, and every five minutes.
    const again = await Official.create("ann", { user: ann.user, client: { dbPath: path.join(folder, "ann.db3") } });
    context.after(() => again.close());
    const group = await again.conversation(id);
    await until("the official client has compared", async () => (await group.debugInfo()).isCommitLogForked === false, 20000);
    same("its epoch", Number((await group.debugInfo()).epoch), Number(read.epoch));
});

scenario("ours reads the log of commits that the official client wrote, and agrees", async (context) => {
    const us = await ours(context, "log-reader");
    const folder = mkdtempSync(path.join(context.folder, "ann-"));
    const ann = await Official.create("ann", { client: { dbPath: path.join(folder, "ann.db3") } });
    context.after(() => ann.close());
    const group = await ann.group([us.address], "logged");
    await group.updateName("renamed");
    await us.group("members", group.id);
    const again = await Official.create("ann", { user: ann.user, client: { dbPath: path.join(folder, "ann.db3") } });
    context.after(() => again.close());
    const debug = await until("ours has read two entries", async () => {
        const [seen] = await us.group("debug", group.id);
        return seen.remote_commit_log.length === 2 && seen;
    });
    same("ours finds no fork", debug.commit_log_forked, "no");
    same("the newest entry", debug.remote_commit_log[0].authenticator, debug.local_commit_log.at(-1).authenticator);
});
