# fit --few-labels: the same draws for both arms, as many as asked, the same bytes again; what is too large is skipped, a draw of
# one class is drawn again, and both are said; the test stays unseen with --validate-only; what it can't do is refused.
. "$FLORIN_SOURCE/tests/support/shell.sh"

ok "$FLORIN" simulate --events 12000 --cards 240 --seed 3 --out bank
ok "$FLORIN" pretrain bank --out base.florin --until 2025-04-01 --hidden 16 --width 8 --steps 6 --seed 1
cat >quiet.yaml <<'Y'
florin_task: 1
name: quiet
data: simulated
moments: {entity: card, every: 7d}
population: {active: {event: payment, within: 60d}}
label: {event: payment, within: 2d, is: absent}
train: {from: 2025-02-01}
test: {at: 2025-05-25}
Y
cat >fraud.yaml <<'Y'
florin_task: 1
name: fraud
moments: {event: payment}
label: fraud
train: {from: 2025-01-15}
validate: {from: 2025-04-01, to: 2025-04-20}
test:
  - {from: 2025-04-20, to: 2025-05-10}
  - {from: 2025-05-10, to: 2025-05-25}
negatives: 0.3
cluster: card
Y
few="--model base.florin --seed 2"
ok "$FLORIN" fit bank --task quiet.yaml $few --few-labels 40,80,90000 --draws 3 --report few.json
has out.txt '^ +40 +3 +0\.'
has err.txt '90000 examples: skipped, there are [0-9]+'
no_nan few.json
equal "$(json few.json report) $(json few.json part) $(json few.json few.#) $(json few.json few.1.n) $(json few.json skipped.0)" \
    "few test 2 80 90000"
equal "$(json few.json few.0.pairs.#) $(json few.json few.0.draws)" "3 3"
# No more settings for ours than for the baseline; figures are the means of the draws.
awk -v a="$(json few.json settings.ours)" -v b="$(json few.json settings.baseline)" 'BEGIN { exit !(a > 0 && a <= b) }' || die "settings"
for k in ours baseline; do
    want=$(for i in 0 1 2; do json few.json few.0.pairs.$i.$k; done | awk '{ s += $1 } END { printf "%.6f", s / 3 }')
    equal "$(printf '%.6f' "$(json few.json few.0.$k)")" "$want"
done
awk -v l="$(json few.json few.0.low)" -v d="$(json few.json few.0.difference)" -v h="$(json few.json few.0.high)" \
    'BEGIN { exit !(l <= d && d <= h) }' || die "interval"
# The same bytes again, whatever the threads; other draws with another seed.
ok "$FLORIN" fit bank --task quiet.yaml $few --few-labels 40,80,90000 --draws 3 --report again.json --threads 1
same few.json again.json
ok "$FLORIN" fit bank --task quiet.yaml --model base.florin --seed 3 --few-labels 40 --draws 3 --json
cmp -s out.txt few.json && die "another seed, the same draws"
# Without a validation period a part of the training entities is judged in its place, and fewer are left to draw from.
ok "$FLORIN" fit bank --task quiet.yaml $few --few-labels 40 --draws 2 --validate-only --json
equal "$(json out.txt part)" validation
awk -v a="$(json out.txt candidates)" -v b="$(json few.json candidates)" 'BEGIN { exit !(a < .9 * b && a > .6 * b) }' || die "candidates"
# Events: rare fraud; draws of one class are drawn again and counted; the mean over two weeks.
ok "$FLORIN" fit bank --task fraud.yaml $few --few-labels 12,60 --draws 2 --report fraud.json
has err.txt '12 examples: [0-9]+ draws had one class only'
no_nan fraud.json
awk -v r="$(json fraud.json few.0.redrawn)" 'BEGIN { exit !(r > 0) }' || die "redrawn"
for i in 0 1; do
    awk -v p="$(json fraud.json few.0.pairs.$i.positives)" 'BEGIN { exit !(p > 0 && p < 12) }' || die "positives"
done
ok "$FLORIN" fit bank --task fraud.yaml $few --few-labels 60 --draws 1 --validate-only --json
equal "$(json out.txt part)" validation
# Folds: each draw judges a fold that it does not learn from.
"$FLORIN" embed bank --model base.florin --entity card --at 2025-05-25 --out cards.csv --quiet >/dev/null
awk -F, 'NR == 1 { print "id,fold"; next } { gsub(/"/, "", $1); print $1 "," NR % 3 }' cards.csv >folds.csv
sed '/^train/d' quiet.yaml >folds.yaml
echo 'folds: folds.csv' >>folds.yaml
ok "$FLORIN" fit bank --task folds.yaml $few --few-labels 40 --draws 3 --report folds.json
no_nan folds.json
equal "$(json folds.json few.0.pairs.#)" 3

# --- what is refused
for bad in x 50, 60,50 3 50:60 '50,50'; do
    fails 2 'numbers of examples|at most 8 numbers' "$FLORIN" fit bank --task quiet.yaml $few --few-labels "$bad"
done
fails 2 'needs a pretrained model' "$FLORIN" fit bank --task quiet.yaml --few-labels 40
fails 2 'keeps none: not with --auto' "$FLORIN" fit bank --task quiet.yaml $few --few-labels 40 --auto
fails 2 'keeps none' "$FLORIN" fit bank --task quiet.yaml $few --few-labels 40 --scores s.csv
fails 2 'at most 1000' "$FLORIN" fit bank --task quiet.yaml $few --few-labels 40 --draws 1001
fails 3 'fewer than the 90000' "$FLORIN" fit bank --task quiet.yaml $few --few-labels 90000
sed 's/is: absent/is: count/' quiet.yaml >count.yaml
fails 2 'yes or no' "$FLORIN" fit bank --task count.yaml $few --few-labels 40
ok "$FLORIN" pretrain bank --out late.florin --until 2025-05-28 --hidden 16 --width 8 --steps 2 --seed 1
fails 8 '2025-05-25' "$FLORIN" fit bank --task quiet.yaml --model late.florin --few-labels 40
done_testing
