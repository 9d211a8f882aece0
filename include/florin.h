/* Florin: a payments foundation model that a company can own.
 *
 * The contract. Everything outside src/ (the program, bindings, your code) uses this header alone.
 *
 * Conventions
 *   Errors   every function that can fail returns florin_status, 0 is FLORIN_OK everywhere; the last
 *            argument `florin_error *err` may be NULL and else says what, which and where.
 *   Memory   the caller owns what it passes; nothing is kept after the call unless the function's
 *            name ends in _open. _close accepts NULL.
 *   Options  structs begin with `size` = sizeof the struct, so that they can grow; a zero field
 *            means the default that its comment names. FLORIN_xxx_INIT sets size.
 *   Threads  a handle is used by one thread at a time; different handles are independent.
 *   Units    time_us: microseconds since 1970-01-01 UTC; amount_minor: 1999 = 19.99 EUR.
 */
#ifndef FLORIN_H
#define FLORIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define FLORIN_CHECKED __attribute__((warn_unused_result))
#else
#define FLORIN_CHECKED
#endif

/* Also the exit codes of the program. */
typedef enum {
    FLORIN_OK = 0,
    FLORIN_EUSAGE = 2,  /* wrong arguments or options */
    FLORIN_EINPUT = 3,  /* the user's data or schema is wrong: the message names file, row, field */
    FLORIN_EFORMAT = 4, /* a Florin file is damaged, truncated or of another version */
    FLORIN_ESCHEMA =
        5,             /* model, task and log do not belong together: the message names the field */
    FLORIN_EIO = 6,    /* a file can't be read or written: permission, disk full, missing */
    FLORIN_ENOMEM = 7, /* out of memory, or past a memory or capacity option */
    FLORIN_ELEAK = 8,  /* something later than the moment of prediction would have been used */
    FLORIN_ECANCELLED = 9, /* stopped by the caller; what was saved before is usable */
    FLORIN_EQUALITY = 10, /* a --check found two paths that differ, or a policy's own test failed */
    FLORIN_EINTERNAL = 70 /* a bug */
} florin_status;

typedef struct {
    florin_status status;
    char message[1024];
} florin_error;

/* Short name of a status ("input", "io" ...); never NULL. */
const char *florin_status_name(florin_status status);
const char *florin_version(void);

typedef enum { FLORIN_TEXT = 0, FLORIN_JSON = 1, FLORIN_HTML = 2 } florin_format;
typedef enum {
    FLORIN_LOG_DEBUG = 0,
    FLORIN_LOG_INFO,
    FLORIN_LOG_WARN,
    FLORIN_LOG_ERROR
} florin_level;

/* How a job talks to its caller; any callback may be NULL. Callbacks run on the calling thread. */
typedef struct {
    uint32_t size;
    uint32_t threads;      /* 0: as many as cores, at most 64 */
    uint64_t memory_bytes; /* 0: 2 GiB; what a job tries to stay under */
    void *user;            /* handed to every callback */
    void (*write)(void *user, const char *bytes, size_t n); /* results, in the format asked for */
    void (*log)(void *user, florin_level level,
                const char *line); /* one line, no newline, no identifiers */
    void (*progress)(void *user, const char *stage, uint64_t done, uint64_t total,
                     const char *note);
    int (*cancelled)(void *user);        /* non-zero: stop soon, lose nothing */
    int64_t (*now_us)(void *user);       /* wall clock, UTC; NULL: 0 */
    int64_t (*monotonic_us)(void *user); /* for rates and time limits; NULL: 0 */
} florin_context;
#define FLORIN_CONTEXT_INIT                                                                        \
    {                                                                                              \
        sizeof(florin_context), 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL                     \
    }

/* --- the model file --- */

typedef struct florin_model florin_model; /* read-only after open: may be shared by threads */

/* tier: kernels by name ("ref", "avx2"), NULL: the best of this CPU. The file is checked whole. */
FLORIN_CHECKED florin_status florin_model_open(florin_model **out, const char *path,
                                               const char *tier, florin_error *err);
void florin_model_close(florin_model *model);
/* One JSON object (schema's name, moment T, hash, widths, fields, streams, metrics, baselines, heads) to ctx->write. */
FLORIN_CHECKED florin_status florin_model_info(const florin_model *model, const florin_context *ctx,
                                               florin_error *err);

/* --- embed: vectors of entities at a date, or of every event --- */

typedef struct {
    uint32_t size;
    florin_format format; /* of the summary */
    const char *log;      /* folder of the event log */
    const char *model;
    const char *out;    /* .parquet, .csv, or .npy (numbers only; ids beside it in OUT.ids.csv) */
    const char *entity; /* kind of entity: one row each. NULL: one row for every event */
    const char
        *at; /* entities: events before this moment, "2018-08-01 12:00"; NULL: the whole log */
    const char *
        pool; /* entities: "last" (default), "mean" or "ema" (weight 0.1 for the newest) of states */
    const char *tier; /* NULL: best of this CPU */
} florin_embed_options;
#define FLORIN_EMBED_INIT                                                                          \
    {                                                                                              \
        sizeof(florin_embed_options), FLORIN_TEXT, NULL, NULL, NULL, NULL, NULL, NULL, NULL        \
    }
FLORIN_CHECKED florin_status florin_embed(const florin_context *ctx,
                                          const florin_embed_options *opt, florin_error *err);
/* ---- Simulated tables: for demos, scale and fault tests ---- */

typedef struct {
    uint32_t size;
    florin_format format;
    uint64_t events;  /* rows of the log: payments, refunds, logins, salaries */
    uint64_t seed;    /* same options, same bytes, whatever the threads */
    uint32_t days;    /* 0: 180 */
    uint32_t cards;   /* 0: about 100 events a card in 180 days */
    int64_t start_us; /* first day, midnight UTC; 0: 2025-01-01 */
    int steady;       /* non-zero: habits never change and nobody cheats */
    const char *log;  /* event log to write; NULL: none */
    const char *csv;  /* folder for the tables and their schema; NULL: none */
    const char *
        truth; /* which events are which kind of fraud; NULL: LOG-truth.csv, or truth.csv in the folder */
} florin_simulate_options;
#define FLORIN_SIMULATE_INIT                                                                       \
    {                                                                                              \
        sizeof(florin_simulate_options), FLORIN_TEXT, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL           \
    }

/* Write a made-up world of cards, merchants, terminals and devices. On failure or cancellation a log that was there
 * stays as it was. */
FLORIN_CHECKED florin_status florin_simulate(const florin_context *ctx,
                                             const florin_simulate_options *opt, florin_error *err);

/* --- features: the fold's numbers as a table, for any other tool --- */

typedef struct {
    uint32_t size;
    florin_format format; /* of the summary */
    const char *log;      /* folder of the event log */
    const char *
        out; /* .parquet, .csv, .npy (numbers only; ids beside it in OUT.ids.csv) or .arrow; NULL: compute
                              only, and report the rate */
    const char *from,
        *to; /* events with from <= time < to, as "2018-08-01 12:00"; NULL: all. History counts in full */
    const char *model; /* take the learned constants from this model; NULL: learn them, see until */
    const char *
        until; /* learn them from what was known before this moment; NULL: `from`, else the first third of the
                              log's span */
    const char *
        labels_at; /* add a column per label with its value as known at this moment; NULL: no labels */
    const char *entity; /* a kind: one row per entity at `at` instead of one per event */
    const char *at;     /* events before this moment; NULL: the whole log */
    int velocity;       /* instead: the 12 exact windows (1, 7, 30 days) of card teams */
    int list;           /* only list the features: name, unit, meaning, kind */
} florin_features_options;
#define FLORIN_FEATURES_INIT                                                                       \
    {                                                                                              \
        sizeof(florin_features_options), FLORIN_TEXT, NULL, NULL, NULL, NULL, NULL, NULL, NULL,    \
            NULL, NULL, 0, 0                                                                       \
    }
