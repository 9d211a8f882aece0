/* Checkpoints of a pretraining. A first byte that is odd: the rest is the file. Even: the rest are patches (two bytes of
 * offset, one of value) of a genuine checkpoint's JSON and of its lanes' places, hashed again, so that what lies behind
 * the hash is reached. What is taken must be safe to train on. */
#include "model/file.h"
#include "train/run.h"
#include <stdio.h>
#include <unistd.h>

enum { ROWS = 60, ENTITIES = 4, LANES = 4, WINDOW = 4, H = 4 };

static fl_schema schema = {
    .name = "fuzz", .currency = "EUR", .kinds = 2, .categories = 1, .sources = 1};
static fl_rows rows;
static fl_network *network;
static fl_net *net;
static fl_run run;
static char path[64], *text;
static size_t length;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok) abort();
}

static void make_rows(void)
{
    static int64_t time_us[ROWS];
    static uint32_t category[ROWS], row[ROWS];
    static fl_small_tokens small[ROWS];
    static uint64_t start[ENTITIES + 1], hash[ENTITIES];
    static uint8_t unseen[ENTITIES];

    rows = (fl_rows){.count = ROWS, .train = ROWS, .categories = 1};
    rows.numbers = fl_network_numbers(network);
    rows.time_us = time_us;
    rows.category = category;
    rows.small = small;
    rows.number = calloc((size_t)ROWS * rows.numbers, sizeof *rows.number);
    rows.stream[0] = (fl_sequences){.entities = ENTITIES,
                                    .start = start,
                                    .row = row,
                                    .hash = hash,
                                    .unseen = unseen,
                                    .rows = ROWS,
                                    .share = calloc((size_t)ROWS * net->targets, sizeof(float))};
    must(rows.number && rows.stream[0].share);
    rows.stream[1] = rows.stream[0];
    for (uint32_t i = 0; i < ROWS; i++) {
        time_us[i] = i * 1000000;
        row[i] = i;
    }
    for (uint32_t e = 0; e <= ENTITIES; e++) start[e] = e * ROWS / ENTITIES;
    memcpy(rows.hash, "genuine", 8);
}

static void next_window(void)
{
    for (uint32_t s = 0; s < FL_STREAMS; s++)
        fl_lanes_next(run.lanes[s], run.worker + s * run.config.parts, run.config.parts, WINDOW);
}

static void forget_lanes(void)
{
    for (int s = 0; s < FL_STREAMS; s++) {
        fl_lanes_free(run.lanes[s]);
        run.lanes[s] = NULL;
    }
}

static void begin(void)
{
    static fl_train_files files;

    strcpy(schema.category[0].name, "mcc");
    schema.kind[0].role = FL_ROLE_PAYER;
    schema.kind[1].role = FL_ROLE_PAYEE;
    schema.source[0].label_of = -1;
    must(!fl_network_new(&network, &schema, H, 4, 1, NULL));
    must(!fl_vocabulary_set(&network->vocabulary[0], (uint64_t[]){1, 2, 3}, 3, 0, NULL));
    network->copy = true;
    must(!fl_net_new(&net, network, NULL));
    make_rows();
    snprintf(path, sizeof path, "%s/florin-fuzz-%ld",
             access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm", (long)getpid());
    files.out = path;
    run.files = &files;
    run.config = fl_train_defaults();
    run.config.lanes = LANES;
    run.config.window = WINDOW;
    run.rows = &rows;
    run.network = network;
    run.net = net;
    run.streams = FL_STREAMS;
    run.passes = 1;
    run.workers = FL_STREAMS * run.config.parts;
    for (uint32_t k = 0; k < run.workers; k++)
        must(!fl_worker_new(&run.worker[k], net, LANES / run.config.parts, WINDOW, true, NULL));
    must(!fl_packs_new(&run.packs, net, fl_products_get(NULL, false),
                       FL_PACK_HEADS | FL_PACK_BACKWARD, NULL));
    run.optimiser.m = calloc(net->total, sizeof(float));
    run.optimiser.v = calloc(net->total, sizeof(float));
    run.best = calloc(net->total, sizeof(float));
    must(run.optimiser.m && run.optimiser.v && run.best);
    for (int s = 0; s < FL_STREAMS; s++)
        must(!fl_lanes_new(&run.lanes[s], &rows, s, LANES, 1, NULL));
    next_window();
    must(!fl_checkpoint_save(&run, NULL));
    char *file = fl_checkpoint_path(path);
    fl_model_file *f = NULL;
    must(file && !fl_model_file_open(&f, file, NULL));
    text = fl_json_text(fl_model_file_json(f));
    must(text);
    forget_lanes();
    must(!fl_checkpoint_read(&run, f, NULL) && run.lanes[1]); /* the genuine one is taken */
    length = strlen(text);
    fl_model_file_close(f);
    unlink(file);
    free(file);
}

/* A window from where the checkpoint says that training stood. */
static void take(const fl_model_file *f)
{
    forget_lanes();
    if (fl_checkpoint_read(&run, f, NULL) || !run.lanes[0]) return;
    next_window();
    fl_packs_fill(run.packs, net, 0, 1); /* of the weights that were read */
    for (uint32_t k = 0; k < run.workers; k++) {
        fl_pass pass = {.packs = run.packs, .stream = k >= run.config.parts, .train = true};
        fl_worker_pass(run.worker[k], net, &rows, &pass);
    }
}

static void patched(const uint8_t *data, size_t size)
{
    static float zero[8192], state[FL_STREAMS * LANES * H];
    static uint64_t place[FL_STREAMS * LANES * 4];
    char *document = malloc(length + 1);
    json_t *meta;
    fl_model_file *f;

    must(document && net->total <= 8192);
    memcpy(document, text, length + 1);
    for (; size >= 3; data += 3, size -= 3) {
        size_t at = (size_t)data[0] << 8 | data[1];
        if (at < length) document[at] = (char)data[2];
        else if (at - length < sizeof place) ((uint8_t *)place)[at - length] = data[2];
    }
    if (!fl_json_parse(&meta, document, length, "fuzz", NULL)) {
        const fl_tensor t[] = {{"w", FL_F32, 1, {net->total}, zero},
                               {"m", FL_F32, 1, {net->total}, zero},
                               {"v", FL_F32, 1, {net->total}, zero},
                               {"best", FL_F32, 1, {net->total}, zero},
                               {"state", FL_F32, 2, {FL_STREAMS * LANES, H}, state},
                               {"place", FL_U64, 2, {FL_STREAMS * LANES, 4}, place}};
        if (json_is_object(meta) && !fl_model_file_save(path, meta, t, FL_LEN(t), NULL) &&
            !fl_model_file_open(&f, path, NULL)) {
            take(f);
            fl_model_file_close(f);
        }
        unlink(path);
        json_decref(meta);
    }
    memset(place, 0, sizeof place);
    free(document);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fl_model_file *f;

    if (!text) begin();
    if (!size) return 0;
    if (!(data[0] & 1)) patched(data + 1, size - 1);
    else if (!fl_model_file_parse(&f, data + 1, size - 1, "fuzz", NULL)) {
        take(f);
        fl_model_file_close(f);
    }
    return 0;
}
