#!/usr/bin/env bash
# How many instructions the hot paths take, counted by valgrind's callgrind on the small fixed runs of
# tests/tools/hot_paths.c. Time is noisy, this is not: a rise of more than 3 % over tests/instructions.txt fails.
#   scripts/instructions.sh [--update] [BUILD]     --update: write the counts down as they are now
# Counted are this project's own instructions: libraries (oneDNN, DuckDB, libc) have others on other machines. Valgrind
# has no AVX-512, so the tiers are ref and avx2. Exit 77: can't be compared here, the last line says why.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
kept=$root/tests/instructions.txt
update=false
if [ "${1:-}" = --update ]; then
    update=true
    shift
fi
build=${1:-$root/build}
program=$build/tests/hot_paths
most=3 # percent
skip() {
    echo "instructions: $*"
    exit 77
}
command -v valgrind >/dev/null || skip "valgrind is not installed: scripts/setup.sh --checks"
[ -x "$program" ] || skip "$program is missing: make build"
cache() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }
[ -z "$(cache FLORIN_SANITIZE)" ] || skip "a build with sanitizers counts theirs too"
compiler() { sed -n "s/^set(CMAKE_C_COMPILER_$1 \"\(.*\)\")/\1/p" "$build"/CMakeFiles/*/CMakeCCompiler.cmake; }
type=$(cache CMAKE_BUILD_TYPE)
made="$(compiler ID) $(compiler VERSION), ${type:-Release}"
if ! $update && [ "$(sed -n 's/^# made by: //p' "$kept")" != "$made" ]; then
    skip "built by $made; tests/instructions.txt is of $(sed -n 's/^# made by: //p' "$kept")"
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# count CASE TIER: instructions per event
count() {
    local toggle=(--toggle-collect='measured_*') events
    case $1 in
        train) toggle=(--toggle-collect=fl_worker_pass --toggle-collect=fl_optimiser_step) ;;
        import) toggle=() ;; # on several threads: the whole program
    esac
    events=$(valgrind --tool=callgrind --compress-strings=no --compress-pos=no "${toggle[@]}" --callgrind-out-file="$scratch/out" \
        "$program" "$1" "$2" 2>"$scratch/messages") || {
        cat "$scratch/messages" >&2
        return 1
    }
    # Lines of a function: "LINE COST"; the line after "calls=" is what the called one took and counts there.
    awk -v own="$(basename "$program")" -v events="$events" '
        /^ob=/ {mine = $0 ~ ("/" own "$")}
        /^calls=/ {getline; next}
        mine && /^[0-9]+ [0-9]+$/ {sum += $2}
        END {printf "%.0f\n", sum / events}' "$scratch/out"
}

cases="fold:- velocity:- score:ref score:avx2 score64:ref score64:avx2 train:avx2 import:-"
for c in $cases; do
    n=$(count "${c%:*}" "${c#*:}")
    if [ "$n" -lt 100 ]; then
        echo "instructions: $c: $n instructions an event: the measured part was not found" >&2
        exit 1
    fi
    echo "${c/:/ } $n" | tee -a "$scratch/now"
done
if $update; then
    {
        echo "# Instructions of the hot paths, by scripts/instructions.sh --update: case, tier, this project's own"
        echo "# instructions an event (train: a step; import: a row). A rise of more than $most % fails make test-all."
        echo "# made by: $made"
        cat "$scratch/now"
    } >"$kept"
    echo "instructions: written to tests/instructions.txt"
    exit 0
fi
awk -v most=$most '
    NR == FNR {if ($0 !~ /^#/) was[$1 " " $2] = $3; next}
    {
        key = $1 " " $2
        if (!(key in was)) {print "instructions: " key ": not in tests/instructions.txt"; bad = 1; next}
        change = 100 * ($3 / was[key] - 1)
        if (change > most) {
            printf "instructions: %s: %d, was %d: %.1f %% more\n", key, $3, was[key], change
            bad = 1
        } else if (change < -most)
            printf "instructions: %s: %d, was %d: %.1f %% less; keep the gain: scripts/instructions.sh --update\n", key, $3, was[key], -change
    }
    END {
        if (bad) print "instructions: if the rise is worth it: scripts/instructions.sh --update, and say why in the commit"
        exit bad
    }' "$kept" "$scratch/now"
