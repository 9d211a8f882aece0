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
table berka berka_dev.sqlite 49102
# The same file by another of its tables, and both tables under one schema.
if [ -e berka.yaml ]; then
    path=$("$FLORIN_SOURCE/scripts/data.sh" berka_dev.sqlite)
    ok "$FLORIN" draft "$path" --table loan --out loan.yaml
    ok "$FLORIN" import loan.yaml --log loans --json
    equal "$(json out.txt events) $(json out.txt entities.account)" "328 328"
    fails 3 "no table 'loans'.* did you mean 'loan'" "$FLORIN" draft "$path" --table loans
    sed "s#file: .*#file: \"$path\"#" "$FLORIN_SOURCE/examples/berka/bank.yaml" >bank.yaml
    ok "$FLORIN" import bank.yaml --log bank --json
    equal "$(json out.txt events) $(json out.txt labels) $(json out.txt rejected)" "49430 328 0"
fi
# AMLSim's accounts beside their transfers: what told when an account's owner was caught is not in the log.
if transfers=$("$FLORIN_SOURCE/scripts/data.sh" amlsim_transactions.csv 2>/dev/null) && accounts=$("$FLORIN_SOURCE/scripts/data.sh" amlsim_nodes.csv 2>/dev/null); then
    ok "$FLORIN" import "$FLORIN_SOURCE/examples/amlsim/accounts.yaml" --log accounts transfer="$transfers" account="$accounts" --json
    equal "$(json out.txt events) $(json out.txt rejected)" "140558 0"
    ok "$FLORIN" describe accounts
    has out.txt 'laundering'
    lacks out.txt '[fF]raudStep'
    python3 "$FLORIN_SOURCE/examples/tasks/amlsim_folds.py" "$accounts" >amlsim_folds.csv
    equal "$(sha256sum amlsim_folds.csv | cut -c1-16)" 697f849c850111e6 # as scikit-learn makes them
fi
# Lines with what the products' own table says of them.
if products=$("$FLORIN_SOURCE/scripts/data.sh" completejourney_products.csv 2>/dev/null) && [ -e completejourney.yaml ]; then
    mkdir journey
    ln -s "$products" "$("$FLORIN_SOURCE/scripts/data.sh" completejourney_transactions_sample.csv)" journey/
    cp "$FLORIN_SOURCE/examples/completejourney/products.yaml" journey/
    ok "$FLORIN" import journey/products.yaml --log products --json
    equal "$(json out.txt events) $(json out.txt rejected)" "75000 0"
    has err.txt "222 of 75000 rows have no 'product_id'"
    ok "$FLORIN" describe products --json
    equal "$(json out.txt categories.1.name) $(json out.txt categories.1.missing)" "product_category 0"
fi
[ "$checked" -gt 0 ] || skip "none of the tables is there"
done_testing
