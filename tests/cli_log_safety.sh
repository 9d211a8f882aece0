# A log survives what machines do: kill -9 at any moment, damage, other users, a full disk; and with little memory.
. "$FLORIN_SOURCE/tests/support/shell.sh"
cat >s.yaml <<'Y'
name: shop
currency: EUR
entities: {card: payer, shop: payee}
sources:
  payment:
    id: id
    time: time
    amount: amount
    entities: {card: card, shop: shop}
    categories: {kind: kind}
    labels:
      fraud: {column: fraud, delay: 7d}
Y
rows() { # rows FROM COUNT FILE
    awk -v f="$1" -v n="$2" 'BEGIN { print "id,time,card,shop,kind,amount,fraud"
        for (i = f; i < f + n; i++) { k = (i * 7919) % 100003
            printf "p%d,2024-%02d-%02d %02d:%02d:00,c%d,s%d,%s,%d.25,%d\n", i, 1 + k % 12, 1 + k % 28, i % 24, i % 60, k % 997, i % 50, i % 3 ? "food" : "travel", 1 + i % 90, i % 31 == 0 } }' >"$3"
}
events() {
    ok "$FLORIN" describe "$1" --json
    json out.txt events
}
files() { (cd "$1" && find . -mindepth 1 | sort | tr '\n' ' '); }
rows 0 3000 small.csv
rows 3000 40000 large.csv

# --- kill -9, in memory and with the sort on disk, into an old log and a new one
ok "$FLORIN" import s.yaml --log base small.csv
began=$(date +%s%N)
ok "$FLORIN" import s.yaml --log whole large.csv
whole_ms=$((($(date +%s%N) - began) / 1000000 + 100))
RANDOM=7
for round in $(seq 1 8); do
    how=()
    [ $((round % 2)) = 0 ] || how=(--sort-on-disk)
    rm -rf log
    [ $((round % 3)) = 0 ] || cp -r base log
    "$FLORIN" import s.yaml --log log large.csv --quiet ${how[@]+"${how[@]}"} >/dev/null 2>&1 &
    pid=$!
    ms=$((RANDOM % whole_ms))
    sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
    kill -9 $pid 2>/dev/null || true
    wait $pid 2>/dev/null || true
    if [ -e log/manifest.json ]; then
        n=$(events log)
        case $n in 3000 | 40000 | 43000) CHECKS=$((CHECKS + 1)) ;; *) die "round $round: $n events after kill -9" ;; esac
        ok "$FLORIN" features log --quiet
    else
        [ $((round % 3)) = 0 ] || die "round $round: the old log is gone"
    fi
    ok "$FLORIN" import s.yaml --log log small.csv
    ok "$FLORIN" import s.yaml --log log large.csv
    equal "$(events log)" 43000
    # Nothing of the killed run is left lying about.
    ! files log | grep -Eq 'tmp' || die "round $round: left over: $(files log)"
    equal "$(files log | grep -o 'seg-[0-9]*' | wc -l)" "$(json log/manifest.json 'segments.#')"
done

# --- input larger than the memory option: sorted on disk, in several segments, the same events
ok "$TOOLS/peak_rss" peak.txt "$FLORIN" import s.yaml --log little large.csv --memory 2M
[ "$(cut -d' ' -f2 peak.txt | cut -d. -f1)" -lt 400000 ] || die "peak of $(cat peak.txt) KiB"
ok "$FLORIN" describe little --json
for key in events time entities amounts labels categories; do json out.txt $key >>little.txt; done
ok "$FLORIN" describe whole --json
for key in events time entities amounts labels categories; do json out.txt $key >>whole.txt; done
same little.txt whole.txt
for log in little whole; do ok "$FLORIN" features $log --velocity --out $log.csv --quiet; done
same little.csv whole.csv

# --- damage to any file of a log is refused with the file's name, or does no harm
ok "$FLORIN" import s.yaml --log tiny small.csv
head -20 small.csv >twenty.csv
rm -rf tiny
ok "$FLORIN" import s.yaml --log tiny twenty.csv
for f in manifest.json seg-000001.fls ids-000001.fld; do
    size=$(stat -c %s tiny/$f)
    for k in 1 2 3 4 5 6; do
        rm -rf bad
        cp -r tiny bad
        at=$((RANDOM * 32768 % size))
        byte=$(od -An -tu1 -j $at -N 1 tiny/$f)
        printf "$(printf '\\%03o' $((byte ^ 1 << k)))" | dd of=bad/$f bs=1 seek=$at conv=notrunc status=none
        fails 4 "bad/$f" "$FLORIN" describe bad
        fails 4 "bad/$f" "$FLORIN" import s.yaml --log bad small.csv
    done
    cp tiny/$f bad/$f
    truncate -s $((size - k)) bad/$f
    fails 4 "bad/$f" "$FLORIN" describe bad
