// device-scenarios.mjs - one inbox on an official and on one of our installations; accounts and installations changed by
// one kind and seen by the other.
import { IdentifierKind } from "@xmtp/node-sdk";
import { createSigner, createUser } from "@xmtp/agent-sdk/user";
import { holds, same, scenario, until } from "./check.mjs";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { Official } from "./official.mjs";
import { Ours } from "./ours.mjs";
import { officials, ours, sameViews, viewsOf } from "./people.mjs";

const identifierOf = (address) => ({ identifier: address.toLowerCase(), identifierKind: IdentifierKind.Ethereum });

const stateOf = async (us) => (await us.run("client", "inbox-state"))[0];

async function officialDevice(context, us) {
    const device = await Official.create(`${us.name} elsewhere`, { user: createUser(us.key) });
    context.after(() => device.close());
    same("its inbox", device.inboxId, us.inboxId);
    return device;
}

// A group of somebody official that both installations of the inbox know; ann's messages bring the second one in.
async function groupOfBoth(ann, us, device) {
    const group = await ann.group([us.address], "devices");
    await until("both installations are in", async () => {
        await group.sendText("are you there?");
        await device.client.conversations.syncAll();
        const here = (await us.group("list")).some((c) => c.id === group.id);
        return here && (await device.client.conversations.getConversationById(group.id));
    }, 20000);
    return group;
}

async function talkOnBoth(ann, us, device, group) {
    const there = await device.conversation(group.id);
    await us.send(group.id, "from ours");
    await there.sendText("from the official one");
    await group.sendText("from ann");
    await us.group("rename", group.id, "renamed by ours");
    await there.sync();
    same("name at the official installation", there.name, "renamed by ours");
    await there.updateDescription("by the official one");
    const own = (await us.view(group.id)).messages.filter((m) => m.own).map((m) => m.text);
    same("what ours knows as its own", own, ["from ours", "from the official one"]);
    const sent = (await device.view(group.id)).messages.filter((m) => m.sender_inbox === us.inboxId).map((m) => m.text);
    same("what the official one knows as its own", sent, ["from ours", "from the official one"]);
    const views = await viewsOf(group.id, [ann, us, device]);
    const since = (view) => ({ ...view, messages: view.messages.slice(-3) }); // each came at a time of its own
    sameViews(Object.fromEntries(Object.entries(views).map(([name, view]) => [name, since(view)])));
    same("description", (await us.group("show", group.id))[0].description, "by the official one");
}

scenario("one inbox on ours first and then on an official installation: both read, write and commit", async (context) => {
    const [ann] = await officials(context.after, "ann");
    const us = await ours(context, "two-kinds");
    const device = await officialDevice(context, us);
    await talkOnBoth(ann, us, device, await groupOfBoth(ann, us, device));
});

scenario("one inbox on an official installation first and then on ours: both read, write and commit", async (context) => {
    const [ann, first] = await officials(context.after, "ann", "first");
    const us = await new Ours(context.program, context.folder, "second-kind", first.user.key).register();
    same("our inbox", us.inboxId, first.inboxId);
    await talkOnBoth(ann, us, first, await groupOfBoth(ann, us, first));
});

scenario("ours revokes an official installation, and an official one revokes ours: groups follow", async (context) => {
    const [ann, first] = await officials(context.after, "ann", "first");
    const us = await ours(context, "revokes");
    const device = await officialDevice(context, us);
    const group = await groupOfBoth(ann, us, device);
    await us.run("client", "revoke-all-other-installations");
    same("installations", (await stateOf(us)).installations.length, 1);
    await until("ann's client drops it", async () => {
        await group.sendText("still there?");
        const members = await group.members();
        return members.find((m) => m.inboxId === us.inboxId).installationIds.length === 1;
    }, 20000);
    await us.send(group.id, "ours goes on");
    same("ann reads ours", (await ann.view(group.id)).messages.at(-1).text, "ours goes on");
    // The other way round.
    const second = await new Ours(context.program, context.folder, "revoked", first.user.key).register();
    same("two now", (await first.client.preferences.fetchInboxState()).installations.length, 2);
    await first.client.revokeAllOtherInstallations();
    const state = (await us.run("client", "inbox-state", first.inboxId))[0];
    same("seen by ours", state.installations, [first.client.installationId]);
    const refused = await second.run("send", ann.address, "no longer").then(() => "", (error) => error.message);
    holds("a revoked installation of ours does not reach anybody", !(await ann.client.conversations.listDms()).length, refused);
});

scenario("accounts added by ours are seen by the official client, and those it adds by ours", async (context) => {
    const [ann] = await officials(context.after, "ann");
    const us = await ours(context, "accounts");
    const [mine, hers] = [createUser(), createUser()];
    const file = path.join(context.folder, "account-key");
    writeFileSync(file, mine.key, { mode: 0o600 });
    await us.run("client", "add-account", "--account-key-file", file);
    same("ann finds ours by it", await ann.client.fetchInboxIdByIdentifier(identifierOf(mine.account.address)), us.inboxId);
    await ann.client.unsafe_addAccount(createSigner(hers), true); // it insists on true, also for an account that is new
    same("ours finds ann by it", (await us.run("client", "inbox-id", hers.account.address))[0].inbox, ann.inboxId);
    await us.send(hers.account.address, "to ann's second account");
    await until("ann has it", async () => {
        await ann.client.conversations.syncAll();
        const [dm] = await ann.client.conversations.listDms();
        return dm && (await dm.messages()).some((m) => m.content === "to ann's second account");
    });
    await us.run("client", "change-recovery-identifier", mine.account.address);
    const [seen] = await ann.client.preferences.fetchInboxStates([us.inboxId]);
    same("recovery, as the official client sees it", seen.recoveryIdentifier.identifier, mine.account.address.toLowerCase());
    const key = await us.run("client", "key-package-status", ann.address);
    same("ann's key package", key[0].status, "valid");
});
