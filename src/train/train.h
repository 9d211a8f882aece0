/* Pretraining: log + configuration -> model file. Everything else in this folder serves fl_pretrain.
 *
 * What may be used. T = until_us. Rows are taken in log order up to the first whose time is >= T; labels act through
 * the fold, whose clock stays below T. Rows from the first with time >= valid_from_us on are the later slice: they are
 * never trained on and no vocabulary, bin, mean or constant of the fold sees them. A share of each stream's entities,
 * chosen by hash, is never trained on in that stream: the unseen entities.
 *
 * Streams. Payer's and payee's histories share the encoder and the recurrent weights; gaps and heads are each stream's
 * own. A step takes as many events of each stream and adds up both losses.
 *
 * Same log before T, configuration and machine type: same bytes, whatever the number of threads: a step is always
 * split into `parts` shares whose gradients are summed in order. */
#ifndef FL_TRAIN_H
#define FL_TRAIN_H

#include "data/log.h"
#include "model/network.h"

/* The blocks of a transformer; layers 0: the backbone is a GRU. */
typedef struct {
    uint32_t layers, heads, context; /* context: events that a block sees, the last one included */
    uint32_t
        width; /* 0: such that the parameters come nearest to those of the GRU of the same state */
    fl_positions positions;
    bool post_norm, no_bias, no_history;
} fl_train_blocks;

typedef struct {
    uint32_t hidden, width; /* H, D */
    fl_train_blocks blocks;
    uint32_t lanes,
        window;     /* sequences side by side, events of one step in each; 0: by size of the data */
    uint32_t parts; /* shares of each stream's lanes in a step; a thread takes one or more */
    uint32_t vocabulary; /* largest number of known values per field */
    bool dense;          /* large vocabularies in one softmax instead of two steps */
    bool bf16;           /* products of steps in bf16; weights, moments and validations stay fp32 */
    bool int8;      /* scoring rounds weights and inputs of products to 8 bits; training does not */
    double epochs;  /* passes over the training rows of the larger stream */
    uint64_t steps; /* 0: by epochs; else at most so many */
    double minutes; /* 0: none; else a limit for all training (then bytes depend on speed) */
    uint64_t seed;
    int64_t until_us;      /* T */
    int64_t valid_from_us; /* INT64_MIN: the last valid_share of the time before T */
    double valid_share, unseen_share;
    double rate, rate_end, warmup, clip, decay;
    double field_dropout; /* share of category inputs that become the unknown token */
    uint32_t patience;    /* validations without gain before training stops early; 0: never */
    double silence;  /* weight of how long entities stay away (silence.c); 0: no loss of its own */
    double contrast; /* weight of the contrastive loss on slices (contrast.h); 0: off */
    uint32_t ahead;  /* K, events ahead that the state also predicts together (ahead.h); 0: off */
    double ahead_weight; /* of that loss beside the next event's; 0: the default where K > 0 */
} fl_train_config;
enum { FL_PARTS_MAX = 64 };

fl_train_config fl_train_defaults(void);
/* Two layers of four heads over 64 events, pre-norm, rotary, with biases and a history token. */
fl_train_blocks fl_train_blocks_defaults(void);
/* Their shape for a state of H and an encoder of D. */
fl_block_shape fl_train_blocks_shape(const fl_train_blocks *b, uint32_t H, uint32_t D);
/* Sets the widths of a size: nano, small or base (docs/model.md). False: there is none of that name. */
bool fl_train_size(fl_train_config *c, const char *name);
/* FLORIN_EUSAGE names the option that is out of range. */
florin_status fl_train_check(const fl_train_config *c, florin_error *err);
json_t *fl_train_config_json(const fl_train_config *c);

typedef struct {
    const char *out;     /* model file; the checkpoint lies beside it as OUT.checkpoint */
    const char *journal; /* JSON lines, appended; NULL: none */
    bool resume;         /* go on from the checkpoint if there is one that fits */
    double checkpoint_s; /* seconds between checkpoints */
    uint64_t stop_after; /* 0; tests: behave as if cancelled after so many steps */
} fl_train_files;

/* *report: what was learnt, as in the model file ("trained", "metrics", "baselines"). Caller frees. On Ctrl-C a
 * checkpoint is written and FLORIN_ECANCELLED returned. */
florin_status fl_pretrain(const fl_log *log, const fl_train_config *config,
                          const fl_train_files *files, const florin_context *ctx, json_t **report,
                          florin_error *err);
/* The readable table of a report. */
void fl_train_report_text(const florin_context *ctx, const json_t *report);

#endif
