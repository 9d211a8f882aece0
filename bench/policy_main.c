/* What a decision by 100 rules costs: LOG MODEL -> "P50_US P99_US MEAN_US MATCHED", one thread. The events of the log go through the
 * live path, and only the policy's part is timed: filling the slots, lists and velocity, the rules. */
#include "policy/lists.h"
#include "policy/rings.h"
#include "score/scorer.h"
#include <stdio.h>
#include <time.h>

enum { RULES = 100, WARM = 2000 };

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

/* Six kinds of rules in turn, each with numbers of its own, none of which matches often: the worst case asks them all. */
static void write_rules(fl_buf *b)
{
    static const char *const features[] = {"over_normal", "count_1d",     "declined_1d",
                                           "tenure",      "bad_rate_30d", "counterparties"};
    fl_buf_puts(b, "thresholds: {block: 98, review: 97, per: {merchant: {m00001: {block: 99}}}}\n"
                   "holdout: {share: 0.01}\nlists:\n  cards: {of: card, entries: [");
    for (int i = 0; i < 20000; i++) fl_buf_printf(b, "x%d, ", i);
    fl_buf_puts(b, "x]}\n  lands: {entries: [QA, QB, QC]}\nrules: |\n");
    for (int i = 0; i < RULES; i++) {
        const char *f = features[i / 6 % 6], *action = i % 7 == 0   ? "Request 3DS"
                                                       : i % 7 == 1 ? "Allow"
                                                       : i % 7 < 5  ? "Block"
                                                                    : "Review";
        fl_buf_printf(b, "  %s if ", action);
        switch (i % 6) {
        case 0:
            fl_buf_printf(b, ":risk_score: > %d and :card.%s: > %d and :country: != 'DE'\n",
                          90 + i % 9, f, 400 + i);
            break;
        case 1:
            fl_buf_printf(b, ":amount: > %d * :card.normal_amount: and :merchant.%s: > %d\n",
                          300 + i, f, 5000 + i);
            break;
        case 2:
            fl_buf_printf(b, "velocity(card, %dm) > %d or velocity(device, 1h, declined) > %d\n",
                          10 + i % 4, 50 + i % 10, 40 + i % 20);
            break;
        case 3:
            fl_buf_printf(b, "(:card: in @cards or :country: in @lands) and :amount: > %d\n", i);
            break;
        case 4:
            fl_buf_printf(b,
                          ":entry_mode: in ('q%d', 'w', 'z') and not :card.new_counterparty: and "
                          ":hour: < %d\n",
                          i, i % 24);
            break;
        default:
            fl_buf_printf(b, "is_missing(:device:) and :card.%s: > %d and ::order:: = 'x%d'\n", f,
                          100000 + i, i);
        }
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static int fail(const florin_error *err)
{
    fprintf(stderr, "policy_main: %s\n", err->message);
    return 1;
}

int main(int argc, char **argv)
{
    florin_error err = {0};
    fl_model *m;
    fl_log *log;
    fl_scorer *s;
    fl_policy *p;
    fl_lists *lists;
    fl_rings *rings;
    fl_buf rules = {0};
    uint8_t key[16];
    if (argc != 3) return 2;
    fl_scorer_options o = {.entities_max = {100000, 100000, 100000, 100000}};
    write_rules(&rules);
    if (fl_model_open(&m, argv[2], NULL, &err) || fl_log_open(&log, argv[1], &err) ||
        fl_scorer_open(&s, m, &o, &err) || fl_schema_key(fl_model_schema(m), key, &err) ||
        fl_policy_parse(&p, rules.data, rules.len, "bench.yaml", m, key, &err) ||
        fl_lists_open(&lists, p, NULL, &err) || fl_rings_open(&rings, p, 100000, NULL, &err))
        return fail(&err);
    uint64_t n = fl_log_rows(log), timed = 0, matched = 0;
    float *row = malloc(fl_model_row_width(m) * sizeof *row);
    double *us = malloc(n * sizeof *us), sum = 0;
    fl_head_out head[FL_SCORE_HEADS_MAX];
    fl_text metadata[1] = {{NULL, 0}};
    for (uint64_t r = 0; r < n; r++) {
        fl_event e;
        fl_decision d;
        fl_log_event(log, r, &e);
        if (fl_scorer_event(s, &e, row, head, &err)) return fail(&err);
        fl_policy_view v = {.event = &e,
                            .row = row,
                            .head = head,
                            .metadata = metadata,
                            .lists = lists,
                            .rings = rings};
        double t = now_us();
        fl_policy_decide(p, &v, &d);
        t = now_us() - t;
        fl_rings_add(rings, &e, (fl_action)d.action);
        matched += d.by != FL_BY_NONE;
        if (r < WARM) continue;
        us[timed++] = t;
        sum += t;
    }
    qsort(us, timed, sizeof *us, compare);
    printf("%.3f %.3f %.3f %.4f\n", us[timed / 2], us[timed * 99 / 100], sum / (double)timed,
           (double)matched / (double)n);
    return 0;
}
