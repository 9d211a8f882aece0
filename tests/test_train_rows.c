/* What training reads: every trainable event once an epoch, in order; baselines against a slow count. */
#include "support/support.h"
#include "support/model_fixture.h"
#include "support/train_fixture.h"
#include <math.h>

/* ---- windows ---- */

/* Every trainable event of an epoch comes exactly once, histories in order, nothing of unseen entities or of the later
 * slice, and a fresh start exactly where a history or a piece of it begins. */
static void test_lanes(void **state)
{
    fl_train_config c = small_train_config();
    fl_rows *rows;
    fl_network *n;
    fl_fold_plan *plan;
    fl_log *log;
    fl_net *net;
    fl_worker *k;
    fl_lanes *l;

    (void)state;
    fixture_rows(&c, &rows, &n, &plan, &log, "lanes");
    assert_int_equal(fl_net_new(&net, n, NULL), FLORIN_OK);
    assert_int_equal(fl_worker_new(&k, net, 4, 5, false, NULL), FLORIN_OK);
    assert_int_equal(fl_lanes_new(&l, rows, 0, 4, 1, NULL), FLORIN_OK);
    uint32_t *seen = fl_calloc(rows->count, sizeof *seen);
    uint64_t total = 0;
    fl_window *w = fl_worker_window(k);
    while (l->epoch < 3) {
        fl_lanes_next(l, &k, 1, 5);
        for (uint32_t i = 0; i < 20; i++) {
            assert_true(w->row[i] < rows->train);
            seen[w->row[i]]++;
            total++;
            if (i >= 4 && !w->fresh[i]) assert_int_equal(w->previous[i], w->row[i - 4]);
            if (w->previous[i] != FL_NO_ROW) assert_true(w->previous[i] < w->row[i]);
        }
    }
    const fl_sequences *q = &rows->stream[0];
    uint32_t unseen = 0;
    for (uint32_t e = 0; e < q->entities; e++) {
        unseen += q->unseen[e];
        for (uint64_t i = q->start[e]; i < q->start[e + 1]; i++) {
            uint32_t times = seen[q->row[i]];
            bool trained = !q->unseen[e] && q->row[i] < rows->train;
            assert_true(trained ? times >= 2 && times <= 4 : times == 0);
        }
    }
    assert_true(unseen > 0 && unseen < q->entities);
    assert_true(total >= 2 * l->rows);
    free(seen);
    fl_lanes_free(l);
    fl_worker_free(k);
    fl_net_free(net);
    fixture_rows_free(rows, n, plan, log);
}

/* ---- baselines ---- */

/* popular and last by a plain second count. */
static void test_baselines(void **state)
{
    fl_train_config c = small_train_config();
    fl_rows *rows;
    fl_network *n;
    fl_fold_plan *plan;
    fl_log *events;
    fl_net *net;
    double **counts;
    fl_nats *out = fl_calloc(FL_BASELINES, sizeof *out);

    (void)state;
    fixture_rows(&c, &rows, &n, &plan, &events, "baselines");
    assert_int_equal(fl_net_new(&net, n, NULL), FLORIN_OK);
    assert_int_equal(fl_target_counts(&counts, net, rows, 0, NULL), FLORIN_OK);
    assert_int_equal(fl_baselines(net, rows, 0, counts, NULL, 2, out, NULL), FLORIN_OK);
    const fl_sequences *q = &rows->stream[0];
    for (uint32_t t = 0; t < net->targets; t++) {
        const fl_target *target = &net->target[t];
        double *count = fl_calloc(target->tokens, sizeof *count), total = 0, popular = 0,
               last[8] = {0};
        static const double mix[8] = {0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0};
        for (int pass = 0; pass < 2; pass++)
            for (uint32_t e = 0; e < q->entities; e++)
                for (uint64_t i = q->start[e]; i < q->start[e + 1]; i++) {
                    uint32_t before = i > q->start[e] ? q->row[i - 1] : FL_NO_ROW;
                    uint32_t before2 = i > q->start[e] + 1 ? q->row[i - 2] : FL_NO_ROW;
                    uint32_t token = fl_rows_target(rows, target, q->row[i], before);
                    bool training = !q->unseen[e] && q->row[i] < rows->train;
                    if (!pass && training) count[token]++, total++;
                    if (!pass || training) continue;
                    double p = (count[token] + 0.5) / (total + 0.5 * target->tokens);
                    popular -= log(p);
                    for (int k = 0; k < 8; k++) {
                        bool hit = before != FL_NO_ROW &&
                                   fl_rows_target(rows, target, before, before2) == token;
                        last[k] -= log(before == FL_NO_ROW ? p : (1 - mix[k]) * hit + mix[k] * p);
                    }
                }
        double got = out[FL_POPULAR].nats[0][t] + out[FL_POPULAR].nats[1][t];
        assert_true(fabs(got - popular) < 1e-6 * popular);
        got = out[FL_LAST].nats[0][t] + out[FL_LAST].nats[1][t];
        bool found = false;
        for (int k = 0; k < 8; k++) found |= fabs(got - last[k]) < 1e-6 * last[k];
        assert_true(found);
        assert_true(out[FL_DECAYED].nats[0][t] > 0 && isfinite(out[FL_DECAYED].nats[0][t]));
        free(count);
    }
    fl_target_counts_free(counts);
    free(out);
    fl_net_free(net);
    fixture_rows_free(rows, n, plan, events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lanes),
        cmocka_unit_test(test_baselines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
