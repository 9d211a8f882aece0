#!/usr/bin/env bash
# The transformer against the GRU at equal sizes: three data sets, three seeds. Held-out nats (later events and unseen entities,
# summed over streams and fields; the mean of the seeds' differences with Student's interval), tasks judged at dates before any
# test (so no look): a linear head on the embedding alone, and a blend with trees on everything, paired by entity over all
# seeds; events/s of training and of embedding on one thread, in turns; bytes of an entity's state. What is there in WORK is not
# measured again.
#   WORK=FOLDER   logs, models and figures (default: build/backbones)      SEEDS="1 2 3"
#   DATA="cdnow online_retail simulated"                                   SIZE_OPTIONS, of both backbones
set -euo pipefail
bench=backbones
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
work=${WORK:-$root/build/backbones} seeds=${SEEDS:-1 2 3} data=${DATA:-cdnow online_retail simulated}
size=${SIZE_OPTIONS:---hidden 64 --width 32 --epochs 3 --patience -1}
mkdir -p "$work"
options() { case $1 in gru) echo "--backbone gru" ;; transformer) echo "--backbone transformer ${BLOCK_OPTIONS:-}" ;; esac; }
until_of() { case $1 in cdnow) echo 1997-07-01 ;; online_retail) echo 2011-08-11 ;; simulated) echo 2025-04-10 ;; esac; }
tasks_of() { case $1 in cdnow) echo again_92d ;; online_retail) echo buys_30d ;; simulated) echo churn_30d ;; esac; }

make_log() {
    [ ! -e "$work/$1.made" ] || return 0
    rm -rf "${work:?}/$1"
    if [ "$1" = simulated ]; then # a world of its own: the catalogue's has another seed
        "$florin" simulate --events 100000 --days 180 --seed 11 --out "$work/$1" --quiet >/dev/null
    else
        local csv name=$1.csv
        [ "$1" != cdnow ] || name=cdnow.txt
        csv=$("$root/scripts/data.sh" "$name")
        sed -e "s#file: .*#file: \"$csv\"#" "$root/examples/$1/schema.yaml" >"$work/$1.yaml"
        "$florin" import "$work/$1.yaml" --log "$work/$1" --quiet >/dev/null
        [ "$1" != cdnow ] || python3 "$root/examples/tasks/cdnow_folds.py" "$csv" >"$work/cdnow_folds.csv"
    fi
    touch "$work/$1.made"
}
# task NAME HEAD INPUTS: prints a task file
task() {
    echo "florin_task: 1"
    echo "name: $1"
    case $1 in
    again_92d) cat <<'Y' ;;
data: CDNOW
moments: {entity: customer}
population: {active: {event: event}}
label: {event: event, within: 92d, is: present}
test: {at: 1997-07-01}
folds: cdnow_folds.csv
baseline: recency
Y
    buys_30d) cat <<'Y' ;;
