/* The live path's time per event, through florin.h alone: fold, encoder, two streams, heads, states written back.
 *   score_main MODEL ENTITIES
 * fills the tables with ENTITIES cards and as many merchants, then reads lines "HOW BATCH EVENTS" from standard input
 * and answers each with "P50 P99", microseconds per event. HOW: hot (100 cards and 50 merchants), cold (any of them),
 * evicted (the same, and other memory is walked between events, so that no cache holds anything of ours), reasons (cold,
 * and the five strongest reasons of each score). */
#include <florin.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    BATCH = 64,
    HOT_CARDS = 100,
    HOT_SHOPS = 50,
    FIELDS = 5,
    REASONS = 5,
    WALK_BYTES = 64 << 20
};
typedef enum { HOT, COLD, EVICTED, REASONED, MODES } load;

typedef struct {
    florin_scorer *scorer;
    uint32_t payment, entity[2], category[3], heads;
    uint64_t random, number;
    int64_t time_us;
    florin_event event[BATCH];
    florin_value value[BATCH][FIELDS];
    char text[BATCH][3][24];
    florin_head_score *scores;
    florin_status item[BATCH];
} bench;

static void check(florin_status st, const florin_error *err)
{
    if (!st) return;
    fprintf(stderr, "score_main: %s\n", err->message);
    exit(st);
}

static uint64_t draw(bench *b, uint64_t below)
{
    b->random = b->random * 6364136223846793005u + 1442695040888963407u;
    return (b->random >> 33) % below;
}

static florin_value text(uint32_t field, const char *s)
{
    florin_value v = {field, (uint32_t)strlen(s), s, 0};
    return v;
}

static void fill(bench *b, uint32_t i, uint64_t card, uint64_t shop)
{
    static const char *const category[] = {"grocery", "restaurant", "electronics", "fuel"},
                             *const country[] = {"DE", "FR", "NL"},
                             *const mode[] = {"chip", "contactless", "online"};
    florin_event *e = &b->event[i];
    florin_value *v = b->value[i];
    snprintf(b->text[i][0], 24, "p%" PRIu64, ++b->number);
    snprintf(b->text[i][1], 24, "c%" PRIu64, card);
    snprintf(b->text[i][2], 24, "m%" PRIu64, shop);
    v[0] = text(b->entity[0], b->text[i][1]);
    v[1] = text(b->entity[1], b->text[i][2]);
    v[2] = text(b->category[0], category[draw(b, 4)]);
    v[3] = text(b->category[1], country[draw(b, 3)]);
    v[4] = text(b->category[2], mode[draw(b, 3)]);
    memset(e, 0, sizeof *e);
    e->id = b->text[i][0];
    e->id_n = (uint32_t)strlen(e->id);
    e->type = b->payment;
    e->time_us = b->time_us += 10000;
    e->amount_minor = 100 + (int64_t)draw(b, 20000);
    e->n_values = FIELDS;
    e->values = v;
}

static void score(bench *b, uint32_t n)
{
    florin_error err;
    check(florin_score(b->scorer, b->event, n, b->scores, b->item, &err), &err);
    for (uint32_t i = 0; i < n; i++)
        if (b->item[i]) {
            fprintf(stderr, "score_main: %s\n", florin_scorer_message(b->scorer, i));
            exit(b->item[i]);
        }
}

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Push everything out of the caches, as a server's other work would. */
static void walk(void)
{
    static volatile uint8_t *memory;
    if (!memory) memory = calloc(WALK_BYTES, 1);
    if (!memory) exit(FLORIN_ENOMEM);
    for (size_t i = 0; i < WALK_BYTES; i += 64) memory[i]++;
}

static void reasons(bench *b, uint32_t n)
{
    florin_reason reason[REASONS];
    florin_error err;
    uint32_t found;
    for (uint32_t i = 0; i < n; i++)
        check(florin_reasons(b->scorer, i, 0, reason, REASONS, &found, &err), &err);
}

