/* Groups of alike entities, and what sets each apart. */
#include "similar/entities.h"
#include <math.h>
#include <stdio.h>

enum { ROUNDS = 50 };

typedef struct {
    const fl_kernels *kernels;
    const float *x; /* [n][w] unit vectors */
    uint32_t n, w, k;
    float *middle;   /* [k][w] */
    uint32_t *group; /* [n] */
    float *cosine;   /* [n] to the own middle */
    uint32_t *size;  /* [k] */
} means;

static void first_middles(means *m, fl_rng *rng)
{
    uint32_t at = (uint32_t)fl_rng_below(rng, m->n);

    for (uint32_t i = 0; i < m->n; i++) m->cosine[i] = -1;
    for (uint32_t g = 0; g < m->k; g++) {
        const float *x = m->x + (size_t)at * m->w;
        double sum = 0, drawn;
        memcpy(m->middle + (size_t)g * m->w, x, m->w * sizeof *x);
        for (uint32_t i = 0; i < m->n; i++) {
            float c = m->kernels->dot(m->x + (size_t)i * m->w, x, m->w);
            if (c > m->cosine[i]) m->cosine[i] = c;
            sum += 1 - (double)fminf(m->cosine[i], 1);
        }
        drawn = fl_rng_double(rng) * sum;
        for (at = 0; at + 1 < m->n && drawn >= 0; at++)
            if ((drawn -= 1 - (double)fminf(m->cosine[at], 1)) < 0) break;
    }
}

/* How many changed their group. */
static uint32_t assign(means *m)
{
    uint32_t moved = 0;
    float score[256];

    for (uint32_t i = 0; i < m->n; i++) {
        uint32_t best = 0;
        m->kernels->dots(score, m->middle, m->x + (size_t)i * m->w, NULL, m->k, m->w);
        for (uint32_t g = 1; g < m->k; g++)
            if (score[g] > score[best]) best = g;
        moved += m->group[i] != best;
        m->group[i] = best;
        m->cosine[i] = score[best];
    }
    return moved;
}

/* A group that nobody is in keeps its middle. */
static void move_middles(means *m)
{
    memset(m->size, 0, m->k * sizeof *m->size);
    for (uint32_t i = 0; i < m->n; i++) m->size[m->group[i]]++;
    for (uint32_t g = 0; g < m->k; g++)
        if (m->size[g]) memset(m->middle + (size_t)g * m->w, 0, m->w * sizeof *m->middle);
    for (uint32_t i = 0; i < m->n; i++)
        m->kernels->add(m->middle + (size_t)m->group[i] * m->w, m->x + (size_t)i * m->w, m->w);
    fl_unit_rows(m->middle, m->k, m->w);
}

/* Groups by falling size, and numbered so; ties: by their first entity. */
static void number_groups(means *m)
{
    uint32_t order[256], place[256], first[256];

    memset(m->size, 0, m->k * sizeof *m->size);
    for (uint32_t i = m->n; i-- > 0;) {
        m->size[m->group[i]]++;
        first[m->group[i]] = i;
    }
    for (uint32_t g = 0; g < m->k; g++) {
        uint32_t at = g;
        while (at > 0 && (m->size[g] > m->size[order[at - 1]] ||
                          (m->size[g] && m->size[g] == m->size[order[at - 1]] &&
                           first[g] < first[order[at - 1]]))) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = g;
    }
    uint32_t size[256];
    for (uint32_t g = 0; g < m->k; g++) {
        place[order[g]] = g;
        size[g] = m->size[order[g]];
    }
    memcpy(m->size, size, m->k * sizeof *size);
    for (uint32_t i = 0; i < m->n; i++) m->group[i] = place[m->group[i]];
}

/* --- in words --- */

