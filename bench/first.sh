#!/usr/bin/env bash
# first.sh - `./dev bench first`: sequential sends and sync of 500 messages, the official SDK and ours
# in one run against our node (on the port that the SDK insists on).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=$root/build/release/xmtp
ours=$root/build/release/bench/bench_first
port=5556

[ -x "$program" ] || { echo "bench: $program is not built" >&2; exit 1; }
[ -x "$ours" ] || { echo "bench: $ours is not built" >&2; exit 1; }
if (exec 3<> "/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    echo "bench: port $port is taken" >&2
    exit 1
fi
node=$("$root/tests/interop/setup.sh")

folder=$(mktemp -d)
"$program" node --data "$folder/node" --listen "127.0.0.1:$port" > "$folder/node.log" 2>&1 &
node_pid=$!
trap 'kill "$node_pid" 2>/dev/null; wait "$node_pid" 2>/dev/null; rm -rf "$folder"' EXIT
for _ in $(seq 100); do
    ! (exec 3<> "/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    kill -0 "$node_pid" 2>/dev/null || { cat "$folder/node.log" >&2; exit 1; }
    sleep 0.1
done

echo "bench: the official SDK" >&2
"$node" "$root/build/interop/official-first.mjs" > "$folder/official.json"
echo "bench: ours" >&2
"$ours" --node "http://127.0.0.1:$port" > "$folder/ours.json"
"$node" "$root/build/interop/first-table.mjs" "$folder/official.json" "$folder/ours.json"
