/* Why a score is what it is. Path attributions of the head are added up by story (time scales of one feature, several
 * views of one amount, surprise and tail of one field, all of a stream's embedding); what raised the score comes first
 * and is told by its strongest member; strong surprises that the head does not use follow with share 0. */
#include "score/reasons.h"
#include "score/words.h"
#include <math.h>
#include <stdio.h>

/* A field that had less than this chance is worth telling even if no head uses it: 1 in 100. */
static const float SURPRISE_NATS = 4.6f;

/* Of a story's members one that is there ("7 new cards in a day") says more than one that is not ("no new cards in an
 * hour"): what is nought or unknown tells the story only when it counts four times as much. */
#define ABSENT_WEIGHT 0.25f

/* What raised the score by less than this share of all that did is noise, not a reason. */
static const float SHARE_LEAST = 0.01f;

/* Inputs of one story that are added up in lanes: an embedding has hundreds. */
enum { TOGETHER = 32 };

typedef struct {
    uint32_t column; /* of the strongest member */
    uint32_t code;   /* story number: columns of one story share it */
    float sum, best; /* attribution in log-odds: of the story, of its strongest member */
} story;

/* Columns that say what is normal for an entity or a pair; UINT32_MAX: the model has none. */
typedef struct {
    uint32_t amount, events, gap;
    float high; /* ratio to the normal from which an amount counts as high; 0: unknown */
    char about[64];
} normal_columns;

struct fl_reasoner {
    const fl_model *model;
    uint32_t width;
    fl_told *told;     /* [width] */
    uint32_t *code_of; /* [width] column -> story number */
    float *least;      /* [width] fl_told_least of fold features, else -INFINITY */
    uint32_t codes;
    float *contribution; /* [width] of the head's inputs */
    float *telling;      /* [width] the same, less for what is absent */
    uint32_t *code;      /* [width] their stories */
    story *stories;      /* [width] by number */
    normal_columns of_kind[FL_KINDS_MAX], of_pair[FL_PAIRS_MAX];
};

static uint32_t fold_column(const fl_model *m, const char *owner, const char *slot)
{
    char name[192];
    snprintf(name, sizeof name, "%s.%s", owner, slot);
    for (uint32_t i = 0; i < fl_fold_features(fl_model_plan(m)); i++)
        if (!strcmp(fl_fold_feature_at(fl_model_plan(m), i)->name, name)) return i;
    return UINT32_MAX;
}

static void find_normal(const fl_model *m, normal_columns *n, const char *owner, const char *about)
{
    n->amount = fold_column(m, owner, "normal_amount");
    n->events = fold_column(m, owner, "events");
    n->gap = fold_column(m, owner, "gap_mean");
    snprintf(n->about, sizeof n->about, "%s", about);
}

static void find_normals(fl_reasoner *r)
{
    const fl_schema *s = fl_model_schema(r->model);
    for (uint32_t k = 0; k < s->kinds; k++) {
        find_normal(r->model, &r->of_kind[k], s->kind[k].name, s->kind[k].name);
        r->of_kind[k].high = fl_fold_high_ratio(fl_model_plan(r->model), (int)k);
    }
    for (uint32_t p = 0; p < s->pairs; p++) {
        const char *a = s->kind[s->pair[p].a].name, *b = s->kind[s->pair[p].b].name;
        char owner[64], about[64];
        snprintf(owner, sizeof owner, "%.25s_%.25s", a, b);
        snprintf(about, sizeof about, "%.25s with %.25s", a, b);
        find_normal(r->model, &r->of_pair[p], owner, about);
    }
}

