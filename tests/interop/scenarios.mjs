// scenarios.mjs - the official SDKs and ours, through our node, on the port the SDK insists on.
//
// usage: scenarios.mjs XMTP-PROGRAM [--node-running] [--rounds=N] [name ...]
// One line per scenario, then `N passed, N failed, N skipped`.
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { Page } from "./browser.mjs";
import { Chain, chainId } from "./chain.mjs";
import { holds, numbered, runScenarios, same, scenario, until } from "./check.mjs";
import { Official, OfficialAgent } from "./official.mjs";
import { OurNode } from "./ours.mjs";
import { officials, ours, sameViews, texts, turns, unique, viewsOf } from "./people.mjs";
import "./archive-scenarios.mjs";
import "./group-scenarios.mjs";
import "./content-scenarios.mjs";
import "./device-sync-scenarios.mjs";
import "./wallet-scenarios.mjs";
import "./device-scenarios.mjs";
import "./race-scenarios.mjs";

const historyUrl = "http://localhost:5558";

// --- official with official ---------------------------------------------------------------------

scenario("official and official: a DM, both streaming", async ({ after }) => {
    const [ann, bob] = await officials(after, "ann", "bob");
    await ann.stream();
    await bob.stream();
    const dm = await ann.dmTo(bob.address);
    const back = await bob.conversation(dm.id);
    for (let i = 1; i <= turns; i++) {
        await dm.sendText(`ann ${i}`);
        await back.sendText(`bob ${i}`);
    }
    await until("bob streamed all of ann", () => unique(bob.streamedTexts(dm.id, ann.inboxId)).length >= turns);
    await until("ann streamed all of bob", () => unique(ann.streamedTexts(dm.id, bob.inboxId)).length >= turns);
    same("bob's stream", unique(bob.streamedTexts(dm.id, ann.inboxId)), numbered("ann", turns));
    same("ann's stream", unique(ann.streamedTexts(dm.id, bob.inboxId)), numbered("bob", turns));
    same("stream failures", [...ann.failures, ...bob.failures], []);
    const views = await viewsOf(dm.id, [ann, bob]);
    sameViews(views);
    same("messages in all", views.ann.messages.length, 2 * turns);
});

scenario("official and official: a group of five", async ({ after }) => {
    const peers = await officials(after, "ann", "bob", "cid", "dee", "eve");
    const [ann, ...others] = peers;
    for (const peer of peers) {
        await peer.stream();
    }
    const group = await ann.group(others.map((p) => p.address), "five");
    const seen = [group];
    for (const peer of others) {
        seen.push(await peer.conversation(group.id));
    }
    for (let round = 1; round <= 3; round++) {
        for (const [i, peer] of peers.entries()) {
            await seen[i].sendText(`${peer.name} ${round}`);
        }
    }
    for (const peer of peers) {
        await until(`${peer.name} streamed the twelve of the others`, () =>
            unique(peer.streamedTexts(group.id)).filter((t) => !t.startsWith(peer.name)).length >= 12);
    }
    await group.updateName("renamed");
    await ann.removeFrom(group, others[3].address);
    await seen[1].sendText("four are left");
    const four = peers.slice(0, 4);
    const views = await viewsOf(group.id, four);
    sameViews(views);
    same("name", views.bob.name, "renamed");
    same("members", views.bob.members.length, 4);
    same("messages", views.bob.messages.length, 16);
    same("eve is out", (await others[3].view(group.id)).active, false);
    same("stream failures", peers.flatMap((p) => p.failures), []);
});

scenario("official and official: a second installation joins and reads on", async ({ after }) => {
    const [ann, bob] = await officials(after, "ann", "bob");
    const dm = await ann.dmTo(bob.address);
    await dm.sendText("before");
    const second = await Official.create("bob2", { user: bob.user });
    after(() => second.close());
    same("inbox of the second installation", second.inboxId, bob.inboxId);
    const text = "after";
    await until("the second installation reads what is sent after it came", async () => {
        await dm.sendText(text);
        await second.client.conversations.syncAll();
        const known = await second.client.conversations.getConversationById(dm.id);
        return known && (await known.messages()).some((m) => m.content === text);
    }, 20000);
});

