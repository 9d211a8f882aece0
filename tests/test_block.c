/* A transformer block, in every combination of its options: against the equations of kernels/block.h written down in doubles,
 * gradients against finite differences, nothing read from the future, beyond the window or of another list, a list in
 * pieces gives what it gives whole, and all tiers the same bytes. */
#include "support/support.h"
#include "kernels/block.h"
#include <math.h>
#include <stdio.h>

enum { WIDTH = 12, HEADS = 2, INNER = 20, WINDOW = 4, ROWS = 24, LISTS = 3, D = WIDTH / HEADS };

/* 9 and 5 elements of two sequences, 7 of one that begins at position 0 or is the rest of a longer one, 2 of one; the rows lie
 * step by step, the last one is in no list. */
static const uint32_t length[LISTS][2] = {{9, 5}, {7, 0}, {2, 0}};

typedef struct {
    fl_block_shape shape;
    fl_block b;
    fl_block_work *work;
    fl_block_lists lists;
    uint32_t first[LISTS + 1], row[ROWS], before[ROWS], after[ROWS];
    float *turn, *memory; /* memory: as a pass found it */
    float *w, *gradient, *x, *y, *d_x, *loss;
    size_t weights, at[FL_BLOCK_PARAMETERS], size[FL_BLOCK_PARAMETERS], memories;
    fl_packed_matrix forward[FL_BLOCK_MATRICES], backward[FL_BLOCK_MATRICES];
} fixture;

static void fill(float *x, size_t n, double size, fl_rng *r)
{
    for (size_t i = 0; i < n; i++) x[i] = (float)(fl_rng_normal(r) * size);
}

static void set_lists(fixture *f)
{
    uint32_t e = 0;

    for (uint32_t l = 0; l < LISTS; l++) {
        f->first[l] = e;
        for (uint32_t part = 0; part < 2; part++)
            for (uint32_t i = 0; i < length[l][part]; i++, e++) {
                f->row[e] = (e * 7 + 3) % (ROWS - 1);
                f->before[e] = i;
                f->after[e] = length[l][part] - 1 - i;
            }
    }
    f->first[LISTS] = e;
    assert_int_equal(e, ROWS - 1);
    f->lists = (fl_block_lists){.rows = ROWS,
                                .lists = LISTS,
                                .first = f->first,
                                .row = f->row,
                                .before = f->before,
                                .after = f->after};
}

static void pack(fixture *f)
{
    for (int i = 0; i < FL_BLOCK_MATRICES; i++) {
        const char *name;
        size_t rows, cols;
        fl_block_has(&f->shape, fl_block_matrix[i], &name, &rows, &cols);
        f->forward[i].k = f->backward[i].n = rows;
        f->forward[i].n = f->backward[i].k = cols;
        f->b.products->pack(&f->forward[i], f->b.w[fl_block_matrix[i]], cols, false, 0, 1);
        f->b.products->pack(&f->backward[i], f->b.w[fl_block_matrix[i]], cols, true, 0, 1);
    }
}

