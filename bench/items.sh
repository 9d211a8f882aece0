#!/usr/bin/env bash
# Rankings of items: Online Retail next basket, and completejourney categories in 28 days (docs/tasks.md, Items). Three
# seeds; paired bootstrap over customers against per-row recall in FLORIN_BASELINES. VALID=1: validation alone.
set -euo pipefail
bench=items
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# log NAME FILE...: the first is the schema's
log() {
    local csv file
    mkdir -p "$scratch/$1.data"
    for file in "${@:2}"; do
        csv=$("$root/scripts/data.sh" "$file") || return 1
        ln -sf "$csv" "$scratch/$1.data/$file"
    done
    cp "$root/examples/$1/${schema:-schema}.yaml" "$scratch/$1.data/schema.yaml"
    (cd "$scratch/$1.data" && "$florin" import schema.yaml --log "$scratch/$1" --quiet >/dev/null)
}
# difference OURS.csv PEER.csv COLUMN: mean, low, high of recall@10 less the peer's; customers drawn 500 times
difference() {
    awk -F, -v col="$3" '{ gsub(/"/, "") }
        NR == FNR { if (FNR == 1) for (i = 1; i <= NF; i++) if ($i == col) c = i; peer[$1] = $c; next }
        FNR > 1 && ($1 in peer) { print $3 - peer[$1] }' "$2" "$1" >"$scratch/d"
    awk 'BEGIN { srand(1) } { d[n++] = $1 } END { for (k = 0; k < 500; k++) { s = 0; for (i = 0; i < n; i++) s += d[int(rand() * n)]
        printf "%.6f\n", s / n } }' "$scratch/d" | sort -g >"$scratch/draws"
    echo "$(mean <"$scratch/d") $(sed -n 13p "$scratch/draws") $(sed -n 488p "$scratch/draws") $(wc -l <"$scratch/d")"
}
# judge NAME LOG TASK BASELINE COLUMN MUST GOAL PEER
judge() {
    local name=$1 log=$2 task=$3 file=$4 column=$5 must=$6 goal=$7 peer=$8 seed recall path low value high rows
    for seed in 0 1 2; do
        "$florin" fit "$scratch/$log" --task "$root/examples/tasks/$task.yaml" --seed "$seed" --draws 200 --quiet ${valid:+--validate-only} \
            --out "$scratch/x" --report "$scratch/${log}_$seed.json" --scores "$scratch/${log}_$seed.csv" >/dev/null 2>&1
        printf '%s, seed %s: recall@10 %.4f; own frequency + global %.4f, user kNN %.4f\n' "$name" "$seed" \
            $(for k in 0 1 2; do number "$scratch/${log}_$seed.json" systems.$k.metrics.recall_at_10.value; done)
    done
    recall=$(for seed in 0 1 2; do number "$scratch/${log}_$seed.json" systems.0.metrics.recall_at_10.value; done | mean)
    if [ -n "$valid" ]; then
        keep "$name, validation" "$recall" null recall@10 null null 0
        return
    fi
    figures+=("$name recall@10 $recall")
    keep "$name" "$recall" "$peer" recall@10 "$must" "$goal" "$recall"
    path=$(baseline "$file") || return 0
    read -r value low high rows < <(difference "$scratch/${log}_0.csv" "$path" "$column")
    printf '%s - %s, paired over %s customers: %+.4f [%+.4f, %+.4f]\n' "$name" "$column" "$rows" "$value" "$low" "$high"
    keep "$name - $column, paired, lower end" "$low" null recall@10 -.01 0 "$low"
}
figures=()
if log online_retail online_retail.csv; then
    judge "Online Retail next basket" online_retail retail_next_basket retail_next_basket_recall10 personal_global .155 .165 .155
else
    keep "Online Retail next basket" null null recall@10 null null 0 "online_retail.csv is absent"
fi
if schema=products log completejourney completejourney_transactions_sample.csv completejourney_products.csv; then
    judge "completejourney categories in 28 d" completejourney journey_categories_28d journey_categories_recall10 user_knn .282 .30 .2823
else
    keep "completejourney categories in 28 d" null null recall@10 null null 0 "its log is absent"
fi
if [ ${#figures[@]} -gt 0 ]; then look "$(printf '%s; ' "${figures[@]}")" "$scratch"/*_0.csv; fi
printf '%s\n' "${lines[@]}"