static int by_float(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

typedef struct {
    double apart; /* how far the group's median lies from the crowd's, in ranks: 0 to .5 */
    char code[FL_CODE_MAX], text[FL_WORDS_MAX + 64];
} saying;

static void add_saying(saying *best, uint32_t *n, const saying *one)
{
    uint32_t at = *n;

    for (uint32_t i = 0; i < *n; i++) {
        if (strcmp(best[i].code, one->code)) continue;
        if (best[i].apart >= one->apart) return;
        memmove(best + i, best + i + 1, (*n - i - 1) * sizeof *best);
        at = --*n;
        break;
    }
    while (at > 0 && one->apart > best[at - 1].apart) at--;
    if (at == FL_SEGMENT_SAYS) return;
    uint32_t keep = *n < FL_SEGMENT_SAYS ? *n : FL_SEGMENT_SAYS - 1;
    memmove(best + at + 1, best + at, (keep - at) * sizeof *best);
    best[at] = *one;
    *n = keep + 1;
}

/* Column c of the fold, for every group. */
static void say_column(saying (*best)[FL_SEGMENT_SAYS], uint32_t *says, const fl_known_crowd *k,
                       const means *m, uint32_t c, float *values)
{
    uint32_t n = m->n, folds = k->crowd.folds;
    const float *all = k->crowd.fold + c; /* folds apart */
    bool differ = false;
    fl_told told;

    for (uint32_t i = 1; i < n && !differ; i++) differ = all[(size_t)i * folds] != all[0];
    if (!differ) return;
    fl_told_of(k->m, k->feature[c], &told);
    for (uint32_t g = 0; g < m->k; g++) {
        uint32_t in = 0, below = 0, equal = 0;
        saying one;
        for (uint32_t i = 0; i < n; i++)
            if (m->group[i] == g) values[in++] = all[(size_t)i * folds];
        if (!in) continue;
        qsort(values, in, sizeof *values, by_float);
        float median = values[in / 2];
        for (uint32_t i = 0; i < n; i++) {
            below += all[(size_t)i * folds] < median;
            equal += all[(size_t)i * folds] == median;
        }
        double rank = ((double)below + .5 * equal) / n;
        one.apart = fabs(rank - .5);
        if (one.apart < .15) continue;
        memcpy(one.code, told.code, sizeof one.code);
        char text[FL_WORDS_MAX];
        fl_told_text(k->m, &told, median, text);
        snprintf(one.text, sizeof one.text, "%s (%s than for %.0f %% of all)", text,
                 rank > .5 ? "more" : "less", 100 * (rank > .5 ? rank : 1 - rank));
        add_saying(best[g], &says[g], &one);
    }
}

/* The value of field f that is usual in a group most often beyond its share in all. */
static void say_field(saying (*best)[FL_SEGMENT_SAYS], uint32_t *says, const fl_known_crowd *k,
                      const means *m, uint32_t f, uint32_t *in, uint32_t *all)
{
    uint32_t values = fl_log_values(k->log, (int)f);

    memset(all, 0, ((size_t)values + 1) * sizeof *all);
    for (uint32_t i = 0; i < m->n; i++) all[k->code[f][i]]++;
    for (uint32_t g = 0; g < m->k; g++) {
        uint32_t top = 0;
        double gain = 0;
        memset(in, 0, ((size_t)values + 1) * sizeof *in);
        for (uint32_t i = 0; i < m->n; i++)
            if (m->group[i] == g) in[k->code[f][i]]++;
        for (uint32_t v = 1; v <= values && m->size[g]; v++) {
            double more = (double)in[v] / m->size[g] - (double)all[v] / m->n;
            if (more > gain) {
                gain = more;
                top = v;
            }
        }
        if (!top || gain < .1) continue;
        saying one = {.apart = fmin(.5, 2 * gain)};
        const char *name = fl_log_schema(k->log)->category[f].name;
        size_t len = 0;
        const char *v =
            fl_log_value_text(k->log, (int)f, fl_log_value_hash(k->log, (int)f, top - 1), &len);
        snprintf(one.code, sizeof one.code, "field.%s", name);
        snprintf(one.text, sizeof one.text, "the usual %s is %.*s for %.0f %% (of all: %.0f %%)",
                 name, (int)(len < 80 ? len : 80), v ? v : "?", 100. * in[top] / m->size[g],
                 100. * all[top] / m->n);
        add_saying(best[g], &says[g], &one);
    }
}

static florin_status describe(fl_segment *out, const means *m, const fl_known_crowd *k,
                              florin_error *err)
{
    uint32_t most = 1, says[256] = {0};
    for (uint32_t f = 0; f < fl_log_schema(k->log)->categories; f++)
        if (fl_log_values(k->log, (int)f) > most) most = fl_log_values(k->log, (int)f);
    saying(*best)[FL_SEGMENT_SAYS] = fl_calloc(m->k, sizeof *best);
    float *values = fl_alloc(m->n, sizeof *values);
    uint32_t *in = fl_alloc((size_t)most + 1, 2 * sizeof *in);
    florin_status st =
        best && values && in ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "out of memory");

    for (uint32_t c = 0; !st && c < k->columns; c++) say_column(best, says, k, m, c, values);
    for (uint32_t f = 0; !st && f < fl_log_schema(k->log)->categories; f++)
        say_field(best, says, k, m, f, in, in + most + 1);
    for (uint32_t g = 0; !st && g < m->k; g++) {
        fl_near middle[3];
        uint32_t found = 0;
        for (uint32_t i = 0; i < m->n; i++)
            if (m->group[i] == g) fl_near_add(middle, &found, 3, (fl_near){i, m->cosine[i]});
        out[g] = (fl_segment){.n = m->size[g], .says = says[g]};
        for (uint32_t i = 0; i < 3; i++) out[g].middle[i] = i < found ? middle[i].item : UINT32_MAX;
        for (uint32_t i = 0; i < says[g]; i++)
            memcpy(out[g].text[i], best[g][i].text, sizeof out[g].text[i]);
    }
    free(best);
    free(values);
    free(in);
    return st;
}

