/* The parts of a policy file: lists, rules, thresholds, holdout. */
#include "base/file.h"
#include "policy/lists.h"
#include "policy/program.h"
#include <stdio.h>

enum { ENTRIES_MAX = 5000000, LIST_BYTES_MAX = 256 << 20, LIST_ROOM = 100000 };

/* ---- lists ---- */

uint64_t fl_lists_hash(const fl_policy *p, uint32_t i, const char *value, size_t n)
{
    const fl_list *l = &p->list[i].list;
    if (!n) return 0;
    return l->kind >= 0 ? fl_entity_hash(p->key, p->schema->kind[l->kind].name, value, n)
                        : fl_category_hash(value, n);
}

static florin_status add_entry(fl_policy *p, uint32_t i, const char *value, size_t n,
                               int64_t until_us, florin_error *err)
{
    fl_list_part *part = &p->list[i];
    fl_list_entry *entry = (fl_list_entry *)(uintptr_t)part->list.entry;
    if (part->list.entries == ENTRIES_MAX)
        return fl_fail(err, FLORIN_EINPUT, "%s: list '%s' has more than %d entries", p->file,
                       part->list.name, ENTRIES_MAX);
    bool ok = fl_grow((void **)&entry, &part->cap, part->list.entries + 1u, sizeof *entry);
    part->list.entry = entry;
    if (!ok) return fl_fail(err, FLORIN_ENOMEM, "%s: list '%s'", p->file, part->list.name);
    entry[part->list.entries++] = (fl_list_entry){fl_lists_hash(p, i, value, n), until_us};
    return FLORIN_OK;
}

static florin_status entry_of(fl_policy *p, uint32_t i, const fl_yaml *y, florin_error *err)
{
    static const char *const known[] = {"value", "until"};
    const char *value = NULL;
    int64_t until = INT64_MAX;
    florin_status st = FLORIN_OK;
    if (y->kind == FL_YAML_SCALAR) value = y->text;
    else {
        st = fl_yaml_only(y, known, FL_LEN(known), err);
        if (!st) st = fl_yaml_str(y, "value", &value, err);
        if (!st) st = fl_yaml_time(y, "until", &until, err);
    }
    if (!st && (!value || !*value)) st = fl_yaml_fail(y, err, "an entry needs a value");
    return st ? st : add_entry(p, i, value, strlen(value), until, err);
}

/* One line of a list file: VALUE or VALUE,UNTIL. */
static florin_status line_of(fl_policy *p, uint32_t i, char *line, const char *path,
                             uint32_t number, florin_error *err)
{
    int64_t until = INT64_MAX;
    size_t n = strcspn(line, "\r");
    line[n] = 0;
    char *comma = strrchr(line, ',');
    if (!n || *line == '#') return FLORIN_OK;
    if (comma) {
        if (!fl_time_parse(comma + 1, &until))
            return fl_fail(err, FLORIN_EINPUT,
                           "%s:%u: after the comma stands a moment such as 2026-01-31: VALUE,UNTIL",
                           path, number);
        n = (size_t)(comma - line);
    }
    if (!n) return fl_fail(err, FLORIN_EINPUT, "%s:%u: a value is missing", path, number);
    return add_entry(p, i, line, n, until, err);
}

/* A list file's text, kept with the policy: from the disk, or as it was given. */
static florin_status list_text(fl_policy *p, const char *name, const char *path,
                               const fl_list_file **out, florin_error *err)
{
    char *text = NULL;
    size_t n = 0;
    florin_status st = FLORIN_OK;
    const fl_list_file *g = p->given;
    while (g && (!g->name || strcmp(g->name, name))) g = g->next;
    if (p->given && !g)
        return fl_fail(err, FLORIN_EFORMAT, "%s: its list file '%s' is not there", p->file, name);
    if (!g) st = fl_read_file(&text, &n, path, LIST_BYTES_MAX, err);
    if (st) return st;
    if (g) n = g->n;
    if (n && memchr(g ? g->text : text, 0, n)) {
        free(text);
        return fl_fail(err, FLORIN_EINPUT, "%s: holds a zero byte: a list is plain text", path);
    }
    fl_list_file *f = fl_arena_alloc(p->arena, sizeof *f);
    char *own = fl_arena_alloc(p->arena, n + 1), *own_name = fl_arena_strdup(p->arena, name);
    if (own) memcpy(own, g ? g->text : text, n);
    free(text);
    if (!f || !own || !own_name) return fl_fail(err, FLORIN_ENOMEM, "%s: no memory", path);
    *f = (fl_list_file){own_name, own, n, p->list_files};
    p->list_files = f;
    *out = f;
    return FLORIN_OK;
}

