# docs/api.md, "From curl to a decision in five minutes", run as it is written there, but for the port and the sizes.
. "$FLORIN_SOURCE/tests/support/shell.sh"
command -v curl >/dev/null || skip "curl is missing"
PATH=$(dirname "$FLORIN"):$PATH
port=
for ((i = 0; i < 50; i++)); do
    port=$((20000 + RANDOM % 20000))
    (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
done
section=$(sed -n '/^## From curl/,/^## A payment/p' "$FLORIN_SOURCE/docs/api.md")
awk '/^```sh/ {on = 1; next} /^```/ {on = 0} on' <<<"$section" >walk.sh
equal "$(grep -c '^curl ' walk.sh)" 7
equal "$(grep -c '^florin ' walk.sh)" 6
sed -i "s/:8080/:$port/; s/--events 60000/--events 20000/; s/--hidden 64 --width 32/--hidden 16 --width 16/; /^florin fit/s/\$/ --draws 20 --rounds 20/
s/^florin serve florin.yaml/sed -i 's|^port:.*|port: $port|' florin.yaml; florin serve florin.yaml/" walk.sh
# A server that is left over by a failure is ended with this test.
{ echo 'set -m; trap "kill %1 2>/dev/null || true" EXIT'; cat walk.sh; echo 'wait %1'; } >run.sh
ok bash -euo pipefail run.sh
has out.txt '"default_type":"payment"'
has decision.json '"id":"dec_[a-z0-9]+","payment":"order-1"'
has decision.json '"score":[0-9]+,"probability":[0-9.]+,"level":"(normal|elevated|highest)","action":"(allow|review|block|request_3ds)"'
has out.txt '"repeat":false,"counted":true'
has out.txt '^florin_decisions_total\{model="[0-9a-f]{16}",action="allow"\} [0-9]+'
has out.txt '[0-9]+ sent, [0-9]+ answered'
lacks out.txt 'urn:florin:problem'
has serve.log '"message":"stopped"'
no_nan decision.json
# Every path and setting that the page names is there.
"$FLORIN" serve --print-config >config.txt
for word in unknown_fields sync body_bytes keys certificate drain_s pending_max event; do has config.txt "^ *$word:"; done
done_testing
