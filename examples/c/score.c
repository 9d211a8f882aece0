/* Scores payments one by one, as a payment system would: opens a model, takes over the history of a log, asks for a
 * score before each decision, then hands the payment in.
 *
 *   cc score.c $(pkg-config --cflags --libs florin) -o score
 *   ./score MODEL LOG CARD MERCHANT
 *
 * MODEL: made by `florin fit` on a log that `florin simulate` wrote; LOG: that log; CARD, MERCHANT: two of its ids. */
#include <florin.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(florin_status status, const florin_error *err)
{
    if (status == FLORIN_OK) return;
    fprintf(stderr, "score: %s\n", err->message);
    exit(status);
}

/* Numbers of the schema's names, looked up once. */
typedef struct {
    uint32_t payment, card, merchant, category, entry_mode;
} names;

static names find_names(const florin_scorer *s)
{
    names n;
    florin_error err;
    check(florin_scorer_find(s, FLORIN_TYPE, "payment", &n.payment, &err), &err);
    check(florin_scorer_find(s, FLORIN_ENTITY, "card", &n.card, &err), &err);
    check(florin_scorer_find(s, FLORIN_ENTITY, "merchant", &n.merchant, &err), &err);
    check(florin_scorer_find(s, FLORIN_CATEGORY, "category", &n.category, &err), &err);
    check(florin_scorer_find(s, FLORIN_CATEGORY, "entry_mode", &n.entry_mode, &err), &err);
    return n;
}

static florin_value text(uint32_t field, const char *value)
{
    florin_value v = {field, (uint32_t)strlen(value), value, 0};
    return v;
}

/* What the first head says of event 0 of the last call, and why. */
static void explain(florin_scorer *s, const florin_event *e, const florin_head_score *score)
{
    florin_reason reason[5];
    florin_error err;
    uint32_t n;

    printf("%s  %.2f EUR  score %u of 99 (%.2f %%)\n", e->id, (double)e->amount_minor / 100,
           (unsigned)score->score, 100 * (double)score->probability);
    check(florin_reasons(s, 0, 0, reason, 5, &n, &err), &err);
    for (uint32_t i = 0; i < n; i++) {
        if (reason[i].share > 0)
            printf("  %3.0f %%  %s\n", 100 * (double)reason[i].share, reason[i].text);
        else printf("      -  %s\n", reason[i].text); /* unusual, but not what raised this score */
        if (reason[i].normal[0]) printf("         (%s)\n", reason[i].normal);
    }
}

int main(int argc, char **argv)
{
    florin_model *model;
    florin_scorer *scorer;
    florin_scorer_options options = FLORIN_SCORER_INIT;
    florin_scorer_counts counts = FLORIN_SCORER_COUNTS_INIT;
    florin_error err;

    if (argc != 5) {
        fprintf(stderr, "usage: score MODEL LOG CARD MERCHANT\n");
        return FLORIN_EUSAGE;
    }
    check(florin_model_open(&model, argv[1], NULL, &err), &err);
    options.entities_max = 100000; /* of each kind; when full, the one unused for longest goes */
    check(florin_scorer_open(&scorer, model, &options, &err), &err);
    florin_model_close(model); /* the scorer keeps it */
    check(florin_scorer_warm(scorer, argv[2], INT64_MAX, NULL, &err), &err);
    check(florin_scorer_stats(scorer, &counts, &err), &err);
    printf("history: %" PRIu64 " events of %" PRIu64 " entities\n", counts.events, counts.entities);

    names n = find_names(scorer);
    uint32_t heads = florin_scorer_heads(scorer);
    florin_head_score *scores = calloc(heads, sizeof *scores);
    if (!heads || !scores) {
        fprintf(stderr, "score: no head that scores events: make one with florin fit\n");
        return FLORIN_EUSAGE;
    }
    /* An ordinary payment, then a burst of large ones at a shop this card never went to. */
    static const char *const id[] = {"new-1", "new-2", "new-3", "new-4"};
    static const int64_t amount[] = {1999, 89900, 94900, 99900};
    for (int i = 0; i < 4; i++) {
        florin_status item;
        florin_value values[4];
        florin_event e = {0};
        values[0] = text(n.card, argv[3]);
        values[1] = text(n.merchant, i ? "a shop never seen" : argv[4]);
        values[2] = text(n.category, i ? "electronics" : "grocery");
        values[3] = text(n.entry_mode, i ? "online" : "chip");
        e.id = id[i];
        e.id_n = (uint32_t)strlen(id[i]);
        e.type = n.payment;
        e.time_us = counts.clock_us + (i + 1) * INT64_C(40000000);
        e.amount_minor = amount[i];
        e.values = values;
        e.n_values = 4;
        check(florin_peek(scorer, &e, 1, scores, &item, &err), &err); /* before the decision */
        if (item) {
            fprintf(stderr, "score: %s: %s\n", id[i], florin_scorer_message(scorer, 0));
            return item;
        }
        explain(scorer, &e, scores);
        check(florin_score(scorer, &e, 1, scores, &item, &err), &err); /* it happened */
    }
    free(scores);
    florin_scorer_close(scorer);
    return 0;
}
