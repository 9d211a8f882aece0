#!/usr/bin/env bash
# The live path's microseconds per event, one thread: fold, encoder, two streams of h 256, a joint head of 200 trees, states
# written back; hot and with 1 M cards and 1 M merchants, one by one and in batches of 64. Peer: ONNX Runtime on a GRU of the
# same width with embeddings and one head (no fold, one stream, no trees), fp32 and int8, in the same run, taking turns;
# every figure is the median of the rounds. COLD=, ROUNDS=, EVENTS= make it smaller.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
florin=${FLORIN:-$root/build/florin}
build=$(dirname "$florin")
cache=${FLORIN_CACHE:-$HOME/.cache/florin}
cold=${COLD:-1000000} rounds=${ROUNDS:-7} events=${EVENTS:-20000}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
pin=()
if command -v taskset >/dev/null; then pin=(taskset -c "$(($(nproc) - 1))"); fi
"$florin" simulate --events 20000 --days 90 --seed 1 --out "$scratch/log" --quiet >/dev/null
"$florin" pretrain "$scratch/log" --out "$scratch/net" --hidden 256 --steps 4 --quiet >/dev/null
"$build/bench/score_model" "$scratch/log" "$scratch/net" "$scratch/model"
# Both sides stay up and are asked in turn through pipes: 3, 4 to and from ours, 5, 6 the peer.
mkfifo "$scratch/to-ours" "$scratch/from-ours" "$scratch/to-peer" "$scratch/from-peer"
${pin[@]+"${pin[@]}"} "$build/bench/score_main" "$scratch/model" "$cold" <"$scratch/to-ours" >"$scratch/from-ours" &
exec 3>"$scratch/to-ours" 4<"$scratch/from-ours"
read -r -u 4 filled
echo "filled: $filled"
peer_version="" python=$cache/peers/bin/python
why="onnxruntime is missing: make bench-peers"
if [ -x "$python" ] && "$python" -c 'import onnx, onnxruntime' 2>/dev/null; then
    ${pin[@]+"${pin[@]}"} "$python" "$root/bench/peers/score_onnx.py" <"$scratch/to-peer" >"$scratch/from-peer" 2>"$scratch/peer.txt" &
    exec 5>"$scratch/to-peer" 6<"$scratch/from-peer"
    if read -r -u 6 _ peer_version; then echo "peer: ONNX Runtime $peer_version"; else
        why="the peer failed: $(tail -1 "$scratch/peer.txt" | tr -d '"\\' | cut -c1-120)"
        peer_version=""
    fi
fi
# ours HOW BATCH, peer KIND BATCH: one round's "P50 P99" is appended to $scratch/NAME
ours() { echo "$1 $2 $events" >&3; read -r -u 4 line; echo "$line" >>"$scratch/ours-$1-$2"; }
peer() { echo "$1 $2 $events" >&5; read -r -u 6 line; echo "$line" >>"$scratch/peer-$1-$2"; }
for ((r = 0; r < rounds; r++)); do
    for batch in 1 64; do
        for how in hot cold; do ours $how $batch; done
        if [ -n "$peer_version" ]; then for kind in fp32 int8; do peer $kind $batch; done; fi
    done
done
# median FILE COLUMN
median() { cut -d' ' -f"$2" "$1" | sort -n | awk '{v[NR] = $1} END {print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2}'; }
# line CASE OURS PEER RATIO UNIT WHY
line() {
    printf '{"bench":"score","case":"%s","ours":%s,"peer":%s,"ratio":%s,"unit":"%s","target":null,"goal":null,"met":%s%s}\n' \
        "$1" "$2" "$3" "$4" "$5" "$([ -z "$6" ] && echo true || echo false)" "${6:+,\"why\":\"$6\"}"
}
ratio() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.3g", a / b}'; }
lines=()
for batch in 1 64; do
    for how in hot cold; do
        p50=$(median "$scratch/ours-$how-$batch" 1) p99=$(median "$scratch/ours-$how-$batch" 2)
        for kind in int8 fp32; do
            name="$how, batch $batch, against ONNX Runtime $kind"
            if [ -n "$peer_version" ]; then
                q50=$(median "$scratch/peer-$kind-$batch" 1) q99=$(median "$scratch/peer-$kind-$batch" 2)
                lines+=("$(line "$name: p50" "$p50" "$q50" "$(ratio "$q50" "$p50")" "us/event" "")")
                lines+=("$(line "$name: p99" "$p99" "$q99" "$(ratio "$q99" "$p99")" "us/event" "")")
                lines+=("$(line "$name: times as fast, p50" "$(ratio "$q50" "$p50")" 1 "$(ratio "$q50" "$p50")" "x" "")")
            else
                lines+=("$(line "$name: p50" "$p50" null null "us/event" "$why")")
                lines+=("$(line "$name: p99" "$p99" null null "us/event" "$why")")
                lines+=("$(line "$name: times as fast, p50" null null null "x" "$why")")
            fi
        done
    done
done
printf '%s\n' "${lines[@]}"
