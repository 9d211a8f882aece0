# From a made-up world to a head and back: fit on the fold alone, judged again by eval, a page of it; per-row scores under
# the user's ids; a SELECT as label; what is later than what is judged is refused.
. "$FLORIN_SOURCE/tests/support/shell.sh"
TASKS=$FLORIN_SOURCE/examples/tasks

ok "$FLORIN" simulate --events 24000 --cards 240 --seed 3 --out bank
fit="--rounds 6 --draws 10"
cat >fraud.yaml <<'Y'
florin_task: 1
name: fraud
data: simulated
moments: {event: payment}
label: fraud
train: {from: 2025-01-15}
validate: {from: 2025-04-01, to: 2025-04-20}
test:
  - {from: 2025-04-20, to: 2025-05-10}
  - {from: 2025-05-10, to: 2025-05-25}
negatives: 0.3
cluster: card
metrics: {card_precision: 20, precision_at: [50, 200], recall_at_fpr: [0.001, 0.01], money_at: [0.01, 0.05]}
Y
ok "$FLORIN" fit bank --task fraud.yaml --out fraud.florin --report fraud.json --scores fraud.csv $fit --json
cp out.txt printed.json
no_nan printed.json fraud.json fraud.csv
equal "$(json fraud.json task)" fraud
equal "$(json fraud.json systems.#)" 2
equal "$(json fraud.json differences.#)" 2
equal "$(json fraud.json test.periods.#)" 2
equal "$(json fraud.json systems.0.periods.#)" 2
has fraud.json 'recall_at_fpr_0\.001.*recall_at_fpr_0\.01'
has fraud.json 'card_precision_at_20'
has fraud.json 'money_caught_at_0\.05'
has fraud.json 'observed_over_expected_3'
has fraud.json '"confusion"'
# The mean of a figure over the periods is the plain mean.
mean=$(awk -v a="$(json fraud.json systems.0.periods.0.metrics.ap)" -v b="$(json fraud.json systems.0.periods.1.metrics.ap)" \
    'BEGIN { printf "%.6f", (a + b) / 2 }')
equal "$mean" "$(printf '%.6f' "$(json fraud.json systems.0.metrics.ap.value)")"
# Per-row scores: one per judged payment, under the payments' own ids, both classes, both periods, a fair coin's order no more.
equal "$(wc -l <fraud.csv)" $(($(json fraud.json test.rows) + 1))
has fraud.csv '^id,y,score,baseline,probability,score99,time,period,cluster$'
has fraud.csv '^p[0-9]+,1(\.0)?,'
equal "$(cut -d, -f8 fraud.csv | tail -n +2 | sort -u | tr '\n' ' ')" "0 1 "
equal "$(cut -d, -f1 fraud.csv | sort | uniq -d | wc -l)" 0
# The same command twice gives the same bytes.
ok "$FLORIN" fit bank --task fraud.yaml --out again.florin --scores again.csv $fit
same fraud.csv again.csv
same fraud.florin again.florin

# eval scores the last period as fit did: same head, same rows.
sed '/^test:/,/05-25/d' fraud.yaml >last.yaml
echo 'test: {from: 2025-05-10, to: 2025-05-25}' >>last.yaml
ok "$FLORIN" eval bank --task last.yaml --model fraud.florin --scores eval.csv --report eval.json --draws 20
awk -F, '$8 == 1 { print $1 "," $2 "," $5 "," $6 }' fraud.csv >want
awk -F, 'NR > 1 { print $1 "," $2 "," $4 "," $5 }' eval.csv >got
same want got
no_nan eval.json eval.csv
# The head learnt from labels known on 10 May: a test that begins earlier is refused.
fails 8 'head fraud was fitted on what was known at 2025-05-10' "$FLORIN" eval bank --task fraud.yaml --model fraud.florin
fails 2 'no head other; it has fraud' "$FLORIN" eval bank --task <(sed 's/name: fraud/name: other/' last.yaml) --model fraud.florin

ok "$FLORIN" report fraud.json eval.json --title 'A small bank' --out page.html
has page.html 'precision_at_200'
ok test "$(wc -c <page.html)" -gt 20000
lacks page.html '(src|href)="?http'

