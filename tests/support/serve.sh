# What the tests of the server share, after shell.sh.
#   serve_model               a small world and a model with a head: fraud.florin, tables/
#   serve_start CONFIG [LOG]  starts the server, waits until it listens; sets $URL, $SERVER (its process)
#   serve_stop                SIGTERM, waits; fails when it does not end well
#   ask METHOD PATH [BODY] [CURL OPTIONS ...]   status in $STATUS, body in answer.json, headers in headers.txt
command -v curl >/dev/null || skip "curl is missing"
SERVER=
CLEAN+=('[ -z "$SERVER" ] || kill -9 "$SERVER" 2>/dev/null')
serve_model() {
    ok "$FLORIN" simulate --events 5000 --days 60 --cards 60 --seed 5 --out log --csv tables --quiet
    ok "$FLORIN" pretrain log --out net.florin --until 2025-01-15 --hidden 16 --width 16 --steps 12 --quiet
    cat >fraud.yaml <<'Y'
florin_task: 1
name: fraud
moments: {event: payment}
label: fraud
train: {from: 2025-01-15, to: 2025-02-10}
test: {from: 2025-02-10, to: 2025-03-02}
head: trees
Y
    ok "$FLORIN" fit log --task fraud.yaml --model net.florin --out fraud.florin --rounds 10 --draws 20 --quiet
}
serve_start() {
    local log=${2:-serve.log} i
    : >"$log"
    "$FLORIN" serve "$1" >serve.out 2>"$log" &
    SERVER=$!
    for ((i = 0; i < 600; i++)); do
        PORT=$(sed -n 's/.*"message":"listening","port":\([0-9]*\).*/\1/p' "$log")
        [ -z "$PORT" ] || break
        kill -0 "$SERVER" 2>/dev/null || { cat "$log"; die "the server ended"; }
        sleep .05
    done
    [ -n "$PORT" ] || die "the server does not listen"
    URL=http://127.0.0.1:$PORT
    CHECKS=$((CHECKS + 1))
}
serve_stop() {
    local code=0
    kill -TERM "$SERVER"
    wait "$SERVER" || code=$?
    SERVER=
    [ "$code" = 0 ] || { tail -5 serve.log; die "the server ended with $code"; }
    CHECKS=$((CHECKS + 1))
}
ask() {
    local method=$1 path=$2 body=()
    shift 2
    if [ $# -gt 0 ] && [ "${1:0:1}" != - ]; then body=(-H 'Content-Type: application/json' --data-binary "$1"); fi
    [ $# = 0 ] || [ "${1:0:1}" = - ] || shift
    STATUS=$(curl -s -X "$method" -D headers.txt -o answer.json -w '%{http_code}' "${body[@]}" "$@" "$URL$path") || true
    CHECKS=$((CHECKS + 1))
}
# wants STATUS: of the last answer
wants() { [ "$STATUS" = "$1" ] || { head -c 2000 answer.json; die "status $STATUS, not $1"; }; CHECKS=$((CHECKS + 1)); }
