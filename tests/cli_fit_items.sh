# Rankings of items: the next basket and all within a time, of a made-up shop whose customers have favourites. Recall is
# counted again by hand, what comes later changes no ranking, items that follow nothing are not found, bad input is refused.
. "$FLORIN_SOURCE/tests/support/shell.sh"

# shop NAME SEED FAVOURITES: 300 customers, 30 weeks; a basket is 4 of 8 favourites (0: of all 240 articles) and one of the
# season's. ODD_AFTER: from that week on articles are shifted.
shop() {
    awk -v seed="$2" -v favourites="$3" -v odd="${ODD_AFTER:-99}" 'BEGIN {
        srand(seed); print "id,time,customer,article,basket"
        for (w = 0; w < 30; w++) for (c = 0; c < 300; c++) {
            if (rand() < .4) continue
            day = int(rand() * 7) + w * 7; m = int(day / 28); d = day % 28 + 1
            for (k = 0; k < 5; k++) {
                r = rand()
                a = k == 4 ? (w * 3 + int(r * 5)) % 240 : favourites ? (c % 30 * 8 + int(r * r * 8)) % 240 : int(r * 240)
                if (w >= odd) a = (a + 120) % 240
                printf "%d,2025-%02d-%02d 1%d:00:00,c%d,a%d,b%d\n", ++n, m + 1, d, k, c, a, w * 300 + c
            }
        }
    }' >"$1.csv"
    cat >"$1.yaml" <<Y
florin: 1
name: shop
currency: EUR
time_zone: UTC
entities:
  customer: {role: payer}
sources:
  sale:
    file: $1.csv
    id: id
    time: time
    entities: {customer: customer}
    categories: {article: article, basket: basket}
Y
    ok "$FLORIN" import "$1.yaml" --log "$1"
}
task() { # NAME LABEL
    cat >"$1.task" <<Y
florin_task: 1
name: $1
moments: {entity: customer, every: 14d}
label: $2
train: {from: 2025-03-01}
test: {at: 2025-06-20}
Y
}
above() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > b) }' || die "$3: $1 is not above $2"; }
fit="--rounds 30 --draws 40"

shop habits 7 1
task next "{event: sale, is: items, of: article, group: basket}"
ok "$FLORIN" fit habits --task next.task --out x.florin --scores next.csv --report next.json $fit
has out.txt 'recall@10 .* hit@10'
no_nan next.json next.csv
equal "$(json next.json kind)" items
[ ! -e x.florin ] || die "a head that can't be served was written"
has next.csv '^id,y,recall_at_10,own_global,user_knn,hit_at_10,item_1,.*,item_10,time,period,cluster$'
equal "$(wc -l <next.csv)" $(($(json next.json test.rows) + 1))
above "$(json next.json systems.0.metrics.recall_at_10.low)" 0.5 "recall"
above "$(json next.json systems.0.metrics.recall_at_10.value)" "$(json next.json systems.3.metrics.recall_at_10.value)" "global"
ok "$FLORIN" fit habits --task next.task --out x.florin --scores again.csv $fit
same next.csv again.csv

# By hand: the first basket from the test on, and how much of it is among the ten.
by_hand() { # SCORES NEXT(1: next basket, 0: 28 days)
    awk -F, -v next_one="$2" 'NR == FNR { if (FNR > 1) { n = split($0, f, ","); y[f[1]] = f[2]; r[f[1]] = f[3]
            for (k = 7; k < 17; k++) ten[f[1] "," f[k]] = 1 } next }
        FNR > 1 && $2 >= "2025-06-20" && (next_one || $2 < "2025-07-18") {
            if (next_one && !($3 in first)) first[$3] = $5
            if (next_one && first[$3] != $5 || ($3 "," $4) in seen) next
            seen[$3 "," $4] = 1; size[$3]++; hit[$3] += ($3 "," $4) in ten }
        END { for (c in size) if (size[c] != y[c] || (hit[c] / size[c] - r[c]) ^ 2 > 1e-9) print c, size[c], y[c], hit[c] / size[c], r[c]
            for (c in y) if (!(c in size)) print c }' "$1" <(head -1 habits.csv; sed 1d habits.csv | sort -t, -s -k2,2)
}
equal "$(by_hand next.csv 1)" ""
task month "{event: sale, within: 28d, is: items, of: article}"
ok "$FLORIN" fit habits --task month.task --out x.florin --scores month.csv --report month.json $fit --json
equal "$(by_hand month.csv 0)" ""
above "$(json month.json systems.0.metrics.recall_at_10.low)" 0.35 "recall of a month"

# The same shop until 18 June (week 24 begins), other articles later: no ranking changes, only what came true.
ODD_AFTER=24 shop turned 7 1
awk -F, '$2 < "2025-06-20"' habits.csv >before && awk -F, '$2 < "2025-06-20"' turned.csv | cmp -s before - || die "the shops differ before the test"
ok "$FLORIN" fit turned --task next.task --out x.florin --scores turned.csv.scores.csv $fit
cut -d, -f1,7-16 next.csv >want && cut -d, -f1,7-16 turned.csv.scores.csv >got
same want got

# Articles that follow nothing: ten of 240.
shop noise 8 0
ok "$FLORIN" fit noise --task next.task --out x.florin --report noise.json $fit
above 0.2 "$(json noise.json systems.0.metrics.recall_at_10.high)" "noise"

# What is refused, and how.
bad() { # LABEL MESSAGE
    task bad "$1"
    fails 3 "$2" "$FLORIN" fit habits --task bad.task --out x.florin $fit
}
bad '{event: sale, is: items}' '`is: items` needs `of: FIELD`'
bad '{event: sale, is: items, of: colour}' "no category field 'colour'"
bad '{event: sale, is: items, of: article, group: colour}' "no category field 'colour'"
bad '{event: sale, within: 0d, is: items, of: article}' 'needs `within:`'
bad '{event: sale, within: 9d, is: count, group: basket}' 'group: only with `is: items`'
bad '{event: sale, within: 90d, is: items, of: article}' 'horizon .* ends after the log'
sed 's/at: 2025-06-20/at: 2025-08-15/' next.task >late.task
fails 3 'nobody who belongs' "$FLORIN" fit habits --task late.task --out x.florin $fit
sed 's/from: 2025-03-01/from: 2025-06-19/' next.task >short.task
fails 3 'begin `train` earlier' "$FLORIN" fit habits --task short.task --out x.florin $fit
sed 's/^moments.*/moments: {event: sale}/' next.task >event.task
fails 3 'for entities at dates' "$FLORIN" fit habits --task event.task --out x.florin $fit
fails 2 'yes or no' "$FLORIN" fit habits --task next.task --out x.florin --auto
ok "$FLORIN" fit habits --task next.task --explain-inputs
has out.txt 'with last basket'
done_testing
