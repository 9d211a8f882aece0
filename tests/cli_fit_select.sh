# Inputs that a SELECT of the task says: found where nothing else tells, the same every time, without labels, marks or what is
# known later; refused with a clock, and when the SELECT does not give one number a column for each judged row.
. "$FLORIN_SOURCE/tests/support/shell.sh"

# 300 accounts pay by turns; whoever is bad passes on the very amount that came in.
awk 'BEGIN {
    srand(7)
    print "from,to,amount,day,odd,late" >"pays.csv"
    print "account,bad" >"accounts.csv"
    for (a = 0; a < 300; a++) {
        bad = rand() < .3
        v = 100 + int(rand() * 90000) / 100; w = bad ? v : 100 + int(rand() * 90000) / 100
        printf "a%d,a%d,%.2f,%d,%d,%s\n", (a + 37) % 300, a, v, a % 20, a % 3 == 0, bad ? "x" : "y" >"pays.csv"
        printf "a%d,a%d,%.2f,%d,%d,%s\n", a, (a + 91) % 300, w, 30 + a % 20, a % 3 == 0, bad ? "x" : "y" >"pays.csv"
        printf "a%d,%d\n", a, bad >"accounts.csv"
    }
}'
cat >bank.yaml <<'Y'
florin: 1
name: bank
currency: EUR
time_zone: UTC
entities:
  source: {role: payer}
  target: {role: payee}
sources:
  pay:
    file: pays.csv
    time: {sql: "TIMESTAMP '2000-01-01' + to_days(CAST(day AS INTEGER))"}
    amount: amount
    entities: {source: from, target: to}
    categories:
      late: {column: late, after: true}
    marks: {odd: odd}
  account:
    file: accounts.csv
    id: account
    time: {sql: "TIMESTAMP '2000-06-01'"}
    entities: {source: account, target: account}
    labels:
      bad: {column: bad, delay: 1d}
Y
ok "$FLORIN" import bank.yaml --log bank
{ echo id,fold; awk 'BEGIN { for (i = 0; i < 300; i++) print "a" i "," i % 5 }'; } >folds.csv
cat >plain.yaml <<'Y'
florin_task: 1
name: bad
moments: {event: account}
label: bad
test: {from: 2000-06-01, to: 2000-06-02}
folds: folds.csv
Y
cat plain.yaml - >task.yaml <<'Y'
baseline: sql:nearest
features:
  sql: |
    -- how near a payment that leaves is to one that came
    SELECT a.id, min(abs(o.amount - i.amount)) AS nearest, count(o.id) > 0 AS "pays ""out""", NULL::INT AS unknown
    FROM events a LEFT JOIN events i ON i.target = a.id AND i.type = 'pay' LEFT JOIN events o ON o.source = a.id AND o.type = 'pay'
    WHERE a.type = 'account' GROUP BY a.id;
Y
fit="--rounds 60 --draws 20"
ok "$FLORIN" fit bank --task plain.yaml --out plain.florin --report plain.json $fit
ok "$FLORIN" fit bank --task task.yaml --out x.florin --report r.json --scores s.csv $fit
no_nan r.json s.csv
awk -v a="$(json r.json systems.0.metrics.auc.value)" -v b="$(json plain.json systems.0.metrics.auc.value)" \
    'BEGIN { exit !(a > .85 && b < .7) }' || die "AUC $(json r.json systems.0.metrics.auc.value), without the SELECT $(json plain.json systems.0.metrics.auc.value)"
equal "$(json r.json systems.0.features.0.name)" sql:nearest
equal "$(json r.json test.rows)" 300
awk -v a="$(json r.json trivial.metrics.auc.value)" 'BEGIN { exit !(a > .97) }' || die "the column itself is a baseline"
# The head is judged, not served, and says so.
[ ! -e x.florin ] || die "a head that nobody can serve was written"
has err.txt 'x.florin is not written: a head with inputs from a SELECT'
ok "$FLORIN" fit bank --task task.yaml --out x.florin --scores again.csv $fit
same s.csv again.csv
ok "$FLORIN" fit bank --task task.yaml --explain-inputs
has out.txt 'sql:nearest +the whole log'
has out.txt 'sql:pays "out"'
# By a logistic probe, in which NULL is a value too.
sed 's/^label:/head: probe\nlabel:/' task.yaml >probe.yaml
ok "$FLORIN" fit bank --task probe.yaml --out x.florin --report p.json $fit
awk -v a="$(json p.json systems.0.metrics.auc.value)" 'BEGIN { exit !(a > .9) }' || die "the probe's AUC"

