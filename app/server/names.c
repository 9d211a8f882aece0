/* A table of 512 places, filled at open, probed by hash. */
#include "names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES = 1024, NAMES_MOST = 512, JOINED_MOST = 128 };

struct names {
    uint32_t count;
    uint16_t place[PLACES]; /* of fields and entity kinds: 1 + index into all; 0: free */
    schema_name all[NAMES_MOST];
};

static uint32_t hash(const char *text, uint32_t n)
{
    uint64_t h = 0x9E3779B97F4A7C15u ^ n;
    for (uint32_t i = 0; i < n; i++) h = (h ^ (unsigned char)text[i]) * 0x100000001B3u;
    return (uint32_t)(h >> 32 ^ h) % PLACES;
}

const schema_name *names_field(const names *t, const char *text, uint32_t n)
{
    for (uint32_t i = hash(text, n); t->place[i]; i = (i + 1) % PLACES) {
        const schema_name *found = &t->all[t->place[i] - 1];
        if (found->n == n && !memcmp(found->name, text, n)) return found;
    }
    return NULL;
}

const schema_name *names_joined(const names *t, const char *first, uint32_t first_n,
                                const char *second, uint32_t second_n)
{
    char joined[JOINED_MOST];
    if ((size_t)first_n + 1 + second_n > sizeof joined) return NULL;
    memcpy(joined, first, first_n);
    joined[first_n] = '_';
    memcpy(joined + first_n + 1, second, second_n);
    return names_field(t, joined, first_n + 1 + second_n);
}

static const schema_name *find(const names *t, florin_what what, const char *text, uint32_t n)
{
    for (uint32_t i = 0; i < t->count; i++) {
        const schema_name *a = &t->all[i];
        if (a->what == what && a->n == n && !memcmp(a->name, text, n)) return a;
    }
    return NULL;
}

const schema_name *names_type(const names *t, const char *text, uint32_t n)
{
    return find(t, FLORIN_TYPE, text, n);
}

const schema_name *names_label(const names *t, const char *text, uint32_t n)
{
    return find(t, FLORIN_LABEL, text, n);
}

const schema_name *names_at(const names *t, florin_what what, uint32_t i)
{
    for (uint32_t k = 0; k < t->count; k++)
        if (t->all[k].what == what && i-- == 0) return &t->all[k];
    return NULL;
}

names *names_new(void)
{
    return calloc(1, sizeof(names));
}

bool names_add(names *t, florin_what what, const char *text, uint32_t number)
{
    schema_name a = {text, (uint32_t)strlen(text), number, what};
    if (t->count == NAMES_MOST) return false;
    t->all[t->count++] = a;
    bool field = what != FLORIN_TYPE && what != FLORIN_LABEL;
    if (!field || names_field(t, a.name, a.n)) return true;
    uint32_t i = hash(a.name, a.n);
    while (t->place[i]) i = (i + 1) % PLACES;
    t->place[i] = (uint16_t)t->count;
    return true;
}

florin_status names_of_scorer(names **out, const florin_scorer *scorer, florin_error *err)
{
    static const florin_what order[] = {FLORIN_ENTITY, FLORIN_CATEGORY, FLORIN_NUMBER,
                                        FLORIN_MARK,   FLORIN_TYPE,     FLORIN_LABEL};
    names *t = names_new();
    bool ok = t != NULL;
    for (size_t w = 0; ok && w < sizeof order / sizeof order[0]; w++) {
        const char *text;
        uint32_t number = 0;
        for (uint32_t i = 0; ok && (text = florin_scorer_name(scorer, order[w], i, &number)); i++)
            ok = names_add(t, order[w], text, number);
    }
    *out = ok ? t : NULL;
    if (ok) return FLORIN_OK;
    free(t);
    if (err) {
        err->status = FLORIN_ENOMEM;
        snprintf(err->message, sizeof err->message,
                 "no memory for the schema's names (at most %d of them)", NAMES_MOST);
    }
    return FLORIN_ENOMEM;
}

void names_close(names *t)
{
    free(t);
}
