#!/usr/bin/env bash
# run.sh NAME: runs bench/NAME.sh or bench/NAME.py, shows all it says, and keeps its JSON lines with machine and date
# in bench/results/NAME.jsonl, from which `make results` writes docs/results.md. A script prints one line per
# condition, last, with the keys bench, case, ours, peer, ratio, unit, target, goal, met in this order.
set -euo pipefail
name=${1:?usage: run.sh NAME}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
export FLORIN=$root/build/florin
if [ -x "bench/$name.sh" ]; then command=("bench/$name.sh")
elif [ -f "bench/$name.py" ]; then command=(python3 "bench/$name.py")
else echo "bench/$name.sh or bench/$name.py is missing" >&2; exit 1; fi
python=${FLORIN_CACHE:-$HOME/.cache/florin}/peers/bin/python
if [ "${command[0]}" = python3 ] && [ -x "$python" ]; then command[0]=$python; fi
out=$(mktemp)
trap 'rm -f "$out"' EXIT
code=0
"${command[@]}" | tee "$out" || code=$?
lines=$(grep '^{"bench":' "$out" || true)
[ -n "$lines" ] || { echo "bench-$name printed no result line" >&2; exit $((code ? code : 1)); }
value='("[^"]*"|null|-?[0-9][0-9.e+-]*)'
good="^\\{\"bench\":\"$name\",\"case\":\"[^\"]*\",\"ours\":$value,\"peer\":$value,\"ratio\":$value,\"unit\":\"[^\"]*\",\"target\":$value,\"goal\":$value,\"met\":(true|false)(,\"why\":\"[^\"]*\")?\\}\$"
if bad=$(grep -vE "$good" <<<"$lines"); then
    echo "bench-$name: not a result line, or its keys are out of order: $bad" >&2
    exit 1
fi
# A run on validation data is for choosing, not for the record.
if [ -z "${VALID:-}" ] && [ "$code" = 0 ]; then
    cpu=$(awk -F': ' '/^model name/ {print $2; exit}' /proc/cpuinfo | tr -d '"\\')
    stamp="\"date\":\"$(date -u +%Y-%m-%d)\",\"machine\":\"${cpu:-$(uname -m)}, $(nproc) cores\",\"commit\":\"$(git rev-parse --short HEAD 2>/dev/null || echo unknown)\""
    mkdir -p bench/results
    sed "s/}\$/,$stamp}/" <<<"$lines" >"bench/results/$name.jsonl.new"
    mv "bench/results/$name.jsonl.new" "bench/results/$name.jsonl"
fi
exit "$code"
