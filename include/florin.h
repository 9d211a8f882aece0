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
    FLORIN_EQUALITY = 10,  /* a --check found two paths that differ */
    FLORIN_EINTERNAL = 70  /* a bug */
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
} florin_doctor_options;
#define FLORIN_DOCTOR_INIT                                                                         \
    {                                                                                              \
        sizeof(florin_doctor_options), FLORIN_TEXT, NULL, NULL                                     \
    }

/* Writes CPU tier, cores, memory, libraries, disk, limits and what to fix. FLORIN_EIO: something must be
 * fixed before Florin can work here (the report names it). */
FLORIN_CHECKED florin_status florin_doctor(const florin_context *ctx,
                                           const florin_doctor_options *opt, florin_error *err);

/* ---- import: tables to an event log ---- */
typedef struct {
    uint32_t size;
    florin_format format;
    const char *schema; /* YAML file */
    const char *log;    /* folder of the log: made when missing, else a segment is appended */
    const char *const
        *files; /* [n_files] FILE for the first source or SOURCE=FILE; none: those of the schema */
    uint32_t n_files;
    const char *rejects; /* file for rejected rows; NULL: LOG/rejects.csv */
    int strict;          /* refuse all when one row is rejected */
    int no_ids;          /* keep no dictionary of identifiers */
    int sort_on_disk; /* sort by spilling whatever the size; else past the context's memory_bytes */
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
} florin_report_options;
#define FLORIN_REPORT_INIT                                                                         \
    {                                                                                              \
        sizeof(florin_report_options), NULL, 0, NULL, NULL                                         \
    }
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
    uint64_t steps;      /* most steps per stream; 0: by epochs */
    double
        minutes; /* limit of time for training; 0: none. With it the same seed may give other bytes */
    uint64_t seed;       /* 0: 1 */
    double rate;         /* highest learning rate; 0: 0.002 */
    int64_t patience;    /* validations without gain before a stream stops; 0: 3; below 0: never */
    int resume;          /* go on from OUT.checkpoint */
    double checkpoint_s; /* seconds between checkpoints; 0: 60 */
    const char *journal; /* JSON lines of the progress, appended; NULL: none */
} florin_pretrain_options;
#define FLORIN_PRETRAIN_INIT                                                                       \
    {                                                                                              \
        sizeof(florin_pretrain_options), FLORIN_TEXT, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, \
            0, 0, 0, 0, 0, 0, 0, 0, 0, NULL                                                        \
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
    const char *head; /* of the top list; NULL: the first that scores events */
    const char *tier; /* NULL: best of this CPU */
    uint32_t top;     /* most suspicious events to list with reasons, at most 1000 */
    int check; /* replay only: hold both paths against each other, FLORIN_EQUALITY at a difference */
} florin_score_options;
#define FLORIN_SCORE_INIT                                                                          \
    {                                                                                              \
        sizeof(florin_score_options), FLORIN_TEXT, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0  \
    }

/* Offline: the path that features and embeddings take. Errors: FLORIN_ESCHEMA model and log differ, FLORIN_EUSAGE no
 * head scores events. */
FLORIN_CHECKED florin_status florin_score_log(const florin_context *ctx,
                                              const florin_score_options *opt, florin_error *err);
/* Event by event through the live path (what a server calls), labels at their arrival. */
FLORIN_CHECKED florin_status florin_replay_log(const florin_context *ctx,
                                               const florin_score_options *opt, florin_error *err);

/* ---- Draft: a first schema for an unknown table ---- */

typedef struct {
    uint32_t size;
    florin_format format; /* of the explanation: text or JSON */
    const char *file;     /* CSV, Parquet or JSON lines */
    const char *out;      /* schema to write; NULL: the schema itself goes to ctx->write */
    const char *name;     /* of the schema; NULL: from the file's name */
} florin_draft_options;
#define FLORIN_DRAFT_INIT                                                                          \
    {                                                                                              \
        sizeof(florin_draft_options), FLORIN_TEXT, NULL, NULL, NULL                                \
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
} florin_fit_options;
#define FLORIN_FIT_INIT                                                                            \
    {                                                                                              \
        sizeof(florin_fit_options), FLORIN_TEXT, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0,   \
            0, 0, 0                                                                                \
    }

/* Errors: FLORIN_EINPUT the task file, or one class only; FLORIN_ELEAK the model or a label is later than what is judged. */
FLORIN_CHECKED florin_status florin_fit(const florin_context *ctx, const florin_fit_options *opt,
                                        florin_error *err);
FLORIN_CHECKED florin_status florin_eval(const florin_context *ctx, const florin_fit_options *opt,
                                         florin_error *err);

#ifdef __cplusplus
}
#endif
#endif
