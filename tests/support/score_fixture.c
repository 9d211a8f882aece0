/* See the header. */
#include "support/support.h"
#include "support/model_fixture.h"
#include "support/score_fixture.h"
#include "task/parts.h"
#include <stdio.h>

const char *score_log(void)
{
    static char path[512];
    florin_simulate_options o = FLORIN_SIMULATE_INIT;
    florin_context c = FLORIN_CONTEXT_INIT;
    florin_error err = {0};

    if (*path) return path;
    snprintf(path, sizeof path, "%s", scratch_path("sim"));
    o.log = path;
    o.events = SCORE_EVENTS;
    o.days = 60;
    o.cards = 60;
    o.seed = 9;
    if (florin_simulate(&c, &o, &err)) fail_msg("%s", err.message);
    return path;
}

/* A random forest of full trees of depth 3. */
static void random_forest(fl_forest *f, fl_rng *r, uint32_t inputs, uint32_t trees)
{
    enum { NODES = 15, INNER = 7 };

    f->trees = trees;
    f->nodes = trees * NODES;
    f->features = inputs;
    f->root = fl_alloc(trees, sizeof *f->root);
    f->node = fl_calloc(f->nodes, sizeof *f->node);
    assert_non_null(f->root);
    assert_non_null(f->node);
    for (uint32_t t = 0; t < trees; t++) {
        f->root[t] = t * NODES;
        for (uint32_t i = 0; i < NODES; i++) {
            fl_node *n = &f->node[t * NODES + i];
            n->mean = n->split = (float)(fl_rng_normal(r) * 0.2);
            n->feature = FL_LEAF;
            if (i >= INNER) continue;
            n->feature = (uint32_t)fl_rng_below(r, inputs);
            n->split = (float)fl_rng_normal(r) * (fl_rng_below(r, 2) ? 1 : 20);
            n->left = t * NODES + 2 * i + 1;
            n->right = n->left + 1;
        }
    }
}

static void add_head(const char *path, const char *name, int kind, uint32_t trees, uint64_t seed)
{
    fl_model *m;
    fl_rng r;
    fl_parts p;
    florin_error err = {0};

    fl_rng_seed(&r, seed);
    if (fl_model_open(&m, path, NULL, &err)) fail_msg("%s", err.message);
    memset(&p, 0, sizeof p);
    snprintf(p.name, sizeof p.name, "%s", name);
    p.per_event = kind < 0;
    p.kind = kind;
    uint32_t width = p.per_event ? fl_model_row_width(m) : fl_model_entity_width(m, kind);
    uint32_t step = (width + 79) / 80, n = (width + step - 1) / step;
    p.inputs = n;
    p.column = fl_alloc(n, sizeof *p.column);
    p.input = fl_calloc(n, sizeof *p.input);
    assert_non_null(p.column);
    assert_non_null(p.input);
    for (uint32_t i = 0; i < n; i++) {
        p.column[i] = i * step;
        p.input[i] = fl_strdup(p.per_event ? fl_model_row_name(m, i * step) : "column");
    }
    random_forest(&p.forest, &r, n, trees);
    p.trees_weight = 1;
    p.a = 1.3f;
    p.b = -2;
    fl_parts_anchor(&p, 0.02, 0.2);
    if (fl_parts_save(path, m, &p, &err)) fail_msg("%s", err.message);
    fl_parts_free(&p);
    fl_model_close(m);
}

const char *score_model(const char *path, const char *log, uint64_t seed, uint64_t head_seed)
{
    return score_model_of(path, log, 16, 20, seed, head_seed);
}

const char *score_model_of(const char *path, const char *log_path, uint32_t h, uint32_t trees,
                           uint64_t seed, uint64_t head_seed)
{
    fl_log *log;
    florin_error err = {0};

    if (fl_log_open(&log, log_path, &err)) fail_msg("%s", err.message);
    fixture_model(path, fl_log_schema(log), h, h, seed);
    add_head(path, "fraud", -1, trees, head_seed);
    add_head(path, "churn", fl_schema_kind(fl_log_schema(log), "card"), trees, head_seed + 1);
    add_head(path, "again", -1, trees, head_seed + 2);
    fl_log_close(log);
    return path;
}