static void open_fixture(fixture *f, fl_block_shape shape, const char *tier)
{
    fl_rng r;

    memset(f, 0, sizeof *f);
    f->shape = shape;
    fl_rng_seed(&r, 5);
    for (int i = 0; i < FL_BLOCK_PARAMETERS; i++) {
        const char *name;
        size_t rows, cols;
        f->at[i] = f->weights;
        if (fl_block_has(&shape, (fl_block_parameter)i, &name, &rows, &cols))
            f->size[i] = rows * cols;
        f->weights += f->size[i];
    }
    f->w = fl_calloc(f->weights, sizeof *f->w);
    f->gradient = fl_calloc(f->weights, sizeof *f->w);
    fill(f->w, f->weights, 0.4, &r);
    f->b = (fl_block){.shape = &f->shape,
                      .ops = fl_train_ops_get(tier),
                      .own = fl_block_ops_get(tier),
                      .products = fl_products_get(tier ? "ref" : NULL, false),
                      .scratch = fl_alloc_aligned(FL_PRODUCT_SCRATCH, 1)};
    for (int i = 0; i < FL_BLOCK_PARAMETERS; i++) {
        f->b.w[i] = f->size[i] ? f->w + f->at[i] : NULL;
        f->b.gradient[i] = f->size[i] ? f->gradient + f->at[i] : NULL;
    }
    for (int i = 0; i < FL_BLOCK_MATRICES; i++) {
        size_t bytes = fl_product_bytes(64, 64) * 2;
        f->forward[i].data = fl_alloc_aligned(bytes, 1);
        f->backward[i].data = fl_alloc_aligned(bytes, 1);
        f->b.forward[i] = &f->forward[i];
        f->b.backward[i] = &f->backward[i];
    }
    pack(f);
    f->x = fl_calloc((size_t)5 * ROWS * WIDTH, sizeof *f->x);
    f->y = f->x + ROWS * WIDTH;
    f->d_x = f->y + ROWS * WIDTH;
    f->loss = f->d_x + ROWS * WIDTH;
    fill(f->x, ROWS * WIDTH, 1, &r);
    fill(f->loss, ROWS * WIDTH, 1, &r);
    set_lists(f);
    memset(f->loss + (ROWS - 1) * WIDTH, 0, WIDTH * sizeof(float)); /* of no list: see f->row */
    f->turn = fl_calloc((size_t)ROWS * D, sizeof(float));
    f->work = fl_block_work_new(&f->shape, ROWS, LISTS, 16, true);
    assert_non_null(f->work);
    f->memories = LISTS * fl_block_memory(&shape);
}

/* The second list becomes the rest of a sequence of which `past` elements came before. */
static void give_memory(fixture *f, uint32_t past)
{
    fl_rng r;

    fl_rng_seed(&r, 6);
    for (uint32_t i = 0; i < length[1][0]; i++) f->before[f->first[1] + i] = past + i;
    f->memory = fl_calloc(2 * f->memories, sizeof *f->memory);
    fill(f->memory, f->memories, 0.7, &r);
    if (past < WINDOW) /* nothing fell out yet */
        memset(f->memory + fl_block_memory(&f->shape) + 2 * WINDOW * WIDTH, 0,
               f->shape.history * WIDTH * sizeof(float));
    f->lists.memory = f->memory + f->memories;
    f->lists.stride = fl_block_memory(&f->shape);
}

static void close_fixture(fixture *f)
{
    for (int i = 0; i < FL_BLOCK_MATRICES; i++) {
        free(f->forward[i].data);
        free(f->backward[i].data);
    }
    fl_block_work_free(f->work);
    free(f->b.scratch);
    free(f->memory);
    free(f->turn);
    free(f->gradient);
    free(f->w);
    free(f->x);
}

static void forward(fixture *f)
{
    if (f->memory) memcpy(f->lists.memory, f->memory, f->memories * sizeof(float));
    fl_block_turns(&f->shape, f->before, ROWS - 1, f->turn);
    f->lists.turn = f->turn;
    fl_block_forward(&f->b, f->work, &f->lists, f->x, f->y);
}

static double loss_now(fixture *f)
{
    double sum = 0;

    pack(f);
    forward(f);
    for (size_t i = 0; i < ROWS * WIDTH; i++) sum += (double)f->loss[i] * (double)f->y[i];
    return sum;
}

/* ---- the equations ---- */

static double weight(const fixture *f, fl_block_parameter p, size_t i)
{
    return f->b.w[p] ? (double)f->b.w[p][i] : 0;
}

static void times(const fixture *f, double *y, const double *x, fl_block_parameter w,
                  fl_block_parameter bias, size_t in, size_t out)
{
    for (size_t o = 0; o < out; o++) {
        y[o] = weight(f, bias, o);
        for (size_t i = 0; i < in; i++) y[o] += x[i] * weight(f, w, i * out + o);
    }
}

