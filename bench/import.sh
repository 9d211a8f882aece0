#!/usr/bin/env bash
# Import: 5 M payments of seven columns (276 MB of CSV, and the same as Parquet) to an event log on disk, beside DuckDB
# and polars reading them and sorting by (card, time) in memory. Seconds and peak memory, median of three, taken in turn;
# files come from the page cache. Then the simulator's rate into a log. ROWS=500000 tries it out.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
florin=${FLORIN:-$root/build/florin}
cache=${FLORIN_CACHE:-$HOME/.cache/florin}
rows=${ROWS:-5000000}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
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
python=$cache/peers/bin/python polars_why=""
if ! [ -x "$python" ] || ! "$python" -c 'import polars' 2>/dev/null; then polars_why="polars is missing: make bench-peers"; fi
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
# once WHO FORM: one run, "seconds KiB" appended to WHO.FORM
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
    cat "$scratch/one" >>"$scratch/$1.$2"
    echo "$1 $2: $(awk '{printf "%.2f s, %.0f MiB", $1, $2 / 1024}' "$scratch/one")"
}
# median WHO FORM FIELD
median() {
    if [ -s "$scratch/$1.$2" ]; then
        awk -v f="$3" '{print f == 2 ? $2 / 1024 : $1}' "$scratch/$1.$2" | sort -n | awk '{v[NR] = $1} END {printf "%.3f", v[int((NR + 1) / 2)]}'
    else echo null; fi
}
for form in "${forms[@]}"; do
    for _ in 1 2 3; do
        once florin "$form"
        [ -n "$duck_why" ] || once duckdb "$form"
        [ -n "$polars_why" ] || once polars "$form"
    done
done
# The simulator: best of three, as its rate is a promise of section 2 of the issue, not a comparison.
rates=()
for _ in 1 2 3; do
    rm -rf "$scratch/sim"*
    rate=$("$florin" simulate --events "$rows" --seed 1 --out "$scratch/sim" --quiet --json | sed -n 's/.*"events_per_second":\([0-9.]*\).*/\1/p')
    echo "simulate: $rate events/s"
    rates+=("$rate")
done
# line CASE OURS PEER UNIT WHY
line() {
    awk -v c="$1" -v o="$2" -v p="$3" -v u="$4" -v w="$5" 'BEGIN {
        ratio = p == "null" ? "null" : sprintf("%.3g", o / p)
        printf "{\"bench\":\"import\",\"case\":\"%s\",\"ours\":%s,\"peer\":%s,\"ratio\":%s,\"unit\":\"%s\",\"target\":null,\"goal\":null,\"met\":%s%s}\n",
            c, o, p, ratio, u, (w == "") ? "true" : "false", w == "" ? "" : ",\"why\":\"" w "\"" }'
}
millions=$(awk -v n="$rows" 'BEGIN {printf "%g M", n / 1e6}')
for form in "${forms[@]}"; do
    for peer in duckdb polars; do
        why=$polars_why
        [ "$peer" = polars ] || why=$duck_why
        line "$millions rows of $form beside $peer, time" "$(median florin "$form" 1)" "$(median $peer "$form" 1)" s "$why"
        line "$millions rows of $form beside $peer, peak memory" "$(median florin "$form" 2)" "$(median $peer "$form" 2)" MiB "$why"
    done
done
[ ${#forms[@]} = 2 ] || line "$millions rows of parquet" null null s "$duck_why, which writes the file"
simulated=$(printf "%s\n" "${rates[@]}" | sort -g | awk 'NR == 2 {printf "%.0f", $1}')
awk -v o="$simulated" -v n="$millions" 'BEGIN {
    printf "{\"bench\":\"import\",\"case\":\"simulate %s events into a log\",\"ours\":%s,\"peer\":null,\"ratio\":null,\"unit\":\"events/s\",\"target\":1000000,\"goal\":null,\"met\":%s}\n",
        n, o, (o >= 1000000 ? "true" : "false") }'
