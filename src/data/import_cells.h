/* Cells of a table as values. */
#ifndef FL_IMPORT_CELLS_H
#define FL_IMPORT_CELLS_H

#include "base/base.h"

bool fl_number_parse(const char *s, size_t n,
                     double *out); /* finite decimal, blanks around it allowed */
bool fl_yes_no(
    const char *s, size_t n,
    bool *out); /* yes/no, true/false, y/n, t/f, 1/0, ja/nein, oui/non, si/no, any case */

#endif
