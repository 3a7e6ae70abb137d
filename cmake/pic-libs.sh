#!/usr/bin/env bash
# pic-libs.sh - the third-party libraries as static, position-independent archives.
#
# Debian's own static libraries are not position independent, so a shared object that must stand alone
# (the npm package) cannot take them. This builds them from Debian's source packages into
# build/pic/{include,lib}, with pkg-config files, so that the ordinary CMake build finds them when
# PKG_CONFIG_LIBDIR names build/pic/lib/pkgconfig.
#
# libsodium, libsecp256k1 (recovery and ECDH modules), nghttp2 (library only), protobuf-c (run time only), zlib (inflating
# only), cJSON,
# zstd, SQLCipher (over OpenSSL). The archives of libssl-dev are position independent already and are copied; where
# they want zlib and zstd (Debian 13), those are put into the copy. One stamp per library: a second run does nothing.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/cmake/debian.sh"

out=$root/build/pic
work=$out/work
flags="-O2 -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections -D_FORTIFY_SOURCE=2 -fstack-protector-strong"
codename=$(debian_codename)
neighbours=$(case $codename in bookworm) echo trixie ;; *) echo bookworm-backports bookworm ;; esac)
jobs=$(nproc 2>/dev/null || echo 2)

say() { printf 'pic-libs: %s\n' "$*" >&2; }

# source_package PACKAGE SUITE...: unpacks a Debian source package with its patches and prints the folder.
# `own` is whatever the machine follows. An archive may lack one file, so the neighbouring releases follow.
source_package() {
    local package=$1 suite
    shift
    for suite in "$@"; do
        if open_suite "$suite" && unpack "$package" "$suite"; then
            find "$work/$package" -mindepth 1 -maxdepth 1 -type d
            return 0
        fi
        say "no source of $package in suite $suite, trying the next"
    done
    return 1
}

open_suite() {
    local suite=$1 apt=$work/apt-$1 entries
    [ ! -f "$apt/ready" ] || return 0
    [ "$suite" != own ] || suite=""
    mapfile -t entries < <(debian_entries deb-src "$suite")
    debian_apt_open "$apt" "${entries[@]}" >> "$out/log" 2>&1 || return 1
    touch "$apt/ready"
}

unpack() {
    rm -rf "${work:?}/$1"
    mkdir -p "$work/$1"
    (cd "$work/$1" && debian_apt "$work/apt-$2" apt-get -qq source "$1" >> "$out/log" 2>&1)
}

# pc NAME VERSION CFLAGS LIBS: a pkg-config file
pc() {
    printf 'Name: %s\nDescription: %s, static and position independent\nVersion: %s\nCflags: %s\nLibs: %s\n' \
        "$1" "$1" "$2" "-I$out/include $3" "-L$out/lib $4" > "$out/lib/pkgconfig/$1.pc"
}

# archive LIB SOURCE-FLAGS FILE...: compiles files and puts them into lib/LIB.a
archive() {
    local name=$1 options=$2 file objects=()
    shift 2
    for file in "$@"; do
        cc $flags $options -c "$file" -o "${file%.c}.pic.o"
        objects+=("${file%.c}.pic.o")
    done
    rm -f "$out/lib/$name.a"
    ar rcs "$out/lib/$name.a" "${objects[@]}"
}

version_of() { basename "$1" | sed 's/.*-//'; }

build_libsodium() {
    local dir
    dir=$(source_package libsodium own $neighbours)
    (cd "$dir" && { [ -x configure ] || autoreconf -i; } && ./configure --disable-shared --enable-static --with-pic --disable-dependency-tracking \
        --prefix="$work/sodium" CFLAGS="$flags" && make -j "$jobs" && make install) >> "$out/log" 2>&1
    cp -r "$work/sodium/include/." "$out/include/"
    cp "$work/sodium/lib/libsodium.a" "$out/lib/"
    pc libsodium "$(version_of "$dir")" "" "-lsodium"
}

