# florin embed: entities at a date and events, in every format; a model of another schema names the field; refusals.
. "$FLORIN_SOURCE/tests/support/shell.sh"
ok "$FLORIN" simulate --out log --events 1500 --cards 20 --seed 3 --quiet
ok "$FLORIN" pretrain log --hidden 8 --width 8 --steps 5 --out m.model --quiet
embed() { "$FLORIN" embed log --model m.model --quiet "$@"; }

# One row for an entity at a date, or for an event; every format holds the same.
for f in arrow parquet csv npy; do
    ok embed --entity card --at 2025-04-01 --out card.$f --json
    rows=$(json out.txt rows)
    ok embed --out event.$f --json
    equal "$(json out.txt rows) $(json out.txt width)" "1500 16"
done
equal "$(wc -l <card.csv)" "$((rows + 1))"
equal "$(wc -l <card.npy.ids.csv)" "$((rows + 1))"
has card.csv '^card,events,embedding:payer.0,'
has event.csv '^event,time,embedding:payer.0,'
equal "$(head -c 6 card.npy | tail -c 5)" NUMPY
equal "$(head -c 4 card.parquet)" PAR1
equal "$(head -c 6 card.arrow) $(tail -c 6 card.arrow)" "ARROW1 ARROW1"
no_nan card.csv event.csv
python=${FLORIN_CACHE:-$HOME/.cache/florin}/peers/bin/python
[ -x "$python" ] || python=python3
if "$python" -c 'import pyarrow' 2>/dev/null; then
    ok "$python" -c '
import pyarrow.ipc, pyarrow.parquet
for n in ("card", "event"):
    a = pyarrow.ipc.open_file(n + ".arrow").read_all()
    a.validate(full=True)
    p = pyarrow.parquet.read_table(n + ".parquet")
    assert a.cast(p.schema).equals(p), n'
else
    echo "pyarrow is not here: .arrow was read by test_arrow.c alone"
fi

# A later date: other states; the same again: the same bytes, on each tier.
ok embed --entity card --at 2025-05-01 --out later.csv
! cmp -s card.csv later.csv || die "a month changed nothing"
for tier in ref avx2; do
    "$FLORIN" doctor --json >doctor.txt 2>/dev/null || true
    if [ $tier = avx2 ] && ! grep -q avx2 /proc/cpuinfo; then continue; fi
    ok embed --entity card --at 2025-04-01 --out $tier.1.csv --tier $tier --threads 1
    ok embed --entity card --at 2025-04-01 --out $tier.2.csv --tier $tier --threads 2
    same $tier.1.csv $tier.2.csv
done
fails 2 'tier' embed --entity card --out none.csv --tier abacus
for pool in mean ema; do ok embed --entity merchant --pool $pool --out $pool.csv; done
! cmp -s mean.csv ema.csv || die "pools are alike"

# A log with another schema: the field that differs is named.
cat >s.yaml <<'Y'
florin: 1
name: simulated
currency: EUR
entities: {card: {role: payer}}
sources:
  payment: {file: p.csv, id: id, time: time, amount: amount, entities: {card: card}, categories: {colour: colour}}
Y
printf 'id,time,amount,card,colour\n1,2025-01-01,1,a,red\n' >p.csv
ok "$FLORIN" import s.yaml --log other --quiet
fails 5 "m.model|colour|category|merchant" "$FLORIN" embed other --model m.model --out none.csv
fails 6 'nowhere.model' "$FLORIN" embed log --model nowhere.model --out none.csv
fails 2 'parquet, .arrow' embed --out none.xlsx
fails 2 'exclude' embed --entity card --events --out none.csv
fails 2 'has no stream.*card' embed --entity device --out none.csv
head -c 5000 m.model >cut.model
fails 4 'cut.model' "$FLORIN" embed log --model cut.model --out none.csv
ok test ! -e none.csv
done_testing