scenario("official and official: a second device gets what was said before it came, through our history server", async ({ after, node }) => {
    holds("this needs a node that the runner started", node);
    const [ann, bob] = await officials(after, "ann", "bob");
    const dm = await ann.dmTo(bob.address);
    await dm.sendText("before the second device");
    const second = await Official.create("ann2", { user: ann.user });
    after(() => second.close());
    await ann.client.conversations.syncAll(); // takes the second device into ann's groups
    await ann.client.syncAllDeviceSyncGroups();
    await second.client.syncAllDeviceSyncGroups();
    await second.client.sendSyncRequest(undefined, historyUrl);
    await until("the second device has the message", async () => {
        await ann.client.syncAllDeviceSyncGroups();
        await second.client.syncAllDeviceSyncGroups();
        await second.client.conversations.syncAll();
        const known = await second.client.conversations.getConversationById(dm.id);
        return known && (await known.messages()).some((m) => m.content === "before the second device");
    }, 60000);
    holds("the archive went through our node", node.historyFiles() > 0);
});

scenario("official and official: the node is stopped and started, nothing is lost", async ({ after, node }) => {
    holds("this needs a node that the runner started", node);
    const [ann, bob] = await officials(after, "ann", "bob");
    const dm = await ann.dmTo(bob.address);
    for (const text of numbered("before", 5)) {
        await dm.sendText(text);
    }
    await node.stop("SIGKILL");
    await node.start();
    await until("ann can send again", () => dm.sendText("after").then(() => true), 30000);
    const views = await viewsOf(dm.id, [ann, bob]);
    sameViews(views);
    same("all five from before are there", texts(views.bob).slice(0, 5), numbered("before", 5));
    same("the last", texts(views.bob).at(-1), "after");
});

// The official agent begins with an answer before the one before it is sent: one may overtake the other.
const inAnyOrder = (answers) => unique(answers).sort();

scenario("official and official: the agent answers a client", async ({ after }) => {
    const agent = await OfficialAgent.create("official agent");
    after(() => agent.close());
    const [ann] = await officials(after, "ann");
    await ann.stream();
    const dm = await ann.dmTo(agent.address);
    for (const text of numbered("question", 3)) {
        await dm.sendText(text);
    }
    await until("three answers", () => unique(ann.streamedTexts(dm.id, agent.inboxId)).length >= 3);
    same("answers", inAnyOrder(ann.streamedTexts(dm.id, agent.inboxId)), numbered("official agent: question", 3));
    same("failures of the agent", agent.failures, []);
});

// --- official with ours: DMs ----------------------------------------------------------------------

scenario("official to our agent: a DM begun by the official client, 20 each way, both streaming", async (context) => {
    const [ann] = await officials(context.after, "ann");
    const us = await ours(context, "echo-dm");
    const agent = await us.start("agent", "--echo");
    context.after(() => agent.stop());
    await ann.stream();
    const dm = await ann.dmTo(us.address);
    // The first message is waited for: the official stream can miss what arrives while it takes in a new conversation.
    const sent = numbered("ann", turns);
    await dm.sendText(sent[0]);
    await until("ann streamed our first answer", () => ann.streamedTexts(dm.id, us.inboxId).length >= 1);
    for (const text of sent.slice(1)) {
        await dm.sendText(text);
    }
    // The official stream hands out a message twice now and then (it has two paths); what is stored is compared below.
    await until("ann streamed our answers", () => unique(ann.streamedTexts(dm.id, us.inboxId)).length >= turns, 30000);
    same("our answers in order", unique(ann.streamedTexts(dm.id, us.inboxId)), sent);
    same("stream failures", ann.failures, []);
    await agent.stop();
    const views = await viewsOf(dm.id, [ann, us]);
    sameViews(views);
    same("messages in all", views.ann.messages.length, 2 * turns);
});

