// smoke.mjs - do the official SDKs load here, native binding included? Makes a signer and an inbox id.
import { generateInboxId, IdentifierKind } from "@xmtp/node-sdk";
import { createSigner, createUser } from "@xmtp/agent-sdk/user";

const user = createUser();
const signer = createSigner(user);
const identifier = await signer.getIdentifier();
const signature = await signer.signMessage("hello");
const inboxId = generateInboxId({ identifier: identifier.identifier, identifierKind: IdentifierKind.Ethereum });
if (!/^[0-9a-f]{64}$/.test(inboxId) || signature.length !== 65) {
    throw new Error(`unexpected inbox id ${inboxId} or signature of ${signature.length} bytes`);
}
console.log(`official SDK loads on Node ${process.version}, glibc ${process.report.getReport().header.glibcVersionRuntime}`);
