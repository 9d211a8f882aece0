#!/usr/bin/env bash
# A whole simulated log to vectors with `florin embed`, h 256, default options, as a user calls it: from opening the model to the
# file on disk. Events per second of wall time, median of the rounds.
#   one stream    a schema whose merchants are not payees; a vector per card
#   both streams  both states of every event, to .npy: 2 KiB an event are written
# Peer: PyTorch's GRU of the same width over histories of the same lengths, packed, on inputs that lie ready (no fold, no encoder),
# in fp32 and with dynamically quantised weights, on the same threads of the same cores, taking turns.
# The targets are for one thread of a quiet machine B (173 GFLOP/s of fp32 on one thread); here they are scaled by this
# machine's own peak, taken in the same run. FLORIN_SCALE=1.4 sets the factor; EVENTS=, ROUNDS= make it smaller.
set -euo pipefail
bench=embed
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
events=${EVENTS:-300000} rounds=${ROUNDS:-3}
peak_scale
# world EVENTS SEED NAME: a log with both streams, $scratch/NAME-both, and the same events with one, $scratch/NAME-one
world() {
    "$florin" simulate --events "$1" --days 90 --seed "$2" --csv "$scratch/csv" --quiet >/dev/null
    "$florin" import "$scratch/csv/schema.yaml" --log "$scratch/$3-both" --quiet >/dev/null
    sed 's/merchant: payee/merchant: other/' "$scratch/csv/schema.yaml" >"$scratch/csv/one.yaml"
    "$florin" import "$scratch/csv/one.yaml" --log "$scratch/$3-one" --quiet >/dev/null
}
world 20000 1 learn
world "$events" 2 log
for streams in one both; do
    "$florin" pretrain "$scratch/learn-$streams" --out "$scratch/$streams.model" --hidden 256 --steps 4 --quiet >/dev/null
done
two_cores=(nice -n 0)
# embed CASE STREAMS THREADS OPTION...: one round, its rate appended to $scratch/CASE
embed() {
    local name=$1 streams=$2 threads=$3 on=("${one_core[@]}") start
    shift 3
    [ "$threads" = 1 ] || on=("${two_cores[@]}")
    start=$EPOCHREALTIME
    "${on[@]}" "$florin" embed "$scratch/log-$streams" --model "$scratch/$streams.model" --threads "$threads" --quiet "$@" >/dev/null
    calc "$events / ($EPOCHREALTIME - $start)" >>"$scratch/$name"
    echo >>"$scratch/$name"
}
# peer CASE THREADS PRECISION KIND...
peer() {
    local name=$1 threads=$2 precision=$3 on=("${one_core[@]}")
    shift 3
    [ "$threads" = 1 ] || on=("${two_cores[@]}")
    "${on[@]}" "$python" -W ignore "$root/bench/peers/embed_torch.py" "$threads" "$precision" \
        "${@/%/.npy.ids.csv}" >"$scratch/peer.json"
    calc "$(number "$scratch/peer.json" events) / $(number "$scratch/peer.json" seconds)" >>"$scratch/$name"
    echo >>"$scratch/$name"
}
card=$scratch/card merchant=$scratch/merchant
missing=""
has torch || missing="PyTorch is missing: make bench-peers"
for ((r = 0; r < rounds; r++)); do
    embed one one 1 --entity card --out "$card.npy"
    embed both both 1 --out "$scratch/events.npy"
    embed merchant both 1 --entity merchant --out "$merchant.npy"
    if [ "$(nproc)" -ge 2 ]; then
        embed one-2 one 2 --entity card --out "$card.npy"
        embed both-2 both 2 --out "$scratch/events.npy"
    fi
    [ -z "$missing" ] || continue
    for precision in fp32 int8; do
        peer "one-$precision" 1 $precision "$card"
        peer "both-$precision" 1 $precision "$card" "$merchant"
    done
    [ "$(nproc)" -lt 2 ] || peer one-fp32-2 2 fp32 "$card"
done
[ -n "$missing" ] || echo "peer: PyTorch $(number "$scratch/peer.json" version)"
# got NAME: median of the rounds, null where nothing ran
got() { if [ -f "$scratch/$1" ]; then grep . "$scratch/$1" | median; else echo null; fi; }
absolute "one stream, 1 thread" "$(got one)" 120000 150000 "$(got one-fp32)"
absolute "both streams, a vector per event, 1 thread" "$(got both)" 70000 90000 "$(got both-fp32)"
keep "a schema with both streams, a vector per merchant, 1 thread" "$(got merchant)" null events/s null null null
for streams in one both; do
    keep "$streams stream$([ $streams = one ] || echo s), 1 thread, against PyTorch's GRU in int8, 1 thread" \
        "$(got $streams)" "$(got $streams-int8)" events/s null null null "$missing"
done
if [ "$(nproc)" -ge 2 ]; then
    keep "one stream, 2 threads, against PyTorch's on 2" "$(got one-2)" "$(got one-fp32-2)" events/s null null null "$missing"
    keep "both streams, 2 threads" "$(got both-2)" null events/s null null null
fi
printf '%s\n' "${lines[@]}"
