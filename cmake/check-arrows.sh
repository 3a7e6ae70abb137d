#!/usr/bin/env bash
# check-arrows.sh - a room includes headers only from rooms it is allowed to see (docs/ARCHITECTURE.md).
set -euo pipefail
cd "$(dirname "$0")/.."

allowed() {
    case $1 in
        base) echo "base" ;;
        crypto) echo "base crypto" ;;
        mls) echo "base crypto mls" ;;
        proto) echo "base proto" ;;
        rpc) echo "base rpc proto" ;;
        content) echo "base crypto proto content" ;;
        fetch) echo "base rpc content fetch" ;;
        identity) echo "base crypto mls proto identity" ;;
        store) echo "base crypto store" ;;
        node) echo "base crypto mls proto identity rpc fetch node" ;;
        client) echo "base crypto mls proto identity content rpc store client" ;;
        agent) echo "base crypto mls proto identity content rpc store client agent" ;;
        network) echo "base proto rpc store client agent node network" ;;
        *) echo "base crypto mls proto identity content rpc fetch store client agent node $1" ;;
    esac
}

bad=0
for room in src/*/; do
    room=$(basename "$room")
    for file in src/"$room"/*.[ch]; do
        [ -f "$file" ] || continue
        # A test may stand on more than the code it tests does.
        case $file in *_test.c) continue ;; esac
        for seen in $(sed -n 's|^#include "\([a-z]*\)/.*|\1|p' "$file" | sort -u); do
            [ -d "src/$seen" ] || continue
            case " $(allowed "$room") " in
                *" $seen "*) ;;
                *) echo "$file: room '$room' may not include from '$seen'" >&2; bad=1 ;;
            esac
        done
    done
done
exit $bad
