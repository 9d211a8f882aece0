/* JSON text to trees and back. Numbers are finite by construction: jansson has no other, neither when it
 * reads nor when json_real makes one. */
#include "base/json.h"
#include "base/file.h"

#include <stdio.h>

enum { JSON_FILE_MAX = 256 << 20 };

florin_status fl_json_parse(json_t **out, const char *text, size_t n, const char *name,
                            florin_error *err)
{
    json_error_t e;

    *out = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e);
    if (*out) return FLORIN_OK;
    return fl_fail(err,
                   json_error_code(&e) == json_error_out_of_memory ? FLORIN_ENOMEM : FLORIN_EINPUT,
                   "%s:%d:%d: %s", name, e.line, e.column, e.text);
}

florin_status fl_json_load(json_t **out, const char *path, florin_error *err)
{
    char *text;
    size_t n;

    *out = NULL;
    florin_status status = fl_read_file(&text, &n, path, JSON_FILE_MAX, err);
    if (status) return status;
    status = fl_json_parse(out, text, n, path, err);
    free(text);
    return status;
}

static int add_to(const char *bytes, size_t n, void *b)
{
    fl_buf_add(b, bytes, n);
    return ((fl_buf *)b)->failed ? -1 : 0;
}

/* The shortest of 15, 16 or 17 digits that reads back as the same double: .1 and not .10000000000000001. */
static void add_real(fl_buf *b, const char *token, size_t n)
{
    char text[40];
    double v = strtod(token, NULL);

    for (int digits = 15; digits < 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) != v) continue;
        fl_buf_puts(b, text);
        if (!strpbrk(text, ".e")) fl_buf_puts(b, ".0");
        return;
    }
    fl_buf_add(b, token, n);
}

/* Copy jansson's text, whose reals always have 17 digits, with short ones. */
static void add_shortened(fl_buf *b, const char *s)
{
    while (*s) {
        size_t n;
        if (*s == '"') {
            for (n = 1; s[n] != '"'; n++) n += s[n] == '\\';
            fl_buf_add(b, s, ++n);
        } else if (*s == '-' || (*s >= '0' && *s <= '9')) {
            n = strspn(s, "+-.0123456789eE");
            if (strcspn(s, ".eE") < n) add_real(b, s, n);
            else fl_buf_add(b, s, n);
        } else {
            n = strcspn(s, "-0123456789\"");
            fl_buf_add(b, s, n);
        }
        s += n;
    }
}

char *fl_json_text(const json_t *j)
{
    fl_buf full = {0}, b = {0};

    /* Not json_dumps: its memory would belong to jansson's allocator. */
    if (!json_dump_callback(j, add_to, &full, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) &&
        full.data)
        add_shortened(&b, full.data);
    fl_buf_free(&full);
    if (b.failed) fl_buf_free(&b);
    return b.data;
}

florin_status fl_json_save(const json_t *j, const char *path, florin_error *err)
{
    char *text = fl_json_text(j);
    if (!text) return fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", path);
    florin_status status = fl_write_file(path, text, strlen(text), err);
    free(text);
    return status;
}

const char *fl_json_str(const json_t *obj, const char *key, const char *fallback)
{
    const char *s = json_string_value(json_object_get(obj, key));
    return s ? s : fallback;
}

double fl_json_num(const json_t *obj, const char *key, double fallback)
{
    const json_t *v = json_object_get(obj, key);
    return json_is_number(v) ? json_number_value(v) : fallback;
}

int64_t fl_json_int(const json_t *obj, const char *key, int64_t fallback)
{
    const json_t *v = json_object_get(obj, key);
    return json_is_integer(v) ? json_integer_value(v) : fallback;
}

bool fl_json_bool(const json_t *obj, const char *key, bool fallback)
{
    const json_t *v = json_object_get(obj, key);
    return json_is_boolean(v) ? json_is_true(v) : fallback;
}

void fl_json_write(const florin_context *ctx, const json_t *j)
{
    char *text = fl_json_text(j);
    if (!text) return;
    fl_write(ctx, text, strlen(text));
    fl_write(ctx, "\n", 1);
    free(text);
}
