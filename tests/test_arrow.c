/* Arrow files: read back by a small second reader that follows the flatbuffers as the format's text says, every type,
 * missing values, several batches, and alignment. (cli_embed.sh also asks pyarrow, where it is.) */
#include "support/support.h"
#include "base/file.h"
#include "data/duck.h"
#include <math.h>
#include <stdio.h>

enum { ROWS = 11, COLUMNS = 7 };

static const fl_table_column column[COLUMNS] = {{"name", FL_DUCK_TEXT},    {"flag", FL_DUCK_BOOL},
                                                {"whole", FL_DUCK_INT64},  {"big", FL_DUCK_UINT64},
                                                {"small", FL_DUCK_UINT32}, {"value", FL_DUCK_FLOAT},
                                                {"when", FL_DUCK_TIME_US}};

typedef struct {
    const char *name[ROWS];
    uint8_t flag[ROWS];
    int64_t whole[ROWS], when[ROWS];
    uint64_t big[ROWS];
    uint32_t small[ROWS];
    float value[ROWS];
} rows;

static void fill(rows *r, int shift)
{
    static const char *const names[] = {"", "a", "\xc3\xa4\xc3\xb6", "longer than eight bytes"};

    for (int i = 0; i < ROWS; i++) {
        r->name[i] = i % 5 == 4 ? NULL : names[(i + shift) % 4];
        r->flag[i] = (uint8_t)(i % 3 == 0);
        r->whole[i] = -1000000000000 * i - shift;
        r->big[i] = UINT64_MAX - (uint64_t)i;
        r->small[i] = UINT32_MAX - (uint32_t)i;
        r->value[i] = i == 2 ? NAN : i == 9 ? INFINITY : (float)i / 8 + (float)shift;
        r->when[i] = 1700000000000000 + i;
    }
}

/* ---- a second reader ---- */

static const uint8_t *file;
static size_t file_size;

static uint64_t read_at(size_t at, size_t n)
{
    uint64_t v = 0;

    assert_true(at + n <= file_size);
    memcpy(&v, file + at, n);
    return v;
}

/* Where field i of the table at `t` lies; 0: absent. */
static size_t field(size_t t, uint32_t i)
{
    size_t vtable = (size_t)((int64_t)t - (int32_t)read_at(t, 4));

    if (4 + 2 * i >= read_at(vtable, 2)) return 0;
    size_t offset = read_at(vtable + 4 + 2 * i, 2);
    return offset ? t + offset : 0;
}

static size_t follow(size_t at)
{
    return at + read_at(at, 4);
}

static void check_schema(size_t schema)
{
    static const uint8_t kinds[COLUMNS] = {5, 6, 2, 2, 2, 3, 10};
    size_t list = follow(field(schema, 1));

    assert_int_equal(read_at(list, 4), COLUMNS);
    for (uint32_t c = 0; c < COLUMNS; c++) {
        size_t f = follow(list + 4 + 4 * c), name = follow(field(f, 0));
        assert_int_equal(read_at(name, 4), strlen(column[c].name));
        assert_memory_equal(file + name + 4, column[c].name, strlen(column[c].name) + 1);
        assert_int_equal(read_at(field(f, 1), 1), 1);
        assert_int_equal(read_at(field(f, 2), 1), kinds[c]);
        assert_int_equal(read_at(follow(field(f, 5)), 4), 0);
        size_t type = follow(field(f, 3));
        if (kinds[c] == 2) {
            assert_int_equal(read_at(field(type, 0), 4),
                             column[c].type == FL_DUCK_UINT32 ? 32 : 64);
            assert_int_equal(read_at(field(type, 1), 1), column[c].type == FL_DUCK_INT64);
        }
        if (kinds[c] == 3) assert_int_equal(read_at(field(type, 0), 2), 1);
        if (kinds[c] == 10) assert_int_equal(read_at(field(type, 0), 2), 2);
    }
}

static size_t message_header(size_t message, uint8_t kind)
{
    assert_int_equal(message % 8, 0);
    assert_int_equal(read_at(message, 4), 0xffffffff);
    size_t root = follow(message + 8);
    assert_int_equal(read_at(field(root, 0), 2), 4);
    assert_int_equal(read_at(field(root, 1), 1), kind);
    return follow(field(root, 2));
}

static bool bit(size_t at, uint32_t i)
{
    return read_at(at + i / 8, 1) >> i % 8 & 1;
}

/* Buffer b of a batch: where it lies, SIZE_MAX if empty. */
static size_t buffer_at(size_t buffers, uint32_t b, size_t body)
{
    size_t at = buffers + 4 + 16 * b;

    assert_int_equal(at % 8, 0);
    assert_int_equal(read_at(at, 8) % 64, 0);
    return read_at(at + 8, 8) ? body + read_at(at, 8) : SIZE_MAX;
}

