/* Scorers for tests (scorer_fixture.h). */
#include "support/scorer_fixture.h"
#include "support/support.h"
#include "base/file.h"

const char *scorer_log, *scorer_model_path;
florin_model *scorer_model;

int scorer_set_up(void **state)
{
    florin_error err = {0};

    (void)state;
    scorer_log = score_log();
    scorer_model_path = strdup(score_model(scratch_path("scorer.model"), scorer_log, 5, 77));
    if (florin_model_open(&scorer_model, scorer_model_path, NULL, &err))
        fail_msg("%s", err.message);
    return 0;
}

int scorer_tear_down(void **state)
{
    (void)state;
    florin_model_close(scorer_model);
    free((void *)(uintptr_t)scorer_model_path);
    return 0;
}

florin_scorer_options small_scorer(uint32_t most, florin_full full)
{
    florin_scorer_options o = FLORIN_SCORER_INIT;

    o.entities_max = most;
    o.pairs_max = 2 * most;
    o.pending_max = most > 1000 ? 5000 : 300;
    o.when_full = full;
    return o;
}

florin_scorer *open_scorer(const florin_scorer_options *o)
{
    florin_scorer_options roomy = small_scorer(3000, FLORIN_FULL_EVICT);
    florin_scorer *s;
    florin_error err = {0};

    if (florin_scorer_open(&s, scorer_model, o ? o : &roomy, &err)) fail_msg("%s", err.message);
    assert_int_equal(florin_scorer_heads(s), HEADS);
    return s;
}

char *bytes_of(const florin_scorer *s, size_t *n)
{
    const char *path = scratch_path("state");
    char *bytes;
    florin_error err = {0};

    if (florin_scorer_save(s, path, &err)) fail_msg("%s", err.message);
    if (fl_read_file(&bytes, n, path, (size_t)1 << 30, &err)) fail_msg("%s", err.message);
    return bytes;
}

void same_state(const florin_scorer *a, const florin_scorer *b)
{
    size_t n, m;
    char *x = bytes_of(a, &n), *y = bytes_of(b, &m);

    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    free(x);
    free(y);
}

void score_one(florin_scorer *s, const florin_event *e, florin_head_score *out)
{
    florin_status item;
    florin_error err = {0};

    if (florin_score(s, e, 1, out, &item, &err)) fail_msg("%s", err.message);
    if (item) fail_msg("%s", florin_scorer_message(s, 0));
}

void names_open(names *x, florin_scorer *s)
{
    florin_label_arrival l;
    uint32_t payment;

    score_feed_open(&x->feed, scorer_log, s);
    assert_int_equal(florin_scorer_find(s, FLORIN_TYPE, "payment", &payment, NULL), FLORIN_OK);
    while (score_feed_next(&x->feed, &x->payment, &l) != FL_STEP_EVENT ||
           x->payment.type != payment)
        continue;
    assert_int_equal(florin_scorer_find(s, FLORIN_TYPE, "login", &x->login, NULL), FLORIN_OK);
    assert_int_equal(florin_scorer_find(s, FLORIN_ENTITY, "card", &x->card, NULL), FLORIN_OK);
    assert_int_equal(florin_scorer_find(s, FLORIN_ENTITY, "merchant", &x->merchant, NULL),
                     FLORIN_OK);
    assert_int_equal(florin_scorer_find(s, FLORIN_CATEGORY, "category", &x->category, NULL),
                     FLORIN_OK);
    assert_int_equal(florin_scorer_find(s, FLORIN_MARK, "declined", &x->declined, NULL), FLORIN_OK);
    assert_int_equal(florin_scorer_find(s, FLORIN_LABEL, "fraud", &x->fraud, NULL), FLORIN_OK);
    assert_int_equal(florin_scorer_find(s, FLORIN_NUMBER, "income", &x->income, NULL), FLORIN_OK);
}
