/* Owns which slices a step compares, and their loss and gradient. Invariants: no slice holds an event of an unseen entity
 * or of the later slice; a share compares within itself, so its bytes do not depend on the threads. */
#include "train/contrast.h"
#include "train/worker.h"
#include <math.h>

/* ---- which ---- */

florin_status fl_slices_new(fl_slices **out, const fl_rows *rows, int stream, florin_error *err)
{
    const fl_sequences *q = &rows->stream[stream];
    fl_slices *s = fl_calloc(1, sizeof *s);

    *out = NULL;
    if (s) {
        s->sequences = q;
        s->filler = FL_NO_ROW;
        s->entity = fl_alloc((size_t)q->entities + 1, sizeof *s->entity);
        s->events = fl_alloc((size_t)q->entities + 1, sizeof *s->events);
    }
    if (!s || !s->entity || !s->events) {
        fl_slices_free(s);
        return fl_fail(err, FLORIN_ENOMEM, "slices of %u histories", q->entities);
    }
    for (uint32_t e = 0; e < q->entities; e++) {
        uint64_t i = q->start[e];
        if (q->unseen[e]) continue;
        while (i < q->start[e + 1] && q->row[i] < rows->train) i++;
        uint64_t n = i - q->start[e];
        if (n && s->filler == FL_NO_ROW) s->filler = q->row[q->start[e]];
        if (n < FL_SLICE_EVENTS) continue;
        s->entity[s->entities] = e;
        s->events[s->entities++] = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
    }
    *out = s;
    return FLORIN_OK;
}

void fl_slices_free(fl_slices *s)
{
    if (!s) return;
    free(s->entity);
    free(s->events);
    free(s);
}

uint32_t fl_slices_lanes(size_t positions)
{
    size_t lanes = positions / 2 / FL_SLICE_STEPS;

    return lanes < 4 ? 4 : lanes > 16 ? 16 : (uint32_t)lanes;
}

/* One slice of history i at steps [t, t + length) of a lane. */
static void put_slice(const fl_slices *s, fl_window *w, uint32_t lane, uint32_t t, uint32_t i,
                      uint32_t length, fl_rng *rng)
{
    const fl_sequences *q = s->sequences;
    uint64_t start = q->start[s->entity[i]],
             from = start + fl_rng_below(rng, s->events[i] - length + 1);

    for (uint32_t k = 0; k < length; k++) {
        size_t at = (size_t)(t + k) * w->lanes + lane;
        w->row[at] = q->row[from + k];
        w->previous[at] = from + k > start ? q->row[from + k - 1] : FL_NO_ROW;
        w->fresh[at] = k == 0;
        w->weight[at] = 0;
        w->slice[at] = k + 1 == length ? s->entity[i] + 1 : 0;
    }
}

/* A length for history i, at most `most`. */
static uint32_t draw_length(const fl_slices *s, uint32_t i, uint32_t most, fl_rng *rng)
{
    uint32_t high = s->events[i] / 2 < FL_SLICE_MOST ? s->events[i] / 2 : FL_SLICE_MOST,
             low = high / 4 > 2 ? high / 4 : 2,
             length = low + (uint32_t)fl_rng_below(rng, high - low + 1);

    return length < most ? length : most;
}

/* Pairs of slices, one after the other, as long as there is room. Returns the number of slices. */
static uint32_t fill_lane(const fl_slices *s, fl_window *w, uint32_t lane, uint32_t room,
                          fl_rng *rng)
{
    uint32_t t = 0, slices = 0;

    while (s->entities > 1 && w->steps - t >= 4 && slices + 2 <= room) {
        uint32_t i = (uint32_t)fl_rng_below(rng, s->entities);
        for (uint32_t half = 0; half < 2; half++) {
            uint32_t length = draw_length(s, i, w->steps - t - (half ? 0 : 2), rng);
            put_slice(s, w, lane, t, i, length, rng);
            t += length;
        }
        slices += 2;
    }
    for (; t < w->steps; t++) {
        size_t at = (size_t)t * w->lanes + lane;
        w->row[at] = s->filler;
        w->previous[at] = FL_NO_ROW;
        w->fresh[at] = 1;
        w->weight[at] = 0;
        w->slice[at] = 0;
    }
    return slices;
}