static void normal(const fixture *f, double *y, const double *x, bool second)
{
    double mean = 0, square = 0;

    for (int i = 0; i < WIDTH; i++) mean += x[i] / WIDTH;
    for (int i = 0; i < WIDTH; i++) square += (x[i] - mean) * (x[i] - mean) / WIDTH;
    for (size_t i = 0; i < WIDTH; i++)
        y[i] = (x[i] - mean) / sqrt(square + (double)f->shape.epsilon) *
                   weight(f, second ? FL_BLOCK_NORM2_GAIN : FL_BLOCK_NORM1_GAIN, i) +
               weight(f, second ? FL_BLOCK_NORM2_BIAS : FL_BLOCK_NORM1_BIAS, i);
}

/* q and k at a position. */
static void placed(const fixture *f, double *x, const double *from, uint32_t position)
{
    memcpy(x, from, D * sizeof *x);
    if (f->shape.positions != FL_POSITIONS_ROTARY) return;
    for (int c = 0; c < D / 2; c++) {
        double a = position * pow(10000, -2.0 * c / D);
        x[c] = from[c] * cos(a) - from[c + D / 2] * sin(a);
        x[c + D / 2] = from[c] * sin(a) + from[c + D / 2] * cos(a);
    }
}

static double score(const fixture *f, const double *q, const double *k, uint32_t i, uint32_t j,
                    size_t head)
{
    double a[D], b[D], sum = 0;

    placed(f, a, q + head * D, i);
    placed(f, b, k + WIDTH + head * D, j);
    for (int c = 0; c < D; c++) sum += a[c] * b[c];
    sum /= sqrt((double)D);
    if (f->shape.positions != FL_POSITIONS_LEARNED) return sum;
    size_t distances = f->shape.causal ? WINDOW : 2 * WINDOW - 1;
    return sum + weight(f, FL_BLOCK_DISTANCE, head * distances + WINDOW - 1 + j - i);
}

/* Mean of the values of elements 0 .. fallen - 1 of a sequence. */
static double fallen_mean(double (*qkv)[3 * WIDTH], int fallen, size_t at)
{
    double mean = 0;

    for (int i = 1; i <= fallen; i++)
        mean += (qkv[i - 1][2 * WIDTH + at] - mean) /
                (i < FL_HISTORY * WINDOW ? i : FL_HISTORY * WINDOW);
    return mean;
}

/* One head at element i of a sequence of n. */
static void attend(const fixture *f, double (*qkv)[3 * WIDTH], int i, int n, size_t head,
                   double *out)
{
    double p[64], sum = 0, own = 0;
    int from = i - WINDOW + 1 > 0 ? i - WINDOW + 1 : 0, to = i;

    if (!f->shape.causal) to = i + WINDOW - 1 < n - 1 ? i + WINDOW - 1 : n - 1;
    for (int j = from; j <= to; j++) {
        p[j] = exp(score(f, qkv[i], qkv[j], (uint32_t)i, (uint32_t)j, head));
        sum += p[j];
    }
    if (f->shape.history) {
        for (size_t c = 0; c < D; c++)
            own += qkv[i][head * D + c] * weight(f, FL_BLOCK_HISTORY_KEY, head * D + c);
        own = exp(own / sqrt((double)D));
        sum += own;
    }
    for (size_t c = 0; c < D; c++) {
        double value = weight(f, FL_BLOCK_HISTORY_VALUE, head * D + c);
        out[head * D + c] = 0;
        for (int j = from; j <= to; j++)
            out[head * D + c] += p[j] / sum * qkv[j][2 * WIDTH + head * D + c];
        if (f->shape.history)
            out[head * D + c] +=
                own / sum * (value + fallen_mean(qkv, i - WINDOW + 1, head * D + c));
    }
}

