# florin score and replay: the whole thread on a small world; both paths equal; the user's own ids; another schema,
# unknown values, damaged models, a model that has seen the future; refusals in one line.
. "$FLORIN_SOURCE/tests/support/shell.sh"
ok "$FLORIN" simulate --events 5000 --days 60 --cards 60 --seed 5 --out log --csv tables --quiet
ok "$FLORIN" pretrain log --out net.florin --until 2025-01-15 --hidden 16 --width 16 --steps 12 --quiet
cat >fraud.yaml <<'Y'
florin_task: 1
name: fraud
moments: {event: payment}
label: fraud
train: {from: 2025-01-15, to: 2025-02-10}
test: {from: 2025-02-10, to: 2025-03-02}
head: trees
Y
ok "$FLORIN" fit log --task fraud.yaml --model net.florin --out fraud.florin --rounds 10 --draws 20 --quiet

# --- a whole log, offline and live: the same table, the same words
ok "$FLORIN" score log --model fraud.florin --out offline.csv --top 10 --json
cp out.txt offline.json
equal "$(json offline.json events)" 5000
equal "$(json offline.json top.#)" 10
equal "$(json offline.json heads.0.name)" fraud
equal "$(json offline.json checked)" false
ok "$FLORIN" replay log --model fraud.florin --out live.csv --top 10 --json --check
equal "$(json out.txt checked)" true
same offline.csv live.csv
for path in top.0 top.3.reasons.0 top.9.reasons; do equal "$(json out.txt $path)" "$(json offline.json $path)"; done
no_nan offline.csv offline.json
equal "$(head -1 offline.csv | tr -d '"')" id,time,fraud_probability,fraud_score,fraud_level
equal "$(wc -l <offline.csv)" 5001

# --- outputs carry the user's own ids, one row for each event of the tables
for t in payments refunds logins salaries; do tail -n +2 tables/$t.csv | cut -d, -f1; done | sort >want
tail -n +2 offline.csv | cut -d, -f1 | sort >got
same want got
id=$(json offline.json top.0.id)
has want "^$id\$"
code=$(json offline.json top.0.reasons.0.code)
grep -Eq '^[a-z_]+\.[a-z0-9_.]+$' <<<"$code" || die "code $code"
[ -n "$(json offline.json top.0.reasons.0.text)" ] || die "no words"

# --- text, parts of the log, another tier
ok "$FLORIN" score log --model fraud.florin --top 3 --from 2025-02-10 --to 2025-02-20
has out.txt 'Most suspicious by fraud'
has out.txt '^  3\. [a-z]?[0-9]+ +2025-02-1'
has out.txt '\(normal for this (card|merchant|terminal|device)( with [a-z]+)?: '
lacks err.txt 'no measure'
ok "$FLORIN" score log --model fraud.florin --from 2025-02-10 --to 2025-02-20 --out part.csv --quiet
grep -E ',"?2025-02-1[0-9]' offline.csv >want
tail -n +2 part.csv >got
same want got
ok "$FLORIN" replay log --model fraud.florin --check --tier ref --quiet
ok "$FLORIN" score log --model fraud.florin --out scores.parquet --quiet
ok test -s scores.parquet

# --- a model that has seen what it scores: done, and said
ok "$FLORIN" score log --model fraud.florin --json
has err.txt 'learnt from what became known before 2025-02-10.*no measure'
equal "$(json out.txt learnt_until)" '2025-02-10 00:00:00'

# --- one more segment: values that no one has seen, a late event, a correction; still equal
cp -r log more
{ head -1 tables/payments.csv
  echo 'x1,2025-03-05 10:00:00,new card,new shop,new till,new device,12.34,zeppelin,XX,telepathy,00'
  echo 'x2,2025-01-05 10:00:00,new card,new shop,,,99999999.99,,,,99'; } >extra.csv
ok "$FLORIN" import tables/schema.yaml --log more payment=extra.csv --quiet
ok "$FLORIN" replay more --model fraud.florin --check --out more.csv --quiet
equal "$(grep -c '^"\{0,1\}x[12]"\{0,1\},' more.csv)" 2
no_nan more.csv