FLORIN_CHECKED florin_status florin_features(const florin_context *ctx,
                                             const florin_features_options *opt, florin_error *err);

/* --- doctor: what this machine offers, and what to fix --- */

typedef struct {
    uint32_t size;
    florin_format format;    /* text or JSON */
    const char *work_folder; /* where logs and models will lie; NULL: "." */
    const char *data_folder; /* where data sets lie; NULL: not looked at */
    int bench; /* also measure the machine's peaks and where each kernel stands: some seconds on idle cores */
} florin_doctor_options;
#define FLORIN_DOCTOR_INIT                                                                         \
    {                                                                                              \
        sizeof(florin_doctor_options), FLORIN_TEXT, NULL, NULL, 0                                  \
    }

/* Writes CPU tier, cores, memory, libraries, disk, limits and what to fix (bench needs the context's monotonic_us). FLORIN_EIO: something must be
 * fixed before Florin can work here (the report names it). */
FLORIN_CHECKED florin_status florin_doctor(const florin_context *ctx,
                                           const florin_doctor_options *opt, florin_error *err);

/* ---- import: tables to an event log ---- */
typedef struct {
    uint32_t size;
    florin_format format;
    const char
        *schema;     /* YAML file; or a journal (the folder of a decider): its events as they were
                           known, with what became known of them. What the log has is left out */
    const char *log; /* folder of the log: made when missing, else a segment is appended */
    const char *const
        *files; /* [n_files] FILE for the first source or SOURCE=FILE; none: those of the schema */
    uint32_t n_files;
    const char *rejects; /* file for rejected rows; NULL: LOG/rejects.csv */
    int strict;          /* refuse all when one row is rejected */
    int no_ids;          /* keep no dictionary of identifiers */
    int sort_on_disk; /* sort by spilling whatever the size; else past the context's memory_bytes */
    const char *key;  /* of a journal: file of the hash key, where its schema names one */
} florin_import_options;

/* Reads, checks, sorts, appends; writes a summary. The log changes at the end or not at all (kill -9 included).
 * Errors: FLORIN_EINPUT the files or the schema; FLORIN_ESCHEMA the log has another schema; FLORIN_EIO; FLORIN_EFORMAT
 * the old log is damaged; FLORIN_ECANCELLED. */
FLORIN_CHECKED florin_status florin_import(const florin_context *ctx,
                                           const florin_import_options *opt, florin_error *err);

/* ---- Report: results of several commands as one HTML page ---- */

typedef struct {
    uint32_t size;
    const char *const
        *part; /* files with the JSON that eval, pretrain or score printed, in the page's order */
    uint32_t parts;
    const char *title; /* NULL: "Florin report" */
    const char *out;   /* page to write; NULL: to ctx->write */
    const char *
        tasks; /* folders as florin_tasks takes them: a row for each task of the catalogue; NULL: none */
    const char *
        results; /* with tasks: folder of results NAME.json; a page NAME.html of each goes beside `out`. NULL: none */
    const char *map_model, *map_log; /* a map of entities; NULL: none */
    const char *map_entity;          /* kind; NULL: the payer */
    const char *map_colour;          /* a category field, or a feature of the fold */
} florin_report_options;
#define FLORIN_REPORT_INIT                                                                         \
    {                                                                                              \
        sizeof(florin_report_options), NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL     \
    }
/* One self-contained page of all that is asked for, in this order: the catalogue, the map, the parts. A task's row leads to
 * NAME.html where such a page lies beside `out`. */
FLORIN_CHECKED florin_status florin_report(const florin_context *ctx,
                                           const florin_report_options *opt, florin_error *err);

/* ---- pretrain: a log's events before a moment to a model ---- */
typedef struct {
    uint32_t size;
    florin_format format;
    const char *log;   /* folder of the event log */
    const char *out;   /* model file; while training OUT.checkpoint lies beside it */
    const char *until; /* "2018-08-01": nothing at or after it is used; NULL: everything */
    const char *
        valid_from; /* start of the validation slice; NULL: the last valid_share of the time before until */
    double valid_share; /* 0: 0.1 */
    double
        unseen_share; /* share of the entities that are never trained on; 0: 0.05; below 0: none */
    uint32_t hidden, width; /* 0: 256 and 128 */
    uint32_t lanes,
        window; /* sequences side by side and events of each in a step; 0: by size of the data */
    uint32_t parts;      /* shares of a step; 0: 2. Bytes depend on it, not on threads */
    uint32_t vocabulary; /* most known values per field; 0: 16384 */
    double epochs;       /* 0: 3 */
    uint64_t steps;      /* most steps; 0: by epochs */
    double
        minutes; /* limit of time for training; 0: none. With it the same seed may give other bytes */
    uint64_t seed;       /* 0: 1 */
    double rate;         /* highest learning rate; 0: 0.002 */
    int64_t patience;    /* validations without gain before training stops; 0: 3; below 0: never */
    int resume;          /* go on from OUT.checkpoint */
    double checkpoint_s; /* seconds between checkpoints; 0: 60 */
    const char *journal; /* JSON lines of the progress, appended; NULL: none */
    int dense;           /* large vocabularies in one softmax: slower, to compare with */
    const char
        *precision; /* of scoring's products: "int8" (also NULL) or "fp32"; training is the same */
    int bf16;       /* training multiplies in bf16: faster where the processor has it */
    const char
        *scale; /* "nano", "small" or "base": sets hidden and width where these are 0. NULL: base */
    double contrast;        /* weight of the contrastive loss on slices of histories; 0: off */
    uint32_t ahead;         /* the state also predicts what the next so many events hold; 0: off */
    double ahead_weight;    /* of that loss; 0: 0.2 where ahead is on */
    const char *backbone;   /* "gru" (also NULL) or "transformer", of which the rest tells */
    uint32_t layers, heads; /* 0: 2 and 4 */
    uint32_t context;       /* events that a layer sees; 0: 64 */
    uint32_t block_width;   /* 0: by the size of the GRU of the same state */
    const char *positions;  /* "rotary" (also NULL), "learned" or "none" */
    int post_norm, no_bias, no_history; /* in place of pre-norm, biases, a token of what fell out */
    const char *tasks;  /* task files, commas between: learnt together at the end; NULL: none */
    double task_weight; /* of their losses beside the next event's; 0: 1 */
    double task_epochs; /* of learning them; 0: 1 */
    double silence;     /* weight of how long entities stay away; 0: 1; below 0: off */
} florin_pretrain_options;
#define FLORIN_PRETRAIN_INIT                                                                       \
    {                                                                                              \
        sizeof(florin_pretrain_options), FLORIN_TEXT, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, \
            0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, 0, NULL, 0, NULL, 0, 0, 0, NULL, 0, 0, 0, 0, NULL, 0, \
            0, 0, NULL, 0, 0, 0                                                                    \
    }

/* Trains, writes the model and a report: nats per field beside simple baselines. FLORIN_ECANCELLED: stopped, the
 * checkpoint is written. Other errors: FLORIN_EUSAGE an option, FLORIN_EINPUT too few events, FLORIN_EIO, FLORIN_ENOMEM. */
FLORIN_CHECKED florin_status florin_pretrain(const florin_context *ctx,
                                             const florin_pretrain_options *opt, florin_error *err);

/* --- score and replay: a log through a model's heads --- */

