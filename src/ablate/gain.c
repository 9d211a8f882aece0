/* Owns paired gains. A draw takes entities (all their rows, the same for both sides and all seeds) and, independently, seeds
 * with their pair of runs; so the interval holds what another sample of entities and another seed would change.
 * Invariant: rows of different runs are compared only when their ids, labels and periods are the same. */
#include "ablate/gain.h"
#include "base/file.h"
#include <math.h>
#include <stdio.h>

enum { CELLS = 16 };

/* ---- reading ---- */

static int split(char *line, char **cell, int max)
{
    int n = 0;

    for (char *p = line; p && n < max; n++) {
        cell[n] = p;
        p = strchr(p, ',');
        if (p) *p++ = 0;
    }
    return n;
}

typedef struct {
    int id, y, score, period, cluster, count;
} columns;

static bool find_columns(char *line, columns *c)
{
    char *cell[CELLS];

    *c = (columns){-1, -1, -1, -1, -1, split(line, cell, CELLS)};
    for (int i = 0; i < c->count; i++) {
        if (!strcmp(cell[i], "id")) c->id = i;
        if (!strcmp(cell[i], "y")) c->y = i;
        if (!strcmp(cell[i], "score")) c->score = i;
        if (!strcmp(cell[i], "period")) c->period = i;
        if (!strcmp(cell[i], "cluster")) c->cluster = i;
    }
    return c->id >= 0 && c->y >= 0 && c->score >= 0 && c->period >= 0 && c->cluster >= 0;
}

typedef struct {
    fl_runs_scores s; /* of this file alone */
    size_t cap[4];
} loaded;

static bool add_row(loaded *l, char **cell, const columns *c)
{
    fl_runs_scores *s = &l->s;
    size_t n = s->n + 1;

    if (!fl_grow((void **)&s->y, &l->cap[0], n, sizeof *s->y) ||
        !fl_grow((void **)&s->cluster, &l->cap[1], n, sizeof *s->cluster) ||
        !fl_grow((void **)&s->part, &l->cap[2], n, sizeof *s->part) ||
        !fl_grow((void **)&s->score[0], &l->cap[3], n, sizeof **s->score))
        return false;
    s->y[s->n] = strtof(cell[c->y], NULL);
    s->score[0][s->n] = strtod(cell[c->score], NULL);
    s->cluster[s->n] = fl_hash64(cell[c->cluster], strlen(cell[c->cluster]), 2);
    s->part[s->n] = (uint32_t)strtoul(cell[c->period], NULL, 10);
    if (s->part[s->n] >= s->parts) s->parts = s->part[s->n] + 1;
    uint64_t row = fl_hash64(cell[c->id], strlen(cell[c->id]), s->part[s->n]);
    s->digest = fl_mix64(s->digest ^ row ^ (s->y[s->n] > .5f));
    s->n = n;
    return true;
}

static florin_status load(loaded *l, char *text, const char *path, florin_error *err)
{
    columns c;
    char *cell[CELLS], *next;
    uint32_t number = 1;

    l->s.score = fl_calloc(1, sizeof *l->s.score);
    if (!l->s.score) return fl_fail(err, FLORIN_ENOMEM, "%s", path);
    for (char *line = text; *line; line = next, number++) {
        char *end = line + strcspn(line, "\r\n");
        next = end + strspn(end, "\r\n");
        *end = 0;
        if (number == 1 && !find_columns(line, &c))
            return fl_fail(err, FLORIN_EFORMAT, "%s: not scores of florin fit", path);
        if (number == 1) continue;
        if (split(line, cell, CELLS) != c.count)
            return fl_fail(err, FLORIN_EFORMAT, "%s:%u: %d cells expected", path, number, c.count);
        if (!add_row(l, cell, &c)) return fl_fail(err, FLORIN_ENOMEM, "%s", path);
    }
    if (!l->s.n) return fl_fail(err, FLORIN_EFORMAT, "%s: no row", path);
    return FLORIN_OK;
}

florin_status fl_runs_add(fl_runs_scores *s, const char *path, florin_error *err)
{
    loaded l = {0};
    char *text = NULL;
    size_t n = 0;
    florin_status st = fl_read_file(&text, &n, path, (size_t)1 << 31, err);

    if (!st) st = load(&l, text, path, err);
    if (!st && s->runs && (l.s.digest != s->digest || l.s.n != s->n))
        st = fl_fail(err, FLORIN_EFORMAT,
                     "%s: its %zu rows are not the %zu of the run it is compared with", path, l.s.n,
                     s->n);
    double **more = st ? NULL : fl_realloc(s->score, s->runs + 1, sizeof *more);
    if (!st && !more) st = fl_fail(err, FLORIN_ENOMEM, "%s", path);
    if (!st) {
        s->score = more;
        s->score[s->runs] = l.s.score[0];
        l.s.score[0] = NULL;
        if (!s->runs) {
            double **score = s->score;
            double **empty = l.s.score;
            *s = l.s;
            s->score = score;
            s->runs = 0;
            l.s = (fl_runs_scores){.score = empty};
        }
        s->runs++;
    }
    l.s.runs = l.s.score ? 1 : 0;
    fl_runs_free(&l.s);
    free(text);
    return st;
}

