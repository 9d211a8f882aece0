#!/usr/bin/env bash
# data.sh NAME: prints the path of the data set NAME (for instance handbook_transactions.csv), unpacked. Looks in
# $FLORIN_DATA (default ../shared/data beside the project) for NAME or NAME.zst; unpacks into
# $FLORIN_CACHE/data (default ~/.cache/florin/data). Exit 1, with a line on stderr, when it is not there.
set -euo pipefail
name=${1:?usage: data.sh NAME}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
data=${FLORIN_DATA:-$root/../shared/data}
if [ ! -d "$data" ] && [ -z "${FLORIN_DATA:-}" ]; then
    # A linked work tree: the data lies beside the main one.
    common=$(git -C "$root" rev-parse --path-format=absolute --git-common-dir 2>/dev/null || true)
    [ -z "$common" ] || data=$(dirname "$common")/../shared/data
fi
if [ -f "$data/$name" ]; then
    readlink -f "$data/$name"
    exit 0
fi
if [ ! -f "$data/$name.zst" ]; then
    echo "$name is not in ${FLORIN_DATA:-\$FLORIN_DATA or ../shared/data}: docs/data.md says where to get it" >&2
    exit 1
fi
cache=${FLORIN_CACHE:-$HOME/.cache/florin}/data
mkdir -p "$cache"
if [ ! -f "$cache/$name" ] || [ "$data/$name.zst" -nt "$cache/$name" ]; then
    zstd -dqf "$data/$name.zst" -o "$cache/$name.tmp-$$"
    mv -f "$cache/$name.tmp-$$" "$cache/$name"
fi
readlink -f "$cache/$name"
