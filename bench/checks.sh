#!/usr/bin/env bash
# What must not happen: permuted labels are learnt (AUC and its interval away from .5), or something from the future is let in.
# The labels of Online Retail's churn are dealt out anew among the customers of a date, three times; each fit is judged as ever.
set -euo pipefail
bench=checks
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
csv=$("$root/scripts/data.sh" online_retail.csv) || {
    keep "permuted labels" null null AUC null null 0 "online_retail.csv is absent"
    printf '%s\n' "${lines[@]}"
    exit 0
}
sed -e "s#file: .*#file: \"$csv\"#" "$root/examples/online_retail/schema.yaml" >"$scratch/schema.yaml"
"$florin" import "$scratch/schema.yaml" --log "$scratch/log" --quiet >/dev/null
# task NAME SALT DAYS TO: churn in 90 days as a SELECT, known after DAYS, learnt until TO; SALT deals the labels out anew
task() {
    local order="customer" deal="customer"
    [ -z "$2" ] || deal="hash(customer || '$2' || day)" # another deal on every date: a fixed partner would be learnt
    cat >"$scratch/$1.yaml" <<Y
florin_task: 1
name: $1
moments: {entity: customer, every: 7d}
population: {active: {event: event, without: cancelled, within: 180d}}
label:
  sql: |
    WITH dates AS (
      SELECT unnest(generate_series(TIMESTAMP '2011-03-05', TIMESTAMP '$4', INTERVAL 7 DAY)) AS day
      UNION ALL SELECT TIMESTAMP '2011-09-10'),
    -- those known before the first date, so that a later customer moves nobody's label
    old AS (SELECT customer FROM events WHERE customer IS NOT NULL GROUP BY customer HAVING min(time) < TIMESTAMP '2011-03-05'),
    told AS (SELECT customer, day, NOT EXISTS (SELECT 1 FROM events e WHERE e.customer = old.customer AND e.time >= day
               AND e.time < day + INTERVAL 90 DAY AND NOT e.cancelled) AS churned FROM old, dates),
    seen AS (SELECT customer, day, churned, row_number() OVER (PARTITION BY day ORDER BY $order) AS place,
               row_number() OVER (PARTITION BY day ORDER BY $deal, customer) AS dealt FROM told)
    SELECT a.customer AS entity, a.day AS date, b.churned AS value, a.day + INTERVAL $3 DAY AS known_at
    FROM seen a JOIN seen b ON a.day = b.day AND a.place = b.dealt
train: {from: 2011-03-05, to: $4}
test: {at: 2011-09-10}
head: trees
cluster: customer
Y
}
# fit NAME SEED [OPTIONS]
fit() {
    "$florin" fit "$scratch/log" --task "$scratch/$1.yaml" --seed "$2" --draws 300 --quiet --out "$scratch/head" \
        --report "$scratch/$1.json" "${@:3}" >/dev/null
}
task true "" 90 2011-06-12
fit true 1
auc=$(number "$scratch/true.json" systems.0.metrics.auc.value)
keep "churn as a SELECT, its labels as they are" "$auc" null AUC .7 null "$auc"
aucs=()
for seed in 1 2 3; do
    task "dealt_$seed" "$seed" 90 2011-06-12
    fit "dealt_$seed" "$seed"
    at=$scratch/dealt_$seed.json
    aucs+=("$(number "$at" systems.0.metrics.auc.value)")
    low=$(number "$at" systems.0.metrics.auc.low) high=$(number "$at" systems.0.metrics.auc.high)
    keep "permuted labels, deal $seed: AUC, its interval [$(printf '%.3f, %.3f' "$low" "$high")] around .5" "${aucs[-1]}" .5 AUC null null 0 \
        "$(awk -v l="$low" -v h="$high" 'BEGIN {if (l > .5 || h < .5) print "not around .5"}')"
done
keep "permuted labels: mean AUC" "$(printf '%s\n' "${aucs[@]}" | mean)" .5 AUC null null 0

# refused CASE CODE COMMAND...
refused() {
    local case=$1 want=$2 got=0
    shift 2
    "$@" >"$scratch/said" 2>&1 || got=$?
    tail -1 "$scratch/said"
    keep "refused: $case (exit code $want)" "$got" null code null null 0 "$([ "$got" = "$want" ] || echo "not refused")"
}
task early "" 7 2011-08-20
refused "a label dated before what it rests on" 8 fit early 1
"$florin" pretrain "$scratch/log" --steps 4 --quiet --out "$scratch/late.florin" >/dev/null
refused "a model that has seen events of the test" 8 "$florin" fit "$scratch/log" --task "$scratch/true.yaml" --model "$scratch/late.florin" \
    --quiet --out "$scratch/head"
printf '%s\n' "${lines[@]}"
