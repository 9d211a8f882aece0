# florin import: cells of every kind, rejects, duplicates, labels, formats, refusals; a log that stays whole.
. "$FLORIN_SOURCE/tests/support/shell.sh"

cat >s.yaml <<'Y'
florin: 1
name: shop
currency: EUR
entities:
  card: {role: payer}
  shop: {role: payee}
sources:
  payment:
    file: pay.csv
    id: id
    time: when
    amount: amount
    entities: {card: card, shop: shop}
    categories: {kind: kind}
    numbers: {n: n}
    labels:
      fraud: {column: fraud, delay: 2d}
Y
cat >pay.csv <<'C'
id,when,amount,card,shop,kind,n,fraud
1,2024-01-02 10:00:00,12.34,c1,s1,food,1.5,0
2,2024-01-01 10:00:00,7,c2,s1,"travel
by night",,1
3,2024-01-03 10:00:00,-1.005,c1,s2,food,2,0
3,2024-01-03 10:00:00,-1.005,c1,s2,food,2,0
4,yesterday,1,c1,s2,food,2,0
5,2024-01-04,NaN,c1,s2,food,2,0
6,2024-01-04,1,c1,s2,food,inf,0
,2024-01-04,1,c1,s2,food,2,0
8,2024-01-04,1,c1,s2,food,2,maybe
9,2024-01-04,,c1,s2,food,2,0
C
import() { ok "$FLORIN" import "$@" --json; }

# What is good comes in, what is not is named with its row, field and reason.
import s.yaml --log log
equal "$(json out.txt events) $(json out.txt labels) $(json out.txt duplicates) $(json out.txt rejected)" "3 3 1 6"
for r in 'payment,[0-9]+,time,not a time' 'amount,not a finite' 'n,not a finite' 'id,missing' 'fraud,label' \
    'amount,missing'; do
    has log/rejects.csv "$r"
done
equal "$(stat -c %a log/ids-000001.fld)" 600
no_nan out.txt

# The same file again adds nothing, more rows add a segment, earlier ones are late, corrections are labels.
cp log/manifest.json before
import s.yaml --log log
equal "$(json out.txt added) $(json out.txt labels_added)" "0 0"
same before log/manifest.json
ok "$FLORIN" import s.yaml --log log
has out.txt 'Nothing new'
cat >more.csv <<'C'
id,when,amount,card,shop,kind,n,fraud
3,2024-01-03 10:00:00,-1.005,c1,s2,food,2,1
20,2024-01-05,5,c9,s1,new,1,0
21,2023-01-05,5,c1,s1,food,1,0
C
import s.yaml --log log more.csv
equal "$(json out.txt added) $(json out.txt labels_added) $(json out.txt duplicates) $(json out.txt late)" "2 3 1 1"
equal "$(json out.txt entities.card)" 3

# --strict leaves the log as it was; so does a schema of other fields, another key or a second writer.
cp log/manifest.json before
fails 3 'row 6.*time.*not a time.*strict' "$FLORIN" import s.yaml --log log --strict
sed 's/kind: kind/sort: kind/' s.yaml >other.yaml
fails 5 'kind|sort' "$FLORIN" import other.yaml --log log more.csv
(sed 2q s.yaml; echo 'hash_key: k.hex'; sed 1,2d s.yaml) >keyed.yaml
echo 00112233445566778899aabbccddeeff >k.hex
fails 5 'another key' "$FLORIN" import keyed.yaml --log log more.csv
exec 8>log/lock
flock 8
fails 6 'another import' "$FLORIN" import s.yaml --log log more.csv
exec 8>&-
same before log/manifest.json

# No dictionary of names when none is wanted.
import s.yaml --log noids --no-ids
ok test ! -e noids/ids-000001.fld

