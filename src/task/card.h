/* A model's card: what it learnt from, what for, how well, where it is weak. MODEL.card.md beside the model file, written with
 * it; made of the model file, the log and the results of its tasks alone, so that the same model has the same card. It names no
 * entity and no path. */
#ifndef FL_CARD_H
#define FL_CARD_H

#include "data/log.h"
#include "model/file.h"

/* "MODEL.card.md", malloc'ed; NULL: no memory. */
char *fl_card_path(const char *model);
/* The card of a model file. log: what it learnt from, for counts; NULL: without. */
florin_status fl_card_text(fl_buf *out, const fl_model_file *f, const fl_log *log,
                           florin_error *err);
/* The card beside `model` if it was written for it (its hash stands in it), else the card of the file alone. */
florin_status fl_card_read(fl_buf *out, const char *model, florin_error *err);
/* Writes the card beside `model`, which was just written with the help of `log`. base_card: the card of the model that it was
 * made from, read before: its sections of tasks go on; NULL: there is none. result: of the task that was fitted; NULL: none. */
florin_status fl_card_write(const char *model, const fl_log *log, const char *base_card,
                            const json_t *result, florin_error *err);
/* The same for one who has just written a model, which is good without its card: a failure is a warning. */
void fl_card_beside(const char *model, const fl_log *log, const char *base_card,
                    const json_t *result, const florin_context *ctx);
/* The card beside a model, malloc'ed; NULL: there is none that can be read. */
char *fl_card_old(const char *model);

#endif
