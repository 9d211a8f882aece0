# The program's frame: help, version, unknown words, exit codes.
. "$FLORIN_SOURCE/tests/support/shell.sh"
ok "$FLORIN" --help
has out.txt '^Commands:'
has out.txt '^  +6  io'
ok "$FLORIN" --version
has out.txt '^florin [0-9]+\.[0-9]+\.[0-9]+$'
fails 2 "unknown command 'dcotor'" "$FLORIN" dcotor
fails 2 'options come after the command' "$FLORIN" --json
code=0
"$FLORIN" >out.txt 2>err.txt || code=$?
equal $code 2
has err.txt '^Usage:'
code=0
"$FLORIN" --help >/dev/full 2>err.txt || code=$?
equal $code 6
has err.txt "can't write"
# Every command has help with an example, refuses what it does not know, and suggests the nearest word.
for name in $("$FLORIN" --help | awk '/^Commands:/ {on = 1; next} /^$/ {on = 0} on {print $1}'); do
    ok "$FLORIN" "$name" --help
    has out.txt "^Usage: florin $name"
    has out.txt '^Example:'
    mv out.txt help.txt
    ok "$FLORIN" help "$name"
    same out.txt help.txt
    fails 2 "unknown option '--jsn': did you mean '--json'" "$FLORIN" "$name" --jsn
    fails 2 'threads needs a whole number' "$FLORIN" "$name" --threads many
    fails 2 'threads needs 1 to|argument is missing' "$FLORIN" "$name" --threads 1000
    fails 2 'memory needs a size' "$FLORIN" "$name" --memory lots
    fails 2 'needs a value' "$FLORIN" "$name" --memory
    fails 2 'takes no value' "$FLORIN" "$name" --json=yes
done
done_testing
