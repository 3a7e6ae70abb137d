#!/usr/bin/env bash
# run.sh - packs the npm package, fetches the runtimes, and runs run.mjs. Last line: N passed, N failed, N skipped.
#
# XMTP_PROGRAM   the program that serves as node and as the other side (build/release/xmtp)
# XMTP_TARBALL   a package that is packed already
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
runtimes=$root/build/node-runtimes

stop() { echo "npm: $*" >&2; echo "0 passed, 1 failed, 0 skipped"; exit 1; }

# get FOLDER PACKAGE: the binary comes inside of the npm package, no script of it is run.
get() {
    [ ! -d "$runtimes/$1/node_modules" ] || return 0
    mkdir -p "$runtimes/$1"
    npm install --prefix "$runtimes/$1" --no-save --ignore-scripts --no-audit --no-fund --loglevel=error "$2" > /dev/null ||
        { rm -rf "${runtimes:?}/$1"; echo "npm: could not install $2" >&2; }
}

case $(uname -m) in x86_64) arch=x64 ;; aarch64) arch=arm64 ;; *) stop "no runtimes for $(uname -m)" ;; esac
program=${XMTP_PROGRAM:-$root/build/release/xmtp}
[ -x "$program" ] || stop "there is no $program"
tarball=${XMTP_TARBALL:-}
# Where the C library is newer than what the package promises, what is tested here is a package for this machine.
glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | awk '{ print $2 }')
if [ "$(printf '%s\n' "${glibc:-0}" 2.36 | sort -V | tail -n 1)" != 2.36 ]; then
    export XMTP_NPM_ANY_GLIBC=1
fi
[ -n "$tarball" ] || tarball=$("$here/../pack.sh") || stop "packing failed"
for version in 18 20 22 24; do
    get "node$version" "node-linux-$arch@$version"
done
get bun "@oven/bun-linux-$arch"
exec node "$here/run.mjs" "$tarball" "$program" "$runtimes" "$@"