static void rest(const fixture *f, const double *x, const double *mixed, double *y)
{
    double sum[WIDTH], mid[WIDTH], in[WIDTH], up[INNER], f_out[WIDTH];

    times(f, sum, mixed, FL_BLOCK_OUT, FL_BLOCK_OUT_BIAS, WIDTH, WIDTH);
    for (int c = 0; c < WIDTH; c++) sum[c] += x[c];
    memcpy(mid, sum, sizeof mid);
    if (!f->shape.pre_norm) normal(f, mid, sum, false);
    memcpy(in, mid, sizeof in);
    if (f->shape.pre_norm) normal(f, in, mid, true);
    times(f, up, in, FL_BLOCK_UP, FL_BLOCK_UP_BIAS, WIDTH, INNER);
    for (int c = 0; c < INNER; c++) up[c] = 0.5 * up[c] * (1 + erf(up[c] / sqrt(2)));
    times(f, f_out, up, FL_BLOCK_DOWN, FL_BLOCK_DOWN_BIAS, INNER, WIDTH);
    for (int c = 0; c < WIDTH; c++) sum[c] = mid[c] + f_out[c];
    memcpy(y, sum, sizeof sum);
    if (!f->shape.pre_norm) normal(f, y, sum, true);
}

/* One sequence, whole: elements [first, first + n). */
static void check_sequence(const fixture *f, uint32_t first, int n)
{
    double x[64][WIDTH], a[WIDTH], qkv[64][3 * WIDTH], mixed[WIDTH], y[WIDTH];

    for (int i = 0; i < n; i++) {
        for (size_t c = 0; c < WIDTH; c++)
            x[i][c] = (double)f->x[f->row[first + (uint32_t)i] * WIDTH + c];
        memcpy(a, x[i], sizeof a);
        if (f->shape.pre_norm) normal(f, a, x[i], false);
        times(f, qkv[i], a, FL_BLOCK_QKV, FL_BLOCK_QKV_BIAS, WIDTH, 3 * WIDTH);
    }
    for (int i = 0; i < n; i++) {
        for (size_t head = 0; head < HEADS; head++) attend(f, qkv, i, n, head, mixed);
        rest(f, x[i], mixed, y);
        for (size_t c = 0; c < WIDTH; c++) {
            double got = (double)f->y[f->row[first + (uint32_t)i] * WIDTH + c];
            if (!(fabs(got - y[c]) < 2e-5))
                fail_msg("element %d, column %zu: %.7f, by the equations %.7f", i, c, got, y[c]);
        }
    }
}

/* ---- all options ---- */

static void for_all_shapes(void (*check)(fl_block_shape shape))
{
    for (int i = 0; i < 3 * 2 * 2 * 3; i++) {
        int kind = i / 12;
        check((fl_block_shape){.width = WIDTH,
                               .heads = HEADS,
                               .inner = INNER,
                               .window = WINDOW,
                               .positions = (fl_positions)(i % 3),
                               .pre_norm = i / 3 % 2,
                               .bias = i / 6 % 2,
                               .causal = kind > 0,
                               .history = kind > 1,
                               .epsilon = 1e-5f});
    }
}

static void check_equations(fl_block_shape shape)
{
    fixture f;

    open_fixture(&f, shape, NULL);
    forward(&f);
    for (uint32_t l = 0; l < LISTS; l++) {
        check_sequence(&f, f.first[l], (int)length[l][0]);
        check_sequence(&f, f.first[l] + length[l][0], (int)length[l][1]);
    }
    close_fixture(&f);
}

static void test_equations(void **state)
{
    (void)state;
    for_all_shapes(check_equations);
}

