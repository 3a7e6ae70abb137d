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
node_pid=
trap '[ -z "$node_pid" ] || kill "$node_pid" 2> /dev/null; wait; rm -rf "$folder"' EXIT
. "$root/tests/start-node.sh"
start_node "$program" "$folder"
export TMPDIR=$folder # a host without a folder keeps its databases there
status=0
"$node" "$root/build/interop/client-table.mjs" ${1:+"$1"} "http://127.0.0.1:$port" "$node_pid" "$folder" "$ours" || status=$?
exit "$status"