# --- entities at a date
cat >churn.yaml <<'Y'
florin_task: 1
name: churn
moments: {entity: card, every: 4d}
population: {active: {event: payment, within: 20d}}
label: {event: payment, within: 7d, is: absent}
train: {from: 2025-01-15, to: 2025-02-05}
test: {from: 2025-02-16, to: 2025-02-22}
head: trees
Y
ok "$FLORIN" fit log --task churn.yaml --model fraud.florin --out both.florin --rounds 6 --draws 20 --quiet
ok "$FLORIN" score log --model both.florin --at 2025-02-16 --top 5 --out churn.csv --json
equal "$(json out.txt head) $(json out.txt entity) $(json out.txt top.#)" "churn card 5"
cards=$(json out.txt entities)
equal "$(wc -l <churn.csv)" $((cards + 1))
equal "$(head -1 churn.csv | tr -d '"')" card,at,probability,score,level,days_since_last_event
cut -d, -f3 tables/payments.csv | sort -u >want
tail -n +2 churn.csv | cut -d, -f1 | sort -u | comm -23 - want >strangers
equal "$(cat strangers)" ""
no_nan churn.csv out.txt
ok "$FLORIN" score log --model both.florin --at end --top 3
has out.txt '^  3\. c[0-9]+  score [0-9]+ \([0-9.]+ %\)  last event .* before'
ok "$FLORIN" score log --model both.florin --json --quiet
equal "$(json out.txt heads.#)" 1
fails 2 'leave out --from' "$FLORIN" score log --model both.florin --at end --from 2025-02-01
fails 2 'no head that judges entities' "$FLORIN" score log --model fraud.florin --at end
fails 2 'scores events, not entities' "$FLORIN" score log --model both.florin --at end --head fraud
fails 2 'scores entities at a date' "$FLORIN" score log --model both.florin --head churn
fails 2 'not a time' "$FLORIN" score log --model both.florin --at tomorrow
fails 3 'no card has an event' "$FLORIN" score log --model both.florin --at 2024-01-01
fails 2 '.' "$FLORIN" replay log --model both.florin --at end

# --- heads and files that do not fit
fails 2 'no head that scores events' "$FLORIN" score log --model net.florin
fails 2 'no head churn.*fraud' "$FLORIN" score log --model fraud.florin --head churn --top 1
fails 2 'model' "$FLORIN" score log
fails 2 'not a time' "$FLORIN" score log --model fraud.florin --from soon
fails 2 'at most 1000' "$FLORIN" score log --model fraud.florin --top 5000
fails 2 'scores\.xlsx' "$FLORIN" score log --model fraud.florin --out scores.xlsx
fails 6 'nowhere' "$FLORIN" score log --model fraud.florin --out nowhere/scores.csv
fails 6 'nolog' "$FLORIN" score nolog --model fraud.florin
fails 6 'nomodel' "$FLORIN" score log --model nomodel
fails 2 'tier' "$FLORIN" score log --model fraud.florin --tier sse1
sed 's/country/land/g' tables/schema.yaml >land.yaml
mkdir land && cp tables/*.csv land/ && cp land.yaml land/schema.yaml
for f in land/*.csv; do sed -i '1s/country/land/' "$f"; done
ok "$FLORIN" import land/schema.yaml --log other --quiet
for command in score replay; do
    fails 5 "category number 2 is 'country' in the model's schema and 'land' in the log" "$FLORIN" $command other --model fraud.florin
done

# --- damaged models and logs: refused by name, whatever the place
size=$(stat -c %s fraud.florin)
for at in 0 1 7 100 $((size / 2)) $((size - 1)); do
    head -c "$at" fraud.florin >cut.florin
    fails 4 'cut\.florin' "$FLORIN" score log --model cut.florin
done
flip() { # flip FILE AT: one bit of the byte
    local byte
    byte=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
    printf "%b" "\\$(printf '%03o' $((byte ^ 16)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
for at in 3 50 2000 $((size / 3)) $((size / 2)) $((size - 5)); do
    cp fraud.florin flipped.florin
    flip flipped.florin "$at"
    fails 4 'flipped\.florin' "$FLORIN" replay log --model flipped.florin
done
cp -r log broken
flip broken/seg-000001.fls 4000
fails 4 'seg-000001' "$FLORIN" score broken --model fraud.florin

# --- a table that does not fit its disk (a limit on the size of a file acts like one): nothing half-written stays
rm -f big.csv
code=0
(ulimit -f 16 && "$FLORIN" score log --model fraud.florin --from 2025-02-10 --out big.csv --quiet) >out.txt 2>err.txt || code=$?
equal "$code" 6
equal "$(wc -l <err.txt)" 1
has err.txt 'big\.csv'
ok test ! -e big.csv
if [ "$(id -u)" = 0 ]; then
    public_folder closed
    chmod 755 "$PUBLIC/closed"
    cp -r log fraud.florin "$PUBLIC/"
    chmod -R a+rX "$PUBLIC/log" "$PUBLIC/fraud.florin"
    fails 6 'closed.*[Pp]ermission' as_nobody "$FLORIN" score "$PUBLIC/log" --model "$PUBLIC/fraud.florin" --out "$PUBLIC/closed/s.csv"
    chmod 600 "$PUBLIC/fraud.florin"
    fails 6 'fraud\.florin.*[Pp]ermission' as_nobody "$FLORIN" score "$PUBLIC/log" --model "$PUBLIC/fraud.florin"
fi
done_testing
