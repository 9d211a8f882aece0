# florin serve: decisions, repeats, dry runs, batches, outcomes, problems with their pointers, metrics, drain; a restart remembers.
. "$FLORIN_SOURCE/tests/support/shell.sh"
. "$FLORIN_SOURCE/tests/support/serve.sh"
serve_model

# --- settings: the printed ones are valid but for what they must name; errors say where
ok "$FLORIN" serve --print-config
cp out.txt printed.yaml
sed "s|^journal: .*|journal: journal|; s|^port: .*|port: 0|" printed.yaml >config.yaml
fails 3 "bad.yaml:2:.*unknown key 'prot'.*'port'" bash -c "printf 'model: m\nprot: 1\n' >bad.yaml; '$FLORIN' serve bad.yaml"
fails 3 "'model' is missing" bash -c "printf 'port: 1\n' >bad.yaml; '$FLORIN' serve bad.yaml"
fails 3 "limits.queue.*1 to 65536" bash -c "printf 'model: m\njournal: j\nlimits:\n  queue: 0\n' >bad.yaml; '$FLORIN' serve bad.yaml"
fails 3 "without 'keys'" bash -c "printf 'model: fraud.florin\njournal: j\nlisten: 0.0.0.0\nport: 0\n' >bad.yaml; '$FLORIN' serve bad.yaml"
fails 6 'nowhere.florin' bash -c "printf 'model: nowhere.florin\njournal: j\nport: 0\n' >bad.yaml; '$FLORIN' serve bad.yaml"
fails 2 'name the settings' "$FLORIN" serve

serve_start config.yaml
ask GET /health
wants 200
ask GET /ready
wants 200
ask GET /v1/schema
wants 200
equal "$(json answer.json default_type)" payment
equal "$(json answer.json heads.0)" fraud

# --- one decision, whole
body='{"payment": {"id": "p-1", "time": "2025-04-01T12:00:00Z", "amount": 1999, "currency": "eur", "category": "grocery", "country": "DE"},
 "card": "c-1", "merchant": {"id": "m-1"}, "metadata": {"basket": 3}}'
ask POST /v1/evaluations "$body" -H 'X-Request-Id: mine-1'
wants 200
has headers.txt '^X-Request-Id: mine-1'
cp answer.json first.json
id=$(json first.json id)
[[ $id == dec_* ]] || die "id $id"
equal "$(json first.json payment)" p-1
equal "$(json first.json time)" 2025-04-01T12:00:00.000000Z
score=$(json first.json score)
[ "$score" -ge 0 ] && [ "$score" -le 99 ] || die "score $score"
has first.json '"level":"(normal|elevated|highest)","action":"(allow|review|block|request_3ds)"'
has first.json '"probability":(0(\.[0-9]+)?|1),'
[ "$(json first.json 'reasons.#')" -ge 1 ] || die "no reasons"
has first.json '"code":"[a-z_]+\.[a-z0-9_.]+","text":"[^"]+","share":[0-9.]+,"normal":'
has first.json '"timing":\{"waited_us":[0-9]+,"decided_us":[0-9]+\}'

# --- the same payment again gets the first answer; the same by its key; the answer can be read
ask POST /v1/evaluations "$body"
wants 200
equal "$(json answer.json id)" "$id"
equal "$(json answer.json repeat)" true
ask POST /v1/evaluations '{"payment": {"amount": 5}, "card": "c-2"}' -H 'Idempotency-Key: k1'
wants 200
second=$(json answer.json id)
ask POST /v1/evaluations '{"payment": {"amount": 5}, "card": "c-2"}' -H 'Idempotency-Key: k1'
wants 200
equal "$(json answer.json id)" "$second"
ask POST /v1/evaluations '{"payment": {"amount": 6}, "card": "c-2"}' -H 'Idempotency-Key: k1'
wants 422
ask GET "/v1/evaluations/$id"
wants 200
equal "$(json answer.json score)" "$score"
ask GET /v1/evaluations/dec_zzzzzzzzzzzzz
wants 404

# --- a dry run changes nothing: asked twice it says the same
dry='{"payment": {"amount": 99999, "time": "2025-04-01T12:00:01Z"}, "card": "c-1", "merchant": "m-9", "dry_run": true}'
ask POST /v1/evaluations "$dry"
wants 200
equal "$(json answer.json id)" null
equal "$(json answer.json dry_run)" true
probability=$(json answer.json probability)
ask POST /v1/evaluations "$dry"
equal "$(json answer.json probability)" "$probability"

