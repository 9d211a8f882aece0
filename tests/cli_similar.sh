# florin similar: neighbours of an entity and of an event, segments, tasks of likeness; the same whatever the threads; refusals.
. "$FLORIN_SOURCE/tests/support/shell.sh"
ok "$FLORIN" simulate --events 24000 --cards 150 --seed 3 --out log --quiet
ok "$FLORIN" pretrain log --hidden 16 --width 8 --steps 60 --out m.model --quiet
similar() { "$FLORIN" similar log --model m.model --quiet "$@"; }
less() { [ "$(awk -v a="$1" -v b="$2" 'BEGIN {print (a < b)}')" = 1 ] || die "$1 is not less than $2"; CHECKS=$((CHECKS + 1)); }

# --- an entity
ok similar --entity card --id c0000007 --top 5
has out.txt 'Like card c0000007, by embedding, among [0-9]+'
has out.txt '^  5\. c[0-9]+ '
has out.txt '\(so are [0-9.]+ %\)'
ok similar --entity card --id c0000007 --top 5 --json
cp out.txt card.json
equal "$(json card.json neighbours.#) $(json card.json by) $(json card.json id)" "5 embedding c0000007"
no_nan card.json
! grep -q '"id":"c0000007","sim' card.json || die "an entity is its own neighbour"
for i in 0 1 2 3; do
    less "$(json card.json neighbours.$((i + 1)).similarity)" "$(awk -v a="$(json card.json neighbours.$i.similarity)" 'BEGIN {print a + 1e-9}')"
done
# What is shared is rare, the rarest first.
less "$(json card.json neighbours.0.shared.0.share)" 0.17
ok similar --entity card --id c0000007 --top 5 --json --threads 1
same out.txt card.json
# Likeness is mutual: by whom it was found, it is found with the same number.
other=$(json card.json neighbours.0.id)
ok similar --entity card --id "$other" --top 100000 --json
back=$(tr '{' '\n' <out.txt | grep '"id":"c0000007","shared"\|"id":"c0000007"' | head -1)
[ -n "$back" ] || die "$other does not know c0000007"
# More than there are: all the others. Fold and both; kinds without a stream are compared by the fold.
all=$(json card.json population)
ok similar --entity card --id c0000007 --top 100000 --json
equal "$(json out.txt neighbours.#)" $((all - 1))
for by in fold both; do
    ok similar --entity card --id c0000007 --by $by --json
    equal "$(json out.txt by) $(json out.txt neighbours.#)" "$by 10"
    ! cmp -s out.txt card.json || die "$by changed nothing"
done
ok similar --entity terminal --id "$("$FLORIN" features log --entity terminal --at 2025-04-01 --out t.csv --quiet >/dev/null && sed -n 2p t.csv | cut -d, -f1)" --json
equal "$(json out.txt by)" fold
# An earlier date knows less.
ok similar --entity card --id c0000007 --at 2025-03-01 --pool last --json
less "$(json out.txt events)" "$(json card.json events)"

# --- an event
ok similar --event p000000100 --top 4
has out.txt 'Like event p000000100, by embedding, among [0-9]+'
ok similar --event p000000100 --top 4 --json
cp out.txt event.json
equal "$(json event.json neighbours.#) $(json event.json neighbours.0.type)" "4 payment"
no_nan event.json
ok similar --event p000000100 --top 4 --json --threads 1
same out.txt event.json
ok similar --event p000000100 --by fold --top 2 --json

# --- segments
ok similar --entity merchant --segments 3
has out.txt '^1\. [0-9]+ of kind merchant'
ok similar --entity merchant --segments 3 --json
cp out.txt segments.json
n=0
for g in 0 1 2; do n=$((n + $(json segments.json segments.$g.entities))); done
equal "$n" "$(json segments.json population)"
[ "$(json segments.json segments.0.what.#)" -ge 1 ] || die "nothing is said of a segment"
ok similar --entity merchant --segments 3 --json --threads 1
same out.txt segments.json

# --- judged
ok similar --entity merchant --judge category --draws 40
has out.txt 'the field is an input of the model'
ok similar --entity merchant --judge category --draws 40 --json
equal "$(json out.txt systems.#) $(json out.txt kind) $(json out.txt of_is_input)" "3 similarity true"
# Neighbours know the category better than chance does; and permuted histories would not: chance is near the base rate.
less "$(json out.txt systems.2.metrics.precision_at_10.high)" "$(json out.txt systems.0.metrics.precision_at_10.low)"
equal "$(awk -v a="$(json out.txt systems.0.metrics.precision_at_10.value)" -v b="$(json out.txt systems.1.metrics.precision_at_10.value)" 'BEGIN {printf "%.6f", a - b}')" \
    "$(printf '%.6f' "$(json out.txt differences.0.value)")"
