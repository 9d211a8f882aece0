/* See the header. */
#include "support/support.h"
#include "support/model_fixture.h"
#include "data/log_writer.h"
#include "model/backbone.h"
#include <math.h>
#include <stdio.h>

enum { SHOPS = 300, VALUES = 5 };

static void set(char *to, const char *text)
{
    snprintf(to, FL_NAME_MAX, "%s", text);
}

fl_schema *fixture_schema(void)
{
    fl_arena *arena = fl_arena_new(1 << 12);

    assert_non_null(arena);
    fl_schema *s = fl_arena_alloc(arena, sizeof *s);
    assert_non_null(s);
    s->arena = arena;
    set(s->name, "fixture");
    set(s->currency, "EUR");
    s->time_zone = "UTC";
    s->kinds = 2;
    set(s->kind[0].name, "card");
    s->kind[0].role = FL_ROLE_PAYER;
    set(s->kind[1].name, "merchant");
    s->kind[1].role = FL_ROLE_PAYEE;
    s->categories = 4;
    set(s->category[0].name, "mcc");
    set(s->category[1].name, "code");
    s->category[1].after = true;
    set(s->category[2].name, "country");
    set(s->category[3].name, "shop");
    s->numbers = 1;
    set(s->number[0].name, "distance");
    s->labels = 1;
    set(s->label[0].name, "fraud");
    s->risk_label = 0;
    s->sources = 2;
    s->source[0].name = fl_arena_strdup(s->arena, "payment");
    s->source[1].name = fl_arena_strdup(s->arena, "refund");
    for (int i = 0; i < 2; i++) {
        s->source[i].label_of = -1;
        s->source[i].format = fl_arena_strdup(s->arena, "csv");
        s->source[i].header = true;
    }
    return s;
}

static uint64_t value_hash(uint32_t field, uint32_t i)
{
    char text[32];

    snprintf(text, sizeof text, "%u/%u", field, i);
    return fl_category_hash(text, strlen(text));
}

static void make_network(fl_network *n, fl_rng *r)
{
    for (uint32_t i = 0; i < n->categories; i++) {
        bool shop = !strcmp(n->name[i], "shop");
        uint32_t known = shop ? SHOPS - 20 : VALUES;
        uint64_t hash[SHOPS];
        for (uint32_t v = 0; v < known; v++) hash[v] = value_hash((uint32_t)n->category[i], v);
        assert_int_equal(fl_vocabulary_set(&n->vocabulary[i], hash, known, shop ? 7 : 0, NULL),
                         FLORIN_OK);
    }
    for (int b = 0; b < FL_AMOUNT_BINS - 1; b++) n->amount_edge[b] = (float)(b - 5) * 3.5f;
    n->log_amount_mean = 2.5f;
    n->log_amount_scale = 1.3f;
    for (uint32_t i = 0; i < n->features; i++) {
        n->feature_mean[i] = (float)fl_rng_double(r);
        n->feature_scale[i] = (float)(0.5 + fl_rng_double(r));
    }
}

const char *fixture_model(const char *path, const fl_schema *s, uint32_t h, uint32_t d,
                          uint64_t seed)
{
    fl_parameter *p = fl_calloc(FL_PARAMETERS_MAX, sizeof *p);
    fl_tensor *t = fl_calloc(FL_PARAMETERS_MAX, sizeof *t);
    fl_fold_plan *plan;
    fl_network *n;
    fl_rng r;
    florin_error err = {0};

    fl_rng_seed(&r, seed % FIXTURE_INT8);
    assert_int_equal(fl_fold_plan_new(&plan, s, &err), FLORIN_OK);
    assert_int_equal(fl_network_new(&n, s, h, d, fl_fold_features(plan), &err), FLORIN_OK);
    make_network(n, &r);
    n->copy = seed % 2;
    n->int8 = seed / FIXTURE_INT8 % 2;
    if (seed >= FIXTURE_TRANSFORMER) {
        n->backbone = &fl_backbone_transformer;
        n->layers = 2;
        n->block =
            (fl_block_shape){.width = 16,
                             .heads = 2,
                             .inner = 24,
                             .window = 6,
                             .positions = seed % 2 ? FL_POSITIONS_ROTARY : FL_POSITIONS_LEARNED,
                             .causal = true,
                             .pre_norm = seed % 2,
                             .bias = true,
                             .history = true,
                             .epsilon = 1e-5f};
    }
    uint32_t count = fl_network_parameters(n, p);
    for (uint32_t i = 0; i < count; i++) {
        size_t size = p[i].rows * p[i].cols;
        float *w = fl_alloc(size, sizeof *w);
        assert_non_null(w);
        double scale = p[i].rows > 1 ? 1 / sqrt((double)p[i].rows) : 0.1;
        if (strstr(p[i].name, "head")) scale = 0.3;
        for (size_t k = 0; k < size; k++) w[k] = (float)(fl_rng_normal(&r) * scale);
        t[i] = (fl_tensor){p[i].name, FL_F32, 2, {p[i].rows, p[i].cols}, w};
    }
    json_t *meta =
        json_pack("{s:o, s:o, s:o, s:{s:I}, s:[]}", "schema", fl_schema_to_json(s), "fold",
                  fl_fold_plan_to_json(plan), "network", fl_network_to_json(n), "trained",
                  "until_us", (json_int_t)(1700000000 * FL_SECOND_US), "heads");
    assert_non_null(meta);
    if (fl_model_file_save(path, meta, t, count, &err)) fail_msg("%s", err.message);
    json_decref(meta);
    for (uint32_t i = 0; i < count; i++) free((void *)(uintptr_t)t[i].data);
    free(t);
    free(p);
    fl_network_free(n);
    fl_fold_plan_free(plan);
    return path;
}

