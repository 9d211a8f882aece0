/* The network's description as JSON and back. Outside input: every number is checked against the schema and the
 * limits before anything is sized by it. */
#include "model/backbone.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* ---- writing ---- */

static json_t *floats(const float *x, uint32_t n)
{
    json_t *a = json_array();

    for (uint32_t i = 0; i < n && a; i++)
        if (json_array_append_new(a, json_real((double)x[i]))) {
            json_decref(a);
            a = NULL;
        }
    return a;
}

/* Hashes as one string of hex digits, 16 each: a tenth of the cost of an array to read. */
static json_t *vocabulary_json(const fl_vocabulary *v)
{
    fl_buf b = {0};

    fl_buf_puts(&b, "");
    for (uint32_t i = 0; i < v->known; i++) fl_buf_printf(&b, "%016" PRIx64, v->hash[i]);
    json_t *j = b.failed ? NULL
                         : json_pack("{s:s, s:I}", "values", b.data ? b.data : "", "buckets",
                                     (json_int_t)v->buckets);
    fl_buf_free(&b);
    return j;
}

static json_t *names(const fl_network *n)
{
    json_t *a = json_array();

    for (uint32_t i = 0; i < n->categories; i++) {
        json_t *v = vocabulary_json(&n->vocabulary[i]);
        json_object_set_new(v, "field", json_string(n->name[i]));
        json_array_append_new(a, v);
    }
    return a;
}

static const char *const position_name[] = {"none", "rotary", "learned"};

static json_t *stack_json(const fl_network *n)
{
    const fl_block_shape *s = &n->block;

    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:s, s:b, s:b, s:b, s:f}", "layers",
                     (json_int_t)n->layers, "width", (json_int_t)s->width, "heads",
                     (json_int_t)s->heads, "inner", (json_int_t)s->inner, "context",
                     (json_int_t)s->window, "positions", position_name[s->positions], "pre_norm",
                     (int)s->pre_norm, "bias", (int)s->bias, "history", (int)s->history, "epsilon",
                     (double)s->epsilon);
}

json_t *fl_network_to_json(const fl_network *n)
{
    json_t *j = json_pack(
        "{s:s, s:s, s:b, s:b, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:f}", "backbone",
        n->backbone->name, "precision", n->int8 ? "int8" : "fp32", "copy", (int)n->copy, "dense",
        (int)n->dense, "h", (json_int_t)n->h, "d", (json_int_t)n->d, "features",
        (json_int_t)n->features, "categories", names(n), "amount_edge",
        floats(n->amount_edge, FL_AMOUNT_BINS - 1), "number_mean",
        floats(n->number_mean, n->numbers), "number_scale", floats(n->number_scale, n->numbers),
        "feature_mean", floats(n->feature_mean, n->features), "feature_scale",
        floats(n->feature_scale, n->features), "log_amount_mean", (double)n->log_amount_mean,
        "log_amount_scale", (double)n->log_amount_scale);

    if (j && n->layers) json_object_set_new(j, "blocks", stack_json(n));
    if (j && json_array_size(json_object_get(j, "categories")) != n->categories) {
        json_decref(j);
        j = NULL;
    }
    return j;
}

/* ---- reading ---- */

static florin_status bad(florin_error *err, const char *what)
{
    return fl_fail(err, FLORIN_EFORMAT, "model's network: %s is missing or out of range", what);
}

static bool number_ok(double v, bool scale)
{
    return isfinite(v) && fabs(v) < 1e30 && (!scale || v > 1e-20);
}

static bool read_float(const json_t *v, bool scale, float *out)
{
    double d = json_is_number(v) ? json_number_value(v) : NAN;

    if (!number_ok(d, scale)) return false;
    *out = (float)d;
    return true;
}

static florin_status read_floats(const json_t *j, const char *key, uint32_t n, bool scale,
                                 float *out, florin_error *err)
{
    const json_t *a = json_object_get(j, key);

    if (!json_is_array(a) || json_array_size(a) != n) return bad(err, key);
    for (uint32_t i = 0; i < n; i++)
        if (!read_float(json_array_get(a, i), scale, &out[i])) return bad(err, key);
    return FLORIN_OK;
}

static bool hex16(const char *s, uint64_t *out)
{
    uint64_t v = 0;

    for (int i = 0; i < 16; i++) {
        int c = s[i], digit = c >= '0' && c <= '9'   ? c - '0'
                              : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                                     : -1;
        if (digit < 0) return false;
        v = v << 4 | (uint64_t)digit;
    }
    *out = v;
    return true;
}

static florin_status read_vocabulary(fl_vocabulary *v, const char *field, const json_t *j,
                                     florin_error *err)
{
    const json_t *text = json_object_get(j, "values");
    json_int_t buckets = fl_json_int(j, "buckets", -1);
    size_t length = json_string_length(text), known = length / 16;
    uint64_t *hash = NULL;
    florin_status st;

    if (!json_is_string(text) || length % 16 || known > FL_VOCABULARY_MAX || buckets < 0 ||
        buckets > FL_VOCABULARY_MAX)
        return bad(err, "vocabulary");
    if (strcmp(fl_json_str(j, "field", ""), field) != 0)
        return fl_fail(err, FLORIN_ESCHEMA,
                       "model's network: vocabulary of field %s where %s is expected",
                       fl_json_str(j, "field", "?"), field);
    hash = fl_alloc(known + 1, sizeof *hash);
    if (!hash) return fl_fail(err, FLORIN_ENOMEM, "vocabulary of %zu values", known);
    for (size_t i = 0; i < known; i++)
        if (!hex16(json_string_value(text) + 16 * i, &hash[i])) {
            free(hash);
            return bad(err, "vocabulary");
        }
    st = fl_vocabulary_set(v, hash, (uint32_t)known, (uint32_t)buckets, err);
    free(hash);
    return st == FLORIN_EINPUT ? bad(err, "vocabulary") : st;
}

