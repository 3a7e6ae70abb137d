// page.mjs - runs inside the browser: the official browser SDK behind a few functions that take and give plain data.
// "sdk" is the line of the SDK that the bundle was made for; their names differ.
import * as sdk from "sdk";

const peers = new Map();
const kind = sdk.IdentifierKind?.Ethereum ?? "Ethereum";
const identifierOf = (address) => ({ identifier: address.toLowerCase(), identifierKind: kind });
const bytesOf = (hex) => Uint8Array.from(hex.slice(2).match(/../g), (pair) => parseInt(pair, 16));
const textsOf = (messages) => messages.map((m) => m.content).filter((content) => typeof content === "string");

const send = (conversation, text) => (conversation.sendText ? conversation.sendText(text) : conversation.send(text));

async function conversationOf(name, id) {
    const { client } = peers.get(name);
    await client.conversations.syncAll();
    const conversation = await client.conversations.getConversationById(id);
    if (!conversation) {
        throw new Error(`${name} has no conversation ${id}`);
    }
    await conversation.sync();
    return conversation;
}

window.xmtp = {
    // signWith is exposed by the runner: the wallets are there.
    async create(name, address, apiUrl) {
        const signer = {
            type: "EOA",
            getIdentifier: () => identifierOf(address),
            signMessage: async (text) => bytesOf(await window.signWith(name, text)),
        };
        const client = await sdk.Client.create(signer, { env: "local", apiUrl, dbPath: null });
        peers.set(name, { client, streamed: [], failures: [] });
        return client.inboxId;
    },

    async stream(name) {
        const peer = peers.get(name);
        peer.stream = await peer.client.conversations.streamAllMessages({
            onValue: (message) => peer.streamed.push(message),
            onError: (error) => peer.failures.push(String(error)),
            onFail: () => peer.failures.push("stream failed"),
        });
    },

    streamed: (name) => textsOf(peers.get(name).streamed.filter((m) => m.senderInboxId !== peers.get(name).client.inboxId)),
    failures: (name) => peers.get(name).failures,

    async dm(name, address) {
        const all = peers.get(name).client.conversations;
        const dm = await (all.createDmWithIdentifier ?? all.newDmWithIdentifier).call(all, identifierOf(address));
        return dm.id;
    },

    async group(name, addresses, groupName) {
        const all = peers.get(name).client.conversations;
        const create = all.createGroupWithIdentifiers ?? all.newGroupWithIdentifiers;
        const group = await create.call(all, addresses.map(identifierOf), { groupName, name: groupName });
        return group.id;
    },

    async send(name, id, text) {
        await send(await conversationOf(name, id), text);
    },

    async texts(name, id) {
        return textsOf(await (await conversationOf(name, id)).messages());
    },

    async leave(name) {
        const peer = peers.get(name);
        await peer.stream?.end?.();
        await peer.client.close();
    },
};
window.isReady = true;
