#!/usr/bin/env bash
# The catalogue, measured: each data set is imported once and pretrained once a seed, and all its tasks are fitted on that one
# model. One line a task and seed goes to examples/tasks/results.jsonl, which `florin tasks` reads: our metric with its
# interval, the named trivial baseline, the paired difference, the trees on the fold beside it, and the hashes of model, task
# file and simulator. A line that is there for the same hashes is not measured again, so a run that was stopped goes on.
#   DATA="simulated"        only these (default: simulated, and those of docs/data.md that have tasks)
#   TASKS="fraud churn_30d" only these
#   SEEDS="1 2 3"           of pretraining and fitting (default 1)
#   ROUNDS, DRAWS           most trees (default 100), draws of the bootstrap (default 200)
#   WORK=FOLDER             logs and models are kept there for the next run (default: build/tasks)
set -euo pipefail
bench=tasks
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
work=${WORK:-$root/build/tasks}
tasks=$root/examples/tasks
results=$tasks/results.jsonl
rounds=${ROUNDS:-100} draws=${DRAWS:-200} size=${SIZE_OPTIONS:---hidden 128 --width 32 --epochs 3}
simulator=$("$root/scripts/simulator-hash.sh")
mkdir -p "$work"
touch "$results"
catalogue=$work/catalogue.json
"$florin" tasks --folder "$tasks" --json >"$catalogue"

