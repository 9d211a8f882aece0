/* paired OURS.csv[,OURS2.csv...] COLUMN PEER.csv[,...] COLUMN [DRAWS]: AUC and average precision of two sets of scores for the
 * same rows, and their difference with a paired bootstrap by cluster, as one JSON object.
 *
 * OURS is what `florin fit --scores` writes (id, y, ..., period, cluster), one file a seed: figures are means over the
 * periods and seeds, and a draw of the bootstrap takes the same clusters in all of them. PEER is a CSV with a column `id`
 * (or a name ending in _ID) and the named one; one for all seeds, or one for each. */
#include "base/file.h"
#include "task/metrics.h"

#include <stdio.h>

typedef struct {
    fl_map64 at; /* id and file -> place */
    size_t n, cap[6];
    double *score;
    float *y;
    uint64_t *cluster, *id, *key; /* key: of id and file */
    uint32_t *part;
} table;

static uint64_t id_in(uint64_t id, uint32_t nth)
{
    return nth ? fl_mix64(id + nth) | 1 : id;
}

static bool add(table *t, uint64_t id, uint32_t nth, double score, float y, uint64_t cluster,
                uint32_t part)
{
    bool inserted;
    uint32_t *v = fl_map64_insert(&t->at, id_in(id, nth), &inserted);
    size_t n = t->n + 1;
    if (!v || !inserted || !fl_grow((void **)&t->score, &t->cap[0], n, sizeof *t->score) ||
        !fl_grow((void **)&t->y, &t->cap[1], n, sizeof *t->y) ||
        !fl_grow((void **)&t->cluster, &t->cap[2], n, sizeof *t->cluster) ||
        !fl_grow((void **)&t->part, &t->cap[3], n, sizeof *t->part) ||
        !fl_grow((void **)&t->id, &t->cap[4], n, sizeof *t->id) ||
        !fl_grow((void **)&t->key, &t->cap[5], n, sizeof *t->key))
        return false;
    *v = (uint32_t)t->n;
    t->score[t->n] = score;
    t->y[t->n] = y;
    t->cluster[t->n] = cluster;
    t->id[t->n] = id;
    t->key[t->n] = id_in(id, nth);
    t->part[t->n++] = part;
    return true;
}

/* Cells of one line; plain CSV without quotes, as both kinds of file are. */
static int split(char *line, char **cell, int max)
{
    int n = 0;
    line[strcspn(line, "\r\n")] = 0;
    for (char *p = line; p && n < max; n++) {
        cell[n] = p;
        p = strchr(p, ',');
        if (p) *p++ = 0;
    }
    return n;
}

static int column(char **cell, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(cell[i], name)) return i;
    return -1;
}

/* File number `nth` of a set. Its periods follow those of the files before, *parts of them. */
static bool load(table *t, const char *path, const char *score, uint32_t nth, uint32_t *parts)
{
    const uint32_t first = *parts;
    char line[4096], *cell[64];
    FILE *f = fopen(path, "r");
    if (!f || !fgets(line, sizeof line, f)) {
        if (f) fclose(f);
        fprintf(stderr, "paired: %s: can't be read\n", path);
        return false;
    }
    int n = split(line, cell, 64), s = column(cell, n, score), y = column(cell, n, "y"),
        c = column(cell, n, "cluster"), p = column(cell, n, "period"), id = column(cell, n, "id");
    if (id < 0) id = column(cell, n, "TRANSACTION_ID");
    bool ok = s >= 0 && y >= 0 && id >= 0;
    while (ok && fgets(line, sizeof line, f)) {
        int k = split(line, cell, 64);
        ok = k == n;
        if (!ok) break;
        while (cell[id][0] == '0' && cell[id][1]) cell[id]++; /* "00012" and 12 are one customer */
        uint64_t name = fl_hash64(cell[id], strlen(cell[id]), 1) | 1;
        uint64_t cluster = c >= 0 ? fl_hash64(cell[c], strlen(cell[c]), 2) : name;
        uint32_t part = first + (p >= 0 ? (uint32_t)strtoul(cell[p], NULL, 10) : 0);
        if (part >= *parts) *parts = part + 1;
        ok = add(t, name, nth, strtod(cell[s], NULL), strtof(cell[y], NULL) > .5f, cluster, part);
    }
    fclose(f);
    if (!ok) fprintf(stderr, "paired: %s: needs id, y and %s, each id once\n", path, score);
    return ok;
}

static void print(const char *name, const fl_interval *iv)
{
    printf("\"%s\":{\"ours\":%.5f,\"peer\":%.5f,\"difference\":%.5f,\"low\":%.5f,\"high\":%.5f}",
           name, iv[0].value, iv[2].value, iv[4].value, iv[4].low, iv[4].high);
}

int main(int argc, char **argv)
{
    table a = {0}, b = {0};
    fl_interval iv[6];
    florin_error err = {0};
    if (argc < 5) {
        fprintf(stderr, "usage: paired OURS.csv[,OURS2.csv...] COLUMN PEER.csv COLUMN [DRAWS]\n");
        return 2;
    }
    if (!fl_map64_init(&a.at, 1024) || !fl_map64_init(&b.at, 1024)) return 7;
    uint32_t parts = 0, other = 0, files = 0, peers = 0;
    for (char *path = strtok(argv[1], ","); path; path = strtok(NULL, ","))
        if (!load(&a, path, argv[2], files++, &parts)) return 3;
    for (char *path = strtok(argv[3], ","); path; path = strtok(NULL, ","))
        if (!load(&b, path, argv[4], peers++, &other)) return 3;
    if (peers != 1 && peers != files) {
        fprintf(stderr, "paired: %u files of ours, %u of the peer\n", files, peers);
        return 2;
    }
    double *peer = calloc(a.n, sizeof *peer);
    size_t missing = 0, labels = 0;
    for (size_t i = 0; peer && i < a.n; i++) {
        uint32_t *v = fl_map64_find(&b.at, peers > 1 ? a.key[i] : a.id[i]);
        if (!v) {
            missing++;
            continue;
        }
        peer[i] = b.score[*v];
        labels += a.y[i] != b.y[*v];
    }
    if (missing || labels || a.n * peers != b.n * files) {
        fprintf(stderr,
                "paired: %zu of our %zu rows (%u files) are not among the peer's %zu, %zu labels "
                "differ\n",
                missing, a.n, files, b.n, labels);
        return 3;
    }
    const fl_scored s = {a.n, a.score, a.y, a.cluster, a.part, parts};
    florin_context ctx = FLORIN_CONTEXT_INIT;
    if (!peer ||
        fl_bootstrap(iv, &s, peer, argc > 5 ? (uint32_t)atoi(argv[5]) : 500, 1, &ctx, &err)) {
        fprintf(stderr, "paired: %s\n", err.message);
        return 3;
    }
    printf("{\"rows\":%zu,", a.n / files);
    print("auc", &iv[0]);
    printf(",");
    print("ap", &iv[1]);
    printf("}\n");
    free(peer);
    return 0;
}
