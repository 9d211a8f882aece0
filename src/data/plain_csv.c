/* Plain CSV (plain_csv.h). A piece is looked through twice: once for bytes that a plain file has not, sixteen at a time,
 * then cut, eight at a time. */
#include "data/plain_csv.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 2 << 20, /* as long as DuckDB takes them */
    BLOCK_BYTES = 4 << 20,
    AFTER = 64 /* bytes behind a block that may be read */
};

struct fl_plain {
    char *path;
    int fd;
    off_t at;         /* what was read */
    const char *rest; /* of the last block: the begin of a line */
    size_t rest_bytes;
    bool end, header;
    char delimiter, quote, escape;
    uint32_t columns;
    uint16_t wanted;
    char **name;
    int32_t *place; /* [columns] among those wanted, -1: not */
    uint64_t rows;
};

void fl_plain_close(fl_plain *p)
{
    if (!p) return;
    if (p->fd >= 0) close(p->fd);
    for (uint32_t c = 0; p->name && c < p->columns; c++) free(p->name[c]);
    free(p->name);
    free(p->place);
    free(p->path);
    free(p);
}

uint32_t fl_plain_columns(const fl_plain *p)
{
    return p->columns;
}

int fl_plain_column(const fl_plain *p, const char *name)
{
    for (uint32_t c = 0; c < p->columns; c++)
        if (!strcmp(p->name[c], name)) return (int)c;
    return -1;
}

uint16_t fl_plain_want(fl_plain *p, uint32_t column)
{
    if (p->place[column] < 0) p->place[column] = p->wanted++;
    return (uint16_t)p->place[column];
}

uint16_t fl_plain_wanted(const fl_plain *p)
{
    return p->wanted;
}

uint32_t fl_plain_first(const fl_plain *p)
{
    return p->header ? 2 : 1;
}

uint64_t fl_plain_rows(const fl_plain *p)
{
    return p->rows;
}

/* ---- what is plain ---- */

bool fl_plain_utf8(const uint8_t *s, const uint8_t *end)
{
    while (s < end) {
        uint32_t c = *s++, more = c < 0x80 ? 0 : c < 0xc2 ? 9 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
        if (more == 9 || c > 0xf4 || (size_t)(end - s) < more) return false;
        uint8_t low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
        uint8_t high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
        for (uint32_t i = 0; i < more; i++, s++, low = 0x80, high = 0xbf)
            if (*s < low || *s > high) return false;
    }
    return true;
}

/* Sixteen bytes at once, in whatever registers there are; equal ones compare to 0xff. */
typedef uint8_t bytes16 __attribute__((vector_size(16)));

static bool any_bit(bytes16 v, uint8_t bits)
{
    uint8_t all = 0;
    for (int i = 0; i < 16; i++) all |= v[i];
    return (all & bits) != 0;
}

static bool plain_bytes(const fl_plain *p, const char *text, size_t n)
{
    const uint8_t *s = (const uint8_t *)text;
    const uint8_t quote = (uint8_t)p->quote, escape = (uint8_t)p->escape;
    bytes16 bad = {0}, seen = {0};
    size_t i = 0;
    for (; i + sizeof bad <= n; i += sizeof bad) {
        bytes16 c;
        memcpy(&c, s + i, sizeof c);
        bad |= (bytes16)(c == quote) | (bytes16)(c == escape) | (bytes16)(c == '"') |
               (bytes16)(c == '\r') | (bytes16)(c == 0);
        seen |= c;
    }
    bool plain = !any_bit(bad, 0xff), high = any_bit(seen, 0x80);
    for (; i < n; i++) {
        plain = plain && s[i] != quote && s[i] != escape && s[i] != '"' && s[i] != '\r' && s[i];
        high |= s[i] >= 0x80;
    }
    return plain && (!high || fl_plain_utf8(s, s + n));
}

/* ---- cutting ---- */

static inline uint64_t load64(const char *s)
{
    uint64_t v;
    memcpy(&v, s, sizeof v);
    return v;
}

/* The first delimiter or line feed at or after s; there is one. Bytes equal to one of them become zero, and a zero's
 * highest bit is set by the subtraction; what borrows may set lies above it. Little-endian. */