static void check_batch(size_t message, size_t meta, const rows *r)
{
    size_t batch = message_header(message, 3), body = message + meta;
    size_t nodes = follow(field(batch, 1)), buffers = follow(field(batch, 2));
    uint32_t b = 0;

    assert_int_equal(read_at(field(batch, 0), 8), ROWS);
    assert_int_equal(read_at(nodes, 4), COLUMNS);
    assert_int_equal(read_at(buffers, 4), 2 * COLUMNS + 1);
    for (uint32_t c = 0; c < COLUMNS; c++) {
        size_t nulls = read_at(nodes + 4 + 16 * c + 8, 8), valid = buffer_at(buffers, b, body),
               data = buffer_at(buffers, b + 1, body),
               text = c ? 0 : buffer_at(buffers, b + 2, body);
        assert_int_equal(read_at(nodes + 4 + 16 * c, 8), ROWS);
        assert_int_equal(nulls, c == 0 || c == 5 ? 2 : 0);
        assert_true(nulls ? valid != SIZE_MAX : valid == SIZE_MAX);
        for (uint32_t i = 0; i < ROWS; i++) {
            bool there = c == 0 ? r->name[i] != NULL : c == 5 ? isfinite(r->value[i]) : true;
            if (nulls) assert_int_equal(bit(valid, i), there);
            if (c == 0) {
                size_t from = read_at(data + 4 * i, 4), to = read_at(data + 4 * i + 4, 4);
                assert_int_equal(to - from, there ? strlen(r->name[i]) : 0);
                if (there) assert_memory_equal(file + text + from, r->name[i], to - from);
            } else if (c == 1) assert_int_equal(bit(data, i), r->flag[i]);
            else if (c == 2) assert_int_equal((int64_t)read_at(data + 8 * i, 8), r->whole[i]);
            else if (c == 3) assert_int_equal(read_at(data + 8 * i, 8), r->big[i]);
            else if (c == 4) assert_int_equal(read_at(data + 4 * i, 4), r->small[i]);
            else if (c == 6) assert_int_equal((int64_t)read_at(data + 8 * i, 8), r->when[i]);
            else if (there) assert_memory_equal(file + data + 4 * i, &r->value[i], 4);
        }
        b += c ? 2 : 3;
    }
}

static void test_read_back(void **state)
{
    rows r[2];
    fl_table_writer *w;
    florin_error err = {0};
    const char *path = scratch_path("all.arrow");
    char *bytes;

    (void)state;
    if (fl_table_open(&w, path, column, COLUMNS, NULL, &err)) fail_msg("%s", err.message);
    for (int k = 0; k < 2; k++) {
        fill(&r[k], k);
        const void *data[COLUMNS] = {r[k].name,  r[k].flag,  r[k].whole, r[k].big,
                                     r[k].small, r[k].value, r[k].when};
        assert_int_equal(fl_table_add(w, data, ROWS, &err), FLORIN_OK);
        assert_false(fl_file_exists(path));
    }
    if (fl_table_commit(w, &err)) fail_msg("%s", err.message);
    assert_int_equal(fl_read_file(&bytes, &file_size, path, 1 << 20, &err), FLORIN_OK);
    file = (const uint8_t *)bytes;
    assert_memory_equal(file, "ARROW1\0\0", 8);
    assert_memory_equal(file + file_size - 6, "ARROW1", 6);
    size_t footer = file_size - 10 - read_at(file_size - 10, 4), root = follow(footer);
    assert_int_equal(footer % 8, 0);
    check_schema(message_header(8, 1));
    check_schema(follow(field(root, 1)));
    size_t blocks = follow(field(root, 3));
    assert_int_equal(read_at(blocks, 4), 2);
    for (int k = 0; k < 2; k++) {
        size_t at = blocks + 4 + 24 * (size_t)k;
        check_batch(read_at(at, 8), read_at(at + 8, 4), &r[k]);
    }
    free(bytes);
}

static void test_empty_and_refused(void **state)
{
    fl_table_writer *w;
    florin_error err = {0};

    (void)state;
    assert_int_equal(fl_table_open(&w, scratch_path("none.arrow"), column, COLUMNS, NULL, &err),
                     FLORIN_OK);
    assert_int_equal(fl_table_commit(w, &err), FLORIN_OK);
    assert_true(fl_file_exists(scratch_path("none.arrow")));
    assert_int_equal(fl_table_open(&w, scratch_path("left.arrow"), column, COLUMNS, NULL, &err),
                     FLORIN_OK);
    fl_table_abort(w);
    assert_false(fl_file_exists(scratch_path("left.arrow")));
    assert_int_equal(fl_table_open(&w, scratch_path("no/such.arrow"), column, COLUMNS, NULL, &err),
                     FLORIN_EIO);
    assert_int_equal(fl_table_open(&w, scratch_path("x.xlsx"), column, COLUMNS, NULL, &err),
                     FLORIN_EUSAGE);
    assert_non_null(strstr(err.message, ".arrow"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_read_back),
                                       cmocka_unit_test(test_empty_and_refused)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
