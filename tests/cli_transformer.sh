# A transformer in place of the GRU, through every command: pretrain (the same bytes with one thread and with two, a
# checkpoint of the other backbone refused, bad options named), embed, features, fit and fine-tuning, score as replayed.
. "$FLORIN_SOURCE/tests/support/shell.sh"
ok "$FLORIN" simulate --out log --events 4000 --cards 50 --seed 3 --quiet
size="--hidden 16 --width 8 --epochs 2 --patience -1"
blocks="--backbone transformer --layers 2 --heads 2 --context 12 --block-width 16"
train() { "$FLORIN" pretrain log $size --quiet "$@"; }

ok train $blocks --out one.model --threads 1
ok train $blocks --out two.model --threads 2
same one.model two.model
for other in "--positions learned" "--positions none" --post-norm --no-bias --no-history "--context 5"; do
    ok train $blocks $other --out other.model --steps 3
    ! cmp -s one.model other.model || die "$other changed nothing"
    ok "$FLORIN" embed log --model other.model --out other.csv --quiet
    no_nan other.csv
done

# Without --block-width as many parameters as the GRU of the same state, within a tenth.
ok "$FLORIN" pretrain log --steps 1 --hidden 256 --width 128 --quiet --json --out gru.model
gru=$(json out.txt trained.parameters)
ok "$FLORIN" pretrain log --steps 1 --hidden 256 --width 128 --quiet --json --backbone transformer --out same.model
blocks_have=$(json out.txt trained.parameters)
awk -v a="$gru" -v b="$blocks_have" 'BEGIN {exit !(b > .9 * a && b < 1.1 * a)}' || die "$gru and $blocks_have parameters"

# Everything that reads a model reads this one; live replay gives what offline scoring gave.
ok "$FLORIN" embed log --model one.model --entity card --at 2025-04-01 --out card.csv --quiet
ok "$FLORIN" features log --model one.model --out features.csv --quiet
no_nan card.csv features.csv
cat >fraud.yaml <<'Y'
florin_task: 1
name: fraud
data: simulated
moments: {event: payment}
label: fraud
train: {from: 2025-01-15}
validate: {from: 2025-04-01, to: 2025-04-20}
test: {from: 2025-05-10, to: 2025-05-25}
cluster: card
Y
ok train $blocks --out early.model --until 2025-03-01
ok "$FLORIN" fit log --model early.model --task fraud.yaml --rounds 6 --draws 10 --out fitted.model --quiet
ok "$FLORIN" score log --model fitted.model --out scores.csv --quiet
no_nan scores.csv
ok "$FLORIN" replay log --model fitted.model --check --quiet
for how in full low-rank; do
    ok "$FLORIN" fit log --model early.model --task fraud.yaml --finetune $how --epochs 1 --rounds 6 --draws 10 \
        --out tuned.model --quiet
    ok "$FLORIN" replay log --model tuned.model --check --quiet
done

# Refusals.
fails 2 'go with --backbone transformer' train --heads 4 --out no.model
fails 2 '--backbone lstm: there are gru and transformer' train --backbone lstm --out no.model
fails 2 '--positions sine: there are rotary, learned and none' train $blocks --positions sine --out no.model
fails 2 'heads must divide the width' train --backbone transformer --heads 3 --block-width 16 --out no.model
fails 2 'context must be 1 to 512' train --backbone transformer --context 1000 --out no.model
fails 2 'layers must be 1 to 8' train --backbone transformer --layers 9 --out no.model
done_testing
