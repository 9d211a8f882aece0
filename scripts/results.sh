#!/usr/bin/env bash
# Writes docs/results.md from the lines that `make bench-...` kept in bench/results/*.jsonl.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
get=build/tests/json_get
[ -x $get ] || { echo "results: build first (make)" >&2; exit 1; }
field() { $get - "$2" <<<"$1" 2>/dev/null || echo null; }
shown() {
    local v
    v=$(field "$1" "$2")
    case $v in
    null) echo "-" ;;
    -[0-9]* | [0-9]*) if [[ $v =~ ^-?[0-9.eE+-]+$ ]]; then awk -v v="$v" 'BEGIN {print v == int(v) ? sprintf("%.0f", v) : sprintf("%.5g", v)}'; else echo "$v"; fi ;;
    *) echo "$v" ;;
    esac
}
{
    echo "# Results"
    echo
    echo "Made by \`make results\` from the JSON lines of the last complete run of each benchmark"
    echo "(\`bench/results/*.jsonl\`). Ratio: ours over the peer's. Target: the must; \"-\": only reported."
    for f in bench/results/*.jsonl; do
        [ -s "$f" ] || continue
        first=$(head -1 "$f")
        echo
        echo "## $(basename "$f" .jsonl)"
        echo
        echo "$(field "$first" date), $(field "$first" machine), commit $(field "$first" commit)."
        echo
        echo "| case | ours | peer | ratio | unit | target | goal | met |"
        echo "|---|---|---|---|---|---|---|---|"
        while IFS= read -r line; do
            met=$(field "$line" met)
            why=$(field "$line" why)
            [ "$why" = null ] || met="$met ($why)"
            echo "| $(shown "$line" case) | $(shown "$line" ours) | $(shown "$line" peer) | $(shown "$line" ratio)" \
                "| $(shown "$line" unit) | $(shown "$line" target) | $(shown "$line" goal) | $met |"
        done <"$f"
        if [ "$(basename "$f" .jsonl)" = state ] && scripts/state-plot.sh >/dev/null; then
            echo
            echo "![Microseconds per event against the number of entities, and against the length of a history](state.svg)"
        fi
    done
    for f in bench/results/*.txt; do
        [ -s "$f" ] || continue
        echo
        echo "## $(basename "$f" .txt | sed 's/^quick$/ablation/')"
        echo
        head -1 "$f"
        echo
        echo '```'
        tail -n +2 "$f"
        echo '```'
        if [ "$(basename "$f" .txt)" = scaling ] && [ -s docs/scaling.svg ]; then
            echo
            echo "![Held-out nats, and the task's average precision, against events seen in pretraining, by size](scaling.svg)"
        fi
    done
} >docs/results.md.new
mv docs/results.md.new docs/results.md
echo "docs/results.md written"
