/* How long an entity stays away once the moment of an event is over: the time until its next event at another moment.
 *
 * The next event's loss knows of it only through those who came back, and where a moment holds many events (the lines of a
 * basket) it is one answer among as many easy ones. Here
 *   a return      is -log p(gap | another moment), weighted as if there were as many as events: where every gap leads to
 *                 another moment the next event's loss says all, and nothing is added
 *   a silence     is the likelihood of a right-censored gap: that it is longer than what had passed when training data ended
 * p is the gap's head mixed with the copy of recent gaps, as it is everywhere else, from the state after the event.
 * Invariant: a position without weight (burn-in) has no loss; events of the same moment as the next have none. */
#include "train/worker.h"
#include <math.h>

typedef struct {
    fl_worker *k;
    const fl_net *net;
    const fl_net_stream *q;
    const fl_segment *g; /* the gap's columns in the dense block: it is never factored */
    bool train;
    double p[FL_DT_TOKENS],
        answers[FL_DT_TOKENS]; /* answers: share of a token that is the answer */
} silence;

/* NULL: the network does not predict gaps. */
static const fl_segment *gap_segment(const fl_net *net, const fl_net_stream *q)
{
    for (uint32_t s = 0; s < q->segments; s++)
        if (net->target[q->segment[s].target].slot == -3) return &q->segment[s];
    return NULL;
}

static double column(const silence *x, uint32_t c, const float *h)
{
    size_t H = x->k->H;

    return (double)(x->net->ops->dot(x->net->w + x->q->dense_w + c * H, h, H) +
                    x->net->w[x->q->dense_b + c]);
}

static void probabilities(silence *x, const float *h)
{
    double top = -INFINITY, all = 0;

    for (uint32_t t = 0; t < FL_DT_TOKENS; t++) {
        x->p[t] = column(x, x->g->first + t, h);
        top = fmax(top, x->p[t]);
    }
    for (uint32_t t = 0; t < FL_DT_TOKENS; t++) all += x->p[t] = exp(x->p[t] - top);
    for (uint32_t t = 0; t < FL_DT_TOKENS; t++) x->p[t] /= all;
}

/* Adds scale times a column's weights to the state's gradient, and scale times the state to the column's. */
static void back(const silence *x, size_t at, uint32_t c, double scale)
{
    size_t H = x->k->H, w = x->q->dense_w + c * H;

    x->net->ops->axpy(x->k->d_state + at * H, (float)scale, x->net->w + w, H);
    x->net->ops->axpy(x->k->gradient + w, (float)scale, x->k->after + at * H, H);
    x->k->gradient[x->q->dense_b + c] += (float)scale;
}

/* -log (answer / moments), each (1 - g) of the head's and g of the copy's. */
static void one(silence *x, size_t at, const fl_return *r, double weight)
{
    const float *h = x->k->after + at * x->k->H;
    uint32_t gate = x->q->gate + x->g->target;
    double answer = 0, moments = 0, g = 1 / (1 + exp(-column(x, gate, h)));
    double copied = (double)r->answer, copied_moments = (double)r->moments;

    probabilities(x, h);
    for (uint32_t t = FL_GAP_SAME + 1; t < FL_DT_TOKENS; t++) {
        answer += x->answers[t] * x->p[t];
        moments += x->p[t];
    }
    double top = fmax((1 - g) * answer + g * copied, 1e-30),
           all = fmax((1 - g) * moments + g * copied_moments, 1e-30);
    x->k->silence_loss += weight * log(all / top);
    if (!x->train) return;
    for (uint32_t t = 0; t < FL_DT_TOKENS; t++) {
        bool moment = t > FL_GAP_SAME;
        double of_answer = x->p[t] * ((moment ? x->answers[t] : 0) - answer),
               of_moments = x->p[t] * (moment - moments);
        back(x, at, x->g->first + t, weight * (1 - g) * (of_moments / all - of_answer / top));
    }
    back(x, at, gate,
         weight * g * (1 - g) * ((copied_moments - moments) / all - (copied - answer) / top));
}

void fl_worker_silence(fl_worker *k, const fl_net *net, const fl_rows *rows, const fl_pass *pass)
{
    const fl_window *w = &k->window;
    const fl_sequences *q = &rows->stream[pass->stream];
    silence x = {.k = k, .net = net, .q = &net->stream[pass->stream], .train = pass->train};

    k->silence_loss = 0;
    x.g = gap_segment(net, x.q);
    for (size_t i = 0; x.g && i < (size_t)w->lanes * w->steps; i++) {
        uint32_t row = w->row[i];
        if (row == FL_NO_ROW || !(w->weight[i] > 0)) continue;
        const fl_return *r = &q->next[row];
        bool never = r->gap == FL_GAP_NEVER;
        double passed = fl_rows_passed(rows, row),
               weight = q->moments - !never; /* a return is in the next event's loss once */
        if (r->gap == FL_GAP_SAME || weight < .05) continue;
        for (uint32_t t = 0; t < FL_DT_TOKENS; t++)
            x.answers[t] = never ? fl_dt_longer(t, passed) : t == r->gap;
        one(&x, i, r, (double)pass->silence * weight * (double)w->weight[i]);
    }
}

double fl_worker_silence_loss(const fl_worker *k)
{
    return k->silence_loss;
}
