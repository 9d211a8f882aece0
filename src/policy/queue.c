/* The review queue in SQLite. Every change stands in `done_by` too: who, what, when. */
#include "policy/queue.h"
#include "base/store.h"
#include <stdio.h>

enum { LIST_MOST = 1000, TEXT_MOST = 4096 };

struct fl_queue {
    fl_store *store;
    char *path;
};

static const char *const STEPS[] = {
    "CREATE TABLE item(decision TEXT PRIMARY KEY, sequence INTEGER NOT NULL UNIQUE, decided_us "
    "INTEGER NOT NULL, amount INTEGER, "
    "currency TEXT NOT NULL, type TEXT NOT NULL, event TEXT NOT NULL, score INTEGER NOT NULL, rule "
    "TEXT NOT NULL, why TEXT NOT NULL, "
    "claimed_by TEXT, claimed_until INTEGER NOT NULL DEFAULT 0, outcome INTEGER, outcome_by TEXT, "
    "outcome_us INTEGER, "
    "told INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE INDEX item_waits ON item(sequence) WHERE outcome IS NULL;"
    "CREATE INDEX item_score ON item(score DESC, sequence);"
    "CREATE INDEX item_untold ON item(outcome_us) WHERE outcome IS NOT NULL AND told = 0;"
    "CREATE TABLE done_by(seq INTEGER PRIMARY KEY, decision TEXT NOT NULL REFERENCES "
    "item(decision), at_us INTEGER NOT NULL, "
    "who TEXT NOT NULL, what TEXT NOT NULL, text TEXT NOT NULL) STRICT;"
    "CREATE INDEX done_by_decision ON done_by(decision);"
    "CREATE TABLE reached(one INTEGER PRIMARY KEY CHECK(one = 1), sequence INTEGER NOT NULL) "
    "STRICT;"
    "INSERT INTO reached VALUES(1, 0);"};

const char *fl_outcome_name(fl_outcome o)
{
    static const char *const names[] = {"approve", "refund", "fraud"};
    return (unsigned)o < FL_REVIEW_OUTCOMES ? names[o] : "?";
}

florin_status fl_queue_open(fl_queue **out, const char *path, florin_error *err)
{
    *out = NULL;
    fl_queue *q = fl_calloc(1, sizeof *q);
    if (!q) return fl_fail(err, FLORIN_ENOMEM, "%s: no memory", path);
    florin_status st = fl_store_open(&q->store, path, "FlRq", STEPS, FL_LEN(STEPS), err);
    q->path = fl_strdup(path);
    if (!st && !q->path) st = fl_fail(err, FLORIN_ENOMEM, "%s: no memory", path);
    if (st) {
        fl_queue_close(q);
        return st;
    }
    *out = q;
    return FLORIN_OK;
}

void fl_queue_close(fl_queue *q)
{
    if (!q) return;
    fl_store_close(q->store);
    free(q->path);
    free(q);
}

/* ---- filling ---- */

florin_status fl_queue_begin(fl_queue *q, florin_error *err)
{
    return fl_store_begin(q->store, err);
}

florin_status fl_queue_end(fl_queue *q, florin_status st, florin_error *err)
{
    return fl_store_end(q->store, st, err);
}

florin_status fl_queue_put(fl_queue *q, const fl_queue_item *i, florin_error *err)
{
    return fl_store_run(
        q->store, NULL, err,
        "INSERT OR IGNORE INTO item(decision, sequence, decided_us, amount, currency, type, "
        "event, score, rule, why) VALUES(?1, ?2, ?3, nullif(?4, -9223372036854775808), ?5, "
        "?6, ?7, ?8, ?9, ?10)",
        "tiiitttitt", i->decision, (int64_t)i->sequence, i->decided_us, i->amount_minor,
        i->currency, i->type, i->event, (int64_t)i->score, i->rule, i->why);
}

florin_status fl_queue_reach(fl_queue *q, uint64_t sequence, florin_error *err)
{
    return fl_store_run(q->store, NULL, err, "UPDATE reached SET sequence = max(sequence, ?1)", "i",
                        (int64_t)sequence);
}

florin_status fl_queue_reached(fl_queue *q, uint64_t *sequence, florin_error *err)
{
    fl_query *r;
    *sequence = 0;
    florin_status st = fl_query_open(&r, q->store, err, "SELECT sequence FROM reached", "");
    if (st) return st;
    if (fl_query_next(r)) *sequence = (uint64_t)fl_query_int(r, 0);
    return fl_query_close(r, err);
}

/* ---- what people do ---- */

static florin_status check_text(const char *text, const char *what, florin_error *err)
{
    if (text && *text && strlen(text) <= TEXT_MOST) return FLORIN_OK;
    return fl_fail(err, FLORIN_EINPUT, "%s: a text of 1 to %d bytes is needed", what, TEXT_MOST);
}

