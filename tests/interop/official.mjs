// official.mjs - the official SDKs as peers. Everything here goes through their public interface only.
import { Client, ConsentState, GroupMessageKind, IdentifierKind, SortDirection } from "@xmtp/node-sdk";
import { Agent } from "@xmtp/agent-sdk";
import { createSigner, createUser } from "@xmtp/agent-sdk/user";
import { until } from "./check.mjs";

// The SDK reaches a local network at this address only; part of it ignores any other setting.
export const nodeUrl = "http://localhost:5556";

const identifierOf = (address) => ({ identifier: address.toLowerCase(), identifierKind: IdentifierKind.Ethereum });

const plain = (message) => ({
    id: message.id,
    conversation: message.conversationId,
    kind: message.kind === GroupMessageKind.Application ? "application" : "change",
    sender_inbox: message.senderInboxId,
    type: message.contentType?.typeId,
    text: typeof message.content === "string" ? message.content : message.content?.content,
    change: message.contentType?.typeId === "group_updated" ? message.content : undefined,
    sent_ns: message.sentAtNs,
});

// One official installation with a wallet of its own, its database in memory.
export class Official {
    static async create(name, options = {}) {
        const user = options.user ?? createUser();
        const client = await Client.create(createSigner(user), { env: "local", dbPath: null, ...options.client });
        return new Official(name, user, client);
    }

    constructor(name, user, client) {
        this.name = name;
        this.user = user;
        this.client = client;
        this.address = user.account.address.toLowerCase();
        this.inboxId = client.inboxId;
        this.streamed = [];
        this.failures = [];
    }

    // Collects every message of every conversation into `streamed` from now on.
    async stream() {
        this.streaming = await this.client.conversations.streamAllMessages({
            retryDelay: 500,
            onFail: () => this.failures.push("stream failed"),
            onError: (error) => this.failures.push(String(error)),
            onValue: (message) => this.streamed.push(plain(message)),
        });
    }

    streamedTexts(conversation, sender) {
        return this.streamed
            .filter((m) => m.kind === "application" && m.conversation === conversation && (!sender || m.sender_inbox === sender))
            .map((m) => m.text);
    }

    dmTo(address) {
        return this.client.conversations.createDmWithIdentifier(identifierOf(address));
    }

    group(addresses, name) {
        return this.client.conversations.createGroupWithIdentifiers(addresses.map(identifierOf), { groupName: name });
    }

    addTo(group, address) {
        return group.addMembersByIdentifiers([identifierOf(address)]);
    }

    removeFrom(group, address) {
        return group.removeMembersByIdentifiers([identifierOf(address)]);
    }

    // The conversation, once its welcome has arrived and it has been brought up to date.
    conversation(id) {
        return until(`${this.name} has conversation ${id}`, async () => {
            await this.client.conversations.syncAll([ConsentState.Allowed, ConsentState.Unknown, ConsentState.Denied]);
            return this.client.conversations.getConversationById(id);
        });
    }

    async view(id) {
        const conversation = await this.conversation(id);
        const messages = (await conversation.messages({ direction: SortDirection.Ascending })).map(plain);
        const members = await conversation.members();
        return {
            epoch: Number((await conversation.debugInfo()).epoch),
            forked: (await conversation.debugInfo()).maybeForked,
            active: conversation.isActive,
            name: conversation.name,
            members: members.map((m) => m.inboxId).sort(),
            messages: messages.filter((m) => m.kind === "application"),
            changes: messages.filter((m) => m.kind === "change"),
        };
    }

    async close() {
        await this.streaming?.end();
    }
}

// The official agent, answering every text with a prefix and the text.
export class OfficialAgent {
    static async create(name) {
        const user = createUser();
        const agent = await Agent.create(createSigner(user), { env: "local", dbPath: null });
        const self = new OfficialAgent(name, user, agent);
        agent.on("text", async (ctx) => {
            self.received.push(ctx.message.content);
            await ctx.conversation.sendText(`${name}: ${ctx.message.content}`);
        });
        agent.on("unhandledError", (error) => self.failures.push(String(error)));
        await agent.start();
        return self;
    }

    constructor(name, user, agent) {
        this.name = name;
        this.agent = agent;
        this.address = user.account.address.toLowerCase();
        this.inboxId = agent.client.inboxId;
        this.received = [];
        this.failures = [];
    }

    close() {
        return this.agent.stop();
    }
}