# Line ends, marks, blanks between columns, sorting on disk: the same events.
sed -i '/by night/d; /travel/d' pay.csv
import s.yaml --log plain
events=$(json out.txt events)
(printf '\xef\xbb\xbf'; cat pay.csv) >bom.csv
tr '\n' '\r' <pay.csv >cr.csv
sed 's/$/\r/' pay.csv >crlf.csv
tr ',' ';' <pay.csv >semi.csv
tr ',' '\t' <pay.csv >tabs.csv
for f in bom cr crlf semi tabs; do
    import s.yaml --log "log_$f" $f.csv
    equal "$f $(json out.txt events) $(json out.txt rejected)" "$f $events 6"
done
import s.yaml --log disk --sort-on-disk
equal "$(json out.txt events) $(json out.txt rejected)" "$events 6"
same plain/seg-000001.fls disk/seg-000001.fls

# Two sources may number their events alike; labels of their own source find theirs or are counted.
cat >two.yaml <<'Y'
florin: 1
name: two
currency: EUR
entities:
  card: {role: payer}
sources:
  payment: {file: p.csv, id: id, time: when, amount: amount, entities: {card: card}}
  login: {file: l.csv, id: id, time: when, entities: {card: card}}
  dispute: {file: d.csv, time: when, labels_of: {event: payment, id: id, label: fraud}}
Y
printf 'id,when,amount,card\n1,2024-01-01,1,a\n2,2024-01-02,2,b\n' >p.csv
printf 'id,when,card\n1,2024-01-01,a\n2,2024-01-03,b\n' >l.csv
printf 'id,when\n2,2024-02-01\n77,2024-02-01\n' >d.csv
import two.yaml --log two
equal "$(json out.txt events) $(json out.txt labels) $(json out.txt labels_unmatched)" "4 1 1"

# Refusals: one line, and no log is made or changed.
: >empty.csv
fails 3 'empty' "$FLORIN" import s.yaml --log none empty.csv
head -1 pay.csv >header.csv
import s.yaml --log nothing header.csv
equal "$(json out.txt events)" 0
sed 's/amount/amuont/' pay.csv >missing.csv
fails 3 "no column 'amount'.*amuont" "$FLORIN" import s.yaml --log none missing.csv
fails 6 'No such file' "$FLORIN" import s.yaml --log none nowhere.csv
head -c 4000 /dev/urandom >binary.csv
fails 3 'binary' "$FLORIN" import s.yaml --log none binary.csv
fails 3 'folder' "$FLORIN" import s.yaml --log none log
(head -1 pay.csv; printf '1,2024-01-02,1,c1,s1,'; head -c 1000000 /dev/zero | tr '\0' x; echo ',1,0') >long.csv
import s.yaml --log long long.csv
equal "$(json out.txt events) $(json out.txt rejected)" "0 1"
has long/rejects.csv 'kind,value longer'
(head -1 pay.csv; printf '1,2024-01-02,1,c1,s1,'; head -c 3000000 /dev/zero | tr '\0' x; echo ',1,0'; tail -3 pay.csv) >longer.csv
fails 3 'longer.csv: a line is longer than 2 MiB.*shorten it' "$FLORIN" import s.yaml --log none longer.csv
(head -1 pay.csv; for i in 4111111111111111 5555555555554444 378282246310005 4012888888881881; do
    echo "$i,2024-01-02,1,$i,s1,food,1,0"; done) >cards.csv
fails 3 "column 'id' holds card numbers" "$FLORIN" import s.yaml --log none cards.csv
sed -i 's/^[0-9]*,/7&/' cards.csv
fails 3 "column 'card' holds card numbers.*card_numbers: true" "$FLORIN" import s.yaml --log none cards.csv
(sed 2q s.yaml; echo 'card_numbers: true'; sed 1,2d s.yaml) >declared.yaml
import declared.yaml --log declared cards.csv
equal "$(json out.txt events)" 4
for f in declared/*; do
    for n in 4111111111111111 378282246310005; do grep -aq "^$n\|[^7]$n" "$f" && die "$f holds the card number $n"; done
done
ok test ! -e none/manifest.json

# Damage is found at open.
cp -r log broken
truncate -s -1 broken/seg-000001.fls
fails 4 'seg-000001.*(damaged|cut short)' "$FLORIN" import s.yaml --log broken more.csv
done_testing
