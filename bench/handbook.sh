#!/usr/bin/env bash
# Fraud Detection Handbook, protocols A and B (docs/data.md): boosted trees on the fold features, three seeds.
# VALID=1 runs the validation folds instead. SEQ=1 adds pretraining, the fused head and the sequence model alone. TUNE=1 (bench/finetune.sh) is
# the network alone, fine-tuned for each fold on the labels seen, and no trees (three seeds, each with a pretraining of its own).
set -euo pipefail
bench=${BENCH:-handbook}
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
book_a=.639 book_b=.687 # the book's best trees: protocol A (chapter 3) and B (chapter 5)

csv=$("$root/scripts/data.sh" handbook_transactions.csv) || {
    keep "protocol B mean AP" null $book_b AP .750 .761 0 "handbook_transactions.csv is absent"
    printf '%s\n' "${lines[@]}"
    exit 0
}
tasks=$root/examples/tasks
periods=(0 1 2 3)
judge=()
name=test
if [ -n "$valid" ]; then
    judge=(--validate-only)
    name=validation
fi
# log NAME AMOUNT
log() {
    sed -e "s#file: .*#file: \"$csv\"#" -e "s#amount: .*#amount: $2#" "$root/examples/handbook/schema.yaml" >"$scratch/$1.yaml"
    "$florin" import "$scratch/$1.yaml" --log "$scratch/$1" --quiet >/dev/null
}
# fit NAME LOG SEED INPUTS [OPTIONS]: all periods of protocol B; leaves NAME.json, NAME.csv, NAME.florin
fit() {
    local name=$1 log=$2 seed=$3 inputs=$4
    shift 4
    { cat "$tasks/handbook_b.yaml"; echo "inputs: $inputs"; } >"$scratch/$name.yaml"
    "$florin" fit "$scratch/$log" --task "$scratch/$name.yaml" --seed "$seed" --draws 1 --quiet --out "$scratch/$name.florin" \
        --report "$scratch/$name.json" --scores "$scratch/$name.csv" ${judge[@]+"${judge[@]}"} "$@" >/dev/null
}
# metric NAME METRIC [SYSTEM]: mean over the periods; period NAME PERIOD METRIC
metric() { number "$scratch/$1.json" "systems.${3:-0}.metrics.$2"; }
period() { number "$scratch/$1.json" "systems.0.periods.$2.metrics.$3"; }
seeds() { for seed in 0 1 2; do "$1" "trees_$seed" "${@:2}"; done | mean; }

log hb TX_AMOUNT
if [ -n "${TUNE:-}" ]; then
    for seed in 0 1 2; do
        # T: the end of the first validation week's training; no later event before the weights are tuned.
        "$florin" pretrain "$scratch/hb" --out "$scratch/base.florin" --until 2018-06-27 --hidden 64 --width 64 --epochs 1 \
            --seed $((seed + 1)) --quiet >/dev/null
        fit "tuned_$seed" hb "$seed" all --model "$scratch/base.florin" --finetune full --rounds 3
        printf 'seed %s: mean AP %.4f, AUC %.4f\n' "$seed" "$(metric "tuned_$seed" ap.value)" "$(metric "tuned_$seed" auc.value)"
        [ -z "${KEEP:-}" ] || cp "$scratch/tuned_$seed.csv" "$KEEP"
    done
    ap=$(for seed in 0 1 2; do metric "tuned_$seed" ap.value; done | mean)
    keep "protocol B mean AP, network fine-tuned by fold, no fold column in its head, $name" "$ap" .675 AP .675 .703 "$ap"
    if [ -z "$valid" ] && peer=$(baseline handbook_protocol_b); then
        "$paired" "$scratch/tuned_0.csv" score "$peer" edges_only 500 >"$scratch/pair.json"
        keep "the same, seed 0: paired difference to the study's trees on edges_only" "$(number "$scratch/pair.json" ap.difference)" null AP null null 0
    fi
    look "network fine-tuned by fold, B mean AP $ap" "$scratch"/tuned_?.florin
    printf '%s\n' "${lines[@]}"
    exit 0
