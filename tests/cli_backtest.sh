# florin backtest: counts and money against the same counted by awk from scores and tables; stored columns; refusals.
. "$FLORIN_SOURCE/tests/support/shell.sh"
ok "$FLORIN" simulate --events 40000 --cards 300 --seed 1 --out bank.log --csv bank --quiet
ok "$FLORIN" fit bank.log --task "$FLORIN_SOURCE/examples/tasks/fraud.yaml" --out fraud.florin --quiet
ok "$FLORIN" score bank.log --model fraud.florin --out scores.csv --quiet

# --- one rule, counted another way: payments of 50 and more with a score above 60, from a day on
ok "$FLORIN" backtest bank.log --model fraud.florin --rule 'Block if :risk_score: > 60 and :amount: >= 50' --from 2025-04-01 --json --quiet
cp out.txt rule.json
score=$(head -1 scores.csv | tr , '\n' | grep -n '^fraud_score$' | cut -d: -f1)
column() { head -1 "bank/$1" | tr , '\n' | grep -n "^$2\$" | cut -d: -f1; }
awk -F, -v score="$score" -v id="$(column payments.csv payment_id)" -v time="$(column payments.csv time)" -v amount="$(column payments.csv amount)" \
    -v of="$(column disputes.csv payment_id)" -v when="$(column disputes.csv time)" -v fraud="$(column disputes.csv fraud)" '
    FNR == 1 {file++; next}
    file == 1 {if ($when >= last[$of]) {last[$of] = $when; bad[$of] = $fraud == "true" || $fraud == 1}}
    file == 2 {s[$1] = $score}
    file == 3 && $time >= "2025-04-01" {
        all++
        disputed += ($id in bad) && bad[$id]
        if (s[$id] > 60 && $amount >= 50) {
            n++
            if (!($id in bad)) unknown++
            else if (bad[$id]) {d++; caught += $amount}
            else {g++; lost += $amount}
        }
    }
    END {printf "%d %d %d %d %d %d %.2f %.2f\n", all, disputed, n, d, g, unknown, caught, lost}' \
    bank/disputes.csv scores.csv bank/payments.csv >want.txt
m=items.0.matched
equal "$(json rule.json all.events) $(json rule.json all.disputed) $(json rule.json $m.events) $(json rule.json $m.disputed) $(json rule.json $m.good) $(json rule.json $m.unknown) $(printf '%.2f %.2f' "$(json rule.json $m.amount_disputed)" "$(json rule.json $m.amount_good)")" "$(cat want.txt)"
[ "$(json rule.json $m.disputed)" -gt 0 ] || die "the rule catches nobody"
equal "$(json rule.json items.0.decided.events) $(json rule.json actions.block.events)" "$(json rule.json $m.events) $(json rule.json $m.events)"

# --- the second time nothing is computed; threads change nothing
equal "$(json rule.json columns_made)" 1
ok "$FLORIN" backtest bank.log --model fraud.florin --rule 'Block if :risk_score: > 60 and :amount: >= 50' --from 2025-04-01 --json --quiet --threads 1
equal "$(json out.txt columns_made)" 0
sed 's/"columns_made":[0-9]*//; s/"seconds":[0-9.e-]*//' out.txt >again.txt
sed 's/"columns_made":[0-9]*//; s/"seconds":[0-9.e-]*//' rule.json >first.txt
same again.txt first.txt
rm -r bank.log.columns
ok "$FLORIN" backtest bank.log --model fraud.florin --rule 'Review if :risk_score: > 60' --columns elsewhere --quiet
[ ! -e bank.log.columns ] && [ -d elsewhere ] || die "columns are not where they were asked for"

# --- what has no label and is old enough is good
ok "$FLORIN" backtest bank.log --model fraud.florin --rule 'Review if true' --matured 30d --json --quiet
[ "$(json out.txt all.good)" -gt 20000 ] || die "nothing has matured"
equal "$(($(json out.txt all.good) + $(json out.txt all.unknown) + $(json out.txt all.disputed)))" "$(json out.txt all.events)"

# --- a whole policy
ok "$FLORIN" backtest bank.log --policy "$FLORIN_SOURCE/examples/simulated/policy.yaml" --model fraud.florin
has out.txt 'threshold of review'
has out.txt 'decides [0-9]+; nothing else matches [0-9]+; shared with'
has out.txt 'read metadata find none'
ok "$FLORIN" backtest bank.log --policy "$FLORIN_SOURCE/examples/simulated/policy.yaml" --model fraud.florin --rule 'Block if :amount: > 1000' --json
no_nan out.txt
equal "$(json out.txt items.6.rule)" 'Block if :amount: > 1000'
total=0
for action in block review request_3ds allow; do total=$((total + $(json out.txt actions.$action.events))); done
equal "$total" "$(json out.txt all.events)"

# --- refusals
fails 2 'needs a policy or a rule' "$FLORIN" backtest bank.log --model fraud.florin
fails 2 'names no model' "$FLORIN" backtest bank.log --rule 'Block if true'
fails 3 'velocity.*a log does not say what was decided' "$FLORIN" backtest bank.log --model fraud.florin --rule 'Block if velocity(card, 1h, blocked) > 2'
fails 3 "no label 'fraudd': did you mean 'fraud'" "$FLORIN" backtest bank.log --model fraud.florin --rule 'Block if true' --label fraudd
fails 2 'is no moment' "$FLORIN" backtest bank.log --model fraud.florin --rule 'Block if true' --from yesterday
fails 2 'is no span' "$FLORIN" backtest bank.log --model fraud.florin --rule 'Block if true' --matured soon
code=0
"$FLORIN" backtest bank.log --model fraud.florin --rule 'Block if :risk_scor: > 1' >out.txt 2>err.txt || code=$?
equal "$code" 3
has err.txt "rule:1:10: no attribute ':risk_scor:': did you mean ':risk_score:'"
done_testing
