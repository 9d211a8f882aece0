# florin ablate: runs a plan, goes on after kill -9 to the same table, repeats only what a changed plan changed; a budget; a scaling
# plan and its plot; what a plan may not say.
. "$FLORIN_SOURCE/tests/support/shell.sh"
ok "$FLORIN" simulate --out small.log --events 6000 --cards 120 --seed 3 --quiet
cp "$FLORIN_SOURCE"/examples/ablate/simulated_*.yaml .
plan() { # plan SEEDS CHOICES: a plan on the world
    cat <<EOF
florin_ablation: 1
name: a small one
seeds: $1
draws: 40
rounds: 5
data:
  - name: simulated
    log: small.log
    until: 2025-04-10
    pretrain: {hidden: 8, width: 8, epochs: 1}
    tasks: [simulated_dormant_14d.yaml]
$2
EOF
}
three='choices:
  - name: slices
    pretrain: {contrast: 0.3}
  - name: ahead
    pretrain: {ahead: 2, ahead_weight: 0.5}
  - name: embedding
    default: on
    fit: {inputs: fold}'
plan 2 "$three" >plan.yaml

# The whole plan; again at once: nothing is run.
ok "$FLORIN" ablate plan.yaml --work whole --quiet
has out.txt '^  simulated +dormant_14d +AUC +0\.[0-9]+ +0\.[0-9]+ +[+-]0\.[0-9]+ \[[+-][0-9.]+, [+-][0-9.]+\]  2'
has out.txt 'events a core second'
equal "$(grep -c . whole/runs.jsonl)" 14 # 2 seeds x (3 models, 4 fits)
cp out.txt want.txt
cp whole/runs.jsonl before
ok "$FLORIN" ablate plan.yaml --work whole --quiet
same out.txt want.txt
same whole/runs.jsonl before
ok "$FLORIN" ablate plan.yaml --work whole --quiet --json
cp out.txt result.json
equal "$(json result.json choices.0.name)" slices
equal "$(json result.json choices.2.default)" on
equal "$(json result.json done) $(json result.json runs)" "14 14"
no_nan result.json

# kill -9 in the middle, a torn last line: the same command ends with the same figures.
"$FLORIN" ablate plan.yaml --work killed --quiet >/dev/null 2>&1 &
PID=$!
for _ in $(seq 600); do
    [ "$(cat killed/runs.jsonl 2>/dev/null | wc -l)" -lt 3 ] || break
    sleep .05
done
kill -KILL $PID 2>/dev/null || true
wait $PID 2>/dev/null || true
[ "$(grep -c . killed/runs.jsonl)" -lt 14 ] || die "the kill came too late"
printf '{"key":"half a li' >>killed/runs.jsonl
kept=$(head -1 killed/runs.jsonl)
ok "$FLORIN" ablate plan.yaml --work killed --quiet --json
equal "$(head -1 killed/runs.jsonl)" "$kept"
equal "$(grep -c . killed/runs.jsonl)" 14
for at in 0 1 2; do
    for what in off on gain low high; do
        equal "$what $(json out.txt choices.$at.tasks.0.$what)" "$what $(json result.json choices.$at.tasks.0.$what)"
    done
done

# A choice more: only its runs are new. A budget that is over at once: nothing is run, and it says what is left.
plan 2 "$three
  - name: fp32
    default: on
    pretrain: {precision: fp32}" >more.yaml
ok "$FLORIN" ablate more.yaml --work whole --quiet --budget 0.000001
has out.txt '14 of 18 runs are done: the same command goes on'
ok "$FLORIN" ablate more.yaml --work whole --quiet
equal "$(grep -c . whole/runs.jsonl)" 18

# Scaling: points, a curve with its residual, a plot.
plan 1 'scaling: {sizes: [nano, small], epochs: [0.5, 1]}' | sed 's/hidden: 8, width: 8, epochs: 1/patience: 0/' >scale.yaml
ok "$FLORIN" ablate scale.yaml --work scale --quiet --plot scale.svg
has out.txt '^simulated: nats = .*parameters \/ 100,000.*events \/ 1,000,000'
has out.txt 'what is left: [0-9.]+ nats'
has scale.svg 'events seen in pretraining'
no_nan scale.svg

# What a plan may not say.
refused() { fails "$1" "$2" "$FLORIN" ablate bad.yaml --work bad --quiet; }
plan 2 'choices: [{name: a}]' >bad.yaml
refused 3 "bad.yaml:12.*choice 'a' changes nothing"
plan 2 'choices: [{name: a, pretrain: {contrst: 1}}]' >bad.yaml
refused 3 'contrst.*contrast'
plan 2 'choices: [{name: a, pretrain: {contrast: -1}}]' >bad.yaml
refused 2 'simulated, a: --contrast must be 0 to 1000'
plan 2 'choices: [{name: a, fit: {inputs: half}}]' >bad.yaml
refused 3 "inputs 'half': all, fold"
plan 0 "$three" >bad.yaml
refused 3 'seeds: 1 to 16'
plan 2 "$three" | sed 's/2025-04-10/2025-04-20/' >bad.yaml
refused 8 'later than the first validation period'
plan 2 "$three" | sed 's/simulated_dormant_14d/none/' >bad.yaml
refused 3 'none.yaml: there is no such task file'
grep -v '^validate' simulated_dormant_14d.yaml >blind.yaml
plan 2 "$three" | sed 's/simulated_dormant_14d/blind/' >bad.yaml
refused 3 'blind.yaml: no .validate. period'
plan 2 "$three" | sed 's/small.log/none.log/' >bad.yaml
fails 6 'none.log: no event log here' "$FLORIN" ablate bad.yaml --work bad --quiet
fails 2 'plot draws a plan with .scaling' "$FLORIN" ablate plan.yaml --work whole --quiet --plot x.svg
echo nonsense >whole/runs.jsonl
fails 4 'runs.jsonl:1: not a run of an ablation' "$FLORIN" ablate plan.yaml --work whole --quiet
done_testing