florin_status fl_reasoner_new(fl_reasoner **out, const fl_model *m, florin_error *err)
{
    *out = NULL;
    fl_reasoner *r = fl_calloc(1, sizeof *r);
    if (!r) return fl_fail(err, FLORIN_ENOMEM, "reasons");
    r->model = m;
    r->width = fl_model_row_width(m);
    r->told = fl_calloc(r->width, sizeof *r->told);
    r->code_of = fl_calloc(r->width, sizeof *r->code_of);
    r->least = fl_calloc(r->width, sizeof *r->least);
    r->contribution = fl_calloc(r->width, sizeof *r->contribution);
    r->stories = fl_calloc(r->width, sizeof *r->stories);
    r->telling = fl_calloc(r->width, sizeof *r->telling);
    r->code = fl_calloc(r->width, sizeof *r->code);
    if (!r->told || !r->code_of || !r->least || !r->contribution || !r->telling || !r->code ||
        !r->stories) {
        fl_reasoner_free(r);
        return fl_fail(err, FLORIN_ENOMEM, "reasons");
    }
    for (uint32_t c = 0; c < r->width; c++) {
        fl_told_of(m, c, &r->told[c]);
        /* Neighbours often share a story: all columns of an embedding do. */
        uint32_t first = c && !strcmp(r->told[c - 1].code, r->told[c].code) ? c - 1 : 0;
        while (strcmp(r->told[first].code, r->told[c].code)) first++;
        r->code_of[c] = first == c ? r->codes++ : r->code_of[first];
        r->least[c] = c < fl_model_row_surprise(m) ? fl_told_least(&r->told[c]) : -INFINITY;
    }
    find_normals(r);
    *out = r;
    return FLORIN_OK;
}

void fl_reasoner_free(fl_reasoner *r)
{
    if (!r) return;
    free(r->told);
    free(r->code_of);
    free(r->least);
    free(r->contribution);
    free(r->telling);
    free(r->code);
    free(r->stories);
    free(r);
}

/* The story with the largest sum, NULL: none is above `least`; a tie keeps the order of columns, so that the same row gives
 * the same reasons. */
static story *strongest(const fl_reasoner *r, float least)
{
    story *best = NULL;
    for (uint32_t i = 0; i < r->codes; i++)
        if (r->stories[i].sum > least) {
            best = &r->stories[i];
            least = best->sum;
        }
    return best;
}

/* "card: usually 23.10 EUR, rarely above 90.00 EUR; a visit every 2.1 days; 57 events so far". */
static void normal_of(const fl_reasoner *r, const fl_told *t, const float *row,
                      char out[sizeof((fl_reason *)0)->normal])
{
    const fl_schema *s = fl_model_schema(r->model);
    const normal_columns *n = t->owner >= 0    ? &r->of_kind[t->owner]
                              : t->owner <= -2 ? &r->of_pair[-2 - t->owner]
                                               : NULL;
    enum { N = sizeof((fl_reason *)0)->normal };
    char a[48], b[48];
    if (!n || n->events == UINT32_MAX || !(row[n->events] >= 1)) return;
    int at = snprintf(out, N, "%s: ", n->about);
    float amount = n->amount == UINT32_MAX ? -1 : row[n->amount];
    float gap = n->gap == UINT32_MAX ? -1 : row[n->gap];
    if (amount > 0 && t->part != FL_NORMAL_PACE) {
        at +=
            snprintf(out + at, N - (size_t)at, "usually %s", fl_words_money(s, (double)amount, a));
        if (n->high > 0)
            at += snprintf(out + at, N - (size_t)at, ", rarely above %s",
                           fl_words_money(s, (double)(amount * n->high), b));
        at += snprintf(out + at, N - (size_t)at, "; ");
    }
    if (gap > 0 && t->part != FL_NORMAL_AMOUNT)
        at +=
            snprintf(out + at, N - (size_t)at, "a visit every %s; ", fl_words_days((double)gap, a));
    snprintf(out + at, N - (size_t)at, "%.0f event%s so far", (double)row[n->events],
             row[n->events] == 1 ? "" : "s");
}

