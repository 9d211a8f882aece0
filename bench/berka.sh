#!/usr/bin/env bash
# Berka's loans (docs/data.md): 328, of which 46 go bad, in five shuffles of five stratified folds. Three answers: boosted trees on the
# fold (the task as it stands), a logistic probe on the fold, and a hand-made table with logistic regression (berka_loans.py).
# Too few loans to rank: reported, nothing is required. Folds know no time; every input is older than its loan.
set -euo pipefail
bench=berka
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
shuffles="0 1 2 3 4"

if [ -n "$valid" ]; then
    echo "every loan is judged: there is no part to choose on, and nothing was chosen"
    line "Berka loan goes bad, AUC" null null AUC null null null "no validation part"
    exit 0
fi
if ! db=$("$root/scripts/data.sh" berka_dev.sqlite); then
    keep "Berka loan goes bad, AUC" null null AUC null null 0 "berka_dev.sqlite is absent"
    printf '%s\n' "${lines[@]}"
    exit 0
fi
sed "s#file: .*#file: \"$db\"#" "$root/examples/berka/bank.yaml" >"$scratch/bank.yaml"
"$florin" import "$scratch/bank.yaml" --log "$scratch/log" --quiet >/dev/null
# fit HEAD SHUFFLE
fit() {
    sed "s/^inputs: .*/inputs: fold\nhead: $1/" "$root/examples/tasks/berka_loan_goes_bad.yaml" >"$scratch/task.yaml"
    "$florin" fit "$scratch/log" --task "$scratch/task.yaml" --seed "$2" --draws 200 --quiet --out "$scratch/head" \
        --report "$scratch/$1_$2.json" --scores "$scratch/$1_$2.csv" >/dev/null
}
for k in $shuffles; do
    python3 "$root/examples/tasks/berka_folds.py" "$db" loan "$k" >"$scratch/berka_loan_folds.csv"
    python3 "$root/bench/berka_loans.py" "$db" "$scratch/berka_loan_folds.csv" >"$scratch/table_$k.csv"
    for head in trees probe; do
        fit "$head" "$k"
        "$paired" "$scratch/${head}_$k.csv" score "$scratch/table_$k.csv" score 500 >"$scratch/$head.$k.paired"
    done
done
# average HEAD PATH: over the shuffles
average() { for k in $shuffles; do number "$scratch/$1.$k.paired" "$2"; done | mean; }
for head in trees probe; do
    printf '%s on the fold: AUC %.4f, AP %.4f; hand-made table and logistic regression: AUC %.4f, AP %.4f; AUC, paired: %+.4f [%+.4f, %+.4f] (mean of the shuffles'"'"' intervals)\n' \
        "$head" "$(average $head auc.ours)" "$(average $head ap.ours)" "$(average $head auc.peer)" "$(average $head ap.peer)" \
        "$(average $head auc.difference)" "$(average $head auc.low)" "$(average $head auc.high)"
    keep "Berka loan goes bad, $head on the fold, AUC" "$(average $head auc.ours)" "$(average $head auc.peer)" AUC null null 0
    keep "Berka loan goes bad, $head on the fold, AP" "$(average $head ap.ours)" "$(average $head ap.peer)" AP null null 0
done
look "Berka loans, 5 x 5 folds: trees on the fold AUC $(average trees auc.ours) AP $(average trees ap.ours); probe $(average probe auc.ours) $(average probe ap.ours); table and logistic regression $(average trees auc.peer) $(average trees ap.peer)" \
    "$scratch"/trees_*.csv "$scratch"/probe_*.csv
printf '%s\n' "${lines[@]}"
