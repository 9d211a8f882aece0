/* OpenMetrics 1.0: https://prometheus.io/docs/specs/om/open_metrics_spec/ */
#include "metrics.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static const int32_t bound_us[METRIC_BOUNDS] = {25,    50,    75,    100,    150,    200,    300,
                                                500,   750,   1000,  1500,   2000,   3000,   5000,
                                                10000, 20000, 50000, 100000, 250000, 1000000};

void histogram_add(histogram *h, int64_t us)
{
    int i = 0;
    while (i < METRIC_BOUNDS && us > bound_us[i]) i++;
    h->count[i]++;
    h->n++;
    h->sum_s += (double)us * 1e-6;
}

void histogram_write(text *t, const char *name, const char *labels, const histogram *h)
{
    uint64_t so_far = 0;
    const char *comma = labels[0] ? "," : "";
    for (int i = 0; i < METRIC_BOUNDS; i++) {
        so_far += h->count[i];
        text_printf(t, "%s_bucket{%s%sle=\"%g\"} %llu\n", name, labels, comma, bound_us[i] * 1e-6,
                    (unsigned long long)so_far);
    }
    text_printf(t, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, labels, comma,
                (unsigned long long)h->n);
    text_printf(t, "%s_count{%s} %llu\n%s_sum{%s} %.9g\n", name, labels, (unsigned long long)h->n,
                name, labels, h->sum_s);
}

static model_counts *counts_of(metrics *m, const char *model)
{
    for (uint32_t i = m->models; i-- > 0;)
        if (!strcmp(m->model[i].model, model)) return &m->model[i];
    if (m->models == METRIC_MODELS) { /* the oldest version makes room */
        memmove(m->model, m->model + 1, sizeof m->model - sizeof m->model[0]);
        m->models--;
    }
    model_counts *c = &m->model[m->models++];
    memset(c, 0, sizeof *c);
    memcpy(c->model, model, sizeof c->model);
    return c;
}

void metrics_decision(metrics *m, const florin_decision *d)
{
    if (d->repeat || d->dry_run) return;
    model_counts *c = counts_of(m, d->model);
    c->action[d->action & 3]++;
    if (!d->scored) {
        c->rules_only++;
        return;
    }
    const florin_head_score *s = &d->score[d->head];
    c->level[s->risk < 3 ? s->risk : 2]++;
    c->score[s->score / 10 < METRIC_SCORES ? s->score / 10 : METRIC_SCORES - 1]++;
    c->score_sum += s->score;
}

static void head(text *t, const char *name, const char *type, const char *help)
{
    text_printf(t, "# TYPE %s %s\n# HELP %s %s\n", name, type, name, help);
}

static void counter(text *t, const char *name, const char *help, uint64_t v)
{
    head(t, name, "counter", help);
    text_printf(t, "%s_total %llu\n", name, (unsigned long long)v);
}

static void gauge(text *t, const char *name, const char *help, double v)
{
    head(t, name, "gauge", help);
    text_printf(t, "%s %.15g\n", name, v);
}

static void write_models(const metrics *m, text *t)
{
    static const char *const levels[] = {"normal", "elevated", "highest"};
    head(t, "florin_decisions", "counter", "Decisions, by model version and action.");
    for (uint32_t i = 0; i < m->models; i++)
        for (int a = 0; a < 4; a++)
            text_printf(t, "florin_decisions_total{model=\"%s\",action=\"%s\"} %llu\n",
                        m->model[i].model, florin_action_name((florin_action)a),
                        (unsigned long long)m->model[i].action[a]);
    head(t, "florin_levels", "counter", "Scored decisions, by model version and level.");
    for (uint32_t i = 0; i < m->models; i++)
        for (int l = 0; l < 3; l++)
            text_printf(t, "florin_levels_total{model=\"%s\",level=\"%s\"} %llu\n",
                        m->model[i].model, levels[l], (unsigned long long)m->model[i].level[l]);
    head(t, "florin_rules_only", "counter", "Decisions that rules alone made, past a deadline.");
    for (uint32_t i = 0; i < m->models; i++)
        text_printf(t, "florin_rules_only_total{model=\"%s\"} %llu\n", m->model[i].model,
                    (unsigned long long)m->model[i].rules_only);
    head(t, "florin_score", "histogram", "Scores 0 to 99, by model version.");
    for (uint32_t i = 0; i < m->models; i++) {
        const model_counts *c = &m->model[i];
        uint64_t so_far = 0;
        for (int b = 0; b < METRIC_SCORES; b++) {
            so_far += c->score[b];
            if (b < METRIC_SCORES - 1)
                text_printf(t, "florin_score_bucket{model=\"%s\",le=\"%d\"} %llu\n", c->model,
                            b * 10 + 9, (unsigned long long)so_far);
        }
        text_printf(t,
                    "florin_score_bucket{model=\"%s\",le=\"+Inf\"} %llu\n"
                    "florin_score_count{model=\"%s\"} %llu\nflorin_score_sum{model=\"%s\"} %.15g\n",
                    c->model, (unsigned long long)so_far, c->model, (unsigned long long)so_far,
                    c->model, c->score_sum);
    }
}