static void fill(const fl_reasoner *r, const float *row, const story *g, float total,
                 fl_reason *out)
{
    const fl_told *t = &r->told[g->column];
    memset(out, 0, sizeof *out);
    memcpy(out->code, t->code, sizeof out->code);
    out->value = row[g->column];
    out->share = total > 0 && g->sum > 0 ? g->sum / total : 0;
    fl_told_text(r->model, t, out->value, out->text);
    normal_of(r, t, row, out->normal);
}

/* What one input tells. Signs are as good as random, so what follows from them is chosen without a branch. */
static inline void add_one(story *g, uint32_t column, float part, float telling)
{
    const float best = g->best;
    const uint32_t was = g->column, more = 0u - (telling > best);
    g->sum += part;
    g->best = telling > best ? telling : best;
    g->column = (column & more) | (was & ~more);
}

/* TOGETHER inputs of one story: their sum, and the first of the strongest. */
static void add_together(story *g, const uint32_t *column, const float *part, const float *telling)
{
    enum { LANES = 8 };
    float sum[LANES] = {0}, best[LANES], most = g->best;
    uint32_t first = 0;
    for (uint32_t l = 0; l < LANES; l++) best[l] = telling[l];
    for (uint32_t i = 0; i < TOGETHER; i += LANES)
        for (uint32_t l = 0; l < LANES; l++) {
            float v = telling[i + l];
            sum[l] += part[i + l];
            best[l] = v > best[l] ? v : best[l];
        }
    for (uint32_t l = 0; l < LANES; l++) {
        g->sum += sum[l];
        most = best[l] > most ? best[l] : most;
    }
    if (!(most > g->best)) return;
    while (telling[first] < most) first++;
    g->best = most;
    g->column = column[first];
}

static bool all_same(const uint32_t *code)
{
    uint32_t differ = 0;
    for (uint32_t i = 0; i < TOGETHER; i++) differ |= code[i] ^ code[0];
    return !differ;
}

/* Contributions to stories. */
static void add_up(fl_reasoner *r, const fl_head *head, const float *row)
{
    static const float weight[2] = {1, ABSENT_WEIGHT};
    const uint32_t *column = fl_head_columns(head), n = fl_head_inputs(head);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t c = column[i];
        r->code[i] = r->code_of[c];
        r->telling[i] = r->contribution[i] * weight[row[c] < r->least[c]];
    }
    for (uint32_t i = 0; i < n;) {
        story *g = &r->stories[r->code[i]];
        if (i + TOGETHER <= n && r->code[i] == r->code[i + TOGETHER - 1] && all_same(r->code + i)) {
            add_together(g, column + i, r->contribution + i, r->telling + i);
            i += TOGETHER;
        } else {
            add_one(g, column[i], r->contribution[i], r->telling[i]);
            i++;
        }
    }
}

uint32_t fl_reasons(fl_reasoner *r, const fl_head *head, const float *row, fl_reason *out,
                    uint32_t max)
{
    float bias, total = 0;
    uint32_t used = 0;
    for (uint32_t i = 0; i < r->codes; i++) r->stories[i] = (story){.code = i, .best = -INFINITY};
    fl_head_attribute(head, row, r->contribution, &bias);
    add_up(r, head, row);
    for (uint32_t i = 0; i < r->codes; i++)
        if (r->stories[i].sum > 0) total += r->stories[i].sum;
    story *g;
    while (used < max && (g = strongest(r, total * SHARE_LEAST))) {
        fill(r, row, g, total, &out[used++]);
        g->sum = -INFINITY;
    }

    for (uint32_t c = fl_model_row_surprise(r->model);
         c < fl_model_row_tail(r->model) && used < max; c++) {
        bool told = row[c] < SURPRISE_NATS;
        for (uint32_t i = 0; i < used; i++) told |= !strcmp(out[i].code, r->told[c].code);
        if (told) continue;
        story rare = {.column = c, .code = r->code_of[c]};
        fill(r, row, &rare, 0, &out[used++]);
    }
    return used;
}
