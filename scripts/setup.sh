#!/usr/bin/env bash
# Installs what Florin needs on a fresh Debian 12 and is not there yet: Debian packages, and DuckDB's shared
# library from the npm registry (it has no Debian package), pinned and checked by hash.
#   scripts/setup.sh           what building, testing and the demo need
#   scripts/setup.sh --checks  also clang, its sanitizers and fuzzer, and clang-format
# Says what it does. Running it again does nothing that is already done.
set -euo pipefail

DUCKDB_VERSION=1.5.5
CACHE=${FLORIN_CACHE:-$HOME/.cache/florin}
DUCKDB=$CACHE/duckdb-$DUCKDB_VERSION
LIB_PACKAGE=@duckdb/node-bindings-linux-x64@1.5.5-r.5
LIB_TGZ_SHA=86d2bda909785550e8a14a57a8a4584827aff0e268d8f1a58c3fd48559f7020e
LIB_SHA=fc23f12e376c47be520f75221288281906e7942e8fd6f6ce4849198ba60d0405
HEADER_PACKAGE=duckdb@1.4.4
HEADER_TGZ_SHA=5bb967dcbcd517670ba5f169f238fb9d6787e53752c60ebe24386169d76941ed
HEADER_SHA=cbe6a827284375c5a646b8f27dbd3a00808ce8738b5bbb49c190cb1e08540281

say() { echo "setup: $*"; }
die() { echo "setup: $*" >&2; exit 1; }
matches() { [ "$(sha256sum "$1" 2>/dev/null | cut -d' ' -f1)" = "$2" ]; }

packages=(build-essential cmake ninja-build pkg-config libdnnl-dev libxgboost-dev libyaml-dev libjansson-dev
    libcmocka-dev libsqlite3-dev libmicrohttpd-dev libgnutls28-dev curl zstd util-linux ca-certificates)
if [ "${1:-}" = --checks ]; then
    packages+=(clang-14 libclang-rt-14-dev clang-format-14)
elif [ -n "${1:-}" ]; then
    die "unknown argument '$1' (only --checks is known)"
fi
have_duckdb() { matches "$DUCKDB/libduckdb.so" $LIB_SHA && matches "$DUCKDB/duckdb.h" $HEADER_SHA; }
if ! have_duckdb && ! command -v npm >/dev/null; then packages+=(nodejs npm); fi

missing=()
for p in "${packages[@]}"; do
    state=$(dpkg-query -W -f='${Status}' "$p" 2>/dev/null || true)
    [ "$state" = "install ok installed" ] || missing+=("$p")
done
if [ ${#missing[@]} -gt 0 ]; then
    sudo=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || die "these packages are missing and there is no sudo: ${missing[*]}"
        sudo=(sudo)
    fi
    say "installing Debian packages: ${missing[*]}"
    ${sudo[@]+"${sudo[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -q update >/dev/null
    ${sudo[@]+"${sudo[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends \
        "${missing[@]}" >/dev/null
else
    say "Debian packages: all there"
fi

if have_duckdb; then
    say "DuckDB $DUCKDB_VERSION: there, in $DUCKDB"
    exit 0
fi
[ "$(uname -m)" = x86_64 ] || die "libduckdb for $(uname -m) is not pinned here: put libduckdb.so and duckdb.h $DUCKDB_VERSION in $DUCKDB"
mkdir -p "$CACHE"
work=$(mktemp -d "$CACHE/setup-XXXXXX")
trap 'rm -rf "$work"' EXIT

# fetch PACKAGE SHA MEMBER OUT: one file out of one pinned npm package.
fetch() {
    local tgz
    say "fetching $1 from the npm registry"
    tgz=$(cd "$work" && npm pack --loglevel=error "$1") || die "npm pack $1 failed"
    tgz=$work/${tgz##*$'\n'}
    matches "$tgz" "$2" || die "$1: its SHA-256 is $(sha256sum "$tgz" | cut -d' ' -f1), not the pinned $2"
    tar -xzf "$tgz" -C "$work" --wildcards --no-anchored "$3"
    find "$work" -name "$(basename "$3")" -type f | head -1 | xargs -I{} mv {} "$work/$4"
}
fetch $LIB_PACKAGE $LIB_TGZ_SHA libduckdb.so libduckdb.so
fetch $HEADER_PACKAGE $HEADER_TGZ_SHA 'src/duckdb/src/include/duckdb.h' duckdb.h
matches "$work/libduckdb.so" $LIB_SHA || die "libduckdb.so differs from the pinned hash"
matches "$work/duckdb.h" $HEADER_SHA || die "duckdb.h differs from the pinned hash"
mkdir -p "$DUCKDB"
mv -f "$work/libduckdb.so" "$work/duckdb.h" "$DUCKDB/"
say "DuckDB $DUCKDB_VERSION: now in $DUCKDB"