florin_status fl_segments(fl_segment *out, uint32_t *of, uint32_t k, const fl_known_crowd *c,
                          fl_by by, uint64_t seed, const florin_context *ctx, florin_error *err)
{
    means m = {.kernels = fl_model_kernels(c->m), .n = c->crowd.n, .k = k};
    float *x = NULL;
    fl_rng rng;
    florin_status st = FLORIN_OK;

    if (k < 2 || k > 64 || k > m.n)
        return fl_fail(err, FLORIN_EUSAGE, "segments: 2 to 64, and at most the %u entities", m.n);
    st = fl_near_vectors(&x, &m.w, &c->crowd, by, err);
    m.x = x;
    m.middle = fl_alloc((size_t)k * (m.w + 1), sizeof *m.middle);
    m.group = fl_calloc(m.n, sizeof *m.group);
    m.cosine = fl_alloc(m.n, sizeof *m.cosine);
    m.size = fl_calloc(k, sizeof *m.size);
    if (!st && !(m.middle && m.group && m.cosine && m.size))
        st = fl_fail(err, FLORIN_ENOMEM, "out of memory");
    if (st) goto done;
    fl_rng_seed(&rng, seed);
    first_middles(&m, &rng);
    for (uint32_t round = 0; round < ROUNDS && !st; round++) {
        uint32_t moved = assign(&m);
        if (round && !moved) break;
        move_middles(&m);
        fl_progress(ctx, "segments", round + 1, ROUNDS);
        if (fl_cancelled(ctx)) st = fl_fail(err, FLORIN_ECANCELLED, "stopped");
    }
    if (!st) number_groups(&m);
    if (!st) st = describe(out, &m, c, err);
    if (!st && of) memcpy(of, m.group, m.n * sizeof *of);
done:
    free(x);
    free(m.middle);
    free(m.group);
    free(m.cosine);
    free(m.size);
    return st;
}
