#!/usr/bin/env bash
# Every bar of quality in one run, from nothing: each part is a benchmark of its own (bench/PART.sh, its lines in
# bench/results/PART.jsonl), and this prints the lines that are held against a bar. A part that was measured by the same
# program, script and task files is not measured again, so a run that was stopped goes on.
#   PARTS="behaviour items"   only these
#   WORK=FOLDER               kept there for the next run (default: build/quality)
set -euo pipefail
bench=quality
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
work=${WORK:-$root/build/quality}
mkdir -p "$work"
begun=$SECONDS
for part in ${PARTS:-checks behaviour items berka habits amlsim few handbook finetune}; do
    script=$root/bench/$part.sh
    [ -x "$script" ] || script=$root/bench/$part.py
    [ -f "$script" ] || { echo "quality: no part $part: bench/$part.sh or bench/$part.py" >&2; exit 2; }
    key=$(cat "$florin" "$script" "$root/bench/handbook.sh" "$root/bench/common.sh" "$root"/examples/tasks/*.yaml | sha256sum | cut -c1-16)
    kept=$work/$part.$key
    if [ ! -s "$kept" ]; then
        echo "--- $part (begun after $((SECONDS - begun)) s)"
        WORK=$work/$part "$root/bench/run.sh" "$part" >"$work/out" || { cat "$work/out"; exit 1; }
        grep -v '^{"bench":' "$work/out" || true
        grep '^{"bench":' "$work/out" >"$kept.new"
        mv "$kept.new" "$kept"
    fi
    # Bars: what has a target, a goal, or a reason why it is not met.
    grep -vE '"target":null,"goal":null,"met":true' "$kept" | sed "s/^{\"bench\":\"[a-z]*\"/{\"bench\":\"quality\"/" >>"$work/all.new" || true
done
awk -F'"met":' '{ n++; if ($2 ~ /^true/) met++ } END { printf "%d of %d lines met\n", met, n }' "$work/all.new"
cat "$work/all.new"
rm "$work/all.new"