void score_feed_open(score_feed *f, const char *log, const florin_scorer *names)
{
    florin_error err = {0};

    memset(f, 0, sizeof *f);
    if (fl_log_open(&f->log, log, &err)) fail_msg("%s", err.message);
    if (fl_order_open(&f->order, f->log, &err)) fail_msg("%s", err.message);
    const fl_schema *s = fl_log_schema(f->log);
    for (uint32_t i = 0; i < s->kinds; i++)
        if (florin_scorer_find(names, FLORIN_ENTITY, s->kind[i].name, &f->field[0][i], &err))
            fail_msg("%s", err.message);
    for (uint32_t i = 0; i < s->categories; i++)
        if (florin_scorer_find(names, FLORIN_CATEGORY, s->category[i].name, &f->field[1][i], &err))
            fail_msg("%s", err.message);
    for (uint32_t i = 0; i < s->numbers; i++)
        if (florin_scorer_find(names, FLORIN_NUMBER, s->number[i].name, &f->field[2][i], &err))
            fail_msg("%s", err.message);
    for (uint32_t i = 0; i < s->marks; i++)
        if (florin_scorer_find(names, FLORIN_MARK, s->mark[i].name, &f->field[3][i], &err))
            fail_msg("%s", err.message);
    for (uint32_t i = 0; i < s->labels; i++)
        if (florin_scorer_find(names, FLORIN_LABEL, s->label[i].name, &f->label[i], &err))
            fail_msg("%s", err.message);
    for (uint32_t i = 0; i < s->sources; i++)
        if (s->source[i].label_of < 0 &&
            florin_scorer_find(names, FLORIN_TYPE, s->source[i].name, &f->type[i], &err))
            fail_msg("%s", err.message);
}

void score_feed_close(score_feed *f)
{
    fl_order_close(f->order);
    fl_log_close(f->log);
}

static void give_text(score_feed *f, florin_event *out, uint32_t field, const char *text, size_t n)
{
    uint32_t i = out->n_values++;

    assert_non_null(text);
    assert_in_range(n, 1, sizeof f->text[0]);
    memcpy(f->text[i], text, n);
    f->value[i] = (florin_value){field, (uint32_t)n, f->text[i], 0};
}

static void give_event(score_feed *f, florin_event *out)
{
    const fl_schema *s = fl_log_schema(f->log);
    char number[FL_ID_NUMBER];
    fl_event e;
    size_t n;

    fl_log_event(f->log, f->row, &e);
    const char *id = fl_log_event_id(f->log, f->row, number, &n);
    memcpy(f->id, id, n);
    *out = (florin_event){.id = f->id,
                          .id_n = (uint32_t)n,
                          .type = f->type[e.type],
                          .time_us = e.time_us,
                          .amount_minor = e.amount_minor,
                          .values = f->value};
    for (uint32_t k = 0; k < s->kinds; k++) {
        if (e.entity[k] == FL_NONE) continue;
        const char *text = fl_log_entity_name(f->log, (int)k, e.entity[k], &n);
        give_text(f, out, f->field[0][k], text, n);
    }
    for (uint32_t c = 0; c < s->categories; c++) {
        if (!e.category[c]) continue;
        const char *text = fl_log_value_text(f->log, (int)c, e.category[c], &n);
        give_text(f, out, f->field[1][c], text, n);
    }
    for (uint32_t i = 0; i < s->numbers; i++)
        if (e.number_present >> i & 1)
            f->value[out->n_values++] =
                (florin_value){f->field[2][i], 0, NULL, (double)e.number[i]};
    for (uint32_t i = 0; i < s->marks; i++)
        if (e.marks >> i & 1)
            f->value[out->n_values++] = (florin_value){f->field[3][i], 0, NULL, 1};
}

fl_step score_feed_next(score_feed *f, florin_event *event, florin_label_arrival *label)
{
    fl_label l;
    fl_event of;
    int64_t clock_us;
    size_t n;
    fl_step step = fl_order_next(f->order, &f->row, &l, &clock_us);

    if (step == FL_STEP_EVENT) give_event(f, event);
    if (step != FL_STEP_LABEL) return step;
    fl_log_event(f->log, l.row, &of);
    char number[FL_ID_NUMBER];
    const char *id = fl_log_event_id(f->log, l.row, number, &n);
    memcpy(f->id, id, n);
    *label = (florin_label_arrival){f->id,   (uint32_t)n, f->type[of.type], f->label[l.label],
                                    l.value, l.arrival_us};
    return step;
}
