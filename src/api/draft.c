/* florin_draft: looks at a table, writes the guessed schema, explains the guesses. */
#include "base/file.h"
#include "base/json.h"
#include "data/draft.h"
#include <ctype.h>
#include <limits.h>

/* The file's name without folder and ending, letters, digits and _ only. */
static void default_name(const char *path, char out[FL_NAME_MAX])
{
    const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    size_t n = 0;
    for (; *base && *base != '.' && n < FL_NAME_MAX - 1; base++)
        out[n++] = isalnum((unsigned char)*base) ? (char)tolower((unsigned char)*base) : '_';
    out[n] = 0;
    if (!n) memcpy(out, "events", 7);
}

/* As a schema in `out` must name it: bare when both lie in one folder, else absolute. */
static char *file_seen_from(const char *file, const char *out)
{
    char *a = fl_path_dir(file), *b = out ? fl_path_dir(out) : fl_strdup(".");
    char full[PATH_MAX], there[PATH_MAX], here[PATH_MAX];
    char *result = NULL;
    if (a && b && realpath(a, there) && realpath(b, here) && !strcmp(here, there))
        result = fl_strdup(strrchr(file, '/') ? strrchr(file, '/') + 1 : file);
    else if (a && b) result = fl_strdup(realpath(file, full) ? full : file);
    free(a);
    free(b);
    return result;
}

static void explain_text(const florin_context *ctx, const fl_draft *d, const char *out)
{
    for (uint32_t i = 0; i < d->relation.columns; i++) {
        const fl_draft_column *c = &d->column[i];
        fl_writef(ctx, "%-28s %-9s %-18s %s\n", c->name, fl_draft_role_name[c->role],
                  c->role == FL_DRAFT_IGNORE ? "" : c->field, c->why);
    }
    if (d->notes[0]) fl_writef(ctx, "\nLook at:\n%s", d->notes);
    fl_writef(ctx, "\nschema %s; next: florin import %s --log LOG\n", out, out);
}

static florin_status explain_json(const florin_context *ctx, const fl_draft *d, const char *out,
                                  florin_error *err)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < d->relation.columns; i++) {
        const fl_draft_column *c = &d->column[i];
        json_array_append_new(list, json_pack("{sssssssssI}", "column", c->name, "role",
                                              fl_draft_role_name[c->role], "field", c->field, "why",
                                              c->why, "distinct", (json_int_t)c->distinct));
    }
    json_t *j = json_pack("{sssIsosb}", "schema", out, "rows_seen", (json_int_t)d->rows, "columns",
                          list, "whole_file", (int)d->whole);
    if (!j) return fl_fail(err, FLORIN_ENOMEM, "draft");
    fl_json_write(ctx, j);
    json_decref(j);
    return FLORIN_OK;
}

florin_status florin_draft(const florin_context *ctx, const florin_draft_options *opt,
                           florin_error *err)
{
    fl_duck *db = NULL;
    fl_draft d = {0};
    fl_buf yaml = {0};
    char name[FL_NAME_MAX], *file = NULL;
    if (!opt || opt->size < sizeof *opt || !opt->file)
        return fl_fail(err, FLORIN_EUSAGE, "draft: name the table");
    fl_duck_options how = {0};
    florin_status st = fl_duck_open(&db, &how, ctx, err);
    if (!st) st = fl_draft_profile(&d, db, opt->file, opt->table, err);
    if (st) goto done;
    fl_draft_guess(&d);
    default_name(opt->name ? opt->name : opt->file, name);
    file = file_seen_from(opt->file, opt->out);
    if (file) fl_draft_write(&d, name, file, &yaml);
    if (!file || yaml.failed) st = fl_fail(err, FLORIN_ENOMEM, "draft");
    else if (!opt->out) fl_write(ctx, yaml.data, yaml.len);
    else st = fl_write_file(opt->out, yaml.data, yaml.len, err);
    if (!st && opt->out && opt->format == FLORIN_JSON) st = explain_json(ctx, &d, opt->out, err);
    else if (!st && opt->out) explain_text(ctx, &d, opt->out);
done:
    fl_draft_free(&d);
    fl_duck_close(db);
    fl_buf_free(&yaml);
    free(file);
    return st;
}
