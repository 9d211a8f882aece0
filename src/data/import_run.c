/* Reading, decoding and storing at the same time. Chunks go in groups through three stations: while DuckDB reads group
 * n + 2, group n + 1 is decoded, chunk by chunk, and group n goes into the log, column by column. All of that are the
 * items of one parallel loop, and each item's result depends on nothing but its group, so the log is the same whatever
 * the threads. Between two loops, on this thread alone: rejects are counted, faults are told in the order of the rows. */
#include "data/import_parts.h"

enum {
    GROUP_MIN = 2,
    GROUP_MAX = 32,
    STATIONS = 3,
    ITEMS_MAX = 3 + FL_KINDS_MAX + FL_CATEGORIES_MAX + GROUP_MAX,
    WAITING_BYTES = 64 << 20, /* of all groups, about */
    CARDS_SURE = 16
};

typedef struct {
    fl_batch batch[GROUP_MAX];
    fl_plain_block block; /* of a plain file: the text of all of them */
    uint32_t n;
    uint32_t at_batch, at_row; /* what is in the log already */
} group;

typedef enum { ITEM_READ, ITEM_IDS, ITEM_CELLS, ITEM_ENTITY, ITEM_VALUE, ITEM_DECODE } item_kind;

typedef struct {
    item_kind kind;
    uint32_t of; /* entity kind, category or chunk */
    florin_status st;
    florin_error err;
} item;

typedef struct {
    fl_importer *m;
    fl_duck_result *q; /* NULL: plain reads */
    fl_plain *plain;
    const fl_select_columns *columns;
    int source;
    uint64_t next; /* number of the next row to be read */
    uint32_t group_size;
    bool end, broken; /* nothing is left to read; what came last is not plain */
    group station[STATIONS], *reading, *decoding, *storing;
    fl_log_batch part[GROUP_MAX]; /* of this turn */
    uint64_t part_at[GROUP_MAX], turn_rows;
    const fl_batch *part_of[GROUP_MAX];
    uint32_t parts;
    item item[ITEMS_MAX];
    uint32_t items;
    uint32_t fresh[1 + FL_KINDS_MAX + FL_CATEGORIES_MAX][FL_BATCH_ROWS];
} run;

/* ---- card numbers ---- */

/* Card numbers in a column that does not say so: better refused than stored. A lone right check digit is chance (one
 * number in ten), most of them being right is not. */
static florin_status refuse_cards(const fl_importer *m, const fl_card_watch *w, const fl_expr *e,
                                  bool entity, bool end, florin_error *err)
{
    if (!w->cards || w->cards * 10 < w->longs * 6 || (!end && w->longs < CARDS_SURE))
        return FLORIN_OK;
    return fl_fail(err, FLORIN_EINPUT,
                   entity ? "%s: column '%s' holds card numbers: use a token instead, or write "
                            "`card_numbers: true` into the schema (they are then hashed and never "
                            "kept)"
                          : "%s: column '%s' holds card numbers, which only an entity may (there "
                            "they are hashed): use a token instead, or leave the column out",
                   m->path[w->source], e->column);
}

static florin_status watch(const fl_importer *m, fl_card_watch *w, uint32_t source,
                           const fl_duck_cell *cell, const fl_expr *e, bool entity,
                           florin_error *err)
{
    const char *s = fl_duck_cell_text(cell);
    size_t n = cell->near.length, digits = 0;
    if (n < 13 || n > 24) return FLORIN_OK;
    for (size_t k = 0; k < n; k++) digits += s[k] >= '0' && s[k] <= '9';
    if (digits < 13 || digits > 19 || digits + 5 < n) return FLORIN_OK;
    w->longs++;
    if (!fl_is_card_number(s, n)) return FLORIN_OK;
    w->cards++;
    w->source = source;
    return refuse_cards(m, w, e, entity, false, err);
}

