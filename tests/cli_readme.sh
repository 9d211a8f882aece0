# The walk of README.md, from a CSV of one's own to scores, run as it is written there (the network apart, which is small).
. "$FLORIN_SOURCE/tests/support/shell.sh"
PATH=$(dirname "$FLORIN"):$PATH
awk 'BEGIN {
    srand(7)
    print "transaction_id,booked_at,card_number_hash,merchant,mcc_group,amount_eur,chargeback"
    split("food fuel web travel", group, " ")
    for (i = 0; i < 6000; i++) {
        minute = int(i * 150 * 1440 / 6000 + rand() * 30)
        day = int(minute / 1440)
        split("31 28 31 30 31", length_of, " ")
        for (month = 1; day >= length_of[month]; month++) day -= length_of[month]
        bad = rand() < .03
        shop = int(rand() * 60)
        printf "T%06d,2026-%02d-%02d %02d:%02d:00,c%03d,shop-%d,%s,%.2f,%d\n", i, month, day + 1, int(minute / 60) % 24, minute % 60,
            int(rand() * 200), shop, group[shop % 4 + 1], (5 + 60 * rand()) * (bad ? 6 : 1), bad
    }
}' >payments.csv
sed -n '/^## From your own CSV/,/^## Commands/p' "$FLORIN_SOURCE/README.md" | awk '/^```/ {on = !on; next} on' >walk.sh
equal "$(grep -c '^florin ' walk.sh)" 7
sed -i '/^florin pretrain/s/$/ --hidden 16 --width 16 --epochs 1/; /^florin fit/s/$/ --draws 20/' walk.sh
ok bash -euo pipefail walk.sh
has payments.yaml 'chargeback: \{column: chargeback'
has out.txt '6000 events'
has out.txt 'Most suspicious by chargeback'
equal "$(wc -l <scores.csv)" "$(($(awk -F, '$2 >= "2026-05-02"' payments.csv | grep -c ^T) + 1))"
has scores.csv '^T00[0-9]+,2026-05-02.*,(normal|elevated|highest)$'
[ -s fraud.florin ] || die "no model with a head"
no_nan out.txt scores.csv
done_testing
