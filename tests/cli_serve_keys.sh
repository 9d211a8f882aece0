# Keys and roles, rates, reload, TLS, a queue that is full, clients that stop half-way, a drain under load that loses nothing.
. "$FLORIN_SOURCE/tests/support/shell.sh"
. "$FLORIN_SOURCE/tests/support/serve.sh"
serve_model
new_key() { "$FLORIN" serve --new-key "$1" --role "$2" 2>key.txt >>keys.txt && sed 's/.*: //' key.txt; }
score=$(new_key checkout score)
feedback=$(new_key disputes feedback)
analyst=$(new_key desk analyst)
admin=$(new_key root score,admin)
equal "$(wc -l <keys.txt)" 4
lacks keys.txt "$score"
[[ $score == fk_* ]] || die "key $score"
fails 2 'role' "$FLORIN" serve --new-key x --role boss
{ cat keys.txt; echo 'x score 12'; } >bad.txt
printf 'model: fraud.florin\njournal: j\nkeys: bad.txt\n' >bad.yaml
fails 3 'bad.txt:5:.*SHA-256' "$FLORIN" serve bad.yaml
cat >config.yaml <<'Y'
model: fraud.florin
journal: journal
port: 0
keys: keys.txt
log: debug
Y
serve_start config.yaml
body='{"payment": {"amount": 5}, "card": "c"}'
ask POST /v1/evaluations "$body"
wants 401
has headers.txt '^WWW-Authenticate: Bearer'
ask POST /v1/evaluations "$body" -H "Authorization: Bearer ${score}x"
wants 401
ask POST /v1/evaluations "$body" -H "Authorization: Bearer $score"
wants 200
id=$(json answer.json id)
ask POST /v1/evaluations "$body" -H "X-Api-Key: $score"
wants 200
ask POST /v1/evaluations "$body" -H "Authorization: Bearer $feedback"
wants 403
event='{"type": "label", "label": "fraud", "value": false}'
ask POST "/v1/evaluations/$id/events" "$event" -H "Authorization: Bearer $score"
wants 403
ask POST "/v1/evaluations/$id/events" "$event" -H "Authorization: Bearer $feedback"
wants 201
ask GET /metrics -H "Authorization: Bearer $score"
wants 403
for key in $analyst $admin; do
    ask GET /metrics -H "Authorization: Bearer $key"
    wants 200
done
for open in /health /ready /openapi.json /v2/health/live; do
    ask GET $open
    wants 200
done

# --- another file of keys without a restart: one with a rate, one gone; a wrong file changes nothing
sed -i '/^disputes/d; /^checkout/s/$/ 3/' keys.txt
kill -HUP "$SERVER"
for ((i = 0; i < 100; i++)); do grep -q '"message":"reloaded"' serve.log && break; sleep .05; done
ask POST "/v1/evaluations/$id/events" "$event" -H "Authorization: Bearer $feedback"
wants 401
limited=0
for ((i = 0; i < 12; i++)); do
    ask POST /v1/evaluations "$body" -H "Authorization: Bearer $score"
    if [ "$STATUS" = 429 ]; then
        limited=1
        has headers.txt '^Retry-After: [0-9]+'
    else wants 200; fi
done
equal $limited 1
echo 'nonsense' >>keys.txt
kill -HUP "$SERVER"
for ((i = 0; i < 100; i++)); do grep -q 'not reloaded' serve.log && break; sleep .05; done
has serve.log 'not reloaded.*keys.txt:4'
ask GET /metrics -H "Authorization: Bearer $admin"
wants 200
lacks serve.log "$score|$admin"
serve_stop

# --- without keys from here on; a queue of two: what does not fit is refused at once, and counted, and nothing is broken
sed -i '/^keys/d; /^log/d' config.yaml
printf 'limits:\n  queue: 2\n  batch: 2\n' >>config.yaml
serve_start config.yaml
ok "$FLORIN" load "$URL" --rate 0 --requests 3000 --connections 64 --entities 50 --json
refused=$(json out.txt status.5xx)
[ "$refused" -gt 0 ] || die "nothing was refused"
[ "$(json out.txt status.2xx)" -gt 0 ] || die "nothing was accepted"
equal "$(json out.txt broken)" 0
ask GET /metrics
has answer.json "^florin_queue_full_total $refused\$"
# Clients that stop half-way are in nobody's way.
exec 7<>"/dev/tcp/127.0.0.1/$PORT" 8<>"/dev/tcp/127.0.0.1/$PORT"
printf 'POST /v1/evaluations HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"pay' >&7
printf 'POST /v1/eval' >&8
ask POST /v1/evaluations "$body"
wants 200
exec 7>&- 8>&-

# --- drained under load: what was decided was answered
before=$(curl -s "$URL/metrics" | awk '/^florin_batched_payments_total/ {print $2}')
"$FLORIN" load "$URL" --rate 0 --seconds 20 --connections 16 --entities 50 --json >drain.json 2>drain.txt &
loader=$!
for ((i = 0; i < 200; i++)); do
    now=$(curl -s "$URL/metrics" | awk '/^florin_batched_payments_total/ {print $2}')
    [ "$now" -lt $((before + 500)) ] || break
    sleep .02
done
serve_stop
kill -INT $loader 2>/dev/null || true
wait $loader || true
decided=$(sed -n 's/.*"message":"stopped","decisions":\([0-9]*\).*/\1/p' serve.log)
equal "$(json drain.json status.2xx)" $((decided - before))

# --- TLS
if command -v openssl >/dev/null; then
    ok openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost
    printf 'model: fraud.florin\njournal: journal\nport: 0\ntls:\n  certificate: cert.pem\n  key: key.pem\n' >tls.yaml
    serve_start tls.yaml
    URL=https://localhost:$PORT
    ask POST /v1/evaluations "$body" --cacert cert.pem
    wants 200
    ask GET /health
    equal "$STATUS" 000
    serve_stop
    printf 'model: fraud.florin\njournal: journal\nport: 0\ntls:\n  certificate: cert.pem\n  key: cert.pem\n' >tls.yaml
    fails 6 'certificate and key' "$FLORIN" serve tls.yaml
else
    echo "openssl is missing: TLS was not tried"
fi
done_testing