ok similar --entity card --judge same --least 5 --draws 40 --json
cp out.txt judged.json
no_nan judged.json
less "$(json judged.json systems.2.metrics.recall_at_10.value)" "$(json judged.json systems.0.metrics.recall_at_10.value)"
ok similar --entity card --judge same --least 5 --draws 40 --json --threads 1
same out.txt judged.json
# By task file, and on the page.
cat >alike.yaml <<'Y'
florin_task: 1
name: alike
data: simulated
moments: {entity: merchant}
label: {is: alike, of: country}
test: {at: 2025-06-20}
inputs: sequence
baseline: fold
Y
ok "$FLORIN" fit log --task alike.yaml --model m.model --out x.florin --report alike.json --draws 40
has err.txt 'is not written'
[ ! -e x.florin ] || die "a head was written"
equal "$(json alike.json task) $(json alike.json trivial.name) $(json alike.json of)" "alike fold country"
ok "$FLORIN" report alike.json --out alike.html
ok "$FLORIN" eval log --task alike.yaml --model m.model --draws 40
mkdir mine
cp alike.yaml mine/
sed 's/alike, of: country/same/' alike.yaml >mine/same.yaml
ok "$FLORIN" tasks --folder mine --json
equal "$(json out.txt 0.kind) $(json out.txt 0.metric) $(json out.txt 0.label)" "similarity precision_at_10 the country of its nearest"
equal "$(json out.txt 1.metric) $(json out.txt 1.label)" "recall_at_1 the other half of its history"
bad() { # REGEX SED
    sed "$2" alike.yaml >bad.yaml
    fails 3 "$1" "$FLORIN" fit log --task bad.yaml --model m.model --out x.florin
}
bad 'bad.yaml:5.*no category field .contry.*did you mean' 's/country/contry/'
bad 'bad.yaml:5.*needs .of: FIELD' 's/, of: country//'
bad 'bad.yaml:5.*unknown key .*of' 's/alike, of/same, of/'
bad 'bad.yaml:6.*test: .at: DATE' 's/{at: 2025-06-20}/{from: 2025-06-01, to: 2025-06-20}/'
bad 'bad.yaml:7.*learnt from no label' 's/^inputs.*/train: {from: 2025-01-01}/'
bad 'bad.yaml:8.*baseline: fold' 's/baseline: fold/baseline: recency/'
bad 'bad.yaml:5.*for entities' 's/entity: merchant/event: payment/'
fails 2 'has no head to choose' "$FLORIN" fit log --task alike.yaml --model m.model --out x.florin --auto
fails 2 'no states to compare by' "$FLORIN" fit log --task alike.yaml --out x.florin

# --- refusals
fails 3 "card 'c9' is not in the log; the nearest ids are: c[0-9]+, c[0-9]+, c[0-9]+" similar --entity card --id c9
fails 3 "no event 'p1'" similar --event p1
fails 2 "no entities of kind 'crad'; there are: .*did you mean 'card'" similar --entity crad --id c1
fails 2 'either an entity.s kind or an event' similar --id c1
fails 2 'either an entity.s kind or an event' similar --entity card --event p1 --id c1
fails 2 'say whom' similar --entity card
fails 2 'say whom' similar --entity card --id c1 --judge same
fails 2 'has its own moment' similar --event p000000100 --at 2025-03-01
fails 2 'embedding, fold, both' similar --entity card --id c0000007 --by x
fails 2 'mean and last' similar --entity card --id c0000007 --pool x
fails 2 'not a moment' similar --entity card --id c0000007 --at x
fails 2 "judge 'x': .same., or a category" similar --entity card --judge x
fails 2 'segments: 2 to 64' similar --entity card --segments 1
fails 2 'segments: 2 to 64' similar --entity card --segments 65
fails 2 'no states to compare by' similar --entity terminal --segments 2 --by embedding
fails 3 'nothing to compare' similar --entity card --judge same --least 4000
fails 3 'neighbours are judged among more' similar --entity card --judge same --at 2025-01-05 --least 4
fails 3 'nothing to compare' similar --entity card --id c0000007 --at 2020-01-01
fails 7 'give more --memory' similar --entity card --id c0000007 --memory 4K
fails 6 'nothere' "$FLORIN" similar log --model nothere --entity card --id c0000007
fails 6 'nothere' "$FLORIN" similar nothere --model m.model --entity card --id c0000007
ok "$FLORIN" simulate --events 3000 --csv csv --quiet
sed -i 's/country: country/land: country/' csv/schema.yaml
ok "$FLORIN" import csv/schema.yaml --log other --quiet
fails 5 'country|land' "$FLORIN" similar other --model m.model --entity card --judge same
done_testing
