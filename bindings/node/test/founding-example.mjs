// The example of the README, with the handler defined first; the node's address comes from the environment.
import { XMTP } from "xmtp";

const onMessage = async (message, user) => {
  console.log(`Decoded message: ${message.content.text} by ${user.address}`);
  await xmtp.send({ message: "hello", originalMessage: message });
};

const xmtp = new XMTP(onMessage, {
  encryptionKey: process.env.WALLET_PRIVATE_KEY,
  node: process.env.XMTP_NODE,
});
await xmtp.init();
console.log(`ready ${xmtp.address}`);