static void measure(bench *b, load how, uint64_t entities, uint32_t batch, uint32_t events)
{
    uint32_t calls = (events + batch - 1) / batch;
    uint64_t cards = how == HOT ? HOT_CARDS : entities, shops = how == HOT ? HOT_SHOPS : entities;
    double *us = calloc(calls, sizeof *us);
    if (!us || !calls) exit(FLORIN_ENOMEM);
    for (uint32_t c = 0; c < calls; c++) {
        for (uint32_t i = 0; i < batch; i++) fill(b, i, draw(b, cards), draw(b, shops));
        if (how == EVICTED) walk();
        double begin = now_us();
        score(b, batch);
        if (how == REASONED) reasons(b, batch);
        us[c] = (now_us() - begin) / batch;
    }
    qsort(us, calls, sizeof *us, ascending);
    printf("%.2f %.2f\n", us[calls / 2], us[(size_t)calls * 99 / 100]);
    fflush(stdout);
    free(us);
}

static void open_bench(bench *b, const char *path, uint32_t entities)
{
    florin_model *model;
    florin_scorer_options o = FLORIN_SCORER_INIT;
    florin_error err;
    static const char *const category[] = {"category", "country", "entry_mode"};
    check(florin_model_open(&model, path, NULL, &err), &err);
    o.entities_max = entities;
    o.pairs_max = entities;
    o.pending_max = entities;
    o.batch_max = BATCH;
    check(florin_scorer_open(&b->scorer, model, &o, &err), &err);
    florin_model_close(model);
    b->heads = florin_scorer_heads(b->scorer);
    b->scores = calloc((size_t)BATCH * (b->heads ? b->heads : 1), sizeof *b->scores);
    if (!b->scores) exit(FLORIN_ENOMEM);
    check(florin_scorer_find(b->scorer, FLORIN_TYPE, "payment", &b->payment, &err), &err);
    check(florin_scorer_find(b->scorer, FLORIN_ENTITY, "card", &b->entity[0], &err), &err);
    check(florin_scorer_find(b->scorer, FLORIN_ENTITY, "merchant", &b->entity[1], &err), &err);
    for (int i = 0; i < 3; i++)
        check(florin_scorer_find(b->scorer, FLORIN_CATEGORY, category[i], &b->category[i], &err),
              &err);
}

int main(int argc, char **argv)
{
    static bench b = {.time_us = INT64_C(1750000000000000), .random = 1};
    florin_scorer_counts counts = FLORIN_SCORER_COUNTS_INIT;
    florin_error err;
    static const char *const name[MODES] = {"hot", "cold", "evicted", "reasons"};
    char how[16];
    unsigned batch, events;

    long entities = argc == 3 ? atol(argv[2]) : 0;
    if (entities < HOT_CARDS || entities > 100000000) {
        fprintf(stderr, "usage: score_main MODEL ENTITIES\n");
        return FLORIN_EUSAGE;
    }
    open_bench(&b, argv[1], (uint32_t)entities);
    for (long k = 0; k < entities; k += BATCH) {
        uint32_t n = entities - k < BATCH ? (uint32_t)(entities - k) : BATCH;
        for (uint32_t i = 0; i < n; i++) fill(&b, i, (uint64_t)k + i, (uint64_t)k + i);
        score(&b, n);
    }
    check(florin_scorer_stats(b.scorer, &counts, &err), &err);
    printf("%" PRIu64 " entities\n", counts.entities);
    fflush(stdout);
    while (scanf("%15s %u %u", how, &batch, &events) == 3) {
        load m = HOT;
        while (m < MODES && strcmp(how, name[m])) m++;
        if (m == MODES || batch < 1 || batch > BATCH || events < 1) return FLORIN_EUSAGE;
        measure(&b, m, (uint64_t)entities, batch, events);
    }
    florin_scorer_close(b.scorer);
    free(b.scores);
    return 0;
}
