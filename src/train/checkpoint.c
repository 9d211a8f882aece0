/* Owns the checkpoint: everything that the next step depends on, in one file beside the model, written atomically and
 * hashed like a model. Invariant: training that goes on from it gives the bytes of training that never stopped. */
#include "base/file.h"
#include "train/run.h"
#include <math.h>
#include <unistd.h>

enum { LAYOUT = 3 }; /* order of the parameters in w, m, v and best (net.c) */

char *fl_checkpoint_path(const char *out)
{
    return fl_asprintf("%s.checkpoint", out);
}

static json_t *made_json(const fl_progress_made *p)
{
    return json_pack("{sbsIs[ff]sfsIsIsisb}", "done", p->done, "steps", (json_int_t)p->steps,
                     "nats", p->nats[0], p->nats[1], "best", isfinite(p->best) ? p->best : -1.0,
                     "best_step", (json_int_t)p->best_step, "judged", (json_int_t)p->judged, "bad",
                     (int)p->bad, "stopped_early", p->stopped_early);
}

static void made_from(fl_progress_made *p, const json_t *j)
{
    const json_t *nats = json_object_get(j, "nats");

    p->done = fl_json_bool(j, "done", false);
    p->steps = (uint64_t)fl_json_int(j, "steps", 0);
    for (size_t s = 0; s < FL_STREAMS; s++) p->nats[s] = json_number_value(json_array_get(nats, s));
    double best = fl_json_num(j, "best", -1);
    p->best = best >= 0 ? best : INFINITY;
    p->best_step = (uint64_t)fl_json_int(j, "best_step", 0);
    p->judged = (uint64_t)fl_json_int(j, "judged", 0);
    p->bad = (uint32_t)fl_json_int(j, "bad", 0);
    p->stopped_early = fl_json_bool(j, "stopped_early", false);
}

static json_t *describe(const fl_run *r)
{
    json_t *order = json_array();

    for (int s = 0; s < FL_STREAMS; s++)
        if (r->lanes[s])
            json_array_append_new(order,
                                  json_pack("{sIsI}", "epoch", (json_int_t)r->lanes[s]->epoch,
                                            "cursor", (json_int_t)r->lanes[s]->cursor));
    return json_pack("{sis{siso*sssIso*so}}", "florin", 1, "checkpoint", "layout", LAYOUT, "config",
                     fl_train_config_json(&r->config), "data_hash", r->rows->hash,
                     "optimiser_steps", (json_int_t)r->optimiser.steps, "made", made_json(&r->made),
                     "order", order);
}

/* Share k of those that predict. The others begin anew in each step. */
static fl_worker *share_of(fl_run *r, uint32_t k)
{
    uint32_t parts = r->config.parts;

    return r->worker[k / parts * r->passes * parts + k % parts];
}

florin_status fl_checkpoint_save(fl_run *r, florin_error *err)
{
    uint32_t lanes = r->config.lanes * r->streams, share = r->config.lanes / r->config.parts;
    size_t total = r->net->total, H = fl_worker_states(r->worker[0]); /* h and the backbone's own */
    float *state = fl_calloc((size_t)lanes * H, sizeof *state);
    uint64_t *place = fl_calloc((size_t)lanes * 4, sizeof *place), *at = place;
    json_t *meta = describe(r);
    char *path = fl_checkpoint_path(r->files->out);
    florin_status st = FLORIN_OK;

    if (!state || !place || !meta || !path) {
        st = fl_fail(err, FLORIN_ENOMEM, "checkpoint");
        goto done;
    }
    for (uint32_t k = 0; k < r->streams * r->config.parts; k++)
        memcpy(state + (size_t)k * share * H, fl_worker_state(share_of(r, k)),
               (size_t)share * H * sizeof *state);
    for (int s = 0; s < FL_STREAMS; s++)
        for (uint32_t i = 0; r->lanes[s] && i < r->config.lanes; i++, at += 4) {
            const fl_lane *l = &r->lanes[s]->lane[i];
            memcpy(at, (uint64_t[]){l->from, l->at, l->to, l->first}, 4 * sizeof *at);
        }
    const fl_tensor tensor[] = {
        {.name = "w", .type = FL_F32, .dims = 1, .dim = {total}, .data = r->net->w},
        {.name = "m", .type = FL_F32, .dims = 1, .dim = {total}, .data = r->optimiser.m},
        {.name = "v", .type = FL_F32, .dims = 1, .dim = {total}, .data = r->optimiser.v},
        {.name = "best", .type = FL_F32, .dims = 1, .dim = {total}, .data = r->best},
        {.name = "state", .type = FL_F32, .dims = 2, .dim = {lanes, H}, .data = state},
        {.name = "place", .type = FL_U64, .dims = 2, .dim = {lanes, 4}, .data = place},
    };
    st = fl_model_file_save(path, meta, tensor, FL_LEN(tensor), err);
done:
    json_decref(meta);
    free(path);
    free(state);
    free(place);
    return st;
}

/* Sizes that were left to the program follow from the events. */
static bool chosen(const char *key)
{
    return !strcmp(key, "lanes") || !strcmp(key, "window");
}

static florin_status check_options(const json_t *now, const json_t *there, bool sizes,
                                   const char *path, florin_error *err)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)now, key, value)
    {
        double a = json_number_value(json_object_get(there, key)), b = json_number_value(value);
        if (chosen(key) != sizes || a == b) continue;
        return fl_fail(err, FLORIN_EINPUT,
                       "%s: was made with other options (%s is %.16g there, %.16g now); use the "
                       "same ones, or leave --resume out to start again",
                       path, key, a, b);
    }
    return FLORIN_OK;
}