void fl_runs_free(fl_runs_scores *s)
{
    for (uint32_t i = 0; i < s->runs; i++) free(s->score[i]);
    free(s->score);
    free(s->y);
    free(s->cluster);
    free(s->part);
    *s = (fl_runs_scores){0};
}

/* ---- figures ---- */

typedef struct {
    const fl_runs_scores *s;
    uint32_t seeds;
    bool ap;
    /* By run and period: the period's rows, and their order by score. */
    fl_scored *part; /* [runs][parts] */
    size_t **order, **row;
    double *weight; /* [n] of a period's rows */
    fl_rng rng;     /* of seeds */
    bool failed;
} figures;

static bool take_part(figures *f, uint32_t run, uint32_t p)
{
    const fl_runs_scores *s = f->s;
    size_t k = (size_t)run * s->parts + p, n = 0;
    size_t *row = fl_alloc(s->n, sizeof *row);
    double *score = fl_alloc(s->n, sizeof *score);
    float *y = fl_alloc(s->n, sizeof *y);

    f->row[k] = row;
    f->part[k].score = score;
    f->part[k].y = y;
    if (!row || !score || !y) return false;
    for (size_t i = 0; i < s->n; i++) {
        if (s->part[i] != p) continue;
        row[n] = i;
        score[n] = s->score[run][i];
        y[n++] = s->y[i];
    }
    f->part[k].n = n;
    f->part[k].parts = 1;
    f->order[k] = fl_order_scores(score, n);
    return f->order[k] != NULL;
}

static bool take_parts(figures *f)
{
    size_t all = (size_t)f->s->runs * f->s->parts;

    f->part = fl_calloc(all, sizeof *f->part);
    f->order = fl_calloc(all, sizeof *f->order);
    f->row = fl_calloc(all, sizeof *f->row);
    f->weight = fl_alloc(f->s->n, sizeof *f->weight);
    if (!f->part || !f->order || !f->row || !f->weight) return false;
    for (uint32_t run = 0; run < f->s->runs; run++)
        for (uint32_t p = 0; p < f->s->parts; p++)
            if (!take_part(f, run, p)) return false;
    return true;
}

static void free_parts(figures *f)
{
    for (size_t k = 0; f->part && f->order && f->row && k < (size_t)f->s->runs * f->s->parts; k++) {
        free((void *)(uintptr_t)f->part[k].score);
        free((void *)(uintptr_t)f->part[k].y);
        free(f->order[k]);
        free(f->row[k]);
    }
    free(f->part);
    free(f->order);
    free(f->row);
    free(f->weight);
}

/* Mean over periods; a draw without both classes in a period leaves that period out. */
static double figure(figures *f, uint32_t run, const double *weight)
{
    double sum = 0, count = 0;

    for (uint32_t p = 0; p < f->s->parts; p++) {
        size_t k = (size_t)run * f->s->parts + p;
        const fl_scored *s = &f->part[k];
        for (size_t i = 0; weight && i < s->n; i++) f->weight[i] = weight[f->row[k][i]];
        const double *w = weight ? f->weight : NULL;
        double v = f->ap ? fl_average_precision(s, f->order[k], w) : fl_auc(s, f->order[k], w);
        if (!isfinite(v)) continue;
        sum += v;
        count++;
    }
    return count > 0 ? sum / count : .5;
}

/* out: off, on, on - off. With weights, seeds are drawn too. */
static void compare(void *self, const double *weight, double *out)
{
    figures *f = self;
    double off = 0, on = 0;

    for (uint32_t i = 0; i < f->seeds; i++) {
        uint32_t seed = weight ? (uint32_t)fl_rng_below(&f->rng, f->seeds) : i;
        off += figure(f, seed, weight) / f->seeds;
        on += figure(f, f->seeds + seed, weight) / f->seeds;
    }
    out[0] = off;
    out[1] = on;
    out[2] = on - off;
}

florin_status fl_gain_of(fl_gain *out, const fl_runs_scores *s, uint32_t seeds, bool ap,
                         uint32_t draws, const florin_context *ctx, florin_error *err)
{
    figures f = {.s = s, .seeds = seeds, .ap = ap};
    fl_interval of[3];
    florin_status st = take_parts(&f) ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "%zu rows", s->n);

    fl_rng_seed(&f.rng, 7);
    if (!st) st = fl_bootstrap_figures(of, 3, compare, &f, s->cluster, s->n, draws, 1, ctx, err);
    if (!st) *out = (fl_gain){of[0].value, of[1].value, of[2]};
    free_parts(&f);
    return st;
}

florin_status fl_mean_of(double *out, const fl_runs_scores *s, bool ap, florin_error *err)
{
    figures f = {.s = s, .ap = ap};
    florin_status st = take_parts(&f) ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "%zu rows", s->n);

    *out = 0;
    for (uint32_t i = 0; i < s->runs && !st; i++) *out += figure(&f, i, NULL) / s->runs;
    free_parts(&f);
    return st;
}