typedef struct {
    uint32_t size;
    florin_format format;
    const char *log, *model;
    const char *out; /* table of scores, .parquet or .csv; NULL: none */
    const char *from,
        *to; /* events in [from, to) are scored; NULL: all. Earlier ones only move the states */
    const char
        *head; /* of the top list; NULL: the first that scores events (with `at`: entities) */
    const char *tier; /* NULL: best of this CPU */
    uint32_t top;     /* most suspicious events to list with reasons, or entities; at most 1000 */
    int check; /* replay only: hold both paths against each other, FLORIN_EQUALITY at a difference */
    const char *
        at; /* score only: judge every entity that has an event before this moment ("end": the whole log) by a
                       head at a date, instead of events. NULL: events */
} florin_score_options;
#define FLORIN_SCORE_INIT                                                                          \
    {                                                                                              \
        sizeof(florin_score_options), FLORIN_TEXT, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, \
            NULL                                                                                   \
    }

/* Offline: the path that features and embeddings take. Errors: FLORIN_ESCHEMA model and log differ, FLORIN_EUSAGE no
 * head scores events. */
FLORIN_CHECKED florin_status florin_score_log(const florin_context *ctx,
                                              const florin_score_options *opt, florin_error *err);
/* Event by event through the live path (what a server calls), labels at their arrival. */
FLORIN_CHECKED florin_status florin_replay_log(const florin_context *ctx,
                                               const florin_score_options *opt, florin_error *err);

/* --- live scoring: one event in, its scores out, the histories of its entities updated ---
 *
 * Order    The order of calls is the order of things: an event is judged by the events and labels handed in before
 *          it. In the order that docs/fold.md defines, the scores are those of florin_score_log, bit for bit.
 * Memory   florin_scorer_open allocates (it may take long for large capacities), scoring and labels do not. Memory for
 *          entities is asked for at open and comes from the system page by page as it is first used.
 * Threads  a scorer is used by one thread at a time; a model may be shared by any number of scorers, in any threads,
 *          and lives until florin_model_close and the last of them are done. Two scorers know nothing of each
 *          other's events: all events of a payer and of a payee belong to one scorer.
 * Privacy  identifiers are hashed at once, with the key that import used; a scorer and its state file hold hashes. */

typedef struct florin_scorer florin_scorer;

/* An entity that was never seen meets a table that is full. */
typedef enum {
    FLORIN_FULL_EVICT =
        0, /* forget the entity that was not used for longest, roughly (a clock hand) */
    FLORIN_FULL_NEUTRAL, /* judge the new one as never seen, and do not remember it */
    FLORIN_FULL_ERROR    /* refuse the event: FLORIN_ENOMEM, nothing changes */
} florin_full;

typedef struct {
    const char *entity; /* kind, as in the schema */
    uint32_t most;      /* entities that have a history at a time */
} florin_capacity;

typedef struct {
    uint32_t size;
    uint32_t batch_max; /* most events of one call; 0: 64; at most 65536 */
    uint32_t
        entities_max; /* of every kind not named below; 0: as the state file has, else 1,000,000 */
    const florin_capacity *capacity; /* [capacities] kinds with a capacity of their own */
    uint32_t capacities;
    uint32_t pairs_max;    /* of each pair of the schema; 0: as the state file, else 4 x entities */
    uint32_t pending_max;  /* events that may still get a label; the oldest is forgotten; 0: as the
                             state file has, else 1,000,000 */
    florin_full when_full; /* pairs are evicted whatever it says */
    const char *key;       /* file of the hash key; needed when the schema names one */
    const char *state;     /* state file to go on from; NULL: nobody has a history */
} florin_scorer_options;
#define FLORIN_SCORER_INIT                                                                         \
    {                                                                                              \
        sizeof(florin_scorer_options), 0, 0, NULL, 0, 0, 0, FLORIN_FULL_EVICT, NULL, NULL          \
    }

/* opt NULL: defaults. Errors: FLORIN_EUSAGE options; FLORIN_ENOMEM, also when the state file holds more than the
 * capacities; FLORIN_EFORMAT the state file is damaged; FLORIN_ESCHEMA it belongs to another model or hash key. */
FLORIN_CHECKED florin_status florin_scorer_open(florin_scorer **out, florin_model *model,
                                                const florin_scorer_options *opt,
                                                florin_error *err);
void florin_scorer_close(florin_scorer *scorer);

/* Advance the histories over the events of a log before until_us and the labels that arrived by then, without scoring.
 * INT64_MAX: all events, and the labels that arrived by the last one. ctx may be NULL (progress, cancelling). On an
 * error the histories stand where it happened: open anew. */
FLORIN_CHECKED florin_status florin_scorer_warm(florin_scorer *scorer, const char *log,
                                                int64_t until_us, const florin_context *ctx,
                                                florin_error *err);
/* Write everything that scoring goes on from to a file (mode 0600, docs/format.md), whole or not at all, kill -9
 * included. Goes on with any model that has the same network and fold: heads may be refitted. */
FLORIN_CHECKED florin_status florin_scorer_save(const florin_scorer *scorer, const char *path,
                                                florin_error *err);

/* Names are looked up once; scoring takes numbers. */
typedef enum {
    FLORIN_TYPE = 0, /* event types: sources of the schema that make events */
    FLORIN_ENTITY,   /* entity kinds */
    FLORIN_CATEGORY,
    FLORIN_NUMBER,
    FLORIN_MARK, /* true/false facts such as "declined" */
    FLORIN_LABEL
} florin_what;
/* FLORIN_ESCHEMA: there is none of this name; the message lists those there are. */
FLORIN_CHECKED florin_status florin_scorer_find(const florin_scorer *scorer, florin_what what,
                                                const char *name, uint32_t *number,
                                                florin_error *err);
/* The i-th of a kind, for listing; NULL past the end. *number as florin_scorer_find gives it; may be NULL. */
const char *florin_scorer_name(const florin_scorer *scorer, florin_what what, uint32_t i,
                               uint32_t *number);

/* One field of an event: an entity or a category as text, a number or a mark as a number. */
typedef struct {
    uint32_t field;   /* number from florin_scorer_find: entity, category, number or mark */
    uint32_t n;       /* bytes of text, at most 65536; 0: absent */
    const char *text; /* as import sees the cell; need not end in a zero byte */
    double number;    /* finite; a mark is 0 or 1 */
} florin_value;

#define FLORIN_NO_AMOUNT INT64_MIN

/* Fields that an event does not list are absent. Fields that the schema calls `after` may be listed: they are never
 * read for the event's own score. A category value that the model has not met counts as unknown. */
typedef struct {
    const char *id; /* the user's own event id, [id_n]; with none (id_n 0) no label can find it */
    uint32_t id_n;
    uint32_t type; /* number of the event type */
    int64_t time_us;
    int64_t amount_minor; /* FLORIN_NO_AMOUNT: none */
    char currency[4];     /* "USD"; "": the schema's */
    uint32_t n_values;
    const florin_value *values; /* [n_values] */
} florin_event;

typedef enum { FLORIN_NORMAL = 0, FLORIN_ELEVATED, FLORIN_HIGHEST } florin_risk;
enum { FLORIN_SCORE_ELEVATED = 65, FLORIN_SCORE_HIGHEST = 75 };

typedef struct {
    float probability;      /* calibrated, 0..1 */
    uint8_t score;          /* 0..99, rising with probability; fixed in the model */
    uint8_t risk;           /* florin_risk: below 65, below 75, from 75 */
    uint8_t over_threshold; /* 1: probability >= the threshold of the task's cost matrix */
    uint8_t spare;
} florin_head_score;

