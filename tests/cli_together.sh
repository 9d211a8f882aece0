# Tasks learnt together at the end of pretraining: a normal model, whose live scores are those of the log; the same bytes
# whatever the threads; labels that arrive after T change nothing; what it can't do is refused before training.
. "$FLORIN_SOURCE/tests/support/shell.sh"

ok "$FLORIN" simulate --events 24000 --cards 240 --seed 3 --out bank
head='florin_task: 1
moments: {event: payment}
train: {from: 2025-01-15}
test: {from: 2025-05-10, to: 2025-05-25}'
{ echo "$head"; echo 'name: fraud'; echo 'label: fraud'; } >fraud.yaml
{ echo "$head"; echo 'name: declined'; echo 'label: {mark: declined}'; } >declined.yaml
{ echo "$head"; echo 'name: soon'; echo 'label: {event: payment, within: 1d}'; } >soon.yaml
train="--until 2025-04-20 --hidden 16 --width 8 --steps 20 --seed 1"
ok "$FLORIN" pretrain bank $train --out plain.florin
ok "$FLORIN" pretrain bank $train --out both.florin --tasks fraud.yaml,declined.yaml,soon.yaml --json
equal "$(json out.txt together.tasks.#) $(json out.txt together.tasks.0.name) $(json out.txt together.tasks.2.name)" "3 fraud soon"
awk -v n="$(json out.txt together.tasks.1.positives)" -v of="$(json out.txt together.tasks.1.rows)" 'BEGIN { exit !(n > 0 && n < of) }' || die "no labels"
no_nan out.txt
cmp -s plain.florin both.florin && die "nothing was learnt"
# The same bytes whatever the threads, and other ones with another weight.
ok "$FLORIN" pretrain bank $train --out one.florin --tasks fraud.yaml,declined.yaml,soon.yaml --threads 1
same both.florin one.florin
ok "$FLORIN" pretrain bank $train --out heavy.florin --tasks fraud.yaml,declined.yaml,soon.yaml --task-weight 5
cmp -s both.florin heavy.florin && die "the weight is not used"
# Each task is fitted as ever, and scored live as in the log.
ok "$FLORIN" fit bank --task declined.yaml --model both.florin --out head.florin --rounds 6 --draws 10
ok "$FLORIN" replay bank --model head.florin --check --quiet
# A model that knows labels until T is refused an earlier test, as any that has seen it.
fails 8 '2025-04-01' "$FLORIN" fit bank --task <(sed 's/05-10/04-01/' declined.yaml) --model both.florin --out x
# What happens after T changes nothing: the same world, cut at T.
ok "$FLORIN" simulate --events 24000 --cards 240 --seed 3 --csv world
mkdir cut
for f in world/*.csv; do
    awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "time") c = i; print; next } $c < "2025-04-20"' "$f" >"cut/$(basename "$f")"
done
cp world/schema.yaml cut/
for w in world cut; do
    (cd $w && ok "$FLORIN" import schema.yaml --log log)
    ok "$FLORIN" pretrain $w/log $train --out $w.florin --tasks fraud.yaml,soon.yaml --json
    json out.txt together.tasks.0.positives >$w.n
    json out.txt together.tasks.1.rows >>$w.n
    json out.txt together.loss >>$w.n
done
same world.n cut.n

fails 2 'about events whose answer is yes or no' "$FLORIN" pretrain bank $train --out x --tasks <(printf 'florin_task: 1\nname: d\nmoments: {entity: card}\nlabel: {event: payment, within: 9d}\ntrain: {from: 2025-02-01}\ntest: {at: 2025-05-01}\n')
fails 6 'nowhere.yaml' "$FLORIN" pretrain bank $train --out x --tasks fraud.yaml,nowhere.yaml
fails 2 'task-weight is at most' "$FLORIN" pretrain bank $train --out x --tasks fraud.yaml --task-weight -1
fails 2 '1 to 16 task files' "$FLORIN" pretrain bank $train --out x --tasks "$(printf 'fraud.yaml,%.0s' {1..17})fraud.yaml"
[ ! -e x ] || die "a model of refused tasks"
# A task without a label known at T: said, and the model of before stays.
sed 's/01-15/01-19/' fraud.yaml >early.yaml
fails 3 'of its labels known at 2025-01-20' "$FLORIN" pretrain bank --until 2025-01-20 --hidden 16 --width 8 --steps 4 --out early.florin --tasks early.yaml
ok "$FLORIN" describe early.florin
