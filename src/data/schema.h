/* The schema: what the columns of one or several tables mean. Read from YAML, kept inside the log and
 * the model as canonical JSON. Field, kind and label numbers used everywhere are positions here. */
#ifndef FL_SCHEMA_H
#define FL_SCHEMA_H

#include "base/base.h"
#include "base/json.h"

enum {
    FL_KINDS_MAX = 8,       /* entity kinds */
    FL_CATEGORIES_MAX = 32, /* category fields, all sources together */
    FL_NUMBERS_MAX = 32,    /* number fields, all sources together */
    FL_TEXTS_MAX = 8,
    FL_LABELS_MAX = 8,
    FL_MARKS_MAX = 4,    /* true/false facts that the fold counts: declined, cancelled ... */
    FL_SOURCES_MAX = 16, /* event types */
    FL_PAIRS_MAX = 4,
    FL_JOIN_FIELDS_MAX = 16, /* columns of a look-up */
    FL_NAME_MAX = 64
};

typedef enum { FL_ROLE_OTHER = 0, FL_ROLE_PAYER, FL_ROLE_PAYEE } fl_role;
typedef struct {
    char name[FL_NAME_MAX];
    fl_role role;
} fl_kind; /* at most one payer, one payee */
typedef struct {
    char name[FL_NAME_MAX];
    bool after;
} fl_field; /* after: known only after the decision: never a model input */
typedef struct {
    char name[FL_NAME_MAX];
} fl_name;
typedef struct {
    uint8_t a, b;
} fl_pair; /* entity kinds */

/* What an expression yields, before import's own checks (a value that is not NULL but does not fit is a reject):
 *   time, arrival   TIMESTAMP, TIMESTAMPTZ, DATE or their text; with time_format set: text for strptime. Naive times
 *                   are in the schema's time_zone
 *   amount, number  a number or its text
 *   mark, label     BOOLEAN, number, or text: yes/no, true/false, y/n, t/f, 1/0 in any case
 *   others          anything, taken as text
 *
 * An SQL expression over the relation of fl_source_relation (source.h), or NULL. A plain column "X" reads the
 * cell as it stands in the file, "raw:X"; an expression that the user wrote sees X with its sniffed type. */
typedef struct {
    const char *sql;
    uint32_t line;
    const char *column; /* as written, for messages */
    const char *const *
        columns; /* columns that it names (checked against the file), NULL-terminated; NULL: unknown */
} fl_expr;

typedef struct {
    const char *name;      /* event type: payment, refund, login, invoice_line ... */
    const char *file;      /* default path, relative to the schema's folder; may be NULL */
    const char *table;     /* of a SQLite file; NULL: its only one */
    const char *format;    /* csv, parquet, json */
    const char *delimiter; /* csv: NULL = sniff; "space" = runs of blanks */
    struct {               /* a look-up (join.h); file NULL: none */
        const char *file;  /* relative to the schema's folder */
        const char *table; /* of a SQLite file, or NULL */
        const char *on;    /* column of the source that holds the key */
        const char *key;   /* column of the look-up */
        const char *field[FL_JOIN_FIELDS_MAX]; /* columns of the look-up that the source gets */
        uint32_t fields, line;
    } join;
    bool header;
    const char
        *where; /* SQL condition on rows, NULL: all. Rows it drops are counted, not rejected */
    fl_expr
        id; /* event id; sql NULL: hash of the row and of its count among equal rows of the file */
    fl_expr time; /* timestamp, date, epoch or an expression; parsed with time_format if set */
    const char
        *time_format; /* strptime format of `time` (not of arrivals), NULL: DuckDB's own cast */
    fl_expr amount;   /* decimal amount in major units; sql NULL: no amount */
    fl_expr currency; /* sql NULL: schema's currency */
    fl_expr entity[FL_KINDS_MAX];
    fl_expr category[FL_CATEGORIES_MAX];
    fl_expr number[FL_NUMBERS_MAX];
    fl_expr text[FL_TEXTS_MAX];
    fl_expr mark[FL_MARKS_MAX];
    struct {
        fl_expr value, arrival;
        int64_t delay_us;
    } label[FL_LABELS_MAX]; /* arrival.sql NULL: event time + delay */
    /* A source of labels for events of another source: label_of = label number, else -1; label_event = number of the
     * source whose events it speaks of; of = their event id; of_value = value (sql "1" when not written). The label
     * arrives at `time` + label[label_of].delay_us. Such a source makes no events. */
    int label_of, label_event;
    fl_expr of, of_value;
} fl_source;

typedef struct fl_schema {
    fl_arena *arena; /* owns every string */
    char name[FL_NAME_MAX];
    char currency[4];
    const char *time_zone; /* of naive timestamps; default UTC */
    const char
        *hash_key;     /* file with 16 bytes as hex, relative to the schema; NULL: built-in key */
    bool card_numbers; /* true: columns that hold card numbers are declared and may be hashed */
    uint32_t kinds, categories, numbers, texts, labels, marks, sources, pairs;
    fl_kind kind[FL_KINDS_MAX];
    fl_field category[FL_CATEGORIES_MAX], number[FL_NUMBERS_MAX];
    fl_name text[FL_TEXTS_MAX], label[FL_LABELS_MAX], mark[FL_MARKS_MAX];
    fl_pair pair[FL_PAIRS_MAX];
    int risk_label; /* the label whose edges the fold keeps; -1: none. Default: the first */
    fl_source source[FL_SOURCES_MAX];
    char *path; /* where it was read from, NULL if from JSON */
} fl_schema;

florin_status fl_schema_load(fl_schema **out, const char *path, florin_error *err);
/* The same from YAML in memory; `name` stands for the file in messages, files are relative to ".". */
florin_status fl_schema_parse(fl_schema **out, const char *text, size_t n, const char *name,
                              florin_error *err);
florin_status fl_schema_from_json(fl_schema **out, const json_t *j, const char *name,
                                  florin_error *err);
json_t *
fl_schema_to_json(const fl_schema *s); /* canonical, everything above but `path`; NULL: no memory */
void fl_schema_free(fl_schema *s);

int fl_schema_kind(const fl_schema *s, const char *name); /* -1: none */
int fl_schema_role(const fl_schema *s, fl_role role);     /* kind with that role, -1: none */
int fl_schema_category(const fl_schema *s, const char *name);
int fl_schema_number(const fl_schema *s, const char *name);
int fl_schema_label(const fl_schema *s, const char *name);
int fl_schema_mark(const fl_schema *s, const char *name);
int fl_schema_source(const fl_schema *s, const char *name);

/* Do two schemas mean the same events (kinds, fields, labels, marks, event types, currency)? Files,
 * expressions and delimiters may differ. On a difference FLORIN_ESCHEMA names the first field. */
florin_status fl_schema_same(const fl_schema *model, const fl_schema *log, florin_error *err);

/* fl_event.currency of a code: 0 when it is the schema's. False: not three letters. */
bool fl_currency_pack(const fl_schema *s, const char *code, size_t n, uint16_t *out);
/* The code again. */
void fl_currency_unpack(const fl_schema *s, uint16_t packed, char code[4]);
/* Smallest currency unit: 10^exponent minor units in one major (EUR 2, JPY 0). */
int fl_currency_exponent(const char *code);

#endif
