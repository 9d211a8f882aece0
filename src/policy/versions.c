/* Policy versions and their audit in SQLite. */
#include "policy/versions.h"
#include "base/store.h"
#include "policy/program.h"

struct fl_versions {
    fl_store *store;
    char *path;
};

static const char *const STEPS[] = {
    "CREATE TABLE policy(version TEXT PRIMARY KEY, name TEXT NOT NULL, file TEXT NOT NULL, text "
    "BLOB NOT NULL, model TEXT NOT NULL, "
    "at_us INTEGER NOT NULL, who TEXT NOT NULL, note TEXT NOT NULL) STRICT;"
    "CREATE TABLE list_file(version TEXT NOT NULL REFERENCES policy(version), name TEXT NOT NULL, "
    "text BLOB NOT NULL, "
    "PRIMARY KEY(version, name)) STRICT;"
    "CREATE TABLE audit(seq INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, who TEXT NOT NULL, what "
    "TEXT NOT NULL, "
    "version TEXT NOT NULL REFERENCES policy(version), note TEXT NOT NULL) STRICT;"
    /* Nobody rewrites what happened. */
    "CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is not "
    "changed'); END;"
    "CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is "
    "not changed'); END;"};

florin_status fl_versions_open(fl_versions **out, const char *path, florin_error *err)
{
    *out = NULL;
    fl_versions *v = fl_calloc(1, sizeof *v);
    if (!v) return fl_fail(err, FLORIN_ENOMEM, "%s: no memory", path);
    florin_status st = fl_store_open(&v->store, path, "FlPv", STEPS, FL_LEN(STEPS), err);
    v->path = fl_strdup(path);
    if (!st && !v->path) st = fl_fail(err, FLORIN_ENOMEM, "%s: no memory", path);
    if (st) {
        fl_versions_close(v);
        return st;
    }
    *out = v;
    return FLORIN_OK;
}

void fl_versions_close(fl_versions *v)
{
    if (!v) return;
    fl_store_close(v->store);
    free(v->path);
    free(v);
}

static const char *note_of(const fl_who *w)
{
    return w->note ? w->note : "";
}

static florin_status audit(fl_versions *v, const char *what, const char *version, const fl_who *w,
                           florin_error *err)
{
    return fl_store_run(
        v->store, NULL, err,
        "INSERT INTO audit(at_us, who, what, version, note) VALUES(?1, ?2, ?3, ?4, ?5)", "itttt",
        w->at_us, w->who, what, version, note_of(w));
}

static florin_status check_who(const fl_who *w, florin_error *err)
{
    return w->who && *w->who ? FLORIN_OK
                             : fl_fail(err, FLORIN_EUSAGE, "say who does this: the audit keeps it");
}

static florin_status add_files(fl_versions *v, const fl_policy *p, florin_error *err)
{
    florin_status st = FLORIN_OK;
    for (const fl_list_file *f = p->list_files; f && !st; f = f->next)
        st = fl_store_run(v->store, NULL, err,
                          "INSERT OR IGNORE INTO list_file(version, name, text) VALUES(?1, ?2, ?3)",
                          "ttb", p->version, f->name, f->text, f->n);
    return st;
}

florin_status fl_versions_add(fl_versions *v, const fl_policy *p, const char *model_hash,
                              const fl_who *w, florin_error *err)
{
    int64_t added = 0;
    florin_status st = check_who(w, err);
    if (!st) st = fl_store_begin(v->store, err);
    if (st) return st;
    st = fl_store_run(
        v->store, &added, err,
        "INSERT OR IGNORE INTO policy(version, name, file, text, model, at_us, who, note) "
        "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        "tttbtitt", p->version, p->name, p->file, p->text, p->text_n, model_hash ? model_hash : "",
        w->at_us, w->who, note_of(w));
    if (!st && added) st = add_files(v, p, err);
    if (!st && added) st = audit(v, "add", p->version, w, err);
    return fl_store_end(v->store, st, err);
}

florin_status fl_versions_find(fl_versions *v, const char *prefix, char version[65],
                               florin_error *err)
{
    fl_query *q;
    uint32_t found = 0;
    *version = 0;
    size_t n = strlen(prefix);
    if (n < 6 || n > 64 || prefix[strspn(prefix, "0123456789abcdef")])
        return fl_fail(err, FLORIN_EINPUT,
                       "'%.70s' is no version: give at least its first 6 digits (0-9, a-f)",
                       prefix);
    florin_status st = fl_query_open(
        &q, v->store, err, "SELECT version FROM policy WHERE substr(version, 1, ?2) = ?1 LIMIT 2",
        "ti", prefix, (int64_t)n);
    if (st) return st;
    for (; fl_query_next(q); found++) memcpy(version, fl_query_text(q, 0), 65);
    st = fl_query_close(q, err);
    if (!st && found != 1)
        st = fl_fail(err, FLORIN_EINPUT, "%s: %s", v->path,
                     found ? "several versions begin so: give more digits"
                           : "no version begins so (florin policy list shows them)");
    return st;
}

