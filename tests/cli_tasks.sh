# The catalogue: every file is listed, a task is found by its name, stored results are averaged over seeds and called signal
# only when their interval is above the named baseline; the baseline itself is what it says; the simulator is frozen.
. "$FLORIN_SOURCE/tests/support/shell.sh"
TASKS=$FLORIN_SOURCE/examples/tasks

# --- what is committed: every task file is listed, each names its baseline, results belong to the frozen simulator
unset FLORIN_TASKS
ok "$FLORIN" tasks --folder "$TASKS" --json
cp out.txt all.json
equal "$(json all.json '#')" "$(find "$TASKS" -name '*.yaml' | wc -l)"
equal "$(grep -L '^baseline: ' "$TASKS"/*.yaml | wc -l)" 0
equal "$(grep -L '^data: ' "$TASKS"/*.yaml | wc -l)" 0
frozen=$(cat "$TASKS/simulator.hash")
equal "$("$FLORIN_SOURCE/scripts/simulator-hash.sh")" "$frozen"
grep '"data":"simulated"' "$TASKS/results.jsonl" >simulated.jsonl || true
equal "$(grep -cvF "\"simulator\":\"$frozen\"" simulated.jsonl || true)" 0
# One model for all tasks of a data set and seed, but for those that use none (the hash of nothing).
grep -v '"model":"e3b0c44298fc1c14"' "$TASKS/results.jsonl" >with.jsonl
equal "$(sed 's/.*"data":"\([^"]*\)".*/\1/' with.jsonl | sort -u | wc -l)" \
    "$(sed 's/.*"seed":\([0-9]*\),"model":"\([^"]*\)".*"data":"\([^"]*\)".*/\1 \2 \3/' with.jsonl | sort -u | awk '$1 == 1' | wc -l)"
no_nan "$TASKS/results.jsonl"
ok "$FLORIN" tasks --folder "$TASKS"
has out.txt 'tasks, [0-9]+ measured, [0-9]+ with signal'

# --- a folder of one's own
mkdir mine other
cat >mine/buy.yaml <<'Y'
florin_task: 1
name: buy
data: a shop
about: "who buys?"
moments: {entity: card}
population: {active: {event: payment, within: 60d}}
label: {event: payment, where: {category: fuel}, within: 14d, is: absent}
train: {from: 2025-02-01}
test: {at: 2025-05-25}
baseline: recency
Y
sed 's/^name: buy/name: late/; s/is: absent/is: time/; s/^baseline.*/baseline: prior/' mine/buy.yaml >mine/late.yaml
sed 's/a shop/elsewhere/' mine/buy.yaml >other/buy.yaml
sed 's/a shop/elsewhere/' mine/buy.yaml >other/only_there.yaml
ok "$FLORIN" tasks --folder mine:other --json
equal "$(json out.txt '#')" 3
equal "$(json out.txt 0.name) $(json out.txt 0.data) $(json out.txt 0.kind) $(json out.txt 0.metric)" "buy a shop binary auc"
equal "$(json out.txt 0.label)" "no payment, category fuel within 14d"
equal "$(json out.txt 0.population)" "card with payment in the last 60d"
equal "$(json out.txt 1.name) $(json out.txt 1.kind) $(json out.txt 1.metric)" "late time skill"
equal "$(json out.txt 2.name)" only_there
equal "$(json out.txt 0.ours) $(json out.txt 0.paired) $(json out.txt 0.seeds)" "null null 0"
ok "$FLORIN" tasks --folder mine
has out.txt 'buy .*recency +not measured'
has out.txt '2 tasks, 0 measured, 0 with signal'
# Two seeds are averaged; an interval that reaches 0 is no signal.
line() { # TASK SEED OURS PAIRED LOW HIGH
    printf '{"task":"%s","seed":%s,"baseline":"recency","trivial":0.5,"ours":%s,"low":0.6,"high":0.8,"paired":%s,"paired_low":%s,"paired_high":%s}\n' "$@"
}
{ line buy 1 0.7 0.2 0.1 0.3; line buy 2 0.8 0.3 0.2 0.4; line late 1 0.55 0.05 -0.01 0.1; } >mine/results.jsonl
ok "$FLORIN" tasks --folder mine --json
equal "$(printf '%.3f %.3f %s %s' "$(json out.txt 0.ours)" "$(json out.txt 0.paired.low)" "$(json out.txt 0.seeds)" "$(json out.txt 0.signal)")" \
    "0.750 0.150 2 true"
equal "$(json out.txt 1.signal)" false
equal "$(grep -c '"few"' out.txt || true)" 0
# The few-label curve lies beside it: one line a task and seed, each size's mean over the seeds that have it.
few() { printf '{"n":%s,"ours":%s,"baseline":%s,"low":%s,"high":%s}' "$@"; }
{
    echo "{\"task\":\"buy\",\"seed\":1,\"few\":[$(few 50 0.6 0.5 0.05 0.15),$(few 200 0.7 0.7 -0.1 0.1)]}"
    echo "{\"task\":\"buy\",\"seed\":2,\"few\":[$(few 50 0.8 0.7 0.07 0.17)]}"
} >mine/few.jsonl
ok "$FLORIN" tasks --folder mine --json
equal "$(json out.txt 0.few.#) $(json out.txt 0.few.0.n) $(json out.txt 0.few.0.seeds) $(json out.txt 0.few.1.seeds)" "2 50 2 1"
equal "$(printf '%.3f %.3f %.3f %.3f' $(for k in ours baseline low high; do json out.txt 0.few.0.$k; done))" "0.700 0.600 0.060 0.160"
equal "$(grep -o '"few"' out.txt | wc -l)" 1
ok "$FLORIN" tasks --folder mine
has out.txt '50 0.7000 / 0.6000 \[.0.0600, .0.1600\], 200 0.7000'
echo '{"few": []}' >mine/few.jsonl
fails 3 'few.jsonl:1: a result without' "$FLORIN" tasks --folder mine
rm mine/few.jsonl
ok "$FLORIN" tasks --folder mine
has out.txt 'buy .*recency 0\.5000 +0\.7500 \[0\.6000, 0\.8000\] +\+0\.2500 \[\+0\.1500, \+0\.3500\]$'
has out.txt 'late .*no signal$'
has out.txt '2 tasks, 2 measured, 1 with signal'
echo '{"task":' >>mine/results.jsonl
fails 3 'results.jsonl:4' "$FLORIN" tasks --folder mine
echo '{"seed": 1}' >mine/results.jsonl
fails 3 'results.jsonl:1: a result without' "$FLORIN" tasks --folder mine
rm mine/results.jsonl
echo 'moments: {entity: [' >mine/bad.yaml
fails 3 'bad.yaml:' "$FLORIN" tasks --folder mine
rm mine/bad.yaml
fails 3 'no task files in nowhere' "$FLORIN" tasks --folder nowhere

# --- a task by its name, and its baseline
ok "$FLORIN" simulate --events 24000 --cards 240 --seed 3 --out bank
fit="--rounds 6 --draws 30"
export FLORIN_TASKS=mine:other
ok "$FLORIN" fit bank --task buy --out buy.florin --report buy.json --scores buy.csv $fit
equal "$(json buy.json task)" buy
fails 3 "no task 'bui' in mine:other.*did you mean 'buy'" "$FLORIN" fit bank --task bui --out x
fails 6 'bui.yaml' "$FLORIN" fit bank --task bui.yaml --out x
fails 6 'mine/bui' "$FLORIN" fit bank --task mine/bui --out x
equal "$(json buy.json trivial.name)" recency
equal "$(json buy.json trivial.differences.#)" 2
no_nan buy.json
# ours - trivial is what the difference says.
difference() { awk -v a="$(json "$1" systems.0.metrics."$2".value)" -v b="$(json "$1" trivial.metrics."$2".value)" 'BEGIN {printf "%.6f", a - b}'; }
equal "$(difference buy.json auc)" "$(printf '%.6f' "$(json buy.json trivial.differences.0.value)")"
equal "$(difference buy.json ap)" "$(printf '%.6f' "$(json buy.json trivial.differences.1.value)")"
# The same answer for all: AUC one half, average precision the share of positives.
sed 's/^baseline.*/baseline: prior/' mine/buy.yaml >mine/prior.yaml
ok "$FLORIN" fit bank --task prior --out x.florin --report prior.json $fit
equal "$(json prior.json trivial.metrics.auc.value)" 0.5
share=$(awk -v p="$(json prior.json test.positives)" -v n="$(json prior.json test.rows)" 'BEGIN {printf "%.6f", p / n}')
equal "$(printf '%.6f' "$(json prior.json trivial.metrics.ap.value)")" "$share"
# An input of the fold, by name, with or without its group; its sign is learnt: fewer payments of late, fewer to come.
sed 's/^baseline.*/baseline: card.count_30d/' mine/buy.yaml >mine/count.yaml
ok "$FLORIN" fit bank --task count --out x.florin --report count.json $fit
ok test "$(awk -v a="$(json count.json trivial.metrics.auc.value)" 'BEGIN {print (a > .55)}')" = 1
sed 's/^baseline.*/baseline: fold:card.count_30d/' mine/buy.yaml >mine/count.yaml
ok "$FLORIN" fit bank --task count --out x.florin --report again.json $fit
equal "$(json again.json trivial.metrics.auc.value)" "$(json count.json trivial.metrics.auc.value)"
sed 's/^baseline.*/baseline: card.cuont_30d/' mine/buy.yaml >mine/count.yaml
fails 3 "task buy: baseline: no input 'card.cuont_30d': did you mean 'card.count_30d'" "$FLORIN" fit bank --task count --out x
sed 's/^baseline.*/baseline: recency/' mine/late.yaml >mine/count.yaml
fails 3 'count.yaml:10:[0-9]+: baseline: prior, where the label is not yes or no' "$FLORIN" fit bank --task count --out x
sed 's/is: time/is: items, of: category/; s/^baseline.*/baseline: prior/' mine/late.yaml >mine/count.yaml
fails 3 'count.yaml:10:[0-9]+: baseline: own_global, user_knn or global' "$FLORIN" fit bank --task count --out x
# Of events: the amount, by its name and by the fold's.
cat >mine/pay.yaml <<'Y'
florin_task: 1
name: pay
moments: {event: payment}
label: {mark: declined}
train: {from: 2025-01-15}
test: {from: 2025-05-01, to: 2025-05-25}
negatives: 0.3
baseline: amount
Y
ok "$FLORIN" fit bank --task pay --out x.florin --report amount.json $fit
sed -i 's/^baseline.*/baseline: event.amount/' mine/pay.yaml
ok "$FLORIN" fit bank --task pay --out x.florin --report again.json $fit
equal "$(json again.json trivial.metrics.ap.value)" "$(json amount.json trivial.metrics.ap.value)"
sed -i 's/^baseline.*/baseline: recency/' mine/pay.yaml
ok "$FLORIN" fit bank --task pay --out x.florin --report again.json $fit
equal "$(json again.json trivial.name)" recency
# Folds: each customer's row is turned by what the other folds say.
tail -n +2 buy.csv | cut -d, -f1 | awk 'BEGIN {print "id,fold"} {print $0 "," NR % 3}' >mine/folds.csv
sed '/^train:/d; s/^baseline.*/baseline: card.count_30d/' mine/buy.yaml >mine/folded.yaml
echo 'folds: folds.csv' >>mine/folded.yaml
ok "$FLORIN" fit bank --task folded --out x.florin --report folded.json $fit
ok test "$(awk -v a="$(json folded.json trivial.metrics.auc.value)" 'BEGIN {print (a > .55)}')" = 1
# Every simulated task of the catalogue reads on the simulator's log.
for f in $(grep -l '^data: simulated' "$TASKS"/*.yaml); do
    ok "$FLORIN" fit bank --task "$f" --explain-inputs
done
done_testing