/* Why a change found nothing to change. */
static florin_status refusal(fl_queue *q, const char *decision, int64_t at_us, florin_error *err)
{
    fl_query *r;
    char until[32];
    florin_status st =
        fl_query_open(&r, q->store, err,
                      "SELECT outcome, outcome_by, claimed_by, claimed_until FROM item WHERE "
                      "decision = ?1",
                      "t", decision);
    if (st) return st;
    if (!fl_query_next(r))
        st = fl_fail(err, FLORIN_EINPUT, "decision '%.40s' is not in the queue", decision);
    else if (!fl_query_null(r, 0))
        st =
            fl_fail(err, FLORIN_EINPUT, "decision '%.40s' was decided already: %s, by %.100s",
                    decision, fl_outcome_name((fl_outcome)fl_query_int(r, 0)), fl_query_text(r, 1));
    else if (fl_query_int(r, 3) > at_us) {
        fl_time_format(fl_query_int(r, 3), until);
        st = fl_fail(err, FLORIN_EINPUT, "decision '%.40s' is in the hands of %.100s until %s",
                     decision, fl_query_text(r, 2), until);
    } else st = fl_fail(err, FLORIN_EINPUT, "decision '%.40s' is in nobody's hands", decision);
    (void)fl_query_close(r, NULL);
    return st;
}

static florin_status done(fl_queue *q, const char *decision, const char *who, const char *what,
                          const char *text, int64_t at_us, florin_error *err)
{
    return fl_store_run(
        q->store, NULL, err,
        "INSERT INTO done_by(decision, at_us, who, what, text) VALUES(?1, ?2, ?3, ?4, ?5)", "tittt",
        decision, at_us, who, what, text);
}

/* Ends the transaction of a change: `changed` rows were changed, or it is refused. */
static florin_status finish(fl_queue *q, florin_status st, int64_t changed, const char *decision,
                            const char *who, const char *what, const char *text, int64_t at_us,
                            florin_error *err)
{
    if (!st && !changed) st = refusal(q, decision, at_us, err);
    if (!st) st = done(q, decision, who, what, text, at_us, err);
    return fl_store_end(q->store, st, err);
}

florin_status fl_queue_claim(fl_queue *q, const char *decision, const char *who, int64_t at_us,
                             int64_t for_us, florin_error *err)
{
    int64_t changed = 0, until = at_us > INT64_MAX - for_us ? INT64_MAX : at_us + for_us;
    florin_status st = check_text(who, "who", err);
    if (!st) st = fl_store_begin(q->store, err);
    if (st) return st;
    st = fl_store_run(
        q->store, &changed, err,
        "UPDATE item SET claimed_by = ?2, claimed_until = ?4 WHERE decision = ?1 AND outcome "
        "IS NULL AND (claimed_until <= ?3 OR claimed_by = ?2)",
        "ttii", decision, who, at_us, until);
    return finish(q, st, changed, decision, who, "claim", "", at_us, err);
}

florin_status fl_queue_release(fl_queue *q, const char *decision, const char *who, int64_t at_us,
                               florin_error *err)
{
    int64_t changed = 0;
    florin_status st = check_text(who, "who", err);
    if (!st) st = fl_store_begin(q->store, err);
    if (st) return st;
    st = fl_store_run(
        q->store, &changed, err,
        "UPDATE item SET claimed_by = NULL, claimed_until = 0 WHERE decision = ?1 AND outcome "
        "IS NULL AND claimed_by = ?2",
        "tt", decision, who);
    return finish(q, st, changed, decision, who, "release", "", at_us, err);
}

florin_status fl_queue_decide(fl_queue *q, const char *decision, const char *who,
                              fl_outcome outcome, const char *note, int64_t at_us,
                              florin_error *err)
{
    int64_t changed = 0;
    florin_status st = check_text(who, "who", err);
    if (!st && note && strlen(note) > TEXT_MOST) st = check_text(NULL, "note", err);
    if (!st && (unsigned)outcome >= FL_REVIEW_OUTCOMES)
        st = fl_fail(err, FLORIN_EINPUT, "a review ends in approve, refund or fraud");
    if (!st) st = fl_store_begin(q->store, err);
    if (st) return st;
    st = fl_store_run(
        q->store, &changed, err,
        "UPDATE item SET outcome = ?4, outcome_by = ?2, outcome_us = ?3 WHERE decision = ?1 AND "
        "outcome IS NULL AND (claimed_until <= ?3 OR claimed_by = ?2)",
        "ttii", decision, who, at_us, (int64_t)outcome);
    return finish(q, st, changed, decision, who, fl_outcome_name(outcome), note ? note : "", at_us,
                  err);
}

