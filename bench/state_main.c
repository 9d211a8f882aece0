/* How a scorer grows, through florin.h alone.
 *   state_main size MODEL ENTITIES FILE
 * fills a scorer with ENTITIES entities (of ten: 4 cards, 4 devices, a merchant, a terminal), scores more events of them one
 * by one, saves to FILE, closes, opens from FILE, and prints "NAME VALUE" lines.
 *   state_main history MODEL EVENTS
 * lets single cards live through EVENTS events each and prints "LENGTH MICROSECONDS" lines, medians by length. */
#include <florin.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum {
    BATCH = 64,
    FIELDS = 7,
    KINDS = 4,
    PAIRS = 1000000,
    PENDING = 1000000,
    CARDS = 21,
    SINGLE = 20000
};

typedef struct {
    florin_scorer *scorer;
    uint32_t payment, entity[KINDS], category[3];
    uint64_t random, number;
    int64_t time_us;
    florin_event event[BATCH];
    florin_value value[BATCH][FIELDS];
    char text[BATCH][1 + KINDS][24];
    florin_head_score scores[BATCH * 64];
    florin_status item[BATCH];
} bench;

static void check(florin_status st, const florin_error *err)
{
    if (!st) return;
    fprintf(stderr, "state_main: %s\n", err->message);
    exit(st);
}

static uint64_t draw(bench *b, uint64_t below)
{
    b->random = b->random * 6364136223846793005u + 1442695040888963407u;
    return (b->random >> 33) % below;
}

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

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

static florin_value text(uint32_t field, const char *s)
{
    florin_value v = {field, (uint32_t)strlen(s), s, 0};
    return v;
}

/* One event of a card, its device, a merchant and its terminal, as the i-th of a batch. */
static void fill(bench *b, uint32_t i, uint64_t card, uint64_t shop)
{
    static const char *const category[] = {"grocery", "restaurant", "electronics", "fuel"},
                             *const country[] = {"DE", "FR", "NL"},
                             *const mode[] = {"chip", "contactless", "online"};
    florin_event *e = &b->event[i];
    florin_value *v = b->value[i];
    snprintf(b->text[i][KINDS], 24, "p%" PRIu64, ++b->number);
    for (int k = 0; k < KINDS; k++) {
        snprintf(b->text[i][k], 24, "%d-%" PRIu64, k, k < 2 ? card : shop);
        v[k] = text(b->entity[k], b->text[i][k]);
    }
    v[KINDS] = text(b->category[0], category[draw(b, 4)]);
    v[KINDS + 1] = text(b->category[1], country[draw(b, 3)]);
    v[KINDS + 2] = text(b->category[2], mode[draw(b, 3)]);
    memset(e, 0, sizeof *e);
    e->id = b->text[i][KINDS];
    e->id_n = (uint32_t)strlen(e->id);
    e->type = b->payment;
    e->time_us = b->time_us += 10000;
    e->amount_minor = 100 + (int64_t)draw(b, 20000);
    e->n_values = FIELDS;
    e->values = v;
}

/* Microseconds of one call. */
static double score(bench *b, uint32_t n)
{
    florin_error err;
    double begin = now_us();
    check(florin_score(b->scorer, b->event, n, b->scores, b->item, &err), &err);
    double us = now_us() - begin;
    for (uint32_t i = 0; i < n; i++)
        if (b->item[i]) {
            fprintf(stderr, "state_main: %s\n", florin_scorer_message(b->scorer, i));
            exit(b->item[i]);
        }
    return us;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, ascending);
    return v[n / 2];
}

static void open_scorer(bench *b, florin_model *model, uint32_t cards, uint32_t shops,
                        const char *state)
{
    static const char *const kind[KINDS] = {"card", "device", "merchant", "terminal"},
                             *const category[] = {"category", "country", "entry_mode"};
    florin_capacity most[KINDS];
    florin_scorer_options o = FLORIN_SCORER_INIT;
    florin_error err;
    for (int k = 0; k < KINDS; k++) most[k] = (florin_capacity){kind[k], k < 2 ? cards : shops};
    o.capacity = most;
    o.capacities = KINDS;
    o.pairs_max = PAIRS;
    o.pending_max = PENDING;
    o.batch_max = BATCH;
    o.state = state;
    check(florin_scorer_open(&b->scorer, model, &o, &err), &err);
    check(florin_scorer_find(b->scorer, FLORIN_TYPE, "payment", &b->payment, &err), &err);
    for (int k = 0; k < KINDS; k++)
        check(florin_scorer_find(b->scorer, FLORIN_ENTITY, kind[k], &b->entity[k], &err), &err);
    for (int i = 0; i < 3; i++)
        check(florin_scorer_find(b->scorer, FLORIN_CATEGORY, category[i], &b->category[i], &err),
              &err);
}

/* Median of events one by one, entities drawn at random. */
static double single(bench *b, uint64_t cards, uint64_t shops)
{
    static double us[SINGLE];
    for (int i = 0; i < SINGLE; i++) {
        fill(b, 0, draw(b, cards), draw(b, shops));
        us[i] = score(b, 1);
    }
    return median(us, SINGLE);
}

static void size(bench *b, florin_model *model, uint32_t entities, const char *path)
{
    uint32_t cards = entities / 10 * 4, shops = entities / 10;
    florin_scorer_counts counts = FLORIN_SCORER_COUNTS_INIT;
    florin_error err;
    struct stat st;
    double before = memory("VmRSS"), begin = now_us();
    open_scorer(b, model, cards, shops, NULL);
    for (uint32_t k = 0; k < cards; k += BATCH) {
        uint32_t n = cards - k < BATCH ? cards - k : BATCH;
        for (uint32_t i = 0; i < n; i++) fill(b, i, k + i, (k + i) % shops);
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
static void history(bench *b, florin_model *model, uint32_t events)
{
    double *us = calloc((size_t)events * CARDS, sizeof *us);
    if (!us) exit(FLORIN_ENOMEM);
    open_scorer(b, model, 100000, 100000, NULL);
    for (uint32_t c = 0; c < CARDS; c++)
        for (uint32_t i = 0; i < events; i++) {
            fill(b, 0, c, draw(b, 1000));
            us[(size_t)i * CARDS + c] = score(b, 1);
        }
    for (uint32_t from = 1, to = 1; from <= events; from = to + 1, to *= 2) {
        if (to > events) to = events;
        printf("%u %.3f\n", to,
               median(us + (size_t)(from - 1) * CARDS, (size_t)(to - from + 1) * CARDS));
    }
    free(us);
}

int main(int argc, char **argv)
{
    static bench b = {.time_us = INT64_C(1750000000000000), .random = 1};
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