data: Online Retail
moments: {entity: customer, every: 7d}
population: {active: {event: event, without: cancelled, within: 180d}}
label: {event: event, without: cancelled, within: 30d, is: present}
train: {from: 2011-03-05, to: 2011-07-10}
test: {at: 2011-08-11}
baseline: recency
Y
    *) sed -e '/^florin_task/d' -e '/^name/d' -e '/^head/d' -e '/^inputs/d' "$root/examples/tasks/$1.yaml" ;;
    esac
    echo "head: $2"
    echo "inputs: $3"
}
# fit DATA TASK SEED BACKBONE: a probe on the embedding and a blend on all
fit() {
    local how head inputs
    for how in "probe sequence" "blend all"; do
        read -r head inputs <<<"$how"
        [ ! -e "$work/$2.$head.$4.$3.csv" ] || continue
        task "$2" "$head" "$inputs" >"$work/$2.$head.yaml"
        "$florin" fit "$work/$1" --task "$work/$2.$head.yaml" --model "$work/$1.$4.$3.florin" --seed "$3" --draws 50 --rounds 100 \
            --threads 1 --quiet --out "$scratch/fitted" --scores "$scratch/scores.csv" >/dev/null
        mv "$scratch/scores.csv" "$work/$2.$head.$4.$3.csv"
    done
}
# train DATA SEED BACKBONE: the model, its report and what it cost
train() {
    local to=$work/$1.$3.$2 began
    [ -e "$to.json" ] && [ -e "$to.embed" ] && return 0
    rm -f "$to.steps"
    # shellcheck disable=SC2046,SC2086
    "${one_core[@]}" "$florin" pretrain "$work/$1" --until "$(until_of "$1")" --seed "$2" $size $(options "$3") --threads 1 --quiet \
        --json --log "$to.steps" --out "$to.florin" >"$scratch/report"
    began=$(date +%s%N)
    "${one_core[@]}" "$florin" embed "$work/$1" --model "$to.florin" --threads 1 --quiet --json --out "$scratch/e.npy" >"$scratch/embed"
    calc "$(number "$scratch/embed" rows) * 1e9 / ($(date +%s%N) - $began)" >"$to.embed"
    rm -f "$scratch"/e.npy*
    mv "$scratch/report" "$to.json"
}
# nats FILE SLICE: summed over the streams that there are
nats() {
    local s sum=0 one
    for s in payer payee; do
        one=$(number "$1" "metrics.$s.$2.nats.sum" 2>/dev/null) || one=0
        sum=$(calc "$sum + ${one:-0}")
    done
    echo "$sum"
}
speed() { grep -o '"events_per_s":[0-9.]*' "$1" | cut -d: -f2 | median; }
# paired_nats DATA SLICE: transformer - GRU over the seeds
paired_nats() {
    local seed
    for seed in $seeds; do
        echo "$(nats "$work/$1.transformer.$seed.json" "$2") $(nats "$work/$1.gru.$seed.json" "$2")"
    done | awk '{ n++; d = $1 - $2; s += d; q += d * d; a += $1; b += $2 }
        END { t = n == 2 ? 12.706 : n == 3 ? 4.303 : n == 4 ? 3.182 : 2.776; m = s / n; e = n > 1 ? t * sqrt((q / n - m * m) / (n - 1)) : 0
              printf "%.4f %.4f %.4f %.4f %.4f\n", a / n, b / n, m, m - e, m + e }'
}

for seed in $seeds; do
    for d in $data; do
        make_log "$d"
        for b in gru transformer; do train "$d" "$seed" "$b"; done
        for t in $(tasks_of "$d"); do for b in gru transformer; do fit "$d" "$t" "$seed" "$b"; done; done
        echo "$d, seed $seed: nats later GRU $(nats "$work/$d.gru.$seed.json" later), transformer $(nats "$work/$d.transformer.$seed.json" later)"
    done
done
list() { local seed out=; for seed in $seeds; do out+=,$work/$1.$2.$seed.csv; done; echo "${out#,}"; }
for d in $data; do
    for slice in later unseen; do
        read -r ours peer difference low high <<<"$(paired_nats "$d" $slice)"
        printf '%s, nats %s: transformer %s, GRU %s, difference %s [%s, %s]\n' "$d" $slice "$ours" "$peer" "$difference" "$low" "$high"
        keep "$d nats of $slice events: difference to GRU $difference [$low, $high]" "$ours" "$peer" nats null null 0
    done
    for t in $(tasks_of "$d"); do
        for head in probe blend; do
            "$paired" "$(list "$t.$head" transformer)" score "$(list "$t.$head" gru)" score 500 >"$scratch/paired"
            what="$d $t AUC, $([ $head = probe ] && echo 'linear head on the embedding' || echo 'blend on all')"
            printf -v text '%s: difference to GRU %+.4f [%+.4f, %+.4f]' "$what" "$(number "$scratch/paired" auc.difference)" \
                "$(number "$scratch/paired" auc.low)" "$(number "$scratch/paired" auc.high)"
            echo "$text"
            keep "$text" "$(number "$scratch/paired" auc.ours)" "$(number "$scratch/paired" auc.peer)" AUC null null 0
        done
    done
    for what in training embedding; do
        for b in gru transformer; do
            for seed in $seeds; do
                if [ $what = training ]; then speed "$work/$d.$b.$seed.steps"; else cat "$work/$d.$b.$seed.embed"; fi
            done | median >"$scratch/$b"
        done
        keep "$d $what, 1 thread, $(number "$work/$d.transformer.1.json" trained.parameters) and $(number "$work/$d.gru.1.json" trained.parameters) parameters" \
            "$(cat "$scratch/transformer")" "$(cat "$scratch/gru")" events/s null null 0
    done
done
printf '%s\n' "${lines[@]}"
