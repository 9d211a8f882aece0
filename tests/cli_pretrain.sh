# florin pretrain: the same bytes for the same seed, after Ctrl-C, kill -9 and a full disk too; nothing of or after
# --until; checkpoints that do not fit are refused; a bad run says so; what people see while it runs.
. "$FLORIN_SOURCE/tests/support/shell.sh"
ok "$FLORIN" simulate --out log --events 4000 --cards 50 --seed 3 --quiet
ok "$FLORIN" simulate --out other --events 4000 --cards 50 --seed 4 --quiet
size="--hidden 16 --width 8 --epochs 24 --patience -1"
train() { "$FLORIN" pretrain log $size --quiet "$@"; } # a second or two
sum() { sha256sum <"$1"; }

# The same seed: the same bytes with one thread and with two; another seed: others.
ok train --out whole.model --threads 1 --log journal
has out.txt '^Beats all four baselines \(payee, later\)'
ok train --out two.model --threads 2
same whole.model two.model
ok train --out seed.model --seed 2 --epochs 1
! cmp -s whole.model seed.model || die "another seed gave the same model"
want=$(sum whole.model)

# The journal is JSON lines with what a plot needs.
has journal '^\{"events_per_s":[1-9][0-9.]+,"nats":[0-9.]+,"norm":[0-9.]+,"rate":[0-9.e-]+,"step":10,"stream":"payer"\}'
has journal '"stream":"payee","validation_nats":[0-9.]+\}'
lacks journal '^[^{]|[^}]$'
no_nan journal

# Starts a run in the background (PID) and waits until its journal has so many lines.
begin() { # begin LINES OPTIONS...
    local lines=$1
    shift
    rm -f j
    "$FLORIN" pretrain log $size --quiet --log j "$@" >out.txt 2>err.txt &
    PID=$!
    for _ in $(seq 2000); do
        [ "$(cat j 2>/dev/null | wc -l)" -lt "$lines" ] || return 0
        kill -0 $PID 2>/dev/null || return 0
        sleep .005
    done
}
finish() { # finish SIGNAL: its exit code in CODE
    kill "-$1" $PID 2>/dev/null || true
    CODE=0
    { wait $PID || CODE=$?; } 2>/dev/null
}

# Ctrl-C: exit code 9, no model yet, a checkpoint; --resume goes on to the same bytes, with other threads too.
begin 6 --out stop.model --threads 2
finish INT
equal "$CODE" 9
has err.txt 'stopped at step.*--resume'
ok test -s stop.model.checkpoint -a ! -e stop.model
cp stop.model.checkpoint kept
ok train --out stop.model --threads 1 --resume
equal "$(sum stop.model)" "$want"
ok test ! -e stop.model.checkpoint

# kill -9 again and again, wherever it strikes: whatever checkpoint is there is whole, and the end is the same.
kills=0
for lines in 3 7 4 9 5; do
    begin $lines --out kill.model --checkpoint 0.02 --resume
    sleep ".0$((RANDOM % 5))"
    finish KILL
    [ "$CODE" = 0 ] || kills=$((kills + 1))
    [ ! -e kill.model ] || break
done
[ "$kills" -gt 2 ] || die "only $kills of the kills struck"
ok train --out kill.model --resume
equal "$(sum kill.model)" "$want"

# A checkpoint that does not fit is refused with the reason, and one that is damaged.
cp kept bad.model.checkpoint
fails 3 'other options.*seed is 1 there, 5 now.*--resume' train --out bad.model --resume --seed 5
fails 3 'other options.*hidden' train --out bad.model --resume --hidden 8
fails 3 'other options.*until' train --out bad.model --resume --until 2025-06-01
begin 2 --out until.model --until 2025-06-01
finish INT
mv until.model.checkpoint bad.model.checkpoint
fails 3 'other events' "$FLORIN" pretrain other $size --quiet --out bad.model --resume --until 2025-06-01
head -c 3000 kept >bad.model.checkpoint
fails 4 'bad.model.checkpoint.*truncated|damaged' train --out bad.model --resume
for at in 100 5000 20000 "$(($(stat -c %s kept) - 1))"; do
    cp kept bad.model.checkpoint
    byte=$(od -An -tu1 -j "$at" -N1 kept)
    printf "\\x$(printf %02x $((byte ^ 4)))" | dd of=bad.model.checkpoint bs=1 seek="$at" conv=notrunc status=none
    fails 4 'bad.model.checkpoint' train --out bad.model --resume
