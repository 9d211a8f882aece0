# A look-up beside a source: fields of another table, found by a key, in the order of the source's file.
. "$FLORIN_SOURCE/tests/support/shell.sh"
awk 'BEGIN { print "at,who,item,price"; for (i = 0; i < 3000; i++) printf "2024-01-%02d,c%d,%d,%d.50\n", 1 + i % 28, i % 50, i % 40, i % 9 }' >sales.csv
awk 'BEGIN { print "weight,item,group"; for (i = 38; i >= 0; i--) printf "%d.5,%d,g%d\n", i, i, i % 4 }' >items.csv
cat >s.yaml <<'Y'
florin: 1
entities: {customer: {role: payer}}
sources:
  sale:
    file: sales.csv
    join: {file: items.csv, on: item, fields: [group, weight]}
    time: at
    amount: price
    entities: {customer: who}
    categories: {item: item, group: group}
    numbers: {weight: weight}
    marks: {heavy: {sql: "weight > 30"}}
Y
ok "$FLORIN" import s.yaml --log log --json
equal "$(json out.txt events) $(json out.txt rejected)" "3000 0"
has err.txt "75 of 3000 rows have no 'item' in .*items.csv"
ok "$FLORIN" describe log --json
equal "$(json out.txt categories.1.name) $(json out.txt categories.1.values)" "group 4"
equal "$(json out.txt numbers.0.max | cut -c1-4)" 38.5
equal "$(json out.txt marks.0.events)" 675
# The same as when the table is joined by hand.
awk -F, 'NR == FNR { w[$2] = $1; g[$2] = $3; next } FNR == 1 { print $0 ",group,weight"; next } { print $0 "," g[$3] "," w[$3] }' items.csv sales.csv >hand.csv
sed -e '/join:/d' -e 's/sales.csv/hand.csv/' s.yaml >hand.yaml
ok "$FLORIN" import hand.yaml --log hand
for log in log hand; do ok "$FLORIN" features $log --entity customer --out f_$log.csv --at 2024-01-20; done
same f_log.csv f_hand.csv
# A row that is refused is named by its place in the source's file.
sed '7s/^[^,]*/soon/' sales.csv >late.csv
ok "$FLORIN" import s.yaml --log late late.csv
has late/rejects.csv '^sale,7,time'
# What can be wrong, each in one line.
bad() { sed "$2" s.yaml >bad.yaml; fails 3 "$1" "$FLORIN" import bad.yaml --log bad; }
bad "no column 'itm' .*line 6, join.*did you mean 'item'" 's/on: item/on: itm/'
bad "items.csv: has no column 'sku'" 's/on: item,/on: item, key: sku,/'
bad "items.csv: has no column 'grp'" 's/fields: .group/fields: [grp/'
bad "has a column 'item' already" 's/fields: .group/fields: [item/'
bad "no row's 'who' stands among the 'item'" 's/on: item,/on: who, key: item,/'
bad 'bad.yaml:6:[0-9]+.*join: needs' 's/, fields: .*/}/'
bad "bad.yaml:6:[0-9]+.*(did you mean 'file'|unknown)" 's/file: items/fil: items/'
sed 's/items.csv/nothing.csv/' s.yaml >bad.yaml
fails 6 'nothing.csv' "$FLORIN" import bad.yaml --log bad
cp items.csv whole.csv
echo '9.5,3,g1' >>items.csv
fails 3 "items.csv: 1 rows repeat a 'item'" "$FLORIN" import s.yaml --log bad
# Lines that can't be read, so far down that nothing was guessed from them.
{ cat whole.csv; awk 'BEGIN { for (i = 100; i < 60100; i++) printf "%d.5,%d,g1\n", i % 9, i }'; echo '1.5,70000,g1,more,cells'; } >items.csv
fails 3 "items.csv: line 60041 can't be read" "$FLORIN" import s.yaml --log bad
cp whole.csv items.csv
{ cat sales.csv; for i in $(seq 20); do sed 1d sales.csv; done; echo '2024-01-02,c1,1,2,more,cells'; } >broken.csv
fails 3 "broken.csv: line 63002 can't be read" "$FLORIN" import s.yaml --log bad broken.csv
done_testing
