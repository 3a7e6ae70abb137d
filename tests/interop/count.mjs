// count.mjs LAST - a command for `xmtp agent --exec`: answers "NAME n" with "ours n+1", up to LAST.
import readline from "node:readline";

const last = Number(process.argv[2]);
for await (const line of readline.createInterface({ input: process.stdin })) {
    const next = Number(JSON.parse(line).text.split(" ").at(-1)) + 1;
    if (next <= last) {
        console.log(JSON.stringify({ text: `ours ${next}` }));
    }
}
