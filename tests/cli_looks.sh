# bench/look.sh writes a look at the test down once per hash, and never on validation data.
. "$FLORIN_SOURCE/tests/support/shell.sh"
export FLORIN_LOOKS=$SCRATCH/looks.md
unset VALID
cp "$FLORIN_SOURCE/docs/test-looks.md" looks.md
before=$(wc -l <looks.md)
ok "$FLORIN_SOURCE/bench/look.sh" handbook 00000000deadbeef "B mean AP .751" "A .76"
has out.txt 'a new look'
equal "$(wc -l <looks.md)" $((before + 1))
has looks.md '\| handbook \| `00000000deadbeef` \| .*B mean AP \.751 A \.76 \|$'
ok "$FLORIN_SOURCE/bench/look.sh" handbook 00000000deadbeef "B mean AP .751"
equal "$(wc -l <looks.md)" $((before + 1))
ok env VALID=1 "$FLORIN_SOURCE/bench/look.sh" handbook 00000000deadbee0 "B mean AP .9"
equal "$(wc -l <looks.md)" $((before + 1))
ok "$FLORIN_SOURCE/bench/look.sh" behaviour 00000000deadbeef "churn | .74"
equal "$(wc -l <looks.md)" $((before + 2))
fails 2 'no name or hash' "$FLORIN_SOURCE/bench/look.sh" handbook 'x | y' figures
fails 2 'usage' "$FLORIN_SOURCE/bench/look.sh" handbook
done_testing
