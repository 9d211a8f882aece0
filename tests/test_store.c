/* The store: what is committed outlives kill -9, what is not never shows; files of others and of later versions are refused. */
#include "support/support.h"
#include "base/store.h"
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const ONE[] = {
    "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT NOT NULL, x REAL, b BLOB) STRICT"};
static const char *const TWO[] = {"not run again", "ALTER TABLE t ADD COLUMN more TEXT"};

static fl_store *store_at(const char *path)
{
    fl_store *s;
    florin_error err = {0};
    if (fl_store_open(&s, path, "Test", ONE, 1, &err)) fail_msg("%s", err.message);
    return s;
}

static int64_t rows(fl_store *s)
{
    fl_query *q;
    assert_int_equal(fl_query_open(&q, s, NULL, "SELECT count(*) FROM t", ""), FLORIN_OK);
    CHECK(fl_query_next(q));
    int64_t n = fl_query_int(q, 0);
    assert_int_equal(fl_query_close(q, NULL), FLORIN_OK);
    return n;
}

static void values_go_in_and_out(void **state)
{
    (void)state;
    const char *path = scratch_path("values.db");
    fl_store *s = store_at(path);
    fl_query *q;
    florin_error err = {0};
    int64_t changed = 0;
    size_t n;
    struct stat at;
    const char *name = "it's; DROP TABLE t --";
    assert_int_equal(stat(path, &at), 0);
    assert_int_equal(at.st_mode & 0777, 0600);
    assert_int_equal(fl_store_run(s, &changed, &err, "INSERT INTO t VALUES(?1, ?2, ?3, ?4)", "itdb",
                                  INT64_MIN, name, 2.5, "a\0b", (size_t)3),
                     FLORIN_OK);
    assert_int_equal(changed, 1);
    assert_int_equal(fl_query_open(&q, s, &err, "SELECT id, name, x, b, NULL FROM t", ""),
                     FLORIN_OK);
    CHECK(fl_query_next(q) && fl_query_int(q, 0) == INT64_MIN &&
          !strcmp(fl_query_text(q, 1), name));
    CHECK(fl_query_number(q, 2) == 2.5 && !memcmp(fl_query_bytes(q, 3, &n), "a\0b", 3) && n == 3);
    CHECK(fl_query_null(q, 4) && !*fl_query_text(q, 4));
    CHECK(!fl_query_next(q) && !fl_query_next(q));
    assert_int_equal(fl_query_close(q, &err), FLORIN_OK);
    /* a constraint, and a transaction that it undoes */
    assert_int_equal(fl_store_begin(s, &err), FLORIN_OK);
    assert_int_equal(fl_store_run(s, NULL, &err, "INSERT INTO t(name) VALUES('x')", ""), FLORIN_OK);
    florin_status st = fl_store_run(s, NULL, &err, "INSERT INTO t(name) VALUES(?1)", "t", NULL);
    assert_int_equal(st, FLORIN_EINPUT);
    assert_int_equal(fl_store_end(s, st, &err), FLORIN_EINPUT);
    assert_int_equal(rows(s), 1);
    assert_int_equal(fl_query_open(&q, s, &err, "SELECT nothing", ""), FLORIN_EINTERNAL);
    fl_store_close(s);
}

static void files_of_others_are_refused(void **state)
{
    (void)state;
    const char *path = scratch_path("kinds.db");
    fl_store *s;
    florin_error err = {0};
    fl_store_close(store_at(path));
    fl_store_close(store_at(path)); /* again: as it is */
    assert_int_equal(fl_store_open(&s, path, "Othr", ONE, 1, &err), FLORIN_EFORMAT);
    CHECK(strstr(err.message, "no file of this kind"));
    assert_int_equal(fl_store_open(&s, path, "Test", TWO, 2, &err), FLORIN_OK);
    assert_int_equal(fl_store_run(s, NULL, &err, "INSERT INTO t(name, more) VALUES('a', 'b')", ""),
                     FLORIN_OK);
    fl_store_close(s);
    assert_int_equal(fl_store_open(&s, path, "Test", ONE, 1, &err), FLORIN_EFORMAT);
    CHECK(strstr(err.message, "later version"));
    assert_int_equal(fl_store_open(&s, "/nowhere/x.db", "Test", ONE, 1, &err), FLORIN_EIO);
    const char *text = scratch_file("text.db", "certainly no database, but a text", 33);
    assert_int_equal(fl_store_open(&s, text, "Test", ONE, 1, &err), FLORIN_EFORMAT);
}

/* A child commits rows and says so after each; whatever it has said is there when it was killed. */
static void commits_outlive_kill(void **state)
{
    (void)state;
    const char *path = scratch_path("killed.db");
    fl_store_close(store_at(path));
    int64_t said = 0;
    for (int round = 0; round < 8; round++) {
        int pipes[2];
        char byte;
        assert_int_equal(pipe(pipes), 0);
        pid_t child = fork();
        if (!child) {
            fl_store *s = store_at(path);
            for (;;) {
                if (fl_store_begin(s, NULL) ||
                    fl_store_run(s, NULL, NULL, "INSERT INTO t(name) VALUES('a')", "") ||
                    fl_store_run(s, NULL, NULL, "INSERT INTO t(name) VALUES('b')", "") ||
                    fl_store_end(s, FLORIN_OK, NULL) || write(pipes[1], "x", 1) != 1)
                    _exit(1);
            }
        }
        close(pipes[1]);
        for (int k = 0; k < 3 + round; k++) {
            if (read(pipes[0], &byte, 1) != 1) fail_msg("the child ended by itself");
            said += 2;
        }
        kill(child, SIGKILL);
        while (read(pipes[0], &byte, 1) == 1) said += 2; /* what it said before the signal came */
        close(pipes[0]);
        waitpid(child, NULL, 0);
        fl_store *s = store_at(path);
        int64_t there = rows(s);
        CHECK(there >= said && there <= said + 2 && there % 2 == 0);
        said = there;
        fl_store_close(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(values_go_in_and_out),
                                       cmocka_unit_test(files_of_others_are_refused),
                                       cmocka_unit_test(commits_outlive_kill)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