/* Along d: (loss(v + e d) - loss(v - e d)) / 2e is gradient * d; once along the gradient, once along random signs. */
static void check_along(fixture *f, float *v, const float *gradient, size_t n, const char *name,
                        fl_rng *r)
{
    float *keep = fl_alloc(n, sizeof *keep), *d = fl_alloc(n, sizeof *d);

    memcpy(keep, v, n * sizeof *keep);
    for (int way = 0; way < 2; way++) {
        double size = 0, expected = 0, loss[2], e = 4e-3;
        for (size_t i = 0; i < n; i++) {
            d[i] = way ? (fl_rng_below(r, 2) ? 1.0f : -1.0f) : gradient[i];
            size += (double)d[i] * (double)d[i];
        }
        size = sqrt(size);
        assert_true(size > 0);
        for (size_t i = 0; i < n; i++) expected += (double)gradient[i] * (double)d[i] / size;
        for (int side = 0; side < 2; side++) {
            for (size_t i = 0; i < n; i++)
                v[i] = keep[i] + (float)((side ? -e : e) * (double)d[i] / size);
            loss[side] = loss_now(f);
        }
        memcpy(v, keep, n * sizeof *keep);
        double found = (loss[0] - loss[1]) / (2 * e);
        if (fabs(found - expected) > 5e-3 + 2e-3 * fabs(found))
            fail_msg("%s, way %d: gradient %.6f, finite difference %.6f", name, way, expected,
                     found);
    }
    free(keep);
    free(d);
}

static void check_gradients(fl_block_shape shape)
{
    fixture f;
    fl_rng r;
    char name[96];

    open_fixture(&f, shape, NULL);
    if (shape.causal) give_memory(&f, 6);
    fl_rng_seed(&r, 9);
    forward(&f);
    float *d_y = f.loss + ROWS * WIDTH;
    memcpy(d_y, f.loss, ROWS * WIDTH * sizeof *d_y);
    fl_block_backward(&f.b, f.work, &f.lists, f.x, d_y, f.d_x);
    for (int i = 0; i < FL_BLOCK_PARAMETERS; i++) {
        const char *parameter;
        size_t rows, cols;
        if (!fl_block_has(&shape, (fl_block_parameter)i, &parameter, &rows, &cols)) continue;
        snprintf(name, sizeof name, "positions %d, %s-norm, bias %d, causal %d, history %d: %s",
                 (int)shape.positions, shape.pre_norm ? "pre" : "post", shape.bias, shape.causal,
                 shape.history, parameter);
        check_along(&f, f.w + f.at[i], f.gradient + f.at[i], f.size[i], name, &r);
    }
    snprintf(name, sizeof name, "positions %d, causal %d, history %d: x", (int)shape.positions,
             shape.causal, shape.history);
    check_along(&f, f.x, f.d_x, ROWS * WIDTH, name, &r);
    close_fixture(&f);
}

static void test_gradients(void **state)
{
    (void)state;
    for_all_shapes(check_gradients);
}

/* ---- who sees whom ---- */

/* Does the output of element i of the first list change when the input of element j does? */
static void check_sight(fl_block_shape shape)
{
    fixture f;
    float *y = fl_alloc(ROWS * WIDTH, sizeof *y);

    open_fixture(&f, shape, NULL);
    forward(&f);
    memcpy(y, f.y, ROWS * WIDTH * sizeof *y);
    for (uint32_t j = 0; j < ROWS - 1; j++) {
        float *x = f.x + (size_t)f.row[j] * WIDTH, keep = *x;
        *x += 0.5f;
        forward(&f);
        *x = keep;
        for (uint32_t i = 0; i < ROWS - 1; i++) {
            bool same_list =
                (i < f.first[1]) == (j < f.first[1]) && (i < f.first[2]) == (j < f.first[2]);
            bool same = same_list && i - f.before[i] == j - f.before[j];
            bool sees = same && (j <= i ? i - j < WINDOW || shape.history
                                        : !shape.causal && j - i < WINDOW);
            bool changed = memcmp(f.y + (size_t)f.row[i] * WIDTH, y + (size_t)f.row[i] * WIDTH,
                                  WIDTH * sizeof *y) != 0;
            if (sees != changed)
                fail_msg("causal %d, history %d, positions %d: element %u %s element %u",
                         shape.causal, shape.history, (int)shape.positions, i,
                         changed ? "sees" : "does not see", j);
        }
    }
    free(y);
    close_fixture(&f);
}

static void test_sight(void **state)
{
    (void)state;
    for_all_shapes(check_sight);
}