/* Heads that score events are 0 .. florin_scorer_heads - 1; those that judge an entity at a date follow. */
typedef struct {
    uint32_t size;
    const char *name;   /* of the task; lives as long as the scorer */
    const char *entity; /* kind that a head at a date judges; NULL: it scores events */
    float threshold;    /* probability */
} florin_head_info;
#define FLORIN_HEAD_INFO_INIT                                                                      \
    {                                                                                              \
        sizeof(florin_head_info), NULL, NULL, 0                                                    \
    }
uint32_t florin_scorer_heads(const florin_scorer *scorer);
/* FLORIN_EUSAGE: no such head (so count up from 0 to list them all). */
FLORIN_CHECKED florin_status florin_scorer_head(const florin_scorer *scorer, uint32_t head,
                                                florin_head_info *out, florin_error *err);

/* Score events against the histories of their entities, then append each to them, in order. A batch gives the same
 * bits as its events one by one.
 *   events [n]         n <= batch_max; read only, not kept
 *   scores [n][heads]  caller's; untouched where item[i] is not FLORIN_OK
 *   item   [n]         caller's; one status per event: a bad event changes nothing and never fails its batch;
 *                      florin_scorer_message says what is wrong with it. FLORIN_EINPUT a value, a missing amount, an
 *                      id that was scored before and still awaits its label; FLORIN_ESCHEMA a field or type that the
 *                      event type does not have; FLORIN_ENOMEM a table is full
 * Allocates nothing; O(n), whatever the histories' length. Returns FLORIN_EUSAGE for a call that is wrong as a whole. */
FLORIN_CHECKED florin_status florin_score(florin_scorer *scorer, const florin_event *events,
                                          uint32_t n, florin_head_score *scores,
                                          florin_status *item, florin_error *err);
/* The same, and nothing changes: each event is judged as if it came next. For decisions that need a score before the
 * outcome (declined or not) is known; hand the event to florin_score afterwards, with its marks. */
FLORIN_CHECKED florin_status florin_peek(florin_scorer *scorer, const florin_event *events,
                                         uint32_t n, florin_head_score *scores, florin_status *item,
                                         florin_error *err);
/* What is wrong with event i of the last florin_score or florin_peek; "" when nothing is. */
const char *florin_scorer_message(const florin_scorer *scorer, uint32_t i);

typedef struct {
    char code[112]; /* stable: "card.own_amount", "terminal.past_cases", "unusual.card.category" */
    char text[288]; /* in words, without identifiers */
    char normal
        [192];   /* what is normal for that entity, before this event; "" when nothing is known */
    float share; /* of what raised the score, 0..1; 0: unusual, but not used by this head */
    float value; /* of the strongest input */
} florin_reason;
/* Why event i of the last florin_score or florin_peek got its score by a head: at most max reasons (5 at most), the
 * strongest first, no code twice. *n: how many. Allocates nothing. Source: path attribution, Saabas 2014. */
FLORIN_CHECKED florin_status florin_reasons(florin_scorer *scorer, uint32_t i, uint32_t head,
                                            florin_reason *out, uint32_t max, uint32_t *n,
                                            florin_error *err);

typedef struct {
    const char *id; /* [id_n] of the event it speaks of */
    uint32_t id_n;
    uint32_t type;  /* event type of that event */
    uint32_t label; /* number of the label */
    float value;    /* 0 or 1 for yes/no labels */
    int64_t arrival_us;
} florin_label_arrival;
/* A label became known. Only the schema's risk label moves histories; a later one corrects an earlier one. Errors:
 * FLORIN_EINPUT the event is unknown or forgotten (pending_max), or a value. Allocates nothing. */
FLORIN_CHECKED florin_status florin_label(florin_scorer *scorer, const florin_label_arrival *label,
                                          florin_error *err);

/* A head at a date: an entity as it stands after what was handed in, seen from at_us (not before it). Changes nothing,
 * allocates nothing. FLORIN_EINPUT: the entity has no history. */
FLORIN_CHECKED florin_status florin_score_entity(florin_scorer *scorer, uint32_t head,
                                                 const char *id, uint32_t id_n, int64_t at_us,
                                                 florin_head_score *score, florin_error *err);

typedef struct {
    uint32_t size;
    uint64_t events, labels;
    uint64_t late;      /* events whose time was before the clock */
    uint64_t evicted;   /* entities that lost their history to another */
    uint64_t forgotten; /* events that can no longer get a label */
    uint64_t entities;  /* with a history now, of all kinds */
    int64_t clock_us;   /* largest time so far; INT64_MIN: none */
} florin_scorer_counts;
#define FLORIN_SCORER_COUNTS_INIT                                                                  \
    {                                                                                              \
        sizeof(florin_scorer_counts), 0, 0, 0, 0, 0, 0, 0                                          \
    }
FLORIN_CHECKED florin_status florin_scorer_stats(const florin_scorer *scorer,
                                                 florin_scorer_counts *out, florin_error *err);

/* ---- The decider: live decisions that are remembered ----
 * Joins a scorer, rules and a journal. A request is scored, decided by the rules, written to the journal and answered; what
 * becomes known of it later is written there too. The journal is the truth: a replay of it gives the same bytes.
 *
 * Order    the order of calls is the order of things, and that of the journal.
 * Answers  an answer may leave for its client once florin_decider_acknowledged has reached its sequence: what is
 *          acknowledged survives kill -9, and with FLORIN_SYNC_ALWAYS a loss of power (docs/durability.md).
 * Memory   florin_decider_open allocates, deciding does not, but for each new file of the journal and to read an old one.
 * Threads  one thread at a time, but for florin_decider_acknowledged and florin_decider_wait, which any thread may call.
 *          A decider has a thread of its own that writes to the disk.
 * Privacy  identifiers of entities and idempotency keys are hashed before anything is written; event ids, category values
 *          and metadata are written as they came. */

typedef struct florin_decider florin_decider;

typedef enum {
    FLORIN_SYNC_INTERVAL = 0, /* acknowledged: the system has it; on the disk within the interval */
    FLORIN_SYNC_ALWAYS        /* acknowledged: on the disk */
} florin_sync;

typedef struct {
    uint32_t size;
    const char *folder; /* of journal, index and checkpoints; made when there is none */
    florin_scorer_options
        scorer; /* capacities, batch_max (at most 1024), key. `state` (here: histories to begin with) and
                   `bootstrap` count for an empty folder, which keeps a copy */
    const char *bootstrap; /* log whose histories to begin with; NULL: none */
    const char
        *head; /* task whose score gives reasons and, without rules, actions; NULL: the first */
    florin_sync sync;
    uint32_t sync_interval_us; /* 0: 10,000 */
    uint64_t segment_bytes;    /* size of a file of the journal; 0: 256 MiB */
    int64_t window_us;         /* how long repeats are known; 0: 24 h */
    uint32_t window_entries;   /* ids and keys of which memory holds the newest; 0: 4,000,000 */
    int64_t ahead_us;          /* an event may be so much later than the caller's clock; 0: 24 h */
    const uint8_t *
        random; /* [32] bytes nobody can guess: a new journal's name and key. NULL: decision ids tell
                                  how many there were */
    int64_t now_us; /* the caller's clock */
    const struct florin_policy
        *policy; /* rules; NULL: the head's threshold blocks. Not to be closed before the decider
                                     is, or has another */
    uint32_t rings_max; /* entities of each velocity that the policy names; 0: 1,000,000 */
    /* Called whenever more is acknowledged, or writing has failed (the number is then the same as before): by the
     * decider's thread, or within a call of the caller's own. Must return at once and call nothing here. May be NULL. */
    void (*acknowledged)(void *user, uint64_t sequence);
    void *user;
} florin_decider_options;
#define FLORIN_DECIDER_INIT                                                                        \
    {                                                                                              \
        sizeof(florin_decider_options), NULL, FLORIN_SCORER_INIT, NULL, NULL,                      \
            FLORIN_SYNC_INTERVAL, 0, 0, 0, 0, 0, NULL, 0, NULL, 0, NULL, NULL                      \
    }

