/* The result of an ablation or a scaling study as text. Owns nothing. */
#include "ablate/run.h"
#include <math.h>

static const json_t *list_of(const json_t *j, const char *key)
{
    return json_object_get(j, key);
}

/* In words: what the interval says. */
static const char *verdict(const json_t *t)
{
    return fl_json_num(t, "low", 0) > 0 ? "pays" : fl_json_num(t, "high", 0) < 0 ? "hurts" : "";
}

static void one_choice(const florin_context *ctx, const json_t *c)
{
    const json_t *t;
    size_t i;

    fl_writef(ctx, "\n%.60s (default %s)\n", fl_json_str(c, "name", ""),
              fl_json_str(c, "default", ""));
    json_array_foreach(list_of(c, "tasks"), i, t)
    {
        fl_writef(ctx, "  %-18.18s %-22.22s %-4s %.4f  %.4f  %+.4f [%+.4f, %+.4f]  %lld   %s\n",
                  fl_json_str(t, "data", ""), fl_json_str(t, "task", ""),
                  fl_json_str(t, "metric", ""), fl_json_num(t, "off", 0), fl_json_num(t, "on", 0),
                  fl_json_num(t, "gain", 0), fl_json_num(t, "low", 0), fl_json_num(t, "high", 0),
                  (long long)fl_json_int(t, "seeds", 0), verdict(t));
    }
    json_array_foreach(list_of(c, "pretraining"), i, t)
    {
        double off = fl_json_num(t, "events_per_core_s_off", 0),
               on = fl_json_num(t, "events_per_core_s_on", 0);
        fl_writef(ctx, "  %-18.18s pretraining: nats of later events %.3f  %.3f  %+.3f;",
                  fl_json_str(t, "data", ""), fl_json_num(t, "nats_later_off", 0),
                  fl_json_num(t, "nats_later_on", 0),
                  fl_json_num(t, "nats_later_on", 0) - fl_json_num(t, "nats_later_off", 0));
        if (off > 0 && on > 0)
            fl_writef(ctx, " %.0f  %.0f events a core second (x %.2f)\n", off, on, on / off);
        else fl_writef(ctx, " speed not known, a run was stopped and resumed\n");
    }
}

static void points(const florin_context *ctx, const json_t *j)
{
    const json_t *p, *t, *c;
    size_t i, k;

    fl_writef(ctx, "  %-18s %-14s %4s %11s %11s %9s %9s  tasks\n", "data", "size x epochs", "seed",
              "parameters", "events", "nats", "unseen");
    json_array_foreach(list_of(j, "points"), i, p)
    {
        fl_writef(ctx, "  %-18.18s %-14.14s %4lld %11lld %11.0f %9.3f %9.3f ",
                  fl_json_str(p, "data", ""), fl_json_str(p, "choice", ""),
                  (long long)fl_json_int(p, "seed", 0), (long long)fl_json_int(p, "parameters", 0),
                  fl_json_num(p, "events", 0), fl_json_num(p, "nats_later", 0),
                  fl_json_num(p, "nats_unseen", 0));
        json_array_foreach(list_of(p, "tasks"), k, t)
        {
            fl_writef(ctx, " %.24s %s %.4f", fl_json_str(t, "task", ""),
                      fl_json_str(t, "metric", ""), fl_json_num(t, "value", 0));
        }
        fl_writef(ctx, "\n");
    }
    json_array_foreach(list_of(j, "curves"), i, c)
    {
        const json_t *P = list_of(c, "parameters"), *E = list_of(c, "events");
        fl_writef(ctx,
                  "\n%.40s: nats = %.3f + %.3f (parameters / 100,000)^-%.2f + %.3f (events / "
                  "1,000,000)^-%.2f\n  exponents [%.2f, %.2f] and [%.2f, %.2f] (95 %%, bootstrap "
                  "of %lld points), root mean square of what is left: %.4f nats\n",
                  fl_json_str(c, "data", ""), fl_json_num(c, "floor", 0),
                  fl_json_num(P, "factor", 0), fl_json_num(P, "exponent", 0),
                  fl_json_num(E, "factor", 0), fl_json_num(E, "exponent", 0),
                  fl_json_num(P, "low", 0), fl_json_num(P, "high", 0), fl_json_num(E, "low", 0),
                  fl_json_num(E, "high", 0), (long long)fl_json_int(c, "points", 0),
                  fl_json_num(c, "residual", 0));
    }
}

void fl_ablate_text(const florin_context *ctx, const json_t *j)
{
    const json_t *c;
    long long done = (long long)fl_json_int(j, "done", 0),
              runs = (long long)fl_json_int(j, "runs", 0);
    size_t i;

    fl_writef(ctx, "%s: %.80s. Judged on validation periods.\n",
              list_of(j, "points") ? "Scaling" : "Ablation", fl_json_str(j, "name", ""));
    if (list_of(j, "points")) points(ctx, j);
    else
        fl_writef(ctx,
                  "Figures without and with each choice, means over the seeds that both have; the "
                  "difference with its paired 95 %% interval over entities and seeds.\n"
                  "  %-18s %-22s %-4s %-7s %-7s %-25s %s\n",
                  "data", "task", "", "without", "with", "gain", "seeds");
    json_array_foreach(list_of(j, "choices"), i, c) one_choice(ctx, c);
    if (done < runs)
        fl_writef(ctx, "\n%lld of %lld runs are done: the same command goes on.\n", done, runs);
}
