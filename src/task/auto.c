/* The choice of a way. Invariant: it rests on validation alone; the test is judged once, by the way that was chosen. */
#include "task/auto.h"
#include <stdio.h>

typedef struct {
    const char *head, *inputs;
    bool net; /* needs a pretrained model */
} way;

/* In the order in which they are worth trying. */
static const way WAYS[] = {{"trees", "all", true},      {"trees", "fold", false},
                           {"blend", "fold", false},    {"probe", "sequence", true},
                           {"blend", "all", true},      {"probe", "fold", false},
                           {"trees", "sequence", true}, {"probe", "all", true}};

static const char *in_words(const char *inputs)
{
    return !strcmp(inputs, "all")    ? "fold + surprise + embedding"
           : !strcmp(inputs, "fold") ? "the fold features"
                                     : "surprise + embedding (frozen)";
}

/* "trees on the fold: .71 on validation, .01 above the next best, blend on ..." */
static void say_why(json_t *out, const way *best, double figure, const way *next, double second,
                    size_t left)
{
    char why[400];
    int n =
        snprintf(why, sizeof why, "%s on %s has the highest average precision on validation, %.4f",
                 best->head, in_words(best->inputs), figure);
    if (next)
        n += snprintf(why + n, sizeof why - (size_t)n, ", %.4f above the next best, %s on %s",
                      figure - second, next->head, in_words(next->inputs));
    if (left)
        snprintf(why + n, sizeof why - (size_t)n, "; the time was over before %zu further ways",
                 left);
    json_object_set_new(out, "why", json_string(why));
    json_object_set_new(out, "chosen",
                        json_pack("{s:s, s:s}", "head", best->head, "inputs", best->inputs));
}

florin_status fl_auto_choose(json_t **out, fl_task *t, bool net, double minutes,
                             fl_auto_try attempt, void *self, const florin_context *ctx,
                             florin_error *err)
{
    json_t *tried = json_array(), *left = json_array();
    const way *best = NULL, *next = NULL;
    double most = -1, second = -1;
    int64_t start = fl_now_us(ctx);
    florin_status st = FLORIN_OK;
    for (size_t i = 0; i < FL_LEN(WAYS) && !st; i++) {
        const way *w = &WAYS[i];
        int64_t from = fl_now_us(ctx);
        double figure;
        if (w->net && !net) continue;
        if (best && (double)(from - start) > minutes * 60e6) {
            json_array_append_new(left,
                                  json_pack("{s:s, s:s}", "head", w->head, "inputs", w->inputs));
            continue;
        }
        st = attempt(self, w->head, w->inputs, &figure);
        if (st) break;
        double seconds = (double)(fl_now_us(ctx) - from) / 1e6;
        json_array_append_new(tried,
                              json_pack("{s:s, s:s, s:f, s:f}", "head", w->head, "inputs",
                                        w->inputs, "validation_ap", figure, "seconds", seconds));
        fl_say(ctx, FLORIN_LOG_INFO, "%s on %s: average precision %.4f on validation (%.0f s)",
               w->head, in_words(w->inputs), figure, seconds);
        bool better = figure > most;
        if (better || figure > second) {
            next = better ? best : w;
            second = better ? most : figure;
        }
        if (better) best = w, most = figure;
    }
    *out = json_pack("{s:o, s:o, s:f}", "tried", tried, "left", left, "seconds",
                     (double)(fl_now_us(ctx) - start) / 1e6);
    if (!st && !*out) st = fl_fail(err, FLORIN_ENOMEM, "fit");
    if (st || !best) return st;
    say_why(*out, best, most, next, second, json_array_size(left));
    snprintf(t->head, sizeof t->head, "%s", best->head);
    snprintf(t->inputs, sizeof t->inputs, "%s", best->inputs);
    return FLORIN_OK;
}
