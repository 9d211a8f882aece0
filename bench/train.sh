#!/usr/bin/env bash
# Speed of a pretraining step beside PyTorch's, in one run, taken in turns: 8 category fields in and out (vocabularies
# 8,192 and 7 x 1,024), 2 numbers, GRU of 256 behind an encoder of 128, 32 sequences x 128 events a step, AdamW, 2
# threads. dense: one softmax for each field on both sides; factored: two levels on both sides. Ours does more: it also
# reads and predicts amount and gap, reads the fold's features and mixes in each entity's recent values.
# A rate is the median over one run (ours: every tenth step, of the last half second; PyTorch's: every step), a figure
# the median over ROUNDS runs.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
florin=${FLORIN:-$root/build/florin}
python=${FLORIN_CACHE:-$HOME/.cache/florin}/peers/bin/python
rounds=${ROUNDS:-3} seconds=${SECONDS_EACH:-20} rows=${ROWS:-200000} steps=${STEPS:-60}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# Pairs of cores differ from day to day; what matters is that both sides sit on the same ones.
pin=(nice -n 0)
if command -v taskset >/dev/null && [ "$(nproc)" -ge 2 ]; then pin=(taskset -c 0,1); fi
middle() { sort -g | awk '{a[NR] = $1} END {print NR % 2 ? a[(NR + 1) / 2] : (a[NR / 2] + a[NR / 2 + 1]) / 2}'; }

awk -v n="$rows" 'BEGIN {
    srand(1)
    printf "id,time,card,amount,n"; for (i = 0; i < 8; i++) printf ",c%d", i; print ""
    for (r = 0; r < n; r++) {
        printf "%d,%.0f,%d,%.2f,%.3f,a%d", r, 1700000000 + r * 30, int(rand() * n / 100), exp(6 * rand()), rand(), int(rand() * 8192)
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
    numbers: {n: n}
YAML
"$florin" import "$scratch/schema.yaml" --log "$scratch/log" --quiet >/dev/null

# ours dense|factored: events/s. No validation, no unseen entities: steps alone.
ours() {
    local options=(--hidden 256 --width 128 --lanes 32 --window 128 --epochs 1000 --patience -1 --unseen-share -1
        --until 2040-01-01 --valid-from 2040-01-01 --threads 2 --quiet --out "$scratch/m" --checkpoint 100000)
    if [ "$1" = dense ]; then options+=(--dense --steps "$steps"); else options+=(--steps $((steps * 6))); fi
    rm -f "$scratch/journal" "$scratch/m"
    "${pin[@]}" "$florin" pretrain "$scratch/log" "${options[@]}" --log "$scratch/journal" >/dev/null
    sed -n 's/.*"events_per_s":\([0-9.]*\).*/\1/p' "$scratch/journal" | tail -n +2 | middle
}
peer() {
    local preload
    preload=$(ldconfig -p 2>/dev/null | awk '/libtcmalloc(_minimal)?\.so/ {print $NF; exit}')
    LD_PRELOAD=$preload "${pin[@]}" "$python" "$root/bench/peers/train_torch.py" "$1" "$seconds" | tee -a "$scratch/peer.log" |
        sed -n 's/.*"events_per_second": *\([0-9.]*\).*/\1/p'
}
have=1
if [ ! -x "$python" ] || ! "$python" -c 'import torch' 2>/dev/null; then have=0; fi
for round in $(seq "$rounds"); do
    for kind in dense factored; do
        r=$(ours $kind)
        echo "$r" >>"$scratch/ours.$kind"
        p="-"
        if [ $have = 1 ]; then
            p=$(peer $kind)
            echo "$p" >>"$scratch/peer.$kind"
        fi
        echo "round $round, $kind heads: ours $r, PyTorch $p events/s"
    done
done
[ $have = 0 ] || echo "PyTorch: $(tail -1 "$scratch/peer.log")"
for kind in dense factored; do
    o=$(middle <"$scratch/ours.$kind") p=null why=',"why":"PyTorch is missing: make bench-peers"' met=false
    if [ $have = 1 ]; then p=$(middle <"$scratch/peer.$kind") why="" met=true; fi
    awk -v c="training step, $kind heads, GRU 256" -v o="$o" -v p="$p" -v why="$why" -v met="$met" 'BEGIN {
        printf "{\"bench\":\"train\",\"case\":\"%s\",\"ours\":%.0f,\"peer\":%s,\"ratio\":%s,\"unit\":\"events/s\",\"target\":null,\"goal\":null,\"met\":%s%s}\n",
            c, o, p, p == "null" ? "null" : sprintf("%.3g", o / p), met, why }'
done
