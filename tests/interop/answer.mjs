// answer.mjs - a command for `xmtp agent --exec`: one message as a JSON line in, one answer out.
import readline from "node:readline";

for await (const line of readline.createInterface({ input: process.stdin })) {
    const message = JSON.parse(line);
    console.log(JSON.stringify({ text: `${message.sender_address.toLowerCase()} said ${message.text}` }));
}
