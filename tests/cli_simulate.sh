# florin simulate: a log and tables, the truth apart, refusals in one line.
. "$FLORIN_SOURCE/tests/support/shell.sh"

ok "$FLORIN" simulate --events 20000 --days 40 --seed 3 --out log --csv tables --json
equal "$(json out.txt days)" 40
cp out.txt first.json
for f in payments refunds logins salaries disputes alerts truth; do ok test -s "tables/$f.csv"; done
same tables/schema.yaml "$FLORIN_SOURCE/examples/simulated/schema.yaml"
ok "$FLORIN" simulate --events 20000 --days 40 --seed 3 --csv again --threads 1
ok diff -r tables again
equal "$(cat tables/{payments,refunds,logins,salaries}.csv | grep -vc _id)" 20000
equal "$(grep -vc _id tables/payments.csv)" "$(json first.json payments)"
head -1 tables/payments.csv >head
lacks head 'fraud|kind|truth'
no_nan first.json tables/payments.csv
fails 2 'must be from 1' "$FLORIN" simulate --events 0 --out log3
fails 2 'name a log' "$FLORIN" simulate --events 10
fails 2 'a date' "$FLORIN" simulate --start yesterday --out log3
fails 6 '.' "$FLORIN" simulate --events 1000 --out /proc/log
ok test ! -e log3
done_testing
