#!/usr/bin/env bash
# What rounding costs in average precision: the Handbook's validation folds (protocol B), the fused head (fold, surprise and
# embedding), three seeds; the same pretrained weights scored in int8 and in fp32, heads fitted on rows of their own
# precision. ROUNDS=, SEEDS= make it smaller. The test is not touched: this is a choice.
set -euo pipefail
bench=precision
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
rounds=${ROUNDS:-60} seeds=${SEEDS:-0 1 2}
case="protocol B mean AP on validation, int8 beside fp32, mean of 3 seeds"
csv=$("$root/scripts/data.sh" handbook_transactions.csv) || {
    line "$case" null null AP null null null "handbook_transactions.csv is absent"
    exit 0
}
sed -e "s#file: .*#file: \"$csv\"#" "$root/examples/handbook/schema.yaml" >"$scratch/schema.yaml"
"$florin" import "$scratch/schema.yaml" --log "$scratch/hb" --quiet >/dev/null
{ cat "$root/examples/tasks/handbook_b.yaml"; echo "inputs: all"; } >"$scratch/task.yaml"
for precision in int8 fp32; do
    "$florin" pretrain "$scratch/hb" --out "$scratch/base.$precision" --until 2018-06-27 --hidden 64 --width 64 --epochs 0.3 \
        --precision $precision --quiet >/dev/null
    for seed in $seeds; do
        "$florin" fit "$scratch/hb" --task "$scratch/task.yaml" --model "$scratch/base.$precision" --seed "$seed" --draws 1 \
            --rounds "$rounds" --validate-only --quiet --out "$scratch/head" --report "$scratch/report.json" >/dev/null
        ap=$(number "$scratch/report.json" systems.0.metrics.ap.value)
        echo "$ap" >>"$scratch/$precision"
        echo "$precision, seed $seed: mean AP $ap"
    done
done
int8=$(mean <"$scratch/int8") fp32=$(mean <"$scratch/fp32")
line "$case" "$int8" "$fp32" AP null null null
line "AP that int8 costs (at most .003)" "$(calc "$fp32 - $int8")" null AP "<.003" null "$(calc "$fp32 - $int8")"
