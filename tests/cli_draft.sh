# florin draft: unknown tables become a schema that import takes; what is no table is refused in one line.
. "$FLORIN_SOURCE/tests/support/shell.sh"

cat >pay.csv <<'C'
payment_ref;booked;card_no;shop_id;Betrag amount;currency;mcc;note;is_fraud;declined
a1;02.01.2025 10:00;77;s1;1,20;EUR;5411;x;no;no
a2;13.01.2025 11:30;78;s2;3,50;EUR;5812;y;yes;no
a3;14.01.2025 12:00;77;s1;9,99;EUR;5411;z;no;yes
C
ok "$FLORIN" draft pay.csv --out pay.yaml --json
equal "$(json out.txt columns.0.role)" id
equal "$(json out.txt columns.1.role)" time
equal "$(json out.txt columns.2.role)" entity
has pay.yaml '%d\.%m\.%Y %H:%M'
has pay.yaml 'card: \{role: payer\}'
has pay.yaml 'shop: \{role: payee\}'
has pay.yaml 'fraud: \{column: is_fraud'

printf 'id,ts,card,amount\n1,1735689600,4111111111111111,5\n2,1735689700,5500005555555559,6\n' >pan.csv
ok "$FLORIN" draft pan.csv --out pan.yaml
has pan.yaml 'card numbers'
lacks pan.yaml '4111111111111111'
lacks out.txt '4111111111111111'

printf '{"id":"x1","time":"2025-01-01T10:00:00Z","customer":"c","amount":5}\n{"id":"x2","time":"2025-01-02T10:00:00Z","customer":"d","amount":7.5}\n' >rows.jsonl
ok "$FLORIN" draft rows.jsonl
has out.txt 'customer: \{role: payer\}'
cp out.txt rows.yaml
ok "$FLORIN" import rows.yaml --log rows
has out.txt '2 events'

printf 'x,y\n1,2\n3,4\n' >notime.csv
ok "$FLORIN" draft notime.csv
has out.txt 'No column looks like a time'
: >empty.csv
fails 3 'empty' "$FLORIN" draft empty.csv
printf 'a,b\n' >head.csv
fails 3 'no rows' "$FLORIN" draft head.csv
head -c 4000 /dev/urandom >noise.csv
fails 3 'noise.csv' "$FLORIN" draft noise.csv
fails 6 'none.csv' "$FLORIN" draft none.csv
fails 3 'folder' "$FLORIN" draft .
fails 6 '.' "$FLORIN" draft pay.csv --out /proc/pay.yaml

# Real tables that nobody prepared for: a grocer, transfers by step, one row per client with old-Mac line ends.
draft() { # FILE EVENTS
    need_data "$1"
    ok "$FLORIN" draft "$DATA" --out "$1.yaml"
    ok "$FLORIN" import "$1.yaml" --log "$1.log" --json
    equal "$1 $(json out.txt events) $(json out.txt rejected)" "$1 $2 0"
}
draft completejourney_transactions_sample.csv 75000
equal "$(json out.txt entities.household)" 2377
draft amlsim_transactions.csv 120558
need_data uci_credit_default.csv
ok "$FLORIN" draft "$DATA" --out uci.yaml
fails 3 'uci.yaml:[0-9]+:[0-9]+.*which column is its time' "$FLORIN" import uci.yaml --log uci
sed -i "s/^    time: .*/    time: {sql: \"TIMESTAMP '2005-10-01'\"}/" uci.yaml
ok "$FLORIN" import uci.yaml --log uci --json
equal "$(json out.txt events) $(json out.txt labels) $(json out.txt entities.customer)" "30000 30000 30000"
done_testing
