/* Why a score is what it is. Path attributions of the head are added up by group (time scales of one feature,
 * surprise and tail of one field, all of a stream's embedding); what raised the score comes first; strong
 * surprises that the head does not use follow with share 0. */
#include "score/reasons.h"
#include <math.h>
#include <stdio.h>

/* A field that had less than this chance is worth telling even if no head uses it: 1 in 100. */
static const float SURPRISE_NATS = 4.6f;

typedef struct {
    uint32_t column; /* of the strongest member */
    uint32_t code;   /* group number: columns of one group share it */
    float sum, best; /* attribution in log-odds: of the group, of its strongest member */
} group;

struct fl_reasoner {
    const fl_model *model;
    uint32_t width;
    uint32_t *code_of; /* [width] column -> group number, worked out once */
    char (*code)[112]; /* [width] by group number */
    uint32_t codes;
    float *contribution; /* [width] */
    group *groups;       /* [width] by group number, then sorted */
};

static const char *stream_kind(const fl_schema *s, const char *name)
{
    int k = fl_schema_role(s, strstr(name, ":payee.") ? FL_ROLE_PAYEE : FL_ROLE_PAYER);
    return k < 0 ? "entity" : s->kind[k].name;
}

static const char *field_of(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot ? dot + 1 : name;
}

/* "card.count_1h" and "card.count_7d" belong to "card.count". */
static void strip_scale(char *code)
{
    char *u = strrchr(code, '_');
    if (!u || u[1] < '0' || u[1] > '9') return;
    size_t digits = strspn(u + 1, "0123456789");
    if (strspn(u + 1 + digits, "mhdw") == 1 && !u[2 + digits]) *u = 0;
}

static void column_code(const fl_model *m, uint32_t column, char code[112])
{
    const char *name = fl_model_row_name(m, column);
    const char *kind = stream_kind(fl_model_schema(m), name);
    if (!strncmp(name, "fold:", 5)) {
        snprintf(code, 112, "%s", name + 5);
        strip_scale(code);
    } else if (!strncmp(name, "embedding:", 10)) {
        snprintf(code, 112, "pattern.%s", kind);
    } else {
        snprintf(code, 112, "unusual.%.48s.%.48s", kind, field_of(name));
    }
}

florin_status fl_reasoner_new(fl_reasoner **out, const fl_model *m, florin_error *err)
{
    *out = NULL;
    fl_reasoner *r = fl_calloc(1, sizeof *r);
    if (!r) return fl_fail(err, FLORIN_ENOMEM, "reasons");
    r->model = m;
    r->width = fl_model_row_width(m);
    r->code_of = fl_calloc(r->width, sizeof *r->code_of);
    r->code = fl_calloc(r->width, sizeof *r->code);
    r->contribution = fl_calloc(r->width, sizeof *r->contribution);
    r->groups = fl_calloc(r->width, sizeof *r->groups);
    if (!r->code_of || !r->code || !r->contribution || !r->groups) {
        fl_reasoner_free(r);
        return fl_fail(err, FLORIN_ENOMEM, "reasons");
    }
    for (uint32_t c = 0; c < r->width; c++) {
        char code[112];
        column_code(m, c, code);
        uint32_t i = 0;
        while (i < r->codes && strcmp(r->code[i], code)) i++;
        if (i == r->codes) memcpy(r->code[r->codes++], code, sizeof code);
        r->code_of[c] = i;
    }
    *out = r;
    return FLORIN_OK;
}

void fl_reasoner_free(fl_reasoner *r)
{
    if (!r) return;
    free(r->code_of);
    free(r->code);
    free(r->contribution);
    free(r->groups);
    free(r);
}

/* Insert by falling sum; a tie keeps the order of columns, so that the same row gives the same reasons. */
static void sort_groups(group *g, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        group x = g[i];
        uint32_t j = i;
        for (; j && g[j - 1].sum < x.sum; j--) g[j] = g[j - 1];
        g[j] = x;
    }
}

static void text_of_fold(const fl_model *m, uint32_t column, float v, fl_reason *out)
{
    const fl_fold_feature *f = fl_fold_feature_at(fl_model_plan(m), column);
    bool age = !strcmp(f->unit, "days") || !strcmp(f->unit, "hours") || !strcmp(f->unit, "seconds");
    if (v < 0 && age) snprintf(out->text, sizeof out->text, "%s: never so far", f->meaning);
    else if (!strcmp(f->unit, "share"))
        snprintf(out->text, sizeof out->text, "%s: %.3g %%", f->meaning, 100.0 * (double)v);
    else if (!strcmp(f->unit, "ratio"))
        snprintf(out->text, sizeof out->text, "%s: %.3g times", f->meaning, (double)v);
    else if (!strcmp(f->unit, "flag"))
        snprintf(out->text, sizeof out->text, "%s: %s", f->meaning, v > 0 ? "yes" : "no");
    else snprintf(out->text, sizeof out->text, "%s: %.4g %s", f->meaning, (double)v, f->unit);
}