static inline const char *cell_end(const char *s, uint64_t delimiters, uint64_t feeds)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    for (;; s += 8) {
        uint64_t v = load64(s), d = v ^ delimiters, f = v ^ feeds;
        uint64_t hit = (((d - ones) & ~d) | ((f - ones) & ~f)) & tops;
        if (hit) return s + __builtin_ctzll(hit) / 8;
    }
}

static inline void set_cell(fl_duck_cell *c, const char *s, size_t n)
{
    c->near.length = (uint32_t)n;
    memcpy(c->near.text, s, sizeof c->near.text);
    if (n > sizeof c->near.text) c->far.text = s;
}

bool fl_plain_split(const fl_plain *p, const char *text, size_t bytes, uint32_t lines,
                    fl_duck_cell *cells, size_t stride)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t delimiters = ones * (uint8_t)p->delimiter, feeds = ones * '\n';
    if (!plain_bytes(p, text, bytes)) return false;
    const char *s = text;
    for (uint32_t l = 0; l < lines; l++) {
        const char *line = s;
        for (uint32_t c = 0; c < p->columns; c++) {
            const char *end = cell_end(s, delimiters, feeds);
            if ((*end == '\n') != (c + 1 == p->columns)) return false;
            if (p->place[c] >= 0)
                set_cell(cells + (size_t)p->place[c] * stride + l, s, (size_t)(end - s));
            s = end + 1;
        }
        if (s - line >= LINE_MAX_BYTES) return false;
    }
    return s == text + bytes;
}

/* ---- reading ---- */

