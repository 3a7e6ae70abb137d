// first-table.mjs - compares two results of `./dev bench first` and prints the table.
// usage: first-table.mjs OFFICIAL.json OURS.json
import { readFileSync } from "node:fs";

const [official, ours] = process.argv.slice(2).map((file) => JSON.parse(readFileSync(file, "utf8").trim().split("\n").at(-1)));

function median(values) {
    const sorted = [...values].sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const figure = (values) =>
    `${median(values).toFixed(0)} (${Math.min(...values).toFixed(0)}..${Math.max(...values).toFixed(0)})`.padEnd(24);

console.log(`medians of ${ours.send_per_s.length} (least..most), against the same node`);
console.log(`${"".padEnd(36)}${"official".padEnd(24)}${"ours".padEnd(24)}ratio`);
for (const [key, what] of [["send_per_s", "sequential sends per second"], ["sync_per_s", "messages synced per second"]]) {
    const ratio = median(ours[key]) / median(official[key]);
    console.log(`${what.padEnd(36)}${figure(official[key])}${figure(ours[key])}${ratio.toFixed(1)}`);
}
