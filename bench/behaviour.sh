#!/usr/bin/env bash
# Behaviour and credit on real tables (docs/data.md): Online Retail 90-day churn and 30-day purchase, CDNOW buys again,
# completejourney seen in 28 days, UCI credit default; the fold alone, no pretraining, three seeds. Peer: the study's boosted
# trees (UCI: its published figure), per-row scores in FLORIN_BASELINES; paired bootstrap over customers, seeds together.
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
    folds_of "$scratch/$1_ids.csv" >"$scratch/$1_folds.csv"
}
# folds_of IDS.csv
folds_of() {
    { echo id,fold; sed 1d "$1" | cut -d, -f1 | tr -d '"' | awk '{
        h = 7; for (i = 1; i <= length($0); i++) h = (h * 31 + index("0123456789", substr($0, i, 1))) % 1000003
        print $0 "," h % 5 }'; }
}
# judge NAME LOG TASK BASELINE COLUMN PEER-AUC GOAL-AUC: three seeds, the paired difference, result lines
judge() {
    local name=$1 log=$2 task=$3 file=$4 column=$5 peer_auc=$6 goal=$7 seed peer low
    for seed in 0 1 2; do
        fit "$file" "$log" "$task" "$seed"
        printf '%s, seed %s: AUC %.4f, AP %.4f; boosted trees on the fold %.4f, %.4f\n' "$name" "$seed" \
            $(for k in 0 1; do for m in auc ap; do number "$scratch/${file}_$seed.json" systems.$k.metrics.$m.value; done; done)
    done
    local auc ap
    auc=$(over_seeds "$file" systems.0.metrics.auc.value)
    ap=$(over_seeds "$file" systems.0.metrics.ap.value)
    if [ -n "$valid" ]; then
        keep "$name AUC, validation" "$auc" null AUC null null 0
        keep "$name AP, validation" "$ap" null AP null null 0
        return
    fi
    figures+=("$name AUC $auc AP $ap")
    keep "$name AP" "$ap" null AP null null 0
    calibrated "$name:" "$file"
    keep "$name AUC" "$auc" "$peer_auc" AUC null "$goal" 0
    if [ "$column" = none ]; then # no rows of the peer: our interval against its published figure
        low=$(calc "$(over_seeds "$file" systems.0.metrics.auc.low) - $peer_auc")
        keep "$name AUC, lower end of our interval less the published figure (unpaired)" "$low" null AUC -.01 null "$low"
        return
    fi
    if ! peer=$(baseline "$file"); then
        keep "$name AUC - peer, paired, lower end" null null AUC -.01 null 0 "per-row scores of the peer are absent"
        return
    fi
    "$paired" "$scratch/${file}_0.csv,$scratch/${file}_1.csv,$scratch/${file}_2.csv" score "$peer" "$column" 1000 >"$scratch/$name.paired"
    low=$(number "$scratch/$name.paired" auc.low)
    printf '%s, AUC - the study'"'"'s %s, paired, mean of 3 seeds: %+.4f [%+.4f, %+.4f] (must: lower end >= -.01)\n' "$name" "$column" \
        "$(number "$scratch/$name.paired" auc.difference)" "$low" "$(number "$scratch/$name.paired" auc.high)"
    keep "$name AUC - $column, paired, lower end" "$low" null AUC -.01 0 "$low"
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
    judge "Online Retail churn 90 d" online_retail "$tasks/retail_churn_90d.yaml" retail_churn_90d gbdt .7485 null
    judge "Online Retail buys in 30 d" online_retail "$tasks/retail_buys_30d.yaml" retail_buys_30d lr_gbdt .7370 null
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
    judge "CDNOW buys again" cdnow "$scratch/cdnow_buys_again.yaml" cdnow_buys_again gbdt .7717 .775
else
    keep "CDNOW buys again" null null AUC null null 0 "cdnow.txt is absent"
fi
if log completejourney completejourney_transactions_sample.csv; then
    task=$tasks/journey_seen_28d.yaml
    if [ -n "$valid" ]; then
        "$florin" features "$scratch/completejourney" --entity household --out "$scratch/ids.csv" --quiet >/dev/null
        folds_of "$scratch/ids.csv" >"$scratch/completejourney_folds.csv"
        sed -e '/^test:/d' -e 's/^train:/test:/' "$task" >"$scratch/journey_seen_28d.yaml"
        echo "folds: $scratch/completejourney_folds.csv" >>"$scratch/journey_seen_28d.yaml"
        task=$scratch/journey_seen_28d.yaml
    fi
    judge "completejourney seen in 28 d" completejourney "$task" journey_seen_28d gbdt .7908 null
else
    keep "completejourney seen in 28 d" null null AUC null null 0 "completejourney_transactions_sample.csv is absent"
fi
if [ -z "$valid" ] && log uci_credit uci_credit_default.csv; then
    python3 "$tasks/uci_folds.py" "$(cat "$scratch/uci_credit.path")" >"$scratch/uci_folds.csv"
    cp "$tasks/uci_default.yaml" "$scratch/"
    judge "UCI credit default (no clock, transductive)" uci_credit "$scratch/uci_default.yaml" uci_default none .782 .79
fi
if [ ${#figures[@]} -gt 0 ]; then look "$(printf '%s; ' "${figures[@]}")" "$scratch"/*_0.florin; fi
printf '%s\n' "${lines[@]}"
