/* The model file's section of florin.h. */
#include "api/model.h"

florin_status florin_model_open(florin_model **out, const char *path, const char *tier,
                                florin_error *err)
{
    if (!out || !path) return fl_fail(err, FLORIN_EUSAGE, "florin_model_open: no file given");
    *out = NULL;
    florin_model *m = fl_calloc(1, sizeof *m);
    if (!m) return fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", path);
    florin_status st = fl_model_open(&m->model, path, tier, err);
    if (st) {
        free(m);
        return st;
    }
    atomic_init(&m->users, 1);
    *out = m;
    return FLORIN_OK;
}

void fl_api_model_leave(florin_model *m)
{
    if (atomic_fetch_sub(&m->users, 1) != 1) return;
    fl_model_close(m->model);
    free(m);
}

void florin_model_close(florin_model *model)
{
    if (model) fl_api_model_leave(model);
}

static json_t *network_info(const fl_model *m)
{
    const fl_network *n = fl_model_network(m);
    json_t *fields = json_array(), *streams = json_array();

    for (uint32_t t = 0; t < fl_model_targets(m); t++)
        json_array_append_new(fields,
                              json_pack("{s:s, s:I}", "name", fl_model_target(m, t)->name, "tokens",
                                        (json_int_t)fl_model_target(m, t)->tokens));
    if (n->stream[0]) json_array_append_new(streams, json_string("payer"));
    if (n->stream[1]) json_array_append_new(streams, json_string("payee"));
    return json_pack("{s:I, s:I, s:o, s:o}", "h", (json_int_t)n->h, "d", (json_int_t)n->d,
                     "targets", fields, "streams", streams);
}

/* Heads without the trees: name and whatever else is short. */
static json_t *heads_info(const json_t *document)
{
    json_t *out = json_array();
    const json_t *heads = json_object_get(document, "heads");

    for (size_t i = 0; i < json_array_size(heads); i++) {
        const json_t *head = json_array_get(heads, i);
        json_array_append_new(
            out, json_string(fl_json_str(head, "name", fl_json_str(head, "task", "?"))));
    }
    return out;
}

florin_status florin_model_info(const florin_model *model, const florin_context *ctx,
                                florin_error *err)
{
    if (!model) return fl_fail(err, FLORIN_EUSAGE, "florin_model_info: no model given");
    const fl_model *m = model->model;
    const json_t *document = fl_model_file_json(fl_model_source(m));
    static const char *const kept[] = {"trained", "metrics", "baselines"};
    char until[32];
    json_t *j =
        json_pack("{s:s, s:s, s:s, s:I, s:o}", "schema", fl_model_schema(m)->name, "hash",
                  fl_model_file_hash(fl_model_source(m)), "tier", fl_model_kernels(m)->tier,
                  "columns", (json_int_t)fl_model_row_width(m), "heads", heads_info(document));

    if (!j) return fl_fail(err, FLORIN_ENOMEM, "model: out of memory");
    if (fl_model_until(m) != INT64_MIN) {
        fl_time_format(fl_model_until(m), until);
        json_object_set_new(j, "until", json_string(until));
    }
    if (fl_model_network(m)) json_object_set_new(j, "network", network_info(m));
    for (size_t i = 0; i < FL_LEN(kept); i++)
        if (json_object_get(document, kept[i]))
            json_object_set(j, kept[i], json_object_get(document, kept[i]));
    fl_json_write(ctx, j);
    json_decref(j);
    return FLORIN_OK;
}
