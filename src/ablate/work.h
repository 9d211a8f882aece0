/* The work file of an ablation: one JSON line for each run that is finished. */
#ifndef FL_ABLATE_WORK_H
#define FL_ABLATE_WORK_H

#include "base/json.h"

typedef struct {
    char *path;
    json_t *done; /* key -> line */
} fl_work;

/* Reads what there is. A last line that a kill cut off is left out; any other bad line is FLORIN_EFORMAT. */
florin_status fl_work_open(fl_work *w, const char *path, florin_error *err);
void fl_work_close(fl_work *w);
/* The line of a finished run; NULL: not yet. Borrowed. */
const json_t *fl_work_find(const fl_work *w, const char *key);
/* Appends a run (consumes `line`, which gets its key) and syncs it to the disk. */
florin_status fl_work_add(fl_work *w, const char *key, json_t *line, florin_error *err);

#endif
