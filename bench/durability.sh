#!/usr/bin/env bash
# What a stop costs: a deciding process killed KILLS times (60) at random places, in both modes of `sync` (tests/test_decider_kill.c):
# decisions and outcomes that were acknowledged and lost or doubled, answers that a replay does not give again; opening a journal of
# EVENTS decisions (1 M) from its beginning and its replay; what remembering costs a decision, and `sync = always` beside the disk's own
# fdatasync of 8 KiB in the same run. The network and trees are bench-score's.
set -euo pipefail
bench=durability
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
build=$(dirname "$florin")
kills=${KILLS:-60} events=${EVENTS:-1000000}
figure() { awk -v n="$2" '$1 == n {s += $2} END {printf "%.9g", s}' "$scratch/$1"; }
if FLORIN_KILLS=$kills "$build/tests/test_decider_kill" >"$scratch/kills" 2>&1; then why=""; else why="the test failed"; fi
grep -q '^told' "$scratch/kills" || { cat "$scratch/kills" >&2; exit 1; }
keep "$kills kills: acknowledged and lost" "$(figure kills lost)" null records "<0" "<0" "$(figure kills lost)" "$why"
keep "$kills kills: acknowledged and doubled" "$(figure kills doubled)" null records "<0" "<0" "$(figure kills doubled)" "$why"
keep "$kills kills: records that a replay gives again, byte for byte" "$(figure kills replayed)" "$(figure kills told)" records null null null "$why"

scored_model >/dev/null
"${one_core[@]}" "$build/bench/decider_main" run "$scratch/model" "$scratch/journal" "$events" 100000 interval 16 >"$scratch/interval"
rm -f "$scratch/journal"/*.index # opened without anything but the journal and what it began with
"${one_core[@]}" "$build/bench/decider_main" open "$scratch/model" "$scratch/journal" >"$scratch/open"
million=$(calc "$(figure open open_s) * 1000000 / $(figure open recovered)")
keep "opening a journal of $(figure open recovered) decisions from its beginning, a million" "$million" null s "<15" "<5" "$million"
keep "bytes of journal a decision" "$(calc "$(figure open journal_bytes) / $(figure open records)")" null bytes null null null
"${one_core[@]}" "$florin" replay "$scratch/journal" --model "$scratch/model" --json --quiet >"$scratch/replay.json" || true
keep "answers that a replay does not give again" "$(number "$scratch/replay.json" differ)" null decisions "<0" "<0" "$(number "$scratch/replay.json" differ)"
rm -rf "$scratch/journal"
keep "a decision in batches of 16, remembered over dry" "$(figure interval remembered_us)" "$(figure interval dry_us)" us/event null null null
"${one_core[@]}" "$build/bench/decider_main" run "$scratch/model" "$scratch/journal" "$((events / 20 + 16))" 100000 always 16 >"$scratch/always"
added=$(calc "($(figure always remembered_p99_us) - $(figure always dry_p99_us)) / $(figure always disk_p99_us)")
keep "sync = always, batches of 16 one after the other: added p99 over the disk's fdatasync p99" "$added" 1 x "<3" "<1.5" "$added"
printf '%s\n' "${lines[@]}"