# A second head beside the first; fitting again under a name replaces that head alone.
cat >churn.yaml <<'Y'
florin_task: 1
name: churn
moments: {entity: card, every: 7d}
population: {active: {event: payment, within: 60d}}
label: {event: payment, within: 20d, is: absent}
train: {from: 2025-02-01}
validate: {from: 2025-04-19, to: 2025-04-27}
test: {at: 2025-05-25}
cost: {alert: 4, miss: 40}
head: blend
Y
ok "$FLORIN" fit bank --task churn.yaml --model fraud.florin --out both.florin --scores churn.csv --report churn.json $fit
equal "$(printf '%.4f' "$(json churn.json systems.0.confusion.threshold)")" 0.1000 # an alert costs a tenth of a miss
ok "$FLORIN" fit bank --task churn.yaml --model both.florin --out both.florin $fit
ok "$FLORIN" eval bank --task churn.yaml --model both.florin --draws 20
ok "$FLORIN" eval bank --task last.yaml --model both.florin --scores eval2.csv --draws 20
same eval.csv eval2.csv
has churn.csv '^c[0-9]+,'
# The same outcome as a SELECT gives the same rows and scores.
sed '/^label:/d' churn.yaml >churn_sql.yaml
cat >>churn_sql.yaml <<'Y'
label:
  sql: |
    WITH d AS (SELECT TIMESTAMP '2025-02-01' + INTERVAL 7 DAY * n AS day FROM range(0, 20) t(n)
               UNION ALL SELECT TIMESTAMP '2025-05-25')
    SELECT card AS entity, day AS date, NOT EXISTS (SELECT 1 FROM events e WHERE e.card = c.card
        AND e.type = 'payment' AND e.time >= day AND e.time < day + INTERVAL 20 DAY) AS value,
      day + INTERVAL 20 DAY AS known_at
    FROM (SELECT DISTINCT card FROM events WHERE card IS NOT NULL) c, d
Y
ok "$FLORIN" fit bank --task churn_sql.yaml --out sql.florin --scores sql.csv $fit
ok "$FLORIN" fit bank --task churn.yaml --out expr.florin --scores expr.csv $fit
same expr.csv sql.csv
# Folds from a file: every row is scored by what learnt from the other folds.
tail -n +2 churn.csv | cut -d, -f1 | awk 'BEGIN { print "card,fold" } { print $0 "," NR % 3 }' >folds.csv
sed '/^train:/d; /^validate:/d' churn.yaml >folds.yaml
echo 'folds: folds.csv' >>folds.yaml
ok "$FLORIN" fit bank --task folds.yaml --out folds.florin --scores folded.csv $fit
equal "$(cut -d, -f1 folded.csv | sort | tail -n +1 | md5sum)" "$(cut -d, -f1 churn.csv | sort | md5sum)"
sed '/^train:/d; /^validate/d' last.yaml >event_folds.yaml
sed 's/^card,/id,/' folds.csv >by_card.csv
echo 'folds: by_card.csv' >>event_folds.yaml
ok "$FLORIN" fit bank --task event_folds.yaml --out event_folds.florin --scores event_folds.csv $fit
ok test "$(wc -l <event_folds.csv)" -gt 100
echo 'c,9x' >>folds.csv
fails 3 'folds.csv: line [0-9]+: fold .9x. is not a number' "$FLORIN" fit bank --task folds.yaml --out x $fit
rm folds.csv
fails 6 'folds.csv' "$FLORIN" fit bank --task folds.yaml --out x $fit
# Known too early for what it rests on; known before it is predicted.
sed 's/20 DAY AS known_at/2 DAY AS known_at/' churn_sql.yaml >early.yaml
fails 8 'early.yaml:[0-9]+: label: sql: .*known_at is too early' "$FLORIN" fit bank --task early.yaml --out x $fit
sed 's/INTERVAL 20 DAY AS known_at/INTERVAL (-1) DAY AS known_at/' churn_sql.yaml >early.yaml
fails 8 'before the moment' "$FLORIN" fit bank --task early.yaml --out x $fit
# The SELECT sees the log and nothing else, one statement, and returns what a label needs.
try() {
    printf 'florin_task: 1\nname: x\nmoments: {event: payment}\ntrain: {from: 2025-01-15}\ntest: {from: 2025-05-01, to: 2025-05-25}\nlabel:\n  sql: "%s"\n' "$2" >q.yaml
    fails 3 "q.yaml:7: label: sql: .*$1" "$FLORIN" fit bank --task q.yaml --out x $fit
}
try 'no column `id`' 'SELECT 1 AS value'
try 'needs a SELECT' 'DROP TABLE events'
try 'exactly one statement' 'SELECT 1; SELECT 2'
try 'disabled' "SELECT * FROM read_csv('/etc/passwd')"
try '' "COPY events TO 'stolen.csv'"
try '' "ATTACH 'other.db'"
try 'SELECT' 'SET threads = 1'
try '' 'INSTALL httpfs'
try 'only 0 and 1' 'SELECT id, 2 AS value, time AS known_at FROM events'
try 'two rows' "SELECT id, 1 AS value, time AS known_at FROM events WHERE type = 'payment' UNION ALL SELECT id, 0, time FROM events WHERE type = 'payment'"
try 'no label' 'SELECT id, NULL AS value, time AS known_at FROM events'
ok test ! -e stolen.csv