uint32_t fl_slices_fill(const fl_slices *s, fl_worker *const *worker, uint32_t workers,
                        uint64_t seed)
{
    uint32_t all = 0;

    for (uint32_t k = 0; k < workers; k++) {
        fl_window *w = fl_worker_window(worker[k]);
        uint32_t slices = 0;
        fl_rng rng;
        fl_rng_seed(&rng, fl_mix64(seed ^ fl_mix64(k + 0x736c696365)));
        for (uint32_t lane = 0; lane < w->lanes; lane++)
            slices += fill_lane(s, w, lane, FL_SLICES_MAX - slices, &rng);
        all += slices;
    }
    return all;
}

/* ---- how alike ---- */

typedef struct {
    fl_worker *k;
    const fl_net *net;
    uint32_t n; /* slices */
    size_t H;
    double scale;             /* of a slice's loss */
    const uint32_t *position; /* [n] of the last event */
    float *z, *d_z;           /* [n][H] states of length 1, and their gradient */
    float *alike;             /* [n][n] exp of cosine / warmth */
    double norm[FL_SLICES_MAX];
} slices;

static uint32_t group_of(const slices *x, uint32_t i)
{
    return x->k->window.slice[x->position[i]];
}

static void collect(slices *x)
{
    fl_worker *k = x->k;
    size_t N = (size_t)k->window.lanes * k->window.steps;

    for (uint32_t at = 0; at < N; at++)
        if (k->window.slice[at] && x->n < FL_SLICES_MAX) k->pick[x->n++] = at;
    x->position = k->pick;
    for (uint32_t i = 0; i < x->n; i++) {
        float *z = x->z + i * x->H;
        memcpy(z, k->after + (size_t)x->position[i] * x->H, x->H * sizeof *z);
        x->norm[i] = sqrt(x->net->ops->squares(z, x->H)) + 1e-12;
        x->net->ops->scale(z, (float)(1 / x->norm[i]), x->H);
    }
    for (uint32_t i = 0; i < x->n; i++)
        for (uint32_t j = 0; j <= i; j++) {
            double s = (double)x->net->ops->dot(x->z + i * x->H, x->z + j * x->H, x->H);
            /* Below its largest value, so that it never overflows. */
            float e = (float)exp((s - 1) / FL_SLICE_WARMTH);
            x->alike[i * x->n + j] = x->alike[j * x->n + i] = e;
        }
}

/* d loss / d s_ij to the gradients of both. */
static void pull(slices *x, uint32_t i, uint32_t j, double d)
{
    float by = (float)(d * x->scale / FL_SLICE_WARMTH);

    x->net->ops->axpy(x->d_z + i * x->H, by, x->z + j * x->H, x->H);
    x->net->ops->axpy(x->d_z + j * x->H, by, x->z + i * x->H, x->H);
}

/* The loss of slice i. */
static double compare(slices *x, uint32_t i, bool train)
{
    const float *e = x->alike + (size_t)i * x->n;
    double others = 0, loss = 0, push = 0;
    uint32_t positives = 0;

    for (uint32_t j = 0; j < x->n; j++) {
        bool same = group_of(x, j) == group_of(x, i);
        if (!same) others += (double)e[j];
        else positives += j != i;
    }
    if (!positives || others <= 0) return 0;
    for (uint32_t p = 0; p < x->n; p++) {
        if (p == i || group_of(x, p) != group_of(x, i)) continue;
        double all = (double)e[p] + others;
        loss -= log((double)e[p] / all) / positives;
        push += 1 / all / positives;
        if (train) pull(x, i, p, -others / all / positives);
    }
    for (uint32_t j = 0; j < x->n && train; j++)
        if (group_of(x, j) != group_of(x, i)) pull(x, i, j, (double)e[j] * push);
    return loss * x->scale;
}

void fl_worker_contrast(fl_worker *k, const fl_net *net, const fl_pass *pass)
{
    slices x = {.k = k,
                .net = net,
                .H = k->H,
                .scale = (double)pass->contrast,
                .z = k->picked,
                .d_z = k->d_picked,
                .alike = k->alike};

    k->contrast_loss = 0;
    collect(&x);
    if (pass->train) memset(x.d_z, 0, x.n * x.H * sizeof(float));
    for (uint32_t i = 0; i < x.n; i++) k->contrast_loss += compare(&x, i, pass->train);
    for (uint32_t i = 0; i < x.n && pass->train; i++) {
        float *d = k->d_state + (size_t)x.position[i] * x.H, *z = x.z + i * x.H,
              *d_z = x.d_z + i * x.H;
        net->ops->axpy(d_z, -net->ops->dot(d_z, z, x.H), z, x.H); /* the length does not count */
        net->ops->axpy(d, (float)(1 / x.norm[i]), d_z, x.H);
    }
}

double fl_worker_contrast_loss(const fl_worker *k)
{
    return k->contrast_loss;
}
