# What florin serve leaves: a journal that replays to the same bytes and becomes a log, checkpoints beside the decisions, and after
# kill -9 all that was answered.
. "$FLORIN_SOURCE/tests/support/shell.sh"
. "$FLORIN_SOURCE/tests/support/serve.sh"
serve_model
printf 'model: fraud.florin\njournal: journal\nport: 0\ncheckpoint_s: 1\n' >config.yaml
serve_start config.yaml
for i in $(seq 40); do
    ask POST /v1/evaluations "{\"payment\": {\"id\": \"p-$i\", \"time\": \"2025-04-01T12:00:00Z\", \"amount\": $((100 * i)), \"category\": \"grocery\"}, \"card\": \"c-$((i % 7))\", \"merchant\": \"m-$((i % 3))\"}"
    wants 200
    [ "$i" != 7 ] || cp answer.json seventh.json
done
id=$(json seventh.json id)
ask POST "/v1/evaluations/$id/events" '{"type": "label", "label": "fraud", "value": 1}'
wants 201
for i in $(seq 50); do # a second, then the copy of the process
    ls journal/*.state | grep -qv '/0*\.state' && break
    sleep .2
done
ls journal/*.state | grep -qv '/0*\.state' || die "no checkpoint"
ask POST /v1/evaluations '{"payment": {"id": "last", "amount": 5}, "card": "c-2"}'
wants 200
last=$(json answer.json id)
kill -9 "$SERVER"
wait "$SERVER" 2>/dev/null || true

# --- nothing that was answered is gone; the journal gives the bytes again, in use or not
serve_start config.yaml
ask GET "/v1/evaluations/$last"
wants 200
ask POST /v1/evaluations '{"payment": {"id": "last", "amount": 5}, "card": "c-2"}'
wants 200
equal "$(json answer.json id) $(json answer.json repeat)" "$last true"
ok "$FLORIN" replay journal --model fraud.florin --json
equal "$(json out.txt decisions) $(json out.txt labels) $(json out.txt differ) $(json out.txt same)" "41 1 0 41"
ok "$FLORIN" replay journal --model fraud.florin
has out.txt 'differ +0'
serve_stop

# --- the loop closes: what was decided on becomes a log, once
ok "$FLORIN" import journal --log live.log --json
equal "$(json out.txt added) $(json out.txt labels_added)" "41 1"
ok "$FLORIN" import journal --log live.log
has out.txt 'Nothing new'
ok "$FLORIN" describe live.log
fails 2 'no further files' "$FLORIN" import journal --log live.log more.csv

# --- damage is told with its place; so is a model that did not decide here
cp -r journal damaged
first=$(ls damaged/*.journal | head -1)
printf 'X' | dd of="$first" bs=1 seek=$(($(stat -c %s "$first") / 2)) conv=notrunc status=none
fails 4 "$first: offset [0-9]+" "$FLORIN" replay damaged --model fraud.florin
sed 's/^journal: .*/journal: damaged/' config.yaml >damaged.yaml
fails 4 "$first: offset [0-9]+" "$FLORIN" serve damaged.yaml
