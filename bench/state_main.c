/* How a scorer grows, through florin.h alone.
 *   state_main size MODEL ENTITIES FILE
 * fills a scorer with ENTITIES entities (of ten: 4 cards, 4 devices, a merchant, a terminal), scores more events of them one
 * by one, saves to FILE, closes, opens from FILE, and prints "NAME VALUE" lines.
 *   state_main history MODEL EVENTS
 * lets single cards live through EVENTS events each and prints "LENGTH MICROSECONDS" lines, medians by length. */
#include "live.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PAIRS = 1000000, PENDING = 1000000, CARDS = 21, SINGLE = 20000 };

/* "VmRSS" or "VmHWM" of this process, bytes. */
static double memory(const char *what)
{
    char line[256];
    double kib = 0;
    size_t n = strlen(what);
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, what, n) && line[n] == ':') kib = atof(line + n + 1);
    if (f) fclose(f);
    return kib * 1024;
}

/* An event of a card, its device, a merchant and its terminal. */
static void fill_shop(live *b, uint32_t i, uint64_t card, uint64_t shop)
{
    fill(b, i, (const uint64_t[]){card, card, shop, shop});
}

static void open_scorer(live *b, florin_model *model, uint32_t cards, uint32_t shops,
                        const char *state)
{
    static const char *const kind[ENTITIES_MAX] = {"card", "device", "merchant", "terminal"};
    florin_capacity most[ENTITIES_MAX];
    florin_scorer_options o = FLORIN_SCORER_INIT;
    for (int k = 0; k < ENTITIES_MAX; k++)
        most[k] = (florin_capacity){kind[k], k < 2 ? cards : shops};
    o.capacity = most;
    o.capacities = ENTITIES_MAX;
    o.pairs_max = PAIRS;
    o.pending_max = PENDING;
    o.state = state;
    open_live(b, model, &o, kind, ENTITIES_MAX);
}

/* Median of events one by one, entities drawn at random. */
static double single(live *b, uint64_t cards, uint64_t shops)
{
    static double us[SINGLE];
    for (int i = 0; i < SINGLE; i++) {
        uint64_t card = draw(b, cards);
        fill_shop(b, 0, card, draw(b, shops));
        us[i] = score(b, 1);
    }
    return quantile(us, SINGLE, .5);
}

static void size(live *b, florin_model *model, uint32_t entities, const char *path)
{
    uint32_t cards = entities / 10 * 4, shops = entities / 10;
    florin_scorer_counts counts = FLORIN_SCORER_COUNTS_INIT;
    florin_error err;
    struct stat st;
    double before = memory("VmRSS"), begin = now_us();
    open_scorer(b, model, cards, shops, NULL);
    for (uint32_t k = 0; k < cards; k += BATCH) {
        uint32_t n = cards - k < BATCH ? cards - k : BATCH;
        for (uint32_t i = 0; i < n; i++) fill_shop(b, i, k + i, (k + i) % shops);
        score(b, n);
    }
    printf("fill_s %.3f\n", (now_us() - begin) / 1e6);
    check(florin_scorer_stats(b->scorer, &counts, &err), &err);
    printf("entities %" PRIu64 "\nsingle_us %.3f\n", counts.entities, single(b, cards, shops));
    printf("resident %.0f\n", memory("VmRSS") - before);
    double peak = memory("VmHWM");
    begin = now_us();
    check(florin_scorer_save(b->scorer, path, &err), &err);
    printf("save_s %.3f\nsave_extra %.0f\n", (now_us() - begin) / 1e6, memory("VmHWM") - peak);
    if (stat(path, &st)) exit(FLORIN_EIO);
    printf("file %.0f\n", (double)st.st_size);
    florin_scorer_close(b->scorer);
    begin = now_us();
    open_scorer(b, model, cards, shops, path);
    printf("open_s %.3f\n", (now_us() - begin) / 1e6);
    printf("opened_us %.3f\n", single(b, cards, shops));
}

/* Lengths 1, 2, 3-4, 5-8 ...: the median over all cards and lengths of a class. */
static void history(live *b, florin_model *model, uint32_t events)
{
    double *us = calloc((size_t)events * CARDS, sizeof *us);
    if (!us) exit(FLORIN_ENOMEM);
    open_scorer(b, model, 100000, 100000, NULL);
    for (uint32_t c = 0; c < CARDS; c++)
        for (uint32_t i = 0; i < events; i++) {
            fill_shop(b, 0, c, draw(b, 1000));
            us[(size_t)i * CARDS + c] = score(b, 1);
        }
    for (uint32_t from = 1, to = 1; from <= events; from = to + 1, to *= 2) {
        if (to > events) to = events;
        printf("%u %.3f\n", to,
               quantile(us + (size_t)(from - 1) * CARDS, (size_t)(to - from + 1) * CARDS, .5));
    }
    free(us);
}

int main(int argc, char **argv)
{
    static live b = LIVE_INIT;
    florin_model *model;
    florin_error err;
    long n = argc >= 4 ? atol(argv[3]) : 0;
    bool sized = argc == 5 && !strcmp(argv[1], "size");
    if ((!sized && (argc != 4 || strcmp(argv[1], "history"))) || n < 100 || n > 100000000) {
        fprintf(stderr, "usage: state_main size MODEL ENTITIES FILE | history MODEL EVENTS\n");
        return FLORIN_EUSAGE;
    }
    check(florin_model_open(&model, argv[2], NULL, &err), &err);
    if (sized) size(&b, model, (uint32_t)n, argv[4]);
    else history(&b, model, (uint32_t)n);
    florin_scorer_close(b.scorer);
    florin_model_close(model);
    return 0;
}