# folder DATA: a name for files, of the first words; until DATA: pretraining sees nothing at or after it
folder() { case $1 in simulated) echo simulated ;; simulated,*) echo simulated_blind ;; Online*) echo online_retail ;; CDNOW) echo cdnow ;; [Cc]omplete*) echo completejourney ;; UCI*) echo uci_credit ;; Fraud*) echo handbook ;; Berka) echo berka ;; AMLSim*) echo amlsim ;; TabFormer*) echo tabformer ;; esac; }
file() { case $1 in online_retail) echo online_retail.csv ;; cdnow) echo cdnow.txt ;; completejourney) echo completejourney_transactions_sample.csv ;; uci_credit) echo uci_credit_default.csv ;; handbook) echo handbook_transactions.csv ;; berka) echo berka_dev.sqlite ;; amlsim) echo amlsim_transactions.csv ;; tabformer) echo tabformer_user0.csv ;; esac; }
until_of() { case $1 in simulated*) echo 2025-04-10 ;; online_retail) echo 2011-09-10 ;; cdnow) echo 1997-10-01 ;; completejourney) echo 2017-12-03 ;; uci_credit) echo 2005-10-01 ;; handbook) echo 2018-07-04 ;; berka) echo 1993-12-31 ;; amlsim) echo 2000-06-01 ;; tabformer) echo 2018-01-01 ;; esac; }
# with_products LINES.csv: completejourney's schema with the products' own table joined
with_products() {
    local products
    products=$("$root/scripts/data.sh" completejourney_products.csv) || return 1
    sed -e "s#join: {file: [^,]*,#join: {file: \"$products\",#" "$root/examples/completejourney/products.yaml" >"$work/products.yaml"
    echo "$work/products.yaml"
}
# make_log NAME: $work/NAME, once
make_log() {
    [ ! -e "$work/$1.made" ] || return 0
    rm -rf "$work/${1:?}"
    if [ "$1" = simulated ]; then
        "$florin" simulate --events 400000 --days 180 --seed 1 --out "$work/$1" --quiet >/dev/null
    elif [ "$1" = simulated_blind ]; then # the same world, its merchants' categories no input
        "$florin" simulate --events 400000 --days 180 --seed 1 --csv "$work/csv" --quiet >/dev/null
        sed -E 's/category: category( |,|$)/category: {column: category, after: true}\1/' "$work/csv/schema.yaml" >"$work/csv/blind.yaml"
        "$florin" import "$work/csv/blind.yaml" --log "$work/$1" --quiet >/dev/null
        rm -r "$work/csv"
    else
        local csv schema=$root/examples/$1/schema.yaml
        [ "$1" != berka ] || schema=$root/examples/berka/bank.yaml # with the loans
        csv=$("$root/scripts/data.sh" "$(file "$1")") || return 1
        [ "$1" != completejourney ] || schema=$(with_products "$csv") || return 1
        sed -e "s#^    file: .*#    file: \"$csv\"#" "$schema" >"$work/$1.yaml"
        if [ "$1" = amlsim ]; then
            local accounts
            accounts=$("$root/scripts/data.sh" amlsim_nodes.csv) || return 1
            python3 "$tasks/amlsim_folds.py" "$accounts" >"$work/amlsim_folds.csv"
            "$florin" import "$root/examples/amlsim/accounts.yaml" --log "$work/$1" "transfer=$csv" "account=$accounts" --quiet >/dev/null
        else
            "$florin" import "$work/$1.yaml" --log "$work/$1" --quiet >/dev/null
        fi
        [ "$1" != uci_credit ] || python3 "$tasks/uci_folds.py" "$csv" >"$work/uci_folds.csv"
        [ "$1" != cdnow ] || python3 "$tasks/cdnow_folds.py" "$csv" >"$work/cdnow_folds.csv"
        for of in loan account; do
            [ "$1" != berka ] || python3 "$tasks/berka_folds.py" "$csv" $of >"$work/berka_${of}_folds.csv"
        done
    fi
    touch "$work/$1.made"
}
# make_model NAME SEED: $work/NAME_SEED.florin, once. A table without a clock has no past to learn from: an empty file, and its
# tasks stand on the fold alone.
make_model() {
    [ ! -e "$work/$1_$2.florin" ] || return 0
    if [ "$1" = uci_credit ] || [ "$1" = amlsim ]; then
        : >"$work/$1_$2.florin"
        return 0
    fi
    # shellcheck disable=SC2086
    "$florin" pretrain "$work/$1" --until "$(until_of "$1")" --seed "$2" $size --quiet --out "$work/$1_$2.florin" >/dev/null
}
# figures RESULT.json METRIC BASELINE: the middle of a line
figures() {
    local at=differences.0
    [ "$2" != ap ] || at=differences.1
    local ours=systems.0.metrics.$2 own=trivial.$at
    if [ "$2" = skill ]; then # against the same answer for all already
        printf '"trivial":0,"paired":%s,"paired_low":%s,"paired_high":%s,' "$(number "$1" $ours.value)" "$(number "$1" $ours.low)" "$(number "$1" $ours.high)"
    elif [ "$2" = recall_at_10 ]; then
        local s=1
        [ "$3" != user_knn ] || s=2
        [ "$3" != global ] || s=3
        own=differences.$((s * 4 - 4))
        printf '"trivial":%s,"paired":%s,"paired_low":%s,"paired_high":%s,' "$(number "$1" "systems.$s.metrics.$2.value")" \
            "$(number "$1" $own.value)" "$(number "$1" $own.low)" "$(number "$1" $own.high)"
    elif [ "$2" = precision_at_10 ] || [ "$2" = recall_at_1 ]; then # of likeness, against the fold's
        printf '"trivial":%s,"paired":%s,"paired_low":%s,"paired_high":%s,' "$(number "$1" trivial.metrics."$2".value)" \
            "$(number "$1" $own.value)" "$(number "$1" $own.low)" "$(number "$1" $own.high)"
    else
        printf '"trivial":%s,"paired":%s,"paired_low":%s,"paired_high":%s,' "$(number "$1" trivial.metrics."$2".value)" \
            "$(number "$1" $own.value)" "$(number "$1" $own.low)" "$(number "$1" $own.high)"
        printf '"fold_trees":%s,"fold_paired":%s,"fold_low":%s,"fold_high":%s,' "$(number "$1" systems.1.metrics."$2".value)" \
            "$(number "$1" $at.value)" "$(number "$1" $at.low)" "$(number "$1" $at.high)"
        printf '"positives":%s,' "$(number "$1" test.positives)"
    fi
    printf '"ours":%s,"low":%s,"high":%s,"rows":%s' "$(number "$1" $ours.value)" "$(number "$1" $ours.low)" "$(number "$1" $ours.high)" "$(number "$1" test.rows)"
}
# measure INDEX FOLDER SEED
measure() {
    local name metric base model task key
    name=$(number "$catalogue" "$1.name") metric=$(number "$catalogue" "$1.metric") base=$(number "$catalogue" "$1.baseline")
    local with=(--model "$work/$2_$3.florin")
    [ -s "$work/$2_$3.florin" ] || with=()
    [ "$name" != berka_loan_goes_bad ] || with=() # its first loan is earlier than what the model has seen
    model=$(cat "${with[@]:1}" </dev/null | sha256sum | cut -c1-16)
    task=$(sha256sum "$tasks/$name.yaml" | cut -c1-16)
    key="\"task\":\"$name\",\"seed\":$3,\"model\":\"$model\",\"file\":\"$task\",\"simulator\":\"$simulator\",\"rounds\":$rounds,"
    if grep -qF "$key" "$results"; then return 0; fi
    local path=$tasks/$name.yaml
    if [ "$2" = cdnow ] || [ "$2" = uci_credit ] || [ "$2" = berka ] || [ "$2" = amlsim ]; then
        cp "$path" "$work/$name.yaml"
        path=$work/$name.yaml
    fi
    if ! "$florin" fit "$work/$2" --task "$path" "${with[@]}" --seed "$3" --rounds "$rounds" --draws "$draws" \
        --quiet --out "$work/head.florin" --report "$work/$name.json" >/dev/null; then
        echo "$name: not measured (see above)" >&2
        return 0
    fi
    grep -v "\"task\":\"$name\",\"seed\":$3," "$results" >"$scratch/kept" || true
    printf '{%s"data":"%s","metric":"%s","baseline":"%s",%s,"commit":"%s"}\n' "$key" "$2" "$metric" "$base" \
        "$(figures "$work/$name.json" "$metric" "$base")" "$(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown)" >>"$scratch/kept"
    sort "$scratch/kept" >"$results.new"
    mv "$results.new" "$results"
    echo "$name, seed $3: $metric $(number "$work/$name.json" "systems.0.metrics.$metric.value")"
    [[ $2 == simulated* ]] || "$root/bench/look.sh" tasks "$(cat "$tasks/$name.yaml" "$work/$2_$3.florin" | sha256sum | cut -c1-16)" \
        "$name seed $3: $metric $(number "$work/$name.json" "systems.0.metrics.$metric.value")"
}
for seed in ${SEEDS:-1}; do
    for ((i = 0; i < $(number "$catalogue" '#'); i++)); do
        data=$(folder "$(number "$catalogue" "$i.data")")
        [ -n "$data" ] || continue
        if [ -n "${DATA:-}" ] && [[ " $DATA " != *" $data "* ]]; then continue; fi
        if [ -n "${TASKS:-}" ] && [[ " $TASKS " != *" $(number "$catalogue" "$i.name") "* ]]; then continue; fi
        make_log "$data" && make_model "$data" "$seed" && measure "$i" "$data" "$seed"
    done
done
