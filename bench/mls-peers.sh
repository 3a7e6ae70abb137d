#!/usr/bin/env bash
# mls-peers.sh - `./dev bench mls-peers`: our MLS beside ts-mls and OpenMLS (Wire's core-crypto), from npm.
#
# Each peer's run is followed by ours, so that both see the same machine. XMTP_BENCH_MEMBERS chooses
# the group sizes (2,10,100). A peer that cannot be installed or started here is named and left out.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
home=$root/build/bench
ours=$root/build/release/bench/bench_mls
sizes=${XMTP_BENCH_MEMBERS:-2,10,100}

say() { printf 'bench: %s\n' "$*" >&2; }

[ -x "$ours" ] || { say "$ours is not built"; exit 1; }
# core-crypto's library wants a newer C library than Debian 12 has, as the official SDK does.
node=$("$root/tests/interop/setup.sh")

mkdir -p "$home"
cp "$root/bench/mls-package.json" "$home/package.json"
if ! cmp -s "$root/bench/mls-package-lock.json" "$home/installed-lock.json"; then
    say "installing the peers from npm"
    cp "$root/bench/mls-package-lock.json" "$home/package-lock.json"
    (cd "$home" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >&2
    cp "$root/bench/mls-package-lock.json" "$home/installed-lock.json"
fi
cp "$root"/bench/mls-*.mjs "$home/"

rows=$(mktemp -d)
trap 'rm -rf "$rows"' EXIT
for peer in core-crypto ts-mls-2 ts-mls-1; do
    if ! "$node" "$home/mls-peers.mjs" "$peer" "$sizes" > "$rows/$peer.json"; then
        say "$peer does not run here"
        rm -f "$rows/$peer.json"
        continue
    fi
    "$ours" --json --members "$sizes" --seconds-per-row 0.2 > "$rows/$peer.ours.json"
done
"$node" "$home/mls-peers-table.mjs" "$rows"
