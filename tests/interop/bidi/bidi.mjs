// bidi.mjs NODE-URL - an official client with XMTP_BIDI_STREAMS_ENABLED=1 streams while conversations come and go.
import { Client, IdentifierKind } from "@xmtp/node-sdk";
import { toBytes } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";

const [apiUrl] = process.argv.slice(2);
const turns = 20;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function person() {
    const account = privateKeyToAccount(generatePrivateKey());
    const identifier = { identifier: account.address.toLowerCase(), identifierKind: IdentifierKind.Ethereum };
    const signer = {
        type: "EOA",
        getIdentifier: () => identifier,
        signMessage: async (message) => toBytes(await account.signMessage({ message })),
    };
    const client = await Client.create(signer, { env: "local", apiUrl, dbPath: null, disableDeviceSync: true });
    return { client, identifier };
}

const [ann, bob, cid] = [await person(), await person(), await person()];
const seen = [];
const failures = [];
await ann.client.conversations.streamAllMessages({
    onFail: () => failures.push("the stream failed"),
    onError: (error) => failures.push(String(error)),
    onValue: (message) => typeof message.content === "string" && seen.push(message.content),
});
const sent = [];
const send = async (conversation, text) => {
    sent.push(text);
    await conversation.sendText(text);
};
const dm = await bob.client.conversations.createDmWithIdentifier(ann.identifier);
for (let i = 1; i <= turns; i++) {
    await send(dm, `dm ${i}`);
}
// A topic more on a stream that runs already.
const group = await cid.client.conversations.createGroupWithIdentifiers([ann.identifier, bob.identifier], { groupName: "late" });
for (let i = 1; i <= turns; i++) {
    await send(group, `group ${i}`);
    await send(dm, `dm again ${i}`);
}
for (let i = 0; i < 300 && seen.length < sent.length; i++) {
    await sleep(50);
}
const missing = sent.filter((text) => !seen.includes(text));
if (missing.length > 0 || seen.length !== sent.length || failures.length > 0) {
    console.error(JSON.stringify({ sent: sent.length, seen: seen.length, missing, failures }));
    process.exit(1);
}
process.exit(0);
