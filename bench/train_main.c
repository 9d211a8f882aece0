/* A training step alone, without a log, for bench/train.sh: the network of bench/peers/train_torch.py (8 category fields in
 * and out, 2 numbers, amount and gap) on random events. Uses the inside of the library, as only a tool of the project may.
 *   train_main SCHEMA dense|factored|trunk fp32|bf16 THREADS SECONDS
 * trunk: encoder and GRU forward and backward with half the sum of squared states as the loss, no heads. Prints one JSON
 * object: events_per_second (of the median step), best, cpu_ms (processor time of the cheapest step), steps. */
#include "train/worker.h"
#include <math.h>
#include <stdio.h>
#include <time.h>

enum { H = 256, D = 128, LANES = 32, WINDOW = 128, PARTS = 2, WINDOWS = 4, STEPS_MAX = 100000 };

typedef struct {
    fl_network *network;
    fl_net *net;
    fl_rows rows;
    fl_team *team;
    fl_packs *packs;
    fl_optimiser adam;
    fl_worker *worker[PARTS];
    fl_pass pass;
    bool trunk;
} bench;

static void must(florin_status st, const florin_error *err)
{
    if (!st) return;
    fprintf(stderr, "train_main: %s\n", err->message);
    exit(st);
}

static void *need(void *p)
{
    if (!p) abort();
    return p;
}

static double now(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The schema's category fields: the first has 8,192 tokens, the others 1,024. */
static void make_network(bench *b, const char *path, bool dense)
{
    fl_schema *s;
    uint64_t *hash = need(fl_alloc(8192, sizeof *hash));
    florin_error err;

    must(fl_schema_load(&s, path, &err), &err);
    must(fl_network_new(&b->network, s, H, D, 0, &err), &err);
    for (uint64_t i = 0; i < 8192; i++) hash[i] = i + 1;
    for (uint32_t i = 0; i < b->network->categories; i++)
        must(fl_vocabulary_set(&b->network->vocabulary[i], hash, (i ? 1024 : 8192) - FL_TOKEN_FIRST,
                               0, &err),
             &err);
    b->network->dense = dense;
    b->network->copy = true;
    must(fl_net_new(&b->net, b->network, &err), &err);
    fl_net_init(b->net, 1);
    free(hash);
    fl_schema_free(s);
}

static void make_rows(bench *b)
{
    const fl_network *n = b->network;
    uint32_t count = LANES * WINDOW * WINDOWS, U = fl_network_numbers(n);
    fl_rng r;

    fl_rng_seed(&r, 1);
    b->rows = (fl_rows){.count = count, .train = count, .categories = n->categories, .numbers = U};
    b->rows.time_us = need(fl_calloc(count, sizeof *b->rows.time_us));
    b->rows.category = need(fl_calloc((size_t)count * n->categories, sizeof *b->rows.category));
    b->rows.small = need(fl_calloc(count, sizeof *b->rows.small));
    b->rows.number = need(fl_calloc((size_t)count * U, sizeof *b->rows.number));
    b->rows.stream[0].share = need(fl_calloc((size_t)count * b->net->targets, sizeof(float)));
    for (uint32_t i = 0; i < count; i++) {
        b->rows.time_us[i] = (int64_t)i * 30 * FL_SECOND_US;
        for (uint32_t f = 0; f < n->categories; f++)
            b->rows.category[(size_t)i * n->categories + f] =
                (uint32_t)fl_rng_below(&r, n->vocabulary[f].tokens);
        b->rows.small[i].amount = (uint8_t)fl_rng_below(&r, FL_AMOUNT_TOKENS);
        b->rows.small[i].hour = (uint8_t)fl_rng_below(&r, 24);
        b->rows.small[i].weekday = (uint8_t)fl_rng_below(&r, 7);
        b->rows.small[i].day = (uint8_t)fl_rng_below(&r, 31);
        for (uint32_t u = 0; u < U; u++)
            b->rows.number[(size_t)i * U + u] = (int16_t)(fl_rng_normal(&r) * 3000);
    }
}

/* Lane l of window w reads rows of its own, one after the other. */
static void fill(bench *b, uint32_t window)
{
    uint32_t share = LANES / PARTS;

    for (uint32_t p = 0; p < PARTS; p++) {
        fl_window *w = fl_worker_window(b->worker[p]);
        for (uint32_t t = 0; t < WINDOW; t++)
            for (uint32_t l = 0; l < share; l++) {
                uint32_t lane = p * share + l, at = t * share + l,
                         row = (lane * WINDOWS + window) * WINDOW + t;
                w->row[at] = row;
                w->previous[at] = row ? row - 1 : FL_NO_ROW;
                w->fresh[at] = 0;
                w->weight[at] = 1.0f / (LANES * WINDOW);
            }
    }
}

static void run(void *arg, uint32_t thread)
{
    bench *b = arg;
    uint32_t threads = fl_team_size(b->team);

    fl_packs_fill(b->packs, b->net, thread, threads);
    fl_team_meet(b->team);
    for (uint32_t i = thread; i < PARTS; i += threads) {
        if (!b->trunk) {
            fl_worker_pass(b->worker[i], b->net, &b->rows, &b->pass);
            continue;
        }
        fl_worker_forward(b->worker[i], b->net, &b->rows, &b->pass);
        memcpy(b->worker[i]->d_before, b->worker[i]->before,
               (size_t)LANES / PARTS * WINDOW * H * sizeof(float));
        fl_worker_backward(b->worker[i], b->net, &b->rows, &b->pass);
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    static bench b;
    static double took[STEPS_MAX], used[STEPS_MAX];
    florin_error err;
    uint32_t n = 0;

    if (argc != 6) return FLORIN_EUSAGE;
    make_network(&b, argv[1], strcmp(argv[2], "factored") != 0);
    make_rows(&b);
    b.trunk = !strcmp(argv[2], "trunk");
    b.team = need(fl_team_new((uint32_t)atoi(argv[4]), true));
    must(fl_packs_new(&b.packs, b.net, fl_products_get(NULL, !strcmp(argv[3], "bf16")),
                      FL_PACK_BACKWARD | (b.trunk ? 0 : FL_PACK_HEADS), &err),
         &err);
    must(fl_optimiser_new(&b.adam, b.net, b.team, &err), &err);
    b.adam.rate = 1e-3;
    b.adam.clip = 1;
    b.adam.decay = 0.01;
    for (uint32_t i = 0; i < PARTS; i++)
        must(fl_worker_new(&b.worker[i], b.net, LANES / PARTS, WINDOW, true, &err), &err);
    b.pass = (fl_pass){.train = true, .packs = b.packs};
    if (b.trunk) b.net->stream[0].to = b.net->stream[0].dense_w; /* the optimiser's end: no heads */
    for (double begin = now(CLOCK_MONOTONIC);
         n < STEPS_MAX && (n < 5 || now(CLOCK_MONOTONIC) - begin < atof(argv[5])); n++) {
        double at = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
        fill(&b, n % WINDOWS);
        fl_team_run(b.team, run, &b);
        fl_optimiser_step(&b.adam, b.net, b.worker, PARTS);
        took[n] = now(CLOCK_MONOTONIC) - at;
        used[n] = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    }
    qsort(took + 2, n - 2, sizeof *took, by_value);
    qsort(used + 2, n - 2, sizeof *used, by_value);
    printf("{\"events_per_second\": %.0f, \"best\": %.0f, \"cpu_ms\": %.2f, \"steps\": %u}\n",
           LANES * WINDOW / took[2 + (n - 2) / 2], LANES * WINDOW / took[2], used[2] * 1e3, n);
    return 0;
}
