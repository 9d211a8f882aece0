# florin features: per event, per entity, windows, the list; refusals in one line; nothing half-written.
. "$FLORIN_SOURCE/tests/support/shell.sh"

ok "$FLORIN" simulate --events 6000 --days 60 --cards 60 --seed 5 --out bank
ok "$FLORIN" features bank --list --json
cp out.txt list.json
n=$(json list.json '#')
ok "$FLORIN" features bank --out all.csv --labels-at 2026-01-01 --json
equal "$(json out.txt rows)" 6000
equal "$(json out.txt features)" "$n"
equal "$(wc -l <all.csv)" 6001
equal "$(head -1 all.csv | tr ',' '\n' | wc -l)" $((n + 4))
no_nan all.csv list.json
head -1 all.csv >head
has head 'event,time,"?label:fraud"?'
# A part of the log holds the same numbers as the whole: history counts in full.
ok "$FLORIN" features bank --from 2025-02-01 --to 2025-02-10 --until 2025-01-21 --out part.csv
ok "$FLORIN" features bank --until 2025-01-21 --out whole.csv
grep -E '2025-02-0[1-9] ' whole.csv >want
tail -n +2 part.csv >got
ok test -s got
same want got
ok "$FLORIN" features bank --entity card --at 2025-02-01 --out cards.csv --json
ok test "$(json out.txt rows)" -gt 30
no_nan cards.csv
ok "$FLORIN" features bank --velocity --out windows.csv
equal "$(head -1 windows.csv | tr ',' '\n' | wc -l)" 14
ok "$FLORIN" features bank --out x.npy
equal "$(wc -l <x.npy.ids.csv)" 6001
ok "$FLORIN" features bank --out x.parquet
ok test -s x.parquet
ok "$FLORIN" features bank
has out.txt 'events folded'

fails 2 'not a moment' "$FLORIN" features bank --from yesterday --out bad.csv
fails 2 'not before' "$FLORIN" features bank --from 2025-03-01 --to 2025-02-01 --out bad.csv
fails 2 'no entity kind' "$FLORIN" features bank --entity wallet --out bad.csv
fails 2 'goes with' "$FLORIN" features bank --at 2025-03-01 --out bad.csv
fails 2 'bad.xlsx' "$FLORIN" features bank --out bad.xlsx
fails 6 'nowhere' "$FLORIN" features bank --out nowhere/bad.csv
fails 6 'missing' "$FLORIN" features missing --out bad.csv
fails 6 'missing' "$FLORIN" features bank --model missing --out bad.csv
fails 2 '.' "$FLORIN" features
ok test ! -e bad.csv
done_testing