/* Opens the folder or begins it, goes on from its last checkpoint and its journal. ctx (may be NULL): progress, cancelling,
 * a warning for each torn tail that was cut. Errors: those of florin_scorer_open; FLORIN_EFORMAT the journal is damaged
 * (file and offset), FLORIN_ESCHEMA it belongs to another schema or hash key, FLORIN_EIO it is in use or can't be written. */
FLORIN_CHECKED florin_status florin_decider_open(florin_decider **out, florin_model *model,
                                                 const florin_decider_options *opt,
                                                 const florin_context *ctx, florin_error *err);
/* Writes what is waiting, syncs it and closes. What could not be written was never acknowledged. */
void florin_decider_close(florin_decider *decider);

/* Its scorer, for names, numbers, heads and counts. Nobody else may score, label or close with it. */
florin_scorer *florin_decider_scorer(florin_decider *decider);

typedef enum { FLORIN_ALLOW = 0, FLORIN_REQUEST_3DS, FLORIN_REVIEW, FLORIN_BLOCK } florin_action;
const char *florin_action_name(florin_action action); /* "allow", "review" ...; NULL: none such */

typedef enum { FLORIN_BY_NONE = 0, FLORIN_BY_RULE, FLORIN_BY_THRESHOLD } florin_decided_by;

typedef struct {
    const char *key, *value; /* [key_n], [value_n]; not identifiers of people: kept as they are */
    uint32_t key_n, value_n; /* key 1..64 bytes, value at most 1024 */
} florin_metadata;

enum {
    FLORIN_REQUEST_DRY_RUN = 1, /* judged as if it came next; nothing is remembered */
    FLORIN_REQUEST_RULES_ONLY =
        2, /* its deadline is past: rules alone answer, and the answer says so */
    FLORIN_REQUEST_OWN_TIME =
        4 /* the event's time is the caller's own clock, as its client sent none:
                                   no part of what a repeat must have the same */
};

typedef struct {
    florin_event event;
    const char *key; /* Idempotency-Key, [key_n], at most 255 bytes; key_n 0: none */
    uint32_t key_n;
    uint32_t flags;                  /* FLORIN_REQUEST_ */
    const florin_metadata *metadata; /* [metadata_n], at most 50 */
    uint32_t metadata_n;
} florin_request;

enum { FLORIN_HEADS_MAX = 64, FLORIN_REASONS_MAX = 5, FLORIN_DECISION_ID = 24 };

typedef struct {
    char id[FLORIN_DECISION_ID]; /* "dec_..."; "" of a dry run */
    uint64_t sequence;           /* of its record in the journal; 0 of a dry run */
    int64_t decided_us;          /* the caller's clock */
    int64_t time_us;             /* of the event */
    florin_action action;
    uint8_t repeat;  /* 1: the first answer to this key or event id, again */
    uint8_t dry_run; /* 1: nothing was remembered */
    uint8_t scored;  /* 0: rules alone; scores are all 0 */
    uint8_t head;    /* whose reasons these are */
    uint32_t heads;  /* scores there are */
    florin_head_score score[FLORIN_HEADS_MAX];
    uint8_t by; /* florin_decided_by */
    uint8_t
        holdout;    /* 1: would have been blocked, and is let through so that its outcome is seen */
    char rule[128]; /* name of the rule that decided; "" where none did */
    float threshold;  /* where a threshold decided */
    float propensity; /* chance that this outcome is seen: below 1 where a block was possible */
    uint32_t reasons;
    florin_reason reason[FLORIN_REASONS_MAX]; /* the strongest first */
    char model[17];                           /* first digits of the model's hash */
    char policy[17];                          /* of the policy's; "": none */
} florin_decision;

/* Decide requests, in order.
 *   requests [n]  n <= batch_max; read only, not kept
 *   now_us        the caller's clock; it may jump
 *   out      [n]  caller's; untouched where item[i] is not FLORIN_OK
 *   item     [n]  caller's: FLORIN_OK; FLORIN_EINPUT, FLORIN_ESCHEMA, FLORIN_ENOMEM as florin_score has them, FLORIN_EINPUT
 *                 also for a time too far ahead, metadata out of bounds, and a key that came before with another
 *                 request. florin_decider_message says what is wrong; nothing changes then
 * Returns FLORIN_EIO, having done nothing, while the journal can't be written (disk full, broken): message as err. Call
 * again later: it goes on once there is room. FLORIN_EUSAGE: the call is wrong as a whole. */
FLORIN_CHECKED florin_status florin_decide(florin_decider *decider, const florin_request *requests,
                                           uint32_t n, int64_t now_us, florin_decision *out,
                                           florin_status *item, florin_error *err);
/* What is wrong with item i of the last florin_decide or florin_decider_learn; "" when nothing is. */
const char *florin_decider_message(const florin_decider *decider, uint32_t i);

typedef enum {
    FLORIN_NEWS_LABEL = 0, /* an outcome: dispute, fraud warning, refund, review */
    FLORIN_NEWS_RESULT /* of the authorisation: marks and fields that were not known at the decision */
} florin_news_kind;

/* Something becomes known of a decision. */
typedef struct {
    florin_news_kind kind;
    const char *decision; /* its id, [decision_n]; or decision_n 0 and: */
    uint32_t decision_n;
    const char *event; /* the event's id, [event_n] */
    uint32_t event_n;
    uint32_t type;              /* and its type */
    uint32_t label;             /* LABEL: number of the label */
    float value;                /* LABEL: 0 or 1 for yes/no labels */
    int64_t arrival_us;         /* when it became known; INT64_MIN: now_us */
    const florin_value *values; /* RESULT: [n_values] marks, categories and numbers */
    uint32_t n_values;
    const char *key; /* Idempotency-Key, [key_n] */
    uint32_t key_n;
} florin_news;

typedef struct {
    uint64_t sequence; /* of its record */
    uint64_t decision; /* sequence of the decision it speaks of */
    uint8_t repeat;    /* 1: came before, and nothing was counted again */
    uint8_t
        counted; /* 1: histories moved; 0: it is in the journal only (the event is older than pending_max) */
} florin_receipt;

/* What became known, in order. item: FLORIN_EINPUT the decision or event is unknown, a value; FLORIN_ESCHEMA a label or
 * field that there is not. Otherwise as florin_decide. */
FLORIN_CHECKED florin_status florin_decider_learn(florin_decider *decider, const florin_news *news,
                                                  uint32_t n, int64_t now_us, florin_receipt *out,
                                                  florin_status *item, florin_error *err);

/* Records up to this one are acknowledged. Any thread. */
uint64_t florin_decider_acknowledged(const florin_decider *decider);
/* Until that is so. FLORIN_EIO: writing fails; what was acknowledged before still is. Any thread. */
FLORIN_CHECKED florin_status florin_decider_wait(florin_decider *decider, uint64_t sequence,
                                                 florin_error *err);

/* A decision as it was answered. FLORIN_EINPUT: there is none of this id. */
FLORIN_CHECKED florin_status florin_decider_get(florin_decider *decider, const char *id,
                                                uint32_t id_n, florin_decision *out,
                                                florin_error *err);

/* The newest decision whose record is before `before` (UINT64_MAX: of all), for going through them backwards. FLORIN_EINPUT:
 * there is none. */
FLORIN_CHECKED florin_status florin_decider_before(florin_decider *decider, uint64_t before,
                                                   florin_decision *out, florin_error *err);
