#!/usr/bin/env bash
# client.sh - `./dev bench client [--short]`: what an application waits for, and what an idle client
# costs, the official SDK and ours in one run against a node of ours.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=$root/build/release/xmtp
ours=$root/build/release/bench/bench_client

for file in "$program" "$ours"; do
    [ -x "$file" ] || { echo "bench: $file is not built" >&2; exit 1; }
done
case ${1:-} in '' | --short) ;; *) echo "usage: client.sh [--short]" >&2; exit 2 ;; esac
node=$("$root/tests/interop/setup.sh")
# On the disk, as a node's and an application's data are.
folder=$(mktemp -d "${XMTP_BENCH_DIR:-$root/build}/bench-client.XXXXXX")
"$program" node --data "$folder/node" --listen 127.0.0.1:0 > "$folder/node.log" 2>&1 &
node_pid=$!
trap 'kill "$node_pid" 2> /dev/null; wait "$node_pid" 2> /dev/null; rm -rf "$folder"' EXIT
port=
for _ in $(seq 100); do
    port=$(sed -n 's/.*127\.0\.0\.1:\([1-9][0-9]*\).*/\1/p' "$folder/node.log" | head -n 1)
    [ -z "$port" ] || break
    kill -0 "$node_pid" 2> /dev/null || { cat "$folder/node.log" >&2; exit 1; }
    sleep 0.1
done
[ -n "$port" ] || { echo "bench: the node does not start" >&2; exit 1; }
export TMPDIR=$folder # a host without a folder keeps its databases there
status=0
"$node" "$root/build/interop/client-table.mjs" ${1:+"$1"} "http://127.0.0.1:$port" "$node_pid" "$folder" "$ours" || status=$?
exit "$status"
