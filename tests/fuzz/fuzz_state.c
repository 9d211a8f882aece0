/* The state file of a scorer. A first byte that is odd: the rest is the file. Even: the rest are patches of a genuine
 * file (two bytes of offset, one of value), signed again, so that what lies behind the checksums is reached. What is
 * taken must score without a fault and without a NaN. */
#include "base/file.h"
#include "score/state.h"
#include "../support/blocks_sign.h"
#include <math.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static const char yaml[] =
    "name: fuzz\ncurrency: EUR\nentities: {card: payer, shop: payee}\n"
    "pairs: [[card, shop]]\nsources:\n  payment:\n    format: csv\n    id: id\n"
    "    time: time\n    amount: amount\n"
    "    entities: {card: card, shop: shop}\n"
    "    labels:\n      fraud: {column: fraud, delay: 7d}\n";
static fl_model *model;
static uint8_t *genuine;
static size_t genuine_size;
static char key[17], path[64];
static int fd;

static void must(bool ok)
{
    if (!ok) abort();
}

/* A network whose weights are small and not all alike. */
static void make_model(const char *file)
{
    static fl_parameter p[FL_PARAMETERS_MAX];
    static fl_tensor t[FL_PARAMETERS_MAX];
    static float weight[1 << 16];
    fl_schema *s;
    fl_fold_plan *plan;
    fl_network *n;
    uint8_t raw[16];

    must(!fl_schema_parse(&s, yaml, sizeof yaml - 1, "fuzz", NULL));
    must(!fl_schema_key(s, raw, NULL));
    fl_key_print(raw, key);
    must(!fl_fold_plan_new(&plan, s, NULL));
    must(!fl_network_new(&n, s, 4, 4, fl_fold_features(plan), NULL));
    n->copy = true;
    for (int b = 0; b < FL_AMOUNT_BINS - 1; b++) n->amount_edge[b] = (float)b;
    n->log_amount_scale = 1;
    uint32_t count = fl_network_parameters(n, p);
    for (size_t i = 0; i < FL_LEN(weight); i++) weight[i] = (float)((i * 7919) % 13) * .02f - .12f;
    for (uint32_t i = 0; i < count; i++) {
        must(p[i].rows * p[i].cols <= FL_LEN(weight));
        t[i] = (fl_tensor){p[i].name, FL_F32, 2, {p[i].rows, p[i].cols}, weight};
    }
    json_t *meta = json_pack("{s:o, s:o, s:o, s:[]}", "schema", fl_schema_to_json(s), "fold",
                             fl_fold_plan_to_json(plan), "network", fl_network_to_json(n), "heads");
    must(!fl_model_file_save(file, meta, t, count, NULL));
    json_decref(meta);
    fl_network_free(n);
    fl_fold_plan_free(plan);
    fl_schema_free(s);
    must(!fl_model_open(&model, file, NULL, NULL));
}

static void score(fl_scorer *s, uint32_t events, uint64_t first)
{
    static float row[1 << 16];

    must(fl_model_row_width(model) <= FL_LEN(row));
    for (uint32_t i = 0; i < events; i++) {
        fl_event e = {.id = first + i,
                      .time_us = 1700000000000000 + (int64_t)i * 3600000000,
                      .amount_minor = 100 * (int64_t)(i + 1),
                      .entity_hash = {1 + i % 3, 7 + i % 2}};
        if (fl_scorer_event(s, &e, row, NULL, NULL)) continue;
        for (uint32_t c = 0; c < fl_model_row_width(model); c++) must(isfinite(row[c]));
        (void)fl_scorer_label(s, first + i / 2, 0, (float)(i % 2), e.time_us, NULL);
    }
}

static void set_up(void)
{
    char folder[] = "/tmp/florin-fuzz-XXXXXX", file[64];
    fl_scorer *s;
    fl_scorer_options o = {.entities_max = {8, 8}, .pairs_max = 8, .pending_max = 6};

    must(mkdtemp(folder) != NULL);
    snprintf(file, sizeof file, "%s/f", folder);
    make_model(file);
    must(!fl_scorer_open(&s, model, &o, NULL));
    score(s, 9, 1);
    must(!fl_state_save(s, file, key, NULL));
    fl_scorer_close(s);
    must(!fl_read_file((char **)&genuine, &genuine_size, file, 1 << 24, NULL));
    unlink(file);
    rmdir(folder);
    fd = memfd_create("state", 0);
    must(fd >= 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fl_scorer *s;

    if (!model) set_up();
    if (!size) return 0;
    bool whole = data[0] & 1;
    size_t n = whole ? size - 1 : genuine_size;
    uint8_t *bytes = malloc(n + 1);
    must(bytes != NULL);
    memcpy(bytes, whole ? data + 1 : genuine, n);
    for (size_t i = 1; !whole && i + 2 < size; i += 3)
        bytes[(size_t)(data[i] | data[i + 1] << 8) % n] = data[i + 2];
    blocks_sign(bytes, n);
    must(!ftruncate(fd, 0) && pwrite(fd, bytes, n, 0) == (ssize_t)n);
    free(bytes);
    const fl_scorer_options o = {
        .entities_max = {8, 8}, .pairs_max = 8, .pending_max = 6, .state = path, .key = key};
    if (fl_scorer_open(&s, model, &o, NULL)) return 0;
    score(s, 6, 5);
    fl_scorer_close(s);
    return 0;
}