florin_status fl_import_watch_end(fl_importer *m)
{
    const fl_schema *s = m->schema;
    florin_status st = FLORIN_OK;
    for (uint32_t i = 0; i < s->sources && !st; i++)
        st = refuse_cards(m, &m->id[i], &s->source[i].id, false, true, m->err);
    for (uint32_t k = 0; k < s->kinds && !st && !s->card_numbers; k++)
        st = refuse_cards(m, &m->entity[k], &s->source[m->entity[k].source].entity[k], true, true,
                          m->err);
    for (uint32_t f = 0; f < s->categories && !st; f++)
        st = refuse_cards(m, &m->category[f], &s->source[m->category[f].source].category[f], false,
                          true, m->err);
    return st;
}

/* ---- items ---- */

static florin_status read_plain(run *x, florin_error *err)
{
    group *g = x->reading;
    bool plain;
    if (fl_cancelled(x->m->ctx)) return fl_fail(err, FLORIN_ECANCELLED, "stopped");
    florin_status st =
        fl_plain_read(x->plain, &g->block, x->group_size, FL_BATCH_ROWS, &plain, err);
    if (st) return st;
    for (; g->n < g->block.pieces; g->n++) {
        fl_batch *b = &g->batch[g->n];
        b->plain = x->plain;
        b->text = g->block.text + g->block.piece[g->n].start;
        b->text_bytes = g->block.piece[g->n].bytes;
        b->n = g->block.piece[g->n].lines;
        b->first = x->next;
        b->source = (uint32_t)x->source;
        x->next += b->n;
    }
    x->broken = !plain;
    x->end = !g->n;
    return FLORIN_OK;
}

static florin_status read_group(run *x, florin_error *err)
{
    group *g = x->reading;
    florin_status st = FLORIN_OK;
    while (g->n < x->group_size && !x->end && !st) {
        fl_batch *b = &g->batch[g->n];
        st = fl_duck_take(&b->chunk, x->q, err);
        x->end = st || !b->chunk;
        if (x->end) break;
        b->n = fl_duck_chunk_rows(b->chunk);
        b->first = x->next;
        b->source = x->source < 0 ? 0 : (uint32_t)x->source;
        x->next += b->n;
        g->n++;
    }
    return st;
}

static florin_status store_ids(run *x, florin_error *err)
{
    fl_importer *m = x->m;
    florin_status st = FLORIN_OK;
    for (uint32_t p = 0; p < x->parts && !st; p++) {
        const fl_log_batch *rows = &x->part[p];
        const fl_batch *b = x->part_of[p];
        if (b->labels_only) {
            for (uint32_t l = 0; l < rows->labels && !st; l++)
                st = fl_log_writer_label(m->w, b->id[rows->label_row[l]], rows->label[l],
                                         rows->label_value[l], rows->label_arrival_us[l], err);
            continue;
        }
        const fl_duck_cell *id = rows->id_text.data;
        for (uint32_t i = 0; id && i < rows->n && !st; i++)
            if (fl_duck_valid(&rows->id_text, rows->place[i]))
                st = watch(m, &m->id[rows->type[i]], rows->type[i], id + rows->place[i],
                           &m->schema->source[rows->type[i]].id, false, err);
        if (!st) st = fl_log_writer_put_ids(m->w, x->part_at[p], rows, err);
    }
    return st;
}

/* Each value is looked at when it is new. */
static florin_status store_codes(run *x, bool entity, uint32_t c, florin_error *err)
{
    fl_importer *m = x->m;
    uint32_t *fresh = x->fresh[entity ? 1 + c : 1 + FL_KINDS_MAX + c], n;
    fl_card_watch *w = entity ? &m->entity[c] : &m->category[c];
    florin_status st = FLORIN_OK;
    for (uint32_t p = 0; p < x->parts && !st; p++) {
        const fl_log_batch *rows = &x->part[p];
        if (!rows->n) continue;
        st = entity ? fl_log_writer_put_entities(m->w, x->part_at[p], rows, c, fresh, &n, err)
                    : fl_log_writer_put_values(m->w, x->part_at[p], rows, c, fresh, &n, err);
        const fl_duck_cell *text = (entity ? &rows->entity_text[c] : &rows->category_text[c])->data;
        for (uint32_t i = 0; i < n && !st && !(entity && m->schema->card_numbers); i++) {
            uint32_t source = rows->type[fresh[i]];
            const fl_source *src = &m->schema->source[source];
            st = watch(m, w, source, text + rows->place[fresh[i]],
                       entity ? &src->entity[c] : &src->category[c], entity, err);
        }
    }
    return st;
}

