#!/usr/bin/env bash
# outside.sh LIBRARY HEADER... - what a stranger sees of libxmtp.so: its size, what it asks for, what it gives away.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
library=$1
shift
headers=("$@")
size_max=1500000
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0

fail() { echo "library: $*" >&2; failed=1; }

entries() { objdump -p "$library" | awk -v key="$1" '$1 == key { print $2 }' | sort; }

# The declarations of its headers, one a line.
declarations() {
    printf '#include "%s"\n' "${headers[@]}" | cc -std=c17 -E -P -I "$root/include" -x c - | tr '\n' ' ' | tr ';' '\n'
}

# The functions among them that are marked with XMTP_API.
declared() {
    declarations | grep 'visibility("default")' |
        sed 's/__attribute__ *((\([^()]*\|([^()]*)\)*))//g; s/(.*//; s/.*[ *]//' | sort
}

strip -o "$folder/stripped" "$library"
size=$(stat -c %s "$folder/stripped")
echo "library: $size bytes stripped, at most $size_max"
[ "$size" -le "$size_max" ] || fail "$size bytes stripped, more than $size_max"

[ "$(entries SONAME)" = libxmtp.so.0 ] || fail "SONAME is '$(entries SONAME)'"

# The C library and those of Debian that docs/ARCHITECTURE.md names.
strangers=$(entries NEEDED | grep -v -x -E \
    'lib(c|m|pthread|dl)\.so\.[0-9]+|ld-linux[-a-z0-9_]*\.so\.[0-9]+|lib(ssl|crypto|sodium|secp256k1|nghttp2|protobuf-c|sqlcipher|cjson|z|zstd)\.so\.[0-9]+' || true)
[ -z "$strangers" ] || fail "asks for more than it may: $(echo $strangers)"

unmarked=$(declarations | grep -v -e 'visibility("default")' -e typedef -e '(\*' | grep -o 'xmtp_[a-z0-9_]* *(.*' || true)
[ -z "$unmarked" ] || fail "public functions without XMTP_API: $unmarked"

declared > "$folder/declared"
nm -D --defined-only "$library" | awk '{ print $3 }' | sort > "$folder/given"
echo "library: $(wc -l < "$folder/given") symbols"
[ "$(wc -l < "$folder/declared")" -gt 100 ] || fail "the headers declare only $(wc -l < "$folder/declared") functions"
others=$(grep -v '^xmtp_' "$folder/given" || true)
[ -z "$others" ] || fail "gives away what is not its own: $(echo $others | head -c 300)"
diff "$folder/declared" "$folder/given" > "$folder/difference" ||
    { fail "declared (<) and given away (>) differ:"; cat "$folder/difference" >&2; }

missing=$(ldd -r "$library" 2>&1 | grep -E 'undefined symbol|not found' || true)
[ -z "$missing" ] || fail "symbols that nobody has: $missing"
exit $failed