static florin_status read_fields(fl_network *n, const json_t *j, florin_error *err)
{
    const json_t *list = json_object_get(j, "categories");
    florin_status st = FLORIN_OK;

    if (!json_is_array(list) || json_array_size(list) != n->categories)
        return bad(err, "list of category fields");
    for (uint32_t i = 0; i < n->categories && !st; i++)
        st = read_vocabulary(&n->vocabulary[i], n->name[i], json_array_get(list, i), err);
    if (!st) st = read_floats(j, "amount_edge", FL_AMOUNT_BINS - 1, false, n->amount_edge, err);
    for (uint32_t i = 1; i < FL_AMOUNT_BINS - 1 && !st; i++)
        if (n->amount_edge[i] < n->amount_edge[i - 1]) st = bad(err, "amount_edge");
    if (!st) st = read_floats(j, "number_mean", n->numbers, false, n->number_mean, err);
    if (!st) st = read_floats(j, "number_scale", n->numbers, true, n->number_scale, err);
    if (!st) st = read_floats(j, "feature_mean", n->features, false, n->feature_mean, err);
    if (!st) st = read_floats(j, "feature_scale", n->features, true, n->feature_scale, err);
    if (!st && (!read_float(json_object_get(j, "log_amount_mean"), false, &n->log_amount_mean) ||
                !read_float(json_object_get(j, "log_amount_scale"), true, &n->log_amount_scale)))
        st = bad(err, "log_amount_scale");
    return st;
}

static uint32_t size_of(const json_t *j, const char *key)
{
    int64_t v = fl_json_int(j, key, 0);

    return v > 0 && v <= 1 << 20 ? (uint32_t)v : 0;
}

static florin_status read_stack(fl_network *n, const json_t *j, florin_error *err)
{
    const char *positions = fl_json_str(j, "positions", "");
    double epsilon = fl_json_num(j, "epsilon", 0);
    uint32_t p = 0;

    while (p < FL_LEN(position_name) && strcmp(positions, position_name[p]) != 0) p++;
    if (p == FL_LEN(position_name)) return bad(err, "positions (there are: none, rotary, learned)");
    if (!(epsilon > 0) || epsilon > 1) return bad(err, "epsilon");
    n->layers = size_of(j, "layers");
    n->block = (fl_block_shape){.width = size_of(j, "width"),
                                .heads = size_of(j, "heads"),
                                .inner = size_of(j, "inner"),
                                .window = size_of(j, "context"),
                                .positions = (fl_positions)p,
                                .causal = true,
                                .pre_norm = fl_json_bool(j, "pre_norm", true),
                                .bias = fl_json_bool(j, "bias", true),
                                .history = fl_json_bool(j, "history", true),
                                .epsilon = (float)epsilon};
    const char *wrong = fl_network_stack_wrong(n->layers, &n->block);
    return wrong ? fl_fail(err, FLORIN_EFORMAT, "model's network: blocks: %s", wrong) : FLORIN_OK;
}

florin_status fl_network_from_json(fl_network **out, const fl_schema *s, const json_t *j,
                                   florin_error *err)
{
    int64_t h = fl_json_int(j, "h", 0), d = fl_json_int(j, "d", 0),
            features = fl_json_int(j, "features", -1);
    fl_network *n = NULL;

    *out = NULL;
    if (h < 1 || h > FL_H_MAX || d < 1 || d > FL_D_MAX || features < 0 ||
        features > FL_NETWORK_FEATURES_MAX)
        return bad(err, "h, d or features");
    florin_status st = fl_network_new(&n, s, (uint32_t)h, (uint32_t)d, (uint32_t)features, err);
    if (st) return st;
    n->backbone = fl_backbone_find(fl_json_str(j, "backbone", ""));
    if (!n->backbone) {
        fl_network_free(n);
        return bad(err, "backbone (there are: gru, transformer)");
    }
    if (n->backbone == &fl_backbone_transformer) {
        st = read_stack(n, json_object_get(j, "blocks"), err);
        if (st) {
            fl_network_free(n);
            return st;
        }
    }
    const char *precision = fl_json_str(j, "precision", "fp32");
    n->int8 = !strcmp(precision, "int8");
    if (!n->int8 && strcmp(precision, "fp32") != 0) {
        fl_network_free(n);
        return bad(err, "precision (there are: int8, fp32)");
    }
    n->copy = fl_json_bool(j, "copy", false);
    n->dense = fl_json_bool(j, "dense", false);
    st = read_fields(n, j, err);
    if (st) {
        fl_network_free(n);
        return st;
    }
    *out = n;
    return FLORIN_OK;
}