done
rm bad/seg-000001.fls
fails 6 'bad/seg-000001.fls' "$FLORIN" describe bad

# --- the key of the identifiers
sed 's/^name: shop/name: shop\nhash_key: keys\/k.hex/' s.yaml >keyed.yaml
fails 6 'k.hex.*No such file' "$FLORIN" import keyed.yaml --log keyed small.csv
mkdir keys
echo 'not a key' >keys/k.hex
fails 3 'k.hex: a hash key is one line of 32 hex digits' "$FLORIN" import keyed.yaml --log keyed small.csv
echo 00112233445566778899aabbccddeeff >keys/k.hex
ok "$FLORIN" import keyed.yaml --log keyed small.csv
fails 5 'another key' "$FLORIN" import s.yaml --log keyed large.csv
ok "$FLORIN" import s.yaml --log plain small.csv --no-ids
sed 's/00/01/' keys/k.hex >keys/other && mv keys/other keys/k.hex
fails 5 'another key' "$FLORIN" import keyed.yaml --log keyed large.csv
ok test ! -e plain/ids-000001.fld
! grep -aq c996 plain/* || die "--no-ids kept a name"

# --- other users
if [ "$(id -u)" = 0 ]; then
    public_folder shared
    cp -r base "$PUBLIC/base"
    chmod 755 "$PUBLIC/base"
    equal "$(stat -c %a "$PUBLIC/base/ids-000001.fld")" 600
    cp s.yaml small.csv "$PUBLIC/"
    chmod 644 "$PUBLIC/s.yaml" "$PUBLIC/small.csv" "$PUBLIC"/base/*.fls "$PUBLIC"/base/*.json
    ok as_nobody "$FLORIN" describe "$PUBLIC/base"
    has out.txt '3,000 events'
    fails 6 'base.*[Pp]ermission' as_nobody "$FLORIN" import "$PUBLIC/s.yaml" --log "$PUBLIC/base" "$PUBLIC/small.csv"
    chmod 600 "$PUBLIC/base/seg-000001.fls"
    fails 6 'seg-000001.fls.*[Pp]ermission' as_nobody "$FLORIN" describe "$PUBLIC/base"
    chmod 600 "$PUBLIC/s.yaml"
    fails 6 's.yaml.*[Pp]ermission' as_nobody "$FLORIN" import "$PUBLIC/s.yaml" --log "$PUBLIC/shared/log" "$PUBLIC/small.csv"
    fails 6 '[Pp]ermission' as_nobody "$FLORIN" draft "$PUBLIC/small.csv" --out "$PUBLIC/base/d.yaml"
    fails 6 '[Pp]ermission' as_nobody "$FLORIN" simulate --events 1000 --out "$PUBLIC/base/sim"
else
    echo "not root: what another user may not do was not tried"
fi

# --- a full disk
code=0
"$FLORIN" describe base >/dev/full 2>err.txt || code=$?
equal $code 6
has err.txt 'standard output.*No space'
small_disk 1500k
cp -r base disk/log
before=$(cd disk/log && sha256sum manifest.json seg-* ids-*)
for how in '' --sort-on-disk; do
    fails 6 'No space|disk' "$FLORIN" import s.yaml --log disk/log large.csv --quiet $how
    equal "$(cd disk/log && sha256sum manifest.json seg-* ids-*)" "$before"
    equal "$(events disk/log)" 3000
done
rows 9000 500 more.csv
ok "$FLORIN" import s.yaml --log disk/log more.csv
equal "$(events disk/log)" 3500
fails 6 'No space|disk' "$FLORIN" import s.yaml --log disk/new large.csv --quiet
ok test ! -e disk/new/manifest.json
fails 6 'No space|disk' "$FLORIN" simulate --events 60000 --days 30 --out disk/sim --quiet
ok test ! -e disk/sim/manifest.json
sed 's/\.25,/.x,/' large.csv >bad.csv
fails 6 'No space|disk' "$FLORIN" import s.yaml --log rejected bad.csv --rejects disk/r.csv --quiet
ok test ! -e rejected/manifest.json
dd if=/dev/zero of=disk/fill bs=4k 2>/dev/null || true
fails 6 'No space|disk' "$FLORIN" draft small.csv --out disk/d.yaml
done_testing
