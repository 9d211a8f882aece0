/* duck_sort FILE: reads a CSV or Parquet file of payments into a table sorted by (card, time), with DuckDB's own
 * settings. duck_sort FILE OUT.parquet: writes the file as Parquet instead. */
#include <duckdb.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    duckdb_database db;
    duckdb_connection con;
    duckdb_result r;
    char sql[2048];
    if (argc < 2) return 2;
    size_t n = strlen(argv[1]);
    const char *read = n > 8 && !strcmp(argv[1] + n - 8, ".parquet") ? "read_parquet" : "read_csv";
    if (argc > 2)
        snprintf(sql, sizeof sql, "COPY (SELECT * FROM %s('%s')) TO '%s' (FORMAT parquet)", read,
                 argv[1], argv[2]);
    else
        snprintf(sql, sizeof sql,
                 "CREATE TABLE sorted AS SELECT * FROM %s('%s') ORDER BY card_id, ts", read,
                 argv[1]);
    if (duckdb_open(NULL, &db) || duckdb_connect(db, &con)) return 1;
    if (duckdb_query(con, sql, &r)) {
        fprintf(stderr, "%s\n", duckdb_result_error(&r));
        return 1;
    }
    duckdb_destroy_result(&r);
    duckdb_disconnect(&con);
    duckdb_close(&db);
    return 0;
}
