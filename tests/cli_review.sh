# florin review: what a server decided to have reviewed comes into the queue; claim, notes, outcomes; pages; refusals.
. "$FLORIN_SOURCE/tests/support/shell.sh"
. "$FLORIN_SOURCE/tests/support/serve.sh"
serve_model
printf 'rules: |\n  abroad: Review if :country: != '"'DE'"'\n' >policy.yaml
printf 'model: fraud.florin\njournal: journal\npolicy: policy.yaml\nport: 0\nlog: warn\nevent: payment\n' >config.yaml
sed -i 's/log: warn/log: info/' config.yaml
serve_start config.yaml
for i in 1 2 3 4 5; do
    country=FR
    [ "$i" != 3 ] || country=DE
    ask POST /v1/evaluations '{"payment": {"id": "p-'"$i"'", "time": "2025-04-01T12:00:0'"$i"'Z", "amount": '"$i"'999, "country": "'$country'"}, "card": "c-1", "merchant": "m-1"}'
    wants 200
    json answer.json id >>ids.txt
done
review() { local what=$1; shift; ok "$FLORIN" review "$what" "$@" --store r.db --who ann; }

# --- filled beside the running server, once
review list --journal journal --json
equal "$(json out.txt items.#) $(json out.txt open) $(json out.txt items.0.event) $(json out.txt items.0.rule) $(json out.txt items.2.event)" "4 4 p-1 abroad p-4"
equal "$(json out.txt items.0.decision)" "$(sed -n 1p ids.txt)"
review list --journal journal --json
equal "$(json out.txt items.#)" 4
review list --most 3 --json
next=$(json out.txt next)
review list --most 3 --cursor "$next" --json
equal "$(json out.txt items.#) $(json out.txt items.0.event)" "1 p-5"

# --- one has it; notes; an outcome
one=$(sed -n 1p ids.txt)
review claim "$one"
fails 3 'in the hands of ann until' "$FLORIN" review claim "$one" --store r.db --who bob
review note "$one" --note 'called her'
review fraud "$one" --note 'not hers'
fails 3 'decided already: fraud, by ann' "$FLORIN" review approve "$one" --store r.db --who bob
review approve "$(sed -n 2p ids.txt)"
review show "$one"
has out.txt 'ann +note +called her'
has out.txt 'ann +fraud +not hers'
has out.txt '19.99 EUR'
review list --state done --by-score --json
equal "$(json out.txt items.#) $(json out.txt untold)" "2 2"
equal "$(stat -c %a r.db)" 600

# --- refusals
fails 3 'not in the queue' "$FLORIN" review claim "$(sed -n 3p ids.txt)" --store r.db --who ann
fails 3 'not in the queue' "$FLORIN" review show "'; DROP TABLE item" --store r.db
fails 3 'state: open, claimed or done' "$FLORIN" review list --state opened --store r.db
fails 3 'cursor' "$FLORIN" review list --cursor nonsense --store r.db
fails 3 'who: a text' env -u USER "$FLORIN" review claim "$one" --store r.db
fails 3 'note: a text' "$FLORIN" review note "$one" --store r.db --who ann
fails 2 'no action' "$FLORIN" review clam "$one" --store r.db
fails 2 'takes one decision' "$FLORIN" review claim --store r.db
fails 2 'needs --store' "$FLORIN" review list
fails 6 'nowhere' "$FLORIN" review list --store r.db --journal nowhere
fails 4 'policies.db' bash -c "'$FLORIN' policy list --store policies.db >/dev/null; '$FLORIN' review list --store policies.db"
done_testing
