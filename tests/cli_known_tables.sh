# Well-known public tables: what draft guesses is what lies in examples/, at most three lines of it are changed in the final
# schema, and that imports. Skipped aloud where the data is not there (docs/data.md).
. "$FLORIN_SOURCE/tests/support/shell.sh"
checked=0
# table EXAMPLE FILE EVENTS
table() {
    local path dir=$FLORIN_SOURCE/examples/$1 changed
    path=$("$FLORIN_SOURCE/scripts/data.sh" "$2" 2>/dev/null) || { echo "$2 is not there"; return 0; }
    ok "$FLORIN" draft "$path" --out "$1.draft"
    sed -i "s#file: \".*/#file: \"#" "$1.draft"
    same "$1.draft" "$dir/draft.yaml"
    changed=$(diff "$dir/draft.yaml" "$dir/schema.yaml" | grep -c '^>' || true)
    [ "$changed" -le 3 ] || die "$1: $changed changed lines"
    sed "s#file: .*#file: \"$path\"#" "$dir/schema.yaml" >"$1.yaml"
    ok "$FLORIN" import "$1.yaml" --log "$1" --json
    equal "$(json out.txt events)" "$3"
    checked=$((checked + 1))
}
table uci_credit uci_credit_default.csv 30000
table completejourney completejourney_transactions_sample.csv 75000
table amlsim amlsim_transactions.csv 120558
[ "$checked" -gt 0 ] || skip "none of the tables is there"
done_testing
