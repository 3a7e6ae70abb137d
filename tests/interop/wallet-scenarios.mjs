// wallet-scenarios.mjs - inboxes of contract wallets: the official SDK signs, our node asks the chain, our client believes it.
import { createHash } from "node:crypto";
import { Client, IdentifierKind } from "@xmtp/node-sdk";
import { chainId } from "./chain.mjs";
import { holds, same, scenario, until } from "./check.mjs";
import { Official } from "./official.mjs";
import { ours, texts } from "./people.mjs";

// Signs each text in its own way, so that no signature is used twice; first: 1 is what the contract accepts.
const signerOf = (wallet, first = 1) => ({
    type: "SCW",
    getIdentifier: () => ({ identifier: wallet.address, identifierKind: IdentifierKind.Ethereum }),
    signMessage: (text) => {
        const hash = createHash("sha256").update(text).digest("hex");
        return new Uint8Array(Buffer.from(wallet.wrap(`0${first}${hash}`), "hex"));
    },
    getChainId: () => BigInt(chainId),
});

async function official(after, name, wallet, first) {
    const client = await Client.create(signerOf(wallet, first), { env: "local", dbPath: null });
    const peer = new Official(name, { account: { address: wallet.address } }, client);
    after(() => peer.close());
    return peer;
}

async function talks(peer, context, name) {
    const us = await ours(context, name);
    const dm = await peer.dmTo(us.address);
    await dm.sendText("from the contract");
    await until("ours has the message", async () => (await us.inbox()).some((m) => m.text === "from the contract"));
    await us.send(peer.address, "to the contract");
    await until("the contract's client has the answer", async () => {
        await peer.client.conversations.syncAll();
        return (await dm.messages()).some((m) => m.content === "to the contract");
    });
    same("at ours", texts(await us.view(dm.id)), ["from the contract", "to the contract"]);
}

scenario("official and ours: a contract wallet (ERC-1271) has an inbox and talks", async (context) => {
    const { after, chain } = context;
    holds("this needs a node that the runner started", chain);
    const peer = await official(after, "contract", await chain.wallet(1));
    await talks(peer, context, "contract-friend");
});

scenario("official and ours: a contract wallet that is not deployed yet (ERC-6492) has an inbox and talks", async (context) => {
    const { after, chain } = context;
    holds("this needs a node that the runner started", chain);
    const peer = await official(after, "future contract", await chain.futureWallet(2));
    await talks(peer, context, "future-friend");
});

scenario("a contract that says no gets no inbox, and one whose chain is down gets it when the chain is back", async (context) => {
    const { after, chain } = context;
    holds("this needs a node that the runner started", chain);
    let refusal;
    await official(after, "refused", await chain.wallet(3), 2).catch((error) => (refusal = error));
    holds("the contract's no is a no", refusal);
    const wallet = await chain.wallet(4);
    await chain.stop();
    let trouble;
    await official(after, "too early", wallet).catch((error) => (trouble = error));
    holds("without the chain there is no inbox", trouble);
    await chain.listen(chain.port);
    const peer = await official(after, "in time", wallet);
    holds("with the chain there is", peer.inboxId);
});
