/* The cells of a chunk as events, labels and rejects, column by column. A row's first fault counts, in this order: time,
 * length of its texts, currency, amount, numbers, marks, labels, id. Nothing here touches the log or another batch. */
#include "data/import_cells.h"
#include "data/import_parts.h"

enum { VALUE_MAX = 65536 }; /* bytes of one cell; longer ones are rejected */

typedef struct {
    const fl_importer *m;
    const fl_select_columns *columns;
    const fl_schema *schema;
    const fl_source *src;
    fl_batch *b;
    uint32_t source, from, to; /* rows of the chunk, all of this source */
    florin_error *err;
} decoding;

/* ---- memory ---- */

static void *part(uint8_t **p, size_t n)
{
    void *at = *p;
    *p += (n + 63) / 64 * 64;
    return at;
}

/* Called twice: to measure, then to place. */
static size_t place_arrays(fl_batch *b, const fl_schema *s, uint32_t columns, uint8_t *p)
{
    const size_t n = FL_BATCH_ROWS;
    uint8_t *start = p;
    b->time_us = part(&p, n * 8);
    b->amount_minor = part(&p, n * 8);
    b->id = part(&p, n * 8);
    b->field = part(&p, n * sizeof *b->field);
    b->reason = part(&p, n * sizeof *b->reason);
    b->reject = part(&p, n * sizeof *b->reject);
    b->place = part(&p, n * 4);
    b->present = part(&p, n * 4);
    b->currency = part(&p, n * 2);
    b->type = part(&p, n);
    b->marks = part(&p, n);
    b->good = part(&p, n * sizeof *b->good);
    for (uint32_t k = 0; k < s->kinds; k++) b->entity[k] = part(&p, n * 8);
    for (uint32_t f = 0; f < s->categories; f++) b->category[f] = part(&p, n * 8);
    for (uint32_t f = 0; f < s->numbers; f++) b->number[f] = part(&p, n * 4);
    for (uint32_t l = 0; l < s->labels; l++) {
        b->arrival_us[l] = part(&p, n * 8);
        b->value[l] = part(&p, n * 4);
        b->said[l] = part(&p, n * sizeof *b->said[l]);
    }
    b->label_arrival_us = part(&p, n * s->labels * 8);
    b->label_row = part(&p, n * s->labels * 4);
    b->label_value = part(&p, n * s->labels * 4);
    b->label = part(&p, n * s->labels);
    b->cells = part(&p, n * columns * sizeof *b->cells);
    return (size_t)(p - start);
}

size_t fl_batch_bytes(const fl_schema *s, uint32_t columns)
{
    static uint8_t origin[1];
    fl_batch b;
    return place_arrays(&b, s, columns, origin);
}

florin_status fl_batch_open(fl_batch *b, const fl_schema *s, uint32_t columns, florin_error *err)
{
    memset(b, 0, sizeof *b);
    if (fl_duck_chunk_max() > FL_BATCH_ROWS)
        return fl_fail(err, FLORIN_EINTERNAL, "DuckDB's chunks have %u rows", fl_duck_chunk_max());
    b->memory = fl_alloc(fl_batch_bytes(s, columns), 1);
    if (!b->memory) return fl_fail(err, FLORIN_ENOMEM, "import");
    place_arrays(b, s, columns, b->memory);
    return FLORIN_OK;
}

void fl_batch_close(fl_batch *b)
{
    fl_duck_chunk_free(b->chunk);
    free(b->memory);
    memset(b, 0, sizeof *b);
}

/* ---- cells ---- */

typedef struct {
    const char *s; /* NULL: NULL or empty */
    size_t n;
} cell;

static cell get(const fl_duck_vector *v, size_t r)
{
    const fl_duck_cell *c = (const fl_duck_cell *)v->data + r;
    if (!v->data || !fl_duck_valid(v, r) || !c->near.length) return (cell){NULL, 0};
    return (cell){fl_duck_cell_text(c), c->near.length};
}

/* data NULL: the SELECT has no such column. */
static fl_duck_vector column(const decoding *x, uint16_t c)
{
    if (c == FL_NO_COLUMN) return (fl_duck_vector){NULL, NULL};
    if (x->b->text) return (fl_duck_vector){x->b->cells + (size_t)c * FL_BATCH_ROWS, NULL};
    return fl_duck_chunk_column(x->b->chunk, c);
}

static void fault(const decoding *x, uint32_t r, const char *field, const char *reason)
{
    if (x->b->reason[r]) return;
    x->b->field[r] = field;
    x->b->reason[r] = reason;
}

