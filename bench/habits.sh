#!/usr/bin/env bash
# Ten tasks of the simulator about a card's habits: trees on [fold + surprise + embedding] against trees on the fold alone,
# average precision, paired bootstrap over cards, three seeds together, each with a pretraining of its own. The must: a gain
# with an interval above 0 in five of the ten. The ten ask for the standing habits that the world gives a card (src/data/simulate_*.c:
# payday, subscriptions, the tastes of its kind of owner, journeys, money short before payday); settings are chosen on another world (simulate --seed 2; WORLD=2 measures there, and looks at
# no test).
set -euo pipefail
bench=habits
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
world=${WORLD:-1}
size=${SIZE_OPTIONS:---hidden 128 --width 32 --epochs 3}
habits="salary_7d subscription_7d buys_electronics_30d buys_gaming_30d buys_pharmacy_30d buys_fuel_14d travel_30d no_funds_14d refund_30d large_purchase_14d"
"$florin" simulate --events 400000 --days 180 --seed "$world" --out "$scratch/log" --quiet >/dev/null
for seed in 1 2 3; do
    # shellcheck disable=SC2086
    "$florin" pretrain "$scratch/log" --until 2025-04-10 --seed "$seed" $size --quiet --out "$scratch/$seed.florin" >/dev/null
done
above=0 n=0 ratios=()
for task in ${TASKS:-$habits}; do
    for seed in 1 2 3; do
        { grep -v '^head:' "$root/examples/tasks/$task.yaml"; echo "head: trees"; } >"$scratch/$task.yaml"
        "$florin" fit "$scratch/log" --task "$scratch/$task.yaml" --model "$scratch/$seed.florin" --seed "$seed" --rounds "${ROUNDS:-100}" \
            --draws 1 --quiet --out "$scratch/head" --scores "$scratch/$task.$seed.csv" >/dev/null
    done
    ours=$scratch/$task.1.csv,$scratch/$task.2.csv,$scratch/$task.3.csv
    "$paired" "$ours" score "$ours" baseline 1000 >"$scratch/pair.json"
    a=$(number "$scratch/pair.json" ap.ours) b=$(number "$scratch/pair.json" ap.peer) low=$(number "$scratch/pair.json" ap.low)
    printf '%-22s AP %.4f, trees on the fold %.4f: %+.4f [%+.4f, %+.4f]\n' "$task" "$a" "$b" "$(number "$scratch/pair.json" ap.difference)" \
        "$low" "$(number "$scratch/pair.json" ap.high)"
    keep "$task: AP, fused beside trees on the fold" "$a" "$b" AP null null 0
    keep "$task: fused - trees on the fold, paired, lower end" "$low" null AP null null 0
    ratios+=("$(calc "$a / $b")")
    n=$((n + 1))
    if awk -v x="$low" 'BEGIN {exit !(x > 0)}'; then above=$((above + 1)); fi
done
gain=$(printf '%s\n' "${ratios[@]}" | mean)
echo "$above of $n above 0; mean of the ratios $gain"
keep "tasks with habits where fused is above trees on the fold, of $n" "$above" null tasks 5 null "$above"
keep "mean of the ratios of AP, fused over trees on the fold" "$gain" null ratio null 1.10 0
[ "$world" = 2 ] || look "$above of $n above 0, mean ratio $gain" "$scratch"/?.florin
printf '%s\n' "${lines[@]}"
