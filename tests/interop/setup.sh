#!/usr/bin/env bash
# setup.sh - puts the unmodified official SDKs into build/interop and prints the node program that runs them.
#
# Their native binding wants glibc 2.38. Where the machine's is older, a copy of Node gets the C
# library of the next Debian release as loader and library folder; nothing installed is touched.
# Done once: a stamp over the lock file and the C library's version makes later runs immediate.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$root/cmake/debian.sh"

here=$root/tests/interop
home=$root/build/interop
libc_needed=2.38

say() { printf 'interop: %s\n' "$*" >&2; }

libc_version() { getconf GNU_LIBC_VERSION | awk '{ print $2 }'; }

libc_is_old() { [ "$(printf '%s\n%s\n' "$(libc_version)" "$libc_needed" | sort -V | head -n 1)" != "$libc_needed" ]; }

stamp() { { cat "$here/package-lock.json" "$here/setup.sh"; libc_version; } | sha256sum | cut -d ' ' -f 1; }

install_packages() {
    say "installing the official SDKs from npm"
    cp "$here/package.json" "$here/package-lock.json" "$home/"
    (cd "$home" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >&2
    # The binding ships every platform; 800 MB of them are not ours.
    find "$home/node_modules/@xmtp/node-bindings" -name '*.node' ! -name "*linux-$(node -p process.arch)-gnu*" -delete
}

# The newer C library, beside the system's.
fetch_libc() {
    local next dir package
    next=$(debian_next_codename "$(debian_codename)") || { say "glibc is older than $libc_needed and this is no Debian 12"; return 1; }
    say "fetching the C library of Debian $next"
    dir=$(mktemp -d)
    debian_apt_open "$dir" "$(debian_entries deb "$next")" >&2
    (cd "$dir" && debian_apt "$dir" apt-get -qq download "libc6/$next" "libstdc++6/$next" "libgcc-s1/$next") >&2
    for package in "$dir"/*.deb; do
        dpkg -x "$package" "$home/libc"
    done
    rm -rf "$dir"
}

node_with_new_libc() {
    local libraries loader
    libraries=$(dirname "$(find "$home/libc" -name 'libc.so.6' | head -n 1)")
    loader=$(find "$home/libc" -name 'ld-linux-*.so.*' | head -n 1)
    patchelf --set-interpreter "$loader" --force-rpath --set-rpath "$libraries" "$home/node"
}

mkdir -p "$home"
if [ "$(cat "$home/stamp" 2>/dev/null)" != "$(stamp)" ] || [ ! -x "$home/node" ]; then
    rm -rf "$home/node_modules" "$home/libc" "$home/node" "$home/stamp"
    install_packages
    cp "$home"/node_modules/node-linux-*/bin/node "$home/node"
    if libc_is_old; then
        fetch_libc
        node_with_new_libc
    fi
    cp "$here"/*.mjs "$home/"
    "$home/node" "$home/smoke.mjs" >&2
    stamp > "$home/stamp"
fi
# Scripts run from where the packages are, since that is where imports are looked up.
cp "$here"/*.mjs "$root"/bench/*.mjs "$home/" 2>/dev/null || true
printf '%s\n' "$home/node"