fi
for seed in 0 1 2; do
    fit "trees_$seed" hb "$seed" fold
    printf 'seed %s: mean AP %.4f, AUC %.4f, card precision@100 %.3f; AP by period' "$seed" "$(metric "trees_$seed" ap.value)" \
        "$(metric "trees_$seed" auc.value)" "$(metric "trees_$seed" card_precision_at_100)"
    for p in "${periods[@]}"; do printf ' %.4f' "$(period "trees_$seed" "$p" ap)"; done
    echo
done
b_ap=$(seeds metric ap.value)
keep "protocol B mean AP, $name" "$b_ap" $book_b AP .750 .761 "$b_ap"
calibrated "protocol B," trees
keep "protocol B mean AUC, $name" "$(seeds metric auc.value)" .869 AUC null null 0
keep "protocol B mean card precision@100, $name" "$(seeds metric card_precision_at_100)" .303 share null null 0
# Protocol A is the first period.
a_ap=$(seeds period 0 ap)
keep "protocol A AP, $name" "$a_ap" $book_a AP null .755 0
keep "protocol A AUC, $name" "$(seeds period 0 auc)" .862 AUC null null 0
keep "protocol A card precision@100, $name" "$(seeds period 0 card_precision_at_100)" .273 share null null 0

# The same with amounts in another unit: no constant of this table may matter.
log hb73 '{sql: "TX_AMOUNT * 7.3"}'
fit scaled hb73 0 fold
moved=$(awk -v a="$(metric scaled ap.value)" -v b="$(metric trees_0 ap.value)" 'BEGIN {d = a - b; printf "%.5f", d < 0 ? -d : d}')
keep "mean AP moved by amounts x 7.3 (at most .005)" "$moved" null AP null null 0 \
    "$(awk -v m="$moved" 'BEGIN {if (m > .005) print "moves by more than .005"}')"

# pair CASE OURS.csv PEER.csv COLUMN: a paired difference, shown and kept
pair() {
    "$paired" "$2" score "$3" "$4" "${5:-500}" >"$scratch/pair.json"
    printf '%s, paired: AP difference %+.4f [%+.4f, %+.4f]\n' "$1" "$(number "$scratch/pair.json" ap.difference)" \
        "$(number "$scratch/pair.json" ap.low)" "$(number "$scratch/pair.json" ap.high)"
    keep "$1" "$(number "$scratch/pair.json" ap.ours)" "$(number "$scratch/pair.json" ap.peer)" AP null null 0
    keep "$1: paired difference, lower end" "$(number "$scratch/pair.json" ap.low)" null AP null null 0
}
if [ -z "$valid" ] && peer=$(baseline handbook_protocol_b); then
    for column in edges_only everything; do
        pair "protocol B mean AP beside the study's trees on $column, three seeds" \
            "$scratch/trees_0.csv,$scratch/trees_1.csv,$scratch/trees_2.csv" "$peer" $column 200
    done
fi
if [ -n "${SEQ:-}" ]; then
    # T: the end of the first judged period's training week.
    until=2018-08-01
    [ -z "$valid" ] || until=2018-06-27
    "$florin" pretrain "$scratch/hb" --out "$scratch/base.florin" --until "$until" --hidden 64 --width 64 --epochs 2 --quiet
    fit fused hb 0 all --model "$scratch/base.florin"
    fit alone hb 0 sequence --model "$scratch/base.florin"
    for k in fused alone; do
        pair "protocol B mean AP, $k, beside trees on the fold, $name" "$scratch/$k.csv" "$scratch/$k.csv" baseline
    done
fi
look "B mean AP $b_ap, A AP $a_ap" "$scratch"/trees_?.florin
printf '%s\n' "${lines[@]}"
