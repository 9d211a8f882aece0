# The network itself learns a task, wholly and by low-rank parts: a normal model file comes out, whose live scores are those
# of the log; no later label enters; the same bytes whatever the threads; what it can't do is refused.
. "$FLORIN_SOURCE/tests/support/shell.sh"

ok "$FLORIN" simulate --events 24000 --cards 240 --seed 3 --out bank
fit="--rounds 6 --draws 10"
cat >fraud.yaml <<'Y'
florin_task: 1
name: fraud
data: simulated
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
sed '/^test:/,/05-25/d' fraud.yaml >last.yaml
echo 'test: {from: 2025-05-10, to: 2025-05-25}' >>last.yaml
ok "$FLORIN" pretrain bank --out base.florin --until 2025-03-01 --hidden 16 --width 8 --steps 6 --seed 1

above() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(b > a) }' || die "$2 is not above $1"; CHECKS=$((CHECKS + 1)); }

for how in full low-rank; do
    tune="--model base.florin --finetune $how --epochs 2 --rate 0.003"
    ok "$FLORIN" fit bank --task fraud.yaml $tune --out $how.florin --report $how.json --scores $how.csv $fit
    has out.txt 'florin: network fine-tuned'
    no_nan $how.json $how.csv
    equal "$(json $how.json finetune.periods.#)" 3
    # eval scores the last period as fit did: same weights, same head, same rows.
    ok "$FLORIN" eval bank --task last.yaml --model $how.florin --scores eval.csv --draws 10
    awk -F, '$8 == 1 { print $1 "," $3 "," $5 "," $6 }' $how.csv >want
    awk -F, 'NR > 1 { print $1 "," $3 "," $4 "," $5 }' eval.csv >got
    same want got
    # Live scores are those of the log.
    ok "$FLORIN" replay bank --model $how.florin --check --quiet
    # The weights know later labels than pretraining did: an earlier test is refused.
    fails 8 '2025-04-20' "$FLORIN" eval bank --task fraud.yaml --model $how.florin
    # The same bytes whatever the threads.
    ok "$FLORIN" fit bank --task fraud.yaml $tune --out again.florin --threads 1 $fit
    same $how.florin again.florin
done
equal "$(json low-rank.json finetune.rank)" 8
equal "$(json full.json finetune.rank)" 0
# It is the network that has learnt: far above chance, with no column of the fold in the head.
above .65 "$(json full.json systems.0.metrics.auc.value)"
above .65 "$(json low-rank.json systems.0.metrics.auc.value)"
# Beside trees on the fold, with a share chosen on validation: eval and the live path say the same.
{ cat fraud.yaml; echo 'head: blend'; } >blend.yaml
{ cat last.yaml; echo 'head: blend'; } >blend_last.yaml
ok "$FLORIN" fit bank --task blend.yaml --model base.florin --finetune full --epochs 2 --rate 0.003 --out blend.florin --report blend.json \
    --scores blend.csv $fit
has out.txt 'florin: trees on the fold . tuned network'
share=$(json blend.json network_share)
awk -v s="$share" 'BEGIN { exit !(s >= 0 && s <= 1) }' || die "network_share $share"
ok "$FLORIN" eval bank --task blend_last.yaml --model blend.florin --scores eval.csv --draws 10
awk -F, '$8 == 1 { print $1 "," $3 "," $5 "," $6 }' blend.csv >want
awk -F, 'NR > 1 { print $1 "," $3 "," $4 "," $5 }' eval.csv >got
same want got
ok "$FLORIN" replay bank --model blend.florin --check --quiet
# The later period, its events and labels, change nothing in the earlier one.
grep -v '05-25' fraud.yaml >first.yaml
ok "$FLORIN" fit bank --task first.yaml --model base.florin --finetune full --epochs 2 --rate 0.003 --out f.florin --scores f.csv $fit
awk -F, '$8 == 0 { print $1 "," $3 }' full.csv >want
awk -F, 'NR > 1 { print $1 "," $3 }' f.csv >got
same want got

# --auto tries the network's own learning too, and what it chooses is what it says.
ok "$FLORIN" fit bank --task fraud.yaml --model base.florin --auto --epochs 1 --out auto.florin --report auto.json --scores auto.csv $fit
equal "$(json auto.json auto.tried.#) $(json auto.json auto.tried.8.finetune) $(json auto.json auto.tried.9.finetune)" "10 low-rank full"
best=$(for k in 0 1 2 3 4 5 6 7 8 9; do json auto.json auto.tried.$k.validation_ap; done | sort -rg | head -1)
for k in 0 1 2 3 4 5 6 7 8 9; do
    [ "$(json auto.json auto.tried.$k.validation_ap)" != "$best" ] || break
done
equal "$(json auto.json auto.chosen.finetune 2>&1)" "$(json auto.json auto.tried.$k.finetune 2>&1)"
{ cat fraud.yaml; echo "head: $(json auto.json auto.tried.$k.head)"; echo "inputs: $(json auto.json auto.tried.$k.inputs)"; } >hand.yaml
how=
[ $k -lt 8 ] || how="--finetune $(json auto.json auto.tried.$k.finetune) --epochs 1"
ok "$FLORIN" fit bank --task hand.yaml --model base.florin $how --out hand.florin --scores hand.csv $fit
same auto.csv hand.csv

base="--model base.florin --finetune full --out x"
fails 2 'finetune needs a pretrained' "$FLORIN" fit bank --task fraud.yaml --finetune full --out x
fails 2 'finetune half: full or low-rank' "$FLORIN" fit bank --task fraud.yaml --model base.florin --finetune half --out x
fails 2 'rank is 1 to 64' "$FLORIN" fit bank --task fraud.yaml --model base.florin --finetune low-rank --rank 65 --out x
fails 2 'needs a .validate. period' "$FLORIN" fit bank --task <(grep -v '^validate' fraud.yaml) $base
fails 2 'exclude each other' "$FLORIN" fit bank --task fraud.yaml $base --later-rows
fails 2 'auto and --finetune exclude' "$FLORIN" fit bank --task fraud.yaml $base --auto
fails 2 'entities at dates' "$FLORIN" fit bank --task <(printf 'florin_task: 1\nname: s\nmoments: {entity: card}\nlabel: {event: payment, within: 9d}\ntrain: {from: 2025-02-01}\nvalidate: {at: 2025-04-01}\ntest: {at: 2025-05-01}\n') $base
ok "$FLORIN" pretrain bank --out late.florin --until 2025-04-10 --hidden 16 --width 8 --steps 2 --seed 1
fails 8 'judged from 2025-04-01' "$FLORIN" fit bank --task fraud.yaml --model late.florin --finetune full --out x
equal "$(ls | grep -c tuned-)" 0
fails 2 'yes or no alone' "$FLORIN" fit bank --task <(printf 'florin_task: 1\nname: s\nmoments: {event: payment}\nlabel: {event: payment, within: 9d, is: count}\ntrain: {from: 2025-02-01}\nvalidate: {from: 2025-04-01, to: 2025-04-20}\ntest: {from: 2025-05-01, to: 2025-05-05}\n') $base