/* Moments of the rows at hand; a cell that holds none is false in good. */
static florin_status moments(const decoding *x, const fl_moment_columns *c, int64_t *out,
                             bool *good)
{
    fl_duck_vector v = column(x, c->at);
    if (!v.data) {
        v = column(x, c->text);
        return fl_moments_read(x->m->moments, &v, x->b->n, out, good, x->err);
    }
    for (uint32_t r = x->from; r < x->to; r++) {
        good[r] = fl_duck_valid(&v, r);
        out[r] = good[r] ? ((const int64_t *)v.data)[r] : 0;
    }
    return FLORIN_OK;
}

static florin_status decode_times(const decoding *x)
{
    fl_batch *b = x->b;
    fl_duck_vector text = column(x, x->columns->time.text);
    florin_status st = moments(x, &x->columns->time, b->time_us, b->good);
    for (uint32_t r = x->from; r < x->to && !st; r++) {
        if (!b->good[r]) fault(x, r, "time", get(&text, r).s ? "not a time" : "missing");
        else if (b->time_us[r] < -(INT64_C(1) << 58) || b->time_us[r] > INT64_C(1) << 58)
            fault(x, r, "time", "time out of range");
    }
    return st;
}

static void check_length(const decoding *x, uint16_t c, const char *field)
{
    fl_duck_vector v = column(x, c);
    const fl_duck_cell *d = v.data;
    uint32_t longest = 0;
    for (uint32_t r = x->from; d && r < x->to; r++) /* what NULLs hold is no matter yet */
        longest = d[r].near.length > longest ? d[r].near.length : longest;
    for (uint32_t r = x->from; longest > VALUE_MAX && r < x->to; r++)
        if (get(&v, r).n > VALUE_MAX) fault(x, r, field, "value longer than 64 KiB");
}

static void check_lengths(const decoding *x)
{
    const fl_select_columns *c = x->columns;
    const uint16_t rows[] = {c->time.text, c->id, c->amount, c->currency};
    for (size_t i = 0; i < FL_LEN(rows); i++) check_length(x, rows[i], "row");
    for (uint32_t k = 0; k < x->schema->kinds; k++)
        check_length(x, c->entity[k], x->schema->kind[k].name);
    for (uint32_t f = 0; f < x->schema->categories; f++)
        check_length(x, c->category[f], x->schema->category[f].name);
}

static void decode_currency(const decoding *x, const fl_duck_vector *v, uint32_t r, int *exponent)
{
    cell cur = get(v, r);
    char code[4] = {0};
    if (!cur.s) return;
    if (!fl_currency_pack(x->schema, cur.s, cur.n, &x->b->currency[r])) {
        fault(x, r, "currency", "not a currency of three letters");
        return;
    }
    for (int i = 0; i < 3; i++) code[i] = cur.s[i] >= 'a' ? (char)(cur.s[i] - 32) : cur.s[i];
    *exponent = fl_currency_exponent(code);
}

static void decode_amounts(const decoding *x)
{
    fl_batch *b = x->b;
    fl_duck_vector amount = column(x, x->columns->amount),
                   currency = column(x, x->columns->currency);
    for (uint32_t r = x->from; r < x->to; r++) {
        int exponent = x->m->exponent;
        b->amount_minor[r] = FL_AMOUNT_NONE;
        b->currency[r] = 0;
        if (currency.data) decode_currency(x, &currency, r, &exponent);
        if (!x->src->amount.sql) continue;
        cell a = get(&amount, r);
        if (!a.s) fault(x, r, "amount", "missing");
        else if (!fl_decimal_parse(a.s, a.n, exponent, &b->amount_minor[r]))
            fault(x, r, "amount", "not a finite decimal number");
    }
}

static void decode_numbers(const decoding *x)
{
    fl_batch *b = x->b;
    for (uint32_t r = x->from; r < x->to; r++) b->present[r] = 0;
    for (uint32_t f = 0; f < x->schema->numbers; f++) {
        fl_duck_vector v = column(x, x->columns->number[f]);
        const char *name = x->schema->number[f].name;
        for (uint32_t r = x->from; r < x->to; r++) {
            cell c = get(&v, r);
            double d = 0;
            if (c.s && !fl_number_parse(c.s, c.n, &d)) fault(x, r, name, "not a finite number");
            else if (d > 3e38 || d < -3e38) fault(x, r, name, "number out of range");
            b->number[f][r] = (float)d;
            if (c.s) b->present[r] |= 1u << f;
        }
    }
}

static void decode_marks(const decoding *x)
{
    fl_batch *b = x->b;
    memset(b->marks + x->from, 0, x->to - x->from);
    for (uint32_t f = 0; f < x->schema->marks; f++) {
        fl_duck_vector v = column(x, x->columns->mark[f]);
        for (uint32_t r = x->from; v.data && r < x->to; r++) {
            cell c = get(&v, r);
            bool yes = false;
            if (c.s && !fl_yes_no(c.s, c.n, &yes))
                fault(x, r, x->schema->mark[f].name, "neither yes nor no");
            if (yes) b->marks[r] |= (uint8_t)(1u << f);
        }
    }
}

