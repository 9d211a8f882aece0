/* Inside of a pretraining, shared by pretrain.c, checkpoint.c and report.c. */
#ifndef FL_RUN_H
#define FL_RUN_H

#include "train/ahead.h"
#include "train/baseline.h"
#include "train/contrast.h"
#include "train/lanes.h"

typedef struct {
    bool done;
    uint64_t steps, planned;
    double nats[FL_STREAMS]; /* of training: moving mean of the sum over targets */
    double best; /* lowest validation nats, sum over streams and targets; INFINITY: none yet */
    uint64_t best_step, judged; /* judged: step of the last validation */
    uint32_t bad;               /* validations in a row without gain */
    bool stopped_early;
} fl_progress_made;

typedef struct {
    const fl_log *log;
    const florin_context *ctx;
    const fl_train_files *files;
    fl_train_config config; /* with lanes and window chosen */
    fl_rows *rows;
    fl_network *network;
    fl_fold_plan *plan;
    fl_net *net;
    fl_team *team;
    fl_packs *packs; /* filled in each step */
    /* Of each stream, the payer's first: `parts` that predict, then with contrast as many that compare slices. */
    fl_worker *worker[2 * FL_STREAMS * FL_PARTS_MAX];
    uint32_t workers, threads, streams, passes; /* passes: of each stream in a step, 1 or 2 */
    fl_slices *slices[FL_STREAMS];              /* NULL: without contrast */
    fl_ahead *ahead;                            /* NULL: without */
    /* The state of training: what a checkpoint holds. */
    fl_progress_made made;
    fl_optimiser optimiser;
    float *best;                 /* [total] weights at the best validation */
    fl_lanes *lanes[FL_STREAMS]; /* NULL: the network has no such stream, or training is done */
    /* Time. */
    int64_t begun_us, saved_us, counted_us;
    uint64_t counted_events, steps_now; /* steps_now: since this call began */
    double events_per_s;
    bool timed, journal_lost, saved, save_failed;
} fl_run;

/* The shares of a stream that predict; those that compare follow. */
fl_worker **fl_run_workers(fl_run *r, int stream);

char *fl_checkpoint_path(const char *out);
/* A failed write leaves the old checkpoint in place. */
florin_status fl_checkpoint_save(fl_run *r, florin_error *err);
/* *found false: there is none. FLORIN_EINPUT: it belongs to another log or configuration. */
florin_status fl_checkpoint_load(fl_run *r, bool *found, florin_error *err);
/* The same from an open file. On failure r may be half read: end the run. */
florin_status fl_checkpoint_read(fl_run *r, const fl_model_file *f, florin_error *err);
void fl_checkpoint_remove(const char *out);

/* "trained", "metrics", "baselines", as they go into the model file. */
florin_status fl_run_report(fl_run *r, json_t **out, florin_error *err);
/* One line of the journal (consumes j). A journal that can't be written is said once. */
void fl_run_journal(fl_run *r, json_t *j);

#endif
