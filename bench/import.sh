#!/usr/bin/env bash
# Import: 5 M payments of seven columns (276 MB of CSV, and the same as Parquet) to an event log on disk, with two entity
# indexes, beside DuckDB and polars reading them and sorting by (card, time) in memory. The must: at most DuckDB's time
# for the CSV of the same run, in at most 1.2 GiB. Seconds and peak memory, median of three, taken in turn; files come
# from the page cache. Then the simulator's rate into a log. ROWS=500000 tries it out.
set -euo pipefail
bench=import
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
rows=${ROWS:-5000000}
cc -O2 -o "$scratch/generate" "$root/bench/gen_payments.c"
cc -O2 -D_GNU_SOURCE -o "$scratch/peak" "$root/tests/tools/peak_rss.c"
library=$(ldd "$florin" | awk '/libduckdb/ {print $3}')
duck="" duck_why="libduckdb is missing"
if [ -n "$library" ]; then
    folder=$(dirname "$library")
    if cc -O2 -I"$folder" -o "$scratch/duck" "$root/bench/peers/duck_sort.c" "$library" -Wl,-rpath,"$folder" 2>"$scratch/cc.txt"; then
        duck=$scratch/duck duck_why=""
    else
        duck_why="duck_sort.c does not build"
        cat "$scratch/cc.txt"
    fi
fi
polars_why=""
if ! has polars; then polars_why="polars is missing: make bench-peers"; fi
"$scratch/generate" "$rows" >"$scratch/payments.csv"
echo "$rows rows, $(stat -c %s "$scratch/payments.csv") bytes of CSV"
forms=(csv)
if [ -n "$duck" ]; then
    "$duck" "$scratch/payments.csv" "$scratch/payments.parquet"
    forms+=(parquet)
fi
cat >"$scratch/schema.yaml" <<'YAML'
florin: 1
name: payments
currency: EUR
entities:
  card: {role: payer}
  merchant: {role: payee}
sources:
  payment:
    time: ts
    amount: amount
    entities: {card: card_id, merchant: merchant_id}
    categories: {mcc: mcc, country: country}
    labels:
      fraud: {column: label, delay: 7d}
YAML
# once WHO FORM: one run, "seconds MiB" appended to WHO.FORM
once() {
    local file=$scratch/payments.$2
    case $1 in
    florin)
        rm -rf "$scratch/log"
        "$scratch/peak" "$scratch/one" "$florin" import "$scratch/schema.yaml" --log "$scratch/log" --memory 4G --quiet "$file" >/dev/null
        ;;
    duckdb) "$scratch/peak" "$scratch/one" "$duck" "$file" ;;
    polars) "$scratch/peak" "$scratch/one" "$python" "$root/bench/peers/sort.py" "$file" ;;
    esac
    awk '{printf "%.3f %.1f\n", $1, $2 / 1024}' "$scratch/one" >>"$scratch/$1.$2"
    echo "$1 $2: $(tail -1 "$scratch/$1.$2" | awk '{printf "%.2f s, %.0f MiB", $1, $2}')"
}
# figure WHO FORM COLUMN: the median, null when there was no run
figure() { if [ -s "$scratch/$1.$2" ]; then median "$3" <"$scratch/$1.$2"; else echo null; fi; }
for form in "${forms[@]}"; do
    for _ in 1 2 3; do
        once florin "$form"
        [ -n "$duck_why" ] || once duckdb "$form"
        [ -n "$polars_why" ] || once polars "$form"
    done
done
rates=()
for _ in 1 2 3; do
    rm -rf "$scratch/sim"*
    "$florin" simulate --events "$rows" --seed 1 --out "$scratch/sim" --quiet --json >"$scratch/sim.json"
    rates+=("$(number "$scratch/sim.json" events_per_second)")
    echo "simulate: ${rates[-1]} events/s"
done

millions=$(awk -v n="$rows" 'BEGIN {printf "%g M", n / 1e6}')
# beside FORM PEER WHY TIME_TARGET TIME_GOAL MEMORY_TARGET MEMORY_GOAL: time is held by its ratio, memory by itself
beside() {
    local what="$millions rows of $1 beside $2" time peer memory
    time=$(figure florin "$1" 1) peer=$(figure "$2" "$1" 1) memory=$(figure florin "$1" 2)
    line "$what, time (target and goal: the ratio)" "$time" "$peer" s "$4" "$5" "$(calc "$time / $peer")" "$3"
    line "$what, peak memory" "$memory" "$(figure "$2" "$1" 2)" MiB "$6" "$7" "$memory" "$3"
}
beside csv duckdb "$duck_why" "<1.0" "<0.6" "<1228.8" "<800"
beside csv polars "$polars_why" null null null null
if [ ${#forms[@]} = 2 ]; then
    beside parquet duckdb "$duck_why" null null null null
    beside parquet polars "$polars_why" null null null null
else
    line "$millions rows of parquet" null null s null null null "$duck_why, which writes the file"
fi
simulated=$(printf "%s\n" "${rates[@]}" | median)
line "simulate $millions events into a log" "$simulated" null events/s 1000000 null "$simulated"
