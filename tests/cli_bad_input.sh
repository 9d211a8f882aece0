# Bad input to import: one clear line that names file, row, field and remedy, an exit code, nothing damaged.
. "$FLORIN_SOURCE/tests/support/shell.sh"
cat >s.yaml <<'Y'
name: shop
currency: EUR
entities: {card: payer, shop: payee}
sources:
  payment:
    format: csv
    id: id
    time: time
    amount: amount
    entities: {card: card, shop: shop}
    categories: {kind: kind}
    numbers: {weight: weight}
    labels:
      fraud: {column: fraud, delay: 7d}
Y
head='id,time,card,shop,kind,amount,weight,fraud'
rows() { # rows FROM COUNT
    awk -v f="$1" -v n="$2" 'BEGIN { for (i = f; i < f + n; i++)
        printf "p%d,2024-01-%02d %02d:%02d:00,c%d,s%d,%s,%.2f,%d,%d\n", i, 1 + i % 28, i % 24, i % 60, i % 7, i % 5,
               i % 3 ? "food" : "travel", 1 + i % 90 + .25, i % 4, i % 31 == 0 }'
}
table() { { echo "$head"; cat; } >"$1"; }
import() { "$FLORIN" import s.yaml --log "$@"; }
count() { json out.txt "$1"; }
# A good log that nothing below may change.
rows 0 200 | table good.csv
ok import good good.csv --json
equal "$(count added)" 200
sum() { find "$1" -type f ! -name lock ! -name 'rejects*' -exec sha256sum {} + | sort; }
before=$(sum good)
unharmed() { equal "$(sum good)" "$before"; }

# --- the file as a whole
: >empty.csv
fails 3 'empty\.csv.*empty' import good empty.csv
fails 6 'none\.csv' import good none.csv
mkdir folder
fails 3 'folder' import good folder
head -c 4000 /dev/urandom >noise.csv
fails 3 'noise\.csv' import good noise.csv
echo "$head" >header.csv
if import good header.csv >out.txt 2>err.txt; then :; else fails 3 'header\.csv' import good header.csv; fi
rows 0 50 | table t.csv
cut -d, -f1,3- t.csv >nocolumn.csv
fails 3 "nocolumn\.csv.*time" import good nocolumn.csv
fails 6 'none\.yaml' "$FLORIN" import none.yaml --log good good.csv
sed 's/amount: amount/amuont: amount/' s.yaml >typo.yaml
fails 3 'typo\.yaml:[0-9]+:[0-9]+.*amount' "$FLORIN" import typo.yaml --log good good.csv
sed 's/kind: kind/kind: kiind/' s.yaml >column.yaml
fails 3 "good\.csv.*kiind" "$FLORIN" import column.yaml --log new good.csv
sed 's/{kind: kind}/{type: kind}/' s.yaml >other.yaml
fails 5 'type|kind' "$FLORIN" import other.yaml --log good good.csv
unharmed

# --- a byte order mark, CRLF, old-Mac line ends are no mistakes
{ printf '\xef\xbb\xbf'; cat good.csv; } >bom.csv
ok import bom bom.csv --json
equal "$(count added)" 200
sed 's/$/\r/' good.csv >crlf.csv
ok import crlf crlf.csv --json
equal "$(count added)" 200

# --- single rows: rejected with row, field and reason; --strict refuses all
# reject NAME ROW FIELD REASON: ROW after 20 good rows; one row is rejected, 20 are kept.
reject() {
    { rows 0 20; printf '%b\n' "$2"; } | table "$1.csv"
    rm -rf log
    ok import log "$1.csv" --json
    no_nan out.txt
    equal "$1: $(count added) $(count rejected)" "$1: 20 1"
    has log/rejects.csv "(^|,)22,.*$3"
    has log/rejects.csv "$4"
    rm -rf log
    fails 3 "$1\.csv.*22.*$3" import log "$1.csv" --strict
    [ ! -e log/manifest.json ] || die "--strict left a log"
}
reject badtime 'x,yesterday,c1,s1,food,1.00,1,0' time 'yesterday|time'
reject notime 'x,,c1,s1,food,1.00,1,0' time 'missing|empty|no '
reject badamount 'x,2024-02-01 00:00:00,c1,s1,food,lots,1,0' amount 'number|lots'
reject nanamount 'x,2024-02-01 00:00:00,c1,s1,food,NaN,1,0' amount 'finite|number'
reject infamount 'x,2024-02-01 00:00:00,c1,s1,food,inf,1,0' amount 'finite|number'
reject hugeamount 'x,2024-02-01 00:00:00,c1,s1,food,1e300,1,0' amount 'range|large|finite|number'
reject nannumber 'x,2024-02-01 00:00:00,c1,s1,food,1.00,nan,0' weight 'finite|number'
reject badlabel 'x,2024-02-01 00:00:00,c1,s1,food,1.00,1,perhaps' fraud 'number|perhaps|true'
reject badtype 'x,2024-02-01 00:00:00,c1,s1,food,1.00,heavy,0' weight 'number|heavy'
reject fewcells 'x,2024-02-01 00:00:00,c1' '' 'column|missing|cell|field'

