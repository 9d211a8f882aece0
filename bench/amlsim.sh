#!/usr/bin/env bash
# Which AMLSim accounts launder (docs/data.md): examples/tasks/amlsim_fraud_node.yaml, five folds, three seeds of the trees, inputs
# from the task's SELECT. Peer: boosted trees on own and neighbours' aggregates, per-row scores in FLORIN_BASELINES; paired
# bootstrap over accounts. VALID=1 uses four of the five folds, by which the SELECT was chosen: the accounts of fold 0 were
# never looked at, and their figure is printed by itself.
set -euo pipefail
bench=amlsim
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
task=$root/examples/tasks/amlsim_fraud_node.yaml
# fit NAME TASK.yaml SEED
fit() {
    "$florin" fit "$scratch/log" --task "$2" --seed "$3" --draws 500 --quiet --out "$scratch/none" \
        --report "$scratch/$1_$3.json" --scores "$scratch/$1_$3.csv" >/dev/null
}
# difference OURS.csv PEER.csv NAME WORDS: of average precision, to $scratch/NAME.paired, and said
difference() {
    "$paired" "$1" score "$2" gbdt_neighbours 500 >"$scratch/$3.paired"
    printf '%s: AP %.4f, peer %.4f, paired %+.4f [%+.4f, %+.4f]\n' "$4" $(for k in ours peer difference low high; do number "$scratch/$3.paired" ap.$k; done)
}
if ! transfers=$("$root/scripts/data.sh" amlsim_transactions.csv) || ! accounts=$("$root/scripts/data.sh" amlsim_nodes.csv); then
    keep "AMLSim node AP" null null AP .79 .85 0 "amlsim_transactions.csv or amlsim_nodes.csv is absent"
    printf '%s\n' "${lines[@]}"
    exit 0
fi
"$florin" import "$root/examples/amlsim/accounts.yaml" --log "$scratch/log" "transfer=$transfers" "account=$accounts" --quiet >/dev/null
python3 "$root/examples/tasks/amlsim_folds.py" "$accounts" >"$scratch/amlsim_folds.csv"
[ -z "$valid" ] || sed -i '/,0$/d' "$scratch/amlsim_folds.csv"
cp "$task" "$scratch/task.yaml"
sed -e '/^features:/,$d' -e 's/^baseline:.*/baseline: prior/' "$task" >"$scratch/fold.yaml"
for seed in 0 1 2; do
    fit node "$scratch/task.yaml" "$seed"
    printf 'seed %s: AP %.4f [%.4f, %.4f], AUC %.4f\n' "$seed" \
        $(for k in ap.value ap.low ap.high auc.value; do number "$scratch/node_$seed.json" "systems.0.metrics.$k"; done)
done
fit fold "$scratch/fold.yaml" 0
printf 'without the SELECT, trees on the fold alone: AP %.4f\n' "$(number "$scratch/fold_0.json" systems.0.metrics.ap.value)"
ap=$(over_seeds node systems.0.metrics.ap.value)
if [ -n "$valid" ]; then
    keep "AMLSim node AP, four folds" "$ap" null AP null null 0
elif ! peer=$(baseline amlsim_node); then
    keep "AMLSim node AP" "$ap" .799 AP .79 .85 "$ap"
    keep "AMLSim node AP - peer, paired, lower end" null null AP -.01 null 0 "per-row scores of the peer are absent"
else
    difference "$scratch/node_0.csv" "$peer" all "all accounts"
    # The accounts that no choice saw, in both files.
    awk -F, 'NR == FNR { if ($2 == 0) in0[$1] = 1; next } FNR == 1 || $1 in in0' "$scratch/amlsim_folds.csv" "$scratch/node_0.csv" >"$scratch/ours_0.csv"
    awk -F, 'NR == FNR { if ($2 == 0) in0[$1] = 1; next } FNR == 1 || $1 in in0' "$scratch/amlsim_folds.csv" "$peer" >"$scratch/peer_0.csv"
    difference "$scratch/ours_0.csv" "$scratch/peer_0.csv" fold_0 "fold 0, unseen by any choice"
    keep "AMLSim node AP" "$ap" "$(number "$scratch/all.paired" ap.peer)" AP .79 .85 "$ap"
    low=$(number "$scratch/all.paired" ap.low)
    keep "AMLSim node AP - peer, paired, lower end" "$low" null AP -.01 null "$low"
    keep "AMLSim node AP, the fold that no choice saw" "$(number "$scratch/fold_0.paired" ap.ours)" \
        "$(number "$scratch/fold_0.paired" ap.peer)" AP null null 0
    look "AMLSim node AP $ap" "$task" "$root/examples/tasks/amlsim_folds.py"
fi
calibrated "AMLSim node:" node
printf '%s\n' "${lines[@]}"
