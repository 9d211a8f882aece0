/* The live path's time per event, through florin.h alone: fold, encoder, two streams, heads, states written back.
 *   score_main MODEL ENTITIES
 * fills the tables with ENTITIES cards and as many merchants, then reads lines "HOW BATCH EVENTS" from standard input
 * and answers each with "P50 P99", microseconds per event. HOW: hot (100 cards and 50 merchants), cold (any of them),
 * evicted (the same, and other memory is walked between events, so that no cache holds anything of ours), reasons (cold,
 * and the five strongest reasons of each score). */
#include "live.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOT_CARDS = 100, HOT_SHOPS = 50, REASONS = 5, WALK_BYTES = 64 << 20 };
typedef enum { HOT, COLD, EVICTED, REASONED, MODES } load;

static void fill_pair(live *b, uint32_t i, uint64_t card, uint64_t shop)
{
    fill(b, i, (const uint64_t[]){card, shop});
}

/* Push everything out of the caches, as a server's other work would. */
static void walk(void)
{
    static volatile uint8_t *memory;
    if (!memory) memory = calloc(WALK_BYTES, 1);
    if (!memory) exit(FLORIN_ENOMEM);
    for (size_t i = 0; i < WALK_BYTES; i += 64) memory[i]++;
}

static void reasons(live *b, uint32_t n)
{
    florin_reason reason[REASONS];
    florin_error err;
    uint32_t found;
    for (uint32_t i = 0; i < n; i++)
        check(florin_reasons(b->scorer, i, 0, reason, REASONS, &found, &err), &err);
}

static void measure(live *b, load how, uint64_t entities, uint32_t batch, uint32_t events)
{
    uint32_t calls = (events + batch - 1) / batch;
    uint64_t cards = how == HOT ? HOT_CARDS : entities, shops = how == HOT ? HOT_SHOPS : entities;
    double *us = calloc(calls, sizeof *us);
    if (!us || !calls) exit(FLORIN_ENOMEM);
    for (uint32_t c = 0; c < calls; c++) {
        for (uint32_t i = 0; i < batch; i++) {
            uint64_t card = draw(b, cards);
            fill_pair(b, i, card, draw(b, shops));
        }
        if (how == EVICTED) walk();
        double begin = now_us();
        score(b, batch);
        if (how == REASONED) reasons(b, batch);
        us[c] = (now_us() - begin) / batch;
    }
    double p50 = quantile(us, calls, .5);
    printf("%.2f %.2f\n", p50, quantile(us, calls, .99));
    fflush(stdout);
    free(us);
}

static void open_scorer(live *b, const char *path, uint32_t entities)
{
    static const char *const kind[] = {"card", "merchant"};
    florin_model *model;
    florin_scorer_options o = FLORIN_SCORER_INIT;
    florin_error err;
    check(florin_model_open(&model, path, NULL, &err), &err);
    o.entities_max = entities;
    o.pairs_max = entities;
    o.pending_max = entities;
    open_live(b, model, &o, kind, 2);
    florin_model_close(model);
}

int main(int argc, char **argv)
{
    static live b = LIVE_INIT;
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
    open_scorer(&b, argv[1], (uint32_t)entities);
    for (long k = 0; k < entities; k += BATCH) {
        uint32_t n = entities - k < BATCH ? (uint32_t)(entities - k) : BATCH;
        for (uint32_t i = 0; i < n; i++) fill_pair(&b, i, (uint64_t)k + i, (uint64_t)k + i);
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
    return 0;
}