// One process has our inbox open at a time, so ours begins with `send` and goes on with an agent that answers "ann N"
// with "ours N+1".
scenario("ours to official: a DM begun by ours, 20 each way, both streaming", async (context) => {
    const [ann] = await officials(context.after, "ann");
    const us = await ours(context, "begin-dm");
    await ann.stream();
    const { conversation } = await us.send(ann.address, "ours 1");
    const dm = await ann.conversation(conversation);
    const agent = await us.start("agent", "--exec", `${process.execPath} ${path.join(import.meta.dirname, "count.mjs")} ${turns}`);
    context.after(() => agent.stop());
    const fromUs = () => unique(ann.streamedTexts(conversation, us.inboxId));
    for (let i = 1; i <= turns; i++) {
        await until(`ann streamed our message ${i}`, () => fromUs().length >= i);
        await dm.sendText(`ann ${i}`);
    }
    const streamed = () => agent.lines.filter((m) => m.kind === "application" && m.sender_inbox === ann.inboxId);
    await until("our agent streamed all of ann", () => streamed().length >= turns);
    same("ann's stream", fromUs(), numbered("ours", turns));
    same("our stream", streamed().map((m) => m.text), numbered("ann", turns));
    same("the address of ann", streamed()[0].sender_address?.toLowerCase(), ann.address);
    same("stream failures", ann.failures, []);
    await agent.stop();
    const views = await viewsOf(conversation, [ann, us]);
    sameViews(views);
    same("messages in all", views.ann.messages.length, 2 * turns);
});

scenario("ours follows its inbox while the official client writes", async (context) => {
    const [ann] = await officials(context.after, "ann");
    const us = await ours(context, "follows");
    const follow = await us.start("inbox", "--follow");
    context.after(() => follow.stop());
    const dm = await ann.dmTo(us.address);
    const group = await ann.group([us.address], "followed");
    for (const text of numbered("dm", turns)) {
        await dm.sendText(text);
    }
    for (const text of numbered("group", turns)) {
        await group.sendText(text);
    }
    const followed = (id) => follow.lines.filter((m) => m.kind === "application" && m.conversation === id).map((m) => m.text);
    await until("all arrived", () => followed(dm.id).length >= turns && followed(group.id).length >= turns);
    same("the DM", followed(dm.id), numbered("dm", turns));
    same("the group", followed(group.id), numbered("group", turns));
});

scenario("the official agent answers ours", async (context) => {
    const agent = await OfficialAgent.create("official agent");
    context.after(() => agent.close());
    const us = await ours(context, "asks-agent");
    for (const text of numbered("question", 3)) {
        await us.send(agent.address, text);
    }
    const answers = await until("three answers", async () => {
        const got = (await us.inbox()).filter((m) => m.kind === "application" && m.sender_inbox === agent.inboxId);
        return unique(got.map((m) => m.text)).length >= 3 && got;
    });
    same("answers", inAnyOrder(answers.map((m) => m.text)), numbered("official agent: question", 3));
    same("failures of the agent", agent.failures, []);
});

scenario("our agent with a command answers the official client in a DM and in a group", async (context) => {
    const [ann, bob] = await officials(context.after, "ann", "bob");
    const us = await ours(context, "exec");
    const answer = `${process.execPath} ${path.join(import.meta.dirname, "answer.mjs")}`;
    const agent = await us.start("agent", "--exec", answer);
    context.after(() => agent.stop());
    await ann.stream();
    const dm = await ann.dmTo(us.address);
    await dm.sendText("hello");
    await until("an answer in the DM", () => ann.streamedTexts(dm.id, us.inboxId).length >= 1);
    same("answer", ann.streamedTexts(dm.id, us.inboxId), [`${ann.address} said hello`]);
    const group = await ann.group([us.address, bob.address], "with an agent");
    await (await bob.conversation(group.id)).sendText("hello group");
    await until("an answer in the group", () => ann.streamedTexts(group.id, us.inboxId).length >= 1);
    same("answer", ann.streamedTexts(group.id, us.inboxId), [`${bob.address} said hello group`]);
});

// --- official with ours: groups --------------------------------------------------------------------