# Entities at a date after the whole log.
cat >entity.yaml <<'Y'
florin_task: 1
name: bad
moments: {entity: source, every: 7d}
label:
  sql: |
    SELECT e.source AS entity, TIMESTAMP '2000-06-02' AS date, max(l.value) AS value, max(l.arrival) AS known_at
    FROM events e JOIN labels l ON l.id = e.id GROUP BY e.source
test: {at: 2000-06-02}
folds: folds.csv
baseline: recency
features:
  sql: |
    SELECT a.source AS entity, min(abs(o.amount - i.amount)) AS nearest
    FROM events a LEFT JOIN events i ON i.target = a.source AND i.type = 'pay' LEFT JOIN events o ON o.source = a.source AND o.type = 'pay'
    WHERE a.type = 'account' GROUP BY ALL
Y
ok "$FLORIN" fit bank --task entity.yaml --out x.florin --report e.json $fit
awk -v a="$(json e.json systems.0.metrics.auc.value)" 'BEGIN { exit !(a > .85) }' || die "entities at a date: AUC $(json e.json systems.0.metrics.auc.value)"
sed 's/06-02/06-01/' entity.yaml >early.yaml
fails 8 'early.yaml:12: features: sql: the log has a clock' "$FLORIN" fit bank --task early.yaml --out x $fit

# A clock: the SELECT would see payments after the judged ones.
sed -e 's/event: account/event: pay/' -e 's/^label:.*/label: {mark: odd}/' -e 's/2000-06-01, to: 2000-06-02/2000-01-10, to: 2000-02-10/' task.yaml >clock.yaml
fails 8 'features: sql: the log has a clock: it goes on until 2000-06-01' "$FLORIN" fit bank --task clock.yaml --out x $fit
sed -e 's/^folds:.*/train: {from: 2000-01-01}/' task.yaml >time.yaml
fails 3 'time.yaml:9:3: features: only with `folds`' "$FLORIN" fit bank --task time.yaml --out x $fit

# refused REGEX SELECT
refused() {
    { cat plain.yaml; printf 'features:\n  sql: |\n    %s\n' "$2"; } >q.yaml
    fails 3 "q.yaml:8: features: sql: .*$1" "$FLORIN" fit bank --task q.yaml --out x $fit
}
from="FROM events WHERE type = 'account'"
refused 'labels' "SELECT id, (SELECT count(*) FROM labels) AS x $from"
refused 'odd' "SELECT id, odd AS x $from"
refused 'late' "SELECT id, late = 'x' AS x $from"
refused 'ammount' "SELECT id, ammount AS x $from"
refused 'two rows for .a[0-9]+.: one each' "SELECT source AS id, 1 AS x FROM events"
refused 'no row for .a[0-9]+., which is judged' "SELECT id, 1 AS x $from AND id <> 'a7'"
refused "no key: it must return .id., which" "SELECT amount, 1 AS x $from"
refused 'no key' "SELECT 1 AS x $from"
refused 'no column of numbers' "SELECT id $from"
refused 'id is NULL' "SELECT nullif(id, 'a7') AS id, 1 AS x $from"
refused 'column .source. is text' "SELECT id, source $from"
refused 'column .time. is a time' "SELECT id, time $from"
refused 'two columns are called .x.' "SELECT id, 1 AS x, 2 AS x $from"
refused 'two columns are called .id.' "SELECT id, id, 2 AS x $from"
refused '.x. of .a[0-9]+. is infinite' "SELECT id, 1e300 AS x $from"
refused 'more than 256 columns' "SELECT id, $(seq -s, 1 257 | sed 's/[0-9][0-9]*/1 AS c&/g') $from"
refused 'disabled|not allowed|permission' "SELECT id, (SELECT count(*) FROM 'accounts.csv') AS x $from"
refused 'SELECT' "DELETE FROM events"
{ cat plain.yaml; echo 'features: SELECT 1'; } >q.yaml
fails 3 'q.yaml:7:11: features: needs .sql' "$FLORIN" fit bank --task q.yaml --out x $fit
{ cat plain.yaml; echo 'features: {sql: ""}'; } >q.yaml
fails 3 'q.yaml:7:11: features: sql: a SELECT of at most 16383 characters' "$FLORIN" fit bank --task q.yaml --out x $fit
{ cat plain.yaml; echo 'features: {query: "SELECT 1"}'; } >q.yaml
fails 3 'q.yaml:7' "$FLORIN" fit bank --task q.yaml --out x $fit
done_testing
