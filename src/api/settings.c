/* florin_settings: a table of names drives the reading of a YAML file, as options drive that of arguments. */
#include "base/yaml.h"

enum { KNOWN_MOST = 128, NAME_MOST = 64 };

struct florin_settings {
    fl_arena *arena;
    fl_yaml *root;
};

static size_t group_length(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot ? (size_t)(dot - name) : 0;
}

/* The map that holds a setting, and its name there; NULL: the file has no such group. */
static const fl_yaml *map_of(const fl_yaml *root, const char *name, const char **inside)
{
    char group[NAME_MOST];
    size_t n = group_length(name);
    *inside = n ? name + n + 1 : name;
    if (!n || n >= sizeof group) return root;
    memcpy(group, name, n);
    group[n] = 0;
    return fl_yaml_get(root, group);
}

static florin_status in_bounds(const fl_yaml *at, const florin_setting *s, int64_t v,
                               florin_error *err)
{
    if ((!s->least && !s->most) || (v >= s->least && v <= s->most)) return FLORIN_OK;
    return fl_yaml_fail(at, err, "'%s' must be %lld to %lld, not %lld", s->name,
                        (long long)s->least, (long long)s->most, (long long)v);
}

static florin_status read_pairs(const fl_yaml *map, const char *name, const florin_setting *s,
                                florin_error *err)
{
    const fl_yaml *pairs = fl_yaml_get(map, name);
    if (!pairs) return FLORIN_OK;
    if (pairs->kind != FL_YAML_MAP)
        return fl_yaml_fail(pairs, err, "'%s' needs pairs 'name: number'", s->name);
    for (uint32_t i = 0; i < pairs->count; i++) {
        int64_t v = 0;
        florin_status st = fl_yaml_int(pairs, pairs->key[i], &v, err);
        if (!st) st = in_bounds(pairs->item[i], s, v, err);
        if (st) return st;
    }
    return FLORIN_OK;
}

static florin_status read_one(const fl_yaml *root, const florin_setting *s, florin_error *err)
{
    const char *name;
    const fl_yaml *map = map_of(root, s->name, &name);
    int64_t v;
    bool truth;
    florin_status st;
    if (!map || !fl_yaml_get(map, name)) return FLORIN_OK;
    switch (s->kind) {
    case FLORIN_SETTING_TEXT: return fl_yaml_str(map, name, s->out, err);
    case FLORIN_SETTING_NUMBER: return fl_yaml_num(map, name, s->out, err);
    case FLORIN_SETTING_PAIRS: return read_pairs(map, name, s, err);
    case FLORIN_SETTING_BOOL:
        truth = *(uint8_t *)s->out != 0;
        st = fl_yaml_bool(map, name, &truth, err);
        if (!st) *(uint8_t *)s->out = truth;
        return st;
    case FLORIN_SETTING_INT: break;
    }
    v = *(int64_t *)s->out;
    st = fl_yaml_int(map, name, &v, err);
    if (!st) st = in_bounds(fl_yaml_get(map, name), s, v, err);
    if (!st) *(int64_t *)s->out = v;
    return st;
}

/* No names but those of the list: at the top (group NULL), or in one group. */
static florin_status only_known(const fl_yaml *map, const char *group, const florin_setting *list,
                                uint32_t n, florin_error *err)
{
    const char *known[KNOWN_MOST];
    char groups[KNOWN_MOST][NAME_MOST];
    size_t count = 0;
    for (uint32_t i = 0; i < n; i++) {
        size_t of = group_length(list[i].name);
        if (of >= NAME_MOST) continue;
        if (group) {
            if (of == strlen(group) && !strncmp(list[i].name, group, of))
                known[count++] = list[i].name + of + 1;
            continue;
        }
        memcpy(groups[i], list[i].name, of);
        groups[i][of] = 0;
        bool again = false;
        for (size_t k = 0; of && k < count && !again; k++) again = !strcmp(known[k], groups[i]);
        if (!again) known[count++] = of ? groups[i] : list[i].name;
    }
    return fl_yaml_only(map, known, count, err);
}

static florin_status check_names(const fl_yaml *root, const florin_setting *list, uint32_t n,
                                 florin_error *err)
{
    florin_status st = only_known(root, NULL, list, n, err);
    for (uint32_t i = 0; i < n && !st; i++) {
        char group[NAME_MOST];
        size_t of = group_length(list[i].name);
        if (!of || of >= sizeof group) continue;
        memcpy(group, list[i].name, of);
        group[of] = 0;
        const fl_yaml *map = fl_yaml_get(root, group);
        if (map && (map->kind != FL_YAML_SCALAR || map->text[0]))
            st = only_known(map, group, list, n, err);
    }
    return st;
}

florin_status florin_settings_open(florin_settings **out, const char *path,
                                   const florin_setting *list, uint32_t n, florin_error *err)
{
    if (!out || !path || (n && !list) || n > KNOWN_MOST)
        return fl_fail(err, FLORIN_EUSAGE, "florin_settings_open: out, path or list");
    *out = NULL;
    florin_settings *s = fl_calloc(1, sizeof *s);
    if (!s) return fl_fail(err, FLORIN_ENOMEM, "%s: settings", path);
    s->arena = fl_arena_new(1 << 14);
    florin_status st = s->arena ? fl_yaml_load(s->arena, &s->root, path, err)
                                : fl_fail(err, FLORIN_ENOMEM, "%s: settings", path);
    if (!st) st = check_names(s->root, list, n, err);
    for (uint32_t i = 0; i < n && !st; i++) st = read_one(s->root, &list[i], err);
    if (st) {
        florin_settings_close(s);
        return st;
    }
    *out = s;
    return FLORIN_OK;
}

void florin_settings_close(florin_settings *s)
{
    if (!s) return;
    fl_arena_free(s->arena);
    free(s);
}

const char *florin_settings_pair(const florin_settings *s, const char *name, uint32_t i,
                                 int64_t *value)
{
    const char *inside;
    if (!s || !name || !value) return NULL;
    const fl_yaml *map = map_of(s->root, name, &inside);
    const fl_yaml *pairs = map ? fl_yaml_get(map, inside) : NULL;
    if (!pairs || pairs->kind != FL_YAML_MAP || i >= pairs->count) return NULL;
    if (fl_yaml_int(pairs, pairs->key[i], value, NULL)) return NULL;
    return pairs->key[i];
}
