/* A source's file as one DuckDB relation: import and draft read every table through here.
 *
 * For each column X of the file the relation has two columns: "raw:X", the cell as it stands in the file (CSV: text;
 * Parquet and JSON: the file's own type), and "X" with the type that sniffing found (a cell that does not fit is
 * NULL). So `amount: Price` can report the text that is not a number, and `{sql: "Quantity * Price"}` just works.
 * A structure inside a cell (JSON, Parquet) becomes columns of its own, named "outer.inner", to any depth.
 * CSV of any delimiter, runs of blanks, byte order mark, UTF-16 or Latin-1, CR, LF or CRLF; Parquet; JSON lines or array; a table
 * of a SQLite file (sqlite_table.h says how its columns are typed). */
#ifndef FL_SOURCE_H
#define FL_SOURCE_H

#include "data/duck.h"
#include "data/schema.h"
#include "data/sqlite_table.h"

typedef struct {
    char *
        sql; /* "(SELECT ... FROM read_csv(...))", to stand after FROM; rows in the order of the file */
    uint32_t columns; /* of the file */
    char **name;      /* [columns] */
    char **type;      /* [columns] DuckDB's name of the sniffed type */
    char **path;      /* [columns] SQL of the column inside the file */
    uint64_t rows;    /* of the file, about; 0: no idea */
    bool text;        /* cells are text: CSV and its kin */
    bool header;      /* names come from the file's first line, or from the file's own schema */
    uint32_t
        first; /* line number of the first data row in a text file (2 with a header), 1 in others */
    fl_sqlite_copy sqlite; /* of a SQLite file: its table, the others, what was left out */
} fl_relation;

/* src says how to read (format, delimiter, header) and is checked: a column that it names and the file lacks is
 * FLORIN_EINPUT with the nearest name. src NULL: find out everything. schema NULL: nothing is checked. Missing, empty, binary, unreadable files and
 * folders are refused in one clear line. */
florin_status fl_source_relation(fl_relation *out, fl_duck *db, const fl_schema *schema,
                                 const fl_source *src, const char *path, florin_error *err);
void fl_relation_free(fl_relation *r);
/* The begin of a file, and how DuckDB would be called to read it. */
typedef struct {
    char *head; /* first bytes */
    size_t head_len;
    uint64_t bytes; /* of the file */
    char *
        csv_call; /* what stands between the brackets of read_csv when this may be plain CSV, else NULL */
} fl_source_head;
florin_status fl_source_look(fl_source_head *out, const fl_source *src, const char *path,
                             florin_error *err);
void fl_source_head_free(fl_source_head *h);
/* Lines that DuckDB set aside stand in its tables reject_scans and reject_errors until this. */
void fl_source_forget_rejects(fl_duck *db);

#endif
