#!/usr/bin/env bash
# How a scorer grows: resident and saved bytes an entity and microseconds an event at 1, 3 and 10 M entities (of ten: 4 cards and
# 4 devices, a merchant, a terminal; cards and merchants have hidden states; 1 M pairs and 1 M pending events are in the
# figures), time to save and to open, memory that saving takes; and microseconds an event along the history of single cards.
# The network and trees are bench-score's. SIZES=, HISTORY= make it smaller. docs/state.svg is drawn from the lines.
set -euo pipefail
bench=state
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
build=$(dirname "$florin")
sizes=${SIZES:-1000000 3000000 10000000} history=${HISTORY:-10000}
scored_model >/dev/null
figure() { awk -v n="$2" '$1 == n {print $2}' "$scratch/size-$1"; }
for n in $sizes; do
    shown=$(awk -v n="$n" 'BEGIN {print n / 1e6 " M"}')
    # Tables of entities, then pairs and pending events; the saved file passes through the page cache.
    free=$(awk '/^MemAvailable/ {print $2 * 1024}' /proc/meminfo)
    if awk -v f="$free" -v n="$n" 'BEGIN {exit !(f < (n * 780 + 1e9) * 1.1)}'; then
        keep "resident, $shown entities" null null "GiB" null null null "too little memory is free for it"
        continue
    fi
    "${one_core[@]}" "$build/bench/state_main" size "$scratch/model" "$n" "$scratch/state" >"$scratch/size-$n"
    rm -f "$scratch/state"
    ten=$(awk -v n="$n" 'BEGIN {print n == 10000000}')
    resident=$(figure "$n" resident) file=$(figure "$n" file)
    most=null
    [ "$ten" = 0 ] || most="<12"
    keep "resident, $shown entities" "$(calc "$resident / 1073741824")" null "GiB" "$most" null "$(calc "$resident / 1073741824")"
    keep "saved, $shown entities" "$(calc "$file / 1073741824")" null "GiB" "$most" null "$(calc "$file / 1073741824")"
    keep "resident, all in, an entity, $shown entities" "$(calc "$resident / $n")" null "bytes" null null null
    keep "memory that saving takes over resident, $shown entities" "$(calc "1 + $(figure "$n" save_extra) / $resident")" 1 "x" "<1.1" null "$(calc "1 + $(figure "$n" save_extra) / $resident")"
    keep "save, $shown entities" "$(figure "$n" save_s)" null "s" null null null
    keep "open, $shown entities" "$(figure "$n" open_s)" null "s" null null null
    keep "one event, $shown entities: p50" "$(figure "$n" single_us)" null "us/event" null null null
done
ran=()
for n in $sizes; do [ ! -f "$scratch/size-$n" ] || ran+=("$n"); done
if [ ${#ran[@]} -ge 2 ]; then
    first=${ran[0]} before=${ran[-2]} last=${ran[-1]}
    # Two sizes give the bytes of one more entity: full tables of pairs and of pending events are in neither.
    each=$(calc "($(figure "$last" file) - $(figure "$before" file)) / ($last - $before)")
    keep "fold and hidden state of one more entity, on average, saved" "$each" null "bytes" "<1024" null "$each"
    grown=$(calc "$(figure "$last" single_us) / $(figure "$first" single_us)")
    keep "one event, $(calc "$last / 1e6") M entities over $(calc "$first / 1e6") M: p50" "$grown" 1 "x" "<1.25" "<1.1" "$grown"
fi
"$build/bench/state_main" history "$scratch/model" "$history" >"$scratch/history"
while read -r n us; do
    keep "one event, history of $n events: p50" "$us" null "us/event" null null null
done <"$scratch/history"
long=$(awk '$1 == 16 {a = $2} {b = $2} END {printf "%.4f", b / a}' "$scratch/history")
keep "one event, history of $history events over 16: p50" "$long" 1 "x" "<1.1" "<1.05" "$long"
printf '%s\n' "${lines[@]}"