static void do_item(void *arg, uint32_t i)
{
    run *x = arg;
    item *t = &x->item[i];
    switch (t->kind) {
    case ITEM_READ: t->st = x->plain ? read_plain(x, &t->err) : read_group(x, &t->err); break;
    case ITEM_IDS: t->st = store_ids(x, &t->err); break;
    case ITEM_CELLS:
        for (uint32_t p = 0; p < x->parts; p++)
            if (x->part[p].n) fl_log_writer_put_cells(x->m->w, x->part_at[p], &x->part[p]);
        break;
    case ITEM_ENTITY: t->st = store_codes(x, true, t->of, &t->err); break;
    case ITEM_VALUE: t->st = store_codes(x, false, t->of, &t->err); break;
    case ITEM_DECODE:
        t->st = fl_batch_decode(&x->decoding->batch[t->of], x->m, x->columns, &t->err);
    }
}

static void add_item(run *x, item_kind kind, uint32_t of)
{
    item *t = &x->item[x->items++];
    t->kind = kind;
    t->of = of;
    t->st = FLORIN_OK;
}

static florin_status do_items(run *x)
{
    fl_parallel(fl_threads(x->m->ctx), x->items, do_item, x);
    for (uint32_t i = 0; i < x->items; i++) {
        const item *t = &x->item[i];
        if (!t->st) continue;
        if (x->m->err) *x->m->err = t->err;
        return t->st;
    }
    return FLORIN_OK;
}

/* ---- a turn: what goes into the log at once ---- */

static bool stored(const group *g)
{
    return g->at_batch == g->n;
}

/* Rows for this turn, as many as the log has room for. */
static florin_status take_turn(run *x)
{
    group *g = x->storing;
    uint64_t room;
    x->parts = 0;
    x->turn_rows = 0;
    if (stored(g)) return FLORIN_OK;
    florin_status st = fl_log_writer_room(x->m->w, &room, x->m->err);
    while (!st && !stored(g) && (room || g->batch[g->at_batch].labels_only)) {
        const fl_batch *b = &g->batch[g->at_batch];
        uint32_t left = b->labels_only ? 0 : b->rows.n - g->at_row, n = left;
        if (n > room) n = (uint32_t)room;
        x->part[x->parts] =
            b->labels_only || n == b->rows.n ? b->rows : fl_log_batch_part(&b->rows, g->at_row, n);
        if (b->labels_only) x->part[x->parts].n = 0;
        x->part_of[x->parts] = b;
        x->part_at[x->parts++] = x->turn_rows;
        x->turn_rows += n;
        room -= n;
        g->at_row += n;
        if (n < left) break;
        g->at_batch++;
        g->at_row = 0;
    }
    return st ? st : fl_log_writer_turn(x->m->w, x->turn_rows, x->m->err);
}

static void add_turn(run *x)
{
    const fl_schema *s = x->m->schema;
    if (!x->parts) return;
    add_item(x, ITEM_IDS, 0);
    for (uint32_t k = 0; k < s->kinds; k++) add_item(x, ITEM_ENTITY, k);
    for (uint32_t f = 0; f < s->categories; f++) add_item(x, ITEM_VALUE, f);
    add_item(x, ITEM_CELLS, 0);
}

/* ---- the stations ---- */

/* Rejects and counts of a group that was decoded. With --strict nothing after the first reject matters but how many rows
 * there are. */
