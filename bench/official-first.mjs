// official-first.mjs - the official SDK's side of `./dev bench first`.
//
// Sends 500 texts one after the other in a DM, then lets the other side fetch and decrypt them; five
// times with fresh clients, databases in memory, device sync off. Prints one JSON line with all figures.
// The node is the one on localhost:5556.
import { Client, IdentifierKind } from "@xmtp/node-sdk";
import { createSigner, createUser } from "@xmtp/agent-sdk/user";

const texts = Number(process.env.BENCH_TEXTS ?? 500);
const rounds = Number(process.env.BENCH_ROUNDS ?? 5);

async function client() {
    const user = createUser();
    const options = { env: "local", dbPath: null, disableDeviceSync: true };
    const made = await Client.create(createSigner(user), options);
    return { made, identifier: { identifier: user.account.address.toLowerCase(), identifierKind: IdentifierKind.Ethereum } };
}

const perSecond = (started) => texts / ((performance.now() - started) / 1000);

const result = { send_per_s: [], sync_per_s: [] };
for (let round = 0; round < rounds; round++) {
    const sender = await client();
    const receiver = await client();
    const dm = await sender.made.conversations.createDmWithIdentifier(receiver.identifier);
    await dm.sendText("first");
    // The welcome and the first message are behind us; what follows is messages only.
    await receiver.made.conversations.syncAll();
    const other = await receiver.made.conversations.getConversationById(dm.id);

    let started = performance.now();
    for (let i = 0; i < texts; i++) {
        await dm.sendText(`message ${i}`);
    }
    result.send_per_s.push(perSecond(started));

    started = performance.now();
    await other.sync();
    result.sync_per_s.push(perSecond(started));
    const seen = (await other.messages()).filter((m) => typeof m.content === "string").length;
    if (seen !== texts + 1) {
        throw new Error(`${seen} messages arrived, ${texts + 1} expected`);
    }
}
console.log(JSON.stringify(result));
process.exit(0);
