// device-sync-scenarios.mjs - one inbox, an official installation and one of ours: consent, HMAC keys and history go both
// ways through their sync groups and the node's history server.
import { createUser } from "@xmtp/agent-sdk/user";
import { ConsentEntityType, ConsentState } from "@xmtp/node-sdk";
import { holds, same, scenario, until } from "./check.mjs";
import { Official } from "./official.mjs";
import { Ours } from "./ours.mjs";
import { officials } from "./people.mjs";

const historyUrl = "http://localhost:5558";
const limitMs = 60000;

// One of our installations with device sync on; key: hex, of an inbox that there is already.
async function device({ program, folder }, name, key) {
    const self = new Ours(program, folder, name, key, ["--history", historyUrl]);
    await self.register();
    await self.run("devices", "sync");
    return self;
}

async function syncOfficial(official) {
    await official.client.conversations.syncAll([ConsentState.Allowed, ConsentState.Unknown, ConsentState.Denied]);
    await official.client.syncAllDeviceSyncGroups();
}

async function consentAt(us, inboxId) {
    await us.run("devices", "sync");
    return (await us.run("preferences", "get-consent", inboxId))[0].consent;
}

// What either decides about an inbox and about the conversation arrives at the other.
async function consentGoesBothWays(official, us, inboxId, groupId) {
    const entity = { entityType: ConsentEntityType.InboxId, entity: inboxId };
    await official.client.preferences.setConsentStates([{ ...entity, state: ConsentState.Denied }]);
    await until("ours has the official decision", async () => (await consentAt(us, inboxId)) === "denied", limitMs);
    await us.run("preferences", "set-consent", inboxId, "allowed");
    await us.run("devices", "sync");
    await until("the official client has our decision", async () => {
        await syncOfficial(official);
        return (await official.client.preferences.getConsentState(entity.entityType, inboxId)) === ConsentState.Allowed;
    }, limitMs);
    await us.group("consent", groupId, "denied");
    await us.run("devices", "sync");
    await until("the official client has our decision about the conversation", async () => {
        await syncOfficial(official);
        const known = await official.client.conversations.getConversationById(groupId);
        return known?.consentState() === ConsentState.Denied;
    }, limitMs);
    await us.group("consent", groupId, "allowed");
    await us.run("devices", "sync");
}

// The keys under which both tag messages of a conversation.
async function keysAreTheSame(official, us, groupId) {
    await until("both have the same HMAC keys", async () => {
        await syncOfficial(official);
        await us.run("devices", "sync");
        const mine = (await us.group("hmac-keys", groupId)).map((k) => `${k.epoch} ${k.key}`).sort();
        const group = await official.client.conversations.getConversationById(groupId);
        const theirs = Object.values(group.hmacKeys()).flat();
        const hex = theirs.map((k) => `${k.epoch} ${Buffer.from(k.key).toString("hex")}`).sort();
        return mine.length > 0 && JSON.stringify(mine) === JSON.stringify(hex);
    }, limitMs);
}

scenario("official and ours: ours is the second installation of an official inbox", async (context) => {
    holds("this needs a node that the runner started", context.node);
    const [ann, bob] = await officials(context.after, "ann", "bob");
    const dm = await ann.dmTo(bob.address);
    await dm.sendText("before ours came");
    const us = await device(context, "second-of-ann", ann.user.key);
    same("inbox", us.inboxId, ann.inboxId);
    await until("ours is in the conversation", async () => {
        await syncOfficial(ann);
        await us.inbox();
        return (await us.group("list")).some((g) => g.id === dm.id && g.active);
    }, limitMs);
    await keysAreTheSame(ann, us, dm.id);
    await consentGoesBothWays(ann, us, bob.inboxId, dm.id);
    const before = context.node.historyFiles();
    const [{ pin }] = await us.run("devices", "request");
    same("letters of the PIN", pin.length, 5);
    await until("ours has what was said before it came", async () => {
        await syncOfficial(ann);
        await us.run("devices", "sync");
        return (await us.inbox()).some((m) => m.text === "before ours came");
    }, limitMs);
    holds("the archive went through our node", context.node.historyFiles() > before);
    await us.send(bob.address, "after ours came");
    await until("ann has what ours said", async () => {
        await syncOfficial(ann);
        return (await dm.messages()).some((m) => m.content === "after ours came");
    }, limitMs);
});

scenario("official and ours: an official client is the second installation of our inbox", async (context) => {
    holds("this needs a node that the runner started", context.node);
    const [bob] = await officials(context.after, "bob");
    const user = createUser();
    const us = await device(context, "first-of-cid", user.key);
    const sent = await us.send(bob.address, "before the official client came");
    const second = await Official.create("cid2", { user });
    context.after(() => second.close());
    same("inbox", second.inboxId, us.inboxId);
    await until("the official client is in the conversation", async () => {
        await us.inbox();
        await syncOfficial(second);
        return (await second.client.conversations.getConversationById(sent.conversation))?.isActive;
    }, limitMs);
    await keysAreTheSame(second, us, sent.conversation);
    await consentGoesBothWays(second, us, bob.inboxId, sent.conversation);
    const before = context.node.historyFiles();
    await second.client.sendSyncRequest(undefined, historyUrl);
    await until("the official client has what was said before it came", async () => {
        await us.run("devices", "sync");
        await syncOfficial(second);
        const known = await second.client.conversations.getConversationById(sent.conversation);
        return (await known.messages()).some((m) => m.content === "before the official client came");
    }, limitMs);
    holds("the archive went through our node", context.node.historyFiles() > before);
    await us.run("devices", "send", "chosen");
    await until("the official client lists an archive that was sent unasked", async () => {
        await syncOfficial(second);
        return second.client.listAvailableArchives(7).some((a) => a.pin === "chosen");
    }, limitMs);
    await second.client.processSyncArchive("chosen");
});
