# start-node.sh - to be sourced.
#
# start_node PROGRAM FOLDER: starts `PROGRAM node` on a free port with its data in FOLDER/node and what it says in
# FOLDER/node.log; sets node_pid and, once it listens, port. Fails with the node's own words.
start_node() {
    local log=$2/node.log
    : > "$log"
    "$1" node --data "$2/node" --listen 127.0.0.1:0 > "$log" 2>&1 &
    node_pid=$!
    for _ in $(seq 300); do
        port=$(sed -n 's/.*127\.0\.0\.1:\([1-9][0-9]*\).*/\1/p' "$log" | head -n 1)
        [ -z "$port" ] || return 0
        kill -0 "$node_pid" 2> /dev/null || break
        sleep 0.1
    done
    cat "$log" >&2
    echo "the node does not start" >&2
    return 1
}
