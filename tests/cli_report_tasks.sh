# florin report --tasks and --map: the catalogue's page with its tasks' pages, a map of entities; the same each time; refusals.
. "$FLORIN_SOURCE/tests/support/shell.sh"
data() { sed -n 's/.*id="data">\(.*\)<\/script>.*/\1/p' "$1"; }
mkdir mine results page
cat >mine/buy.yaml <<'Y'
florin_task: 1
name: buy
data: a <shop>
moments: {entity: card}
label: {event: payment, within: 14d, is: absent}
train: {from: 2025-02-01}
test: {at: 2025-05-25}
baseline: recency
Y
sed 's/name: buy/name: late/; s/is: absent/is: time/; s/^baseline.*/baseline: prior/' mine/buy.yaml >mine/late.yaml
line() { printf '{"task":"%s","seed":%s,"trivial":0.5,"ours":%s,"low":0.6,"high":0.8,"paired":%s,"paired_low":%s,"paired_high":%s%s}\n' "$@"; }
line buy 1 0.7 0.2 0.1 0.3 '' >mine/results.jsonl
echo '{"task":"buy","seed":1,"few":[{"n":50,"ours":0.6,"baseline":0.55,"low":0.01,"high":0.1},{"n":200,"ours":0.65,"baseline":0.6,"low":0.01,"high":0.1}]}' >mine/few.jsonl
ok "$FLORIN" report --folder mine --out page/index.html
data page/index.html >index.json
equal "$(json index.json 0.report) $(json index.json '0.tasks.#')" "tasks 2"
equal "$(json index.json 0.tasks.0.name) $(json index.json 0.tasks.0.ours) $(json index.json 0.tasks.0.signal)" "buy 0.69999999999999996 true"
equal "$(json index.json '0.tasks.0.few.#')" 2
equal "$(json index.json 0.tasks.1.ours)" null
lacks page/index.html "$SCRATCH|mine/"
lacks page/index.html 'a <shop>'
lacks index.json '"page"'
no_nan index.json
# Nothing is loaded from anywhere.
lacks page/index.html '(src|href)="?(http|//)|@import|url\('
# Pages of tasks whose results are there are made and led to.
ok "$FLORIN" simulate --events 16000 --cards 200 --seed 3 --out bank --quiet
ok "$FLORIN" fit bank --task mine/buy.yaml --out h.florin --report results/buy.json --rounds 5 --draws 20 --quiet
ok "$FLORIN" report --folder mine --results results --out page/index.html --title 'All of it'
data page/index.html >index.json
equal "$(json index.json 0.tasks.0.page)" buy.html
data page/buy.html >buy.json
equal "$(json buy.json 0.task)" buy
has page/index.html '<title>All of it</title>'
ok "$FLORIN" report --folder mine --results results --out again.html --title 'All of it'
same page/index.html again.html
ok "$FLORIN" report --folder "$FLORIN_SOURCE/examples/tasks" --out real.html
data real.html >real.json
[ "$(json real.json '0.tasks.#')" -ge 30 ] || die "few tasks"
# --- maps
ok "$FLORIN" pretrain bank --hidden 8 --width 8 --steps 5 --out m.florin --quiet
map() { "$FLORIN" report --map m.florin --log bank --quiet "$@"; }
ok map --entity merchant --colour category --out map.html
data map.html >map.json
equal "$(json map.json 0.report) $(json map.json 0.entity) $(json map.json 0.ordered)" "map merchant false"
equal "$(json map.json 0.shown)" "$(json map.json '0.points.#')"
sum=0
for ((i = 0; i < $(json map.json '0.classes.#'); i++)); do sum=$((sum + $(json map.json 0.classes.$i.entities))); done
equal "$sum" "$(json map.json 0.shown)"
[ "$(json map.json '0.classes.#')" -le 8 ] || die "more classes than colours"
ok test "$(awk -v a="$(json map.json 0.explained.0)" -v b="$(json map.json 0.explained.1)" 'BEGIN {print (a >= b - 1e-9 && b > 0 && a + b <= 1.000001)}')" = 1
no_nan map.json
lacks map.html 'm00[0-9]|c000[0-9]' # nobody is named
ok map --entity merchant --colour category --out again.html --threads 1
same map.html again.html
ok map --colour card.visit_rate --out map.html # of the payer
data map.html >map.json
equal "$(json map.json 0.entity) $(json map.json 0.ordered) $(json map.json '0.classes.#')" "card true 5"
ok map --entity terminal --colour country --out map.html # without a stream: by the fold
ok "$FLORIN" report --folder mine --map m.florin --log bank --colour country results/buy.json --out all.html --quiet
data all.html >all.json
equal "$(json all.json '#') $(json all.json 0.report) $(json all.json 1.report) $(json all.json 2.report)" "3 tasks map eval"
# --- refusals
fails 2 'name at least one file.*--tasks or --map' "$FLORIN" report --out x.html
fails 2 'a map needs' "$FLORIN" report --map m.florin --out x.html
fails 2 'a map needs' "$FLORIN" report --colour country --out x.html
fails 2 "colour 'countri'.*did you mean 'country'" map --colour countri
fails 2 "no entities of kind 'crad'" map --entity crad --colour country
fails 2 'results goes with' "$FLORIN" report results/buy.json --results results --out x.html
fails 3 'no task files in nowhere' "$FLORIN" report --folder nowhere --out x.html
echo '[1]' >results/late.json
fails 3 'results/late.json: not a result' "$FLORIN" report --folder mine --results results --out page/index.html
fails 6 'nothere' "$FLORIN" report --map nothere --log bank --colour country
done_testing