# --- a batch: one wrong payment does not fail the others; what is written wrong fails it whole, and says where
ask POST /v1/evaluations '{"evaluations": [{"payment": {"id": "b-1", "amount": 5}, "card": "c-3"}, {"payment": {"id": "b-2"}, "card": "c-3"},
 {"payment": {"id": "b-3", "amount": 7}, "card": "c-3"}]}'
wants 200
equal "$(json answer.json 'evaluations.#')" 3
equal "$(json answer.json evaluations.0.payment)" b-1
equal "$(json answer.json evaluations.1.status)" 422
equal "$(json answer.json evaluations.1.pointer)" /evaluations/1
equal "$(json answer.json evaluations.2.payment)" b-3
ask POST /v1/evaluations '{"evaluations": [{"payment": {"amount": 5}, "card": "c-3"}, {"payment": {"amount": "7"}}]}'
wants 422
equal "$(json answer.json pointer)" /evaluations/1/payment/amount
ask POST /v1/evaluations '{"evaluations": []}'
wants 422

# --- problems: status, pointer, words
problem() {
    ask POST /v1/evaluations "$3"
    wants "$1"
    has headers.txt '^Content-Type: application/problem\+json'
    equal "$(json answer.json pointer)" "$2"
    equal "$(json answer.json status)" "$1"
    has answer.json "$4"
}
problem 400 /payment/amount '{"payment": {"amount": 1,}}' 'a name in quotes'
problem 400 /payment '{"payment": {"amount": 1}' 'inside an object or array'
problem 422 '' '{}' 'payment.*missing'
problem 422 /payment/amount '{"payment": {"amount": 1.5}}' 'whole minor units'
problem 422 /payment/colour '{"payment": {"amount": 1, "colour": "red"}}' 'no field of this name'
problem 422 /payment/time '{"payment": {"amount": 1, "time": "yesterday"}}' 'RFC 3339'
problem 422 /card/id '{"payment": {"amount": 1}, "card": {"id": [1]}}' 'a text'
problem 422 /payment/card '{"card": "a", "payment": {"amount": 1, "card": "b"}}' 'given before'
problem 422 /deadline_ms '{"payment": {"amount": 1}, "deadline_ms": 0}' 'milliseconds'
problem 422 /payment '{"payment": {"id": "q"}, "card": "c-1"}' 'amount'
STATUS=$(curl -s -o answer.json -w '%{http_code}' -H 'Content-Type: text/plain' --data-binary '{}' "$URL/v1/evaluations")
wants 415
printf '{"payment": {"id": "%s"}}' "$(head -c 300000 /dev/zero | tr '\0' x)" >large.json
STATUS=$(curl -s -o answer.json -w '%{http_code}' -H 'Content-Type: application/json' --data-binary @large.json "$URL/v1/evaluations") || true
wants 413
ask DELETE /v1/evaluations
wants 405
has headers.txt '^Allow: GET, POST'
ask POST /v1/schema '{}'
wants 405
has headers.txt '^Allow: GET'

# --- the list, newest first, by cursor and by filter
ask GET '/v1/evaluations?limit=2'
wants 200
equal "$(json answer.json 'evaluations.#')" 2
first=$(json answer.json evaluations.0.id)
next=$(json answer.json next)
ask GET "/v1/evaluations?limit=64&before=$next"
wants 200
equal "$(json answer.json next)" null
lacks answer.json "$first"
has answer.json "\"id\":\"$id\""
equal "$(json answer.json "evaluations.$(($(json answer.json 'evaluations.#') - 1)).id")" "$id" # the first is the last
ask GET '/v1/evaluations?action=review&level=normal&score_from=99'
wants 200
equal "$(json answer.json 'evaluations.#')" 0
for query in limit=0 limit=x before=-1 action=maybe level=high score_from=100; do
    ask GET "/v1/evaluations?$query"
    wants 422
    has answer.json "${query%%=*}: "
done
ask GET /nothing
wants 404
equal "$(json answer.json type)" urn:florin:problem:path

# --- outcomes
ask POST "/v1/evaluations/$id/events" '{"type": "label", "label": "fraud", "value": true}'
wants 201
equal "$(json answer.json counted)" true
ask POST "/v1/evaluations/$id/events" '{"type": "result", "fields": {"declined": true}}'
wants 201
ask POST "/v1/evaluations/$id/events" '{"type": "label", "label": "frod", "value": true}'
wants 422
equal "$(json answer.json pointer)" /label
ask POST "/v1/evaluations/$id/events" '{"type": "label"}'
wants 422
ask POST /v1/evaluations/dec_zzzzzzzzzzzzz/events '{"type": "label", "label": "fraud", "value": 1}'
wants 404

