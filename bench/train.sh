#!/usr/bin/env bash
# Speed of a pretraining step beside PyTorch's, taken in turns in one run on the same cores: 8 category fields in and out
# (vocabularies 8,192 and 7 x 1,024), 2 numbers, GRU of 256 behind an encoder of 128, 32 sequences x 128 events a step,
# AdamW. PyTorch's side is tuned: fused AdamW, a head for each field, tcmalloc (libtcmalloc-minimal4), pinned.
#   same network   bench/train_main.c: a step alone. Ours does somewhat more: its encoder has a hidden layer and 35 more
#                  numbers, and its heads predict amount and gap and mix in recent values.
#   trunk          encoder and GRU, forward and backward, with a trivial loss instead of heads.
#   default recipe `florin pretrain` as a user calls it, on a log: it reads the fold's features too.
# Rates are medians over steps of a run, figures medians over ROUNDS runs. Nats: Online Retail, three seeds, the sum over
# fields of -log p by the full normaliser on later events that no run has seen; all runs see the same events.
set -euo pipefail
bench=train
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
rounds=${ROUNDS:-3} seconds=${SECONDS_EACH:-8} rows=${ROWS:-200000}
# Pairs of cores differ from day to day; what matters is that both sides sit on the same ones.
pin=(nice -n 0)
if command -v taskset >/dev/null && [ "$(nproc)" -ge 2 ]; then pin=(taskset -c 0,1); fi
step=$root/build/bench/train_main

# ---- data ----
awk -v n="$rows" 'BEGIN {
    srand(1)
    printf "id,time,card,amount,n0,n1"; for (i = 0; i < 8; i++) printf ",c%d", i; print ""
    for (r = 0; r < n; r++) {
        printf "%d,%.0f,%d,%.2f,%.3f,%.3f,a%d", r, 1700000000 + r * 30, int(rand() * n / 100), exp(6 * rand()), rand(), rand(), int(rand() * 8192)
        for (i = 0; i < 7; i++) printf ",b%d", int(rand() * 1024)
        print ""
    }
}' >"$scratch/events.csv"
cat >"$scratch/schema.yaml" <<YAML
florin: 1
name: train
currency: EUR
entities:
  card: {role: payer}
sources:
  payment:
    file: $scratch/events.csv
    id: id
    time: {sql: "make_timestamp(time::BIGINT * 1000000)"}
    amount: amount
    entities: {card: card}
    categories: {c0: c0, c1: c1, c2: c2, c3: c3, c4: c4, c5: c5, c6: c6, c7: c7}
    numbers: {n0: n0, n1: n1}
YAML
"$florin" import "$scratch/schema.yaml" --log "$scratch/log" --quiet >/dev/null

# ---- speed ----
# ours NETWORK PRECISION THREADS: a step alone
ours() { "${pin[@]}" "$step" "$scratch/schema.yaml" "$1" "$2" "$3" "$seconds" | number - events_per_second; }
# recipe STEPS [OPTION...]: the program on the log; no validation, no unseen entities: steps alone. Writes the peak too.
recipe() {
    local steps=$1
    shift
    rm -f "$scratch/journal" "$scratch/m"
    "${pin[@]}" "$root/build/tests/peak_rss" "$scratch/peak" "$florin" pretrain "$scratch/log" "$@" --steps "$steps" \
        --hidden 256 --width 128 --lanes 32 --window 128 --epochs 1000 --patience -1 --unseen-share -1 \
        --until 2040-01-01 --valid-from 2040-01-01 --threads 2 --quiet --out "$scratch/m" --checkpoint 100000 \
        --log "$scratch/journal" >/dev/null
    sed -n 's/.*"events_per_s":\([0-9.]*\).*/\1/p' "$scratch/journal" | tail -n +2 | median
}
peak_mib() { awk '{printf "%.0f", $2 / 1024}' "$scratch/peak"; }
have=0
if has torch; then have=1; fi
preload=$(ldconfig -p 2>/dev/null | awk '/libtcmalloc(_minimal)?\.so/ {print $NF; exit}')
[ -n "$preload" ] || [ $have = 0 ] || echo "libtcmalloc is missing: PyTorch is slower without (apt-get install libtcmalloc-minimal4)" >&2
peer() {
    [ $have = 1 ] || { echo null; return; }
    LD_PRELOAD=$preload "${pin[@]}" "$python" "$root/bench/peers/train_torch.py" "$1" "$seconds" | tee -a "$scratch/torch.log" | number - events_per_second
}
bf16=0
if grep -qw avx512_bf16 /proc/cpuinfo; then bf16=1; fi
for round in $(seq "$rounds"); do
    for network in dense trunk factored; do
        echo "$(ours $network fp32 2) $(peer $network) $(ours $network fp32 1) $([ $bf16 = 0 ] || ours $network bf16 2)" >>"$scratch/$network"
        echo "round $round, $network: ours, PyTorch, ours on one thread, in bf16: $(tail -1 "$scratch/$network") events/s"
    done
    echo "$(recipe 150)" >>"$scratch/recipe"
    echo "round $round, default recipe: $(tail -1 "$scratch/recipe") events/s"
