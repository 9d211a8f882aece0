#!/usr/bin/env bash
# The fold's speed, one core: 12 exact velocity features against polars rolling (and equal to them), the whole default
# set on the Fraud Detection Handbook, and on a million simulated cards. Logs are read from the page cache; a rate is
# the median of three runs.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
florin=${FLORIN:-$root/build/florin}
cache=${FLORIN_CACHE:-$HOME/.cache/florin}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
field() { sed -n "s/.*\"$1\": *\"\{0,1\}\([^,\"}]*\).*/\1/p" | head -1; }
pin=(nice -n 0)
if command -v taskset >/dev/null; then pin=(taskset -c "$(($(nproc) - 1))"); fi
# rate LOG [OPTIONS]: events a second, median of three
rate() {
    for _ in 1 2 3; do
        "${pin[@]}" "$florin" features "$@" --quiet --threads 1 --json | field events_per_second
    done | sort -g | awk 'NR == 2 {printf "%.0f\n", $1}'
}
# line CASE OURS PEER WHY
line() {
    awk -v c="$1" -v o="$2" -v p="$3" -v w="${4:-}" 'BEGIN {
        ratio = p == "null" ? "null" : sprintf("%.3g", o / p)
        printf "{\"bench\":\"fold\",\"case\":\"%s\",\"ours\":%s,\"peer\":%s,\"ratio\":%s,\"unit\":\"events/s\",\"target\":null,\"goal\":null,\"met\":%s%s}\n",
            c, o, p, ratio, (w == "") ? "true" : "false", w == "" ? "" : ",\"why\":\"" w "\"" }'
}
lines=()
if csv=$("$root/scripts/data.sh" handbook_transactions.csv 2>/dev/null); then
    cat >"$scratch/hb.yaml" <<YAML
florin: 1
name: handbook
currency: EUR
entities:
  customer: {role: payer}
  terminal: {role: payee}
sources:
  payment:
    file: $csv
    id: TRANSACTION_ID
    time: TX_DATETIME
    amount: TX_AMOUNT
    entities: {customer: CUSTOMER_ID, terminal: TERMINAL_ID}
    labels:
      fraud: {column: TX_FRAUD, delay: 7d}
YAML
    "$florin" import "$scratch/hb.yaml" --log "$scratch/hb" --quiet >/dev/null
    exact=$(rate "$scratch/hb" --velocity)
    whole=$(rate "$scratch/hb")
    echo "12 exact windows $exact events/s, whole set $whole events/s (Handbook)"
    peer=null why="polars is missing: make bench-peers"
    python=$cache/peers/bin/python
    if [ -x "$python" ] && "$python" -c 'import polars' 2>/dev/null; then
        "$florin" features "$scratch/hb" --velocity --quiet --out "$scratch/velocity.parquet" >/dev/null
        "${pin[@]}" "$python" "$root/bench/peers/velocity.py" "$csv" "$scratch/velocity.parquet" | tee "$scratch/peer.json"
        peer=$(awk -v s="$(field seconds <"$scratch/peer.json")" -v n="$(field rows <"$scratch/peer.json")" 'BEGIN {printf "%.0f", n / s}')
        different=$(field different <"$scratch/peer.json")
        why=""
        [ "$different" = 0 ] || why="$different values differ from polars"
    fi
    lines+=("$(line "12 exact velocity features, Handbook" "$exact" "$peer" "$why")")
    lines+=("$(line "whole default set, Handbook" "$whole" null)")
else
    echo "handbook_transactions.csv is absent (docs/data.md): its cases are skipped"
fi
"$florin" simulate --events 3000000 --cards 1000000 --days 60 --seed 1 --out "$scratch/million" --quiet >/dev/null
million=$(rate "$scratch/million")
lines+=("$(line "whole default set, 1 M simulated cards" "$million" null)")
printf '%s\n' "${lines[@]}"