# --- metrics
ask GET /metrics
wants 200
has headers.txt 'openmetrics-text'
has answer.json '^florin_requests_total\{route="evaluations",status="2xx"\} [1-9]'
has answer.json '^florin_decisions_total\{model="[0-9a-f]{16}",action="allow"\} [0-9]+'
has answer.json '^florin_evaluation_seconds_bucket\{le="\+Inf"\} [1-9]'
has answer.json '^florin_labels_total 1$'
equal "$(tail -1 answer.json)" '# EOF'
lacks answer.json ' -?(nan|inf)$'

# --- the log is JSON lines and names nobody
serve_stop
has serve.log '"message":"stopped"'
lacks serve.log 'c-1|p-1|m-1'
while read -r line; do json - level <<<"$line" >/dev/null; done <serve.log

# --- it goes on where it stopped
serve_start config.yaml
ask GET "/v1/evaluations/$id"
wants 200
equal "$(json answer.json score)" "$score"
ask POST /v1/evaluations "$body"
equal "$(json answer.json id)" "$id"
equal "$(json answer.json repeat)" true

# --- load: a CSV file, a file of bodies, made-up payments; every one answered
ok "$FLORIN" load "$URL" tables/payments.csv --as payment_id=id --rate 2000 --requests 300 --json
equal "$(json out.txt answered)" 300
equal "$(json out.txt status.2xx)" 300
ok "$FLORIN" load "$URL" --rate 0 --requests 200 --connections 8 --entities 50 --per-request 3 --json
equal "$(json out.txt status.2xx)" 200
ok "$FLORIN" load "$URL" --rate 0 --requests 20 --connections 2 --entities 50 --per-request 100 --json # answers of 90 KB
equal "$(json out.txt status.2xx)" 20
printf '{"payment": {"amount": 1}, "card": "c"}\n{"payment": {"amount": "1"}}\n' >bodies.jsonl
ok "$FLORIN" load "$URL" bodies.jsonl --json
equal "$(json out.txt status.2xx)" 1
equal "$(json out.txt status.4xx)" 1
no_nan out.txt

# --- a policy: taken over by a reload, its lists by requests, remembered by a restart
cat >policy.yaml <<'Y'
florin: 1
name: shop
thresholds: {block: 99}
lists: {stolen: {of: card, entries: [bad-card]}}
rules: |
  listed: Block if :card: in @stolen
tests:
  - {name: listed, event: {card: bad-card, amount: 5}, expect: block, rule: listed}
Y
sed -i 's/^policy: .*/policy: policy.yaml/' config.yaml
kill -HUP "$SERVER"
for ((i = 0; i < 100; i++)); do grep -q '"message":"reloaded"' serve.log && break; sleep .05; done
has serve.log '"message":"reloaded","policy":"[0-9a-f]{16}"'
ask POST /v1/evaluations '{"payment": {"amount": 5}, "card": "bad-card"}'
wants 200
has answer.json '"action":"block","rule":"listed","by":"rule"'
has answer.json '"policy":"[0-9a-f]{16}"'
ask POST /v1/evaluations '{"payment": {"amount": 5}, "card": "other-card"}'
has answer.json '"rule":null'
ask POST /v1/lists/stolen '{"value": "other-card"}'
wants 200
ask POST /v1/evaluations '{"payment": {"amount": 5}, "card": "other-card"}'
has answer.json '"action":"block","rule":"listed"'
ask POST /v1/lists/stolen '{"value": "bad-card", "remove": true}'
wants 200
ask POST /v1/lists/none '{"value": "x"}'
wants 404
printf 'broken' >policy.yaml
kill -HUP "$SERVER"
for ((i = 0; i < 100; i++)); do grep -q 'not reloaded' serve.log && break; sleep .05; done
has serve.log 'not reloaded.*policy.yaml'
ask POST /v1/evaluations '{"payment": {"amount": 5}, "card": "other-card"}'
has answer.json '"action":"block","rule":"listed"'
serve_stop
printf 'florin: 1\nname: shop\nthresholds: {block: 99}\nlists: {stolen: {of: card, entries: [bad-card]}}\nrules: |\n  listed: Block if :card: in @stolen\n' >policy.yaml
serve_start config.yaml
ask POST /v1/evaluations '{"payment": {"amount": 5}, "card": "other-card"}'
has answer.json '"action":"block","rule":"listed"'

fails 6 'refused' "$FLORIN" load http://127.0.0.1:1 --requests 1
serve_stop
done_testing
