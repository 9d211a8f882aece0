/* The section of florin.h about versions of a policy. */
#include "policy/versions.h"
#include "api/policy.h"

struct florin_versions {
    fl_versions *versions;
};

florin_status florin_versions_open(florin_versions **out, const char *path, florin_error *err)
{
    if (!out || !path) return fl_fail(err, FLORIN_EUSAGE, "florin_versions_open: no file given");
    *out = NULL;
    florin_versions *v = fl_calloc(1, sizeof *v);
    if (!v) return fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", path);
    florin_status st = fl_versions_open(&v->versions, path, err);
    if (st) free(v);
    else *out = v;
    return st;
}

void florin_versions_close(florin_versions *v)
{
    if (!v) return;
    fl_versions_close(v->versions);
    free(v);
}

static florin_status asked(const florin_versions *v, const char *call, bool right,
                           florin_error *err)
{
    return v && right ? FLORIN_OK : fl_fail(err, FLORIN_EUSAGE, "%s: an argument is missing", call);
}

static fl_who who_of(const florin_signature *by)
{
    return (fl_who){by->who, by->note, by->now_us};
}

static florin_status add(florin_versions *v, const florin_policy *p, const char *file,
                         const fl_who *who, florin_error *err)
{
    uint32_t tests, failed;
    florin_status st = fl_policy_test(p->policy, &tests, &failed, NULL, err);
    if (!st && failed)
        st = fl_fail(err, FLORIN_EQUALITY,
                     "%s: %u of its %u tests fail (florin policy test says which)", file, failed,
                     tests);
    return st ? st
              : fl_versions_add(v->versions, p->policy,
                                fl_model_file_hash(fl_model_source(p->model->model)), who, err);
}

florin_status florin_versions_add(florin_versions *v, const char *file, florin_model *model,
                                  const char *key, const florin_signature *by,
                                  char version[FLORIN_POLICY_VERSION], florin_error *err)
{
    florin_policy *p;
    florin_status st = asked(v, "florin_versions_add", file && by && version, err);
    if (!st) st = florin_policy_open(&p, file, model, key, err);
    if (st) return st;
    fl_who who = who_of(by);
    st = add(v, p, file, &who, err);
    memcpy(version, st ? "" : fl_policy_version(p->policy), st ? 1 : FLORIN_POLICY_VERSION);
    florin_policy_close(p);
    return st;
}

florin_status florin_versions_activate(florin_versions *v, const char *prefix,
                                       const florin_signature *by,
                                       char version[FLORIN_POLICY_VERSION], florin_error *err)
{
    florin_status st = asked(v, "florin_versions_activate", prefix && by && version, err);
    if (st) return st;
    fl_who who = who_of(by);
    st = fl_versions_find(v->versions, prefix, version, err);
    return st ? st : fl_versions_activate(v->versions, version, &who, err);
}

florin_status florin_versions_rollback(florin_versions *v, const florin_signature *by,
                                       char version[FLORIN_POLICY_VERSION], florin_error *err)
{
    florin_status st = asked(v, "florin_versions_rollback", by && version, err);
    if (st) return st;
    fl_who who = who_of(by);
    return fl_versions_rollback(v->versions, &who, version, err);
}

florin_status florin_versions_active(florin_versions *v, char version[FLORIN_POLICY_VERSION],
                                     florin_error *err)
{
    florin_status st = asked(v, "florin_versions_active", version, err);
    return st ? st : fl_versions_active(v->versions, version, err);
}

static florin_status find(florin_versions *v, const char *prefix,
                          char version[FLORIN_POLICY_VERSION], florin_error *err)
{
    if (prefix) return fl_versions_find(v->versions, prefix, version, err);
    florin_status st = fl_versions_active(v->versions, version, err);
    return st || *version ? st : fl_fail(err, FLORIN_EINPUT, "no policy was put on yet");
}

florin_status florin_versions_policy(florin_policy **out, florin_versions *v, const char *prefix,
                                     florin_model *model, const char *key_file, florin_error *err)
{
    char version[FLORIN_POLICY_VERSION];
    uint8_t key[16];
    florin_status st = asked(v, "florin_versions_policy", out && model, err);
    if (st) return st;
    *out = NULL;
    florin_policy *p = fl_calloc(1, sizeof *p);
    if (!p) return fl_fail(err, FLORIN_ENOMEM, "policy: out of memory");
    p->model = model;
    atomic_fetch_add(&model->users, 1);
    st = find(v, prefix, version, err);
    if (!st) st = fl_api_policy_key(fl_model_schema(model->model), key_file, key, err);
    if (!st) st = fl_versions_read(v->versions, version, &p->policy, model->model, key, err);
    if (st) florin_policy_close(p);
    else *out = p;
    return st;
}

