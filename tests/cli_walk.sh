# The walk of docs/tasks.md, "Your own table", run as it is written there: on a slice of Online Retail where that is at hand, else on
# a table of the same columns. The network and the trees are smaller.
. "$FLORIN_SOURCE/tests/support/shell.sh"
PATH=$(dirname "$FLORIN"):$PATH
if whole=$("$FLORIN_SOURCE/scripts/data.sh" online_retail.csv 2>/dev/null); then
    awk -F, 'NR == 1 || /,1785[0-9]\.0,/ || /,1[2-7]..[05]\.0,/ || (/,,/ && NR % 20 == 0)' "$whole" >online_retail.csv
else
    awk 'BEGIN {
        srand(7)
        print "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
        for (i = 0; i < 30000; i++) {
            minute = int(i * 360 * 1440 / 30000); month = int(minute / 1440 / 28); day = int(minute / 1440) % 28 + 1
            who = 17850 - int(400 * rand() * rand()); item = int(rand() * 300)
            back = rand() < .02
            printf "%s%d,%d,ARTICLE %d,%d,%d-%02d-%02d %02d:%02d:00,%.2f,%s,%s\n", back ? "C" : "", 536365 + int(i / 8), 20000 + item, item,
                (back ? -1 : 1) * int(1 + rand() * (who % 7 == 0 ? 60 : 12)), month ? 2011 : 2010, month ? month : 12, day, int(minute / 60) % 24,
                minute % 60, .5 + rand() * 9, rand() < .2 ? "" : who ".0", who % 5 ? "United Kingdom" : "France"
        }
    }' >online_retail.csv
fi
[ "$(wc -l <online_retail.csv)" -gt 20000 ] || die "the slice is too small"
section=$(sed -n '/^## Your own table/,/^## Every key/p' "$FLORIN_SOURCE/docs/tasks.md")
awk '/^```sh/ {on = 1; next} /^```/ {on = 0} on' <<<"$section" >walk.sh
equal "$(grep -c '^florin ' walk.sh)" 8
equal "$(sed -n "/<<'END'/,/^END/p" walk.sh | sed '1d;$d' | wc -l)" 10
sed -i 's/--hidden 64 --width 32/--hidden 16 --width 16/; /^florin fit/s/$/ --draws 20 --rounds 20/' walk.sh
ok bash -euo pipefail walk.sh
# What the text shows is what is printed, but for figures.
for line in 'InvoiceDate +time' 'The currency is not in the table: EUR is assumed' 'retail.log: [0-9]+ events, 0 labels, [0-9]+ customer' \
    'left out +[0-9]+ by the schema' '(Beats all four baselines|This model does NOT beat).*payer' 'Task bulk_30d, judged on test 2011-10-01' \
    'baseline: boosted trees on the fold' 'florin - baseline, paired auc' 'judged by bulk_30d at 2011-12-01 00:00:00, written to scores.csv' \
    'Like customer 17850, by embedding, among' '^# Model card' '^## Task bulk_30d'; do
    has out.txt "$line"
done
for f in retail.yaml retail.florin retail.florin.card.md bulk.json bulk.html scores.csv bulk.florin.card.md; do [ -s $f ] || die "no $f"; done
has retail.yaml '^currency: GBP'
no_nan out.txt bulk.json scores.csv
done_testing
