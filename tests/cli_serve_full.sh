# A disk that is full under the journal: 503 at once and for as long as it is, nothing that was answered is lost, and it goes on once
# there is room.
. "$FLORIN_SOURCE/tests/support/shell.sh"
. "$FLORIN_SOURCE/tests/support/serve.sh"
serve_model
small_disk 24m
printf 'model: fraud.florin\njournal: disk/journal\nport: 0\nentities_max: 1000\npairs_max: 1000\npending_max: 1000\ncheckpoint_s: 0\n' >config.yaml
serve_start config.yaml
body() { echo "{\"payment\": {\"id\": \"p$1\", \"amount\": 5}, \"card\": \"c\"}"; }
ask POST /v1/evaluations "$(body 0)"
wants 200
first=$(json answer.json id)
head -c 64m /dev/zero >disk/filler 2>/dev/null || true
# What the journal has taken beforehand of the disk still holds some.
ok "$FLORIN" load "$URL" --rate 0 --requests 40000 --connections 4 --entities 50 --json
[ "$(json out.txt status.5xx)" -gt 0 ] || die "nothing was refused: the disk is not full"
equal "$(json out.txt broken)" 0
accepted=$(json out.txt status.2xx)
ask POST /v1/evaluations "$(body 1)"
wants 503
has headers.txt '^Retry-After: '
equal "$(json answer.json type)" urn:florin:problem:journal
ask GET /ready
wants 503
ask GET /health
wants 200
ask GET /metrics
has answer.json '^florin_journal_failing 1$'
rm disk/filler
for ((i = 0; i < 100; i++)); do
    ask POST /v1/evaluations "$(body 1)"
    [ "$STATUS" != 200 ] || break
    sleep .05
done
wants 200
ask GET /ready
wants 200
serve_stop
serve_start config.yaml
ask GET "/v1/evaluations/$first"
wants 200
ask POST /v1/evaluations "$(body 1)"
equal "$(json answer.json repeat)" true
serve_stop
done_testing