static void text_of_surprise(const char *kind, const char *field, float nats, fl_reason *out)
{
    double percent = 100 * exp(-(double)nats);
    const char *what = !strcmp(field, "gap") ? "time since the last event" : field;
    snprintf(out->text, sizeof out->text, "%s is unusual for this %s: expected in %.2g %% of cases",
             what, kind, percent);
}

/* Tail t: |t| = -log10 of the probability of something as extreme. */
static void text_of_tail(const char *kind, const char *field, float t, fl_reason *out)
{
    double rare = 100 * pow(10, -fabs((double)t));
    if (!strcmp(field, "gap"))
        snprintf(out->text, sizeof out->text,
                 "it comes %s after the last event than all but %.2g %% of this %s's events",
                 t >= 0 ? "later" : "sooner", rare, kind);
    else
        snprintf(out->text, sizeof out->text,
                 "%s is %s than all but %.2g %% of what this %s usually does", field,
                 t >= 0 ? "higher" : "lower", rare, kind);
}

static void text_of(const fl_reasoner *r, uint32_t column, fl_reason *out)
{
    const char *name = fl_model_row_name(r->model, column);
    const char *kind = stream_kind(fl_model_schema(r->model), name);
    if (!strncmp(name, "fold:", 5)) text_of_fold(r->model, column, out->value, out);
    else if (!strncmp(name, "surprise:", 9))
        text_of_surprise(kind, field_of(name), out->value, out);
    else if (!strncmp(name, "tail:", 5)) text_of_tail(kind, field_of(name), out->value, out);
    else
        snprintf(out->text, sizeof out->text,
                 "the recent history of this %s as a whole looks like earlier cases", kind);
}

static int kind_of(const fl_reasoner *r, uint32_t column)
{
    const fl_fold_plan *plan = fl_model_plan(r->model);
    if (column < fl_fold_features(plan)) return fl_fold_feature_at(plan, column)->kind;
    const char *name = fl_model_row_name(r->model, column);
    return fl_schema_role(fl_model_schema(r->model),
                          strstr(name, ":payee.") ? FL_ROLE_PAYEE : FL_ROLE_PAYER);
}

static void normal_of(const fl_reasoner *r, int kind, const fl_fold_record *const *rec,
                      fl_reason *out)
{
    fl_fold_normal n;
    if (kind < 0 || !rec[kind] || !fl_fold_normal_of(fl_model_plan(r->model), kind, rec[kind], &n))
        return;
    const fl_schema *s = fl_model_schema(r->model);
    double gap = (double)n.gap_s;
    const char *unit = gap >= 172800 ? "days" : gap >= 7200 ? "hours" : "minutes";
    double scaled = gap / (gap >= 172800 ? 86400 : gap >= 7200 ? 3600 : 60);
    snprintf(out->normal, sizeof out->normal,
             "%s: usually %.2f %s, rarely above %.2f; an event every %.1f %s; %u events seen",
             s->kind[kind].name, (double)n.amount, s->currency, (double)n.amount_high, scaled, unit,
             n.events);
}

static void fill(const fl_reasoner *r, const float *row, const group *g, float total,
                 const fl_fold_record *const *rec, fl_reason *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->code, r->code[g->code], sizeof out->code);
    out->value = row[g->column];
    out->share = total > 0 && g->sum > 0 ? g->sum / total : 0;
    text_of(r, g->column, out);
    normal_of(r, kind_of(r, g->column), rec, out);
}

uint32_t fl_reasons(fl_reasoner *r, const fl_head *head, const float *row,
                    const fl_fold_record *const *rec, fl_reason *out, uint32_t max)
{
    float bias, total = 0;
    uint32_t used = 0;
    for (uint32_t i = 0; i < r->codes; i++) r->groups[i] = (group){.code = i, .best = -INFINITY};
    fl_head_attribute(head, row, r->contribution, &bias);
    for (uint32_t i = 0; i < fl_head_inputs(head); i++) {
        uint32_t c = fl_head_input(head, i);
        group *g = &r->groups[r->code_of[c]];
        g->sum += r->contribution[i];
        if (r->contribution[i] > g->best) {
            g->best = r->contribution[i];
            g->column = c;
        }
    }
    sort_groups(r->groups, r->codes);
    for (uint32_t i = 0; i < r->codes && r->groups[i].sum > 0; i++) total += r->groups[i].sum;
    for (uint32_t i = 0; i < r->codes && used < max && r->groups[i].sum > 0; i++)
        fill(r, row, &r->groups[i], total, rec, &out[used++]);

    for (uint32_t c = fl_model_row_surprise(r->model);
         c < fl_model_row_tail(r->model) && used < max; c++) {
        bool told = row[c] < SURPRISE_NATS;
        for (uint32_t i = 0; i < used; i++) told |= !strcmp(out[i].code, r->code[r->code_of[c]]);
        if (told) continue;
        group g = {.column = c, .code = r->code_of[c]};
        fill(r, row, &g, 0, rec, &out[used++]);
    }
    return used;
}
