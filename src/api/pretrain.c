/* florin_pretrain: checks the options, opens the log, trains, writes the report. */
#include "base/file.h"
#include "task/card.h"
#include "train/train.h"
#include "tune/together.h"
#include <math.h>

static florin_status read_time(const char *option, const char *text, int64_t *out,
                               florin_error *err)
{
    if (!text) return FLORIN_OK;
    if (fl_time_parse(text, out)) return FLORIN_OK;
    return fl_fail(err, FLORIN_EUSAGE,
                   "%s %.64s: not a time; write 2018-08-01 or \"2018-08-01 12:30\" (UTC)", option,
                   text);
}

static florin_status configure_blocks(const florin_pretrain_options *o, fl_train_blocks *b,
                                      florin_error *err)
{
    static const char *const position[] = {"none", "rotary", "learned"};
    bool any = o->layers || o->heads || o->context || o->block_width || o->positions ||
               o->post_norm || o->no_bias || o->no_history;
    size_t p = FL_POSITIONS_ROTARY;

    if (!o->backbone || !strcmp(o->backbone, "gru")) {
        if (!any) return FLORIN_OK;
        return fl_fail(err, FLORIN_EUSAGE,
                       "--layers, --heads, --context, --block-width, --positions, --post-norm, "
                       "--no-bias and --no-history go with --backbone transformer");
    }
    if (strcmp(o->backbone, "transformer") != 0)
        return fl_fail(err, FLORIN_EUSAGE, "--backbone %s: there are gru and transformer",
                       o->backbone);
    if (o->positions)
        for (p = 0; p < FL_LEN(position) && strcmp(o->positions, position[p]) != 0; p++) {}
    if (p == FL_LEN(position))
        return fl_fail(err, FLORIN_EUSAGE, "--positions %s: there are rotary, learned and none",
                       o->positions);
    *b = fl_train_blocks_defaults();
    if (o->layers) b->layers = o->layers;
    if (o->heads) b->heads = o->heads;
    if (o->context) b->context = o->context;
    b->width = o->block_width;
    b->positions = (fl_positions)p;
    b->post_norm = o->post_norm != 0;
    b->no_bias = o->no_bias != 0;
    b->no_history = o->no_history != 0;
    return FLORIN_OK;
}

static florin_status configure(const florin_pretrain_options *o, fl_train_config *c,
                               fl_train_files *f, florin_error *err)
{
    florin_status st;

    *c = fl_train_defaults();
    st = read_time("--until", o->until, &c->until_us, err);
    if (!st) st = read_time("--valid-from", o->valid_from, &c->valid_from_us, err);
    if (st) return st;
    if (o->scale && !fl_train_size(c, o->scale))
        return fl_fail(err, FLORIN_EUSAGE, "--size %.32s: there are nano, small and base",
                       o->scale);
    if (o->hidden) c->hidden = o->hidden;
    if (o->width) c->width = o->width;
    if (o->parts) c->parts = o->parts;
    if (o->vocabulary) c->vocabulary = o->vocabulary;
    if (o->epochs != 0) c->epochs = o->epochs;
    if (o->seed) c->seed = o->seed;
    if (o->rate != 0) {
        c->rate = o->rate;
        c->rate_end = fmin(c->rate_end, o->rate);
    }
    if (o->valid_share != 0) c->valid_share = o->valid_share;
    if (o->unseen_share != 0) c->unseen_share = o->unseen_share < 0 ? 0 : o->unseen_share;
    if (o->patience) c->patience = o->patience < 0 ? 0 : (uint32_t)o->patience;
    c->lanes = o->lanes;
    c->window = o->window;
    c->steps = o->steps;
    c->minutes = o->minutes;
    c->dense = o->dense != 0;
    c->bf16 = o->bf16 != 0;
    if (o->silence != 0) c->silence = o->silence < 0 ? 0 : o->silence;
    c->contrast = o->contrast;
    c->ahead = o->ahead;
    c->ahead_weight = o->ahead_weight;
    if (o->precision) {
        c->int8 = !strcmp(o->precision, "int8");
        if (!c->int8 && strcmp(o->precision, "fp32") != 0)
            return fl_fail(err, FLORIN_EUSAGE, "--precision %s: there are int8 and fp32",
                           o->precision);
    }
    st = configure_blocks(o, &c->blocks, err);
    if (st) return st;
    *f = (fl_train_files){.out = o->out,
                          .journal = o->journal,
                          .resume = o->resume != 0,
                          .checkpoint_s = o->checkpoint_s > 0 ? o->checkpoint_s : 60};
    return fl_train_check(c, err);
}

/* Better now than after an hour of training. */
static florin_status check_out(const char *out, florin_error *err)
{
    fl_writer *w = NULL;
    florin_status st = fl_writer_open(&w, out, 0644, err);

    fl_writer_abort(w);
    return st;
}

static florin_status learn_tasks(const char *out, const fl_log *log, const fl_together *tasks,
                                 json_t *report, const florin_context *ctx, florin_error *err)
{
    json_t *about = NULL;
    florin_status st = fl_together_run(out, log, tasks, ctx, &about, err);
    if (!st) json_object_set(report, "together", about);
    json_decref(about);
    return st;
}

florin_status florin_pretrain(const florin_context *ctx, const florin_pretrain_options *opt,
                              florin_error *err)
{
    florin_pretrain_options o = FLORIN_PRETRAIN_INIT;
    fl_train_config config;
    fl_train_files files;
    fl_log *log = NULL;
    json_t *report = NULL;
    fl_together tasks = {0};
    florin_status st;

    if (!opt || opt->size < offsetof(florin_pretrain_options, until) || opt->size > sizeof o)
        return fl_fail(err, FLORIN_EUSAGE, "pretrain: options are missing or of another version");
    memcpy(&o, opt, opt->size);
    if (!o.log) return fl_fail(err, FLORIN_EUSAGE, "pretrain: name the event log");
    if (!o.out) return fl_fail(err, FLORIN_EUSAGE, "pretrain: name the model file: --out MODEL");
    st = configure(&o, &config, &files, err);
    if (!st) st = check_out(o.out, err);
    if (!st) st = fl_log_open(&log, o.log, err);
    if (st) goto done;
    if (config.until_us == INT64_MAX && fl_log_rows(log))
        config.until_us = fl_log_time_max(log) + 1;
    tasks = (fl_together){.weight = o.task_weight,
                          .epochs = o.task_epochs,
                          .seed = config.seed,
                          .until_us = config.until_us};
    if (o.tasks) st = fl_together_load(&tasks, o.tasks, fl_log_schema(log), err);
    if (!st) st = fl_pretrain(log, &config, &files, ctx, &report, err);
    if (!st && tasks.tasks) st = learn_tasks(o.out, log, &tasks, report, ctx, err);
    if (st) goto done;
    fl_card_beside(o.out, log, NULL, NULL, ctx);
    if (o.format == FLORIN_JSON) fl_json_write(ctx, report);
    else {
        fl_train_report_text(ctx, report);
        const json_t *t;
        size_t i;
        json_array_foreach(json_object_get(json_object_get(report, "together"), "tasks"), i, t)
            fl_writef(ctx, "learnt together: %s, %lld rows, %lld positive\n",
                      fl_json_str(t, "name", ""), (long long)fl_json_int(t, "rows", 0),
                      (long long)fl_json_int(t, "positives", 0));
        fl_writef(ctx, "\nModel: %s\n", o.out);
    }
done:
    fl_together_free(&tasks);
    json_decref(report);
    fl_log_close(log);
    return st;
}
