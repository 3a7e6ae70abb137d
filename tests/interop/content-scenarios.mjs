// content-scenarios.mjs - every content type: sent by ours and read by the official SDK, and the other way round.
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { ActionStyle, encryptAttachment, ReactionAction, ReactionSchema } from "@xmtp/node-sdk";
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