void fixture_event(fl_rng *r, const fl_schema *s, uint32_t entities, int64_t time_us, fl_event *out)
{
    memset(out, 0, sizeof *out);
    out->id = fl_rng_u64(r);
    out->time_us = time_us;
    out->type = (uint8_t)fl_rng_below(r, s->sources);
    out->amount_minor =
        fl_rng_below(r, 10) ? (int64_t)fl_rng_below(r, 20000) - 1000 : FL_AMOUNT_NONE;
    for (uint32_t k = 0; k < FL_KINDS_MAX; k++) {
        out->entity[k] = FL_NONE;
        if (k >= s->kinds || !fl_rng_below(r, 12)) continue;
        out->entity[k] = (uint32_t)fl_rng_below(r, entities);
        out->entity_hash[k] = fl_mix64(1000 * (uint64_t)(k + 1) + out->entity[k]) | 1;
    }
    for (uint32_t c = 0; c < s->categories; c++)
        if (fl_rng_below(r, 10))
            out->category[c] = value_hash(c, (uint32_t)fl_rng_below(r, c == 3 ? 400 : 8));
    out->number[0] = (float)fl_rng_normal(r) * 100;
    out->number_present = (uint32_t)fl_rng_below(r, 2);
}

static void add_event(fl_log_writer *w, const fl_schema *s, fl_rng *r, int i)
{
    fl_event e;
    fl_log_row row = {.entity = {0}};
    char text[32];
    florin_error err = {0};

    fixture_event(r, s, FIXTURE_ENTITIES, FIXTURE_START + i * FIXTURE_STEP, &e);
    row.time_us = e.time_us;
    row.amount_minor = e.amount_minor;
    row.type = e.type;
    for (uint32_t k = 0; k < FL_KINDS_MAX; k++) row.entity[k] = FL_NONE;
    for (uint32_t c = 0; c < FL_CATEGORIES_MAX; c++) row.category[c] = FL_NONE;
    for (uint32_t k = 0; k < s->kinds; k++) {
        if (e.entity[k] == FL_NONE) continue;
        snprintf(text, sizeof text, "%s-%u", s->kind[k].name, e.entity[k]);
        if (fl_log_writer_entity(w, (int)k, text, strlen(text), &row.entity[k], &err))
            fail_msg("%s", err.message);
    }
    for (uint32_t c = 0; c < s->categories; c++) {
        snprintf(text, sizeof text, "%u/%u", c, (uint32_t)fl_rng_below(r, c == 3 ? 400 : 8));
        if (!fl_rng_below(r, 8)) continue;
        if (fl_log_writer_value(w, (int)c, text, strlen(text), &row.category[c], &err))
            fail_msg("%s", err.message);
    }
    row.number[0] = e.number_present & 1 ? e.number[0] : 0;
    row.number_present = e.number_present & 1;
    snprintf(text, sizeof text, "event %d", i);
    row.id = text;
    row.id_len = strlen(text);
    if (fl_log_writer_row(w, &row, &err)) fail_msg("%s", err.message);
    if (i % 7 == 0 && fl_log_writer_label(w, fl_hash64(text, strlen(text), 0), 0, (float)(i % 2),
                                          e.time_us + FL_DAY_US, &err))
        fail_msg("%s", err.message);
}

fl_log *fixture_log(const char *name, int segments)
{
    const char *path = scratch_path(name);
    fl_schema *s = fixture_schema();
    fl_log *log;
    fl_rng r;
    florin_error err = {0};

    fl_rng_seed(&r, 21);
    for (int g = 0; g < segments; g++) {
        fl_log_writer *w;
        fl_log_written stats;
        if (fl_log_writer_open(&w, path, s, true, false, NULL, &err)) fail_msg("%s", err.message);
        for (int i = FIXTURE_EVENTS * g / segments; i < FIXTURE_EVENTS * (g + 1) / segments; i++)
            add_event(w, s, &r, i);
        if (fl_log_writer_commit(w, &stats, &err)) fail_msg("%s", err.message);
    }
    if (fl_log_open(&log, path, &err)) fail_msg("%s", err.message);
    assert_int_equal(fl_log_rows(log), FIXTURE_EVENTS);
    fl_schema_free(s);
    return log;
}
