/* Owns the packed weights of a step. Invariant: which matrices there are and how large each is follows from the
 * network's shape. */
#include "train/net.h"

/* A matrix, where its weights lie, and how: stored [rows][cols], where y = x W has W [k][n]. */
typedef struct {
    fl_pack *pack;
    size_t at, k, n;
    bool turned; /* stored as [n][k] */
    bool inputs; /* x is an input of the network: no gradient of it */
} matrix;

enum { MATRICES_MAX = 6 + FL_LAYERS_MAX * FL_BLOCK_MATRICES + FL_STREAMS * (FL_PANELS_MAX + 1) };

/* The backbone's. */
static uint32_t list_backbone(fl_packs *p, const fl_net *net, matrix *out)
{
    const fl_network *network = net->network;
    size_t D = network->d, H = network->h, W = network->block.width;
    uint32_t n = 0;

    if (!network->layers) {
        out[n++] = (matrix){&p->wx, net->wx, D, 3 * H, false, false};
        out[n++] = (matrix){&p->wh, net->wh, H, 3 * H, false, false};
        return n;
    }
    out[n++] = (matrix){&p->wx, net->wx, D, W, false, false};
    for (uint32_t l = 0; l < network->layers; l++)
        for (int i = 0; i < FL_BLOCK_MATRICES; i++) {
            const char *name;
            size_t rows, cols;
            fl_block_has(&network->block, fl_block_matrix[i], &name, &rows, &cols);
            out[n++] = (matrix){
                &p->layer[l][i], net->block[l][fl_block_matrix[i]], rows, cols, false, false};
        }
    out[n++] = (matrix){&p->out, net->out_w, W, H, false, false};
    return n;
}

static uint32_t list(fl_packs *p, const fl_net *net, matrix *out)
{
    size_t D = net->network->d, H = net->network->h, U = fl_network_numbers(net->network);
    uint32_t n = 0;

    out[n++] = (matrix){&p->numbers, net->num_w, U, D, false, true};
    out[n++] = (matrix){&p->mlp1, net->w1, D, 2 * D, false, false};
    out[n++] = (matrix){&p->mlp2, net->w2, 2 * D, D, false, false};
    n += list_backbone(p, net, out + n);
    for (int s = 0; s < FL_STREAMS && (p->what & FL_PACK_HEADS); s++) {
        const fl_net_stream *q = &net->stream[s];
        for (uint32_t i = 0; i < q->panels; i++)
            out[n++] = (matrix){&p->panel[s][i],
                                q->dense_w + q->panel[i].first * H,
                                H,
                                q->panel[i].columns,
                                true,
                                false};
    }
    for (int s = 0; s < FL_STREAMS && (p->what & FL_PACK_BACKWARD) && net->ahead; s++)
        if (net->network->stream[s])
            out[n++] = (matrix){&p->ahead[s], net->stream[s].ahead_w, H, net->ahead, true, false};
    return n;
}

/* Gives a matrix its room, or counts it where p->block is not there yet. */
static void place(fl_packs *p, fl_packed_matrix *to, size_t k, size_t n, size_t *at)
{
    *to = (fl_packed_matrix){.k = k, .n = n};
    if (p->block) {
        to->data = (char *)p->block + *at;
        p->products->pack(to, NULL, 0, false, 0, UINT32_MAX); /* nothing but the stride */
    }
    *at += (fl_product_bytes(k, n) + 63) / 64 * 64;
}

static size_t place_all(fl_packs *p, const fl_net *net)
{
    matrix m[MATRICES_MAX];
    uint32_t n = list(p, net, m);
    size_t at = 0;

    for (uint32_t i = 0; i < n; i++) {
        place(p, &m[i].pack->forward, m[i].k, m[i].n, &at);
        if ((p->what & FL_PACK_BACKWARD) && !m[i].inputs)
            place(p, &m[i].pack->backward, m[i].n, m[i].k, &at);
    }
    return at;
}

florin_status fl_packs_new(fl_packs **out, const fl_net *net, const fl_products *products,
                           uint32_t what, florin_error *err)
{
    fl_packs *p = fl_calloc(1, sizeof *p);

    *out = NULL;
    if (!p) return fl_fail(err, FLORIN_ENOMEM, "packed weights");
    p->products = products;
    p->what = what;
    size_t bytes = place_all(p, net);
    p->block = fl_alloc_aligned(bytes, 1);
    if (!p->block) {
        free(p);
        return fl_fail(err, FLORIN_ENOMEM, "packed weights of %zu bytes", bytes);
    }
    place_all(p, net);
    *out = p;
    return FLORIN_OK;
}

void fl_packs_free(fl_packs *p)
{
    if (!p) return;
    free(p->block);
    free(p);
}

void fl_packs_fill(fl_packs *p, const fl_net *net, uint32_t part, uint32_t parts)
{
    matrix m[MATRICES_MAX];
    uint32_t n = list(p, net, m);

    for (uint32_t i = 0; i < n; i++) {
        size_t stored = m[i].turned ? m[i].k : m[i].n; /* columns as stored */
        fl_packed_matrix to = m[i].pack->forward;      /* a copy: parts write to each */
        p->products->pack(&to, net->w + m[i].at, stored, m[i].turned, part, parts);
        if (!(p->what & FL_PACK_BACKWARD) || m[i].inputs) continue;
        to = m[i].pack->backward;
        p->products->pack(&to, net->w + m[i].at, stored, !m[i].turned, part, parts);
    }
}