florin_status fl_queue_note(fl_queue *q, const char *decision, const char *who, const char *text,
                            int64_t at_us, florin_error *err)
{
    int64_t there = 0;
    florin_status st = check_text(who, "who", err);
    if (!st) st = check_text(text, "note", err);
    if (!st) st = fl_store_begin(q->store, err);
    if (st) return st;
    /* Changes nothing, but says whether it is there. */
    st = fl_store_run(q->store, &there, err, "UPDATE item SET told = told WHERE decision = ?1", "t",
                      decision);
    return finish(q, st, there, decision, who, "note", text, at_us, err);
}

/* ---- looking ---- */

#define COLUMNS                                                                                    \
    "decision, sequence, decided_us, amount, currency, type, event, score, rule, why, "            \
    "claimed_by, "                                                                                 \
    "claimed_until, outcome, outcome_by, outcome_us"

static json_t *item_json(fl_query *r, int64_t at_us)
{
    bool finished = !fl_query_null(r, 12), claimed = !finished && fl_query_int(r, 11) > at_us;
    json_t *o = json_pack("{s:s, s:I, s:I, s:s, s:s, s:s, s:i, s:s, s:s, s:s}", "decision",
                          fl_query_text(r, 0), "sequence", (json_int_t)fl_query_int(r, 1),
                          "decided_us", (json_int_t)fl_query_int(r, 2), "currency",
                          fl_query_text(r, 4), "type", fl_query_text(r, 5), "event",
                          fl_query_text(r, 6), "score", (int)fl_query_int(r, 7), "rule",
                          fl_query_text(r, 8), "why", fl_query_text(r, 9), "state",
                          finished  ? "done"
                          : claimed ? "claimed"
                                    : "open");
    if (!fl_query_null(r, 3))
        json_object_set_new(o, "amount", json_integer((json_int_t)fl_query_int(r, 3)));
    if (claimed) {
        json_object_set_new(o, "claimed_by", json_string(fl_query_text(r, 10)));
        json_object_set_new(o, "claimed_until_us", json_integer((json_int_t)fl_query_int(r, 11)));
    }
    if (finished) {
        json_object_set_new(o, "outcome",
                            json_string(fl_outcome_name((fl_outcome)fl_query_int(r, 12))));
        json_object_set_new(o, "outcome_by", json_string(fl_query_text(r, 13)));
        json_object_set_new(o, "outcome_us", json_integer((json_int_t)fl_query_int(r, 14)));
    }
    return o;
}

/* A cursor is "SCORE.SEQUENCE" of the last item that was shown. */
static florin_status read_cursor(const char *cursor, fl_queue_order by, int64_t *score,
                                 int64_t *sequence, florin_error *err)
{
    long long a = 0, b = 0;
    char more;
    *score = by == FL_QUEUE_SCORE ? INT64_MAX : 0;
    *sequence = INT64_MIN;
    if (!cursor || !*cursor) return FLORIN_OK;
    if (strlen(cursor) > 40 || sscanf(cursor, "%lld.%lld%c", &a, &b, &more) != 2)
        return fl_fail(err, FLORIN_EINPUT, "cursor: not one that a list gave");
    *score = by == FL_QUEUE_SCORE ? a : 0;
    *sequence = b;
    return FLORIN_OK;
}

florin_status fl_queue_list(fl_queue *q, const char *state, fl_queue_order by, const char *cursor,
                            uint32_t most, int64_t at_us, json_t **out, florin_error *err)
{
    static const char *const states[] = {"open", "claimed", "done"};
    static const char *const sql[] = {
        "SELECT " COLUMNS
        " FROM item WHERE sequence > ?3 AND ?2 = ?2 AND (?1 < 0 OR ?1 = CASE WHEN outcome IS "
        "NOT NULL THEN 2 WHEN claimed_until > ?4 THEN 1 ELSE 0 END) ORDER BY sequence LIMIT ?5",
        "SELECT " COLUMNS
        " FROM item WHERE (score < ?2 OR (score = ?2 AND sequence > ?3)) AND (?1 < 0 OR ?1 = "
        "CASE WHEN outcome IS NOT NULL THEN 2 WHEN claimed_until > ?4 THEN 1 ELSE 0 END) ORDER BY "
        "score DESC, "
        "sequence LIMIT ?5"};
    int64_t score, sequence, want = -1;
    fl_query *r;
    char next[48] = "";
    *out = NULL;
    for (int i = 0; state && i < 3; i++)
        if (!strcmp(states[i], state)) want = i;
    if (state && want < 0)
        return fl_fail(err, FLORIN_EINPUT, "state: open, claimed or done, not '%.40s'", state);
    florin_status st = read_cursor(cursor, by, &score, &sequence, err);
    if (most == 0 || most > LIST_MOST) most = LIST_MOST;
    if (!st)
        st = fl_query_open(&r, q->store, err, sql[by == FL_QUEUE_SCORE], "iiiii", want, score,
                           sequence, at_us, (int64_t)most + 1);
    if (st) return st;
    json_t *items = json_array();
    bool more = false;
    while (fl_query_next(r)) {
        more = json_array_size(items) == most;
        if (more) break;
        json_array_append_new(items, item_json(r, at_us));
        snprintf(next, sizeof next, "%lld.%lld", (long long)fl_query_int(r, 7),
                 (long long)fl_query_int(r, 1));
    }
    st = fl_query_close(r, err);
    if (!st) *out = json_pack("{s:O, s:s?}", "items", items, "next", more ? next : NULL);
    json_decref(items);
    return st;
}