scenario("a group of three created by ours: messages, rename, add and remove from each side", async (context) => {
    const [ann, bob, cid] = await officials(context.after, "ann", "bob", "cid");
    const us = await ours(context, "group-owner");
    const [{ id }] = await us.group("create", "--name", "ours", ann.address, bob.address);
    const atAnn = await ann.conversation(id);
    const atBob = await bob.conversation(id);
    await us.send(id, "ours 1");
    await atAnn.sendText("ann 1");
    await atBob.sendText("bob 1");
    await us.send(id, "ours 2");
    let views = await viewsOf(id, [us, ann, bob]);
    sameViews(views);
    same("name", views.ann.name, "ours");
    same("members", views.ann.members, [us.inboxId, ann.inboxId, bob.inboxId].sort());
    same("messages", views.ann.messages.length, 4);

    await us.group("rename", id, "renamed by ours");
    await atAnn.sync();
    same("name after our rename", atAnn.name, "renamed by ours");
    await us.group("add", id, cid.address);
    const atCid = await cid.conversation(id);
    await atCid.sendText("cid 1");
    views = await viewsOf(id, [us, ann, bob]);
    sameViews(views);
    same("four members", views.bob.members.length, 4);
    same("what cid reads", texts(await cid.view(id)), ["cid 1"]);
    await us.group("remove", id, cid.address);
    same("cid is out", (await cid.view(id)).active, false);

    await atBob.sync();
    await atBob.updateName("renamed by bob");
    await bob.addTo(atBob, cid.address);
    await us.send(id, "ours 3");
    views = await viewsOf(id, [us, ann, bob]);
    sameViews(views);
    same("name after bob's rename", views[us.name].name, "renamed by bob");
    same("cid is back", views[us.name].members.includes(cid.inboxId), true);
    holds("nobody believes in a fork", !views.ann.forked && !views.bob.forked);
});

scenario("a group of three created by the official client with ours in it: the same from the other side", async (context) => {
    const [ann, bob, cid] = await officials(context.after, "ann", "bob", "cid");
    const us = await ours(context, "group-guest");
    const group = await ann.group([us.address, bob.address], "official");
    const id = group.id;
    const atBob = await bob.conversation(id);
    await group.sendText("ann 1");
    await us.send(id, "ours 1");
    await atBob.sendText("bob 1");
    await us.send(id, "ours 2");
    let views = await viewsOf(id, [ann, bob, us]);
    sameViews(views);
    same("messages", texts(views[us.name]), ["ann 1", "ours 1", "bob 1", "ours 2"]);

    await group.updateName("renamed by ann");
    same("our name for it", (await us.view(id)).name, "renamed by ann");
    await us.group("rename", id, "renamed by ours");
    await atBob.sync();
    same("bob's name for it", atBob.name, "renamed by ours");

    await us.group("add", id, cid.address);
    const atCid = await cid.conversation(id);
    await atCid.sendText("cid 1");
    await us.send(id, "ours 3");
    await group.sync();
    await ann.removeFrom(group, cid.address);
    await group.sendText("ann 2");
    views = await viewsOf(id, [ann, bob, us]);
    sameViews(views);
    same("cid is out", views[us.name].members.includes(cid.inboxId), false);
    same("the last message", texts(views[us.name]).at(-1), "ann 2");

    await ann.removeFrom(group, us.address);
    same("ours is out", (await us.view(id)).active, false);
    views = await viewsOf(id, [ann, bob]);
    sameViews(views);
    same("two are left", views.ann.members.length, 2);
});

scenario("a second official installation is taken into a group by ours", async (context) => {
    const [ann] = await officials(context.after, "ann");
    const us = await ours(context, "follows-installations");
    const [{ id }] = await us.group("create", "--name", "devices", ann.address);
    await ann.conversation(id);
    const second = await Official.create("ann2", { user: ann.user });
    context.after(() => second.close());
    let sent = 0;
    await until("the second installation reads ours", async () => {
        sent++;
        await us.send(id, `ours ${sent}`);
        await second.client.conversations.syncAll();
        const known = await second.client.conversations.getConversationById(id);
        return known && (await known.messages()).some((m) => m.content === `ours ${sent}`);
    }, 20000);
});

