// archive-scenarios.mjs - archives that one kind of client writes and the other reads, on another device of one person.
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { BackupElementSelectionOption, ConsentState } from "@xmtp/node-sdk";
import { holds, same, scenario, until } from "./check.mjs";
import { Official } from "./official.mjs";
import { Ours } from "./ours.mjs";
import { officials } from "./people.mjs";

const both = {
    elements: [BackupElementSelectionOption.Messages, BackupElementSelectionOption.Consent],
    excludeDisappearingMessages: false,
};

// A device of ours for the wallet of an official user.
async function oursOf(context, official, name) {
    const us = new Ours(context.program, context.folder, name);
    writeFileSync(us.keyFile, `${official.user.key}\n`, { mode: 0o600 });
    await us.register();
    same("inbox of the device of ours", us.inboxId, official.inboxId);
    return us;
}

function keyOf(us, name) {
    const key = randomBytes(32);
    const file = path.join(us.folder, name);
    writeFileSync(file, `${key.toString("hex")}\n`, { mode: 0o600 });
    return [key, ["--archive-key", file]];
}

const messagesAtOurs = async (us, id) =>
    (await us.inbox()).filter((m) => m.conversation === id && m.kind === "application").map((m) => [m.id, m.text]);

async function messagesAtOfficial(client, id) {
    const conversation = await client.conversations.getConversationById(id);
    return (await conversation.messages())
        .filter((m) => ["text", "reply"].includes(m.contentType?.typeId))
        .sort((a, b) => (a.sentAtNs < b.sentAtNs ? -1 : 1))
        .map((m) => [m.id, m.content?.content ?? m.content]);
}

scenario("an archive of the official client is read by a device of ours", async (context) => {
    const [ann, bob] = await officials(context.after, "ann", "bob");
    const dm = await ann.dmTo(bob.address);
    await dm.sendText("one");
    await (await bob.conversation(dm.id)).sendText("two");
    const group = await ann.group([bob.address], "archived");
    await group.updateDescription("kept");
    await group.sendText("three");
    await (await bob.conversation(group.id)).sendText("four");
    await ann.client.conversations.syncAll([ConsentState.Allowed, ConsentState.Unknown]);
    const atAnn = [await messagesAtOfficial(ann.client, dm.id), await messagesAtOfficial(ann.client, group.id)];

    const us = new Ours(context.program, context.folder, "reader");
    const [key, withKey] = keyOf(us, "archive-key");
    const file = path.join(us.folder, "official.archive");
    await ann.client.createArchive(file, key, both);
    const [shown] = await us.run("archive", "show", file, ...withKey);
    same("what it holds", [shown.version, shown.messages, shown.consent], [0, true, true]);

    const device = await oursOf(context, ann, "reader");
    const [counts] = await device.run("archive", "import", file, ...withKey);
    same("conversations, messages, decisions", [counts.conversations, counts.messages, counts.consents], ["2", "4", "2"]);
    same("nothing was of no use", counts.skipped, "0");
    same("messages", [await messagesAtOurs(device, dm.id), await messagesAtOurs(device, group.id)], atAnn);
    const [settings] = await device.group("show", group.id);
    same("name and description", [settings.name, settings.description], ["archived", "kept"]);
    same("super admins", settings.super_admins, [ann.inboxId]);
    const again = (await device.run("archive", "import", file, ...withKey))[0];
    same("a second time", [again.conversations, again.messages, again.consents], ["0", "0", "0"]);

    // ann's client hears of the device and takes it in: the group is an ordinary one with all its messages.
    await until("the group can be used", async () => {
        await group.sendText("five");
        const texts = (await messagesAtOurs(device, group.id)).map(([, text]) => text);
        return texts.at(-1) === "five" && texts.slice(0, 2).join() === "three,four";
    }, 30000);
    await device.send(group.id, "six");
    const atBob = await bob.conversation(group.id);
    await until("bob reads it", async () => {
        await atBob.sync();
        return (await atBob.messages()).some((m) => m.content === "six");
    });
});

scenario("an archive of ours is read by a device of the official client", async (context) => {
    const [bob, seed] = await officials(context.after, "bob", "seed");
    const us = await oursOf(context, seed, "writer"); // a wallet that both kinds know
    const [{ conversation: dm }] = [await us.send(bob.address, "one")];
    await (await bob.conversation(dm)).sendText("two");
    const [{ id: group }] = await us.group("create", "--name", "archived", "--description", "kept", bob.address);
    await us.send(group, "three");
    await (await bob.conversation(group)).sendText("four");
    const atOurs = [await messagesAtOurs(us, dm), await messagesAtOurs(us, group)];
    same("messages of ours", atOurs.map((list) => list.length), [2, 2]);

    const [key, withKey] = keyOf(us, "archive-key");
    const file = path.join(us.folder, "ours.archive");
    const [counts] = await us.run("archive", "export", file, ...withKey);
    same("messages in it", counts.messages, "4");
    const metadata = await seed.client.archiveMetadata(file, key);
    same("version and elements", [metadata.backupVersion, [...metadata.elements].sort()], [0, ["Consent", "Messages"]]);
    holds("it has a time", metadata.exportedAtNs > 0n);

    const device = await Official.create("reader", { user: seed.user });
    context.after(() => device.close());
    await device.client.importArchive(file, key);
    same("messages", [await messagesAtOfficial(device.client, dm), await messagesAtOfficial(device.client, group)], atOurs);
    const restored = await device.client.conversations.getConversationById(group);
    same("name and description", [restored.name, restored.description], ["archived", "kept"]);
    same("consent", restored.consentState(), ConsentState.Allowed);

    const part = path.join(us.folder, "consent.archive");
    await us.run("archive", "export", part, "--elements", "consent", ...withKey);
    same("a part", [...(await seed.client.archiveMetadata(part, key)).elements], ["Consent"]);
});
