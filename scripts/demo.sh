#!/usr/bin/env bash
# demo.sh [small]: raw payments to a trained model, honest scores and a replayed stream, all under demo/. Shows every
# command, so that a reader can repeat each step by hand. `make demo` builds first and runs this. Numbers are the same
# on every run of one kind of machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
size=${1:-${SIZE:-full}}
until=2025-05-01 # the model learns from what lies before it; every task is judged on later days
case $size in
full | "") size=full events=400000 network=(--hidden 128 --width 96 --epochs 4) rounds=120 ;;
small) events=120000 network=(--hidden 48 --width 48 --epochs 2) rounds=60 ;;
*) echo "demo: SIZE is small, or left out, not '$size'" >&2; exit 2 ;;
esac
tasks=(fraud card_testing churn_30d)
dir=demo florin=build/florin get=build/tests/json_get
for program in $florin $get; do
    [ -x $program ] || { echo "demo: $program is missing: run make demo" >&2; exit 1; }
done
trap 'echo; echo "demo: stopped" >&2; exit 130' INT TERM

bold='' dim='' plain=''
if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; fi
steps=8 step=0 begin=$SECONDS began=$SECONDS
# step TITLE: opens a step; closes the one before with its time.
took() { [ $step = 0 ] || echo "     ${dim}$((SECONDS - began)) s$plain"; }
step() {
    took
    step=$((step + 1)) began=$SECONDS
    echo
    echo "$bold$step/$steps  $1$plain"
}
say() { echo "     $*"; }
# run COMMAND...: shows it as it can be typed, runs it, its results indented; "to FILE" first: its results go to the file.
run() {
    local file='' line='$' word
    if [ "$1" = to ]; then file=$2; shift 2; fi
    for word in "$@" ${file:+">" "$file"}; do
        case $word in *" "*) word="'$word'" ;; esac
        if [ $((${#line} + ${#word})) -gt 72 ]; then
            echo "     $dim$line \\$plain"
            line="   "
        fi
        line+=" $word"
    done
    echo "     $dim$line$plain"
    if [ -n "$file" ]; then "$@" >"$file"; else "$@" | fold -s -w 76 | sed 's/^/    /'; fi
}

# The best of the simple rules and Florin, nats of a whole event: one line for each stream and slice.
show_learnt() {
    local stream slice rule value best of ours
    printf '     %-48s %8s  %s\n' "Nats to say the next event, less is better" Florin "best simple rule"
    for stream in payer payee; do
        for slice in later unseen; do
            ours=$($get $dir/pretrain.json metrics.$stream.$slice.nats.sum 2>/dev/null) || continue
            best=
            for rule in popular last frequent decayed; do
                value=$($get $dir/pretrain.json baselines.$stream.$slice.$rule.sum)
                if [ -z "$best" ] || awk "BEGIN {exit !($value < $best)}"; then best=$value of=$rule; fi
            done
            if [ $slice = later ]; then slice="later days"; else slice="cards and shops never trained on"; fi
            awk -v what="of a $stream, $slice" -v a="$ours" -v b="$best" -v of=$of 'BEGIN {
                printf "     %-48s %8.3f  %.3f (%s)%s\n", what, a, b, of, (a < b ? "" : "  not beaten") }'
        done
    done
}
# Florin beside the boosted trees on the fold features alone, on days that neither saw.
show_table() {
    local task file metric i j d
    echo
    say "Judged on later days. AP: average precision. Intervals: 95 %, by entity."
    printf '     %-4s %-21s %-21s %s\n' "" Florin "boosted trees" "paired difference"
    for task in "${tasks[@]}"; do
        file=$dir/$task.json
        i=$(place "$file" systems name florin) j=$(place "$file" systems name baseline)
        say "$task: $($get "$file" test.positives) of $($get "$file" test.rows) are positive"
        for metric in auc ap; do
            d=$(place "$file" differences metric $metric)
            awk -v m=${metric^^} -v a="$($get "$file" systems.$i.metrics.$metric)" \
                -v b="$($get "$file" systems.$j.metrics.$metric)" -v d="$($get "$file" differences.$d)" '
                function take(s, key) { match(s, "\"" key "\": *-?[0-9.eE+-]+"); s = substr(s, RSTART, RLENGTH); sub(/.*: */, "", s); return s + 0 }
                function show(s) { return sprintf("%.3f [%.3f, %.3f]", take(s, "value"), take(s, "low"), take(s, "high")) }
                BEGIN {
                    low = take(d, "low"); high = take(d, "high")
                    printf "     %-4s %-21s %-21s %+.3f [%+.3f, %+.3f]%s\n", m, show(a), show(b), take(d, "value"), low, high,
                        (low > 0 || high < 0 ? " *" : "")
                }'
        done
    done
    say "*: the whole interval of the difference is on one side of 0."
}
# place FILE LIST KEY VALUE: index of the list's object whose KEY is VALUE.
place() {
    local i n
    n=$($get "$1" "$2.#")
    for ((i = 0; i < n; i++)); do
        if [ "$($get "$1" "$2.$i.$3")" = "$4" ]; then echo $i; return; fi
    done
    echo "demo: $1 has no $2 with $3 $4" >&2
    return 1
}
show_suspicious() {
    local i k n m file=$dir/suspicious.json id kind
    n=$($get $file top.#)
    say "Payment, time, amount, score (probability), and what the simulator knows:"
    for ((i = 0; i < n; i++)); do
        id=$($get $file top.$i.id)
        kind=$(awk -F, -v id="$id" '$1 == id {print $2}' $dir/tables/truth.csv)
        printf '     %2d. %s  %s  %s  %s (%.0f %%)  %s\n' $((i + 1)) "$id" \
            "$($get $file top.$i.time | cut -c1-16)" "$($get $file top.$i.amount)" "$($get $file top.$i.score)" \
            "$(awk "BEGIN {print 100 * $($get $file top.$i.probability)}")" "${kind:-genuine}"
        m=$($get $file top.$i.reasons.#)
        for ((k = 0; k < m && k < 3; k++)); do
            printf '         %s\n' "$($get $file top.$i.reasons.$k.text)"
        done
    done
}

echo "${bold}Florin: from raw payments to a model that catches fraud.$plain"
echo "All of it lies in $dir/. Each step shows its command."
rm -rf $dir
mkdir -p $dir

step "Simulate a bank: $events events in 180 days, as CSV tables"
run $florin simulate --events $events --seed 1 --csv $dir/tables
step "Import the tables: checked, sorted, identifiers hashed, one event log"
say "The schema says which column is what; florin draft writes one for you."
run $florin import $dir/tables/schema.yaml --log $dir/bank.log
run to $dir/describe.txt $florin describe $dir/bank.log
sed -n '2,3p' $dir/describe.txt | sed 's/^/     /'
step "Pretrain, without labels: what comes next, from events before $until"
run to $dir/pretrain.json $florin pretrain $dir/bank.log --until $until "${network[@]}" --out $dir/bank.florin --json
show_learnt
step "Fit three tasks on it, each beside boosted trees on the fold alone"
for task in "${tasks[@]}"; do
    run to $dir/$task.txt $florin fit $dir/bank.log --task examples/tasks/$task.yaml --model $dir/bank.florin --rounds $rounds \
        --out $dir/bank.florin --report $dir/$task.json
done
show_table
step "Score the last month, and keep the ten most suspicious payments"
run to $dir/suspicious.json $florin score $dir/bank.log --model $dir/bank.florin --head fraud --from 2025-06-01 \
    --top 10 --out $dir/scores.csv --json
say "$($get $dir/suspicious.json events) payments and other events scored, into $dir/scores.csv"
step "The same month as a stream, event by event: both paths must agree"
run $florin replay $dir/bank.log --model $dir/bank.florin --head fraud --from 2025-06-01 --check
step "The ten most suspicious payments of the month, and why"
show_suspicious
step "One page with all of it, to read in a browser or on a phone"
run $florin report $dir/{fraud,card_testing,churn_30d,pretrain,suspicious}.json --title "Florin demo" --out $dir/report.html
took
echo
echo "${bold}Done in $((SECONDS - begin)) s.$plain Open $dir/report.html. Next: your own table, see README.md."