static void write_decider(const metrics_more *more, text *t)
{
    florin_decider_counts d = FLORIN_DECIDER_COUNTS_INIT;
    florin_scorer_counts s = FLORIN_SCORER_COUNTS_INIT;
    if (!florin_decider_stats(more->decider, &d, NULL)) {
        counter(t, "florin_repeats", "Requests that came before and got the first answer again.",
                d.repeats);
        counter(t, "florin_dry_runs", "Payments judged without being remembered.", d.dry_runs);
        counter(t, "florin_refused_payments", "Payments that were wrong.", d.refused);
        counter(t, "florin_labels", "Outcomes that arrived.", d.labels);
        counter(t, "florin_results", "Authorisation results that arrived.", d.results);
        gauge(t, "florin_journal_sequence", "Last record of the journal.", (double)d.sequence);
        gauge(t, "florin_journal_synced", "Last record that is on the disk.", (double)d.synced);
        gauge(t, "florin_journal_bytes", "Size of the journal.", (double)d.journal_bytes);
        gauge(t, "florin_journal_failing", "1: the journal can't be written.", d.failing);
        gauge(t, "florin_checkpoint_sequence", "Record of the last checkpoint.",
              (double)d.checkpoint);
    }
    if (!florin_scorer_stats(more->scorer, &s, NULL)) {
        gauge(t, "florin_entities", "Entities that have a history.", (double)s.entities);
        counter(t, "florin_evicted_entities", "Entities that lost their history to another.",
                s.evicted);
        counter(t, "florin_late_events", "Payments whose time was before the clock.", s.late);
    }
}

static void write_process(const metrics_more *more, text *t)
{
    struct rusage use;
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long pages, resident;
    if (!getrusage(RUSAGE_SELF, &use)) {
        double cpu = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                     (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e-6;
        head(t, "process_cpu_seconds", "counter", "CPU time, user and system.");
        text_printf(t, "process_cpu_seconds_total %.6f\n", cpu);
    }
    if (f && fscanf(f, "%lu %lu", &pages, &resident) == 2)
        gauge(t, "process_resident_memory_bytes", "Resident memory.",
              (double)resident * (double)sysconf(_SC_PAGESIZE));
    if (f) fclose(f);
    gauge(t, "process_start_time_seconds", "When the server began.", more->started_s);
}

void metrics_write(const metrics *m, const metrics_more *more, text *t)
{
    head(t, "florin_requests", "counter", "Answers, by route and class of status.");
    for (uint32_t r = 0; r < more->routes && r < METRIC_ROUTES; r++)
        for (int c = 2; c < 6; c++)
            if (m->requests[r][c])
                text_printf(t, "florin_requests_total{route=\"%s\",status=\"%dxx\"} %llu\n",
                            more->route[r], c, (unsigned long long)m->requests[r][c]);
    head(t, "florin_evaluation_seconds", "histogram",
         "From an evaluation's headers read to its answer handed over.");
    histogram_write(t, "florin_evaluation_seconds", "", &m->whole);
    head(t, "florin_batch_seconds", "histogram", "One micro-batch through the decider.");
    histogram_write(t, "florin_batch_seconds", "", &m->decide);
    counter(t, "florin_batches", "Micro-batches.", m->batches);
    counter(t, "florin_batched_payments", "Payments in them.", m->batched);
    counter(t, "florin_queue_full", "Payments refused with 503: the queue was full.",
            m->refused_full);
    counter(t, "florin_rate_limited", "Requests refused with 429.", m->rate_limited);
    counter(t, "florin_ignored_members", "Members of payments that the schema does not know.",
            m->ignored_members);
    counter(t, "florin_late_requests", "Payments that waited past their deadline.", m->late);
    gauge(t, "florin_queue_depth", "Payments that wait to be decided or acknowledged.",
          more->queue);
    gauge(t, "florin_queue_limit", "The most of them.", more->queue_limit);
    gauge(t, "florin_connections", "Open connections.", more->connections);
    write_models(m, t);
    write_decider(more, t);
    head(t, "florin_build", "info", "Version of the program.");
    text_printf(t, "florin_build_info{version=\"%s\"} 1\n", florin_version());
    write_process(more, t);
    text_put(t, "# EOF\n");
}