florin_status fl_versions_activate(fl_versions *v, const char *version, const fl_who *w,
                                   florin_error *err)
{
    char whole[65];
    florin_status st = check_who(w, err);
    if (!st) st = fl_versions_find(v, version, whole, err);
    return st ? st : audit(v, "activate", whole, w, err);
}

florin_status fl_versions_active(fl_versions *v, char version[65], florin_error *err)
{
    fl_query *q;
    *version = 0;
    florin_status st =
        fl_query_open(&q, v->store, err,
                      "SELECT version FROM audit WHERE what IN ('activate', 'roll back') "
                      "ORDER BY seq DESC LIMIT 1",
                      "");
    if (st) return st;
    if (fl_query_next(q)) memcpy(version, fl_query_text(q, 0), 65);
    return fl_query_close(q, err);
}

/* What was on before: activations are a stack, from which a rollback takes the top. */
static florin_status before(fl_versions *v, char version[65], florin_error *err)
{
    fl_query *q;
    int64_t skip = 0;
    *version = 0;
    florin_status st =
        fl_query_open(&q, v->store, err,
                      "SELECT version, what FROM audit WHERE what IN ('activate', 'roll "
                      "back') ORDER BY seq DESC",
                      "");
    if (st) return st;
    bool top = false;
    while (!*version && fl_query_next(q)) {
        if (!strcmp(fl_query_text(q, 1), "roll back")) skip++;
        else if (skip) skip--;
        else if (!top) top = true; /* the one that is on */
        else memcpy(version, fl_query_text(q, 0), 65);
    }
    st = fl_query_close(q, err);
    if (!st && !*version)
        st = fl_fail(err, FLORIN_EINPUT, "%s: no policy was on before the one that is", v->path);
    return st;
}

florin_status fl_versions_rollback(fl_versions *v, const fl_who *w, char version[65],
                                   florin_error *err)
{
    florin_status st = check_who(w, err);
    if (!st) st = fl_store_begin(v->store, err);
    if (st) return st;
    st = before(v, version, err);
    if (!st) st = audit(v, "roll back", version, w, err);
    return fl_store_end(v->store, st, err);
}

static florin_status read_files(fl_versions *v, const char *version, fl_list_file **out,
                                fl_arena *arena, florin_error *err)
{
    fl_query *q;
    *out = NULL;
    florin_status st = fl_query_open(
        &q, v->store, err, "SELECT name, text FROM list_file WHERE version = ?1", "t", version);
    if (st) return st;
    while (!st && fl_query_next(q)) {
        size_t n;
        const void *text = fl_query_bytes(q, 1, &n);
        fl_list_file *f = fl_arena_alloc(arena, sizeof *f);
        char *copy = fl_arena_alloc(arena, n + 1),
             *name = fl_arena_strdup(arena, fl_query_text(q, 0));
        if (!f || !copy || !name) st = fl_fail(err, FLORIN_ENOMEM, "%s: no memory", v->path);
        if (st) break;
        memcpy(copy, text, n);
        *f = (fl_list_file){name, copy, n, *out};
        *out = f;
    }
    florin_status closed = fl_query_close(q, err);
    return st ? st : closed;
}

florin_status fl_versions_read(fl_versions *v, const char *version, fl_policy **out,
                               const fl_model *model, const uint8_t key[16], florin_error *err)
{
    fl_query *q;
    fl_list_file *files;
    *out = NULL;
    fl_arena *arena = fl_arena_new(1 << 14);
    if (!arena) return fl_fail(err, FLORIN_ENOMEM, "%s: no memory", v->path);
    florin_status st = read_files(v, version, &files, arena, err);
    if (!st)
        st = fl_query_open(&q, v->store, err, "SELECT file, text FROM policy WHERE version = ?1",
                           "t", version);
    if (st) {
        fl_arena_free(arena);
        return st;
    }
    size_t n;
    if (fl_query_next(q)) {
        const void *text = fl_query_bytes(q, 1, &n);
        st = fl_policy_parse_given(out, text, n, fl_query_text(q, 0),
                                   files ? files : &(fl_list_file){0}, model, key, err);
    } else st = fl_fail(err, FLORIN_EINPUT, "%s: no version %.12s", v->path, version);
    florin_status closed = fl_query_close(q, st ? NULL : err);
    fl_arena_free(arena);
    if (!st && !closed && strcmp(fl_policy_version(*out), version))
        closed = fl_fail(err, FLORIN_EFORMAT, "%s: version %.12s is not what its name says",
                         v->path, version);
    if (!st && closed) {
        fl_policy_free(*out);
        *out = NULL;
    }
    return st ? st : closed;
}

