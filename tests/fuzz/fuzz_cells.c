/* Fuzzes the parsers of single cells: decimals, numbers, yes and no, card numbers, times, durations. What one of them
 * reads agrees with the C library's reading of the same text. */
#include "data/import.h"
#include "data/import_cells.h"
#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decimals(const char *text, const char *cell, size_t n)
{
    int64_t minor;
    double d;
    bool bracket = memchr(cell, '(', n) != NULL;
    for (int exponent = 0; exponent <= 3; exponent++) {
        if (!fl_decimal_parse(cell, n, exponent, &minor)) continue;
        if (memchr(cell, 0, n)) abort();
        if (bracket) continue;
        double want = strtod(text, NULL) * pow(10, exponent);
        if (fabs(want - (double)minor) > .5001 + 1e-9 * fabs(want)) abort();
    }
    if (fl_number_parse(cell, n, &d) && !isfinite(d)) abort();
}

static void times(const char *text)
{
    int64_t us, again;
    char shown[32];
    if (fl_time_parse(text, &us)) {
        fl_time_format(us, shown);
        if (!fl_time_parse(shown, &again) || again != us) abort();
    }
    if (fl_duration_parse(text, &us) && us < 0) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[16] = "fuzz";
    if (size > 4096) return 0;
    char *cell = malloc(size ? size : 1),
         *text = malloc(size + 1); /* exact, so that a look beyond is seen */
    bool yes;
    if (!cell || !text) abort();
    memcpy(cell, data, size);
    memcpy(text, data, size);
    text[size] = 0;
    if (size) decimals(text, cell, size);
    times(text);
    if (fl_yes_no(cell, size, &yes) && memchr(cell, 0, size)) abort();
    if (fl_is_card_number(cell, size) && size < 13) abort();
    if (!fl_entity_hash(key, "card", cell, size) || !fl_category_hash(cell, size)) abort();
    free(cell);
    free(text);
    return 0;
}
