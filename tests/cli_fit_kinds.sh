# Tasks that are no yes or no: a sum, a count, a time, the next category, the event's own outcome, a SELECT's numbers and
# classes. Coverage and figures are there, scores bear the users' ids, permuted labels say nothing, bad input is refused.
. "$FLORIN_SOURCE/tests/support/shell.sh"

ok "$FLORIN" simulate --events 24000 --cards 240 --seed 3 --out bank
fit="--rounds 20 --draws 40"
task() { # NAME LABEL: a task of cards at dates
    cat >"$1.yaml" <<Y
florin_task: 1
name: $1
moments: {entity: card, every: 7d}
population: {active: {event: payment, within: 60d}}
label: $2
train: {from: 2025-02-01}
test: {at: 2025-05-25}
Y
}
above() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > b) }' || die "$3: $1 is not above $2"; }

for is in sum count time; do
    task "$is" "{event: payment, within: 30d, is: $is}"
    ok "$FLORIN" fit bank --task $is.yaml --out x.florin --scores $is.csv --report $is.json $fit --json
    no_nan $is.json $is.csv
    above "$(json $is.json systems.0.metrics.skill.low)" 0.1 "$is: skill"
    above "$(json $is.json systems.0.metrics.concordance.low)" 0.6 "$is: concordance"
    above "$(json $is.json systems.0.metrics.coverage_80)" 0.68 "$is: coverage"
    above 0.92 "$(json $is.json systems.0.metrics.coverage_80)" "$is: coverage"
    equal "$(json $is.json systems.2.metrics.skill.value)" 0.0
    has $is.csv '^id,y,p10,p50,p90,mean,loss,time,period,cluster$'
    has $is.csv '^c0*[0-9]+,'
    equal "$(wc -l <$is.csv)" $(($(json $is.json test.rows) + 1))
    # Quantiles rise; what was said does not depend on the run.
    equal "$(awk -F, 'NR > 1 && !($3 <= $4 && $4 <= $5)' $is.csv)" ""
done
equal "$(json time.json kind)" time
equal "$(awk -F, 'NR > 1 && ($2 < 0 || $2 > 30)' time.csv)" ""
ok "$FLORIN" fit bank --task sum.yaml --out x.florin --scores again.csv $fit
same sum.csv again.csv
has out.txt '80 % interval holds'
[ ! -e x.florin ] || die "a head that can't be served was written"

# The sum by hand: what this card paid in the 30 days from the test's date.
cat >sql.yaml <<'Y'
florin_task: 1
name: sql_sum
moments: {entity: card, every: 7d}
population: {active: {event: payment, within: 60d}}
label:
  is: number
  sql: |
    SELECT c.card AS entity, d.date, coalesce(sum(e.amount), 0) AS value, d.date + INTERVAL 30 DAY AS known_at
    FROM (SELECT DISTINCT card FROM events WHERE card IS NOT NULL) c
    CROSS JOIN (SELECT unnest(generate_series(TIMESTAMP '2025-02-01', TIMESTAMP '2025-05-25', INTERVAL 1 DAY)) AS date) d
    LEFT JOIN events e ON e.card = c.card AND e.type = 'payment' AND e.time >= d.date AND e.time < d.date + INTERVAL 30 DAY
    GROUP BY ALL
train: {from: 2025-02-01}
test: {at: 2025-05-25}
Y
ok "$FLORIN" fit bank --task sql.yaml --out x.florin --scores sql.csv $fit
cut -d, -f1,2 sum.csv >want && cut -d, -f1,2 sql.csv | awk -F, -v OFS=, 'NR == 1 || $2 += 0 { print } NR > 1 && $2 == 0 { print $1, "0.0" }' >got
equal "$(paste -d, want got | awk -F, 'NR > 1 && ($1 != $3 || ($2 - $4) ^ 2 > .0001)')" ""

# Labels that follow nothing are no better than the same answer for all.
sed -e 's/name: sql_sum/name: noise/' -e 's/coalesce(sum(e.amount), 0)/(hash(c.card || d.date::VARCHAR) % 1000)::DOUBLE/' sql.yaml >noise.yaml
ok "$FLORIN" fit bank --task noise.yaml --out x.florin --report noise.json $fit
above 0.01 "$(json noise.json systems.0.metrics.skill.low)" "noise: skill"
above 0.56 "$(json noise.json systems.0.metrics.concordance.low)" "noise: concordance"
above "$(json noise.json systems.0.metrics.concordance.high)" 0.45 "noise: concordance"