enum { FLORIN_VALUES_MAX = 72 };
/* What was decided on: id, type, time, amount, currency, and as values [FLORIN_VALUES_MAX] its categories, numbers and marks as
 * they came (identifiers of entities are kept as hashes: they are not told); metadata [50] likewise, *metadata_n of them. Texts
 * are valid until the next call that is given the decider. */
FLORIN_CHECKED florin_status florin_decider_event(florin_decider *decider, const char *id,
                                                  uint32_t id_n, florin_event *out,
                                                  florin_value *values, florin_metadata *metadata,
                                                  uint32_t *metadata_n, florin_error *err);

/* Another policy from the next request on (NULL: none); velocities and lists that both name go on. Allocates. On an error
 * the old one stays. */
FLORIN_CHECKED florin_status florin_decider_set_policy(florin_decider *decider,
                                                       const struct florin_policy *policy,
                                                       int64_t now_us, florin_error *err);
/* An entry of one of the policy's lists: value [n] as a user writes it, until_us INT64_MAX for ever, INT64_MIN: it goes.
 * *sequence of its record. FLORIN_EINPUT: no such list; FLORIN_ENOMEM: it is full. */
FLORIN_CHECKED florin_status florin_decider_list(florin_decider *decider, const char *list,
                                                 const char *value, uint32_t n, int64_t until_us,
                                                 int64_t now_us, uint64_t *sequence,
                                                 florin_error *err);

/* Write a checkpoint: opening goes on from it instead of from the beginning. Decisions wait meanwhile. */
FLORIN_CHECKED florin_status florin_decider_checkpoint(florin_decider *decider, florin_error *err);

/* The same beside the decisions: a copy of the process (fork) writes it, for which its memory is shared, page by page until one
 * of the two changes it. start does nothing while one is at work. poll, called now and then by the decider's thread, takes it up;
 * *running 0: none is at work. FLORIN_EIO: it could not be written, the one before it stands. */
FLORIN_CHECKED florin_status florin_decider_checkpoint_start(florin_decider *decider,
                                                             florin_error *err);
FLORIN_CHECKED florin_status florin_decider_checkpoint_poll(florin_decider *decider, int *running,
                                                            florin_error *err);

typedef struct {
    uint32_t size;
    uint64_t decisions, repeats, dry_runs, refused, labels, results; /* since it was opened */
    uint64_t action[4];                      /* decisions by florin_action */
    uint64_t sequence, acknowledged, synced; /* last records: put; answered for; on the disk */
    uint64_t checkpoint;                     /* the last checkpoint's; 0: none */
    uint64_t journal_bytes, segments;
    uint64_t recovered; /* records that were replayed at open */
    uint64_t cut_bytes; /* of a torn tail, dropped at open */
    uint8_t failing;    /* 1: the journal can't be written now */
} florin_decider_counts;
#define FLORIN_DECIDER_COUNTS_INIT                                                                 \
    {                                                                                              \
        sizeof(florin_decider_counts), 0, 0, 0, 0, 0, 0, {0, 0, 0, 0}, 0, 0, 0, 0, 0, 0, 0, 0, 0   \
    }
FLORIN_CHECKED florin_status florin_decider_stats(const florin_decider *decider,
                                                  florin_decider_counts *out, florin_error *err);

/* 1: a folder with a journal. */
int florin_journal_is(const char *path);

typedef struct {
    uint32_t size;
    florin_format format;
    const char *journal; /* folder of a decider, in use or not */
    const char *model;   /* the one that decided */
    const char *key;     /* file of the hash key, where the schema names one */
    const char *tier;    /* NULL: best of this CPU */
    const char *policy;  /* file of the rules that decided; NULL: there were none */
    const char *state;   /* file to write, of the histories as they are at the end; NULL: none */
} florin_replay_journal_options;
#define FLORIN_REPLAY_JOURNAL_INIT                                                                 \
    {                                                                                              \
        sizeof(florin_replay_journal_options), FLORIN_TEXT, NULL, NULL, NULL, NULL, NULL, NULL     \
    }
/* Every decision of a journal worked out again, from its beginning (its oldest checkpoint where older files were taken
 * away), and held against the recorded bytes; a summary to ctx->write. FLORIN_EQUALITY: some differ. Other errors as
 * florin_decider_open has them. */
FLORIN_CHECKED florin_status florin_replay_journal(const florin_context *ctx,
                                                   const florin_replay_journal_options *opt,
                                                   florin_error *err);
/* ---- Settings: a program's YAML file, read with line and column in every error ---- */

typedef enum {
    FLORIN_SETTING_TEXT = 0, /* const char *: lives until florin_settings_close */
    FLORIN_SETTING_INT,      /* int64_t */
    FLORIN_SETTING_NUMBER,   /* double */
    FLORIN_SETTING_BOOL,     /* uint8_t, 0 or 1 */
    FLORIN_SETTING_PAIRS     /* nothing: any names with a whole number each; florin_settings_pair */
} florin_setting_kind;

typedef struct {
    const char *name; /* "port", or "tls.certificate" in a group; groups go one deep */
    florin_setting_kind kind;
    void *out;           /* left as it is where the file does not speak of it */
    int64_t least, most; /* of INT and PAIRS; both 0: any */
} florin_setting;

typedef struct florin_settings florin_settings;
/* FLORIN_EINPUT: unknown names (the nearest known one is told), values of another kind or out of bounds; FLORIN_EIO. */
FLORIN_CHECKED florin_status florin_settings_open(florin_settings **out, const char *path,
                                                  const florin_setting *list, uint32_t n,
                                                  florin_error *err);
void florin_settings_close(florin_settings *settings);
/* The i-th pair under a name of kind PAIRS; NULL past the end. */
const char *florin_settings_pair(const florin_settings *settings, const char *name, uint32_t i,
                                 int64_t *value);

/* ---- policy: what turns a score into a decision (docs/policy.md) ---- */

/* Rules, thresholds, lists and holdout of one YAML file, checked against a model. Read-only: may be shared by threads. */
typedef struct florin_policy florin_policy;

/* model: whose fields, features and heads the rules name; it is kept until florin_policy_close. NULL: the one that the file names
 * (`model:`), which is opened. key: file of the hash key, where the schema names one. FLORIN_EINPUT: the message names file, line
 * and column, shows the place, and suggests; FLORIN_ESCHEMA: no such head. */
FLORIN_CHECKED florin_status florin_policy_open(florin_policy **out, const char *path,
                                                florin_model *model, const char *key,
                                                florin_error *err);
void florin_policy_close(florin_policy *policy);
/* Hash of the file and of the list files that it names: 64 hex digits. */
const char *florin_policy_version(const florin_policy *policy);
uint32_t florin_policy_rules(const florin_policy *policy);
/* Name of a rule ("rule 3" where the file gives none) and its text; NULL: no such rule. */
const char *florin_policy_rule_name(const florin_policy *policy, uint32_t rule);
const char *florin_policy_rule_text(const florin_policy *policy, uint32_t rule);

typedef struct {
    uint32_t size;
    florin_format format; /* text or JSON */
    const char *file;
    const char *model; /* file; NULL: the one that the policy names; for tests there may be none */
    const char *key;   /* as florin_policy_open */
    int attributes;    /* check: list what rules may name instead */
} florin_policy_options;
#define FLORIN_POLICY_INIT                                                                         \
    {                                                                                              \
        sizeof(florin_policy_options), FLORIN_TEXT, NULL, NULL, NULL, 0                            \
    }
/* What the policy says, rules in the order in which they are asked, to ctx->write. Errors as florin_policy_open. */
FLORIN_CHECKED florin_status florin_policy_check(const florin_context *ctx,
                                                 const florin_policy_options *opt,
                                                 florin_error *err);
