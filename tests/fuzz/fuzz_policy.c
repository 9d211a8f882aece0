/* Fuzzes policy files: any bytes give a policy or one clear error. A policy that loads decides, and passes or fails its tests,
 * without a fault. First byte even: YAML; odd: one rule. */
#include "policy/lists.h"
#include "policy/rings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const fl_policy *p)
{
    florin_error err = {0};
    uint32_t tests, failed;
    fl_decision d;
    fl_event e = {.id = 1, .amount_minor = 100};
    fl_lists *lists = NULL;
    fl_rings *rings = NULL;
    if (fl_policy_test(p, &tests, &failed, NULL, &err) && err.status != FLORIN_ENOMEM) abort();
    if (failed > tests) abort();
    if (fl_lists_open(&lists, p, NULL, &err) || fl_rings_open(&rings, p, 8, NULL, &err)) abort();
    fl_policy_view v = {.event = &e, .lists = lists, .rings = rings};
    uint64_t matched[(FL_RULES_MAX + 63) / 64];
    fl_policy_decide(p, &v, &d);
    if (d.action >= FL_ACTIONS || (d.by == FL_BY_RULE) != (d.rule < fl_policy_rules(p))) abort();
    fl_policy_match(p, &v, matched);
    if (d.by == FL_BY_RULE && !(matched[d.rule / 64] >> (d.rule % 64) & 1)) abort();
    fl_lists_close(lists);
    fl_rings_close(rings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[16] = {1};
    florin_error err = {0};
    fl_policy *p = NULL;
    fl_buf b = {0};
    if (!size) return 0;
    /* `file:` and `model:` would look at the disk */
    for (size_t i = 1; i + 4 < size; i++)
        if (!memcmp(data + i, "file", 4)) return 0;
    if (data[0] & 1) fl_buf_puts(&b, "lists: {l: {entries: [a]}}\nrules: |\n  Block if ");
    fl_buf_add(&b, data + 1, size - 1);
    florin_status st = fl_policy_parse(&p, b.data, b.len, "fuzz.yaml", NULL, key, &err);
    if (st ? p || !err.message[0] : !p) abort();
    if (p) use(p);
    fl_policy_free(p);
    fl_buf_free(&b);
    return 0;
}