task next_category "{event: payment, within: 30d, is: class, of: category}"
ok "$FLORIN" fit bank --task next_category.yaml --out x.florin --scores class.csv --report class.json $fit
has class.csv '^id,y,likeliest,loss,time,period,cluster$'
has class.csv ',(grocery|coffee|fuel),'
has out.txt 'macro F1'
above "$(json class.json systems.0.classes.#)" 5 "classes"
cat >declined.yaml <<'Y'
florin_task: 1
name: declined
moments: {event: payment}
label: {mark: declined}
train: {from: 2025-03-01}
test: {from: 2025-05-01, to: 2025-05-25}
Y
ok "$FLORIN" fit bank --task declined.yaml --out declined.florin --scores declined.csv $fit
equal "$(cut -d, -f2 declined.csv | sort -u | tr '\n' ' ')" "0.0 1.0 y "
[ -s declined.florin ] || die "no head"

# The way is chosen on validation: the chosen one has the highest figure, and the head is that of the same task by hand.
ok "$FLORIN" fit bank --task declined.yaml --out auto.florin --scores auto.csv --report auto.json --auto --rounds 20 --draws 40
no_nan auto.json
equal "$(json auto.json auto.tried.#)" 3
best=$(for k in 0 1 2; do echo "$(json auto.json auto.tried.$k.validation_ap) $(json auto.json auto.tried.$k.head) $(json auto.json auto.tried.$k.inputs)"; done | sort -rg | head -1)
equal "${best#* }" "$(json auto.json auto.chosen.head) $(json auto.json auto.chosen.inputs)"
has out.txt 'chosen: .* has the highest average precision on validation'
{ cat declined.yaml; echo "head: $(json auto.json auto.chosen.head)"; echo "inputs: $(json auto.json auto.chosen.inputs)"; } >hand.yaml
ok "$FLORIN" fit bank --task hand.yaml --out hand.florin --scores hand.csv --rounds 20 --draws 40
same auto.csv hand.csv
# No time: the first alone.
ok "$FLORIN" fit bank --task declined.yaml --out auto.florin --report auto.json --auto --budget 0 --rounds 5 --draws 10
equal "$(json auto.json auto.tried.#)" 1
equal "$(json auto.json auto.left.#)" 2
fails 2 'yes or no' "$FLORIN" fit bank --task sum.yaml --out x.florin --auto

# An anomaly score: whatever the label, the scores are the same, since none is learnt from; live gives what offline gives.
ok "$FLORIN" pretrain bank --until 2025-04-20 --hidden 16 --width 16 --steps 20 --out net.florin
cat >odd.yaml <<'Y'
florin_task: 1
name: odd
moments: {event: payment}
label: fraud
train: {from: 2025-02-01}
test: {from: 2025-05-01, to: 2025-05-25}
head: surprise
Y
sed 's/^label: fraud/label: {mark: declined}/' odd.yaml >other.yaml
ok "$FLORIN" fit bank --task odd.yaml --model net.florin --out odd.florin --scores odd.csv --report odd.json --draws 20
ok "$FLORIN" fit bank --task other.yaml --model net.florin --out other.florin --scores other.csv --draws 20
cut -d, -f1,3 odd.csv >want && cut -d, -f1,3 other.csv >got
same want got
above "$(cut -d, -f3 odd.csv | sed 1d | sort -u | wc -l)" 100 "different scores"
equal "$(json odd.json systems.0.label)" "surprise of all fields together, no label learnt from"
ok "$FLORIN" replay bank --model odd.florin --from 2025-05-20 --check
fails 2 'head: surprise. needs a pretrained model' "$FLORIN" fit bank --task odd.yaml --out x.florin
sed 's/^moments.*/moments: {entity: card}/; s/^label.*/label: {event: payment, within: 9d}/' odd.yaml >dates.yaml
fails 3 'head: surprise is of events' "$FLORIN" fit bank --task dates.yaml --model net.florin --out x.florin

# What is refused, and how.
bad() { # LABEL MESSAGE
    task bad "$1"
    fails 3 "$2" "$FLORIN" fit bank --task bad.yaml --out x.florin $fit
}
bad '{event: payment, within: 30d, is: total}' '`is` is present, absent, sum, count, amount, time, class or items'
bad '{event: payment, within: 30d, is: class}' 'needs `of: FIELD`'
bad '{event: payment, within: 30d, is: class, of: colour}' "no category field 'colour'"
bad '{event: payment, within: 30d, is: sum, of: category}' 'only with `is: class`'
bad '{mark: declined}' 'for moments {event: TYPE}'
sed 's/label: .*/label: {field: category}/' declined.yaml >known.yaml
fails 3 'category is known when the event is judged' "$FLORIN" fit bank --task known.yaml --out x.florin
sed 's/is: number/is: colour/' sql.yaml >colour.yaml
fails 3 'is number, time' "$FLORIN" fit bank --task colour.yaml --out x.florin
task all_alike "{event: payment, within: 30d, is: sum, amount_from: 9000000}"
fails 3 'all alike' "$FLORIN" fit bank --task all_alike.yaml --out x.florin
task sampled "{event: payment, within: 30d, is: sum}"
echo "negatives: 0.5" >>sampled.yaml
fails 3 'only where the label is yes or no' "$FLORIN" fit bank --task sampled.yaml --out x.florin
done_testing
