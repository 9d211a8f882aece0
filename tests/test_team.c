/* A team of threads: everybody works in each run, meetings order what is written, pinning keeps to distinct cores and
 * is undone. Runs under the thread sanitiser too. */
#include "support/support.h"
#include "base/base.h"
#include <sched.h>
#include <time.h>

enum { MOST = 4, TURNS = 500 };

typedef struct {
    fl_team *team;
    uint32_t runs[MOST];
    uint64_t value[MOST], sum[MOST]; /* plain memory: the meetings must order it */
    int cpu[MOST];
    int cpus[MOST];
} shared;

static void count(void *arg, uint32_t i)
{
    shared *s = arg;
    cpu_set_t set;

    s->runs[i]++;
    s->cpu[i] = sched_getcpu();
    s->cpus[i] = sched_getaffinity(0, sizeof set, &set) ? 0 : CPU_COUNT(&set);
}

/* Each thread adds up what all wrote in the turn before. */
static void turns(void *arg, uint32_t i)
{
    shared *s = arg;
    uint32_t size = fl_team_size(s->team);

    for (uint64_t t = 0; t < TURNS; t++) {
        s->value[i] = t * MOST + i;
        fl_team_meet(s->team);
        for (uint32_t j = 0; j < size; j++) s->sum[i] += s->value[j];
        fl_team_meet(s->team);
    }
}

static void everybody_works(void **state)
{
    (void)state;
    for (uint32_t threads = 0; threads <= MOST; threads++)
        for (int pinned = 0; pinned < 2; pinned++) {
            shared s = {.team = fl_team_new(threads, pinned)};
            assert_non_null(s.team);
            uint32_t size = fl_team_size(s.team);
            assert_int_equal(size, threads ? threads : 1);
            for (uint32_t r = 1; r <= 20; r++) {
                fl_team_run(s.team, count, &s);
                for (uint32_t i = 0; i < MOST; i++) assert_int_equal(s.runs[i], i < size ? r : 0);
            }
            fl_team_free(s.team);
        }
    fl_team_free(NULL);
}

static void meetings_order_memory(void **state)
{
    (void)state;
    for (uint32_t threads = 1; threads <= MOST; threads++) {
        shared s = {.team = fl_team_new(threads, false)};
        uint64_t want = 0;
        fl_team_run(s.team, turns, &s);
        for (uint64_t t = 0; t < TURNS; t++)
            for (uint64_t j = 0; j < threads; j++) want += t * MOST + j;
        for (uint32_t i = 0; i < threads; i++) assert_int_equal(s.sum[i], want);
        fl_team_free(s.team);
    }
}

/* Members that went to sleep are woken. */
static void sleepers_wake(void **state)
{
    const struct timespec nap = {0, 20 * 1000 * 1000};
    shared s = {.team = fl_team_new(2, false)};

    (void)state;
    for (uint32_t r = 1; r <= 5; r++) {
        nanosleep(&nap, NULL);
        fl_team_run(s.team, count, &s);
        assert_int_equal(s.runs[1], r);
    }
    fl_team_free(s.team);
}

static void pins_are_distinct_and_undone(void **state)
{
    cpu_set_t before, after, one;
    shared s = {.team = fl_team_new(2, true)};

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    fl_team_run(s.team, count, &s);
    if (fl_team_pinned(s.team)) {
        assert_true(s.cpu[0] != s.cpu[1]);
        assert_int_equal(s.cpus[0], 1);
        assert_int_equal(s.cpus[1], 1);
    } else {
        assert_int_equal(s.cpus[0], CPU_COUNT(&before));
    }
    fl_team_free(s.team);
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
    /* One core for two threads: not pinned, but it works. */
    CPU_ZERO(&one);
    for (int c = 0; c < CPU_SETSIZE && !CPU_COUNT(&one); c++)
        if (CPU_ISSET(c, &before)) CPU_SET(c, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    shared t = {.team = fl_team_new(2, true)};
    assert_false(fl_team_pinned(t.team));
    fl_team_run(t.team, count, &t);
    assert_int_equal(t.runs[1], 1);
    fl_team_free(t.team);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_works),
        cmocka_unit_test(meetings_order_memory),
        cmocka_unit_test(sleepers_wake),
        cmocka_unit_test(pins_are_distinct_and_undone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
