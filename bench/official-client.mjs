// official-client.mjs - the official SDK's side of `./dev bench client`: the same lines as bench/client.c.
// usage: official-client.mjs NODE-URL FOLDER
//
// Every client has an encrypted database file in FOLDER and a random wallet; device sync is off.
import { Client, ConsentState } from "@xmtp/node-sdk";
import { createSigner, createUser } from "@xmtp/agent-sdk/user";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const [apiUrl, folder] = process.argv.slice(2);
const everyone = [ConsentState.Allowed, ConsentState.Unknown, ConsentState.Denied];
let files = 0;
let a, b, dm, received;
const idle = [];

function open() {
    const options = {
        env: "local",
        apiUrl,
        historySyncUrl: null,
        dbPath: `${folder}/official-${process.pid}-${files++}.db`,
        dbEncryptionKey: randomBytes(32),
        disableDeviceSync: true,
    };
    return Client.create(createSigner(createUser()), options);
}

async function timed(work) {
    const start = performance.now();
    await work();
    return { ms: performance.now() - start };
}

const isText = (message) => typeof message.content === "string";

// Resolves with the moment at which the stream gives the next text.
function arrivals(stream) {
    let arrived = () => {};
    (async () => {
        for await (const message of stream) {
            if (isText(message)) {
                arrived(performance.now());
            }
        }
    })();
    return () => new Promise((resolve) => (arrived = resolve));
}

async function latency(count) {
    await b.conversations.syncAll(everyone); // what was sent before is not waited for
    const stream = await b.conversations.streamAllMessages();
    const next = arrivals(stream);
    const each = [];
    for (let i = -1; i < count; i++) {
        const arrival = next();
        const start = performance.now();
        const sent = dm.sendText(`message ${i}`);
        const arrived = await arrival;
        await sent;
        if (i >= 0) {
            each.push(arrived - start);
        }
    }
    await stream.return?.();
    each.sort((x, y) => x - y);
    return { ms: each[count >> 1], p99: each[Math.floor((count * 99) / 100)] };
}

async function sync(what) {
    const timing = await timed(() => (what === "one" ? received.sync() : b.conversations.syncAll(everyone)));
    const conversations = await b.conversations.list();
    received = conversations[0];
    const texts = conversations.length === 1 ? (await received.messages()).filter(isText).length : 0;
    return { ...timing, conversations: conversations.length, texts };
}

const verbs = {
    create: (count) => timed(async () => {
        for (let i = 0; i < count; i++) {
            await open();
        }
    }),
    pair: () => timed(async () => {
        a = await open();
        b = await open();
        dm = await a.conversations.createDm(b.inboxId);
        await dm.sendText("first");
        await b.conversations.syncAll(everyone);
    }),
    send: (count) => timed(async () => {
        for (let i = 0; i < count; i++) {
            await dm.sendText(`message ${i}`);
        }
    }),
    pipeline: (count) => timed(async () => {
        for (let i = 0; i < count; i++) {
            await dm.sendText(`message ${i}`, true);
        }
        await dm.publishMessages();
    }),
    latency: (count) => latency(Number(count)),
    group: (members) => timed(() => a.conversations.createGroup(members.split(","))),
    receiver: async () => {
        b = await open();
        return { inbox: b.inboxId };
    },
    sync,
    idle: async (count) => {
        for (let i = 0; i < count; i++) {
            const client = await open();
            idle.push(client, await client.conversations.streamAllMessages());
        }
        return { bytes: Number(readFileSync("/proc/self/statm", "utf8").split(" ")[1]) * 4096 };
    },
};

for await (const line of createInterface({ input: process.stdin })) {
    const [verb, ...rest] = line.trim().split(" ");
    console.log(JSON.stringify(await verbs[verb](...rest)));
}
process.exit(0);
