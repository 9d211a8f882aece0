#!/usr/bin/env bash
# A log through the live path, one core: `florin replay` with the network and the 200 trees of bench-score, labels in their
# places, events per second; and the same held against the offline path (--check), which must agree bit for bit. The targets are
# for a machine on which ONNX Runtime's bare int8 GRU cell takes 26 us an event; elsewhere they are scaled by what it takes in
# this run. EVENTS=, ROUNDS= make it smaller.
set -euo pipefail
bench=replay
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
events=${EVENTS:-200000} rounds=${ROUNDS:-5}
scored_model >/dev/null
"$florin" simulate --events "$events" --days 90 --seed 2 --out "$scratch/log" --quiet >/dev/null
peer() { "${one_core[@]}" "$python" "$root/bench/peers/score_onnx.py" <<<"int8 1 20000" 2>/dev/null | tail -1 >>"$scratch/peer" || true; }
for ((r = 0; r < rounds; r++)); do
    "${one_core[@]}" "$florin" replay "$scratch/log" --model "$scratch/model" --json --quiet >"$scratch/one.json" 2>"$scratch/said" || { cat "$scratch/said" >&2; exit 1; }
    calc "$(number "$scratch/one.json" events) / $(number "$scratch/one.json" seconds)" >>"$scratch/rate"
    echo >>"$scratch/rate"
    if has "onnx, onnxruntime"; then peer; fi
done
rate=$(grep . "$scratch/rate" | median)
q50=$(grep -E '^[0-9]' "$scratch/peer" 2>/dev/null | median 1 || echo null)
if [ "$q50" = null ]; then
    keep "replay, one core" "$rate" null "events/s" 50000 100000 "$rate" "onnxruntime is missing: make bench-peers; so 50000 is not scaled"
else
    keep "replay, one core (50000, goal 100000, where the int8 cell takes 26 us)" "$rate" "$(calc "1e6 / $q50")" "events/s" "$(calc "50000 * 26 / $q50")" "$(calc "100000 * 26 / $q50")" "$rate"
fi
"$florin" simulate --events 20000 --days 90 --seed 3 --out "$scratch/small" --quiet >/dev/null
agrees=0
if "$florin" replay "$scratch/small" --model "$scratch/model" --check --quiet >/dev/null 2>&1; then agrees=20000; fi
keep "events whose live and offline rows and scores have the same bits, of 20000" "$agrees" 20000 "events" 20000 20000 "$agrees"
printf '%s\n' "${lines[@]}"
