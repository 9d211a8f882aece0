/* Events and a scorer for the programs that measure the live path (live.h). */
#include "live.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void check(florin_status st, const florin_error *err)
{
    if (!st) return;
    fprintf(stderr, "%s\n", err->message);
    exit(st);
}

uint64_t draw(live *b, uint64_t below)
{
    b->random = b->random * 6364136223846793005u + 1442695040888963407u;
    return (b->random >> 33) % below;
}

double now_us(void)
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

double quantile(double *values, size_t n, double share)
{
    qsort(values, n, sizeof *values, ascending);
    return values[(size_t)((double)n * share)];
}

void open_live(live *b, florin_model *model, florin_scorer_options *o, const char *const *kind,
               uint32_t kinds)
{
    static const char *const category[CATEGORIES] = {"category", "country", "entry_mode"};
    florin_error err;
    o->batch_max = BATCH;
    check(florin_scorer_open(&b->scorer, model, o, &err), &err);
    if (florin_scorer_heads(b->scorer) > HEADS_MAX) exit(FLORIN_EUSAGE);
    check(florin_scorer_find(b->scorer, FLORIN_TYPE, "payment", &b->payment, &err), &err);
    b->entities = kinds;
    for (uint32_t k = 0; k < kinds; k++)
        check(florin_scorer_find(b->scorer, FLORIN_ENTITY, kind[k], &b->entity[k], &err), &err);
    for (int i = 0; i < CATEGORIES; i++)
        check(florin_scorer_find(b->scorer, FLORIN_CATEGORY, category[i], &b->category[i], &err),
              &err);
}

static florin_value text(uint32_t field, const char *s)
{
    florin_value v = {field, (uint32_t)strlen(s), s, 0};
    return v;
}

void fill(live *b, uint32_t i, const uint64_t *number)
{
    static const char *const category[] = {"grocery", "restaurant", "electronics", "fuel"},
                             *const country[] = {"DE", "FR", "NL"},
                             *const mode[] = {"chip", "contactless", "online"};
    florin_event *e = &b->event[i];
    florin_value *v = b->value[i];
    char *id = b->text[i][ENTITIES_MAX];
    snprintf(id, sizeof b->text[i][0], "p%" PRIu64, ++b->number);
    for (uint32_t k = 0; k < b->entities; k++) {
        snprintf(b->text[i][k], sizeof b->text[i][k], "%u-%" PRIu64, k, number[k]);
        *v++ = text(b->entity[k], b->text[i][k]);
    }
    *v++ = text(b->category[0], category[draw(b, 4)]);
    *v++ = text(b->category[1], country[draw(b, 3)]);
    *v++ = text(b->category[2], mode[draw(b, 3)]);
    memset(e, 0, sizeof *e);
    e->id = id;
    e->id_n = (uint32_t)strlen(id);
    e->type = b->payment;
    e->time_us = b->time_us += 10000;
    e->amount_minor = 100 + (int64_t)draw(b, 20000);
    e->n_values = b->entities + CATEGORIES;
    e->values = b->value[i];
}

double score(live *b, uint32_t n)
{
    florin_error err;
    double begin = now_us();
    check(florin_score(b->scorer, b->event, n, b->scores, b->item, &err), &err);
    double us = now_us() - begin;
    for (uint32_t i = 0; i < n; i++)
        if (b->item[i]) {
            fprintf(stderr, "%s\n", florin_scorer_message(b->scorer, i));
            exit(b->item[i]);
        }
    return us;
}
