#!/usr/bin/env bash
# The live path's microseconds per event, one thread: fold, encoder, two streams of h 256, a joint head of 200 trees, states
# written back, with 1 M cards and 1 M merchants: one by one (back to back; with the caches evicted between events; with the
# five strongest reasons), in batches of 64, and hot. Peer: ONNX Runtime's bare GRU cell of the same width with embeddings and
# one head (no fold, one stream, no trees), hot, in the same run, taking turns; every figure is the median of the rounds.
# The targets are for a machine on which the int8 cell takes 26 us at p50 and 47 us at p99; elsewhere they are scaled by what
# it takes here. ENTITIES=, ROUNDS=, EVENTS= make it smaller.
set -euo pipefail
bench=score
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
build=$(dirname "$florin")
entities=${ENTITIES:-1000000} rounds=${ROUNDS:-7} events=${EVENTS:-20000}
scored_model
# Both sides stay up and are asked in turn through pipes: 3, 4 to and from ours, 5, 6 the peer.
mkfifo "$scratch/to-ours" "$scratch/from-ours" "$scratch/to-peer" "$scratch/from-peer"
"${one_core[@]}" "$build/bench/score_main" "$scratch/model" "$entities" <"$scratch/to-ours" >"$scratch/from-ours" &
exec 3>"$scratch/to-ours" 4<"$scratch/from-ours"
read -r -u 4 filled
echo "filled: $filled"
peer_version=""
why="onnxruntime is missing: make bench-peers"
if has "onnx, onnxruntime"; then
    "${one_core[@]}" "$python" "$root/bench/peers/score_onnx.py" <"$scratch/to-peer" >"$scratch/from-peer" 2>"$scratch/peer.txt" &
    exec 5>"$scratch/to-peer" 6<"$scratch/from-peer"
    if read -r -u 6 _ peer_version; then echo "peer: ONNX Runtime $peer_version"; else
        why="the peer failed: $(tail -1 "$scratch/peer.txt" | tr -d '"\\' | cut -c1-120)"
        peer_version=""
    fi
fi
# ours HOW BATCH EVENTS, peer KIND BATCH: one round's "P50 P99" is appended to $scratch/NAME
ours() { echo "$1 $2 $3" >&3; read -r -u 4 got; echo "$got" >>"$scratch/ours-$1-$2"; }
peer() { echo "$1 $2 $events" >&5; read -r -u 6 got; echo "$got" >>"$scratch/peer-$1-$2"; }
for ((r = 0; r < rounds; r++)); do
    ours cold 1 "$events"
    if [ -n "$peer_version" ]; then peer int8 1; fi
    ours evicted 1 $((events / 20))
    ours reasons 1 $((events / 4))
    ours cold 64 "$events"
    ours hot 1 "$events"
    if [ -n "$peer_version" ]; then peer int8 64; peer fp32 1; fi
done
# got FILE COLUMN: median of the rounds, null where nothing ran
got() { if [ -f "$scratch/$1" ]; then median "$2" <"$scratch/$1"; else echo null; fi; }
q50=$(got peer-int8-1 1) q99=$(got peer-int8-1 2)
# timed CASE FILE COLUMN MUST GOAL PEER QUIET: MUST and GOAL are for a peer that takes QUIET
timed() {
    local us
    us=$(got "$2" "$3")
    if [ "$6" = null ]; then
        keep "$1" "$us" null "us/event" "<$4" "<$5" "$us" "$why, so $4 is not scaled"
    else
        keep "$1 ($4, goal $5, where the int8 cell takes $7)" "$us" "$6" "us/event" "<$(calc "$4 * $6 / $7")" "<$(calc "$5 * $6 / $7")" "$us"
    fi
}
timed "one event, cold: p50" ours-cold-1 1 12 8 "$q50" 26
timed "one event, cold: p99" ours-cold-1 2 30 15 "$q99" 47
times=$(calc "$q50 / $(got ours-cold-1 1)")
keep "one event, cold: times as fast as the int8 cell, p50" "$times" "$([ "$times" = null ] && echo null || echo 1)" "x" 2 3 "$times" "$([ -n "$peer_version" ] || echo "$why")"
timed "one event, caches evicted before it: p50" ours-evicted-1 1 30 20 "$q50" 26
timed "one event, caches evicted before it: p99" ours-evicted-1 2 70 40 "$q99" 47
timed "one event, cold, with 5 reasons: p50" ours-reasons-1 1 40 25 "$q50" 26
timed "batches of 64, cold: p50" ours-cold-64 1 8 5 "$q50" 26
for q in p50:1 p99:2; do
    keep "one event, hot, against the fp32 cell: ${q%:*}" "$(got ours-hot-1 "${q#*:}")" "$(got peer-fp32-1 "${q#*:}")" "us/event" null null null
done
keep "batches of 64, cold, against the int8 cell in batches of 64: p50" "$(got ours-cold-64 1)" "$(got peer-int8-64 1)" "us/event" null null null
printf '%s\n' "${lines[@]}"