/* Run the tests that the file brings along; without any model, names of attributes are taken as they come. FLORIN_EQUALITY: a test
 * failed; FLORIN_EINPUT: as above, or there is no test. */
FLORIN_CHECKED florin_status florin_policy_test(const florin_context *ctx,
                                                const florin_policy_options *opt,
                                                florin_error *err);

/* --- versions of a policy: who put which on, and when --- */

/* A file of its own (SQLite, mode 0600), which several processes may have open. What was once added stays as it was, list files
 * included; the audit only grows. */
typedef struct florin_versions florin_versions;
FLORIN_CHECKED florin_status florin_versions_open(florin_versions **out, const char *path,
                                                  florin_error *err);
void florin_versions_close(florin_versions *versions);

typedef struct {
    const char *who;  /* not empty */
    const char *note; /* NULL: none */
    int64_t now_us;
} florin_signature;
enum { FLORIN_POLICY_VERSION = 65 }; /* 64 hex digits and a zero byte */

/* A policy file, which must hold with its model and pass its own tests (FLORIN_EQUALITY else). One that is there already is no error.
 * model, key: as florin_policy_open. */
FLORIN_CHECKED florin_status florin_versions_add(florin_versions *versions, const char *file,
                                                 florin_model *model, const char *key,
                                                 const florin_signature *by,
                                                 char version[FLORIN_POLICY_VERSION],
                                                 florin_error *err);
/* prefix: the first digits of a version, 6 at least. FLORIN_EINPUT: none begins so, or several do. */
FLORIN_CHECKED florin_status florin_versions_activate(florin_versions *versions, const char *prefix,
                                                      const florin_signature *by,
                                                      char version[FLORIN_POLICY_VERSION],
                                                      florin_error *err);
/* Back to what was on before the one that is. FLORIN_EINPUT: nothing was. */
FLORIN_CHECKED florin_status florin_versions_rollback(florin_versions *versions,
                                                      const florin_signature *by,
                                                      char version[FLORIN_POLICY_VERSION],
                                                      florin_error *err);
/* "" while none was ever put on. */
FLORIN_CHECKED florin_status florin_versions_active(florin_versions *versions,
                                                    char version[FLORIN_POLICY_VERSION],
                                                    florin_error *err);
/* A version to decide with; prefix NULL: the one that is on. Otherwise as florin_policy_open, with a model. */
FLORIN_CHECKED florin_status florin_versions_policy(florin_policy **out, florin_versions *versions,
                                                    const char *prefix, florin_model *model,
                                                    const char *key, florin_error *err);
/* Versions and audit, newest first; or the rules, thresholds and lists in which two versions differ. Text or JSON, to ctx->write. */
FLORIN_CHECKED florin_status florin_versions_list(florin_versions *versions,
                                                  const florin_context *ctx, florin_format format,
                                                  florin_error *err);
FLORIN_CHECKED florin_status florin_versions_compare(florin_versions *versions, const char *from,
                                                     const char *to, const florin_context *ctx,
                                                     florin_format format, florin_error *err);

/* --- the review queue: what people look at, and what they say --- */

/* A file of its own (SQLite, mode 0600), off the path of a decision, which several processes may have open. */
typedef struct florin_queue florin_queue;
FLORIN_CHECKED florin_status florin_queue_open(florin_queue **out, const char *path,
                                               florin_error *err);
void florin_queue_close(florin_queue *queue);

/* Put in the decisions of review that a journal has and the queue has not yet, from where it had got to: at most `most` records (0: all).
 * *added (may be NULL): how many came in. Reads beside a decider that writes. Errors: FLORIN_EFORMAT the journal is damaged, FLORIN_EIO. */
FLORIN_CHECKED florin_status florin_queue_fill(florin_queue *queue, const char *journal,
                                               uint64_t most, uint64_t *added, florin_error *err);

typedef enum { FLORIN_APPROVE = 0, FLORIN_REFUND, FLORIN_FRAUD } florin_outcome;

/* For by->who, for so long; again by the same: for longer. FLORIN_EINPUT: it is not there, decided, or in another's hands. */
FLORIN_CHECKED florin_status florin_queue_claim(florin_queue *queue, const char *decision,
                                                const florin_signature *by, int64_t for_us,
                                                florin_error *err);
FLORIN_CHECKED florin_status florin_queue_release(florin_queue *queue, const char *decision,
                                                  const florin_signature *by, florin_error *err);
/* By who has it, or of one that nobody has. by->note is kept with it. */
FLORIN_CHECKED florin_status florin_queue_decide(florin_queue *queue, const char *decision,
                                                 florin_outcome outcome, const florin_signature *by,
                                                 florin_error *err);
/* by->note, without deciding. */
FLORIN_CHECKED florin_status florin_queue_note(florin_queue *queue, const char *decision,
                                               const florin_signature *by, florin_error *err);
/* What was decided becomes labels: approve the risk label's 0, fraud its 1, refund the label whose name begins with refund, where there
 * is one. Each is told once, also over a stop in between; what the decider refuses stays. *told (may be NULL): how many. The decider's
 * thread. FLORIN_EIO: the journal can't be written now. */
FLORIN_CHECKED florin_status florin_queue_tell(florin_queue *queue, florin_decider *decider,
                                               int64_t now_us, uint32_t *told, florin_error *err);

typedef struct {
    uint32_t size;
    florin_format format; /* text or JSON */
    const char *state;    /* "open" (nobody has it now), "claimed", "done"; NULL: all */
    int by_score;         /* highest first; 0: oldest first */
    const char *cursor;   /* `next` of the page before; NULL: from the beginning */
    uint32_t most;        /* 0: 1000 */
    int64_t now_us;
} florin_queue_options;
#define FLORIN_QUEUE_INIT                                                                          \
    {                                                                                              \
        sizeof(florin_queue_options), FLORIN_TEXT, NULL, 0, NULL, 0, 0                             \
    }
/* A page: {items, next, open, claimed, done, untold}; or one decision with its history, to ctx->write. */
FLORIN_CHECKED florin_status florin_queue_list(florin_queue *queue, const florin_queue_options *opt,
                                               const florin_context *ctx, florin_error *err);
FLORIN_CHECKED florin_status florin_queue_get(florin_queue *queue, const char *decision,
                                              const florin_queue_options *opt,
                                              const florin_context *ctx, florin_error *err);

/* --- backtest: what a policy would have done to a log --- */

typedef struct {
    uint32_t size;
    florin_format format;
    const char *log;
    const char *policy;       /* file; NULL: rules alone, which then need a model */
    const char *model;        /* file; NULL: the one that the policy names */
    const char *key;          /* as florin_policy_open */
    const char *const *rules; /* [n_rules] more rules, as if they stood last in the policy */
    uint32_t n_rules;
    const char *label;     /* whose bad value is a dispute; NULL: the schema's risk label */
    const char *type;      /* events of this type; NULL: all that the label speaks of */
    const char *from, *to; /* events with from <= time < to, as "2018-08-01 12:00"; NULL: all */
    const char *columns;   /* folder of stored scores; NULL: LOG.columns */
    const char *
        matured; /* "60d": what has no label and is older at the log's end counts as good; NULL: as unknown */
} florin_backtest_options;
#define FLORIN_BACKTEST_INIT                                                                       \
    {                                                                                              \
        sizeof(florin_backtest_options), FLORIN_TEXT, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, \
            NULL, NULL, NULL, NULL                                                                 \
    }
/* For each rule and threshold, to ctx->write: events that match, of those disputed, good, refunded, declined, the money in them, how
 * much of it nothing else matches, and what rules share. Scores, features and velocity that rules read are computed once by a replay
 * (progress) and stored; then it is a matter of the rules alone. Errors: those of florin_policy_open; FLORIN_ESCHEMA log and model
 * do not belong together; FLORIN_EINPUT no such label, type, or velocity of decisions, which a log does not have. */
