/* Reads a file of folds. */
#include "task/folds.h"
#include "data/log.h"

/* The cell without blanks and without one pair of quotes around it. */
static char *trimmed(char *s, size_t *len)
{
    char *end = s + strlen(s);
    while (*s == ' ' || *s == '\t') s++;
    while (end > s && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r')) end--;
    if (end - s >= 2 && *s == '"' && end[-1] == '"') {
        s++;
        end--;
    }
    *end = 0;
    *len = (size_t)(end - s);
    return s;
}

static bool number(const char *s, uint32_t *out)
{
    uint32_t v = 0;
    if (!*s || strlen(s) > 4) return false;
    for (; *s; s++) {
        if (*s < '0' || *s > '9') return false;
        v = v * 10 + (uint32_t)(*s - '0');
    }
    *out = v;
    return true;
}

typedef struct {
    fl_map64 *out;
    const char *name, *kind;
    const uint8_t *key;
    uint64_t used; /* bit f: fold f occurs */
    florin_error *err;
} reader;

static florin_status one_line(reader *r, char *line, uint32_t at)
{
    char *comma = strrchr(line, ',');
    size_t id_len, fold_len;
    uint32_t fold;
    bool inserted;

    if (!comma) return fl_fail(r->err, FLORIN_EINPUT, "%s: line %u: needs `id,fold`", r->name, at);
    *comma = 0;
    const char *id = trimmed(line, &id_len), *text = trimmed(comma + 1, &fold_len);
    if (!number(text, &fold)) {
        if (at == 1) return FLORIN_OK; /* the header */
        return fl_fail(r->err, FLORIN_EINPUT,
                       "%s: line %u: fold '%.32s' is not a number from 0 to %d", r->name, at, text,
                       FL_FOLDS_MAX - 1);
    }
    if (fold >= FL_FOLDS_MAX)
        return fl_fail(r->err, FLORIN_EINPUT, "%s: line %u: fold %u: only 0 to %d", r->name, at,
                       fold, FL_FOLDS_MAX - 1);
    if (!id_len) return fl_fail(r->err, FLORIN_EINPUT, "%s: line %u: the id is empty", r->name, at);
    uint32_t *v = fl_map64_insert(r->out, fl_entity_hash(r->key, r->kind, id, id_len), &inserted);
    if (!v) return fl_fail(r->err, FLORIN_ENOMEM, "%s: out of memory", r->name);
    if (!inserted && *v != fold + 1)
        return fl_fail(r->err, FLORIN_EINPUT,
                       "%s: line %u: this id is already in fold %u: each id once", r->name, at,
                       *v - 1);
    *v = fold + 1;
    r->used |= (uint64_t)1 << fold;
    return FLORIN_OK;
}

florin_status fl_folds_read(fl_map64 *out, char *text, size_t n, const char *name,
                            const uint8_t key[16], const char *kind, florin_error *err)
{
    reader r = {out, name, kind, key, 0, err};
    florin_status st = FLORIN_OK;
    char *p = text, *last = text + n;
    uint32_t at = 0;

    if (!fl_map64_init(out, 1024)) return fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", name);
    if (n >= 3 && !memcmp(p, "\xef\xbb\xbf", 3)) p += 3;
    while (!st && p < last) {
        char *end = memchr(p, '\n', (size_t)(last - p));
        if (!end) end = last;
        at++;
        *end = 0;
        if (strlen(p) != (size_t)(end - p))
            st = fl_fail(err, FLORIN_EINPUT, "%s: line %u: holds a NUL byte", name, at);
        else if (*p && strcmp(p, "\r")) st = one_line(&r, p, at);
        p = end + 1;
    }
    if (!st && !(r.used & (r.used - 1)))
        st = fl_fail(err, FLORIN_EINPUT, "%s: needs at least two folds, has %d", name, r.used != 0);
    return st;
}
