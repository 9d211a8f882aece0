# florin policy: check and test of a policy file, with a model, with the model that the file names, and without any; refusals.
. "$FLORIN_SOURCE/tests/support/shell.sh"
ok "$FLORIN" simulate --events 30000 --cards 250 --seed 1 --out bank.log --quiet
ok "$FLORIN" fit bank.log --task "$FLORIN_SOURCE/examples/tasks/fraud.yaml" --out fraud.florin --quiet
cp "$FLORIN_SOURCE/examples/simulated/policy.yaml" shop.yaml

# --- check
ok "$FLORIN" policy check shop.yaml --model fraud.florin
has out.txt '^shop.yaml: simulated shop, version [0-9a-f]{12}$'
has out.txt 'thresholds: block from 85, review from 70; 1 with thresholds of their own'
# rules stand in the order in which they are asked, not in that of the file
[ "$(grep -nE 'Request 3DS if' out.txt | head -1 | cut -d: -f1)" -lt "$(grep -nE 'Block if' out.txt | head -1 | cut -d: -f1)" ] || die "3DS is not asked first"
ok "$FLORIN" policy check shop.yaml --model fraud.florin --json
cp out.txt check.json
equal "$(json check.json rules.0.action) $(json check.json lists.0.name) $(json check.json velocity.0)" "request_3ds stolen_cards card, declined"
equal "$(json check.json version | wc -c)" 65
# the version is of the content: a list file's bytes count too
ok "$FLORIN" policy check shop.yaml --model fraud.florin --json
same out.txt check.json
printf 'model: fraud.florin\nlists: {a: {of: card, file: cards.txt}}\nrules: |\n  Block if :card: in @a\n' >listed.yaml
printf '# stolen\nc1\nc2,2026-01-31\n' >cards.txt
ok "$FLORIN" policy check listed.yaml --json
first=$(json out.txt version)
equal "$(json out.txt lists.0.entries)" 2
echo c3 >>cards.txt
ok "$FLORIN" policy check listed.yaml --json
[ "$(json out.txt version)" != "$first" ] || die "another list, the same version"
echo 'c4,tomorrow' >>cards.txt
fails 3 'cards.txt:5: after the comma stands a moment' "$FLORIN" policy check listed.yaml
rm -f cards.txt
fails 6 'cards.txt' "$FLORIN" policy check listed.yaml
ok "$FLORIN" policy check shop.yaml --model fraud.florin --attributes
has out.txt '^risk_score +number'
has out.txt '^fraud.score +number'
has out.txt '^card +identifier'
has out.txt '^card.new_counterparty +yes or no'
lacks out.txt '^(declined|response_code) '

# --- test
ok "$FLORIN" policy test shop.yaml --model fraud.florin
has out.txt '^[0-9]+ tests, 0 failed$'
ok "$FLORIN" policy test shop.yaml
has out.txt '^[0-9]+ tests, 0 failed$'
sed 's/expect: block, rule: stolen/expect: allow/' shop.yaml >wrong.yaml
fails 10 '1 of [0-9]+ tests failed' "$FLORIN" policy test wrong.yaml
has out.txt 'FAILED wrong.yaml:[0-9]+ a stolen card: expected allow, got block by stolen'
code=0
"$FLORIN" policy test wrong.yaml --json >wrong.json 2>/dev/null || code=$?
equal "$code $(json wrong.json failed)" "10 1"

# --- refusals: file, line, column; the place; what is near
printf 'rules: |\n  Block if :risk_score: > 85 and :contry: != '"'DE'"'\n' >bad.yaml
code=0
"$FLORIN" policy check bad.yaml --model fraud.florin >out.txt 2>err.txt || code=$?
equal "$code" 3
has err.txt "bad.yaml:2:34: no attribute ':contry:': did you mean ':country:'\?"
has err.txt '^ +\^~~~~~~~$'
fails 2 'names no model' "$FLORIN" policy check bad.yaml
fails 2 "no action 'chek'" "$FLORIN" policy chek bad.yaml
fails 2 'check takes a policy file' "$FLORIN" policy check
fails 6 'no-such.yaml' "$FLORIN" policy check no-such.yaml
printf 'model: nowhere.florin\n' >bad.yaml
fails 6 'nowhere.florin' "$FLORIN" policy check bad.yaml
printf 'rules: |\n  Block if true\n' >bad.yaml
fails 3 'has no tests' "$FLORIN" policy test bad.yaml

# --- versions: added only when sound; one is on; back again; the audit says who
versions() { local what=$1; shift; ok "$FLORIN" policy "$what" "$@" --store p.db --who ann; }
fails 2 'needs --store' "$FLORIN" policy list
versions list
lacks out.txt '^\* '
fails 10 '1 of its [0-9]+ tests fail' "$FLORIN" policy add wrong.yaml --model fraud.florin --store p.db --who ann
fails 2 'say who' env -u USER "$FLORIN" policy add shop.yaml --model fraud.florin --store p.db
fails 3 'nothing|no policy was on' "$FLORIN" policy rollback --store p.db --who ann
versions add shop.yaml --model fraud.florin --note first --json
one=$(json out.txt version)
versions add shop.yaml --model fraud.florin # again: no second entry
printf 'c1\n' >cards.txt
sed -i 's/^lists:.*/lists: {a: {of: card, file: cards.txt}}/' listed.yaml
versions add listed.yaml --json
two=$(json out.txt version)
sed 's/block: 85/block: 80/; s/^  abroad: .*$/  tiny: Allow if :amount: < 1/; /name: abroad/d' shop.yaml >later.yaml
versions add later.yaml --model fraud.florin --json
three=$(json out.txt version)
versions activate "${one:0:8}"
versions activate "$two"
versions activate "$three" --note 'lower threshold'
versions list --json
equal "$(json out.txt active) $(json out.txt versions.#) $(json out.txt audit.#) $(json out.txt audit.0.note)" "$three 3 6 lower threshold"
versions rollback --json
equal "$(json out.txt version)" "$two"
versions rollback --json
equal "$(json out.txt version)" "$one"
fails 3 'no policy was on before' "$FLORIN" policy rollback --store p.db --who ann
versions activate "$three"
versions rollback --json
equal "$(json out.txt version)" "$one"
versions compare "$one" "$three"
has out.txt 'threshold of block: 85 -> 80'
has out.txt '^  - Review if :country: not in @home'
has out.txt '^  \+ Allow if :amount: < 1'
rm cards.txt # a version has its list files with it
versions compare "$two" "$one"
has out.txt 'other entries: @a'
equal "$(stat -c %a p.db)" 600
fails 3 'no version begins so' "$FLORIN" policy activate 0123456 --store p.db --who ann
fails 3 'at least its first 6' "$FLORIN" policy activate "${one:0:3}" --store p.db --who ann
head -c 5000 /dev/zero >zero.db
fails 4 'zero.db' "$FLORIN" policy list --store zero.db
echo 'no database at all, but long enough to be looked at' >text.db
code=0
"$FLORIN" policy list --store text.db 2>err.txt || code=$?
[ "$code" = 4 ] || die "a text is taken for a store: $code"
done_testing
