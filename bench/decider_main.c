/* What remembering costs, through florin.h alone.
 *   decider_main run MODEL FOLDER EVENTS CARDS SYNC N
 * decides EVENTS payments in batches of N (SYNC: interval, always), waits for each batch to be acknowledged, and does the same
 * without remembering (dry runs). Then `decider_main open MODEL FOLDER` opens the folder again. "NAME VALUE" lines. */
#include "live.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const kind[ENTITIES_MAX] = {"card", "device", "merchant", "terminal"};
static florin_request request[BATCH];
static florin_decision decision[BATCH];

static florin_decider *open_decider(florin_model *model, const char *folder, const char *sync,
                                    uint32_t cards)
{
    florin_decider_options o = FLORIN_DECIDER_INIT;
    florin_decider *d;
    florin_error err;
    o.folder = folder;
    o.scorer.batch_max = BATCH;
    o.scorer.entities_max = cards;
    o.sync = strcmp(sync, "always") ? FLORIN_SYNC_INTERVAL : FLORIN_SYNC_ALWAYS;
    check(florin_decider_open(&d, model, &o, NULL, &err), &err);
    return d;
}

/* One batch, answered; microseconds until it is acknowledged, *decided of them in the call. */
static double decide(florin_decider *d, live *b, uint32_t n, uint32_t flags, double *decided)
{
    florin_error err;
    for (uint32_t i = 0; i < n; i++)
        request[i] = (florin_request){.event = b->event[i], .flags = flags};
    double begin = now_us();
    check(florin_decide(d, request, n, b->time_us, decision, b->item, &err), &err);
    *decided = now_us() - begin;
    for (uint32_t i = 0; i < n; i++)
        if (b->item[i]) {
            fprintf(stderr, "%s\n", florin_decider_message(d, i));
            exit(b->item[i]);
        }
    if (!flags) check(florin_decider_wait(d, decision[n - 1].sequence, &err), &err);
    return now_us() - begin;
}

static void run(florin_decider *d, live *b, uint32_t events, uint32_t cards, uint32_t n,
                uint32_t flags, const char *name)
{
    uint32_t batches = events / n;
    double *us = malloc(batches * sizeof *us), all = 0, decided, call = 0;
    if (!us) exit(FLORIN_ENOMEM);
    for (uint32_t k = 0; k < batches; k++) {
        for (uint32_t i = 0; i < n; i++) {
            uint64_t card = draw(b, cards), shop = draw(b, cards / 4 + 1);
            fill(b, i, (const uint64_t[]){card, card, shop, shop});
        }
        all += us[k] = decide(d, b, n, flags, &decided);
        call += decided;
    }
    printf("%s_us %.3f\n%s_call_us %.3f\n", name, all / events, name, call / events);
    printf("%s_p50_us %.1f\n", name, quantile(us, batches, .5));
    printf("%s_p99_us %.1f\n%s_p999_us %.1f\n", name, quantile(us, batches, .99), name,
           quantile(us, batches, .999));
    free(us);
}

/* The disk's own fdatasync of some kilobytes, appended. */
static void disk(const char *folder)
{
    enum { TIMES = 300, BYTES = 8192 };
    static char bytes[BYTES];
    double us[TIMES];
    char path[4096];
    snprintf(path, sizeof path, "%s/disk.tmp", folder);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    for (int i = 0; i < TIMES; i++) {
        if (fd < 0 || write(fd, bytes, BYTES) != BYTES) exit(FLORIN_EIO);
        double begin = now_us();
        fdatasync(fd);
        us[i] = now_us() - begin;
    }
    close(fd);
    unlink(path);
    printf("disk_p50_us %.1f\n", quantile(us, TIMES, .5));
    printf("disk_p99_us %.1f\n", quantile(us, TIMES, .99));
}

int main(int argc, char **argv)
{
    static live b = LIVE_INIT;
    florin_scorer_options o = FLORIN_SCORER_INIT;
    florin_decider_counts c = FLORIN_DECIDER_COUNTS_INIT;
    florin_model *model;
    florin_error err;
    if (argc < 4) return FLORIN_EUSAGE;
    check(florin_model_open(&model, argv[2], NULL, &err), &err);
    if (!strcmp(argv[1], "open")) {
        double begin = now_us();
        florin_decider *d = open_decider(model, argv[3], "interval", 0);
        printf("open_s %.3f\n", (now_us() - begin) / 1e6);
        check(florin_decider_stats(d, &c, &err), &err);
        printf("records %llu\nrecovered %llu\njournal_bytes %llu\n", (unsigned long long)c.sequence,
               (unsigned long long)c.recovered, (unsigned long long)c.journal_bytes);
        florin_decider_close(d);
        florin_model_close(model);
        return 0;
    }
    if (argc < 8) return FLORIN_EUSAGE;
    uint32_t events = (uint32_t)atol(argv[4]), cards = (uint32_t)atol(argv[5]),
             n = (uint32_t)atol(argv[7]);
    if (!n || n > BATCH || !cards) return FLORIN_EUSAGE;
    o.entities_max = 1000;
    open_live(&b, model, &o, kind, ENTITIES_MAX);
    florin_decider *d = open_decider(model, argv[3], argv[6], cards + 1);
    run(d, &b, events, cards, n, 0, "remembered");
    run(d, &b, events / 10, cards, n, FLORIN_REQUEST_DRY_RUN, "dry");
    disk(argv[3]);
    florin_decider_close(d);
    florin_scorer_close(b.scorer);
    florin_model_close(model);
    return 0;
}
