/* A journal. A first byte that is odd: the rest is a segment's file as it lies. Even: the rest are records (type, two bytes of
 * length, payload), signed and put in a whole segment, so that what lies behind the checksums is reached. Whatever is read, a
 * journal that opens goes on, and what is put then is read again. */
#include "score/journal_file.h"
#include "score/journal_record.h"

#include <stdio.h>
#include <unistd.h>

static const char yaml[] = "name: fuzz\ncurrency: EUR\nentities: {card: payer, shop: payee}\n"
                           "sources:\n  payment:\n    format: csv\n    id: id\n"
                           "    time: time\n    amount: amount\n"
                           "    entities: {card: card, shop: shop}\n"
                           "    categories: {mcc: mcc}\n    numbers: {distance: distance}\n"
                           "    marks: {declined: declined}\n"
                           "    labels:\n      fraud: {column: fraud, delay: 7d}\n";
static fl_schema *schema;
static char folder[64], path[128];

static void must(bool ok)
{
    if (!ok) abort();
}

static void begin(void)
{
    florin_error err;
    snprintf(folder, sizeof folder, "/tmp/fuzz-journal-XXXXXX");
    must(mkdtemp(folder) != NULL);
    char *p = fl_segment_path(folder, 1);
    snprintf(path, sizeof path, "%s", p);
    free(p);
    if (fl_schema_parse(&schema, yaml, sizeof yaml - 1, "fuzz", &err)) {
        fprintf(stderr, "%s\n", err.message);
        abort();
    }
}

static void write_records(const uint8_t *data, size_t size, fl_buf *out)
{
    static const uint8_t id[FL_JOURNAL_ID] = {1};
    static const uint8_t zero[8];
    size_t n;
    uint64_t sequence = 1, seed = fl_journal_seed(id);
    uint8_t *head = fl_segment_head_new(id, 1, 0, "{}", 2, &n);
    fl_buf_add(out, head, n);
    free(head);
    while (size >= 3) {
        fl_record_head h = {.n = (uint32_t)data[1] | (uint32_t)data[2] << 8,
                            .type = data[0],
                            .mark = FL_RECORD_MARK,
                            .sequence = sequence++};
        data += 3;
        size -= 3;
        if (h.n > size) h.n = (uint32_t)size;
        h.hash = fl_record_hash(&h, data, seed);
        fl_buf_add(out, &h, sizeof h);
        fl_buf_add(out, data, h.n);
        fl_buf_add(out, zero, fl_record_bytes(h.n) - sizeof h - h.n);
        data += h.n;
        size -= h.n;
    }
}

static void decode(const fl_record *record)
{
    static fl_request r;
    static fl_answer a;
    static fl_news n;
    static fl_change c;
    fl_buf again = {0};
    if (!fl_decision_read(schema, record, &r, &a, NULL)) {
        fl_request_put(&again, schema, &r);
        fl_answer_put(&again, &a);
        must(a.action <= FLORIN_BLOCK && a.heads <= FL_SCORE_HEADS_MAX);
    }
    if (!fl_news_read(schema, record, &n, NULL)) fl_news_put(&again, schema, record->type, &n);
    if (!fl_change_read(record, &c, NULL)) fl_change_put(&again, &c);
    fl_buf_free(&again);
}

static uint64_t read_all(void)
{
    fl_journal_reader *r;
    fl_record record;
    bool more = true;
    uint64_t last = 0;
    if (fl_journal_reader_open(&r, folder, 0, NULL)) return 0;
    while (!fl_journal_reader_next(r, &record, &more, NULL) && more) {
        decode(&record);
        last = record.sequence;
    }
    fl_journal_reader_close(r);
    return last;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fl_buf file = {0};
    fl_journal *j;
    fl_record record;
    fl_journal_options o = {
        .folder = folder, .buffer_bytes = 4096, .preamble = "{}", .preamble_bytes = 2};
    if (!folder[0]) begin();
    if (!size) return 0;
    if (data[0] & 1) fl_buf_add(&file, data + 1, size - 1);
    else write_records(data + 1, size - 1, &file);
    FILE *f = fopen(path, "w");
    must(f != NULL);
    if (file.len) must(fwrite(file.data, 1, file.len, f) == file.len);
    fclose(f);
    fl_buf_free(&file);
    uint64_t last = read_all();
    if (!fl_journal_open(&j, &o, NULL, NULL)) {
        uint64_t next = fl_journal_next(j);
        must(next == last + 1 || !last);
        fl_journal_put(j, 200, "again", 5);
        fl_journal_flush(j);
        must(!fl_journal_get(j, next, &record, NULL) && record.n == 5);
        fl_journal_close(j);
        must(read_all() == next);
        for (uint64_t i = 2; i <= next + 1; i++) { /* a new preamble began a file of its own */
            char *p = fl_segment_path(folder, i);
            unlink(p);
            free(p);
        }
    }
    return 0;
}
