#!/usr/bin/env bash
# fuzz.sh [SECONDS] [NAME]: builds every tests/fuzz/fuzz_*.c with clang's fuzzer and address sanitizer, runs each for
# SECONDS (20) from the seeds in tests/fuzz/seeds_NAME/, as many at a time as there are cores. A crash leaves its
# input in build-fuzz/crash-... and makes this fail.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${1:-20}
only=${2:-}
CC=clang-14 cmake -S . -B build-fuzz -G Ninja -DFLORIN_FUZZ=ON -DFLORIN_TESTS=OFF -DFLORIN_SANITIZE=address >/dev/null
ninja -C build-fuzz --quiet
export UBSAN_OPTIONS=halt_on_error=1 LSAN_OPTIONS=suppressions="$PWD/tests/support/lsan.supp":print_suppressions=0
run_one() {
    local name=$1 seconds=$2 seeds=() leaks=1 log=build-fuzz/fuzz_$1.log
    local common=(-timeout=20 -rss_limit_mb=3000 -artifact_prefix="build-fuzz/crash-$name-")
    mkdir -p "build-fuzz/corpus_$name"
    [ ! -d "tests/fuzz/seeds_$name" ] || seeds=("tests/fuzz/seeds_$name")
    # DuckDB loses some bytes of its own at a failed read. Whole stacks tell its memory from ours, but cost too much for
    # the search: what it has found is looked at once more.
    [ "$name" != plain ] || leaks=0
    if ASAN_OPTIONS=detect_leaks=$leaks "build-fuzz/fuzz_$name" "${common[@]}" -detect_leaks=$leaks -max_total_time="$seconds" \
        -print_final_stats=1 "build-fuzz/corpus_$name" ${seeds[@]+"${seeds[@]}"} >"$log" 2>&1 &&
        { [ $leaks = 1 ] || ASAN_OPTIONS=detect_leaks=1:fast_unwind_on_malloc=0 "build-fuzz/fuzz_$name" \
            "${common[@]}" -runs=0 "build-fuzz/corpus_$name" >>"$log" 2>&1; }; then
        echo "fuzz $name: ${seconds}s, $(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | head -1) inputs, no fault"
    else
        echo "fuzz $name: FAULT"
        tail -40 "$log"
        return 1
    fi
}
export -f run_one
names=()
for f in tests/fuzz/fuzz_*.c; do
    [ -e "$f" ] || continue
    n=$(basename "$f" .c)
    n=${n#fuzz_}
    if [ -z "$only" ] || [ "$only" = "$n" ]; then names+=("$n"); fi
done
[ ${#names[@]} -gt 0 ] || { echo "fuzz: nothing in tests/fuzz"; exit 0; }
printf '%s\n' "${names[@]}" | xargs -P "$(nproc)" -I{} bash -c "run_one {} $seconds"
echo "fuzz: ${#names[@]} parsers"