static florin_status check(const fl_run *r, const json_t *j, const char *path, florin_error *err)
{
    json_t *now = fl_train_config_json(&r->config);
    const json_t *there = json_object_get(j, "config");
    florin_status st = now ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "checkpoint");

    if (!st && fl_json_int(j, "layout", 1) != LAYOUT)
        st = fl_fail(err, FLORIN_EINPUT,
                     "%s: was made by another version of Florin; leave --resume out to start again",
                     path);
    if (!st && !json_object_get(now, "layers") != !json_object_get(there, "layers"))
        st =
            fl_fail(err, FLORIN_EINPUT,
                    "%s: was made with another --backbone; use the same one, or leave --resume out "
                    "to start again",
                    path);
    if (!st) st = check_options(now, there, false, path, err);
    if (!st && strcmp(fl_json_str(j, "data_hash", ""), r->rows->hash) != 0)
        st = fl_fail(
            err, FLORIN_EINPUT,
            "%s: was made from other events; leave --resume out to start again on this log", path);
    if (!st) st = check_options(now, there, true, path, err);
    json_decref(now);
    return st;
}

static florin_status load_floats(const fl_model_file *f, const char *name, float *out, size_t n,
                                 florin_error *err)
{
    const fl_tensor *t;
    florin_status st = fl_model_file_get(f, name, FL_F32, 1, &n, &t, err);

    if (!st) memcpy(out, t->data, n * sizeof *out);
    return st;
}

/* A stream's lanes; p: their places. */
static florin_status load_lanes(fl_run *r, int stream, const json_t *order, const uint64_t *p,
                                florin_error *err)
{
    fl_lanes **lanes = &r->lanes[stream];
    florin_status st = fl_lanes_new(lanes, r->rows, stream, r->config.lanes, r->config.seed, err);

    if (st) return st;
    (*lanes)->epoch = (uint64_t)fl_json_int(order, "epoch", 0);
    (*lanes)->cursor = (uint64_t)fl_json_int(order, "cursor", 0);
    fl_lanes_order(*lanes);
    uint64_t rows = r->rows->stream[stream].rows;
    bool sound = (*lanes)->cursor <= (*lanes)->units;
    for (uint32_t i = 0; i < r->config.lanes; i++, p += 4) {
        (*lanes)->lane[i] = (fl_lane){p[0], p[1], p[2], p[3]};
        sound = sound && p[3] <= p[0] && p[0] <= p[1] && p[1] <= p[2] && p[2] <= rows;
    }
    if (!sound)
        return fl_fail(err, FLORIN_EFORMAT, "checkpoint: places of the sequences are out of range");
    return FLORIN_OK;
}

static florin_status load_places(fl_run *r, const fl_model_file *f, const json_t *j,
                                 florin_error *err)
{
    uint32_t lanes = r->config.lanes * r->streams, share = r->config.lanes / r->config.parts,
             read = 0;
    size_t H = fl_worker_states(r->worker[0]);
    const json_t *order = json_object_get(j, "order");
    const fl_tensor *state, *place;
    florin_status st = fl_model_file_get(f, "state", FL_F32, 2, (size_t[]){lanes, H}, &state, err);

    if (!st) st = fl_model_file_get(f, "place", FL_U64, 2, (size_t[]){lanes, 4}, &place, err);
    for (int s = 0; s < FL_STREAMS && !st; s++) {
        if (!r->network->stream[s]) continue;
        st = load_lanes(r, s, json_array_get(order, read),
                        (const uint64_t *)place->data + (size_t)read * r->config.lanes * 4, err);
        read++;
    }
    for (uint32_t k = 0; k < r->streams * r->config.parts && !st; k++)
        memcpy(fl_worker_state(share_of(r, k)), (const float *)state->data + (size_t)k * share * H,
               (size_t)share * H * sizeof(float));
    return st;
}

florin_status fl_checkpoint_read(fl_run *r, const fl_model_file *f, florin_error *err)
{
    const char *path = fl_model_file_path(f);
    const json_t *j = json_object_get(fl_model_file_json(f), "checkpoint");
    florin_status st = FLORIN_OK;

    if (!j) st = fl_fail(err, FLORIN_EFORMAT, "%s: not a checkpoint", path);
    if (!st) st = check(r, j, path, err);
    if (!st) st = load_floats(f, "w", r->net->w, r->net->total, err);
    if (!st) st = load_floats(f, "m", r->optimiser.m, r->net->total, err);
    if (!st) st = load_floats(f, "v", r->optimiser.v, r->net->total, err);
    if (!st) st = load_floats(f, "best", r->best, r->net->total, err);
    if (st) return st;
    r->optimiser.steps = (uint64_t)fl_json_int(j, "optimiser_steps", 0);
    made_from(&r->made, json_object_get(j, "made"));
    return r->made.done ? FLORIN_OK : load_places(r, f, j, err);
}

florin_status fl_checkpoint_load(fl_run *r, bool *found, florin_error *err)
{
    char *path = fl_checkpoint_path(r->files->out);
    fl_model_file *f = NULL;
    florin_status st = FLORIN_OK;

    *found = false;
    if (!path) return fl_fail(err, FLORIN_ENOMEM, "checkpoint");
    if (fl_file_exists(path)) {
        st = fl_model_file_open(&f, path, err);
        if (!st) st = fl_checkpoint_read(r, f, err);
        *found = !st;
        fl_model_file_close(f);
    }
    free(path);
    return st;
}

void fl_checkpoint_remove(const char *out)
{
    char *path = fl_checkpoint_path(out);

    if (path) unlink(path);
    free(path);
}
