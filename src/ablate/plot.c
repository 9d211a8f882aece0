/* The plot of a scaling study: a row a data set; left nats, right the tasks' mean figure, against events seen, a line a size.
 * Colours are those of Okabe and Ito (2008), which people with any colour vision tell apart; marks differ too. */
#include "ablate/run.h"
#include "base/file.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum { WIDE = 360, HIGH = 230, LEFT = 66, TOP = 42, GAP = 84, ROW = 330, SIZES = 8, MARKS = 256 };

typedef struct {
    double parameters, x[MARKS], y[MARKS];
    uint32_t n;
    char name[24];
} series;

typedef struct {
    char *text;
    size_t n, cap;
    bool failed;
} page;

static void put(page *p, const char *fmt, ...) FL_PRINTF(2, 3);
static void put(page *p, const char *fmt, ...)
{
    char line[1024];
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (n < 0 || n >= (int)sizeof line ||
        !fl_grow((void **)&p->text, &p->cap, p->n + (size_t)n + 1, 1)) {
        p->failed = true;
        return;
    }
    memcpy(p->text + p->n, line, (size_t)n + 1);
    p->n += (size_t)n;
}

/* Text of a plan's names, without what SVG would read as its own. */
static void plain(char *out, size_t size, const char *text)
{
    size_t n = 0;

    for (; *text && n + 1 < size; text++) out[n++] = strchr("<>&\"'", *text) ? ' ' : *text;
    out[n] = 0;
}

/* ---- what is drawn ---- */

static double mean_task(const json_t *p)
{
    const json_t *t;
    double sum = 0;
    size_t i;

    json_array_foreach(json_object_get(p, "tasks"), i, t) sum += fl_json_num(t, "value", 0);
    return i ? sum / (double)i : (double)NAN;
}

/* A series for each size of a data set. */
static uint32_t take(series *s, const json_t *result, const char *data, bool tasks)
{
    const char *nats = fl_json_str(result, "nats", "nats_later");
    const json_t *p;
    uint32_t n = 0;
    size_t i;

    json_array_foreach(json_object_get(result, "points"), i, p)
    {
        double parameters = fl_json_num(p, "parameters", 0),
               y = tasks ? mean_task(p) : fl_json_num(p, nats, 0);
        uint32_t k = 0;
        if (strcmp(fl_json_str(p, "data", ""), data) || !isfinite(y)) continue;
        while (k < n && s[k].parameters != parameters) k++;
        if (k == SIZES) continue;
        if (k == n) {
            char name[24];
            s[n++] = (series){.parameters = parameters};
            plain(name, sizeof name, fl_json_str(p, "choice", ""));
            snprintf(s[k].name, sizeof s[k].name, "%.*s", (int)strcspn(name, " "), name);
        }
        if (s[k].n == MARKS) continue;
        s[k].x[s[k].n] = log10(fmax(fl_json_num(p, "events", 1), 1));
        s[k].y[s[k].n++] = y;
    }
    return n;
}

typedef struct {
    double x0, x1, y0, y1, left, top; /* the values at the frame's edges */
} frame;

static double across(const frame *f, double x)
{
    return f->left + (x - f->x0) / (f->x1 - f->x0) * WIDE;
}

static double down(const frame *f, double y)
{
    return f->top + HIGH - (y - f->y0) / (f->y1 - f->y0) * HIGH;
}

static frame frame_of(const series *s, uint32_t n, double left, double top)
{
    frame f = {INFINITY, -INFINITY, INFINITY, -INFINITY, left, top};

    for (uint32_t k = 0; k < n; k++)
        for (uint32_t i = 0; i < s[k].n; i++) {
            f.x0 = fmin(f.x0, s[k].x[i]);
            f.x1 = fmax(f.x1, s[k].x[i]);
            f.y0 = fmin(f.y0, s[k].y[i]);
            f.y1 = fmax(f.y1, s[k].y[i]);
        }
    double wide = fmax(f.x1 - f.x0, .1), high = fmax(f.y1 - f.y0, 1e-3);
    f.x0 -= .08 * wide;
    f.x1 += .08 * wide;
    f.y0 -= .1 * high;
    f.y1 += .1 * high;
    return f;
}

static void axes(page *p, const frame *f, const char *title, const char *what, bool curve)
{
    static const double steps[] = {1, 2, 5};

    put(p, "<rect x='%.1f' y='%.1f' width='%d' height='%d' fill='none' stroke='#888'/>\n", f->left,
        f->top, WIDE, HIGH);
    put(p, "<text x='%.1f' y='%.1f' font-weight='bold'>%s</text>\n", f->left, f->top - 12, title);
    for (int d = 0; d < 12; d++)
        for (size_t k = 0; k < FL_LEN(steps); k++) {
            double v = steps[k] * pow(10, d), x = log10(v);
            if (x < f->x0 || x > f->x1) continue;
            put(p, "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='#ddd'/>\n", across(f, x),
                f->top, across(f, x), f->top + HIGH);
            put(p, "<text x='%.1f' y='%.1f' text-anchor='middle'>%g%s</text>\n", across(f, x),
                f->top + HIGH + 16,
                v >= 1e6   ? v / 1e6
                : v >= 1e3 ? v / 1e3
                           : v,
                v >= 1e6   ? " M"
                : v >= 1e3 ? " k"
                           : "");
        }
    for (int k = 0; k <= 4; k++) {
        double y = f->y0 + (f->y1 - f->y0) * k / 4;
        put(p, "<text x='%.1f' y='%.1f' text-anchor='end'>%.3f</text>\n", f->left - 6,
            down(f, y) + 4, y);
    }
    put(p,
        "<text x='%.1f' y='%.1f' text-anchor='middle'>events seen in pretraining "
        "(marks: size and parameters%s)</text>\n",
        f->left + WIDE / 2., f->top + HIGH + 34, curve ? "; dashed: fitted curve" : "");
    put(p, "<text transform='translate(%.1f,%.1f) rotate(-90)' text-anchor='middle'>%s</text>\n",
        f->left - 50, f->top + HIGH / 2., what);
}

