# Tables that nobody prepared for: draft, then import, at most three changed lines; times, amounts, currencies and keys
# come out as they were meant.
. "$FLORIN_SOURCE/tests/support/shell.sh"
# take FILE [LINES_SED]: draft FILE, change it, import it into ./log and describe that as d.json.
take() {
    rm -rf log
    ok "$FLORIN" draft "$1" --out s.yaml
    [ -z "${2:-}" ] || sed -i "$2" s.yaml
    ok "$FLORIN" import s.yaml --log log --json
    cp out.txt i.json
    equal "$1 $(json i.json rejected)" "$1 0"
    ok "$FLORIN" describe log --json
    cp out.txt d.json
}
is() {
    local v
    v=$(json d.json "$1")
    case $v in *[!0-9.-]* | *.*.*) ;; *.*) v=$(printf '%.9g' "$v") ;; esac
    equal "$1 $v" "$1 $2"
}

# JSON lines: structures, times with zones, three currencies, lists.
awk 'BEGIN { for (i = 0; i < 60; i++) printf "{\"id\":\"pay_%d\",\"event\":{\"created_at\":\"2024-03-%02dT00:30:00.5%s\"},\"customer\":{\"id\":\"cus_%d\",\"address\":{\"country\":\"%s\"}},\"merchant\":{\"id\":\"m%d\"},\"money\":{\"amount\":%d.25,\"currency\":\"%s\"},\"tags\":[\"a\",\"%d\"],\"is_fraud\":%s}\n",
    i, 1 + i % 28, i % 2 ? "+02:00" : "-0130", i % 7, i % 3 ? "DE" : "FR", i % 5, 1 + i, i % 3 == 0 ? "EUR" : i % 3 == 1 ? "USD" : "JPY", i, i % 10 ? "false" : "true" }' >nested.jsonl
take nested.jsonl
is events 60
is time.first '2024-03-01 02:00:00.5'
is time.last '2024-03-27 22:30:00.5'
is entities.0.kind customer
is entities.0.entities 7
is entities.1.entities 5
is amounts.currencies 3
is amounts.by_currency.0.currency EUR
is amounts.by_currency.0.max 58.25
is labels.0.positive 6
has s.yaml 'customer_address_country: "customer.address.country"'
# A broken line costs itself, and is named.
sed '7s/.*/{"id": broken/' nested.jsonl >broken.jsonl
ok "$FLORIN" import s.yaml --log broken broken.jsonl --json
equal "$(json out.txt events) $(json out.txt rejected)" "59 1"
has broken/rejects.csv '^event,7,'

# The same as an array over many lines.
(echo '['; sed '$!s/$/,/; s/","/",\n "/' nested.jsonl; echo ']') >array.json
take array.json
is events 60
is time.first '2024-03-01 02:00:00.5'

# Epochs in seconds, milli-, micro- and nanoseconds; amounts in cents.
for unit in '' 000 000000 000000000; do
    awk -v u=$unit 'BEGIN { for (i = 0; i < 50; i++) printf "{\"txn_id\":%d,\"ts\":%d%s,\"account_id\":%d,\"amount_cents\":%d}\n", i, 1735689600 + 3600 * i, u, i % 9, 1999 + i }' >epoch.jsonl
    take epoch.jsonl
    is time.first '2025-01-01 00:00:00'
    is time.last '2025-01-03 01:00:00'
    is amounts.by_currency.0.min 19.99
done

# Semicolons, decimal commas, points between thousands, days before months, German words.
awk 'BEGIN { print "Buchungsnummer;Buchungsdatum;Kunde;Haendler;Betrag;Waehrung;Betrug"
    for (i = 0; i < 60; i++) printf "B%d;%02d.01.2025 10:00;K%d;H%d;%s1.%03d,5%d;CHF;%s\n", i, 1 + i % 31, i % 7, i % 5, i ? "" : "-", i, i % 10, i % 9 ? "nein" : "ja" }' >german.csv
