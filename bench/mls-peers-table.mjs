// mls-peers-table.mjs - the rows of a peer and ours of the same minute, side by side.
//
//     node mls-peers-table.mjs folder       holds <peer>.json and <peer>.ours.json
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

const folder = process.argv[2]
const rows = (file) => readFileSync(join(folder, file), "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line))

// Messages cost the same in every tree; a peer's are measured in a cold one.
const key = (r) => `${r.row}|${r.members}|${/protect/.test(r.row) ? "" : r.tree}`

function time(us) {
  if (us < 1000) return `${us.toPrecision(3)} µs`
  if (us < 1e6) return `${(us / 1000).toPrecision(3)} ms`
  return `${(us / 1e6).toPrecision(3)} s`
}

let slower = 0
for (const file of readdirSync(folder).filter((name) => name.endsWith(".ours.json")).sort()) {
  const ours = new Map(rows(file).map((r) => [key(r), r]))
  const theirs = rows(file.replace(".ours", ""))
  console.log(`\n| operation | N | ours, median (min) | ${theirs[0].peer}, median (min) | medians | minima |`)
  console.log("|---|---:|---:|---:|---:|---:|")
  for (const r of theirs.sort((a, b) => a.row.localeCompare(b.row) || a.members - b.members)) {
    const our = ours.get(key(r))
    if (our === undefined) continue
    const ratio = r.us / our.us
    slower += ratio < 1
    console.log(
      `| ${r.row} | ${r.members} | ${time(our.us)} (${time(our.min_us)}) | ${time(r.us)} (${time(r.min_us)}) ` +
        `| ${ratio.toFixed(1)}x | ${(r.min_us / our.min_us).toFixed(1)}x${ratio < 1 ? " SLOWER THAN THE PEER" : ""} |`,
    )
  }
}
console.log(`\n${slower} rows in which a peer is ahead`)