static void mark(page *p, double x, double y, uint32_t k, const char *colour)
{
    if (k % 3 == 0) put(p, "<circle cx='%.1f' cy='%.1f' r='4' fill='%s'/>\n", x, y, colour);
    else if (k % 3 == 1)
        put(p, "<rect x='%.1f' y='%.1f' width='8' height='8' fill='%s'/>\n", x - 4, y - 4, colour);
    else put(p, "<path d='M%.1f %.1f l5 9 h-10 z' fill='%s'/>\n", x, y - 5, colour);
}

/* The fitted curve at one size. */
static void draw_curve(page *p, const frame *f, const json_t *c, double parameters,
                       const char *colour)
{
    const json_t *P = json_object_get(c, "parameters"), *E = json_object_get(c, "events");

    put(p, "<polyline fill='none' stroke='%s' stroke-dasharray='4 3' points='", colour);
    for (int i = 0; i <= 40; i++) {
        double x = f->x0 + (f->x1 - f->x0) * i / 40;
        double y =
            fl_json_num(c, "floor", 0) +
            fl_json_num(P, "factor", 0) * pow(parameters / 1e5, -fl_json_num(P, "exponent", 0)) +
            fl_json_num(E, "factor", 0) * pow(pow(10, x) / 1e6, -fl_json_num(E, "exponent", 0));
        if (y >= f->y0 && y <= f->y1) put(p, "%.1f,%.1f ", across(f, x), down(f, y));
    }
    put(p, "'/>\n");
}

static void panel(page *p, const json_t *result, const char *data, const json_t *c, bool tasks,
                  double left, double top)
{
    static const char *const colour[SIZES] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                              "#E69F00", "#56B4E9", "#000000", "#999999"};
    series *s = fl_calloc(SIZES, sizeof *s);
    char name[64], title[128];

    if (!s) {
        p->failed = true;
        return;
    }
    uint32_t n = take(s, result, data, tasks);
    frame f = frame_of(s, n, left, top);
    plain(name, sizeof name, data);
    snprintf(title, sizeof title, "%s: %s", name, tasks ? "tasks" : "next event");
    if (n)
        axes(p, &f, title,
             tasks ? "mean of the tasks' AUC or AP, validation" : "held-out nats an event",
             c && !tasks);
    for (uint32_t k = 0; k < n; k++) {
        if (c && !tasks) draw_curve(p, &f, c, s[k].parameters, colour[k]);
        for (uint32_t i = 0; i < s[k].n; i++)
            mark(p, across(&f, s[k].x[i]), down(&f, s[k].y[i]), k, colour[k]);
        double x = left + 8 + 118 * k, y = top + HIGH + 54;
        mark(p, x, y - 4, k, colour[k]);
        put(p, "<text x='%.1f' y='%.1f'>%s, %.0f k</text>\n", x + 10, y, s[k].name,
            s[k].parameters / 1e3);
    }
    free(s);
}

static const json_t *curve_of(const json_t *result, const char *data)
{
    const json_t *c;
    size_t i;

    json_array_foreach(json_object_get(result, "curves"), i, c)
    {
        if (!strcmp(fl_json_str(c, "data", ""), data)) return c;
    }
    return NULL;
}

florin_status fl_ablate_plot(const json_t *result, const char *path, florin_error *err)
{
    const json_t *list = json_object_get(result, "points"), *p;
    const char *seen[64];
    page out = {0};
    size_t i, rows = 0;

    if (!list) return fl_fail(err, FLORIN_EUSAGE, "--plot draws a plan with `scaling`");
    json_array_foreach(list, i, p)
    {
        const char *data = fl_json_str(p, "data", "");
        size_t k = 0;
        while (k < rows && strcmp(seen[k], data)) k++;
        if (k == rows && rows < FL_LEN(seen)) seen[rows++] = data;
    }
    put(&out,
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %zu' font-family='sans-serif' "
        "font-size='12'>\n<rect width='100%%' height='100%%' fill='white'/>\n",
        2 * (LEFT + WIDE) + GAP, rows * ROW + TOP);
    for (size_t k = 0; k < rows; k++)
        for (int tasks = 0; tasks < 2; tasks++)
            panel(&out, result, seen[k], curve_of(result, seen[k]), tasks,
                  LEFT + tasks * (WIDE + GAP), TOP + (double)k * ROW);
    put(&out, "</svg>\n");
    florin_status st = out.failed ? fl_fail(err, FLORIN_ENOMEM, "%s", path)
                                  : fl_write_file(path, out.text, out.n, err);
    free(out.text);
    return st;
}
