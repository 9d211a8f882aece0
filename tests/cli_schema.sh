# The schema of docs/schema.md, word for word: three sources with shared keys, labels that arrive and correct.
. "$FLORIN_SOURCE/tests/support/shell.sh"
sed -n '/^```yaml/,/^```$/p' "$FLORIN_SOURCE/docs/schema.md" | grep -v '^```' >s.yaml
mkdir keys
echo 00112233445566778899aabbccddeeff >keys/shop.hex
cat >payments.csv <<'C'
payment_id,status,booked_at,amount,currency,card_token,merchant_id,device_id,country,answer,items,is_fraud
1,ok,2024-07-01 10:00:00,5.50,EUR,a,m,d,DE,00,3,0
2,test,2024-07-01 11:00:00,5.50,EUR,a,m,d,DE,00,3,0
3,ok,2024-07-01 12:00:00,700,JPY,b,m,,FR,51,1,
4,ok,2024-01-01 12:00:00,1.005,EUR,b,n,,FR,00,,1
C
printf 'refund_id,time,amount,card_token,merchant_id\n1,2024-07-03T10:00:00Z,5.50,a,m\n' >refunds.csv
cat >disputes.jsonl <<'J'
{"payment_id":"1","received_at":"2024-08-01T00:00:00+02:00","upheld":true}
{"payment_id":"1","received_at":"2024-09-01T00:00:00+02:00","upheld":false}
{"payment_id":"2","received_at":"2024-08-01T00:00:00Z","upheld":true}
J
ok "$FLORIN" import s.yaml --log log payment=payments.csv refund=refunds.csv dispute=disputes.jsonl --json
equal "$(json out.txt events) $(json out.txt left_out) $(json out.txt rejected)" "4 1 0"
equal "$(json out.txt labels) $(json out.txt labels_unmatched)" "4 1"
equal "$(json out.txt entities.card) $(json out.txt entities.merchant) $(json out.txt entities.device)" "2 2 1"
ok "$FLORIN" describe log --json
equal "$(json out.txt time.first)" '2024-01-01 11:00:00'
equal "$(json out.txt time.last)" '2024-07-03 10:00:00'
equal "$(json out.txt amounts.by_currency.1.max | cut -c1-3)" 700
equal "$(json out.txt labels.0.labelled) $(json out.txt labels.0.positive) $(json out.txt labels.0.corrected)" "2 1 1"
equal "$(json out.txt marks.0.events)" 1
equal "$(json out.txt categories.1.name) $(json out.txt categories.1.after)" "answer true"
# One source alone; a source that there is none.
ok "$FLORIN" import s.yaml --log log refund=refunds.csv --json
equal "$(json out.txt added) $(json out.txt duplicates)" "0 1"
fails 2 "no source 'refunds'" "$FLORIN" import s.yaml --log log refunds=refunds.csv
done_testing
