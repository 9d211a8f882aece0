#!/usr/bin/env bash
# Behaviour tasks on real shops (docs/data.md): Online Retail 90-day churn and 30-day purchase, CDNOW buys again; the fold
# alone, no pretraining. Peer: RFM + logistic regression, per-row scores in FLORIN_BASELINES; paired bootstrap over customers.
# VALID=1 uses five customer folds inside the training dates (CDNOW: an earlier date) and looks at no test.
set -euo pipefail
bench=behaviour
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# log NAME FILE
log() {
    local csv
    csv=$("$root/scripts/data.sh" "$2") || return 1
    sed -e "s#file: .*#file: \"$csv\"#" "$root/examples/$1/schema.yaml" >"$scratch/$1.yaml"
    "$florin" import "$scratch/$1.yaml" --log "$scratch/$1" --quiet >/dev/null
    echo "$csv" >"$scratch/$1.path"
}
# fit NAME LOG TASK.yaml SEED
fit() {
    "$florin" fit "$scratch/$2" --task "$3" --seed "$4" --draws 200 --quiet --out "$scratch/$1_$4.florin" \
        --report "$scratch/$1_$4.json" --scores "$scratch/$1_$4.csv" >/dev/null
}
# customer_folds LOG: five folds of the log's customers, by a checksum of the id
customer_folds() {
    "$florin" features "$scratch/$1" --entity customer --out "$scratch/$1_ids.csv" --quiet >/dev/null
    { echo id,fold; sed 1d "$scratch/$1_ids.csv" | cut -d, -f1 | tr -d '"' | awk '{
        h = 7; for (i = 1; i <= length($0); i++) h = (h * 31 + index("0123456789", substr($0, i, 1))) % 1000003
        print $0 "," h % 5 }'; } >"$scratch/$1_folds.csv"
}
# judge NAME LOG TASK BASELINE AUC-GOAL AP-GOAL RFM-AUC RFM-AP: three seeds, the paired difference, two result lines
judge() {
    local name=$1 log=$2 task=$3 file=$4 goal_auc=$5 goal_ap=$6 rfm_auc=$7 rfm_ap=$8 seed peer
    for seed in 0 1 2; do
        fit "$name" "$log" "$task" "$seed"
        printf '%s, seed %s: AUC %.4f, AP %.4f; boosted trees on the fold %.4f, %.4f\n' "$name" "$seed" \
            $(for k in 0 1; do for m in auc ap; do number "$scratch/${name}_$seed.json" systems.$k.metrics.$m.value; done; done)
    done
    local auc ap
    auc=$(for seed in 0 1 2; do number "$scratch/${name}_$seed.json" systems.0.metrics.auc.value; done | mean)
    ap=$(for seed in 0 1 2; do number "$scratch/${name}_$seed.json" systems.0.metrics.ap.value; done | mean)
    if [ -n "$valid" ]; then
        keep "$name AUC, validation" "$auc" null AUC null null 0
        keep "$name AP, validation" "$ap" null AP null null 0
        return
    fi
    figures+=("$name AUC $auc AP $ap")
    keep "$name AP" "$ap" "$rfm_ap" AP null "$goal_ap" 0
    if ! peer=$(baseline "$file"); then
        keep "$name AUC" "$auc" "$rfm_auc" AUC null "$goal_auc" 0 "per-row scores of the peer are absent"
        return
    fi
    "$paired" "$scratch/${name}_0.csv" score "$peer" rfm_lr 500 >"$scratch/$name.paired"
    local low
    low=$(number "$scratch/$name.paired" auc.low)
    printf '%s, AUC - RFM and logistic regression, paired: %+.4f [%+.4f, %+.4f] (must: lower end >= -.01)\n' "$name" \
        "$(number "$scratch/$name.paired" auc.difference)" "$low" "$(number "$scratch/$name.paired" auc.high)"
    keep "$name AUC" "$auc" "$(number "$scratch/$name.paired" auc.peer)" AUC null "$goal_auc" 0
    keep "$name AUC - peer, paired, lower end" "$low" null AUC -.01 null "$low"
}
figures=()
tasks=$root/examples/tasks
if log online_retail online_retail.csv; then
    if [ -n "$valid" ]; then
        customer_folds online_retail
        for t in retail_churn_90d retail_buys_30d; do
            sed -e '/^test:/d' -e 's/^train:/test:/' "$tasks/$t.yaml" >"$scratch/$t.yaml"
            echo "folds: $scratch/online_retail_folds.csv" >>"$scratch/$t.yaml"
        done
        tasks=$scratch
    fi
    judge "Online Retail churn 90 d" online_retail "$tasks/retail_churn_90d.yaml" retail_churn_90d .7485 .606 .731 .584
    judge "Online Retail buys in 30 d" online_retail "$tasks/retail_buys_30d.yaml" retail_buys_30d .7370 .691 .713 .653
    tasks=$root/examples/tasks
else
    keep "Online Retail" null null AUC null null 0 "online_retail.csv is absent"
fi
if log cdnow cdnow.txt; then
    if [ -n "$valid" ]; then
        customer_folds cdnow
        sed -e 's/1997-10-01/1997-07-01/' -e 's/within: [0-9]*d/within: 92d/' -e "s#^folds:.*#folds: $scratch/cdnow_folds.csv#" \
            "$tasks/cdnow_buys_again.yaml" >"$scratch/cdnow_buys_again.yaml"
    else
        python3 "$tasks/cdnow_folds.py" "$(cat "$scratch/cdnow.path")" >"$scratch/cdnow_folds.csv"
        cp "$tasks/cdnow_buys_again.yaml" "$scratch/"
    fi
    tasks=$scratch
    judge "CDNOW buys again" cdnow "$tasks/cdnow_buys_again.yaml" cdnow_buys_again .7717 .651 .7695 .638
else
    keep "CDNOW buys again" null null AUC null null 0 "cdnow.txt is absent"
fi
if [ ${#figures[@]} -gt 0 ]; then look "$(printf '%s; ' "${figures[@]}")" "$scratch"/*_0.florin; fi
printf '%s\n' "${lines[@]}"
