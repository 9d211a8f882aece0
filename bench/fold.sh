#!/usr/bin/env bash
# The fold's speed, one core: 12 exact velocity features against polars rolling (and equal to them), the whole default
# set on the Fraud Detection Handbook, and on a million simulated cards. Logs are read from the page cache; a rate is
# the median of five runs, polars' of three. Both sides are timed on the features alone, neither on reading its table;
# both have one core and one thread. Polars sorts its columns by entity and time, which is the work that the log's index
# has done at import, so its time is given with and without that.
# Absolute targets are for a quiet machine B (173 GFLOP/s of fp32 on one thread); here they are scaled by this
# machine's own peak, taken in the same run. FLORIN_SCALE=1.4 sets the factor.
set -euo pipefail
bench=fold
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# rate LOG [OPTIONS]: events a second
rate() {
    for _ in 1 2 3 4 5; do
        "${one_core[@]}" "$florin" features "$@" --quiet --threads 1 --json >"$scratch/rate.json"
        number "$scratch/rate.json" events_per_second
    done | median | awk '{printf "%.0f\n", $1}'
}
peak_scale
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
    absolute "12 exact velocity features, Handbook" "$exact" 4e6 8e6
    name="12 exact velocity features, Handbook: times polars' rate"
    if has polars; then
        "$florin" features "$scratch/hb" --velocity --quiet --out "$scratch/velocity.parquet" >/dev/null
        "${one_core[@]}" "$python" "$root/bench/peers/velocity.py" "$csv" "$scratch/velocity.parquet" | tee "$scratch/peer.json"
        rows=$(number "$scratch/peer.json" rows) different=$(number "$scratch/peer.json" different)
        peer=$(calc "$rows / $(number "$scratch/peer.json" seconds)")
        sorted=$(calc "$rows / $(number "$scratch/peer.json" seconds_rolling)")
        why=""
        [ "$different" = 0 ] || why="$different values differ from polars"
        ratio=$(calc "$exact / $peer")
        keep "$name" "$exact" "$peer" events/s 8 15 "$ratio" "$why"
        keep "$name, its tables sorted beforehand" "$exact" "$sorted" events/s null null null "$why"
    else
        keep "$name" "$exact" null events/s 8 15 null "polars is missing: make bench-peers"
    fi
    absolute "whole default set, Handbook" "$(rate "$scratch/hb")" 8e5 1.5e6
else
    echo "handbook_transactions.csv is absent (docs/data.md): its cases are skipped"
fi
"$florin" simulate --events 3000000 --cards 1000000 --days 60 --seed 1 --out "$scratch/million" --quiet >/dev/null
absolute "whole default set, 1 M simulated cards" "$(rate "$scratch/million")" 4e5 8e5
printf '%s\n' "${lines[@]}"