# --- what is strange but legal: negative amount, unsorted time, duplicates, a value of 1 MB
{ rows 0 20; echo 'neg,2024-02-01 00:00:00,c1,s1,food,-5.00,1,0'; } | table negative.csv
ok import negative negative.csv --json
equal "$(count added)" 21
rows 0 200 | sort -r | table unsorted.csv
ok import unsorted unsorted.csv --json
equal "$(count added)" 200
{ rows 0 20; rows 5 3; } | table twice.csv
ok import twice twice.csv --json
equal "$(count added) $(count duplicates)" "20 3"
ok import good good.csv --json
equal "$(count added) $(count duplicates)" "0 200"
unharmed
{ rows 0 20; printf 'big,2024-02-01 00:00:00,c1,s1,'; head -c 1000000 /dev/zero | tr '\0' x; echo ',1.00,1,0'; } | table big.csv
code=0
import big big.csv --json >out.txt 2>err.txt || code=$?
case $code in
0) [ "$(count added)" -ge 20 ] || die "a large value cost other rows" ;;
3) equal "$(wc -l <err.txt)" 1 ;;
*) head -c 2000 err.txt; die "a value of 1 MB: exit $code" ;;
esac
[ "$(wc -c <err.txt)" -lt 4000 ] || die "the message repeats a value of 1 MB"

# --- a card number where none was declared is refused and never written
awk 'function luhn(s, i, d, sum) { for (i = 1; i <= 15; i++) { d = substr(s, i, 1) * (i % 2 ? 2 : 1); sum += d > 9 ? d - 9 : d }
        return (10 - sum % 10) % 10 }
    BEGIN { for (i = 0; i < 40; i++) { s = sprintf("41111111111%04d", i * 7)
        printf "p%d,2024-01-02 03:04:05,%s%d,s1,food,1.00,1,0\n", i, s, luhn(s) } }' | table luhn.csv
fails 3 'card.*(card number|Luhn|PAN)' import luhn luhn.csv
! grep -rq 4111111111 luhn 2>/dev/null || die "a card number was written"
lacks err.txt 4111111111
sed 's/^name: shop/name: shop\ncard_numbers: true/' s.yaml >declared.yaml
ok "$FLORIN" import declared.yaml --log declared luhn.csv --json
[ "$(json out.txt entities.card)" = 40 ] || die "40 cards became $(json out.txt entities.card)"
sed 's/kind: kind/kind: card/' declared.yaml >category.yaml
fails 3 "column 'card' holds card numbers" "$FLORIN" import category.yaml --log category luhn.csv
! grep -arq 4111111111 declared || die "a card number was written"

# --- no permission, as an unprivileged user
public_folder closed
cp s.yaml good.csv "$PUBLIC/"
chmod 644 "$PUBLIC"/*.yaml "$PUBLIC"/*.csv
if [ "$(id -u)" = 0 ]; then
    chmod 755 "$PUBLIC/closed"
    fails 6 'closed.*[Pp]ermission' as_nobody "$FLORIN" import "$PUBLIC/s.yaml" --log "$PUBLIC/closed/log" "$PUBLIC/good.csv"
    chmod 600 "$PUBLIC/good.csv"
    fails 6 'good\.csv.*[Pp]ermission' as_nobody "$FLORIN" import "$PUBLIC/s.yaml" --log /tmp/florin-none "$PUBLIC/good.csv"
fi
done_testing
