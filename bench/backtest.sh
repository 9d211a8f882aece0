#!/usr/bin/env bash
# A backtest over EVENTS (10 M) simulated events: one rule over stored columns, a policy of 100 rules over stored columns.
# Scores are stored first, untimed: those of a model on the fold.
set -euo pipefail
bench=backtest
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
events=${EVENTS:-10000000} rounds=${ROUNDS:-5}
"$florin" simulate --events 40000 --cards 300 --seed 1 --out "$scratch/learn" --quiet >/dev/null
"$florin" fit "$scratch/learn" --task "$root/examples/tasks/fraud.yaml" --out "$scratch/model" --quiet >/dev/null
"$florin" simulate --events "$events" --seed 2 --out "$scratch/log" --quiet >/dev/null
one=(--rule 'Block if :risk_score: > 60 and :amount: > 100 and :country: != :entry_mode:')
{
    echo 'rules: |'
    for ((i = 0; i < 100; i++)); do
        action=$(awk -v i="$i" 'BEGIN {split("Block Review Allow Block", a, " "); print a[i % 4 + 1]}')
        case $((i % 5)) in
        0) echo "  $action if :risk_score: > $((60 + i % 40)) and :amount: > $((10 * i))" ;;
        1) echo "  $action if :amount: > $((5 + i)) * :card.normal_amount: and :country: in ('DE', 'FR', 'X$i')" ;;
        2) echo "  $action if velocity(card, 1h) > $((3 + i % 20)) and not :entry_mode: = 'chip'" ;;
        3) echo "  $action if (:risk_score: >= 70 or :card.new_counterparty:) and :hour: < $((i % 24)) and :amount: >= $i" ;;
        *) echo "  $action if :category: in ('A$i', 'travel', 'fuel') and :amount: / :card.normal_amount: > $((2 + i))" ;;
        esac
    done
} >"$scratch/policy.yaml"
run() { "$florin" backtest "$scratch/log" --model "$scratch/model" --json --quiet "$@"; }
start=$(date +%s.%N)
run --policy "$scratch/policy.yaml" "${one[@]}" >"$scratch/made.json"
echo "columns stored in $(calc "$(date +%s.%N) - $start") s: $(number "$scratch/made.json" columns_made)"
for ((r = 0; r < rounds; r++)); do
    run "${one[@]}" >"$scratch/one.json"
    number "$scratch/one.json" seconds >>"$scratch/one"
    run --policy "$scratch/policy.yaml" >"$scratch/hundred.json"
    number "$scratch/hundred.json" seconds >>"$scratch/hundred"
done
matched=$(number "$scratch/one.json" items.0.matched.events)
echo "the one rule matches $matched of $(number "$scratch/one.json" all.events)"
one_s=$(median <"$scratch/one") hundred_s=$(median <"$scratch/hundred")
scale=$(calc "10000000 / $events")
keep "one rule over $events events, stored columns" "$one_s" null s "<$(calc "1 / $scale")" "<$(calc "0.2 / $scale")" "$one_s"
keep "100 rules over $events events, stored columns" "$hundred_s" null s "<$(calc "10 / $scale")" null "$hundred_s"
printf '%s\n' "${lines[@]}"