# Bad tasks: the line, the word, the code.
sed 's/^label: fraud/label: frau/' fraud.yaml >bad.yaml
fails 3 'bad.yaml:5:[0-9]+: no label .frau. in the log: did you mean .fraud.' "$FLORIN" fit bank --task bad.yaml --out x
sed 's/^cluster/clustre/' fraud.yaml >bad.yaml
fails 3 'bad.yaml:12:[0-9]+: unknown key .clustre.: did you mean .cluster.' "$FLORIN" fit bank --task bad.yaml --out x
sed 's/2025/2031/g' fraud.yaml >bad.yaml
fails 3 'no row with a known label' "$FLORIN" fit bank --task bad.yaml --out x
sed 's/^moments.*/moments: {event: salary}/' fraud.yaml >bad.yaml
fails 3 'all [0-9]+ rows have the label 0' "$FLORIN" fit bank --task bad.yaml --out x
sed 's/within: 20d/within: 90d/' churn.yaml >bad.yaml
fails 3 'ends after the log' "$FLORIN" fit bank --task bad.yaml --out x
: >empty.yaml
fails 3 'empty' "$FLORIN" fit bank --task empty.yaml --out x
fails 6 'none.yaml' "$FLORIN" fit bank --task none.yaml --out x
fails 6 'nolog' "$FLORIN" fit nolog --task fraud.yaml --out x
fails 2 'out' "$FLORIN" fit bank --task fraud.yaml
fails 2 'validate' "$FLORIN" fit bank --task <(grep -v '^validate' fraud.yaml) --validate-only
fails 6 '.' "$FLORIN" fit bank --task fraud.yaml --out nowhere/x.florin $fit
fails 6 '.' "$FLORIN" fit bank --task fraud.yaml --out ok.florin --scores nowhere/x.csv $fit
fails 5 '.' "$FLORIN" eval bank --task <(sed 's/name: churn/name: fraud/' churn.yaml) --model fraud.florin

# Every input with its lag, as text and as JSON.
ok "$FLORIN" fit bank --task fraud.yaml --explain-inputs
has out.txt 'fold:event.amount +0: the event itself'
has out.txt 'fold:card.bad_7d +labels that arrived at or before t'
has out.txt 'Bad labels of this log arrive [0-9.]+ days after their event'
ok "$FLORIN" fit bank --task churn.yaml --explain-inputs --json
cp out.txt inputs.json
ok "$FLORIN" features bank --entity card --at 2025-05-01 --out cards.csv
equal "$(json inputs.json '#')" $(($(head -1 cards.csv | tr ',' '\n' | wc -l) - 2 + 1))
equal "$(json inputs.json 0.lag)" 'above 0: events before t'

# With a pretrained model: what it saw is said, and a model that saw the test is refused.
ok "$FLORIN" pretrain bank --out base.florin --until 2025-03-01 --hidden 16 --width 8 --steps 6 --seed 1
ok "$FLORIN" fit bank --task fraud.yaml --model base.florin --out net.florin --report net.json $fit
has out.txt 'pretraining saw events until 2025-03-01 00:00:00: [0-9]+ of the [0-9]+ rows'
has out.txt 'mean surprise is [0-9.]+ nats there'
has out.txt 'later rows alone, average precision changes by [-+]'
no_nan net.json
equal "$(json net.json pretraining.later_rows_alone.metric)" ap
ok "$FLORIN" fit bank --task fraud.yaml --model base.florin --out later.florin --later-rows $fit
has out.txt ' 0 of the [0-9]+ rows| rows learnt from are earlier'
fails 2 'later-rows needs a pretrained' "$FLORIN" fit bank --task fraud.yaml --out x --later-rows
ok "$FLORIN" eval bank --task last.yaml --model net.florin --draws 20
ok "$FLORIN" pretrain bank --out late.florin --until 2025-05-01 --hidden 16 --width 8 --steps 2 --seed 1
fails 8 'trained on events until 2025-05-01 .*judged from 2025-04-20' "$FLORIN" fit bank --task fraud.yaml --model late.florin --out x
fails 8 'judged from 2025-04-20' "$FLORIN" eval bank --task fraud.yaml --model late.florin
fails 8 'judged from 2025-04-01' "$FLORIN" fit bank --task fraud.yaml --model late.florin --validate-only

# Another log: the message names the field.
mkdir shop
printf 'id,when,client,price\n1,2025-01-01,a,5.00\n2,2025-01-02,b,6.00\n' >shop/t.csv
cat >shop.yaml <<'Y'
name: shop
entities: {client: payer}
sources:
  sale: {file: shop/t.csv, id: id, time: when, amount: price, entities: {client: client}}
Y
ok "$FLORIN" import shop.yaml --log shop.log
fails 5 'card|client|entit' "$FLORIN" eval shop.log --task <(printf 'florin_task: 1\nname: s\nmoments: {entity: client}\nlabel: {event: sale, within: 1d}\ntrain: {from: 2025-01-01}\ntest: {at: 2025-01-02}\n') --model base.florin

# New data, one command: the dates move with the log, the head keeps its name.
ok "$FLORIN" simulate --events 30000 --cards 240 --days 210 --seed 3 --out longer
ok "$FLORIN" fit longer --task fraud.yaml --refit --out fresh.florin --report fresh.json $fit
ok test "$(json fresh.json test.to)" \> "2025-05-25"
ok "$FLORIN" fit longer --task churn.yaml --refit --model fresh.florin --out fresh.florin $fit
ok "$FLORIN" fit longer --task fraud.yaml --refit --model fresh.florin --out fresh.florin $fit
ok "$FLORIN" score longer --model fresh.florin --top 3
has out.txt '.'
fails 2 'refit' "$FLORIN" fit longer --task churn_sql.yaml --refit --out x $fit
done_testing