build_libsecp256k1() {
    local dir
    dir=$(source_package libsecp256k1 own $neighbours)
    archive libsecp256k1 "-I$dir -I$dir/include -I$dir/src -DECMULT_WINDOW_SIZE=15 -DENABLE_MODULE_RECOVERY=1 -DENABLE_MODULE_ECDH=1 -w" \
        "$dir/src/secp256k1.c" "$dir/src/precomputed_ecmult.c" "$dir/src/precomputed_ecmult_gen.c"
    cp "$dir"/include/*.h "$out/include/"
    pc libsecp256k1 "$(version_of "$dir")" "" "-lsecp256k1"
}

build_nghttp2() {
    local dir
    dir=$(source_package nghttp2 own $neighbours)
    # The names of these options changed between versions; each version ignores the other's.
    (cmake -S "$dir" -B "$dir/pic" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS="$flags" -DENABLE_LIB_ONLY=ON \
        -DENABLE_STATIC_LIB=ON -DENABLE_SHARED_LIB=OFF -DBUILD_STATIC_LIBS=ON -DBUILD_SHARED_LIBS=OFF -DBUILD_TESTING=OFF \
        -DENABLE_DOC=OFF -DCMAKE_INSTALL_PREFIX="$work/nghttp2-out" -DCMAKE_INSTALL_LIBDIR=lib \
        && ninja -C "$dir/pic" -j "$jobs" install) >> "$out/log" 2>&1
    cp -r "$work/nghttp2-out/include/." "$out/include/"
    cp "$(find "$work/nghttp2-out/lib" "$dir/pic" -name 'libnghttp2*.a' | head -n 1)" "$out/lib/libnghttp2.a"
    pc libnghttp2 "$(version_of "$dir")" "-DNGHTTP2_STATICLIB" "-lnghttp2"
}

build_protobuf_c() {
    local dir
    dir=$(source_package protobuf-c own $neighbours)
    archive libprotobuf-c "-I$dir" "$dir/protobuf-c/protobuf-c.c"
    mkdir -p "$out/include/protobuf-c"
    cp "$dir/protobuf-c/protobuf-c.h" "$out/include/protobuf-c/"
    pc libprotobuf-c "$(version_of "$dir")" "" "-lprotobuf-c"
}

build_sqlcipher() {
    local dir version first=own
    # Version 4 is not in Debian 12 itself.
    [ "$codename" != bookworm ] || first=bookworm-backports
    dir=$(source_package sqlcipher $first $neighbours)
    (cd "$dir" && ./configure --disable-shared --disable-tcl --enable-tempstore=yes LDFLAGS=-lcrypto \
        CFLAGS="-DSQLITE_HAS_CODEC" && make -j "$jobs" sqlite3.c) >> "$out/log" 2>&1
    version=$(sed -n 's/^#define SQLITE_VERSION  *"\(.*\)"/\1/p' "$dir/sqlite3.h")
    local options="-DSQLITE_HAS_CODEC -DSQLCIPHER_CRYPTO_OPENSSL -DSQLITE_TEMP_STORE=2 -DSQLITE_THREADSAFE=1 -DNDEBUG
        -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_ENABLE_COLUMN_METADATA -DSQLITE_USE_URI=0 -DHAVE_USLEEP=1 -w"
    # From 4.7 on the codec is hooked in by name.
    if grep -q sqlcipher_extra_init "$dir/sqlite3.c"; then
        options="$options -DSQLITE_EXTRA_INIT=sqlcipher_extra_init -DSQLITE_EXTRA_SHUTDOWN=sqlcipher_extra_shutdown"
    fi
    archive libsqlcipher "$(echo $options)" "$dir/sqlite3.c"
    mkdir -p "$out/include/sqlcipher"
    cp "$dir/sqlite3.h" "$out/include/sqlcipher/"
    pc sqlcipher "$version" "-I$out/include/sqlcipher -DSQLITE_HAS_CODEC" "-lsqlcipher -lcrypto"
}

build_zlib() {
    local dir
    dir=$(source_package zlib own $neighbours)
    archive libz "-I$dir -DHAVE_UNISTD_H -D_LARGEFILE64_SOURCE=1 -w" "$dir"/{adler32,crc32,inffast,inflate,inftrees,zutil}.c
    cp "$dir/zlib.h" "$dir/zconf.h" "$out/include/"
    pc zlib "$(version_of "$dir")" "" "-lz"
}

# Compiles all of zstd but its legacy formats into lib/NAME.a.
archive_zstd() {
    archive "$1" "-I$2/lib -DZSTD_DISABLE_ASM=1 -DXXH_NAMESPACE=ZSTD_ -w" "$2"/lib/{common,compress,decompress}/*.c
}

build_zstd() {
    local dir
    dir=$(source_package libzstd own $neighbours)
    archive_zstd libzstd "$dir"
    cp "$dir"/lib/{zstd,zstd_errors}.h "$out/include/"
    pc libzstd "$(version_of "$dir")" "" "-lzstd"
}

build_cjson() {
    local dir
    dir=$(source_package cjson own $neighbours)
    archive libcjson "-I$dir -w" "$dir/cJSON.c"
    mkdir -p "$out/include/cjson"
    cp "$dir/cJSON.h" "$out/include/cjson/"
    pc libcjson "$(version_of "$dir")" "-I$out/include/cjson" "-lcjson"
}

# libcrypto.a and libssl.a, complete: nothing but the C library is wanted from outside.
build_openssl() {
    local libs wanted="" dir
    libs=$(dirname "$(cc -print-file-name=libcrypto.a)")
    cp "$libs/libssl.a" "$libs/libcrypto.a" "$out/lib/"
    wanted=$(nm --undefined-only "$out/lib/libcrypto.a" 2>/dev/null)
    if grep -q ' deflateInit' <<< "$wanted"; then
        dir=$(source_package zlib own $neighbours)
        archive zlib-parts "-I$dir -DHAVE_UNISTD_H -D_LARGEFILE64_SOURCE=1 -w" "$dir"/{adler32,compress,crc32,deflate,inffast,inflate,inftrees,trees,uncompr,zutil}.c
        join_crypto zlib-parts
    fi
    if grep -q ' ZSTD_' <<< "$wanted"; then
        dir=$(source_package libzstd own $neighbours)
        archive_zstd zstd-parts "$dir"
        join_crypto zstd-parts
    fi
}

# join_crypto LIB: moves the objects of lib/LIB.a into libcrypto.a.
join_crypto() {
    (cd "$out/lib" && printf 'create joined.a\naddlib libcrypto.a\naddlib %s.a\nsave\nend\n' "$1" | ar -M \
        && mv joined.a libcrypto.a && rm "$1.a")
}

mkdir -p "$out/include" "$out/lib/pkgconfig" "$work"
if [ $# = 1 ]; then
    "build_$1"
    exit 0
fi
stamp=$(sha256sum "${BASH_SOURCE[0]}" | cut -c 1-16)-$codename
for library in libsodium libsecp256k1 nghttp2 protobuf_c zlib zstd cjson sqlcipher openssl; do
    [ "$(cat "$out/.$library" 2>/dev/null)" != "$stamp" ] || continue
    say "building $library"
    : > "$out/log"
    # A process of its own, so that `set -e` holds inside although the failure is caught here.
    if ! "$BASH" "${BASH_SOURCE[0]}" "$library"; then
        say "building $library failed; last lines of build/pic/log:"
        tail -n 30 "$out/log" >&2
        exit 1
    fi
    echo "$stamp" > "$out/.$library"
done
rm -rf "$work"