static florin_status entries_of_file(fl_policy *p, uint32_t i, const char *name, fl_sha256 *version,
                                     florin_error *err)
{
    const fl_list_file *f = NULL;
    char *dir = fl_path_dir(p->file), *path = dir ? fl_path_join(dir, name) : NULL;
    florin_status st =
        path ? list_text(p, name, path, &f, err) : fl_fail(err, FLORIN_ENOMEM, "%s", p->file);
    char *text = st ? NULL : fl_strdup(f->text);
    if (!st && !text) st = fl_fail(err, FLORIN_ENOMEM, "%s: no memory", path);
    if (!st) fl_sha256_add(version, f->text, f->n);
    uint32_t number = 1;
    for (char *at = text; !st && at && *at; number++) {
        char *end = strchr(at, '\n');
        if (end) *end = 0;
        st = line_of(p, i, at, path, number, err);
        at = end ? end + 1 : NULL;
    }
    free(text);
    free(dir);
    free(path);
    return st;
}

static florin_status kind_of_list(fl_policy *p, const fl_yaml *y, const char *of, int *out,
                                  florin_error *err)
{
    const char *names[FL_KINDS_MAX];
    *out = -1;
    if (!of || !strcmp(of, "text") || !p->schema) return FLORIN_OK;
    for (uint32_t k = 0; k < p->schema->kinds; k++) names[k] = p->schema->kind[k].name;
    *out = fl_schema_kind(p->schema, of);
    if (*out >= 0) return FLORIN_OK;
    const char *near = fl_nearest(of, names, p->schema->kinds);
    return fl_yaml_fail(fl_yaml_get(y, "of"), err,
                        "'of' is a kind of entity or text, and '%.64s' is neither%s%s%s", of,
                        near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static florin_status read_list(fl_policy *p, const char *name, const fl_yaml *y, fl_sha256 *version,
                               florin_error *err)
{
    static const char *const known[] = {"of", "most", "entries", "file"};
    const char *of = NULL, *file = NULL;
    int64_t most = 0;
    fl_list *l = &p->list[p->lists].list;
    florin_status st = fl_yaml_only(y, known, FL_LEN(known), err);
    if (!st) st = fl_yaml_str(y, "of", &of, err);
    if (!st) st = fl_yaml_str(y, "file", &file, err);
    if (!st) st = fl_yaml_int(y, "most", &most, err);
    if (!st && (most < 0 || most > ENTRIES_MAX))
        st = fl_yaml_fail(fl_yaml_get(y, "most"), err, "'most' is at most %d", ENTRIES_MAX);
    if (!st) st = kind_of_list(p, y, of, &l->kind, err);
    if (st) return st;
    l->name = name;
    uint32_t i = p->lists++;
    const fl_yaml *entries = fl_yaml_get(y, "entries");
    if (entries && entries->kind != FL_YAML_LIST)
        return fl_yaml_fail(entries, err, "'entries' is a list: [a, b]");
    for (uint32_t k = 0; entries && k < entries->count && !st; k++)
        st = entry_of(p, i, entries->item[k], err);
    if (!st && file) st = entries_of_file(p, i, file, version, err);
    if (!st && most && l->entries > most)
        st = fl_yaml_fail(y, err, "list '%s' has %u entries, and `most: %lld`", name, l->entries,
                          (long long)most);
    l->most = most ? (uint32_t)most : l->entries + LIST_ROOM;
    return st;
}

florin_status fl_policy_read_lists(fl_policy *p, const fl_yaml *lists, fl_sha256 *version,
                                   florin_error *err)
{
    florin_status st = FLORIN_OK;
    if (!lists) return FLORIN_OK;
    if (lists->kind != FL_YAML_MAP)
        return fl_yaml_fail(lists, err, "'lists' is written name: {of: card, entries: [...]}");
    if (lists->count > FL_LISTS_MAX)
        return fl_yaml_fail(lists, err, "more than %d lists", FL_LISTS_MAX);
    for (uint32_t i = 0; i < lists->count && !st; i++) {
        const char *name = lists->key[i];
        size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
        if (!*name || name[n] || n >= FL_NAME_MAX || (*name >= '0' && *name <= '9'))
            return fl_yaml_fail(lists->item[i], err,
                                "a list's name is of letters, digits and _, and '%.64s' is not",
                                name);
        st = read_list(p, name, lists->item[i], version, err);
    }
    return st;
}

/* ---- rules ---- */

static bool begins_with_action(const char *s)
{
    static const char *const words[] = {"block ", "allow ", "review ", "request "};
    for (size_t i = 0; i < FL_LEN(words); i++) {
        size_t k = 0;
        while (words[i][k] && ((s[k] | 32) == words[i][k] || s[k] == words[i][k])) k++;
        if (!words[i][k]) return true;
    }
    return false;
}

/* "foreign card: Review if ..." -> its name, and where the rule itself begins. */
static size_t named(const char *s, size_t *name_n)
{
    size_t i = 0;
    *name_n = 0;
    if (begins_with_action(s)) return 0;
    while ((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
           (s[i] >= '0' && s[i] <= '9') || s[i] == '_' || s[i] == '-' || s[i] == ' ')
        i++;
    if (!i || s[i] != ':' || (s[i + 1] != ' ' && s[i + 1] != '\n')) return 0;
    *name_n = i;
    for (i++; s[i] == ' ' || s[i] == '\n'; i++) continue;
    return i;
}

static florin_status name_rule(fl_policy *p, fl_rule *rule, const char *name, const fl_spot *at,
                               florin_error *err)
{
    char number[32];
    snprintf(number, sizeof number, "rule %zu", p->rules + 1);
    if (strlen(name ? name : number) >= FL_NAME_MAX)
        return fl_spot_fail(at, err, "a rule's name has at most %d characters", FL_NAME_MAX - 1);
    for (size_t i = 0; name && i < p->rules; i++)
        if (!strcmp(p->rule[i].name, name))
            return fl_spot_fail(at, err, "two rules are called '%s', this and line %u's", name,
                                p->rule[i].line);
    rule->name = fl_arena_strdup(p->arena, name ? name : number);
    return rule->name ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "%s: rules", p->file);
}

/* In one line, without comments. */
static const char *in_one_line(fl_policy *p, const char *text)
{
    char *out = fl_arena_alloc(p->arena, strlen(text) + 1), quote = 0;
    size_t n = 0;
    for (const char *s = text; out && *s; s++) {
        if (quote ? *s == quote : *s == '\'' || *s == '"') quote = quote ? 0 : *s;
        if (!quote && *s == '#') s += strcspn(s, "\n") - 1;
        else if (quote || (*s != ' ' && *s != '\n' && *s != '\t' && *s != '\r')) out[n++] = *s;
        else if (n && out[n - 1] != ' ') out[n++] = ' ';
    }
    while (n && out[n - 1] == ' ') out[--n] = 0;
    return out;
}

static florin_status add_rule(fl_policy *p, const char *text, size_t n, const char *name,
                              bool keep_out, fl_spot at, florin_error *err)
{
    while (n && (text[n - 1] == '\n' || text[n - 1] == ' ' || text[n - 1] == '\r')) n--;
    char *own = fl_arena_alloc(p->arena, n + 1);
    if (!own) return fl_fail(err, FLORIN_ENOMEM, "%s: rules", p->file);
    memcpy(own, text, n);
    size_t name_n, from = named(own, &name_n);
    if (name_n) own[name_n] = 0;
    if (name_n && !name) name = own;
    for (size_t i = 0; i < from; i++) at.line += own[i] == '\n';
    fl_rule rule = {.text = own + from, .keep_out = keep_out, .line = at.line};
    if (p->rules == FL_RULES_MAX) return fl_spot_fail(&at, err, "more than %d rules", FL_RULES_MAX);
    florin_status st = name_rule(p, &rule, name, &at, err);
    if (!st) st = fl_rule_compile(p, rule.text, &at, &rule, err);
    if (st) return st;
    rule.shown = in_one_line(p, rule.text);
    if (!rule.shown || !fl_grow((void **)&p->rule, &p->rule_cap, p->rules + 1, sizeof *p->rule))
        return fl_fail(err, FLORIN_ENOMEM, "%s: rules", p->file);
    p->rule[p->rules++] = rule;
    return FLORIN_OK;
}

static const char *source_line(const fl_policy *p, uint32_t line)
{
    const char *s = p->text;
    while (--line && s) {
        s = strchr(s, '\n');
        if (s) s++;
    }
    return s;
}

/* Where a scalar's text begins: behind | or > that is the next line. */
static fl_spot spot_of(const fl_policy *p, const fl_yaml *y)
{
    fl_spot at = {.file = p->file, .line = y->line, .column = y->column, .width = 1};
    const char *s = source_line(p, y->line);
    if (s && strcspn(s, "\n") >= y->column && (s[y->column - 1] == '|' || s[y->column - 1] == '>'))
        at.line++;
    return at;
}

/* Rules below one another, as they are pasted from elsewhere: a line that begins with a blank goes on with the rule before it,
 * # begins a comment. */
static florin_status rules_of_text(fl_policy *p, const fl_yaml *y, florin_error *err)
{
    fl_spot at = spot_of(p, y), start = at;
    const char *s = y->text, *rule = NULL;
    florin_status st = FLORIN_OK;
    for (;; at.line++) {
        size_t n = strcspn(s, "\n"), blank = strspn(s, " \t\r");
        bool goes_on = rule && blank && blank < n, empty = blank >= n || s[blank] == '#';
        if (!goes_on && (!empty || !*s) && rule) {
            st = add_rule(p, rule, (size_t)(s - rule), NULL, false, start, err);
            rule = NULL;
        }
        if (st) return st;
        if (!rule && !empty) {
            rule = s + blank;
            start = at;
        }
        s += n;
        if (!*s) break;
        s++;
    }
    return rule ? add_rule(p, rule, strlen(rule), NULL, false, start, err) : FLORIN_OK;
}

static florin_status rule_of_map(fl_policy *p, const fl_yaml *y, florin_error *err)
{
    static const char *const known[] = {"rule", "name", "enabled", "holdout"};
    const char *text = NULL, *name = NULL;
    bool enabled = true, holdout = true;
    florin_status st = fl_yaml_only(y, known, FL_LEN(known), err);
    if (!st) st = fl_yaml_str(y, "rule", &text, err);
    if (!st) st = fl_yaml_str(y, "name", &name, err);
    if (!st) st = fl_yaml_bool(y, "enabled", &enabled, err);
    if (!st) st = fl_yaml_bool(y, "holdout", &holdout, err);
    if (!st && !text) st = fl_yaml_fail(y, err, "'rule' is missing: rule: \"Block if ...\"");
    if (st || !enabled) return st;
    return add_rule(p, text, strlen(text), name, !holdout, spot_of(p, fl_yaml_get(y, "rule")), err);
}

static int compare_rules(const fl_policy *p, uint16_t a, uint16_t b)
{
    static const int rank[FL_ACTIONS] = {
        [FL_REQUEST_3DS] = 0, [FL_ALLOW] = 1, [FL_BLOCK] = 2, [FL_REVIEW] = 3};
    return rank[p->rule[a].action] - rank[p->rule[b].action];
}

static florin_status order_rules(fl_policy *p, florin_error *err)
{
    free(p->order);
    p->order = fl_calloc(p->rules + 1, sizeof *p->order);
    if (!p->order) return fl_fail(err, FLORIN_ENOMEM, "%s: rules", p->file);
    for (uint16_t i = 0; i < p->rules; i++) {
        size_t k = i;
        for (; k > 0 && compare_rules(p, p->order[k - 1], i) > 0; k--)
            p->order[k] = p->order[k - 1];
        p->order[k] = i;
    }
    return FLORIN_OK;
}

florin_status fl_policy_read_rules(fl_policy *p, const fl_yaml *rules, florin_error *err)
{
    florin_status st = FLORIN_OK;
    if (rules && rules->kind == FL_YAML_MAP)
        return fl_yaml_fail(rules, err,
                            "rules are written below one another after `rules: |`, or as a list");
    if (rules && rules->kind == FL_YAML_SCALAR) st = rules_of_text(p, rules, err);
    for (uint32_t i = 0; rules && rules->kind == FL_YAML_LIST && i < rules->count && !st; i++) {
        const fl_yaml *y = rules->item[i];
        if (y->kind == FL_YAML_LIST) st = fl_yaml_fail(y, err, "a rule is one text");
        else if (y->kind == FL_YAML_MAP && !fl_yaml_get(y, "rule"))
            st = fl_yaml_fail(
                y, err,
                "a rule in a list needs quotes, because it holds ': ', or write all rules below "
                "one another after `rules: |`");
        else if (y->kind == FL_YAML_MAP) st = rule_of_map(p, y, err);
        else st = add_rule(p, y->text, strlen(y->text), NULL, false, spot_of(p, y), err);
    }
    return st ? st : order_rules(p, err);
}

florin_status fl_policy_add(fl_policy *p, const char *rule, const char *from, florin_error *err)
{
    fl_spot at = {.file = from, .line = 1, .column = 1, .width = 1};
    florin_status st = add_rule(p, rule, strlen(rule), NULL, false, at, err);
    return st ? st : order_rules(p, err);
}

/* ---- thresholds and holdout ---- */

florin_status fl_policy_slot_named(fl_policy *p, const char *name, const fl_yaml *y, uint16_t *out,
                                   florin_error *err)
{
    fl_attr a;
    char why[384] = "";
    if (!fl_names_find(p->names, name, strlen(name), &a, why, sizeof why))
        return fl_yaml_fail(y, err, "%s", why);
    fl_slot want = {.from = a.from,
                    .type = a.from == FL_FROM_FREE ? FL_ATTR_TEXT : a.type,
                    .unknown_minus_one = a.unknown_minus_one,
                    .index = a.index,
                    .name = fl_arena_strdup(p->arena, name)};
    if (!want.name) return fl_fail(err, FLORIN_ENOMEM, "%s", p->file);
    return fl_policy_slot(p, &want, out, err);
}

static florin_status threshold(const fl_yaml *map, const char *key, float *out, florin_error *err)
{
    double v = *out;
    florin_status st = fl_yaml_num(map, key, &v, err);
    if (!st && fl_yaml_get(map, key) && !(v >= 0 && v <= 100))
        st = fl_yaml_fail(fl_yaml_get(map, key), err,
                          "'%s' is a score from 0 to 99 (100: never), not %g", key, v);
    *out = (float)v;
    return st;
}

static florin_status thresholds_of(const fl_yaml *map, fl_thresholds *t, florin_error *err)
{
    florin_status st = threshold(map, "block", &t->block, err);
    if (!st) st = threshold(map, "review", &t->review, err);
    if (!st) st = threshold(map, "request_3ds", &t->request_3ds, err);
    if (!st && t->block < INFINITY && t->review < INFINITY && t->review >= t->block)
        st = fl_yaml_fail(map, err,
                          "review (%g) must be below block (%g): what is blocked is not reviewed",
                          (double)t->review, (double)t->block);
    return st;
}

static florin_status own_threshold(fl_policy *p, const char *kind, const char *id, const fl_yaml *y,
                                   florin_error *err)
{
    static const char *const known[] = {"block", "review", "request_3ds"};
    bool inserted = false;
    fl_threshold_of own = {.at = p->at};
    florin_status st = fl_yaml_only(y, known, FL_LEN(known), err);
    if (!st) st = thresholds_of(y, &own.at, err);
    if (st) return st;
    own.hash =
        p->schema ? fl_entity_hash(p->key, kind, id, strlen(id)) : fl_category_hash(id, strlen(id));
    uint32_t *place = fl_map64_insert(&p->per, own.hash, &inserted);
    if (!place || !fl_grow((void **)&p->per_at, &p->per_cap, p->pers + 1, sizeof *p->per_at))
        return fl_fail(err, FLORIN_ENOMEM, "%s: thresholds", p->file);
    *place = (uint32_t)p->pers;
    p->per_at[p->pers++] = own;
    return FLORIN_OK;
}

static florin_status read_per(fl_policy *p, const fl_yaml *per, florin_error *err)
{
    if (per->kind != FL_YAML_MAP || per->count != 1 || per->item[0]->kind != FL_YAML_MAP)
        return fl_yaml_fail(per, err,
                            "'per' names one kind of entity: per: {merchant: {m1: {block: 95}}}");
    const char *kind = per->key[0];
    const fl_yaml *each = per->item[0];
    if (p->schema && fl_schema_kind(p->schema, kind) < 0)
        return fl_yaml_fail(each, err, "'%.64s' is no kind of entity of the model's schema", kind);
    florin_status st = fl_policy_slot_named(p, kind, each, &p->per_slot, err);
    if (!st && !fl_map64_init(&p->per, each->count))
        st = fl_fail(err, FLORIN_ENOMEM, "%s: thresholds", p->file);
    for (uint32_t i = 0; i < each->count && !st; i++)
        st = own_threshold(p, kind, each->key[i], each->item[i], err);
    return st;
}

florin_status fl_policy_read_thresholds(fl_policy *p, const fl_yaml *map, florin_error *err)
{
    static const char *const known[] = {"block", "review", "request_3ds", "per"};
    p->at = (fl_thresholds){INFINITY, INFINITY, INFINITY};
    p->per_slot = p->score_slot = FL_POLICY_NONE;
    if (!map) return FLORIN_OK;
    florin_status st = fl_yaml_only(map, known, FL_LEN(known), err);
    if (!st) st = thresholds_of(map, &p->at, err);
    if (!st) st = fl_policy_slot_named(p, "risk_score", map, &p->score_slot, err);
    const fl_yaml *per = fl_yaml_get(map, "per");
    return st || !per ? st : read_per(p, per, err);
}

florin_status fl_policy_read_holdout(fl_policy *p, const fl_yaml *at, florin_error *err)
{
    static const char *const known[] = {"share", "amount_most"};
    florin_status st = FLORIN_OK;
    p->holdout_most = INFINITY;
    p->amount_slot = FL_POLICY_NONE;
    if (!at) return FLORIN_OK;
    st = fl_yaml_only(at, known, FL_LEN(known), err);
    if (!st) st = fl_yaml_num(at, "share", &p->holdout, err);
    if (!st) st = fl_yaml_num(at, "amount_most", &p->holdout_most, err);
    if (!st && !(p->holdout >= 0 && p->holdout <= 0.5))
        st = fl_yaml_fail(at, err, "'share' of blocks to let through is from 0 to 0.5, not %g",
                          p->holdout);
    if (!st && fl_yaml_get(at, "amount_most"))
        st = fl_policy_slot_named(p, "amount", at, &p->amount_slot, err);
    return st;
}