florin_status fl_queue_get(fl_queue *q, const char *decision, int64_t at_us, json_t **out,
                           florin_error *err)
{
    fl_query *r;
    json_t *o = NULL, *history = json_array();
    *out = NULL;
    florin_status st = fl_query_open(
        &r, q->store, err, "SELECT " COLUMNS " FROM item WHERE decision = ?1", "t", decision);
    if (!st && fl_query_next(r)) o = item_json(r, at_us);
    if (!st) st = fl_query_close(r, err);
    if (!st && !o)
        st = fl_fail(err, FLORIN_EINPUT, "decision '%.40s' is not in the queue", decision);
    if (!st)
        st = fl_query_open(
            &r, q->store, err,
            "SELECT at_us, who, what, text FROM done_by WHERE decision = ?1 ORDER BY seq", "t",
            decision);
    if (!st) {
        while (fl_query_next(r))
            json_array_append_new(
                history, json_pack("{s:I, s:s, s:s, s:s}", "at_us", (json_int_t)fl_query_int(r, 0),
                                   "who", fl_query_text(r, 1), "what", fl_query_text(r, 2), "text",
                                   fl_query_text(r, 3)));
        st = fl_query_close(r, err);
    }
    if (!st) {
        json_object_set(o, "history", history);
        *out = o;
        o = NULL;
    }
    json_decref(history);
    json_decref(o);
    return st;
}

/* ---- telling the journal ---- */

florin_status fl_queue_untold(fl_queue *q, fl_queue_news *out, uint32_t most, uint32_t *n,
                              florin_error *err)
{
    fl_query *r;
    *n = 0;
    florin_status st =
        fl_query_open(&r, q->store, err,
                      "SELECT decision, outcome_by, outcome, outcome_us FROM item WHERE outcome "
                      "IS NOT NULL AND told = 0 ORDER BY outcome_us, sequence LIMIT ?1",
                      "i", (int64_t)most);
    if (st) return st;
    while (*n < most && fl_query_next(r)) {
        fl_queue_news *x = &out[(*n)++];
        snprintf(x->decision, sizeof x->decision, "%s", fl_query_text(r, 0));
        snprintf(x->who, sizeof x->who, "%s", fl_query_text(r, 1));
        x->outcome = (fl_outcome)fl_query_int(r, 2);
        x->at_us = fl_query_int(r, 3);
    }
    return fl_query_close(r, err);
}

florin_status fl_queue_told(fl_queue *q, const char *decision, florin_error *err)
{
    return fl_store_run(q->store, NULL, err,
                        "UPDATE item SET told = 1 WHERE decision = ?1 AND outcome IS NOT NULL", "t",
                        decision);
}

florin_status fl_queue_count(fl_queue *q, int64_t at_us, fl_queue_counts *out, florin_error *err)
{
    fl_query *r;
    memset(out, 0, sizeof *out);
    out->oldest_us = INT64_MAX;
    florin_status st = fl_query_open(&r, q->store, err,
                                     "SELECT sum(outcome IS NULL AND claimed_until <= ?1), "
                                     "sum(outcome IS NULL AND claimed_until > ?1), "
                                     "sum(outcome IS NOT NULL), sum(outcome IS NOT NULL AND told = "
                                     "0), min(CASE WHEN outcome IS NULL THEN "
                                     "decided_us END) FROM item",
                                     "i", at_us);
    if (st) return st;
    if (fl_query_next(r)) {
        out->open = (uint64_t)fl_query_int(r, 0);
        out->claimed = (uint64_t)fl_query_int(r, 1);
        out->done = (uint64_t)fl_query_int(r, 2);
        out->untold = (uint64_t)fl_query_int(r, 3);
        if (!fl_query_null(r, 4)) out->oldest_us = fl_query_int(r, 4);
    }
    return fl_query_close(r, err);
}