done
: >bad.model.checkpoint
fails 4 'bad.model.checkpoint' train --out bad.model --resume
ok test ! -e bad.model

# Nothing at or after T: a run on the whole log up to T knows T, and other labels or events after it change nothing
# (test_train.c compares the bytes); T before the first event has nothing to learn from.
ok train --out until.model --epochs 1 --until 2025-04-01 --json
equal "$(json out.txt trained.until_us)" 1743465600000000
[ "$(json out.txt trained.events)" -lt 4000 ] || die "--until let all events in"
fails 3 'only 0 events before --until 2020-01-01' train --out none.model --until 2020-01-01
fails 2 'until.*not a time' train --out none.model --until yesterday
fails 2 'valid-from must be before --until' train --out none.model --until 2025-03-01 --valid-from 2025-04-01
fails 3 'only 0 events before the validation moment' train --out none.model --valid-from 2020-01-01

# Refusals before any work: options, places, a log with too little in it.
fails 2 'hiden' train --out none.model --hiden 8
fails 2 '--hidden must be' train --out none.model --hidden 100000
fails 2 'multiple of --parts' train --out none.model --lanes 7 --parts 2
fails 2 '--rate must be' train --out none.model --rate -1
fails 2 '--size tiny: there are nano, small and base' train --out none.model --size tiny
fails 2 '--contrast must be 0 to 1000' train --out none.model --contrast -1
fails 2 '--ahead must be 1 to 64 events' train --out none.model --ahead 65
fails 2 '--ahead-weight without --ahead' train --out none.model --ahead-weight 1
fails 2 "can't be below 0" train --out none.model --ahead -1

# Further objectives: in the journal and the model file; another model; a size sets both widths unless one is given.
rm -f journal2
ok train --out more.model --contrast 0.5 --ahead 3 --epochs 2 --log journal2 --json
has journal2 '"ahead_loss":[0-9.]+.*"contrast_loss":[0-9.]+'
has out.txt '"ahead": ?3'
has out.txt '"contrast": ?0.5'
ok "$FLORIN" pretrain log --quiet --size nano --hidden 16 --steps 2 --out nano.model --json
has out.txt '"hidden": ?16'
has out.txt '"width": ?32'
fails 2 '--out' "$FLORIN" pretrain log
fails 6 'nowhere' train --out nowhere/none.model
fails 6 'nothing' "$FLORIN" pretrain nothing --out none.model
ok "$FLORIN" simulate --out few --events 10 --cards 2 --quiet
fails 3 'only [0-9]+ events' "$FLORIN" pretrain few --out none.model
ok test ! -e none.model

# The table compares with four baselines; a run that learnt nothing says so in plain words.
ok train --out bad.model --steps 3 --rate 1
has out.txt 'field +Florin +popular +last +frequent +decayed'
has out.txt 'entities never trained on'
has out.txt "does NOT beat the simple baseline '(popular|last|frequent|decayed)'"
has out.txt '  worse$'
no_nan out.txt
ok train --out bad.model --steps 3 --rate 1 --json
[ "$(json out.txt metrics.payer.later.worse_than_a_baseline.#)" -gt 0 ] || die "the JSON does not name the fields"

# On a terminal: a bar with an ETA and the speed.
if command -v script >/dev/null; then
    script -qec "$FLORIN pretrain log $size --epochs 10 --out shown.model" shown >/dev/null
    tr '\r' '\n' <shown >lines
    has lines 'pretrain +\[[=> ]+\] +[0-9]+% .*ETA [0-9]+:[0-9]+ +[0-9]+ events/s, [0-9.]+ nats'
fi

# A full disk: said once and clearly; the old checkpoint stays, and training goes on from it when there is room.
small_disk 3m
begin 6 --out disk/m.model --checkpoint 0.02
finish KILL
ok test -s disk/m.model.checkpoint
rm -f disk/*.tmp-*
cp disk/m.model.checkpoint old
head -c 4000000 /dev/zero >disk/full 2>/dev/null || true
rm -f err.txt
fails 6 'm.model.*(No space|space left)' train --out disk/m.model --checkpoint 0.02 --resume
has err.txt 'no checkpoint this time, training goes on'
equal "$(grep -c 'no checkpoint' err.txt)" 1
same disk/m.model.checkpoint old
ok test ! -e disk/m.model
rm disk/full
ok train --out disk/m.model --checkpoint 0.02 --resume
equal "$(sum disk/m.model)" "$want"
done_testing