static florin_status count_group(run *x, group *g)
{
    fl_importer *m = x->m;
    florin_status st = FLORIN_OK;
    m->not_plain = x->broken;
    for (uint32_t i = 0; i < g->n; i++) m->not_plain |= g->batch[i].broken;
    if (m->not_plain) return fl_fail(m->err, FLORIN_EINPUT, "%s: not plain", m->path[x->source]);
    for (uint32_t i = 0; i < g->n && !st; i++) {
        fl_batch *b = &g->batch[i];
        m->stats->read += b->n;
        if (m->refused) continue;
        m->stats->dropped += b->dropped;
        for (uint32_t r = 0; r < b->rejects && !m->refused && !st; r++)
            st = fl_rejects_add(m, &b->reject[r]);
    }
    if (m->refused) g->at_batch = g->n;
    return st;
}

static void empty_group(group *g)
{
    for (uint32_t i = 0; i < g->n; i++) {
        fl_duck_chunk_free(g->batch[i].chunk);
        g->batch[i].chunk = NULL;
        g->batch[i].text = NULL;
    }
    g->n = g->at_batch = g->at_row = 0;
}

/* One loop over all stations, and more for storing while the log has room for a part only. */
static florin_status step(run *x)
{
    florin_status st;
    bool last;
    do {
        st = take_turn(x);
        if (st) return st;
        last = stored(x->storing);
        x->items = 0;
        add_turn(x);
        if (last && !x->end) add_item(x, ITEM_READ, 0);
        for (uint32_t i = 0; last && !x->m->refused && i < x->decoding->n; i++)
            add_item(x, ITEM_DECODE, i);
        if (x->items) st = do_items(x);
        if (!st && x->parts) st = fl_log_writer_turned(x->m->w, x->turn_rows, x->m->err);
    } while (!st && !last);
    return st;
}

static void move_on(run *x)
{
    group *g = x->storing;
    empty_group(g);
    x->storing = x->decoding;
    x->decoding = x->reading;
    x->reading = g;
}

/* Chunks in a group: enough to keep the threads busy, few enough that wide tables wait in little memory. */
static uint32_t group_size(const run *x, uint32_t columns)
{
    const florin_context *ctx = x->m->ctx;
    uint64_t memory = ctx && ctx->memory_bytes ? ctx->memory_bytes / 16 : WAITING_BYTES;
    if (memory > WAITING_BYTES) memory = WAITING_BYTES;
    uint64_t n = memory / STATIONS / fl_batch_bytes(x->m->schema, columns);
    return n < GROUP_MIN ? GROUP_MIN : n > GROUP_MAX ? GROUP_MAX : (uint32_t)n;
}

static florin_status open_run(run *x, const char *sql)
{
    fl_importer *m = x->m;
    uint32_t columns = x->plain ? fl_plain_wanted(x->plain) : x->columns->columns;
    florin_status st = FLORIN_OK;
    x->group_size = group_size(x, columns);
    for (uint32_t g = 0; g < STATIONS; g++)
        for (uint32_t i = 0; i < x->group_size && !st; i++)
            st = fl_batch_open(&x->station[g].batch[i], m->schema, x->plain ? columns : 0, m->err);
    x->reading = &x->station[0];
    x->decoding = &x->station[1];
    x->storing = &x->station[2];
    return st || x->plain ? st : fl_duck_query(&x->q, m->db, sql, false, m->err);
}

florin_status fl_import_run(fl_importer *m, const char *sql, const fl_select_columns *columns,
                            int source, const char *stage)
{
    run *x = fl_calloc(1, sizeof *x);
    if (!x) return fl_fail(m->err, FLORIN_ENOMEM, "import");
    x->m = m;
    x->columns = columns;
    x->source = source;
    x->plain = sql ? NULL : m->plain[source];
    x->next = source < 0 ? 0 : m->relation[source].first;
    florin_status st = open_run(x, sql);
    while (!st && (!x->end || x->reading->n || x->decoding->n || x->storing->n)) {
        st = step(x);
        if (!st) st = count_group(x, x->decoding);
        move_on(x);
        fl_progress(m->ctx, stage, m->stats->read, 0);
    }
    for (uint32_t g = 0; g < STATIONS; g++) {
        for (uint32_t i = 0; i < GROUP_MAX; i++) fl_batch_close(&x->station[g].batch[i]);
        fl_plain_block_free(&x->station[g].block);
    }
    fl_duck_result_free(x->q);
    free(x);
    return st;
}
