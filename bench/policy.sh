#!/usr/bin/env bash
# A decision by a policy of 100 rules (features, scores, a list of 20,000 cards, velocity, metadata), one thread, on the events of a
# simulated log as the live path hands them over; the median of the rounds. ROUNDS=, EVENTS= make it smaller.
set -euo pipefail
bench=policy
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
rounds=${ROUNDS:-5} events=${EVENTS:-60000}
"$florin" simulate --events "$events" --seed 1 --out "$scratch/log" --quiet >/dev/null
scored_model
for ((r = 0; r < rounds; r++)); do
    "${one_core[@]}" "$(dirname "$florin")/bench/policy_main" "$scratch/log" "$scratch/model" >>"$scratch/us"
done
keep "100 rules: p50" "$(median 1 <"$scratch/us")" null us "<5" "<2.5" "$(median 1 <"$scratch/us")"
keep "100 rules: p99" "$(median 2 <"$scratch/us")" null us null null null
printf '%s\n' "${lines[@]}"
