#!/usr/bin/env bash
# installed.sh BUILD - installs into an empty folder, builds a program against that alone, and runs it
# beside the installed node.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$1
folder=$(mktemp -d)
node_pid=
finish() {
    [ -z "$node_pid" ] || { kill "$node_pid" && wait "$node_pid"; } 2> /dev/null || true
    rm -rf "$folder"
}
trap finish EXIT
prefix=$folder/prefix

cmake --install "$build" --prefix "$prefix" > "$folder/log" || { cat "$folder/log" >&2; exit 1; }
for header in node attachment; do
    [ ! -e "$prefix/include/xmtp/$header.h" ] || { echo "$header.h is installed, what it declares is not" >&2; exit 1; }
done
export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name xmtp.pc)")

# Headers stand alone, each by itself, also in C++ where there is a compiler for it.
for header in "$prefix"/include/xmtp/*.h; do
    echo "#include <xmtp/${header##*/}>" > "$folder/one.c"
    cc -std=c17 -Wall -Wextra -Werror -fsyntax-only $(pkg-config --cflags xmtp) "$folder/one.c"
    ! command -v c++ > /dev/null ||
        c++ -Wall -Wextra -Werror -fsyntax-only -x c++ $(pkg-config --cflags xmtp) "$folder/one.c"
done

cc -std=c17 -Wall -Wextra -Werror "$root/examples/first_message.c" -o "$folder/first_message" \
    $(pkg-config --cflags --libs xmtp) -Wl,-rpath,"$(pkg-config --variable=libdir xmtp)"

. "$root/tests/start-node.sh"
start_node "$prefix/bin/xmtp" "$folder"
"$folder/first_message" "http://127.0.0.1:$port" > "$folder/said"
diff "$folder/said" - << 'END'
bob reads: hello
alice reads: hello
alice reads: hello yourself
END

# A test of somebody's agent, on the network that is a library of its own.
cc -std=c17 -Wall -Wextra -Werror "$root/examples/network_test.c" -o "$folder/network_test" \
    $(pkg-config --cflags --libs xmtp-network) -Wl,-rpath,"$(pkg-config --variable=libdir xmtp)"
"$folder/network_test" > "$folder/network_said"
grep -q '20 orders, each answered once' "$folder/network_said"
library=$(find "$prefix" -name libxmtp-network.so)
given=$(nm -D --defined-only "$library" | awk '{ print $3 }' | grep -v '^xmtp_network_' || true)
[ -z "$given" ] || { echo "libxmtp-network.so gives away what is not its own: $given" >&2; exit 1; }