static florin_status fill(fl_plain *p, fl_plain_block *b, size_t *len, size_t want,
                          florin_error *err)
{
    while (*len < want && !p->end) {
        ssize_t n = pread(p->fd, b->text + *len, want - *len, p->at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fl_fail(err, FLORIN_EIO, "%s: %s", p->path, strerror(errno));
        p->end = n == 0;
        p->at += n;
        *len += (size_t)n;
    }
    if (p->end && *len && b->text[*len - 1] != '\n') b->text[(*len)++] = '\n';
    return FLORIN_OK;
}

florin_status fl_plain_read(fl_plain *p, fl_plain_block *b, uint32_t pieces, uint32_t lines,
                            bool *plain, florin_error *err)
{
    if (!b->text && !(b->text = fl_calloc(BLOCK_BYTES + AFTER, 1)))
        return fl_fail(err, FLORIN_ENOMEM, "%s", p->path);
    size_t len = p->rest_bytes, at = 0;
    if (len) memcpy(b->text, p->rest, len);
    florin_status st = fill(p, b, &len, BLOCK_BYTES, err);
    *plain = true;
    for (b->pieces = 0; !st && b->pieces < pieces && at < len; b->pieces++) {
        size_t start = at;
        uint32_t n = 0;
        for (const char *feed; n < lines && (feed = memchr(b->text + at, '\n', len - at)); n++)
            at = (size_t)(feed + 1 - b->text);
        if (!n) break; /* the begin of a line */
        b->piece[b->pieces].start = start;
        b->piece[b->pieces].bytes = at - start;
        b->piece[b->pieces].lines = n;
    }
    p->rest = b->text + at;
    p->rest_bytes = len - at;
    *plain = b->pieces || !len;
    return st;
}

void fl_plain_block_free(fl_plain_block *b)
{
    free(b->text);
    memset(b, 0, sizeof *b);
}

/* ---- opening ---- */

static char first_char(const fl_duck_result *q, uint32_t c)
{
    size_t n;
    const char *s = fl_duck_null(q, c, 0) ? NULL : fl_duck_text(q, c, 0, &n);
    return s && n == 1 ? *s : '"'; /* "(empty)": none, and quotes are not plain anyway */
}

/* How DuckDB's sniffer would cut the file. False: in no plain way. */
static bool sniff(fl_plain *p, fl_duck *db, const char *call)
{
    fl_duck_result *q = NULL;
    uint64_t rows = 0;
    size_t cap = 0;
    bool ok = true;
    char *sql = fl_asprintf(
        "SELECT c.name, Delimiter, Quote, Escape, Comment, CAST(SkipRows AS BIGINT), "
        "CAST(HasHeader AS BOOLEAN) FROM (SELECT *, unnest(Columns) AS c FROM sniff_csv(%s))",
        call);
    if (!sql || fl_duck_query(&q, db, sql, false, NULL)) ok = false;
    while (ok && !fl_duck_next(q, &rows, NULL) && rows)
        for (uint64_t i = 0; i < rows && ok; i++) {
            size_t n, m;
            const char *name = fl_duck_text(q, 0, i, &n), *comment = fl_duck_text(q, 4, i, &m);
            void *list = p->name;
            ok = fl_grow(&list, &cap, p->columns + 1, sizeof *p->name);
            if (ok) p->name = list;
            if (ok) ok = (p->name[p->columns] = fl_strndup(name, n)) != NULL;
            if (ok) p->columns++;
            ok = ok && m == 7 && !memcmp(comment, "(empty)", 7);
            ok = ok && ((const int64_t *)fl_duck_data(q, 5))[i] == 0 &&
                 ((const bool *)fl_duck_data(q, 6))[i] == p->header;
            fl_duck_text(q, 1, i, &n);
            ok = ok && n == 1;
            if (i) continue;
            p->delimiter = first_char(q, 1);
            p->quote = first_char(q, 2);
            p->escape = first_char(q, 3);
        }
    fl_duck_result_free(q);
    free(sql);
    return ok && p->columns >= 2 && p->delimiter != '"' && p->delimiter > 0;
}

/* Could another delimiter cut all rows of the head as well? Then what DuckDB reads by need not be what its sniffer says. */
static bool ambiguous(const fl_plain *p, const char *rows, const char *end)
{
    for (const char *d = ",;|\t"; *d; d++) {
        size_t lines = 0, first = 0, n = 0;
        bool same = *d != p->delimiter;
        for (const char *s = rows; s < end && same; s++) {
            n += *s == *d;
            if (*s != '\n' && s + 1 < end) continue;
            if (!lines++) first = n;
            same = first && n == first;
            n = 0;
        }
        if (same && lines) return true;
    }
    return false;
}

/* The first line is a header of these columns, or a row; the file's head is plain. */
static bool check_head(fl_plain *p, const char *head, size_t n, uint64_t bytes)
{
    const char *last = n ? memrchr(head, '\n', n) : NULL;
    const char *first = last ? memchr(head, '\n', n) : NULL;
    uint32_t cells = 1;
    uint64_t lines = 0;
    if (!last || !plain_bytes(p, head, (size_t)(last + 1 - head))) return false;
    for (const char *s = head; s < first; s++) cells += *s == p->delimiter;
    for (const char *s = head; s <= last; s++) lines += *s == '\n';
    p->rows = bytes / ((uint64_t)(last + 1 - head) / lines) + 1;
    if (p->header) p->at = first + 1 - head;
    return cells == p->columns &&
           !ambiguous(p, p->header ? first + 1 : head, n == bytes ? head + n : last);
}

florin_status fl_plain_open(fl_plain **out, fl_duck *db, const fl_source *src, const char *path,
                            florin_error *err)
{
    fl_source_head h;
    *out = NULL;
    florin_status st = fl_source_look(&h, src, path, err);
    if (st) return FLORIN_OK; /* whoever reads it instead says what is wrong */
    fl_plain *p = h.csv_call ? fl_calloc(1, sizeof *p) : NULL;
    bool ok = p && (p->path = fl_strdup(path));
    if (p) {
        p->fd = ok ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        p->header = src->header;
        ok = p->fd >= 0 && !memchr(h.head, '"', h.head_len) && !memchr(h.head, '\r', h.head_len) &&
             sniff(p, db, h.csv_call) && check_head(p, h.head, h.head_len, h.bytes);
    }
    if (ok) {
        p->place = fl_alloc(p->columns, sizeof *p->place);
        for (uint32_t c = 0; p->place && c < p->columns; c++) p->place[c] = -1;
        ok = p->place != NULL;
    }
    fl_source_head_free(&h);
    if (ok) *out = p;
    else fl_plain_close(p);
    return FLORIN_OK;
}