take german.csv
is amounts.by_currency.0.currency CHF
is amounts.by_currency.0.min -1000.5
is amounts.by_currency.0.max 1059.59
is time.last '2025-01-31 10:00:00'
is labels.0.positive 7
# The euro sign, Latin-1.
awk 'BEGIN { print "id;date;customer;amount"; for (i = 0; i < 40; i++) printf "%d;2025-01-%02d;c%d;€ 1.000,%02d\n", i, 1 + i % 28, i % 6, i }' >euro.csv
take euro.csv
is amounts.by_currency.0.currency EUR
is amounts.by_currency.0.max 1000.39
awk 'BEGIN { print "id,time,customer,amount,city"; for (i = 0; i < 40; i++) printf "%d,2025-01-%02d 10:00:00,c%d,%d.50,M\xfcnchen%d\n", i, 1 + i % 28, i % 6, i, i % 3 }' >latin.csv
take latin.csv
is categories.0.values 3
has d.json 'München'

# Zones: in the text, or of the schema (summer and winter), or in a format.
printf 'id,time,customer,amount\n1,2025-07-01T10:00:00Z,a,1\n2,2025-07-01T10:00:00+05:30,b,1\n3,2025-07-01T10:00-0400,b,1\n4,20250701T235959Z,b,1\n' >zones.csv
take zones.csv
is time.first '2025-07-01 04:30:00'
is time.last '2025-07-01 23:59:59'
printf 'id,time,customer,amount\n1,2025-01-01 10:00:00,a,1\n2,2025-07-01 10:00:00,b,1\n3,2025-07-01T10:00:00Z,b,1\n' >berlin.csv
take berlin.csv 's/^time_zone: UTC/time_zone: Europe\/Berlin/'
is time.first '2025-01-01 09:00:00'
is time.last '2025-07-01 10:00:00'
ok "$FLORIN" features log --out f.csv --quiet
has f.csv '2025-07-01 08:00:00'
printf 'id,when,customer,amount\n1,01/Jul/2025:10:00:00 +0200,a,1\n2,02/Jul/2025:10:00:00 +0000,b,1\n' >format.csv
take format.csv
is time.first '2025-07-01 08:00:00'
sed -i 's/^time_zone: .*/time_zone: Mars\/Olympus/' s.yaml
fails 3 'Mars' "$FLORIN" import s.yaml --log mars

# Bookkeepers' brackets and dollars; a step counter; no header; a running number and personal names are no features.
awk 'BEGIN { print "Order ID|Order Date|Customer Name|Store|Sale Amount"
    for (i = 0; i < 60; i++) printf "O-%d|%02d/15/2024 1:00:00 PM|Cust %d|S%d|%s\n", i, 1 + i % 12, i % 30, i % 4, i % 9 ? "$1,000." (10 + i) : "(5.25)" }' >us.txt
take us.txt
is amounts.by_currency.0.currency USD
is amounts.by_currency.0.negative 7
is amounts.by_currency.0.max 1000.69
is time.last '2024-12-15 13:00:00'
is entities.0.entities 30
awk 'BEGIN { print "row,step,type,amount,nameOrig,oldbalanceOrg,nameDest,isFraud,isFlaggedFraud,first"
    for (i = 0; i < 90; i++) printf "%d,%d,%s,%d.5,C%d,%d.25,M%d,%d,%d,Ann%d\n", i, 1 + i / 10, i % 2 ? "PAYMENT" : "TRANSFER", i, i % 40, i * 7, i % 30, i % 11 == 0, i % 13 == 0, i % 8 }' >paysim.csv
take paysim.csv
is time.days 0.333333333
is entities.0.entities 40
is entities.1.entities 30
is labels.0.positive 9
has s.yaml 'left out: isFlaggedFraud'
has s.yaml 'left out: first'
awk 'BEGIN { for (i = 0; i < 200; i++) printf "2024-01-01 %02d:%02d:00\tc%d\tm%d\t%d.75\n", i / 60, i % 60, i % 40, i % 25, i }' >nohead.tsv
take nohead.tsv
is events 200
is entities.0.entities 40
is entities.1.entities 25
is amounts.by_currency.0.max 199.75

# Card numbers: also spaced; one changed line declares them, and they are never written.
luhn='function luhn(s, i, d, sum) { for (i = 1; i <= 15; i++) { d = substr(s, i, 1) * (i % 2 ? 2 : 1); sum += d > 9 ? d - 9 : d } return (10 - sum % 10) % 10 }'
awk "$luhn"' BEGIN { print "trans_date_trans_time,cc_num,merchant,amt,trans_num,is_fraud"
    for (i = 0; i < 80; i++) { s = sprintf("41111111111%04d", i % 20 * 7); s = s luhn(s)
        printf "2024-01-%02d 10:00:00,%s %s %s %s,m%d,%d.10,t%d,%d\n", 1 + i % 28, substr(s, 1, 4), substr(s, 5, 4), substr(s, 9, 4), substr(s, 13), i % 6, i, i, i % 12 == 0 } }' >cards.csv