FLORIN_CHECKED florin_status florin_backtest(const florin_context *ctx,
                                             const florin_backtest_options *opt, florin_error *err);

/* ---- Draft: a first schema for an unknown table ---- */

typedef struct {
    uint32_t size;
    florin_format format; /* of the explanation: text or JSON */
    const char *file;     /* CSV, Parquet, JSON lines or SQLite */
    const char *out;      /* schema to write; NULL: the schema itself goes to ctx->write */
    const char *name;     /* of the schema; NULL: from the file's name */
    const char *table;    /* of a SQLite file; NULL: the one with most rows */
} florin_draft_options;
#define FLORIN_DRAFT_INIT                                                                          \
    {                                                                                              \
        sizeof(florin_draft_options), FLORIN_TEXT, NULL, NULL, NULL, NULL                          \
    }
FLORIN_CHECKED florin_status florin_draft(const florin_context *ctx,
                                          const florin_draft_options *opt, florin_error *err);

/* ---- Describe: what is in an event log ---- */

typedef struct {
    uint32_t size;
    florin_format format; /* text, JSON, or one self-contained HTML page */
    const char *log;      /* folder of the event log */
} florin_describe_options;
#define FLORIN_DESCRIBE_INIT                                                                       \
    {                                                                                              \
        sizeof(florin_describe_options), FLORIN_TEXT, NULL                                         \
    }

/* Rows, span, event types, entities, fields, amounts, labels and rejected rows, to ctx->write. No identifier is
 * ever shown. */
FLORIN_CHECKED florin_status florin_describe(const florin_context *ctx,
                                             const florin_describe_options *opt, florin_error *err);

/* --- fit and eval: a task's head, and its honest figures --- */

typedef struct {
    uint32_t size;
    florin_format format;
    const char *log, *task;
    const char *model;  /* fit: NULL = the fold alone */
    const char *out;    /* fit: model file to write, with the head in it */
    const char *report; /* JSON with figures and curves; NULL: none */
    const char *scores; /* fit: per-row scores of the test, .csv or .parquet; NULL: none */
    const char *tier;   /* NULL: best of this CPU */
    uint64_t seed;
    uint32_t draws;     /* of the bootstrap; 0: 300 */
    uint32_t rounds;    /* most trees; 0: 300 */
    int validate_only;  /* fit: judge on the validation period; the test stays unseen */
    int explain_inputs; /* fit: write every input with its time lag and stop */
    int later_rows;     /* fit: learn only from rows at or after the model's T */
    int refit; /* fit: move every date of the task so that its last test ends where the log does */
    const char
        *finetune; /* fit: "full" or "low-rank": the network itself learns the task; NULL: no */
    uint32_t rank; /* of low-rank; 0: 8 */
    double rate, epochs; /* of fine-tuning; 0: 3e-3, and 3 times over the events */
    double keep;         /* weight of the next-event loss beside the task's */
    double
        auto_minutes; /* fit: above 0: choose head and inputs on validation data, within so long */
    const char *folders; /* where a task that is a bare name is looked for, separated by ':' */
    const char *
        few_labels; /* fit: "50,200,1000" (or ""): judge what is learnt from so few labelled examples; draws: of
                               examples (0: 20). NULL: no */
} florin_fit_options;
#define FLORIN_FIT_INIT                                                                            \
    {                                                                                              \
        sizeof(florin_fit_options), FLORIN_TEXT, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0,   \
            0, 0, 0, 0, 0, NULL, 0, 0, 0, 0, 0, NULL, NULL                                         \
    }

/* Errors: FLORIN_EINPUT the task file, or one class only; FLORIN_ELEAK the model or a label is later than what is judged. */
FLORIN_CHECKED florin_status florin_fit(const florin_context *ctx, const florin_fit_options *opt,
                                        florin_error *err);
FLORIN_CHECKED florin_status florin_eval(const florin_context *ctx, const florin_fit_options *opt,
                                         florin_error *err);

/* --- ablate: which choice pays --- */

typedef struct {
    uint32_t size;
    florin_format format;
    const char *plan; /* YAML: data sets, tasks, choices (docs/ablate.md) */
    const char *work; /* folder of finished runs; NULL: PLAN.work */
    double minutes;   /* no run begins later than this; 0: no limit */
    const char *plot; /* SVG of a plan with `scaling`; NULL: none */
} florin_ablate_options;
#define FLORIN_ABLATE_INIT                                                                         \
    {                                                                                              \
        sizeof(florin_ablate_options), FLORIN_TEXT, NULL, NULL, 0, NULL                            \
    }

/* Pretrains and fits what the plan asks for and is not yet done, then writes each choice's paired gain and cost to ctx->write.
 * FLORIN_ECANCELLED: stopped; the same call goes on. Other errors: FLORIN_EUSAGE an option, FLORIN_EINPUT the plan, a task or a
 * log, FLORIN_ELEAK pretraining would see what is judged, FLORIN_EFORMAT the work file, FLORIN_EIO, FLORIN_ENOMEM. */
FLORIN_CHECKED florin_status florin_ablate(const florin_context *ctx,
                                           const florin_ablate_options *opt, florin_error *err);

/* --- tasks: the catalogue and its stored results --- */

typedef struct {
    uint32_t size;
    florin_format format;
    const char *
        folders; /* with task files and results.jsonl, separated by ':'; a name counts where it is first met */
} florin_tasks_options;
#define FLORIN_TASKS_INIT                                                                          \
    {                                                                                              \
        sizeof(florin_tasks_options), FLORIN_TEXT, NULL                                            \
    }

/* Every task with data, label, population, metric, named baseline, our result and the paired difference with 95 %
 * intervals, to ctx->write. Errors: FLORIN_EINPUT no task file, or one or a stored result that can't be read. */
FLORIN_CHECKED florin_status florin_tasks(const florin_context *ctx,
                                          const florin_tasks_options *opt, florin_error *err);

/* --- similar: who is alike, what they share --- */

typedef struct {
    uint32_t size;
    florin_format format;
    const char *log, *model;
    const char *entity; /* kind that is compared; NULL: events */
    const char *id;     /* of the entity that others should be like */
    const char *event;  /* id of the event that others should be like */
    const char *at;     /* entities as known at this moment; NULL: end of the log */
    const char *by;     /* "embedding" (NULL, where there is one), "fold", "both" */
    const char *pool;   /* of an entity's states: "mean" (NULL), "last" */
    const char *judge;  /* a category field, or "same"; NULL: neighbours are shown */
    const char *tier;
    uint32_t top, least, draws, segments; /* 0: 10 neighbours; 1 event (judge: 10); 300; none */
    uint64_t seed;
} florin_similar_options;
#define FLORIN_SIMILAR_INIT                                                                        \
    {                                                                                              \
        sizeof(florin_similar_options), FLORIN_TEXT, NULL, NULL, NULL, NULL, NULL, NULL, NULL,     \
            NULL, NULL, NULL, 0, 0, 0, 0, 0                                                        \
    }

/* Nearest neighbours by cosine of standardised vectors, exact, each with what it shares with the one asked for, the rarest
 * first; with `segments` groups of alike entities; with `judge` how well likeness finds what it should. To ctx->write.
 * Errors: FLORIN_EINPUT an unknown entity or event (the nearest ids are named), FLORIN_ENOMEM past memory_bytes. */
FLORIN_CHECKED florin_status florin_similar(const florin_context *ctx,
                                            const florin_similar_options *opt, florin_error *err);

#ifdef __cplusplus
}
#endif
#endif
