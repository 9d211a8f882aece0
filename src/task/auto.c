/* The choice of a way. Invariant: it rests on validation alone; the test is judged once, by the way that was chosen. */
#include "task/auto.h"
#include <stdio.h>

typedef struct {
    const char *head, *inputs;
    bool net;        /* needs a pretrained model */
    const char *how; /* NULL, or the name of a way from elsewhere */
} way;

/* In the order in which they are worth trying. */
static const way WAYS[] = {{"trees", "all", true, NULL},      {"trees", "fold", false, NULL},
                           {"blend", "fold", false, NULL},    {"probe", "sequence", true, NULL},
                           {"blend", "all", true, NULL},      {"probe", "fold", false, NULL},
                           {"trees", "sequence", true, NULL}, {"probe", "all", true, NULL}};

static const char *in_words(const way *w)
{
    if (w->how)
        return !strcmp(w->how, "full") ? "the fold features and the network fine-tuned"
                                       : "the fold features and the network fine-tuned, low rank";
    return !strcmp(w->inputs, "all")    ? "fold + surprise + embedding"
           : !strcmp(w->inputs, "fold") ? "the fold features"
                                        : "surprise + embedding (frozen)";
}

typedef struct {
    json_t *tried, *left;
    way best, next; /* head NULL: none yet */
    double most, second;
    int64_t start;
    double minutes;
} search;

static json_t *named(const way *w)
{
    json_t *o = json_pack("{s:s, s:s}", "head", w->head, "inputs", w->inputs);
    if (w->how) json_object_set_new(o, "finetune", json_string(w->how));
    return o;
}

/* Is there time for it? If not, it is among those that are left. */
static bool in_time(search *s, const way *w, const florin_context *ctx)
{
    if (!s->best.head || (double)(fl_now_us(ctx) - s->start) <= s->minutes * 60e6) return true;
    json_array_append_new(s->left, named(w));
    return false;
}

static void ranked(search *s, const way *w, double figure, double seconds,
                   const florin_context *ctx)
{
    json_t *o = named(w);
    json_object_set_new(o, "validation_ap", json_real(figure));
    json_object_set_new(o, "seconds", json_real(seconds));
    json_array_append_new(s->tried, o);
    fl_say(ctx, FLORIN_LOG_INFO, "%s on %s: average precision %.4f on validation (%.0f s)", w->head,
           in_words(w), figure, seconds);
    bool better = !s->best.head || figure > s->most;
    if (better || !s->next.head || figure > s->second) {
        s->next = better ? s->best : *w;
        s->second = better ? s->most : figure;
    }
    if (better) s->best = *w, s->most = figure;
}

static florin_status try_more(search *s, fl_auto_more *more, const florin_context *ctx)
{
    florin_status st = FLORIN_OK;
    for (size_t i = 0; more && more->how[i] && !st; i++) {
        const way w = {"blend", "all", true, more->how[i]};
        int64_t from = fl_now_us(ctx);
        double figure;
        if (!in_time(s, &w, ctx)) continue;
        st = more->attempt(more->self, w.how, &figure);
        if (!st) ranked(s, &w, figure, (double)(fl_now_us(ctx) - from) / 1e6, ctx);
    }
    return st;
}

/* "trees on the fold: .71 on validation, .01 above the next best, blend on ..." */
static void say_why(json_t *out, const search *s)
{
    char why[400];
    int n =
        snprintf(why, sizeof why, "%s on %s has the highest average precision on validation, %.4f",
                 s->best.head, in_words(&s->best), s->most);
    if (s->next.head)
        n += snprintf(why + n, sizeof why - (size_t)n, ", %.4f above the next best, %s on %s",
                      s->most - s->second, s->next.head, in_words(&s->next));
    if (json_array_size(s->left))
        snprintf(why + n, sizeof why - (size_t)n, "; the time was over before %zu further ways",
                 json_array_size(s->left));
    json_object_set_new(out, "why", json_string(why));
    json_object_set_new(out, "chosen", named(&s->best));
}

florin_status fl_auto_choose(json_t **out, fl_task *t, bool net, double minutes,
                             fl_auto_try attempt, void *self, fl_auto_more *more,
                             const florin_context *ctx, florin_error *err)
{
    search s = {
        .tried = json_array(), .left = json_array(), .start = fl_now_us(ctx), .minutes = minutes};
    florin_status st = FLORIN_OK;
    for (size_t i = 0; i < FL_LEN(WAYS) && !st; i++) {
        const way *w = &WAYS[i];
        int64_t from = fl_now_us(ctx);
        double figure;
        if ((w->net && !net) || !in_time(&s, w, ctx)) continue;
        st = attempt(self, w->head, w->inputs, &figure);
        if (!st) ranked(&s, w, figure, (double)(fl_now_us(ctx) - from) / 1e6, ctx);
    }
    if (!st) st = try_more(&s, net ? more : NULL, ctx);
    *out = json_pack("{s:o, s:o, s:f}", "tried", s.tried, "left", s.left, "seconds",
                     (double)(fl_now_us(ctx) - s.start) / 1e6);
    if (!st && !*out) st = fl_fail(err, FLORIN_ENOMEM, "fit");
    if (st || !s.best.head) return st;
    say_why(*out, &s);
    if (s.best.how) {
        more->chosen = s.best.how;
        return FLORIN_OK;
    }
    snprintf(t->head, sizeof t->head, "%s", s.best.head);
    snprintf(t->inputs, sizeof t->inputs, "%s", s.best.inputs);
    return FLORIN_OK;
}