/* ---- reports ---- */

static void write_rows(const florin_context *ctx, const json_t *rows, const char *what,
                       const char *active)
{
    const json_t *r;
    size_t i;
    json_array_foreach(rows, i, r)
    {
        char at[32];
        const char *version = fl_json_str(r, "version", ""), *note = fl_json_str(r, "note", "");
        fl_time_format(fl_json_int(r, "at_us", 0) / FL_SECOND_US * FL_SECOND_US, at);
        fl_writef(ctx, "%s %.12s  %s  %-12s %-10s %s\n",
                  active && !strcmp(version, active) ? "*" : " ", version, at,
                  fl_json_str(r, "who", ""), fl_json_str(r, what, ""), note);
    }
}

florin_status florin_versions_list(florin_versions *v, const florin_context *ctx,
                                   florin_format format, florin_error *err)
{
    json_t *list;
    florin_status st = asked(v, "florin_versions_list", true, err);
    if (!st) st = fl_versions_list(v->versions, &list, err);
    if (st) return st;
    if (format == FLORIN_JSON) fl_json_write(ctx, list);
    else {
        fl_writef(ctx, "Versions, newest first (* is on):\n");
        write_rows(ctx, json_object_get(list, "versions"), "name", fl_json_str(list, "active", ""));
        fl_writef(ctx, "Audit, newest first:\n");
        write_rows(ctx, json_object_get(list, "audit"), "what", NULL);
    }
    json_decref(list);
    return FLORIN_OK;
}

static void write_each(const florin_context *ctx, const json_t *texts, const char *before)
{
    const json_t *t;
    size_t i;
    json_array_foreach(texts, i, t) fl_writef(ctx, "%s%s\n", before, json_string_value(t));
}

static void write_difference(const florin_context *ctx, json_t *d)
{
    const char *name;
    json_t *pair;
    fl_writef(ctx, "from %.12s to %.12s\n", fl_json_str(d, "from", ""), fl_json_str(d, "to", ""));
    json_object_foreach(json_object_get(d, "thresholds"), name, pair)
    {
        const json_t *a = json_array_get(pair, 0), *b = json_array_get(pair, 1);
        fl_writef(ctx, "  threshold of %s: ", name);
        if (json_is_number(a)) fl_writef(ctx, "%g -> ", json_number_value(a));
        else fl_writef(ctx, "none -> ");
        if (json_is_number(b)) fl_writef(ctx, "%g\n", json_number_value(b));
        else fl_writef(ctx, "none\n");
    }
    write_each(ctx, json_object_get(d, "removed"), "  - ");
    write_each(ctx, json_object_get(d, "added"), "  + ");
    write_each(ctx, json_object_get(d, "lists"), "  other entries: @");
}

florin_status florin_versions_compare(florin_versions *v, const char *from, const char *to,
                                      const florin_context *ctx, florin_format format,
                                      florin_error *err)
{
    const char *prefix[2] = {from, to};
    fl_policy *p[2] = {NULL, NULL};
    char version[FLORIN_POLICY_VERSION];
    uint8_t key[16];
    florin_status st = asked(v, "florin_versions_compare", from && to, err);
    if (!st) st = fl_api_policy_key(NULL, NULL, key, err);
    for (int i = 0; i < 2 && !st; i++) {
        st = fl_versions_find(v->versions, prefix[i], version, err);
        if (!st) st = fl_versions_read(v->versions, version, &p[i], NULL, key, err);
    }
    json_t *d = st ? NULL : fl_versions_compare(p[0], p[1]);
    if (!st && !d) st = fl_fail(err, FLORIN_ENOMEM, "comparing two policies");
    if (!st && format == FLORIN_JSON) fl_json_write(ctx, d);
    else if (!st) write_difference(ctx, d);
    json_decref(d);
    fl_policy_free(p[0]);
    fl_policy_free(p[1]);
    return st;
}
