#!/usr/bin/env bash
# make bench-ablate: the ablation and the scaling study of docs/results.md (examples/ablate/quick.yaml, scaling.yaml): some twenty
# minutes on one quiet core, resumable. Keeps their tables in bench/results/ and the plot in docs/scaling.svg.
#   WORK=FOLDER  logs, runs and models are kept here (default build/ablate)
#   BUDGET=MIN   begin no run after so many minutes
set -euo pipefail
bench=ablate
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
work=${WORK:-$root/build/ablate}
mkdir -p "$work"
table() { # table EXAMPLE FILE LOG: imports the example's table once
    [ ! -e "$work/$3.log/manifest.json" ] || return 0
    cp "$root/examples/$1/schema.yaml" "$work/$1.yaml"
    ln -sf "$("$root/scripts/data.sh" "$2")" "$work/$2"
    "$florin" import "$work/$1.yaml" --log "$work/$3.log" --quiet >/dev/null
}
table online_retail online_retail.csv retail
table cdnow cdnow.txt cdnow
[ -e "$work/small.log/manifest.json" ] || "$florin" simulate --events 60000 --seed 1 --out "$work/small.log" --quiet >/dev/null
cpu=$(awk -F': ' '/^model name/ {print $2; exit}' /proc/cpuinfo)
run() { # run PLAN OPTIONS...: its table, with a line above that says what, where and when
    local plan=$1
    shift
    (cd "$work" && "${one_core[@]}" "$florin" ablate "$root/examples/ablate/$plan.yaml" --work "$plan" \
        --budget "${BUDGET:-0}" --threads 1 "$@" --json >"$plan.json" && "$florin" ablate "$root/examples/ablate/$plan.yaml" \
        --work "$plan" --budget 0.000001 --quiet >"$plan.txt")
    {
        echo "\`florin ablate examples/ablate/$plan.yaml\`, ${cpu:-$(uname -m)}, one core, $(date -u +%Y-%m-%d), commit $(git -C "$root" rev-parse --short HEAD)."
        cat "$work/$plan.txt"
    } >"$root/bench/results/$plan.txt"
    cat "$work/$plan.txt"
}
run quick
run scaling --plot "$root/docs/scaling.svg"
