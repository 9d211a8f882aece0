# The event's own fields are inputs: numbers as given, values of small category fields by their place; what is `after` is
# not; a value never seen before the plan's moment is unknown. A wide table without a clock can be learnt from, and live
# scoring gives what offline scoring gives.
. "$FLORIN_SOURCE/tests/support/shell.sh"

# Delays of -1 to 10 months as a category, a number with holes, a field known only later, a small text field.
awk 'BEGIN {
    print "id,day,card,amount,delay,load,outcome,colour"
    srand(4)
    for (i = 0; i < 900; i++) {
        d = int(rand() * 12) - 1; l = int(rand() * 1000) / 10; c = i >= 850 && i % 2 ? "violet" : substr("red  greenblue ", 1 + 5 * int(rand() * 3), 5)
        sub(/ +$/, "", c)
        printf "e%d,2024-01-%02d,c%d,%d,%d,%s,%s,%s\n", i, 1 + int(i / 30), i % 40, 10 + i % 7, d, i % 9 ? l : "", (d > 5 && rand() < .9) ? "bad" : "good", c
    }
}' >t.csv
cat >t.yaml <<'Y'
florin: 1
name: t
currency: EUR
time_zone: UTC
entities:
  card: {role: payer}
sources:
  event:
    file: t.csv
    id: id
    time: day
    amount: amount
    entities: {card: card}
    categories:
      delay: delay
      colour: colour
      outcome: {column: outcome, after: true}
    numbers: {load: load}
    labels:
      fraud: {sql: "\"raw:outcome\" = 'bad'", delay: 1d}
Y
ok "$FLORIN" import t.yaml --log log
ok "$FLORIN" features log --out f.csv
head -1 f.csv | tr , '\n' | tr -d '"' >names
has names '^event.load_value$'
has names '^event.delay_value$'
has names '^event.colour_value$'
lacks names 'outcome'
column() { grep -nx "$1" names | cut -d: -f1; }
at=$(column event.delay_value) load=$(column event.load_value) id=$(column event)
# Places follow the numbers: -1 is 0, 0 is 1, 10 is 11 (as text 10 would stand before 2).
awk -F, -v OFS=, 'NR > 1 { print $1, $5 + 1, $6 == "" ? -1 : $6 + 0 }' t.csv | sort >want
awk -F, -v OFS=, -v a="$at" -v l="$load" -v i="$id" 'NR > 1 { gsub(/"/, "", $i); print $i, $a + 0, sprintf("%.1f", $l) + 0 }' f.csv | sort >got
same want got

# What the plan learnt before a moment: violet comes later and is unknown to a head that is fitted before.
cat >task.yaml <<'Y'
florin_task: 1
name: bad
moments: {event: event}
label: fraud
train: {from: 2024-01-01}
test: {from: 2024-01-24, to: 2024-01-31}
Y
ok "$FLORIN" fit log --task task.yaml --out m.florin --report r.json --rounds 30 --draws 20
awk -v a="$(json r.json systems.0.metrics.auc.value)" 'BEGIN { exit !(a > .9) }' || die "the delay decides, and was not found"
equal "$(json r.json systems.0.features.0.name)" fold:event.delay_value
ok "$FLORIN" replay log --model m.florin --check
ok "$FLORIN" features log --model m.florin --out m.csv
c=$(column event.colour_value)
equal "$(awk -F, -v c="$c" 'NR > 1 && $c == -1' m.csv | wc -l)" "$(grep -c violet t.csv)"

# All at one moment: no past, and the rows' own fields are all there is.
sed -e 's/time: day/time: {sql: "TIMESTAMP '"'2024-01-01'"'"}/' t.yaml >wide.yaml
ok "$FLORIN" import wide.yaml --log wide
{ echo id,fold; awk 'BEGIN { for (i = 0; i < 40; i++) print "c" i "," i % 4 }'; } >folds.csv
sed -e '/^train/d' -e 's/^test.*/test: {from: 2024-01-01, to: 2024-01-02}/' task.yaml >wide_task.yaml
echo 'folds: folds.csv' >>wide_task.yaml
ok "$FLORIN" fit wide --task wide_task.yaml --out w.florin --report w.json --rounds 60 --draws 20
awk -v a="$(json w.json systems.0.metrics.auc.value)" 'BEGIN { exit !(a > .9) }' || die "nothing was found in a wide table"
done_testing
