/* Owns the work file. Invariant: a line is there only when its run is finished, and a line that was once read stays. */
#include "ablate/work.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* True: the text up to its last line's end was read. A torn last line is cut off the file at the next append. */
static florin_status read_lines(fl_work *w, const char *text, size_t n, florin_error *err)
{
    uint32_t number = 1;

    for (size_t at = 0; at < n; number++) {
        const char *end = memchr(text + at, '\n', n - at);
        json_t *j = NULL;
        if (!end) return FLORIN_OK; /* a kill cut it off */
        florin_status st = fl_json_parse(&j, text + at, (size_t)(end - text) - at, w->path, err);
        const char *key = j ? fl_json_str(j, "key", "") : "";
        if (st || !*key) {
            json_decref(j);
            return fl_fail(err, FLORIN_EFORMAT,
                           "%s:%u: not a run of an ablation; take another --work", w->path, number);
        }
        json_object_set_new(w->done, key, j);
        at = (size_t)(end - text) + 1;
    }
    return FLORIN_OK;
}

florin_status fl_work_open(fl_work *w, const char *path, florin_error *err)
{
    char *text = NULL;
    size_t n = 0;
    florin_status st = FLORIN_OK;

    *w = (fl_work){.path = fl_strdup(path), .done = json_object()};
    if (!w->path || !w->done) st = fl_fail(err, FLORIN_ENOMEM, "work file");
    if (!st && fl_file_exists(path)) {
        st = fl_read_file(&text, &n, path, (size_t)1 << 28, err);
        if (!st) st = read_lines(w, text, n, err);
        const char *last = n && text ? text + n : NULL;
        while (last && last > text && last[-1] != '\n') last--;
        if (!st && last && last < text + n && truncate(path, last - text))
            st = fl_fail(err, FLORIN_EIO, "%s: %s", path, strerror(errno));
        free(text);
    }
    if (st) fl_work_close(w);
    return st;
}

void fl_work_close(fl_work *w)
{
    free(w->path);
    json_decref(w->done);
    *w = (fl_work){0};
}

const json_t *fl_work_find(const fl_work *w, const char *key)
{
    return json_object_get(w->done, key);
}

static bool put(int file, const char *text, size_t n)
{
    while (n) {
        ssize_t k = write(file, text, n);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return false;
        text += k;
        n -= (size_t)k;
    }
    return true;
}

florin_status fl_work_add(fl_work *w, const char *key, json_t *line, florin_error *err)
{
    florin_status st = FLORIN_OK;
    char *text = NULL, *whole = NULL;
    int file = -1;

    if (!line || json_object_set_new(line, "key", json_string(key)) ||
        !(text = fl_json_text(line)) || !(whole = fl_asprintf("%s\n", text))) {
        st = fl_fail(err, FLORIN_ENOMEM, "work file");
        goto done;
    }
    file = open(w->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (file < 0 || !put(file, whole, strlen(whole)) || fsync(file))
        st = fl_fail(err, FLORIN_EIO, "%s: %s", w->path, strerror(errno));
    if (file >= 0) close(file);
    if (!st && json_object_set(w->done, key, line)) st = fl_fail(err, FLORIN_ENOMEM, "work file");
done:
    json_decref(line);
    free(text);
    free(whole);
    return st;
}
