# The server against its own OpenAPI document: hostile requests made from it, and schemathesis where that is installed.
. "$FLORIN_SOURCE/tests/support/shell.sh"
# What is freed must count as free: the address sanitizer keeps 256 MiB of it aside otherwise.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=4"
. "$FLORIN_SOURCE/tests/support/serve.sh"
serve_model
# Small tables, so that memory that grows would be a leak, and not a table that is first touched.
printf 'model: fraud.florin\njournal: journal\nport: 0\nentities_max: 1000\npairs_max: 1000\npending_max: 1000\n' >config.yaml
serve_start config.yaml
ask GET /openapi.json
wants 200
cp answer.json openapi.json
equal "$(json openapi.json openapi)" 3.1.0
before=$(awk '/^VmRSS/ {print $2}' "/proc/$SERVER/status")
for seed in 1 2; do
    ok "$TOOLS/hostile" "$PORT" openapi.json $seed 1500 card,merchant,category,country,declined
    has out.txt '^1500 asked: 2xx [1-9][0-9]*, 4xx [1-9][0-9]*, 5xx 0$'
done
# --- heads by the Open Inference Protocol
ask GET /v2/models/fraud
wants 200
equal "$(json answer.json inputs.0.name)" amount
ask POST /v2/models/fraud/infer '{"id": "7", "inputs": [{"name": "card", "shape": [2], "datatype": "BYTES", "data": ["a", "b"]},
 {"name": "amount", "shape": [2], "datatype": "INT64", "data": [100, 5000]}], "outputs": [{"name": "score"}]}'
wants 200
equal "$(json answer.json outputs.0.shape.0)" 2
equal "$(json answer.json 'outputs.0.data.#')" 2
equal "$(json answer.json id)" 7
ask POST /v2/models/fraud/infer '{"inputs": [{"name": "amount", "data": [1, 2]}, {"name": "card", "data": ["a"]}]}'
wants 422
has answer.json 'fewer rows'
ask POST /v2/models/none/infer '{"inputs": [{"name": "amount", "data": [1]}]}'
wants 404

# Still there, bounded, and clean: nothing that was sent is in the log.
ask GET /health
wants 200
after=$(awk '/^VmRSS/ {print $2}' "/proc/$SERVER/status")
[ $((after - before)) -lt 65536 ] || die "resident memory grew from $before to $after KiB"
lacks serve.log 'DROP TABLE|script|passwd'
# Public tools, where they are installed: a generator of requests, a client of the Open Inference Protocol.
if command -v schemathesis >/dev/null; then
    ok schemathesis run openapi.json --url "$URL" --max-examples 30 --seed 1 --no-color \
        --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance
else
    echo "schemathesis is not installed (pip install schemathesis): its run was left out"
fi
if python3 -c 'import tritonclient.http' 2>/dev/null; then
    ok python3 "$FLORIN_SOURCE/tests/support/triton.py" "127.0.0.1:$PORT" fraud
else
    echo "tritonclient is not installed (pip install 'tritonclient[http]'): its run was left out"
fi
serve_stop
done_testing
