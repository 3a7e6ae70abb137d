// content-scenarios.mjs - every content type: sent by ours and read by the official SDK, and the other way round.
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { ActionStyle, encodeText, encryptAttachment, ReactionAction, ReactionSchema } from "@xmtp/node-sdk";
import { same, scenario, until } from "./check.mjs";
import { officials, ours } from "./people.mjs";

const text = (bytes) => Buffer.from(bytes).toString("utf8");

scenario("official reads every content type of ours", async (context) => {
    const [ann] = await officials(context.after, "ann");
    const us = await ours(context, "content-sender");
    const file = path.join(context.folder, "note.txt");
    writeFileSync(file, "in a file");
    const sent = async (...args) => (await us.run("send", ann.address, ...args))[0];
    const first = await sent("first");
    const ids = {
        markdown: await sent("# title", "--type", "markdown"),
        reply: await sent("an answer", "--type", "reply", "--to", first.id),
        reaction: await sent("👍", "--type", "reaction", "--to", first.id),
        removed: await sent("👍", "--type", "reaction-removed", "--to", first.id),
        receipt: await sent("--type", "read-receipt"),
        attachment: await sent(file, "--type", "attachment", "--mime", "text/plain"),
    };
    const dm = await ann.conversation(first.conversation);
    await dm.sync();
    const messages = await dm.messages();
    const of = (name) => messages.find((m) => m.id === ids[name].id);
    same("markdown", of("markdown").content, "# title");
    same("reply", [of("reply").content.referenceId, of("reply").content.content], [first.id, "an answer"]);
    const reactions = messages.find((m) => m.id === first.id).reactions;
    same("reactions, as the official client folds them", reactions.map((r) => [r.content.content, r.content.action]), [
        ["👍", ReactionAction.Added],
        ["👍", ReactionAction.Removed],
    ]);
    const attachment = of("attachment").content;
    same("attachment", [attachment.filename, attachment.mimeType, text(attachment.content)], ["note.txt", "text/plain", "in a file"]);
    same("fallback", of("attachment").fallback, "Can't display note.txt. This app doesn't support attachments.");
});

scenario("ours reads every content type of the official SDK", async (context) => {
    const [ann] = await officials(context.after, "ann");
    const us = await ours(context, "content-reader");
    const dm = await ann.dmTo(us.address);
    const first = await dm.sendText("first");
    await dm.sendMarkdown("# title");
    await dm.sendReaction({ reference: first, referenceInboxId: ann.inboxId, action: ReactionAction.Added, content: "👍", schema: ReactionSchema.Unicode });
    await dm.sendReadReceipt();
    await dm.sendAttachment({ filename: "a.txt", mimeType: "text/plain", content: new Uint8Array(Buffer.from("in a file")) });
    const encrypted = encryptAttachment({ filename: "b.bin", mimeType: "application/octet-stream", content: new Uint8Array(randomBytes(100)) });
    await dm.sendRemoteAttachment({ ...encrypted, url: "https://example.org/b", scheme: "https://", filename: "b.bin" });
    await dm.sendTransactionReference({ namespace: "eip155", networkId: "8453", reference: "0xabc" });
    await dm.sendWalletSendCalls({ version: "1.0", chainId: "0x2105", from: ann.address, calls: [{ to: us.address, value: "0x1" }] });
    await dm.sendActions({ id: "m", description: "Choose", actions: [{ id: "a", label: "One", style: ActionStyle.Primary }, { id: "b", label: "Two" }] });
    await dm.sendIntent({ id: "m", actionId: "b" });
    let inbox;
    await until("ours has all ten", async () => {
        inbox = (await us.inbox()).filter((m) => m.conversation === dm.id && m.kind === "application");
        return inbox.length === 10;
    });
    const of = (type) => inbox.find((m) => m.type.startsWith(type));
    same("markdown", of("xmtp.org/markdown").text, "# title");
    same("reaction", of("xmtp.org/reaction").content, { reference: first, action: "added", emoji: "👍" });
    same("read receipt", of("xmtp.org/readReceipt").content, undefined);
    same("attachment", of("xmtp.org/attachment").content, { mime: "text/plain", bytes: "9", filename: "a.txt" });
    const remote = of("xmtp.org/remoteStaticAttachment").content;
    same("remote attachment", [remote.url, remote.digest, remote.filename], ["https://example.org/b", encrypted.contentDigest, "b.bin"]);
    same("transaction", of("xmtp.org/transactionReference").content, { network: "8453", reference: "0xabc" });
    same("calls", of("xmtp.org/walletSendCalls").content, { chain: "0x2105", calls: "1" });
    same("actions", of("coinbase.com/actions").content, {
        id: "m", description: "Choose", actions: [{ id: "a", label: "One" }, { id: "b", label: "Two" }],
    });
    same("intent", of("coinbase.com/intent").content, { id: "m", action: "b" });
});

