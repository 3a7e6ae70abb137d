#!/usr/bin/env bash
# pack.sh - builds the native file and packs the npm package: build/npm/xmtp-VERSION.tgz.
#
# The third-party libraries come static and position independent from cmake/pic-libs.sh, so the file needs
# nothing but the C library. What that means is checked here: the libraries it asks for, the versions of
# their symbols, the symbols it gives away, the size.
#
# XMTP_NPM_ANY_GLIBC=1   packs also where the C library is newer than what the package promises
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cd "$root"

headers_version=1.9.0
glibc_max=2.36
size_max=$((6 * 1024 * 1024))

say() { printf 'pack: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

platform() {
    case $(uname -m) in
        x86_64) echo linux-x64 ;;
        aarch64) echo linux-arm64 ;;
        *) die "no npm platform for $(uname -m)" ;;
    esac
}

# Headers only: they are a package of their own, by the makers of Node.
get_headers() {
    local dir=$root/build/node-api
    headers=$dir/node_modules/node-api-headers/include
    [ ! -f "$headers/node_api.h" ] || return 0
    mkdir -p "$dir"
    npm install --prefix "$dir" --no-save --ignore-scripts --no-audit --no-fund --loglevel=error \
        "node-api-headers@$headers_version" > /dev/null || die "could not install node-api-headers"
}

build() {
    local log=build/log/npm.log
    mkdir -p build/log
    say "building the native file"
    # The place where it was built is nobody's business, and the same sources give the same file.
    if ! { cmake --preset npm -DXMTP_NODE_BINDING=ON -DXMTP_NODE_API_HEADERS="$headers" \
        -DCMAKE_C_FLAGS="-ffile-prefix-map=$root/=" &&
        ninja -C build/npm -j "$(nproc 2>/dev/null || echo 2)" xmtp_node_binding; } > "$log" 2>&1; then
        grep -E -A 12 'FAILED:|error:|Error' "$log" | head -n 60 >&2 || tail -n 40 "$log" >&2
        die "building failed (whole output: $log)"
    fi
}

check_libraries() {
    local wanted
    wanted=$(objdump -p "$1" | awk '$1 == "NEEDED" { print $2 }' |
        grep -v -x -E 'lib(c|m|dl|rt|pthread)\.so\.[0-9]+|ld-linux[-a-z0-9_]*\.so\.[0-9]+' || true)
    [ -z "$wanted" ] || die "the native file asks for more than the C library: $(echo $wanted)"
}

check_glibc() {
    local newest
    newest=$(objdump -T "$1" | grep -o 'GLIBC_2\.[0-9.]*' | sort -u -V | tail -n 1)
    newest=${newest#GLIBC_}
    say "needs glibc $newest"
    [ "$(printf '%s\n' "$newest" "$glibc_max" | sort -V | tail -n 1)" = "$glibc_max" ] ||
        [ -n "${XMTP_NPM_ANY_GLIBC:-}" ] ||
        die "that is newer than $glibc_max: build on Debian 12, or set XMTP_NPM_ANY_GLIBC for a package of your own"
}

# Nothing but the entry is given away; what is missing comes from node (napi_) or the C library (versioned).
check_symbols() {
    local given missing
    given=$(nm -D --defined-only "$1" | awk '{ print $3 }' |
        grep -v -E '^(napi_register_module_v1|node_api_module_get_api_version_v1)(@.*)?$' || true)
    [ -z "$given" ] || die "the native file gives away symbols: $(echo $given | head -c 300)"
    missing=$(nm -D --undefined-only "$1" | grep ' U ' | awk '{ print $2 }' | grep -v -E '^napi_|@GLIBC_' || true)
    [ -z "$missing" ] || die "symbols that nobody has: $(echo $missing | head -c 300)"
}

# The licences of what is linked in, as Debian has them.
copy_licenses() {
    local package file
    mkdir -p "$1"
    for package in libsodium-dev libssl-dev libsecp256k1-dev libnghttp2-dev libprotobuf-c-dev libsqlcipher-dev libzstd-dev \
        libcjson-dev zlib1g-dev; do
        file=/usr/share/doc/$package/copyright
        [ -f "$file" ] || die "the licence of $package is not at $file"
        cp -L "$file" "$1/${package%-dev}.txt"
    done
}

# The folder that is packed.
stage() {
    local native=$here/prebuilds/$(platform)/xmtp.node
    mkdir -p "$(dirname "$native")"
    strip -o "$native" build/npm/bindings/node/xmtp.node
    chmod 644 "$native"
    check_libraries "$native"
    check_symbols "$native"
    check_glibc "$native"
    rm -rf "$out/package"
    mkdir -p "$out/package"
    cp "$here"/{package.json,index.cjs,index.mjs,index.d.ts,README.md} LICENSE "$out/package/"
    cp -r "$here/prebuilds" "$out/package/prebuilds"
    copy_licenses "$out/package/licenses"
}

check_version() {
    local ours cmake
    ours=$(sed -n 's/^ *"version": "\(.*\)",/\1/p' "$here/package.json")
    cmake=$(sed -n 's/^project(xmtp VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
    [ "$ours" = "$cmake" ] || die "package.json says version $ours, CMakeLists.txt says $cmake"
}

pack() {
    local name size
    name=$(cd "$out/package" && npm pack --loglevel=error --pack-destination "$out" | tail -n 1)
    size=$(stat -c %s "$out/$name")
    [ "$size" -le "$size_max" ] || die "$name has $size bytes, more than $size_max"
    say "$name: $size bytes"
    echo "$out/$name"
}

out=$root/build/npm
check_version
bash cmake/pic-libs.sh
get_headers
build
stage
pack
