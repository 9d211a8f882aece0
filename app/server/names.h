/* The schema's names, looked up once per member of a request: which field of an event a JSON name means. */
#ifndef SERVER_NAMES_H
#define SERVER_NAMES_H

#include "florin.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *name; /* the scorer's; lives as long as it */
    uint32_t n, number;
    florin_what what;
} schema_name;

typedef struct names names;

/* All names of a scorer. */
florin_status names_of_scorer(names **out, const florin_scorer *scorer, florin_error *err);
/* None yet, and one more: false when there is no room. The name is kept as a pointer. */
names *names_new(void);
bool names_add(names *n, florin_what what, const char *text, uint32_t number);
void names_close(names *n);
/* A field of an event, or an entity kind; NULL: the schema has none of this name. */
const schema_name *names_field(const names *n, const char *text, uint32_t text_n);
/* The name "first_second". */
const schema_name *names_joined(const names *n, const char *first, uint32_t first_n,
                                const char *second, uint32_t second_n);
/* Event types and labels have names of their own. */
const schema_name *names_type(const names *n, const char *text, uint32_t text_n);
const schema_name *names_label(const names *n, const char *text, uint32_t text_n);
/* The i-th of a kind; NULL past the end. */
const schema_name *names_at(const names *n, florin_what what, uint32_t i);

#endif
