# Model cards: beside each model, the same for the same model, a section for each task; and florin describe of a model.
. "$FLORIN_SOURCE/tests/support/shell.sh"
ok "$FLORIN" simulate --events 24000 --cards 200 --seed 3 --out bank --quiet
pretrain() { ok "$FLORIN" pretrain bank --until 2025-04-10 --hidden 8 --width 8 --steps 10 --quiet --out "$1"; }
pretrain m.florin
[ -e m.florin.card.md ] || die "no card"
for section in Data 'Objective and size' Metrics Limits 'Intended use'; do has m.florin.card.md "^## $section$"; done
has m.florin.card.md 'Nothing at or after 2025-04-10 00:00:00 UTC was used'
has m.florin.card.md '^- 2[0-9]{2} entities of kind card \(payer\)$'
has m.florin.card.md '^\| type \| payment [0-9]+ \([0-9.]+ %\)'
has m.florin.card.md 'never inputs: response_code, declined \(mark\)$'
has m.florin.card.md '^\| payer \| later in time \| [0-9]+ \| [0-9.]+ \| [0-9.]+ \((popular|last|frequent|decayed)\) \|$'
# What is counted is what came before the moment.
events=$("$FLORIN" describe m.florin --json | tee described.json | wc -c)
[ "$events" -gt 100 ] || die "nothing is described"
has m.florin.card.md "^- $(json described.json trained.events) events before it, $(json described.json trained.train_events) of them"
sum=$(sed -n 's/^| type |//p' m.florin.card.md | grep -oE '[a-z]+ [0-9]+ \(' | awk '{s += $2} END {print s}')
equal "$sum" "$(json described.json trained.events)"
has m.florin.card.md "$(json described.json hash)"
no_nan m.florin.card.md described.json
lacks m.florin.card.md "$SCRATCH|bank\b|c0000[0-9]"
ok "$FLORIN" describe m.florin
same out.txt m.florin.card.md
# The same model elsewhere: the same bytes.
mkdir there
pretrain there/other.florin
same there/other.florin.card.md m.florin.card.md
# Tasks: each its section, once, also when the model is written over.
fit() { ok "$FLORIN" fit bank --rounds 5 --draws 20 --quiet "$@"; }
fit --task churn_30d --model m.florin --out h.florin --report churn.json
has h.florin.card.md '^## Task churn_30d$'
has h.florin.card.md "auc \| $(printf '%.4f' "$(json churn.json systems.0.metrics.auc.value)") \["
has h.florin.card.md "Learnt from $(json churn.json train.rows) rows, $(json churn.json train.positives) positive"
fit --task fraud --model h.florin --out h.florin
fit --task churn_30d --model h.florin --out h.florin
equal "$(grep -c '^## Task' h.florin.card.md) $(grep -c '^## Task churn_30d' h.florin.card.md)" "2 1"
has h.florin.card.md '^- `fraud`: [0-9]+ inputs, of events$'
lacks m.florin.card.md '## Task'
# Without a network, and without a card before.
fit --task churn_30d --out fold.florin
has fold.florin.card.md 'The fold alone'
rm h.florin.card.md
ok "$FLORIN" describe h.florin
has out.txt '^- `churn_30d`: [0-9]+ inputs, card$'
lacks out.txt '## Task'
# A card of another model is not believed.
cp m.florin.card.md h.florin.card.md
ok "$FLORIN" describe h.florin
has out.txt '^- `churn_30d`'
# A card that can't be written: the model stands, and it is said.
mkdir x.florin.card.md
ok "$FLORIN" pretrain bank --until 2025-04-10 --hidden 8 --width 8 --steps 10 --out x.florin
has err.txt 'the model is written, its card is not: x.florin.card.md'
[ -s x.florin ] || die "no model"
# Slices: the weakest first, each with its cases, of the rows that were judged.
n=$(json churn.json 'slices.#')
[ "$n" -ge 3 ] || die "$n slices"
for ((i = 0; i < n; i++)); do
    ok test "$(awk -v a="$(json churn.json slices.$i.figure.low)" -v b="$(json churn.json slices.$i.figure.value)" -v c="$(json churn.json slices.$i.figure.high)" \
        -v p="$(json churn.json slices.$i.positives)" -v r="$(json churn.json slices.$i.rows)" -v q="${last:-0}" -v all="$(json churn.json test.rows)" \
        'BEGIN {print (a <= b && b <= c && p >= 10 && r - p >= 10 && r < all && b >= q)}')" = 1
    last=$(json churn.json slices.$i.figure.value)
done
# --- refusals
fails 2 'card is text or --json' "$FLORIN" describe m.florin --html
head -c 5000 m.florin >cut.florin
fails 4 'cut.florin' "$FLORIN" describe cut.florin
done_testing