scenario("official reads what ours sends besides: transactions, actions, intents, files elsewhere", async (context) => {
    const [ann] = await officials(context.after, "ann");
    const us = await ours(context, "content-rest");
    const file = path.join(context.folder, "elsewhere.txt");
    writeFileSync(file, "in a file elsewhere");
    const sent = async (...args) => (await us.run("send", ann.address, ...args))[0];
    const json = (type, value) => sent(JSON.stringify(value), "--type", type);
    const ids = {
        transaction: await json("transaction-reference", { namespace: "eip155", networkId: "8453", reference: "0xabc" }),
        calls: await json("wallet-send-calls", { version: "1.0", chainId: "0x2105", from: us.address, calls: [{ to: ann.address, value: "0x1" }] }),
        actions: await json("actions", { id: "m", description: "Choose", actions: [{ id: "a", label: "One", style: "primary" }, { id: "b", label: "Two" }] }),
        intent: await json("intent", { id: "m", actionId: "b" }),
        remote: await sent(file, "--type", "remote-attachment", "--mime", "text/plain", "--upload", "echo https://example.org/f #"),
    };
    const dm = await ann.conversation(ids.intent.conversation);
    await dm.sync();
    const messages = await dm.messages();
    const of = (name) => messages.find((m) => m.id === ids[name].id).content;
    same("transaction", [of("transaction").namespace, of("transaction").networkId, of("transaction").reference], ["eip155", "8453", "0xabc"]);
    same("calls", [of("calls").chainId, of("calls").calls[0].to], ["0x2105", ann.address]);
    same("actions", of("actions").actions.map((a) => [a.id, a.label, a.style]), [["a", "One", ActionStyle.Primary], ["b", "Two", undefined]]);
    same("intent", [of("intent").id, of("intent").actionId], ["m", "b"]);
    same("file", [of("remote").url, of("remote").filename, of("remote").secret.length], ["https://example.org/f", "elsewhere.txt", 32]);
});

scenario("ours reads what the official SDK sends besides: replies, several files, types of its own", async (context) => {
    const [ann] = await officials(context.after, "ann");
    const us = await ours(context, "content-rest-reader");
    const dm = await ann.dmTo(us.address);
    const first = await dm.sendText("first");
    await dm.sendReply({ content: encodeText("an answer"), reference: first, referenceInboxId: ann.inboxId });
    const files = ["a", "b"].map((name) => ({
        ...encryptAttachment({ filename: name, mimeType: "text/plain", content: new Uint8Array(10) }),
        url: `https://example.org/${name}`, scheme: "https://", filename: name,
    }));
    await dm.sendMultiRemoteAttachment({ attachments: files });
    const own = { authorityId: "example.org", typeId: "poem", versionMajor: 1, versionMinor: 2 };
    await dm.send({ type: own, parameters: { lines: "1" }, fallback: "a poem", content: Buffer.from("roses") }, { shouldPush: false });
    const listed = await until("ours has all four", async () => {
        await us.group("sync", dm.id).catch(() => undefined);
        const messages = (await us.group("messages", dm.id, "--enriched")).filter((m) => m.kind === "application");
        return messages.length === 4 && messages;
    });
    same("types", listed.map((m) => m.type), ["xmtp.org/text:1.0", "xmtp.org/reply:1.0", "xmtp.org/multiRemoteStaticAttachment:1.0", "example.org/poem:1.2"]);
    same("the answer", [listed[1].text, listed[1].reference, listed[1].in_reply_to.text], ["an answer", first, "first"]);
    same("fallback", listed[3].fallback, "a poem");
});

scenario("what either side takes back is gone for the other", async (context) => {
    const [ann] = await officials(context.after, "ann");
    const us = await ours(context, "takes-back");
    const [{ id }] = await us.group("create", "--name", "deletions", ann.address);
    const group = await ann.conversation(id);
    const ourMessage = await us.send(id, "oops from ours");
    await us.run("send", id, "--type", "delete", "--to", ourMessage.id);
    await group.sync();
    const seen = (await group.messages()).find((m) => m.id === ourMessage.id);
    same("as ann sees it", [seen.contentType.typeId, seen.content?.content], ["deletedMessage", undefined]);
    // The official SDK has no call for it, but sends any content.
    const hers = await group.sendText("oops from ann");
    const deletion = { authorityId: "xmtp.org", typeId: "deleteMessage", versionMajor: 1, versionMinor: 0 };
    await group.send({ type: deletion, parameters: {}, content: Buffer.concat([Buffer.from([0x0a, 64]), Buffer.from(hers)]) }, { shouldPush: false });
    const atUs = async (message) => (await us.group("messages", id, "--enriched")).find((m) => m.id === message);
    same("as ours sees it", [(await atUs(hers)).deleted_by, (await atUs(hers)).text], [ann.inboxId, undefined]);
    // A super admin takes back what a member said.
    const other = await group.sendText("said by a member");
    await us.run("send", id, "--type", "delete", "--to", other);
    await group.sync();
    const gone = (await group.messages()).find((m) => m.id === other);
    same("taken back by the super admin", [gone.contentType.typeId, gone.content.adminInboxId], ["deletedMessage", us.inboxId]);
});