static void decode_label(const decoding *x, uint32_t l, const fl_duck_vector *v, bool column)
{
    fl_batch *b = x->b;
    const char *name = x->schema->label[l].name;
    for (uint32_t r = x->from; r < x->to; r++) {
        cell c = get(v, r);
        bool yes;
        double d = 0;
        b->said[l][r] = c.s != NULL;
        if (!c.s) continue;
        if (fl_yes_no(c.s, c.n, &yes)) d = yes;
        else if (!fl_number_parse(c.s, c.n, &d)) {
            fault(x, r, name, "label is neither yes/no nor a number");
            continue;
        }
        b->value[l][r] = (float)d;
        if (column && !b->good[r]) {
            if (d != 0) fault(x, r, name, "label without the time of its arrival");
            b->said[l][r] = false;
            continue;
        }
        b->arrival_us[l][r] =
            (column ? b->arrival_us[l][r] : b->time_us[r]) + x->src->label[l].delay_us;
        if (b->arrival_us[l][r] < b->time_us[r])
            fault(x, r, name, "label arrives before its event");
    }
}

static florin_status decode_labels(const decoding *x)
{
    florin_status st = FLORIN_OK;
    for (uint32_t l = 0; l < x->schema->labels && !st; l++) {
        fl_duck_vector v = column(x, x->columns->label[l]);
        bool own = x->src->label[l].arrival.sql != NULL;
        if (own) st = moments(x, &x->columns->arrival[l], x->b->arrival_us[l], x->b->good);
        if (!st) decode_label(x, l, &v, own);
    }
    return st;
}

/* ---- rows that are in ---- */

/* Rows without a fault move up; place says where each stood. Labels follow them. */
static void keep_good(const decoding *x, const bool *keep)
{
    fl_batch *b = x->b;
    const fl_schema *s = x->schema;
    uint32_t n = b->rows.n;
    for (uint32_t r = x->from; r < x->to; r++) {
        if (keep && !keep[r]) {
            b->dropped++;
            continue;
        }
        if (b->reason[r]) {
            uint64_t row = b->first + r;
            fl_duck_vector number = column(x, x->columns->row);
            if (number.data) row = ((const uint64_t *)number.data)[r];
            b->reject[b->rejects++] = (fl_rejected_row){row, x->source, b->field[r], b->reason[r]};
            continue;
        }
        for (uint32_t l = 0; l < s->labels; l++)
            if (b->said[l][r]) {
                uint32_t i = b->rows.labels++;
                b->label_row[i] = n;
                b->label[i] = (uint8_t)l;
                b->label_value[i] = b->value[l][r];
                b->label_arrival_us[i] = b->arrival_us[l][r];
            }
        b->place[n] = r;
        b->type[n] = (uint8_t)x->source;
        b->time_us[n] = b->time_us[r];
        b->amount_minor[n] = b->amount_minor[r];
        b->currency[n] = b->currency[r];
        b->marks[n] = b->marks[r];
        b->present[n] = b->present[r];
        for (uint32_t f = 0; f < s->numbers; f++) b->number[f][n] = b->number[f][r];
        n++;
    }
    b->rows.n = n;
}

static void hash_codes(const decoding *x, uint32_t from)
{
    fl_batch *b = x->b;
    const uint8_t *key = fl_log_writer_key(x->m->w);
    for (uint32_t k = 0; k < x->schema->kinds; k++) {
        fl_duck_vector v = column(x, x->columns->entity[k]);
        const char *kind = x->schema->kind[k].name;
        for (uint32_t i = from; i < b->rows.n; i++) {
            cell c = get(&v, b->place[i]);
            b->entity[k][i] = c.s ? fl_entity_hash(key, kind, c.s, c.n) : 0;
        }
    }
    for (uint32_t f = 0; f < x->schema->categories; f++) {
        fl_duck_vector v = column(x, x->columns->category[f]);
        for (uint32_t i = from; i < b->rows.n; i++) {
            cell c = get(&v, b->place[i]);
            b->category[f][i] = c.s ? fl_category_hash(c.s, c.n) : 0;
        }
    }
}

static void mix_in(uint64_t *h, const uint64_t *v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) h[i] = fl_mix64(h[i] ^ v[i]) + 1;
}

