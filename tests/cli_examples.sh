# The four public tables of examples/: draft.yaml is what `florin draft` writes today, schema.yaml changes at most three
# lines of it, and imports.
. "$FLORIN_SOURCE/tests/support/shell.sh"
example() { # NAME FILE EVENTS KIND ENTITIES
    need_data "$2"
    mkdir "$1"
    ln -s "$DATA" "$1/$2"
    cp "$FLORIN_SOURCE/examples/$1/schema.yaml" "$1/"
    (cd "$1" && "$FLORIN" draft "$2" --out draft.yaml >/dev/null)
    same "$1/draft.yaml" "$FLORIN_SOURCE/examples/$1/draft.yaml"
    local side changed=0 n
    for side in '<' '>'; do
        n=$(diff "$1/draft.yaml" "$1/schema.yaml" | grep -c "^$side" || true)
        [ "$n" -le "$changed" ] || changed=$n
    done
    [ "$changed" -le 3 ] || die "$1: $changed lines changed"
    ok "$FLORIN" import "$1/schema.yaml" --log "$1/log" --json
    equal "$1 $(json out.txt events) $(json out.txt rejected)" "$1 $3 0"
    equal "$(json out.txt "entities.$4")" "$5"
}
example cdnow cdnow.txt 69659 customer 23570
example tabformer tabformer_user0.csv 19963 card 5
example online_retail online_retail.csv 406829 customer 4372
need_data handbook_transactions.csv
mkdir handbook
ln -s "$DATA" handbook/handbook_transactions.csv
(cd handbook && "$FLORIN" draft handbook_transactions.csv --out draft.yaml >/dev/null)
same handbook/draft.yaml "$FLORIN_SOURCE/examples/handbook/draft.yaml"
same handbook/draft.yaml "$FLORIN_SOURCE/examples/handbook/schema.yaml"
head -100001 handbook/handbook_transactions.csv >handbook/part.csv # the first days are enough here
ok "$FLORIN" import handbook/draft.yaml --log handbook/log handbook/part.csv --json
equal "$(json out.txt events) $(json out.txt labels) $(json out.txt rejected)" "100000 100000 0"
done_testing