/* ---- reports ---- */

static florin_status list_rows(fl_versions *v, const char *sql, bool audited, json_t *to,
                               florin_error *err)
{
    fl_query *q;
    florin_status st = fl_query_open(&q, v->store, err, sql, "");
    if (st) return st;
    while (fl_query_next(q))
        json_array_append_new(to,
                              json_pack("{s:s, s:s, s:I, s:s, s:s}", "version", fl_query_text(q, 0),
                                        audited ? "what" : "name", fl_query_text(q, 1), "at_us",
                                        (json_int_t)fl_query_int(q, 2), "who", fl_query_text(q, 3),
                                        "note", fl_query_text(q, 4)));
    return fl_query_close(q, err);
}

florin_status fl_versions_list(fl_versions *v, json_t **out, florin_error *err)
{
    char active[65];
    json_t *versions = json_array(), *events = json_array();
    *out = NULL;
    florin_status st = fl_versions_active(v, active, err);
    if (!st)
        st = list_rows(v, "SELECT version, name, at_us, who, note FROM policy ORDER BY rowid DESC",
                       false, versions, err);
    if (!st)
        st = list_rows(v, "SELECT version, what, at_us, who, note FROM audit ORDER BY seq DESC",
                       true, events, err);
    if (!st)
        *out =
            json_pack("{s:s, s:O, s:O}", "active", active, "versions", versions, "audit", events);
    json_decref(versions);
    json_decref(events);
    return st;
}

static bool has_rule(const fl_policy *p, const fl_rule *r)
{
    for (size_t i = 0; i < p->rules; i++)
        if (!strcmp(p->rule[i].shown, r->shown)) return true;
    return false;
}

static json_t *only_in(const fl_policy *a, const fl_policy *b)
{
    json_t *out = json_array();
    for (size_t i = 0; i < a->rules; i++)
        if (!has_rule(b, &a->rule[i])) json_array_append_new(out, json_string(a->rule[i].shown));
    return out;
}

static bool same_entries(const fl_list *a, const fl_list *b)
{
    return a->kind == b->kind && a->entries == b->entries &&
           (!a->entries || !memcmp(a->entry, b->entry, a->entries * sizeof *a->entry));
}

static json_t *lists_that_differ(const fl_policy *a, const fl_policy *b)
{
    json_t *out = json_array();
    for (uint32_t i = 0; i < a->lists; i++) {
        uint32_t k = 0;
        while (k < b->lists && strcmp(a->list[i].list.name, b->list[k].list.name)) k++;
        if (k == b->lists || !same_entries(&a->list[i].list, &b->list[k].list))
            json_array_append_new(out, json_string(a->list[i].list.name));
    }
    for (uint32_t k = 0; k < b->lists; k++) {
        uint32_t i = 0;
        while (i < a->lists && strcmp(a->list[i].list.name, b->list[k].list.name)) i++;
        if (i == a->lists) json_array_append_new(out, json_string(b->list[k].list.name));
    }
    return out;
}

json_t *fl_versions_compare(const fl_policy *from, const fl_policy *to)
{
    float a[FL_ACTIONS], b[FL_ACTIONS];
    json_t *thresholds = json_object();
    uint32_t own_a = fl_policy_thresholds(from, a), own_b = fl_policy_thresholds(to, b);
    for (int i = 0; i < FL_ACTIONS; i++)
        if (a[i] < b[i] || a[i] > b[i])
            json_object_set_new(thresholds, fl_action_name((fl_action)i),
                                json_pack("[o, o]",
                                          a[i] <= 100 ? json_real((double)a[i]) : json_null(),
                                          b[i] <= 100 ? json_real((double)b[i]) : json_null()));
    if (own_a != own_b)
        json_object_set_new(thresholds, "own", json_pack("[i, i]", (int)own_a, (int)own_b));
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "from", from->version, "to", to->version,
                     "added", only_in(to, from), "removed", only_in(from, to), "thresholds",
                     thresholds, "lists", lists_that_differ(from, to));
}