/* A row without an id is known by what it says. */
static void hash_cells(const decoding *x, uint32_t from)
{
    fl_batch *b = x->b;
    const fl_schema *s = x->schema;
    uint32_t n = b->rows.n - from;
    uint64_t *h = b->id + from;
    for (uint32_t i = from; i < b->rows.n; i++) {
        uint64_t small = (uint64_t)b->currency[i] << 8 | b->marks[i];
        uint64_t start = fl_mix64(x->source + 1u) ^ (uint64_t)b->time_us[i];
        start = fl_mix64(fl_mix64(start) ^ (uint64_t)b->amount_minor[i]);
        b->id[i] = fl_mix64(start ^ small);
    }
    for (uint32_t k = 0; k < s->kinds; k++) mix_in(h, b->entity[k] + from, n);
    for (uint32_t f = 0; f < s->categories; f++) mix_in(h, b->category[f] + from, n);
    for (uint32_t f = 0; f < s->numbers; f++)
        for (uint32_t i = from; i < b->rows.n; i++) {
            uint32_t bits;
            memcpy(&bits, &b->number[f][i], sizeof bits);
            b->id[i] = fl_mix64(b->id[i] ^ bits ^ (uint64_t)(b->present[i] >> f & 1) << 32) + 1;
        }
}

static void hash_ids(const decoding *x, uint32_t from)
{
    fl_batch *b = x->b;
    fl_duck_vector v = column(x, x->columns->id);
    uint32_t source = x->src->label_of >= 0 ? (uint32_t)x->src->label_event : x->source;
    for (uint32_t i = from; i < b->rows.n; i++) {
        cell c = get(&v, b->place[i]);
        b->id[i] = fl_event_id_hash(source, c.s, c.n);
    }
}

/* The rows from..to-1, all of one source. */
static florin_status decode_run(const decoding *x)
{
    fl_batch *b = x->b;
    bool events = x->src->label_of < 0, wants_id = x->src->id.sql || !events;
    fl_duck_vector keep = column(x, x->columns->keep), id = column(x, x->columns->id);
    uint32_t first = b->rows.n;
    florin_status st = decode_times(x);
    if (st) return st;
    check_lengths(x);
    if (events) {
        decode_amounts(x);
        decode_numbers(x);
        decode_marks(x);
    }
    st = decode_labels(x);
    if (st) return st;
    for (uint32_t r = x->from; wants_id && r < x->to; r++)
        if (!get(&id, r).s) fault(x, r, "id", "missing");
    keep_good(x, keep.data);
    if (wants_id) hash_ids(x, first);
    if (events) hash_codes(x, first);
    if (!wants_id) hash_cells(x, first);
    return FLORIN_OK;
}

static void show_rows(decoding *x)
{
    fl_batch *b = x->b;
    fl_log_batch *p = &b->rows;
    p->time_us = b->time_us;
    p->amount_minor = b->amount_minor;
    p->type = b->type;
    p->marks = b->marks;
    p->currency = b->currency;
    p->present = b->present;
    p->id = b->id;
    p->place = b->place;
    p->id_text = column(x, x->columns->id);
    for (uint32_t f = 0; f < x->schema->numbers; f++) p->number[f] = b->number[f];
    for (uint32_t k = 0; k < x->schema->kinds; k++) {
        p->entity[k] = b->entity[k];
        p->entity_text[k] = column(x, x->columns->entity[k]);
    }
    for (uint32_t f = 0; f < x->schema->categories; f++) {
        p->category[f] = b->category[f];
        p->category_text[f] = column(x, x->columns->category[f]);
    }
    p->label_row = b->label_row;
    p->label = b->label;
    p->label_value = b->label_value;
    p->label_arrival_us = b->label_arrival_us;
}

florin_status fl_batch_decode(fl_batch *b, const fl_importer *m, const fl_select_columns *columns,
                              florin_error *err)
{
    decoding x = {
        .m = m, .columns = columns, .schema = m->schema, .b = b, .source = b->source, .err = err};
    fl_duck_vector source = column(&x, columns->source);
    florin_status st = FLORIN_OK;
    memset(&b->rows, 0, sizeof b->rows);
    b->dropped = b->rejects = 0;
    b->broken =
        b->text && !fl_plain_split(b->plain, b->text, b->text_bytes, b->n, b->cells, FL_BATCH_ROWS);
    if (b->broken) return FLORIN_OK;
    memset(b->reason, 0, b->n * sizeof *b->reason);
    while (x.to < b->n && !st) {
        x.from = x.to;
        x.to = b->n;
        if (source.data) {
            const uint32_t *of = source.data;
            x.source = of[x.from];
            for (x.to = x.from + 1; x.to < b->n && of[x.to] == x.source;) x.to++;
        }
        x.src = &m->schema->source[x.source];
        b->labels_only = x.src->label_of >= 0;
        st = decode_run(&x);
    }
    show_rows(&x);
    return st;
}