// --- browsers ----------------------------------------------------------------------------------

// Each line of the browser SDK speaks to a port of its own: gRPC-web since 5.2, the HTTP gateway before.
const browserLines = [
    { line: "newest", sdk: "@xmtp/browser-sdk", apiUrl: "http://localhost:5557", port: "gRPC-web" },
    { line: "5.1", sdk: "browser-sdk-gateway", apiUrl: "http://localhost:5555", port: "the gateway" },
];

for (const { line, sdk, apiUrl, port } of browserLines) {
    scenario(`browser SDK ${line} over ${port}: a DM, a group, streams, and a talk with ours`, async (context) => {
        const page = await Page.open({ sdk, apiUrl, folder: path.join(context.folder, `browser-${line}`), after: context.after });
        const ann = await page.create("ann");
        const bob = await page.create("bob");
        await page.call("stream", "ann");
        await page.call("stream", "bob");

        const dm = await page.call("dm", "ann", bob.address);
        for (const text of numbered("ann", 3)) {
            await page.call("send", "ann", dm, text);
        }
        await until("bob streamed ann", async () => unique(await page.call("streamed", "bob")).length >= 3);
        for (const text of numbered("bob", 3)) {
            await page.call("send", "bob", dm, text);
        }
        await until("ann streamed bob", async () => unique(await page.call("streamed", "ann")).length >= 3);
        same("bob's stream", unique(await page.call("streamed", "bob")), numbered("ann", 3));
        same("ann's stream", unique(await page.call("streamed", "ann")), numbered("bob", 3));

        const us = await ours(context, `browser-${line}`);
        const group = await page.call("group", "bob", [ann.address, us.address], "from a browser");
        await page.call("send", "bob", group, "to the group");
        await until("ann streamed the group", async () => (await page.call("streamed", "ann")).includes("to the group"));
        await us.send(group, "ours in the group");
        await us.send(ann.address, "ours to ann");
        await until("both streamed ours", async () =>
            (await page.call("streamed", "bob")).includes("ours in the group") &&
            (await page.call("streamed", "ann")).includes("ours to ann"));
        await page.call("send", "ann", await page.call("dm", "ann", us.address), "ann to ours");
        await until("ours has ann's answer", async () => (await us.inbox()).some((m) => m.text === "ann to ours"));

        for (const name of ["ann", "bob"]) {
            same(`the DM at ${name}`, await page.call("texts", name, dm), [...numbered("ann", 3), ...numbered("bob", 3)]);
            same(`the group at ${name}`, await page.call("texts", name, group), ["to the group", "ours in the group"]);
            same(`failures of ${name}`, await page.call("failures", name), []);
        }
        same("the group with us", texts(await us.view(group)), ["to the group", "ours in the group"]);
        same("errors of the page", page.errors, []);
    });
}

// --- run ---------------------------------------------------------------------------------------

const [program, ...rest] = process.argv.slice(2);
const nodeIsRunning = rest.includes("--node-running");
const names = rest.filter((argument) => !argument.startsWith("--"));
const rounds = Number(rest.find((argument) => argument.startsWith("--rounds="))?.slice(9) ?? 10); // of races
const folder = mkdtempSync(path.join(os.tmpdir(), "xmtp-interop-"));
let chain;
let node;
let tally = { passed: 0, failed: 1, skipped: 0 };
try {
    if (!nodeIsRunning) {
        chain = await Chain.start();
        node = await OurNode.start(program, path.join(folder, "node"), ["--chain-rpc", `${chainId}=${chain.url}`]);
    }
    tally = await runScenarios(names, { program, folder, node, chain, rounds }, Math.max(120000, rounds * 10000));
} catch (error) {
    console.log(`FAIL  ${error.message}`);
}
await node?.stop();
await chain?.stop();
rmSync(folder, { recursive: true, force: true });
console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
// The SDK keeps connections and workers; they end with the process.
process.exit(tally.failed === 0 && tally.passed > 0 ? 0 : 1);