/* The first list's first sequence in pieces of 1, 3, 5 elements, by its memory: as it was whole. */
static void check_pieces(fl_block_shape shape)
{
    fixture f;
    const uint32_t piece[] = {1, 3, 5};
    uint32_t first[2] = {0}, done = 0;

    if (!shape.causal) return;
    open_fixture(&f, shape, NULL);
    forward(&f);
    float *y = fl_alloc(ROWS * WIDTH, sizeof *y),
          *memory = fl_calloc(fl_block_memory(&shape), sizeof *memory);
    memcpy(y, f.y, ROWS * WIDTH * sizeof *y);
    for (size_t i = 0; i < FL_LEN(piece); done += piece[i], i++) {
        fl_block_lists l = f.lists;
        first[1] = piece[i];
        l.lists = 1;
        l.first = first;
        l.row += done;
        l.before += done;
        l.turn += (size_t)done * D;
        l.memory = memory;
        fl_block_forward(&f.b, f.work, &l, f.x, f.y);
        for (uint32_t e = done; e < done + piece[i]; e++)
            for (size_t c = 0; c < WIDTH; c++) {
                double a = (double)f.y[f.row[e] * WIDTH + c], b = (double)y[f.row[e] * WIDTH + c];
                if (!(fabs(a - b) < 1e-5))
                    fail_msg("element %u: %.7f in pieces, %.7f whole", e, a, b);
            }
    }
    free(y);
    free(memory);
    close_fixture(&f);
}

static void test_pieces(void **state)
{
    (void)state;
    for_all_shapes(check_pieces);
}

/* ---- tiers and bad shapes ---- */

static void check_tiers(fl_block_shape shape)
{
    static const char *const tier[] = {"ref", "avx2", "avx512"};
    size_t n = ROWS * WIDTH;
    float *first[3] = {NULL};

    for (size_t i = 0; i < FL_LEN(tier); i++) {
        fixture f;
        if (!fl_block_ops_get(tier[i])) continue;
        open_fixture(&f, shape, tier[i]);
        f.b.ops = fl_train_ops_get("ref"); /* of these avx512 has its own sums */
        forward(&f);
        if (!i) first[2] = fl_alloc(n, sizeof(float));
        if (!i) memcpy(first[2], f.y, n * sizeof(float));
        assert_memory_equal(f.y, first[2], n * sizeof(float));
        float *d_y = f.loss + n;
        memcpy(d_y, f.loss, n * sizeof *d_y);
        fl_block_backward(&f.b, f.work, &f.lists, f.x, d_y, f.d_x);
        if (!i) {
            first[0] = fl_alloc(f.weights, sizeof(float));
            first[1] = fl_alloc(n, sizeof(float));
            memcpy(first[0], f.gradient, f.weights * sizeof(float));
            memcpy(first[1], f.d_x, n * sizeof(float));
        }
        assert_memory_equal(f.gradient, first[0], f.weights * sizeof(float));
        assert_memory_equal(f.d_x, first[1], n * sizeof(float));
        close_fixture(&f);
    }
    for (int i = 0; i < 3; i++) free(first[i]);
}

static void test_tiers(void **state)
{
    (void)state;
    for_all_shapes(check_tiers);
    assert_null(fl_block_ops_get("sse"));
}

static void test_wrong_shapes(void **state)
{
    const fl_block_shape good = {.width = 12,
                                 .heads = 2,
                                 .inner = 20,
                                 .window = 4,
                                 .positions = FL_POSITIONS_ROTARY,
                                 .causal = true,
                                 .history = true};
    fl_block_shape s = good;

    (void)state;
    assert_null(fl_block_wrong(&good));
    s.heads = 5;
    assert_string_equal(fl_block_wrong(&s), "heads must divide the width");
    s.heads = 4;
    assert_string_equal(fl_block_wrong(&s), "rotary positions need heads of an even size");
    s = good;
    s.causal = false;
    assert_string_equal(fl_block_wrong(&s), "a history token needs a causal block");
    s = good;
    s.window = 0;
    assert_string_equal(fl_block_wrong(&s), "window must be 1 to 1024");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equations), cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_sight),     cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_tiers),     cmocka_unit_test(test_wrong_shapes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
