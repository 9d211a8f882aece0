/* The catalogue: folders of task files, each with the stored results of its tasks beside them (results.jsonl, written by
 * bench/tasks.sh). A task is known by the name of its file. Reads only; needs no log. */
#ifndef FL_CATALOGUE_H
#define FL_CATALOGUE_H

#include "base/json.h"

/* Path of a task, malloc'ed: `name` itself when it has a slash or a dot or is a file, else NAME.yaml in the first of the
 * folders (separated by ':', NULL: none) that has one. FLORIN_EINPUT names the nearest. */
florin_status fl_catalogue_find(char **path, const char *name, const char *folders,
                                florin_error *err);
/* An array of {name, file, data, about, kind, label, population, metric, baseline, trivial, ours, low, high, paired: {value,
 * low, high}, signal, seeds, rows, positives, model}, by data and name; null what was not measured. A file of the same name in
 * a later folder is left out. Where a few-label curve is stored (few.jsonl beside results.jsonl, written by bench/few.sh), `few`:
 * an array by rising n of {n, ours, baseline, low, high, seeds}: mean AUC over the draws of n labelled examples of ours and of the
 * better of logistic regression and trees on the fold; low, high: the interval of ours - baseline, paired by draw. No curve: no key. */
florin_status fl_catalogue_list(json_t **out, const char *folders, florin_error *err);

#endif
