/* Fuzzes the log's files. The first byte says what the rest is: a segment whose checksums are then made right (so that
 * every later test is reached), a segment as it stands, a manifest whose hash is made right, a dictionary of names. A log
 * that opens is read as a careless caller would. */
#include "base/file.h"
#include "data/describe.h"
#include "data/log_layout.h"
#include "data/log_writer.h"
#include "../support/blocks_sign.h"
#include <stdio.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { SEGMENT_SIGNED, SEGMENT, MANIFEST, NAMES, MODES };

static char folder[64], manifest[96], segment[96], names[96];
static char *good_manifest, *good_segment, *good_names;
static size_t manifest_len, segment_len, names_len;

static void put(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, n, f) != n || fclose(f)) abort();
}

static void fill(fl_log_writer *w)
{
    char id[16];
    for (int i = 0; i < 6; i++) {
        fl_log_row row = {.time_us = 1000 * (i / 2),
                          .amount_minor = 5 * i,
                          .number = {1},
                          .number_present = i & 1};
        for (int k = 0; k < FL_KINDS_MAX; k++) row.entity[k] = FL_NONE;
        for (int f = 0; f < FL_CATEGORIES_MAX; f++) row.category[f] = FL_NONE;
        snprintf(id, sizeof id, "e%d", i);
        row.id = i == 4 ? NULL : id; /* one event has no id of its own */
        row.id_len = strlen(id);
        if (fl_log_writer_entity(w, 0, i % 2 ? "a" : "bb", 1 + (i % 2 == 0), &row.entity[0],
                                 NULL) ||
            fl_log_writer_value(w, 0, i % 3 ? "x" : "yy", 1 + (i % 3 == 0), &row.category[0],
                                NULL) ||
            fl_log_writer_row(w, &row, NULL) ||
            fl_log_writer_label(w, fl_event_id_hash(0, id, row.id_len), 0, 1, 5000 - i, NULL))
            abort();
    }
}

static void clean_up(void)
{
    static const char *const extra[] = {"lock", "rejects.csv"};
    char path[96];
    for (size_t i = 0; i < FL_LEN(extra); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, extra[i]);
        unlink(path);
    }
    unlink(manifest);
    unlink(segment);
    unlink(names);
    rmdir(folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char schema[] =
        "name: t\ncurrency: EUR\nentities: {card: payer}\nsources:\n  pay:\n    time: t\n    id: "
        "i\n"
        "    amount: a\n    entities: {card: c}\n    categories: {kind: k}\n    numbers: {x: x}\n"
        "    labels: {fraud: {column: f, delay: 1d}}\n";
    fl_schema *s = NULL;
    fl_log_writer *w = NULL;
    fl_log_written t;
    (void)argc, (void)argv;
    snprintf(folder, sizeof folder, "%s/florin-fuzz-log-XXXXXX",
             access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    if (!mkdtemp(folder)) abort();
    snprintf(manifest, sizeof manifest, "%s/manifest.json", folder);
    snprintf(segment, sizeof segment, "%s/seg-000001.fls", folder);
    snprintf(names, sizeof names, "%s/ids-000001.fld", folder);
    if (fl_schema_parse(&s, schema, sizeof schema - 1, "fuzz", NULL) ||
        fl_log_writer_open(&w, folder, s, false, true, NULL, NULL))
        abort();
    fill(w);
    if (fl_log_writer_commit(w, &t, NULL) ||
        fl_read_file(&good_manifest, &manifest_len, manifest, 1 << 20, NULL) ||
        fl_read_file(&good_segment, &segment_len, segment, 1 << 20, NULL) ||
        fl_read_file(&good_names, &names_len, names, 1 << 20, NULL))
        abort();
    fl_schema_free(s);
    return atexit(clean_up);
}

/* The manifest with its own hash right, and the segment's checksum as given (0: as it stands). */
static void put_manifest(const char *text, size_t n, uint64_t checksum)
{
    json_t *j = NULL;
    char hex[17];
    if (fl_json_parse(&j, text, n, "fuzz", NULL) || !json_is_object(j)) {
        put(manifest, text, n);
        json_decref(j);
        return;
    }
    json_t *first = json_array_get(json_object_get(j, "segments"), 0);
    snprintf(hex, sizeof hex, "%016llx", (unsigned long long)checksum);
    if (checksum && json_is_object(first)) json_object_set_new(first, "checksum", json_string(hex));
    if (fl_manifest_hash(j, hex, NULL)) abort();
    json_object_set_new(j, "hash", json_string(hex));
    char *out = fl_json_text(j);
    if (out) put(manifest, out, strlen(out));
    free(out);
    json_decref(j);
}

static void read_all(fl_log *log, bool describe)
{
    fl_event e;
    fl_label l;
    size_t n, sum = 0;
    uint32_t m;
    const fl_schema *s = fl_log_schema(log);
    json_t *j = NULL;
    for (uint64_t r = 0; r < fl_log_rows(log); r++) {
        fl_log_event(log, r, &e);
        char number[FL_ID_NUMBER];
        const char *id = fl_log_event_id(log, r, number, &n);
        for (size_t i = 0; i < n; i++) sum += (uint8_t)id[i];
        for (uint32_t f = 0; f < s->categories; f++) {
            const char *v = fl_log_value_text(log, (int)f, e.category[f], &n);
            for (size_t i = 0; v && i < n; i++) sum += (uint8_t)v[i];
        }
    }
    for (uint64_t i = 0; i < fl_log_labels(log); i++) {
        fl_log_label(log, i, &l);
        sum += (size_t)fl_log_time(log, l.row);
    }
    for (uint32_t k = 0; k < s->kinds; k++)
        for (uint32_t i = 0; i < fl_log_entities(log, (int)k); i++) {
            const char *name = fl_log_entity_name(log, (int)k, i, &n);
            for (size_t c = 0; name && c < n; c++) sum += (uint8_t)name[c];
            for (uint32_t g = 0; g < fl_log_segments(log); g++) {
                const uint32_t *rows = fl_log_entity_rows(log, (int)k, i, g, &m);
                for (uint32_t r = 0; r < m; r++)
                    sum += (size_t)fl_log_time(log, rows[r] + fl_log_segment_first(log, g));
            }
        }
    if (describe && !fl_describe(&j, log, NULL, NULL)) json_decref(j);
    if (sum == SIZE_MAX) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    florin_error err = {0};
    fl_log *log = NULL;
    if (!size || size > 1 << 16) return 0;
    int mode = data[0] % MODES;
    uint8_t *copy = malloc(size);
    if (!copy) abort();
    memcpy(copy, data + 1, --size);
    uint64_t checksum = 0;
    if (mode == SEGMENT_SIGNED && size >= 128) checksum = blocks_sign(copy, size);
    static int before = MODES; /* whose file is not the good one now */
    if (mode <= SEGMENT) put(segment, copy, size);
    else if (before <= SEGMENT) put(segment, good_segment, segment_len);
    if (mode == NAMES) put(names, copy, size);
    else if (before == NAMES) put(names, good_names, names_len);
    if (mode == MANIFEST) put_manifest((char *)copy, size, 0);
    else put_manifest(good_manifest, manifest_len, checksum);
    before = mode;
    florin_status st = fl_log_open(&log, folder, &err);
    if (st ? log || !err.message[0] : !log) abort();
    if (log) read_all(log, size % 8 == 0);
    fl_log_close(log);
    free(copy);
    return 0;
}