done
default_peak=$(peak_mib)
recipe 12 --dense >/dev/null
dense_peak=$(peak_mib)
# of NETWORK COLUMN: median of a column
of() { median "$2" <"$scratch/$1"; }
recipe_rate=$(median <"$scratch/recipe")
missing=""
[ $have = 1 ] || missing="PyTorch is missing: make bench-peers"
[ $have = 0 ] || echo "PyTorch: $(tail -1 "$scratch/torch.log")"

# ---- what is learnt ----
# learn NAME SEED [OPTION...]: nats of later events
learn() {
    local name=$1 seed=$2
    shift 2
    "$florin" pretrain "$scratch/retail" "$@" --seed "$seed" --until 2011-06-11 --epochs 2 --patience -1 --threads 2 --quiet \
        --json --out "$scratch/m" >"$scratch/$name.json"
    number "$scratch/$name.json" metrics.payer.later.nats.sum >>"$scratch/$name.nats"
    echo "seed $seed, $name: $(tail -1 "$scratch/$name.nats") nats over $(number "$scratch/$name.json" metrics.payer.later.events) later events, $(number "$scratch/$name.json" trained.payer.events) seen"
}
no_retail=""
if retail=$("$root/scripts/data.sh" online_retail.csv); then
    sed -e "s#file: .*#file: \"$retail\"#" "$root/examples/online_retail/schema.yaml" >"$scratch/retail.yaml"
    "$florin" import "$scratch/retail.yaml" --log "$scratch/retail" --quiet >/dev/null
    for seed in 1 2 3; do
        learn factored $seed
        learn dense $seed --dense
        learn bf16 $seed --bf16
    done
else
    no_retail="online_retail.csv is absent"
fi
# nats CASE A B TARGET: line of two means
nats() {
    local a=null b=null
    [ -n "$no_retail" ] || { a=$(mean <"$scratch/$2.nats") b=$(mean <"$scratch/$3.nats"); }
    line "$1" "$a" "$b" nats "$4" null "$(calc "$a / $b")" "$no_retail"
}

# ---- lines ----
# against CASE OURS PEER TARGET GOAL: line of a ratio that must be reached
against() { line "$1" "$2" "$3" events/s "$4" "$5" "$(calc "$2 / $3")" "$missing"; }
against "step of the same network, dense heads, GRU 256, against PyTorch" "$(of dense 1)" "$(of dense 2)" 1.3 1.5
against "its trunk alone: encoder and GRU" "$(of trunk 1)" "$(of trunk 2)" 1.7 2.2
against "default recipe (factored heads) against PyTorch's dense heads" "$recipe_rate" "$(of dense 2)" 6 9
against "default recipe against PyTorch with the same factored heads" "$recipe_rate" "$(of factored 2)" 1.3 2
nats "nats of later events, Online Retail, 3 seeds: default recipe against dense heads" factored dense "<1.01"
line "peak memory of pretrain, steps of 4,096 events, default recipe" "$default_peak" null MiB "<1024" "<512" "$default_peak"
line "the same with dense heads" "$dense_peak" null MiB "<1024" "<512" "$dense_peak"
missing=""
against "two threads against one, dense heads" "$(of dense 1)" "$(of dense 3)" 1.85 null
against "two threads against one, factored heads" "$(of factored 1)" "$(of factored 3)" 1.85 null
if [ $bf16 = 1 ]; then
    against "bf16 against fp32, dense heads" "$(of dense 4)" "$(of dense 1)" 1.5 null
    against "bf16 against fp32, factored heads" "$(of factored 4)" "$(of factored 1)" null null
    nats "nats of later events, Online Retail, 3 seeds: bf16 against fp32" bf16 factored "<1.005"
else
    line "bf16 against fp32, dense heads" null null events/s null null null "this machine has no BF16: its numbers are tested by emulation (tests/test_train_step.c)"
fi
