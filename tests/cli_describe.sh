# florin describe: every figure against a table small enough to count by hand; no identifier in any form of it.
. "$FLORIN_SOURCE/tests/support/shell.sh"
cat >s.yaml <<'Y'
name: shop
currency: EUR
entities: {card: payer, shop: payee}
sources:
  payment:
    file: pay.csv
    id: id
    time: time
    amount: amount
    currency: currency
    entities: {card: card, shop: shop}
    categories:
      kind: kind
      contact: contact
      answer: {column: answer, after: true}
    numbers: {weight: weight}
    marks: {declined: declined}
    labels:
      fraud: {column: fraud, arrival: told}
  login:
    file: login.csv
    id: id
    time: time
    entities: {card: card}
  correction:
    file: fix.csv
    time: time
    labels_of: {event: payment, id: id, label: fraud, value: fraud}
Y
cat >pay.csv <<'C'
id,time,amount,currency,card,shop,kind,contact,answer,weight,declined,fraud,told
secret-p1,2024-01-01 00:00:00,10.00,EUR,secret-c1,secret-s1,food,secret@mail.example,ok,1,no,1,2024-01-03 00:00:00
secret-p2,2024-01-02 00:00:00,-2.50,EUR,secret-c1,secret-s1,food,555 123 4567 89,ok,2,no,0,2024-01-03 00:00:00
secret-p3,2024-01-03 00:00:00,0.00,EUR,secret-c2,,food,555 123 4567 89,ok,,no,1,2024-01-13 00:00:00
secret-p4,2024-01-04 00:00:00,700,JPY,secret-c1,secret-s2,<b>toys</b>,,no,4,yes,,
secret-p5,2024-01-05 00:00:00,99.99,EUR,secret-c3,secret-s1,,,ok,-3,no,,
secret-p6,never,1,EUR,secret-c3,secret-s1,food,,ok,1,no,,
secret-p7,2024-01-05 00:00:00,x,EUR,secret-c3,secret-s1,food,,ok,1,no,,
secret-p8,soon,1,EUR,secret-c3,secret-s1,food,,ok,1,no,,
C
printf 'id,time,card\nl1,2024-01-11 00:00:00,secret-c1\n' >login.csv
printf 'id,time,fraud\nsecret-p3,2024-02-01 00:00:00,0\n' >fix.csv
ok "$FLORIN" import s.yaml --log log
printf 'id,time,card\nl2,2023-12-31 00:00:00,secret-c9\n' >late.csv
ok "$FLORIN" import s.yaml --log log login=late.csv
ok "$FLORIN" describe log --json
cp out.txt d.json
no_nan d.json
is() { # reals as they read: 11.0 is 11, the double nearest to 99.99 is 99.99
    local v
    v=$(json d.json "$1")
    case $v in *[!0-9.-]* | *.*.*) ;; *.*) v=$(printf '%.9g' "$v") ;; esac
    equal "$1 $v" "$1 $2"
}
is events 7
is segments 2
is time.first '2023-12-31 00:00:00'
is time.last '2024-01-11 00:00:00'
is time.days 11
is time.late_events 1
is event_types.# 2
is event_types.0.events 5
is event_types.0.with_amount 5
is event_types.1.events 2
is entities.0.kind card
is entities.0.entities 4
is entities.0.events_each_median 1
is entities.0.events_each_max 4
is entities.0.seen_once 3
is entities.1.entities 2
is entities.1.missing 3
is marks.0.events 1
is amounts.missing 2
is amounts.currencies 2
is amounts.by_currency.0.currency EUR
is amounts.by_currency.0.events 4
is amounts.by_currency.0.negative 1
is amounts.by_currency.0.zero 1
is amounts.by_currency.0.min -2.5
is amounts.by_currency.0.median 0
is amounts.by_currency.0.p75 10
is amounts.by_currency.0.max 99.99
is amounts.by_currency.0.total 107.49
is amounts.by_currency.1.currency JPY
is amounts.by_currency.1.max 700
is categories.0.values 2
is categories.0.missing 3
is categories.0.top.0.value food
is categories.0.top.0.events 3
is categories.1.top.0.value '(hidden: looks like an identifier)'
is categories.1.top.0.events 2
is categories.2.after true
is numbers.0.missing 3
is numbers.0.negative 1
is numbers.0.min -3
is numbers.0.median 1
is labels.0.events 5
is labels.0.labelled 3
is labels.0.positive 1
is labels.0.rate 0.2
is labels.0.corrected 1
is labels.0.delay_days.median 2
is labels.0.delay_days.max 10
is labels.0.delay_days_positive.max 10
is rejects.rows 3
is rejects.reasons.0.reason 'not a time'
is rejects.reasons.0.rows 2
is rejects.reasons.1.field amount

# The same as text and as a page; nowhere a name, and nothing of the data is markup.
ok "$FLORIN" describe log
cp out.txt d.txt
ok "$FLORIN" describe log --html
cp out.txt d.html
for f in d.json d.txt d.html; do
    has $f 'food'
    has $f 'declined'
    lacks $f 'secret|555 123|mail\.example'
done
has d.txt 'card +payer +4 +1 '
has d.txt 'fraud +3 +60.00 % +1 +20.00 %'
has d.txt 'JPY'
has d.html 'viewport'
has d.html '&lt;b&gt;toys'
lacks d.html '<b>|https?://|src='

# The features' list is the one of `features --list`.
ok "$FLORIN" describe log --features --json
cp out.txt a.json
ok "$FLORIN" features log --list --json
same a.json out.txt
ok "$FLORIN" describe log --features
has out.txt 'event.amount +EUR +amount of the event'

# Odd logs: no events, no dictionary, damage, none at all.
head -1 pay.csv >empty.csv
ok "$FLORIN" import s.yaml --log empty empty.csv
ok "$FLORIN" describe empty --json
cp out.txt d.json
is events 0
no_nan d.json
ok "$FLORIN" describe empty
ok "$FLORIN" import s.yaml --log noids --no-ids
ok "$FLORIN" describe noids
fails 6 'nowhere.*no event log' "$FLORIN" describe nowhere
fails 2 'missing' "$FLORIN" describe
cp -r log cut
truncate -s -9 cut/seg-000002.fls
fails 4 'cut/seg-000002' "$FLORIN" describe cut
done_testing