ok "$FLORIN" draft cards.csv --out s.yaml
fails 3 "column 'cc_num' holds card numbers" "$FLORIN" import s.yaml --log none
take cards.csv 's/^card_numbers: false/card_numbers: true/'
is entities.0.kind card
is entities.0.entities 20
! grep -arq '4111 1111\|41111111' log s.yaml || die 'a card number was written'
# Two of them are enough, wherever they stand; a long number without a check digit is none.
printf 'id,time,customer,amount,note\n1,2024-01-01,a,1,4111111111111111\n2,2024-01-02,b,2,ok\n' >two.csv
ok "$FLORIN" draft two.csv --out s.yaml
sed -i '/note/d; s/^    amount: amount.*/    amount: amount\n    categories: {note: note}/' s.yaml
fails 3 "column 'note' holds card numbers" "$FLORIN" import s.yaml --log none
sed -i 's/4111111111111111/4111111111111112/' two.csv
ok "$FLORIN" import s.yaml --log none

# Parquet, written here; CSV with quoted line ends over many buffers; rows that end early.
"$FLORIN" simulate --events 3000 --days 30 --out sim --quiet >/dev/null
ok "$FLORIN" features sim --velocity --out p.parquet --quiet
take p.parquet
is events 3000
awk 'BEGIN { print "id,time,customer,amount,note"; for (i = 0; i < 60000; i++) printf "%d,2024-01-01 00:00:00,c%d,1.50,\"a note\nof two lines %d\"\n", i, i % 100, i % 5 }' >quoted.csv
take quoted.csv
is events 60000
awk 'BEGIN { print "id,time,customer,amount,note"; for (i = 0; i < 3000; i++) printf "%d,2024-01-01 00:00:00,c%d,1.50%s\n", i, i % 100, i % 3 ? ",x" : "" }' >ragged.csv
take ragged.csv
is events 3000

# Rows are numbered as a reader of the file counts them, also behind lines that are no rows.
awk 'BEGIN { print "id,time,customer,amount"; for (i = 2; i <= 60000; i++)
    print i == 40000 || i == 40001 || i == 55000 ? i ",2024-01-01,c,1,2,3,4" : i == 30000 || i == 45000 || i == 60000 ? i ",2024-01-01,c,lots" : i ",2024-01-01 00:00:00,c" i % 50 ",1" }' >lines.csv
cat >lines.yaml <<'Y'
name: lines
currency: EUR
entities: {customer: payer}
sources:
  event: {file: lines.csv, id: id, time: time, amount: amount, entities: {customer: customer}}
  again: {file: lines.csv, id: id, time: time, amount: amount, entities: {customer: customer}}
Y
for how in '' --sort-on-disk; do
    rm -rf log
    ok "$FLORIN" import lines.yaml --log log --json $how
    equal "$(json out.txt events) $(json out.txt read) $(json out.txt rejected)" "119986 119998 12"
    equal "$(cut -d, -f1,2 log/rejects.csv | tr '\n' ' ')" "source,row event,30000 event,40000 event,40001 event,45000 event,55000 event,60000 again,30000 again,40000 again,40001 again,45000 again,55000 again,60000 "
    fails 3 'lines.csv: row 30000, field amount' "$FLORIN" import lines.yaml --log strict --strict $how
done

# An expression that fails on a value names its field, and not the value.
printf 'id,time,customer,amount\n1,2024-01-01,12,1\n2,2024-01-02,secret9,2\n' >bad.csv
cat >bad.yaml <<'Y'
name: bad
currency: EUR
entities: {customer: payer}
sources:
  event: {file: bad.csv, id: id, time: time, amount: amount, entities: {customer: {sql: "customer::BIGINT"}}}
Y
for how in '' --sort-on-disk; do
    fails 3 'bad.csv: field customer: .*where' "$FLORIN" import bad.yaml --log bad $how
    lacks err.txt secret9
done
ok test ! -e bad/manifest.json
done_testing
