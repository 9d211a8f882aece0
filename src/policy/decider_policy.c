/* The policy in a decider: taking another, changing lists, what velocities count. All of it passes through the journal. */
#include "policy/decider_parts.h"

enum { TEXT_MAX = 60000 }; /* of a policy's file, in its record */

florin_status fl_decider_take_policy(fl_decider *d, const fl_policy *policy, florin_error *err)
{
    fl_lists *lists = NULL;
    fl_rings *rings = NULL;
    florin_status st = FLORIN_OK;
    if (policy) st = fl_lists_open(&lists, policy, d->lists, err);
    /* Last: it takes the old rings over. */
    if (policy && !st) st = fl_rings_open(&rings, policy, d->opt.rings, d->rings, err);
    if (st) {
        fl_lists_close(lists);
        return st;
    }
    fl_lists_close(d->lists);
    fl_rings_close(d->rings);
    d->lists = lists;
    d->rings = rings;
    d->opt.policy = policy;
    d->policy_version = policy ? fl_decider_version(fl_policy_version(policy)) : 0;
    return FLORIN_OK;
}

static void put_change(fl_decider *d, uint16_t type, const fl_change *c)
{
    d->scratch.len = 0;
    fl_change_put(&d->scratch, c);
    fl_journal_put(d->journal, type, d->scratch.data, d->scratch.len);
    fl_journal_flush(d->journal);
}

florin_status fl_decider_set_policy(fl_decider *d, const fl_policy *policy, int64_t now_us,
                                    florin_error *err)
{
    fl_change c = {.at_us = now_us};
    florin_status st = fl_journal_room(d->journal, FL_JOURNAL_RECORD_MAX, err);
    if (!st) st = fl_decider_take_policy(d, policy, err);
    if (st) return st;
    if (policy) {
        size_t n;
        const char *name = fl_policy_name(policy);
        c.text.text = fl_policy_text(policy, &n);
        c.text.n = n > TEXT_MAX ? TEXT_MAX : (uint32_t)n;
        memcpy(c.version, fl_policy_version(policy), 64);
        c.name = (fl_span){name, (uint32_t)strnlen(name, 1024)};
    }
    put_change(d, FL_RECORD_POLICY, &c);
    return FLORIN_OK;
}

florin_status fl_decider_list(fl_decider *d, const char *list, const char *value, size_t n,
                              int64_t until_us, int64_t now_us, uint64_t *sequence,
                              florin_error *err)
{
    if (!d->lists) return fl_fail(err, FLORIN_EINPUT, "there is no policy, so there are no lists");
    uint32_t i = fl_lists_find(d->lists, list);
    if (i == FL_NONE) return fl_fail(err, FLORIN_EINPUT, "the policy has no list '%.64s'", list);
    fl_change c = {.at_us = now_us,
                   .name = {list, (uint32_t)strlen(list)},
                   .hash = fl_lists_hash(d->opt.policy, i, value, n),
                   .until_us = until_us};
    florin_status st = fl_journal_room(d->journal, FL_JOURNAL_RECORD_MAX, err);
    if (!st) st = fl_decider_apply_change(d, FL_RECORD_LIST, &c, err);
    if (st) return st;
    *sequence = fl_journal_next(d->journal);
    put_change(d, FL_RECORD_LIST, &c);
    return FLORIN_OK;
}

florin_status fl_decider_apply_change(fl_decider *d, uint16_t type, const fl_change *c,
                                      florin_error *err)
{
    char name[FL_NAME_MAX];
    if (type != FL_RECORD_LIST || !d->lists || c->name.n >= sizeof name) return FLORIN_OK;
    memcpy(name, c->name.text, c->name.n);
    name[c->name.n] = 0;
    uint32_t i = fl_lists_find(d->lists, name);
    if (i == FL_NONE) return FLORIN_OK; /* a list of a policy before this one */
    if (c->until_us != INT64_MIN)
        return fl_lists_add(d->lists, i, c->hash, c->until_us, c->at_us, err);
    (void)fl_lists_remove(d->lists, i, c->hash);
    return FLORIN_OK;
}

void fl_decider_count(fl_decider *d, const fl_request *r, uint8_t action)
{
    if (d->rings) fl_rings_add(d->rings, &r->event, (fl_action)action);
}
